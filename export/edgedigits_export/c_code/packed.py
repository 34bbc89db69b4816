"""Networks whose few-bit weights lie packed in flash: what the template of their C code asks.

They are chains: an optional crop, an optional mean of squares of pixels, convolutions with relu and an optional largest
of squares, Dense layers with relu, and one of the ten classes with a softmax. Each layer is one and the same loop over
places of a map, in each of which a patch is laid out and every output is a sum of products with it.
"""

from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np

from edgedigits_export.c_code.packed_layers import NotPackedError
from edgedigits_export.c_code.packed_lowering import lowered
from edgedigits_export.c_code.packing import PAIRS
from edgedigits_export.integers.fixed_point import kept_exponentials
from edgedigits_export.integers.graph_kernels import IntegerGraph

PACKED_BITS = 8
"""Weights of fewer bits than these are packed: at least one layer has such."""
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
    "bias": "the first of its biases",
    "bias_shift": "from biases to sums",
    "shift": "from sums to outputs",
    "offset": "of the digits that are weights",
    "base": "how many values a digit has",
    "digits": "of a unit of bytes",
    "unit": "bytes",
}
"""Of each member of the struct in C, what it is."""
_OF_A_PATCH = ("patch", "line", "rows", "row")
"""Members that only a patch needs which is laid out by itself."""


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
        self.mean, self.used, self.layers = lowered(graph)
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
            given = layer.room
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
        sizes = [self.picture_bytes, *(layer.room for layer in self.layers)]
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
    def first_biases(self) -> list[int]:
        """Of each layer, the place of its first one in ``biases``."""
        return [0, *accumulate(len(layer.biases) for layer in self.layers[:-1])]

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
                "bias": bias,
                "bias_shift": layer.bias_shift,
                "shift": layer.shift,
                "offset": layer.offset,
                "base": layer.packing.base,
                "digits": layer.packing.digits,
                "unit": layer.packing.unit,
            }
            for layer, (source, patch, target), bias in zip(
                self.layers, self.places, self.first_biases, strict=True
            )
        ]

    @property
    def members(self) -> list[tuple[str, str]]:
        """Type and name of each member of the struct, those of two bytes first.

        What is the same in all layers is none, but for the outputs, which say what the network is. Where all layers
        are fully connected, none is what a patch would need.
        """
        table = self.table
        left_out = {*self.constants, *(_OF_A_PATCH if self.facts["one_place"] else ())}
        largest = {name: max(row[name] for row in table) for name in table[0] if name not in left_out}
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
    def parameter_bytes(self) -> int:
        """Bytes of weights, biases and, where not all inputs are used, of which are."""
        return len(self.weights) + 2 * len(self.biases) + len(self.used_bitmap or b"")
