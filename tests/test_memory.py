"""The ledger in memory: the contract of every store, and what is its own: names, and no transactions."""

from __future__ import annotations

import contextlib
import io
import threading
from typing import Any
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.tests import persistence as shipped

from prakerja_ledger.domain.errors import UnreadableSource, UnusableConnection
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.stores.memory import Books
from tests.ledger_support import OneLogContract, enrolment


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4()}"


class TestMemoryJournal(OneLogContract):
    """Memory keeps the contract of a journal, as long as the process lives."""

    @pytest.fixture
    def url(self) -> str:
        return f"memory://{uuid4()}"


# --- eventsourcing's own cases ------------------------------------------------------------------


class _OnOurBooks(TestCase):
    """Each case on new books; what it prints are measurements."""

    def create_recorder(self) -> Any:
        return Books().recorder

    def run(self, result: Any = None) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            return super().run(result)


class TestApplicationRecorder(_OnOurBooks, shipped.ApplicationRecorderTestCase):
    """The books' recorder is an application recorder."""

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNotificationIDs(_OnOurBooks, shipped.NonInterleavingNotificationIDsBaseCase):
    """Positions of writers at once do not interleave."""


def test_what_is_recorded_is_there_for_the_library_to_follow(url: str):
    """A projection of eventsourcing's subscribes to the recorder of the books."""
    with Ledger.open(url) as ledger:
        recorder = ledger.journal.books.recorder
        ledger.record(enrolment("P-1"))
        with recorder.subscribe(gt=0) as subscription:
            first = next(iter(subscription))
            ledger.record(enrolment("P-2"))
            second = next(iter(subscription))
        lines = list(ledger.lines())

    assert [(one.id, one.originator_id, one.state) for one in (first, second)] == [
        (1, "participant/P-1", lines[0]),
        (2, "participant/P-2", lines[1]),
    ]


# --- names ----------------------------------------------------------------------------------------


def test_who_says_the_same_name_has_the_same_ledger(url: str):
    with Ledger.open(url) as one, Ledger.open(url) as other:
        one.record(enrolment("P-1"))
        assert other.record(enrolment("P-1")) == Receipt(1, duplicate=True)


def test_who_says_another_name_has_another_ledger(url: str):
    with Ledger.open(url) as one, Ledger.open(url + "2") as other:
        one.record(enrolment("P-1"))
        assert other.head() == 0


def test_a_ledger_without_a_name_is_new_each_time():
    with Ledger.open("memory://") as one, Ledger.open("memory://") as other:
        one.record(enrolment("P-1"))
        assert (one.head(), other.head()) == (1, 0)


def test_a_name_never_said_before_is_refused_where_nothing_may_be_made(url: str):
    with pytest.raises(UnreadableSource, match="no such ledger in this process"):
        Ledger.open(url, create=False)
    with pytest.raises(UnreadableSource):
        Ledger.open(url, create=False)


@pytest.mark.parametrize("url", ["memory:", "memory:/x", "memory:x"])
def test_a_url_that_names_no_memory_is_refused(url: str):
    with pytest.raises(UnreadableSource, match="write memory://name"):
        Ledger.open(url)


def test_threads_that_open_one_name_at_once_get_one_ledger(url: str):
    barrier = threading.Barrier(8)

    def report(reporter: int) -> None:
        barrier.wait()
        with Ledger.open(url) as ledger:
            ledger.record(enrolment(f"P-{reporter}"))

    threads = [threading.Thread(target=report, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Ledger.open(url, create=False).head() == 8


def test_a_turn_is_waited_for(url: str):
    """One writer: what another has under way is finished first, and seen."""
    with Ledger.open(url) as ledger:
        done = threading.Event()

        def report() -> None:
            ledger.record(enrolment("P-1"))
            done.set()

        with ledger.journal.writing():
            thread = threading.Thread(target=report)
            thread.start()
            assert not done.wait(0.1)
        thread.join(timeout=10)

        assert done.is_set()
        assert ledger.head() == 1


def test_there_is_no_transaction_to_join(url: str):
    with Ledger.open(url) as ledger, pytest.raises(UnusableConnection, match="no transactions"):
        ledger.using(object())
