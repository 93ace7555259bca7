"""Words for people: language, money, dates. Bahasa Indonesia and English, from gettext catalogues."""

from __future__ import annotations

import gettext
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

from prakerja_ledger.domain.errors import PrakerjaLedgerError, Refusal
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.time import Instant, date_of

LANGUAGES: Final = ("id", "en")
_DOMAIN: Final = "prakerja_ledger"
_RUPIAH_FIELDS: Final = frozenset({"amount", "left", "price", "sum"})
"""Fields of refusals that hold whole rupiah."""
_LOCALES: Final = Path(__file__).parent.parent / "locale"


def N_(message: str) -> str:  # noqa: N802  # the name that extraction tools look for
    """Mark a message for translation where it is defined rather than said."""
    return message


def language_of(environment: Mapping[str, str]) -> str:
    """The language of the user's locale: Indonesian where it says so, else English."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name)
        if value:
            return "id" if value.lower().startswith(("id", "in_")) else "en"
    return "en"


@define
class Words:
    """Says things in one language."""

    language: str
    _catalogue: gettext.NullTranslations = field(init=False)

    def __attrs_post_init__(self) -> None:
        """English is the language of the message ids, and needs no catalogue."""
        self._catalogue = (
            gettext.NullTranslations()
            if self.language == "en"
            else gettext.translation(_DOMAIN, _LOCALES, [self.language], fallback=True)
        )

    def __call__(self, message: str, **fields: Any) -> str:
        """A message in this language, with its fields filled in (made safe to show)."""
        said = self._catalogue.gettext(message) if message else ""
        return self._filled(said, fields) if fields else said

    def _filled(self, said: str, fields: Mapping[str, Any]) -> str:
        return said.format(**{name: self._said(name, value) for name, value in fields.items()})

    def _said(self, name: str, value: Any) -> str | _Count:
        """A field as people read it: ours in this language, a date with its weekday, rupiah as rupiah.

        Whatever else it is, as text made safe.
        """
        if isinstance(value, (Phrase, Refusal)):
            return self.phrase(value)
        if isinstance(value, date):
            return self.day(value)
        if name in _RUPIAH_FIELDS and isinstance(value, int):
            return self.money(value)
        return _Count(self, value) if type(value) is int else shown(str(value))

    def phrase(self, phrase: Phrase | Refusal | PrakerjaLedgerError) -> str:
        """A text of ours, with all that it quotes of us, in this language."""
        return self._filled(self._catalogue.gettext(phrase.template), phrase.fields)

    def refusal(self, refusal: Refusal) -> str:
        """Why a line cannot be recorded."""
        return self.phrase(refusal)

    def error(self, error: PrakerjaLedgerError) -> str:
        """An error of the package."""
        return self.phrase(error)

    def text(self, text: str) -> str:
        """A text that may be one of ours; any other is left as it is, and made safe."""
        return self.phrase(text) if isinstance(text, Phrase) else shown(text)

    def money(self, amount: int) -> str:
        """Whole rupiah, as Indonesia writes it in every language: Rp3.550.000."""
        return rupiah(amount)

    def number(self, count: int) -> str:
        """A count, grouped as the language does."""
        return _number(count, self.language)

    def day(self, on: date | None) -> str:
        """A date with its weekday; a dash where there is none."""
        return "–" if on is None else _day(on, self.language)

    def moment(self, at: Instant) -> str:
        """A date with weekday and the time of day in WIB."""
        return f"{self.day(date_of(at))} {at[11:16]}"

    def listed(self, things: Iterable[str]) -> str:
        """Things in a row: a, b and c."""
        given = list(things)
        if len(given) < 2:
            return "".join(given)
        return f"{', '.join(given[:-1])} {self(N_('and'))} {given[-1]}"


@frozen
class _Count:
    """An integer in a text: digits, or grouped where the text says `{count:,}`."""

    words: Words
    count: int

    def __format__(self, spec: str) -> str:
        return self.words.number(self.count) if spec == "," else str(self.count)


@lru_cache(maxsize=4096)
def rupiah(amount: int) -> str:
    """Whole rupiah: Rp3.550.000, -Rp600.000."""
    from babel.numbers import format_currency  # noqa: PLC0415  # heavy; only for people

    return format_currency(
        amount, "IDR", format="¤#,##0;-¤#,##0", currency_digits=False, locale="id_ID"
    )


def _number(count: int, language: str) -> str:
    """As Babel writes it, which takes 30 ms to be loaded: a tenth of many a command that says one count."""
    return f"{count:,}".replace(",", "." if language == "id" else ",")


@lru_cache(maxsize=8192)
def _day(on: date, language: str) -> str:
    from babel.dates import format_date  # noqa: PLC0415  # heavy; only for people

    return format_date(on, "EEE d MMM y", locale=language)


_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_PLAIN = re.compile(r"[ -~]*", re.ASCII).fullmatch
_DIRECTIONS: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


@lru_cache(maxsize=8192)
def shown(text: str) -> str:
    """Data made safe for a terminal: control and direction characters as escapes, seen not obeyed."""
    if _PLAIN(text):
        return text
    return "".join(
        f"\\u{ord(c):04x}"
        if unicodedata.category(c) in _UNSAFE_CATEGORIES or c in _DIRECTIONS
        else c
        for c in text
    )


_OF_SYSTEM: Final[Mapping[str, Phrase]] = {
    one: one
    for one in (
        Phrase("File exists"),
        Phrase("Is a directory"),
        Phrase("No space left on device"),
        Phrase("No such file or directory"),
        Phrase("Not a directory"),
        Phrase("Permission denied"),
        Phrase("Read-only file system"),
    )
}
"""What the operating system mostly says of a file; it says it in English."""


def of_system(error: OSError) -> str:
    """What the operating system says, as a text of ours where it is known."""
    said = error.strerror or str(error)
    return _OF_SYSTEM.get(said, said)


def words_for(language: str | None) -> Words:
    """The words of a language, or of the user's locale where none is asked for."""
    return Words(language or language_of(os.environ))
