"""Why a line is not paid, and who must act: every cause of the contract's section 4.2."""

from __future__ import annotations

import pytest

from prakerja_ledger.domain.vocabulary import REASONS, Owner
from prakerja_ledger.reading.causes import BECAUSE, BECAUSE_OF, OWNED_BY_REASON, OWNERS, Cause
from tests.support import (
    DUE, bought, certified, completed, earned, enrolled, failed, held, instructed, line_of,
    linked, names, paid, payable, rated, rejected, resumed, returned, revoked, settled, surveyed,
    unlinked, verified, voided, why,
)  # fmt: skip

ENROLLED = enrolled() + payable()
LIFE = ENROLLED + earned()
JUNE_30 = "2020-06-30"
PT1, PT2, PT3 = (f"post-training/{n}" for n in (1, 2, 3))
BEGUN = ["bought B-1", "completed C-1"]
DONE = [*BEGUN, "certified C-1", "rated C-1"]
LATE_RATING = [e for e in LIFE if "course-rated" not in e["type"]] + rated(known="2020-07-10")

# cause → history, as of, line, causes with owners, evidence
CASES = {
    Cause.REVOKED: (
        LIFE + revoked(), JUNE_30, PT1, [("REVOKED", "programme")], [*DONE, "revoked"],
    ),
    Cause.FIRST_COURSE_CUT_OFF: (
        ENROLLED, "2020-12-16", PT1, [("FIRST_COURSE_CUT_OFF", "participant")], [],
    ),
    Cause.SURVEY_CUT_OFF: (
        LIFE + paid(), "2020-12-16", "survey/1", [("SURVEY_CUT_OFF", "participant")],
        ["settled D-1"],
    ),
    Cause.LINK_CUT_OFF: (
        enrolled() + earned(), "2021-03-05", PT1, [("LINK_CUT_OFF", "participant")], DONE,
    ),
    Cause.TRAINING_CUT_OFF: (
        LIFE, "2020-12-16", "training", [("TRAINING_CUT_OFF", "participant")], ["bought B-1"],
    ),
    Cause.AWAITING_OUTCOME: (
        LIFE + instructed(), JUNE_30, PT1, [("AWAITING_OUTCOME", "payment-partner")],
        [*DONE, "instructed D-1"],
    ),
    Cause.MONTH_NOT_REACHED: (
        LIFE, JUNE_30, PT3, [("MONTH_NOT_REACHED", "calendar")], DONE,
    ),
    Cause.NO_PURCHASE: (ENROLLED, JUNE_30, PT1, [("NO_PURCHASE", "participant")], []),
    Cause.COURSE_NOT_COMPLETED: (
        ENROLLED + bought(), JUNE_30, PT1, [("COURSE_NOT_COMPLETED", "participant")], [],
    ),
    Cause.CERTIFICATE_NOT_ON_RECORD: (
        ENROLLED + bought() + completed() + rated(), JUNE_30, PT1,
        [("CERTIFICATE_NOT_ON_RECORD", "institution")], [*BEGUN, "rated C-1"],
    ),
    Cause.RATING_NOT_ON_RECORD: (
        ENROLLED + bought() + completed() + certified(), JUNE_30, PT1,
        [("RATING_NOT_ON_RECORD", "participant"), ("REVIEW_NOT_ON_RECORD", "participant")],
        [*BEGUN, "certified C-1"],
    ),
    Cause.REVIEW_NOT_ON_RECORD: (
        ENROLLED + bought() + completed() + certified() + rated(reviewed=False), JUNE_30, PT1,
        [("REVIEW_NOT_ON_RECORD", "participant")], DONE,
    ),
    Cause.FIRST_INCENTIVE_NOT_PAID: (
        LIFE + surveyed(), JUNE_30, "survey/1", [("FIRST_INCENTIVE_NOT_PAID", "programme")],
        ["surveyed 1"],
    ),
    Cause.EARLIER_SURVEY_NOT_SUBMITTED: (
        LIFE + paid() + surveyed(2), JUNE_30, "survey/2",
        [("EARLIER_SURVEY_NOT_SUBMITTED", "participant")], ["settled D-1", "surveyed 2"],
    ),
    Cause.SURVEY_NOT_SUBMITTED: (
        LIFE + paid(), JUNE_30, "survey/1", [("SURVEY_NOT_SUBMITTED", "participant")],
        ["settled D-1"],
    ),
    Cause.REPORT_LAG: (LATE_RATING, JUNE_30, PT1, [("REPORT_LAG", "platform")], DONE),
    Cause.PROGRAMME_HOLD: (
        LIFE + held(), "2020-05-20", PT1, [("PROGRAMME_HOLD", "programme")], [*DONE, "held"],
    ),
    Cause.ACCOUNT_NOT_ON_RECORD: (
        LIFE + unlinked(), JUNE_30, PT1, [("ACCOUNT_NOT_ON_RECORD", "participant")],
        ["unlinked A-1", *DONE],
    ),
    Cause.ACCOUNT_REJECTED: (
        LIFE + rejected(on="2020-04-30", reason="technical"), JUNE_30, PT1,
        [("ACCOUNT_REJECTED", "payment-partner")],
        ["linked A-1 P-1", "bought B-1", "rejected A-1", "completed C-1", *DONE[2:]],
    ),
    Cause.ACCOUNT_NOT_VERIFIED: (
        enrolled() + linked() + earned(), JUNE_30, PT1, [("ACCOUNT_NOT_VERIFIED", "participant")],
        ["linked A-1", *DONE],
    ),
    Cause.TRANSFER_FAILED: (
        LIFE + instructed() + failed(reason="insufficient-funds"), JUNE_30, PT1,
        [("TRANSFER_FAILED", "programme")], [*DONE, "instructed D-1", "failed D-1"],
    ),
    Cause.TRANSFER_RETURNED: (
        LIFE + paid() + returned(reason="account-closed"), JUNE_30, PT1,
        [("TRANSFER_RETURNED", "participant")],
        [*DONE, "instructed D-1", "settled D-1", "returned D-1"],
    ),
    Cause.PAYMENT_WINDOW_OPEN: (LIFE, DUE, PT1, [("PAYMENT_WINDOW_OPEN", "programme")], DONE),
    Cause.NOT_INSTRUCTED: (LIFE, JUNE_30, PT1, [("NOT_INSTRUCTED", "programme")], DONE),
}  # fmt: skip


def test_every_cause_has_a_scenario():
    assert CASES.keys() == set(Cause)


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_is_given_with_its_owner(cause):
    """The first of the line's causes is the one shown, and its owner must act next."""
    history, as_of, line, causes, _ = CASES[cause]
    found = line_of(history, as_of, line)
    assert why(found) == causes
    assert (found.cause, found.owner) == (cause, causes[0][1])


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_points_at_the_facts_that_show_it(cause):
    history, as_of, line, _, evidence = CASES[cause]
    assert names(line_of(history, as_of, line).evidence) == evidence


# --- the nearest history in which a cause is not given ------------------------------------------

NEAREST = {
    Cause.REVOKED: (LIFE + revoked("2020-07-01"), JUNE_30, PT1),
    Cause.FIRST_COURSE_CUT_OFF: (ENROLLED, "2020-12-15", PT1),
    Cause.SURVEY_CUT_OFF: (LIFE + paid() + surveyed(1, "2020-12-15"), "2020-12-16", "survey/1"),
    Cause.LINK_CUT_OFF: (enrolled() + earned() + linked(on="2021-03-04"), "2021-03-05", PT1),
    Cause.TRAINING_CUT_OFF: (LIFE, "2020-12-15", "training"),
    Cause.AWAITING_OUTCOME: (LIFE + instructed() + failed(), JUNE_30, PT1),
    Cause.MONTH_NOT_REACHED: (LIFE, "2020-06-04", PT2),
    Cause.NO_PURCHASE: (ENROLLED + bought(), JUNE_30, PT1),
    Cause.COURSE_NOT_COMPLETED: (ENROLLED + bought() + completed(), JUNE_30, PT1),
    Cause.CERTIFICATE_NOT_ON_RECORD: (
        ENROLLED + bought() + completed() + certified(), JUNE_30, PT1,
    ),
    Cause.RATING_NOT_ON_RECORD: (
        ENROLLED + bought() + completed() + rated(reviewed=False), JUNE_30, PT1,
    ),
    Cause.REVIEW_NOT_ON_RECORD: (ENROLLED + bought() + completed() + rated(), JUNE_30, PT1),
    Cause.FIRST_INCENTIVE_NOT_PAID: (LIFE + paid() + returned(), JUNE_30, "survey/1"),
    Cause.EARLIER_SURVEY_NOT_SUBMITTED: (LIFE + paid(), JUNE_30, "survey/1"),
    Cause.SURVEY_NOT_SUBMITTED: (LIFE + surveyed(), JUNE_30, "survey/1"),
    Cause.REPORT_LAG: (LATE_RATING, "2020-07-10", PT1),
    Cause.PROGRAMME_HOLD: (LIFE + held() + resumed(on="2020-05-20"), "2020-05-20", PT1),
    Cause.ACCOUNT_NOT_ON_RECORD: (LIFE + unlinked() + linked("A-2", "2020-05-01"), JUNE_30, PT1),
    Cause.ACCOUNT_REJECTED: (
        LIFE + rejected(on="2020-04-30") + verified(on="2020-05-01", id="at last"), JUNE_30, PT1,
    ),
    Cause.ACCOUNT_NOT_VERIFIED: (
        enrolled() + linked() + rejected() + earned(), JUNE_30, PT1,
    ),
    Cause.TRANSFER_FAILED: (
        LIFE + instructed() + failed() + settled(on="2020-05-12", amount=1), JUNE_30, PT1,
    ),
    Cause.TRANSFER_RETURNED: (
        LIFE + paid() + returned() + instructed("D-2", "2020-05-12"), JUNE_30, PT1,
    ),
    Cause.PAYMENT_WINDOW_OPEN: (LIFE, "2020-05-15", PT1),
    Cause.NOT_INSTRUCTED: (LIFE + held(), "2020-05-20", PT1),
}  # fmt: skip


@pytest.mark.parametrize("cause", Cause)
def test_in_the_nearest_other_history_the_cause_is_not_given(cause):
    history, as_of, line = NEAREST[cause]
    assert cause not in {one.cause for one in line_of(history, as_of, line).causes}


# --- several causes, in the order of the contract -----------------------------------------------


def causes(history, as_of=JUNE_30, line=PT1, known_at=None):
    return [cause for cause, _ in why(line_of(history, as_of, line, known_at))]


def test_a_paid_line_has_no_cause_whatever_else_holds():
    assert causes(LIFE + paid() + revoked() + held(on="2020-06-01")) == []


def test_a_forfeited_line_gives_all_that_forfeits_it_and_what_is_still_in_flight():
    history = enrolled() + instructed() + revoked()
    assert causes(history, "2021-03-05", "post-training/1") == [
        "REVOKED", "FIRST_COURSE_CUT_OFF", "LINK_CUT_OFF", "AWAITING_OUTCOME",
    ]  # fmt: skip
    assert causes(history, "2021-03-05", "survey/1") == [
        "REVOKED", "FIRST_COURSE_CUT_OFF", "SURVEY_CUT_OFF", "LINK_CUT_OFF",
    ]  # fmt: skip


def test_a_line_in_flight_but_not_earned_gives_what_is_missing_and_no_more():
    history = enrolled() + bought() + held(on="2020-05-01") + instructed()
    assert causes(history) == ["AWAITING_OUTCOME", "COURSE_NOT_COMPLETED"]


def test_a_coming_month_in_flight_gives_the_calendar():
    history = LIFE + instructed("D-2", line=PT2)
    assert causes(history, "2020-05-20", PT2) == ["AWAITING_OUTCOME", "MONTH_NOT_REACHED"]


def test_a_later_incentive_gives_what_the_first_one_misses():
    assert causes(ENROLLED + bought() + completed(), line=PT3) == [
        "CERTIFICATE_NOT_ON_RECORD", "RATING_NOT_ON_RECORD", "REVIEW_NOT_ON_RECORD",
    ]  # fmt: skip


def test_a_survey_gives_all_that_it_misses():
    assert causes(ENROLLED, line="survey/3") == [
        "FIRST_INCENTIVE_NOT_PAID", "EARLIER_SURVEY_NOT_SUBMITTED", "SURVEY_NOT_SUBMITTED",
    ]  # fmt: skip


def test_an_earned_line_gives_every_hindrance_in_order():
    """Late report, hold, no account, payment window: each is somebody's next step."""
    history = enrolled() + bought() + completed() + certified() + rated(known="2020-06-01")
    history += held()
    assert causes(history, DUE) == [
        "REPORT_LAG", "PROGRAMME_HOLD", "ACCOUNT_NOT_ON_RECORD", "PAYMENT_WINDOW_OPEN",
    ]  # fmt: skip


def test_a_failed_transfer_to_a_rejected_account_within_the_window():
    history = LIFE + instructed() + failed(reason="account-closed")
    history += rejected(on="2020-05-09", reason="account-closed")
    assert causes(history, DUE) == [
        "ACCOUNT_REJECTED", "TRANSFER_FAILED", "PAYMENT_WINDOW_OPEN",
    ]  # fmt: skip


def test_a_report_lag_ends_with_the_first_instruction():
    assert causes(LATE_RATING + instructed() + failed()) == ["TRANSFER_FAILED"]


def test_a_report_lag_is_about_every_event_that_the_earned_date_rests_on():
    """A survey rests on the first incentive's events too, and points at the late ones."""
    history = LATE_RATING + paid() + surveyed(1, known="2020-07-05")
    line = line_of(history, JUNE_30, "survey/1")
    assert why(line) == [("REPORT_LAG", "platform")]
    assert names(line.evidence) == ["rated C-1", "settled D-1", "surveyed 1"]


def test_a_later_incentive_lags_with_the_reports_of_the_first():
    assert causes(LATE_RATING, line=PT2) == ["REPORT_LAG"]


def test_a_report_learned_on_the_day_asked_for_does_not_lag():
    """Recorded in the last moment of D, at any precision."""
    history = [e for e in LIFE if "course-rated" not in e["type"]]
    history += rated(known="2020-06-30T23:59:59.99999999")
    assert causes(history) == ["NOT_INSTRUCTED"]


def test_a_settlement_of_too_little_and_nothing_since_is_not_instructed():
    assert causes(LIFE + paid(amount=1)) == ["NOT_INSTRUCTED"]


def test_the_latest_instruction_speaks_for_the_line():
    """The first transfer failed; the second is under way, and that is what is awaited."""
    history = LIFE + instructed() + failed() + instructed("D-2", "2020-05-12")
    assert causes(history) == ["AWAITING_OUTCOME"]


def test_the_latest_of_two_returns_gives_the_reason():
    history = LIFE + paid() + returned(amount=1, reason="technical")
    history += returned(on="2020-05-12", amount=2, reason="account-closed", id="again")
    assert why(line_of(history, JUNE_30)) == [("TRANSFER_RETURNED", "participant")]


def test_where_k_hides_the_void_of_a_failure_the_first_of_two_gives_the_reason():
    history = LIFE + instructed() + failed(reason="account-closed")
    history += voided("failed D-1", "2020-05-09", known="2020-09-01")
    history += failed(on="2020-05-10", reason="technical", id="failed anew")
    hidden = line_of(history, JUNE_30, PT1, "2020-08-31")
    assert why(hidden) == [("TRANSFER_FAILED", "participant")]
    assert names(hidden.evidence)[-2:] == ["failed D-1", "failed anew"]
    assert why(line_of(history, JUNE_30)) == [("TRANSFER_FAILED", "payment-partner")]


def test_a_disbursement_whose_instruction_is_not_in_view_is_not_the_latest():
    history = LIFE + instructed() + failed() + voided("instructed D-1")
    assert causes(history) == ["NOT_INSTRUCTED"]


# --- the account --------------------------------------------------------------------------------


def test_a_new_link_starts_unverified():
    assert causes(LIFE + linked("A-2", "2020-05-01")) == ["ACCOUNT_NOT_VERIFIED"]


def test_the_same_account_linked_again_starts_unverified():
    assert causes(LIFE + linked("A-1", "2020-05-01")) == ["ACCOUNT_NOT_VERIFIED"]


def test_a_verification_whose_link_is_voided_verifies_nothing():
    history = enrolled() + linked() + verified() + earned() + voided("linked A-1")
    line = line_of(history, JUNE_30)
    assert why(line) == [("ACCOUNT_NOT_ON_RECORD", "participant")]
    assert names(line.evidence) == DONE


def test_an_unlinking_of_what_is_not_linked_in_view_moves_nothing():
    history = LIFE + unlinked() + linked("A-2", "2020-04-22") + verified("A-2", "2020-04-25")
    assert causes(history) == ["NOT_INSTRUCTED"]


def test_a_word_about_an_account_that_is_not_the_linked_one_is_passed_over():
    """Rejected on the 25th, by time after another was linked on the 24th."""
    history = enrolled() + linked() + rejected(on="2020-04-25") + linked("A-2", "2020-04-24")
    assert causes(history + verified("A-2", "2020-04-24T13:00:00") + earned()) == [
        "NOT_INSTRUCTED"
    ]


# --- who must act -------------------------------------------------------------------------------


def test_every_cause_has_an_owner_of_its_own_or_of_its_reason():
    assert OWNERS.keys() | OWNED_BY_REASON == set(Cause)
    assert not OWNERS.keys() & OWNED_BY_REASON


def test_every_owner_owns_a_cause():
    assert set(OWNERS.values()) == set(Owner)


def test_every_cause_is_prepared_with_every_reason_it_can_have():
    assert BECAUSE.keys() == OWNERS.keys()
    assert BECAUSE_OF.keys() == {(cause, code) for cause in OWNED_BY_REASON for code in REASONS}


REASON_TABLE = {
    "account-closed": ("participant", "AC04"),
    "account-blocked": ("participant", "AC06"),
    "account-not-found": ("participant", "AC01"),
    "not-kyc": ("participant", None),
    "wallet-limit": ("participant", "AM02"),
    "nik-mismatch": ("participant", "BE01"),
    "name-mismatch": ("participant", "BE22"),
    "phone-changed": ("participant", None),
    "insufficient-funds": ("programme", "AM04"),
    "partner-rejected": ("payment-partner", "MS03"),
    "technical": ("payment-partner", "AB05"),
    "unknown": ("payment-partner", "NARR"),
}


def test_the_reason_codes_are_those_of_the_contract():
    found = {code: (reason.owner.value, reason.iso20022) for code, reason in REASONS.items()}
    assert found == REASON_TABLE


@pytest.mark.parametrize("reason", REASON_TABLE)
def test_the_owner_of_a_failed_transfer_is_that_of_its_reason(reason):
    line = line_of(LIFE + instructed() + failed(reason=reason), JUNE_30)
    assert (why(line), line.causes[0].reason) == (
        [("TRANSFER_FAILED", REASON_TABLE[reason][0])], reason,
    )  # fmt: skip
