"""Reads the bytes of a model file: at most as many as a network for an edge device has, and from a file only."""

import stat
from pathlib import Path

from edgedigits.contract import LARGEST_MODEL
from edgedigits.errors import ModelFileError, ModelNotFoundError


def read_model_bytes(path: Path) -> bytes:
    """Return the content of a model file.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: it may not be read, is larger than ``LARGEST_MODEL``, or no file: a pipe would be waited for
            and a device has no end.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise ModelFileError(path, "a pipe or a device, no file", "name a model file")
        with path.open("rb") as file:
            content = file.read(LARGEST_MODEL + 1)
    except FileNotFoundError as error:
        raise ModelNotFoundError(path, "train one with `edgedigits train` and `edgedigits export`") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        if isinstance(error, ModelFileError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelFileError(
            path, f"cannot be read ({reason})", "name a model file that you may read"
        ) from error
    if len(content) > LARGEST_MODEL:
        raise ModelFileError(
            path,
            f"larger than {LARGEST_MODEL // 2**20} MiB",
            "no network of edgedigits is; name another file",
        )
    return content
