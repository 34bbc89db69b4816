"""What is known of the tensors of an ONNX graph before anything runs, and how rules of operators speak of them."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from edgedigits.format_table import Precision

Side: TypeAlias = "int | None"
Message: TypeAlias = "dict[str, Any]"

FLOAT, UINT8, INT8, INT32, INT64, FLOAT16 = 1, 2, 3, 6, 7, 10
"""TensorProto.DataType, as far as networks of ours use it."""
SAME_SCALE = 1e-4
"""Share by which two scales may differ that are the same, but for rounding."""
LARGEST_NUMBER = 1e9
"""Of what a function is given besides its values."""
ITEM_BYTES = {FLOAT: 4, UINT8: 1, INT8: 1, INT32: 4, INT64: 8, FLOAT16: 2}


class DamagedGraphError(ValueError):
    """The bytes are no such message."""


class ForeignGraphError(ValueError):
    """A whole model, but not one that edgedigits would write."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected, self.found = expected, found


class Tensor(NamedTuple):
    """What is known of a tensor before anything runs."""

    dtype: int
    shape: tuple[Side, ...]
    """None for a free side: the batch."""
    is_constant: bool = False
    numbers: tuple[int, ...] = ()
    """The values of a constant of int64, what a Reshape makes of its input; of a zero point in uint8, its one value."""
    is_zero: bool = False
    """Whether it is a constant of what stands for zero only."""
    step: str = ""
    """What of an image it is: ``IMAGE``, ``SUMS``, ``RELU``, ``VALUES`` or ``PROBABILITIES``; ``SCALE`` for what is
    computed from an image beside its values; empty for constants."""
    precision: "Precision | None" = None
    """Of a constant, how it is kept; of anything else, how the weights of all layers before it are."""
    is_quantized: bool = False
    """Whether it is the float value of integers."""
    scales: Any = None
    """Of what is quantized, what a step is worth, float64; of a float constant of at most one side, its values."""
    widths: tuple[int, ...] = ()
    """Of the layers before it."""
    is_free: bool = False
    """Whether an operator was on its way that a chain of Dense layers has not."""
    is_sigmoid: bool = False
    """Whether its values are what a sigmoid gave, as they are."""
    products: int = 0
    """Multiplications by a weight that its operator takes for one image, where these are not as many as the weights."""


IMAGE, SUMS, RELU, PROBABILITIES, SCALE = "image", "sums", "relu", "probabilities", "scale"
"""The way of an image: pixels, then the sums of a layer, those of the last one or kept by a ReLU for the next."""
VALUES = "values"
"""What other layers than Dense ones make of an image on its way."""
KERNEL_ZERO = 128
"""What stands for a weight of 0 in the kernels of a ConvInteger, which are uint8."""
WAY = frozenset({IMAGE, SUMS, RELU, VALUES})
"""Steps at which a layer may take it."""

Attributes: TypeAlias = "dict[str, Message]"


Rule: TypeAlias = "Callable[[list[Tensor], Attributes], Tensor | tuple[Tensor, ...]]"
"""Of an operator: from its inputs and attributes to its outputs, or ``ForeignGraphError``."""
Rules: TypeAlias = "dict[str, Rule]"
"""By operator."""


def expect(holds: bool, operator: str, inputs: list[Tensor]) -> None:
    """Raise ``ForeignGraphError`` that says what an operator was given, unless it holds."""
    if not holds:
        shapes = ", ".join(f"({', '.join('n' if s is None else str(s) for s in t.shape)})" for t in inputs)
        raise ForeignGraphError(f"a {operator} as edgedigits exports it", f"one of {shapes or 'nothing'}")


def is_row(tensor: Tensor) -> bool:
    """Whether a tensor is (n, numbers), computed from the image."""
    return len(tensor.shape) == 2 and tensor.shape[1] is not None and tensor.step not in ("", SCALE)


def whole(attributes: Attributes, name: str, default: int) -> int:
    """Return a whole number among attributes, or what it is where it is missing."""
    return int(attributes[name].get("i", 0)) if name in attributes else default


def flat(tensor: Tensor) -> int:
    """Return how many numbers an image of a tensor (n, ...) has; -1 where that is not known."""
    sides = tensor.shape[1:]
    return math.prod(side for side in sides if side is not None) if None not in sides else -1
