"""Measure everything beside its peers in one run, and write the page: `make bench`."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from benchmarks import (
    bulk,
    executing,
    histories,
    larger,
    plots,
    programme,
    sealing,
    projecting,
    reading,
    serving,
    writing,
)
from benchmarks.measure import LEDGER, Row, peak_memory_mib
from benchmarks.parts import Bench, Part
from tests.servers import PostgresServer

HEAD = """\
# Performance

Measured {today} by `make bench`, which measures again and rewrites this page. Every table is one run,
its rows interleaved, so that a noisy machine is noisy for all of them: read the ratios, not the
rates. Medians of {runs} runs, with the lowest and highest.

Machine: {machine}. Python {python}, SQLite {sqlite}, {packages}.

"""


def table(title: str, rows: list[Row], unit: str, base: int = 0, intro: str = "") -> str:
    """A Markdown table: seconds with their spread, the rate, the ratio to one row."""
    text = [f"## {title}", ""]
    if intro:
        text += [intro, ""]
    text += [
        f"| what | {unit} | seconds: median (min–max) | {unit}/s | ÷ {rows[base].name} |",
        "| --- | --: | --- | --: | --: |",
    ]
    for row in rows:
        text.append(
            f"| {row.name} | {row.count:,} | {row.spread()} | {row.rate:,.0f} | "
            f"{row.rate / rows[base].rate:.2f} |"
        )
    return "\n".join([*text, "", ""])


def memory(folder: Path, participants: int) -> str:
    """Peak memory of commands over files of about a million events and twice as many."""
    text = [
        "## Memory",
        "",
        "Peak resident memory of the whole process.",
        "",
        "| command | file | events | peak MiB | seconds |",
        "| --- | --- | --: | --: | --: |",
    ]
    for count in (participants, 2 * participants):
        for order in ("participant", "time"):
            path = folder / f"memory-{order}.jsonl"
            events = histories.write(path, count, order)
            for command in (["check"], ["statement", "--json", "--as-of", "2021-02-01"]):
                peak, seconds = peak_memory_mib([LEDGER, command[0], str(path), *command[1:]])
                text.append(
                    f"| `{command[0]}` | ordered by {order} | {events:,} | {peak:,.0f} | {seconds:.1f} |"
                )
            path.unlink()
    return "\n".join([*text, "", ""])


ONE_CLIENT = (
    "Fifteen commands of a life, three of them instructions to pay, from one client; twenty lives side by "
    "side. Each reads what is recorded of the participant, adds one event, and has it on disk when it "
    "returns. Ours also decides, and keeps identities unique; the others do neither."
)


def commands(lives: int, runs: int, path: Path) -> str:
    """Executing commands: on SQLite and PostgreSQL, one client and eight, one event a call and fifteen."""
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        on_sqlite = executing.sqlite_targets(folder, held)
        page = table(
            "Commands on SQLite, one client",
            executing.one_client(on_sqlite, lives, runs),
            "commands",
            intro=ONE_CLIENT,
        )
        page += table(
            "Fifteen commands a call on SQLite",
            executing.one_client(on_sqlite, lives, runs, a_call=15),
            "commands",
        )
        server = held.enter_context(PostgresServer())
        version = server.psql("SHOW server_version")[0][0]
        on_postgres = executing.postgres_targets(server, (1, 8))
        page += table(
            "Commands on PostgreSQL, one client",
            executing.one_client(on_postgres, lives, runs),
            "commands",
            intro=f"PostgreSQL {version} on this machine's disk, its defaults (`fsync` and "
            "`synchronous_commit` on), over TCP on loopback; psycopg as it comes for the bare SQL.",
        )
        page += table(
            "Commands on PostgreSQL, eight clients",
            executing.many_clients(on_postgres, max(1, lives // 2), runs),
            "commands",
            intro="Eight processes on two cores, with the server; participants of their own.",
        )
        page += table(
            "Fifteen commands a call on PostgreSQL",
            executing.one_client(on_postgres, lives, runs, a_call=15),
            "commands",
        )
        page += table(
            "Importing into PostgreSQL",
            executing.bulk(server, path, runs),
            "events",
            intro="Ours judges every line and commits every 8,192; the bare loader parses and copies one "
            "table in one transaction.",
        )
    return page + processor_time(runs)


def projections(runs: int, path: Path) -> str:
    """Catching up, being late, and answering."""
    with PostgresServer() as server:
        rows = projecting.catching_up(server, path, runs)
        text = table(
            "Projections: all rows from nothing",
            rows,
            "events",
            intro="Ours reads every fact, works out every statement, and writes a row a line, with totals. The "
            "stock runner adds one to a counter, an event a transaction.",
        )
        return text + projecting.page(server, path)


def processor_time(runs: int) -> str:
    """What a command costs without any disk."""
    text = [
        "## Processor time of a command",
        "",
        "In memory, with nothing written anywhere: microseconds of this process.",
        "",
        "| command | µs: median (min–max) |",
        "| --- | --- |",
    ]
    for kind, times in executing.processor(100, runs):
        text.append(
            f"| {kind} | {statistics.median(times):.0f} ({min(times):.0f}–{max(times):.0f}) |"
        )
    return "\n".join([*text, "", ""])


def start_up(runs: int) -> str:
    """How long `--help` takes, beside bare Python."""
    subjects = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "prakerja-ledger --help": [LEDGER, "--help"],
        "import prakerja_ledger": [sys.executable, "-c", "import prakerja_ledger"],
        "from prakerja_ledger import Ledger": [
            sys.executable,
            "-c",
            "from prakerja_ledger import Ledger",
        ],
    }
    walls: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(runs):
        for name, command in subjects.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            walls[name].append((time.perf_counter() - began) * 1000)
    text = ["## Start-up", "", "| what | ms: median (min–max) |", "| --- | --- |"]
    for name, times in walls.items():
        text.append(
            f"| `{name}` | {statistics.median(times):.0f} ({min(times):.0f}–{max(times):.0f}) |"
        )
    return "\n".join([*text, "", ""])


def machine() -> str:
    """What the figures were measured on."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} × {model}, {memory_gib:.0f} GiB, {platform.system()}"


FIRST: Final = (
    "At a glance",
    "The least that anyone can do: two sums",
    "Answers over the whole programme",
    "Answers over 50 million events",
    "The law over a whole history in SQL",
    "The books",
    "Event stores",
)
"""The headings that a reader meets first, whenever they were measured; the others stay in their order."""


def renewed(page: str, sections: str, today: str | None) -> str:
    """The page with these sections in place of those of the same headings, or where FIRST has them.

    `today` where they were measured apart from the rest.
    """
    head, *given = _sections(page)
    by_heading = {_heading(section): section for section in given}
    for plain in _sections(sections)[1:]:
        title, _, rest = plain.rstrip().partition("\n")
        apart = f"\n\nMeasured apart from the rest, {today}." if today else ""
        by_heading[_heading(plain)] = f"{title}{apart}\n{rest}\n\n"
    places = {heading: place for place, heading in enumerate(FIRST)}
    in_order = sorted(by_heading.items(), key=lambda one: places.get(one[0], len(FIRST)))
    whole = [f"{head.rstrip()}\n\n", *(f"{section.rstrip()}\n\n" for _, section in in_order)]
    return "".join(whole).rstrip() + "\n"


def _sections(page: str) -> list[str]:
    """What stands before the first heading, and each section with its heading."""
    return re.split(r"^(?=## )", page, flags=re.MULTILINE)


def _heading(section: str) -> str:
    return section.partition("\n")[0].removeprefix("## ")


@dataclass
class Run:
    """What was asked for, and where to work."""

    folder: Path
    runs: int
    scale: float
    seconds: float

    @cached_property
    def history(self) -> Path:
        path = self.folder / "history.jsonl"
        histories.write(path, int(14_000 * self.scale), "time")
        return path

    def bulk(self) -> str:
        """The law in SQL beside the bare query in one process: its own cost, without start-up."""
        return bulk.section(tuple(max(1, int(count * self.scale)) for count in bulk.PARTICIPANTS))

    def files(self) -> str:
        """Files, and a ledger on SQLite."""
        text = table(
            "Reading a file",
            reading.measure(self.history, self.runs),
            "events",
            intro="One process, one core. `statement --json` parses, judges, makes and writes out "
            "every participant's statement.",
        )
        text += table(
            "Importing into SQLite",
            writing.bulk(self.history, self.runs),
            "events",
            intro="Ours judges every line, keeps identities unique and commits durably every 8,192 "
            "lines; the bare loader parses and inserts in one transaction and judges nothing.",
        )
        small = self.folder / "small.jsonl"
        histories.write(small, int(600 * self.scale), "time")
        return text + table(
            "One durable record on SQLite",
            writing.single_records(small.read_bytes().splitlines(), self.runs),
            "events",
            intro="WAL, `synchronous=FULL`. The participant's rows are read (or known to be "
            "unchanged), one event is inserted, and the commit has reached the disk.",
        )

    def commands(self) -> str:
        return commands(int(60 * self.scale), self.runs, self.history)

    def projections(self) -> str:
        return projections(self.runs, self.history)

    def serving(self) -> str:
        return serving.measured(self.seconds)

    def memory(self) -> str:
        return memory(self.folder, int(68_000 * self.scale))

    def start_up(self) -> str:
        return start_up(15)


OLDER: Final[dict[str, Callable[[Run], str]]] = {
    "bulk": Run.bulk,
    "files": Run.files,
    "commands": Run.commands,
    "projections": Run.projections,
    "serving": Run.serving,
    "memory": Run.memory,
    "start-up": Run.start_up,
}
"""Parts that give their sections at once."""
NEWER: Final[dict[str, Part]] = {
    part.NAME: part for part in (*programme.PARTS, larger.Larger(), *sealing.PARTS)
}
"""Parts with the face of `Part`: to add one is to name it here."""
RESULTS: Final = Path("benchmarks/results")


def measured(name: str, asked: Run, bench: Bench, results: Path) -> str:
    """The sections of one part, measured now; of a newer one what was found is kept."""
    if name in OLDER:
        return OLDER[name](asked)
    found = {
        "measured": date.today().isoformat(),
        "machine": machine(),
        "versions": versions(),
        **NEWER[name].measure(bench),
    }
    results.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    (results / f"{name}.json").write_text(text, encoding="utf-8")
    return NEWER[name].page(json.loads(text))


def kept(results: Path) -> dict[str, dict[str, Any]]:
    """What the newer parts found when they were last measured."""
    return {
        name: json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        for name in NEWER
        if (results / f"{name}.json").exists()
    }


def glance(found: Mapping[str, Mapping[str, Any]], folder: Path) -> str:
    """The plots of all that is kept, and what it was measured with."""
    text = plots.section(found, folder)
    for name, part in found.items():
        text += f"- {name}: {part['measured']}, {part['machine']}; {part['versions']}\n"
    return f"{text}\n"


def versions() -> str:
    """What was measured beside what."""
    packages = [
        f"{name} {importlib.metadata.version(name)}"
        for name in (
            "eventsourcing", "attrs", "msgspec", "psycopg", "umadb", "duckdb", "polars", "pyarrow",
            "numpy", "pyspark",
        )
    ]  # fmt: skip
    for words in (("hledger", "--version"), ("ledger", "--version"), ("java", "-version")):
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        packages.append((done.stdout or done.stderr).splitlines()[0].partition(", the")[0])
    return ", ".join(packages)


def asked_for() -> argparse.Namespace:
    """What the command line says."""
    names = [*NEWER, *OLDER]
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--output", type=Path)
    arguments.add_argument(
        "--only", action="append", choices=names, metavar="PART",
        help=f"renew the sections of this part alone, may repeat; one of {', '.join(names)}",
    )  # fmt: skip
    arguments.add_argument(
        "--kept", action="store_true", help="measure nothing: write the newer parts as last measured"
    )
    for name in ("commands", "projections", "serving"):
        arguments.add_argument(
            f"--{name}", action="append_const", dest="only", const=name, help=f"--only {name}"
        )
    arguments.add_argument("--runs", type=int, default=5, help="of the older parts")
    arguments.add_argument("--rounds", type=int, default=5, help="the most runs of the newer parts")
    arguments.add_argument("--scale", type=float, default=1.0, help="smaller for a quick look")
    arguments.add_argument("--seconds", type=float, default=60, help="of each load of the service")
    arguments.add_argument("--folder", type=Path, default=Path("build/bench"), help="for the histories")
    given = arguments.parse_args()
    # a quick look is no measurement, and no plot of the page
    given.results = RESULTS if given.scale == 1 else given.folder / "results"
    return given


def main() -> None:
    """Run it all, or some parts; the page is written after each, so that an interruption loses one."""
    given = asked_for()
    if given.kept:
        write_kept(given.results, given.output)
        return
    if given.only and given.output:
        page = given.output.read_text(encoding="utf-8")
    else:
        page = HEAD.format(
            today=date.today().isoformat(),
            runs=given.runs,
            machine=machine(),
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
            packages=versions(),
        )
    with tempfile.TemporaryDirectory() as name:
        asked = Run(Path(name), given.runs, given.scale, given.seconds)
        bench = Bench(given.folder, given.scale, given.rounds)
        for part in given.only or [*NEWER, *OLDER]:
            began = time.monotonic()
            fresh = measured(part, asked, bench, given.results)
            print(fresh)
            print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr)
            page = renewed(page, fresh, date.today().isoformat() if given.only else None)
            if given.output:
                if part in NEWER:
                    found = kept(given.results)
                    page = renewed(page, glance(found, given.output.parent / "plots"), None)
                given.output.write_text(page, encoding="utf-8")


def write_kept(results: Path, output: Path) -> None:
    """The page with the newer parts as they were last measured, and nothing measured now."""
    found = kept(results)
    page = renewed(output.read_text(encoding="utf-8"), glance(found, output.parent / "plots"), None)
    for name, part in found.items():
        page = renewed(page, NEWER[name].page(part), part["measured"])
    output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
