"""The same faults for stock `eventsourcing` beside ours: `python -m tests.faults.stock [--output FILE]`.

Each row is a question that is put to both, on the same servers and disks, and both answers are
measured when it runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from attrs import frozen

from tests.faults import stock_postgres, stock_sqlite

Measured = Callable[[], str]


@frozen
class Question:
    """What is asked, and how each side is made to answer."""

    text: str
    stock: Measured
    ours: Measured


QUESTIONS: Final[Sequence[Question]] = [
    Question(*one) for one in (*stock_postgres.QUESTIONS, *stock_sqlite.QUESTIONS)
]


def table(questions: Sequence[Question] = QUESTIONS) -> str:
    """A row for each question, in markdown."""
    titles = ("question", f"stock eventsourcing {version('eventsourcing')}", "prakerja-ledger")
    rows = [titles, ("---",) * len(titles)]
    for number, question in enumerate(questions, 1):
        print(f"{number} of {len(questions)}: {question.text}", file=sys.stderr)
        rows.append((question.text, question.stock(), question.ours()))
    return "".join("| " + " | ".join(_cell(one) for one in row) + " |\n" for row in rows)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the question")
    parser.add_argument("--output", type=Path, metavar="FILE")
    asked = parser.parse_args()
    made = table([one for one in QUESTIONS if asked.only in one.text])
    print(made)
    if asked.output:
        asked.output.write_text(made)


if __name__ == "__main__":
    main()
