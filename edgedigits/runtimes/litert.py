"""``.tflite`` files, and those inside a ``.tflm.c``, in LiteRT."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.answers import QUANTIZED_SUM_TOLERANCE
from edgedigits.contract import EXPECTED_INPUT, EXPECTED_OUTPUT, IMAGE_SIDE, describe_tensor
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.extras import extra
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.content import read_model_bytes
from edgedigits.native_output import hidden_native_output
from edgedigits.picture.levels import Pixels
from edgedigits.runtimes.model import (
    Model,
    Opening,
    Probabilities,
    dequantization_table,
    name_and_version,
    thread_count,
)


class TfliteModel(Model):
    """A ``.tflite`` file in LiteRT. Not to be shared between threads: an interpreter holds its tensors."""

    def __init__(self, path: Path, content: bytes, threads: int) -> None:
        with extra("tflite", "opening .tflite files"):
            from ai_edge_litert.interpreter import Interpreter

            from edgedigits.model_files.tflite_file import metadata_of, read_graph

        try:
            graph = read_graph(path, content)
        except (ModelFileError, ContractError) as error:
            from edgedigits.model_files.foreign import foreign_error

            if (foreign := foreign_error(path, content, error)) is not None:
                raise foreign from error
            raise
        metadata = metadata_of(path, graph)
        metadata.check_layers(path, are_dense=graph.widths is not None)
        metadata.check_head(path, is_sigmoid=graph.is_sigmoid)
        threads = thread_count(threads)
        try:
            with hidden_native_output():
                self._interpreter = Interpreter(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelFileError(path, f"LiteRT cannot open it ({reason})") from error
        self._input, self._output = _input_and_output(path, self._interpreter, metadata)
        edges = self._interpreter.get_input_details()[0]["dtype"].__name__
        metadata.check_tensors(path, graph.precisions, edges)
        self._batch = 1
        self._signed = metadata.edges == "int8"
        self._dequantized = dequantization_table(self._signed)
        super().__init__(path, metadata, name_and_version("ai-edge-litert"), threads)
        self.widths = graph.widths
        if metadata.precision == "int8" and not graph.is_sigmoid:
            self.sum_tolerance = QUANTIZED_SUM_TOLERANCE

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model; see ``Model.probabilities``."""
        if len(pixels) != self._batch:
            self._resize(len(pixels))
        # Flipping the highest bit is subtracting 128, one byte at a time.
        self._interpreter.set_tensor(self._input, (pixels ^ 128).view(np.int8) if self._signed else pixels)
        self._interpreter.invoke()
        output: Probabilities = self._interpreter.get_tensor(self._output)
        # One look-up per byte takes a third of the time of converting, adding and multiplying.
        return output if output.dtype == np.float32 else self._dequantized[output.view(np.uint8)]

    def _resize(self, batch: int) -> None:
        self._interpreter.resize_tensor_input(self._input, (batch, IMAGE_SIDE, IMAGE_SIDE))
        with hidden_native_output():
            self._interpreter.allocate_tensors()
        self._batch = batch


def open_tflite(path: Path, opening: Opening) -> TfliteModel:
    """Open a ``.tflite`` file; see ``open_model``."""
    return TfliteModel(path, read_model_bytes(path), opening.threads)


def open_array(path: Path, opening: Opening) -> TfliteModel:
    """Open the ``.tflite`` file inside a ``.tflm.c``, without compiling it; see ``open_model``.

    Raises:
        ModelFileError: there is no such array in it.
    """
    from edgedigits.model_files.c_source import read_model_array, read_source

    array = read_model_array(path, read_source(path))
    if array is None:
        raise ModelFileError(path, "expected a .tflite file as an array, found none")
    model = TfliteModel(path, array, opening.threads)
    model.companions = (path.with_suffix(".h"),)
    return model


def _input_and_output(path: Path, interpreter: Any, metadata: ModelMetadata) -> tuple[int, int]:
    """Check input and output of a TFLite model and return the indices of their tensors."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ContractError(path, "one input and one output", f"{len(inputs)} and {len(outputs)}")
    names: dict[str, Any] = {}
    with contextlib.suppress(KeyError):
        names = interpreter.get_signature_list()["serving_default"]
    found = {
        "input": _describe(names.get("inputs"), inputs[0]),
        "output": _describe(names.get("outputs"), outputs[0]),
    }
    if metadata.precision == "int8":
        expected = {
            "input": _quantized(EXPECTED_INPUT, "uint8", metadata.edges, 1.0, -128),
            "output": _quantized(EXPECTED_OUTPUT, "float32", metadata.edges, 1 / 256, -128),
        }
    else:
        expected = {"input": EXPECTED_INPUT, "output": EXPECTED_OUTPUT}
    for side, tensor in expected.items():
        if found[side] != tensor:
            raise ContractError(path, f"{side} {tensor}", found[side])
    return int(inputs[0]["index"]), int(outputs[0]["index"])


def _describe(names: list[str] | None, details: dict[str, Any]) -> str:
    name = names[0] if names else details["name"]
    batch, *sides = details["shape_signature"]
    text = describe_tensor(name, details["dtype"].__name__, ("n" if batch == -1 else batch, *sides))
    if batch != -1:
        text += f" with a batch of {batch} only"
    scale, zero_point = details["quantization"]
    return f"{text}, scale {scale:.6g}, zero point {zero_point}" if scale else text


def _quantized(tensor: str, dtype: str, edges: str, scale: float, int8_zero_point: int) -> str:
    """Describe the input or output of a fully integer file: the contract's tensor in the integers that stand for it."""
    zero_point = int8_zero_point if edges == "int8" else 0
    return f"{tensor.replace(dtype, edges)}, scale {scale:.6g}, zero point {zero_point}"
