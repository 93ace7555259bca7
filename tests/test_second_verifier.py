"""The second verifier: one file, nothing of the package, and never of another opinion than the first."""

from __future__ import annotations

import ast
import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prakerja_ledger.evidence import second_verifier
from prakerja_ledger.evidence.note import Signer
from tests import worlds
from tests.cli_support import run
from tests.test_sealing import (
    CHANGED,
    FILE_EDITS,
    LEDGER_EDITS,
    breaks,
    doctored,
    documented,
    exported,
    keys,  # noqa: F401  # a fixture
    ledger,  # noqa: F401  # a fixture
    proof_of,
    sealed,
    witness,  # noqa: F401  # a fixture
)
from tests.test_commands import DOCUMENTED

FILE = Path(second_verifier.__file__)


def second(source, keys, checkpoint=None, *more: str) -> tuple[int, str]:  # noqa: F811
    """What it says, called as a function: its exit status, and its lines."""
    arguments = [str(source), "--verifier", keys[1], *more]
    if checkpoint is not None:
        arguments += ["--checkpoint", str(checkpoint)]
    out: list[str] = []
    before = sys.argv
    sys.argv = ["second_verifier.py", *arguments]
    second_verifier.print = lambda *words, **_: out.append(" ".join(map(str, words)))
    try:
        return second_verifier.main(), "\n".join(out)
    except SystemExit as stop:
        return int(stop.code), "wrong usage"
    finally:
        sys.argv = before
        del second_verifier.print


def numbers(text: str) -> set[int]:
    return set(map(int, re.findall(r"\d+", text)))


def test_it_imports_nothing_of_the_package_and_one_package_beside_the_standard_library():
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(FILE.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }

    assert {name.partition(".")[0] for name in imported} - sys.stdlib_module_names == {"cryptography"}


def test_it_runs_alone_wherever_it_is_copied(ledger, keys, tmp_path):  # noqa: F811
    checkpoint = sealed(ledger, tmp_path, keys)
    history = exported(ledger, tmp_path / "history.jsonl.gz")
    (tmp_path / "apart").mkdir()
    copy = shutil.copy(FILE, tmp_path / "apart" / "verify.py")
    asked = [sys.executable, "-I", copy, history, "--checkpoint", checkpoint, "--verifier", keys[1]]
    done = subprocess.run(asked, capture_output=True, text=True, cwd="/")

    assert (done.returncode, done.stdout) == (0, "ledger.example/2020: 70 events, as sealed\n")


@pytest.mark.parametrize("seed", range(640_000, 640_012))
def test_what_the_first_finds_clean_it_finds_clean(seed, keys, tmp_path):  # noqa: F811
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"\n".join(worlds.history(seed, participants=4, events=60)) + b"\n")
    url = f"sqlite:///{tmp_path}/ledger.db"
    assert run("import", path, "--ledger", url, "--quarantine", tmp_path / "q").status in (0, 3)
    of_file = sealed(path, tmp_path, keys, name="file")
    of_ledger = sealed(url, tmp_path, keys, "--no-leaves", name="ledger")
    export = exported(url, tmp_path / "export.jsonl")

    assert second(path, keys, of_file)[0] == 0
    assert second(export, keys, of_ledger)[0] == 0
    assert second(tmp_path / "ledger.db", keys, of_ledger)[0] == 0


@pytest.mark.parametrize("what", LEDGER_EDITS)
def test_what_the_first_tells_of_a_ledger_it_tells_with_the_same_position(what, ledger, keys, tmp_path):  # noqa: F811
    checkpoint = sealed(ledger, tmp_path, keys)
    statements, expected = LEDGER_EDITS[what]
    doctored(ledger, *statements)
    status, said = second(tmp_path / "doctored.db", keys, checkpoint)

    assert status == 4
    assert {first for _, first, _, _ in expected} - {0} <= numbers(said), said


@pytest.mark.parametrize("seed", range(100, 112))
@pytest.mark.parametrize("what", FILE_EDITS)
def test_what_the_first_tells_of_a_file_it_tells_with_the_same_position(what, seed, keys, tmp_path):  # noqa: F811
    checkpoint = sealed(DOCUMENTED, tmp_path, keys)
    dice = random.Random(f"{what} {seed}")
    lines, _ = FILE_EDITS[what](documented(), dice.randrange(len(documented()) - 1), dice)
    now = tmp_path / "now.jsonl"
    now.write_bytes(b"\n".join(lines) + b"\n")
    told = breaks(now, keys, checkpoint)
    status, said = second(now, keys, checkpoint)

    assert status == 4
    assert all({first, place} & numbers(said) for _, first, _, place in told), (told, said)


def test_without_leaves_it_still_sees_that_something_differs(ledger, keys, tmp_path):  # noqa: F811
    checkpoint = sealed(ledger, tmp_path, keys, "--no-leaves")
    doctored(ledger, f"UPDATE stored_events SET state = {CHANGED} WHERE rowid = 20")

    assert second(tmp_path / "doctored.db", keys, checkpoint)[0] == 4


def test_without_leaves_it_says_that_it_cannot_tell_which_lines_were_aside(keys, tmp_path):  # noqa: F811
    twice = tmp_path / "twice.jsonl"
    twice.write_bytes(b"".join(line + b"\n" for line in [*documented(), documented()[3]]))
    checkpoint = sealed(twice, tmp_path, keys)

    assert second(twice, keys, checkpoint)[0] == 0
    checkpoint.with_name(f"{checkpoint.name}.leaves").unlink()
    status, said = second(twice, keys, checkpoint)
    assert status == 2
    assert said.startswith("cannot tell: 1 lines are not among the events")


def test_the_leaves_of_another_checkpoint_are_told_by_both(ledger, keys, tmp_path):  # noqa: F811
    checkpoint = sealed(ledger, tmp_path, keys)
    leaves = checkpoint.with_name(f"{checkpoint.name}.leaves")
    leaves.write_bytes(leaves.read_bytes()[:40] + b"?" + leaves.read_bytes()[41:])

    assert [code for code, *_ in breaks(ledger, keys, checkpoint)] == ["LEAVES"]
    status, said = second(tmp_path / "ledger.db", keys, checkpoint)
    assert (status, said) == (4, f"{leaves}: not the leaves of the checkpoint")


def test_a_key_of_a_name_too_long_for_a_file_is_a_key(ledger, tmp_path):  # noqa: F811
    """As fuzzing found: each asked first whether there is a file of that name."""
    signer = Signer.new("ledger.example/" + "a" * 300)
    (tmp_path / "key").write_text(signer.secret())
    (tmp_path / "key").chmod(0o600)
    given = (tmp_path / "key", str(signer.verifier))
    checkpoint = sealed(ledger, tmp_path, given)

    assert run("verify", ledger, "--checkpoint", checkpoint, "--verifier", given[1]).status == 0
    assert second(tmp_path / "ledger.db", given, checkpoint)[0] == 0


def test_it_checks_proofs_and_never_takes_one_that_was_changed(ledger, keys, tmp_path):  # noqa: F811
    checkpoint = sealed(ledger, tmp_path, keys)
    path = proof_of(ledger, tmp_path, checkpoint, "--event", "//prakerja.go.id/d-010")
    whole = path.read_bytes()

    assert second(path, keys)[0] == 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert second(path, keys)[0] != 0, at


def test_it_checks_that_one_checkpoint_follows_another(ledger, keys, tmp_path):  # noqa: F811
    for size in (1, 2, 7, 32, 69, 70):
        (tmp_path / "first.jsonl").write_bytes(b"\n".join(documented()[:size]) + b"\n")
        first = sealed(tmp_path / "first.jsonl", tmp_path, keys, name=f"first {size}")
        last = sealed(ledger, tmp_path, keys, name=f"last {size}")
        path = proof_of(ledger, tmp_path, last, "--earlier", first)
        given = json.loads(path.read_bytes())
        assert second(path, keys)[0] == 0
        path.unlink()
        assert len(given["paths"]) == 1


def test_it_knows_witnesses(ledger, keys, witness, tmp_path):  # noqa: F811
    checkpoint = sealed(ledger, tmp_path, keys)
    cosigned = tmp_path / "cosigned"
    run("cosign", checkpoint, "--key", witness[0], "--verifier", keys[1], "--output", cosigned)
    history = exported(ledger, tmp_path / "history.jsonl")

    assert second(history, keys, cosigned, "--verifier", witness[1])[0] == 0
    whole = cosigned.read_bytes()
    at = whole.rindex(b"witness.example ") + len(b"witness.example ") + 8
    cosigned.write_bytes(whole[:at] + (b"B" if whole[at : at + 1] != b"B" else b"C") + whole[at + 1 :])
    assert second(history, keys, cosigned, "--verifier", witness[1])[0] == 4
