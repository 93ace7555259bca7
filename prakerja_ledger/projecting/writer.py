"""Writes the rows of participants and packages as of a day, and of what comes of several together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Final, Protocol, TypeVar

from attrs import define, field

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.streams import Participant, ProgrammeStream
from prakerja_ledger.ledger.journal import PARTICIPANT_PREFIX, Looking, StoredLine, stream_name
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.ledger.streams import JournalStreams
from prakerja_ledger.projecting.rows import (
    OwnRows,
    Row,
    Use,
    finding_rows,
    key_of,
    origin_of,
    package_rows,
    rows_of,
)
from prakerja_ledger.projecting.tables import Change, Keys, Slot
from prakerja_ledger.reading.across import (
    Shareable,
    User,
    course_not_evaluable,
    used_by_several,
    uses_of,
)
from prakerja_ledger.reading.case import PackageInView, look_at_packages
from prakerja_ledger.reading.dossier import ProgrammeInView, look_at_programme, open_dossier
from prakerja_ledger.reading.turning import learned
from prakerja_ledger.reading.view import View, look

T = TypeVar("T")
A_CHUNK: Final = 1_000
"""Participants whose rows are in memory at once, and those a transaction builds."""
_SHAREABLE: Final = (Use.ACCOUNT, Use.CERTIFICATE)


class Watcher(Protocol):
    """Told of progress now and then."""

    def __call__(self, participants: int, /) -> None:
        """So many participants were written since the last call."""


def nobody(_: int, /) -> None:
    """Nobody watches."""


@define(eq=False)
class Writer:
    """Writes rows in one change, from one look at the ledger, as of one day."""

    ledger: Ledger
    reading: Looking
    change: Change
    slot: Slot
    day: date
    watcher: Watcher = nobody
    written: int = field(init=False, default=0)
    """Participants."""
    _streams: JournalStreams = field(init=False)
    _view: View = field(init=False)
    _programme_stream: ProgrammeStream = field(init=False)
    _around: ProgrammeInView = field(init=False)
    _offers: dict[str, PackageInView | None] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        """Look at the programme's own facts, once for everybody."""
        self._streams = self.ledger.streams(self.reading)
        self._view = View(as_of=self.day)
        self._programme_stream = self._streams.programme_stream()
        self._around = look_at_programme(self._programme_stream, self._view)

    def build(self, after: str) -> str | None:
        """The next participants in the order of their ids; the last of them, None where none follow."""
        name = stream_name(f.PARTICIPANT, after) if after else ""
        found = islice(self.reading.streams(PARTICIPANT_PREFIX, name), A_CHUNK)
        rows = self._write(found)
        return rows[-1].id if len(rows) == A_CHUNK else None

    def conclude(self) -> None:
        """Everybody is written: then the packages, and what comes of several together."""
        for package in self._streams.packages:
            self._replace([self._package(package.id)])
        for use in _SHAREABLE:
            self.change.replace_findings(self.slot, (), list(self._of_shared(use, None)))
        self.change.replace_findings(self.slot, (), list(self._of_unevaluated(None)))

    def bring(self, people: Iterable[str], packages: Iterable[str]) -> None:
        """These participants and packages, and all findings that rest on them."""
        met: Keys = defaultdict(set)
        offered = sorted(packages)
        for chunk in _chunks(offered):
            self._replace([self._package(id) for id in chunk], met)
        keys = [key_of(id) for id in offered]
        buyers = (self.change.users(self.slot, Use.BOUGHT, chunk) for chunk in _chunks(keys))
        concerned = {*people, *(who for found in buyers for _, who in found)}
        for names in _chunks(sorted(concerned)):
            self._write(self._found(names), met)
        for use in _SHAREABLE:
            for chunk in _chunks(sorted(met[use])):
                origins = [origin_of(use, key) for key in chunk]
                rows = list(self._of_shared(use, chunk))
                self.change.replace_findings(self.slot, origins, rows)
        for chunk in _chunks(sorted(met[Use.EVALUATED] | met[Use.OFFERED])):
            origins = [origin_of(Use.OFFERED, key) for key in chunk]
            rows = list(self._of_unevaluated(chunk))
            self.change.replace_findings(self.slot, origins, rows)

    def turned_packages(self, since: date) -> Iterator[str]:
        """Packages with facts that were dated ahead of an earlier day."""
        then = View(as_of=since)
        for package in self._streams.packages:
            if any(True for _ in learned(package, then)):
                yield package.id

    # --- one participant, one package

    def _found(self, names: Sequence[str]) -> Iterator[tuple[str, Sequence[StoredLine]]]:
        return self.reading.some([stream_name(f.PARTICIPANT, name) for name in names])

    def _write(
        self, found: Iterable[tuple[str, Sequence[StoredLine]]], met: Keys | None = None
    ) -> list[OwnRows]:
        programme, own, around = self.ledger.programme, self._programme_stream, self._around
        rows = [
            rows_of(self._folded(name, lines), self._view, programme, own, around, self)
            for name, lines in found
        ]
        self._replace(rows, met)
        self.written += len(rows)
        self.watcher(len(rows))
        return rows

    def _replace(self, rows: Sequence[OwnRows], met: Keys | None = None) -> None:
        for use, keys in self.change.replace(self.slot, rows).items():
            if met is not None:
                met[use] |= keys

    def _folded(self, name: str, lines: Sequence[StoredLine]) -> Participant:
        participant = Participant(name.removeprefix(PARTICIPANT_PREFIX))
        self._streams.fill(participant, lines)
        return participant

    def get(self, id: str) -> PackageInView | None:
        """The package of that id, read when it is first asked for; None where no offer is in view."""
        if id not in self._offers:
            package = self._streams.packages.get(id)
            seen = look_at_packages([] if package is None else [package], self._view)
            self._offers[id] = seen.get(id)
        return self._offers[id]

    def _package(self, id: str) -> OwnRows:
        return package_rows(id, self.get(id))

    # --- what comes of several

    def _of_shared(self, use: Use, keys: Sequence[str] | None) -> Iterator[Row]:
        """The findings of accounts, or of certificates, that several use."""
        shared = self.change.shared(self.slot, use, keys)
        several = {key for key, _ in shared}
        users: dict[Shareable, dict[User, Event]] = defaultdict(dict)
        for names in _chunks(sorted({who for _, who in shared})):
            for name, lines in self._found(names):
                seen = look(self._folded(name, lines), self._view)
                assert seen is not None, "who uses something has a statement"
                dossier = open_dossier(seen, self._view, self.ledger.programme)
                for (thing, user), event in uses_of(dossier).items():
                    if thing.kind.value == use.value and key_of(*thing.key) in several:
                        users[thing][user] = event
        for thing, theirs in users.items():
            yield from finding_rows(
                origin_of(use, key_of(*thing.key)), used_by_several(thing, theirs)
            )

    def _of_unevaluated(self, keys: Sequence[str] | None) -> Iterator[Row]:
        """The findings of courses on offer that nobody lets one judge."""
        offering: dict[str, list[PackageInView]] = defaultdict(list)
        for key, id in self.change.unevaluated(self.slot, keys):
            package = self.get(id)
            assert package is not None, "it offers a course"
            offering[key].append(package)
        for key, packages in offering.items():
            courses = (one.course for one in packages[0].fact.courses)
            course = next(name for name in courses if key_of(name) == key)
            yield from finding_rows(
                origin_of(Use.OFFERED, key), [course_not_evaluable(course, packages)]
            )


def _chunks(names: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(names), A_CHUNK):
        yield names[start : start + A_CHUNK]
