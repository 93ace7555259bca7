"""After people were forgotten, no byte that was put out holds a value of theirs.

A vault and a ledger are filled with marked people; every command is used, rightly and wrongly, as processes,
and the library with its errors and their frames; everything is logged at the lowest level. Then all are
forgotten, and what was written is searched: files, write-ahead logs, output, errors, log records, and on
PostgreSQL a dump and the files of the whole cluster with its log. Looked for are whole values in several
encodings, and one word that is in every name.

What was shown because somebody asked for it with --reveal is left out: the standard output of those
commands, before anybody was forgotten. Input files lie elsewhere: they were not put out.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger.domain.errors import PrakerjaLedgerError
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.vault.keys import Keys, keys_in
from prakerja_ledger.vault.person import PersonalField
from prakerja_ledger.vault.secret import Secret
from prakerja_ledger.vault.vault import Vault
from tests.cli_support import Answer, run, run_process
from tests.ledger_support import envelope
from tests.servers import connect, program
from tests.vault_support import (
    WARRANT,
    Marked,
    entries,
    files_below,
    holding,
    new_keys,
    told_of,
)

PEOPLE = [Marked(number) for number in range(12)]
MARKS = [mark for one in PEOPLE for mark in one.marks()]
FIELDS = tuple(PersonalField)
NOBODY = "p-" + "0" * 32


class Used:
    """A vault and a ledger in use, and all that they put out."""

    def __init__(self, url: str, folder: Path, inputs: Path) -> None:
        self.url, self.folder, self.inputs = url, folder, inputs
        self.said: list[bytes] = []
        self.surroundings = {
            "PRAKERJA_LEDGER_VAULT": url,
            "PRAKERJA_LEDGER_VAULT_KEYS": str(folder / "keys"),
            "PRAKERJA_LEDGER_BY": "siti",
            "PRAKERJA_LEDGER_DEBUG": "1",
        }

    def run(self, *arguments: Any, stdin: bytes = b"", clear: bool = False, **more: str) -> Answer:
        """A command, its output kept unless it was to show something."""
        asks = arguments[0] not in ("access-log", "show") or "--reveal" in arguments
        purpose = ("--purpose", "ticket 7") if asks else ()
        runs = run_process if arguments[0] == "add" else run
        answer = runs("vault", *arguments, *purpose, stdin=stdin, **{**self.surroundings, **more})
        self.said += [answer.err.encode(), *([] if clear else [answer.out])]
        return answer

    def try_to(self, attempt: Any) -> None:
        """Something of the library that is refused: the error, its chain and its frames."""
        try:
            attempt()
        except (PrakerjaLedgerError, TypeError, ValueError) as error:
            self.said.append(told_of(error))
        else:
            raise AssertionError("it was not refused")

    def input(self, name: str, text: bytes) -> Path:
        path = self.inputs / name
        path.write_bytes(text)
        return path


def use_commands(used: Used) -> list[dict[str, Any]]:
    """Everything, rightly and wrongly; what `add` printed for each."""
    given = b"".join(json.dumps(one.record()).encode() + b"\n" for one in PEOPLE)
    rows = "".join(",".join(one.record().values()) + "\n" for one in PEOPLE)
    heading = ",".join(PEOPLE[0].record()) + "\n"
    used.run("init")
    told = used.run("add", used.input("people.jsonl", given), "--json").lines
    used.run("add", used.input("people.csv", (heading + rows).encode()))
    used.run("add", used.input("bare.csv", rows.encode()))
    used.run("add", "-", stdin=given.replace(b'"nik"', b'"nick"'))
    used.run("add", "-", stdin=given.replace(b'0000"', b'000000"') + given[:-40])
    used.run("add", "-", stdin=given.decode().encode("utf-16"))
    used.run("add", "-", stdin=gzip.compress(given))
    people = [json.loads(line) for line in told]
    first = people[0]["participant"]
    for options in ([], ["--json"], ["--lang", "id"]):
        used.run("find", *options, stdin=b"\n".join(json.dumps({"nik": p.nik}).encode() for p in PEOPLE))
    used.run("find", stdin=given)
    used.run("show", first, "--json")
    for one in people:
        assert used.run("show", one["participant"], "--reveal", clear=True).status == 0
    used.run("restrict", first)
    used.run("show", first, "--reveal")
    used.run("add", "-", stdin=given)
    used.run("forget", first)
    used.run("lift", first)
    used.run("show", NOBODY, "--reveal")
    used.run("show", first, "--reveal", PRAKERJA_LEDGER_VAULT_KEYS=str(used.folder / "no keys"))
    used.run("rotate", "--destroy-old")
    used.run("rotate", "--look-up")
    return people


def use_library(used: Used, first: str) -> None:
    """What goes wrong where values are in hand."""
    ani, budi = PEOPLE[0], PEOPLE[1]
    with Vault.open(used.url, keys_in(used.folder / "keys")) as vault:
        logging.getLogger("prakerja").debug("%r %s", ani.person(), Secret(ani.nik))
        vault.register(ani.person(name=Secret(f"{ani.name} bin X")), WARRANT)
        logging.getLogger("prakerja").info("%s", vault.register(ani.person(), WARRANT))
        used.try_to(lambda: ani.person(nik=Secret(f"{ani.nik}0")))
        used.try_to(lambda: ani.person(name=Secret(f"{ani.name}\0")))
        used.try_to(lambda: json.dumps({"nik": Secret(ani.nik)}))
        used.try_to(lambda: "nik " + Secret(ani.nik))
        used.try_to(lambda: vault.reveal("p-none", FIELDS, WARRANT))
    with Vault.open(used.url, new_keys(used.folder / "other keys")) as stranger:
        used.try_to(lambda: stranger.register(budi.person(), WARRANT))
        used.try_to(lambda: stranger.reveal(first, FIELDS, WARRANT))
    with Vault.open(used.url, Keys()) as keyless:
        used.try_to(lambda: keyless.find(PersonalField.NIK, Secret(budi.nik), WARRANT))


def use_ledger(folder: Path, people: list[dict[str, Any]]) -> str:
    """A history that knows participants and accounts by their ids, in a ledger."""
    url = f"sqlite:///{folder}/ledger.db"
    with Ledger.open(url) as ledger:
        for one in people:
            id = one["participant"]
            enrolled = {"wave": 3, "scheme": "semi-bansos-2020"}
            ledger.record(envelope("enrolled", id, id, enrolled))
            linked = {"provider": "bca", "account": one["accounts"][0]}
            ledger.record(envelope("account-linked", id, f"{id} a", linked))
    return url


def answers(ledger: str) -> list[bytes]:
    """What the history says, and the history."""
    view = ("--as-of", "2020-07-02")
    return [
        run("export", ledger).out,
        run("statement", ledger, "--json", *view).out,
        run("audit", ledger, *view).out,
    ]


def forget_all(used: Used, people: list[dict[str, Any]]) -> None:
    done = used.run("forget", *(one["participant"] for one in people))
    assert (done.status, done.err) == (0, "")
    for one in people:
        assert used.run("show", one["participant"], "--reveal").status == 2
    used.run("access-log")
    used.run("access-log", "--summary", "--json")


@pytest.fixture
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inputs")


class TracesContract:
    """On whatever the vault lies."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    def left(self, url: str, folder: Path) -> dict[Path, bytes]:
        """Every file that was written."""
        return files_below(folder)

    def test_after_forgetting_no_byte_that_was_put_out_holds_a_value(
        self, url, tmp_path, inputs, caplog
    ):
        used = Used(url, tmp_path, inputs)
        with caplog.at_level(logging.DEBUG):
            people = use_commands(used)
            use_library(used, people[0]["participant"])
            ledger = use_ledger(tmp_path, people)
            before = answers(ledger)
            with Vault.open(url) as vault:
                looked = [entry for entry in entries(vault) if entry[0] in ("found", "revealed")]
            added_again = 3 * len(PEOPLE) - 1  # one of them with its line cut
            assert len(looked) == 3 * len(PEOPLE) + len(PEOPLE) + added_again
            forget_all(used, people)
        assert answers(ledger) == before
        used.said += [*before, caplog.text.encode(), repr([r.__dict__ for r in caplog.records]).encode()]

        left = self.left(url, tmp_path)
        assert len(left) > 5
        assert sum(map(len, used.said)) > 20_000
        found = {str(path): hits for path, data in left.items() if (hits := holding(MARKS, data))}
        assert found == {}
        assert [said for said in used.said if holding(MARKS, said)] == []

    def test_the_search_finds_what_is_there(self, tmp_path, inputs):
        """A search that finds nothing anywhere would prove nothing."""
        for one in PEOPLE:
            (tmp_path / f"{one.number}").write_text(json.dumps(one.record(), ensure_ascii=False))
        files = [data for path, data in files_below(tmp_path).items() if path.name.isdecimal()]
        assert all(len(holding(one.marks(), b"".join(files))) >= 6 for one in PEOPLE)


class TestSQLiteTraces(TracesContract):
    """In files."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/vault.db"

    def test_what_was_sealed_is_gone_from_the_files_and_others_are_there(self, url, tmp_path):
        """Keys, ciphertext and tokens of those who are forgotten: not a byte string of them is left."""
        people = [Marked(number) for number in range(400)]
        with Vault.create(url, new_keys(tmp_path / "keys"), WARRANT) as vault:
            ids = [one.participant for one in vault.register_all((p.person() for p in people), WARRANT)]
            gone, kept = set(ids[::3]), set(ids) - set(ids[::3])
            sealed = sealed_of(tmp_path / "vault.db")
            assert all(blob in b"".join(self.left(url, tmp_path).values()) for blob, _ in sealed[:50])
            assert vault.forget(gone, WARRANT)
            files = b"".join(self.left(url, tmp_path).values())
            assert [who for blob, who in sealed if who in gone and blob in files] == []
            assert {who for blob, who in sealed if who in kept and blob in files} == kept


def sealed_of(path: Path) -> list[tuple[bytes, str]]:
    """Every wrapped key, sealed value and token, with whose it is."""
    with closing(sqlite3.connect(path)) as database:
        return [
            row
            for query in (
                "SELECT wrapped, participant FROM wrapped_keys",
                "SELECT sealed, participant FROM sealed_values",
                "SELECT token, participant FROM tokens",
            )
            for row in database.execute(query)
        ]


class TestPostgresTraces(TracesContract):
    """On a server: a dump, and the files of the cluster, its log of statements with all parameters included."""

    @pytest.fixture
    def url(self, database_url: str) -> Iterator[str]:
        settings = ("log_statement = 'all'", "log_parameter_max_length_on_error = -1")
        name = database_url.rpartition("/")[2]
        with connect(database_url) as connection:
            for setting in settings:
                connection.execute(f"ALTER DATABASE {name} SET {setting}")
        yield database_url

    def left(self, url: str, folder: Path) -> dict[Path, bytes]:
        with connect(url) as connection:
            connection.execute("CHECKPOINT")
            (data,) = connection.execute("SHOW data_directory").fetchone()
        dump = subprocess.run(
            [program("pg_dump"), "--schema=prakerja_vault", url],
            capture_output=True,
            check=True,
        )
        assert b"COPY prakerja_vault.journal" in dump.stdout
        files = {**super().left(url, folder), Path("pg_dump"): dump.stdout}
        for path in Path(data).parent.rglob("*"):
            with suppress(OSError):  # a file that the server has just removed
                if path.is_file():
                    files[path] = path.read_bytes()
        assert any("pg_wal" in path.parts for path in files)
        assert any(b"INSERT INTO sealed_values" in data for data in files.values()), "no log was read"
        return files
