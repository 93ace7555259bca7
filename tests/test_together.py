"""A Parquet history read by several processes: the bytes of the one process that reads it all."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.domain.register import Recorded, Refusal
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.interfaces.columnar import writing
from prakerja_ledger.interfaces.columnar.note import read_note, write_note
from prakerja_ledger.interfaces.columnar.reading import ColumnarHistory
from prakerja_ledger.interfaces.columnar.writing import seal, write_columnar
from prakerja_ledger.interfaces.source import Tally
from prakerja_ledger.interfaces.together import history
from prakerja_ledger.interfaces.together.history import together
from prakerja_ledger.reading import totals as sums
from prakerja_ledger.reading.view import View
from tests import worlds
from tests.bulk_support import python_totals, python_unpaid
from tests.cli_support import CASES, needs_cases, run
from tests.ledger_support import as_bytes, enrolment
from tests.support import Read, read, view

FIRST = int(os.environ.get("PRAKERJA_SEED", "0"))
COUNT = int(os.environ.get("PRAKERJA_WORLDS", "6"))
AS_OF = "2021-06-01"


@pytest.fixture(autouse=True)
def _small_shares(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(history, "ALONE_UP_TO", 0)


def columnar(folder: Path, lines: list[bytes], rows: int = 31) -> Path:
    """Lines as a Parquet history of many small row groups, in which participants go on and on."""
    path = folder / f"history-{rows}.parquet"
    before, writing.GROUP_ROWS = writing.GROUP_ROWS, rows  # type: ignore[misc]
    try:
        write_columnar(enumerate(lines, 1), path, KARTU_PRAKERJA)
    finally:
        writing.GROUP_ROWS = before  # type: ignore[misc]
    return path


def assert_same_as_the_law(path: Path, law: Read, seen: View, processes: int) -> None:
    """Every answer that there is."""
    with together(str(path), KARTU_PRAKERJA, seen, processes) as asked:
        assert asked is not None
        made = b"".join(asked.statements())
        assert made == law.statements_json(seen)
        assert [who for who, _ in asked.withheld] == law.statements(seen)[1]
        assert asked.tally is not None
        assert_same_counts(asked.tally, law)
        assert b"".join(asked.findings()) == law.findings_json(seen)
        undecided = law.evaluation(seen).findings()[1]
        assert asked.undecided == [(who, error.fields["needed"]) for who, error in undecided]
        assert asked.unpaid() == python_unpaid(law, seen)
        for by in ("cause", random.Random(processes).choice(list(sums.GROUPINGS))):
            totals = asked.totals(by).items()
            rows = [(k, t.participants, t.lines, t.entitlement, *t.amounts.values()) for k, t in totals]
            assert rows == python_totals(law, seen, by)


def assert_same_counts(tally: Tally, law: Read) -> None:
    recorded, duplicates, quarantined = law.counts
    assert (tally.recorded, tally.duplicates, tally.quarantined) == (recorded, duplicates, quarantined)
    assert list(tally.quarantine()) == [(n, one.code) for n, one in law.refusals.items()]


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_shares_say_of_a_random_world_what_the_law_says(tmp_path: Path, seed: int):
    lines = worlds.history(seed, participants=9, events=260)
    law = read(lines)
    views = [view(day, known) for day, known in worlds.views(seed, lines)]
    for rows, seen in zip((19, 53, 1000), views, strict=False):
        assert_same_as_the_law(columnar(tmp_path, lines, rows), law, seen, 1)
    assert_same_as_the_law(columnar(tmp_path, lines, 43), law, views[-1], 2 + seed % 2)


@needs_cases
@pytest.mark.parametrize(
    "path",
    sorted(path for path in CASES.rglob("*.jsonl") if path.name.count(".") == 1),
    ids=lambda path: path.stem,
)
def test_shares_say_of_a_documented_case_what_the_law_says(tmp_path: Path, path: Path):
    lines = path.read_bytes().splitlines()
    assert_same_as_the_law(columnar(tmp_path, lines, 5), read(lines), view(AS_OF), 1)


def test_processes_say_of_a_simulated_cohort_what_the_commands_say(tmp_path: Path):
    path = tmp_path / "cohort.parquet"
    assert run("simulate", "--participants", "1500", "--seed", "3", "--output", path).status == 0
    rewritten = columnar(tmp_path, run("export", path).out.splitlines(), 4_000)
    answers = {
        name: run(name, path, "--json", "--as-of", "2021-12-31").out
        for name in ("statement", "findings", "unpaid")
    }
    for source, processes in ((path, 2), (rewritten, 3)):
        with together(str(source), KARTU_PRAKERJA, view("2021-12-31"), processes) as asked:
            assert asked is not None
            assert b"".join(asked.statements()) == answers["statement"]
            assert b"".join(asked.findings()) == answers["findings"]
            rows = [list(json.loads(line).values()) for line in answers["unpaid"].splitlines()]
            assert [list(row) for row in asked.unpaid()] == rows


def test_what_is_not_recorded_is_told_as_check_tells_it(tmp_path: Path):
    lines = worlds.history(5, participants=9, events=260, broken=0.2, duplicates=0.2)
    lines = [line for line in lines if line.strip()]
    path = columnar(tmp_path, lines)
    law = read(lines)
    for processes in (1, 2):
        with together(str(path), KARTU_PRAKERJA, None, processes) as asked:
            assert asked is not None
            told = list(asked.outcomes())
            assert told == [(n, one) for n, one in law.outcomes.items() if not isinstance(one, Recorded)]
            assert asked.tally is not None
            assert_same_counts(asked.tally, law)


def test_an_identity_that_two_shares_hold_belongs_to_whoever_was_recorded_first(tmp_path: Path):
    lines = [as_bytes(enrolment("P-900", id="same"))]
    lines += [as_bytes(enrolment(f"P-{n}", id=f"e-{n}")) for n in range(101, 140)]
    lines += [as_bytes(enrolment("P-100", id="same"))]
    path = columnar(tmp_path, lines, 10)

    with together(str(path), KARTU_PRAKERJA, view(AS_OF), 2) as asked:
        assert asked is not None
        made = [json.loads(line)["participant"] for line in b"".join(asked.statements()).splitlines()]
        assert made == [*(f"P-{n}" for n in range(101, 140)), "P-900"]
        assert asked.tally is not None
        assert list(asked.tally.quarantine()) == [(41, "CONFLICTING_DUPLICATE")]


def test_a_history_of_nothing_has_no_shares(tmp_path: Path):
    with together(str(columnar(tmp_path, [])), KARTU_PRAKERJA, view(AS_OF), 2) as asked:
        assert asked is not None
        assert (b"".join(asked.statements()), asked.totals("wave"), asked.unpaid()) == (b"", {}, [])
        assert b"".join(asked.findings()) == b""
        assert asked.tally is not None
        assert asked.tally.lines == 0


# --- histories that are not read so --------------------------------------------------------------------


def test_a_file_of_another_tool_is_not_read_in_shares(tmp_path: Path):
    """Nothing says who shares an identity there."""
    path = columnar(tmp_path, worlds.history(1))
    pq.write_table(pq.read_table(path), path)
    with together(str(path), KARTU_PRAKERJA, view(AS_OF), 2) as asked:
        assert asked is None


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("order", ["position", "shuffled"])
def test_rows_in_another_order_than_vouched_for_are_no_history(
    tmp_path: Path, order: str, processes: int
):
    """Only whoever forges a note writes such a file; it gets an error and no number."""
    path = columnar(tmp_path, worlds.history(2, participants=9))
    table = pq.read_table(path)
    if order == "position":
        table = table.sort_by("position")
    else:
        places = list(range(table.num_rows))
        random.Random(1).shuffle(places)
        table = table.take(places)
    pq.write_table(table, path, row_group_size=20)
    seal(path)
    with pytest.raises(UnreadableSource, match="no history"):
        with together(str(path), KARTU_PRAKERJA, view(AS_OF), processes) as asked:
            assert asked is not None
            list(asked.statements())


@pytest.mark.parametrize("processes", [1, 2])
def test_a_flipped_bit_is_said_to_be(tmp_path: Path, processes: int):
    path = columnar(tmp_path, worlds.history(3, participants=9))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    path.write_bytes(content)
    with pytest.raises(UnreadableSource, match="damaged or cut short"):
        with together(str(path), KARTU_PRAKERJA, view(AS_OF), processes) as asked:
            assert asked is not None
            list(asked.statements())


# --- processes that die ---------------------------------------------------------------------------------


def test_a_process_that_dies_is_told_and_the_others_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = columnar(tmp_path, worlds.history(4, participants=9))
    started: list[Any] = []
    plain = history.Helpers.ask

    def killing(helpers: Any, share: Any) -> Any:
        started[:] = helpers.processes
        if len(started) == 2:
            started[0].kill()
        return plain(helpers, share)

    monkeypatch.setattr(history.Helpers, "ask", killing)
    with together(str(path), KARTU_PRAKERJA, view(AS_OF), 2) as asked:
        assert asked is not None
        with pytest.raises(LedgerFault, match=r"one of them has died.*fewer of them"):
            list(asked.statements())
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


READING = """
import sys
from datetime import date
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.interfaces.together import history
from prakerja_ledger.reading.view import View
history.ALONE_UP_TO = 0
with history.together(sys.argv[1], KARTU_PRAKERJA, View(as_of=date(2021, 6, 1)), 2) as asked:
    while True:
        for piece in asked.findings():
            pass
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whoever_stops_leaves_no_process_and_no_litter(tmp_path: Path, how: signal.Signals):
    path = columnar(tmp_path, worlds.history(6, participants=9, events=2_000))
    litter = tmp_path / "litter"
    litter.mkdir()
    package = str(Path(__file__).resolve().parents[1])
    reader = subprocess.Popen(
        [sys.executable, "-c", READING, path], stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": package, "TMPDIR": str(litter)},
    )  # fmt: skip
    helpers: list[int] = []
    until = time.monotonic() + 60
    while len(helpers) < 2 and time.monotonic() < until:
        time.sleep(0.05)
        helpers = _children(reader.pid)
    time.sleep(random.Random(how).random())
    reader.send_signal(how)
    said = reader.communicate(timeout=60)[1].decode()

    assert len(helpers) == 2
    assert said.count("Traceback") == (how is signal.SIGINT), said
    while any(_lives(pid) for pid in helpers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in helpers if _lives(pid)]
    assert not list(litter.iterdir())


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] or [
            int(stat.parent.name)
            for stat in Path("/proc").glob("[0-9]*/stat")
            if _parent(stat) == pid
        ]
    except OSError:
        return []


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
