"""What the programme office and the platforms do for everybody: the hold, the stop, the packages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from attrs import frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.simulating import parameters as p
from prakerja_ledger.simulating.days import midnight
from prakerja_ledger.simulating.offers import (
    COURSES,
    FIRST_PLATFORM,
    OFFICE,
    PACKAGES,
    PLATFORMS,
    SOURCES,
)


@frozen(kw_only=True)
class Single:
    """One event by itself."""

    subject: str
    source: str
    id: str
    at: int
    fact: f.Fact


def events() -> list[Single]:
    """The events of the packages and the programme, in the order of recording."""
    made = sorted([*_packages(), *_programme()], key=lambda one: (one.at, one.subject))
    assert [one for one in made if one.subject == "programme"], "the programme has its say"
    return made


def _packages() -> Iterator[Single]:
    for n, package in enumerate(PACKAGES, 1):
        platform = PLATFORMS[package.platform]
        said: dict[str, Any] = {
            "subject": package.id,
            "source": SOURCES[FIRST_PLATFORM + package.platform],
        }
        courses = tuple(
            f.Course(course=COURSES[c].id, institution=COURSES[c].institution)
            for c in package.courses
        )
        offer = f.PackageOffered(platform=platform, price=package.price, courses=courses)
        yield Single(
            id=f"offer-{n:03}", at=_clock(p.PACKAGES_OFFERED_ON.value, n), fact=offer, **said
        )
        if package.withdrawn:
            after = p.STOP_ON.value + timedelta(days=n % 3)
            withdrawal = f.PackageWithdrawn(reason=f"letter {p.STOP_NOTICE.value}")
            yield Single(id=f"withdrawal-{n:03}", at=_clock(after, n), fact=withdrawal, **said)


def _programme() -> Iterator[Single]:
    first, last = p.HOLD.value
    days = (first, last + timedelta(days=1), p.STOP_ON.value)
    facts = (
        f.PaymentsHeld(reason="review by the Committee and oversight bodies"),
        f.PaymentsResumed(),
        f.PackageSalesStopped(
            notice=p.STOP_NOTICE.value,
            effective=p.STOP_ON.value,
            platforms=tuple(sorted(PLATFORMS)),
        ),
    )
    for n, (on, fact) in enumerate(zip(days, facts, strict=True), 1):
        at = midnight(on) if n == 1 else _clock(on, 0)
        yield Single(
            subject="programme", source=SOURCES[OFFICE], id=f"notice-{n}", at=at, fact=fact
        )


def _clock(on: date, minutes: int) -> int:
    return midnight(on) + 8 * 3_600 + minutes * 60
