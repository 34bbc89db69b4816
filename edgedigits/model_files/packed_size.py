"""What packed C of a network costs on a Cortex-M0, by a model: flash, RAM and instructions. Light.

The figures are of the function that answers with a class and logits, compiled with ``-Os``. Weights, biases and values
between layers are counted as ``c_code/packed.py`` of the export wing lays them out; the constants are fitted by least
squares to some hundred compiled networks (``benchmarks/packed_size.py``). A test holds the model against the compiler.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edgedigits.model_files.map_layers import Border2D, Conv2D, Pooling2D
from edgedigits.model_files.network_spec import Dense, LayerSpec, NetworkSpec, Shape
from edgedigits.model_files.quantized_bits import Bits

Kind = Literal["convolutions", "dense"]
"""Of networks: with convolutions, or without any."""
CODE: dict[Kind, float] = {"convolutions": 489, "dense": 345}
"""Bytes of machine code that every network has."""
CODE_OF_MEANS, CODE_OF_UNITS = 38, -40
"""Bytes besides, where means of pixels go into the first layer, and where no two outputs share bytes of weights."""
LAYER_BYTES: dict[Kind, float] = {"convolutions": 27.3, "dense": 19.1}
"""Bytes of the description of a layer."""
BIAS_BYTES = 2
STACK: dict[Kind, float] = {"convolutions": 136, "dense": 98}
"""Bytes of the calls, besides the values between layers."""
OF_A_PRODUCT: dict[Bits, float] = {"ternary": 13.7, 2: 11.6, 3: 14.0, 4: 4.6, 5: 13.0, 6: 17.1, 8: 20}
"""Instructions for a product of a value and a weight of so many bits."""
OF_AN_OUTPUT, OF_A_PATCH, OF_A_PICTURE = 90, 9.8, 2_600
"""Instructions for an output in a place besides its products, for a value that is laid out before it is multiplied, and
for a picture whatever is done with it."""
_UNITS: dict[Bits, tuple[int, int]] = {
    "ternary": (5, 1),
    2: (4, 1),
    3: (8, 3),
    5: (3, 2),
    6: (4, 3),
    8: (1, 1),
}
"""Weights of an output that share a unit, and its bytes; of 4 bits it is two outputs that share the bytes."""


@dataclass(frozen=True)
class PackedCost:
    """What a network costs on a Cortex-M0."""

    flash: int
    """Bytes of code, tables and weights."""
    ram: int
    """Bytes besides the picture and the answer."""
    instructions: int
    """For one picture."""


class PackedShape(NamedTuple):
    """A layer with weights, as packed C computes it."""

    inputs: int
    """Of an output."""
    outputs: int
    places: int
    """Of a map, in which all outputs are computed."""
    patch: int
    """Bytes that are laid out for a place; 0 of a Dense layer, whose inputs lie well as they are."""
    given: int
    """Bytes of what comes out, pooled."""


@dataclass(frozen=True)
class PackedParts:
    """What is counted in a network, before the constants of the model."""

    kind: Kind
    has_means: bool
    """Whether means of pixels go into the first layer."""
    has_pairs: bool
    """Whether a layer has weights of 4 bits, two outputs of which share their bytes."""
    layers: int
    parameters: int
    """Bytes of weights, biases and of the table of inputs that are used."""
    values: int
    """Bytes of values between layers, at most at a time."""
    products: dict[Bits, int]
    """By the bits of their weights."""
    outputs: int
    """In all places."""
    patches: int
    """Bytes of all that are laid out."""


def packed_cost(spec: NetworkSpec, bits: tuple[Bits, ...], used: int | None = None) -> PackedCost:
    """Estimate what packed C of a network costs.

    Args:
        spec: a chain of the kinds of layers that packed C takes.
        bits: of each layer with weights.
        used: inputs of the first Dense layer that are not left out; None for all.
    """
    parts = packed_parts(spec, bits, used)
    flash = parts.parameters + CODE[parts.kind] + parts.layers * LAYER_BYTES[parts.kind]
    flash += CODE_OF_MEANS * parts.has_means + CODE_OF_UNITS * (not parts.has_pairs)
    instructions = sum(count * OF_A_PRODUCT[each] for each, count in parts.products.items())
    instructions += parts.outputs * OF_AN_OUTPUT + parts.patches * OF_A_PATCH + OF_A_PICTURE
    return PackedCost(round(flash), round(parts.values + STACK[parts.kind]), round(instructions))


def packed_parts(spec: NetworkSpec, bits: tuple[Bits, ...], used: int | None = None) -> PackedParts:
    """Count what the cost of a network follows from. Arguments as of ``packed_cost``."""
    shapes = packed_shapes(spec, used)
    is_convolutional = any(isinstance(layer, Conv2D) for layer in spec.layers)
    has_means, taken = _picture(spec)
    parameters = 0 if used is None else math.ceil(taken / 8)
    products: dict[Bits, int] = {}
    for shape, each in zip(shapes, bits, strict=True):
        parameters += packed_bytes(shape.inputs, shape.outputs, each)
        products[each] = products.get(each, 0) + shape.places * shape.outputs * shape.inputs
    # A picture that no means are made of is read where it lies.
    first = (taken if used is None else used) if has_means or not is_convolutional else 0
    sizes = [first, *(shape.given for shape in shapes)]
    return PackedParts(
        kind="convolutions" if is_convolutional else "dense",
        has_means=has_means,
        has_pairs=4 in bits,
        layers=len(shapes),
        parameters=parameters,
        values=max(
            before + shape.patch + after
            for before, shape, after in zip(sizes, shapes, sizes[1:], strict=False)
        ),
        products=products,
        outputs=sum(shape.places * shape.outputs for shape in shapes),
        patches=sum(shape.places * shape.patch for shape in shapes),
    )


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


def packed_shapes(spec: NetworkSpec, used: int | None = None) -> list[PackedShape]:
    """Return the layers with weights as packed C computes them. Arguments as of ``packed_cost``."""
    found: list[PackedShape] = []
    followers: tuple[LayerSpec | None, ...] = (*spec.layers[1:], None)
    for layer, follower, inputs, outputs in zip(
        spec.layers, followers, spec.shapes, spec.shapes[1:], strict=False
    ):
        if isinstance(layer, Dense):
            taken = used if used is not None and not found else inputs[-1]
            found.append(PackedShape(taken, layer.units, 1, 0, layer.units))
        elif isinstance(layer, Conv2D):
            patch = math.prod(layer.window) * inputs[-1]
            pool = follower.window[0] if isinstance(follower, Pooling2D) else 1
            height, width = (side // pool for side in outputs[:2])
            places = height * width * pool * pool
            found.append(PackedShape(patch, layer.filters, places, patch, height * width * layer.filters))
    return found


def _picture(spec: NetworkSpec) -> tuple[bool, int]:
    """Return whether the first layer takes means of pixels, and of how many values there are before it."""
    before: Shape = spec.input_shape
    for layer, outputs in zip(spec.layers, spec.shapes[1:], strict=True):
        if isinstance(layer, Pooling2D):
            return True, math.prod(outputs)
        if not isinstance(layer, Border2D):
            break
        before = outputs
    return False, math.prod(before)
