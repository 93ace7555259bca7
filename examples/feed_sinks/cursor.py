"""How far a sink came, in a small SQLite file of its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from prakerja_ledger import Ledger
from prakerja_ledger.ledger.feed import START, FedEvent

_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS cursor (one integer PRIMARY KEY CHECK (one = 1), cursor text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS beyond (position integer PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS last (one integer PRIMARY KEY, position integer, source text, id text)",
)
"""`beyond`: events that the receiver has and that lie beyond the cursor; `last`: the one it had last."""


class CursorTaken(Exception):
    """Another process has the file open: two sinks on one cursor would send out of order."""


class OtherLedger(Exception):
    """The file is the cursor of another ledger, or of this one before it was put back."""


class Cursor:
    """The cursor of one sink of one ledger; whoever has it open has it alone.

    A feed's cursor moves by whole pages. So the events of a page that the receiver has already are
    kept beside it, one by one: after a crash only the one that was under way is sent again.
    """

    def __init__(self, path: str, ledger: Ledger) -> None:
        self._path = path
        # Each statement commits, and waits for the disk: what is noted has been received.
        self._file = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            # The lock is the operating system's, and ends with the process however that ends.
            self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._file.execute("BEGIN EXCLUSIVE")
            for statement in _TABLES:
                self._file.execute(statement)
            self._file.execute("INSERT OR IGNORE INTO cursor VALUES (1, ?)", (START,))
            self._file.execute("COMMIT")
            self._check(ledger)
        except sqlite3.OperationalError as error:
            self.close()
            raise CursorTaken(f"{path} cannot be had alone: {error}. One sink a file.") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _check(self, ledger: Ledger) -> None:
        """The last event that was received stands in this ledger, where it stood.

        A cursor is numbers. In a ledger made anew under the same URL it would pass over events
        without a word; the identity at a position tells the two apart.
        """
        for position, source, id in self._file.execute("SELECT position, source, id FROM last"):
            if ledger.find(source, id) != position:
                raise OtherLedger(
                    f"{self._path} is of a ledger in which {source} {id} is at position {position}; "
                    "in this one it is not. Give each ledger's sink its own file; after a ledger "
                    "was put back, begin with a new file: the receiver drops what it has."
                )

    @property
    def value(self) -> str:
        """Where to ask the feed."""
        (found,) = self._file.execute("SELECT cursor FROM cursor").fetchone()
        return str(found)

    def new_of(self, events: Sequence[FedEvent]) -> list[FedEvent]:
        """Those of a page that the receiver has not acknowledged."""
        had = {position for (position,) in self._file.execute("SELECT position FROM beyond")}
        return [event for event in events if event.position not in had]

    def received(self, event: FedEvent) -> None:
        """The receiver has this one."""
        self._file.execute("BEGIN")
        self._file.execute("INSERT INTO beyond VALUES (?)", (event.position,))
        self._note(event)
        self._file.execute("COMMIT")

    def move(self, cursor: str, last: FedEvent | None = None) -> None:
        """The receiver has the whole page that ends in this cursor, and in this event."""
        self._file.execute("BEGIN")
        if last is not None:
            self._note(last)
        self._file.execute("UPDATE cursor SET cursor = ?", (cursor,))
        self._file.execute("DELETE FROM beyond")
        self._file.execute("COMMIT")

    def _note(self, event: FedEvent) -> None:
        given = json.loads(event.line)
        self._file.execute(
            "INSERT OR REPLACE INTO last VALUES (1, ?, ?, ?)",
            (event.position, given["source"], given["id"]),
        )
