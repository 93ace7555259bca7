"""The reader under the article of 2 July 2020: two courses, two certificates, and not one rupiah.

Run: python examples/readers_case.py
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from prakerja_ledger import Statement, View, open_history
from prakerja_ledger.interfaces.cli.words import rupiah

DOCUMENTED = Path(__file__).parent / "data" / "documented.jsonl"


def readers_statement(as_of: date) -> Statement:
    """What is owed to the reader as of a day, from everything that is recorded."""
    with open_history(str(DOCUMENTED)) as history:
        return history.evaluation(View(as_of=as_of)).statement("A-READER")


def main() -> None:
    """Print why the money is not there, once during the payment hold and once after it."""
    for as_of in (date(2020, 6, 21), date(2020, 7, 2)):
        made = readers_statement(as_of)
        print(f"As of {as_of}: {rupiah(made.total('unpaid'))} unpaid")
        for line in made.lines:
            if line.unpaid:
                causes = ", ".join(because.cause for because in line.causes)
                facts = ", ".join(event.id for event in line.evidence)
                print(
                    f"  {line.line}: {rupiah(line.unpaid)}, due {line.due_on}: {causes} ({facts})"
                )


if __name__ == "__main__":
    main()
