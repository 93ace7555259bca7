"""Who of a history cannot be vouched for by set operations, and has to be judged by the law.

A participant of whom every row has the form of its kind and stands where it may (`sql/doubts.sql`) has
nothing refused and nothing repeated: all their rows are recorded. Of everybody else nothing is said
here. Packages and the programme are always judged by the law, and so is whoever shares an identity.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from prakerja_ledger.bulk.rules import read
from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain import vocabulary as words
from prakerja_ledger.domain.facts import Fact, fields_of
from prakerja_ledger.domain.fields import LARGEST_INTEGER
from prakerja_ledger.domain.schemes import POST_TRAINING, SURVEY, Programme
from prakerja_ledger.domain.time import LONGEST_TEXT
from prakerja_ledger.evidence.columns import BY_NAME, DATA, FIELDS, LINE, LINE_BYTES, Kind

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Run = Callable[..., "DuckDBPyConnection"]

_HEADING: Final = re.compile(r"^-- doubt: (\w+)\n", re.MULTILINE)
_MOST_ITEMS: Final = 100
"""Items of a list above which a row is read as its line is: that could be longer than a line may be."""
_LEAST: Final = {"price": 0, "score": 0}
"""The least an integer may be; 1 for all others."""
_MOST: Final = {"score": 100, **dict.fromkeys(words.DIMENSIONS, 5)}
_WORDS: Final[Mapping[str, Iterable[str]]] = {
    "provider": words.PROVIDERS,
    "platform": words.PLATFORMS,
    "method": words.METHODS,
    "component": words.COMPONENTS,
    "outcome": words.COMPLAINT_OUTCOMES,
}
_REASONS: Final[Mapping[type[Fact], Iterable[str]]] = {
    f.AccountRejected: words.REASONS,
    f.DisbursementFailed: words.REASONS,
    f.DisbursementReturned: words.REASONS,
    f.ParticipationRevoked: words.REVOCATION_REASONS,
}
"""Kinds whose reason is one of a list; of all others it is a text."""
_YEARS: Final = "BETWEEN -62135596800000000 - 25200000000 AND 253402300799999999 - 25200000000"
"""The years 0001 to 9999 on the WIB clock, as microseconds since 1970 in UTC."""


def among(values: Iterable[str]) -> str:
    """A list of words as SQL writes it."""
    quoted = ("'" + value.replace("'", "''") + "'" for value in values)
    return f"({', '.join(quoted)})"


def fits(programme: Programme) -> str:
    """A condition: the row has the form of its kind (contract, sections 1 and 2), and keeps no line."""
    kinds = "\n".join(
        f"    WHEN '{kind.kind}' THEN {_has_the_form(kind, programme)}" for kind in FIELDS
    )
    return f"""{LINE.name} IS NULL AND {LINE_BYTES.name} IS NULL
    AND {_is_text("source")} AND {_is_text("id")} AND {_is_text("subject")}
    AND epoch_us(time) {_YEARS}
    AND (recordedtime IS NULL OR (recordedtime >= time AND epoch_us(recordedtime) {_YEARS}))
    AND CASE kind
{kinds}
    END"""


def _has_the_form(kind: type[Fact], programme: Programme) -> str:
    """Section 2 of one kind: its own columns as they must be, all others empty."""
    columns = dict(FIELDS[kind])
    optional = {one.name for one in fields_of(kind) if one.default is not attrs.NOTHING}
    conditions = []
    for field, column in columns.items():
        holds = _holds(kind, field, column, programme)
        conditions.append(f"coalesce({holds}, true)" if field in optional else holds)
    if kind is f.CourseRated:
        conditions.append(f"coalesce({', '.join(words.DIMENSIONS)}) IS NOT NULL")
    others = [one.name for one in DATA if one.name not in columns.values()]
    return " AND ".join([*conditions, *(f"{name} IS NULL" for name in others)])


def _holds(kind: type[Fact], field: str, column: str, programme: Programme) -> str:
    """Whether a column that is not null holds what the field may hold."""
    holds = BY_NAME[column].kind
    if field == "scheme":
        return f"{column} IN {among(programme.schemes)}"
    if field == "reason" and kind in _REASONS:
        return f"{column} IN {among(_REASONS[kind])}"
    if field in _WORDS:
        return f"{column} IN {among(_WORDS[field])}"
    if holds is Kind.INTEGER:
        return f"{column} BETWEEN {_LEAST.get(field, 1)} AND {_MOST.get(field, LARGEST_INTEGER)}"
    if holds is Kind.TEXTS:
        return _is_list(column, f"one IN {among(words.PLATFORMS)}", "one")
    if holds is Kind.COURSES:
        fine = f"{_is_text('one.course')} AND {_is_text('one.institution')}"
        return _is_list(column, fine, "one.course")
    if holds is Kind.DAY:
        return f"{column} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
    return f"{column} IS NOT NULL" if holds is Kind.FLAG else _is_text(column)


def _is_text(name: str) -> str:
    return f"length({name}) BETWEEN 1 AND {LONGEST_TEXT}"


def _is_list(column: str, fine: str, distinct: str) -> str:
    """One item or more, every one fine, no two the same."""
    return (
        f"len({column}) BETWEEN 1 AND {_MOST_ITEMS}"
        f" AND len(list_filter({column}, lambda one: {fine})) = len({column})"
        f" AND (len({column}) = 1 OR"
        f" len(list_distinct(list_transform({column}, lambda one: {distinct}))) = len({column}))"
    )


def doubts() -> Mapping[str, str]:
    """Every rule by name, in order."""
    _, *parts = _HEADING.split(read("doubts"))
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))


IDENTITIES: Final = "identities"


def shared_identities(run: Run) -> list[str]:
    """The subjects of identities that two subjects have, of the relation `given`."""
    query = doubts()[IDENTITIES].replace("DISTINCT subject", "source, id, subject")
    found = run(
        f"SELECT DISTINCT unnest(list(DISTINCT subject)) AS subject FROM ({query}) "
        "GROUP BY source, id HAVING count(DISTINCT subject) > 1 ORDER BY subject"
    ).fetchall()
    return [subject for (subject,) in found]


def find_doubtful(
    run: Run, programme: Programme, offered: Iterable[tuple[str, int]], between: Callable[[], None]
) -> None:
    """Gather in the table `doubtful` the subjects that are to be judged by the law.

    `offered` are the packages with the position at which each was offered first. `between` is called
    after each rule.
    """
    _table(run, "offered", "package VARCHAR, offered_at BIGINT", offered)
    counts: list[tuple[Any, ...]] = [
        (one.id, one.instalments(POST_TRAINING).count, one.instalments(SURVEY).count)
        for one in programme.schemes.values()
    ]
    _table(
        run,
        "scheme_counts",
        "scheme VARCHAR, post_training_count BIGINT, survey_count BIGINT",
        counts,
    )
    run("CREATE OR REPLACE TEMP TABLE doubts (subject VARCHAR)")
    for query in doubts().values():
        run(f"INSERT INTO doubts {query.replace('{fits}', fits(programme))}")
        between()
    run("CREATE OR REPLACE TEMP TABLE doubtful AS SELECT DISTINCT subject FROM doubts")


def _table(run: Run, name: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    run(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
    for row in rows:
        run(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", list(row))
