"""Networks that learn the answers of others besides the labels."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.manifest import read_manifest, training_of
from edgedigits.cli import cli
from edgedigits.contract import CLASSES
from edgedigits.datasets.split import Split
from edgedigits.picture.levels import Pixels
from edgedigits.reporting.model_card import render_model_card
from edgedigits.training.fitting import Fitter, Targets, TrainingData
from edgedigits.training.recipe import Recipe

CLASS_NAMES = "a,b,c,d,e,f,g,h,i,j"


@pytest.fixture
def data(dataset: tuple[Split, Split]) -> TrainingData:
    split, _ = dataset
    return TrainingData(split.images[:250], split.labels[:250], split.images[250:320], split.labels[250:320])


def test_what_is_taught_is_a_mixture_of_labels_and_answers(data: TrainingData) -> None:
    answers = np.random.default_rng(0).dirichlet(np.ones(CLASSES), 250 + 20).astype(np.float32)
    asked: list[Pixels] = []

    def teacher(images: Pixels) -> Targets:
        asked.append(images)
        return answers

    fitter = Fitter(Recipe(arch=(8,), epochs=1, non_digits=20, teacher_share=0.25), data, teacher)
    pixels, labels, targets = fitter.images_of(1)
    assert targets is not None
    assert [images.shape for images in asked] == [(270, 28, 28)]
    np.testing.assert_array_equal(asked[0].reshape(-1, 784), pixels)
    assert (labels == CLASSES).sum() == 20
    of_labels = np.vstack([np.eye(CLASSES), np.full(CLASSES, 0.1)])[labels]
    np.testing.assert_allclose(targets, 0.75 * of_labels + 0.25 * answers, atol=1e-6)


def test_a_network_learns_what_its_teacher_answers(data: TrainingData) -> None:
    """A teacher that takes every picture for that of the next class, and is all that is listened to."""
    known = {
        image.tobytes(): label for image, label in zip(data.train_images, data.train_labels, strict=True)
    }

    def teacher(images: Pixels) -> Targets:
        following = [(known[image.tobytes()] + 1) % CLASSES for image in images]
        return np.eye(CLASSES, dtype=np.float32)[following]

    fitter = Fitter(Recipe(arch=(32,), epochs=20, batch_size=32, teacher_share=1.0), data, teacher)
    for epoch in range(1, 21):
        fitter.fit_epoch(epoch, lambda _: None)
    answers = fitter.probabilities(data.train_images).argmax(axis=1)
    assert (answers == (data.train_labels + 1) % CLASSES).mean() > 0.9


@pytest.fixture
def command(tmp_path: Path, file_of_few: Path) -> list[str]:
    data = ["--data", str(file_of_few), "--labels", CLASS_NAMES, "--validation", "40"]
    return ["train", "--arch", "8", "--epochs", "2", "--out", str(tmp_path / "models"), "-q", *data]


def test_train_takes_teachers_of_any_format(command: list[str], tmp_path: Path) -> None:
    for name, seed in (("first", "1"), ("second", "2")):
        done = CliRunner().invoke(cli, [*command, "--name", name, "--seed", seed])
        assert done.exit_code == 0, done.output
    models = tmp_path / "models"
    export = [
        "export",
        "--format",
        "onnx",
        "--models",
        str(models),
        "--name",
        "second",
        "--max-drop",
        "100",
        "-q",
    ]
    done = CliRunner().invoke(cli, [*export, *command[-6:-4]])
    assert done.exit_code == 0, done.output
    teachers = [models / "first.keras", models / "second.onnx"]
    options = [word for path in teachers for word in ("--teacher", str(path))]
    taught = CliRunner().invoke(cli, [*command, *options, "--json"])
    assert taught.exit_code == 0, taught.output
    alone = CliRunner().invoke(cli, [*command, "--name", "alone", "--json"])
    assert json.loads(taught.stdout)["weights_sha256"] != json.loads(alone.stdout)["weights_sha256"]
    training = training_of(read_manifest(models), "digits")
    assert training is not None
    assert training["arguments"]["teachers"] == [sha256_file(path) for path in teachers]
    assert training["arguments"]["teacher_share"] == 0.5
    card = render_model_card("digits", read_manifest(models)["networks"]["digits"])
    assert "a share of 0.5 of what is taught the mean answer of 2 other networks" in card


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--teacher-share", "0.5"], 1, "expected 0 without teachers"),
        (["--teacher", "nowhere.onnx"], 1, "nowhere.onnx"),
        (["--teacher", "README.md"], 1, "expected a file that ends in"),
        (["--teacher-share", "0"], 2, "--teacher-share"),
    ],
)
def test_wrong_teachers_are_told(options: list[str], status: int, message: str, command: list[str]) -> None:
    done = CliRunner().invoke(cli, [*command, *options])
    assert done.exit_code == status, done.output
    assert message in done.stderr
