"""Nouns that many tests need: MNIST, a dataset that is always there, and a trained and exported network."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from edgedigits.datasets import mnist, places
from edgedigits.datasets.places import Source
from edgedigits.datasets.split import Split
from edgedigits.runtimes.c_compiler import find_compiler

if TYPE_CHECKING:
    from PIL import Image

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

EPOCHS = 3

# A slow machine is no failure; what is slow is found by the benchmarks.
hypothesis.settings.register_profile("edgedigits", deadline=None)
hypothesis.settings.load_profile("edgedigits")


def pytest_report_header() -> str:
    """Name what the tests run on."""
    from edgedigits.artifacts.versions import versions

    found = versions("numpy", "onnxruntime", "ai-edge-litert", "tensorflow", "keras", "onnx", "pillow")
    return ", ".join(f"{name} {version}" for name, version in found.items())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what compiles C code where there is no compiler for it."""
    if find_compiler() is not None:
        return
    skip = pytest.mark.skip(reason="there is no C compiler")
    for item in items:
        if item.get_closest_marker("c_compiler"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def mnist_source() -> Source:
    """MNIST on this machine. A place that EDGEDIGITS_DATA names and that does not hold it is an error, not a skip."""
    source = places.find()
    if source is None:
        pytest.skip("MNIST is not here: set EDGEDIGITS_DATA or run `edgedigits data`")
    return source


@pytest.fixture(scope="session")
def mnist_train(mnist_source: Source) -> Split:
    return mnist.read_split(mnist_source, "train")


@pytest.fixture(scope="session")
def mnist_test(mnist_source: Source) -> Split:
    return mnist.read_split(mnist_source, "test")


@pytest.fixture(scope="session")
def number() -> "Callable[[str], Image.Image]":
    """What puts golden digits beside each other, dark on light paper: 56 pixels a digit and around all, 112 high."""
    import numpy as np
    from PIL import Image

    from edgedigits.picture.prepare import prepare

    golden, side = Path(__file__).parent / "golden" / "pictures", 56

    def draw(digits: str) -> Image.Image:
        sheet = Image.new("L", (side * (len(digits) + 1), 2 * side), 0)
        for place, digit in enumerate(digits):
            pixels = prepare(min(golden.glob(f"{digit}-*")))
            enlarged = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(enlarged, (side // 2 + place * side, side // 2))
        return Image.fromarray(240 - np.minimum(np.asarray(sheet), 220))

    return draw


@pytest.fixture(scope="session")
def bundled_digits() -> tuple[Split, Split]:
    """Training and test split of the digits that scikit-learn bundles; preparing them takes seconds."""
    from edgedigits.datasets.bundled_digits import load_bundled_digits

    return load_bundled_digits()


@pytest.fixture(scope="session")
def dataset(request: pytest.FixtureRequest) -> tuple[Split, Split]:
    """Training and test split: MNIST where it is, else the bundled digits, so that no test of the code is skipped."""
    source = places.find()
    if source is None:
        return request.getfixturevalue("bundled_digits")
    return mnist.read_split(source, "train"), mnist.read_split(source, "test")


@pytest.fixture(scope="session")
def models(dataset: tuple[Split, Split], tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with a network really trained (shortly) and exported to every format. Only to be read.

    One for all workers, where the system has locks that a worker lets go when it dies; the first to need it makes it.
    Without a C compiler there is no ``digits.c`` in it.
    """
    own = tmp_path_factory.getbasetemp()
    if fcntl is None or worker_id == "master":
        return make_models(own / "models", dataset)
    shared = own.parent / "models"
    with (own.parent / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            make_models(own / "models", dataset).rename(shared)  # whole, or each worker says what failed
    return shared


def make_models(folder: Path, dataset: tuple[Split, Split]) -> Path:
    from edgedigits.training.recipe import Recipe
    from edgedigits.training.train import train
    from edgedigits_export import ExportOptions, export_model, select_targets

    train_split, test_split = dataset
    validation = min(5_000, len(train_split.images) // 10)
    train(Recipe(epochs=EPOCHS, validation=validation), train_split, test_split, folder)
    # The gate is a subject of tests, not of this fixture: three epochs may land on either side of it.
    options = ExportOptions(calibration_size=200, max_drop=5.0)
    targets = select_targets("all", None)
    exported, failed = export_model(
        folder / "digits.keras", targets, train_split, test_split, options=options
    )
    assert len(exported) == len(targets), failed
    return folder
