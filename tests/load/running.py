"""The service in a process of its own, and a PostgreSQL that goes down under it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Self

from prakerja_ledger.stores import postgres_schema
from tests.servers import PostgresServer, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]


class ServiceProcess:
    """The service on a free port of loopback, its files in a folder."""

    def __init__(self, folder: Path, ledger: str, rows: str) -> None:
        self.ledger, self.rows = ledger, rows
        self.instructions = folder / "instructions.jsonl"
        """What the bank was told."""
        self._log = folder / "service.log"
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def __enter__(self) -> Self:
        paths = os.pathsep.join([str(ROOT), str(ROOT / "examples")])
        command = [sys.executable, "-m", "uvicorn", "tests.load.served:application", "--factory"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), "--no-access-log", "--log-level", "warning"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": paths,
                    "LOAD_LEDGER": self.ledger,
                    "LOAD_ROWS": self.rows,
                    "LOAD_BANK": str(self.instructions),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(self._answers, "the service does not answer")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def _answers(self) -> bool:
        assert self.running, f"the service did not start:\n{self.log}"
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            time.sleep(0.05)
            return False

    def _end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def on_sqlite(folder: Path) -> tuple[str, str]:
    """The URLs of a ledger and its rows that do not exist yet."""
    return f"sqlite:///{folder}/ledger.db", f"sqlite:///{folder}/rows.db"


def on_postgres(server: PostgresServer, pool_timeout: int = 5) -> tuple[str, str]:
    """The same in a new database, made as an administrator makes it.

    The default of 30 seconds would be long: who waits for a connection keeps one of the service's threads.
    """
    name = server.new_database()
    url = f"{server.url(name)}?pool_timeout={pool_timeout}"
    postgres_schema.apply(url)
    server.psql("CREATE SCHEMA prakerja_ledger_projection", dbname=name)
    return url, url


def restart(server: PostgresServer, away: float) -> None:
    """Stop at once, as `pg_ctl stop -m immediate` does, and start again after so many seconds.

    Every transaction under way is cut off, commits too; the start recovers from the log.
    """
    os.kill(server.pid, signal.SIGQUIT)
    wait_until(lambda: not server.running, "PostgreSQL has not stopped")
    time.sleep(away)
    server.restart()
