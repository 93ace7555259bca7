"""Projections under processes that die, run beside each other, and rebuild while others write."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger import KARTU_PRAKERJA, CloudEvent, Ledger, Projection
from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.ledger.journal import StoredLine
from prakerja_ledger.ledger.steps import today_by
from prakerja_ledger.projecting import writer
from prakerja_ledger.projecting.makers import CommonLines, Makers
from tests.cli_support import run
from tests.postgres_support import made, schema_of, shared_database, without_options  # noqa: F401
from tests.projection_support import all_rows, law_of, life, projected
from tests.servers import connect

PROGRAM = Path(sys.executable).parent / "prakerja-ledger"


@pytest.fixture(params=["sqlite", "postgresql", "three shards"])
def urls(request: Any, tmp_path: Path) -> tuple[str, str]:
    """A ledger that several processes share, and where its rows are to be."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db", f"sqlite:///{tmp_path}/rows.db"
    options = {"shards": 3} if request.param == "three shards" else {}
    url = made(request.getfixturevalue("shared_database"), **options)
    with connect(without_options(url)) as connection:
        connection.execute(f"CREATE SCHEMA {schema_of(url)}_projection")
    return url, url


def reported(subject: str) -> list[CloudEvent]:
    """A life as facts: the machine's clock is long past it."""
    return [
        CloudEvent(source=c.source, id=c.id, subject=subject, time=c.time, fact=c.fact())
        for c in life(subject)
    ]


class Writer:
    """Records lives as fast as it can, until it is told to stop."""

    def __init__(self, url: str, first: int) -> None:
        self._url, self._next = url, first
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        with Ledger.open(self._url) as ledger:
            while not self._ends.is_set():
                for event in reported(f"P-{self._next}"):
                    ledger.record(event)
                self._next += 1


@contextmanager
def runner(ledger: str, into: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that keeps the rows current."""
    process = subprocess.Popen(
        [PROGRAM, "projection", "run", ledger, "--into", into],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def the_rows_are_the_laws_and_those_of_a_rebuild(urls: tuple[str, str]) -> None:
    with Ledger.open(urls[0]) as ledger, Projection.open(ledger, urls[1]) as projection:
        projection.run()
        law = law_of(ledger, today_by(ledger.clock))
        assert projected(projection, law) == law
        kept = all_rows(projection)
        projection.rebuild()
        assert all_rows(projection) == kept


def prepared(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.record_all(reported("P-0"))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_runner_killed_at_any_moment_leaves_rows_that_the_next_one_completes(
    urls: tuple[str, str], seed: int
):
    rng = random.Random(seed)
    prepared(urls[0])
    with Writer(urls[0], 100):
        for _ in range(3):
            with runner(*urls) as process:
                time.sleep(rng.uniform(0.3, 1.2))
                process.send_signal(signal.SIGKILL)
                process.wait()
    the_rows_are_the_laws_and_those_of_a_rebuild(urls)


def test_two_runners_at_once_do_no_harm(urls: tuple[str, str]):
    prepared(urls[0])
    with runner(*urls) as one, runner(*urls) as other, Writer(urls[0], 100):
        time.sleep(2.5)
        assert one.poll() is other.poll() is None, (one, other)
    the_rows_are_the_laws_and_those_of_a_rebuild(urls)


def test_a_runner_that_is_asked_to_end_ends_in_order(urls: tuple[str, str]):
    prepared(urls[0])
    with runner(*urls) as process:
        time.sleep(4)  # until it listens for signals, on a busy machine too
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, b"")


def test_a_rebuild_beside_writers_and_a_runner_loses_nothing(urls: tuple[str, str]):
    prepared(urls[0])
    with Ledger.open(urls[0]) as ledger, Projection.open(ledger, urls[1]) as projection:
        projection.run()
        with Writer(urls[0], 100), Writer(urls[0], 100_000), runner(*urls):
            until = time.monotonic() + 3
            while time.monotonic() < until:
                projection.rebuild()
    the_rows_are_the_laws_and_those_of_a_rebuild(urls)


# --- rows made by several processes -------------------------------------------------------------------


def filled(url: str, people: int) -> None:
    with Ledger.open(url) as ledger:
        package = {
            "specversion": "1.0", "source": "//pmo", "id": "offered", "type": "prakerja.package-offered.v1",
            "subject": "PK-1", "time": "2020-04-11T09:00:00+07:00",
            "data": {
                "platform": "tokopedia", "price": 1,
                "courses": [{"course": "C-1", "institution": "I-1"}, {"course": "C-2", "institution": "I-2"}],
            },
        }  # fmt: skip
        ledger.record(package)
        for n in range(people):
            ledger.record_all(reported(f"P-{n}"))


def test_several_processes_make_the_rows_that_one_makes(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "A_CHUNK", 3)
    url, into = urls
    filled(url, 10)
    with Ledger.open(url) as ledger, Projection.open(ledger, into) as projection:
        assert projection.rebuild() == 10
        kept = all_rows(projection)
        assert projection.rebuild(processes=2) == 10
        assert all_rows(projection) == kept
        law = law_of(ledger, today_by(ledger.clock))
        assert projected(projection, law) == law


def test_a_build_whose_process_dies_says_so_and_is_gone_on_with(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "A_CHUNK", 2)
    url, into = urls
    filled(url, 6)
    rows, asked = Makers.rows, []

    def dying(makers: Makers, found: Any) -> Any:
        asked.append(found)
        if len(asked) == 2:
            asked[0] = rows(makers, found).result()
            for process in makers.processes:
                process.kill()
        return rows(makers, found)

    with Ledger.open(url) as ledger, Projection.open(ledger, into) as projection:
        monkeypatch.setattr(Makers, "rows", dying)
        with pytest.raises(LedgerFault, match="one of them has died"):
            projection.rebuild(processes=2)
        monkeypatch.setattr(Makers, "rows", rows)
        projection.rebuild(processes=2)
        law = law_of(ledger, today_by(ledger.clock))
        assert projected(projection, law) == law


def test_a_program_is_not_run_again_by_its_processes(tmp_path: Path):
    """As `multiprocessing` would, unless its author knew of `if __name__ == "__main__"`."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    filled(url, 2)
    (tmp_path / "careless.py").write_text(
        "from prakerja_ledger import Ledger, Projection\n"
        f"with Ledger.open({url!r}) as ledger, Projection.open(ledger, {url!r}) as projection:\n"
        "    print(projection.rebuild(processes=2))\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "careless.py"], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_what_goes_wrong_in_a_process_is_raised_where_its_rows_are_waited_for():
    programme = KARTU_PRAKERJA
    with Makers(1, CommonLines({}), programme, date(2020, 5, 20)) as makers:
        made = makers.rows([("participant/P-1", [StoredLine(1, "no topic", b"{")])])
        with pytest.raises(Exception, match="topic|line|JSON"):
            made.result(timeout=60)


def test_the_command_takes_processes(urls: tuple[str, str]):
    url, into = urls
    filled(url, 3)
    done = run("projection", "rebuild", url, "--into", into, "--processes", "2")
    assert (done.status, done.lines[0]) == (0, "Participants written: 3.")
