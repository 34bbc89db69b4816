"""The one door to parts that may not be installed."""

import contextlib
from collections.abc import Iterator

from edgedigits.errors import MissingExtraError


@contextlib.contextmanager
def extra(name: str, purpose: str) -> Iterator[None]:
    """Turn a missing module inside the block into the exact line that installs it.

    Args:
        name: the extra of edgedigits that brings the module: ``tflite``, ``bench`` or ``train``.
        purpose: what needs it, as the message begins: ``training``.

    Raises:
        MissingExtraError: a module that is not ours could not be found.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "edgedigits":
            raise
        raise MissingExtraError(purpose, name) from error
