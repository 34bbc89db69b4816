"""Networks of any layers, trained briefly: what is lost where they become integers, and how it was chosen."""

import dataclasses
from pathlib import Path

import keras
import networks
import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.errors import QuantizationError
from edgedigits.progress import SILENT
from edgedigits_export import load_inference_graph
from edgedigits_export.chosen_integers import ChosenIntegers, note_calibration
from edgedigits_export.formats.tflite_integer_steps import integers_to_tflite
from edgedigits_export.graph.steps import Function, Image, Pool, Product, Step, ToMap, ToRow
from edgedigits_export.inference_graph import InferenceGraph
from edgedigits_export.integers.calibration import (
    ONNX_FORM,
    REDUCED_ONNX_FORM,
    TFLITE_FORM,
    Calibrated,
    IntegerForm,
    Validation,
    calibrate,
)
from edgedigits_export.integers.calibration_images import CalibrationSet
from edgedigits_export.integers.graph_equivalence import centered, equalized
from edgedigits_export.integers.graph_floats import computed, step_computed
from edgedigits_export.integers.graph_kernels import sums_of
from edgedigits_export.integers.graph_preparation import prepared
from edgedigits_export.integers.graph_quantization import round_graph
from edgedigits_export.integers.graph_steps import Weighted
from edgedigits_export.integers.grids import Grid, min_max
from edgedigits_export.integers.reference_kernels import reference_answers

TRAINED = {"leaky": 1, "lenet": 1, "mnist_convnet": 1, "modern_functions": 4, "inception": 1}
"""By name, for how many epochs."""
MOST_LOST = 0.3
"""Percentage points."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


def trained(name: str, folder: Path, split: Split) -> InferenceGraph:
    keras.utils.set_random_seed(3)
    model = networks.NETWORKS[name]()
    model.compile("adam", "sparse_categorical_crossentropy")
    values = (split.images[:6_000] / np.float32(255)).reshape(-1, *model.input_shape[1:])
    epochs = 8 if len(values) < 6_000 else TRAINED[name]
    model.fit(values, split.labels[:6_000], batch_size=32, epochs=epochs, verbose=0)
    model.save(folder / f"{name}.keras")
    return load_inference_graph(folder / f"{name}.keras")


def calibrated(graph: InferenceGraph, split: Split) -> Calibrated:
    size = min(500, len(split.images) // 4)
    draws = [
        CalibrationSet(split.images[start : start + size], np.arange(start, start + size), 0)
        for start in (0, size)
    ]
    images = split.images[-2 * size :]
    validation = Validation(images, split.labels[-2 * size :], graph.reference_probabilities(images))
    return calibrate(graph.steps, draws, validation, TFLITE_FORM)


@pytest.mark.no_cover  # mostly Keras; the same lines run in shorter tests
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "leaky" else pytest.mark.stress) for name in TRAINED],
)
def test_integers_lose_next_to_nothing(name: str, dataset: tuple[Split, Split], folder: Path) -> None:
    graph = trained(name, folder, dataset[0])
    chosen = calibrated(graph, dataset[0])
    pixels, labels = dataset[1].images[:2_000], dataset[1].labels[:2_000]
    floats = graph.reference_probabilities(pixels)
    logits = reference_answers(integers_to_tflite(chosen.network), pixels)[0]
    accuracies = [100 * np.mean(answers.argmax(axis=1) == labels) for answers in (floats, logits)]
    assert accuracies[0] > 80
    assert accuracies[0] - accuracies[1] <= MOST_LOST
    assert chosen.second_score is not None
    assert abs(chosen.draw_difference) < 1
    best = chosen.hidden_scores[chosen.hidden_method].divergence
    assert best == min(score.divergence for score in chosen.hidden_scores.values())
    kept = chosen.to_dict()
    assert kept["hidden_method"] in ("min-max", "percentile", "mse")
    assert "logits" in kept["ranges"]
    assert kept["without_vnni"] is None


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_what_is_prepared_and_equalized_computes_the_same(
    name: str, dataset: tuple[Split, Split], networks_folder: Path
) -> None:
    if name in networks.DENSE:
        return
    graph = networks.exported(name, networks_folder)
    pixels = dataset[1].images[:50]
    steps = centered(prepared(graph.steps))
    expected = networks.answers(graph.keras_model, graph.input_scale.values(pixels))
    for found in (prepared(graph.steps), steps, equalized(steps, dataset[0].images[:50])):
        np.testing.assert_allclose(computed(found, pixels)[-1], expected, rtol=0, atol=1e-5)


def constant_channels(dead: float, constant: float) -> tuple[Step, ...]:
    """Return a network with a channel that is all but nothing, and one that is a constant."""
    generator = np.random.default_rng(1)
    kernel = generator.normal(0, 0.02, (784, 8)).astype(np.float32)
    kernel[:, 0] *= dead
    kernel[:, 1] = 0
    bias = np.float32([dead, constant, 0, 0, 0, 0, 0, 0])
    last = generator.normal(0, 0.3, (4, 10)).astype(np.float32)
    return (
        Image((), (784,)),
        Product((0,), kernel, bias),
        Function((1,), "relu"),
        ToMap((2,), (2, 1, 4), channels_first=False),
        Pool((3,), "max", (2, 1), (2, 1), (0, 0, 0, 0)),
        ToRow((4,), channels_first=False),
        Product((5,), last, np.zeros(10, np.float32)),
        Function((6,), "softmax"),
    )


@pytest.mark.parametrize("dead", [0.0, 1e-30, 1e-6])
@pytest.mark.parametrize("constant", [0.0, 3.0, -50.0])
def test_channels_that_say_nothing_cost_the_others_nothing(
    dead: float, constant: float, dataset: tuple[Split, Split]
) -> None:
    steps, images = constant_channels(dead, constant), dataset[0].images[:200]
    graph = round_graph(steps, images, per_channel=True, bits=8).with_ranges(min_max, min_max)
    floats = computed(centered(prepared(steps)), images)[-2]
    off = graph.logits(images) - floats
    assert off.std() < 0.02 * floats.std()


def test_a_network_that_gives_the_same_for_every_image(dataset: tuple[Split, Split]) -> None:
    steps = (
        Image((), (784,)),
        Product((0,), np.zeros((784, 10), np.float32), np.zeros(10, np.float32)),
        Function((1,), "softmax"),
    )
    images = dataset[0].images[:20]
    graph = round_graph(steps, images, per_channel=True, bits=8).with_ranges(min_max, min_max)
    _, probabilities = reference_answers(integers_to_tflite(graph), images)
    assert (probabilities == 26).all()


def test_a_bias_that_no_integer_holds_is_refused(dataset: tuple[Split, Split]) -> None:
    steps, images = constant_channels(1.0, 1.0), dataset[0].images[:20]
    last = steps[6]
    # What all classes have in common is no matter, and these have it not.
    heavy = dataclasses.replace(last, bias=np.arange(10, dtype=np.float32) * 1e4)
    rounded = round_graph((*steps[:6], heavy, steps[7]), images, per_channel=True, bits=8)
    rounded.with_ranges(min_max, min_max)
    with pytest.raises(QuantizationError, match="expected biases that int32 can hold"):
        rounded.with_ranges(lambda values, logits: Grid.covering(0, values.max() / 1e4), min_max)


@pytest.mark.parametrize(
    ("form", "largest"), [(ONNX_FORM, 127), (REDUCED_ONNX_FORM, 63)], ids=["8 bits", "7 bits"]
)
def test_an_export_chooses_the_integers_of_each_form_once(
    form: IntegerForm, largest: int, dataset: tuple[Split, Split], networks_folder: Path
) -> None:
    graph, split = networks.exported("tflite_tutorial", networks_folder), dataset[0]
    draw = CalibrationSet(split.images[:50], np.arange(50), 0)
    images = split.images[-50:]
    validation = Validation(images, split.labels[-50:], graph.reference_probabilities(images))
    integers = ChosenIntegers(graph, [draw], validation)
    chosen = integers.calibrated(form)
    assert integers.calibrated(form) is chosen
    assert chosen.second_score is chosen.without_vnni is None
    assert (chosen.form.per_channel, chosen.form.bits) == (True, form.bits)
    kernels = [step.kernel for step in chosen.network.steps if isinstance(step, Weighted)]
    assert len(kernels) == 2
    for kernel in kernels:
        each = np.abs(kernel.reshape(-1, kernel.shape[-1])).max(axis=0)
        # Rounding with feedback may end a little lower.
        assert each.max() == largest
        assert each.min() > 0.8 * largest
    # Nothing to say where there is neither a second draw nor a count of what other processors lose.
    note_calibration("a.int8.onnx", chosen, SILENT)


@pytest.mark.parametrize("name", ["modern_functions", "residual", "separable"])
def test_biases_keep_the_mean_of_every_sum(name: str, folder: Path, dataset: tuple[Split, Split]) -> None:
    networks.built(name).save(folder / f"fresh_{name}.keras")
    graph = load_inference_graph(folder / f"fresh_{name}.keras")
    assert graph.steps is not None
    images = dataset[0].images[:60]
    rounded = round_graph(graph.steps, images, per_channel=True, bits=8)
    network = rounded.with_ranges(min_max, min_max)
    floats, wholes = computed(rounded.steps, images), network.integers(images)
    weighted = [place for place, step in enumerate(rounded.steps) if isinstance(step, Weighted)]
    assert len(weighted) > 3
    for place in weighted:
        step, source = rounded.steps[place], rounded.steps[place].sources[0]
        free = dataclasses.replace(step, low=-np.inf, high=np.inf)
        wanted = step_computed(free, floats[source])
        error = sums_of(network.steps[place], wholes[source], network.grids[source]) - wanted
        unit = network.grids[source].scale * network.steps[place].scales
        # A bias is a whole number of steps; float32 is what was wanted in.
        near = 0.5 * unit + 1e-5 * np.abs(wanted).max()
        assert (np.abs(error.mean(axis=tuple(range(error.ndim - 1)))) <= near).all()
