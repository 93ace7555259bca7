"""What is sealed must be what readers are shown: files that say beside the sealed lines what these do not."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from prakerja_ledger.evidence import second_verifier
from prakerja_ledger.evidence.checkpoint import Checkpoint, Head, sealed
from prakerja_ledger.evidence.merkle import EMPTY_ROOT
from prakerja_ledger.evidence.note import Note, Signature, Signer
from prakerja_ledger.evidence.proof import consistency_proof_file
from prakerja_ledger.interfaces.logs import open_logs
from prakerja_ledger.interfaces.pack import manifest as files
from prakerja_ledger.interfaces.whole_file import aside
from tests import worlds
from tests.cli_support import Answer, environment, run
from tests.ledger_support import as_bytes, enrolment, purchase
from tests.test_pack import content, repacked

PROGRAM = Path(sys.executable).parent / "prakerja-ledger"
VIEW = ("--as-of", "2020-12-31")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A history of three people, a key, a ledger and its checkpoint."""
    lines = [as_bytes(one(f"P-{n}", id=f"{one.__name__} {n}")) for n in range(3) for one in (enrolment, purchase)]
    (tmp_path / "history.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    url = f"sqlite:///{tmp_path}/ledger.db"
    run("import", tmp_path / "history.jsonl", "--ledger", url)
    run("keygen", "--name", "ledger.example", "--output", tmp_path / "key")
    assert run("seal", url, "--key", tmp_path / "key", "--output", tmp_path / "note").status == 0
    return tmp_path


def keys(place: Path) -> tuple[str, str]:
    return "--verifier", str(Signer.read((place / "key").read_text()).verifier)


def verified(place: Path, source: str | Path) -> Answer:
    return run("verify", source, "--checkpoint", place / "note", *keys(place))


def second(place: Path, source: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, second_verifier.__file__, source, "--checkpoint", place / "note", *keys(place)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


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


def test_an_index_that_hides_an_event_is_told_by_both(place: Path):
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
def test_a_value_of_another_kind_in_a_column_is_a_break_and_no_crash(place: Path, column: str, value: str):
    with closing(sqlite3.connect(place / "ledger.db", isolation_level=None)) as file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
        file.execute(f"UPDATE stored_events SET {column} = {value} WHERE rowid = 4")
    assert verified(place, f"sqlite:///{place}/ledger.db").status == 4
    assert second(place, place / "ledger.db").returncode == 4


def without_triggers(file: Path) -> sqlite3.Connection:
    ledger = sqlite3.connect(file, isolation_level=None)
    for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        ledger.execute(f"DROP TRIGGER {name}")
    return ledger


@pytest.mark.parametrize("rowid", [0, -1, -(2**63)])
def test_what_stands_below_the_first_position_is_told_by_both_and_not_sealed(place: Path, rowid: int):
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
def test_a_position_of_another_kind_beside_an_identity_is_a_break_and_no_crash(place: Path, value: str):
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute(f"UPDATE identities SET position = {value} WHERE position = 4")
    answer = verified(place, f"sqlite:///{place}/ledger.db")
    assert (answer.status, "wrong identity" in answer.text) == (4, True)
    assert second(place, place / "ledger.db").returncode == 4


@pytest.mark.parametrize("value", ["5", "CAST(state AS TEXT)"])
def test_a_line_of_another_kind_is_not_sealed(place: Path, value: str):
    """As text it hashed as if it were the event, and verify then found none there."""
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute(f"UPDATE stored_events SET state = {value} WHERE rowid = 4")
    said = run("seal", f"sqlite:///{place}/ledger.db", "--key", place / "key", "--output", place / "again")
    assert (said.status, "what stands at 4 is no event. Nothing was sealed" in said.err) == (1, True)


def test_a_forged_last_position_is_refused_before_memory_ends(place: Path):
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
def test_a_table_that_is_none_of_a_ledger_is_told_by_both(place: Path, table: str, statements: list[str]):
    """All lines are there as long as it likes."""
    with closing(without_triggers(place / "ledger.db")) as ledger:
        for statement in statements:
            ledger.execute(statement)
    answer = verified(place, f"sqlite:///{place}/ledger.db")
    assert (answer.status, f"{table} is not the table that it was made as" in answer.text) == (4, True)
    told = second(place, place / "ledger.db")
    assert (told.returncode, f"the file: {table} is another table than a ledger's" in told.stdout) == (4, True)


@pytest.mark.parametrize("stream", ["package/P-1", "P-1", "programme"])
def test_a_stream_that_was_moved_as_a_whole_is_told_by_both(place: Path, stream: str):
    """Its statement is gone, and its numbers are as they were."""
    url = f"sqlite:///{place}/ledger.db"
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute("UPDATE stored_events SET originator_id = ? WHERE rowid IN (3, 4)", (stream,))
    assert run("statement", url, "P-1", *VIEW).status == 2
    answer = verified(place, url)
    assert (answer.status, "wrong stream" in answer.text) == (4, True)
    told = second(place, place / "ledger.db")
    assert (told.returncode, "place 3: filed under a wrong stream" in told.stdout) == (4, True)


def test_a_void_that_was_moved_to_where_nobody_reads_it_is_told_by_both(place: Path):
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


def test_what_is_no_event_behind_the_sealed_ones_is_told_by_both(place: Path):
    """A history may grow by events."""
    url = f"sqlite:///{place}/ledger.db"
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute("INSERT INTO stored_events VALUES (7, 'participant/Z', 1, 'prakerja.enrolled.v1', X'31')")
    assert verified(place, url).status == 4
    assert second(place, place / "ledger.db").returncode == 4
    (place / "more.jsonl").write_bytes((place / "history.jsonl").read_bytes() + b"no event\n")
    assert verified(place, place / "more.jsonl").status == 4
    for leaves in (True, False):
        if not leaves:
            (place / "note.leaves").unlink()
        assert second(place, place / "more.jsonl").returncode == 4


def test_a_root_of_nothing_that_is_none_is_told_by_both(place: Path):
    signer = Signer.read((place / "key").read_text())
    odd, nothing = Head(0, b"x" * 32), Head(0, EMPTY_ROOT)
    aside_odd = Checkpoint("ledger.example", (nothing,), odd)
    (place / "note").write_bytes(bytes(sealed(aside_odd, signer)))
    (place / "note.leaves").unlink()
    assert verified(place, place / "history.jsonl").status == 4
    assert second(place, place / "history.jsonl").returncode == 4
    earlier, later = (sealed(Checkpoint("ledger.example", (one,)), signer) for one in (odd, Head(1, b"y" * 32)))
    (place / "step").write_bytes(consistency_proof_file(earlier, later, [()]))
    assert run("verify", place / "step", *keys(place)).status == 4
    assert second(place, place / "step").returncode == 4


@pytest.mark.parametrize("change", ["rowid = -4", "state = 5"])
def test_nothing_is_proved_of_an_event_that_is_none_or_stands_nowhere(place: Path, change: str):
    """It was an internal fault: the quick way took the store's word for what it gave."""
    with closing(without_triggers(place / "ledger.db")) as ledger:
        ledger.execute(f"UPDATE stored_events SET {change} WHERE rowid = 4")
    said = run(
        "prove", f"sqlite:///{place}/ledger.db", "--participant", "P-1", "--checkpoint", place / "note",
        "--output", place / "proof",
    )  # fmt: skip
    assert (said.status, "is not as it was sealed" in said.err) == (4, True)
    assert not (place / "proof").exists()


def test_statistics_that_hide_a_participant_are_told(place: Path):
    """Readers skip the row groups that a footer excludes."""
    parquet = pytest.importorskip("pyarrow.parquet")
    run("export", place / "history.jsonl", "--output", place / "whole.parquet")
    parquet.write_table(parquet.read_table(place / "whole.parquet"), place / "groups.parquet", row_group_size=2)
    data = (place / "groups.parquet").read_bytes()
    at = len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]
    (place / "forged.parquet").write_bytes(data[:at] + data[at:].replace(b"P-1", b"P-9"))
    assert run("statement", place / "forged.parquet", "P-1", *VIEW).status == 2, "it is hidden"
    assert verified(place, place / "groups.parquet").status == 0
    answer = verified(place, place / "forged.parquet")
    assert answer.status == 4
    assert "statistics of subject" in answer.text


def test_a_pack_is_read_by_its_lines_alone(place: Path):
    """Whoever has the key could put columns beside them that say something else."""
    run("pack", place / "history.jsonl", "--key", place / "key", "--output", place / "pack.zip", *VIEW)
    run("export", place / "history.jsonl", "--output", place / "other.parquet")
    other = place / "less.jsonl"
    other.write_bytes(b"".join((place / "history.jsonl").read_bytes().splitlines(keepends=True)[:2]))
    run("export", other, "--output", place / "less.parquet")
    columns = (place / "less.parquet").read_bytes()
    forged = repacked(place / "pack.zip", place, place / "key", **{files.COLUMNS: columns})
    assert run("totals", forged, "--by", "line", *VIEW).out == run(
        "totals", place / "history.jsonl", "--by", "line", *VIEW
    ).out
    answer = run("verify", forged, *keys(place))
    assert answer.status == 4
    assert files.COLUMNS in answer.text


def test_a_signature_more_on_a_manifest_is_refused_by_both(place: Path):
    run("pack", place / "history.jsonl", "--key", place / "key", "--output", place / "pack.zip", *VIEW)
    note = Note.read(content(place / "pack.zip")[files.SIGNED])
    more = bytes(note.also_signed(Signature("somebody", b"1234", b"x" * 64)))
    forged = repacked(place / "pack.zip", place, None, **{files.SIGNED: more})
    assert run("verify", forged, *keys(place)).status == 4
    assert second(place, forged).returncode == 4


@pytest.mark.parametrize("change", [{"shard": -1}, {"amount": "Rp999"}])
def test_what_does_not_belong_in_a_proof_is_refused_by_both(place: Path, change: dict[str, object]):
    proof = place / "proof"
    run("prove", place / "history.jsonl", "--participant", "P-1", "--checkpoint", place / "note", "--output", proof)
    said = json.loads(proof.read_bytes())
    said["events"][0].update(change)
    proof.write_text(json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n")
    assert run("verify", proof, *keys(place)).status == 4
    assert second(place, proof).returncode == 4


def test_a_signed_root_that_is_none_is_not_fine_for_want_of_a_place(place: Path):
    """Of a checkpoint of nothing there is no event that could be told to differ."""
    signer = Signer.read((place / "key").read_text())
    text = f"ledger.example\n0\n{'A' * 43}=\n"
    (place / "nothing").write_bytes(bytes(Note(text, (signer.signature(text),))))
    answer = run("verify", place / "history.jsonl", "--checkpoint", place / "nothing", *keys(place))
    assert answer.status == 4


def test_whoever_reads_no_further_is_not_told_that_all_is_well(place: Path):
    lines = (place / "history.jsonl").read_bytes().splitlines(keepends=True)
    (place / "edited.jsonl").write_bytes(b"".join(lines[1:]))
    words = ["verify", place / "edited.jsonl", "--checkpoint", place / "note", *keys(place)]
    process = subprocess.Popen(
        [PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) in (1, 4)


def test_another_history_told_anew_is_told_soon_by_the_second_verifier(place: Path):
    """It looked for each of its events at every position: hours, for a hundred thousand."""
    many = [as_bytes(enrolment(f"P-{n}", id=f"e-{n}")) for n in range(3_000)]
    for name, of in (("real", many), ("told", [line.replace(b'"e-', b'"x-') for line in many])):
        (place / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in of))
    run("seal", place / "real.jsonl", "--key", place / "key", "--output", place / "real")
    command = [sys.executable, second_verifier.__file__, place / "told.jsonl", "--checkpoint", place / "real"]
    done = subprocess.run([*command, *keys(place)], capture_output=True, check=False, timeout=60)
    assert done.returncode == 4


# --- slips and accidents --------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["", ".", "/"])
def test_what_names_no_file_is_refused(place: Path, target: str):
    answer = run("seal", place / "history.jsonl", "--key", place / "key", "--output", target)
    assert answer.status == 2
    assert "not written" in answer.err


def test_a_file_that_appears_meanwhile_is_not_written_over(tmp_path: Path):
    with pytest.raises(FileExistsError), aside(tmp_path / "new", is_new=True) as made:
        made.write_bytes(b"ours")
        (tmp_path / "new").write_bytes(b"precious")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"precious"]


def test_a_pipe_is_no_source_to_be_looked_at_twice(place: Path):
    os.mkfifo(place / "pipe")
    answer = verified(place, place / "pipe")
    assert answer.status == 2
    assert "more than once" in answer.err


def test_checkpoints_of_two_logs_follow_from_each_other_never(place: Path):
    run("keygen", "--name", "another.example", "--output", place / "other")
    run("seal", place / "history.jsonl", "--key", place / "other", "--output", place / "theirs")
    answer = run(
        "prove", place / "history.jsonl", "--earlier", place / "theirs", "--checkpoint", place / "note",
        "--output", place / "step",
    )  # fmt: skip
    assert answer.status == 4


def test_an_event_stands_in_a_proof_once_and_in_its_order(place: Path):
    """Of one proof there is one file."""
    proof = place / "proof"
    run("prove", place / "history.jsonl", "--participant", "P-1", "--checkpoint", place / "note", "--output", proof)
    said = json.loads(proof.read_bytes())
    for events in (said["events"][::-1], said["events"] * 2):
        text = json.dumps({**said, "events": events}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        proof.write_text(text + "\n")
        assert run("verify", proof, *keys(place)).status == 4
        assert second(place, proof).returncode == 4


def test_a_break_behind_what_the_leaves_reach_is_told_too(place: Path):
    """Of two checkpoints that do not hold, the later without its leaves."""
    lines = (place / "history.jsonl").read_bytes().splitlines(keepends=True)
    (place / "half.jsonl").write_bytes(b"".join(lines[:3]))
    run("seal", place / "half.jsonl", "--key", place / "key", "--output", place / "early")
    run("seal", place / "history.jsonl", "--key", place / "key", "--output", place / "late", "--no-leaves")
    changed = [line.replace(b'"id":"', b'"id":"x', 1) if at in (1, 4) else line for at, line in enumerate(lines)]
    (place / "changed.jsonl").write_bytes(b"".join(changed))
    answer = run(
        "verify", place / "changed.jsonl", "--checkpoint", place / "early", "--checkpoint", place / "late",
        "--json", *keys(place),
    )  # fmt: skip
    breaks = [json.loads(line) for line in answer.lines if '"break"' in line]
    assert any(one["first"] == 2 for one in breaks)
    assert any(one["first"] <= 5 <= one["last"] for one in breaks)


@pytest.mark.parametrize("seed", range(6))
def test_an_honest_file_of_any_world_is_called_honest(tmp_path: Path, seed: int):
    """Instants at the ends of the years, texts beyond ASCII, columns without a value: none is a forgery."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in worlds.history(820_000 + seed, events=120, broken=0.1)))
    for every in ((), ("--every-line",)):
        target = tmp_path / f"h{len(every)}.parquet"
        assert run("export", path, *every, "--output", target).status in (0, 3)
        with open_logs(str(target)) as logs:
            assert list(logs.events())
            assert logs.damage() == ""


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


def test_what_is_filed_as_another_is_not_packed(place: Path):
    with closing(sqlite3.connect(place / "ledger.db", isolation_level=None)) as file:
        file.execute("DROP TRIGGER stored_events_update")
        file.execute("UPDATE stored_events SET topic = 'prakerja.rated.v1' WHERE rowid = 3")
    said = run(
        "pack", f"sqlite:///{place}/ledger.db", "--key", place / "key", "--output", place / "pack.zip", *VIEW
    )

    assert (said.status, (place / "pack.zip").exists()) == (1, False)
    assert "position 3 is filed under a wrong type" in said.err
