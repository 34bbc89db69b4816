"""Other processes, none of which runs what happens to lie in the working directory.

``python -m`` and ``python -c`` put the working directory first on ``sys.path``. A file ``h5py.py`` beside a downloaded
model would be run in place of the library. So every Python child of edgedigits is started here: its path is that of
its parent without the working directory, and its ``edgedigits`` is the parent's own. Switches that change where Python
imports from (``-I``, ``-s``, ``-S``) are handed on; of ``PYTHON*`` variables none is heeded, because what they had to
say of the path is in the parent's. Compilers and other programs are looked for in absolute folders of ``PATH`` only,
and work in a folder of their own: an empty entry of ``PATH`` or ``CPATH`` is the working directory.
"""

import os
import shutil
import sys
from pathlib import Path

_PACKAGE = Path(__file__).with_name("__init__.py")
_BEGIN = """\
import sys
own = [entry for entry in sys.path if entry]
sys.path[:] = {path}
sys.path += [entry for entry in own if entry in {withheld} and entry not in sys.path]
import importlib.util, runpy
spec = importlib.util.spec_from_file_location("edgedigits", {package})
sys.modules["edgedigits"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
"""
"""What a child does first. ``sys`` is built in, so nothing is looked for before the path is right. What was withheld
and is a place of packages all the same, as the interpreter finds by itself (a working directory inside
``site-packages``, the checkout of an editable installation), comes last."""


def run_module(module: str, *arguments: object) -> list[str]:
    """Return the command that runs a module as ``python -m`` would.

    Args:
        module: its full name, such as ``edgedigits.measuring.cold_start``.
        *arguments: for ``sys.argv[1:]``, as text.
    """
    return _command(f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)", arguments)


def run_code(code: str, *arguments: object) -> list[str]:
    """Return the command that runs some code as ``python -c`` would.

    Args:
        code: the program; it sees none of the names that the beginning of the process used.
        *arguments: for ``sys.argv[1:]``, as text.
    """
    return _command(f"exec(compile({code!r}, '<string>', 'exec'), {{'__name__': '__main__'}})", arguments)


def find_program(name: str) -> str | None:
    """Return the absolute path of a program; None where it is not installed.

    Args:
        name: looked for in the absolute folders of ``PATH``; with a slash in it, a path that the user named.
    """
    if Path(name).name != name:  # a path
        found = shutil.which(name)
        return str(Path(found).absolute()) if found else None
    folders = [folder for folder in os.get_exec_path() if Path(folder).is_absolute()]
    found = shutil.which(name, path=os.pathsep.join(folders))
    # Windows looks in the working directory before PATH.
    return found if found and Path(found).is_absolute() else None


def _command(last: str, arguments: tuple[object, ...]) -> list[str]:
    path, withheld = import_path()
    begin = _BEGIN.format(path=ascii(path), withheld=ascii(withheld), package=ascii(str(_PACKAGE)))
    return [sys.executable, *_switches(), "-c", begin + last, *map(str, arguments)]


def import_path() -> tuple[list[str], list[str]]:
    """Return ``sys.path`` without the working directory, and which of its entries were left out.

    An entry that is relative lies in the working directory, whatever the working directory is.
    """
    try:
        here = Path().stat()
    except OSError:  # It was removed: then nothing can be imported from it either.
        here = None
    path: list[str] = []
    withheld: list[str] = []
    for entry in sys.path:
        foreign = not Path(entry).is_absolute() or (here is not None and _is(entry, here))
        (withheld if foreign else path).append(entry)
    return path, withheld


def _is(entry: str, folder: os.stat_result) -> bool:
    try:
        return os.path.samestat(Path(entry).stat(), folder)
    except (OSError, ValueError):  # ValueError: a null byte
        return False


def _switches() -> list[str]:
    """Return the switches of the child: no variable of the environment, no working directory, and the parent's own."""
    switches = ["-E"]
    if sys.version_info >= (3, 11):
        # Before the first line of the child could change it, Python 3.13 imports `linecache` from a path with ''.
        switches.append("-P")
    for name, switch in (
        ("isolated", "-I"),
        ("no_user_site", "-s"),
        ("no_site", "-S"),
        ("dont_write_bytecode", "-B"),
    ):
        if getattr(sys.flags, name):
            switches.append(switch)
    for name, value in (("utf8", str(sys.flags.utf8_mode)), ("pycache_prefix", sys.pycache_prefix)):
        if value is not None:
            switches += ["-X", f"{name}={value}"]
    return switches
