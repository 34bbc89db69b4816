"""To ONNX, by tf2onnx, with names that are the contract's and the same in every run."""

import logging
from collections.abc import Iterable

import onnx
import tf2onnx
from google.protobuf.message import Message

from edgedigits.contract import CLASSES, IMAGE_SIDE, INPUT_NAME, METADATA_KEY, OUTPUT_NAME, ModelMetadata
from edgedigits.native_output import hidden_native_output
from edgedigits.training.backend import tf
from edgedigits_export.inference_graph import InferenceGraph

OPSETS = range(13, 19)
"""What tf2onnx writes and onnxruntime 1.17 and newer read."""
DEFAULT_OPSET = 17
IR_VERSION = 8
"""Read by every onnxruntime that reads these opsets."""
FREE_BATCH = "n"


def to_onnx(graph: InferenceGraph, opset: int = DEFAULT_OPSET) -> bytes:
    """Convert a network to an ONNX model without metadata.

    Args:
        graph: the network.
        opset: version of the ONNX operator set, one of ``OPSETS``.
    """
    signature = [tf.TensorSpec([None, IMAGE_SIDE, IMAGE_SIDE], tf.uint8, name=INPUT_NAME)]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with hidden_native_output():
        model, _ = tf2onnx.convert.from_function(graph.module(tf.uint8).serve, signature, opset=opset)
    _rename(model)
    model.ir_version = IR_VERSION
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used or not entry.domain]
    _replace(model.opset_import, kept)
    _free_batch(model.graph.input[0], (IMAGE_SIDE, IMAGE_SIDE))
    _free_batch(model.graph.output[0], (CLASSES,))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def add_metadata(content: bytes, metadata: ModelMetadata) -> bytes:
    """Put the metadata into a serialized ONNX model."""
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    return bytes(model.SerializeToString(deterministic=True))


def _rename(model: onnx.ModelProto) -> None:
    """Number tensors and nodes in graph order; tf2onnx' own names count up from export to export."""
    graph = model.graph
    names = {graph.input[0].name: INPUT_NAME, graph.output[0].name: OUTPUT_NAME}
    for index, node in enumerate(graph.node):
        for output in node.output:
            names.setdefault(output, f"{node.op_type.lower()}_{index}")
    for initializer in graph.initializer:
        names.setdefault(initializer.name, f"constant_{len(names)}")
    for index, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{index}"
        node.doc_string = ""
        _replace(node.input, [names[name] for name in node.input])
        _replace(node.output, [names[name] for name in node.output])
    for tensor in (*graph.input, *graph.output, *graph.initializer):
        tensor.name = names[tensor.name]
        tensor.doc_string = ""
    _replace(graph.value_info, [])
    graph.name = "edgedigits"
    graph.doc_string = model.doc_string = ""


def _free_batch(tensor: onnx.ValueInfoProto, sides: tuple[int, ...]) -> None:
    shape = onnx.helper.make_tensor_value_info("", 0, [FREE_BATCH, *sides]).type.tensor_type.shape
    tensor.type.tensor_type.shape.CopyFrom(shape)


def _replace(field: list[Message], values: Iterable[Message | str]) -> None:
    """Give a repeated protobuf field new values."""
    kept = list(values)
    del field[:]
    field.extend(kept)
