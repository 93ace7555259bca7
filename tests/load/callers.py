"""Who calls the service: platforms, the bank, the payout office, clerks. No HTTP here, and no clock.

A caller is a generator: it yields what it asks and is sent the answer. So one and the same caller is
driven by locust's greenlets for a minute and by a test's threads for seconds.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

TODAY = "2020-07-02T10:00:00+07:00"
"""What the service's clock says all the time: of the lines of a life three are due."""
TOKEN = "of-the-host"
GROUPINGS = ("wave", "scheme", "standing", "line", "status", "cause", "owner")
AN_OUTCOME_LATER = (0, 503)
"""No answer, and "send the same again"."""


@dataclass(frozen=True)
class Ask:
    """One request, and the statuses with which a service that is right may end it."""

    name: str
    """The path as tables show it."""
    method: str
    path: str
    ends: tuple[int, ...] = (200,)
    key: str | None = None
    body: dict[str, Any] | None = None
    query: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str | None:
        """The source that a report is recorded under."""
        return None if self.key is None else f"//{self.path.rpartition('/')[2]}"


@dataclass(frozen=True)
class Answer:
    status: int
    """0: none came."""
    body: Any = None


Caller = Generator[Ask | None, Answer | None, None]
"""None is a pause."""


def content_of(event: dict[str, Any]) -> str:
    """What a report and the recorded event have in common, as one short text."""
    common = {name: event[name] for name in ("type", "subject", "time", "data")}
    return hashlib.sha256(json.dumps(common, sort_keys=True).encode()).hexdigest()[:16]


def report(source: str, key: str, kind: str, who: str, time: str, **data: Any) -> Ask:
    """A webhook's call that is to be recorded."""
    body = {"type": f"prakerja.{kind}.v1", "subject": who, "time": time, "data": data}
    return Ask("POST /webhooks", "POST", f"/webhooks/{source}", (201,), key, body)


def platform(name: str, rng: random.Random) -> Caller:
    """Reports one life after the other, some things twice, some that cannot be, and reads statements."""
    for number in count():
        yield from _one_life(f"{name}-{number}", rng)


def _one_life(who: str, rng: random.Random) -> Caller:
    for ask in life(who):
        yield ask
        chance = rng.random()
        if chance < 0.10:
            yield replace(ask, ends=(200,))
        elif chance < 0.13:
            later = {**ask.body, "time": ask.body["time"].replace("T12:", "T13:")}
            yield replace(ask, ends=(409,), body=later)
        elif chance < 0.18:
            never_bought = report("skill", f"{ask.key}-no", "course-completed", who, TODAY, course="C-9")
            yield replace(never_bought, ends=(422,))
        elif chance < 0.28:
            yield Ask("GET /participants/…/statement", "GET", f"/participants/{who}/statement")


def life(who: str) -> Iterator[Ask]:
    """What happens to one participant until the first incentive and the first survey are earned."""
    course = [{"course": "C-1", "institution": "LP-1"}]
    numbers = count(1)

    def on(day: str, source: str, kind: str, **data: Any) -> Ask:
        return report(source, f"{who}-{next(numbers)}", kind, who, f"2020-{day}T12:00:00+07:00", **data)

    yield on("04-20", "office", "enrolled", wave=1, scheme="semi-bansos-2020")
    yield on("04-21", "office", "account-linked", provider="ovo", account=f"A-{who}")
    yield on("04-22", "office", "account-verified", account=f"A-{who}")
    yield on(
        *("04-23", "skill", "training-purchased"),
        purchase="B-1", platform="sisnaker", price=400_000, method="prakerja", courses=course,
    )  # fmt: skip
    yield on("05-02", "skill", "course-completed", course="C-1", score=80)
    yield on("05-03", "skill", "certificate-issued", course="C-1", certificate=f"SA-{who}")
    yield on("05-04", "office", "course-rated", course="C-1", instructor=5, programme=5, reviewed=True)
    yield on("05-13", "office", "survey-submitted", survey=1)
    yield on("05-22", "office", "complaint-filed", complaint="K-1")
    yield on("05-23", "office", "complaint-resolved", complaint="K-1", outcome="paid")


def payout_office(name: str) -> Caller:
    """One payout run after the other; each is asked for again until it has ended."""
    for number in count():
        yield Ask("POST /payouts", "POST", f"/payouts/{name}-{number}", query={"most": 25})
        for _ in range(3):
            yield None


def bank(instructions: Path, rng: random.Random) -> Caller:
    """Reports how each instruction ended: most are settled, some fail, and some are reported twice."""
    for told in told_to_the_bank(instructions):
        if told is None:
            yield None
            continue
        who, _, disbursement = told["disbursement"].partition(" ")
        key = f"{who}/{disbursement}"
        if rng.random() < 0.05:
            ask = report("bank", key, "disbursement-failed", who, TODAY, disbursement=disbursement, reason="technical")
        else:
            ask = report(
                *("bank", key, "disbursement-settled", who, TODAY), disbursement=disbursement, reference=f"R-{key}"
            )
        yield ask
        if rng.random() < 0.10:
            yield replace(ask, ends=(200,))


def told_to_the_bank(instructions: Path) -> Iterator[dict[str, Any] | None]:
    """Each instruction once, in the order in which the bank was told; None where there is none yet."""
    seen, place = set(), 0
    while True:
        fresh = instructions.read_bytes()[place:] if instructions.exists() else b""
        fresh = fresh[: fresh.rfind(b"\n") + 1]
        place += len(fresh)
        if not fresh:
            yield None
        for line in fresh.splitlines():
            told = json.loads(line)
            if told["disbursement"] not in seen:
                seen.add(told["disbursement"])
                yield told


def clerk(rng: random.Random) -> Caller:
    """Looks through the longest overdue, and at sums."""
    while True:
        query: dict[str, Any] = {"limit": 50}
        for _ in range(3):
            answer = yield Ask("GET /unpaid", "GET", "/unpaid", query=query)
            if answer is None or not isinstance(answer.body, dict) or answer.body.get("next") is None:
                break
            query = {"limit": 50, "after": answer.body["next"]}
        yield Ask("GET /totals", "GET", f"/totals/{rng.choice(GROUPINGS)}")
        yield None


class Driver:
    """Sends what a caller asks, the same again until its end is known, and writes that down."""

    def __init__(
        self,
        caller: Caller,
        send: Callable[[Ask], Answer],
        write: Callable[[dict[str, Any]], object],
        sleep: Callable[[float], object],
        clock: Callable[[], float],
        patience: float = 60.0,
    ) -> None:
        self._caller, self._send, self._write = caller, send, write
        self._sleep, self._clock, self._patience = sleep, clock, patience
        self._last: Answer | None = None

    def step(self) -> None:
        """One thing asked, to its end."""
        ask = self._caller.send(self._last)
        self._last = None
        if ask is None:
            self._sleep(0.05)
            return
        began, answers = self._clock(), []
        while True:
            answer = self._send(ask)
            told = answer.body if isinstance(answer.body, dict) else {}
            answers.append([answer.status, told.get("code")])
            if answer.status not in AN_OUTCOME_LATER or self._clock() > began + self._patience:
                break
            self._sleep(0.2)
        self._last = answer
        self._write(self._entry(ask, answers, told, began))

    def _entry(self, ask: Ask, answers: list[Any], told: dict[str, Any], began: float) -> dict[str, Any]:
        return {
            "name": ask.name,
            "path": ask.path,
            "source": ask.source,
            "key": ask.key,
            "content": None if ask.body is None else content_of(ask.body),
            "ends": ask.ends,
            "answers": answers,
            "position": told.get("position") if ask.key else None,
            "instructed": told.get("instructed"),
            "began": began,
            "ended": self._clock(),
        }
