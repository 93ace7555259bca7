"""What is on record of a participant, a package and the programme, in the order of recording.

`evolve` folds one recorded event into a stream and never refuses: a tightened rule must not stop
an old history from loading. `decide` (module `legality`) reads the states kept here.

Two things are kept apart. A *reference* (a purchase, a disbursement, an account once linked) stays
when its event is voided, and what is read off it holds. A *state* (completed, linked, revoked,
settled so far) is that of the events not voided: `retract` takes one event out of it again.
States are taken back one by one, not folded anew: a history that voids every second event of a
long-lived participant would otherwise cost the square of its length.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final

from attrs import Factory, define, field

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.schemes import Line, line_of

_POSITION = attrgetter("position")


@define(eq=False, weakref_slot=False)
class Stream:
    """The recorded events of one subject, and which of them are voided by which event."""

    id: str
    events: list[Event] = field(init=False, factory=list)
    voids: dict[int, Event] = field(init=False, factory=dict)
    """The `event-voided` by the position of the event that it voids."""

    def at(self, position: int) -> Event | None:
        """The event recorded at a position, if it belongs to this stream."""
        index = bisect_left(self.events, position, key=_POSITION)
        if index < len(self.events) and self.events[index].position == position:
            return self.events[index]
        return None

    def evolve(self, event: Event) -> None:
        """Fold in one recorded event that is no event-voided."""
        self.events.append(event)
        self.apply(event)

    def void(self, event: Event, voided: Event) -> None:
        """Fold in an event-voided; `voided` is the event that it names."""
        self.events.append(event)
        self.voids[voided.position] = event
        self.retract(voided)

    def restore(self, events: Iterable[Event]) -> None:
        """Fold in events as they were recorded: nothing is judged again."""
        by_identity: dict[tuple[str, str], Event] = {}
        for event in events:
            fact = event.fact
            if isinstance(fact, f.EventVoided):
                if not by_identity:
                    by_identity = {earlier.identity: earlier for earlier in self.events}
                self.void(event, by_identity[fact.source, fact.id])
            else:
                self.evolve(event)
            if by_identity:
                by_identity[event.identity] = event

    def apply(self, event: Event) -> None:
        """Let the event change references and states."""
        raise NotImplementedError

    def retract(self, event: Event) -> None:
        """Take a voided event out of the states."""
        raise NotImplementedError


@define(eq=False, weakref_slot=False)
class Purchase:
    """A purchase as a reference: its price, and what of it was refunded (not voided)."""

    price: int
    refunded: int = 0


@define(eq=False, weakref_slot=False)
class Disbursement:
    """A disbursement as a reference, and how far it got."""

    line: Line
    amount: int
    references: dict[str, int] = field(factory=dict)
    """Settled rupiah by bank reference."""
    settled: int = 0
    returned: int = 0
    failed: bool = False

    @property
    def left(self) -> int:
        """Settled and not returned; never below zero, also where a void took the settlement."""
        return max(0, self.settled - self.returned)


@define(eq=False, weakref_slot=False)
class Participant(Stream):
    """One participant's record and the states that decide what may be recorded next."""

    accounts: set[str] = field(init=False, factory=set)
    purchases: dict[str, Purchase] = field(init=False, factory=dict)
    courses: set[str] = field(init=False, factory=set)
    disbursements: dict[str, Disbursement] = field(init=False, factory=dict)
    complaints: dict[str, bool] = field(init=False, factory=dict)
    """Resolved or not, by complaint id."""
    completed: set[str] = field(init=False, factory=set)
    certified: set[str] = field(init=False, factory=set)
    surveys: set[int] = field(init=False, factory=set)
    linked: str | None = field(init=False, default=None)
    account_moves: list[Event] = field(init=False, factory=list)
    standing_moves: list[Event] = field(init=False, factory=list)
    enrolments: list[Event] = field(init=False, factory=list)
    """The enrolment, then its corrections, the voided ones left out; the last one holds."""
    returned_all: dict[int, int] = field(init=False, factory=dict)
    """What a return that names no amount took, by its position: fixed when it was recorded."""

    @property
    def scheme(self) -> str:
        """The scheme id that rules what is legal next."""
        return self.enrolments[-1].fact.scheme  # type: ignore[attr-defined,no-any-return]

    @property
    def revoked(self) -> bool:
        """Whether the participation stands revoked, by the order of recording."""
        return bool(self.standing_moves) and isinstance(
            self.standing_moves[-1].fact, f.ParticipationRevoked
        )

    def apply(self, event: Event) -> None:
        apply = _APPLY.get(type(event.fact))
        if apply is not None:
            apply(self, event, event.fact)

    def retract(self, event: Event) -> None:
        retract = _RETRACT.get(type(event.fact))
        if retract is not None:
            retract(self, event, event.fact)

    def settled_amount(self, fact: f.DisbursementSettled) -> int:
        """Whole rupiah of a settlement; without an amount of its own, the instructed one."""
        return fact.amount or self.disbursements[fact.disbursement].amount

    def returned_amount(self, event: Event, fact: f.DisbursementReturned) -> int:
        """Whole rupiah of a return, as fixed when it was recorded."""
        return fact.amount or self.returned_all[event.position]

    def line_of(self, disbursement: str) -> Line:
        """The line that a disbursement counts on, for ever."""
        return self.disbursements[disbursement].line


def standing_link(moves: list[Event]) -> Event | None:
    """The account-linked event by which an account stands linked after these moves, in order.

    An unlinking of an account that is not the linked one finds nothing to move.
    """
    link: Event | None = None
    for event in moves:
        fact = event.fact
        if isinstance(fact, f.AccountLinked):
            link = event
        elif (
            isinstance(fact, f.AccountUnlinked)
            and link is not None
            and link.fact.account == fact.account  # type: ignore[attr-defined]
        ):
            link = None
    return link


Step = Callable[[Participant, Event, Any], None]


def _enrol(p: Participant, event: Event, _: Any) -> None:
    p.enrolments.append(event)


def _unenrol(p: Participant, event: Event, _: Any) -> None:
    p.enrolments.remove(event)


def _link(p: Participant, event: Event, fact: f.AccountLinked) -> None:
    p.accounts.add(fact.account)
    p.account_moves.append(event)
    p.linked = fact.account


def _unlink(p: Participant, event: Event, fact: f.AccountUnlinked) -> None:
    p.account_moves.append(event)
    if p.linked == fact.account:
        p.linked = None


def _retract_account_move(p: Participant, event: Event, _: Any) -> None:
    p.account_moves.remove(event)
    link = standing_link(p.account_moves)
    p.linked = None if link is None else link.fact.account  # type: ignore[attr-defined]


def _purchase(p: Participant, _: Event, fact: f.TrainingPurchased) -> None:
    p.purchases[fact.purchase] = Purchase(fact.price)
    for one in fact.courses:
        p.courses.add(one.course)


def _refund(p: Participant, _: Event, fact: f.PurchaseRefunded) -> None:
    p.purchases[fact.purchase].refunded += fact.amount


def _retract_refund(p: Participant, _: Event, fact: f.PurchaseRefunded) -> None:
    p.purchases[fact.purchase].refunded -= fact.amount


def _complete(p: Participant, _: Event, fact: f.CourseCompleted) -> None:
    p.completed.add(fact.course)


def _retract_completion(p: Participant, _: Event, fact: f.CourseCompleted) -> None:
    p.completed.discard(fact.course)


def _certify(p: Participant, _: Event, fact: f.CertificateIssued) -> None:
    p.certified.add(fact.course)


def _retract_certificate(p: Participant, _: Event, fact: f.CertificateIssued) -> None:
    p.certified.discard(fact.course)


def _survey(p: Participant, _: Event, fact: f.SurveySubmitted) -> None:
    p.surveys.add(fact.survey)


def _retract_survey(p: Participant, _: Event, fact: f.SurveySubmitted) -> None:
    p.surveys.discard(fact.survey)


def _instruct(p: Participant, _: Event, fact: f.DisbursementInstructed) -> None:
    line = line_of(fact.component, fact.instalment)
    p.disbursements[fact.disbursement] = Disbursement(line, fact.amount)


def _settle(p: Participant, _: Event, fact: f.DisbursementSettled) -> None:
    disbursement = p.disbursements[fact.disbursement]
    amount = disbursement.references[fact.reference] = p.settled_amount(fact)
    disbursement.settled += amount


def _retract_settlement(p: Participant, _: Event, fact: f.DisbursementSettled) -> None:
    disbursement = p.disbursements[fact.disbursement]
    disbursement.settled -= disbursement.references.pop(fact.reference)


def _fail(p: Participant, _: Event, fact: f.DisbursementFailed) -> None:
    p.disbursements[fact.disbursement].failed = True


def _retract_failure(p: Participant, _: Event, fact: f.DisbursementFailed) -> None:
    p.disbursements[fact.disbursement].failed = False


def _return(p: Participant, event: Event, fact: f.DisbursementReturned) -> None:
    disbursement = p.disbursements[fact.disbursement]
    if fact.amount is None:
        p.returned_all[event.position] = disbursement.left
    disbursement.returned += p.returned_amount(event, fact)


def _retract_return(p: Participant, event: Event, fact: f.DisbursementReturned) -> None:
    p.disbursements[fact.disbursement].returned -= p.returned_amount(event, fact)


def _stand(p: Participant, event: Event, _: Any) -> None:
    p.standing_moves.append(event)


def _retract_standing(p: Participant, event: Event, _: Any) -> None:
    p.standing_moves.remove(event)


def _complain(p: Participant, _: Event, fact: f.ComplaintFiled) -> None:
    p.complaints[fact.complaint] = False


def _resolve(p: Participant, _: Event, fact: f.ComplaintResolved) -> None:
    p.complaints[fact.complaint] = True


def _retract_resolution(p: Participant, _: Event, fact: f.ComplaintResolved) -> None:
    p.complaints[fact.complaint] = False


_APPLY: Final[dict[type[f.Fact], Step]] = {
    f.Enrolled: _enrol,
    f.EnrolmentCorrected: _enrol,
    f.AccountLinked: _link,
    f.AccountUnlinked: _unlink,
    f.TrainingPurchased: _purchase,
    f.PurchaseRefunded: _refund,
    f.CourseCompleted: _complete,
    f.CertificateIssued: _certify,
    f.SurveySubmitted: _survey,
    f.DisbursementInstructed: _instruct,
    f.DisbursementSettled: _settle,
    f.DisbursementFailed: _fail,
    f.DisbursementReturned: _return,
    f.ParticipationRevoked: _stand,
    f.ParticipationReinstated: _stand,
    f.ComplaintFiled: _complain,
    f.ComplaintResolved: _resolve,
}
_RETRACT: Final[dict[type[f.Fact], Step]] = {
    f.EnrolmentCorrected: _unenrol,
    f.AccountLinked: _retract_account_move,
    f.AccountUnlinked: _retract_account_move,
    f.PurchaseRefunded: _retract_refund,
    f.CourseCompleted: _retract_completion,
    f.CertificateIssued: _retract_certificate,
    f.SurveySubmitted: _retract_survey,
    f.DisbursementSettled: _retract_settlement,
    f.DisbursementFailed: _retract_failure,
    f.DisbursementReturned: _retract_return,
    f.ParticipationRevoked: _retract_standing,
    f.ParticipationReinstated: _retract_standing,
    f.ComplaintResolved: _retract_resolution,
}
STATELESS: Final = frozenset({f.AccountVerified, f.AccountRejected, f.CourseRated, f.EventVoided})
"""Kinds that may always be recorded again: no state remembers them."""
REFERENCE_ONLY: Final = frozenset(
    {f.Enrolled, f.TrainingPurchased, f.DisbursementInstructed, f.ComplaintFiled}
)
"""Kinds that a void leaves standing as what others refer to (`enrolled` cannot be voided)."""
_KINDS = {kind for kind in f.FACTS.values() if kind.stream in {f.PARTICIPANT, f.ANY_STREAM}}
assert _APPLY.keys() | STATELESS == _KINDS, "a kind of fact that no state heeds or passes over"
assert _APPLY.keys() == _RETRACT.keys() | REFERENCE_ONLY, "a state that no void takes back"


@define(eq=False, weakref_slot=False)
class Package(Stream):
    """A package: its offers, and whether one stands."""

    offers: list[Event] = field(init=False, factory=list)
    """Every offer not voided; more than one only where a void hides an earlier one."""
    offered: bool = field(init=False, default=False)
    """Whether it was ever offered, voided or not: enough to refer to it."""
    withdrawals: list[Event] = field(init=False, factory=list)

    def apply(self, event: Event) -> None:
        if isinstance(event.fact, f.PackageOffered):
            self.offers.append(event)
            self.offered = True
        else:
            self.withdrawals.append(event)

    def retract(self, event: Event) -> None:
        moves = self.offers if isinstance(event.fact, f.PackageOffered) else self.withdrawals
        moves.remove(event)


@define(eq=False, weakref_slot=False)
class ProgrammeStream(Stream):
    """The programme: stops of package sales, and whether payments stand held."""

    payment_moves: list[Event] = field(init=False, default=Factory(list))

    @property
    def held(self) -> bool:
        """Whether payments stand held, by the order of recording."""
        return bool(self.payment_moves) and isinstance(self.payment_moves[-1].fact, f.PaymentsHeld)

    def apply(self, event: Event) -> None:
        if isinstance(event.fact, (f.PaymentsHeld, f.PaymentsResumed)):
            self.payment_moves.append(event)

    def retract(self, event: Event) -> None:
        if isinstance(event.fact, (f.PaymentsHeld, f.PaymentsResumed)):
            self.payment_moves.remove(event)
