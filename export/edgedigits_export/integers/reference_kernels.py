"""What TFLite's kernels answer: the reference kernels, whose integers C code has to repeat, and the quick ones."""

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgedigits.artifacts.versions import versions
from edgedigits.native_output import hidden_native_output

Quantized = npt.NDArray[np.uint8]

BATCH = 1_000
RUNTIME = f"ai-edge-litert {versions('ai-edge-litert').get('ai-edge-litert', '?')}, reference kernels"


def reference_answers(content: bytes, pixels: npt.NDArray[np.uint8]) -> tuple[Quantized, Quantized]:
    """Run an int8 ``.tflite`` file that ends in a softmax in LiteRT's reference kernels.

    Args:
        content: the file, with int8 or uint8 edges.
        pixels: uint8 (n, 28, 28).

    Returns:
        Logits and probabilities as unsigned bytes, both (n, 10): TFLite's int8 values + 128.
    """
    logits, probabilities = _run(content, pixels, [_logits_tensor(content)])
    return logits, probabilities


def reference_probabilities(content: bytes, pixels: npt.NDArray[np.uint8]) -> Quantized:
    """Run any int8 ``.tflite`` file so and return the probabilities; see ``reference_answers``."""
    (probabilities,) = _run(content, pixels, [])
    return probabilities


def quick_probabilities(content: bytes, pixels: npt.NDArray[np.uint8]) -> Quantized:
    """Run any int8 ``.tflite`` file in the kernels that applications use; see ``reference_answers``.

    They may round a few answers otherwise, and take a fraction of the time.
    """
    (probabilities,) = _run(content, pixels, [], OpResolverType.AUTO)
    return probabilities


def _run(
    content: bytes,
    pixels: npt.NDArray[np.uint8],
    tensors: list[int],
    kernels: OpResolverType = OpResolverType.BUILTIN_REF,
) -> list[Quantized]:
    """Return some tensors and the output."""
    with hidden_native_output():
        interpreter = Interpreter(
            model_content=content,
            experimental_op_resolver_type=kernels,
            experimental_preserve_all_tensors=bool(tensors),
        )
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    places = [*tensors, given["index"]]
    parts = []
    for start in range(0, len(pixels), BATCH):
        batch = np.ascontiguousarray(pixels[start : start + BATCH])
        interpreter.resize_tensor_input(taken["index"], batch.shape)
        with hidden_native_output():
            interpreter.allocate_tensors()
        signed = taken["dtype"] == np.int8
        interpreter.set_tensor(taken["index"], (batch ^ 128).view(np.int8) if signed else batch)
        interpreter.invoke()
        parts.append([_unsigned(interpreter.get_tensor(place)) for place in places])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _unsigned(values: npt.NDArray[Any]) -> Quantized:
    """Return int8 values + 128, and uint8 values as they are."""
    unsigned: Quantized = values.view(np.uint8)
    return np.bitwise_xor(unsigned, 128 if values.dtype == np.int8 else 0, dtype=np.uint8)


def _logits_tensor(content: bytes) -> int:
    """Return the index of the tensor that goes into the softmax."""
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    for position in range(graph.OperatorsLength()):
        operator = graph.Operators(position)
        if model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode() == schema.BuiltinOperator.SOFTMAX:
            return int(operator.Inputs(0))
    raise ValueError("expected a softmax in the TFLite graph, found none")
