"""`completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from prakerja_ledger.interfaces.cli.main import cli


@click.command("completion", short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    For bash, once: prakerja-ledger completion bash >> ~/.bashrc
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells that the argument offers"
    click.echo(kind(cli, {}, "prakerja-ledger", "_PRAKERJA_LEDGER_COMPLETE").source())
