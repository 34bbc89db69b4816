import dataclasses
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgedigits.contract import LABELS, LARGEST_MODEL
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.metadata import CalibrationReceipt, MeasuredAccuracy, ModelMetadata
from edgedigits.model_files.c_source import (
    metadata_comment,
    read_metadata,
    read_model_array,
    read_source,
    read_widths,
)

PATH = Path("digits.c")
METADATA = ModelMetadata(
    "128-32",
    "int8",
    "0" * 64,
    {"edgedigits": "1.0"},
    MeasuredAccuracy("MNIST", 9_942, 10_000),
    CalibrationReceipt(1_000, 0, "f" * 64),
)
HOSTILE = ("*/", "/*", "??/", "\\", '"', "// x", "*", "ü", "}", " * Metadata (JSON):")
printable = st.text(min_size=1, max_size=40).filter(str.isprintable)


def comment(metadata: ModelMetadata) -> str:
    lines = "".join(f" * {line}\n" for line in metadata_comment(metadata))
    return f"/*\n * digits.c - a network\n *\n{lines} */\nint main(void);\n"


@given(st.lists(printable, min_size=10, max_size=10, unique=True))
def test_metadata_survive_a_comment_whatever_the_classes_are_called(labels: list[str]) -> None:
    assume(sorted(labels) != list(LABELS))  # digits have their own order
    metadata = dataclasses.replace(METADATA, labels=tuple(labels))
    source = comment(metadata)
    assert read_metadata(PATH, source) == metadata
    assert (source.count("/*"), source.count("*/")) == (1, 1)
    assert source.isascii()


def test_hostile_class_names_neither_end_the_comment_nor_begin_another() -> None:
    metadata = dataclasses.replace(METADATA, labels=HOSTILE)
    source = comment(metadata)
    assert (source.count("/*"), source.count("*/")) == (1, 1)
    assert read_metadata(PATH, source) == metadata


def test_a_file_that_says_nothing_of_itself_is_refused() -> None:
    with pytest.raises(
        ContractError, match=r"digits\.c: expected edgedigits metadata in the first comment, found none"
    ):
        read_metadata(PATH, "int main(void) { return 0; }\n")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda source: source.replace('"arch"', '"arch', 1), "something unreadable"),
        (
            lambda source: source.replace('"contract": 1', '"contract": 2'),
            "contract version 1, found version 2",
        ),
        (lambda source: source.replace('"int8"', '"float32"'), "precision int8 in a C file, found float32"),
        (
            lambda source: source.replace('"uint8"', '"int8"'),
            "int8 edges, as its metadata say, found edges of uint8",
        ),
    ],
    ids=["no JSON", "another contract", "another precision", "other edges"],
)
def test_damaged_metadata_are_refused(damage, complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint):
        read_metadata(PATH, damage(comment(METADATA)))


ARRAY = "\nconst unsigned char edgedigits_model[SIZE] = {\n    1, 2,\n};\n"


def test_an_array_in_a_comment_is_none() -> None:
    assert read_model_array(PATH, f"/*{ARRAY}*/\nint main(void);\n") is None
    other = ARRAY.replace("1, 2", "3, 4")
    assert read_model_array(PATH, f"/*{ARRAY}*/{other}") == bytes([3, 4])


@pytest.mark.parametrize(
    "source",
    [ARRAY + ARRAY, f"#if 0{ARRAY}#else{ARRAY}#endif\n", f"{ARRAY}int edgedigits_predict(void);\n"],
    ids=["two", "two, one of them left out", "a network in C beside it"],
)
def test_of_several_networks_none_is_judged(source: str) -> None:
    with pytest.raises(ModelFileError, match="it holds several networks, of which only one would be judged"):
        read_model_array(PATH, source)


def layer_source(outputs: tuple[int, ...], before: str = "", qualifier: str = "FLASH ") -> str:
    """The tables of an exported file, as far as they tell the widths."""
    tables = "".join(
        f"static const {qualifier}int8_t weights_{number}[4] = {{1}};\n    .outputs = {units},\n"
        for number, units in enumerate(outputs, start=1)
    )
    return f"/* A float is none here. */\n{before}{tables}"


@pytest.mark.parametrize("qualifier", ["FLASH ", ""], ids=["now", "before"])
def test_the_tables_tell_the_widths(qualifier: str) -> None:
    assert read_widths(PATH, layer_source((128, 32, 10), qualifier=qualifier)) == (128, 32, 10)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (layer_source(()), "a table of int8 weights for every layer"),
        (layer_source((10,)).replace("int8_t", "int16_t"), "a table of int8 weights for every layer"),
        (layer_source((10,), "static float factor;\n"), "integers only .*, found a float"),
        (layer_source((10,), "typedef double real;\n"), "integers only .*, found a double"),
    ],
    ids=["no layers", "wider weights", "a float", "a double"],
)
def test_code_of_other_numbers_is_refused(source: str, found: str) -> None:
    with pytest.raises(ContractError, match=found):
        read_widths(PATH, source)


def test_an_array_is_read_back() -> None:
    source = "\nconst unsigned char edgedigits_model[SIZE] = {\n    1, 2, 255,\n    0,\n};\n"
    assert read_model_array(PATH, source) == bytes([1, 2, 255, 0])


def test_a_source_without_an_array_has_none() -> None:
    assert read_model_array(PATH, comment(METADATA)) is None


def test_an_array_of_something_else_is_refused() -> None:
    with pytest.raises(ModelFileError, match="no list of bytes"):
        read_model_array(PATH, "const unsigned char edgedigits_model[SIZE] = {1, 256};\n")


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "digits.c"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        ModelFileError, match=r"digits\.c: no C source that can be read \(UnicodeDecodeError\)"
    ):
        read_source(path)


def test_line_ends_of_another_system_are_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "digits.c"
    path.write_bytes(b"int a;\r\nint b;\r\n")
    assert read_source(path) == "int a;\nint b;\n"


def test_a_file_that_no_network_is_as_large_as_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "digits.tflm.c"
    with path.open("wb") as file:
        file.truncate(LARGEST_MODEL + 1)
    with pytest.raises(ModelFileError, match=r"digits\.tflm\.c: larger than \d+ MiB"):
        read_source(path)
