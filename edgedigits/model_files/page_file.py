"""Read an exported page without a browser: its metadata, its WebAssembly and the tables that this runs."""

import itertools
import json
import re
import struct
from pathlib import Path
from typing import NamedTuple

from edgedigits.contract import MOST_WEIGHTS
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.content import read_model_bytes
from edgedigits.model_files.page_pack import unpack

LARGEST_WASM = 1 << 20
"""Bytes of the WebAssembly; that of edgedigits has less than a tenth."""
LARGEST_TABLES = MOST_WEIGHTS + (1 << 22)
"""Bytes of the tables: a weight is one, and there is more around them."""
LARGEST_TEXT = 1 << 20
"""Bytes of what else is packed, each; of edgedigits' pages all together are less than a tenth."""
_ADVICE = "export it again with edgedigits export --format page"
_PACKED = re.compile(r'\bPACKED="([!-~]*)",SIZES=(\[[0-9]{1,9}(?:,[0-9]{1,9}){6}\]);')
_MOST = (LARGEST_TEXT, LARGEST_TABLES, *(LARGEST_TEXT,) * 4, LARGEST_WASM)
"""Bytes of images with their answers, tables, style, body, what a page says, script, WebAssembly, in their order."""
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
    reads_numbers: bool
    """Whether it reads numbers, and not single digits alone."""


def read_page(path: Path) -> PageNetwork:
    """Return the network of an exported ``.html`` file.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: it cannot be read, is too large, or holds no network, or several.
        ContractError: it says something of itself that the contract does not allow.
    """
    _, tables, _, _, said, _, wasm = _parts(path)
    network = PageNetwork(_metadata(path, said), wasm, tables, "numbers" in json.loads(said))
    _check(path, network)
    return network


def _parts(path: Path) -> list[bytes]:
    """Return what a page unpacks."""
    try:
        page = read_model_bytes(path).decode("utf-8")
    except ValueError as error:
        raise ModelFileError(path, "no text", _ADVICE) from error
    found = _PACKED.findall(page)
    if len(found) != 1:  # Of two, one would be judged and the other one shown.
        raise ModelFileError(
            path, f"expected a page of edgedigits with packed parts once, found {len(found)}", _ADVICE
        )
    packed, written = found[0]
    sizes = json.loads(written)
    if any(size > most for size, most in zip(sizes, _MOST, strict=True)):
        raise ModelFileError(path, f"a part of it is said to be of more than {max(_MOST):,} bytes", _ADVICE)
    try:
        content = unpack(packed, sum(sizes))
    except ValueError as error:
        raise ModelFileError(path, f"what is packed in it is damaged ({error})", _ADVICE) from error
    ends = list(itertools.accumulate(sizes))
    return [content[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _metadata(path: Path, said: bytes) -> ModelMetadata:
    """Return what a page says of itself; what its script judges by has to be the same."""
    try:
        facts = json.loads(said)["facts"]
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
