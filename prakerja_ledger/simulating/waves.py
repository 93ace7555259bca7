"""The intake waves: how many were appointed, when, and how many of them lost it for want of a purchase.

The days of appointment are assumed throughout: no list of them was found. They agree with every dated
count of section 3.1 and 3.3 (which waves were in, whose limit had passed).

Published counts are whole people. Where a source rounds ("800,000 each") and another gives the exact
sum, the exact sum is met: the difference is spread over the rounded waves and said so.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.schemes import KARTU_PRAKERJA


@frozen(kw_only=True)
class Wave:
    """One intake wave."""

    number: int
    scheme: str
    recipients: int
    """Appointed by decision letter, those revoked later among them."""
    appointed_on: date
    revoked_on: date
    """When those without a first purchase were revoked."""
    revoked: Fraction
    """Share of the recipients who were, for that reason."""
    recipients_source: str
    revoked_source: str


_SCHEME_OF: Final = {
    number: scheme.id
    for scheme in KARTU_PRAKERJA.schemes.values()
    for number in scheme.waves[:1_000]
}

APPOINTED_BY_YEAR: Final = {
    "semi-bansos-2020": 5_987_674,
    "semi-bansos-2021": 6_019_842,
    "semi-bansos-2022": 5_076_928,
    "normal-2023": 1_272_177,
    "normal-2024": 1_510_968,
}
"""Decision letters a year, all 514 regencies and cities (3.2, source [95])."""
APPOINTED: Final = sum(APPOINTED_BY_YEAR.values())
assert APPOINTED == 19_867_589, "the years no longer add up to the published total"

BY_AUGUST_2024: Final = 18_887_737
"""Appointed in waves 1 to 69 (3.1, source [95]; the page may be a draft)."""

_FIRST_REVOKED: Final = (
    # waves, revoked among them, by when, source: differences of the cumulative counts of 3.3
    (range(1, 5), 189_436, date(2020, 9, 17), "3.3 [7]"),
    (range(5, 6), 227_818 - 189_436, date(2020, 9, 28), "3.3 [104] less [7]"),
    (range(6, 8), 310_212 - 227_818, date(2020, 10, 14), "3.3 [105] less [104]"),
    (range(8, 9), 344_959 - 310_212, date(2020, 10, 19), "3.3 [106] less [105]"),
    (range(9, 10), 373_745 - 344_959, date(2020, 10, 27), "3.3 [8] less [106]"),
    (range(10, 11), 382_868 - 373_745, date(2020, 11, 9), "3.3 [98] less [8]"),
    (range(12, 16), 35_809, date(2021, 4, 22), "3.3 [107]"),
    (range(16, 17), 44_000 - 35_809, date(2021, 5, 4), "3.3 [99] less [107]"),
    (range(17, 23), 86_878 - 44_000, date(2021, 11, 30), "3.3 [108] less [99]; a headline only"),
)
_RECIPIENTS_SOURCES: Final = (
    (range(1, 3), "3.2 [97]"),
    (range(3, 4), "3.2, derived from [7][66]"),
    (range(4, 10), "3.2 [7][9]"),
    (range(10, 11), "3.2 [9][34]"),
    (range(11, 12), "3.2, derived from [98][93]"),
    (range(12, 17), "3.2 [99], raised by 1.3 % to the year of [95]"),
    (range(17, 18), "3.2 [99][35], raised likewise"),
    (range(18, 21), "3.2 [31][100], raised likewise"),
    (range(21, 22), "3.2 [101], raised likewise"),
    (range(22, 23), "3.2 [102], raised likewise"),
    (range(23, 48), "3.2: year of [95], evenly; no list found"),
    (range(48, 65), "3.2: year of [95], evenly; no list found"),
    (range(65, 70), "3.1, 3.2: waves 1–69 and years of [95], evenly; no list found"),
    (range(70, 72), "3.1, 3.2: the rest of the year of [95], evenly; no list found"),
)
REVOKED_OF_WAVES_1_TO_10: Final = Fraction(382_868, 5_597_179)
"""6.8 % (3.3): also taken for wave 11, of which no count was found."""
REVOKED_2022: Final = Fraction(5_076_928 - 4_984_790, 5_076_928)
"""Decision letters of 2022 less the 4,984,790 recipients of the yearly report (3.2)."""
REVOKED_2023: Final = Fraction(1_272_177 - 1_140_000, 1_272_177)
"""Decision letters of 2023 less "14 % over the target of 1m" (3.1); taken for 2024 too."""
REVOCATION_AFTER_LIMIT_DAYS: Final = 4
"""Where no date is published: the limit of the first purchase and so many days (assumed)."""


def _spread(total: int, parts: list[int]) -> list[int]:
    """The parts in proportion, so that they add up to the total exactly."""
    whole, done, out, run = sum(parts), 0, [], 0
    for part in parts:
        run += part
        until = (run * total + whole // 2) // whole
        out.append(until - done)
        done = until
    return out


def _every(first: date, days: int, count: int) -> list[date]:
    return [first + timedelta(days=days * n) for n in range(count)]


def _recipients() -> list[int]:
    first = [168_111, 288_154, 224_653, *(800_000,) * 6, 116_261, 390_495]
    assert sum(first) == APPOINTED_BY_YEAR["semi-bansos-2020"], "waves 1 to 11 add up to 2020"
    second = _spread(
        APPOINTED_BY_YEAR["semi-bansos-2021"],
        [*(600_000,) * 4, 300_000, 44_000, *(800_000,) * 3, 754_929, 46_000],
    )
    third = _spread(APPOINTED_BY_YEAR["semi-bansos-2022"], [1] * 25)
    fourth = _spread(APPOINTED_BY_YEAR["normal-2023"], [1] * 17)
    until_69 = BY_AUGUST_2024 - (APPOINTED - APPOINTED_BY_YEAR["normal-2024"])
    fifth = _spread(until_69, [1] * 5)
    fifth += _spread(APPOINTED_BY_YEAR["normal-2024"] - until_69, [1] * 2)
    return [*first, *second, *third, *fourth, *fifth]


def _appointed_on() -> list[date]:
    first = [
        date(2020, 4, 17), date(2020, 4, 26), date(2020, 5, 6), date(2020, 8, 14),
        date(2020, 8, 22), date(2020, 8, 31), date(2020, 9, 8), date(2020, 9, 16),
        date(2020, 9, 21), date(2020, 9, 30), date(2020, 11, 10),
    ]  # fmt: skip
    second = [
        date(2021, 3, 2), date(2021, 3, 9), date(2021, 3, 16), date(2021, 3, 22),
        date(2021, 4, 1), date(2021, 6, 10), date(2021, 8, 13), date(2021, 8, 27),
        date(2021, 9, 8), date(2021, 9, 23), date(2021, 10, 29),
    ]  # fmt: skip
    third = _every(date(2022, 2, 25), 11, 25)
    fourth = _every(date(2023, 2, 24), 16, 17)
    fifth = [*_every(date(2024, 3, 8), 28, 5), date(2024, 8, 23), date(2024, 9, 20)]
    return [*first, *second, *third, *fourth, *fifth]


def _revocations(recipients: list[int]) -> dict[int, tuple[Fraction, date, str]]:
    known = {}
    for waves, count, on, source in _FIRST_REVOKED:
        share = Fraction(count, sum(recipients[number - 1] for number in waves))
        known.update(dict.fromkeys(waves, (share, on, source)))
    return known


def _revoked_share(scheme: str) -> tuple[Fraction, str]:
    if scheme == "semi-bansos-2020":
        return REVOKED_OF_WAVES_1_TO_10, "3.3 [98]: as waves 1–10; no count found"
    if scheme == "semi-bansos-2022":
        return REVOKED_2022, "3.2, derived from [95][32]"
    return REVOKED_2023, "3.1, derived from [95][62]" + "; as 2023" * (scheme == "normal-2024")


def _waves() -> tuple[Wave, ...]:
    recipients = _recipients()
    known = _revocations(recipients)
    sources = {number: source for waves, source in _RECIPIENTS_SOURCES for number in waves}
    made = []
    for number, (count, on) in enumerate(zip(recipients, _appointed_on(), strict=True), 1):
        scheme = KARTU_PRAKERJA.scheme(_SCHEME_OF[number])
        limit = on + timedelta(days=scheme.first_purchase_days)
        late = limit + timedelta(days=REVOCATION_AFTER_LIMIT_DAYS)
        share, revoked_on, source = known.get(
            number, (_revoked_share(scheme.id)[0], late, _revoked_share(scheme.id)[1])
        )
        made.append(
            Wave(
                number=number,
                scheme=scheme.id,
                recipients=count,
                appointed_on=on,
                revoked_on=max(revoked_on, limit + timedelta(days=1)),
                revoked=share,
                recipients_source=sources[number],
                revoked_source=source,
            )
        )
    return tuple(made)


WAVES: Final = _waves()
for _scheme, _count in APPOINTED_BY_YEAR.items():
    assert sum(w.recipients for w in WAVES if w.scheme == _scheme) == _count, (
        "a year does not add up"
    )
assert sum(w.recipients for w in WAVES if w.number <= 69) == BY_AUGUST_2024, "waves 1 to 69"
