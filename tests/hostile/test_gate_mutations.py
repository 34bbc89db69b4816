"""The gate, judged by what it lets pass: of all the ways to break a file, its records and its reference, none.

The files are the shipped ones and the images MNIST's test images: one thing at a time is broken, for real, and the file
is opened and verified as ``edgedigits verify`` does it.
"""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from gate_mutations import FILES, mutations_of, other_layers_of
from opened_files import opened

from edgedigits.cli import cli
from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError, EdgeDigitsError
from edgedigits.measuring.reference import read_reference
from edgedigits.measuring.verify import verify_model
from edgedigits.runtimes.opening import open_model

MODELS = Path(__file__).parents[2] / "models"
LEAST_KINDS = 40

# The readers and the gate are covered by their own tests; here they run some thousand times more.
pytestmark = [pytest.mark.mnist, pytest.mark.no_cover]
compiled = pytest.mark.c_compiler


def marks(file: str, kind: str, place: int) -> list[pytest.MarkDecorator]:
    """What is broken in its own way in every format is tried with each; the rest with every third, in turn.

    All of them with all formats take minutes: ``make stress``.
    """
    seldom = not kind.startswith("file") and (FILES.index(file) + place) % 3 != 0
    return [pytest.mark.stress] * seldom + [compiled] * (file == "digits.c")


CASES = [
    pytest.param(file, kind, id=f"{file}: {kind}", marks=marks(file, kind, place))
    for file in FILES
    for place, kind in enumerate(mutations_of(file))
]


def released(file: str, folder: Path, *, with_manifest: bool) -> Path:
    """A shipped file in a folder of its own, with what belongs to it."""
    path = Path(shutil.copy(MODELS / file, folder))
    shutil.copy(MODELS / "reference.npz", folder)
    if path.suffix == ".ort":
        shutil.copy(MODELS / file.replace(".ort", ".onnx"), folder)  # what it is made from
    if file == "digits.c":
        shutil.copy(MODELS / "digits.h", folder)
    if with_manifest:
        shutil.copy(MODELS / "manifest.json", folder)
    return path


def found_by_the_gate(path: Path, split: Split) -> list[str]:
    """Open and judge a file; return what is wrong with it, a line each."""
    try:
        model = open_model(path)
        model.check_classes(split)
        answers = read_reference(path.with_name("reference.npz"))
        return [*verify_model(model, split, answers).failures]
    except EdgeDigitsError as error:
        return [str(error)]


@pytest.mark.parametrize(
    "file", [pytest.param(file, marks=compiled if file == "digits.c" else ()) for file in FILES]
)
@pytest.mark.parametrize("with_manifest", [True, False], ids=["with manifest", "alone"])
def test_a_file_as_it_was_exported_passes(
    file: str, with_manifest: bool, mnist_test: Split, tmp_path: Path
) -> None:
    assert found_by_the_gate(released(file, tmp_path, with_manifest=with_manifest), mnist_test) == []


@pytest.mark.parametrize(
    "file", [pytest.param(file, marks=compiled if file == "digits.c" else ()) for file in FILES]
)
def test_a_file_that_was_only_taken_apart_and_put_together_passes(
    file: str, mnist_test: Split, tmp_path: Path
) -> None:
    path = released(file, tmp_path, with_manifest=False)
    parts = opened(path)
    parts.set_layers(parts.layers())
    if file != "digits.keras":
        parts.change_metadata(lambda fields: None)
    parts.save()
    assert found_by_the_gate(path, mnist_test) == []


@pytest.mark.parametrize(("file", "kind"), CASES)
def test_no_mutation_passes(file: str, kind: str, mnist_test: Split, tmp_path: Path) -> None:
    # With the manifest beside it, any change of a file is found by its hash; the gate must do without.
    path = released(file, tmp_path, with_manifest=kind.startswith("manifest"))
    mutations_of(file)[kind](path)
    found = found_by_the_gate(path, mnist_test)
    assert found
    assert all(line.isprintable() for line in found)


@pytest.mark.parametrize(
    ("file", "kind"),
    [pytest.param(file, kind, id=f"{file}: {kind}") for file in FILES for kind in other_layers_of(file)],
)
def test_a_file_that_says_dense_layers_and_has_others_is_not_even_opened(
    file: str, kind: str, tmp_path: Path
) -> None:
    path = released(file, tmp_path, with_manifest=False)
    other_layers_of(file)[kind](path)
    with pytest.raises(ContractError, match=r"Dense layers 128-32.* as its metadata say, found other layers"):
        open_model(path)


@pytest.mark.parametrize("file", FILES)
def test_every_format_is_broken_in_at_least_forty_ways(file: str) -> None:
    groups = {kind.partition(":")[0] for kind in mutations_of(file)}
    assert len(mutations_of(file)) >= LEAST_KINDS
    assert groups >= {"network", "file", "manifest", "reference"}


@compiled
def test_a_header_that_the_manifest_does_not_know_fails(mnist_test: Split, tmp_path: Path) -> None:
    path = released("digits.c", tmp_path, with_manifest=True)
    with path.with_suffix(".h").open("a") as file:
        file.write("/* harmless, but who knows? */\n")
    found = found_by_the_gate(path, mnist_test)
    assert "digits.h is not the file that the manifest beside it records: its sha256 is another" in found


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("digits.int8.onnx", "network: first layer of zeros"),
        ("digits.int8.onnx", "reference: all NaN"),
        ("digits.onnx", "metadata: called int8"),
        ("digits.tflite", "file: softmax removed"),
        ("digits.int8.tflite", "file: softmax twice"),
        ("digits.ort", "network: image turned"),
        ("digits.int8.ort", "manifest: sha256 of the file"),
    ],
)
def test_the_command_says_so_in_lines_and_ends_with_1(
    file: str, kind: str, mnist_test: Split, tmp_path: Path
) -> None:
    path = released(file, tmp_path, with_manifest=kind.startswith("manifest"))
    mutations_of(file)[kind](path)
    result = CliRunner().invoke(cli, ["verify", "--quiet", str(path)])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stderr
    assert all(line.startswith("edgedigits: ") for line in result.stderr.splitlines())
    assert "pass" not in result.stdout
