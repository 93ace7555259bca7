"""keygen, seal, cosign, verify, prove: what was sealed can be checked, and every change of it is told."""

from __future__ import annotations

import json
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from prakerja_ledger.evidence import second_verifier
from prakerja_ledger.evidence.note import Signer, Verifier
from prakerja_ledger.interfaces import growing
from prakerja_ledger.interfaces.logs import open_logs
from tests import worlds
from tests.cli_support import Answer, run
from tests.ledger_support import as_bytes, enrolment
from tests.test_commands import DOCUMENTED

NAME = "ledger.example/2020"


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> tuple[Path, str]:
    """A private key's file, and its verifier key."""
    path = tmp_path_factory.mktemp("keys") / "seal.key"
    return path, run("keygen", "--name", NAME, "--output", path).text.strip()


@pytest.fixture(scope="module")
def witness(tmp_path_factory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("keys") / "witness.key"
    made = run("keygen", "--name", "witness.example", "--output", path, "--witness")
    return path, made.text.strip()


def sealed(source, folder: Path, keys, *options, name="checkpoint") -> Path:
    """The checkpoint of a source."""
    answer = run("seal", source, "--key", keys[0], "--output", folder / name, *options)
    assert answer.status in (0, 3), answer
    return folder / name


def verify(source, keys, *checkpoints, **options) -> Answer:
    given = [part for path in checkpoints for part in ("--checkpoint", path)]
    return run("verify", source, *given, "--verifier", keys[1], **options)


def breaks(source, keys, *checkpoints) -> list[tuple]:
    """The breaks: code, positions, and where they were found."""
    given = [part for path in checkpoints for part in ("--checkpoint", path)]
    answer = run("verify", source, *given, "--verifier", keys[1], "--json")
    told = [one for one in map(json.loads, answer.lines) if "break" in one]
    assert (answer.status == 4) == bool(told), answer
    return [(one["break"], one["first"], one["last"], one["place"]) for one in told]


@pytest.fixture
def ledger(tmp_path) -> str:
    """The documented history of 70 events, recorded."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    assert run("import", DOCUMENTED, "--ledger", url).status == 0
    return url


@pytest.fixture(scope="module")
def long_ledger(tmp_path_factory) -> str:
    """A ledger with subtrees whose roots are kept: 700 events."""
    folder = tmp_path_factory.mktemp("long")
    lines = [as_bytes(enrolment(f"P-{n}")) for n in range(700)]
    (folder / "long.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    url = f"sqlite:///{folder}/ledger.db"
    assert run("import", folder / "long.jsonl", "--ledger", url).status == 0
    return url


def doctored(url: str, *statements: str) -> str:
    """A copy of a ledger in which whoever holds the file has done as they liked."""
    path = Path(url.removeprefix("sqlite:///"))
    copy = path.with_name("doctored.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        for (trigger,) in target.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            target.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            assert target.execute(statement).rowcount, statement
        target.commit()
    return f"sqlite:///{copy}"


# --- keys -------------------------------------------------------------------------------------------


def test_a_private_key_is_for_its_owner_alone(keys):
    assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600


def test_the_verifier_key_is_printed_and_the_private_one_is_not(keys):
    assert Verifier.read(keys[1]) == Signer.read(keys[0].read_text()).verifier
    assert keys[0].read_text().strip().split("+", 4)[4] not in keys[1]


def test_a_key_is_never_written_over(keys):
    before = keys[0].read_bytes()
    answer = run("keygen", "--name", NAME, "--output", keys[0])

    assert (answer.status, keys[0].read_bytes()) == (2, before)


# --- sealing ----------------------------------------------------------------------------------------


def test_a_checkpoint_says_the_name_the_number_of_events_and_their_root(ledger, keys, tmp_path):
    lines = sealed(ledger, tmp_path, keys).read_text().split("\n")

    assert lines[:2] == [NAME, "70"]
    assert lines[2] == "7ASMD/hEPpTtHKWd0I522/qZZ0ARKnN9ElZiAOjI6jw="


def test_a_checkpoint_is_never_written_over(ledger, keys, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    before = path.read_bytes()
    answer = run("seal", ledger, "--key", keys[0], "--output", path)

    assert (answer.status, path.read_bytes()) == (2, before)


def exported(url: str, target: Path) -> Path:
    assert run("export", url, "--output", target).status == 0
    return target


def test_a_history_is_sealed_as_the_same_wherever_it_is_kept(ledger, keys, tmp_path):
    """In a ledger, as lines, compressed, and in columns."""
    sources = [ledger, DOCUMENTED] + [
        exported(ledger, tmp_path / f"history.{kind}") for kind in ("jsonl", "jsonl.gz", "parquet")
    ]
    notes = {
        sealed(source, tmp_path, keys, name=f"c{number}").read_bytes()
        for number, source in enumerate(sources)
    }

    assert len(notes) == 1


def test_each_source_is_what_the_ledger_was_sealed_as(ledger, keys, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    for kind in ("jsonl", "parquet"):
        assert verify(exported(ledger, tmp_path / f"x.{kind}"), keys, path).status == 0


SEEDS = range(620_000, 620_025)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clean_history_is_never_called_broken(seed, keys, tmp_path):
    """Whatever lines it holds: recorded, repeated and in quarantine; as a file, a ledger and columns."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"\n".join(worlds.history(seed, participants=4, events=60)) + b"\n")
    url = f"sqlite:///{tmp_path}/ledger.db"
    assert run("import", path, "--ledger", url, "--quarantine", tmp_path / "q").status in (0, 3)
    of_file = sealed(path, tmp_path, keys, name="file")
    of_ledger = sealed(url, tmp_path, keys, name="ledger")
    columns = exported(url, tmp_path / "history.parquet")

    assert of_file.read_text().split("\n")[1:3] == of_ledger.read_text().split("\n")[1:3]
    assert breaks(path, keys, of_file) == []
    assert breaks(url, keys, of_ledger) == breaks(url, keys, of_file) == []
    assert breaks(columns, keys, of_ledger) == []


def test_what_is_recorded_after_a_checkpoint_is_no_break(ledger, keys, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    (tmp_path / "more.jsonl").write_bytes(as_bytes(enrolment("P-new")) + b"\n")
    assert run("import", tmp_path / "more.jsonl", "--ledger", ledger).status == 0
    later = sealed(ledger, tmp_path, keys, name="later")
    answer = verify(ledger, keys, path)

    assert (answer.status, breaks(ledger, keys, path, later)) == (0, [])
    assert "1 events were recorded after" in answer.text


def recorded(url: str, folder: Path, *lines: bytes) -> None:
    (folder / "more.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert run("import", folder / "more.jsonl", "--ledger", url).status == 0


@pytest.mark.parametrize("options", [(), ("--no-leaves",)], ids=["out of leaves", "read anew"])
def test_a_seal_after_another_is_the_one_of_the_whole(options, ledger, keys, tmp_path):
    first = sealed(ledger, tmp_path, keys, *options, name="first")
    recorded(ledger, tmp_path, *(as_bytes(enrolment(f"P-{n}")) for n in range(300)))
    whole = sealed(ledger, tmp_path, keys, name="whole")
    after = sealed(ledger, tmp_path, keys, "--after", first, name="after")

    assert after.read_bytes() == whole.read_bytes()
    assert (tmp_path / "after.leaves").read_bytes() == (tmp_path / "whole.leaves").read_bytes()


@pytest.mark.parametrize("statement", [
    "DELETE FROM stored_events WHERE rowid = 20",
    "UPDATE stored_events SET state = x'00' WHERE rowid = 20",
])  # fmt: skip
def test_a_ledger_that_is_broken_in_itself_is_not_sealed(statement, ledger, keys, tmp_path):
    made = doctored(ledger, statement)
    answer = run("seal", made, "--key", keys[0], "--output", tmp_path / "c")

    assert (answer.status, list(tmp_path.glob("c*"))) == (1, [])


def test_several_processes_seal_the_same(long_ledger, monkeypatch):
    monkeypatch.setattr(growing, "_SPAN", 50)
    monkeypatch.setattr(growing, "_FEW_SPANS", 6)
    with open_logs(long_ledger) as logs:
        with growing.grown(logs, 1, keep=True) as one:
            alone = one.checkpoint("x"), b"".join(one.logs[0].hashes())
        with growing.grown(logs, 1, keep=True, processes=2) as two:
            assert (two.checkpoint("x"), b"".join(two.logs[0].hashes())) == alone


@pytest.mark.parametrize("options", [(), ("--no-leaves",)], ids=["out of leaves", "read anew"])
def test_what_was_changed_since_the_last_seal_is_never_sealed_as_true(options, ledger, keys, tmp_path):
    """Out of the leaves what was true then is sealed again; else nothing is."""
    first = sealed(ledger, tmp_path, keys, *options, name="first")
    made = doctored(ledger, f"UPDATE stored_events SET state = {CHANGED} WHERE rowid = 20")
    answer = run("seal", made, "--key", keys[0], "--after", first, "--output", tmp_path / "after")

    if options:
        assert (answer.status, (tmp_path / "after").exists()) == (4, False)
    else:
        assert breaks(made, keys, tmp_path / "after") == [("EDITED", 20, 20, 20)]


@pytest.mark.parametrize("options", [(), ("--no-leaves",)], ids=["out of leaves", "read anew"])
def test_a_ledger_that_was_cut_is_not_sealed_after_what_it_was(options, ledger, keys, tmp_path):
    first = sealed(ledger, tmp_path, keys, *options, name="first")
    made = doctored(ledger, "DELETE FROM stored_events WHERE rowid > 60")
    answer = run("seal", made, "--key", keys[0], "--after", first, "--output", tmp_path / "after")

    assert (answer.status, (tmp_path / "after").exists()) == (4, False)


# --- tampering --------------------------------------------------------------------------------------

CHANGED = "CAST(replace(state, '2020', '2021') AS BLOB)"
LEDGER_EDITS: dict[str, tuple[list[str], list[tuple]]] = {
    "a line": ([f"UPDATE stored_events SET state = {CHANGED} WHERE rowid = 20"],
               [("EDITED", 20, 20, 20)]),
    "two lines": ([f"UPDATE stored_events SET state = {CHANGED} WHERE rowid IN (20, 50)"],
                  [("EDITED", 20, 20, 20), ("EDITED", 50, 50, 50)]),
    "no line any more": (["UPDATE stored_events SET state = x'00' WHERE rowid = 20"],
                         [("UNREADABLE", 20, 20, 20)]),
    "a drop": (["DELETE FROM stored_events WHERE rowid = 20"], [("DROPPED", 20, 20, None)]),
    "a drop and the rest moved up": (
        ["DELETE FROM stored_events WHERE rowid = 20",
         "UPDATE stored_events SET rowid = -rowid WHERE rowid > 20",
         "UPDATE stored_events SET rowid = -rowid - 1 WHERE rowid < 0"], [("DROPPED", 20, 20, None)]),
    "the last one": (["DELETE FROM stored_events WHERE rowid = 70"], [("CUT", 70, 70, None)]),
    "a tail": (["DELETE FROM stored_events WHERE rowid > 60"], [("CUT", 61, 70, None)]),
    "a swap": (
        ["UPDATE stored_events SET rowid = -1 WHERE rowid = 30",
         "UPDATE stored_events SET rowid = 30 WHERE rowid = 31",
         "UPDATE stored_events SET rowid = 31 WHERE rowid = -1"], [("MOVED", 31, 31, 30)]),
    "a stream": (["UPDATE stored_events SET originator_id = 'participant/X' WHERE rowid = 30"],
                 [("MISFILED", 30, 30, 30)]),
    "a type": (["UPDATE stored_events SET topic = 'prakerja.enrolled.v2' WHERE rowid = 30"],
               [("MISFILED", 30, 30, 30)]),
    "an identity": (["UPDATE identities SET position = 99 WHERE position = 30"],
                    [("MISFILED", 30, 30, 30)]),
    "an identity more": (["INSERT INTO identities VALUES ('x', 'y', 30)"], [("MISFILED", 0, 0, None)]),
    "a stream's number": (["UPDATE stored_events SET originator_version = 99 WHERE rowid = 70"],
                          [("MISFILED", 70, 70, 70)]),
}  # fmt: skip


@pytest.mark.parametrize("what", LEDGER_EDITS)
def test_what_was_done_to_a_ledger_is_told_with_its_position(what, ledger, keys, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    statements, expected = LEDGER_EDITS[what]
    found = breaks(doctored(ledger, *statements), keys, path)

    assert [one for one in found if one[0] != "MISFILED" or "MISFILED" in expected[0]] == expected


def test_an_insert_into_a_ledger_is_told_with_its_position(ledger, keys, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    line = as_bytes(enrolment("P-more")).decode().replace("'", "''")
    made = doctored(
        ledger,
        "UPDATE stored_events SET rowid = -rowid WHERE rowid > 40",
        "UPDATE stored_events SET rowid = 1 - rowid WHERE rowid < 0",
        "INSERT INTO stored_events VALUES "
        f"(41, 'participant/P-more', 1, 'prakerja.enrolled.v1', CAST('{line}' AS BLOB))",
    )

    assert ("INSERTED", 41, 41, 41) in breaks(made, keys, path)


def test_a_ledger_put_back_to_an_older_copy_is_told_as_that(ledger, keys, tmp_path):
    old = sealed(ledger, tmp_path, keys, name="old")
    copy = doctored(ledger, "UPDATE identities SET position = position")
    (tmp_path / "more.jsonl").write_bytes(
        b"\n".join(as_bytes(enrolment(f"P-{n}")) for n in range(5)) + b"\n"
    )
    assert run("import", tmp_path / "more.jsonl", "--ledger", ledger).status == 0
    new = sealed(ledger, tmp_path, keys, name="new")

    assert breaks(copy, keys, new, old) == [("ROLLED_BACK", 71, 75, None)]


def test_a_fork_is_told_with_where_it_began(ledger, keys, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    fork = f"sqlite:///{tmp_path}/fork.db"
    lines = Path(DOCUMENTED).read_bytes().splitlines()[:60]
    lines += [as_bytes(enrolment(f"P-{n}")) for n in range(10)]
    (tmp_path / "fork.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert run("import", tmp_path / "fork.jsonl", "--ledger", fork).status == 0

    assert breaks(fork, keys, path) == [("FORKED", 61, 70, 61)]


def test_a_key_that_signed_two_histories_is_told(ledger, keys, tmp_path):
    one = sealed(ledger, tmp_path, keys, name="one")
    other_ledger = doctored(ledger, f"UPDATE stored_events SET state = {CHANGED} WHERE rowid = 20")
    other = sealed(other_ledger, tmp_path, keys, name="other")

    assert ("CONTRADICTION", 1, 70, None) in breaks(ledger, keys, one, other)


def test_without_leaves_it_is_said_between_which_positions(ledger, keys, tmp_path):
    lines = Path(DOCUMENTED).read_bytes().splitlines(keepends=True)
    (tmp_path / "first.jsonl").write_bytes(b"".join(lines[:30]))
    first = sealed(tmp_path / "first.jsonl", tmp_path, keys, "--no-leaves", name="first")
    last = sealed(ledger, tmp_path, keys, "--no-leaves", name="last")
    made = doctored(ledger, f"UPDATE stored_events SET state = {CHANGED} WHERE rowid = 50")

    assert breaks(made, keys, last) == [("DIFFERENT", 1, 70, None)]
    assert breaks(made, keys, first, last) == [("DIFFERENT", 31, 70, None)]


def test_leaves_that_were_changed_are_not_believed(ledger, keys, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    leaves = path.with_name("checkpoint.leaves")
    whole = leaves.read_bytes()
    leaves.write_bytes(whole[:-40] + b"\0" + whole[-39:])

    assert breaks(ledger, keys, path) == [("LEAVES", 0, 0, None)]


FILE_EDITS: dict[str, Callable[[list[bytes], int, random.Random], tuple[list[bytes], set[str]]]] = {
    "edit": lambda lines, at, dice: (
        lines[:at] + [lines[at].replace(b"20", b"21", 1)] + lines[at + 1 :], {"EDITED"}),
    "drop": lambda lines, at, dice: (lines[:at] + lines[at + 1 :], {"DROPPED", "CUT"}),
    "insert": lambda lines, at, dice: (
        lines[:at] + [as_bytes(enrolment(f"P-{dice.random()}"))] + lines[at:], {"INSERTED"}),
    "double": lambda lines, at, dice: (lines[: at + 1] + lines[at:], {"ASIDE"}),
    "swap": lambda lines, at, dice: (
        lines[:at] + lines[at : at + 2][::-1] + lines[at + 2 :], {"MOVED"}),
    "cut": lambda lines, at, dice: (lines[:at], {"CUT"}),
}  # fmt: skip


@cache
def documented() -> list[bytes]:
    return Path(DOCUMENTED).read_bytes().splitlines()


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("what", FILE_EDITS)
def test_what_was_done_to_an_exported_history_is_told_once_with_its_place(
    what, seed, keys, tmp_path
):
    path = sealed(DOCUMENTED, tmp_path, keys)
    dice = random.Random(f"{what} {seed}")
    at = dice.randrange(len(documented()) - 1)
    lines, codes = FILE_EDITS[what](documented(), at, dice)
    (tmp_path / "now.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    ((code, first, last, place),) = breaks(tmp_path / "now.jsonl", keys, path)

    assert code in codes
    assert at + 1 in {place, *range(first, last + 1)} or what == "double" and place == at + 2


def test_a_line_in_quarantine_that_was_changed_is_told(keys, tmp_path):
    """What was turned away is evidence too."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(as_bytes(enrolment()) + b"\n{\n" + as_bytes(enrolment("P-2")) + b"\n")
    checkpoint = sealed(path, tmp_path, keys)
    path.write_bytes(path.read_bytes().replace(b"\n{\n", b"\n[\n"))

    assert breaks(path, keys, checkpoint) == [("ASIDE", 0, 0, None), ("ASIDE", 0, 0, 2)]


def test_every_break_is_said_in_both_languages(ledger, keys, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    made = doctored(ledger, "DELETE FROM stored_events WHERE rowid > 60")

    assert "the end was cut off" in verify(made, keys, path).text
    assert "akhirnya dipotong" in verify(made, keys, path, LANG="id_ID.UTF-8", LC_ALL="id_ID.UTF-8").text


# --- whose signature --------------------------------------------------------------------------------


def test_a_checkpoint_of_a_stranger_is_not_believed(ledger, keys, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    stranger = run("keygen", "--name", NAME, "--output", tmp_path / "stranger").text.strip()
    answer = run("verify", ledger, "--checkpoint", path, "--verifier", stranger)

    assert (answer.status, answer.out) == (4, b"")


def test_a_witness_is_named_with_the_time(ledger, keys, witness, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    cosigned = tmp_path / "cosigned"
    asked = ("--key", witness[0], "--verifier", keys[1], "--output", cosigned)
    assert run("cosign", path, *asked).status == 0
    checked = ("--checkpoint", cosigned, "--verifier", keys[1], "--verifier", witness[1])
    answer = run("verify", ledger, *checked)

    assert (answer.status, "witness.example saw it on" in answer.text) == (0, True)


def test_a_witness_does_not_sign_what_its_log_did_not(ledger, keys, witness, tmp_path):
    path = sealed(ledger, tmp_path, keys)
    path.write_bytes(path.read_bytes().replace(b"\n70\n", b"\n71\n"))
    asked = ("--key", witness[0], "--verifier", keys[1], "--output", tmp_path / "cosigned")

    assert run("cosign", path, *asked).status == 2
    assert not (tmp_path / "cosigned").exists()


# --- proofs -----------------------------------------------------------------------------------------


def proof_of(source, folder, checkpoint, *asked) -> Path:
    path = folder / "proof"
    answer = run("prove", source, "--checkpoint", checkpoint, *asked, "--output", path)
    assert answer.status == 0, answer
    return path


def test_a_participants_events_are_proved_and_nothing_of_others_is_shown(ledger, keys, tmp_path):
    path = proof_of(ledger, tmp_path, sealed(ledger, tmp_path, keys), "--participant", "A-READER")
    answer = run("verify", path, "--verifier", keys[1], "--json")
    told = [json.loads(line)["event"] for line in answer.lines[1:]]
    own = [json.loads(line) for line in documented() if b'"subject":"A-READER"' in line]

    assert (answer.status, told) == (0, own)
    others = {json.loads(line)["subject"] for line in documented()} - {"A-READER", "programme"}
    assert not [one for one in others if f'"{one}"' in path.read_text().replace("\\", "")]


def test_one_event_is_proved_by_its_identity(ledger, keys, tmp_path):
    checkpoint = sealed(ledger, tmp_path, keys)
    path = proof_of(ledger, tmp_path, checkpoint, "--event", "//prakerja.go.id/d-010")
    answer = run("verify", path, "--verifier", keys[1], "--checkpoint", checkpoint, "--json")

    assert [json.loads(line)["position"] for line in answer.lines[1:]] == [10]


@pytest.mark.parametrize("at", [0, 255, 256, 511, 512, 639, 640, 699])
def test_a_proof_out_of_the_leaves_is_that_out_of_the_history(at, long_ledger, keys, tmp_path):
    checkpoint = sealed(long_ledger, tmp_path, keys)
    asked = ("--event", f"//pmo/enrolled P-{at}")
    quick = proof_of(long_ledger, tmp_path, checkpoint, *asked).rename(tmp_path / "quick")
    checkpoint.with_name("checkpoint.leaves").unlink()
    slow = proof_of(long_ledger, tmp_path, checkpoint, *asked)

    assert quick.read_bytes() == slow.read_bytes()
    assert run("verify", quick, "--verifier", keys[1]).status == 0


def test_leaves_that_were_changed_make_no_wrong_proof(long_ledger, keys, tmp_path):
    """The history itself is asked instead."""
    checkpoint = sealed(long_ledger, tmp_path, keys)
    leaves = checkpoint.with_name("checkpoint.leaves")
    leaves.write_bytes(leaves.read_bytes()[:-64] + bytes(64))
    path = proof_of(long_ledger, tmp_path, checkpoint, "--participant", "P-3")

    assert run("verify", path, "--verifier", keys[1]).status == 0


def test_a_proof_with_any_byte_changed_is_refused(ledger, keys, tmp_path):
    checkpoint = sealed(ledger, tmp_path, keys)
    path = proof_of(ledger, tmp_path, checkpoint, "--event", "//prakerja.go.id/d-010")
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert run("verify", path, "--verifier", keys[1]).status in (2, 4), at


def test_nothing_is_proved_of_events_that_are_not_as_they_were_sealed(ledger, keys, tmp_path):
    checkpoint = sealed(ledger, tmp_path, keys)
    made = doctored(ledger, f"UPDATE stored_events SET state = {CHANGED} WHERE rowid = 12")
    asked = ("--checkpoint", checkpoint, "--participant", "A-READER", "--output", tmp_path / "p")
    answer = run("prove", made, *asked)

    assert (answer.status, (tmp_path / "p").exists()) == (4, False)


def test_a_later_checkpoint_is_proved_to_follow_an_earlier_one(ledger, keys, tmp_path):
    (tmp_path / "first.jsonl").write_bytes(b"\n".join(documented()[:30]) + b"\n")
    first = sealed(tmp_path / "first.jsonl", tmp_path, keys, name="first")
    last = sealed(ledger, tmp_path, keys, name="last")
    path = proof_of(ledger, tmp_path, last, "--earlier", first)

    assert run("verify", path, "--verifier", keys[1]).status == 0
    assert run("prove", ledger, "--checkpoint", first, "--earlier", last, "--output", tmp_path / "x").status != 0


# --- slips ----------------------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path):
    """A history of two lines, one of which is none, and a key."""
    history = tmp_path / "history.jsonl"
    history.write_bytes(as_bytes(enrolment()) + b"\nno event\n")
    assert run("keygen", "--name", "ledger.example", "--output", tmp_path / "seal.key").status == 0
    return tmp_path


def test_whoever_seals_lines_that_are_quarantined_is_told(made):
    answer = run("seal", made / "history.jsonl", "--key", made / "seal.key", "--output", made / "note")
    assert answer.status == 3
    assert "1 lines were quarantined" in answer.err


def test_an_event_that_is_not_there_is_not_left_out_of_a_proof_without_a_word(made):
    run("seal", made / "history.jsonl", "--key", made / "seal.key", "--output", made / "note")
    known = json.loads(as_bytes(enrolment()))
    names = (f"{known['source']}/{known['id']}", "//nobody/typo")
    asked = [word for name in names for word in ("--event", name)]
    answer = run("prove", made / "history.jsonl", *asked, "--checkpoint", made / "note", "--output", made / "p")
    assert answer.status == 2
    assert "//nobody/typo is not among the first 1 events" in answer.err
    assert not (made / "p").exists()


def test_a_file_that_is_no_checkpoint_is_named(made):
    run("seal", made / "history.jsonl", "--key", made / "seal.key", "--output", made / "note")
    key = str(Signer.read((made / "seal.key").read_text()).verifier)
    answer = run("verify", made / "history.jsonl", "--checkpoint", made / "seal.key", "--verifier", key)
    assert str(made / "seal.key") in answer.err


def test_a_private_key_that_others_may_read_is_not_used(made):
    (made / "seal.key").chmod(0o644)
    answer = run("seal", made / "history.jsonl", "--key", made / "seal.key", "--output", made / "note")
    assert answer.status == 2
    assert "chmod 600" in answer.err


def test_a_source_that_is_not_there_is_said_not_to_be(made):
    answer = run("verify", made / "nothing.jsonl", "--verifier", made / "seal.key")
    assert answer.status == 2


def test_the_second_verifier_takes_a_key_in_a_file_and_refuses_what_is_none(made):
    run("seal", made / "history.jsonl", "--key", made / "seal.key", "--output", made / "note")
    (made / "key.pub").write_text(f"{Signer.read((made / 'seal.key').read_text()).verifier}\n")

    def second(key):
        command = [sys.executable, second_verifier.__file__, made / "history.jsonl", "--checkpoint", made / "note"]
        return subprocess.run([*command, "--verifier", key], capture_output=True, check=False).returncode

    assert [second(made / "key.pub"), second("no+such+key"), second(made / "note")] == [0, 2, 2]


def test_a_copy_that_was_cut_off_within_a_line_is_called_cut_and_no_other_history(made):
    history = made / "whole.jsonl"
    history.write_bytes(b"".join(as_bytes(enrolment(f"P-{n}", id=f"e-{n}")) + b"\n" for n in range(40)))
    run("seal", history, "--key", made / "seal.key", "--output", made / "note")
    (made / "copy.jsonl").write_bytes(history.read_bytes()[:-700])
    key = str(Signer.read((made / "seal.key").read_text()).verifier)
    answer = run("verify", made / "copy.jsonl", "--checkpoint", made / "note", "--verifier", key, "--json")
    codes = {json.loads(line).get("break") for line in answer.lines} - {None}
    assert answer.status == 4
    assert codes <= {"CUT", "UNREADABLE", "ASIDE"}
    assert "CUT" in codes
