"""History format 1, columnar: the columns, and the line that a row stands for.

A row is one line of a history. Its envelope and the fields of its fact have a column each; a row
whose columns alone would not give back the very bytes of its line keeps the line itself, and is then
read from that line alone. What a row without a line stands for is its canonical line, spelled out in
`wire.canonical_line`; the number of that spelling is `CANONICAL`.

Nothing here knows Parquet: any table with these columns will do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import Enum
from types import UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.facts import FACTS, Course, Fact
from prakerja_ledger.evidence.wire import CANONICAL

VERSION_KEY: Final = "prakerja_ledger.history"
"""The key of the file's metadata that says what it is."""
VERSION: Final = str(CANONICAL)


class Kind(Enum):
    """What a column holds."""

    INTEGER = "64-bit integer"
    TEXT = "text"
    FLAG = "boolean"
    INSTANT = "timestamp in UTC, microseconds"
    DAY = "date"
    TEXTS = "list of texts"
    COURSES = "list of {course, institution}"
    BYTES = "bytes"


class Column(NamedTuple):
    """One column: its name, what it holds, whether a row may lack it, and what it says."""

    name: str
    kind: Kind
    nullable: bool
    about: str


ENVELOPE: Final = (
    Column(
        "position",
        Kind.INTEGER,
        nullable=False,
        about="the line's number in the order of recording, from 1; no two rows share one",
    ),
    Column("source", Kind.TEXT, nullable=False, about="attribute `source`; with `id` the identity"),
    Column("id", Kind.TEXT, nullable=False, about="attribute `id`"),
    Column(
        "kind",
        Kind.TEXT,
        nullable=False,
        about="attribute `type` without `prakerja.` before and `.v1` behind it",
    ),
    Column("subject", Kind.TEXT, nullable=False, about="attribute `subject`"),
    Column("time", Kind.INSTANT, nullable=False, about="attribute `time`"),
    Column(
        "recordedtime",
        Kind.INSTANT,
        nullable=True,
        about="attribute `recordedtime`; null where the line has none (it is then equal to `time`)",
    ),
)
LINE: Final = Column(
    "line",
    Kind.TEXT,
    nullable=True,
    about="the line itself, where the columns alone would not give back its very bytes",
)
LINE_BYTES: Final = Column(
    "line_bytes",
    Kind.BYTES,
    nullable=True,
    about="the same, where the line is not UTF-8; the column may be absent",
)

_RENAMED: Final = {"source": "voided_source", "id": "voided_id"}
"""Fields whose names are taken by the envelope; only `event-voided` has any."""
_KINDS: Final = {
    str: Kind.TEXT,
    int: Kind.INTEGER,
    bool: Kind.FLAG,
    date: Kind.DAY,
    tuple[str, ...]: Kind.TEXTS,
    tuple[Course, ...]: Kind.COURSES,
}


def _kind_of(annotation: Any) -> Kind:
    """The kind of column that a field of a fact needs; `X | None` needs that of X."""
    if get_origin(annotation) in (UnionType, Union):
        (annotation,) = (one for one in get_args(annotation) if one is not type(None))
    return _KINDS[annotation]


def _data_columns() -> tuple[dict[type[Fact], tuple[tuple[str, str], ...]], dict[str, Kind]]:
    """Field and column of each kind of fact, and what each column holds."""
    of_kind: dict[type[Fact], tuple[tuple[str, str], ...]] = {}
    columns: dict[str, Kind] = {}
    for kind in FACTS.values():
        hints = get_type_hints(kind)
        pairs = tuple((name, _RENAMED.get(name, name)) for name in f.FIELD_NAMES[kind])
        for name, column in pairs:
            holds = _kind_of(hints[name])
            assert columns.setdefault(column, holds) is holds, f"{column} has two types"
        of_kind[kind] = pairs
    return of_kind, columns


FIELDS, _DATA = _data_columns()
"""Of each kind of fact: its fields in the order of the contract, each with the name of its column."""
DATA: Final = tuple(
    Column(
        name,
        kind,
        nullable=True,
        about="field of "
        + ", ".join(
            f"`{fact.kind}`" for fact, pairs in FIELDS.items() if name in dict(pairs).values()
        ),
    )
    for name, kind in _DATA.items()
)
COLUMNS: Final = (*ENVELOPE, *DATA, LINE, LINE_BYTES)
BY_NAME: Final[Mapping[str, Column]] = {column.name: column for column in COLUMNS}
assert len(BY_NAME) == len(COLUMNS), "a field of a fact has the name of another column"
