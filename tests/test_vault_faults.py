"""Stopped at any moment, beside others, and with the disk against it: what holds of the vault then.

Faults come in pairs: failed and not done, failed but done.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.vault.person import PersonalField
from prakerja_ledger.vault.secret import Secret
from prakerja_ledger.vault.keys import keys_in
from prakerja_ledger.vault.vault import Vault
from tests.cli_support import run
from tests.test_vault_traces import sealed_of
from tests.vault_support import (
    WARRANT,
    Marked,
    entries,
    files_below,
    new_keys,
    registering,
    values,
)

ANI, BUDI = Marked(1), Marked(2)
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/vault.db"


@pytest.fixture
def vault(url: str, tmp_path: Path) -> Iterator[Vault]:
    with Vault.create(url, new_keys(tmp_path / "keys"), WARRANT) as made:
        yield made


def left_of(sealed: list[tuple[bytes, str]], who: str, folder: Path) -> int:
    """How many byte strings of somebody are in the files."""
    files = b"".join(data for path, data in files_below(folder).items() if "vault.db" in path.name)
    return sum(1 for blob, whose in sealed if whose == who and blob in files)


STOPPED = """
import os, sys
from prakerja_ledger.vault import forgetting, vault
from prakerja_ledger.vault.rows import Rows
from prakerja_ledger.vault.sqlite_store import SQLiteStore
from tests.vault_support import WARRANT
place, url, who = sys.argv[1:]
stop = lambda *_, **__: os._exit(9)
if place == "before the key is gone":
    Rows.erase = stop
elif place == "between the key and the journal":
    Rows.append = stop
elif place == "before the commit":
    note = forgetting.Turn.note
    forgetting.Turn.note = lambda *given: (note(*given), stop())
elif place == "after the commit":
    SQLiteStore.scrub = stop
elif place == "after the files are clear":
    Rows.scrubbed = stop
vault.Vault.open(url).forget([who], WARRANT)
"""
"""A program that is gone at some place while it forgets somebody."""


@pytest.mark.parametrize(
    ("place", "is_forgotten"),
    [
        ("before the key is gone", False),
        ("between the key and the journal", False),
        ("before the commit", False),
        ("after the commit", True),
        ("after the files are clear", True),
    ],
)
def test_forgetting_that_is_stopped_was_done_whole_or_not_at_all(
    url, vault, tmp_path, place, is_forgotten
):
    """Key and journal go in one transaction. That the files are to be cleared is in it too: whoever opens
    the vault next does it."""
    ani = vault.register(ANI.person(), WARRANT).participant
    budi = vault.register(BUDI.person(), WARRANT).participant
    sealed = sealed_of(tmp_path / "vault.db")
    vault.close()
    died = subprocess.run([sys.executable, "-c", STOPPED, place, url, ani], cwd=ROOT, check=False)
    assert died.returncode == 9
    if place == "after the commit":
        assert left_of(sealed, ani, tmp_path) > 0, "the files are not cleared yet"

    with Vault.open(url, keys_in(tmp_path / "keys")) as after:
        said = ("forgotten", ani, ()) in entries(after)
        held = bool(after.held(ani).fields)
        assert (said, held) == (is_forgotten, not is_forgotten)
        if is_forgotten:
            assert left_of(sealed, ani, tmp_path) == 0
        else:
            assert values(after, ani)["nik"] == ANI.nik
            assert after.forget([ani], WARRANT)
        assert values(after, budi)["nik"] == BUDI.nik


def test_a_reader_in_the_way_delays_the_clearing_and_is_said_so(url, vault, tmp_path, monkeypatch):
    """What is forgotten is forgotten; that old pages are still in the files is not passed over."""
    monkeypatch.setattr("prakerja_ledger.vault.sqlite_store._LOCK_SECONDS", 0.2)
    ani = vault.register(ANI.person(), WARRANT).participant
    sealed = sealed_of(tmp_path / "vault.db")
    surroundings = {"PRAKERJA_LEDGER_VAULT": url, "PRAKERJA_LEDGER_BY": "siti"}
    with closing(sqlite3.connect(tmp_path / "vault.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM participants").fetchall()
        answer = run("vault", "forget", ani, "--purpose", "x", **surroundings)
        assert (answer.status, answer.text) == (1, "Made unreadable: 1.\n")
        assert "the files could not be cleared of what was deleted" in answer.err
        assert left_of(sealed, ani, tmp_path) > 0
    with Vault.open(url):
        assert left_of(sealed, ani, tmp_path) == 0


class Failing:
    """A connection whose commit fails: before it is done, or after."""

    def __init__(self, database: sqlite3.Connection, *, done: bool) -> None:
        self.database, self.done = database, done

    def execute(self, statement: str, *parameters: Any) -> Any:
        if statement == "COMMIT":
            if self.done:
                self.database.execute(statement)
            raise sqlite3.OperationalError("disk I/O error")
        return self.database.execute(statement, *parameters)

    @property
    def in_transaction(self) -> bool:
        return self.database.in_transaction

    def close(self) -> None:
        self.database.close()


@pytest.mark.parametrize("done", [False, True])
def test_a_value_is_not_shown_when_it_is_not_known_to_be_on_record(vault, done):
    ani = vault.register(ANI.person(), WARRANT).participant
    whole = vault.store._database
    vault.store._database = Failing(whole, done=done)
    with pytest.raises(LedgerFault, match="disk I/O error"):
        vault.reveal(ani, (PersonalField.NIK,), WARRANT)
    vault.store._database = whole
    assert (("revealed", ani, ("nik",)) in entries(vault)) == done


@pytest.mark.parametrize("done", [False, True])
def test_what_failed_is_done_again_and_done_once(vault, done):
    whole = vault.store._database
    vault.store._database = Failing(whole, done=done)
    with pytest.raises(LedgerFault):
        vault.register(ANI.person(), WARRANT)
    vault.store._database = whole
    again = vault.register(ANI.person(), WARRANT)
    assert again.is_new == (not done)
    assert vault.find(PersonalField.NIK, Secret(ANI.nik), WARRANT) == [(again.participant, "")]
    vault.store._database = Failing(whole, done=done)
    with pytest.raises(LedgerFault):
        vault.forget([again.participant], WARRANT)
    vault.store._database = whole
    vault.forget([again.participant], WARRANT)
    assert [kind for kind, *_ in entries(vault)].count("forgotten") == 1


def test_a_killed_writer_loses_nobody_that_it_named(url, vault, tmp_path):
    """Five times, at another moment each: who was printed is there, under the same id ever after."""
    rng = random.Random(20_200_702)
    named: dict[int, bytes] = {}
    for _ in range(5):
        process = registering(url, tmp_path / "keys", 400)
        assert process.stdout is not None
        seen = [process.stdout.readline().strip()]
        time.sleep(rng.uniform(0, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        seen += process.stdout.read().split(b"\n")[:-1]
        process.wait()
        process.stdout.close()
        for number, id in enumerate(seen):
            if id:
                assert named.setdefault(number, id) == id
    assert len(named) > 5
    for number, id in named.items():
        added = vault.register(Marked(number).person(), WARRANT)
        assert (added.participant.encode(), added.changed) == (id, ())
    assert len(list(vault.journal())) >= len(named)


def test_one_forgets_while_another_exchanges_keys_and_nobody_comes_back(url, vault, tmp_path):
    """A page of an exchange reads and writes in one transaction: a forgotten key is not written again."""
    ids = [vault.register(Marked(number).person(), WARRANT).participant for number in range(60)]
    program = (
        "import sys; from prakerja_ledger.interfaces.cli.entry import main; sys.argv[0] = 'x'; main()"
    )
    arguments = ["vault", "rotate", "--purpose", "x"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PRAKERJA_LEDGER_VAULT": url,
        "PRAKERJA_LEDGER_VAULT_KEYS": str(tmp_path / "keys"),
        "PRAKERJA_LEDGER_BY": "siti",
    }
    rotating = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env=environment, stdout=subprocess.DEVNULL
    )
    for one in ids[:30]:
        vault.forget([one], WARRANT)
    assert rotating.wait(timeout=60) == 0
    with Vault.open(url, keys_in(tmp_path / "keys")) as after:
        assert [bool(after.held(one).fields) for one in ids] == [False] * 30 + [True] * 30
        assert [values(after, one)["nik"] for one in ids[30:]] == [
            Marked(number).nik for number in range(30, 60)
        ]
    with closing(sqlite3.connect(tmp_path / "vault.db")) as database:
        kept = {id for (id,) in database.execute("SELECT participant FROM wrapped_keys")}
    assert kept == set(ids[30:])
