"""Makes the rows of participants and packages from their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import define, field

from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant, ProgrammeStream
from prakerja_ledger.ledger.journal import (
    PARTICIPANT_PREFIX,
    StoredLine,
)
from prakerja_ledger.ledger.streams import JournalStreams
from prakerja_ledger.projecting.rows import OwnRows, package_rows, rows_of
from prakerja_ledger.reading.case import PackageInView, look_at_packages
from prakerja_ledger.reading.dossier import (
    Dossier,
    ProgrammeInView,
    look_at_programme,
    open_dossier,
)
from prakerja_ledger.reading.view import View, look

Found = tuple[str, Sequence[StoredLine]]
"""A participant's stream by its name, and its lines."""


@define(eq=False)
class Maker:
    """Makes rows as of one day; looks at the programme and at each package once."""

    streams: JournalStreams
    programme: Programme
    view: View
    _programme_stream: ProgrammeStream = field(init=False)
    _around: ProgrammeInView = field(init=False)
    _offers: dict[str, PackageInView | None] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        """Look at the programme's own facts, once for everybody."""
        self._programme_stream = self.streams.programme_stream()
        self._around = look_at_programme(self._programme_stream, self.view)

    def rows(self, found: Iterable[Found]) -> list[OwnRows]:
        """The rows of participants."""
        own, around = self._programme_stream, self._around
        return [
            rows_of(self._folded(*one), self.view, self.programme, own, around, self)
            for one in found
        ]

    def dossiers(self, found: Iterable[Found]) -> Iterator[Dossier]:
        """What the rules look at, of participants who have a statement."""
        for one in found:
            seen = look(self._folded(*one), self.view)
            if seen is not None:
                yield open_dossier(seen, self.view, self.programme)

    def package(self, id: str) -> OwnRows:
        """The rows of a package."""
        return package_rows(id, self.get(id))

    def get(self, id: str) -> PackageInView | None:
        """The package of that id, read when it is first asked for; None where no offer is in view."""
        if id not in self._offers:
            package = self.streams.packages.get(id)
            seen = look_at_packages([] if package is None else [package], self.view)
            self._offers[id] = seen.get(id)
        return self._offers[id]

    def _folded(self, name: str, lines: Sequence[StoredLine]) -> Participant:
        participant = Participant(name.removeprefix(PARTICIPANT_PREFIX))
        self.streams.fill(participant, lines)
        return participant
