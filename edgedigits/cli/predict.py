"""``edgedigits predict``: the digit and its confidence for pictures, folders of pictures, or standard input."""

import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgedigits.cli.options import json_option, read_margin
from edgedigits.cli.pictures import NOT_SURE, PictureFolder, find_pictures
from edgedigits.cli.terminal import complain, echo, echo_json, encoding_of
from edgedigits.contract import CLASSES
from edgedigits.errors import ImageError
from edgedigits.printable import printable
from edgedigits.shipped import TINY, sample_pictures

if TYPE_CHECKING:
    from edgedigits.picture.levels import Pixels
    from edgedigits.picture.reading import Picture
    from edgedigits.prediction import Prediction
    from edgedigits.predictor import DigitPredictor

SHADES = " ░▒▓█"
ASCII_SHADES = " .:-=+*#%@"


@click.command(short_help="Read the digits in pictures.")
@click.argument("images", metavar="IMAGE...", nargs=-1, type=click.Path(allow_dash=True))
@click.option("--sample", is_flag=True, help="Read the three pictures that came along, before any others.")
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help=f"ONNX file, or a small network that came along: {', '.join(TINY)}. [default: the one that came along and "
    "reads most]",
)
@click.option(
    "--top", type=click.IntRange(1, CLASSES), default=1, show_default=True, help="Digits per picture."
)
@click.option(
    "--min-margin",
    callback=read_margin,
    metavar="LEAD",
    help="Least lead over the second digit of an answer that is sure: steps of 1/256 (0 to 256), or a fraction with a "
    "point (0.9). [default: what the file says]",
)
@click.option("--show", is_flag=True, help="Draw the 28x28 picture that the network saw.")
@click.option(
    "--save-prepared",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the 28x28 pictures that the network saw into DIR, as PNG.",
)
@json_option
def command(
    images: tuple[str, ...],
    sample: bool,
    model: Path | None,
    top: int,
    min_margin: int | float | None,
    show: bool,
    save_prepared: Path | None,
    as_json: bool,
) -> None:
    """Read the digit in each IMAGE: a picture file, a folder of them, or - for one on standard input.

    Any format, size and colour; dark on light or light on dark. A picture that cannot be read is reported and
    the others go on; the exit status is then 1. An answer too little ahead of the second digit is "not sure": ask
    for another picture.

    \b
    Examples:
      edgedigits predict --sample                     # pictures that came along
      edgedigits predict seven.png                    # 7  99.8 %
      edgedigits predict --top 3 --show scans/
      edgedigits predict --min-margin 0.9 forms/      # 4  81.3 %   not sure
      edgedigits predict --model my-models/digits.int8.onnx --json *.jpg
      edgedigits predict --model tiny-4k seven.png
      edgedigits predict --save-prepared seen scans/  # seen/a.png, seen/b.png
      curl -s https://example.org/digit.png | edgedigits predict -
    """
    from edgedigits.predictor import DigitPredictor

    _check_usage(images, sample=sample, show=show, as_json=as_json)
    predictor = DigitPredictor(model, min_margin=min_margin)
    if predictor.metadata.head == "sigmoid" and not as_json:
        said = "ends in ten sigmoids; a percentage is that of its own digit alone, and they do not sum to 100"
        echo(f"{predictor.model.name}: {said}", err=True)
    save = None if save_prepared is None else PictureFolder(save_prepared).save
    results: list[dict[str, object]] = []
    failed = False
    for name, picture in chain(sample_pictures().items() if sample else (), find_pictures(images)):
        try:
            pixels, prediction = read_digit(picture, predictor)
        except ImageError as error:
            failed = True
            if as_json:
                results.append({"picture": name, "error": str(error)})
            else:
                complain(error)
            continue
        if save is not None:
            save(name, pixels)
        if as_json:
            results.append(as_object(name, prediction))
        else:
            echo(as_line(name, prediction, top, predictor.metadata.labels))
            if show:
                echo(drawing(pixels, encoding_of(sys.stdout)), as_is=True)
    if as_json:
        echo_json(results)
    if failed:
        click.get_current_context().exit(1)


def _check_usage(images: tuple[str, ...], *, sample: bool, show: bool, as_json: bool) -> None:
    """Refuse options that do not go together, and a call without a picture."""
    if not images and not sample:
        raise click.UsageError("Missing argument 'IMAGE...': name pictures, or take --sample.")
    if show and as_json:
        raise click.UsageError("--show draws for people, --json writes for programs: choose one")


def read_digit(picture: "Picture | ImageError", predictor: "DigitPredictor") -> "tuple[Pixels, Prediction]":
    """Return what the network saw and what it read. An error that was found on the way to the picture is raised."""
    from edgedigits.native_output import discarded_native_output

    if isinstance(picture, ImageError):
        raise picture
    with discarded_native_output():
        pixels = predictor.prepare(picture)
    row = predictor.probabilities(pixels[None])[0]
    return pixels, predictor.prediction(row)


def as_line(name: str, prediction: "Prediction", top: int, labels: Sequence[str]) -> str:
    """Write a prediction as ``photo.png: 7  99.8 %   1  0.1 %``, and ``not sure`` behind it where it is not."""
    cells = [f"{labels[digit]}  {100 * probability:.1f} %" for digit, probability in prediction.top(top)]
    if not prediction.sure:
        cells.append(NOT_SURE)
    return f"{printable(name)}: {'   '.join(cells)}"


def as_object(name: str, prediction: "Prediction") -> dict[str, object]:
    """Return a prediction as ``--json`` prints it."""
    return {
        "picture": name,
        "digit": prediction.digit,
        "label": prediction.label,
        "confidence": prediction.confidence,
        "margin": prediction.margin,
        "margin_steps": prediction.margin_steps,
        "sure": prediction.sure,
        "probabilities": list(prediction.probabilities),
    }


def drawing(pixels: "Pixels", encoding: str) -> str:
    """Draw a 28x28 picture with characters, two a pixel because they are about twice as high as wide."""
    shades = SHADES if can_encode(SHADES, encoding) else ASCII_SHADES
    levels = pixels.astype(int) * len(shades) // 256
    return "\n".join("".join(shades[level] * 2 for level in row).rstrip() for row in levels)


def can_encode(text: str, encoding: str) -> bool:
    """Tell whether an encoding has all characters of a text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
