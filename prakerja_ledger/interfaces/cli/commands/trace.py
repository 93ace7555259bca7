"""`trace`: one participant explained to someone who never saw the system."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import click
from attrs import define

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event, order_of_events
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import TRAINING, Scheme
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.commands.reader import (
    Reader,
    reading,
    statement_title,
    view_line,
)
from prakerja_ledger.interfaces.cli.options import (
    holidays_option,
    language_option,
    source_argument,
    view_of,
    view_options,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.reading.statement import Statement, StatementLine
from prakerja_ledger.reading.statement import Status as LineStatus
from prakerja_ledger.reading.view import View, events_in_view


@click.command("trace", short_help="One participant explained.")
@source_argument
@click.argument("participant")
@click.option("--line", "only", metavar="LINE", help="Only this line, such as post-training/1.")
@view_options
@holidays_option
@language_option
def trace_command(
    source: str,
    participant: str,
    only: str | None,
    as_of: date | None,
    known_at: Instant | None,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """One participant explained: what happened, and why the money is not there.

    The timeline shows both clocks: when a thing happened and when the programme learned of it. Then,
    line by line: how it stands and why, who must act, and the facts (by their number in the
    timeline) that it rests on.

    \b
    Example: prakerja-ledger trace sqlite:///ledger.db A-READER --as-of 2020-07-02
    """
    words = words_of(lang)
    with reading(source, view_of(as_of, known_at), holidays, words, [participant]) as reader:
        found = reader.evaluation.participant(participant)
        statement = next(reader.statements([participant]), None)
        if statement is None:
            return reader.status
        if only is not None and only not in {line.line for line in statement.lines}:
            lines = ", ".join(line.line for line in statement.lines)
            raise click.UsageError(
                Phrase(
                    "{participant} has no line {line}. Lines: {lines}.",
                    participant=shown(participant),
                    line=shown(only),
                    lines=lines,
                )
            )
        _Trace(words, reader, found, statement).show(only)
        return reader.status


@define
class _Trace:
    words: Words
    reader: Reader
    participant: Participant
    statement: Statement

    def show(self, only: str | None) -> None:
        """Title, the short answer, the timeline, the lines."""
        words = self.words
        output.heading(statement_title(words, self.statement))
        click.echo(view_line(words, self.statement.view))
        click.echo()
        self._short_answer()
        numbers = self._timeline()
        output.heading(words(N_("Line by line")))
        for line in self.statement.lines:
            if only is None or line.line == only:
                click.echo()
                self._line(line, numbers)

    def _short_answer(self) -> None:
        words, total = self.words, self.statement.total
        output.paragraph(
            words(
                N_("Owed {owed}, paid {paid}, unpaid {unpaid}; of that overdue {overdue}."),
                owed=words.money(total("owed")),
                paid=words.money(total("paid")),
                unpaid=words.money(total("unpaid")),
                overdue=words.money(total("overdue")),
            )
        )
        stuck = [line for line in self.statement.lines if line.unpaid or line.in_flight]
        if stuck:
            worst = max(stuck, key=lambda line: (line.overdue_working_days, line.unpaid))
            self._reason(worst)
        click.echo()

    def _reason(self, line: StatementLine) -> None:
        because = line.causes[0]
        scheme = self._scheme()
        output.paragraph(
            self.words(
                N_("Why: {line}: {why}. Who must act: {owner}. {next}"),
                line=line.line,
                why=explain.why(self.words, because, line, scheme),
                owner=explain.owner(self.words, because.owner),
                next=explain.next_step(self.words, because),
            )
        )

    def _scheme(self) -> Scheme:
        return self.reader.programme.scheme(self.statement.scheme)

    def _timeline(self) -> dict[int, int]:
        """Print what is in view; returns each event's number by its position."""
        words, view = self.words, self.statement.view
        own = events_in_view(self.participant, view)
        rests_on = [event for line in self.statement.lines for event in line.evidence]
        events = _together(own, rests_on)
        numbers = {event.position: number for number, event in enumerate(events, 1)}
        output.heading(words(N_("What happened")))
        output.table(
            [
                words(N_("no.")),
                words(N_("happened (WIB)")),
                words(N_("learned (WIB)")),
                words(N_("fact")),
                words(N_("event")),
            ],
            [self._row(numbers[event.position], event) for event in events],
            right=(0,),
            prose=(3, 4),
        )
        self._out_of_view(view)
        click.echo()
        return numbers

    def _row(self, number: int, event: Event) -> list[str]:
        words = self.words
        learned = words(N_("at once"))
        if event.recorded_at != event.occurred_at:
            learned = words.moment(event.recorded_at)
            days = (event.recorded_on - event.occurred_on).days
            if days:
                learned = words(N_("{moment} (+{days} days)"), moment=learned, days=days)
        return [
            str(number),
            words.moment(event.occurred_at),
            learned,
            explain.what_happened(words, event, self.participant),
            explain.event_name(event),
        ]

    def _out_of_view(self, view: View) -> None:
        """Say how much is recorded that this view does not show, and what was voided."""
        words = self.words
        voided = [
            (self.participant.at(position), void)
            for position, void in self.participant.voids.items()
            if view.knows(void)
        ]
        for target, void in voided:
            if target is not None:
                output.paragraph(
                    words(
                        N_("Voided, and so left out: {event} ({what}); by {void}: {reason}."),
                        event=explain.event_name(target),
                        what=explain.what_happened(words, target, self.participant),
                        void=explain.event_name(void),
                        reason=getattr(void.fact, "reason", ""),
                    )
                )
        hidden = [event for event in self.participant.events if not view.shows(event)]
        if hidden:
            output.paragraph(
                words(
                    N_(
                        "Recorded events that this view does not show: {count}. They happened "
                        "later, or the programme did not know of them yet."
                    ),
                    count=words.number(len(hidden)),
                )
            )

    def _line(self, line: StatementLine, numbers: dict[int, int]) -> None:
        words, scheme = self.words, self._scheme()
        output.heading(
            words(
                N_("{line} · {amount} · {status}"),
                line=line.line,
                amount=words.money(line.amount),
                status=words(explain.STATUSES[line.status]),
            )
        )
        output.paragraph(self._amounts(line), indent=2)
        for because in line.causes:
            message = N_("- {cause}: {why}. Who must act: {owner}. {next}")
            if line.status is LineStatus.FORFEITED:  # the money is gone: nobody is asked to act
                message = N_("- {cause}: {why}. {next}")
            output.paragraph(
                words(
                    message,
                    cause=because.cause.value,
                    why=explain.why(words, because, line, scheme),
                    owner=explain.owner(words, because.owner),
                    next=explain.next_step(words, because),
                ),
                indent=2,
            )
        if line.evidence:
            rests_on = ", ".join(str(numbers[event.position]) for event in line.evidence)
            output.paragraph(words(N_("Rests on facts no. {numbers}."), numbers=rests_on), indent=2)

    def _amounts(self, line: StatementLine) -> str:
        """Where every rupiah of the line is, and since when it is owed."""
        words = self.words
        is_balance = line.line == TRAINING
        paid = N_("spent {amount}") if is_balance else N_("paid {amount}")
        to_come = N_("still to be used {amount}") if is_balance else N_("not yet earned {amount}")
        parts = [words(paid, amount=words.money(line.paid))]
        for amount, message in (
            (line.unpaid, N_("unpaid {amount}")),
            (line.in_flight, N_("in flight {amount}")),
            (line.overpaid, N_("overpaid {amount}")),
            (line.not_yet_earned, to_come),
            (line.forfeited, N_("forfeited {amount}")),
        ):
            if amount:
                parts.append(words(message, amount=words.money(amount)))
        if line.earned_on is not None:
            earned = (
                N_("earned on {day}")
                if line.earned_on <= self.statement.view.as_of
                else N_("to be earned on {day}")
            )
            parts.append(words(earned, day=words.day(line.earned_on)))
        if line.due_on is not None and line.status is not LineStatus.PAID:
            parts.append(words(N_("due on {day}"), day=words.day(line.due_on)))
        if line.overdue_working_days:
            parts.append(
                words(
                    N_("{days} working days overdue"),
                    days=words.number(line.overdue_working_days),
                )
            )
        return "; ".join(parts)


def _together(own: Iterable[Event], rests_on: Iterable[Event]) -> list[Event]:
    """The participant's events and those of the programme that a line rests on, in order."""
    found = {event.position: event for event in (*own, *rests_on)}
    return sorted(
        (event for event in found.values() if not isinstance(event.fact, f.EventVoided)),
        key=order_of_events,
    )
