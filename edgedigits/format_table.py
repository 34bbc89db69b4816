"""The one table of formats: what files of each are called, in which precisions they come, who opens and who makes them.

A format is a row here, a module that opens its files (``runtimes/``) and a module that makes them (the export wing's
``formats/``). Both are named as text and imported when a file is opened or made, so this module stays light.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

Precision = Literal["float32", "float16", "dynamic", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class Gate(NamedTuple):
    """How far a file may be from its network."""

    max_drop: float
    """Percentage points of accuracy that may be lost."""
    max_probability_difference: float | None = None
    """Largest difference of any probability, for files that compute what Keras computes."""
    both_ways: bool = False
    """Whether a gain beyond ``max_drop`` fails too: a float file must be the same network, not a luckier one."""
    max_divergence: float | None = None
    """Largest ``Comparison.divergence`` in nats, for files that round: logits of another size than the network's
    change no class, and so no accuracy. Rounding does 1.7e-4 to the shipped network (float16: 3e-8) and 3.2e-4 to one
    that reads 90 %; logits twice as large are 4e-3."""


GATES: Mapping[Precision, Gate] = {
    "float32": Gate(max_drop=0.02, max_probability_difference=1e-3, both_ways=True),
    "float16": Gate(max_drop=0.10, max_divergence=1e-4),
    "dynamic": Gate(max_drop=0.10, max_divergence=5e-4),
    "int8": Gate(max_drop=0.20, max_divergence=1e-3),
}
"""What files of each precision are judged by, where their format has no other bounds."""


def _gates(*precisions: Precision) -> Mapping[Precision, Gate]:
    return {precision: GATES[precision] for precision in precisions}


class Format(NamedTuple):
    """A row of the table."""

    name: str
    """What ``--format`` takes."""
    suffix: str
    """What the names of its files end in, with the dot."""
    gates: Mapping[Precision, Gate]
    """The precisions that it comes in, each with what its files are judged by."""
    runtime: str
    """``module:name`` of the function of a path and ``Opening`` that opens its files."""
    exporter: str | None
    """``module:name`` of the export wing's object that makes its files; None where they are only opened."""
    infix: str = ""
    """What stands before the suffix in all its names: ``.tflm``."""
    names_precision: bool = True
    """Whether its names say the precision, as ``digits.int8.onnx`` does."""
    opener: str | None = None
    """``module:name`` of a function that finds the program without which its files cannot be opened; None: no such."""
    is_listed: bool = True
    """Whether its files are looked for in a folder, or have to be named: most ``.h5`` and ``.html`` files hold other
    things."""

    @property
    def ending(self) -> str:
        """What the names of its files end in, infix and suffix."""
        return self.infix + self.suffix

    @property
    def can_be_opened(self) -> bool:
        """Whether the program is here that its files cannot be opened without."""
        return self.opener is None or resolve(self.opener)() is not None


_KERAS = "edgedigits.runtimes.keras_model:open_keras"

FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            "tflite",
            ".tflite",
            GATES,
            runtime="edgedigits.runtimes.litert:open_tflite",
            exporter="edgedigits_export.formats.tflite_file:TFLITE",
        ),
        Format(
            "onnx",
            ".onnx",
            GATES,
            runtime="edgedigits.runtimes.onnx_model:open_onnx",
            exporter="edgedigits_export.formats.onnx_file:ONNX",
        ),
        Format(
            "ort",
            ".ort",
            _gates("float32", "int8"),
            runtime="edgedigits.runtimes.onnx_model:open_onnx",
            exporter="edgedigits_export.formats.ort_file:ORT",
        ),
        Format(
            "c",
            ".c",
            _gates("int8"),
            runtime="edgedigits.runtimes.c_code:open_c",
            exporter="edgedigits_export.formats.c_source:C",
            names_precision=False,
            opener="edgedigits.runtimes.c_compiler:find_compiler",
        ),
        Format(
            "tflm",
            ".c",
            _gates("int8"),
            runtime="edgedigits.runtimes.litert:open_array",
            exporter="edgedigits_export.formats.tflm_array:TFLM",
            infix=".tflm",
            names_precision=False,
        ),
        Format(
            "page",
            ".html",
            _gates("int8"),
            runtime="edgedigits.runtimes.page:open_page",
            exporter="edgedigits_export.formats.page_file:PAGE",
            names_precision=False,
            opener="edgedigits.runtimes.page:find_wasmtime",
            is_listed=False,
        ),
        Format(
            "keras",
            ".keras",
            _gates("float32"),
            runtime=_KERAS,
            exporter=None,
        ),
        *(
            Format(name, f".{name}", _gates("float32"), runtime=_KERAS, exporter=None, is_listed=False)
            for name in ("h5", "hdf5")
        ),
    )
}
"""All formats by name, in the order in which files are listed."""


def format_of(path: Path) -> Format | None:
    """Return the format that the name of a file tells; None where it is of none."""
    fitting = [row for row in FORMATS.values() if path.name.removesuffix(row.ending) not in ("", path.name)]
    return max(fitting, key=lambda row: len(row.ending), default=None)


def is_keras(path: Path) -> bool:
    """Whether the name of a file tells a network that Keras opens."""
    row = format_of(path)
    return row is not None and row.runtime == _KERAS


def resolve(place: str) -> Any:
    """Import what a row names as ``module:name``."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
