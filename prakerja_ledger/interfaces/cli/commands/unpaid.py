"""`unpaid`: every unpaid line, the longest overdue first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

import click

from prakerja_ledger.domain.time import Instant
from prakerja_ledger.domain.vocabulary import Owner
from prakerja_ledger.interfaces.asked import Asked
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.commands.reader import (
    Reader,
    Speaker,
    view_line,
    write_csv,
)
from prakerja_ledger.interfaces.cli.commands.whole import AnsweredReader, answered
from prakerja_ledger.interfaces.cli.options import (
    csv_option,
    engine_options,
    exclusive,
    holidays_option,
    json_option,
    language_option,
    source_argument,
    view_of,
    view_options,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.interfaces.json_output import compact
from prakerja_ledger.reading import totals as sums
from prakerja_ledger.reading.causes import Cause

UNPAID_COLUMNS = (
    "participant",
    "wave",
    "line",
    "unpaid",
    "status",
    "due_on",
    "overdue_working_days",
    "cause",
    "owner",
)


@click.command("unpaid", short_help="Every unpaid line, the longest overdue first.")
@source_argument
@view_options
@click.option("--cause", type=click.Choice([c.value for c in Cause]), help="Only this first cause.")
@click.option("--owner", type=click.Choice([o.value for o in Owner]), help="Only this owner.")
@click.option("--wave", type=click.IntRange(min=1), help="Only this wave.")
@click.option("--min-overdue", type=click.IntRange(min=0), help="At least so many working days.")
@json_option
@csv_option
@engine_options
@holidays_option
@language_option
def unpaid_command(  # one argument an option
    source: str,
    as_of: date | None,
    known_at: Instant | None,
    cause: str | None,
    owner: str | None,
    wave: int | None,
    min_overdue: int | None,
    as_json: bool,
    as_csv: bool,
    asked: Asked,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Every unpaid line, the longest overdue first.

    \b
    Example: prakerja-ledger unpaid sqlite:///ledger.db --owner programme --min-overdue 10 --csv
    """
    exclusive(as_json, as_csv)
    words = words_of(lang)

    def wanted(row: sums.Row) -> bool:
        _, its_wave, _, _, _, _, overdue, its_cause, its_owner = row
        return (
            (cause is None or its_cause == cause)
            and (owner is None or its_owner == owner)
            and (wave is None or its_wave == wave)
            and (min_overdue is None or overdue >= min_overdue)
        )

    def show(
        speaker: Speaker,
        rows: Iterable[sums.Row],
        lines: Callable[[list[sums.Row]], list[sums.Unpaid]],
    ) -> None:
        found = [row for row in rows if wanted(row)]
        if as_json:
            output.write_lines(
                compact(dict(zip(UNPAID_COLUMNS, row, strict=True))) for row in found
            )
        elif as_csv:
            write_csv(UNPAID_COLUMNS, found)
        else:
            _show_unpaid(words, lines(found), speaker)

    def by_law(reader: Reader) -> None:
        unpaid = sums.longest_overdue_first(
            one for statement in reader.statements() for one in sums.unpaid_lines(statement)
        )
        rows = [sums.unpaid_row(one) for one in unpaid]
        show(
            reader, rows, lambda _: [o for o, row in zip(unpaid, rows, strict=True) if wanted(row)]
        )

    def by_engine(whole: AnsweredReader) -> None:
        show(whole, whole.unpaid(), lambda rows: whole.unpaid_lines((r[0], r[2]) for r in rows))

    return answered(
        source,
        view_of(as_of, known_at),
        holidays,
        words,
        asked,
        by_engine=by_engine,
        by_shares=by_engine,
        by_law=by_law,
    )


def _show_unpaid(words: Words, found: list[sums.Unpaid], speaker: Speaker) -> None:
    click.echo(view_line(words, speaker.view))
    if not found:
        click.echo(words(N_("No line is unpaid.")))
        return
    click.echo()
    rows = [
        [
            shown(one.statement.participant),
            str(one.statement.wave),
            one.line.line,
            words.money(one.line.unpaid),
            words(explain.STATUSES[one.line.status]),
            words.day(one.line.due_on),
            str(one.line.overdue_working_days or ""),
            "; ".join(
                explain.why(
                    words, because, one.line, speaker.programme.scheme(one.statement.scheme)
                )
                for because in one.line.causes[:1]
            ),
            explain.owner(words, one.line.owner),
        ]
        for one in found
    ]
    output.table(
        [
            words(N_("participant")),
            words(N_("wave")),
            words(N_("line")),
            words(N_("unpaid")),
            words(N_("status")),
            words(N_("due on")),
            words(N_("working days overdue")),
            words(N_("first cause")),
            words(N_("who must act")),
        ],
        rows,
        right=(1, 3, 6),
        prose=(7, 8),
    )
    click.echo()
    click.echo(
        words(
            N_("Unpaid: {amount} · lines: {count}"),
            amount=words.money(sum(one.line.unpaid for one in found)),
            count=words.number(len(found)),
        )
    )
