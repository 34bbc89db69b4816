"""The one door to parts that may not be installed."""

import contextlib
import sys
from collections.abc import Iterator

from edgedigits.errors import MissingExtraError

NEWEST_PYTHON_OF_TENSORFLOW = (3, 13)
"""pyproject.toml leaves TensorFlow out of ``[train]`` on a newer one, which it has no release for."""


@contextlib.contextmanager
def extra(name: str, purpose: str) -> Iterator[None]:
    """Turn a missing module inside the block into the exact line that installs it.

    Args:
        name: the extra of edgedigits that brings the module: ``tflite``, ``page``, ``bench`` or ``train``.
        purpose: what needs it, as the message begins: ``training``.

    Raises:
        MissingExtraError: a module that is not ours could not be found.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "edgedigits":
            raise
        raise MissingExtraError(purpose, name, _where(name)) from error


def install_line(name: str) -> str:
    """Return the line that installs an extra, as ``MissingExtraError`` has it."""
    return f"pip install 'edgedigits[{name}]'{_where(name)}"


def _where(name: str) -> str:
    if name == "train" and sys.version_info[:2] > NEWEST_PYTHON_OF_TENSORFLOW:
        return " with Python 3.10 to 3.13 (TensorFlow has no release for {}.{})".format(*sys.version_info)
    return ""
