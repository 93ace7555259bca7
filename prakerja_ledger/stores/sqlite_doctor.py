"""Administering a SQLite ledger: its script, making it, and an examination of file and settings."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.stores.health import Check, judged, note, safe, unsafe
from prakerja_ledger.stores.sqlite import open_journal, open_to_read
from prakerja_ledger.stores.sqlite_file import (
    APPLICATION_ID,
    FULL,
    PRIVATE,
    SCHEMA_VERSION,
    create_statements,
    path_of,
)
from prakerja_ledger.stores.sqlite_read_only import connected, stands_alone

_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs"}
)
_FORGETFUL: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_OF_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LITTLE_SPACE: Final = 256 << 20
_LONG_LOG: Final = 256 << 20
_CONTIGUOUS: Final = (
    "SELECT count(*), coalesce(max(rowid), 0), coalesce(min(rowid), 1) FROM stored_events"
)


def script(url: str) -> str:
    """The SQL that makes a ledger in an empty file."""
    path_of(url)
    return "".join(
        f"{statement};\n"
        for statement in (
            f"-- prakerja-ledger, schema version {SCHEMA_VERSION}.\nPRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "BEGIN IMMEDIATE",
            *create_statements(),
            f"PRAGMA application_id = {APPLICATION_ID}",
            f"PRAGMA user_version = {SCHEMA_VERSION}",
            "COMMIT",
        )
    )


def apply(url: str) -> bool:
    """Make the ledger; False where it is there already. Raises UnreadableSource."""
    path = path_of(url)
    made = not (path.is_file() and path.stat().st_size)
    open_journal(url, create=True).close()
    return made


def examine(url: str) -> list[Check]:
    """Look at a ledger's file, what it lies on, and what is in it. Raises UnreadableSource."""
    path = path_of(url)
    if not path.is_file():
        raise UnreadableSource(
            source=url, problem=Phrase("there is no such ledger. Check the path.")
        )
    try:
        with _opened(url, path) as ours:
            return [*_settings(ours, path), *_contents(ours), *_around(path)]
    except (sqlite3.Error, LedgerFault) as error:
        return [
            unsafe("file", error, "It cannot be read whole. Restore it from a copy."),
            *_around(path),
        ]


@contextmanager
def _opened(url: str, path: Path) -> Iterator[sqlite3.Cursor]:
    """A cursor as the ledger's writer has it; where nobody may write, one that only reads."""
    if os.access(path, os.W_OK):
        journal = open_journal(url, create=False)
        with closing(journal):
            cursor = journal.writer().cursor().sqlite_cursor
            cursor.row_factory = None
            yield cursor
    else:
        open_to_read(url).close()
        with closing(connected(path, alone=stands_alone(path))) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection.cursor()


def _settings(cursor: sqlite3.Cursor, path: Path) -> Iterator[Check]:
    def asked(pragma: str) -> Any:
        return cursor.execute(f"PRAGMA {pragma}").fetchone()[0]

    yield safe("SQLite", sqlite3.sqlite_version)
    yield safe("schema version", asked("user_version"))
    mode = "wal" if _keeps_a_log(path) else asked("journal_mode")
    yield judged(
        mode == "wal",
        "journal_mode",
        mode,
        "Readers and the writer would block each other. Run PRAGMA journal_mode = WAL.",
    )
    yield judged(
        asked("synchronous") >= FULL,
        "synchronous (set by the ledger)",
        {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}.get(asked("synchronous")),
        "An acknowledged fact could be lost with the power. Use a build of SQLite that honours it.",
    )
    if sys.platform == "darwin" and not asked("fullfsync"):
        yield unsafe(
            "fullfsync",
            "off",
            "On macOS fsync stops at the drive's cache. Run PRAGMA fullfsync = ON.",
        )
    yield judged(
        _threadsafe(cursor),
        "threads",
        "safe" if _threadsafe(cursor) else "not safe",
        "This SQLite was built without mutexes. Use a build with SQLITE_THREADSAFE=1.",
    )


def _keeps_a_log(path: Path) -> bool:
    """By the header: to a connection of an immutable file no log is of use, and so it names another mode."""
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\2\2"


def _threadsafe(cursor: sqlite3.Cursor) -> bool:
    options = {row[0] for row in cursor.execute("PRAGMA compile_options")}
    return "THREADSAFE=0" not in options


def _contents(cursor: sqlite3.Cursor) -> Iterator[Check]:
    answers = [row[0] for row in cursor.execute("PRAGMA integrity_check(3)")]
    yield judged(
        answers == ["ok"],
        "integrity_check",
        "; ".join(answers),
        "The file is damaged. Keep it, restore a copy, and import what is missing.",
    )
    wanted = {
        line.split()[5]: line for line in create_statements() if line.startswith("CREATE TRIGGER")
    }
    found = {
        row[0] for row in cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    }
    missing = sorted(set(wanted) - found)
    yield judged(
        not missing,
        "triggers that keep tables append-only",
        f"{', '.join(missing)} missing" if missing else f"{len(wanted)} of {len(wanted)}",
        "Recorded facts could be changed without a trace. Export, import into a new ledger, and find "
        "out who removed them.",
    )
    events, last, first = cursor.execute(_CONTIGUOUS).fetchone()
    yield judged(
        events == last and first == 1,
        "positions",
        f"{events} events, {first} to {last}" if events else "no events",
        "Facts are missing. Keep the file, and compare it with a copy or an export.",
    )
    (named,) = cursor.execute("SELECT count(*) FROM identities").fetchone()
    yield judged(
        named == events,
        "identities",
        f"{named} of {events} events",
        "An identity could be taken twice. Export, and import into a new ledger.",
    )


def _around(path: Path) -> Iterator[Check]:
    kind = file_system_of(path)
    if kind in _NETWORK:
        yield unsafe(
            "file system",
            kind,
            "SQLite's locks do not hold over a network. Use a local disk, or PostgreSQL.",
        )
    elif kind in _FORGETFUL:
        yield unsafe(
            "file system", kind, "It lives in memory and dies with the machine. Use a disk."
        )
    else:
        yield safe("file system", kind)
    yield from _permissions(path)
    yield judged(
        os.access(path, os.W_OK),
        "writable",
        os.access(path, os.W_OK),
        "This user cannot record. Check its owner.",
    )
    free = shutil.disk_usage(path.absolute().parent).free
    space = f"{free >> 20} MiB free"
    yield (
        safe("disk", space)
        if free > _LITTLE_SPACE
        else note(
            "disk",
            space,
            "Recording will stop when it is full; nothing acknowledged is lost by that.",
        )
    )
    log = Path(f"{path}-wal")
    size = log.stat().st_size if log.is_file() else 0
    found = f"{size >> 20} MiB"
    yield (
        safe("write-ahead log", found)
        if size < _LONG_LOG
        else note(
            "write-ahead log", found, "A reader has held an old view open for long. Close it."
        )
    )
    yield note(
        "power",
        "cannot be seen from here",
        "A drive that reports writes done from a cache without battery can lose them all the same.",
    )


def _permissions(path: Path) -> Iterator[Check]:
    """Who else on this machine may get at the files."""
    logs = [Path(f"{path}{suffix}") for suffix in ("-wal", "-shm")]
    for place in (path, *(log for log in logs if log.exists()), path.absolute().parent):
        mode = place.stat().st_mode
        subject, found = f"permissions of {place.name}", stat.filemode(mode)
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            mend = f"Everybody on this machine may write to it. Run chmod o-w {quote(str(place))}."
            yield unsafe(subject, found, mend)
        elif mode & _OF_OTHERS and not place.is_dir():
            mend = (
                "Others than its owner may get at it. Unless they are meant to, run chmod "
                f"{PRIVATE:o} {quote(str(place))}."
            )
            yield note(subject, found, mend)
        else:
            yield safe(subject, found)


def file_system_of(path: Path) -> str:
    """The kind of file system that a file lies on; `unknown` where the system does not say."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    whole = path.absolute().resolve()
    holding = [(len(at), kind) for at, kind in mounts if whole.is_relative_to(at)]
    return max(holding, default=(0, "unknown"))[1]
