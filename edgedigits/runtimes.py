"""One interface over ONNX, TFLite, C and Keras files: ``open_model(path)``, chosen by suffix.

Whatever the file, pixels go in and probabilities come out. Each runtime is imported only in the branch that needs it.
"""

import contextlib
import ctypes
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from edgedigits.arguments import threads_of
from edgedigits.artifacts import trained_labels, versions
from edgedigits.contract import (
    CLASSES,
    EXPECTED_INPUT,
    EXPECTED_OUTPUT,
    IMAGE_SIDE,
    INPUT_NAME,
    OUTPUT_NAME,
    SUFFIXES,
    ModelMetadata,
    describe_tensor,
    network_name,
)
from edgedigits.errors import ContractError, ModelFileError, ModelNotFoundError
from edgedigits.extras import extra
from edgedigits.model_bytes import read_model_bytes
from edgedigits.native_output import hidden_native_output

if TYPE_CHECKING:
    from edgedigits.input_scale import InputScale
    from edgedigits.keras_archive import NetworkSpec
    from edgedigits.mnist import Split

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
KerasCall = Literal["model(x)", "predict"]


class Model(ABC):
    """An opened model file."""

    def __init__(self, path: Path, metadata: ModelMetadata, runtime: str) -> None:
        self.path = path
        self.metadata = metadata
        self.runtime = runtime
        """Name and version of what runs the file: ``onnxruntime 1.31.1``."""

    def check_classes(self, split: "Split") -> None:
        """Raise ``ContractError`` unless the model tells the classes apart that these images are of."""
        if self.metadata.labels != split.class_names:
            raise ContractError(
                self.path,
                f"a network for the classes of {split.dataset} ({', '.join(split.class_names)})",
                f"one for {', '.join(self.metadata.labels)}",
                "ask the networks of one dataset at a time",
            )

    @abstractmethod
    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model.

        Args:
            pixels: uint8, shape (n, 28, 28), 0 = background, 255 = ink, n > 0.

        Returns:
            float32, shape (n, 10), rows sum to 1 (to within half a step of 1/256 per class in int8 files).
        """


def open_model(
    path: Path,
    *,
    threads: int = 1,
    keras_call: KerasCall = "model(x)",
    input_scale: "InputScale | None" = None,
) -> Model:
    """Open a model file in its own runtime and check it against the contract.

    Args:
        path: ``.onnx`` (onnxruntime), ``.tflite`` and ``.tflm.c`` (LiteRT), ``.c`` (the system's C compiler: what is in
            the file is compiled and run) or ``.keras`` (Keras).
        threads: of the runtime, 1 to 1,024, or 0 for one per core; Keras takes its own, C code has one.
        keras_call: how a Keras model is asked.
        input_scale: what a Keras model was trained on, and so is fed; None for what it declares by a Rescaling layer,
            else for what the manifest beside it says, else for values from 0 to 1 (see ``KerasModel.input_is_known``).

    Raises:
        ArgumentError: the number of threads is none of these.
        ModelNotFoundError: there is no such file.
        ModelFileError: it cannot be read as a model, or the suffix is of no known format.
        ContractError: a model, but not one that takes and gives what the contract says.
        MissingExtraError: its runtime is not installed.
    """
    threads = threads_of(threads)
    if path.suffix not in SUFFIXES:
        raise ModelFileError(path, f"expected a file that ends in {', '.join(SUFFIXES)}", "name a model file")
    if not path.is_file():
        raise ModelNotFoundError(path, "train and export one, or name another")
    if path.suffix in {".onnx", ".ort"}:
        return OnnxModel(path, threads)
    if path.suffix == ".tflite":
        return TfliteModel(path, read_model_bytes(path), threads)
    if path.suffix == ".c":
        return _open_c_file(path, threads)
    return KerasModel(path, keras_call, input_scale)


class OnnxModel(Model):
    """A ``.onnx`` or ``.ort`` file in onnxruntime."""

    def __init__(self, path: Path, threads: int) -> None:
        from edgedigits.onnx_session import open_session

        self._session, metadata = open_session(path, threads=threads)
        super().__init__(path, metadata, _runtime("onnxruntime"))

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model; see ``Model.probabilities``."""
        result: Probabilities = self._session.run([OUTPUT_NAME], {INPUT_NAME: pixels})[0]
        return result


class TfliteModel(Model):
    """A ``.tflite`` file in LiteRT. Not to be shared between threads: an interpreter holds its tensors."""

    def __init__(self, path: Path, content: bytes, threads: int) -> None:
        with extra("tflite", "opening .tflite files"):
            from ai_edge_litert.interpreter import Interpreter

            from edgedigits.tflite_file import read_metadata

        metadata = read_metadata(path, content)
        try:
            with hidden_native_output():
                self._interpreter = Interpreter(model_content=content, num_threads=threads or os.cpu_count())
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelFileError(path, f"LiteRT cannot open it ({reason})") from error
        self._input, self._output = _tflite_edges(path, self._interpreter, metadata)
        self._batch = 1
        self._signed = metadata.edges == "int8"
        self._dequantized = _dequantization_table(self._signed)
        super().__init__(path, metadata, _runtime("ai-edge-litert"))

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


def _open_c_file(path: Path, threads: int) -> Model:
    from edgedigits.c_file import read_model_array, read_source

    source = read_source(path)
    array = read_model_array(path, source)
    return CModel(path, source) if array is None else TfliteModel(path, array, threads)


class CModel(Model):
    """A ``.c`` file, compiled for this computer. Not to be shared between threads: answers pass through one buffer."""

    def __init__(self, path: Path, source: str) -> None:
        from edgedigits.c_compiler import load_network
        from edgedigits.c_file import read_metadata

        metadata = read_metadata(path, source)
        # As long as the library is referred to, no other process removes it from the cache.
        self._library, compiler = load_network(path)
        self._predict_batch = self._library.edgedigits_predict_batch
        self._predict_batch.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        self._predict_batch.restype = None
        self._resize(1)
        self._dequantized = _dequantization_table(signed=False)
        super().__init__(path, metadata, compiler)

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model; see ``Model.probabilities``."""
        count = len(pixels)
        if count != len(self._quantized):
            self._resize(count)
        images = np.ascontiguousarray(pixels)
        self._predict_batch(images.ctypes.data, count, self._address)
        answers: Probabilities = self._dequantized[self._quantized]
        return answers

    def _resize(self, batch: int) -> None:
        self._quantized = np.empty((batch, CLASSES), np.uint8)
        self._address = self._quantized.ctypes.data


class KerasModel(Model):
    """A ``.keras`` file in Keras on TensorFlow."""

    def __init__(self, path: Path, call: KerasCall, input_scale: "InputScale | None" = None) -> None:
        from edgedigits.input_scale import RAW, UNIT
        from edgedigits.keras_archive import read_network_spec
        from edgedigits.keras_input import recorded_input_scale

        spec: NetworkSpec = read_network_spec(path)
        with extra("train", "opening .keras files"):
            from edgedigits.training.architectures import load_network, weights_sha256

        self._model, _ = load_network(path)
        self._predict = call == "predict"
        self._shape = spec.input_shape
        sha256 = weights_sha256(self._model)
        self.is_declared = spec.rescaling is not None
        """Whether a Rescaling layer says that it takes pixels."""
        known = input_scale or (
            RAW if self.is_declared else recorded_input_scale(path.parent, network_name(path), sha256)
        )
        self.input_is_known = known is not None
        """Whether anything says what it was trained on."""
        self.input_scale = known or UNIT
        metadata = ModelMetadata(
            arch=spec.arch,
            precision="float32",
            weights_sha256=sha256,
            tools=versions("keras", "tensorflow"),
            labels=trained_labels(path.parent, network_name(path), sha256),
        )
        super().__init__(path, metadata, _runtime("keras"))

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model; see ``Model.probabilities``."""
        return self.answers(self.input_scale.values(pixels))

    def answers(self, values: npt.NDArray[np.float32]) -> Probabilities:
        """Run the network on values of its own, float32 (n, 28, 28); see ``Model.probabilities``."""
        values = values.reshape(-1, *self._shape)
        if self._predict:
            probabilities: Probabilities = self._model.predict(values, verbose=0, batch_size=len(values))
        else:
            probabilities = self._model(values, training=False).numpy()
        return probabilities


def _dequantization_table(signed: bool) -> Probabilities:
    """Return the probability of each quantized byte, float32 (256,): (q + 128) / 256, or q / 256 unsigned."""
    quantized = np.arange(256, dtype=np.uint8)
    unsigned = quantized ^ 128 if signed else quantized
    probabilities: Probabilities = unsigned.astype(np.float32) / np.float32(256)
    return probabilities


def _runtime(distribution: str) -> str:
    return f"{distribution} {versions(distribution).get(distribution, '?')}"


def _tflite_edges(path: Path, interpreter: Any, metadata: ModelMetadata) -> tuple[int, int]:
    """Check input and output of a TFLite model and return the indices of their tensors."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ContractError(path, "one input and one output", f"{len(inputs)} and {len(outputs)}")
    names: dict[str, Any] = {}
    with contextlib.suppress(KeyError):
        names = interpreter.get_signature_list()["serving_default"]
    found = {
        "input": _describe_edge(names.get("inputs"), inputs[0]),
        "output": _describe_edge(names.get("outputs"), outputs[0]),
    }
    if metadata.precision == "int8":
        expected = {
            "input": _quantized(EXPECTED_INPUT, "uint8", metadata.edges, 1.0, -128),
            "output": _quantized(EXPECTED_OUTPUT, "float32", metadata.edges, 1 / 256, -128),
        }
    else:
        expected = {"input": EXPECTED_INPUT, "output": EXPECTED_OUTPUT}
    for edge, tensor in expected.items():
        if found[edge] != tensor:
            raise ContractError(path, f"{edge} {tensor}", found[edge])
    return int(inputs[0]["index"]), int(outputs[0]["index"])


def _describe_edge(names: list[str] | None, details: dict[str, Any]) -> str:
    name = names[0] if names else details["name"]
    batch, *sides = details["shape_signature"]
    text = describe_tensor(name, details["dtype"].__name__, ("n" if batch == -1 else batch, *sides))
    if batch != -1:
        text += f" with a batch of {batch} only"
    scale, zero_point = details["quantization"]
    return f"{text}, scale {scale:.6g}, zero point {zero_point}" if scale else text


def _quantized(tensor: str, dtype: str, edges: str, scale: float, int8_zero_point: int) -> str:
    """Describe an edge of a fully integer file: the contract's tensor in the integers that stand for it."""
    zero_point = int8_zero_point if edges == "int8" else 0
    return f"{tensor.replace(dtype, edges)}, scale {scale:.6g}, zero point {zero_point}"
