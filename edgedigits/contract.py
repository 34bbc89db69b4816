"""What every model file takes and gives, written once.

Input ``image``: uint8, shape (n, 28, 28), 0 = background, 255 = ink (white on black, as MNIST).
Output ``probabilities``: float32, shape (n, 10), rows sum to 1.

The one exception: the fully integer TFLite file has int8 edges by default (pixel - 128 in,
probability * 256 - 128 out), the convention of TFLite Micro; ``runtimes`` hides the difference.

Each file says all this of itself: a ``ModelMetadata`` travels inside it as JSON under ``METADATA_KEY``.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from edgedigits.errors import ContractError

CONTRACT_VERSION = 1
METADATA_KEY = "edgedigits"

INPUT_NAME = "image"
OUTPUT_NAME = "probabilities"
IMAGE_SIDE = 28
PIXELS = IMAGE_SIDE * IMAGE_SIDE
PIXEL_MAX = 255
CLASSES = 10
LABELS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
"""Names of the classes: the digits. A network of another dataset has names of its own."""
LONGEST_LABEL = 40
"""Characters of a class name that still stand in a table."""
LONGEST_TEXT = 200
"""Characters of any text in a file's metadata."""
POLARITY = "white on black"

DEFAULT_NAME = "digits"
WIDEST_LAYER = 16_384
MOST_WEIGHTS = 1 << 24
"""Weights and biases of the largest network that is opened: 64 MiB in float32, where the default one has 0.4 MiB."""
LARGEST_MODEL = 72 << 20
"""Bytes of the largest model file that is opened. Opening one may take several times as much memory."""

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


def arch_text(widths: tuple[int, ...]) -> str:
    """Write the widths of the hidden layers as ``--arch`` takes them: ``128-32``."""
    return "-".join(map(str, widths))


def parse_arch(text: str) -> tuple[int, ...]:
    """Read the widths of the hidden layers from ``128-32``.

    Raises:
        ValueError: not one or more whole numbers from 1 to ``WIDEST_LAYER``, joined by dashes, or a network of more
            than ``MOST_WEIGHTS``.
    """
    parts = text.split("-")
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= WIDEST_LAYER for part in parts):
        raise ValueError(f"expected widths from 1 to {WIDEST_LAYER} like 128-32 or 256-128-32, got {text!r}")
    widths = tuple(map(int, parts))
    if (weights := count_weights(widths)) > MOST_WEIGHTS:
        raise ValueError(
            f"expected widths of at most {MOST_WEIGHTS:,} weights in all, got {text!r} with {weights:,}"
        )
    return widths


def count_weights(widths: Iterable[int]) -> int:
    """Count weights and biases of a network with these hidden layers."""
    return sum((inputs + 1) * units for inputs, units in pairwise((PIXELS, *widths, CLASSES)))


def parse_labels(names: Iterable[str]) -> tuple[str, ...]:
    """Return class names without the blanks around them.

    Raises:
        ValueError: not ten different, printable names.
    """
    labels = tuple(name.strip() for name in names)
    check_labels(labels)
    return labels


def check_labels(labels: Sequence[object]) -> None:
    """Raise ``ValueError`` unless these are ten different, printable names."""
    if len(labels) != CLASSES:
        raise ValueError(f"expected {CLASSES} class names, found {len(labels)}")
    for label in labels:
        if not isinstance(label, str) or not label.isprintable() or not 0 < len(label) <= LONGEST_LABEL:
            raise ValueError(
                f"expected printable class names of 1 to {LONGEST_LABEL} characters, found {label!r}"
            )
        if labels.count(label) > 1:
            raise ValueError(f"expected {CLASSES} different class names, found {label!r} twice")


def class_title(labels: Sequence[str], index: int) -> str:
    """Write a class as tables show it: ``7``, or ``7 Sneaker`` where its name is not the digit itself."""
    return labels[index] if labels[index] == str(index) else f"{index} {labels[index]}"


@dataclass(frozen=True)
class MeasuredAccuracy:
    """How many test images a file got right when it was exported."""

    dataset: str
    """Name of the dataset, ``MNIST`` or ``scikit-learn digits``."""
    correct: int
    images: int


@dataclass(frozen=True)
class CalibrationReceipt:
    """Which images set the ranges of an integer file. They come from the training split only."""

    images: int
    seed: int
    indices_sha256: str
    """sha256 of the sorted indices into the training file, as little-endian int64."""
    ranges: str = "min-max"
    """How the ranges of the activations were chosen: ``percentile, logits mse``. Files of the first release say
    nothing; theirs are from the smallest to the largest value seen."""


@dataclass(frozen=True)
class InputScaleReceipt:
    """What a network was trained on that does not say it itself; a file that has this takes pixels all the same."""

    name: str
    """As ``--input-scale`` takes it: ``-1..1``; see ``input_scale.INPUT_SCALES``."""
    chosen: str
    """``by training images`` or ``by hand``."""
    correct: int
    """Right answers to training images with it."""
    images: int
    """How many training images were asked about."""


@dataclass(frozen=True)
class ModelMetadata:
    """What a model file says of itself."""

    arch: str
    """Widths of the hidden layers, ``128-32``."""
    precision: Precision
    weights_sha256: str
    """sha256 over the Keras weights that the file was made from."""
    tools: dict[str, str]
    """Versions of the tools that made the file."""
    accuracy: MeasuredAccuracy | None = None
    calibration: CalibrationReceipt | None = None
    edges: Literal["uint8", "int8"] = "uint8"
    """Type of the input tensor: ``int8`` (pixel - 128) only in fully integer TFLite files."""
    labels: tuple[str, ...] = LABELS
    polarity: str = POLARITY
    contract: int = CONTRACT_VERSION
    input_scale: InputScaleReceipt | None = None
    """What the scaling was that is folded in, where the network did not say it itself."""

    def to_json(self) -> str:
        """Write as one line of JSON with sorted keys, so that equal metadata are equal bytes."""
        fields = dataclasses.asdict(self)
        if self.input_scale is None:
            # Files of networks that say what they take are as they were before there was this field.
            del fields["input_scale"]
        return json.dumps(fields, sort_keys=True, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str | bytes, path: Path) -> "ModelMetadata":
        """Read what ``to_json`` wrote.

        Raises:
            ContractError: the text is not such metadata, or of a contract that this version does not know.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            version = fields["contract"]
            if version == CONTRACT_VERSION:
                accuracy, calibration = fields.pop("accuracy"), fields.pop("calibration")
                input_scale = fields.pop("input_scale", None)
                metadata = cls(
                    **{**fields, "labels": tuple(fields["labels"])},
                    accuracy=MeasuredAccuracy(**accuracy) if accuracy else None,
                    calibration=CalibrationReceipt(**calibration) if calibration else None,
                    input_scale=InputScaleReceipt(**input_scale) if input_scale else None,
                )
                metadata.check_types()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ContractError(
                path, "edgedigits metadata", f"something unreadable ({type(error).__name__})"
            ) from error
        if version != CONTRACT_VERSION:
            raise ContractError(
                path,
                f"contract version {CONTRACT_VERSION}",
                f"version {version!r}",
                "use the edgedigits release that made it, or export it again",
            )
        metadata.check(path)
        return metadata

    def check_types(self) -> None:
        """Raise ``TypeError`` or ``ValueError`` where a field holds what no program of ours writes there."""
        values: list[object] = [self.arch, self.weights_sha256, *self.tools, *self.tools.values()]
        expected: list[type] = [str] * len(values)
        for record in (self.accuracy, self.calibration, self.input_scale):
            if record is not None:
                values += dataclasses.astuple(record)
                expected += [type(field) for field in dataclasses.astuple(_EXAMPLES[type(record)])]
        for value, kind in zip(values, expected, strict=True):
            if type(value) is not kind:
                raise TypeError(f"{type(value).__name__} where {kind.__name__} should be")
            if isinstance(value, str) and not (len(value) <= LONGEST_TEXT and value.isprintable()):
                raise ValueError("a text that nobody could read")
            if isinstance(value, int) and not 0 <= value < 1 << 63:
                raise ValueError("a number out of range")
        if self.accuracy and not 0 < self.accuracy.images >= self.accuracy.correct:
            raise ValueError("more right answers than images")

    def check(self, path: Path) -> None:
        """Raise ``ContractError`` where the file claims something that this contract does not allow."""
        if self.polarity != POLARITY:
            raise ContractError(path, POLARITY, str(self.polarity))
        try:
            check_labels(self.labels)
        except ValueError as error:
            expected, _, found = str(error).removeprefix("expected ").partition(", found ")
            raise ContractError(path, expected, found) from error
        if self.precision not in PRECISIONS:
            raise ContractError(path, f"precision {' or '.join(PRECISIONS)}", repr(self.precision))
        if self.edges not in ("uint8", "int8"):
            raise ContractError(path, "edges uint8 or int8", repr(self.edges))


_EXAMPLES: dict[type, Any] = {
    MeasuredAccuracy: MeasuredAccuracy("MNIST", 9_800, 10_000),
    CalibrationReceipt: CalibrationReceipt(1_000, 0, "ab" * 32),
    InputScaleReceipt: InputScaleReceipt("0..1", "by hand", 4_900, 5_000),
}
"""What each field of a record is of, told by one."""


def describe_tensor(name: str, dtype: str, shape: tuple[object, ...]) -> str:
    """Write a tensor as messages and ``info`` show it: ``image uint8 (n, 28, 28)``."""
    sides = ("n", *map(str, shape[1:])) if shape else ()
    return f"{name} {dtype} ({', '.join(sides)})"


EXPECTED_INPUT = describe_tensor(INPUT_NAME, "uint8", ("n", IMAGE_SIDE, IMAGE_SIDE))
EXPECTED_OUTPUT = describe_tensor(OUTPUT_NAME, "float32", ("n", CLASSES))
