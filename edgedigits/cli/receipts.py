"""``--receipt FILE``: an option of every command that makes or judges something, and its check."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from edgedigits.cli.options import Callback
from edgedigits.cli.terminal import complain, echo, echo_json
from edgedigits.errors import OutputError

_PLACE = "edgedigits.receipt"


def receipt_option(
    help_text: str = "JSON file to write: what went in, what came out, and all hashes.",
) -> Callable[[Callback], Callback]:
    """Return the option that names a receipt; the command writes it with ``leave_receipt``."""
    return click.option(
        "--receipt",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_remember,
        expose_value=False,
        help=help_text,
    )


def _remember(ctx: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    if value is not None:
        from edgedigits.artifacts.staging import check_output

        check_output(value)  # before anything is trained or measured
        ctx.meta[_PLACE] = value
    return value


def receipt_place() -> Path | None:
    """Return where the receipt of this command is to lie; None where none was asked for."""
    place: Path | None = click.get_current_context().meta.get(_PLACE)
    return place


def leave_receipt(
    *,
    subjects: Iterable[Path],
    inputs: Iterable[Path] = (),
    data: Path | None = None,
    reads_data: bool = True,
    results: Callable[[], Any],
) -> None:
    """Write the receipt of this command, if one was asked for.

    Args:
        subjects: files and folders that were made or judged.
        inputs: other files that were read.
        data: what ``--data`` named; None for where MNIST was found.
        reads_data: whether images were read at all.
        results: returns what was found, as JSON values.

    Raises:
        OutputError: it cannot be written, or a file that it names cannot be read.
    """
    place = receipt_place()
    if place is None:
        return
    from edgedigits.artifacts.receipts import new_receipt
    from edgedigits.artifacts.staging import write_atomically
    from edgedigits.files import reason

    ctx = click.get_current_context()
    try:
        content = new_receipt(
            place,
            _words(ctx),
            {name: _plain(value) for name, value in ctx.params.items() if value is not None},
            subjects=subjects,
            inputs=inputs,
            data=_place_of_data(data) if reads_data else None,
            results=results(),
        )
    except OSError as error:
        raise OutputError(
            f"{place}: not written, for {error.filename} cannot be read ({reason(error)}); all else is done"
        ) from error
    write_atomically(place, content)
    echo(f"receipt: {place}", err=True)


def network_files(folder: Path, name: str) -> list[Path]:
    """Return the files of a network that the manifest of a folder records and that are there, and the manifest."""
    from edgedigits.artifacts.manifest import MANIFEST_NAME, read_manifest

    network = read_manifest(folder)["networks"].get(name)
    names = [MANIFEST_NAME, *([] if network is None else sorted(network["files"]))]
    return [folder / file for file in names if (folder / file).is_file()]


def records_beside(files: Iterable[Path]) -> list[Path]:
    """Return what model files are judged by and belong to: manifest, reference and header, where they are."""
    from edgedigits.artifacts.manifest import MANIFEST_NAME
    from edgedigits.file_names import network_name
    from edgedigits.measuring.reference import reference_path

    found: list[Path] = []
    for path in files:
        found += [path.parent / MANIFEST_NAME, reference_path(path.parent, network_name(path))]
        found += [path.with_suffix(".h")] if path.suffix == ".c" else []
    return [path for path in found if path.is_file()]


def print_checked(path: Path, data: Path | None, *, as_json: bool) -> None:
    """Check a receipt, print what was found, and exit with 1 where something changed."""
    from edgedigits.artifacts.receipts import check_receipt

    found = check_receipt(path, data)
    if as_json:
        echo_json(
            {
                "receipt": str(path),
                "command": found.command,
                "matching": list(found.matching),
                "failures": list(found.failures),
            }
        )
    else:
        echo(f"{path}: whole, of `{found.command}`")
        for name in found.matching:
            echo(f"  {name}: as the receipt says")
    for failure in found.failures:
        complain(failure)
    raise SystemExit(1 if found.failures else 0)


def _words(ctx: click.Context) -> str:
    """Return the words of a command, whatever the program was started as."""
    if ctx.parent is None:
        return "edgedigits"
    return f"{_words(ctx.parent)} {ctx.info_name}"


def _place_of_data(data: Path | None) -> Path | None:
    from edgedigits.datasets.places import find

    source = find(data)
    return None if source is None else source.path


def _plain(value: Any) -> Any:
    """Return the value of an option as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, bool | int | float | str) else str(getattr(value, "name", value))
