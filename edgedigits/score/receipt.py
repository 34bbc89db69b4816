"""The receipt of a run, in the folder of its table: model, choices and sources, by which the same command goes on.

It is called ``_receipt.json``: readers of tables (pandas, Dask, Spark) pass over names that begin so, and take the rest
of the folder for the table.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgedigits.artifacts.folders import Folder
from edgedigits.artifacts.locks import held
from edgedigits.artifacts.versions import versions
from edgedigits.errors import OutputError
from edgedigits.files import read_inside, reason
from edgedigits.score.options import Options
from edgedigits.score.plan import Planned
from edgedigits.score.shards import RECORDS, SHARD_NAME, UNFINISHED, find_file, told, write_whole
from edgedigits.version import __version__

NAME = "_receipt.json"
FORM = 1
"""Of the receipt."""
LARGEST = 256 << 20
"""Bytes of a receipt: a million sources."""
_ELSEWHERE = "choose another folder, or begin again with --restart"


@dataclass(frozen=True)
class Receipt:
    """What a run is of. Two runs with the same receipt write the same table.

    Attributes:
        run: what changes a byte of the table: version, model, choices and sources.
    """

    run: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Return what records of shards call the run: a sha256."""
        return hashlib.sha256(json.dumps(self.run, sort_keys=True).encode()).hexdigest()

    def write(self, folder: Path, outcome: Mapping[str, Any]) -> None:
        """Write the receipt into the folder.

        Args:
            folder: of the table.
            outcome: how far the run is: ``complete`` and the counts.

        Raises:
            OutputError: it cannot be written.
        """
        content = {
            "receipt": FORM,
            **self.run,
            **outcome,
            "versions": versions("numpy", "onnxruntime", "pillow", "pyarrow"),
        }
        with told(folder):
            write_whole(folder, 0, NAME, (json.dumps(content, indent=2) + "\n").encode())


def new_receipt(
    planned: Sequence[Planned], options: Options, model: Path, sha256: str, min_margin: int, shards: int
) -> Receipt:
    """Return the receipt of a run, for which every source is looked at.

    Args:
        planned: the sources.
        options: what is chosen.
        model: the model file.
        sha256: of it.
        min_margin: least lead of an answer that is sure, in steps of 1/256.
        shards: how many there are.

    Raises:
        SourceError: a source is not there any more.
    """
    sources = [
        {
            "source": one.name,
            "form": one.source.form,
            "rows": one.source.rows,
            "prepared": one.prepared,
            "notes": list(one.source.notes),
            **one.fingerprint,
        }
        for one in planned
    ]
    return Receipt(
        {
            "edgedigits": __version__,
            "model": {"file": model.name, "sha256": sha256},
            "options": {**options.as_object(), "min_margin": min_margin},
            "shards": shards,
            "pictures": sum(one.source.rows for one in planned),
            "sources": sources,
        }
    )


@contextlib.contextmanager
def opened_folder(folder: Path, receipt: Receipt, *, restart: bool) -> Iterator[None]:
    """Hold the folder of a table for a run, which begins in it or goes on.

    Args:
        folder: made where it is missing.
        receipt: of the run.
        restart: whether what another run wrote is removed.

    Raises:
        OutputError: it cannot be written to; another run is at work in it, or was, with something else; or it holds
            shards that no receipt is of.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(folder, wait=False))
            if restart:
                _remove_run(folder)
            found = _read(folder)
            names = _names(folder)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(
                f"{folder}: cannot be written to ({reason(error)}); choose another folder"
            ) from error
        if found is None and (strange := next(filter(SHARD_NAME.match, names), None)):
            raise OutputError(
                f"{folder / strange}: is of a run that left no receipt; move it away, or choose another folder"
            )
        if found is not None and (differences := _differences(found, receipt.run)):
            raise OutputError(f"{folder}: holds the table of another run: {differences}; {_ELSEWHERE}")
        # What killed runs had begun, and at the end what killed workers of this one had.
        _remove_unfinished(folder)
        stack.callback(_remove_unfinished, folder)
        if found is None:
            receipt.write(folder, {"complete": False})
        yield


def _names(folder: Path) -> list[str]:
    with Folder.open(folder) as opened:
        return opened.names()


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(read_inside(folder, NAME, LARGEST))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder / NAME}: cannot be read ({reason(error)}); {_ELSEWHERE}") from error
    if not isinstance(found, dict) or found.get("receipt") != FORM:
        raise OutputError(f"{folder / NAME}: is no receipt that this version knows; {_ELSEWHERE}")
    return found


def _remove_unfinished(folder: Path) -> None:
    with contextlib.suppress(OSError):  # They are in nobody's way.
        for name in filter(UNFINISHED.match, _names(folder)):
            (folder / name).unlink(missing_ok=True)


def _remove_run(folder: Path) -> None:
    """Remove a receipt, the records, and the files that they are of; the receipt first."""
    (folder / NAME).unlink(missing_ok=True)
    records = folder / RECORDS
    if records.is_symlink() or not records.is_dir():
        return
    for record in sorted(records.glob("*.json")):
        if record.stem.isdigit() and (file := find_file(folder, int(record.stem))):
            (folder / file).unlink(missing_ok=True)
        record.unlink()
    with contextlib.suppress(OSError):  # Somebody has put something else into it.
        records.rmdir()


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Say in what another run differs; nothing where it is the same."""
    said = [
        f"{name} {_short(found.get(name))}, not {_short(wanted[name])}"
        for name in ("edgedigits", "model")
        if found.get(name) != wanted[name]
    ]
    options = found.get("options")
    for name, value in wanted["options"].items():
        before = options.get(name) if isinstance(options, dict) else None
        if before != value:
            said.append(f"{name.replace('_', ' ')} {_short(before)}, not {_short(value)}")
    said += _changed_sources(found.get("sources"), wanted["sources"])
    if not said and any(found.get(name) != wanted[name] for name in ("shards", "pictures")):
        said.append("its sources are divided in another way")
    return "; ".join(said)


def _changed_sources(found: Any, wanted: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the first source that is new, missing, changed, or in another place."""
    before = {
        entry["source"]: entry for entry in found or [] if isinstance(entry, dict) and "source" in entry
    }
    after = {entry["source"]: entry for entry in wanted}
    for name, entry in after.items():
        if name not in before:
            return [f"{name} was none of its sources"]
        if before[name] != entry:
            what = next((key for key in entry if before[name].get(key) != entry[key]), "entry")
            return [f"{name} has changed since (its {what} is another)"]
    for name in before:
        if name not in after:
            return [f"{name} was one of its sources, and is missing"]
    return [] if list(before) == list(after) else ["its sources came in another order"]


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and "sha256" in value:
        return f"{value.get('file')} ({str(value['sha256'])[:12]})"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
