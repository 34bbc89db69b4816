"""What a finished run leaves behind: network, history, reference answers, plots and manifest, put in place at once."""

import csv
import dataclasses
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.manifest import file_receipt, network_entry, read_manifest, write_manifest
from edgedigits.artifacts.records import Network, Training
from edgedigits.artifacts.staging import locked, staged
from edgedigits.artifacts.versions import versions
from edgedigits.contract import CLASSES, IMAGE_SIDE, LABELS, class_title
from edgedigits.datasets.split import Split
from edgedigits.file_names import file_name, sidecar_name
from edgedigits.measuring import metrics
from edgedigits.measuring.reference import FILE_NAME as REFERENCE_NAME
from edgedigits.measuring.reference import Reference
from edgedigits.model_files.trained_networks import written_arch
from edgedigits.networks.build import first_kernel, weights_sha256
from edgedigits.reporting import plots, sheets
from edgedigits.reporting.tables import Table
from edgedigits.training.augmentation import warp_epoch
from edgedigits.training.drawn import draw_digits
from edgedigits.training.fitting import Epoch, Fitter
from edgedigits.training.non_digits import draw_non_digits
from edgedigits.training.recipe import Recipe
from edgedigits.training.robustness import Condition, measure_robustness
from edgedigits.training.temperature import TemperatureScaling

TOOLS = ("tensorflow", "keras", "numpy", "scikit-learn")
SHEET_SAMPLES_PER_CLASS = 5
SHEET_MISTAKES = 50
SHEET_WARPS = 4
SHEET_DRAWN_PER_CLASS = 10


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to."""

    path: Path
    """The ``.keras`` file."""
    recipe: Recipe
    history: tuple[Epoch, ...]
    accuracy: metrics.Accuracy
    """On the test split."""
    classes: tuple[metrics.ClassScore, ...]
    labels: tuple[str, ...]
    """Names of the classes."""
    scaling: TemperatureScaling
    """How the confidences were made fair."""
    weights_sha256: str
    resumed_after: int
    """Epochs that came from an interrupted run; 0 for a run from the start."""
    stale: tuple[str, ...]
    """Exported files in the folder that were made from other weights."""

    @property
    def seconds(self) -> float:
        """Wall time of all epochs."""
        return sum(epoch.seconds for epoch in self.history)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        fields = dataclasses.asdict(self)
        fields |= fields.pop("scaling")
        return {**fields, "path": str(self.path), "recipe": self.recipe.to_dict(), "seconds": self.seconds}

    def class_table(self) -> Table:
        """Write the scores of each class under those of all."""
        return Table(
            f"{self.path}: test accuracy {self.accuracy}, {self.seconds:.1f} s of training",
            ("class", "images", "precision", "recall", "f1"),
            [
                (
                    class_title(self.labels, score.label),
                    f"{score.images:,}",
                    *(f"{100 * share:.2f} %" for share in (score.precision, score.recall, score.f1)),
                )
                for score in self.classes
            ],
            legend={
                "precision": "of the answers of that class, those that are right",
                "recall": "of the images of that class, those that are read",
                "f1": "the harmonic mean of both",
            },
        )


def write_results(
    fitter: Fitter,
    history: list[Epoch],
    scaling: TemperatureScaling,
    train_split: Split,
    test_split: Split,
    folder: Path,
    name: str,
    resumed_after: int,
) -> TrainingResult:
    """Score a fitted network and put all its files in place at once.

    Raises:
        OutputError: ``folder`` cannot be written to; nothing was changed.
    """
    probabilities = fitter.probabilities(test_split.images)
    digits = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(test_split.labels, digits)
    sha256 = weights_sha256(fitter.network)
    network_file = file_name(name, "keras")
    accuracy = metrics.accuracy(test_split.labels, digits)
    classes = tuple(metrics.class_scores(confusion))
    reference = Reference(probabilities, sha256, test_split.dataset, test_split.sha256)
    robustness = measure_robustness(fitter.probabilities, test_split)
    with locked(folder), staged(folder) as staging:
        # Without an optimizer: its state would make the file three times as large.
        fitter.network.save(staging / network_file)
        texts = _stage_files(
            staging, fitter, history, (confusion, classes), reference, train_split, test_split, name
        )
        manifest = read_manifest(folder)
        entry = network_entry(manifest, name)
        entry["training"] = _training_record(
            fitter.recipe,
            history,
            scaling,
            train_split,
            test_split,
            accuracy,
            confusion,
            robustness,
            sha256,
        )
        for path in (staging / network_file, *(staging / sidecar_name(name, sidecar) for sidecar in texts)):
            entry["files"][path.name] = file_receipt(path)
        write_manifest(staging, manifest)
    stale = _stale_files(entry, sha256, folder)
    return TrainingResult(
        path=folder / network_file,
        recipe=fitter.recipe,
        history=tuple(history),
        accuracy=accuracy,
        classes=classes,
        labels=train_split.class_names,
        scaling=scaling,
        weights_sha256=sha256,
        resumed_after=resumed_after,
        stale=stale,
    )


def _stale_files(entry: Network, sha256: str, folder: Path) -> tuple[str, ...]:
    """Return the exported files in the folder that were made from other weights."""
    return tuple(
        exported
        for exported, receipt in sorted(entry["files"].items())
        if receipt.get("weights_sha256", sha256) != sha256 and (folder / exported).exists()
    )


def _stage_files(
    staging: Path,
    fitter: Fitter,
    history: list[Epoch],
    scores: tuple[npt.NDArray[np.int64], tuple[metrics.ClassScore, ...]],
    reference: Reference,
    train_split: Split,
    test_split: Split,
    name: str,
) -> dict[str, bytes]:
    """Stage what lies beside the network and return it by name, and stage the plots; scores: (confusion, classes)."""
    confusion, classes = scores
    probabilities = reference.probabilities
    texts = {
        "history.json": json.dumps([dataclasses.asdict(epoch) for epoch in history], indent=1).encode(),
        "classes.csv": _classes_csv(classes, train_split.class_names),
        REFERENCE_NAME: reference.to_bytes(),
    }
    for sidecar, content in texts.items():
        (staging / sidecar_name(name, sidecar)).write_bytes(content)
    (staging / "plots").mkdir()
    pictures = _pictures(history, confusion, test_split, probabilities, name)
    pictures |= _training_pictures(fitter, train_split)
    for plot, content in pictures.items():
        (staging / "plots" / sidecar_name(name, plot)).write_bytes(content)
    return texts


def _training_record(
    recipe: Recipe,
    history: list[Epoch],
    scaling: TemperatureScaling,
    train_split: Split,
    test_split: Split,
    accuracy: metrics.Accuracy,
    confusion: npt.NDArray[np.int64],
    robustness: list[Condition],
    sha256: str,
) -> Training:
    record: Any = {
        "arguments": recipe.to_dict(),
        "arch": written_arch(recipe.arch),
        "weights_sha256": sha256,
        "dataset": {
            "name": train_split.dataset,
            "labels": list(train_split.class_names),
            "train_images": len(train_split.images) - recipe.validation,
            "validation_images": recipe.validation,
            "test_images": len(test_split.images),
            "train_sha256": train_split.sha256,
            "test_sha256": test_split.sha256,
        },
        "results": {
            "robustness": [dataclasses.asdict(condition) for condition in robustness],
            "validation_accuracy": history[-1].val_accuracy,
            **dataclasses.asdict(scaling),
            "test": dataclasses.asdict(accuracy),
            "confusion": confusion.tolist(),
            "classes": [dataclasses.asdict(score) for score in metrics.class_scores(confusion)],
        },
        "seconds": round(sum(epoch.seconds for epoch in history), 3),
        "versions": versions(*TOOLS),
    }
    training: Training = record
    return training


def _classes_csv(classes: tuple[metrics.ClassScore, ...], labels: tuple[str, ...]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", "images", "precision", "recall", "f1"])
    for score in classes:
        writer.writerow(
            [
                labels[score.label],
                score.images,
                f"{score.precision:.4f}",
                f"{score.recall:.4f}",
                f"{score.f1:.4f}",
            ]
        )
    return text.getvalue().encode()


def _pictures(
    history: list[Epoch],
    confusion: npt.NDArray[np.int64],
    split: Split,
    probabilities: metrics.Probabilities,
    name: str,
) -> dict[str, bytes]:
    title = f"{name} on {len(split.images):,} {split.dataset} test images"
    samples = sheets.sample_indices(split.labels, SHEET_SAMPLES_PER_CLASS, seed=0)
    mistakes = sheets.most_confident_mistakes(split.labels, probabilities, SHEET_MISTAKES)
    return {
        "curves.png": plots.learning_curves([dataclasses.asdict(epoch) for epoch in history]),
        "confusion.png": plots.confusion(confusion, title),
        "samples.png": sheets.draw_sheet(
            f"samples: {title}", sheets.prediction_cells(split.images, split.labels, probabilities, samples)
        ),
        "mistakes.png": sheets.draw_sheet(
            f"most confident mistakes: {title}",
            sheets.prediction_cells(split.images, split.labels, probabilities, mistakes),
        ),
    }


def _training_pictures(fitter: Fitter, split: Split) -> dict[str, bytes]:
    """Draw what the network was shown, and what its first layer made of it."""
    pictures = {"weights.png": plots.first_layer(first_kernel(fitter.network))}
    if (warp := fitter.recipe.warp) is not None:
        originals = sheets.sample_indices(split.labels, per_class=1, seed=fitter.recipe.seed)
        generator = np.random.default_rng(fitter.recipe.seed)
        cells = [
            sheets.Cell(split.images[index], (f"{split.labels[index]}  as it is",)) for index in originals
        ]
        for _ in range(SHEET_WARPS):
            # One at a time, so that each stands below its original with a warp of its own.
            cells += [
                sheets.Cell(
                    warp_epoch(split.images[index : index + 1], warp, generator)[0].reshape(
                        IMAGE_SIDE, IMAGE_SIDE
                    ),
                    ("warped",),
                )
                for index in originals
            ]
        pictures["warps.png"] = sheets.draw_sheet(
            "samples of the warps: every epoch bends every image anew", cells
        )
    if fitter.recipe.drawn:
        pictures["drawn.png"] = _drawn_picture(fitter.recipe.seed)
    if fitter.recipe.non_digits:
        images, _ = draw_non_digits(
            CLASSES * SHEET_DRAWN_PER_CLASS, np.random.default_rng(fitter.recipe.seed)
        )
        cells = [sheets.Cell(image, ("no digit",)) for image in images]
        pictures["non_digits.png"] = sheets.draw_sheet(
            "samples of what is no digit: every epoch draws an eighth of them anew", cells
        )
    if fitter.recipe.candidates:
        images, labels = fitter.cut(
            CLASSES * SHEET_DRAWN_PER_CLASS, np.random.default_rng(fitter.recipe.seed)
        )
        names = [*LABELS, "no digit"]
        cells = [sheets.Cell(image, (names[label],)) for image, label in zip(images, labels, strict=True)]
        pictures["candidates.png"] = sheets.draw_sheet(
            "samples of what was cut out of written lines: every epoch writes an eighth of them anew", cells
        )
    return pictures


def _drawn_picture(seed: int) -> bytes:
    """Draw digits as those that were mixed into the images, a column of each class."""
    images, labels = draw_digits(CLASSES * SHEET_DRAWN_PER_CLASS, np.random.default_rng(seed))
    by_class = labels.argsort(kind="stable").reshape(CLASSES, SHEET_DRAWN_PER_CLASS)
    cells = [sheets.Cell(images[index], (str(labels[index]),)) for index in by_class.T.ravel()]
    return sheets.draw_sheet("samples of the drawn digits: every epoch draws an eighth of them anew", cells)
