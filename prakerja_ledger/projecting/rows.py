"""Rows: what a projection keeps of one participant, made by the law's own statement.

Nothing is worked out here: a row is a statement written down. What moves with every day (the working
days overdue) is left to the tables, which hold the due date and the calendar.
"""

from __future__ import annotations

from datetime import date, timedelta
from operator import attrgetter
from typing import Any, Final

import msgspec
from attrs import frozen

from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant, ProgrammeStream
from prakerja_ledger.reading.dossier import ProgrammeInView
from prakerja_ledger.reading.statement import AMOUNTS, Statement, StatementLine, statement
from prakerja_ledger.reading.turning import turns_on
from prakerja_ledger.reading.view import View

Row = tuple[Any, ...]

PARTICIPANT_COLUMNS: Final = (
    "participant",
    "wave",
    "scheme",
    "standing",
    "turns_on",
    "problem",
)
LINE_COLUMNS: Final = (
    "participant",
    "line",
    "place",
    "wave",
    "scheme",
    "standing",
    "amount",
    "status",
    *AMOUNTS,
    "earned_on",
    "due_on",
    "cause",
    "owner",
    "causes",
    "evidence",
)


@frozen
class ParticipantRows:
    """One participant as a projection keeps them; no rows where they have no statement yet."""

    participant: Row
    lines: list[Row]


def rows_of(
    participant: Participant,
    view: View,
    programme: Programme,
    programme_stream: ProgrammeStream,
    around: ProgrammeInView,
) -> ParticipantRows:
    """The rows of a participant as of a day.

    Who cannot be judged because the list of holidays is too short keeps a row that says so.
    """
    problem: str | None = None
    made: Statement | None = None
    try:
        made = statement(participant, view, programme, around)
    except CalendarTooShort as error:
        problem = str(error)
    if problem is None:
        turns = turns_on(participant, made, view, programme, programme_stream)
    else:
        turns = view.as_of + timedelta(days=1)
    about = (None, None, None) if made is None else (made.wave, made.scheme, made.standing.value)
    return ParticipantRows(
        (participant.id, *about, _day(turns), problem),
        [] if made is None else _lines(made),
    )


def _lines(made: Statement) -> list[Row]:
    about = made.wave, made.scheme, made.standing.value
    return [_line(made.participant, about, place, one) for place, one in enumerate(made.lines)]


_encode = msgspec.json.Encoder().encode
_amounts = attrgetter(*AMOUNTS)


def _line(participant: str, about: Row, place: int, one: StatementLine) -> Row:
    causes = one.causes
    first = causes[0] if causes else None
    return (
        participant,
        one.line,
        place,
        *about,
        one.amount,
        one.status.value,
        *_amounts(one),
        _day(one.earned_on),
        _day(one.due_on),
        None if first is None else first.cause.value,
        None if first is None else first.owner.value,
        _encode([because.cause.value for because in causes]).decode(),
        _encode([{"source": event.source, "id": event.id} for event in one.evidence]).decode(),
    )


def _day(on: date | None) -> str | None:
    return None if on is None else on.isoformat()
