"""The ledger: the one way to record facts durably, and to read back what was recorded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Final, NoReturn, Protocol, Self

from attrs import define, field, frozen

from prakerja_ledger.domain.errors import Conflict, Refusal, Refused, UnreadableSource
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.register import Duplicate
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Programme
from prakerja_ledger.domain.time import Instant, in_wib, instant_of
from prakerja_ledger.evidence.json_line import LONGEST_LINE
from prakerja_ledger.evidence.wire import read_event, too_long
from prakerja_ledger.ledger.cloudevent import Recordable, as_line
from prakerja_ledger.ledger.journal import Journal, Reading
from prakerja_ledger.ledger.mapper import LedgerMapper
from prakerja_ledger.ledger.registrar import Registrar
from prakerja_ledger.ledger.streams import JournalStreams, recorded_event
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.view import View

_MOST_STREAMS: Final = 1_000
"""Participants kept folded between single records."""
STORES: Final = {"sqlite": "prakerja_ledger.stores.sqlite"}
"""URL scheme to the module that opens it. Named, not imported: stores know the ledger, not it them."""

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, from the machine's clock."""
    return datetime.now(UTC)


@frozen
class Receipt:
    """The event is on record at `position`; `duplicate` where it was so before this call."""

    position: int
    duplicate: bool = False


class Opener(Protocol):
    """What a store module offers."""

    def open_journal(self, url: str, *, create: bool) -> Journal:
        """The journal behind a URL."""


@define(eq=False)
class Ledger:
    """A journal with the law in front of it."""

    journal: Journal
    programme: Programme = KARTU_PRAKERJA
    clock: Clock = system_clock
    _mapper: LedgerMapper = field(init=False, factory=LedgerMapper)
    _registrar: Registrar = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Stored lines are read under this ledger's programme."""
        self._mapper.programme = self.programme
        self._registrar = self.registrar(most_streams=_MOST_STREAMS)

    def registrar(self, *, most_streams: int, most_identities: int = 0) -> Registrar:
        """A registrar of this ledger that keeps so many participants folded.

        `most_identities` identities are kept as well while a ledger that was empty is filled.
        """
        return Registrar(
            self.programme,
            self._mapper,
            most_streams=most_streams,
            most_identities=most_identities,
        )

    @classmethod
    def open(
        cls,
        url: str,
        *,
        programme: Programme = KARTU_PRAKERJA,
        clock: Clock = system_clock,
        create: bool = True,
    ) -> Self:
        """Open the ledger behind a URL, such as `sqlite:///path.db`.

        `create=False` refuses a ledger that does not exist yet. Raises UnreadableSource.
        """
        scheme = url.partition(":")[0]
        if scheme not in STORES:
            known = ", ".join(f"{name}://" for name in STORES)
            raise UnreadableSource(source=url, problem=f"no store for this URL. Known: {known}")
        store: Opener = importlib.import_module(STORES[scheme])
        return cls(store.open_journal(url, create=create), programme, clock)

    def close(self) -> None:
        """Let go of files and connections."""
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def record(self, event: Recordable) -> Receipt:
        """Record one event; it is durable when this returns.

        An event without a recordedtime is stamped with the ledger's clock. Recording the same event
        again returns the position it has. Raises Conflict where its identity holds other content,
        and Refused where the format or the history forbids it; then nothing was written.
        """
        line = as_line(event)
        try:
            with self.journal.writing() as writing:
                register = self._registrar.register(writing)
                line, read = self._read(line, self._registrar.head + 1)
                if isinstance(read, Refusal):
                    return _raise(read)
                outcome = register.record(read)
                if isinstance(outcome, Refusal):
                    return _raise(outcome)
                if isinstance(outcome, Duplicate):
                    return Receipt(outcome.position, duplicate=True)
                positions = writing.append([recorded_event(outcome.stream, read, line)])
        except (Refused, Conflict):
            raise
        except BaseException:
            self._registrar.forget()
            raise
        self._registrar.appended(positions)
        return Receipt(positions[0])

    def _read(self, line: bytes, position: int) -> tuple[bytes, Event | Refusal]:
        """The event of a line, and the line with the ledger's time of recording where it had none."""
        event = read_event(line, position, self.programme)
        if isinstance(event, Refusal):
            return line, event
        # Inside valid JSON a line break can only stand between tokens; in a history it ends an event.
        line = line.replace(b"\r", b" ").replace(b"\n", b" ")
        if event.recorded_at is not event.occurred_at:
            return line, event  # without a recordedtime the reader uses the one instant for both
        now = max(instant_of(self.clock()), event.occurred_at)
        stamped = _stamped(line, now)
        if len(stamped) > LONGEST_LINE:
            return line, too_long()
        return stamped, event._replace(recorded_at=now)

    def statement(
        self, participant: str, *, as_of: date, known_at: Instant | None = None
    ) -> Statement:
        """A participant's statement as of a day, as known at a moment (open: all that is recorded).

        Raises NotInView, and CalendarTooShort where a due date lies beyond the list of holidays.
        """
        with self.journal.reading() as reading:
            streams = self.streams(reading)
            return Evaluation(
                participants=streams.participants,
                packages=streams.packages,
                programme_stream=streams.programme_stream(),
                view=View(as_of=as_of, known_at=known_at),
                programme=self.programme,
            ).statement(participant)

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity; None where it was never recorded."""
        with self.journal.reading() as reading:
            return reading.find(source, id)

    def head(self) -> int:
        """The highest position; 0 where nothing is recorded."""
        with self.journal.reading() as reading:
            return reading.head()

    def lines(self) -> Iterator[bytes]:
        """Every recorded line as it came, in the order of recording."""
        with self.journal.reading() as reading:
            for stored in reading.lines():
                yield stored.line

    def streams(self, reading: Reading) -> JournalStreams:
        """The streams as domain values, inside one look at the journal."""
        return JournalStreams(reading, self._mapper)


def _stamped(line: bytes, now: Instant) -> bytes:
    """The line with a recordedtime at its end.

    A reporter's clock may run ahead of ours; its fact is recorded at its own time, rather than
    refused for being before itself: `now` is the later of the two.
    """
    return line[: line.rindex(b"}")] + b',"recordedtime":"' + in_wib(now).encode() + b'"}'


def _raise(refusal: Refusal) -> NoReturn:
    if refusal.code == Conflict.code:
        raise Conflict(**refusal.fields)
    raise Refused(refusal=refusal)
