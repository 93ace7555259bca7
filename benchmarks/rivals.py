"""What a user would pick instead, each in a process of its own: `python -m benchmarks.rivals NAME FILE`.

All but the stores' writing find the same two sums by participant: rupiah instructed and rupiah settled, as
they stand in the rows. That is all they do: no rule of the programme is asked, nothing is judged, and a
settlement that names no amount adds nothing. Each prints one line of JSON: the sums, and the seconds inside
the process by phase, imports and start-up left out.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

INSTRUCTED, SETTLED = "disbursement-instructed", "disbursement-settled"
Found = dict[str, Any]


class Phases:
    """Seconds of each phase, in the order they were lived."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._began = time.perf_counter()

    def begin(self) -> None:
        self._began = time.perf_counter()

    def end(self, name: str) -> None:
        self.seconds.setdefault(name, []).append(time.perf_counter() - self._began)


# -- columns --


def duckdb_group(path: str, phases: Phases) -> Found:
    """Embedded DuckDB, a GROUP BY over the Parquet file: the floor."""
    import duckdb

    phases.begin()
    database = duckdb.connect(config={"threads": 2})
    database.execute(
        "CREATE TABLE balances AS SELECT subject, "
        f"sum(amount) FILTER (kind = '{INSTRUCTED}') AS instructed, "
        f"sum(amount) FILTER (kind = '{SETTLED}') AS settled "
        f"FROM read_parquet('{path}') GROUP BY subject"
    )
    phases.end("query")
    sums = database.execute("SELECT sum(instructed)::BIGINT, sum(settled)::BIGINT FROM balances").fetchone()
    return {"sums": sums}


def polars_group(path: str, phases: Phases) -> Found:
    """Polars, lazily and streaming."""
    os.environ["POLARS_MAX_THREADS"] = "2"
    import polars as pl

    phases.begin()
    balances = (
        pl.scan_parquet(path)
        .group_by("subject")
        .agg(
            pl.col("amount").filter(pl.col("kind") == INSTRUCTED).sum().alias("instructed"),
            pl.col("amount").filter(pl.col("kind") == SETTLED).sum().alias("settled"),
        )
        .collect(engine="streaming")
    )
    phases.end("query")
    return {"sums": (balances["instructed"].sum(), balances["settled"].sum())}


def pyspark_group(path: str, phases: Phases) -> Found:
    """PySpark on two local cores: the session, the first query, three warm ones."""
    phases.begin()
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", "8")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    phases.end("session")
    for name in ("first", "warm", "warm", "warm"):
        phases.begin()
        balances = session.read.parquet(path).groupBy("subject").agg(
            F.sum(F.when(F.col("kind") == INSTRUCTED, F.col("amount"))).alias("instructed"),
            F.sum(F.when(F.col("kind") == SETTLED, F.col("amount"))).alias("settled"),
        )
        sums = tuple(balances.agg(F.sum("instructed"), F.sum("settled")).first())
        phases.end(name)
    peak = max(map(_peak_mib, _children(os.getpid())))  # the JVM's, which a script starts
    session.stop()
    return {"sums": sums, "peak": peak}


def _peak_mib(process: int) -> float:
    """Of a process that lives; one that only waits to be collected has no memory any more."""
    _, found, rest = Path(f"/proc/{process}/status").read_text().partition("VmHWM:")
    return int(rest.split()[0]) / 1024 if found else 0.0


def _children(process: int) -> list[int]:
    """The processes that a process started, and theirs."""
    own = [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return own + [child for one in own for child in _children(one)]


# -- bytes and lines --


def read_bytes(path: str, phases: Phases) -> Found:
    """The bytes of the file, and nothing done with them."""
    phases.begin()
    file, buffer = os.open(path, os.O_RDONLY), bytearray(1 << 20)
    while os.readv(file, [buffer]):
        pass
    os.close(file)
    phases.end("read")
    return {}


def unpack(path: str, phases: Phases) -> Found:
    """The bytes of a zstd file, unpacked."""
    import zstandard

    phases.begin()
    with open(path, "rb") as file:
        for _ in zstandard.ZstdDecompressor().read_to_iter(file, write_size=1 << 20):
            pass
    phases.end("read")
    return {}


def _fold(pairs: Iterator[tuple[str, str, int | None]]) -> Found:
    instructed: dict[str, int] = {}
    settled: dict[str, int] = {}
    of_kind = {f"prakerja.{INSTRUCTED}.v1": instructed, f"prakerja.{SETTLED}.v1": settled}
    for kind, subject, amount in pairs:
        sums = of_kind.get(kind)
        if sums is not None:
            sums[subject] = sums.get(subject, 0) + (amount or 0)
    return {"sums": (sum(instructed.values()), sum(settled.values()))}


def json_fold(path: str, phases: Phases) -> Found:
    """A loop over the lines with the standard library."""
    phases.begin()
    with open(path, "rb", buffering=1 << 20) as file:
        events = map(json.loads, file)
        found = _fold((e["type"], e["subject"], e["data"].get("amount")) for e in events)
    phases.end("fold")
    return found


def msgspec_fold(path: str, phases: Phases) -> Found:
    """The same with typed decoding of what is needed, and no more."""
    import msgspec

    data = msgspec.defstruct("Data", [("amount", int | None, None)])
    event = msgspec.defstruct("Event", [("type", str), ("subject", str), ("data", data)])
    decode = msgspec.json.Decoder(event).decode
    phases.begin()
    with open(path, "rb", buffering=1 << 20) as file:
        events = map(decode, file)
        found = _fold((e.type, e.subject, e.data.amount) for e in events)
    phases.end("fold")
    return found


# -- stores --


def _participants(path: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The events of each subject, which stand together in a simulated history."""
    with open(path, "rb", buffering=1 << 20) as file:
        for subject, events in groupby(map(json.loads, file), key=lambda event: event["subject"]):
            yield subject, list(events)


def stock_fill(path: str, phases: Phases) -> Found:
    """Stock `eventsourcing` on SQLite: whole participants, a thousand to a save."""
    from datetime import datetime

    from benchmarks.balances import Balance, Balances
    from benchmarks.peers import stock_environment

    target = Path(path).with_suffix(".stock.db")
    target.unlink(missing_ok=True)
    phases.begin()
    app = Balances(env=stock_environment(str(target)))
    people: dict[str, Balance] = {}
    for subject, events in _participants(path):
        person = people.setdefault(subject, Balance(subject))
        for event in events:
            person.record(event["type"], datetime.fromisoformat(event["time"]), event["data"])
        if len(people) >= 1_000:
            app.save(*people.values())
            people.clear()
    app.save(*people.values())
    app.close()
    phases.end("fill")
    return {"bytes": target.stat().st_size}


def stock_log(path: str, phases: Phases) -> Found:
    """Its notification log, by pages of a thousand, mapped to domain events and folded."""
    from benchmarks.balances import Balances, folded
    from benchmarks.peers import stock_environment

    app = Balances(env=stock_environment(str(Path(path).with_suffix(".stock.db"))))
    phases.begin()
    found = _fold(folded(app))
    phases.end("log")
    app.close()
    return found


def stock_get(path: str, phases: Phases) -> Found:
    """`repository.get` of everybody."""
    from uuid import UUID

    from benchmarks.balances import Balance, Balances
    from benchmarks.peers import stock_environment

    target = str(Path(path).with_suffix(".stock.db"))
    with sqlite3.connect(target) as database:
        rows = database.execute("SELECT DISTINCT originator_id FROM stored_events").fetchall()
    app = Balances(env=stock_environment(target))
    instructed = settled = 0
    phases.begin()
    for (name,) in rows:
        person: Balance = app.repository.get(UUID(name))
        instructed += person.instructed
        settled += person.settled
    phases.end("get")
    app.close()
    return {"sums": (instructed, settled)}


def ledger_statement(path: str, phases: Phases) -> Found:
    """Our own ledger in a process that runs already: opened, and one participant after another."""
    from datetime import date

    from benchmarks.facts import participants_of
    from prakerja_ledger import Ledger

    count = participants_of(path)
    phases.begin()
    with Ledger.open(f"sqlite:///{path}", create=False) as ledger:
        phases.end("open")
        for number in range(1, count, max(1, count // 200)):
            phases.begin()
            ledger.statement(f"P-{number:09}", as_of=date(2024, 12, 31))
            phases.end("statement")
    return {}


def umadb_store(path: str, phases: Phases) -> Found:
    """UmaDB's own server: appended a thousand at once, read whole and folded, read by participant."""
    import umadb

    from benchmarks.peers import umadb_process
    from tests.servers import free_port

    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(dir=Path(path).parent)))
        url, server = umadb_process(folder, free_port(), held)
        client = held.enter_context(umadb.Client(url))
        with open(path, "rb") as file:
            given = [json.loads(line) for line in file]
        events = [
            umadb.Event(event_type=e["type"], data=json.dumps(e["data"]).encode(), tags=[e["subject"]])
            for e in given
        ]
        phases.begin()
        for start in range(0, len(events), 1_000):
            client.append(events[start : start + 1_000])
        phases.end("append")
        phases.begin()
        found = _fold(map(_umadb_row, client.read()))
        phases.end("read")
        names = list({e["subject"] for e in given})[:1_000]
        phases.begin()
        count = 0
        for name in names:
            query = umadb.Query(items=[umadb.QueryItem(tags=[name])])
            count += len([json.loads(bytes(one.event.data)) for one in client.read(query)])
        phases.end("by participant")
        size = sum(file.stat().st_size for file in folder.iterdir())
        return {**found, "peak": _peak_mib(server.pid), "bytes": size, "events": {"by participant": count}}


def _umadb_row(one: Any) -> tuple[str, str, int | None]:
    event = one.event
    return event.event_type, event.tags[0], json.loads(bytes(event.data)).get("amount")


RIVALS: dict[str, Callable[[str, Phases], Found]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        duckdb_group,
        polars_group,
        pyspark_group,
        read_bytes,
        unpack,
        json_fold,
        msgspec_fold,
        stock_fill,
        stock_log,
        stock_get,
        ledger_statement,
        umadb_store,
    )
}

if __name__ == "__main__":
    lived = Phases()
    answer = RIVALS[sys.argv[1]](sys.argv[2], lived)
    print(json.dumps({**answer, "phases": lived.seconds}))
