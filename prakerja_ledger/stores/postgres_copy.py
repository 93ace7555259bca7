"""Many rows by COPY, sent ahead: the server takes them in while the next ones are being judged.

A driver's own writer waits until the server has read what it was given, and the server reads only as
fast as it inserts. Here rows wait in libpq's memory; `pump` hands on as much as the server will
take, without waiting, and only the end of the turn waits for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from struct import Struct
from types import TracebackType
from typing import Any, Final

import psycopg
from psycopg import Connection

from prakerja_ledger.stores.postgres_sql import COLUMNS, Row

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_TRAILER: Final = b"\xff\xff"
_FIELDS_AND_LENGTH: Final = Struct(">hi").pack
_VERSION_AND_LENGTH: Final = Struct(">iqi").pack
_LENGTH: Final = Struct(">i").pack
_PLACE_AND_LENGTH: Final = Struct(">iqiiiqi").pack
_CHUNK: Final = 1 << 16


def binary(rows: Sequence[Row]) -> bytes:
    """Rows in PostgreSQL's binary COPY format, its header and trailer included."""
    parts = [_SIGNATURE]
    add = parts.append
    for name, version, topic, state, position, shard, number, source, id in rows:
        name, topic, source, id = name.encode(), topic.encode(), source.encode(), id.encode()
        add(_FIELDS_AND_LENGTH(len(COLUMNS), len(name)))
        add(name)
        add(_VERSION_AND_LENGTH(8, version, len(topic)))
        add(topic)
        add(_LENGTH(len(state)))
        add(state)
        add(_PLACE_AND_LENGTH(8, position, 4, shard, 8, number, len(source)))
        add(source)
        add(_LENGTH(len(id)))
        add(id)
    add(_TRAILER)
    return b"".join(parts)


class Copying:
    """Rows on their way into the table, on a connection that does nothing else meanwhile."""

    def __init__(self, connection: Connection[Any], schema: str) -> None:
        self._connection = connection
        self._held = ExitStack()
        columns = ", ".join(COLUMNS)
        self._held.enter_context(
            connection.cursor().copy(
                f"COPY {schema}.stored_events ({columns}) FROM STDIN (FORMAT BINARY)"
            )
        ).write(b"")  # nothing yet; from now on the format is ours, trailer included

    def send(self, rows: Sequence[Row]) -> None:
        """Give rows, all of them at once; the server takes them when it can."""
        data = memoryview(binary(rows))
        put = self._connection.pgconn.put_copy_data
        for start in range(0, len(data), _CHUNK):
            put(data[start : start + _CHUNK])

    def pump(self) -> None:
        """Hand on what the server will take now."""
        self._connection.pgconn.flush()

    def finish(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Wait until all is inserted; or, where there was an error, have it undone."""
        if kind is not None and self._connection.closed:
            return
        try:
            self._held.__exit__(kind, error, trace)
        except psycopg.Error:
            if kind is None:
                raise
