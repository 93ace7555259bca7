"""What every instrument has: where its run takes place, and the service that runs there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.faults import work

ROOT = Path(__file__).absolute().parents[2]
CALLS = 25
OFTEN = {"fdatasync": 14, "pwrite64": 60, "pread64": 30}
"""How often one client makes the kernel do something in its life, at least: a fault is to strike
within. (strace counts by thread.)"""
PATIENCE_SECONDS = 25
"""A life of the service takes a second; one that takes so long hangs."""


class MissingTool(Exception):
    """A program that an instrument needs is not on this machine."""


@frozen(kw_only=True)
class Faulty:
    """One run: which fault, in which form, chosen by which seed, in which folder."""

    instrument: str
    form: str
    seed: int
    folder: Path
    calls: int = CALLS
    """By each client, in the first life."""

    @property
    def notes(self) -> Path:
        return self.folder / "notes.jsonl"

    @property
    def database(self) -> Path:
        return self.folder / "ledger.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"

    @property
    def patience(self) -> float:
        return PATIENCE_SECONDS

    @property
    def clients(self) -> int:
        return 1 + self.seed % 3

    @property
    def chosen(self) -> dict[str, Any]:
        """More of the job that the seed decides."""
        return {}

    def mended(self) -> None:
        """Wait until what was broken is whole again."""

    def job(self, **changes: Any) -> work.Job:
        """What the service is to do."""
        given = {"url": self.url, "notes": self.notes, "seed": self.seed, **self.chosen}
        return work.Job(**{**given, "clients": self.clients, "calls": self.calls, **changes})


class Hung(Exception):
    """The service did not come to an end; the text shows where its threads stand."""


class Worker(subprocess.Popen[bytes]):
    """A service in a process of its own, or under a program that injects faults into it."""

    said: Path
    patience: float

    def wait(self, timeout: float | None = None) -> int:
        """Until it ends. Raises Hung where it does not."""
        try:
            return super().wait(self.patience if timeout is None else timeout)
        except subprocess.TimeoutExpired:
            if timeout is not None:
                raise
            os.killpg(self.pid, signal.SIGABRT)  # faulthandler says where every thread stands
            with contextlib.suppress(subprocess.TimeoutExpired):
                super().wait(2)
            self.kill()
            super().wait()
            raise Hung(self.said.read_text(errors="replace")) from None

    def kill(self) -> None:
        """Everything that was started with it as well."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def worker(faulty: Faulty, *before: str, **changes: Any) -> Worker:
    """Start the service, under a program that stands `before` it where one is given."""
    path = faulty.folder / "said.txt"
    with path.open("ab") as said:
        process = Worker(
            [*before, *work.arguments(faulty.job(**changes))],
            cwd=ROOT,
            stdout=said,
            stderr=said,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            process_group=0,
        )
    process.said, process.patience = path, faulty.patience
    return process
