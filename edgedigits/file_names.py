"""How files are called: ``digits.int8.tflite``, and which network a name tells."""

from pathlib import Path

from edgedigits.format_table import FORMATS, PRECISIONS, Precision, format_of

DEFAULT_NAME = "digits"

CHECKPOINT = "checkpoint.npz"
"""The state of a run that is not finished, beside its network."""
SELFTEST_ENDING = "_selftest.c"
"""What the name of a C file ends in that holds pictures for the bring-up of a board, and no network."""
PREPARE_ENDING = "_prepare.c"
"""What the name of a C file ends in that holds the preparation of pictures, and no network."""

PICTURE_SUFFIXES = (
    *(".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png"),
    *(".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""What is taken for a picture in a folder. A file that is named outright is opened whatever it is called."""


def file_name(name: str, file_format: str, precision: Precision = "float32") -> str:
    """Return the name of the file that holds network ``name`` in a format: ``digits.int8.tflite``, ``digits.c``."""
    row = FORMATS[file_format]
    infix = f".{precision}" if row.names_precision and precision != "float32" else ""
    return f"{name}{infix}{row.ending}"


def exported_names(name: str, file_format: str = "all", precision: Precision | None = None) -> list[str]:
    """Return what the files are called that an export of network ``name`` makes here, without what lies beside them.

    Args:
        name: of the network.
        file_format: name of a format, or ``all``.
        precision: None for the first that the format comes in, or for every one where the format is ``all``.
    """
    names = []
    for row in FORMATS.values():
        if row.exporter is None or file_format not in (row.name, "all") or not row.can_be_opened:
            continue
        wanted = list(row.gates)[:1] if precision is None and file_format != "all" else row.gates
        names += [file_name(name, row.name, one) for one in wanted if precision in (None, one)]
    return names


def network_name(path: Path) -> str:
    """Return the network that a file name belongs to: ``digits`` for ``digits.int8.tflite``."""
    row = format_of(path)
    stem = path.name.removesuffix(path.suffix if row is None else row.ending)
    if row is None or row.names_precision:
        for precision in PRECISIONS:
            stem = stem.removesuffix(f".{precision}")
    return stem


def sidecar_name(name: str, sidecar: str) -> str:
    """Return the name of a file that belongs to a network, such as its ``reference.npz``.

    The default network's files carry no stem; any other network's do, so that several can share a folder.
    """
    return sidecar if name == DEFAULT_NAME else f"{name}.{sidecar}"


def suffixes() -> tuple[str, ...]:
    """Return what the names of model files end in, each once: that of trained networks first."""
    rows = sorted(FORMATS.values(), key=lambda row: row.exporter is not None)
    return tuple(dict.fromkeys(row.suffix for row in rows))
