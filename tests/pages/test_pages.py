"""README and the pages of ``docs/``: what they show is what commands print, and all that they name is there."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path

import blocks
import click
import pytest
import yaml
from blocks import PAGES, README, ROOT, Block

import edgedigits
import edgedigits.score
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import COMMANDS, cli
from edgedigits.datasets.places import Source
from edgedigits.format_table import PRECISIONS

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
LINK = re.compile(r"\]\(([^)\s]+)\)")

PAGE_ID = {"ids": lambda page: page.name}


def with_commands(*, long: bool) -> list[Path]:
    """The pages besides README with a command that is run; or those with one that takes long."""
    return [
        page
        for page in PAGES
        if page != README and any(block.commands and block.is_long is long for block in blocks.blocks(page))
    ]


@pytest.mark.mnist
@pytest.mark.parametrize(
    "place", ["in a clone", pytest.param("in an empty folder", marks=pytest.mark.stress)]
)
def test_the_blocks_of_readme_run_in_order_and_harm_nothing(
    place: str, mnist_source: Source, tmp_path: Path
) -> None:
    if place == "in a clone":
        if not (ROOT / ".git").exists():
            pytest.skip("this is no clone")
        subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(tmp_path)], check=True)
    run_in_order(README, tmp_path, mnist_source)
    for block in blocks.blocks(README):
        if block.language == "python":
            said = subprocess.run(
                [sys.executable, "-c", block.body], cwd=tmp_path, capture_output=True, text=True, check=True
            )
            assert f"# {said.stdout.strip()}\n" in block.body
    if place == "in a clone":
        status = ["git", "status", "--porcelain"]
        assert subprocess.run(status, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == ""
    assert (tmp_path / "my-models" / "digits.int8.onnx").is_file()


@pytest.mark.mnist
@pytest.mark.parametrize("page", with_commands(long=False), **PAGE_ID)
def test_what_a_page_shows_is_what_is_printed(page: Path, mnist_source: Source, tmp_path: Path) -> None:
    run_in_order(page, tmp_path, mnist_source)


@pytest.mark.stress
@pytest.mark.mnist
@pytest.mark.parametrize("page", with_commands(long=True), **PAGE_ID)
def test_what_takes_long_is_printed_as_its_page_shows(
    page: Path, mnist_source: Source, tmp_path: Path
) -> None:
    (tmp_path / "mnist").symlink_to(mnist_source.path)
    if blocks.is_after_readme(page):
        run_in_order(README, tmp_path, mnist_source)
    run_in_order(page, tmp_path, mnist_source, long=True)


def run_in_order(page: Path, folder: Path, source: Source, *, long: bool = False) -> None:
    """Run the commands of a page in a folder, those that take long if they are asked for, and compare each."""
    for block in blocks.blocks(page):
        for command in () if block.is_long and not long else block.commands:
            place = ROOT if block.folder_is_checkout else folder
            blocks.compare(block, command, blocks.run(command, place, source.path, shortened=True))


def words_of(block: Block) -> Iterator[list[str]]:
    """The words of each ``edgedigits`` command in a block of a shell's lines."""
    lines = re.findall(r"^\$ (.*)", block.body, re.MULTILINE) if block.language == "console" else [block.body]
    for line in lines:
        for command in re.split(r"\n|&&|\|", line.replace("\\\n", " ")):
            words = list(dropwhile(lambda word: "=" in word, shlex.split(command, comments=True)))
            if len(words) > 1 and Path(words[0]).name == "edgedigits":
                yield words[1:]


@pytest.mark.parametrize("page", PAGES, **PAGE_ID)
def test_every_command_of_a_page_is_understood(page: Path) -> None:
    for block in blocks.blocks(page):
        if block.language in {"sh", "console"}:
            for name, *arguments in words_of(block):
                command = cli.get_command(click.Context(cli), name)
                assert command is not None, f"{page.name}: edgedigits {name}"
                if "--help" not in arguments:
                    command.make_context(name, arguments, parent=click.Context(cli))
        elif block.language == "python":
            compile(block.body, str(page), "exec")


@pytest.mark.parametrize("page", PAGES, **PAGE_ID)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target.partition("#") for target in LINK.findall(page.read_text(encoding="utf-8"))]
    missing = [
        f"{target}{anchor}{heading}"
        for target, anchor, heading in targets
        if (file := in_repository(target, page)) is not None
        and not (file.exists() and (not heading or heading in headings(file)))
    ]
    assert missing == []


def in_repository(target: str, page: Path) -> Path | None:
    """The file that a link names; None where it is of another place on the web."""
    for prefix in (f"{REPOSITORY}/blob/main/", f"{REPOSITORY}/tree/main/", raw_address()):
        if target.startswith(prefix):
            return ROOT / target.removeprefix(prefix)
    if target == REPOSITORY or ":" in target:
        return None
    return page.parent / target if target else page


def raw_address() -> str:
    """Where GitHub has pictures of the repository for other pages."""
    return REPOSITORY.replace("https://github.com/", "https://raw.githubusercontent.com/") + "/main/"


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub and MkDocs make them of its headings."""
    titles = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_readme_is_a_front_page() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert lines.index("$ edgedigits predict --sample") < 40
    typed = next(block for block in blocks.blocks(README) if block.language == "sh").body.splitlines()
    assert len(typed) <= 3
    assert typed[-1] == "edgedigits predict --sample"


def test_readme_can_be_read_where_the_repository_is_not() -> None:
    targets = LINK.findall(README.read_text(encoding="utf-8"))
    assert [target for target in targets if not target.startswith("https://")] == []


def test_what_is_told_to_install_is_declared() -> None:
    told = {
        extra
        for extras in re.findall(r"(?:edgedigits|\.|\.whl)\[([\w,]+)\]", TEXT)
        for extra in extras.split(",")
    }
    assert told <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_a_page(command: str) -> None:
    assert f"edgedigits {command}" in TEXT


@pytest.mark.parametrize("precision", [precision for precision in PRECISIONS if precision != "float32"])
def test_every_precision_stands_in_a_page(precision: str) -> None:
    assert precision in TEXT


@pytest.mark.parametrize(
    ("shown", "printed", "is_same"),
    [
        ("a 1\n...\nd 4\n", "a 1\nb 2\nc 3\nd 4\n", True),
        ("a 1\n...\nd 4\n", "a 1\nb 2\nc 3\nd 5\n", False),
        ("a 1\n...\nc 3\n...\ne 5\n", "a 1\nb 2\nc 3\nd 4\ne 5\n", True),
        ("a 1\n...\nx 3\n...\ne 5\n", "a 1\nb 2\nc 3\nd 4\ne 5\n", False),
        ("a 1\n", "a 1\nb 2\n", False),
        ("onnxruntime 1.31.1, 2.3e-06\n", "onnxruntime 1.23.2, 1.7e-07\n", True),
    ],
    ids=["left out", "another end", "left out twice", "another middle", "more", "versions"],
)
def test_outputs_are_compared_but_for_what_is_left_out(shown: str, printed: str, is_same: bool) -> None:
    block, command = Block(README, "console", "", ""), blocks.Command("edgedigits", shown)
    if is_same:
        blocks.compare(block, command, printed)
    else:
        with pytest.raises(blocks.MismatchError):
            blocks.compare(block, command, printed)


@pytest.mark.parametrize(
    ("printed", "is_same"),
    [
        ("epoch 1/1  loss 0.5\nfile: 9 %\n", True),
        ("epoch 1/1  loss 0.5\nfile: 9 %\nA processor; edgedigits 0.2.0,\n  python 3.10\n", True),
        ("epoch 1/1  loss 0.5\nfile: the machine was busy\nfile: 9 %\n", True),
        ("epoch 1/1  loss 0.5\nfile 9 %\n", False),
    ],
    ids=["other figures", "another machine", "a busy machine", "other words"],
)
def test_where_figures_vary_words_are_compared(printed: str, is_same: bool) -> None:
    block = Block(README, "console", "", "figures vary")
    command = blocks.Command("edgedigits", "epoch 1/6  loss 1.25\n...\nepoch 6/6  loss 0.1\nfile: 12.5 %\n")
    if is_same:
        blocks.compare(block, command, printed)
    else:
        with pytest.raises(blocks.MismatchError):
            blocks.compare(block, command, printed)


def test_outputs_are_written_anew_in_their_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = (
        "# A page\n\n```console\n$ edgedigits predict --sample\n3-chalk.png: 3  100.0 %\n...\n7-photo.jpg: 9  100.0 %\n"
        f"$ edgedigits --version\nedgedigits, version {edgedigits.__version__}\n$ false\nsame\n```\n\nText.\n"
    )
    page.write_text(text, encoding="utf-8")
    for folder, changed in (("first", 1), ("second", 0)):
        (tmp_path / folder).mkdir()
        assert blocks.write_anew(page, tmp_path / folder, tmp_path) == changed
        assert page.read_text(encoding="utf-8") == text.replace("jpg: 9", "jpg: 7")


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


def test_the_reference_shows_all_that_is_public() -> None:
    shown = set(
        re.findall(r"^::: ([\w.]+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    public = {getattr(room, name) for room in (edgedigits, edgedigits.score) for name in room.__all__}
    public -= {edgedigits.__version__}
    missing = {
        f"{thing.__module__}.{thing.__qualname__}"
        for thing in public
        if thing.__module__ not in shown and f"{thing.__module__}.{thing.__qualname__}" not in shown
    }
    assert missing == set()


def test_the_site_lists_every_page() -> None:
    listed = set(
        re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {page.name for page in PAGES if page != README} <= listed


def test_the_address_of_the_repository_is_the_same_everywhere() -> None:
    site = re.search(r"^  repository: (\S+)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert site is not None
    assert site[1] == REPOSITORY
    assert all(address.startswith(REPOSITORY) for address in PROJECT["urls"].values())
    files = [in_repository(address, README) for address in PROJECT["urls"].values()]
    assert all(file.exists() for file in files if file is not None)


def test_the_citation_is_that_of_this_release() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    # What version 1.2.0 of the Citation File Format requires, and what is known of the project.
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["title"] == PROJECT["name"]
    assert str(citation["version"]) == edgedigits.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == REPOSITORY
    assert citation["authors"] == PROJECT["authors"]
