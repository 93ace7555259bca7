"""The servers that the other tests run against are what those tests take them for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests import servers
from tests.servers import (
    MissingProgram,
    PgBouncer,
    PostgresServer,
    Server,
    ServerFailed,
    children_of,
    connect,
    state_of,
    wait_until,
)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A cluster that may be broken: no other test uses it."""
    with PostgresServer() as server:
        yield server


def processes_in(folder: Path) -> set[int]:
    """The processes that work in the folder or were started with its name: a server's, and its keeper."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = os.readlink(process / "cwd").encode() + (process / "cmdline").read_bytes()
            if os.fsencode(folder) in told:
                found.add(int(process.name))
    return found


def processes_of(server: Server) -> set[int]:
    return {server.pid, *children_of(server.pid)}


def segments() -> set[str]:
    """The System V shared memory of the machine, by identity."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines}


def segment_of(server: PostgresServer) -> str:
    return (server.folder / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1]


def test_no_process_of_the_servers_is_root(postgres_server, pgbouncer):
    everyone = processes_of(postgres_server) | processes_of(pgbouncer)
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in everyone}

    assert len(everyone) > 5, "the postmaster, its five or so, and PgBouncer"
    assert 0 not in owners


def test_commits_are_durable_because_nobody_has_said_otherwise(postgres_server):
    """The settings that make them so have their values by default, not by our configuration."""
    found = postgres_server.psql(
        "SELECT name, setting, source FROM pg_settings"
        " WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name"
    )

    assert found == [
        ("fsync", "on", "default"),
        ("full_page_writes", "on", "default"),
        ("synchronous_commit", "on", "default"),
    ]


def test_text_is_utf8_and_sorts_by_bytes(database_url):
    with connect(database_url) as connection:
        found = connection.execute(
            "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database"
            " WHERE datname = current_database()"
        ).fetchone()

    assert found == ("UTF8", "C", "C")


def test_a_killed_server_comes_back_with_what_was_committed_and_nothing_else(own_server):
    own_server.psql("CREATE TABLE paid (rupiah bigint)")
    own_server.psql("INSERT INTO paid VALUES (600000)")
    with pytest.raises(psycopg.OperationalError), psycopg.connect(own_server.url()) as open_one:
        open_one.execute("INSERT INTO paid VALUES (1)")
        own_server.kill()
        open_one.execute("SELECT 1")
    own_server.restart()

    assert own_server.psql("SELECT rupiah FROM paid") == [(600_000,)]
    assert "database system was not properly shut down" in own_server.log


def test_a_kill_is_of_every_process(own_server):
    """A backend that lived on would finish what it was at, which no crash does."""
    with connect(own_server.url()):
        before = processes_of(own_server)
        own_server.kill()

    assert len(before) > 5
    assert not own_server.running
    assert not any(map(state_of, before))


def test_each_test_has_an_empty_database_that_goes_when_the_test_does(postgres_server):
    """And goes even with a client in it."""
    first, second = postgres_server.new_database(), postgres_server.new_database()
    postgres_server.psql("CREATE TABLE mine ()", dbname=first)
    found = postgres_server.psql("SELECT to_regclass('mine')", dbname=second)
    with connect(postgres_server.url(first)):
        postgres_server.drop_database(first)
        postgres_server.drop_database(second)

    assert found == [(None,)]
    assert not postgres_server.psql(
        "SELECT datname FROM pg_database WHERE datname = ANY(%s)", [first, second]
    )


def test_a_transaction_in_pgbouncer_may_run_on_another_connection_than_the_last(pgbouncer_url):
    """What a session has prepared is not there any more, so nothing may live longer than a transaction."""
    with connect(pgbouncer_url) as ours, psycopg.connect(pgbouncer_url) as another:
        ours.execute("PREPARE one AS SELECT 1")
        another.execute("SELECT 1")  # takes the connection that ours has given back

        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            ours.execute("EXECUTE one")


def test_pgbouncer_is_configured_as_it_is_said_to_be(pgbouncer):
    found = {name: value for name, value, *_ in pgbouncer.psql("SHOW CONFIG", dbname="pgbouncer")}

    names = ["pool_mode", "default_pool_size", "max_client_conn", "ignore_startup_parameters"]
    assert [found[name] for name in names] == [
        "transaction",
        "20",
        "200",
        "extra_float_digits,options",
    ]


def test_pgbouncer_lets_every_role_of_the_server_in(pgbouncer, postgres_server):
    postgres_server.psql("CREATE ROLE auditor LOGIN")
    try:
        with connect(pgbouncer.url(user="auditor")) as connection:
            found = connection.execute("SELECT session_user").fetchone()
    finally:
        postgres_server.psql("DROP ROLE auditor")

    assert found == ("auditor",)


def test_pgbouncer_serves_again_after_the_server_was_killed(own_server):
    with PgBouncer(own_server) as bouncer:
        before = bouncer.psql("SELECT pg_backend_pid()")
        own_server.kill()
        own_server.restart()
        with suppress(psycopg.OperationalError):  # whoever meets the dead connection is told so
            bouncer.psql("SELECT 1")
        after = bouncer.psql("SELECT pg_backend_pid()")

    assert before != after


@pytest.mark.parametrize("killed", [False, True])
def test_a_stopped_server_leaves_nothing(killed):
    with PostgresServer() as server, PgBouncer(server) as bouncer:
        segment = segment_of(server)
        assert segment in segments()
        if killed:
            bouncer.kill()
            server.kill()

    for folder in (server.folder, bouncer.folder):
        assert not folder.exists()
        assert not processes_in(folder)
    assert segment not in segments()


def test_a_server_whose_owner_is_killed_leaves_nothing():
    """No `finally` runs in a process that gets SIGKILL; the keeper is another process."""
    source = (
        "from tests.servers import *\n"
        "server = PostgresServer(); server.start(); bouncer = PgBouncer(server); bouncer.start()\n"
        "print(server.folder, bouncer.folder, flush=True)\n"
        "time.sleep(600)\n"
    )
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", source], cwd=root, stdout=subprocess.PIPE, text=True
    ) as owner:
        folders = [Path(word) for word in owner.stdout.readline().split()]
        found = [bool(processes_in(folder)) for folder in folders]
        owner.kill()

    assert found == [True, True]
    for folder in folders:
        wait_until(lambda: not folder.exists() and not processes_in(folder), f"{folder} stays", 20)


@pytest.mark.parametrize("kind", [PostgresServer, lambda: PgBouncer(PostgresServer())])
def test_a_server_that_cannot_start_says_why_and_leaves_nothing(postgres_server, kind):
    """Nor does it take another server's answers, at the port it wanted, for its own."""
    server = kind()
    server.port = postgres_server.port

    with pytest.raises(ServerFailed, match="Address already in use"):
        server._start()
    assert not server.folder.exists()


@pytest.mark.parametrize("kind", [PostgresServer, lambda: PgBouncer(PostgresServer())])
def test_a_server_whose_port_was_taken_meanwhile_takes_another(postgres_server, kind):
    server = kind()
    server.port = postgres_server.port
    try:
        server.start()
        assert server.running
        assert server.port != postgres_server.port
    finally:
        server.stop()


def test_a_missing_program_fails_a_test_and_says_what_to_run(monkeypatch):
    """It does not skip it: nobody reads skips."""
    monkeypatch.setattr(servers.shutil, "which", lambda *_, **__: None)

    with pytest.raises(MissingProgram, match=r"^pgbouncer is not installed: run scripts/install"):
        servers.program("pgbouncer")
    with pytest.raises(pytest.fail.Exception, match=r"^pgbouncer is not installed"):
        servers._or_fail(PgBouncer, None)
