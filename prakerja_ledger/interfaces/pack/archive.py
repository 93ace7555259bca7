"""Several files in one, laid out in one way only: the zip file that a pack is.

A zip file can be many things: links, folders, names with a path, names that stand twice, two lists that
disagree, bytes that belong to no file, a kilobyte that unpacks to a terabyte. Ours has one layout, which any
tool opens: each file behind its header, stored as it is, then the list, with sizes in 64 bits everywhere. So
a reader has to look for nothing: it reads the headers one after another, works out what the list must be,
and refuses whatever is not that, to the byte, before a file is unpacked.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Final, Self
from zlib import crc32

from attrs import define, field, frozen

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.domain.fields import shown
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.interfaces.pack.sniffing import MAGIC

BLOCK: Final = 1 << 20
MOST_FILES: Final = 32
_NAME: Final = re.compile(rb"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")

_VERSION: Final = 45
"""Of the format: the first with sizes in 64 bits."""
_DAY: Final = 0x21
"""1980-01-01, the first day that a zip file knows: the same input is to give the same bytes."""
_WIDE: Final = 0xFFFFFFFF
"""In place of a size: it stands in the extra field."""
_ON_UNIX: Final = 3 << 8
_MODE: Final = (stat.S_IFREG | 0o644) << 16
_LOCAL: Final = struct.Struct("<4s5HL2L2H")
_LOCAL_EXTRA: Final = struct.Struct("<2H2Q")
_LISTED: Final = struct.Struct("<4s6HL2L5H2L")
_LISTED_EXTRA: Final = struct.Struct("<2H3Q")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_END: Final = struct.Struct("<4s4H2LH")
_ZIP64: Final = 1


def refused(problem: Phrase) -> InvalidEvidence:
    """A pack that is not what one is."""
    return InvalidEvidence(kind=Phrase("pack"), problem=problem)


@frozen
class Stored:
    """A file in an archive."""

    name: str
    size: int
    crc: int
    offset: int
    """Of its header."""

    @property
    def header(self) -> bytes:
        """What stands before its bytes."""
        name = self.name.encode()
        fixed = (
            MAGIC,
            _VERSION,
            0,
            0,
            0,
            _DAY,
            self.crc,
            _WIDE,
            _WIDE,
            len(name),
            _LOCAL_EXTRA.size,
        )
        extra = (_ZIP64, _LOCAL_EXTRA.size - 4, self.size, self.size)
        return _LOCAL.pack(*fixed) + name + _LOCAL_EXTRA.pack(*extra)

    @property
    def begin(self) -> int:
        """Where its bytes begin."""
        return self.offset + len(self.header)

    @property
    def end(self) -> int:
        """Where they end."""
        return self.begin + self.size

    @property
    def listed(self) -> bytes:
        """What the list says of it."""
        name, extra_size = self.name.encode(), _LISTED_EXTRA.size
        versions, sizes = (_VERSION | _ON_UNIX, _VERSION), (_WIDE, _WIDE)
        fixed = (0, 0, 0, _DAY, self.crc, *sizes, len(name), extra_size, 0, 0, 0, _MODE, _WIDE)
        extra = (_ZIP64, extra_size - 4, self.size, self.size, self.offset)
        return _LISTED.pack(b"PK\x01\x02", *versions, *fixed) + name + _LISTED_EXTRA.pack(*extra)


def _closing(files: list[Stored]) -> bytes:
    """The list of files and all that follows it."""
    begin = files[-1].end if files else 0
    listed = b"".join(one.listed for one in files)
    count, end = len(files), begin + len(listed)
    counts = (0, 0, count, count, len(listed), begin)
    versions = (_VERSION | _ON_UNIX, _VERSION)
    return (
        listed
        + _END_64.pack(b"PK\x06\x06", _END_64.size - 12, *versions, *counts)
        + _LOCATOR.pack(b"PK\x06\x07", 0, end, 1)
        + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(listed), _WIDE, 0)
    )


@frozen
class Measured:
    """What a file's bytes are known by."""

    size: int
    sha256: str


@define(eq=False)
class Archive:
    """An archive that was found to be laid out as ours are, open to be read."""

    file: IO[bytes]
    files: Mapping[str, Stored]

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Self]:
        """Look at the whole layout. Raises InvalidEvidence; OSError where the file cannot be read."""
        with path.open("rb") as file:
            yield cls.over(file)

    @classmethod
    def over(cls, file: IO[bytes]) -> Self:
        """The same of a file that is open already, and stays so."""
        return cls(file, {one.name: one for one in _laid_out(file)})

    def blocks(self, name: str) -> Iterator[bytes]:
        """The bytes of a file. Raises InvalidEvidence where they are not those that were put in."""
        one = self.files[name]
        self.file.seek(one.begin)
        left, crc = one.size, 0
        while left:
            block = self.file.read(min(left, BLOCK))
            if not block:
                raise refused(Phrase("{name} ends before its end: the file is cut.", name=name))
            left -= len(block)
            crc = crc32(block, crc)
            yield block
        if crc != one.crc:
            raise refused(Phrase("{name} is damaged: its check sum is another.", name=name))

    def read(self, name: str, longest: int) -> bytes:
        """A file as a whole, of a bounded size."""
        if self.files[name].size > longest:
            raise refused(
                Phrase("{name} is longer than {longest:,} bytes.", name=name, longest=longest)
            )
        return b"".join(self.blocks(name))

    def measure(self, name: str, copy: IO[bytes] | None = None) -> Measured:
        """Read a file through; `copy` is given its bytes."""
        digest = sha256()
        for block in self.blocks(name):
            digest.update(block)
            if copy is not None:
                copy.write(block)
        return Measured(self.files[name].size, digest.hexdigest())


def _laid_out(file: IO[bytes]) -> list[Stored]:
    length = file.seek(0, os.SEEK_END)
    files: list[Stored] = []
    end = 0
    while (one := _header(file, end, length)) is not None:
        if len(files) == MOST_FILES:
            raise refused(Phrase("it has more than {most} files.", most=MOST_FILES))
        if any(one.name == other.name for other in files):
            raise refused(Phrase("{name} stands in it twice.", name=one.name))
        files.append(one)
        end = one.end
    closing = _closing(files)
    file.seek(end)
    if not files or file.read(len(closing) + 1) != closing:
        raise refused(
            Phrase(
                "from byte {at:,} on it is not what a pack is: something was added, cut off or changed "
                "there, or another tool has packed it anew.",
                at=end,
            )
        )
    return files


def _header(file: IO[bytes], offset: int, length: int) -> Stored | None:
    """The file whose header stands at a place; None where there is none."""
    file.seek(offset)
    start = file.read(_LOCAL.size)
    if len(start) < _LOCAL.size or not start.startswith(MAGIC):
        return None
    *_, crc, _, _, name_length, extra_length = _LOCAL.unpack(start)
    name, extra = file.read(min(name_length, 256)), file.read(min(extra_length, 256))
    if not _NAME.fullmatch(name):
        raise refused(
            Phrase(
                "at byte {at:,}, {name} is no plain name of a file.",
                at=offset,
                name=shown(name),
            )
        )
    size = _LOCAL_EXTRA.unpack(extra)[2] if len(extra) == _LOCAL_EXTRA.size else length
    found = Stored(name.decode(), size, crc, offset)
    if found.header != start + name + extra:
        raise refused(
            Phrase(
                "{name}, at byte {at:,}, is not stored as files of a pack are.",
                name=found.name,
                at=offset,
            )
        )
    if found.end > length:
        raise refused(
            Phrase("{name} ends behind the end of the pack: the file is cut.", name=found.name)
        )
    return found


@define(eq=False)
class Packing:
    """Writes files into an archive one after another."""

    file: IO[bytes]
    files: list[Stored] = field(init=False, factory=list)

    def add(self, name: str, path: Path) -> Measured:
        """Put in a file; what it is known by."""
        digest, crc = sha256(), 0
        for block in _blocks(path):
            digest.update(block)
            crc = crc32(block, crc)
        offset = self.files[-1].end if self.files else 0
        one = Stored(name, path.stat().st_size, crc, offset)
        self.files.append(one)
        self.file.write(one.header)
        for block in _blocks(path):
            self.file.write(block)
        assert self.file.tell() == one.end, f"{name} changed while it was packed"
        return Measured(one.size, digest.hexdigest())

    def close(self) -> None:
        """Write the list."""
        self.file.write(_closing(self.files))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
