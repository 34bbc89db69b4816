"""Where a dataset may lie on this machine: a named place, the user's cache, Keras' cache.

A place that somebody names may be of any form that ``sources`` knows; in the caches only MNIST's own files are looked
for.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from edgedigits.datasets import mnist_files
from edgedigits.datasets.idx import idx_path
from edgedigits.datasets.mnist_files import WAYS_OUT
from edgedigits.errors import DatasetNotFoundError, SourceError
from edgedigits.sources.folder import is_picture_name, walk
from edgedigits.sources.read import form_of
from edgedigits.user_cache import user_cache

_INSIDE = ("", "raw", "MNIST/raw")
"""Where in a folder that somebody names the four files are looked for: torchvision's folder has them deeper."""


@dataclass(frozen=True)
class Source:
    """Where MNIST lies on this machine."""

    path: Path
    """A folder of the four IDX files, or an ``.npz`` file; where somebody named it, also any other file or folder that
    ``sources`` reads."""
    origin: str
    """How it was found: ``--data``, ``EDGEDIGITS_DATA``, ``user cache``, ``Keras cache`` or ``download``."""


def cache_folder() -> Path | None:
    """Return the folder that downloads go to, in the user's cache; None for a user who has no home."""
    cache = user_cache()
    return None if cache is None else cache / "mnist"


def find(data: Path | None = None) -> Source | None:
    """Find MNIST without a download: ``data``, ``EDGEDIGITS_DATA``, the user's cache, the Keras cache.

    Raises:
        DatasetError: ``data`` or ``EDGEDIGITS_DATA`` names something that is not there. (A place that somebody
            named is never passed over in silence.)
    """
    if (source := named_source(data)) is not None:
        return source
    for path, origin in (
        (cache_folder(), "user cache"),
        (_keras_file(), "Keras cache"),
    ):
        if path is not None and _holds_files(path):
            return Source(path, origin)
    return None


def named_source(data: Path | None, advice: str = WAYS_OUT) -> Source | None:
    """Return the place that ``data`` or ``EDGEDIGITS_DATA`` names; None where neither does.

    Raises:
        DatasetError: there is no dataset. The message ends with the advice.
    """
    named = ((data, "--data"), (os.environ.get("EDGEDIGITS_DATA") or None, "EDGEDIGITS_DATA"))
    for place, origin in named:
        if place is not None:
            path = Path(place)
            for inside in _INSIDE:
                if _holds_files(path / inside):
                    return Source(path / inside, origin)
            if not _may_hold_images(path):
                raise DatasetNotFoundError(
                    f"{path} ({origin}): expected a folder with {', '.join(_all_names())} (each plain or .gz), a Keras "
                    f".npz, or images with labels as Parquet, CSV, a tar archive or class folders, found "
                    f"{_describe_place(path)}; {advice}"
                )
            return Source(path, origin)
    return None


def holds_mnist_files(path: Path) -> bool:
    """Tell whether a place is a folder of the four IDX files, or an ``.npz`` file."""
    return _holds_files(path)


def _may_hold_images(path: Path) -> bool:
    """Tell whether a place holds what ``sources`` may read; not a folder with only some of the four IDX files."""
    try:
        if not path.is_dir():
            return path.is_file() and form_of(path.name) is not None
        if any(idx_path(path, name) is not None for name in _all_names()):
            return False
        names = walk(str(path))
        return any(is_picture_name(name) or form_of(os.fsdecode(name)) is not None for name in names)
    except (OSError, ValueError, SourceError):  # `_describe_place` says why
        return False


def _keras_file() -> Path | None:
    try:
        home = os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()
    except RuntimeError:  # no home
        return None
    return Path(home, "datasets", "mnist.npz")


def _all_names() -> list[str]:
    return [file.name for part in mnist_files.FILES.values() for file in part]


def _holds_files(path: Path) -> bool:
    try:
        if path.is_dir():
            return all(idx_path(path, name) is not None for name in _all_names())
        return path.suffix == ".npz" and path.is_file()
    except OSError:  # It may not be read: `named_source` says so where somebody named it.
        return False


def _describe_place(path: Path) -> str:
    try:
        path.stat()
        if not path.is_dir():
            return "a file that is no .npz or other file of images"
        next(path.iterdir(), None)
        missing = [name for name in _all_names() if idx_path(path, name) is None]
        if len(missing) == len(_all_names()):
            return f"a folder without {', '.join(missing)} or other images"
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a null byte in the name
        return "nothing there"
    except OSError as error:
        return f"a place that cannot be read ({error.strerror})"
    return f"a folder without {', '.join(missing)}"
