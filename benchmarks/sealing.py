"""What a seal costs: to make it after an import, to check a ledger against it, to prove one event of ten million."""

from __future__ import annotations

import gc
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import LEDGER
from benchmarks.parts import Bench, run
from prakerja_ledger.evidence.canonical import event_bytes
from prakerja_ledger.evidence.checkpoint import Checkpoint
from prakerja_ledger.evidence.leaves import BATCH, GrowingLog, LeavesFile, write_leaves
from prakerja_ledger.evidence.merkle import check_inclusion, inclusion_proof
from prakerja_ledger.interfaces.cli.commands.sealing import leaves_file

SHARES = (0.05, 0.2)
"""Of the benchmark's participants: half a million events, of which the start of processes is a good part, and two million."""
LEAVES = 10_000_000
PROOFS = 200
NAME = "ledger.example"


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def hashed(data: list[bytes]) -> None:
    """A verification of canonical bytes that are at hand: leaves and tree."""
    log = GrowingLog()
    for one in data:
        log.append(one)
    log.head()


def proofs(folder: Path) -> list[float]:
    """Seconds of single inclusion proofs out of ten million leaves, each from the opening of the file on."""
    path = folder / "ten.leaves"
    log = GrowingLog(keep=True)
    for _ in range(0, LEAVES, BATCH):
        block = os.urandom(32 * BATCH)
        log.append_hashes([block[at : at + 32] for at in range(0, len(block), 32)])
    with path.open("wb") as file:
        write_leaves(file, [log], GrowingLog(keep=True))
    checkpoint = Checkpoint(NAME, (log.head(),))
    log.close()
    took = []
    for index in random.Random(1).sample(range(checkpoint.size), PROOFS):
        began = time.perf_counter()
        leaves = leaves_file(folder / "ten", checkpoint)
        assert isinstance(leaves, LeavesFile)
        nodes = leaves.nodes(0)
        proof = inclusion_proof(nodes, index, checkpoint.size)
        check_inclusion(index, checkpoint.size, nodes(0, index), checkpoint.root, proof)
        took.append(time.perf_counter() - began)
    path.unlink()
    return took


class Sealing:
    """The part of the benchmark."""

    NAME = "sealing"

    def measure(self, bench: Bench) -> dict[str, Any]:
        """Measure; JSON."""
        return {"sizes": [self._size(bench, share) for share in SHARES], "proofs": proofs(bench.folder)}

    def _size(self, bench: Bench, share: float) -> dict[str, Any]:
        facts = bench.facts(share)
        lines = facts.lines.read_bytes().splitlines()
        at_hand = [event_bytes(line, position) for position, line in enumerate(lines, 1)]
        found: dict[str, list[float]] = {name: [] for name in ("import", "seal", "verify", "at hand")}
        key, output = bench.folder / "seal.key", bench.folder / "said"
        key.unlink(missing_ok=True)
        run([LEDGER, "keygen", "--name", NAME, "--output", str(key)], output)
        verifier = output.read_text().strip()
        for _ in range(min(bench.rounds, 3)):
            for path in bench.folder.glob("sealed.*"):
                path.unlink()
            url, note = f"sqlite:///{bench.folder}/sealed.db", str(bench.folder / "sealed.note")
            asked = {
                "import": ("import", facts.lines, "--ledger", url),
                "seal": ("seal", url, "--key", key, "--output", note),
                "verify": ("verify", url, "--checkpoint", note, "--verifier", verifier),
            }
            for name, words in asked.items():
                found[name].append(run([LEDGER, *map(str, words)], output).seconds)
            gc.collect()
            found["at hand"].append(seconds(lambda: hashed(at_hand)))
        return {"events": len(lines), "seconds": found}

    def page(self, found: dict[str, Any]) -> str:
        """A section of the page."""
        named = {
            "import": "`import` into SQLite",
            "seal": "`seal` after it (all cores)",
            "verify": "`verify` of the ledger (one core, and the check of the file by another)",
            "at hand": "leaves and tree over canonical bytes at hand (one core)",
        }
        rows = ""
        for size in found["sizes"]:
            events, median = size["events"], {n: statistics.median(s) for n, s in size["seconds"].items()}
            rows += "".join(
                f"| {events:,} | {named[name]} | {median[name]:.2f} ({min(times):.2f}–{max(times):.2f}) "
                f"| {events / median[name]:,.0f} | {median[name] / median['import']:.1%} |\n"
                for name, times in size["seconds"].items()
            )
        proved = [one * 1_000 for one in found["proofs"]]
        return f"""## Seals

Simulated events; each command a process of its own, start included. `record` and `execute` do nothing for a seal.

| events | what | seconds | events/s | of the import |
| --- | --- | --- | --- | --- |
{rows}
An inclusion proof out of the file of leaves of {LEAVES:,} events, made and checked: {statistics.median(proved):.1f} ms (slowest of \
{len(proved)}: {max(proved):.1f} ms).
"""


PARTS = (Sealing(),)
