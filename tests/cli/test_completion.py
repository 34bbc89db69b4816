import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from edgedigits.cli import COMMANDS, cli

PLACES = {
    "bash": ".local/share/bash-completion/completions/edgedigits",
    "zsh": ".local/share/zsh/site-functions/_edgedigits",
    "fish": ".config/fish/completions/edgedigits.fish",
}
each_shell = pytest.mark.parametrize("shell", PLACES)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def completion(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["completion", *arguments])


def completed(*words: str, begun: str) -> list[str]:
    return [item.value for item in ShellComplete(cli, {}, "edgedigits", "").get_completions([*words], begun)]


@each_shell
def test_the_installed_script_is_the_printed_one(shell: str, home: Path) -> None:
    printed, installed = completion(shell), completion(shell, "--install")
    place = home / PLACES[shell]
    assert (printed.exit_code, installed.exit_code) == (0, 0), installed.output
    assert json.loads(completion(shell, "--json").stdout) == {"shell": shell, "script": printed.stdout}
    again = json.loads(completion(shell, "--install", "--json").stdout)
    assert again == {"shell": shell, "path": str(place), "script": printed.stdout}
    assert place.read_text(encoding="utf-8") == printed.stdout
    assert f"_EDGEDIGITS_COMPLETE={shell}_complete" in printed.stdout
    assert installed.stdout == f"{place}\n"
    assert [path for path in home.rglob("*") if path.is_file()] == [place]


@each_shell
def test_what_it_says_undoes_it(shell: str, home: Path) -> None:
    said = completion(shell, "--install").stderr.splitlines()
    assert shlex.split(said[-1]) == ["undo:", "rm", str(home / PLACES[shell])]


def test_zsh_is_told_where_to_look(home: Path) -> None:
    folder = (home / PLACES["zsh"]).parent
    assert f"fpath=({shlex.quote(str(folder))} $fpath)" in completion("zsh", "--install").stderr


@each_shell
def test_an_older_script_of_ours_is_replaced(shell: str, home: Path) -> None:
    place = home / PLACES[shell]
    place.parent.mkdir(parents=True)
    place.write_text("_EDGEDIGITS_COMPLETE=source edgedigits", encoding="utf-8")
    assert completion(shell, "--install").exit_code == 0
    assert place.read_text(encoding="utf-8") == completion(shell).stdout


@each_shell
def test_what_is_not_ours_stays(shell: str, home: Path) -> None:
    place = home / PLACES[shell]
    place.parent.mkdir(parents=True)
    place.write_text("complete -W 'mine' edgedigits\n", encoding="utf-8")
    result = completion(shell, "--install")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"edgedigits: {place}: expected no file or a script of ours, found another; move it away first\n"
    )
    assert place.read_text(encoding="utf-8") == "complete -W 'mine' edgedigits\n"


def test_a_folder_in_its_place_is_one_line(home: Path) -> None:
    (home / PLACES["fish"]).mkdir(parents=True)
    result = completion("fish", "--install")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be read" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("shell", "variable", "rest"),
    [
        ("bash", "XDG_DATA_HOME", "bash-completion/completions/edgedigits"),
        ("fish", "XDG_CONFIG_HOME", "fish/completions/edgedigits.fish"),
    ],
)
def test_the_folders_are_those_of_the_user(
    shell: str, variable: str, rest: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert completion(shell, "--install").stdout == f"{tmp_path / 'elsewhere' / rest}\n"
    monkeypatch.setenv(variable, "relative")
    assert completion(shell, "--install").stdout == f"{home / PLACES[shell]}\n"


def test_another_shell_is_wrong_usage() -> None:
    assert completion("tcsh").exit_code == 2
    assert completion().exit_code == 2


def test_commands_are_completed() -> None:
    assert completed(begun="") == list(COMMANDS)
    assert completed(begun="da") == ["data"]
    assert completed("export", "--format", begun="tf") == ["tflite", "tflm"]


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_every_command_are_completed(name: str) -> None:
    command = cli.get_command(cli.make_context("edgedigits", ["data"]), name)
    words = [name, "bash"] if name == "completion" else [name]
    flags = {
        flag
        for option in command.params
        if isinstance(option, click.Option)
        for flag in (*option.opts, *option.secondary_opts)
        if flag.startswith("--")
    }
    assert set(completed(*words, begun="--")) == {*flags, "--help"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_with_what_is_installed(home: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "edgedigits"
    program.parent.mkdir()
    # As pip writes it.
    program.write_text(
        f"#!{sys.executable}\nfrom edgedigits.__main__ import main\nmain()\n", encoding="utf-8"
    )
    program.chmod(0o755)
    assert completion("bash", "--install").exit_code == 0
    asked = (
        f". {shlex.quote(str(home / PLACES['bash']))}; COMP_WORDS=(edgedigits train --ep); COMP_CWORD=2; "
        'complete -p edgedigits; _edgedigits_completion edgedigits; echo "${COMPREPLY[@]}"'
    )
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    child = subprocess.run(
        ["bash", "--norc", "-c", asked], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    assert (child.returncode, child.stderr) == (0, "")
    assert child.stdout.splitlines() == [
        "complete -o nosort -F _edgedigits_completion edgedigits",
        "--epochs",
    ]
