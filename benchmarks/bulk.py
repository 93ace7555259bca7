"""The law over a whole history in SQL, beside the bare GROUP BY that it cannot do without.

`python -m benchmarks.bulk [--participants N]` prints the section; each answer is measured in a process of
its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

PARTICIPANTS = (5_000, 50_000, 500_000)
"""About a hundred thousand events, a million, ten millions."""
RUNS = 3
AS_OF = date(2021, 12, 31)
MEMORY_LIMIT = "1GB"
"""For DuckDB; text on its way out, and Python, come on top."""
ANSWERS = ("totals", "unpaid", "statements", "findings")
BARE = """
    SELECT count(*), sum(owed), sum(paid)
    FROM (
        SELECT subject,
            coalesce(sum(amount) FILTER (kind = 'disbursement-instructed'), 0) AS owed,
            coalesce(sum(amount) FILTER (kind = 'disbursement-settled'), 0) AS paid
        FROM events
        GROUP BY subject
    )
"""
"""What was instructed and what was settled, by participant: the least that an answer about all has to do."""


@dataclass(frozen=True)
class Measured:
    """One answer of one history: seconds of each run, beside those of the bare query in the same process."""

    answer: str
    events: int
    seconds: list[float]
    bare: list[float]
    peak_mib: float

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        """To the bare GROUP BY."""
        return self.median / statistics.median(self.bare)

    @property
    def microseconds(self) -> float:
        """Of an event."""
        return self.median / self.events * 1e6


def simulate(folder: Path, participants: int) -> Path:
    """A history of so many participants, as `simulate` writes it."""
    path = folder / f"history-{participants}.parquet"
    command = ["simulate", "--participants", str(participants), "--seed", "1", "--output", str(path)]
    ledger = str(Path(sys.executable).with_name("prakerja-ledger"))
    subprocess.run([ledger, *command], check=True, stdout=subprocess.DEVNULL)
    return path


def measure(path: Path, answer: str, runs: int) -> Measured:
    """An answer in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bulk", "--measure", answer, str(path), "--runs", str(runs)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Measured(answer, **json.loads(done.stdout))


def measured_here(path: Path, answer: str, runs: int) -> dict[str, Any]:
    """The runs, each after one of the bare query; the first tells the peak, as nothing else ran before."""
    import duckdb

    connection = duckdb.connect(config={"threads": 2, "memory_limit": MEMORY_LIMIT})
    connection.execute(f"CREATE VIEW events AS FROM '{path}'")
    connection.execute(BARE).fetchall()  # the file is in the page cache from here on
    seconds, bare, peak = [], [], 0.0
    for _ in range(runs):
        seconds.append(_timed(lambda: _answer(connection, answer)))
        peak = peak or _peak_mib()
        bare.append(min(_timed(lambda: connection.execute(BARE).fetchall()) for _ in range(3)))
    (events,) = connection.execute("SELECT count(*) FROM events").fetchone() or (0,)
    return {"events": events, "seconds": seconds, "bare": bare, "peak_mib": peak}


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _answer(connection: Any, answer: str) -> None:
    """The whole answer, from nothing; text is written out."""
    from prakerja_ledger.bulk.engine import Bulk
    from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
    from prakerja_ledger.reading.view import View

    bulk = Bulk(connection, KARTU_PRAKERJA, View(as_of=AS_OF))
    if answer == "totals":
        assert bulk.totals("wave")
    elif answer == "unpaid":
        assert bulk.unpaid()
    else:
        with tempfile.TemporaryFile() as out:
            for piece in getattr(bulk, answer)():
                out.write(piece)
            assert out.tell()


def _peak_mib() -> float:
    """Peak resident memory of this process; that of whoever started it is not in it, as in `ru_maxrss`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel says no peak")


def rows(participants: tuple[int, ...] = PARTICIPANTS, runs: int = RUNS) -> list[Measured]:
    """Every answer at every size, the sizes one after another."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for count in participants:
            path = simulate(Path(folder), count)
            found += [measure(path, answer, runs) for answer in ANSWERS]
            path.unlink()
    return found


def section(participants: tuple[int, ...] = PARTICIPANTS, runs: int = RUNS) -> str:
    """The table for the page on performance."""
    text = [
        "## The law over a whole history in SQL",
        "",
        f"`simulate --format parquet`, statements as of {AS_OF}, from nothing to the answer (text written to a "
        f"file), two threads, DuckDB's memory limit {MEMORY_LIMIT}. The ratio is to `GROUP BY subject` of owed "
        "and paid alone, over the same file in the same process, runs in turns.",
        "",
        "| answer | events | seconds: median (min–max) | bare `GROUP BY` | ratio | µs an event | peak MiB |",
        "| --- | --: | --- | --: | --: | --: | --: |",
    ]
    text += [
        f"| {one.answer} | {one.events:,} | {one.median:.2f} ({min(one.seconds):.2f}–{max(one.seconds):.2f}) | "
        f"{statistics.median(one.bare):.3f} | {one.ratio:.1f} | {one.microseconds:.2f} | {one.peak_mib:,.0f} |"
        for one in rows(participants, runs)
    ]
    return "\n".join([*text, "", ""])


def main() -> None:
    """Print the section, or one measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, nargs="*", default=PARTICIPANTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--measure", nargs=2, metavar=("ANSWER", "FILE"), help="one answer, as JSON")
    asked = parser.parse_args()
    if asked.measure:
        answer, path = asked.measure
        print(json.dumps(measured_here(Path(path), answer, asked.runs)))
    else:
        print(section(tuple(asked.participants), asked.runs), end="")


if __name__ == "__main__":
    main()
