"""Sources of real digits: MNIST's test images, or the bundled ones, as arrays and as pictures of any size.

Tests of this folder also import from it.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def digits(dataset) -> tuple[np.ndarray, np.ndarray]:
    """Images of a test set, (n, 28, 28) uint8, and their labels."""
    test = dataset[1]
    return test.images, test.labels


@pytest.fixture(scope="session")
def array(digits, tmp_path_factory) -> Path:
    """An ``.npy`` file of 20,000 images in MNIST form. Only to be read."""
    images = digits[0]
    path = tmp_path_factory.mktemp("array") / "digits.npy"
    np.save(path, np.resize(images, (20_000, 28, 28)))
    return path


@pytest.fixture(scope="session")
def scans(digits, tmp_path_factory) -> Path:
    """A folder of 60 pictures as a scanner gives them, in folders by their digit, and one file that is none."""
    images, labels = digits
    folder = tmp_path_factory.mktemp("scans")
    for index in range(60):
        inside = folder / str(labels[index])
        inside.mkdir(exist_ok=True)
        picture = Image.fromarray(255 - images[index]).resize((100, 100), Image.Resampling.BICUBIC)
        picture.save(inside / f"{index:03d}.png")
    (folder / "0" / "no.png").write_bytes(b"no picture")
    return folder
