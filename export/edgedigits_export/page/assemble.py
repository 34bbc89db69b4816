"""One ``.html`` file, or one ES module, of the sources of this folder and of a network's tables.

What is binary stands in them as base64 of raw deflate (RFC 1951), which browsers and Node inflate by themselves. A page
packs all of its script and its style once more, so that a small network's is small: ``start.js`` unpacks them. Scripts
and styles are allowed by their hashes alone.
"""

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.base91 import encode

_FOLDER = Path(__file__).parent
_PLACE = re.compile(r"\{\{([a-z]+)(?:\.([A-Za-z]+))?\}\}")
_LITERAL = re.compile(r'"@([A-Z]+)@"')
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*.*?\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)
"""One that has its lines for itself: behind code there is none in these sources."""
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)


@dataclass(frozen=True)
class Proof:
    """Images with the answers that the reference gives, by which a page proves what it computes."""

    images: npt.NDArray[np.uint8]
    """Shape (n, 28, 28)."""
    probabilities: npt.NDArray[np.uint8]
    """Shape (n, 10), in steps of 1/256."""


def make_module(tables: bytes, metadata: ModelMetadata) -> str:
    """Write ``digits.mjs``: preparation and network as an ES module, without a page.

    Args:
        tables: of the network.
        metadata: what the file says of itself.
    """
    facts = {
        "labels": metadata.labels,
        "min_margin": metadata.min_margin,
        "metadata": json.loads(metadata.to_json()),
    }
    return _filled(
        _source("digits.mjs"),
        {
            "WASM": packed((_FOLDER / "digits.wasm").read_bytes()),
            "TABLES": packed(tables),
            "FACTS": facts,
        },
    )


def module_types() -> str:
    """Return what stands beside a module, for TypeScript."""
    return _source("digits.d.mts")


def make_page(tables: bytes, metadata: ModelMetadata, proof: Proof) -> str:
    """Write ``digits.html``: the module, the page's script, style and texts in one file.

    Args:
        tables: of the network.
        metadata: what the file says of itself.
        proof: what the self-test replays.
    """
    texts = json.loads(_source("texts.json"))
    answered = proof.images.tobytes() + proof.probabilities.tobytes()
    own = _filled(_source("script.js"), {"TEXTS": texts["script"], "PROOF": packed(answered)})
    # In a block of its own, so that no name of the page is one of the module's.
    script = _bare(f"{make_module(tables, metadata)}{{\n{own}}}\n")
    style = _bare(_source("style.css"))
    content = _deflated(json.dumps({"style": style, "script": script}, ensure_ascii=True).encode())
    start = "\n" + _bare(_filled(_source("start.js"), {"PACKED": encode(content), "BYTES": len(content)}))
    parts = {"policy": _policy((start, script), style), "start": start}

    def part(place: re.Match[str]) -> str:
        return parts[place[1]] if place[2] is None else _escaped(texts["page"][place[2]])

    return _PLACE.sub(part, _source("template.html"))


def packed(content: bytes) -> str:
    """Return bytes as base64 of raw deflate."""
    return base64.b64encode(_deflated(content)).decode()


def _deflated(content: bytes) -> bytes:
    """Return bytes as raw deflate, in the way that is best for them: weights repeat nothing."""
    found = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED):
        compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
        found.append(compressor.compress(content) + compressor.flush())
    return min(found, key=len)


def _source(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _filled(source: str, values: Mapping[str, Any]) -> str:
    """Put JSON in the place of ``"@NAME@"``; ``<`` is escaped, so that nothing in it ends or begins markup."""
    return _LITERAL.sub(lambda place: _json(values[place[1]]), source)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")


def _bare(source: str) -> str:
    """Return a script or a style without comments, indentation and empty lines."""
    return "\n".join(filter(None, _INDENT.sub("", _COMMENT.sub("", source)).splitlines()))


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
