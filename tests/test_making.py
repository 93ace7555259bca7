"""Facts made many at once are those that the constructor makes one by one, and refuses the same."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from prakerja_ledger.domain.errors import InvalidField
from prakerja_ledger.domain.facts import FACTS, Fact
from prakerja_ledger.evidence.arrow import SCHEMA
from prakerja_ledger.evidence.columns import BY_NAME, FIELDS, Kind
from prakerja_ledger.interfaces.columnar.making import facts

KINDS = pytest.mark.parametrize("kind", FACTS.values(), ids=lambda kind: kind.kind)
GOOD: dict[str, list[Any]] = {
    "platform": ["tokopedia", "pintaria"],
    "platforms": [["tokopedia"], ["pintaria", "tokopedia"]],
    "method": ["prakerja", "atm"],
    "provider": ["ovo", "dana"],
    "component": ["survey", "post-training"],
    "outcome": ["paid", "explained"],
    "courses": [[{"course": "C-1", "institution": "I-1"}], [{"course": "C-2", "institution": "I-1"}]],
}
REASONS = {"disbursement-failed": "technical", "disbursement-returned": "account-closed",
           "account-rejected": "nik-mismatch", "participation-revoked": "fraud"}  # fmt: skip
BAD: dict[Kind, list[Any]] = {
    Kind.TEXT: ["", "x" * 201, None],
    Kind.INTEGER: [-1, 2**60, None],
    Kind.FLAG: [None],
    Kind.DAY: [None],
    Kind.TEXTS: [[], ["tokopedia", "tokopedia"], [None], None],
    Kind.COURSES: [[], [None], [{"course": "", "institution": "I-1"}], None],
}


def value(kind: type[Fact], column: str, rng: random.Random) -> Any:
    """A value that will do, mostly one of few: as in histories."""
    if column in GOOD:
        return rng.choice(GOOD[column])
    if column == "reason" and kind.kind in REASONS:
        return REASONS[kind.kind]
    match BY_NAME[column].kind:
        case Kind.INTEGER:
            return rng.choice([1, 2, 3])
        case Kind.FLAG:
            return rng.random() < 0.5
        case Kind.DAY:
            return 18_500
    return rng.choice(["a", "b", f"only-{rng.random()}"])


def one_by_one(kind: type[Fact], columns: dict[str, Any], count: int) -> list[Fact | None]:
    """What the constructor says of each row; a null is an absent field."""
    found: list[Fact | None] = []
    for place in range(count):
        given = {name: column[place].as_py() for name, column in columns.items()}
        try:
            found.append(kind(**{name: one for name, one in given.items() if one is not None}))
        except (InvalidField, TypeError):
            found.append(None)
    return found


def columns_of(kind: type[Fact], rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        field: pa.array([row[column] for row in rows], SCHEMA.field(column).type)
        for field, column in FIELDS[kind]
    }


@KINDS
@pytest.mark.parametrize("broken", [0, 1, 5])
def test_they_are_those_of_the_constructor(kind: type[Fact], broken: int):
    rng = random.Random(f"{kind.kind} {broken}")
    fields = [column for _, column in FIELDS[kind]]
    for count in (1, 2, 40):
        rows = [{column: value(kind, column, rng) for column in fields} for _ in range(count)]
        for _ in range(broken if fields else 0):
            column = rng.choice(fields)
            rng.choice(rows)[column] = rng.choice(BAD[BY_NAME[column].kind])
        columns = columns_of(kind, rows)

        made = list(facts(kind, columns, count))

        assert made == one_by_one(kind, columns, count)
        assert broken or None not in made


@KINDS
def test_a_field_that_nobody_fills_is_absent_or_missing(kind: type[Fact]):
    rng = random.Random(kind.kind)
    for _, without in FIELDS[kind]:
        rows = [{column: value(kind, column, rng) for _, column in FIELDS[kind]} for _ in range(9)]
        columns = columns_of(kind, [{**row, without: None} for row in rows])

        assert list(facts(kind, columns, 9)) == one_by_one(kind, columns, 9)
