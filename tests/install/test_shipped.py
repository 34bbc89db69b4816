"""The networks that come along are found wherever the package lies: in an archive, in a program that was frozen."""

import runpy
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from edgedigits.shipped import FOLDERS

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "tests" / "golden" / "pictures" / "1-photo.jpg"
SAMPLES = ROOT / "edgedigits" / "samples"
NETWORKS = {"digits": ("", "hands"), **FOLDERS}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in a zip archive, as a wheel has it."""
    path = tmp_path_factory.mktemp("archive") / "edgedigits.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for file in (ROOT / "edgedigits").rglob("*.py"):
            opened.write(file, file.relative_to(ROOT))
        for file in SAMPLES.iterdir():
            opened.write(file, file.relative_to(ROOT))
        for name, (inside, beside) in NETWORKS.items():
            file = f"{name}.int8.onnx"
            opened.write(ROOT / "models" / beside / file, Path("edgedigits", inside, file))
    return path


@pytest.mark.parametrize("name", [None, "tiny-4k"], ids=["default", "tiny-4k"])
def test_out_of_an_archive_a_network_is_copied_for_as_long_as_the_process_lives_and_reads_the_samples(
    name: str | None, archive: Path
) -> None:
    said = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "import edgedigits; from edgedigits import DigitPredictor\n"
        f"first, second = DigitPredictor({name!r}), DigitPredictor({name!r})\n"
        "from edgedigits.shipped import sample_pictures\n"
        "samples = [f'{name[0]} {first.predict(picture).digit}' for name, picture in sample_pictures().items()]\n"
        f"print(edgedigits.__file__, first.model, second.model, first.predict({str(PICTURE)!r}).digit, sep='\\n')\n"
        "print(*samples, sep='\\n')"
    )
    child = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    package, first, second, digit, *samples = child.stdout.splitlines()
    assert Path(package).is_relative_to(archive)
    assert first == second
    assert Path(first).name == f"{name or 'digits'}.int8.onnx"
    assert not Path(first).parent.exists()
    assert digit == "1"
    assert samples == ["3 3", "4 4", "7 7"]


@pytest.mark.parametrize(
    ("frozen", "advice"),
    [
        ("", "reinstall edgedigits, name a model file, or make one with `edgedigits train`"),
        (
            "sys.frozen = True",
            "put it there when the program is built (PyInstaller: --collect-data edgedigits), or name a model file",
        ),
    ],
    ids=["installed", "frozen"],
)
def test_where_it_is_missing_the_advice_is_for_whoever_can_follow_it(
    frozen: str, advice: str, tmp_path: Path
) -> None:
    for file in (ROOT / "edgedigits").glob("*.py"):
        copy = tmp_path / "edgedigits" / file.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(file.read_bytes())
    said = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {frozen}\n"
        "from edgedigits.errors import ModelNotFoundError; from edgedigits.shipped import default_model\n"
        "try: print(default_model())\n"
        "except ModelNotFoundError as error: print(error)"
    )
    child = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    missing = tmp_path / "edgedigits" / "digits.int8.onnx"
    assert child.stdout == f"{missing}: no such model file; {advice}\n"


def test_pyinstaller_is_told_of_every_network_and_of_the_samples_by_an_entry_point() -> None:
    (entry,) = metadata.distribution("edgedigits").entry_points.select(
        group="pyinstaller40", name="hook-dirs"
    )
    (folder,) = entry.load()()
    hooked = runpy.run_path(str(Path(folder, "hook-edgedigits.py")))
    assert {(Path(file).name, place) for file, place in hooked["datas"]} == {
        *((f"{name}.int8.onnx", str(Path("edgedigits", inside))) for name, (inside, _) in NETWORKS.items()),
        ("samples", str(Path("edgedigits", "samples"))),
    }
    assert all(Path(file).exists() for file, _ in hooked["datas"])
