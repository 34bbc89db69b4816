"""What writes the steps of a network as TFLite operators on floats has written so far, and its constants."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import OUTPUT_NAME
from edgedigits.format_table import Precision
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.formats.tflite_builder import TfliteBuilder
from edgedigits_export.graph.steps import Array, Function, Step

LEAST_DYNAMIC = 1_024
"""Weights of a layer from which on a dynamic file keeps integers; smaller layers gain nothing, as in TensorFlow's."""
FUSED = {"relu": schema.ActivationFunctionType.RELU, "relu6": schema.ActivationFunctionType.RELU6}
"""By Keras' name, functions that a layer's operator does itself."""


class TfliteWriter:
    """What has been written."""

    def __init__(
        self,
        builder: TfliteBuilder,
        steps: tuple[Step, ...],
        shapes: list[Shape],
        precision: Precision,
        image: int,
    ) -> None:
        self.builder, self.steps, self.shapes, self.precision, self.image = (
            builder,
            steps,
            shapes,
            precision,
            image,
        )
        self.tensors: list[int] = []
        """That the steps so far give."""

    def takers(self, place: int) -> list[int]:
        """Return the places of the steps that take what a step gives."""
        return [taker for taker, step in enumerate(self.steps) if place in step.sources]

    def source(self, step: Step) -> int:
        """Return the tensor that a step takes."""
        return self.tensors[step.sources[0]]

    def add(
        self, operator: str, place: int, inputs: list[int], options: Any = None, version: int = 1,
        *, part: str = "", shape: Shape | None = None,
    ) -> int:  # fmt: skip
        """Add an operator of a step; ``part`` and ``shape`` are of one that is not its last."""
        is_last = not part and place == self.end
        name = OUTPUT_NAME if is_last else f"{operator.lower()}_{place}{part}"
        shape = self.shapes[place] if shape is None else shape
        return self.builder.add(operator, inputs, self.builder.computed(name, shape), options, version)

    @property
    def end(self) -> int:
        """Place of the step that gives the probabilities."""
        return len(self.steps) - 1

    def fused_activation(self, place: int) -> int:
        """Return what an operator does to its sums: the function of the only step that takes them, where it can."""
        takers = self.takers(place)
        if len(takers) == 1 and is_fused(self.steps[takers[0]]):
            return int(FUSED[self.steps[takers[0]].name])  # type: ignore[attr-defined]
        return int(schema.ActivationFunctionType.NONE)

    def weights(self, name: str, values: Array, axis: int) -> tuple[int, int]:
        """Add weights, and return their tensor and whether it is of integers.

        Args:
            name: of the tensor.
            values: float32.
            axis: of the outputs.
        """
        if self.precision != "dynamic" or values.size < LEAST_DYNAMIC:
            return self.floats(name, values), False
        others = tuple(side for side in range(values.ndim) if side != axis)
        scales = np.maximum(np.abs(values).max(axis=others), np.finfo(np.float32).tiny * 127) / np.float32(
            127
        )
        steps = np.expand_dims(scales, others)
        whole = np.clip(np.rint(values / steps), -127, 127).astype(np.int8)
        return self.builder.constant(name, whole, scales, axis), True

    def floats(self, name: str, values: Array) -> int:
        """Add weights or biases as floats, halves widened in a float16 file."""
        if self.precision != "float16":
            return self.builder.constant(name, values)
        half = self.builder.constant(f"{name}_half", values.astype(np.float16))
        return self.builder.add("DEQUANTIZE", [half], self.builder.widened(name, values.shape), version=3)

    def number(self, name: str, value: float) -> int:
        """Add one number."""
        return self.builder.constant(name, np.array([value], np.float32))

    def reshaped(self, place: int, tensor: int, shape: Shape, part: str = "") -> int:
        """Add a RESHAPE with the batch free."""
        target = self.builder.constant(f"shape_{place}{part}", np.array([-1, *shape], np.int32))
        return self.add("RESHAPE", place, [tensor, target], part=part, shape=shape)

    def moved(self, place: int, tensor: int, order: tuple[int, ...], shape: Shape, part: str = "") -> int:
        """Add a TRANSPOSE."""
        sides = self.builder.constant(f"order_{place}{part}", np.array(order, np.int32))
        return self.add(
            "TRANSPOSE", place, [tensor, sides], schema.TransposeOptionsT(), part=part, shape=shape
        )


def is_fused(step: Step) -> bool:
    """Whether a step is a function that the operator before it may do."""
    return isinstance(step, Function) and (step.name == "relu" or (step.name == "relu6" and step.alpha == 6))
