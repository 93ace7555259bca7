"""`projection`: keep a ledger's statements as rows, current with every fact and every day."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event as Signal
from typing import Any

import click

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.options import (
    F,
    holidays_option,
    json_option,
    language_option,
    programme_with,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words


def into_option(command: F) -> F:
    """`--into`."""
    return click.option(
        "--into",
        metavar="URL",
        help="The tables' database. Default: on PostgreSQL the ledger's own; for sqlite:///path.db the "
        "file path.rows.db beside it.",
    )(command)


def processes_option(command: F) -> F:
    """How many processes make rows."""
    return click.option(
        "--processes",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="That make rows where all are made anew.",
    )(command)


@click.group("projection", short_help="Keep statements as rows, always current.")
def projection_command() -> None:
    """Keep statements as rows, always current.

    Owed, paid, unpaid, cause and owner of every line, and their totals, in tables for services and BI
    tools. A row is a line of `statement` as of today: worked out by the same functions.
    """


@projection_command.command("run", short_help="Bring the tables up to date, and keep them so.")
@click.argument("url")
@into_option
@click.option("--once", is_flag=True, help="Stop when everything is taken in.")
@processes_option
@holidays_option
@language_option
def run_command(  # one argument an option
    url: str,
    into: str | None,
    once: bool,
    processes: int,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Bring the tables up to date, and keep them so.

    Runs until it is interrupted. Stop it at any moment: rows and position are written together, and it
    goes on where it was. Two at once do no harm.

    \b
    Example: prakerja-ledger projection run sqlite:///ledger.db --once
    """
    words = words_of(lang)
    with _opened(url, into, holidays) as projection:
        _keep(words, partial(projection.run, processes=processes))
        if not once:
            projection.follow(_interrupted())
        _show(words, projection)
    return Status.DONE


@projection_command.command("rebuild", short_help="Make all rows anew beside the others, and swap.")
@click.argument("url")
@into_option
@processes_option
@holidays_option
@language_option
def rebuild_command(
    url: str, into: str | None, processes: int, holidays: str | None, lang: str | None
) -> Status:
    """Make all rows anew beside the others, and swap.

    The rows that are read stay readable until the new ones take their place, and facts may be recorded
    meanwhile. Goes on where an interrupted rebuild stopped. On PostgreSQL it makes the tables' schema.

    \b
    Example: prakerja-ledger projection rebuild postgresql://db/ledger
    """
    words = words_of(lang)
    with _opened(url, into, holidays) as projection:
        _keep(words, partial(projection.rebuild, processes=processes))
        _show(words, projection)
    return Status.DONE


@projection_command.command("status", short_help="How far the tables are behind.")
@click.argument("url")
@into_option
@json_option
@language_option
def status_command(url: str, into: str | None, as_json: bool, lang: str | None) -> Status:
    """How far the tables are behind the ledger and the day.

    \b
    Example: prakerja-ledger projection status sqlite:///ledger.db --json
    """
    words = words_of(lang)
    with _opened(url, into, None) as projection:
        if as_json:
            click.echo(json.dumps(_told(projection), separators=(",", ":")))
        else:
            _show(words, projection)
    return Status.DONE


def _keep(words: Words, write: Callable[[_Count], int]) -> None:
    """Have rows written, with progress, and say how many participants' they were."""
    with output.progress(words(N_("participants"))) as tick:
        written = write(_Count(tick))
    click.echo(words(N_("Participants written: {count}."), count=words.number(written)))


class _Count:
    """Progress in participants, for what is shown now and then."""

    def __init__(self, tick: Any) -> None:
        self._tick, self._count = tick, 0

    def __call__(self, participants: int) -> None:
        self._count += participants
        self._tick(self._count)


@contextmanager
def _opened(url: str, into: str | None, holidays: str | None) -> Iterator[Any]:
    from prakerja_ledger.ledger.ledger import Ledger  # noqa: PLC0415  # heavy
    from prakerja_ledger.projecting.projection import Projection  # noqa: PLC0415

    programme = programme_with(holidays)
    with (
        Ledger.open(url, programme=programme, read_only=True) as ledger,
        Projection.open(ledger, into or beside(url)) as projection,
    ):
        yield projection


def beside(url: str) -> str:
    """Where the tables are when nobody says: the same server, or a file beside the ledger's."""
    if url.startswith(("postgresql://", "postgres://")):
        return url
    if not url.startswith("sqlite:///"):
        raise UnreadableSource(
            source=url, problem=Phrase("say where the tables are to be: --into URL.")
        )
    return f"{url.removesuffix('.db')}.rows.db"


def _interrupted() -> Signal:
    """Set when the process is asked to end: the transaction under way is finished first."""
    asked = Signal()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    return asked


def _told(projection: Any) -> dict[str, Any]:
    lag = projection.lag()
    state = lag.state
    return {
        "ledger": projection.ledger.journal.url,
        "into": projection.tables.url,
        "built": state is not None and state.built_to is None,
        "built_to": None if state is None else state.built_to or None,
        "generation": 0 if state is None else state.generation,
        "as_of": None if state is None else state.day.isoformat(),
        "today": lag.day.isoformat(),
        "positions": [] if state is None else list(state.clocks),
        "head": list(lag.head),
        "behind": lag.behind,
        "current": lag.is_current,
    }


def _show(words: Words, projection: Any) -> None:
    lag = projection.lag()
    state = lag.state
    if state is None:
        click.echo(words(N_("Nothing is built yet. Run projection rebuild.")))
        return
    if state.built_to is not None:
        click.echo(words(N_("It is being built: up to {participant}."), participant=state.built_to))
        return
    rows = [
        [words(N_("as of")), words.day(state.day)],
        [words(N_("taken in")), words.number(sum(state.clocks))],
        [words(N_("recorded")), words.number(sum(lag.head))],
        [words(N_("behind")), words.number(lag.behind)],
    ]
    output.table([words(N_("what")), words(N_("where it stands"))], rows)
