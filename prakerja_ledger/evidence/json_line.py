"""One line as JSON, strictly: what a lenient parser would guess is refused.

Not UTF-8, an unpaired surrogate, a byte order mark, anything but one object, a key twice, NaN,
Infinity, a number that no double holds, more than 64 levels: `NotJson` says which.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from prakerja_ledger.domain.phrases import Phrase

LONGEST_LINE: Final = 1_048_576
"""Bytes of a line, without its LF."""
DEEPEST_NESTING: Final = 64
"""Levels; the event object is the first."""
_LONGEST_INTEGER: Final = 309
"""Digits of the largest double. Longer is refused before it is converted: conversion is quadratic."""

_QUOTE: Final = ord('"')
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""A string needs no end to match: an open one full of escaped quotes is walked once, not once a quote."""


_OF_PYTHON: Final[Mapping[str, Phrase]] = {
    one: one
    for one in (
        Phrase("Expecting value"),
        Phrase("Expecting property name enclosed in double quotes"),
        Phrase("Expecting ':' delimiter"),
        Phrase("Expecting ',' delimiter"),
        Phrase("Illegal trailing comma before end of array"),
        Phrase("Illegal trailing comma before end of object"),
        Phrase("Unterminated string starting at"),
        Phrase("Invalid control character at"),
        Phrase("Invalid \\escape"),
        Phrase("Invalid \\uXXXX escape"),
        Phrase("Extra data"),
    )
}
"""What Python's parser says of a line, as ours: it is few texts, and what people see most often."""


class NotJson(ValueError):
    """The line is not one strict JSON object. Carries a sentence template and its fields."""

    def __init__(self, template: str, **fields: Any) -> None:
        self.template = template
        self.fields = fields
        super().__init__(Phrase(template, **fields))

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (self.template, dict(self.fields))


def _remade(template: str, fields: Mapping[str, Any]) -> NotJson:
    """Pickle would take the text, with what it quotes, for the template."""
    return NotJson(template, **fields)


def load_object(line: bytes, *, longest: int = LONGEST_LINE) -> dict[str, Any]:
    """The object on a line. Raises NotJson, and nothing else, whatever the bytes are."""
    if len(line) > longest:
        raise overlong()
    _check_nesting(line)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(
            "byte {at} is not UTF-8. Save the file as UTF-8.", at=error.start + 1
        ) from None
    if text.startswith("\ufeff"):
        raise NotJson("the line starts with a byte order mark. Save the file as UTF-8 without BOM.")
    value = _parse(text)
    if not isinstance(value, dict):
        raise NotJson("the line is not a JSON object. Write one CloudEvents object a line.")
    if "\\u" in text:
        _check_surrogates(value)
    return value


def overlong() -> NotJson:
    """A line above the longest length."""
    return NotJson(
        "the line is longer than {limit} bytes. Split what it holds into events of their own.",
        limit=LONGEST_LINE,
    )


def _check_nesting(line: bytes) -> None:
    """Count brackets outside strings, so that a deep line never reaches a recursive parser."""
    if line.count(b"[") + line.count(b"{") <= DEEPEST_NESTING:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(line):
        first = line[match.start()]
        if first == _QUOTE:
            continue
        depth += 1 if first in b"[{" else -1
        if depth > DEEPEST_NESTING:
            raise NotJson(
                "the line nests deeper than {limit} levels. Flatten it.", limit=DEEPEST_NESTING
            )


def _parse(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except NotJson:
        raise
    except json.JSONDecodeError as error:
        raise NotJson(
            "not JSON at character {at}: {problem}. Write one complete JSON object a line.",
            at=error.pos + 1,
            problem=_OF_PYTHON.get(error.msg, error.msg),
        ) from None
    except RecursionError:
        raise NotJson("the line nests too deeply. Flatten it.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise NotJson(
            "key {key} stands twice in one object, and which one is meant cannot be known. "
            "Keep one.",
            key=repr(twice[:60]),
        )
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson("{name} is not a JSON number. Write a number, or leave the field out.", name=name)


def _integer(digits: str) -> int:
    if len(digits) <= _LONGEST_INTEGER + 1:
        value = int(digits)
        try:
            float(value)
        except OverflowError:
            pass
        else:
            return value
    raise _too_large()


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _too_large()
    return value


def _too_large() -> NotJson:
    return NotJson("a number is too large for a double. Write it smaller, or as text.")


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotJson(
            "a \\u escape is half of a surrogate pair and stands for no character. Write the "
            "character itself in UTF-8."
        ) from None
