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
    return metadata


def read_model_array(path: Path, source: str) -> bytes | None:
    """Return the TFLite model that a ``.tflm.c`` file holds; None where the file holds no such array.

    Raises:
        ModelFileError: the array is no list of bytes, or a longer one than there may be.
    """
    found = _MODEL.search(source)
    if found is None:
        return None
    start, end = found.span(1)
    if source.count(",", start, end) > LARGEST_ARRAY:
        raise ModelFileError(path, f"its array has more than {LARGEST_ARRAY:,} bytes")
    content = bytearray()
    try:
        while start < end:
            comma = source.find(",", start + _AT_ONCE, end)
            stop = end if comma < 0 else comma
            content += bytes(int(number) for number in source[start:stop].split(",") if number.strip())
            start = stop + 1
        return bytes(content)
    except ValueError as error:
        raise ModelFileError(path, "its array is no list of bytes") from error
