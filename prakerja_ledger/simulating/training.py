"""Training: what is bought, finished, certified and rated, and when the programme learns of it."""

from __future__ import annotations

from typing import Final

import numpy as np
from attrs import define

from prakerja_ledger.simulating import parameters as p
from prakerja_ledger.simulating.days import (
    DAY,
    day_of,
    midnight,
    number_of,
    within,
    working_days_after,
)
from prakerja_ledger.simulating.drawing import Flags, Ints, picked, threshold
from prakerja_ledger.simulating.log import ABSENT, Serial, Words
from prakerja_ledger.simulating.offers import (
    COURSES,
    FIRST_PLATFORM,
    OFFICE,
    PACKAGES,
    PLATFORMS,
    SINGLES,
)
from prakerja_ledger.simulating.people import SCHEMES, People, by_scheme

PURCHASED: Final = 30
REFUNDED: Final = 40
COMPLETED: Final = 50
CERTIFIED: Final = 60
RATED: Final = 70
"""Slots; to the last three the course's place among the participant's courses is added."""

_PRICE: Final = np.array([course.price for course in COURSES], dtype=np.int64)
_PACKAGE_PRICE: Final = np.array([package.price for package in PACKAGES], dtype=np.int64)
_PACKAGE_SIZE: Final = np.array([len(package.courses) for package in PACKAGES], dtype=np.int64)
_WIDEST: Final = int(_PACKAGE_SIZE.max())
_PACKAGE_COURSES: Final = np.array(
    [[*package.courses, *[0] * (_WIDEST - len(package.courses))] for package in PACKAGES]
)
_PACKAGES_OF: Final = [
    [n for n, package in enumerate(PACKAGES) if package.platform == place]
    for place in range(len(PLATFORMS))
]
_FIRST_PACKAGE: Final = np.array([own[0] for own in _PACKAGES_OF], dtype=np.int64)
_PACKAGE_COUNT: Final = np.array([len(own) for own in _PACKAGES_OF], dtype=np.int64)
_BALANCE: Final = by_scheme({s.id: s.training_balance for s in SCHEMES})
_LIMIT_DAYS: Final = by_scheme({s.id: s.first_purchase_days for s in SCHEMES})
_SHORT_LIMIT: Final = 15
_NORMAL_SCHEME: Final = 3
"""The first of the normal schemes, by place."""
_CUT_OFF: Final = midnight(SCHEMES[0].training_used_by or p.YEAR_END.value[0]) + DAY - 1
"""The last second in which 2020's balance can be used and its first course finished."""
METHODS: Final = ("prakerja", "e-money", "bank-transfer")


@define(eq=False)
class First:
    """The first purchase of each."""

    at: Ints
    known: Ints
    platform: Ints
    package: Ints
    """By place; -1: a single course."""
    price: Ints
    course: Ints
    """The course that is done first."""

    @property
    def is_package(self) -> Flags:
        """Whether it is one."""
        flags: Flags = self.package >= 0
        return flags

    def course_at(self, place: int) -> Ints:
        """The course at a place of the package."""
        found: Ints = _PACKAGE_COURSES[np.maximum(self.package, 0), place]
        return found

    @property
    def size(self) -> Ints:
        """Courses in it."""
        found: Ints = np.where(self.is_package, _PACKAGE_SIZE[np.maximum(self.package, 0)], 1)
        return found


def _buy(people: People) -> First:
    draws, count = people.draws, people.count
    short = _LIMIT_DAYS[people.scheme] == _SHORT_LIMIT
    lag = np.where(
        short,
        draws.lag(p.FIRST_PURCHASE_LAG_15.value, count),
        draws.lag(p.FIRST_PURCHASE_LAG.value, count),
    )
    over = (_LIMIT_DAYS[people.scheme] + 1) * DAY + draws.lag(p.LATE_BUYER_LAG.value, count)
    at = people.enrolled_at + np.where(people.buys_late, over, lag)
    platform = picked(draws.evenly(people.wave), tuple(p.PLATFORM_COURSES.value.values()))
    single = platform * SINGLES + draws.below(SINGLES, count)
    before = at < midnight(p.STOP_ON.value)
    in_package = np.where(
        before,
        draws.evenly(people.wave) < threshold(p.PACKAGE_SHARE.value),
        (people.scheme == 0) & draws.chance(p.SOLD_AFTER_STOP.value, count),
    )
    chosen = _FIRST_PACKAGE[platform] + draws.below(_PACKAGE_COUNT[platform], count)
    package = np.where(in_package, chosen, ABSENT)
    price = np.where(in_package, _PACKAGE_PRICE[chosen], _PRICE[single] * _factor(people.scheme))
    known = at + draws.lag(p.PARTNER_REPORT_LAG.value, count)
    first = First(at, known, platform, package, price, single)
    first.course = np.where(in_package, first.course_at(0), single)
    other = (platform + 1 + draws.below(len(PLATFORMS) - 1, count)) % len(PLATFORMS)
    elsewhere = in_package & draws.chance(p.PACKAGE_OTHER_SELLER.value, count)
    seller = np.where(elsewhere, other, platform)
    _purchase(people, people.buys, 0, at, known, seller, price, single, package, 0)
    return first


def _factor(scheme: Ints) -> Ints:
    found: Ints = np.where(scheme >= _NORMAL_SCHEME, p.NORMAL_PRICE_FACTOR.value, 1)
    return found


def _purchase(
    people: People,
    mask: Flags,
    nth: int,
    at: Ints,
    known: Ints,
    platform: Ints,
    price: Ints,
    single: Ints,
    package: Ints,
    method: Ints | int,
) -> None:
    count = people.count
    people.log.add(
        "training-purchased", mask, PURCHASED + nth, at, known, FIRST_PLATFORM + platform,
        purchase=Words("purchase", np.full(count, nth)),
        platform=Words("platform", platform),
        price=price,
        method=Words("method", np.broadcast_to(np.asarray(method), (count,))),
        courses=Words("courses", np.where(package >= 0, len(COURSES) + package, single)),
        package=Words("package", package),
    )  # fmt: skip


def _finish(people: People, first: First) -> Ints:
    """When the first course is completed; in 2020 by the cut-off, by a late few after it."""
    draws, count = people.draws, people.count
    done = first.at + draws.lag(p.COMPLETION_LAG.value, count)
    hurried = draws.between(first.at + 3_600, np.full(count, _CUT_OFF))
    done = np.where(people.in_2020 & (done > _CUT_OFF), hurried, done)
    too_late = people.in_2020 & people.buys & ~people.finishes
    too_late &= draws.chance(p.AFTER_THE_CUT_OFF.value, count)
    done = np.where(too_late, _CUT_OFF + draws.below(7 * DAY, count) + 1, done)
    people.finishes |= too_late
    return done


@define(eq=False)
class Study:
    """One course of each: whose, out of which purchase, and how it is reported."""

    mask: Flags
    nth: int
    """Its place among the participant's courses."""
    course: Ints
    platform: Ints
    bought_at: Ints
    bought_known: Ints
    done: Ints
    rated: Flags
    whole: Flags
    """Whether all three dimensions are rated, or the programme alone."""


def learn(people: People) -> None:
    """Buy, finish, certify, rate."""
    first = _buy(people)
    done = _finish(people, first)
    rated = ~people.draws.chance(p.NEVER_RATED.value, people.count)
    study = Study(
        people.finishes, 0, first.course, first.platform, first.at, first.known, done,
        rated, ~first.is_package,
    )  # fmt: skip
    reviewed = ~people.draws.chance(p.NEVER_REVIEWED.value, people.count)
    people.first_done, people.first_known = _report(people, study, reviewed)
    people.earns = people.finishes & rated & reviewed
    people.earned_on = day_of(np.maximum.reduce(people.first_done))
    _rest_of_package(people, first, done)
    _second(people, first, done)
    _elsewhere(people, first)


def _by_hand(people: People, at: Ints) -> Flags:
    """Whose report takes weeks: half of them in the backlog, a few at any time."""
    bound = np.where(
        within(day_of(at), *p.BACKLOG.value),
        threshold(p.BACKLOG_SHARE.value),
        threshold(p.LOST_REPORT.value),
    )
    flags: Flags = people.draws.some(people.count) < bound
    return flags


def _on_record(people: People, at: Ints, slow: Flags) -> Ints:
    """When a report of that time is on record: working days later, in office hours."""
    draws, count = people.draws, people.count
    lag = np.where(
        slow, draws.whole(p.BACKLOG_LAG.value, count), draws.whole(p.REPORT_LAG.value, count)
    )
    later = people.office_hours(working_days_after(day_of(at), lag))
    found: Ints = np.where(lag == 0, at + 300 + draws.below(3_600, count), later)
    return found


def _report(people: People, study: Study, reviewed: Flags) -> tuple[tuple[Ints, Ints, Ints], Ints]:
    """Completion, certificate and rating; gives their times, and the last one's record."""
    draws, count, done = people.draws, people.count, study.done
    source = FIRST_PLATFORM + study.platform
    name = Words("course", study.course)
    slow = _by_hand(people, done)
    known = np.maximum(_on_record(people, done, slow), study.bought_known)
    score = np.where(draws.chance(p.SCORED.value, count), 60 + draws.below(41, count), ABSENT)
    people.log.add(
        "course-completed", study.mask, COMPLETED + study.nth, done, known, source,
        course=name, score=score,
    )  # fmt: skip
    certified = done + draws.lag(p.CERTIFICATE_LAG.value, count)
    early = (done < midnight(p.STOP_ON.value)) & draws.chance(p.CERTIFICATE_TOO_EARLY.value, count)
    certified = np.where(early, np.maximum(done - DAY, study.bought_at + 60), certified)
    certificate_known = np.maximum(known, certified + 600)
    numbers = people.number - draws.chance(p.CERTIFICATE_TWICE.value, count)
    people.log.add(
        "certificate-issued", study.mask, CERTIFIED + study.nth, certified, certificate_known,
        source, course=name, certificate=Serial("C-", numbers, 9, np.full(count, study.nth)),
    )  # fmt: skip
    rated_at = done + draws.lag(p.RATED_LAG.value, count)
    dashboard = day_of(rated_at) >= number_of(p.RATED_ON_DASHBOARD_FROM.value)
    # until then a rating comes with the platform's report, or in one of its own
    reported = np.maximum(known, _on_record(people, rated_at, slow))
    rating_known = np.maximum(np.where(dashboard, rated_at, reported), study.bought_known)
    people.log.add(
        "course-rated", study.mask & study.rated, RATED + study.nth, rated_at, rating_known,
        np.where(dashboard, OFFICE, source),
        course=name,
        instructor=np.where(study.whole, _stars(people), ABSENT),
        facilities=np.where(study.whole, _stars(people), ABSENT),
        programme=_stars(people),
        reviewed=reviewed,
    )  # fmt: skip
    last = np.maximum(certificate_known, rating_known)
    return (done, certified, rated_at), np.maximum(known, last)


def _stars(people: People) -> Ints:
    return 5 - people.draws.pick(p.STARS.value, people.count)


def _rest_of_package(people: People, first: First, done: Ints) -> None:
    """The further courses of a package: some are finished, few rated, the later ones never."""
    draws, count = people.draws, people.count
    if not first.is_package.any():
        return
    nobody = np.zeros(count, dtype=np.bool_)
    for nth in range(1, _WIDEST):
        mask = people.finishes & first.is_package & (first.size > nth)
        mask &= draws.chance(p.PACKAGE_REST_FINISHED.value, count)
        later = done + draws.lag(p.PACKAGE_REST_LAG.value, count)
        rated = draws.chance(p.PACKAGE_REST_RATED.value, count) if nth == 1 else nobody
        study = Study(
            mask, nth, first.course_at(nth), first.platform, first.at, first.known, later,
            rated, nobody,
        )  # fmt: skip
        _report(people, study, people.everybody)


_SECOND: Final = _WIDEST
"""The place of the second purchase's course among a participant's courses."""


def _second(people: People, first: First, done: Ints) -> None:
    """A second single course from what is left of the balance."""
    draws, count = people.draws, people.count
    place = first.course - first.platform * SINGLES
    course = first.platform * SINGLES + (place + 1 + draws.below(SINGLES - 1, count)) % SINGLES
    left = (_BALANCE[people.scheme] - first.price) // 1_000 * 1_000
    price = np.minimum(_PRICE[course] * _factor(people.scheme), left)
    price = np.where(draws.chance(p.OVERSPENT.value, count), left + 50_000, price)
    at = first.at + draws.lag(p.SECOND_PURCHASE_LAG.value, count)
    mask = people.buys & ~first.is_package & (left >= p.PRICES.value[0][1])
    mask &= draws.chance(p.SECOND_COURSE.value, count) & ~(people.in_2020 & (at > _CUT_OFF))
    known = np.maximum(at + draws.lag(p.PARTNER_REPORT_LAG.value, count), first.known)
    none = np.full(count, ABSENT)
    _purchase(people, mask, 1, at, known, first.platform, price, course, none, 0)
    refunded = mask & draws.chance(p.REFUNDED.value, count)
    back = known + DAY + draws.below(9 * DAY, count)
    people.log.add(
        "purchase-refunded", refunded, REFUNDED, back, back + 3_600,
        FIRST_PLATFORM + first.platform,
        purchase=Words("purchase", np.ones(count, dtype=np.int64)), amount=price,
    )  # fmt: skip
    finished = mask & people.finishes & ~refunded & draws.chance(p.SECOND_FINISHED.value, count)
    later = np.maximum(at + draws.lag(p.COMPLETION_LAG.value, count), done + 3_600)
    study = Study(
        finished, _SECOND, course, first.platform, at, known, later,
        people.everybody, people.everybody,
    )  # fmt: skip
    _report(people, study, people.everybody)


def _elsewhere(people: People, first: First) -> None:
    """A package bought with money of one's own: nothing of the programme's, and no finding."""
    draws, count = people.draws, people.count
    mask = people.buys & (people.scheme == 0) & draws.chance(p.BOUGHT_ELSEWHERE.value, count)
    at = first.at + DAY + draws.below(60 * DAY, count)
    known = at + draws.lag(p.PARTNER_REPORT_LAG.value, count)
    package = _FIRST_PACKAGE[first.platform] + draws.below(_PACKAGE_COUNT[first.platform], count)
    method = 1 + draws.below(len(METHODS) - 1, count)
    _purchase(
        people,
        mask,
        2,
        at,
        known,
        first.platform,
        _PACKAGE_PRICE[package],
        package,
        package,
        method,
    )
