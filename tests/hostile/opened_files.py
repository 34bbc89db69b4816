"""Exported files taken apart so that their weights, operators and metadata can be changed, and put together again.

What comes out is a whole file of its format: only what was changed in it is wrong.
"""

import io
import json
import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import h5py
import numpy as np
import onnx
import onnxruntime
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

from edgedigits.metadata import METADATA_KEY

Layer = list[np.ndarray]
"""Kernel (inputs, units) and bias (units,), in the type that the file keeps them in."""


class OpenedFile(ABC):
    """A file of any format, to be changed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def layers(self) -> list[Layer]:
        """Return copies of all kernels and biases."""

    @abstractmethod
    def set_layers(self, layers: list[Layer]) -> None:
        """Put kernels and biases in."""

    @abstractmethod
    def save(self) -> None:
        """Write the file in its old place."""


class OpenedExport(OpenedFile):
    """A file that says of itself what it is; a Keras network does not."""

    @abstractmethod
    def change_metadata(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change what the file says of itself."""


class OnnxFile(OpenedExport):
    """Float, half, dynamic or int8, and ``.ort`` files by way of the ONNX file that they are made from."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.model = onnx.load(path.with_suffix(".onnx"))
        self.constants = {constant.name: constant for constant in self.model.graph.initializer}
        names = list(self.constants)
        self.kernels = [name for name in names if re.fullmatch(r"(kernel_\d(_half|_q)?|weights_\d)", name)]
        self.biases = [name for name in names if re.fullmatch(r"bias_\d(_half|_q)?", name)]

    def value(self, name: str) -> np.ndarray:
        """Return a copy of a constant."""
        return numpy_helper.to_array(self.constants[name]).copy()

    def set_value(self, name: str, value: Any) -> None:
        """Put a constant in, in the type that it had."""
        kept = self.value(name).dtype
        with np.errstate(over="ignore"):
            self.constants[name].CopyFrom(numpy_helper.from_array(np.asarray(value).astype(kept), name))

    def layers(self) -> list[Layer]:
        return [
            [self.value(kernel), self.value(bias)]
            for kernel, bias in zip(self.kernels, self.biases, strict=True)
        ]

    def set_layers(self, layers: list[Layer]) -> None:
        for kernel, bias, values in zip(self.kernels, self.biases, layers, strict=True):
            self.set_value(kernel, values[0])
            self.set_value(bias, values[1])

    def node(self, operator: str, index: int = 0) -> onnx.NodeProto:
        """Return an operator of a kind; -1 for the last."""
        return [node for node in self.model.graph.node if node.op_type == operator][index]

    def change_metadata(self, change: Callable[[dict[str, Any]], object]) -> None:
        (entry,) = self.model.metadata_props
        fields = json.loads(entry.value)
        change(fields)
        entry.key, entry.value = METADATA_KEY, json.dumps(fields)

    def save(self) -> None:
        content = self.model.SerializeToString()
        if self.path.suffix == ".onnx":
            self.path.write_bytes(content)
            return
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.save_model_format", "ORT")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(self.path)
        options.log_severity_level = 4
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


FULLY_CONNECTED, SOFTMAX = 9, 25


class TfliteFile(OpenedExport):
    """Float, half, dynamic or int8, and the array of a ``.tflm.c``."""

    ARRAY = re.compile(r"(const unsigned char edgedigits_model\[[^]]*\] = \{)([0-9,\s]*)(\};)")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if path.suffix == ".c":
            found = self.ARRAY.search(path.read_text(encoding="utf-8"))
            content = bytes(map(int, found[2].replace(",", " ").split()))
        else:
            content = path.read_bytes()
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        (self.graph,) = self.model.subgraphs
        self.dense = self.operators(FULLY_CONNECTED)
        (self.softmax,) = self.operators(SOFTMAX)
        (self.metadata,) = (
            entry.buffer for entry in self.model.metadata if entry.name == METADATA_KEY.encode()
        )

    def operators(self, code: int) -> list[schema.OperatorT]:
        """Return the operators of a kind in the order in which they run."""
        codes = [max(entry.builtinCode, entry.deprecatedBuiltinCode) for entry in self.model.operatorCodes]
        return [operator for operator in self.graph.operators if codes[operator.opcodeIndex] == code]

    def _constant(self, index: int) -> schema.TensorT:
        """Return a constant, or that which a DEQUANTIZE widens."""
        tensor = self.graph.tensors[index]
        if self.model.buffers[tensor.buffer].data is None:
            (widening,) = (operator for operator in self.graph.operators if list(operator.outputs) == [index])
            tensor = self.graph.tensors[widening.inputs[0]]
        return tensor

    def _values(self, index: int) -> np.ndarray:
        tensor = self._constant(index)
        kind = {0: "<f4", 1: "<f2", 2: "<i4", 9: "i1"}[tensor.type]
        data = np.asarray(self.model.buffers[tensor.buffer].data, np.uint8).tobytes()
        return np.frombuffer(data, kind).reshape(tensor.shape).copy()

    def layers(self) -> list[Layer]:
        return [
            [self._values(layer.inputs[1]).T.copy(), self._values(layer.inputs[2])] for layer in self.dense
        ]

    def set_layers(self, layers: list[Layer]) -> None:
        for layer, (kernel, bias) in zip(self.dense, layers, strict=True):
            for index, values in ((layer.inputs[1], kernel.T), (layer.inputs[2], bias)):
                tensor = self._constant(index)
                kept = self._values(index).dtype
                buffer = schema.BufferT()
                with np.errstate(over="ignore"):
                    buffer.data = np.frombuffer(values.astype(kept).tobytes(), np.uint8)
                tensor.buffer = len(self.model.buffers)
                self.model.buffers.append(buffer)

    def change_metadata(self, change: Callable[[dict[str, Any]], object]) -> None:
        buffer = self.model.buffers[self.metadata]
        fields = json.loads(np.asarray(buffer.data, np.uint8).tobytes())
        change(fields)
        buffer.data = np.frombuffer(json.dumps(fields).encode(), np.uint8)

    def save(self) -> None:
        builder = flatbuffers.Builder(1 << 17)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        content = bytes(builder.Output())
        if self.path.suffix == ".c":
            text = self.path.read_text(encoding="utf-8")
            array = ", ".join(map(str, content))
            self.path.write_text(
                self.ARRAY.sub(lambda found: f"{found[1]}\n{array}\n{found[3]}", text), encoding="utf-8"
            )
        else:
            self.path.write_bytes(content)


class CFile(OpenedExport):
    """The text of a ``.c`` file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.text = path.read_text(encoding="utf-8")

    def table(self, name: str) -> np.ndarray:
        """Return the numbers of a table."""
        found = re.search(rf"{name}\[[0-9A-Z]+\] = \{{([^}}]*)\}}", self.text)
        return np.array([int(number) for number in found[1].replace(",", " ").split()])

    def set_table(self, name: str, values: np.ndarray) -> None:
        """Put the numbers of a table in."""
        numbers = ", ".join(map(str, values.ravel().tolist()))
        self.text = re.sub(rf"({name}\[[0-9A-Z]+\] = \{{)[^}}]*\}}", rf"\g<1>{numbers}}}", self.text)

    def layers(self) -> list[Layer]:
        found = []
        for number in (1, 2, 3):
            bias = self.table(f"biases_{number}").astype(np.int32)
            weights = self.table(f"weights_{number}").astype(np.int8)
            found.append([weights.reshape(len(bias), -1).T.copy(), bias])
        return found

    def set_layers(self, layers: list[Layer]) -> None:
        for number, (kernel, bias) in enumerate(layers, start=1):
            self.set_table(f"weights_{number}", kernel.T)
            self.set_table(f"biases_{number}", bias)

    def change_metadata(self, change: Callable[[dict[str, Any]], object]) -> None:
        found = re.search(r"( \* Metadata \(JSON\):\n)((?: \* .*\n)+)", self.text)
        fields = json.loads(found[2].replace(" * ", ""))
        change(fields)
        lines = "".join(f" * {line}\n" for line in json.dumps(fields, indent=2).splitlines())
        self.text = self.text.replace(found[0], found[1] + lines)

    def save(self) -> None:
        self.path.write_text(self.text, encoding="utf-8")


class KerasFile(OpenedFile):
    """The archive of a ``.keras`` file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with zipfile.ZipFile(path) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}
        self.config = json.loads(self.members["config.json"])
        self.weights = io.BytesIO(self.members["model.weights.h5"])

    def layers(self) -> list[Layer]:
        with h5py.File(self.weights) as file:
            return [
                [file[f"layers/{name}/vars/{part}"][()] for part in "01"]
                for name in ("dense", "dense_1", "dense_2")
            ]

    def set_layers(self, layers: list[Layer]) -> None:
        with h5py.File(self.weights, "r+") as file:
            for name, layer in zip(("dense", "dense_1", "dense_2"), layers, strict=True):
                for part, values in zip("01", layer, strict=True):
                    file[f"layers/{name}/vars/{part}"][()] = values

    def dense(self, index: int) -> dict[str, Any]:
        """Return the configuration of a Dense layer."""
        layers = self.config["config"]["layers"]
        return [layer["config"] for layer in layers if layer["class_name"] == "Dense"][index]

    def save(self) -> None:
        self.members["config.json"] = json.dumps(self.config).encode()
        self.members["model.weights.h5"] = self.weights.getvalue()
        with zipfile.ZipFile(self.path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.members.items():
                archive.writestr(name, content)


def opened(path: Path) -> OpenedFile:
    """Take a file apart."""
    kinds = {".onnx": OnnxFile, ".ort": OnnxFile, ".tflite": TfliteFile, ".keras": KerasFile}
    kind = TfliteFile if path.name.endswith(".tflm.c") else kinds.get(path.suffix, CFile)
    return kind(path)
