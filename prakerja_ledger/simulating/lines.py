"""A chunk's events as lines of history format 1, put together in bulk: canonical JSON, byte for byte.

A line is glued from a few pieces, most of them of one width: what is constant for a kind of event is
written once, words come out of vocabularies that hold their JSON already, and numbers and times are
rows of digits.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from prakerja_ledger.domain.facts import data_of, type_of
from prakerja_ledger.simulating.columns import (
    COURSE_LISTS,
    FIELDS,
    ID_PREFIX,
    KINDS,
    SUBJECT_PREFIX,
    WORDS,
    Bytes,
    Column,
    Columns,
    as_arrow,
    column_name,
    framed,
    serial_rows,
)
from prakerja_ledger.simulating.days import as_text
from prakerja_ledger.simulating.drawing import Ints
from prakerja_ledger.simulating.log import Serial, Words
from prakerja_ledger.simulating.offers import SOURCES
from prakerja_ledger.simulating.programme import Single

_BYTES: Final = pa.binary()
_NOTHING: Final = pa.scalar(b"", _BYTES)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(maxsize=512)
def _fragments(vocabulary: str, before: bytes) -> Any:
    """Each word of a vocabulary as JSON, with what stands before it."""
    if vocabulary == "courses":
        words = [
            _json([{"course": course, "institution": institution} for course, institution in one])
            for one in COURSE_LISTS
        ]
    else:
        words = [_json(word) for word in WORDS[vocabulary]]
    return pa.array([before + word for word in words], _BYTES)


@lru_cache(maxsize=64)
def _sources(kind: str) -> Any:
    """From the source up to the participant's number."""
    middle = b',"type":' + _json(type_of(kind)) + b',"subject":"' + SUBJECT_PREFIX
    return pa.array([_json(source) + middle for source in SOURCES], _BYTES)


def _glued(pieces: list[Any]) -> Any:
    return pc.binary_join_element_wise(
        *pieces, _NOTHING, null_handling="replace", null_replacement=b""
    )


def _piece(column: Column, at: Ints, before: bytes, ids: Bytes) -> Any:
    """One field of the events at some places, as JSON with what stands before it; null if absent."""
    if isinstance(column, Words):
        places = column.places[at]
        absent = places < 0
        mask = absent if absent.any() else None
        return _fragments(column.vocabulary, before).take(pa.array(places, mask=mask))
    if isinstance(column, Serial):
        parts = None if column.parts is None else column.parts[at]
        rows = serial_rows(Serial(column.prefix, column.numbers[at], column.digits, parts))
        return as_arrow(framed(before + b'"', rows, b'"', count=len(at)), _BYTES)
    values = column[at]
    if before.endswith(b'"id":'):  # the id of a voided event, by its place
        rows = framed(before + b'"' + ID_PREFIX, ids[values], b'"', count=len(at))
        return as_arrow(rows, _BYTES)
    if before.endswith(b'"reviewed":'):
        return pa.array([before + b"false", before + b"true"], _BYTES).take(pa.array(values))
    absent = values < 0
    known = np.unique(values)
    words = pa.array([before + b"%d" % value for value in known.tolist()], _BYTES)
    places = np.searchsorted(known, values)
    return words.take(pa.array(places, mask=absent if absent.any() else None))


def _of_kind(columns: Columns, kind: str, at: Ints) -> Any:
    """The lines of the events of one kind, which stand at these places."""
    count = len(at)
    ids = framed(
        b'{"specversion":"1.0","id":"' + ID_PREFIX, columns.ids[at], b'","source":', count=count
    )
    times = as_text(columns.at[at])
    subjects = framed(columns.subjects[at], b'","time":"', times, b'"', count=count)
    late = columns.known[at] != columns.at[at]
    known = framed(
        b',"recordedtime":"', as_text(columns.known[at][late]), b'"', count=int(late.sum())
    )
    pieces = [
        as_arrow(ids, _BYTES),
        _sources(kind).take(pa.array(columns.source[at])),
        as_arrow(subjects, _BYTES),
        as_arrow(known, _BYTES, late),
    ]
    before = b',"data":{'
    for name in FIELDS[kind]:
        column = _held(columns, kind, name, at)
        if column is not None:
            pieces.append(_piece(column, at, before + _json(name) + b":", columns.ids))
            before = b","
    return _glued([*pieces, pa.scalar(b"}}\n", _BYTES)])


_OWN_VOCABULARY: Final = {
    ("enrolment-corrected", "reason"): "correction",
    ("participation-revoked", "reason"): "revocation",
    ("participation-reinstated", "reason"): "reinstatement",
    ("event-voided", "reason"): "void",
}
"""Fields of one name that hold words of different vocabularies."""


def _held(columns: Columns, kind: str, name: str, at: Ints) -> Column | None:
    """The column that holds a field of a kind."""
    column = column_name(kind, name)
    own = _OWN_VOCABULARY.get((kind, name), "reason" if name == "reason" else None)
    for key, found in columns.data.items():
        if key.partition(":")[0] != column:
            continue
        if own is None or (isinstance(found, Words) and found.vocabulary == own):
            return found
    assert not len(at), f"{kind} has no {name}"
    return None


def lines_of(columns: Columns) -> Any:
    """The lines of a chunk in order, each with its LF, as an Arrow array of bytes."""
    order = np.argsort(columns.kinds, kind="stable")
    bounds = np.searchsorted(columns.kinds[order], np.arange(len(KINDS) + 1))
    made = []
    for place, kind in enumerate(KINDS):
        at = order[bounds[place] : bounds[place + 1]]
        if len(at):
            made.append(_of_kind(columns, kind, at))
    if not made:
        return pa.array([], _BYTES)
    back = np.empty(columns.count, dtype=np.int64)
    back[order] = np.arange(columns.count, dtype=np.int64)
    return pa.concat_arrays(made).take(pa.array(back))


def line_of(one: Single) -> bytes:
    """A single event as a line, with its LF."""
    time = as_text(np.array([one.at], dtype=np.int64)).tobytes().decode()
    event = {
        "specversion": "1.0",
        "id": one.id,
        "source": one.source,
        "type": type_of(one.fact.kind),
        "subject": one.subject,
        "time": time,
        "data": data_of(one.fact),
    }
    return _json(event) + b"\n"
