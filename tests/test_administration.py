"""`schema` and `doctor`: a ledger is made when asked, and examined with all that it stands on."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger import Ledger
from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.stores import postgres_doctor, sqlite_doctor
from prakerja_ledger.stores.health import Check, Verdict
from tests.cli_support import run
from tests.ledger_support import enrolment
from tests.postgres_support import logged_in, made, made_with_roles, schema_of, without_options
from tests.servers import PgBouncer, PostgresServer, connect, program


def verdicts(checks: list[Check]) -> dict[str, Verdict]:
    return {check.subject: check.verdict for check in checks}


def unsafe(checks: list[Check]) -> list[str]:
    """What is unsafe; each says how to mend it."""
    assert all(check.mend.endswith(".") for check in checks if check.verdict is not Verdict.SAFE)
    assert not any(check.mend for check in checks if check.verdict is Verdict.SAFE)
    return [check.subject for check in checks if check.verdict is Verdict.UNSAFE]


# --- SQLite: making one -----------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    return tmp_path / "own" / "ledger.db"


@pytest.fixture
def filled(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody's connection to a ledger with three events."""
    with Ledger.open(f"sqlite:///{path}") as ledger:
        for n in range(3):
            ledger.record(enrolment(f"P-{n}"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_the_printed_sql_makes_the_same_tables_as_the_ledger_itself(path: Path, tmp_path: Path):
    printed = run("schema", "--sql", f"sqlite:///{path}")
    assert (printed.status, path.exists()) == (0, False)

    def schema(file: Path) -> list[Any]:
        with closing(sqlite3.connect(file)) as connection:
            tables = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
            header = [connection.execute(f"PRAGMA {p}").fetchone() for p in PRAGMAS]
            return [[(name, _spaces(sql)) for name, sql in tables], header]

    with closing(sqlite3.connect(tmp_path / "by-hand.db", isolation_level=None)) as by_hand:
        by_hand.executescript(printed.text)
    Ledger.open(f"sqlite:///{path}").close()
    assert schema(tmp_path / "by-hand.db") == schema(path)


PRAGMAS = ("application_id", "user_version", "journal_mode")


def _spaces(sql: str | None) -> str:
    return " ".join((sql or "").replace("IF NOT EXISTS ", "").split())


def test_an_empty_ledger_is_made_when_asked_and_only_once(path: Path):
    first, second = (run("schema", "--apply", f"sqlite:///{path}") for _ in range(2))
    assert (first.text, second.text) == (
        "The ledger is made.\n",
        "The ledger is there already; nothing to do.\n",
    )
    with Ledger.open(f"sqlite:///{path}", create=False) as ledger:
        assert ledger.head() == 0


@pytest.mark.parametrize("arguments", [[], ["--sql", "a", "--apply", "b"]], ids=str)
def test_schema_wants_one_of_two(arguments: list[str]):
    answer = run("schema", *arguments)
    assert (answer.status, "one of them" in answer.err) == (2, True)


@pytest.mark.parametrize("url", ["history.jsonl", "mysql://x/y", "memory://a", ""])
@pytest.mark.parametrize("command", ["schema --sql", "schema --apply", "doctor"])
def test_what_is_no_database_is_neither_made_nor_examined(command: str, url: str):
    answer = run(*command.split(), url)
    assert (answer.status, "sqlite:///path.db" in answer.err) == (2, True)


# --- SQLite: examining one ----------------------------------------------------------------------------


def test_a_ledger_as_it_should_be_is_safe(path: Path, filled: sqlite3.Connection):
    answer = run("doctor", f"sqlite:///{path}")
    assert answer.status == 0, answer.text
    assert "UNSAFE" not in answer.text
    assert "3 events, 1 to 3" in answer.text


def test_the_answer_is_also_json(path: Path, filled: sqlite3.Connection):
    answer = run("doctor", "--json", f"sqlite:///{path}")
    rows = [json.loads(line) for line in answer.lines]
    assert {tuple(row) for row in rows} == {("subject", "found", "verdict", "mend")}
    assert {row["verdict"] for row in rows} <= {"safe", "note", "unsafe"}


def test_what_is_unsafe_ends_in_status_1(path: Path, filled: sqlite3.Connection):
    filled.execute("DROP TRIGGER stored_events_delete")
    answer = run("doctor", f"sqlite:///{path}")
    assert (answer.status, "UNSAFE" in answer.text) == (1, True)
    assert "stored_events_delete missing" in answer.text


def without_triggers(connection: sqlite3.Connection) -> None:
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        connection.execute(f"DROP TRIGGER {name}")


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ("DELETE FROM stored_events WHERE rowid = 2", "positions"),
        ("UPDATE stored_events SET rowid = 9 WHERE rowid = 3", "positions"),
        ("DELETE FROM identities WHERE id = 'enrolled P-1'", "identities"),
    ],
)
def test_what_was_taken_away_is_missed(
    path: Path, filled: sqlite3.Connection, change: str, subject: str
):
    without_triggers(filled)
    filled.execute(change)
    assert subject in unsafe(sqlite_doctor.examine(f"sqlite:///{path}"))


def test_a_damaged_file_is_noticed(path: Path, filled: sqlite3.Connection):
    filled.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    path.write_bytes(content)
    assert {"file", "integrity_check"} & set(unsafe(sqlite_doctor.examine(f"sqlite:///{path}")))


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "tmpfs"])
def test_a_disk_that_does_not_keep_its_word_is_unsafe(
    path: Path, filled: sqlite3.Connection, kind: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite_doctor, "file_system_of", lambda _: kind)
    assert unsafe(sqlite_doctor.examine(f"sqlite:///{path}")) == ["file system"]


def test_a_file_that_everybody_may_write_is_unsafe(path: Path, filled: sqlite3.Connection):
    path.chmod(0o666)
    logs = [f"permissions of ledger.db{suffix}" for suffix in ("", "-wal", "-shm")]  # made like the file
    assert unsafe(sqlite_doctor.examine(f"sqlite:///{path}")) in (logs, logs[:1])
    path.chmod(0o644)
    path.parent.chmod(0o777)
    assert unsafe(sqlite_doctor.examine(f"sqlite:///{path}")) == ["permissions of own"]


def test_a_disk_with_little_left_is_worth_a_note(
    path: Path, filled: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite_doctor, "_LITTLE_SPACE", 1 << 62)
    checks = sqlite_doctor.examine(f"sqlite:///{path}")
    assert (verdicts(checks)["disk"], unsafe(checks)) == (Verdict.NOTE, [])


def test_the_file_system_of_a_path_is_the_one_mounted_nearest(tmp_path: Path):
    kind = subprocess.run(
        ["stat", "--file-system", "--format=%T", "/dev/shm"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert kind == sqlite_doctor.file_system_of(Path("/dev/shm/x")) == "tmpfs"


def test_examining_changes_nothing(path: Path, filled: sqlite3.Connection):
    filled.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    sqlite_doctor.examine(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_ledger_that_is_not_there_is_not_made_by_examining_it(path: Path):
    with pytest.raises(UnreadableSource, match="no such ledger"):
        sqlite_doctor.examine(f"sqlite:///{path}")
    assert not path.exists()


# --- PostgreSQL ---------------------------------------------------------------------------------------


@pytest.fixture
def admin(database_url: str) -> Iterator[Any]:
    with connect(database_url) as connection:
        yield connection


@pytest.mark.parametrize("options", [{}, {"shards": 3}, {"functions": "no"}], ids=str)
def test_the_printed_sql_is_what_psql_runs(database_url: str, options: dict[str, Any]):
    url = made_with_roles_by_psql(database_url, **options)
    with Ledger.open(url) as ledger:
        assert ledger.record(enrolment()).duplicate is False


def made_with_roles_by_psql(database_url: str, **options: Any) -> str:
    from tests.postgres_support import _numbers, with_options  # the same series of names

    url = with_options(database_url, schema=f"ledger_{next(_numbers)}", **options)
    printed = run("schema", "--sql", url)
    assert printed.status == 0
    command = [program("psql"), "--quiet", "-v", "ON_ERROR_STOP=1", without_options(url)]
    done = subprocess.run(command, input=printed.out, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return url


def test_making_it_twice_changes_nothing(database_url: str):
    first, second = (run("schema", "--apply", database_url) for _ in range(2))
    assert (first.text, second.text) == (
        "The ledger is made.\n",
        "The ledger is there already; nothing to do.\n",
    )


@pytest.mark.parametrize("role", ["writer", "caller", "reader"])
def test_a_role_of_the_script_is_safe(database_url: str, role: str):
    url = logged_in(made_with_roles(database_url), role)
    answer = run("doctor", url)
    assert answer.status == 0, answer.text
    said = {"writer": "may insert", "caller": "may call", "reader": "may only read"}[role]
    assert said in answer.text


def test_a_superuser_is_unsafe(database_url: str):
    checks = postgres_doctor.examine(made(database_url))
    assert unsafe(checks) == ["role"]


def test_an_owner_is_unsafe(database_url: str, admin: Any):
    url = made_with_roles(database_url)
    owner = f"{schema_of(url)}_as_writer"
    admin.execute(f"ALTER TABLE {schema_of(url)}.stored_events OWNER TO {owner}")
    assert "role" in unsafe(postgres_doctor.examine(logged_in(url, "writer")))


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ("ALTER TABLE {s}.stored_events DISABLE TRIGGER stored_events_only_grow", "guards"),
        ("ALTER TABLE {s}.stored_events DISABLE TRIGGER ALL", "guards"),
        ("DROP TRIGGER heads_stay ON {s}.heads", "guards"),
        ("UPDATE {s}.heads SET number = number + 1", "positions"),
        ("GRANT DELETE ON {s}.stored_events TO {s}_as_nobody", "rights on stored_events"),
        ("GRANT UPDATE ON {s}.stored_events TO PUBLIC", "rights on stored_events"),
        (
            "ALTER TABLE {s}.stored_events DISABLE TRIGGER stored_events_only_grow;"
            "DELETE FROM {s}.stored_events;"
            "ALTER TABLE {s}.stored_events ENABLE TRIGGER stored_events_only_grow",
            "positions",
        ),
    ],
)
def test_what_was_taken_off_the_guard_is_missed(
    database_url: str, admin: Any, change: str, subject: str
):
    url = made_with_roles(database_url)
    with Ledger.open(url) as ledger:
        ledger.record(enrolment())
    admin.execute(change.format(s=schema_of(url)))
    assert unsafe(postgres_doctor.examine(logged_in(url, "writer")))[:1] == [subject]


@pytest.mark.parametrize(
    ("pool_mode", "found"), [("transaction", "transaction mode"), ("session", "session mode")]
)
def test_the_pooler_and_its_mode_are_told(
    database_url: str, postgres_server: PostgresServer, pool_mode: str, found: str
):
    made(database_url)
    url = made_with_roles(database_url)
    with PgBouncer(postgres_server, pool_mode) as bouncer:
        through = logged_in(url, "writer").replace(f":{postgres_server.port}/", f":{bouncer.port}/")
        checks = postgres_doctor.examine(through)
    (pooler,) = [check for check in checks if check.subject == "pooler"]
    assert (pooler.found, unsafe(checks)) == (found, [])


def test_a_server_that_does_not_sync_is_unsafe():
    with _Careless() as careless:
        url = made(careless.url(careless.new_database()))
        assert unsafe(postgres_doctor.examine(url)) == ["fsync", "full_page_writes", "role"]


class _Careless(PostgresServer):
    """A server that forgets."""

    def settings(self) -> str:
        return super().settings() + "\nfsync = off\nfull_page_writes = off\n"


def test_notes_are_not_unsafe(database_url: str, admin: Any):
    url = made_with_roles(database_url)
    name = without_options(url).rpartition("/")[2]
    admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    checks = postgres_doctor.examine(logged_in(url, "writer"))
    assert verdicts(checks)["synchronous_commit"] is Verdict.NOTE
    assert verdicts(checks)["synchronous_standby_names"] is Verdict.NOTE
    assert unsafe(checks) == []


def test_no_server_is_said_in_a_sentence():
    answer = run("doctor", "postgresql://u:s3cret@127.0.0.1:1/x")
    assert (answer.status, "s3cret" in answer.err) == (2, False)
    assert "Check the URL" in answer.err
