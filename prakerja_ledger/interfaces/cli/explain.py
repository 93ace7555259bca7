"""Sentences: what happened, why a line stands as it does, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain import vocabulary
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.schemes import Scheme
from prakerja_ledger.domain.time import day
from prakerja_ledger.domain.vocabulary import REASONS, Owner
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.reading.causes import Because, Cause
from prakerja_ledger.reading.finding import Code
from prakerja_ledger.reading.statement import Standing, StatementLine, Status

STATUSES: Final[Mapping[Status, str]] = {
    Status.PAID: N_("paid"),
    Status.FORFEITED: N_("forfeited"),
    Status.IN_FLIGHT: N_("in flight"),
    Status.SCHEDULED: N_("scheduled"),
    Status.NOT_EARNED: N_("not earned yet"),
    Status.OPEN: N_("open"),
    Status.DUE: N_("payable"),
    Status.OVERDUE: N_("overdue"),
}
STANDINGS: Final[Mapping[Standing, str]] = {
    Standing.ACTIVE: N_("active"),
    Standing.REVOKED: N_("revoked"),
}
OWNERS: Final[Mapping[Owner, str]] = {
    Owner.PARTICIPANT: N_("the participant"),
    Owner.PROGRAMME: N_("the programme office"),
    Owner.PLATFORM: N_("the platform"),
    Owner.INSTITUTION: N_("the training institution"),
    Owner.PAYMENT_PARTNER: N_("the payment partner"),
    Owner.CALENDAR: N_("nobody: it is a matter of time"),
}
WHY: Final[Mapping[Cause, str]] = {
    Cause.REVOKED: N_("the participation stands revoked, so the money went back to the state"),
    Cause.FIRST_COURSE_CUT_OFF: N_("no first course was finished by {first_course_by}"),
    Cause.SURVEY_CUT_OFF: N_("this survey or one before it was not submitted by {surveys_by}"),
    Cause.LINK_CUT_OFF: N_("no account stood linked when {account_linked_by} ended"),
    Cause.TRAINING_CUT_OFF: N_("the training balance could be used until {training_used_by}"),
    Cause.AWAITING_OUTCOME: N_(
        "a transfer was instructed and the payment partner has not said how it ended"
    ),
    Cause.MONTH_NOT_REACHED: N_("its month is not reached: it is earned on {earned_on}"),
    Cause.NO_PURCHASE: N_("no training was bought with the training balance"),
    Cause.COURSE_NOT_COMPLETED: N_("no bought course is recorded as finished in time"),
    Cause.CERTIFICATE_NOT_ON_RECORD: N_("the certificate of the first course is not on record"),
    Cause.RATING_NOT_ON_RECORD: N_("the rating of the first course is not on record"),
    Cause.REVIEW_NOT_ON_RECORD: N_("the review of the first course is not on record"),
    Cause.FIRST_INCENTIVE_NOT_PAID: N_("the first incentive has to be paid before any survey is"),
    Cause.EARLIER_SURVEY_NOT_SUBMITTED: N_("an earlier survey is not submitted"),
    Cause.SURVEY_NOT_SUBMITTED: N_("this survey is not submitted"),
    Cause.REPORT_LAG: N_("the report of what was done reached the programme only later"),
    Cause.PROGRAMME_HOLD: N_("the programme holds all payments"),
    Cause.ACCOUNT_NOT_ON_RECORD: N_("no bank account or e-wallet is linked on record"),
    Cause.ACCOUNT_REJECTED: N_("the payment partner rejected the linked account: {reason}"),
    Cause.ACCOUNT_NOT_VERIFIED: N_("the linked account is not verified yet"),
    Cause.TRANSFER_FAILED: N_("the last transfer failed: {reason}"),
    Cause.TRANSFER_RETURNED: N_("the money came back: {reason}"),
    Cause.PAYMENT_WINDOW_OPEN: N_("there is still time to pay it: it is due on {due_on}"),
    Cause.NOT_INSTRUCTED: N_(
        "everything needed is on record, and nobody has instructed the payment"
    ),
}
NEXT_STEP: Final[Mapping[Cause, str]] = {
    Cause.REVOKED: N_("If the revocation was wrong, record a reinstatement."),
    Cause.FIRST_COURSE_CUT_OFF: N_(
        "Nothing can be paid, unless an earlier completion is reported."
    ),
    Cause.SURVEY_CUT_OFF: N_("Nothing can be paid, unless an earlier submission is reported."),
    Cause.LINK_CUT_OFF: N_("Nothing can be paid, unless an earlier linking is reported."),
    Cause.TRAINING_CUT_OFF: N_("The rest went back to the state treasury; nothing is to be done."),
    Cause.AWAITING_OUTCOME: N_("Ask the payment partner for the outcome before paying again."),
    Cause.MONTH_NOT_REACHED: N_("Wait; nothing further has to be done for it."),
    Cause.NO_PURCHASE: N_("Buy a training with the training balance."),
    Cause.COURSE_NOT_COMPLETED: N_("Finish a bought course; its institution reports it."),
    Cause.CERTIFICATE_NOT_ON_RECORD: N_("Ask the training institution to issue and report it."),
    Cause.RATING_NOT_ON_RECORD: N_("Rate the first course."),
    Cause.REVIEW_NOT_ON_RECORD: N_("Write the review of the first course."),
    Cause.FIRST_INCENTIVE_NOT_PAID: N_("See the line post-training/1."),
    Cause.EARLIER_SURVEY_NOT_SUBMITTED: N_("Submit the earlier survey first."),
    Cause.SURVEY_NOT_SUBMITTED: N_("Submit the survey when it opens on the dashboard."),
    Cause.REPORT_LAG: N_("Ask the platform to report what is finished."),
    Cause.PROGRAMME_HOLD: N_("Wait until payments resume; the line stays owed."),
    Cause.ACCOUNT_NOT_ON_RECORD: N_(
        "Link an account; if one was linked, ask for its linking to be reported."
    ),
    Cause.ACCOUNT_REJECTED: N_(
        "Settle the reason with the payment partner, or link another account."
    ),
    Cause.ACCOUNT_NOT_VERIFIED: N_("Finish the identity check of the account (KYC)."),
    Cause.TRANSFER_FAILED: N_("Once the reason is settled, a new transfer can be instructed."),
    Cause.TRANSFER_RETURNED: N_("Once the reason is settled, a new transfer can be instructed."),
    Cause.PAYMENT_WINDOW_OPEN: N_("Wait until the due date."),
    Cause.NOT_INSTRUCTED: N_("Instruct the payment."),
}
assert WHY.keys() == NEXT_STEP.keys() == set(Cause), "a cause without a sentence"

REASON_WORDS: Final[Mapping[str, str]] = {
    "account-closed": N_("the account is closed"),
    "account-blocked": N_("the account is blocked"),
    "account-not-found": N_("the account does not exist"),
    "not-kyc": N_("the account's identity check (KYC) is not done"),
    "wallet-limit": N_("the e-wallet's limit is exceeded"),
    "nik-mismatch": N_("the identity number does not match"),
    "name-mismatch": N_("the name does not match"),
    "phone-changed": N_("the telephone number changed"),
    "insufficient-funds": N_("the programme's account held too little"),
    "partner-rejected": N_("the payment partner rejected it without a reason"),
    "technical": N_("a technical fault at the payment partner"),
    "unknown": N_("the reason is unknown"),
}
assert REASON_WORDS.keys() == REASONS.keys(), "a reason without words"

WHAT_HAPPENED: Final[Mapping[type[f.Fact], str]] = {
    f.Enrolled: N_("enrolled in wave {wave}, scheme {scheme}"),
    f.EnrolmentCorrected: N_("enrolment corrected to wave {wave}, scheme {scheme}: {reason}"),
    f.AccountLinked: N_("linked account {account} at {provider}"),
    f.AccountVerified: N_("account {account} verified"),
    f.AccountRejected: N_("account {account} rejected: {reason_words}"),
    f.AccountUnlinked: N_("account {account} disconnected"),
    f.TrainingPurchased: N_(
        "bought {courses} for {price} on {platform}, paid with {method}{package}"
    ),
    f.PurchaseRefunded: N_("{amount} of purchase {purchase} refunded"),
    f.CourseCompleted: N_("finished course {course}"),
    f.CertificateIssued: N_("certificate {certificate} issued for course {course}"),
    f.CourseRated: N_("rated course {course}{review}"),
    f.SurveySubmitted: N_("submitted survey {survey}"),
    f.DisbursementInstructed: N_(
        "{amount} instructed for {line} to {provider} (disbursement {disbursement})"
    ),
    f.DisbursementSettled: N_(
        "{amount} arrived on {line} (disbursement {disbursement}, reference {reference})"
    ),
    f.DisbursementFailed: N_("disbursement {disbursement} for {line} failed: {reason_words}"),
    f.DisbursementReturned: N_(
        "{amount} of disbursement {disbursement} for {line} came back: {reason_words}"
    ),
    f.ParticipationRevoked: N_("participation revoked: {reason}"),
    f.ParticipationReinstated: N_("participation reinstated: {reason}"),
    f.ComplaintFiled: N_("complaint {complaint} filed"),
    f.ComplaintResolved: N_("complaint {complaint} resolved: {outcome}"),
    f.EventVoided: N_("event {source} {id} voided: {reason}"),
    f.PackageOffered: N_("package offered on {platform} for {price}"),
    f.PackageWithdrawn: N_("package withdrawn"),
    f.PackageSalesStopped: N_("package sales stopped by {notice} from {effective}"),
    f.PaymentsHeld: N_("all payments held: {reason}"),
    f.PaymentsResumed: N_("payments resumed"),
}
assert WHAT_HAPPENED.keys() == set(f.FACTS.values()), "a kind of fact without a sentence"

FINDINGS: Final[Mapping[Code, str]] = {
    Code.PACKAGE_BUNDLES_COURSES: N_(
        "the package bundles {courses} courses (institutions: {institutions})"
    ),
    Code.PACKAGE_OTHER_PLATFORM: N_("package {package} of {offered_by} was sold by {platform}"),
    Code.PACKAGE_SOLD_AFTER_STOP: N_(
        "package {package} was sold although {notice} stopped it from {effective}"
    ),
    Code.CASH_BEFORE_PACKAGE_DONE: N_(
        "cash was paid while courses of package {package} were open: {open}"
    ),
    Code.COURSE_UNRATED: N_(
        "course {course} of a package is finished and not rated for: {missing}"
    ),
    Code.COURSE_NOT_EVALUABLE: N_(
        "the course is sold in packages only and rated by nobody: {packages}"
    ),
    Code.BALANCE_OVERSPENT: N_("more was spent than the training balance holds"),
    Code.FIRST_PURCHASE_LATE: N_("no training was bought by {limit}"),
    Code.PAID_UNEARNED: N_("{line} was paid before it was earned"),
    Code.PAID_TWICE: N_("{line} was paid more than once"),
    Code.PAID_AFTER_REVOCATION: N_("{line} was paid after the revocation"),
    Code.PAID_WITHOUT_VERIFIED_ACCOUNT: N_("{line} was paid while no account stood verified"),
    Code.PAID_TO_OTHER_ACCOUNT: N_("{line} was paid to {account}, not the linked account"),
    Code.SETTLED_AFTER_FAILURE: N_(
        "disbursement {disbursement} for {line} arrived although it had failed"
    ),
    Code.INSTRUCTED_UNDULY: N_(
        "disbursement {disbursement} for {line} should not have been instructed: {why}"
    ),
    Code.SHARED_ACCOUNT: N_(
        "account {account} at {provider} is used by {participants} participants"
    ),
    Code.DUPLICATE_CERTIFICATE: N_("certificate number {certificate} is used {pairs} times"),
    Code.CERTIFICATE_BEFORE_COMPLETION: N_(
        "certificate {certificate} came before course {course} was finished"
    ),
    Code.SURVEY_OUT_OF_ORDER: N_("survey {survey} was submitted before an earlier one"),
    Code.WAVE_OUTSIDE_SCHEME: N_("wave {wave} does not belong to scheme {scheme}"),
    Code.REPORTED_LATE: N_("{type} of course {course} was reported ten working days late or more"),
}
assert FINDINGS.keys() == set(Code), "a finding without a sentence"


METHODS: Final[Mapping[str, str]] = {
    "prakerja": N_("the training balance"),
    "bank-transfer": N_("a bank transfer"),
    "atm": N_("an ATM transfer"),
    "credit-card": N_("a credit card"),
    "e-money": N_("e-money"),
    "other": N_("other means"),
}
REVOCATIONS: Final[Mapping[str, str]] = {
    "no-first-purchase": N_("no first purchase"),
    "ineligible": N_("not eligible"),
    "fraud": N_("fraud"),
    "other": N_("another reason"),
}
OUTCOMES: Final[Mapping[str, str]] = {
    "paid": N_("paid out"),
    "explained": N_("explained"),
    "rejected": N_("rejected"),
    "withdrawn": N_("withdrawn"),
}
DIMENSIONS: Final[Mapping[str, str]] = {
    "instructor": N_("instructor"),
    "facilities": N_("facilities"),
    "programme": N_("programme"),
}
UNDULY: Final[Mapping[str, str]] = {
    "over-amount": N_("more than the line's amount"),
    "already-paid": N_("the line was paid already"),
    "in-flight": N_("another transfer was in flight"),
    "not-earned": N_("the line was not earned"),
    "revoked": N_("the participation stood revoked"),
}
REPORTS: Final[Mapping[str, str]] = {
    "course-completed": N_("the completion"),
    "certificate-issued": N_("the certificate"),
    "course-rated": N_("the rating"),
}
assert METHODS.keys() == set(vocabulary.METHODS), "a method without words"
assert REVOCATIONS.keys() == set(vocabulary.REVOCATION_REASONS), "a revocation without words"
assert OUTCOMES.keys() == set(vocabulary.COMPLAINT_OUTCOMES), "an outcome without words"
assert DIMENSIONS.keys() == set(vocabulary.DIMENSIONS), "a dimension without words"


def why(words: Words, because: Because, line: StatementLine, scheme: Scheme) -> str:
    """One cause of a line in a plain sentence (without a full stop)."""
    return words(
        WHY[because.cause],
        reason=words(REASON_WORDS[because.reason]) if because.reason else "",
        earned_on=words.day(line.earned_on),
        due_on=words.day(line.due_on),
        first_course_by=words.day(scheme.first_course_by),
        surveys_by=words.day(scheme.surveys_by),
        account_linked_by=words.day(scheme.account_linked_by),
        training_used_by=words.day(scheme.training_used_by),
    )


def next_step(words: Words, because: Because) -> str:
    """What to do about a cause."""
    return words(NEXT_STEP[because.cause])


def owner(words: Words, who: Owner | None) -> str:
    """Who must act."""
    return "" if who is None else words(OWNERS[who])


def what_happened(words: Words, event: Event, participant: Any = None) -> str:
    """A fact in a plain sentence; `participant` tells what a disbursement counts on."""
    fact: Any = event.fact
    fields: dict[str, Any] = {name: getattr(fact, name) for name in f.FIELD_NAMES[type(fact)]}
    if "reason" in fields:
        fields["reason_words"] = words(REASON_WORDS.get(fact.reason, fact.reason))
    if "disbursement" in fields and participant is not None:
        fields["line"] = participant.line_of(fact.disbursement)
        fields["amount"] = words.money(_amount(event, participant))
    elif "amount" in fields:
        fields["amount"] = words.money(fact.amount)
    if "price" in fields:
        fields["price"] = words.money(fact.price)
    if "effective" in fields:
        fields["effective"] = words.day(fact.effective)
    match fact:
        case f.ParticipationRevoked():
            fields["reason"] = words(REVOCATIONS[fact.reason])
        case f.ComplaintResolved():
            fields["outcome"] = words(OUTCOMES[fact.outcome])
        case f.TrainingPurchased():
            fields["method"] = words(METHODS[fact.method])
            fields["courses"] = words.listed(one.course for one in fact.courses)
            fields["package"] = (
                words(N_(", as package {package}"), package=fact.package) if fact.package else ""
            )
        case f.CourseRated():
            fields["review"] = words(
                N_(", with a review") if fact.reviewed else N_(", without a review")
            )
    return words(WHAT_HAPPENED[type(fact)], **fields)


def _amount(event: Event, participant: Any) -> int:
    fact: Any = event.fact
    match fact:
        case f.DisbursementSettled():
            return int(participant.settled_amount(fact))
        case f.DisbursementReturned():
            return int(participant.returned_amount(event, fact))
        case f.DisbursementInstructed():
            return fact.amount
    return 0


def finding_sentence(words: Words, code: Code, detail: Mapping[str, Any]) -> str:
    """A finding in a plain sentence."""
    return words(FINDINGS[code], **{name: _detail(words, name, v) for name, v in detail.items()})


def _detail(words: Words, name: str, value: Any) -> Any:
    """One value of a finding's detail, in words where it is one of ours."""
    known = _IN_WORDS.get(name)
    if isinstance(value, list):
        return ", ".join(words(known[one]) if known else one for one in value)
    if known is not None:
        return words(known[value])
    return words.day(day(value)) if name in _DATES and value is not None else value


_IN_WORDS: Final = {"why": UNDULY, "missing": DIMENSIONS, "type": REPORTS}
_DATES: Final = frozenset({"effective", "limit", "earned_on", "finished_on"})


class Identified(Protocol):
    """What has the identity of an event."""

    @property
    def source(self) -> str:
        """Who gave the id."""

    @property
    def id(self) -> str:
        """What it is called there."""


def event_name(event: Identified) -> str:
    """The identity of an event, safe to show."""
    return f"{shown(event.source)} {shown(event.id)}"
