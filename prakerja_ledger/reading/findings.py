"""Findings: facts that break a rule, dated, with the rupiah at stake and their evidence (section 5).

A finding accuses no one: it names a fact, the rule and the documents. Three kinds look across
participants (a shared account, a certificate number used twice, a course that nobody can evaluate);
`Findings` gathers what they need while participants go by, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from enum import StrEnum
from typing import Any, Final

from attrs import define, field, frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.events import Event, order_of_events
from prakerja_ledger.domain.schemes import Line, Programme
from prakerja_ledger.domain.streams import Package
from prakerja_ledger.domain.time import days_after
from prakerja_ledger.domain.vocabulary import DIMENSIONS
from prakerja_ledger.reading.dossier import (
    Bought,
    Dossier,
    ProgrammeInView,
    Settlement,
    Transfer,
    Transfers,
)
from prakerja_ledger.reading.statement import Statement, StatementLine, each_once
from prakerja_ledger.reading.view import View, events_in_view


class Code(StrEnum):
    """Every finding."""

    PACKAGE_BUNDLES_COURSES = "PACKAGE_BUNDLES_COURSES"
    PACKAGE_OTHER_PLATFORM = "PACKAGE_OTHER_PLATFORM"
    PACKAGE_SOLD_AFTER_STOP = "PACKAGE_SOLD_AFTER_STOP"
    CASH_BEFORE_PACKAGE_DONE = "CASH_BEFORE_PACKAGE_DONE"
    COURSE_UNRATED = "COURSE_UNRATED"
    COURSE_NOT_EVALUABLE = "COURSE_NOT_EVALUABLE"
    BALANCE_OVERSPENT = "BALANCE_OVERSPENT"
    FIRST_PURCHASE_LATE = "FIRST_PURCHASE_LATE"
    PAID_UNEARNED = "PAID_UNEARNED"
    PAID_TWICE = "PAID_TWICE"
    PAID_AFTER_REVOCATION = "PAID_AFTER_REVOCATION"
    PAID_WITHOUT_VERIFIED_ACCOUNT = "PAID_WITHOUT_VERIFIED_ACCOUNT"
    PAID_TO_OTHER_ACCOUNT = "PAID_TO_OTHER_ACCOUNT"
    SETTLED_AFTER_FAILURE = "SETTLED_AFTER_FAILURE"
    INSTRUCTED_UNDULY = "INSTRUCTED_UNDULY"
    SHARED_ACCOUNT = "SHARED_ACCOUNT"
    DUPLICATE_CERTIFICATE = "DUPLICATE_CERTIFICATE"
    CERTIFICATE_BEFORE_COMPLETION = "CERTIFICATE_BEFORE_COMPLETION"
    SURVEY_OUT_OF_ORDER = "SURVEY_OUT_OF_ORDER"
    WAVE_OUTSIDE_SCHEME = "WAVE_OUTSIDE_SCHEME"
    REPORTED_LATE = "REPORTED_LATE"


LATE_AFTER_WORKING_DAYS: Final = 10
"""A report that arrives on this working day after the event, or later, is late."""


@frozen(kw_only=True, eq=False)
class Finding:
    """One fact that breaks a rule."""

    code: Code
    subject: str
    on: date
    """The WIB date of the fact that dates it."""
    amount: int | None
    """Whole rupiah at stake, or None."""
    detail: dict[str, Any]
    """JSON values, in the order of the contract."""
    evidence: tuple[Event, ...]


@define(eq=False)
class PackageInView:
    """A package whose offer is in view."""

    id: str
    offer: Event
    fact: f.PackageOffered


def look_at_packages(packages: Iterable[Package], view: View) -> dict[str, PackageInView]:
    """The offers in view, by package; the first where a hidden void leaves two."""
    found: dict[str, PackageInView] = {}
    for package in packages:
        for event in events_in_view(package, view):
            if isinstance(event.fact, f.PackageOffered):
                found[package.id] = PackageInView(package.id, event, event.fact)
                break
    return found


@define(eq=False)
class _Use:
    """Who else used one account or one certificate number: (who, first event) in any order."""

    first: dict[tuple[str, ...], Event] = field(factory=dict)


@define(eq=False)
class Findings:
    """Collects the findings of one view while participants with a statement go by."""

    view: View
    programme: Programme
    around: ProgrammeInView
    packages: dict[str, PackageInView]
    found: list[Finding] = field(init=False, factory=list)
    undecided: list[tuple[str, CalendarTooShort]] = field(init=False, factory=list)
    """Participants of whom the list of holidays is too short to judge a finding, and why."""
    _accounts: dict[tuple[str, str], _Use] = field(init=False, factory=dict)
    _certificates: dict[str, _Use] = field(init=False, factory=dict)
    _evaluable: set[str] = field(init=False, factory=set)

    def take(self, dossier: Dossier, statement: Statement) -> list[Finding]:
        """Gather one participant; returns the findings that are theirs alone."""
        own: list[Finding] = []
        case = Case(dossier, statement, self)
        for check in _CHECKS:
            own += check(case)
        own = [finding for finding in own if finding.on <= self.view.as_of]
        self.found += own
        self._remember(dossier)
        return own

    def _remember(self, d: Dossier) -> None:
        who = d.participant.id
        for move in d.account_moves:
            fact = move.fact
            if isinstance(fact, f.AccountLinked):
                use = self._accounts.setdefault((fact.provider, fact.account), _Use())
                use.first.setdefault((who,), move)
        for course, event in d.certificates.items():
            number = event.fact.certificate  # type: ignore[attr-defined]
            self._certificates.setdefault(number, _Use()).first[who, course] = event
        self._evaluable |= d.ratings.keys()
        for bought in d.purchases.values():
            if bought.fact.package is None:
                self._evaluable.update(one.course for one in bought.fact.courses)

    def all(self) -> list[Finding]:
        """Every finding, sorted as the contract sorts them."""
        found = [
            *self.found,
            *self._bundles(),
            *self._not_evaluable(),
            *self._shared_accounts(),
            *self._duplicate_certificates(),
        ]
        return in_order_of_findings(found)

    def _bundles(self) -> Iterator[Finding]:
        for package in self.packages.values():
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

    def _not_evaluable(self) -> Iterator[Finding]:
        offers: dict[str, list[PackageInView]] = {}
        for package in self.packages.values():
            for one in package.fact.courses:
                offers.setdefault(one.course, []).append(package)
        for course, packages in offers.items():
            if course not in self._evaluable:
                evidence = each_once(package.offer for package in packages)
                yield Finding(
                    code=Code.COURSE_NOT_EVALUABLE,
                    subject=course,
                    on=evidence[0].occurred_on,
                    amount=None,
                    detail={"packages": sorted(package.id for package in packages)},
                    evidence=evidence,
                )

    def _shared_accounts(self) -> Iterator[Finding]:
        for (provider, account), use in self._accounts.items():
            detail = {"provider": provider, "account": account, "participants": len(use.first)}
            for (who,), dated_by, evidence in _shared(use):
                yield Finding(
                    code=Code.SHARED_ACCOUNT,
                    subject=who,
                    on=dated_by.occurred_on,
                    amount=None,
                    detail=detail,
                    evidence=evidence,
                )

    def _duplicate_certificates(self) -> Iterator[Finding]:
        for certificate, use in self._certificates.items():
            for (who, course), dated_by, evidence in _shared(use):
                yield Finding(
                    code=Code.DUPLICATE_CERTIFICATE,
                    subject=who,
                    on=dated_by.occurred_on,
                    amount=None,
                    detail={
                        "course": course,
                        "certificate": certificate,
                        "pairs": len(use.first),
                    },
                    evidence=evidence,
                )


def _shared(use: _Use) -> Iterator[tuple[tuple[str, ...], Event, tuple[Event, ...]]]:
    """Each user of what two or more use: the fact that dates it, and the evidence."""
    if len(use.first) < 2:
        return
    by_order = sorted(use.first.items(), key=lambda item: order_of_events(item[1]))
    first, second = by_order[0][1], by_order[1][1]
    for rank, (who, own) in enumerate(by_order):
        dated_by, other = (second, second) if rank == 0 else (own, first)
        yield who, dated_by, each_once((own, other))


def in_order_of_findings(findings: Iterable[Finding]) -> list[Finding]:
    """By date, subject, code, detail as compact JSON by code point, evidence in order of events."""
    return sorted(findings, key=_sort_key)


def _sort_key(finding: Finding) -> tuple[Any, ...]:
    return (
        finding.on,
        finding.subject,
        finding.code,
        _compact(finding.detail),
        [order_of_events(event) for event in finding.evidence],
    )


def _compact(value: Any) -> str:
    """A detail as compact JSON: what the contract sorts by.

    Details hold strings, integers, None and lists of strings; written out here because the order
    of findings is a rule, and rules do not call format libraries.
    """
    match value:
        case None:
            return "null"
        case int():
            return str(value)
        case str():
            return _quoted(value)
        case dict():
            return "{" + ",".join(f"{_quoted(k)}:{_compact(v)}" for k, v in value.items()) + "}"
        case _:
            return "[" + ",".join(_compact(one) for one in value) + "]"


_ESCAPES: Final = str.maketrans(
    {chr(n): f"\\u{n:04x}" for n in range(0x20)}
    | {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b"}
)


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


@define(eq=False)
class Case:
    """One participant in front of the checks."""

    d: Dossier
    statement: Statement
    view: Findings

    def line(self, line: Line) -> StatementLine:
        """The statement's line that money was put on: it exists whenever a disbursement names it."""
        return self.statement.line(line)

    def finding(
        self,
        code: Code,
        dated_by: Event,
        *,
        detail: dict[str, Any] | None = None,
        amount: int | None = None,
        evidence: Iterable[Event | None] = (),
        on: date | None = None,
    ) -> Finding:
        """A finding of this participant; the fact that dates it is always evidence."""
        events = (dated_by, *(event for event in evidence if event is not None))
        return Finding(
            code=code,
            subject=self.d.participant.id,
            on=on or dated_by.occurred_on,
            amount=amount,
            detail=detail or {},
            evidence=each_once(events),
        )


def _package_other_platform(case: Case) -> Iterator[Finding]:
    for bought in case.d.purchases.values():
        package = case.view.packages.get(bought.fact.package or "")
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


def _package_sold_after_stop(case: Case) -> Iterator[Finding]:
    stops = case.view.around.stops
    for bought in case.d.purchases.values():
        fact = bought.fact
        if not stops or fact.package is None or fact.method != "prakerja":
            continue
        stop = _earliest_stop(stops, fact.platform)
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


def _earliest_stop(stops: list[Event], platform: str) -> Event | None:
    """The stop of that platform that takes effect first; of several, the first in order."""
    naming = [stop for stop in stops if platform in stop.fact.platforms]  # type: ignore[attr-defined]
    return min(naming, key=lambda stop: stop.fact.effective, default=None)  # type: ignore[attr-defined]


def _cash_before_package_done(case: Case) -> Iterator[Finding]:
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


def _course_unrated(case: Case) -> Iterator[Finding]:
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


def _balance_overspent(case: Case) -> Iterator[Finding]:
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


def _first_purchase_late(case: Case) -> Iterator[Finding]:
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


def _on_line(settlement: Settlement) -> dict[str, Any]:
    return {"line": settlement.line, "disbursement": settlement.disbursement}


def _settlements(case: Case) -> Iterator[Finding]:
    """The findings that are judged settlement by settlement."""
    for settlement in case.d.settlements:
        yield from _paid_unearned(case, settlement)
        yield from _paid_after_revocation(case, settlement)
        yield from _paid_without_verified_account(case, settlement)
        yield from _paid_to_other_account(case, settlement)
        yield from _settled_after_failure(case, settlement)


def _paid_unearned(case: Case, settlement: Settlement) -> Iterator[Finding]:
    line = case.line(settlement.line)
    earned_on = line.earned_on
    earned = line_is_earned(case.d, line)
    if not earned or (earned_on is not None and settlement.event.occurred_on < earned_on):
        shown = None if earned_on is None else earned_on.isoformat()
        yield case.finding(
            Code.PAID_UNEARNED,
            settlement.event,
            amount=settlement.amount,
            detail={**_on_line(settlement), "earned_on": shown},
        )


def line_is_earned(d: Dossier, line: StatementLine) -> bool:
    """Whether a cash line is earned as of D: by then, and while revoked by the revocation's day."""
    if line.earned_on is None or line.earned_on > d.view.as_of:
        return False
    return d.revocation is None or line.earned_on <= d.revocation.occurred_on


def _paid_after_revocation(case: Case, settlement: Settlement) -> Iterator[Finding]:
    revocation = settlement.revocation
    if revocation is not None and settlement.event.occurred_on > revocation.occurred_on:
        yield case.finding(
            Code.PAID_AFTER_REVOCATION,
            settlement.event,
            amount=settlement.amount,
            detail=_on_line(settlement),
            evidence=[revocation],
        )


def _paid_without_verified_account(case: Case, settlement: Settlement) -> Iterator[Finding]:
    if not settlement.verified:
        yield case.finding(
            Code.PAID_WITHOUT_VERIFIED_ACCOUNT,
            settlement.event,
            amount=settlement.amount,
            detail=_on_line(settlement),
        )


def _transfer_of(case: Case, settlement: Settlement) -> Transfer:
    return case.d.lines[settlement.line].by_id[settlement.disbursement]


def _paid_to_other_account(case: Case, settlement: Settlement) -> Iterator[Finding]:
    instruction = _transfer_of(case, settlement).instruction
    account = None if instruction is None else instruction.fact.account  # type: ignore[attr-defined]
    link = settlement.link
    if account is not None and (link is None or link.fact.account != account):  # type: ignore[attr-defined]
        yield case.finding(
            Code.PAID_TO_OTHER_ACCOUNT,
            settlement.event,
            amount=settlement.amount,
            detail={**_on_line(settlement), "account": account},
            evidence=[instruction, link],
        )


def _settled_after_failure(case: Case, settlement: Settlement) -> Iterator[Finding]:
    failure = _transfer_of(case, settlement).failure
    if failure is not None and order_of_events(failure) < order_of_events(settlement.event):
        yield case.finding(
            Code.SETTLED_AFTER_FAILURE,
            settlement.event,
            amount=settlement.amount,
            detail=_on_line(settlement),
            evidence=[failure],
        )


def _paid_twice(case: Case) -> Iterator[Finding]:
    for name, transfers in case.d.lines.items():
        line = case.line(name)
        settlements = transfers.settlements
        if line.paid > line.amount and len(settlements) > 1:
            events = each_once(settlement.event for settlement in settlements)
            yield case.finding(
                Code.PAID_TWICE,
                events[-1],
                amount=line.paid - line.amount,
                detail={"line": name},
                evidence=events,
            )


def _instructed_unduly(case: Case) -> Iterator[Finding]:
    for name, transfers in case.d.lines.items():
        line = case.line(name)
        for transfer in transfers.by_id.values():
            if transfer.instruction is not None:
                yield from _unduly(case, line, transfers, transfer, transfer.instruction)


def _unduly(
    case: Case, line: StatementLine, transfers: Transfers, transfer: Transfer, instruction: Event
) -> Iterator[Finding]:
    why: list[str] = []
    evidence: list[Event] = []
    before = _line_before(case.d, transfers, instruction)
    if transfer.amount > line.amount:
        why.append("over-amount")
    if before.paid >= line.amount:
        why.append("already-paid")
        evidence += before.settlements
    if before.open:
        why.append("in-flight")
        evidence += before.open
    earned_on = line.earned_on
    if not line_is_earned(case.d, line) or (
        earned_on is not None and earned_on > instruction.occurred_on
    ):
        why.append("not-earned")
    if transfer.revoked_by is not None:
        why.append("revoked")
        evidence.append(transfer.revoked_by)
    if why:
        yield case.finding(
            Code.INSTRUCTED_UNDULY,
            instruction,
            amount=transfer.amount,
            detail={"line": line.line, "disbursement": transfer.id, "why": why},
            evidence=evidence,
        )


@define(eq=False)
class _LineBefore:
    """A line just before one of its instructions."""

    paid: int
    settlements: list[Event]
    open: list[Event]


def _line_before(d: Dossier, transfers: Transfers, instruction: Event) -> _LineBefore:
    """Fold the line's events that stand before the instruction in the order of events."""
    settlements: list[Event] = []
    is_open: dict[str, Event] = {}
    settled: dict[str, int] = {}
    done: set[str] = set()
    for event in transfers.events:
        if event is instruction:
            break
        fact: Any = event.fact
        name = fact.disbursement
        match fact:
            case f.DisbursementInstructed():
                is_open[name] = event
            case f.DisbursementSettled():
                settlements.append(event)
                settled[name] = settled.get(name, 0) + d.participant.settled_amount(fact)
                done.add(name)
            case f.DisbursementReturned():
                settled[name] = settled.get(name, 0) - d.participant.returned_amount(event, fact)
            case _:
                done.add(name)
    return _LineBefore(
        paid=sum(max(0, left) for left in settled.values()),
        settlements=settlements,
        open=[event for name, event in is_open.items() if name not in done],
    )


def _certificate_before_completion(case: Case) -> Iterator[Finding]:
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


def _survey_out_of_order(case: Case) -> Iterator[Finding]:
    earlier: set[int] = set()
    for survey, event in case.d.surveys.items():
        if any(before not in earlier for before in range(1, survey)):
            yield case.finding(Code.SURVEY_OUT_OF_ORDER, event, detail={"survey": survey})
        earlier.add(survey)


def _wave_outside_scheme(case: Case) -> Iterator[Finding]:
    seen = case.d.seen
    if seen.wave not in case.d.scheme.waves:
        yield case.finding(
            Code.WAVE_OUTSIDE_SCHEME,
            seen.enrolled,
            detail={"wave": seen.wave, "scheme": seen.scheme},
            evidence=[seen.correction],
        )


_REPORTED: Final = (f.CourseCompleted, f.CertificateIssued, f.CourseRated)


def _reported_late(case: Case) -> Iterator[Finding]:
    calendar = case.view.programme.calendar
    for event in case.d.seen.events:
        if event.recorded_at is event.occurred_at or not isinstance(event.fact, _REPORTED):
            continue
        on, learned_on = event.occurred_on, event.recorded_on
        if (learned_on - on).days < LATE_AFTER_WORKING_DAYS:
            continue  # so many working days never fit into fewer days of the calendar
        try:
            limit = calendar.after(on, LATE_AFTER_WORKING_DAYS)
        except CalendarTooShort as error:
            case.view.undecided.append((event.subject, error))
            continue
        if learned_on >= limit:
            yield case.finding(
                Code.REPORTED_LATE,
                event,
                on=limit,
                detail={"type": event.fact.kind, "course": event.fact.course},
            )


Check = Callable[[Case], Iterable[Finding]]
_CHECKS: Final[tuple[Check, ...]] = (
    _package_other_platform,
    _package_sold_after_stop,
    _cash_before_package_done,
    _course_unrated,
    _balance_overspent,
    _first_purchase_late,
    _settlements,
    _paid_twice,
    _instructed_unduly,
    _certificate_before_completion,
    _survey_out_of_order,
    _wave_outside_scheme,
    _reported_late,
)
