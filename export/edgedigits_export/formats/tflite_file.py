"""To TFLite: float32, float16 weights, dynamic range, and fully integer.

The converter takes a concrete function, not the Keras model: no shape arithmetic is left in the graph, and the batch
stays free. What comes out is checked operator by operator before anybody sees it.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import IMAGE_SIDE, PIXEL_MAX
from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError
from edgedigits.format_table import Precision
from edgedigits.margins import STEPS
from edgedigits.metadata import METADATA_KEY, ModelMetadata
from edgedigits.model_files.network_spec import Dense, LayerSpec
from edgedigits.model_files.tflite_file import read_graph
from edgedigits.native_output import hidden_native_output
from edgedigits.networks.backend import tf
from edgedigits.picture.levels import Pixels
from edgedigits.runtimes.model import Model, Probabilities
from edgedigits_export.formats.export_format import Converted, ExportFormat
from edgedigits_export.formats.tflite_builder import AlignedBuffer, pack
from edgedigits_export.formats.tflite_float_steps import LONGEST_SEQUENCES, spelt_out
from edgedigits_export.formats.tflite_integer_steps import integers_to_tflite
from edgedigits_export.formats.tflite_steps import steps_to_tflite
from edgedigits_export.graph.steps import shapes_of
from edgedigits_export.inference_graph import InferenceGraph
from edgedigits_export.integers.calibration import TFLITE_FORM, IntegerForm
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.quantization import IntegerDense, IntegerLayer, IntegerNetwork
from edgedigits_export.integers.reference_kernels import quick_probabilities
from edgedigits_export.targets import ExportOptions

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
    with _no_bytecode():
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
    with hidden_native_output(), _no_bytecode():
        content = bytes(converter.convert())
    if integer_network is not None:
        content = _with_integers(content, integer_network)
    layers = {LAYER_OPERATORS[type(layer.spec)] for layer in graph.network.layers}
    _check_graph(content, EXPECTED_OPERATORS[precision, edges] | layers, precision)
    return content


@contextlib.contextmanager
def _no_bytecode() -> Iterator[None]:
    """Have AutoGraph, which imports what it generates from the temporary folder, leave no ``__pycache__`` there."""
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = kept


def add_metadata(content: bytes, metadata: ModelMetadata) -> bytes:
    """Put the metadata into a flatbuffer, and all its buffers on 16-byte boundaries."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    model.buffers.append(AlignedBuffer(np.frombuffer(metadata.to_json().encode(), np.uint8)))
    entry = schema.MetadataT()
    entry.name = METADATA_KEY.encode()
    entry.buffer = len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return pack(model)


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
            model.buffers.append(AlignedBuffer(np.frombuffer(values.tobytes(), np.uint8)))
            tensor.buffer = len(model.buffers) - 1
            tensor.quantization.scale = steps
            tensor.quantization.zeroPoint = np.zeros(len(steps), np.int64)
        output = graph.tensors[operator.outputs[0]].quantization
        output.scale = np.array([layer.output.scale], np.float32)
        output.zeroPoint = np.array([layer.output.zero_point - INT8_OFFSET], np.int64)
    return pack(model)


_Parameters = list[tuple[int, npt.NDArray[Any], npt.NDArray[np.float32]]]
"""Of each constant of an operator: which input it is, its integers as the file has them, and what a step is worth."""


def _dense_parameters(layer: IntegerDense, per_channel: bool) -> _Parameters:
    scales = layer.weight_scales if per_channel else layer.weight_scales[:1]
    return [(1, layer.weights.T, scales), (2, layer.bias, np.float32(layer.input.scale) * scales)]


_PARAMETERS: dict[type[IntegerLayer], Callable[[Any, bool], _Parameters]] = {IntegerDense: _dense_parameters}
"""By kind, its constants: of the layer, and of whether each unit has a scale."""


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
    any_layers = frozenset({"float32", "float16", "dynamic", "int8"})
    float_steps = frozenset({"float32"})

    def obstacle(self, graph: InferenceGraph, precision: Precision) -> str | None:
        """See ``ExportFormat.obstacle``; sequences are spelt out step by step here, as far as they are short."""
        found = super().obstacle(graph, precision)
        if found is None and graph.steps is not None:
            count = spelt_out(graph.steps, shapes_of(graph.steps))
            if count > LONGEST_SEQUENCES:
                return f"its cells take {count:,} steps in all, which are spelt out here: at most {LONGEST_SEQUENCES}"
        return found

    def convert(
        self,
        graph: InferenceGraph,
        integers: IntegerNetwork | IntegerGraph | None,
        precision: Precision,
        options: ExportOptions,
    ) -> bytes:
        """Make the ``.tflite`` file, which is also what C files are made from, whatever these take themselves."""
        edges = TfliteFormat.edges(self, precision, options)
        if graph.steps is None:
            network = integers if isinstance(integers, IntegerNetwork) else None
            return to_tflite(graph, precision, integer_network=network, edges=edges)
        content = (
            integers_to_tflite(integers, edges)
            if isinstance(integers, IntegerGraph)
            else steps_to_tflite(graph.steps, precision)
        )
        read_graph(Path("written model"), content)
        return content

    def stamp(
        self, model: str, made: Converted, metadata: ModelMetadata, options: ExportOptions, split: Split
    ) -> dict[str, bytes]:
        """See ``ExportFormat.stamp``."""
        return {model: add_metadata(made.content, metadata)}

    def answers(self, model: Model, made: Converted, pixels: Pixels) -> Probabilities:
        """Return the answers to fit a least lead to; of integers those of LiteRT, in whichever file they are.

        So files of the same integers say the same of themselves: C code is known by the hash of its ``.tflite``.
        """
        if made.integers is None:
            return super().answers(model, made, pixels)
        return quick_probabilities(made.content, pixels).astype(np.float32) / np.float32(STEPS)

    def integer_form(self, precision: Precision, options: ExportOptions) -> IntegerForm | None:
        """See ``ExportFormat.integer_form``."""
        return TFLITE_FORM if precision == "int8" else None

    def edges(self, precision: Precision, options: ExportOptions) -> Literal["uint8", "int8"]:
        """Return the type of the file's input, which can be chosen where all of it is integers."""
        return options.edges if precision == "int8" else "uint8"


TFLITE = TfliteFormat()
