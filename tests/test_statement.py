"""The statement of one participant: where each rupiah stands (contract, section 4.1)."""

from __future__ import annotations

import json
from datetime import date

import pytest

from prakerja_ledger.domain.schemes import SEMI_BANSOS_2020
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.reading.statement import Standing, Status
from tests.support import (
    DUE, EARNED, SOURCE, WHO, bought, certified, completed, corrected, earned, enrolled, failed,
    instructed, line_of, linked, money, names, paid, payable, rated, recorded, refunded,
    reinstated, returned, revoked, settled, statement_of, surveyed, unlinked, view, voided, why,
)  # fmt: skip

LIFE = enrolled() + payable() + earned()
JUNE_30 = "2020-06-30"


# --- who has a statement, and what it consists of -----------------------------------------------


def test_a_participant_whose_enrolment_is_not_in_view_has_no_statement():
    assert statement_of(LIFE, "2020-04-19") is None


def test_a_participant_whose_enrolment_was_not_known_has_no_statement():
    history = enrolled("2020-04-20", known="2020-05-20")
    assert statement_of(history, JUNE_30, "2020-05-19") is None


def test_the_lines_are_those_of_the_scheme_in_their_order():
    made = statement_of(LIFE, JUNE_30)
    assert [(line.line, line.amount) for line in made.lines] == [
        ("training", 1_000_000),
        *((f"post-training/{n}", 600_000) for n in (1, 2, 3, 4)),
        *((f"survey/{n}", 50_000) for n in (1, 2, 3)),
    ]


def test_a_scheme_with_one_incentive_has_one_line_for_it():
    made = statement_of(enrolled("2023-05-01", wave=50, scheme="normal-2023"), "2023-06-01")
    assert [line.line for line in made.lines] == [
        "training", "post-training/1", "survey/1", "survey/2",
    ]  # fmt: skip


def test_a_line_that_the_statement_lacks_has_no_name():
    with pytest.raises(KeyError, match="survey/4"):
        statement_of(LIFE, JUNE_30).line("survey/4")


def test_an_instalment_that_the_scheme_lacks_is_a_line_of_nothing_in_its_place():
    """After a correction, money once instructed for a line that is no more is still seen."""
    history = (
        enrolled()
        + earned()
        + instructed("D-3", line="post-training/3")
        + settled("D-3")
        + instructed("D-9", "2020-05-07", line="survey/3")
        + corrected(wave=50, scheme="normal-2023")
    )
    made = statement_of(history, JUNE_30)
    assert [line.line for line in made.lines] == [
        "training", "post-training/1", "post-training/3", "survey/1", "survey/2", "survey/3",
    ]  # fmt: skip
    lacking = made.line("post-training/3")
    assert (lacking.amount, lacking.status, lacking.earned_on) == (0, Status.PAID, None)
    assert money(lacking) == {"paid": 600_000, "overpaid": 600_000}


def test_the_latest_correction_holds_from_the_start_whatever_its_time():
    """A correction known at K rules also a day before it happened."""
    history = LIFE + corrected("2020-08-01", wave=50, scheme="normal-2023")
    made = statement_of(history, "2020-05-01")
    assert (made.wave, made.scheme) == (50, "normal-2023")


def test_a_correction_not_known_at_k_does_not_hold():
    history = LIFE + corrected("2020-05-01", known="2020-08-01", wave=50, scheme="normal-2023")
    assert statement_of(history, JUNE_30, "2020-07-31").scheme == "semi-bansos-2020"


def test_a_voided_correction_does_not_hold():
    history = LIFE + corrected(wave=50, scheme="normal-2023") + voided("corrected")
    assert statement_of(history, JUNE_30).scheme == "semi-bansos-2020"


def test_of_two_corrections_the_later_in_the_order_of_events_holds():
    history = (
        LIFE
        + corrected("2020-06-02", wave=3, scheme="semi-bansos-2020", id="second")
        + corrected("2020-06-01", wave=2, scheme="semi-bansos-2020", id="first")
    )
    assert statement_of(history, JUNE_30).wave == 3


def test_the_totals_are_the_sums_of_the_lines():
    made = statement_of(LIFE + paid(), JUNE_30)
    totals = {name: made.total(name) for name in ("amount", "owed", "paid", "unpaid")}
    assert totals == {
        "amount": SEMI_BANSOS_2020.total,
        "owed": 400_000 + 600_000 + 600_000,
        "paid": 400_000 + 600_000,
        "unpaid": 600_000,
    }


def test_json_has_its_keys_in_the_order_of_the_contract():
    made = json.loads(statement_json(statement_of(LIFE, JUNE_30, "2020-07-02")))
    assert list(made) == [
        "participant", "wave", "scheme", "standing", "as_of", "known_at", "totals", "lines",
    ]  # fmt: skip
    assert list(made["totals"]) == [
        "entitlement", "owed", "paid", "unpaid", "overdue", "in_flight", "overpaid",
        "not_yet_earned", "forfeited",
    ]  # fmt: skip
    assert list(made["lines"][0]) == [
        "line", "amount", "status", "owed", "paid", "unpaid", "overdue", "in_flight", "overpaid",
        "not_yet_earned", "forfeited", "earned_on", "due_on", "overdue_working_days", "cause",
        "owner", "causes", "evidence",
    ]  # fmt: skip
    assert made["lines"][1]["evidence"][0] == {"source": SOURCE, "id": "bought B-1"}


def test_json_is_compact_in_its_own_characters():
    """The hand-written JSON is what the JSON library would write."""
    history = enrolled(who='é"\u2028') + bought(who='é"\u2028', id="b\\1")
    printed = statement_json(statement_of(history, JUNE_30, who='é"\u2028'))
    again = json.dumps(json.loads(printed), ensure_ascii=False, separators=(",", ":"))
    assert printed == again


# --- the training line --------------------------------------------------------------------------


def training(history, as_of=JUNE_30):
    return line_of(history, as_of, "training")


def test_what_is_not_spent_of_the_balance_is_not_yet_earned():
    line = training(LIFE)
    assert (line.status, why(line)) == (Status.OPEN, [])
    assert money(line) == {"owed": 400_000, "paid": 400_000, "not_yet_earned": 600_000}


def test_a_balance_spent_to_the_last_rupiah_is_paid():
    line = training(enrolled() + bought(price=1_000_000))
    assert (line.status, money(line)) == (Status.PAID, {"owed": 1_000_000, "paid": 1_000_000})


def test_what_was_spent_above_the_balance_is_overpaid():
    line = training(enrolled() + bought(price=1_000_001))
    assert (line.status, line.overpaid, line.owed) == (Status.PAID, 1, 1_000_000)


def test_a_purchase_by_bank_transfer_does_not_count():
    line = training(enrolled() + bought(method="bank-transfer"))
    assert (money(line), line.evidence) == ({"not_yet_earned": 1_000_000}, ())


def test_a_purchase_refunded_in_part_counts_less_its_refund():
    line = training(enrolled() + bought() + refunded(399_999))
    assert (line.paid, names(line.evidence)) == (1, ["bought B-1", "refunded"])


def test_a_purchase_refunded_in_full_does_not_count():
    line = training(enrolled() + bought() + refunded(400_000))
    assert (line.paid, line.evidence) == (0, ())


def test_a_purchase_for_nothing_counts_until_it_is_refunded_which_it_cannot_be():
    line = training(enrolled() + bought(price=0))
    assert (line.paid, names(line.evidence)) == (0, ["bought B-1"])


def test_a_refund_dated_before_its_purchase_is_taken_off_all_the_same():
    history = enrolled() + bought(on="2020-04-24") + refunded(100_000, "2020-04-23")
    assert training(history).paid == 300_000


def test_a_refund_whose_purchase_is_not_in_view_changes_nothing():
    history = enrolled() + bought() + refunded(100_000) + voided("bought B-1")
    assert money(training(history)) == {"not_yet_earned": 1_000_000}


def test_the_rest_of_the_balance_is_forfeited_after_the_day_by_which_it_is_used():
    line = training(LIFE, "2020-12-16")
    assert (line.status, money(line)) == (
        Status.FORFEITED, {"owed": 400_000, "paid": 400_000, "forfeited": 600_000},
    )  # fmt: skip
    assert why(line) == [("TRAINING_CUT_OFF", "participant")]


def test_on_the_day_by_which_the_balance_is_used_it_is_not_forfeited_yet():
    assert training(LIFE, "2020-12-15").forfeited == 0


def test_the_rest_of_the_balance_is_forfeited_while_revoked():
    line = training(LIFE + revoked())
    assert (line.forfeited, why(line)) == (600_000, [("REVOKED", "programme")])
    assert names(line.evidence) == ["bought B-1", "revoked"]


def test_revoked_after_the_cut_off_the_training_line_gives_both_causes():
    line = training(LIFE + revoked(), "2020-12-16")
    assert why(line) == [("REVOKED", "programme"), ("TRAINING_CUT_OFF", "participant")]


def test_a_balance_that_is_used_up_is_paid_though_revoked():
    line = training(enrolled() + bought(price=1_000_000) + revoked())
    assert (line.status, why(line), names(line.evidence)) == (Status.PAID, [], ["bought B-1"])


# --- earning post-training/1 ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "last",
    [
        completed(on="2020-05-09"),
        certified(on="2020-05-09"),
        rated(on="2020-05-09"),
    ],
    ids=["completion", "certificate", "rating"],
)
def test_the_first_incentive_is_earned_on_the_latest_of_what_it_needs(last):
    """Whichever of completion, certificate and reviewed rating comes last dates it."""
    kinds = {last[0]["type"]}
    others = [event for event in LIFE if event["type"] not in kinds]
    assert line_of(others + last, JUNE_30).earned_on == date(2020, 5, 9)


def test_a_rating_without_a_review_does_not_earn_it_and_a_later_review_does():
    history = [e for e in LIFE if "course-rated" not in e["type"]]
    history += rated(on="2020-05-04", reviewed=False, id="stars")
    assert line_of(history, JUNE_30).earned_on is None
    history += rated(on="2020-05-20", id="review")
    line = line_of(history, JUNE_30)
    assert (line.earned_on, names(line.evidence)[-2:]) == (date(2020, 5, 20), ["stars", "review"])


def test_the_first_course_is_the_one_completed_first_even_when_another_is_certified_sooner():
    history = (
        enrolled()
        + bought("C-1", "C-2")
        + completed("C-1", "2020-05-01")
        + completed("C-2", "2020-05-02")
        + certified("C-2", "2020-05-03", certificate="SA-2")
        + rated("C-2", "2020-05-03")
    )
    line = line_of(history, JUNE_30)
    assert (line.earned_on, names(line.evidence)) == (None, ["bought B-1", "completed C-1"])


def test_a_full_refund_takes_the_first_course_out_and_the_next_one_takes_its_place():
    history = (
        LIFE
        + bought("C-2", on="2020-05-05", purchase="B-2")
        + completed("C-2", "2020-05-20")
        + certified("C-2", "2020-05-21", certificate="SA-2")
        + rated("C-2", "2020-05-22")
    )
    assert line_of(history, JUNE_30).earned_on == EARNED
    history += refunded(400_000, "2020-06-01")
    assert line_of(history, "2020-05-31").earned_on == EARNED
    assert line_of(history, "2020-06-01").earned_on == date(2020, 5, 22)


def test_the_evidence_is_the_first_counting_purchase_that_has_the_first_course():
    history = LIFE + bought("C-1", on="2020-05-30", purchase="B-2")
    assert names(line_of(history, JUNE_30).evidence)[0] == "bought B-1"


def test_a_first_course_completed_after_the_cut_off_is_none():
    history = (
        enrolled()
        + bought()
        + completed(on="2020-12-16")
        + certified(on="2020-12-17")
        + rated(on="2020-12-17")
    )
    assert line_of(history, "2021-01-31").earned_on is None


def test_a_first_course_completed_on_the_day_of_the_cut_off_is_in_time():
    history = (
        enrolled()
        + payable()
        + bought()
        + completed(on="2020-12-15T23:59:59.9999999")
        + certified(on="2020-12-17")
        + rated(on="2020-12-18")
    )
    assert line_of(history, "2021-01-31").earned_on == date(2020, 12, 18)


def test_a_line_is_earned_from_its_earned_date_on():
    last_day = line_of(LIFE, "2020-05-03")
    assert (last_day.status, last_day.earned_on) == (Status.NOT_EARNED, None)
    assert money(line_of(LIFE, EARNED)) == {"owed": 600_000, "unpaid": 600_000}


# --- the later incentives and the surveys ---------------------------------------------------------


def test_later_incentives_are_earned_a_month_apart_and_need_no_second_course():
    made = statement_of(LIFE, JUNE_30)
    assert [made.line(f"post-training/{k}").earned_on for k in (2, 3, 4)] == [
        date(2020, 6, 4), date(2020, 7, 4), date(2020, 8, 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("earned_on", "months"),
    [
        ("2021-01-31", ["2021-02-28", "2021-03-31", "2021-04-30"]),
        ("2023-12-31", ["2024-01-31", "2024-02-29", "2024-03-31"]),
        ("2022-11-30", ["2022-12-30", "2023-01-30", "2023-02-28"]),
    ],
)
def test_a_month_without_that_day_earns_on_its_last_day(earned_on, months):
    """31 January plus one month is 28 February, and plus two is 31 March again."""
    history = (
        enrolled("2020-12-20", wave=30, scheme="semi-bansos-2022")
        + bought(on="2020-12-21")
        + completed(on="2021-01-10")
        + certified(on="2021-01-11")
        + rated(on=earned_on)
    )
    made = statement_of(history, "2025-01-01")
    assert [str(made.line(f"post-training/{k}").earned_on) for k in (2, 3, 4)] == months


def test_a_coming_month_is_scheduled_with_its_dates_shown():
    line = line_of(LIFE, JUNE_30, "post-training/3")
    assert (line.status, line.earned_on, line.due_on) == (
        Status.SCHEDULED, date(2020, 7, 4), date(2020, 7, 14),
    )  # fmt: skip
    assert money(line) == {"not_yet_earned": 600_000}


SURVEYED = LIFE + paid() + surveyed(1)


def test_a_survey_is_earned_on_its_submission_when_the_first_incentive_is_paid():
    line = line_of(SURVEYED, JUNE_30, "survey/1")
    assert (line.earned_on, line.due_on) == (date(2020, 5, 20), date(2020, 6, 3))
    assert names(line.evidence) == ["settled D-1", "surveyed 1"]


def test_a_survey_is_earned_on_the_first_settlement_when_that_is_later():
    history = LIFE + surveyed(1, "2020-05-05") + paid()
    assert line_of(history, JUNE_30, "survey/1").earned_on == date(2020, 5, 8)


def test_a_survey_is_earned_on_the_earned_date_of_the_first_incentive_when_that_is_latest():
    """Paid before it was earned: the settlement alone does not earn a survey."""
    history = (
        enrolled() + payable() + instructed(on="2020-04-30") + settled(on="2020-05-01")
        + bought() + completed() + certified() + rated() + surveyed(1, "2020-05-02")
    )  # fmt: skip
    assert line_of(history, JUNE_30, "survey/1").earned_on == EARNED


def test_a_later_return_of_the_first_incentive_does_not_undo_a_survey():
    assert line_of(SURVEYED + returned(), JUNE_30, "survey/1").earned_on == date(2020, 5, 20)


def test_a_survey_needs_all_surveys_before_it():
    history = SURVEYED + surveyed(3, "2020-05-25")
    assert line_of(history, JUNE_30, "survey/3").earned_on is None
    history += surveyed(2, "2020-06-25")
    assert line_of(history, JUNE_30, "survey/3").earned_on == date(2020, 6, 25)


def test_a_survey_submitted_after_the_cut_off_does_not_count():
    history = LIFE + paid() + surveyed(1, "2020-12-16")
    line = line_of(history, "2020-12-31", "survey/1")
    assert (line.earned_on, names(line.evidence)) == (None, ["settled D-1"])


def test_a_survey_submitted_on_the_day_of_the_cut_off_counts():
    history = LIFE + paid() + surveyed(1, "2020-12-15T23:59:59.99999999")
    assert line_of(history, "2020-12-31", "survey/1").earned_on == date(2020, 12, 15)


def test_the_evidence_of_a_survey_is_the_submissions_up_to_it_and_the_first_settlement():
    history = SURVEYED + surveyed(2, "2020-05-21") + surveyed(3, "2020-05-22")
    line = line_of(history, JUNE_30, "survey/2")
    assert names(line.evidence) == ["settled D-1", "surveyed 1", "surveyed 2"]


# --- due dates -------------------------------------------------------------------------------------


def test_the_first_working_day_counted_is_the_one_after_the_earned_date():
    """Monday 4 May, Thursday 7 May a holiday: seven working days end on Thursday 14 May."""
    assert line_of(LIFE, JUNE_30).due_on == DUE


def test_a_due_date_passes_over_the_days_around_eid():
    """Earned on 19 May 2020: Ascension Day, Eid and its second day, and two weekends lie between."""
    history = [e for e in LIFE if "course-rated" not in e["type"]] + rated(on="2020-05-19")
    assert line_of(history, JUNE_30).due_on == date(2020, 6, 2)


def test_a_due_date_counts_the_days_of_its_own_scheme():
    """Five working days from wave 12 on: around Eid 2021, with Wednesday 12 May joint."""
    history = (
        enrolled("2021-04-01", wave=16, scheme="semi-bansos-2021")
        + bought(on="2021-04-02")
        + completed(on="2021-05-01")
        + certified(on="2021-05-02")
        + rated(on="2021-05-10")
    )
    assert line_of(history, "2021-06-30").due_on == date(2021, 5, 20)


def test_on_its_due_date_a_line_is_due_and_the_day_after_it_is_overdue():
    assert line_of(LIFE, DUE).status is Status.DUE
    line = line_of(LIFE, "2020-05-15")
    assert (line.status, line.overdue, line.overdue_working_days) == (Status.OVERDUE, 600_000, 1)


def test_a_weekend_after_the_due_date_is_overdue_by_the_working_days_in_it():
    """Overdue since Friday: on Sunday still one working day."""
    assert line_of(LIFE, "2020-05-17").overdue_working_days == 1


def test_working_days_overdue_run_to_the_day_asked_for_and_include_it():
    assert line_of(LIFE, "2020-07-02").overdue_working_days == 32


def test_a_survey_is_due_after_calendar_days_and_overdue_by_working_days():
    line = line_of(SURVEYED, "2020-06-08", "survey/1")
    assert (line.due_on, line.overdue_working_days) == (date(2020, 6, 3), 3)


# --- money -----------------------------------------------------------------------------------------


def test_money_that_settled_is_paid():
    line = line_of(LIFE + paid(), JUNE_30)
    assert (line.status, money(line)) == (Status.PAID, {"owed": 600_000, "paid": 600_000})
    assert names(line.evidence)[-2:] == ["instructed D-1", "settled D-1"]


def test_returned_money_is_owed_again():
    """Money the bank sends back no longer counts as paid."""
    line = line_of(LIFE + paid() + returned(), "2020-07-02")
    assert (line.paid, line.unpaid) == (0, 600_000)
    assert why(line) == [("TRANSFER_RETURNED", "participant")]


def test_a_settlement_of_less_leaves_the_rest_unpaid():
    line = line_of(LIFE + paid(amount=250_000), JUNE_30)
    assert (line.status, money(line)) == (
        Status.OVERDUE,
        {"owed": 600_000, "paid": 250_000, "unpaid": 350_000, "overdue": 350_000},
    )


def test_two_settlements_under_two_references_are_two_transfers():
    history = LIFE + paid() + settled(on="2020-05-09", reference="R-2", id="again")
    line = line_of(history, JUNE_30)
    assert money(line) == {"owed": 600_000, "paid": 1_200_000, "overpaid": 600_000}


def test_a_return_takes_nothing_from_another_disbursement():
    """Left is worked out disbursement by disbursement and never below zero."""
    history = (
        LIFE
        + paid("D-1", amount=100_000)
        + returned("D-1")
        + paid("D-2", on="2020-05-12", amount=200_000)
        + voided("settled D-1")
    )
    assert line_of(history, JUNE_30).paid == 200_000


def test_a_return_of_part_leaves_the_rest_paid():
    assert line_of(LIFE + paid() + returned(amount=1), JUNE_30).paid == 599_999


def test_a_return_that_names_no_amount_took_what_was_left_when_it_was_recorded():
    history = LIFE + paid(amount=400_000) + returned()
    history += settled(on="2020-06-01", reference="R-2", amount=600_000, id="again")
    assert line_of(history, JUNE_30).paid == 600_000


def test_an_instruction_without_outcome_is_in_flight():
    line = line_of(LIFE + instructed(amount=600_000), "2020-05-07")
    assert (line.status, money(line)) == (
        Status.IN_FLIGHT, {"owed": 600_000, "unpaid": 600_000, "in_flight": 600_000},
    )  # fmt: skip


def test_an_instruction_that_failed_is_not_in_flight():
    assert line_of(LIFE + instructed() + failed(), JUNE_30).in_flight == 0


def test_an_instruction_in_flight_may_be_overdue_as_well():
    line = line_of(LIFE + instructed(), JUNE_30)
    assert (line.status, line.overdue) == (Status.IN_FLIGHT, 600_000)


def test_money_on_a_line_that_is_not_earned_is_overpaid():
    line = line_of(enrolled() + paid(), JUNE_30)
    assert (line.status, why(line)) == (Status.PAID, [])
    assert money(line) == {"paid": 600_000, "overpaid": 600_000, "not_yet_earned": 600_000}


def test_a_settlement_whose_instruction_is_voided_keeps_its_amount_and_its_line():
    history = LIFE + instructed(amount=123_000) + settled() + voided("instructed D-1")
    line = line_of(history, JUNE_30)
    assert (line.paid, names(line.evidence)[-1]) == (123_000, "settled D-1")


# --- forfeiture --------------------------------------------------------------------------------------


def test_revocation_takes_what_was_earned_before_it_too():
    line = line_of(LIFE + revoked(), JUNE_30)
    assert (line.status, money(line)) == (Status.FORFEITED, {"forfeited": 600_000})
    assert why(line) == [("REVOKED", "programme")]
    assert (line.earned_on, line.due_on) == (EARNED, DUE)
    assert names(line.evidence)[-1] == "revoked"


def test_revocation_does_not_take_a_line_that_is_paid_within_its_amount():
    line = line_of(LIFE + paid() + revoked(), JUNE_30)
    assert (line.status, money(line)) == (Status.PAID, {"owed": 600_000, "paid": 600_000})


def test_of_a_line_paid_in_part_revocation_takes_the_rest():
    line = line_of(LIFE + paid(amount=200_000) + revoked(), JUNE_30)
    assert money(line) == {"owed": 200_000, "paid": 200_000, "forfeited": 400_000}


def test_while_revoked_a_line_earned_after_the_revocation_is_not_earned():
    history = LIFE + paid() + instructed("D-2", "2020-06-05", line="post-training/2")
    history += settled("D-2", "2020-06-06") + revoked("2020-06-03")
    line = line_of(history, JUNE_30, "post-training/2")
    assert money(line) == {"paid": 600_000, "overpaid": 600_000, "forfeited": 600_000}


def test_a_line_earned_on_the_day_of_the_revocation_is_earned():
    history = LIFE + paid() + revoked(str(EARNED))
    assert money(line_of(history, JUNE_30)) == {"owed": 600_000, "paid": 600_000}


def test_a_reinstatement_gives_everything_back():
    history = LIFE + revoked() + reinstated()
    assert statement_of(history, "2020-06-19").standing is Standing.REVOKED
    made = statement_of(history, JUNE_30)
    assert made.standing is Standing.ACTIVE
    assert made.line("post-training/1").unpaid == 600_000
    assert made.line("post-training/2").unpaid == 600_000


def test_after_a_second_revocation_the_second_is_the_one_that_stands():
    history = LIFE + revoked() + reinstated() + revoked("2020-06-25", id="revoked again")
    line = line_of(history, JUNE_30)
    assert names(line.evidence)[-1] == "revoked again"


def test_a_revocation_moved_by_nothing_is_still_the_first():
    """A reinstatement voided at K open: two revocations in a row, and the first one stands."""
    history = LIFE + revoked() + reinstated() + revoked("2020-06-25", id="revoked again")
    history += voided("reinstated")
    assert names(line_of(history, JUNE_30).evidence)[-1] == "revoked"


def test_without_a_first_course_by_the_cut_off_every_cash_line_is_forfeited():
    made = statement_of(enrolled() + payable() + bought(), "2020-12-16")
    assert {line.status for line in made.lines} == {Status.FORFEITED}
    assert why(made.line("post-training/4")) == [("FIRST_COURSE_CUT_OFF", "participant")]
    assert why(made.line("survey/1")) == [
        ("FIRST_COURSE_CUT_OFF", "participant"), ("SURVEY_CUT_OFF", "participant"),
    ]  # fmt: skip


def test_on_the_day_of_the_first_course_cut_off_nothing_is_forfeited_yet():
    made = statement_of(enrolled() + payable() + bought(), "2020-12-15")
    assert made.total("forfeited") == 0


def test_a_survey_is_forfeited_after_the_cut_off_when_one_up_to_it_is_missing():
    history = SURVEYED + surveyed(3, "2020-05-25")
    made = statement_of(history, "2020-12-16")
    assert [made.line(f"survey/{n}").status for n in (1, 2, 3)] == [
        Status.OVERDUE, Status.FORFEITED, Status.FORFEITED,
    ]  # fmt: skip
    assert why(made.line("survey/3")) == [("SURVEY_CUT_OFF", "participant")]


def test_a_survey_paid_within_its_amount_is_not_forfeited_by_any_cut_off():
    history = SURVEYED + paid("D-9", "survey/1", "2020-06-01") + unlinked(on="2020-07-01")
    line = line_of(history, "2021-03-05", "survey/1")
    assert (line.status, line.forfeited) == (Status.PAID, 0)


def test_without_an_account_linked_at_the_end_of_the_cut_off_the_cash_lines_are_forfeited():
    history = LIFE + unlinked(on="2021-03-04T23:59:59")
    assert line_of(history, "2021-03-04").forfeited == 0
    line = line_of(history, "2021-03-05")
    assert (line.forfeited, why(line)) == (600_000, [("LINK_CUT_OFF", "participant")])


def test_an_account_linked_in_the_last_moment_of_the_cut_off_is_in_time():
    history = enrolled() + earned() + linked(on="2021-03-04T23:59:59.99999999")
    assert line_of(history, "2021-03-05").forfeited == 0


def test_an_account_linked_after_the_cut_off_is_too_late():
    history = enrolled() + earned() + linked(on="2021-03-05T00:00:00")
    assert line_of(history, "2021-03-06").forfeited == 600_000


def test_an_account_unlinked_after_the_cut_off_forfeits_nothing():
    assert line_of(LIFE + unlinked(on="2021-03-05"), "2021-03-06").forfeited == 0


def test_a_scheme_without_cut_offs_forfeits_nothing_with_time():
    made = statement_of(enrolled("2022-03-01", wave=30, scheme="semi-bansos-2022"), "2027-12-01")
    assert made.total("forfeited") == 0


def test_a_line_not_earned_and_forfeited_owes_nothing():
    line = line_of(enrolled() + bought() + revoked(), JUNE_30)
    assert money(line) == {"forfeited": 600_000}


# --- status: the first that applies ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "history", "as_of", "line"),
    [
        (Status.PAID, LIFE + paid() + revoked(), JUNE_30, "post-training/1"),
        (Status.FORFEITED, LIFE + instructed() + revoked(), JUNE_30, "post-training/1"),
        (Status.IN_FLIGHT, LIFE + instructed(), JUNE_30, "post-training/1"),
        (Status.IN_FLIGHT, enrolled() + instructed(), JUNE_30, "post-training/1"),
        (
            Status.IN_FLIGHT,
            LIFE + instructed("D-2", line="post-training/2"),
            "2020-05-10",
            "post-training/2",
        ),
        (Status.SCHEDULED, LIFE, "2020-06-03", "post-training/2"),
        (Status.NOT_EARNED, enrolled() + bought(), JUNE_30, "post-training/2"),
        (Status.NOT_EARNED, LIFE, JUNE_30, "survey/1"),
        (Status.OPEN, LIFE, JUNE_30, "training"),
        (Status.DUE, LIFE, DUE, "post-training/1"),
        (Status.OVERDUE, LIFE, "2020-05-15", "post-training/1"),
    ],
)
def test_a_line_stands_where_the_first_that_applies_says(status, history, as_of, line):
    assert line_of(history, as_of, line).status is status


def test_the_statuses_scenarios_are_all_of_them():
    parameters = test_a_line_stands_where_the_first_that_applies_says.pytestmark[0].args[1]
    assert {row[0] for row in parameters} == set(Status)


def test_a_statement_names_its_participant_and_view():
    made = statement_of(LIFE, JUNE_30, "2020-07-02")
    assert (made.participant, made.view) == (WHO, view(JUNE_30, "2020-07-02"))


def test_the_history_of_this_module_breaks_no_rule():
    """Else scenarios that add one fact to it would test two things."""
    assert recorded(LIFE + paid()).findings(view("2021-12-31")) == []


def test_lines_that_the_scheme_lacks_stand_in_their_place_whatever_came_first():
    """Two instalments that the corrected scheme has no more, paid in the wrong order."""
    history = LIFE + paid("D-4", "post-training/4") + paid("D-2", "post-training/2", reference="R-2")
    history += corrected(wave=48, scheme="normal-2023")
    assert [line.line for line in statement_of(history, JUNE_30).lines] == [
        "training",
        "post-training/1",
        "post-training/2",
        "post-training/4",
        "survey/1",
        "survey/2",
    ]


def test_the_owner_of_a_line_is_that_of_its_first_cause():
    """The payment partner has to speak before the participant's account is looked into."""
    history = enrolled() + earned() + instructed()
    line = line_of(history, "2020-05-20", "post-training/1")
    assert [because.cause.value for because in line.causes] == [
        "AWAITING_OUTCOME",
        "ACCOUNT_NOT_ON_RECORD",
    ]
    assert (line.cause.value, line.owner.value) == ("AWAITING_OUTCOME", "payment-partner")
