"""How files are called: ``digits.int8.tflite``, and which network, format and precision a name tells."""

from pathlib import Path
from typing import Literal, get_args

DEFAULT_NAME = "digits"

Format = Literal["keras", "tflite", "onnx", "ort", "c", "tflm"]
Precision = Literal["float32", "float16", "dynamic", "int8"]
FORMATS: tuple[Format, ...] = get_args(Format)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
C_INFIXES: dict[Format, str] = {"c": "", "tflm": ".tflm"}
"""Formats whose files are C sources, and what sets their names apart. They hold integers, so no name says int8."""
SELFTEST_ENDING = "_selftest.c"
"""What the name of a C file ends in that holds pictures for the bring-up of a board, and no network."""
SUFFIXES = (".keras", ".tflite", ".onnx", ".ort", ".c")
"""What the names of model files end in."""


def file_name(name: str, file_format: Format, precision: Precision = "float32") -> str:
    """Return the name of the file that holds network ``name`` in a format: ``digits.int8.tflite``, ``digits.c``."""
    if file_format in C_INFIXES:
        return f"{name}{C_INFIXES[file_format]}.c"
    infix = "" if precision == "float32" else f".{precision}"
    return f"{name}{infix}.{file_format}"


def network_name(path: Path) -> str:
    """Return the network that a file name belongs to: ``digits`` for ``digits.int8.tflite``."""
    stem = path.name.removesuffix(path.suffix)
    for precision in PRECISIONS:
        stem = stem.removesuffix(f".{precision}")
    return stem.removesuffix(C_INFIXES["tflm"]) if path.suffix == ".c" else stem


def sidecar_name(name: str, sidecar: str) -> str:
    """Return the name of a file that belongs to a network, such as its ``reference.npz``.

    The default network's files carry no stem; any other network's do, so that several can share a folder.
    """
    return sidecar if name == DEFAULT_NAME else f"{name}.{sidecar}"
