"""``examples/fastapi``: the service as its Dockerfile starts it, asked over HTTP by good and by bad callers."""

import contextlib
import http.client
import io
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgedigits import DigitPredictor, ImageError, __version__
from edgedigits.picture.limits import MAX_PIXELS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "fastapi"
PICTURES = sorted((ROOT / "tests" / "golden" / "pictures").iterdir())
DOCKERFILE = (EXAMPLE / "Dockerfile").read_text(encoding="utf-8")
MOST_BYTES = 200_000


def words_of(instruction: str) -> list[str]:
    """The words of the one line of the Dockerfile that begins so."""
    (words,) = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    return json.loads(words)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the service listens, on this machine only."""
    program, *arguments = words_of("CMD")
    for option, value in (("--host", "127.0.0.1"), ("--port", "0")):
        arguments[arguments.index(option) + 1] = value
    command = [Path(sysconfig.get_path("scripts"), program), *arguments]
    environment = {**os.environ, "MOST_BYTES": str(MOST_BYTES)}
    server = subprocess.Popen(command, cwd=EXAMPLE, env=environment, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                yield int(found[1])
                break
        else:
            pytest.fail("".join(said))
    finally:
        server.terminate()
        server.wait(10)
        server.stderr.close()


def ask(
    port: int, path: str, body: bytes | None = None, method: str = "POST", **headers: str
) -> tuple[int, Any]:
    """Return the status and the JSON of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def test_pictures_that_come_at_once_are_each_read_as_the_library_reads_them(port: int) -> None:
    predictor = DigitPredictor()
    bodies = [picture.read_bytes() for picture in PICTURES] * 3
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda body: ask(port, "/predict", body), bodies))
    for body, (status, answer) in zip(bodies, answers, strict=True):
        found = predictor.predict(body)
        assert status == 200
        assert (answer["digit"], answer["sure"]) == (found.digit, found.sure)
        assert answer["probabilities"] == list(found.probabilities)
        assert answer["margin"] == found.margin


def test_numbers_are_read_with_their_places(port: int, number: Any, tmp_path: Path) -> None:
    number("3052").save(tmp_path / "number.png")
    body = (tmp_path / "number.png").read_bytes()
    found = DigitPredictor().read(body)
    assert found.text == "3052"
    status, answer = ask(port, "/read", body)
    assert (status, answer["text"], answer["sure"]) == (200, "3052", found.sure)
    (line,) = answer["lines"]
    assert line["box"] == list(found.lines[0].box)
    assert ask(port, "/read?pattern=d.ddd", body)[1]["text"] == "3.052"
    assert ask(port, "/read?digits=40", body) == (200, {"text": "", "sure": False, "lines": []})


def bomb() -> bytes:
    """A small PNG that says to have more pixels than are decoded."""
    file = io.BytesIO()
    Image.new("1", (MAX_PIXELS // 5_000 + 1, 5_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "body",
    [b"", b"no picture", PICTURES[0].read_bytes()[:200], bomb()],
    ids=["empty", "text", "cut-off", "too-many-pixels"],
)
def test_what_cannot_be_read_is_refused_in_the_words_of_the_library(port: int, body: bytes) -> None:
    assert len(body) < MOST_BYTES
    with pytest.raises(ImageError) as error:
        DigitPredictor().predict(body)
    for route in ("/predict", "/read"):
        assert ask(port, route, body) == (422, {"detail": str(error.value)})


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 20_000_000], ids=["by-a-byte", "by-far"])
@pytest.mark.parametrize("headers", [{}, {"transfer_encoding": "chunked"}], ids=["length", "chunked"])
def test_a_picture_of_too_many_bytes_is_refused(port: int, size: int, headers: dict[str, str]) -> None:
    body: Any = np.zeros(size, np.uint8).tobytes()
    if headers:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
    status, answer = ask(port, "/predict", body, **headers)
    assert status == 413
    assert "at most 200,000 bytes" in answer["detail"]
    assert ask(port, "/predict", PICTURES[0].read_bytes())[0] == 200


def test_other_mistakes_of_callers_have_their_own_answers(port: int) -> None:
    body = PICTURES[0].read_bytes()
    form = ask(port, "/predict", body, content_type="multipart/form-data; boundary=b")
    assert form[0] == 415
    assert "--data-binary" in form[1]["detail"]
    assert ask(port, "/read?pattern=dxd", body)[0] == 422
    assert ask(port, "/read?digits=two", body)[0] == 422
    assert ask(port, "/predict", None, "GET")[0] == 405
    assert ask(port, "/nowhere", body)[0] == 404


def test_more_callers_than_it_has_memory_for_are_sent_away(port: int) -> None:
    words = words_of("CMD")
    most = int(words[words.index("--limit-concurrency") + 1])
    with contextlib.ExitStack() as callers:
        for _ in range(most):
            callers.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert status_of(port) == 503
    deadline = time.monotonic() + 10
    while (status := status_of(port)) == 503 and time.monotonic() < deadline:
        time.sleep(0.05)  # until it has seen that they are gone
    assert status == 200


def status_of(port: int) -> int:
    """Return the status of the answer to a good picture; the answer is no JSON where nobody looked at the picture."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/predict", PICTURES[0].read_bytes())
        return connection.getresponse().status
    finally:
        connection.close()


def test_it_says_that_it_is_well_and_what_it_takes(port: int) -> None:
    weights = DigitPredictor().metadata.weights_sha256
    assert ask(port, "/healthz", None, "GET") == (
        200,
        {"status": "ok", "edgedigits": __version__, "network": weights},
    )
    routes = ask(port, "/openapi.json", None, "GET")[1]["paths"]
    assert set(routes) == {"/predict", "/read", "/healthz"}
    assert "application/octet-stream" in routes["/predict"]["post"]["requestBody"]["content"]


def test_the_container_looks_whether_it_is_well(port: int) -> None:
    words = [word.replace(":8000", f":{port}") for word in words_of("HEALTHCHECK CMD")]
    assert subprocess.run([sys.executable, *words[1:]], capture_output=True).returncode == 0
    nobody = [word.replace(f":{port}", ":9") for word in words]
    assert subprocess.run([sys.executable, *nobody[1:]], capture_output=True).returncode == 1


def test_the_container_holds_what_it_needs_and_runs_as_nobody() -> None:
    (wheel, _), (service, _) = re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.MULTILINE)
    assert wheel == "dist/edgedigits-*.whl"  # of `make wheel`
    assert ROOT / service == EXAMPLE / "service.py"
    ignored = (EXAMPLE / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()[1:]
    assert ignored == ["*", f"!{wheel}", f"!{service}"]
    (user,) = re.findall(r"^USER (\d+)", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0


def test_the_page_about_applications_shows_what_it_answers(port: int, number: Any, tmp_path: Path) -> None:
    number("3052").save(tmp_path / "amount.png")
    (tmp_path / "photo.jpg").write_bytes((ROOT / "tests/golden/pictures/7-turned-by-exif.jpg").read_bytes())
    page = (ROOT / "docs" / "application.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```console\n(\$ curl.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown = re.findall(r"^\$ curl -s --data-binary (.*)\n(.*)\n", block, re.MULTILINE)
    assert len(shown) == 3
    for words, expected in shown:
        body, address, *jq = shlex.split(words)
        content = (tmp_path / body[1:]).read_bytes() if body.startswith("@") else body.encode()
        answer = ask(port, address.removeprefix("http://127.0.0.1:8000"), content)[1]
        if jq:  # '| jq -c {digit, sure}'
            answer = {name: answer[name] for name in re.findall(r"\w+", jq[-1])}
        assert json.dumps(answer, separators=(",", ":")) == expected
