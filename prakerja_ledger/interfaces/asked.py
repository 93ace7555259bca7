"""How somebody wants to be answered: by what, and within how much memory."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

MEMORY_LIMIT: Final = "1500MB"
"""What DuckDB may hold at once, unless told otherwise; it sets the rest aside on disk."""


class Engine(StrEnum):
    """What answers."""

    AUTO = "auto"
    PYTHON = "python"
    DUCKDB = "duckdb"
    SPARK = "spark"


class Asked(NamedTuple):
    """What somebody asked for."""

    engine: Engine = Engine.AUTO
    memory_limit: str = MEMORY_LIMIT
    processes: int = 1
    """How many the law may take for a large Parquet history."""
    master: str = "local[*]"
    """Where Spark runs."""
