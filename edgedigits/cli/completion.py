"""``edgedigits completion``: what has a shell complete commands, options and files."""

import os
import shlex
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from edgedigits.cli.options import json_option
from edgedigits.cli.terminal import echo, echo_command, echo_json
from edgedigits.errors import OutputError

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
VARIABLE = "_EDGEDIGITS_COMPLETE"
"""By which a shell asks edgedigits; every script that we write names it."""
LARGEST_SCRIPT = 100_000
"""Bytes; Click's have less than 2,000."""


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.option("--install", is_flag=True, help="Write it where the shell looks for such scripts.")
@json_option
def command(shell: str, install: bool, as_json: bool) -> None:
    """Print the script that has a shell complete commands and options, or install it.

    Needs Bash 4.4 or newer, zsh or fish. --install writes one file below the home folder, changes no other, and says
    how it is undone.

    \b
    Examples:
      edgedigits completion bash --install
      edgedigits completion zsh > _edgedigits
      edgedigits completion fish | source  # for this shell alone
    """
    script = completion_script(shell)
    if not install:
        if as_json:
            echo_json({"shell": shell, "script": script})
        else:
            echo(script, nl=False, as_is=True)
        return
    from edgedigits.artifacts.staging import write_atomically

    place = completion_place(shell)
    _check_ours(place)
    write_atomically(place, script.encode())
    if as_json:
        echo_json({"shell": shell, "path": str(place), "script": script})
    else:
        echo(place)
    echo(_what_is_left(shell, place), err=True)
    echo_command("undo", ["rm", str(place)], err=True)


def completion_script(shell: str) -> str:
    """Return Click's own script for a shell."""
    root = click.get_current_context().find_root().command
    # Of the base class: Bash's own would start whichever `bash` comes first, for its version.
    return ShellComplete.source(SHELLS[shell](root, {}, "edgedigits", VARIABLE))


def completion_place(shell: str) -> Path:
    """Return where a shell looks for the completions of a user, as its manual and the XDG specification have it.

    Raises:
        OutputError: the user has no home.
    """
    try:
        if shell == "fish":
            return _folder("XDG_CONFIG_HOME", "~/.config") / "fish" / "completions" / "edgedigits.fish"
        data = _folder("XDG_DATA_HOME", "~/.local/share")
    except RuntimeError as error:
        raise OutputError("there is no home folder: print the script, and keep it where you can") from error
    if shell == "zsh":
        return data / "zsh" / "site-functions" / "_edgedigits"
    return data / "bash-completion" / "completions" / "edgedigits"


def _folder(variable: str, default: str) -> Path:
    """Return one of the user's folders; the specification has relative ones ignored."""
    named = Path(os.environ.get(variable, ""))
    return named if named.is_absolute() else Path(default).expanduser()


def _check_ours(place: Path) -> None:
    """Refuse to replace a script of somebody else.

    Raises:
        OutputError: there is one, or what is there cannot be read.
    """
    from edgedigits.files import read_file, reason

    try:
        content = read_file(place, LARGEST_SCRIPT)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{place}: cannot be read ({reason(error)}); move it away first") from error
    if VARIABLE.encode() not in content:
        raise OutputError(f"{place}: expected no file or a script of ours, found another; move it away first")


def _what_is_left(shell: str, place: Path) -> str:
    if shell == "zsh":
        folder = shlex.quote(str(place.parent))
        return f"put this line into ~/.zshrc, before compinit: fpath=({folder} $fpath)"
    if shell == "bash":
        without = f"without it, put this line into ~/.bashrc: . {shlex.quote(str(place))}"
        return f"new shells complete where the package bash-completion is installed; {without}"
    return "new shells complete"
