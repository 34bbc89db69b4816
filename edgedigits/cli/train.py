"""``edgedigits train``: train a network on MNIST."""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from edgedigits.arguments import LARGEST_RATE, LARGEST_SEED, MOST_EPOCHS, MOST_IMAGES
from edgedigits.cli.options import (
    Amount,
    data_option,
    json_option,
    models_option,
    name_option,
    print_next,
    print_training,
    quiet_option,
    read_labels,
    read_layer_bits,
    read_network,
    read_warp_stages,
    terminal_progress,
)
from edgedigits.cli.process import Interrupted
from edgedigits.cli.receipts import leave_receipt, network_files, receipt_option
from edgedigits.cli.terminal import echo_json
from edgedigits.contract import LABELS, PIXEL_MAX
from edgedigits.file_names import CHECKPOINT, sidecar_name

if TYPE_CHECKING:
    from edgedigits.model_files.trained_networks import Arch

TEACHER_SHARE = 0.5
MOST_CORES = 4
"""That are used for one image's maps: with more, each has too little to do."""

WORDS = """\b
Layers in words, with dashes between, the ten classes understood:
  conv24       3x3 convolution to 24 channels, batch normalization, relu
  separable24  a convolution of each channel by itself, then of each pixel
  depthwise    only the first of these; depthwise2 makes two of each channel
  crop2        two pixels less on each side
  pool         largest of 2x2; pool3 of 3x3; meanpool, their mean
  add          plus what there was two words ago; add3 three words ago
  mean, max    of each channel, all over the map
  dense32      all values to 32, relu
  dropout50    half of the values left out while it learns
Options behind a dot: .k5 a window of 5x5, .s2 two pixels a step, .valid no
zeros around the map, .bare a bias and no batch normalization.
"""
"""What the help says of ``arch_words``."""


@click.command(epilog=WORDS)
@click.option(
    "--arch",
    callback=read_network,
    metavar="LAYERS",
    default="128-32",
    show_default=True,
    help="Widths of the hidden layers; layers in words, as below; or cnn-small or cnn.",
)
@click.option(
    "--recipe",
    type=click.Choice(["edge", "plain"]),
    default="edge",
    show_default=True,
    help="edge: warped images, averaged weights. plain: the textbook.",
)
@click.option(
    "--budget",
    type=click.Choice(["fast", "standard", "long"]),
    default="standard",
    show_default=True,
    help="Length of the edge recipe: seconds, under half a minute, minutes; with convolutions under a minute, "
    "minutes, many minutes.",
)
@click.option("--epochs", type=click.IntRange(1, MOST_EPOCHS), help="[default: as the recipe has it]")
@click.option("--batch-size", type=click.IntRange(1, MOST_IMAGES), help="[default: as the recipe has it]")
@click.option(
    "--learning-rate",
    type=Amount(0, LARGEST_RATE, min_open=True),
    help="The highest of the schedule. [default: as the recipe has it]",
)
@click.option(
    "--warp-stages",
    callback=read_warp_stages,
    metavar="FACTORS",
    help="How far images are bent in so many equal parts of the epochs: 1-0.5-0.25 bends them less towards the end. "
    "[default: as the recipe has it]",
)
@click.option(
    "--bits",
    metavar="BITS",
    help="Of the weights, 8, 6, 5, 4, 3, 2 or ternary: whole numbers of a step that is learned; or one for each layer "
    "that has weights, 8-4-4. [default: floats]",
)
@click.option(
    "--steps",
    type=click.Choice(["layer", "channel"]),
    help="What has a step of its own, with --bits: a layer, or each of its outputs. [default: layer]",
)
@click.option(
    "--least-deviation",
    type=Amount(0, PIXEL_MAX),
    metavar="LEVELS",
    help="Leave out inputs of the first dense layer whose standard deviation over the training images is less, with "
    "--bits. [default: 0, none]",
)
@click.option(
    "--teacher",
    "teachers",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A network, of any format, whose answers are taught besides the labels; several, and it is their mean.",
)
@click.option(
    "--teacher-share",
    type=Amount(0, 1, min_open=True),
    metavar="SHARE",
    help="Of the teachers' answers in what is taught. [default: 0.5 with --teacher]",
)
@click.option(
    "--drawn",
    type=click.IntRange(0, MOST_IMAGES),
    metavar="N",
    help="Digits drawn from strokes, as other people write them, besides the images of every epoch. "
    "[default: as the recipe has it]",
)
@click.option(
    "--non-digits",
    type=click.IntRange(0, MOST_IMAGES),
    metavar="N",
    help="Letters, signs, scribbles and textures besides these, taught as every digit alike, so that the network is "
    "not sure of them. [default: as the recipe has it]",
)
@click.option(
    "--candidates",
    type=click.IntRange(0, MOST_IMAGES),
    metavar="N",
    help="What reading a number cuts out of its line, besides these, for `edgedigits read`: digits, and parts of "
    "digits and several, taught as every digit alike. [default: as the recipe has it]",
)
@click.option(
    "--spoilt",
    type=Amount(0, 1),
    metavar="SHARE",
    help="Of the images of an epoch, 0 to 1: with specks, grain, blur, light, clouds or lines. "
    "[default: as the recipe has it]",
)
@click.option(
    "--loss",
    type=click.Choice(["sparse_categorical_crossentropy", "categorical_crossentropy"]),
    metavar="NAME",
    default="sparse_categorical_crossentropy",
    show_default=True,
    help="sparse_categorical_crossentropy, or categorical_crossentropy, which takes one-hot labels; both have the same "
    "value.",
)
@click.option(
    "--validation",
    type=click.IntRange(10, MOST_IMAGES),
    default=5_000,
    show_default=True,
    help="Images held out of the training split, every class with its share.",
)
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True)
@click.option("--resume", is_flag=True, help="Go on from the last finished epoch of an interrupted run.")
@data_option
@click.option(
    "--labels",
    callback=read_labels,
    metavar="NAMES",
    help="For another dataset in --data: names of its ten classes with commas between, or a file with one per line.",
)
@models_option("--out", help_text="Folder to write to.")
@name_option
@receipt_option()
@json_option
@quiet_option
def command(
    arch: "Arch",
    recipe: str,
    budget: Literal["fast", "standard", "long"],
    resume: bool,
    data: Path | None,
    labels: tuple[str, ...] | None,
    models: Path,
    name: str,
    as_json: bool,
    quiet: bool,
    teachers: tuple[Path, ...],
    **choices: Any,  # the fields of Recipe that have an option of their name
) -> None:
    """Train a network on MNIST, or on a dataset of its form.

    Writes it with its history, plots and scores. The same seed on the same machine gives the same
    weights. An interrupted run leaves the previous network whole.

    \b
    Examples:
      edgedigits train
      edgedigits train --arch 256-128-32 --budget long --name wide
      edgedigits train --drawn 30000 --non-digits 6000 --spoilt 0.1  # other hands
      edgedigits train --arch cnn --budget long --name cnn
      edgedigits train --arch conv8-pool-conv24-conv40-mean --name small
      edgedigits train --arch meanpool-conv8.bare-pool-conv16.valid.bare-mean --bits 4 --name tiny
      edgedigits train --arch cnn-small --teacher my-models/cnn.int8.onnx --name small
      edgedigits train --recipe plain --epochs 20
      edgedigits train --resume  # after Ctrl-C or a power cut
      edgedigits train --data fashion --labels names.txt --name fashion
    """
    changes = {field: value for field, value in choices.items() if value is not None}
    if isinstance(arch, str):
        _share_out()
    with _told_how_to_go_on(models, name):
        from edgedigits.datasets.read import read_splits
        from edgedigits.extras import extra

        progress = terminal_progress(quiet, needs="train")
        train_split, test_split = read_splits(data, labels or LABELS, progress=progress)
        with extra("train", "training"):
            from edgedigits.training.recipe import edge, plain
            from edgedigits.training.train import train
        if teachers:
            changes.setdefault("teacher_share", TEACHER_SHARE)
        if bits := changes.pop("bits", None):
            changes["bits"] = read_layer_bits(bits, arch)
        chosen = plain(arch, **changes) if recipe == "plain" else edge(arch, budget, **changes)
        result = train(
            chosen,
            train_split,
            test_split,
            models,
            name=name,
            teachers=teachers,
            resume=resume,
            progress=progress,
        )
    leave_receipt(subjects=network_files(models, name), inputs=teachers, data=data, results=result.to_dict)
    if as_json:
        echo_json(result.to_dict())
        return
    print_training(result)
    print_next(result.stale, models, name, data)


def _share_out() -> None:
    """Let TensorFlow, not imported yet, share a convolution among cores; dense layers are too small for that."""
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(min(MOST_CORES, os.cpu_count() or 1)))


@contextlib.contextmanager
def _told_how_to_go_on(models: Path, name: str) -> Iterator[None]:
    """Say after Ctrl-C whether there is a finished epoch to go on from, and with which command."""
    try:
        yield
    except KeyboardInterrupt as stop:
        is_there = False
        with contextlib.suppress(OSError):  # nobody may look there
            is_there = (models / sidecar_name(name, CHECKPOINT)).exists()
        if not is_there:
            raise Interrupted("no epoch was finished and nothing was changed; begin again") from stop
        words = [word for word in sys.argv[1:] if word != "--resume"]
        raise Interrupted(f"go on with `edgedigits {shlex.join([*words, '--resume'])}`") from stop
