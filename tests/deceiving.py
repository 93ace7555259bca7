"""A small sealed ledger to be lied with, and what both verifiers say of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from prakerja_ledger.evidence import second_verifier
from prakerja_ledger.evidence.note import Signer
from tests.cli_support import Answer, run
from tests.ledger_support import as_bytes, enrolment, purchase

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


def without_triggers(file: Path) -> sqlite3.Connection:
    ledger = sqlite3.connect(file, isolation_level=None)
    for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        ledger.execute(f"DROP TRIGGER {name}")
    return ledger
