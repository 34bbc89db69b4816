"""From integers to the layers of packed C code; networks that are none are refused, and become C code of any layers."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, IMAGE_SIDE
from edgedigits_export.c_code.packed_layers import Mean, NotPackedError, PackedLayer
from edgedigits_export.c_code.packing import PAIRS, packed_weights, packing_of
from edgedigits_export.graph.steps import Border, Function, Image, Pool, Step, ToMap, ToRow, shapes_of
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_steps import IntegerConvolution, IntegerProduct
from edgedigits_export.integers.grids import PIXEL_GRID
from edgedigits_export.integers.shift_graph import BIAS_BITS, QUARTERS, mean_of_pixels, rounding_constant

_Shape = tuple[int, ...]


class _Reading:
    """Steps that are read one by one."""

    def __init__(self, graph: IntegerGraph) -> None:
        self.graph, self.shapes = graph, shapes_of(graph.steps)
        self.place = 0

    @property
    def step(self) -> Step:
        """The next."""
        return self.graph.steps[self.place]

    @property
    def shape(self) -> _Shape:
        """Of what there is before it."""
        return self.shapes[self.place - 1]


def lowered(graph: IntegerGraph) -> tuple[Mean, npt.NDArray[np.bool_] | None, list[PackedLayer]]:
    """Return the picture as the first layer takes it, and all layers.

    Args:
        graph: the integers of a network.

    Returns:
        The mean of squares of pixels; of a first layer that takes the picture as a row, which of these values it has
        weights for, bool (values,), and None where it takes a map; the layers.

    Raises:
        NotPackedError: it has other layers, or scales that no shift stands for.
    """
    steps = graph.steps
    if any(step.sources not in ((), (place - 1,)) for place, step in enumerate(steps)):
        raise NotPackedError("branches")
    last = steps[-1]
    if not isinstance(last, Function) or last.name != "softmax":
        raise NotPackedError("no softmax at the end")
    reading = _Reading(graph)
    mean = _mean(reading)
    used: npt.NDArray[np.bool_] | None = None
    layers: list[PackedLayer] = []
    while reading.place < len(steps) - 1:
        step = reading.step
        if isinstance(step, ToRow | ToMap):
            if isinstance(step, ToMap) or (step.channels_first and reading.shape[2] > 1):
                raise NotPackedError("values that change places")
            reading.place += 1
        elif isinstance(step, IntegerConvolution):
            layers.append(_convolution(reading, step, mean if not layers else None))
        elif isinstance(step, IntegerProduct):
            if not layers:
                used = np.any(step.kernel != 0, axis=1)
                used[0] |= not used.any()
            layers.append(_product(reading, step, used if not layers else None))
        else:
            raise NotPackedError(type(step).__name__)
    if not layers or layers[-1].size != CLASSES or not layers[-1].is_dense:
        raise NotPackedError("no ten outputs at the end")
    return mean, used, layers


def _mean(reading: _Reading) -> Mean:
    """Read the picture, what is cut off it, and the mean of squares."""
    step = reading.step
    if not isinstance(step, Image):
        raise NotPackedError("no picture at the beginning")
    reading.place += 1
    top, left, height, width, side = 0, 0, IMAGE_SIDE, IMAGE_SIDE, 1
    if isinstance(reading.step, ToMap) and reading.step.given == (IMAGE_SIDE, IMAGE_SIDE, 1):
        reading.place += 1
    step = reading.step
    if isinstance(step, Border) and max(step.margins) <= 0:
        top, left = -step.margins[0], -step.margins[2]
        height, width, _ = reading.shapes[reading.place]
        reading.place += 1
    if _is_mean(graph := reading.graph, reading.place):
        side = graph.steps[reading.place].kernel.shape[0]  # type: ignore[attr-defined]
        height, width, _ = reading.shapes[reading.place]
        reading.place += 1
    mean = Mean(side, top, left, height, width)
    if not mean.is_exact():
        raise NotPackedError("means of squares that 16 bits do not divide by")
    return mean


def _is_mean(graph: IntegerGraph, place: int) -> bool:
    """Whether a step is the mean of squares of pixels; see ``shift_graph``."""
    step = graph.steps[place]
    if not isinstance(step, IntegerConvolution) or graph.grids[place] != PIXEL_GRID or step.low == 0:
        return False
    expected = mean_of_pixels(step.sources, step.strides)
    return (
        step.strides[0] == step.strides[1]
        and np.array_equal(step.kernel, expected.kernel)
        and np.array_equal(step.bias, expected.bias)
        and np.array_equal(step.scales, expected.scales)
        and not any(step.margins)
    )


def _convolution(reading: _Reading, step: IntegerConvolution, mean: Mean | None) -> PackedLayer:
    """Read a convolution and the pooling behind it; the first takes the picture."""
    if step.groups != 1 or step.dilation != (1, 1) or any(step.margins):
        raise NotPackedError("groups, dilation or zeros around a map")
    _, map_width, channels = reading.shape
    is_picture = mean is not None and mean.side == 1
    line = IMAGE_SIDE if is_picture else map_width * channels
    height, width, outputs = reading.shapes[reading.place]
    grid_place = reading.place
    reading.place += 1
    pool = _pool_bits(reading)
    kernel_height, kernel_width = step.kernel.shape[:2]
    return _layer(
        reading,
        step,
        grid_place,
        step.kernel.reshape(-1, outputs),
        height=height >> pool << pool,
        width=width >> pool << pool,
        down=step.strides[0] * line,
        across=step.strides[1] * channels,
        line=line,
        rows=kernel_height,
        row=kernel_width * channels,
        span=kernel_height * kernel_width * channels,
        pool=pool,
        is_dense=False,
    )


def _pool_bits(reading: _Reading) -> int:
    """Read the pooling behind a convolution, if there is one, and return the bits of its side."""
    step = reading.step
    if not isinstance(step, Pool) or step.kind != "max":
        return 0
    side = step.window[0]
    bits = side.bit_length() - 1
    if step.window != (side, side) or step.strides != step.window or any(step.margins) or side != 1 << bits:
        raise NotPackedError("a pooling of other windows than squares of 2, 4, ... side by side")
    reading.place += 1
    return bits


def _product(reading: _Reading, step: IntegerProduct, used: npt.NDArray[np.bool_] | None) -> PackedLayer:
    """Read a Dense layer; one that takes the mean over a map has the weights of a place over and over."""
    kernel = step.kernel if used is None else step.kernel[used]
    count, place = 1, reading.place - 1
    if used is None and isinstance(reading.graph.steps[place], ToRow):
        height, width, channels = reading.shapes[place - 1]
        if np.array_equal(kernel, np.tile(kernel[:channels], (height * width, 1))):
            count = height * width
    grid_place = reading.place
    reading.place += 1
    each = len(kernel) // count
    return _layer(
        reading,
        step,
        grid_place,
        kernel[:each],
        height=1,
        width=1,
        down=0,
        across=0,
        line=each,
        rows=count,
        row=each,
        span=each,
        pool=0,
        is_dense=True,
    )


def _layer(
    reading: _Reading,
    step: IntegerConvolution | IntegerProduct,
    place: int,
    kernel: npt.NDArray[np.int8],
    **lengths: Any,
) -> PackedLayer:
    """Return a layer with its weights packed and its biases in 16 bits."""
    grids = reading.graph.grids
    is_last = place == len(grids) - 2
    if step.high != math.inf or (step.low != 0) != is_last or grids[place].zero_point != 0:
        raise NotPackedError("other functions than relu")
    scales = {float(scale) for scale in step.scales}
    are_quarters = not np.any(kernel % QUARTERS) and bool(np.all(step.bias % QUARTERS == QUARTERS // 2))
    parts = QUARTERS if are_quarters else 1
    ratio = grids[place].scale / (grids[step.sources[0]].scale * scales.pop() * parts)
    fraction, exponent = math.frexp(ratio)
    if scales or fraction != 0.5 or not 1 <= exponent - 1 < 31 or grids[step.sources[0]].zero_point != 0:
        raise NotPackedError("scales that no shift stands for")
    shift, kernel = exponent - 1, kernel // parts
    # Half of what is between two sums is dropped by the shift.
    whole = step.bias.astype(np.int64) // parts
    biases, bias_shift = _biases(whole + rounding_constant(step, shift, parts))
    packing = packing_of(kernel)
    # The same for all layers of a base, where it can be.
    middle = packing.base // 2
    in_the_middle = -middle <= kernel.min(initial=0) and kernel.max(initial=0) < packing.base - middle
    offset = middle if in_the_middle else -int(kernel.min(initial=0))
    if packing.base == PAIRS and len(biases) % 2:
        biases = np.append(biases, np.int16(-(2 ** (BIAS_BITS - 1)) + 1))
    return PackedLayer(
        outputs=kernel.shape[1],
        shift=shift,
        bias_shift=bias_shift,
        biases=biases,
        packing=packing,
        offset=offset,
        weights=packed_weights(kernel, packing, offset),
        **lengths,
    )


def _biases(biases: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int16], int]:
    """Return biases in 16 bits, and by how many they are shifted to the left."""
    most = 2 ** (BIAS_BITS - 1) - 1
    for bits in range(BIAS_BITS):
        small = biases >> bits
        if np.all(small << bits == biases) and np.abs(small).max(initial=0) <= most:
            return small.astype(np.int16), bits
    raise NotPackedError("biases of more than 16 bits")
