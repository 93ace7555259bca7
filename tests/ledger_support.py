"""What tests of the wire, the ledger and its stores share: events as their writers have them.

`JournalContract` is what every store has to do, `OneLogContract` what one does besides whose
positions are counted, and `SharedByProcesses` one that several processes share. A store's tests
inherit them and say where a new, empty ledger is (`url`); nothing in them knows a database.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger.deciding import commands as c
from prakerja_ledger.deciding.commands import Command
from prakerja_ledger.domain import facts
from prakerja_ledger.domain.errors import Conflict, InvalidField, LedgerFault, Refusal, Refused
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.register import Duplicate, Register
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.evidence.canonical import told
from prakerja_ledger.evidence.wire import read_event
from prakerja_ledger.ledger.feed import FeedPage
from prakerja_ledger.ledger.filing import Filing
from prakerja_ledger.ledger.journal import PARTICIPANT_PREFIX, Journal
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.ledger.mapper import RecordedEvent

SHARED = Path(__file__).resolve().parents[2] / "shared"
VECTORS = SHARED / "vectors"
WHEN = "2020-05-19T10:00:00+07:00"

Given = dict[str, Any]


def envelope(kind: str, subject: str, id: str, data: Given, **attributes: Any) -> Given:
    """A CloudEvents object; further attributes stand before `data`."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": "//pmo",
        "type": f"prakerja.{kind}.v1",
        "subject": subject,
        "time": WHEN,
        **attributes,
        "data": data,
    }


def enrolment(subject: str = "P-1", id: str | None = None, **attributes: Any) -> Given:
    """An enrolment in the second wave."""
    data = {"wave": 2, "scheme": "semi-bansos-2020"}
    return envelope("enrolled", subject, id or f"enrolled {subject}", data, **attributes)


def purchase(subject: str = "P-1", id: str = "bought U1", **changes: Any) -> Given:
    """A purchase U1 of the course C-1."""
    data = {
        "purchase": "U1",
        "platform": "tokopedia",
        "price": 400_000,
        "method": "prakerja",
        "courses": [{"course": "C-1", "institution": "I-1"}],
        **changes,
    }
    return envelope("training-purchased", subject, id, data)


def as_bytes(given: Given) -> bytes:
    """The event as one compact line."""
    return json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode()


def padded_to(size: int, given: Given) -> bytes:
    """The event as a line of exactly so many bytes, filled up by a kept attribute."""
    line = as_bytes({**given, "x9": ""})
    return line.replace(b'"x9":""', b'"x9":"' + b"a" * (size - len(line)) + b'"')


def read(line: bytes) -> Event | Refusal:
    """A line as the format reads it."""
    return read_event(line, 1, KARTU_PRAKERJA)


def code_of(line: bytes) -> str:
    """The quarantine code of a line by its form alone; `ACCEPTED` for an event."""
    event = read(line)
    return event.code if isinstance(event, Refusal) else "ACCEPTED"


def codes_of(*lines: bytes) -> list[str]:
    """What becomes of each line of a history: RECORDED, DUPLICATE or its quarantine code."""
    register = Register(KARTU_PRAKERJA)
    codes = []
    for position, line in enumerate(lines, 1):
        event = read_event(line, position, KARTU_PRAKERJA)
        outcome = event if isinstance(event, Refusal) else register.record(event)
        if isinstance(outcome, Refusal):
            codes.append(outcome.code)
        else:
            codes.append("DUPLICATE" if isinstance(outcome, Duplicate) else "RECORDED")
    return codes


def to_record(subject: str, version: int, given: Given | None = None) -> RecordedEvent:
    """An event of a participant's stream, as a ledger hands it to its journal."""
    line = as_bytes(given or enrolment(subject, f"e{version}"))
    event = read(line)
    assert isinstance(event, Event), event
    return RecordedEvent(
        originator_id=PARTICIPANT_PREFIX + subject,
        originator_version=version,
        event=event,
        line=line,
    )


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


JULY_2 = datetime(2020, 7, 2, 3, 0, 0, tzinfo=UTC)
"""10:00 in WIB."""


def record_many(url: str, reporter: int, count: int, positions: Any) -> None:
    """One of several processes that record into one ledger: a participant each event."""
    with Ledger.open(url) as ledger:
        positions.put(
            [
                ledger.record(enrolment(f"P-{reporter}-{n}", f"e-{reporter}-{n}")).position
                for n in range(count)
            ]
        )


def together(work: Callable[[int], object], times: int) -> None:
    """Do the work so many times at once, each in a thread; an error of one is raised here."""
    with ThreadPoolExecutor(times) as threads:
        for done in [threads.submit(work, n) for n in range(times)]:
            done.result(timeout=60)


def subjects(lines: Iterable[bytes]) -> set[str]:
    """Whom lines are about."""
    return {json.loads(line)["subject"] for line in lines}


def command(kind: type[Command], id: str, **fields: Any) -> Command:
    """A command about P-1, unless the fields say otherwise."""
    return kind(source="//test", id=id, **{"subject": "P-1", **fields})


def ordinary_life(subject: str = "P-1") -> list[Command]:
    """Enrolled, paid account, one course done: post-training/1 is earned on 4 May 2020."""
    course = facts.Course(course="C-1", institution="LP-1")
    at = {
        "enrol": (c.Enrol, "2020-04-20", {"wave": 1, "scheme": "semi-bansos-2020"}),
        "link": (c.LinkAccount, "2020-04-21", {"provider": "ovo", "account": "A-1"}),
        "verify": (c.VerifyAccount, "2020-04-22", {"account": "A-1"}),
        "buy": (
            c.PurchaseTraining,
            "2020-04-23",
            {"purchase": "B-1", "platform": "sisnaker", "price": 400_000, "courses": [course]},
        ),
        "complete": (c.CompleteCourse, "2020-05-02", {"course": "C-1"}),
        "certify": (c.IssueCertificate, "2020-05-03", {"course": "C-1", "certificate": "SA-1"}),
        "rate": (c.RateCourse, "2020-05-04", {"course": "C-1", "programme": 5, "reviewed": True}),
    }
    return [
        command(kind, id, time=f"{on}T12:00:00+07:00", subject=subject, **fields)
        for id, (kind, on, fields) in at.items()
    ]


def instruct(id: str = "pay-1", line: str = "post-training/1", **fields: Any) -> Command:
    """The instruction to pay a line."""
    return command(c.Instruct, id, line=line, **fields)


MAY_20 = datetime(2020, 5, 20, 2, 0, 0, tzinfo=UTC)
"""When that life has gone so far: 09:00 in WIB."""


class Boom(Exception):
    """A fault that a test causes in the middle of a transaction."""


CALLS: dict[str, Callable[[Ledger], object]] = {
    "record": lambda ledger: ledger.record(enrolment("P-2")),
    "execute": lambda ledger: ledger.execute(
        c.Revoke(source="//pmo", id="1", subject="P-1", reason="fraud")
    ),
    "resolve": lambda ledger: ledger.resolve("//pmo", "1"),
    "find": lambda ledger: ledger.find("//pmo", "1"),
    "head": lambda ledger: ledger.head(),
    "lines": lambda ledger: list(ledger.lines()),
    "statement": lambda ledger: ledger.statement("P-1", as_of=date(2020, 7, 2)),
    "may_pay": lambda ledger: ledger.may_pay("P-1", "survey/1"),
    "using": lambda ledger: ledger.using(object()),
}
"""Every way to ask something of a ledger."""


class JournalContract:
    """What a ledger promises, whatever stores it, in however many shards. Inherit, and give `url`."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """The URL of a ledger that does not exist yet."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock(JULY_2)

    @pytest.fixture
    def ledger(self, url: str, clock: Clock) -> Iterator[Ledger]:
        with Ledger.open(url, clock=clock) as opened:
            yield opened

    @pytest.fixture
    def journal(self, ledger: Ledger) -> Journal:
        return ledger.journal

    # --- positions

    def test_a_new_ledger_holds_nothing(self, ledger: Ledger) -> None:
        assert (ledger.head(), list(ledger.lines())) == (0, [])

    # --- following

    @pytest.mark.parametrize("limit", [1, 2, 7, 100])
    def test_the_feed_gives_every_event_once_and_goes_on_where_it_stopped(
        self, ledger: Ledger, limit: int
    ) -> None:
        seen: list[bytes] = []
        cursor = ""
        for round in range(3):
            ledger.record_all([enrolment(f"P-{round}-{n}") for n in range(4)])
            ledger.record(purchase(f"P-{round}-1", f"bought {round}"))
            while True:
                page = ledger.feed(cursor, limit=limit)
                positions = [one.position for one in page.events]
                assert positions == sorted(positions)
                seen += [one.line for one in page.events]
                cursor = page.cursor
                if not page.more:
                    break
        assert sorted(seen) == sorted(ledger.lines())
        assert ledger.feed(cursor) == FeedPage(events=(), cursor=cursor, more=False)

    @pytest.mark.parametrize("cursor", ["x", "-1", "1.", "99999", 5, "1.1.1.1.1.1.1.1.1.1", "٣"])
    def test_what_is_no_cursor_of_this_ledger_is_refused(
        self, ledger: Ledger, cursor: Any
    ) -> None:
        ledger.record(enrolment("P-1"))
        with pytest.raises(InvalidField):
            ledger.feed(cursor)

    def test_who_follows_is_told_whose_facts_are_new(self, ledger: Ledger, journal: Journal) -> None:
        ledger.record_all([enrolment("P-1"), enrolment("P-2")])
        with journal.reading() as reading:
            before = reading.clocks()
        ledger.record_all([purchase("P-2"), enrolment("P-3")])
        with journal.reading() as reading:
            after = reading.clocks()
            assert set(reading.touched(before, after)) == {"participant/P-2", "participant/P-3"}
            assert set(reading.touched(after, after)) == set()
            lengths = {name: len(lines) for name, lines in reading.some(
                ["participant/P-2", "participant/P-4", "participant/P-1"]
            )}  # fmt: skip
            assert lengths == {"participant/P-2": 2, "participant/P-1": 1}
            assert [name for name, _ in reading.streams("participant/", "participant/P-1")] == [
                "participant/P-2", "participant/P-3",
            ]  # fmt: skip

    def test_a_transaction_undone_leaves_nothing(self, journal: Journal) -> None:
        with pytest.raises(Boom), journal.writing() as writing:
            writing.append([to_record("P-1", 1)])
            raise Boom

        with journal.reading() as reading:
            assert (reading.head(), list(reading.lines())) == (0, [])
            assert reading.find("//pmo", "e1") is None
            assert list(reading.stream("participant/P-1")) == []

    def test_nothing_appended_is_nothing_written(self, journal: Journal) -> None:
        with journal.writing() as writing:
            assert list(writing.append([])) == []
        with journal.reading() as reading:
            assert reading.head() == 0

    # --- closing

    @pytest.mark.parametrize("name", CALLS)
    def test_a_closed_ledger_says_that_it_is_closed(self, url: str, name: str) -> None:
        """Nothing opens it again unasked; closing it twice is closing it."""
        ledger = Ledger.open(url, clock=Clock(JULY_2))
        ledger.record(enrolment("P-1"))
        ledger.close()
        ledger.close()
        with pytest.raises(LedgerFault, match="the ledger is closed. Open it again"):
            CALLS[name](ledger)

    # --- identities and streams

    def test_an_identity_is_found_at_its_position(self, ledger: Ledger) -> None:
        ledger.record(enrolment("P-1"))
        second = ledger.record(enrolment("P-2"))

        assert ledger.find("//pmo", "enrolled P-2") == second.position

    def test_an_identity_never_recorded_is_not_found(self, ledger: Ledger) -> None:
        ledger.record(enrolment("P-1"))

        assert ledger.find("//bank", "enrolled P-1") is None

    def test_source_and_id_are_not_glued_together(self, ledger: Ledger) -> None:
        """("ab", "c") and ("a", "bc") are two identities."""
        ledger.record(enrolment("P-1", "c") | {"source": "ab"})

        assert not ledger.record(enrolment("P-2", "bc") | {"source": "a"}).duplicate

    def test_identities_differ_by_case_and_by_normalisation(self, ledger: Ledger) -> None:
        ids = ["é", "e\u0301", "E", "e", "e ", "ſ", "s"]
        receipts = [ledger.record(enrolment(f"P{n}", id)) for n, id in enumerate(ids)]

        assert [ledger.find("//pmo", id) for id in ids] == [one.position for one in receipts]
        assert len({one.position for one in receipts}) == len(ids)

    def test_an_identity_is_unique_for_ever(self, journal: Journal) -> None:
        """Also for a writer who never asked whether it is taken."""
        with journal.writing() as writing:
            writing.append([to_record("P-1", 1)])
        with pytest.raises(LedgerFault), journal.writing() as writing:
            writing.append([to_record("P-2", 1)])  # the same id, e1

        with journal.reading() as reading:
            assert len(list(reading.lines())) == 1

    def test_a_place_in_a_stream_is_taken_once(self, journal: Journal) -> None:
        with journal.writing() as writing:
            writing.append([to_record("P-1", 1)])
        with pytest.raises(LedgerFault), journal.writing() as writing:
            writing.append([to_record("P-1", 1, enrolment("P-1", "other"))])

        with journal.reading() as reading:
            assert len(list(reading.lines())) == 1

    def test_one_taken_identity_keeps_the_whole_batch_out(self, journal: Journal) -> None:
        with journal.writing() as writing:
            writing.append([to_record("P-1", 1)])
        fresh = to_record("P-3", 1, enrolment("P-3", "fresh"))
        with pytest.raises(LedgerFault), journal.writing() as writing:
            writing.append([fresh, to_record("P-2", 1)])

        with journal.reading() as reading:
            assert reading.find("//pmo", "fresh") is None
            assert len(list(reading.lines())) == 1

    def test_an_identity_twice_in_one_batch_keeps_the_whole_batch_out(
        self, journal: Journal
    ) -> None:
        with pytest.raises(LedgerFault), journal.writing() as writing:
            writing.append([to_record("P-1", 1), to_record("P-2", 1)])

        with journal.reading() as reading:
            assert list(reading.lines()) == []

    def test_a_stream_comes_back_in_the_order_of_recording(self, journal: Journal) -> None:
        with journal.writing() as writing:
            first, _, third = writing.append(
                [
                    to_record("P-1", 1, enrolment("P-1", "a")),
                    to_record("P-2", 1, enrolment("P-2", "b")),
                    to_record("P-1", 2, enrolment("P-1", "c")),
                ]
            )
        with journal.reading() as reading:
            stream = reading.stream("participant/P-1")

        assert [one.position for one in stream] == [first, third]
        assert first < third
        assert [json.loads(one.line)["id"] for one in stream] == ["a", "c"]

    def test_streams_come_in_the_order_of_code_points(self, journal: Journal) -> None:
        """Not of UTF-16 units, of a locale, or without case."""
        ids = ["p", "P-10", "P-2", "\ue000", "𝓐", "～", "é", "e\u0301", "P ", "Z", "P", "\x7f"]
        with journal.writing() as writing:
            writing.append(to_record(id, 1, enrolment(id, f"e {id}")) for id in ids)
        with journal.reading() as reading:
            names = [name for name, _ in reading.streams("participant/")]

        assert names == [f"participant/{id}" for id in sorted(ids)]

    def test_a_participant_and_a_package_of_one_name_are_two_streams(self, ledger: Ledger) -> None:
        enrolled = ledger.record(enrolment("SAME"))
        courses = [{"course": "C-1", "institution": "I-1"}]
        offer = {"platform": "tokopedia", "price": 1, "courses": courses}
        offered = ledger.record(envelope("package-offered", "SAME", "offer", offer))

        with ledger.journal.reading() as reading:
            assert [enrolled.position] == [
                one.position for one in reading.stream("participant/SAME")
            ]
            assert [offered.position] == [one.position for one in reading.stream("package/SAME")]
            assert [name for name, _ in reading.streams("package/")] == ["package/SAME"]

    def test_a_look_does_not_see_what_is_recorded_during_it(self, url: str) -> None:
        with Ledger.open(url) as reader, Ledger.open(url) as writer:
            writer.record(enrolment("P-1"))
            with reader.journal.reading() as reading:
                before = reading.head(), len(list(reading.lines()))
                writer.record(enrolment("P-2"))
                assert (reading.head(), len(list(reading.lines()))) == before
            assert len(list(reader.lines())) == 2

    def test_every_line_is_filed_as_it_says_itself(self, ledger: Ledger, journal: Journal) -> None:
        """Under its stream, type, number in the stream and identity; a role may be kept from seeing that."""
        ledger.record_all([enrolment(name) for name in ("P-1", "P\0-2", "P\1-2", "ö")])
        ledger.record_all([purchase("P-1"), purchase("ö", "bought \0")])
        with journal.reading() as looking:
            given, kept, filing = looking.filed(), looking.identities(), Filing()
            filed = None if given is None else list(given)
            lines = [(one.position, one.line) for one in looking.lines()]
            found = None if kept is None else list(kept)
        if filed is not None:
            assert [(row[0], row[4]) for row in filed] == lines
            assert [filing.wrong(row, told(row[4])) for row in filed] == [None] * 6
            assert found is None or (filing.finds(found), filing.finds(found[1:])) == (True, False)

    def test_two_looks_through_the_lines_go_on_side_by_side(self, ledger: Ledger) -> None:
        """Nothing is lost where one is left in the middle."""
        for n in range(3):
            ledger.record(enrolment(f"P-{n}"))
        with ledger.journal.reading() as reading:
            next(iter(reading.lines()))
            lines, again = list(reading.lines()), reading.lines()
            assert [pair[0] for pair in zip(again, reading.lines(), strict=True)] == lines

    def test_one_stream_may_be_read_while_going_through_all(self, ledger: Ledger) -> None:
        ledger.record_all([enrolment("P-1"), enrolment("P-2"), purchase("P-1")])
        with ledger.journal.reading() as reading:
            pairs = [
                (name, lines == list(reading.stream(name)), len(list(reading.streams("package/"))))
                for name, lines in reading.streams("participant/")
            ]

        assert pairs == [("participant/P-1", True, 0), ("participant/P-2", True, 0)]

    def test_lines_beyond_a_position_are_those_of_the_later_positions(self, ledger: Ledger) -> None:
        for n in range(4):
            ledger.record(enrolment(f"P-{n}"))
        with ledger.journal.reading() as reading:
            stored = list(reading.lines())
            assert [one.position for one in stored] == sorted(one.position for one in stored)
            assert list(reading.lines(stored[1].position)) == stored[2:]
            assert list(reading.lines(reading.head())) == []

    # --- what comes back

    def test_lines_come_back_byte_for_byte(self, ledger: Ledger) -> None:
        line = (
            b'{ "data":{"scheme":"semi-bansos-2020","wave":2} ,"specversion":"1.0","x1":[1.50,{}],'
        )
        line += (
            b'"id":"\\u0065\\/1","source":"//pmo","type":"prakerja.enrolled.v1","subject":"P-1",'
        )
        line += b'"time":"2020-05-19t03:00:00.000z","recordedtime":"2020-05-19T10:00:00+07:00"}'
        ledger.record(line)

        assert list(ledger.lines()) == [line]

    def test_what_was_recorded_is_there_when_the_ledger_is_opened_again(self, url: str) -> None:
        with Ledger.open(url) as ledger:
            ledger.record(enrolment("P-1", recordedtime=WHEN))
        with Ledger.open(url, create=False) as ledger:
            assert list(ledger.lines()) == [as_bytes(enrolment("P-1", recordedtime=WHEN))]

    # --- recording one event

    def test_an_event_without_recordedtime_is_stamped_by_the_ledgers_clock(
        self, ledger: Ledger
    ) -> None:
        ledger.record(enrolment())

        (line,) = ledger.lines()
        assert json.loads(line)["recordedtime"] == "2020-07-02T10:00:00+07:00"

    def test_the_stamp_leaves_the_rest_of_the_line_as_it_came(self, ledger: Ledger) -> None:
        ledger.record(as_bytes(enrolment()))

        (line,) = ledger.lines()
        assert line == (
            as_bytes(enrolment())[:-1] + b',"recordedtime":"2020-07-02T10:00:00+07:00"}'
        )

    def test_a_recordedtime_of_its_own_stays(self, ledger: Ledger) -> None:
        given = enrolment(recordedtime="2020-06-01T00:00:00Z")
        ledger.record(given)

        assert list(ledger.lines()) == [as_bytes(given)]

    def test_a_recordedtime_whose_key_is_escaped_stays_too(self, ledger: Ledger) -> None:
        line = as_bytes(enrolment(recordedtime="2020-06-01T00:00:00Z"))
        line = line.replace(b'"recordedtime"', b'"recorded\\u0074ime"')
        ledger.record(line)

        assert list(ledger.lines()) == [line]

    def test_recordedtime_elsewhere_in_the_event_is_not_its_recordedtime(
        self, ledger: Ledger
    ) -> None:
        ledger.record(enrolment(x1={"recordedtime": "2001-01-01T00:00:00Z"}))

        (line,) = ledger.lines()
        assert json.loads(line)["recordedtime"] == "2020-07-02T10:00:00+07:00"

    def test_a_clock_behind_the_event_stamps_the_events_own_time(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        clock.now = datetime(2019, 1, 1, tzinfo=UTC)
        ledger.record(enrolment())

        (line,) = ledger.lines()
        assert json.loads(line)["recordedtime"] == WHEN

    def test_a_duplicate_returns_the_position_it_has(self, ledger: Ledger, clock: Clock) -> None:
        ledger.record(enrolment("P-0"))
        first = ledger.record(enrolment("P-1"))
        clock.now = datetime(2021, 1, 1, tzinfo=UTC)

        assert not first.duplicate
        assert ledger.record(enrolment("P-1")) == Receipt(first.position, duplicate=True)
        assert len(list(ledger.lines())) == 2

    def test_a_duplicate_may_be_spelt_another_way(self, ledger: Ledger) -> None:
        first = ledger.record(enrolment())
        again = enrolment(x1="new", recordedtime="2020-06-01T00:00:00Z")
        again |= {"time": "2020-05-19t03:00:00.00z"}

        assert ledger.record(json.dumps(again, indent=None)) == Receipt(
            first.position, duplicate=True
        )

    def test_other_content_under_a_taken_identity_is_a_conflict(self, ledger: Ledger) -> None:
        first = ledger.record(enrolment("P-1", "e1"))
        with pytest.raises(Conflict) as raised:
            ledger.record(enrolment("P-2", "e1"))

        assert raised.value.code == "CONFLICTING_DUPLICATE"
        assert raised.value.fields["position"] == first.position
        assert "//pmo e1" in str(raised.value)
        assert len(list(ledger.lines())) == 1

    @pytest.mark.parametrize(
        ("code", "given"),
        [
            ("NOT_JSON", b"{"),
            ("NOT_JSON", "\ud800"),
            ("NOT_JSON", {"x1": float("nan")}),
            ("NOT_JSON", {"id": "\ud800"}),
            ("NOT_JSON", []),
            ("NOT_CLOUDEVENT", {}),
            ("NOT_CLOUDEVENT", enrolment() | {"subject": ""}),
            ("UNKNOWN_TYPE", enrolment() | {"type": "prakerja.enrolled.v2"}),
            ("INVALID_DATA", enrolment() | {"data": {"wave": True, "scheme": "normal-2023"}}),
            ("NOT_ENROLLED", purchase()),
        ],
        ids=str,
    )
    def test_a_refusal_carries_the_code_an_import_would_give(
        self, ledger: Ledger, code: str, given: Any
    ) -> None:
        with pytest.raises(Refused) as raised:
            ledger.record(given)

        assert raised.value.code == code
        assert len(str(raised.value)) > 20, "no sentence"
        assert ledger.head() == 0

    def test_a_refused_event_may_be_sent_again_once_what_it_needs_is_there(
        self, ledger: Ledger
    ) -> None:
        with pytest.raises(Refused):
            ledger.record(purchase())
        ledger.record(enrolment())

        assert not ledger.record(purchase()).duplicate

    # --- several at once

    def test_threads_recording_at_once_lose_nothing(self, ledger: Ledger) -> None:
        receipts: list[Receipt] = []

        def report(reporter: int) -> None:
            for n in range(10):
                given = enrolment(f"P-{reporter}-{n}", f"e-{reporter}-{n}")
                receipts.append(ledger.record(given))

        together(report, 4)

        assert len({one.position for one in receipts}) == 40
        assert subjects(ledger.lines()) == {f"P-{r}-{n}" for r in range(4) for n in range(10)}

    def test_threads_sending_the_same_record_it_once(self, ledger: Ledger) -> None:
        receipts: list[Receipt] = []
        together(lambda _: receipts.append(ledger.record(enrolment("P-1"))), 8)

        assert [one.duplicate for one in receipts].count(False) == 1
        assert len({one.position for one in receipts}) == 1
        assert len(list(ledger.lines())) == 1


class OneLogContract(JournalContract):
    """What a ledger of one shard promises besides: its positions are 1, 2, 3 and so on."""

    def test_positions_count_from_one_without_gaps(self, ledger: Ledger) -> None:
        positions = [ledger.record(enrolment(f"P-{n}")).position for n in range(5)]

        assert positions == [1, 2, 3, 4, 5]
        assert ledger.head() == 5

    def test_a_transaction_undone_uses_up_no_position(self, journal: Journal) -> None:
        with pytest.raises(Boom), journal.writing() as writing:
            assert list(writing.append([to_record("P-1", 1), to_record("P-1", 2)])) == [1, 2]
            raise Boom

        with journal.writing() as writing:
            assert list(writing.append([to_record("P-2", 1)])) == [1]

    def test_a_refused_event_uses_up_no_position(self, ledger: Ledger) -> None:
        ledger.record(enrolment("P-1"))
        with pytest.raises(Refused):
            ledger.record(enrolment("P-1", "again"))

        assert ledger.record(enrolment("P-2")).position == 2

    def test_positions_go_on_after_the_ledger_was_closed(self, url: str) -> None:
        with Ledger.open(url) as ledger:
            ledger.record(enrolment("P-1"))
        with Ledger.open(url) as ledger:
            assert ledger.record(enrolment("P-2")).position == 2

    def test_threads_recording_at_once_leave_no_gap(self, ledger: Ledger) -> None:
        together(lambda n: ledger.record_all([enrolment(f"P-{n}"), purchase(f"P-{n}", f"b{n}")]), 4)

        assert ledger.head() == len(list(ledger.lines())) == 8


class SharedByProcesses(JournalContract):
    """What a store promises besides that several processes share."""

    def test_processes_recording_at_once_lose_nothing(self, url: str) -> None:
        Ledger.open(url).close()
        spawn = multiprocessing.get_context("spawn")
        answers = spawn.Queue()
        reporters = [
            spawn.Process(target=record_many, args=(url, n, 100, answers)) for n in range(4)
        ]
        for reporter in reporters:
            reporter.start()
        positions = [position for _ in reporters for position in answers.get(timeout=60)]
        for reporter in reporters:
            reporter.join(timeout=60)
        answers.close()
        answers.join_thread()

        assert len(set(positions)) == 400
        with Ledger.open(url, create=False) as ledger:
            recorded = {f"P-{r}-{n}" for r in range(4) for n in range(100)}
            assert subjects(ledger.lines()) == recorded
            assert ledger.head() == max(positions)
            if isinstance(self, OneLogContract):
                assert max(positions) == 400, "there is a gap"
