"""A Spark session: one that is given, or one for a master's URL."""

from __future__ import annotations

import os
import sys
from typing import Any


def session_for(master: str) -> Any:
    """A session on a master; whatever else it needs, spark-defaults.conf or the environment say.

    Raises ModuleNotFoundError where the extra is not installed.
    """
    from pyspark.sql import SparkSession  # noqa: PLC0415  # an extra of half a gigabyte

    if master.startswith("local"):  # its executors are of this machine, and so is their Python
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    quiet = {
        "spark.log.level": "ERROR",
        "spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower(),
    }
    builder = SparkSession.builder.master(master).appName("prakerja-ledger")
    return builder.config(map=quiet).getOrCreate()
