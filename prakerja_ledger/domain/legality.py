"""What may be recorded next (contract, section 2, "legal when"), and the refusal where it may not.

`decide` looks at a stream as recorded so far and at one fact; it changes nothing. Which of the
codes applies is tried in the contract's order: an unknown reference before an illegal move.
A fact that breaks a rule of the *programme* is not refused here: it happened, and is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, Final

from attrs import frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Package, Participant, ProgrammeStream


@frozen(kw_only=True)
class Surroundings:
    """What a decision about one participant may ask of the rest of the ledger."""

    programme: Programme
    offered_packages: Container[str]


Decision = Callable[[Any, Any, Surroundings], Refusal | None]


def decide(
    stream: Participant | Package | ProgrammeStream, fact: f.Fact, around: Surroundings
) -> Refusal | None:
    """None where the fact may be recorded on its stream next; else why not.

    Enrolment itself and voids are judged by the register, which knows who exists.
    """
    rule = _RULES.get(type(fact))
    return None if rule is None else rule(stream, fact, around)


def unknown(what: str, name: str) -> Refusal:
    """Refers to something that is not recorded before it for that subject."""
    return Refusal(
        code="UNKNOWN_REFERENCE",
        template=_UNKNOWN[what],
        fields={"name": name},
    )


def illegal(template: str, **fields: Any) -> Refusal:
    """A condition of "legal when" is not met."""
    return Refusal(code="ILLEGAL_MOVE", template=template, fields=fields)


_UNKNOWN: Final = {
    "purchase": (
        "no purchase {name} of this participant is recorded before it. "
        "Import the purchase first, then this line again."
    ),
    "course": (
        "course {name} is in no purchase of this participant recorded before it. "
        "Import the purchase first, then this line again."
    ),
    "account": (
        "account {name} was never linked by this participant before it. "
        "Import the linking first, then this line again."
    ),
    "disbursement": (
        "no disbursement {name} of this participant is recorded before it. "
        "Import the instruction first, then this line again."
    ),
    "complaint": (
        "no complaint {name} of this participant is recorded before it. "
        "Import the complaint first, then this line again."
    ),
    "package": (
        "package {name} was never offered before it. Import the offer first, then this line again."
    ),
    "event": (
        "no event {name} of this subject is recorded before it. Import that event first, or correct "
        "the source and id that the void names."
    ),
}


def _linked_account(p: Participant, fact: Any, _: Surroundings) -> Refusal | None:
    if fact.account not in p.accounts:
        return unknown("account", fact.account)
    if p.linked != fact.account:
        return illegal(
            "account {account} is not the linked one. "
            "Send the linking before its verification, rejection or unlinking.",
            account=fact.account,
        )
    return None


def _purchase(p: Participant, fact: f.TrainingPurchased, around: Surroundings) -> Refusal | None:
    if fact.package is not None and fact.package not in around.offered_packages:
        return unknown("package", fact.package)
    if fact.purchase in p.purchases:
        return _used("purchase", fact.purchase)
    return None


def _used(what: str, name: str) -> Refusal:
    return illegal(_USED[what], name=name)


_USED: Final = {
    "purchase": "purchase id {name} is used already, and an id is never used again. Give it a new one.",
    "disbursement": (
        "disbursement id {name} is used already, and an id is never used again. Give it a new one."
    ),
    "complaint": (
        "complaint id {name} is used already, and an id is never used again. Give it a new one."
    ),
}


def _refund(p: Participant, fact: f.PurchaseRefunded, _: Surroundings) -> Refusal | None:
    purchase = p.purchases.get(fact.purchase)
    if purchase is None:
        return unknown("purchase", fact.purchase)
    if purchase.refunded + fact.amount > purchase.price:
        return illegal(
            "refunds of purchase {name} would add up to {sum}, more than its price of {price}. "
            "Correct the amount, or void the refund that is wrong.",
            name=fact.purchase,
            sum=purchase.refunded + fact.amount,
            price=purchase.price,
        )
    return None


def _bought(p: Participant, course: str) -> Refusal | None:
    return None if course in p.courses else unknown("course", course)


def _completion(p: Participant, fact: f.CourseCompleted, _: Surroundings) -> Refusal | None:
    if fact.course in p.completed:
        return illegal(
            "course {course} is completed already. Void that completion first, if it is wrong.",
            course=fact.course,
        )
    return _bought(p, fact.course)


def _certificate(p: Participant, fact: f.CertificateIssued, _: Surroundings) -> Refusal | None:
    if fact.course in p.certified:
        return illegal(
            "course {course} is certified already. Void that certificate first, if it is wrong.",
            course=fact.course,
        )
    return _bought(p, fact.course)


def _rating(p: Participant, fact: f.CourseRated, _: Surroundings) -> Refusal | None:
    return _bought(p, fact.course)


def _survey(p: Participant, fact: f.SurveySubmitted, around: Surroundings) -> Refusal | None:
    count = around.programme.scheme(p.scheme).survey.count
    if fact.survey > count:
        return illegal(
            "survey {survey} does not exist: scheme {scheme} has {count}. Correct the number, or "
            "the enrolment.",
            survey=fact.survey,
            scheme=p.scheme,
            count=count,
        )
    if fact.survey in p.surveys:
        return illegal(
            "survey {survey} is submitted already. Void that submission first, if it is wrong.",
            survey=fact.survey,
        )
    return None


def _instruction(
    p: Participant, fact: f.DisbursementInstructed, around: Surroundings
) -> Refusal | None:
    if fact.disbursement in p.disbursements:
        return _used("disbursement", fact.disbursement)
    count = around.programme.scheme(p.scheme).instalments(fact.component).count
    if fact.instalment > count:
        return illegal(
            "{component} instalment {instalment} does not exist: scheme {scheme} has {count}. "
            "Correct the number, or the enrolment.",
            component=fact.component,
            instalment=fact.instalment,
            scheme=p.scheme,
            count=count,
        )
    return None


def _settlement(p: Participant, fact: f.DisbursementSettled, _: Surroundings) -> Refusal | None:
    disbursement = p.disbursements.get(fact.disbursement)
    if disbursement is None:
        return unknown("disbursement", fact.disbursement)
    if fact.reference in disbursement.references:
        return illegal(
            "disbursement {name} is settled under reference {reference} already. The same transfer "
            "twice is one transfer; another transfer has another reference.",
            name=fact.disbursement,
            reference=fact.reference,
        )
    return None


def _failure(p: Participant, fact: f.DisbursementFailed, _: Surroundings) -> Refusal | None:
    disbursement = p.disbursements.get(fact.disbursement)
    if disbursement is None:
        return unknown("disbursement", fact.disbursement)
    if disbursement.failed or disbursement.references:
        return illegal(
            "disbursement {name} has an outcome already. Money that came back after a settlement "
            "is a return.",
            name=fact.disbursement,
        )
    return None


def _return(p: Participant, fact: f.DisbursementReturned, _: Surroundings) -> Refusal | None:
    disbursement = p.disbursements.get(fact.disbursement)
    if disbursement is None:
        return unknown("disbursement", fact.disbursement)
    if disbursement.left < (fact.amount or 1):
        return illegal(
            "of disbursement {name} only {left} is settled and not yet returned. Import the "
            "settlement first, or correct the amount.",
            name=fact.disbursement,
            left=disbursement.left,
        )
    return None


def _revocation(p: Participant, _: Any, __: Surroundings) -> Refusal | None:
    return (
        illegal("the participation is revoked already. Void that revocation first, if it is wrong.")
        if p.revoked
        else None
    )


def _reinstatement(p: Participant, _: Any, __: Surroundings) -> Refusal | None:
    return (
        None
        if p.revoked
        else illegal(
            "the participation does not stand revoked. Import the revocation first, or leave this out."
        )
    )


def _complaint(p: Participant, fact: f.ComplaintFiled, _: Surroundings) -> Refusal | None:
    return _used("complaint", fact.complaint) if fact.complaint in p.complaints else None


def _resolution(p: Participant, fact: f.ComplaintResolved, _: Surroundings) -> Refusal | None:
    resolved = p.complaints.get(fact.complaint)
    if resolved is None:
        return unknown("complaint", fact.complaint)
    if resolved:
        return illegal(
            "complaint {name} is resolved already. Void that resolution first, if it is wrong.",
            name=fact.complaint,
        )
    return None


def _offer(package: Package, _: Any, __: Surroundings) -> Refusal | None:
    if package.offers:
        return illegal(
            "package {name} is offered already. Void that offer first, if it is wrong.",
            name=package.id,
        )
    return None


def _withdrawal(package: Package, _: Any, __: Surroundings) -> Refusal | None:
    if not package.offered:
        return unknown("package", package.id)
    if package.withdrawals:
        return illegal(
            "package {name} is withdrawn already. Void that withdrawal first, if it is wrong.",
            name=package.id,
        )
    return None


def _hold(programme: ProgrammeStream, _: Any, __: Surroundings) -> Refusal | None:
    return (
        illegal("payments are held already. Import their resumption first, or leave this out.")
        if programme.held
        else None
    )


def _resumption(programme: ProgrammeStream, _: Any, __: Surroundings) -> Refusal | None:
    return (
        None
        if programme.held
        else illegal("payments do not stand held. Import the hold first, or leave this out.")
    )


_RULES: Final[dict[type[f.Fact], Decision]] = {
    f.AccountVerified: _linked_account,
    f.AccountRejected: _linked_account,
    f.AccountUnlinked: _linked_account,
    f.TrainingPurchased: _purchase,
    f.PurchaseRefunded: _refund,
    f.CourseCompleted: _completion,
    f.CertificateIssued: _certificate,
    f.CourseRated: _rating,
    f.SurveySubmitted: _survey,
    f.DisbursementInstructed: _instruction,
    f.DisbursementSettled: _settlement,
    f.DisbursementFailed: _failure,
    f.DisbursementReturned: _return,
    f.ParticipationRevoked: _revocation,
    f.ParticipationReinstated: _reinstatement,
    f.ComplaintFiled: _complaint,
    f.ComplaintResolved: _resolution,
    f.PackageOffered: _offer,
    f.PackageWithdrawn: _withdrawal,
    f.PaymentsHeld: _hold,
    f.PaymentsResumed: _resumption,
}
ALWAYS_LEGAL: Final = frozenset({f.EnrolmentCorrected, f.AccountLinked, f.PackageSalesStopped})
JUDGED_BY_THE_REGISTER: Final = frozenset({f.Enrolled, f.EventVoided})
assert set(f.FACTS.values()) == _RULES.keys() | ALWAYS_LEGAL | JUDGED_BY_THE_REGISTER, (
    "a kind of fact without a rule"
)
