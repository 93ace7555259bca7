"""One source in one view: who is in it, and what is asked of it."""

from __future__ import annotations

import pytest

from prakerja_ledger.domain.errors import CalendarTooShort, NotInView, NotKnownInView
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.finding import Code
from tests.support import (
    WHO, bought, certified, completed, earned, enrolled, held, names, offered, payable, rated,
    recorded, view,
)  # fmt: skip

HISTORY = enrolled(who="P-2") + enrolled() + enrolled("2020-06-01", who="P-3") + offered()


def evaluation(history, as_of="2020-05-31", known_at=None) -> Evaluation:
    return recorded(history).evaluation(view(as_of, known_at))


def test_participants_in_view_are_listed_by_id():
    assert [one.id for one in evaluation(HISTORY).in_view()] == [WHO, "P-2"]


def test_a_participant_may_be_named_or_given():
    made = evaluation(HISTORY)
    named, given = made.statement(WHO), made.statement(made.participant(WHO))
    assert (named.participant, named.total("amount")) == (given.participant, 3_550_000)


@pytest.mark.parametrize("name", ["P-3", "nobody"])
def test_a_participant_who_is_not_in_view_is_an_error_not_an_empty_answer(name):
    with pytest.raises(NotInView) as raised:
        evaluation(HISTORY).statement(name)
    assert str(raised.value) == (
        f"participant {name} is not in view: no enrolment dated by 2020-05-31 is on record. "
        "Check the id, or ask for a later day (--as-of)."
    )


def test_a_participant_who_was_not_known_is_an_error_that_says_by_when():
    with pytest.raises(NotKnownInView) as raised:
        evaluation(HISTORY, "2020-05-31", "2020-04-19").participant(WHO)
    assert str(raised.value) == (
        "participant P-1 is not in view: no enrolment dated by 2020-05-31 was known by "
        "2020-04-19T23:59:59.999999+07:00. "
        "Check the id, or ask for a later day (--as-of) or moment (--known-at)."
    )


def test_the_programmes_own_facts_are_looked_at_once():
    made = evaluation(HISTORY + held())
    assert names([made.around.hold]) == ["held"]
    assert made.around is made.around


def test_findings_come_with_those_whom_the_calendar_is_too_short_to_judge():
    found, undecided = evaluation(HISTORY).findings()
    assert {one.code for one in found} == {
        Code.PACKAGE_BUNDLES_COURSES, Code.COURSE_NOT_EVALUABLE, Code.FIRST_PURCHASE_LATE,
    }  # fmt: skip
    assert undecided == []


def test_a_statement_beyond_the_calendar_is_an_error_and_the_others_stand():
    beyond = (
        enrolled("2027-12-01", wave=70, scheme="normal-2024")
        + bought(on="2027-12-02")
        + completed(on="2027-12-29")
        + certified(on="2027-12-30")
        + rated(on="2027-12-31")
    )
    made = evaluation(beyond + enrolled(who="P-2") + payable("P-2") + earned("P-2"), "2027-12-31")
    with pytest.raises(CalendarTooShort):
        made.statement(WHO)
    assert made.statement("P-2").line("post-training/1").unpaid == 600_000
