"""One training run from images to files: fit, score, draw, and put everything in place at once."""

import csv
import dataclasses
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from edgedigits import artifacts, metrics, plots, sheets
from edgedigits.contract import (
    DEFAULT_NAME,
    IMAGE_SIDE,
    arch_text,
    class_title,
    file_name,
    sidecar_name,
)
from edgedigits.errors import DatasetError, ModelFileError
from edgedigits.mnist import Split
from edgedigits.progress import SILENT, Progress
from edgedigits.reference import FILE_NAME as REFERENCE_NAME
from edgedigits.reference import Reference
from edgedigits.training.architectures import dense_weights, weights_sha256
from edgedigits.training.augmentation import warp_epoch
from edgedigits.training.backend import tf
from edgedigits.training.fitting import Data, Epoch, Fitter
from edgedigits.training.recipe import Recipe
from edgedigits.training.robustness import Condition, measure_robustness
from edgedigits.training.temperature import TemperatureScaling, scale_by_temperature

TOOLS = ("tensorflow", "keras", "numpy", "scikit-learn")
SHEET_SAMPLES_PER_CLASS = 5
SHEET_MISTAKES = 50
SHEET_WARPS = 4
NOTES = 20
"""Lines of progress that a run leaves behind; a shorter run leaves one per epoch."""


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

    def describe(self) -> str:
        """Write the scores as a few lines of text."""
        lines = [f"{self.path}: test accuracy {self.accuracy}, {self.seconds:.1f} s of training"]
        titles = [class_title(self.labels, score.label) for score in self.classes]
        width = max(len("class"), *map(len, titles))
        lines.append(f"  {'class':>{width}}  images  precision  recall     f1")
        lines += [
            f"  {title:>{width}}  {score.images:>6}  {100 * score.precision:>7.2f} %  {100 * score.recall:>5.2f} %"
            f"  {100 * score.f1:>5.2f} %"
            for title, score in zip(titles, self.classes, strict=True)
        ]
        return "\n".join([*lines, f"  {self.scaling}", f"  weights sha256 {self.weights_sha256}"])


def train(
    recipe: Recipe,
    train_split: Split,
    test_split: Split,
    folder: Path,
    *,
    name: str = DEFAULT_NAME,
    resume: bool = False,
    progress: Progress = SILENT,
) -> TrainingResult:
    """Train a network and write it with its history, reference answers, plots and manifest.

    After the last epoch one temperature is fitted to the validation images and folded into the network that is
    written; history and checkpoints are those of the network as it was trained. The same recipe on the same machine
    gives the same weights. Files appear in ``folder`` all at once at the end; until then only a checkpoint is written
    after each epoch.

    Args:
        recipe: everything that decides the outcome.
        train_split: images to fit; ``recipe.validation`` of them are held out.
        test_split: images for the final score; nothing else is decided by them.
        folder: where to write.
        name: stem of the network's files.
        resume: go on from the last finished epoch of an interrupted run with the same recipe.
        progress: shows a bar per epoch, and a line when it is done.

    Raises:
        DatasetError: the training split is too small for the recipe.
        ModelFileError: the checkpoint is unreadable, or of a run with another recipe.
        OutputError: ``folder`` cannot be written to.
    """
    artifacts.check_temporary_room()
    tf.config.experimental.enable_op_determinism()
    data = _data(recipe, train_split)
    fitter = Fitter(recipe, data)
    checkpoint = folder / sidecar_name(name, "checkpoint.npz")
    history: list[Epoch] = []
    if resume and checkpoint.exists():
        history = _read_checkpoint(checkpoint, fitter, train_split)
        progress.note(f"resuming after epoch {len(history)} of {recipe.epochs}")
    elif resume:
        progress.note(f"no interrupted run in {folder}: starting from the first epoch")
    resumed_after = len(history)
    note_every = max(1, recipe.epochs // NOTES)
    for epoch in range(resumed_after + 1, recipe.epochs + 1):
        with progress.task(_bar_title(epoch, recipe, history), fitter.steps_per_epoch) as advance:
            history.append(fitter.fit_epoch(epoch, advance))
        _write_checkpoint(checkpoint, fitter, history, train_split)
        if epoch % note_every == 0 or epoch == recipe.epochs:
            progress.note(describe_epoch(history[-1], recipe))
    scaling = scale_by_temperature(
        fitter.network,
        fitter.probabilities,
        (data.validation_images, data.validation_labels),
        (test_split.images, test_split.labels),
    )
    result = _write_results(fitter, history, scaling, train_split, test_split, folder, name, resumed_after)
    checkpoint.unlink(missing_ok=True)
    return result


def _bar_title(epoch: int, recipe: Recipe, history: list[Epoch]) -> str:
    """Name the epoch that a bar is about, and what the one before it came to."""
    title = f"epoch {epoch}/{recipe.epochs}"
    return f"{title}  {_figures(history[-1])}" if history else title


def describe_epoch(epoch: Epoch, recipe: Recipe) -> str:
    """Write one epoch as a line of text."""
    width = len(str(recipe.epochs))
    return f"epoch {epoch.epoch:>{width}}/{recipe.epochs}  {_figures(epoch)}  {epoch.seconds:.1f} s"


def _figures(epoch: Epoch) -> str:
    return (
        f"loss {epoch.loss:.4f}  accuracy {100 * epoch.accuracy:.2f} %"
        f"  val_loss {epoch.val_loss:.4f}  val_accuracy {100 * epoch.val_accuracy:.2f} %"
    )


def validation_indices(
    labels: npt.NDArray[np.uint8], validation: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split the training file's indices into those to fit and those held out, every class with its share.

    Args:
        labels: of the training file, shape (n,).
        validation: images to hold out.
        seed: of the recipe.

    Returns:
        Sorted int64 indices: fit, held out.

    Raises:
        DatasetError: not enough images for every class to stand in both parts.
    """
    try:
        fit, held_out = train_test_split(
            np.arange(len(labels)), test_size=validation, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise DatasetError(
            f"{validation} validation images cannot be held out of {len(labels):,}: {error}; "
            "choose another --validation"
        ) from error
    return np.sort(fit).astype(np.int64), np.sort(held_out).astype(np.int64)


def _data(recipe: Recipe, split: Split) -> Data:
    fit, held_out = validation_indices(split.labels, recipe.validation, recipe.seed)
    return Data(split.images[fit], split.labels[fit], split.images[held_out], split.labels[held_out])


def _write_checkpoint(path: Path, fitter: Fitter, history: list[Epoch], split: Split) -> None:
    about = {
        "recipe": fitter.recipe.to_dict(),
        "train_sha256": split.sha256,
        "history": [dataclasses.asdict(epoch) for epoch in history],
    }
    buffer = io.BytesIO()
    state = {f"variable_{index:03}": value for index, value in enumerate(fitter.state())}
    np.savez(buffer, about=json.dumps(about), **state)  # type: ignore[arg-type]
    artifacts.write_atomically(path, buffer.getvalue())


def _read_checkpoint(path: Path, fitter: Fitter, split: Split) -> list[Epoch]:
    """Put a checkpoint's state into the fitter and return the epochs that it had finished."""
    advice = "train without --resume to start anew"
    try:
        # Opened here: NumPy leaves a file open that turns out to be no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"][()]))
            state = [archive[key] for key in sorted(archive.files) if key != "about"]
        recipe = Recipe.from_dict(about["recipe"])
        history = [Epoch(**record) for record in about["history"]]
        train_sha256 = about["train_sha256"]
    except artifacts.ARCHIVE_ERRORS as error:
        raise ModelFileError(path, f"no readable checkpoint ({error})", advice) from error
    if differences := recipe.differences(fitter.recipe):
        raise ModelFileError(
            path,
            f"the interrupted run had other arguments ({', '.join(differences)})",
            f"give the same, or {advice}",
        )
    if train_sha256 != split.sha256:
        raise ModelFileError(path, "the interrupted run had other training images", advice)
    try:
        fitter.restore(state)
    except (ValueError, TypeError) as error:
        raise ModelFileError(path, "its arrays are not those of this network", advice) from error
    return history


def _write_results(
    fitter: Fitter,
    history: list[Epoch],
    scaling: TemperatureScaling,
    train_split: Split,
    test_split: Split,
    folder: Path,
    name: str,
    resumed_after: int,
) -> TrainingResult:
    probabilities = fitter.probabilities(test_split.images)
    digits = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(test_split.labels, digits)
    sha256 = weights_sha256(fitter.network)
    network_file = file_name(name, "keras")
    accuracy = metrics.accuracy(test_split.labels, digits)
    classes = tuple(metrics.class_scores(confusion))
    reference = Reference(probabilities, sha256, test_split.dataset, test_split.sha256)
    robustness = measure_robustness(fitter.probabilities, test_split)
    with artifacts.locked(folder), artifacts.staged(folder) as staging:
        # Without an optimizer: its state would make the file three times as large.
        fitter.network.save(staging / network_file)
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
        manifest = artifacts.read_manifest(folder)
        entry = artifacts.network_entry(manifest, name)
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
            entry["files"][path.name] = artifacts.file_receipt(path)
        artifacts.write_manifest(staging, manifest)
    stale = tuple(
        exported
        for exported, receipt in sorted(entry["files"].items())
        if receipt.get("weights_sha256", sha256) != sha256 and (folder / exported).exists()
    )
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
) -> dict[str, Any]:
    return {
        "arguments": recipe.to_dict(),
        "arch": arch_text(recipe.arch),
        "weights_sha256": sha256,
        "dataset": {
            "name": train_split.dataset,
            "labels": train_split.class_names,
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
        "versions": artifacts.versions(*TOOLS),
    }


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
    pictures = {"weights.png": plots.first_layer(dense_weights(fitter.network)[0][0])}
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
    return pictures
