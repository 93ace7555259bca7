"""The vault's tables and every statement on them, in the SQL that SQLite and PostgreSQL share.

No statement takes or gives a value in clear: values arrive sealed, and are looked up by token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, Final

from attrs import frozen

from prakerja_ledger.domain.time import Instant, day
from prakerja_ledger.vault.journal import Head, Stored, beginning

FORMAT: Final = 1
TABLES: Final = ("settings", "participants", "wrapped_keys", "sealed_values", "tokens", "journal")
PAGE: Final = 500
"""Rows that are read at once where a whole table is walked."""

_CREATE: Final = """\
CREATE TABLE settings (
    id integer PRIMARY KEY CHECK (id = 1),
    format integer NOT NULL,
    vault {text} NOT NULL,
    algorithm {text} NOT NULL, -- what new values are sealed with
    wrapping_key {text} NOT NULL, wrapping_key_before {text}, -- before: while keys are being exchanged
    look_up_key {text} NOT NULL, look_up_key_before {text},
    scrub_due integer NOT NULL -- how often something was deleted whose bytes may still be in the files
);
CREATE TABLE participants (
    participant {text} PRIMARY KEY,
    registered_at {text} NOT NULL,
    retain_until {text},
    restricted_at {text},
    forgotten_at {text}
);
CREATE INDEX participants_retain_until ON participants (retain_until);
CREATE TABLE wrapped_keys (
    participant {text} PRIMARY KEY,
    key_id {text} NOT NULL, -- of the wrapping key
    algorithm {text} NOT NULL,
    wrapped {bytes} NOT NULL
);
CREATE TABLE sealed_values (
    participant {text} NOT NULL,
    field {text} NOT NULL,
    item {text} NOT NULL, -- the token of an account; else empty
    algorithm {text} NOT NULL,
    sealed {bytes} NOT NULL,
    PRIMARY KEY (participant, field, item)
);
CREATE TABLE tokens (
    key_id {text} NOT NULL, -- of the look-up key
    field {text} NOT NULL,
    token {bytes} NOT NULL,
    participant {text} NOT NULL,
    item {text} NOT NULL,
    PRIMARY KEY (key_id, field, token, participant)
);
CREATE INDEX tokens_participant ON tokens (participant);
CREATE TABLE journal (
    number bigint PRIMARY KEY,
    body {text} NOT NULL,
    hash {bytes} NOT NULL
);
"""


def create_script(text: str, bytes: str) -> list[str]:
    """The statements that make the tables, with the names that a database has for its types."""
    script = _CREATE.format(text=text, bytes=bytes)
    return [statement for statement in script.split(";\n") if statement.strip()]


@frozen(kw_only=True)
class Settings:
    """What holds for the whole vault."""

    vault: str
    algorithm: str
    wrapping_key: str
    wrapping_key_before: str | None = None
    look_up_key: str
    look_up_key_before: str | None = None
    scrub_due: int = 0


@frozen
class Participant:
    """That somebody is or was in the vault; nothing of who it is."""

    participant: str
    registered_at: Instant
    retain_until: date | None
    restricted_at: Instant | None
    forgotten_at: Instant | None


@frozen
class WrappedKey:
    """The key of one participant's values, sealed by a wrapping key."""

    participant: str
    key_id: str
    algorithm: str
    wrapped: bytes


@frozen
class SealedValue:
    """A value, sealed by its participant's key."""

    field: str
    item: str
    algorithm: str
    sealed: bytes


_SETTINGS: Final = tuple(Settings.__annotations__)
_PARTICIPANT: Final = "participant, registered_at, retain_until, restricted_at, forgotten_at"

Run = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Runs one statement, with ? for each parameter; returns its rows."""


class Rows:
    """The tables, inside one transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    # settings

    def create(self, settings: Settings) -> None:
        """The one row of settings."""
        names = ("id", "format", *_SETTINGS)
        given = (1, FORMAT, *(getattr(settings, name) for name in _SETTINGS))
        self._insert("settings", names, given)

    def settings(self) -> Settings:
        """What holds for the whole vault, read anew in each transaction: another process may change it."""
        ((_, *found),) = self._run(f"SELECT format, {', '.join(_SETTINGS)} FROM settings", ())
        return Settings(**dict(zip(_SETTINGS, found, strict=True)))

    def set(self, **changes: Any) -> None:
        """Change settings."""
        names = ", ".join(f"{name} = ?" for name in changes)
        self._run(f"UPDATE settings SET {names}", tuple(changes.values()))

    def want_scrub(self) -> None:
        """Note that the files have to be cleared of what this transaction deletes."""
        self._run("UPDATE settings SET scrub_due = scrub_due + 1", ())

    def scrubbed(self, wanted: int) -> None:
        """The files are clear, unless something was deleted since it was last asked."""
        self._run("UPDATE settings SET scrub_due = 0 WHERE scrub_due = ?", (wanted,))

    # participants

    def add(self, participant: str, at: Instant, retain_until: date | None) -> None:
        """One more participant."""
        self._insert(
            "participants",
            ("participant", "registered_at", "retain_until"),
            (participant, at, retain_until and retain_until.isoformat()),
        )

    def participant(self, id: str) -> Participant | None:
        """The participant, forgotten or not."""
        query = f"SELECT {_PARTICIPANT} FROM participants WHERE participant = ?"
        found = self._run(query, (id,))
        return _participant(found[0]) if found else None

    def mark(self, participant: str, **changes: str | None) -> None:
        """Change when somebody was restricted or forgotten, or how long they may be kept."""
        names = ", ".join(f"{name} = ?" for name in changes)
        query = f"UPDATE participants SET {names} WHERE participant = ?"
        self._run(query, (*changes.values(), participant))

    def past_retention(self, on: date) -> list[Participant]:
        """Those whose last day was before that one, in the order of their ids."""
        query = f"SELECT {_PARTICIPANT} FROM participants WHERE retain_until < ? "
        query += "AND forgotten_at IS NULL ORDER BY participant"
        return [_participant(row) for row in self._run(query, (on.isoformat(),))]

    # keys and values

    def put_key(self, key: WrappedKey) -> None:
        """The participant's key, instead of an earlier wrapping of it."""
        self._put("wrapped_keys", ("participant",), key)

    def key_of(self, participant: str) -> WrappedKey | None:
        """The participant's key."""
        query = "SELECT participant, key_id, algorithm, wrapped FROM wrapped_keys "
        found = self._run(query + "WHERE participant = ?", (participant,))
        return WrappedKey(*found[0]) if found else None

    def keys_after(self, participant: str) -> list[WrappedKey]:
        """The next page of keys, by participant."""
        query = "SELECT participant, key_id, algorithm, wrapped FROM wrapped_keys "
        query += f"WHERE participant > ? ORDER BY participant LIMIT {PAGE}"
        return [WrappedKey(*row) for row in self._run(query, (participant,))]

    def put_value(self, participant: str, value: SealedValue) -> None:
        """A value of a participant, instead of an earlier one."""
        self._put("sealed_values", ("participant", "field", "item"), value, participant=participant)

    def values_of(self, participant: str) -> list[SealedValue]:
        """The participant's values."""
        query = "SELECT field, item, algorithm, sealed FROM sealed_values WHERE participant = ? "
        return [
            SealedValue(*row) for row in self._run(query + "ORDER BY field, item", (participant,))
        ]

    def erase(self, participant: str) -> None:
        """Remove key, values and tokens. The participant's row says when; the journal by whom."""
        for table in ("wrapped_keys", "sealed_values", "tokens"):
            self._run(f"DELETE FROM {table} WHERE participant = ?", (participant,))

    # tokens

    def put_token(self, key_id: str, field: str, token: bytes, participant: str, item: str) -> None:
        """Let a participant be found by a token."""
        names = ("key_id", "field", "token", "participant", "item")
        self._insert("tokens", names, (key_id, field, token, participant, item))

    def drop_tokens(self, participant: str, field: str | None = None) -> None:
        """Let a participant no longer be found, by one field or at all."""
        query = "DELETE FROM tokens WHERE participant = ?"
        if field is None:
            self._run(query, (participant,))
        else:
            self._run(query + " AND field = ?", (participant, field))

    def found(self, key_id: str, field: str, token: bytes) -> list[tuple[str, str]]:
        """Participants with that token, each with the item that it stands for."""
        query = "SELECT participant, item FROM tokens WHERE key_id = ? AND field = ? AND token = ? "
        rows = self._run(query + "ORDER BY participant", (key_id, field, token))
        return [(participant, item) for participant, item in rows]

    # journal

    def head(self, vault: str) -> Head:
        """Where the journal stands."""
        query = "SELECT number, hash FROM journal ORDER BY number DESC LIMIT 1"
        found = self._run(query, ())
        return Head(found[0][0], bytes(found[0][1])) if found else beginning(vault)

    def append(self, head: Head, body: str) -> None:
        """One more entry, after which the chain stands at that head."""
        self._insert("journal", ("number", "body", "hash"), (head.number, body, head.hash))

    def journal_after(self, number: int) -> list[Stored]:
        """The next page of entries."""
        query = (
            f"SELECT number, body, hash FROM journal WHERE number > ? ORDER BY number LIMIT {PAGE}"
        )
        return [(found, body, bytes(hashed)) for found, body, hashed in self._run(query, (number,))]

    # how

    def _put(self, table: str, key: Iterable[str], row: Any, **more: Any) -> None:
        given = {**more, **{name: getattr(row, name) for name in row.__annotations__}}
        where = " AND ".join(f"{name} = ?" for name in key)
        self._run(f"DELETE FROM {table} WHERE {where}", tuple(given[name] for name in key))
        self._insert(table, tuple(given), tuple(given.values()))

    def _insert(self, table: str, names: Sequence[str], values: Sequence[Any]) -> None:
        marks = ", ".join("?" * len(names))
        self._run(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", values)


def _participant(row: Sequence[Any]) -> Participant:
    id, registered_at, retain_until, restricted_at, forgotten_at = row
    retained = None if retain_until is None else day(retain_until)
    return Participant(id, registered_at, retained, restricted_at, forgotten_at)
