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
from edgedigits.contract import LABELS, ModelMetadata
from edgedigits.errors import ContractError, OutputError
from edgedigits.tflite_file import read_graph
from edgedigits_export.integer_network import IntegerNetwork

ALIGNMENT = 16
"""Bytes: the TFLite schema marks buffers ``force_align: 16``."""
COLUMNS = 110
"""Of the generated sources."""
SELFTEST_PICTURES = 10
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.+ -]+")
_ABOUT = (
    "Made by edgedigits {version} from an int8 TFLite file. Every integer that is computed here is the one that",
    "TFLite's reference kernels compute. Integers only; no memory is allocated, no library function is called, and",
    "no variable outlives a call.",
)
_ABOUT_TFLM = (
    "Made by edgedigits {version} for TensorFlow Lite Micro: the bytes are those of the .tflite file, on a boundary",
    "that its buffers need.",
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


def render_source(name: str, network: IntegerNetwork, metadata: ModelMetadata) -> str:
    """Write the network itself: ``digits.c``.

    Args:
        name: of the network, which its files are called by.
        network: its integers.
        metadata: what the file says of itself.

    Raises:
        OutputError: a C file cannot include a header of that name.
    """
    return _render(
        "network.c.j2",
        f"{name}.c",
        "a neural network for images of 28x28 pixels, in C99",
        network,
        metadata,
        name=name,
        metadata_lines=metadata_comment(metadata),
    )


def render_header(name: str, network: IntegerNetwork, metadata: ModelMetadata) -> str:
    """Write what a program includes: ``digits.h``. Arguments as of ``render_source``."""
    return _render(
        "network.h.j2",
        f"{name}.h",
        "how to call the neural network of the C file beside it",
        network,
        metadata,
        name=name,
        guard=f"EDGEDIGITS_{_identifier(name)}_H",
        labels=[c_string(label) for label in metadata.labels],
        about_digits=metadata.labels == LABELS,
    )


def render_selftest(
    name: str, network: IntegerNetwork, metadata: ModelMetadata, pictures: Sequence[SelftestPicture]
) -> str:
    """Write pictures and expected answers for the bring-up of a board: ``digits_selftest.c``.

    Args:
        name: of the network.
        network: its integers.
        metadata: what the network's file says of itself.
        pictures: ``SELFTEST_PICTURES`` of them.
    """
    pixels = b"".join(picture.pixels.tobytes() for picture in pictures)
    answers = b"".join(picture.probabilities.tobytes() for picture in pictures)
    return _render(
        "selftest.c.j2",
        f"{name}_selftest.c",
        "shows on a board that the network computes there what it should",
        network,
        metadata,
        name=name,
        pictures=pictures,
        pixels_crc=f"0x{binascii.crc32(pixels):08x}U",
        answers_crc=f"0x{binascii.crc32(answers):08x}U",
    )


def render_tflm(name: str, content: bytes, network: IntegerNetwork, metadata: ModelMetadata) -> tuple[str, str]:
    """Write a TFLite file for TensorFlow Lite Micro.

    Args:
        name: of the network.
        content: the int8 ``.tflite`` file, metadata inside.
        network: its integers.
        metadata: what the file says of itself.

    Returns:
        ``digits.tflm.c``, an aligned array, and ``digits.tflm.h``, with its length and the operators to register.
    """
    operators = sorted(set(read_graph(Path(name), content).operators))
    facts = {
        "name": name,
        "content": content,
        "guard": f"EDGEDIGITS_{_identifier(name)}_TFLM_H",
        "alignment": ALIGNMENT,
        "operators": [f"Add{operator.title().replace('_', '')}" for operator in operators],
        "about": [line.format(version=metadata.tools["edgedigits"]) for line in _ABOUT_TFLM],
    }
    source = _render(
        "tflm.c.j2", f"{name}.tflm.c", "an int8 TFLite model as a C array", network, metadata, **facts
    )
    header = _render(
        "tflm.h.j2", f"{name}.tflm.h", "an int8 TFLite model as a C array", network, metadata, **facts
    )
    return source, header


def check_name(name: str) -> None:
    """Raise ``OutputError`` where a C file could not include a header of that name."""
    if not _SAFE_NAME.fullmatch(name):
        raise OutputError(
            f"{name}: C files can be called by ASCII letters, digits and any of ' _.+-' only; choose another --name"
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


def _identifier(name: str) -> str:
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


def _render(
    template: str, file: str, title: str, network: IntegerNetwork, metadata: ModelMetadata, **facts: Any
) -> str:
    check_name(file)
    if not all(character.isalnum() or character == "-" for character in metadata.arch + metadata.weights_sha256):
        raise ContractError(Path(file), "an architecture like 128-32 and a sha256", "something else")
    about = [line.format(version=metadata.tools["edgedigits"]) for line in _ABOUT]
    licence = _LICENCE.read_text(encoding="utf-8").splitlines()
    common = {"metadata_lines": [], "about": about, "licence": licence}
    return _TEMPLATES.get_template(template).render(
        **{**common, "file": file, "title": title, "network": network, "metadata": metadata, **facts}
    )
