"""The digits that scikit-learn bundles, in MNIST form: for a demonstration where MNIST cannot be had."""

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from edgedigits.datasets.split import Split
from edgedigits.picture.prepare import prepare

BUNDLED_NAME = "scikit-learn digits (not MNIST)"
TEST_IMAGES = 450
SEED = 0
DARKEST = 16
"""The bundled pixels count ink dots in 4x4 fields: 0 to 16."""
ENLARGED = 80
"""Side at which ``prepare`` takes over; it brings the digit down to MNIST's 20 pixels with its own antialiasing."""


def load_bundled_digits() -> tuple[Split, Split]:
    """Return training and test split, uint8 images (n, 28, 28), every class with its share in both."""
    bundled = load_digits()
    images = np.stack([_in_mnist_form(image) for image in bundled.images])
    labels = bundled.target.astype(np.uint8)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=SEED
    )
    return Split.of(BUNDLED_NAME, images[train], labels[train]), Split.of(
        BUNDLED_NAME, images[test], labels[test]
    )


def _in_mnist_form(image: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    small = Image.fromarray((image * (255 / DARKEST)).round().astype(np.uint8))
    large = np.asarray(small.resize((ENLARGED, ENLARGED), Image.Resampling.BICUBIC))
    # They are cut to the very ink; with paper around it nobody has to guess which of the two tones is the ink's.
    return prepare(np.pad(large, ENLARGED // 4))
