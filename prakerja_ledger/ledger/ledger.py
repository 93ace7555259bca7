"""The ledger: the one way to record facts durably, and to read back what was recorded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Final, NoReturn, Protocol, Self

from attrs import define, field, frozen

from prakerja_ledger.deciding.commands import Command
from prakerja_ledger.deciding.payment import Permission, may_pay
from prakerja_ledger.deciding.rules import NEEDS_A_SITUATION, decide, is_answer, situation
from prakerja_ledger.domain.errors import (
    CommitInDoubt,
    Conflict,
    NoSuchLine,
    OutcomeUnknown,
    Refusal,
    Refused,
    UnreadableSource,
)
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.facts import Fact
from prakerja_ledger.domain.register import Duplicate, Register, conflicting, not_enrolled
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Line, Programme
from prakerja_ledger.domain.time import Instant, date_of, in_wib, instant_of
from prakerja_ledger.evidence.json_line import LONGEST_LINE
from prakerja_ledger.evidence.wire import read_event, too_long
from prakerja_ledger.ledger.cloudevent import CloudEvent, Recordable, as_line
from prakerja_ledger.ledger.journal import Journal, Reading
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent
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
        return self.record_all([event])[0]

    def record_all(self, events: Iterable[Recordable]) -> list[Receipt]:
        """Record several events, of any streams, all or none; in this order.

        Raises as `record` does, at the first that cannot be recorded; then nothing was written.
        """
        lines = [as_line(event) for event in events]
        return self._write([_Recording(self, line) for line in lines])

    observe = record
    """What happened elsewhere is recorded whatever rule it breaks: a rule broken is a finding."""

    def execute(self, command: Command) -> Receipt:
        """Do what a command asks, if the programme's rules allow it now.

        Raises Refused with the rule's code, Conflict, or OutcomeUnknown; the same command again is a
        duplicate.
        """
        return self.execute_all([command])[0]

    def execute_all(self, commands: Iterable[Command]) -> list[Receipt]:
        """Do what several commands ask, all or none, each after the ones before it."""
        return self._write([_Execution(self, command) for command in commands])

    def _write(self, steps: Sequence[_Step]) -> list[Receipt]:
        """One transaction of the one writer: judged, appended and durable together."""
        pending: list[RecordedEvent] = []
        places: list[int | None] = []
        try:
            with self.journal.writing() as writing:
                register = self._registrar.register(writing)
                for step in steps:
                    position = self._registrar.head + len(pending) + 1
                    outcome = step.take(register, position)
                    if isinstance(outcome, Duplicate):
                        places.append(outcome.position)
                    else:
                        pending.append(outcome)
                        places.append(None)
                positions = list(writing.append(pending)) if pending else []
        except (Refused, Conflict):
            if pending:
                self._registrar.forget()
            raise
        except CommitInDoubt as error:
            self._registrar.forget()
            source, id = steps[-1].identity
            raise OutcomeUnknown(source=source, id=id, problem=error.fields["problem"]) from error
        except BaseException:
            self._registrar.forget()
            raise
        self._registrar.appended(positions)
        fresh = iter(positions)
        return [
            Receipt(next(fresh)) if at is None else Receipt(at, duplicate=True) for at in places
        ]

    def resolve(self, source: str, id: str) -> Receipt | None:
        """After OutcomeUnknown: where the event is recorded, or None where it is not.

        Waits for the writer's turn, so that nothing of that identity is still on its way here.
        """
        with self.journal.writing() as writing:
            position = writing.find(source, id)
        return None if position is None else Receipt(position, duplicate=True)

    def may_pay(self, participant: str, line: Line, as_of: date | None = None) -> Permission:
        """Whether a line may be paid on a day (default: today in WIB): yes, no or unknown, and why.

        Raises NotInView, and NoSuchLine where the statement has no such line.
        """
        on = date_of(instant_of(self.clock())) if as_of is None else as_of
        made = self.statement(participant, as_of=on)
        for one in made.lines:
            if one.line == line:
                return may_pay(one)
        known = ", ".join(one.line for one in made.lines)
        raise NoSuchLine(participant=participant, line=line, lines=known)

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


class _Step(Protocol):
    """One event on its way into a transaction."""

    @property
    def identity(self) -> tuple[str, str]:
        """The (source, id) it will have, as far as it is known before it is read."""

    def take(self, register: Register, position: int) -> RecordedEvent | Duplicate:
        """Judge it and fold it in. Raises Refused or Conflict."""


@frozen
class _Recording:
    """A line that somebody reports."""

    ledger: Ledger
    line: bytes

    @property
    def identity(self) -> tuple[str, str]:
        event = read_event(self.line, 0, self.ledger.programme)
        return ("", "") if isinstance(event, Refusal) else event.identity

    def take(self, register: Register, position: int) -> RecordedEvent | Duplicate:
        line, read = self._read(position)
        if isinstance(read, Refusal):
            _raise(read)
        outcome = register.record(read)
        if isinstance(outcome, Refusal):
            _raise(outcome)
        if isinstance(outcome, Duplicate):
            return outcome
        return recorded_event(outcome.stream, read, line)

    def _read(self, position: int) -> tuple[bytes, Event | Refusal]:
        """The event of the line, and the line with the time of recording where it had none."""
        ledger, line = self.ledger, self.line
        event = read_event(line, position, ledger.programme)
        if isinstance(event, Refusal):
            return line, event
        # Inside valid JSON a line break can only stand between tokens; in a history it ends an event.
        line = line.replace(b"\r", b" ").replace(b"\n", b" ")
        if event.recorded_at is not event.occurred_at:
            return line, event  # without a recordedtime the reader uses the one instant for both
        now = max(instant_of(ledger.clock()), event.occurred_at)
        stamped = _stamped(line, now)
        if len(stamped) > LONGEST_LINE:
            return line, too_long()
        return stamped, event._replace(recorded_at=now)


@frozen
class _Execution:
    """A command on its way."""

    ledger: Ledger
    command: Command

    @property
    def identity(self) -> tuple[str, str]:
        return self.command.source, self.command.id

    def take(self, register: Register, position: int) -> RecordedEvent | Duplicate:
        command = self.command
        taken = register.identities.find(command.source, command.id)
        if taken is not None:
            return self._again(register, taken)
        now = instant_of(self.ledger.clock())
        fact = self._decided(register, date_of(now))
        if isinstance(fact, Refusal):
            _raise(fact)
        event = CloudEvent(
            source=command.source,
            id=command.id,
            subject=command.subject,
            time=command.time or in_wib(now),
            fact=fact,
        )
        return _Recording(self.ledger, as_line(event)).take(register, position)

    def _again(self, register: Register, taken: int) -> Duplicate:
        """The same command is a duplicate, whatever the ledger had added to it then."""
        earlier = register.recorded(self.command.subject, taken)
        if earlier is None or not is_answer(self.command, earlier):
            _raise(conflicting(self.command.source, self.command.id, taken))
        return Duplicate(taken)

    def _decided(self, register: Register, today: date) -> Fact | Refusal:
        command = self.command
        if type(command) not in NEEDS_A_SITUATION:
            return command.fact()
        participant = register.participants.get(command.subject)
        if participant is None:
            return not_enrolled(command.subject)
        return decide(
            command,
            situation(participant, register.programme_stream, self.ledger.programme, today),
        )


def _raise(refusal: Refusal) -> NoReturn:
    if refusal.code == Conflict.code:
        raise Conflict(**refusal.fields)
    raise Refused(refusal=refusal)
