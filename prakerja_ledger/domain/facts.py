"""The facts: what happened, past tense, frozen, each under a permanent name.

A fact holds what happened, never what follows from it. Its name in a history is
`prakerja.KIND.v1`; the Python class may be renamed, the kind never. Construction checks every
field (contract, section 2): what is read is validated as what is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from operator import attrgetter
from typing import Any, ClassVar, Final

import attrs
from attrs import field, frozen

from prakerja_ledger.domain.errors import InvalidField
from prakerja_ledger.domain.fields import (
    is_flag,
    is_integer,
    is_money,
    is_several,
    is_text,
    or_absent,
    to_component,
    to_component_or_absent,
    to_effective,
    to_method,
    to_outcome,
    to_platform,
    to_platforms,
    to_provider,
    to_reason,
    to_revocation_reason,
    wrong,
)
from prakerja_ledger.domain.phrases import Phrase


@frozen(kw_only=True, weakref_slot=False)
class Course:
    """A course as it is sold: its id, and the institution that teaches it."""

    course: str = field(validator=is_text)
    institution: str = field(validator=is_text)


def to_courses(value: Sequence[Course]) -> tuple[Course, ...]:
    """Distinct courses, each as it is or as JSON has it."""
    expected = Phrase("a list of {{course, institution}} with distinct courses, at least one")
    given: Sequence[Any] = value if isinstance(value, (list, tuple)) or is_several(value) else ()
    if not given:
        raise wrong("courses", value, expected)
    try:
        courses = tuple(one if type(one) is Course else Course(**one) for one in given)
    except TypeError:
        raise wrong("courses", value, expected) from None
    if len(courses) > 1 and len({one.course for one in courses}) != len(courses):
        raise wrong("courses", value, expected)
    return courses


class Fact:
    """What happened. Subclasses name their permanent kind; the registry is closed after import."""

    __slots__ = ()
    kind: ClassVar[str]
    stream: ClassVar[str]
    """Whose stream it belongs to: `participant`, `package` or `programme`; `any` for a void."""

    def __init_subclass__(cls, kind: str | None = None, stream: str = "participant") -> None:
        # attrs builds a slotted class anew, without these words; the later one is the one to keep.
        if kind is not None:
            assert type_of(kind) not in FACTS, f"{kind} is taken"
            cls.kind = kind
            cls.stream = stream
        FACTS[type_of(cls.kind)] = cls


FACTS: Final[dict[str, type[Fact]]] = {}
"""Every type that a history may hold, by its name there."""

PACKAGE: Final = "package"
PROGRAMME: Final = "programme"
PARTICIPANT: Final = "participant"
ANY_STREAM: Final = "any"


def type_of(kind: str) -> str:
    """The CloudEvents type of a kind of fact."""
    return f"prakerja.{kind}.v1"


def fields_of(kind: type[Fact]) -> Iterable[attrs.Attribute[Any]]:
    """The fields of a kind, in the order of the contract."""
    found: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)  # type: ignore[arg-type]  # every kind is an attrs class
    return found


def data_of(fact: Fact) -> dict[str, Any]:
    """The fact as the `data` object of an event: JSON values, absent fields left out."""
    found: dict[str, Any] = {}
    for attribute in fields_of(type(fact)):
        value = getattr(fact, attribute.name)
        if value is not None:
            found[attribute.name] = _as_json(value)
    return found


def _as_json(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_as_json(one) for one in value]
    if isinstance(value, Course):
        return {"course": value.course, "institution": value.institution}
    return value


@frozen(kw_only=True, weakref_slot=False)
class Enrolled(Fact, kind="enrolled"):
    """A decision letter made the person a participant of a wave, under a scheme."""

    wave: int = field(validator=is_integer(1))
    scheme: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class EnrolmentCorrected(Fact, kind="enrolment-corrected"):
    """The enrolment named the wrong wave or scheme; these hold instead, from the start."""

    wave: int = field(validator=is_integer(1))
    scheme: str = field(validator=is_text)
    reason: str = field(validator=is_text)
    authority: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class AccountLinked(Fact, kind="account-linked"):
    """The participant named the account to be paid to. It replaces the one before, unverified."""

    provider: str = field(converter=to_provider)
    account: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class AccountVerified(Fact, kind="account-verified"):
    """The payment partner confirmed that the account is the participant's and can be paid."""

    account: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class AccountRejected(Fact, kind="account-rejected"):
    """The payment partner will not pay to the account, for a reason. It stays linked."""

    account: str = field(validator=is_text)
    reason: str = field(converter=to_reason)


@frozen(kw_only=True, weakref_slot=False)
class AccountUnlinked(Fact, kind="account-unlinked"):
    """The participant disconnected the account."""

    account: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class TrainingPurchased(Fact, kind="training-purchased"):
    """One payment for one or more courses, sold singly or as a package."""

    purchase: str = field(validator=is_text)
    platform: str = field(converter=to_platform)
    price: int = field(validator=is_money(at_least=0))
    method: str = field(converter=to_method)
    courses: tuple[Course, ...] = field(converter=to_courses)
    package: str | None = field(default=None, validator=or_absent(is_text))


@frozen(kw_only=True, weakref_slot=False)
class PurchaseRefunded(Fact, kind="purchase-refunded"):
    """Money of a purchase went back."""

    purchase: str = field(validator=is_text)
    amount: int = field(validator=is_money(at_least=1))


@frozen(kw_only=True, weakref_slot=False)
class CourseCompleted(Fact, kind="course-completed"):
    """The participant finished the course."""

    course: str = field(validator=is_text)
    score: int | None = field(default=None, validator=or_absent(is_integer(0, 100)))


@frozen(kw_only=True, weakref_slot=False)
class CertificateIssued(Fact, kind="certificate-issued"):
    """The institution certified that the participant finished the course."""

    course: str = field(validator=is_text)
    certificate: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class CourseRated(Fact, kind="course-rated"):
    """The participant rated a course in one or more dimensions; `reviewed`: with a written review."""

    course: str = field(validator=is_text)
    instructor: int | None = field(default=None, validator=or_absent(is_integer(1, 5)))
    facilities: int | None = field(default=None, validator=or_absent(is_integer(1, 5)))
    programme: int | None = field(default=None, validator=or_absent(is_integer(1, 5)))
    reviewed: bool = field(validator=is_flag)

    def __attrs_post_init__(self) -> None:
        """At least one dimension is rated."""
        if self.instructor is None and self.facilities is None and self.programme is None:
            raise InvalidField(
                field="instructor",
                found=Phrase("absent, as are facilities and programme"),
                expected=Phrase("at least one of the three"),
            )


@frozen(kw_only=True, weakref_slot=False)
class SurveySubmitted(Fact, kind="survey-submitted"):
    """The participant answered an evaluation survey."""

    survey: int = field(validator=is_integer(1))


@frozen(kw_only=True, weakref_slot=False)
class DisbursementInstructed(Fact, kind="disbursement-instructed"):
    """The programme told a payment partner to pay an instalment."""

    disbursement: str = field(validator=is_text)
    component: str = field(converter=to_component)
    instalment: int = field(validator=is_integer(1))
    amount: int = field(validator=is_money(at_least=1))
    provider: str = field(converter=to_provider)
    account: str | None = field(default=None, validator=or_absent(is_text))


@frozen(kw_only=True, weakref_slot=False)
class DisbursementSettled(Fact, kind="disbursement-settled"):
    """The money reached the account. Without an amount: the instructed one."""

    disbursement: str = field(validator=is_text)
    amount: int | None = field(default=None, validator=or_absent(is_money(at_least=1)))
    reference: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class DisbursementFailed(Fact, kind="disbursement-failed"):
    """The transfer did not go through."""

    disbursement: str = field(validator=is_text)
    reason: str = field(converter=to_reason)


@frozen(kw_only=True, weakref_slot=False)
class DisbursementReturned(Fact, kind="disbursement-returned"):
    """Settled money came back. Without an amount: all that was left of it."""

    disbursement: str = field(validator=is_text)
    amount: int | None = field(default=None, validator=or_absent(is_money(at_least=1)))
    reason: str = field(converter=to_reason)


@frozen(kw_only=True, weakref_slot=False)
class ParticipationRevoked(Fact, kind="participation-revoked"):
    """The participant lost the programme."""

    reason: str = field(converter=to_revocation_reason)


@frozen(kw_only=True, weakref_slot=False)
class ParticipationReinstated(Fact, kind="participation-reinstated"):
    """The participant got it back."""

    reason: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class ComplaintFiled(Fact, kind="complaint-filed"):
    """The participant asked where the money is."""

    complaint: str = field(validator=is_text)
    component: str | None = field(default=None, converter=to_component_or_absent)
    instalment: int | None = field(default=None, validator=or_absent(is_integer(1)))
    channel: str | None = field(default=None, validator=or_absent(is_text))


@frozen(kw_only=True, weakref_slot=False)
class ComplaintResolved(Fact, kind="complaint-resolved"):
    """The complaint was answered."""

    complaint: str = field(validator=is_text)
    outcome: str = field(converter=to_outcome)


@frozen(kw_only=True, weakref_slot=False)
class EventVoided(Fact, kind="event-voided", stream=ANY_STREAM):
    """A recorded event never was true. Names it, and who says so."""

    source: str = field(validator=is_text)
    id: str = field(validator=is_text)
    reason: str = field(validator=is_text)
    authority: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class PackageOffered(Fact, kind="package-offered", stream=PACKAGE):
    """A platform put a package of courses on sale."""

    platform: str = field(converter=to_platform)
    price: int = field(validator=is_money(at_least=0))
    courses: tuple[Course, ...] = field(converter=to_courses)


@frozen(kw_only=True, weakref_slot=False)
class PackageWithdrawn(Fact, kind="package-withdrawn", stream=PACKAGE):
    """The platform took the package off sale."""

    reason: str | None = field(default=None, validator=or_absent(is_text))


@frozen(kw_only=True, weakref_slot=False)
class PackageSalesStopped(Fact, kind="package-sales-stopped", stream=PROGRAMME):
    """The programme office stopped the sale of packages on platforms, from a day on."""

    notice: str = field(validator=is_text)
    effective: date = field(converter=to_effective)
    platforms: tuple[str, ...] = field(converter=to_platforms)


@frozen(kw_only=True, weakref_slot=False)
class PaymentsHeld(Fact, kind="payments-held", stream=PROGRAMME):
    """The programme stopped all payments."""

    reason: str = field(validator=is_text)


@frozen(kw_only=True, weakref_slot=False)
class PaymentsResumed(Fact, kind="payments-resumed", stream=PROGRAMME):
    """Payments go on."""


FIELD_NAMES: Final = {
    kind: tuple(attribute.name for attribute in fields_of(kind)) for kind in FACTS.values()
}
"""The fields of each kind, in the order of the contract."""
_GETTERS: Final = {
    kind: attrgetter(*names) for kind, names in FIELD_NAMES.items() if len(names) > 1
}


def values_of(fact: Fact) -> tuple[Any, ...]:
    """The values of a fact's fields, in the order of FIELD_NAMES."""
    kind = type(fact)
    getter = _GETTERS.get(kind)
    if getter is not None:
        return getter(fact)
    return tuple(getattr(fact, name) for name in FIELD_NAMES[kind])
