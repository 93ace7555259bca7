"""Spark: the answers on a local cluster, by size; and beside what they could have been built on instead.

    python -m benchmarks.spark h1m.parquet h10m.parquet --ask plan,totals,statements
    python -m benchmarks.spark h1m.parquet --ask others

`others` are: the Python law per part, rows taken through Spark instead of read by the executor, a range
shuffle of all rows, and two stages of plain SQL on Spark and on DuckDB.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
from pyspark.sql import SparkSession

from benchmarks.measure import Row
from prakerja_ledger.bulk.engine import Bulk
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.domain.time import day
from prakerja_ledger.interfaces.columnar.law import RowsLaw
from prakerja_ledger.reading.view import View
from prakerja_ledger.spark.engine import Spark

SEEN = View(as_of=day("2024-12-31"))
"""Nearly everybody is enrolled by then, so nearly everybody has a statement."""
ANSWERS = ("plan", "totals", "unpaid", "statements", "findings")
GROUP_BY = """
    SELECT count(*), sum(owed), sum(paid) FROM (
        SELECT subject,
            sum(CASE WHEN kind = 'disbursement-instructed' THEN amount END) AS owed,
            sum(CASE WHEN kind = 'disbursement-settled' THEN amount END) AS paid
        FROM events GROUP BY subject)"""
"""What every peer is asked."""
A_STAGE = """
    SELECT p.wave, count(*), sum(d.instructed), sum(d.settled), max(d.failed_at)
    FROM (
        SELECT subject, disbursement,
            sum(CASE WHEN kind = 'disbursement-instructed' THEN amount END) AS instructed,
            sum(CASE WHEN kind = 'disbursement-settled' THEN amount END) AS settled,
            max(CASE WHEN kind = 'disbursement-failed' THEN time END) AS failed_at
        FROM events WHERE disbursement IS NOT NULL GROUP BY subject, disbursement) d
    JOIN (SELECT subject, min(wave) AS wave FROM events WHERE kind = 'enrolled' GROUP BY subject) p
        ON p.subject = d.subject
    GROUP BY p.wave"""
"""One stage such as the law in SQL has forty of: disbursements, joined to their participants."""


def cluster(executors: int, memory: int, folder: str) -> SparkSession:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": f"file://{folder}",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.rolling.enabled": "false",
        "spark.executor.memory": f"{memory}m",
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "spark.local.dir": folder,
        "spark.sql.shuffle.partitions": "8",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master(f"local-cluster[{executors},1,{memory}]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def drained(pieces: Iterator[bytes]) -> int:
    return sum(map(len, pieces))


def asked(session: SparkSession, path: str, **options: Any) -> dict[str, Callable[[], Any]]:
    """Each answer as something to be timed; `plan` makes the engine that the others ask."""
    law = RowsLaw(KARTU_PRAKERJA)
    made: list[Spark] = []

    def plan() -> int:
        made[:] = [
            Spark(path, law, KARTU_PRAKERJA, SEEN, session=session, is_vouched=True, **options)
        ]
        return len(made[0]._job.parts)

    return {
        "plan": plan,
        "totals": lambda: len(made[0].totals("cause")),
        "unpaid": lambda: len(made[0].unpaid()),
        "statements": lambda: drained(made[0].statements()),
        "findings": lambda: drained(made[0].findings()),
    }


def others(session: SparkSession, path: str) -> dict[str, Callable[[], Any]]:
    """What the engine could have been built on instead."""
    rows = session.read.parquet(path)
    rows.createOrReplaceTempView("events")
    bare = duckdb.connect(config={"threads": 2})
    bare.execute(f"CREATE VIEW events AS FROM '{path}'")

    def in_one_process() -> Bulk:
        connection = duckdb.connect(config={"threads": 2})
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE events AS SELECT * REPLACE (CAST(time AS TIMESTAMP) AS time, "
            f"CAST(recordedtime AS TIMESTAMP) AS recordedtime) FROM '{path}'"
        )
        return Bulk(connection, KARTU_PRAKERJA, SEEN)

    def counted(given: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"rows": [sum(one.num_rows for one in given)]})

    def through(frame: Any) -> int:
        return sum(row.rows for row in frame.mapInArrow(counted, "rows long").collect())

    ranged = rows.repartitionByRange(8, "subject").sortWithinPartitions("subject", "position")
    by_python = asked(session, path, by_python=True)
    return {
        "Spark SQL: GROUP BY": lambda: len(session.sql(GROUP_BY).collect()),
        "DuckDB, one process: GROUP BY": lambda: len(bare.execute(GROUP_BY).fetchall()),
        "bulk engine, one process: totals": lambda: len(in_one_process().totals("cause")),
        "bulk engine, one process: statements": lambda: drained(in_one_process().statements()),
        "bulk engine, one process: findings": lambda: drained(in_one_process().findings()),
        "Spark SQL: one stage": lambda: len(session.sql(A_STAGE).collect()),
        "DuckDB, one process: one stage": lambda: len(bare.execute(A_STAGE).fetchall()),
        "rows read by Spark, handed on as Arrow": lambda: through(rows),
        "rows shuffled by Spark, handed on as Arrow": lambda: through(ranged),
        **{f"Python law: {name}": by_python[name] for name in ("plan", "totals", "statements")},
    }


def peaks() -> dict[str, float]:
    """The greatest resident memory of any executor, and of any of its Python workers, in MiB."""
    found = {"executor": 0.0, "worker": 0.0}
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            command = Path(folder, "cmdline").read_bytes()
            status = Path(folder, "status").read_text()
        except OSError:
            continue
        if "VmHWM:" not in status:
            continue
        mib = int(status.split("VmHWM:")[1].split()[0]) / 1024
        if b"CoarseGrainedExecutorBackend" in command:
            found["executor"] = max(found["executor"], mib)
        elif b"pyspark.daemon" in command or b"pyspark/daemon" in command:
            found["worker"] = max(found["worker"], mib)
    return found


def shuffled(folder: str) -> float:
    """MiB written to shuffles by all tasks, from the log of events."""
    written = 0
    for path in Path(folder).glob("app-*"):
        for line in path.read_text().splitlines():
            metrics = json.loads(line).get("Task Metrics") or {}
            written += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
    return written / (1 << 20)


def cpu_seconds() -> float:
    """CPU of this process and all it started: what a busy machine cannot stretch by much."""
    parents, used = {}, {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            fields = Path(path).read_text().rpartition(")")[2].split()
        except OSError:
            continue
        number = int(path.split("/")[2])
        parents[number], used[number] = int(fields[1]), sum(map(int, fields[11:15]))

    def ours(number: int) -> bool:
        while number not in (0, os.getpid()):
            number = parents.get(number, 0)
        return number != 0

    return sum(ticks for number, ticks in used.items() if ours(number)) / os.sysconf("SC_CLK_TCK")


def measured(name: str, events: int, subject: Callable[[], Any], runs: int) -> tuple[Row, Row]:
    """The seconds that it took, and those of CPU that all processes used."""
    row, cpu = Row(name, events, []), Row(name, events, [])
    for _ in range(runs):
        began, used = time.perf_counter(), cpu_seconds()
        subject()
        row.seconds.append(time.perf_counter() - began)
        cpu.seconds.append(cpu_seconds() - used)
    return row, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--ask", default=",".join(ANSWERS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--executors", type=int, default=2)
    parser.add_argument("--memory", type=int, default=1024, help="MiB of each executor's heap")
    given = parser.parse_args()
    wanted = given.ask.split(",")
    with tempfile.TemporaryDirectory(prefix="prakerja-spark-") as folder:
        began = time.perf_counter()
        session = cluster(given.executors, given.memory, folder)
        session.range(4).mapInArrow(lambda it: it, "id long").count()
        print(f"Python {platform.python_version()}, Spark {session.version}, {given.executors} executors")
        print(f"session and first task: {time.perf_counter() - began:.1f} s")
        for path in given.paths:
            events = pq.read_metadata(path).num_rows
            subjects = others(session, path) if wanted == ["others"] else asked(session, path)
            for name, subject in subjects.items():
                if wanted == ["others"] or name in ("plan", *wanted):
                    row, cpu = measured(name, events, subject, given.runs)
                    print(
                        f"{Path(path).stem:8s} {name:42s} {row.spread():>24s} s "
                        f"{row.rate / 1e3:6,.0f} thousand events/s, CPU {cpu.spread()} s: "
                        f"{cpu.median / events * 1e6:.2f} s a million",
                        flush=True,
                    )
        print({name: f"{mib:.0f} MiB" for name, mib in peaks().items()})
        logs = Path(pyspark.__file__).parent / "work" / session.sparkContext.applicationId
        session.stop()
        shutil.rmtree(logs, ignore_errors=True)
        print(f"shuffled: {shuffled(folder):.1f} MiB")


if __name__ == "__main__":
    main()
