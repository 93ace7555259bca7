"""The commands that are measured: fifteen of an ordinary life, three of them instructions to pay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from prakerja_ledger import facts
from prakerja_ledger.deciding import commands as c
from prakerja_ledger.deciding.commands import Command
from prakerja_ledger.domain.facts import data_of

LIFE = 15
"""Commands of one life."""
AT_ONCE = 20
"""Lives that go on side by side: a service meets the same participant again after others."""


def july_2() -> datetime:
    """The clock of every run."""
    return datetime(2020, 7, 2, 3, tzinfo=UTC)


def life(number: int) -> list[Command]:
    """What happens to one participant, in its order."""
    who = f"P-{number:07d}"
    course = facts.Course(course="C-1", institution="LP-1")

    def on(kind: type[Command], day: str, **fields: Any) -> Command:
        id = f"{who} {kind.__name__} {day}"
        time = f"2020-{day}T12:00:00+07:00"
        return kind(source="//bench", id=id, subject=who, time=time, **fields)

    return [
        on(c.Enrol, "04-20", wave=1, scheme="semi-bansos-2020"),
        on(c.LinkAccount, "04-21", provider="ovo", account=f"A-{number}"),
        on(c.VerifyAccount, "04-22", account=f"A-{number}"),
        on(
            c.PurchaseTraining,
            "04-23",
            purchase="B-1",
            platform="sisnaker",
            price=400_000,
            courses=[course],
        ),
        on(c.CompleteCourse, "05-02", course="C-1", score=80),
        on(c.IssueCertificate, "05-03", course="C-1", certificate=f"SA-{number}"),
        on(
            c.RateCourse,
            "05-04",
            course="C-1",
            instructor=5,
            facilities=4,
            programme=5,
            reviewed=True,
        ),
        on(c.Instruct, "05-10", line="post-training/1"),
        on(c.Settle, "05-12", disbursement="post-training/1/1", reference=f"R1-{number}"),
        on(c.SubmitSurvey, "05-13", survey=1),
        on(c.Instruct, "05-20", line="survey/1"),
        on(c.Settle, "05-21", disbursement="survey/1/1", reference=f"R2-{number}"),
        on(c.FileComplaint, "05-22", complaint="K-1"),
        on(c.ResolveComplaint, "05-23", complaint="K-1", outcome="paid"),
        on(c.Instruct, "06-20", line="post-training/2"),
    ]


def in_turns(first: int, lives: int) -> Iterator[Command]:
    """Commands of so many lives, AT_ONCE side by side."""
    for start in range(first, first + lives, AT_ONCE):
        side_by_side = [life(n) for n in range(start, min(start + AT_ONCE, first + lives))]
        for step in range(LIFE):
            for one in side_by_side:
                yield one[step]


def plain(command: Command) -> tuple[str, str, dict[str, Any]]:
    """What a peer records of it: the kind, the time, the data."""
    if isinstance(command, c.Instruct):
        component, _, instalment = command.line.partition("/")
        data: dict[str, Any] = {
            "disbursement": f"{command.line}/1",
            "component": component,
            "instalment": int(instalment),
            "amount": 600_000,
            "provider": "ovo",
            "account": "A-1",
        }
        return "prakerja.disbursement-instructed.v1", str(command.time), data
    fact = command.fact()
    return f"prakerja.{fact.kind}.v1", str(command.time), data_of(fact)
