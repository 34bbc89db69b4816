"""One training run from images to files: fit, scale, score, and leave the files to ``run_files``."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.recovery import finish_commits
from edgedigits.artifacts.staging import check_temporary_room
from edgedigits.contract import LABELS
from edgedigits.datasets.split import Split
from edgedigits.errors import ArgumentError
from edgedigits.file_names import CHECKPOINT, DEFAULT_NAME, sidecar_name
from edgedigits.networks.backend import tf
from edgedigits.picture.levels import Pixels
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.opening import open_model
from edgedigits.training.checkpoint import read_checkpoint, write_checkpoint
from edgedigits.training.fitting import Epoch, Fitter, Targets, Teacher
from edgedigits.training.recipe import Recipe
from edgedigits.training.run_files import TrainingResult, write_results
from edgedigits.training.splits import training_data
from edgedigits.training.temperature import scale_by_temperature

NOTES = 20
"""Lines of progress that a run leaves behind; a shorter run leaves one per epoch."""


def train(
    recipe: Recipe,
    train_split: Split,
    test_split: Split,
    folder: Path,
    *,
    name: str = DEFAULT_NAME,
    teachers: Sequence[Path] = (),
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
        teachers: files of networks, of any format that ``open_model`` opens, whose mean answers to the images of every
            epoch, bent as they are, are taught with ``recipe.teacher_share``; their hashes become a part of the recipe.
        resume: go on from the last finished epoch of an interrupted run with the same recipe.
        progress: shows a bar over all epochs, and a line for one epoch in so many.

    Raises:
        ArgumentError: digits, or what is none, are to be drawn for a network that reads something else; or there is a
            share of teachers and no teacher, or a teacher without a share.
        DatasetError: the training split is too small for the recipe.
        ModelFileError: the checkpoint is unreadable, or of a run with another recipe; or a teacher's file is.
        OutputError: ``folder`` cannot be written to.
    """
    _check_classes(recipe, train_split)
    if bool(teachers) != bool(recipe.teacher_share):
        raise ArgumentError(
            f"teacher_share: expected {'more than 0 with' if teachers else '0 without'} teachers (--teacher), got "
            f"{recipe.teacher_share}"
        )
    teacher = _teacher(teachers)
    recipe = dataclasses.replace(recipe, teachers=tuple(sha256_file(path) for path in teachers))
    check_temporary_room()
    finish_commits(folder)
    tf.config.experimental.enable_op_determinism()
    data = training_data(recipe, train_split)
    fitter = Fitter(recipe, data, teacher)
    checkpoint = folder / sidecar_name(name, CHECKPOINT)
    history = _history(checkpoint, fitter, train_split, progress) if resume else []
    resumed_after = len(history)
    note_every = max(1, recipe.epochs // NOTES)
    steps = fitter.steps_per_epoch
    with progress.task(f"training {recipe.epochs} epochs", steps * recipe.epochs) as advance:
        advance(steps * resumed_after)
        for epoch in range(resumed_after + 1, recipe.epochs + 1):
            history.append(fitter.fit_epoch(epoch, advance))
            write_checkpoint(checkpoint, fitter, history, train_split)
            if epoch % note_every == 0 or epoch == recipe.epochs:
                progress.note(describe_epoch(history[-1], recipe))
    fitter.deploy()
    scaling = scale_by_temperature(
        fitter.network,
        fitter.probabilities,
        (data.validation_images, data.validation_labels),
        (test_split.images, test_split.labels),
    )
    result = write_results(fitter, history, scaling, train_split, test_split, folder, name, resumed_after)
    checkpoint.unlink(missing_ok=True)
    return result


def _teacher(paths: Sequence[Path]) -> Teacher | None:
    """Return what gives the mean answers of networks."""
    if not paths:
        return None
    models = [open_model(path) for path in paths]

    def mean(images: Pixels) -> Targets:
        total = sum(np.float32(1 / len(models)) * model.probabilities(images) for model in models)
        return np.asarray(total, np.float32)

    return mean


def _check_classes(recipe: Recipe, split: Split) -> None:
    if split.class_names == LABELS:
        return
    options = {"drawn": "--drawn", "non_digits": "--non-digits", "candidates": "--candidates"}
    for field, option in options.items():
        if count := getattr(recipe, field):
            raise ArgumentError(
                f"{field}: expected 0 where the classes are no digits ({', '.join(split.class_names)}), got "
                f"{count}: what is drawn would be taught as these, or as none of them; train with {option} 0"
            )


def _history(checkpoint: Path, fitter: Fitter, split: Split, progress: Progress) -> list[Epoch]:
    """Go on from a checkpoint, where there is one; return the epochs that are finished."""
    if not (checkpoint.is_symlink() or checkpoint.exists()):
        progress.note(f"no interrupted run in {checkpoint.parent}: starting from the first epoch")
        return []
    history = read_checkpoint(checkpoint, fitter, split)
    progress.note(f"resuming after epoch {len(history)} of {fitter.recipe.epochs}")
    return history


def describe_epoch(epoch: Epoch, recipe: Recipe) -> str:
    """Write one epoch as a line of text."""
    width = len(str(recipe.epochs))
    return (
        f"epoch {epoch.epoch:>{width}}/{recipe.epochs}  loss {epoch.loss:.4f}  {100 * epoch.accuracy:.2f} %"
        f"  validation {epoch.val_loss:.4f}  {100 * epoch.val_accuracy:.2f} %  {epoch.seconds:.1f} s"
    )
