"""Small networks that fit every board: one of dense layers, one of convolutions."""

from collections.abc import Callable
from pathlib import Path

import keras
import networks
import numpy as np
import pytest
from keras import layers
from on_boards import PICTURES, Small

from edgedigits.datasets.split import Split
from edgedigits.input_scale import INPUT_SCALES
from edgedigits.metadata import ModelMetadata
from edgedigits.searching.candidates import Candidate
from edgedigits_export.c_code.chain import ChainNetwork
from edgedigits_export.c_code.network import LayeredNetwork
from edgedigits_export.c_code.packed import PackedNetwork
from edgedigits_export.footprint import drawn_weights
from edgedigits_export.formats.c_source import (
    CNetwork,
    SelftestPicture,
    render_header,
    render_selftest,
    render_source,
)
from edgedigits_export.graph.lowering import lowered
from edgedigits_export.inference_graph import load_inference_graph
from edgedigits_export.integers.fixed_point import read_fixed_point_network
from edgedigits_export.integers.graph_quantization import round_graph, round_network
from edgedigits_export.integers.grids import RANGE_METHODS, min_max
from edgedigits_export.integers.reference_kernels import reference_answers

METADATA = ModelMetadata("small", "int8", "0" * 64, {"edgedigits": "test"})


def written(folder: Path, network: CNetwork, pixels: np.ndarray, expected: np.ndarray) -> Small:
    pictures = [SelftestPicture(*pair) for pair in zip(pixels[:10], expected[:10], strict=True)]
    (folder / "digits.c").write_text(render_source("digits", network, METADATA))
    (folder / "digits.h").write_text(render_header("digits", network, METADATA))
    (folder / "digits_selftest.c").write_text(render_selftest("digits", network, METADATA, pictures))
    return Small(folder / "digits.c", network, expected)


@pytest.fixture(scope="session")
def pixels(dataset: tuple[Split, Split]) -> np.ndarray:
    return dataset[1].images[:PICTURES]


@pytest.fixture(scope="session")
def dense(make_layers: Callable, make_model: Callable, pixels: np.ndarray, tmp_path_factory) -> Small:
    """784-16-10, 13 KB."""
    content = make_model(make_layers((16, 10), 0))
    network = ChainNetwork(read_fixed_point_network(content))
    return written(tmp_path_factory.mktemp("dense"), network, pixels, reference_answers(content, pixels)[1])


@pytest.fixture(scope="session")
def convolutions(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Convolutions, a depthwise one, poolings, a sum, slopes: most kinds of layers, in 1 KB of RAM."""
    keras.utils.set_random_seed(1)
    image = keras.Input((28, 28, 1))
    map_ = layers.LeakyReLU()(layers.Conv2D(4, 5, 2)(image))
    map_ = layers.MaxPooling2D()(map_)
    branch = layers.DepthwiseConv2D(3, padding="same", activation="relu")(map_)
    map_ = layers.Add()([map_, layers.Conv2D(4, 1)(branch)])
    map_ = layers.PReLU(shared_axes=[1, 2])(map_)
    map_ = layers.Conv2D(6, 3, activation="relu")(map_)
    answer = layers.Dense(10, "softmax")(layers.Flatten()(layers.AveragePooling2D(2)(map_)))
    folder = tmp_path_factory.mktemp("convolutions")
    model = networks.randomized(keras.Model(image, answer))
    kernel, biases = model.layers[-1].get_weights()
    model.layers[-1].set_weights([5 * kernel, biases])  # as sure as one that was trained
    model.save(folder / "network.keras")
    steps = load_inference_graph(folder / "network.keras").steps
    ranges = RANGE_METHODS["min-max"]
    graph = round_network(steps, pixels, 8, per_channel=True).with_ranges(ranges, ranges)
    expected = graph.integers(pixels)[-1].view(np.uint8) ^ 128
    assert len(np.unique(expected, axis=0)) > PICTURES // 2  # it tells pictures apart
    return written(folder, LayeredNetwork(graph, "0" * 64), pixels, expected)


@pytest.fixture(scope="session")
def packed(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Packed weights: two convolutions and a Dense layer of 4 bits, the ten classes ternary."""
    candidate = Candidate("crop2-meanpool-conv6.valid.bare-pool-conv10.valid.bare-dense16", 4)
    bits = (*candidate.layer_bits[:-1], "ternary")
    weights = drawn_weights(candidate.spec, bits, None)
    last = list(weights)[-1]
    weights[last][0] *= 8  # as sure as one that was trained
    steps = lowered(candidate.spec, weights, INPUT_SCALES["0..1"])
    graph = round_graph(steps, pixels, per_channel=True, bits=8).with_ranges(min_max, min_max)
    expected = graph.integers(pixels)[-1].view(np.uint8) ^ 128
    assert len(np.unique(expected, axis=0)) > PICTURES // 4
    return written(tmp_path_factory.mktemp("packed"), PackedNetwork(graph, "0" * 64), pixels, expected)
