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
from prakerja_ledger.ledger.journal import PARTICIPANT_PREFIX, Looking, stream_name
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.projecting.maker import Found, Maker
from prakerja_ledger.projecting.rows import (
    OwnRows,
    Row,
    Use,
    finding_rows,
    key_of,
    origin_of,
)
from prakerja_ledger.projecting.tables import Change, Keys, Slot
from prakerja_ledger.reading.across import (
    Shareable,
    User,
    course_not_evaluable,
    used_by_several,
    uses_of,
)
from prakerja_ledger.reading.case import PackageInView
from prakerja_ledger.reading.turning import learned
from prakerja_ledger.reading.view import View

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
    _maker: Maker = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Look at the programme's own facts, once for everybody."""
        streams = self.ledger.streams(self.reading)
        self._maker = Maker(streams, self.ledger.programme, View(as_of=self.day))

    def build(self, rows: Sequence[OwnRows], last: str | None) -> None:
        """The next rows of a build, up to a participant; after the last what comes of several."""
        self._replace(rows)
        self.change.reach(self.slot, last)
        if last is None:
            self._conclude()

    def _conclude(self) -> None:
        """Everybody is written: then the packages, and what comes of several together."""
        for package in self._maker.streams.packages:
            self._replace([self._maker.package(package.id)])
        for use in _SHAREABLE:
            self.change.replace_findings(self.slot, (), list(self._of_shared(use, None)))
        self.change.replace_findings(self.slot, (), list(self._of_unevaluated(None)))

    def bring(self, people: Iterable[str], packages: Iterable[str]) -> None:
        """These participants and packages, and all findings that rest on them."""
        met: Keys = defaultdict(set)
        offered = sorted(packages)
        for chunk in _chunks(offered):
            self._replace([self._maker.package(id) for id in chunk], met)
        keys = [key_of(id) for id in offered]
        buyers = (self.change.users(self.slot, Use.BOUGHT, chunk) for chunk in _chunks(keys))
        concerned = {*people, *(who for found in buyers for _, who in found)}
        for names in _chunks(sorted(concerned)):
            self._replace(self._maker.rows(self._found(names)), met)
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
        for package in self._maker.streams.packages:
            if any(True for _ in learned(package, then)):
                yield package.id

    def _found(self, names: Sequence[str]) -> Iterator[Found]:
        return self.reading.some([stream_name(f.PARTICIPANT, name) for name in names])

    def _replace(self, rows: Sequence[OwnRows], met: Keys | None = None) -> None:
        for use, keys in self.change.replace(self.slot, rows).items():
            if met is not None:
                met[use] |= keys
        people = sum(one.lines is not None for one in rows)
        self.written += people
        if people:
            self.watcher(people)

    # --- what comes of several

    def _of_shared(self, use: Use, keys: Sequence[str] | None) -> Iterator[Row]:
        """The findings of accounts, or of certificates, that several use."""
        shared = self.change.shared(self.slot, use, keys)
        several = {key for key, _ in shared}
        users: dict[Shareable, dict[User, Event]] = defaultdict(dict)
        for names in _chunks(sorted({who for _, who in shared})):
            for dossier in self._maker.dossiers(self._found(names)):
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
            package = self._maker.get(id)
            assert package is not None, "it offers a course"
            offering[key].append(package)
        for key, packages in offering.items():
            courses = (one.course for one in packages[0].fact.courses)
            course = next(name for name in courses if key_of(name) == key)
            yield from finding_rows(
                origin_of(Use.OFFERED, key), [course_not_evaluable(course, packages)]
            )


def next_people(reading: Looking, after: str) -> tuple[list[Found], str | None]:
    """The next participants' streams in the order of ids; the last id, None where none follow."""
    name = stream_name(f.PARTICIPANT, after) if after else ""
    found: list[Found] = list(islice(reading.streams(PARTICIPANT_PREFIX, name), A_CHUNK))
    more = len(found) == A_CHUNK
    return found, found[-1][0].removeprefix(PARTICIPANT_PREFIX) if more else None


def _chunks(names: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(names), A_CHUNK):
        yield names[start : start + A_CHUNK]
