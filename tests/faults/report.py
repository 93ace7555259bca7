"""The table of many runs, in markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.faults.runs import STORES, Fault
from tests.faults.verdict import Verdict

COLUMNS = (
    "instrument", "form", "runs", "struck", "acknowledged", "unknown, stored", "unknown, not stored",
    "refused by the store", "lost", "doubled", "gaps", "double payments", "wrong resolves", "other",
)  # fmt: skip
PROBLEMS = ("lost", "doubled", "gap", "double payment", "wrong resolve", "other")


def table(verdicts: Mapping[Fault, Sequence[Verdict]]) -> str:
    """A row for each fault, and their sum."""
    rows = [_row(fault, found) for fault, found in verdicts.items()]
    every = [one for found in verdicts.values() for one in found]
    rows.append(["all", "", *_numbers(every)])
    rule = ["---", "---", *["---:"] * (len(COLUMNS) - 2)]
    lines = ["| " + " | ".join(row) + " |" for row in (list(COLUMNS), rule, *rows)]
    return "\n".join(lines) + "\n"


def _row(fault: Fault, found: Sequence[Verdict]) -> list[str]:
    says = STORES[fault.store][fault.instrument].forms[fault.form]
    return [fault.instrument, f"{fault.form}: {says}", *_numbers(found)]


def _numbers(found: Sequence[Verdict]) -> list[str]:
    counts = [
        len(found),
        sum(one.struck for one in found),
        sum(one.acknowledged for one in found),
        sum(one.resolved_stored for one in found),
        sum(one.resolved_not_stored for one in found),
        sum(one.faults for one in found),
        *(sum(one.count(kind) for one in found) for kind in PROBLEMS),
    ]
    return [f"{count:,}" for count in counts]
