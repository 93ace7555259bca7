"""Questions about SQLite that are put to stock `eventsourcing` and to ours.

Where a process has to end or a second one is needed: `python -m tests.faults.stock_sqlite WORK DATABASE`.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from prakerja_ledger.deciding import commands as c
from prakerja_ledger.ledger.ledger import Ledger
from tests.faults.instrument import ROOT, Faulty
from tests.faults.power_cut import mounted
from tests.ledger_support import enrolment

INSERTS: Final = 60
TURNS: Final = 200


# --- the two sides ----------------------------------------------------------------------------------


def stock(path: Path, *, create: bool = True) -> SQLiteApplicationRecorder:
    """The library's own recorder, as it comes."""
    recorder = SQLiteApplicationRecorder(SQLiteDatastore(str(path)))
    if create:
        recorder.create_table()
    return recorder


def ours(path: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{path}")


def event(name: str, number: int = 1) -> StoredEvent:
    return StoredEvent(originator_id=name, originator_version=number, topic="t", state=b"{}")


def in_folder(measure: Callable[[Path], str]) -> Callable[[], str]:
    """A measurement in a folder of its own."""

    def measured() -> str:
        with tempfile.TemporaryDirectory(prefix="prakerja-faults-") as name:
            return measure(Path(name))

    return measured


# --- a tail that is cut off -------------------------------------------------------------------------


def tail_of_stock(folder: Path) -> str:
    path = folder / "stock.db"
    recorder = stock(path)
    recorder.insert_events([event(f"P-{n}") for n in range(5)])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("DELETE FROM stored_events WHERE rowid = 5")
    (position,) = recorder.insert_events([event("another")])
    return f"the deletion goes through; another event gets position {position}"


def tail_of_ours(folder: Path) -> str:
    path = folder / "ours.db"
    with ours(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        ledger.record_all([enrolment(f"P-{n}") for n in range(5)])
        try:
            other.execute("DELETE FROM stored_events WHERE rowid = 5")
            said = "the deletion goes through"
        except sqlite3.Error as error:
            said = f"the deletion fails: {error}"
        return f"{said}; another event gets position {ledger.record(enrolment('P-6')).position}"


# --- what reaches the disk --------------------------------------------------------------------------------


def synchronous_of_stock(folder: Path) -> str:
    recorder = stock(folder / "stock.db")
    with recorder.datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA synchronous")
        return f"synchronous = {cursor.fetchone()[0]}, what this build of SQLite begins with"


def synchronous_of_ours(folder: Path) -> str:
    with ours(folder / "ours.db") as ledger, ledger.journal.writing() as writing:
        (found,) = writing._cursor.execute("PRAGMA synchronous").fetchone()
        return f"synchronous = {found}, set and read back when it opens"


def power(work: str) -> Callable[[Path], str]:
    def measure(folder: Path) -> str:
        faulty = Faulty(instrument="power cut", form="forgotten", seed=1, folder=folder)
        with mounted(faulty, cut_at=0, fail_at=0) as place:
            acknowledged = _run(work, place / faulty.database.name)
        return f"{acknowledged} acknowledged, {_left(faulty.database)} left"

    return measure


def _left(path: Path) -> str:
    if not path.exists():
        return "no file"
    with closing(sqlite3.connect(path)) as database:
        try:
            return str(database.execute("SELECT count(*) FROM stored_events").fetchone()[0])
        except sqlite3.Error as error:
            return f"none ({error})"


def _as_a_normal_build_would() -> None:
    """Every connection begins with synchronous = NORMAL."""
    connect = sqlite3.connect

    def connect_normal(*given: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*given, **options)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    sqlite3.connect = connect_normal


# --- two processes --------------------------------------------------------------------------------------


def two_processes(work: str) -> Callable[[Path], str]:
    def measure(folder: Path) -> str:
        path = folder / "shared.db"
        _run(f"{work}-begin", path)
        processes = [_start(f"{work}-{n}", path) for n in (1, 2)]
        answers: Counter[str] = Counter()
        for process in processes:
            for line in process.communicate()[0].split():
                answers[line] += 1
        told = ", ".join(f"{count} × {name}" for name, count in sorted(answers.items()))
        return f"{2 * TURNS} turns: {told}"

    return measure


def _stock_turn(recorder: SQLiteApplicationRecorder, who: str, n: int) -> str:
    """What an application does that decides by what it has read, in one transaction."""
    try:
        with recorder.datastore.transaction(commit=True) as cursor:
            cursor.execute("SELECT count(*) FROM stored_events")
            cursor.fetchone()
            cursor.execute(
                "INSERT INTO stored_events VALUES (?, ?, ?, ?)", (f"P {who} {n}", 1, "t", b"{}")
            )
    except Exception as error:
        return f"{type(error).__name__}({str(error).replace(' ', '_')})"
    return "acknowledged"


def _our_turn(ledger: Ledger, who: str, n: int) -> str:
    try:
        ledger.execute(
            c.Enrol(source="//pmo", id=f"{who} {n}", subject=f"P {who} {n}", wave=2,
                    scheme="semi-bansos-2020")
        )  # fmt: skip
    except Exception as error:
        return type(error).__name__
    return "acknowledged"


def _run(work: str, path: Path) -> int:
    """The lines that a process said."""
    process = _start(work, path)
    return len(process.communicate()[0].split())


def _start(work: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.stock_sqlite", work, path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def main() -> None:
    """One process's work; a line for each call, as it was answered."""
    work, path = sys.argv[1], Path(sys.argv[2])
    kind, _, part = work.partition("-")
    if part == "power":
        _as_a_normal_build_would()
    side = stock(path, create=part in {"begin", "power"}) if kind == "stock" else ours(path)
    if part == "power":
        for n in range(INSERTS):
            if kind == "stock":
                side.insert_events([event(f"P-{n}")])
            else:
                side.record(enrolment(f"P-{n}"))
            print("acknowledged", flush=True)
        os._exit(0)  # without closing: nothing more is written
    for n in range(TURNS if part in {"1", "2"} else 0):
        print((_stock_turn if kind == "stock" else _our_turn)(side, part, n), flush=True)


QUESTIONS: Final = (
    ("SQLite: the last event is deleted, another is added", in_folder(tail_of_stock), in_folder(tail_of_ours)),
    ("SQLite: how durable a commit is", in_folder(synchronous_of_stock), in_folder(synchronous_of_ours)),
    (
        "SQLite built to begin with synchronous = NORMAL: the power goes",
        in_folder(power("stock-power")),
        in_folder(power("ours-power")),
    ),
    (
        "SQLite: two processes read, decide and write in one transaction",
        in_folder(two_processes("stock")),
        in_folder(two_processes("ours")),
    ),
)


if __name__ == "__main__":
    main()
