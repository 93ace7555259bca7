"""Hints that something was recorded: NOTIFY by who writes, LISTEN by who follows, where a URL asks for it.

A NOTIFY inside a writer's transaction would make the commits of all shards wait for one another: the
server lets transactions that notify commit one at a time. So it is sent after the commit, on a connection
of its own and not more often than need be. It may be lost with that connection, or never arrive through
a pooler: whoever follows asks again from time to time in any case, and a hint only makes it sooner.
"""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Event as Signal
from threading import Lock, Thread
from typing import Any, Final

import psycopg
from psycopg import Connection, sql

from prakerja_ledger.stores.postgres_url import PostgresURL

LONGEST_WAIT: Final = 1.0
"""Seconds after which a follower asks again, although it is used to hints."""
_APART: Final = 0.005
"""Seconds between two hints of a process."""
_SLICE: Final = 0.2
"""Seconds in which a follower notices that it is to stop."""
_AFTER_A_FAULT: Final = 1.0


class Teller:
    """Tells followers that something was recorded; makes no writer wait, and fails none."""

    def __init__(self, url: PostgresURL) -> None:
        self._url = url
        self._recorded = Signal()
        self._ends = Signal()
        self._starting = Lock()
        self._thread: Thread | None = None

    def tell(self) -> None:
        """Something was recorded."""
        self._recorded.set()
        if self._thread is None:
            with self._starting:
                if self._thread is None and not self._ends.is_set():
                    self._thread = Thread(
                        target=self._run, name="prakerja-ledger-hints", daemon=True
                    )
                    self._thread.start()

    def _run(self) -> None:
        while not self._ends.is_set():
            with suppress(psycopg.Error), _connection(self._url) as connection:
                self._tell_on(connection)
            self._ends.wait(_AFTER_A_FAULT)

    def _tell_on(self, connection: Connection[Any]) -> None:
        hint = sql.SQL("NOTIFY {}").format(sql.Identifier(self._url.schema))
        # Its commit record need not reach the disk: what it speaks of has.
        connection.execute("SET synchronous_commit = off")
        while not self._ends.is_set():
            self._recorded.wait()
            self._recorded.clear()
            if not self._ends.is_set():
                connection.execute(hint)
                self._ends.wait(_APART)

    def close(self) -> None:
        """Tell nobody any more."""
        self._ends.set()
        self._recorded.set()
        if self._thread is not None:
            self._thread.join(timeout=5)


class Listener:
    """Waits for hints. Used by one thread at a time."""

    def __init__(self, url: PostgresURL) -> None:
        self._url = url
        self._connection: Connection[Any] | None = None
        self._trusted = False
        """Whether a hint has ever come this way: before that, nobody relies on any."""
        self._busy = Lock()

    def wait(self, until: Signal, seconds: float) -> None:
        """Wait for a hint, or so long; where hints are known to come, up to `LONGEST_WAIT`."""
        if not self._busy.acquire(blocking=False):  # another thread listens
            until.wait(seconds)
            return
        try:
            self._wait(until, seconds)
        except psycopg.Error:
            self.close()
            until.wait(seconds)
        finally:
            self._busy.release()

    def _wait(self, until: Signal, seconds: float) -> None:
        if self._connection is None:
            self._connection = _connection(self._url)
            listen = sql.SQL("LISTEN {}").format(sql.Identifier(self._url.schema))
            self._connection.execute(listen)
            return  # what was recorded before is asked for once more
        most = max(seconds, LONGEST_WAIT) if self._trusted else seconds
        ends = time.monotonic() + most
        while not until.is_set() and (left := ends - time.monotonic()) > 0:
            for _ in self._connection.notifies(timeout=min(left, _SLICE), stop_after=1):
                self._trusted = True
                return

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection, self._trusted = self._connection, None, False
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()


def _connection(url: PostgresURL) -> Connection[Any]:
    return psycopg.connect(url.conninfo, autocommit=True, prepare_threshold=None)
