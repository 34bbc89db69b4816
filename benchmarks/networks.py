"""Networks of other authors: do their files say what Keras says, and are they as fast as what Keras itself exports?

The 21 feed-forward networks of ``tests/export/networks.py``, seeded weights, each saved, loaded anew by Keras, and
asked about all 10,000 test images. Its float32 ONNX and TFLite files must give the same probabilities to within 1e-4.
Beside them, in the same run, what Keras makes of the same networks with ``model.export(format="onnx")`` and
``model.export(format="litert")``: whether that works, how far it is from Keras, and how long both ONNX files take for
one image and for 10,000, in turns, in onnxruntime with one thread. What edgedigits adds, from uint8 pixels to the
network's floats and a softmax to logits, is part of its time; Keras' files are given the floats.

Usage: python benchmarks/networks.py [--names lenet,residual] [--rounds 15]
"""

import argparse
import contextlib
import runpy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from _machine import ROOT, conclude
from ai_edge_litert.interpreter import Interpreter

from edgedigits.datasets.read import read_split
from edgedigits.input_scale import UNIT
from edgedigits.native_output import hidden_native_output
from edgedigits.runtimes.ort import onnxruntime
from edgedigits_export import ExportOptions, load_inference_graph
from edgedigits_export.formats.onnx_file import to_onnx
from edgedigits_export.formats.tflite_file import TFLITE

NEAR = 1e-4
Floats = npt.NDArray[np.float32]


def session(content: bytes) -> Any:
    """Open an ONNX file with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def opened(content: bytes | str) -> Any:
    """Open what Keras made; return why that cannot be, or why there is nothing."""
    if isinstance(content, str):
        return content
    try:
        made = session(content)
        wanted = [given.name for given in made.get_inputs()]
        return made if len(wanted) == 1 else f"asks for more than the image: {', '.join(wanted)}"
    except Exception as error:  # noqa: BLE001 - whatever a rival's file fails with is its result
        return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def onnx_answers(opened: Any, values: npt.NDArray[Any]) -> Floats:
    """Return what an ONNX file says of all images."""
    answers: Floats = opened.run(None, {opened.get_inputs()[0].name: values})[0]
    return answers


def litert_answers(content: bytes, values: npt.NDArray[Any]) -> Floats:
    """Return what a ``.tflite`` file says of all images, a thousand at a time where its batch is free."""
    with hidden_native_output():
        interpreter = Interpreter(model_content=content, num_threads=1)
        (given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
        step = 1_000 if given["shape_signature"][0] == -1 else 1
        interpreter.resize_tensor_input(given["index"], (step, *values.shape[1:]))
        interpreter.allocate_tensors()
    found = []
    for start in range(0, len(values), step):
        interpreter.set_tensor(given["index"], values[start : start + step])
        interpreter.invoke()
        found.append(interpreter.get_tensor(output["index"]))
    return np.concatenate(found)


def exported_by_keras(model: keras.Model, file_format: str, folder: Path) -> bytes | str:
    """Return the file that Keras makes, or the first line of why it makes none."""
    path = folder / f"keras.{file_format}"
    try:
        with hidden_native_output(), contextlib.redirect_stdout(None):
            model.export(path, format=file_format, verbose=False)
    except Exception as error:  # noqa: BLE001 - whatever a rival fails with is its result
        return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
    return path.read_bytes()


def median_in_turns(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each; the order turns round each time, and the first two warm up."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(rounds + 2):
        for name in sorted(calls, reverse=bool(index % 2)):
            start = time.perf_counter()
            calls[name]()
            if index >= 2:
                taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in taken.items()}


def measure(
    name: str, networks: SimpleNamespace, images: npt.NDArray[np.uint8], rounds: int
) -> dict[str, Any]:
    """Return what was found of one network."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        networks.built(name).save(folder / "theirs.keras")
        model = keras.models.load_model(folder / "theirs.keras")
        values = UNIT.values(images)
        expected = np.concatenate(
            [networks.answers(model, values[at : at + 1_000]) for at in range(0, len(values), 1_000)]
        )
        graph = load_inference_graph(folder / "theirs.keras")
        if graph.rescaling is not None:  # it takes pixels as they are
            values = images.astype(np.float32)
            expected = np.concatenate(
                [networks.answers(model, values[at : at + 1_000]) for at in range(0, len(values), 1_000)]
            )
        own_onnx, own_tflite = to_onnx(graph), TFLITE.convert(graph, None, "float32", ExportOptions())
        own = session(own_onnx)
        found: dict[str, Any] = {
            "layers": graph.arch,
            "parameters": graph.spec.parameters,
            "onnx": {"farthest": distance(onnx_answers(own, images), expected), "bytes": len(own_onnx)},
            "tflite": {
                "farthest": distance(litert_answers(own_tflite, images), expected),
                "bytes": len(own_tflite),
            },
        }
        shaped = values.reshape(-1, *model.input_shape[1:])
        rivals = {kind: exported_by_keras(model, kind, folder) for kind in ("onnx", "litert")}
        for kind, content in rivals.items():
            found[f"keras {kind}"] = (
                {"fails": content} if isinstance(content, str) else {"bytes": len(content)}
            )
        theirs = opened(rivals["onnx"])
        if isinstance(theirs, str):
            found["keras onnx"] = {"fails": theirs}
        else:
            answers = softmaxed(onnx_answers(theirs, shaped), graph.spec.head)
            found["keras onnx"]["farthest"] = distance(answers, expected)
            found |= timed(own, theirs, images, shaped, rounds)
        return found


def timed(
    own: Any, theirs: Any, images: npt.NDArray[np.uint8], values: Floats, rounds: int
) -> dict[str, dict[str, float]]:
    """Return the milliseconds of both ONNX files by number of images, and of which that our file takes."""
    found = {}
    for count in (1, len(images)):
        pixels, floats = images[:count], values[:count]
        times = median_in_turns(
            {"own": partial(onnx_answers, own, pixels), "keras": partial(onnx_answers, theirs, floats)},
            rounds if count > 1 else 40 * rounds,
        )
        found[f"ms of {count:,}"] = {**times, "ratio": times["own"] / times["keras"]}
    return found


def distance(found: Floats, expected: Floats) -> float:
    """Return the largest difference in any probability."""
    return float(np.abs(found - expected).max())


def softmaxed(found: Floats, head: str) -> Floats:
    """Return probabilities where a network ends in logits."""
    if head != "logits":
        return found
    powers = np.exp(found - found.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def main() -> int:
    """Measure all networks and compare with the targets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", default="", help="networks with commas between [default: all 21]")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    networks = SimpleNamespace(**runpy.run_path(str(ROOT / "tests/export/networks.py")))
    images = read_split(None, "test").images
    results = {}
    for name in options.names.split(",") if options.names else networks.NETWORKS:
        results[name] = found = measure(name, networks, images, options.rounds)
        ratios = ", ".join(f"{found[k]['ratio']:.2f}" for k in found if k.startswith("ms of"))
        farthest = found["onnx"]["farthest"], found["tflite"]["farthest"]
        print(
            f"{name:20} onnx {farthest[0]:.1e}, tflite {farthest[1]:.1e}, times of Keras' onnx: {ratios or 'none'}",
            flush=True,
        )
    timed = {
        key: [found[key]["ratio"] for found in results.values() if key in found]
        for key in ("ms of 1", "ms of 10,000")
    }
    targets: dict[str, tuple[float, float]] = {
        f"networks whose {kind} file is farther than {NEAR} from Keras": (
            sum(found[kind]["farthest"] > NEAR for found in results.values()),
            0,
        )
        for kind in ("onnx", "tflite")
    }
    for key, ratios_found in timed.items():
        targets[f"{key}, geometric mean of the times of Keras' own ONNX files"] = (
            statistics.geometric_mean(ratios_found),
            1.0,
        )
    return conclude("networks", {"networks": results}, targets)


if __name__ == "__main__":
    sys.exit(main())
