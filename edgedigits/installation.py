"""What of edgedigits is here: packages, networks, data, compilers, the cache; and what brings the rest.

Versions are those of the packages' own metadata, and programs are looked for and not run. That `predict` works is
tried in another process: a package that is there may still be broken, or end the process that imports it.
"""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgedigits.artifacts.versions import versions
from edgedigits.child_processes import find_program, run_code
from edgedigits.errors import DatasetError, ModelNotFoundError
from edgedigits.extras import install_line
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.shipped import NUMBERS, TINY, default_model, named_model
from edgedigits.user_cache import user_cache
from edgedigits.version import __version__

BASE = ("numpy", "onnxruntime", "pillow", "click")
"""Distributions that every install has."""
EXTRAS = {
    "tflite": ("ai-edge-litert", "flatbuffers"),
    "page": ("wasmtime",),
    "score": ("pyarrow",),
    "dask": ("pyarrow", "dask", "distributed"),
    "bench": ("ai-edge-litert", "flatbuffers", "pooch", "psutil", "rich"),
    "train": (
        *("ai-edge-litert", "flatbuffers", "pooch", "psutil", "rich", "wasmtime"),
        *("tensorflow", "keras", "h5py", "onnx", "matplotlib", "scikit-learn", "jinja2"),
    ),
}
"""Distributions that an extra of pyproject.toml brings, those of the extras within it first."""
NOT_ON_WINDOWS = "ai-edge-litert"
"""It has no release there, and ``[tflite]`` leaves it out."""
PURPOSES = {
    "tflite": "opening .tflite files",
    "page": "opening .html pages",
    "score": "score, Parquet",
    "dask": "score --dask",
    "bench": "data, verify, bench, diff",
    "train": "train, fit, export, report, demo",
}
"""What an extra is for, in the words of the command line."""
CROSS_COMPILERS = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    "avr-gcc": "gcc-avr binutils-avr avr-libc",
    "qemu-system-arm": "qemu-system-arm",
    "qemu-system-riscv32": "qemu-system-misc",
}
"""Programs that measure C on microcontrollers (the export wing's boards), and Debian's packages of each."""
SECONDS_TO_OPEN = 120.0
"""For onnxruntime and the network; a Raspberry Pi with a slow card takes ten."""


@dataclass(frozen=True)
class Packages:
    """The distributions that something needs."""

    purpose: str
    versions: dict[str, str]
    """Of those that are installed."""
    missing: tuple[str, ...]
    install: str | None
    """The line that brings the others; None where nothing is missing."""


@dataclass(frozen=True)
class Found:
    """A file, folder or program that was looked for."""

    path: str | None
    """None where it is not here."""
    note: str | None
    """How it was found, or what is to be done to have it."""


@dataclass(frozen=True)
class Installation:
    """What is here."""

    edgedigits: str
    """Its version."""
    python: str
    """Version and path of the interpreter."""
    system: str
    """``Linux x86_64``."""
    base: Packages
    extras: dict[str, Packages]
    networks: dict[str, Found]
    """Those that came along; ``digits`` is the one that is used where none is named."""
    data: Found
    compilers: dict[str, Found]
    """The system's C compiler as ``C compiler``, and the programs of ``CROSS_COMPILERS``."""
    cache: Found
    fault: str | None
    """Why ``predict`` does not work where no model is named; None where it does."""

    @property
    def can_predict(self) -> bool:
        """Whether ``predict`` works where no model is named."""
        return self.fault is None


def look() -> Installation:
    """Look for all of it; nothing is changed."""
    base = _packages("predict, read, info", BASE, "pip install edgedigits")
    networks = {name: _network(name) for name in ("digits", NUMBERS, *TINY)}
    return Installation(
        edgedigits=__version__,
        python=f"{platform.python_version()}, {sys.executable}",
        system=f"{platform.system()} {platform.machine()}",
        base=base,
        extras={
            name: _packages(PURPOSES[name], wanted, install_line(name)) for name, wanted in EXTRAS.items()
        },
        networks=networks,
        data=_data(),
        compilers={"C compiler": _c_compiler(), **{name: _program(name) for name in CROSS_COMPILERS}},
        cache=_cache(),
        fault=_fault(base, networks["digits"]),
    )


def _fault(base: Packages, network: Found) -> str | None:
    """Open the network that is used where none is named, in a process of its own; return what is in the way."""
    if base.missing:
        return f"missing: {', '.join(base.missing)}; {base.install}"
    if network.path is None:
        return f"its network is missing; {network.note}"
    try:
        done = subprocess.run(
            run_code("from edgedigits import DigitPredictor; DigitPredictor()"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS_TO_OPEN,
        )
    except subprocess.TimeoutExpired:
        return f"its network was not open after {SECONDS_TO_OPEN:.0f} seconds"
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
    return f"its network cannot be opened: {said[-1]}"


def _packages(purpose: str, wanted: tuple[str, ...], install: str) -> Packages:
    if sys.platform == "win32":
        wanted = tuple(name for name in wanted if name != NOT_ON_WINDOWS)
    installed = versions(*wanted)
    found = {name: installed[name] for name in wanted if name in installed}
    missing = tuple(name for name in wanted if name not in installed)
    return Packages(purpose, found, missing, install if missing else None)


def _network(name: str) -> Found:
    try:
        path = default_model() if name == "digits" else named_model(Path(name))
    except ModelNotFoundError:
        return Found(None, "reinstall edgedigits")
    return Found(str(path), None)


def _data() -> Found:
    try:
        from edgedigits.datasets.places import find

        source = find()
    except ImportError as error:
        return Found(None, f"not looked for, which needs numpy ({error.msg})")
    except DatasetError as error:
        return Found(None, str(error))
    if source is None:
        return Found(None, "`edgedigits data` downloads MNIST; or name a folder in EDGEDIGITS_DATA")
    return Found(str(source.path), source.origin)


def _c_compiler() -> Found:
    compiler = find_compiler()
    if compiler is not None:
        return Found(" ".join(compiler), "CC" if os.environ.get("CC") else None)
    if named := os.environ.get("CC"):
        return Found(None, f"CC names {named}, which is not here: name another, or unset CC")
    return Found(None, "on Debian: apt-get install gcc")


def _program(name: str) -> Found:
    path = find_program(name)
    return Found(path, None if path else f"on Debian: apt-get install {CROSS_COMPILERS[name]}")


def _cache() -> Found:
    cache = user_cache()
    if cache is None:
        return Found(None, "there is no home: nothing is kept")
    return Found(str(cache), None if cache.is_dir() else "not made yet")
