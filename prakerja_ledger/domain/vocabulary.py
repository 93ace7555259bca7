"""The closed lists of the programme's words (contract, sections 2, 4.4 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from attrs import frozen

PLATFORMS: Final = (
    "bukalapak",
    "maubelajarapa",
    "pijar-mahir",
    "pintaria",
    "sekolahmu",
    "sisnaker",
    "skill-academy",
    "tokopedia",
    "karier-mu",  # joined later than the eight of the launch
)
PROVIDERS: Final = ("bni", "bca", "ovo", "gopay", "linkaja", "dana")
METHODS: Final = ("prakerja", "bank-transfer", "atm", "credit-card", "e-money", "other")
COMPONENTS: Final = ("post-training", "survey")
REVOCATION_REASONS: Final = ("no-first-purchase", "ineligible", "fraud", "other")
COMPLAINT_OUTCOMES: Final = ("paid", "explained", "rejected", "withdrawn")
DIMENSIONS: Final = ("instructor", "facilities", "programme")


class Owner(StrEnum):
    """Who must act next."""

    PARTICIPANT = "participant"
    PROGRAMME = "programme"
    PLATFORM = "platform"
    INSTITUTION = "institution"
    PAYMENT_PARTNER = "payment-partner"
    CALENDAR = "calendar"


@frozen(kw_only=True)
class Reason:
    """Why a transfer failed or was returned, or an account was rejected."""

    code: str
    owner: Owner
    """Who must take the next step."""
    iso20022: str | None
    """The nearest ISO 20022 external status reason code; None where there is none."""


def _reason(code: str, owner: Owner, iso20022: str | None) -> Reason:
    return Reason(code=code, owner=owner, iso20022=iso20022)


REASONS: Final[Mapping[str, Reason]] = {
    reason.code: reason
    for reason in (
        _reason("account-closed", Owner.PARTICIPANT, "AC04"),
        _reason("account-blocked", Owner.PARTICIPANT, "AC06"),
        _reason("account-not-found", Owner.PARTICIPANT, "AC01"),
        _reason("not-kyc", Owner.PARTICIPANT, None),
        _reason("wallet-limit", Owner.PARTICIPANT, "AM02"),
        _reason("nik-mismatch", Owner.PARTICIPANT, "BE01"),
        _reason("name-mismatch", Owner.PARTICIPANT, "BE22"),
        _reason("phone-changed", Owner.PARTICIPANT, None),
        _reason("insufficient-funds", Owner.PROGRAMME, "AM04"),
        _reason("partner-rejected", Owner.PAYMENT_PARTNER, "MS03"),
        _reason("technical", Owner.PAYMENT_PARTNER, "AB05"),
        _reason("unknown", Owner.PAYMENT_PARTNER, "NARR"),
    )
}
