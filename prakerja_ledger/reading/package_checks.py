"""Checks on training: packages, the balance, courses and their reports (contract, section 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import order_of_events
from prakerja_ledger.domain.time import days_after
from prakerja_ledger.domain.vocabulary import DIMENSIONS
from prakerja_ledger.reading.case import Case
from prakerja_ledger.reading.dossier import (
    Bought,
    Dossier,
    Settlement,
)
from prakerja_ledger.reading.finding import Code, Finding


def package_other_platform(case: Case) -> Iterator[Finding]:
    """A package was sold by another platform than its offer names."""
    for bought in case.d.purchases.values():
        package = case.packages.get(bought.fact.package or "")
        if package is not None and bought.fact.platform != package.fact.platform:
            yield case.finding(
                Code.PACKAGE_OTHER_PLATFORM,
                bought.event,
                amount=bought.fact.price,
                detail={
                    "purchase": bought.fact.purchase,
                    "package": bought.fact.package,
                    "platform": bought.fact.platform,
                    "offered_by": package.fact.platform,
                },
                evidence=[package.offer],
            )


def package_sold_after_stop(case: Case) -> Iterator[Finding]:
    """A package was sold, from the training balance, on or after the day its sale was stopped."""
    stops = case.around.stops
    for bought in case.d.purchases.values():
        fact = bought.fact
        if not stops or fact.package is None or fact.method != "prakerja":
            continue
        stop = case.around.stop_of(fact.platform)
        if stop is None:
            continue
        ordered: f.PackageSalesStopped = stop.fact  # type: ignore[assignment]
        if bought.event.occurred_on >= ordered.effective:
            yield case.finding(
                Code.PACKAGE_SOLD_AFTER_STOP,
                bought.event,
                amount=fact.price,
                detail={
                    "purchase": fact.purchase,
                    "package": fact.package,
                    "platform": fact.platform,
                    "notice": ordered.notice,
                    "effective": ordered.effective.isoformat(),
                },
                evidence=[stop],
            )


def cash_before_package_done(case: Case) -> Iterator[Finding]:
    """Cash arrived while a course of a counting package purchase was not completed (finding 2)."""
    d = case.d
    packages = [bought for bought in d.counting if bought.fact.package is not None]
    if not packages or not d.settlements:
        return
    settlements = sorted(d.settlements, key=lambda one: order_of_events(one.event))
    cash = sum(one.amount for one in settlements)
    for bought in packages:
        hit = _first_settlement_before_done(d, bought, settlements)
        if hit is not None:
            settlement, still_open = hit
            yield case.finding(
                Code.CASH_BEFORE_PACKAGE_DONE,
                settlement.event,
                amount=cash,
                detail={
                    "purchase": bought.fact.purchase,
                    "package": bought.fact.package,
                    "open": sorted(still_open),
                    "finished_on": _finished_on(d, bought),
                },
                evidence=[bought.event],
            )


def _first_settlement_before_done(
    d: Dossier, bought: Bought, settlements: list[Settlement]
) -> tuple[Settlement, list[str]] | None:
    bought_on = bought.event.occurred_on
    for settlement in settlements:
        on = settlement.event.occurred_on
        if on < bought_on:
            continue
        still_open = [
            one.course
            for one in bought.fact.courses
            if one.course not in d.completions or d.completions[one.course].occurred_on > on
        ]
        if still_open:
            return settlement, still_open
    return None


def _finished_on(d: Dossier, bought: Bought) -> str | None:
    """When the last course of a purchase was completed; None while one is open."""
    dates = [d.completions.get(one.course) for one in bought.fact.courses]
    done = [event.occurred_on for event in dates if event is not None]
    return max(done).isoformat() if len(done) == len(dates) else None


def course_unrated(case: Case) -> Iterator[Finding]:
    """A finished course of a package is not rated in all three dimensions (finding 3)."""
    d = case.d
    for bought in d.counting:
        if bought.fact.package is None:
            continue
        for one in bought.fact.courses:
            completion = d.completions.get(one.course)
            ratings = d.ratings.get(one.course)
            rated = ratings.dimensions if ratings is not None else ()
            missing = [name for name in DIMENSIONS if name not in rated]
            if completion is not None and missing:
                yield case.finding(
                    Code.COURSE_UNRATED,
                    completion,
                    detail={
                        "purchase": bought.fact.purchase,
                        "course": one.course,
                        "institution": one.institution,
                        "platform": bought.fact.platform,
                        "missing": missing,
                    },
                    evidence=[bought.event],
                )


def balance_overspent(case: Case) -> Iterator[Finding]:
    """More was spent than the training balance holds."""
    d = case.d
    overpaid = case.statement.lines[0].overpaid
    if overpaid <= 0:
        return
    moves = [(bought.event, bought.fact.price) for bought in d.counting] + [
        (refund, -refund.fact.amount)  # type: ignore[attr-defined]
        for bought in d.counting
        for refund in bought.refunds
    ]
    moves.sort(key=lambda move: order_of_events(move[0]))
    spent = 0
    for event, amount in moves:
        spent += amount
        if amount >= 0 and spent > d.scheme.training_balance:
            yield case.finding(
                Code.BALANCE_OVERSPENT,
                event,
                amount=overpaid,
                evidence=[move for move, _ in moves],
            )
            return


def first_purchase_late(case: Case) -> Iterator[Finding]:
    """No counting purchase within the scheme's days after enrolment."""
    d = case.d
    enrolled = d.seen.enrolled
    limit = days_after(enrolled.occurred_on, d.scheme.first_purchase_days)
    late_on = None if limit is None else days_after(limit, 1)
    if limit is None or late_on is None or d.revocation is not None:
        return
    first = d.counting[0].event if d.counting else None
    if first is None or first.occurred_on > limit:
        yield case.finding(
            Code.FIRST_PURCHASE_LATE,
            enrolled,
            on=late_on,
            detail={"limit": limit.isoformat()},
            evidence=[first],
        )


PACKAGE_CHECKS: Final = (
    package_other_platform,
    package_sold_after_stop,
    cash_before_package_done,
    course_unrated,
    balance_overspent,
    first_purchase_late,
)
