"""Versions of edgedigits, of Python and of installed distributions, as files and results keep them."""

import contextlib
import importlib.metadata
import platform

from edgedigits.version import __version__


def versions(*distributions: str) -> dict[str, str]:
    """Return the versions of edgedigits, of Python, and of the installed ones among some distributions."""
    found = {"edgedigits": __version__, "python": platform.python_version()}
    for distribution in distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[distribution] = importlib.metadata.version(distribution)
    return found
