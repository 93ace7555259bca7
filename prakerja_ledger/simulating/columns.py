"""A chunk's events as columns in the order of recording: from numbers and places to text, in bulk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
from attrs import define, field
from numpy.typing import NDArray

from prakerja_ledger.domain.facts import FACTS, FIELD_NAMES
from prakerja_ledger.simulating.accounts import REASONS
from prakerja_ledger.simulating.complaints import CHANNELS, OUTCOMES
from prakerja_ledger.simulating.drawing import Ints
from prakerja_ledger.simulating.log import ABSENT, Block, IdOf, Ordered, Serial, Words
from prakerja_ledger.simulating.offers import COURSES, PACKAGES, PLATFORMS, PROVIDERS, SOURCES
from prakerja_ledger.simulating.payments import COMPONENTS, DISBURSEMENTS
from prakerja_ledger.simulating.people import REVOCATIONS, SCHEMES
from prakerja_ledger.simulating.training import METHODS

Bytes = NDArray[np.uint8]

KINDS: Final = tuple(kind.kind for kind in FACTS.values())
KIND_PLACES: Final = {name: place for place, name in enumerate(KINDS)}
FIELDS: Final = {kind.kind: names for kind, names in FIELD_NAMES.items()}

CourseList = tuple[tuple[str, str], ...]
"""Courses of a purchase, each with its institution."""


def _course_lists() -> tuple[CourseList, ...]:
    singles = [((one.id, one.institution),) for one in COURSES]
    several = [
        tuple((COURSES[c].id, COURSES[c].institution) for c in package.courses)
        for package in PACKAGES
    ]
    return (*singles, *several)


WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "scheme": tuple(scheme.id for scheme in SCHEMES),
    "correction": ("the decision letter names another wave",),
    "authority": ("programme office, data unit",),
    "provider": PROVIDERS,
    "reason": REASONS,
    "purchase": ("U1", "U2", "U3"),
    "platform": PLATFORMS,
    "method": METHODS,
    "package": tuple(package.id for package in PACKAGES),
    "course": tuple(course.id for course in COURSES),
    "disbursement": DISBURSEMENTS,
    "component": COMPONENTS,
    "revocation": REVOCATIONS,
    "reinstatement": ("the purchase was made in time and reported late",),
    "complaint": ("K1",),
    "channel": CHANNELS,
    "outcome": OUTCOMES,
    "source": SOURCES,
    "void": ("instructed twice by mistake",),
}
"""Every vocabulary of texts. That of `courses` is COURSE_LISTS."""
COURSE_LISTS: Final = _course_lists()

SUBJECT_PREFIX: Final = b"P-"
ID_PREFIX: Final = b"e-"
DIGITS: Final = 9
_MOST_EVENTS: Final = 100


@lru_cache(maxsize=1)
def _thousand() -> Bytes:
    return np.frombuffer(b"".join(b"%03d" % n for n in range(1_000)), np.uint8).reshape(-1, 3)


def digits(numbers: Ints) -> Bytes:
    """Each number as nine digits, one row each."""
    assert len(numbers) == 0 or int(numbers.max()) < 10**DIGITS, "more people than numbers"
    table = _thousand()
    out = np.empty((len(numbers), DIGITS), dtype=np.uint8)
    out[:, 0:3] = table[numbers // 1_000_000]
    out[:, 3:6] = table[numbers // 1_000 % 1_000]
    out[:, 6:9] = table[numbers % 1_000]
    return out


def framed(*parts: bytes | Bytes, count: int) -> Bytes:
    """Rows of constant bytes and of columns of bytes, side by side."""
    widths = [len(part) if isinstance(part, bytes) else part.shape[1] for part in parts]
    out = np.empty((count, sum(widths)), dtype=np.uint8)
    at = 0
    for part, width in zip(parts, widths, strict=True):
        out[:, at : at + width] = np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part
        at += width
    return out


def as_arrow(rows: Bytes, kind: Any, present: NDArray[np.bool_] | None = None) -> Any:
    """Rows of bytes as an Arrow array of texts or bytes; where `present` is given, absent ones are null.

    `rows` holds those that are present.
    """
    width = rows.shape[1]
    if present is None:
        offsets = np.arange(0, (len(rows) + 1) * width, width, dtype=np.int32)
        valid = None
    else:
        offsets = np.zeros(len(present) + 1, dtype=np.int32)
        np.cumsum(present * np.int32(width), out=offsets[1:])
        valid = pa.py_buffer(np.packbits(present, bitorder="little"))
    data = np.ascontiguousarray(rows)
    length = len(offsets) - 1
    return pa.Array.from_buffers(kind, length, [valid, pa.py_buffer(offsets), pa.py_buffer(data)])


def serial_rows(column: Serial) -> Bytes:
    """The texts of a column of numbered names."""
    prefix = column.prefix.encode()
    if column.parts is None:
        return framed(prefix, digits(column.numbers), count=len(column.numbers))
    part = (column.parts + ord("0")).astype(np.uint8)[:, np.newaxis]
    return framed(prefix, digits(column.numbers), b"-", part, count=len(column.numbers))


Column = Ints | Words | Serial
"""A column of a whole chunk: ABSENT where a row has no value."""


@define(eq=False)
class Columns:
    """The events of a chunk, in order, up to the last participant wanted."""

    first: int
    count: int
    kinds: Ints
    who: Ints
    number: Ints
    """Which event of its participant."""
    at: Ints
    known: Ints
    source: Ints
    data: dict[str, Column]
    ids: Bytes = field(init=False)
    subjects: Bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Names of events and participants, as rows of bytes without their prefix."""
        assert self.count == 0 or int(self.number.max()) < _MOST_EVENTS, "an id has two digits"
        people = int(self.who[-1]) + 1 if self.count else 0
        self.subjects = digits(self.first + np.arange(people, dtype=np.int64))[self.who]
        counter = _thousand()[self.number][:, 1:]
        self.ids = framed(self.subjects, b"-", counter, count=self.count)


def columns_of(first: int, wanted: int, events: Ordered) -> Columns:
    """Put the blocks of a chunk together, cut after the participants wanted."""
    count = int(np.searchsorted(events.who, wanted))
    order = events.order[:count]
    kinds = np.concatenate(
        [np.full(len(b.who), KIND_PLACES[b.kind], dtype=np.int64) for b in events.blocks]
    )
    return Columns(
        first=first,
        count=count,
        kinds=kinds[order],
        who=events.who[:count],
        number=events.number[:count],
        at=events.at[:count],
        known=events.known[:count],
        source=events.source[:count],
        data=_data(events, order),
    )


def column_name(kind: str, name: str) -> str:
    """The column of a field: its name, but for the two of a void that name another event."""
    if kind == "event-voided" and name in {"source", "id"}:
        return f"voided_{name}"
    return name


def _data(events: Ordered, order: Ints) -> dict[str, Column]:
    starts = np.cumsum([0, *(len(block.who) for block in events.blocks)])
    holders: dict[tuple[str, str], list[tuple[int, Block, str]]] = {}
    for start, block in zip(starts, events.blocks, strict=False):
        for name, column in block.data.items():
            own = column.vocabulary if isinstance(column, Words) else ""
            key = (column_name(block.kind, name), own)
            holders.setdefault(key, []).append((int(start), block, name))
    rows = len(events.order)
    place = np.empty(rows, dtype=np.int64)
    place[events.order] = np.arange(rows, dtype=np.int64)
    found: dict[str, Column] = {}
    for (name, vocabulary), parts in holders.items():
        own_key = name if name not in found else f"{name}:{vocabulary}"
        found[own_key] = _column(parts, rows, order, place)
    return found


def _column(parts: list[tuple[int, Block, str]], rows: int, order: Ints, place: Ints) -> Column:
    """One column: its blocks' values laid down row by row, then put in order."""
    values = np.full(rows, ABSENT, dtype=np.int64)
    others = np.zeros(rows, dtype=np.int64)
    sample = parts[0][1].data[parts[0][2]]
    for start, block, name in parts:
        column = block.data[name]
        where = slice(start, start + len(block.who))
        if isinstance(column, Words):
            values[where] = column.places
        elif isinstance(column, Serial):
            values[where] = column.numbers
            if column.parts is not None:
                others[where] = column.parts
        elif isinstance(column, IdOf):
            values[where] = place[column.rows]
        else:
            values[where] = column
    if isinstance(sample, Words):
        return Words(sample.vocabulary, values[order])
    if isinstance(sample, Serial):
        more = None if sample.parts is None else others[order]
        return Serial(sample.prefix, values[order], sample.digits, more)
    return values[order]
