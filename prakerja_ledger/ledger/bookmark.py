"""Where an import of a file stopped, kept in the ledger itself.

A bookmark is written in the transaction of the batch that it stands behind: it is there exactly if the
batch is. It says what of the file was read by then and what became of it, so that the next run can go on
behind it and end as a run that was never stopped: a line that was quarantined stays so, though what it
refers to may have come since; for that the file is imported once more. It is believed only after the file is found to
begin with the very bytes that were read. Without one, or with one of another file, everything is read
from the beginning, which changes nothing but the time it takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, Protocol

from attrs import define, field

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.phrases import as_json, from_json
from prakerja_ledger.domain.register import Outcome, Recorded


class Digest(Protocol):
    """What of a file was read so far, in a few bytes."""

    def update(self, number: int, line: bytes) -> None:
        """Read on: a line and its number."""

    def text(self) -> str:
        """The bytes, as they are written down."""


class LinesRead:
    """The digest of lines as they come."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=32)

    def update(self, number: int, line: bytes) -> None:
        """Read on: a line and its number."""
        self._hash.update(b"%d:%d:" % (number, len(line)))
        self._hash.update(line)

    def text(self) -> str:
        """The bytes, as they are written down."""
        return self._hash.hexdigest()


@define
class WholeFile:
    """The digest of a file that is read as a whole before its first line: it never changes."""

    known: str

    def update(self, number: int, line: bytes) -> None:
        """All is read already."""

    def text(self) -> str:
        """The bytes, as they are written down."""
        return self.known


@define(eq=False)
class Bookmark:
    """Where an import stands in one file."""

    name: str
    """Which file: its whole path."""
    digest: Digest
    number: int = 0
    """The last line that was read; 0 before the first one."""
    recorded: int = 0
    duplicates: int = 0
    asides: list[int] = field(factory=list)
    """Names of the notes beside it: the first line that each tells of."""

    def pass_over(self, outcomes: Iterable[tuple[int, bytes, Outcome]]) -> str | None:
        """Move behind a batch; gives the note of those quarantined, to be kept beside, if there are any."""
        aside = []
        for number, line, outcome in outcomes:
            self.digest.update(number, line)
            self.number = number
            if isinstance(outcome, Refusal):
                kept = {name: as_json(value) for name, value in outcome.fields.items()}
                aside.append((number, outcome.code, outcome.template, kept))
            elif isinstance(outcome, Recorded):
                self.recorded += 1
            else:
                self.duplicates += 1
        if not aside:
            return None
        self.asides.append(aside[0][0])
        return json.dumps(aside, default=str)

    def text(self) -> str:
        """The bookmark as it is kept."""
        return json.dumps(
            {
                "version": 1,
                "number": self.number,
                "digest": self.digest.text(),
                "recorded": self.recorded,
                "duplicates": self.duplicates,
                "asides": self.asides,
            }
        )

    def beside(self, first: int) -> str:
        """Under which name a note is kept."""
        return f"{self.name}\n{first}"


def quarantined(note: str) -> Iterator[tuple[int, Refusal]]:
    """The lines that a note tells of, and why each was quarantined."""
    for number, code, template, fields in json.loads(note):
        read = {name: from_json(value) for name, value in fields.items()}
        yield number, Refusal(code=code, template=template, fields=read)


def kept(text: str | None) -> dict[str, Any] | None:
    """What a bookmark that was kept says; None where there is none that this release understands."""
    said: dict[str, Any] | None = None if text is None else json.loads(text)
    return said if said is not None and said["version"] == 1 else None
