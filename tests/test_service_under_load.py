"""The service under load for a few seconds: no fact lost or doubled, also where PostgreSQL goes down under it.

Nothing is timed here; `make load` loads it for a minute and prints how long answers took.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from prakerja_ledger import Ledger, Projection, commands
from tests.load.accounts import OURS, Accounts, accounts
from tests.load.callers import (
    TODAY,
    TOKEN,
    Answer,
    Ask,
    Caller,
    Driver,
    bank,
    clerk,
    content_of,
    life,
    payout_office,
    platform,
)
from tests.load.running import ServiceProcess, on_postgres, on_sqlite, restart
from tests.projection_support import life as one_that_is_owed
from tests.servers import PostgresServer, memory

SECONDS = 3.0
PLATFORMS = 6


def now() -> datetime:
    return datetime.fromisoformat(TODAY)


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

    assert found.problems == []
    assert found.ends["recorded"] > 0
    assert found.ends.keys() <= {"recorded", "recorded before", "conflict", "refused", "answered"}


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

    assert found.problems == []
    assert found.ends["open"] == 0
    assert found.first_again is not None, "nobody noticed the restart"


def entry(key: str, status: int, **changes: Any) -> dict[str, Any]:
    """What a client wrote down of the first report of a life."""
    ask = replace(next(life(key)), key=key)
    return {
        "name": ask.name,
        "path": ask.path,
        "source": ask.source,
        "key": key,
        "content": content_of(ask.body),
        "ends": ask.ends,
        "answers": [[status, None]],
        "position": 1,
        "instructed": None,
        "began": 0.0,
        "ended": 1.0,
        **changes,
    }


def recorded(ledger: Ledger, who: str) -> None:
    ask = next(life(who))
    ledger.record({"specversion": "1.0", "source": ask.source, "id": who, **ask.body})


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ([entry("P-1", 201)], None),
        ([entry("P-1", 201), entry("P-2", 201)], "is not on record"),
        ([entry("P-1", 201, position=2)], "other content is on record"),
        ([entry("P-1", 201, content="other")], "other content is on record"),
        ([entry("P-1", 201), entry("P-1", 201)], "was new 2 times"),
        ([entry("P-1", 422, ends=[422])], "it is on record at 1"),
        ([entry("P-1", 409, ends=[409])], "nothing else is on record"),
        ([entry("P-1", 503)], "not [201]"),
        ([entry("P-1", 500)], "not [201]"),
        ([entry("P-1", 200)], "not [201]"),
        ([entry("P-1", 200, answers=[[503, "OUTCOME_UNKNOWN"], [200, None]])], None),
        ([], "nobody sent //office P-1"),
    ],
)
def test_the_accounts_find_what_is_lost_doubled_or_made_up(
    tmp_path: Path, told: list[dict[str, Any]], problem: str | None
):
    url, rows = on_sqlite(tmp_path)
    with Ledger.open(url, clock=now) as ledger, Projection.open(ledger, rows) as projection:
        recorded(ledger, "P-1")
        projection.run()
    found = accounts(told, url, rows, tmp_path / "instructions.jsonl").problems

    assert problem is None if not found else problem is not None and problem in found[0], found


def test_the_accounts_find_an_instruction_that_nobody_asked_for_and_the_bank_was_not_told_of(tmp_path: Path):
    url, rows = on_sqlite(tmp_path)
    with Ledger.open(url, clock=now) as ledger, Projection.open(ledger, rows) as projection:
        ledger.execute_all(one_that_is_owed("P-1"))
        ours = commands.Instruct(source=OURS, id="run-1 P-1 post-training/1", subject="P-1", line="post-training/1")
        ledger.execute(ours)
        projection.run()
    found = accounts([], url, rows, tmp_path / "instructions.jsonl").problems

    assert "nobody asked for payout run run-1" in found
    assert "the bank was not told of ('P-1 post-training/1/1', 600000)" in found
