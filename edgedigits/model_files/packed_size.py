"""What packed C of a network costs on a Cortex-M0, by a model: flash, RAM and instructions. Light.

The figures are of the function that answers with a class and logits, compiled with ``-Os``. Those of the compiler are
the truth; a test holds the model against it.
"""

import math
from dataclasses import dataclass

from edgedigits.model_files.map_layers import Border2D, Conv2D, GlobalPooling2D, Pooling2D
from edgedigits.model_files.network_spec import Dense, LayerSpec, NetworkSpec, Shape
from edgedigits.model_files.quantized_bits import Bits

CODE = 560
"""Bytes that every network has: the sums of products, the first of the largest."""
CODE_OF_A_KIND = {"convolution": 220, "mean of pixels": 90, "mean of a map": 60, "left out inputs": 60}
"""Bytes of what only some networks need."""
LAYER_BYTES = 16
"""Bytes of the description of a layer with weights."""
BIAS_BYTES = 2
STACK = 120
"""Bytes besides the values between layers."""
_UNITS: dict[Bits, tuple[int, int]] = {
    "ternary": (5, 1),
    2: (4, 1),
    3: (8, 3),
    5: (3, 2),
    6: (4, 3),
    8: (1, 1),
}
"""Weights of an output that share a unit, and its bytes; of 4 bits it is two outputs that share the bytes."""
PER_PRODUCT, PER_SUM, PER_PIXEL = 7.0, 30.0, 8.0
"""Instructions: of a product, of an output of a layer besides its products, of a pixel that goes into a mean."""


@dataclass(frozen=True)
class PackedCost:
    """What a network costs on a Cortex-M0."""

    flash: int
    """Bytes of code, tables and weights."""
    ram: int
    """Bytes besides the picture and the answer."""
    instructions: int
    """For one picture."""


def packed_cost(spec: NetworkSpec, bits: tuple[Bits, ...], used: int | None = None) -> PackedCost:
    """Estimate what packed C of a network costs.

    Args:
        spec: a chain of the kinds of layers that packed C takes.
        bits: of each layer with weights.
        used: inputs of the first Dense layer that are not left out; None for all.
    """
    layers = list(zip(spec.layers, spec.shapes, spec.shapes[1:], strict=False))
    weighted = [
        (layer, inputs, outputs) for layer, inputs, outputs in layers if isinstance(layer, (Dense, Conv2D))
    ]
    flash, instructions = CODE, 0.0
    for place, ((layer, inputs, outputs), layer_bits) in enumerate(zip(weighted, bits, strict=True)):
        taken = _inputs(layer, inputs, used if place == 0 else None)
        flash += packed_bytes(taken, outputs[-1], layer_bits) + LAYER_BYTES
        instructions += math.prod(outputs) * (PER_PRODUCT * taken + PER_SUM)
    flash += sum(CODE_OF_A_KIND[kind] for kind in _kinds(spec, used))
    if used is not None:
        flash += math.ceil(weighted[0][1][-1] / 8)
    if isinstance(_first(spec), Pooling2D):
        instructions += PER_PIXEL * math.prod(
            next(inputs for layer, inputs, _ in layers if layer is _first(spec))
        )
    return PackedCost(flash, STACK + _values(spec), round(instructions))


def packed_bytes(inputs: int, outputs: int, bits: Bits) -> int:
    """Return in how many bytes the weights and biases of a layer lie.

    Args:
        inputs: of an output.
        outputs: of the layer.
        bits: of a weight.
    """
    if bits == 4:
        pairs = math.ceil(outputs / 2)
        return pairs * (inputs + 2 * BIAS_BYTES)
    weights, unit = _UNITS[bits]
    return outputs * (math.ceil(inputs / weights) * unit + BIAS_BYTES)


def _inputs(layer: LayerSpec, inputs: Shape, used: int | None) -> int:
    """Return how many values an output is a sum of."""
    (*sides, _), *_ = layer.parameter_shapes(inputs)
    return math.prod(sides) if used is None else used


def _first(spec: NetworkSpec) -> LayerSpec:
    return next(layer for layer in spec.layers if not isinstance(layer, Border2D))


def _kinds(spec: NetworkSpec, used: int | None) -> set[str]:
    found = {"left out inputs"} if used is not None else set()
    for layer in spec.layers:
        if isinstance(layer, Conv2D):
            found.add("convolution")
        if isinstance(layer, GlobalPooling2D):
            found.add("mean of a map")
    return found | ({"mean of pixels"} if isinstance(_first(spec), Pooling2D) else set())


def _values(spec: NetworkSpec) -> int:
    """Return the bytes of what goes into a layer and what comes out of it, where that is most.

    Pooling is done with the convolution before it.
    """
    kept = [
        math.prod(outputs)
        for layer, outputs, following in zip(
            spec.layers, spec.shapes[1:], (*spec.layers[1:], None), strict=True
        )
        if isinstance(layer, (Dense, Conv2D, Pooling2D)) and not isinstance(following, Pooling2D)
    ]
    return max(sum(pair) for pair in zip([0, *kept], kept, strict=False))
