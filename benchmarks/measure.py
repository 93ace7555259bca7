"""Shared by the benchmarks: runs interleaved, medians with their spread, peak memory of a process."""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass
class Row:
    """One measured thing: so many operations, seconds of each run."""

    name: str
    count: int
    seconds: list[float]
    note: str = ""

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


def peak_memory_mib(command: list[str]) -> tuple[float, float]:
    """Peak resident memory of a command in MiB, and its seconds; it must not fail."""
    reader, writer = os.pipe()
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with open(os.devnull, "wb") as null:
            status = subprocess.run(command, stdout=null, check=False).returncode
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        os.write(writer, f"{peak} {status}".encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    peak, status = os.read(reader, 100).decode().split()
    os.close(reader)
    if status != "0":
        sys.exit(f"{command} ended with status {status}")
    return float(peak), time.perf_counter() - began
