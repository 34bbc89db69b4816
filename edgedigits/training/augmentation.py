"""Fresh random warps of every training image in every epoch: rotation, scale, shear, shift and elastic deformation.

A network that sees each digit only as it was scanned learns the scan; one that sees it bent a little, anew each time,
learns the digit. Elastic deformation: P. Simard, D. Steinkraus and J. Platt, "Best practices for convolutional neural
networks applied to visual document analysis", ICDAR 2003.

Speed comes from the layout. Images are warped in groups that share a random map, stored pixel by pixel (for each pixel
a row of the group's images), so that each of the four taps of bilinear interpolation is one gather of whole rows, in
integers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits.contract import IMAGE_SIDE, PIXELS
from edgedigits.picture.levels import Pixels

Floats = npt.NDArray[np.float32]

GROUP = 32
"""Images that share a random map. Each epoch groups and maps them anew."""
CHUNK = 64
"""Groups that are warped at once: 1.6 million pixels, small enough to stay in the processor's cache."""
FRACTION = 256
"""Weights of the four taps are 256ths: 255 * 256 fits into 16 bits, and the error is below half a gray level."""
SMOOTHING = 4.0
"""Standard deviation in pixels of the Gaussian that makes white noise an elastic field."""


@dataclass(frozen=True)
class Warp:
    """How far images may be bent. Each value is drawn evenly from its range."""

    rotation: float = 10.0
    """Degrees, to either side."""
    scale: float = 0.10
    """Logarithm of the factor, in x and in y by themselves."""
    shear: float = 0.12
    """Horizontal pixels per vertical pixel."""
    shift: float = 1.0
    """Pixels, in x and in y."""
    elastic: float = 1.4
    """Root mean square of the elastic displacement, in pixels; from 0 to this."""

    def scaled(self, factor: float) -> "Warp":
        """Return a warp that bends so many times as far."""
        return Warp(
            self.rotation * factor,
            self.scale * factor,
            self.shear * factor,
            self.shift * factor,
            self.elastic * factor,
        )


def warp_epoch(
    images: Pixels, warp: Warp, generator: np.random.Generator
) -> tuple[Pixels, npt.NDArray[np.int32]]:
    """Shuffle all images, bend each group of 32 in its own way.

    Args:
        images: uint8 (n, 28, 28).
        warp: how far.
        generator: decides the order and the maps.

    Returns:
        Warped images in their new order, uint8 (n, 784), and the order: the index of each image in ``images``, int32.
    """
    count = len(images)
    order = generator.permutation(count).astype(np.int32)
    # A last group that is not full is filled up with images from the front, which are dropped again at the end.
    padded = np.resize(order, -(-count // GROUP) * GROUP)
    groups = padded.reshape(-1, GROUP)
    flat = images.reshape(count, PIXELS)
    warped = np.empty((len(padded), PIXELS), np.uint8)
    for start in range(0, len(groups), CHUNK):
        chosen = groups[start : start + CHUNK]
        rows = warp_groups(flat[chosen], warp, generator)
        warped[start * GROUP : start * GROUP + rows.shape[0]] = rows
    return warped[:count], order


def warp_groups(images: Pixels, warp: Warp, generator: np.random.Generator) -> Pixels:
    """Bend groups of images, each group in its own way.

    Args:
        images: uint8 (groups, size, 784).
        warp: how far.
        generator: draws the maps.

    Returns:
        uint8 (groups * size, 784).
    """
    rows, columns = random_maps(len(images), warp, generator)
    return interpolate(images, *bilinear_taps(rows, columns))


def interpolate(images: Pixels, indices: npt.NDArray[np.int32], weights: npt.NDArray[np.uint16]) -> Pixels:
    """Look images up at other places, each group at its own.

    Args:
        images: uint8 (groups, size, 784).
        indices: int32 (4, groups, 784); see ``bilinear_taps``.
        weights: uint16 (4, groups, 784).

    Returns:
        uint8 (groups * size, 784).
    """
    groups, size, _ = images.shape
    # Pixel by pixel, and one row of zeros at the end of each group for what lies outside.
    stored = np.zeros((groups, PIXELS + 1, size), np.uint8)
    stored[:, :PIXELS] = images.transpose(0, 2, 1)
    by_pixel = stored.reshape(-1, size)
    starts = (np.arange(groups, dtype=np.int32) * (PIXELS + 1))[:, np.newaxis]
    total = np.zeros((groups * PIXELS, size), np.uint16)
    for tap in range(4):
        values = by_pixel.take((indices[tap] + starts).ravel(), axis=0)
        total += values * weights[tap].reshape(-1, 1)
    warped = (total >> 8).astype(np.uint8).reshape(groups, PIXELS, size)
    by_image: Pixels = warped.transpose(0, 2, 1).reshape(groups * size, PIXELS)
    return by_image


def random_maps(groups: int, warp: Warp, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw where each pixel of a warped image comes from.

    Returns:
        Rows and columns in the source, float32 (groups, 784) each.
    """

    def draw(reach: float, *shape: int) -> Floats:
        return generator.uniform(-reach, reach, (groups, *shape)).astype(np.float32)

    angle = np.deg2rad(draw(warp.rotation))
    shear, (scale_y, scale_x) = draw(warp.shear), np.exp(draw(warp.scale, 2)).T
    sine, cosine = np.sin(angle), np.cos(angle)
    shift = draw(warp.shift, 2)
    # The inverse map: from a pixel of the result, relative to the centre, to its place in the source.
    y, x = (np.indices((IMAGE_SIDE, IMAGE_SIDE), np.float32) - (IMAGE_SIDE - 1) / 2).reshape(2, 1, PIXELS)
    sheared = x + shear[:, np.newaxis] * y
    rows = scale_y[:, np.newaxis] * (cosine[:, np.newaxis] * y + sine[:, np.newaxis] * sheared)
    columns = scale_x[:, np.newaxis] * (cosine[:, np.newaxis] * sheared - sine[:, np.newaxis] * y)
    elastic = elastic_fields(groups, warp.elastic, generator)
    centre = (IMAGE_SIDE - 1) / 2
    return (
        rows + elastic[:, 0] + (shift[:, :1] + np.float32(centre)),
        columns + elastic[:, 1] + (shift[:, 1:] + np.float32(centre)),
    )


def elastic_fields(groups: int, reach: float, generator: np.random.Generator) -> Floats:
    """Draw smooth displacement fields: white noise, smoothed, brought to a root mean square drawn from 0 to ``reach``.

    Returns:
        Pixels in y and in x, float32 (groups, 2, 784).
    """
    noise = generator.standard_normal((groups, 2, IMAGE_SIDE, IMAGE_SIDE), np.float32)
    smooth = SMOOTH @ noise @ SMOOTH.T
    size = generator.uniform(0, reach, (groups, 1, 1, 1)).astype(np.float32)
    root_mean_square = np.sqrt((smooth**2).mean(axis=(1, 2, 3), keepdims=True))
    return np.asarray((smooth * (size / root_mean_square)).reshape(groups, 2, PIXELS), np.float32)


def _smoothing_matrix() -> Floats:
    """Return the Gaussian as a (28, 28) matrix: one product smooths along one axis."""
    positions = np.arange(IMAGE_SIDE)
    distance = positions[:, np.newaxis] - positions
    return np.exp(-(distance**2) / (2 * SMOOTHING**2)).astype(np.float32)


SMOOTH = _smoothing_matrix()


def bilinear_taps(rows: Floats, columns: Floats) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint16]]:
    """Return the four neighbours of each place, and their weights in 256ths.

    Args:
        rows: float32 (groups, 784), places in the source.
        columns: likewise.

    Returns:
        Pixel indices int32 (4, groups, 784), 784 for a place outside; weights uint16 (4, groups, 784), which add up
        to 256 or, by rounding, to a little less.
    """
    top, left = np.floor(rows), np.floor(columns)
    down = rows - top
    right = columns - left
    top_index, left_index = top.astype(np.int32), left.astype(np.int32)
    indices, weights = [], []
    for step_down, share_down in ((0, 1 - down), (1, down)):
        row = top_index + step_down
        row_inside = (row >= 0) & (row < IMAGE_SIDE)
        for step_right, share_right in ((0, 1 - right), (1, right)):
            column = left_index + step_right
            inside = row_inside & (column >= 0) & (column < IMAGE_SIDE)
            indices.append(np.where(inside, row * IMAGE_SIDE + column, PIXELS).astype(np.int32))
            weights.append((share_down * share_right * FRACTION).astype(np.uint16))
    return np.stack(indices), np.stack(weights)
