"""What results call a dataset."""

from pathlib import Path

from edgedigits.datasets.mnist_files import MNIST_NAME
from edgedigits.errors import DatasetError
from edgedigits.sources.read import stem_of

_SAY_NOTHING = ("raw", "train", "training", "data", "images", "test", "testing")
"""Names that say nothing of a dataset: the folder's stands before them."""


def dataset_name(path: Path) -> str:
    """Return what results call the dataset in a place: the name of its folder, or of its file without its ending.

    Where that is ``train`` or the like, the folder that it lies in stands before it.

    Raises:
        DatasetError: nobody could read it, or everybody would take it for MNIST.
    """
    place = path.resolve()
    name = place.name if place.is_dir() else stem_of(place.name)
    if name.casefold() in _SAY_NOTHING and place.parent.name:
        name = f"{place.parent.name}/{name}"
    if not name or not name.isprintable() or name.casefold() == MNIST_NAME.casefold():
        raise DatasetError(
            f"{path}: expected another dataset than MNIST, found {name!r}, the name that its results would carry; "
            "name another place with --data, or rename this one"
        )
    return name
