"""Faults, each in both forms: what was acknowledged is stored, what is unknown can be resolved.

A short set: every instrument in every form once, with a new seed each time (PRAKERJA_SEED repeats
it). The long one is `python -m tests.faults`.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger.deciding import commands as c
from prakerja_ledger.domain.errors import LedgerFault, Refused
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.stores.postgres_schema import apply
from prakerja_ledger.stores.sqlite_reading import SQLiteReading
from tests.faults.injection import injecting
from tests.faults.instrument import ROOT
from tests.faults.postgres import site
from tests.faults.proxy import Plan, Proxy
from tests.faults.runs import Fault, faults, run
from tests.ledger_support import Clock, enrolment, purchase
from tests.test_executing import command, instruct, ordinary_life

SEED = int(os.environ.get("PRAKERJA_SEED", random.randrange(1_000_000)))

CALLS = {"sqlite": 25, "postgresql": 10}
"""By each client; on a server everything takes longer."""


@pytest.mark.parametrize(
    "fault",
    [*faults("sqlite"), *faults("postgresql")],
    ids=lambda fault: f"{fault.store}: {fault.instrument}: {fault.form}",
)
def test_a_service_under_a_fault_keeps_its_promises(fault: Fault):
    calls = CALLS[fault.store]
    found = run(fault, SEED, calls)
    problems = "\n".join(f"{problem.kind}: {problem.what}" for problem in found.problems)

    assert not found.problems, f"\n{problems}\nrepeat it with: {fault.command(SEED, calls)}"


# --- what long runs found, each by itself ---------------------------------------------------------


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.mark.parametrize("settled", [False, True])
def test_a_clock_that_jumps_back_pays_nothing_twice(url: str, settled: bool):
    """What is recorded is recorded, also where it seems to happen tomorrow."""
    clock = Clock(datetime(2020, 6, 10, 2, tzinfo=UTC))
    with Ledger.open(url, clock=clock) as ledger:
        ledger.execute_all(ordinary_life())
        ledger.execute(instruct("pay-1"))
        if settled:
            paid = command(c.Settle, "s-1", disbursement="post-training/1/1", reference="R-1")
            ledger.execute(paid)
        clock.now = datetime(2020, 6, 1, 2, tzinfo=UTC)
        with pytest.raises(Refused):
            ledger.execute(instruct("pay-2"))

        assert (
            ledger.statement("P-1", as_of=date(2020, 6, 30)).line("post-training/1").overpaid == 0
        )


RESOLVED_AND_KILLED = """
import os, signal, sys
from prakerja_ledger.domain.errors import OutcomeUnknown
from prakerja_ledger.ledger.ledger import Ledger
from tests.ledger_support import enrolment

ledger = Ledger.open(sys.argv[1])
for n in range(9):
    try:
        ledger.record(enrolment(f"P-{n}"))
    except OutcomeUnknown as error:
        id = error.fields["id"]
        print(id, ledger.resolve("//pmo", id), sep=": ", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_resolve_has_answered_stays_true_after_a_kill(url: str, tmp_path: Path):
    """A commit whose sync failed lies whole in the log's file, where recovery would find it."""
    Ledger.open(url).close()
    program = [sys.executable, "-c", RESOLVED_AND_KILLED, url]
    under = injecting("fdatasync:error=EIO:when=4", tmp_path / "strace.txt")
    done = subprocess.run([*under, *program], cwd=ROOT, capture_output=True, text=True)
    id, _, answer = done.stdout.strip().partition(": ")
    with Ledger.open(url) as ledger:
        stored = ledger.find("//pmo", id)

    assert (answer, done.stderr) == (str(stored), "")


def test_a_turn_that_cannot_look_at_the_journal_leaves_the_writers_lock(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    """A disk that cannot be read once must not keep every later writer out."""

    def broken(_: object) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    ledger = Ledger.open(url)  # not closed where the lock was left taken: that waits for it too
    ledger.record(enrolment("P-1"))
    with monkeypatch.context() as patched:
        patched.setattr(SQLiteReading, "head", broken)
        with pytest.raises(LedgerFault):
            ledger.record(enrolment("P-2"))
    found: list[Receipt] = []
    later = threading.Thread(
        target=lambda: found.append(ledger.record(enrolment("P-2"))), daemon=True
    )
    later.start()
    later.join(timeout=2)

    assert found == [Receipt(2)]
    ledger.close()


def look_ahead(ledger: Ledger) -> None:
    """Record of somebody unknown, after a first turn."""
    ledger.resolve("//pmo", "e-1")
    ledger.record(purchase("P-1"))


@pytest.mark.parametrize(
    ("begins", "call"),
    [
        (b"SELECT * FROM prakerja_ledger.streams(", look_ahead),
        (b"BEGIN ISOLATION LEVEL READ COMMITTED", lambda ledger: ledger.resolve("//pmo", "e-1")),
        (b"BEGIN ISOLATION LEVEL REPEATABLE READ", Ledger.head),
    ],
    ids=["looking ahead", "taking a turn", "reading"],
)
def test_a_server_that_says_nothing_is_waited_for_once(begins: bytes, call: Callable[[Ledger], Any]):
    """`answer_timeout` bounds a call: a silent connection is not an idle one that had died."""
    name = site().server.new_database()
    apply(site().server.url(name))
    silent = Plan(form="turn never answered", every=1, begins=(begins,))
    ended: list[Exception] = []

    def ask(url: str) -> None:
        try:
            with Ledger.open(url) as ledger:
                call(ledger)
        except Exception as error:
            ended.append(error)

    with Proxy(site().server.port, silent) as between:
        url = f"{site().server.url(name, port=between.port)}?answer_timeout=1"
        asking = threading.Thread(target=ask, args=(url,), daemon=True)
        asking.start()
        asking.join(timeout=3)

    assert [type(error) for error in ended] == [LedgerFault]
    assert silent.struck == 1


def test_a_reader_that_reads_no_further_is_not_told_of_a_connection_that_died():
    """Not even when its iterator is thrown away: what is raised there can be caught by nobody."""
    server = site().server
    name = server.new_database()
    apply(server.url(name))
    with Ledger.open(server.url(name)) as ledger:
        ledger.record_all([enrolment(f"P-{n}") for n in range(3)])
        with ledger.journal.reading() as reading:
            lines = reading.lines()
            next(lines)
            server.psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name
            )
            lines.close()
