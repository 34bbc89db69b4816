"""``examples/raspberry-pi/loop.py`` on frames that are drawn here; there is no camera in a test."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image, ImageDraw, ImageOps

ROOT = Path(__file__).parents[2]
LOOP = ROOT / "examples" / "raspberry-pi" / "loop.py"
PICTURES = ROOT / "tests" / "golden" / "pictures"
DIGITS = {7: "7-turned-by-exif.jpg", 3: "3-canvas-alpha.png", 9: "9-pencil-line.png"}


def frame(shown: str) -> Image.Image:
    """A frame of a camera: a digit on a sheet, or an empty sheet; for a question mark what is hardly a digit."""
    sheet = Image.new("L", (320, 240), 230)
    if shown == "?":
        # Between a 1 and a 7.
        ImageDraw.Draw(sheet).line([(140, 84), (165, 74), (150, 170)], fill=20, width=9)
    elif shown != " ":
        with Image.open(PICTURES / DIGITS[int(shown)]) as digit:
            drawn = ImageOps.exif_transpose(digit).convert("RGBA").resize((130, 130))
        sheet.paste(drawn.convert("L"), (90, 50), drawn.getchannel("A"))
    return sheet


@pytest.fixture
def frames(tmp_path: Path):
    """What writes frames into a folder, one for each character, in their order."""
    folder = tmp_path / "frames"
    folder.mkdir()

    def write(shown: str) -> Path:
        for place, character in enumerate(shown):
            frame(character).save(folder / f"{place:04}.png")
        return folder

    return write


@pytest.fixture(scope="module")
def loop() -> ModuleType:
    """The example, imported as a file."""
    spec = importlib.util.spec_from_file_location("loop", LOOP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["loop"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(loop: ModuleType, capsys: pytest.CaptureFixture[str]):
    """What runs the loop in this process; it returns the exit status, standard output and standard error."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = loop.main([str(argument) for argument in arguments])
        except SystemExit as ended:
            status = ended.code
        return (status, *capsys.readouterr())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("shown", "answers"),
    [
        ("777", [7]),
        ("77 77", []),
        ("7777777", [7]),
        ("777 777", [7]),
        ("777   777", [7, 7]),
        ("777333999", [7, 3, 9]),
        ("777373737333", [7, 3]),
        ("???????", []),
        ("77?777", [7]),
    ],
    ids=[
        "three-frames-are-an-answer",
        "two-are-none",
        "it-is-given-once",
        "a-short-break-is-none",
        "shown-again",
        "one-after-the-other",
        "what-flickers-is-none",
        "never-sure",
        "sure-in-the-end",
    ],
)
def test_what_is_sure_and_stays_is_answered(run, frames, shown: str, answers: list[int]) -> None:
    status, printed, told = run("--frames", frames(shown))
    assert status == 0
    assert [int(line.split()[0]) for line in printed.splitlines()] == answers
    assert all(re.fullmatch(r"\d  \d+\.\d%", line) for line in printed.splitlines())
    summary = rf"{len(shown)} frames in \d+\.\d s, \d+\.\d frames/s; answers: {len(answers)}\n"
    assert re.fullmatch(summary, told)


def test_how_many_frames_say_so_is_the_caller_s(run, frames) -> None:
    assert run("--frames", frames("77"))[1] == ""
    assert run("--frames", frames("77"), "--stable", 2)[1].startswith("7 ")


def test_frames_a_second_are_told_now_and_then(
    run, frames, loop: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    told = run("--frames", frames("79"))[2].splitlines()
    assert [re.sub(r"[\d.]+", "0", line) for line in told[:-1]] == ["0 frames/s"] * 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_it_ends_cleanly_when_it_is_told_to(frames, number: int) -> None:
    folder = frames("777")
    for place in range(3, 2_000):
        os.link(folder / "0002.png", folder / f"{place:04}.png")
    process = subprocess.Popen(
        [sys.executable, LOOP, "--frames", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("7 ")
    process.send_signal(number)
    rest, told = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "")
    assert re.fullmatch(r"\d+ frames in \d+\.\d s, .*; answers: 1\n", told)
    assert int(told.split()[0]) < 1_500


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--frames", "nowhere"], 2, "no pictures in nowhere"),
        (["--frames", ".", "--stable", "0"], 2, "--stable: expected 1 or more"),
        (
            ["--frames", str(PICTURES), "--model", "nowhere.onnx"],
            1,
            "error: nowhere.onnx: no such model file",
        ),
        ([], 1, "error: no picamera2 here: on a Raspberry Pi, apt install python3-picamera2"),
        (["--device", "/dev/video0"], 1, "error: no OpenCV here: pip install opencv-python-headless"),
    ],
    ids=["no-folder", "no-frames", "no-model", "no-camera", "no-opencv"],
)
def test_what_is_missing_is_told(
    run, arguments: list[str], status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("picamera2", "cv2"):
        monkeypatch.setitem(sys.modules, library, None)  # as if it were not installed
    found, printed, told = run(*arguments)
    assert (found, printed) == (status, "")
    assert said in told
