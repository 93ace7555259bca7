"""Beyond one machine: a cluster of two executor processes says the same bytes as the Python law."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.evidence.wire import write_event
from prakerja_ledger.interfaces.cli.words import Words
from prakerja_ledger.simulating.people import population
from prakerja_ledger.simulating.writing import Simulation, write_lines
from prakerja_ledger.spark.layout import Group, files_of, parts_of
from tests import worlds
from tests.bulk_support import rounded
from tests.cli_support import run, run_process
from tests.side_by_side import size_of
from tests.spark_support import (  # noqa: F401  # a fixture
    EXECUTORS,
    cluster,
    differences,
    engine,
    in_files,
    shuffled,
)
from tests.test_columnar import columnar, world
from tests.support import (
    as_lines,
    bought,
    certified,
    completed,
    enrolled,
    linked,
    offered,
    read,
    view,
)

pytestmark = pytest.mark.xdist_group("spark")
FIRST = int(os.environ.get("PRAKERJA_SEED", "0"))
COUNT = int(os.environ.get("PRAKERJA_SPARK_WORLDS", "2"))


def view_of(seed: int, lines: list[bytes]):
    """One of the views that a random world is asked in; K among them."""
    every = list(worlds.views(seed, lines))
    return view(*every[seed % len(every)])


# --- the same bytes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_a_cluster_says_the_same_of_a_random_world(cluster, tmp_path, seed):
    """Broken lines, voids, shared identities and all: judged where they stand."""
    lines = worlds.history(seed, **size_of(seed))
    recorded, seen = read(lines), view_of(seed, lines)
    spark = engine(cluster, in_files(tmp_path / "history", lines), seen)
    assert not list(differences(recorded, spark, seen)), f"seed {seed}"
    codes = Counter(one.code for one in recorded.refusals.values())
    assert (spark.recorded, spark.duplicates, spark.refused) == (
        *recorded.counts[:2],
        codes,
    )


@pytest.mark.parametrize("seed", range(FIRST + 1000, FIRST + 1000 + COUNT))
def test_recorded_events_are_answered_in_sql(cluster, tmp_path, seed):
    lines = worlds.history(seed, **size_of(seed))
    seen = view_of(seed, lines)
    recorded = rounded(read(lines))
    canonical = [write_event(one) for one in recorded.events.values()]
    folder = in_files(tmp_path / "history", canonical)
    spark = engine(cluster, folder, seen, is_vouched=True)
    assert not list(differences(read(canonical), spark, seen)), f"seed {seed}"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """The whole programme in 500 people: its files, what is recorded, and a view of it."""
    out = BytesIO()
    write_lines(Simulation(population(500, None), 500, 3), out, lambda _: None, by_time=False)
    lines = out.getvalue().splitlines()
    folder = in_files(tmp_path_factory.mktemp("cohort") / "files", lines, rows=1000)
    return folder, read(lines), view("2024-03-31")


def test_a_simulated_cohort(cluster, cohort):
    folder, recorded, seen = cohort
    spark = engine(cluster, folder, seen, events_a_part=3000, is_vouched=True)
    assert not list(differences(recorded, spark, seen))


def test_what_participants_of_different_parts_share_is_found(cluster, tmp_path):
    """An account, a certificate, a course that only somebody far away lets one judge, an identity."""
    history = offered(courses=("C-1", "C-2"))
    for n in range(12):
        who = f"P-{n:02}"
        history += enrolled(who=who) + linked("A-1", who=who, id=f"linked {who}")
        history += bought(who=who, package="PK-1", id=f"bought {who}")
        history += completed(who=who, id=f"completed {who}" if n % 4 else "completed")
        history += certified(who=who, certificate=f"S-{n % 3}", id=f"certified {who}")
    history += bought("C-1", purchase="B-2", who="P-11", method="atm", id="outside")
    lines = as_lines(history)
    seen, recorded = view("2020-06-01"), read(lines)
    assert recorded.counts[2] == 2, "an identity that is taken"
    spark = engine(cluster, in_files(tmp_path / "history", lines, rows=5), seen, events_a_part=10)
    assert len(spark._job.parts) > 4
    assert not list(differences(recorded, spark, seen))


def test_the_python_law_alone_says_the_same(cluster, tmp_path):
    lines = worlds.history(7, **size_of(7))
    seen = view_of(7, lines)
    spark = engine(cluster, in_files(tmp_path / "history", lines), seen, by_python=True)
    assert not list(differences(read(lines), spark, seen))


# --- what may happen on the way -----------------------------------------------------------------------


def kept(session) -> int:
    """How many answers stand on the executors' disks."""
    return len(session.sparkContext._jsc.getPersistentRDDs())


def executors(session) -> set[int]:
    """The processes of the executors: a worker's parent forks workers, and its parent is the executor."""

    def who(given):
        import os
        import time
        from pathlib import Path

        for numbers in given:
            time.sleep(1)  # so that neither executor takes both tasks
            found = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1]
            yield pa.RecordBatch.from_pydict({"pid": [int(found)] * len(numbers)})

    count = 2 * EXECUTORS
    found = session.range(0, count, 1, count).mapInArrow(who, "pid long").distinct().collect()
    return {row.pid for row in found}


def test_an_answer_that_is_given_up_leaves_nothing_behind(cluster, cohort):
    folder, _, seen = cohort
    answer = engine(cluster, folder, seen, events_a_part=3000, is_vouched=True).statements()
    next(answer)
    assert kept(cluster) == 1
    answer.close()
    assert kept(cluster) == 0


def test_an_executor_that_dies_changes_nothing(cluster, cohort):
    """What it kept is worked out once more, by whoever is there."""
    folder, recorded, seen = cohort
    processes = executors(cluster)
    assert len(processes) == EXECUTORS
    answer = engine(cluster, folder, seen, events_a_part=3000, is_vouched=True).statements()
    first = next(answer)
    os.kill(max(processes), signal.SIGKILL)
    assert first + b"".join(answer) == recorded.statements_json(seen)


# --- sources that are not as they should be -----------------------------------------------------------


def test_rows_in_another_order_are_refused(cohort, tmp_path):
    """Before a cluster is asked: the footers tell. `arrange`, on the page below, lays them out."""
    folder, _, seen = cohort
    shuffled(tmp_path / "shuffled", pq.read_table(folder))
    with pytest.raises(UnreadableSource, match="do not stand by participant"):
        engine(None, tmp_path / "shuffled", seen, events_a_part=3000)


def test_rows_that_come_after_the_plan_are_no_silent_loss(cluster, tmp_path):
    lines = worlds.history(2, **size_of(2))
    folder = in_files(tmp_path / "history", lines, files=1, rows=1 << 20)
    spark = engine(cluster, folder, view("2020-12-31"))
    (path,) = folder.glob("*.parquet")
    table = pq.read_table(path)
    pq.write_table(table.slice(0, len(table) - 1), path)
    with pytest.raises(UnreadableSource, match="were found"):
        spark.totals("wave")


def test_a_damaged_file_is_an_error_and_no_trace_of_an_executor(cluster, tmp_path):
    lines = worlds.history(2, **size_of(2))
    folder = in_files(tmp_path / "history", lines, files=1, rows=1 << 20)
    (path,) = folder.glob("*.parquet")
    pq.write_table(pq.read_table(path), path, write_page_checksum=True)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(UnreadableSource, match="damaged") as caught:
        list(engine(cluster, folder, view("2020-12-31")).statements())
    assert "data Parquet rusak atau terpotong" in Words("id").error(caught.value)


def test_a_foreign_file_is_refused_before_anything_is_started(tmp_path):
    pq.write_table(pa.table({"subject": ["a"]}), tmp_path / "foreign.parquet")
    with pytest.raises(UnreadableSource, match="no history"):
        engine(None, tmp_path / "foreign.parquet", view("2020-12-31"))


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(UnreadableSource, match="no Parquet file"):
        files_of(str(tmp_path))


# --- the plan -----------------------------------------------------------------------------------------


def groups(*spans: tuple[str, str]) -> list[Group]:
    return [Group("f", number, 10, *span) for number, span in enumerate(spans)]


def test_each_part_has_the_row_groups_of_its_participants():
    """Whoever stands in two row groups is in one part, which reads both."""
    found = parts_of(groups(("a", "c"), ("c", "e"), ("e", "g"), ("h", "k")), 20)
    assert [(part.low, part.high) for part in found] == [(None, "e"), ("e", None)]
    assert [[number for _, number in part.groups] for part in found] == [[0, 1], [1, 2, 3]]


def test_a_participant_of_many_row_groups_is_one_part():
    found = parts_of(groups(("a", "b"), ("b", "b"), ("b", "b"), ("b", "c"), ("d", "e")), 10)
    assert [(part.low, part.high) for part in found] == [(None, "b"), ("b", "d"), ("d", None)]
    assert [len(part.groups) for part in found] == [1, 4, 1]


@pytest.mark.parametrize("firsts", ["aaaaaaaaaa", "abcdefghij"])
def test_row_groups_in_the_order_of_recording_are_no_plan(firsts):
    with pytest.raises(ValueError, match="by participant"):
        parts_of(groups(*((first, "z") for first in firsts)), 10)


# --- the page -----------------------------------------------------------------------------------------


def test_the_page_runs(cluster, cohort, tmp_path, monkeypatch):
    """Every block of docs/howto/spark.md, on this cluster."""
    page = Path(__file__).resolve().parents[1] / "docs" / "howto" / "spark.md"
    blocks = re.findall(r"^```py\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    folder, recorded, _ = cohort
    names = {"session": cluster, "folder": str(folder)}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)
    seen = view("2024-12-31")
    assert Path("statements.jsonl").read_bytes() == recorded.statements_json(seen)
    folder = folder.with_name("files-arranged")
    arranged = engine(cluster, folder, seen, events_a_part=5000, is_vouched=True)
    assert b"".join(arranged.statements()) == recorded.statements_json(seen)


# --- from the command line --------------------------------------------------------------------------


def test_a_command_asks_a_cluster(tmp_path):
    path = columnar(tmp_path, world(413))
    question = ("statement", path, "--json", "--as-of", "2021-06-01")
    law = run(*question, "--engine", "python")
    spark = run_process(*question, "--engine", "spark", "--master", "local[2]")

    assert spark.out == law.out
    assert spark.status == law.status == 3
    assert law.err in spark.err  # Java says things of its own there


@pytest.mark.parametrize("command", ["check", "audit"])
def test_what_a_cluster_does_not_answer_is_said_at_once(cohort, command):
    answer = run(command, cohort[0], "--engine", "spark")

    assert answer.status == 2
    assert "--engine spark does not answer this" in answer.err
