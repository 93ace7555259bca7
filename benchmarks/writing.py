"""Writing to SQLite: bulk import and single durable records, beside stock `eventsourcing` and bare SQL."""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, interleaved
from benchmarks.peers import (
    SQLITE_TABLE,
    Participant,
    Participants,
    save_many,
    stock_environment,
)
from prakerja_ledger.interfaces import source
from prakerja_ledger.ledger.importing import Importer
from prakerja_ledger.ledger.ledger import Ledger

INSERT = "INSERT INTO events (participant, seq, type, at, data) VALUES (?,?,?,?,?)"
SELECT = "SELECT seq, type, at, data FROM events WHERE participant=? ORDER BY seq"


def bare_database(folder: Path) -> sqlite3.Connection:
    """One events table, WAL, FULL."""
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(SQLITE_TABLE)
    return database


def bare_bulk(lines: list[bytes]) -> int:
    """executemany of parsed lines in one transaction."""
    with tempfile.TemporaryDirectory() as name:
        database = bare_database(Path(name))
        versions: dict[str, int] = {}

        def rows() -> Iterator[tuple[Any, ...]]:
            for line in lines:
                given = json.loads(line)
                who = given["subject"]
                versions[who] = seq = versions.get(who, 0) + 1
                yield who, seq, given["type"], given["time"], json.dumps(given["data"])

        database.execute("BEGIN IMMEDIATE")
        database.executemany(INSERT, rows())
        database.execute("COMMIT")
        database.close()
    return len(lines)


def our_bulk(path: Path) -> int:
    """What `prakerja-ledger import` does: judged, identities kept, in durable batches."""
    count = 0
    with tempfile.TemporaryDirectory() as name:
        with Ledger.open(f"sqlite:///{name}/ours.db") as ledger, source.without_collection():
            for _ in Importer(ledger).outcomes(source.numbered(str(path))):
                count += 1
    return count


def stock(folder: Path) -> Participants:
    """Stock `eventsourcing` on a SQLite file."""
    return Participants(env=stock_environment(str(folder / "stock.db")))


def stock_bulk(lines: list[bytes]) -> int:
    """Whole participants, a thousand to a save."""
    with tempfile.TemporaryDirectory() as name:
        app = stock(Path(name))
        save_many(app, lines, 1_000)
        app.close()
    return len(lines)


def single_records(lines: list[bytes], runs: int) -> list[Row]:
    """One new event a durable transaction, the participant's rows read first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database, app = bare_database(folder), stock(folder)
        ledger = Ledger.open(f"sqlite:///{folder}/ours.db")
        parts = [lines[i * len(lines) // runs : (i + 1) * len(lines) // runs] for i in range(runs)]
        turns: dict[str, Iterator[list[bytes]]] = {n: iter(parts) for n in ("bare", "ours", "stock")}
        aggregates: dict[str, Any] = {}

        def bare() -> int:
            part = next(turns["bare"])
            for line in part:
                given = json.loads(line)
                database.execute("BEGIN IMMEDIATE")
                past = [json.loads(row[3]) for row in database.execute(SELECT, (given["subject"],))]
                database.execute(
                    INSERT,
                    (
                        given["subject"],
                        len(past) + 1,
                        given["type"],
                        given["time"],
                        json.dumps(given["data"]),
                    ),
                )
                database.execute("COMMIT")
            return len(part)

        def ours() -> int:
            part = next(turns["ours"])
            for line in part:
                assert not ledger.record(line).duplicate
            return len(part)

        def stocked() -> int:
            part = next(turns["stock"])
            for line in part:
                given = json.loads(line)
                known = aggregates.get(given["subject"])
                person = Participant() if known is None else app.repository.get(known)
                person.record(given["type"], datetime.fromisoformat(given["time"]), given["data"])
                app.save(person)
                aggregates[given["subject"]] = person.id
            return len(part)

        rows = interleaved(
            {
                "bare sqlite3 FULL: read rows, insert, commit": bare,
                "Ledger.record": ours,
                "stock eventsourcing: get, trigger, save": stocked,
            },
            runs,
        )
        ledger.close()
        app.close()
        database.close()
        return rows


def bulk(path: Path, runs: int) -> list[Row]:
    """The three ways to load a history."""
    lines = path.read_bytes().splitlines()
    return interleaved(
        {
            "bare executemany, one transaction": lambda: bare_bulk(lines),
            "import": lambda: our_bulk(path),
            "stock eventsourcing, 1,000 aggregates a save": lambda: stock_bulk(lines),
        },
        runs,
    )


if __name__ == "__main__":
    given = Path(sys.argv[1])
    for rows in (bulk(given, 3), single_records(given.read_bytes().splitlines()[:6000], 3)):
        for row in rows:
            print(f"{row.name:48s} {row.rate:10,.0f}/s  {row.rate / rows[0].rate:.2f} × bare")
