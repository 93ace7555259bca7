"""The Python law alone over a Parquet history: judged and folded by one process and by two."""

from __future__ import annotations

import argparse
import gc
import resource
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.measure import Row, interleaved
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.domain.time import day
from prakerja_ledger.interfaces import source
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.interfaces.together.history import Together, together
from prakerja_ledger.reading.view import View

AS_OF = "2024-12-31"
ASKED: dict[str, Callable[[Together], Iterable[object]]] = {
    "check": Together.outcomes,
    "totals of everything": lambda asked: asked.totals("wave"),
    "every statement as JSON": Together.statements,
    "every finding": Together.findings,
}


def asked(path: Path, what: str, processes: int) -> int:
    """One question, from the opening of the file to the last byte of the answer."""
    view = None if what == "check" else View(as_of=day(AS_OF))
    with together(str(path), KARTU_PRAKERJA, view, processes) as history:
        assert history is not None, "the benchmark's history is one that this package wrote"
        for _ in ASKED[what](history):
            pass
        assert history.tally is not None
        return history.tally.recorded


def one_statement(place: str, participant: str) -> int:
    """One participant's statement, of a file or of a ledger that is opened for it."""
    with source.open_history(place, KARTU_PRAKERJA, only=[participant]) as history:
        statement_json(history.evaluation(View(as_of=day(AS_OF))).statement(participant))
    return 1


def measure(path: Path, runs: int, processes: Iterable[int] = (1, 2)) -> list[Row]:
    """Every question by so many processes, interleaved."""
    return interleaved(
        {
            f"{what}, {count} process{'es' * (count > 1)}": lambda what=what, count=count: asked(
                path, what, count
            )
            for what in ASKED
            for count in processes
        },
        runs,
    )


def measure_one(places: Iterable[str], participant: str, runs: int) -> list[Row]:
    """One participant's statement of each of some sources."""
    return interleaved(
        {
            f"one statement of {place.partition(':')[0] if '://' in place else Path(place).name}": (
                lambda place=place: one_statement(place, participant)
            )
            for place in places
        },
        runs,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ledger", help="a ledger of the same events, for one statement of it")
    parser.add_argument("--participant", help="whose statement")
    given = parser.parse_args()
    gc.disable()  # as the program does
    for row in measure(given.history, given.runs):
        print(f"{row.name:38s} {row.rate:10,.0f} events/s  {row.spread()} s")
    if given.participant:
        places = [str(given.history), *([given.ledger] if given.ledger else [])]
        for row in measure_one(places, given.participant, 5 * given.runs):
            print(f"{row.name:38s} {1000 * row.median:10.1f} ms  {row.spread()} s")
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (0, -1)]
    print(f"peak memory: {peaks[0]:,.0f} MiB, of another process {peaks[1]:,.0f} MiB")


if __name__ == "__main__":
    main()
