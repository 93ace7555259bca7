"""Good and bad uses of the public surface, for mypy to read; nothing here is ever run.

A line that ends in `# expect: CODE` is wrong, and mypy says so with that code; no other line is.
What mypy cannot see is refused when it is run (`tests/test_public_types.py`): to mypy `True` is an
`int`, and a `datetime` a `date`.
"""

# fmt: off  # a mark belongs to one line
from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, assert_type

from prakerja_ledger import (
    KARTU_PRAKERJA,
    AsyncLedger,
    CloudEvent,
    Conflict,
    Evaluation,
    Instalments,
    InvalidInput,
    Ledger,
    LedgerFault,
    May,
    NotInView,
    OutcomeUnknown,
    Permission,
    PrakerjaLedgerError,
    Programme,
    Projection,
    Receipt,
    Refused,
    Scheme,
    Statement,
    StatementLine,
    TurnLost,
    UnusableConnection,
    View,
    commands,
    facts,
    open_history,
)
from prakerja_ledger import nothing_of_the_kind  # expect: attr-defined
from prakerja_ledger.domain.time import instant, known_at

DAY = date(2020, 7, 2)
NOON = datetime(2020, 7, 2, 5, tzinfo=UTC)
COURSE = facts.Course(course="C-1", institution="LP-1")


# --- a ledger -------------------------------------------------------------------------------------


def noon() -> datetime:
    return NOON


def opened() -> None:
    assert_type(Ledger.open("sqlite:///ledger.db"), Ledger)
    assert_type(Ledger.open("memory://", programme=KARTU_PRAKERJA, clock=noon, create=False), Ledger)
    with Ledger.open("memory://") as ledger:
        assert_type(ledger, Ledger)
        assert_type(ledger.using(object()), Ledger)
    Ledger.open()  # expect: call-arg
    Ledger.open(5)  # expect: arg-type
    Ledger.open(b"sqlite:///ledger.db")  # expect: arg-type
    Ledger.open(None)  # expect: arg-type
    Ledger.open("memory://", KARTU_PRAKERJA)  # expect: call-arg
    Ledger.open("memory://", programme="kartu-prakerja")  # expect: arg-type
    Ledger.open("memory://", clock=NOON)  # expect: arg-type
    Ledger.open("memory://", clock=lambda: DAY)  # expect: arg-type, return-value
    Ledger.open("memory://", create="no")  # expect: arg-type
    Ledger.open("memory://", timeout=5)  # expect: call-arg


# --- events ---------------------------------------------------------------------------------------


def recorded(ledger: Ledger, event: CloudEvent, given: dict[str, Any]) -> None:
    assert_type(ledger.record(event), Receipt)
    assert_type(ledger.observe(event), Receipt)
    assert_type(ledger.record_all([event, given, "{}", b"{}"]), list[Receipt])
    receipt = ledger.record(given)
    assert_type(receipt.position, int)
    assert_type(receipt.duplicate, bool)
    ledger.record(None)  # expect: arg-type
    ledger.record(5)  # expect: arg-type
    ledger.record([event])  # expect: arg-type
    ledger.record(facts.PaymentsResumed())  # expect: arg-type
    ledger.record(commands.ResumePayments(source="//pmo", id="1"))  # expect: arg-type
    ledger.record()  # expect: call-arg
    ledger.observe({1})  # expect: arg-type
    ledger.record_all(event)  # expect: arg-type
    ledger.record_all(None)  # expect: arg-type
    ledger.record_all([None])  # expect: list-item
    receipt.position = 5  # expect: misc
    receipt.at  # expect: attr-defined


def events(fact: facts.Fact) -> None:
    assert_type(CloudEvent(source="//pmo", id="1", subject="P-1", time=NOON, fact=fact), CloudEvent)
    CloudEvent(
        source="//pmo",
        id="1",
        subject="P-1",
        time="2020-07-02T12:00:00+07:00",
        fact=fact,
        recordedtime=NOON,
        attributes={"traceparent": "00-…"},
    )
    CloudEvent(source="//pmo", id="1", subject="P-1", time=NOON)  # expect: call-arg
    CloudEvent(source="//pmo", id=1, subject="P-1", time=NOON, fact=fact)  # expect: arg-type
    CloudEvent(source="//pmo", id="1", subject=None, time=NOON, fact=fact)  # expect: arg-type
    CloudEvent(source="//pmo", id="1", subject="P-1", time=DAY, fact=fact)  # expect: arg-type
    CloudEvent(source="//pmo", id="1", subject="P-1", time=None, fact=fact)  # expect: arg-type
    CloudEvent(source="//pmo", id="1", subject="P-1", time=NOON, fact={})  # expect: arg-type
    CloudEvent(source="//pmo", id="1", subject="P-1", time=NOON, fact=facts.Enrolled)  # expect: arg-type
    CloudEvent("//pmo", "1", "P-1", NOON, fact)  # expect: call-arg


def made_of_facts() -> None:
    assert_type(facts.Enrolled(wave=1, scheme="normal-2024"), facts.Enrolled)
    facts.TrainingPurchased(purchase="U-1", platform="sisnaker", price=1, method="prakerja", courses=(COURSE,))
    facts.TrainingPurchased(purchase="U-1", platform="sisnaker", price=1, method="prakerja", courses=[COURSE])
    facts.PackageSalesStopped(notice="S-148", effective=DAY, platforms=["sisnaker"])
    facts.Enrolled(wave="1", scheme="normal-2024")  # expect: arg-type
    facts.Enrolled(wave=1)  # expect: call-arg
    facts.Enrolled(1, "normal-2024")  # expect: call-arg
    facts.PurchaseRefunded(purchase="U-1", amount=1.0)  # expect: arg-type
    facts.PurchaseRefunded(purchase="U-1", amount=Decimal(1))  # expect: arg-type
    facts.PurchaseRefunded(purchase="U-1", amount=None)  # expect: arg-type
    facts.CourseRated(course="C-1", reviewed="yes", programme=5)  # expect: arg-type
    facts.SurveySubmitted(survey=1).survey = 2  # expect: misc


# --- commands -------------------------------------------------------------------------------------


def executed(ledger: Ledger, command: commands.Command, event: CloudEvent) -> None:
    assert_type(ledger.execute(command), Receipt)
    assert_type(ledger.execute_all(one for one in [command]), list[Receipt])
    ledger.execute(None)  # expect: arg-type
    ledger.execute("instruct")  # expect: arg-type
    ledger.execute(event)  # expect: arg-type
    ledger.execute(facts.PaymentsResumed())  # expect: arg-type
    ledger.execute(commands.Instruct)  # expect: arg-type
    ledger.execute([command])  # expect: arg-type
    ledger.execute_all(command)  # expect: arg-type
    ledger.execute_all([event])  # expect: list-item


def every_command() -> list[commands.Command]:
    c = commands
    return [
        c.Enrol(source="//pmo", id="1", subject="P-1", wave=65, scheme="normal-2024"),
        c.CorrectEnrolment(source="//pmo", id="2", subject="P-1", wave=66, scheme="normal-2024", reason="typed wrong", authority="PMO"),
        c.LinkAccount(source="//pmo", id="3", subject="P-1", provider="ovo", account="A-1"),
        c.VerifyAccount(source="//pmo", id="4", subject="P-1", account="A-1", time=NOON),
        c.RejectAccount(source="//pmo", id="5", subject="P-1", account="A-1", reason="not-kyc"),
        c.UnlinkAccount(source="//pmo", id="6", subject="P-1", account="A-1"),
        c.PurchaseTraining(source="//pmo", id="7", subject="P-1", purchase="U-1", platform="sisnaker", price=1, courses=(COURSE,), package="PK-1"),
        c.RefundPurchase(source="//pmo", id="8", subject="P-1", purchase="U-1", amount=1),
        c.CompleteCourse(source="//pmo", id="9", subject="P-1", course="C-1", score=100),
        c.IssueCertificate(source="//pmo", id="10", subject="P-1", course="C-1", certificate="S-1"),
        c.RateCourse(source="//pmo", id="11", subject="P-1", course="C-1", programme=5, reviewed=True),
        c.SubmitSurvey(source="//pmo", id="12", subject="P-1", survey=1),
        c.Instruct(source="//pmo", id="13", subject="P-1", line="survey/1"),
        c.Settle(source="//bank", id="14", subject="P-1", disbursement="survey/1/1", reference="R-1"),
        c.Fail(source="//bank", id="15", subject="P-1", disbursement="survey/1/1", reason="technical"),
        c.Return(source="//bank", id="16", subject="P-1", disbursement="survey/1/1", reason="technical", amount=1),
        c.Revoke(source="//pmo", id="17", subject="P-1", reason="fraud"),
        c.VoidEvent(source="//pmo", id="27", subject="P-1", voided_source="//pmo", voided_id="1",
                    reason="typing error", authority="SK-1", maker="staff-1", checker="staff-2"),
        c.Reinstate(source="//pmo", id="18", subject="P-1", reason="appeal"),
        c.FileComplaint(source="//pmo", id="19", subject="P-1", complaint="K-1", component="survey", instalment=1),
        c.ResolveComplaint(source="//pmo", id="20", subject="P-1", complaint="K-1", outcome="paid"),
        c.OfferPackage(source="//pmo", id="21", subject="PK-1", platform="sisnaker", price=1, courses=[COURSE]),
        c.WithdrawPackage(source="//pmo", id="22", subject="PK-1"),
        c.StopPackageSales(source="//pmo", id="23", notice="S-148", effective=DAY, platforms=["sisnaker"]),
        c.HoldPayments(source="//pmo", id="24", reason="audit"),
        c.ResumePayments(source="//pmo", id="25", time="2020-07-02T12:00:00+07:00"),
    ]  # fmt: skip


def no_command() -> None:
    c = commands
    c.Enrol("//pmo", "1", "P-1", 65, "normal-2024")  # expect: arg-type, call-arg
    c.Enrol(source="//pmo", id="1", wave=65, scheme="normal-2024")  # expect: call-arg
    c.Enrol(source="//pmo", id=1, subject="P-1", wave=65, scheme="normal-2024")  # expect: arg-type
    c.Enrol(source="//pmo", id="1", subject="P-1", wave="65", scheme="normal-2024")  # expect: arg-type
    c.CorrectEnrolment(source="//pmo", id="2", subject="P-1", wave=66, scheme="normal-2024")  # expect: call-arg
    c.LinkAccount(source="//pmo", id="3", subject="P-1", provider="ovo", account=813)  # expect: arg-type
    c.VerifyAccount(source="//pmo", id="4", subject="P-1", account="A-1", time=DAY)  # expect: arg-type
    c.RejectAccount(source="//pmo", id="5", subject="P-1", account="A-1", reason=None)  # expect: arg-type
    c.UnlinkAccount(source="//pmo", id="6", subject="P-1")  # expect: call-arg
    c.PurchaseTraining(source="//pmo", id="7", subject="P-1", purchase="U-1", platform="sisnaker", price=1.5, courses=[COURSE])  # expect: arg-type
    c.PurchaseTraining(source="//pmo", id="7", subject="P-1", purchase="U-1", platform="sisnaker", price=1, courses=["C-1"])  # expect: list-item
    c.RefundPurchase(source="//pmo", id="8", subject="P-1", purchase="U-1", amount="1")  # expect: arg-type
    c.CompleteCourse(source="//pmo", id="9", subject="P-1", course="C-1", score="A")  # expect: arg-type
    c.IssueCertificate(source="//pmo", id="10", subject="P-1", course=COURSE, certificate="S-1")  # expect: arg-type
    c.RateCourse(source="//pmo", id="11", subject="P-1", course="C-1", programme=5, reviewed=None)  # expect: arg-type
    c.SubmitSurvey(source="//pmo", id="12", subject="P-1", survey="survey/1")  # expect: arg-type
    c.Instruct(source="//pmo", id="13", subject="P-1", line=1)  # expect: arg-type
    c.Instruct(source="//pmo", id="13", subject="P-1", line="survey/1", amount=Decimal(50_000))  # expect: arg-type
    c.Instruct(source="//pmo", id="13", subject="P-1", line="survey/1", instalment=1)  # expect: call-arg
    c.Settle(source="//bank", id="14", subject="P-1", disbursement="survey/1/1", reference=None)  # expect: arg-type
    c.Fail(source="//bank", id="15", subject="P-1", disbursement=1, reason="technical")  # expect: arg-type
    c.Return(source="//bank", id="16", subject="P-1", disbursement="D", reason="technical", amount=1.0)  # expect: arg-type
    c.Revoke(source="//pmo", id="17", subject="P-1")  # expect: call-arg
    c.VoidEvent(source="//pmo", id="27", subject="P-1", reason="r", authority="a")  # expect: call-arg
    c.Reinstate(source="//pmo", id="18", subject="P-1", reason=0)  # expect: arg-type
    c.FileComplaint(source="//pmo", id="19", subject="P-1", complaint="K-1", instalment="1")  # expect: arg-type
    c.ResolveComplaint(source="//pmo", id="20", subject="P-1", complaint="K-1", outcome=True)  # expect: arg-type
    c.OfferPackage(source="//pmo", id="21", subject="PK-1", platform="sisnaker", price=1, courses=COURSE)  # expect: arg-type
    c.WithdrawPackage(source="//pmo", id="22", subject="PK-1", reason=5)  # expect: arg-type
    c.StopPackageSales(source="//pmo", id="23", notice="S-148", effective="2020-06-30", platforms=["sisnaker"])  # expect: arg-type
    c.HoldPayments(source="//pmo", id="24")  # expect: call-arg
    c.ResumePayments(source="//pmo", id="25", reason="done")  # expect: call-arg
    c.ResumePayments(source="//pmo", id="25").id = "26"  # expect: misc


# --- questions ------------------------------------------------------------------------------------


def asked(ledger: Ledger) -> None:
    assert_type(ledger.head(), int)
    assert_type(ledger.find("//pmo", "1"), int | None)
    assert_type(ledger.resolve("//pmo", "1"), Receipt | None)
    assert_type([line for line in ledger.lines()], list[bytes])
    assert_type([line for line in ledger.lines(5)], list[bytes])
    ledger.resolve("//pmo")  # expect: call-arg
    ledger.resolve("//pmo", 1)  # expect: arg-type
    ledger.resolve("//pmo", "1").position  # expect: union-attr
    ledger.find(None, "1")  # expect: arg-type
    ledger.find("//pmo", "1") + 1  # expect: operator
    ledger.lines("5")  # expect: arg-type
    ledger.head(5)  # expect: call-arg
    ledger.append(b"{}")  # expect: attr-defined


def permitted(ledger: Ledger) -> None:
    permission = ledger.may_pay("P-1", "survey/1")
    assert_type(permission, Permission)
    assert_type(permission.answer, May)
    assert_type(permission.line, StatementLine)
    assert_type(permission.answer is May.YES or permission.answer is May.UNKNOWN, bool)
    ledger.may_pay("P-1", "survey/1", DAY)
    ledger.may_pay("P-1")  # expect: call-arg
    ledger.may_pay("P-1", 1)  # expect: arg-type
    ledger.may_pay("P-1", "survey/1", "2020-07-02")  # expect: arg-type
    ledger.may_pay(5, "survey/1")  # expect: arg-type
    permission.answer = May.YES  # expect: misc
    permission.answer is May.PERHAPS  # expect: attr-defined


def stated(ledger: Ledger) -> None:
    statement = ledger.statement("P-1", as_of=DAY)
    assert_type(statement, Statement)
    assert_type(statement.line("survey/1"), StatementLine)
    assert_type(statement.line("survey/1").paid, int)
    assert_type(statement.line("survey/1").earned_on, date | None)
    assert_type(statement.total("owed"), int)
    ledger.statement("P-1", as_of=DAY, known_at=instant("2020-07-02T12:00:00+07:00"))
    ledger.statement("P-1", as_of=DAY, known_at=known_at("2020-07-02"))
    ledger.statement("P-1")  # expect: call-arg
    ledger.statement("P-1", DAY)  # expect: call-arg
    ledger.statement(None, as_of=DAY)  # expect: arg-type
    ledger.statement("P-1", as_of="2020-07-02")  # expect: arg-type
    ledger.statement("P-1", as_of=DAY, known_at="2020-07-02T12:00:00Z")  # expect: arg-type
    ledger.statement("P-1", as_of=DAY, known_at=NOON)  # expect: arg-type
    statement.line(1)  # expect: arg-type
    statement.line("survey/1").earned_on.year  # expect: union-attr
    statement.line("survey/1").paid = 50_000  # expect: misc
    statement.lines = ()  # expect: misc


def read_as_a_whole() -> None:
    with open_history("history.jsonl", KARTU_PRAKERJA) as history:
        evaluation = history.evaluation(View(as_of=DAY, known_at=known_at("2020-07-02")))
        assert_type(evaluation, Evaluation)
        assert_type(evaluation.statement("P-1"), Statement)
        evaluation.statement(5)  # expect: arg-type
        history.evaluation(DAY)  # expect: arg-type
    View(as_of="2020-07-02")  # expect: arg-type
    View(as_of=None)  # expect: arg-type
    View(as_of=DAY, known_at="2020-07-02T12:00:00Z")  # expect: arg-type
    View(DAY)  # expect: call-arg
    open_history(None)  # expect: arg-type
    open_history("history.jsonl", programme="kartu-prakerja")  # expect: arg-type
    open_history("history.jsonl").evaluation  # expect: attr-defined


# --- projections, the feed, a loop ------------------------------------------------------------------


def rows_of_ones_own(ledger: Ledger) -> int:
    with Projection.open(ledger, "sqlite:///rows.db") as projection:
        assert_type(projection.run(), int)
        page = projection.unpaid(wave=2, limit=10)
        assert_type(page.lines[0].unpaid, int)
        assert_type(page.as_of, date)
        assert_type(projection.totals("cause").groups["PROGRAMME_HOLD"].lines, int)
        assert_type(ledger.unpaid(as_of=DAY).undecided, tuple[str, ...])
        assert_type(ledger.feed().cursor, str)
        Projection.open(ledger)  # expect: call-arg
        Projection.open("sqlite:///ledger.db", "sqlite:///rows.db")  # expect: arg-type
        projection.unpaid(wave="2")  # expect: arg-type
        projection.unpaid(cause="PROGRAMME_HOLD")
        projection.unpaid(cause=7)  # expect: arg-type
        projection.wait("P-1")  # expect: arg-type
        ledger.feed(7)  # expect: arg-type
        ledger.feed("", 10)  # expect: call-arg
        return projection.rebuild()


async def in_a_loop() -> Receipt:
    async with await AsyncLedger.open("memory://") as ledger:
        assert_type(await ledger.statement("P-1", as_of=DAY), Statement)
        assert_type(await ledger.resolve("//s", "1"), Receipt | None)
        await ledger.statement("P-1")  # expect: call-arg
        await ledger.execute("pay")  # expect: arg-type
        return await ledger.record(b"{}")


# --- schemes --------------------------------------------------------------------------------------


def a_scheme_of_ones_own() -> Programme:
    pilot = Scheme(
        id="pilot-2026",
        waves=range(72, 73),
        training_balance=2_000_000,
        post_training=Instalments(2, each=500_000),
        survey=Instalments(1, each=50_000),
        payment_window_working_days=5,
        survey_payment_days=14,
        first_purchase_days=15,
        surveys_by=DAY,
        sources=("a regulation",),
    )
    assert_type(pilot.total, int)
    assert_type(KARTU_PRAKERJA.scheme("normal-2024"), Scheme)
    Instalments(2, 500_000)  # expect: call-arg
    Instalments(2, each=500_000.0)  # expect: arg-type
    Instalments("2", each=500_000)  # expect: arg-type
    Scheme(id="pilot-2026")  # expect: call-arg
    KARTU_PRAKERJA.registering(Instalments(2, each=500_000))  # expect: arg-type
    KARTU_PRAKERJA.registering("pilot-2026")  # expect: arg-type
    KARTU_PRAKERJA.schemes = {}  # expect: misc
    pilot.training_balance = 3_000_000  # expect: misc
    return KARTU_PRAKERJA.registering(pilot)


# --- errors ---------------------------------------------------------------------------------------


def what_to_do(ledger: Ledger, command: commands.Command) -> str:
    try:
        ledger.execute(command)
    except OutcomeUnknown as error:
        assert_type(error.code, str)
        return "ask resolve"
    except (Conflict, Refused) as error:
        error.reason  # expect: union-attr
        return error.code
    except NotInView as error:
        return str(error.fields["participant"])
    except UnusableConnection as error:
        return assert_type(str(error), str)
    except InvalidInput:
        return "correct it"
    except TurnLost:
        return "again"
    except LedgerFault:
        return "ask the operator"
    except PrakerjaLedgerError as error:
        return error.code
    return 5  # expect: return-value
