"""Imports that are stopped: the next one goes on where they stopped, as if nothing had happened."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.interfaces.columnar.writing import write_columnar
from prakerja_ledger.interfaces.importing import FileImport
from prakerja_ledger.ledger import importing
from prakerja_ledger.ledger.importing import Importer
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.stores.sqlite_recorder import LedgerPool
from tests import worlds
from tests.cli_support import big_histories, environment, run
from tests.faults.postgres import site
from tests.faults.proxy import Plan, Proxy
from tests.ledger_support import as_bytes, enrolment
from tests.postgres_support import made, shared_database, through  # noqa: F401  # a fixture
from tests.support import read

BATCH = 16


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importing, "BATCH", BATCH)


@pytest.fixture(params=["sqlite", "postgresql", "three shards"])
def url(request: Any, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    options = {"shards": 3} if request.param == "three shards" else {}
    return made(request.getfixturevalue("shared_database"), **options)


def history(folder: Path, lines: list[bytes], form: str) -> Path:
    path = folder / f"history.{form}"
    if form == "parquet":
        write_columnar(enumerate(lines, 1), path, KARTU_PRAKERJA)
    else:
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def judged(url: str, path: Path, upto: int | None = None) -> tuple[FileImport, list[int]]:
    """Import, or stop after so many lines; and the numbers of the lines that were judged."""
    with Ledger.open(url) as ledger:
        file = FileImport(Importer(ledger), str(path), lambda _: None)
        numbers = []
        for number, _, _ in file.outcomes():
            numbers.append(number)
            if len(numbers) == upto:
                return file, numbers
        file.ended()
    return file, numbers


def counts(file: FileImport) -> tuple[int, int, int]:
    return file.tally.recorded, file.tally.duplicates, file.tally.quarantined


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_stopped_import_is_gone_on_with_as_if_it_had_not_been(
    tmp_path: Path, url: str, form: str, seed: int
):
    lines = worlds.history(seed, participants=9, events=200)
    path = history(tmp_path, lines, form)
    law = read(lines)

    _, first = judged(url, path, 5 * BATCH + 3)
    file, second = judged(url, path)

    durable = first[: 6 * BATCH] + list(law.outcomes)[len(first) : 6 * BATCH]
    aside = [number for number in durable if number in law.refusals]
    assert second == aside + [number for number in law.outcomes if number > durable[-1]]
    assert counts(file) == law.counts
    assert list(file.tally.quarantine()) == [(n, one.code) for n, one in law.refusals.items()]


def test_an_import_that_came_to_its_end_is_judged_again_as_duplicates(tmp_path: Path, url: str):
    path = history(tmp_path, [as_bytes(enrolment(f"P-{n}", id=f"e-{n}")) for n in range(40)], "jsonl")
    assert counts(judged(url, path)[0]) == (40, 0, 0)
    assert counts(judged(url, path)[0]) == (0, 40, 0)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_file_that_is_not_the_one_that_was_read_is_read_from_its_beginning(tmp_path: Path, form: str):
    url = f"sqlite:///{tmp_path}/ledger.db"
    lines = [as_bytes(enrolment(f"P-{n}", id=f"e-{n}")) for n in range(60)]
    path = history(tmp_path, lines, form)
    judged(url, path, BATCH)

    lines[2] = as_bytes(enrolment("P-new", id="new"))
    file, numbers = judged(url, history(tmp_path, lines, form))

    assert numbers == list(range(1, 61))
    assert file.tally.recorded + file.tally.duplicates == 60
    assert "P-new" in run("statement", url, "--json").text


def test_a_file_that_has_grown_since_is_gone_on_with(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    lines = [as_bytes(enrolment(f"P-{n}", id=f"e-{n}")) for n in range(60)]
    judged(url, history(tmp_path, lines[:40], "jsonl"), BATCH)

    file, numbers = judged(url, history(tmp_path, lines, "jsonl"))

    assert numbers[0] > BATCH
    assert counts(file) == (60, 0, 0)


def test_a_line_that_was_quarantined_stays_so_until_the_file_is_imported_once_more(tmp_path: Path):
    """As in an import that is not stopped: what it refers to came behind it."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    lines = [as_bytes(enrolment(f"P-{n}", id=f"e-{n}")) for n in range(60)]
    voiding = {**json.loads(lines[0]), "id": "void", "type": "prakerja.participation-revoked.v1"}
    voiding["data"] = {"reason": "ineligible"}
    path = history(tmp_path, [json.dumps(voiding).encode(), *lines], "jsonl")
    judged(url, path, 2 * BATCH)

    assert counts(judged(url, path)[0]) == (60, 0, 1)
    assert counts(judged(url, path)[0]) == (1, 60, 0)


# --- a full disk, a lost connection -------------------------------------------------------------------


def goes_on_as_if_nothing_had_happened(url: str, path: Path, lines: list[bytes]) -> None:
    law = read(lines)
    with Ledger.open(url) as ledger:
        durable = len(list(ledger.lines()))
    file, numbers = judged(url, path)
    behind = [n for n in numbers if n not in law.refusals]
    assert counts(file) == law.counts
    assert len(behind) <= len(lines) - durable, "what was durable was judged again"
    with Ledger.open(url) as ledger:
        assert len(list(ledger.lines())) == law.counts[0]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_an_import_that_met_a_full_disk_is_gone_on_with_once_there_is_room(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
):
    lines = worlds.history(3, participants=9, events=300)
    path = history(tmp_path, lines, form)
    url = f"sqlite:///{tmp_path}/ledger.db"
    set_up = LedgerPool._set_up

    def small(pool: Any, connection: sqlite3.Connection) -> None:
        set_up(pool, connection)
        connection.execute("PRAGMA max_page_count = 40")

    with monkeypatch.context() as patched, pytest.raises(LedgerFault, match="full"):
        patched.setattr(LedgerPool, "_set_up", small)
        judged(url, path)

    with Ledger.open(url) as ledger:
        assert 0 < ledger.head() < read(lines).counts[0]
    goes_on_as_if_nothing_had_happened(url, path, lines)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("cut", ["not stored", "stored"])
@pytest.mark.parametrize("shards", [1, 3])
def test_an_import_whose_connection_is_cut_at_a_commit_is_gone_on_with(
    tmp_path: Path, cut: str, form: str, shards: int
):
    """Whether the server had committed the batch, and its bookmark with it, or not."""
    lines = worlds.history(4, participants=9, events=200)
    path = history(tmp_path, lines, form)
    url = made(site().server.url(site().server.new_database()), shards=shards)
    plan = Plan(form=cut, first=4, every=3)

    with Proxy(site().server.port, plan) as between, suppress(LedgerFault):
        judged(through(url, between.port), path)

    assert plan.struck
    goes_on_as_if_nothing_had_happened(url, path, lines)


# --- kill -9 ------------------------------------------------------------------------------------------

SMALL_BATCHES = (
    "from prakerja_ledger.ledger import importing; importing.BATCH = 256; "
    "from prakerja_ledger.interfaces.cli.main import main; main()"
)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_an_import_killed_again_and_again_ends_with_the_counts_of_one(
    tmp_path: Path, url: str, form: str
):
    plain = tmp_path / "plain.jsonl"
    count = big_histories().write(plain, 500)
    lines = [*plain.read_bytes().splitlines(), b"no event"]
    path = history(tmp_path, lines, form)
    rng = random.Random(form + url[:6])
    for _ in range(3):
        _kill_after_some(path, url, rng)
    done = subprocess.run(
        [sys.executable, "-c", SMALL_BATCHES, "import", str(path), "--ledger", url],
        capture_output=True, env=environment(), check=False, timeout=300,
    )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert done.stdout.decode() == f"{count} recorded · 0 duplicates · 1 quarantined\n"
    kept = Path(f"{path}.quarantined.jsonl")
    assert kept.read_bytes() == b"no event\n"
    assert sorted(run("export", url).out.splitlines()) == sorted(lines[:-1])


def _kill_after_some(path: Path, url: str, rng: random.Random) -> None:
    """Let a few batches more become durable, and kill at some moment after."""
    before = _head(url)
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL_BATCHES, "import", str(path), "--ledger", url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    until = time.monotonic() + 120
    while process.poll() is None and _head(url) == before and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(rng.random() / 20)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)


def _head(url: str) -> int:
    with Ledger.open(url) as ledger:
        return ledger.head()
