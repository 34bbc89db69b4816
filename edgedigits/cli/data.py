"""``edgedigits data``: find or download MNIST, check it, say where it is."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgedigits.datasets.places import Source
    from edgedigits.sources.told import Told

from edgedigits.arguments import LARGEST_SEED
from edgedigits.cli.options import (
    data_option,
    json_option,
    quiet_option,
    terminal_progress,
)
from edgedigits.cli.receipts import leave_receipt, receipt_option
from edgedigits.cli.terminal import echo, echo_json
from edgedigits.printable import printable


@click.group(invoke_without_command=True)
@data_option
@click.option("--mirror", multiple=True, help="Download from this address instead of the public mirrors.")
@json_option
@quiet_option
@click.pass_context
def command(
    ctx: click.Context, data: Path | None, mirror: tuple[str, ...], as_json: bool, quiet: bool
) -> None:
    """Find or download MNIST and check it.

    Looks in --data, in EDGEDIGITS_DATA, in the user's cache and in the Keras cache; else downloads the four files.
    --data may also name another dataset of digits, in any form that `data convert` reads.

    \b
    Examples:
      edgedigits data
      edgedigits data --data ~/mnist --json
      edgedigits data show --out samples.png
      edgedigits data convert ~/mnist --out mnist.npz
    """
    ctx.ensure_object(dict).update(data=data, mirror=mirror, quiet=quiet, as_json=as_json)
    if ctx.invoked_subcommand is not None:
        return
    from edgedigits.datasets.mnist_files import MNIST_NAME
    from edgedigits.datasets.read import read_splits
    from edgedigits.datasets.split import PARTS

    source = _source(data, mirror, quiet)
    splits = dict(zip(PARTS, read_splits(source.path, progress=terminal_progress(quiet)), strict=True))
    name = splits["test"].dataset
    if as_json:
        echo_json(
            {
                "dataset": name,
                "path": str(source.path),
                "origin": source.origin,
                "images": {part: len(split.images) for part, split in splits.items()},
                "sha256": {part: split.sha256 for part, split in splits.items()},
            }
        )
        return
    echo(f"{name}: {source.path} ({source.origin})")
    for part, split in splits.items():
        checked = "every sha256 as published" if name == MNIST_NAME else f"sha256 {split.sha256}"
        echo(f"  {part:5}  {len(split.images):6,} images of 28x28, {checked}")


@command.command("show")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("mnist-samples.png"),
    show_default=True,
    help="PNG file to write.",
)
@click.option("--part", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Another seed, another choice.",
)
@json_option
@click.pass_context
def show(ctx: click.Context, out: Path, part: str, seed: int, as_json: bool) -> None:
    """Draw ten samples of every digit into a PNG file.

    \b
    Example:
      edgedigits data show --part test --seed 7
    """
    from edgedigits.artifacts.staging import check_output, write_atomically
    from edgedigits.datasets.read import read_split
    from edgedigits.datasets.split import Part
    from edgedigits.reporting import sheets

    check_output(out)
    asked = {key: value for key, value in ctx.obj.items() if key != "as_json"}
    chosen: Part = "train" if part == "train" else "test"
    split = read_split(_source(**asked).path, chosen, progress=terminal_progress(ctx.obj["quiet"]))
    indices = sheets.sample_indices(split.labels, per_class=10, seed=seed)
    cells = [sheets.Cell(split.images[i], (f"{split.labels[i]}  #{i}",)) for i in indices]
    write_atomically(out, sheets.draw_sheet(f"{split.dataset} {part}: ten of each digit", cells))
    if as_json or ctx.obj["as_json"]:
        echo_json({"picture": str(out), "dataset": split.dataset, "part": part, "seed": seed})
    else:
        echo(out)


@command.command("convert")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="FILE.parquet, FILE.npz, or a folder for IDX files.",
)
@click.option(
    "--part",
    type=click.Choice(["train", "test"]),
    help="Only this part of a dataset; or what images are whose names do not tell.",
)
@click.option("--as-is", is_flag=True, help="Refuse pictures that are not of 28x28; prepare none.")
@receipt_option()
@json_option
@quiet_option
def convert_command(
    sources: tuple[Path, ...], out: Path, part: "Told | None", as_is: bool, as_json: bool, quiet: bool
) -> None:
    """Write images, with their labels where there are any, in another form.

    Each SOURCE is a folder of pictures (labels: folders called 0 to 9), Parquet, .npy, .npz, IDX (gzip or not),
    CSV as of Kaggle's digit recognizer, or a tar archive (WebDataset). Arrays of 28x28 are taken as they are, other
    pictures are prepared as `predict` does it. What was written is read back and compared before the file gets its
    name.

    \b
    Examples:
      edgedigits data convert ~/mnist --out mnist.npz  # x_train, y_train, ...
      edgedigits data convert ~/mnist --part test --out test.parquet
      edgedigits data convert train.csv --out digits/  # train-images-idx3-ubyte
      edgedigits data convert scans/ --out scans.parquet --json
      edgedigits data convert emnist-digits-test-images-idx3-ubyte.gz --out emnist.npz
    """
    from edgedigits.datasets.convert import convert

    converted = convert(sources, out, part=part, as_is=as_is, progress=terminal_progress(quiet))
    leave_receipt(subjects=converted.files, inputs=sources, reads_data=False, results=converted.to_dict)
    if as_json or click.get_current_context().obj["as_json"]:
        echo_json(converted.to_dict())
        return
    for note in converted.notes:
        echo(printable(note), err=True)
    for file in converted.files:
        echo(f"{file}: {file.stat().st_size:,} bytes")
    for name, found in converted.parts.items():
        echo(
            f"  {name:6}  {found['rows']:,} images of 28x28, read back: the same sha256 of pixels and labels"
        )


def _source(data: Path | None, mirror: tuple[str, ...], quiet: bool) -> "Source":
    from edgedigits.datasets import download, places
    from edgedigits.datasets.mnist_files import MIRRORS

    found = places.find(data)
    return found or download.download(mirrors=mirror or MIRRORS, progress=terminal_progress(quiet))
