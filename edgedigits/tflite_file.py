"""Read a ``.tflite`` flatbuffer without running it: its metadata, operators and tensors."""

import struct
from dataclasses import dataclass
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import METADATA_KEY, ModelMetadata
from edgedigits.errors import ContractError, ModelFileError

IDENTIFIER = b"TFL3"

_OPERATOR_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
_TYPE_NAMES = {
    code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")
}


@dataclass(frozen=True)
class TfliteGraph:
    """What a ``.tflite`` file is made of."""

    operators: tuple[str, ...]
    """In the order in which they run: ``("RESHAPE", "FULLY_CONNECTED", ...)``."""
    tensor_types: frozenset[str]
    """Types of all tensors, weights and activations: ``{"int8", "int32"}``."""
    metadata: bytes | None
    """The JSON under ``METADATA_KEY``, if there is any."""


def read_graph(path: Path, content: bytes) -> TfliteGraph:
    """Take a TFLite flatbuffer apart.

    Raises:
        ModelFileError: the content is no TFLite model.
    """
    if content[4:8] != IDENTIFIER:
        raise ModelFileError(path, f"no TFLite model: expected the identifier TFL3, found {content[4:8]!r}")
    try:
        model = schema.Model.GetRootAs(content, 0)
        graph = model.Subgraphs(0)
        codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
        operators = [
            codes[graph.Operators(index).OpcodeIndex()].BuiltinCode()
            for index in range(graph.OperatorsLength())
        ]
        types = {graph.Tensors(index).Type() for index in range(graph.TensorsLength())}
        metadata = None
        for index in range(model.MetadataLength()):
            entry = model.Metadata(index)
            if entry.Name() == METADATA_KEY.encode():
                buffer = model.Buffers(entry.Buffer())
                metadata = bytes(buffer.Data(i) for i in range(buffer.DataLength()))
    except (
        struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError
    ) as error:  # fmt: skip
        # Offsets inside a damaged flatbuffer lead anywhere; each of these is what Python says of it.
        raise ModelFileError(
            path, f"no whole TFLite model ({type(error).__name__} while reading it)"
        ) from error
    return TfliteGraph(
        operators=tuple(_OPERATOR_NAMES.get(code, f"operator {code}") for code in operators),
        tensor_types=frozenset(_TYPE_NAMES.get(code, f"type {code}") for code in types),
        metadata=metadata,
    )


def read_metadata(path: Path, content: bytes) -> ModelMetadata:
    """Return what a ``.tflite`` file says of itself.

    Raises:
        ModelFileError: the content is no TFLite model.
        ContractError: it says nothing, or something that the contract does not allow.
    """
    graph = read_graph(path, content)
    if graph.metadata is None:
        raise ContractError(path, "edgedigits metadata inside the file", "none")
    return ModelMetadata.from_json(graph.metadata, path)
