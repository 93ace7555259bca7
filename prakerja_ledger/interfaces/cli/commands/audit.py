"""`audit`: the one-page answer for a whole history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date

import click
from attrs import define, field

from prakerja_ledger.domain.time import Instant
from prakerja_ledger.domain.vocabulary import Owner
from prakerja_ledger.interfaces.asked import Asked
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.commands.reader import Reader, Speaker, view_line
from prakerja_ledger.interfaces.cli.commands.totals import AMOUNT_NAMES, show_totals
from prakerja_ledger.interfaces.cli.commands.whole import Found, WholeReader, answered
from prakerja_ledger.interfaces.cli.options import (
    engine_options,
    holidays_option,
    language_option,
    name_of,
    source_argument,
    view_of,
    view_options,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words
from prakerja_ledger.reading.causes import Cause
from prakerja_ledger.reading.finding import Code, Finding
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.totals import (
    Key,
    Total,
    Unpaid,
    longest_overdue_first,
    totals,
    unpaid_lines,
)

_FEW = 5


@define(eq=False)
class Page:
    """What the page says."""

    participants: int
    by_wave: dict[Key, Total]
    by_cause: dict[tuple[str, str], list[int]]
    """(cause, owner) → [lines, unpaid, overdue]."""
    worst: list[Unpaid]
    """The few lines that are overdue longest."""
    findings: Findings

    @property
    def whole(self) -> Total:
        """The sums over all waves."""
        found = Total()
        for total in self.by_wave.values():
            found.entitlement += total.entitlement
            for name, amount in total.amounts.items():
                found.amounts[name] += amount
        return found


@define(eq=False)
class Findings:
    """Findings by code, and those with most at stake, gathered while they go by."""

    counts: Counter[Code] = field(factory=Counter)
    stakes: Counter[Code] = field(factory=Counter)
    dearest: list[Finding | Found] = field(factory=list)

    def add(self, finding: Finding | Found) -> None:
        """Count one."""
        self.counts[finding.code] += 1
        self.stakes[finding.code] += finding.amount or 0
        if finding.amount:
            self.dearest.append(finding)
            if len(self.dearest) > 50 * _FEW:
                self.shorten()

    def shorten(self) -> None:
        """Keep only the few with most at stake."""
        self.dearest.sort(key=lambda one: (-(one.amount or 0), one.on, one.subject))
        del self.dearest[_FEW:]


@define(eq=False)
class Summary:
    """Unpaid lines by cause, and the worst of them, gathered while statements go by."""

    by_cause: dict[tuple[str, str], list[int]] = field(factory=dict)
    worst: list[Unpaid] = field(factory=list)

    def watched(self, statements: Iterable[Statement]) -> Iterator[Statement]:
        """The statements, added up on their way."""
        for statement in statements:
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
            self.worst = longest_overdue_first(self.worst)[:_FEW]


def _page_by_law(reader: Reader) -> Page:
    summary, findings = Summary(), Findings()
    by_wave = totals(summary.watched(reader.statements()), "wave")
    for one in reader.findings():
        findings.add(one)
    findings.shorten()
    return Page(
        participants=sum(1 for _ in reader.evaluation.in_view()),
        by_wave=by_wave,
        by_cause=summary.by_cause,
        worst=longest_overdue_first(summary.worst)[:_FEW],
        findings=findings,
    )


def _page_by_engine(whole: WholeReader) -> Page:
    findings = Findings()
    by_wave = whole.totals("wave")
    withheld = len(whole.answers.withheld)
    by_cause = whole.answers.unpaid_by_cause()
    worst = whole.answers.unpaid(most=_FEW)
    for one in whole.found(None):
        findings.add(one)
    findings.shorten()
    return Page(
        participants=sum(total.participants for total in by_wave.values()) + withheld,
        by_wave=by_wave,
        by_cause={(cause, owner): numbers for cause, owner, *numbers in by_cause},
        worst=whole.unpaid_lines((row[0], row[2]) for row in worst),
        findings=findings,
    )


@click.command("audit", short_help="The one-page answer for a whole history.")
@source_argument
@view_options
@engine_options
@holidays_option
@language_option
def audit_command(
    source: str,
    as_of: date | None,
    known_at: Instant | None,
    asked: Asked,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """The one-page answer: counts, totals, unpaid by cause and owner, findings, what to look at first.

    \b
    Example: prakerja-ledger audit sqlite:///ledger.db --as-of 2020-12-31
    """
    words = words_of(lang)
    return answered(
        source,
        view_of(as_of, known_at),
        holidays,
        words,
        asked,
        by_engine=lambda whole: _show(words, whole, _page_by_engine(whole)),
        by_law=lambda reader: _show(words, reader, _page_by_law(reader)),
    )


def _show(words: Words, speaker: Speaker, page: Page) -> None:
    output.heading(words(N_("Audit of {source}"), source=name_of(speaker.name)))
    click.echo(view_line(words, speaker.view))
    click.echo()
    _show_counts(words, speaker, page)
    _show_unpaid(words, page)
    if page.by_wave:
        output.heading(words(N_("By wave")))
        show_totals(words, "wave", page.by_wave)
        click.echo()
    _show_findings(words, page.findings)
    _show_quarantine(words, speaker)
    _show_first(words, speaker, page)


def _show_counts(words: Words, speaker: Speaker, page: Page) -> None:
    tally, whole = speaker.tally, page.whole
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
    click.echo(words(N_("Participants in view: {count}"), count=words.number(page.participants)))
    names = ("owed", "paid", "unpaid", "overdue", "in_flight", "overpaid", "forfeited")
    click.echo()
    output.table(
        [words(N_("entitlement")), *(words(AMOUNT_NAMES[name]) for name in names)],
        [
            [
                words.money(whole.entitlement),
                *(words.money(whole.amounts[name]) for name in names),
            ]
        ],
        right=range(8),
        prose=(),
    )
    click.echo()


def _show_unpaid(words: Words, page: Page) -> None:
    output.heading(words(N_("Unpaid, by first cause")))
    if not page.by_cause:
        click.echo(words(N_("No line is unpaid.")))
        click.echo()
        return
    rows = sorted(page.by_cause.items(), key=lambda item: (-item[1][1], item[0]))
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


def _show_findings(words: Words, findings: Findings) -> None:
    output.heading(words(N_("Findings, by code")))
    if not findings.counts:
        click.echo(words(N_("Nothing breaks a rule.")))
        click.echo()
        return
    output.table(
        [words(N_("finding")), words(N_("count")), words(N_("amount"))],
        [
            [
                code.value,
                words.number(count),
                words.money(findings.stakes[code]) if findings.stakes[code] else "",
            ]
            for code, count in sorted(findings.counts.items(), key=lambda item: (-item[1], item[0]))
        ],
        right=(1, 2),
        prose=(),
    )
    click.echo()


def _show_quarantine(words: Words, speaker: Speaker) -> None:
    """Quarantined lines, those that speak of money by name: money nobody counts is looked at first."""
    tally = speaker.tally
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


def _show_first(words: Words, speaker: Speaker, page: Page) -> None:
    output.heading(words(N_("What to look at first")))
    nothing = True
    for one in page.worst:
        because = one.line.causes[0]
        scheme = speaker.programme.scheme(one.statement.scheme)
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
    for finding in page.findings.dearest:
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
