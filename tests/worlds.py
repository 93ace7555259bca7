"""Seeded random histories in history format 1, for tests that set two readings side by side.

A world is a handful of participants, packages and the programme. Each step takes an actor, asks
it for its next event and writes a line. What the generator believes about a participant (`Life`)
only steers it towards lives that get far; it is not a judge, and no test may read it as one.
Some steps are `wild`: well-formed, but free to break a rule. Broken lines are good events spoilt
in one or two places. Nothing here looks at the package under test.

`python tests/worlds.py SEED [--participants N] [--events N]` writes one history to standard output.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

Data = dict[str, Any]
Fact = tuple[str, Data]

DAY = 86_400
WIB = 7 * 3_600
EPOCH = datetime(1970, 1, 1)
INT_MAX = 2**53 - 1
LINE_MAX = 1_048_576

PLATFORMS = (
    "bukalapak", "maubelajarapa", "pijar-mahir", "pintaria", "sekolahmu", "sisnaker",
    "skill-academy", "tokopedia", "karier-mu",
)  # fmt: skip
PROVIDERS = ("bni", "bca", "ovo", "gopay", "linkaja", "dana")
METHODS = ("prakerja",) * 9 + ("bank-transfer", "atm", "credit-card", "e-money", "other")
REASONS = (
    "account-closed", "account-blocked", "account-not-found", "not-kyc", "wallet-limit",
    "nik-mismatch", "name-mismatch", "phone-changed", "insufficient-funds", "partner-rejected",
    "technical", "unknown",
)  # fmt: skip
DIMENSIONS = ("instructor", "facilities", "programme")
OUTCOMES = ("paid", "explained", "rejected", "withdrawn")
SOURCES = ("//pmo", "//platform", "//bank", "//pmo1", "//skill-academy.example", "//π")
ENUMERATIONS: dict[str, tuple[str, ...]] = {
    "platform": PLATFORMS, "provider": PROVIDERS, "method": METHODS, "outcome": OUTCOMES,
    "component": ("post-training", "survey"),
}  # fmt: skip

INSTALMENTS = {
    "semi-bansos-2020": (4, 3),
    "semi-bansos-2021": (4, 3),
    "semi-bansos-2022": (4, 3),
    "normal-2023": (1, 2),
    "normal-2024": (1, 2),
}
WAVES = {
    "semi-bansos-2020": (1, 11),
    "semi-bansos-2021": (12, 22),
    "semi-bansos-2022": (23, 47),
    "normal-2023": (48, 64),
    "normal-2024": (65, 71),
}
WAVE_TRAPS = (1, 11, 12, 22, 23, 47, 48, 64, 65, INT_MAX)
COMPONENT_AMOUNTS = {"post-training": 600_000, "survey": 50_000}
BALANCES = {s: 3_500_000 if s.startswith("normal") else 1_000_000 for s in INSTALMENTS}

# weight, the first and the last day on which a life may begin, the scheme that is usual then
ERAS: tuple[tuple[int, str, str, str], ...] = (
    (30, "2020-04-11", "2020-07-15", "semi-bansos-2020"),
    (22, "2020-07-15", "2020-11-20", "semi-bansos-2020"),
    (12, "2020-11-01", "2021-03-20", "semi-bansos-2021"),
    (10, "2021-06-20", "2021-11-25", "semi-bansos-2021"),
    (9, "2022-02-17", "2022-09-01", "semi-bansos-2022"),
    (8, "2023-02-17", "2023-08-01", "normal-2023"),
    (6, "2024-02-23", "2024-07-01", "normal-2024"),
    (2, "2027-08-01", "2027-12-28", "normal-2024"),
    (1, "2019-11-15", "2019-12-28", "semi-bansos-2020"),
)
# cut-offs, holidays and the days next to them, and the stop of package sales
SPECIAL_DAYS = (
    "2020-05-01", "2020-05-20", "2020-05-21", "2020-05-22", "2020-05-25", "2020-06-01",
    "2020-06-30", "2020-07-01", "2020-07-31", "2020-08-17", "2020-08-19", "2020-08-21",
    "2020-10-28", "2020-10-30", "2020-12-09", "2020-12-14", "2020-12-15", "2020-12-16",
    "2020-12-24", "2020-12-25", "2020-12-31", "2021-01-01", "2021-02-28", "2021-03-03",
    "2021-03-04", "2021-03-05", "2021-05-12", "2021-05-13", "2021-12-09", "2021-12-10",
    "2021-12-11", "2021-12-14", "2021-12-15", "2021-12-16", "2023-04-19", "2023-04-25",
    "2024-02-29", "2024-04-08", "2024-04-15", "2027-12-31", "2028-01-01",
)  # fmt: skip
PARTICIPANT_IDS = (
    "P-1", "P-10", "P-2", "p-1", "～5", "𝓐", "É1", "e\u0301", "é", "P 1", "P,1", 'P"1', "=1+1",
    "ﬀ", "\ue000", "P-1 ", "P\\1", "ÿ" * 200, "𝓐" * 200, "P-000042", "A-READER", "\u2028", "Ω", "0",
)  # fmt: skip
COURSES = ("C-1", "C-2", "C-10", "C-é", "C-～", "C-𝓐", "c-1", "C-3", "C-4")
INSTITUTIONS = ("I-0", "I-1", "I-2")
PRICES = (0, 1, 150_000, 168_000, 400_000, 500_000, 600_000, 1_000_000, 1_000_001, 3_500_000)
FREE_TEXTS = ("review", "entered in error", "x", "é" * 200, "𝓐" * 200, 'a "b" \\/', "l\u2028\u0085")
KEPT = ("datacontenttype", "dataschema", "traceparent", "tracestate", "sequence", "partitionkey")
RAW_OPEN, RAW_CLOSE = "@@<", ">@@"
# Inside one string only: a mark that was spoilt afterwards has no end of its own to be found.
RAW = re.compile(rf'"{RAW_OPEN}((?:[^"\\]|\\.)*?){RAW_CLOSE}"')


# --- instants -----------------------------------------------------------------------------------


class Instant(NamedTuple):
    """Seconds since 1970 UTC and the digits of the fraction, without trailing zeros.

    Tuples compare as instants do, because such digits sort as fractions sort.
    """

    seconds: int
    digits: str = ""


FAR_FUTURE = Instant(int((datetime.max.replace(microsecond=0) - EPOCH).total_seconds()) - WIB)
FAR_PAST = Instant(int((datetime.min - EPOCH).total_seconds()) - WIB)
OFFSETS = ("+07:00",) * 14 + (
    "Z", "Z", "z", "+00:00", "-00:00", "+08:00", "+09:00", "-05:00", "+05:30", "+14:00", "-12:00",
    "+23:59", "-23:59",
)  # fmt: skip
FRACTIONS = ("5", "25", "000001", "999999", "123456789", "9999999999", "0" * 19 + "1")


def midnight(day: str) -> int:
    """The first second of a date in WIB."""
    return int((datetime.fromisoformat(day) - EPOCH).total_seconds()) - WIB


def wib_date(seconds: int) -> date:
    """The date in WIB of a second."""
    return (EPOCH + timedelta(seconds=seconds + WIB)).date()


def offset_seconds(offset: str) -> int:
    """What a written offset adds to UTC."""
    if offset in "Zz":
        return 0
    size = int(offset[1:3]) * 3_600 + int(offset[4:6]) * 60
    return -size if offset[0] == "-" else size


def stamp(rng: random.Random, at: Instant) -> str:
    """One of the many RFC 3339 spellings of an instant."""
    offset = rng.choice(OFFSETS)
    try:
        local = EPOCH + timedelta(seconds=at.seconds + offset_seconds(offset))
    except OverflowError:
        offset = "+07:00"
        local = EPOCH + timedelta(seconds=at.seconds + WIB)
    text = local.isoformat()
    if rng.random() < 0.04:
        text = text.replace("T", "t")
    digits = at.digits + "0" * rng.choice((0,) * 9 + (1, 3, 8))
    if rng.random() < 0.004:
        digits = digits.ljust(200 - len(text) - 1 - len(offset), "0")
    return text + ("." + digits if digits else "") + offset


def digits_of(rng: random.Random) -> str:
    """No fraction most of the time, else one that is easy to get wrong."""
    return rng.choice(FRACTIONS) if rng.random() < 0.13 else ""


def snapped(rng: random.Random, seconds: int) -> Instant:
    """An instant on an edge near a second: midnight, the last moment of a day, a month's end."""
    start = midnight(wib_date(seconds).isoformat())
    way = rng.randrange(5)
    if way == 0:
        return Instant(start)
    if way == 1:
        return Instant(start + DAY - 1, rng.choice(("", "999999", "9999999999")))
    if way == 2:
        return Instant(start + WIB)
    if way == 3:
        first = wib_date(seconds).replace(day=1)
        month_end = midnight(first.isoformat()) - rng.choice((1, 3_600, 40_000))
        return Instant(month_end if rng.random() < 0.3 else month_end + 31 * DAY)
    near = [d for d in map(midnight, SPECIAL_DAYS) if 0 <= d - seconds < 40 * DAY]
    edge = rng.choice(near or [start])
    return Instant(edge + rng.choice((0, 0, -1, 1, 43_200, DAY - 1)), digits_of(rng))


# --- what is written ----------------------------------------------------------------------------


@dataclass
class Event:
    """An event before it is spelt: two instants, and no order of keys yet."""

    source: str
    id: str
    kind: str
    subject: str
    time: Instant
    recorded: Instant | None
    data: Data
    extras: Data = field(default_factory=dict)

    def spelt(self, rng: random.Random) -> Data:
        """The CloudEvents object, its times in a random spelling."""
        spelt: Data = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": f"prakerja.{self.kind}.v1",
            "subject": self.subject,
            "time": stamp(rng, self.time),
        }
        if self.recorded is not None:
            spelt["recordedtime"] = stamp(rng, self.recorded)
        return spelt | copy.deepcopy(self.extras) | {"data": copy.deepcopy(self.data)}


def raw(text: str) -> str:
    """A string that `dump` writes as `text` itself, without quotes: for what JSON forbids."""
    return RAW_OPEN + text + RAW_CLOSE


def shuffled(rng: random.Random, value: Any) -> Any:
    """The same JSON value with the keys of every object in another order."""
    if isinstance(value, dict):
        pairs = [(key, shuffled(rng, inner)) for key, inner in value.items()]
        rng.shuffle(pairs)
        return dict(pairs)
    return [shuffled(rng, inner) for inner in value] if isinstance(value, list) else value


def dump(rng: random.Random, value: Any) -> bytes:
    """One of the many JSON spellings of a value."""
    if rng.random() < 0.2:
        value = shuffled(rng, value)
    spaced = rng.random() < 0.1
    text = json.dumps(
        value,
        ensure_ascii=rng.random() < 0.15,
        separators=(" , ", " :\t") if spaced else (",", ":"),
    )
    if rng.random() < 0.05:
        text = text.replace("/", "\\/")
    if rng.random() < 0.05:
        text = text.replace('"C-', '"\\u0043-').replace('"subject"', '"\\u0073ubject"')
    if rng.random() < 0.03:
        text = rng.choice((" ", "\t", "  \r")) + text + rng.choice((" ", "\t", ""))
    text = RAW.sub(lambda found: str(json.loads(f'"{found[1]}"')), text)
    return text.encode("utf-8", "surrogatepass") + (b"\r" if rng.random() < 0.03 else b"")


def kept_attributes(rng: random.Random) -> Data:
    """Now and then some attributes that are kept and ignored, with any JSON value."""
    if rng.random() < 0.9:
        return {}
    names = (*KEPT, "x1", "xa", "x0z9", "x" + "a" * 19)
    values: tuple[Any, ...] = (
        "7", 7, None, True, 1.5, [], {"deep": [[]]}, "é", "l\u2028", {"": None, "id": "e-1"},
        raw("1e308"), raw("-0.0"), raw("1" + "0" * 300), raw("[" * 63 + "]" * 63), 10**20,
    )  # fmt: skip
    chosen = rng.sample(names, rng.choice((1, 1, 2)))
    return {name: copy.deepcopy(rng.choice(values)) for name in chosen}


# --- what the generator believes -----------------------------------------------------------------


@dataclass
class Purchase:
    """A purchase as last believed."""

    price: int
    courses: list[str]
    refunded: int = 0


@dataclass
class Disbursement:
    """An instruction and its outcomes as last believed."""

    component: str
    instalment: int
    amount: int
    settled: int = 0
    returned: int = 0
    failed: bool = False
    references: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Neither settled nor failed."""
        return not self.references and not self.failed


@dataclass
class Life:
    """One participant: where the life stands, as far as the generator steers by it."""

    id: str
    tag: int
    clock: int
    wave: int
    scheme: str
    enrolled: bool = False
    account: str | None = None
    provider: str = "ovo"
    verified: bool = False
    accounts: list[str] = field(default_factory=list)
    purchases: dict[str, Purchase] = field(default_factory=dict)
    completed: set[str] = field(default_factory=set)
    certified: set[str] = field(default_factory=set)
    rated: set[str] = field(default_factory=set)
    reviewed: set[str] = field(default_factory=set)
    surveys: set[int] = field(default_factory=set)
    disbursements: dict[str, Disbursement] = field(default_factory=dict)
    complaints: dict[str, bool] = field(default_factory=dict)
    revoked: bool = False

    @property
    def courses(self) -> list[str]:
        """Every course bought, in order, each once."""
        return list(dict.fromkeys(c for p in self.purchases.values() for c in p.courses))

    @property
    def ready(self) -> bool:
        """Some course is completed, certified, rated and reviewed."""
        return bool(self.completed & self.certified & self.reviewed)

    def paid(self, component: str, instalment: int) -> bool:
        """Some transfer of the instalment went through and stayed, or is still open."""
        return any(
            d.component == component
            and d.instalment == instalment
            and (d.settled > d.returned or d.open)
            for d in self.disbursements.values()
        )

    def believe(self, kind: str, data: Data) -> None:
        """Follow an event, passing over what cannot be followed."""
        follow = getattr(self, "_" + kind.replace("-", "_"), None)
        if follow is not None:
            follow(data)

    def _enrolled(self, data: Data) -> None:
        self.enrolled = True

    def _enrolment_corrected(self, data: Data) -> None:
        self.scheme = data["scheme"]

    def _account_linked(self, data: Data) -> None:
        self.account, self.provider, self.verified = data["account"], data["provider"], False
        self.accounts.append(data["account"])

    def _account_verified(self, data: Data) -> None:
        self.verified = data["account"] == self.account or self.verified

    def _account_rejected(self, data: Data) -> None:
        self.verified = self.verified and data["account"] != self.account

    def _account_unlinked(self, data: Data) -> None:
        if data["account"] == self.account:
            self.account, self.verified = None, False

    def _training_purchased(self, data: Data) -> None:
        courses = [c["course"] for c in data["courses"]]
        self.purchases.setdefault(data["purchase"], Purchase(data["price"], courses))

    def _purchase_refunded(self, data: Data) -> None:
        bought = self.purchases.get(data["purchase"])
        if bought and bought.refunded + data["amount"] <= bought.price:
            bought.refunded += data["amount"]

    def _course_completed(self, data: Data) -> None:
        self.completed |= {data["course"]} & set(self.courses)

    def _certificate_issued(self, data: Data) -> None:
        self.certified |= {data["course"]} & set(self.courses)

    def _course_rated(self, data: Data) -> None:
        self.rated |= {data["course"]} & set(self.courses)
        if data["reviewed"]:
            self.reviewed |= {data["course"]} & set(self.courses)

    def _survey_submitted(self, data: Data) -> None:
        if data["survey"] <= INSTALMENTS[self.scheme][1]:
            self.surveys.add(data["survey"])

    def _disbursement_instructed(self, data: Data) -> None:
        made = Disbursement(data["component"], data["instalment"], data["amount"])
        self.disbursements.setdefault(data["disbursement"], made)

    def _disbursement_settled(self, data: Data) -> None:
        sent = self.disbursements.get(data["disbursement"])
        if sent and data["reference"] not in sent.references:
            sent.references.append(data["reference"])
            sent.settled += data.get("amount", sent.amount)

    def _disbursement_failed(self, data: Data) -> None:
        sent = self.disbursements.get(data["disbursement"])
        if sent and sent.open:
            sent.failed = True

    def _disbursement_returned(self, data: Data) -> None:
        sent = self.disbursements.get(data["disbursement"])
        if sent:
            left = sent.settled - sent.returned
            amount = data.get("amount", left)
            sent.returned += amount if amount <= left else 0

    def _participation_revoked(self, data: Data) -> None:
        self.revoked = True

    def _participation_reinstated(self, data: Data) -> None:
        self.revoked = False

    def _complaint_filed(self, data: Data) -> None:
        self.complaints.setdefault(data["complaint"], False)

    def _complaint_resolved(self, data: Data) -> None:
        if data["complaint"] in self.complaints:
            self.complaints[data["complaint"]] = True

    def forget(self, kind: str, data: Data) -> None:
        """Follow the voiding of an event, roughly."""
        self.completed -= {data["course"]} if kind == "course-completed" else set()
        self.certified -= {data["course"]} if kind == "certificate-issued" else set()
        self.surveys -= {data["survey"]} if kind == "survey-submitted" else set()
        if kind == "account-linked" and data["account"] == self.account:
            self.account, self.verified = None, False
        if kind in ("participation-revoked", "participation-reinstated"):
            self.revoked = kind == "participation-reinstated"
        if kind == "disbursement-settled":
            sent = self.disbursements.get(data["disbursement"])
            if sent and data["reference"] in sent.references:
                sent.references.remove(data["reference"])
                sent.settled -= data.get("amount", sent.amount)


# --- moves of a participant -----------------------------------------------------------------------


def chosen(rng: random.Random, own: Iterable[str], wild: Iterable[str] | None = None) -> str:
    """One of `own`; in a wild move also one of `wild`, or a reference to nothing."""
    good = list(own)
    if wild is None:
        return rng.choice(good or ["none"])
    return rng.choice(good * 2 + list(wild) + ["none"])


def move_enrol(world: World, life: Life, wild: bool) -> Fact:
    """The enrolment, for a life that may be enrolled already."""
    return "enrolled", {"wave": life.wave, "scheme": life.scheme}


def move_correct(world: World, life: Life, wild: bool) -> Fact:
    """Another wave, another scheme, or both; half of them to a scheme with fewer instalments."""
    rng = world.rng
    scheme = rng.choice((*INSTALMENTS, "normal-2023", "normal-2024", life.scheme))
    return "enrolment-corrected", {
        "wave": world.wave_for(scheme),
        "scheme": scheme,
        "reason": rng.choice(("wrong wave", *FREE_TEXTS)),
        "authority": rng.choice(("//pmo/audit", *FREE_TEXTS)),
    }


def move_link(world: World, life: Life, wild: bool) -> Fact:
    """A new account, an old one again, or one that others use too."""
    rng = world.rng
    fresh = f"acc-{len(life.accounts) + 1}-{life.tag}"
    tokens = [fresh] * 4 + ["shared-1", "shared-2", *life.accounts[-2:]]
    provider = rng.choice(("ovo", "ovo", *PROVIDERS))
    return "account-linked", {"provider": provider, "account": rng.choice(tokens)}


def account_named(world: World, life: Life, wild: bool) -> str:
    """The linked account, or in a wild move any."""
    own = [life.account] if life.account else []
    return chosen(world.rng, own, [*life.accounts, "shared-1"] if wild else None)


def move_verify(world: World, life: Life, wild: bool) -> Fact:
    """The partner vouches for the linked account."""
    return "account-verified", {"account": account_named(world, life, wild)}


def move_reject(world: World, life: Life, wild: bool) -> Fact:
    """The partner turns the linked account down, for each reason there is."""
    account = account_named(world, life, wild)
    return "account-rejected", {"account": account, "reason": world.rng.choice(REASONS)}


def move_unlink(world: World, life: Life, wild: bool) -> Fact:
    """The participant disconnects."""
    return "account-unlinked", {"account": account_named(world, life, wild)}


def course_list(world: World, size: int) -> list[Data]:
    """Courses, mostly of the institution that usually gives them."""
    rng = world.rng
    return [
        {
            "course": course,
            "institution": rng.choice(INSTITUTIONS)
            if rng.random() < 0.12
            else INSTITUTIONS[COURSES.index(course) % 3],
        }
        for course in rng.sample(COURSES[: world.breadth], size)
    ]


def package_part(world: World, wild: bool) -> Data:
    """What a purchase takes over from a package: sometimes under another platform or price."""
    rng = world.rng
    if wild and rng.random() < 0.4:
        return {"package": rng.choice(("PK-none", "PK-1", "PK-9"))}
    package = rng.choice(list(world.offers))
    offer = world.offers[package]
    part: Data = {"package": package, "platform": offer["platform"], "price": offer["price"]}
    part["courses"] = copy.deepcopy(offer["courses"])
    if rng.random() < 0.15:
        part["platform"] = rng.choice(PLATFORMS)
    if rng.random() < 0.15:
        part["courses"] = course_list(world, rng.randint(1, 3))
    if rng.random() < 0.15:
        part["price"] = rng.choice(PRICES)
    return part


def move_purchase(world: World, life: Life, wild: bool) -> Fact:
    """A course, a few, or a package."""
    rng = world.rng
    reused = bool(life.purchases) and wild and rng.random() < 0.5
    data: Data = {
        "purchase": rng.choice(list(life.purchases)) if reused else world.fresh(life, "U"),
        "platform": rng.choice(PLATFORMS),
        "price": rng.choice((*PRICES, 250_000, BALANCES[life.scheme])),
        "method": rng.choice(METHODS),
        "courses": course_list(world, rng.choice((1, 1, 1, 2, 3))),
    }
    if rng.random() < 0.45 and (world.offers or wild):
        data |= package_part(world, wild) if world.offers else {"package": "PK-none"}
    return "training-purchased", data


def move_refund(world: World, life: Life, wild: bool) -> Fact:
    """Part of the price, all that is left, or (wild) more."""
    rng = world.rng
    partly = [i for i, p in life.purchases.items() if p.refunded < p.price]
    purchase = chosen(rng, partly, life.purchases if wild else None)
    bought = life.purchases.get(purchase, Purchase(1, []))
    left = max(1, bought.price - bought.refunded)
    amount = rng.choice((left, left, max(1, left // 2), 1, max(1, left - 1)))
    if wild:
        amount = rng.choice((amount, left + 1, bought.price + 1, INT_MAX))
    return "purchase-refunded", {"purchase": purchase, "amount": amount}


def move_complete(world: World, life: Life, wild: bool) -> Fact:
    """A bought course is finished."""
    rng = world.rng
    undone = [c for c in life.courses if c not in life.completed]
    course = chosen(rng, undone, COURSES if wild else None)
    data: Data = {"course": course}
    if rng.random() < 0.3:
        data["score"] = rng.choice((0, 55, 99, 100, raw("-0")))
    return "course-completed", data


def move_certify(world: World, life: Life, wild: bool) -> Fact:
    """A certificate, mostly after the completion; its number now and then used before."""
    rng = world.rng
    lacking = [c for c in life.courses if c not in life.certified]
    finished = [c for c in lacking if c in life.completed]
    own = finished if finished and rng.random() < 0.85 else lacking
    course = chosen(rng, own, COURSES if wild else None)
    number = rng.choice([f"SA-{course}-{life.tag}"] * 6 + ["SA-SHARED", f"SA-{life.tag}"])
    return "certificate-issued", {"course": course, "certificate": number}


def move_rate(world: World, life: Life, wild: bool) -> Fact:
    """Some dimensions of a course, with a review or without."""
    rng = world.rng
    waiting = [c for c in life.courses if c in life.completed and c not in life.reviewed]
    own = waiting if waiting and rng.random() < 0.8 else life.courses
    data: Data = {"course": chosen(rng, own, COURSES if wild else None)}
    for dimension in rng.sample(DIMENSIONS, rng.choice((1, 2, 3, 3, 3))):
        data[dimension] = rng.randint(1, 5)
    return "course-rated", data | {"reviewed": rng.random() < 0.7}


def move_survey(world: World, life: Life, wild: bool) -> Fact:
    """The next survey, one out of order, or (wild) one too many."""
    rng = world.rng
    last = INSTALMENTS[life.scheme][1]
    rest = [n for n in range(1, last + 1) if n not in life.surveys] or [last]
    survey = rest[0] if rng.random() < 0.8 else rng.choice(rest)
    if wild:
        survey = rng.choice((*sorted(life.surveys), last + 1, last + 2, 1, INT_MAX))
    return "survey-submitted", {"survey": survey}


def line_to_pay(world: World, life: Life, wild: bool) -> tuple[str, int]:
    """The next instalment without money, most of the time."""
    rng = world.rng
    posts, surveys = INSTALMENTS[life.scheme]
    lines = [("post-training", n) for n in range(1, posts + 1)]
    answered = [("survey", n) for n in range(1, surveys + 1) if n in life.surveys]
    if wild and rng.random() < 0.4:
        return rng.choice((("post-training", posts + 1), ("survey", surveys + 1), ("survey", 9)))
    waiting = [line for line in lines[:1] + answered + lines[1:] if not life.paid(*line)]
    if waiting and rng.random() < 0.85:
        return waiting[0]
    return rng.choice(lines + [("survey", n) for n in range(1, surveys + 1)])


def move_instruct(world: World, life: Life, wild: bool) -> Fact:
    """An instruction: mostly of the whole instalment, to the linked account."""
    rng = world.rng
    component, instalment = line_to_pay(world, life, wild)
    full = COMPONENT_AMOUNTS[component]
    reused = bool(life.disbursements) and wild and rng.random() < 0.4
    data: Data = {
        "disbursement": rng.choice(list(life.disbursements)) if reused else world.fresh(life, "D"),
        "component": component,
        "instalment": instalment,
        "amount": rng.choice([full] * 9 + [full + 1, full * 2, full // 2, 1, 20_475]),
        "provider": life.provider if rng.random() < 0.9 else rng.choice(PROVIDERS),
    }
    roll = rng.random()
    if roll < 0.6 and life.account is not None:
        data["account"] = life.account
    elif roll < 0.75:
        data["account"] = rng.choice(["acc-never-linked", "shared-1", *life.accounts])
    return "disbursement-instructed", data


def move_settle(world: World, life: Life, wild: bool) -> Fact:
    """The money went out: mostly of an open instruction, else a second time or after a failure."""
    rng = world.rng
    waiting = [i for i, d in life.disbursements.items() if d.open]
    own = waiting if waiting and rng.random() < 0.9 else list(life.disbursements)
    sent_id = chosen(rng, own, life.disbursements if wild else None)
    sent = life.disbursements.get(sent_id)
    reference = world.fresh(life, "R-")
    if sent and sent.references and wild:
        reference = rng.choice(sent.references)
    data: Data = {"disbursement": sent_id, "reference": reference}
    if rng.random() < 0.5:
        amount = sent.amount if sent else 600_000
        data["amount"] = rng.choice((amount,) * 4 + (amount + 1, max(1, amount // 3), 1, 600_000))
    return "disbursement-settled", data


def move_fail(world: World, life: Life, wild: bool) -> Fact:
    """The transfer did not go through."""
    rng = world.rng
    waiting = [i for i, d in life.disbursements.items() if d.open]
    sent_id = chosen(rng, waiting, life.disbursements if wild else None)
    return "disbursement-failed", {"disbursement": sent_id, "reason": rng.choice(REASONS)}


def move_return(world: World, life: Life, wild: bool) -> Fact:
    """Money came back: all that is left, or part of it, or (wild) more."""
    rng = world.rng
    some = [i for i, d in life.disbursements.items() if d.settled > d.returned]
    sent_id = chosen(rng, some, life.disbursements if wild else None)
    data: Data = {"disbursement": sent_id, "reason": rng.choice(REASONS)}
    sent = life.disbursements.get(sent_id, Disbursement("survey", 1, 1))
    left = max(1, sent.settled - sent.returned)
    if rng.random() < 0.6:
        data["amount"] = rng.choice((left, max(1, left // 2), 1, max(1, left - 1)))
        if wild:
            data["amount"] = rng.choice((left, left + 1, INT_MAX))
    return "disbursement-returned", data


def move_revoke(world: World, life: Life, wild: bool) -> Fact:
    """The participation is revoked."""
    reasons = ("no-first-purchase", "ineligible", "fraud", "other")
    return "participation-revoked", {"reason": world.rng.choice(reasons)}


def move_reinstate(world: World, life: Life, wild: bool) -> Fact:
    """The revocation is taken back."""
    return "participation-reinstated", {"reason": world.rng.choice(FREE_TEXTS)}


def move_complain(world: World, life: Life, wild: bool) -> Fact:
    """A complaint, about a line or about nothing in particular."""
    rng = world.rng
    reused = bool(life.complaints) and wild
    complaint = rng.choice(list(life.complaints)) if reused else world.fresh(life, "Q")
    data: Data = {"complaint": complaint}
    if rng.random() < 0.5:
        data["component"] = rng.choice(("post-training", "survey"))
    if rng.random() < 0.5:
        data["instalment"] = rng.choice((1, 2, 9))
    if rng.random() < 0.5:
        data["channel"] = rng.choice(FREE_TEXTS)
    return "complaint-filed", data


def move_resolve(world: World, life: Life, wild: bool) -> Fact:
    """An answer to an open complaint, or (wild) to an answered one."""
    waiting = [c for c, done in life.complaints.items() if not done]
    complaint = chosen(world.rng, waiting, life.complaints if wild else None)
    return "complaint-resolved", {"complaint": complaint, "outcome": world.rng.choice(OUTCOMES)}


def move_void(world: World, life: Life, wild: bool) -> Fact:
    """An earlier event of this participant never was; (wild) one that may not be voided."""
    return world.void_of(life.id, wild)


Move = Callable[["World", Life, bool], Fact]


def weighted(life: Life) -> list[tuple[Move, float]]:
    """How likely each move is for a life that stands where this one stands."""
    courses, sent = life.courses, life.disbursements.values()
    undone = [c for c in courses if c not in life.completed]
    to_certify = any(c in life.completed and c not in life.certified for c in courses)
    to_rate = any(c in life.completed and c not in life.reviewed for c in courses)
    waiting = any(d.open for d in sent)
    surveys_left = len(life.surveys) < INSTALMENTS[life.scheme][1]
    first_paid = life.paid("post-training", 1)
    money_left = any(d.settled > d.returned for d in sent)
    return [
        (move_correct, 0.2),
        (move_link, 0.4 if life.account else 4.5),
        (move_verify, 0.15 if life.verified else 5 if life.account else 0),
        (move_reject, 0.45 if life.account else 0),
        (move_unlink, 0.2 if life.account else 0),
        (move_purchase, 0.6 if life.purchases else 8),
        (move_refund, 0.35 if life.purchases else 0),
        (move_complete, 0 if not undone else 1.2 if life.completed else 6),
        (move_certify, 5 if to_certify else 0.3 if courses else 0),
        (move_rate, 5 if to_rate else 0.5 if courses else 0),
        (move_survey, 0 if not surveys_left else 2.5 if first_paid else 0.3),
        (move_instruct, 0.3 if waiting else 6 if life.ready else 0.3),
        (move_settle, 9 if waiting else 0.25 if sent else 0),
        (move_fail, 1 if waiting else 0),
        (move_return, 0.5 if money_left else 0),
        (move_revoke, 0 if life.revoked else 0.15 if life.purchases else 0.5),
        (move_reinstate, 2 if life.revoked else 0),
        (move_complain, 0.2),
        (move_resolve, 0.6 if False in life.complaints.values() else 0),
        (move_void, 0.7),
    ]


ANYONE = Life("", 0, 0, 1, "normal-2023")
# In a wild step some moves can break more rules than others.
WILD_MOVES: tuple[Move, ...] = (
    move_enrol, *(move for move, _ in weighted(ANYONE)),
    move_settle, move_return, move_instruct, move_void, move_purchase, move_correct,
)  # fmt: skip


# --- the world -----------------------------------------------------------------------------------


class World:
    """Participants, packages and the programme, and the lines written about them so far."""

    def __init__(self, rng: random.Random, participants: int, chaos: float) -> None:
        self.rng = rng
        self.chaos = chaos
        self.unrest = rng.choice((0.15, 0.4, 0.7, 1.0))
        self.breadth = rng.choice((3, 6, len(COURSES)))
        self.lines: list[bytes] = []
        self.said: list[Event] = []
        self.voided: set[tuple[str, str]] = set()
        self.deferred: list[Event] = []
        self.offers: dict[str, Data] = {}
        self.withdrawn: set[str] = set()
        self.held = False
        self.pending: list[tuple[str, str, Data]] = []
        self.counter = 0
        era = rng.choices(ERAS, [e[0] for e in ERAS])[0]
        self.lives = self.born(participants, era)
        self.started = min((life.clock for life in self.lives), default=midnight(era[1]))

    def born(self, participants: int, era: tuple[int, str, str, str]) -> list[Life]:
        """The participants: most begin in one era, under its scheme."""
        rng = self.rng
        names = rng.sample(PARTICIPANT_IDS, min(participants, len(PARTICIPANT_IDS)))
        names += [f"Q-{n}" for n in range(participants - len(names))]
        if names and rng.random() < 0.1:
            names[-1] = "PK-1"
        if names and rng.random() < 0.1:
            names[0] = "programme"
        lives = []
        for tag, name in enumerate(names):
            _, first, last, scheme = era if rng.random() < 0.85 else rng.choice(ERAS[:7])
            if rng.random() < 0.15:
                scheme = rng.choice(list(INSTALMENTS))
            clock = rng.randint(midnight(first), midnight(last))
            lives.append(Life(name, tag, clock, self.wave_for(scheme), scheme))
        return lives

    def wave_for(self, scheme: str) -> int:
        """A wave, mostly one that the scheme has."""
        rng = self.rng
        return rng.choice(WAVE_TRAPS) if rng.random() < 0.15 else rng.randint(*WAVES[scheme])

    def fresh(self, life: Life, prefix: str) -> str:
        """An id that no other of this participant has; other participants may use it."""
        seen = len(life.purchases) + len(life.disbursements) + len(life.complaints)
        return f"{prefix}{seen + sum(e.subject == life.id for e in self.said)}"

    @property
    def now(self) -> int:
        """Somewhere among the clocks of the participants."""
        clocks = [life.clock for life in self.lives if life.enrolled] or [self.started]
        return self.rng.choice(clocks)

    # -- times --

    def happened(self, seconds: int) -> Instant:
        """When an event about this second happened: as is, on an edge, or just when another did."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.72 or not self.said:
            return Instant(seconds, digits_of(rng))
        if roll < 0.84:
            return snapped(rng, seconds)
        if roll < 0.997:
            near = [e.time for e in self.said[-25:] if abs(e.time.seconds - seconds) < 25 * DAY]
            return rng.choice(near or [Instant(seconds)])
        return rng.choice((FAR_PAST, Instant(seconds - 900 * DAY), Instant(seconds + 400 * DAY)))

    def learned(self, at: Instant, late: bool) -> Instant | None:
        """When the programme learned of it: at once, or up to months later."""
        rng = self.rng
        roll = rng.random() * (0.55 if late else 1) + (0.45 if late else 0)
        if roll < 0.58:
            return None
        if roll < 0.65:
            return at
        if roll < 0.68:
            return Instant(at.seconds, at.digits + "0001")
        if roll < 0.78:
            return Instant(at.seconds + rng.randint(1, 2 * DAY), digits_of(rng))
        if roll < 0.86:
            return Instant(at.seconds + rng.randint(1, 9) * DAY, at.digits)
        if roll < 0.998 and at.seconds < FAR_FUTURE.seconds - 500 * DAY:
            later = at.seconds + rng.randint(9, 45 if roll < 0.96 else 150) * DAY
            return snapped(rng, later) if rng.random() < 0.2 else Instant(later)
        return FAR_FUTURE if at < FAR_FUTURE else None

    def settled_times(self, seconds: int, late: bool) -> tuple[Instant, Instant | None]:
        """Both times of an event, the second never before the first."""
        at = self.happened(seconds)
        recorded = self.learned(at, late)
        return at, None if recorded is not None and recorded < at else recorded

    # -- events --

    def event(self, subject: str, fact: Fact, seconds: int) -> Event:
        """A new event with an identity of its own."""
        rng = self.rng
        kind, data = fact
        self.counter += 1
        source = rng.choice(SOURCES)
        name = f"e-{self.counter}"
        roll = rng.random()
        if roll < 0.02:
            name = rng.choice((name + " é", name.ljust(200, "a"), name + "|", name + "\u2028"))
        elif roll < 0.05 and self.said:
            # The same id under another source, or two that are equal when written in one string.
            twin = rng.choice(self.said)
            source, name = f"//other-{self.counter}", twin.id
            if roll < 0.035 and len(twin.id) < 200:
                source, name = twin.source[:-1], twin.source[-1] + twin.id
        late = kind in ("event-voided", "enrolment-corrected") and rng.random() < 0.5
        at, recorded = self.settled_times(seconds, late)
        return Event(source, name, kind, subject, at, recorded, data, kept_attributes(rng))

    def void_of(self, subject: str, wild: bool) -> Fact:
        """The voiding of an event of the subject; (wild) of any event, or of none."""
        rng = self.rng
        pool = [e for e in self.said if e.subject == subject]
        if wild and rng.random() < 0.3:
            pool = self.said
        elif not wild:
            gone = self.voided
            lasting = ("enrolled", "event-voided")
            pool = [e for e in pool if e.kind not in lasting and (e.source, e.id) not in gone]
        target = ("//pmo", "none")
        if pool and not (wild and rng.random() < 0.1):
            # A kind first, so that rare kinds are voided as often as common ones.
            kind = rng.choice(sorted({e.kind for e in pool}))
            event = rng.choice([e for e in pool if e.kind == kind][-6:])
            target = (event.source, event.id)
        words = {"reason": rng.choice(FREE_TEXTS), "authority": rng.choice(FREE_TEXTS)}
        return "event-voided", {"source": target[0], "id": target[1], **words}

    def after_void(self, event: Event) -> None:
        """Remember what was voided, and plan what often follows: the thing again, or about it."""
        target = (event.data["source"], event.data["id"])
        found = [e for e in self.said if (e.source, e.id) == target and e.subject == event.subject]
        if not found or target in self.voided:
            return
        self.voided.add(target)
        gone = found[0]
        for life in self.lives:
            if life.id == gone.subject:
                life.forget(gone.kind, gone.data)
        if self.rng.random() < 0.5:
            self.pending.append((gone.subject, gone.kind, copy.deepcopy(gone.data)))
        if self.rng.random() < 0.5:
            self.pending += [(gone.subject, *fact) for fact in about(self.rng, gone)]

    def life_event(self, wild: bool) -> Event:
        """The next event of a participant: mostly of the one whose clock is furthest behind."""
        rng = self.rng
        life = min(self.lives, key=lambda one: one.clock)
        if rng.random() < 0.3:
            life = rng.choice(self.lives)
        if not life.enrolled and not (wild and rng.random() < 0.3):
            return self.event(life.id, move_enrol(self, life, False), life.clock)
        ways = weighted(life)
        weights = [weight if weight >= 1 else weight * self.unrest for _, weight in ways]
        move = rng.choice(WILD_MOVES) if wild else rng.choices(ways, weights)[0][0]
        fact = move(self, life, wild)
        life.clock += self.pause(fact)
        seconds = life.clock
        if rng.random() < 0.12:
            seconds -= rng.randint(0, 12 if rng.random() < 0.8 else 70) * DAY
        subject = life.id
        if wild and rng.random() < 0.12:
            subject = rng.choice(["nobody", "PK-1", "programme", *(one.id for one in self.lives)])
        return self.event(subject, fact, seconds)

    def pause(self, fact: Fact) -> int:
        """How long after the event before it this one happens."""
        rng = self.rng
        kind, data = fact
        if kind == "disbursement-instructed" and data["instalment"] > 1:
            return rng.randint(8, 31) * DAY + rng.choice((0, 3_600))
        if rng.random() < 0.1:
            return rng.choice((0, 0, 1))
        return int(rng.choice((0.05, 0.5, 2, 3, 5, 12)) * DAY) + rng.randint(0, DAY)

    def package_event(self, wild: bool) -> Event:
        """An offer, a withdrawal, or the voiding of one."""
        rng = self.rng
        package = f"PK-{rng.randint(1, 4)}"
        seconds = self.now - rng.randint(-10, 40) * DAY
        new = package not in self.offers
        if new and (not wild or rng.random() < 0.5):
            return self.event(package, self.offer(), seconds - 10 * DAY)
        if rng.random() < 0.2 and not new:
            return self.event(package, self.void_of(package, wild), seconds)
        if package in self.withdrawn and not wild:
            return self.life_event(False) if self.lives else self.programme_event(False)
        if wild and rng.random() < 0.4:
            return self.event(package, self.offer(), seconds)
        data = {"reason": rng.choice(FREE_TEXTS)} if rng.random() < 0.5 else {}
        return self.event(package, ("package-withdrawn", data), seconds)

    def offer(self) -> Fact:
        """The offer of a package of one course or more."""
        rng = self.rng
        size = rng.choice([n for n in (1, 2, 2, 3, 5) if n <= self.breadth])
        return "package-offered", {
            "platform": rng.choice(PLATFORMS),
            "price": rng.choice(PRICES),
            "courses": course_list(self, size),
        }

    def programme_event(self, wild: bool) -> Event:
        """A hold, a resumption, a stop of package sales, or the voiding of one."""
        rng = self.rng
        seconds = self.now - rng.randint(-5, 25) * DAY
        roll = rng.random()
        fact: Fact
        if roll < 0.2 and any(e.subject == "programme" for e in self.said):
            fact = self.void_of("programme", wild)
        elif roll < 0.5:
            fact = ("package-sales-stopped", self.stop(seconds))
        elif self.held != wild:
            fact = ("payments-resumed", {})
        else:
            fact = ("payments-held", {"reason": rng.choice(FREE_TEXTS)})
        return self.event("programme", fact, seconds)

    def stop(self, seconds: int) -> Data:
        """A stop that takes effect near its own date, for some of the platforms."""
        rng = self.rng
        effective = wib_date(seconds) + timedelta(days=rng.randint(-30, 15))
        day = "2020-06-30" if rng.random() < 0.3 else effective.isoformat()
        platforms = rng.sample(PLATFORMS, rng.randint(1, len(PLATFORMS)))
        notice = rng.choice(("S-148/Dir-Eks/06/2020", "S-2", "S-10"))
        return {"notice": notice, "effective": day, "platforms": platforms}

    def planned(self) -> Event:
        """What follows a void: the thing that was voided again, or something that refers to it."""
        subject, kind, data = self.pending.pop(self.rng.randrange(len(self.pending)))
        if kind in ("training-purchased", "disbursement-instructed", "complaint-filed"):
            key = {"t": "purchase", "d": "disbursement", "c": "complaint"}[kind[0]]
            if self.rng.random() < 0.6:
                data[key] += "'"
        if kind == "disbursement-settled" and self.rng.random() < 0.5:
            data["reference"] += "'"
        clocks = [life.clock for life in self.lives if life.id == subject] or [self.now]
        return self.event(subject, (kind, data), clocks[0] + self.rng.randint(0, 3 * DAY))

    def next_event(self, wild: bool) -> Event:
        """The next event of anyone."""
        rng = self.rng
        roll = rng.random()
        if self.pending and roll < 0.25:
            return self.planned()
        if roll > 0.97 or not self.lives:
            return self.programme_event(wild)
        if roll > 0.93 or (roll > 0.8 and not self.offers):
            return self.package_event(wild)
        return self.life_event(wild)

    # -- lines --

    def write(self, event: Event) -> None:
        """Write an event, and follow it."""
        self.lines.append(dump(self.rng, event.spelt(self.rng)))
        self.said.append(event)
        if event.kind == "event-voided":
            self.after_void(event)
        elif event.kind == "package-offered":
            self.offers.setdefault(event.subject, event.data)
        elif event.kind == "package-withdrawn":
            self.withdrawn.add(event.subject)
        elif event.kind in ("payments-held", "payments-resumed"):
            self.held = event.kind == "payments-held"
        for life in self.lives:
            if life.id == event.subject:
                life.believe(event.kind, event.data)

    def say(self) -> None:
        """One event, now and then a wild one, or one that was put off or turned away before."""
        rng = self.rng
        if self.deferred and rng.random() < 0.03:
            self.write(self.deferred.pop(rng.randrange(len(self.deferred))))
            return
        wild = rng.random() < self.chaos
        event = self.next_event(wild)
        if rng.random() < 0.015:
            self.deferred.append(event)
            return
        self.write(event)
        if wild and rng.random() < 0.3:
            self.deferred.append(event)

    def repeat(self) -> None:
        """An event again, the same but for what does not count."""
        event = copy.deepcopy(self.rng.choice(self.said))
        event.recorded = self.learned(event.time, False)
        if event.recorded is not None and event.recorded < event.time:
            event.recorded = None
        event.extras = kept_attributes(self.rng)
        self.lines.append(dump(self.rng, event.spelt(self.rng)))

    def spoil(self) -> None:
        """A broken line, made of an event said before or of one about to be said."""
        rng = self.rng
        if rng.random() < 0.15:
            self.write(self.next_event(True))
            return
        if rng.random() < 0.6:
            self.lines.append(broken_line(rng, rng.choice(self.said)))
            return
        event = self.next_event(False)
        self.lines.append(broken_line(rng, event))
        if rng.random() < 0.8:
            self.write(event)
        else:
            self.deferred.append(event)


def about(rng: random.Random, gone: Event) -> list[Fact]:
    """Events that refer to a voided one."""
    data, kind = gone.data, gone.kind
    if kind == "training-purchased":
        course = rng.choice(data["courses"])["course"]
        return [
            ("course-completed", {"course": course}),
            ("purchase-refunded", {"purchase": data["purchase"], "amount": 1}),
        ]
    if kind == "course-completed":
        certificate = {"course": data["course"], "certificate": "SA-LATE"}
        return [("certificate-issued", certificate)]
    if kind == "account-linked":
        after = rng.choice(("account-verified", "account-unlinked"))
        return [(after, {"account": data["account"]})]
    if kind == "disbursement-instructed":
        settled = {"disbursement": data["disbursement"], "reference": "R-V"}
        return [("disbursement-settled", settled)]
    if kind in ("disbursement-settled", "disbursement-failed"):
        late = {"disbursement": data["disbursement"], "reason": rng.choice(REASONS)}
        return [(rng.choice(("disbursement-returned", "disbursement-failed")), late)]
    if kind == "complaint-filed":
        return [("complaint-resolved", {"complaint": data["complaint"], "outcome": "explained"})]
    follow: dict[str, Fact] = {
        "package-offered": ("package-withdrawn", {}),
        "payments-held": ("payments-resumed", {}),
        "participation-revoked": ("participation-reinstated", {"reason": "x"}),
    }
    return [follow[kind]] if kind in follow else []


# --- broken lines --------------------------------------------------------------------------------

LONE = ("\ud800", "\udfff", "a\udc00b")
BAD_NUMBERS = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e309", "1.7976931348623159e308",
    "1" + "0" * 309, "1" + "0" * 5_000, str(2**1024 - 2**970), "01", "+1", ".5", "1.", "0x1F",
    "-", "1e", "--1", "nan", "True", "undefined", "1_000",
)  # fmt: skip
BAD_LINES = (
    b"[]", b"[{}]", b"1", b'"text"', b"null", b"true", b"{", b"}", b"{}{}", b"{},", b"{'id':1}",
    b"{} //", b"\xef\xbb\xbf{}", b"\xef\xbb\xbf", b"\x0b", b"\xc2\xa0", b"\x00", b"\x1e{}", b"\xff",
    b'{"a":"\\x41"}', b'{"a":"\\u12"}', b'{"a":"\t"}', b'{"a":"\x00"}', b"{a:1}", b"{\x0c}",
    b'{"a" 1}', b'{"a":}', b'{,}', b'{"a":1,,"b":2}', b'{"id":"x"',
)  # fmt: skip


def deep(levels: int, objects: bool) -> str:
    """A value of so many levels, as raw JSON."""
    if objects:
        return raw('{"a":' * (levels - 1) + "{}" + "}" * (levels - 1))
    return raw("[" * levels + "]" * levels)


def spoil_bytes(rng: random.Random, line: bytes) -> bytes:
    """A line that is not one JSON object any more, by a change of its bytes."""
    line = line.strip()
    middle = rng.randrange(1, max(2, len(line) - 1))
    ways: list[Callable[[], bytes]] = [
        lambda: b"\xef\xbb\xbf" + line,
        lambda: line[:middle],
        lambda: line + line,
        lambda: line + b"," + line,
        lambda: line[:-1] + b",}",
        lambda: b"[" + line + b"]",
        lambda: line[:-1],
        lambda: line + b"}",
        lambda: line.replace(b'"subject"', b'"subject\xff"', 1),
        lambda: line[:-1] + b',"x1":"\xed\xa0\x80"}',
        lambda: line[:-1] + b',"x1":"\xc0\xaf"}',
        lambda: line[:-1] + b',"x1":"\xf4\x90\x80\x80"}',
        lambda: line[:-1] + b',"x1":"a\tb"}',
        lambda: line[:-1] + b',"specversion":"1.0"}',
        lambda: line[:-1] + b',"x1":{"a":1,"a":1}}',
        lambda: line[:-1] + b',"x1":[{"b":[{"a":1,"\\u0061":2}]}]}',
        lambda: line.replace(b'"data":{', b'"data":{"k":1,"k":1,', 1),
        lambda: b'{"x1":1,"x1":null,' + line[1:],
        lambda: b"\xc2\xa0" + line,
        lambda: line + b"\x00",
        lambda: b"\x0c" + line,
        lambda: line.replace(b'"', b"'"),
        lambda: line + b" // note",
        lambda: line.decode("utf-8", "replace").encode("utf-16"),
    ]
    return rng.choice(ways)()


def padded(rng: random.Random, line: bytes) -> bytes:
    """A line at the limit of length, or just over it, counting a CR."""
    line = line.strip()
    size = LINE_MAX + rng.choice((0, 1))
    if rng.random() < 0.5:
        return line.ljust(size - 1) + rng.choice((b"\r", b" "))
    room = size - len(line) - len(b',"x1":""')
    return line[:-1] + b',"x1":"' + b"a" * room + b'"}'


def not_json(rng: random.Random, spelt: Data) -> bytes:
    """A line for NOT_JSON (some, at the edge, for nothing worse than its depth or its length)."""
    roll = rng.random()
    if roll < 0.2:
        return rng.choice(BAD_LINES)
    if roll < 0.55:
        return spoil_bytes(rng, dump(rng, spelt))
    if roll < 0.56:
        return padded(rng, dump(rng, spelt))
    if roll < 0.68:
        levels = rng.choice((63, 63, 64, 64, 65, 100, 2_000, 20_000))
        place = spelt["data"] if rng.random() < 0.2 else spelt
        place[rng.choice(("x1", "x2"))] = deep(levels, rng.random() < 0.5)
    elif roll < 0.88:
        place = spelt["data"] if rng.random() < 0.4 and spelt["data"] else spelt
        name = rng.choice([*place, "x1"]) if place is not spelt else "x1"
        bad: Any = raw(rng.choice(BAD_NUMBERS))
        place[name] = [bad] if rng.random() < 0.2 else bad
    else:
        surrogate = raw('"' + rng.choice(LONE).encode("unicode_escape").decode() + '"')
        spelt[rng.choice(("id", "subject", "x1", "type", "source"))] = surrogate
    return dump(rng, spelt)


REQUIRED = ("specversion", "id", "source", "type", "subject", "time", "data")
UNKNOWN_NAMES = (
    "foo", "X1", "x-1", "x_1", "xA", "xé", "x" + "a" * 20, "Id", "", "x", "time ", "recordedTime",
    "recorded_time", "x 1", "data_base64", "schemaurl", "x１",
)  # fmt: skip


def not_cloudevent(rng: random.Random, spelt: Data) -> bytes:
    """A line for NOT_CLOUDEVENT (two, at the edge, for nothing)."""
    way = rng.randrange(6)
    if way == 0:
        del spelt[rng.choice(REQUIRED)]
    elif way == 1:
        spelt[rng.choice(UNKNOWN_NAMES)] = rng.choice(("", None, 1, {}))
    elif way == 2:
        spelt[rng.choice((*REQUIRED, "recordedtime"))] = None
    elif way == 3:
        wrong: tuple[Any, ...] = (1, True, [], 1.0, {}, ["1.0"])
        spelt[rng.choice((*REQUIRED[:-1], "recordedtime"))] = rng.choice(wrong)
        if rng.random() < 0.2:
            spelt["data"] = rng.choice(("{}", [], 1, [{}], False))
    elif way == 4:
        texts = ("", "a" * 201, "𝓐" * 201, "é" * 201, "𝓐" * 200, "a" * 10_000)
        spelt[rng.choice(("id", "source", "subject"))] = rng.choice(texts)
    else:
        spelt["specversion"] = rng.choice(("0.3", "1", "", "1.0 ", "1.1", "１.0", 1.0))
    return rng.choice((b"{}", b" { } ")) if rng.random() < 0.03 else dump(rng, spelt)


def unknown_type(rng: random.Random, spelt: Data) -> bytes:
    """A line for UNKNOWN_TYPE."""
    kind = spelt["type"]
    spelt["type"] = rng.choice((
        kind[:-1] + "2", kind + " ", kind.upper(), kind[9:], kind[:-3], "", "a" * 300, "enrolled",
        "prakerja.course-rated.v01", kind.replace("-", "_") + "_", "prakerja.enroled.v1",
        "prakerja..v1",
    ))  # fmt: skip
    return dump(rng, spelt)


def spoilt_value(rng: random.Random, name: str, value: Any) -> Any:
    """A value of the wrong kind, range or enumeration, for a field that held `value`."""
    anything: tuple[Any, ...] = (None, [], {}, [value], {"value": value}, True)
    if rng.random() < 0.12:
        return rng.choice(anything)
    if isinstance(value, bool):
        return rng.choice((0, 1, "true", None))
    if isinstance(value, int):
        return rng.choice((
            float(value), str(value), bool(value), value + 0.5, -1, 0, 6, 101, 2**53, -(2**53),
            2**63, 10**30, raw(f"{value}e0"), raw(f"{value}.0"), raw(f"{value}E+00"), raw("-0"),
            raw("-0.0"), raw("1" + "0" * 308), raw(str(INT_MAX)), raw(str(INT_MAX + 1)),
        ))  # fmt: skip
    if isinstance(value, list):
        twice = value + value[:1]
        return rng.choice(([*()], twice, {}, None, "", [None], 1, [*value, 1], [[]]))
    if name == "effective":
        return rng.choice((
            "2020-02-30", "2021-02-29", "2020-2-3", "20200203", "2020-06-30T00:00:00+07:00", "",
            "0000-01-01", "2020-W01-1", "２０２０-06-30", "2020-13-01", " 2020-06-30",
            "10000-01-01", "2020-00-10", 20200630, "2020/06/30", "-2020-01-01", "2020-06-30Z",
        ))  # fmt: skip
    texts = ("", "a" * 201, "𝓐" * 201, 1, 0, ["a"], f"{value}".upper() + "X", f"{value} ", 1.5)
    return rng.choice(texts)


def spoil_data(rng: random.Random, data: Data) -> None:
    """Break one field of the data: drop it, add to it, empty it, or change its kind or value."""
    lists = [v for v in data.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    if lists and rng.random() < 0.4:
        entry = rng.choice(lists[0])
        if isinstance(entry, dict) and entry:
            spoil_data(rng, entry)
            return
    names = sorted(data)
    roll = rng.random()
    if roll < 0.18 or not names:
        extra = rng.choice(("note", "amount", "course", "", "Account", "score", "package"))
        data[extra] = rng.choice((None, 1, "x", []))
    elif roll < 0.36:
        del data[rng.choice(names)]
    else:
        name = rng.choice(names)
        if roll < 0.45 and name in ENUMERATIONS:
            data[name] = rng.choice(("PRAKERJA", "Ovo", "x", "", "none", None))
        else:
            data[name] = spoilt_value(rng, name, data[name])


def spoil_time(rng: random.Random, spelt: Data, event: Event) -> None:
    """Break `time` or `recordedtime`."""
    good = "2020-06-30T10:00:00+07:00"
    day = "2020-06-30"
    bad = rng.choice((
        good.replace("T", " "), f"{day}T10:00:60+07:00", f"{day}T24:00:00+07:00",
        f"{day}T10:00:00", f"{day}T10:00:00+24:00", f"{day}T10:00:00+07:60", f"{day}T10:00:00+0700",
        f"{day}T10:00:00+07",
        "0000-06-30T10:00:00+07:00", "0001-01-01T00:00:00+07:01", "0001-01-01T06:59:59.9+14:00",
        "9999-12-31T23:59:59-05:00", "9999-12-31T17:00:00Z", "10000-01-01T00:00:00+07:00",
        f"{day}T10:00:00,5+07:00", f"{day}T10:00:00.+07:00", good + " ", " " + good, day, "",
        "2020-13-01T10:00:00+07:00", "2020-02-30T10:00:00Z", "2021-02-29T10:00:00Z",
        f"{day}T10:00Z",
        f"{day}T1:00:00Z", "２０２０-06-30T10:00:00Z", f"{day}T10:60:00Z", f"{day}T10:00:00 Z",
        f"{day}T10:00:00.٥Z", f"{day}T10:00:00UTC", "20200630T100000Z",
        f"{day}T10:00:00\u221207:00",
        f"{day}T10:00:00." + "0" * 180 + "1Z", f"{day}T10:00:00+07:00:00",
        good + "Z", "now",
        f"{day}T10:00:61.5Z", "2020-06-31T00:00:00Z", "2020-00-01T00:00:00Z", f"{day}t10:00:00zz",
        f"{day}T10:00:00.5.5Z", f"{day}T-1:00:00Z", f"{day}T10:00:00\n",
        f"{day}T10:00:00Z\n",
    ))  # fmt: skip
    roll = rng.random()
    if roll < 0.35:
        spelt["time"] = bad
    elif roll < 0.6:
        spelt["recordedtime"] = bad
    else:
        before = rng.choice((1, 1, DAY, 40 * DAY))
        earlier = Instant(event.time.seconds - before, "9" * 20)
        if event.time.digits and rng.random() < 0.5:
            earlier = Instant(event.time.seconds, "")
        if event.time != FAR_PAST:
            spelt["recordedtime"] = stamp(rng, earlier)


def invalid_data(rng: random.Random, spelt: Data, event: Event) -> bytes:
    """A line for INVALID_DATA, unless what was broken was optional."""
    roll = rng.random()
    if roll < 0.3:
        spoil_time(rng, spelt, event)
    elif roll < 0.34:
        kind = rng.choice(("payments-held", "payments-resumed", "package-sales-stopped"))
        subject = rng.choice(("Programme", "P-1", "PK-1"))
        spelt |= {"type": f"prakerja.{kind}.v1", "subject": subject}
        spelt["data"] = {"reason": "x"} if kind == "payments-held" else {}
    elif roll < 0.38:
        spelt["type"] = "prakerja.course-rated.v1"
        rating = rng.choice(({}, {"instructor": 0}, {"facilities": 6}, {"programme": None}))
        spelt["data"] = {"course": "C-1", "reviewed": True, **rating}
    else:
        spoil_data(rng, spelt["data"])
    return dump(rng, spelt)


def conflicting(rng: random.Random, spelt: Data, event: Event) -> bytes:
    """The same source and id with other content, by ever so little."""
    way = rng.randrange(5)
    data = spelt["data"]
    plain = {k: v for k, v in data.items() if isinstance(v, str) and not v.startswith(RAW_OPEN)}
    texts = [k for k in plain if k not in ENUMERATIONS]
    numbers = [k for k, v in data.items() if type(v) is int and v > 1]
    courses = data.get("courses")
    if way == 0 and event.time != FAR_FUTURE:
        finer = event.time.digits + rng.choice(("1", "0" * 20 + "1"))
        spelt["time"] = stamp(rng, Instant(event.time.seconds, finer))
        spelt.pop("recordedtime", None)
    elif way == 1:
        spelt["subject"] = rng.choice(("nobody", "P-1", "p-1", "e\u0301", "é", "programme"))
    elif way == 2 and isinstance(courses, list) and len(courses) > 1:
        courses.reverse()
    elif way == 3 and numbers:
        data[rng.choice(numbers)] -= 1
    elif texts:
        name = rng.choice(texts)
        data[name] = data[name] + "1" if len(data[name]) < 200 else "x"
    else:
        spelt["type"] = "prakerja.payments-resumed.v1"
        spelt |= {"subject": "programme", "data": {}}
    return dump(rng, spelt)


def broken_line(rng: random.Random, event: Event) -> bytes:
    """An event as a line with a fault in it, or two: then the first of the codes applies."""
    spelt = event.spelt(rng)
    if rng.random() < 0.4:
        spelt["id"] = f"bad-{rng.randrange(1_000)}"
    if rng.random() < 0.12:
        spoil_data(rng, spelt["data"])
    if rng.random() < 0.05:
        spelt["type"] = "prakerja.unknown.v1"
    roll = rng.random()
    if roll < 0.24:
        return not_json(rng, spelt)
    if roll < 0.44:
        return not_cloudevent(rng, spelt)
    if roll < 0.52:
        return unknown_type(rng, spelt)
    if roll < 0.8:
        return invalid_data(rng, spelt, event)
    return conflicting(rng, spelt | {"id": event.id}, event)


# --- what tests call ------------------------------------------------------------------------------

BLANK_LINES = (b"", b"", b" ", b"\t", b"\r", b" \t\r")


def history(
    seed: int,
    *,
    participants: int = 5,
    events: int = 180,
    broken: float = 0.06,
    duplicates: float = 0.03,
    chaos: float = 0.15,
) -> list[bytes]:
    """The lines of a small random history, without their LF; the same for the same arguments.

    `events` is the number of non-blank lines, broken ones and repeats among them. `broken` and
    `duplicates` are shares of these lines; `chaos` is the share of events that are well-formed
    but free to break a rule (not each of them does).
    """
    world = World(random.Random(seed), participants, chaos)
    rng = world.rng
    written = 0
    for _ in range(rng.randint(0, 3)):
        world.write(world.package_event(False))
    lines: list[bytes] = []
    while written < events:
        roll = rng.random()
        if roll < broken and world.said:
            world.spoil()
        elif roll < broken + duplicates and world.said:
            world.repeat()
        else:
            world.say()
        new = world.lines[: events - written]
        written += len(new)
        lines += new
        world.lines.clear()
        if rng.random() < 0.02:
            lines.append(rng.choice(BLANK_LINES))
    return lines


def known_times(lines: Iterable[bytes]) -> tuple[list[Fraction], list[Fraction]]:
    """The readable `time`s and `recordedtime`s of a history, in seconds since 1970 UTC."""
    happened: list[Fraction] = []
    recorded: list[Fraction] = []
    for line in lines:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            happened += readable(found.get("time"))
            recorded += readable(found.get("recordedtime", found.get("time")))
    return happened, recorded


def readable(text: object) -> list[Fraction]:
    """The instant a well-formed timestamp names, in a list; an empty list for any other value."""
    if not isinstance(text, str) or not text.isascii() or not 20 <= len(text) <= 200:
        return []
    offset = text[-1:] if text[-1:] in "zZ" else text[-6:]
    body, _, digits = text[: -len(offset)].upper().partition(".")
    try:
        base = int((datetime.strptime(body, "%Y-%m-%dT%H:%M:%S") - EPOCH).total_seconds())
        seconds = Fraction(base - offset_seconds(offset))
        return [seconds + Fraction(int(digits), 10 ** len(digits)) if digits else seconds]
    except ValueError:
        return []


def instant_text(rng: random.Random, at: Fraction) -> str:
    """An instant as an argument of a command; its fraction is finite in decimals."""
    seconds = at.numerator // at.denominator
    rest, digits = at - seconds, ""
    while rest:
        rest *= 10
        digits += str(int(rest))
        rest -= int(rest)
    return stamp(rng, Instant(seconds, digits))


def some_day(rng: random.Random, happened: Sequence[Fraction]) -> date:
    """A date that is interesting for such times: one of theirs, a month's end, a cut-off, ±1."""
    at = rng.choice(happened)
    own = wib_date(at.numerator // at.denominator)
    cut_offs = [d for d in map(date.fromisoformat, SPECIAL_DAYS) if abs(d - own).days < 90]
    roll = rng.random()
    if roll < 0.25 and cut_offs:
        own = rng.choice(cut_offs)
    elif roll < 0.4:
        own = own.replace(day=1) - timedelta(days=1)
    elif roll < 0.55:
        return own + timedelta(days=rng.randint(2, 60))
    return own + timedelta(days=rng.choice((-1, 0, 0, 1)))


def views(seed: int, lines: Iterable[bytes]) -> list[tuple[str, str | None]]:
    """Some pairs (as of, known at) at which a reading of these lines is likely to go wrong.

    `known_at` is None (open), a date, or an RFC 3339 instant: that of a line, or a microsecond
    before or after it. The last pair lies after most of the events, K open.
    """
    rng = random.Random(seed)
    low, high = midnight("2019-06-01"), midnight("2028-12-31")
    happened, recorded = (
        sorted(t for t in times if low <= t <= high) or [Fraction(midnight("2020-07-02"))]
        for times in known_times(lines)
    )
    found: list[tuple[str, str | None]] = []
    for _ in range(rng.randint(4, 7)):
        roll, known_at = rng.random(), None
        if roll > 0.35:
            known_at = some_day(rng, recorded).isoformat()
        if roll > 0.6:
            micro = Fraction(rng.choice((-1, 0, 0, 1)), 1_000_000)
            known_at = instant_text(rng, rng.choice(recorded) + micro)
        found.append((some_day(rng, happened).isoformat(), known_at))
    last = happened[int(len(happened) * 0.9)]
    after = wib_date(last.numerator // last.denominator) + timedelta(days=rng.randint(1, 120))
    return [*found, (after.isoformat(), None)]


def main() -> None:
    """Write one history to standard output."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("seed", type=int, metavar="SEED")
    parser.add_argument("--participants", type=int, default=5, metavar="N")
    parser.add_argument("--events", type=int, default=180, metavar="N")
    asked = parser.parse_args()
    lines = history(asked.seed, participants=asked.participants, events=asked.events)
    sys.stdout.buffer.writelines(line + b"\n" for line in lines)


if __name__ == "__main__":
    main()
