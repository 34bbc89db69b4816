"""Reads the bytes of a model file: at most as many as a network for an edge device has, and from a file only."""

import errno
import stat
from pathlib import Path

from edgedigits.contract import LARGEST_MODEL
from edgedigits.errors import ModelFileError, ModelNotFoundError
from edgedigits.files import read_file, reason


def kind_there(path: Path, advice: str) -> int:
    """Return what kind of thing lies at a path, as ``stat.S_IFMT`` names it.

    Raises:
        ModelNotFoundError: nothing lies there; the message ends with the advice.
        ModelFileError: nobody may look, or no system has such names.
    """
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelNotFoundError(path, advice) from error
    except (OSError, ValueError) as error:
        raise ModelFileError(path, f"cannot be read ({reason(error)})", "name another") from error


def read_model_bytes(path: Path) -> bytes:
    """Return the content of a model file.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: it may not be read, is larger than ``LARGEST_MODEL``, or no file: a pipe would be waited for
            and a device has no end.
    """
    try:
        return read_file(path, LARGEST_MODEL)
    except FileNotFoundError as error:
        raise ModelNotFoundError(path, "train one with `edgedigits train` and `edgedigits export`") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        why, advice = f"cannot be read ({reason(error)})", "name a model file that you may read"
        if getattr(error, "errno", None) == errno.EFBIG:
            why = f"larger than {LARGEST_MODEL // 2**20} MiB"
            advice = "no network of edgedigits is; name another file"
        raise ModelFileError(path, why, advice) from error
