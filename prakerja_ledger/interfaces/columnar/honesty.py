"""What a Parquet history's footers say beside its rows, held against the rows.

Readers skip what the statistics of a row group exclude, and believe the note that its writer left. Neither is
hashed or signed with the lines, so whoever changes eight bytes of a footer could hide a participant from
every reader who looks for them. `verify` therefore believes neither.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyarrow import compute as pc

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.interfaces.columnar.files import Part, explained
from prakerja_ledger.interfaces.columnar.reading import ColumnarHistory
from prakerja_ledger.interfaces.columnar.subjects import subjects_sharing


def dishonesty(path: str, programme: Programme, *, is_clean: bool) -> str:
    """The first thing that a footer says and the rows do not; empty if there is none.

    `is_clean`: every row is recorded. Raises what `explained` explains.
    """
    with ColumnarHistory(path, programme) as history, explained(path):
        if history.is_judged and not is_clean:
            return Phrase("its note says that every row is recorded")
        for part in history.parts:
            if found := _part(part):
                return Phrase("{file}: {problem}", file=part.path.name, problem=found)
        said = history.sharing
        # where every row is recorded, no two subjects have one identity
        if not (is_clean or said is None or subjects_sharing(history.parts, _Every()) <= said):
            return Phrase("its note leaves out participants who share an identity")
    return ""


class _Every(set[int]):
    """All hashes there are."""

    def __contains__(self, _: object) -> bool:
        return True


def _part(part: Part) -> str:
    """The first row group of a file whose statistics exclude a value that it has."""
    metadata = part.parquet.metadata
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for at in range(group.num_columns):
            column = group.column(at)
            if "." in column.path_in_schema or not column.is_stats_set:
                continue
            if _excludes(part, number, column):
                return Phrase(
                    "the statistics of {column} in row group {number} are not those of its rows",
                    column=column.path_in_schema,
                    number=number,
                )
    return ""


def _excludes(part: Part, number: int, column: Any) -> bool:
    said = column.statistics
    values = part.parquet.read_row_group(number, columns=[column.path_in_schema]).column(0)
    if said.has_null_count and said.null_count != values.null_count:
        return True
    if not said.has_min_max or values.null_count == len(values):
        return False
    found = pc.min_max(_physical(values)).as_py()
    low, high = (_plain(one) for one in (said.min_raw, said.max_raw))
    return bool(low > _plain(found["min"]) or high < _plain(found["max"]))


def _physical(values: Any) -> Any:
    """The values as Parquet stores and orders them: a day of the year 0 is a number, and no date of Python's."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if pa.types.is_timestamp(kind):
        return values.cast(pa.int64())
    return values.cast(pa.int32()) if pa.types.is_date32(kind) else values


def _plain(value: Any) -> Any:
    """Text in the order of its bytes."""
    return value.encode() if isinstance(value, str) else value
