import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edgedigits.cli import cli
from edgedigits.cli.predict import ASCII_SHADES, SHADES, drawing
from edgedigits.margins import lead_in_steps
from edgedigits.picture.prepare import prepare
from edgedigits.predictor import DigitPredictor

PICTURES = Path(__file__).parents[1] / "golden" / "pictures"
SEVEN = PICTURES / "7-turned-by-exif.jpg"
ZERO = PICTURES / "0-paint.png"


def predict(*arguments: object, input: bytes | None = None) -> Result:  # noqa: A002 - click's name
    return CliRunner().invoke(cli, ["predict", *map(str, arguments)], input=input)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, an unreadable one between them, a file that is none, and a folder inside."""
    shutil.copy(ZERO, tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    shutil.copy(SEVEN, tmp_path / "c.JPG")
    (tmp_path / "notes.txt").write_text("7")
    (tmp_path / "d.png").mkdir()
    shutil.copy(ZERO, tmp_path / "d.png" / "inside.png")
    return tmp_path


def test_one_line_per_picture() -> None:
    result = predict(SEVEN, ZERO)
    assert result.exit_code == 0
    assert result.stderr == ""
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{SEVEN}: 7  ")
    assert first.endswith(" %")
    assert second.startswith(f"{ZERO}: 0  ")


def test_every_golden_picture_is_read() -> None:
    lines = predict(PICTURES).stdout.splitlines()
    assert len(lines) == len(list(PICTURES.iterdir()))
    for line in lines:
        path, _, answer = line.rpartition(": ")
        assert answer[0] == Path(path).name[0]


def test_the_sample_pictures_are_read_before_any_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    alone, before = predict("--sample", "--json"), predict("--sample", ZERO, "--json")
    answers = json.loads(alone.stdout)
    assert [(answer["picture"], answer["digit"]) for answer in answers] == [
        ("3-chalk.png", 3),
        ("4-paint.png", 4),
        ("7-photo.jpg", 7),
    ]
    assert all(answer["sure"] for answer in answers)
    assert [answer["picture"] for answer in json.loads(before.stdout)][3:] == [str(ZERO)]


def test_top_lists_further_digits() -> None:
    line = predict("--top", "3", ZERO).stdout.strip()
    answers = line.removeprefix(f"{ZERO}: ").split("   ")
    assert len(answers) == 3
    assert [answer.endswith(" %") for answer in answers] == [True] * 3
    assert answers[0].startswith("0  ")


def test_an_unreadable_picture_is_reported_and_the_others_go_on(folder: Path) -> None:
    result = predict(folder)
    assert result.exit_code == 1
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == [
        f"{folder}/a.png",
        f"{folder}/c.JPG",
    ]
    assert result.stderr.startswith(f"edgedigits: {folder}/b.png: cannot be read: not a PNG")
    assert len(result.stderr.splitlines()) == 1


def test_a_missing_picture_does_not_stop_the_others() -> None:
    result = predict("none.png", ZERO)
    assert result.exit_code == 1
    assert "none.png: cannot be read: No such file" in result.stderr
    assert result.stdout.startswith(f"{ZERO}: 0")


def test_a_folder_without_pictures_is_reported(tmp_path: Path) -> None:
    result = predict(tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"edgedigits: {tmp_path}: no pictures in this folder")


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    result = predict(tmp_path)
    assert result.exit_code == 1
    assert "cannot be read: Permission denied" in result.stderr


def test_standard_input_is_a_picture() -> None:
    result = predict("-", input=SEVEN.read_bytes())
    assert result.exit_code == 0
    assert result.stdout.startswith("-: 7  ")


def test_empty_standard_input_is_reported() -> None:
    result = predict("-", input=b"")
    assert result.exit_code == 1
    assert "the file is empty" in result.stderr


def test_json_lists_pictures_and_errors(folder: Path) -> None:
    result = predict("--json", folder)
    assert result.exit_code == 1
    assert result.stderr == ""
    zero, broken, seven = json.loads(result.stdout)
    assert set(zero) == {
        "picture", "digit", "label", "confidence", "margin", "margin_steps", "sure", "probabilities",
    }  # fmt: skip
    assert zero["margin_steps"] == lead_in_steps(zero["probabilities"])
    assert (zero["sure"], seven["sure"]) == (True, True)
    assert (zero["picture"], zero["digit"], seven["digit"]) == (f"{folder}/a.png", 0, 7)
    assert (zero["label"], seven["label"]) == ("0", "7")
    assert len(zero["probabilities"]) == 10
    assert zero["confidence"] == zero["probabilities"][0]
    assert set(broken) == {"picture", "error"}


@pytest.mark.parametrize("top", [1, 3])
def test_what_is_not_sure_says_so(top: int) -> None:
    lead = DigitPredictor().predict(ZERO).margin_steps
    sure, unsure = (predict("--top", top, "--min-margin", lead + more, ZERO) for more in (0, 1))
    assert (sure.exit_code, unsure.exit_code) == (0, 0)
    assert unsure.stdout == f"{sure.stdout.rstrip()}   not sure\n"
    assert sure.stdout.count("   ") == top - 1


def test_a_least_lead_is_a_fraction_where_it_has_a_point() -> None:
    for asked, expected in (("1", True), ("0.0", True), ("1.0", False), ("256", False)):
        (answer,) = json.loads(predict("--json", "--min-margin", asked, ZERO).stdout)
        assert answer["sure"] is expected


@pytest.mark.parametrize(
    "asked", ["257", "-1", "1.5", "-0.1", "nan", "inf", "1e400", "half", "", "²", "9" * 5_000]
)
def test_a_least_lead_out_of_range_is_wrong_usage(asked: str) -> None:
    result = predict(f"--min-margin={asked}", ZERO)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected steps of 1/256, 0 to 256, or a fraction with a point, 0.0 to 1.0" in result.stderr


def test_show_draws_what_the_network_saw() -> None:
    lines = predict("--show", SEVEN).stdout.splitlines()
    assert len(lines) == 1 + 28
    assert max(map(len, lines[1:])) <= 56
    assert set("".join(lines[1:])) <= set(SHADES)
    assert "██" in "".join(lines[1:])


def test_save_prepared_writes_what_the_network_saw(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seen = tmp_path_factory.mktemp("seen") / "inside"
    result = predict("--save-prepared", seen, folder, ZERO, folder / "a.png")
    assert result.exit_code == 1  # one of the pictures is none
    assert sorted(path.name for path in seen.iterdir()) == ["0-paint.png", "a-2.png", "a.png", "c.png"]
    with Image.open(seen / "c.png") as picture:
        assert (picture.mode, picture.size) == ("L", (28, 28))
        np.testing.assert_array_equal(np.asarray(picture), prepare(SEVEN))
    again = predict("--json", seen / "c.png", "--save-prepared", seen)
    assert json.loads(again.stdout)[0]["digit"] == 7
    np.testing.assert_array_equal(prepare(seen / "c.png"), prepare(SEVEN))


def test_save_prepared_names_standard_input(tmp_path: Path) -> None:
    assert predict("--save-prepared", tmp_path, "-", input=ZERO.read_bytes()).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["standard-input.png"]


def test_save_prepared_into_a_file_is_wrong_usage() -> None:
    result = predict("--save-prepared", ZERO, SEVEN)
    assert result.exit_code == 2
    assert "is a file" in result.stderr


def test_save_prepared_into_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = predict("--save-prepared", tmp_path / "file" / "inside", ZERO)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("encoding", "shades"), [("utf-8", SHADES), ("cp437", SHADES), ("ascii", ASCII_SHADES)]
)
def test_drawing_uses_what_the_terminal_has(encoding: str, shades: str) -> None:
    text = drawing(prepare(ZERO), encoding)
    assert set(text) - {"\n"} <= set(shades)
    assert shades[-1] in text
    text.encode(encoding)


def test_names_are_escaped(tmp_path: Path) -> None:
    shutil.copy(ZERO, tmp_path / "a\nb.png")
    result = predict(tmp_path / "a\nb.png")
    assert result.stdout.startswith(f"{tmp_path}/a\\nb.png: 0")


def test_show_and_json_exclude_each_other() -> None:
    result = predict("--show", "--json", ZERO)
    assert result.exit_code == 2
    assert "choose one" in result.stderr


def test_no_picture_is_wrong_usage() -> None:
    result = predict()
    assert result.exit_code == 2
    assert "name pictures, or take --sample" in result.stderr


def test_a_missing_model_is_one_line() -> None:
    result = predict("--model", "none.onnx", ZERO)
    assert result.exit_code == 1
    assert result.stderr.startswith("edgedigits: none.onnx: no such model file")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_help_has_an_example() -> None:
    result = predict("--help")
    assert result.exit_code == 0
    assert "\n  Examples:\n    edgedigits predict --sample" in result.stdout


def test_the_process_is_light(tmp_path: Path) -> None:
    # sitecustomize runs first, so it can print at exit what the command has loaded.
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "edgedigits", "predict", str(SEVEN)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])},
    )
    assert done.returncode == 0
    assert done.stdout.startswith(f"{SEVEN}: 7  ")
    loaded = set(done.stderr.split())
    assert {"numpy", "onnxruntime", "edgedigits.predictor"} <= loaded
    assert not {"tensorflow", "keras", "onnx", "matplotlib", "sklearn", "rich"} & loaded
    # Nothing but the list was written to standard error.
    assert len(done.stderr.splitlines()) == 1


def test_names_that_the_terminal_cannot_write_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "été.png"
    shutil.copy(ZERO, path)
    done = subprocess.run(
        [sys.executable, "-m", "edgedigits", "predict", str(path)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.startswith(f"{tmp_path}/\\xe9t\\xe9.png: 0".encode())


def test_results_come_as_they_are_read() -> None:
    """A picture that arrives late on standard input does not hold back the answers before it."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "edgedigits", "predict", str(ZERO), "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        assert process.stdout.readline().startswith(f"{ZERO}: 0".encode())
        process.stdin.write(SEVEN.read_bytes())
        process.stdin.close()
        assert process.stdout.readline().startswith(b"-: 7")
    assert process.returncode == 0
