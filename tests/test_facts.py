"""The facts: checked when they are made, named for ever."""

from __future__ import annotations

from datetime import date

import attrs
import pytest
from hypothesis import given

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import InvalidField
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT
from prakerja_ledger.domain.facts import FACTS, Course, data_of
from prakerja_ledger.testing import strategies
from tests.support import enrolled, recorded

CONTRACT = {
    "enrolled": "wave scheme",
    "enrolment-corrected": "wave scheme reason authority",
    "account-linked": "provider account",
    "account-verified": "account",
    "account-rejected": "account reason",
    "account-unlinked": "account",
    "training-purchased": "purchase platform price method courses package?",
    "purchase-refunded": "purchase amount",
    "course-completed": "course score?",
    "certificate-issued": "course certificate",
    "course-rated": "course instructor? facilities? programme? reviewed",
    "survey-submitted": "survey",
    "disbursement-instructed": "disbursement component instalment amount provider account?",
    "disbursement-settled": "disbursement amount? reference",
    "disbursement-failed": "disbursement reason",
    "disbursement-returned": "disbursement amount? reason",
    "participation-revoked": "reason",
    "participation-reinstated": "reason",
    "complaint-filed": "complaint component? instalment? channel?",
    "complaint-resolved": "complaint outcome",
    "event-voided": "source id reason authority",
    "package-offered": "platform price courses",
    "package-withdrawn": "reason?",
    "package-sales-stopped": "notice effective platforms",
    "payments-held": "reason",
    "payments-resumed": "",
}
"""Section 2: every type with its fields, `?` marking an optional one."""


def test_the_kinds_and_their_fields_are_those_of_the_contract():
    assert {
        kind.kind: " ".join(a.name + "?" * (a.default is None) for a in f.fields_of(kind))
        for kind in FACTS.values()
    } == CONTRACT


def test_a_type_is_its_kind_with_programme_and_version():
    assert list(FACTS) == [f"prakerja.{kind.kind}.v1" for kind in FACTS.values()]


def test_every_kind_belongs_to_the_stream_of_its_subject():
    streams = {kind.kind: kind.stream for kind in FACTS.values() if kind.stream != f.PARTICIPANT}
    assert streams == {
        "event-voided": "any",
        "package-offered": "package",
        "package-withdrawn": "package",
        "package-sales-stopped": "programme",
        "payments-held": "programme",
        "payments-resumed": "programme",
    }


def test_a_kind_is_taken_once():
    with pytest.raises(AssertionError, match="enrolled is taken"):
        type("Second", (f.Fact,), {}, kind="enrolled")


@given(strategies.facts)
def test_the_data_of_a_fact_makes_the_same_fact(fact):
    assert type(fact)(**data_of(fact)) == fact


@given(strategies.facts)
def test_values_stand_in_the_order_of_the_fields(fact):
    names = f.FIELD_NAMES[type(fact)]
    assert f.values_of(fact) == tuple(getattr(fact, name) for name in names)


@given(strategies.facts)
def test_absent_fields_are_left_out_of_the_data(fact):
    assert None not in data_of(fact).values()


def test_a_fact_cannot_be_changed():
    fact = f.AccountVerified(account="A-1")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        fact.account = "A-2"


def test_a_fact_takes_its_fields_by_name_only():
    with pytest.raises(TypeError):
        f.AccountVerified("A-1")


# --- fields ---------------------------------------------------------------------------------------

OFFER = {"platform": "tokopedia", "price": 1}
ONE = {"course": "C-1", "institution": "LP-1"}
TEXT = "a text of 1 to 200 characters"
COURSES = "a list of {course, institution} with distinct courses, at least one"
WRONG = [
    (f.AccountVerified, {"account": ""}, "account", TEXT),
    (f.AccountVerified, {"account": "a" * 201}, "account", TEXT),
    (f.AccountVerified, {"account": 1}, "account", TEXT),
    (f.AccountVerified, {"account": None}, "account", TEXT),
    (f.CourseCompleted, {"course": "C", "score": -1}, "score", "an integer from 0 to 100"),
    (f.CourseCompleted, {"course": "C", "score": 101}, "score", "an integer from 0 to 100"),
    (f.CourseCompleted, {"course": "C", "score": True}, "score", "an integer from 0 to 100"),
    (f.CourseCompleted, {"course": "C", "score": 1.0}, "score", "an integer from 0 to 100"),
    (
        f.PurchaseRefunded, {"purchase": "B", "amount": 0}, "amount",
        "an integer from 1 to 9007199254740991",
    ),
    (
        f.PurchaseRefunded, {"purchase": "B", "amount": 2**53}, "amount",
        "an integer from 1 to 9007199254740991",
    ),
    (
        f.CourseRated, {"course": "C", "instructor": 6, "reviewed": True}, "instructor",
        "an integer from 1 to 5",
    ),
    (
        f.CourseRated, {"course": "C", "instructor": 1, "reviewed": 1}, "reviewed",
        "true or false",
    ),
    (f.CourseRated, {"course": "C", "reviewed": True}, "instructor", "at least one of the three"),
    (
        f.ParticipationRevoked, {"reason": "poor"}, "reason",
        "one of no-first-purchase, ineligible, fraud, other",
    ),
    (f.ParticipationRevoked, {"reason": None}, "reason",
     "one of no-first-purchase, ineligible, fraud, other"),
    (
        f.ComplaintFiled, {"complaint": "K", "component": "training"}, "component",
        "one of post-training, survey",
    ),
    (f.ComplaintFiled, {"complaint": "K", "instalment": 0}, "instalment",
     "an integer from 1 to 9007199254740991"),
    (f.PackageOffered, {**OFFER, "courses": []}, "courses", COURSES),
    (f.PackageOffered, {**OFFER, "courses": {}}, "courses", COURSES),
    (f.PackageOffered, {**OFFER, "courses": [ONE, ONE]}, "courses", COURSES),
    (f.PackageOffered, {**OFFER, "courses": ["C-1"]}, "courses", COURSES),
    (f.PackageOffered, {**OFFER, "courses": [{"course": "C-1"}]}, "courses", COURSES),
    (f.PackageOffered, {**OFFER, "courses": [{**ONE, "name": "x"}]}, "courses", COURSES),
    (f.PackageOffered, {**OFFER, "courses": [{**ONE, "course": ""}]}, "course", TEXT),
    (
        f.PackageSalesStopped,
        {"notice": "S-148", "effective": "2020-02-30", "platforms": ["tokopedia"]},
        "effective", "a real day, YYYY-MM-DD",
    ),
    (
        f.PackageSalesStopped,
        {"notice": "S-148", "effective": 20200630, "platforms": ["tokopedia"]},
        "effective", "a real day, YYYY-MM-DD",
    ),
    *(
        (
            f.PackageSalesStopped,
            {"notice": "S-148", "effective": "2020-06-30", "platforms": platforms},
            "platforms",
            "a list of distinct words of bukalapak, maubelajarapa, pijar-mahir, pintaria, "
            "sekolahmu, sisnaker, skill-academy, tokopedia, karier-mu",
        )
        for platforms in ([], "tokopedia", ["tokopedia"] * 2, ["amazon"], [["tokopedia"]], None)
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data", "field", "expected"), WRONG)
def test_a_field_that_breaks_its_rule_is_refused_by_name(kind, data, field, expected):
    with pytest.raises(InvalidField) as raised:
        kind(**data)
    assert (raised.value.fields["field"], raised.value.fields["expected"]) == (field, expected)


def test_a_value_too_long_to_show_is_cut():
    with pytest.raises(InvalidField) as raised:
        f.AccountVerified(account="a" * 300)
    assert raised.value.fields["found"] == f"'{'a' * 56}..."


def test_courses_may_be_given_as_courses():
    one = Course(course="C-1", institution="LP-1")
    offer = f.PackageOffered(**OFFER, courses=[one])
    assert offer.courses == (one,)
    assert data_of(offer)["courses"] == [ONE]


def test_a_day_may_be_given_as_a_date():
    stop = f.PackageSalesStopped(
        notice="S-148", effective=date(2020, 6, 30), platforms=("tokopedia",)
    )
    assert data_of(stop)["effective"] == "2020-06-30"


# --- events ------------------------------------------------------------------------------------------


def test_an_event_cannot_be_changed():
    (event,) = recorded(enrolled()).events.values()
    with pytest.raises(AttributeError):
        event.subject = "P-2"


def test_source_and_id_together_are_the_identity_of_an_event():
    (event,) = recorded(enrolled()).events.values()
    assert event.identity == ("//test", "enrolled P-1")


def test_an_event_is_dated_in_wib_on_both_clocks():
    history = enrolled("2020-04-19T18:00:00Z", known="2020-04-20T18:00:00Z")
    (event,) = recorded(history).events.values()
    assert (event.occurred_on, event.recorded_on) == (date(2020, 4, 20), date(2020, 4, 21))


def test_the_programme_has_one_subject():
    assert PROGRAMME_SUBJECT == "programme"
