"""What the tables of a projection do, whatever the database: one transaction's changes, and questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from eventsourcing.persistence import Tracking

from prakerja_ledger.projecting.rows import (
    FINDING_COLUMNS,
    LINE_COLUMNS,
    PARTICIPANT_COLUMNS,
    USE_COLUMNS,
    OwnRows,
    Row,
    Use,
)
from prakerja_ledger.projecting.tables import Clocks, Keys, Slot, State
from prakerja_ledger.stores.projection_sql import (
    PREFIX,
    Dialect,
    drop_script,
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
        """Say which ones `dialect.is_chosen` means; the parameters that it takes."""

    def kept(self, name: str) -> str:
        """A name as the database keeps it."""
        return name

    def given(self, kept: str) -> str:
        """The name that was kept."""
        return kept

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

    def discard(self, slot: Slot) -> None:
        """No tables in a slot."""
        self.run(f"DELETE FROM projection WHERE slot = {self.dialect.mark}", (slot.value,))
        self.run_script(drop_script(slot))

    def replace(self, slot: Slot, own: Sequence[OwnRows]) -> Keys:
        """The rows of these participants, or of these packages, in place of those that they had.

        Returns what they use now and what they used before: other findings rest on that.
        """
        met: Keys = {use: set() for use in Use}
        if not own:
            return met
        p, replaced = PREFIX[slot], self._is_built(slot)  # a build meets everybody once
        offers = own[0].lines is None
        if replaced:
            whose = self.choose([self.kept(one.id) for one in own])
            self._forget_uses(p, whose, met, offers=offers)
            if not offers:
                self._forget_lines(slot, whose)
        if not offers:
            self.fill(f"{p}_participants", PARTICIPANT_COLUMNS, (one.about for one in own))
            self.fill(f"{p}_lines", LINE_COLUMNS, (line for one in own for line in one.lines or ()))
            if replaced:
                self._move_totals(slot, "", whose)
                self.run(f"DELETE FROM {p}_totals WHERE lines = 0")
        uses = [use for one in own for use in one.uses]
        for _, kind, key, _ in uses:
            met[Use(kind)].add(key)
        self.fill(f"{p}_uses", USE_COLUMNS, uses)
        findings = [finding for one in own for finding in one.findings]
        self.replace_findings(slot, [one.origin for one in own] if replaced else [], findings)
        return met

    def _forget_lines(self, slot: Slot, whose: Sequence[Any]) -> None:
        p, chosen = PREFIX[slot], self.dialect.is_chosen("participant")
        self._move_totals(slot, "-", whose)
        self.run(f"DELETE FROM {p}_lines WHERE {chosen}", whose)
        self.run(f"DELETE FROM {p}_participants WHERE {chosen}", whose)

    def _move_totals(self, slot: Slot, sign: str, whose: Sequence[Any]) -> None:
        for move in totals_moves(slot, self.dialect, sign, whole=False):
            self.run(move, whose)

    def _forget_uses(self, p: str, whose: Sequence[Any], met: Keys, *, offers: bool) -> None:
        """A package and a participant may have one name: what a package uses is of one kind alone."""
        which = (
            f"{self.dialect.is_chosen('who')} AND kind {'=' if offers else '<>'} '{Use.OFFERED}'"
        )
        for kind, key in self.run(f"SELECT DISTINCT kind, key FROM {p}_uses WHERE {which}", whose):
            met[Use(kind)].add(key)
        self.run(f"DELETE FROM {p}_uses WHERE {which}", whose)

    def replace_findings(self, slot: Slot, origins: Sequence[str], rows: Sequence[Row]) -> None:
        """The findings of these origins in place of those that they had."""
        p = PREFIX[slot]
        if origins:
            chosen = self.choose(origins)
            which = self.dialect.is_chosen("origin")
            self.run(f"DELETE FROM {p}_findings WHERE {which}", chosen)
        if rows:
            self.fill(f"{p}_findings", FINDING_COLUMNS, rows)

    def users(self, slot: Slot, use: Use, keys: Sequence[str] | None) -> list[tuple[str, str]]:
        """Who uses each of these keys, or any: pairs of key and user."""
        return self._users(slot, use, keys, "")

    def shared(self, slot: Slot, use: Use, keys: Sequence[str] | None) -> list[tuple[str, str]]:
        """The same, of those keys that have several users, or a user with several parts."""
        others = (
            f"AND EXISTS (SELECT 1 FROM {PREFIX[slot]}_uses AS o WHERE o.kind = u.kind "
            "AND o.key = u.key AND (o.who <> u.who OR o.part <> u.part))"
        )
        return self._users(slot, use, keys, others)

    def unevaluated(self, slot: Slot, keys: Sequence[str] | None) -> list[tuple[str, str]]:
        """Which packages offer each of these courses, or all, that nobody lets one judge."""
        nobody = (
            f"AND NOT EXISTS (SELECT 1 FROM {PREFIX[slot]}_uses AS o "
            f"WHERE o.kind = '{Use.EVALUATED}' AND o.key = u.key)"
        )
        return self._users(slot, Use.OFFERED, keys, nobody)

    def _users(
        self, slot: Slot, use: Use, keys: Sequence[str] | None, only: str
    ) -> list[tuple[str, str]]:
        chosen: Sequence[Any] = () if keys is None else self.choose(keys)
        of_keys = "true" if keys is None else self.dialect.is_chosen("u.key")
        found = self.run(
            f"SELECT DISTINCT u.key, u.who FROM {PREFIX[slot]}_uses AS u "
            f"WHERE u.kind = '{use}' AND {of_keys} {only} ORDER BY u.key, u.who",
            chosen,
        )
        return [(key, self.given(who)) for key, who in found]

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
