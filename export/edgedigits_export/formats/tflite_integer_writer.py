"""Collects the TFLite operators of a network in integers: every tensor on the grid of its step."""

from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import OUTPUT_NAME
from edgedigits.model_files.map_layers import Margins, Window
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.tflite_builder import TfliteBuilder
from edgedigits_export.formats.tflite_steps import same_margins
from edgedigits_export.graph.steps import Array, Step, shapes_of
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_steps import SIGN

VERSIONS = {
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "EXP": 2,
    "FULLY_CONNECTED": 4,
    "GELU": 2,
    "LEAKY_RELU": 2,
    "LOGISTIC": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "MUL": 2,
    "PAD": 2,
    "PRELU": 1,
    "QUANTIZE": 2,
    "REDUCE_MAX": 2,
    "RELU": 2,
    "RELU6": 2,
    "RESHAPE": 1,
    "SLICE": 2,
    "SOFTMAX": 2,
    "TANH": 2,
    "TRANSPOSE": 2,
}
"""Of each operator, the first that takes int8."""
GROUPED_VERSION = 6
"""Of a CONV_2D whose outputs take some of the inputs each."""


class IntegerWriter:
    """What has been written of integers."""

    def __init__(
        self, builder: TfliteBuilder, graph: IntegerGraph, image: int, edges: Literal["uint8", "int8"]
    ) -> None:
        self.builder, self.steps, self.grids = builder, graph.steps, graph.grids
        self.shapes, self.image, self.edges = shapes_of(graph.steps), image, edges
        self.tensors: list[int] = []
        """That the steps so far give."""

    def source(self, step: Step) -> int:
        """Return the tensor that a step takes."""
        return self.tensors[step.sources[0]]

    def add(
        self, operator: str, place: int, inputs: list[int], options: Any = None, version: int = 1,
        *, part: str = "", shape: Shape | None = None,
    ) -> int:  # fmt: skip
        """Add an operator of a step and return what it gives, on the grid of the step.

        Args:
            operator: see ``TfliteBuilder.add``.
            place: of the step.
            inputs: see ``TfliteBuilder.add``.
            options: see ``TfliteBuilder.add``.
            version: where it takes a later one than ``VERSIONS`` says.
            part: what its name ends in, where it is not the last of the step.
            shape: without the batch, where it is not that of the step.
        """
        is_output = not part and place == len(self.steps) - 1 and self.edges == "int8"
        grid = self.grids[place]
        tensor = self.builder.computed(
            OUTPUT_NAME if is_output else f"{operator.lower()}_{place}{part}",
            self.shapes[place] if shape is None else shape,
            "int8",
            (grid.scale, grid.zero_point - SIGN),
        )
        return self.builder.add(operator, inputs, tensor, options, max(version, VERSIONS[operator]))

    def reshaped(self, place: int, tensor: int, shape: Shape, part: str = "") -> int:
        """Add a RESHAPE with the batch free."""
        sides = np.array([-1, *shape], np.int32)
        options = schema.ReshapeOptionsT()
        options.newShape = sides
        constant = self.builder.constant(f"shape_{place}{part}", sides)
        return self.add("RESHAPE", place, [tensor, constant], options, part=part, shape=shape)

    def moved(self, place: int, tensor: int, order: tuple[int, ...], shape: Shape, part: str = "") -> int:
        """Add a TRANSPOSE."""
        constant = self.builder.constant(f"order_{place}{part}", np.array(order, np.int32))
        options = schema.TransposeOptionsT()
        return self.add("TRANSPOSE", place, [tensor, constant], options, part=part, shape=shape)

    def bordered(self, place: int, tensor: int, margins: Margins, part: str = "") -> int:
        """Add a PAD of what stands for 0."""
        top, bottom, left, right = margins
        height, width, channels = self.shapes[self.steps[place].sources[0]]
        sides = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        constant = self.builder.constant(f"pads_{place}{part}", sides)
        shape = (height + top + bottom, width + left + right, channels)
        return self.add("PAD", place, [tensor, constant], schema.PadOptionsT(), part=part, shape=shape)

    def padded(self, place: int, margins: Margins, window: Window, options: Any) -> int:
        """Have an operator see a map with these margins; return the map, or it with a border.

        Args:
            place: of the step.
            margins: around the map.
            window: of the operator.
            options: of the operator, strides and dilation told; is told the padding.
        """
        step = self.steps[place]
        dilation: Window = getattr(step, "dilation", (1, 1))
        strides: Window = (options.strideH, options.strideW)
        options.padding = schema.Padding.VALID
        if not any(margins):
            return self.source(step)
        if margins == same_margins(self.shapes[step.sources[0]], window, strides, dilation):
            options.padding = schema.Padding.SAME
            return self.source(step)
        return self.bordered(place, self.source(step), margins, "_padded")

    def weighted(self, step: Any, kernel: Array, place: int, axis: int) -> list[int]:
        """Add weights and biases and return their tensors.

        Args:
            step: that has them.
            kernel: as the file has it.
            place: of the step.
            axis: of the outputs.
        """
        scales = step.scales[:1] if np.all(step.scales == step.scales[0]) else step.scales
        sums = np.float32(self.grids[step.sources[0]].scale) * scales
        return [
            self.builder.constant(f"kernel_{place}", kernel, scales, axis if len(scales) > 1 else 0),
            self.builder.constant(f"bias_{place}", step.bias, sums),
        ]
