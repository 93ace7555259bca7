"""Columns of a Parquet history as Python values: texts, instants, courses, and which rows are odd."""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate, islice
from typing import Any, Final

import pyarrow as pa
from pyarrow import compute as pc

from prakerja_ledger.domain.errors import InvalidField
from prakerja_ledger.domain.facts import Course
from prakerja_ledger.domain.time import LONGEST_TEXT, Instant

_WIB_MICROSECONDS: Final = 7 * 3_600 * 1_000_000
_SECOND: Final = 1_000_000
_FIRST: Final = -62_135_596_800_000_000
_LAST: Final = 253_402_300_799_999_999
"""The years 0001 to 9999 on the WIB clock, as microseconds since 1970 on that clock."""
_INSTANT_DIGITS: Final = len("2020-05-19T10:00:00.123456")
_MOST_COURSES: Final = 1 << 14


def listed(column: Any) -> list[Any]:
    """The values of a column as Python has them; those of a dictionary once each."""
    if pa.types.is_dictionary(column.type):
        indices = column.indices.to_pylist()
        if len(column.dictionary) == 0:
            return [None] * len(indices)
        values = column.dictionary.to_pylist()
        if column.null_count:
            return [None if index is None else values[index] for index in indices]
        return list(map(values.__getitem__, indices))
    found: list[Any] = column.to_pylist()
    return found


def flat(table: Any) -> dict[str, Any]:
    """The columns of a table by name, each in one piece."""
    found = {}
    for name in table.schema.names:
        column = table.column(name)
        found[name] = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if isinstance(found[name], pa.ChunkedArray):
            found[name] = pa.concat_arrays(found[name].chunks)
    return found


def instants(column: Any) -> list[Instant | None]:
    """Timestamps as instants; None where there is none, or none that the format can write."""
    shifted = pc.add(pc.if_else(writable(column), column.cast(pa.int64()), None), _WIB_MICROSECONDS)
    whole = not pc.any(pc.not_equal(_modulo_second(shifted), 0)).as_py()
    text = shifted.cast(pa.timestamp("us"))
    if whole:
        text = text.cast(pa.timestamp("s"))
    text = pc.binary_replace_slice(text.cast(pa.string()), start=10, stop=11, replacement="T")
    if not whole:
        text = pc.utf8_rtrim(pc.utf8_rtrim(text, characters="0"), characters=".")
    found: list[Instant | None] = text.to_pylist()
    return found


def _modulo_second(column: Any) -> Any:
    return pc.subtract(column, pc.multiply(pc.divide(column, _SECOND), _SECOND))


def writable(column: Any) -> Any:
    """Which timestamps lie in the years that the format can write."""
    number = column.cast(pa.int64())
    return pc.and_(
        pc.greater_equal(number, _FIRST - _WIB_MICROSECONDS),
        pc.less_equal(number, _LAST - _WIB_MICROSECONDS),
    )


def by_text(column: Any) -> tuple[Any, list[tuple[str, int, int]]]:
    """The places of a column's values put together by value, and where the places of each stand there.

    Each value with where its places begin and where they end; they keep their order.
    """
    texts = column.cast(pa.string()).dictionary_encode()
    order = pc.array_sort_indices(texts.indices)
    ends = list(accumulate(pc.value_counts(texts.indices.take(order)).field("counts").to_pylist()))
    return order, list(zip(texts.dictionary.to_pylist(), [0, *ends], ends, strict=False))


def to_microsecond(at: Instant) -> Instant:
    """An instant without what is finer than a microsecond, as a column has it."""
    if len(at) <= _INSTANT_DIGITS:
        return at
    return Instant(at[:_INSTANT_DIGITS].rstrip("0").rstrip("."))


def where(mask: Any) -> list[int]:
    """The places at which a mask holds."""
    if not pc.any(mask).as_py():
        return []
    found: list[int] = pc.indices_nonzero(pc.fill_null(mask, fill_value=False)).to_pylist()
    return found


def ill_sized(column: Any) -> Any:
    """Which texts are empty or longer than a text of the envelope may be."""
    length = pc.utf8_length(column)
    return pc.or_(pc.less(length, 1), pc.greater(length, LONGEST_TEXT))


_courses: dict[tuple[str, str], Course] = {}
"""Courses met before: a million purchases name few of them."""


def as_fields_take(column: Any) -> list[Any]:
    """The values of a data column as a fact takes them."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        items = column.flatten()
        each = iter(_each_course(items) if pa.types.is_struct(items.type) else listed(items))
        lengths = pc.list_value_length(column).to_pylist()
        return [None if length is None else tuple(islice(each, length)) for length in lengths]
    return listed(column)


def _each_course(items: Any) -> list[Any]:
    """Courses, and what is none, for the fact to refuse."""
    if items.null_count:
        return [None if one is None else _course(**one) for one in items.to_pylist()]
    courses, institutions = items.field("course"), items.field("institution")
    names = zip(listed(courses), listed(institutions), strict=True)
    return [_courses.get(key) or _course(*key) for key in names]


def _course(course: str, institution: str) -> Any:
    """A course, or what is none, for the fact to refuse."""
    key = (course, institution)
    found = _courses.get(key)
    if found is None:
        try:
            found = Course(course=course, institution=institution)
        except InvalidField:
            return {"course": course, "institution": institution}
        if len(_courses) < _MOST_COURSES:
            _courses[key] = found
    return found


def among(column: Any, wanted: Collection[str]) -> Any:
    """Which rows have one of these values; None where no row has."""
    values = pa.array(wanted, pa.string())
    if pa.types.is_dictionary(column.type):
        places = pc.indices_nonzero(pc.is_in(column.dictionary.cast(pa.string()), value_set=values))
        mask = pc.is_in(column.indices, value_set=places.cast(column.indices.type))
    else:
        mask = pc.is_in(column.cast(pa.string()), value_set=values)
    return mask if pc.any(mask).as_py() else None


def between(column: Any, after: str | None, upto: str | None) -> Any:
    """Which texts come after one in the order of code points, up to and including another."""
    texts = column.dictionary if pa.types.is_dictionary(column.type) else column
    mask = pa.array([True] * len(texts)) if after is None else pc.greater(texts, after)
    if upto is not None:
        mask = pc.and_(mask, pc.less_equal(texts, upto))
    if texts is column:
        return mask
    places = pc.indices_nonzero(mask)
    return pc.is_in(column.indices, value_set=places.cast(column.indices.type))
