"""Facts that break a rule: each finding of section 5 whole, and the nearest case without it."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.interfaces.json_output import compact, finding_json
from prakerja_ledger.reading.finding import Code, Finding, _compact, in_order_of_findings
from tests.support import (
    DUE, WHO, bought, certified, completed, corrected, earned, enrolled, failed, findings_of,
    instructed, linked, offered, paid, payable, rated, recorded, refunded, reinstated, rejected,
    returned, revoked, sales_stopped, settled, surveyed, unlinked, verified, view, voided,
    withdrawn,
)  # fmt: skip

LIFE = enrolled() + payable() + earned()
CLEAN = LIFE + paid()
PT1 = "post-training/1"
BOUGHT_PACKAGE = bought("C-1", "C-2", package="PK-1", price=500_000)
PACKAGED = (
    offered() + enrolled() + payable() + BOUGHT_PACKAGE + completed() + certified() + rated()
)
ON_PT1 = {"line": PT1, "disbursement": "D-1"}


def other(told, who="P-2"):
    """The same facts, told of another participant under ids of their own."""
    return [{**event, "subject": who, "id": f"{event['id']} {who}"} for event in told]


# code → a history, and every finding of that code in it:
# (subject, date, amount, detail, evidence)
TRUE = {
    Code.PACKAGE_BUNDLES_COURSES: (
        offered(),
        [("PK-1", "2020-04-11", 500_000, {"courses": 2, "institutions": 1}, ["offered PK-1"])],
    ),
    Code.PACKAGE_OTHER_PLATFORM: (
        offered() + enrolled() + bought("C-1", package="PK-1", platform="tokopedia"),
        [
            (
                WHO, "2020-04-24", 400_000,
                {
                    "purchase": "B-1", "package": "PK-1", "platform": "tokopedia",
                    "offered_by": "skill-academy",
                },
                ["offered PK-1", "bought B-1"],
            )
        ],
    ),
    Code.PACKAGE_SOLD_AFTER_STOP: (
        # On the day itself, and refunded: the sale was made all the same. The stop came later.
        offered() + enrolled() + bought(package="PK-1", on="2020-06-30") + refunded(
            400_000, "2020-07-01"
        ) + sales_stopped("2020-07-05", effective="2020-06-30")
        + sales_stopped("2020-07-01", effective="2020-07-01", id="later stop", notice="S-150"),
        [
            (
                WHO, "2020-06-30", 400_000,
                {
                    "purchase": "B-1", "package": "PK-1", "platform": "skill-academy",
                    "notice": "S-148", "effective": "2020-06-30",
                },
                ["bought B-1", "sales stopped"],
            )
        ],
    ),
    Code.CASH_BEFORE_PACKAGE_DONE: (
        PACKAGED + paid() + completed("C-2", "2020-05-20"),
        [
            (
                WHO, "2020-05-08", 600_000,
                {
                    "purchase": "B-1", "package": "PK-1", "open": ["C-2"],
                    "finished_on": "2020-05-20",
                },
                ["bought B-1", "settled D-1"],
            )
        ],
    ),
    Code.COURSE_UNRATED: (
        PACKAGED,
        [
            (
                WHO, "2020-05-02", None,
                {
                    "purchase": "B-1", "course": "C-1", "institution": "LP-1",
                    "platform": "skill-academy", "missing": ["instructor", "facilities"],
                },
                ["bought B-1", "completed C-1"],
            )
        ],
    ),
    Code.COURSE_NOT_EVALUABLE: (
        offered("PK-2", "2020-04-12", courses=("C-2",)) + offered() + withdrawn()
        + enrolled() + bought("C-1", method="atm"),
        [("C-2", "2020-04-11", None, {"packages": ["PK-1", "PK-2"]},
          ["offered PK-1", "offered PK-2"])],
    ),
    Code.BALANCE_OVERSPENT: (
        enrolled() + bought(price=700_000)
        + bought("C-2", on="2020-04-25", purchase="B-2", price=400_000) + refunded(1),
        [(WHO, "2020-04-25", 99_999, {}, ["bought B-1", "bought B-2", "refunded"])],
    ),
    Code.FIRST_PURCHASE_LATE: (
        enrolled() + bought(on="2020-05-21"),
        [(WHO, "2020-05-21", None, {"limit": "2020-05-20"},
          ["enrolled P-1", "bought B-1"])],
    ),
    Code.PAID_UNEARNED: (
        enrolled() + payable() + instructed(on="2020-04-30") + settled(on="2020-05-03")
        + earned(),
        [(WHO, "2020-05-03", 600_000, {**ON_PT1, "earned_on": "2020-05-04"}, ["settled D-1"])],
    ),
    Code.PAID_TWICE: (
        CLEAN + paid("D-2", on="2020-05-12", amount=1),
        [(WHO, "2020-05-12", 1, {"line": PT1}, ["settled D-1", "settled D-2"])],
    ),
    Code.PAID_AFTER_REVOCATION: (
        LIFE + revoked("2020-05-07") + paid(),
        [(WHO, "2020-05-08", 600_000, ON_PT1, ["revoked", "settled D-1"])],
    ),
    Code.PAID_WITHOUT_VERIFIED_ACCOUNT: (
        enrolled() + linked() + verified() + linked("A-1", "2020-04-25", id="linked anew")
        + earned() + paid(),
        [(WHO, "2020-05-08", 600_000, ON_PT1, ["settled D-1"])],
    ),
    Code.PAID_TO_OTHER_ACCOUNT: (
        LIFE + instructed(account="A-2") + settled(),
        [
            (
                WHO, "2020-05-08", 600_000, {**ON_PT1, "account": "A-2"},
                ["linked A-1 P-1", "instructed D-1", "settled D-1"],
            )
        ],
    ),
    Code.SETTLED_AFTER_FAILURE: (
        LIFE + instructed() + failed() + settled(on="2020-05-09"),
        [(WHO, "2020-05-09", 600_000, ON_PT1, ["failed D-1", "settled D-1"])],
    ),
    Code.INSTRUCTED_UNDULY: (
        enrolled() + instructed("D-1", "2020-05-05", amount=600_001)
        + instructed("D-0", "2020-05-05") + settled("D-1", "2020-05-06") + revoked("2020-05-07")
        + instructed("D-2", "2020-05-08", amount=600_001),
        [
            (
                WHO, "2020-05-05", 600_000,
                {"line": PT1, "disbursement": "D-0", "why": ["in-flight", "not-earned"]},
                ["instructed D-1", "instructed D-0"],
            ),
            (
                WHO, "2020-05-05", 600_001,
                {"line": PT1, "disbursement": "D-1", "why": ["over-amount", "not-earned"]},
                ["instructed D-1"],
            ),
            (
                WHO, "2020-05-08", 600_001,
                {
                    "line": PT1, "disbursement": "D-2",
                    "why": [
                        "over-amount", "already-paid", "in-flight", "not-earned", "revoked",
                    ],
                },
                ["instructed D-0", "settled D-1", "revoked", "instructed D-2"],
            ),
        ],
    ),
    Code.SHARED_ACCOUNT: (
        enrolled() + other(enrolled()) + other(enrolled(), "P-3") + linked()
        + other(linked(on="2020-05-01")) + other(linked(on="2020-06-01"), "P-3"),
        [
            (WHO, "2020-05-01", None, {"provider": "ovo", "account": "A-1", "participants": 3},
             ["linked A-1", "linked A-1 P-2"]),
            ("P-2", "2020-05-01", None, {"provider": "ovo", "account": "A-1", "participants": 3},
             ["linked A-1", "linked A-1 P-2"]),
            ("P-3", "2020-06-01", None, {"provider": "ovo", "account": "A-1", "participants": 3},
             ["linked A-1", "linked A-1 P-3"]),
        ],
    ),
    Code.DUPLICATE_CERTIFICATE: (
        enrolled() + bought("C-1", "C-2") + certified("C-1") + certified("C-2", "2020-05-06"),
        [
            (WHO, "2020-05-06", None, {"course": "C-1", "certificate": "SA-1", "pairs": 2},
             ["certified C-1", "certified C-2"]),
            (WHO, "2020-05-06", None, {"course": "C-2", "certificate": "SA-1", "pairs": 2},
             ["certified C-1", "certified C-2"]),
        ],
    ),
    Code.CERTIFICATE_BEFORE_COMPLETION: (
        enrolled() + bought("C-1", "C-2") + certified(on="2020-05-01") + completed()
        + certified("C-2", "2020-05-02", certificate="SA-2"),
        [
            (WHO, "2020-05-01", None, {"course": "C-1", "certificate": "SA-1"},
             ["certified C-1", "completed C-1"]),
            (WHO, "2020-05-02", None, {"course": "C-2", "certificate": "SA-2"},
             ["certified C-2"]),
        ],
    ),
    Code.SURVEY_OUT_OF_ORDER: (
        CLEAN + surveyed(3) + surveyed(1, "2020-05-21") + surveyed(2, "2020-05-22"),
        [(WHO, "2020-05-20", None, {"survey": 3}, ["surveyed 3"])],
    ),
    Code.WAVE_OUTSIDE_SCHEME: (
        enrolled(wave=1) + corrected(wave=12, scheme="semi-bansos-2020"),
        [(WHO, "2020-04-20", None, {"wave": 12, "scheme": "semi-bansos-2020"},
          ["enrolled P-1", "corrected"])],
    ),
    Code.REPORTED_LATE: (
        # Ten working days after Saturday 2 May, Thursday the 7th a holiday, end on the 18th.
        enrolled() + bought() + completed(known="2020-05-18T00:00:00"),
        [(WHO, "2020-05-18", None, {"type": "course-completed", "course": "C-1"},
          ["completed C-1"])],
    ),
}  # fmt: skip

# code → histories as near as can be in which it is not listed
NEAREST = {
    Code.PACKAGE_BUNDLES_COURSES: {
        "one course only": offered(courses=("C-1",)),
        "the offer was voided": offered() + voided("offered PK-1", who="PK-1"),
    },
    Code.PACKAGE_OTHER_PLATFORM: {
        "the platform of the offer": offered() + enrolled() + BOUGHT_PACKAGE,
        "no package": offered() + enrolled() + bought("C-1", "C-2", platform="tokopedia"),
        "the offer is not in view": offered()
        + voided("offered PK-1", who="PK-1")
        + enrolled()
        + bought("C-1", package="PK-1", platform="tokopedia"),
    },
    Code.PACKAGE_SOLD_AFTER_STOP: {
        "the day before": offered() + enrolled() + sales_stopped()
        + bought(package="PK-1", on="2020-06-29T23:59:59.9999999"),
        "by bank transfer": offered() + enrolled() + sales_stopped()
        + bought(package="PK-1", on="2020-07-01", method="bank-transfer"),
        "a course sold singly": offered() + enrolled() + sales_stopped() + bought(on="2020-07-01"),
        "another platform's stop": offered() + enrolled() + sales_stopped(platforms=("sisnaker",))
        + bought(package="PK-1", on="2020-07-01"),
        "no stop": offered() + enrolled() + bought(package="PK-1", on="2020-07-01"),
        "the stop was voided": offered() + enrolled() + sales_stopped()
        + bought(package="PK-1", on="2020-07-01") + voided("sales stopped", who="programme"),
    },
    Code.CASH_BEFORE_PACKAGE_DONE: {
        "all completed on the day of the settlement": PACKAGED + paid()
        + completed("C-2", "2020-05-08T23:00:00"),
        "settled before the purchase": CLEAN + offered()
        + bought("C-2", on="2020-05-09", purchase="B-2", package="PK-1"),
        "bought by bank transfer": CLEAN + offered()
        + bought("C-2", on="2020-04-25", purchase="B-2", package="PK-1", method="atm"),
        "refunded in full": PACKAGED + paid() + refunded(500_000),
        "not a package": enrolled() + bought("C-1", "C-2") + completed() + paid(),
        "nothing settled": PACKAGED + instructed(),
    },
    Code.COURSE_UNRATED: {
        "all three dimensions, over two ratings": PACKAGED
        + rated(on="2020-05-05", instructor=4, programme=None, reviewed=False, id="more")
        + rated(on="2020-05-06", facilities=4, programme=None, reviewed=False, id="yet more"),
        "not completed": offered() + enrolled() + BOUGHT_PACKAGE,
        "not a package": enrolled() + bought() + completed(),
        "refunded in full": PACKAGED + refunded(500_000),
    },
    Code.COURSE_NOT_EVALUABLE: {
        "bought singly by someone, by any method": offered(courses=("C-1",)) + enrolled()
        + bought(method="e-money"),
        "bought singly and refunded": offered(courses=("C-1",)) + enrolled() + bought()
        + refunded(400_000),
        "rated by someone": offered(courses=("C-1",)) + enrolled() + bought(package="PK-1")
        + rated(reviewed=False),
    },
    Code.BALANCE_OVERSPENT: {
        "spent to the last rupiah": enrolled() + bought(price=1_000_000),
        "refunded since": enrolled() + bought(price=1_000_001) + refunded(1),
        "by another method": enrolled() + bought(price=1_000_001, method="other"),
    },
    Code.FIRST_PURCHASE_LATE: {
        "bought on the last day": enrolled() + bought(on="2020-05-20T23:59:59"),
        "standing revoked": enrolled() + revoked("2020-05-30", reason="no-first-purchase"),
    },
    Code.PAID_UNEARNED: {
        "settled on the earned date": LIFE + instructed(on="2020-05-04") + settled(on="2020-05-04"),
    },
    Code.PAID_TWICE: {
        "too much at once": LIFE + paid(amount=600_001),
        "the first was returned": CLEAN + returned() + paid("D-2", on="2020-05-12"),
        "twice a part": LIFE + paid(amount=300_000) + paid("D-2", on="2020-05-12", amount=300_000),
    },
    Code.PAID_AFTER_REVOCATION: {
        "on the day of the revocation": LIFE + revoked("2020-05-08T00:00:00") + paid(),
        "reinstated by then": LIFE + revoked("2020-05-05") + reinstated("2020-05-07") + paid(),
    },
    Code.PAID_WITHOUT_VERIFIED_ACCOUNT: {
        "verified at that moment": enrolled() + linked() + verified(on="2020-05-08") + earned()
        + paid(),
        "verified after a rejection": enrolled() + linked() + rejected()
        + verified(on="2020-04-23") + earned() + paid(),
    },
    Code.PAID_TO_OTHER_ACCOUNT: {
        "the linked account": LIFE + instructed(account="A-1") + settled(),
        "the instruction names none": LIFE + linked("A-2", "2020-05-01") + paid(),
        "the instruction is voided": LIFE + instructed(account="A-2") + settled()
        + voided("instructed D-1"),
    },
    Code.SETTLED_AFTER_FAILURE: {
        "settled before it failed": LIFE + instructed() + failed() + settled(on="2020-05-07"),
        "the failure was voided": LIFE + instructed() + failed() + settled(on="2020-05-09")
        + voided("failed D-1"),
        "another disbursement failed": LIFE + instructed() + failed() + paid("D-2"),
    },
    Code.INSTRUCTED_UNDULY: {
        "earned that day, after a failure and a return": LIFE
        + instructed("D-1", "2020-05-04") + failed("D-1", "2020-05-05")
        + instructed("D-2", "2020-05-06") + settled("D-2", "2020-05-07")
        + returned("D-2", "2020-05-08") + instructed("D-3", "2020-05-09"),
        "reinstated by then": LIFE + revoked("2020-05-05") + reinstated("2020-05-06T08:00:00")
        + instructed(),
    },
    Code.SHARED_ACCOUNT: {
        "another provider": enrolled() + other(enrolled()) + linked()
        + other(linked(provider="dana")),
        "linked twice by one": enrolled() + linked() + linked(on="2020-05-01", id="again"),
        "the other link was voided": enrolled() + other(enrolled()) + linked() + other(linked())
        + voided("linked A-1 P-2", who="P-2"),
    },
    Code.DUPLICATE_CERTIFICATE: {
        "two numbers": enrolled() + bought("C-1", "C-2") + certified()
        + certified("C-2", certificate="SA-2"),
        "the other is not in view": enrolled() + bought("C-1", "C-2") + certified("C-1")
        + certified("C-2") + voided("certified C-2"),
    },
    Code.CERTIFICATE_BEFORE_COMPLETION: {
        "at the same instant, completion recorded first": enrolled() + bought() + completed()
        + certified(on="2020-05-02"),
    },
    Code.SURVEY_OUT_OF_ORDER: {
        "in order": CLEAN + surveyed(1) + surveyed(2, "2020-05-21"),
        "the one before at the same instant, recorded first": CLEAN + surveyed(1) + surveyed(2),
    },
    Code.WAVE_OUTSIDE_SCHEME: {
        "the last wave of the scheme": enrolled(wave=11),
        "corrected": enrolled(wave=12) + corrected(wave=12, scheme="semi-bansos-2021"),
        "a wave far beyond, of the scheme with an open end": enrolled(
            wave=2**53 - 1, scheme="normal-2024"
        ),
    },
    Code.REPORTED_LATE: {
        "on the ninth working day": enrolled() + bought()
        + completed(known="2020-05-17T23:59:59.9999999"),
        "another kind of fact": enrolled() + bought(known="2020-12-31"),
    },
}  # fmt: skip


def test_every_finding_has_a_scenario_and_a_nearest_case_without_it():
    assert TRUE.keys() == NEAREST.keys() == set(Code)


@pytest.mark.parametrize("code", Code)
def test_a_finding_is_listed_whole(code):
    """Subject, date, rupiah at stake, detail and evidence, of every one there is."""
    history, expected = TRUE[code]
    assert findings_of(history, code=code) == [(code.value, *one) for one in expected]


@pytest.mark.parametrize(
    ("code", "name"), [(code, name) for code, cases in NEAREST.items() for name in cases]
)
def test_in_the_nearest_case_it_is_not_listed(code, name):
    assert findings_of(NEAREST[code][name], code=code) == []


@pytest.mark.parametrize("code", Code)
def test_a_finding_is_not_listed_before_its_own_date(code):
    history, expected = TRUE[code]
    first = min(date.fromisoformat(on) for _, on, *_ in expected)
    assert findings_of(history, first - timedelta(days=1), code=code) == []


@pytest.mark.parametrize("code", Code)
def test_a_finding_keeps_its_detail_keys_in_the_order_of_the_contract(code):
    history, expected = TRUE[code]
    found = recorded(history).findings(view("2021-12-31"))
    assert [list(one.detail) for one in found if one.code is code] == [
        list(detail) for *_, detail, _ in expected
    ]


def test_a_clean_life_has_no_findings():
    assert findings_of(CLEAN) == []


# --- more of single findings ------------------------------------------------------------------------


def of(code, history, as_of="2021-12-31", known_at=None):
    return [one[1:] for one in findings_of(history, as_of, known_at, code=code)]


def test_each_institution_of_a_package_is_counted_once():
    history = offered(courses=("C-1", "C-2", "C-3"))
    history[0]["data"]["courses"][2]["institution"] = "LP-2"
    (found,) = of(Code.PACKAGE_BUNDLES_COURSES, history)
    assert found[3] == {"courses": 3, "institutions": 2}


def test_a_package_course_never_completed_has_no_finishing_date():
    (found,) = of(Code.CASH_BEFORE_PACKAGE_DONE, PACKAGED + paid())
    assert found[3]["finished_on"] is None


def test_the_cash_of_a_package_finding_is_all_that_settled_up_to_d_returns_not_deducted():
    history = PACKAGED + paid() + returned() + paid("D-2", "survey/1", "2020-06-01")
    assert of(Code.CASH_BEFORE_PACKAGE_DONE, history, "2020-05-31")[0][2] == 600_000
    assert of(Code.CASH_BEFORE_PACKAGE_DONE, history)[0][2] == 650_000


def test_the_first_settlement_at_which_a_course_was_open_dates_the_package_finding():
    """Settled before the purchase does not count; settled on its day does."""
    history = CLEAN + offered() + bought("C-2", on="2020-05-20", purchase="B-2", package="PK-1")
    history += paid("D-2", "post-training/2", "2020-05-20T08:00:00")
    (found,) = of(Code.CASH_BEFORE_PACKAGE_DONE, history)
    assert (found[1], found[4]) == ("2020-05-20", ["settled D-2", "bought B-2"])


def test_a_package_whose_courses_are_never_rated_misses_all_three():
    history = offered() + enrolled() + BOUGHT_PACKAGE + completed()
    (found,) = of(Code.COURSE_UNRATED, history)
    assert found[3]["missing"] == ["instructor", "facilities", "programme"]


def test_overspending_is_dated_by_the_first_purchase_that_exceeded_the_balance():
    """A refund between: what was spent so far fell below the balance again before."""
    history = (
        enrolled()
        + bought(price=900_000)
        + refunded(500_000, "2020-04-25")
        + bought("C-2", on="2020-04-26", purchase="B-2", price=600_000)
        + bought("C-3", on="2020-04-27", purchase="B-3", price=1)
    )
    (found,) = of(Code.BALANCE_OVERSPENT, history)
    assert found[1:] == (
        "2020-04-27", 1, {}, ["bought B-1", "refunded", "bought B-2", "bought B-3"],
    )  # fmt: skip


def test_overspending_that_only_a_late_refund_undoes_in_part_is_listed():
    """The purchase that exceeded the balance dates it, and what is over now is the amount."""
    history = enrolled() + bought(price=1_500_000) + refunded(100_000)
    (found,) = of(Code.BALANCE_OVERSPENT, history)
    assert (found[1], found[2]) == ("2020-04-24", 400_000)


def test_a_participant_who_never_bought_is_late_from_the_day_after_the_limit():
    assert of(Code.FIRST_PURCHASE_LATE, enrolled(), "2020-05-20") == []
    assert of(Code.FIRST_PURCHASE_LATE, enrolled(), "2020-05-21") == [
        (WHO, "2020-05-21", None, {"limit": "2020-05-20"}, ["enrolled P-1"])
    ]


def test_the_limit_of_the_first_purchase_is_that_of_the_scheme():
    history = enrolled("2023-05-01", wave=50, scheme="normal-2023")
    (found,) = of(Code.FIRST_PURCHASE_LATE, history, "2023-12-31")
    assert found[3] == {"limit": "2023-05-16"}


def test_a_first_purchase_limit_past_the_last_day_of_the_calendar_is_never_late():
    assert of(Code.FIRST_PURCHASE_LATE, enrolled("9999-12-15"), "9999-12-31") == []


def test_a_first_purchase_limit_on_the_last_day_of_the_calendar_is_never_late():
    assert of(Code.FIRST_PURCHASE_LATE, enrolled("9999-12-01"), "9999-12-31") == []


def test_a_settlement_on_a_line_that_the_scheme_lacks_is_unearned():
    history = CLEAN + paid("D-3", "post-training/3", "2020-08-01") + corrected(
        "2020-04-25", wave=50, scheme="normal-2023"
    )  # fmt: skip
    (found,) = of(Code.PAID_UNEARNED, history)
    assert found[3] == {"line": "post-training/3", "disbursement": "D-3", "earned_on": None}


def test_a_settlement_of_what_is_earned_later_is_unearned_until_then_and_before_it():
    """Earned as of D or not: it was paid before the earned date."""
    history = CLEAN + paid("D-2", "post-training/2", "2020-06-03")
    for as_of in ("2020-06-03", "2020-12-31"):
        (found,) = of(Code.PAID_UNEARNED, history, as_of)
        assert found[3]["earned_on"] == "2020-06-04"


def test_while_revoked_what_was_earned_after_the_revocation_is_unearned():
    history = LIFE + revoked("2020-05-03") + paid()
    (found,) = of(Code.PAID_UNEARNED, history)
    assert found[3]["earned_on"] == "2020-05-04"


def test_paid_twice_needs_no_second_disbursement_only_a_second_settlement():
    history = CLEAN + settled(on="2020-05-09", reference="R-2", id="again")
    (found,) = of(Code.PAID_TWICE, history)
    assert found[1:] == ("2020-05-09", 600_000, {"line": PT1}, ["settled D-1", "again"])


def test_an_instruction_to_an_account_when_none_is_linked_goes_to_another():
    history = enrolled() + earned() + instructed(account="A-9") + settled()
    (found,) = of(Code.PAID_TO_OTHER_ACCOUNT, history)
    assert found[4] == ["instructed D-1", "settled D-1"]


def test_the_account_linked_at_the_settlement_is_the_one_that_counts():
    """Linked to another between the instruction and the settlement."""
    history = LIFE + instructed(account="A-1") + linked("A-2", "2020-05-07") + settled()
    (found,) = of(Code.PAID_TO_OTHER_ACCOUNT, history)
    assert found[4] == ["instructed D-1", "linked A-2", "settled D-1"]


def test_paid_while_no_account_is_linked_is_paid_without_a_verified_one():
    history = LIFE + unlinked(on="2020-05-01") + paid()
    assert len(of(Code.PAID_WITHOUT_VERIFIED_ACCOUNT, history)) == 1


def test_an_instruction_before_its_line_was_earned_is_undue():
    (found,) = of(Code.INSTRUCTED_UNDULY, LIFE + instructed(on="2020-05-03"))
    assert found[3]["why"] == ["not-earned"]


def test_an_instruction_after_a_settlement_that_covers_the_line_is_undue():
    history = CLEAN + instructed("D-2", "2020-05-09")
    (found,) = of(Code.INSTRUCTED_UNDULY, history)
    assert (found[3]["why"], found[4]) == (["already-paid"], ["settled D-1", "instructed D-2"])


def test_a_settlement_of_an_instruction_that_is_not_in_view_still_paid_the_line():
    history = CLEAN + voided("instructed D-1") + instructed("D-2", "2020-05-09")
    (found,) = of(Code.INSTRUCTED_UNDULY, history)
    assert found[4] == ["settled D-1", "instructed D-2"]


def test_on_a_line_that_the_scheme_lacks_every_instruction_is_over_and_already_paid():
    history = CLEAN + instructed("D-3", "2020-08-01", line="post-training/3") + corrected(
        wave=50, scheme="normal-2023"
    )  # fmt: skip
    (found,) = of(Code.INSTRUCTED_UNDULY, history)
    assert found[3]["why"] == ["over-amount", "already-paid", "not-earned"]


def test_a_participant_who_is_not_in_view_shares_no_account():
    history = enrolled() + linked() + other(enrolled(), "P-2") + other(linked(), "P-2")
    history[2]["time"] = "2020-06-01T00:00:00+07:00"
    assert of(Code.SHARED_ACCOUNT, history, "2020-05-31") == []


def test_a_certificate_number_shared_by_two_participants_is_a_finding_of_both():
    history = enrolled() + bought() + certified()
    history += other(enrolled() + bought() + certified(on="2020-05-05"))
    assert [(who, on) for who, on, *_ in of(Code.DUPLICATE_CERTIFICATE, history)] == [
        (WHO, "2020-05-05"), ("P-2", "2020-05-05"),
    ]  # fmt: skip


def test_where_k_hides_a_void_the_first_of_two_certificates_counts():
    history = enrolled() + bought() + completed() + certified()
    history += voided("certified C-1", "2020-05-05", known="2020-09-01")
    history += certified(on="2020-05-06", certificate="SA-9", id="certified anew")
    history += other(enrolled() + bought() + certified(certificate="SA-9"))
    assert of(Code.DUPLICATE_CERTIFICATE, history, known_at="2020-08-31") == []
    assert len(of(Code.DUPLICATE_CERTIFICATE, history)) == 2


def test_where_k_hides_a_void_the_first_of_two_offers_counts():
    history = offered() + voided("offered PK-1", "2020-05-01", who="PK-1", known="2020-09-01")
    history += offered(on="2020-05-02", courses=("C-1", "C-2", "C-3"), id="offered anew")
    hidden = of(Code.PACKAGE_BUNDLES_COURSES, history, known_at="2020-08-31")
    assert [one[4] for one in hidden] == [["offered PK-1"]]
    assert [one[4] for one in of(Code.PACKAGE_BUNDLES_COURSES, history)] == [["offered anew"]]


def test_a_survey_submitted_after_the_cut_off_can_be_out_of_order_too():
    (found,) = of(Code.SURVEY_OUT_OF_ORDER, CLEAN + surveyed(2, "2021-01-01"))
    assert found[3] == {"survey": 2}


def test_each_late_report_is_a_finding_of_its_own():
    """Two dated the same day, as their facts were of one weekend: then the detail decides."""
    history = enrolled() + bought() + completed(known="2020-07-01") + certified(known="2020-07-01")
    history += rated(known="2020-07-01")
    assert [one[3]["type"] for one in of(Code.REPORTED_LATE, history)] == [
        "certificate-issued", "course-completed", "course-rated",
    ]  # fmt: skip


def test_a_report_beyond_the_list_of_holidays_is_undecided_and_says_of_whom():
    history = enrolled("2027-12-01", wave=70, scheme="normal-2024") + bought(on="2027-12-02")
    history += completed(on="2027-12-30", known="2028-02-01")
    found, undecided = recorded(history).evaluation(view("2028-02-28")).findings()
    assert [one for one in found if one.code is Code.REPORTED_LATE] == []
    assert [(who, error.code) for who, error in undecided] == [(WHO, "CALENDAR_TOO_SHORT")]


def test_a_statement_withheld_for_its_calendar_does_not_take_the_findings_with_it():
    history = enrolled("2027-12-01", wave=70, scheme="normal-2024") + bought(on="2027-12-02")
    history += completed(on="2027-12-29") + certified(on="2027-12-29") + rated(on="2027-12-30")
    history += paid("D-1", on="2027-12-31")
    found = recorded(history)
    assert found.statements(view("2028-01-31"))[1] == [WHO]
    assert [one.code for one in found.findings(view("2028-01-31"))] == [
        Code.INSTRUCTED_UNDULY, Code.PAID_WITHOUT_VERIFIED_ACCOUNT,
    ]  # fmt: skip


# --- order and form ----------------------------------------------------------------------------------


def test_findings_are_sorted_by_date_subject_and_code():
    history = PACKAGED + other(enrolled() + surveyed(2, "2020-05-02"))
    found = findings_of(history)
    assert [(on, subject, code) for code, subject, on, *_ in found] == sorted(
        (on, subject, code) for code, subject, on, *_ in found
    )


def test_of_equal_findings_the_detail_decides_as_compact_json_by_code_point():
    """A quotation mark is escaped before it is compared; a number is no text."""
    (event,) = recorded(enrolled()).events.values()

    def finding(detail):
        return Finding(
            code=Code.PAID_TWICE, subject=WHO, on=DUE, amount=None, detail=detail,
            evidence=(event,),
        )  # fmt: skip

    texts = ["é", '"', "a", "\\", "\u2028", "\n", "~", "𝓐", "\x1f", "～"]
    found = in_order_of_findings(finding({"line": text}) for text in texts)
    assert [one.detail["line"] for one in found] == sorted(texts, key=lambda t: compact({"l": t}))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_the_json_that_findings_are_sorted_by_is_that_of_the_library(value):
    assert _compact(value) == compact(value)


def test_a_finding_is_printed_with_its_keys_in_the_order_of_the_contract():
    (found,) = recorded(offered()).findings(view("2020-12-31"))[:1]
    assert json.loads(finding_json(found)).keys() >= {"code"}
    assert list(json.loads(finding_json(found))) == [
        "code", "subject", "date", "amount", "detail", "evidence",
    ]  # fmt: skip


def test_findings_ask_of_packages_only_their_offers_in_view():
    """Offered after D: not there yet."""
    assert findings_of(offered(on="2020-05-01"), "2020-04-30") == []


def test_evidence_names_every_event_once():
    """A settlement that is the first fact and the dating one is named once."""
    history = CLEAN + settled(on="2020-05-09", reference="R-2", id="again")
    for *_, evidence in findings_of(history):
        assert len(set(evidence)) == len(evidence)
