import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.artifacts.receipts import check_receipt, new_receipt, read_receipt
from edgedigits.errors import ModelFileError, ModelNotFoundError

MODELS = Path(__file__).parents[2] / "models"
CHANGES = 1_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network with its manifest, some data, and the receipt of them all."""
    place = tmp_path / "models"
    place.mkdir()
    shutil.copy(MODELS / "tiny" / "tiny-2k.int8.onnx", place / "net.onnx")
    shutil.copy(MODELS / "tiny" / "manifest.json", place)
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    np.savez_compressed(place / "data.npz", x_test=images, y_test=np.arange(20) % 10)
    write(place)
    return place


def write(place: Path, **changes: object) -> Path:
    receipt = place / "receipt.json"
    choices: dict[str, object] = {
        "subjects": [place / "net.onnx", place / "manifest.json"],
        "inputs": [],
        "data": place / "data.npz",
        "results": {"accuracy": 99.15, "notes": ["ä", None, True], "none": {}},
    }
    receipt.write_bytes(new_receipt(receipt, "edgedigits verify", {"threads": 1}, **{**choices, **changes}))
    return receipt


def test_a_receipt_is_an_in_toto_statement(folder: Path) -> None:
    statement = json.loads((folder / "receipt.json").read_text())
    assert set(statement) == {"_type", "subject", "predicateType", "predicate"}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert [(one["name"], set(one["digest"])) for one in statement["subject"]] == [
        ("net.onnx", {"sha256"}), ("manifest.json", {"sha256"}),
    ]  # fmt: skip
    assert statement["predicate"]["options"] == {"threads": 1}
    assert statement["predicate"]["versions"]["edgedigits"]


def test_keys_that_are_numbers_sort_as_the_texts_that_they_become(folder: Path) -> None:
    receipt = write(folder, results=dict.fromkeys((1, 4, 16, 64, 256), 1.0))
    assert list(read_receipt(receipt)["predicate"]["results"]) == ["1", "16", "256", "4", "64"]


def test_what_is_unchanged_passes_also_in_another_place(folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "elsewhere")
    found = check_receipt(tmp_path / "elsewhere" / "receipt.json")
    assert found.failures == ()
    assert found.matching == ("net.onnx", "manifest.json", "data.npz")
    assert found.command == "edgedigits verify"


@pytest.mark.parametrize("name", ["net.onnx", "manifest.json", "data.npz", "receipt.json"])
def test_every_changed_byte_is_seen(folder: Path, name: str) -> None:
    path, generator = folder / name, np.random.default_rng(1)
    whole = path.read_bytes()
    missed = []
    for _ in range(CHANGES):
        place, change = int(generator.integers(len(whole))), int(generator.integers(1, 256))
        with path.open("r+b") as file:
            file.seek(place)
            file.write(bytes([whole[place] ^ change]))
        try:
            seen = bool(check_receipt(folder / "receipt.json").failures)
        except ModelFileError:
            seen = True
        if not seen:
            missed.append((place, change))
        with path.open("r+b") as file:
            file.seek(place)
            file.write(whole[place : place + 1])
    assert missed == []
    assert check_receipt(folder / "receipt.json").failures == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + " ",
        lambda text: text.replace("99.15", "99.150"),
        lambda text: text.replace("99.15", "99.16"),
        lambda text: text.replace('"threads": 1', '"threads": 1,\n "threads": 1'),
        lambda text: text.replace("  ", " "),
        lambda text: text.replace("\\u00e4", "ä"),
        lambda text: "",
        lambda text: "[" * 100_000,
        lambda text: "{}",
    ],
    ids=[
        "no end", "a blank", "a nought", "another figure", "twice", "blanks", "no escape", "empty", "deep", "none",
    ],
)  # fmt: skip
def test_another_form_of_the_same_is_another_receipt(folder: Path, change) -> None:
    path = folder / "receipt.json"
    path.write_bytes(change(path.read_text()).encode())
    with pytest.raises(
        ModelFileError, match=r"receipt\.json: (no whole receipt|not the receipt that was written)"
    ):
        read_receipt(path)


def test_files_that_are_gone_are_named(folder: Path) -> None:
    (folder / "net.onnx").unlink()
    (folder / "data.npz").unlink()
    found = check_receipt(folder / "receipt.json")
    assert found.matching == ("manifest.json",)
    assert [line.rpartition(": ")[2] for line in found.failures] == ["is not there"] * 2


def test_data_may_lie_elsewhere(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.npz"
    (folder / "data.npz").rename(moved)
    assert check_receipt(folder / "receipt.json", moved).failures == ()
    (line,) = check_receipt(folder / "receipt.json", folder / "net.onnx").failures
    assert "is not what the receipt is about: expected sha256 " in line


def test_a_folder_is_all_that_lies_in_it(folder: Path) -> None:
    images = folder / "images"
    for digit in "01":
        (images / digit).mkdir(parents=True)
        (images / digit / "a.png").write_bytes(digit.encode())
    (images / ".cache").mkdir()
    # The receipt may lie in a folder that it is about.
    receipt = write(folder, subjects=[folder], data=images)
    assert check_receipt(receipt).failures == ()
    (images / ".cache" / "x").write_bytes(b"hidden")
    assert check_receipt(receipt).failures == ()
    (images / "1" / "b.png").write_bytes(b"more")
    assert len(check_receipt(receipt).failures) == 2
    (images / "1" / "b.png").unlink()
    (images / "1" / "a.png").rename(images / "1" / "c.png")
    assert len(check_receipt(receipt).failures) == 2


def test_a_folder_s_hash_is_that_of_go(tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "sub").mkdir()
    for name, content in {"b": b"1", "sub/a": b"2", "a": b"3"}.items():
        (tmp_path / name).write_bytes(content)
    # golang.org/x/mod/sumdb/dirhash, Hash1: sha256 of `sha256sum`'s lines in the order of their names.
    lines = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in (("a", b"3"), ("b", b"1"), ("sub/a", b"2"))
    )
    statement = read_receipt(write_of(tmp_path))
    assert statement["subject"][0]["digest"] == {"dirHash1": hashlib.sha256(lines.encode()).hexdigest()}


def write_of(subject: Path) -> Path:
    place = subject.parent / "of.json"
    place.write_bytes(
        new_receipt(place, "edgedigits score", {}, subjects=[subject], inputs=[], data=None, results={})
    )
    return place


def test_a_receipt_is_about_something(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none"):
        new_receipt(
            tmp_path / "r.json", "edgedigits bench", {}, subjects=[], inputs=[], data=None, results={}
        )


def test_what_is_no_file_is_not_waited_for(folder: Path) -> None:
    (folder / "net.onnx").unlink()
    os.mkfifo(folder / "net.onnx")
    (line,) = check_receipt(folder / "receipt.json").failures
    assert "cannot be read (a pipe or a device, no file)" in line
    with pytest.raises(ModelNotFoundError, match="name a receipt that a command wrote"):
        read_receipt(folder / "none.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_any_results_come_back(results: object) -> None:
    place = MODELS / "receipt.json"  # not written
    content = new_receipt(
        place,
        "edgedigits bench",
        {},
        subjects=[MODELS / "classes.csv"],
        inputs=[],
        data=None,
        results=results,
    )
    found = json.loads(content)
    assert found["predicate"]["results"] == results
    again = new_receipt(
        place,
        "edgedigits bench",
        {},
        subjects=[MODELS / "classes.csv"],
        inputs=[],
        data=None,
        results=results,
    )
    assert again == content
