"""One consistent look at a journal on SQLite, also at a file that is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import Filed, StoredLine
from prakerja_ledger.stores.sqlite_file import EVENTS_TABLE, IDENTITIES_TABLE

_SMALLEST_EVENT: Final = 128
"""Bytes; there is none without its attributes."""
_MADE_AS: Final = {
    name: text.replace("IF NOT EXISTS ", "", 1)
    for name, text in (
        ("stored_events", EVENTS_TABLE.format(events="stored_events")),
        ("identities", IDENTITIES_TABLE),
    )
}
"""The tables that are read, as SQLite keeps what they were made by."""
_BELOW_ALL: Final = float("-inf")
"""Below the lowest number that SQLite may give to a row."""


class SQLiteReading:
    """One consistent look at the journal: a read transaction."""

    shards: Final = 1

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self._cursor.row_factory = None

    def head(self) -> int:
        """The highest position; 0 where nothing is recorded."""
        row = self._cursor.execute("SELECT max(rowid) FROM stored_events").fetchone()
        return int(row[0] or 0)

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity."""
        row = self._cursor.execute(
            "SELECT position FROM identities WHERE source = ? AND id = ?", (source, id)
        ).fetchone()
        if row is None:
            return None
        if type(row[0]) is not int:  # SQLite's columns take any value
            raise sqlite3.DatabaseError("an identity stands at a position that is no number")
        return row[0]

    def stream(self, name: str, known: int = 0) -> list[StoredLine]:
        """The lines of a stream after the first `known` ones, in the order of recording."""
        rows = self._cursor.execute(
            "SELECT rowid, topic, state FROM stored_events "
            "WHERE originator_id = ? AND originator_version > ? ORDER BY originator_version",
            (name, known),
        )
        return list(map(StoredLine._make, rows))

    def streams(self, prefix: str, after: str = "") -> Iterator[tuple[str, list[StoredLine]]]:
        """Every stream of a prefix, by name in the order of code points, with its lines.

        BINARY, the collation of the column, compares UTF-8 bytes: the order of code points.
        """
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        rows = self._cursor.connection.execute(
            "SELECT originator_id, rowid, topic, state FROM stored_events "
            "WHERE originator_id >= ? AND originator_id < ? AND originator_id > ? "
            "ORDER BY originator_id, originator_version",
            (max(prefix, after), end, after),
        )
        rows.row_factory = None
        for name, group in groupby(rows, key=lambda row: row[0]):
            yield name, [StoredLine(*row[1:]) for row in group]

    def some(self, names: Sequence[str]) -> Iterator[tuple[str, list[StoredLine]]]:
        """These streams, those of them that are there, with their lines."""
        return ((name, lines) for name in names if (lines := self.stream(name)))

    def waves(self) -> tuple[int, ...] | None:
        """Everybody is seen."""
        return None

    def clocks(self) -> tuple[int]:
        """The head: there is one shard."""
        return (self.head(),)

    def touched(self, after: Sequence[int], upto: Sequence[int]) -> list[str]:
        """The names of the streams with events between these clocks, each once."""
        rows = self._cursor.execute(
            "SELECT DISTINCT originator_id FROM stored_events WHERE rowid > ? AND rowid <= ?",
            (after[0], upto[0]),
        )
        return [name for (name,) in rows]

    def between(self, after: Sequence[int], upto: Sequence[int]) -> list[StoredLine]:
        """The lines between these clocks, in the order of positions."""
        rows = self._cursor.execute(
            "SELECT rowid, topic, state FROM stored_events WHERE rowid > ? AND rowid <= ? "
            "ORDER BY rowid",
            (after[0], upto[0]),
        )
        return list(map(StoredLine._make, rows))

    def bare(self, after: Sequence[int], upto: Sequence[int]) -> list[bytes]:
        """The lines alone."""
        rows = self._cursor.execute(
            "SELECT state FROM stored_events WHERE rowid > ? AND rowid <= ? ORDER BY rowid",
            (after[0], upto[0]),
        )
        return [line for (line,) in rows]

    def filed(self) -> Iterator[Filed]:
        """Every line in the order of recording, as it is filed; an empty one where the file is damaged.

        Around a page that cannot be read, each place is asked for by itself, up to the last one and up to as
        many as a file of this size can hold: the last one of a damaged file may be anything. It begins below
        the first position: a stream is read by its name, and shows also what somebody put there.
        """
        at: float = _BELOW_ALL
        last, left = self._last(), self._most_rows()
        while True:
            with suppress(sqlite3.DatabaseError):
                for row in self._filed("rowid > ? ORDER BY rowid", at):
                    if row[0] <= at:
                        break
                    at = row[0]
                    yield row
                else:
                    return
            place, left = int(max(at, 0)) + 1, left - 1
            if place > last or not left:
                return
            at = place
            try:
                found = self._filed("rowid = ?", place).fetchall()
            except sqlite3.DatabaseError:
                found = [(place, "", 0, "", b"", None)]
            yield from found

    def _filed(self, where: str, at: float) -> sqlite3.Cursor:
        rows = self._cursor.connection.execute(
            "SELECT rowid, originator_id, originator_version, topic, state, NULL "
            f"FROM stored_events WHERE {where}",  # ours
            (at,),
        )
        rows.row_factory = None
        return rows

    def _last(self) -> int:
        """The highest position that a file tells of, sound or damaged."""
        for asked in (
            "SELECT max(rowid) FROM stored_events",
            "SELECT max(position) FROM identities",
        ):
            with suppress(sqlite3.DatabaseError):
                ((last,),) = self._cursor.execute(asked).fetchall()
                return last if type(last) is int else 0  # SQLite's columns take any value
        return 0

    def _most_rows(self) -> int:
        ((pages,),) = self._cursor.connection.execute("PRAGMA page_count").fetchall()
        ((size,),) = self._cursor.connection.execute("PRAGMA page_size").fetchall()
        return int(pages) * int(size) // _SMALLEST_EVENT

    def damage(self) -> str:
        """What is wrong with the file. Whoever reads by an index finds what that says, not the table."""
        try:
            if foreign := self._foreign():
                return Phrase("{table} is not the table that it was made as", table=foreign)
            ((found,), *_) = self._cursor.connection.execute("PRAGMA integrity_check(1)").fetchall()
        except sqlite3.DatabaseError as error:
            return f"{error}"
        return "" if found == "ok" else str(found).strip().splitlines()[-1]

    def _foreign(self) -> str:
        """Which of the tables that are read is none of ours: a view, say, shows each reader what it likes.

        By their very text, which nothing of ours alters: a column's collation is enough to lie.
        """
        found: dict[str, list[tuple[str, str]]] = {name: [] for name in _MADE_AS}
        for kind, name, text in self._cursor.connection.execute(
            "SELECT type, lower(name), sql FROM sqlite_master WHERE type IN ('table', 'view')"
        ).fetchall():
            if name in found:
                found[name].append((kind, text))
        return next(
            (name for name, text in _MADE_AS.items() if found[name] != [("table", text)]), ""
        )

    def identities(self) -> Iterator[tuple[str, str, int]]:
        """Source, id and position of every event."""
        with suppress(sqlite3.DatabaseError):  # the rest is not found, and `damage` says why
            rows = self._cursor.connection.execute("SELECT source, id, position FROM identities")
            rows.row_factory = None
            yield from rows

    def finds(self, source: str, id: str, position: int) -> bool:
        """Whether an event is found there by its identity, whatever the column holds."""
        asked = "SELECT position FROM identities WHERE source = ? AND id = ?"
        try:
            return bool(self._cursor.execute(asked, (source, id)).fetchall() == [(position,)])
        except sqlite3.DatabaseError:
            return False

    def lines(self, after: int = 0) -> Iterator[StoredLine]:
        """Every line beyond a position, in the order of recording."""
        rows = self._cursor.connection.execute(
            "SELECT rowid, topic, state FROM stored_events WHERE rowid > ? ORDER BY rowid", (after,)
        )
        rows.row_factory = None
        return map(StoredLine._make, rows)
