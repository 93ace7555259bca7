"""A report that reached the programme five weeks late, seen on both clocks.

The participant in Semarang finished the course on 19 May 2020; the platform's report was recorded on
24 June. What did the programme know on 21 June, and what do we know now about that day?

Run: python examples/late_report.py
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from prakerja_ledger import StatementLine, View, open_history
from prakerja_ledger.domain.time import Instant, known_at
from prakerja_ledger.interfaces.cli.words import rupiah

DOCUMENTED = Path(__file__).parent / "data" / "documented.jsonl"
DAY = date(2020, 6, 21)


def first_incentive(known: Instant | None) -> StatementLine:
    """The line post-training/1 of that day, as known at a moment (None: everything recorded)."""
    with open_history(str(DOCUMENTED)) as history:
        evaluation = history.evaluation(View(as_of=DAY, known_at=known))
        return evaluation.statement("B-SEMARANG").line("post-training/1")


def main() -> None:
    """Print both answers."""
    for label, known in (("known then", known_at("2020-06-21")), ("known now", None)):
        line = first_incentive(known)
        print(
            f"As of {DAY}, {label}: owed {rupiah(line.owed)}, unpaid {rupiah(line.unpaid)}, "
            f"{line.status.value}, because {', '.join(b.cause for b in line.causes)}"
        )


if __name__ == "__main__":
    main()
