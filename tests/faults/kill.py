"""`kill -9` of the service: at a chosen system call, or at any moment."""

from __future__ import annotations

import random
import time

from tests.faults.injection import strace
from tests.faults.instrument import OFTEN, Faulty, Worker, worker

FORMS = {
    "before it is written": "killed as it begins to write to the log",
    "before it is acknowledged": "killed as it asks the disk, with all written",
    "at any moment": "killed at a random moment",
}


def run(faulty: Faulty) -> None:
    """One life of the service, cut short."""
    rng = random.Random(f"kill {faulty.seed}")
    if faulty.form == "at any moment":
        kill(worker(faulty), faulty, rng)
        return
    call = {"before it is written": "pwrite64", "before it is acknowledged": "fdatasync"}[
        faulty.form
    ]
    when = rng.randint(1, OFTEN[call])
    worker(faulty, *strace(faulty, f"{call}:signal=KILL:when={when}")).wait()


def kill(process: Worker, faulty: Faulty, rng: random.Random) -> None:
    """At a moment of its life."""
    wait_for_a_moment(process, faulty, rng)
    process.kill()
    process.wait()


def wait_for_a_moment(process: Worker, faulty: Faulty, rng: random.Random) -> None:
    """So many notes after the first, and a moment more."""
    notes, size = faulty.notes, rng.randint(0, 10_000 * faulty.clients)
    while process.poll() is None and not (notes.exists() and notes.stat().st_size >= size):
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.002))
