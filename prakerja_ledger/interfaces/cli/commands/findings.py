"""`findings`: facts that break a rule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import click

from prakerja_ledger.domain.time import Instant
from prakerja_ledger.interfaces.asked import Asked
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.commands.reader import (
    Reader,
    Speaker,
    view_line,
    write_csv,
)
from prakerja_ledger.interfaces.cli.commands.whole import AnsweredReader, Found, answered
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
from prakerja_ledger.interfaces.json_output import compact, finding_json
from prakerja_ledger.reading.finding import Code, Finding


@click.command("findings", short_help="Facts that break a rule.")
@source_argument
@view_options
@click.option("--code", type=click.Choice([c.value for c in Code]), help="Only this finding.")
@json_option
@csv_option
@engine_options
@holidays_option
@language_option
def findings_command(  # one argument an option
    source: str,
    as_of: date | None,
    known_at: Instant | None,
    code: str | None,
    as_json: bool,
    as_csv: bool,
    asked: Asked,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Facts that break a rule.

    A finding accuses no one: it names the fact, the rule and the evidence.

    \b
    Example: prakerja-ledger findings history.jsonl --code PACKAGE_SOLD_AFTER_STOP
    """
    exclusive(as_json, as_csv)
    words = words_of(lang)

    def by_law(reader: Reader) -> None:
        found = [one for one in reader.findings() if code is None or one.code == code]
        if as_json:
            output.write_lines(finding_json(one) for one in found)
        else:
            show(reader, found)

    def by_engine(whole: AnsweredReader) -> None:
        if as_json:
            output.write_bytes(whole.findings(code))
        else:
            show(whole, whole.found(code))

    def show(speaker: Speaker, found: Sequence[Finding | Found]) -> None:
        if as_csv:
            write_csv(_COLUMNS, map(_row, found))
        else:
            _show_findings(words, found, speaker)

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


_COLUMNS = ("code", "subject", "date", "amount", "detail", "evidence")


def _row(one: Finding | Found) -> tuple[Any, ...]:
    return (
        one.code.value,
        one.subject,
        one.on.isoformat(),
        one.amount,
        compact(one.detail),
        " ".join(f"{event.source}#{event.id}" for event in one.evidence),
    )


def _show_findings(words: Words, found: Sequence[Finding | Found], speaker: Speaker) -> None:
    click.echo(view_line(words, speaker.view))
    if not found:
        click.echo(words(N_("Nothing breaks a rule.")))
        return
    click.echo()
    output.table(
        [
            words(N_("date")),
            words(N_("subject")),
            words(N_("amount")),
            words(N_("finding")),
            words(N_("what")),
            words(N_("evidence")),
        ],
        [
            [
                words.day(one.on),
                shown(one.subject),
                "" if one.amount is None else words.money(one.amount),
                one.code.value,
                explain.finding_sentence(words, one.code, one.detail),
                ", ".join(explain.event_name(event) for event in one.evidence),
            ]
            for one in found
        ],
        right=(2,),
        prose=(1, 4, 5),
    )
    click.echo()
    click.echo(words(N_("Findings: {count}"), count=words.number(len(found))))
