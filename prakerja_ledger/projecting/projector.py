"""The projector: brings a projection's tables up to the ledger and up to the day.

Each step reads whose facts are new, works their statements out anew from all their facts, and writes
rows and position in one transaction. So a step that is done twice writes the same rows; one that is
cut short wrote nothing; and of two runners at once the slower finds that the tables have moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Final, Protocol

from attrs import define, evolve, frozen

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.domain.time import date_of
from prakerja_ledger.ledger.journal import (
    PARTICIPANT_PREFIX,
    PROGRAMME_STREAM,
    Looking,
    StoredLine,
    stream_name,
)
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.ledger.steps import now_by
from prakerja_ledger.ledger.streams import JournalStreams
from prakerja_ledger.projecting.rows import ParticipantRows, rows_of
from prakerja_ledger.projecting.tables import Change, Clocks, Overtaken, Slot, State, Tables
from prakerja_ledger.reading.dossier import look_at_programme
from prakerja_ledger.reading.view import View

PEOPLE_A_CHUNK: Final = 1_000
"""Participants whose rows are in memory at once, and those a transaction builds."""
MOST_A_BATCH: Final = 500_000
"""Events that one transaction takes in: a participant met often in a long lag is written once."""
_LAW: Final = "statement rules 1"
"""What made the rows. A release that would make others changes this, and asks for a rebuild."""


@frozen(kw_only=True)
class Lag:
    """How far a slot is behind."""

    state: State | None
    head: Clocks
    day: date

    @property
    def behind(self) -> int:
        """Events not yet taken in; with several shards at most so many."""
        taken = (0,) * len(self.head) if self.state is None else self.state.clocks
        return sum(head - at for head, at in zip(self.head, taken, strict=True))

    @property
    def is_current(self) -> bool:
        """Whether every fact is taken in, as of today."""
        state = self.state
        return (
            state is not None
            and state.built_to is None
            and not self.behind
            and state.day >= self.day
        )


class Watcher(Protocol):
    """Told of progress now and then."""

    def __call__(self, participants: int, /) -> None:
        """So many participants were written since the last call."""


def nobody(_: int, /) -> None:
    """Nobody watches."""


@define(eq=False)
class Projector:
    """Runs one projection of one ledger. Several may run at once; none does harm to another."""

    ledger: Ledger
    tables: Tables
    watcher: Watcher = nobody

    def today(self) -> date:
        """The day in WIB, by the ledger's clock."""
        return date_of(now_by(self.ledger.clock))

    def lag(self, slot: Slot = Slot.LIVE) -> Lag:
        """How far a slot is behind the ledger and the day."""
        state = self.tables.state(slot)
        with self.ledger.journal.reading() as reading:
            return Lag(state=state, head=reading.clocks(), day=self.today())

    def run(self) -> int:
        """Build what is missing, age, and catch up; returns how many participants were written."""
        written = 0
        while True:
            done = self.step(Slot.LIVE)
            if done is None:
                return written
            written += done

    def rebuild(self) -> int:
        """Build another set of tables beside the live one, bring it up to date, and swap.

        Goes on where an earlier rebuild stopped. Facts recorded meanwhile are in it.
        """
        self.tables.make()
        written = 0
        while True:
            done = self.step(Slot.NEXT)
            if done is not None:
                written += done
                continue
            state = self.tables.state(Slot.NEXT)
            try:
                with self.tables.change(state) as change:
                    change.swap()
            except Overtaken:
                continue
            return written

    def step(self, slot: Slot) -> int | None:
        """One transaction's worth: participants written, or None where nothing was to do."""
        state = self.tables.state(slot)
        try:
            if state is None:
                return self._begin(slot)
            self._check(state)
            if state.built_to is not None:
                return self._build(state)
            if state.day < self.today():
                return self._age(state, self.today())
            return self._catch_up(state)
        except Overtaken:
            return 0

    def _check(self, state: State) -> None:
        if state.ledger != self.ledger.journal.url:
            raise LedgerFault(
                source=self.tables.url,
                problem=f"these are the tables of {state.ledger}. Give each ledger its own (--into).",
            )
        if state.law != _LAW:
            raise LedgerFault(
                source=self.tables.url,
                problem=f"its rows were made by {state.law}, this release follows {_LAW}. "
                "Run `projection rebuild`.",
            )

    def _begin(self, slot: Slot) -> int:
        with self.ledger.journal.reading() as reading:
            clocks = reading.clocks()
        live = self.tables.state(Slot.LIVE)
        state = State(
            slot=slot,
            generation=1 if live is None else live.generation + 1,
            ledger=self.ledger.journal.url,
            law=_LAW,
            day=self.today(),
            clocks=clocks,
            built_to="",
        )
        with self.tables.change(None) as change:
            if self.tables.state(slot) is not None:
                raise Overtaken
            change.begin(state, self._counted_days())
        return 0

    def _counted_days(self) -> Iterator[tuple[str, int]]:
        """Each day that the calendar knows, and the working days from its first up to that day."""
        calendar = self.ledger.programme.calendar
        on = calendar.first
        while on <= calendar.last:
            yield on.isoformat(), calendar.between(calendar.first, on)
            on = date.fromordinal(on.toordinal() + 1)

    def _build(self, state: State) -> int:
        """The next participants in the order of their ids."""
        assert state.built_to is not None, "it is being built"
        with self.ledger.journal.reading() as reading:
            after = stream_name("participant", state.built_to) if state.built_to else ""
            found = islice(reading.streams(PARTICIPANT_PREFIX, after), PEOPLE_A_CHUNK)
            people = list(self._people(reading, found, state.day))
        last = people[-1].participant[0] if len(people) == PEOPLE_A_CHUNK else None
        with self.tables.change(state) as change:
            change.replace(state.slot, people)
            change.reach(state.slot, last)
        self.watcher(len(people))
        return len(people)

    def _age(self, state: State, day: date) -> int:
        """Those whose statement turned since; then the rows stand as of the later day."""
        turned = self.tables.turning(state.slot, day)
        with self.ledger.journal.reading() as reading, self.tables.change(state) as change:
            self._write(change, reading, evolve(state, day=day), turned)
            change.stands(state.slot, day)
        return len(turned)

    def _catch_up(self, state: State) -> int | None:
        """Those of whom something is recorded since."""
        with self.ledger.journal.reading() as reading:
            head = reading.clocks()
            if head == state.clocks:
                return None
            most = max(1, MOST_A_BATCH // len(head))
            upto = tuple(min(h, at + most) for h, at in zip(head, state.clocks, strict=True))
            names = set(reading.touched(state.clocks, upto))
            people = {n.removeprefix(PARTICIPANT_PREFIX) for n in names if _is_participant(n)}
            if PROGRAMME_STREAM in names:  # a hold names no one, and gives a cause to many
                people.update(self.tables.unpaid_participants(state.slot))
            with self.tables.change(state) as change:
                self._write(change, reading, state, sorted(people))
                change.track(state, upto)
        return len(people)

    def _write(self, change: Change, reading: Looking, state: State, people: Sequence[str]) -> None:
        for start in range(0, len(people), PEOPLE_A_CHUNK):
            names = [
                stream_name("participant", id) for id in people[start : start + PEOPLE_A_CHUNK]
            ]
            rows = list(self._people(reading, reading.some(names), state.day))
            change.replace(state.slot, rows)
            self.watcher(len(rows))

    def _people(
        self, reading: Looking, found: Iterable[tuple[str, Sequence[StoredLine]]], day: date
    ) -> Iterator[ParticipantRows]:
        streams, programme = self.ledger.streams(reading), self.ledger.programme
        view = View(as_of=day)
        own = streams.programme_stream()
        around = look_at_programme(own, view)
        for name, lines in found:
            participant = _folded(streams, name, lines)
            yield rows_of(participant, view, programme, own, around)


def _folded(streams: JournalStreams, name: str, lines: Sequence[StoredLine]) -> Participant:
    participant = Participant(name.removeprefix(PARTICIPANT_PREFIX))
    streams.fill(participant, lines)
    return participant


def _is_participant(name: str) -> bool:
    return name.startswith(PARTICIPANT_PREFIX)
