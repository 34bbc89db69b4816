"""To TFLite: float32, float16 weights, dynamic range, and fully integer.

The converter takes a concrete function, not the Keras model: no shape arithmetic is left in the graph, and the batch
stays free. What comes out is checked operator by operator before anybody sees it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import IMAGE_SIDE, PIXEL_MAX
from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError
from edgedigits.format_table import Precision
from edgedigits.metadata import METADATA_KEY, ModelMetadata
from edgedigits.model_files.network_spec import Dense, LayerSpec
from edgedigits.model_files.tflite_file import IDENTIFIER, read_graph
from edgedigits.native_output import hidden_native_output
from edgedigits.networks.backend import tf
from edgedigits_export.formats.export_format import ExportFormat
from edgedigits_export.formats.tflite_integer_steps import integers_to_tflite
from edgedigits_export.inference_graph import InferenceGraph
from edgedigits_export.integers.calibration import TFLITE_FORM, IntegerForm
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.quantization import IntegerDense, IntegerLayer, IntegerNetwork
from edgedigits_export.targets import ExportOptions

ALIGNMENT = 16
"""Bytes: the TFLite schema marks buffers ``force_align: 16``, and microcontrollers rely on it."""
INT8_OFFSET = 128
"""Between the uint8 that activations are counted in here and the int8 of the file."""

EXPECTED_OPERATORS: dict[tuple[Precision, str], frozenset[str]] = {
    ("float32", "uint8"): frozenset({"CAST", "RESHAPE", "SOFTMAX"}),
    ("float16", "uint8"): frozenset({"CAST", "RESHAPE", "SOFTMAX", "DEQUANTIZE"}),
    ("dynamic", "uint8"): frozenset({"CAST", "RESHAPE", "SOFTMAX"}),
    ("int8", "int8"): frozenset({"RESHAPE", "SOFTMAX"}),
    ("int8", "uint8"): frozenset({"QUANTIZE", "RESHAPE", "SOFTMAX"}),
}
"""Around the layers, whose own are in ``LAYER_OPERATORS``."""
LAYER_OPERATORS: dict[type[LayerSpec], str] = {Dense: "FULLY_CONNECTED"}
"""By kind, the operator that a layer is in every precision; a ReLU is part of it."""
INTEGER_TYPES = frozenset({"int8", "int32", "uint8"})


def to_tflite(
    graph: InferenceGraph,
    precision: Precision,
    *,
    integer_network: IntegerNetwork | None = None,
    edges: Literal["uint8", "int8"] = "uint8",
) -> bytes:
    """Convert a network to a TFLite flatbuffer without metadata.

    Args:
        graph: the network.
        precision: of weights, and for ``int8`` of everything.
        integer_network: the same network in integers, for ``int8`` only.
        edges: type of input and output of an ``int8`` file; every other file takes uint8 and gives float32.

    Raises:
        ContractError: the converter made a graph that the contract does not allow.
    """
    integer = precision == "int8"
    module = graph.module(tf.float32 if integer else tf.uint8)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.serve.get_concrete_function()], module
    )
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if integer:
        converter.representative_dataset = _placeholder_images
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, edges)
    with hidden_native_output():
        content = bytes(converter.convert())
    if integer_network is not None:
        content = _with_integers(content, integer_network)
    layers = {LAYER_OPERATORS[type(layer.spec)] for layer in graph.network.layers}
    _check_graph(content, EXPECTED_OPERATORS[precision, edges] | layers, precision)
    return content


def add_metadata(content: bytes, metadata: ModelMetadata) -> bytes:
    """Put the metadata into a flatbuffer, and all its buffers on 16-byte boundaries."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    model.buffers.append(_AlignedBuffer(np.frombuffer(metadata.to_json().encode(), np.uint8)))
    entry = schema.MetadataT()
    entry.name = METADATA_KEY.encode()
    entry.buffer = len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return _pack(model)


def _pack(model: Any) -> bytes:
    model.buffers = [_AlignedBuffer(buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder(1 << 17)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _with_integers(content: bytes, network: IntegerNetwork) -> bytes:
    """Put our own weights, biases and ranges in place of those that the converter chose.

    The converter lays the graph out; what it was calibrated with does not matter, since all of that is replaced here.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    layer_codes = {getattr(schema.BuiltinOperator, name) for name in LAYER_OPERATORS.values()}
    operators = [
        operator
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode in layer_codes
    ]
    for operator, layer in zip(operators, network.layers, strict=True):
        for place, values, steps in _PARAMETERS[type(layer)](layer, network.per_channel):
            tensor = graph.tensors[operator.inputs[place]]
            # The converter keeps equal constants once; ours are each in a buffer of their own.
            model.buffers[tensor.buffer].data = None
            model.buffers.append(_AlignedBuffer(np.frombuffer(values.tobytes(), np.uint8)))
            tensor.buffer = len(model.buffers) - 1
            tensor.quantization.scale = steps
            tensor.quantization.zeroPoint = np.zeros(len(steps), np.int64)
        output = graph.tensors[operator.outputs[0]].quantization
        output.scale = np.array([layer.output.scale], np.float32)
        output.zeroPoint = np.array([layer.output.zero_point - INT8_OFFSET], np.int64)
    return _pack(model)


_Parameters = list[tuple[int, npt.NDArray[Any], npt.NDArray[np.float32]]]
"""Of each constant of an operator: which input it is, its integers as the file has them, and what a step is worth."""


def _dense_parameters(layer: IntegerDense, per_channel: bool) -> _Parameters:
    scales = layer.weight_scales if per_channel else layer.weight_scales[:1]
    return [(1, layer.weights.T, scales), (2, layer.bias, np.float32(layer.input.scale) * scales)]


_PARAMETERS: dict[type[IntegerLayer], Callable[[Any, bool], _Parameters]] = {IntegerDense: _dense_parameters}
"""By kind, its constants: of the layer, and of whether each unit has a scale."""


class _AlignedBuffer(schema.BufferT):
    """A buffer that packs as the schema says; the generated Python code forgets ``force_align``."""

    def __init__(self, data: Any) -> None:
        super().__init__()
        self.data = data

    def Pack(self, builder: Any) -> int:  # noqa: N802
        offset = None
        if self.data is not None and len(self.data):
            content = bytes(bytearray(self.data))
            builder.StartVector(1, len(content), ALIGNMENT)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            offset = builder.EndVector()
        schema.BufferStart(builder)
        if offset is not None:
            schema.BufferAddData(builder, offset)
        return int(schema.BufferEnd(builder))


def _placeholder_images() -> Iterator[list[npt.NDArray[np.float32]]]:
    """Give the converter the darkest and the lightest image: the input's range, and some range for all the rest."""
    for pixel in (0, PIXEL_MAX):
        yield [np.full((1, IMAGE_SIDE, IMAGE_SIDE), pixel, np.float32)]


def _check_graph(content: bytes, expected: frozenset[str], precision: Precision) -> None:
    """Refuse a graph with an operator or a tensor type that should not be there."""
    graph = read_graph(Path("converted model"), content)
    unexpected = sorted(set(graph.operators) - expected)
    if precision == "int8":
        unexpected += sorted(graph.tensor_types - INTEGER_TYPES)
    if unexpected:
        raise ContractError(
            Path(f"{precision} TFLite graph"),
            f"only {', '.join(sorted(expected))}",
            ", ".join(unexpected),
            "this version of the TensorFlow converter is not supported",
        )


class TfliteFormat(ExportFormat):
    """``.tflite`` files."""

    tools = ("tensorflow", "keras")

    def convert(
        self,
        graph: InferenceGraph,
        integers: IntegerNetwork | IntegerGraph | None,
        precision: Precision,
        options: ExportOptions,
    ) -> bytes:
        """Make the ``.tflite`` file, which is also what C files are made from, whatever these take themselves."""
        edges = TfliteFormat.edges(self, precision, options)
        if isinstance(integers, IntegerGraph):
            content = integers_to_tflite(integers, edges)
            read_graph(Path("written model"), content)
            return content
        return to_tflite(graph, precision, integer_network=integers, edges=edges)

    def stamp(
        self, model: str, content: bytes, metadata: ModelMetadata, options: ExportOptions, split: Split
    ) -> dict[str, bytes]:
        """See ``ExportFormat.stamp``."""
        return {model: add_metadata(content, metadata)}

    def integer_form(self, precision: Precision, options: ExportOptions) -> IntegerForm | None:
        """See ``ExportFormat.integer_form``."""
        return TFLITE_FORM if precision == "int8" else None

    def edges(self, precision: Precision, options: ExportOptions) -> Literal["uint8", "int8"]:
        """Return the type of the file's input, which can be chosen where all of it is integers."""
        return options.edges if precision == "int8" else "uint8"


TFLITE = TfliteFormat()
