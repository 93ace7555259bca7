"""`vault` as people run it: ids out, values in from files, masks, and what is on record."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import InvalidPerson
from prakerja_ledger.interfaces.cli.commands.vault import vault_command
from prakerja_ledger.interfaces.cli.vault_records import person_of, records
from tests.cli_support import Answer, needs_catalogue, run, run_process
from tests.vault_support import Marked, holding, told_of

ANI, BUDI = Marked(1), Marked(2)
MARKS = [*ANI.marks(), *BUDI.marks()]
Run = Callable[..., Answer]
NOBODY = "p-" + "0" * 32


@pytest.fixture
def vault(tmp_path: Path) -> Run:
    """Runs a command of a vault that was just made; who and what for are given unless said otherwise."""
    surroundings = {
        "PRAKERJA_LEDGER_VAULT": f"sqlite:///{tmp_path}/vault.db",
        "PRAKERJA_LEDGER_VAULT_KEYS": str(tmp_path / "keys"),
        "PRAKERJA_LEDGER_BY": "siti",
    }

    def command(name: str, *arguments: Any, purpose: str | None = "ticket 7", **more: Any) -> Answer:
        asks = name not in ("access-log", "show") or "--reveal" in arguments
        given = ("--purpose", purpose) if purpose and asks else ()
        return run("vault", name, *arguments, *given, **{**surroundings, **more})

    assert command("init").status == 0
    return command


def lines(*people: Marked) -> bytes:
    return b"".join(json.dumps(one.record()).encode() + b"\n" for one in people)


def added(vault: Run, *people: Marked) -> list[str]:
    answer = vault("add", "-", "--json", stdin=lines(*people))
    assert answer.status == 0, answer.err
    return [json.loads(line)["participant"] for line in answer.lines]


def everything(answer: Answer) -> bytes:
    return answer.out + answer.err.encode()


# --- adding ---------------------------------------------------------------------------------------


def test_json_and_csv_say_the_same_people(vault, tmp_path):
    ids = added(vault, ANI, BUDI)
    file = tmp_path / "people.csv"
    rows = [",".join(one.record().values()) for one in (ANI, BUDI)]
    file.write_text("﻿" + ",".join(ANI.record()) + "\r\n" + "\r\n\r\n".join(rows) + "\r\n", "utf-8")
    again = vault("add", file)
    assert (again.status, again.err.count("look again")) == (0, 2)
    assert [line.split()[0] for line in again.lines] == ids
    assert all(line.endswith("known already") for line in again.lines)


def test_a_bad_line_stops_no_other_and_is_not_repeated(vault):
    bad = [
        b"{",
        b"[]",
        b'{"nik": 1}',
        b'{"nik": "1", "nik": "2"}',
        json.dumps({**BUDI.record(), "address": BUDI.name}).encode(),
        json.dumps({**BUDI.record(), "nik": f"{BUDI.nik}0"}).encode(),
        json.dumps({**BUDI.record(), "name": " "}).encode(),
        json.dumps({**BUDI.record(), "phone": f"x{BUDI.phone}"}).encode(),
        json.dumps({**BUDI.record(), "provider": BUDI.name}).encode(),
        json.dumps({**BUDI.record(), "account": f"{BUDI.account}!"}).encode(),
        json.dumps({**BUDI.record(), "birth_date": f"{BUDI.nik}"}).encode(),
        json.dumps({**BUDI.record(), "sex": BUDI.name}).encode(),
        json.dumps({"name": BUDI.name}).encode(),
        json.dumps({"nik": BUDI.nik, "name": BUDI.name, "account": BUDI.account}).encode(),
        b"\xff" + lines(BUDI).strip(),
        b"[" * 50_000,
    ]
    answer = vault("add", "-", stdin=b"\n".join([lines(ANI).strip(), *bad]))
    assert (answer.status, len(answer.lines)) == (3, 1)
    told = answer.err.splitlines()
    assert [re.match(r"line (\d+): ", line)[1] for line in told] == ["1", *map(str, range(2, 18))]
    assert holding(MARKS, everything(answer)) == []


@pytest.mark.parametrize("heading", ["", "nik,nik\n", "nik,address\n", f"{BUDI.nik},{BUDI.name}\n"])
def test_a_csv_without_a_heading_is_refused_and_its_first_line_not_repeated(vault, heading):
    people = heading + ",".join(ANI.record().values()) + "\n"
    answer = vault("add", "-", stdin=people.encode())
    assert (answer.status, answer.out) == (2, b"")
    assert "the heading of the CSV is not a line of names" in answer.err
    assert holding(MARKS, everything(answer)) == []


def test_what_a_nik_says_otherwise_is_a_doubt_and_no_error(vault):
    said = {**ANI.record(), "birth_date": "1999-01-01", "sex": "female"}
    answer = vault("add", "-", stdin=json.dumps(said).encode())
    assert answer.status == 0
    assert answer.err.splitlines() == [
        "line 1: look again: the NIK says another birth date than was stated",
        "line 1: look again: the NIK says another sex than was stated",
        "line 1: look again: the NIK ends with 0000, which no real one does",
    ]


def test_adding_shows_ids_alone(vault):
    for options in ((), ("--json",)):
        assert holding(MARKS, everything(vault("add", "-", *options, stdin=lines(ANI, BUDI)))) == []


# --- looking --------------------------------------------------------------------------------------


def test_values_are_masked_unless_somebody_says_what_for(vault):
    (ani,) = added(vault, ANI)
    masked, as_json = vault("show", ani), vault("show", ani, "--json")
    assert holding(MARKS, everything(masked) + everything(as_json)) == []
    assert masked.text.count("••••••") == 4
    assert {one["value"] for one in json.loads(as_json.out)["fields"]} == {None}
    clear = vault("show", ani, "--field", "phone", "--reveal")
    assert ANI.phone in clear.text
    assert ANI.nik not in clear.text
    told = json.loads(vault("show", ani, "--reveal", "--json").out)
    assert {one["field"]: one["value"] for one in told["fields"]} == {
        "nik": ANI.nik,
        "name": ANI.name,
        "phone": ANI.phone,
        "account": f"bca:{ANI.account}",
    }


@pytest.mark.parametrize("missing", ["purpose", "by", "keys"])
def test_without_a_purpose_a_person_or_the_keys_nothing_is_shown(vault, missing):
    (ani,) = added(vault, ANI)
    options: dict[str, Any] = {
        "purpose": {"purpose": None},
        "by": {"PRAKERJA_LEDGER_BY": ""},
        "keys": {"PRAKERJA_LEDGER_VAULT_KEYS": ""},
    }[missing]
    answer = vault("show", ani, "--reveal", **options)
    assert (answer.status, answer.out) == (2, b"")
    assert "revealed" not in vault("access-log", "--json").text


def test_people_are_found_by_what_stands_in_standard_input(vault):
    ani, budi = added(vault, ANI, BUDI)
    asked = [
        {"nik": ANI.nik},
        {"phone": f"0{BUDI.phone[3:]}"},
        {"provider": "bca", "account": ANI.account},
        {"nik": Marked(3).nik},
    ]
    given = "\n".join(map(json.dumps, asked)).encode()
    answer = vault("find", stdin=given)
    assert (answer.status, answer.lines) == (0, [ani, budi, ani, "nobody"])
    told = [json.loads(line) for line in vault("find", "--json", stdin=given).lines]
    assert [[one["participant"] for one in line["found"]] for line in told] == [[ani], [budi], [ani], []]
    assert vault("find", stdin=f"nik\n{BUDI.nik}\n".encode()).lines == [budi]


def test_a_search_by_a_name_or_by_two_values_is_refused(vault):
    asked = [{"name": ANI.name}, {"nik": ANI.nik, "phone": ANI.phone}, {"nik": "x"}]
    answer = vault("find", stdin="\n".join(map(json.dumps, asked)).encode())
    assert (answer.status, answer.out, answer.err.count("line ")) == (3, b"", 5)
    assert holding(MARKS, everything(answer)) == []


@pytest.mark.parametrize("command", ["show", "forget", "restrict", "lift", "access-log"])
def test_a_number_in_the_place_of_an_id_is_not_repeated(vault, command):
    answer = vault(command, ANI.nik)
    assert (answer.status, answer.out) == (2, b"")
    assert "no participant id of a vault" in answer.err
    assert holding(MARKS, everything(answer)) == []


# --- rights ---------------------------------------------------------------------------------------


def test_a_restricted_participant_is_shown_to_nobody_until_it_is_lifted(vault):
    (ani,) = added(vault, ANI)
    assert vault("restrict", ani).text == "Restricted.\n"
    assert vault("restrict", ani).text == "It is restricted already.\n"
    refused = vault("show", ani, "--reveal")
    assert (refused.status, refused.out) == (1, b"")
    assert "is restricted since" in refused.err
    assert vault("forget", ani).status == 1
    assert vault("add", "-", stdin=lines(ANI)).status == 3
    assert "Restricted since" in vault("show", ani).text
    assert vault("lift", ani).text == "Lifted.\n"
    assert vault("lift", ani).text == "It is not restricted.\n"
    assert ANI.nik in vault("show", ani, "--reveal").text


def test_a_forgotten_participant_is_shown_as_forgotten(vault):
    ani, budi = added(vault, ANI, BUDI)
    done = vault("forget", ani)
    assert (done.status, done.text) == (0, "Made unreadable: 1.\n")
    assert vault("show", ani).text.startswith("Made unreadable: ")
    assert json.loads(vault("show", ani, "--json").out)["fields"] == []
    gone = vault("show", ani, "--reveal")
    assert (gone.status, gone.out) == (2, b"")
    assert vault("forget", NOBODY, budi).status == 2
    assert BUDI.nik in vault("show", budi, "--reveal").text


def test_retention_ends_when_its_last_day_is_over(vault):
    until = [{**one.record(), "retain_until": "2025-12-31"} for one in (ANI, BUDI)]
    answer = vault("add", "-", "--json", stdin="\n".join(map(json.dumps, until)).encode())
    ani, budi = (json.loads(line)["participant"] for line in answer.lines)
    vault("restrict", budi)
    assert vault("expire", "--on", "2025-12-31").out == b""
    dry = vault("expire", "--on", "2026-01-01", "--dry-run")
    assert dry.lines == [ani]
    assert dry.err == (
        "Would be made unreadable: 1.\n"
        f"Past their last day, but restricted and kept: {budi}.\n"
    )  # fmt: skip
    assert ANI.nik in vault("show", ani, "--reveal").text
    done = vault("expire", "--on", "2026-01-01")
    assert (done.status, done.lines) == (0, [ani])
    assert "Made unreadable: 1." in done.err
    assert vault("show", ani, "--reveal").status == 2


# --- keeping --------------------------------------------------------------------------------------


def test_one_command_says_whose_data_which_fields_since_when(vault):
    ani, budi = added(vault, ANI, BUDI)
    vault("show", ani, "--field", "phone", "--reveal")
    vault("show", ani, "--field", "nik", "--reveal", PRAKERJA_LEDGER_BY="joko")
    vault("find", stdin=json.dumps({"phone": BUDI.phone}).encode())
    told = [json.loads(line) for line in vault("access-log", "--summary", "--json").lines]
    seen = {one["participant"]: (one["fields"], one["times"], one["by"]) for one in told}
    assert seen == {ani: (["nik", "phone"], 2, ["joko", "siti"]), budi: (["phone"], 1, ["siti"])}
    assert all(one["first_at"] <= one["last_at"] for one in told)
    vault("restrict", budi)
    logged = [json.loads(line)["at"] for line in vault("access-log", "--json").lines]
    state = json.loads(vault("show", budi, "--json").out)
    moments = [*logged, state["registered_at"], state["restricted_at"], *(one["first_at"] for one in told)]
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", one) for one in moments), moments
    assert len(vault("access-log", "--summary").lines) == 3
    only = vault("access-log", ani, "--who", "joko", "--since", "2020-01-01", "--json").lines
    assert [json.loads(line)["kind"] for line in only] == ["revealed"]
    assert vault("access-log", "--since", "2999-01-01", "--json").lines == []


def test_the_log_says_everything_that_was_done_and_no_value(vault):
    ani, _ = added(vault, ANI, BUDI)
    vault("show", ani, "--reveal")
    vault("restrict", ani)
    vault("lift", ani)
    vault("rotate")
    vault("forget", ani)
    answer = vault("access-log", "--json")
    assert [json.loads(line)["kind"] for line in answer.lines] == [
        "created", "registered", "registered", "revealed", "restricted", "lifted", "rotated", "forgotten",
    ]  # fmt: skip
    assert holding(MARKS, everything(answer) + everything(vault("access-log"))) == []
    assert "saw" in vault("access-log").text


def test_a_changed_log_ends_with_4_and_says_where(vault, tmp_path):
    added(vault, ANI)
    head = vault("access-log").err.rpartition(" ")[2].strip()
    assert vault("access-log", "--head", head).status == 0
    with closing(sqlite3.connect(tmp_path / "vault.db")) as database, database:
        for verb in ("update", "delete"):
            database.execute(f"DROP TRIGGER journal_{verb}")
        database.execute("DELETE FROM journal WHERE number = 2")
    cut = vault("access-log", "--head", head)
    assert (cut.status, cut.out) == (4, b"")
    assert "cut or made anew" in cut.err
    with closing(sqlite3.connect(tmp_path / "vault.db")) as database, database:
        database.execute("UPDATE journal SET body = replace(body, 'siti', 'sari')")
    changed = vault("access-log")
    assert (changed.status, changed.out) == (4, b"")
    assert "the journal breaks at entry 1" in changed.err


@pytest.mark.parametrize("head", ["x", "1:zz", "1:" + "z" * 64, "²:" + "0" * 64])
def test_what_is_no_head_is_refused(vault, head):
    assert vault("access-log", "--head", head).status == 2


@pytest.mark.parametrize("options", [(), ("--look-up",)])
def test_a_key_is_exchanged_and_the_old_one_destroyed(vault, tmp_path, options):
    (ani,) = added(vault, ANI)
    before = {path.name for path in (tmp_path / "keys").iterdir()}
    done = vault("rotate", "--destroy-old", *options)
    assert done.status == 0, done.err
    after = {path.name for path in (tmp_path / "keys").iterdir()}
    assert len(before & after) == 1
    assert len(after) == 2
    assert ANI.nik in vault("show", ani, "--reveal").text
    assert added(vault, ANI) == [ani]


def test_a_vault_is_made_once(vault):
    again = vault("init")
    assert again.status == 2
    assert "there is a vault already" in again.err


def test_keys_that_others_can_read_are_refused(vault, tmp_path):
    (ani,) = added(vault, ANI)
    for path in (tmp_path / "keys").iterdir():
        path.chmod(0o644)
    refused = vault("show", ani, "--reveal")
    assert (refused.status, refused.out) == (2, b"")
    assert "its mode is 0644" in refused.err


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_whatever_stands_in_a_file_is_a_person_or_refused_without_being_repeated(lines, heading):
    """No line makes the reader fail in another way, and none is in an error."""
    start = [b"nik,name,phone,provider,account,birth_date,sex,retain_until\n"] if heading else []
    try:
        for record in records([*start, *lines]):
            try:
                person_of(record)
            except InvalidPerson as refused:
                told = told_of(refused)
                assert not any(len(line) > 30 and line.strip() in told for line in lines)
    except InvalidPerson as refused:
        assert not heading
        assert "the heading of the CSV" in str(refused)


def test_without_its_extra_the_vault_says_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['cryptography'] = None; sys.argv[0] = 'x'; "
        "from prakerja_ledger.interfaces.cli.entry import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "vault", "access-log", "--vault", "sqlite:///x.db"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "cryptography is not installed. Install prakerja-ledger[vault]." in done.stderr


# --- finding the commands -------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["forget", "restrict", "lift", "access-log", "expire"])
def test_a_command_looked_for_at_the_top_is_pointed_to(command):
    answer = run(command, NOBODY)
    assert answer.status == 2
    assert f"{command} is a command of the vault: vault {command}." in answer.err


@pytest.mark.parametrize("command", vault_command.commands)
def test_every_command_has_an_example(command):
    answer = run("vault", command, "--help")
    assert answer.status == 0
    assert f"prakerja-ledger vault {command} " in answer.text.partition("\n")[2]


def test_a_process_reads_people_from_a_pipe(vault, tmp_path):
    (ani,) = added(vault, ANI)
    answer = run_process(
        "vault", "find", "--vault", f"sqlite:///{tmp_path}/vault.db", "--keys", tmp_path / "keys",
        "--by", "siti", "--purpose", "x", stdin=json.dumps({"nik": ANI.nik}).encode(),
    )  # fmt: skip
    assert (answer.status, answer.lines, answer.err) == (0, [ani], "")


@needs_catalogue
def test_the_vault_speaks_indonesian(vault):
    (ani,) = added(vault, ANI)
    said = [
        vault("add", "-", "--lang", "id", stdin=lines(ANI)),
        vault("show", ani, "--lang", "id"),
        vault("restrict", ani, "--lang", "id"),
        vault("show", ani, "--reveal", "--lang", "id"),
        vault("lift", ani, "--lang", "id"),
        vault("access-log", "--lang", "id"),
        vault("access-log", "--summary", "--lang", "id"),
        vault("rotate", "--lang", "id"),
        vault("expire", "--dry-run", "--lang", "id"),
        vault("forget", ani, "--lang", "id"),
        vault("show", ani, "--lang", "id"),
    ]
    told = b"".join(map(everything, said)).decode()
    for english in ("known", "field", "estricted", "whole", "exchanged", "unreadable", "added", "what for"):
        assert english not in told


def test_a_search_that_meets_somebody_restricted_is_on_record_and_the_next_line_is_looked_for(vault):
    """The refusal names them: that is an answer, too."""
    ani, budi = added(vault, ANI, BUDI)
    vault("restrict", ani)
    asked = b"".join(json.dumps({"nik": one.nik}).encode() + b"\n" for one in (ANI, BUDI))
    answer = vault("find", stdin=asked)
    assert answer.status == 1
    assert ani in answer.err
    assert answer.text == f"{budi}\n"
    assert '"found"' in vault("access-log", ani, "--json").text


def test_whoever_adds_somebody_known_has_looked_for_them(vault):
    (ani,) = added(vault, ANI)
    added(vault, ANI)
    assert '"found"' in vault("access-log", ani, "--json").text


def test_a_second_vault_with_the_same_keys_is_warned_of(vault, tmp_path):
    answer = vault("init", PRAKERJA_LEDGER_VAULT=f"sqlite:///{tmp_path}/other.db")
    assert answer.status == 0
    assert "has keys already" in answer.err


@pytest.mark.parametrize("purpose", ["call 0812-3456-7890", "NIK 3273 0145 0190 0001", "(021) 555.12.345"])
def test_a_number_that_could_be_somebodys_is_not_kept_as_a_purpose_however_it_is_grouped(vault, purpose):
    (ani,) = added(vault, ANI)
    assert vault("show", ani, "--reveal", purpose=purpose).status == 2
    assert purpose.encode() not in vault("access-log").out
