"""A register's memory that spills to disk: participants and identities of histories of any length.

What is at hand is a generation. When a generation is full, all of it is written to an unnamed
temporary file (which no crash leaves behind) and only where to find it stays. A file ordered by
participant never reads anything back before the statements are made; one that interleaves cohorts
rarely does.
"""

from __future__ import annotations

import pickle
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.facts import FACTS, FIELD_NAMES, type_of, values_of
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.domain.time import Instant

GENERATION: Final = 24_000
"""Participants at hand before they are written out; some 15 events each."""
IDENTITIES_AT_HAND: Final = 1_000_000
_COUNTED_AT: Final = (1 << 12) - 1
"""Identities are counted when this many positions have gone by, not one by one."""

_PROTOCOL: Final = pickle.HIGHEST_PROTOCOL
Packed = tuple[str, str, Instant, Instant, int, str, tuple[Any, ...]]


def _packed(event: Event) -> Packed:
    """An event as plain values: pickling the objects themselves takes three times as long."""
    fact = event.fact
    return (
        event.source,
        event.id,
        event.occurred_at,
        event.recorded_at,
        event.position,
        fact.kind,
        values_of(fact),
    )


def _unpacked(subject: str, packed: Packed) -> Event:
    source, id, occurred_at, recorded_at, position, name, values = packed
    kind = FACTS[type_of(name)]
    fact = kind(**dict(zip(FIELD_NAMES[kind], values, strict=True)))
    return Event(source, id, subject, fact, occurred_at, recorded_at, position)


class SpooledParticipants:
    """Participants, by id, at hand or in the spool."""

    def __init__(self, generation: int = GENERATION) -> None:
        self._generation = generation
        self._at_hand: dict[str, Participant] = {}
        self._places: dict[str, int] = {}
        self._file: IO[bytes] | None = None
        self.get: Callable[[str], Participant | None] = self._at_hand.get
        # that of a plain dictionary, until the first generation is full

    def get_spooled(self, id: str) -> Participant | None:
        """The participant of that id, ready to be folded on."""
        found = self._at_hand.get(id)
        if found is None:
            found = self._fetch(id)
            if found is not None:
                self.add(found)
        return found

    def add(self, participant: Participant) -> None:
        """Remember a participant, as they now are."""
        if len(self._at_hand) >= self._generation:
            self._spill()
        self._at_hand[participant.id] = participant

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the register
            self.get = self.get_spooled
        self._file.seek(0, 2)
        at = self._file.tell()
        for participant in self._at_hand.values():
            written = pickle.dumps([_packed(event) for event in participant.events], _PROTOCOL)
            self._file.write(written)
            self._places[participant.id] = at
            at += len(written)
        self._at_hand.clear()

    def _fetch(self, id: str) -> Participant | None:
        place = self._places.get(id)
        if place is None or self._file is None:
            return None
        self._file.seek(place)
        participant = Participant(id)
        events = pickle.load(self._file)  # noqa: S301  # our own unnamed file
        participant.restore(_unpacked(id, packed) for packed in events)
        return participant

    def __len__(self) -> int:
        return len(self._places.keys() | self._at_hand.keys())

    def __iter__(self) -> Iterator[Participant]:
        """Every participant, by id in the order of code points."""
        for id in sorted(self._places.keys() | self._at_hand.keys()):
            found = self._at_hand.get(id) or self._fetch(id)
            assert found is not None, "a place in the spool without a participant"
            yield found


class SpooledIdentities:
    """Identities in memory up to a bound, then in a temporary database; exact in both."""

    def __init__(self, at_hand: int = IDENTITIES_AT_HAND) -> None:
        self._limit = at_hand
        self._by_source: dict[str, dict[str, int]] = {}
        self._spilled: sqlite3.Connection | None = None

    def find(self, source: str, id: str) -> int | None:
        """The position of the recorded event of this identity."""
        ids = self._by_source.get(source)
        found = None if ids is None else ids.get(id)
        if found is None and self._spilled is not None:
            row = self._spilled.execute(
                "SELECT position FROM identities WHERE source = ? AND id = ?", (source, id)
            ).fetchone()
            return None if row is None else int(row[0])
        return found

    def claim(self, source: str, id: str, position: int) -> int:
        """Take the identity for a position, unless it is taken; returns the position that has it."""
        if self._spilled is not None:
            taken = self.find(source, id)
            if taken is not None:
                return taken
        ids = self._by_source.get(source)
        if ids is None:
            ids = self._by_source[source] = {}
        taken = ids.setdefault(id, position)
        if not position & _COUNTED_AT and sum(map(len, self._by_source.values())) > self._limit:
            self._spill()
        return taken

    def release(self, source: str, id: str) -> None:
        """Give back an identity just claimed: its event was refused."""
        if self._by_source.get(source, {}).pop(id, None) is None and self._spilled is not None:
            self._spilled.execute(
                "DELETE FROM identities WHERE source = ? AND id = ?", (source, id)
            )

    def _spill(self) -> None:
        if self._spilled is None:
            self._spilled = _nameless_database()
        rows = sorted(
            (source, id, at) for source, ids in self._by_source.items() for id, at in ids.items()
        )
        self._spilled.execute("BEGIN")
        self._spilled.executemany("INSERT INTO identities VALUES (?, ?, ?)", rows)
        self._spilled.execute("COMMIT")
        self._by_source.clear()


def _nameless_database() -> sqlite3.Connection:
    """A database whose file has no name any more: no crash leaves it behind."""
    with tempfile.TemporaryDirectory(prefix="prakerja-ledger-") as folder:
        database = sqlite3.connect(Path(folder) / "identities", isolation_level=None)
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            "cache_size = -65536",
        ):
            database.execute(f"PRAGMA {pragma}")
        database.execute(
            "CREATE TABLE identities (source TEXT, id TEXT, position INTEGER, "
            "PRIMARY KEY (source, id)) WITHOUT ROWID"
        )
    return database
