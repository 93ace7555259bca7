"""Four eyes: what takes back or changes the record names two people, where the ledger asks for that."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from attrs import evolve

from prakerja_ledger import KARTU_PRAKERJA, AsyncLedger, Ledger
from prakerja_ledger import commands as c
from prakerja_ledger.domain.errors import InvalidField, Refused
from prakerja_ledger.evidence.wire import read_event
from prakerja_ledger.ledger.ledger import Receipt
from tests.cli_support import run
from tests.ledger_support import enrolment, purchase
from tests.postgres_support import made, shared_database  # noqa: F401  # a fixture
from tests.test_commands import written

OVERSEEN = {
    "a correction": lambda **people: c.CorrectEnrolment(
        source="//office", id="c", subject="P-1", wave=3, scheme="semi-bansos-2020", reason="typing error",
        authority="SK-7", **people),
    "a revocation": lambda **people: c.Revoke(source="//office", id="r", subject="P-1", reason="fraud", **people),
    "a void": lambda **people: c.VoidEvent(
        source="//office", id="v", subject="P-1", voided_source="//pmo", voided_id="bought U1",
        reason="never was", authority="SK-8", **people),
}  # fmt: skip
TWO = {"maker": "staff-11", "checker": "staff-12"}


def opened(url: str, **options: Any) -> Ledger:
    ledger = Ledger.open(url, **options)
    ledger.record_all([enrolment("P-1"), purchase()])
    return ledger


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path) -> str:
    if request.param == "postgresql":
        return made(request.getfixturevalue("shared_database"))
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/ledger.db"


every_one = pytest.mark.parametrize("which", OVERSEEN)


# --- switched on ------------------------------------------------------------------------------------------

ALONE = {
    "nobody is named": ({}, "NOT_CHECKED"),
    "no checker": ({"maker": "staff-11"}, "NOT_CHECKED"),
    "no maker": ({"checker": "staff-11"}, "NOT_CHECKED"),
    "a blank checker": ({"maker": "staff-11", "checker": "  "}, "NOT_CHECKED"),
    "one person": ({"maker": "staff-11", "checker": "staff-11"}, "CHECKED_BY_ITS_MAKER"),
    "one person in capitals": ({"maker": "staff-11", "checker": " STAFF-11 "}, "CHECKED_BY_ITS_MAKER"),
    "one person in wide letters": ({"maker": "staff", "checker": "ｓｔａｆｆ"}, "CHECKED_BY_ITS_MAKER"),
}


@every_one
@pytest.mark.parametrize("case", ALONE)
def test_who_is_not_two_people_is_refused_and_nothing_is_written(which: str, case: str):
    people, code = ALONE[case]
    with opened("memory://", four_eyes=True) as ledger:
        with pytest.raises(Refused) as caught:
            ledger.execute(OVERSEEN[which](**people))
        assert (caught.value.code, ledger.head()) == (code, 2)


def test_the_refusals_say_what_to_do():
    with opened("memory://", four_eyes=True) as ledger:
        with pytest.raises(Refused) as missing:
            ledger.execute(OVERSEEN["a void"](maker="staff-11"))
        with pytest.raises(Refused) as one:
            ledger.execute(OVERSEEN["a void"](maker="staff-11", checker="Staff-11"))
    assert [str(error.value) for error in (missing, one)] == [
        "it takes a maker and a checker, and the checker is not named. Have another person approve it, and name both.",
        "Staff-11 is maker and checker in one. Have another person approve it.",
    ]


@every_one
def test_two_people_are_recorded_with_the_event(url: str, which: str):
    with opened(url, four_eyes=True) as ledger:
        assert ledger.execute(OVERSEEN[which](**TWO)) == Receipt(3)
        line = list(ledger.lines())[-1]
    event = json.loads(line)
    assert (event["xmaker"], event["xchecker"]) == ("staff-11", "staff-12")
    assert "maker" not in event["data"]
    assert read_event(line, 3, KARTU_PRAKERJA).identity == ("//office", event["id"])


@every_one
def test_the_same_again_is_a_duplicate_whoever_approves_it_then(which: str):
    """What happened is the same; it is not judged again."""
    with opened("memory://", four_eyes=True) as ledger:
        first = ledger.execute(OVERSEEN[which](**TWO))
        for people in (TWO, {"maker": "staff-1", "checker": "staff-2"}, {}):
            assert ledger.execute(OVERSEEN[which](**people)) == Receipt(first.position, duplicate=True)


def test_what_takes_nothing_back_needs_one_person():
    with opened("memory://", four_eyes=True) as ledger:
        ledger.execute_all([
            c.LinkAccount(source="//office", id="l", subject="P-1", provider="ovo", account="A-1"),
            c.HoldPayments(source="//office", id="h", reason="audit"),
        ])  # fmt: skip
        assert ledger.head() == 4


def test_what_happened_elsewhere_is_recorded_and_imported_as_it_is(tmp_path):
    """A history is facts: nobody here approved them, and nobody may refuse them."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    with opened("memory://") as plain:
        plain.execute_all([made() for made in OVERSEEN.values()])
        lines = list(plain.lines())
    answer = run("import", written(tmp_path / "history.jsonl", lines[:-1]), "--ledger", url)
    assert answer.status == 0
    with Ledger.open(url, four_eyes=True) as ledger:
        ledger.record(lines[-1])
        assert list(ledger.lines()) == lines


def test_it_holds_inside_a_callers_transaction(tmp_path):
    with opened(f"sqlite:///{tmp_path}/ledger.db", four_eyes=True) as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with pytest.raises(Refused, match="is not named"):
                ledger.using(connection).execute(OVERSEEN["a void"]())
            connection.execute("ROLLBACK")


async def _asynchronously() -> str:
    async with await AsyncLedger.open("memory://", four_eyes=True) as ledger:
        await ledger.record(enrolment("P-1"))
        with pytest.raises(Refused) as caught:
            await ledger.execute(OVERSEEN["a revocation"]())
    return caught.value.code


def test_it_holds_in_an_event_loop():
    assert asyncio.run(_asynchronously()) == "NOT_CHECKED"


# --- switched off, as it is unless asked for --------------------------------------------------------------


@every_one
@pytest.mark.parametrize("people", [{}, {"maker": "staff-11"}, TWO], ids=str)
def test_switched_off_nobody_has_to_be_named_and_who_is_is_kept(url: str, which: str, people: dict[str, str]):
    with opened(url) as ledger:
        assert ledger.execute(OVERSEEN[which](**people)) == Receipt(3)
        event = json.loads(list(ledger.lines())[-1])
    assert {k: v for k, v in event.items() if k.startswith("x")} == {f"x{k}": v for k, v in people.items()}


@pytest.mark.parametrize("name", ["", 7, "x" * 201, "\ud800"], ids=ascii)
def test_who_is_named_by_no_name_is_told_when_the_command_is_made(name: Any):
    with pytest.raises(InvalidField, match="maker"):
        OVERSEEN["a void"](maker=name, checker="staff-12")


# --- voiding by command -----------------------------------------------------------------------------------


def test_a_void_by_command_takes_the_event_out_of_view(url: str):
    with opened(url) as ledger:
        ledger.execute(OVERSEEN["a void"]())
        timeline = ledger.timeline("P-1")
    assert {at: void.id for at, void in timeline.voids.items()} == {2: "v"}


REFUSED_VOIDS = {
    "an event that is not there": ({"voided_id": "none"}, "UNKNOWN_REFERENCE"),
    "an enrolment": ({"voided_id": "enrolled P-1"}, "ILLEGAL_MOVE"),
    "another subject": ({"subject": "P-2"}, "NOT_ENROLLED"),
}


@pytest.mark.parametrize("case", REFUSED_VOIDS)
def test_a_void_by_command_is_held_to_what_the_history_allows(url: str, case: str):
    changes, code = REFUSED_VOIDS[case]
    with opened(url) as ledger:
        with pytest.raises(Refused) as caught:
            ledger.execute(evolve(OVERSEEN["a void"](), **changes))
        assert (caught.value.code, ledger.head()) == (code, 2)


def test_a_hold_and_a_package_can_be_voided_by_command_too(url: str):
    with opened(url) as ledger:
        ledger.execute_all([
            c.HoldPayments(source="//office", id="h", reason="audit"),
            c.OfferPackage(source="//office", id="o", subject="K-1", platform="tokopedia", price=1,
                           courses=[{"course": "C-1", "institution": "I"}]),
            c.VoidEvent(source="//office", id="v1", subject="programme", voided_source="//office", voided_id="h",
                        reason="r", authority="a"),
            c.VoidEvent(source="//office", id="v2", subject="K-1", voided_source="//office", voided_id="o",
                        reason="r", authority="a"),
        ])  # fmt: skip
        assert ledger.head() == 6
