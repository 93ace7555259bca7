"""`audit`: the one-page answer for a whole history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date

import click
from attrs import define, field

from prakerja_ledger.domain.time import Instant
from prakerja_ledger.domain.vocabulary import Owner
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.commands.reader import (
    Reader,
    reading,
    view_line,
)
from prakerja_ledger.interfaces.cli.commands.totals import AMOUNT_NAMES, show_totals
from prakerja_ledger.interfaces.cli.options import (
    holidays_option,
    language_option,
    view_of,
    view_options,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words
from prakerja_ledger.reading.causes import Cause
from prakerja_ledger.reading.finding import Finding
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.totals import Total, Unpaid, totals, unpaid_lines

_FEW = 5


@define(eq=False)
class Summary:
    """What the page says, gathered while statements go by."""

    participants: int = 0
    whole: Total = field(factory=Total)
    by_cause: dict[tuple[str, str], list[int]] = field(factory=dict)
    """(cause, owner) → [lines, unpaid, overdue]."""
    worst: list[Unpaid] = field(factory=list)

    def watched(self, statements: Iterable[Statement]) -> Iterator[Statement]:
        """The statements, added up on their way."""
        for statement in statements:
            for line in statement.lines:
                self.whole.add(line)
            for one in unpaid_lines(statement):
                self._count(one)
            yield statement

    def _count(self, one: Unpaid) -> None:
        line = one.line
        assert line.cause is not None, "an unpaid line without a cause"
        assert line.owner is not None, "a cause without an owner"
        sums = self.by_cause.setdefault((line.cause.value, line.owner.value), [0, 0, 0])
        sums[0] += 1
        sums[1] += line.unpaid
        sums[2] += line.overdue
        self.worst.append(one)
        if len(self.worst) > 50 * _FEW:
            self.worst = _longest(self.worst)


def _longest(unpaid: list[Unpaid]) -> list[Unpaid]:
    from prakerja_ledger.reading.totals import longest_overdue_first  # noqa: PLC0415

    return longest_overdue_first(unpaid)[:_FEW]


@click.command("audit", short_help="The one-page answer for a whole history.")
@click.argument("source")
@view_options
@holidays_option
@language_option
def audit_command(
    source: str,
    as_of: date | None,
    known_at: Instant | None,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """The one-page answer: counts, totals, unpaid by cause and owner, findings, what to look at first.

    \b
    Example: prakerja-ledger audit sqlite:///ledger.db --as-of 2020-12-31
    """
    words = words_of(lang)
    with reading(source, view_of(as_of, known_at), holidays, words) as reader:
        summary = Summary()
        by_wave = totals(summary.watched(reader.statements()), "wave")
        findings = reader.findings()
        summary.participants = sum(1 for _ in reader.evaluation.in_view())
        output.heading(words(N_("Audit of {source}"), source=reader.name))
        click.echo(view_line(words, reader.view))
        click.echo()
        _show_counts(words, reader, summary)
        _show_unpaid(words, summary)
        if by_wave:
            output.heading(words(N_("By wave")))
            show_totals(words, "wave", by_wave)
            click.echo()
        _show_findings(words, findings)
        _show_quarantine(words, reader)
        _show_first(words, reader, summary, findings)
        return reader.status


def _show_counts(words: Words, reader: Reader, summary: Summary) -> None:
    tally = reader.history.tally
    if tally is not None:
        click.echo(
            words(
                N_(
                    "{lines} lines: {recorded} recorded, {duplicates} duplicates, "
                    "{quarantined} quarantined"
                ),
                lines=words.number(tally.lines),
                recorded=words.number(tally.recorded),
                duplicates=words.number(tally.duplicates),
                quarantined=words.number(tally.quarantined),
            )
        )
    click.echo(words(N_("Participants in view: {count}"), count=words.number(summary.participants)))
    names = ("owed", "paid", "unpaid", "overdue", "in_flight", "overpaid", "forfeited")
    click.echo()
    output.table(
        [words(N_("entitlement")), *(words(AMOUNT_NAMES[name]) for name in names)],
        [
            [
                words.money(summary.whole.entitlement),
                *(words.money(summary.whole.amounts[name]) for name in names),
            ]
        ],
        right=range(8),
        prose=(),
    )
    click.echo()


def _show_unpaid(words: Words, summary: Summary) -> None:
    output.heading(words(N_("Unpaid, by first cause")))
    if not summary.by_cause:
        click.echo(words(N_("No line is unpaid.")))
        click.echo()
        return
    rows = sorted(summary.by_cause.items(), key=lambda item: (-item[1][1], item[0]))
    output.table(
        [
            words(N_("first cause")),
            words(N_("who must act")),
            words(N_("lines")),
            words(N_("unpaid")),
            words(N_("overdue")),
            words(N_("next step")),
        ],
        [
            [
                cause,
                words(explain.OWNERS[Owner(owner)]),
                words.number(lines),
                words.money(unpaid),
                words.money(overdue),
                words(explain.NEXT_STEP[Cause(cause)]),
            ]
            for (cause, owner), (lines, unpaid, overdue) in rows
        ],
        right=(2, 3, 4),
    )
    click.echo()


def _show_findings(words: Words, findings: list[Finding]) -> None:
    output.heading(words(N_("Findings, by code")))
    if not findings:
        click.echo(words(N_("Nothing breaks a rule.")))
        click.echo()
        return
    counts = Counter(finding.code for finding in findings)
    stakes: Counter[str] = Counter()
    for finding in findings:
        stakes[finding.code] += finding.amount or 0
    output.table(
        [words(N_("finding")), words(N_("count")), words(N_("amount"))],
        [
            [code.value, words.number(count), words.money(stakes[code]) if stakes[code] else ""]
            for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ],
        right=(1, 2),
        prose=(),
    )
    click.echo()


def _show_quarantine(words: Words, reader: Reader) -> None:
    """Quarantined lines, those that speak of money by name: money nobody counts is looked at first."""
    tally = reader.history.tally
    if tally is None or not tally.quarantined:
        return
    output.heading(words(N_("Quarantined lines")))
    output.table(
        [words(N_("code")), words(N_("lines"))],
        [[code, words.number(count)] for code, count in sorted(tally.codes.items())],
        right=(1,),
        prose=(),
    )
    money = tally.money
    if money:
        click.echo(
            words(
                N_("Of these, {count} speak of money: lines {lines}."),
                count=words.number(tally.money_count),
                lines=", ".join(f"{number} ({code})" for number, code in money),
            )
        )
    click.echo()


def _show_first(words: Words, reader: Reader, summary: Summary, findings: list[Finding]) -> None:
    output.heading(words(N_("What to look at first")))
    nothing = True
    for one in _longest(summary.worst):
        because = one.line.causes[0]
        scheme = reader.programme.scheme(one.statement.scheme)
        output.paragraph(
            words(
                N_("- {participant}, {line}: {amount} unpaid, {days} working days overdue: {why}."),
                participant=one.statement.participant,
                line=one.line.line,
                amount=words.money(one.line.unpaid),
                days=words.number(one.line.overdue_working_days),
                why=explain.why(words, because, one.line, scheme),
            )
        )
        nothing = False
    dearest = sorted(
        (finding for finding in findings if finding.amount),
        key=lambda finding: (-(finding.amount or 0), finding.on, finding.subject),
    )
    for finding in dearest[:_FEW]:
        output.paragraph(
            words(
                N_("- {subject}, {code} of {day}: {amount}: {what}."),
                subject=finding.subject,
                code=finding.code.value,
                day=words.day(finding.on),
                amount=words.money(finding.amount or 0),
                what=explain.finding_sentence(words, finding.code, finding.detail),
            )
        )
        nothing = False
    if nothing:
        click.echo(words(N_("Nothing stands out.")))
