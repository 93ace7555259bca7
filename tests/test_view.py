"""The view: what is in view as of a day, as known at a moment (contract, section 4)."""

from __future__ import annotations

from datetime import date

from prakerja_ledger.domain.time import instant
from prakerja_ledger.interfaces.json_output import known_at_json, statement_json
from prakerja_ledger.reading.dossier import look_at_programme
from prakerja_ledger.reading.view import View, each_once, events_in_view, in_order, look
from tests.support import (
    WHO, bought, completed, enrolled, held, line_of, linked, names, offered, recorded, resumed,
    statement_of, unlinked, verified, view, voided,
)  # fmt: skip


def in_view(history, as_of, known_at=None, who=WHO):
    stream = recorded(history).register.participants.get(who)
    return names(events_in_view(stream, view(as_of, known_at)))


def test_an_event_is_in_view_from_the_first_to_the_last_moment_of_its_day_in_wib():
    """Midnight in WIB is 17:00 UTC; a fraction of any length still belongs to its day."""
    history = enrolled() + linked(on="2020-04-30T17:00:00Z")
    history += verified(on="2020-05-01T23:59:59.9999999999")
    assert in_view(history, "2020-04-30") == ["enrolled P-1"]
    assert in_view(history, "2020-05-01") == ["enrolled P-1", "linked A-1", "verified A-1"]


def test_an_event_is_known_at_the_very_instant_it_was_recorded():
    history = enrolled() + linked(known="2020-05-01T10:00:00.0000005")
    assert in_view(history, "2020-06-30", "2020-05-01T10:00:00.0000005+07:00")[1:]
    assert not in_view(history, "2020-06-30", "2020-05-01T10:00:00.0000004+07:00")[1:]


def test_a_date_k_is_the_last_microsecond_of_that_day_and_no_later():
    """Recorded within the last microsecond, but after its start: not known."""
    history = enrolled() + linked(known="2020-05-01T23:59:59.999999")
    history += verified(known="2020-05-01T23:59:59.9999991")
    assert in_view(history, "2020-06-30", "2020-05-01") == ["enrolled P-1", "linked A-1"]


def test_without_a_k_all_that_is_recorded_is_known():
    history = enrolled() + linked(known="9999-12-31")
    assert in_view(history, "2020-06-30") == ["enrolled P-1", "linked A-1"]


def test_a_void_takes_its_event_out_whatever_the_voids_own_time():
    """Said on 30 June of a fact in April: as of May the fact is out already."""
    history = enrolled() + linked() + voided("linked A-1", "2020-06-30")
    assert in_view(history, "2020-05-01") == ["enrolled P-1"]


def test_a_void_is_in_view_itself_from_its_day_on():
    history = enrolled() + linked() + voided("linked A-1", "2020-06-30")
    assert in_view(history, "2020-06-30") == ["enrolled P-1", "voided linked A-1"]


def test_a_void_not_known_yet_leaves_its_event_in_view():
    history = enrolled() + linked() + voided("linked A-1", "2020-04-22", known="2020-06-30")
    assert in_view(history, "2020-06-30", "2020-06-29") == ["enrolled P-1", "linked A-1"]


def test_events_go_by_time_then_recorded_time_then_position():
    at = "2020-05-01T10:00:00"
    history = (
        enrolled()
        + linked("A-1", at, known="2020-05-03", id="third")
        + linked("A-1", at, known="2020-05-02", id="first")
        + linked("A-1", at, known="2020-05-02", id="second")
        + linked("A-1", "2020-05-01T09:59:59.999999999", id="before")
    )
    assert in_view(history, "2020-06-30")[1:] == ["before", "first", "second", "third"]


def test_order_compares_fractions_exactly():
    history = enrolled()
    for digits in ("1", "09", "0999999999999999999999", "10"):
        history += linked(on=f"2020-05-01T10:00:00.{digits}", id=digits)
    assert in_view(history, "2020-06-30")[1:] == ["09", "0999999999999999999999", "1", "10"]


def test_events_of_several_streams_are_in_order_each_once():
    events = list(recorded(enrolled() + held("2020-04-01") + linked()).events.values())
    assert names(each_once([*events, *events])) == ["held", "enrolled P-1", "linked A-1"]
    assert in_order([]) == []


def test_a_later_hold_while_held_is_still_the_first_one():
    """A resumption voided: two holds in a row, and the first one holds."""
    history = enrolled() + bought() + completed() + held("2020-05-01") + resumed("2020-05-02")
    history += held("2020-05-03", id="held again") + voided("resumed", who="programme")
    found = recorded(history)
    seen = look_at_programme(found.register.programme_stream, view("2020-06-30"))
    assert names([seen.hold]) == ["held"]


def test_looking_at_a_participant_out_of_view_shows_nothing():
    stream = recorded(enrolled()).register.participants.get(WHO)
    assert look(stream, View(as_of=date(2020, 4, 19))) is None


def test_known_at_is_echoed_in_utc():
    made = statement_of(enrolled(), "2020-07-02", "2020-07-02")
    assert '"known_at":"2020-07-02T16:59:59.999999Z"' in statement_json(made)


def test_known_at_is_echoed_exactly_without_trailing_zeros():
    seen = View(as_of=date(2020, 7, 2), known_at=instant("2020-07-02T10:00:00.1230+03:00"))
    assert known_at_json(seen) == "2020-07-02T07:00:00.123Z"


def test_an_open_k_is_echoed_as_null():
    assert '"known_at":null' in statement_json(statement_of(enrolled(), "2020-07-02"))


def test_inside_a_view_moves_go_by_the_order_of_events_not_of_recording():
    """Unlinked in the file after the new link, but earlier in time: the new link stands."""
    history = enrolled() + linked() + unlinked(on="2020-05-10")
    history += linked("A-2", "2020-05-09") + verified("A-2", "2020-05-11")
    line = line_of(history, "2020-06-30")
    assert line.cause == "NO_PURCHASE"
    assert in_view(history, "2020-06-30") == [
        "enrolled P-1", "linked A-1", "linked A-2", "unlinked A-1", "verified A-2",
    ]  # fmt: skip


def test_an_offer_is_seen_by_the_view_of_packages():
    stream = recorded(offered()).register.packages.get("PK-1")
    assert names(events_in_view(stream, view("2020-04-11"))) == ["offered PK-1"]
    assert events_in_view(stream, view("2020-04-10")) == []
