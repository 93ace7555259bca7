"""A SQLite file that shows its readers other events than those that are sealed in it, or that is damaged."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli_support import environment, run
from tests.deceiving import (
    PROGRAM,
    VIEW,
    keys,
    place,  # noqa: F401  # a fixture
    second,
    verified,
    without_triggers,
)
from tests.ledger_support import as_bytes, enrolment, purchase


def hide_by_the_index(ledger: Path, rowid: int) -> None:
    """Give the table the index of another one, which files one row elsewhere: the rows themselves stay."""
    with closing(sqlite3.connect(ledger, isolation_level=None)) as file:
        (made,) = file.execute("SELECT sql FROM sqlite_master WHERE name = 'stored_events'").fetchone()
        file.execute(made.replace("stored_events", "fake", 1))
        columns = "rowid, originator_id, originator_version, topic, state"
        file.execute(f"INSERT INTO fake ({columns}) SELECT {columns} FROM stored_events WHERE rowid <> ?", (rowid,))
        file.execute(
            f"INSERT INTO fake ({columns}) SELECT rowid, 'participant/elsewhere', 1, topic, state "
            "FROM stored_events WHERE rowid = ?", (rowid,),
        )  # fmt: skip
        (root,) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_fake_1'").fetchone()
        file.execute("PRAGMA writable_schema = on")
        file.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = 'sqlite_autoindex_stored_events_1'", (root,))
        file.execute("DELETE FROM sqlite_master WHERE name IN ('fake', 'sqlite_autoindex_fake_1')")


def test_an_index_that_hides_an_event_is_told_by_both(place: Path):  # noqa: F811
    """Statements are read by it, and the lines are all there."""
    url = f"sqlite:///{place}/ledger.db"
    before = run("statement", url, "P-1", "--json", *VIEW).out
    hide_by_the_index(place / "ledger.db", 4)
    assert run("statement", url, "P-1", "--json", *VIEW).out != before
    answer = verified(place, url)
    assert answer.status == 4
    assert "DAMAGED" in answer.text
    assert second(place, place / "ledger.db").returncode == 4


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", "5"), ("state", "'text'"), ("topic", "5"), ("topic", "X'31'"),
        ("originator_version", "'text'"), ("originator_version", "X'31'"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_in_a_column_is_a_break_and_no_crash(place: Path, column: str, value: str):  # noqa: F811
    with closing(sqlite3.connect(place / "ledger.db", isolation_level=None)) as file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
        file.execute(f"UPDATE stored_events SET {column} = {value} WHERE rowid = 4")
    assert verified(place, f"sqlite:///{place}/ledger.db").status == 4
    assert second(place, place / "ledger.db").returncode == 4


@pytest.mark.parametrize("rowid", [0, -1, -(2**63)])
def test_what_stands_below_the_first_position_is_told_by_both_and_not_sealed(place: Path, rowid: int):  # noqa: F811
    """A statement is read by the stream's name, and shows it."""
    url = f"sqlite:///{place}/ledger.db"
    before = run("statement", url, "P-1", "--json", *VIEW).out
    row = (rowid, "participant/P-1", 3, "prakerja.training-purchased.v1", as_bytes(purchase("P-1", id="forged")))
    with closing(without_triggers(place / "ledger.db")) as ledger:
        columns = "rowid, originator_id, originator_version, topic, state"
        ledger.execute(f"INSERT INTO stored_events ({columns}) VALUES (?, ?, ?, ?, ?)", row)
    assert run("statement", url, "P-1", "--json", *VIEW).out != before

    answer = verified(place, url)

    assert answer.status == 4
    assert "INSERTED" in answer.text
    told = second(place, place / "ledger.db")
    assert (told.returncode, f"place {rowid}: not sealed" in told.stdout) == (4, True)
    again = run("seal", url, "--key", place / "key", "--output", place / "again")
    assert (again.status, f"an event stands at {rowid}, below the first position" in again.err) == (1, True)


@pytest.mark.parametrize("value", ["'text'", "X'FF'", "9e999"])
def test_a_position_of_another_kind_beside_an_identity_is_a_break_and_no_crash(place: Path, value: str):  # noqa: F811
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute(f"UPDATE identities SET position = {value} WHERE position = 4")
    answer = verified(place, f"sqlite:///{place}/ledger.db")
    assert (answer.status, "wrong identity" in answer.text) == (4, True)
    assert second(place, place / "ledger.db").returncode == 4


@pytest.mark.parametrize("value", ["5", "CAST(state AS TEXT)"])
def test_a_line_of_another_kind_is_not_sealed(place: Path, value: str):  # noqa: F811
    """As text it hashed as if it were the event, and verify then found none there."""
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute(f"UPDATE stored_events SET state = {value} WHERE rowid = 4")
    said = run("seal", f"sqlite:///{place}/ledger.db", "--key", place / "key", "--output", place / "again")
    assert (said.status, "what stands at 4 is no event. Nothing was sealed" in said.err) == (1, True)


def test_a_forged_last_position_is_refused_before_memory_ends(place: Path):  # noqa: F811
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute("UPDATE stored_events SET rowid = ? WHERE rowid = 6", (2**63 - 1,))
    words = ["seal", f"sqlite:///{place}/ledger.db", "--key", place / "key", "--output", place / "again"]
    said = subprocess.run(
        ["sh", "-c", 'ulimit -v 3000000; exec "$@"', "sh", PROGRAM, *words],
        capture_output=True, text=True, check=False, timeout=60, env=environment(),
    )  # fmt: skip
    assert (said.returncode, "some are missing" in said.stderr) == (1, True)


@pytest.mark.parametrize(
    ("table", "statements"),
    [
        pytest.param(
            "stored_events",
            [
                "ALTER TABLE stored_events RENAME TO kept",
                "CREATE VIEW stored_events AS SELECT rowid AS rowid, originator_id, originator_version, topic, state "
                "FROM kept WHERE originator_version < 2 OR strftime('%Y', 'now') < '3000'",
            ],
            id="a view, which shows another history at another time",
        ),
        pytest.param(
            "identities",
            ["ALTER TABLE identities RENAME TO kept", "CREATE VIEW identities AS SELECT source, id, position FROM kept"],
            id="a view of identities",
        ),
        pytest.param(
            "stored_events",
            [
                "PRAGMA writable_schema = on",
                "UPDATE sqlite_master SET sql = replace(sql, 'originator_id TEXT', 'originator_id TEXT COLLATE NOCASE') "
                "WHERE name = 'stored_events'",
            ],
            id="a collation, which shows two participants as one",
        ),
    ],
)  # fmt: skip
def test_a_table_that_is_none_of_a_ledger_is_told_by_both(place: Path, table: str, statements: list[str]):  # noqa: F811
    """All lines are there as long as it likes."""
    with closing(without_triggers(place / "ledger.db")) as ledger:
        for statement in statements:
            ledger.execute(statement)
    answer = verified(place, f"sqlite:///{place}/ledger.db")
    assert (answer.status, f"{table} is not the table that it was made as" in answer.text) == (4, True)
    told = second(place, place / "ledger.db")
    assert (told.returncode, f"the file: {table} is another table than a ledger's" in told.stdout) == (4, True)


@pytest.mark.parametrize("stream", ["package/P-1", "P-1", "programme"])
def test_a_stream_that_was_moved_as_a_whole_is_told_by_both(place: Path, stream: str):  # noqa: F811
    """Its statement is gone, and its numbers are as they were."""
    url = f"sqlite:///{place}/ledger.db"
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute("UPDATE stored_events SET originator_id = ? WHERE rowid IN (3, 4)", (stream,))
    assert run("statement", url, "P-1", *VIEW).status == 2
    answer = verified(place, url)
    assert (answer.status, "wrong stream" in answer.text) == (4, True)
    told = second(place, place / "ledger.db")
    assert (told.returncode, "place 3: filed under a wrong stream" in told.stdout) == (4, True)


def test_a_void_that_was_moved_to_where_nobody_reads_it_is_told_by_both(place: Path):  # noqa: F811
    """What it voids then counts again. A void's own stream is that of what it names, not any of its subject."""
    bought = json.loads(as_bytes(purchase("P-1", id="purchase 1")))
    why = {"reason": "entered in error", "authority": "PMO"}
    void = {**bought, "id": "voided", "type": "prakerja.event-voided.v1"}
    void["data"] = {"source": bought["source"], "id": bought["id"], **why}
    (place / "void.jsonl").write_text(json.dumps(void) + "\n")
    url = f"sqlite:///{place}/ledger.db"
    assert run("import", place / "void.jsonl", "--ledger", url).status == 0
    (place / "note").unlink()
    (place / "note.leaves").unlink()
    assert run("seal", url, "--key", place / "key", "--output", place / "note").status == 0
    assert (verified(place, url).status, second(place, place / "ledger.db").returncode) == (0, 0)
    before = run("statement", url, "P-1", "--json", *VIEW).out
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute("UPDATE stored_events SET originator_id = 'package/P-1', originator_version = 1 WHERE rowid = 7")
    assert run("statement", url, "P-1", "--json", *VIEW).out != before
    answer = verified(place, url)
    assert (answer.status, "wrong stream" in answer.text) == (4, True)
    told = second(place, place / "ledger.db")
    assert (told.returncode, "place 7: filed under a wrong stream" in told.stdout) == (4, True)


@pytest.mark.parametrize("change", ["rowid = -4", "state = 5"])
def test_nothing_is_proved_of_an_event_that_is_none_or_stands_nowhere(place: Path, change: str):  # noqa: F811
    """It was an internal fault: the quick way took the store's word for what it gave."""
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute(f"UPDATE stored_events SET {change} WHERE rowid = 4")
    said = run(
        "prove", f"sqlite:///{place}/ledger.db", "--participant", "P-1", "--checkpoint", place / "note",
        "--output", place / "proof",
    )  # fmt: skip
    assert (said.status, "is not as it was sealed" in said.err) == (4, True)
    assert not (place / "proof").exists()


# --- damage: what can be read is read, and what cannot is told ----------------------------------------


@pytest.fixture
def torn(tmp_path: Path) -> tuple[Path, list[int]]:
    """A sealed ledger with one page of its table written over, and the positions that stood there."""
    lines = [as_bytes(enrolment(f"P-{n}")) for n in range(300)]
    (tmp_path / "history.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    file = tmp_path / "ledger.db"
    run("import", tmp_path / "history.jsonl", "--ledger", f"sqlite:///{file}")
    run("keygen", "--name", "ledger.example", "--output", tmp_path / "key")
    assert run("seal", f"sqlite:///{file}", "--key", tmp_path / "key", "--output", tmp_path / "note").status == 0
    data = bytearray(file.read_bytes())
    assert int.from_bytes(data[16:18], "big") == 4_096
    page = data.index(lines[150]) // 4_096
    data[page * 4_096 : (page + 1) * 4_096] = b"\xff" * 4_096
    file.write_bytes(data)
    return tmp_path, [at for at in range(1, 301) if not can_be_read(file, at)]


def can_be_read(file: Path, rowid: int) -> bool:
    with closing(sqlite3.connect(file)) as ledger:
        try:
            return ledger.execute("SELECT state FROM stored_events WHERE rowid = ?", (rowid,)).fetchone() is not None
        except sqlite3.DatabaseError:
            return False


def test_of_a_page_that_cannot_be_read_both_tell_the_events_and_no_others(torn: tuple[Path, list[int]]):
    place, hit = torn
    said = run("verify", f"sqlite:///{place}/ledger.db", "--checkpoint", place / "note", *keys(place), "--json")
    breaks = [json.loads(line) for line in said.lines if line.startswith('{"break"')]

    assert said.status == 4
    assert [one["place"] for one in breaks if one["break"] == "UNREADABLE"] == hit
    assert {one["break"] for one in breaks} == {"UNREADABLE", "DAMAGED"}
    done = second(place, place / "ledger.db")
    assert done.returncode == 4
    assert [line for line in done.stdout.splitlines() if line.endswith("not sealed")] == [
        f"place {at}: not sealed" for at in hit
    ]
    assert [line for line in done.stdout.splitlines() if line.endswith("missing")] == [
        f"position {at}: missing" for at in hit
    ]


def test_nothing_else_is_answered_out_of_a_damaged_file_and_the_way_on_is_said(torn: tuple[Path, list[int]]):
    place, _ = torn
    url = f"sqlite:///{place}/ledger.db"
    for command in (
        ("totals", url, "--by", "wave", *VIEW),
        ("export", url),
        ("seal", url, "--key", place / "key", "--output", place / "again"),
    ):
        said = run(*command)
        assert said.status == 2, said.err
        assert "verify tells which events of it are hit" in said.err
    packed = run("pack", url, "--key", place / "key", "--output", place / "pack.zip", *VIEW)
    assert packed.status == 1
    assert "is no event" in packed.err
    assert not {"again", "pack.zip"} & {one.name for one in place.iterdir()}


def test_what_is_filed_as_another_is_not_packed(place: Path):  # noqa: F811
    with closing(sqlite3.connect(place / "ledger.db", isolation_level=None)) as file:
        file.execute("DROP TRIGGER stored_events_update")
        file.execute("UPDATE stored_events SET topic = 'prakerja.rated.v1' WHERE rowid = 3")
    said = run(
        "pack", f"sqlite:///{place}/ledger.db", "--key", place / "key", "--output", place / "pack.zip", *VIEW
    )

    assert (said.status, (place / "pack.zip").exists()) == (1, False)
    assert "position 3 is filed under a wrong type" in said.err


def test_an_identity_that_stands_nowhere_is_a_sentence_and_no_fault_of_the_program(place: Path):  # noqa: F811
    with without_triggers(place / "ledger.db") as file:
        file.execute("UPDATE identities SET position = 'x' WHERE position = 3")
    url = f"sqlite:///{place}/ledger.db"
    said = run("import", place / "history.jsonl", "--ledger", url)

    assert said.status == 1
    assert "an identity stands at a position that is no number" in said.err
    assert "internal fault" not in said.err


def test_what_a_damaged_file_shows_is_said_in_indonesian(place: Path):  # noqa: F811
    with without_triggers(place / "ledger.db") as file:
        file.execute("ALTER TABLE identities RENAME TO others")
        file.execute("CREATE VIEW identities AS SELECT * FROM others")
    said = run(
        "verify", f"sqlite:///{place}/ledger.db", "--checkpoint", place / "note", *keys(place), "--lang", "id"
    )

    assert said.status == 4
    assert "identities bukan lagi tabel sebagaimana dibuat semula" in said.text


@pytest.mark.parametrize("value", ["NULL", "7", "1.5", "CAST(state AS TEXT)"])
def test_a_line_that_is_no_bytes_is_told_with_its_place_by_both(place: Path, value: str):  # noqa: F811
    """A damaged byte is enough to make a row hold nothing."""
    with without_triggers(place / "ledger.db") as file:
        file.execute("PRAGMA writable_schema = on")
        file.execute("UPDATE sqlite_master SET sql = replace(sql, 'state BLOB NOT NULL', 'state BLOB')")
    with closing(sqlite3.connect(place / "ledger.db", isolation_level=None)) as file:
        file.execute(f"UPDATE stored_events SET state = {value} WHERE rowid = 4")
    first, other = verified(place, f"sqlite:///{place}/ledger.db"), second(place, place / "ledger.db")

    assert (first.status, other.returncode) == (4, 4)
    assert "UNREADABLE" in first.text
    assert "place 4: not sealed" in other.stdout
