"""Networks of any layers in integers, in ONNX files: onnxruntime computes them in integers, and they answer alike."""

from collections import Counter
from pathlib import Path

import networks
import numpy as np
import onnx
import onnxruntime
import pytest
from random_graphs import random_graph

from edgedigits.datasets.split import Split
from edgedigits.input_scale import UNIT
from edgedigits.networks.weighted import softmax
from edgedigits_export.formats import onnx_integer_steps
from edgedigits_export.formats.onnx_builder import GraphBuilder
from edgedigits_export.formats.onnx_file import to_onnx
from edgedigits_export.formats.onnx_integer_steps import add_integer_steps
from edgedigits_export.graph.lowering import lowered
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.graph_quantization import round_graph
from edgedigits_export.integers.graph_steps import IntegerConvolution, IntegerProduct
from edgedigits_export.integers.grids import min_max
from edgedigits_export.targets import DEFAULT_OPSET

FLOAT_KERNELS = {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"}
CLUTTER = {"Shape", "Gather", "Slice", "Squeeze", "Unsqueeze", "Cast", "Identity"}
NEAR = 0.01
"""In every probability: onnxruntime rounds what is halfway otherwise, and curves of floats are no tables."""


def opened(content: bytes, optimized: Path) -> onnxruntime.InferenceSession:
    """Open a model, and keep what onnxruntime makes of it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(content, options)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_onnxruntime_computes_in_integers(
    name: str, dataset: tuple[Split, Split], networks_folder: Path, tmp_path: Path
) -> None:
    graph = networks.exported(name, networks_folder)
    weights = {layer.name: layer.get_weights() for layer in graph.keras_model.layers}
    steps = graph.steps or lowered(graph.spec, weights, UNIT)
    pixels = dataset[1].images[:100]
    network = round_graph(steps, pixels[:50], per_channel=True, bits=8).with_ranges(min_max, min_max)
    expected = softmax(network.logits(pixels))
    for opset in (13, 18):
        content = to_onnx(graph, "int8", opset=opset, integer_network=network)
        operators = [node.op_type for node in onnx.load_from_string(content).graph.node]
        assert not CLUTTER & set(operators)
        session = opened(content, tmp_path / "optimized.onnx")
        for count in (networks.AT_ONCE, 1):
            (found,) = session.run(None, {"image": pixels[:count]})
            np.testing.assert_allclose(found, expected[:count], rtol=0, atol=NEAR)
        check_fused(network, tmp_path / "optimized.onnx")


def check_fused(network: IntegerGraph, optimized: Path) -> None:
    """Check that all weights are those of integer kernels, pixels taken as they are."""
    graph = onnx.load(optimized).graph
    made = Counter(node.op_type for node in graph.node)
    kinds = Counter(type(step) for step in network.steps)
    assert not FLOAT_KERNELS & set(made)
    assert made["QLinearConv"] == kinds[IntegerConvolution]
    assert made["QGemm"] == kinds[IntegerProduct]
    assert graph.node[0].op_type in ("Reshape", "Flatten")
    first = next(node for node in graph.node if node.op_type in ("QLinearConv", "QGemm"))
    moves = [node.op_type for node in graph.node if node.output[0] == first.input[0]]
    assert moves in (["Reshape"], ["Flatten"], ["Transpose"])


def written(network: IntegerGraph) -> bytes:
    """Write a network in integers as an ONNX file."""
    builder = GraphBuilder()
    add_integer_steps(builder, network)
    return builder.model(DEFAULT_OPSET)


@pytest.mark.parametrize(
    "seed", range(16)
)  # 29 and 34, for example, have no map of one channel that is convolved
def test_four_columns_at_a_time_come_to_the_same(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = random_graph(seed)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 28, 28)).astype(np.uint8)
    at_once = written(network)
    monkeypatch.setattr(onnx_integer_steps, "column_blocks", lambda *_: None)
    one_by_one = written(network)
    assert at_once != one_by_one
    (found,) = opened(at_once, tmp_path / "optimized.onnx").run(None, {"image": pixels})
    (expected,) = opened(one_by_one, tmp_path / "optimized.onnx").run(None, {"image": pixels})
    np.testing.assert_array_equal(found, expected)
