"""What the writers of TFLite operators have in common, in floats and in integers: maps, windows, what moves values.

Maps are (n, height, width, channels) in a file, rows (n, numbers).

Versions of operators: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import OUTPUT_NAME
from edgedigits.model_files.map_layers import Margins, Window, same_margins
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.tflite_builder import TfliteBuilder
from edgedigits_export.graph.steps import (
    Array,
    Border,
    Convolution,
    GlobalPool,
    Joined,
    Pool,
    Step,
    ToMap,
    ToRow,
    shapes_of,
)

CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
"""Orders of a TRANSPOSE."""


class TfliteWriter(ABC):
    """What has been written of the steps of a network."""

    def __init__(self, builder: TfliteBuilder, steps: tuple[Step, ...], image: int) -> None:
        self.builder, self.steps, self.image = builder, steps, image
        self.shapes = shapes_of(steps)
        self.tensors: list[int] = []
        """That the steps so far give."""

    @abstractmethod
    def computed(self, name: str, place: int, shape: Shape) -> int:
        """Add a tensor that an operator of a step gives, and return its place."""

    def version(self, operator: str) -> int:
        """Return the first version of an operator that takes these numbers."""
        return 1

    def names_output(self, place: int) -> bool:
        """Whether the last operator of a step gives the graph's output."""
        return place == len(self.steps) - 1

    def keeps_order(self, step: ToRow, place: int) -> bool:
        """Whether a map becomes a row as the file has it, pixel by pixel."""
        return not step.channels_first

    def source(self, step: Step) -> int:
        """Return the tensor that a step takes."""
        return self.tensors[step.sources[0]]

    def add(
        self, operator: str, place: int, inputs: list[int], options: Any = None, version: int = 1,
        *, part: str = "", shape: Shape | None = None,
    ) -> int:  # fmt: skip
        """Add an operator of a step and return what it gives.

        Args:
            operator: see ``TfliteBuilder.add``.
            place: of the step.
            inputs: see ``TfliteBuilder.add``.
            options: see ``TfliteBuilder.add``.
            version: where it takes a later one than its numbers need.
            part: what its name ends in, where it is not the last of the step.
            shape: without the batch, where it is not that of the step.
        """
        is_output = not part and self.names_output(place)
        name = OUTPUT_NAME if is_output else f"{operator.lower()}_{place}{part}"
        tensor = self.computed(name, place, self.shapes[place] if shape is None else shape)
        return self.builder.add(operator, inputs, tensor, options, max(version, self.version(operator)))

    def reshaped(self, place: int, tensor: int, shape: Shape, part: str = "") -> int:
        """Add a RESHAPE with the batch free."""
        target = self.builder.constant(f"shape_{place}{part}", np.array([-1, *shape], np.int32))
        return self.add("RESHAPE", place, [tensor, target], part=part, shape=shape)

    def moved(self, place: int, tensor: int, order: tuple[int, ...], shape: Shape, part: str = "") -> int:
        """Add a TRANSPOSE."""
        sides = self.builder.constant(f"order_{place}{part}", np.array(order, np.int32))
        options = schema.TransposeOptionsT()
        return self.add("TRANSPOSE", place, [tensor, sides], options, part=part, shape=shape)

    def bordered(self, place: int, tensor: int, margins: Margins, part: str = "") -> int:
        """Add a PAD of zeros, or of what stands for 0."""
        top, bottom, left, right = margins
        height, width, channels = self.shapes[self.steps[place].sources[0]]
        sides = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        constant = self.builder.constant(f"pads_{place}{part}", sides)
        shape = (height + top + bottom, width + left + right, channels)
        return self.add("PAD", place, [tensor, constant], schema.PadOptionsT(), part=part, shape=shape)

    def padded(self, place: int, window: Window, step: Convolution | Pool, options: Any) -> int:
        """Have an operator see a map with the margins of its step; return the map, or it with a border.

        Args:
            place: of the step.
            window: of the operator.
            step: itself.
            options: of the operator; is told strides and padding.
        """
        options.strideH, options.strideW = step.strides
        options.padding = schema.Padding.VALID
        dilation: Window = step.dilation if isinstance(step, Convolution) else (1, 1)
        if not any(step.margins):
            return self.source(step)
        sides = zip(self.shapes[step.sources[0]][:2], window, step.strides, dilation, strict=True)
        if step.margins == tuple(margin for side in sides for margin in same_margins(*side)):
            options.padding = schema.Padding.SAME
            return self.source(step)
        return self.bordered(place, self.source(step), step.margins, "_padded")

    def convolved(self, step: Convolution, place: int) -> tuple[int, Array, int, Any]:
        """Return of a convolution what it takes, its kernel in the file's order, the axis of its outputs, its options.

        Where each output takes one channel it is what TFLite calls depthwise, and its axis is 3.
        """
        channels = self.shapes[step.sources[0]][2]
        is_depthwise = step.groups == channels and step.groups > 1
        options: Any = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
        options.dilationHFactor, options.dilationWFactor = step.dilation
        value = self.padded(place, (step.kernel.shape[0], step.kernel.shape[1]), step, options)
        if is_depthwise:
            options.depthMultiplier = step.kernel.shape[3] // channels
            return value, np.ascontiguousarray(np.moveaxis(step.kernel, 2, 0)), 3, options
        return value, np.ascontiguousarray(np.moveaxis(step.kernel, 3, 0)), 0, options


def _pool(to: TfliteWriter, step: Pool, place: int) -> int:
    options = schema.Pool2DOptionsT()
    options.filterHeight, options.filterWidth = step.window
    value = to.padded(place, step.window, step, options)
    return to.add("MAX_POOL_2D" if step.kind == "max" else "AVERAGE_POOL_2D", place, [value], options)


def _global_pool(to: TfliteWriter, step: GlobalPool, place: int) -> int:
    axes = to.builder.constant(f"axes_{place}", np.array([1, 2], np.int32))
    operator = "REDUCE_MAX" if step.kind == "max" else "MEAN"
    return to.add(operator, place, [to.source(step), axes], schema.ReducerOptionsT())


def _border(to: TfliteWriter, step: Border, place: int) -> int:
    value = to.source(step)
    top, bottom, left, right = step.margins
    added: Margins = (max(top, 0), max(bottom, 0), max(left, 0), max(right, 0))
    cuts = added != step.margins
    if any(added):
        value = to.bordered(place, value, added, "_wide" if cuts else "")
    if cuts:
        begin = np.array([0, max(-top, 0), max(-left, 0), 0], np.int32)
        size = np.array([-1, *to.shapes[place]], np.int32)
        parts = [to.builder.constant(f"begin_{place}", begin), to.builder.constant(f"size_{place}", size)]
        value = to.add("SLICE", place, [value, *parts], schema.SliceOptionsT())
    return value


def _to_row(to: TfliteWriter, step: ToRow, place: int) -> int:
    value = to.source(step)
    height, width, channels = to.shapes[step.sources[0]]
    if channels > 1 and height * width > 1 and not to.keeps_order(step, place):
        value = to.moved(place, value, CHANNELS_FIRST, (channels, height, width), "_first")
    return to.reshaped(place, value, to.shapes[place])


def _to_map(to: TfliteWriter, step: ToMap, place: int) -> int:
    height, width, channels = step.given
    if not step.channels_first or channels == 1 or height * width == 1:
        return to.reshaped(place, to.source(step), step.given)
    shaped = to.reshaped(place, to.source(step), (channels, height, width), "_first")
    return to.moved(place, shaped, CHANNELS_LAST, step.given)


def _joined(to: TfliteWriter, step: Joined, place: int) -> int:
    options = schema.ConcatenationOptionsT()
    options.axis = step.axis + 1
    return to.add("CONCATENATION", place, [to.tensors[source] for source in step.sources], options)


MOVED: Mapping[type[Step], Callable[[Any, Any, int], int]] = {
    Border: _border,
    GlobalPool: _global_pool,
    Joined: _joined,
    Pool: _pool,
    ToMap: _to_map,
    ToRow: _to_row,
}
"""By kind, what adds a step without weights that is the same for all numbers, and returns the tensor that it gives."""
