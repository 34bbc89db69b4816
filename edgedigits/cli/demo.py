"""``edgedigits demo``: the whole way in one go."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgedigits.cli.export import as_object
from edgedigits.cli.options import data_option, json_option, print_training, terminal_progress
from edgedigits.cli.terminal import complain, echo, echo_json, print_table
from edgedigits.file_names import DEFAULT_NAME, file_name

if TYPE_CHECKING:
    from edgedigits.datasets.split import Split
    from edgedigits.measuring.bench_result import BenchResult
    from edgedigits.progress import Progress
    from edgedigits.reporting.report import SamplePrediction
    from edgedigits.reporting.tables import Table

BENCH_SECONDS, BENCH_ROUNDS, COLD_STARTS = 0.3, 3, 1
"""Shorter than `bench` takes by default: a demonstration, whose figures are good to about a tenth."""
OFFLINE_MAX_DROP = 1.0
"""Points that a file may lose on the bundled digits: one of their 450 test images is 0.22 points, so that the gates for
MNIST's 10,000 would judge by a single image."""


STEPS = 6
DURATION = "about two minutes on two idle cores, less without MNIST"


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("edgedigits-demo"),
    show_default=True,
    help="Folder to write to; what an earlier demo left there is replaced.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the report in the browser.")
@data_option
@json_option
def command(out: Path, is_opened: bool, data: Path | None, as_json: bool) -> None:
    """Go the whole way in one go.

    Trains, exports to every format, verifies, measures, predicts pictures and writes a report: about two
    minutes on two idle cores. Where MNIST can neither be found nor downloaded, goes on with the real handwritten
    digits that scikit-learn bundles, and says so at once, in every table and in the report.

    \b
    Examples:
      edgedigits demo --open
      edgedigits demo --out /tmp/demo
    """
    from edgedigits.datasets.mnist_files import MNIST_NAME
    from edgedigits.extras import extra

    with extra("train", "the demo"):
        from edgedigits.artifacts.staging import check_output, write_atomically
        from edgedigits.reporting.report import render_report
        from edgedigits.reporting.verify_tables import verification_table
        from edgedigits.training.recipe import Recipe, edge
        from edgedigits.training.train import train
        from edgedigits_export import ExportOptions, export_model, select_targets
    progress = terminal_progress(quiet=False, needs="train")
    told = Told(is_silent=as_json)
    page = out / "report.html"
    check_output(page)
    train_split, test_split = _dataset(data, progress, told)
    told.say(f"The whole way in {STEPS} steps, into {out}: {DURATION}")

    told.step(f"Train on {train_split.dataset}")
    validation = min(Recipe.validation, len(train_split.images) // 10)
    result = train(edge(validation=validation), train_split, test_split, out, progress=progress)
    if not as_json:
        print_training(result)

    told.step("Export to every format, each verified before it is put in place")
    max_drop = None if test_split.dataset == MNIST_NAME else OFFLINE_MAX_DROP
    if max_drop is not None:
        images = len(test_split.images)
        told.say(f"The gate allows a loss of {max_drop} points here: there are only {images} test images.")
    exported, failed = export_model(
        result.path,
        select_targets("all", None),
        train_split,
        test_split,
        options=ExportOptions(max_drop=max_drop, force=True),
        progress=progress,
    )

    told.step("Verify on all test images")
    told.table(verification_table([*(file.verification for file in exported), *failed]))

    told.step("Measure")
    measured = _measured(out, test_split, progress, told)

    told.step("Predict pictures, with onnxruntime alone")
    samples = _predict_samples(out, test_split, told)

    told.step("Write the report")
    write_atomically(page, render_report(out, "digits", measured, samples).encode())
    told.say(f"Done in {told.minutes()}")
    drawing = [file.path for file in exported if file.path.name == file_name(DEFAULT_NAME, "page")]
    for path in drawing:
        told.say(f"Page to draw digits on: {path.resolve()}")
    told.say(f"Report: {page.resolve()}")
    if as_json:
        echo_json(
            {
                "out": str(out),
                "dataset": train_split.dataset,
                "report": str(page),
                "page": str(drawing[0]) if drawing else None,
                "training": result.to_dict(),
                **as_object(exported, failed),
                "bench": measured.summary(),
                "pictures": [
                    {"picture": str(sample.path), "digit": sample.digit, "confidence": sample.confidence}
                    for sample in samples
                ],
                "seconds": told.seconds(),
            }
        )
    if is_opened:
        click.launch(page.resolve().as_uri())
    if failed:
        raise SystemExit(1)


class Told:
    """What the demo says on its way: which step of how many, and since when; nothing where a document is printed."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent
        self._started = time.monotonic()
        self._step = 0

    def seconds(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self._started

    def minutes(self) -> str:
        """Return them as people read them: ``2:05``."""
        minutes, seconds = divmod(round(self.seconds()), 60)
        return f"{minutes}:{seconds:02d} minutes"

    def say(self, text: str) -> None:
        """Print lines."""
        if not self._is_silent:
            echo(text)

    def table(self, table: "Table") -> None:
        """Print a table."""
        if not self._is_silent:
            print_table(table)

    def step(self, text: str) -> None:
        """Say that the next step begins."""
        since = f" ({self.minutes()} so far)" if self._step else ""
        self._step += 1
        self.say(f"\n{self._step} of {STEPS}. {text}{since}")


def _measured(out: Path, test_split: "Split", progress: "Progress", told: Told) -> "BenchResult":
    """Measure all files of the demo's network and print how they compare."""
    from edgedigits.measuring.bench import bench
    from edgedigits.measuring.bench_result import BenchOptions, disturbances, remarks, winners
    from edgedigits.measuring.subjects import find_subjects, model_files
    from edgedigits.reporting.bench_tables import tables

    options = BenchOptions(min_seconds=BENCH_SECONDS, rounds=BENCH_ROUNDS, cold_starts=COLD_STARTS)
    subjects = find_subjects(model_files(out, "digits"), with_keras=True)
    measured = bench(subjects, test_split, options, progress)
    told.table(tables(measured)[0])
    lines = [*winners(measured.rows), *remarks(measured.rows), *disturbances(measured)]
    told.say("\n".join([str(measured.machine), *lines]))
    return measured


def _dataset(data: Path | None, progress: "Progress", told: Told) -> tuple["Split", "Split"]:
    """Return training and test split of MNIST, or of the bundled digits, and say which."""
    from edgedigits.datasets import mnist
    from edgedigits.datasets.read import read_splits
    from edgedigits.errors import DownloadError

    try:
        source = mnist.find_or_download(data, progress=progress)
    except DownloadError as error:
        from edgedigits.datasets.bundled_digits import BUNDLED_NAME, load_bundled_digits

        told.say(f"Data: {BUNDLED_NAME}: no figure below says anything about MNIST, which could not be had")
        complain(f"{error}")
        return load_bundled_digits()
    train_split, test_split = read_splits(source.path, progress=progress)
    told.say(f"Data: {train_split.dataset} from {source.path} ({source.origin})")
    return train_split, test_split


def _predict_samples(out: Path, split: "Split", told: Told) -> list["SamplePrediction"]:
    """Write one test digit of each class as dark ink on a light sheet, and read the files back as anybody would."""
    import numpy as np
    from PIL import Image

    from edgedigits.artifacts.staging import staged
    from edgedigits.predictor import DigitPredictor
    from edgedigits.reporting.report import SamplePrediction
    from edgedigits.reporting.sheets import sample_indices

    predictor = DigitPredictor(out / "digits.onnx")
    names, samples = [], []
    with staged(out) as place:  # A set, because nobody named the subfolder: it may be no link to another.
        (place / "pictures").mkdir()
        for index in sample_indices(split.labels, per_class=1, seed=1):
            ink = Image.fromarray(255 - split.images[index]).resize((140, 140), Image.Resampling.BICUBIC)
            sheet = Image.fromarray(np.full((200, 240), 255, np.uint8))
            sheet.paste(ink, (70, 25))
            names.append(f"pictures/{split.labels[index]}.png")
            sheet.save(place / names[-1], "PNG")
    for path in (out / name for name in names):
        prediction = predictor.predict(path)
        told.say(f"{path}: {prediction.digit}  {100 * prediction.confidence:.1f} %")
        samples.append(SamplePrediction(path, prediction.digit, prediction.confidence))
    return samples
