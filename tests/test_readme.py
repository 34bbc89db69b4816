"""README and the pages of docs/ show real output: what can be repeated exactly is repeated here and compared."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import COMMANDS, cli
from edgedigits.format_table import PRECISIONS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(r"```console\n\$ (edgedigits [^\n]*)\n(.*?)```", TEXT, re.DOTALL)


def block(command: str) -> str:
    """The output that the pages show for the one command that begins so."""
    (shown,) = [output for line, output in BLOCKS if line.startswith(command)]
    return shown


def run(command: str) -> str:
    """The output that the command has."""
    (line,) = [line for line, _ in BLOCKS if line.startswith(command)]
    result = CliRunner().invoke(cli, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output
    return result.stdout


def without_trailing_blanks(text: str) -> list[str]:
    """The lines of a text; a table pads its lines, an editor would not keep that."""
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_predict_prints_what_the_readme_shows() -> None:
    assert without_trailing_blanks(run("edgedigits predict")) == without_trailing_blanks(
        block("edgedigits predict")
    )


def test_info_prints_what_its_page_shows() -> None:
    shown, printed = (
        [
            line for line in text.splitlines() if not line.startswith("runtime")
        ]  # the version that is installed
        for text in (block("edgedigits info"), run("edgedigits info"))
    )
    assert printed == shown


@pytest.mark.mnist
@pytest.mark.usefixtures("mnist_source")
def test_verify_prints_what_its_page_shows() -> None:
    def figures(text: str) -> list[list[str]]:
        # All columns but the largest difference of a probability, which depends on the processor's instructions.
        rows = [line.split() for line in text.splitlines() if "digits." in line]
        return [[cell for cell in row if "e-" not in cell] for row in rows]

    command = "edgedigits verify models/digits.onnx"
    assert figures(run(command)) == figures(block(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_a_page(command: str) -> None:
    assert f"edgedigits {command}" in TEXT


@pytest.mark.parametrize("precision", [precision for precision in PRECISIONS if precision != "float32"])
def test_every_precision_stands_in_a_page(precision: str) -> None:
    assert precision in TEXT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_of_the_repository_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", ["docs/formats.md", "export/README.md"])
def test_the_firmware_tables_are_those_of_the_manifest(page: str) -> None:
    measured = read_manifest(ROOT / "models")["networks"]["digits"]["files"]["digits.c"]["firmware"]
    rows = [
        re.findall(r"[\d,]{2,}", line.partition(row["optimization"])[2])
        for row, line in zip(measured, _firmware_lines(ROOT / page), strict=True)
    ]
    columns = ("flash", "code", "tables", "parameters", "ram", "instructions", "cycles")
    for row, shown in zip(measured, rows, strict=True):
        figures = {f"{row[column]:,}" for column in columns if row.get(column) is not None}
        assert figures <= set(shown)


def _firmware_lines(page: Path) -> list[str]:
    """The lines about a processor and an optimization, in the order of the manifest; not of another network."""
    text = re.sub(
        r"^theirs\.c: .*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return re.findall(
        r"^.*(?:cortex-m\d|rv32ec|atmega328p).*-O[s2].*\d,\d{3}.*$", text, re.MULTILINE | re.IGNORECASE
    )
