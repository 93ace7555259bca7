"""The entry point: finds the command, and turns every error into a sentence and an exit status."""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import click

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.interfaces.cli.status import Status

if TYPE_CHECKING:
    from prakerja_ledger.domain.errors import PrakerjaLedgerError

COMMANDS: Final = {
    "check": ("history", "Read and judge histories without recording."),
    "import": ("history", "Record a history into a ledger."),
    "export": ("export", "Write a source as a history, or as a journal of its money."),
    "statement": ("statement", "Owed, paid, unpaid, line by line, and why."),
    "unpaid": ("unpaid", "Every unpaid line, the longest overdue first."),
    "totals": ("totals", "Sums of the lines by wave, cause, owner and more."),
    "trace": ("trace", "One participant explained: what happened, and why the money is not there."),
    "findings": ("findings", "Facts that break a rule."),
    "diff": ("changes", "What moved between two views, and what moved it."),
    "audit": ("audit", "The one-page answer for a whole history."),
    "projection": ("projection", "Keep statements as rows, always current."),
    "vault": (
        "vault",
        "People's data apart from the history: add, show, forget, restrict, access-log.",
    ),
    "schema": ("administration", "Print or run the SQL that makes a ledger."),
    "doctor": ("administration", "Examine a ledger: what is unsafe, and how to mend it."),
    "keygen": ("sealing", "Make a key that seals a history."),
    "seal": ("sealing", "Sign what a history is now."),
    "cosign": ("sealing", "Sign as a witness that a checkpoint was seen."),
    "verify": ("verifying", "Find out whether a history is what it was sealed as."),
    "pack": ("packing", "Make an auditor's pack: a sealed history with its answers."),
    "receipt": ("packing", "One participant's facts and amounts, proved, on one page."),
    "prove": ("proving", "Prove some events of a sealed history, and nothing else of it."),
    "simulate": ("simulate", "Write a history like the programme's own, of any size."),
    "completion": ("completion", "Print the completion script of a shell."),
}
"""Command, the module that holds it, and its line in the help. Modules are imported when called."""


OF_THE_VAULT: Final = frozenset({"forget", "restrict", "lift", "access-log", "expire"})
"""Commands that people look for here, and that stand one step further down."""


class LateGroup(click.Group):
    """A group that imports a command when it is asked for: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in OF_THE_VAULT:
            raise click.UsageError(
                Phrase("{command} is a command of the vault: vault {command}.", command=cmd_name)
            )
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"prakerja_ledger.interfaces.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


EPILOG: Final = """\b
Examples:
  prakerja-ledger check history.jsonl
  prakerja-ledger import history.jsonl --ledger sqlite:///ledger.db
  prakerja-ledger audit sqlite:///ledger.db --as-of 2020-07-02
  prakerja-ledger trace sqlite:///ledger.db A-READER --lang id

\b
Exit status: 0 done · 1 an internal fault, or unsafe · 2 wrong usage, an unreadable
source or a participant who is not in view · 3 done, but lines of a history
file were quarantined · 4 not what it was sealed as.
"""


@click.group(cls=LateGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="prakerja-ledger", prog_name="prakerja-ledger")
def cli() -> None:
    """Participant ledger: what is owed, what is paid, and why the rest is not.

    SOURCE is a history file (.jsonl, .jsonl.gz, .jsonl.zst, Parquet, a folder of Parquet files, a
    pack, or - for standard input) or the URL of a ledger (sqlite:///path.db, postgresql://host/database).
    """


def main() -> None:
    """Run the command line; ends the process."""
    _open_standard_streams()
    if (
        signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):  # unless whoever started us wants it ignored
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing half-made stays behind
    gc.disable()  # millions of objects without cycles, in a process that ends with its answer
    status: int | None = None
    try:
        status = int(_run())
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        status = _quietly(status)
    except SystemExit as stop:
        if not type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
            raise
        del stop  # click saw the broken pipe first, put this wrapper there, and calls it a failure
        status = _quietly(status)
    if "_duckdb" not in sys.modules:  # it counts at the end what was not collected, and complains
        gc.freeze()  # else the interpreter walks all that is there once more before it goes
    sys.exit(status)


def _open_standard_streams() -> None:
    """Standard streams that are closed become the null device; others never fail on a character."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        getattr(sys, name).reconfigure(errors="backslashreplace")


def _quietly(status: int | None) -> int:
    """End as the command did although nobody reads on; the interpreter's last flush must not complain.

    Where it had not ended, nobody needs more of it; but what was not verified to its end is not fine.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if status is not None:
        return status
    return int(Status.FAULT if sys.argv[1:2] == ["verify"] else Status.DONE)


def _run() -> Any:
    from prakerja_ledger.domain.errors import (  # noqa: PLC0415
        InvalidInput,
        NotAsSealed,
        PrakerjaLedgerError,
    )

    try:
        return cli.main(standalone_mode=False) or Status.DONE
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        _in_our_words(error).show()
        return Status.WRONG_USAGE
    except (click.Abort, KeyboardInterrupt):
        _say(_in_words(Phrase("interrupted")))
        return Status.FAULT
    except InvalidInput as error:
        _say(_in_words(error))
        return Status.WRONG_USAGE
    except NotAsSealed as error:
        _say(_in_words(error))
        return Status.NOT_AS_SEALED
    except PrakerjaLedgerError as error:
        _say(_in_words(error))
        return Status.FAULT
    except BrokenPipeError:
        raise
    except OSError as error:
        _say(_in_words(_of_the_system(error)))
        return Status.FAULT
    except Exception as error:  # a person gets a sentence, never a traceback
        if os.environ.get("PRAKERJA_LEDGER_DEBUG"):
            raise
        said = Phrase(
            "internal fault ({kind}: {error}). This is a fault of the program, not of your data; set "
            "PRAKERJA_LEDGER_DEBUG=1 and run again to see where.",
            kind=type(error).__name__,
            error=str(error),
        )
        _say(_in_words(said))
        return Status.FAULT


def _of_the_system(error: OSError) -> str:
    from prakerja_ledger.interfaces.cli.words import of_system  # noqa: PLC0415

    said = of_system(error)
    return (
        Phrase("{error}: {file}", error=said, file=str(error.filename)) if error.filename else said
    )


def _in_our_words(error: click.ClickException) -> click.ClickException:
    """A wrong usage in the user's language where the sentence is ours; click's own are English."""
    said = error.message
    if not isinstance(said, Phrase):
        return error
    if isinstance(error, click.BadParameter) and error.param is not None:
        said = Phrase(
            "Invalid value for {parameter}: {problem}",
            parameter=error.param.get_error_hint(error.ctx),
            problem=said,
        )
    return click.UsageError(_in_words(said), getattr(error, "ctx", None))


def _in_words(said: str | PrakerjaLedgerError) -> str:
    """A text of ours in the language that the arguments ask for, however wrong they are."""
    from prakerja_ledger.interfaces.cli.words import LANGUAGES, words_for  # noqa: PLC0415

    given = [*sys.argv[1:], ""]
    language = None
    for word, following in pairwise(given):
        if word == "--lang" or word.startswith("--lang="):
            language = word.partition("=")[2] or following
    words = words_for(language if language in LANGUAGES else None)
    return words.text(said) if isinstance(said, str) else words.error(said)


def _say(text: str) -> None:
    click.echo(f"prakerja-ledger: {text}", err=True)
