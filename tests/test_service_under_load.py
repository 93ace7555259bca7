"""The service under load for a few seconds: no fact lost or doubled, also where PostgreSQL goes down under it.

Nothing is timed here; `make load` loads it for a minute and prints how long answers took.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.load.accounts import Accounts, accounts
from tests.load.callers import TOKEN, Answer, Ask, Caller, Driver, bank, clerk, payout_office, platform
from tests.load.running import ServiceProcess, on_postgres, on_sqlite, restart
from tests.servers import PostgresServer, memory

SECONDS = 3.0
PLATFORMS = 6


def callers(service: ServiceProcess, rng: random.Random) -> list[Caller]:
    """Everybody who calls, each with a seed of its own."""
    platforms = [platform(f"P{n}", random.Random(rng.random())) for n in range(PLATFORMS)]
    the_bank = bank(service.instructions, random.Random(rng.random()))
    return [*platforms, the_bank, payout_office("a"), payout_office("b"), clerk(rng)]


@contextmanager
def load(service: ServiceProcess, seed: int) -> Iterator[list[dict[str, Any]]]:
    """Everybody calls, from threads, until the block has ended and each has the end of what it asked."""
    ends, journal, failed = threading.Event(), [], []

    def call(caller: Caller) -> None:
        with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as http:

            def send(ask: Ask) -> Answer:
                headers = {"Idempotency-Key": ask.key} if ask.key else {}
                try:
                    answer = http.request(ask.method, ask.path, params=ask.query, json=ask.body, headers=headers)
                except httpx.TransportError:
                    return Answer(0)
                return Answer(answer.status_code, answer.json())

            driver = Driver(caller, send, journal.append, time.sleep, time.monotonic)
            try:
                while not ends.is_set():
                    driver.step()
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=call, args=(one,)) for one in callers(service, random.Random(seed))]
    for thread in threads:
        thread.start()
    try:
        yield journal
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    assert not failed, failed


def accounts_of(service: ServiceProcess, journal: list[dict[str, Any]]) -> Accounts:
    found = accounts(journal, service.ledger, service.rows, service.instructions)
    assert service.running
    assert "Traceback" not in service.log, service.log[-4_000:]
    return found


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """One that nobody else uses: it goes down in the middle."""
    with PostgresServer(memory()) as server:
        yield server


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Another each time; a failure shows it among the arguments."""
    return random.randrange(2**32)


def test_under_load_on_sqlite_every_fact_is_recorded_once(tmp_path: Path, seed: int):
    with ServiceProcess(tmp_path, *on_sqlite(tmp_path)) as service:
        with load(service, seed) as journal:
            time.sleep(SECONDS)
        found = accounts_of(service, journal)

    print(found.ends, found.events, found.participants, found.longest)
    assert found.problems == []
    assert found.ends.keys() == {"recorded", "recorded before", "conflict", "refused", "answered"}


@pytest.mark.xdist_group("a PostgreSQL that goes down")
def test_a_restart_of_postgresql_under_load_loses_and_doubles_nothing(
    tmp_path: Path, own_server: PostgresServer, seed: int
):
    """Each request ends as recorded, refused, or unknown and then resolved; the service lives on."""
    with ServiceProcess(tmp_path, *on_postgres(own_server, pool_timeout=1)) as service:
        with load(service, seed) as journal:
            time.sleep(SECONDS)
            restart(own_server, away=2)
            time.sleep(SECONDS)
        found = accounts_of(service, journal)

    print(found.ends, found.events, found.participants, found.longest)
    assert found.problems == []
    assert found.ends["open"] == 0
    assert found.first_again is not None, "nobody noticed the restart"
