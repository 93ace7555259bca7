"""The whole programme: sums, answers, books and stores, each beside what a user would pick instead."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.facts import AS_OF, Facts
from benchmarks.measure import LEDGER
from benchmarks.parts import (
    FLOOR,
    LIMIT,
    OURS,
    Bench,
    Cost,
    Subject,
    as_json,
    cost_table,
    digest,
    floor_of,
    from_json,
    measured,
    moments_table,
    ours,
    rival,
)

VIEW = ("--as-of", AS_OF)
ANSWERS = {
    "check": ("check", "{}", "--json"),
    "totals by wave": ("totals", "{}", "--by", "wave", "--json", *VIEW),
    "totals by cause": ("totals", "{}", "--by", "cause", "--json", *VIEW),
    "unpaid": ("unpaid", "{}", "--csv", *VIEW),
    "findings": ("findings", "{}", "--json", *VIEW),
    "statements": ("statement", "{}", "--json", *VIEW),
}
"""What an auditor asks of a whole history, and the command that answers."""
ONE: Final = "one participant's statement"


def floor(facts: Facts, runs: int = 5) -> Subject:
    """The bare GROUP BY: the least that reading these columns costs."""
    return rival("duckdb-group", FLOOR, facts.parquet, facts.events, runs=runs, whose=LIMIT)


class Sums:
    """Two sums by participant, by whatever somebody has at hand."""

    NAME = "sums"

    def measure(self, bench: Bench) -> dict[str, Any]:
        small, middle, large = bench.sizes
        subjects: list[Subject] = []
        for facts, runs in ((small, 5), (middle, 3), (large, 3)):
            subjects += self._of(facts, runs, whole=facts is large)
        return {"costs": as_json(measured(subjects, bench.rounds)), "bytes": self._bytes(large, middle)}

    def _of(self, facts: Facts, runs: int, *, whole: bool) -> Iterator[Subject]:
        events = facts.events
        yield floor(facts)
        yield rival("polars-group", "Polars group_by", facts.parquet, events, runs=runs)
        lines = facts.lines
        yield rival("msgspec-fold", "Python and msgspec, JSON lines", lines, events, runs=runs)
        yield rival("json-fold", "Python and json, JSON lines", lines, events, runs=1 if whole else runs)
        if whole:
            more: dict[str, Any] = {"runs": 3, "whose": LIMIT}
            yield rival("read-bytes", "the bytes: read the Parquet file", facts.parquet, events, **more)
            yield rival("read-bytes", "the bytes: read the JSON lines", lines, events, **more)
            spark = {"runs": 1, "phased": True}
            yield rival("pyspark-group", "PySpark local[2]", facts.parquet, events, **spark)
        else:
            packed = facts.simulated(".jsonl.zst")
            yield rival("unpack", "the bytes: unpack the lines (zstd)", packed, events, runs=3, whose=LIMIT)

    def _bytes(self, large: Facts, middle: Facts) -> list[tuple[str, int, int]]:
        """What a history weighs: form, events, bytes."""
        return [
            ("JSON lines", large.events, large.lines.stat().st_size),
            ("JSON lines, zstd", middle.events, middle.simulated(".jsonl.zst").stat().st_size),
            ("Parquet, all columns", large.events, large.parquet.stat().st_size),
        ]

    def page(self, found: dict[str, Any]) -> str:
        costs = from_json(found["costs"])
        large = max(cost.events for cost in costs)
        text = (
            "## The least that anyone can do: two sums\n\n"
            "Rupiah instructed and settled by participant, as they stand in the rows: no rule of the programme, "
            "no void, no return. All find the same sums. Each run is a process of its own, its start and imports "
            "included, with a warm page cache; PySpark by its own clock, the session apart. Parquet and JSON lines "
            "hold the same facts.\n\n"
        )
        shown = [one for one in costs if one.events == large or "zstd" in one.name]
        text += cost_table(sorted(shown, key=lambda one: -one.events))
        return text + "What a history weighs:\n\n" + _bytes_table(found["bytes"])


def _bytes_table(rows: Sequence[Sequence[Any]]) -> str:
    text = ["| form | events | MB | bytes an event |", "| --- | --: | --: | --: |"]
    text += [
        f"| {form} | {events:,} | {size / 1e6:,.0f} | {size / events:,.1f} |"
        for form, events, size in rows
    ]
    return "\n".join([*text, "", ""])


@cache
def has_engines() -> bool:
    """Whether the commands can be told which engine answers."""
    told = subprocess.run([LEDGER, "totals", "--help"], capture_output=True, text=True, check=True)
    return "--engine" in told.stdout


class Answers:
    """Our answers from Parquet, by the law in Python and by the law in SQL."""

    NAME = "answers"

    def measure(self, bench: Bench) -> dict[str, Any]:
        small, middle, large = bench.sizes
        folder = bench.folder / "answers"
        folder.mkdir(exist_ok=True)
        subjects: list[Subject] = []
        for facts in (small, middle, large):
            subjects.append(floor(facts))
            if has_engines():
                subjects += self._engine("duckdb", facts, folder, runs=3)
            if facts is not large:
                subjects += self._engine("python", facts, folder, runs=1)
            elif has_engines():
                subjects += self._engine("python", facts, folder, runs=1, only=("totals by wave",))
            subjects.append(self._one(facts))
        subjects.append(self._simulate(middle, folder))
        costs = measured(subjects, bench.rounds)
        same = self._same(subjects)
        for path in folder.iterdir():
            path.unlink()
        return {"costs": as_json(costs), "same": same, "asked": list(ANSWERS)}

    def _engine(
        self, engine: str, facts: Facts, folder: Path, *, runs: int, only: Sequence[str] = tuple(ANSWERS)
    ) -> Iterator[Subject]:
        for name in only:
            words = [word.format(facts.parquet) for word in ANSWERS[name]]
            if has_engines():
                words += ["--engine", engine]
            title = f"{name}, the law in {'SQL (DuckDB)' if engine == 'duckdb' else 'Python'}"
            answer = folder / f"{facts.participants} {engine} {name}"
            yield ours(title, facts.events, *words, runs=runs, answer=answer)

    def _one(self, facts: Facts) -> Subject:
        """A participant from the middle of the file."""
        name = f"P-{facts.participants // 2:09}"
        words = ("statement", facts.parquet, name, "--json", *VIEW)
        return ours(f"{ONE}, Parquet, as a command", facts.events, *words, runs=5)

    def _simulate(self, facts: Facts, folder: Path) -> Subject:
        words = ("--participants", facts.participants, "--output", folder / "simulated.parquet")
        return ours("simulate, Parquet", facts.events, "simulate", *words)

    def _same(self, subjects: Sequence[Subject]) -> list[str]:
        """The answers that both engines gave; they must be the same bytes."""
        digests: dict[str, set[str]] = {}
        for subject in subjects:
            if subject.answer is not None:
                participants, _, name = subject.answer.name.split(" ", 2)
                digests.setdefault(f"{name}, {participants}", set()).add(digest(subject.answer))
        different = [name for name, found in digests.items() if len(found) > 1]
        assert not different, f"the engines differ: {different}"
        return list(digests)

    def page(self, found: dict[str, Any]) -> str:
        costs = from_json(found["costs"])
        sizes = sorted({cost.events for cost in costs})
        base = floor_of(costs)
        text = (
            "## Answers over the whole programme\n\n"
            "The commands as typed, from the Parquet file to the last byte of their output, start-up included; "
            "statements and findings are written out whole. Where both laws were asked, the bytes were the same. "
            f"As of {AS_OF}, all that is recorded. The ratio is to the bare GROUP BY of the table's own round.\n\n"
        )
        for events in reversed(sizes):
            rows = [cost for cost in costs if cost.events == events and not cost.name.startswith(ONE)]
            text += f"{events:,} events:\n\n" + cost_table(rows, _floor_at(rows, base))
        return text + moments_table([cost for cost in costs if cost.name.startswith(ONE)])


def _floor_at(costs: Sequence[Cost], otherwise: Cost) -> Cost:
    return next((cost for cost in costs if cost.name == FLOOR), otherwise)


class Books:
    """Plain-text accounting over the exported books."""

    NAME = "books"

    def measure(self, bench: Bench) -> dict[str, Any]:
        small, middle, large = bench.sizes
        subjects = [floor(large, 3)]
        for facts, runs, tools in ((small, 3, ("ledger", "hledger")), (middle, 1, ("ledger",))):
            subjects += self._of(facts, runs, tools)
        entries = {str(facts.events): _entries(facts.journal) for facts in (small, middle)}
        return {
            "costs": as_json(measured(subjects, bench.rounds)),
            "entries": entries,
            "bytes": [("journal", middle.events, middle.journal.stat().st_size)],
        }

    def _of(self, facts: Facts, runs: int, tools: Sequence[str]) -> Iterator[Subject]:
        events, parquet = facts.events, facts.parquet
        export = ("export", parquet, "--format", "hledger", *VIEW)
        yield ours("export --format hledger", events, *export, runs=runs)
        yield ours("totals by line", events, "totals", parquet, "--by", "line", "--json", *VIEW, runs=runs)
        for tool in tools:
            command = (tool, "-f", str(facts.journal), "balance", "--flat", "Liabilities")
            yield Subject(f"{tool} balance", events, command, runs=runs)
        if "hledger" in tools:
            command = ("hledger", "-f", str(facts.journal), "check", "--strict")
            yield Subject("hledger check --strict", events, command, runs=runs)

    def page(self, found: dict[str, Any]) -> str:
        costs = from_json(found["costs"])
        base = floor_of(costs)
        entries = {int(events): count for events, count in found["entries"].items()}
        text = (
            "## The books\n\n"
            "[The journal](howto/hledger.md) of the same facts, balanced by others, beside `totals`, which also reads "
            "and judges them. Both tools check the statements' sums, which close the journal.\n\n"
        )
        text += cost_table([cost for cost in costs if cost.name != FLOOR], base)
        text += "| what | entries | entries/s | KiB of memory an entry |\n| --- | --: | --: | --: |\n"
        for cost in costs:
            if "ledger" in cost.name and cost.whose != OURS and cost.peak is not None:
                count = entries[cost.events]
                text += (
                    f"| {cost.name} | {count:,} | {count / cost.median:,.0f} | "
                    f"{cost.peak * 1024 / count:.1f} |\n"
                )
        return f"{text}\n" + _bytes_table(found["bytes"])


def _entries(journal: Path) -> int:
    with journal.open("rb") as file:
        return sum(line[:1] in b"0123456789" for line in file)


class Stores:
    """Event stores: filled, folded whole, and asked for participants one by one."""

    NAME = "stores"

    def measure(self, bench: Bench) -> dict[str, Any]:
        small, middle, large = bench.sizes
        subjects = [floor(large, 3)]
        for facts, runs in ((small, 3), (middle, 1)):
            lines, events = facts.lines, facts.events
            subjects += [
                rival("stock-fill", "stock eventsourcing: fill SQLite", lines, events, runs=runs),
                rival("stock-log", "stock eventsourcing: fold the notification log", lines, events, runs=runs),
                rival("stock-get", "stock eventsourcing: repository.get of all", lines, events, runs=runs),
            ]
        more: dict[str, Any] = {"runs": 3, "phased": True, "note": "(a server, by its client's clock)"}
        subjects.append(rival("umadb-store", "UmaDB", small.lines, small.events, **more))
        costs = measured(subjects, bench.rounds)
        costs += self._own(small, middle, bench.rounds)
        sizes = [("stock eventsourcing, SQLite", middle.events, _stock(middle).stat().st_size)]
        sizes.append(("our ledger, SQLite", middle.events, _ledger(middle).stat().st_size))
        for facts in (small, middle):
            _stock(facts).unlink()
            _ledger(facts).unlink()
        return {"costs": as_json(costs), "bytes": sizes}

    def _own(self, small: Facts, middle: Facts, rounds: int) -> list[Cost]:
        """Our own ledger; an import is one run, since a second one would record nothing."""
        subjects = []
        for facts in (small, middle):
            url = f"sqlite:///{_ledger(facts)}"
            _ledger(facts).unlink(missing_ok=True)
            name = f"P-{facts.participants // 2:09}"
            subjects += [
                ours("import into SQLite", facts.events, "import", facts.parquet, "--ledger", url, runs=1),
                ours("totals by wave, SQLite", facts.events, "totals", url, "--by", "wave", *VIEW, runs=1),
                ours(f"{ONE}, SQLite, as a command", facts.events, "statement", url, name, *VIEW, runs=5),
                rival(
                    "ledger-statement",
                    f"{ONE}, SQLite, in a process that runs",
                    _ledger(facts),
                    facts.events,
                    runs=1,
                    phased=True,
                    whose=OURS,
                ),
            ]
        return measured(subjects, rounds)

    def page(self, found: dict[str, Any]) -> str:
        costs = from_json(found["costs"])
        return (
            "## Event stores\n\n"
            "The same facts in stores that keep events one by one. Stock `eventsourcing` as it comes, an aggregate a "
            "participant, a thousand to a save; its log and its aggregates are folded to the two sums. UmaDB "
            "(server and client on this machine) appends a thousand events at once; *by participant* reads 1,000 "
            "participants, its rate is theirs times their events. They judge nothing. Ours judges every line, keeps "
            "identities unique, and answers by the law.\n\n"
            + cost_table([cost for cost in costs if not cost.name.startswith(ONE)])
            + moments_table([cost for cost in costs if cost.name.startswith(ONE)])
            + "What a history weighs there:\n\n"
            + _bytes_table(found["bytes"])
        )


def _stock(facts: Facts) -> Path:
    return facts.path(".stock.db")


def _ledger(facts: Facts) -> Path:
    return facts.path(".ledger.db")


PARTS = (Sums(), Answers(), Books(), Stores())
