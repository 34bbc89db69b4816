"""To ONNX: float32, float16 weights, dynamic range, and int8, all of standard operators.

The graphs are built operator by operator, as onnxruntime's fused kernels want them: one Gemm per layer, no stray Add,
no shape arithmetic, the batch free, names that are the same in every run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from edgedigits.contract import INPUT_NAME, OUTPUT_NAME, PIXEL_MAX
from edgedigits.datasets.split import Split
from edgedigits.format_table import Precision
from edgedigits.metadata import METADATA_KEY, ModelMetadata
from edgedigits.networks.weighted import WeightedDense, WeightedLayer
from edgedigits.progress import Progress
from edgedigits_export.formats.export_format import Converted, ExportFormat, FormatRecord
from edgedigits_export.formats.onnx_builder import GraphBuilder
from edgedigits_export.formats.onnx_integer_steps import add_integer_steps
from edgedigits_export.formats.onnx_steps import add_steps
from edgedigits_export.inference_graph import InferenceGraph
from edgedigits_export.integers.calibration import ONNX_FORM, REDUCED_ONNX_FORM, IntegerForm
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.quantization import IntegerDense, IntegerLayer, IntegerNetwork
from edgedigits_export.integers.rounding import symmetric
from edgedigits_export.targets import DEFAULT_OPSET, ExportOptions


def to_onnx(
    graph: InferenceGraph,
    precision: Precision = "float32",
    *,
    opset: int = DEFAULT_OPSET,
    integer_network: IntegerNetwork | IntegerGraph | None = None,
) -> bytes:
    """Convert a network to an ONNX model without metadata.

    Args:
        graph: the network.
        precision: of the weights, and for ``int8`` and ``dynamic`` of the activations too.
        opset: version of the ONNX operator set, one of ``OPSETS``.
        integer_network: the same network in integers, for ``int8`` only.
    """
    builder = GraphBuilder()
    if isinstance(integer_network, IntegerGraph):
        add_integer_steps(builder, integer_network)
        return builder.model(opset)
    if graph.steps is not None:
        add_steps(builder, graph.steps, precision)
        return builder.model(opset)
    pixels = builder.add("Flatten", [INPUT_NAME], "pixels", axis=1)
    if integer_network is not None:
        _integer_layers(builder, integer_network, pixels)
    elif precision == "dynamic":
        _dynamic_layers(builder, graph, pixels)
    else:
        _float_layers(builder, graph, pixels, half=precision == "float16")
    return builder.model(opset)


def add_metadata(content: bytes, metadata: ModelMetadata) -> bytes:
    """Put the metadata into a serialized ONNX model."""
    model = onnx.load_from_string(content)
    helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    return bytes(model.SerializeToString(deterministic=True))


def _activated(builder: GraphBuilder, layer: WeightedLayer | IntegerLayer, sums: str, index: int) -> str:
    """Add what is done to a layer's sums."""
    return _ACTIVATIONS[layer.activation](builder, sums, index)


_ACTIVATIONS: dict[str, Callable[[GraphBuilder, str, int], str]] = {
    "relu": lambda builder, sums, index: builder.add("Relu", [sums], f"relu_{index}"),
    "softmax": lambda builder, sums, _: builder.add("Softmax", [sums], OUTPUT_NAME, axis=-1),
}
"""By Keras' name, what adds an activation; softmax comes last, and gives the probabilities."""


def _float_layers(builder: GraphBuilder, graph: InferenceGraph, pixels: str, *, half: bool) -> None:
    """Add Cast and all layers; with ``half``, weights that are stored as float16 and widened when loaded."""
    values = builder.add("Cast", [pixels], "values", to=TensorProto.FLOAT)

    def parameter(name: str, value: npt.NDArray[Any]) -> str:
        return builder.parameter(name, value, half=half)

    for index, layer in enumerate(graph.network.layers, start=1):
        sums = _FLOAT[type(layer)](builder, layer, values, index, parameter)
        values = _activated(builder, layer, sums, index)


_Parameter = Callable[[str, npt.NDArray[Any]], str]
"""Adds weights or biases by name and returns the name of the float32 tensor that they are."""


def _float_dense(
    builder: GraphBuilder, layer: WeightedDense, values: str, index: int, parameter: _Parameter
) -> str:
    parameters = [parameter(f"kernel_{index}", layer.kernel), parameter(f"bias_{index}", layer.bias)]
    return builder.add("Gemm", [values, *parameters], f"gemm_{index}")


_FLOAT: dict[type[WeightedLayer], Callable[[GraphBuilder, Any, str, int, _Parameter], str]] = {
    WeightedDense: _float_dense,
}
"""By kind, what adds a layer in floats and returns the name of its sums."""


@dataclass(frozen=True)
class _Quantized:
    """A uint8 tensor of an activation; the names of scale and zero point are empty for the pixels themselves."""

    values: str
    scale: str = ""
    zero_point: str = ""


def _dynamic_layers(builder: GraphBuilder, graph: InferenceGraph, pixels: str) -> None:
    """Add integer products of int8 weights with activations whose range is looked up while it runs.

    The first layer takes the pixels as they are: they are quantized already.
    """
    quantized = _Quantized(pixels)
    for index, layer in enumerate(graph.network.layers, start=1):
        sums = _DYNAMIC[type(layer)](builder, layer, quantized, index)
        values = _activated(builder, layer, sums, index)
        if index < len(graph.network.layers):
            quantized = _Quantized(f"quantized_{index}", f"scale_{index}", f"zero_point_{index}")
            outputs = [quantized.values, quantized.scale, quantized.zero_point]
            builder.nodes.append(
                helper.make_node("DynamicQuantizeLinear", [values], outputs, name=quantized.values)
            )


def _dynamic_dense(builder: GraphBuilder, layer: WeightedDense, quantized: _Quantized, index: int) -> str:
    whole, scales = symmetric(layer.kernel, 1)
    weights = builder.constant(f"weights_{index}", whole)
    factors = builder.constant(f"weight_scales_{index}", scales)
    inputs = [quantized.values, weights, *([quantized.zero_point] if quantized.zero_point else [])]
    sums = builder.add("MatMulInteger", inputs, f"sums_{index}")
    values = builder.add("Cast", [sums], f"float_sums_{index}", to=TensorProto.FLOAT)
    if quantized.scale:
        factors = builder.add("Mul", [quantized.scale, factors], f"factors_{index}")
    values = builder.add("Mul", [values, factors], f"products_{index}")
    return builder.add("Add", [values, builder.constant(f"bias_{index}", layer.bias)], f"biased_{index}")


_DYNAMIC: dict[type[WeightedLayer], Callable[[GraphBuilder, Any, _Quantized, int], str]] = {
    WeightedDense: _dynamic_dense,
}
"""By kind, what adds a layer with int8 weights and returns the name of its float sums."""


def _integer_layers(builder: GraphBuilder, network: IntegerNetwork, pixels: str) -> None:
    """Add all layers between DequantizeLinear and QuantizeLinear; onnxruntime fuses each Gemm into a QGemm.

    The uint8 pixels need no QuantizeLinear: they are quantized, with scale 1/255 and zero point 0. Logits stay float.
    """
    input_scale = np.float32(1 / PIXEL_MAX)
    zero = builder.constant("zero", np.uint8(0))
    scale = builder.constant("scale_0", input_scale)
    values = builder.add("DequantizeLinear", [pixels, scale, zero], "values_0")
    for index, layer in enumerate(network.layers, start=1):
        # The integer network counts in pixels from 0 to 255, the first layer here in values from 0 to 1.
        factor = np.float32(PIXEL_MAX if index == 1 else 1)
        add_layer = _INTEGER[type(layer)]
        sums = add_layer(builder, layer, values, index, input_scale, factor, network.per_channel)
        values = _activated(builder, layer, sums, index)
        if index < len(network.layers):
            input_scale = np.float32(layer.output.scale)
            scale = builder.constant(f"scale_{index}", input_scale)
            quantized = builder.add("QuantizeLinear", [values, scale, zero], f"quantized_{index}")
            values = builder.add("DequantizeLinear", [quantized, scale, zero], f"values_{index}")


def _integer_dense(
    builder: GraphBuilder,
    layer: IntegerDense,
    values: str,
    index: int,
    input_scale: np.float32,
    factor: np.float32,
    per_channel: bool,
) -> str:
    weight_scales = layer.weight_scales * factor
    parameters = []
    for name, value, scales in (
        (f"kernel_{index}", layer.weights, weight_scales),
        (f"bias_{index}", layer.bias, input_scale * weight_scales),
    ):
        # onnxruntime fuses only where every zero point is written out, though 0 is the default.
        zeros = np.zeros_like(value, shape=scales.shape if per_channel else ())
        inputs = [
            builder.constant(f"{name}_q", value),
            builder.constant(f"{name}_scale", scales if per_channel else scales[0]),
            builder.constant(f"{name}_zero", zeros),
        ]
        # One axis for kernel and bias: the units come last in both.
        axis = {"axis": value.ndim - 1} if per_channel else {}
        parameters.append(builder.add("DequantizeLinear", inputs, name, **axis))
    return builder.add("Gemm", [values, *parameters], f"gemm_{index}")


_INTEGER: dict[
    type[IntegerLayer], Callable[[GraphBuilder, Any, str, int, np.float32, np.float32, bool], str]
] = {IntegerDense: _integer_dense}
"""By kind, what adds a layer in integers and returns the name of its float sums: of the dequantized input, its scale,
the factor of the weights' scales, and whether each unit has a scale."""


class OnnxFormat(ExportFormat):
    """``.onnx`` files."""

    tools: ClassVar[tuple[str, ...]] = ("keras", "onnx")
    any_layers: ClassVar[frozenset[Precision]] = frozenset({"float32", "float16", "dynamic", "int8"})
    float_steps: ClassVar[frozenset[Precision]] = frozenset({"float32"})

    def convert(
        self,
        graph: InferenceGraph,
        integers: IntegerNetwork | IntegerGraph | None,
        precision: Precision,
        options: ExportOptions,
    ) -> bytes:
        """See ``ExportFormat.convert``."""
        return to_onnx(graph, precision, opset=options.opset, integer_network=integers)

    def stamp(
        self, model: str, made: Converted, metadata: ModelMetadata, options: ExportOptions, split: Split
    ) -> dict[str, bytes]:
        """See ``ExportFormat.stamp``."""
        return {model: add_metadata(made.content, metadata)}

    def integer_form(self, precision: Precision, options: ExportOptions) -> IntegerForm | None:
        """See ``ExportFormat.integer_form``."""
        if precision != "int8":
            return None
        return REDUCED_ONNX_FORM if options.reduce_range else ONNX_FORM

    def record(
        self,
        path: Path,
        made: Converted,
        metadata: ModelMetadata,
        options: ExportOptions,
        split: Split,
        progress: Progress,
    ) -> FormatRecord:
        """Return the version of the operator set."""
        return FormatRecord({"opset": options.opset})


ONNX = OnnxFormat()
