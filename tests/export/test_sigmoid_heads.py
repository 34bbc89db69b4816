"""Networks that end in ten sigmoids: their answers are kept, and nobody takes them for shares of one."""

import dataclasses
from pathlib import Path

import keras
import networks
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from edgedigits.answers import ANY_SUM, are_probabilities, check_probabilities, faults
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.input_scale import INPUT_SCALES
from edgedigits.measuring import metrics
from edgedigits.measuring.keras_input import choose_input_scale
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.verify import verify_model
from edgedigits.metadata import ModelMetadata
from edgedigits.predictor import DigitPredictor
from edgedigits.runtimes.opening import open_model
from edgedigits_export import FORMATS, ExportOptions, export_model, load_inference_graph, obstacles
from edgedigits_export.formats import tflite_file
from edgedigits_export.formats.onnx_file import add_metadata, to_onnx
from edgedigits_export.formats.ort_file import to_ort

IMAGES = 6_000


@pytest.fixture(scope="module")
def data(dataset: tuple[Split, Split]) -> tuple[Split, Split]:
    train, test = dataset
    return (
        Split.of(train.dataset, train.images[:IMAGES], train.labels[:IMAGES]),
        Split.of(test.dataset, test.images[:1_000], test.labels[:1_000]),
    )


@pytest.fixture(scope="module")
def network(data: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained, with a sigmoid inside and ten at the end, on values from -1 to 1."""
    keras.utils.set_random_seed(3)
    model = networks.chain(
        layers.Conv2D(4, 5, 3, activation="sigmoid", padding="same"),
        layers.Flatten(),
        layers.Dense(24, "relu"),
        layers.Dense(10),
        layers.Activation("sigmoid"),
    )
    model.compile("adam", "binary_crossentropy", steps_per_execution=50)
    epochs = 4 if len(data[0].images) == IMAGES else 25
    values = INPUT_SCALES["-1..1"].values(data[0].images)[..., np.newaxis]
    model.fit(values, np.eye(10)[data[0].labels], batch_size=32, epochs=epochs, verbose=0)
    path = tmp_path_factory.mktemp("sigmoids") / "theirs.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def exported(network: Path, data: tuple[Split, Split]) -> dict[str, Path]:
    """A file of every kind that can hold it, through the gate."""
    left = obstacles(load_inference_graph(network), FORMATS)
    targets = [target for target in FORMATS if target not in left and target.precision in ("float32", "int8")]
    options = ExportOptions(max_drop=2.0, calibration_size=1_000)
    files, failed = export_model(network, targets, *data, options=options)
    assert not failed
    return {file.path.name: file.path for file in files}


@pytest.mark.mnist
def test_every_format_keeps_the_answers(
    exported: dict[str, Path], network: Path, data: tuple[Split, Split]
) -> None:
    assert {path.suffix for path in exported.values()} >= {".onnx", ".ort", ".tflite"}
    assert len(exported) >= 5
    pixels = data[1].images[:300]
    keras_model = keras.models.load_model(network)
    expected = keras_model(INPUT_SCALES["-1..1"].values(pixels)[..., np.newaxis], training=False).numpy()
    assert np.ptp(expected.sum(axis=1)) > 0.1  # no softmax gives such
    for name, path in exported.items():
        model = open_model(path)
        # Integers keep two digits of every value on the way; float32 sums in another order.
        near = 0.1 if model.metadata.precision == "int8" else 1e-5
        np.testing.assert_allclose(model.probabilities(pixels), expected, rtol=0, atol=near, err_msg=name)
        assert model.metadata.head == "sigmoid"
        assert model.metadata.input_scale.name == "-1..1"


@pytest.mark.mnist
def test_the_receipts_say_it(exported: dict[str, Path], network: Path) -> None:
    files = read_manifest(network.parent)["networks"]["theirs"]["files"]
    assert {files[name]["head"] for name in exported} == {"sigmoid"}
    for path in (network, exported["theirs.int8.tflite"], exported["theirs.ort"]):
        said = CliRunner().invoke(cli, ["info", str(path)])
        assert "ten sigmoids, each the probability of its own class" in said.stdout


@pytest.mark.mnist
def test_the_predictor_takes_them_for_what_they_are(
    exported: dict[str, Path], data: tuple[Split, Split], tmp_path: Path
) -> None:
    predictor = DigitPredictor(exported["theirs.onnx"])
    rows = predictor.probabilities(data[1].images[:200])
    assert (rows.argmax(axis=1) == data[1].labels[:200]).mean() > 0.7
    at = int(rows.sum(axis=1).argmax())
    prediction = predictor.prediction(rows[at])
    assert sum(prediction.probabilities) == pytest.approx(rows[at].sum())
    assert prediction.confidence == rows[at].max()
    picture = tmp_path / "digit.npy.pgm"
    picture.write_bytes(b"P5 28 28 255\n" + data[1].images[0].tobytes())
    said = CliRunner().invoke(cli, ["predict", "--model", str(exported["theirs.onnx"]), str(picture)])
    assert said.exit_code == 0
    assert "theirs.onnx: ends in ten sigmoids" in said.stderr
    with pytest.raises(ModelFileError, match="gives no numbers"):
        predictor.prediction(np.full(10, np.nan, np.float32))
    with pytest.raises(ModelFileError, match=r"lie outside of 0 to 1"):
        predictor.prediction(np.full(10, 1.5, np.float32))


@pytest.mark.mnist
def test_the_gate_judges_each_class(exported: dict[str, Path], data: tuple[Split, Split]) -> None:
    path = exported["theirs.onnx"]
    reference = read_reference(path.parent / "theirs.reference.npz")
    assert reference.is_sigmoid
    model, test = open_model(path), data[1]
    verification = verify_model(model, test, reference, made_by_train=False)
    assert verification.passed, verification.failures
    with pytest.raises(ContractError, match="ends in a softmax, as its reference does, found ten sigmoids"):
        verify_model(model, test, dataclasses.replace(reference, is_sigmoid=False))


@pytest.mark.parametrize("file_format", ["onnx", "ort", "tflite"])
@pytest.mark.parametrize("head", [None, "sigmoid"])
def test_a_file_cannot_say_another_end_of_itself_than_it_has(
    file_format: str, head: str | None, network: Path, tmp_path: Path
) -> None:
    path = network
    if head == "sigmoid":
        path = tmp_path / "softmax.keras"
        networks.built("mnist_convnet").save(path)
    graph = load_inference_graph(path)
    metadata = ModelMetadata(graph.arch, "float32", graph.weights_sha256, {}, head=head)
    target = tmp_path / f"network.{file_format}"
    if file_format == "tflite":
        content = tflite_file.TFLITE.convert(graph, None, "float32", ExportOptions())
        target.write_bytes(tflite_file.add_metadata(content, metadata))
    else:
        content = add_metadata(to_onnx(graph), metadata)
        target.write_bytes(to_ort(content) if file_format == "ort" else content)
    with pytest.raises(ContractError, match="at the end, as its metadata say, found"):
        open_model(target)


def test_a_sigmoid_inside_is_no_end(tmp_path: Path) -> None:
    networks.chain(layers.Flatten(), layers.Dense(10, "sigmoid"), layers.ReLU()).save(tmp_path / "x.keras")
    with pytest.raises(ContractError, match="or ten sigmoids, found Activation"):
        load_inference_graph(tmp_path / "x.keras")


def test_answers_of_any_sum_still_are_probabilities() -> None:
    rows = np.array([[0.0] * 10, [1.0] * 10, [0.5] * 10], np.float32)
    assert faults(rows, ANY_SUM) == []
    assert faults(rows)
    for good in (rows, rows[:1], rows[1:2]):
        check_probabilities(Path("x"), good, len(good), ANY_SUM)
    for bad in (np.nan, np.inf, -0.1, 1.1):
        for count in (1, 2):
            wrong = rows[:count].copy()
            wrong[-1, 3] = bad
            assert not are_probabilities(wrong, ANY_SUM)
            with pytest.raises(ModelFileError, match="gives no"):
                check_probabilities(Path("x"), wrong, count, ANY_SUM)


def test_a_divergence_of_sigmoids_sees_what_shares_hide() -> None:
    labels = np.array([1, 2])
    reference = np.full((2, 10), 0.1, np.float32)
    reference[[0, 1], labels] = 0.4
    halved = reference / 2  # the same shares of one
    assert metrics.compare(labels, reference, halved).divergence == pytest.approx(0, abs=1e-6)
    found = metrics.compare(labels, reference, halved, are_independent=True).divergence
    one, other = (p * np.log(2) + (1 - p) * np.log((1 - p) / (1 - p / 2)) for p in (0.4, 0.1))
    assert found == pytest.approx(one + 9 * other, rel=1e-5)


def test_the_scaling_of_sigmoids_is_not_the_one_that_says_yes_to_everything(
    data: tuple[Split, Split],
) -> None:
    train = Split.of(data[0].dataset, data[0].images[:1_000], data[0].labels[:1_000])
    at = {image.tobytes(): label for image, label in zip(train.images, train.labels, strict=True)}

    def answers(values: np.ndarray) -> np.ndarray:
        """Sure of the right digit at 0..1; at 0..255 as sure of it, and nearly as sure of all others."""
        scale = 1.0 if values.max() <= 1.01 else 255.0
        if values.min() < 0 or values.max() > 256:
            return np.full((len(values), 10), 0.5, np.float32)
        pixels = np.round(values * (255 / scale)).astype(np.uint8)
        digits = np.array([at.get(image.tobytes(), 0) for image in pixels])
        rows = np.full((len(values), 10), 0.01 if scale == 1 else 0.98, np.float32)
        rows[np.arange(len(values)), digits] = 0.99 if scale == 1 else 0.999
        return rows

    choice = choose_input_scale(Path("x"), answers, train, declared=False, is_sigmoid=True)
    assert choice.scale.name == "0..1"
    # Read as shares of one, the answer that says yes to everything has the lower cross-entropy.
    assert choice.trial.cross_entropy < 1
