"""Any order of calls, faults, reopenings and clocks agrees with a plain model of one list.

The model keeps the events that it thinks are on record and works everything out of them anew: what
is legal next, what the rules allow, what a statement says. It is written from the contract and
shares nothing with the package.

A store takes part by a subclass of `LedgerMachine` that says where a new ledger is.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from prakerja_ledger import (
    Conflict,
    InvalidInput,
    Ledger,
    May,
    PrakerjaLedgerError,
    Receipt,
    Refused,
)
from prakerja_ledger.deciding import commands as c
from prakerja_ledger.domain.errors import CommitInDoubt, OutcomeUnknown
from prakerja_ledger.domain.time import instant_of
from prakerja_ledger.stores import postgres_schema
from tests.ledger_support import Boom, to_record

Data = dict[str, Any]
Identity = tuple[str, str]

# --- the model ------------------------------------------------------------------------------------

AMOUNTS = {
    **{f"post-training/{n}": 600_000 for n in (1, 2, 3, 4)},
    **{f"survey/{n}": 50_000 for n in (1, 2, 3)},
}
BALANCE = 1_000_000
MOST_LEFT_BEHIND = 10
"""Ledgers that crashed and were never closed, kept so that they could still do harm."""
OF_THE_PROGRAMME = {"payments-held", "payments-resumed"}
LAST_ONE_STANDS = (
    OF_THE_PROGRAMME,
    {"account-linked", "account-verified", "account-rejected", "account-unlinked"},
    {"participation-revoked", "participation-reinstated"},
    {"enrolled", "enrolment-corrected"},
)
DECIDED = {"disbursement-instructed", "training-purchased"}
"""What a command of which is weighed against the programme's rules."""


@dataclass
class Asked:
    """An event that somebody reports (it has a time), or a command for one (it happens now)."""

    source: str
    id: str
    subject: str
    kind: str
    data: Data
    time: datetime | None

    @property
    def identity(self) -> Identity:
        return self.source, self.id


@dataclass
class Entry(Asked):
    """An event on record."""

    time: datetime
    recorded: datetime
    position: int
    line: str = ""
    """Of a disbursement's events: the line that they count on."""
    amount: int = 0
    """Of moved money: as fixed when it was recorded."""
    voided: datetime | None = None
    """When the void of it was recorded."""


class Told(NamedTuple):
    """What a caller is told of one event: `recorded` or `duplicate` and where; or a code."""

    what: str
    position: int = 0


class No(Exception):
    """The model refuses, with a code."""


def require(condition: object, code: str) -> None:
    if not condition:
        raise No(code)


class Model:
    """Everything on record, in order."""

    def __init__(self) -> None:
        self.log: list[Entry] = []

    def find(self, identity: Identity) -> Entry | None:
        return next((one for one in self.log if one.identity == identity), None)

    def call(self, asked: Sequence[Asked], now: datetime) -> list[Told]:
        """What one call is told, all or none: of each event, or a code and nothing else."""
        before = deepcopy(self.log)
        try:
            return [self.take(one, now) for one in asked]
        except No as no:
            self.log = before
            return [Told(str(no))]

    def take(self, asked: Asked, now: datetime) -> Told:
        earlier = self.find(asked.identity)
        if earlier is not None:
            require(is_answer(asked, earlier), "CONFLICTING_DUPLICATE")
            return Told("duplicate", earlier.position)
        data = asked.data
        if asked.time is None and asked.kind in DECIDED:
            data = self.decided(asked, now)
        time, recorded = (asked.time, max(now, asked.time)) if asked.time else self.dated(asked, now)
        position = len(self.log) + 1
        entry = Entry(*asked.identity, asked.subject, asked.kind, data, time, recorded, position)
        self.judge(entry)
        self.log.append(entry)
        return Told("recorded", position)

    def dated(self, asked: Asked, now: datetime) -> tuple[datetime, datetime]:
        """When a command happens and is recorded: now, yet not before the move that it follows."""
        moves = next((group for group in LAST_ONE_STANDS if asked.kind in group), ())
        mine = self.of(asked.subject, of_programme=asked.kind in OF_THE_PROGRAMME)
        earlier = [(e.time, e.recorded) for e in mine if e.kind in moves]
        time, recorded = max(earlier, default=(now, now))
        return (now, now) if time < now else (time, max(now, recorded))

    # --- legal when: on all that is recorded before, voided events left out of what stands

    def judge(self, e: Entry) -> None:
        """Refuse what may not come next; fix line and amount of money that moves."""
        mine = [one for one in self.log if one.subject == e.subject]
        if e.kind == "event-voided":
            return self.void(e, mine)
        if e.kind in OF_THE_PROGRAMME:
            held = Stand(mine).held
            return require(held == (e.kind == "payments-resumed"), "ILLEGAL_MOVE")
        mine = [one for one in mine if one.kind not in OF_THE_PROGRAMME]
        is_known = any(one.kind == "enrolled" for one in mine)
        if e.kind == "enrolled":
            return require(not is_known, "ALREADY_ENROLLED")
        require(is_known, "NOT_ENROLLED")
        judge = JUDGES[e.kind.partition("-")[0]]
        return judge(e, mine, Stand([one for one in mine if one.voided is None]))

    def void(self, e: Entry, mine: list[Entry]) -> None:
        require(mine or e.subject == "programme", "NOT_ENROLLED")
        target = self.find((e.data["source"], e.data["id"]))
        require(target and target.subject == e.subject, "UNKNOWN_REFERENCE")
        assert target is not None
        require(target.kind not in {"enrolled", "event-voided"}, "ILLEGAL_MOVE")
        require(target.voided is None, "ILLEGAL_MOVE")
        target.voided = e.recorded

    # --- what the rules allow now

    def decided(self, asked: Asked, now: datetime) -> Data:
        """The data of the event that a command becomes.

        Refused is what the statement of today forbids, and what all that is on record forbids: the
        clock may have gone back, and what it dated later than today has been done all the same.
        """
        who, today = asked.subject, wib(now)
        require(self.of(who), "NOT_ENROLLED")
        require(self.stand(who, today).each("enrolled"), "NOT_IN_VIEW")
        if asked.kind == "disbursement-instructed":
            return self.instruction(who, asked.data, today)
        if asked.data["method"] == "prakerja":
            stands = self.stand(who, today), self.stand(who)
            require(not any(stand.revoked for stand in stands), "REVOKED")
            spent = max(stand.spent for stand in stands)
            require(asked.data["price"] <= max(0, BALANCE - spent), "BALANCE_NOT_ENOUGH")
        return asked.data

    def permission(self, who: str, line: str, today: date) -> Stand:
        """Refuses a line that may not be paid now; else how its participant stands today."""
        stand, on_record = self.stand(who, today), self.stand(who)
        require(line in AMOUNTS, "NO_SUCH_LINE")
        paid, unpaid, in_flight = stand.amounts(line, today)
        require(paid < AMOUNTS[line], "LINE_PAID")
        require(not stand.revoked, "LINE_FORFEITED")
        require(not in_flight, "LINE_IN_FLIGHT")
        require(unpaid, "LINE_NOT_EARNED")
        require(not self.stand("programme", today, of_programme=True).held, "PAYMENTS_HELD")
        require(stand.linked, "ACCOUNT_NOT_ON_RECORD")
        require(stand.verified, "ACCOUNT_NOT_VERIFIED")
        paid, _, in_flight = on_record.amounts(line, today)
        require(not in_flight, "LINE_IN_FLIGHT")
        require(paid < AMOUNTS[line], "LINE_PAID")
        require(on_record.linked, "ACCOUNT_NOT_ON_RECORD")
        require(on_record.verified, "ACCOUNT_NOT_VERIFIED")
        require(not on_record.revoked, "REVOKED")
        require(not self.stand("programme", of_programme=True).held, "PAYMENTS_HELD")
        return stand

    def instruction(self, who: str, asked: Data, today: date) -> Data:
        line = asked["line"]
        stand = self.permission(who, line, today)
        unpaid = stand.amounts(line, today)[1]
        unpaid = min(unpaid, AMOUNTS[line] - self.stand(who).amounts(line, today)[0])
        linked = self.stand(who).linked
        require(asked.get("account", linked) == linked, "OTHER_ACCOUNT")
        require(asked.get("amount", unpaid) <= unpaid, "MORE_THAN_UNPAID")
        attempts = [
            e for e in self.of(who) if (e.kind, e.line) == ("disbursement-instructed", line)
        ]
        component, _, instalment = line.partition("/")
        return {
            "disbursement": asked.get("disbursement", f"{line}/{len(attempts) + 1}"),
            "component": component,
            "instalment": int(instalment),
            "amount": asked.get("amount", unpaid),
            "provider": "ovo",
            "account": linked,
        }

    # --- views

    def of(self, subject: str, *, of_programme: bool = False) -> list[Entry]:
        """The events of a participant, who may have the programme's own name; or the programme's."""
        mine = [one for one in self.log if one.subject == subject]
        return [one for one in mine if (one.kind in OF_THE_PROGRAMME) is of_programme]

    def stand(
        self,
        subject: str,
        on: date = date.max,
        known: datetime | None = None,
        *,
        of_programme: bool = False,
    ) -> Stand:
        """As of a day, as known at a moment (else: all that is recorded), in the order of events."""
        k = known or datetime.max.replace(tzinfo=UTC)
        seen = [
            one
            for one in self.of(subject, of_programme=of_programme)
            if wib(one.time) <= on and one.recorded <= k and not (one.voided and one.voided <= k)
        ]
        return Stand(sorted(seen, key=lambda one: (one.time, one.recorded, one.position)))


def is_answer(asked: Asked, e: Entry) -> bool:
    """Whether what is on record is what was asked for, before or by another."""
    if (asked.kind, asked.subject, asked.time or e.time) != (e.kind, e.subject, e.time):
        return False
    if asked.time is not None or asked.kind != "disbursement-instructed":
        return asked.data == e.data
    return all({**e.data, "line": e.line}.get(name) == value for name, value in asked.data.items())


def wib(at: datetime) -> date:
    return (at.astimezone(UTC) + timedelta(hours=7)).date()


class Stand:
    """What some events of one subject, in some order, add up to."""

    def __init__(self, events: Sequence[Entry]) -> None:
        self.events = events

    def each(self, kind: str, **data: Any) -> list[Entry]:
        """The events of a kind, with such data."""
        same = [one for one in self.events if one.kind == kind]
        return [one for one in same if all(one.data.get(k) == v for k, v in data.items())]

    @property
    def held(self) -> bool:
        moves = [e.kind for e in self.events if e.kind in OF_THE_PROGRAMME and e.voided is None]
        return moves[-1:] == ["payments-held"]

    @property
    def revoked(self) -> bool:
        moves = [e.kind for e in self.events if e.kind.startswith("participation-")]
        return moves[-1:] == ["participation-revoked"]

    @property
    def linked(self) -> str | None:
        return self._account()[0]

    @property
    def verified(self) -> bool:
        return self._account()[1]

    def _account(self) -> tuple[str | None, bool]:
        linked, verified = None, False
        for e in self.events:
            if e.kind == "account-linked":
                linked, verified = e.data["account"], False
            elif e.kind == "account-verified" and e.data["account"] == linked:
                verified = True
            elif e.kind == "account-unlinked" and e.data["account"] == linked:
                linked, verified = None, False
        return linked, verified

    def refunded(self, purchase: str) -> int:
        return sum(e.data["amount"] for e in self.each("purchase-refunded", purchase=purchase))

    @property
    def counting(self) -> list[Entry]:
        """Purchases from the balance that were not refunded in full."""
        bought = self.each("training-purchased", method="prakerja")
        refunds = [self.refunded(e.data["purchase"]) for e in bought]
        return [
            e
            for e, refund in zip(bought, refunds, strict=True)
            if not refund or refund < e.data["price"]
        ]

    @property
    def spent(self) -> int:
        return sum(e.data["price"] - self.refunded(e.data["purchase"]) for e in self.counting)

    def left(self, disbursement: str) -> int:
        settled = self.each("disbursement-settled", disbursement=disbursement)
        returned = self.each("disbursement-returned", disbursement=disbursement)
        return max(0, sum(e.amount for e in settled) - sum(e.amount for e in returned))

    def amounts(self, line: str, on: date) -> tuple[int, int, int]:
        """Paid, unpaid and in flight."""
        moves = [e for e in self.events if e.line == line]
        paid = sum(self.left(name) for name in {e.data["disbursement"] for e in moves})
        ended = {e.data["disbursement"] for e in moves if e.kind.endswith(("-settled", "-failed"))}
        in_flight = sum(
            e.amount
            for e in self.each("disbursement-instructed")
            if e.line == line and e.data["disbursement"] not in ended
        )
        earned_on = self.earned_on(line)
        is_owed = earned_on is not None and earned_on <= on and not self.revoked
        return paid, max(0, AMOUNTS[line] - paid) if is_owed else 0, in_flight

    def earned_on(self, line: str) -> date | None:
        component, _, number = line.partition("/")
        courses = courses_of(self.counting)
        completed = [e for e in self.each("course-completed") if e.data["course"] in courses]
        if not completed:
            return None
        course = completed[0].data["course"]
        steps = [completed, self.each("certificate-issued", course=course)]
        steps.append(self.each("course-rated", course=course))
        if component == "survey":
            settled = self.each("disbursement-settled")
            steps.append([e for e in settled if e.line == "post-training/1"])
            steps += [self.each("survey-submitted", survey=n + 1) for n in range(int(number))]
        if not all(steps):
            return None
        latest = max(wib(step[0].time) for step in steps)
        return months_after(latest, int(number) - 1) if component == "post-training" else latest


def months_after(on: date, months: int) -> date:
    year, month = divmod(on.year * 12 + on.month - 1 + months, 12)
    for day in (on.day, 30, 29):
        with suppress(ValueError):
            return date(year, month + 1, day)
    return date(year, month + 1, 28)


def courses_of(purchases: Iterable[Entry]) -> set[str]:
    return {one["course"] for e in purchases for one in e.data["courses"]}


# The judges of one kind each: the event, everything of its subject, and what of it stands.


def judge_account(e: Entry, mine: list[Entry], stand: Stand) -> None:
    if e.kind != "account-linked":
        require(Stand(mine).each("account-linked", account=e.data["account"]), "UNKNOWN_REFERENCE")
        require(stand.linked == e.data["account"], "ILLEGAL_MOVE")


def judge_training(e: Entry, mine: list[Entry], _: Stand) -> None:
    bought = Stand(mine).each("training-purchased", purchase=e.data["purchase"])
    require(not bought, "ILLEGAL_MOVE")


def judge_refund(e: Entry, mine: list[Entry], stand: Stand) -> None:
    bought = Stand(mine).each("training-purchased", purchase=e.data["purchase"])
    require(bought, "UNKNOWN_REFERENCE")
    refunded = stand.refunded(e.data["purchase"]) + e.data["amount"]
    require(refunded <= bought[0].data["price"], "ILLEGAL_MOVE")


def judge_course(e: Entry, mine: list[Entry], stand: Stand) -> None:
    if e.kind != "course-rated":
        require(not stand.each(e.kind, course=e.data["course"]), "ILLEGAL_MOVE")
    courses = courses_of(Stand(mine).each("training-purchased"))
    require(e.data["course"] in courses, "UNKNOWN_REFERENCE")


def judge_survey(e: Entry, _: list[Entry], stand: Stand) -> None:
    require(f"survey/{e.data['survey']}" in AMOUNTS, "ILLEGAL_MOVE")
    require(not stand.each("survey-submitted", survey=e.data["survey"]), "ILLEGAL_MOVE")


def judge_disbursement(e: Entry, mine: list[Entry], stand: Stand) -> None:
    name = e.data["disbursement"]
    instructed = Stand(mine).each("disbursement-instructed", disbursement=name)
    if e.kind == "disbursement-instructed":
        e.line, e.amount = f"{e.data['component']}/{e.data['instalment']}", e.data["amount"]
        return require(not instructed and e.line in AMOUNTS, "ILLEGAL_MOVE")
    require(instructed, "UNKNOWN_REFERENCE")
    e.line = instructed[0].line
    settled = stand.each("disbursement-settled", disbursement=name)
    if e.kind == "disbursement-settled":
        e.amount = e.data.get("amount", instructed[0].amount)
        require(e.data["reference"] not in [s.data["reference"] for s in settled], "ILLEGAL_MOVE")
    elif e.kind == "disbursement-failed":
        failed = stand.each("disbursement-failed", disbursement=name)
        require(not settled and not failed, "ILLEGAL_MOVE")
    else:
        e.amount = e.data.get("amount", stand.left(name))
        require(0 < e.amount <= stand.left(name), "ILLEGAL_MOVE")
    return None


def judge_participation(e: Entry, _: list[Entry], stand: Stand) -> None:
    require(stand.revoked == (e.kind == "participation-reinstated"), "ILLEGAL_MOVE")


JUDGES = {
    "account": judge_account,
    "certificate": judge_course,
    "course": judge_course,
    "disbursement": judge_disbursement,
    "participation": judge_participation,
    "purchase": judge_refund,
    "survey": judge_survey,
    "training": judge_training,
}

# --- what may be asked ----------------------------------------------------------------------------

WHO = ("P-1", "P-2", "programme")
"""A participant may have the programme's own name: name spaces are separate."""
DISBURSEMENTS = ("D-1", "post-training/1/1", "post-training/1/2")

who = st.sampled_from(["P-1"] * 5 + ["programme"] * 3 + ["P-2"])
identities = st.none() | st.tuples(st.sampled_from(["//a", "//b"]), st.integers(1, 9).map(str))
"""None for one that nobody has used."""
accounts = st.sampled_from(["A-1", "A-2"])
courses = st.sampled_from(["C-1", "C-1", "C-2"])
disbursements = st.sampled_from(DISBURSEMENTS)
reasons = st.sampled_from(["technical", "account-closed"])
amounts = st.sampled_from([1, 25_000, 50_000, 575_000, 600_000, 600_001])
cash_lines = st.sampled_from([*AMOUNTS, *["post-training/1", "post-training/1", "survey/1"] * 4])

Kind = tuple[str, Data]


def kind(
    name: str, optional: Data | None = None, /, **data: st.SearchStrategy[Any]
) -> st.SearchStrategy[Kind]:
    return st.tuples(st.just(name), st.fixed_dictionaries(data, optional=optional))


def observed_instruction(line: str, disbursement: str, amount: int) -> Kind:
    component, _, instalment = line.partition("/")
    return "disbursement-instructed", {
        "disbursement": disbursement,
        "component": component,
        "instalment": int(instalment),
        "amount": amount,
        "provider": "ovo",
    }


outcomes = st.one_of(
    kind("disbursement-settled", {"amount": amounts}, disbursement=disbursements, reference=st.sampled_from("RS")),
    kind("disbursement-failed", disbursement=disbursements, reason=reasons),
    kind("disbursement-returned", {"amount": amounts}, disbursement=disbursements, reason=reasons),
)  # fmt: skip
of_participants = st.one_of(
    kind("enrolled", wave=st.just(30), scheme=st.just("semi-bansos-2022")),
    kind("account-linked", provider=st.just("ovo"), account=accounts),
    kind("account-verified", account=accounts),
    kind("account-unlinked", account=accounts),
    kind(
        "training-purchased",
        purchase=st.sampled_from(["U-1", "U-2", "U-3"]),
        platform=st.just("sisnaker"),
        price=st.sampled_from([0, 200_000, 800_000, 800_001]),
        method=st.sampled_from(["prakerja", "atm"]),
        courses=courses.map(lambda one: [{"course": one, "institution": "LP-1"}]),
    ),
    kind("purchase-refunded", purchase=st.sampled_from(["U-1", "U-2", "U-3"]), amount=st.sampled_from([1, 200_000])),
    kind("course-completed", course=courses),
    kind("certificate-issued", course=courses, certificate=st.just("S-1")),
    kind("course-rated", course=courses, programme=st.integers(1, 5), reviewed=st.just(True)),
    kind("survey-submitted", survey=st.integers(1, 4)),
    kind("participation-revoked", reason=st.just("fraud")),
    kind("participation-reinstated", reason=st.just("appeal")),
    outcomes,
)  # fmt: skip
of_the_programme = st.one_of(
    kind("payments-held", reason=st.just("audit")), kind("payments-resumed")
)
instructions = kind(
    "disbursement-instructed",
    {"amount": amounts, "account": accounts, "disbursement": disbursements},
    line=cash_lines | st.sampled_from(["post-training/1", "post-training/5", "training"]),
)
observed_instructions = st.builds(observed_instruction, cash_lines, disbursements, amounts)


def several(kinds: st.SearchStrategy[Kind], *more: st.SearchStrategy[Any]) -> Any:
    return st.lists(st.tuples(identities, who, kinds, *more), max_size=4)


either = st.integers(0, 1)
"""The handle that is used."""
ago = st.sampled_from([timedelta(0), timedelta(0), timedelta(hours=5), timedelta(days=40)])
BOUGHT = {"purchase": "U-1", "platform": "sisnaker", "price": 200_000, "method": "prakerja"}
ORDINARY_LIFE: list[Kind] = [
    ("enrolled", {"wave": 30, "scheme": "semi-bansos-2022"}),
    ("account-linked", {"provider": "ovo", "account": "A-1"}),
    ("account-verified", {"account": "A-1"}),
    ("training-purchased", {**BOUGHT, "courses": [{"course": "C-1", "institution": "LP-1"}]}),
    ("course-completed", {"course": "C-1"}),
    ("certificate-issued", {"course": "C-1", "certificate": "S-1"}),
    ("course-rated", {"course": "C-1", "programme": 5, "reviewed": True}),
]
"""A verified account, and one course done and rated: post-training/1 is earned."""
COURSES_OF_A_TRANSFER = [(), ("settled",), ("failed",), ("settled", "returned")]

COMMANDS: dict[str, type[c.Command]] = {
    "enrolled": c.Enrol,
    "account-linked": c.LinkAccount,
    "account-verified": c.VerifyAccount,
    "account-unlinked": c.UnlinkAccount,
    "training-purchased": c.PurchaseTraining,
    "purchase-refunded": c.RefundPurchase,
    "course-completed": c.CompleteCourse,
    "certificate-issued": c.IssueCertificate,
    "course-rated": c.RateCourse,
    "survey-submitted": c.SubmitSurvey,
    "disbursement-instructed": c.Instruct,
    "disbursement-settled": c.Settle,
    "disbursement-failed": c.Fail,
    "disbursement-returned": c.Return,
    "participation-revoked": c.Revoke,
    "participation-reinstated": c.Reinstate,
    "payments-held": c.HoldPayments,
    "payments-resumed": c.ResumePayments,
}


def as_command(one: Asked) -> c.Command:
    return COMMANDS[one.kind](source=one.source, id=one.id, subject=one.subject, **one.data)


def as_event(one: Asked) -> Data:
    assert one.time is not None, "an event has a time"
    return {
        "specversion": "1.0",
        "id": one.id,
        "source": one.source,
        "type": f"prakerja.{one.kind}.v1",
        "subject": one.subject,
        "time": one.time.isoformat(),
        "data": one.data,
    }


class InDoubt:
    """A journal whose commit reports a fault after it was done, or instead of being done."""

    def __init__(self, journal: Any, *, stored: bool) -> None:
        self._journal = journal
        self._stored = stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    @contextmanager
    def writing(self, *intent: Any) -> Iterator[Any]:
        with suppress(Boom), self._journal.writing(*intent) as writing:
            yield writing
            if not self._stored:
                raise Boom
        raise self._lost()

    @property
    def ahead(self) -> Any:
        """In place of the journal's own, where it has one."""
        return None if self._journal.ahead is None else self

    def append_next(self, event: Any, expected: dict[str, int]) -> Any:
        """As `writing`: a condition that does not hold is told, as nothing was to be committed."""
        append = self._journal.append_next if self._stored else self._holds
        if not append(event, expected):
            return None
        raise self._lost()

    def _holds(self, event: Any, expected: dict[str, int]) -> bool:
        expected = {**expected, event.originator_id: event.originator_version - 1}
        looked = self._journal.look(expected)
        with self._journal.reading() as reading:
            taken = reading.find(*event.event.identity) is not None
        return not taken and all(len(looked[name]) == known for name, known in expected.items())

    def _lost(self) -> CommitInDoubt:
        return CommitInDoubt(source=self._journal.url, problem="the connection is lost.")


# --- the machine ----------------------------------------------------------------------------------

START = datetime(2022, 1, 31, 2, 0, tzinfo=UTC)
"""Of a month that has more days than the next."""
JUMPS = [
    timedelta(minutes=1), timedelta(hours=15), timedelta(days=31), timedelta(days=31),
    timedelta(hours=-1), timedelta(days=-2),
]  # fmt: skip
ENDS_OF_MONTHS = [date(2022, 2, 28), *[date(2022, 3, 31) + timedelta(days=n) for n in range(-3, 1)]]
LAST = datetime(2026, 6, 1, tzinfo=UTC)
"""Beyond it due dates leave the list of holidays."""


class LedgerMachine(RuleBasedStateMachine):
    """Two handles on one ledger, as two processes have them, and the model beside them."""

    def new_url(self) -> str:
        """Where a ledger may be made that nobody has used."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.now = START
        self.calls: list[list[Asked]] = []
        self.used = 0
        self.url = self.new_url()
        self.opened: list[Ledger] = []
        self.ledgers = [self.open(), self.open()]

    def open(self) -> Ledger:
        ledger = Ledger.open(self.url, clock=lambda: self.now)
        self.opened.append(ledger)
        return ledger

    def teardown(self) -> None:
        found = [as_entry(number, line) for number, line in enumerate(self.ledgers[0].lines(), 1)]
        for ledger in self.opened:
            ledger.close()
        plain = [
            Entry(*e.identity, e.subject, e.kind, e.data, e.time, e.recorded, e.position)
            for e in self.model.log
        ]
        assert found == plain

    # --- calls

    def tell(self, ledger: Ledger, asked: Sequence[Asked]) -> list[Told]:
        """What the ledger says to one call."""
        try:
            receipts = send(ledger, asked)
        except PrakerjaLedgerError as error:
            family = {"CONFLICTING_DUPLICATE": Conflict, "NOT_IN_VIEW": InvalidInput}
            assert isinstance(error, family.get(error.code, Refused)), repr(error)
            return [Told(error.code)]
        return [
            Told("duplicate" if one.duplicate else "recorded", one.position) for one in receipts
        ]

    def call(self, via: int, asked: list[Asked]) -> None:
        self.calls.append(asked)
        assert self.tell(self.ledgers[via], asked) == self.model.call(asked, self.now)

    def asked(self, identity: Identity | None, who: str, kind: Kind, time: Any = None) -> Asked:
        if identity is None:
            self.used += 1
            identity = ("//fresh", str(self.used))
        return Asked(*identity, who, *kind, time)

    @initialize()
    def lives(self) -> None:
        for who in ("P-1", "programme"):
            self.live(0, who)

    @precondition(lambda self: not self.model.of("P-2"))
    @rule(via=either, who=st.just("P-2"))
    def live(self, via: int, who: str) -> None:
        ids = (("//life", f"{who} {n}") for n in range(len(ORDINARY_LIFE)))
        self.call(via, [self.asked(id, who, kind) for id, kind in zip(ids, ORDINARY_LIFE)])

    @rule(via=either, id=identities, who=who, kind=of_participants | instructions)
    def execute(self, via: int, id: Identity | None, who: str, kind: Kind) -> None:
        self.call(via, [self.asked(id, who, kind)])

    @rule(via=either, id=identities, who=who, kind=of_participants | observed_instructions, ago=ago)
    def observe(self, via: int, id: Identity | None, who: str, kind: Kind, ago: timedelta) -> None:
        self.call(via, [self.asked(id, who, kind, self.now - ago)])

    @rule(via=either, id=identities, kind=of_the_programme)
    def hold_or_resume(self, via: int, id: Identity | None, kind: Kind) -> None:
        self.call(via, [self.asked(id, "programme", kind)])

    @rule(via=either, id=identities, who=who, kind=instructions)
    def instruct(self, via: int, id: Identity | None, who: str, kind: Kind) -> None:
        self.call(via, [self.asked(id, who, kind)])

    @rule(via=either, who=who, line=cash_lines, course=st.sampled_from(COURSES_OF_A_TRANSFER))
    def pay(self, via: int, who: str, line: str, course: tuple[str, ...]) -> None:
        """A transfer and what becomes of it, in one call."""
        name = {"disbursement": f"D {len(self.calls)}"}
        kinds: list[Kind] = [("disbursement-instructed", {"line": line, **name})]
        for outcome in course:
            word = "reference" if outcome == "settled" else "reason"
            kinds.append((f"disbursement-{outcome}", {**name, word: "technical"}))
        self.call(via, [self.asked(None, who, kind) for kind in kinds])

    @precondition(lambda self: self.attempts())
    @rule(via=either, id=identities, data=st.data(), ago=ago)
    def outcome(self, via: int, id: Identity | None, data: Any, ago: timedelta) -> None:
        """Something happens to a transfer that is on record."""
        who, name = data.draw(st.sampled_from(self.attempts()))
        kind, fields = data.draw(outcomes)
        time = data.draw(st.sampled_from([None, self.now - ago]))
        self.call(via, [self.asked(id, who, (kind, {**fields, "disbursement": name}), time)])

    def attempts(self) -> list[tuple[str, str]]:
        instructed = [e for e in self.model.log if e.kind == "disbursement-instructed"]
        return [(e.subject, e.data["disbursement"]) for e in instructed]

    @rule(via=either, id=identities, data=st.data())
    def void(self, via: int, id: Identity | None, data: Any) -> None:
        e = data.draw(st.sampled_from(self.model.log[-5:]))
        source, named = data.draw(st.sampled_from([e.identity] * 9 + [("//a", "1")]))
        who = data.draw(st.sampled_from([e.subject] * 9 + ["P-1", "P-2"]))
        fields = {"source": source, "id": named, "reason": "error", "authority": "PMO"}
        self.call(via, [self.asked(id, who, ("event-voided", fields), self.now)])

    @rule(via=either, data=st.data())
    def retry(self, via: int, data: Any) -> None:
        """The same call again, whatever it was told before and however much later."""
        self.call(via, data.draw(st.sampled_from(self.calls)))

    @rule(via=either, who=who, kind=of_participants | instructions, data=st.data())
    def reuse(self, via: int, who: str, kind: Kind, data: Any) -> None:
        """Something else, mostly, under an identity that is taken."""
        e = data.draw(st.sampled_from(self.model.log))
        self.call(via, [self.asked(e.identity, who, kind)])

    @rule(via=either, drawn=several(of_participants | instructions))
    def execute_several(self, via: int, drawn: list[Any]) -> None:
        self.call(via, [self.asked(*one) for one in drawn])

    @rule(via=either, drawn=several(of_participants | observed_instructions, ago))
    def observe_several(self, via: int, drawn: list[Any]) -> None:
        self.call(via, [self.asked(*one, self.now - ago) for *one, ago in drawn])

    # --- faults

    @rule(
        via=either,
        id=identities,
        who=who,
        kind=of_participants | instructions,
        stored=st.booleans(),
    )
    def lose_the_answer(
        self, via: int, id: Identity | None, who: str, kind: Kind, stored: bool
    ) -> None:
        """The outcome is unknown; `resolve` tells it, and the same again is safe."""
        call = [self.asked(id, who, kind)]
        ledger, before = self.ledgers[via], deepcopy(self.model.log)
        expected = self.model.call(call, self.now)
        journal, ledger.journal = ledger.journal, InDoubt(ledger.journal, stored=stored)  # type: ignore[assignment]
        try:
            if expected[0].position:
                with pytest.raises(OutcomeUnknown):
                    send(ledger, call)
            else:
                assert self.tell(ledger, call) == expected
        finally:
            ledger.journal = journal
        if not stored:
            self.model.log = before
        self.resolved(1 - via, call[0].identity)
        self.call(via, call)

    @rule(via=either)
    def crash(self, via: int) -> None:
        """In the middle of a transaction; whoever comes next finds nothing of it."""
        with suppress(Boom), self.ledgers[via].journal.writing() as writing:
            writing.append([to_record("P-1", 99)])
            raise Boom
        if len(self.opened) > MOST_LEFT_BEHIND:  # a server's connections are not without end
            left = next(one for one in self.opened if one not in self.ledgers)
            self.opened.remove(left)
            left.close()
        self.ledgers[via] = self.open()

    @rule(via=either)
    def close_and_reopen(self, via: int) -> None:
        self.opened.remove(self.ledgers[via])
        self.ledgers[via].close()
        self.ledgers[via] = self.open()

    @rule(data=st.data())
    def jump(self, data: Any) -> None:
        self.now = min(LAST, self.now + data.draw(st.sampled_from(JUMPS)))

    # --- questions

    @rule(via=either, data=st.data())
    def resolve(self, via: int, data: Any) -> None:
        known = [one.identity for call in self.calls for one in call]
        self.resolved(via, data.draw(st.sampled_from(known)))

    def resolved(self, via: int, identity: Identity) -> None:
        entry = self.model.find(identity)
        found = None if entry is None else Receipt(entry.position, duplicate=True)
        assert self.ledgers[via].resolve(*identity) == found

    @rule(via=either, who=who, data=st.data())
    def read_the_statement(self, via: int, who: str, data: Any) -> None:
        days = st.integers(-40, 40).map(lambda days: wib(self.now) + timedelta(days=days))
        on = data.draw(days | st.sampled_from(ENDS_OF_MONTHS))
        moments = [e.recorded for e in self.model.log]
        known = data.draw(st.none() | st.sampled_from(moments))
        stand = self.model.stand(who, on, known)
        instant = None if known is None else instant_of(known)
        try:
            made = self.ledgers[via].statement(who, as_of=on, known_at=instant)
        except InvalidInput as error:
            assert (error.code, stand.each("enrolled")) == ("NOT_IN_VIEW", [])
            return
        said = {one.line: (one.paid, one.unpaid, one.in_flight) for one in made.lines}
        cash = {line: stand.amounts(line, on) for line in AMOUNTS}
        assert said == {"training": (stand.spent, 0, 0), **cash}

    @rule(via=either, who=who, line=st.sampled_from(list(AMOUNTS)))
    def ask_for_permission(self, via: int, who: str, line: str) -> None:
        today = wib(self.now)
        try:
            require(self.model.stand(who, today).each("enrolled"), "NOT_IN_VIEW")
            self.model.permission(who, line, today)
            expected = "yes"
        except No as no:
            expected = {"NOT_IN_VIEW": "NOT_IN_VIEW", "LINE_IN_FLIGHT": "unknown"}.get(
                str(no), "no"
            )
        try:
            answer = self.ledgers[via].may_pay(who, line).answer.value
        except InvalidInput as error:
            answer = error.code
        assert answer == expected

    @invariant()
    def the_head_is_that_of_the_model(self) -> None:
        assert [one.head() for one in self.ledgers] == [len(self.model.log)] * 2


def send(ledger: Ledger, asked: Sequence[Asked]) -> list[Receipt]:
    if len(asked) == 1:
        (one,) = asked
        return [
            ledger.execute(as_command(one)) if one.time is None else ledger.observe(as_event(one))
        ]
    if asked and asked[0].time is not None:
        return ledger.record_all(map(as_event, asked))
    return ledger.execute_all(map(as_command, asked))


def as_entry(position: int, line: bytes) -> Entry:
    given = json.loads(line)
    time = datetime.fromisoformat(given["time"])
    recorded = datetime.fromisoformat(given["recordedtime"])
    kind = given["type"].removeprefix("prakerja.").removesuffix(".v1")
    identity = given["source"], given["id"]
    return Entry(*identity, given["subject"], kind, given["data"], time, recorded, position)


class MemoryMachine(LedgerMachine):
    """In memory, under a name that nobody had."""

    def new_url(self) -> str:
        return f"memory://{uuid4()}"


class SQLiteMachine(LedgerMachine):
    """On SQLite, a file each time."""

    def new_url(self) -> str:
        self.folder = tempfile.TemporaryDirectory()
        return f"sqlite:///{self.folder.name}/ledger.db"

    def teardown(self) -> None:
        with self.folder:
            super().teardown()


def short(max_examples: int) -> settings:
    return settings(
        max_examples=max_examples,
        stateful_step_count=60,
        suppress_health_check=list(HealthCheck),
    )


TestMemory = MemoryMachine.TestCase
TestMemory.settings = short(100)
TestSQLite = SQLiteMachine.TestCase
TestSQLite.settings = short(60)


def test_postgresql(database_url: str) -> None:
    schemas = count(1)

    class PostgresMachine(LedgerMachine):
        """On PostgreSQL, a schema each time."""

        def new_url(self) -> str:
            url = f"{database_url}?schema=ledger_{next(schemas)}"
            assert postgres_schema.apply(url)
            return url

    run_state_machine_as_test(PostgresMachine, settings=short(20))


# --- two clocks -----------------------------------------------------------------------------------

TOMORROW = timedelta(days=1)


class Host:
    """One of two hosts on a ledger, with a clock of its own."""

    def __init__(self, url: str, now: datetime) -> None:
        self.now = now
        self.ledger = Ledger.open(url, clock=lambda: self.now)

    def execute(self, kind: type[c.Command], who: str = "P-1", **fields: Any) -> Receipt:
        id = f"{kind.__name__} {self.ledger.head()}"
        return self.ledger.execute(kind(source="//host", id=id, subject=who, **fields))

    def pay(self) -> Receipt:
        return self.execute(c.Instruct, line="post-training/1")


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """One whose clock is right, one second before midnight in WIB, and one that is a second ahead."""
    url = f"memory://{uuid4()}"
    before_midnight = datetime(2022, 2, 1, 16, 59, 59, 500_000, tzinfo=UTC)
    right, ahead = Host(url, before_midnight), Host(url, before_midnight + timedelta(seconds=1))
    right.now -= TOMORROW
    for n, (kind, data) in enumerate(ORDINARY_LIFE):
        life = COMMANDS[kind](source="//life", id=str(n), subject="P-1", **data)
        right.ledger.execute(life)
    right.now += TOMORROW
    yield right, ahead
    right.ledger.close()
    ahead.ledger.close()


def refusal(host: Host) -> str:
    """Why the host may not pay; `paid` where it did."""
    try:
        host.pay()
    except Refused as refused:
        return refused.code
    return "paid"


def test_a_line_that_is_earned_is_paid_to_a_verified_account(hosts):
    assert [refusal(host) for host in hosts] == ["paid", "LINE_IN_FLIGHT"]


def test_what_a_clock_ahead_instructed_is_in_flight_for_every_clock(hosts):
    right, ahead = hosts
    ahead.pay()
    assert refusal(right) == "LINE_IN_FLIGHT"


def test_what_a_clock_ahead_settled_is_paid_for_every_clock(hosts):
    right, ahead = hosts
    ahead.pay()
    ahead.execute(c.Settle, disbursement="post-training/1/1", reference="R")
    assert refusal(right) == "LINE_PAID"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ((c.HoldPayments, "programme", {"reason": "audit"}), "PAYMENTS_HELD"),
        ((c.Revoke, "P-1", {"reason": "fraud"}), "REVOKED"),
        ((c.UnlinkAccount, "P-1", {"account": "A-1"}), "ACCOUNT_NOT_ON_RECORD"),
        (
            (c.LinkAccount, "P-1", {"provider": "ovo", "account": "A-2"}),
            "ACCOUNT_NOT_VERIFIED",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else one[0].__name__,
)
def test_what_a_clock_ahead_forbade_is_forbidden_to_every_clock(hosts, command, code):
    right, ahead = hosts
    kind, who, fields = command
    ahead.execute(kind, who, **fields)
    assert refusal(right) == code


@pytest.mark.parametrize("hours", [1, 24])
def test_an_instruction_dated_ahead_by_its_caller_is_in_flight(hosts, hours):
    right, _ = hosts
    right.execute(c.Instruct, line="post-training/1", time=right.now + timedelta(hours=hours))
    assert refusal(right) == "LINE_IN_FLIGHT"


def test_permission_is_what_an_instruction_would_be_told(hosts):
    right, ahead = hosts
    ahead.pay()
    assert right.ledger.may_pay("P-1", "post-training/1").answer is May.UNKNOWN


def test_a_hold_holds_although_the_clock_that_resumed_payments_before_it_was_ahead(hosts):
    """By a second, on one day: the hold is stamped before the resumption that it follows."""
    right, ahead = on_one_day(hosts)
    right.execute(c.HoldPayments, "programme", reason="audit")
    ahead.execute(c.ResumePayments, "programme")
    right.execute(c.HoldPayments, "programme", reason="again")
    assert refusal(right) == "PAYMENTS_HELD"


def test_an_account_is_unlinked_although_the_clock_that_linked_it_was_ahead(hosts):
    right, ahead = on_one_day(hosts)
    ahead.execute(c.LinkAccount, provider="ovo", account="A-2")
    ahead.execute(c.VerifyAccount, account="A-2")
    right.execute(c.UnlinkAccount, account="A-2")
    assert refusal(right) == "ACCOUNT_NOT_ON_RECORD"


def on_one_day(hosts: tuple[Host, Host]) -> tuple[Host, Host]:
    for host in hosts:
        host.now -= timedelta(hours=12)
    return hosts
