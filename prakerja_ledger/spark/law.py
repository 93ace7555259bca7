"""The Python law as an executor is handed it: how rows are read and judged, and how answers are spelled.

The readers of Parquet rows and the writers of JSON are interfaces, above this package; whoever makes
the engine hands them down through this port. What implements it is pickled and sent to executors.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import Any, Protocol

from attrs import field, frozen

from prakerja_ledger.domain.register import Packages, Participants
from prakerja_ledger.domain.streams import ProgrammeStream
from prakerja_ledger.reading.finding import Finding
from prakerja_ledger.reading.statement import Statement


@frozen(kw_only=True, eq=False)
class Judged:
    """What became of rows: positions of those that were not recorded, and who is on record."""

    refused: Mapping[int, str]
    """The quarantine code of each refused row, by position."""
    duplicates: AbstractSet[int]
    blank: AbstractSet[int] = field(factory=frozenset)
    """Rows that stand for blank lines, which are no lines at all."""
    participants: Participants
    packages: Packages
    programme_stream: ProgrammeStream

    @property
    def aside(self) -> AbstractSet[int]:
        """Every row that has no effect."""
        return self.refused.keys() | self.duplicates | self.blank


class Law(Protocol):
    """The law of one programme over rows of a history, as Arrow tables."""

    def check(self, schema: Any) -> None:
        """Raise ValueError for the columns of another table."""

    def explained(self, source: str) -> AbstractContextManager[None]:
        """Whatever reading a file of this name raises, raised as UnreadableSource."""

    def judge(self, apart: Any, part: Any, *, keep: bool) -> Judged:
        """Judge the rows of `apart` together, in their order; then `part`, one subject after another.

        `part` is sorted by subject and position, and names no subject of `apart`. `keep`: the
        participants are asked for afterwards.
        """

    def statement_json(self, statement: Statement, /) -> str:
        """One line of `statement --json`, without LF."""

    def finding_json(self, finding: Finding, /) -> str:
        """One line of `findings --json`, without LF."""
