"""The dossier: everything the rules look at, gathered in one pass over a participant's view.

Statements and findings read it; neither folds events again, so neither can count anything twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from attrs import define, field

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.once import once
from prakerja_ledger.domain.schemes import Line, Programme, Scheme
from prakerja_ledger.domain.streams import Disbursement, Participant, ProgrammeStream, standing_link
from prakerja_ledger.domain.time import after_all_of
from prakerja_ledger.reading.view import ParticipantInView, View, events_in_view


@define(eq=False)
class Settlement:
    """A settlement in view, and how the participant stood when it happened."""

    event: Event
    disbursement: str
    line: Line
    amount: int
    link: Event | None
    """The linking by which an account then stood linked."""
    verified: bool
    """Whether that account's latest word then was a verification."""
    revocation: Event | None
    """The revocation by which the participant then stood revoked."""


@define(eq=False)
class Transfer:
    """One disbursement as far as it is in view."""

    id: str
    amount: int
    instruction: Event | None = None
    revoked_by: Event | None = None
    """The revocation by which the participant stood revoked when it was instructed."""
    settlements: list[Settlement] = field(factory=list)
    failure: Event | None = None
    returns: list[Event] = field(factory=list)
    settled: int = 0
    returned: int = 0

    @property
    def left(self) -> int:
        """What of it stays paid; a return whose settlement is voided takes nothing."""
        left = self.settled - self.returned
        return left if left > 0 else 0  # noqa: FURB136  # a third of what max() takes

    @property
    def is_open(self) -> bool:
        """Instructed, with neither settlement nor failure."""
        return self.instruction is not None and not self.settlements and self.failure is None

    @property
    def in_flight(self) -> int:
        """What of it may still arrive."""
        return self.amount if self.is_open else 0


@define(eq=False)
class Transfers:
    """All disbursements of one line, in the order of events."""

    by_id: dict[str, Transfer] = field(factory=dict)
    events: list[Event] = field(factory=list)
    latest: Transfer | None = None
    """The one instructed last."""

    @property
    def paid(self) -> int:
        paid = 0
        for transfer in self.by_id.values():
            paid += transfer.left
        return paid

    @property
    def in_flight(self) -> int:
        if self.latest is None:  # nothing instructed
            return 0
        in_flight = 0
        for transfer in self.by_id.values():
            if transfer.is_open:
                in_flight += transfer.amount
        return in_flight

    @property
    def settlements(self) -> list[Settlement]:
        """Every settlement on the line; in the order of events within one disbursement."""
        return [one for transfer in self.by_id.values() for one in transfer.settlements]


@define(eq=False)
class Bought:
    """A purchase in view with its refunds in view."""

    event: Event
    fact: f.TrainingPurchased
    refunds: list[Event] = field(factory=list)

    @property
    def refunded(self) -> int:
        if not self.refunds:
            return 0
        return sum(refund.fact.amount for refund in self.refunds)  # type: ignore[attr-defined]

    @property
    def from_balance(self) -> bool:
        """Bought with the training balance, and not with money of the participant's own."""
        return self.fact.method == "prakerja"

    @property
    def counts(self) -> bool:
        """Bought with the training balance, and not refunded in full."""
        if not self.from_balance:
            return False
        return not self.refunds or self.refunded < self.fact.price

    @property
    def spent(self) -> int:
        """What of the training balance it took."""
        return self.fact.price - self.refunded if self.counts else 0


@define(eq=False)
class Ratings:
    """A course's ratings: the first, the first with a review, and the latest word by dimension."""

    first: Event
    reviewed: Event | None = None
    dimensions: set[str] = field(factory=set)


@define(eq=False, slots=False)
class Dossier:
    """One participant as the view shows them. Dictionaries keep the order of events."""

    seen: ParticipantInView
    participant: Participant
    scheme: Scheme
    view: View
    purchases: dict[str, Bought] = field(init=False, factory=dict)
    loose_refunds: list[Event] = field(init=False, factory=list)
    completions: dict[str, Event] = field(init=False, factory=dict)
    certificates: dict[str, Event] = field(init=False, factory=dict)
    ratings: dict[str, Ratings] = field(init=False, factory=dict)
    surveys: dict[int, Event] = field(init=False, factory=dict)
    lines: dict[Line, Transfers] = field(init=False, factory=dict)
    account_moves: list[Event] = field(init=False, factory=list)
    link: Event | None = field(init=False, default=None)
    word: Event | None = field(init=False, default=None)
    """The latest verification or rejection of the account that stands linked."""
    unlinking: Event | None = field(init=False, default=None)
    """The unlinking that left no account linked."""
    revocation: Event | None = field(init=False, default=None)
    """The revocation by which the participation stands revoked."""

    @once
    def counting(self) -> list[Bought]:
        """Purchases that count, as of D."""
        return [bought for bought in self.purchases.values() if bought.counts]

    @once
    def counting_courses(self) -> dict[str, Bought]:
        """Each course of a counting purchase, with the first such purchase."""
        found: dict[str, Bought] = {}
        for bought in self.counting:
            for one in bought.fact.courses:
                found.setdefault(one.course, bought)
        return found

    @once
    def first_course(self) -> str | None:
        """The counting course with the first completion, if that came by the scheme's cut-off."""
        cut_off = self.scheme.first_course_by
        bound = None if cut_off is None else after_all_of(cut_off)
        for course, completion in self.completions.items():
            if bound is not None and completion.occurred_at > bound:
                return None
            if course in self.counting_courses:
                return course
        return None

    @once
    def counting_surveys(self) -> dict[int, Event]:
        """Submissions that count: those dated by the scheme's cut-off."""
        cut_off = self.scheme.surveys_by
        if cut_off is None:
            return self.surveys
        bound = after_all_of(cut_off)
        return {n: event for n, event in self.surveys.items() if event.occurred_at < bound}

    @once
    def settlements(self) -> list[Settlement]:
        """Every settlement of the participant, by line."""
        return [one for transfers in self.lines.values() for one in transfers.settlements]

    @once
    def first_survey_missing(self) -> int:
        """The lowest survey without a submission that counts; those before it are all submitted."""
        survey = 1
        while survey in self.counting_surveys:
            survey += 1
        return survey

    def linked_at_end_of(self, on: date) -> bool:
        """Whether an account stood linked when that day ended."""
        bound = after_all_of(on)
        return standing_link([e for e in self.account_moves if e.occurred_at < bound]) is not None

    def transfers(self, line: Line) -> Transfers:
        """The disbursements of a line, created where there are none yet."""
        found = self.lines.get(line)
        if found is None:
            found = self.lines[line] = Transfers()
        return found


def open_dossier(seen: ParticipantInView, view: View, programme: Programme) -> Dossier:
    """Fold a participant's events in view, in the order of events."""
    dossier = Dossier(seen, seen.participant, programme.scheme(seen.scheme), view)
    for event in seen.events:
        fact = event.fact
        read = READERS.get(type(fact))
        if read is not None:
            read(dossier, event, fact)
    for refund in dossier.loose_refunds:
        attach(dossier, refund)
    return dossier


def attach(dossier: Dossier, refund: Event) -> None:
    """Put a refund that is dated before its purchase to it, where that is in view."""
    bought = dossier.purchases.get(refund.fact.purchase)  # type: ignore[attr-defined]
    if bought is not None:
        bought.refunds.append(refund)


Reader = Callable[[Dossier, Event, Any], None]


def _link(d: Dossier, event: Event, _: f.AccountLinked) -> None:
    d.account_moves.append(event)
    d.link, d.word, d.unlinking = event, None, None


def _unlink(d: Dossier, event: Event, fact: f.AccountUnlinked) -> None:
    d.account_moves.append(event)
    if _is_linked(d, fact.account):
        d.link, d.word, d.unlinking = None, None, event


def _hear(d: Dossier, event: Event, fact: f.AccountVerified | f.AccountRejected) -> None:
    if _is_linked(d, fact.account):
        d.word = event


def _is_linked(d: Dossier, account: str) -> bool:
    return d.link is not None and d.link.fact.account == account  # type: ignore[attr-defined]


def _buy(d: Dossier, event: Event, fact: f.TrainingPurchased) -> None:
    d.purchases[fact.purchase] = Bought(event, fact)


def _refund(d: Dossier, event: Event, fact: f.PurchaseRefunded) -> None:
    bought = d.purchases.get(fact.purchase)
    if bought is None:
        d.loose_refunds.append(event)
    else:
        bought.refunds.append(event)


def _complete(d: Dossier, event: Event, fact: f.CourseCompleted) -> None:
    d.completions.setdefault(fact.course, event)


def _certify(d: Dossier, event: Event, fact: f.CertificateIssued) -> None:
    d.certificates.setdefault(fact.course, event)


def _rate(d: Dossier, event: Event, fact: f.CourseRated) -> None:
    ratings = d.ratings.get(fact.course)
    if ratings is None:
        ratings = d.ratings[fact.course] = Ratings(event)
    if fact.reviewed and ratings.reviewed is None:
        ratings.reviewed = event
    if fact.instructor is not None:
        ratings.dimensions.add("instructor")
    if fact.facilities is not None:
        ratings.dimensions.add("facilities")
    if fact.programme is not None:
        ratings.dimensions.add("programme")


def _survey(d: Dossier, event: Event, fact: f.SurveySubmitted) -> None:
    d.surveys.setdefault(fact.survey, event)


def _revoke(d: Dossier, event: Event, _: f.ParticipationRevoked) -> None:
    if d.revocation is None:
        d.revocation = event


def _reinstate(d: Dossier, _: Event, __: f.ParticipationReinstated) -> None:
    d.revocation = None


def _transfer(
    d: Dossier, event: Event, disbursement: str, reference: Disbursement | None = None
) -> Transfer:
    reference = reference or d.participant.disbursements[disbursement]
    transfers = d.transfers(reference.line)
    transfers.events.append(event)
    found = transfers.by_id.get(disbursement)
    if found is None:
        found = transfers.by_id[disbursement] = Transfer(disbursement, reference.amount)
    return found


def _instruct(d: Dossier, event: Event, fact: f.DisbursementInstructed) -> None:
    reference = d.participant.disbursements[fact.disbursement]
    transfer = _transfer(d, event, fact.disbursement, reference)
    transfer.instruction = event
    transfer.revoked_by = d.revocation
    d.lines[reference.line].latest = transfer


def _settle(d: Dossier, event: Event, fact: f.DisbursementSettled) -> None:
    reference = d.participant.disbursements[fact.disbursement]
    transfer = _transfer(d, event, fact.disbursement, reference)
    amount = d.participant.settled_amount(fact)
    transfer.settled += amount
    transfer.settlements.append(
        Settlement(
            event,
            fact.disbursement,
            reference.line,
            amount,
            d.link,
            d.word is not None and isinstance(d.word.fact, f.AccountVerified),
            d.revocation,
        )
    )


def _fail(d: Dossier, event: Event, fact: f.DisbursementFailed) -> None:
    transfer = _transfer(d, event, fact.disbursement)
    if transfer.failure is None:
        transfer.failure = event


def _return(d: Dossier, event: Event, fact: f.DisbursementReturned) -> None:
    transfer = _transfer(d, event, fact.disbursement)
    transfer.returned += d.participant.returned_amount(event, fact)
    transfer.returns.append(event)


READERS: Final[dict[type[f.Fact], Reader]] = {
    f.AccountLinked: _link,
    f.AccountUnlinked: _unlink,
    f.AccountVerified: _hear,
    f.AccountRejected: _hear,
    f.TrainingPurchased: _buy,
    f.PurchaseRefunded: _refund,
    f.CourseCompleted: _complete,
    f.CertificateIssued: _certify,
    f.CourseRated: _rate,
    f.SurveySubmitted: _survey,
    f.DisbursementInstructed: _instruct,
    f.DisbursementSettled: _settle,
    f.DisbursementFailed: _fail,
    f.DisbursementReturned: _return,
    f.ParticipationRevoked: _revoke,
    f.ParticipationReinstated: _reinstate,
}
"""How each kind of fact changes a dossier."""
PASSED_OVER: Final = frozenset(
    {f.Enrolled, f.EnrolmentCorrected, f.EventVoided, f.ComplaintFiled, f.ComplaintResolved}
)
"""Enrolment and voids are the view's matter; complaints move no money."""
assert {k for k in f.FACTS.values() if k.stream in {f.PARTICIPANT, f.ANY_STREAM}} == (
    READERS.keys() | PASSED_OVER
), "a kind of fact that the dossier neither reads nor passes over"


@define(eq=False)
class ProgrammeInView:
    """The programme's own facts in view."""

    hold: Event | None
    """The hold by which payments stand held."""
    stops: list[Event]

    def stop_of(self, platform: str) -> Event | None:
        """The stop of a platform's package sales that takes effect first; of several, the first."""
        naming = [stop for stop in self.stops if platform in stop.fact.platforms]  # type: ignore[attr-defined]
        return min(naming, key=lambda stop: stop.fact.effective, default=None)  # type: ignore[attr-defined]


def look_at_programme(stream: ProgrammeStream, view: View) -> ProgrammeInView:
    """Stops in view, and whether payments stand held as of D."""
    hold: Event | None = None
    stops: list[Event] = []
    for event in events_in_view(stream, view):
        if isinstance(event.fact, f.PaymentsHeld):
            hold = hold or event
        elif isinstance(event.fact, f.PaymentsResumed):
            hold = None
        elif isinstance(event.fact, f.PackageSalesStopped):
            stops.append(event)
    return ProgrammeInView(hold, stops)
