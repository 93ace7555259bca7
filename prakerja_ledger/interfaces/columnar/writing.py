"""Lines of a history as a Parquet file: sorted by subject, with checksums, whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from attrs import define, field
from pyarrow import compute as pc
from pyarrow import parquet as pq

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.facts import values_of
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.evidence.arrow import SCHEMA, parquet_writer
from prakerja_ledger.evidence.columns import BY_NAME, FIELDS, Kind
from prakerja_ledger.evidence.fingerprint import of_programme
from prakerja_ledger.evidence.wire import read_event, write_event
from prakerja_ledger.interfaces.columnar.files import Part, explained, group_ends
from prakerja_ledger.interfaces.columnar.judging import Shared
from prakerja_ledger.interfaces.columnar.note import write_note
from prakerja_ledger.interfaces.columnar.ordering import Sorter
from prakerja_ledger.interfaces.columnar.reading import NOBODY
from prakerja_ledger.interfaces.columnar.subjects import Tick, no_tick, subjects_sharing
from prakerja_ledger.interfaces.columnar.values import flat, listed, to_microsecond
from prakerja_ledger.interfaces.history_file import OverlongLine
from prakerja_ledger.interfaces.whole_file import aside

GROUP_ROWS: Final = 1 << 17
_GROUP_BYTES: Final = 1 << 28
_AT_ONCE: Final = 1 << 16
_LONGEST: Final = 1 << 26
"""Bytes of a line that a row still takes; each is held in memory whole."""
_WIB_MICROSECONDS: Final = 7 * 3_600 * 1_000_000
_NO_TIME: Final = Instant("1970-01-01T07:00:00")
_ENVELOPE: Final = (
    "position",
    "source",
    "id",
    "subject",
    "time",
    "recordedtime",
    "line",
    "line_bytes",
)

Given = tuple[int, bytes | OverlongLine]


def write_columnar(
    lines: Iterable[Given],
    target: Path,
    programme: Programme,
    tick: Tick = no_tick,
    *,
    judged: bool = False,
) -> None:
    """Write numbered lines, whatever is on them, as one Parquet file.

    `judged`: they are recorded lines all, by this programme; the file's note then says so. Written aside and renamed: what stops half-way leaves nothing behind. Raises UnreadableSource for a
    line too long for a row.
    """
    with closing(Sorter(["subject", "position"])) as sorter:
        for table in _tables(lines, programme, tick):
            sorter.add(table)
        with aside(target) as path:
            seal(path, _write(sorter, path), programme if judged else None)


def _write(sorter: Sorter, path: Path) -> frozenset[str]:
    """Write the rows; returns the subjects that share an identity."""
    shared = Shared()
    with parquet_writer(path) as writer:
        for table in _groups(sorter.tables()):
            _look(shared, table)
            writer.write_table(table, row_group_size=GROUP_ROWS)
    hashes = shared.found()
    sharing: frozenset[str] = frozenset()
    if hashes:
        with explained(os.fspath(path)):
            part = Part.open(path)
            sharing = subjects_sharing([part], hashes)
            part.close()
    return sharing


def seal(path: Path, sharing: Iterable[str] = (), judged_by: Programme | None = None) -> None:
    """Put the note into a file just written: checksums, subjects that share an identity, who judged it."""
    by = None if judged_by is None else of_programme(judged_by)
    write_note(path, group_ends(pq.read_metadata(path)), sharing, by)


def _groups(tables: Iterable[Any]) -> Iterator[Any]:
    """Rows in row groups of bounded count and size."""
    waiting: list[Any] = []
    rows = size = 0
    for table in tables:
        for start in range(0, table.num_rows, _AT_ONCE):
            piece = table.slice(start, _AT_ONCE)
            waiting.append(piece)
            rows += piece.num_rows
            size += piece.nbytes
            if rows >= GROUP_ROWS or size >= _GROUP_BYTES:
                whole = pa.concat_tables(waiting)
                yield whole.slice(0, GROUP_ROWS)
                rest = whole.slice(GROUP_ROWS)
                waiting, rows, size = [rest], rest.num_rows, rest.nbytes
    if rows:
        yield pa.concat_tables(waiting)


def _look(shared: Shared, table: Any) -> None:
    """Remember the identities of each subject; a subject of two groups is met twice."""
    columns = flat(table.select(["subject", "source", "id", "kind"]))
    rows = zip(
        *(listed(columns[name]) for name in ("subject", "source", "id", "kind")), strict=True
    )
    for _, run in groupby(rows, key=itemgetter(0)):
        shared.add({(source, id) for _, source, id, kind in run if kind != NOBODY})


# --- lines to columns -------------------------------------------------------------------------------


@define(eq=False)
class _Lines:
    """Lines at hand, by the kind of their fact: the columns of one kind are then plain lists."""

    programme: Programme
    by_kind: dict[str, list[tuple[Any, ...]]] = field(factory=dict)
    count: int = 0
    size: int = 0

    def add(self, number: int, line: bytes) -> None:
        """Take a line."""
        self.count += 1
        self.size += len(line)
        event = read_event(line, number, self.programme)
        if not isinstance(event, Event):
            row: tuple[Any, ...] = (number, NOBODY, NOBODY, NOBODY, _NO_TIME, None, *_own(line))
            self.by_kind.setdefault(NOBODY, []).append(row)
            return
        fact = event.fact
        occurred_at = to_microsecond(event.occurred_at)
        recorded_at = to_microsecond(event.recorded_at)
        said: Instant | None = None if event.recorded_at == event.occurred_at else recorded_at
        own: tuple[str | None, bytes | None] = (None, None)
        if (occurred_at, recorded_at) != (event.occurred_at, event.recorded_at):
            own = _own(line)
        elif write_event(event) != line:
            if write_event(event, stamped=True) == line:
                said = recorded_at
            else:
                own = _own(line)
        values = values_of(fact)
        row = (
            *(number, event.source, event.id, event.subject),
            *(occurred_at, said, *own, *values),
        )
        self.by_kind.setdefault(fact.kind, []).append(row)

    def table(self) -> Any:
        """The lines as a table."""
        return pa.concat_tables(_table(kind, rows) for kind, rows in self.by_kind.items())


def _own(line: bytes) -> tuple[str | None, bytes | None]:
    """The line as text, or as bytes where it is none."""
    try:
        return line.decode(), None
    except UnicodeDecodeError:
        return None, line


def _tables(lines: Iterable[Given], programme: Programme, tick: Tick) -> Iterator[Any]:
    found = _Lines(programme)
    for number, line in lines:
        found.add(number, line if isinstance(line, bytes) else _whole(number, line))
        if found.count >= _AT_ONCE or found.size >= _GROUP_BYTES:
            tick(number)
            yield found.table()
            found = _Lines(programme)
    if found.count:
        yield found.table()


def _whole(number: int, line: OverlongLine) -> bytes:
    """An over-long line, if memory should take it; of a blank one there is nothing to keep."""
    found = bytearray()
    for piece in line.pieces():
        found += piece
        if len(found) > _LONGEST and not line.blank:
            line.file.close()
            raise UnreadableSource(
                source=Phrase("line {number}", number=number),
                problem=Phrase(
                    "it is longer than {longest} bytes, and no row of a Parquet history takes it. Take it "
                    "out of the history first, or keep the history as lines.",
                    longest=_LONGEST,
                ),
            )
    return b"" if line.blank else bytes(found)


def _table(kind: str, rows: list[tuple[Any, ...]]) -> Any:
    """Rows of one kind, with every column of the schema."""
    fields = () if kind == NOBODY else FIELDS[_FACTS[kind]]
    names = (*_ENVELOPE, *(column for _, column in fields))
    given = dict(zip(names, zip(*rows, strict=True), strict=True))
    columns = []
    for wanted in SCHEMA:
        if wanted.name == "kind":
            columns.append(pa.array([kind] * len(rows), wanted.type))
        elif wanted.name in given:
            columns.append(_array(wanted, given[wanted.name]))
        else:
            columns.append(pa.nulls(len(rows), wanted.type))
    return pa.table(columns, schema=SCHEMA)


_FACTS: Final = {kind.kind: kind for kind in FIELDS}


def _array(wanted: Any, values: tuple[Any, ...]) -> Any:
    holds = BY_NAME[wanted.name].kind
    if holds is Kind.INSTANT:
        return _timestamps(values, wanted.type)
    if holds is Kind.COURSES:
        values = tuple(
            [{"course": one.course, "institution": one.institution} for one in courses]
            for courses in values
        )
    return pa.array(values, wanted.type)


def _timestamps(values: tuple[Any, ...], kind: Any) -> Any:
    """Instants, which are WIB wall clocks, as microseconds in UTC."""
    if not any(values):
        return pa.nulls(len(values), kind)
    clocks = pa.array(values, pa.string()).cast(pa.timestamp("us")).cast(pa.int64())
    return pc.subtract(clocks, _WIB_MICROSECONDS).cast(kind)
