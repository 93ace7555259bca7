"""The rows of one part, read by an executor: an Arrow table sorted by subject and position."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet as pq

from prakerja_ledger.bulk.setting import COMMON_KINDS
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.arrow import SCHEMA
from prakerja_ledger.evidence.columns import ENVELOPE
from prakerja_ledger.spark.layout import Files, Part

_BY_DICTIONARY: Final = tuple(
    one.name
    for one in SCHEMA
    if pa.types.is_string(one.type)
    and one.name not in {"id", "certificate", "reference", "account", "line", "voided_id"}
)
"""Texts that repeat: each is read once, and names its rows."""
_DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())
_NOBODY: Final = ""
"""The subject of a line that holds no event."""


class BadOrder(ValueError):
    """Rows that are in no order: a null, or one participant has two rows of one position."""


def rows_of(files: Files, part: Part, columns: Sequence[str] | None = None) -> Any:
    """The rows of a part's participants, those columns of them."""
    wanted = [one for one in SCHEMA if columns is None or one.name in columns]
    tables = [
        _within(table, part)
        for path, numbers in _by_file(part)
        for table in _read(files, path, numbers, wanted)
    ]
    schema = pa.schema(wanted)
    if not tables:
        return schema.empty_table()
    return pa.concat_tables([_plain(table, schema) for table in tables])


def _by_file(part: Part) -> Iterable[tuple[str, list[int]]]:
    found: dict[str, list[int]] = {}
    for path, number in part.groups:
        found.setdefault(path, []).append(number)
    return found.items()


def _read(files: Files, path: str, numbers: list[int], wanted: list[Any]) -> Iterable[Any]:
    names = [one.name for one in wanted]
    with pq.ParquetFile(
        path,
        filesystem=files.filesystem,
        read_dictionary=[name for name in names if name in _BY_DICTIONARY],
        page_checksum_verification=True,
        pre_buffer=True,
    ) as file:
        present = [name for name in names if name in file.schema_arrow.names]
        for number in sorted(numbers):
            yield file.read_row_group(number, columns=present, use_threads=False)


def _within(table: Any, part: Part) -> Any:
    """The rows of the part's own participants: a row group on its edge has others too."""
    subjects = table.column("subject")
    mask = None
    for bound, compare in ((part.low, pc.greater_equal), (part.high, pc.less)):
        if bound is not None:
            own = pc.fill_null(_compared(subjects, compare, bound), fill_value=True)
            mask = own if mask is None else pc.and_(mask, own)
    return table if mask is None or pc.all(mask).as_py() else table.filter(mask)


def _compared(column: Any, compare: Any, bound: str) -> Any:
    """Compare texts by dictionary once each."""
    value = pa.scalar(bound)
    if not pa.types.is_dictionary(column.type):
        return compare(column, value)
    return pa.chunked_array(
        [compare(one.dictionary, value).take(one.indices) for one in column.chunks]
    )


def _plain(table: Any, schema: Any) -> Any:
    """The columns of a history in their order and types; a column may be absent, texts by dictionary."""
    missing = pa.chunked_array([pa.nulls(len(table), pa.string())])
    columns = [
        _typed(table.column(one.name) if one.name in table.schema.names else missing, one)
        for one in schema
    ]
    return pa.table(columns, names=schema.names)


def _typed(column: Any, wanted: Any) -> Any:
    if wanted.name not in _BY_DICTIONARY:
        return column.cast(wanted.type)
    if column.type == _DICTIONARY:
        return column
    return column.cast(pa.string()).dictionary_encode()


def apart_in(table: Any) -> set[str]:
    """The subjects that nobody may be judged without: packages, the programme, lines without an event."""
    mask = pc.is_in(_texts(table.column("kind")), value_set=pa.array(COMMON_KINDS))
    found = set(pc.unique(_texts(table.column("subject").filter(mask))).to_pylist())
    return found | {PROGRAMME_SUBJECT, _NOBODY}


def of_subjects(table: Any, subjects: Collection[str], *, others: bool = False) -> Any:
    """The rows of these subjects, or of all others."""
    mask = _among(table.column("subject"), subjects)
    if others and not pc.any(mask).as_py():
        return table
    return table.filter(pc.invert(mask) if others else mask)


def without_positions(table: Any, positions: Collection[int]) -> Any:
    """The rows that stand at none of these positions."""
    if not positions:
        return table
    given = pa.array(sorted(positions), pa.int64())
    return table.filter(pc.invert(pc.is_in(table.column("position"), value_set=given)))


def for_part(apart: Any, part: Part) -> Any:
    """Of rows judged together: those that every part's rules look at, and the part's own participants'."""
    kinds, subjects = _texts(apart.column("kind")), _texts(apart.column("subject"))
    is_common = pc.is_in(kinds, value_set=pa.array(COMMON_KINDS))
    owners = pc.unique(subjects.filter(is_common))
    is_void = pc.and_(pc.equal(kinds, "event-voided"), pc.is_in(subjects, value_set=owners))
    wanted = pc.or_(is_common, is_void)
    own = pa.chunked_array([pa.array([True] * len(apart))])
    if part.low is not None:
        own = pc.and_(own, pc.greater_equal(subjects, part.low))
    if part.high is not None:
        own = pc.and_(own, pc.less(subjects, part.high))
    return apart.filter(pc.or_(wanted, own))


def own_rows(table: Any, apart: Any) -> Any:
    """A part's rows of whoever is judged alone, in order. Raises BadOrder."""
    for column in ENVELOPE:
        if not column.nullable and table.column(column.name).null_count:
            raise BadOrder(Phrase("column {name} holds a null", name=column.name))
    together = pc.unique(_texts(apart.column("subject"))).to_pylist()
    return in_order(of_subjects(table, together, others=True))


def in_order(table: Any) -> Any:
    """Sorted by subject and position. Raises BadOrder where one subject has a position twice."""
    for given in (table, None):
        found = given if given is not None else _sorted(table)
        subjects, positions = (
            _whole(_texts(found.column("subject"))),
            _whole(found.column("position")),
        )
        if len(found) < 2:
            return found
        one, other = slice(0, -1), slice(1, None)
        rises = pc.or_(
            pc.less(subjects[one], subjects[other]),
            pc.and_(
                pc.equal(subjects[one], subjects[other]),
                pc.less(positions[one], positions[other]),
            ),
        )
        if pc.all(rises).as_py():
            return found
    raise BadOrder(Phrase("a position stands there twice"))


def _sorted(table: Any) -> Any:
    keys = pa.table(
        {"subject": _texts(table.column("subject")), "position": table.column("position")}
    )
    order = pc.sort_indices(keys, sort_keys=[("subject", "ascending"), ("position", "ascending")])
    return table.take(order)


def _whole(column: Any) -> Any:
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def _texts(column: Any) -> Any:
    return column.cast(pa.string())


def _among(column: Any, wanted: Collection[str]) -> Any:
    return pc.is_in(_texts(column), value_set=pa.array(sorted(wanted), pa.string()))


def packed(table: Any) -> bytes:
    """A table as bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def unpacked(given: bytes) -> Any:
    """A table from its bytes."""
    return _plain(pa.ipc.open_stream(given).read_all(), SCHEMA)
