"""What may be recorded next: every "legal when" of section 2, and the sentence where it may not.

Each case is a history and one more fact. Refused cases stand beside the nearest that are recorded.
"""

from __future__ import annotations

import re

import pytest

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.legality import ALWAYS_LEGAL, JUDGED_BY_THE_REGISTER, decide
from prakerja_ledger.domain.register import Duplicate, Recorded
from tests.support import (
    WHO, as_lines, bought, certified, complained, completed, corrected, earned, enrolled, failed,
    held, instructed, line_of, linked, offered, paid, rated, read, recorded, refunded, reinstated,
    rejected, resolved, resumed, returned, revoked, sales_stopped, settled, surveyed, unlinked,
    verified, view, voided, withdrawn,
)  # fmt: skip

IN = enrolled()
LINKED = IN + linked()
BOUGHT = IN + bought()
SENT = IN + instructed()
PAID = SENT + settled()


def last(history):
    """What became of the last line; all before it must be recorded."""
    found = read(history)
    *before, outcome = found.outcomes.values()
    assert all(isinstance(one, Recorded) for one in before), found.refusals
    return outcome


ENROL_FIRST = (
    "no enrolment of P-1 is recorded before it. Import the enrolment first, then this line again."
)
NOT_LINKED = (
    "account A-1 is not the linked one. "
    "Send the linking before its verification, rejection or unlinking."
)
NEVER_LINKED = (
    "account A-9 was never linked by this participant before it. "
    "Import the linking first, then this line again."
)
NO_COURSE = (
    "course C-9 is in no purchase of this participant recorded before it. "
    "Import the purchase first, then this line again."
)
NO_DISBURSEMENT = (
    "no disbursement D-9 of this participant is recorded before it. "
    "Import the instruction first, then this line again."
)
MOVED_ON = IN + linked() + linked("A-2", "2020-04-22")

# name → (history, refused fact, code, sentence)
REFUSED = {
    "enrolled twice": (
        IN, enrolled(id="again"), "ALREADY_ENROLLED",
        "participant P-1 is enrolled already. Correct a wrong enrolment by an enrolment-corrected.",
    ),
    "a fact before the enrolment": ([], linked(), "NOT_ENROLLED", ENROL_FIRST),
    "a correction before the enrolment": (
        [], corrected(wave=1, scheme="semi-bansos-2020"), "NOT_ENROLLED", ENROL_FIRST,
    ),
    "a void for nobody": ([], voided("x"), "NOT_ENROLLED", ENROL_FIRST),
    "a void for a package without events": (
        [], voided("x", who="P-1"), "NOT_ENROLLED", ENROL_FIRST,
    ),
    "verified, never linked": (LINKED, verified("A-9"), "UNKNOWN_REFERENCE", NEVER_LINKED),
    "rejected, never linked": (LINKED, rejected("A-9"), "UNKNOWN_REFERENCE", NEVER_LINKED),
    "unlinked, never linked": (LINKED, unlinked("A-9"), "UNKNOWN_REFERENCE", NEVER_LINKED),
    "verified, replaced since": (MOVED_ON, verified(), "ILLEGAL_MOVE", NOT_LINKED),
    "rejected, replaced since": (MOVED_ON, rejected(), "ILLEGAL_MOVE", NOT_LINKED),
    "unlinked, replaced since": (MOVED_ON, unlinked(), "ILLEGAL_MOVE", NOT_LINKED),
    "unlinked twice": (LINKED + unlinked(), unlinked(id="again"), "ILLEGAL_MOVE", NOT_LINKED),
    "verified, the link voided": (
        LINKED + voided("linked A-1"), verified(), "ILLEGAL_MOVE", NOT_LINKED,
    ),
    "a purchase id used before": (
        BOUGHT, bought("C-2", id="again"), "ILLEGAL_MOVE",
        "purchase id B-1 is used already, and an id is never used again. Give it a new one.",
    ),
    "a purchase id used by a voided purchase": (
        BOUGHT + voided("bought B-1"), bought("C-2", id="again"), "ILLEGAL_MOVE",
        "purchase id B-1 is used already, and an id is never used again. Give it a new one.",
    ),
    "a package that was never offered": (
        IN, bought(package="PK-1"), "UNKNOWN_REFERENCE",
        "package PK-1 was never offered before it. Import the offer first, then this line again.",
    ),
    "a refund of no purchase": (
        IN, refunded(1), "UNKNOWN_REFERENCE",
        "no purchase B-1 of this participant is recorded before it. "
        "Import the purchase first, then this line again.",
    ),
    "refunds above the price": (
        BOUGHT + refunded(1), refunded(400_000, id="again"), "ILLEGAL_MOVE",
        "refunds of purchase B-1 would add up to 400001, more than its price of 400000. "
        "Correct the amount, or void the refund that is wrong.",
    ),
    "completed what was not bought": (BOUGHT, completed("C-9"), "UNKNOWN_REFERENCE", NO_COURSE),
    "certified what was not bought": (BOUGHT, certified("C-9"), "UNKNOWN_REFERENCE", NO_COURSE),
    "rated what was not bought": (BOUGHT, rated("C-9"), "UNKNOWN_REFERENCE", NO_COURSE),
    "completed twice": (
        BOUGHT + completed(), completed(id="again"), "ILLEGAL_MOVE",
        "course C-1 is completed already. Void that completion first, if it is wrong.",
    ),
    "certified twice": (
        BOUGHT + certified(), certified(id="again"), "ILLEGAL_MOVE",
        "course C-1 is certified already. Void that certificate first, if it is wrong.",
    ),
    "a survey that the scheme lacks": (
        IN, surveyed(4), "ILLEGAL_MOVE",
        "survey 4 does not exist: scheme semi-bansos-2020 has 3. Correct the number, or the "
        "enrolment.",
    ),
    "a survey that the corrected scheme lacks": (
        IN + corrected(wave=50, scheme="normal-2023"), surveyed(3), "ILLEGAL_MOVE",
        "survey 3 does not exist: scheme normal-2023 has 2. Correct the number, or the enrolment.",
    ),
    "a survey submitted twice": (
        IN + surveyed(), surveyed(id="again"), "ILLEGAL_MOVE",
        "survey 1 is submitted already. Void that submission first, if it is wrong.",
    ),
    "a disbursement id used before": (
        SENT, instructed(id="again"), "ILLEGAL_MOVE",
        "disbursement id D-1 is used already, and an id is never used again. Give it a new one.",
    ),
    "an instalment that the scheme lacks": (
        IN, instructed(line="post-training/5"), "ILLEGAL_MOVE",
        "post-training instalment 5 does not exist: scheme semi-bansos-2020 has 4. "
        "Correct the number, or the enrolment.",
    ),
    "a survey instalment that the scheme lacks": (
        IN, instructed(line="survey/4"), "ILLEGAL_MOVE",
        "survey instalment 4 does not exist: scheme semi-bansos-2020 has 3. "
        "Correct the number, or the enrolment.",
    ),
    "settled, never instructed": (SENT, settled("D-9"), "UNKNOWN_REFERENCE", NO_DISBURSEMENT),
    "failed, never instructed": (SENT, failed("D-9"), "UNKNOWN_REFERENCE", NO_DISBURSEMENT),
    "returned, never instructed": (SENT, returned("D-9"), "UNKNOWN_REFERENCE", NO_DISBURSEMENT),
    "the same bank reference twice": (
        PAID, settled(id="again"), "ILLEGAL_MOVE",
        "disbursement D-1 is settled under reference R-1 already. The same transfer twice is one "
        "transfer; another transfer has another reference.",
    ),
    "failed after a settlement": (
        PAID, failed(), "ILLEGAL_MOVE",
        "disbursement D-1 has an outcome already. Money that came back after a settlement is a "
        "return.",
    ),
    "failed twice": (
        SENT + failed(), failed(id="again"), "ILLEGAL_MOVE",
        "disbursement D-1 has an outcome already. Money that came back after a settlement is a "
        "return.",
    ),
    "returned, never settled": (
        SENT, returned(), "ILLEGAL_MOVE",
        "of disbursement D-1 only 0 is settled and not yet returned. Import the settlement first, "
        "or correct the amount.",
    ),
    "returned more than was settled": (
        PAID + returned(amount=1), returned(amount=600_000, id="again"), "ILLEGAL_MOVE",
        "of disbursement D-1 only 599999 is settled and not yet returned. Import the settlement "
        "first, or correct the amount.",
    ),
    "returned, the settlement voided": (
        PAID + voided("settled D-1"), returned(amount=1), "ILLEGAL_MOVE",
        "of disbursement D-1 only 0 is settled and not yet returned. Import the settlement first, "
        "or correct the amount.",
    ),
    "returned, the settlement voided after a return": (
        PAID + returned() + voided("settled D-1"), returned(amount=1, id="again"), "ILLEGAL_MOVE",
        "of disbursement D-1 only 0 is settled and not yet returned. Import the settlement first, "
        "or correct the amount.",
    ),
    "a complaint id used before": (
        IN + complained(), complained(id="again"), "ILLEGAL_MOVE",
        "complaint id K-1 is used already, and an id is never used again. Give it a new one.",
    ),
    "resolved, never filed": (
        IN, resolved(), "UNKNOWN_REFERENCE",
        "no complaint K-1 of this participant is recorded before it. "
        "Import the complaint first, then this line again.",
    ),
    "withdrawn, never offered": (
        [], withdrawn(), "UNKNOWN_REFERENCE",
        "package PK-1 was never offered before it. Import the offer first, then this line again.",
    ),
    "offered twice": (
        offered(), offered(id="again"), "ILLEGAL_MOVE",
        "package PK-1 is offered already. Void that offer first, if it is wrong.",
    ),
    "a void of no event": (
        IN, voided("x"), "UNKNOWN_REFERENCE",
        "no event //test x of this subject is recorded before it. "
        "Import that event first, or correct the source and id that the void names.",
    ),
    "a void of another subject's event": (
        IN + enrolled(who="P-2") + linked(who="P-2"), voided("linked A-1"), "UNKNOWN_REFERENCE",
        "no event //test linked A-1 of this subject is recorded before it. "
        "Import that event first, or correct the source and id that the void names.",
    ),
    "a void of an enrolment": (
        IN, voided("enrolled P-1"), "ILLEGAL_MOVE",
        "enrolled events cannot be voided. Correct an enrolment by an enrolment-corrected; a voided "
        "event is sent again under a new id.",
    ),
    "a void of a void": (
        LINKED + voided("linked A-1"), voided("voided linked A-1"), "ILLEGAL_MOVE",
        "event-voided events cannot be voided. Correct an enrolment by an enrolment-corrected; a "
        "voided event is sent again under a new id.",
    ),
    "an identity used with other content": (
        IN, linked(id="enrolled P-1"), "CONFLICTING_DUPLICATE",
        "//test enrolled P-1 is recorded before (at 1) with other content. An identity is used "
        "once for ever: send the new fact under a new id.",
    ),
    "an identity used by another subject": (
        LINKED + enrolled(who="P-2"), linked(who="P-2"), "CONFLICTING_DUPLICATE",
        "//test linked A-1 is recorded before (at 2) with other content. An identity is used once "
        "for ever: send the new fact under a new id.",
    ),
    "voided twice": (
        LINKED + voided("linked A-1"), voided("linked A-1", id="again"), "ILLEGAL_MOVE",
        "event //test linked A-1 is voided already.",
    ),
    "revoked twice": (
        IN + revoked(), revoked(id="again"), "ILLEGAL_MOVE",
        "the participation is revoked already.",
    ),
    "reinstated, never revoked": (
        IN, reinstated(), "ILLEGAL_MOVE", "the participation does not stand revoked.",
    ),
    "resolved twice": (
        IN + complained() + resolved(), resolved(id="again"), "ILLEGAL_MOVE",
        "complaint K-1 is resolved already.",
    ),
    "withdrawn twice": (
        offered() + withdrawn(), withdrawn(id="again"), "ILLEGAL_MOVE",
        "package PK-1 is withdrawn already.",
    ),
    "held twice": (held(), held(id="again"), "ILLEGAL_MOVE", "payments are held already."),
    "resumed, not held": ([], resumed(), "ILLEGAL_MOVE", "payments do not stand held."),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_legal_is_quarantined_with_its_code(name):
    history, fact, code, _ = REFUSED[name]
    outcome = last(history + fact)
    assert isinstance(outcome, Refusal)
    assert outcome.code == code


@pytest.mark.parametrize("name", REFUSED)
def test_the_refusal_says_what_and_why(name):
    history, fact, _, sentence = REFUSED[name]
    assert str(last(history + fact)).startswith(sentence)


@pytest.mark.parametrize("name", REFUSED)
def test_the_refusal_says_what_to_do(name):
    """A second sentence, after what is wrong: section 1 asks for what to do."""
    history, fact, *_ = REFUSED[name]
    sentences = re.split(r"(?<=[.:;]) (?=[A-Za-z])", str(last(history + fact)))
    assert len(sentences) > 1


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_fact_changes_nothing(name):
    """Whatever was legal before it is legal after it: the same line is refused the same way."""
    history, fact, code, _ = REFUSED[name]
    found = read(history + fact + fact)
    assert [one.code for one in found.refusals.values()] == [code, code]


RECORDED = {
    "corrected, as often as you like": IN + corrected(wave=2, scheme="semi-bansos-2020")
    + corrected(wave=3, scheme="semi-bansos-2020", id="again"),
    "linked again": LINKED + linked(id="again"),
    "verified twice": LINKED + verified() + verified(id="again"),
    "rejected after verified": LINKED + verified() + rejected(),
    "linked anew after unlinking": LINKED + unlinked() + linked(id="again") + verified(),
    "the link before holds again when its successor is voided": MOVED_ON + voided("linked A-2")
    + verified(),
    "the link holds again when the unlinking is voided": LINKED + unlinked()
    + voided("unlinked A-1") + verified(),
    "the id of another participant's purchase": BOUGHT + enrolled(who="P-2")
    + bought(who="P-2", id="other"),
    "a package offered, withdrawn and voided": offered() + withdrawn()
    + voided("offered PK-1", who="PK-1") + IN + bought(package="PK-1"),
    "refunded to the last rupiah": BOUGHT + refunded(1) + refunded(399_999, id="rest"),
    "refunded again after a void": BOUGHT + refunded(400_000) + voided("refunded")
    + refunded(400_000, id="again"),
    "refunded of a voided purchase": BOUGHT + voided("bought B-1") + refunded(400_000),
    "completed a course bought by bank transfer": IN + bought(method="atm") + completed(),
    "completed a course of a voided purchase": BOUGHT + voided("bought B-1") + completed(),
    "completed again after a void": BOUGHT + completed() + voided("completed C-1")
    + completed(id="again"),
    "certified again after a void": BOUGHT + certified() + voided("certified C-1")
    + certified(id="again"),
    "certified before completed": BOUGHT + certified() + completed(),
    "rated as often as you like": BOUGHT + rated() + rated(id="again"),
    "the last survey of the scheme": IN + surveyed(3),
    "a survey of the scheme corrected to": enrolled(wave=50, scheme="normal-2023")
    + corrected(wave=1, scheme="semi-bansos-2020") + surveyed(3),
    "a survey, the correction voided": IN + corrected(wave=50, scheme="normal-2023")
    + voided("corrected") + surveyed(3),
    "submitted again after a void": IN + surveyed() + voided("surveyed 1") + surveyed(id="again"),
    "instructed before earned": IN + instructed(line="post-training/4"),
    "instructed twice for one line": SENT + instructed("D-2"),
    "instructed too much": IN + instructed(amount=2**53 - 1),
    "settled under another reference": PAID + settled(reference="R-2", id="again"),
    "settled after a failure": SENT + failed() + settled(),
    "settled under the reference of a voided settlement": PAID + voided("settled D-1")
    + settled(id="again"),
    "settled, the instruction voided": SENT + voided("instructed D-1") + settled(),
    "failed again after a void": SENT + failed() + voided("failed D-1") + failed(id="again"),
    "failed, the settlement voided": PAID + voided("settled D-1") + failed(),
    "returned to the last rupiah": PAID + returned(amount=1) + returned(amount=599_999, id="rest"),
    "returned again after a void": PAID + returned() + voided("returned D-1")
    + returned(id="again"),
    "revoked again after a reinstatement": IN + revoked() + reinstated() + revoked(id="again"),
    "revoked again after a void": IN + revoked() + voided("revoked") + revoked(id="again"),
    "reinstated again after a void": IN + revoked() + reinstated() + voided("reinstated")
    + reinstated(id="again"),
    "filed again under another id": IN + complained() + complained("K-2"),
    "resolved, the complaint voided": IN + complained() + voided("complained K-1") + resolved(),
    "resolved again after a void": IN + complained() + resolved() + voided("resolved K-1")
    + resolved(id="again"),
    "offered again after a void": offered() + voided("offered PK-1", who="PK-1")
    + offered(id="again"),
    "withdrawn again after a void": offered() + withdrawn() + voided("withdrawn PK-1", who="PK-1")
    + withdrawn(id="again"),
    "withdrawn, the offer voided": offered() + voided("offered PK-1", who="PK-1") + withdrawn(),
    "stopped as often as you like": sales_stopped() + sales_stopped(id="again"),
    "held again after resuming": held() + resumed() + held(id="again"),
    "held again after a void": held() + voided("held", who="programme") + held(id="again"),
    "resumed, the stop between voided": held() + sales_stopped()
    + voided("sales stopped", who="programme") + resumed(),
    "resumed again after a void": held() + resumed() + voided("resumed", who="programme")
    + resumed(id="again"),
    "judged in file order, whatever the times say": enrolled("2020-06-01") + bought(on="2020-04-01"),
    "participants and packages are separate name spaces": offered("X") + enrolled(who="X")
    + bought(who="X", package="X") + voided("offered X", who="X") + voided("bought B-1", who="X"),
    "a participant called programme": enrolled(who="programme") + held()
    + voided("held", who="programme"),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_the_nearest_legal_history_is_recorded_whole(name):
    found = read(RECORDED[name])
    assert found.refusals == {}
    assert found.counts == (len(RECORDED[name]), 0, 0)


def kinds(histories):
    return {event["type"] for history in histories for event in history}


def test_every_kind_of_fact_that_can_be_illegal_is_refused_in_a_scenario():
    """Kinds that are always legal are refused only where nobody is enrolled."""
    refused = {fact[-1]["type"] for _, fact, code, _ in REFUSED.values() if code != "NOT_ENROLLED"}
    always = {f.type_of(kind.kind) for kind in ALWAYS_LEGAL}
    assert refused | always == set(f.FACTS)


def test_every_kind_of_fact_is_recorded_in_a_scenario():
    assert kinds(RECORDED.values()) == set(f.FACTS)


def test_what_the_register_judges_itself_is_no_decision_of_a_stream():
    """Enrolment and voids: who exists is not a stream's to know."""
    found = recorded(IN)
    participant = found.register.participants.get(WHO)
    for kind, data in (
        (f.Enrolled, {"wave": 1, "scheme": "semi-bansos-2020"}),
        (f.EventVoided, {"source": "s", "id": "i", "reason": "r", "authority": "a"}),
    ):
        assert kind in JUDGED_BY_THE_REGISTER
        assert decide(participant, kind(**data), None) is None


# --- which code comes first -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "code"),
    [
        (IN + linked(id="enrolled P-1", who="nobody"), "CONFLICTING_DUPLICATE"),
        (enrolled(who="P-2") + enrolled(who="P-2", id="e"), "ALREADY_ENROLLED"),
        (settled(), "NOT_ENROLLED"),
        (bought(package="PK-9"), "NOT_ENROLLED"),
        (BOUGHT + bought(package="PK-9", id="again"), "UNKNOWN_REFERENCE"),
    ],
    ids=["conflict", "already enrolled", "not enrolled", "not enrolled, package", "package"],
)
def test_of_several_codes_that_apply_the_first_is_given(history, code):
    assert last(history).code == code


# --- duplicates -------------------------------------------------------------------------------------


def test_the_same_event_again_is_a_duplicate_of_its_position():
    assert last(LINKED + linked()) == Duplicate(2)


@pytest.mark.parametrize(
    "again",
    [
        linked(known="2020-09-01"),
        [linked()[0] | {"time": "2020-04-21T05:00:00.000Z"}],
        [linked()[0] | {"xkept": [None], "sequence": "7"}],
    ],
    ids=["learned at another time", "the same instant written otherwise", "kept attributes"],
)
def test_what_does_not_count_as_content_makes_no_conflict(again):
    assert last(LINKED + again) == Duplicate(2)


@pytest.mark.parametrize(
    "other",
    [
        linked("A-2", id="linked A-1"),
        linked(on="2020-04-21T12:00:00.000000001"),
        unlinked(id="linked A-1"),
    ],
    ids=["data", "a nanosecond", "type"],
)
def test_other_content_under_the_same_identity_is_a_conflict(other):
    assert last(LINKED + other).code == "CONFLICTING_DUPLICATE"


def test_a_voided_event_again_is_still_a_duplicate():
    assert last(LINKED + voided("linked A-1") + linked()) == Duplicate(2)


def test_a_duplicate_of_a_package_event_and_of_a_programme_event_is_found():
    history = offered() + held()
    found = read(history + history)
    assert found.counts == (2, 2, 0)


def test_an_id_used_only_by_quarantined_lines_is_free():
    found = read(verified("A-9", id="x") + IN + linked(id="x"))
    assert found.counts == (2, 0, 1)


def test_a_line_quarantined_before_is_judged_afresh():
    found = read(linked() + IN + linked())
    assert found.counts == (2, 0, 1)
    assert list(found.refusals) == [1]


def test_one_bad_line_never_hides_another():
    found = read(as_lines(linked()) + [b"", b"{"] + as_lines(verified()))
    assert [(n, one.code) for n, one in found.refusals.items()] == [
        (1, "NOT_ENROLLED"), (3, "NOT_JSON"), (4, "NOT_ENROLLED"),
    ]  # fmt: skip


# --- facts that break a rule of the programme happened ------------------------------------------------


@pytest.mark.parametrize(
    "history",
    [
        PAID + instructed("D-2") + settled("D-2"),
        IN + paid(),
        IN + paid(amount=5_000_000),
        offered() + sales_stopped() + IN + bought(package="PK-1", on="2020-07-01"),
        enrolled(wave=99),
        IN + revoked() + earned() + paid(),
    ],
    ids=["twice", "unearned", "too much", "after the stop", "wave", "after revocation"],
)
def test_a_fact_that_breaks_a_rule_of_the_programme_is_recorded(history):
    assert read(history).refusals == {}


# --- amounts are fixed when they are recorded ---------------------------------------------------------


def test_a_return_of_all_keeps_its_amount_when_a_settlement_is_voided_later():
    """Returned 150 in all; of it the 50 settlement never was: left is nothing, not minus 50."""
    history = IN + earned() + instructed() + settled(amount=100) + settled(
        reference="R-2", amount=50, id="second"
    ) + returned() + voided("second") + settled(reference="R-3", amount=70, id="third")  # fmt: skip
    assert line_of(history, "2020-06-30").paid == 20


def test_a_voided_return_gives_back_what_it_took():
    history = PAID + earned() + returned() + voided("returned D-1")
    assert line_of(history, "2020-06-30").paid == 600_000


def test_a_position_that_a_stream_does_not_hold_is_none_of_its_events():
    participant = recorded(IN + enrolled(who="P-2") + linked()).register.participants.get(WHO)
    assert [participant.at(position) for position in (0, 2, 4)] == [None, None, None]
    assert participant.at(3) is participant.events[1]


def test_folding_what_was_recorded_never_refuses():
    """A rule tightened later must not stop an old history from loading: here an unlinking of an
    account that is not the linked one, which no history could record today."""
    found = recorded(IN + linked() + linked("A-2", "2020-04-22"))
    participant = found.register.participants.get(WHO)
    *_, old = recorded(IN + linked() + unlinked()).events.values()
    participant.restore([old._replace(position=9)])
    assert participant.linked == "A-2"


def test_a_void_learned_later_is_not_known_before():
    history = PAID + earned() + voided("settled D-1", known="2020-09-01")
    assert line_of(history, "2020-06-30", known_at="2020-08-31").paid == 600_000
    assert line_of(history, "2020-06-30", known_at="2020-09-01").paid == 0
    assert recorded(history).statements(view("2020-06-30"))[0][0].total("paid") == 400_000
