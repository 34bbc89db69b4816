"""An exported ``.c`` file as a shared library, made by the system's C compiler and kept in a cache.

Compiling and loading a C file runs what is in it: open only files that you would run.
"""

import contextlib
import ctypes
import hashlib
import os
import re
import shlex
import subprocess
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO

from edgedigits.child_processes import find_program
from edgedigits.contract import LARGEST_MODEL
from edgedigits.errors import ModelFileError, ModelNotFoundError
from edgedigits.files import read_inside, reason
from edgedigits.model_files.content import read_model_bytes
from edgedigits.runtimes.library_cache import COMPILING_PREFIX, add, cache_folder, open_library, trim

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O3", "-fPIC", "-shared")
FOR_THIS_PROCESSOR = "-march=native"
SECONDS_TO_COMPILE = 120.0
LONGEST_COMPLAINT = 300

BATCH_SOURCE = """\
/* What edgedigits adds to an exported network on a computer: many images in one call. */
#include <stddef.h>
#include NETWORK_HEADER

#if EDGEDIGITS_PIXELS != 784 || EDGEDIGITS_CLASSES != 10
#error "expected a network of 784 pixels and 10 classes"
#endif

void edgedigits_predict_batch(const uint8_t *images, size_t count, uint8_t *probabilities);

void edgedigits_predict_batch(const uint8_t *images, size_t count, uint8_t *probabilities)
{
    for (size_t index = 0; index < count; index++) {
        edgedigits_predict(images + index * EDGEDIGITS_PIXELS, probabilities + index * EDGEDIGITS_CLASSES);
    }
}
"""


def find_compiler() -> list[str] | None:
    """Return the command of the system's C compiler: ``$CC``, else the first of ``COMPILERS``; None without one."""
    try:
        named = shlex.split(os.environ.get("CC", ""))
    except ValueError:  # quotes without an end
        return None
    if named:
        program = find_program(named[0])
        return [program, *named[1:]] if program else None
    return next(([program] for name in COMPILERS if (program := find_program(name))), None)


def load_network(path: Path) -> tuple[ctypes.CDLL, str]:
    """Compile an exported network, unless this very source was compiled here before, and load it.

    Args:
        path: ``digits.c``, with ``digits.h`` beside it.

    Returns:
        The library, with ``edgedigits_predict`` and ``edgedigits_predict_batch``; name and version of the compiler.

    Raises:
        ModelNotFoundError: the header is missing.
        ModelFileError: there is no C compiler, or it refuses the file.
    """
    compiler = find_compiler()
    if compiler is None:
        raise ModelFileError(
            path,
            f"no C compiler found (neither in CC nor as {', '.join(COMPILERS)})",
            "install one, or open the .tflite file, whose answers are the same",
        )
    header = path.with_suffix(".h")
    sources = {path.name: read_model_bytes(path), header.name: _read_header(header, path)}
    # A library for one compiler or processor may crash on another; what is predefined tells them apart.
    cache = cache_folder()
    flags, macros = _flags_and_macros(path, compiler, cache)
    facts = [*map(repr, (compiler, flags, sources, BATCH_SOURCE)), macros]
    key = hashlib.sha256("\0".join(facts).encode()).hexdigest()
    library = cache / f"{key}.so"
    try:
        opened = open_library(library)
        if opened is None:
            _compile(path, [*compiler, *flags], sources, library)
            opened = open_library(library)
            trim(cache)
        return _load(library, opened), _compiler_version(macros)
    except OSError as error:
        with contextlib.suppress(OSError):
            library.unlink()
        raise ModelFileError(
            path, f"its library cannot be made or loaded ({error})", "try once more"
        ) from error


def _read_header(header: Path, path: Path) -> bytes:
    """Return the content of the header, which only lies beside the file that was named: no link is followed."""
    try:
        return read_inside(header.parent, header.name, LARGEST_MODEL)
    except FileNotFoundError as error:
        raise ModelNotFoundError(header, f"it belongs to {path.name}: export both again") from error
    except OSError as error:
        raise ModelFileError(header, f"it cannot be read ({reason(error)})") from error


def _load(library: Path, opened: BinaryIO | None) -> ctypes.CDLL:
    """Load a library; its file stays open as long as it is in use, by which other processes know that it is."""
    with contextlib.ExitStack() as unless_loaded:
        if opened is not None:
            unless_loaded.enter_context(opened)
        loaded = ctypes.CDLL(str(library))
        weakref.finalize(loaded, unless_loaded.pop_all().close)
    return loaded


def _flags_and_macros(path: Path, compiler: list[str], folder: Path) -> tuple[list[str], str]:
    """Return the flags for this very processor, as far as the compiler knows it, and what it predefines with them."""
    for flags in ([*FLAGS, FOR_THIS_PROCESSOR], [*FLAGS]):
        done = _run(path, [*compiler, *flags, "-dM", "-E", "-x", "c", os.devnull], folder)
        if done.returncode == 0:
            return flags, done.stdout
    raise ModelFileError(path, f"the C compiler {compiler[0]} does not work", "install one, or name it in CC")


def _compiler_version(macros: str) -> str:
    """Return ``gcc 12.2.0`` or ``clang 14.0.6`` from what the compiler predefines."""
    for name, macro in (("clang", "__clang_version__"), ("gcc", "__VERSION__")):
        if found := re.search(rf'^#define {macro} "[^0-9"]*([0-9][0-9.]*)', macros, re.MULTILINE):
            return f"{name} {found[1]}"
    return "cc 0"


def _run(path: Path, command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the compiler in a private folder: to it an empty entry of CPATH is the folder in which it works."""
    try:
        return subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS_TO_COMPILE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelFileError(path, f"the C compiler could not be run ({error})") from error


def _compile(path: Path, command: list[str], sources: dict[str, bytes], library: Path) -> None:
    """Compile into a file beside the library and rename it: its name is never that of a part."""
    with tempfile.TemporaryDirectory(prefix=COMPILING_PREFIX, dir=library.parent) as name:
        folder = Path(name)
        for file, content in sources.items():
            (folder / file).write_bytes(content)
        (folder / "batch").mkdir()
        batch = folder / "batch" / "batch.c"
        batch.write_text(
            BATCH_SOURCE.replace("NETWORK_HEADER", f'"../{path.with_suffix(".h").name}"'), encoding="utf-8"
        )
        made = folder / "library.so"
        done = _run(path, [*command, "-o", str(made), str(folder / path.name), str(batch)], folder)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr]
            complaint = errors[0].replace(f"{folder}{os.sep}", "").strip()[:LONGEST_COMPLAINT]
            raise ModelFileError(path, f"the C compiler refuses it ({complaint})")
        add(made, library)
