"""What an export came to as tables: a row per file, and what C costs on microcontrollers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgedigits.margins import NEVER, STEPS
from edgedigits.reporting.tables import Row, Table

if TYPE_CHECKING:
    from edgedigits_export import ExportedFile

FILES_HEADER = ("file", "bytes", "accuracy", "95 % interval", "points", "sure from", "sha256")
FILES_BRIEF = FILES_HEADER[:-1]
FILES_LEGEND = {
    "points": "of accuracy, more (+) or less (-) than the network's own",
    "sure from": "least lead over the second answer that makes one sure",
}
FIRMWARE_BRIEF = ("processor", "optimized", "flash", "RAM", "instructions")
FIRMWARE_LEGEND = {
    "optimized": "-Os for size, -O2 for speed",
    "flash": "bytes of code, tables and parameters",
    "RAM": "bytes of variables and stack, besides the picture",
    "instructions": "or cycles, for one picture",
}


def files_table(exported: Sequence["ExportedFile"]) -> Table:
    """Write down the files that an export put in place, of which there is at least one."""
    title = f"{len(exported)} files in {exported[0].path.parent}, each as accurate as its gate demands"
    return Table(title, FILES_HEADER, [_row(file) for file in exported], FILES_BRIEF, FILES_LEGEND)


def _row(file: "ExportedFile") -> Row:
    accuracy, sure = file.verification.accuracy, file.metadata.sure
    return (
        file.path.name,
        f"{file.bytes:,}",
        f"{accuracy.percent:.2f} %",
        f"{accuracy.low:.2f} to {accuracy.high:.2f}",
        f"{file.verification.comparison.difference:+.2f}",
        "-" if sure is None else "never" if sure.min_margin == NEVER else f"{sure.min_margin}/{STEPS}",
        file.sha256,
    )


def firmware_table(name: str, header: Row, rows: Sequence[Row]) -> Table:
    """Write down what a C file costs, a row per processor and optimization.

    Args:
        name: of the file.
        header: titles of the rows, as the export wing has them.
        rows: likewise.
    """
    return Table(f"{name}: what it costs on microcontrollers", header, rows, FIRMWARE_BRIEF, FIRMWARE_LEGEND)
