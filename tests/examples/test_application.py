"""``docs/application.md``: its programs are run as they stand there; and figures of ``docs/microcontrollers.md``."""

import base64
import http.client
import importlib.util
import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgedigits import DigitPredictor
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.shipped import TINY

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "tests" / "golden" / "pictures"
PHOTO = PICTURES / "7-turned-by-exif.jpg"
PAGE = (ROOT / "docs" / "application.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
SCANS = [picture for picture in sorted(PICTURES.iterdir()) if picture.suffix == ".png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader of the page is: the programs lie there, and the pictures that they name."""
    for name, content in PROGRAMS.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    (tmp_path / "scans").mkdir()
    for picture in SCANS:
        shutil.copy(picture, tmp_path / "scans")
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """What runs a program of the page in this process; it returns what it printed."""
    monkeypatch.chdir(folder)

    def run(program: str) -> str:
        runpy.run_path(program, run_name="__main__")
        printed, told = capsys.readouterr()
        assert told == ""
        return printed

    return run


def test_all_python_on_the_page_is_a_program_that_is_run_here() -> None:
    assert set(PROGRAMS) == {"one.py", "in_threads.py", "in_processes.py", "app.py", "handler.py"}
    assert len(PROGRAMS) == PAGE.count("```python")


def test_a_picture_is_read_and_another_refused(run, folder: Path) -> None:
    assert run("one.py") == "7 sure\n"
    (folder / "photo.jpg").write_bytes(b"")
    assert run("one.py") == "photo.jpg: cannot be read: the file is empty; save the picture again\n"


READ = "".join(f"{picture.name} {picture.name[0]}\n" for picture in SCANS)


def test_threads_read_all_pictures_in_their_order(run) -> None:
    assert run("in_threads.py") == READ


def test_processes_read_all_pictures_in_their_order(folder: Path) -> None:
    # A process of its own: those that it starts import it again.
    done = subprocess.run(
        [sys.executable, "in_processes.py"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, READ, "")


@pytest.fixture
def flask(folder: Path) -> Iterator[http.client.HTTPConnection]:
    """A connection to the Flask service."""
    command = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", "0"]
    server = subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert server.stderr is not None
    try:
        said = ""
        while (found := re.search(r"Running on http://127\.0\.0\.1:(\d+)", said)) is None:
            line = server.stderr.readline()
            assert line, said
            said += line
        yield http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
    finally:
        server.terminate()
        server.communicate(timeout=10)


def test_the_flask_service_answers_refuses_and_has_a_limit(flask: http.client.HTTPConnection) -> None:
    def ask(body: bytes) -> tuple[int, bytes]:
        flask.request("POST", "/predict", body)
        answer = flask.getresponse()
        return answer.status, answer.read()

    found = DigitPredictor().predict(PHOTO)
    status, answer = ask(PHOTO.read_bytes())
    assert status == 200
    assert json.loads(answer) == {"digit": 7, "confidence": found.confidence, "sure": True}
    status, answer = ask(b"no picture")
    assert status == 422
    assert "not a PNG" in json.loads(answer)["detail"]
    assert ask(bytes(10_000_001))[0] == 413


@pytest.fixture
def handler(folder: Path) -> Any:
    """The function that Lambda calls."""
    spec = importlib.util.spec_from_file_location("handler", folder / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


def test_the_handler_of_lambda_answers_an_event_with_a_picture(handler: Any) -> None:
    event = {"version": "2.0", "isBase64Encoded": True, "body": base64.b64encode(PHOTO.read_bytes()).decode()}
    answer = handler(json.loads(json.dumps(event)), None)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["digit"] == 7
    assert json.dumps(answer)


@pytest.mark.parametrize(
    "event",
    [{}, {"body": "no picture", "isBase64Encoded": False}],
    ids=["no-body", "text"],
)
def test_the_handler_refuses_what_is_no_picture(handler: Any, event: dict[str, Any]) -> None:
    answer = handler(event, None)
    assert answer["statusCode"] == 422
    assert "cannot be read" in json.loads(answer["body"])["detail"]


@pytest.mark.parametrize("page", ["application.md", "microcontrollers.md"])
def test_what_the_pages_link_to_in_the_repository_is_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = re.findall(r"edgedigits/(?:blob|tree)/main/([^)#]+)", text)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("network", TINY)
def test_the_page_about_chips_has_the_figures_of_the_manifest(network: str) -> None:
    page = (ROOT / "docs" / "microcontrollers.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{network}` \|.*$", page, re.MULTILINE)
    file = read_manifest(ROOT / "models" / "tiny")["networks"][network]["files"][f"{network}.c"]
    (firmware,) = [
        found
        for found in file["firmware"]
        if (found["cpu"], found["optimization"], found["entry"]) == ("cortex-m0", "-Os", "edgedigits_predict")
    ]
    accuracy = f"{file['verification']['correct'] / 100:.2f} %"
    figures = [f"{firmware[name]:,}" for name in ("flash", "ram", "instructions")]
    assert [cell.strip() for cell in row.split("|")[2:6]] == [*figures, accuracy]
