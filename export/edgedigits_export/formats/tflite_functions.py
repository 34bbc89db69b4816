"""Writes functions of values as TFLite operators on floats; those that TFLite has not are put together of others."""

from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits_export.formats.tflite_writer import TfliteWriter
from edgedigits_export.graph.steps import SELU_ALPHA, SELU_SCALE, Function


def _number(to: TfliteWriter, name: str, value: float) -> int:
    return to.builder.constant(name, np.array([value], np.float32))


def _operator(operator: str, options: type | None = None) -> "_Function":
    return lambda to, step, place: to.add(operator, place, [to.source(step)], options and options())


def _leaky_relu(to: TfliteWriter, step: Function, place: int) -> int:
    options = schema.LeakyReluOptionsT()
    options.alpha = step.alpha
    return to.add("LEAKY_RELU", place, [to.source(step)], options)


def _bounded_relu(to: TfliteWriter, step: Function, place: int) -> int:
    if step.alpha == 6:
        return to.add("RELU6", place, [to.source(step)])
    shape = to.shapes[place]
    above = to.add("RELU", place, [to.source(step)], part="_above", shape=shape)
    most = _number(to, f"most_{place}", step.alpha)
    return to.add("MINIMUM", place, [above, most], schema.MaximumMinimumOptionsT())


def _elu(to: TfliteWriter, step: Function, place: int) -> int:
    return _two_sided(to, step, place, step.alpha, 1.0)


def _selu(to: TfliteWriter, step: Function, place: int) -> int:
    return _two_sided(to, step, place, SELU_ALPHA * SELU_SCALE, SELU_SCALE)


def _two_sided(to: TfliteWriter, step: Function, place: int, below: float, above: float) -> int:
    """``above * value`` above 0, and ``below * (exp(value) - 1)`` below."""
    value, shape = to.source(step), to.shapes[place]
    if below == above == 1:
        return to.add("ELU", place, [value])
    zero = _number(to, f"zero_{place}", 0)
    negative = to.add(
        "MINIMUM", place, [value, zero], schema.MaximumMinimumOptionsT(), part="_negative", shape=shape
    )
    curve = to.add("ELU", place, [negative], part="_curve", shape=shape)
    factor = _number(to, f"below_{place}", below)
    curve = to.add("MUL", place, [curve, factor], schema.MulOptionsT(), part="_below", shape=shape)
    line = to.add("RELU", place, [value], part="_line", shape=shape)
    if above != 1:
        factor = _number(to, f"above_{place}", above)
        line = to.add("MUL", place, [line, factor], schema.MulOptionsT(), part="_above", shape=shape)
    return to.add("ADD", place, [line, curve], schema.AddOptionsT())


def _hard_sigmoid(to: TfliteWriter, step: Function, place: int) -> int:
    options = schema.AddOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    three, sixth = _number(to, f"three_{place}", 3), _number(to, f"sixth_{place}", 1 / 6)
    shape = to.shapes[place]
    bounded = to.add("ADD", place, [to.source(step), three], options, part="_bounded", shape=shape)
    return to.add("MUL", place, [bounded, sixth], schema.MulOptionsT())


def _silu(to: TfliteWriter, step: Function, place: int) -> int:
    value = to.source(step)
    gate = to.add("LOGISTIC", place, [value], part="_gate", shape=to.shapes[place])
    return to.add("MUL", place, [value, gate], schema.MulOptionsT())


def _softplus(to: TfliteWriter, step: Function, place: int) -> int:
    """``log(1 + exp(value))``, as ``relu(value) + log(1 + exp(-abs(value)))``, which cannot overflow."""
    value, shape = to.source(step), to.shapes[place]
    minus, one = _number(to, f"minus_{place}", -1), _number(to, f"one_{place}", 1)
    turned = to.add("MUL", place, [value, minus], schema.MulOptionsT(), part="_turned", shape=shape)
    low = to.add("MINIMUM", place, [value, turned], schema.MaximumMinimumOptionsT(), part="_low", shape=shape)
    small = to.add("EXP", place, [low], schema.ExpOptionsT(), part="_small", shape=shape)
    more = to.add("ADD", place, [small, one], schema.AddOptionsT(), part="_more", shape=shape)
    curve = to.add("LOG", place, [more], part="_curve", shape=shape)
    line = to.add("RELU", place, [value], part="_line", shape=shape)
    return to.add("ADD", place, [line, curve], schema.AddOptionsT())


def _softmax(to: TfliteWriter, step: Function, place: int) -> int:
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return to.add("SOFTMAX", place, [to.source(step)], options)


_Function = Callable[[TfliteWriter, Function, int], int]
FUNCTIONS: dict[str, _Function] = {
    "elu": _elu,
    "gelu": _operator("GELU", schema.GeluOptionsT),
    "hard_sigmoid": _hard_sigmoid,
    "leaky_relu": _leaky_relu,
    "relu": _operator("RELU"),
    "relu6": _bounded_relu,
    "selu": _selu,
    "sigmoid": _operator("LOGISTIC"),
    "silu": _silu,
    "softmax": _softmax,
    "softplus": _softplus,
    "tanh": _operator("TANH"),
}
"""By Keras' name, what adds a function."""
