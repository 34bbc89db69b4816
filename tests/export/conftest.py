"""Int8 TFLite files of any widths and scales, made without a converter; and the folder that tests here import from."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

sys.path.append(str(Path(__file__).parent))

Int8 = schema.TensorType.INT8


@dataclass(frozen=True)
class Int8Layer:
    """A fully connected layer as a TFLite file has it."""

    weights: np.ndarray  # int8 (outputs, inputs)
    biases: np.ndarray | None  # int32 (outputs,)
    weight_scales: np.ndarray  # float32 (outputs,), or (1,) for one scale per tensor
    scale: float
    zero_point: int
    relu: bool


class _ModelWriter:
    def __init__(self) -> None:
        self.buffers = [schema.BufferT()]
        self.tensors: list[schema.TensorT] = []
        self.operators: list[schema.OperatorT] = []
        self.codes: list[schema.OperatorCodeT] = []

    def tensor(self, shape, kind, scales=None, zero_point=0, data=None) -> int:
        tensor = schema.TensorT()
        tensor.name = f"tensor{len(self.tensors)}".encode()
        tensor.shape, tensor.type = list(shape), kind
        if scales is not None:
            quantization = schema.QuantizationParametersT()
            quantization.scale = [float(scale) for scale in scales]
            quantization.zeroPoint = [zero_point] * len(scales)
            tensor.quantization = quantization
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        else:
            tensor.buffer = 0
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(self, builtin, inputs, output, kind=0, options=None, version=1) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = version
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.codes)
        operator.inputs, operator.outputs = inputs, [output]
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.codes.append(code)
        self.operators.append(operator)

    def content(self, first: int, last: int) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = [first], [last]
        model = schema.ModelT()
        model.version = 3
        model.operatorCodes, model.subgraphs, model.buffers = self.codes, [graph], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def write_int8_model(layers: list[Int8Layer], *, beta: float = 1.0) -> bytes:
    """Return a TFLite file: pixels - 128, RESHAPE, the layers, SOFTMAX, probabilities * 256 - 128."""
    writer = _ModelWriter()
    operators, kinds = schema.BuiltinOperator, schema.BuiltinOptions
    image = writer.tensor((1, 28, 28), Int8, [1.0], -128)
    shape = writer.tensor((2,), schema.TensorType.INT32, data=np.array([-1, 784], np.int32))
    current, scale = writer.tensor((1, 784), Int8, [1.0], -128), 1.0
    writer.operator(operators.RESHAPE, [image, shape], current)
    for layer in layers:
        weights = writer.tensor(layer.weights.shape, Int8, layer.weight_scales, data=layer.weights)
        biases = -1
        if layer.biases is not None:
            scales = np.float32(scale) * layer.weight_scales
            biases = writer.tensor(
                layer.biases.shape, schema.TensorType.INT32, scales, data=layer.biases.astype(np.int32)
            )
        output = writer.tensor((1, len(layer.weights)), Int8, [layer.scale], layer.zero_point)
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = int(layer.relu)
        writer.operator(
            operators.FULLY_CONNECTED,
            [current, weights, biases],
            output,
            kinds.FullyConnectedOptions,
            options,
            version=5,
        )
        current, scale = output, layer.scale
    probabilities = writer.tensor((1, 10), Int8, [1 / 256], -128)
    options = schema.SoftmaxOptionsT()
    options.beta = beta
    writer.operator(operators.SOFTMAX, [current], probabilities, kinds.SoftmaxOptions, options, version=2)
    return writer.content(image, probabilities)


def random_layers(
    widths: tuple[int, ...], seed: int, *, per_tensor: bool = False, logit_scale: float = 0.1
) -> list[Int8Layer]:
    """Return layers of random weights whose outputs fill the range of a byte; the last has no ReLU."""
    generator = np.random.default_rng(seed)
    layers, inputs, scale, spread = [], 784, 1.0, 80.0  # of a pixel of MNIST
    for index, outputs in enumerate(widths):
        last = index == len(widths) - 1
        weights = generator.integers(-127, 128, (outputs, inputs)).astype(np.int8)
        output_scale = logit_scale if last else float(np.float32(generator.uniform(0.01, 0.5)))
        # So that a sum of typical size is a third of the output's range.
        typical = 64 * np.sqrt(inputs) * spread * scale
        base = output_scale * 40 / typical
        weight_scales = (base * generator.uniform(0.5, 1.5, 1 if per_tensor else outputs)).astype(np.float32)
        biases = generator.integers(-3_000, 3_000, outputs)
        zero_point = int(generator.integers(-30, 30)) if last or index % 2 else -128
        layers.append(Int8Layer(weights, biases, weight_scales, output_scale, zero_point, relu=not last))
        inputs, scale, spread = outputs, output_scale, 40.0
    return layers


@pytest.fixture(scope="session")
def networks_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ``networks.exported`` keeps the networks that several files of tests look at."""
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="session")
def make_layers() -> Callable[..., list[Int8Layer]]:
    return random_layers


@pytest.fixture(scope="session")
def make_model() -> Callable[..., bytes]:
    return write_int8_model


@pytest.fixture(scope="session")
def int8_layer() -> type[Int8Layer]:
    return Int8Layer
