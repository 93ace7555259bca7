"""The note before the footer: checksums of the file, and what a reader of one participant must know.

A Parquet file may hold bytes that its footer does not point to. Ours stand right before the footer:

    JSON · its length (4 bytes, little end first) · CRC-32 of the JSON, that length and all
    that follows the note (4 bytes) · `PRKJNOTE`

The JSON names, for consecutive pieces of the file (row group by row group, then the rest), where each
ends and its CRC-32; the subjects that share an identity with another one; and, where the writer judged
every row and wrote only what was recorded, the fingerprint of the programme by which. Parquet itself has
checksums of pages at most: a flipped bit in the footer or in a page's header is otherwise a wrong
number that looks right. A tool that writes the file anew leaves the note out, and so it can never
speak of other rows than its own.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.wire import CANONICAL

MAGIC: Final = b"PRKJNOTE"
PARQUET: Final = b"PAR1"
_LENGTH: Final = struct.Struct("<I")
_TAIL: Final = struct.Struct("<II8s")
_BLOCK: Final = 1 << 20


class Piece(NamedTuple):
    """Bytes of the file: where they end, and their CRC-32. They begin where the one before ends."""

    end: int
    checksum: int


class Note(NamedTuple):
    """What the note says."""

    pieces: tuple[Piece, ...]
    sharing: frozenset[str]
    """Subjects with an identity that another subject's row has too."""
    judged_by: str | None = None
    """By which programme every row was recorded (`evidence.fingerprint.of_programme`), if the writer says so."""


class Damaged(ValueError):
    """The file is not what it was when it was written."""


def _crc(file: IO[bytes], start: int, end: int) -> int:
    file.seek(start)
    found, left = 0, end - start
    while left > 0 and (block := file.read(min(_BLOCK, left))):
        found = zlib.crc32(block, found)
        left -= len(block)
    return found


def _footer_at(file: IO[bytes]) -> int:
    """Where the footer begins. Raises Damaged where there cannot be one."""
    size = file.seek(0, os.SEEK_END)
    if size < len(PARQUET) * 2 + _LENGTH.size:
        raise Damaged(Phrase("it is too short to be a Parquet file"))
    file.seek(size - _LENGTH.size - len(PARQUET))
    (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
    end = file.read()
    if end != PARQUET:
        raise Damaged(
            Phrase("its footer is encrypted")
            if end == b"PARE"
            else Phrase("it does not end as a Parquet file")
        )
    start = size - _LENGTH.size - len(PARQUET) - length
    if start < len(PARQUET):
        raise Damaged(Phrase("its footer would be longer than the file"))
    return int(start)


def write_note(
    path: Path, ends: Iterable[int], sharing: Iterable[str], judged_by: str | None = None
) -> None:
    """Put the note into a file just written; `ends` are the ends of its row groups."""
    with path.open("r+b") as file:
        at = _footer_at(file)
        file.seek(at)
        footer = file.read()
        pieces, start = [], 0
        for end in (*ends, at):
            if end > start:
                pieces.append((end, _crc(file, start, end)))
                start = end
        text = json.dumps(
            {
                "version": CANONICAL,
                "pieces": pieces,
                "sharing": sorted(sharing),
                "judged_by": judged_by,
            },
            separators=(",", ":"),
        ).encode()
        checksum = zlib.crc32(text + _LENGTH.pack(len(text)) + footer)
        file.seek(at)
        file.write(text + _TAIL.pack(len(text), checksum, MAGIC) + footer)


def read_note(file: IO[bytes]) -> Note | None:
    """The note of a file; None where its writer left none. Raises Damaged."""
    at = _footer_at(file)
    if at < len(PARQUET) + _TAIL.size:
        return None
    file.seek(at - _TAIL.size)
    length, checksum, magic = _TAIL.unpack(file.read(_TAIL.size))
    if magic != MAGIC:
        return None
    start = at - _TAIL.size - length
    if start < len(PARQUET):
        raise Damaged(Phrase("its checksums do not fit into it"))
    file.seek(start)
    text = file.read(length)
    file.seek(at)
    if zlib.crc32(text + _LENGTH.pack(length) + file.read()) != checksum:
        raise Damaged(Phrase("its footer is not the one that was written"))
    return _note(json.loads(text), start)


def _note(said: dict[str, Any], start: int) -> Note:
    if said["version"] != CANONICAL:
        raise Damaged(
            Phrase(
                "its note has version {version}, and this program reads {known}",
                version=said["version"],
                known=CANONICAL,
            )
        )
    pieces = tuple(Piece(*one) for one in said["pieces"])
    if pieces[-1].end != start:
        raise Damaged(Phrase("its checksums speak of another file"))
    return Note(pieces, frozenset(said["sharing"]), said.get("judged_by"))


def check_pieces(file: IO[bytes], note: Note, start: int = 0, end: int | None = None) -> None:
    """Raise Damaged unless the pieces that touch a range of the file are as they were written."""
    at = 0
    for piece in note.pieces:
        touches = piece.end > start and (end is None or at < end)
        if touches and _crc(file, at, piece.end) != piece.checksum:
            raise Damaged(
                Phrase("bytes {at} to {end} are not those that were written", at=at, end=piece.end)
            )
        at = piece.end
