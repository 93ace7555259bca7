"""Findings that come of several participants: one shuffle of small facts, by account and certificate."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.reading.across import (
    Kind,
    Shareable,
    User,
    course_not_evaluable,
    package_bundles_courses,
    used_by_several,
)
from prakerja_ledger.reading.case import PackageInView, look_at_packages
from prakerja_ledger.spark.by_python import finding_message
from prakerja_ledger.spark.job import Job, Message, batch, messages
from prakerja_ledger.spark.law import Judged

_thing = attrgetter("code", "detail")


def shared(given: Iterable[Any], *, job: Job) -> Iterator[Any]:
    """Findings of uses, which come with all uses of one thing after another."""
    uses = (message for found in given for message in messages(found))
    for (kind, key), users in groupby(uses, _thing):
        thing = Shareable(Kind(kind), tuple(json.loads(key)))
        found = used_by_several(thing, dict(map(_user, users)))
        yield batch([finding_message(job, one) for one in found])


def _user(use: Message) -> tuple[User, Event]:
    course, source, id, occurred_at, recorded_at = use.said
    event = Event(
        source,
        id,
        use.subject,
        f.PaymentsResumed(),  # which fact it is has been looked at: findings name events
        Instant(occurred_at),
        Instant(recorded_at),
        use.place,
    )
    return (use.subject, course), event


def of_packages(job: Job, judged: Judged, evaluated: set[str]) -> Iterator[Message]:
    """Findings of packages, and of the courses that nobody lets one judge."""
    offering: dict[str, list[PackageInView]] = {}
    for package in look_at_packages(judged.packages, job.view).values():
        for one in package_bundles_courses(package):
            yield finding_message(job, one)
        for taught in package.fact.courses:
            offering.setdefault(taught.course, []).append(package)
    for course, packages in offering.items():
        if course not in evaluated:
            yield finding_message(job, course_not_evaluable(course, packages))
