"""A local cluster of two executor processes, and histories as several files of columns."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.interfaces.columnar.law import RowsLaw
from prakerja_ledger.interfaces.columnar.writing import write_columnar
from prakerja_ledger.reading.view import View
from prakerja_ledger.spark.engine import Spark
from tests.support import Read

LAW = RowsLaw(KARTU_PRAKERJA)
SETTINGS = {
    # A few small answers: not worth a second compiler, nor plans compiled to classes.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.executor.memory": "512m",
    "spark.executorEnv.PYTHONPATH": str(Path(__file__).resolve().parents[1]),
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
EXECUTORS = 2


def need_java() -> None:
    """A machine without Java shows nothing of Spark: that is a failure, and no skip."""
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.fail("Spark needs Java 17 or later: scripts/install_servers.sh installs it")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Any]:
    """A session on a master with two workers, each with an executor process of its own."""
    need_java()
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local-cluster[{EXECUTORS},1,512]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    folder = tmp_path_factory.mktemp("spark")
    session = builder.config("spark.local.dir", str(folder)).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    logs = executors_logs(session)
    yield session
    session.stop()
    shutil.rmtree(logs, ignore_errors=True)


def executors_logs(session: Any) -> Path:
    """Where workers of a local cluster put what executors print: beside Spark, and that cannot be set."""
    import pyspark

    return Path(pyspark.__file__).parent / "work" / session.sparkContext.applicationId


def in_files(folder: Path, lines: list[bytes], *, files: int = 3, rows: int = 16) -> Path:
    """Lines as a folder of Parquet files, sorted by participant through all of them.

    The cuts fall where they fall: also between two rows of one participant.
    """
    folder.mkdir(parents=True)
    whole = folder / "whole.parquet"
    write_columnar(enumerate(lines, 1), whole, KARTU_PRAKERJA)
    table = pq.read_table(whole)
    whole.unlink()
    size = -(-len(table) // files)
    for number in range(files):
        part = table.slice(number * size, size)
        pq.write_table(part, folder / f"part-{number}.parquet", row_group_size=rows)
    return folder


def shuffled(folder: Path, table: pa.Table) -> Path:
    """The same rows in no order at all."""
    folder.mkdir(parents=True)
    order = random.Random(1).sample(range(len(table)), len(table))
    pq.write_table(table.take(order), folder / "part.parquet", row_group_size=100)
    return folder


def engine(cluster: Any, source: Path, seen: View, **options: Any) -> Spark:
    options = {"events_a_part": 70, "memory_limit": "200MB", **options}
    return Spark(str(source), LAW, KARTU_PRAKERJA, seen, session=cluster, **options)


def differences(read: Read, spark: Spark, seen: View) -> Iterator[str]:
    """One sentence for each answer in which the cluster differs from the Python law."""
    from tests.bulk_support import python_totals, python_unpaid

    errors = read.statements(seen)[1]
    undecided = [(who, e.fields["needed"]) for who, e in read.evaluation(seen).findings()[1]]
    answers = {
        "statements": (read.statements_json(seen), lambda: b"".join(spark.statements())),
        "withheld": (errors, lambda: [who for who, _ in spark.withheld]),
        "findings": (read.findings_json(seen), lambda: b"".join(spark.findings())),
        "undecided": (undecided, lambda: spark.undecided),
        "totals": (python_totals(read, seen, "cause"), lambda: spark.totals("cause")),
        "unpaid": (python_unpaid(read, seen), spark.unpaid),
    }
    for what, (law, ask) in answers.items():
        ours = ask()
        if ours != law:
            yield f"{what} as of {seen.as_of}, known at {seen.known_at}: {law!r:.2000} {ours!r:.2000}"
