"""A chunk's events as an Arrow table with the columns of a Parquet history."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa

from prakerja_ledger.domain.facts import data_of
from prakerja_ledger.evidence.arrow import COURSE, SCHEMA, TYPES
from prakerja_ledger.evidence.columns import Kind
from prakerja_ledger.simulating.columns import (
    COURSE_LISTS,
    ID_PREFIX,
    KINDS,
    SUBJECT_PREFIX,
    WORDS,
    Column,
    Columns,
    as_arrow,
    framed,
    serial_rows,
)
from prakerja_ledger.simulating.days import EPOCH
from prakerja_ledger.simulating.drawing import Ints
from prakerja_ledger.simulating.log import Serial, Words
from prakerja_ledger.simulating.offers import SOURCES
from prakerja_ledger.simulating.programme import Single

_TIME: Final = TYPES[Kind.INSTANT]
_MICROSECONDS: Final = 1_000_000


@lru_cache(maxsize=64)
def _vocabulary(name: str) -> Any:
    if name == "courses":
        lists = [
            [{"course": course, "institution": institution} for course, institution in courses]
            for courses in COURSE_LISTS
        ]
        return pa.array(lists, pa.list_(COURSE))
    return pa.array(WORDS[name], pa.string())


def _places(values: Ints) -> Any:
    absent = values < 0
    return pa.array(values.astype(np.int32), mask=absent if absent.any() else None)


def _times(seconds: Ints) -> Ints:
    found: Ints = (seconds + EPOCH) * _MICROSECONDS
    return found


def _array(name: str, column: Column, kind: Any, ids: Any) -> Any:
    if isinstance(column, Words):
        return _vocabulary(column.vocabulary).take(_places(column.places))
    if isinstance(column, Serial):
        present = column.numbers >= 0
        parts = None if column.parts is None else column.parts[present]
        rows = serial_rows(Serial(column.prefix, column.numbers[present], column.digits, parts))
        return as_arrow(rows, kind, present)
    if name == "voided_id":
        return ids.take(_places(column))
    return pa.array(column, pa.int64(), mask=column < 0).cast(kind)


def table_of(columns: Columns, positions: Ints) -> Any:
    """The events of a chunk as a table."""
    count = columns.count
    ids = as_arrow(framed(ID_PREFIX, columns.ids, count=count), pa.string())
    made = {
        "position": pa.array(positions),
        "source": pa.array(SOURCES).take(pa.array(columns.source)),
        "id": ids,
        "kind": pa.array(KINDS).take(pa.array(columns.kinds)),
        "subject": as_arrow(framed(SUBJECT_PREFIX, columns.subjects, count=count), pa.string()),
        "time": pa.array(_times(columns.at)).cast(_TIME),
        "recordedtime": pa.array(_times(columns.known), mask=columns.known == columns.at).cast(
            _TIME
        ),
    }
    several: dict[str, list[Any]] = {}
    for key, column in columns.data.items():
        name = key.partition(":")[0]
        made_of = _array(name, column, SCHEMA.field(name).type, ids)
        several.setdefault(name, []).append(made_of)
    for name, parts in several.items():
        made[name] = parts[0] if len(parts) == 1 else pa.compute.coalesce(*parts)
    arrays = [made[one.name] if one.name in made else pa.nulls(count, one.type) for one in SCHEMA]
    return pa.table(arrays, schema=SCHEMA)


def table_of_singles(singles: list[tuple[int, Single]]) -> Any:
    """Single events, each with its position, as a table."""
    rows = []
    for position, one in singles:
        row = {
            "position": position,
            "source": one.source,
            "id": one.id,
            "kind": one.fact.kind,
            "subject": one.subject,
            "time": (one.at + EPOCH) * _MICROSECONDS,
        }
        values = data_of(one.fact)
        if "effective" in values:
            values["effective"] = getattr(one.fact, "effective")  # noqa: B009  # of one kind only
        rows.append(row | values)
    arrays = [pa.array([row.get(one.name) for row in rows], one.type) for one in SCHEMA]
    return pa.table(arrays, schema=SCHEMA)
