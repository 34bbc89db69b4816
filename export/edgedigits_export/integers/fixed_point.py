"""An int8 ``.tflite`` file as the plain integers that its reference kernels compute with.

The arithmetic is that of the TFLite 8-bit quantization specification as LiteRT's reference kernels
(``OpResolverType.BUILTIN_REF``) carry it out: sums in int32, one rounding per multiplication by a scale, a softmax in
fixed point.
"""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgedigits.contract import CLASSES, PIXELS
from edgedigits.errors import ContractError
from edgedigits.model_files.tflite_file import read_graph

SIGN = 128
"""What is added to TFLite's int8 values to make unsigned bytes of them: an input is then the pixel itself."""
QUANTIZED_MAX = 255
PROBABILITY_SCALE = 1 / 256
INT32_MAX = 2**31 - 1
EXPONENT_INTEGER_BITS = 5
"""Of the exponents in the reference softmax: Q5.26."""
LEAST_LOGIT_SCALE = 2.0**-26
"""Below it the reference softmax stops with an error: in Q5.26 a step would be nothing."""
SUM_INTEGER_BITS = 12
"""Of its sum of exponentials: Q12.19."""


@dataclass(frozen=True, eq=False)
class FixedPointLayer(ABC):
    """A layer from unsigned bytes to unsigned bytes."""

    zero_point: int
    """The byte that stands for 0."""
    lowest: int
    """The lowest byte that may come out: ``zero_point`` after a ReLU, else 0."""
    highest: int
    """The highest byte that may come out."""

    @property
    @abstractmethod
    def inputs(self) -> int:
        """Bytes that go in."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Bytes that come out."""

    @property
    @abstractmethod
    def parameter_bytes(self) -> int:
        """Bytes of all that it keeps."""


@dataclass(frozen=True, eq=False)
class FixedPointDense(FixedPointLayer):
    """A fully connected layer from unsigned bytes to unsigned bytes."""

    weights: npt.NDArray[np.int8]
    """Shape (outputs, inputs)."""
    biases: npt.NDArray[np.int32]
    """Shape (outputs,), with what the input's zero point adds to each sum."""
    multipliers: npt.NDArray[np.int32]
    """Shape (outputs,): with the shifts, from the scale of the sums to the scale of the output."""
    shifts: npt.NDArray[np.uint8]
    """Shape (outputs,), from 1 to 62: output = (sum * multiplier + 2**(shift - 1)) >> shift."""

    @property
    def inputs(self) -> int:
        """Bytes that go in."""
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        """Bytes that come out."""
        return int(self.weights.shape[0])

    @property
    def parameter_bytes(self) -> int:
        """Bytes of weights, biases, multipliers and shifts."""
        return sum(array.nbytes for array in (self.weights, self.biases, self.multipliers, self.shifts))


@dataclass(frozen=True)
class FixedPointNetwork:
    """Layers in a chain and a softmax."""

    layers: tuple[FixedPointLayer, ...]
    logit_scale: float
    """What one step of a logit stands for."""
    sha256: str
    """Of the ``.tflite`` file."""

    @cached_property
    def exponentials(self) -> tuple[int, ...]:
        """exp(-d * logit_scale) in Q0.31, by d, up to the last that is not rounded to nothing in the sum."""
        return kept_exponentials(self.logit_scale)

    @property
    def scratch_bytes(self) -> int:
        """Bytes for the outputs of hidden layers: two neighbours are alive at a time."""
        widths = [0, *(layer.outputs for layer in self.layers[:-1])]
        return max((a + b for a, b in pairwise(widths)), default=0)

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all that the layers keep."""
        return sum(layer.parameter_bytes for layer in self.layers)


def read_fixed_point_network(content: bytes) -> FixedPointNetwork:
    """Take the integers out of an int8 ``.tflite`` file.

    Args:
        content: the file; int8 or uint8 edges, weights quantized per tensor or per output.

    Raises:
        ModelFileError: no TFLite model.
        ContractError: not the integer network of fully connected layers and a softmax that edgedigits exports.
    """
    path = Path("int8 TFLite graph")
    operators = list(read_graph(path, content).operators)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    steps = list(zip(operators, graph.operators, strict=True))
    if operators[:1] == operators[-1:] == ["QUANTIZE"]:
        # They only flip the highest bit, which is how bytes are kept here anyway.
        steps = steps[1:-1]
    names = [name for name, _ in steps]
    kinds = names[1:-1]
    if not kinds or [names[0], names[-1]] != ["RESHAPE", "SOFTMAX"] or not _READERS.keys() >= set(kinds):
        known = " or ".join(_READERS)
        raise ContractError(path, f"RESHAPE, {known}, ..., SOFTMAX", ", ".join(operators))
    layers = tuple(_READERS[name](path, model, graph, operator) for name, operator in steps[1:-1])
    softmax = steps[-1][1]
    logits, probabilities = graph.tensors[softmax.inputs[0]], graph.tensors[softmax.outputs[0]]
    pixels = graph.tensors[steps[0][1].inputs[0]]
    _expect(path, "pixels of scale 1 and zero point -128", _scale(pixels) == (1.0, -SIGN))
    _expect(path, "probabilities in steps of 1/256", _scale(probabilities) == (PROBABILITY_SCALE, -SIGN))
    _expect(
        path, f"a step of the logits above {LEAST_LOGIT_SCALE:.2g}", _scale(logits)[0] > LEAST_LOGIT_SCALE
    )
    _expect(path, "a softmax of beta 1", softmax.builtinOptions.beta == 1.0)
    widths = [PIXELS, *(layer.outputs for layer in layers[:-1])]
    _expect(path, "each layer as wide as the one before", [layer.inputs for layer in layers] == widths)
    _expect(path, f"{CLASSES} outputs", layers[-1].outputs == CLASSES)
    return FixedPointNetwork(layers, _scale(logits)[0], hashlib.sha256(content).hexdigest())


def _read_dense(path: Path, model: Any, graph: Any, operator: Any) -> FixedPointDense:
    source, kernel = (graph.tensors[index] for index in operator.inputs[:2])
    offset = (
        graph.tensors[operator.inputs[2]] if len(operator.inputs) > 2 and operator.inputs[2] >= 0 else None
    )
    target = graph.tensors[operator.outputs[0]]
    options = operator.builtinOptions
    activations = schema.ActivationFunctionType
    _expect(
        path,
        "int8 inputs, weights and outputs",
        {tensor.type for tensor in (source, kernel, target)} == {schema.TensorType.INT8},
    )
    _expect(
        path,
        "no activation, or a ReLU",
        options.fusedActivationFunction in (activations.NONE, activations.RELU),
    )
    _expect(path, "weights in rows", options.weightsFormat == 0)
    _expect(path, "symmetric weights", not np.any(kernel.quantization.zeroPoint))
    weights = _data(model, kernel, np.int8).reshape(kernel.shape)
    biases = np.zeros(len(weights), np.int64)
    if offset is not None:
        _expect(path, "biases in int32", offset.type == schema.TensorType.INT32)
        biases += _data(model, offset, np.int32)
    (input_scale, input_zero), (output_scale, output_zero) = _scale(source), _scale(target)
    # Sums over bytes that are 128 too large, less those 128 and the zero point, are sums over TFLite's own values.
    biases -= (input_zero + SIGN) * weights.sum(axis=1, dtype=np.int64)
    largest = np.abs(biases) + QUANTIZED_MAX * np.abs(weights.astype(np.int64)).sum(axis=1)
    _expect(path, "sums within int32", bool(np.all(largest <= INT32_MAX)))
    multipliers, shifts = quantize_multipliers(
        effective_scales(input_scale, kernel.quantization.scale, output_scale), len(weights)
    )
    _expect(
        path,
        "outputs within int32",
        all(
            (int(sum_) * int(multiplier) >> int(shift)) + QUANTIZED_MAX < INT32_MAX
            for sum_, multiplier, shift in zip(largest, multipliers, shifts, strict=True)
        ),
    )
    zero_point = output_zero + SIGN
    return FixedPointDense(
        weights=weights,
        biases=biases.astype(np.int32),
        multipliers=multipliers,
        shifts=shifts,
        zero_point=zero_point,
        lowest=zero_point if options.fusedActivationFunction == activations.RELU else 0,
        highest=QUANTIZED_MAX,
    )


_READERS: dict[str, Callable[[Path, Any, Any, Any], FixedPointLayer]] = {"FULLY_CONNECTED": _read_dense}
"""By TFLite operator, what reads a layer: of the file's name, the model, the graph and the operator."""


def effective_scales(
    input_scale: float, weight_scales: npt.NDArray[np.float32], output_scale: float
) -> list[float]:
    """Return by what sums are multiplied to become outputs, one number per weight scale.

    In float64, as TFLite's ``Prepare`` of FULLY_CONNECTED does it, be it one scale or several. (Some releases multiply
    a single scale in float32; LiteRT 2.3 does not, as tests with sums between both results show.)
    """
    return [input_scale * float(scale) / output_scale for scale in weight_scales]


def quantize_multipliers(
    scales: Sequence[float], outputs: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Write scales as multipliers and shifts to the right: scale = multiplier / 2**shift.

    Args:
        scales: one for each output, or one for all.
        outputs: how many.

    Returns:
        int32 (outputs,), from 2**30 to 2**31 - 1, or 0 for a scale below 2**-32; and uint8 (outputs,), from 1 to 62.

    Raises:
        ContractError: a scale is not positive and below 2**30.
    """
    _expect(Path("int8 TFLite graph"), "positive scales", all(0 < scale < 2**30 for scale in scales))
    pairs = [_quantize_multiplier(scale) for scale in scales]
    multipliers, shifts = np.array(pairs, np.int64).T
    return (
        np.broadcast_to(multipliers, outputs).astype(np.int32),
        np.broadcast_to(shifts, outputs).astype(np.uint8),
    )


def _quantize_multiplier(scale: float) -> tuple[int, int]:
    """Do what TFLite's ``QuantizeMultiplier`` does; the shift is to the right, by 31 less its exponent."""
    fraction, exponent = math.frexp(scale)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, exponent = multiplier // 2, exponent + 1
    if exponent < -31:
        multiplier, exponent = 0, 0
    return multiplier, 31 - exponent


def exponential_table(logit_scale: float) -> list[int]:
    """Return what the reference softmax takes for exp(-d * logit_scale), d = 0, 1, ..., in Q0.31.

    It ends where the kernel no longer looks, at exponents of about -31, or at d = 255.
    """
    unit = 2.0 ** (31 - EXPONENT_INTEGER_BITS)
    scale = min(logit_scale * unit, float(INT32_MAX))
    multiplier, shift = _quantize_multiplier(scale)
    exponent = 31 - shift
    radius = math.floor((2**EXPONENT_INTEGER_BITS - 1) * unit / 2.0**exponent)
    steps = range(min(radius, QUANTIZED_MAX) + 1)
    return [_exponential(_multiply_q31(-step << exponent, multiplier)) for step in steps]


def kept_exponentials(logit_scale: float) -> tuple[int, ...]:
    """Return ``exponential_table`` as far as it counts: up to the last that is not rounded to nothing in the sum."""
    # A smaller one adds nothing to the sum, where 12 bits of it are rounded away, and is far below 1/512.
    least = 1 << (SUM_INTEGER_BITS - 1)
    return tuple(value for value in exponential_table(logit_scale) if value >= least)


def _exponential(exponent: int) -> int:
    """Return exp of a number in Q5.26, not above 0, in Q0.31, as gemmlowp's ``exp_on_negative_values`` rounds it.

    A fourth-order Taylor polynomial around -1/8 for the part below 1/4, times exp(-2**k) for each bit of the rest.
    """
    if exponent == 0:
        return INT32_MAX
    fraction_bits = 31 - EXPONENT_INTEGER_BITS
    quarter = 1 << (fraction_bits - 2)
    below = (exponent & (quarter - 1)) - quarter
    x = (below << EXPONENT_INTEGER_BITS) + (1 << 28)
    square = _multiply_q31(x, x)
    cube, fourth = _multiply_q31(square, x), _multiply_q31(square, square)
    third = 715827883  # 1/3
    terms = rounding_shift(_multiply_q31(rounding_shift(fourth, 2) + cube, third) + square, 1)
    minus_eighth = 1895147668  # exp(-1/8)
    result = minus_eighth + _multiply_q31(minus_eighth, x + terms)
    rest = below - exponent
    for bit, factor in enumerate(_EXPONENTIALS_OF_BITS, start=fraction_bits - 2):
        if rest >> bit & 1:
            result = _multiply_q31(result, factor)
    return result


_EXPONENTIALS_OF_BITS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-1/4), exp(-1/2), exp(-1), ... exp(-16) in Q0.31."""


def _multiply_q31(a: int, b: int) -> int:
    """Return a * b / 2**31, rounded to nearest, halves up: gemmlowp's ``SaturatingRoundingDoublingHighMul``."""
    return (a * b + (1 << 30)) >> 31


def rounding_shift(value: int, bits: int) -> int:
    """Return value / 2**bits, rounded to nearest, halves away from 0: gemmlowp's ``RoundingDivideByPOT``."""
    half = 1 << (bits - 1)
    return (value + half) >> bits if value >= 0 else -((-value + half) >> bits)


def _scale(tensor: Any) -> tuple[float, int]:
    """Return scale and zero point of a tensor that has one each."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or len(quantization.scale) != 1:
        raise ContractError(Path("int8 TFLite graph"), f"one scale for {tensor.name!r}", "none, or several")
    zero_points = quantization.zeroPoint
    return float(quantization.scale[0]), 0 if zero_points is None else int(zero_points[0])


def _data(model: Any, tensor: Any, dtype: type[np.generic]) -> npt.NDArray[Any]:
    data: npt.NDArray[np.uint8] | Iterable[int] = model.buffers[tensor.buffer].data
    return np.frombuffer(bytes(bytearray(data)), np.dtype(dtype).newbyteorder("<"))


def _expect(path: Path, expected: str, holds: bool) -> None:
    if not holds:
        raise ContractError(path, expected, "something else")
