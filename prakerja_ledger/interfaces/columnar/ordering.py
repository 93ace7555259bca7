"""Rows put into order on disk: by position for reading, by participant for writing.

Runs of rows are sorted in memory and set aside, in small pieces, in one unnamed temporary file. They
are then merged window by window: a window is what lies between two values of the leading column, and
is a few pieces of all runs together. A Python comparison a row would take longer than all the rest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, NamedTuple

import pyarrow as pa
from pyarrow import compute as pc

RUN_ROWS: Final = 1 << 17
RUN_BYTES: Final = 1 << 27
"""Rows and bytes at hand before they are set aside."""
PIECE: Final = 1 << 10
WINDOW: Final = 64
"""Pieces of a window; over all runs together."""
_MOST_DECODED: Final = 1 << 30


class _Piece(NamedTuple):
    at: int
    size: int
    unpacked: int
    first: Any


class Sorter:
    """Rows in, rows out in order. Used once."""

    def __init__(self, keys: Sequence[str], run_rows: int = RUN_ROWS) -> None:
        self._keys = list(keys)
        self._run_rows = run_rows
        self._at_hand: list[Any] = []
        self._rows = 0
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._runs: list[list[_Piece]] = []
        self._codec = pa.Codec("lz4")
        self._schema: Any = None

    def close(self) -> None:
        """Give back what stands on disk."""
        if self._file is not None:
            self._file.close()

    def add(self, table: Any) -> None:
        """Take some rows; each time of the same columns."""
        self._schema = table.schema
        self._at_hand.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= self._run_rows or self._bytes >= RUN_BYTES:
            self._set_aside()

    def _sorted(self, tables: list[Any]) -> Any:
        table = pa.concat_tables(tables)
        order = pc.sort_indices(table, sort_keys=[(key, "ascending") for key in self._keys])
        return table.take(order)

    def _set_aside(self) -> None:
        if not self._rows:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close
        self._file.seek(0, 2)
        at = self._file.tell()
        run = []
        table = self._sorted(self._at_hand)
        for start in range(0, table.num_rows, PIECE):
            piece = table.slice(start, PIECE).combine_chunks()
            (batch,) = piece.to_batches()
            message = batch.serialize()
            packed = self._codec.compress(message)
            self._file.write(packed)
            run.append(
                _Piece(at, packed.size, message.size, batch.column(self._keys[0])[0].as_py())
            )
            at += packed.size
        self._runs.append(run)
        self._at_hand, self._rows, self._bytes = [], 0, 0

    def tables(self) -> Iterator[Any]:
        """All rows in order, a table at a time."""
        if not self._runs:
            if self._at_hand:
                yield self._sorted(self._at_hand)
            return
        self._set_aside()
        firsts = sorted(piece.first for run in self._runs for piece in run)
        yield from self._windows([*dict.fromkeys(firsts[WINDOW::WINDOW]), None])

    def _windows(self, bounds: list[Any]) -> Iterator[Any]:
        waiting: list[list[_Piece]] = [list(reversed(run)) for run in self._runs]
        rest: list[Any] = [None] * len(waiting)
        for bound in bounds:
            found = []
            for number, run in enumerate(waiting):
                begun = [] if rest[number] is None else [rest[number]]
                while run and (bound is None or run[-1].first < bound):
                    begun.append(self._load(run.pop()))
                if begun:
                    table = pa.concat_tables(begun)
                    cut = self._before(table, bound)
                    found.append(table.slice(0, cut))
                    rest[number] = table.slice(cut) if cut < table.num_rows else None
            if sum(table.num_rows for table in found):
                yield self._sorted(found)

    def _before(self, table: Any, bound: Any) -> int:
        """How many of the rows, which are in order, stand before a bound."""
        if bound is None:
            return int(table.num_rows)
        return int(pc.sum(pc.less(table.column(self._keys[0]), bound)).as_py() or 0)

    def _load(self, piece: _Piece) -> Any:
        assert self._file is not None, "a piece that was never set aside"
        self._file.seek(piece.at)
        message = self._codec.decompress(self._file.read(piece.size), piece.unpacked)
        return pa.Table.from_batches([pa.ipc.read_record_batch(message, self._schema)])


def plain(table: Any, schema: Any) -> Any:
    """A table with the columns of a schema in its order, texts no longer by dictionary.

    Raises MemoryError where that would unpack a few long texts into more than memory should hold.
    """
    columns = []
    for wanted in schema:
        if wanted.name not in table.schema.names:
            columns.append(pa.nulls(table.num_rows, wanted.type))
            continue
        column = table.column(wanted.name)
        if pa.types.is_dictionary(column.type):
            _check_size(column)
        columns.append(column.cast(wanted.type))
    return pa.table(columns, schema=schema)


def _check_size(column: Any) -> None:
    for chunk in column.chunks:
        longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
        if longest * len(chunk) <= _MOST_DECODED:
            continue
        sizes = pc.binary_length(chunk.dictionary).take(chunk.indices)
        if (pc.sum(sizes).as_py() or 0) > _MOST_DECODED:
            raise MemoryError("a few rows unpack into more than a gigabyte of text")
