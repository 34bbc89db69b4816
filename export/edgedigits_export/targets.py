"""What can be exported, and how: formats, precisions and options."""

from dataclasses import dataclass
from typing import Literal

from edgedigits.arguments import LARGEST_SEED, MOST_IMAGES, amount_of, count_of
from edgedigits.format_table import FORMATS, Format, Precision
from edgedigits.input_scale import InputScale

OPSETS = range(13, 19)
"""Per-channel DequantizeLinear begins with 13; onnxruntime 1.17 and newer read all of them."""
DEFAULT_OPSET = 17


@dataclass(frozen=True)
class Target:
    """A kind of file that a network can be exported to."""

    format: str
    """Name of a row of ``format_table``."""
    precision: Precision

    @property
    def row(self) -> Format:
        """The format's row of the table."""
        return FORMATS[self.format]


def all_targets() -> tuple[Target, ...]:
    """Return every format that can be made, in every precision that it comes in, in the order of the table."""
    return tuple(
        Target(row.name, precision) for row in FORMATS.values() if row.exporter for precision in row.gates
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
    prepare: bool = False
    """Whether the preparation of pictures comes with the C file, for the frames of a camera."""

    def __post_init__(self) -> None:
        """Refuse what nothing can be exported with.

        Raises:
            ArgumentError: a number is out of its range.
        """
        if self.calibration_size is not None:
            count_of("calibration_size", self.calibration_size, most=MOST_IMAGES)
        count_of("seed", self.seed, 0, LARGEST_SEED)
        if self.max_drop is not None:
            amount_of("max_drop", self.max_drop)


DEFAULT_OPTIONS = ExportOptions()


def select_targets(file_format: str, precision: Precision | None) -> tuple[Target, ...]:
    """Return the targets of a format and a precision.

    Args:
        file_format: ``tflite``, ``onnx``, ``ort``, ``c``, ``tflm``, or ``all`` for every target there is.
        precision: None for the first that the format comes in, or for every precision where the format is ``all``.

    Returns:
        The targets; for ``all`` without those that cannot be opened here, and so not be verified: C without a compiler.

    Raises:
        ValueError: there is no such combination; the message lists those that there are.
    """
    if file_format == "all":
        able = [target for target in all_targets() if target.row.can_be_opened]
        return tuple(target for target in able if precision in (None, target.precision))
    known = [target for target in all_targets() if target.format == file_format]
    if not known:
        makers = dict.fromkeys(target.format for target in all_targets())
        raise ValueError(f"expected one of {', '.join(makers)}, got {file_format!r}")
    wanted = precision or known[0].precision
    if all(target.precision != wanted for target in known):
        precisions = sorted(target.precision for target in known)
        raise ValueError(f"{file_format} files come as {', '.join(precisions)}, not as {wanted}")
    return (Target(file_format, wanted),)
