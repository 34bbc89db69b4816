"""A page as a model file: read back, run in wasmtime, damaged."""

import base64
import contextlib
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.errors import ContractError, EdgeDigitsError, ModelFileError
from edgedigits.model_files.base91 import ALPHABET, decode, encode
from edgedigits.model_files.page_file import read_page
from edgedigits.runtimes.opening import open_model
from edgedigits.training.drawn import draw_digits
from edgedigits_export.integers.reference_kernels import reference_probabilities


@given(st.binary(max_size=200))
def test_bytes_come_back(content: bytes) -> None:
    text = encode(content)
    assert set(text.encode()) <= set(ALPHABET)
    assert decode(text, len(content)) == content


@pytest.mark.parametrize(
    "text", ["!", '!"', "!<", "~~", "é!"], ids=["odd", "quote", "less", "beyond", "other"]
)
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"alphabet|cut off"):
        decode(text, 1)


def test_a_page_answers_as_the_reference_does(page: Path, made) -> None:
    model = open_model(page)
    images = draw_digits(300, np.random.default_rng(3))[0]
    answers = model.probabilities(images) * 256
    assert (answers == reference_probabilities(made.content, images)).all()
    assert (model.probabilities(images[7:8]) * 256 == answers[7]).all()
    assert model.runtime.startswith("wasmtime ")
    assert model.metadata == made.metadata()


def rewritten(page: Path, path: Path, change) -> Path:
    """Write a page whose script is another one."""
    html = page.read_text(encoding="utf-8")
    packed, length = re.search(r'const PACKED = "([!-~]*)";\nconst BYTES = (\d+);', html).groups()
    parts = json.loads(zlib.decompress(decode(packed, int(length)), -zlib.MAX_WBITS))
    parts["script"] = change(parts["script"])
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    content = compressor.compress(json.dumps(parts).encode()) + compressor.flush()
    new = html.replace(packed, encode(content)).replace(f"BYTES = {length};", f"BYTES = {len(content)};")
    path.write_text(new, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda script: script + '\nconst WASM = "";\n', ModelFileError, "with WASM once, found 2"),
        (
            lambda script: script.replace("const TABLES", "const OTHER"),
            ModelFileError,
            "TABLES once, found 0",
        ),
        (
            lambda script: script.replace('const WASM = "', 'const WASM = "!'),
            ModelFileError,
            "WASM once, found 0",
        ),
        (lambda script: script.replace('"min_margin":248', '"min_margin":1'), ContractError, "least lead"),
        (lambda script: script.replace('"precision":"int8"', '"precision":"float32"'), ContractError, "int8"),
        (lambda script: script.replace('"contract":1', '"contract":"'), ModelFileError, "metadata"),
        (
            lambda script: re.sub('const WASM = "[^"]*"', 'const WASM = "AwA="', script),
            ModelFileError,
            "does not run",
        ),
    ],
    ids=["two", "none", "letters", "lead", "precision", "json", "no-program"],
)
def test_another_page_is_refused(page: Path, tmp_path: Path, change, error: type, message: str) -> None:
    path = rewritten(page, tmp_path / "digits.html", change)
    assert path.read_bytes() != page.read_bytes()
    with pytest.raises(error, match=message):
        open_model(path)


@pytest.mark.parametrize(
    "content", [b"", b"<!doctype html>", b"\xff\xfe", b'const PACKED = "!!";\nconst BYTES = 9;']
)
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(content)
    with pytest.raises(ModelFileError):
        open_model(path)


def test_a_damaged_page_never_does_more_than_raise(page: Path, tmp_path: Path) -> None:
    content, generator = page.read_bytes(), np.random.default_rng(0)
    path = tmp_path / "digits.html"
    for _ in range(40):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), 3):
            damaged[place] = generator.integers(33, 127)
        path.write_bytes(damaged)
        with contextlib.suppress(EdgeDigitsError):
            read_page(path)


def test_a_program_without_end_is_stopped(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wasmtime

    from edgedigits.runtimes import page as runtime

    monkeypatch.setattr(runtime, "MOST_SECONDS", 0.3)
    endless = wasmtime.wat2wasm('(module (memory (export "memory") 1) (start $go) (func $go (loop (br 0))))')
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    text = base64.b64encode(compressor.compress(endless) + compressor.flush()).decode()
    path = rewritten(
        page,
        tmp_path / "digits.html",
        lambda script: re.sub('const WASM = "[^"]*"', f'const WASM = "{text}"', script),
    )
    with pytest.raises(ModelFileError, match="does not run"):
        open_model(path)
