"""A connection to DuckDB whose long queries can be ended by a signal."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Interruptible:
    """Runs queries in a thread of its own, and waits.

    DuckDB looks for signals by itself while it runs a query in the main thread, and then says that the
    query failed. Here the signal reaches Python, which ends the query and goes its way.
    """

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, "duckdb")

    def execute(self, query: str, values: Any = None) -> DuckDBPyConnection:
        """Run a query; its rows are to be fetched from what is returned."""
        return self._wait(self._connection.execute, query, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def close(self) -> None:
        """End what runs, and close the connection."""
        self._thread.shutdown()
        self._connection.close()

    def _wait(self, run: Callable[..., DuckDBPyConnection], *values: Any) -> DuckDBPyConnection:
        running = self._thread.submit(run, *values)
        try:
            return running.result()
        except BaseException:
            while not running.done():
                self._connection.interrupt()  # lost on a query that has not begun: asked again
                wait([running], timeout=0.05)
            raise
