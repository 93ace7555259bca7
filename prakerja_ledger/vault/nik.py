"""The form of an identity number (NIK): what can be read off its sixteen digits, and what cannot.

Two digits each of province, regency and district (of the first registration; it never changes on
moving), then the birth date as DDMMYY with 40 added to a woman's day, then a serial. There is no check
digit. So a number that passes is well formed, not genuine; and one may disagree with the true birth date
and is then not changed, so that a disagreement is a warning and never an error.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.errors import InvalidPerson
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.vault.secret import Secret

PROVINCES: Final = frozenset(
    code
    for first, last in (
        (11, 19),
        (21, 21),
        (31, 36),
        (51, 53),
        (61, 65),
        (71, 76),
        (81, 82),
        (91, 97),
    )
    for code in range(first, last + 1)
)
"""Codes of provinces: those of the programme's own tables and the newer ones of Papua. Provinces are made and
renumbered, and a number keeps the code it was given, so one that is not here is a doubt, no error."""
_FIRST_PROVINCE: Final = 11
_WOMAN: Final = 40
_DIGITS: Final = re.compile(r"[0-9]{16}", re.ASCII).fullmatch


class Sex(StrEnum):
    """As a NIK tells them apart."""

    FEMALE = "female"
    MALE = "male"


class Doubt(StrEnum):
    """What is worth a second look and stops nothing."""

    UNKNOWN_PROVINCE = "unknown-province"
    BIRTH_DATE_DIFFERS = "birth-date-differs"
    SEX_DIFFERS = "sex-differs"
    SERIAL_ZERO = "serial-zero"
    """Real serials begin at 0001: a number made for tests."""


@frozen(kw_only=True, repr=False)
class NikParts:
    """What the digits say. Its repr says nothing of it: birth date and sex are personal."""

    province: int
    day: int
    month: int
    year_of_century: int
    sex: Sex
    serial: int


def read_nik(nik: Secret[str]) -> NikParts:
    """Take a NIK apart. Raises InvalidPerson for what cannot be one."""
    parts, expected = _parts(nik)
    if parts is None:  # raised here, where no variable holds the digits: tracebacks show variables
        raise InvalidPerson(field="nik", expected=expected)
    return parts


def _parts(nik: Secret[str]) -> tuple[NikParts | None, Phrase]:
    """The parts, or what would have been expected."""
    digits = nik.exposed()
    if not _DIGITS(digits):
        return None, Phrase("16 digits")
    province, regency, district, day, month, year = (
        int(digits[n : n + 2]) for n in range(0, 12, 2)
    )
    if province < _FIRST_PROVINCE or not regency or not district:
        return None, Phrase(
            "a number that begins with the code of a province, a regency and a district"
        )
    sex = Sex.FEMALE if day > _WOMAN else Sex.MALE
    day -= _WOMAN if sex is Sex.FEMALE else 0
    if not any(_is_day(century + year, month, day) for century in (1900, 2000)):
        return None, Phrase("a number with a real birth date, its day raised by 40 for a woman")
    return NikParts(
        province=province,
        day=day,
        month=month,
        year_of_century=year,
        sex=sex,
        serial=int(digits[12:]),
    ), Phrase("16 digits")


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def doubts(parts: NikParts, born: date | None, sex: Sex | None) -> list[Doubt]:
    """What a NIK says otherwise than was stated beside it; which century it means is not known."""
    found = [] if parts.province in PROVINCES else [Doubt.UNKNOWN_PROVINCE]
    if born is not None and (born.day, born.month, born.year % 100) != (
        parts.day,
        parts.month,
        parts.year_of_century,
    ):
        found.append(Doubt.BIRTH_DATE_DIFFERS)
    if sex is not None and sex is not parts.sex:
        found.append(Doubt.SEX_DIFFERS)
    if parts.serial == 0:
        found.append(Doubt.SERIAL_ZERO)
    return found
