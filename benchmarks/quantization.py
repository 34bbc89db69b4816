"""What int8 costs and what it gains, against the tools that people have.

Accuracy: the nine long networks (three presets, three seeds) as int8 TFLite and int8 ONNX, on the 10,000 test images;
beside them what onnxruntime's ``quantize_static`` and the TFLite converter make of the same networks by themselves.
Speed: the shipped network in one thread, all files in turn: our int8 ONNX file against our float one and against
``quantize_static`` of the graph that tf2onnx writes; our int8 TFLite file against the converter's from the Keras model.

    python benchmarks/quantization.py           # both; trains the networks that are not kept in build/, 5 minutes each
    python benchmarks/quantization.py speed     # the shipped network only
    python benchmarks/quantization.py accuracy
"""

import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import tf2onnx
from _machine import ROOT, conclude
from _networks import folder_of, kept, long_recipes
from ai_edge_litert.interpreter import Interpreter
from onnxruntime.quantization import CalibrationDataReader, quantize_static

from edgedigits.contract import INPUT_NAME
from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split
from edgedigits.native_output import hidden_native_output
from edgedigits.networks.backend import tf
from edgedigits.runtimes.opening import open_model
from edgedigits.training.recipe import Recipe
from edgedigits.training.splits import validation_indices
from edgedigits_export import ExportOptions, Target, export_model
from edgedigits_export.inference_graph import InferenceGraph, load_inference_graph
from edgedigits_export.integers.calibration_images import choose_calibration_images

MODELS = ROOT / "models"
TARGETS = (Target("tflite", "int8"), Target("onnx", "int8"))
STOCK_CALIBRATION = 1_000
ROUNDS, SINGLES, BATCH_CALLS = 200, 100, 2
ONE, MANY = "1 image", "10,000 images"
Call = Callable[[], object]
Pixels = npt.NDArray[np.uint8]


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Calibration images one by one, as onnxruntime asks for them."""

    def __init__(self, images: Pixels) -> None:
        self._images: Iterator[Pixels] = iter(images)

    def get_next(self) -> dict[str, Pixels] | None:
        """Return the next image as the graph's input; None after the last."""
        image = next(self._images, None)
        return None if image is None else {INPUT_NAME: image[np.newaxis]}


def stock_onnx(graph: InferenceGraph, images: Pixels, path: Path) -> bytes:
    """Convert with tf2onnx and quantize with ``quantize_static``, both as they come."""
    signature = [tf.TensorSpec([None, 28, 28], tf.uint8, name=INPUT_NAME)]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    logging.disable(logging.WARNING)
    with hidden_native_output():
        tf2onnx.convert.from_function(
            graph.module(tf.uint8).serve, signature, opset=17, output_path=str(path.with_suffix(".float"))
        )
    quantize_static(path.with_suffix(".float"), path, Reader(images))
    logging.disable(logging.NOTSET)
    return path.read_bytes()


def stock_tflite(graph: InferenceGraph, images: Pixels) -> bytes:
    """Convert the Keras model as tutorials do: full integers, int8 edges, 1/255 left to the application."""

    def representative() -> Iterator[list[npt.NDArray[np.float32]]]:
        for image in images:
            yield [(image / np.float32(255)).reshape(1, *graph.input_shape)]

    converter = tf.lite.TFLiteConverter.from_keras_model(graph.keras_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with hidden_native_output():
        return bytes(converter.convert())


def textbook_call(content: bytes, batch: int) -> Callable[[Pixels], npt.NDArray[np.float32]]:
    """Return how tutorials ask such a file: scale to 0..1, quantize with NumPy, invoke, dequantize."""
    interpreter = opened(content, batch)
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    (scale, zero_point), (output_scale, output_zero) = taken["quantization"], given["quantization"]

    def probabilities(pixels: Pixels) -> npt.NDArray[np.float32]:
        values = pixels.astype(np.float32) / 255
        quantized = np.clip(np.rint(values / scale) + zero_point, -128, 127).astype(np.int8)
        interpreter.set_tensor(taken["index"], quantized.reshape(batch, *taken["shape"][1:]))
        interpreter.invoke()
        answers = interpreter.get_tensor(given["index"])
        dequantized: npt.NDArray[np.float32] = (answers.astype(np.float32) - output_zero) * output_scale
        return dequantized

    return probabilities


def opened(content: bytes, batch: int) -> Any:
    """Open a TFLite file for a batch size, in one thread."""
    with hidden_native_output():
        interpreter = Interpreter(model_content=content, num_threads=1)
        details = interpreter.get_input_details()[0]
        interpreter.resize_tensor_input(details["index"], (batch, *details["shape"][1:]))
        interpreter.allocate_tensors()
    return interpreter


def session(content: bytes) -> onnxruntime.InferenceSession:
    """Open an ONNX file with onnxruntime's own options but for the one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def calibration_images(recipe: Recipe, split: Split) -> Pixels:
    """Choose what the rivals are calibrated with."""
    fit, _ = validation_indices(split.labels, recipe.validation, recipe.seed)
    return choose_calibration_images(split, fit, size=STOCK_CALIBRATION, seed=0).images


def measure_accuracy(recipe: Recipe, train_split: Split, test_split: Split) -> dict[str, dict[str, float]]:
    """Export a network in both ways; return points of accuracy gained and agreement in percent by file."""
    network = kept(recipe, train_split, test_split)
    graph = load_inference_graph(network)
    images = calibration_images(recipe, train_split)
    with tempfile.TemporaryDirectory() as folder:
        exported, _ = export_model(
            network,
            TARGETS,
            train_split,
            test_split,
            folder=Path(folder),
            options=ExportOptions(max_drop=100.0),
        )
        stock = session(stock_onnx(graph, images, Path(folder, "stock.onnx")))
    ours = [file.verification.comparison for file in exported]
    reference = graph.reference_probabilities(test_split.images).argmax(axis=1)
    theirs = [
        textbook_call(stock_tflite(graph, images), len(test_split.images))(test_split.images).argmax(axis=1),
        stock.run(None, {INPUT_NAME: test_split.images})[0].argmax(axis=1),
    ]
    result = {
        name: {"difference": comparison.difference, "agreement": comparison.agreement}
        for name, comparison in zip(("int8 TFLite", "int8 ONNX"), ours, strict=True)
    }
    correct = reference == test_split.labels
    for name, answers in zip(("converter's TFLite", "quantize_static's ONNX"), theirs, strict=True):
        gained = 100 * ((answers == test_split.labels).mean() - correct.mean())
        result[name] = {"difference": gained, "agreement": 100 * (answers == reference).mean()}
    line = "  ".join(
        f"{name} {row['difference']:+.2f} ({row['agreement']:.2f} %)" for name, row in result.items()
    )
    print(f"{folder_of(recipe).name:18} {line}", flush=True)
    return result


def accuracy_targets(rows: dict[str, dict[str, dict[str, float]]]) -> dict[str, tuple[float, float]]:
    """Return what the mean, the worst network and the agreement may be at most."""
    targets = {}
    for name, mean_drop in (("int8 ONNX", 0.03), ("int8 TFLite", 0.03)):
        drops = [-row[name]["difference"] for row in rows.values()]
        targets[f"{name}: points lost, mean of {len(drops)} networks"] = (statistics.mean(drops), mean_drop)
        targets[f"{name}: points lost, worst network"] = (max(drops), 0.10)
        worst = max(100 - row[name]["agreement"] for row in rows.values())
        targets[f"{name}: images with another answer than Keras, worst network, percent"] = (worst, 0.20)
    return targets


def in_turn(calls: dict[str, Call], rounds: int, count: int) -> dict[str, float]:
    """Return the median time of each call in microseconds; all take turns, so a slow moment meets them alike."""
    samples: dict[str, list[int]] = {name: [] for name in calls}
    names = list(calls)
    for turn in range(rounds):
        for name in names if turn % 2 else reversed(names):
            call = calls[name]
            call()
            for _ in range(count):
                start = time.perf_counter_ns()
                call()
                samples[name].append(time.perf_counter_ns() - start)
    return {name: statistics.median(taken) / 1000 for name, taken in samples.items()}


def measure_speed(train_split: Split, test_split: Split) -> dict[str, dict[str, float]]:
    """Return microseconds for one image and for all test images at once, by file."""
    recipe = Recipe()
    graph = load_inference_graph(MODELS / "digits.keras")
    images = calibration_images(recipe, train_split)
    with tempfile.TemporaryDirectory() as folder:
        stock = stock_onnx(graph, images, Path(folder, "stock.onnx"))
    sessions = {
        "int8 ONNX": session((MODELS / "digits.int8.onnx").read_bytes()),
        "float ONNX": session((MODELS / "digits.onnx").read_bytes()),
        "quantize_static's ONNX": session(stock),
    }
    flatbuffers = {
        "int8 TFLite": (MODELS / "digits.int8.tflite").read_bytes(),
        "converter's TFLite": stock_tflite(graph, images),
    }
    int8_tflite = open_model(MODELS / "digits.int8.tflite")
    microseconds: dict[str, dict[str, float]] = {}
    for label, batch, rounds, count in ((ONE, 1, ROUNDS, SINGLES), (MANY, 10_000, ROUNDS // 5, BATCH_CALLS)):
        pixels = np.ascontiguousarray(test_split.images[:batch])
        textbook = textbook_call(flatbuffers["converter's TFLite"], batch)
        calls: dict[str, Call] = {
            **{name: partial(each.run, None, {INPUT_NAME: pixels}) for name, each in sessions.items()},
            **{f"{name}, invoke": opened(content, batch).invoke for name, content in flatbuffers.items()},
            "int8 TFLite, pixels to probabilities": partial(int8_tflite.probabilities, pixels),
            "converter's TFLite, pixels to probabilities": partial(textbook, pixels),
        }
        for name, taken in in_turn(calls, rounds, count).items():
            microseconds.setdefault(name, {})[label] = taken
    for name, by_batch in microseconds.items():
        rate = 10_000 / by_batch[MANY]
        print(f"{name:44} 1 image {by_batch[ONE]:7.2f} us   10,000 images {rate:6.2f} million images/s")
    return microseconds


def speed_targets(microseconds: dict[str, dict[str, float]]) -> dict[str, tuple[float, float]]:
    """Return the ratios that are claimed, each with what it may be at most."""

    def ratio(ours: str, theirs: str, label: str) -> float:
        return microseconds[ours][label] / microseconds[theirs][label]

    claims = (
        ("int8 ONNX", "float ONNX", ONE, 0.80),
        ("int8 ONNX", "quantize_static's ONNX", ONE, 0.75),
        ("int8 ONNX", "float ONNX", MANY, 1 / 3.0),
        ("int8 ONNX", "quantize_static's ONNX", MANY, 1 / 1.6),
        ("int8 TFLite, invoke", "converter's TFLite, invoke", ONE, 0.90),
        # Not slower: XNNPACK of LiteRT 2.3 also takes the shape operators that only the converter's graph has.
        ("int8 TFLite, invoke", "converter's TFLite, invoke", MANY, 0.95),
        (
            "int8 TFLite, pixels to probabilities",
            "converter's TFLite, pixels to probabilities",
            MANY,
            1 / 3.0,
        ),
    )
    return {
        **{
            f"{ours} / {theirs}, time of {label}": (ratio(ours, theirs, label), limit)
            for ours, theirs, label, limit in claims
        },
        "int8 ONNX, size in KB": ((MODELS / "digits.int8.onnx").stat().st_size / 1000, 108.0),
    }


def main(parts: list[str]) -> int:
    """Measure, print and write the results, one file for each part; 1 where a target is missed."""
    source = mnist.find_or_download()
    splits = mnist.read_split(source, "train"), mnist.read_split(source, "test")
    status = 0
    if "speed" in parts:
        microseconds = measure_speed(*splits)
        status |= conclude("quantization-speed", {"microseconds": microseconds}, speed_targets(microseconds))
    if "accuracy" in parts:
        rows = {folder_of(recipe).name: measure_accuracy(recipe, *splits) for recipe in long_recipes()}
        status |= conclude("quantization-accuracy", {"networks": rows}, accuracy_targets(rows))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["speed", "accuracy"]))
