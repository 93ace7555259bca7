"""Projections: rows that are the law's statements, whatever was recorded and however many days went by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from prakerja_ledger.domain.errors import (
    CalendarTooShort,
    InvalidField,
    LedgerFault,
    NoSuchLine,
    NotInView,
)
from prakerja_ledger.interfaces.json_output import finding_json
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.projecting import projector, writer
from prakerja_ledger.projecting.projection import Projection
from prakerja_ledger.projecting.projector import Projector
from prakerja_ledger.projecting.tables import Slot
from prakerja_ledger.reading.case import Case, look_at_packages
from prakerja_ledger.reading.dossier import look_at_programme, open_dossier
from prakerja_ledger.reading.findings import own_findings
from prakerja_ledger.reading.permission import May, may_pay
from prakerja_ledger.reading.statement import StatementLine, statement
from prakerja_ledger.reading.turning import enters_on, turns_on
from prakerja_ledger.reading.view import View, look
from tests.ledger_support import Boom, enrolment, envelope, instruct, ordinary_life
from tests.postgres_support import (
    made,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    without_options,
)
from tests.projection_support import Days, all_rows, growing, law_of, life, projected, recorded
from tests.servers import connect
from tests.worlds import history

FIRST = int(os.environ.get("PRAKERJA_SEED", "0"))
COUNT = int(os.environ.get("PRAKERJA_WORLDS", "30"))


@pytest.fixture(params=["sqlite", "postgresql"])
def into(request: Any, tmp_path: Any) -> str:
    """Where the tables are to be."""
    if request.param == "postgresql":
        url = made(request.getfixturevalue("shared_database"))
        with connect(without_options(url)) as connection:
            connection.execute(f"CREATE SCHEMA {schema_of(url)}_projection")
        return url
    return f"sqlite:///{tmp_path}/rows.db"


@pytest.fixture
def days() -> Days:
    return Days("2020-05-20")


@pytest.fixture
def ledger(days: Days) -> Iterator[Ledger]:
    with Ledger.open("memory://", clock=days) as opened:
        yield opened


@pytest.fixture
def projection(ledger: Ledger, into: str) -> Iterator[Projection]:
    with Projection.open(ledger, into) as opened:
        yield opened


# --- when a statement turns ---------------------------------------------------------------------------


def content(line: StatementLine) -> tuple[Any, ...]:
    """All of a line but what moves on every day."""
    return (
        line.line, line.amount, line.status, line.owed, line.paid, line.unpaid, line.overdue,
        line.in_flight, line.overpaid, line.not_yet_earned, line.forfeited, line.earned,
        line.earned_on, line.due_on, line.causes, [one.position for one in line.evidence],
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_statement_and_findings_read_the_same_until_the_day_they_turn(seed: int):
    with Ledger.open("memory://") as ledger:
        recorded(ledger, [line for line in history(seed) if line.strip()])
        with ledger.journal.reading() as reading:
            streams = ledger.streams(reading)
            people = list(streams.participants)
            own = streams.programme_stream()
            packages = look_at_packages(streams.packages, View(as_of=date.max))

    def at(who: Any, day: date) -> tuple[Any, date | None]:
        view = View(as_of=day)
        around = look_at_programme(own, view)
        made = statement(who, view, ledger.programme, around)
        if made is None:
            return None, enters_on(who, view)
        seen = look(who, view)
        assert seen is not None
        dossier = open_dossier(seen, view, ledger.programme)
        found = own_findings(Case(dossier, made, ledger.programme, around, packages, []))
        told = (
            made.wave, made.scheme, made.standing, [content(line) for line in made.lines],
            [finding_json(one) for one in found if one.on <= day],
        )  # fmt: skip
        return told, turns_on(dossier, made, found, ledger.programme, own)

    for who in people:
        day, last = date(2020, 4, 1), date(2021, 4, 1)
        while day < last:
            try:
                told, turns = at(who, day)
                for ahead in (1, 2, 5, 17, 40, 90, 200):
                    later = day + timedelta(days=ahead)
                    if turns is None or later < turns:
                        assert at(who, later)[0] == told, f"{who.id} as of {day} and {later}"
                if turns is not None:
                    before = turns - timedelta(days=1)
                    assert before <= day or at(who, before)[0] == told, f"{who.id} {day} {before}"
            except CalendarTooShort:
                break
            day = max(turns or last, day + timedelta(days=1))


# --- the rows are the law's ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_rows_are_the_laws_statements_while_a_world_grows_and_days_pass(
    projection: Projection, ledger: Ledger, days: Days, seed: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "A_CHUNK", 1 + seed % 4)
    for lines, day in growing(seed):
        days.go_to(day)
        recorded(ledger, lines)
        projection.run()

        law = law_of(ledger, days.day)
        assert projected(projection, law) == law, f"seed {seed}, as of {day}"
        assert projection.lag().is_current
    kept = all_rows(projection)
    projection.rebuild()
    assert all_rows(projection) == kept, f"seed {seed}: a rebuild makes other rows"


def test_a_hold_gives_its_cause_to_all_whom_it_keeps_waiting(
    projection: Projection, ledger: Ledger
):
    for n in range(3):
        ledger.execute_all(life(f"P-{n}"))
    projection.run()
    held = {"reason": "review"}
    ledger.record(envelope("payments-held", "programme", "held", held, time="2020-05-19T09:00:00+07:00"))
    assert projection.run() == 3
    law = law_of(ledger, date(2020, 5, 20))

    assert {one.cause for one in projection.unpaid().lines} == {"PROGRAMME_HOLD"}
    assert projected(projection, law) == law


def buys_a_package(ledger: Ledger) -> None:
    """A participant to whom nothing is owed buys a package."""
    courses = [{"course": "C-1", "institution": "I-1"}]
    offer = {"platform": "skill-academy", "price": 400_000, "courses": courses}
    ledger.record(envelope("package-offered", "PK-1", "offered", offer, time="2020-04-11T09:00:00+07:00"))
    ledger.record(enrolment("P-1"))
    bought = {**offer, "purchase": "B-1", "package": "PK-1", "method": "prakerja"}
    ledger.record(envelope("training-purchased", "P-1", "bought", bought, time="2020-05-19T09:00:00+07:00"))


def codes(projection: Projection, ledger: Ledger) -> set[str]:
    law = law_of(ledger, date(2020, 5, 20))
    assert projected(projection, law) == law
    return {one.code.value for one in projection.findings().findings}


def test_a_stop_of_package_sales_is_a_finding_of_all_who_bought_after_it(
    projection: Projection, ledger: Ledger
):
    buys_a_package(ledger)
    projection.run()
    assert "PACKAGE_SOLD_AFTER_STOP" not in codes(projection, ledger)
    stop = {"effective": "2020-05-01", "notice": "S-148", "platforms": ["skill-academy"]}
    ledger.record(
        envelope("package-sales-stopped", "programme", "stop", stop, time="2020-05-20T09:00:00+07:00")
    )
    projection.run()
    assert "PACKAGE_SOLD_AFTER_STOP" in codes(projection, ledger)


def test_another_offer_of_a_package_is_a_finding_of_those_who_bought_it(
    projection: Projection, ledger: Ledger
):
    buys_a_package(ledger)
    projection.run()
    assert "PACKAGE_OTHER_PLATFORM" not in codes(projection, ledger)
    void = {"source": "//pmo", "id": "offered", "reason": "error", "authority": "PMO"}
    ledger.record(envelope("event-voided", "PK-1", "void", void))
    courses = [{"course": "C-1", "institution": "I-1"}]
    offer = {"platform": "tokopedia", "price": 400_000, "courses": courses}
    ledger.record(envelope("package-offered", "PK-1", "again", offer, time="2020-04-11T09:00:00+07:00"))
    projection.run()
    assert "PACKAGE_OTHER_PLATFORM" in codes(projection, ledger)


def test_an_account_is_shared_from_the_second_who_links_it_until_it_is_one_mans_again(
    projection: Projection, ledger: Ledger
):
    linked = {"provider": "ovo", "account": "A-1"}
    for who in ("P-1", "P-2"):
        ledger.record(enrolment(who))
        ledger.record(
            envelope("account-linked", who, f"linked {who}", linked, time="2020-05-19T09:00:00+07:00")
        )
        projection.run()
        assert ("SHARED_ACCOUNT" in codes(projection, ledger)) == (who == "P-2")
    void = {"source": "//pmo", "id": "linked P-1", "reason": "error", "authority": "PMO"}
    ledger.record(envelope("event-voided", "P-1", "void", void))
    projection.run()
    assert "SHARED_ACCOUNT" not in codes(projection, ledger)


def test_a_day_that_turns_nobody_writes_nothing_but_the_day(
    projection: Projection, ledger: Ledger, days: Days
):
    ledger.execute_all(ordinary_life())
    projection.run()
    (before,) = projection.unpaid().lines
    days.go_to("2020-05-22")

    assert projection.run() == 0
    page = projection.unpaid()
    assert page.as_of == date(2020, 5, 22)
    assert page.lines[0].overdue_working_days > before.overdue_working_days


def test_a_clock_that_goes_back_takes_nothing_back(
    projection: Projection, ledger: Ledger, days: Days
):
    ledger.execute_all(ordinary_life())
    projection.run()
    days.go_to("2020-05-01")
    ledger.record(enrolment("P-2"))
    projection.run()

    assert projection.unpaid().as_of == date(2020, 5, 20)


def test_a_rebuild_ends_although_the_clock_went_back(
    projection: Projection, ledger: Ledger, days: Days
):
    """Its rows stand as of the day that was read already."""
    ledger.execute_all(ordinary_life())
    projection.run()
    days.go_to("2020-05-01")
    projection.rebuild()

    law = law_of(ledger, date(2020, 5, 20))
    assert projection.unpaid().as_of == date(2020, 5, 20)
    assert projected(projection, law) == law


def test_a_hold_dated_ahead_leaves_rows_that_a_rebuild_would_make(
    projection: Projection, ledger: Ledger
):
    """Who waits for no money is not touched by it, and so need not turn with it."""
    ledger.record(enrolment("P-1"))
    ledger.execute_all(life("P-2"))
    projection.run()
    held = {"reason": "review"}
    ledger.record(envelope("payments-held", "programme", "held", held, time="2020-05-25T09:00:00+07:00"))
    assert projection.run() == 1
    kept = all_rows(projection)
    projection.rebuild()

    assert all_rows(projection) == kept


# --- one's own writes ---------------------------------------------------------------------------------


def test_one_reads_what_one_wrote_after_waiting_for_it(projection: Projection, ledger: Ledger):
    ledger.execute_all(ordinary_life())
    projection.run()
    assert [one.may_pay for one in projection.unpaid(may_pay="yes").lines] == [May.YES]
    receipt = ledger.execute(instruct())
    with pytest.raises(LedgerFault, match="not taken in within"):
        projection.wait(receipt, timeout=0.05)
    projection.run()
    projection.wait(receipt)

    assert projection.statement("P-1")["lines"][1]["status"] == "in-flight"
    assert projection.may_pay("P-1", "post-training/1").answer is May.UNKNOWN
    assert not projection.unpaid(may_pay="yes").lines
    assert projection.unpaid().position >= receipt.position


# --- faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_and_run_again_the_rows_are_those_of_a_rebuild(
    projection: Projection, ledger: Ledger, days: Days, seed: int, monkeypatch: pytest.MonkeyPatch
):
    """In the middle of every transaction once, with the rows written and not committed."""
    monkeypatch.setattr(writer, "A_CHUNK", 2)
    change, left = type(projection.tables).change, [0]

    def torn(tables: Any, expected: Any) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def broken() -> Iterator[Any]:
            with change(tables, expected) as ours:
                yield ours
                left[0] -= 1
                if not left[0]:
                    raise Boom

        return broken()

    monkeypatch.setattr(type(projection.tables), "change", torn)
    for lines, day in growing(seed, pieces=4):
        days.go_to(day)
        recorded(ledger, lines)
        for at in range(1, 4):
            left[0] = at
            try:
                projection.run()
            except Boom:
                continue
        left[0] = 0
        projection.run()
        law = law_of(ledger, days.day)
        assert projected(projection, law) == law
    kept = all_rows(projection)
    for at in (1, 2, 3):
        left[0] = at
        try:
            projection.rebuild()
        except Boom:
            continue
    left[0] = 0
    projection.rebuild()
    assert all_rows(projection) == kept


def test_a_runner_that_was_overtaken_writes_nothing_and_goes_on(
    ledger: Ledger, into: str, monkeypatch: pytest.MonkeyPatch
):
    with Projection.open(ledger, into) as one, Projection.open(ledger, into) as other:
        ledger.execute_all(life("P-1"))
        one.run()
        ledger.execute_all(life("P-2"))
        state, met = Projector._state, []

        def overtaken(projector: Projector, slot: Slot) -> Any:
            found = state(projector, slot)
            if projector.tables is one.tables and not met:
                met.append(found)
                other.run()
            return found

        monkeypatch.setattr(Projector, "_state", overtaken)
        one.run()
        law = law_of(ledger, date(2020, 5, 20))

        assert met
        assert projected(one, law) == law


def test_a_first_run_beside_a_rebuild_that_has_begun_keeps_positions_of_its_own(
    projection: Projection, ledger: Ledger
):
    """Else the rebuild would take for taken in what only the run took in."""
    ledger.execute_all(life("P-1"))
    projection.tables.make()
    Projector(ledger, projection.tables).step(Slot.NEXT)
    projection.run()
    ledger.execute_all(life("P-2"))
    projection.run()
    projection.rebuild()

    law = law_of(ledger, date(2020, 5, 20))
    assert projected(projection, law) == law


@pytest.mark.parametrize("times", [1, 2])
def test_a_rebuild_begins_anew_where_others_swapped_meanwhile(
    ledger: Ledger, into: str, times: int, monkeypatch: pytest.MonkeyPatch
):
    """It had chosen a generation that is taken now, with the positions of that one."""
    with Projection.open(ledger, into) as one, Projection.open(ledger, into) as other:
        ledger.execute_all(life("P-1"))
        one.run()
        change, met = type(one.tables).change, []

        def overtaken(tables: Any, expected: Any) -> Any:
            if tables is one.tables and not met:
                met.append(expected)
                ledger.execute_all(life("P-2"))
                for _ in range(times):
                    other.rebuild()
            return change(tables, expected)

        monkeypatch.setattr(type(one.tables), "change", overtaken)
        one.rebuild()
        law = law_of(ledger, date(2020, 5, 20))

        assert met
        assert projected(one, law) == law


def test_tables_of_another_ledger_are_refused(ledger: Ledger, into: str):
    ledger.record(enrolment("P-1"))
    with Projection.open(ledger, into) as ours:
        ours.run()
    with (
        Ledger.open("memory://another") as stranger,
        Projection.open(stranger, into) as theirs,
        pytest.raises(LedgerFault, match="tables of memory://. Give each ledger its own"),
    ):
        theirs.run()
    with (
        Ledger.open("memory://another") as stranger,
        Projection.open(stranger, into) as theirs,
        pytest.raises(LedgerFault, match="tables of memory://"),
    ):
        theirs.rebuild()


def test_rows_of_another_law_are_not_added_to(ledger: Ledger, into: str, monkeypatch: pytest.MonkeyPatch):
    ledger.record(enrolment("P-1"))
    with Projection.open(ledger, into) as ours:
        ours.run()
        monkeypatch.setattr(projector, "_LAW", "statement rules 2")
        with pytest.raises(LedgerFault, match="made by statement and findings, rules 1.*projection rebuild"):
            ours.run()
        ours.rebuild()
        assert ours.run() == 0


def test_on_postgresql_a_run_makes_no_schema_unasked(
    ledger: Ledger, shared_database: str  # noqa: F811
):
    url = made(shared_database)
    ledger.record(enrolment("P-1"))
    with Projection.open(ledger, url) as projection:
        with pytest.raises(LedgerFault, match="no schema ledger_[0-9]+_projection, and none is made"):
            projection.run()
        projection.rebuild()
        assert projection.statement("P-1")["wave"] == 2
        assert projection.run() == 0


# --- asking -------------------------------------------------------------------------------------------


def test_what_is_not_built_says_so(projection: Projection, ledger: Ledger):
    ledger.record(enrolment("P-1"))
    for ask in (projection.unpaid, lambda: projection.totals("wave"), lambda: projection.statement("P")):
        with pytest.raises(LedgerFault, match="not built yet. Run `projection run`"):
            ask()


def test_who_has_no_statement_is_not_in_view(projection: Projection, ledger: Ledger):
    ledger.record(enrolment("P-1"))
    projection.run()
    with pytest.raises(NotInView):
        projection.statement("P-2")


@pytest.mark.parametrize(
    "asked",
    [
        {"may_pay": "maybe"}, {"limit": 0}, {"limit": 10_001}, {"limit": True}, {"cause": "NO_CAUSE"}, {"owner": "me"},
        {"wave": -1}, {"min_overdue": "3"},
    ],
    ids=str,
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(projection: Projection, ledger: Ledger, asked: Any):
    ledger.record(enrolment("P-1"))
    projection.run()
    with pytest.raises(InvalidField):
        projection.unpaid(**asked)


@pytest.mark.parametrize(
    "asked", [{"limit": 0}, {"code": "NO_CODE"}, {"subject": 7}, {"subject": "\ud800"}], ids=str
)
def test_a_question_for_findings_that_makes_no_sense_is_refused(
    projection: Projection, ledger: Ledger, asked: Any
):
    ledger.record(enrolment("P-1"))
    projection.run()
    for ask in (projection.findings, ledger.findings):
        with pytest.raises(InvalidField):
            ask(**asked)


def test_a_rebuild_that_another_law_began_is_begun_anew(
    projection: Projection, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    for n in range(3):
        ledger.execute_all(life(f"P-{n}"))
    projection.run()
    law = projector._LAW
    monkeypatch.setattr(writer, "A_CHUNK", 1)
    monkeypatch.setattr(projector, "_LAW", "a law of yore")
    begun = Projector(ledger, projection.tables)
    assert [begun.step(Slot.NEXT), begun.step(Slot.NEXT)] == [0, 1]
    monkeypatch.setattr(projector, "_LAW", law)

    assert projection.rebuild() == 3
    expected = law_of(ledger, date(2020, 5, 20))
    assert projected(projection, expected) == expected


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 8))
def test_filters_are_the_commands(projection: Projection, ledger: Ledger, days: Days, seed: int):
    for lines, day in growing(seed, pieces=1):
        days.go_to(day)
        recorded(ledger, lines)
    projection.run()
    everything = projection.unpaid(limit=10_000).lines
    causes = sorted({str(one.cause) for one in everything})
    for wanted in (
        *({"cause": cause} for cause in causes),
        *({"owner": str(one.owner)} for one in everything[:3]),
        *({"wave": one.wave} for one in everything[:3]),
        {"min_overdue": 10_000},
        *({"min_overdue": one.overdue_working_days} for one in everything[:9]),
        *({"min_overdue": one.overdue_working_days + 1} for one in everything[:9]),
    ):
        found = projection.unpaid(limit=10_000, **wanted).lines
        expected = [
            one
            for one in everything
            if one.overdue_working_days >= wanted.get("min_overdue", 0)
            and all(getattr(one, name) == value for name, value in wanted.items() if name != "min_overdue")
        ]
        assert list(found) == expected, wanted


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 4))
def test_whether_a_line_may_be_paid_is_what_its_statement_says(
    projection: Projection, ledger: Ledger, days: Days, seed: int
):
    for lines, day in growing(seed, pieces=1):
        days.go_to(day)
        recorded(ledger, lines)
    projection.run()
    payable = set()
    for who in law_of(ledger, days.day)["statements"]:
        made = ledger.statement(who, as_of=days.day)
        for line in made.lines:
            told, law = projection.may_pay(who, line.line), may_pay(line)
            assert (told.answer, told.as_of) == (law.answer, days.day)
            assert told.causes == tuple(one.cause for one in line.causes)
            if told.answer is May.YES:
                payable.add((who, line.line))
        with pytest.raises(NoSuchLine):
            projection.may_pay(who, "post-training/99")
    found = projection.unpaid(may_pay="yes", limit=10_000).lines
    assert {(one.participant, one.line) for one in found} == payable


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 4))
def test_the_view_for_sql_counts_days_as_the_law_does(
    projection: Projection, ledger: Ledger, days: Days, seed: int
):
    for lines, day in growing(seed, pieces=1):
        days.go_to(day)
        recorded(ledger, lines)
    projection.run()
    with projection.tables.look() as look:
        rows = look.rows(
            "SELECT participant, line, unpaid, overdue_working_days FROM projected_unpaid "
            "ORDER BY participant, line"
        )
    expected = [
        (one.participant, one.line, one.unpaid, one.overdue_working_days)
        for one in projection.unpaid(limit=10_000).lines
    ]
    assert [tuple(row) for row in rows] == sorted(expected)


def test_names_of_any_characters_come_back(projection: Projection, ledger: Ledger):
    names = ["a\0b", "\1", "é𝓐", "a'b", 'q"', "%s", "\\", "\ue000", "\uffff", "𝓐"]
    for name in names:
        ledger.execute_all(life(name))
    projection.run()

    assert [one.participant for one in projection.unpaid().lines] == sorted(names)
    for name in names:
        assert projection.statement(name)["participant"] == name
    law = law_of(ledger, date(2020, 5, 20))
    assert projected(projection, law) == law


def test_what_is_shared_may_have_any_name_however_long(projection: Projection, ledger: Ledger):
    for n, account in enumerate(("\0\1" * 100, "\0\1" * 99 + "\0\2", "\U0001f4b0" * 200)):
        linked = {"provider": "ovo", "account": account}
        for who in (f"{n}" + "\0" * 199, f"{n}" + "\uffff" * 199):
            ledger.record(enrolment(who, f"e {n} {len(who.encode())}"))
            ledger.record(envelope("account-linked", who, f"l {n} {len(who.encode())}", linked))
    for who in (f"{n}" + "\0" * 199 for n in range(3)):
        course = {"course": "\0" * 200, "institution": "I-1"}
        bought = {"purchase": "B", "platform": "tokopedia", "price": 1, "method": "prakerja", "courses": [course]}
        ledger.record(envelope("training-purchased", who, f"b {who[0]}", bought))
        certificate = {"course": "\0" * 200, "certificate": "\1" * 200}
        ledger.record(envelope("certificate-issued", who, f"c {who[0]}", certificate))
    projection.run()
    law = law_of(ledger, date(2020, 5, 20))

    assert projected(projection, law) == law
    kept = all_rows(projection)
    projection.rebuild()
    assert all_rows(projection) == kept
    assert len(projection.findings(code="SHARED_ACCOUNT").findings) == 6
    assert len(projection.findings(code="DUPLICATE_CERTIFICATE").findings) == 3


# --- the same, asked of the ledger --------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 8))
def test_a_ledger_gives_the_same_answers_from_its_history(
    projection: Projection, ledger: Ledger, days: Days, seed: int
):
    for lines, day in growing(seed, pieces=1):
        days.go_to(day)
        recorded(ledger, lines)
    projection.run()
    after = None
    while True:
        ours, theirs = ledger.unpaid(limit=2, after=after), projection.unpaid(limit=2, after=after)
        assert ours == theirs
        after = ours.next
        if after is None:
            break
    at = None
    while True:
        ours, theirs = ledger.findings(limit=2, after=at), projection.findings(limit=2, after=at)
        assert ours == theirs
        at = ours.next
        if at is None:
            break
    for one in projection.findings(limit=10).findings:
        for asked in ({"code": one.code.value}, {"subject": one.subject}):
            assert ledger.findings(**asked, limit=5) == projection.findings(**asked, limit=5)
    for by in ("wave", "cause", "status"):
        ours, theirs = ledger.totals(by), projection.totals(by)
        assert list(ours.groups) == list(theirs.groups)
        assert (ours.as_of, ours.position, ours.undecided) == (
            theirs.as_of, theirs.position, theirs.undecided,
        )  # fmt: skip


def test_a_timeline_is_all_that_is_recorded_of_one(ledger: Ledger):
    ledger.execute_all(life("P-1"))
    ledger.record(enrolment("P-2"))
    void = {"source": "//test", "id": "rate P-1", "reason": "error", "authority": "PMO"}
    ledger.record(envelope("event-voided", "P-1", "void", void))
    found = ledger.timeline("P-1")

    assert [one.position for one in found.events] == [1, 2, 3, 4, 5, 6, 7, 9]
    assert {at: void.id for at, void in found.voids.items()} == {7: "void"}
    assert found.position == 9
    with pytest.raises(NotInView):
        ledger.timeline("P-3")
