"""`totals`: sums of the lines by wave, cause, owner and more."""

from __future__ import annotations

from datetime import date

import click

from prakerja_ledger.domain.time import Instant
from prakerja_ledger.domain.vocabulary import Owner
from prakerja_ledger.interfaces.asked import Asked
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.commands.reader import (
    Speaker,
    view_line,
    write_csv,
)
from prakerja_ledger.interfaces.cli.commands.whole import answered
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
from prakerja_ledger.interfaces.cli.words import N_, Words
from prakerja_ledger.interfaces.json_output import compact
from prakerja_ledger.reading import statement as law
from prakerja_ledger.reading import totals as sums


@click.command("totals", short_help="Sums of the lines by wave, cause, owner and more.")
@source_argument
@click.option(
    "--by", type=click.Choice(list(sums.GROUPINGS)), required=True, help="What to group by."
)
@view_options
@json_option
@csv_option
@engine_options
@holidays_option
@language_option
def totals_command(  # one argument an option
    source: str,
    by: str,
    as_of: date | None,
    known_at: Instant | None,
    as_json: bool,
    as_csv: bool,
    asked: Asked,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Sums of the lines by wave, cause, owner and more. They equal the sum of the statements.

    \b
    Example: prakerja-ledger totals sqlite:///ledger.db --by cause
    """
    exclusive(as_json, as_csv)
    words = words_of(lang)

    def show(speaker: Speaker, groups: dict[sums.Key, sums.Total]) -> None:
        columns = (by, "participants", "lines", "entitlement", *law.AMOUNTS)
        rows = sums.total_rows(groups)
        if as_json:
            output.write_lines(compact(dict(zip(columns, row, strict=True))) for row in rows)
        elif as_csv:
            write_csv(columns, rows)
        else:
            click.echo(view_line(words, speaker.view))
            click.echo()
            show_totals(words, by, groups)

    return answered(
        source,
        view_of(as_of, known_at),
        holidays,
        words,
        asked,
        by_engine=lambda whole: show(whole, whole.totals(by)),
        by_shares=lambda shared: show(shared, shared.totals(by)),
        by_law=lambda reader: show(reader, sums.totals(reader.statements(), by)),
    )


def show_totals(words: Words, by: str, groups: dict[sums.Key, sums.Total]) -> None:
    """Totals as a table; columns that are zero throughout are left out."""
    whole = {name: sum(t.amounts[name] for t in groups.values()) for name in law.AMOUNTS}
    names = [name for name in law.AMOUNTS if whole[name] or name in ("owed", "paid", "unpaid")]
    rows = [
        [
            _key(words, by, key),
            words.number(total.lines),
            *(words.money(total.amounts[name]) for name in names),
        ]
        for key, total in groups.items()
    ]
    rows.append(
        [
            words(N_("total")),
            words.number(sum(total.lines for total in groups.values())),
            *(words.money(whole[name]) for name in names),
        ]
    )
    output.table(
        [words(_GROUP_NAMES[by]), words(N_("lines")), *(words(AMOUNT_NAMES[n]) for n in names)],
        rows,
        right=range(1, len(names) + 2),
        prose=(),
    )


_GROUP_NAMES = {
    "wave": N_("wave"),
    "scheme": N_("scheme"),
    "standing": N_("standing"),
    "line": N_("line"),
    "status": N_("status"),
    "cause": N_("first cause"),
    "owner": N_("who must act"),
}


AMOUNT_NAMES = {
    "owed": N_("owed"),
    "paid": N_("paid"),
    "unpaid": N_("unpaid"),
    "overdue": N_("overdue"),
    "in_flight": N_("in flight"),
    "overpaid": N_("overpaid"),
    "not_yet_earned": N_("not yet earned"),
    "forfeited": N_("forfeited"),
}


def _key(words: Words, by: str, key: sums.Key) -> str:
    if key is None:
        return "–"
    if by == "owner":
        return words(explain.OWNERS[Owner(str(key))])
    if by == "status":
        return words(explain.STATUSES[law.Status(str(key))])
    if by == "standing":
        return words(explain.STANDINGS[law.Standing(str(key))])
    return str(key)
