"""Five times as many events as the programme had by 2020, under a memory limit: what does not fit is set aside."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.parts import FLOOR, Bench, as_json, cost_table, from_json, measured, ours
from benchmarks.programme import ANSWERS, VIEW, floor

SHARE: Final = 4.91
"""50 million events."""
MEMORY_LIMIT: Final = "4GB"


class Larger:
    """The answers over 50 million events, by the law in SQL."""

    NAME = "larger"

    def measure(self, bench: Bench) -> dict[str, Any]:
        facts = bench.facts(SHARE)
        simulated = facts.path(".simulated.parquet")
        limited = ("--engine", "duckdb", "--memory-limit", MEMORY_LIMIT)
        size = ("--participants", facts.participants, "--seed", 1, "--output", simulated)
        subjects = [ours("simulate, Parquet", facts.events, "simulate", *size, runs=1)]
        subjects.append(floor(facts, 3))
        answers = bench.folder / "larger"
        answers.mkdir(exist_ok=True)
        for name, words in ANSWERS.items():
            command = [word.format(facts.parquet) for word in words]
            subjects.append(
                ours(
                    f"{name}, the law in SQL (DuckDB)",
                    facts.events,
                    *command,
                    *limited,
                    runs=1,
                    answer=answers / name,
                )
            )
        name = f"P-{facts.participants // 2:09}"
        one = ("statement", facts.parquet, name, "--json", *VIEW)
        subjects.append(ours("one participant's statement", facts.events, *one, runs=3))
        costs = measured(subjects, bench.rounds)
        statements = (answers / "statements").stat().st_size
        for path in (simulated, *answers.iterdir()):
            path.unlink()
        return {
            "answers": as_json(costs),  # not among the plots, whose sizes end at ten millions
            "participants": facts.participants,
            "bytes": {"Parquet": facts.parquet.stat().st_size, "statements": statements},
        }

    def page(self, found: dict[str, Any]) -> str:
        costs = from_json(found["answers"])
        base = next(cost for cost in costs if cost.name == FLOOR)
        history, statements = found["bytes"]["Parquet"], found["bytes"]["statements"]
        return (
            f"## Answers over 50 million events\n\n"
            f"{base.events:,} events, {found['participants']:,} participants, {history / 1e9:.2f} GB of Parquet, as typed with "
            f"`--engine duckdb --memory-limit {MEMORY_LIMIT}`. The statements are {statements / 1e9:.1f} GB of "
            "text.\n\n" + cost_table(costs, base)
        )
