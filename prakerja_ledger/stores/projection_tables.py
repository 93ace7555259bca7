"""What the tables of a projection do, whatever the database: one transaction's changes, and questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from eventsourcing.persistence import Tracking

from prakerja_ledger.projecting.rows import LINE_COLUMNS, PARTICIPANT_COLUMNS, ParticipantRows, Row
from prakerja_ledger.projecting.tables import Clocks, Slot, State
from prakerja_ledger.stores.projection_sql import (
    PREFIX,
    Dialect,
    insertion,
    slot_script,
    state_script,
    swap_script,
    totals_moves,
)

STATE_COLUMNS: Final = ("slot", "generation", "ledger", "law", "day", "shards", "built_to")


def tracked_as(state: State, shard: int) -> str:
    """The name under which `eventsourcing`'s tracking keeps a shard of one generation of tables."""
    return f"{state.ledger} {state.generation}/{shard}"


class SQLChange(ABC):
    """A transaction on the tables; the two databases say how they run SQL."""

    dialect: Dialect

    @abstractmethod
    def run(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one statement; its rows, if it has any."""

    @abstractmethod
    def run_script(self, script: str) -> None:
        """Run several statements."""

    @abstractmethod
    def fill(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
        """Insert many rows."""

    @abstractmethod
    def insert_tracking(self, tracking: Tracking) -> None:
        """Let `eventsourcing`'s tracking move on. Raises its IntegrityError where it is there already."""

    @abstractmethod
    def choose(self, names: Sequence[str]) -> Sequence[Any]:
        """Name the participants that `dialect.members` means; the parameters that it takes."""

    def begin(self, state: State, calendar: Iterable[tuple[str, int]]) -> None:
        """Empty tables in a slot. `calendar`: each day known, and the working days up to it."""
        self.run_script(state_script(self.dialect))
        self.run_script(slot_script(state.slot, self.dialect, state.generation))
        self.run("DELETE FROM working_days")
        self.fill("working_days", ("day", "number"), calendar)
        values = (
            *(state.slot.value, state.generation, state.ledger, state.law, state.day.isoformat()),
            *(len(state.clocks), state.built_to),
        )
        self.run(insertion("projection", STATE_COLUMNS, self.dialect), values)
        self.track(state, state.clocks)

    def replace(self, slot: Slot, people: Sequence[ParticipantRows]) -> None:
        """The rows of these participants in place of those that they had."""
        if not people:
            return
        p, members = PREFIX[slot], self.dialect.members
        who = self.choose([one.participant[0] for one in people])
        counted = self._is_built(slot)
        if counted:
            for move in totals_moves(slot, self.dialect, "-", whole=False):
                self.run(move, who)
        self.run(f"DELETE FROM {p}_lines WHERE {members}", who)
        self.run(f"DELETE FROM {p}_participants WHERE {members}", who)
        lines = (line for one in people for line in one.lines)
        self.fill(f"{p}_participants", PARTICIPANT_COLUMNS, (one.participant for one in people))
        self.fill(f"{p}_lines", LINE_COLUMNS, lines)
        if counted:
            for move in totals_moves(slot, self.dialect, "", whole=False):
                self.run(move, who)
            self.run(f"DELETE FROM {p}_totals WHERE lines = 0")

    def _is_built(self, slot: Slot) -> bool:
        mark = self.dialect.mark
        return self.run(f"SELECT built_to FROM projection WHERE slot = {mark}", (slot.value,)) == [
            (None,)
        ]

    def reach(self, slot: Slot, built_to: str | None) -> None:
        """A build came so far; None: it is done, and the totals are summed up once."""
        mark = self.dialect.mark
        self.run(
            f"UPDATE projection SET built_to = {mark} WHERE slot = {mark}", (built_to, slot.value)
        )
        if built_to is None:
            for move in totals_moves(slot, self.dialect, "", whole=True):
                self.run(move)

    def track(self, state: State, clocks: Clocks) -> None:
        """Every event up to there is taken in."""
        for shard, clock in enumerate(clocks):
            if clock and (clock != state.clocks[shard] or state.built_to == ""):
                self.insert_tracking(Tracking(tracked_as(state, shard), clock))

    def stands(self, slot: Slot, day: date) -> None:
        """Every row stands as of a later day."""
        mark = self.dialect.mark
        self.run(
            f"UPDATE projection SET day = {mark} WHERE slot = {mark}", (day.isoformat(), slot.value)
        )

    @abstractmethod
    def hold_live(self) -> None:
        """Let nobody take facts into the live tables until this transaction ends."""

    def swap(self) -> None:
        """What was built beside is what is read from now on."""
        self.run("DELETE FROM projection WHERE slot = 'live'")
        self.run_script(swap_script(self.dialect))
        self.run("UPDATE projection SET slot = 'live' WHERE slot = 'next'")


def state_of(row: Row, clocks: Clocks) -> State:
    """A row of the table `projection`."""
    slot, generation, ledger, law, day, _, built_to = row
    return State(
        slot=Slot(slot),
        generation=generation,
        ledger=ledger,
        law=law,
        day=day if isinstance(day, date) else date.fromisoformat(day),
        clocks=clocks,
        built_to=built_to,
    )
