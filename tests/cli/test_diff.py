import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edgedigits.cli import cli
from edgedigits.datasets import mnist, places
from edgedigits.datasets.split import Split

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
MODELS = Path(__file__).parents[2] / "models"
TINY = MODELS / "tiny"
OLD, ALIKE, WORSE = TINY / "tiny-16k.int8.onnx", TINY / "tiny-16k.int8.tflite", TINY / "tiny-2k.int8.onnx"


@pytest.fixture(autouse=True)
def data(dataset: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled digits stand in where MNIST is not there."""
    if places.find() is None:
        splits = dict(zip(("train", "test"), dataset, strict=True))
        monkeypatch.setattr(
            mnist, "find_or_download", lambda *_, **__: mnist.Source(Path("bundled"), "bundled")
        )
        monkeypatch.setattr(mnist, "read_split", lambda _, part: splits[part])


def diff(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["diff", "--quiet", "--no-latency", *map(str, words)])


def test_models_that_are_alike_are_tied_and_fit_the_terminal(
    dataset: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(TINY)
    result = CliRunner().invoke(cli, ["diff", OLD.name, ALIKE.name, "--max-loss", "1", "-q"])
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    text = " ".join(result.stdout.split())
    assert f"{dataset[1].dataset}, {len(dataset[1].images):,} test images" in text
    assert re.search(
        r"tied \(p = [\d.]+, exact McNemar\); had it been \d\.\d\d points or more, four of five", text
    )
    assert re.search(
        r"gate: pass: at 95 % confidence no more than \d\.\d\d points are lost, allowed are 1 points", text
    )
    rows = {line.split("  ")[0].strip() for line in lines}
    assert {"accuracy", "95 % interval", "calibration error", "bytes", "latency, p50"} <= rows


@pytest.mark.mnist
@pytest.mark.usefixtures("mnist_source")
def test_a_model_that_is_worse_fails_and_says_in_which_classes() -> None:
    result = diff(OLD, WORSE, "--max-loss", "0.2")
    assert result.exit_code == 1
    assert "worse by 0.49 points (p = " in result.stdout
    assert "class 7: -" in result.stdout
    (line,) = result.stderr.splitlines()
    assert line == (f"edgedigits: {OLD} -> {WORSE}: FAIL: at 95 % confidence more than 0.2 points are lost")
    # The same without a gate is a finding, and no failure; and the other way round it is a gain.
    assert diff(OLD, WORSE).exit_code == 0
    back = diff(WORSE, OLD, "--max-loss", "0", "--strict")
    assert back.exit_code == 0
    assert "better by 0.49 points" in back.stdout


@pytest.mark.mnist
@pytest.mark.usefixtures("mnist_source")
def test_strict_fails_what_the_images_cannot_tell() -> None:
    near = TINY / "tiny-8k.int8.onnx"
    assert diff(OLD, near, "--max-loss", "0.1").exit_code == 0
    strict = diff(OLD, near, "--max-loss", "0.1", "--strict")
    assert strict.exit_code == 1
    assert "FAIL, unproven: up to" in strict.stderr


def test_json_holds_all_that_is_printed() -> None:
    result = diff(OLD, WORSE, "--json", "--max-loss", "0.2")
    (found,) = json.loads(result.stdout)
    assert (found["old"]["file"], found["new"]["file"]) == (str(OLD), str(WORSE))
    assert len(found["fixed"]) == found["difference"]["fixed"]
    assert len(found["broken"]) == found["difference"]["broken"]
    assert set(found["fixed"]) | set(found["broken"]) <= set(found["changed"])
    assert found["verdict"] in ("tied", "worse")
    assert found["judgement"]["max_loss"] == 0.2
    assert found["passed"] is (result.exit_code == 0)
    assert found["latency"] is None


def test_the_files_that_are_asked_for_are_written(tmp_path: Path) -> None:
    places_ = {kind: tmp_path / "out" / f"diff.{kind}" for kind in ("md", "xml", "png")}
    result = diff(
        OLD, WORSE, "--max-loss", "0",
        "--markdown", places_["md"], "--junit", places_["xml"], "--sheet", places_["png"],
    )  # fmt: skip
    text = places_["md"].read_text()
    assert text.startswith(f"### {OLD} -&gt; {WORSE}: {'passed' if result.exit_code == 0 else 'FAILED'}\n")
    assert "| accuracy | " in text
    assert text.count("<details>") == text.count("</details>") == 1
    suite = ET.parse(places_["xml"]).getroot().find("testsuite")  # noqa: S314 - ours
    assert suite is not None
    (case,) = suite.findall("testcase")
    assert suite.get("failures") == str(result.exit_code)
    assert (case.find("failure") is not None) is (result.exit_code == 1)
    assert case.get("name") == f"{OLD} -> {WORSE}"
    with Image.open(places_["png"]) as sheet:
        assert sheet.format == "PNG"
        assert sheet.height > 100
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["diff.md", "diff.png", "diff.xml"]


def test_manifests_are_compared_by_what_they_say() -> None:
    place = TINY / "manifest.json"
    result = diff(place, place, "--max-loss", "0.5", "--strict")
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(len(line.rstrip()) for line in result.stdout.splitlines() if "/" not in line) <= 80
    assert "Manifests know how many images a file reads right, and not which" in " ".join(
        result.stdout.split()
    )
    (found,) = json.loads(diff(place, place, "--json").stdout)
    assert {change["verdict"] for change in found["changes"]} == {"tied"}
    assert diff(place, place, "--max-loss", "0.1", "--strict").exit_code == 1


@pytest.mark.skipif(shutil.which("git") is None, reason="Git is not installed")
def test_files_are_compared_with_a_revision(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True
        )

    shutil.copy(OLD, tmp_path / "net.int8.onnx")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "old")
    shutil.copy(WORSE, tmp_path / "net.int8.onnx")
    shutil.copy(WORSE, tmp_path / "another.int8.onnx")
    result = CliRunner().invoke(
        cli, ["diff", "--no-latency", "--against", "HEAD", *map(str, tmp_path.glob("*.onnx")), "--json"]
    )
    assert result.exit_code == 0, result.stderr
    assert f"{tmp_path / 'another.int8.onnx'}: HEAD has no such file" in " ".join(result.stderr.split())
    (found,) = json.loads(result.stdout)
    assert found["old"]["file"] == f"HEAD:{tmp_path / 'net.int8.onnx'}"
    assert (found["old"]["bytes"], found["new"]["bytes"]) == (OLD.stat().st_size, WORSE.stat().st_size)
    new = diff(
        "--against",
        "HEAD",
        tmp_path / "another.int8.onnx",
        "--markdown",
        tmp_path / "a.md",
        "--max-loss",
        "0",
    )
    assert (new.exit_code, new.stdout) == (0, "")
    assert (tmp_path / "a.md").read_text() == "Nothing to compare: every file is new."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "expected two files, OLD and NEW, got 0; or name --against REVISION"),
        ((OLD,), "expected two files, OLD and NEW, got 1"),
        ((OLD, ALIKE, WORSE), "expected two files, OLD and NEW, got 3"),
        ((OLD, TINY / "manifest.json"), "expected two model files or two manifest.json, got one of each"),
        ((OLD, WORSE, "--strict"), "--strict belongs to --max-loss"),
        (("--against", "HEAD"), "expected files to compare with --against, got none"),
        (("--against", "HEAD", OLD, WORSE, "--sheet", "a.png"), "--sheet is of one pair"),
        ((TINY / "manifest.json", MODELS / "manifest.json", "--sheet", "a.png"), "--sheet shows images"),
    ],
    ids=["nothing", "one", "three", "mixed", "strict", "no files", "two sheets", "sheet of manifests"],
)
def test_wrong_usage_is_exit_status_2(words: tuple[str | Path, ...], message: str) -> None:
    result = diff(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


def test_a_missing_extra_is_one_line_with_the_install() -> None:
    done = subprocess.run(
        [sys.executable, RUN_CLI, "psutil", "diff", OLD, WORSE, "--quiet"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "edgedigits: comparing needs an extra that is not installed: pip install 'edgedigits[bench]'\n"
    )


def test_a_file_that_cannot_be_opened_is_exit_status_1(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    for name in ("broken.onnx", "missing.onnx"):
        result = diff(OLD, tmp_path / name, "--markdown", tmp_path / "diff.md")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"edgedigits: {tmp_path / name}: ")
    assert not (tmp_path / "diff.md").exists()


def test_a_place_that_cannot_be_written_is_found_before_anything_is_measured(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    result = diff(OLD, WORSE, "--junit", tmp_path / "pipe")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is a pipe and would be replaced; name a file" in result.stderr
    assert time.monotonic() - started < 60  # it was not waited for


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc for the moment")
def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path) -> None:
    words = ["diff", str(OLD), str(WORSE), "--markdown", str(tmp_path / "diff.md")]
    process = subprocess.Popen([sys.executable, str(RUN_CLI), "-", *words], stderr=subprocess.PIPE, text=True)
    maps = Path(f"/proc/{process.pid}/maps")
    while process.poll() is None and "onnxruntime" not in maps.read_text():
        time.sleep(0.01)
    time.sleep(1)  # until it is imported; from then on both models are asked for a second each, at the least
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted; nothing is left half-written" in said
    assert not list(tmp_path.iterdir())
