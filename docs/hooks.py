"""What MkDocs is told besides its configuration: pages that lie elsewhere, and the help of every command.

Pages name files of the repository by their address on the web, so that they can be followed wherever a page is shown.
In the site, those that are a page of it lead to that page.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING, Any

import click
from click.testing import CliRunner
from mkdocs.structure.files import File

from edgedigits.cli import COMMANDS, cli

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "house.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
    "export/README.md": "export.md",
}
"""Files that are pages of the site, and their names there."""
HOSTED = {"models/numbers/numbers.html": "numbers.html"}
"""Files that readers open in the site, and their names there; ``docs/digits.html`` lies there by itself."""
NOT_SEARCHED = "---\nsearch:\n  exclude: true\n---\n\n"
"""Before a page that has a word on everything."""
PICTURE = re.compile(r"(!\[[^\]]*\]\()\.\./([^)]+)\)")
"""Of the repository, in a page of ``docs/``."""
LINK = re.compile(r"(\]\()([^)#:\s]+)(#[^)]*)?\)")
"""To another file, by its relative path."""


def on_files(files: "Files", config: "MkDocsConfig", **_: Any) -> "Files":
    """Add the pages that lie elsewhere, and the pictures that pages show from there."""
    for path, name in PAGES.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        head = NOT_SEARCHED if name == "changelog.md" else ""
        files.append(File.generated(config, name, content=head + _absolute(text, path, config)))
    for path, name in HOSTED.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, "help.md", content=_help()))
    for page in (ROOT / "docs").glob("*.md"):
        for _before, path in PICTURE.findall(page.read_text(encoding="utf-8")):
            if files.get_file_from_path(f"pictures/{path}") is None:
                files.append(File.generated(config, f"pictures/{path}", abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, config: "MkDocsConfig", **_: Any) -> str:
    """Let links that lead to a page of the site lead there, and show pictures from it."""
    markdown = PICTURE.sub(r"\1pictures/\2)", markdown)
    markdown = re.sub(r"\]\(\.\./", f"]({_address('', config)}", markdown)
    for path, name in (PAGES | HOSTED).items():
        markdown = re.sub(rf"\]\({re.escape(_address(path, config))}(?=[)#])", f"]({name}", markdown)
    raw = (
        _address("docs/", config)
        .replace("//github.com/", "//raw.githubusercontent.com/")
        .replace("/blob/", "/")
    )
    return markdown.replace(f"]({_address('docs/', config)}", "](").replace(f"]({raw}", "](")


def _absolute(text: str, path: str, config: "MkDocsConfig") -> str:
    """Return a page with addresses in place of the relative paths in its links."""
    folder = Path(path).parent.as_posix()

    def named(link: re.Match[str]) -> str:
        before, target, anchor = link.groups(default="")
        return f"{before}{_address(normpath(f'{folder}/{target}'), config)}{anchor})"

    return LINK.sub(named, text)


def _address(path: str, config: "MkDocsConfig") -> str:
    """Return where a file of the repository is on the web."""
    return f"{config.extra['repository']}/blob/main/{path}"


def _commands() -> Iterator[list[str]]:
    """Yield the words of every command, and of those within it."""
    context = click.Context(cli)
    for name in COMMANDS:
        yield [name]
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ([name, inner] for inner in command.list_commands(context))


def _help() -> str:
    """Return a page of what ``--help`` says of every command."""
    sections = ["# Help of every command"]
    for words in _commands():
        said = CliRunner().invoke(cli, [*words, "--help"], prog_name="edgedigits", terminal_width=80)
        sections.append(f"## edgedigits {' '.join(words)}\n\n```text\n{said.stdout.rstrip()}\n```")
    return "\n\n".join(sections) + "\n"
