"""What the package gives to other suites: fixtures, a clock, a bank that lies."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from prakerja_ledger import CloudEvent, Ledger, May
from prakerja_ledger import commands as c
from prakerja_ledger.domain.errors import InvalidField, PrakerjaLedgerError
from prakerja_ledger.reading.finding import Code
from prakerja_ledger.reading.view import View
from prakerja_ledger.testing.bank import BankThatLies, Lie, NoReply
from prakerja_ledger.testing.clock import TestClock
from tests.ledger_support import MAY_20, ordinary_life

pytest_plugins = ["pytester"]
LINES = ("post-training/1", "post-training/2", "post-training/3", "post-training/4")

OTHER_SUITE = """
    from datetime import date
    from prakerja_ledger import CloudEvent, facts

    def enrol(ledger):
        fact = facts.Enrolled(wave=2, scheme="semi-bansos-2020")
        return ledger.record(CloudEvent(
            source="//mine", id="1", subject="P-1", time="2020-04-23T09:00:00+07:00", fact=fact))

    def test_a_ledger_of_its_own(ledger):
        assert ledger.head() == 0
        assert enrol(ledger).position == 1

    def test_a_clock_that_stands(frozen_ledger, prakerja_clock):
        enrol(frozen_ledger)
        assert frozen_ledger.unpaid().as_of == date(2020, 7, 2)
        prakerja_clock.pass_by(days=3)
        assert frozen_ledger.unpaid().as_of == date(2020, 7, 5)

    def test_on_a_server(postgres_ledger):
        assert enrol(postgres_ledger).position == 1
        assert postgres_ledger.journal.url.startswith("postgresql://")

    def test_a_bank(bank_that_lies):
        assert bank_that_lies.paid == 0
"""


def test_a_suite_that_installs_the_package_has_its_fixtures(
    pytester: pytest.Pytester, database_url: str
):
    pytester.makepyfile(OTHER_SUITE)
    done = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", f"--prakerja-postgres={database_url}"
    )
    done.assert_outcomes(passed=4)


def test_without_a_server_the_fixture_fails_and_says_what_it_needs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PRAKERJA_TEST_POSTGRES", raising=False)
    pytester.makepyfile("def test_on_a_server(postgres_ledger): ...")
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*--prakerja-postgres URL, or PRAKERJA_TEST_POSTGRES*"])


def test_the_clock_goes_where_it_is_put():
    clock = TestClock(MAY_20)
    clock.pass_by(days=1, hours=2)
    assert clock() == datetime(2020, 5, 21, 4, tzinfo=UTC)
    clock.set_to(date(2020, 7, 2))
    assert clock() == datetime(2020, 7, 2, 2, tzinfo=UTC)
    clock.set_to(MAY_20)
    assert clock() == MAY_20
    with pytest.raises(InvalidField):
        TestClock(datetime(2020, 5, 20))


@pytest.mark.parametrize("lie", list(Lie))
def test_each_lie_is_told_as_it_says(lie: Lie):
    bank = BankThatLies(lies=[lie])
    try:
        bank.pay("D-1", 600_000)
        answered = True
    except NoReply:
        answered = False
    told = [[(one.id, type(one.fact).kind) for one in bank.answers()] for _ in range(4)]
    settled, failed = "disbursement-settled", "disbursement-failed"
    first, second = "REF-D-1/1", "REF-D-1/2"

    assert answered == (lie is not Lie.LOST_REPLY)
    assert bank.paid == (0 if lie is Lie.REFUSED else 600_000)
    assert told == {
        Lie.HONEST: [[(first, settled)]] * 4,
        Lie.REFUSED: [[(first, failed)]] * 4,
        Lie.LATE: [[], [], [], [(first, settled)]],
        Lie.TWICE: [[(first, settled)]] + [[(first, settled), (second, settled)]] * 3,
        Lie.LOST_REPLY: [[(first, settled)]] * 4,
        Lie.FAILED_THEN_SETTLED: [[(first, failed)]] + [[(first, failed), (second, settled)]] * 3,
    }[lie]


def pay_what_may_be_paid(ledger: Ledger, bank: BankThatLies, day: int) -> None:
    """A payout run as a service has it, once a day."""
    for line in LINES:
        if ledger.may_pay("P-1", line).answer is not May.YES:
            continue
        command = c.Instruct(source="//payout", id=f"{day} {line}", subject="P-1", line=line)
        position = ledger.execute(command).position
        events = {one.position: one for one in ledger.timeline("P-1").events}
        fact: Any = events[position].fact
        try:
            bank.pay(fact.disbursement, fact.amount)
        except NoReply:
            pass


def hear(ledger: Ledger, bank: BankThatLies, now: datetime) -> None:
    for report in bank.answers():
        event = CloudEvent(source="//bank", id=report.id, subject="P-1", time=now, fact=report.fact)
        if ledger.find("//bank", report.id) is None:
            try:
                ledger.record(event)
            except PrakerjaLedgerError as error:
                assert error.code == "ILLEGAL_MOVE", error


@pytest.mark.parametrize("seed", range(25))
def test_whatever_the_bank_says_the_ledger_knows_what_was_paid(seed: int):
    """Only a payment that was reported as failed and made after all can be made again, and is found."""
    clock, bank = TestClock(MAY_20), BankThatLies(seed=seed)
    with Ledger.open("memory://", clock=clock) as ledger:
        ledger.execute_all(ordinary_life())
        for day in range(150):
            pay_what_may_be_paid(ledger, bank, day)
            hear(ledger, bank, clock())
            clock.pass_by(days=1)
        for _ in range(5):
            hear(ledger, bank, clock())
        today = clock().date()
        made = ledger.statement("P-1", as_of=today)
        with ledger.journal.reading() as reading:
            evaluation = ledger._evaluation(ledger.streams(reading), View(as_of=today))
            codes = {one.code for one in evaluation.findings()[0]}

    cash = sum(line.paid for line in made.lines if line.line != "training")
    assert cash == bank.paid
    if made.total("overpaid"):
        assert Code.SETTLED_AFTER_FAILURE in codes
    else:
        assert cash <= 4 * 600_000
