"""Measure everything beside its peers in one run, and write the page: `make bench`."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from benchmarks import executing, histories, projecting, reading, serving, writing
from benchmarks.measure import Row, peak_memory_mib
from tests.servers import PostgresServer

LEDGER = str(Path(sys.executable).parent / "prakerja-ledger")

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


def renewed(page: str, sections: str, today: str) -> str:
    """The page with these sections in place of those of the same headings, or at its end."""
    for plain in re.split(r"^(?=## )", sections, flags=re.MULTILINE)[1:]:
        title, _, rest = plain.partition("\n")
        section = f"{title}\n\nMeasured apart from the rest, {today}.\n{rest}"
        heading = re.escape(section.partition("\n")[0])
        page, found = re.subn(
            rf"^{heading}\n.*?(?=^## |\Z)",
            lambda _, text=section: text,  # type: ignore[misc]  # bound now, not later
            page,
            flags=re.MULTILINE | re.DOTALL,
        )
        if not found:
            page = f"{page.rstrip()}\n\n{section}"
    return page.rstrip() + "\n"


def main() -> None:
    """Run it all."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--output", type=Path)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--scale", type=float, default=1.0, help="smaller for a quick look")
    arguments.add_argument(
        "--commands", action="store_true", help="only commands; other sections of --output stay"
    )
    arguments.add_argument("--projections", action="store_true", help="only these, likewise")
    arguments.add_argument("--serving", action="store_true", help="only the service under load, likewise")
    arguments.add_argument("--seconds", type=float, default=60, help="of each load of the service")
    given = arguments.parse_args()
    packages = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("eventsourcing", "attrs", "msgspec", "psycopg", "umadb")
    )
    page = HEAD.format(
        today=date.today().isoformat(),
        runs=given.runs,
        machine=machine(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        packages=packages,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, small = folder / "history.jsonl", folder / "small.jsonl"
        histories.write(path, int(14_000 * given.scale), "time")
        fresh = ""
        if given.projections:
            fresh += projections(given.runs, path)
        if given.commands:
            fresh += commands(int(60 * given.scale), given.runs, path)
        if given.serving:
            fresh += serving.measured(given.seconds)
        if fresh:
            if given.output:
                page = given.output.read_text(encoding="utf-8")
                page = renewed(page, fresh, date.today().isoformat())
                given.output.write_text(page, encoding="utf-8")
            print(fresh)
            return
        page += table(
            "Reading a file",
            reading.measure(path, given.runs),
            "events",
            intro="One process, one core. `statement --json` parses, judges, makes and writes out "
            "every participant's statement.",
        )
        page += table(
            "Importing into SQLite",
            writing.bulk(path, given.runs),
            "events",
            intro="Ours judges every line, keeps identities unique and commits durably every 8,192 "
            "lines; the bare loader parses and inserts in one transaction and judges nothing.",
        )
        histories.write(small, int(600 * given.scale), "time")
        lines = small.read_bytes().splitlines()
        page += table(
            "One durable record on SQLite",
            writing.single_records(lines, given.runs),
            "events",
            intro="WAL, `synchronous=FULL`. The participant's rows are read (or known to be "
            "unchanged), one event is inserted, and the commit has reached the disk.",
        )
        page += commands(int(60 * given.scale), given.runs, path)
        page += projections(given.runs, path)
        page += serving.measured(given.seconds)
        page += memory(folder, int(68_000 * given.scale))
        page += start_up(15)
    if given.output:
        given.output.write_text(page.rstrip() + "\n", encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
