"""The numbers that the answers were worked out with: every scheme, and the days that were no working days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from attrs import fields

from prakerja_ledger.domain.fields import LARGEST_INTEGER
from prakerja_ledger.domain.schemes import Instalments, Programme, Scheme
from prakerja_ledger.evidence.canonical import canonical_json

FORMAT = "prakerja-schemes-1"


def schemes_file(programme: Programme) -> bytes:
    """Canonical JSON of all that a programme's rules are run with."""
    calendar = programme.calendar
    return canonical_json(
        {
            "format": FORMAT,
            "schemes": [_scheme(one) for one in programme.schemes.values()],
            "working_calendar": {
                "first": calendar.first.isoformat(),
                "last": calendar.last.isoformat(),
                "holidays": sorted(day.isoformat() for day in calendar.holidays),
            },
        }
    )


def _scheme(scheme: Scheme) -> Mapping[str, Any]:
    return {one.name: _plain(getattr(scheme, one.name)) for one in fields(Scheme)}


def _plain(value: Any) -> Any:
    if isinstance(value, Instalments):
        return {"count": value.count, "each": value.each}
    if isinstance(value, range):
        is_open = value.stop > LARGEST_INTEGER
        return {"first": value.start, "last": None if is_open else value[-1], "step": value.step}
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
