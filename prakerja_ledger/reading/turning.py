"""When a statement turns: the next day on which it can differ though nothing more is recorded.

Until then only its day and the working days overdue move on. Whoever keeps statements (a projection)
works them out again on that day, and on no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final

from prakerja_ledger.domain.schemes import Programme, Scheme
from prakerja_ledger.domain.streams import Participant, ProgrammeStream, Stream
from prakerja_ledger.domain.time import date_of
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.view import View

_DAY: Final = timedelta(days=1)


def turns_on(
    participant: Participant,
    made: Statement | None,
    view: View,
    programme: Programme,
    programme_stream: ProgrammeStream,
) -> date | None:
    """The earliest day after D on which the statement can read differently; None where none will.

    `made` is the statement as of D, None where there is none yet. It may name a day too early (a
    cut-off that will not touch this participant), never one too late.
    """
    # A hold is a cause of unpaid money alone. Without any it could touch nobody before a day that is named
    # below; and rows that a hold leaves alone stay those that a rebuild would make.
    waits = made is not None and any(line.unpaid for line in made.lines)
    days = (
        *_learned(participant, view),
        *(_learned(programme_stream, view) if waits else ()),
        *(() if made is None else _of_lines(made, programme)),
    )
    return min((on for on in days if on > view.as_of), default=None)


def _learned(stream: Stream, view: View) -> Iterator[date]:
    """Facts dated ahead come into view; what was reported after D is late until the day it came."""
    bound = view.bound
    for event in stream.events:
        if event.recorded_at > bound or event.occurred_at > bound:
            yield date_of(event.occurred_at)
            yield date_of(event.recorded_at)


def _of_lines(made: Statement, programme: Programme) -> Iterable[date]:
    """Months and due dates of the lines, the scheme's cut-offs, and the end of the calendar."""
    scheme = programme.scheme(made.scheme)
    for line in made.lines:
        if line.earned_on is not None:
            yield line.earned_on
        if line.due_on is not None and line.unpaid:
            yield line.due_on + _DAY
    for cut_off in cut_offs(scheme):
        yield cut_off + _DAY
    yield programme.calendar.last + _DAY


def cut_offs(scheme: Scheme) -> Iterator[date]:
    """The days by which something had to be done under a scheme."""
    given = (
        scheme.first_course_by,
        scheme.surveys_by,
        scheme.account_linked_by,
        scheme.training_used_by,
    )
    return (on for on in given if on is not None)
