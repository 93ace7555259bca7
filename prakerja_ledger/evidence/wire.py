"""History format 1: between a line of bytes and an event (contract, section 1).

Reading has one law and two speeds. The quick way decodes the envelope in C and hands `data` to the
fact's constructor; whatever it does not accept at once goes the slow way, which takes the checks
one by one in the contract's order and says which failed. Both end in the same constructors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import InvalidField, InvalidTimestamp, Refusal
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT, Event
from prakerja_ledger.domain.facts import FACTS, Fact
from prakerja_ledger.domain.fields import one_of
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.time import LONGEST_TEXT, in_wib, instant
from prakerja_ledger.evidence.json_line import LONGEST_LINE, NotJson, load_object, overlong

NOT_JSON: Final = "NOT_JSON"
NOT_CLOUDEVENT: Final = "NOT_CLOUDEVENT"
UNKNOWN_TYPE: Final = "UNKNOWN_TYPE"
INVALID_DATA: Final = "INVALID_DATA"

KEPT_ATTRIBUTES: Final = (
    "datacontenttype",
    "dataschema",
    "traceparent",
    "tracestate",
    "sequence",
    "partitionkey",
)
"""Attributes that are kept and ignored, beside extensions of the form x…"""
_EXTENSION = re.compile(r"x[a-z0-9]{0,19}", re.ASCII).fullmatch

_Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The attributes of the contract's table, in its order. Kept attributes only as strings."""

    specversion: Literal["1.0"]
    id: _Name
    source: _Name
    type: str
    subject: _Name
    time: str
    recordedtime: str | UnsetType = UNSET
    data: dict[str, Any]
    datacontenttype: str | UnsetType = UNSET
    dataschema: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    tracestate: str | UnsetType = UNSET
    sequence: str | UnsetType = UNSET
    partitionkey: str | UnsetType = UNSET


_WRONG_KIND = re.compile(
    r"Expected `(?P<expected>\w+)`, got `(?P<found>\w+)` - at `(?P<at>[^`]+)`"
).fullmatch
_WRONG_LENGTH = re.compile(
    r"Expected `str` of length (?P<length>[<>]= \d+) - at `(?P<at>[^`]+)`"
).fullmatch
_WRONG_WORD = re.compile(
    r"Invalid enum value (?P<value>'.*') - at `(?P<at>[^`]+)`", re.DOTALL
).fullmatch
"""What msgspec says of an envelope that is wrong."""

_TABLE: Final = frozenset(_Envelope.__struct_fields__) - set(KEPT_ATTRIBUTES)
_REQUIRED: Final = tuple(
    name for name in _Envelope.__struct_fields__ if name in _TABLE and name != "recordedtime"
)
_decode = msgspec.json.Decoder(_Envelope).decode
_encode = msgspec.json.Encoder().encode


def read_event(line: bytes, position: int, programme: Programme) -> Event | Refusal:
    """The event on a line, or why it is none. Never raises on any bytes.

    `position` is its place in the order of recording, if it comes to be recorded.
    """
    try:
        envelope = _decode(line)
        if b"null" in line or len(line) > LONGEST_LINE or _may_repeat_a_key(line, envelope):
            return _read_slowly(line, position, programme)
        return _event(envelope, position, programme)
    except (ValueError, TypeError, RecursionError, InvalidField, InvalidTimestamp):
        return _read_slowly(line, position, programme)


def _may_repeat_a_key(line: bytes, envelope: _Envelope) -> bool:
    """Whether a key could stand twice: the decoder keeps the last one and does not say.

    A line that is its own encoding has none. Else, without escapes, every string is two quotes in
    the line and two when written again; a key that the decoder dropped is missing from the second.
    """
    encoded = _encode(envelope)
    return encoded != line and (b"\\" in line or line.count(b'"') != encoded.count(b'"'))


def _event(envelope: _Envelope, position: int, programme: Programme) -> Event:
    """Raises TypeError, InvalidField or InvalidTimestamp where the event breaks section 2."""
    kind = FACTS.get(envelope.type)
    if kind is None:
        raise TypeError(envelope.type)
    fact = kind(**envelope.data)
    if kind in _NAMING_A_SCHEME:
        _check_scheme(fact, programme)
    if kind.stream == f.PROGRAMME and envelope.subject != PROGRAMME_SUBJECT:
        raise _wrong_subject(envelope.subject)
    occurred_at = instant(envelope.time)
    recorded_at = occurred_at
    if envelope.recordedtime is not UNSET:
        recorded_at = instant(envelope.recordedtime)
        if recorded_at < occurred_at:
            raise InvalidField(
                field="recordedtime",
                found=Phrase(
                    "{recordedtime}, before time {time}",
                    recordedtime=envelope.recordedtime,
                    time=envelope.time,
                ),
                expected=Phrase("an instant not before time"),
            )
    if len(_pool) >= _MOST_SHARED:
        _pool.clear()
    source, subject = envelope.source, envelope.subject
    return _new_tuple(
        Event,
        (
            _pool.setdefault(source, source),
            envelope.id,
            _pool.setdefault(subject, subject),
            fact,
            occurred_at,
            recorded_at,
            position,
        ),
    )


_new_tuple = tuple.__new__
"""Makes a named tuple without its own constructor, which only names the places: once a line."""
_MOST_SHARED: Final = 1 << 16
"""A bound on what hostile input can make the pool keep."""
_pool: dict[str, str] = {}
"""One string object for each source and subject: a million events have few of them."""


_NAMING_A_SCHEME: Final = frozenset({f.Enrolled, f.EnrolmentCorrected})


def _check_scheme(fact: Any, programme: Programme) -> None:
    if fact.scheme not in programme.schemes:
        raise InvalidField(
            field="scheme",
            found=repr(fact.scheme),
            expected=one_of(programme.schemes),
        )


def _wrong_subject(subject: str) -> InvalidField:
    return InvalidField(field="subject", found=repr(subject), expected=repr(PROGRAMME_SUBJECT))


def _read_slowly(line: bytes, position: int, programme: Programme) -> Event | Refusal:
    """The same, check by check in the order of the codes."""
    try:
        given = load_object(line)
    except NotJson as error:
        return Refusal(code=NOT_JSON, template=error.template, fields=error.fields)
    envelope = _envelope(given)
    if isinstance(envelope, Refusal):
        return envelope
    if envelope.type not in FACTS:
        return Refusal(
            code=UNKNOWN_TYPE,
            template=(
                "type {type} is not one of history format 1. Check its spelling and version "
                "against the list of event types."
            ),
            fields={"type": repr(envelope.type[:80])},
        )
    try:
        _check_field_names(FACTS[envelope.type], envelope.data)
        return _event(envelope, position, programme)
    except (InvalidField, InvalidTimestamp) as error:
        return Refusal(code=INVALID_DATA, template=error.template, fields=error.fields)


def _envelope(given: dict[str, Any]) -> _Envelope | Refusal:
    for name in given:
        if name not in _TABLE and name not in KEPT_ATTRIBUTES and not _EXTENSION(name):
            return _not_cloudevent(
                "attribute {name} is unknown. Leave it out, or name an extension x followed by "
                "up to 19 of a-z and 0-9.",
                name=repr(name[:80]),
            )
    for name in _REQUIRED:
        if name not in given:
            return _not_cloudevent("attribute {name} is missing. Add it.", name=name)
    try:
        return msgspec.convert({name: given[name] for name in given if name in _TABLE}, _Envelope)
    except msgspec.ValidationError as error:
        return _not_cloudevent(
            "the envelope is wrong: {problem}. Attributes are strings, source, id and subject of "
            "1 to 200 characters, specversion is 1.0, data is an object.",
            problem=_of_msgspec(str(error)),
        )


def _of_msgspec(said: str) -> str:
    """What the decoder says of an envelope, as ours where it is one of the things that it says."""
    if found := _WRONG_KIND(said):
        return Phrase("Expected `{expected}`, got `{found}` - at `{at}`", **found.groupdict())
    if found := _WRONG_LENGTH(said):
        return Phrase("Expected `str` of length {length} - at `{at}`", **found.groupdict())
    if found := _WRONG_WORD(said):
        return Phrase("Invalid enum value {value} - at `{at}`", **found.groupdict())
    return said


def _not_cloudevent(template: str, **fields: Any) -> Refusal:
    return Refusal(code=NOT_CLOUDEVENT, template=template, fields=fields)


def _check_field_names(kind: type[Fact], data: Mapping[str, Any]) -> None:
    """Say which field is missing, unknown or null; construction alone would not."""
    optional = {a.name: a.default is None for a in f.fields_of(kind)}
    allowed = ", ".join(optional) or "no field"
    for name, value in data.items():
        if name not in optional:
            raise InvalidField(
                field=repr(name[:80]),
                found=Phrase("unknown"),
                expected=Phrase("one of: {allowed}", allowed=allowed),
            )
        if value is None:
            raise InvalidField(
                field=name, found=Phrase("null"), expected=Phrase("a value, or the field left out")
            )
    for name, may_be_absent in optional.items():
        if not may_be_absent and name not in data:
            raise InvalidField(
                field=name,
                found=Phrase("missing"),
                expected=Phrase("all of: {allowed}", allowed=allowed),
            )


def too_long() -> Refusal:
    """The refusal of a line above the longest length."""
    error = overlong()
    return Refusal(code=NOT_JSON, template=error.template, fields=error.fields)


def is_blank(line: bytes) -> bool:
    """Whether a line holds only space, tab and CR (and its LF)."""
    return not line.strip(b" \t\r\n")


CANONICAL: Final = 1
"""The number of the spelling below. Another spelling of the same event would get another number."""


def canonical_line(
    source: str,
    id: str,
    type: str,
    subject: str,
    time: str,
    recordedtime: str | None,
    data: Mapping[str, Any],
) -> bytes:
    """The line, without LF, that stands for these values: the first spelling, and the only one so far.

    Members in this order: `specversion`, `id`, `source`, `type`, `subject`, `time`, `recordedtime`
    where there is one, `data`; no white space. `data` has its fields in the order of the contract,
    those that are absent left out. Times are in WIB (`+07:00`) with the exact fraction, without
    trailing zeros, and only where it is not zero. Integers are plain digits, dates `YYYY-MM-DD`. In a
    string `"` and `\\` have a backslash before them, backspace, form feed, LF, CR and tab are `\\b`
    `\\f` `\\n` `\\r` `\\t`, other characters below U+0020 are `\\u00` and two lower-case digits, and
    every other character stands for itself in UTF-8.
    """
    given: dict[str, Any] = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": type,
        "subject": subject,
        "time": time,
    }
    if recordedtime is not None:
        given["recordedtime"] = recordedtime
    given["data"] = data
    return _encode(given)


def write_event(event: Event, *, stamped: bool = False) -> bytes:
    """An event as its canonical line of history format 1, without LF.

    `stamped` names the recording time also where it is the event's own.
    """
    has_own = stamped or event.recorded_at != event.occurred_at
    return canonical_line(
        event.source,
        event.id,
        f.type_of(event.fact.kind),
        event.subject,
        in_wib(event.occurred_at),
        in_wib(event.recorded_at) if has_own else None,
        f.data_of(event.fact),
    )
