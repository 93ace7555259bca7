"""Histories told in facts, and the questions that tests ask of them.

Each small function tells one fact and returns a list of CloudEvents objects, so that a history is
a sum: `enrolled() + bought() + completed()`. Ids are words ("completed C-1"), so that a test can
name its evidence. Without an `on`, facts happen along one ordinary life: post-training/1 is earned
on Monday 4 May 2020 and due on Thursday 14 May (7 May is a holiday).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from attrs import define, field

from prakerja_ledger.domain.errors import CalendarTooShort, Refusal
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.register import Duplicate, Outcome, Recorded, Register
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Programme
from prakerja_ledger.domain.time import known_at as instant_known
from prakerja_ledger.evidence.wire import is_blank, read_event
from prakerja_ledger.interfaces.json_output import finding_json, statement_json
from prakerja_ledger.reading.dossier import look_at_programme
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.finding import Finding
from prakerja_ledger.reading.statement import Statement, StatementLine, statement
from prakerja_ledger.reading.view import View

Told = list[dict[str, Any]]
"""A history as CloudEvents objects, in the order of recording."""
SOURCE = "//test"
WHO = "P-1"
EARNED, DUE = date(2020, 5, 4), date(2020, 5, 14)
"""When post-training/1 of the ordinary life is earned, and when it is due."""


# --- telling ----------------------------------------------------------------------------------


def _at(on: str) -> str:
    """A timestamp: a bare date is its noon in WIB, a bare clock is in WIB."""
    if len(on) == len("2020-05-04"):
        on += "T12:00:00"
    return on if on[-1] in "Zz" or "+" in on[10:] or "-" in on[10:] else f"{on}+07:00"


def told(
    kind: str, who: str, on: str, data: dict[str, Any], *, id: str, known: str | None = None
) -> Told:
    """One event of any kind; `known`: when the programme learned of it."""
    event = {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": f"prakerja.{kind}.v1",
        "subject": who,
        "time": _at(on),
    }
    if known is not None:
        event["recordedtime"] = _at(known)
    return [event | {"data": {name: value for name, value in data.items() if value is not None}}]


def enrolled(on="2020-04-20", *, who=WHO, wave=1, scheme="semi-bansos-2020", id=None, **more):
    data = {"wave": wave, "scheme": scheme}
    return told("enrolled", who, on, data, id=id or f"enrolled {who}", **more)


def corrected(on="2020-04-25", *, wave, scheme, who=WHO, id="corrected", **more):
    data = {"wave": wave, "scheme": scheme, "reason": "wrong letter", "authority": "PMO"}
    return told("enrolment-corrected", who, on, data, id=id, **more)


def linked(account="A-1", on="2020-04-21", *, provider="ovo", who=WHO, id=None, **more):
    data = {"provider": provider, "account": account}
    return told("account-linked", who, on, data, id=id or f"linked {account}", **more)


def verified(account="A-1", on="2020-04-22", *, who=WHO, id=None, **more):
    return told(
        "account-verified", who, on, {"account": account}, id=id or f"verified {account}", **more
    )


def rejected(account="A-1", on="2020-04-22", *, reason="not-kyc", who=WHO, id=None, **more):
    data = {"account": account, "reason": reason}
    return told("account-rejected", who, on, data, id=id or f"rejected {account}", **more)


def unlinked(account="A-1", on="2020-04-23", *, who=WHO, id=None, **more):
    return told(
        "account-unlinked", who, on, {"account": account}, id=id or f"unlinked {account}", **more
    )


def payable(who=WHO, account="A-1"):
    """An account linked and verified."""
    return linked(account, who=who, id=f"linked {account} {who}") + verified(
        account, who=who, id=f"verified {account} {who}"
    )


def _courses(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"course": name, "institution": "LP-1"} for name in names]


def bought(
    *courses, on="2020-04-24", purchase="B-1", price=400_000, method="prakerja",
    platform="skill-academy", package=None, who=WHO, id=None, **more,
):  # fmt: skip
    data = {
        "purchase": purchase,
        "platform": platform,
        "price": price,
        "method": method,
        "courses": _courses(courses or ("C-1",)),
        "package": package,
    }
    return told("training-purchased", who, on, data, id=id or f"bought {purchase}", **more)


def refunded(amount, on="2020-04-26", *, purchase="B-1", who=WHO, id="refunded", **more):
    data = {"purchase": purchase, "amount": amount}
    return told("purchase-refunded", who, on, data, id=id, **more)


def completed(course="C-1", on="2020-05-02", *, score=None, who=WHO, id=None, **more):
    data = {"course": course, "score": score}
    return told("course-completed", who, on, data, id=id or f"completed {course}", **more)


def certified(course="C-1", on="2020-05-03", *, certificate="SA-1", who=WHO, id=None, **more):
    data = {"course": course, "certificate": certificate}
    return told("certificate-issued", who, on, data, id=id or f"certified {course}", **more)


def rated(
    course="C-1", on="2020-05-04", *, instructor=None, facilities=None, programme=5,
    reviewed=True, who=WHO, id=None, **more,
):  # fmt: skip
    data = {
        "course": course,
        "instructor": instructor,
        "facilities": facilities,
        "programme": programme,
        "reviewed": reviewed,
    }
    return told("course-rated", who, on, data, id=id or f"rated {course}", **more)


def earned(who=WHO):
    """A course bought, completed, certified, rated and reviewed: post-training/1 is earned."""
    return (
        bought(who=who, id=f"bought B-1 {who}" if who != WHO else None)
        + completed(who=who, id=f"completed C-1 {who}" if who != WHO else None)
        + certified(
            who=who,
            certificate="SA-1" if who == WHO else f"SA {who}",
            id=f"certified C-1 {who}" if who != WHO else None,
        )
        + rated(who=who, id=f"rated C-1 {who}" if who != WHO else None)
    )


def surveyed(survey=1, on="2020-05-20", *, who=WHO, id=None, **more):
    return told(
        "survey-submitted", who, on, {"survey": survey}, id=id or f"surveyed {survey}", **more
    )


def instructed(
    disbursement="D-1", on="2020-05-06", *, line="post-training/1", amount=None,
    provider="ovo", account=None, who=WHO, id=None, **more,
):  # fmt: skip
    component, _, instalment = line.partition("/")
    data = {
        "disbursement": disbursement,
        "component": component,
        "instalment": int(instalment),
        "amount": amount or (600_000 if component == "post-training" else 50_000),
        "provider": provider,
        "account": account,
    }
    return told(
        "disbursement-instructed", who, on, data, id=id or f"instructed {disbursement}", **more
    )


def settled(
    disbursement="D-1", on="2020-05-08", *, amount=None, reference="R-1", who=WHO, id=None, **more
):
    data = {"disbursement": disbursement, "amount": amount, "reference": reference}
    return told("disbursement-settled", who, on, data, id=id or f"settled {disbursement}", **more)


def failed(disbursement="D-1", on="2020-05-08", *, reason="technical", who=WHO, id=None, **more):
    data = {"disbursement": disbursement, "reason": reason}
    return told("disbursement-failed", who, on, data, id=id or f"failed {disbursement}", **more)


def returned(
    disbursement="D-1", on="2020-05-11", *, amount=None, reason="account-closed", who=WHO,
    id=None, **more,
):  # fmt: skip
    data = {"disbursement": disbursement, "amount": amount, "reason": reason}
    return told("disbursement-returned", who, on, data, id=id or f"returned {disbursement}", **more)


def paid(disbursement="D-1", line="post-training/1", on="2020-05-08", **more):
    """Instructed two days earlier at noon, and settled."""
    return instructed(disbursement, "2020-05-06", line=line) + settled(disbursement, on, **more)


def revoked(on="2020-06-10", *, reason="ineligible", who=WHO, id="revoked", **more):
    return told("participation-revoked", who, on, {"reason": reason}, id=id, **more)


def reinstated(on="2020-06-20", *, who=WHO, id="reinstated", **more):
    return told("participation-reinstated", who, on, {"reason": "appeal"}, id=id, **more)


def complained(complaint="K-1", on="2020-06-01", *, who=WHO, id=None, **more):
    return told(
        "complaint-filed", who, on, {"complaint": complaint}, id=id or f"complained {complaint}",
        **more,
    )  # fmt: skip


def resolved(complaint="K-1", on="2020-06-05", *, who=WHO, id=None, **more):
    data = {"complaint": complaint, "outcome": "explained"}
    return told("complaint-resolved", who, on, data, id=id or f"resolved {complaint}", **more)


def voided(target, on="2020-06-30", *, who=WHO, source=SOURCE, id=None, **more):
    data = {"source": source, "id": target, "reason": "entered in error", "authority": "PMO"}
    return told("event-voided", who, on, data, id=id or f"voided {target}", **more)


def offered(
    package="PK-1", on="2020-04-11", *, courses=("C-1", "C-2"), price=500_000,
    platform="skill-academy", id=None, **more,
):  # fmt: skip
    data = {"platform": platform, "price": price, "courses": _courses(courses)}
    return told("package-offered", package, on, data, id=id or f"offered {package}", **more)


def withdrawn(package="PK-1", on="2020-07-01", *, id=None, **more):
    return told("package-withdrawn", package, on, {}, id=id or f"withdrawn {package}", **more)


def sales_stopped(
    on="2020-06-30", *, effective="2020-06-30", platforms=("skill-academy",), notice="S-148",
    id="sales stopped", **more,
):  # fmt: skip
    data = {"notice": notice, "effective": effective, "platforms": list(platforms)}
    return told("package-sales-stopped", "programme", on, data, id=id, **more)


def held(on="2020-05-10", *, id="held", **more):
    return told("payments-held", "programme", on, {"reason": "review"}, id=id, **more)


def resumed(on="2020-06-15", *, id="resumed", **more):
    return told("payments-resumed", "programme", on, {}, id=id, **more)


# --- reading ----------------------------------------------------------------------------------


@define(eq=False)
class Read:
    """Lines judged one after another, as a history file is."""

    programme: Programme
    register: Register
    outcomes: dict[int, Outcome] = field(factory=dict)
    """What became of each non-blank line, by its line number."""
    events: dict[int, Event] = field(factory=dict)
    """The recorded events, by line number."""

    @property
    def counts(self) -> tuple[int, int, int]:
        """Recorded, duplicates, quarantined."""
        kinds = [type(outcome) for outcome in self.outcomes.values()]
        return tuple(kinds.count(kind) for kind in (Recorded, Duplicate, Refusal))

    @property
    def refusals(self) -> dict[int, Refusal]:
        """Why lines were quarantined, by line number."""
        return {n: one for n, one in self.outcomes.items() if isinstance(one, Refusal)}

    def check_json(self) -> bytes:
        """The bytes of `check --json`."""
        recorded, duplicates, quarantined = self.counts
        answer = {
            "recorded": recorded,
            "duplicates": duplicates,
            "quarantined": quarantined,
            "lines": [[number, refusal.code] for number, refusal in self.refusals.items()],
        }
        return json.dumps(answer, separators=(",", ":")).encode() + b"\n"

    def evaluation(self, view: View) -> Evaluation:
        """What was recorded, seen in one view."""
        return Evaluation(
            participants=self.register.participants,
            packages=self.register.packages,
            programme_stream=self.register.programme_stream,
            view=view,
            programme=self.programme,
        )

    def statements(self, view: View) -> tuple[list[Statement], list[str]]:
        """The statements that stand, and the participants whose statement is a calendar error."""
        evaluation = self.evaluation(view)
        made: list[Statement] = []
        errors: list[str] = []
        for participant in evaluation.in_view():
            try:
                made.append(evaluation.statement(participant))
            except CalendarTooShort:
                errors.append(participant.id)
        return made, errors

    def statements_json(self, view: View) -> bytes:
        """The bytes of `statement --json`."""
        return b"".join(statement_json(one).encode() + b"\n" for one in self.statements(view)[0])

    def findings(self, view: View) -> list[Finding]:
        """Every finding, sorted."""
        return self.evaluation(view).findings()[0]

    def findings_json(self, view: View) -> bytes:
        """The bytes of `findings --json`."""
        return b"".join(finding_json(one).encode() + b"\n" for one in self.findings(view))


def as_lines(history: Iterable[dict[str, Any] | bytes]) -> list[bytes]:
    """A history as lines of bytes."""
    return [
        one if isinstance(one, bytes) else json.dumps(one, ensure_ascii=False).encode()
        for one in history
    ]


def read(
    history: Iterable[dict[str, Any] | bytes], programme: Programme = KARTU_PRAKERJA
) -> Read:
    """Judge lines as `interfaces.source.judged` does: position 1 is the first non-blank line."""
    found = Read(programme, Register(programme))
    position = 1
    for number, line in enumerate(as_lines(history), 1):
        if is_blank(line):
            continue
        event = read_event(line, position, programme)
        outcome = event if isinstance(event, Refusal) else found.register.record(event)
        found.outcomes[number] = outcome
        if isinstance(outcome, Recorded):
            found.events[number] = event
        position += 1
    return found


def recorded(history: Told, programme: Programme = KARTU_PRAKERJA) -> Read:
    """The same, of a history that must be recorded whole: a typo in a test is no scenario."""
    found = read(history, programme)
    problems = {number: str(refusal) for number, refusal in found.refusals.items()}
    assert not problems, f"the history that was told is not legal: {problems}"
    return found


def view(as_of: date | str, known_at: str | None = None) -> View:
    """As of a date, as known at a moment as a user writes it."""
    on = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    return View(as_of=on, known_at=None if known_at is None else instant_known(known_at))


def statement_of(
    history: Told,
    as_of: date | str,
    known_at: str | None = None,
    *,
    who: str = WHO,
    programme: Programme = KARTU_PRAKERJA,
) -> Statement | None:
    """The statement of one participant; None where there is none. Raises CalendarTooShort."""
    found = recorded(history, programme)
    seen = view(as_of, known_at)
    around = look_at_programme(found.register.programme_stream, seen)
    return statement(found.register.participants.get(who), seen, programme, around)


def line_of(
    history: Told, as_of: date | str, line: str = "post-training/1", known_at: str | None = None,
    **more: Any,
) -> StatementLine:  # fmt: skip
    """One line of a participant's statement."""
    return statement_of(history, as_of, known_at, **more).line(line)


def why(line: StatementLine) -> list[tuple[str, str]]:
    """The causes of a line with their owners."""
    return [(one.cause.value, one.owner.value) for one in line.causes]


def names(events: Iterable[Event]) -> list[str]:
    """Evidence by id."""
    return [event.id for event in events]


def money(line: StatementLine) -> dict[str, int]:
    """The amounts of a line that are not 0, by name."""
    amounts = {
        name: getattr(line, name)
        for name in (
            "owed", "paid", "unpaid", "overdue", "in_flight", "overpaid", "not_yet_earned",
            "forfeited",
        )
    }  # fmt: skip
    return {name: amount for name, amount in amounts.items() if amount}


def findings_of(
    history: Told,
    as_of: date | str = "2021-12-31",
    known_at: str | None = None,
    *,
    code: str | None = None,
    programme: Programme = KARTU_PRAKERJA,
) -> list[tuple[str, str, str, int | None, dict[str, Any], list[str]]]:
    """Findings as (code, subject, date, amount, detail, evidence by id), in their order."""
    return [
        (
            one.code.value,
            one.subject,
            one.on.isoformat(),
            one.amount,
            one.detail,
            names(one.evidence),
        )
        for one in recorded(history, programme).findings(view(as_of, known_at))
        if code is None or one.code == code
    ]
