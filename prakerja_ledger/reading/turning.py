"""When a statement turns: the next day on which it can differ though nothing more is recorded.

Until then only its day and the working days overdue move on, and the participant's own findings stay as
they are. Whoever keeps both (a projection) works them out again on that day, and on no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final

from prakerja_ledger.domain.schemes import Programme, Scheme
from prakerja_ledger.domain.streams import Participant, ProgrammeStream, Stream
from prakerja_ledger.domain.time import date_of
from prakerja_ledger.reading.dossier import Dossier
from prakerja_ledger.reading.finding import Finding
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.view import View

_DAY: Final = timedelta(days=1)


def turns_on(
    dossier: Dossier,
    made: Statement,
    own: Iterable[Finding],
    programme: Programme,
    programme_stream: ProgrammeStream,
) -> date | None:
    """The earliest day after D on which statement or findings can differ; None where none will.

    `own` are the participant's own findings, with those dated after D. It may name a day too early (a
    cut-off that will not touch this participant), never one too late.
    """
    view = dossier.view
    days = (
        *learned(dossier.participant, view),
        *(learned(programme_stream, view) if is_touched(dossier, made) else ()),
        *_of_lines(made, programme),
        *(finding.on for finding in own),
    )
    return _first_after(view.as_of, days)


def enters_on(participant: Participant, view: View) -> date | None:
    """The earliest day after D on which a participant without a statement may have one."""
    return _first_after(view.as_of, learned(participant, view))


def is_touched(dossier: Dossier, made: Statement) -> bool:
    """Whether the programme's own facts can touch this participant.

    A hold is a cause of unpaid money alone, and a stop of package sales a finding of those who bought
    one. They touch nobody else before a day on which the statement turns anyhow.
    """
    return any(line.unpaid for line in made.lines) or any(
        bought.fact.package is not None for bought in dossier.purchases.values()
    )


def _first_after(day: date, days: Iterable[date]) -> date | None:
    return min((on for on in days if on > day), default=None)


def learned(stream: Stream, view: View) -> Iterator[date]:
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
