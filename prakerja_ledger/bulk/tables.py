"""Small tables that the rules join: schemes, lines, working days, causes. Data of the domain, never typed again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from prakerja_ledger.domain.schemes import POST_TRAINING, SURVEY, TRAINING, Programme, Scheme
from prakerja_ledger.domain.vocabulary import REASONS
from prakerja_ledger.reading.causes import OWNERS, Cause

SURVEYS_BEGIN: Final = 1_000_000
"""`place` orders the lines of a statement: 0 is training, then post-training/n at n, survey/n after this."""

Table = tuple[str, str, list[tuple[Any, ...]]]
"""Name, columns with their types, rows."""


def tables(programme: Programme) -> Iterable[Table]:
    """Every table that the rules join."""
    schemes = list(programme.schemes.values())
    yield _scheme_rules(schemes)
    yield _scheme_lines(schemes)
    yield _cash_places(schemes)
    yield ("holidays", "day DATE", [(day,) for day in sorted(programme.calendar.holidays)])
    yield ("windows", "days INTEGER", [(days,) for days in windows(programme)])
    yield _causes()
    yield (
        "reasons",
        "reason VARCHAR, owner VARCHAR",
        [(code, reason.owner.value) for code, reason in REASONS.items()],
    )


def _scheme_rules(schemes: Iterable[Scheme]) -> Table:
    return (
        "scheme_rules",
        (
            "scheme VARCHAR, waves_from HUGEINT, waves_until HUGEINT, waves_step HUGEINT, "
            "training_balance BIGINT, payment_window INTEGER, survey_payment_days INTEGER, "
            "first_purchase_days INTEGER, first_course_by DATE, surveys_by DATE, "
            "account_linked_by DATE, training_used_by DATE"
        ),
        [
            (
                one.id,
                one.waves.start,
                one.waves.stop,
                one.waves.step,
                one.training_balance,
                one.payment_window_working_days,
                one.survey_payment_days,
                one.first_purchase_days,
                one.first_course_by,
                one.surveys_by,
                one.account_linked_by,
                one.training_used_by,
            )
            for one in schemes
        ],
    )


def _scheme_lines(schemes: Iterable[Scheme]) -> Table:
    rows: list[tuple[Any, ...]] = []
    for one in schemes:
        rows.append((one.id, 0, TRAINING, False, 0, one.training_balance))
        for component, begin in ((POST_TRAINING, 0), (SURVEY, SURVEYS_BEGIN)):
            part = one.instalments(component)
            rows += [
                (one.id, begin + n, f"{component}/{n}", component == SURVEY, n, part.each)
                for n in range(1, part.count + 1)
            ]
    return (
        "scheme_lines",
        "scheme VARCHAR, place BIGINT, line VARCHAR, is_survey BOOLEAN, instalment BIGINT, amount BIGINT",
        rows,
    )


def _cash_places(schemes: Iterable[Scheme]) -> Table:
    """Every cash line that some scheme has: a disbursement can name no other."""
    found = {
        (begin + n, f"{component}/{n}", component == SURVEY, n)
        for one in schemes
        for component, begin in ((POST_TRAINING, 0), (SURVEY, SURVEYS_BEGIN))
        for n in range(1, one.instalments(component).count + 1)
    }
    return (
        "cash_places",
        "place BIGINT, line VARCHAR, is_survey BOOLEAN, instalment BIGINT",
        sorted(found),
    )


def windows(programme: Programme) -> list[int]:
    """Every number of working days that some rule counts."""
    found = {one.payment_window_working_days for one in programme.schemes.values()}
    return sorted(found | {LATE_AFTER})


LATE_AFTER: Final = 10
"""Section 5, REPORTED_LATE: the tenth working day after the fact."""


def bits() -> dict[str, int]:
    """Each cause as a bit of a set of causes, the first cause of a row the lowest."""
    return {cause.value: 1 << index for index, cause in enumerate(Cause)}


def _causes() -> Table:
    of = bits()
    return (
        "causes",
        "bit INTEGER, cause VARCHAR, owner VARCHAR",
        [
            (of[cause.value], cause.value, OWNERS[cause].value if cause in OWNERS else None)
            for cause in Cause
        ],
    )
