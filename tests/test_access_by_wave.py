"""Readers limited to waves: row level security gives them the full answer of those waves, and no more."""

from __future__ import annotations

import json
import subprocess
from datetime import date, timedelta
from pathlib import Path
from threading import Event as Signal
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.projecting.projection import Projection
from prakerja_ledger.reading.view import View, look
from prakerja_ledger.stores import postgres_doctor
from prakerja_ledger.stores.health import Verdict
from prakerja_ledger.stores.postgres_access import role_script
from tests import worlds
from tests.cli_support import run
from tests.ledger_support import enrolment
from tests.postgres_support import (
    logged_in,
    made,
    made_with_roles,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    without_options,
)
from tests.servers import PostgresServer, connect, program
from tests.test_commands import MACHINE, PEOPLE, written

SEEDS = (31, 32, 33)
AS_OF = ["--as-of", "2024-12-31"]


def grant(url: str, *waves: int, role: str = "wave_reader") -> str:
    """Let the wave reader's login read waves; returns the ledger's URL for it."""
    s = schema_of(url)
    told = ", ".join(map(str, (f"'{s}_as_{role}'", *waves)))
    with connect(without_options(url)) as connection:
        connection.execute(f"SELECT {s}.grant_waves({told})")
    return logged_in(url, role)


class World:
    """A random history in a ledger, and the half of its waves that a role is granted."""

    def __init__(self, seed: int, folder: Path, database: str) -> None:
        self.url = made_with_roles(database, shards=1 + 2 * (seed % 2))
        whole = written(folder / "whole.jsonl", worlds.history(seed, participants=24, events=700))
        run("import", whole, "--ledger", self.url, "--quarantine", folder / "aside.jsonl")
        holding = waves_held(self.url)
        waves = sorted(set(holding.values()))
        self.waves = waves[::2]
        assert len(waves) > len(self.waves) > 1, "a world of several waves"
        self.limited = grant(self.url, *self.waves)
        self.names = {name for name, wave in holding.items() if wave in self.waves}
        self.others = holding.keys() - self.names
        self.folder = folder
        with Ledger.open(self.url) as ledger, ledger.journal.reading() as reading:
            hidden = {
                stored.position
                for name, lines in reading.streams("participant/")
                for stored in lines
                if name.removeprefix("participant/") in self.others
            }
            self.lines = [one.line.decode() for one in reading.lines() if one.position not in hidden]
        self.filtered = written(folder / "filtered.jsonl", [line.encode() for line in self.lines])


def waves_held(url: str) -> dict[str, int]:
    """Every participant's wave, by the law, from everything that is recorded."""
    ever = View(as_of=date.max - timedelta(days=1))
    with Ledger.open(url) as ledger, ledger.journal.reading() as reading:
        seen = [look(one, ever) for one in ledger.streams(reading).participants]
    return {one.participant.id: one.wave for one in seen if one is not None}


@pytest.fixture(
    scope="module",
    params=[pytest.param(s, marks=[pytest.mark.xdist_group(f"waves-{s}")]) for s in SEEDS],
)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_database: str
) -> World:
    return World(request.param, tmp_path_factory.mktemp("waves"), shared_database)


# --- what they read -------------------------------------------------------------------------------------


def test_their_statements_are_those_of_the_full_answer_in_their_waves(world: World):
    full = run("statement", world.url, "--json", *AS_OF).lines
    theirs = run("statement", world.limited, "--json", *AS_OF).lines
    assert theirs == [line for line in full if json.loads(line)["wave"] in world.waves]


def test_their_totals_are_those_of_the_full_answer_in_their_waves(world: World):
    full = run("totals", world.url, "--json", "--by", "wave", *AS_OF).lines
    theirs = run("totals", world.limited, "--json", "--by", "wave", *AS_OF).lines

    assert theirs == [line for line in full if json.loads(line)["wave"] in world.waves] != []


@pytest.mark.parametrize("command", [*MACHINE, *PEOPLE], ids=" ".join)
def test_every_reading_command_answers_as_on_a_history_of_those_participants_alone(
    world: World, command: tuple[str, ...]
):
    theirs = run(command[0], world.limited, *command[1:], *AS_OF)
    expected = run(command[0], world.filtered, *command[1:], *AS_OF)
    assert (theirs.out.replace(world.limited.encode(), b"IT"), theirs.status) == (
        expected.out.replace(str(world.filtered).encode(), b"IT"), expected.status
    )  # fmt: skip


@pytest.mark.parametrize("command", [("statement", *AS_OF), ("totals", "--by", "wave", *AS_OF), ("export",)], ids=" ".join)
def test_who_is_shown_a_part_is_told_so(world: World, command: tuple[str, ...]):
    """On standard error, beside the answer: nobody should take it for the whole."""
    waves = ", ".join(map(str, world.waves))
    limited, full = (run(command[0], url, *command[1:]) for url in (world.limited, world.url))
    assert limited.err.endswith(f"you see the participants of these waves alone: {waves}.\n")
    assert "of these waves" not in full.err


def test_they_trace_their_own_and_meet_nobody_else(world: World):
    for participant in sorted(world.names)[:3]:
        full, theirs = (run("trace", it, *AS_OF, "--", participant) for it in (world.url, world.limited))
        assert (theirs.out, theirs.status) == (full.out, full.status)
    for participant in sorted(world.others)[:3]:
        answer = run("trace", world.limited, *AS_OF, "--", participant)
        assert (answer.status, answer.out) == (2, b"")
        assert "is not in view" in answer.err


def test_their_feed_gives_their_events_and_comes_to_its_end(world: World):
    with Ledger.open(world.limited) as ledger:
        cursor, fed, more = "", [], True
        while more:
            page = ledger.feed(cursor, limit=50)
            cursor, more = page.cursor, page.more
            fed += [one.line.decode() for one in page.events]
        assert list(ledger.follow(cursor, _set(), limit=10)) == []
        assert sorted(fed) == sorted(line.decode() for line in ledger.lines()) == sorted(world.lines)


def _set() -> Signal:
    signal = Signal()
    signal.set()
    return signal


def test_their_projection_holds_the_rows_of_their_waves(world: World):
    into = f"sqlite:///{world.folder}/rows.db"
    answer = run("projection", "run", world.limited, "--into", into, "--once")
    assert answer.status == 0, answer.err

    with Ledger.open(world.limited) as ledger, Projection.open(ledger, into) as projection:
        kept = projection.totals("wave")
    with Ledger.open(world.url) as ledger:
        full = ledger.totals("wave")
    assert {wave: str(total) for wave, total in kept.groups.items()} == {
        wave: str(total) for wave, total in full.groups.items() if wave in world.waves
    }


def test_doctor_finds_nothing_unsafe_with_them(world: World):
    checks = postgres_doctor.examine(world.limited)
    assert [c.subject for c in checks if c.verdict is Verdict.UNSAFE] == []
    role = next(c for c in checks if c.subject == "role")
    assert role.found.endswith(f"of waves {', '.join(map(str, world.waves))}")


# --- which wave holds -----------------------------------------------------------------------------------


@pytest.fixture
def url(shared_database: str) -> str:
    return made_with_roles(shared_database)


def correction(id: str, wave: int, **attributes: Any) -> dict[str, Any]:
    return enrolment("P-1", id, **attributes) | {
        "type": "prakerja.enrolment-corrected.v1",
        "data": {"wave": wave, "scheme": "semi-bansos-2020", "reason": "r", "authority": "a"},
    }


def voiding(voided: str, id: str = "v") -> dict[str, Any]:
    return enrolment("P-1", id) | {
        "type": "prakerja.event-voided.v1",
        "data": {"source": "//pmo", "id": voided, "reason": "r", "authority": "a"},
    }


EARLY, LATE = {"time": "2020-05-01T10:00:00Z"}, {"time": "2020-06-01T10:00:00Z"}
HISTORIES: dict[str, tuple[list[dict[str, Any]], int]] = {
    "enrolled": ([], 2),
    "corrected": ([correction("c", 3)], 3),
    "corrected twice": ([correction("c", 3), correction("d", 4)], 4),
    "the later by its own time": ([correction("c", 3, **LATE), correction("d", 4, **EARLY)], 3),
    "the correction is voided": ([correction("c", 3), voiding("c")], 2),
    "the last correction is voided": ([correction("c", 3), correction("d", 4), voiding("d")], 3),
    "something else is voided": (
        [correction("c", 3), enrolment("P-1", "x") | {"type": "prakerja.payments-held.v1",
         "subject": "programme", "data": {"reason": "r"}}], 3),
    "later by less than a microsecond": (
        [correction("c", 3, time="2020-06-01T10:00:00.00000000002Z"),
         correction("d", 4, time="2020-06-01T10:00:00.00000000001Z")], 3),
    "later in another offset": (
        [correction("c", 3, time="2020-06-01T10:00:00+07:00"),
         correction("d", 4, time="2020-06-01t09:30:00+06:00"),
         correction("e", 5, time="2020-06-01T12:00:00+23:00")], 4),
    "learned of later": (
        [correction("c", 3, **EARLY, recordedtime="2020-07-01T10:00:00z"),
         correction("d", 4, **EARLY, recordedtime="2020-06-01T10:00:00z")], 3),
    "names that PostgreSQL cannot keep": (
        [correction("c\0\1\\u0000", 3), voiding("c\0\1\\u0000", "v\0")], 2),
}  # fmt: skip


@pytest.mark.parametrize("together", [False, True], ids=["singly", "together"])
@pytest.mark.parametrize("case", HISTORIES)
def test_a_participant_is_seen_by_the_wave_that_a_statement_has(url: str, case: str, together: bool):
    events, wave = HISTORIES[case]
    with Ledger.open(url) as ledger:
        given = [enrolment("P-1", time="2020-04-15T10:00:00Z"), *events]
        for batch in [given] if together else [[one] for one in given]:
            ledger.record_all(batch)
    statements = [json.loads(line) for line in run("statement", url, "--json", *AS_OF).lines]
    assert [one["wave"] for one in statements] == [wave], "the case says what the law says"
    for granted in (2, 3, 4, 5):
        with Ledger.open(grant(url, granted)) as ledger:
            seen = {json.loads(line)["subject"] for line in ledger.lines()} - {"programme"}
            assert seen == ({"P-1"} if granted == wave else set())


def test_waves_are_derived_of_what_was_recorded_before_there_were_roles(shared_database: str):
    """The script of the roles may be run later: it works out every participant's wave."""
    url = made(shared_database)
    with Ledger.open(url) as ledger:
        ledger.record_all([enrolment("P-1"), enrolment("P-2"), correction("c", 3)])
    s = schema_of(url)
    with connect(without_options(url)) as connection:
        connection.execute(role_script(s))
        found = connection.execute(f"SELECT * FROM {s}.participant_waves ORDER BY 1").fetchall()
    assert found == [("participant/P-1", 3), ("participant/P-2", 2)]


def test_what_no_ledger_wrote_belongs_to_no_wave_and_stops_nobody(url: str):
    """A writer may insert by hand what follows; access control is no reason to refuse it."""
    s = schema_of(url)
    with connect(without_options(url)) as connection:
        for n, line in enumerate((b"x", b"[]", b"\xff", b'{"data":{"wave":"two"}}', b'{"time":"soon"}'), 1):
            connection.execute(
                f"INSERT INTO {s}.stored_events VALUES (%s, 1, 'prakerja.enrolled.v1', %s, %s, 0, %s, 's', %s)",
                [f"participant/{n}", line, n, n, str(n)],
            )
        found = connection.execute(f"SELECT wave FROM {s}.participant_waves").fetchall()
    assert found == [(None,)] * 5


# --- what is granted ------------------------------------------------------------------------------------


def seen_by(url: str) -> set[str]:
    with Ledger.open(url) as ledger:
        return {json.loads(line)["subject"] for line in ledger.lines()}


@pytest.fixture
def three_waves(url: str) -> str:
    with Ledger.open(url) as ledger:
        ledger.record_all([
            enrolment(f"P-{wave}") | {"data": {"wave": wave, "scheme": "semi-bansos-2020"}} for wave in (1, 2, 3)
        ])  # fmt: skip
    return url


def test_the_last_grant_holds_and_the_record_of_all_stays(three_waves: str):
    told = []
    for waves in ((1,), (2, 3), ()):
        told.append(seen_by(grant(three_waves, *waves)))
    assert told == [{"P-1"}, {"P-2", "P-3"}, set()]
    s = schema_of(three_waves)
    with connect(without_options(three_waves)) as connection:
        record = connection.execute(f"SELECT waves FROM {s}.wave_grants ORDER BY number").fetchall()
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(f"DELETE FROM {s}.wave_grants")
    assert record == [([1],), ([2, 3],), ([],)]


def test_waves_granted_to_a_group_are_its_members(three_waves: str):
    s = schema_of(three_waves)
    with connect(without_options(three_waves)) as connection:
        connection.execute(f"CREATE ROLE {s}_office NOLOGIN; GRANT {s}_office TO {s}_as_wave_reader")
        connection.execute(f"SELECT {s}.grant_waves('{s}_office', 3)")
    assert seen_by(grant(three_waves, 1)) == {"P-1", "P-3"}


def test_who_reads_some_waves_sees_of_the_grants_its_own_and_of_the_waves_those(three_waves: str):
    s = schema_of(three_waves)
    grant(three_waves, 1, role="reader")
    limited = grant(three_waves, 2)
    with connect(without_options(limited)) as connection:
        assert connection.execute(f"SELECT waves FROM {s}.wave_grants").fetchall() == [([2],)]
        assert connection.execute(f"SELECT * FROM {s}.participant_waves").fetchall() == [("participant/P-2", 2)]


ASIDE = [
    "SELECT count(*) FROM stored_events",
    "SELECT wave_of('participant/P-1')",
    "SELECT * FROM who_may",
    "SELECT grant_waves('{s}_as_wave_reader', 1)",
    "INSERT INTO wave_grants (role, role_name, waves) VALUES ('{s}_as_wave_reader', 'me', '{{1}}')",
    "INSERT INTO events_by_wave SELECT * FROM events_by_wave",
    "UPDATE participant_waves SET wave = 2",
    "SET ROLE {s}_auditor",
    "SET row_security = off; SELECT count(*) FROM events_by_wave",
    "ALTER TABLE events_by_wave DISABLE ROW LEVEL SECURITY",
    "SELECT streams('{{participant/P-1}}', '{{0}}')",
]


@pytest.mark.parametrize("statement", ASIDE)
def test_no_way_past_the_policies(three_waves: str, statement: str):
    s = schema_of(three_waves)
    with connect(without_options(grant(three_waves, 2))) as connection:
        connection.execute(f"SET search_path = {s}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.format(s=s))


def test_a_function_of_theirs_is_shown_no_row_of_others(three_waves: str):
    """The policy is judged before whatever a query brings along."""
    s = schema_of(three_waves)
    with connect(without_options(grant(three_waves, 2))) as connection:
        notices: list[str] = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        connection.execute(
            "CREATE FUNCTION pg_temp.leak(told text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ "
            "BEGIN RAISE NOTICE '%', told; RETURN true; END $$"
        )
        connection.execute(f"SELECT FROM {s}.events_by_wave WHERE pg_temp.leak(originator_id)")
    assert notices == ["participant/P-2"]


PAST_THE_GUARD = [
    "UPDATE {s}.events_by_wave SET state = 'x'",
    "DELETE FROM {s}.events_by_wave",
    "TRUNCATE {s}.events_by_wave",
    "INSERT INTO {s}.events_by_wave SELECT * FROM {s}.stored_events",
]


@pytest.mark.parametrize("statement", PAST_THE_GUARD)
def test_nothing_is_changed_through_the_table_of_the_policies_not_even_by_the_owner(
    three_waves: str, statement: str
):
    """What is done to a parent table is done to its children, and their triggers do not see it."""
    s = schema_of(three_waves)
    with connect(without_options(three_waves)) as connection:
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(statement.format(s=s))
    assert seen_by(three_waves) == {"P-1", "P-2", "P-3"}


def test_a_restored_copy_is_held_to_the_same(three_waves: str, postgres_server: PostgresServer):
    """Policies, guards, waves and grants come back with the facts, and go on with them."""
    limited, other = grant(three_waves, 2), postgres_server.new_database()
    dumped = subprocess.run([program("pg_dump"), without_options(three_waves), "--schema", schema_of(three_waves)],
                            capture_output=True, check=True)  # fmt: skip
    subprocess.run([program("psql"), "-q", "-v", "ON_ERROR_STOP=1", postgres_server.url(other)],
                   input=dumped.stdout, capture_output=True, check=True)  # fmt: skip
    name = urlsplit(three_waves).path
    restored, limited = (url.replace(name, f"/{other}") for url in (three_waves, limited))
    assert seen_by(limited) == {"P-2"}
    with Ledger.open(restored) as ledger:
        ledger.record(enrolment("P-4"))
    assert seen_by(limited) == {"P-2", "P-4"}


def test_a_writer_imports_by_copy_where_there_are_readers_by_wave(url: str, tmp_path: Path):
    """PostgreSQL has no COPY into a table with policies: they stand on its parent."""
    clean = written(tmp_path / "many.jsonl", [json.dumps(enrolment(f"P-{n}")).encode() for n in range(500)])
    answer = run("import", clean, "--ledger", logged_in(url, "writer"))
    assert (answer.status, len(seen_by(grant(url, 2)))) == (0, 500)


def test_a_limited_reader_does_not_write(url: str):
    with Ledger.open(grant(url, 2)) as ledger, pytest.raises(LedgerFault, match="may read and not write"):
        ledger.record(enrolment("P-1"))
