"""The newer parts of the benchmark: what each has to offer, how things are measured, and how it is told.

A part is a module (or any object) with the face of `Part`. It measures and gives JSON, which is kept under
`benchmarks/results/`; it turns such JSON into sections of docs/performance.md. So a part can be measured
again alone, and the page and the plots are always made of what was last measured.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from benchmarks.facts import PARTICIPANTS, Facts
from benchmarks.measure import LEDGER

FLOOR = "DuckDB GROUP BY"
"""The row that everything is set against."""
OURS, RIVAL, LIMIT = "ours", "rival", "limit"


class Part(Protocol):
    """A part of the benchmark."""

    NAME: str
    """What `--only` calls it; its results are kept under this name."""

    def measure(self, bench: Bench) -> dict[str, Any]:
        """Measure; JSON."""

    def page(self, found: dict[str, Any]) -> str:
        """Sections of the page, each beginning with `## `."""


@dataclass(frozen=True)
class Bench:
    """Where the benchmark works, and how large."""

    folder: Path
    scale: float = 1.0
    rounds: int = 5
    """The most runs of anything."""

    def facts(self, share: float = 1.0) -> Facts:
        """A history of that share of the participants."""
        return Facts(self.folder, max(1, round(PARTICIPANTS * share * self.scale)))

    @cached_property
    def sizes(self) -> tuple[Facts, Facts, Facts]:
        """10⁵, 10⁶ and 10⁷ events."""
        small, middle, large = (self.facts(share) for share in (0.01, 0.1, 1.0))
        return small, middle, large


@dataclass
class Cost:
    """What one thing cost: seconds of each run, and the peak memory of its process."""

    name: str
    events: int
    seconds: list[float]
    whose: str = RIVAL
    peak: float | None = None
    """MiB of the largest process, start-up included."""
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def micros(self) -> float:
        """µs an event."""
        return self.median / self.events * 1e6


@dataclass
class Subject:
    """A command to be measured, each run in a process of its own."""

    name: str
    events: int
    command: Sequence[str]
    runs: int = 3
    whose: str = RIVAL
    note: str = ""
    answer: Path | None = None
    """Where its output goes and stays until the part ends; else to nowhere."""
    phased: bool = False
    """By a rival's own clock, phase by phase, instead of that of the whole process."""


def rival(name: str, title: str, path: Path, events: int, **more: Any) -> Subject:
    """One of `benchmarks.rivals`."""
    command = (sys.executable, "-m", "benchmarks.rivals", name, str(path))
    return Subject(title, events, command, **more)


def ours(title: str, events: int, *words: object, **more: Any) -> Subject:
    """One of our commands, as somebody would type it."""
    return Subject(title, events, (LEDGER, *map(str, words)), whose=OURS, **more)


_LAUNCHER = """
import json, resource, subprocess, sys, time
with open(sys.argv[1], "wb") as output:
    began = time.perf_counter()
    status = subprocess.run(sys.argv[2:], stdout=output, stderr=subprocess.PIPE)
    seconds = time.perf_counter() - began
if status.returncode:
    sys.stderr.buffer.write(status.stderr)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([seconds, peak, status.returncode]))
"""
"""A small process that starts the command: on Linux the peak of whoever forks is carried over."""


@dataclass
class Ran:
    """One run of a command."""

    seconds: float
    peak: float
    output: Path


def run(command: Sequence[str], output: Path, limit: float = 1_200) -> Ran:
    """Run a command to its end, its output into a file; it must not fail."""
    done = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, str(output), *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=limit,
    )
    seconds, peak, status = json.loads(done.stdout)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with status {status}\n{done.stderr[-2_000:]}")
    return Ran(seconds, peak, output)


def measured(subjects: Sequence[Subject], rounds: int) -> list[Cost]:
    """Run every subject, a round of all after another, so that the machine's mood falls on all alike.

    At most so many rounds.

    Whoever gives the two sums of the rivals must give the same for the same number of events.
    """
    costs: dict[tuple[int, str], Cost] = {}
    sums: dict[int, list[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(min(rounds, max(subject.runs for subject in subjects))):
            for place, subject in enumerate(subjects):
                if turn >= subject.runs:
                    continue
                print(f"  {turn + 1}/{subject.runs} {subject.name} ({subject.events:,})", file=sys.stderr)
                one = run(subject.command, subject.answer or Path(folder) / "output")
                told = _told(one.output) if "benchmarks.rivals" in subject.command else {}
                if "sums" in told:
                    given = sums.setdefault(subject.events, told["sums"])
                    assert given == told["sums"], f"{subject.name}: {told['sums']}, others {given}"
                for phase, seconds in _phases(subject, one, told).items():
                    name = f"{subject.name}: {phase}" if phase else subject.name
                    events = told.get("events", {}).get(phase, subject.events)
                    cost = costs.setdefault(
                        (place, name), Cost(name, events, [], subject.whose, 0.0, subject.note)
                    )
                    cost.seconds += seconds
                    cost.peak = max(cost.peak or 0.0, told.get("peak", one.peak))
    return list(costs.values())


def _told(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output.read_text().splitlines()[-1])
    return found


def _phases(subject: Subject, one: Ran, told: dict[str, Any]) -> dict[str, list[float]]:
    """The whole process, or the phases that a rival tells of where it has several."""
    if not subject.phased:
        return {"": [one.seconds]}
    phases: dict[str, list[float]] = told["phases"]
    return phases


def digest(path: Path) -> str:
    """What an answer is known by."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_json(costs: Iterable[Cost]) -> list[dict[str, Any]]:
    return [asdict(cost) for cost in costs]


def from_json(rows: Iterable[dict[str, Any]]) -> list[Cost]:
    return [Cost(**row) for row in rows]


def floor_of(costs: Sequence[Cost]) -> Cost:
    """The bare GROUP BY over the most events."""
    return max((cost for cost in costs if cost.name == FLOOR), key=lambda cost: cost.events)


def cost_table(costs: Sequence[Cost], floor: Cost | None = None) -> str:
    """Rows of costs, set against the floor event by event."""
    base = floor or floor_of(costs)
    text = [
        "| what | events | runs | seconds: median (min–max) | events/s | peak MiB | × GROUP BY, per event |",
        "| --- | --: | --: | --- | --: | --: | --: |",
    ]
    for cost in costs:
        name = f"**{cost.name}**" if cost.whose == OURS else cost.name
        spread = f"{_short(cost.median)} ({_short(min(cost.seconds))}–{_short(max(cost.seconds))})"
        peak = f"{cost.peak:,.0f}" if cost.peak else "–"
        text.append(
            f"| {name}{' ' + cost.note if cost.note else ''} | {cost.events:,} | {len(cost.seconds)} | "
            f"{spread if len(cost.seconds) > 1 else _short(cost.median)} | "
            f"{cost.events / cost.median:,.0f} | {peak} | {_ratio(cost.micros / base.micros)} |"
        )
    return "\n".join([*text, "", ""])


def moments_table(costs: Sequence[Cost]) -> str:
    """Rows of what does not grow with the history: one participant out of so many events."""
    text = [
        "| what | events in the source | runs | ms: median (min–max) | peak MiB |",
        "| --- | --: | --: | --- | --: |",
    ]
    for cost in costs:
        found = (min(cost.seconds), cost.median, max(cost.seconds))
        low, middle, high = (f"{1e3 * s:,.{0 if s > 0.01 else 2}f}" for s in found)
        peak = f"{cost.peak:,.0f}" if cost.peak else "–"
        text.append(
            f"| **{cost.name}** | {cost.events:,} | {len(cost.seconds)} | {middle} ({low}–{high}) | {peak} |"
        )
    return "\n".join([*text, "", ""])


def _short(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"


def _ratio(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"
