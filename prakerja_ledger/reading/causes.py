"""Causes: why a line is not paid, and who must act next (contract, section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.vocabulary import REASONS, Owner


class Cause(StrEnum):
    """Every cause, in the order in which rows of the contract's table name them."""

    REVOKED = "REVOKED"
    FIRST_COURSE_CUT_OFF = "FIRST_COURSE_CUT_OFF"
    SURVEY_CUT_OFF = "SURVEY_CUT_OFF"
    LINK_CUT_OFF = "LINK_CUT_OFF"
    TRAINING_CUT_OFF = "TRAINING_CUT_OFF"
    AWAITING_OUTCOME = "AWAITING_OUTCOME"
    MONTH_NOT_REACHED = "MONTH_NOT_REACHED"
    NO_PURCHASE = "NO_PURCHASE"
    COURSE_NOT_COMPLETED = "COURSE_NOT_COMPLETED"
    CERTIFICATE_NOT_ON_RECORD = "CERTIFICATE_NOT_ON_RECORD"
    RATING_NOT_ON_RECORD = "RATING_NOT_ON_RECORD"
    REVIEW_NOT_ON_RECORD = "REVIEW_NOT_ON_RECORD"
    FIRST_INCENTIVE_NOT_PAID = "FIRST_INCENTIVE_NOT_PAID"
    EARLIER_SURVEY_NOT_SUBMITTED = "EARLIER_SURVEY_NOT_SUBMITTED"
    SURVEY_NOT_SUBMITTED = "SURVEY_NOT_SUBMITTED"
    REPORT_LAG = "REPORT_LAG"
    PROGRAMME_HOLD = "PROGRAMME_HOLD"
    ACCOUNT_NOT_ON_RECORD = "ACCOUNT_NOT_ON_RECORD"
    ACCOUNT_REJECTED = "ACCOUNT_REJECTED"
    ACCOUNT_NOT_VERIFIED = "ACCOUNT_NOT_VERIFIED"
    TRANSFER_FAILED = "TRANSFER_FAILED"
    TRANSFER_RETURNED = "TRANSFER_RETURNED"
    PAYMENT_WINDOW_OPEN = "PAYMENT_WINDOW_OPEN"
    NOT_INSTRUCTED = "NOT_INSTRUCTED"


OWNERS: Final[Mapping[Cause, Owner]] = {
    Cause.REVOKED: Owner.PROGRAMME,
    Cause.FIRST_COURSE_CUT_OFF: Owner.PARTICIPANT,
    Cause.SURVEY_CUT_OFF: Owner.PARTICIPANT,
    Cause.LINK_CUT_OFF: Owner.PARTICIPANT,
    Cause.TRAINING_CUT_OFF: Owner.PARTICIPANT,
    Cause.AWAITING_OUTCOME: Owner.PAYMENT_PARTNER,
    Cause.MONTH_NOT_REACHED: Owner.CALENDAR,
    Cause.NO_PURCHASE: Owner.PARTICIPANT,
    Cause.COURSE_NOT_COMPLETED: Owner.PARTICIPANT,
    Cause.CERTIFICATE_NOT_ON_RECORD: Owner.INSTITUTION,
    Cause.RATING_NOT_ON_RECORD: Owner.PARTICIPANT,
    Cause.REVIEW_NOT_ON_RECORD: Owner.PARTICIPANT,
    Cause.FIRST_INCENTIVE_NOT_PAID: Owner.PROGRAMME,
    Cause.EARLIER_SURVEY_NOT_SUBMITTED: Owner.PARTICIPANT,
    Cause.SURVEY_NOT_SUBMITTED: Owner.PARTICIPANT,
    Cause.REPORT_LAG: Owner.PLATFORM,
    Cause.PROGRAMME_HOLD: Owner.PROGRAMME,
    Cause.ACCOUNT_NOT_ON_RECORD: Owner.PARTICIPANT,
    Cause.ACCOUNT_NOT_VERIFIED: Owner.PARTICIPANT,
    Cause.PAYMENT_WINDOW_OPEN: Owner.PROGRAMME,
    Cause.NOT_INSTRUCTED: Owner.PROGRAMME,
}
OWNED_BY_REASON: Final = frozenset(
    {Cause.ACCOUNT_REJECTED, Cause.TRANSFER_FAILED, Cause.TRANSFER_RETURNED}
)
"""Causes whose owner is that of the reason code which the payment partner gave."""
assert OWNERS.keys() | OWNED_BY_REASON == set(Cause), "a cause without an owner"


@frozen(eq=False)
class Because:
    """One cause of one line: its owner, and the partner's reason code where it has one.

    There is one object of each, in the tables of this module: they are compared as objects.
    """

    cause: Cause
    owner: Owner
    reason: str | None = None


BECAUSE: Final[Mapping[Cause, Because]] = {
    cause: Because(cause, owner) for cause, owner in OWNERS.items()
}
BECAUSE_OF: Final[Mapping[tuple[Cause, str], Because]] = {
    (cause, code): Because(cause, reason.owner, code)
    for cause in sorted(OWNED_BY_REASON)
    for code, reason in REASONS.items()
}
