"""What is measured and on which images: the model files of a folder, each in the ways that it can be asked."""

import dataclasses
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgedigits.arguments import threads_of
from edgedigits.artifacts.recovery import check_settled
from edgedigits.contract import LABELS
from edgedigits.datasets.read import read_split
from edgedigits.datasets.split import Split
from edgedigits.errors import ForeignModelError, ModelFileError, ModelNotFoundError
from edgedigits.file_names import PREPARE_ENDING, SELFTEST_ENDING, network_name
from edgedigits.format_table import FORMATS, format_of, is_keras
from edgedigits.input_scale import InputScale
from edgedigits.measuring.fed_models import open_fed_model
from edgedigits.measuring.foreign import open_foreign_model
from edgedigits.measuring.reference import read_reference, reference_path
from edgedigits.model_files.content import kind_there, read_model_bytes
from edgedigits.model_files.foreign import foreign_error
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.foreign_model import ForeignModel
from edgedigits.runtimes.keras_model import KerasModel
from edgedigits.runtimes.model import KerasCall, Model
from edgedigits.runtimes.opening import open_model

KERAS_CALLS: tuple[KerasCall, ...] = ("model(x)", "predict")


@dataclass(frozen=True)
class Subject:
    """A way to ask a model file."""

    path: Path
    keras_call: KerasCall | None = None
    """For ``.keras`` and ``.h5`` files: which of the two calls."""
    input_scale: InputScale | None = None
    """For ``.keras`` and ``.h5`` files: what it was trained on; None for what the file or the manifest says."""
    gives: str | None = None
    """For models of other tools: what their ten numbers are; see ``ForeignModel.ends_in``."""

    @property
    def name(self) -> str:
        """Name of the row: ``digits.int8.tflite``, ``digits.keras predict``."""
        if self.gives is not None:
            return f"{self.path.name} (foreign)"
        return f"{self.path.name} {self.keras_call}" if self.keras_call else self.path.name

    @property
    def sample_share(self) -> float:
        """Share of ``min_samples`` that is asked of it: Keras' calls take milliseconds each."""
        return 0.05 if self.keras_call else 1.0

    def open(self, threads: int) -> Model:
        """Open the file as this row asks it."""
        if self.gives is not None:
            foreign = ForeignModel(self.path, threads_of(threads), self.input_scale)
            foreign.ends_in = self.gives
            return foreign
        return open_model(
            self.path,
            threads=threads,
            keras_call=self.keras_call or "model(x)",
            input_scale=self.input_scale,
        )


def find_subjects(paths: Sequence[Path], with_keras: bool) -> list[Subject]:
    """Make the rows of some model files: one each, and two for a ``.keras`` file where Keras is there.

    Args:
        paths: model files.
        with_keras: whether ``.keras`` files are to be measured.

    Raises:
        ModelFileError: an interrupted run left a set of files beside them that is only partly in place: they may be of
            two runs.
    """
    for folder in {path.parent: None for path in paths}:
        check_settled(folder)
    subjects = []
    for path in paths:
        if not is_keras(path):
            subjects.append(Subject(path))
        elif with_keras:
            subjects += [Subject(path, call) for call in KERAS_CALLS]
    return subjects


def fed_subjects(
    subjects: Sequence[Subject],
    data: Path | None,
    input_scale: InputScale | None = None,
    progress: Progress = SILENT,
) -> list[Subject]:
    """Say of each ``.keras`` file what it is fed, found out from training images where nothing says it.

    Args and errors as in ``opening.open_fed_model``.
    """
    scales: dict[Path, InputScale | None] = {}
    for path in {subject.path: None for subject in subjects if subject.keras_call}:
        model = open_fed_model(path, data, input_scale=input_scale, progress=progress)
        scales[path] = model.input_scale if isinstance(model, KerasModel) else None
    return [dataclasses.replace(subject, input_scale=scales.get(subject.path)) for subject in subjects]


def foreign_subjects(
    paths: Sequence[Path],
    data: Path | None,
    input_scale: InputScale | None = None,
    progress: Progress = SILENT,
) -> list[Subject]:
    """Make a row of each model of another tool, with what was found out of its input and its output.

    Args and errors as in ``foreign.open_foreign_model``.
    """
    opened = [
        open_foreign_model(path, data, input_scale=input_scale, progress=progress)
        for path in dict.fromkeys(paths)
    ]
    return [Subject(model.path, input_scale=model.input_scale, gives=model.ends_in) for model in opened]


def model_files(folder: Path, name: str | None = None) -> list[Path]:
    """Return the model files in a folder, exported ones first; C files only where there is a C compiler.

    Args:
        folder: where to look.
        name: the network whose files are wanted; None for all networks.

    Raises:
        ModelNotFoundError: there is no such folder.
        ModelFileError: there is none in it.
    """
    advice = "name a folder, or export some with `edgedigits export`"
    if kind_there(folder, advice) != stat.S_IFDIR:
        raise ModelNotFoundError(folder, advice)
    found = [
        path
        for row in FORMATS.values()
        if row.is_listed and row.can_be_opened
        for path in sorted(folder.glob(f"*{row.ending}"), key=lambda path: (len(path.name), path.name))
        if format_of(path) == row
        and name in (None, network_name(path))
        and not path.name.endswith((SELFTEST_ENDING, PREPARE_ENDING))
    ]
    if not found:
        raise ModelFileError(folder, "no model files in this folder", "export some with `edgedigits export`")
    return found


def foreign_files(paths: Sequence[Path]) -> dict[Path, ForeignModelError]:
    """Return the ``.onnx`` and ``.tflite`` files that edgedigits did not make, and the error that says so of each.

    Raises:
        ModelNotFoundError, ModelFileError: one cannot be read.
    """
    kinds = [path for path in paths if path.suffix in {".onnx", ".tflite"}]
    errors = {path: foreign_error(path, read_model_bytes(path)) for path in kinds}
    return {path: error for path, error in errors.items() if error is not None}


def read_test_split(subjects: Sequence[Subject], data: Path | None, progress: Progress = SILENT) -> Split:
    """Read the test images that some model files are about.

    Args:
        subjects: what is to be measured; the first says which classes there are.
        data: see ``datasets.read.read_split``.
        progress: shows a bar where MNIST is downloaded.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError, MissingExtraError: the first file cannot be opened.
        DatasetError: the data cannot be read, or a network's reference answers are to other images.
    """
    labels = subjects[0].open(threads=1).metadata.labels if subjects else LABELS
    split = read_split(data, "test", labels, progress=progress)
    if labels != LABELS:
        # MNIST is pinned; here only the reference, where it came along, knows which images there must be.
        for path in sorted(
            {reference_path(subject.path.parent, network_name(subject.path)) for subject in subjects}
        ):
            if path.is_symlink() or path.exists():
                read_reference(path).check_split(split, path)
    return split
