"""The simple way to read a number: what is darker than a threshold, each connected part a digit, from left to right."""

import numpy as np
from _amounts import Answer, Found

from edgedigits.numbers.reading import Box
from edgedigits.picture.components import connected_components
from edgedigits.picture.form import centred, cropped, fitted
from edgedigits.picture.levels import Pixels, otsu_threshold
from edgedigits.predictor import DigitPredictor

LEAST_HEIGHT = 0.4
"""Of a digit, in heights of the largest part that does not lie along the border."""


def read_components(gray: Pixels, predictor: DigitPredictor) -> Answer:
    """Read the parts of a picture by the classifier, one by one.

    Args:
        gray: (h, w) uint8, ink dark or light: the rarer of both.
        predictor: the network.
    """
    dark = gray <= otsu_threshold(gray)
    is_dark = dark.mean() < 0.5
    ink = np.invert(gray) if is_dark else gray
    mask = dark if is_dark else ~dark
    parts = connected_components(mask)
    boxes = [Box(int(left), int(top), int(right), int(bottom)) for top, bottom, left, right in parts.box]
    inner = [
        index
        for index, box in enumerate(boxes)
        if box.right - box.left < 0.7 * gray.shape[1] and box.bottom - box.top >= 5
    ]
    if not inner:
        return Answer((), False)
    tallest = max(boxes[index].bottom - boxes[index].top for index in inner)
    chosen = sorted(
        (i for i in inner if boxes[i].bottom - boxes[i].top >= LEAST_HEIGHT * tallest),
        key=lambda index: boxes[index].left,
    )
    images = np.stack(
        [_image_of(ink, parts.mask(np.arange(len(boxes)) == index), boxes[index]) for index in chosen]
    )
    predictions = [predictor.prediction(row) for row in predictor.probabilities(images)]
    found = tuple(
        Found(prediction.label, boxes[index]) for index, prediction in zip(chosen, predictions, strict=True)
    )
    return Answer(found, all(prediction.sure for prediction in predictions))


def _image_of(ink: Pixels, mask: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]", box: Box) -> Pixels:
    """Bring a part into MNIST's form."""
    where = slice(box.top, box.bottom), slice(box.left, box.right)
    part = np.where(mask[where], ink[where], 0).astype(np.uint8)
    return centred(fitted(cropped(part, 0)))
