"""The one folder that edgedigits keeps things in which can be had again: downloads and compiled networks."""

import os
import sys
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
