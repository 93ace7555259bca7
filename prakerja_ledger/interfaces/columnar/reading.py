"""A Parquet history as a source: its rows in the order of recording, judged, or of a few subjects."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
from attrs import define, evolve, field
from pyarrow import compute as pc

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT, Event
from prakerja_ledger.domain.register import Participants, ParticipantsInMemory
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.evidence.arrow import SCHEMA
from prakerja_ledger.evidence.columns import LINE
from prakerja_ledger.evidence.fingerprint import of_programme
from prakerja_ledger.evidence.wire import is_blank
from prakerja_ledger.interfaces.columnar.files import Part, Span, explained, open_parts
from prakerja_ledger.interfaces.columnar.judging import Aside, AsideByNumber, Judge, Row, Shared
from prakerja_ledger.interfaces.columnar.ordering import Sorter, plain
from prakerja_ledger.interfaces.columnar.positions import Positions, Unsorted, check_rising
from prakerja_ledger.interfaces.columnar.rows import Rows, decode
from prakerja_ledger.interfaces.columnar.shares import Outcomes, Share, Take, judge_share, shares
from prakerja_ledger.interfaces.columnar.sniffing import parts_of
from prakerja_ledger.interfaces.columnar.subjects import (
    Tick,
    as_they_stand,
    filled,
    groups,
    identities,
    names_with_ids,
    no_tick,
    rows_of,
    runs,
    subjects_apart,
    subjects_sharing,
)
from prakerja_ledger.interfaces.columnar.values import flat, listed
from prakerja_ledger.interfaces.columnar.wanted import Wanted

ALL: Final = Wanted()
NOBODY: Final = ""
"""The subject of a line that holds no event; its source, its id and its kind too."""
_AT_ONCE: Final = 1 << 14


class _Sharing(Exception):
    """Two subjects share an identity; carries the hashes of such identities."""

    def __init__(self, hashes: set[int]) -> None:
        self.hashes = hashes
        super().__init__()


@define(eq=False)
class ColumnarHistory:
    """An open Parquet history; a context manager. Reading it raises UnreadableSource."""

    name: str
    programme: Programme
    parts: list[Part] = field(init=False, factory=list)
    _closing: ExitStack = field(init=False, factory=ExitStack)

    def __enter__(self) -> Self:
        self.parts = open_parts(parts_of(self.name))
        for part in self.parts:
            self._closing.callback(part.close)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    # --- in the order of recording ----------------------------------------------------------------

    def in_order(self, wanted: Wanted = ALL, tick: Tick = no_tick) -> Iterator[Rows]:
        """The rows that are wanted, blank lines too, in the order of recording.

        `tick` is called while rows are put into order, with the number of those looked at.
        """
        with explained(self.name):
            last = 0
            for table in self._by_position(wanted, tick):
                for start in range(0, table.num_rows, _AT_ONCE):
                    rows = decode(table.slice(start, _AT_ONCE), self.programme)
                    last = check_rising(rows.numbers, last)
                    yield rows

    def rows(self, wanted: Wanted = ALL, tick: Tick = no_tick) -> Iterator[Row]:
        """The rows that are wanted and no blank lines, in the order of recording."""
        for rows in self.in_order(wanted, tick):
            yield from filled(rows, 0, len(rows.numbers))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Every line and its number, blank ones too, in the order of recording."""
        for rows in self.in_order():
            for place, number in enumerate(rows.numbers):
                yield number, rows.line(place)

    def _by_position(self, wanted: Wanted, tick: Tick) -> Iterator[Any]:
        if _rise([span for part in self.parts for span in part.spans("position")]):
            for part, group in groups(self.parts):
                table = pa.concat_tables(
                    plain(_those(wanted, one), SCHEMA) for one in part.read(group)
                )
                yield table.take(pc.sort_indices(table, sort_keys=[("position", "ascending")]))
            return
        sorter = Sorter(["position"])
        self._closing.callback(sorter.close)
        count = 0
        for part, group in groups(self.parts):
            for table in part.read(group):
                sorter.add(plain(_those(wanted, table), SCHEMA))
                count += table.num_rows
                tick(count)
        yield from sorter.tables()

    # --- judged, participant by participant -------------------------------------------------------

    def judged(
        self, participants: Callable[[], Participants] | None = None, tick: Tick = no_tick
    ) -> Judge | None:
        """Everything judged, participant by participant; None where the rows do not stand so.

        `participants` makes what keeps them; without it nobody is kept, and only outcomes count.
        """
        with explained(self.name):
            known = self.sharing
            try:
                return self._judged(participants, tick, known or frozenset(), look=known is None)
            except Unsorted:
                return None
            except _Sharing as found:
                sharing = subjects_sharing(self.parts, found.hashes)
            return self._judged(participants, tick, sharing, look=False)

    @property
    def size(self) -> int:
        """How many rows there are."""
        return sum(part.rows for part in self.parts)

    @property
    def sharing(self) -> frozenset[str] | None:
        """The subjects that share identities, if a note says so; several files have several notes."""
        notes = [part.note for part in self.parts]
        return notes[0].sharing if len(notes) == 1 and notes[0] is not None else None

    @property
    def is_judged(self) -> bool:
        """Whether the writer judged every row by this programme, and so all are recorded.

        Of several files each was judged without the others.
        """
        notes = [part.note for part in self.parts]
        mine = of_programme(self.programme)
        return len(notes) == 1 and notes[0] is not None and notes[0].judged_by == mine

    def _judged(
        self,
        participants: Callable[[], Participants] | None,
        tick: Tick,
        sharing: frozenset[str],
        *,
        look: bool,
    ) -> Judge:
        """One pass; `look` finds positions that stand there twice, and identities that are shared."""
        judge, apart, together = self.begun(sharing, participants and participants())
        shared = Shared() if look else None
        if shared is not None:
            shared.add(identities(together))
        positions = Positions(self.size) if look else None
        for subject, rows in runs(as_they_stand(self.parts), self.programme, positions, tick):
            if subject not in apart:
                judge.judge_alone(subject, rows, shared)
        if shared is not None and (hashes := shared.found()):
            raise _Sharing(hashes)
        return judge

    def begun(
        self, sharing: Collection[str], kept: Participants | None, apart: Collection[str] = ()
    ) -> tuple[Judge, frozenset[str], list[Row]]:
        """A judge who has judged what cannot be judged alone; the subjects of that, and its rows.

        `apart` are those subjects, where they are known already.
        """
        found = frozenset(apart) or subjects_apart(self.parts).union(sharing)
        judge = Judge(self.programme, kept)
        self._closing.callback(judge.aside.close)
        together = rows_of(self.parts, found, self.programme)
        judge.judge_apart(together)
        return judge, found, together

    # --- some after others --------------------------------------------------------------------------

    def shares(self) -> list[Share] | None:
        """Shares that can be judged one without the other; None where nothing vouches for that."""
        with explained(self.name):
            return None if self.sharing is None else shares(self.parts[0])

    def judge_share(
        self, judge: Judge, share: Share, apart: frozenset[str], take: Take
    ) -> Outcomes:
        """Judge one; see `shares.judge_share`."""
        with explained(self.name):
            return judge_share(judge, self.parts[0], share, self.programme, apart, take)

    # --- a few subjects ---------------------------------------------------------------------------

    def only(self, participants: Iterable[str]) -> Judge | None:
        """A few participants judged, with all that they depend on, and hardly anything else read.

        Lines that hold no event, and so may be anybody's, are counted too. None where an identity is
        shared with somebody else: then everything has to be judged.
        """
        with explained(self.name):
            rows = self._with_their_packages({*participants, PROGRAMME_SUBJECT, NOBODY})
            if self._share(rows):
                return None
            judge = Judge(self.programme, ParticipantsInMemory())
            self._closing.callback(judge.aside.close)
            together = sorted((row for run in rows.values() for row in run), key=_number)
            check_rising([row.number for row in together], 0)
            judge.judge_apart(together)
            return judge

    def _with_their_packages(self, subjects: set[str]) -> dict[str, list[Row]]:
        """The rows of subjects, and of the packages that their purchases name."""
        found: dict[str, list[Row]] = {}
        while subjects:
            found.update({subject: [] for subject in subjects})
            rows = rows_of(self.parts, subjects, self.programme)
            subjects = set()
            for row in rows:
                found[row.rows.subjects[row.place]].append(row)
                fact = row.event.fact if type(row.event) is Event else None
                if type(fact) is f.TrainingPurchased and fact.package is not None:
                    subjects.add(fact.package)
            subjects -= found.keys()
        return found

    def _share(self, rows: dict[str, list[Row]]) -> bool:
        """Whether these subjects share an identity with any other one."""
        known = self.sharing
        if known is not None:
            return not known.isdisjoint(rows)
        names = identities(row for run in rows.values() for row in run)
        ids = sorted({id for _, id in names})
        return any(
            name in names and subject not in rows
            for part, group in groups(self.parts)
            for name, subject in names_with_ids(part, group, ids)
        )

    # --- as a file of lines would number them -----------------------------------------------------

    def as_lines(self, aside: AsideByNumber) -> Iterator[Aside]:
        """Outcomes with the positions that a file of lines gives: it does not count blank ones."""
        named = sorted({number for one in aside if (number := _named(one.outcome)) is not None})
        counts = self._filled_up_to(named) if named else {}
        for one in aside:
            number = _named(one.outcome)
            if number is None:
                yield one
            else:
                assert isinstance(one.outcome, Refusal), "only refusals name positions"
                fields = {**one.outcome.fields, "position": counts[number]}
                yield one._replace(outcome=evolve(one.outcome, fields=fields))

    def _filled_up_to(self, numbers: Sequence[int]) -> dict[int, int]:
        """How many lines that are not blank stand up to each of these numbers, which are in order."""
        counts = [0] * (len(numbers) + 1)
        for part, group in groups(self.parts):
            for table in part.read(group, ["position", LINE.name]):
                columns = flat(table)
                lines = columns[LINE.name]
                blank = set()
                if lines.null_count < len(lines):
                    blank = {
                        place
                        for place, line in enumerate(listed(lines))
                        if line is not None and is_blank(line.encode())
                    }
                for place, number in enumerate(listed(columns["position"])):
                    if place not in blank:
                        counts[bisect_left(numbers, number)] += 1
        total, found = 0, {}
        for number, count in zip(numbers, counts, strict=False):
            total += count
            found[number] = total
        return found


def _those(wanted: Wanted, table: Any) -> Any:
    """The rows of a table that are wanted."""
    if wanted == ALL:
        return table
    position = table.column("position").cast(pa.int64())
    mask = pc.greater(position, wanted.behind)
    if wanted.upto is not None:
        mask = pc.and_(mask, pc.less_equal(position, wanted.upto))
    if wanted.only is not None:
        some = pa.array(sorted(wanted.only), pa.int64())
        mask = pc.and_(mask, pc.is_in(position, value_set=some))
    return table.filter(mask)


def _number(row: Row) -> int:
    return row.number


def _named(outcome: Any) -> int | None:
    """The position that a refusal names, if it names one."""
    return outcome.fields.get("position") if isinstance(outcome, Refusal) else None


def _rise(spans: list[Span]) -> bool:
    """Whether each row group holds what comes after the one before it."""
    return all(
        one is not None and other is not None and one[1] < other[0]
        for one, other in pairwise(spans)
    )
