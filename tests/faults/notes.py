"""What a run notes of itself, outside the disk that breaks: the only witness when it is gone.

A line of JSON for each thing that happens, in one `write` to a file opened for appending, so that
threads do not mix and a `kill -9` leaves whole lines.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Note = dict[str, Any]
"""`what` it is, when (`at`, nanoseconds since boot: the same for every process), and its fields."""


class Notes:
    """The file of notes, for writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, what: str, **fields: Any) -> None:
        note = {"what": what, "at": time.monotonic_ns(), **fields}
        os.write(self._file, json.dumps(note).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


def notes_of(path: Path) -> Iterator[Note]:
    """Every whole note, in the order of writing."""
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield json.loads(line)
