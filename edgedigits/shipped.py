"""The networks and the sample pictures that come with edgedigits, and where they lie.

The pictures lie inside of the package, and so do the networks in a wheel; a checkout (and an editable install of one)
has these in ``models/``, beside the package. Looked for in this order. Where the package itself is imported from an
archive, they are copied out of it.
"""

import functools
import sys
from pathlib import Path

from edgedigits.errors import ImageNotFoundError, ModelNotFoundError
from edgedigits.file_names import DEFAULT_NAME, file_name

TINY = ("tiny-2k", "tiny-4k", "tiny-8k", "tiny-16k", "tiny-fast")
"""Names of the small ones, by the flash that they take on a microcontroller; ``tiny-fast`` takes few instructions."""
NUMBERS = "numbers"
"""Name of the network that reads numbers: it knows parts of digits, and several, for what they are."""
FOLDERS = {NUMBERS: ("", NUMBERS), **dict.fromkeys(TINY, ("tiny", "tiny"))}
"""Where a network lies that has a name: inside of the package, and in ``models/`` beside it."""
FROZEN_ADVICE = (
    "put it there when the program is built (PyInstaller: --collect-data edgedigits), or name a model file"
)
"""A program that was frozen has what lies in packages besides code only where its builder is told so."""
WITHOUT_SAMPLES = (
    "name a picture of your own, or have them put there (PyInstaller: --collect-data edgedigits)"
)


def sample_pictures() -> dict[str, bytes]:
    """Return the pictures that came along, by file name: the digit is its first character.

    They were drawn for this; no dataset has them.

    Examples:
        >>> from edgedigits import DigitPredictor
        >>> DigitPredictor().predict(sample_pictures()["7-photo.jpg"]).digit
        7

    Raises:
        ImageNotFoundError: they were left out when a program was built.
    """
    from importlib.resources import files

    folder = files("edgedigits").joinpath("samples")
    if not folder.is_dir():
        raise ImageNotFoundError(f"{folder}: no sample pictures; {WITHOUT_SAMPLES}")
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir(), key=lambda file: file.name)}


def default_model() -> Path:
    """Return the model that is used where none is named.

    Raises:
        ModelNotFoundError: it is in neither place.
    """
    advice = "reinstall edgedigits, name a model file, or make one with `edgedigits train`"
    return _found("", "hands", DEFAULT_NAME, advice)


def named_model(path: Path) -> Path:
    """Return the file of a network for its name, ``tiny-4k``, where there is no file of that name; else the path.

    Raises:
        ModelNotFoundError: the name is that of such a network, which is in neither place.
    """
    if str(path) not in FOLDERS or path.exists():
        return path
    return _found(*FOLDERS[str(path)], str(path), "reinstall edgedigits, or name a model file")


def _found(inside: str, beside: str, name: str, advice: str) -> Path:
    """Return the int8 ONNX file of a network, in a folder inside of the package or in one of ``models/``."""
    package = Path(__file__).parent
    file = file_name(name, "onnx", "int8")
    for path in (package / inside / file, package.parent / "models" / beside / file):
        if path.is_file():
            return path
    if (copy := _unpacked(inside, file)) is not None:
        return copy
    raise ModelNotFoundError(package / inside / file, FROZEN_ADVICE if hasattr(sys, "frozen") else advice)


@functools.cache
def _unpacked(inside: str, file: str) -> Path | None:
    """Copy a network out of the archive that the package is imported from; the copy goes when this process ends.

    Returns:
        None where it is in no archive.
    """
    import atexit
    import shutil
    import tempfile
    from importlib.resources import files

    found = files("edgedigits")
    for name in filter(None, (inside, file)):
        found = found.joinpath(name)
    if not found.is_file():
        return None
    folder = Path(tempfile.mkdtemp(prefix="edgedigits-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / file
    path.write_bytes(found.read_bytes())
    return path
