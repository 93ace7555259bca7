"""History files: lines out of plain, gzip and Zstandard files, in bounded memory.

Whatever the file is, at most a block and a line of the format's longest length are held. A line
that is longer goes to a temporary file of its own, so that it can be quarantined whole.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final, Protocol

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase, text_of
from prakerja_ledger.evidence.json_line import LONGEST_LINE
from prakerja_ledger.interfaces.columnar.sniffing import MAGICS

BLOCK: Final = 1 << 18
_COMPRESSED_BLOCK: Final = 1 << 10
"""Zstandard turns a kilobyte into tens of megabytes at worst; a larger piece could fill memory."""
_SQLITE: Final = b"SQLite format 3\0"
_LARGEST_WINDOW: Final = 1 << 27
_BLANKS: Final = b" \t\r"

STANDARD_INPUT: Final = "-"


class OverlongLine:
    """A line above the longest length: kept whole on disk, its first bytes at hand."""

    def __init__(self, start: bytes) -> None:
        self.head: bytes = start[: LONGEST_LINE + 1]
        import tempfile  # noqa: PLC0415  # only for lines that need it

        self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by its reader
        self.blank: bool = True
        self.add(start)

    def add(self, piece: bytes) -> None:
        """Append a piece of the line."""
        self.file.write(piece)
        self.blank = self.blank and not piece.strip(_BLANKS)

    def pieces(self) -> Iterator[bytes]:
        """The whole line, piece by piece; closes the file at the end."""
        with self.file:
            self.file.seek(0)
            while piece := self.file.read(BLOCK):
                yield piece


Line = bytes | OverlongLine


def lines_of(path: str) -> Iterator[Line]:
    """The lines of a history file, without their LF, in order; `-` is standard input.

    Raises UnreadableSource where the file is missing, unreadable, or ends inside compressed data.
    """
    count = 0
    try:
        for line in _split(_no_other(_blocks(path), path)):
            count += 1
            yield line
    except (OSError, EOFError, zlib.error, _Truncated) as error:
        raise UnreadableSource(source=path, problem=_explained(error, count)) from None


def _explained(error: Exception, lines: int) -> str | Phrase:
    import gzip  # noqa: PLC0415  # only for files that need it

    if isinstance(error, FileNotFoundError):
        return Phrase("there is no such file. Check the path.")
    if isinstance(error, IsADirectoryError):
        return Phrase("it is a folder. Name a history file.")
    if isinstance(error, PermissionError):
        return Phrase("no permission to read it.")
    if lines or isinstance(error, (EOFError, zlib.error, _Truncated, gzip.BadGzipFile)):
        return Phrase(
            "the compressed data is damaged or cut short after line {lines} ({error}). Fetch the file "
            "again; what was imported before stays recorded.",
            lines=lines,
            error=text_of(error),
        )
    return f"{error.strerror or error}" if isinstance(error, OSError) else str(error)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Truncated(Exception):
    """A Zstandard file ends inside a frame, or is none."""


def _blocks(path: str) -> Iterator[bytes]:
    if path == STANDARD_INPUT:
        yield from _read(sys.stdin.buffer)
    elif path.endswith(".gz"):
        import gzip  # noqa: PLC0415  # only for files that need it

        with gzip.open(path, "rb") as file:
            yield from _read(file)
    elif path.endswith(".zst"):
        with Path(path).open("rb") as file:
            yield from _decompressed(file)
    else:
        with Path(path).open("rb") as file:
            yield from _read(file)


def _read(file: _Readable) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _decompressed(file: IO[bytes]) -> Iterator[bytes]:
    """Frames of a Zstandard file, one after another.

    Not the library's stream reader: it ends silently where a frame is cut short.
    """
    try:
        import zstandard  # noqa: PLC0415  # only for files that need it
    except ModuleNotFoundError:
        raise UnreadableSource(
            source=file.name,
            problem=Phrase(
                "reading .zst needs the package zstandard: pip install 'prakerja-ledger[zstd]'."
            ),
        ) from None
    decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    frame = decompressor.decompressobj()
    rest = b""
    begun = False
    try:
        while piece := rest or file.read(_COMPRESSED_BLOCK):
            rest = b""
            begun = True
            block = frame.decompress(piece)
            if block:
                yield block
            if frame.eof:
                rest, frame, begun = frame.unused_data, decompressor.decompressobj(), False
    except zstandard.ZstdError as error:
        raise _Truncated(str(error)) from None
    if begun:
        raise _Truncated(Phrase("the last frame is incomplete"))


def _no_other(blocks: Iterable[bytes], path: str) -> Iterator[bytes]:
    """The same blocks, unless they are those of a file that is read in another way."""
    for number, block in enumerate(blocks):
        if not number and block.startswith(MAGICS):
            raise UnreadableSource(
                source=path,
                problem=Phrase(
                    "it is a Parquet file that comes as a stream or compressed. Name the file itself: a "
                    "Parquet file is read from its end."
                ),
            )
        if not number and block.startswith(_SQLITE):
            raise UnreadableSource(
                source=path,
                problem=Phrase(
                    "it is a SQLite file, and no history in lines. A ledger is named by its URL: "
                    "sqlite:///{path}.",
                    path=path,
                ),
            )
        yield block


def _split(blocks: Iterable[bytes]) -> Iterator[Line]:
    rest = b""
    overlong: OverlongLine | None = None
    for block in blocks:
        if overlong is not None:
            piece, newline, block = block.partition(b"\n")
            overlong.add(piece)
            if not newline:
                continue
            yield overlong
            overlong = None
        parts = (rest + block).split(b"\n")
        rest = parts.pop()
        yield from parts
        if len(rest) > LONGEST_LINE:
            overlong, rest = OverlongLine(rest), b""
    if overlong is not None:
        yield overlong
    elif rest:
        yield rest
