"""Fingerprints: enough of a hash to tell two contents apart, and nothing that could be read back.

What is hashed, in UTF-8: the line `prakerja-content-v1`, a line feed, and the JSON array of type,
subject and fields, keys sorted, without white space.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Any, Final

from prakerja_ledger.domain.schemes import Programme

_VERSION: Final = "prakerja-content-v1\n"
_SCHEMES: Final = "prakerja-schemes-v1\n"
_DIGITS: Final = 8
"""Hexadecimal digits shown. Few on purpose: an account number must not be found by trying them all."""


def fingerprint(type: str, subject: str, fields: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits of the content of an event or a command."""
    text = json.dumps(
        [type, subject, fields],
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
        default=_plain,
    )
    return sha256((_VERSION + text).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def of_programme(programme: Programme) -> str:
    """Eight hexadecimal digits of what decides whether an event may be recorded: schemes, instalments."""
    schemes = sorted(
        [one.id, one.post_training.count, one.survey.count] for one in programme.schemes.values()
    )
    return sha256((_SCHEMES + json.dumps(schemes)).encode()).hexdigest()[:_DIGITS]


def _plain(value: Any) -> Any:
    """Values of a command that JSON does not know: days, and courses by their fields."""
    return value.isoformat() if isinstance(value, date) else repr(value)
