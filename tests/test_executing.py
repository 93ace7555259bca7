"""Commands: what the programme's rules allow now, asked and answered in one transaction."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime
from typing import Any

import pytest

from prakerja_ledger import CloudEvent, Conflict, Ledger, NotInView, Receipt, Refused, facts
from prakerja_ledger.deciding import commands as c
from prakerja_ledger.deciding.commands import FACT_OF, Command
from prakerja_ledger.reading.permission import May
from prakerja_ledger.domain.errors import NoSuchLine, OutcomeUnknown
from tests.ledger_support import command, instruct, ordinary_life
from tests.postgres_support import made, shared_database  # noqa: F401  # a fixture

WHO = "P-1"
OTHER_COURSES = [facts.Course(course=f"C-{n}", institution="LP-1") for n in (2, 3)]


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, now: str) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return datetime.fromisoformat(self.now).astimezone(UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock("2020-05-20T09:00:00+07:00")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request) -> str:
    return request.param


on_sqlite = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


@pytest.fixture
def url(store, tmp_path, request) -> str:
    """A new ledger on each store."""
    if store == "postgresql":
        return made(request.getfixturevalue("shared_database"))
    return "memory://" if store == "memory" else f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def ledger(url, clock):
    with Ledger.open(url, clock=clock) as opened:
        yield opened


@pytest.fixture
def alive(ledger):
    ledger.execute_all(ordinary_life())
    return ledger


def refusal_code(ledger: Ledger, asked: Command) -> str:
    before = ledger.head()
    with pytest.raises(Refused) as caught:
        ledger.execute(asked)
    assert ledger.head() == before, "nothing was written"
    assert ". " in str(caught.value), "says what to do"
    return caught.value.code


# --- what may be done -----------------------------------------------------------------------------


def test_every_kind_of_fact_has_a_command():
    assert set(FACT_OF.values()) == set(facts.FACTS.values())


def test_a_whole_life_in_one_call_is_recorded_in_its_order(ledger):
    receipts = ledger.execute_all(ordinary_life())
    assert receipts == [Receipt(n) for n in range(1, 8)]


def test_an_instruction_pays_what_is_unpaid_to_the_account_that_stands_linked(alive):
    alive.execute(instruct())
    line = alive.statement(WHO, as_of=date(2020, 5, 20)).line("post-training/1")
    (fact,) = [e.fact for e in line.evidence if isinstance(e.fact, facts.DisbursementInstructed)]
    assert fact == facts.DisbursementInstructed(
        disbursement="post-training/1/1",
        component="post-training",
        instalment=1,
        amount=600_000,
        provider="ovo",
        account="A-1",
    )


def test_the_next_attempt_has_the_next_id(alive):
    alive.execute(instruct())
    alive.execute(command(c.Fail, "failed", disbursement="post-training/1/1", reason="technical"))
    alive.execute(instruct("pay-2"))
    settled = command(c.Settle, "settled", disbursement="post-training/1/2", reference="R-1")
    alive.execute(settled)
    line = alive.statement(WHO, as_of=date(2020, 5, 20)).line("post-training/1")
    assert (line.paid, line.status.value) == (600_000, "paid")


def test_a_command_without_a_time_happens_now(alive):
    receipt = alive.execute(instruct())
    line = alive.statement(WHO, as_of=date(2020, 5, 20)).line("post-training/1")
    assert [e.occurred_at for e in line.evidence if e.position == receipt.position] == [
        "2020-05-20T09:00:00"
    ]


# --- the same again -------------------------------------------------------------------------------


def test_the_same_command_again_is_the_same_event_even_later(alive, clock):
    first = alive.execute(instruct())
    clock.now = "2020-05-21T09:00:00+07:00"
    assert alive.execute(instruct()) == Receipt(first.position, duplicate=True)


@pytest.mark.parametrize(
    "changed",
    [{"amount": 1}, {"line": "post-training/2"}, {"time": "2020-05-20T08:00:00+07:00"}],
    ids=str,
)
def test_another_content_under_the_same_identity_is_a_conflict(alive, changed):
    alive.execute(instruct())
    with pytest.raises(Conflict):
        alive.execute(instruct(**changed))


def test_another_kind_or_subject_under_the_same_identity_is_a_conflict(alive):
    alive.execute(instruct())
    with pytest.raises(Conflict):
        alive.execute(command(c.SubmitSurvey, "pay-1", survey=1))
    with pytest.raises(Conflict):
        alive.execute(instruct(subject="P-2"))


# --- refusals -------------------------------------------------------------------------------------


def test_nothing_is_done_for_somebody_who_is_not_enrolled(ledger):
    assert refusal_code(ledger, instruct()) == "NOT_ENROLLED"


def test_a_line_is_not_paid_before_it_is_earned(alive):
    assert refusal_code(alive, instruct(line="post-training/2")) == "LINE_NOT_EARNED"
    assert refusal_code(alive, instruct(line="survey/1")) == "LINE_NOT_EARNED"


def test_a_line_is_not_paid_twice(alive):
    alive.execute(instruct())
    assert refusal_code(alive, instruct("pay-2")) == "LINE_IN_FLIGHT"
    alive.execute(command(c.Settle, "s", disbursement="post-training/1/1", reference="R-1"))
    assert refusal_code(alive, instruct("pay-2")) == "LINE_PAID"


def test_a_forfeited_line_is_not_paid(alive):
    alive.execute(command(c.Revoke, "revoked", reason="fraud"))
    assert refusal_code(alive, instruct()) == "LINE_FORFEITED"


def test_nothing_is_paid_while_payments_are_held(alive):
    alive.execute(c.HoldPayments(source="//test", id="held", reason="evaluation"))
    assert refusal_code(alive, instruct()) == "PAYMENTS_HELD"
    alive.execute(c.ResumePayments(source="//test", id="resumed"))
    alive.execute(instruct())


def test_money_goes_to_a_linked_and_verified_account_only(alive):
    alive.execute(command(c.LinkAccount, "link-2", provider="dana", account="A-2"))
    assert refusal_code(alive, instruct()) == "ACCOUNT_NOT_VERIFIED"
    alive.execute(command(c.RejectAccount, "no", account="A-2", reason="not-kyc"))
    assert refusal_code(alive, instruct()) == "ACCOUNT_REJECTED"
    alive.execute(command(c.UnlinkAccount, "unlink", account="A-2"))
    assert refusal_code(alive, instruct()) == "ACCOUNT_NOT_ON_RECORD"


@pytest.mark.parametrize("other", [{"account": "A-9"}, {"provider": "bni"}], ids=str)
def test_money_goes_to_no_other_account(alive, other):
    assert refusal_code(alive, instruct(**other)) == "OTHER_ACCOUNT"


def test_no_more_than_what_is_unpaid_is_instructed(alive):
    assert refusal_code(alive, instruct(amount=600_001)) == "MORE_THAN_UNPAID"


@pytest.mark.parametrize("line", ["training", "post-training/5", "nothing"])
def test_cash_is_paid_on_cash_lines_only(alive, line):
    assert refusal_code(alive, instruct(line=line)) == "NO_SUCH_LINE"


def test_no_more_than_the_balance_is_spent(alive):
    dear = command(
        c.PurchaseTraining,
        "dear",
        purchase="B-2",
        platform="sisnaker",
        price=600_001,
        courses=OTHER_COURSES,
    )
    assert refusal_code(alive, dear) == "BALANCE_NOT_ENOUGH"


def test_after_the_stop_no_package_is_sold_there_from_the_balance(alive, clock):
    offer = {"platform": "tokopedia", "price": 300_000, "courses": OTHER_COURSES}
    alive.execute(command(c.OfferPackage, "offer", subject="PK-1", **offer))
    stop = {"notice": "S-148", "effective": date(2020, 6, 30), "platforms": ["tokopedia"]}
    alive.execute(c.StopPackageSales(source="//test", id="stop", **stop))

    def package(purchase: str, **more: Any) -> Command:
        fields = {"purchase": purchase, "package": "PK-1", **offer, **more}
        return command(c.PurchaseTraining, purchase, **fields)

    alive.execute(package("B-2"))  # the stop is known, and not in effect yet
    clock.now = "2020-06-30T09:00:00+07:00"
    assert refusal_code(alive, package("B-3")) == "PACKAGE_SALES_STOPPED"
    alive.execute(package("B-4", method="bank-transfer"))
    alive.execute(package("B-5", package=None))


def test_nothing_is_bought_while_revoked(alive):
    alive.execute(command(c.Revoke, "revoked", reason="fraud"))
    bought = {"purchase": "B-2", "platform": "sisnaker", "price": 1, "courses": OTHER_COURSES}
    assert refusal_code(alive, command(c.PurchaseTraining, "b", **bought)) == "REVOKED"


def test_what_the_history_forbids_is_refused_with_its_own_code(alive):
    assert refusal_code(alive, command(c.CompleteCourse, "again", course="C-1")) == "ILLEGAL_MOVE"
    assert refusal_code(alive, command(c.CompleteCourse, "x", course="C-9")) == "UNKNOWN_REFERENCE"


def test_a_command_that_breaks_the_format_is_refused(alive):
    with pytest.raises(Exception, match="amount is -1"):
        alive.execute(command(c.RefundPurchase, "r", purchase="B-1", amount=-1))


# --- may it be paid -------------------------------------------------------------------------------


def test_may_pay_says_yes_no_or_unknown(alive):
    def answer(line: str, as_of: date | None = None) -> tuple[May, list[str]]:
        permission = alive.may_pay(WHO, line, as_of)
        return permission.answer, [because.cause.value for because in permission.causes]

    assert answer("post-training/1") == (May.YES, ["NOT_INSTRUCTED"])
    assert answer("post-training/1", date(2020, 5, 3)) == (
        May.NO,
        ["RATING_NOT_ON_RECORD", "REVIEW_NOT_ON_RECORD"],
    )
    assert answer("post-training/2") == (May.NO, ["MONTH_NOT_REACHED"])
    alive.execute(instruct())
    assert answer("post-training/1") == (May.UNKNOWN, ["AWAITING_OUTCOME", "NOT_INSTRUCTED"][:1])
    alive.execute(command(c.Fail, "f", disbursement="post-training/1/1", reason="technical"))
    assert answer("post-training/1") == (May.YES, ["TRANSFER_FAILED"])


def test_may_pay_names_its_evidence(alive):
    permission = alive.may_pay(WHO, "post-training/1")
    assert [e.id for e in permission.evidence] == ["buy", "complete", "certify", "rate"]


def test_may_pay_asks_for_a_participant_and_a_line_that_are_there(alive):
    with pytest.raises(NotInView):
        alive.may_pay("NOBODY", "post-training/1")
    with pytest.raises(NoSuchLine, match="Lines: training, post-training/1"):
        alive.may_pay(WHO, "post-training/9")


# --- all or none, and not knowing -----------------------------------------------------------------


def test_several_commands_are_done_all_or_none(alive):
    before = alive.head()
    with pytest.raises(Refused):
        alive.execute_all([instruct(), instruct("pay-2")])
    assert alive.head() == before
    assert alive.may_pay(WHO, "post-training/1").answer is May.YES
    alive.execute(instruct())


def test_several_events_are_recorded_all_or_none(ledger):
    enrolled = CloudEvent(
        source="//test",
        id="e",
        subject=WHO,
        time="2020-04-20T12:00:00+07:00",
        fact=facts.Enrolled(wave=1, scheme="semi-bansos-2020"),
    )
    survey = CloudEvent(
        source="//test",
        id="s",
        subject=WHO,
        time="2020-04-21T12:00:00+07:00",
        fact=facts.SurveySubmitted(survey=4),
    )
    with pytest.raises(Refused):
        ledger.record_all([enrolled, survey])
    assert ledger.head() == 0
    assert ledger.observe(enrolled) == Receipt(1)


@on_sqlite
def test_a_commit_that_fails_leaves_the_outcome_unknown_and_resolve_tells_it(alive, monkeypatch):
    """Both forms of the fault: not stored, and stored although the commit said otherwise."""
    writer = alive.journal.writer()
    for id, stored in (("pay-1", False), ("pay-2", True)):
        with monkeypatch.context() as patched:
            patched.setattr(writer, "_sqlite_conn", _FailingCommit(writer._sqlite_conn, stored))
            with pytest.raises(OutcomeUnknown, match=id):
                alive.execute(instruct(id))
        resolved = alive.resolve("//test", id)
        assert (resolved is not None) is stored
    assert alive.execute(instruct("pay-2")) == Receipt(8, duplicate=True)


class _FailingCommit:
    """A connection whose COMMIT reports a disk error, before or after it was done."""

    def __init__(self, connection: sqlite3.Connection, stored: bool) -> None:
        self._connection, self._stored = connection, stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self) -> Any:
        return _FailingCursor(self._connection.cursor(), self._stored)


class _FailingCursor:
    def __init__(self, cursor: sqlite3.Cursor, stored: bool) -> None:
        object.__setattr__(self, "_cursor", cursor)
        object.__setattr__(self, "_stored", stored)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._cursor, name, value)

    def execute(self, statement: str, *parameters: Any) -> Any:
        if statement == "COMMIT":
            if self._stored:
                self._cursor.execute(statement)
            raise sqlite3.OperationalError("disk I/O error")
        return self._cursor.execute(statement, *parameters)


# --- a clock that goes back -----------------------------------------------------------------------


@pytest.fixture
def went_back(alive, clock):
    """What was done on 20 May, asked about on the 19th: the clock of the machine was set back."""

    def ask(*done: Command) -> Ledger:
        for one in done:
            alive.execute(one)
        clock.now = "2020-05-19T09:00:00+07:00"
        return alive

    return ask


def settle(id: str = "s") -> Command:
    return command(c.Settle, id, disbursement="post-training/1/1", reference="R-1")


def hold() -> Command:
    return c.HoldPayments(source="//test", id="held", reason="evaluation")


@pytest.mark.parametrize(
    ("done", "answer", "code"),
    [
        ([instruct()], May.UNKNOWN, "LINE_IN_FLIGHT"),
        ([instruct(), settle()], May.NO, "LINE_PAID"),
        ([hold()], May.NO, "PAYMENTS_HELD"),
        ([command(c.Revoke, "revoked", reason="fraud")], May.NO, "REVOKED"),
    ],
    ids=["in flight", "paid", "held", "revoked"],
)
def test_a_clock_that_went_back_hides_nothing_from_a_payment(went_back, done, answer, code):
    ledger = went_back(*done)
    permission = ledger.may_pay(WHO, "post-training/1")
    assert permission.answer is answer
    assert done[-1].id in [event.id for event in permission.evidence]
    assert refusal_code(ledger, instruct("pay-2")) == code


def test_what_a_day_allowed_is_still_answered_for_that_day(went_back):
    ledger = went_back(instruct())
    assert ledger.may_pay(WHO, "post-training/1", date(2020, 5, 19)).answer is May.YES


def test_a_clock_that_went_back_does_not_give_the_balance_twice(went_back):
    dear = {"platform": "sisnaker", "price": 600_000, "courses": OTHER_COURSES}
    ledger = went_back(command(c.PurchaseTraining, "b2", purchase="B-2", **dear))
    again = command(c.PurchaseTraining, "b3", purchase="B-3", **dear)
    assert refusal_code(ledger, again) == "BALANCE_NOT_ENOUGH"
