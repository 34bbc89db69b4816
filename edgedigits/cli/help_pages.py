"""Help pages as wide as the terminal, examples included, which Click leaves as they are."""

import re

import click

from edgedigits.folding import fold

_EXAMPLE = re.compile(r"(?P<indent> +)(?P<command>(?:edgedigits|curl) .*?)(?:\s{2,}# (?P<comment>.*))?")


class HelpFormatter(click.HelpFormatter):
    """Click's own, which folds the lines of an example so that a shell takes them still."""

    def write_text(self, text: str) -> None:
        """Write paragraphs, folded."""
        start = len(self.buffer)
        super().write_text(text)
        lines = "".join(self.buffer[start:]).split("\n")
        self.buffer[start:] = ["\n".join(part for line in lines for part in folded(line, self.width))]


class Context(click.Context):
    """Click's own, with our help pages."""

    formatter_class = HelpFormatter


def fold_pages(command: click.Command) -> None:
    """Give a command, and the commands within it, our help pages."""
    command.context_class = Context
    if isinstance(command, click.Group):
        for part in command.commands.values():
            fold_pages(part)


def folded(line: str, columns: int) -> list[str]:
    """Fold a line of a help page; the comment of an example that is too wide stands above it.

    Args:
        line: as Click wrote it.
        columns: that it has, at most.
    """
    example = _EXAMPLE.fullmatch(line)
    if len(line) <= columns or example is None:
        return fold(line, columns)
    indent, command, comment = example["indent"], example["command"], example["comment"]
    above = [f"{indent}# {part.strip()}" for part in fold(comment or "", columns - len(indent) - 2) if part]
    return [*above, *fold(indent, columns, command=command)]
