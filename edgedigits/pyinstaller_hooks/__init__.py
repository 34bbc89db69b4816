"""What PyInstaller takes into a program besides the code that it finds by itself. It asks here, by an entry point."""

from pathlib import Path


def hook_dirs() -> list[str]:
    """Return where the hooks are: a file for each module that needs one, by the name that PyInstaller wants."""
    return [str(Path(__file__).parent)]
