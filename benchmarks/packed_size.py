"""The model of what packed C takes on a Cortex-M0 (``model_files/packed_size.py``) against compiler and emulator.

Networks of few-bit weights, which nobody has trained, are compiled with ``-Os`` and answer a few images in QEMU. The
constants of the model follow by least squares; they are printed by the names that they have in the module.

    python benchmarks/packed_size.py
"""

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from _machine import conclude

from edgedigits.contract import LABELS
from edgedigits.datasets.read import read_split
from edgedigits.model_files.packed_size import PackedCost, PackedParts, packed_cost, packed_parts
from edgedigits.model_files.quantized_bits import Bits
from edgedigits.searching.candidates import Candidate
from edgedigits.searching.inputs import Inputs
from edgedigits_export import counts_instructions, packed_footprint

CONVOLUTIONAL = (
    "meanpool-conv{}.valid.bare-pool-conv{}.valid.bare-conv{}.valid.bare-mean",
    "meanpool-conv{}.valid.bare-pool-conv{}.valid.bare-conv{}.valid.bare",
    "conv{}.valid.bare-pool-conv{}.valid.bare-pool-conv{}.valid.bare-mean",
    "crop2-conv{}.k5.s2.valid.bare-conv{}.valid.bare-pool-conv{}.valid.bare",
    "meanpool-conv{}.valid.bare-conv{}.valid.bare-pool-conv{}.valid.bare-conv{}.valid.bare-mean",
    "meanpool-conv{}.valid.bare-pool-conv{}.valid.bare-mean",
)
DENSE = (
    "crop2-meanpool-dense{}-dense{}",
    "meanpool-dense{}-dense{}",
    "crop2-meanpool-dense{}-dense{}-dense{}",
)
WIDTHS = ((4, 9, 14, 19), (8, 17, 26, 20), (16, 40, 56, 30))
BITS: tuple[Bits, ...] = (4, 3, 5, 2, "ternary", 6)
LEAST_DEVIATION = 40.0
DENSE_WIDER = 4
IMAGES, RANGE_IMAGES = 20_000, 100
SHARE, BYTES = 0.03, 64
"""What the size may be off by, whichever is more."""


class Network(NamedTuple):
    """What was counted in a network, what compiler and emulator said of it, and what the model says."""

    candidate: Candidate
    parts: PackedParts
    measured: PackedCost
    modelled: PackedCost


Features = Callable[[Network], dict[str, float]]
"""Of a network, by the constant that they are multiplied with."""


def flash_features(network: Network) -> dict[str, float]:
    """Return what flash besides the parameters follows from."""
    parts = network.parts
    return {
        f"CODE {parts.kind}": 1.0,
        f"LAYER_BYTES {parts.kind}": float(parts.layers),
        "CODE_OF_MEANS": float(parts.has_means),
        "CODE_OF_UNITS": float(not parts.has_pairs),
    }


def instruction_features(network: Network) -> dict[str, float]:
    """Return what instructions follow from."""
    parts = network.parts
    return {
        **{f"OF_A_PRODUCT {bits}": float(count) for bits, count in parts.products.items()},
        "OF_AN_OUTPUT": float(parts.outputs),
        "OF_A_PATCH": float(parts.patches),
        "OF_A_PICTURE": 1.0,
    }


def fitted(
    networks: Sequence[Network], features: Features, target: Callable[[Network], float], weigh: bool
) -> dict[str, float]:
    """Return the constants of least squares, of relative errors where they are to be weighed."""
    rows = [features(network) for network in networks]
    names = sorted({name for row in rows for name in row})
    matrix = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    values = np.array([target(network) for network in networks])
    scale: npt.NDArray[np.float64] = 1 / values if weigh else np.ones(len(values))
    constants = np.linalg.lstsq(matrix * scale[:, None], values * scale, rcond=None)[0]
    return dict(zip(names, np.round(constants, 1).tolist(), strict=True))


def candidates() -> list[Candidate]:
    """Return the networks, widest last."""
    found = [
        Candidate(words.format(*widths), bits)
        for words in CONVOLUTIONAL
        for widths in WIDTHS
        for bits in BITS
    ]
    return found + [
        Candidate(words.format(*(DENSE_WIDER * width for width in widths)), bits, LEAST_DEVIATION)
        for words in DENSE
        for widths in WIDTHS
        for bits in BITS
    ]


def main() -> int:
    """Compile, run, fit, and compare."""
    if not counts_instructions():
        print("needs the Arm cross compiler and QEMU: make mcu says what to install", file=sys.stderr)
        return 1
    images = read_split(None, "train", LABELS).images[:IMAGES]
    inputs = Inputs(images)
    networks = []
    for candidate in candidates():
        used = inputs.used(candidate)
        count = None if used is None else int(used.sum())
        spec, bits = candidate.spec, candidate.layer_bits
        measured = packed_footprint(spec, bits, used, images[:RANGE_IMAGES])
        parts, modelled = packed_parts(spec, bits, count), packed_cost(spec, bits, count)
        networks.append(Network(candidate, parts, measured, modelled))
    print(f"{len(networks)} networks; constants for model_files/packed_size.py:")
    constants = {
        **fitted(
            networks, flash_features, lambda one: one.measured.flash - one.parts.parameters, weigh=False
        ),
        **fitted(networks, instruction_features, lambda one: one.measured.instructions, weigh=True),
    }
    for kind in ("convolutions", "dense"):
        of_kind = [one.measured.ram - one.parts.values for one in networks if one.parts.kind == kind]
        constants[f"STACK {kind}"] = round(float(np.mean(of_kind)), 1)
    for name, constant in constants.items():
        print(f"  {name:24} {constant:8.1f}")
    off = [
        abs(one.modelled.flash - one.measured.flash) / max(BYTES, SHARE * one.measured.flash)
        for one in networks
    ]
    instructions = [abs(one.modelled.instructions / one.measured.instructions - 1) for one in networks]
    ram = [abs(one.modelled.ram - one.measured.ram) for one in networks]
    targets = {
        "flash, of the larger of 3 % and 64 bytes, at most off by": (max(off), 1.0),
        "RAM, bytes at most off by": (float(max(ram)), float(BYTES)),
        "instructions, share at most off by": (max(instructions), 0.15),
    }
    return conclude("packed_size", {"networks": len(networks), "constants": constants}, targets)


if __name__ == "__main__":
    sys.exit(main())
