"""Fixtures for pytest: `ledger`, `frozen_ledger`, `postgres_ledger`, `bank_that_lies`.

Found by pytest on its own, as the package names this module in its entry points. A fixture of the same
name in your own suite goes before it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from prakerja_ledger.ledger.ledger import Ledger
    from prakerja_ledger.testing.bank import BankThatLies
    from prakerja_ledger.testing.clock import TestClock

POSTGRES: Final = "PRAKERJA_TEST_POSTGRES"
"""The environment's name for a server's URL, in whose database schemas may be made."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option: the server for `postgres_ledger`."""
    parser.addoption(
        "--prakerja-postgres",
        metavar="URL",
        help=f"a database in which postgres_ledger may make schemas (or {POSTGRES} in the environment)",
    )


@pytest.fixture
def prakerja_clock() -> TestClock:
    """The clock of `frozen_ledger` and `postgres_ledger`: 2 July 2020, 10:00 in WIB, until it is moved."""
    from prakerja_ledger.testing.clock import TestClock  # noqa: PLC0415  # only where it is asked for

    return TestClock(datetime(2020, 7, 2, 3, tzinfo=UTC))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger in a file of the test's own, by the machine's clock."""
    from prakerja_ledger.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield opened


@pytest.fixture
def frozen_ledger(tmp_path: Path, prakerja_clock: TestClock) -> Iterator[Ledger]:
    """The same, by `prakerja_clock`."""
    from prakerja_ledger.ledger.ledger import Ledger  # noqa: PLC0415

    with Ledger.open(f"sqlite:///{tmp_path}/frozen.db", clock=prakerja_clock) as opened:
        yield opened


@pytest.fixture
def postgres_ledger(request: pytest.FixtureRequest, prakerja_clock: TestClock) -> Iterator[Ledger]:
    """An empty ledger on PostgreSQL, in a schema that is dropped afterwards, by `prakerja_clock`.

    Fails, and does not skip, where no server is named: a test that was not run is not one that passed.
    """
    server = request.config.getoption("--prakerja-postgres") or os.environ.get(POSTGRES)
    if not server:
        pytest.fail(f"postgres_ledger needs a server: --prakerja-postgres URL, or {POSTGRES}")
    import psycopg  # noqa: PLC0415  # only where it is asked for

    from prakerja_ledger.ledger.ledger import Ledger  # noqa: PLC0415
    from prakerja_ledger.stores import postgres_schema  # noqa: PLC0415

    schema = f"test_{secrets.token_hex(8)}"
    url = f"{server}{'&' if '?' in server else '?'}schema={schema}"
    postgres_schema.apply(url)
    try:
        with Ledger.open(url, clock=prakerja_clock) as opened:
            yield opened
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            for name in (schema, f"{schema}_projection"):
                connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture
def bank_that_lies(request: pytest.FixtureRequest) -> BankThatLies:
    """A payment partner whose lies follow from the test's name: the same on each run."""
    from prakerja_ledger.testing.bank import BankThatLies  # noqa: PLC0415

    return BankThatLies(seed=sum(request.node.name.encode()))
