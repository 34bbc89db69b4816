import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.manifest import network_entry, read_manifest
from edgedigits.artifacts.recovery import finish_commits
from edgedigits.datasets.split import Split
from edgedigits.errors import ModelNotFoundError, OutputError
from edgedigits.file_names import file_name
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.verify import verify_model
from edgedigits.networks.build import load_network
from edgedigits.runtimes.opening import open_model
from edgedigits_export import ExportOptions, export_model, select_targets

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
# As the fixture `models` was made: the same options give the same bytes.
OPTIONS = ExportOptions(calibration_size=200, max_drop=5.0)
OPERATORS = ["digits.required_operators.config", "digits.int8.required_operators.config"]
TARGETS = select_targets("all", None)
NAMES = [file_name("digits", target.format, target.precision) for target in TARGETS]
ONNX = select_targets("onnx", None)
INT8 = select_targets("tflite", "int8")


def hashes(folder: Path) -> dict[str, str]:
    return {name: sha256_file(folder / name) for name in NAMES if (folder / name).exists()}


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def copy_network(models: Path, folder: Path) -> Path:
    """Copy the trained network and what training wrote beside it, but no exported files."""
    manifest = read_manifest(models)
    files = network_entry(manifest, "digits")["files"]
    for name in (*NAMES, *OPERATORS):
        del files[name]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for name in ("digits.keras", "reference.npz"):
        shutil.copy(models / name, folder / name)
    return folder / "digits.keras"


@pytest.fixture
def network(models: Path, tmp_path: Path) -> Path:
    """The trained network in a folder of its own, as training leaves it."""
    return copy_network(models, tmp_path)


# The same bytes


def test_another_process_gives_the_same_bytes_and_completes_the_folder(network: Path, models: Path) -> None:
    arguments = [
        "--format", "all", "--models", str(network.parent), "--calibration-size", "200", "--max-drop", "5", "--json",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, RUN_CLI, "-", "export", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert hashes(network.parent) == hashes(models)
    printed = {Path(file["path"]).name: file["sha256"] for file in json.loads(done.stdout)["exported"]}
    assert printed == hashes(models)
    assert visible(network.parent) == {
        *NAMES, *OPERATORS, *(name.removesuffix("c") + "h" for name in NAMES if name.endswith(".c")),
        "digits.mjs", "digits.d.mts", "digits.keras", "reference.npz", "manifest.json", "MODEL_CARD.md",
    }  # fmt: skip
    ours, theirs = (
        read_manifest(folder)["networks"]["digits"]["files"] for folder in (network.parent, models)
    )
    assert {name: ours[name] for name in NAMES} == {name: theirs[name] for name in NAMES}
    assert ours["reference.npz"]["sha256"] == sha256_file(network.parent / "reference.npz")
    assert ours["digits.keras"]["sha256"] == sha256_file(network)
    card = (network.parent / "MODEL_CARD.md").read_text()
    assert all(f"`{name}`" in card for name in NAMES)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"seed": 1}, {"digits.int8.tflite", "digits.int8.onnx"}),
        # As the seed does: other images.
        pytest.param(
            {"calibration_size": 100}, {"digits.int8.tflite", "digits.int8.onnx"}, marks=pytest.mark.stress
        ),
        ({"edges": "uint8"}, {"digits.int8.tflite"}),
        ({"opset": 15}, {"digits.onnx", "digits.int8.onnx"}),
        ({"reduce_range": True}, {"digits.int8.onnx"}),
        ({"max_drop": 50.0}, set()),
    ],
    ids=lambda names: "+".join(sorted(names)),
)
def test_an_option_changes_the_files_that_it_is_about(
    change: dict, differs: set[str], models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    options = dataclasses.replace(OPTIONS, **change)
    targets = (*INT8, *ONNX, *select_targets("onnx", "int8"))
    export_model(models / "digits.keras", targets, *dataset, folder=tmp_path, options=options)
    before, after = hashes(models), hashes(tmp_path)
    assert {name for name in after if after[name] != before[name]} == differs


# What is put in place


def test_what_is_reported_is_what_lies_there(
    models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    (file,), _ = export_model(models / "digits.keras", INT8, *dataset, folder=tmp_path, options=OPTIONS)
    assert (file.sha256, file.bytes) == (sha256_file(file.path), file.path.stat().st_size)
    model = open_model(file.path)
    assert model.metadata == file.metadata
    again = verify_model(model, dataset[1], read_reference(tmp_path / "reference.npz"), max_drop=5.0)
    assert again == file.verification
    fields = file.to_dict()
    assert json.loads(json.dumps(fields, allow_nan=False))["verification"]["file"] == "digits.int8.tflite"


def test_an_existing_file_is_not_replaced_without_force(network: Path, dataset: tuple[Split, Split]) -> None:
    for name in ("digits.float16.tflite", "digits.onnx"):
        (network.parent / name).write_bytes(b"precious")
    with pytest.raises(
        OutputError, match=r"digits\.float16\.tflite, .*digits\.onnx: exists already; give --force"
    ):
        export_model(network, TARGETS, *dataset, options=OPTIONS)
    assert (network.parent / "digits.onnx").read_bytes() == b"precious"
    assert not (network.parent / "digits.tflite").exists()


def test_force_replaces(network: Path, dataset: tuple[Split, Split], models: Path) -> None:
    (network.parent / "digits.onnx").write_bytes(b"not precious")
    export_model(network, ONNX, *dataset, options=dataclasses.replace(OPTIONS, force=True))
    assert hashes(network.parent) == {"digits.onnx": hashes(models)["digits.onnx"]}


def test_a_network_that_is_not_there_is_an_error(dataset: tuple[Split, Split], tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="train one with `edgedigits train`"):
        export_model(tmp_path / "digits.keras", ONNX, *dataset)
    assert visible(tmp_path) == set()


def test_a_folder_that_cannot_be_made_is_an_error(
    models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot be read \(Not a directory\); choose another folder"):
        export_model(models / "digits.keras", ONNX, *dataset, folder=tmp_path / "file" / "out")


# The gate


@pytest.fixture
def unquantizable(models: Path, tmp_path: Path) -> Path:
    """The trained network with a giant weight at a pixel that is dark in every image.

    The answers are the same; but the scale of an int8 layer goes by its largest weight, and the others vanish.
    """
    network, _ = load_network(models / "digits.keras")
    kernel, *rest = network.get_weights()
    kernel[0] = 2**14
    network.set_weights([kernel, *rest])
    path = tmp_path / "digits.keras"
    network.save(path)
    manifest = read_manifest(models)
    entry = network_entry(manifest, "digits")
    entry["files"] = {}
    # It keeps the validation split of the network that it was made from.
    from edgedigits.networks.build import weights_sha256

    entry["training"]["weights_sha256"] = weights_sha256(network)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return path


def test_a_file_that_loses_accuracy_is_not_put_in_place(
    unquantizable: Path, dataset: tuple[Split, Split]
) -> None:
    exported, failed = export_model(unquantizable, (*INT8, *ONNX), *dataset, options=OPTIONS)
    assert [file.path.name for file in exported] == ["digits.onnx"]
    (verification,) = failed
    assert verification.file == "digits.int8.tflite"
    assert not verification.passed
    assert verification.comparison.difference < -5.0
    assert "allowed are 5.00" in verification.failures[0]
    assert "digits.int8.tflite" not in visible(unquantizable.parent)
    files = read_manifest(unquantizable.parent)["networks"]["digits"]["files"]
    assert set(files) == {"digits.onnx", "reference.npz"}
    assert not list(unquantizable.parent.glob(".staging-*"))


def test_the_old_file_stays_when_the_new_one_fails_the_gate(
    unquantizable: Path, dataset: tuple[Split, Split]
) -> None:
    folder = unquantizable.parent
    (folder / "digits.int8.tflite").write_bytes(b"old")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    _, failed = export_model(unquantizable, INT8, *dataset, options=dataclasses.replace(OPTIONS, force=True))
    assert len(failed) == 1
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}
    assert after == before


def test_max_drop_moves_the_gate(unquantizable: Path, dataset: tuple[Split, Split]) -> None:
    exported, failed = export_model(
        unquantizable, INT8, *dataset, options=dataclasses.replace(OPTIONS, max_drop=100.0)
    )
    assert not failed
    assert exported[0].verification.max_drop == 100.0


# Processes that are really killed

OLD = b"the old file"
MOMENTS = {
    "the first file is begun": lambda folder: any(folder.glob(".staging-*")),
    "the first file is in place": lambda folder: (folder / "digits.tflite").read_bytes() != OLD,
    "the third file is in place": lambda folder: (folder / "digits.dynamic.tflite").read_bytes() != OLD,
}
OFTEN = "the first file is in place"
"""Of several in a set, some of which are new by then and some old: tests/faults/ has kills at any moment."""


def start_export(folder: Path) -> subprocess.Popen:
    arguments = [
        "--format", "all", "--models", str(folder), "--force", "--calibration-size", "200", "--max-drop", "5",
    ]  # fmt: skip
    return subprocess.Popen(
        [sys.executable, RUN_CLI, "-", "export", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def killed_export(moment: str, models: Path, folder: Path) -> None:
    """Export, and kill the process with SIGKILL at a moment."""
    copy_network(models, folder)
    for name in NAMES:
        (folder / name).write_bytes(OLD)
    child = start_export(folder)
    try:
        while not MOMENTS[moment](folder):
            assert child.poll() is None, child.communicate()[1]
            time.sleep(0.001)
    finally:
        child.kill()
        child.communicate()
    assert child.returncode == -signal.SIGKILL


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize(
    "moment",
    [pytest.param(moment, marks=() if moment == OFTEN else pytest.mark.stress) for moment in MOMENTS],
)
def test_a_killed_export_leaves_old_files_or_new_ones(
    moment: str, models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    folder = tmp_path
    killed_export(moment, models, folder)
    new = {name: (models / name).read_bytes() for name in NAMES}
    found = {name: (folder / name).read_bytes() for name in NAMES}
    assert all(found[name] in (OLD, new[name]) for name in NAMES)
    assert OLD in found.values()
    finish_commits(folder)  # as every command does that writes here
    found = {name: (folder / name).read_bytes() for name in NAMES}
    network = folder / "digits.keras"
    assert network.read_bytes() == (models / "digits.keras").read_bytes()
    for name in read_manifest(folder)["networks"]["digits"]["files"]:
        assert found.get(name) != OLD  # the manifest never runs ahead of the files

    again = (*INT8, *ONNX)
    export_model(network, again, *dataset, options=dataclasses.replace(OPTIONS, force=True))
    for name in (file_name("digits", target.format, target.precision) for target in again):
        assert (folder / name).read_bytes() == new[name]
    assert not list(folder.glob(".commit-*"))
