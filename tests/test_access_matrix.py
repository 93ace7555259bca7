"""The hardening matrix, deed by deed: what is refused by a right, what by a trigger, and what passes.

What passes for an owner, a superuser or whoever holds a SQLite file cannot be helped inside the database;
a checkpoint that somebody else keeps shows it.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.stores import postgres_schema
from prakerja_ledger.stores.postgres_roles import ROLES
from tests.access_matrix import (
    COLUMNS, DEEDS, HOLDER, OWNER, PAGE, PASSES, RIGHT, SUPERUSER, TRIGGER, Deed, written,
)  # fmt: skip
from tests.ledger_support import enrolment
from tests.postgres_support import shared_database, with_options  # noqa: F401  # a fixture
from tests.servers import connect, program

SCHEMA = "matrix"


@pytest.fixture(scope="module")
def database(shared_database: str) -> Iterator[str]:
    """A ledger that its owner, no superuser, made by the printed script; with a login for each role."""
    url = with_options(shared_database, schema=SCHEMA)
    with connect(shared_database) as connection:
        name = shared_database.rpartition("/")[2]
        connection.execute(f"CREATE ROLE {SCHEMA}_as_owner LOGIN CREATEROLE; GRANT CREATE ON DATABASE {name} TO {SCHEMA}_as_owner")
    with connect(_as(shared_database, OWNER)) as connection:
        connection.execute(postgres_schema.script(url))
        for role in ROLES:
            connection.execute(f"CREATE ROLE {SCHEMA}_as_{role.name} LOGIN IN ROLE {role.in_schema(SCHEMA)}")
        connection.execute(f"SELECT {SCHEMA}.grant_waves('{SCHEMA}_as_wave_reader', 2)")
    with Ledger.open(url) as ledger:
        ledger.record_all([enrolment("P-1"), enrolment("P-2")])
    yield shared_database
    with connect(shared_database) as connection:
        roles = [role.in_schema(SCHEMA) for role in ROLES] + [f"{SCHEMA}_as_{r.name}" for r in ROLES]
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
        connection.execute(f"DROP OWNED BY {SCHEMA}_as_owner; DROP ROLE {', '.join(roles)}, {SCHEMA}_as_owner")


def _as(url: str, column: str) -> str:
    user = "postgres" if column == SUPERUSER else f"{SCHEMA}_as_{column}"
    return url.replace("//postgres@", f"//{user}@")


@pytest.fixture(scope="module")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matrix") / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.record_all([enrolment("P-1"), enrolment("P-2")])
    return path


def done(database: str, column: str, deed: Deed) -> str:
    """What becomes of a deed, which is undone again."""
    with connect(_as(database, column)) as connection, connection.transaction(force_rollback=True):
        try:
            connection.execute(f"SET LOCAL search_path = {SCHEMA}")
            for statement in deed.sql:
                connection.execute(statement)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable,
                psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedObject):  # fmt: skip
            return RIGHT
        except (psycopg.errors.RestrictViolation, psycopg.errors.SerializationFailure):
            return TRIGGER
        return PASSES


def done_to_a_copy(ledger_file: Path, folder: Path, deed: Deed) -> str:
    copy = Path(shutil.copy(ledger_file, folder))
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        try:
            for statement in deed.sqlite:
                connection.execute(statement)
        except sqlite3.IntegrityError as error:
            assert "append-only" in str(error)
            return TRIGGER
        return PASSES


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
@pytest.mark.parametrize("column", [one for one in COLUMNS if one != HOLDER])
def test_each_cell_is_as_promised(database: str, column: str, deed: Deed):
    if deed.sql:
        assert done(database, column, deed) == deed.promised(column)


@pytest.mark.parametrize("deed", [one for one in DEEDS if one.sqlite], ids=lambda deed: deed.name)
def test_each_cell_is_as_promised_of_who_holds_a_file(ledger_file: Path, tmp_path: Path, deed: Deed):
    assert done_to_a_copy(ledger_file, tmp_path, deed) == deed.promised(HOLDER)


def test_the_owner_can_make_a_copy_of_everything(database: str):
    """FORCE ROW LEVEL SECURITY would end that, and hide nothing from who owns the table below."""
    done = subprocess.run(
        [program("pg_dump"), "--schema", SCHEMA, "--data-only", _as(database, OWNER)], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"prakerja.enrolled.v1") == 2


def test_no_role_of_the_ledger_passes_with_what_changes_the_record():
    """Read off the promises themselves: only those who own the database or the file are among them."""
    changing = [d for d in DEEDS if any(w in d.name for w in ("UPDATE", "DELETE", "TRUNCATE", "head"))]
    assert len(changing) > 8
    assert {who for d in changing for who in d.passes} <= {OWNER, SUPERUSER, HOLDER}


def test_the_page_shows_these_roles_and_these_cells():
    """`python -m tests.access_matrix` writes them."""
    assert PAGE.read_text() == written(PAGE.read_text())
