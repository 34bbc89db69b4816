"""Read an exported page without a browser: its metadata, its WebAssembly and the tables that this runs."""

import base64
import binascii
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from edgedigits.contract import MOST_WEIGHTS
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.base91 import decode
from edgedigits.model_files.content import read_model_bytes

LARGEST_WASM = 1 << 20
"""Bytes of the WebAssembly; that of edgedigits has less than a tenth."""
LARGEST_TABLES = MOST_WEIGHTS + (1 << 22)
"""Bytes of the tables: a weight is one, and there is more around them."""
LARGEST_SCRIPT = 2 * (LARGEST_WASM + LARGEST_TABLES)
"""Characters of the script: base64 of both takes a third more, and the page's own part a few thousand."""
_ADVICE = "export it again with edgedigits export --format page"
_FACTS = re.compile(r"^export const facts = (\{[^\n]*\});$", re.MULTILINE)
_PACKED = re.compile(r'^const PACKED = "([!-~]*)";\nconst BYTES = ([0-9]{1,9});$', re.MULTILINE)
_BINARY = r'^const {} = "([A-Za-z0-9+/=]*)";$'
_MAGIC = b"EDGD"
_HEADER = struct.Struct("<8I")
RECORD_BYTES = 4 * 41
"""Of a layer; the first word says its kind."""
_DENSE = 0
"""The kind of a fully connected layer."""


class PageNetwork(NamedTuple):
    """What a page computes with."""

    metadata: ModelMetadata
    wasm: bytes
    tables: bytes


def read_page(path: Path) -> PageNetwork:
    """Return the network of an exported ``.html`` file.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: it cannot be read, is too large, or holds no network, or several.
        ContractError: it says something of itself that the contract does not allow.
    """
    source = _script(path)
    facts = _only(path, _FACTS, source, "metadata")
    network = PageNetwork(
        _metadata(path, facts),
        _inflated(path, _binary(path, source, "WASM"), LARGEST_WASM),
        _inflated(path, _binary(path, source, "TABLES"), LARGEST_TABLES),
    )
    _check(path, network)
    return network


def _script(path: Path) -> str:
    """Return the script that a page unpacks."""
    try:
        page = read_model_bytes(path).decode("utf-8")
        packed, length = _only(path, _PACKED, page, "a packed script")
        script = json.loads(_inflated(path, decode(packed, int(length)), LARGEST_SCRIPT))["script"]
        if not isinstance(script, str):
            raise TypeError("no text")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(path, f"no page that can be read ({type(error).__name__})", _ADVICE) from error
    return script


def _binary(path: Path, source: str, name: str) -> bytes:
    """Return what stands in a script as base64."""
    text = _only(path, re.compile(_BINARY.format(name), re.MULTILINE), source, name)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ModelFileError(path, f"its {name} are no base64", _ADVICE) from error


def _metadata(path: Path, text: str) -> ModelMetadata:
    """Return what a page says of itself; what its script judges by has to be the same."""
    try:
        facts = json.loads(text)
        metadata = ModelMetadata.from_json(json.dumps(facts["metadata"]), path)
        shown = facts["labels"], facts["min_margin"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(path, "its metadata are no JSON of edgedigits", _ADVICE) from error
    if shown != (list(metadata.labels), metadata.min_margin):
        raise ContractError(path, "classes and least lead as its metadata say", "others", _ADVICE)
    if metadata.precision != "int8":
        raise ContractError(path, "precision int8 in a page", metadata.precision, _ADVICE)
    metadata.check_tensors(path, ("int8",), "uint8")
    return metadata


def _only(path: Path, pattern: re.Pattern[str], source: str, what: str) -> Any:
    """Return what stands once in a page: of two, one would be judged and the other one shown."""
    found = pattern.findall(source)
    if len(found) != 1:
        raise ModelFileError(
            path, f"expected a page of edgedigits with {what} once, found {len(found)}", _ADVICE
        )
    return found[0]


def _inflated(path: Path, content: bytes, most: int) -> bytes:
    """Inflate raw deflate to at most so many bytes."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(content, most + 1)
    except zlib.error as error:
        raise ModelFileError(path, "what is packed in it is damaged", _ADVICE) from error
    if len(inflated) > most or not inflater.eof:
        raise ModelFileError(path, f"what is packed in it is cut off, or more than {most:,} bytes", _ADVICE)
    return inflated


def _check(path: Path, network: PageNetwork) -> None:
    """Raise an error where the tables are of another network than the metadata say."""
    tables = network.tables
    if len(tables) < _HEADER.size or tables[:4] != _MAGIC:
        raise ModelFileError(path, "its tables do not begin as those of edgedigits do", _ADVICE)
    *_, layers, exponentials, _ = _HEADER.unpack_from(tables)
    network.metadata.check_head(path, is_sigmoid=exponentials == 0)
    kinds = [
        int.from_bytes(tables[place : place + 4], "little")
        for place in range(_HEADER.size, _HEADER.size + layers * RECORD_BYTES, RECORD_BYTES)
        if place < len(tables)
    ]
    network.metadata.check_layers(path, are_dense=all(kind == _DENSE for kind in kinds))
