"""Run the tools of others: compilers, linkers, emulators."""

import os
import subprocess
from pathlib import Path

from edgedigits.child_processes import find_program
from edgedigits.errors import EdgeDigitsError

SECONDS_TO_RUN = 300.0
TELLING = ("error", "overflow", "undefined reference")
"""The first line of a compiler or linker with one of these says what is wrong."""


class FirmwareError(EdgeDigitsError, RuntimeError):
    """A tool for microcontrollers failed, or a network is too large for a board."""


def run_tool(name: str, *arguments: str, folder: Path) -> str:
    """Run a tool in a folder of ours: a linker script, say, is looked for in the working directory first.

    Args:
        name: of the program, or its path.
        *arguments: for it.
        folder: to work in.

    Returns:
        What it printed.

    Raises:
        FirmwareError: it is not here, does not end, or ends with a failure.
    """
    program = find_program(name)
    if program is None:
        raise FirmwareError(f"{name} could not be run (it is not installed)")
    try:
        done = subprocess.run(
            [program, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS_TO_RUN,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirmwareError(f"{name} could not be run ({error})") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        complaint = next(
            (line for line in said if any(word in line for word in TELLING)), said[-1] if said else ""
        )
        for argument in arguments:
            if os.sep in argument:  # where a file lies for a moment tells nobody anything
                complaint = complaint.replace(f"{Path(argument).parent}{os.sep}", "")
        raise FirmwareError(f"{Path(name).name} failed ({complaint[:300] or f'status {done.returncode}'})")
    return done.stdout
