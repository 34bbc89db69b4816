"""``edgedigits read``: the numbers in pictures, folders of pictures, or standard input."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from edgedigits.cli.options import json_option, read_margin, read_pattern
from edgedigits.cli.pictures import (
    NOT_SURE,
    STANDARD_INPUT,
    PictureFolder,
    find_pictures,
    save_picture,
)
from edgedigits.cli.terminal import complain, echo, echo_json
from edgedigits.errors import ImageError
from edgedigits.file_names import PICTURE_SUFFIXES
from edgedigits.numbers.pattern import MOST_DIGITS
from edgedigits.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgedigits.numbers.reading import Line, Reading, Sign
    from edgedigits.picture.levels import Pixels
    from edgedigits.picture.reading import Picture
    from edgedigits.predictor import DigitPredictor

NO_DIGIT = "no digit found"
DRAWN_SUFFIX = ".png"


class Known(NamedTuple):
    """What ``DigitPredictor.read`` is told of the numbers."""

    separators: bool
    digits: int | None
    pattern: str | None


@click.command(short_help="Read the numbers in pictures.")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="ONNX file of a network of digits. [default: the one that came along for reading]",
)
@click.option(
    "--digits", type=click.IntRange(1, MOST_DIGITS), help="Digits that each number has, where that is known."
)
@click.option(
    "--pattern",
    callback=read_pattern,
    metavar="FORM",
    help='Form that each number has: d for a digit, and the separators . , - / : and space ("dd.dd.dddd"), which are '
    "put where they are in the form.",
)
@click.option("--no-separators", is_flag=True, help="Leave out points, commas, dashes, slashes and colons.")
@click.option(
    "--min-margin",
    callback=read_margin,
    metavar="LEAD",
    help="Least lead of a line that is sure over the next way to read it: steps of 1/256 (0 to 256), or a fraction "
    "with a point (0.9). [default: what the file says]",
)
@click.option(
    "--boxes",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Draw boxes and digits on the picture: into OUT.png, or of several pictures into the folder OUT.",
)
@json_option
def command(
    images: tuple[str, ...],
    model: Path | None,
    digits: int | None,
    pattern: str | None,
    no_separators: bool,
    min_margin: int | float | None,
    boxes: Path | None,
    as_json: bool,
) -> None:
    """Read the numbers in each IMAGE: a picture file, a folder of them, or - for one on standard input.

    One line of text for each line of digits, from top to bottom; the percentage is that of its least certain digit. A
    line with a digit too little ahead of what else it may be is "not sure". A picture without digits says so, which is
    an answer; one that cannot be read is reported and the others go on, and the exit status is then 1.

    \b
    Examples:
      edgedigits read amount.png                        # 1250.50  99.6 %
      edgedigits read --no-separators --json cheques/
      edgedigits read --pattern "dd.dd.dddd" date.jpg   # 31.12.2025  98.1 %
      edgedigits read --digits 5 --boxes seen/ meters/  # seen/a.png, seen/b.png
      curl -s https://example.org/meter.jpg | edgedigits read -
    """
    from edgedigits.predictor import DigitPredictor

    if digits is not None and pattern is not None:
        raise click.UsageError("--pattern says how many digits there are: leave --digits out")
    draw = None if boxes is None else drawer(boxes, images)
    predictor = DigitPredictor(model, min_margin=min_margin)
    known = Known(not no_separators, digits, pattern)
    results: list[dict[str, object]] = []
    failed = False
    for name, picture in find_pictures(images):
        try:
            reading = read_numbers(name, picture, predictor, known, draw)
        except ImageError as error:
            failed = True
            if as_json:
                results.append({"picture": name, "error": str(error)})
            else:
                complain(error)
            continue
        if as_json:
            results.append(as_object(name, reading))
        else:
            echo("\n".join(as_lines(name, reading)))
    if as_json:
        echo_json(results)
    if failed:
        click.get_current_context().exit(1)


def drawer(out: Path, images: tuple[str, ...]) -> "Callable[[str, Pixels], None]":
    """Return what saves a drawn picture, by the name of the picture that it was made from.

    Raises:
        click.UsageError: a single file is named for several pictures, one that is no PNG, or a place where a drawn
            picture would take that of a picture.
    """
    paths = [Path(image) for image in images if image != STANDARD_INPUT]
    folders = [path if path.is_dir() else path.parent for path in paths]
    if out.suffix.lower() not in PICTURE_SUFFIXES:
        _check_place(out, folders, "the pictures are in it; name another folder")
        return PictureFolder(out).save
    if out.suffix.lower() != DRAWN_SUFFIX:
        raise click.UsageError(f"--boxes: expected a name that ends in .png, or a folder, got {out}")
    if out.is_dir():
        raise click.UsageError(
            f"--boxes: {out} is a folder; name one that does not end like a picture, or a file"
        )
    if len(images) > 1 or any(path.is_dir() for path in paths):
        raise click.UsageError(f"--boxes: {out} takes one picture; name a folder for several")
    _check_place(out, paths, "is the picture itself; name another file")
    return lambda _, pixels: save_picture(out, pixels)


def _check_place(out: Path, taken: list[Path], what: str) -> None:
    """Raise a usage error where drawn pictures would go where the pictures are."""
    if out.resolve() in [path.resolve() for path in taken]:
        raise click.UsageError(f"--boxes: {out}: {what}")


def read_numbers(
    name: str,
    picture: "Picture | ImageError",
    predictor: "DigitPredictor",
    known: Known,
    draw: "Callable[[str, Pixels], None] | None",
) -> "Reading":
    """Return what is in a picture, drawn where asked. An error that was found on the way to it is raised."""
    from edgedigits.native_output import discarded_native_output
    from edgedigits.picture.reading import picture_name, read_sized

    if isinstance(picture, ImageError):
        raise picture
    try:
        # Decoded here, so that what is drawn on is what was read: standard input comes once.
        with discarded_native_output():
            gray, size = read_sized(picture)
    except ImageError as error:
        raise type(error)(f"{picture_name(picture)}: {error}") from error
    try:
        reading = predictor.read(gray, **known._asdict()).at(size)
    except ImageError as error:
        what = str(error).removeprefix(f"{picture_name(gray)}: ")
        raise type(error)(f"{picture_name(picture)}: {what}") from error
    if draw is not None:
        from edgedigits.numbers.drawing import drawn

        draw(name, drawn(gray, reading))
    return reading


def as_lines(name: str, reading: "Reading") -> list[str]:
    """Write each line of a reading as ``photo.png: 1250.50  99.6 %``, and ``not sure`` behind it where it is not."""
    shown = printable(name)
    return [
        f"{shown}: {line.text}  {100 * line.confidence:.1f} %{'' if line.sure else f'   {NOT_SURE}'}"
        for line in reading.lines
    ] or [f"{shown}: {NO_DIGIT}"]


def as_object(name: str, reading: "Reading") -> dict[str, object]:
    """Return a reading as ``--json`` prints it."""
    return {
        "picture": name,
        "text": reading.text,
        "sure": reading.sure,
        "size": list(reading.size),
        "lines": [line_as_object(line) for line in reading.lines],
    }


def line_as_object(line: "Line") -> dict[str, object]:
    """Return a line as ``--json`` prints it."""
    return {
        "text": line.text,
        "sure": line.sure,
        "confidence": line.confidence,
        "box": list(line.box),
        "signs": [sign_as_object(sign) for sign in line.signs],
    }


def sign_as_object(sign: "Sign") -> dict[str, object]:
    """Return a digit or a separator as ``--json`` prints it."""
    return {
        "text": sign.text,
        "box": list(sign.box),
        "confidence": sign.confidence,
        "margin": sign.margin,
        "margin_steps": sign.margin_steps,
        "sure": sign.sure,
    }
