"""Which sources of a place are for training and which for testing, as names tell it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import Literal, TypeAlias

from edgedigits.sources.folder import Names, open_names
from edgedigits.sources.parts import Part, Source
from edgedigits.sources.read import open_source

Told: TypeAlias = Literal["train", "test"]

_WORD = re.compile(r"(?:^|[^a-z])(train|training|test|testing|t10k)(?![a-z])")
_AT_ONCE = 1 << 16


def open_told(path: "Path | str") -> list[tuple[Told | None, Source]]:
    """Open a place as ``open_source`` does, and say of each source which part of a dataset it is.

    A folder of pictures is one source for each part that the names of folders in it tell: ``train/0/1.png``. Only names
    below the place that the user named count, and that of a file that was named itself.

    Raises:
        SourceError: it cannot be read.
    """
    root = Path(path)
    found: list[tuple[Told | None, Source]] = []
    for source in open_source(path):
        if source.form == "folder":
            found += _by_part(source)
        else:
            below = source.path if not root.is_dir() else source.path[len(str(root)) :]
            found.append((told_by(PurePath(below).name if not root.is_dir() else below), source))
    return found


def told_by(name: str) -> Told | None:
    """Return which part a path tells; of several words in it, the last one counts.

    Args:
        name: of a file, with the folders that count.
    """
    words = _WORD.findall(name.lower())
    if not words:
        return None
    return "train" if words[-1].startswith("train") else "test"


def _by_part(source: Source) -> Iterator[tuple[Told | None, Source]]:
    groups: dict[Told | None, Names] = {}
    for part in source.parts(_AT_ONCE):
        for name in _names(part):
            folder = name.rpartition(b"/")[0].decode("utf-8", "replace")
            groups.setdefault(told_by(folder), Names()).append(name)
    for told, names in groups.items():
        yield (
            told,
            replace(
                source,
                rows=len(names),
                has_labels=names.has_labels,
                cut=partial(open_names, source.path, names),
            ),
        )


def _names(part: Part) -> tuple[bytes, ...]:
    names: tuple[bytes, ...] = part.where[0]
    return names
