"""The facts of the newer parts: simulated, made once a size, and kept while the benchmarks run.

They come from the package's own simulator, so that a figure is about the programme as it was (its waves,
instalments and failures) and anyone can make the same bytes. `histories.py` stays for the older parts: it
needs nothing but the standard library, writes by time as a live log is, and their figures go back to the
first version; tests use it as well.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.measure import LEDGER

AS_OF = "2024-12-31"
"""After the last wave, so that no event is out of view."""
PARTICIPANTS = 491_000
"""10.2 million events."""


def participants_of(path: str | Path) -> int:
    """How many there are in what was made of a history, which is named by their number."""
    return int(Path(path).name.partition(".")[0])


@dataclass(frozen=True)
class Facts:
    """A simulated history of so many participants, in the forms that somebody reads."""

    folder: Path
    participants: int

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, suffix: str) -> Path:
        return self.folder / f"{self.participants}{suffix}"

    def simulated(self, suffix: str) -> Path:
        """The history as `.parquet`, `.jsonl` or `.jsonl.zst`; the same facts in each."""
        path = self.path(suffix)
        if not path.exists():
            words = ["--participants", str(self.participants), "--seed", "1", "--output", str(path)]
            subprocess.run([LEDGER, "simulate", *words], check=True, stdout=subprocess.DEVNULL)
        return path

    @property
    def parquet(self) -> Path:
        return self.simulated(".parquet")

    @property
    def lines(self) -> Path:
        return self.simulated(".jsonl")

    @property
    def events(self) -> int:
        return int(pq.ParquetFile(self.parquet).metadata.num_rows)

    @property
    def journal(self) -> Path:
        """The books of it, for hledger and ledger."""
        path = self.path(".journal")
        if not path.exists():
            words = ["--as-of", AS_OF, "--output", str(path)]
            subprocess.run([LEDGER, "export", str(self.parquet), *words], check=True)
        return path
