"""C as text: identifiers, strings, arrays and templates. Knows nothing of networks."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from edgedigits.errors import OutputError
from edgedigits.margins import NEVER
from edgedigits.metadata import ModelMetadata

COLUMNS = 110
"""Of the generated sources."""
_UNFIT_NAME = re.compile(r'["\\/]|\?\?')
"""What would end the name in an ``#include``, or be read as something else there."""
_ABOUT = (
    "Made by edgedigits {version} from an int8 TFLite file. Every integer that is computed here is the one that",
    "TFLite's reference kernels compute. Integers only; no memory is allocated, no library function is called, and",
    "no variable outlives a call.",
)
ABOUT_MAPS = (*_ABOUT, "(Some compilers make calls of memcpy and memset of loops that copy bytes.)")
"""What the first comment says of a network with layers whose inputs are moved."""


def check_name(name: str) -> None:
    """Raise ``OutputError`` where a C file could not include a header of that name."""
    if _UNFIT_NAME.search(name) or not name.isprintable():
        raise OutputError(
            f"{name!r}: expected a name that a C file can include, without quotes, slashes, backslashes and ??; "
            "choose another --name"
        )


def c_string(text: str) -> str:
    """Write a string as a C literal: UTF-8, everything but plain ASCII as octal escapes, no trigraphs."""
    plain = {ord(character) for character in " !#$%&'()*+,-./:;<=>@[]^_`{|}~"} | set(range(0x30, 0x3A))
    plain |= {*range(0x41, 0x5B), *range(0x61, 0x7B)}
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'


def c_array(values: npt.NDArray[Any] | bytes | Iterable[int], indent: int = 4) -> str:
    """Write numbers as the lines between the braces of a C array."""
    numbers = values.ravel().tolist() if isinstance(values, np.ndarray) else list(values)
    lines, line = [], " " * (indent - 1)
    for number in numbers:
        word = f" {number},"
        if len(line) + len(word) > COLUMNS:
            lines.append(line)
            line = " " * (indent - 1)
        line += word
    return "\n".join([*lines, line])


def c_identifier(name: str) -> str:
    """Write a name in capitals, digits and underscores."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("edgedigits_export.formats"),
    autoescape=False,  # noqa: S701  (C, not HTML; strings go through c_string and comments through metadata_comment)
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["c_array"] = c_array
_LICENCE = Path(__file__).with_name("templates") / "licence.txt"


def render(template: str, file: str, title: str, metadata: ModelMetadata, **facts: Any) -> str:
    """Fill a template of ``templates/``, under a first comment with licence and origin.

    Args:
        template: its name.
        file: name of the file that is written.
        title: what it is, in a few words.
        metadata: what the network says of itself.
        facts: what the template asks for; ``about``, ``metadata_lines`` and ``tflite_sha256`` go into the comment.

    Raises:
        OutputError: a C file cannot include a header of that name.
    """
    check_name(file)
    licence = _LICENCE.read_text(encoding="utf-8").splitlines()
    about = [line.format(version=metadata.tools["edgedigits"]) for line in facts.pop("about", _ABOUT)]
    common: dict[str, Any] = {"metadata_lines": [], "about": about, "licence": licence, "never": NEVER}
    facts = {**common, "file": file, "title": title, "metadata": metadata, **facts}
    return str(_TEMPLATES.get_template(template).render(facts))
