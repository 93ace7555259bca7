"""The same history in the order in which the programme learned of things, whatever its size.

An external sort in two passes. Each chunk is put in that order by itself and laid on disk as a run; then,
day by day, the day's part of every run is taken up and merged. A day has to fit into memory, nothing
else does. The disk holds as much as the lines that are written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, Self

import numpy as np
import pyarrow as pa
from attrs import define, field
from numpy.typing import NDArray

from prakerja_ledger.simulating.days import DAY
from prakerja_ledger.simulating.drawing import Ints

_WORD: Final = 8
"""Bytes of a number on disk."""


@define(eq=False)
class _Run:
    """Where a run lies on disk: its first row, and of each of its days the rows and the bytes."""

    first: int
    days: Ints
    rows: Ints
    """Where each day's rows begin, and the end."""
    offsets: Ints
    """Where each day's lines begin in the file of lines, and the end."""


@define(eq=False)
class Spool:
    """Runs of rows, each in the order of recording, on disk."""

    _folder: tempfile.TemporaryDirectory[str] = field(factory=tempfile.TemporaryDirectory)
    _files: dict[str, IO[bytes]] = field(factory=dict)
    _runs: list[_Run] = field(factory=list)
    _row: int = 0
    _byte: int = 0

    def __enter__(self) -> Self:
        for name in ("known", "row", "length", "line"):
            self._files[name] = (Path(self._folder.name) / name).open("w+b")
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
        self._folder.cleanup()

    @property
    def rows(self) -> int:
        """Rows in all runs."""
        return self._row

    def add(self, known: Ints, lines: Any = None) -> None:
        """Add a chunk, in whatever order it is; its lines too, where they are to be read again."""
        order = np.argsort(known, kind="stable").astype(np.int64)
        known = known[order]
        lengths = np.zeros(len(known), dtype=np.int64)
        if lines is not None:
            lines = lines.take(pa.array(order))
            ends = np.frombuffer(lines.buffers()[1], dtype=np.int32)[: len(known) + 1]
            lengths = np.diff(ends).astype(np.int64)
            self._files["line"].write(memoryview(lines.buffers()[2])[: int(ends[-1])])
        for name, values in (("known", known), ("row", order), ("length", lengths)):
            self._files[name].write(values.tobytes())
        days, starts = np.unique(known // DAY, return_index=True)
        rows = np.append(starts, len(known)).astype(np.int64)
        bytes_before = np.append(0, np.cumsum(lengths))[rows] + self._byte
        self._runs.append(_Run(self._row, days, rows, bytes_before))
        self._row += len(known)
        self._byte += int(lengths.sum())

    def _read(self, name: str, run: _Run, day: int) -> Ints:
        file = self._files[name]
        file.seek((run.first + int(run.rows[day])) * _WORD)
        count = int(run.rows[day + 1] - run.rows[day])
        return np.frombuffer(file.read(count * _WORD), dtype=np.int64)

    def _days(self) -> Iterator[tuple[list[tuple[_Run, int]], Ints]]:
        """Day by day: the runs that have it, and the order of their rows taken together."""
        every = np.unique(np.concatenate([run.days for run in self._runs]))
        for day in every.tolist():
            parts = []
            for run in self._runs:
                at = int(np.searchsorted(run.days, day))
                if at < len(run.days) and run.days[at] == day:
                    parts.append((run, at))
            known = np.concatenate([self._read("known", run, at) for run, at in parts])
            yield parts, np.argsort(known, kind="stable").astype(np.int64)

    def lines(self) -> Iterator[Any]:
        """The lines in the order of recording, a day at a time, as arrays of bytes."""
        for parts, order in self._days():
            lengths = np.concatenate([self._read("length", run, at) for run, at in parts])
            texts = []
            for run, at in parts:
                self._files["line"].seek(int(run.offsets[at]))
                texts.append(self._files["line"].read(int(run.offsets[at + 1] - run.offsets[at])))
            ends = np.append(0, np.cumsum(lengths))
            buffers = [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(b"".join(texts))]
            lines = pa.Array.from_buffers(pa.large_binary(), len(lengths), buffers)
            yield lines.take(pa.array(order))

    def positions(self) -> NDArray[np.int64]:
        """For each row, run after run as they were added, its place in the order of recording."""
        path = Path(self._folder.name) / "position"
        found = np.memmap(path, dtype=np.int64, mode="w+", shape=(self._row,))
        before = 0
        for parts, order in self._days():
            rows = [run.first + self._read("row", run, at) for run, at in parts]
            found[np.concatenate(rows)[order]] = np.arange(before, before + len(order)) + 1
            before += len(order)
        return found
