"""Packs: made of any source, the same bytes each time, a source themselves, and not to be changed unseen."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.evidence.note import Signer
from prakerja_ledger.interfaces.pack import manifest as files
from prakerja_ledger.interfaces.pack.archive import Archive, Packing
from prakerja_ledger.interfaces.source import open_history
from tests import worlds
from tests.cli_support import Answer, environment, run
from tests.ledger_support import as_bytes, enrolment, purchase
from tests.postgres_support import made, shared_database  # noqa: F401  # a fixture

VIEW = ("--as-of", "2020-12-31")
READING = [
    ("statement", "--json", *VIEW),
    ("unpaid", "--csv", *VIEW),
    ("totals", "--by", "cause", "--json", *VIEW),
    ("findings", "--json", *VIEW),
    ("diff", "--from", "2020-06-30", "--to", "2020-12-31", "--json"),
    ("check", "--json"),
    ("export",),
]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "seal.key"
    assert run("keygen", "--name", "ledger.example/2020", "--output", path).status == 0
    return path


def verifier(key: Path) -> str:
    return str(Signer.read(key.read_text()).verifier)


def history(folder: Path, seed: int = 1, name: str = "history.jsonl") -> Path:
    """Recorded lines only, as a ledger would hold them."""
    path = folder / name
    path.write_bytes(b"".join(one + b"\n" for one in worlds.history(seed, events=120)))
    exported = run("export", path)
    path.write_bytes(exported.out)
    return path


def packed(source: str | Path, key: Path, target: Path, *more: str) -> Answer:
    return run("pack", source, "--key", key, "--output", target, *(more or VIEW))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    assert packed(history(folder), key, folder / "pack.zip").status == 0
    return folder / "pack.zip"


# --- what is in it --------------------------------------------------------------------------------------


def content(pack: Path) -> dict[str, bytes]:
    with Archive.opened(pack) as archive:
        return {name: b"".join(archive.blocks(name)) for name in archive.files}


def test_a_pack_holds_what_the_commands_say(pack: Path):
    source, found = pack.with_name("history.jsonl"), content(pack)
    assert tuple(found) == files.ALL
    assert gzip.decompress(found[files.HISTORY]) == source.read_bytes()
    assert gzip.decompress(found[files.STATEMENTS]) == run("statement", source, "--json", *VIEW).out
    assert gzip.decompress(found[files.FINDINGS]) == run("findings", source, "--json", *VIEW).out
    assert json.loads(found[files.SCHEMES])["schemes"][0]["id"] == "semi-bansos-2020"
    assert "verify" in found[files.README].decode()
    assert "memeriksa" in found[files.BACA].decode()


def test_the_same_source_gives_the_same_bytes(pack: Path, key: Path, tmp_path: Path):
    assert packed(pack.with_name("history.jsonl"), key, tmp_path / "again.zip").status == 0
    assert (tmp_path / "again.zip").read_bytes() == pack.read_bytes()


@pytest.mark.parametrize("kind", ["parquet", "gz", "sqlite", "postgresql", "pack"])
def test_a_pack_is_the_same_whatever_its_source_is_kept_in(
    pack: Path, key: Path, tmp_path: Path, kind: str, request: Any
):
    source = pack.with_name("history.jsonl")
    if kind in ("parquet", "gz"):
        kept: str | Path = tmp_path / {"parquet": "h.parquet", "gz": "h.jsonl.gz"}[kind]
        assert run("export", source, "--output", kept).status == 0
    elif kind == "pack":
        kept = pack
    else:
        kept = f"sqlite:///{tmp_path}/ledger.db"
        if kind == "postgresql":
            kept = made(request.getfixturevalue("shared_database"))
        assert run("import", source, "--ledger", kept).status == 0
    assert packed(kept, key, tmp_path / "pack.zip").status == 0
    assert (tmp_path / "pack.zip").read_bytes() == pack.read_bytes()


def test_lines_that_are_not_recorded_are_not_packed_and_that_is_said(key: Path, tmp_path: Path):
    source = tmp_path / "history.jsonl"
    source.write_bytes(as_bytes(enrolment()) + b"\nno event\n")
    answer = packed(source, key, tmp_path / "pack.zip")
    assert answer.status == 3
    assert gzip.decompress(content(tmp_path / "pack.zip")[files.HISTORY]) == as_bytes(enrolment()) + b"\n"


def test_what_is_left_out_is_said_by_the_pack_itself(key: Path, tmp_path: Path):
    """To whom it is given, and not only to whoever makes it."""
    source = tmp_path / "history.jsonl"
    source.write_bytes(as_bytes(enrolment()) + b"\nno event\n")
    packed(source, key, tmp_path / "pack.zip")
    assert "1 lines of its source were quarantined" in content(tmp_path / "pack.zip")[files.README].decode()
    assert "1 lines of its source were quarantined" in verified(tmp_path / "pack.zip", key).text


def test_a_pack_is_not_written_over(pack: Path, key: Path):
    before = pack.read_bytes()
    answer = packed(pack.with_name("history.jsonl"), key, pack)
    assert answer.status == 2
    assert pack.read_bytes() == before


# --- a source itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", READING, ids=lambda command: command[0])
def test_every_reading_command_takes_a_pack(pack: Path, command: tuple[str, ...]):
    name, *options = command
    source = pack.with_name("history.jsonl")
    answer = run(name, pack, *options)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == run(name, source, *options).out


def test_a_program_opens_a_pack_as_any_history(pack: Path):
    with open_history(str(pack)) as found, open_history(str(pack.with_name("history.jsonl"))) as plain:
        assert found.name == str(pack)
        assert sorted(one.id for one in found.participants) == sorted(one.id for one in plain.participants)


def test_an_audit_calls_the_pack_by_its_name(pack: Path):
    assert f"Audit of {pack}" in run("audit", pack, *VIEW).text


def test_a_pack_that_was_changed_is_no_source(pack: Path, tmp_path: Path):
    data = bytearray(pack.read_bytes())
    with Archive.opened(pack) as archive:
        lines = archive.files[files.HISTORY]
    data[(lines.begin + lines.end) // 2] ^= 1
    (tmp_path / "pack.zip").write_bytes(data)
    answer = run("statement", tmp_path / "pack.zip", "--json")
    assert answer.status == 2
    assert "pack" in answer.err
    assert not answer.out


# --- verify ---------------------------------------------------------------------------------------------


def verified(path: Path, key: Path, *more: str) -> Answer:
    return run("verify", path, "--verifier", verifier(key), *more)


def test_a_pack_as_it_was_made_verifies(pack: Path, key: Path):
    answer = verified(pack, key)
    assert (answer.status, answer.err) == (0, "")


def by_itself(pack: Path, key: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The verifier that the pack brings, in a Python that knows nothing of the package."""
    script = folder / "verify.py"
    script.write_bytes(content(pack)[files.VERIFIER])
    return subprocess.run(
        [sys.executable, "-I", script, pack, "--verifier", verifier(key)],
        capture_output=True, text=True, check=False, cwd=folder, env=environment(),
    )  # fmt: skip


def test_it_verifies_by_what_it_brings_itself(pack: Path, key: Path, tmp_path: Path):
    done = by_itself(pack, key, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_key_than_the_one_that_signed_is_not_believed(pack: Path, key: Path, tmp_path: Path):
    other = tmp_path / "other.key"
    run("keygen", "--name", "ledger.example/2020", "--output", other)
    assert verified(pack, other).status == 4
    assert by_itself(pack, other, tmp_path).returncode == 4


def repacked(pack: Path, folder: Path, key: Path | None, **changed: bytes) -> Path:
    """The pack with some of its files changed; by somebody who has the key, or has not."""
    found = {**content(pack), **{name: data for name, data in changed.items() if data is not None}}
    path = folder / "repacked.zip"
    with path.open("wb") as file:
        packing = Packing(file)
        listed = {}
        for name in files.FILES:
            (folder / "one").write_bytes(found[name])
            listed[name] = packing.add(name, folder / "one")
        if key is not None:
            said = files.Manifest.read(found[files.MANIFEST])
            data = evolve(said, files=listed).to_bytes()
            found[files.MANIFEST] = data
            found[files.SIGNED] = files.signed(data, Signer.read(key.read_text()))
        for name in (files.MANIFEST, files.SIGNED):
            (folder / "one").write_bytes(found[name])
            packing.add(name, folder / "one")
        packing.close()
    return path


@pytest.mark.parametrize("name", files.FILES)
def test_a_file_that_was_exchanged_is_named(pack: Path, key: Path, tmp_path: Path, name: str):
    answer = verified(repacked(pack, tmp_path, None, **{name: b"other"}), key)
    assert answer.status == 4
    assert name in answer.text


@pytest.mark.parametrize("size", [10**100, 2**53, 0.5, True, None])
def test_a_manifest_with_a_number_that_is_none_is_no_manifest(pack: Path, size: object):
    """Fuzzing found that one too large for readers was no fault of the pack, but of whoever read it."""
    said = json.loads(content(pack)[files.MANIFEST])
    said["files"][0]["size"] = size

    with pytest.raises(InvalidEvidence):
        files.Manifest.read(json.dumps(said, separators=(",", ":")).encode())


@pytest.mark.parametrize("name", [files.STATEMENTS, files.FINDINGS])
def test_answers_that_do_not_follow_are_seen_though_they_were_signed(
    pack: Path, key: Path, tmp_path: Path, name: str
):
    """Whoever holds the key could sign a wrong sum: it is worked out again."""
    told = gzip.decompress(content(pack)[name])
    wrong = gzip.compress(told.replace(b"600000", b"900000", 1), mtime=0)
    assert gzip.decompress(wrong) != told
    answer = verified(repacked(pack, tmp_path, key, **{name: wrong}), key)
    assert answer.status == 4
    assert name in answer.text


def test_an_event_that_was_changed_is_told_by_its_position(pack: Path, key: Path, tmp_path: Path):
    lines = gzip.decompress(content(pack)[files.HISTORY]).splitlines(keepends=True)
    lines[4] = lines[4].replace(b'"source":"', b'"source":"x', 1)
    changed = gzip.compress(b"".join(lines), mtime=0)
    answer = verified(repacked(pack, tmp_path, key, **{files.HISTORY: changed}), key, "--json")
    assert answer.status == 4
    assert any(json.loads(line).get("first") == 5 for line in answer.text.splitlines())


def test_a_next_pack_is_held_against_the_checkpoint_of_the_last(pack: Path, key: Path, tmp_path: Path):
    (tmp_path / "checkpoint").write_bytes(content(pack)[files.CHECKPOINT])
    grown = tmp_path / "grown.jsonl"
    more = as_bytes(enrolment("P-late", id="late")) + b"\n"
    grown.write_bytes(pack.with_name("history.jsonl").read_bytes() + more)
    assert packed(grown, key, tmp_path / "next.zip").status == 0
    held = ("--checkpoint", str(tmp_path / "checkpoint"))
    assert verified(tmp_path / "next.zip", key, *held).status == 0

    other = history(tmp_path, seed=2, name="other.jsonl")
    assert packed(other, key, tmp_path / "other.zip").status == 0
    assert verified(tmp_path / "other.zip", key, *held).status == 4
