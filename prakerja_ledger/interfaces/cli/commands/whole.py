"""Whole histories in front of a person: by set operations where these can answer, else by the law."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
from attrs import define, field, frozen

from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.phrases import Phrase, text_of
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.domain.time import day
from prakerja_ledger.interfaces.asked import Asked, Engine
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.commands.reader import Reader, Speaker, reading, walks
from prakerja_ledger.interfaces.cli.options import programme_with
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words
from prakerja_ledger.interfaces.engines import (
    Answers,
    ByShares,
    OtherEngine,
    on_cluster,
    open_shares,
    open_whole,
    wants_engine,
)
from prakerja_ledger.interfaces.source import open_history
from prakerja_ledger.ledger.urls import without_password
from prakerja_ledger.reading.diff import Difference
from prakerja_ledger.reading.finding import Code
from prakerja_ledger.reading.statement import AMOUNTS
from prakerja_ledger.reading.totals import Key, Total, Unpaid, unpaid_lines
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from prakerja_ledger.bulk.engine import Bulk
    from prakerja_ledger.spark.engine import Spark

AT_ONCE: Final = 2_000
"""Participants that are read at once, where set operations have said who is worth a look."""


class Named(NamedTuple):
    """The identity of an event."""

    source: str
    id: str


@frozen(kw_only=True)
class Found:
    """A finding as an engine tells it: what `reading.finding.Finding` says, its evidence by name."""

    code: Code
    subject: str
    on: date
    amount: int | None
    detail: dict[str, Any]
    evidence: tuple[Named, ...]


@define(eq=False, kw_only=True)
class AnsweredReader(Speaker):
    """A whole history, of which answers come ready to be printed."""

    answers: Answers
    source: str
    _missing: list[tuple[str, date]] = field(init=False, factory=list)
    """Participants of whom something is not answered, and the day that the calendar lacks."""

    def statements(self) -> Iterator[bytes]:
        """Every statement as JSON with its LF, in pieces of any length."""
        yield from self.answers.statements()
        self._missing += self.answers.withheld

    def totals(self, by: str) -> dict[Key, Total]:
        """Sums by group."""
        found = {
            key: Total(participants, lines, entitlement, dict(zip(AMOUNTS, amounts, strict=True)))
            for key, participants, lines, entitlement, *amounts in self.answers.totals(by)
        }
        self._missing += self.answers.withheld
        return found

    def unpaid(self) -> list[tuple[Any, ...]]:
        """A row for each unpaid line, the longest overdue first."""
        found = self.answers.unpaid()
        self._missing += self.answers.withheld
        return found

    def unpaid_lines(self, lines: Iterable[tuple[str, str]]) -> list[Unpaid]:
        """Unpaid lines, named by participant and line, as the law has them: with the why of each."""
        wanted = list(lines)
        found: dict[tuple[str, str], Unpaid] = {}
        for names in _batches(sorted({name for name, _ in wanted}), AT_ONCE):
            with open_history(self.source, self.programme, only=names) as history:
                evaluation = history.evaluation(self.view)
                for name in names:
                    for one in unpaid_lines(evaluation.statement(evaluation.participant(name))):
                        found[name, one.line.line] = one
        return [found[one] for one in wanted]

    def findings(self, code: str | None) -> Iterator[bytes]:
        """Findings as JSON, a line each, those of one code only if it is given."""
        start = b"" if code is None else b'{"code":"%s",' % code.encode()
        rest = b""
        for piece in self.answers.findings():
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line for line in lines if line.startswith(start))
        self._missing += self.answers.undecided

    def found(self, code: str | None) -> list[Found]:
        """The same, as a person's table needs them."""
        return [_found(json.loads(line)) for line in self.findings(code)]

    def finish(self, quarantined: int = 0) -> None:
        """Say what stands beside the answers, in the order in which one reader of all would say it."""
        self.complain_of_quarantine(quarantined)
        calendar = self.programme.calendar
        for participant, needed in self._missing:
            error = CalendarTooShort(first=calendar.first, last=calendar.last, needed=needed)
            self.complain_of_calendar(participant, error)


@define(eq=False, kw_only=True)
class WholeReader(AnsweredReader):
    """A whole history read by set operations."""

    answers: Bulk
    movers: Callable[[View, View], list[str]]

    def differences(self, first: View) -> Iterator[tuple[Participant, Difference]]:
        """What moved from another view to this one: set operations say of whom, the law walks."""
        for names in _batches(self.movers(first, self.view), AT_ONCE):
            with open_history(self.source, self.programme, only=names) as history:
                yield from walks(self, history, first, self.view, names)


def _batches(names: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    rest = iter(names)
    while batch := tuple(islice(rest, size)):
        yield batch


def _found(said: dict[str, Any]) -> Found:
    return Found(
        code=Code(said["code"]),
        subject=said["subject"],
        on=day(said["date"]),
        amount=said["amount"],
        detail=said["detail"],
        evidence=tuple(Named(**one) for one in said["evidence"]),
    )


def answered(
    source: str,
    view: View,
    holidays: str | None,
    words: Words,
    asked: Asked,
    *,
    by_engine: Callable[[WholeReader], None],
    by_law: Callable[[Reader], None],
    by_shares: Callable[[AnsweredReader], None] | None = None,
) -> Status:
    """Answer by set operations if that is asked for or worth it; by the law if not, or if they cannot.

    `by_shares`: the law's answer where several processes can read the source; else, one reads it.
    """
    if wants_engine(source, asked):
        try:
            with whole_reading(source, view, holidays, words, asked) as whole:
                by_engine(whole)
                whole.finish()
                return whole.status
        except OtherEngine as error:
            complain_of_engine(words, source, error)
    if asked.engine is Engine.SPARK and by_shares is None:
        raise click.UsageError(Phrase("--engine spark does not answer this. Choose another one."))
    if by_shares is not None:
        with _shared_reading(source, view, holidays, words, asked) as shared:
            if shared is not None:
                by_shares(shared)
        if shared is not None:
            return shared.status
    with reading(source, view, holidays, words) as reader:
        by_law(reader)
        return reader.status


@contextmanager
def _shared_reading(
    source: str, view: View, holidays: str | None, words: Words, asked: Asked
) -> Iterator[AnsweredReader | None]:
    """A source read in shares: by a cluster if that is asked for, else by several processes if they can."""
    programme = programme_with(holidays)
    with ExitStack() as held:
        answers: Spark | ByShares | None
        if asked.engine is Engine.SPARK:
            answers = on_cluster(source, programme, view, asked)
        else:
            tick = held.enter_context(output.progress(words(N_("lines"))))
            answers = held.enter_context(open_shares(source, programme, view, asked, tick))
        if answers is None:
            yield None
            return
        found = AnsweredReader(
            name=source,
            tally=None,
            programme=programme,
            view=view,
            words=words,
            answers=answers,
            source=source,
        )
        yield found
        found.finish(answers.quarantined)


def complain_of_engine(words: Words, source: str, error: OtherEngine) -> None:
    """Why the law answers, where set operations were to."""
    output.complain(
        words(
            N_("{source}: read line by line, as set operations cannot answer of it: {reason}"),
            source=without_password(source),
            reason=text_of(error),
        )
    )


@contextmanager
def whole_reading(
    source: str, view: View, holidays: str | None, words: Words, asked: Asked
) -> Iterator[WholeReader]:
    """A source, read by an engine for one view."""
    programme = programme_with(holidays)
    with (
        output.progress(words(N_("events"))) as tick,
        open_whole(source, programme, asked, tick) as whole,
    ):
        yield WholeReader(
            name=whole.name,
            tally=whole.tally,
            programme=programme,
            view=view,
            words=words,
            answers=whole.answers(view),
            source=source,
            movers=whole.movers,
        )
