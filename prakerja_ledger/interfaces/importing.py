"""A history file in front of an importer: from its beginning, or from where an import of it stopped."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from attrs import define, field

from prakerja_ledger.domain.register import Outcome
from prakerja_ledger.interfaces.columnar.sniffing import is_columnar, parts_of, reader
from prakerja_ledger.interfaces.columnar.wanted import Wanted
from prakerja_ledger.interfaces.history_file import STANDARD_INPUT, OverlongLine
from prakerja_ledger.interfaces.source import TICK_EVERY, Tally, Tick, numbered
from prakerja_ledger.ledger.bookmark import Bookmark, Digest, LinesRead, WholeFile
from prakerja_ledger.ledger.importing import Given, Importer

_BLOCK: Final = 1 << 20


@define(eq=False)
class FileImport:
    """One history file on its way into a ledger."""

    importer: Importer
    path: str
    tick: Tick
    tally: Tally = field(factory=Tally)
    overlong: dict[int, OverlongLine] = field(factory=dict)
    """Lines above the longest length, by number: given as their start, and whole from here."""
    _bookmark: Bookmark | None = field(init=False, default=None)

    def outcomes(self) -> Iterator[tuple[int, bytes, Outcome]]:
        """Import it; each line that is judged, with what became of it, counted in `tally`.

        Where an import of the same file was stopped, the lines before are counted and not judged again;
        those that were quarantined are given as they were.
        """
        for number, line, outcome in self._all():
            self.tally.count(number, outcome)
            yield number, line, outcome
            if not self.tally.lines % TICK_EVERY:
                self.tick(self.tally.lines)

    def _all(self) -> Iterator[tuple[int, bytes, Outcome]]:
        columnar = is_columnar(self.path)
        if self.path == STANDARD_INPUT or not (columnar or Path(self.path).is_file()):
            yield from self.importer.outcomes(self._texts())  # read once, and never again
            return
        bookmark = self._bookmark = self._found(columnar=columnar)
        behind = bookmark.number
        self.tally.recorded, self.tally.duplicates = bookmark.recorded, bookmark.duplicates
        given = self._rows if columnar else self._texts
        if bookmark.asides:
            refused = dict(self.importer.quarantined(bookmark))
            for number, line, *_ in given(0, frozenset(refused), behind):
                yield number, line, refused[number]
        yield from self.importer.outcomes(given(behind), bookmark)

    def ended(self) -> None:
        """All that there is to do about the file is done."""
        if self._bookmark is not None:
            self.importer.ended(self._bookmark)

    def _found(self, *, columnar: bool) -> Bookmark:
        """The bookmark of a stopped import, or a new one."""
        name = os.fspath(Path(self.path).resolve()).encode(errors="backslashreplace").decode()
        said = self.importer.bookmarked(name)
        digest: Digest = WholeFile(_digest(self.path)) if columnar else LinesRead()
        if said is not None:
            if not columnar:
                self._read(digest, said["number"])
            if digest.text() == said["digest"]:
                return Bookmark(
                    name,
                    digest,
                    number=said["number"],
                    recorded=said["recorded"],
                    duplicates=said["duplicates"],
                    asides=said["asides"],
                )
        return Bookmark(name, digest if columnar else LinesRead())

    def _read(self, digest: Digest, upto: int) -> None:
        """Read lines up to a number, as they were read before."""
        for count, (number, line) in enumerate(numbered(self.path), 1):
            whole = line if isinstance(line, bytes) else line.head
            if isinstance(line, OverlongLine):
                line.file.close()
            if number > upto:
                return
            digest.update(number, whole)
            if not count % TICK_EVERY:
                self.tick(count)

    def _texts(
        self, behind: int = 0, only: Collection[int] | None = None, upto: int | None = None
    ) -> Iterator[Given]:
        """Lines to judge, or some; of an over-long one its start, which is refused, the rest set aside."""
        for number, line in numbered(self.path):
            wanted = number > behind and (only is None or number in only)
            if isinstance(line, OverlongLine):
                if wanted:
                    self.overlong[number] = line
                    yield number, line.head
                else:
                    line.file.close()
            elif wanted:
                yield number, line
            if number == upto:
                return

    def _rows(
        self, behind: int = 0, only: Collection[int] | None = None, upto: int | None = None
    ) -> Iterator[Given]:
        """The rows of a Parquet history, each with the event that its columns gave."""
        programme = self.importer.ledger.programme
        with reader(self.path)(self.path, programme) as history:
            for row in history.rows(Wanted(behind, upto, only), self.tick):
                yield row.number, row.line(), row.event


def _digest(path: str) -> str:
    """All bytes of a Parquet history: its order of recording is known only when all is read."""
    found = blake2b(digest_size=32)
    for part in parts_of(path):
        found.update(os.fsencode(part.name) + b"\0%d\0" % part.stat().st_size)
        with part.open("rb") as file:
            while block := file.read(_BLOCK):
                found.update(block)
    return found.hexdigest()
