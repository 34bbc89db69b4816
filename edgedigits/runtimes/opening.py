"""One interface over ONNX, TFLite, C and Keras files: ``open_model(path)``, chosen by the table of formats.

Each runtime is imported only when a file of its format is opened.
"""

import stat
from os.path import isdir
from pathlib import Path
from typing import TYPE_CHECKING

from edgedigits.arguments import threads_of
from edgedigits.errors import ModelFileError, ModelNotFoundError
from edgedigits.file_names import suffixes
from edgedigits.format_table import format_of, resolve
from edgedigits.model_files.content import kind_there
from edgedigits.runtimes.model import KerasCall, Model, Opening

if TYPE_CHECKING:
    from edgedigits.input_scale import InputScale

TRAIN_OR_NAME = "train and export one, or name another"


def open_model(
    path: Path,
    *,
    threads: int = 1,
    keras_call: KerasCall = "model(x)",
    input_scale: "InputScale | None" = None,
) -> Model:
    """Open a model file in its own runtime and check it against the contract.

    Args:
        path: ``.onnx`` and ``.ort`` (onnxruntime), ``.tflite`` and ``.tflm.c`` (LiteRT), ``.c`` (the system's C
            compiler: what is in the file is compiled and run), ``.keras`` or whole-model ``.h5`` (Keras).
        threads: of the runtime, 1 to 1,024, or 0 for one per core; Keras takes its own, C code has one.
        keras_call: how a Keras model is asked.
        input_scale: what a Keras model was trained on, and so is fed; None for what it declares by a Rescaling layer,
            else for what the manifest beside it says, else for values from 0 to 1 (see ``KerasModel.input_is_known``).

    Raises:
        ArgumentError: the number of threads is none of these.
        ModelNotFoundError: there is no such file.
        ModelFileError: it cannot be read as a model, or the suffix is of no known format.
        ContractError: a model, but not one that takes and gives what the contract says.
        MissingExtraError: its runtime is not installed.
    """
    opening = Opening(threads_of(threads), keras_call, input_scale)
    row = format_of(path)
    if isdir(path):  # noqa: PTH112  (a Path would raise where a name is too long)
        from edgedigits.model_files.keras_sources import other_source

        if (error := other_source(path)) is not None:
            raise error
    if row is None:
        raise ModelFileError(
            path, f"expected a file that ends in {', '.join(suffixes())}", "name a model file"
        )
    if kind_there(path, TRAIN_OR_NAME) != stat.S_IFREG:
        raise ModelNotFoundError(path, TRAIN_OR_NAME)
    model: Model = resolve(row.runtime)(path, opening)
    return model
