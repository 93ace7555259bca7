"""Those that are measured beside each other: each opens its store and does one command durably.

All read what is recorded of the participant, add one event, and have it on disk when they return.
Bare SQL and the stores decide nothing; stock `eventsourcing` keeps its mapper and transcoder.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks.commands import july_2, plain
from prakerja_ledger import Ledger
from prakerja_ledger.deciding.commands import Command

Do = Callable[[Sequence[Command]], None]
"""Does the commands of one call: one, or several of one participant."""

SQLITE_TABLE = (
    "CREATE TABLE events (position INTEGER PRIMARY KEY, participant TEXT NOT NULL, seq INTEGER NOT NULL,"
    " type TEXT NOT NULL, at TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (participant, seq))"
)
POSTGRES_TABLE = (
    "CREATE TABLE bare (position bigserial PRIMARY KEY, participant text NOT NULL,"
    " seq integer NOT NULL, type text NOT NULL, at text NOT NULL, data text NOT NULL,"
    " UNIQUE (participant, seq))"
)


def ours(target: str, held: ExitStack) -> Do:
    """`Ledger.execute`, or `execute_all` of several."""
    ledger = held.enter_context(Ledger.open(target, clock=july_2))
    return lambda commands: [*map(_new, ledger.execute_all(commands))] and None


def _new(receipt: Any) -> None:
    assert not receipt.duplicate


def bare_sqlite(target: str, held: ExitStack) -> Do:
    """sqlite3, WAL, FULL: read the rows, insert, commit."""
    database = sqlite3.connect(target, isolation_level=None)
    held.callback(database.close)
    database.execute("PRAGMA synchronous=FULL")
    select = "SELECT seq, type, at, data FROM events WHERE participant=? ORDER BY seq"
    insert = "INSERT INTO events (participant, seq, type, at, data) VALUES (?,?,?,?,?)"

    def do(commands: Sequence[Command]) -> None:
        who = commands[0].subject
        database.execute("BEGIN IMMEDIATE")
        past = [json.loads(row[3]) for row in database.execute(select, (who,))]
        for seq, command in enumerate(commands, len(past) + 1):
            kind, at, data = plain(command)
            database.execute(insert, (who, seq, kind, at, json.dumps(data)))
        database.execute("COMMIT")

    return do


def make_bare_sqlite(target: str) -> None:
    """Its one table."""
    database = sqlite3.connect(target)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(SQLITE_TABLE)
    database.close()


def bare_postgres(target: str, held: ExitStack) -> Do:
    """psycopg, as it comes: read the rows, insert, commit."""
    import psycopg

    database = held.enter_context(psycopg.connect(target, autocommit=True))
    select = "SELECT seq, type, at, data FROM bare WHERE participant=%s ORDER BY seq"
    insert = "INSERT INTO bare (participant, seq, type, at, data) VALUES (%s,%s,%s,%s,%s)"

    def do(commands: Sequence[Command]) -> None:
        who = commands[0].subject
        database.execute("BEGIN")
        past = [json.loads(row[3]) for row in database.execute(select, (who,)).fetchall()]
        for seq, command in enumerate(commands, len(past) + 1):
            kind, at, data = plain(command)
            database.execute(insert, (who, seq, kind, at, json.dumps(data)))
        database.execute("COMMIT")

    return do


def make_bare_postgres(target: str) -> None:
    """Its one table."""
    import psycopg

    with psycopg.connect(target, autocommit=True) as database:
        database.execute(POSTGRES_TABLE)


class Participant(Aggregate):
    """The participant as a stock aggregate."""

    def __init__(self) -> None:
        self.facts = 0

    @event("Recorded")
    def record(self, kind: str, at: datetime, data: dict[str, Any]) -> None:
        self.facts += 1


class Participants(Application):
    """The stock application, its mapper and transcoder as they come."""


def stock_environment(target: str) -> dict[str, str]:
    """The settings of stock `eventsourcing` for a store."""
    if not target.startswith("postgresql://"):
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": target}
    import psycopg

    read = psycopg.conninfo.conninfo_to_dict(target)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(read["dbname"]),
        "POSTGRES_HOST": str(read["host"]),
        "POSTGRES_PORT": str(read["port"]),
        "POSTGRES_USER": str(read["user"]),
        "POSTGRES_PASSWORD": "-",
    }


def save_many(app: Participants, lines: list[bytes], at_once: int) -> None:
    """A history as stock aggregates, so many whole participants to a save."""
    people: dict[str, Participant] = {}
    for line in lines:
        given = json.loads(line)
        person = people.get(given["subject"])
        if person is None:
            person = people[given["subject"]] = Participant()
        person.record(given["type"], datetime.fromisoformat(given["time"]), given["data"])
    everyone = list(people.values())
    for start in range(0, len(everyone), at_once):
        app.save(*everyone[start : start + at_once])


def stock(target: str, held: ExitStack, *, create: bool = False) -> Do:
    """get, trigger, save."""
    made = {} if create else {"CREATE_TABLE": "no"}
    app = Participants(env={**stock_environment(target), **made})
    held.callback(app.close)
    known: dict[str, Any] = {}

    def do(commands: Sequence[Command]) -> None:
        who = commands[0].subject
        person = app.repository.get(known[who]) if who in known else Participant()
        for command in commands:
            kind, at, data = plain(command)
            person.record(kind, datetime.fromisoformat(at), data)
        app.save(person)
        known[who] = person.id

    return do


def make_stock(target: str) -> None:
    """Its tables, made by itself."""
    with ExitStack() as held:
        stock(target, held, create=True)


def umadb(target: str, held: ExitStack) -> Do:
    """read by tag, append unless others did."""
    import umadb as peer

    client = held.enter_context(peer.Client(target))

    def do(commands: Sequence[Command]) -> None:
        who = commands[0].subject
        query = peer.Query(items=[peer.QueryItem(tags=[who])])
        past = client.read(query)
        rows = [json.loads(one.event.data) for one in past]
        del rows
        events = []
        for command in commands:
            kind, at, data = plain(command)
            payload = json.dumps({"at": at, **data}).encode()
            events.append(peer.Event(event_type=kind, data=payload, tags=[who]))
        client.append(events, peer.AppendCondition(query, past.head()))

    return do


def umadb_server(folder: Path, port: int, held: ExitStack) -> str:
    """The server that its wheel holds; the URL to reach it at."""
    return umadb_process(folder, port, held)[0]


def umadb_process(
    folder: Path, port: int, held: ExitStack
) -> tuple[str, subprocess.Popen[bytes]]:
    """The same, with its process."""
    server = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "umadb"),
            "--listen",
            f"127.0.0.1:{port}",
            "--db-path",
            str(folder / "uma.db"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ},
    )
    held.callback(server.wait)
    held.callback(server.terminate)
    import umadb as peer

    for _ in range(200):
        try:
            with peer.Client(f"http://127.0.0.1:{port}") as client:
                client.head()
            return f"http://127.0.0.1:{port}", server
        except peer.TransportError:
            time.sleep(0.05)
    raise SystemExit("the UmaDB server does not answer")


PEERS: dict[str, Callable[[str, ExitStack], Do]] = {
    "ours": ours,
    "bare sqlite3": bare_sqlite,
    "bare psycopg": bare_postgres,
    "stock eventsourcing": stock,
    "UmaDB": umadb,
}
