"""A page as a model file: read back, run in wasmtime, damaged."""

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.errors import ContractError, EdgeDigitsError, ModelFileError
from edgedigits.model_files.page_file import read_page
from edgedigits.model_files.page_pack import ALPHABET, decode, encode, pack, unpack
from edgedigits.runtimes.opening import open_model
from edgedigits.training.drawn import draw_digits
from edgedigits_export import page as page_room
from edgedigits_export.integers.reference_kernels import reference_probabilities

WASM_PAGE = 1 << 16


@given(st.binary(max_size=200))
def test_bytes_come_back(content: bytes) -> None:
    text = encode(content)
    assert set(text.encode()) <= set(ALPHABET)
    assert decode(text)[: len(content)] == content
    assert unpack(pack(content), len(content)) == content


@pytest.mark.parametrize(
    "text", ["!", '!"', "!<", "~~", "é!"], ids=["odd", "quote", "less", "beyond", "other"]
)
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"alphabet|13 bits"):
        decode(text)


@pytest.mark.parametrize(
    ("text", "length"), [(pack(b"123"), 4), (pack(b"123")[:6], 3), (encode(b"\xff" * 99), 50)]
)
def test_what_unpacks_to_something_else_is_refused(text: str, length: int) -> None:
    with pytest.raises(ValueError, match=r"damaged|cut off"):
        unpack(text, length)


@pytest.fixture(scope="module")
def unpack_in_wasm():
    """``unpack.wasm``, called as ``start.js`` does."""
    import wasmtime

    engine = wasmtime.Engine()
    module = wasmtime.Module.from_file(engine, str(Path(page_room.__file__).parent / "unpack.wasm"))

    def unpacked(text: str, length: int) -> bytes:
        store = wasmtime.Store(engine)
        exports = wasmtime.Instance(store, module, []).exports(store)
        memory = exports["memory"]
        begin = memory.data_len(store)
        place = begin + len(text)
        memory.grow(store, -(-(len(text) + length) // WASM_PAGE))
        memory.write(store, text.encode(), begin)
        exports["unpack"](store, begin, place, place + length)
        return bytes(memory.read(store, place, place + length))

    return unpacked


CONTENTS = st.one_of(
    st.binary(max_size=3000),
    # What repeats itself: from near and from far, at all four last distances.
    st.tuples(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6), st.randoms()).map(
        lambda given: b"".join(given[1].choices(given[0], k=400))
    ),
    st.builds(lambda piece, count: piece * count, st.binary(min_size=1, max_size=5), st.integers(1, 5000)),
)


@given(content=CONTENTS)
def test_the_browser_unpacks_what_was_packed(unpack_in_wasm, content: bytes) -> None:
    assert unpack_in_wasm(pack(content), len(content)) == content


def test_the_browser_unpacks_what_is_large(unpack_in_wasm) -> None:
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, 300_000, np.uint8).tobytes()
    content = noise + bytes(5000) + noise + generator.geometric(0.3, 300_000).astype(np.uint8).tobytes()
    assert unpack_in_wasm(pack(content), len(content)) == content


def test_a_page_answers_as_the_reference_does(page: Path, made) -> None:
    model = open_model(page)
    images = draw_digits(300, np.random.default_rng(3))[0]
    answers = model.probabilities(images) * 256
    assert (answers == reference_probabilities(made.content, images)).all()
    assert (model.probabilities(images[7:8]) * 256 == answers[7]).all()
    assert model.runtime.startswith("wasmtime ")
    assert model.metadata == made.metadata()


PACKED = re.compile(r'PACKED="([!-~]*)",SIZES=(\[[0-9,]*\])')
SAID, WASM = 4, 6


def rewritten(page: Path, path: Path, part: int, change) -> Path:
    """Write a page of which one part is another."""
    html = page.read_text(encoding="utf-8")
    packed, sizes = PACKED.search(html).groups()
    content, parts = unpack(packed, sum(json.loads(sizes))), []
    for size in json.loads(sizes):
        parts, content = [*parts, content[:size]], content[size:]
    parts[part] = change(parts[part])
    written = ",".join(str(len(each)) for each in parts)
    new = html.replace(packed, pack(b"".join(parts))).replace(f"SIZES={sizes}", f"SIZES=[{written}]")
    path.write_text(new, encoding="utf-8", newline="\n")
    return path


def other(old: bytes, new: bytes):
    return lambda content: content.replace(old, new)


@pytest.mark.parametrize(
    ("part", "change", "error", "message"),
    [
        (SAID, other(b'"min_margin":248', b'"min_margin":1'), ContractError, "least lead"),
        (SAID, other(b'"precision":"int8"', b'"precision":"float32"'), ContractError, "int8"),
        (SAID, other(b'"contract":1', b'"contract":"'), ModelFileError, "metadata"),
        (SAID, lambda _: b"\xff", ModelFileError, "metadata"),
        (WASM, lambda _: b"\3\2", ModelFileError, "does not run"),
        (WASM, lambda _: bytes(2 << 20), ModelFileError, "more than"),
    ],
    ids=["lead", "precision", "json", "letters", "no-program", "large"],
)
def test_another_page_is_refused(
    page: Path, tmp_path: Path, part: int, change, error: type, message: str
) -> None:
    path = rewritten(page, tmp_path / "digits.html", part, change)
    assert path.read_bytes() != page.read_bytes()
    with pytest.raises(error, match=message):
        open_model(path)


def test_a_page_with_two_networks_is_refused(page: Path, tmp_path: Path) -> None:
    html = page.read_text(encoding="utf-8")
    path = tmp_path / "digits.html"
    path.write_text(html + PACKED.search(html)[0] + ";", encoding="utf-8", newline="\n")
    with pytest.raises(ModelFileError, match="once, found 2"):
        open_model(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html>",
        b"\xff\xfe",
        b'PACKED="!!",SIZES=[1,1,1,1,1,1,1];',
        b'PACKED="!!",SIZES=[999999999,1,1,1,1,1,1];',
    ],
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
    path = rewritten(page, tmp_path / "digits.html", WASM, lambda _: bytes(endless))
    with pytest.raises(ModelFileError, match="does not run"):
        open_model(path)
