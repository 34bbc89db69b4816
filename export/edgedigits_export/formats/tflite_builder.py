"""Collects the operators of a TFLite graph and writes it: one image input, one output, the batch free."""

from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import INPUT_NAME, OUTPUT_NAME
from edgedigits.model_files.network_spec import Shape
from edgedigits.model_files.tflite_file import IDENTIFIER, VERSION

ALIGNMENT = 16
"""Bytes: the TFLite schema marks buffers ``force_align: 16``, and microcontrollers rely on it."""
SIGNATURE = "serving_default"
TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int8": 9}
"""TensorType, by NumPy's name."""


@dataclass
class TfliteBuilder:
    """Collects tensors, constants and operators in the order in which they run."""

    tensors: list[schema.TensorT] = field(default_factory=list)
    buffers: list[schema.BufferT] = field(default_factory=lambda: [AlignedBuffer(None)])
    operators: list[schema.OperatorT] = field(default_factory=list)
    codes: dict[tuple[str, int], int] = field(default_factory=dict)
    """By operator and version, its place among those that the file declares."""

    def constant(
        self, name: str, values: npt.ArrayLike, scales: npt.NDArray[np.float32] | None = None, axis: int = 0
    ) -> int:
        """Add a constant tensor and return its place.

        Args:
            name: of the tensor.
            values: of one of ``TYPES``.
            scales: what one step of integers is worth: one, or one for each index of an axis.
            axis: that axis.
        """
        array = np.ascontiguousarray(values)
        self.buffers.append(AlignedBuffer(np.frombuffer(array.tobytes(), np.uint8)))
        tensor = self._tensor(name, array.shape, array.dtype.name, len(self.buffers) - 1)
        if scales is not None:
            tensor.quantization = _quantization(scales, np.zeros(len(scales), np.int64), axis)
        return len(self.tensors) - 1

    def computed(
        self, name: str, shape: Shape, kind: str = "float32", grid: tuple[float, int] | None = None
    ) -> int:
        """Add a tensor that an operator gives, or the input, and return its place.

        Args:
            name: of the tensor.
            shape: without the batch.
            kind: one of ``TYPES``.
            grid: of integers, what a step is worth and which one stands for 0.
        """
        tensor = self._tensor(name, (1, *shape), kind, 0)
        tensor.shapeSignature = np.array([-1, *shape], np.int32)
        if grid is not None:
            tensor.quantization = _quantization(grid[:1], grid[1:], 0)
        return len(self.tensors) - 1

    def widened(self, name: str, shape: Shape) -> int:
        """Add a float32 tensor that an operator makes of a constant, and return its place."""
        self._tensor(name, shape, "float32", 0)
        return len(self.tensors) - 1

    def add(
        self, operator: str, inputs: list[int], output: int, options: Any = None, version: int = 1
    ) -> int:
        """Add an operator and return the tensor that it gives.

        Args:
            operator: its name in the schema's BuiltinOperator.
            inputs: tensors.
            output: a tensor that no operator gives yet.
            options: an object of the generated schema, ``Conv2DOptionsT``.
            version: the lowest that has what is used of it.
        """
        entry = schema.OperatorT()
        entry.opcodeIndex = self.codes.setdefault((operator, version), len(self.codes))
        entry.inputs, entry.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            entry.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            entry.builtinOptions = options
        self.operators.append(entry)
        return output

    def model(self, image: int, probabilities: int) -> bytes:
        """Serialize the graph."""
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = np.array([image], np.int32), np.array([probabilities], np.int32)
        model = schema.ModelT()
        model.version, model.description = VERSION, "edgedigits"
        model.subgraphs, model.buffers = [graph], self.buffers
        model.operatorCodes = [_operator_code(*code) for code in self.codes]
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
        signature.inputs = [_named(INPUT_NAME, image)]
        signature.outputs = [_named(OUTPUT_NAME, probabilities)]
        model.signatureDefs = [signature]
        return pack(model)

    def _tensor(self, name: str, shape: Shape, kind: str, buffer: int) -> schema.TensorT:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, np.array(shape, np.int32), TYPES[kind]
        tensor.buffer, tensor.hasRank = buffer, True
        self.tensors.append(tensor)
        return tensor


class AlignedBuffer(schema.BufferT):
    """A buffer that packs as the schema says; the generated Python code forgets ``force_align``."""

    def __init__(self, data: Any) -> None:
        super().__init__()
        self.data = data

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the generated code's name
        """Write the buffer and return where it is."""
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


def pack(model: Any) -> bytes:
    """Serialize a model, all its buffers on 16-byte boundaries."""
    model.buffers = [AlignedBuffer(buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder(1 << 17)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _operator_code(operator: str, version: int) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = min(
        code.builtinCode, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
    )
    code.version = version
    return code


def _quantization(scales: Any, zero_points: Any, axis: int) -> schema.QuantizationParametersT:
    found = schema.QuantizationParametersT()
    found.scale = np.asarray(scales, np.float32)
    found.zeroPoint = np.asarray(zero_points, np.int64)
    found.quantizedDimension = axis
    return found


def _named(name: str, tensor: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry
