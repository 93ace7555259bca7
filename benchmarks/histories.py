"""Large legal histories in history format 1, written fast, for benchmarks.

About 15 events a participant: mostly the life of one who is paid, with a small share of failures,
returns, refunds, packages, revocations and complaints. Every line is legal: `check` quarantines
none. The same arguments give the same bytes.

`python benchmarks/histories.py --participants N --order time|participant --output FILE`
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

COHORT = 10_000
FIRST_DAY = date(2020, 4, 11)
DAYS = tuple((FIRST_DAY + timedelta(days=n)).isoformat() for n in range(600))
CLOCKS = tuple(f"T{7 + n // 60:02}:{n % 60:02}:{n * 37 % 60:02}+07:00" for n in range(14 * 60))
STOP_DAY = (date(2020, 6, 30) - FIRST_DAY).days
HOLD_DAY = (date(2020, 6, 9) - FIRST_DAY).days
RESUME_DAY = (date(2020, 6, 26) - FIRST_DAY).days
WAVE_DAYS = 14

PMO = "//prakerja.go.id"
BNI = "//bni.co.id"
# platform, source of its events, prefix of its courses
PLATFORMS = (
    ("skill-academy", "//skillacademy.com", "SA"),
    ("sisnaker", "//sisnaker.kemnaker.go.id", "SN"),
    ("tokopedia", "//tokopedia.com", "TP"),
    ("bukalapak", "//bukalapak.com", "BL"),
    ("pintaria", "//pintaria.com", "PT"),
    ("sekolahmu", "//sekolah.mu", "SM"),
    ("pijar-mahir", "//pijarmahir.id", "PM"),
    ("maubelajarapa", "//maubelajarapa.com", "MB"),
)
PARTNERS = (
    ("ovo", "//ovo.id"),
    ("gopay", "//gopay.co.id"),
    ("linkaja", "//linkaja.id"),
    ("bni", BNI),
)
PRICES = (150_000, 168_000, 200_000, 300_000, 400_000, 500_000, 750_000, 1_000_000)
FAILURES = ("account-not-found", "not-kyc", "nik-mismatch", "phone-changed", "technical", "unknown")
PACKAGES = tuple(f"PKT-{n:03}" for n in range(1, 7))


def course_json(prefix: str, number: int) -> str:
    """One entry of a list of courses."""
    return f'{{"course":"{prefix}-{number:04}","institution":"LP-{number % 228:03}"}}'


def package_courses(number: int) -> str:
    """The four courses of a package, as JSON."""
    first = 9_000 + 10 * number
    return ",".join(course_json("SA", n) for n in range(first, first + 4))


def line(source: str, name: str, kind: str, subject: str, stamps: str, data: str) -> str:
    """One event; `stamps` is its time, or both times, as members of the object."""
    return (
        f'{{"specversion":"1.0","id":"{name}","source":"{source}","type":"prakerja.{kind}.v1",'
        f'"subject":"{subject}","time":"{stamps}","data":{{{data}}}}}\n'
    )


def programme_lines() -> list[tuple[int, str]]:
    """The day and the line of each event of the programme: a hold, its end, and a stop."""
    platforms = ",".join(f'"{name}"' for name, _, _ in PLATFORMS)
    facts = (
        (HOLD_DAY, "payments-held", '"reason":"evaluation by the Committee"'),
        (RESUME_DAY, "payments-resumed", ""),
        (
            STOP_DAY,
            "package-sales-stopped",
            '"notice":"S-148/Dir-Eks/06/2020","effective":"2020-06-30",'
            f'"platforms":[{platforms}]',
        ),
    )
    return [
        (day, line(PMO, f"prog-{n}", kind, "programme", DAYS[day] + CLOCKS[120], data))
        for n, (day, kind, data) in enumerate(facts, 1)
    ]


def package_lines() -> list[str]:
    """The offers of the packages, on the first day."""
    return [
        line(
            "//skillacademy.com", f"pkg-{n}", "package-offered", package, DAYS[0] + CLOCKS[n],
            f'"platform":"skill-academy","price":1000000,"courses":[{package_courses(n)}]',
        )
        for n, package in enumerate(PACKAGES)
    ]  # fmt: skip


class Lives:
    """Puts the lives of participants, one after another, on piles: one for each day of recording.

    Within one life that day never falls, so the piles, read in order, are legal: what an event
    refers to stands before it.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed).random
        self.subject = ""
        self.prefix = ""
        self.count = 0
        self.filed = 0
        self.sent = 0
        self.answered = 0
        self.piles: list[list[str]] = []

    def add(self, kind: str, source: str, day: int, data: str) -> None:
        """One event on a day; a third of them recorded days later, a few of these weeks later."""
        roll = self.random()
        self.count = count = self.count + 1
        clock = CLOCKS[int(roll * 420) + min(count, 20) * 20]
        text = DAYS[day] + clock
        recorded = day
        if roll < 0.33:
            recorded = day + (1 + int(roll * 12) if roll > 0.02 else 14 + int(roll * 1000))
            text += f'","recordedtime":"{DAYS[recorded]}{clock}'
        if recorded > self.filed:
            self.filed = recorded
        self.piles[self.filed].append(
            f'{{"specversion":"1.0","id":"{self.prefix}{count:02}","source":"{source}",'
            f'"type":"prakerja.{kind}.v1","subject":"{self.subject}",'
            f'"time":"{text}","data":{{{data}}}}}\n'
        )

    def life(self, number: int) -> None:
        """Everything that happened to one participant."""
        self.subject = f"P-{number:08}"
        self.prefix = f"e-{number:08}-"
        self.count = self.filed = self.sent = self.answered = 0
        wave = 1 + (number // COHORT) % 11
        day = (wave - 1) * WAVE_DAYS + int(self.random() * 4)
        self.add("enrolled", PMO, day, f'"wave":{wave},"scheme":"semi-bansos-2020"')
        if self.random() < 0.03:
            self.add("participation-revoked", PMO, day + 31, '"reason":"no-first-purchase"')
            return
        day += 1 + int(self.random() * 5)
        account, provider = self.account(number, day)
        day += 2
        courses, prefix, source = self.purchase(number, day)
        for course in courses:
            day += 3 + int(self.random() * 9)
            self.study(f"{prefix}-{course:04}", source, day)
        if self.random() < 0.95:
            self.payments(day + 4, provider, account)

    def account(self, number: int, day: int) -> tuple[str, str]:
        """Link an account; most are verified. Gives its token and its provider."""
        provider, source = PARTNERS[int(self.random() * 4)]
        account = f"acct-{number:08}"
        self.add("account-linked", source, day, f'"provider":"{provider}","account":"{account}"')
        roll = self.random()
        if roll < 0.02:
            reason = FAILURES[int(roll * 300)]
            self.add("account-rejected", source, day, f'"account":"{account}","reason":"{reason}"')
        if roll < 0.97:
            self.add("account-verified", source, day + 1, f'"account":"{account}"')
        return account, provider

    def purchase(self, number: int, day: int) -> tuple[list[int], str, str]:
        """Buy a course, or a package before its stop. Gives what is studied, prefix and source."""
        roll = self.random()
        name, source, prefix = PLATFORMS[min(7, int(roll * roll * 9))]
        if name == "skill-academy" and day < STOP_DAY and roll < 0.15:
            which = number % len(PACKAGES)
            self.buy("U1", name, source, 1_000_000, package_courses(which), PACKAGES[which], day)
            first = 9_000 + 10 * which
            return [first, first + 1], prefix, source
        course = int(self.random() * 1_900)
        price = PRICES[course % 8]
        self.buy("U1", name, source, price, course_json(prefix, course), "", day)
        if self.random() > 0.12 or price > 500_000:
            return [course], prefix, source
        second = 1_900 + course
        self.buy("U2", name, source, 300_000, course_json(prefix, second), "", day + 1)
        if self.random() < 0.08:
            self.add("purchase-refunded", source, day + 2, '"purchase":"U2","amount":300000')
            return [course], prefix, source
        return [course, second], prefix, source

    def buy(
        self,
        purchase: str,
        name: str,
        source: str,
        price: int,
        courses: str,
        package: str,
        day: int,
    ) -> None:
        """One purchase."""
        within = f',"package":"{package}"' if package else ""
        self.add(
            "training-purchased",
            source,
            day,
            f'"purchase":"{purchase}","platform":"{name}","price":{price},"method":"prakerja",'
            f'"courses":[{courses}]{within}',
        )

    def study(self, course: str, source: str, day: int) -> None:
        """Finish, certify and rate one course."""
        score = 60 + int(self.random() * 41)
        self.add("course-completed", source, day, f'"course":"{course}","score":{score}')
        self.add(
            "certificate-issued",
            source,
            day + 1,
            f'"course":"{course}","certificate":"{self.subject}/{course}/2020"',
        )
        stars = 3 + score % 3
        self.add(
            "course-rated",
            source,
            day + 2,
            f'"course":"{course}","instructor":{stars},"facilities":4,"programme":5,'
            '"reviewed":true',
        )

    def payments(self, day: int, provider: str, account: str) -> None:
        """The instalments, month by month, and a survey after some of them."""
        months = 1 + int(self.random() * 4)
        for instalment in range(1, months + 1):
            self.transfer("post-training", instalment, 600_000, day, provider, account)
            if instalment <= 3 and self.random() < 0.4:
                self.survey(day + 6, provider, account)
            day += 30
        if self.random() < 0.01:
            self.add("participation-revoked", PMO, day, '"reason":"ineligible"')

    def survey(self, day: int, provider: str, account: str) -> None:
        """The next survey, and its money."""
        self.answered += 1
        self.add("survey-submitted", PMO, day, f'"survey":{self.answered}')
        self.transfer("survey", self.answered, 50_000, day + 3, provider, account)

    def transfer(
        self, component: str, instalment: int, amount: int, day: int, provider: str, account: str
    ) -> None:
        """Instruct and settle; a few fail first and are tried again, a few come back."""
        roll = self.random()
        if roll < 0.03:
            failed = self.instruct(component, instalment, amount, day, provider, account)
            reason = FAILURES[int(roll * 200)]
            data = f'"disbursement":"{failed}","reason":"{reason}"'
            self.add("disbursement-failed", BNI, day + 1, data)
            day += 7
        if roll < 0.005:
            return
        name = self.instruct(component, instalment, amount, day, provider, account)
        reference = f"BNI{self.subject[2:]}{self.sent:03}"
        data = f'"disbursement":"{name}","amount":{amount},"reference":"{reference}"'
        self.add("disbursement-settled", BNI, day + 1, data)
        if roll > 0.99:
            data = f'"disbursement":"{name}","reason":"account-closed"'
            self.add("disbursement-returned", BNI, day + 3, data)

    def instruct(
        self, component: str, instalment: int, amount: int, day: int, provider: str, account: str
    ) -> str:
        """One instruction; gives its id."""
        self.sent += 1
        name = f"D{self.sent}"
        self.add(
            "disbursement-instructed",
            PMO,
            day,
            f'"disbursement":"{name}","component":"{component}","instalment":{instalment},'
            f'"amount":{amount},"provider":"{provider}","account":"{account}"',
        )
        return name


def pieces(participants: int, order: str, seed: int) -> Iterator[list[str]]:
    """The lines of a history, some thousands at a time."""
    lives = Lives(seed)
    yield package_lines()
    for first in range(0, participants, COHORT):
        # In participant order every day has one pile in common: lines stay as they were made.
        pile: list[str] = []
        piles = [[] for _ in DAYS] if order == "time" else [pile] * len(DAYS)
        if first == 0:
            for day, text in programme_lines():
                piles[day].append(text)
        lives.piles = piles
        for number in range(first, min(first + COHORT, participants)):
            lives.life(number)
        yield from piles if order == "time" else [pile]


def write(path: Path | str, participants: int, order: str = "time", seed: int = 0) -> int:
    """Write a history and give its number of events.

    Order "time" interleaves the participants of each cohort of 10,000 by the day on which their
    events were recorded, as a live log would; "participant" keeps each one's events together.
    Raises ValueError for another order.
    """
    if order not in ("time", "participant"):
        raise ValueError(f"order is {order!r}; it must be 'time' or 'participant'")
    events = 0
    with open(path, "wb", buffering=1 << 20) as output:
        for lines in pieces(participants, order, seed):
            events += len(lines)
            output.write("".join(lines).encode())
    return events


def main() -> None:
    """Write a history and say how long it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--participants", type=int, required=True, metavar="N")
    parser.add_argument("--order", choices=("time", "participant"), default="time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    asked = parser.parse_args()
    began = time.perf_counter()
    events = write(asked.output, asked.participants, asked.order, asked.seed)
    seconds = time.perf_counter() - began
    print(f"{events} events in {seconds:.1f} s, {events / seconds:,.0f} a second", file=sys.stderr)


if __name__ == "__main__":
    main()
