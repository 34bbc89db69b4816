"""What every model file takes and gives, written once. The standard library only.

Input ``image``: uint8, shape (n, 28, 28), 0 = background, 255 = ink (white on black, as MNIST).
Output ``probabilities``: float32, shape (n, 10), rows sum to 1.

The one exception: the fully integer TFLite file has int8 edges by default (pixel - 128 in,
probability * 256 - 128 out), the convention of TFLite Micro; ``runtimes`` hides the difference.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

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

POLARITY = "white on black"

WIDEST_LAYER = 16_384
MOST_WEIGHTS = 1 << 24
"""Weights and biases of the largest network that is opened: 64 MiB in float32, where the default one has 0.4 MiB."""
LARGEST_MAP = 1 << 18
"""Values of an image between two layers, 16 times the widest Dense layer: a thousand images then take 1 GiB there."""
MOST_PRODUCTS = 1 << 30
"""Multiplications by a weight that one image may take: ten thousand images then take a core an hour."""
LARGEST_MODEL = 72 << 20
"""Bytes of the largest model file that is opened. Opening one may take several times as much memory."""


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
    if tuple(labels) != LABELS and sorted(map(str, labels)) == list(LABELS):
        raise ValueError(f"expected digits in their order, found {', '.join(map(str, labels))}")


def class_title(labels: Sequence[str], index: int) -> str:
    """Write a class as tables show it: ``7``, or ``7 Sneaker`` where its name is not the digit itself."""
    return labels[index] if labels[index] == str(index) else f"{index} {labels[index]}"


def describe_tensor(name: str, dtype: str, shape: tuple[object, ...]) -> str:
    """Write a tensor as messages and ``info`` show it: ``image uint8 (n, 28, 28)``."""
    sides = ("n", *map(str, shape[1:])) if shape else ()
    return f"{name} {dtype} ({', '.join(sides)})"


EXPECTED_INPUT = describe_tensor(INPUT_NAME, "uint8", ("n", IMAGE_SIDE, IMAGE_SIDE))
EXPECTED_OUTPUT = describe_tensor(OUTPUT_NAME, "float32", ("n", CLASSES))
