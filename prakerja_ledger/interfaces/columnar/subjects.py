"""The rows of a Parquet history subject by subject: all of them as they stand, or those of a few."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby, repeat
from typing import Any

import pyarrow as pa
from pyarrow import compute as pc

from prakerja_ledger.domain.events import PROGRAMME_SUBJECT, Event
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.evidence.arrow import SCHEMA
from prakerja_ledger.interfaces.columnar.files import Part, Span
from prakerja_ledger.interfaces.columnar.judging import Row, Run
from prakerja_ledger.interfaces.columnar.ordering import plain
from prakerja_ledger.interfaces.columnar.positions import Positions, Unsorted, check_rising, rising
from prakerja_ledger.interfaces.columnar.rows import APART, Rows, decode
from prakerja_ledger.interfaces.columnar.values import among, flat, listed

Tick = Callable[[int], None]
Found = tuple[str, Run]
"""A subject and its rows, in the order of recording."""
Name = tuple[str, str]
"""An identity: source and id."""


def no_tick(_: int) -> None:
    """Nobody watches."""


def groups(parts: Iterable[Part]) -> Iterator[tuple[Part, int]]:
    """Every row group that has rows."""
    return (
        (part, group)
        for part in parts
        for group in range(part.groups)
        if part.parquet.metadata.row_group(group).num_rows
    )


def as_they_stand(parts: Iterable[Part]) -> Iterator[Any]:
    """All rows, the files in the order of their first subjects."""
    for part in sorted(parts, key=first_subject):
        for group in range(part.groups):
            yield from part.read(group)


def first_subject(part: Part) -> tuple[str, str]:
    """By what the files of a folder are put in order."""
    spans = [span for span in part.spans("subject") if span is not None]
    return (min((str(span[0]) for span in spans), default=""), os.fspath(part.path))


def runs(
    tables: Iterable[Any],
    programme: Programme,
    positions: Positions | None = None,
    tick: Tick = no_tick,
) -> Iterator[Found]:
    """The rows of one subject after another. Raises Unsorted where they do not stand so."""
    subject, run, last, count = "", Run(), 0, 0
    for table in tables:
        rows = decode(table, programme)
        if positions is not None:
            positions.add(rows.numbers)
        for start, end in _stretches(rows.subjects):
            given = rows.subjects[start]
            if given != subject:
                yield subject, run
                if given < subject:
                    raise Unsorted
                subject, run, last = given, Run(), 0
            last = rising(rows.numbers[start:end], last)
            run.add(rows, start, end)
        count += table.num_rows
        tick(count)
    yield subject, run


def _stretches(subjects: list[str]) -> Iterator[tuple[int, int]]:
    """Where the same subject stands in a row: from, and up to but not including."""
    end = 0
    for _, same in groupby(subjects):
        start, end = end, end + len(list(same))
        yield start, end


def filled(rows: Rows, start: int, end: int) -> list[Row]:
    """The rows of a stretch that are no blank lines."""
    found = zip(rows.numbers[start:end], rows.outcomes[start:end], repeat(rows), range(start, end))
    return [_new_tuple(Row, one) for one in found if one[1] is not None]


_new_tuple = tuple.__new__


def identities(rows: Iterable[Row]) -> set[Name]:
    """The identities of the events among some rows."""
    return {row.event.identity for row in rows if type(row.event) is Event}


# --- a few subjects -------------------------------------------------------------------------------


def rows_of(parts: Iterable[Part], subjects: Collection[str], programme: Programme) -> list[Row]:
    """The rows of some subjects that are no blank lines, in the order of recording."""
    wanted = sorted(subjects)
    tables: list[Any] = []
    for part in parts:
        for group, span in enumerate(part.spans("subject")):
            if _reaches(span, wanted):
                tables += only(part.read(group), "subject", wanted)
    if not tables:
        return []
    table = pa.concat_tables(plain(one, SCHEMA) for one in tables)
    table = table.take(pc.sort_indices(table, sort_keys=[("position", "ascending")]))
    rows = decode(table, programme)
    check_rising(rows.numbers, 0)
    return filled(rows, 0, len(rows.numbers))


def _reaches(span: Span, wanted: Sequence[str]) -> bool:
    """Whether a row group may hold one of these values, which are in order."""
    if span is None:
        return True
    place = bisect_left(wanted, span[0])
    return place < len(wanted) and wanted[place] <= span[1]


def only(tables: Iterable[Any], column: str, wanted: Collection[str]) -> Iterator[Any]:
    """The rows with one of these values in a column, where there are any."""
    for table in tables:
        mask = among(flat(table)[column], wanted)
        if mask is not None:
            yield table.filter(mask)


# --- subjects that cannot be judged alone ---------------------------------------------------------


def subjects_apart(parts: Iterable[Part]) -> frozenset[str]:
    """The programme, and every subject with a fact that is no participant's."""
    found = {PROGRAMME_SUBJECT}
    for part, group in groups(parts):
        for table in part.read(group, ["kind", "subject"]):
            columns = flat(table)
            mask = among(columns["kind"], APART)
            if mask is not None:
                found.update(pc.unique(columns["subject"].filter(mask)).to_pylist())
    found.discard(None)  # said to be wrong when the rows themselves are read
    return frozenset(found)


def names_in(part: Part, group: int) -> Iterator[tuple[Name, str]]:
    """The identities of a row group, each with its subject."""
    for table in part.read(group, ["source", "id", "subject"]):
        yield from _names(table)


def names_with_ids(part: Part, group: int, ids: Collection[str]) -> Iterator[tuple[Name, str]]:
    """Those of them that have one of these ids."""
    for table in only(part.read(group, ["source", "id", "subject"]), "id", ids):
        yield from _names(table)


def _names(table: Any) -> Iterator[tuple[Name, str]]:
    columns = flat(table)
    names = zip(listed(columns["source"]), listed(columns["id"]), strict=True)
    return zip(names, listed(columns["subject"]), strict=True)


def subjects_sharing(parts: Iterable[Part], hashes: set[int]) -> frozenset[str]:
    """The subjects of identities with these hashes that more than one subject has."""
    subjects: dict[Name, set[str]] = {}
    for part, group in groups(parts):
        for name, subject in names_in(part, group):
            if hash(name) in hashes:
                subjects.setdefault(name, set()).add(subject)
    return frozenset().union(*(found for found in subjects.values() if len(found) > 1))
