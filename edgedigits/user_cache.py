"""The one folder that edgedigits keeps things in which can be had again: downloads and compiled networks."""

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


def user_cache() -> Path | None:
    """Return edgedigits' folder in the user's cache, as the operating system has it; it need not be there yet.

    Places: the XDG Base Directory Specification (which has relative paths ignored), Apple's File System Programming
    Guide and Microsoft's known folder LocalAppData.

    Returns:
        The folder; None for a user who has no home.
    """
    try:
        if sys.platform == "darwin":
            return Path("~/Library/Caches/edgedigits").expanduser()
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA") or Path("~/AppData/Local").expanduser()
            return Path(local, "edgedigits", "edgedigits", "Cache")
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (base if base.is_absolute() else Path("~/.cache").expanduser()) / "edgedigits"
    except RuntimeError:
        return None


@contextlib.contextmanager
def home_for_imports() -> Iterator[None]:
    """Let a user who has no home import Keras and matplotlib, which look for it, as do the packages that they import.

    Meanwhile his home is a folder among the temporary files, for as long as this process lives. matplotlib keeps its
    cache there. Keras would make a folder ``~`` where the user happens to be; it goes without one that cannot be made.
    """
    if os.path.expanduser("~") != "~":  # noqa: PTH111 - Path raises for such a user
        yield
        return
    folder, before = tempfile.mkdtemp(prefix="edgedigits-"), os.environ.get("HOME")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.setdefault("KERAS_HOME", os.devnull)
    os.environ.setdefault("MPLCONFIGDIR", folder)
    os.environ["HOME"] = folder
    try:
        yield
    finally:
        del os.environ["HOME"]
        if before is not None:
            os.environ["HOME"] = before
