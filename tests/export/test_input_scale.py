"""Networks that were trained on other values than 0 to 1: exported as accurate as they are, or refused."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.cli.options import INPUT_SCALE_NAMES
from edgedigits.datasets.split import Split
from edgedigits.errors import AccuracyError, ContractError
from edgedigits.input_scale import INPUT_SCALES, RAW, UNIT, image_scales
from edgedigits.measuring.keras_input import choose_input_scale
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.verify import verify_model
from edgedigits.metadata import InputScaleReceipt
from edgedigits.runtimes.keras_model import KerasModel
from edgedigits.runtimes.opening import open_model
from edgedigits_export import ExportOptions, export_model, select_targets
from edgedigits_export.inference_graph import load_inference_graph

pytestmark = pytest.mark.mnist

FLOAT_FILES = (*select_targets("tflite", None), *select_targets("onnx", None))
TRAINED = 20_000
"""Of the training images; with three epochs every scaling below reads more than 85 % of the test images."""
Values = Callable[[np.ndarray], np.ndarray]

AUTHORS: dict[str, Values] = {
    # What an author's own code makes of pixels, written as authors write it.
    "0..1": lambda pixels: pixels.astype("float32") / 255,
    "0..255": lambda pixels: pixels.astype("float32"),
    "-1..1": lambda pixels: pixels.astype("float32") / 127.5 - 1,
    "-0.5..0.5": lambda pixels: pixels.astype("float32") / 255 - 0.5,
    "standardized": lambda pixels: (pixels.astype("float32") / 255 - 0.1307) / 0.3081,
    "1..0": lambda pixels: 1 - pixels.astype("float32") / 255,
    "1..-1": lambda pixels: (255 - pixels.astype("float32")) / 127.5 - 1,
    "0.5..-0.5": lambda pixels: (255 - pixels.astype("float32")) / 255 - 0.5,
    "inverted-standardized": lambda pixels: (1 - pixels.astype("float32") / 255 - 0.8693) / 0.3081,
    "inverted-mnist": lambda pixels: (1 - pixels.astype("float32") / 255 - 0.1307) / 0.3081,
}
SELDOM = ("1..-1", "0.5..-0.5", "inverted-standardized", "inverted-mnist")
"""Kin of those that people use; they take as long to train, and are left to `make stress`."""
CANNOT_BE_FOLDED: dict[str, Values] = {
    "l2": lambda pixels: keras.utils.normalize(pixels.reshape(-1, 784), axis=1).reshape(-1, 28, 28),
    "l2-columns": lambda pixels: keras.utils.normalize(pixels, axis=1),
    "l2-rows": keras.utils.normalize,
    "by-image": lambda pixels: (
        (pixels - pixels.mean(axis=(1, 2), keepdims=True)) / pixels.std(axis=(1, 2), keepdims=True)
    ),
}


def trained(
    values: Values,
    split: Split,
    *before: keras.Layer,
    images: int = TRAINED,
    epochs: int = 3,
    batch_size: int = 32,
    units: int = 32,
    use_bias: bool = True,
    optimizer: str = "adam",
) -> keras.Model:
    """Train as a stranger would: Flatten, Dense relu, Dense softmax."""
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.Input((28, 28)),
            *before,
            layers.Flatten(),
            layers.Dense(units, "relu", use_bias=use_bias),
            layers.Dense(10, "softmax", use_bias=use_bias),
        ]
    )
    # The same steps, many of them in one call: nothing else makes training quick.
    network.compile(optimizer, "sparse_categorical_crossentropy", steps_per_execution=125)
    network.fit(
        values(split.images[:images]), split.labels[:images], epochs=epochs, batch_size=batch_size, verbose=0
    )
    return network


def accuracy(network: keras.Model, values: np.ndarray, split: Split) -> float:
    answers = network.predict(values, verbose=0, batch_size=1_000)
    return 100 * float((answers.argmax(axis=1) == split.labels).mean())


@pytest.fixture(scope="session")
def strangers(mnist_train: Split, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where the network of an author lies, trained when it is first asked for. The folder holds nothing else."""
    made: dict[str, Path] = {}

    def stranger(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp("stranger")
            # Pixels as they are make large steps, and inverted ones too: these take longer to train.
            slow = (
                {"images": 60_000, "epochs": 4, "units": 64, "batch_size": 128}
                if name in {"0..255", "1..0", "inverted-mnist"}
                else {}
            )
            trained((AUTHORS | CANNOT_BE_FOLDED)[name], mnist_train, **slow).save(folder / "theirs.keras")
            made[name] = folder / "theirs.keras"
        return made[name]

    return stranger


class Notes:
    """Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def task(self, name: str, total: int):
        from edgedigits.progress import SILENT

        return SILENT.task(name, total)


# What is found out, and folded in


@pytest.mark.no_cover  # mostly Keras, traced line by line; what it exports is traced in the tests further down
@pytest.mark.parametrize(
    "name",
    # Networks of values from 0 to 1 are in test_foreign_networks.py.
    [pytest.param(name, marks=[pytest.mark.stress] if name in ("0..1", *SELDOM) else []) for name in AUTHORS],
)
def test_files_are_as_accurate_as_the_network_on_its_own_values(
    name: str, strangers: Callable[[str], Path], mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    path = strangers(name)
    network = keras.models.load_model(path)
    own = accuracy(network, AUTHORS[name](mnist_test.images), mnist_test)
    assert own > 80
    notes = Notes()
    exported, failed = export_model(
        path, FLOAT_FILES, mnist_train, mnist_test, folder=tmp_path, progress=notes
    )
    assert not failed
    for file in exported:
        # An author's float32 sums differ from ours in the last digit: two images in 10,000 may lie that near an edge.
        assert file.verification.accuracy.percent == pytest.approx(own, abs=0.02)
        assert file.verification.reference_accuracy.percent == pytest.approx(own, abs=0.02)
        receipt = open_model(file.path).metadata.input_scale
        assert receipt is not None
        assert (receipt.name, receipt.chosen, receipt.images) == (name, "by training images", 5_000)
        assert receipt.correct / 50 == pytest.approx(own, abs=3.0)
    (note,) = [line for line in notes.lines if "trained on" in line]
    assert note.startswith(f"theirs.keras: trained on pixels {INPUT_SCALES[name].about} (")
    assert "of 5,000 training images)" in note
    recorded = read_manifest(tmp_path)["networks"]["theirs"]["input_scale"]
    assert (recorded["name"], recorded["training_images"]) == (name, 5_000)
    assert {*recorded["trials"]} == {
        *INPUT_SCALES,
        *(scale.name for scale in image_scales(mnist_train.images)),
    }


@pytest.mark.no_cover  # as above
@pytest.mark.parametrize("name", [pytest.param("-1..1", marks=pytest.mark.stress), "1..0"])
def test_integer_files_and_the_keras_runtime_are_fed_the_same(
    name: str, strangers: Callable[[str], Path], mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    path = tmp_path / "theirs.keras"
    path.write_bytes(strangers(name).read_bytes())
    targets = (*select_targets("tflite", "int8"), *select_targets("onnx", "int8"))
    exported, failed = export_model(
        path, targets, mnist_train, mnist_test, options=ExportOptions(calibration_size=1_000)
    )
    assert not failed
    assert len(exported) == 2
    opened = open_model(path)  # by the manifest that the export has put beside it
    assert isinstance(opened, KerasModel)
    assert (opened.input_scale.name, opened.input_is_known) == (name, True)
    reference = read_reference(tmp_path / "theirs.reference.npz")
    found = verify_model(opened, mnist_test, reference)
    assert found.passed
    assert found.accuracy.percent > 85


@pytest.mark.no_cover  # as above
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("0..1", {"use_bias": False}),
        pytest.param("0..255", {"use_bias": False, "epochs": 5, "units": 64}, marks=pytest.mark.stress),
        ("-1..1", {"optimizer": "sgd"}),
        pytest.param("0..1", {"optimizer": "rmsprop"}, marks=pytest.mark.stress),
        pytest.param("standardized", {"optimizer": "sgd"}, marks=pytest.mark.stress),
        pytest.param("0..1", {"images": 3_000, "epochs": 60, "units": 64}, marks=pytest.mark.stress),
    ],
    ids=["no biases", "no biases, pixels", "sgd", "rmsprop", "standardized, sgd", "learned by heart"],
)
def test_however_it_was_trained(
    name: str, kind: dict[str, object], mnist_train: Split, tmp_path: Path
) -> None:
    network = trained(AUTHORS[name], mnist_train, **kind)  # type: ignore[arg-type]
    choice = choose_input_scale(
        tmp_path / "theirs.keras",
        lambda values: network(values, training=False).numpy(),
        mnist_train,
        declared=False,
    )
    assert choice.scale.name == name


@pytest.mark.parametrize("name", ["-1..1", "-0.5..0.5"])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({"images": 4_000, "epochs": 40, "units": 64}, marks=pytest.mark.stress),
        {"images": 10_000, "epochs": 2, "batch_size": 128},
    ],
    ids=["long", "short"],
)
def test_twice_or_half_the_values_are_told_apart_or_refused(
    name: str, kind: dict[str, int], mnist_train: Split, tmp_path: Path
) -> None:
    network = trained(AUTHORS[name], mnist_train, **kind)
    try:
        choice = choose_input_scale(
            tmp_path / "theirs.keras",
            lambda values: network(values, training=False).numpy(),
            mnist_train,
            declared=False,
        )
    except AccuracyError as error:
        assert "not clear whether it was trained on pixels" in str(error)  # noqa: PT017
        assert f"--input-scale {name}" in str(error)  # noqa: PT017
    else:
        assert choice.scale.name == name


# What is refused


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.stress] if name in {"l2-columns", "l2-rows"} else [])
        for name in CANNOT_BE_FOLDED
    ],
)
def test_what_cannot_be_folded_is_refused_with_the_remedy(
    name: str, strangers: Callable[[str], Path], mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    (about,) = [scale.about for scale in image_scales(mnist_train.images) if scale.name == name]
    with pytest.raises(AccuracyError, match=rf"theirs\.keras: .*pixels {about}.*--input-scale") as caught:
        export_model(strangers(name), FLOAT_FILES, mnist_train, mnist_test, folder=tmp_path)
    assert "cannot be folded" in str(caught.value) or "not clear" in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("before", [[], [layers.Rescaling(1 / 255)]], ids=["plain", "with Rescaling"])
def test_a_network_that_was_never_trained_is_refused_with_the_figures(
    before: list[keras.Layer], mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    trained(AUTHORS["0..1"], mnist_train, *before, epochs=0).save(tmp_path / "theirs.keras")
    with pytest.raises(AccuracyError, match=r"at least 50 % of 5,000 training.*0\.\.1 \d+\.\d %"):
        export_model(tmp_path / "theirs.keras", FLOAT_FILES, mnist_train, mnist_test)
    assert [file.name for file in tmp_path.iterdir()] == ["theirs.keras"]


def test_pixels_scaled_twice_are_refused_by_the_command(mnist_train: Split, tmp_path: Path) -> None:
    # From 1 to 0 by hand before a Rescaling layer that expects pixels.
    network = trained(
        lambda pixels: 255 - pixels.astype("float32"), mnist_train, layers.Rescaling(1 / 255), epochs=3
    )
    network.save(tmp_path / "theirs.keras")
    command = ["export", "--format", "onnx", "--models", str(tmp_path), "--name", "theirs"]
    refused = CliRunner().invoke(cli, command)
    assert refused.exit_code == 1
    assert "as its Rescaling layer takes" in refused.stderr
    assert "--input-scale 255..0" in refused.stderr
    assert not (tmp_path / "theirs.onnx").exists()
    done = CliRunner().invoke(cli, [*command, "--input-scale", "255..0"])
    assert done.exit_code == 0, done.stderr
    assert open_model(tmp_path / "theirs.onnx").metadata.input_scale.chosen == "by hand"


# What declares its input


@pytest.mark.parametrize(
    ("rescaling", "values"),
    [
        # As in test_foreign_networks.py.
        pytest.param(layers.Rescaling(1 / 255), AUTHORS["0..255"], marks=pytest.mark.stress),
        (layers.Rescaling(1 / 127.5, offset=-1), AUTHORS["0..255"]),
    ],
    ids=["0..1", "-1..1"],
)
def test_a_rescaling_layer_says_it_and_files_say_no_more(
    rescaling: keras.Layer, values: Values, mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    network = trained(values, mnist_train, rescaling)
    network.save(tmp_path / "theirs.keras")
    own = accuracy(network, values(mnist_test.images), mnist_test)
    exported, failed = export_model(tmp_path / "theirs.keras", FLOAT_FILES, mnist_train, mnist_test)
    assert not failed
    for file in exported:
        assert file.verification.accuracy.percent == pytest.approx(own, abs=0.02)
        assert file.metadata.input_scale is None
        assert "input_scale" not in file.metadata.to_json()
    assert "input_scale" not in read_manifest(tmp_path)["networks"]["theirs"]
    assert load_inference_graph(tmp_path / "theirs.keras").input_scale == RAW


def test_a_network_of_ours_takes_no_other_scale(
    models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    assert load_inference_graph(models / "digits.keras").input_scale == UNIT
    with pytest.raises(
        ContractError, match=r"one that `edgedigits train` made, which takes pixels from 0 to 1"
    ):
        export_model(
            models / "digits.keras",
            FLOAT_FILES,
            *dataset,
            folder=tmp_path,
            options=ExportOptions(input_scale=RAW),
        )
    assert not list(tmp_path.iterdir())


# By hand, and wherever else a network is judged


def test_the_choice_of_the_option_is_what_there_is() -> None:
    assert tuple(INPUT_SCALES) == INPUT_SCALE_NAMES


def test_a_wrong_scale_by_hand_is_refused_and_names_the_right_one(
    strangers: Callable[[str], Path], mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    options = ExportOptions(input_scale=INPUT_SCALES["0..1"])
    with pytest.raises(AccuracyError, match=r"as --input-scale says.*--input-scale (1\.\.0|inverted-mnist)"):
        export_model(
            strangers("1..0"), FLOAT_FILES, mnist_train, mnist_test, folder=tmp_path, options=options
        )
    assert not list(tmp_path.iterdir())


def test_verify_bench_and_info_feed_a_network_what_it_was_trained_on(
    strangers: Callable[[str], Path],
    mnist_train: Split,
    mnist_test: Split,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgedigits.measuring.bench.BATCHES", (1, 64))
    path = strangers("1..0")
    out = tmp_path / "out"
    export_model(path, select_targets("onnx", None), mnist_train, mnist_test, folder=out)
    reference = str(out / "theirs.reference.npz")
    # Nothing beside it says what it takes: found out again, or given by hand, but not guessed.
    for extra, exit_code in (([], 0), (["--input-scale", "1..0"], 0), (["--input-scale", "0..1"], 1)):
        ran = CliRunner().invoke(cli, ["verify", str(path), "--reference", reference, "--json", *extra])
        assert ran.exit_code == exit_code, ran.stderr
        percent = json.loads(ran.stdout)[0]["accuracy_percent"]
        assert (percent > 85) == (exit_code == 0)
    assert "is broken, or is fed other values" in ran.stderr
    quick = ["--min-seconds", "0", "--min-samples", "5", "--rounds", "1", "--cold-starts", "1", "--json"]
    ran = CliRunner().invoke(cli, ["bench", str(path), *quick])
    assert ran.exit_code == 0, ran.stderr
    assert all(row["accuracy"]["correct"] > 8_500 for row in json.loads(ran.stdout)["rows"])
    ran = CliRunner().invoke(cli, ["info", str(path)])
    assert "trained on   not known" in ran.stdout
    ran = CliRunner().invoke(cli, ["info", str(out / "theirs.onnx")])
    assert "trained on   1..0, by training images (" in ran.stdout


def test_a_receipt_survives_the_file_and_a_strange_one_does_not(
    strangers: Callable[[str], Path], mnist_train: Split, mnist_test: Split, tmp_path: Path
) -> None:
    (file,), _ = export_model(
        strangers("-1..1"), select_targets("onnx", None), mnist_train, mnist_test, folder=tmp_path
    )
    text = file.metadata.to_json()
    receipt = type(file.metadata).from_json(text, file.path).input_scale
    assert receipt == file.metadata.input_scale
    assert isinstance(receipt, InputScaleReceipt)
    for wrong in ('"name": 7', '"name": "\\u001b[2J"'):
        with pytest.raises(ContractError, match="edgedigits metadata, found something unreadable"):
            type(file.metadata).from_json(text.replace('"name": "-1..1"', wrong), file.path)
