import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import edgedigits
from edgedigits.cli import COMMANDS, cli
from edgedigits.errors import EdgeDigitsError
from edgedigits.printable import one_line


def command_tree() -> dict[str, click.Command]:
    """Every command by the words that call it, subcommands as well."""
    tree = {}
    for name in COMMANDS:
        command = importlib.import_module(f"edgedigits.cli.{name}").command
        tree[name] = command
        if isinstance(command, click.Group):
            tree.update({f"{name} {part}": command.commands[part] for part in command.commands})
    return tree


TREE = command_tree()
each_command = pytest.mark.parametrize("words", TREE)


@each_command
def test_every_command_has_help_with_an_example(words):
    result = CliRunner().invoke(cli, [*words.split(), "--help"])
    assert result.exit_code == 0, result.output
    assert re.search(r"^ *Examples?:$", result.stdout, re.MULTILINE)
    assert f"  edgedigits {words}" in result.stdout
    assert not result.stderr


@each_command
def test_every_command_and_option_says_what_it_is_for(words):
    command = TREE[words]
    summary = command.get_short_help_str(limit=200)
    assert len(summary) > 10
    undocumented = [
        parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not (parameter.help or parameter.show_default)
    ]
    assert not undocumented


@each_command
def test_no_command_has_two_options_of_one_name(words):
    names = [
        name for parameter in TREE[words].params for name in (*parameter.opts, *parameter.secondary_opts)
    ]
    assert len(set(names)) == len(names)


def test_the_help_lists_every_command_in_the_order_of_their_use():
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0, result.output
    listed = re.findall(r"^  (\w+) ", result.stdout.split("Commands:")[1], re.MULTILINE)
    assert listed == list(COMMANDS)


def test_short_options_do_as_the_long_ones():
    runner = CliRunner()
    assert runner.invoke(cli, ["-h"]).stdout == runner.invoke(cli, ["--help"]).stdout
    assert runner.invoke(cli, ["-V"]).stdout == runner.invoke(cli, ["--version"]).stdout


def test_the_version_is_the_package_s():
    result = CliRunner().invoke(cli, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"edgedigits, version {edgedigits.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "No such command 'fly'"),
        (["--wings"], "No such option"),
        (["data", "--wings"], "No such option"),
        (["data", "fly"], "No such command 'fly'"),
        (["train", "--epochs", "many"], "not a valid integer"),
        (["train", "--epochs", "0"], "is not in the range"),
        (
            ["train", "--arch", "wide"],
            "got 'wide' at word 1; e.g. conv8-pool-conv24-conv40-mean, or widths alone, 128-32",
        ),
        (["train", "--arch", "128-wide"], "expected widths from 1 to 16384 like 128-32"),
        (["export", "--format", "coreml"], "is not one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_exit_status_2(arguments, message):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert not result.stdout
    assert message in result.stderr


def test_an_error_of_ours_is_one_line_and_exit_status_1(tmp_path):
    place = tmp_path / "a\nb"
    result = CliRunner().invoke(cli, ["data", "--data", str(place)])
    assert result.exit_code == 1
    assert not result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"edgedigits: {tmp_path}/a b (--data): expected ")


def test_an_error_of_somebody_else_is_not_hidden(monkeypatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr("edgedigits.datasets.places.find", broken)
    assert isinstance(CliRunner().invoke(cli, ["data"]).exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as it is", "as it is"),
        ("two\nlines", "two lines"),
        (" a\r\n\tb ", "a b"),
        ("", ""),
        ("a\x1b[2Jb\udc80", r"a\x1b[2Jb\udc80"),
    ],
    ids=["one line", "two lines", "other blanks", "nothing", "what steers a terminal"],
)
def test_messages_are_folded_into_one_line(text, expected):
    assert one_line(text) == expected


def test_the_base_of_our_errors_is_caught_not_only_its_children(monkeypatch):
    def failing(*_: object) -> None:
        raise EdgeDigitsError("expected this,\nfound that")

    monkeypatch.setattr("edgedigits.datasets.places.find", failing)
    result = CliRunner().invoke(cli, ["data"])
    assert (result.exit_code, result.stderr) == (1, "edgedigits: expected this, found that\n")


def test_the_process_ends_with_the_same_status(tmp_path):
    command = [sys.executable, "-m", "edgedigits", "data", "--data", str(tmp_path / "nowhere")]
    child = subprocess.run(command, capture_output=True, text=True)
    assert (child.returncode, child.stdout) == (1, "")
    assert child.stderr.startswith("edgedigits: ")
    assert len(child.stderr.splitlines()) == 1


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="needs a shell")
def test_a_reader_that_goes_away_is_no_traceback():
    command = f"{sys.executable} -m edgedigits --help | true"
    child = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, env=dict(os.environ))
    assert (child.stdout, child.stderr) == ("", "")


@pytest.mark.parametrize("command", [*COMMANDS, "data show", "data convert"])
def test_every_command_prints_json(command):
    result = CliRunner().invoke(cli, [*command.split(), "--help"])
    assert " --json " in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "--data", "missing"],
        ["train", "--data", "missing"],
        ["export", "--models", "missing"],
        ["verify", "--models", "missing"],
        ["diff", "missing.onnx", "missing.onnx"],
        ["bench", "missing.onnx"],
        ["predict", "--model", "missing.onnx", "a.png"],
        ["read", "--model", "missing.onnx", "a.png"],
        ["score", "missing", "--out", "out"],
        ["info", "missing.onnx"],
        ["report", "--models", "missing", "--no-bench"],
        ["page", "--models", "missing"],
        ["demo", "--data", "missing"],
    ],
    ids=lambda words: words[0],
)
def test_where_there_is_no_result_the_document_holds_the_error(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert list(document) == ["error"]
    assert result.stderr.splitlines()[-1] == f"edgedigits: {document['error']}"


def test_a_result_is_the_only_document_though_the_command_fails_after_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    missing = tmp_path / "missing.onnx"
    result = CliRunner().invoke(cli, ["verify", str(missing), "--json"])
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)
    assert (found["file"], found["passed"]) == (missing.name, False)
    assert result.stderr == f"edgedigits: {found['failures'][0]}\n"


def test_without_a_command_the_help_page_is_shown_as_it_is():
    result = CliRunner().invoke(cli, [])
    assert result.stdout + result.stderr == CliRunner().invoke(cli, ["--help"]).stdout
