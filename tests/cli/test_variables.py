import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from edgedigits.cli import COMMANDS, cli
from edgedigits.cli.process import TRACEBACK
from edgedigits.cli.variables import variable
from edgedigits.datasets.places import Source

MODEL = Path(__file__).parents[2] / "models" / "digits.int8.onnx"
OURS = {"EDGEDIGITS_DATA", TRACEBACK}
"""Variables that mean something of their own."""


def options() -> list[tuple[str, click.Option]]:
    """Every option of every command, as the group hands them out, and the words that call the command."""
    group = cli.make_context("edgedigits", ["data"])
    found = []
    for name in COMMANDS:
        command = cli.get_command(group, name)
        parts = command.commands if isinstance(command, click.Group) else {}
        for words, part in {name: command, **{f"{name} {part}": parts[part] for part in parts}}.items():
            found += [(words, option) for option in part.params if isinstance(option, click.Option)]
    return found


OPTIONS = options()


def command_of(name: str) -> click.Command:
    return cli.get_command(cli.make_context("edgedigits", ["data"]), name)


def run(*arguments: object, **variables: str) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)], env=variables)


@pytest.mark.parametrize(
    ("words", "flag", "expected"),
    [
        ("train", "--batch-size", "EDGEDIGITS_TRAIN_BATCH_SIZE"),
        ("bench", "--json", "EDGEDIGITS_BENCH_JSON"),
        ("data", "--quiet", "EDGEDIGITS_DATA_QUIET"),
        ("data show", "--out", "EDGEDIGITS_DATA_SHOW_OUT"),
    ],
)
def test_a_variable_is_called_as_its_option(words: str, flag: str, expected: str) -> None:
    (option,) = [option for command, option in OPTIONS if command == words and flag in option.opts]
    assert variable(words, option) == option.envvar == expected


def test_no_two_options_share_a_variable_and_none_has_one_of_another_meaning() -> None:
    names = [option.envvar for _, option in OPTIONS]
    assert len(set(names)) == len(names) > 150
    assert not OURS & set(names)


@pytest.mark.parametrize("words", sorted({words for words, _ in OPTIONS}))
def test_help_shows_the_variable_of_every_option(words: str) -> None:
    shown = "".join(run(*words.split(), "--help").stdout.split())
    for name in [option.envvar for command, option in OPTIONS if command == words]:
        assert f"[envvar:{name}" in shown


def test_a_variable_is_the_default() -> None:
    assert json.loads(run("info", MODEL, EDGEDIGITS_INFO_JSON="1").stdout)["precision"] == "int8"


def test_an_empty_variable_is_none() -> None:
    assert run("info", MODEL, EDGEDIGITS_INFO_JSON="").stdout.startswith("file ")


@pytest.mark.parametrize(
    ("words", "name", "value", "parameter", "expected"),
    [
        ("data", "EDGEDIGITS_DATA_MIRROR", "a b", "mirror", ("a", "b")),
        ("verify", "EDGEDIGITS_VERIFY_FOREIGN", f"a{os.pathsep}b c", "foreign", (Path("a"), Path("b c"))),
    ],
    ids=["texts", "files"],
)
def test_a_variable_holds_several_values(
    words: str,
    name: str,
    value: str,
    parameter: str,
    expected: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, value)
    assert command_of(words).make_context(words, []).params[parameter] == expected


def test_the_command_line_goes_before_a_variable() -> None:
    picture = MODEL.parents[1] / "tests" / "golden" / "pictures" / "0-paint.png"
    assert run("predict", picture, EDGEDIGITS_PREDICT_MODEL="nowhere.onnx").exit_code == 1
    assert run("predict", picture, "--model", MODEL, EDGEDIGITS_PREDICT_MODEL="nowhere.onnx").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "name"),
    [("train", "EDGEDIGITS_TRAIN_EPOCHS"), ("data show", "EDGEDIGITS_DATA_SHOW_SEED")],
)
def test_a_bad_value_is_wrong_usage_that_names_the_variable(arguments: str, name: str) -> None:
    result = run(*arguments.split(), **{name: "many"})
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"(env var: '{name}'): 'many' is not a valid integer" in result.stderr


@pytest.mark.parametrize(
    "name", ["EDGEDIGITS_VERSION", "EDGEDIGITS_HELP", "EDGEDIGITS_INFO_HELP", "EDGEDIGITS_JSON"]
)
def test_what_is_no_option_of_a_command_changes_nothing(name: str) -> None:
    assert run("info", MODEL, **{name: "1"}).stdout == run("info", MODEL).stdout


def test_the_place_of_mnist_keeps_its_variable(mnist_source: Source) -> None:
    found = run("data", "--json", EDGEDIGITS_DATA=str(mnist_source.path))
    assert json.loads(found.stdout)["origin"] == "EDGEDIGITS_DATA"
    named = run("data", "--json", EDGEDIGITS_DATA="/nowhere", EDGEDIGITS_DATA_DATA=str(mnist_source.path))
    assert json.loads(named.stdout)["origin"] == "--data"


def test_a_default_folder_is_no_second_name_of_a_network_that_is_named(tmp_path: Path) -> None:
    network = tmp_path / "mine.keras"
    words = ("export", network, "--format", "onnx")
    result = run(*words, EDGEDIGITS_EXPORT_MODELS=str(tmp_path), EDGEDIGITS_EXPORT_NAME="other")
    assert result.exit_code == 1
    assert f"{network}: no such model file" in result.stderr
    assert run(*words, "--name", "other").exit_code == 2
