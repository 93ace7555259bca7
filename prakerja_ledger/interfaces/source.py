"""SOURCE: a history file or a ledger, read into the same streams, so that both give the same bytes."""

from __future__ import annotations

import gc
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Final, NamedTuple

from attrs import define, field

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.register import (
    Duplicate,
    Outcome,
    Packages,
    PackagesInMemory,
    Participants,
    Recorded,
    Register,
)
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Programme, check_programme
from prakerja_ledger.domain.streams import ProgrammeStream
from prakerja_ledger.evidence.wire import is_blank, read_event
from prakerja_ledger.interfaces.columnar.sniffing import is_columnar, reader
from prakerja_ledger.interfaces.history_file import STANDARD_INPUT, Line, OverlongLine, lines_of
from prakerja_ledger.interfaces.mentions import speaks_of_money
from prakerja_ledger.interfaces.pack.sniffing import is_pack
from prakerja_ledger.ledger.urls import check_source
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.view import View

Tick = Callable[[int], None]
"""Called with the number of lines read so far, now and then."""
TICK_EVERY: Final = 20_000

_FEW: Final = 20


def no_tick(_: int) -> None:
    """Nobody watches."""


class Judged(NamedTuple):
    """A non-blank line of a history file and what became of it."""

    file: str
    number: int
    line: bytes
    """The line; of one above the longest length only its start."""
    outcome: Outcome
    overlong: OverlongLine | None = None


@define(eq=False)
class Tally:
    """Counts of a reading, and where its quarantined lines stand; a few bytes a line, not the line."""

    recorded: int = 0
    duplicates: int = 0
    codes: Counter[str] = field(factory=Counter)
    """Quarantined lines by code."""
    money_count: int = 0
    """Quarantined lines that speak of money."""
    waves: tuple[int, ...] | None = None
    """As of a History."""
    money: list[tuple[int, str]] = field(factory=list)
    """The first few of them: line number and code."""
    _numbers: array[int] = field(factory=lambda: array("Q"))
    _kinds: bytearray = field(factory=bytearray)
    _known: list[str] = field(factory=list)

    @property
    def quarantined(self) -> int:
        """Lines that were not recorded."""
        return len(self._numbers)

    @property
    def lines(self) -> int:
        """Non-blank lines: every one ended as exactly one of the three."""
        return self.recorded + self.duplicates + self.quarantined

    def count(
        self, number: int, outcome: Outcome, line: bytes = b"", *, money: bool = False
    ) -> None:
        """Count one line; `money` where it is known, without the line, that it speaks of money."""
        if isinstance(outcome, Recorded):
            self.recorded += 1
        elif isinstance(outcome, Duplicate):
            self.duplicates += 1
        else:
            if outcome.code not in self._known:
                self._known.append(outcome.code)
            self._numbers.append(number)
            self._kinds.append(self._known.index(outcome.code))
            self.codes[outcome.code] += 1
            if money or speaks_of_money(line):
                self.money_count += 1
                if len(self.money) < _FEW:
                    self.money.append((number, outcome.code))

    def quarantine(self) -> Iterator[tuple[int, str]]:
        """Every quarantined line: its number and code, in order."""
        return ((n, self._known[k]) for n, k in zip(self._numbers, self._kinds, strict=True))


def lines_with_numbers(path: str) -> Iterator[tuple[int, Line]]:
    """The lines of a file with their numbers; of a Parquet history those that its rows stand for."""
    if is_columnar(path):
        with reader(path)(path, KARTU_PRAKERJA) as history:
            yield from history.lines()
    else:
        yield from enumerate(lines_of(path), 1)


def numbered(path: str) -> Iterator[tuple[int, Line]]:
    """The non-blank lines of a file with their numbers; blank ones are counted and skipped."""
    for number, line in lines_with_numbers(path):
        if isinstance(line, OverlongLine):
            if line.blank:
                line.file.close()
            else:
                yield number, line
        elif line[:1] == b"{" or not is_blank(line):
            yield number, line


def judged(
    paths: Sequence[str], register: Register, programme: Programme, tick: Tick = no_tick
) -> Iterator[Judged]:
    """Judge the lines of files, one file after another, as one history."""
    position = 0
    record = register.record
    for path in paths:
        if is_columnar(path):
            for one in _judged_rows(path, position, register, programme, tick):
                position += 1
                yield one
            continue
        for number, line in numbered(path):
            position += 1
            if not position % TICK_EVERY:
                tick(position)
            if isinstance(line, OverlongLine):
                outcome: Outcome = _refused(line.head, programme)
                yield Judged(path, number, line.head, outcome, line)
                line.file.close()
                continue
            event = read_event(line, position, programme)
            outcome = event if isinstance(event, Refusal) else record(event)
            yield _new_tuple(Judged, (path, number, line, outcome, None))


def _judged_rows(
    path: str, position: int, register: Register, programme: Programme, tick: Tick
) -> Iterator[Judged]:
    """The same for a Parquet history, in the order of recording; `position` is that of the line before."""
    with reader(path)(path, programme) as history:
        for row in history.rows():
            position += 1
            if not position % TICK_EVERY:
                tick(position)
            event = row.event
            outcome: Outcome = (
                event
                if isinstance(event, Refusal)
                else register.record(event._replace(position=position))
            )
            yield Judged(path, row.number, row.line(), outcome)


def checked(
    paths: Sequence[str], programme: Programme, tallies: Mapping[str, Tally], tick: Tick = no_tick
) -> Iterator[tuple[str, int, Outcome]]:
    """Judge files as one history and count what becomes of each line.

    Gives the lines that are not recorded: file, number and what became of them.
    """
    if len(paths) == 1 and is_columnar(paths[0]):
        with reader(paths[0])(paths[0], programme) as history:
            judge = history.judged(tick=tick)
            if judge is not None:
                (tally,) = tallies.values()
                tally.recorded = judge.recorded
                for number, outcome, _ in history.as_lines(judge.aside):
                    tally.count(number, outcome)
                    yield paths[0], number, outcome
                return
    for one in judged(paths, file_register(programme), programme, tick):
        if type(one.outcome) is Recorded:
            tallies[one.file].recorded += 1
        else:
            tallies[one.file].count(one.number, one.outcome)
            yield one.file, one.number, one.outcome


_new_tuple = tuple.__new__
"""Makes a named tuple without its own constructor, which only names the places: once a line."""


def _refused(line: bytes, programme: Programme) -> Refusal:
    refusal = read_event(line, 0, programme)
    assert isinstance(refusal, Refusal), "an over-long line is never an event"
    return refusal


def file_register(programme: Programme) -> Register:
    """A register for files: what it holds spills to disk where a history is long."""
    from prakerja_ledger.interfaces.spool import (  # noqa: PLC0415  # not for a ledger
        SpooledIdentities,
        SpooledParticipants,
    )

    return Register(
        programme,
        participants=SpooledParticipants(),
        packages=PackagesInMemory(),
        identities=SpooledIdentities(),
    )


@define(eq=False)
class History:
    """A source as the reading commands see it."""

    name: str
    """The file, or the URL without its password."""
    participants: Participants
    packages: Packages
    programme_stream: ProgrammeStream
    programme: Programme
    tally: Tally | None
    """How the lines of a file ended; None for a ledger, which holds recorded events only."""
    waves: tuple[int, ...] | None = None
    """The waves whose participants are in it, where a ledger shows no others; None: everybody."""

    def evaluation(self, view: View) -> Evaluation:
        """The source in one view."""
        return Evaluation(
            participants=self.participants,
            packages=self.packages,
            programme_stream=self.programme_stream,
            view=view,
            programme=self.programme,
        )

    @property
    def quarantined(self) -> int:
        """Lines that were not recorded; 0 of a ledger."""
        return 0 if self.tally is None else self.tally.quarantined


def is_ledger(source: str) -> bool:
    """Whether a SOURCE is the URL of a ledger rather than a file."""
    return "://" in source


@contextmanager
def open_history(
    source: str,
    programme: Programme = KARTU_PRAKERJA,
    tick: Tick = no_tick,
    *,
    only: Iterable[str] = (),
) -> Iterator[History]:
    """A history file or a ledger, read: a context manager that gives a History.

    `source` is the name of a file (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`, Parquet, a folder of Parquet
    files, a pack, `-` for standard input) or the URL of a ledger. A ledger is looked at as it stands, while the
    context lasts; lines of a file that cannot be recorded are counted in the tally and have no effect.
    `tick` is called now and then with the number of lines read so far. `only` names the participants
    that will be asked for: a Parquet history is then read no further than they need, and its tally counts
    what was read. Raises UnreadableSource, InvalidEvidence for a pack that was changed, and InvalidField
    for what is no programme.
    """
    check_source(source)
    check_programme(programme)
    if is_ledger(source):
        with _ledger_history(source, programme) as history:
            yield history
    elif is_pack(source):
        from prakerja_ledger.interfaces.pack.opened import history_of  # noqa: PLC0415  # hardly ever asked for

        with history_of(source) as path, open_history(path, programme, tick, only=only) as history:
            history.name = source
            yield history
    else:
        found = _columnar_history(source, programme, tick, only) if is_columnar(source) else None
        yield found or _file_history(source, programme, tick)


def _columnar_history(
    path: str, programme: Programme, tick: Tick, only: Iterable[str]
) -> History | None:
    """A Parquet history judged participant by participant; None where it has to be read in order."""
    names = tuple(only)
    with without_collection(), reader(path)(path, programme) as history:
        judge = history.only(names) if names else None
        if judge is None:
            from prakerja_ledger.interfaces.spool import SpooledParticipants  # noqa: PLC0415  # not for a few

            judge = history.judged(SpooledParticipants, tick)
        if judge is None:
            return None
        tally = Tally(recorded=judge.recorded)
        for number, outcome, money in judge.aside:
            tally.count(number, outcome, money=money)
    apart = judge.apart
    return History(
        path, apart.participants, apart.packages, apart.programme_stream, programme, tally
    )


def _file_history(path: str, programme: Programme, tick: Tick) -> History:
    register = file_register(programme)
    tally = Tally()
    with without_collection():
        for one in judged([path], register, programme, tick):
            if type(one.outcome) is Recorded:
                tally.recorded += 1
            else:
                tally.count(one.number, one.outcome, one.line)
    return History(
        path,
        register.participants,
        register.packages,
        register.programme_stream,
        programme,
        tally,
    )


@contextmanager
def _ledger_history(url: str, programme: Programme) -> Iterator[History]:
    from prakerja_ledger.ledger.mapper import LedgerMapper  # noqa: PLC0415  # heavy; files need none
    from prakerja_ledger.ledger.opening import open_to_read  # noqa: PLC0415
    from prakerja_ledger.ledger.streams import JournalStreams  # noqa: PLC0415

    mapper = LedgerMapper()
    mapper.programme = programme
    with closing(open_to_read(url)) as journal, journal.reading() as reading:
        streams = JournalStreams(reading, mapper)
        yield History(
            journal.url,
            streams.participants,
            streams.packages,
            streams.programme_stream(),
            programme,
            None,
            reading.waves(),
        )


def recorded_lines(source: str, programme: Programme, tally: Tally) -> Iterator[bytes]:
    """The recorded lines of a source as they came, in the order of recording."""
    if is_ledger(source):
        from prakerja_ledger.ledger.opening import open_to_read  # noqa: PLC0415  # heavy; files need none

        with closing(open_to_read(source)) as journal, journal.reading() as reading:
            tally.waves = reading.waves()
            yield from (stored.line for stored in reading.lines())
        return
    with without_collection():
        for one in judged([source], file_register(programme), programme):
            tally.count(one.number, one.outcome)
            if isinstance(one.outcome, Recorded):
                yield one.line.strip(b" \t\r")


@contextmanager
def without_collection() -> Iterator[None]:
    """Reading makes millions of objects that live on and no cycles; collecting only walks them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()
            gc.enable()


def check_readable(path: str) -> None:
    """Refuse early, before anything is made or recorded, a file that cannot even be opened."""
    if path != STANDARD_INPUT:
        if is_columnar(path):
            with reader(path)(path, KARTU_PRAKERJA):
                return
        for _ in lines_of(path):
            break
