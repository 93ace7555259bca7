"""The facts: what happened, past tense, frozen, each under a permanent name.

A fact holds what happened, never what follows from it. Its name in a history is
`prakerja.KIND.v1`; the Python class may be renamed, the kind never. Construction checks every
field (contract, section 2): what is read is validated as what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date
from operator import attrgetter
from typing import Any, ClassVar, Final

import attrs
from attrs import frozen

from prakerja_ledger.domain import vocabulary
from prakerja_ledger.domain.errors import InvalidDate, InvalidField
from prakerja_ledger.domain.time import LONGEST_TEXT, day

LARGEST_INTEGER: Final = 2**53 - 1
"""Beyond it a JSON number is not the same in every reader."""

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def _wrong(attribute: attrs.Attribute[Any], value: object, expected: str) -> InvalidField:
    shown = repr(value)
    return InvalidField(
        field=attribute.name,
        found=shown if len(shown) <= 60 else f"{shown[:57]}...",
        expected=expected,
    )


def _is_text(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if type(value) is not str or not 0 < len(value) <= LONGEST_TEXT:
        raise _wrong(attribute, value, f"a text of 1 to {LONGEST_TEXT} characters")


def _is_flag(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not True and value is not False:
        raise _wrong(attribute, value, "true or false")


def _is_integer(low: int, high: int) -> Validator:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise _wrong(attribute, value, f"an integer from {low} to {high}")

    return check


def _to_one_of(
    words: Collection[str], *, optional: bool
) -> Callable[[Any, attrs.Attribute[Any]], str | None]:
    """The word itself as this module holds it: a million events share a handful of strings."""
    known: dict[Any, str | None] = {word: word for word in words}
    if optional:
        known[None] = None

    def convert(value: Any, attribute: attrs.Attribute[Any]) -> str | None:
        try:
            return known[value]
        except (KeyError, TypeError):
            raise _wrong(attribute, value, "one of " + ", ".join(words)) from None

    return convert


def _or_absent(check: Validator) -> Validator:
    def checked(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None:
            check(instance, attribute, value)

    return checked


def _field(check: Validator, *, optional: bool) -> Any:
    if optional:
        return attrs.field(default=None, validator=_or_absent(check))
    return attrs.field(validator=check)


def text(*, optional: bool = False) -> Any:
    """A field of 1 to 200 characters (code points)."""
    return _field(_is_text, optional=optional)


def number(low: int, high: int = LARGEST_INTEGER, *, optional: bool = False) -> Any:
    """A field that holds an integer of a range; `True` and `1.0` are none."""
    return _field(_is_integer(low, high), optional=optional)


def money(*, at_least: int, optional: bool = False) -> Any:
    """A field of whole rupiah."""
    return number(at_least, optional=optional)


def word(words: Collection[str], *, optional: bool = False) -> Any:
    """A field that holds one of a closed list of words."""
    converter = attrs.Converter(_to_one_of(words, optional=optional), takes_field=True)
    if optional:
        return attrs.field(default=None, converter=converter)
    return attrs.field(converter=converter)


def flag() -> Any:
    """A field that is true or false."""
    return attrs.field(validator=_is_flag)


def _to_day(value: Any, attribute: attrs.Attribute[Any]) -> date:
    if type(value) is date:
        return value
    if type(value) is str:
        try:
            return day(value)
        except InvalidDate:
            pass
    raise _wrong(attribute, value, "a real day, YYYY-MM-DD")


def _to_words(words: Collection[str]) -> Callable[[Any, attrs.Attribute[Any]], tuple[str, ...]]:
    known = frozenset(words)

    def convert(value: Any, attribute: attrs.Attribute[Any]) -> tuple[str, ...]:
        given = value if isinstance(value, (list, tuple)) else ()
        if (
            not given
            or any(type(one) is not str or one not in known for one in given)
            or len(set(given)) != len(given)
        ):
            raise _wrong(attribute, value, "a list of distinct words of " + ", ".join(words))
        return tuple(given)

    return convert


def _to_courses(value: Any, attribute: attrs.Attribute[Any]) -> tuple[Course, ...]:
    expected = "a list of {course, institution} with distinct courses, at least one"
    if not isinstance(value, (list, tuple)) or not value:
        raise _wrong(attribute, value, expected)
    try:
        courses = tuple(one if type(one) is Course else Course(**one) for one in value)
    except TypeError:
        raise _wrong(attribute, value, expected) from None
    if len(courses) > 1 and len({one.course for one in courses}) != len(courses):
        raise _wrong(attribute, value, expected)
    return courses


def _converted(convert: Callable[[Any, attrs.Attribute[Any]], Any]) -> Any:
    return attrs.field(converter=attrs.Converter(convert, takes_field=True))


@frozen(kw_only=True, weakref_slot=False)
class Course:
    """A course as it is sold: its id, and the institution that teaches it."""

    course: str = text()
    institution: str = text()


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

    wave: int = number(1)
    scheme: str = text()


@frozen(kw_only=True, weakref_slot=False)
class EnrolmentCorrected(Fact, kind="enrolment-corrected"):
    """The enrolment named the wrong wave or scheme; these hold instead, from the start."""

    wave: int = number(1)
    scheme: str = text()
    reason: str = text()
    authority: str = text()


@frozen(kw_only=True, weakref_slot=False)
class AccountLinked(Fact, kind="account-linked"):
    """The participant named the account to be paid to. It replaces the one before, unverified."""

    provider: str = word(vocabulary.PROVIDERS)
    account: str = text()


@frozen(kw_only=True, weakref_slot=False)
class AccountVerified(Fact, kind="account-verified"):
    """The payment partner confirmed that the account is the participant's and can be paid."""

    account: str = text()


@frozen(kw_only=True, weakref_slot=False)
class AccountRejected(Fact, kind="account-rejected"):
    """The payment partner will not pay to the account, for a reason. It stays linked."""

    account: str = text()
    reason: str = word(vocabulary.REASONS)


@frozen(kw_only=True, weakref_slot=False)
class AccountUnlinked(Fact, kind="account-unlinked"):
    """The participant disconnected the account."""

    account: str = text()


@frozen(kw_only=True, weakref_slot=False)
class TrainingPurchased(Fact, kind="training-purchased"):
    """One payment for one or more courses, sold singly or as a package."""

    purchase: str = text()
    platform: str = word(vocabulary.PLATFORMS)
    price: int = money(at_least=0)
    method: str = word(vocabulary.METHODS)
    courses: tuple[Course, ...] = _converted(_to_courses)
    package: str | None = text(optional=True)


@frozen(kw_only=True, weakref_slot=False)
class PurchaseRefunded(Fact, kind="purchase-refunded"):
    """Money of a purchase went back."""

    purchase: str = text()
    amount: int = money(at_least=1)


@frozen(kw_only=True, weakref_slot=False)
class CourseCompleted(Fact, kind="course-completed"):
    """The participant finished the course."""

    course: str = text()
    score: int | None = number(0, 100, optional=True)


@frozen(kw_only=True, weakref_slot=False)
class CertificateIssued(Fact, kind="certificate-issued"):
    """The institution certified that the participant finished the course."""

    course: str = text()
    certificate: str = text()


@frozen(kw_only=True, weakref_slot=False)
class CourseRated(Fact, kind="course-rated"):
    """The participant rated a course in one or more dimensions; `reviewed`: with a written review."""

    course: str = text()
    instructor: int | None = number(1, 5, optional=True)
    facilities: int | None = number(1, 5, optional=True)
    programme: int | None = number(1, 5, optional=True)
    reviewed: bool = flag()

    def __attrs_post_init__(self) -> None:
        """At least one dimension is rated."""
        if self.instructor is None and self.facilities is None and self.programme is None:
            raise InvalidField(
                field="instructor",
                found="absent, as are facilities and programme",
                expected="at least one of the three",
            )


@frozen(kw_only=True, weakref_slot=False)
class SurveySubmitted(Fact, kind="survey-submitted"):
    """The participant answered an evaluation survey."""

    survey: int = number(1)


@frozen(kw_only=True, weakref_slot=False)
class DisbursementInstructed(Fact, kind="disbursement-instructed"):
    """The programme told a payment partner to pay an instalment."""

    disbursement: str = text()
    component: str = word(vocabulary.COMPONENTS)
    instalment: int = number(1)
    amount: int = money(at_least=1)
    provider: str = word(vocabulary.PROVIDERS)
    account: str | None = text(optional=True)


@frozen(kw_only=True, weakref_slot=False)
class DisbursementSettled(Fact, kind="disbursement-settled"):
    """The money reached the account. Without an amount: the instructed one."""

    disbursement: str = text()
    amount: int | None = money(at_least=1, optional=True)
    reference: str = text()


@frozen(kw_only=True, weakref_slot=False)
class DisbursementFailed(Fact, kind="disbursement-failed"):
    """The transfer did not go through."""

    disbursement: str = text()
    reason: str = word(vocabulary.REASONS)


@frozen(kw_only=True, weakref_slot=False)
class DisbursementReturned(Fact, kind="disbursement-returned"):
    """Settled money came back. Without an amount: all that was left of it."""

    disbursement: str = text()
    amount: int | None = money(at_least=1, optional=True)
    reason: str = word(vocabulary.REASONS)


@frozen(kw_only=True, weakref_slot=False)
class ParticipationRevoked(Fact, kind="participation-revoked"):
    """The participant lost the programme."""

    reason: str = word(vocabulary.REVOCATION_REASONS)


@frozen(kw_only=True, weakref_slot=False)
class ParticipationReinstated(Fact, kind="participation-reinstated"):
    """The participant got it back."""

    reason: str = text()


@frozen(kw_only=True, weakref_slot=False)
class ComplaintFiled(Fact, kind="complaint-filed"):
    """The participant asked where the money is."""

    complaint: str = text()
    component: str | None = word(vocabulary.COMPONENTS, optional=True)
    instalment: int | None = number(1, optional=True)
    channel: str | None = text(optional=True)


@frozen(kw_only=True, weakref_slot=False)
class ComplaintResolved(Fact, kind="complaint-resolved"):
    """The complaint was answered."""

    complaint: str = text()
    outcome: str = word(vocabulary.COMPLAINT_OUTCOMES)


@frozen(kw_only=True, weakref_slot=False)
class EventVoided(Fact, kind="event-voided", stream=ANY_STREAM):
    """A recorded event never was true. Names it, and who says so."""

    source: str = text()
    id: str = text()
    reason: str = text()
    authority: str = text()


@frozen(kw_only=True, weakref_slot=False)
class PackageOffered(Fact, kind="package-offered", stream=PACKAGE):
    """A platform put a package of courses on sale."""

    platform: str = word(vocabulary.PLATFORMS)
    price: int = money(at_least=0)
    courses: tuple[Course, ...] = _converted(_to_courses)


@frozen(kw_only=True, weakref_slot=False)
class PackageWithdrawn(Fact, kind="package-withdrawn", stream=PACKAGE):
    """The platform took the package off sale."""

    reason: str | None = text(optional=True)


@frozen(kw_only=True, weakref_slot=False)
class PackageSalesStopped(Fact, kind="package-sales-stopped", stream=PROGRAMME):
    """The programme office stopped the sale of packages on platforms, from a day on."""

    notice: str = text()
    effective: date = _converted(_to_day)
    platforms: tuple[str, ...] = _converted(_to_words(vocabulary.PLATFORMS))


@frozen(kw_only=True, weakref_slot=False)
class PaymentsHeld(Fact, kind="payments-held", stream=PROGRAMME):
    """The programme stopped all payments."""

    reason: str = text()


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
