"""From which lead on the answers of a file are sure: as it is fitted, and as files, manifest and commands say it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError
from edgedigits.margins import leads_in_steps
from edgedigits.measuring.metrics import accuracy
from edgedigits.measuring.recorded import contradictions, recorded_network
from edgedigits.measuring.subjects import model_files
from edgedigits.measuring.verify import run_all
from edgedigits.metadata import ModelMetadata, SureReceipt
from edgedigits.predictor import DigitPredictor
from edgedigits.runtimes.opening import open_model
from edgedigits.training.drawn import draw_digits
from edgedigits.training.renewal import Renewed
from edgedigits_export.held_out import split_indices
from edgedigits_export.sureness import DRAWN, SureImages, fit_least_lead, sure_images, sure_note

BLANK = np.zeros((1, 28, 28), np.uint8)


def fitted(leads: list[tuple[int, int, int]], drawn: list[tuple[int, int, int]] = []) -> SureReceipt:  # noqa: B006
    """Fit to answers, each (lead, how many are right, how many wrong): of held-out images, and of drawn digits."""
    rows, labels = [], []
    for lead, right, wrong in [*leads, *drawn]:
        row = np.zeros(10, np.float32)
        row[3] = lead / 256
        rows += [row] * (right + wrong)
        labels += [3] * right + [4] * wrong
    count = sum(right + wrong for _, right, wrong in drawn)
    judges = SureImages(np.repeat(BLANK, len(rows), axis=0), np.array(labels, np.uint8), count)
    return fit_least_lead(judges, np.array(rows))


# --- The fit -------------------------------------------------------------------------------------------------------


def test_it_is_the_least_lead_that_is_right_999_times_in_1000() -> None:
    good, bad = (250, 9_990, 10), (100, 500, 1)
    assert fitted([good]) == (1, 10_000, 0, 10_000, 9_990)
    assert fitted([good, bad]) == (101, 10_501, 0, 10_000, 9_990)
    assert fitted([good, (100, 998, 1)]).min_margin == 101
    assert fitted([good, (100, 999, 1)]).min_margin == 1
    assert fitted([(250, 9_989, 11), (100, 1_000, 0)]).min_margin == 1
    assert fitted([(250, 9_989, 11), (255, 1_000, 1), (100, 10, 0)]).min_margin == 251


def test_drawn_digits_count_as_held_out_images_do() -> None:
    assert fitted([(250, 5_000, 0)], [(250, 4_990, 10)]) == (1, 5_000, 5_000, 10_000, 9_990)
    assert fitted([(250, 5_000, 0)], [(250, 4_990, 9), (80, 5, 5)]) == (81, 5_000, 5_009, 9_999, 9_990)


def test_where_drawn_digits_are_misread_only_the_largest_lead_is_left() -> None:
    receipt = fitted([(255, 3_000, 3), (200, 1_997, 0)], [(255, 4_000, 40)])
    assert receipt == (255, 5_000, 0, 3_003, 3_000)


def test_where_the_held_out_images_are_misread_too_nothing_is_sure() -> None:
    receipt = fitted([(255, 2_990, 3), (200, 2_007, 0)], [(255, 4_000, 40)])
    assert receipt == (256, 5_000, 0, 2_993, 2_990)
    assert fitted([(255, 99, 1)]).min_margin == 256


@pytest.mark.parametrize(("images", "least"), [(999, 255), (1_000, 1)])
def test_few_images_prove_nothing(images: int, least: int) -> None:
    assert fitted([(255, images, 0)]).min_margin == least


def test_answers_without_a_lead_are_never_sure() -> None:
    assert fitted([(0, 5_000, 0)]).min_margin == 255
    assert fitted([(0, 5_000, 0), (7, 1_000, 0)]) == (1, 6_000, 0, 1_000, 1_000)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_probability_stops_nothing(value: float) -> None:
    answers = np.full((1_000, 10), 0.01, np.float32)
    answers[:, 3], answers[:7, 5] = 0.9, value
    judges = SureImages(np.repeat(BLANK, 1_000, axis=0), np.full(1_000, 3, np.uint8), 0)
    receipt = fit_least_lead(judges, answers)
    assert receipt.images == 1_000
    assert receipt.right <= receipt.answered <= 1_000


def test_what_the_user_hears_of_it() -> None:
    digits = SureImages(BLANK, np.zeros(1, np.uint8), 5_000)
    other = SureImages(BLANK, np.zeros(1, np.uint8), 0)
    assert sure_note(SureReceipt(240, 5_000, 5_000, 9_000, 8_995), digits) is None
    assert sure_note(SureReceipt(255, 5_000, 5_000, 9_000, 8_995), digits) is None
    assert sure_note(SureReceipt(200, 5_000, 0, 4_000, 4_000), other) is None
    strict = sure_note(SureReceipt(255, 5_000, 0, 4_000, 4_000), digits)
    assert strict is not None
    assert "on drawn digits, of which there were 5,000: only those with the largest, 255/256" in strict
    few = sure_note(SureReceipt(255, 150, 0, 140, 140), other)
    assert few is not None
    assert "on 150 images: only those with the largest" in few
    never = sure_note(SureReceipt(256, 5_000, 0, 4_000, 3_900), digits)
    assert never == "none of its answers is sure: of 4,000 with the largest lead, 255/256, 100 are wrong"


# --- What it is fitted to ------------------------------------------------------------------------------------------


def test_drawn_digits_of_another_seed_follow_the_held_out_images(bundled_digits: tuple[Split, Split]) -> None:
    split = bundled_digits[0]
    held_out = np.array([3, 5, 8])
    judges, again = (sure_images(split, held_out) for _ in range(2))
    assert judges.drawn == DRAWN == len(judges.images) - 3
    np.testing.assert_array_equal(judges.images[:3], split.images[held_out])
    np.testing.assert_array_equal(judges.labels[:3], split.labels[held_out])
    np.testing.assert_array_equal(judges.images, again.images)
    assert np.bincount(judges.labels[3:]).tolist() == [DRAWN // 10] * 10
    runs = [Renewed(draw_digits, 2_000, seed, b"drawn") for seed in (0, 1)]
    trained = {image.tobytes() for run in runs for image in run.of_epoch(1)[0]}
    assert not trained & {image.tobytes() for image in judges.images[3:]}


def test_other_classes_are_not_drawn(bundled_digits: tuple[Split, Split]) -> None:
    split = bundled_digits[0]
    named = Split.of("clothes", split.images, split.labels, tuple("abcdefghij"))
    judges = sure_images(named, np.arange(7))
    assert (len(judges.images), judges.drawn) == (7, 0)


def test_of_a_network_of_another_author_a_tenth_of_a_small_file_is_held_out(
    bundled_digits: tuple[Split, Split],
) -> None:
    split = bundled_digits[0]
    fit, held_out = split_indices(Path("theirs.keras"), None, split)
    assert len(held_out) == len(split.labels) // 10
    assert not set(fit) & set(held_out)
    assert set(split.labels[held_out]) == set(range(10))


def test_a_manifest_that_does_not_say_how_it_was_trained_is_told(bundled_digits: tuple[Split, Split]) -> None:
    training: Any = {"arguments": {"validation": 100}}
    with pytest.raises(
        ModelFileError, match=r"digits\.keras: the manifest beside it does not say how it was trained"
    ):
        split_indices(Path("digits.keras"), training, bundled_digits[0])


# --- What files say ------------------------------------------------------------------------------------------------


def metadata_of(path: Path) -> ModelMetadata:
    return open_model(path).metadata


def test_every_exported_file_says_what_its_own_answers_give(
    models: Path, dataset: tuple[Split, Split]
) -> None:
    manifest = read_manifest(models)["networks"]["digits"]
    _, held_out = split_indices(models / "digits.keras", manifest["training"], dataset[0])
    judges = sure_images(dataset[0], held_out)
    split = Split.of("judges", judges.images, judges.labels)
    checked = 0
    for path in model_files(models):
        if path.suffix == ".keras":
            continue
        receipt = metadata_of(path).sure
        assert receipt is not None
        assert manifest["files"][path.name]["sure"] == receipt._asdict()
        if path.suffix != ".c":  # these say what the .tflite file of the same integers says
            answers = run_all(open_model(path), split)
            assert receipt == fit_least_lead(judges, answers)
            counted = leads_in_steps(answers) >= min(receipt.min_margin, 255)
            assert receipt.answered == int(counted[: receipt.images + receipt.drawn].sum())
            checked += 1
    assert checked >= 10


def test_files_of_the_same_integers_say_the_same(models: Path) -> None:
    names = ["digits.int8.tflite", "digits.tflm.c", *(["digits.c"] if (models / "digits.c").exists() else [])]
    receipts = [metadata_of(models / name).sure for name in names]
    assert receipts == [receipts[0]] * len(names)
    header = (models / "digits.tflm.h").read_text()
    assert receipts[0] is not None
    assert f"#define EDGEDIGITS_MIN_MARGIN {receipts[0].min_margin}\n" in header


@pytest.mark.parametrize("name", ["digits.int8.onnx", "digits.ort"])
def test_a_predictor_asks_for_what_the_file_says(name: str, models: Path) -> None:
    assert DigitPredictor(models / name).min_margin == metadata_of(models / name).min_margin


def test_info_says_it(models: Path) -> None:
    receipt = metadata_of(models / "digits.int8.onnx").sure
    assert receipt is not None
    told = CliRunner().invoke(cli, ["info", str(models / "digits.int8.onnx")]).stdout
    assert f"\nsure         {receipt}\n" in told
    assert (
        f"{receipt.right:,} of {receipt.answered:,} such answers right, of {receipt.images:,} held-out"
        in told
    )
    as_json = CliRunner().invoke(cli, ["info", "--json", str(models / "digits.int8.onnx")]).stdout
    assert json.loads(as_json)["sure"] == receipt._asdict()
    assert "sure" not in CliRunner().invoke(cli, ["info", str(models / "digits.keras")]).stdout


def test_a_receipt_reads_aloud() -> None:
    right = "8,995 of 9,000 such answers right, of 5,000 held-out images"
    assert str(SureReceipt(240, 5_000, 0, 9_000, 8_995)) == f"a lead of 240/256 over the second: {right}"
    assert str(SureReceipt(240, 5_000, 400, 9_000, 8_995)).endswith(f"{right} and 400 drawn digits")
    assert (
        str(SureReceipt(256, 5_000, 0, 9_000, 8_995))
        == f"never; with a lead of 255/256 over the second: {right}"
    )


def test_a_manifest_that_says_otherwise_is_found_out(
    models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    shutil.copy(models / "digits.int8.onnx", tmp_path)
    manifest = read_manifest(models)
    record = manifest["networks"]["digits"]["files"]["digits.int8.onnx"]
    assert record["sure"] is not None
    record["sure"]["min_margin"] = 1 + record["sure"]["min_margin"] % 255
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    model = open_model(tmp_path / "digits.int8.onnx")
    split = dataset[1]
    measured = accuracy(split.labels, run_all(model, split).argmax(axis=1))
    (found,) = contradictions(model, recorded_network(model), split, measured, None)
    assert found.startswith("the manifest says sure {")
