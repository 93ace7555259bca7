"""A simulated history written as it comes, in bounded memory: JSON lines or Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
from attrs import frozen

from prakerja_ledger.evidence.arrow import parquet_writer
from prakerja_ledger.simulating import programme
from prakerja_ledger.simulating.by_time import Spool
from prakerja_ledger.simulating.columns import Columns, columns_of
from prakerja_ledger.simulating.lines import line_of, lines_of
from prakerja_ledger.simulating.people import Population
from prakerja_ledger.simulating.simulation import chunks
from prakerja_ledger.simulating.tables import table_of, table_of_singles

Tick = Callable[[int], None]
"""Called with the number of events written so far, now and then."""
_GROUP_ROWS: Final = 1 << 17


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


def write_lines(
    simulation: Simulation, file: IO[bytes], tick: Tick, *, by_time: bool = False
) -> int:
    """Write JSON lines and give their number.

    Participant by participant, packages and programme first; or in the order of recording.
    """
    if by_time:
        return _write_lines_by_time(simulation, file, tick)
    count = 0
    for one in programme.events():
        file.write(line_of(one))
        count += 1
    for columns in simulation.columns():
        file.write(joined(lines_of(columns)))
        count += columns.count
        tick(count)
    return count


def _write_lines_by_time(simulation: Simulation, file: IO[bytes], tick: Tick) -> int:
    singles = programme.events()
    with Spool() as spool:
        spool.add(
            np.array([one.at for one in singles], dtype=np.int64),
            pa.array([line_of(one) for one in singles], pa.binary()),
        )
        for columns in simulation.columns():
            spool.add(columns.known, lines_of(columns))
            tick(spool.rows)
        for lines in spool.lines():
            file.write(joined(lines))
        return spool.rows


def joined(lines: Any) -> memoryview:
    """The bytes of an array of bytes, one after another."""
    if not len(lines):
        return memoryview(b"")
    _, offsets, data = lines.buffers()
    large = pa.types.is_large_binary(lines.type)
    ends = np.frombuffer(offsets, dtype=np.int64 if large else np.int32)
    return memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]]


def write_parquet(simulation: Simulation, path: Path, tick: Tick, *, by_time: bool = False) -> int:
    """Write the same history as Parquet, sorted by subject and position, and give its rows.

    The position is the place of the same event among the lines of `write_lines`.
    """
    singles = programme.events()
    with ExitStack() as stack:
        positions = _positions(simulation, stack.enter_context(Spool()), tick) if by_time else None
        writer = stack.enter_context(parquet_writer(path))
        count = len(singles)
        for columns in simulation.columns():
            own = slice(count, count + columns.count)
            here = np.arange(count, own.stop) + 1 if positions is None else positions[own]
            writer.write_table(table_of(columns, here), row_group_size=_GROUP_ROWS)
            count += columns.count
            tick(count)
        own_places = (
            range(1, len(singles) + 1) if positions is None else positions[: len(singles)].tolist()
        )
        rows = sorted(
            zip(own_places, singles, strict=True), key=lambda one: (one[1].subject, one[0])
        )
        # packages and the programme: their names sort behind the participants'
        writer.write_table(table_of_singles(rows), row_group_size=_GROUP_ROWS)
    return count


def _positions(simulation: Simulation, spool: Spool, tick: Tick) -> Any:
    """Simulate once to learn when everything was recorded; the rows themselves are made again later."""
    spool.add(np.array([one.at for one in programme.events()], dtype=np.int64))
    for columns in simulation.columns():
        spool.add(columns.known)
        tick(spool.rows)
    return spool.positions()
