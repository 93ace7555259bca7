"""A finding: a fact that breaks a rule, dated, with what is at stake and its evidence (contract, section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Any, Final

from attrs import frozen

from prakerja_ledger.domain.events import Event, order_of_events


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


def in_order_of_findings(findings: Iterable[Finding]) -> list[Finding]:
    """By date, subject, code, detail as compact JSON by code point, evidence in order of events."""
    return sorted(findings, key=order_of_findings)


def detail_text(finding: Finding) -> str:
    """A finding's detail as compact JSON: what the contract sorts by."""
    return _compact(finding.detail)


def order_of_findings(finding: Finding) -> tuple[Any, ...]:
    """The key of that order."""
    return (
        finding.on,
        finding.subject,
        finding.code,
        detail_text(finding),
        [order_of_events(event) for event in finding.evidence],
    )


def _compact(value: Any) -> str:
    """A JSON value, compact.

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
