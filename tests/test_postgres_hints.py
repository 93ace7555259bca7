"""Hints on PostgreSQL: who follows is woken by who writes, and loses nothing without it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from prakerja_ledger.ledger.feed import FeedPage
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.stores import postgres_hints
from prakerja_ledger.stores.postgres import PostgresJournal
from tests.ledger_support import enrolment
from tests.postgres_support import (
    made,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    through,
    with_options,
    without_options,
)
from tests.servers import connect, wait_until

IDLE = 0.01


@pytest.fixture
def url(shared_database: str) -> str:
    return with_options(made(shared_database), hints="yes")


@pytest.fixture
def writer(url: str) -> Iterator[Ledger]:
    with Ledger.open(url) as opened:
        yield opened


class Follower:
    """Follows a ledger in a thread; counts how often it asks."""

    def __init__(self, url: str) -> None:
        self.ledger = Ledger.open(url)
        self.journal = self.ledger.journal
        self.seen: list[int] = []
        self.asked = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        reading = self.journal.reading

        def counted() -> Any:
            self.asked += 1
            return reading()

        self.journal.reading = counted  # type: ignore[method-assign]
        page: FeedPage
        for page in self.ledger.follow("", self._ends, idle=IDLE):
            self.seen += [one.position for one in page.events]

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
        self.ledger.close()

    @property
    def trusts(self) -> bool:
        assert isinstance(self.journal, PostgresJournal)
        return self.journal._listener is not None and self.journal._listener._trusted

    def saw(self, count: int) -> None:
        wait_until(lambda: len(self.seen) >= count, f"{count} events")
        assert self.seen == list(range(1, count + 1))


def trusting(follower: Follower, writer: Ledger, first: int = 0) -> int:
    """Events until the follower has been told once; how many there are then."""
    count = first
    while not follower.trusts:
        count += 1
        writer.record(enrolment(f"P-{count}"))
        follower.saw(count)
    return count


@pytest.mark.parametrize("ahead", [False, True], ids=["in a turn", "in one message"])
def test_who_was_told_once_asks_when_told_and_hardly_otherwise(
    writer: Ledger, url: str, ahead: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgres_hints, "LONGEST_WAIT", 3_600.0)
    if ahead:
        writer.record(enrolment("P-0"))
    with Follower(url) as follower:
        count = trusting(follower, writer, first=int(ahead))
        wait_until(lambda: follower.journal._listener._busy.locked(), "it waits")  # type: ignore[attr-defined]
        asked = follower.asked
        assert not threading.Event().wait(20 * IDLE)
        assert follower.asked <= asked + 1
        writer.record(enrolment("P-last"))
        follower.saw(count + 1)


def test_without_any_hint_it_asks_as_often_as_ever(url: str):
    """A writer whose URL asks for no hints tells nobody."""
    with Follower(url) as follower, Ledger.open(url.replace("hints=yes", "hints=no")) as silent:
        for n in range(1, 4):
            silent.record(enrolment(f"P-{n}"))
            follower.saw(n)
        assert not follower.trusts


def test_a_listener_whose_connection_is_cut_goes_on(writer: Ledger, url: str):
    with Follower(url) as follower:
        count = trusting(follower, writer)
        with connect(without_options(url)) as connection:
            cut = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s",
                (f'LISTEN%{schema_of(url)}"',),
            ).fetchall()
        assert cut == [(True,)]
        wait_until(lambda: not follower.trusts, "it notices")
        writer.record(enrolment("P-after"))
        follower.saw(count + 1)
        trusting(follower, writer, first=count + 1)


def test_a_teller_whose_connection_is_cut_fails_no_writer_and_tells_again(
    writer: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgres_hints, "_AFTER_A_FAULT", 0.01)
    with Follower(url) as follower:
        count = trusting(follower, writer)
        with connect(without_options(url)) as connection:
            cut = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s",
                (f'NOTIFY%{schema_of(url)}"',),
            ).fetchall()
        assert cut == [(True,)]
        for n in range(count + 1, count + 4):
            writer.record(enrolment(f"P-{n}"))
            follower.saw(n)


def test_through_a_pooler_that_loses_hints_nothing_is_missed(url: str, pgbouncer: Any):
    pooled = through(url, pgbouncer.port)
    with Follower(pooled) as follower, Ledger.open(pooled) as pooled_writer:
        for n in range(1, 6):
            pooled_writer.record(enrolment(f"P-{n}"))
            follower.saw(n)


def test_two_who_follow_one_ledger_object_both_see_everything(writer: Ledger, url: str):
    with Follower(url) as follower:
        other = Follower(url)
        other.ledger.close()
        other.ledger = follower.ledger
        with other:
            tell_both(writer, follower, other)


def tell_both(writer: Ledger, *followers: Follower) -> None:
    for n in range(1, 6):
        writer.record(enrolment(f"P-{n}"))
        for follower in followers:
            follower.saw(n)
