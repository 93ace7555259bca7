"""Exhaustion: more callers than connections, and a writer's lock that another process keeps."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import threading
from collections.abc import Iterator

from tests.faults.instrument import Faulty, worker

FORMS = {
    "lock held": "another process keeps the writer's lock longer than anyone waits",
    "too few connections": "eight callers share two connections and wait 20 ms for one",
}
LOCK_TIMEOUT = 0.05


def run(faulty: Faulty) -> None:
    """One life of the service with too little of something."""
    if faulty.form == "too few connections":
        worker(faulty, clients=8, calls=8, connections=2).wait()
        return
    process = worker(faulty, lock_timeout=LOCK_TIMEOUT)
    with _holding(faulty, process):
        process.wait()


@contextlib.contextmanager
def _holding(faulty: Faulty, process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The lock is taken and kept again and again, now briefly and now for too long."""
    holder = threading.Thread(target=_hold, args=(faulty, process))
    holder.start()
    try:
        yield
    finally:
        holder.join()


def _hold(faulty: Faulty, process: subprocess.Popen[bytes]) -> None:
    rng = random.Random(f"holder {faulty.seed}")
    other = None
    while process.poll() is None:
        try:
            process.wait(rng.uniform(0, 0.06))
        except subprocess.TimeoutExpired:
            if other is None and faulty.database.exists():
                other = sqlite3.connect(faulty.database, timeout=1, isolation_level=None)
            if other is not None:
                _take(other, rng.choice((0.01, 2 * LOCK_TIMEOUT, 4 * LOCK_TIMEOUT)), process)
    if other is not None:
        other.close()


def _take(other: sqlite3.Connection, seconds: float, process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(sqlite3.OperationalError):
        other.execute("BEGIN IMMEDIATE")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        other.execute("ROLLBACK")
