"""Small model files of convolutions and poolings that ask for much: many multiplications, or large maps of an image."""

import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from built_files import flatbuffer
from onnx import helper, numpy_helper

from edgedigits.errors import ModelFileError
from edgedigits.model_files import tflite_file
from edgedigits.model_files.budget import Budget
from edgedigits.model_files.flatbuffer import read_flatbuffer
from edgedigits.model_files.onnx_file import check_onnx
from edgedigits.model_files.ort_file import check_ort
from edgedigits.model_files.tflite_file import read_graph

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
MULTIPLICATIONS = "more multiplications for an image than any network of edgedigits"
VALUES = "more values of an image at once than any network of edgedigits"
SECONDS = 5.0
"""For which a refusal may take at most; each takes some hundredths."""


def refused(check: Callable[[Path, bytes], object], content: bytes, path: Path, reason: str) -> None:
    assert len(content) < 16 << 20
    started = time.monotonic()
    with pytest.raises(ModelFileError, match=reason):
        check(path, content)
    assert time.monotonic() - started < SECONDS


# --- ONNX and ORT ---------------------------------------------------------------------------------------------------


class OnnxMaps:
    """A small network whose pixels, as a map (n, 1, 28, 28), go into further operators."""

    def __init__(self) -> None:
        self.model = onnx.load(SEEDS / "small.onnx")
        self.last = "values"
        self.add("Reshape", self.constant(np.array([-1, 1, 28, 28])))

    def constant(self, values: np.ndarray) -> str:
        name = f"c{len(self.model.graph.initializer)}"
        self.model.graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def add(self, operator: str, *others: str, **attributes: Any) -> str:
        """Go on by an operator of the last map."""
        place = len(self.model.graph.node)
        node = helper.make_node(operator, [self.last, *others], [f"m{place}"], **attributes)
        # Before the softmax, which is the last.
        self.model.graph.node.append(node)
        self.last = node.output[0]
        return self.last

    def convolution(self, outputs: int, depth: int, side: int = 1) -> None:
        kernel = self.constant(np.full((outputs, depth, side, side), 0.01, np.float32))
        self.add("Conv", kernel, pads=[side // 2] * 4, kernel_shape=[side, side])

    def pad(self, margin: int) -> None:
        self.add("Pad", self.constant(np.array([0, 0, margin, margin] * 2)))

    def double(self) -> None:
        self.add("Concat", self.last, axis=1)


def wide_kernels(maps: OnnxMaps) -> None:
    maps.convolution(64, 1)
    maps.convolution(64, 64, 27)


def many_kernels(maps: OnnxMaps) -> None:
    """One kernel in 400 convolutions."""
    maps.convolution(64, 1)
    kernel = maps.constant(np.full((64, 64, 1, 1), 0.01, np.float32))
    for _ in range(400):
        maps.add("Conv", kernel)


def many_windows(maps: OnnxMaps) -> None:
    maps.convolution(64, 1)
    for _ in range(40):
        maps.add("MaxPool", kernel_shape=[27, 27], pads=[13] * 4)


def average_windows(maps: OnnxMaps) -> None:
    maps.convolution(64, 1)
    for _ in range(40):
        maps.add("AveragePool", kernel_shape=[27, 27], pads=[13] * 4)


def far_margins(maps: OnnxMaps) -> None:
    maps.pad(3_000)


def margins_of_a_convolution(maps: OnnxMaps) -> None:
    kernel = maps.constant(np.ones((1, 1, 1, 1), np.float32))
    maps.add("Conv", kernel, pads=[3_000] * 4)


def maps_that_double(maps: OnnxMaps) -> None:
    for _ in range(12):
        maps.double()


def many_channels(maps: OnnxMaps) -> None:
    maps.convolution(1 << 16, 1)


ONNX: dict[str, tuple[Callable[[OnnxMaps], None], str]] = {
    "wide kernels": (wide_kernels, MULTIPLICATIONS),
    "one kernel many times": (many_kernels, MULTIPLICATIONS),
    "many windows": (many_windows, MULTIPLICATIONS),
    "many windows of means": (average_windows, MULTIPLICATIONS),
    "far margins": (far_margins, VALUES),
    "margins of a convolution": (margins_of_a_convolution, VALUES),
    "maps that double": (maps_that_double, VALUES),
    "many channels": (many_channels, VALUES),
}


@pytest.mark.parametrize(("change", "reason"), ONNX.values(), ids=list(ONNX))
def test_an_onnx_file_of_maps_is_refused_in_little_time(
    change: Callable[[OnnxMaps], None], reason: str, tmp_path: Path
) -> None:
    maps = OnnxMaps()
    change(maps)
    refused(check_onnx, maps.model.SerializeToString(), tmp_path / "digits.onnx", reason)


def test_a_convolution_that_onnxruntime_fused_spends_as_much(tmp_path: Path) -> None:
    maps = OnnxMaps()
    wide_kernels(maps)
    maps.add("Relu")
    maps.model.graph.output.append(
        helper.make_tensor_value_info(maps.last, onnx.TensorProto.FLOAT, ["n", 64, 28, 28])
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.optimized_model_filepath = str(tmp_path / "digits.ort")
    onnxruntime.InferenceSession(maps.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    content = (tmp_path / "digits.ort").read_bytes()
    assert b"FusedConv" in content
    refused(check_ort, content, tmp_path / "digits.ort", MULTIPLICATIONS)


# --- TFLite ---------------------------------------------------------------------------------------------------------

RESHAPE, PAD, CONV_2D, MAX_POOL_2D, CONCATENATION = 22, 34, 3, 17, 2


class TfliteMaps:
    """The same of a ``.tflite`` file: the map is (1, 28, 28, 1)."""

    def __init__(self) -> None:
        content = (SEEDS / "small.tflite").read_bytes()
        self.model = read_flatbuffer(tflite_file.SCHEMA, "model", content, Budget())
        self.graph = self.model["subgraphs"][0]
        self.codes = [
            max(code.get("code", 0), code.get("deprecated_code", 0)) for code in self.model["operator_codes"]
        ]
        dense = next(one for one in self.graph["operators"] if self.codes[one.get("code_index", 0)] == 9)
        self.last, self.shape = dense["inputs"][0], (1, 28, 28, 1)
        self.add(RESHAPE, self.shape, 17, {}, self.integers((4,), -1, 28, 28, 1))

    def tensor(self, kind: int, shape: tuple[int, ...], data: bytes | None = None) -> int:
        place = len(self.graph["tensors"])
        described: dict[str, Any] = {"shape": shape, "type": kind, "buffer": 0, "name": f"t{place}"}
        if data is None:
            described["shape_signature"] = (-1, *shape[1:])
        else:
            self.model["buffers"].append({"data": data})
            described["buffer"] = len(self.model["buffers"]) - 1
        self.graph["tensors"].append(described)
        return place

    def integers(self, shape: tuple[int, ...], *values: int) -> int:
        return self.tensor(2, shape, struct.pack(f"<{len(values)}i", *values))

    def add(
        self, code: int, shape: tuple[int, ...], kind: int, options: dict[str, Any], *others: int
    ) -> None:
        if code not in self.codes:
            self.codes.append(code)
            self.model["operator_codes"].append({"deprecated_code": code, "code": code, "version": 1})
        output = self.tensor(0, shape)
        self.graph["operators"].append(
            {
                "code_index": self.codes.index(code),
                "inputs": (self.last, *others),
                "outputs": (output,),
                "options_type": kind,
                "options": options,
            }
        )
        self.last, self.shape = output, shape

    def kernel(self, outputs: int, side: int = 1) -> int:
        shape = (outputs, side, side, self.shape[3])
        return self.tensor(0, shape, np.full(shape, 0.01, np.float32).tobytes())

    def convolution(self, kernel: int, outputs: int) -> None:
        options = {"stride_w": 1, "stride_h": 1, "dilation_w": 1, "dilation_h": 1}
        self.add(CONV_2D, (*self.shape[:3], outputs), 1, options, kernel, -1)


def wide_tflite_kernels(maps: TfliteMaps) -> None:
    maps.convolution(maps.kernel(64), 64)
    maps.convolution(maps.kernel(64, 27), 64)


def many_tflite_kernels(maps: TfliteMaps) -> None:
    maps.convolution(maps.kernel(64), 64)
    kernel = maps.kernel(64)
    for _ in range(400):
        maps.convolution(kernel, 64)


def many_tflite_windows(maps: TfliteMaps) -> None:
    maps.convolution(maps.kernel(64), 64)
    for _ in range(40):
        options = {"stride_w": 1, "stride_h": 1, "filter_width": 28, "filter_height": 28}
        maps.add(MAX_POOL_2D, maps.shape, 5, options)


def far_tflite_margins(maps: TfliteMaps) -> None:
    pads = maps.integers((4, 2), 0, 0, 900, 900, 900, 900, 0, 0)
    maps.add(PAD, (1, 1828, 1828, 1), 22, {}, pads)


def tflite_maps_that_double(maps: TfliteMaps) -> None:
    for _ in range(12):
        maps.add(CONCATENATION, (1, 28, 28, 2 * maps.shape[3]), 10, {"axis": 3}, maps.last)


def many_tflite_channels(maps: TfliteMaps) -> None:
    maps.convolution(maps.kernel(1 << 14), 1 << 14)


TFLITE: dict[str, tuple[Callable[[TfliteMaps], None], str]] = {
    "wide kernels": (wide_tflite_kernels, MULTIPLICATIONS),
    "one kernel many times": (many_tflite_kernels, MULTIPLICATIONS),
    "many windows": (many_tflite_windows, MULTIPLICATIONS),
    "far margins": (far_tflite_margins, VALUES),
    "maps that double": (tflite_maps_that_double, VALUES),
    "many channels": (many_tflite_channels, VALUES),
}


@pytest.mark.parametrize(("change", "reason"), TFLITE.values(), ids=list(TFLITE))
def test_a_tflite_file_of_maps_is_refused_in_little_time(
    change: Callable[[TfliteMaps], None], reason: str, tmp_path: Path
) -> None:
    maps = TfliteMaps()
    change(maps)
    content = flatbuffer(tflite_file.SCHEMA, "model", maps.model, b"TFL3")
    refused(read_graph, content, tmp_path / "digits.tflite", reason)


def test_a_shape_of_millions_of_sides_is_not_taken_apart(tmp_path: Path) -> None:
    maps = TfliteMaps()
    sides = 3_000_000
    target = maps.tensor(2, (sides,), np.full(sides, 1 << 20, np.int32).tobytes())
    maps.add(RESHAPE, (1, 784), 17, {}, target)
    content = flatbuffer(tflite_file.SCHEMA, "model", maps.model, b"TFL3")
    tracemalloc.start()
    try:
        refused(read_graph, content, tmp_path / "digits.tflite", "a RESHAPE as edgedigits exports it")
        assert tracemalloc.get_traced_memory()[1] < len(content)
    finally:
        tracemalloc.stop()
