"""Compares two model files: both answer the same test images, each in its own runtime."""

import dataclasses
from pathlib import Path

import numpy as np

from edgedigits.answers import faults, no_probabilities
from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.records import File
from edgedigits.comparing import paired
from edgedigits.comparing.costs import cost_changes
from edgedigits.comparing.judgement import judge
from edgedigits.comparing.latency import measure_latency
from edgedigits.comparing.result import ClassChange, Comparison, Side
from edgedigits.datasets.read import read_split
from edgedigits.datasets.split import Split
from edgedigits.errors import DatasetError
from edgedigits.input_scale import InputScale
from edgedigits.measuring import metrics
from edgedigits.measuring.fed_models import open_fed_model
from edgedigits.measuring.foreign import open_foreign_model
from edgedigits.measuring.machine import MachineCard
from edgedigits.measuring.recorded import recorded_network
from edgedigits.measuring.subjects import foreign_files
from edgedigits.measuring.verify import run_all
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.model import Model


def open_model_file(
    path: Path,
    data: Path | None,
    *,
    may_be_foreign: bool,
    threads: int = 1,
    input_scale: InputScale | None = None,
    progress: Progress = SILENT,
) -> Model:
    """Open one of two model files.

    Args:
        path: of any format; see ``runtimes.open_model``.
        data: where training images are, from which it is told what a network is to be fed where nothing says it.
        may_be_foreign: whether a ``.onnx`` or ``.tflite`` file that edgedigits did not make is opened.
        threads: of the runtime.
        input_scale: what a network of Keras or of another tool was trained on, by hand.
        progress: told what was found out.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError, MissingExtraError: it cannot be opened.
        DatasetError, AccuracyError: see ``measuring.fed_models.open_fed_model``.
    """
    is_foreign = may_be_foreign and bool(foreign_files([path]))
    opened = open_foreign_model if is_foreign else open_fed_model
    return opened(path, data, threads=threads, input_scale=input_scale, progress=progress)


def read_images(old: Model, new: Model, data: Path | None, progress: Progress = SILENT) -> Split:
    """Read the test images that two models are to answer.

    Args:
        old: an opened file.
        new: another.
        data: where the images are; see ``datasets.read.read_split``. Where it is named, it says what both answer.
        progress: shows a bar where MNIST is downloaded.

    Raises:
        DatasetError: the manifests beside the two say that they were judged by different test images, and no data are
            named; or the data cannot be read.
        ContractError: the models are for different classes, or for others than those of the images.
    """
    hashes = {model.path: sha256 for model in (old, new) if (sha256 := _recorded_test(model)) is not None}
    if data is None and len(set(hashes.values())) > 1:
        found = ", ".join(f"{path} by {sha256[:12]}…" for path, sha256 in hashes.items())
        raise DatasetError(
            f"expected two models that were judged by the same test images, found {found}; "
            "name the images that both are to answer with --data"
        )
    split = read_split(data, "test", old.metadata.labels, progress=progress)
    for model in (old, new):
        model.check_classes(split)
    return split


def _recorded_test(model: Model) -> str | None:
    """Return the sha256 of the test images by which a model was judged, where the manifest beside it says it."""
    network = recorded_network(model)
    training = None if network is None else network["training"]
    if training is None or training["weights_sha256"] != model.metadata.weights_sha256:
        return None
    return training["dataset"]["test_sha256"]


def compare_models(
    old: Model,
    new: Model,
    split: Split,
    *,
    names: tuple[str, str],
    max_loss: float | None = None,
    is_strict: bool = False,
    with_latency: bool = True,
    progress: Progress = SILENT,
) -> tuple[Comparison, metrics.Probabilities, metrics.Probabilities]:
    """Ask two models about the same images.

    Args:
        old: an opened file.
        new: another, or the same.
        split: the images.
        names: what the results call the two.
        max_loss: points of accuracy that may be lost; None for no gate.
        is_strict: whether the new model has to prove that it lost no more.
        with_latency: whether both are timed, in turn.
        progress: shows bars.

    Returns:
        What was found, and the answers of both, float32 (n, 10).

    Raises:
        ModelFileError: a file gives no probabilities.
    """
    before, after = (_answers(model, split, progress) for model in (old, new))
    found = metrics.compare(split.labels, before, after)
    difference = paired.difference(len(split.labels), len(found.fixed), len(found.broken))
    least = paired.least_detectable(difference.images, difference.fixed + difference.broken)
    comparison = Comparison(
        dataset=split.dataset,
        test_sha256=split.sha256,
        old=_side(old, names[0], split, before),
        new=_side(new, names[1], split, after),
        difference=difference,
        fixed=found.fixed,
        broken=found.broken,
        changed=found.changed,
        least_detectable=None if least is None else 100.0 * least / difference.images,
        classes=_classes(split, before, after),
        costs=cost_changes(_recorded_file(old), _recorded_file(new)),
        latency=measure_latency(old, new, split, progress) if with_latency else None,
        machine=MachineCard.read(max(old.threads, new.threads)) if with_latency else None,
        judgement=None if max_loss is None else judge(difference, max_loss, is_strict=is_strict),
    )
    return comparison, before, after


def _answers(model: Model, split: Split, progress: Progress) -> metrics.Probabilities:
    answers = run_all(model, split, progress)
    if faults(answers, model.sum_tolerance):
        raise no_probabilities(model.path, answers, model.sum_tolerance)
    return answers


def _side(model: Model, name: str, split: Split, answers: metrics.Probabilities) -> Side:
    return Side(
        file=name,
        sha256=sha256_file(model.path),
        bytes=model.path.stat().st_size,
        weights_sha256=model.metadata.weights_sha256,
        precision=model.metadata.precision,
        runtime=model.runtime,
        accuracy=metrics.accuracy(split.labels, answers.argmax(axis=1)),
        expected_calibration_error=metrics.expected_calibration_error(split.labels, answers),
    )


def _classes(
    split: Split, before: metrics.Probabilities, after: metrics.Probabilities
) -> tuple[ClassChange, ...]:
    """Compare the two class by class of the truth; those that no image is of are left out."""
    was_right, is_right = (answers.argmax(axis=1) == split.labels for answers in (before, after))
    changes = []
    for label in np.unique(split.labels):
        old, new = (right[split.labels == label] for right in (was_right, is_right))
        changes.append(
            ClassChange(
                label=int(label),
                name=split.class_names[label],
                old_correct=int(old.sum()),
                new_correct=int(new.sum()),
                difference=paired.difference(len(old), int((new & ~old).sum()), int((old & ~new).sum())),
                p_holm=1.0,
            )
        )
    corrected = paired.holm([change.difference.p_value for change in changes])
    return tuple(dataclasses.replace(change, p_holm=p) for change, p in zip(changes, corrected, strict=True))


def _recorded_file(model: Model) -> File:
    """Return what the manifest beside a model says of this very file; nothing where it is about another."""
    network = recorded_network(model)
    record: File = {} if network is None else network["files"].get(model.path.name, {})
    return record if record.get("sha256") == sha256_file(model.path) else {}
