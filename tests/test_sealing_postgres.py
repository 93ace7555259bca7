"""Seals on PostgreSQL: the same as everywhere with one shard; with several, a root over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests import worlds
from tests.cli_support import run
from tests.postgres_support import (
    made,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    without_options,
)
from tests.test_sealing import breaks, exported, keys, proof_of, sealed  # noqa: F401  # a fixture


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    path.write_bytes(b"\n".join(worlds.history(630_001, participants=9, events=300)) + b"\n")
    return path


def imported(url: str, history: Path, folder: Path) -> str:
    answer = run("import", history, "--ledger", url, "--quarantine", folder / "q")
    assert answer.status in (0, 3), answer
    return url


@pytest.fixture(params=[1, 3], ids=["one shard", "three shards"])
def ledger(request, shared_database, history, tmp_path) -> str:  # noqa: F811  # a fixture
    return imported(made(shared_database, shards=request.param), history, tmp_path)


def do(url: str, statement: str) -> None:
    """As the owner of the tables, who can take the triggers away."""
    schema = schema_of(url)
    with psycopg.connect(without_options(url)) as connection:
        connection.execute(f"ALTER TABLE {schema}.stored_events DISABLE TRIGGER USER")
        done = connection.execute(statement.format(s=schema))
        assert done.rowcount, statement


def test_one_shard_is_sealed_as_every_other_source_of_the_history(
    shared_database, history, keys, tmp_path  # noqa: F811
):  # fmt: skip
    ledger = imported(made(shared_database), history, tmp_path)
    sqlite = imported(f"sqlite:///{tmp_path}/ledger.db", history, tmp_path)
    one, other = (sealed(url, tmp_path, keys, name=url[:6]) for url in (ledger, sqlite))

    assert one.read_bytes() == other.read_bytes()
    assert one.with_name(f"{one.name}.leaves").read_bytes() == other.with_name(f"{other.name}.leaves").read_bytes()


def test_what_was_sealed_is_found_again_in_the_ledger_and_in_its_export(ledger, keys, tmp_path):  # noqa: F811
    path = sealed(ledger, tmp_path, keys)

    assert breaks(ledger, keys, path) == []
    assert breaks(exported(ledger, tmp_path / "history.jsonl"), keys, path) == []
    assert breaks(exported(ledger, tmp_path / "history.parquet"), keys, path) == []


LINE = "convert_to(replace(convert_from(state, 'UTF8'), '20', '21'), 'UTF8')"
PLACE = "(SELECT notification_id FROM {s}.stored_events WHERE shard = 0 AND number = 5)"
DONE = {
    "EDITED": f"UPDATE {{s}}.stored_events SET state = {LINE} WHERE notification_id = {PLACE}",
    "DROPPED": f"DELETE FROM {{s}}.stored_events WHERE notification_id = {PLACE}",
    "MISFILED": f"UPDATE {{s}}.stored_events SET topic = 'x' WHERE notification_id = {PLACE}",
    "MISFILED ": f"UPDATE {{s}}.stored_events SET id = 'x' WHERE notification_id = {PLACE}",
}


@pytest.mark.parametrize("code", DONE)
def test_what_was_done_to_it_is_told_with_its_position(code, ledger, keys, tmp_path):  # noqa: F811
    path = sealed(ledger, tmp_path, keys)
    do(ledger, DONE[code])
    found = [(name, first) for name, first, _, _ in breaks(ledger, keys, path)]

    assert (code.strip(), 5) in found or (code.startswith("MISFILED") and found[0][0] == "MISFILED")


def test_a_participant_is_proved_out_of_a_shard(ledger, keys, tmp_path):  # noqa: F811
    path = sealed(ledger, tmp_path, keys)
    someone = run("statement", ledger, "--as-of", "2024-01-01", "--json").text.split('"participant":"')[1].split('"')[0]
    proof = proof_of(ledger, tmp_path, path, "--participant", someone)

    assert run("verify", proof, "--verifier", keys[1], "--checkpoint", path).status == 0
