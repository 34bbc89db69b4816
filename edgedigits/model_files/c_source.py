"""Read an exported ``.c`` file without compiling it: its metadata, and the TFLite model in a ``.tflm.c`` file."""

import json
import re
from pathlib import Path

from edgedigits.contract import MOST_WEIGHTS
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.content import read_model_bytes

METADATA_TITLE = "Metadata (JSON):"
_METADATA = re.compile(rf"^ \* {re.escape(METADATA_TITLE)}\n((?: \* .*\n)+)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
"""One that nothing ends goes on to the end: else each of many would be looked for from its beginning to there."""
_FLOATS = re.compile(r"\b(?:float|double)\b")
_WEIGHTS = re.compile(r"^static const (?:FLASH )?int8_t weights_[0-9]+\[", re.MULTILINE)
_CALLS = re.compile(r"^    (?!compute_)([a-z_]{1,40})\((?:&layer_|table_|image|hidden_)", re.MULTILINE)
"""Of the functions that run layers."""
_ZEROS = re.compile(r"^    \.zero_point = ([0-9]{1,3}),", re.MULTILINE)
_LOWEST = re.compile(r"^    \.lowest = ([0-9]{1,3}),", re.MULTILINE)
_HIGHEST = re.compile(r"^    \.highest = ", re.MULTILINE)
_UNITS = re.compile(r"^    \.outputs = ([0-9]{1,5}),", re.MULTILINE)
_PACKED = re.compile(r"^} packed_layer;", re.MULTILINE)
_PACKED_UNITS = re.compile(r"^        \.outputs = ([0-9]{1,5}),", re.MULTILINE)
_PLACES = re.compile(r"^    uint(?:8|16)_t (?:height|width);|mean_of_square\(", re.MULTILINE)
"""What only a packed network has that goes over a map."""
_MODEL = re.compile(r"^const unsigned char edgedigits_model\[[^]\n]{0,80}\] = \{([0-9,\s]*)\};", re.MULTILINE)

LARGEST_ARRAY = MOST_WEIGHTS + (1 << 22)
"""Bytes of the model in a ``.tflm.c`` file: a weight is one, and there are tables around them."""
_AT_ONCE = 1 << 20
"""Characters of an array that are taken apart in one go: a number of it takes fifty bytes in between."""


def metadata_comment(metadata: ModelMetadata) -> list[str]:
    """Write metadata as the lines of a comment, for ``read_metadata`` to find.

    An asterisk is escaped, as JSON allows: whatever the labels are called, nothing ends the comment or begins another.
    """
    text = json.dumps(json.loads(metadata.to_json()), indent=2, sort_keys=True, ensure_ascii=True)
    return [METADATA_TITLE, *text.replace("*", "\\u002a").splitlines()]


def read_source(path: Path) -> str:
    """Return the text of a C file.

    Raises:
        ModelNotFoundError, ModelFileError: it cannot be read, is too large for a model file, or is no text.
    """
    try:
        return read_model_bytes(path).decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ModelFileError(path, f"no C source that can be read ({type(error).__name__})") from error


def read_metadata(path: Path, source: str) -> ModelMetadata:
    """Return what an exported C file says of itself.

    Raises:
        ContractError: it says nothing, or something that the contract does not allow.
    """
    found = _METADATA.search(source)
    if found is None:
        raise ContractError(path, "edgedigits metadata in the first comment", "none")
    metadata = ModelMetadata.from_json(found[1].replace("\n * ", "\n").removeprefix(" * "), path)
    if metadata.precision != "int8":
        raise ContractError(path, "precision int8 in a C file", metadata.precision)
    metadata.check_tensors(path, ("int8",), "uint8")
    return metadata


def read_widths(path: Path, source: str) -> tuple[int, ...] | None:
    """Return the widths of all layers of an exported C file, the ten classes last, by the tables in its text.

    None for a network of other layers than Dense ones with a ReLU between two.

    Raises:
        ContractError: it is no network of layers of int8 weights, or computes with floating-point numbers.
    """
    code = _COMMENT.sub(" ", source)
    if (found := _FLOATS.search(code)) is not None:
        raise ContractError(path, "integers only in C code of precision int8", f"a {found[0]}")
    if _PACKED.search(code) is not None:
        return _read_packed_widths(path, code)
    widths = tuple(map(int, _UNITS.findall(code)))
    if not widths or len(_WEIGHTS.findall(code)) != len(widths):
        raise ContractError(path, "a table of int8 weights for every layer", f"other tables of {len(widths)}")
    bounds = zip(_ZEROS.findall(code), _LOWEST.findall(code), strict=False)
    has_relus = all(zero == lowest for zero, lowest in list(bounds)[:-1])
    is_dense = set(_CALLS.findall(code)) <= {"dense"} and has_relus and _HIGHEST.search(code) is None
    return widths if is_dense else None


def _read_packed_widths(path: Path, code: str) -> tuple[int, ...] | None:
    """Return the same of a file with packed weights, comments taken out."""
    widths = tuple(map(int, _PACKED_UNITS.findall(code)))
    if not widths:
        raise ContractError(path, "a table of layers", "none")
    return None if _PLACES.search(code) else widths


def ends_in_sigmoids(source: str) -> bool:
    """Return whether an exported C file has ten sigmoids at its end: no softmax makes its answers of logits."""
    return "compute_logits(" not in _COMMENT.sub(" ", source)


def read_model_array(path: Path, source: str) -> bytes | None:
    """Return the TFLite model that a ``.tflm.c`` file holds; None where the file holds no such array.

    Raises:
        ModelFileError: the array is no list of bytes, or longer than there may be; there are several, or a network
            in C beside it: what is verified would not be what is compiled.
    """
    code = _COMMENT.sub(" ", source)
    arrays = list(_MODEL.finditer(code))
    if not arrays:
        return None
    if len(arrays) > 1 or "edgedigits_predict" in code:
        raise ModelFileError(path, "it holds several networks, of which only one would be judged")
    start, end = arrays[0].span(1)
    if code.count(",", start, end) > LARGEST_ARRAY:
        raise ModelFileError(path, f"its array has more than {LARGEST_ARRAY:,} bytes")
    content = bytearray()
    try:
        while start < end:
            comma = code.find(",", start + _AT_ONCE, end)
            stop = end if comma < 0 else comma
            content += bytes(int(number) for number in code[start:stop].split(",") if number.strip())
            start = stop + 1
        return bytes(content)
    except ValueError as error:
        raise ModelFileError(path, "its array is no list of bytes") from error
