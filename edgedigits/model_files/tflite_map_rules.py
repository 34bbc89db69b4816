"""What TFLite operators may be given and give in networks that are no chain of Dense layers.

Maps are (1, height, width, channels). As in ``tflite_graph``, every rule keeps the batch, so that no image becomes
larger than the file's constants and options allow; integers are on scales that the kernels can turn into each other.
"""

import math
import struct

from edgedigits.model_files.flatbuffer import Table
from edgedigits.model_files.tflite_graph import (
    FLOAT32,
    INT8,
    Rule,
    Tensor,
    is_known_precision,
)
from edgedigits.model_files.tflite_map_operators import (
    ADD,
    AVERAGE_POOL_2D,
    BATCH_MATMUL,
    CONCATENATION,
    CONV_2D,
    DEPTHWISE_CONV_2D,
    ELU,
    EXP,
    GELU,
    LEAKY_RELU,
    LOGISTIC,
    MAX_POOL_2D,
    MEAN,
    MINIMUM,
    MUL,
    PAD,
    PRELU,
    REDUCE_MAX,
    RELU,
    RELU6,
    SLICE,
    TANH,
    TRANSPOSE,
)

LARGEST_SIDE = 1 << 16
"""Of a map, a window, a stride, a dilation or a margin."""
_SAME, _VALID = 0, 1
_ACTIVATIONS = (0, 1, 3)
"""ActivationFunctionType: none, RELU, RELU6."""
_INT8_OUTPUTS = {LOGISTIC: 1 / 256, TANH: 1 / 128}
"""By operator, the only scale that its kernel gives."""
LARGEST_RATIO = 2.0**16
"""Of two scales; a fixed-point multiplier holds no more."""


def is_value(tensor: "Tensor | None") -> bool:
    """Whether a tensor may be what operators make of an image: floats, or int8 on one scale."""
    if tensor is None or tensor.data is not None or tensor.shape[:1] != (1,):
        return False
    return tensor.type == FLOAT32 or (tensor.type == INT8 and len(tensor.scales) == 1)


def _is_map(tensor: "Tensor | None") -> bool:
    return is_value(tensor) and tensor is not None and len(tensor.shape) == 4


def _is_pair(given: "Tensor | None", output: Tensor) -> bool:
    """Whether both are values of one type whose scales are not too far from each other."""
    if given is None or not is_value(given) or not is_value(output) or given.type != output.type:
        return False
    return given.type == FLOAT32 or given.scales[0] / output.scales[0] < LARGEST_RATIO


def _is_moved(given: "Tensor | None", output: Tensor) -> bool:
    """Whether both are values of one type on one scale, as operators need that only move values."""
    return _is_pair(given, output) and given is not None and given.scales == output.scales


def _places(options: Table, side: int, window: int, axis: str) -> int:
    """Return in how many places a window stands along a side; 0 where that makes no sense."""
    stride, dilation = options.get(f"stride_{axis}", 0), options.get(f"dilation_{axis}", 1)
    if not all(0 < number <= LARGEST_SIDE for number in (stride, dilation, window)):
        return 0
    if options.get("padding", 0) == _SAME:
        return int(-(-side // stride))
    reach = (window - 1) * dilation + 1
    return int((side - reach) // stride + 1) if options.get("padding", 0) == _VALID else 0


def _is_layer(values: Tensor, kernel: Tensor, bias: "Tensor | None", output: Tensor, options: Table) -> bool:
    """Whether a kernel of four sides goes over a map: what both kinds of convolutions have in common."""
    if not (_is_map(values) and _is_map(output) and len(kernel.shape) == 4):
        return False
    _, height, width, _ = values.shape
    places = (_places(options, height, kernel.shape[1], "h"), _places(options, width, kernel.shape[2], "w"))
    return (
        output.shape[1:3] == places
        and min(places) > 0
        and (bias is None or bias.shape == (output.shape[3],))
        and options.get("activation", 0) in _ACTIVATIONS
        and is_known_precision(values, kernel, bias, output)
    )


def _is_convolution(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor() as values, Tensor(shape=(outputs, _, _, depth)) as kernel, bias]:
            if not _is_layer(values, kernel, bias, output, options) or values.shape[3] % depth:
                return False
            has_axis = len(kernel.scales) < 2 or kernel.axis == 0
            return has_axis and output.shape[3] == outputs and outputs % (values.shape[3] // depth) == 0
    return False


def _is_depthwise(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor() as values, Tensor(shape=(1, _, _, outputs)) as kernel, bias]:
            multiplier = options.get("depth_multiplier", 0)
            return (
                _is_layer(values, kernel, bias, output, options)
                and 0 < multiplier <= LARGEST_SIDE
                and (len(kernel.scales) < 2 or kernel.axis == 3)
                and output.shape[3] == outputs == values.shape[3] * multiplier
            )
    return False


def _is_pool(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor(shape=(1, height, width, channels)) as values]:
            window = options.get("filter_height", 0), options.get("filter_width", 0)
            places = _places(options, height, window[0], "h"), _places(options, width, window[1], "w")
            # In a window beyond the map there would be nothing to take the mean of.
            return (
                _is_moved(values, output)
                and min(places) > 0
                and output.shape == (1, *places, channels)
                and all(length <= side for length, side in zip(window, (height, width), strict=True))
                and options.get("activation", 0) in _ACTIVATIONS
            )
    return False


def _is_reduction(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor(shape=(1, _, _, channels)) as values, Tensor(type=2, shape=(2,)) as axes] if axes.data:
            return (
                _is_pair(values, output)
                and output.shape == (1, channels)
                and struct.unpack("<2i", axes.data) == (1, 2)
                and not options.get("keep_dims", False)
            )
    return False


def _is_largest(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    return _is_reduction(inputs, output, options) and _is_moved(inputs[0], output)


def _is_pad(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor(shape=(1, height, width, channels)) as values, Tensor(type=2, shape=(4, 2)) as pads]:
            if pads.data is None or not _is_moved(values, output):
                return False
            *batch, top, bottom, left, right, before, behind = struct.unpack("<8i", pads.data)
            return (
                not any((*batch, before, behind))
                and all(0 <= pad <= LARGEST_SIDE for pad in (top, bottom, left, right))
                and output.shape == (1, height + top + bottom, width + left + right, channels)
            )
    return False


def _is_slice(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [
            Tensor() as values,
            Tensor(type=2, shape=(count,)) as begin,
            Tensor(type=2, shape=(length,)) as sizes,
        ] if begin.data is not None and sizes.data is not None:
            if not (_is_moved(values, output) and count == length == len(values.shape) == len(output.shape)):
                return False
            first, *starts = struct.unpack(f"<{count}i", begin.data)
            batch, *sides = struct.unpack(f"<{count}i", sizes.data)
            return (
                (first, batch) == (0, -1)
                and output.shape == (1, *sides)
                and all(
                    0 <= start <= whole - side
                    for start, side, whole in zip(starts, sides, values.shape[1:], strict=True)
                )
            )
    return False


def _is_transpose(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor(shape=(1, _, _, _)) as values, Tensor(type=2, shape=(4,)) as order] if order.data:
            axes = struct.unpack("<4i", order.data)
            return (
                axes[0] == 0
                and sorted(axes) == [0, 1, 2, 3]
                and _is_moved(values, output)
                and output.shape == tuple(values.shape[axis] for axis in axes)
            )
    return False


def _is_concatenation(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    axis = options.get("axis", 0)
    if len(inputs) < 2 or not 0 < axis < len(output.shape) or options.get("activation", 0) != 0:
        return False
    total = 0
    for given in inputs:
        if given is None or not _is_moved(given, output) or len(given.shape) != len(output.shape):
            return False
        if (*given.shape[:axis], *given.shape[axis + 1 :]) != (
            *output.shape[:axis],
            *output.shape[axis + 1 :],
        ):
            return False
        total += given.shape[axis]
    return total == output.shape[axis]


def _meets(other: "Tensor | None", output: Tensor) -> bool:
    """Whether a tensor is as large as another one, or a constant that is repeated along sides of it."""
    if other is None:
        return False
    if other.data is None:
        return other.shape == output.shape and is_value(other)
    sides = (1,) * (len(output.shape) - len(other.shape)) + other.shape
    one_scale = other.type == FLOAT32 or (other.type == INT8 and len(other.scales) == 1)
    return one_scale and all(side in (1, most) for side, most in zip(sides, output.shape, strict=False))


def is_met(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    """Whether two tensors are combined value by value, the first computed from the image."""
    match inputs:
        case [Tensor() as values, Tensor() as other]:
            return (
                _is_pair(values, output)
                and values.shape == output.shape
                and _meets(other, output)
                and other.type == values.type
                and len(other.shape) <= len(output.shape)
                and all(scale / output.scales[0] < LARGEST_RATIO for scale in other.scales)
                and options.get("activation", 0) in _ACTIVATIONS
            )
    return False


def _is_product(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    match inputs:
        case [Tensor() as values, Tensor() as other] if values.scales and other.scales and output.scales:
            if values.scales[0] * other.scales[0] / output.scales[0] >= LARGEST_RATIO:
                return False
    return is_met(inputs, output, options)


def _is_minimum(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    return is_met(inputs, output, options) and all(
        tensor is not None and tensor.scales == output.scales for tensor in inputs
    )


def is_function(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    """Whether each value gives one."""
    match inputs:
        case [Tensor() as values]:
            return _is_pair(values, output) and values.shape == output.shape
    return False


def _is_curve(code: int) -> Rule:
    def holds(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
        scale = output.scales[0] if output.scales else _INT8_OUTPUTS[code]
        return is_function(inputs, output, options) and scale == _INT8_OUTPUTS[code]

    return holds


def _is_leaky(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    # Written so that a NaN, for which no comparison holds, is refused.
    return is_function(inputs, output, options) and abs(options.get("alpha", 0.0)) <= LARGEST_SIDE


def reshapes(inputs: "list[Tensor | None]", output: Tensor) -> bool:
    """Whether a RESHAPE makes another shape of the values of each image."""
    match inputs:
        case [Tensor() as values, Tensor(type=2, shape=(sides,)) as target] if target.data is not None:
            return (
                is_value(values)
                and _is_moved(values, output)
                and sides == len(output.shape)
                and struct.unpack(f"<{sides}i", target.data) == (-1, *output.shape[1:])
                and math.prod(values.shape) == math.prod(output.shape)
            )
    return False


MAP_RULES: "dict[int, Rule]" = {
    ADD: is_met,
    AVERAGE_POOL_2D: _is_pool,
    CONCATENATION: _is_concatenation,
    CONV_2D: _is_convolution,
    DEPTHWISE_CONV_2D: _is_depthwise,
    ELU: is_function,
    EXP: is_function,
    GELU: is_function,
    LEAKY_RELU: _is_leaky,
    LOGISTIC: _is_curve(LOGISTIC),
    MAX_POOL_2D: _is_pool,
    MEAN: _is_reduction,
    MINIMUM: _is_minimum,
    MUL: _is_product,
    PAD: _is_pad,
    PRELU: is_met,
    REDUCE_MAX: _is_largest,
    RELU: is_function,
    RELU6: is_function,
    SLICE: _is_slice,
    TANH: _is_curve(TANH),
    TRANSPOSE: _is_transpose,
}
"""By operator, whether its inputs, its output and its options fit together."""


def products(code: int, inputs: "list[Tensor | None]", output: Tensor, options: Table) -> int:
    """Return how many multiplications an operator takes for one image, or values that it looks at in windows."""
    kernel = inputs[1] if len(inputs) > 1 else None
    if code == CONV_2D and kernel is not None:
        return math.prod(output.shape) * math.prod(kernel.shape[1:])
    if code == DEPTHWISE_CONV_2D and kernel is not None:
        return math.prod(output.shape) * math.prod(kernel.shape[1:3])
    if code == BATCH_MATMUL and inputs[0] is not None:
        return math.prod(output.shape) * inputs[0].shape[-1]
    if code in (MAX_POOL_2D, AVERAGE_POOL_2D):
        return math.prod(output.shape) * int(options["filter_height"]) * int(options["filter_width"])
    return 0
