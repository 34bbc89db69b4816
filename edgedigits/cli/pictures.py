"""The pictures that the arguments of a command name, and a folder that takes pictures made from them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgedigits.errors import ImageError, ImageFileError, ImageNotFoundError
from edgedigits.file_names import PICTURE_SUFFIXES
from edgedigits.printable import printable

if TYPE_CHECKING:
    from edgedigits.picture.levels import Pixels
    from edgedigits.picture.reading import Picture

STANDARD_INPUT = "-"
NOT_SURE = "not sure"
"""Behind an answer whose lead is too small."""


def find_pictures(images: tuple[str, ...]) -> "Iterator[tuple[str, Picture | ImageError]]":
    """Name the pictures that the arguments stand for, with where to read them.

    A folder stands for its picture files in order of name, without those of folders inside. One that holds none is
    yielded as the error that says so.
    """
    for image in images:
        if image == STANDARD_INPUT:
            yield image, sys.stdin.buffer
        elif Path(image).is_dir():
            yield from pictures_in(Path(image))
        else:
            yield image, image


def pictures_in(folder: Path) -> "Iterator[tuple[str, Picture | ImageError]]":
    """Name the picture files of a folder as ``find_pictures`` does."""
    name = printable(str(folder))
    try:
        paths = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()
        )
    except OSError as error:
        yield (
            str(folder),
            ImageFileError(f"{name}: cannot be read: {error.strerror}; name a folder that you may read"),
        )
        return
    if not paths:
        yield (
            str(folder),
            ImageNotFoundError(
                f"{name}: no pictures in this folder; looked for {', '.join(PICTURE_SUFFIXES)}"
            ),
        )
    for path in paths:
        yield str(path), str(path)


class PictureFolder:
    """A folder that takes pictures, each under the name of the one that it was made from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()

    def save(self, name: str, pixels: "Pixels") -> None:
        """Write one picture as PNG, whole or not at all. A name that was taken before gets a number.

        Args:
            name: of the picture that it was made from; its stem is the file's.
            pixels: (h, w) or (h, w, 3) uint8.

        Raises:
            OutputError: it cannot be written.
        """
        stem = "standard-input" if name == STANDARD_INPUT else Path(name).stem
        number, file = 1, f"{stem}.png"
        while file in self._taken:
            number += 1
            file = f"{stem}-{number}.png"
        self._taken.add(file)
        save_picture(self._folder / file, pixels)


def save_picture(path: Path, pixels: "Pixels") -> None:
    """Write pixels, uint8 (h, w) or (h, w, 3), as a PNG file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    import io

    from PIL import Image

    from edgedigits.artifacts.staging import write_atomically

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())
