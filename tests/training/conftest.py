from pathlib import Path

import numpy as np
import pytest

from edgedigits.datasets.split import Split


@pytest.fixture(scope="session")
def file_of_few(dataset: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ``.npz`` file with few images."""
    path = tmp_path_factory.mktemp("few") / "few.npz"
    train, test = dataset
    np.savez(
        path,
        x_train=train.images[:400],
        y_train=train.labels[:400],
        x_test=test.images[:100],
        y_test=test.labels[:100],
    )
    return path
