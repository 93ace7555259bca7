"""The port behind which a projection's tables are kept: rows, and how far they reach, change together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from enum import StrEnum
from typing import Protocol

from attrs import frozen

from prakerja_ledger.projecting.rows import OwnRows, Row, Use
from prakerja_ledger.reading.pages import FindingPlace, Place, Wanted, WantedFindings

Clocks = tuple[int, ...]
"""How far each shard of a ledger is taken in; with one shard, the position."""
Keys = dict[Use, set[str]]
"""Accounts, certificates, courses and packages, each as `rows.key_of` names it."""


class Slot(StrEnum):
    """Which of the two sets of tables: the one that is read, or the one that is built beside it."""

    LIVE = "live"
    NEXT = "next"


@frozen(kw_only=True)
class State:
    """What a set of tables holds."""

    slot: Slot
    generation: int
    """Of the tables in this slot; each rebuild makes another."""
    ledger: str
    """Whose facts these are: the ledger's name, without a password."""
    law: str
    """The release that made the rows; another may judge otherwise."""
    day: date
    """The day as of which every row stands."""
    clocks: Clocks
    built_to: str | None
    """While it is built: the participant up to whom it is; None: built."""


class Overtaken(Exception):  # no error: another runner was quicker, nothing was written
    """The tables are not where they were when the rows were made."""


class Change(Protocol):
    """A transaction on the tables: all of it or nothing. Nobody else changes them meanwhile."""

    def begin(self, state: State, calendar: Iterable[tuple[str, int]]) -> None:
        """Empty tables in a slot. `calendar`: each day known, and the working days up to it."""

    def discard(self, slot: Slot) -> None:
        """No tables in a slot."""

    def replace(self, slot: Slot, own: Sequence[OwnRows]) -> Keys:
        """The rows of these participants, or of these packages, in place of those that they had.

        Returns what they use now and what they used before: other findings rest on that.
        """

    def replace_findings(self, slot: Slot, origins: Sequence[str], rows: Sequence[Row]) -> None:
        """The findings of these origins in place of those that they had."""

    def users(self, slot: Slot, use: Use, keys: Sequence[str] | None) -> list[tuple[str, str]]:
        """Who uses each of these keys, or any: pairs of key and user."""

    def shared(self, slot: Slot, use: Use, keys: Sequence[str] | None) -> list[tuple[str, str]]:
        """The same, of those keys that have several users, or a user with several parts."""

    def unevaluated(self, slot: Slot, keys: Sequence[str] | None) -> list[tuple[str, str]]:
        """Which packages offer each of these courses, or all, that nobody lets one judge."""

    def reach(self, slot: Slot, built_to: str | None) -> None:
        """A build came so far; None: it is done."""

    def track(self, state: State, clocks: Clocks) -> None:
        """Every event up to there is taken in."""

    def stands(self, slot: Slot, day: date) -> None:
        """Every row stands as of a later day."""

    def hold_live(self) -> None:
        """Let nobody take facts into the live tables until this transaction ends."""

    def swap(self) -> None:
        """What was built beside is what is read from now on."""


class Look(Protocol):
    """One consistent look at the tables: every question is answered as of one moment."""

    def state(self, slot: Slot) -> State | None:
        """What a slot holds; None where nothing was begun there."""

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[Row]:
        """What a query finds, as the database has it."""

    def unpaid_participants(self, slot: Slot) -> list[str]:
        """Whom a hold of payments touches: those with money unpaid."""

    def turning(self, slot: Slot, by: date) -> list[str]:
        """Those whose statement may read differently from a day up to this one."""

    def unpaid_rows(
        self, wanted: Wanted, after: Place | None, due_by: date | None, limit: int
    ) -> list[Row]:
        """Unpaid lines after a place, the earliest due date first; only those due by a day, if given.

        Columns: participant, wave, line, unpaid, status, due_on, overdue, cause, owner,
        may_pay. Days are dates.
        """

    def finding_rows(
        self, wanted: WantedFindings, after: FindingPlace | None, limit: int
    ) -> list[Row]:
        """Findings after a place, in their order: the columns of a finding but the origin."""

    def undecided(self) -> list[str]:
        """Those who cannot be judged, and have no lines."""

    def unjudged(self) -> list[str]:
        """Those of whom some finding cannot be judged."""

    def total_rows(self, by: str) -> list[Row]:
        """Sums by a grouping: key, participants, lines, entitlement, and the amounts."""

    def participant_rows(self, participant: str) -> tuple[State | None, Row | None, Sequence[Row]]:
        """How far the tables are, a participant's row, and those of the lines in their order.

        Days are dates.
        """


class Tables(Protocol):
    """A projection's tables in some database."""

    url: str

    def make(self) -> None:
        """Make what must be there before any table; only when asked."""

    def look(self) -> AbstractContextManager[Look]:
        """A consistent look. Raises Overtaken where the tables were swapped in the middle of it."""

    def change(self, expected: State | None) -> AbstractContextManager[Change]:
        """A transaction, if the tables still are as expected. Raises Overtaken."""

    def close(self) -> None:
        """Let go of the database."""
