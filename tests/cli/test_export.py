import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import onnx
import pytest
from click.testing import CliRunner, Result

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split
from edgedigits.file_names import file_name
from edgedigits.networks.build import load_network
from edgedigits_export import select_targets
from edgedigits_export.boards.board import BOARDS, UNO
from edgedigits_export.boards.toolchain import missing_packages

RUN_CLI = Path(__file__).parents[1] / "run_cli.py"
EXPORTED = tuple(
    file_name("digits", target.format, target.precision) for target in select_targets("all", None)
)
OPERATORS = {"digits.required_operators.config", "digits.int8.required_operators.config"}
# The network of three epochs is not the one that the gates are for.
WIDE_GATE = ("--max-drop", "5", "--calibration-size", "200")


@pytest.fixture(autouse=True)
def data(dataset: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST, or the bundled digits where it is not there; read once for all tests."""
    splits = dict(zip(("train", "test"), dataset, strict=True))
    monkeypatch.setattr(mnist, "find_or_download", lambda *_, **__: mnist.Source(Path("bundled"), "bundled"))
    monkeypatch.setattr(mnist, "read_split", lambda _, part: splits[part])


@pytest.fixture
def few_images(dataset: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch) -> None:
    """For networks of others, which nobody knows to have been trained and tested on all."""
    counts = {"train": 6_000, "test": 1_000}
    splits = {
        part: Split.of(whole.dataset, whole.images[: counts[part]], whole.labels[: counts[part]])
        for part, whole in zip(counts, dataset, strict=True)
    }
    monkeypatch.setattr(mnist, "read_split", lambda _, part: splits[part])


def export(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (("--format", "tflite"), {"digits.tflite"}),
        (("--format", "tflite", "--quantize"), {"digits.int8.tflite"}),
        pytest.param(
            ("--format", "tflite", "--quantize", "int8"), {"digits.int8.tflite"}, marks=pytest.mark.stress
        ),
        (("--format", "tflite", "--quantize", "float16"), {"digits.float16.tflite"}),
        (("--format", "tflite", "--quantize", "dynamic"), {"digits.dynamic.tflite"}),
        (("--format", "onnx"), {"digits.onnx"}),
        (("--format", "onnx", "--quantize"), {"digits.int8.onnx"}),
        # What it changes is seen in tests/export/test_export.py.
        pytest.param(
            ("--format", "onnx", "--quantize", "--reduce-range"),
            {"digits.int8.onnx"},
            marks=pytest.mark.stress,
        ),
        (("--format", "onnx", "--quantize", "dynamic"), {"digits.dynamic.onnx"}),
        (("--format", "ort"), {"digits.ort"}),
        (("--format", "ort", "--quantize"), {"digits.int8.ort"}),
        # As in the tests of C files below.
        pytest.param(("--format", "c"), {"digits.c"}, marks=pytest.mark.stress),
        (("--format", "tflm"), {"digits.tflm.c"}),
        (("--format", "page"), {"digits.html"}),
        # The whole of it stands in tests/export/test_export.py.
        pytest.param(("--format", "all"), set(EXPORTED), marks=pytest.mark.stress),
        (("--format", "all", "--quantize", "float16"), {"digits.float16.tflite", "digits.float16.onnx"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_options_name_the_files(
    arguments: tuple[str, ...], written: set[str], models: Path, tmp_path: Path
) -> None:
    result = export("--models", models, "--out", tmp_path, *WIDE_GATE, *arguments)
    assert result.exit_code == 0, result.stderr
    headers = {name.removesuffix("c") + "h" for name in written if name.endswith(".c")}
    beside = {name.replace(".ort", ".required_operators.config") for name in written if name.endswith(".ort")}
    beside |= {"digits.mjs", "digits.d.mts"} if "digits.html" in written else set()
    assert visible(tmp_path) == written | headers | beside | {"manifest.json", "reference.npz"}
    for name in written:
        size = (tmp_path / name).stat().st_size
        if len(written) == 1:
            assert f"{tmp_path / name}  {size:,} bytes  " in result.stdout
            assert f"  sha256 {sha256_file(tmp_path / name)}" in result.stdout
        else:
            assert re.search(rf"^{re.escape(name)} +{size:,} ", result.stdout, re.MULTILINE)
        assert f"exporting {name}" in result.stderr


def test_the_network_can_be_an_argument(models: Path, tmp_path: Path, few_images: None) -> None:
    shutil.copy(models / "digits.keras", tmp_path / "theirs.keras")
    result = export(tmp_path / "theirs.keras", "--format", "onnx", "--input-scale", "0..1", "--max-drop", "5")
    assert result.exit_code == 0, result.stderr
    assert visible(tmp_path) == {"theirs.keras", "theirs.onnx", "theirs.reference.npz", "manifest.json"}


def test_a_network_elsewhere_goes_where_out_says(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = export(models / "digits.keras", "--format", "onnx", "--out", out, "--max-drop", "5")
    assert result.exit_code == 0, result.stderr
    assert "digits.onnx" in visible(out)


@pytest.mark.parametrize(("option", "value"), [("--models", "."), ("--name", "digits")])
def test_a_network_is_named_once(option: str, value: str, models: Path) -> None:
    result = export(models / "digits.keras", "--format", "onnx", option, value)
    assert result.exit_code == 2
    assert f"expected a network or {option}, got both" in result.stderr


@pytest.mark.mnist
def test_a_convolutional_network_goes_to_what_can_hold_it(
    tmp_path: Path, models: Path, few_images: None
) -> None:
    layers = keras.layers
    dense = keras.saving.load_model(models / "digits.keras")
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(1, 1, activation="elu", name="copy"),
            *(layer for layer in dense.layers),
        ]
    )
    network.get_layer("copy").set_weights([keras.ops.ones((1, 1, 1, 1)), keras.ops.zeros(1)])
    network.save(tmp_path / "theirs.keras")
    choices = ("--input-scale", "0..1", "--max-drop", "5", "--calibration-size", "200")
    result = export(tmp_path / "theirs.keras", "--format", "all", *choices)
    assert result.exit_code == 0, result.stderr
    assert {name for name in visible(tmp_path) if name.endswith((".onnx", ".ort", ".tflite", ".c"))} == {
        "theirs.c",
        "theirs.int8.ort",
        "theirs.onnx",
        "theirs.float16.onnx",
        "theirs.dynamic.onnx",
        "theirs.ort",
        "theirs.tflite",
        "theirs.float16.tflite",
        "theirs.dynamic.tflite",
        "theirs.int8.onnx",
        "theirs.int8.tflite",
    }
    reason = "TensorFlow Lite Micro has no int8 kernel for elu"
    assert f"int8 tflm left out: {reason}" in result.stderr
    refused = export(tmp_path / "theirs.keras", "--format", "tflm")
    assert refused.exit_code == 1
    assert reason in refused.stderr


def test_json_and_quiet(models: Path, tmp_path: Path) -> None:
    result = export(
        "--format", "onnx", "--opset", "15", "--models", models, "--out", tmp_path, "--json", "--quiet"
    )
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    fields = json.loads(result.stdout)
    (file,) = fields["exported"]
    assert fields["failed"] == []
    assert (file["path"], file["sha256"]) == (
        str(tmp_path / "digits.onnx"), sha256_file(tmp_path / "digits.onnx")
    )  # fmt: skip
    assert file["verification"]["passed"]
    assert onnx.load(tmp_path / "digits.onnx").opset_import[0].version == 15
    assert read_manifest(tmp_path)["networks"]["digits"]["files"]["digits.onnx"]["opset"] == 15


def test_the_calibration_options_stand_in_the_receipt(models: Path, tmp_path: Path) -> None:
    result = export(
        "--format", "tflite", "--quantize", "--io", "uint8", "--calibration-size", "150", "--seed", "9",
        "--max-drop", "5", "--models", models, "--out", tmp_path, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    metadata = json.loads(result.stdout)["exported"][0]["metadata"]
    assert metadata["edges"] == "uint8"
    assert (metadata["calibration"]["images"], metadata["calibration"]["seed"]) == (150, 9)


BESIDE = ("digits.h", "digits_selftest.c", "digits_prepare.c", "digits_prepare.h")


@pytest.mark.c_compiler
@pytest.mark.parametrize("name", BESIDE)
def test_a_file_beside_the_c_file_is_not_replaced_without_force(
    name: str, models: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("precious")
    result = export(
        "--format",
        "c",
        "--selftest",
        "--prepare",
        *WIDE_GATE,
        "--models",
        models,
        "--out",
        tmp_path,
        "--quiet",
    )
    assert result.exit_code == 1
    assert result.stderr == f"edgedigits: {tmp_path / name}: exists already; give --force to replace it\n"
    assert visible(tmp_path) == {name}


@pytest.mark.c_compiler
def test_what_belongs_to_the_c_file_comes_with_it_and_by_force_in_place_of_others(
    models: Path, tmp_path: Path
) -> None:
    for name in BESIDE:
        (tmp_path / name).write_text("precious")
    result = export(
        "--format",
        "c",
        "--selftest",
        "--prepare",
        *WIDE_GATE,
        "--models",
        models,
        "--out",
        tmp_path,
        "--force",
    )
    assert result.exit_code == 0, result.stderr
    assert {"digits.c", *BESIDE} <= visible(tmp_path)
    assert all((tmp_path / name).read_text() != "precious" for name in BESIDE)
    # The pictures are in a file of their own: the network is the same with and without.
    assert sha256_file(tmp_path / "digits.c") == sha256_file(models / "digits.c")
    assert "digits_selftest.c" in read_manifest(tmp_path)["networks"]["digits"]["files"]
    # And the command says what it costs, or what to install.
    missing = missing_packages()
    is_measured = any(board.toolchain.is_here for board in BOARDS if board is not UNO)
    assert ("digits.c: what it costs on microcontrollers" in result.stdout) == is_measured
    assert (f"apt-get install {' '.join(missing)}" in result.stderr) == bool(missing)


@pytest.mark.c_compiler
def test_without_cross_compilers_one_note_names_the_packages(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    # A PATH with the host's compiler and what it calls, and nothing else.
    for tool in ("cc", "gcc", "as", "ld", "collect2"):
        if found := shutil.which(tool):
            (binaries / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(binaries))
    result = export("--format", "c", *WIDE_GATE, "--models", models, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.stderr
    (note,) = (line for line in result.stderr.splitlines() if "apt-get" in line)
    assert note.startswith(
        "flash, RAM and speed on cortex-m0, cortex-m3, rv32ec, atmega328p were not measured: apt-get install "
        "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm gcc-riscv64-unknown-elf "
    )
    assert json.loads(result.stdout)["exported"][0]["firmware"] == []


@pytest.mark.c_compiler
def test_a_broken_arm_compiler_is_a_note(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "arm-none-eabi-gcc"
    broken.write_text("#!/bin/sh\necho 'fatal error: stdint.h: No such file' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    result = export("--format", "c", *WIDE_GATE, "--models", models, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    reason = "arm-none-eabi-gcc failed (fatal error: stdint.h: No such file)"
    for cpu in ("cortex-m0", "cortex-m3"):
        assert f"flash, RAM and speed on {cpu} were not measured: {reason}" in result.stderr
    assert (tmp_path / "out" / "digits.c").exists()


def test_without_any_compiler_c_is_one_line_and_all_goes_on_without_it(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    arguments = (*WIDE_GATE, "--models", models, "--out", tmp_path)
    result = export("--format", "c", *arguments, "--quiet")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "no C compiler found" in result.stderr
    assert visible(tmp_path) == set()
    result = export("--format", "all", "--quantize", "int8", *arguments)
    assert result.exit_code == 0, result.stderr
    assert "nothing here to open c files with, and so to verify them: they are left out" in result.stderr
    assert {"digits.int8.tflite", "digits.tflm.c"} <= visible(tmp_path)
    assert "digits.c" not in visible(tmp_path)


def test_an_existing_file_needs_force(models: Path, tmp_path: Path) -> None:
    (tmp_path / "digits.onnx").write_bytes(b"precious")
    arguments = ("--format", "onnx", "--models", models, "--out", tmp_path, "--quiet")
    result = export(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr
        == f"edgedigits: {tmp_path / 'digits.onnx'}: exists already; give --force to replace it\n"
    )
    assert (tmp_path / "digits.onnx").read_bytes() == b"precious"
    assert export(*arguments, "--force").exit_code == 0
    assert sha256_file(tmp_path / "digits.onnx") == sha256_file(models / "digits.onnx")


def test_a_file_that_loses_accuracy_is_exit_status_1_and_not_written(models: Path, tmp_path: Path) -> None:
    # A pixel that is dark in every image may have any weight: the same answers in float, but the scale of an int8 layer
    # goes by its largest weight, and the others vanish.
    network, _ = load_network(models / "digits.keras")
    kernel, *rest = network.get_weights()
    kernel[0] = 2**14
    network.set_weights([kernel, *rest])
    network.save(tmp_path / "digits.keras")
    manifest = read_manifest(models)
    from edgedigits.networks.build import weights_sha256

    manifest["networks"]["digits"]["files"] = {}
    manifest["networks"]["digits"]["training"]["weights_sha256"] = weights_sha256(network)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "digits.int8.tflite").write_bytes(b"old")

    result = export(
        "--format",
        "tflite",
        "--quantize",
        "--force",
        "--models",
        tmp_path,
        "--calibration-size",
        "200",
        "--json",
    )

    assert result.exit_code == 1
    assert "edgedigits: digits.int8.tflite was not written: accuracy differs by -" in result.stderr
    fields = json.loads(result.stdout)
    assert fields["exported"] == []
    assert fields["failed"][0]["comparison"]["broken"]
    assert (tmp_path / "digits.int8.tflite").read_bytes() == b"old"
    assert visible(tmp_path) == {"digits.keras", "manifest.json", "digits.int8.tflite"}


def with_lambda(path: Path, _: Path) -> None:
    layers = [keras.layers.Flatten(), keras.layers.Lambda(lambda x: x), keras.layers.Dense(10, "softmax")]
    keras.Sequential([keras.Input((28, 28)), *layers]).save(path)


def truncated(path: Path, models: Path) -> None:
    content = (models / "digits.keras").read_bytes()
    path.write_bytes(content[:-1_000])


def text(path: Path, _: Path) -> None:
    path.write_text("digits")


def missing(path: Path, _: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (with_lambda, "found a Lambda layer, which would run code from the file"),
        (truncated, "no whole .keras archive, truncated or of another kind"),
        (text, "no whole .keras archive, truncated or of another kind"),
        (missing, "no such model file; name one, or make it with `edgedigits train`"),
    ],
    ids=["Lambda", "truncated", "text", "missing"],
)
def test_what_is_no_digits_network_is_one_line_and_nothing_is_written(
    write, complaint: str, models: Path, tmp_path: Path
) -> None:
    write(tmp_path / "digits.keras", models)
    before = visible(tmp_path)
    result = export("--format", "all", "--models", tmp_path, "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"edgedigits: {tmp_path / 'digits.keras'}: ")
    assert complaint in line
    assert visible(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--format", "h5"), "--format"),
        (("--format", "ort", "--quantize", "dynamic"), "ort files come as float32, int8, not as dynamic"),
        (("--format", "c", "--quantize", "dynamic"), "c files come as int8, not as dynamic"),
        (("--format", "tflm", "--quantize", "float16"), "tflm files come as int8, not as float16"),
        (("--format", "tflm", "--selftest"), "--selftest belongs to --format c"),
        (("--format", "onnx", "--prepare"), "--prepare belongs to --format c"),
        (("--format", "tflite", "--quantize", "int4"), "--quantize"),
        (("--format", "onnx", "--opset", "12"), "--opset"),
        (("--format", "onnx", "--opset", "19"), "--opset"),
        (("--format", "tflite", "--calibration-size", "9"), "--calibration-size"),
        (("--format", "tflite", "--max-drop", "-0.1"), "--max-drop"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_exit_status_2(
    arguments: tuple[str, ...], complaint: str, models: Path, tmp_path: Path
) -> None:
    result = export("--models", models, "--out", tmp_path, *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert visible(tmp_path) == set()


def test_another_network_in_the_folder_has_its_own_files(
    models: Path, tmp_path: Path, few_images: None
) -> None:
    shutil.copy(models / "digits.keras", tmp_path / "other.keras")
    result = export("--format", "onnx", "--models", tmp_path, "--name", "other", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert visible(tmp_path) == {"other.keras", "other.onnx", "other.reference.npz", "manifest.json"}
    # The name is no part of the content. (What `train` made is known for it by its manifest, which stayed behind.)
    shutil.copy(models / "digits.keras", tmp_path / "third.keras")
    assert export("--format", "onnx", "--models", tmp_path, "--name", "third", "--quiet").exit_code == 0
    assert sha256_file(tmp_path / "other.onnx") == sha256_file(tmp_path / "third.onnx")


def test_a_missing_extra_is_one_line_with_the_install(models: Path, tmp_path: Path) -> None:
    arguments = ("--format", "onnx", "--models", models, "--out", tmp_path)
    command = [sys.executable, RUN_CLI, "tensorflow,keras", "export", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "edgedigits: exporting needs an extra that is not installed: pip install 'edgedigits[train]'\n"
    )
    assert visible(tmp_path) == set()


@pytest.mark.parametrize(
    ("name", "said"),
    [("other", "no such model file; name one, or make it with `edgedigits train`; in {0} there is digits.keras"),
     ("digits", "digits.int8.onnx: exists already; give --force to replace it")],
    ids=["no network", "a file that is there"],
)  # fmt: skip
def test_what_is_there_is_looked_at_before_tensorflow_is_imported(
    name: str, said: str, models: Path, tmp_path: Path
) -> None:
    for file in ("digits.keras", "digits.int8.onnx"):
        shutil.copy(models / file, tmp_path)
    command = [sys.executable, RUN_CLI, "tensorflow,keras", "export", "--models", tmp_path, "--name", name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert said.format(tmp_path) in done.stderr
    without_data = [
        *command[:4],
        models / "digits.keras",
        "--out",
        tmp_path / "new",
        "--data",
        tmp_path / "nowhere",
    ]
    done = subprocess.run(without_data, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path / 'nowhere'} (--data): expected a folder" in done.stderr
