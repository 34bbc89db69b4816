"""What holds a Keras network besides a ``.keras`` file of Keras 3, told by its content, and how it is saved anew."""

import stat
from pathlib import Path

from edgedigits.errors import ContractError, EdgeDigitsError
from edgedigits.files import open_file
from edgedigits.model_files.content import kind_there

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
EXPECTED = "a network in a .keras file of Keras 3 or a whole-model .h5 file"
TRAIN_OR_NAME = "train one with `edgedigits train`, or name another"


def is_hdf5(path: Path) -> bool:
    """Whether a file is HDF5: a whole-model ``.h5``, or weights alone; Keras 2 long wrote it as ``.keras`` too.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: nobody may look.
    """
    if kind_there(path, TRAIN_OR_NAME) != stat.S_IFREG:
        return False
    try:
        with open_file(path, path.stat().st_size) as file:
            return file.read(len(HDF5_MAGIC)) == HDF5_MAGIC
    except OSError:
        # Whoever reads the file next says of it what is wrong.
        return False


def other_source(path: Path) -> EdgeDigitsError | None:
    """Return the error that says of a SavedModel how the network in it is saved anew; None where it is none.

    Raises:
        ModelNotFoundError: nothing lies there.
        ModelFileError: nobody may look.
    """
    if kind_there(path, TRAIN_OR_NAME) != stat.S_IFDIR or not (path / "saved_model.pb").is_file():
        return None
    return ContractError(
        path,
        EXPECTED,
        "a SavedModel",
        f"save it anew with Keras 2: tf_keras.models.load_model({path.name!r}).save('{path.name}.h5'), or the network "
        f"that it was exported from: model.save('{path.name}.keras')",
    )


def weights_alone(path: Path) -> ContractError:
    """Return the error about a file of weights without a network."""
    return ContractError(
        path,
        EXPECTED,
        "weights alone, without a network",
        f"build the network in Keras, model.load_weights({path.name!r}), and save it whole: "
        f"model.save('{path.name.partition('.')[0]}.keras')",
    )


def of_keras_2(path: Path) -> ContractError:
    """Return the error about an archive that Keras 2 wrote."""
    return ContractError(
        path,
        EXPECTED,
        "a .keras file of Keras 2",
        f"save it anew with Keras 2: tf_keras.models.load_model({path.name!r}).save({path.with_suffix('.h5').name!r})",
    )
