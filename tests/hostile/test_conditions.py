"""Every command under conditions that nobody tries by hand: it ends with a status and a line, whatever happens."""

import contextlib
import importlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import matplotlib
import numpy as np
import pytest

from edgedigits.cli import COMMANDS
from edgedigits.cli import main as edgedigits
from edgedigits.datasets.split import Split

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
CHECKOUT = Path(__file__).parents[2]
MODELS = CHECKOUT / "models"
SEVEN = CHECKOUT / "tests" / "golden" / "pictures" / "7-turned-by-exif.jpg"
AS_NOBODY = ("unshare", "--user", "--map-user=54321", "--map-group=54321", "--")
"""Who we are, under a number without a home and without an entry among the users; root is nobody special so."""
BRIEF = ("--min-seconds", "0", "--min-samples", "5", "--rounds", "1", "--cold-starts", "1", "--quiet")
SHORT = ("--arch", "6", "--epochs", "1", "--batch-size", "100", "--validation", "100", "--quiet")

NAMES = {
    "long": "n" * 300,
    "long path": "/".join(["n" * 200] * 30),
    "no text": os.fsdecode(b"\xff\xfe\x80"),
    "steers a terminal": "\x1b[2J\x1b]0;title\x07\r\u202e\x9b1m",
    "lines": "two\nlines\n\n",
    "markup": "[bold red]x[/] :smile: <b>",
    "quotes": "a'b\"c`d$(touch ran)%s{x}",
}
PLACES: dict[str, tuple[str, ...]] = {
    "predict": ("predict", "NAME"),
    "predict --model": ("predict", "--model", "NAME", str(SEVEN)),
    "read": ("read", "NAME"),
    "info": ("info", "NAME"),
    "info onnx": ("info", "NAME.onnx"),
    "info keras": ("info", "NAME.keras"),
    "info c": ("info", "NAME.c"),
    "verify": ("verify", "NAME.tflite"),
    "verify --reference": ("verify", str(MODELS / "digits.onnx"), "--reference", "NAME"),
    "verify --receipt": ("verify", "--receipt", "NAME"),
    "verify --data": ("verify", str(MODELS / "digits.onnx"), "--data", "NAME"),
    "diff": ("diff", "NAME.onnx", str(MODELS / "digits.onnx")),
    "diff manifests": ("diff", "NAME.json", str(MODELS / "manifest.json")),
    "diff --against": ("diff", "--against", "NAME", str(MODELS / "digits.onnx")),
    "diff --data": ("diff", str(MODELS / "digits.onnx"), str(MODELS / "digits.onnx"), "--data", "NAME"),
    "bench": ("bench", "NAME.ort"),
    "bench --models": ("bench", "--models", "NAME"),
    "data": ("data", "--data", "NAME"),
    "data word": ("data", "NAME"),
    "data --mirror": ("data", "--mirror", "NAME"),
    "train --data": ("train", "--data", "NAME"),
    "train --labels": ("train", "--labels", "NAME"),
    "train --name": ("train", "--name", "NAME/"),
    "train --arch": ("train", "--arch", "NAME"),
    "export --models": ("export", "--format", "onnx", "--models", "NAME"),
    "export --name": ("export", "--format", "onnx", "--name", "NAME/"),
    "report --models": ("report", "--no-bench", "--models", "NAME"),
    "demo --data": ("demo", "--data", "NAME"),
    "word": ("NAME",),
    "option": ("--NAME",),
}


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Command]:
    """Run a command as its process would, in a folder of its own; return its status and what it said."""
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(elsewhere))
    monkeypatch.setenv("KERAS_HOME", str(elsewhere))
    before = os.umask(0o22), *(signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP))

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["edgedigits", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            edgedigits()
        return int(ended.value.code or 0), *capfd.readouterr()

    yield run
    os.umask(before[0])
    for number, handler in zip((signal.SIGTERM, signal.SIGHUP), before[1:], strict=True):
        signal.signal(number, handler)


def assert_plain(text: str) -> None:
    """Nothing in it steers a terminal, and it is no traceback."""
    assert all(line.isprintable() for line in text.split("\n")), repr(text)
    assert "Traceback" not in text
    assert "a fault of edgedigits" not in text


def assert_refused(status: int, said: str) -> None:
    """Status 1 with one line, or 2 with the usage."""
    assert_plain(said)
    lines = said.splitlines()
    assert (status, len(lines)) == (1, 1) or (status == 2 and lines[0].startswith("Usage: ")), said


@pytest.mark.no_cover  # some hundred runs of commands, each of which has its tests
@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("place", PLACES)
def test_any_name_is_refused_in_a_line(
    place: str, kind: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--mirror" in place:
        monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)  # else there is nothing to download
    status, out, said = command(*(word.replace("NAME", NAMES[kind]) for word in PLACES[place]))
    assert_refused(status, said)
    assert_plain(out)
    assert not list(tmp_path.iterdir())


OPTIONS = [
    (name, option.opts[0])
    for name in COMMANDS
    for group in [importlib.import_module(f"edgedigits.cli.{name}").command]
    for option in group.params
    if isinstance(option.type, (click.types.IntRange, click.types.FloatRange, click.types.IntParamType))
]
REQUIRED = {
    "diff": (str(MODELS / "digits.onnx"), str(MODELS / "digits.onnx")),
    "export": ("--format", "onnx"),
    "predict": (str(SEVEN),),
    "read": (str(SEVEN),),
    "score": (str(SEVEN.parent), "--out", "out"),
    "verify": (str(MODELS / "digits.onnx"),),
}


@pytest.mark.parametrize("value", [str(10**20), "-" + "9" * 400, "nan", "inf", "1e999", "-1"])
@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=[" ".join(pair) for pair in OPTIONS])
def test_no_number_is_too_much(name: str, option: str, value: str, command: Command, tmp_path: Path) -> None:
    status, out, said = command(name, *REQUIRED.get(name, ()), option, value)
    assert status == 2
    assert_refused(status, said)
    assert len(said) < 1_500
    assert not out
    assert not list(tmp_path.iterdir())


def test_there_are_numbers_to_try() -> None:
    assert len(OPTIONS) >= 14


# --- What a shell, a service manager or a container may do to a process ---------------------------------------------


def process(*words: object, before: str = "", **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own, by a shell that first does something to it."""
    line = f'{before} exec "$@" {options.pop("redirected", "")}'
    return subprocess.run(
        [*options.pop("within", ()), "/bin/sh", "-c", line, "sh", sys.executable, str(RUN_CLI), "-", *map(str, words)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **options,
    )  # fmt: skip


needs_shell = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


@needs_shell
@pytest.mark.parametrize("redirected", [">&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_nothing_is_done_where_the_result_cannot_be_said(redirected: str, tmp_path: Path) -> None:
    done = process("predict", "--save-prepared", tmp_path / "seen", SEVEN, redirected=redirected)
    assert done.returncode == 1
    assert not list(tmp_path.iterdir())
    if "2>" not in redirected:
        assert done.stderr == "edgedigits: standard output is closed; let it go to a file, or to /dev/null\n"


@needs_shell
@pytest.mark.parametrize("redirected", ["<&-", "2>&-", "<&- 2>&-"])
def test_other_closed_streams_do_no_harm(redirected: str, tmp_path: Path) -> None:
    done = process("predict", "--save-prepared", tmp_path / "seen", SEVEN, redirected=redirected)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r".*7-turned-by-exif.jpg: 7  \d+.\d %\n", done.stdout)
    assert [path.read_bytes()[:4] for path in (tmp_path / "seen").glob("*.png")] == [b"\x89PNG"]


@needs_shell
@pytest.mark.parametrize("redirected", ["<&-", "</dev/null"])
def test_a_picture_that_does_not_come_is_told(redirected: str) -> None:
    done = process("predict", "-", redirected=redirected)
    assert_refused(done.returncode, done.stderr)


def as_nobody(*words: object, folder: Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command as a user who has neither home nor entry, and no more rights to his own files than anybody."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "EDGEDIGITS_DATA", "LANG"}}
    environment = {**kept, "TMPDIR": str(folder), **options.pop("env", {})}
    return process(*words, within=AS_NOBODY, cwd=folder, env=environment, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for somebody who is nobody; what he closes is opened again for whoever clears up."""
    try:
        subprocess.run([*AS_NOBODY, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the system lets nobody be somebody else")
    yield tmp_path
    for path in tmp_path.iterdir():
        if path.is_dir():
            path.chmod(0o700)


@needs_shell
@pytest.mark.parametrize(
    "words",
    [
        ("predict", SEVEN),
        ("info", MODELS / "digits.int8.onnx"),
        ("info", MODELS / "digits.c"),
        ("verify", MODELS / "digits.int8.onnx", "--quiet"),
        ("report", "--no-bench", "--models", MODELS, "--out", "page.html"),
    ],
    ids=lambda words: " ".join(Path(str(word)).name for word in words[:2]),
)
def test_nobody_needs_a_home(words: tuple[object, ...], folder: Path) -> None:
    done = as_nobody(*words, folder=folder)
    assert_plain(done.stdout)
    reference_is_of_other_images = "found answers to other images" in done.stderr
    assert done.returncode == 0 or reference_is_of_other_images, done.stderr
    assert {path.name for path in folder.iterdir()} <= {"page.html"}


@needs_shell
def test_a_download_without_a_home_says_what_to_set(folder: Path) -> None:
    done = as_nobody("data", "--mirror", "http://127.0.0.1:1", folder=folder, env={"EDGEDIGITS_DATA": ""})
    if "bundled" in done.stdout:
        pytest.skip("the bundled digits take the place of a download here")
    assert_refused(done.returncode, done.stderr)


CLOSED = {
    "predict": ("predict", "closed/seven.png"),
    "predict folder": ("predict", "closed"),
    "predict --model": ("predict", "--model", "closed/digits.onnx", SEVEN),
    "info": ("info", "closed/digits.int8.tflite"),
    "info keras": ("info", "closed/digits.keras"),
    "verify": ("verify", "closed/digits.onnx"),
    "verify --reference": ("verify", MODELS / "digits.onnx", "--reference", "closed/reference.npz"),
    "bench": ("bench", "closed/digits.onnx"),
    "bench --models": ("bench", "--models", "closed"),
    "data": ("data", "--data", "closed"),
    "data inside": ("data", "--data", "closed/mnist"),
    "report": ("report", "--no-bench", "--models", "closed"),
    "export": ("export", "--format", "onnx", "--models", "closed"),
    "train --labels": ("train", "--labels", "closed/labels", "--data", "closed"),
    "predict --save-prepared": ("predict", SEVEN, "--save-prepared", "closed/seen"),
    "read --boxes": ("read", SEVEN, "--boxes", "closed/seen.png"),
}


SELDOM = ("predict folder", "info", "verify --reference", "bench", "data", "data inside", "train --labels")
"""Like others of them; each takes a process."""


@needs_shell
@pytest.mark.parametrize(
    "place", [pytest.param(place, marks=pytest.mark.stress if place in SELDOM else ()) for place in CLOSED]
)
def test_a_folder_that_may_not_be_searched_is_told(place: str, folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir()
    closed.chmod(0)
    done = as_nobody(*CLOSED[place], folder=folder)
    assert_refused(done.returncode, done.stderr)
    assert {path.name for path in folder.iterdir()} == {"closed"}


@needs_shell
def test_a_umask_of_777_leaves_nothing_that_cannot_be_removed(folder: Path) -> None:
    done = as_nobody("predict", SEVEN, "--save-prepared", "seen", folder=folder, before="umask 777;")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in folder.rglob("*")] == ["seen", "7-turned-by-exif.png"]
    # Keras, which keeps things in the home of whoever has one.
    done = as_nobody("info", MODELS / "digits.keras", folder=folder, before="umask 777;")
    assert done.returncode == 0, done.stderr
    assert_plain(done.stdout)
    assert {path.name for path in folder.iterdir()} == {"seen"}


# --- Signals --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(
    bundled_digits: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory
) -> tuple[object, ...]:
    """A few digits that are not called so: a run on them is not refused where MNIST is not."""
    path = tmp_path_factory.mktemp("data") / "few.npz"
    train, test = bundled_digits
    np.savez(path, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
    return "--data", path, "--labels", "zero,one,two,three,four,five,six,seven,eight,nine"


@contextlib.contextmanager
def started(*words: object, **options: Any) -> "Iterator[subprocess.Popen[str]]":
    """A command in a process of its own that hears Ctrl-C, whatever a shell has made of it; it does not outlive us."""
    child = subprocess.Popen(
        [sys.executable, "-m", "edgedigits", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options,  # noqa: PLW1509 - no thread runs yet
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@needs_shell
@pytest.mark.parametrize(
    ("share", "number"),
    [
        pytest.param(share, number, id=f"{share}-{name}", marks=() if number in often else pytest.mark.stress)
        for share, often in {
            0.1: {signal.SIGTERM},
            0.3: set(),
            0.6: set(),
            0.9: {signal.SIGINT},
        }.items()
        for number, name in {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "terminated"}.items()
    ],
)
def test_a_stop_at_any_moment_is_a_line_and_leaves_nothing(
    share: float, number: int, small: tuple[object, ...], tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    seconds = 0.3 + 4 * share
    words = ("train", *SHORT, *small, "--epochs", "100000", "--out", tmp_path / "out")
    with started(*words, env={**os.environ, "TMPDIR": str(scratch)}) as child:
        time.sleep(seconds)
        child.send_signal(number)
        _, said = child.communicate(timeout=100)
    status = child.returncode
    assert_plain(said)
    assert status in (128 + number, -number), said
    assert len(said.splitlines()) <= 1
    if status == 128 + signal.SIGINT:
        assert said.startswith("edgedigits: interrupted")
    assert not list(scratch.iterdir())
    left = {path.name for path in (tmp_path / "out").glob("*")}
    assert left <= {"checkpoint.npz"}
    if number == signal.SIGINT and status > 0 and "go on with" in said:
        assert "--resume`" in said


@pytest.mark.parametrize("what", ["train, tflite, ort", "bench"])
def test_commands_leave_no_temporary_files_and_report_to_nobody(
    what: str, small: tuple[object, ...], tmp_path: Path
) -> None:
    # TensorFlow generates source there and compiles it; onnxruntime keeps a number for the device in the home.
    home, scratch, out = (tmp_path / name for name in ("home", "scratch", "out"))
    home.mkdir()
    scratch.mkdir()
    export = ("export", "--models", MODELS, "--out", out, "--format")
    words = {
        "train, tflite, ort": (
            *("train", *SHORT, *small, "--out", tmp_path / "trained"),
            *("&&", *export, "tflite"),
            *("&&", *export, "ort"),
        ),
        "bench": ("bench", MODELS / "digits.onnx", MODELS / "digits.tflite", *BRIEF),
    }[what]
    withheld = {"ORT_DISABLE_TELEMETRY", "PYTHONDONTWRITEBYTECODE", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in withheld}
    # matplotlib's list of fonts, which it would make anew in any home, for as long as the command itself takes.
    fonts = {"MPLCONFIGDIR": matplotlib.get_cachedir()}
    done = process(*words, env={**environment, **fonts, "HOME": str(home), "TMPDIR": str(scratch)})
    assert done.returncode == 0, done.stderr
    assert not list(scratch.iterdir())
    assert not [path for path in home.rglob("*") if "onnxruntime" in path.name]


@needs_shell
def test_a_run_that_has_finished_an_epoch_says_how_to_go_on(
    small: tuple[object, ...], tmp_path: Path
) -> None:
    out = tmp_path / "two words"
    with started("train", *SHORT, *small, "--epochs", "100000", "--out", out) as child:
        deadline = time.monotonic() + 100
        while not (out / "checkpoint.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=100)
    assert child.returncode == 130
    (line,) = said.splitlines()
    again = re.fullmatch(r"edgedigits: interrupted; go on with `edgedigits (train .*) --resume`", line)
    assert again
    assert shlex.split(again[1])[-2:] == ["--out", str(out)]


@needs_shell
def test_a_search_that_is_interrupted_keeps_what_it_has_and_says_how_to_go_on(
    small: tuple[object, ...], tmp_path: Path
) -> None:
    out = tmp_path / "two words"
    few = ("--flash", "3K", "--kind", "dense", "--candidates", "2", "--epochs", "100000")
    with started("fit", *few, "--validation", "100", *small, "--out", out) as child:
        deadline = time.monotonic() + 100
        while not list(out.glob("*checkpoint.npz")) and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=100)
    assert child.returncode == 130
    again = re.fullmatch(
        r"edgedigits: interrupted; what was found is kept; go on with `edgedigits (fit .*)`",
        said.splitlines()[-1],
    )
    assert again
    assert shlex.split(again[1])[-2:] == ["--out", str(out)]
    assert list(out.glob("*checkpoint.npz"))
    assert not list(out.glob(".staging-*"))


# --- What a command leaves that failed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--data", "nowhere", "--out", "out"),
        ("train", "--labels", "a,b", "--out", "out"),
        ("train", *SHORT, "--validation", "400000", "--out", "out"),
        ("fit", "--flash", "4K", "--data", "nowhere", "--out", "out"),
        ("fit", "--flash", "100", "--out", "out"),
        ("export", "--format", "onnx", "--models", "nowhere", "--out", "out"),
        ("export", "--format", "c", "--quantize", "float16", "--models", str(MODELS), "--out", "out"),
        ("export", "--format", "onnx", "--models", str(MODELS), "--name", "other", "--out", "out"),
        ("report", "--models", "nowhere", "--out", "out/page.html"),
        ("verify", "nowhere.onnx", "--sheet", "out"),
        ("bench", "nowhere.onnx", "--plot", "out/plot.png"),
        ("data", "--data", "nowhere", "show", "--out", "out/sheet.png"),
        ("predict", "nowhere.png", "--save-prepared", "out"),
        ("read", "nowhere.png", "--boxes", "out"),
        ("demo", "--data", "nowhere", "--out", "out"),
    ],
    ids=lambda words: " ".join(words[:3]).replace(str(CHECKOUT), ""),
)
def test_a_command_that_fails_leaves_nothing(
    words: tuple[str, ...], command: Command, tmp_path: Path
) -> None:
    status, _, said = command(*words)
    assert_refused(status, said.splitlines()[-1] if status == 1 else said)
    assert not list(tmp_path.iterdir())
