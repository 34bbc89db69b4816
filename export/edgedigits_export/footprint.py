"""What packed C of a network takes on a Cortex-M0, compiled, before anybody has trained the network.

Its weights are drawn, of as many bits as the trained ones would have; machine code and tables hardly depend on them.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.versions import versions
from edgedigits.input_scale import INPUT_SCALES
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.network_spec import NetworkSpec
from edgedigits.model_files.packed_size import PackedCost, packed_cost
from edgedigits.model_files.quantized_bits import Bits, bounds_of
from edgedigits.picture.levels import Pixels
from edgedigits_export.boards.board import M0
from edgedigits_export.boards.firmware import CLASSIFY, program_of, run
from edgedigits_export.boards.toolchain import compile_object, sections_of_the_network, stack_of
from edgedigits_export.c_code.packed import PackedNetwork
from edgedigits_export.formats.c_source import render_header, render_source
from edgedigits_export.graph.lowering import lowered
from edgedigits_export.integers.graph_quantization import round_graph
from edgedigits_export.integers.grids import min_max

NAME = "network"
COUNTED_IMAGES = 2
"""Images whose instructions are counted: one takes as many as another to within a hundred."""
_UNKNOWN = "0" * 64


def missing_compiler() -> str | None:
    """Return the Debian packages of the cross compiler; None where it is here."""
    return None if M0.toolchain.is_here else M0.toolchain.packages


def counts_instructions() -> bool:
    """Tell whether instructions are counted: compiler and emulator are here."""
    return not M0.missing_packages


def drawn_weights(
    spec: NetworkSpec, bits: Sequence[Bits], used: npt.NDArray[np.bool_] | None, seed: int = 0
) -> dict[str, list[npt.NDArray[np.float32]]]:
    """Draw weights of few bits, every value that they can have among them, and biases.

    Args:
        spec: the network.
        bits: of each layer with weights.
        used: inputs of the first of them whose weights are not 0, bool (inputs,); None for all.
        seed: the same seed draws the same weights.

    Returns:
        By name of the layer its arrays, as Keras keeps them.
    """
    generator = np.random.default_rng(seed)
    entering = dict(zip(spec.layers, spec.entering, strict=True))
    arrays: dict[str, list[npt.NDArray[np.float32]]] = {}
    for place, (layer, layer_bits) in enumerate(zip(spec.weighted, bits, strict=True)):
        kernel_shape, bias_shape = layer.parameter_shapes(entering[layer])
        lowest, highest = bounds_of(layer_bits)
        whole = generator.integers(lowest, highest + 1, kernel_shape)
        if place == 0 and used is not None:
            whole[~used] = 0
            first = int(np.flatnonzero(used)[0])
            whole[first, :2] = np.resize([lowest, highest], whole[first, :2].shape)
        else:
            whole.reshape(-1)[:2] = lowest, highest
        step = 1 / (highest * np.sqrt(np.prod(kernel_shape[:-1])))
        bias = generator.normal(0, 0.1, bias_shape)
        arrays[layer.name] = [(whole * step).astype(np.float32), bias.astype(np.float32)]
    return arrays


def packed_source(
    spec: NetworkSpec,
    weights: dict[str, list[npt.NDArray[np.float32]]],
    images: Pixels,
) -> dict[str, str]:
    """Return packed C of a network and its header, by file name.

    Args:
        spec: a chain of layers that packed C has.
        weights: on a grid of few bits; see ``drawn_weights``.
        images: by which ranges are chosen, uint8 (n, 28, 28).

    Raises:
        NotPackedError: it is a network of other layers.
        QuantizationError: integers cannot hold it.
    """
    steps = lowered(spec, weights, INPUT_SCALES["0..1"])
    graph = round_graph(steps, images, per_channel=True, bits=8).with_ranges(min_max, min_max)
    network = PackedNetwork(graph, _UNKNOWN)
    metadata = ModelMetadata(spec.arch, "int8", _UNKNOWN, versions("edgedigits"))
    return {
        f"{NAME}.c": render_source(NAME, network, metadata),
        f"{NAME}.h": render_header(NAME, network, metadata),
    }


def packed_footprint(
    spec: NetworkSpec, bits: tuple[Bits, ...], used: npt.NDArray[np.bool_] | None, images: Pixels
) -> PackedCost:
    """Compile packed C of a network that is not trained yet and measure it.

    Instructions are counted where the emulator is installed, else estimated.

    Args:
        spec: a chain of layers that packed C has.
        bits: of each layer with weights.
        used: inputs of the first of them that are used, bool (inputs,); None for all.
        images: by which ranges are chosen, and of which the first are counted with, uint8 (n, 28, 28).

    Raises:
        FirmwareError: compiler or emulator fails.
        NotPackedError, QuantizationError: see ``packed_source``.
    """
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as name:
        folder = Path(name)
        for file, text in packed_source(spec, drawn_weights(spec, bits, used), images).items():
            (folder / file).write_text(text, encoding="utf-8")
        network_object = compile_object(folder / f"{NAME}.c", M0, "-Os", folder)
        sections = sections_of_the_network(network_object, M0, folder, CLASSIFY)
        stack = stack_of(network_object, M0, CLASSIFY)
        ram = sections[".data"] + sections[".bss"] + stack
        flash = sections[".text"] + sections[".rodata"]
        if counts_instructions() and M0.has_room(flash, ram):
            instructions = _counted(network_object, folder, images[:COUNTED_IMAGES])
        else:
            instructions = packed_cost(spec, bits, None if used is None else int(used.sum())).instructions
    return PackedCost(flash, ram, instructions)


def _counted(network_object: Path, folder: Path, images: Pixels) -> int:
    """Return the instructions of the entry for one image, the mean of some."""
    program = program_of(folder / f"{NAME}.c", network_object, M0, "-Os", folder, CLASSIFY)
    return round(float(run(program, M0, images).counts.mean()))
