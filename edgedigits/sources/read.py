"""Opens what a user names, and reads a part of it: the one door to all forms."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from edgedigits.arguments import count_of
from edgedigits.errors import SourceError, SourceNotFoundError
from edgedigits.sources import arrays, csv_file, folder, parquet_file, tar_file
from edgedigits.sources.parts import Batch, Form, Part, Source

ROWS = 4096
"""In one batch."""
_FORMS = "a folder of pictures, Parquet, .npy, .npz, IDX, CSV or a tar archive"

_ENDINGS: dict[str, Form] = {
    ".npy": "npy",
    ".npz": "npz",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tar": "tar",
    ".tar.gz": "tar",
    ".tgz": "tar",
    ".parquet": "parquet",
}
_OPENERS: dict[Form, Callable[[str], list[Source]]] = {
    "npy": arrays.open_npy,
    "npz": arrays.open_npz,
    "idx": arrays.open_idx,
    "csv": csv_file.open_csv,
    "tar": tar_file.open_tar,
    "parquet": parquet_file.open_parquet,
}
_READERS: dict[Form, Callable[[Part, int], Iterator[Batch]]] = {
    "folder": folder.read,
    "npy": arrays.read,
    "npz": arrays.read,
    "idx": arrays.read,
    "csv": csv_file.read,
    "tar": tar_file.read,
    "parquet": parquet_file.read,
}


def open_source(path: "Path | str") -> list[Source]:
    """Tell what a path is, and how many pictures are there.

    Args:
        path: a file, told by its name; or a folder: its pictures, also in folders inside, are one source, and each file
            in it that holds many is one more. They come in the order of their names' bytes.

    Returns:
        One source or more.

    Raises:
        SourceNotFoundError: there is nothing, or nothing in which pictures are.
        SourceError: it cannot be read, or is of no form that is known.
    """
    name = os.fspath(path)
    if Path(name).is_dir():
        return _open_folder(name)
    if not os.path.lexists(name):
        raise SourceNotFoundError(f"{name}: nothing there; name {_FORMS}")
    form = form_of(Path(name).name)
    if form is None:
        raise SourceError(f"{name}: expected {_FORMS}, found another name; rename it as what it is")
    return _OPENERS[form](name)


def read_part(part: Part, batch_rows: int = ROWS) -> Iterator[Batch]:
    """Read a part in batches, in its order.

    Args:
        part: of ``Source.parts``.
        batch_rows: pictures in one batch, at most; fewer where they are large.

    Raises:
        SourceError: the file cannot be read, or is not what it was when it was opened.
    """
    return _READERS[part.form](part, count_of("batch_rows", batch_rows))


def form_of(name: str) -> Form | None:
    """Tell by its name which form a file is of; None where it is of none."""
    if arrays.is_idx_name(name):
        return "idx"
    return next((form for ending, form in _ENDINGS.items() if name.lower().endswith(ending)), None)


def stem_of(name: str) -> str:
    """Return the name of a file without what tells its form."""
    ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), None)
    return Path(name).stem if ending is None else name[: -len(ending)]


def _open_folder(path: str) -> list[Source]:
    names = folder.Names()
    files: list[str] = []
    for found in folder.walk(path):
        if folder.is_picture_name(found):
            names.append(found)
        elif form_of(Path(os.fsdecode(found)).name) is not None:
            files.append(os.fsdecode(found))
    sources = [folder.open_folder(path, names)] if len(names) else []
    for name in files:
        if not arrays.are_labels(name, files) and not _is_list(path, name, names):
            form = form_of(Path(name).name)
            assert form is not None  # noqa: S101 - that is why it is in the list
            sources += _OPENERS[form](str(Path(path, name)))
    if not sources:
        raise SourceNotFoundError(f"{path}: no pictures in this folder; name {_FORMS}")
    return sources


def _is_list(path: str, name: str, pictures: folder.Names) -> bool:
    """Tell whether a CSV file beside pictures is about them, and holds none itself."""
    return (
        len(pictures) > 0 and form_of(name) == "csv" and not csv_file.is_csv_of_images(str(Path(path, name)))
    )
