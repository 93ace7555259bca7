"""Judging a history participant by participant, with the outcome of judging it line by line.

Rows sorted by participant need no look at any other participant but for three things. *Packages*:
whether one was offered before a position; packages are judged first, and when each was offered is
remembered. *Subjects that are more than participants* (a package or the programme of the same
name): they are judged with the packages, in the order of recording. *Identities*: one that two
subjects share is taken by whoever is recorded first; such subjects are judged together with the
packages too. Everybody else is judged alone, and identities need no memory beyond the participant.
"""

from __future__ import annotations

import pickle
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import IO, Any, Final, NamedTuple

import pyarrow as pa
from attrs import define, field
from pyarrow import compute as pc

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.register import (
    OWN,
    Identities,
    IdentitiesInMemory,
    Outcome,
    Packages,
    Participants,
    ParticipantsInMemory,
    Recorded,
    Register,
)
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Package, Participant
from prakerja_ledger.evidence.json_line import LONGEST_LINE
from prakerja_ledger.interfaces.columnar.rows import Rows
from prakerja_ledger.interfaces.mentions import speaks_of_money

_MOST_AT_HAND: Final = 50_000


class Row(NamedTuple):
    """A row that is no blank line: its number, its event or refusal, and where its line is."""

    number: int
    event: Event | Refusal
    rows: Rows
    place: int

    def line(self) -> bytes:
        """The line that it stands for."""
        return self.rows.line(self.place)


class Run:
    """The rows of one subject that are no blank lines, in the order of recording."""

    __slots__ = ("_stretches", "ids", "is_plain", "outcomes")

    def __init__(self) -> None:
        self.outcomes: list[Event | Refusal] = []
        self.ids: list[str] = []
        """Of all rows, blank lines too."""
        self.is_plain: bool = True
        """Whether all of them are of plain rows (`Rows.are_plain`)."""
        self._stretches: list[tuple[Rows, int, int, int]] = []

    def add(self, rows: Rows, start: int, end: int) -> None:
        """Go on with a stretch of some rows."""
        found = rows.outcomes[start:end]
        self.ids += rows.ids[start:end]
        if rows.are_plain:
            self._add(rows, start, end, found)
            return
        self.is_plain = False
        if None in found:
            for place in range(start, end):
                if rows.outcomes[place] is not None:
                    self._add(rows, place, place + 1, rows.outcomes[place : place + 1])
        else:
            self._add(rows, start, end, found)

    def _add(self, rows: Rows, start: int, end: int, found: list[Any]) -> None:
        self._stretches.append((rows, start, end, len(self.outcomes)))
        self.outcomes += found

    def rows(self) -> list[Row]:
        """One by one."""
        return [
            Row(rows.numbers[place], rows.outcomes[place], rows, place)  # type: ignore[arg-type]
            for rows, start, end, _ in self._stretches
            for place in range(start, end)
        ]

    def row(self, index: int) -> Row:
        """One of them."""
        return self.rows()[index]


class Aside(NamedTuple):
    """A line that was not recorded: its number, what became of it, and whether it speaks of money."""

    number: int
    outcome: Outcome
    money: bool


class AsideByNumber:
    """Lines that were not recorded, given out by number; on disk where they are many."""

    def __init__(self, most: int = _MOST_AT_HAND) -> None:
        self._most = most
        self._at_hand: list[Aside] = []
        self._runs: list[int] = []
        self._file: IO[bytes] | None = None

    def close(self) -> None:
        """Give back what stands on disk."""
        if self._file is not None:
            self._file.close()

    def add(self, one: Aside) -> None:
        """Remember one."""
        self._at_hand.append(one)
        if len(self._at_hand) >= self._most:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close
        self._runs.append(self._file.seek(0, 2))
        for one in sorted(self._at_hand, key=itemgetter(0)):
            pickle.dump(tuple(one), self._file, pickle.HIGHEST_PROTOCOL)
        pickle.dump(None, self._file)
        self._at_hand.clear()

    def __iter__(self) -> Iterator[Aside]:
        last = iter(sorted(self._at_hand, key=itemgetter(0)))
        return merge(last, *(self._run(at) for at in self._runs), key=itemgetter(0))

    def _run(self, at: int) -> Iterator[Aside]:
        assert self._file is not None, "a run that was never written"
        while True:
            self._file.seek(at)
            found = pickle.load(self._file)  # noqa: S301  # our own unnamed file
            if found is None:
                return
            at = self._file.tell()
            yield Aside(*found)


class Offers:
    """The packages as one participant's judge sees them: offered before the event at hand, or not."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages
        self._offered = {package.id: package.events[0].position for package in packages}
        self.now = 0

    def get(self, id: str) -> Package | None:
        """The package of that id."""
        return self._packages.get(id)

    def add(self, package: Package) -> None:
        """Packages are judged before participants."""
        raise AssertionError(f"package {package.id} is judged too late")

    def __contains__(self, id: object) -> bool:
        offered = self._offered.get(id)  # type: ignore[call-overload]  # any object may be asked for
        return offered is not None and offered < self.now

    def __iter__(self) -> Iterator[Package]:
        return iter(self._packages)


class _NobodyElse:
    """Identities where each stands once: nothing to remember, and nothing to be found."""

    def find(self, source: str, id: str) -> int | None:  # noqa: ARG002  # a port's signature
        return None

    def claim(self, source: str, id: str, position: int) -> int:  # noqa: ARG002
        return position

    def release(self, source: str, id: str) -> None:
        pass


class One(dict[str, Participant]):
    """The one participant at hand: a check keeps nobody."""

    def add(self, participant: Participant) -> None:
        """Take the place of the one before."""
        self.clear()
        self[participant.id] = participant

    def __iter__(self) -> Iterator[Participant]:  # type: ignore[override]  # a port, not a mapping
        return iter(self.values())


class Shared:
    """Whether two subjects share an identity: hashes of all, each subject's own said once.

    Hashes alone, by the top bits in so many piles: sorting a pile shows what stands there twice. Equal
    hashes of different identities only make two subjects be judged together that need not be.
    """

    _PILES: Final = 64
    _AT_HAND: Final = 1 << 20

    def __init__(self) -> None:
        self._new = array("q")
        self._piles: list[list[Any]] = [[] for _ in range(self._PILES)]

    def add(self, identities: Iterable[tuple[str, str]]) -> None:
        """The identities of one subject."""
        self._new.extend(map(hash, identities))
        if len(self._new) >= self._AT_HAND:
            self._spread()

    def _spread(self) -> None:
        hashes = pa.array(self._new, pa.int64())
        low = pc.bit_wise_and(hashes, self._PILES - 1)
        for number in range(self._PILES):
            self._piles[number].append(hashes.filter(pc.equal(low, number)))
        del self._new[:]

    def found(self) -> set[int]:
        """Hashes that two subjects have."""
        self._spread()
        found: set[int] = set()
        for pile in self._piles:
            together = pa.concat_arrays(pile)
            inorder = together.take(pc.array_sort_indices(together))
            twice = pc.equal(inorder.slice(1), inorder.slice(0, max(0, len(inorder) - 1)))
            if pc.any(twice).as_py():
                found.update(inorder.slice(1).filter(twice).to_pylist())
        return found


@define(eq=False)
class Judge:
    """Judges rows: those apart together first, then each participant alone."""

    programme: Programme
    kept: Participants | None
    """Where participants are kept; None where nobody asks for them afterwards."""
    apart: Register = field(init=False)
    recorded: int = 0
    aside: AsideByNumber = field(factory=AsideByNumber)
    _alone: Register = field(init=False)
    _offers: Offers = field(init=False)
    _nobody: Identities = field(init=False, factory=_NobodyElse)

    def __attrs_post_init__(self) -> None:
        participants = ParticipantsInMemory() if self.kept is None else self.kept
        self.apart = Register(self.programme, participants=participants)

    def judge_apart(self, rows: Iterable[Row]) -> None:
        """Judge, in the order of recording, whatever cannot be judged alone. To be called first."""
        for row in rows:
            self._judge(self.apart, row)
        self._offers = Offers(self.apart.packages)
        participants = One() if self.kept is None else self.kept
        self._alone = Register(self.programme, participants=participants, packages=self._offers)

    def judge_alone(self, subject: str, run: Run, shared: Shared | None) -> None:
        """Judge all rows of one subject, which are in the order of recording."""
        outcomes: list[Any] = run.outcomes
        if shared is None and run.is_plain and len(set(run.ids)) == len(run.ids):
            self._alone.identities = self._nobody
            self._record_own(subject, outcomes, run)
            return
        events = [one for one in outcomes if type(one) is Event]
        identities = set(map(_identity, events))
        if shared is not None:
            shared.add(identities)
        once = len(identities) == len(events) and f.EventVoided not in map(_kind, events)
        self._alone.identities = self._nobody if once else IdentitiesInMemory()
        if once and len(events) == len(outcomes):
            self._record_own(subject, events, run)
            return
        for row in run.rows():
            self._offers.now = row.number
            self._judge(self._alone, row)

    def _record_own(self, subject: str, events: Iterable[Event], run: Run) -> None:
        """Judge the events of a subject in whose rows nothing is amiss and no identity stands twice."""
        register, offers = self._alone, self._offers
        record, own = register.record_own, OWN
        participant: Participant | None = None
        refused = 0
        for place, event in enumerate(events):
            offers.now = event[6]
            outcome: Outcome | None
            if participant is not None and type(event[3]) in own:
                outcome = record(participant, event)
            else:
                outcome = register.record(event)
                participant = register.participants.get(subject)
            if outcome is not None and type(outcome) is not Recorded:
                self._put_aside(run.row(place), outcome)
                refused += 1
        self.recorded += len(run.outcomes) - refused

    def alone(self, subject: str) -> Participant | None:
        """The participant of a subject just judged alone, where an enrolment is recorded."""
        return self._alone.participants.get(subject)

    def _judge(self, register: Register, row: Row) -> None:
        event = row[1]
        outcome: Outcome = event if type(event) is Refusal else register.record(event)  # type: ignore[arg-type]
        if type(outcome) is Recorded:
            self.recorded += 1
        else:
            self._put_aside(row, outcome)

    def _put_aside(self, row: Row, outcome: Outcome) -> None:
        refused = isinstance(outcome, Refusal)
        money = refused and speaks_of_money(row.line()[: LONGEST_LINE + 1])
        self.aside.add(Aside(row[0], outcome, money))


_identity = itemgetter(0, 1)


def _kind(event: Event) -> type[f.Fact]:
    return type(event[3])
