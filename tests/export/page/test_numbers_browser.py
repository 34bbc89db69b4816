"""The page of the network that reads numbers, in Chromium: drawn, dropped, in its boxes, on a phone, by keys."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browsers import CHROMIUM, Browser, Tab, start_chromium
from PIL import Image
from written import write_lines

from edgedigits import DigitPredictor
from edgedigits.numbers.drawing import NOT_SURE, SEPARATOR, SURE

PAGE = Path(__file__).parents[3] / "models" / "numbers" / "numbers.html"
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"
)
CTRL, SHIFT = 2, 8
WAY_OF_ONE = [(0.2 - 0.004 * step, 0.25 + 0.05 * step) for step in range(11)]
WAY_OF_TWO = [
    *((0.4, 0.33), (0.42, 0.26), (0.46, 0.23), (0.5, 0.26), (0.51, 0.34), (0.48, 0.46), (0.44, 0.59)),
    *((0.4, 0.72), (0.46, 0.73), (0.52, 0.72)),
]
DATE, PAGE_OF_THREE = ["31.12.2025"], ["1250.50", "12-30", "4,750"]


def film(path: Path) -> None:
    """Write a film of a date in the middle of the picture."""
    paper, gray = np.full((480, 640), 225, np.uint8), np.full((240, 320), 128, np.uint8)
    date = Image.fromarray(write_lines(DATE, 0)).resize((400, 130))
    paper[175:305, 120:520] = np.asarray(date)
    frame = b"FRAME\n" + paper.tobytes() + gray.tobytes() * 2
    path.write_bytes(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420mpeg2\n" + 10 * frame)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("chromium")
    film(folder / "date.y4m")
    browser = start_chromium(
        folder,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={folder / 'date.y4m'}",
    )
    yield browser
    browser.close()


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Tab]:
    chromium.events.clear()
    found = Tab(chromium)
    found.open(PAGE.as_uri())
    yield found
    assert found.complaints() == []
    assert found.requests() == [PAGE.as_uri()]
    found.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pictures by what is in them."""
    cells = np.random.default_rng(0).random((100, 100)) < 1 / 3
    drawn = {
        "date": write_lines(DATE, 0),
        "three lines": write_lines(PAGE_OF_THREE, 2),
        "empty": np.full((120, 300), 240, np.uint8),
        "patches": np.kron(np.where(cells, 0, 255).astype(np.uint8), np.ones((10, 10), np.uint8)),
    }
    folder, found = tmp_path_factory.mktemp("pictures"), {}
    for name, gray in drawn.items():
        found[name] = folder / f"{name}.png"
        Image.fromarray(gray).save(found[name])
    return found


def on_pad(tab: Tab, way: list[tuple[float, float]]) -> list[tuple[float, float]]:
    x, y, width, height = tab.box("pad")
    return [(x + right * width, y + down * height) for right, down in way]


def history(tab: Tab) -> list[str]:
    return tab.run("[...document.getElementById('history').children].map((line) => line.textContent)")


def signs(tab: Tab) -> list[list[str]]:
    """The rows of the table, by line: what stands in front, and what behind."""
    return tab.run(
        "[...document.querySelectorAll('#signs tbody')].map((body) =>"
        "[...body.rows].map((row) => `${row.cells[0].textContent} ${row.lastChild.textContent}`.trim()))"
    )


def colours(tab: Tab) -> set[tuple[int, int, int]]:
    """All colours in the picture with boxes."""
    found = tab.run(
        "(() => { const one = document.getElementById('seen');"
        "const { data } = one.getContext('2d').getImageData(0, 0, one.width, one.height);"
        "return [...new Set(new Uint32Array(data.buffer))]; })()"
    )
    return {(word & 255, word >> 8 & 255, word >> 16 & 255) for word in found}


def choose(tab: Tab, file: Path) -> None:
    before = len(history(tab))
    tab.choose("file", file)
    tab.until(
        f"document.getElementById('history').children.length > {before}"
        " || document.getElementById('message').textContent"
    )


def test_a_number_drawn_by_mouse_is_read(tab: Tab) -> None:
    assert tab.text("heading") == "Draw a number"
    tab.mouse(on_pad(tab, WAY_OF_ONE))
    assert tab.text("label") == "1"
    tab.mouse(on_pad(tab, WAY_OF_TWO))
    assert tab.text("label") == "12"
    ((line, one, two),) = signs(tab)
    assert (line.split()[0], one[0], two[0]) == ("12", "1", "2")
    assert len(history(tab)) == 1
    assert history(tab)[0].startswith("12, ")
    assert history(tab)[0].endswith("(drawn)")
    assert colours(tab) & {SURE, NOT_SURE}
    tab.click("undo")
    assert tab.text("label") == "1"
    tab.click("clear")
    assert tab.text("label") == "?"
    assert tab.run("document.getElementById('seen').hidden && document.getElementById('table').hidden")


@pytest.mark.parametrize("pen", [8, 40], ids=["thin", "thick"])
def test_no_pen_changes_what_is_read(tab: Tab, pen: int) -> None:
    tab.run(f"document.getElementById('pen').value = {pen}")
    # An 8 whose loops a thick pen fills on the pad, and a 2.
    turn = np.linspace(0, 2 * np.pi, 33)
    way = [(0.2 + 0.05 * np.sin(2 * angle), 0.5 - 0.18 * np.cos(angle)) for angle in turn]
    tab.mouse(on_pad(tab, way))
    tab.mouse(on_pad(tab, WAY_OF_TWO))
    assert tab.text("label") == "82"


def test_lines_of_a_dropped_picture_are_read_and_boxed(tab: Tab, files: dict[str, Path]) -> None:
    x, y, width, height = tab.box("main")
    names = [str(files["date"]), str(files["three lines"])]
    data = {"items": [], "files": names, "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        tab.ask("Input.dispatchDragEvent", type=kind, x=x + width / 2, y=y + height / 2, data=data)
    tab.until("document.getElementById('history').children.length === 2")
    three, date = history(tab)
    assert date.startswith("31.12.2025, ")
    assert date.endswith("(date.png)")
    assert three.startswith("1250.50 | 12-30 | 4,750, ")
    assert tab.text("label").split("\n") == PAGE_OF_THREE
    found = signs(tab)
    assert [line[0].split()[0] for line in found] == PAGE_OF_THREE
    assert ["".join(sign[0] for sign in line[1:]) for line in found] == PAGE_OF_THREE
    assert all(line[0].endswith("sure") for line in found)
    assert {SURE, SEPARATOR} <= colours(tab)


def test_the_history_is_copied_a_number_a_row(tab: Tab, chromium: Browser, files: dict[str, Path]) -> None:
    chromium.ask("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    choose(tab, files["date"])
    choose(tab, files["three lines"])
    tab.click("copy")
    tab.until("document.getElementById('live').textContent === 'Copied.'")
    rows = [line.split("\t") for line in tab.run("navigator.clipboard.readText()").splitlines()]
    assert [row[:2] for row in rows] == [["date.png", DATE[0]], ["three lines.png", " ".join(PAGE_OF_THREE)]]
    assert all(0 < float(row[2]) <= 1 and 0 <= int(row[3]) < 256 for row in rows)


def test_paper_without_a_digit_is_an_answer(tab: Tab, files: dict[str, Path]) -> None:
    choose(tab, files["empty"])
    assert tab.text("verdict") == "no digit found"
    assert tab.text("label") == "?"
    assert history(tab) == ["no digit found (empty.png)"]
    assert tab.run("document.getElementById('table').hidden")


def write_form(tab: Tab, form: str) -> None:
    """Write a form in the place of the one that is there."""
    tab.run("document.getElementById('form').select()")
    tab.ask("Input.insertText", text=form)


def test_a_form_that_is_known_is_kept_to(tab: Tab, files: dict[str, Path]) -> None:
    choose(tab, files["date"])
    write_form(tab, "dd/dd/dddd")
    assert tab.text("label") == DATE[0].replace(".", "/")
    assert len(history(tab)) == 1
    write_form(tab, 20 * "d")
    assert tab.text("verdict") == "no number of this form"
    write_form(tab, "dd.x")
    assert tab.text("message").startswith("A form has d for each digit")
    write_form(tab, "dd")
    assert tab.text("message") == ""
    tab.mouse(on_pad(tab, WAY_OF_ONE))
    assert tab.text("verdict") == "no number of this form"
    tab.mouse(on_pad(tab, WAY_OF_TWO))
    assert tab.text("label") == "12"
    tab.run("document.getElementById('form').focus()")
    tab.key("z", CTRL)
    assert tab.text("label") == "12"  # What is taken back there is no stroke.


def test_too_many_marks_say_what_to_do(tab: Tab, files: dict[str, Path]) -> None:
    choose(tab, files["patches"])
    assert tab.text("message").startswith("There are too many ")
    assert tab.text("message").endswith("cut out the numbers.")
    assert history(tab) == []


def test_the_camera_reads_what_is_in_its_wide_frame(tab: Tab) -> None:
    tab.click("camera")
    tab.until(f"document.getElementById('label').textContent === '{DATE[0]}'")
    assert history(tab) == []
    tab.click("snap")
    tab.until("document.getElementById('history').children.length")
    assert history(tab)[0].startswith(f"{DATE[0]}, ")
    assert history(tab)[0].endswith("(camera)")
    tab.click("stop")


def test_keys_draw_a_digit(tab: Tab) -> None:
    tab.run("document.getElementById('pad').focus()")
    tab.key("ArrowUp", times=10)
    tab.key("ArrowRight", SHIFT, times=8)
    tab.key(" ")
    for _ in range(10):
        tab.key("ArrowDown", times=2)
        tab.key("ArrowLeft", SHIFT)
    tab.key(" ")
    assert tab.text("label") == "1"
    order = []
    for _ in range(9):
        tab.key("Tab")
        order.append(tab.run("document.activeElement.id"))
    assert order[:7] == ["undo", "clear", "pen", "file", "camera", "form", "table"]
    tab.key("z", CTRL)
    assert tab.text("label") == "?"


def test_it_proves_itself_and_measures_readings(tab: Tab) -> None:
    tab.click("prove")
    tab.until("document.getElementById('proof').textContent")
    assert "probabilities are those of the reference. One image takes " in tab.text("proof")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(chromium: Browser, files: dict[str, Path], scheme: str) -> None:
    tab = Tab(chromium, 390, 844)
    tab.colours(scheme)
    tab.open(PAGE.as_uri())
    tab.touch(on_pad(tab, WAY_OF_TWO))
    tab.until("document.getElementById('history').children.length")
    choose(tab, files["three lines"])
    assert tab.run("document.documentElement.scrollWidth") <= 390
    sizes = tab.run(
        "[...document.querySelectorAll('button, label, input, p, th, td, li, summary')]"
        ".map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 16
    pad, picture = (tab.box(name) for name in ("pad", "seen"))
    assert pad[2] == pytest.approx(2 * pad[3], abs=4)
    assert picture[2] <= 390
    tab.close()


def test_what_the_page_reads_is_what_python_reads(tab: Tab, files: dict[str, Path]) -> None:
    predictor = DigitPredictor(PAGE.with_name("numbers.int8.onnx"))
    for name in ("date", "three lines"):
        choose(tab, files[name])
        assert tab.text("label") == predictor.read(files[name]).text
