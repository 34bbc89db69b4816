"""Which inputs of a dense network change from image to image: the others are left out, and take no flash."""

import numpy as np
import numpy.typing as npt

from edgedigits.arch_words import read_words
from edgedigits.picture.levels import Pixels
from edgedigits.searching.candidates import Candidate


class Inputs:
    """The inputs that are left of an image before the first dense layer, by the training images."""

    def __init__(self, images: Pixels) -> None:
        """Prepare.

        Args:
            images: that are fitted, uint8 (n, 28, 28).
        """
        self._images = images
        self._deviations: dict[tuple[tuple[str, int], ...], npt.NDArray[np.float64]] = {}

    def used(self, candidate: Candidate) -> npt.NDArray[np.bool_] | None:
        """Return which inputs of the first dense layer are used, bool (inputs,); None where none is left out.

        Raises:
            ValueError: other words than crop and meanpool stand before a dense layer.
        """
        if not candidate.least_deviation:
            return None
        words: list[tuple[str, int]] = []
        for word in read_words(candidate.arch):
            if word.kind == "dense":
                break
            if word.kind not in ("crop", "meanpool") or word.stride not in (0, word.number):
                raise ValueError(f"expected crop or meanpool before dense, got {word.text}")
            words.append((word.kind, word.number))
        key = tuple(words)
        if key not in self._deviations:
            self._deviations[key] = _deviations(self._images, key)
        return self._deviations[key] >= candidate.least_deviation


def _deviations(images: Pixels, words: tuple[tuple[str, int], ...]) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.unsignedinteger] = images
    divisor = 1
    for kind, number in words:
        if kind == "crop":
            values = values[:, number:-number, number:-number]
        else:
            side, divisor = values.shape[1] // number, divisor * number**2
            cut = values[:, : side * number, : side * number]
            values = cut.reshape(-1, side, number, side, number).sum(axis=(2, 4), dtype=np.uint32)
    deviations: npt.NDArray[np.float64] = (
        values.reshape(len(values), -1).std(axis=0, dtype=np.float64) / divisor
    )
    return deviations
