"""To ONNX: float32, float16 weights, dynamic range, and int8, all of standard operators.

The graphs are built operator by operator, as onnxruntime's fused kernels want them: one Gemm per layer, no stray Add,
no shape arithmetic, the batch free, names that are the same in every run.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgedigits.contract import CLASSES, IMAGE_SIDE, INPUT_NAME, OUTPUT_NAME, PIXEL_MAX
from edgedigits.datasets.split import Split
from edgedigits.format_table import Precision
from edgedigits.metadata import METADATA_KEY, ModelMetadata
from edgedigits.progress import Progress
from edgedigits_export.formats.export_format import ExportFormat, FormatRecord
from edgedigits_export.inference_graph import InferenceGraph
from edgedigits_export.integers.calibration import ONNX_FORM, REDUCED_ONNX_FORM, IntegerForm
from edgedigits_export.integers.quantization import IntegerNetwork
from edgedigits_export.targets import DEFAULT_OPSET, ExportOptions

IR_VERSION = 8
"""Read by every onnxruntime that reads these opsets."""
FREE_BATCH = "n"
DYNAMIC_WEIGHT_MAX = 127


@dataclass
class _GraphBuilder:
    """Collects the operators and constants of a graph in the order in which they run."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        """Add a constant tensor and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add an operator with one output and return that tensor's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def model(self, opset: int) -> bytes:
        """Check the graph and serialize it as a model."""
        graph = helper.make_graph(
            self.nodes,
            "edgedigits",
            [
                helper.make_tensor_value_info(
                    INPUT_NAME, TensorProto.UINT8, [FREE_BATCH, IMAGE_SIDE, IMAGE_SIDE]
                )
            ],
            [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [FREE_BATCH, CLASSES])],
            self.constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", opset)],
            ir_version=IR_VERSION,
            producer_name="edgedigits",
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def to_onnx(
    graph: InferenceGraph,
    precision: Precision = "float32",
    *,
    opset: int = DEFAULT_OPSET,
    integer_network: IntegerNetwork | None = None,
) -> bytes:
    """Convert a network to an ONNX model without metadata.

    Args:
        graph: the network.
        precision: of the weights, and for ``int8`` and ``dynamic`` of the activations too.
        opset: version of the ONNX operator set, one of ``OPSETS``.
        integer_network: the same network in integers, for ``int8`` only.
    """
    builder = _GraphBuilder()
    pixels = builder.add("Flatten", [INPUT_NAME], "pixels", axis=1)
    if integer_network is not None:
        logits = _integer_layers(builder, integer_network, pixels)
    elif precision == "dynamic":
        logits = _dynamic_layers(builder, graph, pixels)
    else:
        logits = _float_layers(builder, graph, pixels, half=precision == "float16")
    builder.add("Softmax", [logits], OUTPUT_NAME, axis=-1)
    return builder.model(opset)


def add_metadata(content: bytes, metadata: ModelMetadata) -> bytes:
    """Put the metadata into a serialized ONNX model."""
    model = onnx.load_from_string(content)
    helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    return bytes(model.SerializeToString(deterministic=True))


def _float_layers(builder: _GraphBuilder, graph: InferenceGraph, pixels: str, *, half: bool) -> str:
    """Add Cast and one Gemm per layer; with ``half``, weights that are stored as float16 and widened when loaded."""
    values = builder.add("Cast", [pixels], "values", to=TensorProto.FLOAT)
    for index, (kernel, bias) in enumerate(graph.layers, start=1):
        parameters = []
        for name, value in ((f"kernel_{index}", kernel), (f"bias_{index}", bias)):
            if half:
                stored = builder.constant(f"{name}_half", value.astype(np.float16))
                parameters.append(builder.add("Cast", [stored], name, to=TensorProto.FLOAT))
            else:
                parameters.append(builder.constant(name, value))
        values = builder.add("Gemm", [values, *parameters], f"gemm_{index}")
        if index < len(graph.layers):
            values = builder.add("Relu", [values], f"relu_{index}")
    return values


def _dynamic_layers(builder: _GraphBuilder, graph: InferenceGraph, pixels: str) -> str:
    """Add integer products of int8 weights with activations whose range is looked up while it runs.

    The first layer takes the pixels as they are: they are quantized already.
    """
    quantized, zero_point, scale = pixels, "", ""
    for index, (kernel, bias) in enumerate(graph.layers, start=1):
        scales = np.maximum(np.abs(kernel).max(axis=0), np.finfo(np.float32).tiny) / DYNAMIC_WEIGHT_MAX
        weights = builder.constant(f"weights_{index}", np.rint(kernel / scales).astype(np.int8))
        factors = builder.constant(f"weight_scales_{index}", scales.astype(np.float32))
        inputs = [quantized, weights, zero_point] if zero_point else [quantized, weights]
        sums = builder.add("MatMulInteger", inputs, f"sums_{index}")
        values = builder.add("Cast", [sums], f"float_sums_{index}", to=TensorProto.FLOAT)
        if scale:
            factors = builder.add("Mul", [scale, factors], f"factors_{index}")
        values = builder.add("Mul", [values, factors], f"products_{index}")
        values = builder.add("Add", [values, builder.constant(f"bias_{index}", bias)], f"biased_{index}")
        if index < len(graph.layers):
            values = builder.add("Relu", [values], f"relu_{index}")
            quantized, scale, zero_point = (
                f"{kind}_{index}" for kind in ("quantized", "scale", "zero_point")
            )
            outputs = [quantized, scale, zero_point]
            builder.nodes.append(helper.make_node("DynamicQuantizeLinear", [values], outputs, name=quantized))
    return values


def _integer_layers(builder: _GraphBuilder, network: IntegerNetwork, pixels: str) -> str:
    """Add one Gemm per layer between DequantizeLinear and QuantizeLinear; onnxruntime fuses each into a QGemm.

    The uint8 pixels need no QuantizeLinear: they are quantized, with scale 1/255 and zero point 0. Logits stay float.
    """
    input_scale = np.float32(1 / PIXEL_MAX)
    zero = builder.constant("zero", np.uint8(0))
    scale = builder.constant("scale_0", input_scale)
    values = builder.add("DequantizeLinear", [pixels, scale, zero], "values_0")
    for index, layer in enumerate(network.layers, start=1):
        # The integer network counts in pixels from 0 to 255, the first layer here in values from 0 to 1.
        weight_scales = layer.weight_scales * np.float32(PIXEL_MAX if index == 1 else 1)
        parameters = []
        for name, value, scales in (
            (f"kernel_{index}", layer.weights, weight_scales),
            (f"bias_{index}", layer.bias, input_scale * weight_scales),
        ):
            # onnxruntime fuses only where every zero point is written out, though 0 is the default.
            zeros = np.zeros_like(value, shape=scales.shape if network.per_channel else ())
            inputs = [
                builder.constant(f"{name}_q", value),
                builder.constant(f"{name}_scale", scales if network.per_channel else scales[0]),
                builder.constant(f"{name}_zero", zeros),
            ]
            # One axis for kernel and bias: the units come last in both.
            axis = {"axis": value.ndim - 1} if network.per_channel else {}
            parameters.append(builder.add("DequantizeLinear", inputs, name, **axis))
        values = builder.add("Gemm", [values, *parameters], f"gemm_{index}")
        if index < len(network.layers):
            values = builder.add("Relu", [values], f"relu_{index}")
            input_scale = np.float32(layer.output.scale)
            scale = builder.constant(f"scale_{index}", input_scale)
            quantized = builder.add("QuantizeLinear", [values, scale, zero], f"quantized_{index}")
            values = builder.add("DequantizeLinear", [quantized, scale, zero], f"values_{index}")
    return values


class OnnxFormat(ExportFormat):
    """``.onnx`` files."""

    tools: ClassVar[tuple[str, ...]] = ("keras", "onnx")

    def convert(
        self,
        graph: InferenceGraph,
        integers: IntegerNetwork | None,
        precision: Precision,
        options: ExportOptions,
    ) -> bytes:
        """See ``ExportFormat.convert``."""
        return to_onnx(graph, precision, opset=options.opset, integer_network=integers)

    def stamp(
        self, model: str, content: bytes, metadata: ModelMetadata, options: ExportOptions, split: Split
    ) -> dict[str, bytes]:
        """See ``ExportFormat.stamp``."""
        return {model: add_metadata(content, metadata)}

    def integer_form(self, precision: Precision, options: ExportOptions) -> IntegerForm | None:
        """See ``ExportFormat.integer_form``."""
        if precision != "int8":
            return None
        return REDUCED_ONNX_FORM if options.reduce_range else ONNX_FORM

    def record(
        self,
        path: Path,
        content: bytes,
        metadata: ModelMetadata,
        options: ExportOptions,
        split: Split,
        progress: Progress,
    ) -> FormatRecord:
        """Return the version of the operator set."""
        return FormatRecord({"opset": options.opset})


ONNX = OnnxFormat()
