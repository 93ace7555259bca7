"""What a ledger is asked: statements, what is unpaid, totals, timelines, and its lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from threading import Event as Signal

from attrs import define, field

from prakerja_ledger.deciding.rules import permission_now, situation
from prakerja_ledger.domain.errors import CalendarTooShort, NoSuchLine, NotInView
from prakerja_ledger.domain.fields import check_position, check_text
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Line, Programme
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.ledger.feed import START, FeedPage, follow_feed, read_feed
from prakerja_ledger.ledger.journal import Journal, Reading
from prakerja_ledger.ledger.mapper import LedgerMapper
from prakerja_ledger.ledger.steps import Clock, today_by
from prakerja_ledger.ledger.streams import JournalStreams
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.pages import (
    Answer,
    FindingPlace,
    FindingsPage,
    Place,
    Timeline,
    Totals,
    UnpaidPage,
    Wanted,
    WantedFindings,
    check_grouping,
    check_limit,
    findings_of,
    findings_page,
    page_of,
    totals_of,
    unpaid_of,
)
from prakerja_ledger.reading.permission import Permission, may_pay
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.totals import totals
from prakerja_ledger.reading.view import View


def system_clock() -> datetime:
    """Now, from the machine's clock."""
    return datetime.now(UTC)


@define(eq=False)
class Asking:
    """The questions of a ledger. Once it is closed, they raise LedgerFault."""

    journal: Journal
    programme: Programme = KARTU_PRAKERJA
    clock: Clock = system_clock
    _mapper: LedgerMapper = field(init=False, factory=LedgerMapper)

    def may_pay(self, participant: str, line: Line, as_of: date | None = None) -> Permission:
        """Whether a line may be paid now, or could be on a day: yes, no or unknown, and why.

        `line` is such as `post-training/1`. Now means today in WIB, by the ledger's clock, and no against
        what is recorded and dated later: a clock may have gone back. With `as_of` only what is dated by
        that day is looked at. It promises nothing about the next moment: `Instruct` asks again, in the
        transaction that writes. Raises NotInView, NoSuchLine where the statement has no such line,
        CalendarTooShort where a due date lies beyond the list of holidays, and InvalidField.
        """
        on = today_by(self.clock) if as_of is None else as_of
        with self.journal.reading() as reading:
            streams = self.streams(reading)
            made = self._statement(streams, participant, View(as_of=on))
            found = next((one for one in made.lines if one.line == line), None)
            if found is None:
                known = ", ".join(one.line for one in made.lines)
                raise NoSuchLine(participant=participant, line=line, lines=known)
            if as_of is not None:
                return may_pay(found)
            who = streams.participants.get(participant)
            assert who is not None, "there is a statement"
            standing = situation(who, streams.programme_stream(), self.programme, on)
        return permission_now(found, standing)

    def statement(
        self, participant: str, *, as_of: date, known_at: Instant | None = None
    ) -> Statement:
        """A participant's statement as of a day, as known at a moment.

        What is dated by the end of `as_of` in WIB speaks; with `known_at` only what the programme had
        learned by then, without it all that is recorded. No clock is looked at. Raises NotInView where no
        enrolment is in view, CalendarTooShort where a due date lies beyond the list of holidays, and
        InvalidField.
        """
        with self.journal.reading() as reading:
            view = View(as_of=as_of, known_at=known_at)
            return self._statement(self.streams(reading), participant, view)

    def unpaid(
        self,
        *,
        as_of: date | None = None,
        cause: str | None = None,
        owner: str | None = None,
        may_pay: str | None = None,
        wave: int | None = None,
        min_overdue: int | None = None,
        after: Place | None = None,
        limit: int = 100,
    ) -> UnpaidPage:
        """Unpaid lines as of a day (without one: today in WIB), the longest overdue first, page by page.

        Only those that meet every condition: the first `cause` and its `owner` by their words, `may_pay`
        (yes, no or unknown, by the statement), the `wave`, and at least `min_overdue` working days
        overdue. `limit` is the most lines of a page, 1 to
        10,000; `after` is the last page's `next`. Works out every statement: a service asks a Projection,
        which gives the same answer as of its day. Raises InvalidField.
        """
        wanted = Wanted(
            cause=cause, owner=owner, may_pay=may_pay, wave=wave, min_overdue=min_overdue
        )
        check_limit(limit)
        about, statements = self._everybody(as_of)
        return page_of(unpaid_of(statements, wanted, after), limit, about)

    def findings(
        self,
        *,
        as_of: date | None = None,
        code: str | None = None,
        subject: str | None = None,
        after: FindingPlace | None = None,
        limit: int = 100,
    ) -> FindingsPage:
        """Facts that break a rule as of a day (today in WIB), the earliest first, page by page.

        `subject` is a participant, a package or a course, as the code has it; `after` is the last
        page's `next`. Works out everybody, as `unpaid` does. Raises InvalidField.
        """
        wanted = WantedFindings(code=code, subject=subject)
        check_limit(limit)
        view = View(as_of=today_by(self.clock) if as_of is None else as_of)
        with self.journal.reading() as reading:
            found, undecided = self._evaluation(self.streams(reading), view).findings()
            position = reading.head()
        about = Answer(
            as_of=view.as_of,
            position=position,
            undecided=tuple(sorted({participant for participant, _ in undecided})),
        )
        return findings_page(findings_of(found, wanted, after), limit, about)

    def totals(self, by: str, *, as_of: date | None = None) -> Totals:
        """Sums of the lines as of a day (without one: today in WIB), in whole rupiah.

        Grouped `by` wave, scheme, standing, line, status, cause or owner. Works out every statement, as
        `unpaid` does. Raises InvalidField.
        """
        check_grouping(by)
        about, statements = self._everybody(as_of)
        return totals_of(by, totals(statements, by), about)

    def timeline(self, participant: str) -> Timeline:
        """What is recorded of a participant, in the order of recording, whatever its date.

        Raises NotInView where nothing is recorded of them, and InvalidField.
        """
        check_text("participant", participant)
        with self.journal.reading() as reading:
            found = self.streams(reading).participants.get(participant)
            if found is None:
                raise NotInView(participant=participant, as_of=today_by(self.clock))
            return Timeline(
                position=reading.head(), events=tuple(found.events), voids=dict(found.voids)
            )

    def _everybody(self, as_of: date | None) -> tuple[Answer, list[Statement]]:
        """Every statement, and what they speak of."""
        view = View(as_of=today_by(self.clock) if as_of is None else as_of)
        made, undecided = [], []
        with self.journal.reading() as reading:
            evaluation = self._evaluation(self.streams(reading), view)
            for one in evaluation.in_view():
                try:
                    made.append(evaluation.statement(one))
                except CalendarTooShort:
                    undecided.append(one.id)
            about = Answer(as_of=view.as_of, position=reading.head(), undecided=tuple(undecided))
        return about, made

    def _statement(self, streams: JournalStreams, participant: str, view: View) -> Statement:
        return self._evaluation(streams, view).statement(participant)

    def _evaluation(self, streams: JournalStreams, view: View) -> Evaluation:
        return Evaluation(
            participants=streams.participants,
            packages=streams.packages,
            programme_stream=streams.programme_stream(),
            view=view,
            programme=self.programme,
        )

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity; None where it is not recorded yet.

        Waits for nobody: after OutcomeUnknown ask `Ledger.resolve`. Raises InvalidField.
        """
        check_text("source", source)
        check_text("id", id)
        with self.journal.reading() as reading:
            return reading.find(source, id)

    def head(self) -> int:
        """The highest position; 0 where nothing is recorded."""
        with self.journal.reading() as reading:
            return reading.head()

    def lines(self, after: int = 0) -> Iterator[bytes]:
        """Every recorded line beyond a position as it came, in the order of positions.

        Each is one JSON object of history format 1, without a line break. With one shard that is the
        order of recording, and reading on from the highest misses nothing. With several, a later event
        can lie below a position already seen: `Ledger.feed` misses none. Raises InvalidField.
        """
        check_position("after", after)
        return self._lines(after)

    def _lines(self, after: int) -> Iterator[bytes]:
        with self.journal.reading() as reading:
            for stored in reading.lines(after):
                yield stored.line

    def feed(self, cursor: str = START, *, limit: int = 1_000) -> FeedPage:
        """Recorded events after a cursor, in order and without gaps; "" begins at the beginning.

        Ask again with the page's `cursor`: what is recorded meanwhile is on a later page, whatever
        else happens. A page has at most `limit` events, 1 to 10,000 (with more shards than that, one of
        each). Raises InvalidField for another limit, and for what is no cursor of this ledger.
        """
        return read_feed(self.journal, cursor, limit)

    def follow(
        self, cursor: str, until: Signal, *, idle: float = 0.1, limit: int = 1_000
    ) -> Iterator[FeedPage]:
        """Pages of the feed as they come, until the signal, a `threading.Event`, is set.

        Where nothing new is recorded it asks again after `idle` seconds, and gives no empty page. Raises
        as `Ledger.feed` does.
        """
        return follow_feed(self.journal, cursor, until, idle=idle, limit=limit)

    def streams(self, reading: Reading) -> JournalStreams:
        """The streams as domain values, inside one look at the journal."""
        return JournalStreams(reading, self._mapper)
