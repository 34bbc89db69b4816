"""Pictures of any source -> rows with answers. One session for each process, opened when it is first needed."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.contract import CLASSES, IMAGE_SIDE
from edgedigits.errors import ImageError, ImageNotFoundError, ModelFileError, SourceError
from edgedigits.native_output import discarded_native_output
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import as_it_is
from edgedigits.picture.reading import Picture, picture_name
from edgedigits.predictor import DigitPredictor
from edgedigits.score.columns import Rows, record_batch
from edgedigits.score.options import Options
from edgedigits.sources.parts import Batch

COUNTED = ("sure", "error")
"""Columns that are counted whether they are asked for or not."""
_NO_ANSWERS = np.empty((0, CLASSES), np.float32)


class Scorer:
    """Answers batches of pictures. It can be shared by threads, and is pickled by the path of its model.

    Attributes:
        options: what is chosen of the run.
    """

    def __init__(self, model: Path, sha256: str, options: Options, *, fail_fast: bool = False) -> None:
        """Name the model, which is opened when the first pictures come.

        Args:
            model: the ONNX file.
            sha256: of the file; another machine may have another file of that name.
            options: what is chosen of the run.
            fail_fast: whether the first picture that cannot be read ends all.
        """
        self.options = options
        self._model = model
        self._sha256 = sha256
        self._fail_fast = fail_fast

    @property
    def predictor(self) -> DigitPredictor:
        """The model, opened once in each process.

        Raises:
            ModelFileError: it is another file than the one that the run began with.
        """
        return _opened(self._model, self._sha256, self.options.min_margin)

    def record_batch(self, batch: Batch, source: str) -> pa.RecordBatch:
        """Read the digits of a batch, as rows of the table.

        Args:
            batch: the pictures.
            source: what the table calls the source.

        Raises:
            ImageError: one of them cannot be read, where the first such ends all.
        """
        probabilities, errors = self.answers(batch.images, batch.encoded)
        if errors and self._fail_fast:
            position = min(errors)
            key = batch.start + position if batch.keys is None else batch.keys[position]
            raise ImageError(f"{source}: {key}: {errors[position]}")
        count = len(probabilities) + len(errors)
        rows = Rows(source, batch.start, count, batch.keys, batch.labels, probabilities, errors)
        return self.table(rows)

    def damaged(self, source: str, start: int, count: int, error: str) -> pa.RecordBatch:
        """Return the rows of pictures that their source holds no more, each with the same error."""
        errors = dict.fromkeys(range(count), error)
        return self.table(Rows(source, start, count, None, None, _NO_ANSWERS, errors))

    def table(self, rows: Rows) -> pa.RecordBatch:
        """Return rows as a batch of the columns that are asked for, and behind them those that are counted."""
        columns = dict.fromkeys((*self.options.columns, *COUNTED))
        return record_batch(rows, tuple(columns), self.predictor.min_margin)

    def answers(
        self, images: npt.NDArray[np.uint8] | None, encoded: Sequence[Picture | ImageError] | None
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
        pictures: Sequence[Picture | ImageError] = (encoded or ()) if images is None else list(images)
        prepared: list[Pixels] = []
        errors: dict[int, str] = {}
        away: ImageNotFoundError | None = None
        gone = 0
        with discarded_native_output():
            for position, picture in enumerate(pictures):
                try:
                    prepared.append(self._prepared(picture))
                except ImageError as error:
                    errors[position] = _without_name(error, picture)
                    if isinstance(error, ImageNotFoundError):
                        away, gone = error, gone + 1
        if away is not None and gone == len(pictures):
            # One that was removed is a row. But where none is there any more, a disk or a folder is away.
            raise SourceError(f"{away}; none of {gone:,} pictures is there any more: put them back") from away
        if not prepared:
            return _NO_ANSWERS, errors
        return self.predictor.probabilities(np.stack(prepared)), errors

    def _prepared(self, picture: Picture | ImageError) -> Pixels:
        if isinstance(picture, ImageError):
            raise picture
        if self.options.preparation == "as-is":
            return as_it_is(picture)
        return self.predictor.prepare(picture)


@functools.lru_cache(maxsize=4)
def _opened(model: Path, sha256: str, min_margin: int | float | None) -> DigitPredictor:
    if (found := sha256_file(model)) != sha256:
        raise ModelFileError(
            model,
            f"is another file (sha256 {found[:12]}) than the run began with ({sha256[:12]})",
            "put the same file in this place on every machine",
        )
    return DigitPredictor(model, min_margin=min_margin)


def _without_name(error: ImageError, picture: Picture | ImageError) -> str:
    """Return what is wrong with a picture: its row names it already."""
    text = str(error)
    return text if isinstance(picture, ImageError) else text.removeprefix(f"{picture_name(picture)}: ")
