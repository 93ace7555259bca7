"""Laying a history out by participant, by Spark: once, for a source that stands in any other order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_AS_COLUMNS: Final = {
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.session.timeZone": "UTC",
}
"""How the columns of a history are written; Spark's own default is a type that is long out of use."""

_GROUP_BYTES: Final = 8 << 20
"""Of a row group, before it is compressed: about 100,000 rows, as a part is made of row groups."""


def arrange(session: SparkSession, source: str | Sequence[str], target: str, files: int) -> None:
    """Write what Spark reads at `source` to a folder, sorted by participant: so many files or fewer.

    All of it is shuffled. `target` must not be there yet; what is written half-way Spark takes away.
    """
    named = [source] if isinstance(source, str) else list(source)
    before = {name: session.conf.get(name, None) for name in _AS_COLUMNS}
    try:
        for name, value in _AS_COLUMNS.items():
            session.conf.set(name, value)
        rows = session.read.parquet(*named)
        by_participant = rows.repartitionByRange(files, "subject")
        in_order = by_participant.sortWithinPartitions("subject", "position")
        in_order.write.option("parquet.block.size", _GROUP_BYTES).parquet(target)
    finally:
        for name, value in before.items():
            if value is None:
                session.conf.unset(name)
            else:
                session.conf.set(name, value)
