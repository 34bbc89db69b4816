"""What templates ask of all layers of a network together, so that nothing is written that no layer needs."""

import itertools
from collections.abc import Iterable
from typing import Any

from edgedigits_export.c_code.layers import (
    LANES,
    LARGEST_UINT16,
    VALUE_BITS_31,
    VECTOR_LANES,
    Convolution,
    Dense,
    Layer,
    Pool,
    Slopes,
)
from edgedigits_export.integers.fixed_point import QUANTIZED_MAX


def facts_of(layers: Iterable[Layer]) -> dict[str, Any]:
    """Return what templates ask of all layers together: what no layer needs is not written."""
    layers = list(layers)
    convolutions = [layer for layer in layers if isinstance(layer, Convolution)]
    pools = [layer for layer in layers if isinstance(layer, Pool)]
    dense = [layer.layer for layer in layers if isinstance(layer, Dense)]
    poolings = {layer.pooling for layer in convolutions}
    rescaling = list(itertools.chain.from_iterable(layer.shifts_used for layer in layers))
    patches = [layer.patch_bytes for layer in convolutions if layer.order != "depthwise"]
    lanes, vector_lanes = (_lanes(convolutions, most) for most in (LANES, VECTOR_LANES))
    averaging = poolings | {layer.pooling for layer in pools}
    return {
        "averages": bool(poolings & {"average", "mean"}),
        "clipped": any(layer.is_clipped for layer in convolutions),
        "convolution_means": "mean" in poolings,
        "dilates": any(layer.dilation != (1, 1) for layer in convolutions),
        "dense_highest": any(layer.highest < QUANTIZED_MAX for layer in dense),
        "dense_index": "uint32_t" if any(layer.inputs > LARGEST_UINT16 for layer in dense) else "uint16_t",
        "gathers": bool(patches),
        "lanes": lanes,
        "margins": any(any(layer.margins) for layer in convolutions),
        "orders": sorted({layer.order for layer in convolutions}),
        "patch_bytes": max(patches, default=0),
        "pool_margins": any(any(layer.margins) for layer in pools),
        "poolings": sorted(poolings),
        "pools": sorted({layer.pooling for layer in pools}),
        "rescales": bool(rescaling),
        "rescales_bytes": "mean" in averaging or any(isinstance(layer, Slopes) for layer in layers),
        "shifts_left": any(shift < VALUE_BITS_31 for shift in rescaling),
        "tables": any(layer.table is not None for layer in convolutions),
        "takes_averages": "average" in averaging,
        "uneven": any(layer.outputs % lanes or layer.outputs % vector_lanes for layer in convolutions),
        "value_poolings": sorted(poolings - {"sums"}),
        "vector_lanes": vector_lanes,
        "windows": bool(poolings - {"sums"}) or any(layer.window != (1, 1) for layer in convolutions),
    }


def _lanes(convolutions: list[Convolution], most: int) -> int:
    """Return how many outputs to add up together: whole vectors, and few in which lanes are idle."""

    def cost(lanes: int) -> float:
        # Going through the inputs costs about as much as four outputs do.
        return sum(
            layer.weights.size // layer.outputs * -(-layer.outputs // lanes) * (lanes + 4)
            for layer in convolutions
        )

    return min(range(most, 0, -LANES), key=cost) if most > LANES else most
