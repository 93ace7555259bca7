"""Recorded ahead of the lock: quicker where nobody else wrote, and never on what is past."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest

from prakerja_ledger.deciding import commands as c
from prakerja_ledger.domain.errors import CommitInDoubt, Conflict, OutcomeUnknown, Refused
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.stores.postgres import PostgresJournal
from tests.ledger_support import Clock, command, enrolment, envelope, instruct, ordinary_life, purchase
from tests.postgres_support import default, made, shared_database, without_options  # noqa: F401
from tests.servers import connect

WHO = "P-1"


@pytest.fixture(params=[1, 3], ids=["one shard", "three shards"])
def shards(request: Any) -> int:
    return request.param


@pytest.fixture
def url(shared_database: str, shards: int) -> str:  # noqa: F811
    return made(shared_database, shards=shards)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2020, 5, 20, 2, tzinfo=UTC))


@pytest.fixture
def ledger(url: str, clock: Clock) -> Iterator[Ledger]:
    with used_before(url, clock) as opened:
        yield opened


@pytest.fixture
def other(url: str, clock: Clock) -> Iterator[Ledger]:
    """Another process's."""
    with used_before(url, clock) as opened:
        yield opened


@contextmanager
def used_before(url: str, clock: Clock) -> Iterator[Ledger]:
    """A ledger that had its first turn, which is always one under the lock."""
    with Ledger.open(url, clock=clock) as opened:
        with opened.journal.writing():
            pass
        yield opened


class Ways:
    """How the ledger's ways to the server were made."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def since(self) -> list[str]:
        found, self.made = self.made, []
        return found


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    counted = Ways()
    for name in ("look", "append_next", "writing"):
        ordinary = getattr(PostgresJournal, name)

        def count(*given: Any, _name: str = name, _ordinary: Any = ordinary) -> Any:
            counted.made.append(_name)
            return _ordinary(*given)

        monkeypatch.setattr(PostgresJournal, name, count)
    return counted


# --- quicker --------------------------------------------------------------------------------------


def test_an_enrolment_and_all_after_it_are_one_way_each(ledger: Ledger, ways: Ways):
    ledger.record(enrolment(WHO))
    ledger.record(purchase(WHO))
    assert ways.since() == ["append_next"] * 2


def test_who_never_saw_a_participant_looks_first_and_takes_no_turn(
    ledger: Ledger, other: Ledger, ways: Ways
):
    ledger.record(enrolment(WHO))
    ways.since()
    other.record(purchase(WHO))
    assert ways.since() == ["look", "append_next"]


def test_writers_of_other_participants_are_not_in_the_way(
    ledger: Ledger, other: Ledger, ways: Ways
):
    ledger.record(enrolment("P-1"))
    for n in range(2, 9):
        other.record(enrolment(f"P-{n}"))
    ways.since()
    ledger.record(purchase("P-1"))
    assert ways.since() == ["append_next"]


def test_several_in_one_call_are_one_turn(ledger: Ledger, ways: Ways):
    life = ordinary_life()
    receipts = ledger.execute_all(life)

    assert ways.since() == ["writing"]
    assert ledger.execute_all(life) == [Receipt(one.position, duplicate=True) for one in receipts]


# --- the same as under the lock -----------------------------------------------------------------------


def test_what_another_recorded_of_the_same_participant_is_seen(
    ledger: Ledger, other: Ledger, ways: Ways
):
    ledger.record(enrolment(WHO))
    other.record(purchase(WHO))
    ways.since()

    with pytest.raises(Refused):  # U1 is another purchase's already
        ledger.record(purchase(WHO, "bought again"))
    assert ways.since()[-1] == "writing"
    assert ledger.record(purchase(WHO)).duplicate


def test_a_hold_that_another_recorded_refuses_at_once(ledger: Ledger, other: Ledger):
    ledger.execute_all(ordinary_life())
    held = command(c.HoldPayments, "held", subject="programme", reason="review")
    other.execute(held)
    with pytest.raises(Refused) as refused:
        ledger.execute(instruct())
    assert refused.value.code == "PAYMENTS_HELD"


def test_a_refusal_that_rested_on_what_is_past_is_told_to_nobody(ledger: Ledger, other: Ledger):
    ledger.execute_all(ordinary_life())
    ledger.execute(command(c.HoldPayments, "held", subject="programme", reason="review"))
    with pytest.raises(Refused):
        ledger.execute(instruct())
    other.execute(command(c.ResumePayments, "resumed", subject="programme"))

    assert not ledger.execute(instruct()).duplicate


def test_two_who_know_the_same_do_not_both_instruct(ledger: Ledger, other: Ledger):
    ledger.execute_all(ordinary_life())
    other.execute(command(c.RateCourse, "rated", course="C-1", instructor=5, facilities=5, programme=5, reviewed=True))
    ledger.record(enrolment("P-2"))  # both have looked at the participant before the other writes
    other.execute(instruct("theirs"))
    with pytest.raises(Refused) as refused:
        ledger.execute(instruct("ours"))
    assert refused.value.code == "LINE_IN_FLIGHT"


def test_what_was_folded_before_a_refusal_of_the_same_call_counts_for_nothing(ledger: Ledger):
    ledger.record(enrolment(WHO))
    with pytest.raises(Refused):
        ledger.record_all([purchase(WHO), purchase(WHO, "bought again")])
    assert not ledger.record(purchase(WHO, "bought again")).duplicate


def test_positions_are_those_that_the_store_gave(ledger: Ledger, other: Ledger, shards: int):
    """The writer only guessed them: others had written meanwhile."""
    ledger.record(enrolment(WHO))
    for n in range(9):
        other.record(enrolment(f"Q-{n}"))
    bought = ledger.record(purchase(WHO))
    for n in range(9, 18):
        other.record(enrolment(f"Q-{n}"))
    done = ledger.record(envelope("course-completed", WHO, "done", {"course": "C-1"}))

    assert (ledger.find("//pmo", "bought U1"), ledger.find("//pmo", "done")) == (
        bought.position,
        done.position,
    )
    assert ledger.record(purchase(WHO)) == Receipt(bought.position, duplicate=True)
    with pytest.raises(Conflict) as conflict:
        ledger.record(purchase(WHO, price=1))
    assert conflict.value.fields["position"] == bought.position
    void = {"source": "//pmo", "id": "done", "reason": "error", "authority": "PMO"}
    ledger.record(envelope("event-voided", WHO, "void", void))
    line = ledger.statement(WHO, as_of=date(2020, 5, 20)).line("post-training/1")
    assert (line.cause and line.cause.value) == "COURSE_NOT_COMPLETED"
    if shards == 1:
        assert (bought.position, done.position) == (11, 21)


def test_programme_packages_and_people_in_one_call_keep_their_order(
    ledger: Ledger, other: Ledger, ways: Ways
):
    offered = {
        "platform": "tokopedia",
        "price": 400_000,
        "courses": [{"course": "C-1", "institution": "I-1"}],
    }
    ledger.record(enrolment("P-0"))
    other.record(enrolment("P-9"))
    ways.since()
    receipts = ledger.record_all(
        [
            enrolment("P-1"),
            envelope("package-offered", "K-1", "offered", offered),
            enrolment("P-2"),
            purchase("P-1", package="K-1"),
            purchase("P-2", "bought by P-2", package="K-1"),
        ]
    )
    positions = [one.position for one in receipts]
    assert positions == sorted(positions)
    assert ledger.head() == positions[-1]
    assert len(list(ledger.lines())) == 7
    # Whoever knows the package already needs no turn to sell it.
    ledger.record(enrolment("P-3"))
    ways.since()
    ledger.record(purchase("P-3", "bought by P-3", package="K-1"))
    assert ways.since() == ["append_next"]


def test_what_is_acknowledged_is_on_disk_whatever_the_database_was_told(url: str):
    with (
        default(url, "synchronous_commit", "off"),
        Ledger.open(url) as ledger,
        connect(without_options(url)) as server,
    ):
        for n in range(20):
            (before,) = server.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            ledger.record(enrolment(f"P-{n}"))
            (flushed,) = server.execute(
                "SELECT pg_current_wal_flush_lsn() > %s::pg_lsn", (before,)
            ).fetchone()
            assert flushed


def test_a_connection_that_died_while_idle_is_no_doubt(url: str, ledger: Ledger):
    ledger.record(enrolment("P-1"))
    with connect(without_options(url)) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        while server.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend'"
        ).fetchone() != (1,):
            pass
    assert not ledger.record(purchase("P-1")).duplicate


# --- under way ----------------------------------------------------------------------------------------


class Delayed:
    """The first turn in one message goes slowly: its sender gives up before it arrives."""

    def __init__(self, journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch) -> None:
        self._arriving: Any = None
        ordinary = journal.append_next
        fence = journal._fence

        def sent(*given: Any) -> Any:
            if self._arriving is not None:
                return ordinary(*given)

            def arriving() -> Any:
                journal._fence, learnt = fence, journal._fence
                try:
                    return ordinary(*given)
                finally:
                    journal._fence = learnt

            self._arriving = arriving
            raise CommitInDoubt(source=journal.url, problem="no answer.")

        monkeypatch.setattr(journal, "append_next", sent)

    def arrives(self) -> bool:
        """Whether it is recorded now."""
        return self._arriving() is not None


@pytest.fixture
def under_way(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Delayed:
    """An enrolment of P-1, whose outcome is unknown."""
    delayed = Delayed(ledger.journal, monkeypatch)
    with pytest.raises(OutcomeUnknown):
        ledger.record(enrolment("P-1"))
    return delayed


def test_what_nobody_asked_about_is_recorded_when_it_arrives(under_way: Delayed, other: Ledger):
    assert under_way.arrives()
    assert other.resolve("//pmo", "enrolled P-1") == Receipt(other.head(), duplicate=True)


def test_what_was_resolved_as_not_recorded_comes_too_late(
    under_way: Delayed, other: Ledger, ledger: Ledger
):
    assert other.resolve("//pmo", "enrolled P-1") is None
    assert not under_way.arrives()
    assert other.head() == 0
    for n, one in enumerate((ledger, other, ledger, other)):
        assert not one.record(enrolment(f"Q-{n}")).duplicate


def test_who_does_not_ask_and_goes_on_is_not_overtaken(under_way: Delayed, ledger: Ledger):
    """What is told next, a refusal among it, was told after that message had come or never would."""
    with pytest.raises(Refused):
        ledger.record(purchase("P-1"))
    assert not under_way.arrives()
    assert ledger.head() == 0


def test_the_same_again_is_recorded_once(under_way: Delayed, ledger: Ledger):
    assert not ledger.record(enrolment("P-1")).duplicate
    assert not under_way.arrives()
    assert ledger.record(enrolment("P-1")).duplicate
    assert len(list(ledger.lines())) == 1
