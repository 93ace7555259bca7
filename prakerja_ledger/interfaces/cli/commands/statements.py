"""`statement`, `unpaid`, `totals` and `findings`: what follows from the facts."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import click
from attrs import define, field

from prakerja_ledger.domain.errors import CalendarTooShort, NotInView
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.domain.vocabulary import Owner
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.options import (
    csv_option,
    exclusive,
    holidays_option,
    json_option,
    language_option,
    programme_with,
    view_of,
    view_options,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status, worst
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.interfaces.json_output import compact, finding_json, statement_json
from prakerja_ledger.interfaces.source import History, open_history
from prakerja_ledger.reading import statement as law
from prakerja_ledger.reading import totals as sums
from prakerja_ledger.reading.causes import Cause
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.finding import Code, Finding
from prakerja_ledger.reading.view import View


@define(eq=False)
class Reader:
    """An evaluation in front of a person: what cannot be answered is said, and the rest goes on."""

    history: History
    evaluation: Evaluation
    words: Words
    status: Status = field(init=False, default=Status.DONE)

    def __attrs_post_init__(self) -> None:
        """Quarantined lines have no effect; nobody should learn that from a wrong sum."""
        if self.history.quarantined:
            self.worsen(Status.QUARANTINED)
            output.complain(
                self.words(
                    N_(
                        "{source}: {count} lines were quarantined and have no effect; "
                        "prakerja-ledger check says which and why."
                    ),
                    source=self.history.name,
                    count=self.words.number(self.history.quarantined),
                )
            )

    @property
    def view(self) -> View:
        return self.evaluation.view

    @property
    def programme(self) -> Programme:
        return self.evaluation.programme

    def worsen(self, status: Status) -> None:
        """End with this status, unless a worse one is due."""
        self.status = worst(self.status, status)

    def complain_of_calendar(self, participant: str, error: CalendarTooShort) -> None:
        """One participant's answer is withheld; the others stand."""
        self.worsen(Status.FAULT)
        output.complain(f"prakerja-ledger: {shown(participant)}: {self.words.error(error)}")

    def statements(self, names: Iterable[str] = ()) -> Iterator[law.Statement]:
        """Every statement, by participant id; or those of the participants named."""
        wanted = sorted(set(names))
        for participant in self._named(wanted) if wanted else self.evaluation.in_view():
            try:
                yield self.evaluation.statement(participant)
            except CalendarTooShort as error:
                self.complain_of_calendar(participant.id, error)

    def _named(self, names: Iterable[str]) -> Iterator[Participant]:
        for name in names:
            try:
                yield self.evaluation.participant(name)
            except NotInView as error:
                self.worsen(Status.WRONG_USAGE)
                output.complain(f"prakerja-ledger: {self.words.error(error)}")

    def findings(self) -> list[Finding]:
        """Every finding of the view, sorted."""
        found, undecided = self.evaluation.findings()
        for participant, error in undecided:
            self.complain_of_calendar(participant, error)
        return found


@contextmanager
def reading(source: str, view: View, holidays: str | None, words: Words) -> Iterator[Reader]:
    """A source, read for one view."""
    programme = programme_with(holidays)
    with output.progress(words(N_("lines"))) as tick:
        opened = open_history(source, programme, tick)
        with opened as history:
            yield Reader(history, history.evaluation(view), words)


def view_line(words: Words, view: View) -> str:
    """Which day and which knowledge an answer speaks of."""
    as_of = words(N_("As of {day}"), day=words.day(view.as_of))
    if view.known_at is None:
        return as_of
    return words(
        N_("{as_of}, as known at {moment} WIB"), as_of=as_of, moment=words.moment(view.known_at)
    )


@click.command("statement", short_help="Owed, paid, unpaid, line by line, and why.")
@click.argument("source")
@click.argument("participants", nargs=-1, metavar="[PARTICIPANT]...")
@view_options
@json_option
@holidays_option
@language_option
def statement_command(
    source: str,
    participants: tuple[str, ...],
    as_of: date | None,
    known_at: Instant | None,
    as_json: bool,
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
    with reading(source, view_of(as_of, known_at), holidays, words) as reader:
        statements = reader.statements(participants)
        if as_json:
            output.write_lines(statement_json(one) for one in statements)
        else:
            for index, one in enumerate(statements):
                if index:
                    click.echo()
                _show_statement(words, one, reader.programme)
        return reader.status


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


def statement_title(words: Words, statement: law.Statement) -> str:
    """Whose statement it is."""
    return words(
        N_("Participant {participant} · wave {wave} · {scheme} · {standing}"),
        participant=statement.participant,
        wave=statement.wave,
        scheme=statement.scheme,
        standing=words(explain.STANDINGS[statement.standing]),
    )


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
@click.argument("source")
@view_options
@click.option("--cause", type=click.Choice([c.value for c in Cause]), help="Only this first cause.")
@click.option("--owner", type=click.Choice([o.value for o in Owner]), help="Only this owner.")
@click.option("--wave", type=click.IntRange(min=1), help="Only this wave.")
@click.option("--min-overdue", type=click.IntRange(min=0), help="At least so many working days.")
@json_option
@csv_option
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
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Every unpaid line, the longest overdue first.

    \b
    Example: prakerja-ledger unpaid sqlite:///ledger.db --owner programme --min-overdue 10 --csv
    """
    exclusive(as_json, as_csv)
    words = words_of(lang)

    def wanted(one: sums.Unpaid) -> bool:
        return (
            (cause is None or one.line.cause == cause)
            and (owner is None or one.line.owner == owner)
            and (wave is None or one.statement.wave == wave)
            and (min_overdue is None or one.line.overdue_working_days >= min_overdue)
        )

    with reading(source, view_of(as_of, known_at), holidays, words) as reader:
        found = sums.longest_overdue_first(
            one
            for statement in reader.statements()
            for one in sums.unpaid_lines(statement)
            if wanted(one)
        )
        rows = [_unpaid_row(one) for one in found]
        if as_json:
            output.write_lines(compact(row) for row in rows)
        elif as_csv:
            write_csv(UNPAID_COLUMNS, (row.values() for row in rows))
        else:
            _show_unpaid(words, found, reader)
        return reader.status


def _unpaid_row(one: sums.Unpaid) -> dict[str, Any]:
    line = one.line
    values = (
        one.statement.participant,
        one.statement.wave,
        line.line,
        line.unpaid,
        line.status.value,
        None if line.due_on is None else line.due_on.isoformat(),
        line.overdue_working_days,
        None if line.cause is None else line.cause.value,
        None if line.owner is None else line.owner.value,
    )
    return dict(zip(UNPAID_COLUMNS, values, strict=True))


def write_csv(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """CSV with a heading line, LF line ends, UTF-8; a null is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    sys.stdout.buffer.write(text.getvalue().encode())
    sys.stdout.buffer.flush()


def _show_unpaid(words: Words, found: list[sums.Unpaid], reader: Reader) -> None:
    click.echo(view_line(words, reader.view))
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
                explain.why(words, because, one.line, reader.programme.scheme(one.statement.scheme))
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


@click.command("totals", short_help="Sums of the lines by wave, cause, owner and more.")
@click.argument("source")
@click.option(
    "--by", type=click.Choice(list(sums.GROUPINGS)), required=True, help="What to group by."
)
@view_options
@json_option
@csv_option
@holidays_option
@language_option
def totals_command(  # one argument an option
    source: str,
    by: str,
    as_of: date | None,
    known_at: Instant | None,
    as_json: bool,
    as_csv: bool,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Sums of the lines by wave, cause, owner and more. They equal the sum of the statements.

    \b
    Example: prakerja-ledger totals sqlite:///ledger.db --by cause
    """
    exclusive(as_json, as_csv)
    words = words_of(lang)
    with reading(source, view_of(as_of, known_at), holidays, words) as reader:
        groups = sums.totals(reader.statements(), by)
        columns = (by, "participants", "lines", "entitlement", *law.AMOUNTS)
        rows = [
            (key, total.participants, total.lines, total.entitlement, *total.amounts.values())
            for key, total in groups.items()
        ]
        if as_json:
            output.write_lines(compact(dict(zip(columns, row, strict=True))) for row in rows)
        elif as_csv:
            write_csv(columns, rows)
        else:
            click.echo(view_line(words, reader.view))
            click.echo()
            show_totals(words, by, groups)
        return reader.status


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
        [words(_GROUP_NAMES[by]), words(N_("lines")), *(words(_AMOUNT_NAMES[n]) for n in names)],
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
_AMOUNT_NAMES = {
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


@click.command("findings", short_help="Facts that break a rule.")
@click.argument("source")
@view_options
@click.option("--code", type=click.Choice([c.value for c in Code]), help="Only this finding.")
@json_option
@csv_option
@holidays_option
@language_option
def findings_command(  # one argument an option
    source: str,
    as_of: date | None,
    known_at: Instant | None,
    code: str | None,
    as_json: bool,
    as_csv: bool,
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
    with reading(source, view_of(as_of, known_at), holidays, words) as reader:
        found = [one for one in reader.findings() if code is None or one.code == code]
        if as_json:
            output.write_lines(finding_json(one) for one in found)
        elif as_csv:
            write_csv(
                ("code", "subject", "date", "amount", "detail", "evidence"),
                (
                    (
                        one.code.value,
                        one.subject,
                        one.on.isoformat(),
                        one.amount,
                        compact(one.detail),
                        " ".join(f"{event.source}#{event.id}" for event in one.evidence),
                    )
                    for one in found
                ),
            )
        else:
            _show_findings(words, found, reader)
        return reader.status


def _show_findings(words: Words, found: list[Finding], reader: Reader) -> None:
    click.echo(view_line(words, reader.view))
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
