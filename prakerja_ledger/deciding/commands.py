"""Commands: what somebody asks the ledger to record now. Each becomes one fact, or is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import attrs
from attrs import field, frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain import vocabulary
from prakerja_ledger.domain.facts import Fact
from prakerja_ledger.domain.fields import (
    is_moment,
    is_money,
    is_name,
    is_one_of,
    is_text,
    or_absent,
)
from prakerja_ledger.domain.schemes import Line


@frozen(kw_only=True)
class Command:
    """Asks for a fact about a subject.

    `source` and `id` are the identity of the event that it becomes, and so the idempotency key: the
    same command again is met as a duplicate. Without a `time` it happens now, by the ledger's clock.
    Making one raises InvalidField, or InvalidTimestamp, where no fact could come of it.
    """

    source: str = field(validator=is_name)
    """Who asks, such as `//office`; 1 to 200 characters, as `id` and `subject`."""
    id: str = field(validator=is_name)
    """The name of what is asked for there."""
    subject: str = field(validator=is_name)
    """The participant; the package for package commands; `programme` for those of the programme."""
    time: str | datetime | None = field(default=None, validator=or_absent(is_moment))
    """When it happens in the world: RFC 3339 with offset, or an aware datetime."""

    def __attrs_post_init__(self) -> None:
        """The fields are judged by the fact that they would become: their rules stand there once.

        Here and not only when it is executed: a repeat is compared with what is recorded, and to
        Python `True` and `1.0` are 1.
        """
        if type(self) in FACT_OF:
            self.fact()

    def fact(self) -> Fact:
        """The fact that is asked for, from the fields of the same names."""
        kind = FACT_OF[type(self)]
        return kind(**{name: getattr(self, name) for name in f.FIELD_NAMES[kind]})


@frozen(kw_only=True)
class Overseen(Command):
    """Takes back or changes what was recorded before. It can name two people, and has to where the ledger asks for four eyes."""

    maker: str | None = field(default=None, validator=or_absent(is_name))
    """Who asks for it: an opaque name of theirs, such as a staff number."""
    checker: str | None = field(default=None, validator=or_absent(is_name))
    """Who approved it."""


@frozen(kw_only=True)
class Enrol(Command):
    """Make the subject a participant of a wave, under a scheme."""

    wave: int
    scheme: str


@frozen(kw_only=True)
class CorrectEnrolment(Overseen):
    """Put another wave and scheme in place of those enrolled with."""

    wave: int
    scheme: str
    reason: str
    authority: str


@frozen(kw_only=True)
class LinkAccount(Command):
    """Name the account to be paid to."""

    provider: str
    account: str


@frozen(kw_only=True)
class VerifyAccount(Command):
    """Confirm that the linked account can be paid."""

    account: str


@frozen(kw_only=True)
class RejectAccount(Command):
    """Say why the linked account cannot be paid."""

    account: str
    reason: str


@frozen(kw_only=True)
class UnlinkAccount(Command):
    """Disconnect the linked account."""

    account: str


@frozen(kw_only=True)
class PurchaseTraining(Command):
    """Buy courses, singly or as a package."""

    purchase: str
    platform: str
    price: int
    courses: Sequence[f.Course]
    method: str = "prakerja"
    package: str | None = None


@frozen(kw_only=True)
class RefundPurchase(Command):
    """Give money of a purchase back."""

    purchase: str
    amount: int


@frozen(kw_only=True)
class CompleteCourse(Command):
    """Finish a course."""

    course: str
    score: int | None = None


@frozen(kw_only=True)
class IssueCertificate(Command):
    """Certify a finished course."""

    course: str
    certificate: str


@frozen(kw_only=True)
class RateCourse(Command):
    """Rate a course in one dimension or more."""

    course: str
    reviewed: bool
    instructor: int | None = None
    facilities: int | None = None
    programme: int | None = None


@frozen(kw_only=True)
class SubmitSurvey(Command):
    """Answer an evaluation survey."""

    survey: int


@frozen(kw_only=True)
class Instruct(Command):
    """Tell a payment partner to pay a line.

    Without an amount: what is unpaid. Without provider and account: those linked. Without a
    disbursement id: one made of the line and the attempt, so that two processes cannot invent two.
    """

    line: Line = field(validator=is_text)
    amount: int | None = field(default=None, validator=or_absent(is_money(at_least=1)))
    provider: str | None = field(default=None, validator=or_absent(is_one_of(vocabulary.PROVIDERS)))
    account: str | None = field(default=None, validator=or_absent(is_text))
    disbursement: str | None = field(default=None, validator=or_absent(is_text))

    def __attrs_post_init__(self) -> None:
        """Its fact is made of more than its fields, so each of these is judged by itself."""


@frozen(kw_only=True)
class Settle(Command):
    """Record that a disbursement reached the account."""

    disbursement: str
    reference: str
    amount: int | None = None


@frozen(kw_only=True)
class Fail(Command):
    """Record that a disbursement did not go through."""

    disbursement: str
    reason: str


@frozen(kw_only=True)
class Return(Command):
    """Record that settled money came back."""

    disbursement: str
    reason: str
    amount: int | None = None


@frozen(kw_only=True)
class Revoke(Overseen):
    """Take the participation away."""

    reason: str


@frozen(kw_only=True)
class Reinstate(Command):
    """Give it back."""

    reason: str


@frozen(kw_only=True)
class FileComplaint(Command):
    """Ask where the money is."""

    complaint: str
    component: str | None = None
    instalment: int | None = None
    channel: str | None = None


@frozen(kw_only=True)
class ResolveComplaint(Command):
    """Answer a complaint."""

    complaint: str
    outcome: str


@frozen(kw_only=True)
class OfferPackage(Command):
    """Put a package of courses on sale."""

    platform: str
    price: int
    courses: Sequence[f.Course]


@frozen(kw_only=True)
class WithdrawPackage(Command):
    """Take a package off sale."""

    reason: str | None = None


@frozen(kw_only=True)
class StopPackageSales(Command):
    """Stop the sale of packages on platforms, from a day on."""

    notice: str
    effective: date
    platforms: Sequence[str]
    subject: str = field(default="programme", validator=is_name)


@frozen(kw_only=True)
class HoldPayments(Command):
    """Stop all payments."""

    reason: str
    subject: str = field(default="programme", validator=is_name)


@frozen(kw_only=True)
class ResumePayments(Command):
    """Let payments go on."""

    subject: str = field(default="programme", validator=is_name)


@frozen(kw_only=True)
class VoidEvent(Overseen):
    """Say that a recorded event never was true. The subject is that of the event."""

    voided_source: str = field(validator=is_text)
    """The source of the event that is voided."""
    voided_id: str = field(validator=is_text)
    """Its id there."""
    reason: str
    authority: str

    def fact(self) -> Fact:
        """The void: there the identity of the voided event is called `source` and `id`."""
        return f.EventVoided(
            source=self.voided_source,
            id=self.voided_id,
            reason=self.reason,
            authority=self.authority,
        )


FACT_OF: dict[type[Command], type[Fact]] = {
    Enrol: f.Enrolled,
    CorrectEnrolment: f.EnrolmentCorrected,
    LinkAccount: f.AccountLinked,
    VerifyAccount: f.AccountVerified,
    RejectAccount: f.AccountRejected,
    UnlinkAccount: f.AccountUnlinked,
    PurchaseTraining: f.TrainingPurchased,
    RefundPurchase: f.PurchaseRefunded,
    CompleteCourse: f.CourseCompleted,
    IssueCertificate: f.CertificateIssued,
    RateCourse: f.CourseRated,
    SubmitSurvey: f.SurveySubmitted,
    Instruct: f.DisbursementInstructed,
    Settle: f.DisbursementSettled,
    Fail: f.DisbursementFailed,
    Return: f.DisbursementReturned,
    Revoke: f.ParticipationRevoked,
    Reinstate: f.ParticipationReinstated,
    FileComplaint: f.ComplaintFiled,
    ResolveComplaint: f.ComplaintResolved,
    OfferPackage: f.PackageOffered,
    WithdrawPackage: f.PackageWithdrawn,
    StopPackageSales: f.PackageSalesStopped,
    HoldPayments: f.PaymentsHeld,
    ResumePayments: f.PaymentsResumed,
    VoidEvent: f.EventVoided,
}
"""The fact that each command asks for."""
assert set(FACT_OF.values()) == set(f.FACTS.values()), "a fact without a command"


_BESIDE: Final = {a.name for a in attrs.fields(Overseen)}


def asked_for(command: Command) -> dict[str, object]:
    """What a command says of itself: its fields that are given, beside identity, subject, time and people."""
    own = {a.name for a in attrs.fields(type(command))} - _BESIDE
    given = {name: getattr(command, name) for name in own}
    return {name: value for name, value in given.items() if value is not None}
