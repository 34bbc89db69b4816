"""One ``.html`` file, or one ES module, of the sources of this folder and of a network's tables.

In a module, what is binary stands as base64 of raw deflate (RFC 1951), which browsers and Node inflate by themselves.
In a page, style, body, script and all that is binary are packed in one piece, as LZMA, which is an eighth smaller:
``start.js`` unpacks them by a small WebAssembly of its own. Scripts and styles are allowed by their hashes alone.
"""

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.page_pack import pack
from edgedigits_export.page.constants import drawing_constants, reader_constants

_FOLDER = Path(__file__).parent
_PLACE = re.compile(r"\{\{([a-z]+)(?:\.([A-Za-z]+))?\}\}")
_LITERAL = re.compile(r'"@([A-Z]+)@"')


@dataclass(frozen=True)
class Proof:
    """Images with the answers that the reference gives, by which a page proves what it computes."""

    images: npt.NDArray[np.uint8]
    """Shape (n, 28, 28)."""
    probabilities: npt.NDArray[np.uint8]
    """Shape (n, 10), in steps of 1/256."""


class _Kind(NamedTuple):
    """What pages of one kind are made of: files of this folder, and what stands in the body."""

    wasm: str
    module: tuple[str, ...]
    """Parts of the module in their order, without ``binaries.mjs``."""
    types: tuple[str, ...]
    script: str
    styles: tuple[str, ...]
    answer: str
    """The part of the body that shows what was read."""
    pad: str
    """Attributes of the canvas that is drawn on."""


_DIGITS = _Kind(
    wasm="digits.wasm",
    module=("digits.mjs",),
    types=("digits.d.mts",),
    script="page.min.js",
    styles=("style.min.css",),
    answer="digit_answer.html",
    pad='width="280" height="280"',
)
_NUMBERS = _Kind(
    wasm="numbers.wasm",
    module=("digits.mjs", "numbers_path.mjs", "numbers_signs.mjs", "numbers_form.mjs", "numbers.mjs"),
    types=("digits.d.mts", "numbers.d.mts"),
    script="numbers.min.js",
    styles=("style.min.css", "numbers.min.css"),
    answer="numbers_answer.html",
    pad='width="640" height="320"',
)


def _kind(*, reads_numbers: bool) -> _Kind:
    return _NUMBERS if reads_numbers else _DIGITS


def make_module(tables: bytes, metadata: ModelMetadata, *, reads_numbers: bool = False) -> str:
    """Write ``digits.mjs``: preparation and network as an ES module, without a page.

    Args:
        tables: of the network.
        metadata: what the file says of itself.
        reads_numbers: whether it was taught to, so that ``readNumbers`` is in the module.
    """
    kind = _kind(reads_numbers=reads_numbers)
    source = "".join(map(_source, (*kind.module, "binaries.mjs")))
    binaries = {"WASM": deflated((_FOLDER / kind.wasm).read_bytes()), "TABLES": deflated(tables)}
    return _filled(source, {"FACTS": _facts(metadata), "NUMBERS": reader_constants(), **binaries})


def module_types(*, reads_numbers: bool = False) -> str:
    """Return what stands beside a module, for TypeScript."""
    return "".join(map(_source, _kind(reads_numbers=reads_numbers).types))


def make_page(tables: bytes, metadata: ModelMetadata, proof: Proof, *, reads_numbers: bool = False) -> str:
    """Write ``digits.html``: the module, the page's script, style and texts in one file.

    Args:
        tables: of the network.
        metadata: what the file says of itself.
        proof: what the self-test replays.
        reads_numbers: whether it was taught to, so that the page reads them.
    """
    kind, texts = _kind(reads_numbers=reads_numbers), json.loads(_source("texts.json"))
    said = {"facts": _facts(metadata), "texts": texts["script"]}
    if reads_numbers:
        texts["page"] |= texts["numbers"]["page"]
        said["texts"] |= texts["numbers"]["script"]
        said |= {"numbers": reader_constants(), "drawing": drawing_constants()}
    style, script = "".join(map(_source, kind.styles)), _source(kind.script)
    answer = _of_template(kind.answer, texts["page"], {})
    body = _of_template("body.html", texts["page"], {"answer": answer, "pad": kind.pad})
    answered = proof.images.tobytes() + proof.probabilities.tobytes()
    wasm = (_FOLDER / kind.wasm).read_bytes()
    # Of all orders, the one that is packed the smallest.
    parts = (answered, tables, style.encode(), body.encode(), _json(said).encode(), script.encode(), wasm)
    values = {
        "PACKED": pack(b"".join(parts)),
        "SIZES": [len(part) for part in parts],
        "UNPACK": base64.b64encode((_FOLDER / "unpack.wasm").read_bytes()).decode(),
    }
    start = _filled(_source("start.min.js"), values)
    filling = {"policy": _policy((start, script), style), "start": start}
    return _of_template("template.html", texts["page"], filling)


def deflated(content: bytes) -> str:
    """Return bytes as base64 of raw deflate, in the way that is best for them: weights repeat nothing."""
    found = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED):
        compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
        found.append(compressor.compress(content) + compressor.flush())
    return base64.b64encode(min(found, key=len)).decode()


def _facts(metadata: ModelMetadata) -> dict[str, Any]:
    return {
        "labels": metadata.labels,
        "min_margin": metadata.min_margin,
        "metadata": json.loads(metadata.to_json()),
    }


def _of_template(name: str, texts: Mapping[str, str], filling: Mapping[str, str]) -> str:
    """Fill the places of a template: a text of the table, or a part."""

    def part(place: re.Match[str]) -> str:
        return filling[place[1]] if place[2] is None else _escaped(texts[place[2]])

    return _PLACE.sub(part, _source(name))


def _source(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _filled(source: str, values: Mapping[str, Any]) -> str:
    """Put JSON in the place of ``"@NAME@"``; ``<`` is escaped, so that nothing in it ends or begins markup."""
    return _LITERAL.sub(lambda place: _json(values[place[1]]), source)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _policy(scripts: Sequence[str], style: str) -> str:
    """Return the content security policy: these scripts and this style, WebAssembly, no request to anywhere."""
    return (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))} 'wasm-unsafe-eval'; "
        f"style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
