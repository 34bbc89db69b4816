"""Pictures of any source -> rows with answers. One session for each process, opened when it is first needed."""

import errno
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.contract import CLASSES, IMAGE_SIDE
from edgedigits.errors import ImageError, ImageNotFoundError, ModelFileError, SourceError
from edgedigits.model_files.content import read_model_bytes
from edgedigits.native_output import discarded_native_output
from edgedigits.numbers.pattern import Form
from edgedigits.numbers.reading import Reading
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import as_it_is
from edgedigits.picture.reading import Picture, picture_name
from edgedigits.predictor import DigitPredictor
from edgedigits.score.columns import Rows, record_batch
from edgedigits.score.options import Options
from edgedigits.shipped import NUMBERS, default_model, named_model
from edgedigits.sources.parts import Batch

COUNTED = ("sure", "error")
"""Columns that are counted whether they are asked for or not."""
Found = TypeVar("Found")
"""What is made of a picture."""
NO_ANSWERS = np.empty((0, CLASSES), np.float32)


class Scorer:
    """Answers batches of pictures. It can be shared by threads, and is pickled by the path of its model.

    Attributes:
        options: what is chosen of the run.
        sha256: of the model file, which is the same wherever this is sent.
    """

    def __init__(self, model: Path | None, options: Options, *, fail_fast: bool = False) -> None:
        """Take a model, which is opened when it is first needed, here or wherever this is sent.

        Args:
            model: the ONNX file, or the name of one that came along; None for the default, of digits or of numbers.
                What came along is looked for in the edgedigits of each machine.
            options: what is chosen of the run.
            fail_fast: whether the first picture that cannot be read ends all.

        Raises:
            ModelNotFoundError, ModelFileError: there is no such file, or it cannot be read.
        """
        self.options = options
        if model is None and options.numbers is not None:
            model = Path(NUMBERS)
        self._model = None if model is None else model if named_model(model) != model else model.absolute()
        self.sha256 = _sha256_of(_file_of(self._model))
        self._fail_fast = fail_fast

    @property
    def predictor(self) -> DigitPredictor:
        """The model, opened once in each process.

        Raises:
            ModelFileError: it is another file than the one that the run began with.
        """
        return _opened(self._model, self.sha256, self.options.min_margin)

    def rows(self, batch: Batch, source: str) -> Rows:
        """Read the digits of a batch, or its numbers.

        Args:
            batch: the pictures.
            source: what the table calls the source.

        Raises:
            ImageError: one of them cannot be read, where the first such ends all.
        """
        probabilities, readings = NO_ANSWERS, None
        if self.options.numbers is None:
            probabilities, errors = self.answers(batch.images, batch.encoded)
        else:
            readings, errors = self.readings(batch.images, batch.encoded)
        if errors and self._fail_fast:
            position = min(errors)
            key = batch.start + position if batch.keys is None else batch.keys[position]
            raise ImageError(f"{source}: {key}: {errors[position]}")
        count = len(errors) + len(probabilities if readings is None else readings)
        return Rows(source, batch.start, count, batch.keys, batch.labels, probabilities, errors, readings)

    def damaged(self, source: str, start: int, count: int, error: str) -> Rows:
        """Return the rows of pictures that their source holds no more, each with the same error."""
        errors = dict.fromkeys(range(count), error)
        readings = None if self.options.numbers is None else ()
        return Rows(source, start, count, None, None, NO_ANSWERS, errors, readings)

    def table(self, rows: Rows) -> pa.RecordBatch:
        """Return rows as a batch of the columns that are asked for, and behind them those that are counted."""
        columns = dict.fromkeys((*self.options.columns, *COUNTED))
        return record_batch(rows, tuple(columns), self.predictor.min_margin)

    def answers(
        self, images: npt.NDArray[np.uint8] | None, encoded: "Sequence[Picture | ImageError] | None"
    ) -> tuple[npt.NDArray[np.float32], dict[int, str]]:
        """Read the digits of some pictures.

        Args:
            images: uint8 (n, h, w); None where they are picture files.
            encoded: paths or bytes of picture files, or why there is none; used where ``images`` is None.

        Returns:
            float32 (m, 10) of those that could be read, and why the others could not, by position.

        Raises:
            SourceError: none of the files is there any more.
        """
        in_mnist_form = images is not None and images.shape[1:] == (IMAGE_SIDE, IMAGE_SIDE)
        if images is not None and in_mnist_form and not self.options.prepares(in_mnist_form=True):
            return self.predictor.probabilities(images), {}
        prepared, errors = self._each(_pictures(images, encoded), self._in_form)
        return self.predictor.probabilities(np.stack(prepared)) if prepared else NO_ANSWERS, errors

    def readings(
        self, images: npt.NDArray[np.uint8] | None, encoded: "Sequence[Picture | ImageError] | None"
    ) -> tuple[list[Reading], dict[int, str]]:
        """Read the numbers in some pictures, as ``answers`` reads digits."""
        return self._each(_pictures(images, encoded), self._read)

    def _each(
        self, pictures: "Sequence[Picture | ImageError]", of: "Callable[[Picture], Found]"
    ) -> "tuple[list[Found], dict[int, str]]":
        """Return what is made of each picture that can be read, and why the others cannot, by position.

        Raises:
            SourceError: none of the files is there any more.
        """
        with discarded_native_output():
            found = [_found(picture, of) for picture in pictures]
        errors = {position: one.text for position, one in enumerate(found) if isinstance(one, _Unread)}
        if found and all(isinstance(one, _Unread) and one.is_away for one in found):
            # One that was removed is a row. But where none is there any more, a disk or a folder is away.
            error = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            name = picture_name(pictures[0]) if not isinstance(pictures[0], ImageError) else str(pictures[0])
            raise SourceError(
                f"{name}: {error.strerror}, and so for {len(found):,} in a row; put them back"
            ) from error
        return [one for one in found if not isinstance(one, _Unread)], errors

    def _in_form(self, picture: "Picture") -> Pixels:
        """Return a picture in MNIST form."""
        return as_it_is(picture) if self.options.preparation == "as-is" else self.predictor.prepare(picture)

    def _read(self, picture: "Picture") -> Reading:
        """Return the numbers in a picture."""
        form = self.options.numbers or Form()
        digits = form.digits if form.pattern is None else None
        pattern = None if form.pattern is None else form.pattern.text
        return self.predictor.read(picture, separators=form.separators, digits=digits, pattern=pattern)


class _Unread(NamedTuple):
    """Why a picture could not be read; the error itself would keep all that was read of it."""

    text: str
    is_away: bool
    """Whether there is no such file."""


def _pictures(
    images: npt.NDArray[np.uint8] | None, encoded: "Sequence[Picture | ImageError] | None"
) -> "Sequence[Picture | ImageError]":
    return (encoded or ()) if images is None else list(images)


def _found(picture: "Picture | ImageError", of: "Callable[[Picture], Found]") -> "Found | _Unread":
    """Return what is made of a picture, or why it cannot be read."""
    if isinstance(picture, ImageError):
        return _Unread(str(picture), isinstance(picture, ImageNotFoundError))
    try:
        return of(picture)
    except ImageError as error:
        # Its row names the picture already.
        text = str(error).removeprefix(f"{picture_name(picture)}: ")
        return _Unread(text, isinstance(error, ImageNotFoundError))


@functools.lru_cache(maxsize=4)
def _opened(model: Path | None, sha256: str, min_margin: int | float | None) -> DigitPredictor:
    file = _file_of(model)
    if (found := _sha256_of(file)) != sha256:
        raise ModelFileError(
            file,
            f"is another file (sha256 {found[:12]}) than the run began with ({sha256[:12]})",
            "put the same file in this place on every machine",
        )
    return DigitPredictor(file, min_margin=min_margin)


def _file_of(model: Path | None) -> Path:
    return default_model() if model is None else named_model(model)


def _sha256_of(model: Path) -> str:
    return sha256_bytes(read_model_bytes(model))
