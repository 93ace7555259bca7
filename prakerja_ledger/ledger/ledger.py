"""The ledger: the one way to record facts durably, and to read back what was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from attrs import define, field, frozen

from prakerja_ledger.deciding.commands import Command
from prakerja_ledger.domain.errors import (
    CommitInDoubt,
    Conflict,
    LedgerFault,
    OutcomeUnknown,
    Refused,
    TurnLost,
)
from prakerja_ledger.domain.fields import check_text, wrong
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.register import Duplicate
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Programme, check_programme
from prakerja_ledger.ledger.ahead import record_ahead
from prakerja_ledger.ledger.asking import Asking, system_clock
from prakerja_ledger.ledger.cloudevent import Recordable
from prakerja_ledger.ledger.mapper import RecordedEvent
from prakerja_ledger.ledger.observing import observed
from prakerja_ledger.ledger.opening import open_journal, open_to_read
from prakerja_ledger.ledger.registrar import Registrar
from prakerja_ledger.ledger.steps import Clock, Execution, Recording, Step, Turn, intent_of
from prakerja_ledger.ledger.urls import check_url

_MOST_STREAMS: Final = 1_000
"""Participants kept folded between single records."""
_MOST_ATTEMPTS: Final = 20
"""Turns that a write tries, where the store undid each for another writer's sake."""


@frozen
class Receipt:
    """The event is on record."""

    position: int
    """Its place in the order of recording, from 1. In a ledger of several shards numbers are left out."""
    duplicate: bool = False
    """Whether it was on record before this call, which then wrote nothing."""


def _check_parts(programme: object, clock: object) -> None:
    """Raise InvalidField for what no ledger can be made of."""
    check_programme(programme)
    if not callable(clock):
        raise wrong(
            "clock", clock, Phrase("a function that takes nothing and gives an aware datetime")
        )


def _several(field: str, given: object, one: str) -> Iterable[Any]:
    """What was given, unless it is one thing: so is a text or a mapping, whatever it iterates over."""
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes, bytearray, Mapping)):
        return given
    raise wrong(
        field, given, Phrase("several, in a list or the like; one alone goes to {one}", one=one)
    )


def unknown_outcome(identity: tuple[str, str], error: CommitInDoubt) -> OutcomeUnknown:
    """Nobody knows whether the event of that identity is recorded, and why."""
    source, id = identity
    return OutcomeUnknown(source=source, id=id, problem=error.fields["problem"])


@define(eq=False)
class Ledger(Asking):
    """A journal with the law in front of it.

    Made by `Ledger.open`; as a context manager it closes at the end. Threads may share one. Once
    closed, its methods raise LedgerFault; while it is open they raise it where the store fails, and then
    nothing of the call was recorded.
    """

    four_eyes: bool = False
    """Whether its commands that take back or change the record need a maker and another checker."""
    _registrars: list[Registrar] = field(init=False, factory=list)
    """Idle ones; a writer takes one for its turn, so that two threads never share one."""
    _keeps_folded: bool = field(init=False, default=True)
    _attempts: int = field(init=False, default=_MOST_ATTEMPTS)
    _in_doubt: bool = field(init=False, default=False)
    """Whether a turn that needs no lock was sent and not answered."""

    def __attrs_post_init__(self) -> None:
        """Stored lines are read under this ledger's programme."""
        _check_parts(self.programme, self.clock)
        self._mapper.programme = self.programme

    def registrar(
        self, *, most_streams: int = _MOST_STREAMS, most_identities: int = 0
    ) -> Registrar:
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
        read_only: bool = False,
        four_eyes: bool = False,
    ) -> Self:
        """Open the ledger behind a URL.

        `sqlite:///relative.db` or `sqlite:////absolute.db`, `postgresql://host/database`, or
        `memory://name`, which ends with the process. `programme` is the law it judges by. `clock` is a
        function that takes nothing and gives an aware datetime: it stamps what has no recordedtime, and
        says which day today is. `create=False` refuses a ledger that does not exist yet; on PostgreSQL
        none is made here, but by the command `schema`. `read_only` opens one that is there to be read:
        nothing is made beside a SQLite file, and recording is a LedgerFault. With `four_eyes` the commands
        CorrectEnrolment, Revoke and VoidEvent are refused unless they name a maker and another checker. Raises UnreadableSource, and InvalidField for
        another programme or clock than these can be; then nothing was created.
        """
        check_url(url)
        _check_parts(programme, clock)
        journal = open_to_read(url) if read_only else open_journal(url, create=create)
        return cls(journal, programme, clock, four_eyes)

    def close(self) -> None:
        """Let go of files and connections; again, and nothing happens.

        What `using` returned works on: it ends with the transaction that it is in.
        """
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

        An event without a recordedtime is stamped with the ledger's clock, or with its own time where
        that is later. Recording the same event again returns the position it has. Rules of the programme
        are not asked: what happened is recorded, and a rule broken is a finding. Raises InvalidInput for
        what cannot be written as an event, Refused where the format or the history forbids it (`code` is
        the quarantine code), and Conflict where its identity holds other content; then nothing was
        written. Raises OutcomeUnknown where the store failed in the middle of the commit: `Ledger.resolve` tells.
        """
        return self.record_all([event])[0]

    def record_all(self, events: Iterable[Recordable]) -> list[Receipt]:
        """Record several events, of any streams, all or none; in this order.

        One Receipt for each, in the same order. Raises as `Ledger.record` does, at the first that cannot
        be recorded; then nothing was written.
        """
        given = _several("events", events, "record")
        return self._observed(
            [Recording(event, self.programme, self.clock) for event in given], asks=False
        )

    observe = record
    """What happened elsewhere is recorded whatever rule it breaks: a rule broken is a finding."""

    def execute(self, command: Command) -> Receipt:
        """Record what a command asks for, if the programme's rules allow it now.

        The look and the write are one transaction, so that nothing recorded in between slips through.
        The same command again is a duplicate, and is not judged again. Raises InvalidField for what is no
        command, Refused with the rule's code (or the quarantine code, where the history forbids it), and
        Conflict where the identity holds other content. An `Instruct` or a `PurchaseTraining` looks at
        the statement, and raises NotInView and CalendarTooShort as that does. In all these cases nothing
        was written. Raises OutcomeUnknown where the store failed in the middle of the commit.
        """
        return self.execute_all([command])[0]

    def execute_all(self, commands: Iterable[Command]) -> list[Receipt]:
        """Record what several commands ask for, all or none, each judged after the ones before it.

        One Receipt for each, in the same order. Raises as `Ledger.execute` does, at the first that is
        refused; then nothing was written.
        """
        given = _several("commands", commands, "execute")
        return self._observed(
            [
                Execution(command, self.programme, self.clock, checked=self.four_eyes)
                for command in given
            ],
            asks=True,
        )

    def _observed(self, steps: Sequence[Step], *, asks: bool) -> list[Receipt]:
        """Write, and let those who run it see how that ended."""
        store = self.journal.url.partition(":")[0]
        return observed(steps, store, partial(self._write, steps), asks=asks)

    def _write(self, steps: Sequence[Step]) -> list[Receipt]:
        """One transaction of the one writer: judged, appended and durable together.

        Again, where the store undid the transaction in favour of another: nothing was recorded then,
        and every step keeps its identity.
        """
        if not steps:
            return []
        if self._in_doubt:
            self._write_off()
        registrar = self._idle_registrar()
        try:
            position = self._ahead(registrar, steps[0]) if len(steps) == 1 else None
            if position is not None:
                return [Receipt(position)]
            for _ in range(self._attempts - 1):
                with suppress(TurnLost):
                    return self._turn(registrar, steps)
            return self._turn(registrar, steps)
        finally:
            if self._keeps_folded:
                self._registrars.append(registrar)

    def _idle_registrar(self) -> Registrar:
        try:
            return self._registrars.pop()
        except IndexError:  # the first one, or all are with other threads
            return self.registrar()

    def _ahead(self, registrar: Registrar, step: Step) -> int | None:
        """The position of a step recorded without a turn of ours; None where it needs one."""
        ahead = self.journal.ahead
        if ahead is None:
            return None
        try:
            return record_ahead(ahead, registrar, step)
        except CommitInDoubt as error:
            self._in_doubt = True
            raise unknown_outcome(step.identity, error) from error
        except BaseException:
            registrar.forget()
            raise

    def _write_off(self) -> None:
        """A turn in one message may be under way still: what is told from now on must hold after it."""
        try:
            with self.journal.writing() as writing:
                writing.write_off()
        except CommitInDoubt as error:
            problem = Phrase(
                "{problem} Nothing was recorded; try again.", problem=error.fields["problem"]
            )
            raise LedgerFault(source=self.journal.url, problem=problem) from error
        self._in_doubt = False

    def _turn(self, registrar: Registrar, steps: Sequence[Step]) -> list[Receipt]:
        places: list[int | None] = []
        pending: list[RecordedEvent] = []
        try:
            with self.journal.writing(partial(intent_of, steps, registrar.known)) as writing:
                turn = Turn(registrar.register(writing), writing, pending)
                for step in steps:
                    outcome = step.take(turn)
                    if isinstance(outcome, Duplicate):
                        places.append(outcome.position)
                    else:
                        pending.append(outcome)
                        places.append(None)
                positions = writing.append(pending) if pending else ()
        except CommitInDoubt as error:
            registrar.forget()
            last = pending[-1].event.identity if pending else steps[-1].identity
            raise unknown_outcome(last, error) from error
        except (Refused, Conflict):
            if pending:
                registrar.forget()
            raise
        except BaseException:
            registrar.forget()
            raise
        registrar.appended(writing, positions)
        fresh = iter(positions)
        return [
            Receipt(next(fresh)) if at is None else Receipt(at, duplicate=True) for at in places
        ]

    def using(self, connection: Any) -> Self:
        """This ledger inside the transaction of a connection of yours, which you commit or roll back.

        `connection` is a `sqlite3.Connection` to the ledger's file, a psycopg connection to its
        database, or a SQLAlchemy 2 Connection or Session on either. What is recorded through what
        this returns is durable when your transaction is, together with your own rows, or not at all;
        until then a Receipt is a promise of that transaction alone. A refusal leaves the transaction
        as it was, and it may go on. Nothing is retried: where the database undoes your transaction,
        TurnLost says so, and you run it again. Raises UnusableConnection.
        """
        inside = self.journal.using(connection)
        joined = type(self)(inside, self.programme, self.clock, self.four_eyes)
        joined._keeps_folded = False  # noqa: SLF001  # what it folds may be rolled back
        joined._attempts = 1  # noqa: SLF001  # the transaction is the caller's to run again
        return joined

    def resolve(self, source: str, id: str) -> Receipt | None:
        """After OutcomeUnknown: where the event is recorded, or None where it is not.

        Waits for the writer's turn, so that nothing of that identity is still on its way here; an
        answer of None stays true until somebody records it. A Receipt found is a duplicate. Raises
        InvalidField, and OutcomeUnknown where the store cannot make sure of that: ask again.
        """
        check_text("source", source)
        check_text("id", id)
        try:
            with self.journal.writing() as writing:
                position = writing.find(source, id)
                if position is None:
                    writing.write_off()
        except CommitInDoubt as error:
            raise unknown_outcome((source, id), error) from error
        if position is None:
            self._in_doubt = False
        return None if position is None else Receipt(position, duplicate=True)
