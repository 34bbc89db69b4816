"""To C: an int8 TFLite file as C99 source that computes the same integers with no runtime at all."""

import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from edgedigits.c_file import metadata_comment
from edgedigits.contract import LABELS, SELFTEST_ENDING, ModelMetadata
from edgedigits.errors import OutputError
from edgedigits_export.fixed_point import FixedPointNetwork

COLUMNS = 110
"""Of the generated sources."""
_UNFIT_NAME = re.compile(r'["\\/]|\?\?')
"""What would end the name in an ``#include``, or be read as something else there."""
_ABOUT = (
    "Made by edgedigits {version} from an int8 TFLite file. Every integer that is computed here is the one that",
    "TFLite's reference kernels compute. Integers only; no memory is allocated, no library function is called, and",
    "no variable outlives a call.",
)


@dataclass(frozen=True)
class SelftestPicture:
    """A picture with the answer that is expected to it."""

    pixels: npt.NDArray[np.uint8]
    """Shape (28, 28)."""
    probabilities: npt.NDArray[np.uint8]
    """Shape (10,), in steps of 1/256."""

    @property
    def label(self) -> int:
        """The class that is expected."""
        return int(self.probabilities.argmax())


def render_source(name: str, network: FixedPointNetwork, metadata: ModelMetadata) -> str:
    """Write the network itself: ``digits.c``.

    Args:
        name: of the network, which its files are called by.
        network: its integers.
        metadata: what the file says of itself.

    Raises:
        OutputError: a C file cannot include a header of that name.
    """
    return render(
        "network.c.j2",
        f"{name}.c",
        "a neural network for images of 28x28 pixels, in C99",
        metadata,
        network=network,
        tflite_sha256=network.sha256,
        name=name,
        metadata_lines=metadata_comment(metadata),
    )


def render_header(name: str, network: FixedPointNetwork, metadata: ModelMetadata) -> str:
    """Write what a program includes: ``digits.h``. Arguments as of ``render_source``."""
    return render(
        "network.h.j2",
        f"{name}.h",
        "how to call the neural network of the C file beside it",
        metadata,
        network=network,
        tflite_sha256=network.sha256,
        name=name,
        guard=f"EDGEDIGITS_{c_identifier(name)}_H",
        labels=[c_string(label) for label in metadata.labels],
        about_digits=metadata.labels == LABELS,
    )


def render_selftest(
    name: str, network: FixedPointNetwork, metadata: ModelMetadata, pictures: Sequence[SelftestPicture]
) -> str:
    """Write pictures and expected answers for the bring-up of a board: ``digits_selftest.c``.

    Args:
        name: of the network.
        network: its integers.
        metadata: what the network's file says of itself.
        pictures: at most ten.
    """
    pixels = b"".join(picture.pixels.tobytes() for picture in pictures)
    answers = b"".join(picture.probabilities.tobytes() for picture in pictures)
    return render(
        "selftest.c.j2",
        selftest_name(name),
        "shows on a board that the network computes there what it should",
        metadata,
        network=network,
        tflite_sha256=network.sha256,
        name=name,
        pictures=pictures,
        pixels_crc=f"0x{binascii.crc32(pixels):08x}U",
        answers_crc=f"0x{binascii.crc32(answers):08x}U",
    )


def selftest_name(name: str) -> str:
    """Return the name of the file with pictures for the bring-up of a board."""
    return f"{name}{SELFTEST_ENDING}"


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
    loader=jinja2.PackageLoader("edgedigits_export"),
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
    common: dict[str, Any] = {"metadata_lines": [], "about": about, "licence": licence}
    facts = {**common, "file": file, "title": title, "metadata": metadata, **facts}
    return str(_TEMPLATES.get_template(template).render(facts))
