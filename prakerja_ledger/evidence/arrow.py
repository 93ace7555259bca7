"""The columns of a history as Arrow types. Arrow is an extra: only who has columns imports this."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from prakerja_ledger.evidence.columns import COLUMNS, VERSION, VERSION_KEY, Kind

COURSE: Final = pa.struct([("course", pa.string()), ("institution", pa.string())])
TYPES: Final = {
    Kind.INTEGER: pa.int64(),
    Kind.TEXT: pa.string(),
    Kind.FLAG: pa.bool_(),
    Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    Kind.DAY: pa.date32(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.COURSES: pa.list_(COURSE),
    Kind.BYTES: pa.binary(),
}
assert TYPES.keys() == set(Kind), "a kind of column has no type"

SCHEMA: Final = pa.schema(
    [pa.field(one.name, TYPES[one.kind], nullable=one.nullable) for one in COLUMNS],
    metadata={VERSION_KEY: VERSION},
)
_PLAIN: Final = frozenset({"position", "id", "time", "recordedtime", "certificate", "reference"})
"""Columns that hardly repeat: a dictionary of them would only be one more copy."""


def parquet_writer(path: Path) -> Any:
    """What writes a history's tables, which come sorted by subject and position."""
    order = [SCHEMA.get_field_index(name) for name in ("subject", "position")]
    return pq.ParquetWriter(
        path,
        SCHEMA,
        compression="zstd",
        use_dictionary=[name for name in SCHEMA.names if name not in _PLAIN],
        sorting_columns=[pq.SortingColumn(index) for index in order],
        write_page_index=True,
        write_page_checksum=True,
    )
