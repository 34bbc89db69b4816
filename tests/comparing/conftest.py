from pathlib import Path

import pytest

from edgedigits.datasets.split import Split

SHIPPED = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The folder of the networks that come along. Only to be read."""
    return SHIPPED


@pytest.fixture(scope="session")
def some(dataset: tuple[Split, Split]) -> Split:
    """A thousand test images, or all there are: enough that two networks differ, and soon answered."""
    test = dataset[1]
    return Split.of(test.dataset, test.images[:1_000], test.labels[:1_000], test.class_names)
