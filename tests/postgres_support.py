"""What tests of the ledger on PostgreSQL share: ledgers in schemas of their own, and other ways in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import pytest

from prakerja_ledger.stores import postgres_schema
from prakerja_ledger.stores.postgres_roles import ROLES
from tests.ledger_support import as_bytes, enrolment
from tests.servers import PostgresServer, connect

_numbers = count(1)


@pytest.fixture(scope="module")
def shared_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a database that the tests of a module share, each with a schema of its own."""
    if not postgres_server.running:
        postgres_server.restart()
    name = postgres_server.new_database()
    yield postgres_server.url(name)
    if postgres_server.running:
        postgres_server.drop_database(name)


def with_options(url: str, **options: Any) -> str:
    """The URL with these options, beside those that it has."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **{k: str(v) for k, v in options.items()}}
    return urlunsplit(parts._replace(query=urlencode(query)))


def without_options(url: str) -> str:
    """The address of the database alone, as drivers take it."""
    return urlunsplit(urlsplit(url)._replace(query=""))


def schema_of(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query)).get("schema", "prakerja_ledger")


def made(url: str, **options: Any) -> str:
    """The URL of a new ledger in a schema of its own. Roles belong to the cluster: so do its names."""
    url = with_options(url, schema=f"ledger_{next(_numbers)}", **options)
    assert postgres_schema.apply(url)
    return url


def made_with_roles(url: str, **options: Any) -> str:
    """The same, by the script as an administrator runs it: with its roles, and one login for each."""
    url = with_options(url, schema=f"ledger_{next(_numbers)}", **options)
    schema = schema_of(url)
    script = postgres_schema.script(url)
    logins = [
        f"CREATE ROLE {schema}_as_{role} LOGIN IN ROLE {schema}_{role};"
        for role in (role.name for role in ROLES)
        if f"CREATE ROLE {schema}_{role}" in script
    ]
    with connect(without_options(url)) as connection:
        connection.execute(script)
        connection.execute("".join(logins) + f"CREATE ROLE {schema}_as_nobody LOGIN")
    return url


def logged_in(url: str, role: str) -> str:
    """The URL of a ledger for the login that was made for a role."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{schema_of(url)}_as_{role}@{host}"))


def through(url: str, port: int) -> str:
    """The same URL at another port, such as a pooler's."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))


@contextmanager
def default(url: str, name: str, value: str) -> Iterator[None]:
    """A default of the whole database, for its time."""
    database = without_options(url).rpartition("/")[2]
    with connect(without_options(url)) as connection:
        connection.execute(f"ALTER DATABASE {database} SET {name} = '{value}'")
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {database} RESET {name}")


def waiting(url: str) -> int:
    """How many wait for a lock in this database."""
    with connect(without_options(url)) as connection:
        return connection.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()[0]


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A row as a writer of an own program might insert it, where there is one shard."""
    return {
        "originator_id": f"participant/X-{number}",
        "originator_version": 1,
        "topic": "prakerja.enrolled.v1",
        "state": as_bytes(enrolment(f"X-{number}")),
        "notification_id": number,
        "shard": 0,
        "number": number,
        "source": "//pmo",
        "id": f"enrolled X-{number}",
        **changes,
    }


def insert(connection: psycopg.Connection[Any], *rows: dict[str, Any]) -> None:
    names = list(rows[0])
    places = "(" + ", ".join(["%s"] * len(names)) + ")"
    connection.execute(
        f"INSERT INTO stored_events ({', '.join(names)}) VALUES {', '.join([places] * len(rows))}",
        [one[name] for one in rows for name in names],
    )
