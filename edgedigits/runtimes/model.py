"""What an opened model file is, whatever its runtime: pixels go in and probabilities come out."""

import functools
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from edgedigits.answers import ANY_SUM, SUM_TOLERANCE, check_shape
from edgedigits.artifacts.versions import versions
from edgedigits.errors import ContractError
from edgedigits.metadata import ModelMetadata
from edgedigits.picture.levels import Pixels

if TYPE_CHECKING:
    from edgedigits.datasets.split import Split
    from edgedigits.input_scale import InputScale


Probabilities = npt.NDArray[np.float32]
KerasCall = Literal["model(x)", "predict"]


@dataclass(frozen=True)
class Opening:
    """How a file is opened; each runtime takes what concerns it."""

    threads: int = 1
    """Of the runtime; 0 for one per core."""
    keras_call: KerasCall = "model(x)"
    """How a Keras model is asked."""
    input_scale: "InputScale | None" = None
    """What a Keras model is fed; None for what it, or the manifest beside it, says."""


class Model(ABC):
    """An opened model file.

    The answers of every class of models are checked here, so that none can forget it: ten for each image.
    """

    sum_tolerance: float = SUM_TOLERANCE
    """How far the sum of an image's probabilities may be from 1; of ten sigmoids it may be any."""
    widths: tuple[int, ...] | None = None
    """Of all layers as the file's tensors have them, the ten classes last; None where they are no chain of Dense
    layers, or where only the metadata tell."""

    companions: tuple[Path, ...] = ()
    """Other files without which it would not be what it is: the header of a C file."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Put the check of its answers around a class' own way to run a file."""
        super().__init_subclass__(**arguments)
        if "probabilities" in cls.__dict__:
            cls.probabilities = _checked(cls.probabilities)  # type: ignore[assignment, method-assign]

    def __init__(self, path: Path, metadata: ModelMetadata, runtime: str, threads: int = 1) -> None:
        self.path = path
        self.metadata = metadata
        self.runtime = runtime
        """Name and version of what runs the file: ``onnxruntime 1.31.1``."""
        self.threads = threads
        """That it may use, at least 1, whatever was asked for: C code has one, Keras takes its own."""
        if self.is_sigmoid:
            self.sum_tolerance = ANY_SUM

    @property
    def is_sigmoid(self) -> bool:
        """Whether it ends in ten sigmoids: each answer is the probability of its own class alone."""
        return self.metadata.head == "sigmoid"

    def check_classes(self, split: "Split") -> None:
        """Raise ``ContractError`` unless the model tells the classes apart that these images are of."""
        if self.metadata.labels != split.class_names:
            raise ContractError(
                self.path,
                f"a network for the classes of {split.dataset} ({', '.join(split.class_names)})",
                f"one for {', '.join(self.metadata.labels)}",
                "ask the networks of one dataset at a time",
            )

    @abstractmethod
    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model.

        Args:
            pixels: uint8, shape (n, 28, 28), 0 = background, 255 = ink, n > 0.

        Returns:
            float32, shape (n, 10), rows sum to 1 (to within half a step of 1/256 per class in int8 files), unless
            ``is_sigmoid``.

        Raises:
            ContractError: the runtime gave something of another shape or type.
        """


_Ask = Callable[[Any, Pixels], Probabilities]


def _checked(ask: _Ask) -> _Ask:
    """Return a way to run a model that refuses answers of another form."""

    @functools.wraps(ask)
    def checked(self: Any, pixels: Pixels) -> Probabilities:
        answers = ask(self, pixels)
        check_shape(self.path, answers, len(pixels))
        return answers

    return checked


def thread_count(threads: int) -> int:
    """Return how many threads are meant: the number itself, or for 0 one per core."""
    return threads or os.cpu_count() or 1


def dequantization_table(signed: bool) -> Probabilities:
    """Return the probability of each quantized byte, float32 (256,): (q + 128) / 256, or q / 256 unsigned."""
    quantized = np.arange(256, dtype=np.uint8)
    unsigned = quantized ^ 128 if signed else quantized
    probabilities: Probabilities = unsigned.astype(np.float32) / np.float32(256)
    return probabilities


def name_and_version(distribution: str) -> str:
    """Return name and version of an installed distribution: ``onnxruntime 1.31.1``."""
    return f"{distribution} {versions(distribution).get(distribution, '?')}"
