"""What is on sale: platforms, courses, institutions, packages. The same in every simulated history."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Final

from attrs import frozen

from prakerja_ledger.simulating import parameters as p

PROGRAMME_OFFICE: Final = "//prakerja.go.id"
PLATFORMS: Final = tuple(p.PLATFORM_COURSES.value)
_SHORT: Final = {
    "skill-academy": ("SA", "//skillacademy.com"),
    "sisnaker": ("SN", "//sisnaker.kemnaker.go.id"),
    "bukalapak": ("BL", "//bukalapak.com"),
    "pintaria": ("PT", "//pintaria.com"),
    "tokopedia": ("TP", "//tokopedia.com"),
    "sekolahmu": ("SM", "//sekolah.mu"),
    "pijar-mahir": ("PM", "//pijarmahir.id"),
    "maubelajarapa": ("MB", "//maubelajarapa.com"),
}
PROVIDERS: Final = tuple(p.PROVIDERS_SINCE.value)
BANKS: Final = ("bni", "bca")
_PARTNERS: Final = {
    "bni": "//bni.co.id",
    "ovo": "//ovo.id",
    "linkaja": "//linkaja.id",
    "gopay": "//gopay.co.id",
    "dana": "//dana.id",
    "bca": "//bca.co.id",
}
SOURCES: Final = (
    PROGRAMME_OFFICE,
    *(_SHORT[name][1] for name in PLATFORMS),
    *(_PARTNERS[name] for name in PROVIDERS),
)
"""Who says things: the office, then the platforms and the partners, each in their order."""
OFFICE: Final = 0
FIRST_PLATFORM: Final = 1
FIRST_PARTNER: Final = 1 + len(PLATFORMS)

SINGLES: Final = p.COURSES.value // len(PLATFORMS)
"""Courses of each platform that are sold singly."""
_GOLDEN: Final = 40_503
"""Over 65,536 nearly the golden ratio: its multiples spread evenly, and look like chance."""


@frozen
class Course:
    """A course on offer."""

    id: str
    institution: str
    price: int


@frozen
class Package:
    """A package on offer: its platform by place, its courses by theirs."""

    id: str
    platform: int
    price: int
    courses: tuple[int, ...]
    withdrawn: bool
    """Whether the platform reports that it took it off sale."""


def _price(place: int) -> int:
    """The price of the course at a place: the curve of prices, in steps of Rp1,000."""
    spot = Fraction(place * _GOLDEN % 65_536, 65_536)
    knots = [(Fraction(share), price) for share, price in p.PRICES.value]
    for (x0, y0), (x1, y1) in pairwise(knots):
        if spot <= x1:
            return int(y0 + (y1 - y0) * (spot - x0) / (x1 - x0)) // 1_000 * 1_000
    raise AssertionError("the curve ends at 1")


def _institution(place: int) -> str:
    return f"LP-{place % p.INSTITUTIONS.value + 1:03}"


def _singles() -> list[Course]:
    return [
        Course(f"{_SHORT[name][0]}-{n:04}", _institution(k * SINGLES + n), _price(k * SINGLES + n))
        for k, name in enumerate(PLATFORMS)
        for n in range(SINGLES)
    ]


def _sellers() -> list[int]:
    """The platform of each package: as many as its share of courses, one at least."""
    counts = [
        max(1, share * p.PACKAGES.value // sum(p.PLATFORM_COURSES.value.values()))
        for share in p.PLATFORM_COURSES.value.values()
    ]
    counts[0] += p.PACKAGES.value - sum(counts)
    return [k for k, count in enumerate(counts) for _ in range(count)]


def _packages(courses: list[Course]) -> tuple[Package, ...]:
    """Packages: every other course is also sold singly, the rest is made for the package alone."""
    low, high = p.PACKAGE_PRICES.value
    fewest, most = p.PACKAGE_COURSES.value
    made = []
    for n, platform in enumerate(_sellers()):
        size = fewest + n % (most - fewest + 1)
        own = []
        for place in range(size):
            if place % 2:
                short = _SHORT[PLATFORMS[platform]][0]
                courses.append(Course(f"{short}-P{n:02}{place}", _institution(7 * n + place), 0))
                own.append(len(courses) - 1)
            else:
                own.append(platform * SINGLES + (n * 31 + place * 17) % SINGLES)
        price = high if n % 5 == 0 else low + (high - low) * (n * 37 % 100) // 100_000 * 1_000
        withdrawn = n % p.NEVER_WITHDRAWN.value != p.NEVER_WITHDRAWN.value - 1
        made.append(Package(f"PKT-{n + 1:03}", platform, price, tuple(own), withdrawn))
    return tuple(made)


_courses: Final = _singles()
PACKAGES: Final = _packages(_courses)
COURSES: Final = tuple(_courses)
"""Every course; those sold singly first, platform by platform."""
assert len({one.id for one in COURSES}) == len(COURSES), "a course has one id"
assert all(len(set(one.courses)) == len(one.courses) for one in PACKAGES), "courses are distinct"
