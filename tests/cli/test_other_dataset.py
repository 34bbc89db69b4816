"""The whole way on a dataset that is not MNIST: real digits, moved out of MNIST's form, called by their names."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edgedigits import DigitPredictor
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.contract import LABELS
from edgedigits.datasets import mnist_files
from edgedigits.datasets.read import read_split
from edgedigits.datasets.split import Split
from edgedigits.measuring.reference import read_reference
from edgedigits.runtimes.opening import open_model

NAMES = ("zero", "one", "two|deux", "<b>three</b>", "four", "five", "six", "seven, 7", "100 % eight", "nine")
"""A comma needs a file of names; the others try tables and pages."""
SHIPPED = Path(__file__).parents[2] / "models" / "digits.onnx"
EXPORTED = ("tflite", "float16.tflite", "dynamic.tflite", "int8.tflite", "onnx")
QUICK = ("--min-seconds", "0.01", "--min-samples", "5", "--rounds", "1", "--cold-starts", "1")


def edgedigits(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def succeed(*arguments: str | Path) -> Result:
    result = edgedigits(*arguments)
    assert result.exit_code == 0, result.output
    return result


def write_idx(folder: Path, splits: dict[str, Split]) -> Path:
    folder.mkdir()
    for part, split in splits.items():
        for file, array in zip(mnist_files.FILES[part], (split.images, split.labels), strict=True):
            form = dataclasses.replace(file, count=len(array))
            (folder / file.name).write_bytes(form.header + array.tobytes())
    return folder


@pytest.fixture(scope="module")
def splits(bundled_digits: tuple[Split, Split]) -> dict[str, Split]:
    return {
        part: Split.of("moved", np.roll(split.images, 4, axis=2), split.labels, NAMES)
        for part, split in zip(("train", "test"), bundled_digits, strict=True)
    }


@pytest.fixture(scope="module")
def place(splits: dict[str, Split], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the dataset: ``moved/`` and ``moved.npz``, with ``names.txt``."""
    folder = tmp_path_factory.mktemp("data")
    write_idx(folder / "moved", splits)
    arrays = {f"x_{part}": split.images for part, split in splits.items()}
    np.savez(folder / "moved.npz", **arrays, **{f"y_{part}": split.labels for part, split in splits.items()})
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n\n", encoding="utf-8")
    return folder


def train(place: Path, data: str, out: Path, *more: str) -> Result:
    return succeed(
        *(
            "train",
            "--data",
            place / data,
            "--labels",
            place / "names.txt",
            "--recipe",
            "plain",
            "--epochs",
            "2",
        ),
        *("--arch", "32", "--validation", "50", "--out", out, *more),
    )


@pytest.fixture(scope="module")
def trained(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(place, "moved", folder)


@pytest.fixture(scope="module")
def models(place: Path, trained: tuple[Path, Result]) -> Path:
    """A network of the dataset in every format. Only to be read."""
    folder, _ = trained
    succeed(
        *("export", "--format", "all", "--max-drop", "100", "--data", place / "moved", "--models", folder),
        *("--calibration-size", "200"),
    )
    return folder


def test_training_keeps_the_names(
    trained: tuple[Path, Result], splits: dict[str, Split], place: Path
) -> None:
    folder, result = trained
    record = read_manifest(folder)["networks"]["digits"]["training"]["dataset"]
    assert (record["name"], tuple(record["labels"])) == ("moved", NAMES)
    assert record["train_sha256"] == splits["train"].sha256
    assert read_reference(folder / "reference.npz").dataset == "moved"
    for index, name in enumerate(NAMES):
        assert f"\n{index} {name}  " in result.stdout
    rows = (folder / "classes.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1].startswith("zero,")
    assert rows[8].startswith('"seven, 7",')
    assert f"--data {place / 'moved'}" in result.stderr


@pytest.mark.parametrize("option", ["--drawn", "--non-digits"])
def test_nothing_is_drawn_for_other_classes(
    place: Path, trained: tuple[Path, Result], tmp_path: Path, option: str
) -> None:
    field = option.removeprefix("--").replace("-", "_")
    folder, _ = trained
    assert read_manifest(folder)["networks"]["digits"]["training"]["arguments"][field] == 0
    names = place / "names.txt"
    result = edgedigits("train", "--data", place / "moved", "--labels", names, option, "5", "--out", tmp_path)
    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"edgedigits: {field}: expected 0 where the classes are no digits (zero, one, ")
    assert line.endswith(f"train with {option} 0")


def test_an_npz_trains_the_same_network(place: Path, trained: tuple[Path, Result], tmp_path: Path) -> None:
    result = json.loads(train(place, "moved.npz", tmp_path, "--json").stdout)
    expected = read_manifest(trained[0])["networks"]["digits"]["training"]
    assert result["weights_sha256"] == expected["weights_sha256"]
    assert tuple(result["labels"]) == NAMES


@pytest.mark.parametrize("suffix", [*EXPORTED, "keras"])
def test_every_file_knows_the_names(suffix: str, models: Path) -> None:
    assert open_model(models / f"digits.{suffix}").metadata.labels == NAMES


def test_a_keras_file_of_other_weights_has_no_names(models: Path, tmp_path: Path) -> None:
    shutil.copy(models / "digits.keras", tmp_path)
    manifest = json.loads((models / "manifest.json").read_text())
    manifest["networks"]["digits"]["training"]["weights_sha256"] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert open_model(tmp_path / "digits.keras").metadata.labels == LABELS


def test_the_model_card_shows_the_names(models: Path) -> None:
    card = (models / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Not trained on MNIST, but on moved." in card
    assert "\n| 2 two&#124;deux | " in card
    assert "handwritten" not in card


def test_verify_takes_the_data_as_it_is(models: Path, place: Path) -> None:
    files = [models / f"digits.{suffix}" for suffix in (*EXPORTED, "keras")]
    result = succeed("verify", *files, "--max-drop", "100", "--data", place / "moved.npz")
    assert result.stdout.strip().startswith("moved, 450 test images")
    assert result.stdout.count(" pass") == len(files)


def test_bench_and_info_show_what_it_is(models: Path, place: Path) -> None:
    result = succeed("bench", models / "digits.onnx", "--markdown", *QUICK, "--data", place / "moved")
    assert any(line.endswith("; moved") for line in result.stdout.splitlines())
    facts = succeed("info", models / "digits.int8.tflite").stdout
    assert f"labels {', '.join(NAMES)}\n" in facts
    assert "450, moved test images)" in facts
    assert tuple(json.loads(succeed("info", models / "digits.onnx", "--json").stdout)["labels"]) == NAMES


def test_the_report_shows_the_names(models: Path) -> None:
    page = Path(succeed("report", "--no-bench", "--models", models).stdout.strip()).read_text(
        encoding="utf-8"
    )
    assert "Trained and tested on moved." in page
    assert 'scope="row">3 &lt;b&gt;three&lt;/b&gt;</th>' in page
    assert "<b>three" not in page


# Other images


@pytest.fixture
def turned(splits: dict[str, Split], tmp_path: Path) -> Path:
    """The same dataset, its test images upside down."""
    test = splits["test"]
    return write_idx(
        tmp_path / "turned", {**splits, "test": dataclasses.replace(test, images=test.images[:, ::-1])}
    )


@pytest.mark.parametrize(
    "command",
    [("verify", "digits.onnx"), ("bench", "digits.onnx", *QUICK), ("export", "--format", "onnx", "--force")],
    ids=lambda words: words[0],
)
def test_other_images_are_refused(command: tuple[str, ...], models: Path, turned: Path) -> None:
    words = [str(models / word) if word == "digits.onnx" else word for word in command]
    before = (models / "reference.npz").read_bytes()
    more = ("--models", models) if command[0] == "export" else ()
    result = edgedigits(*words, *more, "--data", turned)
    assert result.exit_code == 1
    assert "other images (moved)" in result.stderr or "these are other test images (turned)" in result.stderr
    assert "Traceback" not in result.output
    assert (models / "reference.npz").read_bytes() == before


def test_the_data_must_be_named(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    result = edgedigits("verify", models / "digits.onnx")
    assert result.exit_code == 1
    assert "found no dataset; name the dataset that has these classes with --data" in result.stderr


def test_networks_of_two_datasets_are_asked_one_by_one(models: Path, place: Path, tmp_path: Path) -> None:
    shipped = shutil.copy(SHIPPED, tmp_path / "shipped.onnx")
    for command in (("verify", "--max-drop", "100"), ("bench", *QUICK)):
        result = edgedigits(*command, models / "digits.onnx", shipped, "--data", place / "moved")
        assert result.exit_code == 1
        assert "expected a network for the classes of moved (zero, " in result.stderr
        assert "ask the networks of one dataset at a time" in result.stderr


def test_the_network_that_came_along_takes_nothing_but_mnist(place: Path) -> None:
    result = edgedigits("verify", SHIPPED, "--data", place / "moved")
    assert result.exit_code == 1
    assert "expected answers to the moved test images, found answers to other images (MNIST)" in result.stderr


def test_training_without_names_takes_nothing_but_digits(place: Path, tmp_path: Path) -> None:
    with np.load(place / "moved.npz") as arrays:
        others = {name: array if name[0] == "x" else (array + 3) % 10 for name, array in arrays.items()}
    np.savez(tmp_path / "shuffled.npz", **others)
    result = edgedigits("train", "--data", tmp_path / "shuffled.npz", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "name its classes with `edgedigits train --labels`" in result.stderr
    assert not (tmp_path / "out").exists()


# Digits that are not MNIST's


@pytest.fixture(scope="module")
def pens(splits: dict[str, Split], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of dark digits on light paper, larger than MNIST's."""
    folder = tmp_path_factory.mktemp("digits") / "pens"
    for part, count in (("train", 300), ("test", 60)):
        for row in range(count):
            image, label = np.roll(splits[part].images[row], -4, axis=1), splits[part].labels[row]
            path = folder / part / str(label) / f"{row:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(255 - np.kron(image, np.ones((2, 2), np.uint8))).save(path)
    return folder


@pytest.fixture(scope="module")
def pens_models(pens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pens-models")
    result = succeed(
        *(
            "train",
            "--data",
            pens,
            "--recipe",
            "plain",
            "--epochs",
            "8",
            "--arch",
            "64",
            "--validation",
            "50",
        ),
        *("--out", folder),
    )
    assert f"next: edgedigits export --format all --models {folder} --data {pens}" in result.stderr
    assert f"{pens}: pictures prepared" in result.stderr
    succeed("export", "--format", "onnx", "--data", pens, "--models", folder)
    return folder


def test_a_network_of_other_digits_prepares_pictures_and_carries_the_name(
    pens: Path, pens_models: Path
) -> None:
    record = read_manifest(pens_models)["networks"]["digits"]["training"]["dataset"]
    assert (record["name"], tuple(record["labels"])) == ("pens", LABELS)
    predictor = DigitPredictor(pens_models / "digits.onnx")
    assert predictor.metadata.accuracy is not None
    assert predictor.metadata.accuracy.dataset == "pens"
    pictures = sorted((pens / "test").rglob("*.png"))
    right = [predictor.predict(path).digit == int(path.parent.name) for path in pictures]
    assert sum(right) == predictor.metadata.accuracy.correct


def test_a_network_of_other_digits_is_verified_with_its_own_images_only(
    pens: Path, pens_models: Path
) -> None:
    found = succeed("verify", pens_models / "digits.onnx", "--data", pens, "--json")
    (row,) = json.loads(found.stdout)
    assert (row["dataset"], row["accuracy"]["images"]) == ("pens", 60)
    with_one_less = pens.parent / "less"
    shutil.copytree(pens, with_one_less)
    next(with_one_less.glob("test/*/*.png")).unlink()
    refused = edgedigits("verify", pens_models / "digits.onnx", "--data", with_one_less)
    assert refused.exit_code == 1
    assert "verify with the data that the network was trained on" in refused.stderr


@pytest.mark.mnist
@pytest.mark.usefixtures("mnist_source")
def test_a_network_of_other_digits_is_not_verified_with_mnist(pens_models: Path) -> None:
    refused = edgedigits("verify", pens_models / "digits.onnx")
    assert refused.exit_code == 1
    assert "expected answers to the MNIST test images, found answers to other images (pens)" in refused.stderr


# Predicting


@pytest.fixture
def picture(splits: dict[str, Split], tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(splits["test"].images[0]).save(path)
    return path


def test_predict_prints_the_name(models: Path, picture: Path) -> None:
    predictor = DigitPredictor(models / "digits.onnx")
    prediction = predictor.predict(picture)
    assert prediction.label == NAMES[prediction.digit]
    assert predictor.predict_batch([picture]) == [prediction]
    line = succeed("predict", "--model", models / "digits.onnx", "--top", "10", picture).stdout
    assert line.startswith(f"{picture}: {prediction.label}  {100 * prediction.confidence:.1f} %")
    assert all(name in line for name in NAMES)
    (answer,) = json.loads(succeed("predict", "--model", models / "digits.onnx", "--json", picture).stdout)
    assert (answer["digit"], answer["label"]) == (prediction.digit, prediction.label)


def test_a_picture_reaches_the_network_as_it_is(
    models: Path, picture: Path, splits: dict[str, Split]
) -> None:
    """Nothing is cropped or centred, as it is for digits: the answer is that to the dataset's own image."""
    predictor = DigitPredictor(models / "digits.onnx")
    expected = predictor.probabilities(splits["test"].images[:1])[0]
    assert predictor.predict(picture).probabilities == tuple(expected.tolist())
    assert np.array_equal(predictor.prepare(picture), splits["test"].images[0])


def test_a_picture_of_another_size_is_refused(models: Path, tmp_path: Path) -> None:
    Image.new("L", (40, 30)).save(tmp_path / "large.png")
    result = edgedigits("predict", "--model", models / "digits.onnx", tmp_path / "large.png")
    assert result.exit_code == 1
    assert "large.png: expected 28x28 pixels, " in result.stderr
    assert "found 40x30" in result.stderr


# Names


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("a,b,c", "expected 10 class names, found 3"),
        ("a,b,c,d,e,f,g,h,i,a", "expected 10 different class names, found 'a' twice"),
        ("a,b,c,d,e,f,g,h,i,", "expected printable class names of 1 to 40 characters, found ''"),
        ("a,b,c,d,e,f,g,h,i,\x1b[2J", "expected printable class names"),
        (f"a,b,c,d,e,f,g,h,i,{'j' * 41}", "of 1 to 40 characters"),
        (",".join(f"{letter * 40}" for letter in "abcdefghi"), "expected 10 class names, found 9"),
        ("", "expected 10 class names, found 1"),
        ("0,1,2,3,4,5,6,7,8,9", "0 to 9 are MNIST's classes"),
        ("binary", "expected printable class names"),
    ],
    ids=["three", "twice", "empty name", "unprintable", "long name", "longer than a path", "empty", "digits", "binary"],
)  # fmt: skip
def test_wrong_names_are_wrong_usage(
    labels: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"\n".join(b"%d\0" % number for number in range(10)))
    result = edgedigits("train", "--labels", labels, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_file_that_is_no_text_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "names").write_bytes(b"\xff\xfe\0")
    assert edgedigits("train", "--labels", tmp_path / "names").exit_code == 2


def test_names_can_stand_in_the_command(place: Path, tmp_path: Path) -> None:
    names = "zero, one, two, three, four, five, six, seven, eight, nine"
    result = edgedigits(
        "train", "--data", place / "moved", "--labels", names, "--validation", "2000", "--out", tmp_path
    )
    assert result.exit_code == 1
    assert "2000 validation images cannot be held out of 1,347" in result.stderr
    assert read_split(place / "moved", "test", tuple(names.split(", "))).class_names[9] == "nine"
