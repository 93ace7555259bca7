"""Rows of a Parquet history, decoded: what line each stands for, and the event on it.

One law, two speeds, as for lines of JSON (`evidence.wire`). Columns go to facts kind by kind, without
JSON between them; whatever a fact's constructor or a check here does not accept at once is written
out as its canonical line and read as that, so that it is refused with the code and the sentence of
the line. A row that keeps its own line is read from it, and its columns have to agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any, Final

import pyarrow as pa
from attrs import define
from pyarrow import compute as pc

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT, Event
from prakerja_ledger.domain.facts import FACTS, Fact
from prakerja_ledger.domain.fields import LARGEST_INTEGER
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.time import Instant, in_wib
from prakerja_ledger.evidence.columns import BY_NAME, DATA, ENVELOPE, FIELDS, LINE, LINE_BYTES, Kind
from prakerja_ledger.evidence.wire import canonical_line, is_blank, read_event
from prakerja_ledger.interfaces.columnar.making import facts
from prakerja_ledger.interfaces.columnar.values import (
    by_text,
    flat,
    ill_sized,
    instants,
    listed,
    to_microsecond,
    where,
    writable,
)

_MANY: Final = 300
"""Items of a list above which the line could be longer than a line may be: one has two texts of 200
characters at the most, of six bytes each where they are escaped."""
_new_tuple = tuple.__new__

_BY_SHORT: Final = {kind.kind: kind for kind in FACTS.values()}
APART: Final = tuple(
    kind.kind for kind in FACTS.values() if kind.stream in (f.PACKAGE, f.PROGRAMME)
)
"""Kinds of facts that are no participant's."""


class BadRows(ValueError):
    """Rows that no writer of a history leaves: a null, a position twice, a line that says other things."""


@define(eq=False)
class Rows:
    """Some rows, in the order they were given."""

    numbers: list[int]
    """Positions: line numbers."""
    ids: list[str]
    subjects: list[str]
    outcomes: list[Event | Refusal | None]
    """The event on the line, or why it is none; None for a blank line."""
    line: Callable[[int], bytes]
    """The line that a row stands for, by its place among these."""
    are_plain: bool
    """Whether each of them holds an event, and none of these voids another."""


def decode(table: Any, programme: Programme) -> Rows:
    """Read rows. Raises BadRows; and ValueError where a text is not UTF-8."""
    decoder = _Decoder(flat(table), table.num_rows, programme)
    outcomes = decoder.outcomes()
    return Rows(
        decoder.numbers,
        decoder.ids,
        decoder.subjects,
        outcomes,
        decoder.line,
        are_plain=not decoder.read_apart and f.EventVoided not in decoder.places,
    )


class _Decoder:
    """The columns of one batch, and what of them is a Python list already."""

    def __init__(self, columns: dict[str, Any], count: int, programme: Programme) -> None:
        self.columns = columns
        self.count = count
        self.programme = programme
        _check_envelope(columns)
        self.numbers: list[int] = listed(columns["position"])
        self.sources: list[str] = listed(columns["source"])
        self.ids: list[str] = listed(columns["id"])
        self.kinds: list[str] = listed(columns["kind"])
        self.subjects: list[str] = listed(columns["subject"])
        self.own_lines: dict[int, bytes] = dict(_own_lines(columns))
        self.occurred = instants(columns["time"])
        stamps = columns["recordedtime"]
        self.recorded: list[Instant | None] = (
            [None] * count if stamps.null_count == count else instants(stamps)
        )
        self.facts: list[Fact | None] = [None] * count
        self.places: dict[type[Fact], Any] = {}
        """Where the facts of each kind stand, as a column."""
        self.odd: set[int] = set()
        """Rows to be read as their lines are: something about them may be wrong."""
        self.strays: set[int] = set()
        """Those with a value in a column that their kind does not have."""

    @property
    def read_apart(self) -> set[int]:
        """Rows that are read from a line."""
        return self.odd | self.own_lines.keys()

    # --- the quick way ----------------------------------------------------------------------------

    def outcomes(self) -> list[Event | Refusal | None]:
        """The event on each row, or why it holds none."""
        self._make_facts()
        self._find_odd()
        recorded_at = [late or at for late, at in zip(self.recorded, self.occurred, strict=True)]
        values = zip(
            self.sources,
            self.ids,
            self.subjects,
            self.facts,
            self.occurred,
            recorded_at,
            self.numbers,
            strict=True,
        )
        found: list[Any] = list(map(_new_tuple, repeat(Event), values))
        for index in self.read_apart:
            found[index] = self._read(index)
        return found

    def _make_facts(self) -> None:
        valid = {column.name: self.count - self.columns[column.name].null_count for column in DATA}
        by_kind: list[Fact | None] = []
        order, stretches = by_text(self.columns["kind"])
        for name, start, end in stretches:
            kind = _BY_SHORT.get(name)
            if kind is None:
                by_kind += repeat(None, end - start)
                continue
            places = self.places[kind] = order.slice(start, end - start)
            taken = {}
            for field, column in FIELDS[kind]:
                values = self.columns[column].take(places)
                valid[column] -= len(values) - values.null_count
                taken[field] = values
            by_kind += facts(kind, taken, end - start)
        back = pc.array_sort_indices(order).to_pylist()
        self.facts = list(map(by_kind.__getitem__, back))
        if None in self.facts:
            self.odd.update(index for index, fact in enumerate(self.facts) if fact is None)
        if any(valid.values()):
            self._find_strays()

    def _find_strays(self) -> None:
        for column in DATA:
            values = self.columns[column.name]
            if values.null_count == self.count:
                continue
            for index in pc.indices_nonzero(pc.is_valid(values)).to_pylist():
                kind = _BY_SHORT.get(self.kinds[index])
                if kind is None or column.name not in _COLUMNS_OF[kind]:
                    self.strays.add(index)
        self.odd |= self.strays

    def _find_odd(self) -> None:
        odd = self.odd
        for name in ("source", "id", "subject"):
            column = self.columns[name]
            if pa.types.is_dictionary(column.type):
                if not where(ill_sized(column.dictionary)):
                    continue
                column = column.dictionary_decode()
            odd.update(where(ill_sized(column)))
        time, stamp = self.columns["time"], self.columns["recordedtime"]
        odd.update(where(pc.invert(writable(time))))
        if stamp.null_count < self.count:
            odd.update(where(pc.or_(pc.less(stamp, time), pc.invert(writable(stamp)))))
        for column in DATA:
            if column.kind in (Kind.TEXTS, Kind.COURSES):
                length = pc.list_value_length(self.columns[column.name])
                odd.update(where(pc.greater(length, _MANY)))
        for kind in _CHECKED & self.places.keys():
            places = self.places[kind].to_pylist()
            odd.update(index for index in places if not self._stands(kind, index))

    def _stands(self, kind: type[Fact], index: int) -> bool:
        """What the wire form checks beyond the fact itself."""
        fact: Any = self.facts[index]
        if kind.stream == f.PROGRAMME:
            return self.subjects[index] == PROGRAMME_SUBJECT
        return fact is not None and fact.scheme in self.programme.schemes

    # --- the slow way -----------------------------------------------------------------------------

    def _read(self, index: int) -> Event | Refusal | None:
        line = self.line(index)
        if index not in self.own_lines:
            return read_event(line, self.numbers[index], self.programme)
        if is_blank(line):
            return None
        found = read_event(line, self.numbers[index], self.programme)
        if isinstance(found, Event) and not self._agrees(index, found):
            raise BadRows(
                Phrase(
                    "the columns of position {position} do not say what its line says",
                    position=self.numbers[index],
                )
            )
        return found

    def _agrees(self, index: int, event: Event) -> bool:
        """Whether the columns beside an own line say the same, as far as a microsecond goes."""
        recorded_at = self.recorded[index]
        return (
            index not in self.strays
            and (self.sources[index], self.ids[index], self.subjects[index])
            == (event.source, event.id, event.subject)
            and self.facts[index] == event.fact
            and self.occurred[index] == to_microsecond(event.occurred_at)
            and (recorded_at or self.occurred[index]) == to_microsecond(event.recorded_at)
        )

    def line(self, index: int) -> bytes:
        """The line that a row stands for."""
        own = self.own_lines.get(index)
        if own is not None:
            return own
        fact = self.facts[index]
        data = self._data(index) if fact is None or index in self.odd else f.data_of(fact)
        return canonical_line(
            self.sources[index],
            self.ids[index],
            f.type_of(self.kinds[index]),
            self.subjects[index],
            self._time("time", self.occurred, index),
            None
            if not self.columns["recordedtime"][index].is_valid
            else self._time("recordedtime", self.recorded, index),
            data,
        )

    def _time(self, name: str, instants: Sequence[Instant | None], index: int) -> str:
        at = instants[index]
        if at is not None:
            return in_wib(at)
        return f"{self.columns[name][index].value} microseconds since 1970"

    def _data(self, index: int) -> dict[str, Any]:
        """All that a row says in its data columns: first the fields of its kind, then what is left."""
        kind = _BY_SHORT.get(self.kinds[index])
        fields = () if kind is None else FIELDS[kind]
        taken = {column for _, column in fields}
        pairs = [*fields, *((one.name, one.name) for one in DATA if one.name not in taken)]
        said = {name: self.columns[column][index].as_py() for name, column in pairs}
        return {
            name: value.isoformat() if BY_NAME.get(column) and _is_day(column) else value
            for (name, column), value in zip(pairs, said.values(), strict=True)
            if value is not None
        }


_COLUMNS_OF: Final = {
    kind: frozenset(column for _, column in pairs) for kind, pairs in FIELDS.items()
}
_CHECKED: Final = frozenset(
    kind for kind in FACTS.values() if kind.stream == f.PROGRAMME or "scheme" in f.FIELD_NAMES[kind]
)
_NOT_NULL: Final = tuple(column.name for column in ENVELOPE if not column.nullable)


def _is_day(column: str) -> bool:
    return BY_NAME[column].kind is Kind.DAY


def _check_envelope(columns: dict[str, Any]) -> None:
    for name in _NOT_NULL:
        if columns[name].null_count:
            raise BadRows(Phrase("column {name} holds a null", name=name))
    extremes = pc.min_max(columns["position"]).as_py()
    if (
        extremes["min"] is not None
        and not 1 <= extremes["min"] <= extremes["max"] <= LARGEST_INTEGER
    ):
        wrong = extremes["max"] if extremes["min"] >= 1 else extremes["min"]
        raise BadRows(
            Phrase(
                "a position is {wrong}, expected an integer from 1 to {largest}",
                wrong=wrong,
                largest=LARGEST_INTEGER,
            )
        )


def _own_lines(columns: dict[str, Any]) -> Iterator[tuple[int, bytes]]:
    """The rows that keep their own line, and that line."""
    texts = columns[LINE.name]
    for index in where(pc.is_valid(texts)):
        yield index, texts[index].as_py().encode()
    given = columns.get(LINE_BYTES.name)
    if given is not None and given.null_count < len(given):
        for index in where(pc.is_valid(given)):
            if texts[index].is_valid:
                raise BadRows(Phrase("a row has both a line and line_bytes"))
            yield index, given[index].as_py()
