"""The projector: brings a projection's tables up to the ledger and up to the day.

Each step reads whose facts are new, works their statements out anew from all their facts, and writes
rows and position in one transaction. So a step that is done twice writes the same rows; one that is
cut short wrote nothing; and of two runners at once the slower finds that the tables have moved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import date
from typing import Final

from attrs import define, evolve, frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import (
    PROGRAMME_STREAM,
    Looking,
)
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.ledger.steps import today_by
from prakerja_ledger.projecting.maker import Maker
from prakerja_ledger.projecting.makers import CommonLines, Makers
from prakerja_ledger.projecting.rows import OwnRows, Use
from prakerja_ledger.projecting.tables import Change, Clocks, Overtaken, Slot, State, Tables
from prakerja_ledger.projecting.writer import Watcher, Writer, next_people, nobody
from prakerja_ledger.reading.view import View

MOST_A_BATCH: Final = 500_000
"""Events that one transaction takes in: a participant met often in a long lag is written once."""
NEAR: Final = 5_000
"""Events that a rebuild may be behind when it swaps: it takes them in with the swap."""
_LAW: Final = "statement and findings, rules 1"
"""What made the rows. A release that would make others changes this, and asks for a rebuild."""


@frozen(kw_only=True)
class Lag:
    """How far a slot is behind."""

    state: State | None
    """What the tables hold; None where there are none yet."""
    head: Clocks
    """How far each shard of the ledger has come."""
    day: date
    """Today in WIB, by the ledger's clock."""

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


@define(eq=False)
class Projector:
    """Runs one projection of one ledger. Several may run at once; none does harm to another."""

    ledger: Ledger
    tables: Tables
    watcher: Watcher = nobody
    processes: int = 1
    """That make rows in a build: with several, this one reads and writes beside them."""

    def today(self) -> date:
        """The day in WIB, by the ledger's clock."""
        return today_by(self.ledger.clock)

    def lag(self, slot: Slot = Slot.LIVE) -> Lag:
        """How far a slot is behind the ledger and the day."""
        with self.tables.look() as asked:
            state = asked.state(slot)
        with self.ledger.journal.reading() as reading:
            return Lag(state=state, head=reading.clocks(), day=self.today())

    def run(self) -> int:
        """Build what is missing, age, and take in what was recorded when this was called.

        Returns how many participants were written. Facts that go on coming do not keep it.
        """
        with self.ledger.journal.reading() as reading:
            target = reading.clocks()
        written = 0
        while True:
            done = self.step(Slot.LIVE)
            if done is None:
                return written
            written += done
            if self._has_reached(target):
                return written

    def _has_reached(self, target: Clocks) -> bool:
        state = self._state(Slot.LIVE)
        if state is None or state.built_to is not None or state.day < self.today():
            return False
        return all(at >= asked for at, asked in zip(state.clocks, target, strict=True))

    def rebuild(self) -> int:
        """Build another set of tables beside the live one, bring it up to date, and swap.

        Goes on where an earlier rebuild stopped. Facts recorded meanwhile are in it.
        """
        self.tables.make()
        live = self._state(Slot.LIVE)
        if live is not None:
            self._check_ledger(live)
        written = 0
        while True:
            written += self.step(Slot.NEXT) or 0
            lag = self.lag(Slot.NEXT)
            if lag.state is None or lag.state.built_to is not None or lag.behind > NEAR:
                continue
            done = self._swap(lag.state)
            if done is not None:
                return written + done

    def _swap(self, state: State) -> int | None:
        """Take in the last facts and swap, in one transaction; None where others were quicker.

        Writers need not pause for it: nobody takes facts into the live tables meanwhile, so that what is
        read afterwards is never behind what was read before.
        """
        if state.day < self._day(Slot.NEXT):
            return None
        try:
            with self.tables.change(state) as change:
                change.hold_live()
                with self.ledger.journal.reading() as reading:
                    written = self._take_in(change, reading, state, reading.clocks())
                change.swap()
        except Overtaken:
            return None
        return written

    def step(self, slot: Slot) -> int | None:
        """One transaction's worth: participants written, or None where nothing was to do."""
        try:
            state = self._state(slot)
            if state is None:
                return self._begin(slot)
            self._check_ledger(state)
            if state.law != _LAW and slot is Slot.NEXT:
                return self._begin(slot, instead_of=state)
            self._check_law(state)
            if state.built_to is not None:
                return self._build(state)
            day = self._day(slot)
            if state.day < day:
                return self._age(state, day)
            return self._catch_up(state)
        except Overtaken:
            return 0

    def _day(self, slot: Slot) -> date:
        """The day that rows should stand as of. Those of a rebuild follow the live ones, which may be ahead.

        The clock may have gone back, or another host's be ahead: what is read goes back for neither.
        """
        live = self._state(Slot.LIVE) if slot is Slot.NEXT else None
        return self.today() if live is None else max(self.today(), live.day)

    def _state(self, slot: Slot) -> State | None:
        with self.tables.look() as asked:
            return asked.state(slot)

    def _check_ledger(self, state: State) -> None:
        if state.ledger != self.ledger.journal.url:
            raise LedgerFault(
                source=self.tables.url,
                problem=Phrase(
                    "these are the tables of {ledger}. Give each ledger its own (--into); if that ledger has "
                    "moved here, drop them and rebuild.",
                    ledger=state.ledger,
                ),
            )

    def _check_law(self, state: State) -> None:
        if state.law != _LAW:
            raise LedgerFault(
                source=self.tables.url,
                problem=Phrase(
                    "its rows were made by {made_by}, this release follows {law}. Run `projection rebuild`.",
                    made_by=state.law,
                    law=_LAW,
                ),
            )

    def _begin(self, slot: Slot, instead_of: State | None = None) -> int:
        """Empty tables; instead of those that were begun by another law, if any."""
        with self.ledger.journal.reading() as reading:
            clocks = reading.clocks()
        live = self._generation()
        begun = 0 if instead_of is None else instead_of.generation
        # A first build and a rebuild may begin side by side: they must not share a generation, as their
        # positions are kept by it.
        state = State(
            slot=slot,
            generation=1 if slot is Slot.LIVE else 1 + max(live, begun, 1),
            ledger=self.ledger.journal.url,
            law=_LAW,
            day=self._day(slot),
            clocks=clocks,
            built_to="",
        )
        with self.tables.change(instead_of) as change:
            if live:
                change.hold_live()
            # Another rebuild may have begun, or ended, since: its generation is not taken twice.
            if self._generation() != live:
                raise Overtaken
            if instead_of is not None:
                change.discard(slot)
            elif self._state(slot) is not None:
                raise Overtaken
            change.begin(state, self._counted_days())
        return 0

    def _generation(self) -> int:
        """That of the tables which are read; 0 where there are none."""
        live = self._state(Slot.LIVE)
        return 0 if live is None else live.generation

    def _counted_days(self) -> Iterator[tuple[str, int]]:
        """Each day that the calendar knows, and the working days from its first up to that day."""
        calendar = self.ledger.programme.calendar
        on = calendar.first
        while on <= calendar.last:
            yield on.isoformat(), calendar.between(calendar.first, on)
            on = date.fromordinal(on.toordinal() + 1)

    def _build(self, state: State) -> int:
        """The next participants in the order of their ids; after the last what comes of several."""
        assert state.built_to is not None, "it is being built"
        if self.processes > 1:
            return self._build_together(state, state.built_to)
        with self.ledger.journal.reading() as reading:
            found, last = next_people(reading, state.built_to)
            maker = Maker(
                self.ledger.streams(reading), self.ledger.programme, View(as_of=state.day)
            )
            return self._write_built(state, reading, maker.rows(found), last)

    def _build_together(self, state: State, built_to: str) -> int:
        """All that is left to build: some processes make rows while this one reads and writes."""
        with self.ledger.journal.reading() as reading:
            common = CommonLines.of(reading)
        waiting: deque[tuple[Future[list[OwnRows]], str | None]] = deque()
        written, after = 0, built_to
        more = True
        with Makers(self.processes, common, self.ledger.programme, state.day) as makers:
            while more or waiting:
                while more and len(waiting) <= self.processes:
                    with self.ledger.journal.reading() as reading:
                        found, last = next_people(reading, after)
                    waiting.append((makers.rows(found), last))
                    after, more = last or "", last is not None
                made, last = waiting.popleft()
                rows = made.result()
                with self.ledger.journal.reading() as reading:
                    written += self._write_built(state, reading, rows, last)
                state = evolve(state, built_to=last)
        return written

    def _write_built(
        self, state: State, reading: Looking, rows: Sequence[OwnRows], last: str | None
    ) -> int:
        with self.tables.change(state) as change:
            writing = self._writer(change, reading, state)
            writing.build(rows, last)
        return writing.written

    def _age(self, state: State, day: date) -> int:
        """Those whose statement turned since; then the rows stand as of the later day."""
        with self.tables.look() as asked:
            turned = asked.turning(state.slot, day)
        with self.ledger.journal.reading() as reading, self.tables.change(state) as change:
            writer = self._writer(change, reading, evolve(state, day=day))
            writer.bring(turned, writer.turned_packages(state.day))
            change.stands(state.slot, day)
        return writer.written

    def _catch_up(self, state: State) -> int | None:
        """Those of whom something is recorded since."""
        with self.ledger.journal.reading() as reading:
            head = reading.clocks()
            if head == state.clocks:
                return None
            most = max(1, MOST_A_BATCH // len(head))
            upto = tuple(min(h, at + most) for h, at in zip(head, state.clocks, strict=True))
            with self.tables.change(state) as change:
                return self._take_in(change, reading, state, upto)

    def _take_in(self, change: Change, reading: Looking, state: State, upto: Clocks) -> int:
        """The rows of those of whom something is recorded up to there."""
        people: set[str] = set()
        packages: set[str] = set()
        common = False
        for name in reading.touched(state.clocks, upto):
            kind, _, id = name.partition("/")
            if name == PROGRAMME_STREAM:
                common = True
            else:
                (packages if kind == f.PACKAGE else people).add(id)
        if common:  # it names no one: a hold gives a cause to many, a stop a finding to many
            with self.tables.look() as asked:
                people.update(asked.unpaid_participants(state.slot))
            people.update(who for _, who in change.users(state.slot, Use.BOUGHT, None))
        writer = self._writer(change, reading, state)
        writer.bring(people, packages)
        change.track(state, upto)
        return writer.written

    def _writer(self, change: Change, reading: Looking, state: State) -> Writer:
        return Writer(self.ledger, reading, change, state.slot, state.day, self.watcher)
