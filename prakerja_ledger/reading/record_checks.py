"""Checks on the record: order, waves, and reports that came late (contract, section 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.events import order_of_events
from prakerja_ledger.reading.case import Case
from prakerja_ledger.reading.finding import Code, Finding

LATE_AFTER_WORKING_DAYS: Final = 10
"""A report that arrives on this working day after the event, or later, is late."""


def certificate_before_completion(case: Case) -> Iterator[Finding]:
    """A certificate before its course was completed, or of one that never was."""
    for course, certificate in case.d.certificates.items():
        completion = case.d.completions.get(course)
        if completion is None or order_of_events(certificate) < order_of_events(completion):
            yield case.finding(
                Code.CERTIFICATE_BEFORE_COMPLETION,
                certificate,
                detail={
                    "course": course,
                    "certificate": certificate.fact.certificate,  # type: ignore[attr-defined]
                },
                evidence=[completion],
            )


def survey_out_of_order(case: Case) -> Iterator[Finding]:
    """A survey submitted while one before it was not."""
    earlier: set[int] = set()
    for survey, event in case.d.surveys.items():
        if any(before not in earlier for before in range(1, survey)):
            yield case.finding(Code.SURVEY_OUT_OF_ORDER, event, detail={"survey": survey})
        earlier.add(survey)


def wave_outside_scheme(case: Case) -> Iterator[Finding]:
    """The wave that holds is not one of the scheme that holds."""
    seen = case.d.seen
    if seen.wave not in case.d.scheme.waves:
        yield case.finding(
            Code.WAVE_OUTSIDE_SCHEME,
            seen.enrolled,
            detail={"wave": seen.wave, "scheme": seen.scheme},
            evidence=[seen.correction],
        )


_REPORTED: Final = (f.CourseCompleted, f.CertificateIssued, f.CourseRated)


def reported_late(case: Case) -> Iterator[Finding]:
    """A report recorded on the tenth working day after the fact, or later."""
    calendar = case.programme.calendar
    for event in case.d.seen.events:
        if event.recorded_at is event.occurred_at or not isinstance(event.fact, _REPORTED):
            continue
        on, learned_on = event.occurred_on, event.recorded_on
        if (learned_on - on).days < LATE_AFTER_WORKING_DAYS:
            continue  # so many working days never fit into fewer days of the calendar
        try:
            limit = calendar.after(on, LATE_AFTER_WORKING_DAYS)
        except CalendarTooShort as error:
            if not calendar.first <= on <= case.d.view.as_of <= calendar.last:
                case.undecided.append((event.subject, error))
            continue  # else the tenth working day lies after the list, and so after D
        if learned_on >= limit:
            yield case.finding(
                Code.REPORTED_LATE,
                event,
                on=limit,
                detail={"type": event.fact.kind, "course": event.fact.course},
            )


RECORD_CHECKS: Final = (
    certificate_before_completion,
    survey_out_of_order,
    wave_outside_scheme,
    reported_late,
)
