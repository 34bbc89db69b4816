"""The networks that come with edgedigits, and where they lie.

A wheel carries them inside the package; a checkout (and an editable install of one) has them in ``models/``, beside the
package. Looked for in this order.
"""

from pathlib import Path

from edgedigits.errors import ModelNotFoundError
from edgedigits.file_names import DEFAULT_NAME, file_name

TINY = ("tiny-2k", "tiny-4k", "tiny-8k", "tiny-16k", "tiny-fast")
"""Names of the small ones, by the flash that they take on a microcontroller; ``tiny-fast`` takes few instructions."""
NUMBERS = "numbers"
"""Name of the network that reads numbers: it knows parts of digits, and several, for what they are."""
_FOLDERS = {NUMBERS: ("", NUMBERS), **dict.fromkeys(TINY, ("tiny", "tiny"))}
"""Where a network lies that has a name: inside of the package, and in ``models/`` beside it."""


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
    if str(path) not in _FOLDERS or path.exists():
        return path
    return _found(*_FOLDERS[str(path)], str(path), "reinstall edgedigits, or name a model file")


def _found(inside: str, beside: str, name: str, advice: str) -> Path:
    """Return the int8 ONNX file of a network, in a folder inside of the package or in one of ``models/``."""
    package = Path(__file__).parent
    file = file_name(name, "onnx", "int8")
    for path in (package / inside / file, package.parent / "models" / beside / file):
        if path.is_file():
            return path
    raise ModelNotFoundError(package / inside / file, advice)
