"""What was done in the vault, by whom, to whose data and why: entries hashed onto one another.

They are only ever added to. An entry names participants by their ids and fields by their names, and holds no value. A chain shows a
changed, dropped or inserted entry to whoever follows it. Whoever may write the tables could make a chain
anew from some entry on: that is seen by who has kept an earlier head, on paper if need be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from attrs import Attribute, asdict, field, frozen

from prakerja_ledger.domain.errors import InvalidPerson, VaultDamaged
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.time import LONGEST_TEXT, Instant, is_instant
from prakerja_ledger.vault.crypto import digest

_CHAIN: Final = b"prakerja-vault-journal-1\0"
"""What the hashed bytes begin with: their format and its version."""
_NUMBER: Final = re.compile(r"[0-9](?:[\s.()/+-]*[0-9]){8}")
"""Nine digits, however they are grouped."""


class Kind(StrEnum):
    """What was done."""

    CREATED = "created"
    REGISTERED = "registered"
    CHANGED = "changed"
    FOUND = "found"
    """Looked for by a value; without a participant where nobody was found."""
    REVEALED = "revealed"
    """Written before it is shown."""
    RESTRICTED = "restricted"
    LIFTED = "lifted"
    FORGOTTEN = "forgotten"
    EXPIRED = "expired"
    """Forgotten because the retention was over."""
    ROTATED = "rotated"
    """A key took another's place."""


def is_warranted(_: object, attribute: Attribute[Any], value: object) -> None:
    """One line of text that names nobody: it stays in the journal when the person is forgotten."""
    if (
        not isinstance(value, str)
        or not 0 < len(value.strip()) <= LONGEST_TEXT
        or not value.isprintable()
        or _NUMBER.search(value)
    ):
        raise InvalidPerson(
            field=attribute.name,
            expected=Phrase(
                "a line of 1 to {longest} characters without a number of nine digits or more, which "
                "could be somebody's and would outlast them in the journal",
                longest=LONGEST_TEXT,
            ),
        )


@frozen(kw_only=True)
class Warrant:
    """Who does something in the vault, and what for. Kept for ever, so neither may name a participant."""

    by: str = field(validator=is_warranted, repr=False)
    purpose: str = field(validator=is_warranted, repr=False)


@frozen(kw_only=True)
class Entry:
    """One thing that was done."""

    number: int
    at: Instant
    kind: Kind
    participant: str | None = None
    fields: tuple[str, ...] = ()
    """Of the person: which were written, looked for, or shown."""
    keys: tuple[str, ...] = ()
    """Ids of keys: the old one and the new one."""
    by: str
    purpose: str

    def body(self) -> str:
        """The text that is hashed and stored: RFC 8785, as keys are ASCII and numbers whole."""
        told = {**asdict(self), "version": 1}
        return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def read_body(body: str) -> Entry | None:
    """The entry that a stored text holds, if writing it again gives the same text."""
    try:
        told: Mapping[str, Any] = json.loads(body)
        entry = Entry(
            number=int(told["number"]),
            at=_instant(told["at"]),
            kind=Kind(told["kind"]),
            participant=None if told["participant"] is None else str(told["participant"]),
            fields=tuple(map(str, told["fields"])),
            keys=tuple(map(str, told["keys"])),
            by=str(told["by"]),
            purpose=str(told["purpose"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return entry if entry.body() == body else None


def _instant(found: object) -> Instant:
    if not is_instant(found):
        raise ValueError("no instant")
    return Instant(str(found))


@frozen
class Head:
    """Where the chain stands: the number of entries, and the hash of the last."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"

    def then(self, body: str) -> Head:
        """The head after one more entry."""
        return Head(self.number + 1, digest(_CHAIN, self.hash, body.encode()))


def beginning(vault: str) -> Head:
    """The head of a journal without entries: another one in each vault."""
    return Head(0, digest(_CHAIN, vault.encode()))


Stored = tuple[int, str, bytes]
"""An entry as the tables hold it: its number, its text and its hash."""


def followed(
    vault: str, stored: Iterable[Stored], source: str, kept: Head | None = None
) -> Iterator[tuple[Entry, Head]]:
    """The entries with the head after each, from the first on. Raises VaultDamaged at the first break.

    `kept` is a head that was noted down before; a journal that does not lead through it is broken too.
    """
    head = beginning(vault)
    missed = kept is not None and kept != head
    for number, body, hashed in stored:
        entry, head = read_body(body), head.then(body)
        if entry is None or entry.number != number or head != Head(number, hashed):
            raise VaultDamaged(
                source=source,
                problem=Phrase(
                    "the journal breaks at entry {number}: an entry was changed, dropped or put in. What "
                    "stands before it is as it was written; restore the rest from a copy.",
                    number=head.number,
                ),
            )
        missed = missed and head != kept
        yield entry, head
    if missed:
        raise VaultDamaged(
            source=source,
            problem=Phrase(
                "the journal stands at {head} and does not lead through {kept}, which was noted down: it "
                "was cut or made anew. Restore it from a copy.",
                head=str(head),
                kept=str(kept),
            ),
        )
