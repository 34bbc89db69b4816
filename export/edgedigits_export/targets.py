"""What can be exported, and how: formats, precisions and options."""

from dataclasses import dataclass
from typing import Literal

from edgedigits.arguments import LARGEST_SEED, amount_of, count_of
from edgedigits.file_names import C_INFIXES, Format, Precision
from edgedigits.input_scale import InputScale
from edgedigits.runtimes.c_compiler import find_compiler

OPSETS = range(13, 19)
"""Per-channel DequantizeLinear begins with 13; onnxruntime 1.17 and newer read all of them."""
DEFAULT_OPSET = 17


@dataclass(frozen=True)
class Target:
    """A kind of file that a network can be exported to."""

    format: Format
    precision: Precision
    about: str
    """For whom it is, in a few words."""


FORMATS: tuple[Target, ...] = (
    Target("tflite", "float32", "the network as it is, for LiteRT"),
    Target("tflite", "float16", "weights in half the space, computed in float32"),
    Target("tflite", "dynamic", "int8 weights, activations quantized while it runs"),
    Target("tflite", "int8", "integers only, for microcontrollers and accelerators"),
    Target("onnx", "float32", "the network as it is, for onnxruntime"),
    Target("onnx", "float16", "weights in half the space, computed in float32"),
    Target("onnx", "dynamic", "int8 weights, activations quantized while it runs"),
    Target("onnx", "int8", "a quarter of the size, and the quickest on CPUs"),
    Target("ort", "float32", "for minimal builds of onnxruntime, optimized already"),
    Target("ort", "int8", "the int8 ONNX file for minimal builds"),
    Target("c", "int8", "C99 without any runtime, for microcontrollers"),
    Target("tflm", "int8", "the integer TFLite file as a C array, for TensorFlow Lite Micro"),
)


@dataclass(frozen=True)
class ExportOptions:
    """What can be chosen about an export."""

    opset: int = DEFAULT_OPSET
    calibration_size: int | None = None
    """Calibration images; None for 25,000, or half of what the network was fitted on where that is less."""
    seed: int = 0
    """Of the choice of calibration images."""
    edges: Literal["uint8", "int8"] = "int8"
    """Type of input and output of the fully integer TFLite file."""
    reduce_range: bool = False
    """Whether the weights of int8 ONNX files are kept to 7 bits, for x86 CPUs without VNNI."""
    max_drop: float | None = None
    """Percentage points that may be lost; None for the bound of each precision."""
    force: bool = False
    """Whether files that exist may be replaced."""
    input_scale: InputScale | None = None
    """What the network was trained on; None for what it declares, or what training images tell."""
    selftest: bool = False
    """Whether pictures with expected answers come with the C file, for the bring-up of a board."""

    def __post_init__(self) -> None:
        """Refuse what nothing can be exported with.

        Raises:
            ArgumentError: a number is out of its range.
        """
        if self.calibration_size is not None:
            count_of("calibration_size", self.calibration_size)
        count_of("seed", self.seed, 0, LARGEST_SEED)
        if self.max_drop is not None:
            amount_of("max_drop", self.max_drop)


DEFAULT_OPTIONS = ExportOptions()


def select_targets(file_format: Format | Literal["all"], precision: Precision | None) -> tuple[Target, ...]:
    """Return the targets of a format and a precision.

    Args:
        file_format: ``tflite``, ``onnx``, ``ort``, ``c``, ``tflm``, or ``all`` for every target there is.
        precision: None for float32, for int8 in C, or for every precision where the format is ``all``.

    Returns:
        The targets; for ``all`` without C where there is no C compiler, which could not be verified.

    Raises:
        ValueError: there is no such combination; the message lists those that there are.
    """
    if file_format == "all":
        able = [target for target in FORMATS if target.format != "c" or find_compiler()]
        return tuple(target for target in able if precision in (None, target.precision))
    wanted = precision or ("int8" if file_format in C_INFIXES else "float32")
    targets = tuple(
        target for target in FORMATS if file_format == target.format and target.precision == wanted
    )
    if not targets:
        known = sorted(target.precision for target in FORMATS if target.format == file_format)
        raise ValueError(f"{file_format} files come as {', '.join(known)}, not as {wanted}")
    return targets
