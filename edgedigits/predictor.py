"""Reads handwritten digits with a model file: onnxruntime and numpy, and Pillow to open pictures.

>>> from edgedigits import DigitPredictor
>>> predictor = DigitPredictor()
>>> predictor.predict("seven.png").digit  # doctest: +SKIP
7
"""

import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.answers import ANY_SUM, SUM_TOLERANCE, check_probabilities, no_probabilities
from edgedigits.arguments import min_margin_of, threads_of
from edgedigits.contract import CLASSES, IMAGE_SIDE, INPUT_NAME, LABELS, OUTPUT_NAME
from edgedigits.errors import (
    ArgumentTypeError,
    ImageError,
    ImageTypeError,
    ModelFileError,
)
from edgedigits.format_table import FORMATS, format_of
from edgedigits.numbers.reading import Box, Line, Reading, Sign, box_around
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import as_it_is, prepare
from edgedigits.picture.reading import Picture, picture_name, read_sized
from edgedigits.prediction import Prediction
from edgedigits.runtimes.onnx_session import open_session
from edgedigits.shipped import NUMBERS, default_model, named_model

BATCH = 4096
"""Pictures in one run, so that memory stays flat however many there are; more at once are not quicker either."""
BATCH_OF_MAPS = 512
"""The same of networks with maps, which take 100 MB for 4,096, and longer."""

MOST_PARTS_OF_ONE = 3
"""Digits that one digit may be taken for, whose strokes lie apart or were cut."""

_ARRAYS = (np.ndarray, np.memmap)
"""Other subclasses hold more than pixels: a mask, a matrix' own arithmetic."""
_UINT8 = np.dtype(np.uint8)
_SIDES = (IMAGE_SIDE, IMAGE_SIDE)
_OUTPUTS = [OUTPUT_NAME]


class DigitPredictor:
    """Reads digits in pictures of any kind.

    One predictor can be shared by any number of threads without a lock: it never changes after it was made, but for the
    other network that ``read`` asks, which is opened when it is first called, and onnxruntime's
    ``InferenceSession.run`` is safe to call at the same time. Pickling one (for ``multiprocessing``)
    sends the path, and opens the file again on the other side.

    Attributes:
        model: path of the model file.
        metadata: what the file says of itself.
        min_margin: the least lead over the second digit, in steps of 1/256, from which on an answer is sure
            (``Prediction.sure``); 256 where none is.
    """

    def __init__(
        self,
        model: "str | os.PathLike[str] | os.PathLike[bytes] | None" = None,
        *,
        threads: int = 1,
        min_margin: float | None = None,
    ) -> None:
        """Open a model file.

        Args:
            model: an ``.onnx`` or ``.ort`` file that ``edgedigits export`` wrote, float or integers, or the name of a
                network that came along, ``tiny-4k`` (see ``shipped``), where there is no file of that name; by
                default, the one that came with edgedigits, and for ``read`` the one named ``numbers``.
            threads: threads of the runtime, 1 to 1,024, or 0 for one per core. More than one only helps with large
                batches.
            min_margin: the least lead over the second digit from which on an answer is sure: an ``int`` in steps of
                1/256, 0 for any lead to 256 for none, or a ``float``, 0.0 to 1.0. By default what the file says, which
                was fitted when it was exported, and 248 where it says nothing.

        Raises:
            ArgumentError: the number of threads, or the least lead, is none of these, or the model is no path.
            ModelNotFoundError: there is no such file.
            ModelFileError: it is no ONNX file that can be read.
            ContractError: it is no edgedigits model, or takes or gives something else than the contract says.
        """
        threads = threads_of(threads)
        self._other: DigitPredictor | None = None
        self._asked = None if min_margin is None else min_margin_of(min_margin)
        self._given = None if model is None else _path(model)
        self.model = default_model() if self._given is None else named_model(self._given)
        row = format_of(self.model)
        if row is not None and row.runtime != FORMATS["onnx"].runtime:
            raise ModelFileError(
                self.model,
                "DigitPredictor runs ONNX files",
                "make one with `edgedigits export --format onnx`",
            )
        self._threads = threads
        self._session, self.metadata = open_session(self.model, threads=threads)
        self.min_margin = self.metadata.min_margin if self._asked is None else self._asked
        self._batch = BATCH if self.metadata.arch[:1].isdigit() else BATCH_OF_MAPS
        self._sum_tolerance = ANY_SUM if self.metadata.head == "sigmoid" else SUM_TOLERANCE

    def __getstate__(self) -> dict[str, Any]:
        return {
            "model": self._given,
            "threads": self._threads,
            "min_margin": self._asked,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        DigitPredictor.__init__(
            self, state["model"], threads=state["threads"], min_margin=state["min_margin"]
        )

    def __repr__(self) -> str:
        return f"DigitPredictor({os.fspath(self.model)!r})"

    def __call__(self, picture: Picture) -> Prediction:
        """Read one picture: short for ``predict``."""
        return self.predict(picture)

    def predict(self, picture: Picture) -> Prediction:
        """Read the digit in one picture.

        Args:
            picture: a path, the bytes of a picture file, a file opened in binary mode, a PIL image, or an array; see
                ``edgedigits.picture.prepare.prepare``.

        Raises:
            ImageError: the picture cannot be read, or shows nothing.
            ModelFileError: what the model answers are no probabilities.
        """
        row = self.probabilities(self.prepare(picture)[np.newaxis])[0]
        return self.prediction(row)

    def read(
        self,
        picture: Picture,
        *,
        separators: bool = True,
        digits: int | None = None,
        pattern: str | None = None,
    ) -> Reading:
        """Read the numbers in a picture: any number of digits, in any number of lines.

        Args:
            picture: as ``predict`` takes it.
            separators: whether points, commas, dashes, slashes and colons between digits are kept.
            digits: how many digits each line has, 1 to 64; by default any number.
            pattern: in place of ``digits``, the form of each line, ``"dd.dd.dddd"``: ``d`` for a digit, and separators,
                one of ``. , - / :`` or a space, which are put where they are in the form.

        Returns:
            No line where there is no digit, or none of so many.

        Raises:
            ArgumentError: the number of digits or the pattern is none, or both are given.
            ImageError: the picture cannot be read, or shows too many marks.
            ModelFileError: what the model answers are no probabilities, or its classes are no digits.
        """
        from edgedigits.numbers.pattern import form_of
        from edgedigits.numbers.read import Asked, read_numbers

        form = form_of(digits=digits, pattern=pattern, separators=separators)
        reader = self._reader()
        if reader.metadata.labels != LABELS:
            raise ModelFileError(
                self.model, "its classes are no digits", "use predict, or read with a network of digits"
            )
        asked = Asked(reader.min_margin, form.digits)
        try:
            gray, size = read_sized(picture)
            reading = read_numbers(gray, size, reader.probabilities, asked)
            if form.digits in (None, 1):
                reading = self._single(gray, reading)
            return form.of(reading)
        except ImageError as error:
            raise type(error)(f"{picture_name(picture)}: {error}") from error

    def _single(self, gray: Pixels, reading: Reading) -> Reading:
        """Return a picture that may be of one digit as ``predict`` reads it, where that knows better.

        What it does with one digit, strokes that lie apart and faint ones, goes further than what lines allow.
        """
        digits = [sign for line in reading.lines for sign in line.digits]
        is_lone = len(digits) == len(reading.text) <= 1
        if not is_lone and (reading.sure or len(digits) > MOST_PARTS_OF_ONE):
            return reading
        try:
            found = (self._companion(None) if self._reads_numbers_only else self).predict(gray)
        except ImageError:
            return reading
        is_likelier = (
            is_lone and not reading.sure and all(found.confidence > sign.confidence for sign in digits)
        )
        if not found.sure and not (digits and is_likelier):
            return reading
        box = box_around([line.box for line in reading.lines] or [Box(0, 0, *reading.size)])
        sign = Sign(str(found.digit), box, found.confidence, found.margin_steps, found.sure)
        return Reading((Line((sign,)),), reading.size)

    @property
    def _reads_numbers_only(self) -> bool:
        """Whether this is the network that came along for numbers, by its name."""
        return str(self._given) == NUMBERS and self._given != self.model

    def _reader(self) -> "DigitPredictor":
        """Return the predictor of the network that reads numbers: where none was named, another one."""
        return self._companion(NUMBERS) if self._given is None else self

    def _companion(self, model: str | None) -> "DigitPredictor":
        """Return the predictor of the other of the two networks that read numbers together."""
        if self._other is None:
            # Threads that come here at once each open it, and one of them is kept.
            self._other = DigitPredictor(model, threads=self._threads, min_margin=self._asked)
        return self._other

    def prediction(self, row: npt.NDArray[np.float32]) -> Prediction:
        """Build a prediction from one row, shape (10,), of what ``probabilities`` returns.

        Raises:
            ModelFileError: the row holds NaN, or what is no probability, which ``probabilities`` never returns.
        """
        prediction = Prediction.from_probabilities(row, self.metadata.labels, self.min_margin)
        # The largest of a row with a NaN is the NaN, for which no comparison holds.
        if not 0 <= prediction.confidence <= 1 + SUM_TOLERANCE:
            raise no_probabilities(self.model, row[np.newaxis], self._sum_tolerance)
        return prediction

    def predict_batch(self, pictures: Iterable[Picture]) -> list[Prediction]:
        """Read one digit in each of many pictures, in their order.

        Args:
            pictures: any number of what ``predict`` takes; an array (n, h, w) is n pictures.

        Raises:
            ImageError: one of them cannot be read, or shows nothing; the message says which.
        """
        if isinstance(pictures, (str, bytes, bytearray, memoryview, os.PathLike)):
            raise ImageTypeError("predict_batch expects several pictures, got one; use predict")
        if not isinstance(pictures, Iterable):
            raise ImageTypeError(f"predict_batch expects several pictures, got {type(pictures).__name__}")
        return [
            self.prediction(row)
            for batch in _prepared_batches(pictures, self.prepare)
            for row in self.probabilities(batch)
        ]

    def prepare(self, picture: Picture) -> Pixels:
        """Bring a picture into the form of the images that the network was trained on.

        Digits come in any form, see ``edgedigits.picture.prepare.prepare``. A network of another dataset takes its own
        form only:
        28x28 pixels, light and dark as they are there.

        Raises:
            ImageError: the picture cannot be read, shows nothing, or has another size where it may not.
        """
        return prepare(picture) if self.metadata.labels == LABELS else as_it_is(picture)

    def probabilities(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Run the network on pictures that are already in MNIST form.

        Nothing is scaled, and nothing is copied that lies in one piece (C-contiguous).

        Args:
            pixels: (n, 28, 28) uint8, 0 = background, 255 = ink; n may be 0. Of a memory-mapped file
                (``np.load(path, mmap_mode="r")``) only a part is in memory at any time. The file must keep its length
                meanwhile: where another process cuts it, the system ends this one with SIGBUS.

        Returns:
            (n, 10) float32, from 0 to 1; rows sum to 1 unless the network ends in ten sigmoids (``metadata.head``).

        Raises:
            ImageError: another shape or dtype; an ``ImageTypeError`` where this is no array.
            ModelFileError: what the model answers are no probabilities: the file's weights are damaged, though the
                file is whole.
            ContractError: it does not answer with ten numbers for each image.
        """
        if type(pixels) not in _ARRAYS or pixels.dtype != _UINT8 or pixels.shape[1:] != _SIDES:
            kind = ImageError if isinstance(pixels, np.ndarray) else ImageTypeError
            raise kind(
                f"expected pixels uint8 (n, 28, 28), got {_describe(pixels)}; use predict for pictures"
            )
        if len(pixels) <= self._batch:
            return self._run(pixels)
        return self._in_parts(pixels)

    def _run(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Run the network on one batch of pictures, and look at what comes out."""
        answers: npt.NDArray[np.float32] = self._session.run(_OUTPUTS, {INPUT_NAME: pixels})[0]
        check_probabilities(self.model, answers, len(pixels), self._sum_tolerance)
        return answers

    def _in_parts(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Run the network on many pictures, part by part."""
        answers = np.empty((len(pixels), CLASSES), np.float32)
        mapping = _mapping(pixels)
        for start in range(0, len(pixels), self._batch):
            part = pixels[start : start + self._batch]
            answers[start : start + self._batch] = self._run(part)
            if mapping is not None:
                # The pages that were read would count as this process' memory until others need the room.
                mapping.madvise(mmap.MADV_DONTNEED)
        return answers


def _path(model: object) -> Path:
    if not isinstance(model, (str, os.PathLike)):
        raise ArgumentTypeError(f"model: expected the path of an ONNX file, got {type(model).__name__}")
    try:
        return Path(os.fsdecode(model))
    except TypeError as error:
        raise ArgumentTypeError(
            f"model: expected a path, got {type(model).__name__}, which gives none"
        ) from error


def _mapping(pixels: Pixels) -> mmap.mmap | None:
    """Return the mapping that a read-only array lies in, where the system takes advice about it."""
    if not isinstance(pixels, np.memmap) or pixels.mode != "r" or not hasattr(mmap, "MADV_DONTNEED"):
        return None
    base: Any = pixels
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    return base


def _prepared_batches(pictures: Iterable[Picture], prepared: Callable[[Picture], Pixels]) -> Iterator[Pixels]:
    """Prepare pictures in stacks of shape (at most ``BATCH``, 28, 28)."""
    numbered = enumerate(pictures)
    while chunk := list(islice(numbered, BATCH)):
        yield np.stack([_prepare_numbered(index, picture, prepared) for index, picture in chunk])


def _prepare_numbered(index: int, picture: Picture, prepared: Callable[[Picture], Pixels]) -> Pixels:
    try:
        return prepared(picture)
    except ImageError as error:
        raise type(error)(f"pictures[{index}]: {error}") from error


def _describe(value: object) -> str:
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    kind = "" if type(value) in _ARRAYS else f"{type(value).__name__} "
    return f"{kind}{value.dtype} {value.shape}"
