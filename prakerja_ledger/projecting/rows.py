"""Rows: what a projection keeps, made by the law's own statement and findings.

Nothing is worked out here: a row is a statement, or a finding, written down. What moves with every day
(the working days overdue) is left to the tables, which hold the due date and the calendar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import Any, Final

import msgspec
from attrs import frozen

from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant, ProgrammeStream
from prakerja_ledger.reading.across import evaluated_courses, package_bundles_courses, uses_of
from prakerja_ledger.reading.case import Case, PackageInView, Packages
from prakerja_ledger.reading.causes import Because
from prakerja_ledger.reading.dossier import Dossier, ProgrammeInView, open_dossier
from prakerja_ledger.reading.finding import Finding, in_order_of_findings
from prakerja_ledger.reading.findings import own_findings
from prakerja_ledger.reading.pages import listed
from prakerja_ledger.reading.permission import answer_for
from prakerja_ledger.reading.statement import (
    AMOUNTS,
    Statement,
    StatementLine,
    Status,
    statement_of,
)
from prakerja_ledger.reading.turning import enters_on, turns_on
from prakerja_ledger.reading.view import View, look

Row = tuple[Any, ...]

PARTICIPANT_COLUMNS: Final = (
    "participant",
    "wave",
    "scheme",
    "standing",
    "turns_on",
    "problem",
    "unjudged",
)
LINE_COLUMNS: Final = (
    "participant",
    "line",
    "place",
    "wave",
    "scheme",
    "standing",
    "amount",
    "status",
    *AMOUNTS,
    "earned_on",
    "due_on",
    "cause",
    "owner",
    "may_pay",
    "causes",
    "evidence",
)
FINDING_COLUMNS: Final = (
    "subject",
    "date",
    "code",
    "detail",
    "alike",
    "amount",
    "evidence",
    "origin",
)
USE_COLUMNS: Final = ("who", "kind", "key", "part")
PARTICIPANT: Final = "participant"
PACKAGE: Final = "package"
_LONGEST_KEY: Final = 100


class Use(StrEnum):
    """Why one participant or package concerns the findings of others."""

    ACCOUNT = "account"
    CERTIFICATE = "certificate"
    EVALUATED = "evaluated"
    """A participant lets one judge a course."""
    BOUGHT = "bought"
    """A participant bought a package."""
    OFFERED = "offered"
    """A package offers a course."""


def key_of(*names: str) -> str:
    """Names as one text that is short enough for any index, and the same for no others."""
    text = _text(names)
    if len(text) <= _LONGEST_KEY:
        return text
    return sha256(text.encode()).hexdigest()


_course = lru_cache(maxsize=1 << 16)(key_of)
"""The key of a course: a few thousand of them are met millions of times."""


def origin_of(kind: Use | str, key: str) -> str:
    """What findings are made anew with: a participant, a package, or all who use one thing."""
    return f"{kind} {key}"


@frozen
class OwnRows:
    """What a projection keeps of one participant, or of one package."""

    id: str
    origin: str
    about: Row
    """The participant's; empty for a package."""
    lines: list[Row] | None
    """None: it is a package."""
    findings: list[Row]
    uses: list[Row]


def rows_of(
    participant: Participant,
    view: View,
    programme: Programme,
    programme_stream: ProgrammeStream,
    around: ProgrammeInView,
    packages: Packages,
) -> OwnRows:
    """The rows of a participant as of a day; of one without a statement yet only who it is.

    Who cannot be judged because the list of holidays is too short keeps a row that says so.
    """
    origin = origin_of(PARTICIPANT, key_of(participant.id))
    seen = look(participant, view)
    if seen is None:
        turns = enters_on(participant, view)
        row = (participant.id, None, None, None, _day(turns), None, None)
        return OwnRows(participant.id, origin, row, [], [], [])
    dossier = open_dossier(seen, view, programme)
    made, problem = _statement(dossier, programme, around)
    undated = made or statement_of(dossier, programme, around, undated=True)
    undecided: list[tuple[str, CalendarTooShort]] = []
    own = own_findings(Case(dossier, undated, programme, around, packages, undecided))
    if made is None:
        turns = view.as_of + timedelta(days=1)
    else:
        turns = turns_on(dossier, made, own, programme, programme_stream)
    about = (None, None, None) if made is None else (made.wave, made.scheme, made.standing.value)
    unjudged = str(undecided[0][1]) if undecided else None
    return OwnRows(
        participant.id,
        origin,
        (participant.id, *about, _day(turns), problem, unjudged),
        [] if made is None else _lines(made),
        finding_rows(origin, (one for one in own if one.on <= view.as_of)),
        list(_uses(dossier)),
    )


def _statement(
    dossier: Dossier, programme: Programme, around: ProgrammeInView
) -> tuple[Statement | None, str | None]:
    try:
        return statement_of(dossier, programme, around), None
    except CalendarTooShort as error:
        return None, str(error)


def _uses(dossier: Dossier) -> Iterator[Row]:
    who = dossier.participant.id
    for thing, (_, course) in uses_of(dossier):
        yield who, Use(thing.kind).value, key_of(*thing.key), _course(course) if course else ""
    for course in evaluated_courses(dossier):
        yield who, Use.EVALUATED.value, _course(course), ""
    for package in {bought.fact.package for bought in dossier.purchases.values()} - {None}:
        yield who, Use.BOUGHT.value, key_of(str(package)), ""


def package_rows(id: str, package: PackageInView | None) -> OwnRows:
    """The rows of a package; None where no offer is in view."""
    origin = origin_of(PACKAGE, key_of(id))
    if package is None:
        return OwnRows(id, origin, (), None, [], [])
    courses = sorted({one.course for one in package.fact.courses})
    return OwnRows(
        id,
        origin,
        (),
        None,
        finding_rows(origin, package_bundles_courses(package)),
        [(id, Use.OFFERED.value, key_of(course), "") for course in courses],
    )


def finding_rows(origin: str, findings: Iterable[Finding]) -> list[Row]:
    """Findings of one origin. Those alike up to their evidence have one origin: it can count them."""
    rows = []
    for one in listed(in_order_of_findings(findings)):
        on, subject, code, detail, alike = one.place
        about = subject, on.isoformat(), code.value, detail, alike, one.amount
        rows.append((*about, _evidence(one.evidence), origin))
    return rows


_encode = msgspec.json.Encoder().encode
_amounts = attrgetter(*AMOUNTS)


def _text(value: Any) -> str:
    return _encode(value).decode()


def _evidence(identities: Iterable[tuple[str, str]]) -> str:
    return _text([{"source": source, "id": id} for source, id in identities])


def _lines(made: Statement) -> list[Row]:
    about = made.participant, made.wave, made.scheme, made.standing.value
    names: dict[int, str] = {}  # most facts are evidence of several lines
    rows = []
    for place, line in enumerate(made.lines):
        found = line.evidence
        for event in found:
            if event.position not in names:
                names[event.position] = _text({"source": event.source, "id": event.id})
        evidence = ",".join([names[event.position] for event in found])
        rows.append(_line(about, place, line, f"[{evidence}]"))
    return rows


def _line(about: Row, place: int, one: StatementLine, evidence: str) -> Row:
    participant, *rest = about
    return (
        participant,
        one.line,
        place,
        *rest,
        one.amount,
        one.status.value,
        *_amounts(one),
        _day(one.earned_on),
        _day(one.due_on),
        *_because(one.status, one.causes),
        evidence,
    )


@lru_cache(maxsize=4096)
def _because(status: Status, causes: tuple[Because, ...]) -> Row:
    """The first cause, its owner, whether the line may be paid, and all causes."""
    may = answer_for(status, (because.cause for because in causes)).value
    if not causes:
        return None, None, may, "[]"
    named = _text([because.cause.value for because in causes])
    return causes[0].cause.value, causes[0].owner.value, may, named


@lru_cache(maxsize=1 << 14)
def _day(on: date | None) -> str | None:
    return None if on is None else on.isoformat()
