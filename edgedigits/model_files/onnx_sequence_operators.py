"""What ONNX operators make of their inputs that only networks with layers of sequences have.

A cell takes the steps of a sequence first, (steps, n, features), so here the batch, the one side that is free, moves.
No rule loses it, and none is believed to end before it is first again.
"""

import math
from typing import Any

from edgedigits.contract import WIDEST_LAYER
from edgedigits.model_files.budget import MOST_VALUES
from edgedigits.model_files.onnx_map_operators import function
from edgedigits.model_files.onnx_operators import together
from edgedigits.model_files.onnx_tensors import (
    FLOAT,
    LARGEST_NUMBER,
    VALUES,
    WAY,
    Attributes,
    ForeignGraphError,
    Rule,
    Tensor,
    expect,
    whole,
)

_GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}
_ACTIVATIONS = {"GRU": 2, "LSTM": 3, "RNN": 1}
"""How many functions a cell takes."""
_FUNCTIONS = (b"Tanh", b"Sigmoid", b"Relu")
_CELL_ATTRIBUTES = frozenset({"activations", "direction", "hidden_size", "linear_before_reset"})
_UNUSED = ("input_forget", "layout")
"""That are 0 where they are said at all."""


def _is_counted(tensor: Tensor) -> bool:
    """Whether a tensor is (n, a, b, c) in floats, computed from the image."""
    return (
        tensor.dtype == FLOAT
        and tensor.step in WAY
        and len(tensor.shape) == 4
        and tensor.shape[0] is None
        and None not in tensor.shape[1:]
    )


def _product_of_maps(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """The product of two tensors, or of one and a constant, for each image and each of its channels."""
    expect(len(inputs) == 2, "MatMul", inputs)
    one, other = inputs
    for constant in inputs:
        expect(
            constant.step in WAY
            or (constant.is_constant and len(constant.shape) == 2 and not constant.is_zero),
            "MatMul",
            inputs,
        )
    values = one if one.step in WAY else other
    expect(
        all(_is_counted(tensor) for tensor in inputs if tensor.step in WAY)
        and values.step in WAY
        and all(tensor.dtype == FLOAT and not tensor.is_quantized for tensor in inputs)
        and one.shape[-1] == other.shape[-2]
        and (one.step not in WAY or other.step not in WAY or one.shape[:2] == other.shape[:2]),
        "MatMul",
        inputs,
    )
    sides: tuple[Any, ...] = (*values.shape[:2], one.shape[-2], other.shape[-1])
    expect(all(side <= WIDEST_LAYER for side in sides[1:]), "MatMul", inputs)
    met = together([tensor for tensor in inputs if tensor.step in WAY])
    return met._replace(shape=sides, products=math.prod(sides[1:]) * int(one.shape[-1] or 0))


def _softmax_of_maps(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """Shares of one of what attention looks at; no end."""
    expect(
        len(inputs) == 1 and _is_counted(inputs[0]) and whole(attributes, "axis", -1) == -1,
        "Softmax",
        inputs,
    )
    return together(inputs)


def _cell(operator: str) -> Rule:
    """Return the rule of a cell: what it gave for each step, and what it gave last."""

    def follow(inputs: list[Tensor], attributes: Attributes) -> tuple[Tensor, ...]:
        expect(
            len(inputs) == 4
            and inputs[0].dtype == FLOAT
            and inputs[0].step in WAY
            and len(inputs[0].shape) == 3
            and inputs[0].shape[1] is None
            and all(constant.is_constant and constant.dtype == FLOAT for constant in inputs[1:]),
            operator,
            inputs,
        )
        values, kernel, recurrent, bias = inputs
        steps, _, features = (int(side or 0) for side in values.shape)
        units = whole(attributes, "hidden_size", 0)
        width = _GATES[operator] * units
        expect(
            0 < units <= WIDEST_LAYER
            and kernel.shape == (1, width, features)
            and recurrent.shape == (1, width, units)
            and bias.shape == (1, 2 * width)
            and steps * width <= MOST_VALUES
            and _are_known(operator, attributes),
            operator,
            inputs,
        )
        if kernel.is_zero or recurrent.is_zero:
            raise ForeignGraphError("weights of a trained network", "a layer of zeros only")
        if kernel.precision is None or values.precision not in (None, kernel.precision):
            raise ForeignGraphError("weights of one precision", f"{values.precision} and {kernel.precision}")
        last = Tensor(FLOAT, (1, None, units), step=VALUES, precision=kernel.precision, is_free=True)
        products = steps * (features + units) * width
        return last._replace(shape=(steps, *last.shape), products=products), last

    return follow


def _are_known(operator: str, attributes: Attributes) -> bool:
    """Whether a cell is told what edgedigits tells it, and nothing else."""
    functions = [_bytes(text) for text in attributes.get("activations", {}).get("strings", [])]
    return (
        attributes.keys() <= {*_CELL_ATTRIBUTES, *_UNUSED}
        and not any(whole(attributes, name, 0) for name in _UNUSED)
        and len(functions) == _ACTIVATIONS[operator]
        and all(name in _FUNCTIONS for name in functions)
        and _bytes(attributes.get("direction", {}).get("s", b"")) in (b"forward", b"reverse")
        and ("linear_before_reset" not in attributes or operator == "GRU")
        and whole(attributes, "linear_before_reset", 0) in (0, 1)
    )


def _bytes(text: Any) -> bytes:
    """Return a text of an attribute, which an ORT file has as such and an ONNX file as bytes."""
    return text.encode() if isinstance(text, str) else bytes(text)


def fused_product(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """A MatMul that takes one or both of its inputs with their last two sides exchanged, times a number."""
    expect(
        len(inputs) == 2
        and abs(attributes.get("alpha", {}).get("f", 1.0)) <= LARGEST_NUMBER
        and not whole(attributes, "transBatchA", 0)
        and not whole(attributes, "transBatchB", 0)
        and all(len(tensor.shape) > 1 for tensor in inputs),
        "FusedMatMul",
        inputs,
    )
    taken = [
        tensor._replace(shape=(*tensor.shape[:-2], *tensor.shape[:-3:-1]))
        if whole(attributes, key, 0)
        else tensor
        for tensor, key in zip(inputs, ("transA", "transB"), strict=True)
    ]
    return _product_of_maps(taken, {})


SEQUENCE_OPERATORS: "dict[str, Rule]" = {
    "GRU": _cell("GRU"),
    "LSTM": _cell("LSTM"),
    "RNN": _cell("RNN"),
    "Softplus": function("Softplus"),
    "Sqrt": function("Sqrt"),
}
OF_MAPS: "dict[str, Rule]" = {"MatMul": _product_of_maps, "Softmax": _softmax_of_maps}
"""Rules of operators that have others where they take rows."""
