"""A simulated history written as it comes, in bounded memory: JSON lines or Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
from attrs import frozen
from pyarrow import parquet as pq

from prakerja_ledger.simulating import programme
from prakerja_ledger.simulating.columns import Columns, columns_of
from prakerja_ledger.simulating.lines import line_of, lines_of
from prakerja_ledger.simulating.people import Population
from prakerja_ledger.simulating.simulation import chunks
from prakerja_ledger.simulating.tables import SCHEMA, table_of, table_of_singles

Tick = Callable[[int], None]
"""Called with the number of events written so far, now and then."""
_GROUP_ROWS: Final = 1 << 17
_PLAIN: Final = frozenset({"position", "id", "time", "recordedtime", "certificate", "reference"})
"""Columns that hardly repeat: a dictionary of them would only be one more copy."""


@frozen
class Simulation:
    """Which history: the programme at a scale, its first so many participants, a seed."""

    population: Population
    participants: int
    seed: int

    def columns(self) -> Iterator[Columns]:
        """The events of the participants, chunk by chunk, each chunk in its order."""
        for chunk in chunks(self.population, self.participants, self.seed):
            yield columns_of(chunk.first, chunk.wanted, chunk.events)


def write_lines(simulation: Simulation, file: IO[bytes], tick: Tick) -> int:
    """Write JSON lines, participant by participant, packages and programme first. Gives the count."""
    count = 0
    for one in programme.events():
        file.write(line_of(one))
        count += 1
    for columns in simulation.columns():
        file.write(joined(lines_of(columns)))
        count += columns.count
        tick(count)
    return count


def joined(lines: Any) -> memoryview:
    """The bytes of an array of bytes, one after another."""
    if not len(lines):
        return memoryview(b"")
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)
    return memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]]


def write_parquet(simulation: Simulation, path: Path, tick: Tick) -> int:
    """Write the same history as Parquet, sorted by subject and position. Gives the count."""
    singles = list(enumerate(programme.events(), 1))
    count = len(singles)
    with _parquet(path) as writer:
        for columns in simulation.columns():
            positions = np.arange(count + 1, count + 1 + columns.count, dtype=np.int64)
            writer.write_table(table_of(columns, positions), row_group_size=_GROUP_ROWS)
            count += columns.count
            tick(count)
        writer.write_table(_last(singles), row_group_size=_GROUP_ROWS)
    return count


def _last(singles: list[tuple[int, programme.Single]]) -> Any:
    """Packages and the programme: their names sort behind the participants'."""
    return table_of_singles(sorted(singles, key=lambda one: (one[1].subject, one[0])))


def _parquet(path: Path) -> Any:
    order = [SCHEMA.get_field_index(name) for name in ("subject", "position")]
    pa.set_cpu_count(1)
    return pq.ParquetWriter(
        path,
        SCHEMA,
        compression="zstd",
        use_dictionary=[name for name in SCHEMA.names if name not in _PLAIN],
        sorting_columns=[pq.SortingColumn(index) for index in order],
        write_page_index=True,
        write_page_checksum=True,
    )
