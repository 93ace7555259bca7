"""Shared by the benchmarks: runs interleaved, medians with their spread, peak memory of a process."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

LEDGER = str(Path(sys.executable).parent / "prakerja-ledger")


@dataclass
class Row:
    """One measured thing: so many operations, seconds of each run."""

    name: str
    count: int
    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def rate(self) -> float:
        """Operations a second, by the median run."""
        return self.count / self.median

    def spread(self) -> str:
        return f"{self.median:.3f} ({min(self.seconds):.3f}–{max(self.seconds):.3f})"


def interleaved(
    subjects: Mapping[str, Callable[[], int]], runs: int = 5, collect: bool = True
) -> list[Row]:
    """Run every subject once a round, so that a machine's mood falls on all alike.

    A subject does its work and returns how many operations it was.
    """
    rows = {name: Row(name, 0, []) for name in subjects}
    for _ in range(runs):
        for name, subject in subjects.items():
            if collect:
                gc.collect()
            began = time.perf_counter()
            rows[name].count = subject()
            rows[name].seconds.append(time.perf_counter() - began)
    return list(rows.values())


_LAUNCHER = """
import json, resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(json.dumps([resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, status]))
"""


def peak_memory_mib(command: list[str]) -> tuple[float, float]:
    """Peak resident memory of a command in MiB, and its seconds; it must not fail.

    Started by a small process of its own: on Linux the peak of whoever forks is carried over.
    """
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, *command], capture_output=True, text=True, check=True
    )
    peak, status = json.loads(done.stdout)
    if status != 0:
        sys.exit(f"{command} ended with status {status}")
    return peak, time.perf_counter() - began
