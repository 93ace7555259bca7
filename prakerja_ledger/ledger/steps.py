"""Steps: what one write asks of the ledger, each ending in an event to append or a duplicate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NoReturn, Protocol

from attrs import define, field

from prakerja_ledger.deciding.commands import FACT_OF, Command, asked_for
from prakerja_ledger.deciding.dating import dated
from prakerja_ledger.deciding.four_eyes import four_eyes, oversight
from prakerja_ledger.deciding.rules import NEEDS_A_SITUATION, decide, is_answer, situation
from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import Conflict, InvalidField, Refusal, Refused
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.facts import Fact, data_of, type_of
from prakerja_ledger.domain.fields import wrong
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.register import Duplicate, Register, conflicting, not_enrolled
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Stream
from prakerja_ledger.domain.time import Instant, date_of, in_wib, instant, instant_of
from prakerja_ledger.evidence.fingerprint import fingerprint
from prakerja_ledger.evidence.json_line import LONGEST_LINE
from prakerja_ledger.evidence.wire import read_event, too_long, write_event
from prakerja_ledger.ledger.cloudevent import CloudEvent, Recordable, as_line
from prakerja_ledger.ledger.journal import PROGRAMME_STREAM, Intent, Judging, stream_name
from prakerja_ledger.ledger.mapper import RecordedEvent
from prakerja_ledger.ledger.streams import placing, recorded_event

Clock = Callable[[], datetime]


def today_by(clock: Clock) -> date:
    """The day in WIB, by a clock. Raises InvalidField as `now_by` does."""
    return date_of(now_by(clock))


def now_by(clock: Clock) -> Instant:
    """What a clock says. Raises InvalidField where that is no instant."""
    said: object = clock()
    if not isinstance(said, datetime) or said.utcoffset() is None:
        raise wrong(
            "clock", said, Phrase("a function that gives an aware datetime, such as now(UTC)")
        )
    return instant_of(said)


@define(eq=False)
class Turn:
    """What a step works with, inside one transaction of the one writer."""

    register: Register
    writing: Judging
    pending: list[RecordedEvent] = field(factory=list)
    """Events of the steps before it, judged and folded in, to be appended at the end."""
    folds: bool = True
    """Whether an event is folded in as soon as it is judged."""


class Step(Protocol):
    """One event on its way into a transaction."""

    @property
    def identity(self) -> tuple[str, str]:
        """The (source, id) it will have."""

    @property
    def kind(self) -> str:
        """The command or fact, such as `Instruct` or `course-completed`: what anybody may see of it."""

    @property
    def stream(self) -> str | None:
        """The stream it will be appended to; None where only the history tells."""

    @property
    def looks(self) -> Sequence[str]:
        """Other streams that its judgement looks at."""

    @property
    def begins(self) -> bool:
        """Whether it may only be the first of its stream."""

    def take(self, turn: Turn) -> RecordedEvent | Duplicate:
        """Judge it and fold it in. Raises Refused or Conflict."""


def intent_of(steps: Sequence[Step], known: Callable[[str], int]) -> Intent | None:
    """What the steps are about to do together; None where that is not known beforehand."""
    streams = [step.stream for step in steps]
    if None in streams:
        return None
    return Intent(
        appends={name: known(name) for name in streams if name is not None},
        looks={name: known(name) for step in steps for name in step.looks},
        identities=[step.identity for step in steps],
    )


def _package_of(sale: Fact | Command) -> Sequence[str]:
    """The stream of the package that is sold, where one is."""
    package = getattr(sale, "package", None)
    return () if package is None else (stream_name(f.PACKAGE, package),)


def _stamped(line: bytes, now: Instant) -> bytes:
    """The line with a recordedtime at its end.

    A reporter's clock may run ahead of ours; its fact is recorded at its own time, rather than
    refused for being before itself: `now` is the later of the two.
    """
    return line[: line.rindex(b"}")] + b',"recordedtime":"' + in_wib(now).encode() + b'"}'


def _with_attributes(line: bytes, attributes: Mapping[str, str]) -> bytes:
    """The line with attributes at its end."""
    if not attributes:
        return line
    return line[: line.rindex(b"}")] + b"," + as_line(attributes)[1:]


class Recording:
    """A line that somebody reports. Raises Refused where it is no event: before anybody has to wait."""

    def __init__(self, event: Recordable, programme: Programme, clock: Clock) -> None:
        self._line = as_line(event)
        self._clock = clock
        read = read_event(self._line, 0, programme)
        if isinstance(read, Refusal):
            raise Refused(refusal=read)
        self._read = read

    @property
    def identity(self) -> tuple[str, str]:
        return self._read.identity

    @property
    def kind(self) -> str:
        return self._read.fact.kind

    @property
    def stream(self) -> str | None:
        read = self._read
        fact = read.fact
        return None if isinstance(fact, f.EventVoided) else stream_name(fact.stream, read.subject)

    @property
    def looks(self) -> Sequence[str]:
        return _package_of(self._read.fact)

    @property
    def begins(self) -> bool:
        return isinstance(self._read.fact, f.Enrolled)

    def take(self, turn: Turn) -> RecordedEvent | Duplicate:
        line, event = self._recordable()
        return taken_in(turn, event, line)

    def _recordable(self) -> tuple[bytes, Event]:
        """The event of the line, and the line with the time of recording where it had none."""
        read = self._read
        # Inside valid JSON a line break can only stand between tokens; in a history it ends an event.
        line = self._line.replace(b"\r", b" ").replace(b"\n", b" ")
        if read.recorded_at is not read.occurred_at:
            return line, read  # without a recordedtime the reader uses the one instant for both
        now = max(now_by(self._clock), read.occurred_at)
        stamped = _stamped(line, now)
        if len(stamped) > LONGEST_LINE:
            raise Refused(refusal=too_long())
        return stamped, read._replace(recorded_at=now)


def taken_in(turn: Turn, event: Event, line: bytes) -> RecordedEvent | Duplicate:
    """Judge an event and fold it in. Raises Refused or Conflict."""
    event = placing(turn.writing, turn.register.identities)(event, len(turn.pending))
    register = turn.register
    outcome = register.record(event) if turn.folds else register.judge(event)
    if isinstance(outcome, Refusal):
        if outcome.code == Conflict.code:
            given = fingerprint(*_content(event))
            _conflict(turn, event.subject, event.identity, outcome.fields["position"], given)
        raise Refused(refusal=outcome)
    if isinstance(outcome, Duplicate):
        return outcome
    stream = outcome.stream
    return recorded_event(stream, len(stream.events) + (not turn.folds), event, line)


READ_AGAIN: Final = frozenset({f.Enrolled, f.EnrolmentCorrected}) | {
    kind for kind in f.FACTS.values() if kind.stream == f.PROGRAMME
}
"""Facts that reading asks more of than their fields: a scheme that is registered, a subject."""


def _content(event: Event) -> tuple[str, str, dict[str, Any]]:
    return type_of(event.fact.kind), event.subject, data_of(event.fact)


class Execution:
    """A command on its way."""

    def __init__(
        self, command: Command, programme: Programme, clock: Clock, *, checked: bool = False
    ) -> None:
        kind = FACT_OF.get(type(command))
        if kind is None:
            raise InvalidField(
                field="command",
                found=Phrase("a {kind}", kind=type(command).__name__),
                expected=Phrase("a command, such as commands.Instruct(...)"),
            )
        self._command = command
        self._stream = kind.stream
        self._programme = programme
        self._clock = clock
        self._checked = checked

    @property
    def identity(self) -> tuple[str, str]:
        return self._command.source, self._command.id

    @property
    def kind(self) -> str:
        return type(self._command).__name__

    @property
    def stream(self) -> str | None:
        if self._stream == f.ANY_STREAM:
            return None
        return stream_name(self._stream, self._command.subject)

    @property
    def looks(self) -> Sequence[str]:
        command = self._command
        looks = (PROGRAMME_STREAM,) if type(command) in NEEDS_A_SITUATION else ()
        return (*looks, *_package_of(command))

    @property
    def begins(self) -> bool:
        return FACT_OF[type(self._command)] is f.Enrolled

    def take(self, turn: Turn) -> RecordedEvent | Duplicate:
        command = self._command
        taken = turn.register.identities.find(command.source, command.id)
        if taken is not None:
            return self._again(turn, taken)
        now = now_by(self._clock)
        fact = self._decided(turn.register, now)
        if isinstance(fact, Refusal):
            raise Refused(refusal=fact)
        event = self._event(fact, now, turn.register)
        line = _with_attributes(self._line(event), oversight(command))
        if type(fact) in READ_AGAIN or len(line) > LONGEST_LINE:
            return Recording(line, self._programme, self._clock).take(turn)
        return taken_in(turn, event, line)

    def _line(self, event: Event) -> bytes:
        """The line of the event, which read again is the same event (a law that a test holds).

        Reading it once more here, to be sure, was a fifth of the time of a command.
        """
        try:
            return write_event(event, stamped=True)
        except UnicodeEncodeError:  # half a surrogate pair: let reading say what is wrong
            given = CloudEvent(
                source=event.source,
                id=event.id,
                subject=event.subject,
                time=in_wib(event.occurred_at),
                fact=event.fact,
            )
            return Recording(given, self._programme, self._clock)._line  # noqa: SLF001  # it raises

    def _event(self, fact: Fact, now: Instant, register: Register) -> Event:
        """The event that the command becomes, its times as a reader of its line would have them."""
        command = self._command
        if command.time is None:
            happened_at, recorded_at = dated(type(fact), self._moved(register), now)
        else:
            time = command.time
            happened_at = instant(time) if isinstance(time, str) else instant_of(time)
            recorded_at = max(now, happened_at)
        return Event(command.source, command.id, command.subject, fact, happened_at, recorded_at)

    def _moved(self, register: Register) -> Stream | None:
        """The stream that the command's fact will stand on, where there is one yet."""
        subject = self._command.subject
        if self._stream == f.PARTICIPANT:
            return register.participants.get(subject)
        return register.programme_stream if self._stream == f.PROGRAMME else None

    def _again(self, turn: Turn, taken: int) -> Duplicate:
        """The same command is a duplicate, whatever the ledger had added to it then."""
        command = self._command
        earlier = turn.register.recorded(command.subject, taken)
        if earlier is None or not is_answer(command, earlier):
            given = fingerprint(type(command).__name__, command.subject, asked_for(command))
            _conflict(turn, command.subject, self.identity, taken, given)
        return Duplicate(taken)

    def _decided(self, register: Register, now: Instant) -> Fact | Refusal:
        command = self._command
        refusal = four_eyes(command) if self._checked else None
        if refusal is not None:
            return refusal
        if type(command) not in NEEDS_A_SITUATION:
            return command.fact()
        participant = register.participants.get(command.subject)
        if participant is None:
            return not_enrolled(command.subject)
        return decide(
            command,
            situation(participant, register.programme_stream, self._programme, date_of(now)),
        )


def _conflict(
    turn: Turn, subject: str, identity: tuple[str, str], taken: int, given: str
) -> NoReturn:
    """Raise Conflict, with fingerprints of both contents and no data of either."""
    source, id = identity
    refusal = conflicting(source, id, taken)
    earlier = turn.register.recorded(subject, taken)
    recorded = _recorded(turn, taken) if earlier is None else fingerprint(*_content(earlier))
    raise Conflict(**refusal.fields, given=given, recorded=recorded)


def _recorded(turn: Turn, position: int) -> str:
    """The fingerprint of what another subject has recorded, or is about to, at a position."""
    for one in turn.pending:
        if one.event.position == position:
            return fingerprint(*_content(one.event))
    for stored in turn.writing.lines(position - 1):
        event = read_event(stored.line, position, turn.register.programme)
        assert isinstance(event, Event), "a journal holds events only"
        return fingerprint(*_content(event))
    raise AssertionError(f"the identity's position {position} holds nothing")
