"""Quarantined lines kept whole in a file, and beside it the reasons."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.interfaces.cli.words import Words, shown


def reasons_beside(path: Path) -> Path:
    """Where the reasons for a file of quarantined lines stand."""
    return path.with_name(f"{path.name}.reasons.jsonl")


class QuarantineFile:
    """Quarantined lines, whole, and beside them the reasons. Appears when the import has ended.

    Written under temporary names in the same folder and renamed at the end, so that a file of an
    earlier run is never half overwritten.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reasons_path: Path = reasons_beside(path)
        self.count: int = 0
        self._lines: IO[bytes] | None = None
        self._reasons: IO[bytes] | None = None

    def add(
        self, file: str, number: int, refusal: Refusal, whole: Iterator[bytes], words: Words
    ) -> None:
        """Keep one line."""
        if self._lines is None or self._reasons is None:
            self._lines, self._reasons = self._temporary(), self._temporary()
        for piece in whole:
            self._lines.write(piece)
        self._lines.write(b"\n")
        reason = {
            "file": shown(file),
            "line": number,
            "code": refusal.code,
            "message": words.refusal(refusal),
        }
        self._reasons.write(json.dumps(reason, ensure_ascii=False).encode() + b"\n")
        self.count += 1

    def _temporary(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(  # renamed in finish
            dir=self.path.parent, prefix=f".{self.path.name}.", delete=False
        )

    def finish(self) -> None:
        """Put the files in their place; empty ones where an earlier run had left some."""
        if self._lines is None and not self.path.exists():
            return
        for file, place in (
            (self._lines or self._temporary(), self.path),
            (self._reasons or self._temporary(), self.reasons_path),
        ):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            Path(file.name).chmod(0o600)
            Path(file.name).replace(place)
        self._lines = self._reasons = None

    def discard(self) -> None:
        """Leave nothing behind of an import that did not come to its end."""
        for file in (self._lines, self._reasons):
            if file is not None:
                file.close()
                Path(file.name).unlink(missing_ok=True)
        self._lines = self._reasons = None
