"""The ledger on SQLite: the contract of every store, the library's own cases, and what a disk can do."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import TestCase

import pytest
from eventsourcing.sqlite import (
    SQLiteAggregateRecorder,
    SQLiteProcessRecorder,
    SQLiteTrackingRecorder,
)
from eventsourcing.tests import persistence as shipped
from eventsourcing.utils import Environment, get_topic

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import (
    InvalidField,
    InvalidInput,
    LedgerFault,
    PrakerjaLedgerError,
    UnreadableSource,
)
from prakerja_ledger.ledger.cloudevent import CloudEvent
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.stores import sqlite_recorder as store
from prakerja_ledger.stores.sqlite_recorder import LedgerDatastore, LedgerFactory, LedgerRecorder
from tests.ledger_support import (
    JULY_2,
    Clock,
    OneLogContract,
    SharedByProcesses,
    as_bytes,
    code_of,
    enrolment,
    padded_to,
    purchase,
)

CLOSE_AFTER_SECONDS = 0.3
"""A shipped case leaves threads reading; closing their connections at once crashes the interpreter."""


class TestSQLiteJournal(OneLogContract, SharedByProcesses):
    """SQLite keeps the contract of a journal."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/ledger.db"


# --- eventsourcing's own cases ------------------------------------------------------------------


class _Quiet(TestCase):
    """The shipped cases print their measurements."""

    def run(self, result: Any = None) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            return super().run(result)


class _OnOurConnections(_Quiet):
    """Each case on a new file, through our connections; `recorder_class` is what is put to it."""

    recorder_class: Any = LedgerRecorder

    def create_recorder(self) -> Any:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        recorder = self.recorder_class(LedgerDatastore(f"{folder.name}/ledger.db"))
        recorder.create_table()
        self.addCleanup(recorder.datastore.close)
        self.addCleanup(time.sleep, CLOSE_AFTER_SECONDS)  # cleanups run last to first
        return recorder


class TestApplicationRecorder(_OnOurConnections, shipped.ApplicationRecorderTestCase):
    """Our recorder is an application recorder."""


class TestNotificationIDs(_OnOurConnections, shipped.NonInterleavingNotificationIDsBaseCase):
    """Positions of writers at once do not interleave."""


class TestAggregateRecorder(_OnOurConnections, shipped.AggregateRecorderTestCase):
    """The library's aggregate recorder (it gives no positions, ours does) works on our connections."""

    recorder_class = SQLiteAggregateRecorder


class TestTrackingRecorder(_OnOurConnections, shipped.TrackingRecorderTestCase):
    """The library's tracking recorder works on our connections: a view can stand beside a ledger."""

    recorder_class = SQLiteTrackingRecorder


class TestProcessRecorder(_OnOurConnections, shipped.ProcessRecorderTestCase):
    """The library's process recorder works on our connections."""

    recorder_class = SQLiteProcessRecorder


class TrackingSubclass(SQLiteTrackingRecorder):
    """The shipped case wants one that it can find by its topic."""


class TestFactory(_Quiet, shipped.InfrastructureFactoryTestCase[Any]):
    """Our factory makes what the library asks a factory for, with our recorder as the application's."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.env = Environment("Test")
        self.env["PERSISTENCE_MODULE"] = get_topic(LedgerFactory)
        self.env["SQLITE_DBNAME"] = f"{folder.name}/ledger.db"
        super().setUp()

    def expected_factory_class(self) -> type[Any]:
        return LedgerFactory

    def expected_aggregate_recorder_class(self) -> type[Any]:
        return SQLiteAggregateRecorder

    def expected_application_recorder_class(self) -> type[Any]:
        return LedgerRecorder

    def expected_tracking_recorder_class(self) -> type[Any]:
        return SQLiteTrackingRecorder

    def tracking_recorder_subclass(self) -> type[Any]:
        return TrackingSubclass

    def expected_process_recorder_class(self) -> type[Any]:
        return SQLiteProcessRecorder


# --- tables that only grow --------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def filled(url: str, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of somebody else to a ledger with two enrolments."""
    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-1", "e1"))
        ledger.record(enrolment("P-2", "e2"))
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    yield connection
    connection.close()


EVENT = "(rowid, originator_id, originator_version, topic, state)"
TAKEN_EVENTS = [
    f"{EVENT} VALUES (1, 'participant/X', 1, 't', 's')",  # the position is taken
    f"{EVENT} VALUES (NULL, 'participant/P-1', 1, 't', 's')",  # the place in the stream is
    f"{EVENT} VALUES (1, 'participant/P-1', 1, 't', 's')",
    f"{EVENT} SELECT rowid, originator_id, 7, topic, 's' FROM stored_events",
]
TAKEN_IDENTITIES = [
    "(source, id, position) VALUES ('//pmo', 'e1', 9)",
    "(source, id, position) SELECT source, id, 9 FROM identities",
]
CHANGES = [
    "UPDATE stored_events SET state = 'x'",
    "UPDATE stored_events SET rowid = rowid + 100",
    "UPDATE stored_events SET originator_id = 'participant/Y' WHERE rowid = 1",
    "UPDATE OR IGNORE stored_events SET rowid = 2 WHERE rowid = 1",
    "UPDATE OR REPLACE stored_events SET rowid = 2 WHERE rowid = 1",
    "DELETE FROM stored_events",
    "DELETE FROM stored_events WHERE rowid = 2",
    "UPDATE identities SET position = 2",
    "UPDATE identities SET id = 'z'",
    "UPDATE OR REPLACE identities SET id = 'e2'",
    "DELETE FROM identities",
    "DELETE FROM identities WHERE id = 'e1'",
    *(
        f"{verb} {table} {values}"
        for table, rows in (("stored_events", TAKEN_EVENTS), ("identities", TAKEN_IDENTITIES))
        for values in rows
        for verb in (
            "INSERT INTO",
            "INSERT OR REPLACE INTO",
            "REPLACE INTO",
            "INSERT OR IGNORE INTO",
        )
    ),
    f"INSERT INTO stored_events {TAKEN_EVENTS[0]} ON CONFLICT DO UPDATE SET state = 'x'",
    f"INSERT INTO stored_events {TAKEN_EVENTS[1]} ON CONFLICT DO UPDATE SET state = 'x'",
    f"INSERT INTO stored_events {TAKEN_EVENTS[1]} ON CONFLICT DO NOTHING",
    f"INSERT INTO identities {TAKEN_IDENTITIES[0]} ON CONFLICT DO UPDATE SET position = 9",
    f"INSERT INTO identities {TAKEN_IDENTITIES[0]} ON CONFLICT DO NOTHING",
]


def rows(connection: sqlite3.Connection) -> list[Any]:
    return [
        connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        for table in ("stored_events", "identities")
    ]


@pytest.mark.parametrize("recursive", [0, 1], ids=["", "recursive triggers"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_recorded_row_is_never_changed_removed_or_replaced(
    filled: sqlite3.Connection, change: str, recursive: int
):
    before = rows(filled)
    filled.execute(f"PRAGMA recursive_triggers = {recursive}")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        filled.execute(change)

    assert rows(filled) == before


def test_what_was_recorded_passes_sqlites_own_check(filled: sqlite3.Connection):
    assert filled.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_file_says_whose_it_is(filled: sqlite3.Connection):
    assert filled.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"PRKJ", "big"),)


# --- durability ---------------------------------------------------------------------------------------


def test_every_connection_of_the_pool_is_fully_durable(url: str):
    """Asked of the connections themselves, several at once, and of one made anew."""
    with Ledger.open(url) as ledger, contextlib.ExitStack() as held:
        datastore = ledger.journal.recorder.datastore
        cursors = [held.enter_context(datastore.transaction(commit=False)) for _ in range(4)]
        answers = []
        for cursor in cursors:
            cursor.execute("PRAGMA synchronous")
            (synchronous,) = cursor.fetchone()
            cursor.execute("PRAGMA journal_mode")
            (journal_mode,) = cursor.fetchone()
            answers.append((synchronous, journal_mode))

    assert answers == [(2, "wal")] * 4


def test_a_build_of_sqlite_that_does_not_honour_full_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "_FULL", 99)
    with pytest.raises(PrakerjaLedgerError, match="synchronous is 2 although FULL was asked for"):
        with Ledger.open(url) as ledger:
            ledger.head()


# --- files that are no ledger -----------------------------------------------------------------------


def no_ledger(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "other.db"
    match kind:
        case "text":
            path.write_text("no database at all, but long enough to have a header\n" * 30)
        case "folder":
            path.mkdir()
        case "foreign":
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE t (a)")
        case "foreign, as old as ours":
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE stored_events (a)")
                connection.execute("PRAGMA user_version = 1")
        case "of a later release":
            Ledger.open(f"sqlite:///{path}").close()
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA user_version = 2")
        case "missing folder":
            path = tmp_path / "nowhere" / "other.db"
    return path


NO_LEDGERS = ["text", "folder", "foreign", "foreign, as old as ours", "of a later release"]


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("kind", [*NO_LEDGERS, "missing folder"])
def test_what_is_no_ledger_is_refused_with_its_name(tmp_path: Path, kind: str, create: bool):
    path = no_ledger(tmp_path, kind)
    with pytest.raises(UnreadableSource) as raised:
        Ledger.open(f"sqlite:///{path}", create=create)

    assert str(path) in str(raised.value)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("kind", ["text", "foreign", "foreign, as old as ours"])
def test_what_is_no_ledger_is_left_as_it_was(tmp_path: Path, kind: str, create: bool):
    path = no_ledger(tmp_path, kind)
    before = path.read_bytes()
    with pytest.raises(UnreadableSource):
        Ledger.open(f"sqlite:///{path}", create=create)

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_empty_file_is_not_made_a_ledger_by_reading_it(tmp_path: Path):
    path = tmp_path / "empty.db"
    path.touch()
    with contextlib.suppress(UnreadableSource), Ledger.open(f"sqlite:///{path}", create=False):
        pass

    assert path.stat().st_size == 0


def test_a_ledger_that_is_not_there_is_not_made_by_reading_it(tmp_path: Path):
    with pytest.raises(UnreadableSource, match="no such ledger"):
        Ledger.open(f"sqlite:///{tmp_path}/nothing.db", create=False)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite://ledger.db", "sqlite:ledger.db", "sqlite:///:memory:"]
    + ["mysql://x/y", "file.db", "", "postgres"],
)
def test_a_url_that_names_no_ledger_is_refused(url: str, tmp_path: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PrakerjaLedgerError):
        with Ledger.open(url) as ledger:
            ledger.record(enrolment())

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "a?b", "a#b", "a%20b", "é", "a&mode=memory", "🗎"])
def test_a_ledger_may_have_any_name(tmp_path: Path, name: str):
    from urllib.parse import quote

    url = f"sqlite:///{tmp_path}/{quote(name)}.db"
    with Ledger.open(url) as ledger:
        ledger.record(enrolment())

    assert (tmp_path / f"{name}.db").is_file()
    with Ledger.open(url, create=False) as ledger:
        assert ledger.head() == 1


# --- what record takes --------------------------------------------------------------------------------


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url, clock=Clock(JULY_2)) as opened:
        yield opened


def enrolled_event(**changes: Any) -> CloudEvent:
    given: dict[str, Any] = {
        "source": "//pmo",
        "id": "enrolled P-1",
        "subject": "P-1",
        "time": "2020-05-19T10:00:00+07:00",
        "fact": f.Enrolled(wave=2, scheme="semi-bansos-2020"),
        **changes,
    }
    return CloudEvent(**given)


SAME_EVENT = [
    enrolled_event(),
    enrolled_event(time=datetime.fromisoformat("2020-05-19T03:00:00+00:00")),
    enrolment(),
    as_bytes(enrolment()),
    as_bytes(enrolment()) + b"\r\n",
    as_bytes(enrolment()).decode(),
    " " + json.dumps(enrolment()) + "\n",
    json.dumps(enrolment(), indent=2),
]


@pytest.mark.parametrize("given", SAME_EVENT, ids=lambda given: type(given).__name__)
def test_an_event_may_come_as_a_value_a_mapping_text_or_bytes(ledger: Ledger, given: Any):
    assert ledger.record(given) == Receipt(1)
    assert ledger.record(enrolment()) == Receipt(1, duplicate=True)


@pytest.mark.parametrize("given", SAME_EVENT, ids=lambda given: type(given).__name__)
def test_what_is_recorded_is_one_line_of_a_history(ledger: Ledger, given: Any):
    """Also where it came as text of many lines: export must write one event a line."""
    ledger.record(given)
    (line,) = ledger.lines()

    assert b"\n" not in line
    assert code_of(line) == "ACCEPTED"
    assert json.loads(line)["recordedtime"] == "2020-07-02T10:00:00+07:00"


def test_kept_attributes_are_kept_in_their_place(ledger: Ledger):
    ledger.record(enrolled_event(attributes={"traceparent": "00-1", "x1": {"a": [1.5, None]}}))
    (line,) = ledger.lines()

    assert json.loads(line)["traceparent"] == "00-1"
    assert json.loads(line)["x1"] == {"a": [1.5, None]}


def test_an_attribute_cannot_stand_for_the_events_own(ledger: Ledger):
    with pytest.raises(InvalidInput):
        ledger.record(enrolled_event(attributes={"subject": "P-99"}))

    assert ledger.head() == 0


def circular() -> dict[str, Any]:
    given = enrolment()
    given["x1"] = given
    return given


NOT_JSON_ABLE = [
    enrolment(x1={1, 2}),
    enrolment(x1=b"bytes"),
    enrolment(x1=datetime(2020, 1, 1)),
    enrolment() | {"time": datetime(2020, 1, 1)},
    enrolment(x1=object()),
    enrolment(x1={(1, 2): 3}),
    circular(),
    enrolled_event(attributes={"x1": {1, 2}}),
]


@pytest.mark.parametrize("given", NOT_JSON_ABLE, ids=range(len(NOT_JSON_ABLE)))
def test_what_json_cannot_hold_is_refused_and_not_written(ledger: Ledger, given: Any):
    with pytest.raises(InvalidField, match="JSON values only"):
        ledger.record(given)

    assert ledger.head() == 0


@pytest.mark.parametrize("given", [None, 1, [], (), True, 1.5, bytearray(b"{}"), object(), set()])
def test_what_is_no_event_at_all_is_refused_by_one_of_the_packages_errors(
    ledger: Ledger, given: Any
):
    with pytest.raises(PrakerjaLedgerError):
        ledger.record(given)

    assert ledger.head() == 0


@pytest.mark.parametrize("name", ["time", "recordedtime"])
def test_a_naive_datetime_names_no_instant(ledger: Ledger, name: str):
    with pytest.raises(InvalidInput):
        ledger.record(enrolled_event(**{name: datetime(2020, 6, 1)}))

    assert ledger.head() == 0


def test_deep_nesting_is_refused_and_not_written(ledger: Ledger):
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(PrakerjaLedgerError):
        ledger.record(enrolment(x1=deep))

    assert ledger.head() == 0


@pytest.mark.parametrize("room", [0, 1, 45, 46, 47, 48, 49, 50, 60])
def test_a_line_is_never_recorded_longer_than_a_history_takes(ledger: Ledger, room: int):
    """The stamp makes a line longer; a line near the limit is recorded whole or refused."""
    line = padded_to(1_048_576 - room, enrolment())
    try:
        ledger.record(line)
    except PrakerjaLedgerError:
        assert ledger.head() == 0
    else:
        (stored,) = ledger.lines()
        assert code_of(stored) == "ACCEPTED"


def test_a_line_at_the_limit_with_its_own_recordedtime_is_recorded(ledger: Ledger):
    line = padded_to(1_048_576, enrolment(recordedtime="2020-06-01T00:00:00Z"))

    assert ledger.record(line) == Receipt(1)


# --- the disk and the lock --------------------------------------------------------------------------


def grown_until_full(ledger: Ledger) -> tuple[int, LedgerFault]:
    """Record until the disk is full: how many were acknowledged, and the error."""
    acknowledged = 0
    while True:
        try:
            ledger.record(enrolment(f"P-{acknowledged}", x1="x" * 3_000))
        except LedgerFault as fault:
            return acknowledged, fault
        acknowledged += 1
        assert acknowledged < 2_000, "the disk was to be full by now"


def assert_nothing_half_recorded(url: str, acknowledged: int) -> None:
    with Ledger.open(url, create=False) as ledger:
        lines = list(ledger.lines())
        assert len(lines) == ledger.head() == acknowledged
        assert all(ledger.find("//pmo", f"enrolled P-{n}") == n + 1 for n in range(acknowledged))
        assert ledger.find("//pmo", f"enrolled P-{acknowledged}") is None
        assert ledger.record(enrolment(f"P-{acknowledged}")).position == acknowledged + 1


def test_a_full_database_refuses_and_leaves_nothing_half_recorded(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    set_up = store.LedgerPool._set_up

    def small(pool: Any, connection: sqlite3.Connection) -> None:
        set_up(pool, connection)
        connection.execute("PRAGMA max_page_count = 60")

    with monkeypatch.context() as patched:
        patched.setattr(store.LedgerPool, "_set_up", small)
        with Ledger.open(url) as ledger:
            acknowledged, fault = grown_until_full(ledger)
            assert ledger.record(enrolment("P-0", x1="x" * 3_000)).duplicate, "reading goes on"

    assert acknowledged > 10
    assert "full" in str(fault)
    assert "free space" in str(fault)
    assert_nothing_half_recorded(url, acknowledged)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount on this machine: the disk was not made small")
    if done.returncode:
        pytest.skip("no right to mount a small disk here")
    yield place
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=True)


def test_a_full_disk_refuses_and_leaves_nothing_half_recorded(small_disk: Path, tmp_path: Path):
    url = f"sqlite:///{small_disk}/ledger.db"
    with Ledger.open(url) as ledger:
        acknowledged, fault = grown_until_full(ledger)

    assert acknowledged > 10
    assert "Nothing of this step was recorded" in str(fault)
    moved = tmp_path / "ledger.db"
    for file in small_disk.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert moved.is_file()
    assert_nothing_half_recorded(f"sqlite:///{moved}", acknowledged)


def test_recording_waits_while_another_holds_the_lock(ledger: Ledger, tmp_path: Path):
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.4, holder.execute, args=("COMMIT",))
    release.start()
    began = time.monotonic()

    assert ledger.record(enrolment()) == Receipt(1)
    assert time.monotonic() - began > 0.3
    release.join()
    holder.close()


def test_a_lock_held_too_long_is_an_error_that_says_so(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "LOCK_TIMEOUT_SECONDS", 0.2)
    with Ledger.open(url) as ledger:
        holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerFault, match="another process has held the ledger too long"):
            ledger.record(enrolment())
        holder.execute("COMMIT")
        holder.close()

        assert ledger.record(enrolment()) == Receipt(1)


def test_a_turn_that_fails_at_its_beginning_lets_the_next_one_in(url: str, tmp_path: Path):
    with Ledger.open(url) as ledger, contextlib.closing(
        sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    ) as other:
        other.execute("ALTER TABLE stored_events RENAME TO elsewhere")
        with pytest.raises(LedgerFault):
            ledger.record(enrolment())
        other.execute("ALTER TABLE elsewhere RENAME TO stored_events")

        assert ledger.record(enrolment()) == Receipt(1)


def test_reading_does_not_wait_for_a_writer(url: str, tmp_path: Path):
    with Ledger.open(url) as ledger:
        ledger.record(enrolment())
        holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        began = time.monotonic()

        assert ledger.head() == 1
        assert time.monotonic() - began < 0.2
        holder.close()


def test_a_ledger_sees_what_another_recorded_in_between(url: str):
    """What a ledger keeps in memory from one recording to the next is never out of date."""
    with Ledger.open(url) as one, Ledger.open(url) as other:
        one.record(enrolment("P-1"))
        other.record(enrolment("P-2"))
        assert one.record(purchase("P-2", "b2")) == Receipt(3)
        assert other.record(purchase("P-1", "b1")) == Receipt(4)
        assert one.record(purchase("P-1", "b1")) == Receipt(4, duplicate=True)
        with pytest.raises(PrakerjaLedgerError) as raised:
            one.record(purchase("P-1", "b3"))
        assert raised.value.code == "ILLEGAL_MOVE"


def test_a_recording_that_failed_is_not_remembered(url: str, monkeypatch: pytest.MonkeyPatch):
    """What was folded in memory before the disk refused it must not count as recorded."""
    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-1"))

        def refused(*_: Any, **__: Any) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(LedgerRecorder, "_insert_events", refused)
            with pytest.raises(LedgerFault):
                ledger.record(purchase("P-1"))
            with pytest.raises(LedgerFault):
                ledger.record(enrolment("P-2"))
        with pytest.raises(PrakerjaLedgerError) as raised:
            ledger.record(purchase("P-2", "b2"))
        assert raised.value.code == "NOT_ENROLLED"
        assert ledger.record(purchase("P-1")) == Receipt(2)
        assert ledger.record(enrolment("P-2")) == Receipt(3)
