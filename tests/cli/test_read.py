import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edgedigits import DigitPredictor
from edgedigits.cli import cli

Number = Callable[[str], Image.Image]

ROOT = Path(__file__).parents[2]
TEXT = "0728"


def read(*arguments: object, input: bytes | None = None) -> Result:  # noqa: A002 - click's name
    return CliRunner().invoke(cli, ["read", *map(str, arguments)], input=input)


@pytest.fixture
def picture(number: Number, tmp_path: Path) -> Path:
    number(TEXT).save(tmp_path / "number.png")
    return tmp_path / "number.png"


@pytest.fixture
def folder(number: Number, tmp_path: Path) -> Path:
    """Two numbers, what is no picture, an empty sheet, and a file of another kind."""
    folder = tmp_path / "folder"
    folder.mkdir()
    number("41").save(folder / "a.png")
    (folder / "b.png").write_bytes(b"no picture")
    Image.new("L", (200, 100), 235).save(folder / "c.png")
    number("0728").save(folder / "d.JPG", quality=95)
    (folder / "notes.txt").write_text("7")
    return folder


def test_a_line_for_each_line_of_digits(picture: Path, number: Number, tmp_path: Path) -> None:
    result = read(picture, "--min-margin", 0)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{picture}: {TEXT}  ")
    assert result.stdout.endswith(" %\n")
    lines = [number(text) for text in ("41", "702")]
    sheet = Image.new("L", (max(line.width for line in lines), 224), 240)
    for place, line in enumerate(lines):
        sheet.paste(line, (0, 112 * place))
    sheet.save(tmp_path / "two.png")
    result = read(tmp_path / "two.png")
    assert [line.split("  ")[0] for line in result.stdout.splitlines()] == [
        f"{tmp_path}/two.png: 41",
        f"{tmp_path}/two.png: 702",
    ]


def test_what_is_not_sure_says_so(picture: Path) -> None:
    sure, unsure = (read("--min-margin", lead, picture) for lead in (0, 256))
    assert (sure.exit_code, unsure.exit_code) == (0, 0)
    assert unsure.stdout == f"{sure.stdout.rstrip()}   not sure\n"
    for lead, expected in (("0", True), ("256", False), ("0.0", True), ("1.0", False)):
        (answer,) = json.loads(read("--json", "--min-margin", lead, picture).stdout)
        assert (answer["sure"], answer["lines"][0]["sure"]) == (expected, expected)


def test_an_empty_sheet_is_an_answer(folder: Path) -> None:
    result = read(folder / "c.png")
    assert (result.exit_code, result.stdout) == (0, f"{folder}/c.png: no digit found\n")
    (answer,) = json.loads(read("--json", folder / "c.png").stdout)
    assert answer == {
        "picture": f"{folder}/c.png", "text": "", "sure": False, "size": [200, 100], "lines": [],
    }  # fmt: skip


def test_an_unreadable_picture_is_reported_and_the_others_go_on(folder: Path) -> None:
    result = read(folder)
    assert result.exit_code == 1
    assert [line.split("  ")[0] for line in result.stdout.splitlines()] == [
        f"{folder}/a.png: 41",
        f"{folder}/c.png: no digit found",
        f"{folder}/d.JPG: 0728",
    ]
    assert result.stderr.startswith(f"edgedigits: {folder}/b.png: cannot be read: not a PNG")
    assert len(result.stderr.splitlines()) == 1


def test_standard_input_is_a_picture(picture: Path) -> None:
    result = read("-", input=picture.read_bytes())
    assert result.exit_code == 0
    assert result.stdout.startswith(f"-: {TEXT}  ")
    empty = read("-", input=b"")
    assert (empty.exit_code, empty.stdout) == (1, "")
    assert "the file is empty" in empty.stderr


def test_json_has_boxes_confidences_and_margins(folder: Path) -> None:
    result = read("--json", folder)
    assert (result.exit_code, result.stderr) == (1, "")
    first, broken, empty, last = json.loads(result.stdout)
    assert set(broken) == {"picture", "error"}
    assert (first["text"], empty["text"], last["text"]) == ("41", "", "0728")
    assert set(first) == {"picture", "text", "sure", "size", "lines"}
    (line,) = last["lines"]
    assert set(line) == {"text", "sure", "confidence", "box", "signs"}
    assert line["confidence"] == min(sign["confidence"] for sign in line["signs"])
    assert [sign["text"] for sign in line["signs"]] == list("0728")
    for place, sign in enumerate(line["signs"]):
        assert set(sign) == {"text", "box", "confidence", "margin", "margin_steps", "sure"}
        assert 0 <= sign["margin_steps"] <= 255
        assert sign["margin"] == sign["margin_steps"] / 256
        left, top, right, bottom = sign["box"]
        # Digits stand in squares of 56 pixels, of which MNIST's form leaves some empty.
        assert 28 + 56 * place <= (left + right) / 2 <= 28 + 56 * (place + 1)
        assert 28 <= top < bottom <= 84


def test_it_prints_what_the_library_reads(picture: Path) -> None:
    reading = DigitPredictor().read(picture)
    (answer,) = json.loads(read("--json", picture).stdout)
    assert answer["text"] == reading.text
    assert [sign["box"] for sign in answer["lines"][0]["signs"]] == [
        list(sign.box) for sign in reading.lines[0].signs
    ]


def test_boxes_are_in_the_pixels_of_a_large_picture(number: Number, tmp_path: Path) -> None:
    number(TEXT).resize((3360, 1344), Image.Resampling.BICUBIC).save(tmp_path / "large.jpg")
    (answer,) = json.loads(read("--json", tmp_path / "large.jpg").stdout)
    assert (answer["text"], answer["size"]) == (TEXT, [3360, 1344])
    left, top, right, bottom = answer["lines"][0]["box"]
    assert 330 < left < right < 3030
    assert 330 < top < bottom < 1010
    assert bottom - top > 330


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--pattern", "dd.dd"), "07.28"),
        (("--pattern", "d ddd"), "0 728"),
        (("--digits", "4"), TEXT),
        (("--pattern", "dd:dd", "--no-separators"), TEXT),
    ],
    ids=["pattern", "space", "digits", "no separators"],
)
def test_a_known_form_is_kept(options: tuple[str, ...], text: str, picture: Path) -> None:
    result = read(*options, picture)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{picture}: {text}  ")


@pytest.mark.parametrize("option", [("--digits", "30"), ("--pattern", "d" * 30)], ids=["digits", "pattern"])
def test_a_line_that_cannot_have_the_form_is_left_out(option: tuple[str, str], picture: Path) -> None:
    result = read(*option, picture)
    assert (result.exit_code, result.stdout) == (0, f"{picture}: no digit found\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--pattern", "dd.mm.yyyy"),
            "expected d for each digit, 1 to 64, and the separators . , - / : and space",
        ),
        (("--pattern", ""), "expected d for each digit"),
        (("--pattern", "."), "expected d for each digit"),
        (("--digits", "0"), "is not in the range 1<=x<=64"),
        (("--digits", "65"), "is not in the range 1<=x<=64"),
        (("--digits", "4", "--pattern", "dd.dd"), "leave --digits out"),
        (("--min-margin", "257"), "expected steps of 1/256, 0 to 256"),
        (("--boxes", "seen.jpg"), "expected a name that ends in .png, or a folder, got seen.jpg"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_told(options: tuple[str, ...], said: str, picture: Path) -> None:
    result = read(*options, picture)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())
    assert list(picture.parent.iterdir()) == [picture]


def test_boxes_of_one_picture_are_a_file(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "seen" / "boxes.PNG"
    plain, result = read(picture), read(picture, "--boxes", out)
    assert (result.exit_code, result.stdout) == (0, plain.stdout)
    with Image.open(picture) as given, Image.open(out) as seen:
        assert (seen.format, seen.mode) == ("PNG", "RGB")
        factor = seen.width // given.width
        assert seen.size == (factor * given.width, factor * given.height)
        enlarged = np.asarray(given.resize(seen.size, Image.Resampling.NEAREST).convert("RGB"))
        differs = (np.asarray(seen) != enlarged).any(axis=2)
    (answer,) = json.loads(read("--json", picture).stdout)
    for left, top, right, bottom in (sign["box"] for sign in answer["lines"][0]["signs"]):
        assert differs[factor * top : factor * bottom, factor * left].all()
        assert differs[factor * bottom - 1, factor * left : factor * right].all()
    assert 0 < differs.mean() < 0.2


def test_boxes_of_several_pictures_are_a_folder(folder: Path, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "seen"
    assert read(folder, picture, folder / "a.png", "--boxes", out).exit_code == 1  # one of them is no picture
    assert sorted(path.name for path in out.iterdir()) == ["a-2.png", "a.png", "c.png", "d.png", "number.png"]


def test_boxes_of_standard_input(picture: Path, tmp_path: Path) -> None:
    assert read("-", "--boxes", tmp_path / "seen", input=picture.read_bytes()).exit_code == 0
    assert read("-", "--boxes", tmp_path / "one.png", input=picture.read_bytes()).exit_code == 0
    file, inside = tmp_path / "one.png", tmp_path / "seen" / "standard-input.png"
    assert file.read_bytes() == inside.read_bytes()


@pytest.mark.parametrize("kind", ["file for two", "file for a folder", "its own folder", "itself"])
def test_boxes_never_take_the_place_of_a_picture(kind: str, folder: Path, picture: Path) -> None:
    words: dict[str, tuple[Path, ...]] = {
        "file for two": (picture, folder / "a.png", Path("--boxes"), picture.with_name("seen.png")),
        "file for a folder": (folder, Path("--boxes"), picture.with_name("seen.png")),
        "its own folder": (folder, Path("--boxes"), folder),
        "itself": (picture, Path("--boxes"), picture),
    }
    before = {path: path.read_bytes() for path in [picture, *folder.iterdir()]}
    result = read(*words[kind])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "name a" in result.stderr
    assert {path: path.read_bytes() for path in [picture, *folder.iterdir()]} == before
    assert not picture.with_name("seen.png").exists()


def test_predict_says_to_use_read(picture: Path) -> None:
    result = CliRunner().invoke(cli, ["predict", str(picture)])
    assert result.exit_code == 1
    assert "edgedigits read" in result.stderr


def test_no_picture_is_wrong_usage() -> None:
    assert read().exit_code == 2


def test_a_missing_model_is_one_line(picture: Path) -> None:
    result = read("--model", "none.onnx", picture)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("edgedigits: none.onnx: no such model file")
    assert len(result.stderr.splitlines()) == 1


def test_names_are_escaped(number: Number, tmp_path: Path) -> None:
    number(TEXT).save(tmp_path / "a\nb.png")
    assert read(tmp_path / "a\nb.png").stdout.startswith(f"{tmp_path}/a\\nb.png: {TEXT}")


def test_help_has_an_example() -> None:
    result = read("--help")
    assert result.exit_code == 0
    assert "\n  Examples:\n    edgedigits read amount.png" in result.stdout


def test_the_process_is_light(picture: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    # sitecustomize runs first, so it can print at exit what the command has loaded.
    (site / "sitecustomize.py").write_text(
        "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "edgedigits", "read", str(picture), "--boxes", str(tmp_path / "seen")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])},
    )
    assert done.returncode == 0
    assert done.stdout.startswith(f"{picture}: {TEXT}  ")
    loaded = set(done.stderr.split())
    assert {"numpy", "onnxruntime", "edgedigits.predictor"} <= loaded
    assert not {"tensorflow", "keras", "onnx", "matplotlib", "sklearn", "rich", "pyarrow", "dask"} & loaded
    assert len(done.stderr.splitlines()) == 1


def test_a_picture_of_too_many_marks_is_named_as_it_was_given(tmp_path: Path) -> None:
    marks = np.full((1000, 1000), 255, np.uint8)
    for row in range(4, 980, 20):
        marks[row : row + 12, 4::20] = marks[row : row + 12, 5::20] = 0
    Image.fromarray(marks).save(tmp_path / "many.png")
    done = read(tmp_path / "many.png")
    assert done.exit_code == 1
    assert f"{tmp_path / 'many.png'}: shows 2,4" in done.stderr
