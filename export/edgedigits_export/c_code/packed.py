"""Networks whose few-bit weights lie packed in flash: what the template of their C code asks.

They are chains: an optional crop, an optional mean of squares of pixels, convolutions with relu and an optional largest
of squares, Dense layers with relu, and one of the ten classes with a softmax. Each layer is one and the same loop over
places of a map, in each of which a patch is laid out and every output is a sum of products with it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, IMAGE_SIDE
from edgedigits_export.c_code.packing import PAIRS, Packing, packed_weights, packing_of
from edgedigits_export.graph.steps import Border, Function, Image, Pool, Step, ToMap, ToRow, shapes_of
from edgedigits_export.integers.fixed_point import kept_exponentials
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_steps import IntegerConvolution, IntegerProduct
from edgedigits_export.integers.grids import PIXEL_GRID
from edgedigits_export.integers.shift_graph import BIAS_BITS, QUARTERS, mean_of_pixels, rounding_constant

PACKED_BITS = 8
"""Weights of fewer bits than these are packed: at least one layer has such."""
MOST_OF_A_MEAN = 2**16
"""Times the sum of a square of pixels, that the C code multiplies by to divide."""


_ABOUT = {
    "source": "where what it takes begins",
    "patch": "where a patch is laid out",
    "target": "where what it gives begins",
    "size": "of what it gives",
    "down": "from a place to the one below",
    "line": "from a row under the kernel to the next",
    "across": "from a place to the next",
    "height": "places",
    "width": "places",
    "pool": "bits of the side of a square of places of which the largest is taken",
    "pooled_width": "places of what it gives",
    "rows": "of a patch",
    "row": "length of one",
    "span": "weights of an output; a longer patch has the same ones over and over",
    "stride": "from the weights of a group of outputs to those of the next",
    "outputs": "of a place",
    "groups": "of outputs whose weights share bytes",
    "biases": "",
    "bias_shift": "from biases to sums",
    "shift": "from sums to outputs",
    "offset": "of the digits that are weights",
    "base": "how many values a digit has",
    "digits": "of a unit of bytes",
    "unit": "bytes",
}
"""Of each member of the struct in C, what it is."""


class NotPackedError(ValueError):
    """A network is none that is packed; its C code is that of any network."""


@dataclass(frozen=True)
class Mean:
    """The picture as means of squares of pixels."""

    side: int
    """Of a square: 1 where pixels are taken as they are."""
    top: int
    left: int
    height: int
    """Of what comes out, as the width."""
    width: int

    @property
    def count(self) -> int:
        """Pixels of a square."""
        return self.side * self.side

    @property
    def bits(self) -> int | None:
        """Of the shift that divides by the count; None where it is no power of two."""
        bits = self.count.bit_length() - 1
        return bits if self.count == 1 << bits else None

    @property
    def reciprocal(self) -> int:
        """What a sum is multiplied by before a shift of 16 bits divides it, where the count is no power of two."""
        return -(-MOST_OF_A_MEAN // self.count)

    def is_exact(self) -> bool:
        """Whether the reciprocal divides every sum that there can be."""
        sums = np.arange(256 * self.count + self.count, dtype=np.int64)
        return self.bits is not None or bool(np.all(sums * self.reciprocal >> 16 == sums // self.count))


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """A layer as the loop over its places takes it. Lengths are in bytes."""

    height: int
    """Of the places of the kernel."""
    width: int
    down: int
    """From a place to the one below it, in the map that it takes."""
    across: int
    """From a place to the next."""
    line: int
    """From a row of a patch to the next."""
    rows: int
    """Of a patch."""
    row: int
    """Length of one."""
    span: int
    """Of what goes into one output's weights; a patch may be several times as long, and goes in piece by piece."""
    outputs: int
    pool: int
    """Bits of the side of a square of places of which the largest is taken."""
    shift: int
    """Of the sums."""
    bias_shift: int
    biases: npt.NDArray[np.int16]
    packing: Packing
    offset: int
    """What is added to a weight to be a digit."""
    weights: bytes
    is_dense: bool
    """Whether its patch is all that it takes, as it lies."""

    @property
    def pooled_width(self) -> int:
        """Of what comes out, in places."""
        return self.width >> self.pool

    @property
    def size(self) -> int:
        """Of what comes out."""
        return (self.height >> self.pool) * self.pooled_width * self.outputs

    @property
    def patch(self) -> int:
        """Length of a patch that is laid out by itself."""
        return 0 if self.is_dense else self.rows * self.row

    @property
    def groups(self) -> int:
        """Of outputs that are computed together."""
        return -(-self.outputs // 2) if self.packing.base == PAIRS else self.outputs

    @property
    def units(self) -> int:
        """Of an output's weights."""
        return -(-self.span // self.packing.digits)


class PackedNetwork:
    """What the template of packed C code asks of a network, as of a ``LayeredNetwork``."""

    moves_bytes = True

    def __init__(self, graph: IntegerGraph, sha256: str) -> None:
        """Pack a network.

        Args:
            graph: its integers.
            sha256: of the int8 ``.tflite`` file that has the same ones.

        Raises:
            NotPackedError: it has other layers, scales that no shift stands for, or weights of 8 bits only.
        """
        self.sha256 = sha256
        self.mean, self.used, self.layers = _lowered(graph)
        if all(layer.packing.base > 2 ** (PACKED_BITS - 1) for layer in self.layers):
            raise NotPackedError("weights of 8 bits")
        self.logit_scale = graph.grids[-2].scale

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What templates ask of all layers together."""
        packings = {layer.packing for layer in self.layers}
        others = sorted((packing for packing in packings if packing.base != PAIRS), key=lambda one: one.base)
        return {
            "pairs": len(packings) > len(others),
            "units": bool(others),
            "one_packing": len(others) == 1 and len(packings) == 1,
            "packings": others,
            "bytes": all(packing.unit == 1 for packing in packings),
            "one_place": all(layer.is_dense for layer in self.layers),
            "pools": any(layer.pool for layer in self.layers),
        }

    @property
    def used_bitmap(self) -> bytes | None:
        """A bit for each value of the picture that the first layer takes; None where it takes all, or a map."""
        if self.used is None or self.used.all():
            return None
        return np.packbits(self.used, bitorder="little").tobytes()

    @property
    def picture_bytes(self) -> int:
        """Of the buffer, for what is made of the picture: none where the first layer takes its pixels themselves."""
        if self.used is not None:
            return int(self.used.sum())
        return 0 if self.mean.side == 1 else self.mean.height * self.mean.width

    @property
    def places(self) -> list[tuple[int, int, int]]:
        """Of each layer, where what it takes, its patch and what it gives begin in the buffer.

        What they take lies at its beginning and its end in turn, what they give at the other, patches in between.
        """
        total, taken, found = self.scratch_bytes, self.picture_bytes, []
        for index, layer in enumerate(self.layers):
            given = _room(layer)
            if index % 2:
                source = total - taken
                places = (source, source - layer.patch, 0)
            else:
                places = (0, taken, total - given)
            found.append(places if layer.patch else (places[0], places[0], places[2]))
            taken = given
        return found

    @property
    def scratch_bytes(self) -> int:
        """Bytes for the values between layers."""
        sizes = [self.picture_bytes, *(_room(layer) for layer in self.layers)]
        return max(sizes[index] + layer.patch + sizes[index + 1] for index, layer in enumerate(self.layers))

    @property
    def exponentials(self) -> tuple[int, ...]:
        """See ``FixedPointNetwork.exponentials``."""
        return kept_exponentials(self.logit_scale)

    @property
    def weights(self) -> bytes:
        """Of all layers."""
        return b"".join(layer.weights for layer in self.layers)

    @property
    def biases(self) -> list[int]:
        """Of all layers, a missing second of a pair as one that makes no output."""
        return [int(bias) for layer in self.layers for bias in layer.biases]

    @property
    def table(self) -> list[dict[str, int]]:
        """Of each layer, the members of its struct in C, by name."""
        return [
            {
                "source": source,
                "patch": patch,
                "target": target,
                "size": layer.size,
                "down": layer.down,
                "line": layer.line,
                "across": layer.across,
                "height": layer.height,
                "width": layer.width,
                "pool": layer.pool,
                "pooled_width": layer.pooled_width,
                "rows": layer.rows,
                "row": layer.row,
                "span": layer.span,
                "stride": len(layer.weights) // layer.groups,
                "outputs": layer.outputs,
                "groups": layer.groups,
                "biases": len(layer.biases),
                "bias_shift": layer.bias_shift,
                "shift": layer.shift,
                "offset": layer.offset,
                "base": layer.packing.base,
                "digits": layer.packing.digits,
                "unit": layer.packing.unit,
            }
            for layer, (source, patch, target) in zip(self.layers, self.places, strict=True)
        ]

    @property
    def members(self) -> list[tuple[str, str]]:
        """Type and name of each member of the struct, those of two bytes first.

        What is the same in all layers is none, but for the outputs, which say what the network is.
        """
        table = self.table
        largest = {name: max(row[name] for row in table) for name in table[0] if name not in self.constants}
        found = [("uint8_t" if most <= 255 else "uint16_t", name) for name, most in largest.items()]
        return sorted(found, key=lambda member: member[0] == "uint8_t")

    @cached_property
    def constants(self) -> dict[str, int]:
        """What is the same in all layers, by name."""
        first, *others = self.table
        return {
            name: value
            for name, value in first.items()
            if name != "outputs" and all(row[name] == value for row in others)
        }

    @property
    def about(self) -> dict[str, str]:
        """A few words for each member."""
        return _ABOUT

    @property
    def answer(self) -> int:
        """Where the logits lie in the buffer."""
        return self.places[-1][2]

    @property
    def parameter_bytes(self) -> int:
        """Bytes of weights, biases and the table of layers, that of the inputs that are used among them."""
        members = self.members
        wide = sum(kind == "uint16_t" for kind, _ in members)
        each = 2 * wide + len(members) - wide
        each += each % 2 if wide else 0
        return (
            len(self.weights) + 2 * len(self.biases) + len(self.layers) * each + len(self.used_bitmap or b"")
        )


def _room(layer: PackedLayer) -> int:
    """Return the bytes that what a layer gives has: an odd last output has a second one that is nothing."""
    return layer.size + (2 * layer.groups - layer.outputs if layer.packing.base == PAIRS else 0)


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


def _lowered(graph: IntegerGraph) -> tuple[Mean, npt.NDArray[np.bool_] | None, list[PackedLayer]]:
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
