"""Change sealed ledgers and packs at random, and write the page on what was told of it.

    python -m tests.tampering --edits 10000 --output docs/tampering.md

Each edit comes from a seed: `python -m tests.tampering --only ledgers SEED` repeats one and prints what was said.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.tampering import ledgers, packs

KINDS = {"ledgers": ledgers, "packs": packs}
FEW = 10
"""Edits of one history."""
INTRODUCTIONS = {
    "ledgers": "## Ledgers\n\n{edits:,} edits of sealed SQLite ledgers by whoever holds the file, made after all triggers "
    "were dropped. An edit counts as told where a break names its position. Of a bit that only spells the same "
    "event otherwise (an escape) nothing may be told. Bytes of the file are written over past SQLite; where the file "
    "contradicts itself then, that has to be told, and else the position of an event that is shown otherwise or not at all.\n\n",
    "packs": "## Packs\n\n{edits:,} edits of packs, of their bytes and of their files. An edit counts as told where the "
    "file is named that it begins in, or the byte from which on the pack is none; of an event that whoever "
    "has the key changed, its position; of an older pack and of another history, that the checkpoint kept outside "
    "is of another.\n\n",
}
Told = Counter[tuple[str, str]]


def one_history(kind: str, number: int) -> tuple[Told, list[str]]:
    """All edits of one history, which is found clean before."""
    outcomes: Told = Counter()
    missed = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        assert KINDS[kind].clean(number, folder), f"{kind}, history {number}: called broken as it was made"
        for seed in range(number * FEW, (number + 1) * FEW):
            outcome = KINDS[kind].tampered(number, seed, folder)
            outcomes[outcome.what, "made"] += 1
            outcomes[outcome.what, "same"] += not outcome.changed
            for name, told in zip(("first", "second"), outcome.told, strict=True):
                outcomes[outcome.what, name] += told and outcome.changed
                if not told:
                    missed.append(f"not told by the {name}: python -m tests.tampering --only {kind} {seed}")
    return outcomes, missed


def section(kind: str, edits: int) -> str:
    """The table of one kind."""
    outcomes: Told = Counter()
    histories = edits // FEW
    with ProcessPoolExecutor() as processes:
        each = processes.map(partial(one_history, kind), range(histories), chunksize=5)
        for done, (found, missed) in enumerate(each):
            outcomes += found
            print(*missed, sep="\n", end="\n" * bool(missed), flush=True)
            if not done % 100:
                print(f"{kind}: {done} of {histories} histories", file=sys.stderr, flush=True)
    rows = []
    for what in KINDS[kind].EDITS:
        made, same, one, two = (outcomes[what, key] for key in ("made", "same", "first", "second"))
        rows.append(f"| {what} | {made:,} | {same:,} | {one:,} | {two:,} |\n")
    return (
        INTRODUCTIONS[kind].format(edits=histories * FEW)
        + f"Before them, {histories:,} that nobody touched were verified: none was called broken by either verifier.\n\n"
        "| edit | made | of them without any change of an event | told with its place by the first verifier | by the second |\n"
        f"| --- | --- | --- | --- | --- |\n{''.join(rows)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=10_000, help="of each kind")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", nargs=2, metavar=("KIND", "SEED"))
    asked = parser.parse_args()
    if asked.only is not None:
        kind, seed = asked.only[0], int(asked.only[1])
        with tempfile.TemporaryDirectory() as made:
            print(KINDS[kind].tampered(seed // FEW, seed, Path(made)))
        return
    text = "# What tampering is told\n\n<!-- Written by python -m tests.tampering. -->\n\n"
    text += "Each edit comes from a seed. Two verifiers, written apart, look at each.\n\n"
    text += "\n".join(section(kind, asked.edits) for kind in KINDS)
    if asked.output:
        asked.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
