"""Opens model files to be judged: a Keras network that does not say what it was trained on is asked first."""

from pathlib import Path

from edgedigits.datasets.read import read_split
from edgedigits.input_scale import InputScale
from edgedigits.measuring.keras_input import choose_input_scale
from edgedigits.progress import SILENT, Progress
from edgedigits.runtimes.keras_model import KerasModel
from edgedigits.runtimes.model import Model
from edgedigits.runtimes.opening import open_model


def open_fed_model(
    path: Path,
    data: Path | None,
    *,
    threads: int = 1,
    input_scale: InputScale | None = None,
    progress: Progress = SILENT,
) -> Model:
    """Open a model file; find out from training images what a ``.keras`` file is to be fed, where nothing says it.

    Args:
        path: see ``runtimes.open_model``.
        data: where the training images are; see ``datasets.read.read_split``. Only read where they are needed.
        threads: of the runtime.
        input_scale: of a ``.keras`` file, by hand.
        progress: told what was found.

    Raises:
        ModelNotFoundError, ModelFileError, ContractError, MissingExtraError: see ``runtimes.open_model``.
        DatasetError: training images are needed, and are not there.
        AccuracyError: they do not tell; see ``keras_input.choose_input_scale``.
    """
    model = open_model(path, threads=threads, input_scale=input_scale)
    if isinstance(model, KerasModel) and not model.input_is_known:
        split = read_split(data, "train", model.metadata.labels, progress=progress)
        choice = choose_input_scale(path, model.answers, split, declared=False, is_sigmoid=model.is_sigmoid)
        progress.note(choice.note(path.name))
        model.input_scale = choice.scale
    return model
