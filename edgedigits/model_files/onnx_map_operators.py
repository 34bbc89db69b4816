"""What ONNX operators make of their inputs that networks have which are no chain of Dense layers.

Maps are (n, channels, height, width). As in ``onnx_operators``, every rule keeps the batch, and no image becomes larger
than the constants and attributes that it meets allow: what each operator makes is spent from the budget, and so are the
multiplications of a convolution.
"""

import math
from collections.abc import Callable
from typing import Any

from edgedigits.format_table import Precision
from edgedigits.model_files.onnx_operators import expect_steps, met, together
from edgedigits.model_files.onnx_tensors import (
    FLOAT,
    INT32,
    KERNEL_ZERO,
    LARGEST_NUMBER,
    SCALE,
    UINT8,
    VALUES,
    WAY,
    Attributes,
    ForeignGraphError,
    Rule,
    Tensor,
    expect,
    whole,
)

LARGEST_SIDE = 1 << 16
"""Of a map, a window, a stride, a dilation or a margin."""


def _is_map(tensor: Tensor) -> bool:
    """Whether a tensor is (n, channels, height, width) in floats, computed from the image."""
    return (
        len(tensor.shape) == 4
        and None not in tensor.shape[1:]
        and tensor.dtype == FLOAT
        and tensor.step in WAY
    )


def _moved(inputs: list[Tensor]) -> Tensor:
    """What becomes of an image where values only change their places: of the same type."""
    return together(inputs)._replace(dtype=inputs[0].dtype)


def _is_movable(tensor: Tensor) -> bool:
    """Whether a tensor is a map in floats or in integers."""
    return tensor.dtype in (FLOAT, UINT8) and _is_map(tensor._replace(dtype=FLOAT))


def _wholes(attributes: Attributes, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(attributes[name].get("ints", ())) if name in attributes else default


def _places(sides: "tuple[Any, ...]", window: tuple[int, ...], attributes: Attributes) -> tuple[int, ...]:
    """Return in how many places a window stands along the sides of a map; nothing where that makes no sense."""
    strides = _wholes(attributes, "strides", (1, 1))
    dilations = _wholes(attributes, "dilations", (1, 1))
    pads = _wholes(attributes, "pads", (0, 0, 0, 0))
    numbers = (*window, *strides, *dilations)
    if len(numbers) != 6 or len(pads) != 4 or not all(0 < number <= LARGEST_SIDE for number in numbers):
        return ()
    if not all(0 <= pad <= LARGEST_SIDE for pad in pads):
        return ()
    if attributes.get("auto_pad", {}).get("s", b"NOTSET") not in (b"NOTSET", "NOTSET"):
        return ()
    places = tuple(
        (sides[axis] + pads[axis] + pads[axis + 2] - (window[axis] - 1) * dilations[axis] - 1)
        // strides[axis]
        + 1
        for axis in (0, 1)
    )
    return places if min(places) > 0 else ()


def convolution(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """A map with a kernel over it that is a constant, not of zeros only, and a bias."""
    expect(
        len(inputs) in (2, 3)
        and _is_map(inputs[0])
        and inputs[1].dtype == FLOAT
        and all(bias.dtype == FLOAT for bias in inputs[2:]),
        "Conv",
        inputs,
    )
    values, kernel = inputs[:2]
    for bias in inputs[2:]:
        is_counted = values.is_quantized and kernel.is_quantized
        expect_steps(bias, values.scales * kernel.scales if is_counted else None)
    return convolved(inputs, attributes, inputs[1].precision, "Conv")


def _integer_convolution(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """The same in integers that are made of the values while it runs, and weights in uint8, counted from 128."""
    expect(
        len(inputs) == 4
        and inputs[0].dtype == UINT8
        and _is_map(inputs[0]._replace(dtype=FLOAT))
        and inputs[1].dtype == inputs[2].dtype == inputs[3].dtype == UINT8
        and inputs[2].shape == ()
        and inputs[2].step == SCALE
        and inputs[3].numbers == (KERNEL_ZERO,),
        "ConvInteger",
        inputs,
    )
    return convolved(inputs[:2], attributes, "dynamic", "ConvInteger")._replace(dtype=INT32)


def convolved(
    inputs: list[Tensor], attributes: Attributes, precision: "Precision | None", operator: str
) -> Tensor:
    """Return the map that comes of a map, a kernel and perhaps a bias: floats, whatever goes in."""
    values, kernel = inputs[:2]
    expect(
        kernel.is_constant and len(kernel.shape) == 4 and min(side or 0 for side in kernel.shape) > 0,
        operator,
        inputs,
    )
    outputs, depth, *window = (int(side or 0) for side in kernel.shape)
    groups = whole(attributes, "group", 1)
    places = _places(values.shape[2:], tuple(window), attributes)
    expect(
        len(places) == 2
        and groups > 0
        and values.shape[1] == depth * groups
        and outputs % groups == 0
        and _wholes(attributes, "kernel_shape", tuple(window)) == tuple(window)
        and all(bias.is_constant and bias.shape == (outputs,) for bias in inputs[2:]),
        operator,
        inputs,
    )
    if kernel.is_zero:
        raise ForeignGraphError("weights of a trained network", "a layer of zeros only")
    if precision is None or values.precision not in (None, precision):
        raise ForeignGraphError("weights of one precision", f"{values.precision} and {precision}")
    return Tensor(
        FLOAT,
        (values.shape[0], outputs, *places),
        step=VALUES,
        precision=precision,
        is_free=True,
        products=math.prod(places) * outputs * depth * math.prod(window),
    )


def pool(operator: str) -> "Callable[[list[Tensor], Attributes], Tensor]":
    """Return the rule of a pooling with a window."""

    def follow(inputs: list[Tensor], attributes: Attributes) -> Tensor:
        window = _wholes(attributes, "kernel_shape", ())
        is_map = _is_movable if operator == "MaxPool" else _is_map
        expect(len(inputs) == 1 and is_map(inputs[0]) and len(window) == 2, operator, inputs)
        places = _places(inputs[0].shape[2:], window, attributes)
        pads = _wholes(attributes, "pads", (0, 0, 0, 0))
        expect(
            len(places) == 2
            and _wholes(attributes, "dilations", (1, 1)) == (1, 1)
            and all(pad < side for pad, side in zip(pads, (*window, *window), strict=True))
            and not whole(attributes, "ceil_mode", 0)
            and not whole(attributes, "storage_order", 0)
            and whole(attributes, "count_include_pad", 0) in (0, 1),
            operator,
            inputs,
        )
        shape = (*inputs[0].shape[:2], *places)
        # Each place looks at its whole window.
        return _moved(inputs)._replace(shape=shape, products=_count(shape) * math.prod(window))

    return follow


def _count(shape: "tuple[Any, ...]") -> int:
    """Return how many values of one image there are."""
    return math.prod(int(side) for side in shape[1:])


def global_pool(operator: str) -> "Callable[[list[Tensor], Attributes], Tensor]":
    """Return the rule of a pooling of whole maps."""

    def follow(inputs: list[Tensor], attributes: Attributes) -> Tensor:
        expect(len(inputs) == 1 and _is_map(inputs[0]), operator, inputs)
        return together(inputs)._replace(shape=(*inputs[0].shape[:2], 1, 1))

    return follow


def _pad(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """Zeros around a map, or less of it; pixels and channels stay as many as they are."""
    expect(
        len(inputs) in (2, 3)
        and all(zero.is_constant and zero.shape == () for zero in inputs[2:])
        and all(zero.dtype == inputs[0].dtype for zero in inputs[2:])
        and _is_movable(inputs[0])
        and inputs[1].shape == (8,)
        and len(inputs[1].numbers) == 8
        and attributes.get("mode", {}).get("s", b"constant") in (b"constant", "constant")
        and all(abs(pad) <= LARGEST_SIDE for pad in inputs[1].numbers),
        "Pad",
        inputs,
    )
    before, behind = inputs[1].numbers[:4], inputs[1].numbers[4:]
    sides = [
        int(side or 0) + pad + other
        for side, pad, other in zip(inputs[0].shape[2:], before[2:], behind[2:], strict=True)
    ]
    expect(min(sides) > 0 and not any((*before[:2], *behind[:2])), "Pad", inputs)
    return _moved(inputs[:1])._replace(shape=(*inputs[0].shape[:2], *sides))


def _concat(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    axis = whole(attributes, "axis", 0)
    first = inputs[0] if inputs else Tensor(0, ())
    expect(
        len(inputs) > 1
        and 0 < axis < len(first.shape)
        and all(
            one.dtype == first.dtype
            and one.dtype in (FLOAT, UINT8)
            and one.step in WAY
            and one.shape[axis : axis + 1] != (None,)
            and (*one.shape[:axis], *one.shape[axis + 1 :]) == (*first.shape[:axis], *first.shape[axis + 1 :])
            and len(one.shape) == len(first.shape)
            for one in inputs
        ),
        "Concat",
        inputs,
    )
    total = sum(int(one.shape[axis] or 0) for one in inputs)
    return _moved(inputs)._replace(shape=(*first.shape[:axis], total, *first.shape[axis + 1 :]))


def _transpose(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """The sides in another order: channels to the end, steps to the beginning. The free one, the batch, moves too."""
    order = _wholes(attributes, "perm", ())
    expect(
        len(inputs) == 1
        and inputs[0].dtype in (FLOAT, UINT8)
        and inputs[0].step in WAY
        and len(inputs[0].shape) in (3, 4)
        and sorted(order) == list(range(len(inputs[0].shape))),
        "Transpose",
        inputs,
    )
    return _moved(inputs)._replace(shape=tuple(inputs[0].shape[axis] for axis in order))


def function(operator: str, *numbers: str) -> Rule:
    """Return the rule of an operator that does something to each value by itself, with some numbers as attributes."""

    def follow(inputs: list[Tensor], attributes: Attributes) -> Tensor:
        given = [attributes[name].get("f", 0.0) for name in numbers if name in attributes]
        expect(
            len(inputs) == 1
            and inputs[0].dtype == FLOAT
            and inputs[0].step in WAY
            # Written so that a NaN, for which no comparison holds, is refused.
            and all(abs(number) <= LARGEST_NUMBER for number in given),
            operator,
            inputs,
        )
        return together(inputs)

    return follow


def _sigmoid(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    function("Sigmoid")(inputs, attributes)
    return together(inputs)._replace(is_sigmoid=True)


def _clip(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(
        len(inputs) == 3
        and inputs[0].dtype in (FLOAT, UINT8)
        and inputs[0].step in WAY
        and all(
            bound.is_constant and bound.dtype == inputs[0].dtype and bound.shape == () for bound in inputs[1:]
        ),
        "Clip",
        inputs,
    )
    return _moved(inputs[:1])


def _with(operator: str) -> Rule:
    def follow(inputs: list[Tensor], attributes: Attributes) -> Tensor:
        expect(len(inputs) == 2, operator, inputs)
        if operator != "Div":
            return met(inputs, operator)
        if inputs[1].step in WAY:
            return met(inputs, operator)
        expect(inputs[1].is_constant and not inputs[1].is_zero and inputs[1].shape == (), operator, inputs)
        return met(inputs, operator)

    return follow


MAP_OPERATORS: "dict[str, Rule]" = {
    "AveragePool": pool("AveragePool"),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": convolution,
    "ConvInteger": _integer_convolution,
    "Div": _with("Div"),
    "Elu": function("Elu", "alpha"),
    "Erf": function("Erf"),
    "Exp": function("Exp"),
    "GlobalAveragePool": global_pool("GlobalAveragePool"),
    "GlobalMaxPool": global_pool("GlobalMaxPool"),
    "HardSigmoid": function("HardSigmoid", "alpha", "beta"),
    "LeakyRelu": function("LeakyRelu", "alpha"),
    "MaxPool": pool("MaxPool"),
    "PRelu": _with("PRelu"),
    "Pad": _pad,
    "Selu": function("Selu", "alpha", "gamma"),
    "Sigmoid": _sigmoid,
    "Tanh": function("Tanh"),
    "Transpose": _transpose,
}
