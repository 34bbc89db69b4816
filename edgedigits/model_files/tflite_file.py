"""Reads a ``.tflite`` flatbuffer without running it; ``tflite_graph`` and ``tflite_chain`` check what its graph does.

LiteRT follows offsets, indices and shapes as the file states them, and a wrong one ends the process. So the file is
read here first, field by field.

Schema: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from dataclasses import dataclass
from pathlib import Path

from edgedigits.errors import ContractError, ModelFileError
from edgedigits.format_table import Precision
from edgedigits.metadata import LONGEST_JSON, METADATA_KEY, ModelMetadata
from edgedigits.model_files.budget import Budget, TooMuchError
from edgedigits.model_files.flatbuffer import DamagedFlatbufferError, Schema, Table, read_flatbuffer
from edgedigits.model_files.tflite_chain import NAMES, check_operator_chain
from edgedigits.model_files.tflite_graph import (
    TYPE_NAMES,
    InconsistentError,
    described_tensor,
    require,
)
from edgedigits.model_files.tflite_map_operators import MAP_OPTIONS, MAP_SCHEMA

IDENTIFIER = b"TFL3"
VERSION = 3

_OPTIONS = {8: "fully_connected_options", 9: "softmax_options", 17: "no_options", 37: "no_options",
            46: "no_options", 89: "no_options", **MAP_OPTIONS}  # fmt: skip
"""BuiltinOptions: of FULLY_CONNECTED, SOFTMAX, RESHAPE, CAST, DEQUANTIZE and QUANTIZE, then of other networks."""

SCHEMA: Schema = {
    "model": {
        0: ("version", "uint32"),
        1: ("operator_codes", "[operator_code]"),
        2: ("subgraphs", "[subgraph]"),
        3: ("description", "text"),
        4: ("buffers", "[buffer]"),
        6: ("metadata", "[metadata]"),
        7: ("signatures", "[signature]"),
    },
    "operator_code": {
        0: ("deprecated_code", "int8"),
        2: ("version", "int32"),
        3: ("code", "int32"),
        1: ("custom_code", "text"),
    },
    "subgraph": {
        0: ("tensors", "[tensor]"),
        1: ("inputs", "[int32]"),
        2: ("outputs", "[int32]"),
        3: ("operators", "[operator]"),
        4: ("name", "text"),
    },
    "tensor": {
        0: ("shape", "[int32]"),
        1: ("type", "int8"),
        2: ("buffer", "uint32"),
        3: ("name", "text"),
        4: ("quantization", "quantization"),
        7: ("shape_signature", "[int32]"),
        8: ("has_rank", "bool"),
    },
    "quantization": {
        0: ("min", "[float32]"),
        1: ("max", "[float32]"),
        2: ("scale", "[float32]"),
        3: ("zero_point", "[int64]"),
        6: ("axis", "int32"),
    },
    "operator": {
        0: ("code_index", "uint32"),
        1: ("inputs", "[int32]"),
        2: ("outputs", "[int32]"),
        3: ("options_type", "uint8"),
        4: ("options", _OPTIONS),
    },
    "fully_connected_options": {
        0: ("activation", "int8"),
        3: ("asymmetric_inputs", "bool"),
    },
    "softmax_options": {0: ("beta", "float32")},
    "no_options": {0: ("first", "int8"), 1: ("second", "int8")},
    "buffer": {0: ("data", "bytes")},
    "metadata": {0: ("name", "text"), 1: ("buffer", "uint32")},
    "signature": {
        0: ("inputs", "[named_tensor]"),
        1: ("outputs", "[named_tensor]"),
        2: ("key", "text"),
        4: ("subgraph_index", "uint32"),
    },
    "named_tensor": {0: ("name", "text"), 1: ("index", "uint32")},
    **MAP_SCHEMA,
}


@dataclass(frozen=True)
class TfliteGraph:
    """What a ``.tflite`` file is made of."""

    operators: tuple[str, ...]
    """In the order in which they run: ``("RESHAPE", "FULLY_CONNECTED", ...)``."""
    tensor_types: frozenset[str]
    """Types of all tensors, weights and activations: ``{"int8", "int32"}``."""
    precisions: tuple[Precision, ...]
    """In which the weights are kept, whatever the metadata say: one, but for networks too small to tell."""
    widths: tuple[int, ...] | None
    """Of all layers of a chain of Dense layers, the ten classes last; None for any other network."""
    is_sigmoid: bool
    """Whether what comes out are sigmoids, and no softmax."""
    metadata: bytes | None
    """The JSON under ``METADATA_KEY``, if there is any."""


def read_graph(path: Path, content: bytes) -> TfliteGraph:
    """Take a TFLite flatbuffer apart and check that LiteRT can be given it.

    Raises:
        ModelFileError: the content is no TFLite model, or one that does not hold together.
        ContractError: a model with other operators than edgedigits exports.
    """
    if content[4:8] != IDENTIFIER:
        raise ModelFileError(path, f"no TFLite model: expected the identifier TFL3, found {content[4:8]!r}")
    budget = Budget()
    try:
        model = read_flatbuffer(SCHEMA, "model", content, budget)
        buffers = _check_frame(model)
        codes = [_operator_code(path, code) for code in model.get("operator_codes", [])]
        graph = model["subgraphs"][0]
        tensors = [described_tensor(table, buffers) for table in graph.get("tensors", [])]
        chain = check_operator_chain(graph, tensors, codes, budget)
        metadata = _metadata(model)
    except (DamagedFlatbufferError, InconsistentError, TooMuchError) as error:
        raise ModelFileError(path, f"no whole TFLite model ({error})") from error
    return TfliteGraph(
        operators=tuple(NAMES[code] for code in chain.operators),
        tensor_types=frozenset(TYPE_NAMES[tensor.type] for tensor in tensors),
        precisions=chain.precisions,
        widths=chain.widths,
        is_sigmoid=chain.is_sigmoid,
        metadata=metadata,
    )


def read_metadata(path: Path, content: bytes) -> ModelMetadata:
    """Return what a ``.tflite`` file says of itself.

    Raises:
        ModelFileError: the content is no TFLite model, or one that does not hold together.
        ContractError: it says nothing, or something that the contract does not allow.
    """
    return metadata_of(path, read_graph(path, content))


def metadata_of(path: Path, graph: TfliteGraph) -> ModelMetadata:
    """Return what a ``.tflite`` file says of itself, as ``read_metadata`` does, where it has been read already."""
    if graph.metadata is None:
        raise ContractError(path, "edgedigits metadata inside the file", "none")
    return ModelMetadata.from_json(graph.metadata, path)


def _check_frame(model: Table) -> list[Table]:
    """Check all that is not the graph, and return the buffers."""
    require(model.get("version") == VERSION, f"version {VERSION} of the format")
    buffers: list[Table] = model.get("buffers", [])
    require(len(buffers) > 0 and not buffers[0].get("data"), "an empty first buffer")
    require(len(model.get("subgraphs", [])) == 1, "one subgraph")
    tensors = len(model["subgraphs"][0].get("tensors", []))
    for entry in model.get("metadata", []):
        require(entry.get("buffer", 0) < len(buffers), "metadata in one of the buffers")
    for signature in model.get("signatures", []):
        named = signature.get("inputs", []) + signature.get("outputs", [])
        require(
            all(one.get("index", 0) < tensors and "name" in one for one in named), "signatures of tensors"
        )
        require(signature.get("subgraph_index", 0) == 0 and "key" in signature, "signatures of the subgraph")
    return buffers


def _metadata(model: Table) -> bytes | None:
    found = [entry for entry in model.get("metadata", []) if entry.get("name") == METADATA_KEY]
    if not found:
        return None
    data = model["buffers"][found[-1].get("buffer", 0)].get("data", b"")
    require(len(data) <= LONGEST_JSON, f"at most {LONGEST_JSON:,} bytes of metadata")
    return bytes(data)


def _operator_code(path: Path, code: Table) -> int:
    """Return the BuiltinOperator; files of old converters have it in a field of eight bits."""
    number = max(code.get("code", 0), code.get("deprecated_code", 0))
    if number not in NAMES:
        custom = code.get("custom_code")
        found = f"a custom operator {custom}" if custom is not None else f"operator {number}"
        raise ContractError(path, f"operators {', '.join(NAMES.values())}", found)
    require("custom_code" not in code, "no custom code of a known operator")
    return int(number)
