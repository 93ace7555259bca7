"""The journal on PostgreSQL: one transaction a turn, under the head rows of the shards it writes to.

Where a step was judged ahead, a turn is one way to the server and back (`append_next`). Else it is
two: one that takes the heads and fetches what the writer said it would need, one that inserts and
commits. Between them the writer alone can add to those shards.
An error that the server answered with has undone the turn; a connection that dies with the commit
under way leaves it in doubt, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import count, groupby
from select import POLLIN, poll
from threading import Event as Signal
from types import TracebackType
from typing import Any, Final, NoReturn, TypeVar

import psycopg
import psycopg_pool
from eventsourcing.persistence import PersistenceError
from psycopg import ClientCursor, Connection, Cursor
from psycopg.pq import Format
from psycopg.rows import tuple_row

from prakerja_ledger.domain.errors import (
    CommitInDoubt,
    LedgerFault,
    TurnLost,
    UnreadableSource,
)
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import (
    Conditional,
    Filed,
    Intent,
    Journal,
    Marks,
    Plan,
    StoredLine,
    closed,
)
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent
from prakerja_ledger.ledger.shards import position_at, shard_of, shards_of
from prakerja_ledger.stores.postgres_copy import Copying
from prakerja_ledger.stores.postgres_hints import Listener, Teller
from prakerja_ledger.stores.postgres_recorder import (
    BEGIN_READING,
    COPY_FROM,
    Heads,
    LedgerDatastore,
    LedgerRecorder,
    PatientConnection,
    insertion,
    rows_of,
)
from prakerja_ledger.stores.postgres_rights import Rights, rights_of
from prakerja_ledger.stores.postgres_sql import Row, WriteStatements
from prakerja_ledger.stores.postgres_text import numbers, original, storable, texts
from prakerja_ledger.stores.postgres_url import PostgresURL, parse_url

B = TypeVar("B")

_PAGE: Final = 2_000
_names: Final = count()
"""Of cursors, in this process: a transaction is one process's."""
_UNDONE: Final = frozenset({"40001", "40P01", "23505"})
"""What the server undoes for another writer's sake: serialization, deadlock, and a key that was
taken in between."""


class PostgresReading:
    """One consistent look at the journal: a read transaction."""

    def __init__(self, connection: Connection[Any], rights: Rights) -> None:
        self._connection = connection
        self._rights = rights
        self._reads = rights.reads
        self.shards: int = rights.shards
        self._found: dict[tuple[str, str], int | None] = {}
        self._fetched: dict[str, tuple[int, list[StoredLine]]] = {}

    def _cursor(self) -> Cursor[Row]:
        """Ours, whatever kind of cursors a caller's connection makes."""
        cursor = Cursor(self._connection, row_factory=tuple_row)
        cursor.format = Format.BINARY
        return cursor

    @contextmanager
    def _pages(self) -> Iterator[psycopg.ServerCursor[Row]]:
        """A cursor that fetches page by page; of its own name, as several may be open at once."""
        name = f"prakerja_ledger_{next(_names)}"
        cursor = psycopg.ServerCursor(self._connection, name, row_factory=tuple_row)
        cursor.itersize = _PAGE
        try:
            yield cursor
        finally:
            try:
                cursor.close()
            except psycopg.OperationalError:
                # The connection has died: its next user is told, not whoever reads no further.
                with suppress(psycopg.OperationalError):
                    cursor.close()  # asks nobody now; a cursor left open is warned of

    def head(self) -> int:
        """The highest position; 0 where nothing is recorded."""
        found = self._cursor().execute(self._reads.highest).fetchone()
        return 0 if found is None else int(found[0] or 0)

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity."""
        key = (source, id)
        if key not in self._found:
            self.take_found([key], self._cursor().execute(self._reads.find, find_parameters([key])))
        return self._found[key]

    def take_found(self, asked: Iterable[tuple[str, str]], rows: Iterable[Row]) -> None:
        """Remember what was found of the identities that were asked for."""
        self._found.update(dict.fromkeys(asked))
        self._found.update(((original(s), original(i)), at) for s, i, at in rows)

    def stream(self, name: str, known: int = 0) -> Sequence[StoredLine]:
        """The lines of a stream after the first `known` ones, in the order of recording."""
        fetched = self._fetched.pop(name, None)
        if fetched is None or fetched[0] != known:
            wanted = {name: known}
            rows = self._cursor().execute(self._reads.stream, stream_parameters(wanted))
            self.take_streams(wanted, rows)
            fetched = self._fetched.pop(name)
        return fetched[1]

    def take_streams(self, asked: Mapping[str, int], rows: Iterable[Row]) -> None:
        """Keep the lines of the streams that were asked for, until they are."""
        self._fetched.update({name: (known, []) for name, known in asked.items()})
        for name, *line in rows:
            self._fetched[original(name)][1].append(StoredLine(*line))

    def streams(self, prefix: str, after: str = "") -> Iterator[tuple[str, list[StoredLine]]]:
        """Every stream of a prefix, by name in the order of code points, with its lines."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        with self._pages() as rows:
            # Ids may hold any character but none lies between a name and itself with U+0001 put on.
            low = storable(after) + "\1" if after else prefix
            rows.execute(self._reads.streams, (low, end), binary=True)
            for name, group in groupby(rows, key=lambda row: row[0]):
                yield original(name), [StoredLine(*row[1:]) for row in group]

    def some(self, names: Sequence[str]) -> Iterator[tuple[str, Sequence[StoredLine]]]:
        """These streams, those of them that are there, with their lines."""
        wanted = dict.fromkeys(names, 0)
        self.take_streams(
            wanted, self._cursor().execute(self._reads.stream, stream_parameters(wanted))
        )
        return ((name, lines) for name in names if (lines := self.stream(name)))

    def waves(self) -> tuple[int, ...] | None:
        """The waves granted to a role that is limited to some; None: it sees everybody."""
        if not self._rights.limited:
            return None
        granted = self._cursor().execute(self._reads.waves).fetchone()
        return tuple(sorted(granted[0])) if granted is not None else ()

    def clocks(self) -> tuple[int, ...]:
        """How far each shard has come."""
        return tuple(clock for (clock,) in self._cursor().execute(self._reads.clocks))

    def touched(self, after: Sequence[int], upto: Sequence[int]) -> list[str]:
        """The names of the streams with events between these clocks, each once."""
        found = self._cursor().execute(self._reads.touched, bounds(after, upto))
        return [original(name) for (name,) in found]

    def between(self, after: Sequence[int], upto: Sequence[int]) -> list[StoredLine]:
        """The lines between these clocks, in the order of positions."""
        found = self._cursor().execute(self._reads.between, bounds(after, upto))
        return list(map(StoredLine._make, found))

    def bare(self, after: Sequence[int], upto: Sequence[int]) -> list[bytes]:
        """The lines alone."""
        return [one.line for one in self.between(after, upto)]

    def filed(self) -> Iterator[Filed] | None:
        """Every line in the order of positions, as it is filed; None for a role that may only call."""
        return self._filed() if self._reads.filed else None

    def _filed(self) -> Iterator[Filed]:
        with self._pages() as rows:
            rows.execute(self._reads.filed, binary=True)
            for position, stream, version, topic, line, source, id in rows:
                identity = (original(source or ""), original(id or ""))
                yield position, original(stream), version, topic, line, identity

    def damage(self) -> str:
        """Its files are the server's to check (`pg_amcheck`); nobody reads them past it."""
        return ""

    def identities(self) -> Iterable[tuple[str, str, int]] | None:
        """They stand with the lines."""
        return None

    def finds(self, source: str, id: str, position: int) -> bool:
        """Whether an event is found there by its identity."""
        return self.find(source, id) == position

    def lines(self, after: int = 0) -> Iterator[StoredLine]:
        """Every line beyond a position, in the order of recording."""
        with self._pages() as rows:
            rows.execute(self._reads.lines, (after,), binary=True)
            yield from map(StoredLine._make, rows)


def bounds(after: Sequence[int], upto: Sequence[int]) -> list[Any]:
    """Clocks as positions: the lowest and the highest, and each shard's own."""
    count = len(after)
    places = [
        [position_at(clock, shard, count) for shard, clock in enumerate(clocks)]
        for clocks in (after, upto)
    ]
    return [min(places[0]), max(places[1]), *map(numbers, places)]


def find_parameters(identities: Sequence[tuple[str, str]]) -> list[str]:
    """The identities as the statement takes them."""
    return [
        texts(storable(source) for source, _ in identities),
        texts(storable(id) for _, id in identities),
    ]


def stream_parameters(wanted: Mapping[str, int]) -> list[str]:
    """Streams and how much of each is known, as the statement takes them."""
    return [texts(map(storable, wanted)), numbers(wanted.values())]


class PostgresWriting(PostgresReading):
    """The writer of the shards that it has taken."""

    def __init__(
        self,
        connection: Connection[Any],
        rights: Rights,
        writes: WriteStatements,
        mapper: LedgerMapper,
        heads: Heads,
    ) -> None:
        super().__init__(connection, rights)
        self.rows: list[Row] = []
        """Rows to be inserted together with the commit."""
        self.heads = heads
        self.changed: bool = False
        """Whether something was written that is no row."""
        self._mapper = mapper
        self._writes = writes
        self._copying: Copying | None = None

    def _cursor(self) -> Cursor[Row]:
        assert self._copying is None, "nothing is looked up once rows are on their way"
        return super()._cursor()

    def version(self) -> tuple[tuple[int, int, int], ...]:
        """Where the taken shards stand."""
        return self.heads.version

    def fetch(self, intent: Intent) -> None:
        """Bring streams and identities in one message."""
        cursor = ClientCursor(self._connection, row_factory=tuple_row)
        cursor.execute(
            f"{self._writes.find}; {self._writes.stream}",
            find_parameters(intent.identities) + stream_parameters(intent.streams),
        )
        self.take_fetched(intent, *rows_in_turn(cursor))

    def take_fetched(self, intent: Intent, found: Sequence[Row], streams: Sequence[Row]) -> None:
        """Keep what was fetched for an intent until it is asked for."""
        self.take_found(intent.identities, found)
        self.take_streams(intent.streams, streams)

    def place(self, shard: int, pending: int) -> int:
        """The position of the next event of a shard, after so many others of this turn."""
        assert self.heads.holds(shard), "the intent named every stream that is appended to"
        return position_at(self.heads.clock + pending + 1, shard, self.shards)

    def append(self, events: Iterable[RecordedEvent]) -> Sequence[int]:
        """Append events with their identities; returns their positions."""
        recorded = list(events)
        places = self.heads.add_all([one.originator_id for one in recorded])
        stored = [self._mapper.to_stored_event(one) for one in recorded]
        self.rows += rows_of(stored, places, [one.event.identity for one in recorded])
        return [position for position, _, _ in places]

    def write_off(self) -> None:
        """With every head held, turns under way have ended; those in one message come too late now.

        A server whose sync failed goes down.
        """
        if self._writes.write_off is not None:
            self._cursor().execute(self._writes.write_off)
            self.changed = True

    def keep(self, statement: bytes, values: tuple[Any, ...]) -> None:
        """Write something else with the events."""
        self._cursor().execute(statement, values)
        self.changed = True

    def send(self) -> None:
        """Let many rows go by COPY, where the role may; they arrive while the caller goes on."""
        if len(self.rows) >= COPY_FROM and self._writes.copies:
            self._copying = Copying(self._connection, self._rights.schema)
            self._copying.send(self.rows)
            self.rows = []

    def pump(self) -> None:
        """Hand on what the server will take of what was sent."""
        if self._copying is not None:
            self._copying.pump()

    @property
    def appended(self) -> bool:
        """Whether there is anything to commit."""
        return self.changed or bool(self.rows) or self._copying is not None

    def flush(self, ending: str = "") -> str | None:
        """Have all rows inserted, and what ends the transaction with them; says what it ended as."""
        self.send()
        statements = [ending] if ending else []
        parameters: list[str] = []
        if self.rows:
            inserting, parameters = insertion(self._writes, self.rows, self.heads)
            statements.insert(0, inserting)
            self.rows = []
        elif self._copying is not None:
            self._copying.finish()
            self._copying = None
            if self._writes.advance is not None:
                statements.insert(0, self._writes.advance)
                parameters = self.heads.columns()
        if not statements:
            return None
        cursor = ClientCursor(self._connection, row_factory=tuple_row)
        cursor.execute("; ".join(statements), parameters)
        while cursor.nextset():
            pass
        return cursor.statusmessage

    def give_up(self, error: BaseException) -> None:
        """Stop what is being sent."""
        if self._copying is not None:
            self._copying.finish(type(error), error, error.__traceback__)
            self._copying = None


def taken_by(intent: Intent | None, shards: int) -> list[int]:
    """The shards that a turn has to hold: all, where it is not known to which it will append."""
    return list(range(shards)) if intent is None else shards_of(intent.appends, shards)


def open_turn(
    connection: Connection[Any],
    rights: Rights,
    writes: WriteStatements,
    mapper: LedgerMapper,
    intent: Intent | None,
    begin: str,
) -> PostgresWriting:
    """Take the heads, and fetch what the writer said it would need: one message, one answer."""
    parameters = [numbers(taken_by(intent, rights.shards))]
    asked = writes.take
    if intent is not None:
        parameters += find_parameters(intent.identities)
        parameters += stream_parameters(intent.streams)
        asked = writes.open or f"{writes.take}; {writes.find}; {writes.stream}"
    cursor = ClientCursor(connection, row_factory=tuple_row)
    answers = rows_in_turn(cursor.execute(begin + asked, parameters))
    heads, *fetched = by_kind(next(answers)) if asked == writes.open else answers
    writing = PostgresWriting(connection, rights, writes, mapper, Heads(heads, rights.shards))
    if intent is not None:
        writing.take_fetched(intent, *fetched)
    return writing


def by_kind(rows: Iterable[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Heads, identities and streams, from the one answer that holds them all."""
    heads: list[Row] = []
    found: list[Row] = []
    streams: list[Row] = []
    for kind, name, id, place, number, clock, fence, topic, state in rows:
        if kind == 0:
            heads.append((place, number, clock, fence))
        elif kind == 1:
            found.append((name, id, place))
        else:
            streams.append((name, place, topic, state))
    return heads, found, streams


def rows_in_turn(cursor: ClientCursor[Row]) -> Iterator[list[Row]]:
    """The rows of each statement of a message that gave any."""
    more: bool | None = True
    while more:
        if cursor.description is not None:
            yield cursor.fetchall()
        more = cursor.nextset()


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


def borrow(pool: psycopg_pool.ConnectionPool[Any], url: str) -> PatientConnection:
    """A connection of the pool. Raises LedgerFault where none gets free, or none can be made."""
    try:
        pool.open()
        connection: PatientConnection = pool.getconn()
    except psycopg_pool.PoolTimeout as error:
        raise LedgerFault(
            source=url,
            problem=Phrase(
                "no connection within {seconds} seconds: the server does not answer, or all {most} are "
                "in use. Nothing was recorded; try again, or allow more (pool=).",
                seconds=f"{pool.timeout:g}",
                most=pool.max_size,
            ),
        ) from error
    except psycopg.Error as error:
        raise fault(url, error) from error
    return connection


def borrow_alive(pool: psycopg_pool.ConnectionPool[Any], url: str) -> PatientConnection:
    """One that nobody has closed, as far as is known here; the dead ones are replaced."""
    tries = pool.max_size
    while has_died(connection := borrow(pool, url)) and tries:
        connection.close()
        pool.putconn(connection)
        tries -= 1
    return connection


def has_died(connection: Connection[Any]) -> bool:
    """Whether an idle connection was closed by its peer: then there is something to be read on it."""
    asked = poll()
    asked.register(connection.fileno(), POLLIN)
    return bool(asked.poll(0))


def end(connection: Connection[Any]) -> None:
    """Undo what is open; a connection that cannot is closed, and the pool makes another."""
    if connection.closed or connection.info.transaction_status == 0:  # idle
        return
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        with suppress(psycopg.Error):
            connection.close()


def lost(connection: Connection[Any], error: BaseException) -> bool:
    """Whether the connection died, so that what was under way is not known."""
    return isinstance(error, psycopg.Error) and (connection.closed or error.sqlstate is None)


def told(error: BaseException) -> str:
    """The first line of what the database said."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def fault(url: str, error: BaseException) -> LedgerFault:
    """A database's error as ours, with what to do."""
    state = getattr(error, "sqlstate", None)
    if state in _UNDONE:
        return TurnLost(
            source=url,
            problem=Phrase(
                "{error}: undone in favour of another writer, nothing was recorded. Do it again.",
                error=told(error),
            ),
        )
    return LedgerFault(
        source=url, problem=Phrase("{error}. {advice}", error=told(error), advice=_advice(state))
    )


def _advice(state: str | None) -> Phrase:
    if state == "55P03":
        return Phrase(
            "Another writer has held its shard too long; nothing was recorded. Try again."
        )
    if state == "42501":
        return Phrase("Nothing was recorded. Run `doctor` to see the rights that are missing.")
    if state == "53100":
        return Phrase("Nothing of this step was recorded; free space and run it again.")
    return Phrase("Nothing of this step was recorded; what was acknowledged before stays.")


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


def connected(url: PostgresURL, *, autocommit: bool = True) -> Connection[Any]:
    """A connection of its own, for what is asked once. Raises UnreadableSource."""
    try:
        return psycopg.connect(url.conninfo, autocommit=autocommit, prepare_threshold=None)
    except psycopg.Error as error:
        unreadable(
            url,
            Phrase("{error}. Check the URL, and that the server runs.", error=told(error)),
            error,
        )


def unreadable(url: PostgresURL, problem: Phrase, error: BaseException) -> NoReturn:
    """Say that there is no ledger to be read there."""
    raise UnreadableSource(source=url.shown, problem=problem) from error
