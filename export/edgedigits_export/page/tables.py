"""A network as tables: one block of bytes that the C code of ``c/network.c`` runs, whatever its layers are.

All numbers are little-endian. Eight words of 32 bits come first (``_Header``), then a record of words for each layer
(``_Record``), then weights, biases and all else that records point at by its place in the tables. Values between layers
are unsigned bytes, TFLite's int8 + 128, at places of one memory, which begins with the picture.

Weights are rows, (outputs, height, width, inputs of a group), each filled up with zeros to a multiple of ``ROW_BYTES``,
so that vectors never have a rest; where each output has a channel of its own (``depthwise``), the outputs are the last.
A fully connected layer is a convolution of a map of one place.
"""

import dataclasses
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import CLASSES, PIXELS
from edgedigits_export.c_code.layers import (
    Addition,
    Border,
    Bytewise,
    Convolution,
    Dense,
    Joined,
    Layer,
    Pool,
    Slopes,
    Swapped,
    Table,
)
from edgedigits_export.c_code.lowering import ANSWER, IMAGE
from edgedigits_export.c_code.memory import plan_memory
from edgedigits_export.c_code.network import LayeredNetwork
from edgedigits_export.integers.fixed_point import FixedPointDense, FixedPointNetwork
from edgedigits_export.integers.graph_kernels import IntegerGraph

MAGIC = int.from_bytes(b"EDGD", "little")
VERSION = 1
"""Of what follows; the C code reads this one alone."""
ROW_BYTES = 16
"""Rows of weights are a multiple of it."""

_KINDS = (
    "dense",
    "convolution",
    "pool",
    "table",
    "addition",
    "slopes",
    "border",
    "joined",
    "swapped",
    "depthwise",
)
"""In the order of the C code's enum."""
_POOLINGS = ("sums", "largest", "average", "mean")
"""Likewise."""


@dataclass(frozen=True)
class _Header:
    """The first words, in their order."""

    magic: int
    version: int
    size: int
    """Of all tables, in bytes."""
    values: int
    """Bytes of the memory for values."""
    answer: int
    """Where in that memory the answer lies in the end: logits, or probabilities where no softmax follows."""
    layers: int
    exponentials: int
    """How many numbers the table of the softmax has; 0 where there is none."""
    exponentials_at: int


@dataclass(frozen=True)
class _Record:
    """The words of a layer, in their order; what its kind does not need is 0."""

    kind: int
    source: int
    """Where what it takes begins in the memory."""
    other: int
    """Of an addition, where the second value begins."""
    target: int
    height: int = 1
    """Of the map that it takes, with the width: of values byte by byte and of blocks, their number."""
    width: int = 1
    channels: int = 1
    rows: int = 1
    """Of the map that it gives."""
    columns: int = 1
    outputs: int = 1
    """Channels that it gives; of slopes, after how many they repeat."""
    kernel_height: int = 1
    """With the width: of the kernel, or of the window of a pooling."""
    kernel_width: int = 1
    row_stride: int = 1
    column_stride: int = 1
    """Of joined blocks, from one to the next in what is given."""
    row_step: int = 1
    """Between places under the kernel."""
    column_step: int = 1
    top: int = 0
    """Rows above the map that are read as zeros; below 0, rows that are left out."""
    left: int = 0
    groups: int = 1
    window_height: int = 1
    """Of the pooling behind a convolution."""
    window_width: int = 1
    place_rows: int = 1
    """Of a convolution before its pooling."""
    place_columns: int = 1
    pooling: int = 0
    weights: int = 0
    """Where they begin in the tables: bytes in rows; of slopes, these."""
    biases: int = 0
    """Likewise: int32 for each output."""
    multipliers: int = 0
    """Likewise: int32 for each output."""
    shifts: int = 0
    """Likewise: a byte for each output."""
    table: int = 0
    """Likewise: 256 bytes; 0 where there is none."""
    factors: tuple[int, int, int] = (0, 0, 0)
    """Multipliers of an addition, of slopes, or, the first, of a mean."""
    factor_shifts: tuple[int, int, int] = (1, 1, 1)
    zero: int = 0
    """The byte that stands for 0 in what goes in."""
    other_zero: int = 0
    """In an addition's second value; in what is averaged."""
    zero_point: int = 0
    """In what comes out of sums."""
    final_zero: int = 0
    """In what comes out of a mean."""
    lowest: int = 0
    """The lowest byte that may come out."""
    highest: int = 255


@dataclass(frozen=True, eq=False)
class _Chain:
    """A network as ``LayeredNetwork`` has it."""

    layers: tuple[Layer, ...]
    sizes: dict[int, int]
    """Bytes of each value between layers."""
    exponentials: tuple[int, ...]


class _Tables:
    """Grows by what layers point at."""

    def __init__(self, start: int) -> None:
        self._start, self._parts, self._size = start, list[bytes](), start

    def add(self, values: npt.NDArray[Any]) -> int:
        """Add numbers, little-endian, and return where they begin."""
        content = values.astype(values.dtype.newbyteorder("<")).tobytes()
        place = self._size
        padded = content + bytes(-len(content) % ROW_BYTES)
        self._parts.append(padded)
        self._size += len(padded)
        return place

    @property
    def content(self) -> bytes:
        """All that was added."""
        return b"".join(self._parts)


def tables_of(network: FixedPointNetwork | IntegerGraph) -> bytes:
    """Return the tables of a network, from a few hundred bytes to about those of its weights.

    Args:
        network: its integers, as C code has them.

    Raises:
        QuantizationError: sums may leave int32, or a map is too large for C code.
    """
    lowered = _chain(network) if isinstance(network, FixedPointNetwork) else _layered(network)
    places, size = _places(lowered)
    rows = [row for layer in lowered.layers for row in _split(layer, places)]
    start = _aligned(_words(_Header) * 4 + len(rows) * _words(_Record) * 4)
    tables = _Tables(start)
    records = [_WRITERS[type(layer)](layer, at, tables) for layer, at in rows]
    exponentials = np.array(lowered.exponentials, np.int32)
    exponentials_at = tables.add(exponentials)
    content = tables.content
    header = _Header(
        magic=MAGIC,
        version=VERSION,
        size=start + len(content),
        values=size,
        answer=places[ANSWER],
        layers=len(records),
        exponentials=len(exponentials),
        exponentials_at=exponentials_at,
    )
    words = b"".join([_packed(header), *map(_packed, records)])
    return words.ljust(start, b"\0") + content


def _chain(network: FixedPointNetwork) -> _Chain:
    """Return a chain of fully connected layers as layers between values."""
    last = len(network.layers) - 1
    layers = tuple(
        Dense((index - 1 if index else IMAGE,), ANSWER if index == last else index, layer)
        for index, layer in enumerate(network.layers)
        if isinstance(layer, FixedPointDense)  # all are: whoever reads a file knows no others
    )
    sizes = {index: layer.outputs for index, layer in enumerate(network.layers[:-1])}
    return _Chain(layers, sizes, network.exponentials)


def _layered(graph: IntegerGraph) -> _Chain:
    network = LayeredNetwork(graph, "")
    return _Chain(network.layers, network.sizes, network.exponentials)


def _places(lowered: _Chain) -> tuple[dict[int, int], int]:
    """Return where in the memory each value begins, and its size: the picture, the answer, what is in between."""
    plan = plan_memory(lowered.layers, lowered.sizes)
    answer = _aligned(PIXELS)
    start = answer + _aligned(CLASSES)
    offsets = {value: start + offset for value, offset in plan.offsets.items()}
    return {IMAGE: 0, ANSWER: answer, **offsets}, start + plan.size


@dataclass(frozen=True)
class _At:
    """Where in the memory a layer takes and gives."""

    sources: tuple[int, ...]
    target: int

    @property
    def words(self) -> dict[str, Any]:
        """The fields of a record that say so."""
        return {"source": self.sources[0], "other": self.sources[-1], "target": self.target}


def _split(layer: Layer, places: dict[int, int]) -> list[tuple[Layer, _At]]:
    """Return a layer and where it lies; what joins values, as one layer for each of them."""
    sources, target = tuple(places[source] for source in layer.sources), places[layer.target]
    if not isinstance(layer, Joined):
        return [(layer, _At(sources, target))]
    before = np.cumsum([0, *layer.blocks[:-1]]).tolist()
    return [
        (_Part((value,), layer.target, block, layer.count, sum(layer.blocks)), _At((source,), target + first))
        for value, source, block, first in zip(layer.sources, sources, layer.blocks, before, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Part(Layer):
    """One of the values that are joined."""

    block: int
    """Bytes of a block."""
    count: int
    """Blocks."""
    step: int
    """From a block to the next in what is given."""


def _dense(layer: Dense, at: _At, tables: _Tables) -> _Record:
    inner = layer.layer
    return _Record(
        kind=_KINDS.index("dense"),
        **at.words,
        channels=inner.inputs,
        outputs=inner.outputs,
        weights=tables.add(_rows(inner.weights)),
        **_scales(inner, tables),
    )


def _convolution(layer: Convolution, at: _At, tables: _Tables) -> _Record:
    height, width, channels = layer.inputs
    is_depthwise = layer.order == "depthwise"
    weights = layer.weights.transpose(3, 0, 1, 2) if layer.order == "taps" else layer.weights
    rows = math.prod(layer.kernel) if is_depthwise else layer.outputs
    multiplier, shift, final_zero = layer.mean or (0, 1, 0)
    return _Record(
        kind=_KINDS.index("depthwise" if is_depthwise else "convolution"),
        **at.words,
        height=height,
        width=width,
        channels=channels,
        rows=layer.pooled[0],
        columns=layer.pooled[1],
        outputs=layer.outputs,
        kernel_height=layer.kernel[0],
        kernel_width=layer.kernel[1],
        row_stride=layer.strides[0],
        column_stride=layer.strides[1],
        row_step=layer.dilation[0],
        column_step=layer.dilation[1],
        top=layer.margins[0],
        left=layer.margins[2],
        groups=layer.groups,
        window_height=layer.window[0],
        window_width=layer.window[1],
        place_rows=layer.places[0],
        place_columns=layer.places[1],
        pooling=_POOLINGS.index(layer.pooling),
        weights=tables.add(_rows(weights.reshape(rows, -1))),
        table=0 if layer.table is None else tables.add(layer.table),
        factors=(multiplier, 0, 0),
        factor_shifts=(shift, 1, 1),
        zero=layer.zero,
        other_zero=layer.pooled_zero,
        final_zero=final_zero,
        **_scales(layer, tables),
    )


def _pool(layer: Pool, at: _At, tables: _Tables) -> _Record:
    height, width, channels = layer.inputs
    multiplier, shift, final_zero = layer.mean or (0, 1, 0)
    return _Record(
        kind=_KINDS.index("pool"),
        **at.words,
        height=height,
        width=width,
        channels=channels,
        rows=layer.places[0],
        columns=layer.places[1],
        outputs=channels,
        kernel_height=layer.window[0],
        kernel_width=layer.window[1],
        row_stride=layer.strides[0],
        column_stride=layer.strides[1],
        top=layer.margins[0],
        left=layer.margins[2],
        pooling=_POOLINGS.index(layer.pooling),
        factors=(multiplier, 0, 0),
        factor_shifts=(shift, 1, 1),
        other_zero=layer.pooled_zero,
        final_zero=final_zero,
    )


def _table(layer: Table, at: _At, tables: _Tables) -> _Record:
    return _Record(**_bytewise(layer, at), table=tables.add(layer.table))


def _addition(layer: Addition, at: _At, tables: _Tables) -> _Record:
    one, other, given = layer.zeros
    return _Record(
        **_bytewise(layer, at),
        factors=_three(layer.multipliers),
        factor_shifts=_three(layer.shifts),
        zero=one,
        other_zero=other,
        zero_point=given,
        lowest=layer.lowest,
        highest=layer.highest,
    )


def _slopes(layer: Slopes, at: _At, tables: _Tables) -> _Record:
    return _Record(
        **_bytewise(layer, at),
        outputs=layer.slopes.size,
        weights=tables.add(layer.slopes),
        factors=_three((*layer.multipliers, 0)),
        factor_shifts=_three((*layer.shifts, 1)),
        zero=layer.zeros[0],
        zero_point=layer.zeros[1],
    )


def _border(layer: Border, at: _At, tables: _Tables) -> _Record:
    height, width, channels = layer.inputs
    rows, columns = layer.places
    return _Record(
        kind=_KINDS.index("border"),
        **at.words,
        height=height,
        width=width,
        channels=channels,
        rows=rows,
        columns=columns,
        outputs=channels,
        top=layer.margins[0],
        left=layer.margins[2],
        zero=layer.zero,
    )


def _part(layer: _Part, at: _At, tables: _Tables) -> _Record:
    return _Record(
        kind=_KINDS.index("joined"),
        **at.words,
        height=layer.count,
        channels=layer.block,
        column_stride=layer.step,
    )


def _swapped(layer: Swapped, at: _At, tables: _Tables) -> _Record:
    return _Record(kind=_KINDS.index("swapped"), **at.words, height=layer.rows, width=layer.columns)


_WRITERS: dict[type[Layer], Callable[[Any, _At, _Tables], _Record]] = {
    Addition: _addition,
    Border: _border,
    Convolution: _convolution,
    Dense: _dense,
    Pool: _pool,
    Slopes: _slopes,
    Swapped: _swapped,
    Table: _table,
    _Part: _part,
}
"""By kind of layer, what writes its record."""


def _bytewise(layer: Bytewise, at: _At) -> dict[str, Any]:
    return {"kind": _KINDS.index(layer.kind), **at.words, "width": layer.count}


def _scales(layer: Any, tables: _Tables) -> dict[str, Any]:
    """Add what brings sums to bytes, and return the fields that say where it lies."""
    return {
        "biases": tables.add(layer.biases.astype(np.int32)),
        "multipliers": tables.add(layer.multipliers.astype(np.int32)),
        "shifts": tables.add(layer.shifts.astype(np.uint8)),
        "zero_point": layer.zero_point,
        "lowest": layer.lowest,
        "highest": layer.highest,
    }


def _rows(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Fill rows up with zeros to whole vectors."""
    return np.pad(weights, ((0, 0), (0, -weights.shape[1] % ROW_BYTES)))


def _three(numbers: Sequence[int]) -> tuple[int, int, int]:
    one, other, last = map(int, numbers)
    return one, other, last


def _aligned(size: int) -> int:
    return -(-size // ROW_BYTES) * ROW_BYTES


def _numbers(record: _Header | _Record) -> list[int]:
    found: list[int] = []
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        found += value if isinstance(value, tuple) else [value]
    return found


def _words(kind: type[_Header | _Record]) -> int:
    """Return how many words a header or a record has."""
    return sum(3 if field.name in ("factors", "factor_shifts") else 1 for field in dataclasses.fields(kind))


def _packed(record: _Header | _Record) -> bytes:
    """Return the words, numbers below 0 as they are in 32 bits."""
    numbers = _numbers(record)
    return struct.pack(f"<{len(numbers)}I", *(number & 0xFFFFFFFF for number in numbers))
