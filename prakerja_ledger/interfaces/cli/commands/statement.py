"""`statement`: owed, paid, unpaid, line by line, and why."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.interfaces.asked import Asked
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.commands.reader import (
    Reader,
    reading,
    statement_title,
    view_line,
)
from prakerja_ledger.interfaces.cli.options import (
    engine_options,
    holidays_option,
    json_option,
    language_option,
    view_of,
    view_options,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.reading import statement as law
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from prakerja_ledger.interfaces.cli.commands.whole import AnsweredReader


@click.command("statement", short_help="Owed, paid, unpaid, line by line, and why.")
@click.argument("source")
@click.argument("participants", nargs=-1, metavar="[PARTICIPANT]...")
@view_options
@json_option
@engine_options
@holidays_option
@language_option
def statement_command(
    source: str,
    participants: tuple[str, ...],
    as_of: date | None,
    known_at: Instant | None,
    as_json: bool,
    asked: Asked,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Owed, paid, unpaid, line by line, and why.

    Of every participant in view, or of those named.

    \b
    Examples: prakerja-ledger statement history.jsonl A-READER --as-of 2020-07-02
              prakerja-ledger statement sqlite:///ledger.db --json > statements.jsonl
    """
    words = words_of(lang)
    if as_json and not participants:
        return _write_all(source, view_of(as_of, known_at), holidays, words, asked)
    with reading(source, view_of(as_of, known_at), holidays, words, participants) as reader:
        statements = reader.statements(participants)
        if as_json:
            output.write_lines(statement_json(one) for one in statements)
        else:
            for index, one in enumerate(statements):
                if index:
                    click.echo()
                _show_statement(words, one, reader.programme)
        return reader.status


def _write_all(source: str, view: View, holidays: str | None, words: Words, asked: Asked) -> Status:
    """Every statement as JSON. Where an engine gives up half-way, the law goes on at the same byte."""
    from prakerja_ledger.interfaces.cli.commands.whole import answered  # noqa: PLC0415  # not for a few

    written = 0

    def by_engine(whole: AnsweredReader) -> None:
        nonlocal written
        for piece in whole.statements():
            sys.stdout.buffer.write(piece)
            written += len(piece)
        sys.stdout.buffer.flush()

    def by_law(reader: Reader) -> None:
        output.write_lines(map(statement_json, reader.statements()), written=written)

    def by_shares(shared: AnsweredReader) -> None:
        output.write_pieces(shared.statements(), written=written)

    return answered(
        source,
        view,
        holidays,
        words,
        asked,
        by_engine=by_engine,
        by_shares=by_shares,
        by_law=by_law,
    )


def _show_statement(words: Words, statement: law.Statement, programme: Programme) -> None:
    output.heading(statement_title(words, statement))
    click.echo(view_line(words, statement.view))
    click.echo()
    scheme = programme.scheme(statement.scheme)
    rows = [
        [
            line.line,
            words(explain.STATUSES[line.status]),
            *(words.money(n) for n in (line.amount, line.owed, line.paid, line.unpaid)),
            words.day(line.due_on) if line.due_on else "",
            "; ".join(explain.why(words, because, line, scheme) for because in line.causes[:1]),
        ]
        for line in statement.lines
    ]
    totals = [statement.total(name) for name in ("amount", "owed", "paid", "unpaid")]
    rows.append([words(N_("total")), "", *(words.money(n) for n in totals), "", ""])
    output.table(
        [
            words(N_("line")),
            words(N_("status")),
            words(N_("amount")),
            words(N_("owed")),
            words(N_("paid")),
            words(N_("unpaid")),
            words(N_("due on")),
            words(N_("first cause")),
        ],
        rows,
        right=(2, 3, 4, 5),
        styles=_colour_by({words(explain.STATUSES[s]): c for s, c in _COLOURS.items()}, column=1),
    )


_COLOURS = {
    law.Status.PAID: "green",
    law.Status.OVERDUE: "bold red",
    law.Status.FORFEITED: "dim",
    law.Status.IN_FLIGHT: "cyan",
    law.Status.DUE: "yellow",
}


def _colour_by(colours: dict[str, str], *, column: int) -> Callable[[Any], str]:
    return lambda row: colours.get(row[column], "")
