"""The page as people meet it, in Chromium and in Firefox: by mouse, fingers and keys, with good and with bad files."""

import base64
import contextlib
import json
import re
import socketserver
import threading
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from browsers import CHROMIUM, FIREFOX, Browser, Tab, start_chromium, start_firefox, until
from PIL import Image

from edgedigits.picture.prepare import prepare
from edgedigits.training.drawn import draw_digits
from edgedigits_export.integers.reference_kernels import reference_probabilities

GOLDEN = Path(__file__).parents[2] / "golden" / "pictures"
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"
)
CTRL, SHIFT = 2, 8
DECODED_OTHERWISE = {"2-sixteen-bit.png"}
"""Chromium makes 8 bits of 16 in another way than Python does."""
BROWSERS_OWN = re.compile(rb"google(?:apis)?\.com|gvt1\.com")
"""Whom Chromium asks for the time and for news of itself."""
HOSTILE = '<img src=x onerror="document.title=1">'
WAY_OF_ONE = [(0.5, 0.15 + 0.05 * step) for step in range(15)]
WAY_OF_SEVEN = [(0.25 + 0.05 * step, 0.2) for step in range(10)] + [
    (0.7 - 0.02 * step, 0.25 + 0.045 * step) for step in range(13)
]


class Listener:
    """A proxy that lets nothing through and remembers who asked."""

    def __init__(self) -> None:
        asked = self.asked = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                asked.append(self.rfile.readline())

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"


@contextlib.contextmanager
def served(folder: Path, asked: list[str]):
    """A server of a folder's files on this machine, which notes what is asked for; gives its address."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments) -> None:
            self.extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}
            super().__init__(*arguments, directory=str(folder))

        def log_request(self, *_) -> None:
            asked.append(self.path)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def camera_file(path: Path) -> int:
    """Write a film of one drawn digit, dark on light paper, in the middle of the picture; return which it is."""
    images, digits = draw_digits(8, np.random.default_rng(5))
    paper = np.full((240, 320), 220, np.uint8)
    big = np.asarray(Image.fromarray(images[0]).resize((140, 140), Image.Resampling.BICUBIC), np.int16)
    paper[50:190, 90:230] = np.clip(220 - big, 16, 235)
    gray = np.full((120, 160), 128, np.uint8)
    frame = b"FRAME\n" + paper.tobytes() + gray.tobytes() * 2
    path.write_bytes(b"YUV4MPEG2 W320 H240 F10:1 Ip A1:1 C420mpeg2\n" + 10 * frame)
    return int(digits[0])


@pytest.fixture(scope="module")
def listener():
    found = Listener()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    path = tmp_path_factory.mktemp("film") / "digit.y4m"
    return path, camera_file(path)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory, listener: Listener, filmed: tuple[Path, int]):
    browser = start_chromium(
        tmp_path_factory.mktemp("chromium"),
        f"--proxy-server={listener.address}",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={filmed[0]}",
    )
    yield browser
    browser.close()


@pytest.fixture
def tab(chromium: Browser, page: Path):
    chromium.events.clear()
    found = Tab(chromium)
    found.open(page.as_uri())
    yield found
    assert found.complaints() == []
    assert found.requests() == [page.as_uri()]
    found.close()


def on_pad(tab: Tab, way: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Places of the pad, 0 to 1, as places of the window."""
    x, y, width, height = tab.box("pad")
    return [(x + right * width, y + down * height) for right, down in way]


def ink(tab: Tab) -> np.ndarray:
    """How dark each pixel of the pad is, (280, 280)."""
    levels = tab.run(
        "Array.from(document.getElementById('pad').getContext('2d').getImageData(0, 0, 280, 280).data)"
        ".filter((_, place) => place % 4 === 0)"
    )
    return 255 - np.array(levels).reshape(280, 280)


def seen(tab: Tab) -> np.ndarray:
    """What the page says that the network saw, (28, 28)."""
    levels = tab.run(
        "Array.from(document.getElementById('seen').getContext('2d').getImageData(0, 0, 28, 28).data)"
        ".filter((_, place) => place % 4 === 0)"
    )
    return np.array(levels, np.uint8).reshape(28, 28)


def history(tab: Tab) -> list[str]:
    return tab.run("[...document.getElementById('history').children].map((line) => line.textContent)")


def file_in_script(name: str, content: bytes, kind: str) -> str:
    """JavaScript that makes a DataTransfer with a file."""
    text = base64.b64encode(content).decode()
    return (
        f"(() => {{ const bytes = Uint8Array.from(atob('{text}'), (one) => one.charCodeAt(0));"
        f"const given = new DataTransfer(); given.items.add(new File([bytes], {json.dumps(name)},"
        f"{{ type: {json.dumps(kind)} }})); return given; }})()"
    )


@pytest.mark.parametrize(("way", "digit"), [(WAY_OF_ONE, "1"), (WAY_OF_SEVEN, "7")], ids=["1", "7"])
def test_a_digit_drawn_by_mouse_is_read(tab: Tab, way, digit: str) -> None:
    assert tab.text("label") == "?"
    tab.mouse(on_pad(tab, way))
    assert tab.until("document.getElementById('history').children.length") == 1
    assert tab.text("label") == digit
    assert tab.text("live").startswith(f"{digit}, ")
    (line,) = history(tab)
    assert line.startswith(f"{digit}, ")
    assert line.endswith("(drawn)")
    shares = tab.run("[...document.querySelectorAll('#bars td:last-child')].map((cell) => cell.textContent)")
    assert len(shares) == 10
    assert shares[int(digit)] == tab.text("confidence")
    assert seen(tab).max() > 200


def test_several_fingers_draw_at_once(chromium: Browser, page: Path) -> None:
    tab = Tab(chromium, 390, 844)
    tab.open(page.as_uri())
    left = on_pad(tab, [(0.3, 0.2 + 0.05 * step) for step in range(12)])
    right = on_pad(tab, [(0.7, 0.2 + 0.05 * step) for step in range(12)])
    tab.touch(left, right)
    drawn = ink(tab)
    assert drawn[140, 84] > 200
    assert drawn[140, 196] > 200
    assert drawn[140, 140] == 0
    tab.click("clear")
    tab.touch(on_pad(tab, WAY_OF_ONE))
    assert tab.until("document.getElementById('label').textContent") == "1"
    tab.close()


def test_a_pen_that_presses_harder_draws_thicker(tab: Tab) -> None:
    widths = []
    for force in (0.1, 1.0):
        tab.click("clear")
        for kind, (x, y) in zip(
            ("mousePressed", "mouseMoved", "mouseReleased"),
            on_pad(tab, [(0.5, 0.2), (0.5, 0.8), (0.5, 0.8)]),
            strict=True,
        ):
            tab.ask(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                buttons=1,
                clickCount=1,
                force=force,
                pointerType="pen",
            )
        widths.append(int((ink(tab)[100] > 128).sum()))
    assert widths[0] >= 8
    assert widths[1] > 1.8 * widths[0]


def test_no_pen_and_no_place_changes_what_is_read(tab: Tab) -> None:
    images = []
    for pen, way in (
        (20, WAY_OF_SEVEN),
        (8, WAY_OF_SEVEN),
        (40, WAY_OF_SEVEN),
        (40, [(0.6 + right / 3, 0.6 + down / 3) for right, down in WAY_OF_SEVEN]),
    ):
        tab.click("clear")
        tab.run(f"document.getElementById('pen').value = {pen}")
        tab.mouse(on_pad(tab, way))
        assert tab.text("label") == "7"
        images.append(seen(tab).astype(int))
    usual, thin, thick, small = images
    assert (thin == usual).all()
    assert (thick == usual).all()
    # Its places are whole pixels of the screen.
    assert np.abs(small - usual).sum() < 0.2 * usual.sum()


def test_what_is_shorter_than_a_digit_is_read_as_it_is(tab: Tab) -> None:
    tab.mouse(on_pad(tab, [(0.5, 0.2), (0.5, 0.3)]))
    assert (seen(tab) == prepare((255 - ink(tab)).astype(np.uint8))).all()


def test_keys_draw_as_a_mouse_does(tab: Tab) -> None:
    tab.run("document.getElementById('pad').focus()")
    tab.key("ArrowUp", times=12)
    assert not ink(tab).any()
    tab.key(" ")
    tab.key("ArrowDown", times=24)
    tab.key("ArrowRight", SHIFT, times=2)
    tab.key(" ")
    assert tab.text("label") == "1"
    assert len(history(tab)) == 1
    pad, cursor = tab.run(
        "['pad', 'cursor'].map((name) => { const box = document.getElementById(name).getBoundingClientRect();"
        "return [box.x, box.y, box.width, box.height]; })"
    )
    place = [(cursor[axis] + cursor[axis + 2] / 2 - pad[axis] - 2) / (pad[axis + 2] - 4) for axis in (0, 1)]
    assert np.allclose(place, [144 / 280, 236 / 280], atol=0.01)
    assert not tab.run("document.getElementById('cursor').hidden")
    tab.key("z", CTRL)
    assert not ink(tab).any()
    assert tab.text("label") == "?"
    tab.key("Delete")
    assert tab.text("live") == "Cleared."


def test_undo_takes_back_the_last_stroke_and_a_clear(tab: Tab) -> None:
    tab.mouse(on_pad(tab, WAY_OF_ONE))
    one = ink(tab)
    tab.mouse(on_pad(tab, [(0.1, 0.8), (0.9, 0.8)]))
    assert (ink(tab) != one).any()
    tab.click("undo")
    assert (ink(tab) == one).all()
    tab.click("clear")
    assert not ink(tab).any()
    assert tab.text("label") == "?"
    tab.click("undo")
    assert (ink(tab) == one).all()
    assert tab.text("label") == "1"


def test_the_history_is_copied_as_a_table(tab: Tab, chromium: Browser) -> None:
    chromium.ask("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    assert tab.run("document.getElementById('copy').disabled")
    tab.mouse(on_pad(tab, WAY_OF_ONE))
    tab.click("clear")
    tab.mouse(on_pad(tab, WAY_OF_SEVEN))
    assert [line[0] for line in history(tab)] == ["7", "1"]
    tab.click("copy")
    tab.until("document.getElementById('live').textContent === 'Copied.'")
    rows = [line.split("\t") for line in tab.run("navigator.clipboard.readText()").splitlines()]
    assert [row[:2] for row in rows] == [["drawn", "1"], ["drawn", "7"]]
    assert all(0 < float(row[2]) <= 1 and 0 <= int(row[3]) < 256 for row in rows)


def test_the_page_proves_itself(tab: Tab) -> None:
    tab.click("prove")
    tab.until("document.getElementById('proof').textContent")
    assert tab.text("proof").startswith(
        "10 of 10 images: all 100 probabilities are those of the reference. One image takes "
    )


def test_another_answer_is_no_proof(chromium: Browser, made, tmp_path: Path) -> None:
    path = tmp_path / "digits.html"
    path.write_text(made.html(wrong=1), encoding="utf-8", newline="\n")
    tab = Tab(chromium)
    tab.open(path.as_uri())
    tab.click("prove")
    tab.until("document.getElementById('proof').textContent")
    assert tab.text("proof").startswith(
        "Only 9 of 10 images have the reference's probabilities: do not trust"
    )
    tab.close()


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "bmp"])
def test_a_picture_file_is_read(tab: Tab, kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"seven.{kind}"
    Image.open(GOLDEN / "9-pencil-line.png").convert("L").save(file, kind)
    tab.choose("file", file)
    tab.until("document.getElementById('history').children.length")
    assert tab.text("label") == "9"
    assert history(tab)[0].endswith(f"({file.name})")


def test_golden_pictures_are_prepared_and_read_as_in_python(tab: Tab, made) -> None:
    files = sorted(GOLDEN.iterdir())
    differs = []
    for count, file in enumerate(files, 1):
        tab.choose("file", file)
        tab.until(f"document.getElementById('history').children.length === {count}")
        expected = prepare(file)
        if (seen(tab) != expected).any():
            differs.append(file.name)
        shares = reference_probabilities(made.content, expected[np.newaxis])[0]
        assert tab.text("label") == str(shares.argmax()), file.name
    assert set(differs) <= DECODED_OTHERWISE


def test_files_are_dropped_and_pasted(tab: Tab) -> None:
    files = [GOLDEN / "0-paint.png", GOLDEN / "8-large.png"]
    x, y, width, height = tab.box("main")
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        tab.ask("Input.dispatchDragEvent", type=kind, x=x + width / 2, y=y + height / 2, data=data)
    tab.until("document.getElementById('history').children.length === 2")
    assert [line[0] for line in history(tab)] == ["8", "0"]
    given = file_in_script("image.png", (GOLDEN / "6-corner.png").read_bytes(), "image/png")
    tab.run(
        f"document.dispatchEvent(new ClipboardEvent('paste', {{ clipboardData: {given}, bubbles: true }})), 0"
    )
    tab.until("document.getElementById('history').children.length === 3")
    assert history(tab)[0].endswith("(pasted)")
    assert tab.text("label") == "6"


def test_a_paste_of_text_says_what_to_do(tab: Tab) -> None:
    tab.run(
        "const given = new DataTransfer(); given.setData('text/plain', 'seven');"
        "document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: given, bubbles: true })), 0"
    )
    assert tab.text("message") == "There is no picture to paste: copy one first."


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("letter.txt", b"Dear page,", "letter.txt is no picture: choose a PNG, JPEG, GIF, WebP or BMP file."),
        ("half.png", (GOLDEN / "0-paint.png").read_bytes()[:40], "half.png cannot be opened, it is damaged"),
        ("empty.png", b"", "empty.png cannot be opened, it is damaged"),
    ],
    ids=["text", "broken", "empty"],
)
def test_a_bad_file_says_what_to_do(
    tab: Tab, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    tab.choose("file", file)
    tab.until("document.getElementById('message').textContent")
    assert tab.text("message").startswith(message)
    assert tab.text("label") == "?"
    assert history(tab) == []


def test_a_picture_without_a_digit_says_what_to_do(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "blank.png"
    Image.new("L", (200, 200), 255).save(file)
    tab.choose("file", file)
    tab.until("document.getElementById('message').textContent")
    assert tab.text("message").startswith("Nothing is drawn: draw a digit")


def test_a_large_photograph_is_reduced_first_and_says_so(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    Image.open(GOLDEN / "0-paint.png").convert("L").resize((5_000, 4_000)).save(file, compress_level=1)
    tab.choose("file", file)
    tab.until("document.getElementById('history').children.length")
    assert tab.text("label") == "0"
    assert tab.text("message") == "large.png has 20.0 megapixels and was reduced to 12 before it was read."


def test_the_camera_reads_what_is_in_the_frame(tab: Tab, filmed: tuple[Path, int]) -> None:
    tab.click("camera")
    tab.until("!document.getElementById('viewfinder').hidden")
    tab.until(f"document.getElementById('label').textContent === '{filmed[1]}'")
    assert history(tab) == []
    tab.click("snap")
    assert tab.until("document.getElementById('history').children.length") == 1
    assert history(tab)[0].endswith("(camera)")
    tab.click("stop")
    assert tab.run("document.getElementById('video').srcObject === null")
    assert not tab.run("document.getElementById('sheet').hidden")


def test_a_refused_camera_says_what_to_do(page: Path, tmp_path: Path) -> None:
    browser = start_chromium(tmp_path, "--deny-permission-prompts", "--use-fake-device-for-media-stream")
    tab = Tab(browser)
    tab.open(page.as_uri())
    tab.click("camera")
    tab.until("document.getElementById('message').textContent")
    assert tab.text("message").startswith("The camera was refused: allow it")
    browser.close()


def test_nothing_is_asked_for_and_nothing_is_kept(
    tab: Tab, page: Path, chromium: Browser, listener: Listener
) -> None:
    tab.ask(
        "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0
    )
    tab.mouse(on_pad(tab, WAY_OF_ONE))
    tab.choose("file", GOLDEN / "0-paint.png")
    tab.until("document.getElementById('history').children.length === 2")
    tab.click("prove")
    tab.until("document.getElementById('proof').textContent")
    assert [line for line in listener.asked if not BROWSERS_OWN.search(line)] == []
    kept = (
        "[localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length]"
    )
    assert tab.run(f"(async () => JSON.stringify({kept}))()") == '[0,0,"",0]'


def test_a_server_is_asked_for_the_page_alone(chromium: Browser, page: Path) -> None:
    asked: list[str] = []
    with served(page.parent, asked) as address:
        tab = Tab(chromium)
        tab.open(f"{address}/digits.html")
        tab.mouse(on_pad(tab, WAY_OF_ONE))
        assert tab.text("label") == "1"
        tab.close()
    assert asked == ["/digits.html"]


def test_no_name_is_markup(chromium: Browser, made, tmp_path: Path) -> None:
    labels = (
        HOSTILE,
        "</script><script>document.title=1",
        "<!--<script>",
        '"@PROOF@"',
        "{{start}}",
        "{label}",
        "\\",
        "';1//",
        "&lt;b&gt;",
        "=1+1",
    )
    path = tmp_path / "digits.html"
    path.write_text(made.html(labels), encoding="utf-8", newline="\n")
    tab = Tab(chromium)
    tab.open(path.as_uri())
    shown = tab.run("[...document.querySelectorAll('#bars tbody th')].map((cell) => cell.textContent)")
    assert tuple(shown) == labels
    assert HOSTILE in tab.text("heading")
    tab.mouse(on_pad(tab, WAY_OF_ONE))
    assert tab.text("label") in labels
    file = file_in_script(f"{HOSTILE}.png", b"none", "image/png")
    tab.run(f"document.dispatchEvent(new DragEvent('drop', {{ dataTransfer: {file}, bubbles: true }})), 0")
    tab.until("document.getElementById('message').textContent")
    assert tab.text("message").startswith(HOSTILE)
    assert tab.run("document.querySelectorAll('img, body script').length") == 1
    assert tab.run("document.title") == "edgedigits"
    tab.click("prove")
    tab.until("document.getElementById('proof').textContent")
    assert tab.text("proof").startswith("10 of 10")
    assert tab.complaints() == []
    tab.close()


def test_other_classes_are_drawn_as_they_are(chromium: Browser, made, tmp_path: Path) -> None:
    labels = tuple(f"sign {letter}" for letter in "abcdefghij")
    path = tmp_path / "digits.html"
    path.write_text(made.html(labels), encoding="utf-8", newline="\n")
    tab = Tab(chromium)
    tab.open(path.as_uri())
    assert tab.text("heading") == f"Draw one of: {', '.join(labels)}"
    assert tab.run("document.getElementById('camera').hidden")
    tab.mouse(on_pad(tab, [(0.1, 0.1), (0.1, 0.9)]))
    image = seen(tab)
    assert image[14, 2] > 200
    assert not image[:, 5:].any()
    file = tmp_path / "own.png"
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(pixels).save(file)
    tab.choose("file", file)
    tab.until("document.getElementById('history').children.length === 2")
    assert (seen(tab) == pixels).all()
    shares = reference_probabilities(made.content, pixels[np.newaxis])[0]
    assert tab.text("label") == labels[shares.argmax()]
    tab.choose("file", GOLDEN / "0-paint.png")
    tab.until("document.getElementById('message').textContent")
    assert "reads pictures of 28 by 28 pixels as they are" in tab.text("message")
    tab.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_screen_and_can_be_read(
    chromium: Browser, page: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    tab = Tab(chromium, width, 844)
    tab.colours(scheme)
    tab.open(page.as_uri())
    draw = tab.touch if width < 600 else lambda *ways: tab.mouse(ways[0])
    draw(on_pad(tab, WAY_OF_SEVEN))
    tab.until("document.getElementById('history').children.length")
    tab.screenshot(tmp_path / f"page-{width}-{scheme}.png")
    assert tab.run("document.documentElement.scrollWidth") <= width
    sizes = tab.run(
        "[...document.querySelectorAll('button, label, input, p, th, td, li, summary')]"
        ".map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 16
    for name in ("answer", "verdict", "heading", "history", "message", "undo"):
        assert contrast(tab, name) >= 4.5, name
    name, bar, share = tab.run(
        "[...document.querySelectorAll('#bars tbody tr:first-child > *')].map((one) => one.offsetWidth)"
    )
    assert bar > max(2 * share, 4 * name)
    heights = tab.run(
        "[...document.querySelectorAll('button, label.button')].filter((one) => one.offsetParent)"
        ".map((one) => one.offsetHeight)"
    )
    assert min(heights) >= 44
    tab.close()


def contrast(tab: Tab, name: str) -> float:
    """The contrast of an element's text to what is behind it, 1 to 21, as WCAG counts it."""
    found = tab.run(
        f"(() => {{ let one = document.getElementById('{name}'); const text = getComputedStyle(one).color;"
        "while (getComputedStyle(one).backgroundColor === 'rgba(0, 0, 0, 0)') one = one.parentElement;"
        "return [text, getComputedStyle(one).backgroundColor]; })()"
    )
    lights = []
    for colour in found:
        shares = np.array([int(part) / 255 for part in colour[4:-1].split(",")])
        linear = np.where(shares <= 0.03928, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_what_is_on_it_has_names_and_an_order(tab: Tab) -> None:
    nodes = tab.ask("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in ("button", "slider", "application", "image", "status")
    }
    assert {("button", name) for name in ("Undo", "Clear", "Camera", "Copy", "Self-test")} < named
    assert ("slider", "Pen") in named
    assert ("application", "Pad to draw on") in named
    assert all(name for role, name in named if role != "status")
    order = []
    for _ in range(9):
        tab.key("Tab")
        order.append(tab.run("document.activeElement.id"))
    assert order[:6] == ["pad", "undo", "clear", "pen", "file", "camera"]


def test_without_scripts_there_is_a_sentence(chromium: Browser, page: Path) -> None:
    tab = Tab(chromium)
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    tab.ask("Page.navigate", url=page.as_uri())
    nodes = until(lambda: tab.ask("Accessibility.getFullAXTree")["nodes"][1:], "the page")
    shown = " ".join(node.get("name", {}).get("value", "") for node in nodes if not node["ignored"])
    assert "This page reads digits by JavaScript and WebAssembly" in shown
    assert "Undo" not in shown
    tab.close()


def test_without_webassembly_there_is_a_sentence(chromium: Browser, page: Path) -> None:
    tab = Tab(chromium)
    tab.ask("Page.addScriptToEvaluateOnNewDocument", source="delete globalThis.WebAssembly")
    tab.ask("Page.navigate", url=page.as_uri())
    tab.until("document.getElementById('needs')?.hidden === false")
    assert tab.text("needs").startswith("This page reads digits by JavaScript and WebAssembly")
    assert tab.run("document.getElementById('main')") is None
    tab.close()


@pytest.mark.mnist
def test_every_answer_to_the_test_images_is_the_reference_s(
    chromium: Browser, made, mnist_test, tmp_path
) -> None:
    images = mnist_test.images
    (tmp_path / "digits.mjs").write_text(made.module(), encoding="utf-8")
    (tmp_path / "images").write_bytes(images.tobytes())
    (tmp_path / "index.html").write_text(
        "<main id=main></main><script type=module>import { load, probabilities } from './digits.mjs'; await load();"
        "const images = new Uint8Array(await (await fetch('images')).arrayBuffer());"
        "const all = probabilities(images); let text = ''; for (const one of all) text += String.fromCharCode(one);"
        "window.all = btoa(text);</script>"
    )

    with served(tmp_path, []) as address:
        tab = Tab(chromium)
        tab.open(f"{address}/index.html")
        found = np.frombuffer(base64.b64decode(tab.until("window.all")), np.uint8).reshape(-1, 10)
        tab.close()
    assert (found == reference_probabilities(made.content, images)).all()


@pytest.mark.skipif(FIREFOX is None, reason="there is no Firefox here: apt-get install firefox-esr")
def test_firefox_reads_and_proves(page: Path, made, tmp_path: Path) -> None:
    browser, context = start_firefox(tmp_path)

    def run(expression: str):
        found = browser.ask(
            "script.evaluate", expression=expression, target={"context": context}, awaitPromise=True
        )
        return found["result"].get("value")

    browser.ask("browsingContext.navigate", context=context, url=page.as_uri(), wait="complete")
    until(lambda: run("!document.getElementById('main').hidden"), "the page")
    box = json.loads(run("JSON.stringify(document.getElementById('pad').getBoundingClientRect())"))
    places = [
        (box["x"] + right * box["width"], box["y"] + down * box["height"]) for right, down in WAY_OF_SEVEN
    ]
    moves = [{"type": "pointerMove", "x": int(x), "y": int(y)} for x, y in places]
    actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
    pointer = {"type": "pointer", "id": "mouse", "actions": actions}
    browser.ask("input.performActions", context=context, actions=[pointer])
    until(lambda: run("document.getElementById('history').children.length"), "an answer")
    assert run("document.getElementById('label').textContent") == "7"
    run("document.getElementById('prove').click()")
    proof = until(lambda: run("document.getElementById('proof').textContent"), "the proof")
    assert proof.startswith("10 of 10 images: all 100 probabilities are those of the reference.")
    browser.close()
