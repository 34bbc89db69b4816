"""Commands in the pages, and what they print: run and compared by the tests, and written anew by `make docs-output`.

A ``console`` block holds commands behind ``$``, each with its output below; those of edgedigits are run here, others
by the tests of what they are about. A comment before the block says what is special:

    <!-- block: figures vary -->           numbers are those of one run on one machine; all else is compared
    <!-- block: in a checkout -->          runs where the repository's own files are, and writes nothing there
    <!-- block: long -->                   takes minutes: left to `make stress`
    <!-- block: not run: it needs a Pi --> for a reason, which is given

``...`` alone in a line of output stands for any lines. All others run in order in one folder, which is empty at first;
where a page says ``<!-- blocks: after README.md -->``, those of README ran in it before.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgedigits.datasets import places

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
SHOWN_DATA = "/home/you/mnist"
"""In place of wherever MNIST lies here."""
ELISION = "..."

FENCED = re.compile(
    r"^(?:<!-- block: (?P<note>[^\n]*?) -->\n+)?```(?P<language>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PROMPT = re.compile(r"^\$ ", re.MULTILINE)
VERSION = re.compile(r"\b(onnxruntime|ai-edge-litert) \d[\w.]*")
"""Of a runtime: that which is installed."""
TINY = re.compile(r"\b\d\.\d+e-\d\d\b")
"""Differences of probabilities in the last bits, which depend on the processor's instructions."""
NUMBER = re.compile(r"[-+]?\d[\d,.]*(?:e[-+]\d+)?")
RULE = re.compile(r"[─-]{2,}")
OF_THE_MACHINE = re.compile(r"^.*(?:; edgedigits |machine (?:is|was) busy).*\n(?:  .*\n)*", re.MULTILINE)
"""Lines, with those that go on below them."""
HASH = re.compile(r"\b[0-9a-f]{12,64}\b")


class MismatchError(AssertionError):
    """A command prints something else than its page shows."""


@dataclass(frozen=True)
class Command:
    """A command in a page, and the output that is shown for it."""

    line: str
    shown: str


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: in which it stands.
        language: ``console``, ``sh``, ``python`` or another.
        body: its text.
        note: what a comment says of it, or ``""``.
    """

    page: Path
    language: str
    body: str
    note: str

    @property
    def commands(self) -> tuple[Command, ...]:
        """Those of edgedigits behind a ``$``; none where the block is not run."""
        if self.language != "console" or self.note.startswith("not run: "):
            return ()
        parts = PROMPT.split(self.body)[1:]
        return tuple(Command(*part.split("\n", 1)) for part in parts if part.startswith("edgedigits "))

    @property
    def is_long(self) -> bool:
        """Whether it is left to `make stress`."""
        return "long" in self.note.split(", ")

    @property
    def varies(self) -> bool:
        """Whether its numbers are those of one run."""
        return "figures vary" in self.note.split(", ")

    @property
    def folder_is_checkout(self) -> bool:
        """Whether it runs beside the repository's own files."""
        return "in a checkout" in self.note.split(", ")


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in their order."""
    for found in FENCED.finditer(page.read_text(encoding="utf-8")):
        yield Block(page, found["language"], found["body"], found["note"] or "")


def is_after_readme(page: Path) -> bool:
    """Tell whether the commands of a page go on where those of README ended."""
    return "<!-- blocks: after README.md -->" in page.read_text(encoding="utf-8")


def run(command: Command, folder: Path, data: Path, *, shortened: bool = False) -> str:
    """Run a command in a folder, as a shell does, and return what it prints on both streams.

    Args:
        command: which.
        folder: to run it in.
        data: where MNIST is.
        shortened: train and measure as shortly as can be; the numbers are worth nothing then.

    Raises:
        MismatchError: it failed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Unbuffered, both streams come in the order in which a terminal shows them.
    own = {"COLUMNS": "80", "PATH": path, "EDGEDIGITS_DATA": str(data), "PYTHONUNBUFFERED": "1"}
    environment = {**os.environ, **own}
    if shortened:
        bench = {"MIN_SECONDS": "0.01", "ROUNDS": "1", "COLD_STARTS": "1", "MIN_SAMPLES": "5"}
        environment |= {f"EDGEDIGITS_BENCH_{name}": value for name, value in bench.items()}
        environment |= {"EDGEDIGITS_TRAIN_EPOCHS": "1"}
    done = subprocess.run(
        ["bash", "-c", command.line],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MismatchError(f"{command.line}: exit status {done.returncode}\n{done.stdout}")
    printed = done.stdout.replace(str(data), SHOWN_DATA)
    return "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())


def compare(block: Block, command: Command, printed: str) -> None:
    """Compare what a command printed with what is shown for it.

    Raises:
        MismatchError: they differ by more than may be.
    """
    comparable = without_figures if block.varies else without_versions
    lines = comparable(printed)
    segments = [comparable(segment) for segment in elided(command.shown)]
    # What is left out of a table is lines like those around it, which are one line without their figures.
    is_same = lines == comparable("".join(elided(command.shown))) or (
        len(segments) > 1 and _in_order(segments, lines)
    )
    if not is_same:
        said = f"{block.page.name}: {command.line}\n--- shown\n{command.shown}--- printed\n{printed}"
        raise MismatchError(f"{said}\n`make docs-output` writes it anew")


def elided(shown: str) -> list[str]:
    """Return the parts of an output between the lines that stand for any."""
    return re.split(rf"^{re.escape(ELISION)}\n", shown, flags=re.MULTILINE)


def without_versions(text: str) -> list[str]:
    """Return the lines of an output that is the same everywhere, but for versions and last bits."""
    return [TINY.sub("", VERSION.sub(r"\1", line)).rstrip() for line in text.strip().splitlines()]


def without_figures(text: str) -> list[str]:
    """Return the lines of an output without what varies from run to run; of equal ones after each other the first.

    What varies are numbers, whether an answer is sure, the machine and its versions, and whether it was busy.
    """
    lines: list[str] = []
    for line in OF_THE_MACHINE.sub("", f"{text.strip()}\n").splitlines():
        words = NUMBER.sub("0", HASH.sub("hash", line.replace("not sure", "")))
        words = RULE.sub("─", " ".join(words.split()))
        if lines[-1:] != [words]:
            lines.append(words)
    return lines


def _in_order(segments: list[list[str]], lines: list[str]) -> bool:
    """Tell whether lines begin with the first segment, end with the last, and have the others between, in order."""
    first, *between, last = segments
    start, end = len(first), len(lines) - len(last)
    if lines[:start] != first or start > end or lines[end:] != last:
        return False
    for segment in between:
        places = [
            at for at in range(start, end - len(segment) + 1) if lines[at : at + len(segment)] == segment
        ]
        if not places:
            return False
        start = places[0] + len(segment)
    return True


def shortened_as(shown: str, printed: str) -> str:
    """Leave out of an output what was left out of the one before, as far as the same lines can be found."""
    parts = [part.splitlines() for part in elided(shown)]
    lines = printed.splitlines()
    if len(parts) == 1 or len(lines) <= sum(map(len, parts)):
        return printed
    first, *between, last = parts
    kept, start, end = lines[: len(first)], len(first), len(lines) - len(last)
    for part in between:
        wanted = [without_figures(line) for line in part]
        places = [
            at
            for at in range(start, end - len(part) + 1)
            if [without_figures(line) for line in lines[at : at + len(part)]] == wanted
        ]
        if not places:
            return printed
        kept += [ELISION, *lines[places[-1] : places[-1] + len(part)]]
        start = places[-1] + len(part)
    return "".join(f"{line}\n" for line in [*kept, ELISION, *lines[end:]])


def write_anew(page: Path, folder: Path, data: Path) -> int:
    """Run all commands of a page in order and write the outputs that are not as shown; return how many were not."""
    (folder / "mnist").symlink_to(data)
    if is_after_readme(page):
        for command in (command for block in blocks(README) for command in block.commands):
            run(command, folder, data)
    text = page.read_text(encoding="utf-8")
    changed = 0
    for block in blocks(page):
        for command in block.commands:
            print(f"{page.name}: {command.line}", flush=True)
            printed = run(command, ROOT if block.folder_is_checkout else folder, data)
            try:
                compare(block, command, printed)
            except MismatchError:
                changed += 1
                before = f"$ {command.line}\n{command.shown}"
                text = text.replace(before, f"$ {command.line}\n{shortened_as(command.shown, printed)}", 1)
    if changed:
        page.write_text(text, encoding="utf-8")
    return changed


def main() -> None:
    """Write the outputs anew that commands no longer have as shown."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "pages", nargs="*", type=Path, metavar="PAGE", help="[default: README.md and docs/*.md]"
    )
    pages = [page.resolve() for page in parser.parse_args().pages] or PAGES
    source = places.find()
    if source is None:
        sys.exit("make docs-output: MNIST is not here: set EDGEDIGITS_DATA or run `edgedigits data`")
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{page}: {write_anew(page, Path(folder), source.path)} outputs are new", flush=True)


if __name__ == "__main__":
    main()
