"""Canonical bytes: of a JSON value, and of a recorded event at its position. These are what is hashed.

`canonical_json` is RFC 8785 (JCS). The canonical bytes of an event, format `prakerja-event-1`, are the
canonical JSON of this object:

    {"event": …, "format": "prakerja-event-1", "kept": …, "position": …}

- `event`: the attributes of history format 1's table with their JSON values as they came: times as they
  were written, `recordedtime` only where there is one. There are no numbers in them but integers.
- `kept`: where there are any, the attributes that the format keeps and does not look into, each as the
  very text of its JSON value. So they may hold any number, and none is rounded.
- `position`: the event's place in its log, from 1, without gaps. A ledger of one shard is one log, and
  this is the ledger's position; one of several has a log for each shard.

What does not count is how a line spells this: white space, escapes, the order of members.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from prakerja_ledger.domain.errors import NotCanonical
from prakerja_ledger.domain.facts import FIELD_NAMES
from prakerja_ledger.domain.fields import LARGEST_INTEGER, shown
from prakerja_ledger.domain.phrases import Phrase, phrase_of
from prakerja_ledger.evidence.json_line import NotJson, load_object
from prakerja_ledger.evidence.merkle import LEAF_PREFIX, leaf_hash

EVENT_FORMAT: Final = "prakerja-event-1"

TABLE: Final = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "recordedtime", "data"}
)
"""The attributes that are looked into; every other is kept."""

_text = json.JSONEncoder(ensure_ascii=False).encode
"""A JSON string as RFC 8785 writes it: the two-character escapes, else \\u00 and lower-case digits."""


def canonical_json(value: Any, *, fractions: bool = False) -> bytes:
    """The canonical JSON of a value, RFC 8785. Raises NotCanonical.

    Integers of up to 53 bits only, unless `fractions` lets in the other doubles: what is hashed here
    has none, and where one turns up something is wrong.
    """
    parts: list[str] = []
    try:
        _write(value, parts.append, fractions=fractions)
        return "".join(parts).encode()
    except UnicodeEncodeError:
        raise NotCanonical(
            problem=Phrase("half a surrogate pair stands for no character.")
        ) from None
    except RecursionError:
        raise NotCanonical(problem=Phrase("it nests too deeply.")) from None


def _write(value: Any, write: Any, *, fractions: bool) -> None:
    if isinstance(value, str):
        write(_text(value))
    elif value is None or value is True or value is False:
        write({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, (int, float)):
        write(_number(value, fractions=fractions))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            write("," if index else "[")
            _write(one, write, fractions=fractions)
        write("]" if value else "[]")
    elif isinstance(value, dict) and all(isinstance(name, str) for name in value):
        for index, name in enumerate(sorted(value, key=_utf_16)):
            write("," if index else "{")
            write(f"{_text(name)}:")
            _write(value[name], write, fractions=fractions)
        write("}" if value else "{}")
    else:
        raise NotCanonical(problem=Phrase("{value} is no JSON value.", value=shown(value)))


def _utf_16(name: str) -> bytes:
    """Members are sorted by UTF-16 code units: above U+FFFF that is not the order of characters."""
    return name.encode("utf-16-be", "surrogatepass")


def _number(value: float, *, fractions: bool) -> str:
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise NotCanonical(
                problem=Phrase(
                    "{value} is beyond 53 bits, and readers round it.", value=shown(value)
                )
            )
        return str(value)
    if not fractions:
        raise NotCanonical(problem=Phrase("{value} is no integer.", value=shown(value)))
    if not math.isfinite(value):
        raise NotCanonical(problem=Phrase("{value} is no JSON number.", value=shown(value)))
    return _double(value)


_POINT_BEYOND: Final = 21
"""ECMAScript writes numbers below 10^21 without an exponent, and those from 10^-6."""
_POINT_BEFORE: Final = -6


def _double(value: float) -> str:
    """A double as ECMAScript writes it. The digits are Python's: both write the fewest that suffice."""
    if not value:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not _POINT_BEFORE < point <= _POINT_BEYOND:
        tail = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits.ljust(point, "0")
    return f"{sign}{digits[:point]}.{digits[point:]}"


class _Course(
    msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
):
    """A course of a package, with who gives it."""

    course: str | UnsetType = UNSET
    institution: str | UnsetType = UNSET


_Value = (
    str
    | bool
    | Annotated[int, Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
    | list[str | _Course]
    | UnsetType
)
"""All that the data of history format 1 are made of."""
_Data: Any = msgspec.defstruct(
    "_Data",
    [
        (name, _Value, UNSET)
        for name in sorted({name for names in FIELD_NAMES.values() for name in names})
    ],
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    gc=False,
)
"""Any fact's data, whatever its kind. The names are plain ASCII: sorting them is the same by any unit."""


class _Event(
    msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
):
    """An event without kept attributes; its fields stand in the order of canonical JSON."""

    data: _Data
    id: str
    recordedtime: str | UnsetType = UNSET
    source: str
    specversion: str
    subject: str
    time: str
    type: str


_decode: Final = msgspec.json.Decoder(_Event).decode
_encode: Final = msgspec.json.Encoder().encode
_raws: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_BEFORE: Final = b'{"event":'
_BEHIND: Final = b',"format":"%s",' % EVENT_FORMAT.encode()


class Told(NamedTuple):
    """An event as its bytes say it."""

    stem: bytes
    """Its canonical bytes as far as its position."""
    source: str
    id: str
    type: str
    subject: str


def told(line: bytes) -> Told:
    """The event on a line. Raises NotCanonical for what can be read in two ways, or in none."""
    try:
        event = _decode(line)
        written = _encode(event)
    except (ValueError, TypeError, RecursionError):
        return _slowly_told(line)
    if len(written) != len(line):
        # Spelt otherwise than by us, or a key stands twice: nothing is shorter than our spelling, and
        # of two equal keys the decoder kept one.
        return _slowly_told(line)
    stem = _BEFORE + written + _BEHIND + b'"position":'
    return _new_tuple(Told, (stem, event.source, event.id, event.type, event.subject))


_new_tuple = tuple.__new__
"""Makes a named tuple without its own constructor, which only names the places: once a line."""


def _slowly_told(line: bytes) -> Told:
    """The same of any line, strictly read."""
    try:
        given = load_object(line)
    except NotJson as error:
        raise NotCanonical(problem=phrase_of(error)) from None
    event = canonical_json({name: given[name] for name in given if name in TABLE})
    kept = b""
    if given.keys() - TABLE:
        texts = {
            name: bytes(raw).decode() for name, raw in _raws(line).items() if name not in TABLE
        }
        kept = b'"kept":' + canonical_json(texts) + b","
    named = [given.get(name) for name in Told._fields[1:]]
    if not all(isinstance(one, str) for one in named):
        raise NotCanonical(problem=Phrase("it has no source, id, type and subject that are texts."))
    return Told(_BEFORE + event + _BEHIND + kept + b'"position":', *map(str, named))


def event_stem(line: bytes) -> bytes:
    """The canonical bytes of a line's event as far as its position. Raises NotCanonical."""
    return told(line).stem


def at_position(stem: bytes, position: int) -> bytes:
    """The canonical bytes of an event, of its stem and its place in its log."""
    return b"%b%d}" % (stem, position)


def event_bytes(line: bytes, position: int) -> bytes:
    """The canonical bytes of the event on a line, at that place in its log. Raises NotCanonical."""
    return at_position(event_stem(line), position)


_LEAF: Final = LEAF_PREFIX + _BEFORE + b"%b" + _BEHIND + b'"position":%d}'


def run_of_leaves(lines: Sequence[bytes], first: int) -> list[bytes]:
    """The leaves' hashes of events at positions that follow one another. Raises NotCanonical.

    The same as one by one, in half the time where all are spelt as we spell them.
    """
    try:
        written = [_encode(_decode(line)) for line in lines]
    except (ValueError, TypeError, RecursionError):
        written = []
    if [*map(len, written)] == [*map(len, lines)]:
        return [sha256(_LEAF % pair).digest() for pair in zip(written, count(first), strict=False)]
    return [leaf_hash(event_bytes(line, position)) for position, line in enumerate(lines, first)]
