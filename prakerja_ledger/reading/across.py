"""Findings that no participant shows alone: what two share, and courses that nobody can judge.

What each participant puts in is said here (`uses_of`, `evaluated_courses`), and what follows from all of
it together. Whoever keeps the first can work out the second for one account or course at a time.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from attrs import frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event, order_of_events
from prakerja_ledger.reading.case import PackageInView
from prakerja_ledger.reading.dossier import Dossier
from prakerja_ledger.reading.finding import Code, Finding
from prakerja_ledger.reading.view import each_once


class Kind(StrEnum):
    """What each one should have alone."""

    ACCOUNT = "account"
    CERTIFICATE = "certificate"


@frozen
class Shareable:
    """An account, by its provider and number, or a certificate, by its number."""

    kind: Kind
    key: tuple[str, ...]


User = tuple[str, str]
"""A participant, and the course that a certificate is of ("" for an account)."""
Users = Mapping[User, Event]
"""Who uses one thing, each with the first fact that says so."""


def uses_of(dossier: Dossier) -> dict[tuple[Shareable, User], Event]:
    """The accounts and certificates of a participant, each with the first fact that says so."""
    who = dossier.participant.id
    found: dict[tuple[Shareable, User], Event] = {}
    for move in dossier.account_moves:
        fact = move.fact
        if isinstance(fact, f.AccountLinked):
            account = Shareable(Kind.ACCOUNT, (fact.provider, fact.account))
            found.setdefault((account, (who, "")), move)
    for course, event in dossier.certificates.items():
        number: str = event.fact.certificate  # type: ignore[attr-defined]
        found[Shareable(Kind.CERTIFICATE, (number,)), (who, course)] = event
    return found


def used_by_several(thing: Shareable, users: Users) -> Iterator[Finding]:
    """The findings of everybody who uses what somebody else uses too."""
    if len(users) < 2:
        return
    by_order = sorted(users.items(), key=lambda item: order_of_events(item[1]))
    first, second = by_order[0][1], by_order[1][1]
    for rank, ((who, course), own) in enumerate(by_order):
        dated_by, other = (second, second) if rank == 0 else (own, first)
        yield Finding(
            code=_CODES[thing.kind],
            subject=who,
            on=dated_by.occurred_on,
            amount=None,
            detail=_shared(thing, course, len(users)),
            evidence=each_once((own, other)),
        )


_CODES: Final = {
    Kind.ACCOUNT: Code.SHARED_ACCOUNT,
    Kind.CERTIFICATE: Code.DUPLICATE_CERTIFICATE,
}


def _shared(thing: Shareable, course: str, users: int) -> dict[str, str | int]:
    if thing.kind is Kind.ACCOUNT:
        provider, account = thing.key
        return {"provider": provider, "account": account, "participants": users}
    (number,) = thing.key
    return {"course": course, "certificate": number, "pairs": users}


def evaluated_courses(dossier: Dossier) -> set[str]:
    """The courses that a participant lets one judge: rated, or bought outside a package."""
    found = set(dossier.ratings)
    for bought in dossier.purchases.values():
        if bought.fact.package is None:
            found.update(one.course for one in bought.fact.courses)
    return found


def package_bundles_courses(package: PackageInView) -> Iterator[Finding]:
    """The finding of a package that bundles courses."""
    courses = package.fact.courses
    if len(courses) > 1:
        yield Finding(
            code=Code.PACKAGE_BUNDLES_COURSES,
            subject=package.id,
            on=package.offer.occurred_on,
            amount=package.fact.price,
            detail={
                "courses": len(courses),
                "institutions": len({one.institution for one in courses}),
            },
            evidence=(package.offer,),
        )


def course_not_evaluable(course: str, packages: Iterable[PackageInView]) -> Finding:
    """The finding of a course that these packages offer and nobody lets one judge."""
    offering = list(packages)
    evidence = each_once(package.offer for package in offering)
    return Finding(
        code=Code.COURSE_NOT_EVALUABLE,
        subject=course,
        on=evidence[0].occurred_on,
        amount=None,
        detail={"packages": sorted(package.id for package in offering)},
        evidence=evidence,
    )


def across(
    uses: Mapping[Shareable, Users],
    packages: Mapping[str, PackageInView],
    evaluated: Container[str],
) -> Iterator[Finding]:
    """All findings of this kind, of what everybody put in together."""
    for thing, users in uses.items():
        yield from used_by_several(thing, users)
    offering: dict[str, list[PackageInView]] = {}
    for package in packages.values():
        yield from package_bundles_courses(package)
        for one in package.fact.courses:
            offering.setdefault(one.course, []).append(package)
    for course, offers in offering.items():
        if course not in evaluated:
            yield course_not_evaluable(course, offers)
