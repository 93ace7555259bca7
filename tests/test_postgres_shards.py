"""A ledger of several shards: logs side by side, and the one order in which all could have happened."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import psycopg
import pytest

from prakerja_ledger import facts
from prakerja_ledger.domain.errors import PrakerjaLedgerError, Refused
from prakerja_ledger.domain.events import Event
from prakerja_ledger.ledger.importing import Importer
from prakerja_ledger.ledger.journal import Intent
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.ledger.shards import clock_at, is_common, shard_at, shard_of
from tests import worlds
from tests.ledger_support import (
    MAY_20,
    Clock,
    JournalContract,
    SharedByProcesses,
    enrolment,
    envelope,
    instruct,
    ordinary_life,
    purchase,
    read,
    together,
)
from tests.postgres_support import (
    insert,
    logged_in,
    made,
    made_with_roles,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    through,
    without_options,
)
from tests.servers import connect

SHARDS = 4


@pytest.fixture
def url(shared_database: str) -> str:
    return made(shared_database, shards=SHARDS)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url) as opened:
        yield opened


def one_of(shard: int, without: Sequence[str] = (), shards: int = SHARDS) -> str:
    """The first participant that lies in a shard."""
    return next(
        name
        for name in (f"P-{n}" for n in range(10_000))
        if shard_of(f"participant/{name}", shards) == shard and name not in without
    )


def offer(package: str, id: str | None = None) -> dict[str, Any]:
    data = {
        "platform": "tokopedia",
        "price": 400_000,
        "courses": [{"course": "C-1", "institution": "I-1"}],
    }
    return envelope("package-offered", package, id or f"offered {package}", data)


def hold(id: str) -> dict[str, Any]:
    return envelope("payments-held", "programme", id, {"reason": "evaluation"})


def resumed(id: str) -> dict[str, Any]:
    return envelope("payments-resumed", "programme", id, {})


def void(subject: str, of: str, id: str) -> dict[str, Any]:
    data = {"source": "//pmo", "id": of, "reason": "typo", "authority": "PMO"}
    return envelope("event-voided", subject, id, data)


def rows_of(url: str) -> list[tuple[str, int, int, int]]:
    """Stream, shard, number and position of every event, in the order of positions."""
    with connect(without_options(url)) as connection:
        return connection.execute(
            "SELECT originator_id, shard, number, notification_id "
            f"FROM {schema_of(url)}.stored_events ORDER BY notification_id"
        ).fetchall()


def heads_of(url: str) -> dict[int, tuple[int, int]]:
    with connect(without_options(url)) as connection:
        rows = connection.execute(f"SELECT shard, number, clock FROM {schema_of(url)}.heads").fetchall()
    return {shard: (number, clock) for shard, number, clock in rows}


# --- the contract -------------------------------------------------------------------------------------


class TestShards(SharedByProcesses):
    """Several shards keep what every store promises."""

    @pytest.fixture
    def url(self, shared_database: str) -> str:
        return made(shared_database, shards=SHARDS)


class TestPlainShardsThroughPgBouncer(JournalContract):
    """Also without functions, and behind a pooler."""

    @pytest.fixture
    def url(self, shared_database: str, pgbouncer: Any) -> str:
        return through(made(shared_database, shards=3, functions="no"), pgbouncer.port)


class TestShardsAsCaller(JournalContract):
    """Also for who only calls."""

    @pytest.fixture
    def url(self, shared_database: str) -> str:
        return logged_in(made_with_roles(shared_database, shards=2), "caller")


# --- positions ----------------------------------------------------------------------------------------


def assert_one_order(url: str) -> list[tuple[str, int, int, int]]:
    """What holds of any ledger, whoever wrote to it at once. Returns its rows."""
    rows = rows_of(url)
    shards = len(heads_of(url))
    positions = [position for *_, position in rows]
    assert len(set(positions)) == len(positions), "a position was given twice"
    for shard, (number, clock) in heads_of(url).items():
        inside = [(n, at) for _, s, n, at in rows if s == shard]
        assert [n for n, _ in inside] == list(range(1, number + 1)), "numbers have a gap"
        assert all(shard_at(at, shards) == shard for _, at in inside), "a position of another shard"
        assert clock >= max((clock_at(at, shards) for _, at in inside), default=0)
    for name, shard, _, position in rows:
        assert shard == shard_of(name, shards), "a stream lies elsewhere"
        if is_common(name):
            assert all(
                clock >= clock_at(position, shards) for _, clock in heads_of(url).values()
            ), "somebody may still come before it"
    return rows


def test_each_shard_counts_its_own_events_without_gaps(url: str, ledger: Ledger):
    for n in range(40):
        ledger.record(enrolment(f"P-{n}"))

    rows = assert_one_order(url)
    assert {shard for _, shard, _, _ in rows} == set(range(SHARDS))


def test_positions_rise_within_a_shard_whatever_happens_in_others(ledger: Ledger):
    here, there = one_of(1), one_of(2)
    receipts = [
        ledger.record(one)
        for one in (enrolment(here), enrolment(there), purchase(there), purchase(here, "bought"))
    ]
    first, other, another, last = (one.position for one in receipts)

    assert first < last
    assert other < another
    assert len({first, other, another, last}) == 4


def test_a_turn_undone_uses_up_no_number(url: str, ledger: Ledger):
    ledger.record(enrolment(one_of(1)))
    with pytest.raises(Refused):
        ledger.record(enrolment(one_of(1), "again"))
    with pytest.raises(Refused):
        ledger.record_all([enrolment(one_of(2)), enrolment(one_of(1), "again")])
    ledger.record(enrolment(one_of(1, [one_of(1)])))

    assert [row[2] for row in assert_one_order(url)] == [1, 2]


def test_several_of_one_call_stand_in_its_order_over_all_shards(url: str, ledger: Ledger):
    people = [one_of(shard) for shard in (3, 0, 2, 1)]
    receipts = ledger.record_all(
        [*map(enrolment, people), *(purchase(one, f"bought {one}") for one in people)]
    )
    positions = [one.position for one in receipts]

    assert positions == sorted(positions)
    assert [row[3] for row in assert_one_order(url)] == positions
    assert ledger.record(purchase(people[0], f"bought {people[0]}")) == Receipt(
        positions[4], duplicate=True
    )


def test_the_head_is_the_highest_position_there_is(ledger: Ledger):
    """Not a clock that was moved for another's sake."""
    positions = [
        ledger.record(one).position
        for one in (enrolment(one_of(3)), offer("PK-1"), enrolment(one_of(1)), hold("h"))
    ]

    assert ledger.head() == max(positions)
    with ledger.journal.reading() as reading:
        assert [one.position for one in reading.lines()] == sorted(positions)


# --- what decides across participants -------------------------------------------------------------------


@pytest.mark.parametrize("common", [offer("PK-1"), hold("h")], ids=["package", "programme"])
def test_it_comes_after_all_that_was_recorded_before_and_before_all_after(
    url: str, ledger: Ledger, common: dict[str, Any]
):
    before = [ledger.record(enrolment(one_of(s))).position for s in (1, 2, 3)]
    before += [ledger.record(purchase(one_of(3), f"b{n}", purchase=f"U{n}",
               courses=[{"course": f"C-{n}", "institution": "I"}], price=1)).position
               for n in range(5)]  # fmt: skip
    middle = ledger.record(common).position
    after = [ledger.record(purchase(one_of(s), f"later {s}", price=1,
             courses=[{"course": "C-9", "institution": "I"}], purchase="U9")).position
             for s in (1, 2, 3)]  # fmt: skip
    after.append(ledger.record(enrolment(one_of(0))).position)

    assert max(before) < middle < min(after)
    assert_one_order(url)


def test_a_package_is_seen_by_who_refers_to_it_in_any_shard(url: str, ledger: Ledger):
    ledger.record_all([enrolment(one_of(s)) for s in range(SHARDS)])
    with pytest.raises(Refused):
        ledger.record(purchase(one_of(3), "too early", package="PK-1"))
    offered = ledger.record(offer("PK-1")).position
    bought = [
        ledger.record(purchase(one_of(s), f"bought {s}", package="PK-1")).position
        for s in range(SHARDS)
    ]

    assert offered < min(bought)


def test_mixed_in_one_call_each_stands_where_it_was_given(url: str, ledger: Ledger):
    given = [
        enrolment(one_of(3)), offer("PK-1"), purchase(one_of(3), "b", package="PK-1"),
        hold("h1"), enrolment(one_of(1)), resumed("r1"), enrolment(one_of(2)),
    ]  # fmt: skip
    positions = [one.position for one in ledger.record_all(given)]

    assert positions == sorted(positions)
    assert_one_order(url)
    assert ledger.record(enrolment(one_of(0))).position > positions[-2], "after the programme's last"


# --- voids ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_void_lies_beside_what_it_voids(url: str, ledger: Ledger, shard: int):
    who = one_of(shard)
    ledger.record_all([enrolment(who), purchase(who, "b")])
    ledger.record(void(who, "b", "v"))

    (*_, last) = assert_one_order(url)
    assert last[:2] == (f"participant/{who}", shard)
    assert ledger.record(purchase(who, "b2", purchase="U2")).position > last[3]


def test_what_is_voided_in_the_call_that_recorded_it_lies_beside_it_too(url: str, ledger: Ledger):
    who = one_of(2)
    ledger.record_all(
        [enrolment(one_of(1)), enrolment(who), purchase(who, "b"), void(who, "b", "v"),
         purchase(who, "b2", purchase="U2"), offer("PK-1"), void("PK-1", "offered PK-1", "v2")]
    )  # fmt: skip

    assert [row[:2] for row in assert_one_order(url)][-2:] == [("package/PK-1", 0)] * 2


def test_a_void_of_what_is_not_there_is_refused_with_its_code(ledger: Ledger):
    ledger.record(enrolment(one_of(1)))
    with pytest.raises(Refused) as raised:
        ledger.record(void(one_of(1), "nothing", "v"))
    assert raised.value.code == "UNKNOWN_REFERENCE"
    with pytest.raises(Refused) as raised:
        ledger.record(void("NOBODY", "nothing", "v"))
    assert raised.value.code == "NOT_ENROLLED"


# --- at once ------------------------------------------------------------------------------------------


class Doing:
    """Work in a thread, and whether it is done."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._done = threading.Event()
        self.outcome: Any = None

        def run() -> None:
            try:
                self.outcome = work()
            except PrakerjaLedgerError as error:
                self.outcome = error
            self._done.set()

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def done(self, within: float) -> bool:
        return self._done.wait(within)

    def join(self) -> Any:
        self._thread.join(timeout=30)
        assert self._done.is_set(), "it is still waiting"
        return self.outcome


def turn_of(ledger: Ledger, *people: str) -> Any:
    """A turn that may append to these participants' streams, and holds their shards alone."""
    intent = Intent(appends={f"participant/{who}": 0 for who in people})
    return ledger.journal.writing(lambda: intent)


def test_two_shards_are_written_at_once_and_what_concerns_all_waits(ledger: Ledger):
    here, there = one_of(1), one_of(2)
    with turn_of(ledger, here):
        assert Doing(lambda: ledger.record(enrolment(there))).done(10), "another shard is free"
        assert Doing(lambda: ledger.statement(there, as_of=date(2020, 7, 2))).done(10)
        same = Doing(lambda: ledger.record(enrolment(here)))
        held = Doing(lambda: ledger.record(hold("h")))
        asked = Doing(lambda: ledger.resolve("//pmo", "nothing"))
        assert not same.done(0.2), "the shard is taken"
        assert not held.done(0), "the programme waits for every shard"
        assert not asked.done(0), "nothing may still be on its way"

    assert same.join().position
    assert held.join().position
    assert asked.join() is None


def test_what_concerns_all_keeps_every_shard_waiting(ledger: Ledger):
    """So that nothing is paid while a hold is on its way."""
    with ledger.journal.writing():
        work = [
            Doing(partial(ledger.record, enrolment(one_of(shard)))) for shard in range(SHARDS)
        ]
        assert not any(one.done(0.05) for one in work)
    positions = {one.join().position for one in work}

    assert len(positions) == SHARDS


@pytest.mark.parametrize("shard", [0, 3])
def test_an_instruction_that_waited_for_a_hold_sees_it(url: str, shard: int):
    """Nothing is decided on what a shard's writer saw before the programme spoke."""
    who = one_of(shard)
    with Ledger.open(url, clock=Clock(MAY_20)) as ledger:
        ledger.execute_all(ordinary_life(who))
        with psycopg.connect(without_options(url)) as connection:
            ledger.using(connection).record(hold("h"))
            asked = Doing(lambda: ledger.execute(instruct(subject=who)))
            assert not asked.done(0.2)
        refused = asked.join()

    assert isinstance(refused, Refused)
    assert refused.code == "PAYMENTS_HELD"


def test_one_identity_on_two_shards_at_once_is_recorded_for_one(url: str, ledger: Ledger):
    """The other is told of the conflict, as if it had come later."""
    used: list[str] = []
    for n in range(10):
        people = [one_of(shard, used) for shard in range(SHARDS)]
        used += people
        outcomes: list[Any] = []

        def report(i: int) -> None:
            try:
                outcomes.append(ledger.record(enrolment(people[i], f"the same {n}")))
            except PrakerjaLedgerError as error:
                outcomes.append(error)

        together(report, SHARDS)
        kinds = sorted(type(one).__name__ for one in outcomes)
        assert kinds == ["Conflict"] * (SHARDS - 1) + ["Receipt"]
    assert_one_order(url)


def test_what_many_record_at_once_over_shards_locks_nobody_out(url: str, ledger: Ledger):
    """Each takes several shards, in whatever order it names them."""

    def report(reporter: int) -> None:
        rng = random.Random(reporter)
        for n in range(12):
            people = [f"P-{reporter}-{n}-{m}" for m in range(4)]
            rng.shuffle(people)
            extra = [offer(f"PK-{reporter}-{n}")] if rng.random() < 0.3 else []
            ledger.record_all([*(enrolment(who) for who in people), *extra])

    together(report, 6)
    rows = assert_one_order(url)
    assert len([row for row in rows if row[0].startswith("participant/")]) == 6 * 12 * 4


# --- the order of positions is an order in which everything could have been recorded -------------------


def statements_of(ledger: Ledger, people: list[str]) -> dict[str, Any]:
    return {who: ledger.statement(who, as_of=date(2024, 7, 2)) for who in people}


def assert_a_fresh_ledger_takes_it(ledger: Ledger) -> None:
    """Exported in the order of positions, every line is recorded, and tells the same."""
    lines = list(ledger.lines())
    with Ledger.open("memory://") as fresh:
        outcomes = list(Importer(fresh).outcomes(enumerate(lines, 1)))
        refused = [(n, str(outcome)) for n, _, outcome in outcomes if hasattr(outcome, "code")]
        assert refused == []
        assert list(fresh.lines()) == lines
        with ledger.journal.reading() as here, fresh.journal.reading() as there:
            theirs = dict(there.streams("participant/"))
            for name, stored in here.streams("participant/"):
                assert [one.line for one in stored] == [one.line for one in theirs.pop(name)]
            assert not theirs
        people = sorted({e.subject for e in map(read, lines) if e.fact.stream == facts.PARTICIPANT})
        ours, others = statements_of(ledger, people), statements_of(fresh, people)
    assert [shape(one) for one in ours.values()] == [shape(one) for one in others.values()]


def shape(statement: Any) -> Any:
    """All that a statement says; positions are the ledger's own."""
    return [
        (one.line, one.status, one.owed, one.paid, one.unpaid, one.due_on,
         [because.cause for because in one.causes], [(e.source, e.id) for e in one.evidence])
        for one in statement.lines
    ]  # fmt: skip


def parts_of(lines: list[bytes], parts: int) -> list[list[bytes]]:
    """The lines dealt to reporters: a participant's by who it is, so that their order stays."""
    dealt: list[list[bytes]] = [[] for _ in range(parts)]
    for line in lines:
        event = read(line)
        if isinstance(event, Event):
            dealt[shard_of(f"participant/{event.subject}", parts)].append(line)
    return dealt


@pytest.mark.parametrize("seed", range(300, 304))
def test_an_export_of_what_many_recorded_at_once_is_a_history(shared_database: str, seed: int):
    """Whatever the turns' order was, a fresh ledger accepts every line and gives the same statements."""
    url = made(shared_database, shards=3)
    lines = worlds.history(seed, participants=12, events=260)
    with Ledger.open(url) as ledger:

        def report(n: int) -> None:
            for line in parts_of(lines, 4)[n]:
                try:
                    ledger.record(line)
                except PrakerjaLedgerError:
                    pass  # a line that the format or the history forbids

        together(report, 4)
        assert len(assert_one_order(url)) > 60
        assert_a_fresh_ledger_takes_it(ledger)


@pytest.mark.parametrize("shards", [2, 3, 7])
def test_an_import_keeps_the_order_of_the_file(shared_database: str, shards: int):
    lines = worlds.history(310, participants=10, events=400)
    url = made(shared_database, shards=shards)
    with Ledger.open(url) as ledger, Ledger.open("memory://") as one_log:
        for each in (ledger, one_log):
            list(Importer(each).outcomes(enumerate(lines, 1)))
        assert list(ledger.lines()) == list(one_log.lines())
        assert_one_order(url)
        again = [
            [type(outcome) for _, _, outcome in Importer(each).outcomes(enumerate(lines, 1))]
            for each in (ledger, one_log)
        ]
        assert again[0] == again[1]
        assert list(ledger.lines()) == list(one_log.lines())


# --- the guard ------------------------------------------------------------------------------------------


def row(who: str, number: int, clock: int, **changes: Any) -> dict[str, Any]:
    """A row as a writer of an own program might insert it."""
    shard = shard_of(f"participant/{who}", SHARDS)
    return {
        "originator_id": f"participant/{who}",
        "originator_version": number + 10,
        "topic": "t",
        "state": b"{}",
        "notification_id": clock * SHARDS + shard,
        "shard": shard,
        "number": number,
        "source": "//x",
        "id": f"{who} {number} {clock}",
        **changes,
    }


def by_hand(url: str, rows: list[dict[str, Any]]) -> None:
    with connect(without_options(url)) as connection:
        connection.execute(f"SET search_path = {schema_of(url)}")
        insert(connection, *rows)


A, B = one_of(1), one_of(2)
FOLLOWING = {
    "the next": [row(A, 2, 3)],
    "with a leap of the clock": [row(A, 2, 30), row(A, 3, 31)],
    "on two shards": [row(A, 2, 5), row(B, 1, 9)],
    "a package": [row(A, 2, 4, originator_id="package/X", shard=0, notification_id=16)],
}
NOT_FOLLOWING = {
    "a gap": [row(A, 3, 3)],
    "a number taken": [row(A, 1, 3)],
    "a clock that goes back": [row(A, 2, 0)],
    "a clock before a package": [row(B, 1, 1)],
    "clocks against numbers": [row(A, 2, 9), row(A, 3, 8)],
    "a position of another shard": [row(A, 2, 3, notification_id=3 * SHARDS + 2)],
    "a shard that is not there": [row(A, 1, 3, shard=4, notification_id=16)],
    "one shard follows and one does not": [row(A, 2, 5), row(B, 2, 5)],
    "a package in another shard": [row(A, 2, 3, originator_id="package/X")],
    "a package before what is there": [
        row(A, 2, 2, originator_id="package/X", shard=0, notification_id=8)
    ],
}


@pytest.fixture
def guarded(url: str) -> str:
    """A package at clock 1, and one event of shard 1 at clock 2 after it."""
    with Ledger.open(url) as ledger:
        ledger.record(offer("PK-0"))
        assert ledger.record(enrolment(A)).position == 2 * SHARDS + 1
        ledger_heads = heads_of(url)
    assert {clock for _, clock in ledger_heads.values()} == {1, 2}
    return url


@pytest.mark.parametrize("rows", NOT_FOLLOWING.values(), ids=NOT_FOLLOWING)
def test_an_event_that_does_not_follow_the_last_one_is_refused(guarded: str, rows: Any):
    before = rows_of(guarded), heads_of(guarded)
    with pytest.raises((psycopg.errors.SerializationFailure, psycopg.errors.UniqueViolation)):
        by_hand(guarded, rows)

    assert (rows_of(guarded), heads_of(guarded)) == before


@pytest.mark.parametrize("rows", FOLLOWING.values(), ids=FOLLOWING)
def test_an_event_that_follows_the_last_one_of_its_shard_stands(guarded: str, rows: Any):
    by_hand(guarded, rows)

    after = max(one["notification_id"] for one in rows)
    with Ledger.open(guarded) as ledger:
        assert ledger.record(offer("PK-9")).position > after
    assert_one_order(guarded)
