"""Many runs under faults: `python -m tests.faults --runs N [--seed FIRST]`, spread over all of them.

Prints every broken promise with the line that repeats its run, and at the end a table; ends with
status 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from tests.faults.instrument import CALLS
from tests.faults.report import table
from tests.faults.runs import STORES, Fault, attempt, faults
from tests.faults.verdict import Verdict

AT_ONCE = 2


def main() -> int:
    asked = _arguments()
    chosen = [fault for fault in faults(asked.store) if _wanted(fault, asked.only)]
    if not chosen:
        print(f"no such fault: {asked.only}", file=sys.stderr)
        return 2
    runs = list(zip(itertools.cycle(chosen), range(asked.seed, asked.seed + asked.runs)))
    verdicts: dict[Fault, list[Verdict]] = {fault: [] for fault in chosen}
    broken, began = 0, time.monotonic()
    for done, (fault, seed, verdict) in enumerate(_all(runs, asked.calls), 1):
        verdicts[fault].append(verdict)
        if verdict.problems:
            broken += 1
            print(f"\n{fault.command(seed, asked.calls)}")
            print("\n".join(f"  {problem.kind}: {problem.what}" for problem in verdict.problems))
        rate = done / (time.monotonic() - began)
        if not done % 20 or done == len(runs):
            print(f"\r{done} runs, {broken} broken, {rate:.1f} a second", end="", file=sys.stderr)
    print(file=sys.stderr)
    last = asked.seed + asked.runs - 1
    made = f"{len(runs):,} runs, seeds {asked.seed} to {last}; {broken} broke a promise.\n\n"
    made += table(verdicts)
    print(made)
    if asked.output:
        asked.output.write_text(made)
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="FIRST")
    parser.add_argument("--calls", type=int, default=CALLS, help="by each client of a run")
    parser.add_argument("--store", choices=STORES, default="sqlite")
    parser.add_argument("--only", default="", help="instruments, or 'instrument: form'; by commas")
    parser.add_argument("--output", type=Path, metavar="FILE", help="for the table")
    return parser.parse_args()


def _wanted(fault: Fault, only: str) -> bool:
    names = {name.strip() for name in only.split(",") if name.strip()}
    return not names or bool(names & {fault.instrument, f"{fault.instrument}: {fault.form}"})


def _all(runs: list[tuple[Fault, int]], calls: int) -> Iterator[tuple[Fault, int, Verdict]]:
    """The runs as they end, so many at once, each of these in a process of its own."""
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as executor:
        waiting: dict[Future[Verdict], tuple[Fault, int]] = {
            executor.submit(attempt, fault, seed, calls): (fault, seed) for fault, seed in runs
        }
        for future in as_completed(waiting):
            yield *waiting[future], future.result()


if __name__ == "__main__":
    sys.exit(main())
