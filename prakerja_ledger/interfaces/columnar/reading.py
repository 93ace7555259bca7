"""A Parquet history as a source: its rows in the order of recording, judged, or of a few subjects."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise, repeat
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
from prakerja_ledger.evidence.wire import is_blank
from prakerja_ledger.interfaces.columnar.files import Part, Span, explained, open_parts
from prakerja_ledger.interfaces.columnar.judging import Aside, AsideByNumber, Judge, Row, Shared
from prakerja_ledger.interfaces.columnar.ordering import Sorter, plain
from prakerja_ledger.interfaces.columnar.rows import APART, BadRows, Rows, decode, flat, listed
from prakerja_ledger.interfaces.columnar.sniffing import parts_of

Tick = Callable[[int], None]
Found = tuple[str, list[Row]]
"""A subject and its rows, in the order of recording."""
NOBODY: Final = ""
"""The subject of a line that holds no event; its source, its id and its kind too."""
_AT_ONCE: Final = 1 << 14
_SPARSE: Final = 1 << 22


def no_tick(_: int) -> None:
    """Nobody watches."""


class _Unsorted(Exception):
    """The rows do not stand by subject."""


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
    _parts: list[Part] = field(init=False, factory=list)
    _closing: ExitStack = field(init=False, factory=ExitStack)

    def __enter__(self) -> Self:
        self._parts = open_parts(parts_of(self.name))
        for part in self._parts:
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

    def in_order(self) -> Iterator[Rows]:
        """All rows, blank lines too, in the order of recording."""
        with explained(self.name):
            last = 0
            for table in self._by_position():
                for start in range(0, table.num_rows, _AT_ONCE):
                    rows = decode(table.slice(start, _AT_ONCE), self.programme)
                    last = _check_rising(rows.numbers, last)
                    yield rows

    def rows(self) -> Iterator[Row]:
        """Rows that are no blank lines, in the order of recording."""
        for rows in self.in_order():
            yield from filled(rows, 0, len(rows.numbers))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Every line and its number, blank ones too, in the order of recording."""
        for rows in self.in_order():
            for place, number in enumerate(rows.numbers):
                yield number, rows.line(place)

    def _by_position(self) -> Iterator[Any]:
        if _rise([span for part in self._parts for span in part.spans("position")]):
            for part, group in self._groups():
                table = pa.concat_tables(plain(one, SCHEMA) for one in part.read(group))
                yield table.take(pc.sort_indices(table, sort_keys=[("position", "ascending")]))
            return
        sorter = Sorter(["position"])
        self._closing.callback(sorter.close)
        for part, group in self._groups():
            for table in part.read(group):
                sorter.add(plain(table, SCHEMA))
        yield from sorter.tables()

    def _groups(self) -> Iterator[tuple[Part, int]]:
        """Every row group that has rows."""
        return (
            (part, group)
            for part in self._parts
            for group in range(part.groups)
            if part.parquet.metadata.row_group(group).num_rows
        )

    # --- judged, participant by participant -------------------------------------------------------

    def judged(
        self, participants: Callable[[], Participants] | None = None, tick: Tick = no_tick
    ) -> Judge | None:
        """Everything judged, participant by participant; None where the rows do not stand so.

        `participants` makes what keeps them; without it nobody is kept, and only outcomes count.
        """
        with explained(self.name):
            known = self._known_sharing()
            try:
                return self._judged(participants, tick, known or frozenset(), look=known is None)
            except _Unsorted:
                return None
            except _Sharing as found:
                sharing = subjects_sharing(self._parts, found.hashes)
            return self._judged(participants, tick, sharing, look=False)

    def _known_sharing(self) -> frozenset[str] | None:
        """The subjects that share identities, if a note says so; several files have several notes."""
        notes = [part.note for part in self._parts]
        return notes[0].sharing if len(notes) == 1 and notes[0] is not None else None

    def _judged(
        self,
        participants: Callable[[], Participants] | None,
        tick: Tick,
        sharing: frozenset[str],
        *,
        look: bool,
    ) -> Judge:
        """One pass; `look` finds positions that stand there twice, and identities that are shared."""
        apart = self._subjects_apart() | sharing
        judge = Judge(self.programme, participants and participants())
        self._closing.callback(judge.aside.close)
        together = list(self._rows_of(apart))
        judge.judge_apart(together)
        shared = Shared() if look else None
        if shared is not None:
            shared.add(_identities(together))
        for subject, rows in self._runs(_Positions(self._size) if look else None, tick):
            if subject not in apart:
                judge.judge_alone(rows, shared)
        if shared is not None and (hashes := shared.found()):
            raise _Sharing(hashes)
        return judge

    @property
    def _size(self) -> int:
        return sum(part.rows for part in self._parts)

    def _runs(self, positions: _Positions | None, tick: Tick) -> Iterator[Found]:
        """The rows of one subject after another. Raises _Unsorted where they do not stand so."""
        subject, run, last, count = "", list[Row](), 0, 0
        for table in self._tables():
            rows = decode(table, self.programme)
            if positions is not None:
                positions.add(rows.numbers)
            for start, end in stretches(rows.subjects):
                given = rows.subjects[start]
                if given != subject:
                    yield subject, run
                    if given < subject:
                        raise _Unsorted
                    subject, run, last = given, [], 0
                last = _rising(rows.numbers[start:end], last)
                run += filled(rows, start, end)
            count += table.num_rows
            tick(count)
        yield subject, run

    def _tables(self) -> Iterator[Any]:
        """All rows as they stand, the files in the order of their first subjects."""
        for part in sorted(self._parts, key=_first_subject):
            for group in range(part.groups):
                yield from part.read(group)

    def _subjects_apart(self) -> frozenset[str]:
        """The programme, and every subject with a fact that is no participant's."""
        found = {PROGRAMME_SUBJECT}
        for part, group in self._groups():
            for table in part.read(group, ["kind", "subject"]):
                columns = flat(table)
                mask = _among(columns["kind"], APART)
                if mask is not None:
                    found.update(pc.unique(columns["subject"].filter(mask)).to_pylist())
        found.discard(None)  # said to be wrong when the rows themselves are read
        return frozenset(found)

    def _rows_of(self, subjects: Collection[str]) -> list[Row]:
        """The rows of some subjects that are no blank lines, in the order of recording."""
        wanted = sorted(subjects)
        tables: list[Any] = []
        for part in self._parts:
            for group, span in enumerate(part.spans("subject")):
                if _reaches(span, wanted):
                    tables += _only(part.read(group), "subject", wanted)
        if not tables:
            return []
        table = pa.concat_tables(plain(one, SCHEMA) for one in tables)
        table = table.take(pc.sort_indices(table, sort_keys=[("position", "ascending")]))
        rows = decode(table, self.programme)
        _check_rising(rows.numbers, 0)
        return filled(rows, 0, len(rows.numbers))

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
            _check_rising([row.number for row in together], 0)
            judge.judge_apart(together)
            return judge

    def _with_their_packages(self, subjects: set[str]) -> dict[str, list[Row]]:
        """The rows of subjects, and of the packages that their purchases name."""
        found: dict[str, list[Row]] = {}
        while subjects:
            found.update({subject: [] for subject in subjects})
            rows = self._rows_of(subjects)
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
        known = self._known_sharing()
        if known is not None:
            return not known.isdisjoint(rows)
        names = _identities(row for run in rows.values() for row in run)
        ids = sorted({id for _, id in names})
        for part, group in self._groups():
            for table in _only(part.read(group, ["source", "id", "subject"]), "id", ids):
                columns = [listed(flat(table)[name]) for name in ("source", "id", "subject")]
                for source, id, subject in zip(*columns, strict=True):
                    if (source, id) in names and subject not in rows:
                        return True
        return False

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
        for part, group in self._groups():
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


def subjects_sharing(parts: Iterable[Part], hashes: set[int]) -> frozenset[str]:
    """The subjects of identities with these hashes that more than one subject has."""
    subjects: dict[tuple[str, str], set[str]] = {}
    for part in parts:
        for group in range(part.groups):
            for table in part.read(group, ["source", "id", "subject"]):
                columns = flat(table)
                names = zip(listed(columns["source"]), listed(columns["id"]), strict=True)
                for name, subject in zip(names, listed(columns["subject"]), strict=True):
                    if hash(name) in hashes:
                        subjects.setdefault(name, set()).add(subject)
    return frozenset().union(*(found for found in subjects.values() if len(found) > 1))


class _Positions:
    """Positions met so far: raises BadRows for one that is met again."""

    def __init__(self, size: int) -> None:
        self._most = 4 * size + _SPARSE
        self._dense = bytearray()
        self._sparse: set[int] = set()

    def add(self, numbers: list[int]) -> None:
        """Meet some more."""
        top = max(numbers, default=0)
        if len(self._dense) <= top <= self._most:
            self._dense.extend(bytes(min(self._most, 2 * top) + 1 - len(self._dense)))
        dense, sparse = self._dense, self._sparse
        for number in numbers:
            if number < len(dense):
                if dense[number]:
                    raise _twice(number)
                dense[number] = 1
            elif number in sparse:
                raise _twice(number)
            else:
                sparse.add(number)


def _twice(number: int) -> BadRows:
    return BadRows(f"position {number} stands there twice")


def _check_rising(numbers: Iterable[int], last: int) -> int:
    """Positions in order, after those up to `last`. Raises BadRows where one stands there twice."""
    for number in numbers:
        if number <= last:
            raise _twice(number)
        last = number
    return last


def _rising(numbers: list[int], last: int) -> int:
    if numbers[0] <= last or any(one >= other for one, other in pairwise(numbers)):
        raise _Unsorted
    return numbers[-1]


def _number(row: Row) -> int:
    return row.number


def _named(outcome: Any) -> int | None:
    """The position that a refusal names, if it names one."""
    return outcome.fields.get("position") if isinstance(outcome, Refusal) else None


def filled(rows: Rows, start: int, end: int) -> list[Row]:
    """The rows of a stretch that are no blank lines."""
    found = zip(rows.numbers[start:end], rows.outcomes[start:end], repeat(rows), range(start, end))
    return [_new_tuple(Row, one) for one in found if one[1] is not None]


_new_tuple = tuple.__new__


def stretches(subjects: list[str]) -> Iterator[tuple[int, int]]:
    """Where the same subject stands in a row: from, and up to but not including."""
    start = 0
    for place, (one, other) in enumerate(pairwise(subjects), 1):
        if one is not other and one != other:
            yield start, place
            start = place
    if subjects:
        yield start, len(subjects)


def _identities(rows: Iterable[Row]) -> set[tuple[str, str]]:
    return {row.event.identity for row in rows if type(row.event) is Event}


def _rise(spans: list[Span]) -> bool:
    """Whether each row group holds what comes after the one before it."""
    return all(
        one is not None and other is not None and one[1] < other[0]
        for one, other in pairwise(spans)
    )


def _first_subject(part: Part) -> tuple[str, str]:
    spans = [span for span in part.spans("subject") if span is not None]
    return (min((str(span[0]) for span in spans), default=""), os.fspath(part.path))


def _reaches(span: Span, wanted: Sequence[str]) -> bool:
    """Whether a row group may hold one of these values, which are in order."""
    if span is None:
        return True
    place = bisect_left(wanted, span[0])
    return place < len(wanted) and wanted[place] <= span[1]


def _among(column: Any, wanted: Collection[str]) -> Any:
    """Which rows have one of these values; None where no row has."""
    values = pa.array(wanted, pa.string())
    if pa.types.is_dictionary(column.type):
        places = pc.indices_nonzero(pc.is_in(column.dictionary.cast(pa.string()), value_set=values))
        mask = pc.is_in(column.indices, value_set=places.cast(column.indices.type))
    else:
        mask = pc.is_in(column.cast(pa.string()), value_set=values)
    return mask if pc.any(mask).as_py() else None


def _only(tables: Iterable[Any], column: str, wanted: Collection[str]) -> Iterator[Any]:
    """The rows with one of these values in a column, where there are any."""
    for table in tables:
        mask = _among(flat(table)[column], wanted)
        if mask is not None:
            yield table.filter(mask)
