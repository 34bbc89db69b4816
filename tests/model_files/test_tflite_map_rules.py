"""TFLite files, of maps and of sequences, in which something is wrong: one line, before LiteRT sees them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgedigits.errors import EdgeDigitsError
from edgedigits.model_files.tflite_chain import MOST_OPERATORS
from edgedigits.model_files.tflite_file import read_graph
from edgedigits_export.formats.tflite_steps import steps_to_tflite
from edgedigits_export.graph.steps import Convolution, Function, GlobalPool, Image, Product

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
MAPS, SEQUENCES = ((SEEDS / f"small-{name}.tflite").read_bytes() for name in ("maps", "sequences"))
LARGEST = 2**31 - 1


class Opened:
    """The file as objects of the generated schema."""

    def __init__(self, content: bytes = MAPS) -> None:
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        (self.graph,) = self.model.subgraphs

    def operator(self, name: str, index: int = 0) -> schema.OperatorT:
        code = getattr(schema.BuiltinOperator, name)
        return [
            operator
            for operator in self.graph.operators
            if self.model.operatorCodes[operator.opcodeIndex].builtinCode == code
        ][index]

    def output(self, operator: schema.OperatorT) -> schema.TensorT:
        return self.graph.tensors[operator.outputs[0]]

    def constant(self, operator: schema.OperatorT, place: int = 1) -> np.ndarray:
        """Return the bytes of an input, to be changed in place."""
        buffer = self.model.buffers[self.graph.tensors[operator.inputs[place]].buffer]
        buffer.data = np.array(buffer.data, np.uint8)
        return buffer.data

    def content(self) -> bytes:
        builder = flatbuffers.Builder(1 << 14)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def option(operator: str, name: str, value: object) -> Callable[[Opened], object]:
    def change(file: Opened) -> None:
        options = file.operator(operator).builtinOptions
        assert getattr(options, name) != value
        setattr(options, name, value)

    return change


def numbers(operator: str, place: int, values: list[int]) -> Callable[[Opened], object]:
    def change(file: Opened) -> None:
        held = file.constant(file.operator(operator), place).view(np.int32)
        assert held.tolist() != values
        held[:] = values

    return change


def shape(operator: str, sides: list[int]) -> Callable[[Opened], object]:
    def change(file: Opened) -> None:
        tensor = file.output(file.operator(operator))
        tensor.shape = np.array([1, *sides], np.int32)
        tensor.shapeSignature = np.array([-1, *sides], np.int32)

    return change


def source(operator: str, place: int, tensor: int) -> Callable[[Opened], object]:
    def change(file: Opened) -> None:
        changed = file.operator(operator)
        changed.inputs = np.array(changed.inputs)
        changed.inputs[place] = tensor

    return change


def weights(operator: str, value: float) -> Callable[[Opened], object]:
    def change(file: Opened) -> None:
        file.constant(file.operator(operator)).view(np.float32)[:] = value

    return change


def other_options(file: Opened) -> None:
    convolution, pool = file.operator("CONV_2D"), file.operator("MAX_POOL_2D")
    convolution.builtinOptions, convolution.builtinOptionsType = pool.builtinOptions, pool.builtinOptionsType


def kernel_of_the_image(file: Opened) -> None:
    convolution = file.operator("CONV_2D", 1)
    convolution.inputs = np.array([convolution.inputs[0], *convolution.inputs[[0, 2]]])


def batch_of_three(file: Opened) -> None:
    tensor = file.output(file.operator("MAX_POOL_2D"))
    tensor.shape = np.array([3, *tensor.shape[1:]], np.int32)


def probabilities_padded(file: Opened) -> None:
    """End in something else than the softmax."""
    file.graph.outputs = file.operator("FULLY_CONNECTED", -1).outputs


CHANGES: dict[str, tuple[Callable[[Opened], object], str]] = {
    "stride of 0": (option("CONV_2D", "strideH", 0), "a CONV_2D as edgedigits"),
    "stride below 0": (option("CONV_2D", "strideW", -1), "a CONV_2D as edgedigits"),
    "dilation without end": (option("CONV_2D", "dilationHFactor", LARGEST), "a CONV_2D as edgedigits"),
    "dilation of 0": (option("DEPTHWISE_CONV_2D", "dilationWFactor", 0), "a DEPTHWISE_CONV_2D as"),
    "other padding": (option("CONV_2D", "padding", 0), "a CONV_2D as edgedigits"),
    "padding that is none": (option("CONV_2D", "padding", 7), "a CONV_2D as edgedigits"),
    "an activation that is none": (option("CONV_2D", "fusedActivationFunction", 5), "a CONV_2D as"),
    "multiplier of 0": (option("DEPTHWISE_CONV_2D", "depthMultiplier", 0), "a DEPTHWISE_CONV_2D as"),
    "multiplier of more": (option("DEPTHWISE_CONV_2D", "depthMultiplier", 3), "a DEPTHWISE_CONV_2D as"),
    "window of 0": (option("MAX_POOL_2D", "filterHeight", 0), "a MAX_POOL_2D as"),
    "window beyond the map": (option("AVERAGE_POOL_2D", "filterWidth", 2**16), "an? AVERAGE_POOL_2D as"),
    "window without end": (option("AVERAGE_POOL_2D", "filterWidth", LARGEST), "an? AVERAGE_POOL_2D as"),
    "joined along the batch": (option("CONCATENATION", "axis", 0), "a CONCATENATION as"),
    "joined along no axis": (option("CONCATENATION", "axis", 9), "a CONCATENATION as"),
    "joined from the end": (option("CONCATENATION", "axis", -1), "a CONCATENATION as"),
    "kept sides": (option("MEAN", "keepDims", True), "a MEAN as"),
    "slope that is no number": (option("LEAKY_RELU", "alpha", float("nan")), "a LEAKY_RELU as"),
    "mean over the batch": (numbers("MEAN", 1, [0, 1]), "a MEAN as"),
    "more images by zeros": (numbers("PAD", 1, [1, 0, 0, 1, 2, 0, 0, 0]), "a PAD as"),
    "zeros without end": (numbers("PAD", 1, [0, 0, 0, LARGEST, 2, 0, 0, 0]), "a PAD as"),
    "fewer than no zeros": (numbers("PAD", 1, [0, 0, 0, -1, 2, 0, 0, 0]), "a PAD as"),
    "a slice before the map": (numbers("SLICE", 1, [0, -1, 0, 0]), "a SLICE as"),
    "a slice beyond the map": (numbers("SLICE", 1, [0, 5, 0, 0]), "a SLICE as"),
    "a slice of the images": (numbers("SLICE", 1, [1, 1, 0, 0]), "a SLICE as"),
    "a shape of fewer": (numbers("RESHAPE", 1, [-1, 7, 28, 1]), "a RESHAPE as"),
    "a shape with the batch elsewhere": (numbers("RESHAPE", 1, [1, 28, -1, 1]), "a RESHAPE as"),
    "a larger map": (shape("MAX_POOL_2D", [9, 9, 2]), "a MAX_POOL_2D as"),
    "a map without end": (shape("LEAKY_RELU", [2**15, 2**15, 2]), "tensors as large as a network's"),
    "three images in the middle": (batch_of_three, "a shape signature like the shape|a MAX_POOL_2D as"),
    "options of another operator": (other_options, "options of a CONV_2D"),
    "weights of 0": (weights("CONV_2D", 0), "weights that are not all 0"),
    "weights of a depthwise layer of 0": (weights("DEPTHWISE_CONV_2D", 0), "weights that are not all 0"),
    "weights that are no numbers": (weights("CONV_2D", float("nan")), "weights that are numbers"),
    "weights that are the image's": (kernel_of_the_image, "a CONV_2D as|weights and biases that are"),
    "a tensor that nothing gives": (source("ADD", 0, 999), "inputs of ADD that are there"),
    "a tensor that comes later": (
        source("LEAKY_RELU", 0, 40),
        "inputs of LEAKY_RELU that are there|as edgedigits",
    ),
    "no softmax": (probabilities_padded, "a SOFTMAX of the last layer's sums"),
}


def shares_at_the_end(file: Opened) -> None:
    """End in the shares of attention."""
    file.graph.outputs = file.operator("SOFTMAX").outputs


def operators_without_end(file: Opened) -> None:
    file.graph.operators = file.graph.operators * (MOST_OPERATORS // len(file.graph.operators) + 1)


SEQUENCE_CHANGES: dict[str, tuple[Callable[[Opened], object], str]] = {
    "the first matrix turned": (option("BATCH_MATMUL", "adjX", True), "a BATCH_MATMUL as"),
    "the second matrix not turned": (option("BATCH_MATMUL", "adjY", False), "a BATCH_MATMUL as"),
    "a larger product": (shape("BATCH_MATMUL", [2, 6, 7]), "a BATCH_MATMUL as"),
    "another temperature": (option("SOFTMAX", "beta", 2.0), "a SOFTMAX as"),
    "fewer shares": (shape("SOFTMAX", [2, 6, 5]), "a SOFTMAX as"),
    "the batch among the sides": (numbers("TRANSPOSE", 1, [1, 0, 2, 3]), "a TRANSPOSE as"),
    "a side twice": (numbers("TRANSPOSE", 1, [0, 1, 1, 3]), "a TRANSPOSE as"),
    "a step behind the last": (numbers("SLICE", 1, [0, 0, 6, 0]), "a SLICE as"),
    "a step before the first": (numbers("SLICE", 1, [0, 0, -1, 0]), "a SLICE as"),
    "a larger logarithm": (shape("LOG", [1, 26, 5]), "a LOG as"),
    "a smaller root": (shape("RSQRT", [1, 6, 3]), "a RSQRT as"),
    "a larger difference": (shape("SUB", [4]), "a SUB as"),
    "shares at the end": (shares_at_the_end, "a SOFTMAX of the last layer's sums"),
    "operators without end": (operators_without_end, "at most 4,000 operators"),
}


@pytest.mark.parametrize("name", SEQUENCE_CHANGES)
def test_what_is_not_as_it_should_be_in_a_sequence_is_refused(name: str) -> None:
    change, message = SEQUENCE_CHANGES[name]
    file = Opened(SEQUENCES)
    read_graph(Path("theirs.tflite"), file.content())
    change(file)
    with pytest.raises(EdgeDigitsError, match=message):
        read_graph(Path("theirs.tflite"), file.content())


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_not_as_it_should_be_is_refused(name: str) -> None:
    change, message = CHANGES[name]
    file = Opened()
    change(file)
    with pytest.raises(EdgeDigitsError, match=message):
        read_graph(Path("theirs.tflite"), file.content())


def test_the_file_itself_is_read() -> None:
    graph = read_graph(Path("theirs.tflite"), Opened().content())
    assert graph.widths is None
    # So small that TensorFlow's converter would leave it in floats in a dynamic file, too.
    assert graph.precisions == ("float32", "dynamic")
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "PRELU", "SLICE", "MEAN"} <= set(graph.operators)


def test_multiplications_are_counted() -> None:
    kernel, channels = np.full((5, 5, 64, 1_024), 0.1, np.float32), np.zeros(1_024, np.float32)
    one = Convolution((0,), kernel[:1, :1, :1, :64], channels[:64], (1, 1), (1, 1), 1, (0, 0, 0, 0))
    many = Convolution((1,), kernel, channels, (1, 1), (1, 1), 1, (2, 2, 2, 2))
    end = Product((3,), kernel[0, 0, :1].repeat(1_024, 0)[:, :10], channels[:10])
    steps = (Image((), (28, 28, 1)), one, many, GlobalPool((2,), "max"), end, Function((4,), "softmax"))
    with pytest.raises(EdgeDigitsError, match="more multiplications for an image than any network"):
        read_graph(Path("theirs.tflite"), steps_to_tflite(steps, "float32"))
    fewer = dataclasses.replace(many, strides=(2, 2), margins=(1, 2, 1, 2))
    read_graph(Path("theirs.tflite"), steps_to_tflite((*steps[:2], fewer, *steps[3:]), "float32"))
