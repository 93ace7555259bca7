"""What a field may hold: validators and converters for attrs' own `field`, and the same for arguments.

They stand beside `attrs.field`, not around it, so that a type checker reads which fields are
required and what each takes. A converter is a plain function of one argument for the same reason,
and so knows the one name of the fields that it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeGuard

from attrs import Attribute

from prakerja_ledger.domain import vocabulary
from prakerja_ledger.domain.errors import InvalidDate, InvalidField
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.time import LONGEST_TEXT, day, instant, instant_of, is_instant

LARGEST_INTEGER: Final = 2**53 - 1
"""Beyond it a JSON number is not the same in every reader."""
_LONGEST_SHOWN: Final = 60

_A_NAME: Final = Phrase("a text of 1 to {longest} characters", longest=LONGEST_TEXT)

Validator = Callable[[Any, "Attribute[Any]", Any], None]


def shown(value: object) -> str:
    """A value as an error's text shows it, whatever it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python writes out
        return Phrase("a {kind} too large to show", kind=type(value).__name__)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def one_of(words: Iterable[str]) -> Phrase:
    """What is expected of a field that takes one of some words."""
    return Phrase("one of {words}", words=", ".join(words))


def wrong(field: str, value: object, expected: Phrase) -> InvalidField:
    """The error of a field that holds something else than it may."""
    return InvalidField(field=field, found=shown(value), expected=expected)


# --- validators -----------------------------------------------------------------------------------


def is_text(_: object, attribute: Attribute[Any], value: object) -> None:
    """A text of 1 to 200 characters (code points)."""
    if type(value) is not str or not 0 < len(value) <= LONGEST_TEXT:
        raise wrong(attribute.name, value, _A_NAME)


def is_flag(_: object, attribute: Attribute[Any], value: object) -> None:
    """True or false."""
    if value is not True and value is not False:
        raise wrong(attribute.name, value, Phrase("true or false"))


def is_integer(low: int, high: int = LARGEST_INTEGER) -> Validator:
    """An integer of a range; `True` and `1.0` are none."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if type(value) is not int or not low <= value <= high:
            raise wrong(
                attribute.name,
                value,
                Phrase("an integer from {low} to {high}", low=low, high=high),
            )

    return check


def is_money(*, at_least: int) -> Validator:
    """Whole rupiah."""
    return is_integer(at_least)


def is_one_of(words: Collection[str]) -> Validator:
    """One of a closed list of words."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, str) or value not in words:
            raise wrong(attribute.name, value, one_of(words))

    return check


def is_made_of(kind: type | tuple[type, ...], expected: Phrase) -> Validator:
    """An object of a class, in the words of who has to give it."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, kind):
            raise wrong(attribute.name, value, expected)

    return check


def is_name(_: object, attribute: Attribute[Any], value: object) -> None:
    """A text of 1 to 200 characters that can be written down: half a surrogate pair cannot."""
    if not _is_writable(value) or not 0 < len(value) <= LONGEST_TEXT:
        raise wrong(attribute.name, value, _A_NAME)


def is_day(_: object, attribute: Attribute[Any], value: object) -> None:
    """A date; a moment is none, although Python says that a datetime is one."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise wrong(attribute.name, value, Phrase("a datetime.date without a time of day"))


def is_moment(_: object, attribute: Attribute[Any], value: object) -> None:
    """RFC 3339 with offset, or an aware datetime. Raises InvalidTimestamp for others of either."""
    if isinstance(value, str):
        instant(value)
    elif isinstance(value, datetime):
        instant_of(value)
    else:
        raise wrong(attribute.name, value, Phrase("RFC 3339 with offset, or an aware datetime"))


def is_canonical(_: object, attribute: Attribute[Any], value: object) -> None:
    """An instant in the one form in which instants can be compared."""
    if not is_instant(value):
        raise wrong(
            attribute.name,
            value,
            Phrase(
                "an Instant, as prakerja_ledger.domain.time makes it with instant(...) or known_at(...)"
            ),
        )


def or_absent(check: Validator) -> Validator:
    """The same, or None."""

    def checked(instance: object, attribute: Attribute[Any], value: object) -> None:
        if value is not None:
            check(instance, attribute, value)

    return checked


# --- arguments ------------------------------------------------------------------------------------


def _is_writable(value: object) -> TypeGuard[str]:
    """Whether it is a text that has bytes."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_text(field: str, value: object) -> None:
    """Raise InvalidField unless an argument is a text that could be on record."""
    if not _is_writable(value):
        raise wrong(field, value, Phrase("a text"))


def check_position(field: str, value: object) -> None:
    """Raise InvalidField unless an argument could be a position, or 0 for before the first."""
    if type(value) is not int or not 0 <= value <= LARGEST_INTEGER:
        raise wrong(
            field, value, Phrase("an integer from {low} to {high}", low=0, high=LARGEST_INTEGER)
        )


# --- converters -----------------------------------------------------------------------------------

Words = dict[Any, str]
"""Each word to itself, as this module holds it: a million events share a handful of strings."""


def _known(words: Collection[str]) -> Words:
    return {word: word for word in words}


_PROVIDERS: Final = _known(vocabulary.PROVIDERS)
_REASONS: Final = _known(vocabulary.REASONS)
_REVOCATION_REASONS: Final = _known(vocabulary.REVOCATION_REASONS)
_PLATFORMS: Final = _known(vocabulary.PLATFORMS)
_METHODS: Final = _known(vocabulary.METHODS)
_COMPONENTS: Final = _known(vocabulary.COMPONENTS)
_OUTCOMES: Final = _known(vocabulary.COMPLAINT_OUTCOMES)


def _no_word(field: str, value: object, words: Words) -> InvalidField:
    return wrong(field, value, one_of(words))


def to_provider(value: str) -> str:
    """A payment provider."""
    try:
        return _PROVIDERS[value]
    except (KeyError, TypeError):
        raise _no_word("provider", value, _PROVIDERS) from None


def to_reason(value: str) -> str:
    """A reason code of the payment partner."""
    try:
        return _REASONS[value]
    except (KeyError, TypeError):
        raise _no_word("reason", value, _REASONS) from None


def to_revocation_reason(value: str) -> str:
    """Why a participation is revoked."""
    try:
        return _REVOCATION_REASONS[value]
    except (KeyError, TypeError):
        raise _no_word("reason", value, _REVOCATION_REASONS) from None


def to_platform(value: str) -> str:
    """A platform that sells courses."""
    try:
        return _PLATFORMS[value]
    except (KeyError, TypeError):
        raise _no_word("platform", value, _PLATFORMS) from None


def to_method(value: str) -> str:
    """A means of payment of a purchase."""
    try:
        return _METHODS[value]
    except (KeyError, TypeError):
        raise _no_word("method", value, _METHODS) from None


def to_component(value: str) -> str:
    """A component that cash is paid on."""
    try:
        return _COMPONENTS[value]
    except (KeyError, TypeError):
        raise _no_word("component", value, _COMPONENTS) from None


def to_component_or_absent(value: str | None) -> str | None:
    """The same, or None."""
    return None if value is None else to_component(value)


def to_outcome(value: str) -> str:
    """How a complaint was answered."""
    try:
        return _OUTCOMES[value]
    except (KeyError, TypeError):
        raise _no_word("outcome", value, _OUTCOMES) from None


def to_effective(value: date | str) -> date:
    """The day from which something holds, as a date or as JSON has it."""
    if type(value) is date:
        return value
    if type(value) is str:
        try:
            return day(value)
        except InvalidDate:
            pass
    raise wrong("effective", value, Phrase("a real day, YYYY-MM-DD"))


def to_platforms(value: Sequence[str]) -> tuple[str, ...]:
    """Distinct platforms."""
    given = value if isinstance(value, (list, tuple)) or is_several(value) else ()
    if (
        not given
        or any(type(one) is not str or one not in _PLATFORMS for one in given)
        or len(set(given)) != len(given)
    ):
        words = ", ".join(_PLATFORMS)
        raise wrong("platforms", value, Phrase("a list of distinct words of {words}", words=words))
    return tuple(given)


def is_several(value: object) -> bool:
    """Whether it is a sequence of things; a text is one thing. Ask for lists and tuples before."""
    return isinstance(value, Sequence) and not isinstance(
        value, (str, bytes, bytearray, memoryview)
    )
