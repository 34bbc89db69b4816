"""Every command on a terminal of 80 columns, and of 60: no line is wider, and every bar says how far it is."""

import dataclasses
import re
import shutil
from pathlib import Path

import pytest
from on_terminal import lines_of, on_terminal, too_wide

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import COMMANDS
from edgedigits.reporting.export_tables import firmware_table
from edgedigits.reporting.tables import table_text
from edgedigits_export import FIRMWARE_HEADER, firmware_rows
from edgedigits_export.boards.firmware import FirmwareFigures

NAME = "a-network-with-a-rather-long-name"
FOLDER = "some models"
QUICK = ("--min-seconds", "0.01", "--min-samples", "40", "--rounds", "1", "--cold-starts", "1", "--no-keras")
TINY = Path(__file__).parents[2] / "models" / "tiny"
PICTURE = next((Path(__file__).parents[1] / "golden" / "pictures").glob("7-*"))
HELP = [*COMMANDS, "data show", "data convert"]
LABELS = ",".join(f"{word} of the ten kinds" for word in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])


def chain(*commands: tuple[str | Path, ...]) -> list[str]:
    """Words of several commands for one process."""
    words: list[str] = []
    for command in commands:
        words += ["&&", *map(str, command)]
    return words[1:]


@pytest.fixture(scope="module")
def folder(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder of models whose name is long, in a few formats, and a picture of a long name."""
    place = tmp_path_factory.mktemp("terminal")
    (place / FOLDER).mkdir()
    for ending in ("onnx", "float16.onnx", "int8.tflite"):
        shutil.copy(models / f"digits.{ending}", place / FOLDER / f"{NAME}.{ending}")
    shutil.copy(models / "reference.npz", place / FOLDER / f"{NAME}.reference.npz")
    (place / "pictures").mkdir()
    shutil.copy(PICTURE, place / "pictures" / f"{NAME * 3}{PICTURE.suffix}")
    return place


@pytest.mark.parametrize("columns", [80, 60])
def test_no_help_page_is_wider_than_the_terminal(columns: int, tmp_path: Path) -> None:
    pages = [(), *(command.split() for command in HELP)]
    printed, status = on_terminal(columns, *chain(*((*page, "--help") for page in pages)), folder=tmp_path)
    assert status == 0
    assert printed.count("Usage: edgedigits") == len(pages)
    assert too_wide(printed, columns) == []


@pytest.mark.parametrize("columns", [80, 60])
def test_no_result_is_wider_than_the_terminal(columns: int, folder: Path) -> None:
    files = [Path(FOLDER) / f"{NAME}.{ending}" for ending in ("onnx", "float16.onnx", "int8.tflite")]
    printed, status = on_terminal(
        columns,
        *chain(
            ("verify", "--models", FOLDER, "--max-drop", "5"),
            ("verify", *files, "--wide", "--max-drop", "5"),
            ("bench", "--models", FOLDER, *QUICK),
            ("bench", files[0], "--wide", *QUICK),
            ("diff", files[0], files[2], "--max-loss", "5"),
            ("diff", TINY / "manifest.json", TINY / "manifest.json"),
            ("info", files[2]),
            ("predict", "pictures", "--top", "10"),
            ("read", "pictures"),
            ("score", "pictures", "--out", f"read-{columns}"),
            ("doctor",),
        ),
        folder=folder,
    )
    assert status == 0, printed
    assert too_wide(printed, columns) == []
    # Names stand whole, above their figures where a line has no room for both.
    assert lines_of(printed).count(f"{NAME}.float16.onnx") >= 3
    assert all(f"{title} " in printed for title in ("expected calibration error:", "p50 us:", "points:"))


def test_training_has_one_bar_and_what_it_says_next_works_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    short = ("--arch", "8", "--recipe", "plain", "--epochs", "3", "--batch-size", "500")
    network = ("--models", FOLDER, "--name", NAME)
    printed, status = on_terminal(
        80,
        *chain(
            ("data",),
            ("train", *short, "--name", NAME, "--out", FOLDER),
            ("export", "--format", "onnx", *network),
            ("report", "--no-bench", *network),
            ("completion", "bash", "--install"),
        ),
        folder=tmp_path,
    )
    assert status == 0, printed
    assert too_wide(printed, 80) == []
    bars = [line for line in lines_of(printed) if "━" in line]
    assert {line.partition(" ━")[0].strip() for line in bars if line.startswith("training")} == {
        "training 3 epochs"
    }
    assert all(re.search(r"\d% (\d:\d\d:\d\d|-:--:--) left$", line) for line in bars)
    (command,) = re.findall(r"next: edgedigits ((?:.*\\\s+)*.*)", printed)
    words = command.replace("\\\r\n", "").split("'")
    assert [*words[0].split(), words[1], *words[2].split()] == [
        "export", "--format", "all", "--models", FOLDER, "--name", NAME
    ]  # fmt: skip


@pytest.mark.stress
@pytest.mark.parametrize("columns", [80, 60])
def test_nothing_that_takes_minutes_is_wider_than_the_terminal(columns: int, tmp_path: Path) -> None:
    printed, status = on_terminal(
        columns,
        *chain(
            ("fit", "--flash", "2K", "--candidates", "3", "--epochs", "1", "--name", NAME, "--out", FOLDER),
            ("demo", "--out", f"{NAME} {NAME}"),
            ("page", "--models", f"{NAME} {NAME}"),
        ),
        folder=tmp_path,
    )
    assert status == 0, printed
    assert too_wide(printed, columns) == []
    assert printed.count("━ 100% 0:00:00 left") >= 2


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("verify", "missing.onnx", f"{NAME * 4}.onnx"), 1),
        (("verify", "--models", "no such folder"), 1),
        (("export", "--models", "no such folder"), 1),
        (("export", "--format", "all", "--models", FOLDER, "--name", NAME), 1),
        (("bench", f"{NAME}/{NAME}/{NAME}.onnx"), 1),
        (("diff", f"{NAME}.onnx"), 2),
        (("bench", "--rounds", "many", f"{NAME}.onnx"), 2),
        (("train", "--labels", LABELS, "--data", f"{NAME}/{NAME}"), 1),
        (("predict", f"{NAME}/{NAME}/{NAME}.png"), 1),
        (("completion",), 2),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_no_error_is_wider_than_the_terminal(arguments: tuple[str, ...], status: int, folder: Path) -> None:
    printed, found = on_terminal(80, *arguments, folder=folder, missing="tensorflow,keras")
    assert found == status, printed
    assert too_wide(printed, 80) == []


@pytest.mark.parametrize("columns", [80, 60])
def test_what_c_costs_fits_the_terminal(columns: int) -> None:
    recorded = read_manifest(TINY)["networks"]["tiny-16k"]["files"]["tiny-16k.c"]["firmware"]
    names = {field.name for field in dataclasses.fields(FirmwareFigures)}
    figures = [FirmwareFigures(**{name: row[name] for name in names & row.keys()}) for row in recorded]
    rows = firmware_rows(figures)
    table = firmware_table(f"{NAME}.c", FIRMWARE_HEADER, rows)
    assert too_wide(table_text(table, columns), columns) == []
    assert too_wide(table_text(table, columns, wide=True), columns) == []
