"""A person as the vault takes one: the fields it keeps, in one spelling each, and never in clear.

One spelling, because look-up compares keyed hashes: a telephone number written in two ways would be
two people's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from prakerja_ledger.domain import vocabulary
from prakerja_ledger.domain.errors import InvalidPerson
from prakerja_ledger.domain.fields import one_of
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.vault.nik import Doubt, Sex, doubts, read_nik
from prakerja_ledger.vault.secret import Secret

_LONGEST_NAME: Final = 200
_SEPARATORS: Final = re.compile(r"[\s.()/-]+")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII).fullmatch
_ACCOUNT: Final = re.compile(r"[0-9A-Z]{5,34}", re.ASCII).fullmatch
_WALLETS: Final = frozenset({"ovo", "gopay", "linkaja", "dana"})
_UNSEEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


class PersonalField(StrEnum):
    """What the vault keeps of a person."""

    NIK = "nik"
    NAME = "name"
    PHONE = "phone"
    ACCOUNT = "account"
    """Provider and number; a person may have several, each with a token of its own."""


LOOKED_UP: Final = (PersonalField.NIK, PersonalField.PHONE, PersonalField.ACCOUNT)
"""What a person can be found by. A name is no identity: found by one, strangers would be shown."""


def nik(given: Secret[str]) -> Secret[str]:
    """An identity number without blanks. Raises InvalidPerson."""
    spelt = Secret(_SEPARATORS.sub("", given.exposed()))
    read_nik(spelt)
    return spelt


def name(given: Secret[str]) -> Secret[str]:
    """A name in NFC, without blanks around it. Raises InvalidPerson."""
    return _spelt(
        given,
        _name,
        PersonalField.NAME,
        Phrase("a name of 1 to {longest} characters on one line", longest=_LONGEST_NAME),
    )


def phone(given: Secret[str]) -> Secret[str]:
    """A telephone number as +62…; 08… and 62… are Indonesian. Raises InvalidPerson."""
    return _spelt(
        given, _phone, PersonalField.PHONE, Phrase("a telephone number such as 08… or +62…")
    )


def account(provider: str, number: Secret[str]) -> Secret[str]:
    """An account: its provider and number, `bca:…`. Raises InvalidPerson."""
    if provider not in vocabulary.PROVIDERS:
        raise InvalidPerson(
            field="provider",
            expected=one_of(vocabulary.PROVIDERS),
        )
    spell = _wallet if provider in _WALLETS else _account
    spelt = _spelt(
        number, spell, PersonalField.ACCOUNT, Phrase("an account number of 5 to 34 digits")
    )
    return Secret(f"{provider}:{spelt.exposed()}")


def _spelt(
    given: Secret[str], spell: Callable[[str], str | None], of: PersonalField, expected: str
) -> Secret[str]:
    """The one spelling, or InvalidPerson. No variable here holds the value: tracebacks show variables."""
    found = _secretly(spell, given)
    if found is None:
        raise InvalidPerson(field=of.value, expected=expected)
    return found


def _secretly(spell: Callable[[str], str | None], given: Secret[str]) -> Secret[str] | None:
    found = spell(given.exposed())
    return None if found is None else Secret(found)


def _name(text: str) -> str | None:
    spelt = unicodedata.normalize("NFC", " ".join(text.split()))
    if not 0 < len(spelt) <= _LONGEST_NAME:
        return None
    return None if any(unicodedata.category(one) in _UNSEEN for one in spelt) else spelt


def _phone(text: str) -> str | None:
    digits = _SEPARATORS.sub("", text)
    if digits.startswith("0"):
        digits = f"+62{digits[1:]}"
    elif digits.startswith("62"):
        digits = f"+{digits}"
    return digits if _PHONE(digits) else None


def _account(text: str) -> str | None:
    spelt = _SEPARATORS.sub("", text).upper()
    return spelt if _ACCOUNT(spelt) else None


def _wallet(text: str) -> str | None:
    """An e-wallet's account is most often the telephone number, which is written in several ways."""
    return _phone(text) or _account(text)


def _phone_or_absent(given: Secret[str] | None) -> Secret[str] | None:
    return None if given is None else phone(given)


@frozen(kw_only=True)
class Person:
    """A person to be added. Every value is spelt in its one way; `born` and `sex` are compared, not kept."""

    nik: Secret[str] = field(converter=nik)
    name: Secret[str] = field(converter=name)
    phone: Secret[str] | None = field(default=None, converter=_phone_or_absent)
    accounts: tuple[Secret[str], ...] = ()
    """As `account` spells them."""
    retain_until: date | None = None
    """The last day on which the data may be kept; None: it is not known yet, and nothing expires."""
    born: date | None = field(default=None, repr=False)
    sex: Sex | None = field(default=None, repr=False)

    def doubts(self) -> list[Doubt]:
        """What the identity number says otherwise than was stated."""
        return doubts(read_nik(self.nik), self.born, self.sex)

    def single(self) -> Mapping[PersonalField, Secret[str]]:
        """The fields of which there is one."""
        given = {PersonalField.NIK: self.nik, PersonalField.NAME: self.name}
        return given if self.phone is None else {**given, PersonalField.PHONE: self.phone}
