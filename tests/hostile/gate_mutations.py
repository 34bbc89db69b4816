"""Ways to break what the gate judges: the network, the file, its metadata, its manifest, its reference.

Each is a function that changes one thing in a folder, by name. None is equivalent: what nobody could measure is no
mutation. A file that holds integers is broken in integers.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import helper, numpy_helper
from opened_files import CFile, KerasFile, Layer, OnnxFile, OpenedFile, TfliteFile, opened

from edgedigits.measuring.reference import read_reference

Mutation = Callable[[Path], object]
"""Of the model file, in a folder of its own, with its reference and its manifest."""


# --- The network: its weights, whatever the format ------------------------------------------------------------------


def weights(change: Callable[[list[Layer]], object]) -> Mutation:
    """Change kernels and biases, and keep them within their type."""

    def mutate(path: Path) -> None:
        file = opened(path)
        layers = file.layers()
        kinds = [[part.dtype for part in layer] for layer in layers]
        wide = [[part.astype(np.float64) for part in layer] for layer in layers]
        change(wide)
        for layer, kind in zip(wide, kinds, strict=True):
            for place, dtype in enumerate(kind):
                if np.issubdtype(dtype, np.integer):
                    limits = np.iinfo(dtype)
                    layer[place] = np.clip(np.rint(layer[place]), limits.min, limits.max)
                layer[place] = layer[place].astype(dtype)
        file.set_layers(wide)
        file.save()

    return mutate


def scale_of(values: np.ndarray) -> float:
    return float(np.abs(values).max())


def set_kernel(index: int, value: Callable[[np.ndarray], Any]) -> Mutation:
    def change(layers: list[Layer]) -> None:
        layers[index][0] = np.broadcast_to(value(layers[index][0]), layers[index][0].shape).copy()

    return weights(change)


def set_bias(index: int, value: Callable[[np.ndarray], Any]) -> Mutation:
    def change(layers: list[Layer]) -> None:
        layers[index][1] = np.broadcast_to(value(layers[index][1]), layers[index][1].shape).copy()

    return weights(change)


def reorder_pixels(order: Callable[[np.ndarray], np.ndarray]) -> Mutation:
    """Let the first layer see the image turned, mirrored or moved."""
    places = order(np.arange(784).reshape(28, 28)).ravel()
    return set_kernel(0, lambda kernel: kernel[places])


def swap_classes(layers: list[Layer]) -> None:
    order = np.arange(10)
    order[[3, 5]] = [5, 3]
    layers[-1][0], layers[-1][1] = layers[-1][0][:, order], layers[-1][1][order]


def noise(share: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda kernel: kernel + np.random.default_rng(0).normal(0, share * scale_of(kernel), kernel.shape)


def first_units(kernel: np.ndarray, value: float) -> np.ndarray:
    kernel[:, : kernel.shape[1] // 2] = value
    return kernel


NETWORK: dict[str, Mutation] = {
    "first layer of zeros": set_kernel(0, lambda kernel: 0),
    "middle layer of zeros": set_kernel(1, lambda kernel: 0),
    "last layer of zeros": set_kernel(2, lambda kernel: 0),
    "first layer all the same": set_kernel(0, scale_of),
    "first layer negated": set_kernel(0, lambda kernel: -kernel),
    "middle layer negated": set_kernel(1, lambda kernel: -kernel),
    "last layer negated": set_kernel(2, lambda kernel: -kernel),
    "classes swapped": weights(swap_classes),
    "weights of a class lost": set_kernel(2, lambda kernel: kernel * (np.arange(10) != 7)),
    "units in another order": set_kernel(0, lambda kernel: kernel[:, ::-1]),
    "half of the units lost": set_kernel(0, lambda kernel: first_units(kernel, 0)),
    "half of the last layer's inputs lost": set_kernel(2, lambda kernel: first_units(kernel.T, 0).T),
    "signs only": set_kernel(0, lambda kernel: np.sign(kernel) * scale_of(kernel) / 4),
    "noise in the first layer": set_kernel(0, noise(0.1)),
    "noise in the last layer": set_kernel(2, noise(0.3)),
    "another network": set_kernel(
        1, lambda kernel: np.random.default_rng(1).uniform(-1, 1, kernel.shape) * scale_of(kernel)
    ),
    "image turned": reorder_pixels(np.transpose),
    "image mirrored": reorder_pixels(np.fliplr),
    "image upside down": reorder_pixels(np.flipud),
    "image moved": reorder_pixels(lambda places: np.roll(places, 2, axis=1)),
    "units that never fire": set_bias(0, lambda bias: bias - 1e3 * scale_of(bias)),
    "a class that always wins": set_bias(2, lambda bias: bias + 1e3 * scale_of(bias) * (np.arange(10) == 7)),
    "biases of another layer's size": set_bias(1, lambda bias: 50 * bias),
    "biases in another order": set_bias(0, lambda bias: 5 * bias[::-1]),
}


def scaled_logits(factor: float) -> Mutation:
    """Every class stays the most probable one, but not as probable as it was."""

    def change(layers: list[Layer]) -> None:
        layers[-1][:] = [factor * part for part in layers[-1]]

    return weights(change)


FLOAT_NETWORK: dict[str, Mutation] = {
    "NaN": set_kernel(0, lambda kernel: np.where(np.arange(kernel.size).reshape(kernel.shape) == 99, np.nan, kernel)),
    "infinity": set_kernel(1, lambda kernel: np.where(kernel == kernel.max(), np.inf, kernel)),
    "infinite bias": set_bias(2, lambda bias: np.where(np.arange(10) == 3, np.inf, bias)),
    "logits twice as large": scaled_logits(2.0),
    "logits half as large": scaled_logits(0.5),
}  # fmt: skip


# --- The graph ------------------------------------------------------------------------------------------------------


def on(kind: type[OpenedFile], change: Callable[[Any], object]) -> Mutation:
    """Change a file of a kind."""

    def mutate(path: Path) -> None:
        file = opened(path)
        assert isinstance(file, kind)
        change(file)
        file.save()

    return mutate


def drop(file: OnnxFile, node: onnx.NodeProto) -> None:
    """Leave an operator out: who took its output takes its input."""
    for other in file.model.graph.node:
        other.input[:] = [node.input[0] if name == node.output[0] else name for name in other.input]
    if node.output[0] == "probabilities":
        for other in file.model.graph.node:
            other.output[:] = ["probabilities" if name == node.input[0] else name for name in other.output]
    file.model.graph.node.remove(node)


def insert_before(file: OnnxFile, node: onnx.NodeProto, operator: str, **attributes: Any) -> None:
    made = helper.make_node(operator, [node.input[0]], ["inserted"], **attributes)
    place = list(file.model.graph.node).index(node)
    file.model.graph.node.insert(place, made)
    node.input[0] = "inserted"


def constant_output(file: OnnxFile) -> None:
    file.node("Softmax").output[0] = "unused"
    file.model.graph.initializer.append(
        numpy_helper.from_array(np.full((1, 10), 0.1, np.float32), "probabilities")
    )


def kernel_of_activations(file: OnnxFile) -> None:
    """The last layer is multiplied with itself."""
    last = [node for node in file.model.graph.node if node.op_type in ("Gemm", "MatMulInteger")][-1]
    last.input[1] = last.input[0]


def fixed_batch(file: OnnxFile) -> None:
    for value in (*file.model.graph.input, *file.model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1


def axis_of_images(file: OnnxFile) -> None:
    del file.node("Softmax").attribute[:]
    file.node("Softmax").attribute.append(helper.make_attribute("axis", 0))


def scaled(name: str, factor: float) -> Callable[[OnnxFile], None]:
    return lambda file: file.set_value(name, file.value(name) * factor)


ONNX_GRAPH: dict[str, Mutation] = {
    "softmax removed": on(OnnxFile, lambda file: drop(file, file.node("Softmax"))),
    "softmax twice": on(OnnxFile, lambda file: insert_before(file, file.node("Softmax"), "Softmax", axis=-1)),
    "softmax over the images": on(OnnxFile, axis_of_images),
    "a ReLU before the softmax": on(OnnxFile, lambda file: insert_before(file, file.node("Softmax"), "Relu")),
    "first ReLU removed": on(OnnxFile, lambda file: drop(file, file.node("Relu"))),
    "last ReLU removed": on(OnnxFile, lambda file: drop(file, file.node("Relu", -1))),
    "a constant as output": on(OnnxFile, constant_output),
    "a batch of one": on(OnnxFile, fixed_batch),
}
"""Of ``.onnx`` files; onnxruntime itself refuses to make ``.ort`` files of some."""
GEMM_GRAPH: dict[str, Mutation] = {
    "alpha": on(OnnxFile, lambda file: file.node("Gemm", -1).attribute.append(helper.make_attribute("alpha", 2.0))),
    "beta": on(OnnxFile, lambda file: file.node("Gemm").attribute.append(helper.make_attribute("beta", 0.0))),
    "a layer of activations only": on(OnnxFile, kernel_of_activations),
}  # fmt: skip


def twice(file: OnnxFile) -> None:
    """The last layer's sums are added to themselves."""
    softmax = file.node("Softmax")
    place = list(file.model.graph.node).index(softmax)
    file.model.graph.node.insert(place, helper.make_node("Add", [softmax.input[0]] * 2, ["inserted"]))
    softmax.input[0] = "inserted"


OTHER_ONNX_LAYERS: dict[str, Mutation] = {
    "tanh before the softmax": on(OnnxFile, lambda file: insert_before(file, file.node("Softmax"), "Tanh")),
    "sums added to themselves": on(OnnxFile, twice),
}
"""What networks of other layers may have; a file that says that it has Dense ones may not."""
INT8_ONNX: dict[str, Mutation] = {
    "scale of the pixels": on(OnnxFile, scaled("scale_0", 3.0)),
    "scale of a hidden layer": on(OnnxFile, scaled("scale_1", 0.1)),
    "scale of the first weights": on(OnnxFile, scaled("kernel_1_scale", 0.1)),
    "scale of the last weights": on(OnnxFile, scaled("kernel_3_scale", 2.0)),
    "scale of the first biases": on(OnnxFile, scaled("bias_1_scale", 3.0)),
    "scale of the last biases": on(OnnxFile, scaled("bias_3_scale", 0.8)),
    "scale of zero": on(OnnxFile, scaled("kernel_2_scale", 0.0)),
    "negative scale": on(OnnxFile, scaled("kernel_2_scale", -1.0)),
    "infinite scale": on(OnnxFile, scaled("kernel_3_scale", np.inf)),
    "zero point of the activations": on(OnnxFile, lambda file: file.set_value("zero", 40)),
    "zero point of the weights": on(OnnxFile, lambda file: file.set_value("kernel_1_zero", 3)),
}
DYNAMIC_ONNX: dict[str, Mutation] = {
    "scale of the first weights": on(OnnxFile, scaled("weight_scales_1", 0.1)),
    "scale of the last weights": on(OnnxFile, scaled("weight_scales_3", 2.0)),
    "scale of zero": on(OnnxFile, scaled("weight_scales_2", 0.0)),
    "negative scale": on(OnnxFile, scaled("weight_scales_2", -1.0)),
}


def remove_tflite_softmax(file: TfliteFile) -> None:
    for place in (file.graph.outputs, [edge.tensorIndex for edge in file.model.signatureDefs[0].outputs]):
        assert list(place) == [file.softmax.outputs[0]]
    dropped, logits = file.softmax.outputs[0], file.softmax.inputs[0]
    file.graph.operators.remove(file.softmax)
    # Its tensor goes with it; it is the last.
    assert dropped == len(file.graph.tensors) - 1
    file.graph.tensors.pop()
    file.graph.outputs = [logits]
    file.model.signatureDefs[0].outputs[0].tensorIndex = logits
    file.graph.tensors[logits].name = b"probabilities"


def repeat_tflite_softmax(file: TfliteFile) -> None:
    again = schema.OperatorT()
    again.opcodeIndex, again.inputs = file.softmax.opcodeIndex, file.softmax.outputs
    again.builtinOptionsType, again.builtinOptions = (
        file.softmax.builtinOptionsType,
        file.softmax.builtinOptions,
    )
    kept = file.graph.tensors[file.softmax.outputs[0]]
    tensor = schema.TensorT()
    tensor.shape, tensor.shapeSignature, tensor.type = kept.shape, kept.shapeSignature, kept.type
    tensor.name, tensor.quantization, tensor.buffer = b"again", kept.quantization, 0
    file.graph.tensors.append(tensor)
    again.outputs = [len(file.graph.tensors) - 1]
    file.graph.operators.append(again)
    file.graph.outputs = again.outputs
    file.model.signatureDefs[0].outputs[0].tensorIndex = again.outputs[0]


def tflite_constant_output(file: TfliteFile) -> None:
    tensor = file.graph.tensors[file.graph.outputs[0]]
    buffer = schema.BufferT()
    buffer.data = np.ones(10 * (4 if tensor.type == 0 else 1), np.uint8)
    tensor.buffer = len(file.model.buffers)
    file.model.buffers.append(buffer)
    file.graph.operators.remove(file.softmax)


def tflite_activations_only(file: TfliteFile) -> None:
    """The last layer's weights are the (1, 32) values that go into it."""
    last = file.dense[-1]
    last.inputs = [last.inputs[0], last.inputs[0], -1]
    file.graph.tensors[last.outputs[0]].shape = [1, 1]


def activation(index: int, number: int) -> Callable[[TfliteFile], None]:
    return lambda file: setattr(file.dense[index].builtinOptions, "fusedActivationFunction", number)


TFLITE_GRAPH: dict[str, Mutation] = {
    "softmax removed": on(TfliteFile, remove_tflite_softmax),
    "softmax twice": on(TfliteFile, repeat_tflite_softmax),
    "softmax of half": on(TfliteFile, lambda file: setattr(file.softmax.builtinOptions, "beta", 0.5)),
    "a ReLU before the softmax": on(TfliteFile, activation(-1, 1)),
    "first ReLU removed": on(TfliteFile, activation(0, 0)),
    "last ReLU removed": on(TfliteFile, activation(1, 0)),
    "a constant as output": on(TfliteFile, tflite_constant_output),
    "a layer of activations only": on(TfliteFile, tflite_activations_only),
}


OTHER_TFLITE_LAYERS = ("a ReLU before the softmax", "first ReLU removed", "last ReLU removed")


def tflite_scales(layer: int, place: int, factor: float) -> Callable[[TfliteFile], None]:
    """Change the scales of an input (0 to 2) or of the output (-1) of a layer."""

    def change(file: TfliteFile) -> None:
        operator = file.dense[layer]
        index = operator.outputs[0] if place < 0 else operator.inputs[place]
        quantization = file.graph.tensors[index].quantization
        quantization.scale = np.asarray(quantization.scale) * np.float32(factor)

    return change


def tflite_zero_point(layer: int, value: int) -> Callable[[TfliteFile], None]:
    def change(file: TfliteFile) -> None:
        file.graph.tensors[file.dense[layer].outputs[0]].quantization.zeroPoint = [value]

    return change


INT8_TFLITE: dict[str, Mutation] = {
    "scale of a hidden layer": on(TfliteFile, tflite_scales(0, -1, 0.1)),
    "scale of the logits": on(TfliteFile, tflite_scales(2, -1, 0.2)),
    "scale of the first weights": on(TfliteFile, tflite_scales(0, 1, 0.1)),
    "scale of the last weights": on(TfliteFile, tflite_scales(2, 1, 2.0)),
    "scale of the first biases": on(TfliteFile, tflite_scales(0, 2, 1.001)),
    "scale of the last biases": on(TfliteFile, tflite_scales(2, 2, 1.01)),
    "scale of zero": on(TfliteFile, tflite_scales(1, 1, 0.0)),
    "negative scale": on(TfliteFile, tflite_scales(1, 1, -1.0)),
    "infinite scale": on(TfliteFile, tflite_scales(1, 1, np.inf)),
    "zero point of a hidden layer": on(TfliteFile, tflite_zero_point(0, 100)),
    "zero point of the logits": on(TfliteFile, tflite_zero_point(2, 100)),
    "zero point out of range": on(TfliteFile, tflite_zero_point(1, 300)),
}
DYNAMIC_TFLITE: dict[str, Mutation] = {
    "scale of the first weights": on(TfliteFile, tflite_scales(0, 1, 0.1)),
    "scale of the middle weights": on(TfliteFile, tflite_scales(1, 1, 3.0)),
    "scale of zero": on(TfliteFile, tflite_scales(1, 1, 0.0)),
    "negative scale": on(TfliteFile, tflite_scales(1, 1, -1.0)),
}


def replaced(old: str, new: str) -> Mutation:
    def change(file: CFile) -> None:
        assert old in file.text
        file.text = file.text.replace(old, new)

    return on(CFile, change)


def tables(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Mutation:
    return on(CFile, lambda file: file.set_table(name, change(file.table(name))))


C_CODE: dict[str, Mutation] = {
    "softmax removed": replaced(
        "    softmax(logits, probabilities);",
        "    for (int i = 0; i < EDGEDIGITS_CLASSES; i++) {\n        probabilities[i] = logits[i];\n    }",
    ),
    "a constant as output": replaced(
        "    softmax(logits, probabilities);",
        "    for (int i = 0; i < EDGEDIGITS_CLASSES; i++) {\n        probabilities[i] = 25;\n    }",
    ),
    "floats in the code": replaced(
        "/* Sums of exponentials", "typedef float number;\n/* Sums of exponentials"
    ),
    "multipliers of the first layer": tables("multipliers_1", lambda table: table // 4),
    "shifts of the last layer": tables("shifts_3", lambda table: table - 1),
    "zero point of the logits": replaced("    .zero_point = 36,", "    .zero_point = 250,"),
    "exponentials": tables("exponentials", lambda table: np.sqrt(table / 2**31) * (2**31 - 1)),
    "a layer left out": replaced("    dense(&layer_2, hidden_1, hidden_2);", "    (void)hidden_1;"),
}


def header(old: str, new: str) -> Mutation:
    def mutate(path: Path) -> None:
        place = path.with_suffix(".h")
        text = place.read_text(encoding="utf-8")
        assert old in text
        place.write_text(text.replace(old, new), encoding="utf-8")

    return mutate


C_CODE["bits of the header"] = header("PROBABILITY_BITS 8", "PROBABILITY_BITS 7")
C_CODE["pixels of the header"] = header("EDGEDIGITS_PIXELS 784", "EDGEDIGITS_PIXELS 783")


def keras_activation(index: int, name: str) -> Mutation:
    return on(KerasFile, lambda file: file.dense(index).update(activation=name))


KERAS_CONFIG: dict[str, Mutation] = {
    # Without any activation these are logits, which are given the softmax that was there: the same network.
    "a ReLU for the softmax": keras_activation(-1, "relu"),
    "tanh for the softmax": keras_activation(-1, "tanh"),
    "sigmoid for softmax": keras_activation(-1, "sigmoid"),
    "first ReLU removed": keras_activation(0, "linear"),
    "last ReLU removed": keras_activation(1, "linear"),
    "another number of classes": on(KerasFile, lambda file: file.dense(-1).update(units=9)),
}


# --- What the file says of itself -------------------------------------------------------------------------------------


def metadata(change: Callable[[dict[str, Any]], object]) -> Mutation:
    def mutate(path: Path) -> None:
        file = opened(path)
        file.change_metadata(change)
        file.save()

    return mutate


def set_fields(**fields: Any) -> Mutation:
    return metadata(lambda found: found.update(fields))


def swap_labels(found: dict[str, Any]) -> None:
    found["labels"][3], found["labels"][5] = found["labels"][5], found["labels"][3]


METADATA: dict[str, Mutation] = {
    "labels in another order": metadata(swap_labels),
    "other labels": set_fields(labels=list("abcdefghij")),
    "nine labels": metadata(lambda found: found["labels"].pop()),
    "another polarity": set_fields(polarity="black on white"),
    "another contract": set_fields(contract=2),
    "another network's weights": set_fields(weights_sha256="ab" * 32),
    "other hidden layers": set_fields(arch="128-64"),
    "more right answers": metadata(lambda found: found["accuracy"].update(correct=10_000)),
    "fewer right answers": metadata(lambda found: found["accuracy"].update(correct=9_700)),
    "more right answers than images": metadata(lambda found: found["accuracy"].update(correct=10_001)),
    "of other images": metadata(lambda found: found["accuracy"].update(images=60_000)),
    "of another dataset": metadata(lambda found: found["accuracy"].update(dataset="EMNIST")),
    "of no precision": set_fields(precision="int4"),
    "of other edges": metadata(lambda found: found.update(edges="uint8" if found["edges"] == "int8" else "int8")),
    "no metadata": metadata(dict.clear),
    **{
        f"called {precision}": set_fields(precision=precision)
        for precision in ("float32", "float16", "dynamic", "int8")
    },
}  # fmt: skip


# --- The manifest -----------------------------------------------------------------------------------------------------


def manifest(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Mutation:
    """Change a network's entry in the manifest, given it and its record of the file."""

    def mutate(path: Path) -> None:
        place = path.with_name("manifest.json")
        content = json.loads(place.read_bytes())
        network = content["networks"]["digits"]
        change(network, network["files"][path.name])
        place.write_text(json.dumps(content))

    return mutate


def verification(**fields: Any) -> Mutation:
    return manifest(lambda network, record: record["verification"].update(fields))


def tested(**fields: Any) -> Mutation:
    return manifest(lambda network, record: network["training"]["results"]["test"].update(fields))


def written(text: str) -> Mutation:
    return lambda path: path.with_name("manifest.json").write_text(text)


MANIFEST: dict[str, Mutation] = {
    "sha256 of the file": manifest(lambda network, record: record.update(sha256="0" * 64)),
    "bytes of the file": manifest(lambda network, record: record.update(bytes=record["bytes"] + 1)),
    "sha256 of the reference": manifest(
        lambda network, record: network["files"]["reference.npz"].update(sha256="0" * 64)
    ),
    "right answers of the network": tested(correct=9_400),
    "test images of the network": tested(images=9_999),
    "labels of the dataset": manifest(
        lambda network, record: network["training"]["dataset"].update(labels=list("abcdefghij"))
    ),
    "no JSON": written("{"),
    "a version of the future": written('{"manifest_version": 2, "networks": {}}'),
}
RECORD: dict[str, Mutation] = {
    "right answers": verification(correct=9_950),
    "images": verification(images=9_999),
    "not passed": verification(passed=False),
    "fixed images": verification(fixed=400),
    "points": verification(difference_points=0.9),
    "interval": verification(interval_percent=[99.9, 100.0]),
    "agreement": verification(agreement_percent=90.0),
    "versions": manifest(lambda network, record: record["versions"].update(python="2.7")),
    "calibration": manifest(
        lambda network, record: record.update(calibration={"images": 7, "seed": 7, "indices_sha256": "7"})
    ),
    "precision": manifest(lambda network, record: record.update(precision="int4")),
    "format": manifest(lambda network, record: record.update(format="pickle")),
    "edges": manifest(lambda network, record: record.update(edges="float32")),
    "weights_sha256": manifest(lambda network, record: record.update(weights_sha256="cd" * 32)),
}
"""Of an exported file only."""


# --- The reference ----------------------------------------------------------------------------------------------------


def reference(change: Callable[[np.ndarray], np.ndarray], **fields: str) -> Mutation:
    """Change the reference's probabilities, or what it says of itself."""

    def mutate(path: Path) -> None:
        place = path.with_name("reference.npz")
        found = read_reference(place)
        changed = dataclasses.replace(found, probabilities=change(found.probabilities.copy()), **fields)
        place.write_bytes(changed.to_bytes())

    return mutate


def with_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(rows: np.ndarray) -> np.ndarray:
        rows[4_321, 7] = value
        return rows

    return change


def tempered(power: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(rows: np.ndarray) -> np.ndarray:
        grown = np.maximum(rows.astype(np.float64), 1e-12) ** power
        return (grown / grown.sum(axis=1, keepdims=True)).astype(np.float32)

    return change


def same(rows: np.ndarray) -> np.ndarray:
    return rows


def cut_off(path: Path) -> None:
    place = path.with_name("reference.npz")
    place.write_bytes(place.read_bytes()[:9_000])


REFERENCE: dict[str, Mutation] = {
    "zeros": reference(np.zeros_like),
    "ones": reference(np.ones_like),
    "uniform": reference(lambda rows: np.full_like(rows, 0.1)),
    "always 7": reference(lambda rows: np.tile(np.eye(10, dtype=np.float32)[7], (len(rows), 1))),
    "the same row": reference(lambda rows: np.tile(rows[:1], (len(rows), 1))),
    "all NaN": reference(lambda rows: np.full_like(rows, np.nan)),
    "a NaN": reference(with_value(np.nan)),
    "an infinity": reference(with_value(np.inf)),
    "a negative one": reference(with_value(-0.5)),
    "one above 1": reference(with_value(1.5)),
    "twice as large": reference(lambda rows: 2 * rows),
    "logits": reference(lambda rows: np.log(np.maximum(rows, 1e-9))),
    "rows in another order": reference(lambda rows: rows[::-1]),
    "rows shuffled": reference(lambda rows: np.random.default_rng(0).permutation(rows)),
    "some rows shuffled": reference(lambda rows: np.concatenate([np.roll(rows[:500], 1, axis=0), rows[500:]])),
    "classes in another order": reference(lambda rows: rows[:, ::-1]),
    "classes moved": reference(lambda rows: np.roll(rows, 1, axis=1)),
    "two classes swapped": reference(lambda rows: rows[:, [0, 1, 2, 5, 4, 3, 6, 7, 8, 9]]),
    "chance": reference(lambda rows: np.random.default_rng(0).dirichlet(np.ones(10), len(rows)).astype(np.float32)),
    "less sure": reference(tempered(0.5)),
    "surer": reference(tempered(2.0)),
    "a row missing": reference(lambda rows: rows[1:]),
    "a row too many": reference(lambda rows: np.concatenate([rows, rows[:1]])),
    "no rows": reference(lambda rows: rows[:0]),
    "nine classes": reference(lambda rows: rows[:, :9]),
    "eleven classes": reference(lambda rows: np.concatenate([rows, rows[:, :1]], axis=1)),
    "another dtype": reference(lambda rows: rows.astype(np.float64)),
    "halves": reference(lambda rows: rows.astype(np.float16)),
    "another shape": reference(lambda rows: rows.reshape(-1)),
    "of another network": reference(same, weights_sha256="ab" * 32),
    "of other images": reference(same, test_sha256="0" * 64),
    "missing": lambda path: path.with_name("reference.npz").unlink(),
    "cut off": cut_off,
}  # fmt: skip


# --- All of them ------------------------------------------------------------------------------------------------------

_FLOAT_ONNX = {**ONNX_GRAPH, **GEMM_GRAPH, **FLOAT_NETWORK}
_OWN: dict[str, dict[str, Mutation]] = {
    "digits.onnx": _FLOAT_ONNX,
    "digits.float16.onnx": _FLOAT_ONNX,
    "digits.dynamic.onnx": {**ONNX_GRAPH, **DYNAMIC_ONNX},
    # Integers from 0 on are a ReLU themselves: to remove the operator before them changes nothing.
    "digits.int8.onnx": {
        **{kind: mutate for kind, mutate in ONNX_GRAPH.items() if "ReLU removed" not in kind},
        **GEMM_GRAPH,
        **INT8_ONNX,
    },
    "digits.ort": FLOAT_NETWORK,
    # onnxruntime leaves the biases' scales out of what it makes of them.
    "digits.int8.ort": {kind: mutate for kind, mutate in INT8_ONNX.items() if "biases" not in kind},
    "digits.tflite": {**TFLITE_GRAPH, **FLOAT_NETWORK},
    "digits.float16.tflite": {**TFLITE_GRAPH, **FLOAT_NETWORK},
    "digits.dynamic.tflite": {**TFLITE_GRAPH, **DYNAMIC_TFLITE},
    "digits.int8.tflite": {**TFLITE_GRAPH, **INT8_TFLITE},
    "digits.tflm.c": {**TFLITE_GRAPH, **INT8_TFLITE},
    "digits.c": C_CODE,
    "digits.keras": {**KERAS_CONFIG, **FLOAT_NETWORK},
}
FILES = tuple(_OWN)


def mutations_of(name: str) -> dict[str, Mutation]:
    """Return all ways to break a shipped file, by a name that says what of it is broken.

    Args:
        name: of the file, one of ``FILES``.
    """
    is_keras = name == "digits.keras"
    groups = {
        "network": NETWORK,
        "file": _OWN[name],
        "metadata": {} if is_keras else METADATA,
        "manifest": MANIFEST if is_keras else {**MANIFEST, **RECORD},
        "reference": REFERENCE,
    }
    found = {f"{group}: {kind}": mutate for group, kinds in groups.items() for kind, mutate in kinds.items()}
    # What it is anyway is no mutation.
    infix = name.removeprefix("digits").split(".")[1]
    precision = infix if infix in ("float16", "dynamic", "int8") else "float32"
    found.pop(f"metadata: called {'int8' if name in ('digits.c', 'digits.tflm.c') else precision}", None)
    return found


def other_layers_of(name: str) -> dict[str, Mutation]:
    """Return the ways to give a shipped file of Dense layers others, which are no damage in a network that has them.

    Args:
        name: of the file, one of ``FILES``.
    """
    if "tfl" in name:
        return {kind: TFLITE_GRAPH[kind] for kind in OTHER_TFLITE_LAYERS}
    return OTHER_ONNX_LAYERS if name.endswith(("onnx", "ort")) else {}
