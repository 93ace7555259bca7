"""The journal on PostgreSQL: one transaction a turn, under the head rows of the shards it writes to.

Where a step was judged ahead, a turn is one way to the server and back (`append_next`). Else it is
two: one that takes the heads and fetches what the writer said it would need, one that inserts and
commits. Between them the writer alone can add to those shards.
An error that the server answered with has undone the turn; a connection that dies with the commit
under way leaves it in doubt, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Event as Signal
from types import TracebackType
from typing import Any, TypeVar

import psycopg
import psycopg_pool
from eventsourcing.persistence import PersistenceError
from psycopg import ClientCursor, Connection
from psycopg.rows import tuple_row

from prakerja_ledger.domain.errors import CommitInDoubt, LedgerFault
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import (
    Conditional,
    Intent,
    Journal,
    Marks,
    Plan,
    StoredLine,
    closed,
)
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent
from prakerja_ledger.ledger.shards import shard_of
from prakerja_ledger.stores.postgres_connecting import (
    borrow,
    connected,
    end,
    fault,
    has_died,
    lost,
    told,
    unreadable,
)
from prakerja_ledger.stores.postgres_hints import Listener, Teller
from prakerja_ledger.stores.postgres_reading import PostgresReading, stream_parameters
from prakerja_ledger.stores.postgres_recorder import (
    BEGIN_READING,
    Heads,
    LedgerDatastore,
    LedgerRecorder,
    PatientConnection,
)
from prakerja_ledger.stores.postgres_rights import Rights, rights_of
from prakerja_ledger.stores.postgres_sql import WriteStatements
from prakerja_ledger.stores.postgres_text import storable
from prakerja_ledger.stores.postgres_url import PostgresURL, parse_url
from prakerja_ledger.stores.postgres_writing import PostgresWriting, open_turn

B = TypeVar("B")


class PostgresJournal:
    """A journal in a PostgreSQL database."""

    def __init__(self, url: PostgresURL, datastore: LedgerDatastore, rights: Rights) -> None:
        self.url: str = url.shown
        self._teller = Teller(url) if url.hints else None
        self._listener = Listener(url) if url.hints else None
        self.datastore = datastore
        self.rights = rights
        self.patience: float = url.answer_timeout
        self.mapper: LedgerMapper = LedgerMapper()
        self._closed = False
        self._fence: int | None = None
        """What the heads' fence was when a turn last took them; None before."""

    @property
    def pool(self) -> psycopg_pool.ConnectionPool[Any]:
        """The connections of this process."""
        return self.datastore.pool

    @cached_property
    def recorder(self) -> LedgerRecorder:
        """The same tables for the library's own readers, such as projections; made when asked for."""
        recorder = LedgerRecorder(self.datastore)
        recorder.shards = self.rights.shards
        if self.rights.writes is not None:
            recorder.statements = self.rights.writes
        return recorder

    @contextmanager
    def reading(self) -> Iterator[PostgresReading]:
        """A consistent look at the journal."""
        # a long answer is no fault
        connection, _ = self.begun(lambda it: it.execute(BEGIN_READING), patience=None)
        try:
            yield PostgresReading(connection, self.rights)
        except psycopg.Error as error:
            raise fault(self.url, error) from error
        finally:
            self.let_go(connection)

    def begun(
        self, begin: Callable[[PatientConnection], B], patience: float | None
    ) -> tuple[PatientConnection, B]:
        """A connection of the pool and what began on it; on another, where an idle one had died."""
        self._check_open()
        tries = self.pool.max_size + 1
        while True:
            connection = borrow(self.pool, self.url)
            connection.patience = self.patience
            try:
                begun = begin(connection)
            except BaseException as error:  # raised again, or tried on another one
                self.let_go(connection)
                tries -= 1
                if tries and lost(connection, error) and not connection.waited_in_vain:
                    continue  # nothing was asked of it yet
                if isinstance(error, psycopg.Error):
                    raise fault(self.url, error) from error
                raise
            connection.patience = patience
            return connection, begun

    def let_go(self, connection: Connection[Any]) -> None:
        """Give a connection back to the pool, without a transaction."""
        end(connection)
        self.pool.putconn(connection)

    def writing(self, plan: Plan | None = None) -> WritersTurn:
        """The writer of the intent's shards; what it appended is durable when the context ends."""
        return WritersTurn(self, self.writes(), plan() if plan is not None else None)

    def writes(self) -> WriteStatements:
        """How the role writes. Raises LedgerFault where it may only read."""
        if self.rights.writes is None:
            raise LedgerFault(
                source=self.url,
                problem=Phrase(
                    "role {role} may read and not write. Log in as a role that was granted writer or caller; "
                    "doctor says what each may.",
                    role=self.rights.role,
                ),
            )
        return self.rights.writes

    @property
    def ahead(self) -> Conditional | None:
        """A whole turn in one message, where the database has the function for it.

        Not before a first turn under the lock, which tells what was written off until then.
        """
        return None if self._fence is None else self

    def saw(self, heads: Heads) -> None:
        """Heads that a turn has taken: whole turns sent from now on are of this time."""
        writes = self.rights.writes
        if writes is not None and writes.next is not None:
            self._fence = heads.fence

    def look(self, names: Iterable[str]) -> Mapping[str, Sequence[StoredLine]]:
        """Streams as they are now, read together and without a lock."""
        wanted = dict.fromkeys(names, 0)

        def asked(connection: PatientConnection) -> PostgresReading:
            reading = PostgresReading(connection, self.rights)
            cursor = ClientCursor(connection, row_factory=tuple_row)
            cursor.execute(self.writes().stream, stream_parameters(wanted))
            reading.take_streams(wanted, cursor)
            return reading

        connection, reading = self.begun(asked, self.patience)
        self.let_go(connection)
        return {name: reading.stream(name) for name in wanted}

    def append_next(self, event: RecordedEvent, expected: Mapping[str, int]) -> int | None:
        """Append, commit and be told the position in one message; None where it does not hold."""
        self._check_open()
        asked = self.writes().next
        assert asked is not None, "asked for before"
        stored, (source, id) = self.mapper.to_stored_event(event), event.event.identity
        parameters = [
            shard_of(event.originator_id, self.rights.shards),
            self._fence,
            *stream_parameters(expected),
            storable(event.originator_id),
            stored.originator_version,
            stored.topic,
            stored.state,
            storable(source),
            storable(id),
        ]
        connection = borrow(self.pool, self.url)
        connection.patience = self.patience
        try:
            if has_died(connection):
                return None  # nothing was asked of it yet; an ordinary turn replaces it
            found = ClientCursor(connection, row_factory=tuple_row).execute(asked, parameters)
            position: int | None = (found.fetchone() or (None,))[0]
        except psycopg.Error as error:
            raise self.undone(connection, error) from error
        finally:
            self.let_go(connection)
        if position is not None:
            self.tell()
        return position

    def undone(self, connection: Connection[Any], error: psycopg.Error) -> LedgerFault:
        """What an error around a commit means: what the server answered is certain; silence is not."""
        if lost(connection, error):
            return CommitInDoubt(source=self.url, problem=Phrase("{error}.", error=told(error)))
        return fault(self.url, error)

    def tell(self) -> None:
        """Something was recorded: let those who follow know, where the URL asks for it."""
        if self._teller is not None:
            self._teller.tell()

    def pause(self, until: Signal, seconds: float) -> None:
        """Wait until something may have been recorded, or the signal is set."""
        if self._listener is None:
            until.wait(seconds)
        else:
            self._listener.wait(until, seconds)

    @property
    def marks(self) -> Marks:
        """Where imports leave their bookmarks."""
        from prakerja_ledger.stores.postgres_marks import PostgresMarks  # noqa: PLC0415  # it builds on this

        return PostgresMarks(self)

    def using(self, connection: Any) -> Journal:
        """The same journal inside the transaction of a connection that the caller commits."""
        self._check_open()
        from prakerja_ledger.stores.postgres_joined import JoinedJournal  # noqa: PLC0415  # it builds on this

        return JoinedJournal(self, connection)

    def _check_open(self) -> None:
        if self._closed:
            raise closed(self.url)

    def close(self) -> None:
        """Let go of the connections."""
        self._closed = True
        if self._teller is not None:
            self._teller.close()
        if self._listener is not None:
            self._listener.close()
        self.datastore.close()


class WritersTurn:
    """A transaction that holds the heads of its shards."""

    def __init__(
        self, journal: PostgresJournal, writes: WriteStatements, intent: Intent | None
    ) -> None:
        self._journal = journal
        self._writes = writes
        self._intent = intent
        self._connection: Connection[Any] | None = None
        self._writing: PostgresWriting | None = None

    def __enter__(self) -> PostgresWriting:
        journal = self._journal
        self._connection, writing = journal.begun(self._open, journal.patience)
        self._writing = writing
        journal.saw(writing.heads)
        return writing

    def _open(self, connection: Connection[Any]) -> PostgresWriting:
        journal, writes = self._journal, self._writes
        return open_turn(
            connection, journal.rights, writes, journal.mapper, self._intent, writes.begin
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection, writing = self._connection, self._writing
        assert connection is not None, "entered"
        assert writing is not None, "entered"
        try:
            if error is not None:
                writing.give_up(error)
            elif writing.appended:
                self._commit(connection, writing)
        finally:
            self._journal.let_go(connection)
        if isinstance(error, (psycopg.Error, PersistenceError)):
            raise fault(self._journal.url, error) from error

    def _commit(self, connection: Connection[Any], writing: PostgresWriting) -> None:
        """Insert and commit in one go."""
        try:
            tag = writing.flush("COMMIT")
        except psycopg.Error as error:
            raise self._journal.undone(connection, error) from error
        if tag != "COMMIT":
            raise fault(self._journal.url, psycopg.OperationalError(f"the commit ended as {tag}"))
        self._journal.tell()


def open_journal(url: str, *, create: bool) -> PostgresJournal:  # noqa: ARG001  # made by schema alone
    """The journal behind `postgresql://host/database`; its tables are made by `schema --apply` alone.

    Raises UnreadableSource where the server cannot be reached, or the database holds no ledger that
    this release can read.
    """
    parsed = parse_url(url)
    with connected(parsed) as connection:
        try:
            rights = rights_of(connection, parsed)
        except psycopg.Error as error:
            unreadable(parsed, Phrase("{error}.", error=told(error)), error)
    return PostgresJournal(parsed, LedgerDatastore(parsed), rights)


def open_to_read(url: str) -> PostgresJournal:
    """The same: a look is a transaction that the server holds to reading."""
    return open_journal(url, create=False)
