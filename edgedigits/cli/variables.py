"""Defaults from the environment: ``EDGEDIGITS_TRAIN_EPOCHS`` is what ``train`` takes where ``--epochs`` is not given.

Click's ``auto_envvar_prefix`` would call them by the names of parameters (``EDGEDIGITS_BENCH_AS_JSON``), and have
``EDGEDIGITS_VERSION``, which somebody may have set for another reason, end every command. So each option is told its
variable here, by the name that is typed.
"""

import click

PREFIX = "EDGEDIGITS"


def name_variables(command: click.Command, words: str) -> None:
    """Give every option of a command, and of the commands within it, its variable, and have ``--help`` show it.

    Args:
        command: as its module has it.
        words: that call it: ``data show``.
    """
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            parameter.envvar = variable(words, parameter)
            parameter.show_envvar = True
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            name_variables(part, f"{words} {name}")


def variable(words: str, option: click.Option) -> str:
    """Return the name of an option's variable: ``EDGEDIGITS_DATA_SHOW_OUT`` for ``data show --out``."""
    flag = max(option.opts, key=len).lstrip("-")
    return "_".join((PREFIX, *words.split(), flag)).replace("-", "_").upper()
