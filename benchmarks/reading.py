"""Reading: `check` and `statement --json` over a file beside a bare `json.loads` loop."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from benchmarks.measure import Row, interleaved
from prakerja_ledger.domain.register import Recorded
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.domain.time import day
from prakerja_ledger.interfaces import source
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.reading.view import View


def bare_json(path: Path) -> int:
    """What the standard library needs for the parsing alone."""
    count = 0
    with path.open("rb") as file:
        for line in file:
            json.loads(line)
            count += 1
    return count


def check(path: Path) -> int:
    """What `prakerja-ledger check` does."""
    tally = source.Tally()
    with source.without_collection():
        for one in source.judged([str(path)], source.file_register(KARTU_PRAKERJA), KARTU_PRAKERJA):
            if type(one.outcome) is Recorded:
                tally.recorded += 1
            else:
                tally.count(one.number, one.outcome)
    assert tally.quarantined == 0, "the benchmark's history is legal"
    return tally.recorded


def statements(path: Path) -> int:
    """What `prakerja-ledger statement --json` does, up to the bytes."""
    view = View(as_of=day("2021-02-01"))
    with source.open_history(str(path), KARTU_PRAKERJA) as history:
        evaluation = history.evaluation(view)
        for participant in evaluation.in_view():
            statement_json(evaluation.statement(participant)).encode()
        assert history.tally is not None
        return history.tally.recorded


def measure(path: Path, runs: int) -> list[Row]:
    """The three, interleaved."""
    with redirect_stdout(io.StringIO()):
        return interleaved(
            {
                "bare json.loads of every line": lambda: bare_json(path),
                "check": lambda: check(path),
                "statement --json": lambda: statements(path),
            },
            runs,
        )


if __name__ == "__main__":
    rows = measure(Path(sys.argv[1]), 3)
    for row in rows:
        print(f"{row.name:32s} {row.rate:10,.0f} events/s  {row.rate / rows[0].rate:.2f} × json")
