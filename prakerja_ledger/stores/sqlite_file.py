"""The file of a SQLite ledger: its schema, and how it is made, recognised and opened."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase

APPLICATION_ID: Final = 0x50524B4A
"""`PRKJ` in the file's header: what `file` and other tools tell a ledger by."""


SCHEMA_VERSION: Final = 1


PRIVATE: Final = 0o600
"""The mode of a file that is made: who may read a ledger is for its owner to say."""


LOCK_TIMEOUT_SECONDS: Final = 30


FULL: Final = 2
"""What `PRAGMA synchronous` says at least where a commit waits for the disk."""


EVENTS_TABLE: Final = """\
CREATE TABLE IF NOT EXISTS {events} (
    rowid INTEGER PRIMARY KEY, -- the position; the name is the one that eventsourcing reads
    originator_id TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state BLOB NOT NULL,
    UNIQUE (originator_id, originator_version)
)"""


IDENTITIES_TABLE: Final = """\
CREATE TABLE IF NOT EXISTS identities (
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) WITHOUT ROWID"""


def create_statements(events: str = "stored_events") -> list[str]:
    """The tables and their triggers; made once, never altered."""
    return [
        EVENTS_TABLE.format(events=events),
        IDENTITIES_TABLE,
        *_append_only(
            events,
            "rowid = NEW.rowid OR (originator_id = NEW.originator_id "
            "AND originator_version = NEW.originator_version)",
        ),
        *_append_only("identities", "source = NEW.source AND id = NEW.id"),
    ]


def _append_only(table: str, taken: str) -> list[str]:
    """Triggers that refuse to change, remove or replace a row.

    REPLACE deletes without firing delete triggers, so the third looks at the key before it does.
    """
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_{verb.lower()} BEFORE {verb} ON {table} "
        f"{when}BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb, when in (
            ("UPDATE", ""),
            ("DELETE", ""),
            ("INSERT", f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken}) "),
        )
    ]


def path_of(url: str) -> Path:
    """The file that a SQLite URL names."""
    prefix = "sqlite:///"
    if not url.startswith(prefix) or url == prefix:
        raise UnreadableSource(
            source=url, problem=Phrase("write sqlite:///relative.db or sqlite:////absolute.db.")
        )
    name = unquote(url.removeprefix(prefix))
    if ":memory:" in name or "\0" in name:
        raise UnreadableSource(
            source=url,
            problem=Phrase("a ledger is a file, so that facts outlive the process. Name one."),
        )
    return Path(name)


def claim(path: Path, *, create: bool) -> None:
    """Make the tables of a new ledger, or check that the file is one of ours."""
    if create and not path.parent.is_dir():
        raise UnreadableSource(
            source=str(path),
            problem=Phrase("there is no folder {folder}.", folder=str(path.parent)),
        )
    if create:
        make_private(path)
    database = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=30
    )
    try:
        _check_or_create(path, database)
    finally:
        database.close()


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone may read, where there is none; SQLite gives its logs the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE))


def check_ours(path: Path, database: sqlite3.Connection) -> None:
    """Refuse a file that is no ledger, or is none yet. Raises UnreadableSource."""
    if not _is_ours(path, database):
        raise UnreadableSource(
            source=str(path), problem=Phrase("nothing is in it. Check the path.")
        )


def _check_or_create(path: Path, database: sqlite3.Connection) -> None:
    """Make a ledger of an empty file. Several processes may try at once: one makes it."""
    if _is_ours(path, database):
        return
    _patiently(database, "PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    _patiently(database, "BEGIN IMMEDIATE")
    try:
        if not _is_ours(path, database):
            _create(database)
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _is_ours(path: Path, database: sqlite3.Connection) -> bool:
    """Whether it is a ledger of this schema; False where nothing is in it yet.

    Looks before anything is set: a stranger's file is left as it was. One statement, so that a
    ledger that another process is just making is seen whole or not at all.
    """
    owner, version, tables = database.execute(
        "SELECT (SELECT application_id FROM pragma_application_id), "
        "(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if owner != APPLICATION_ID:
        if tables:
            raise UnreadableSource(
                source=str(path),
                problem=Phrase("it is a database of something else. Name another file."),
            )
        return False
    if version != SCHEMA_VERSION:
        raise UnreadableSource(
            source=str(path),
            problem=Phrase(
                "it has schema version {version}, and this release reads {known}. Use the release that "
                "wrote it, or export and import.",
                version=version,
                known=SCHEMA_VERSION,
            ),
        )
    return True


def _patiently(database: sqlite3.Connection, statement: str) -> None:
    """Run what SQLite refuses at once, without waiting, while another process changes the file."""
    until = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            database.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _create(database: sqlite3.Connection) -> None:
    for statement in create_statements():
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
