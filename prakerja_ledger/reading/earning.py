"""How cash lines are earned: the date, what it rests on, what is missing (contract, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from operator import attrgetter
from typing import Final

from attrs import define

from prakerja_ledger.domain.events import Event, order_of_events
from prakerja_ledger.domain.schemes import (
    FIRST_INCENTIVE,
)
from prakerja_ledger.domain.time import date_of, months_after
from prakerja_ledger.reading.causes import BECAUSE, Because, Cause
from prakerja_ledger.reading.dossier import (
    Dossier,
    Settlement,
)


@define(eq=False)
class Earning:
    """How a cash line is earned: the date, what it rests on, what is missing."""

    on: date | None
    rests_on: Sequence[Event]
    """The events that the earned date rests on."""
    shown: Sequence[Event]
    """The evidence of the line before payments and causes, in any order."""
    missing: tuple[Because, ...]
    """The causes of a line that is not earned."""


_occurred_at = attrgetter("occurred_at")


def first_incentive_earning(d: Dossier) -> Earning:
    """post-training/1: the first course completed, certified, rated and reviewed."""
    course = d.first_course
    if course is None:
        missing = Cause.COURSE_NOT_COMPLETED if d.counting else Cause.NO_PURCHASE
        return Earning(None, (), (), (BECAUSE[missing],))
    ratings = d.ratings.get(course)
    certificate = d.certificates.get(course)
    reviewed = None if ratings is None else ratings.reviewed
    missing_causes = []
    if certificate is None:
        missing_causes.append(BECAUSE[Cause.CERTIFICATE_NOT_ON_RECORD])
    if ratings is None:
        missing_causes.append(BECAUSE[Cause.RATING_NOT_ON_RECORD])
    if reviewed is None:
        missing_causes.append(BECAUSE[Cause.REVIEW_NOT_ON_RECORD])
    rated = None if ratings is None else ratings.first
    needed = (d.completions[course], certificate, rated, reviewed)
    there = [event for event in needed if event is not None]
    on = None if missing_causes else date_of(max(map(_occurred_at, there)))
    shown = (d.counting_courses[course].event, *there)
    return Earning(on, there, shown, tuple(missing_causes))


_MONTH_NOT_REACHED: Final = (BECAUSE[Cause.MONTH_NOT_REACHED],)


def later_incentive_earning(first: Earning, k: int, *, first_is_earned: bool) -> Earning:
    """post-training/k, k ≥ 2: k-1 months after the first; never needs a second course."""
    on = None if first.on is None else months_after(first.on, k - 1)
    missing = _MONTH_NOT_REACHED if first_is_earned else first.missing
    return Earning(on, first.rests_on, first.shown, missing)


def first_settlement(d: Dossier) -> Settlement | None:
    """The first money that arrived on post-training/1; a later return does not undo it."""
    transfers = d.lines.get(FIRST_INCENTIVE)
    if transfers is None:
        return None
    settlements = transfers.settlements
    if len(settlements) == 1:
        return settlements[0]
    return min(settlements, key=lambda one: order_of_events(one.event), default=None)


def survey_earning(
    d: Dossier, n: int, first: Earning, settlement: Settlement | None, *, first_is_earned: bool
) -> Earning:
    """survey/n: the first incentive earned and paid, and surveys 1 to n submitted in time."""
    submitted = d.counting_surveys
    submissions = [submitted[m] for m in range(1, n + 1) if m in submitted] if submitted else []
    missing = []
    if not first_is_earned or settlement is None:
        missing.append(BECAUSE[Cause.FIRST_INCENTIVE_NOT_PAID])
    if d.first_survey_missing < n:
        missing.append(BECAUSE[Cause.EARLIER_SURVEY_NOT_SUBMITTED])
    if n not in submitted:
        missing.append(BECAUSE[Cause.SURVEY_NOT_SUBMITTED])
    there = submissions if settlement is None else [*submissions, settlement.event]
    on = None
    if first.on is not None and settlement is not None and len(submissions) == n:
        on = max(first.on, date_of(max(map(_occurred_at, there))))
    return Earning(on, [*first.rests_on, *there], there, tuple(missing))
