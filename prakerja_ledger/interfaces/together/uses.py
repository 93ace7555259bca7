"""Who uses which account and certificate, of everybody, in little memory.

What is used twice is seldom, and told by a checksum of its name. Only the checksums are held; the uses
themselves stand in a file, and those of equal checksums are read back. Two different things of one
checksum are told apart then.
"""

from __future__ import annotations

import marshal
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple, Self
from zlib import crc32

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.facts import Fact
from prakerja_ledger.reading.across import Kind, Shareable, User, Users


class PackedUses(NamedTuple):
    """The uses of some participants: the checksum of each one's thing, and all of them in one text."""

    checksums: array[int]
    packed: bytes


def pack(users: Mapping[Shareable, Users]) -> PackedUses:
    """Uses on their way to another process."""
    rows = [
        (thing.kind.value, thing.key, user, event.source, event.id, *event[4:])
        for thing, by_user in users.items()
        for user, event in by_user.items()
    ]
    checksums = array("I", [crc32("\n".join((row[0], *row[1])).encode()) for row in rows])
    return PackedUses(checksums, marshal.dumps(rows))


def _unpacked(row: tuple[Any, ...]) -> tuple[Shareable, User, Event]:
    kind, key, (who, course), source, id, *clocks = row
    thing = Shareable(Kind(kind), key)
    event = Event(source, id, who, _fact(thing, course), *clocks)
    return thing, (who, course), event


def _fact(thing: Shareable, course: str) -> Fact:
    if thing.kind is Kind.ACCOUNT:
        provider, account = thing.key
        return f.AccountLinked(provider=provider, account=account)
    (number,) = thing.key
    return f.CertificateIssued(course=course, certificate=number)


class Uses:
    """The uses of everybody, share by share. A context manager, for the file that they stand in."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed at the end
        self._shares: list[array[int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, some: PackedUses) -> None:
        """Take those of a share."""
        self._shares.append(some.checksums)
        marshal.dump(some.packed, self._file)

    def of_several(self) -> dict[Shareable, dict[User, Event]]:
        """What is used more than once, perhaps, with everybody who uses it."""
        repeated = self._repeated()
        found: dict[Shareable, dict[User, Event]] = {}
        self._file.seek(0)
        for checksums in self._shares:
            packed = marshal.load(self._file)  # noqa: S302  # our own unnamed file
            if not repeated.isdisjoint(checksums):
                for thing, user, event in _among(checksums, packed, repeated):
                    found.setdefault(thing, {})[user] = event
        return found

    def _repeated(self) -> set[int]:
        everything = array("I")
        for checksums in self._shares:
            everything.extend(checksums)
        met: set[int] = set()
        last = -1
        for checksum in sorted(everything):
            if checksum == last:
                met.add(checksum)
            last = checksum
        return met


def _among(
    checksums: array[int], packed: bytes, repeated: set[int]
) -> Iterator[tuple[Shareable, User, Event]]:
    rows = marshal.loads(packed)  # noqa: S302  # packed by a process of ours
    for checksum, row in zip(checksums, rows, strict=True):
        if checksum in repeated:
            yield _unpacked(row)
