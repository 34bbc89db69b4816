"""What the writers of ONNX operators have in common, in floats and in integers: steps that only move values.

Maps are (n, channels, height, width) in a file, rows (n, numbers).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgedigits.contract import INPUT_NAME, OUTPUT_NAME
from edgedigits.model_files.map_layers import Margins
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.onnx_builder import GraphBuilder
from edgedigits_export.graph.steps import (
    Array,
    Border,
    Convolution,
    Function,
    Image,
    Joined,
    Pool,
    Product,
    Step,
    ToMap,
    ToRow,
    shapes_of,
)

CHANNELS_LAST, CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
"""Orders of a Transpose."""
MAP_AXES = {0: 2, 1: 3, 2: 1}
"""Of height, width and channels, in a file."""


class OnnxWriter:
    """What has been written of the steps of a network."""

    def __init__(self, builder: GraphBuilder, steps: tuple[Step, ...]) -> None:
        self.builder, self.steps, self.shapes = builder, steps, shapes_of(steps)
        self.names: list[str] = []
        """Of the tensors that the steps so far give."""

    def add(self, operator: str, place: int, inputs: list[str], part: str = "", **attributes: Any) -> str:
        """Add an operator of a step; what the last step gives is the graph's output."""
        is_last = place == len(self.steps) - 1 and not part
        name = OUTPUT_NAME if is_last else f"{operator.lower()}_{place}{part}"
        return self.builder.add(operator, inputs, name, **attributes)

    def source(self, step: Step) -> str:
        """Return the tensor that a step takes."""
        return self.names[step.sources[0]]

    def each(self, name: str, values: Array) -> str:
        """Add numbers for the values of a row or a map."""
        return self.builder.constant(name, np.moveaxis(values, 2, 0) if values.ndim == 3 else values)

    def number(self, name: str, place: int, value: float) -> str:
        """Add one number of a step."""
        return self.builder.constant(f"{name}_{place}", np.float32(value))

    def around(self, place: int, part: str) -> list[str]:
        """Return the tensor that stands for 0 around the map of a step, where that is another number."""
        return []

    def shaped(self, place: int, inputs: str, shape: Shape, part: str = "") -> str:
        """Add a Reshape with the batch free."""
        target = self.builder.constant(f"shape_{place}{part}", np.array([-1, *shape], np.int64))
        return self.add("Reshape", place, [inputs, target], part)

    def padded(self, place: int, value: str, margins: Margins, around: list[str], part: str = "") -> str:
        """Add a Pad of the last two sides, of what ``around`` names or of zeros."""
        top, left, bottom, right = _pads(margins)
        sides = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        constant = self.builder.constant(f"pads_{place}{part}", sides)
        return self.add("Pad", place, [value, constant, *around], part)

    def keeps_order(self, step: ToRow, place: int) -> bool:
        """Whether a map becomes a row as the file has it, channel by channel.

        That is so where its author has it so, and where all that takes it are products, whose weights are put in this
        order instead.
        """
        takers = [taker for taker in self.steps if place in taker.sources]
        return step.channels_first or (bool(takers) and all(isinstance(taker, Product) for taker in takers))

    def kernel_in_order(self, step: Product) -> Array:
        """Return the weights of a product in the order in which the file has the row."""
        before = self.steps[step.sources[0]]
        if (
            not isinstance(before, ToRow)
            or before.channels_first
            or not self.keeps_order(before, step.sources[0])
        ):
            return step.kernel
        height, width, channels = self.shapes[before.sources[0]]
        by_pixel = step.kernel.reshape(height, width, channels, -1)
        return np.ascontiguousarray(np.moveaxis(by_pixel, 2, 0)).reshape(step.kernel.shape)


def image_pixels(to: OnnxWriter, step: Image) -> str:
    """Add what makes a row or a map of the input, and return its pixels."""
    if len(step.given) == 1:
        return to.builder.add("Flatten", [INPUT_NAME], "pixels", axis=1)
    height, width, channels = step.given
    target = to.builder.constant("shape_0", np.array([-1, channels, height, width], np.int64))
    return to.builder.add("Reshape", [INPUT_NAME, target], "pixels")


def convolution_attributes(step: Convolution) -> dict[str, Any]:
    """Return the attributes of a Conv."""
    return {
        "kernel_shape": list(step.kernel.shape[:2]),
        "strides": list(step.strides),
        "dilations": list(step.dilation),
        "group": step.groups,
        "pads": _pads(step.margins),
    }


def pool_attributes(step: Pool) -> dict[str, Any]:
    """Return the attributes of a pooling."""
    return {"kernel_shape": list(step.window), "strides": list(step.strides), "pads": _pads(step.margins)}


def _pads(margins: Margins) -> list[int]:
    top, bottom, left, right = margins
    return [top, left, bottom, right]


def _border(to: OnnxWriter, step: Border, place: int) -> str:
    value, (top, bottom, left, right) = to.source(step), step.margins
    if any(isinstance(taker, Pool) and place in taker.sources for taker in to.steps):
        # onnxruntime would make a Pad part of the pooling behind it, where margins do not count: other values come out.
        # It leaves alone what cuts off.
        more = to.around(place, "_more")
        value = to.padded(place, value, (top, bottom + 1, left, right), more, "_more")
        top, bottom, left, right = 0, -1, 0, 0
    return to.padded(place, value, (top, bottom, left, right), to.around(place, ""))


def _to_row(to: OnnxWriter, step: ToRow, place: int) -> str:
    value = to.source(step)
    height, width, channels = to.shapes[step.sources[0]]
    if channels > 1 and height * width > 1 and not to.keeps_order(step, place):
        value = to.add("Transpose", place, [value], "_last", perm=CHANNELS_LAST)
    return to.add("Flatten", place, [value], axis=1)


def _to_map(to: OnnxWriter, step: ToMap, place: int) -> str:
    height, width, channels = step.given
    if step.channels_first or channels == 1 or height * width == 1:
        return to.shaped(place, to.source(step), (channels, height, width))
    shaped = to.shaped(place, to.source(step), step.given, "_last")
    return to.add("Transpose", place, [shaped], perm=CHANNELS_FIRST)


def _joined(to: OnnxWriter, step: Joined, place: int) -> str:
    axis = MAP_AXES[step.axis] if len(to.shapes[place]) == 3 else 1
    return to.add("Concat", place, [to.names[source] for source in step.sources], axis=axis)


MOVED: Mapping[type[Step], Callable[[Any, Any, int], str]] = {
    Border: _border,
    Joined: _joined,
    ToMap: _to_map,
    ToRow: _to_row,
}
"""By kind, what adds a step that only moves values and returns the tensor that it gives."""


def _operator(operator: str, **attributes: Any) -> "_Function":
    return lambda to, step, place, value: to.add(operator, place, [value], **attributes)


def _with_alpha(operator: str) -> "_Function":
    return lambda to, step, place, value: to.add(operator, place, [value], alpha=step.alpha)


def _bounded_relu(to: OnnxWriter, step: Function, place: int, value: str) -> str:
    return to.add("Clip", place, [value, to.number("least", place, 0), to.number("most", place, step.alpha)])


def _silu(to: OnnxWriter, step: Function, place: int, value: str) -> str:
    return to.add("Mul", place, [value, to.add("Sigmoid", place, [value], "_gate")])


def _gelu(to: OnnxWriter, step: Function, place: int, value: str) -> str:
    """``value / 2 * (1 + erf(value / sqrt(2)))``: ONNX has it as one operator from opset 20 on."""
    root, one, half = (
        to.number(name, place, number) for name, number in (("root", np.sqrt(2)), ("one", 1), ("half", 0.5))
    )
    erf = to.add("Erf", place, [to.add("Div", place, [value, root], "_part")], "_erf")
    doubled = to.add("Mul", place, [value, to.add("Add", place, [erf, one], "_one")], "_twice")
    return to.add("Mul", place, [doubled, half])


_Function = Callable[[OnnxWriter, Function, int, str], str]
FUNCTIONS: Mapping[str, _Function] = {
    "elu": _with_alpha("Elu"),
    "exp": _operator("Exp"),
    "gelu": _gelu,
    "hard_sigmoid": _operator("HardSigmoid", alpha=1 / 6, beta=0.5),
    "leaky_relu": _with_alpha("LeakyRelu"),
    "relu": _operator("Relu"),
    "relu6": _bounded_relu,
    "selu": _operator("Selu"),
    "sigmoid": _operator("Sigmoid"),
    "silu": _silu,
    "softmax": _operator("Softmax", axis=-1),
    "softplus": _operator("Softplus"),
    "tanh": _operator("Tanh"),
}
"""By Keras' name, what adds a function of a tensor of floats."""
