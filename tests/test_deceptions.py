"""What is sealed must be what readers are shown: files that say beside the sealed lines what these do not."""

from __future__ import annotations

import json
import os
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
from tests.ledger_support import as_bytes, enrolment
from tests.test_pack import content, repacked


def test_what_is_no_event_behind_the_sealed_ones_is_told_by_both(place: Path):  # noqa: F811
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


def test_a_root_of_nothing_that_is_none_is_told_by_both(place: Path):  # noqa: F811
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


def test_statistics_that_hide_a_participant_are_told(place: Path):  # noqa: F811
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


def test_a_pack_is_read_by_its_lines_alone(place: Path):  # noqa: F811
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


def test_a_signature_more_on_a_manifest_is_refused_by_both(place: Path):  # noqa: F811
    run("pack", place / "history.jsonl", "--key", place / "key", "--output", place / "pack.zip", *VIEW)
    note = Note.read(content(place / "pack.zip")[files.SIGNED])
    more = bytes(note.also_signed(Signature("somebody", b"1234", b"x" * 64)))
    forged = repacked(place / "pack.zip", place, None, **{files.SIGNED: more})
    assert run("verify", forged, *keys(place)).status == 4
    assert second(place, forged).returncode == 4


@pytest.mark.parametrize("change", [{"shard": -1}, {"amount": "Rp999"}])
def test_what_does_not_belong_in_a_proof_is_refused_by_both(place: Path, change: dict[str, object]):  # noqa: F811
    proof = place / "proof"
    run("prove", place / "history.jsonl", "--participant", "P-1", "--checkpoint", place / "note", "--output", proof)
    said = json.loads(proof.read_bytes())
    said["events"][0].update(change)
    proof.write_text(json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n")
    assert run("verify", proof, *keys(place)).status == 4
    assert second(place, proof).returncode == 4


def test_a_signed_root_that_is_none_is_not_fine_for_want_of_a_place(place: Path):  # noqa: F811
    """Of a checkpoint of nothing there is no event that could be told to differ."""
    signer = Signer.read((place / "key").read_text())
    text = f"ledger.example\n0\n{'A' * 43}=\n"
    (place / "nothing").write_bytes(bytes(Note(text, (signer.signature(text),))))
    answer = run("verify", place / "history.jsonl", "--checkpoint", place / "nothing", *keys(place))
    assert answer.status == 4


def test_whoever_reads_no_further_is_not_told_that_all_is_well(place: Path):  # noqa: F811
    lines = (place / "history.jsonl").read_bytes().splitlines(keepends=True)
    (place / "edited.jsonl").write_bytes(b"".join(lines[1:]))
    words = ["verify", place / "edited.jsonl", "--checkpoint", place / "note", *keys(place)]
    process = subprocess.Popen(
        [PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) in (1, 4)


def test_another_history_told_anew_is_told_soon_by_the_second_verifier(place: Path):  # noqa: F811
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
def test_what_names_no_file_is_refused(place: Path, target: str):  # noqa: F811
    answer = run("seal", place / "history.jsonl", "--key", place / "key", "--output", target)
    assert answer.status == 2
    assert "not written" in answer.err


def test_a_file_that_appears_meanwhile_is_not_written_over(tmp_path: Path):
    with pytest.raises(FileExistsError), aside(tmp_path / "new", is_new=True) as made:
        made.write_bytes(b"ours")
        (tmp_path / "new").write_bytes(b"precious")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"precious"]


def test_a_pipe_is_no_source_to_be_looked_at_twice(place: Path):  # noqa: F811
    os.mkfifo(place / "pipe")
    answer = verified(place, place / "pipe")
    assert answer.status == 2
    assert "more than once" in answer.err


def test_checkpoints_of_two_logs_follow_from_each_other_never(place: Path):  # noqa: F811
    run("keygen", "--name", "another.example", "--output", place / "other")
    run("seal", place / "history.jsonl", "--key", place / "other", "--output", place / "theirs")
    answer = run(
        "prove", place / "history.jsonl", "--earlier", place / "theirs", "--checkpoint", place / "note",
        "--output", place / "step",
    )  # fmt: skip
    assert answer.status == 4


def test_an_event_stands_in_a_proof_once_and_in_its_order(place: Path):  # noqa: F811
    """Of one proof there is one file."""
    proof = place / "proof"
    run("prove", place / "history.jsonl", "--participant", "P-1", "--checkpoint", place / "note", "--output", proof)
    said = json.loads(proof.read_bytes())
    for events in (said["events"][::-1], said["events"] * 2):
        text = json.dumps({**said, "events": events}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        proof.write_text(text + "\n")
        assert run("verify", proof, *keys(place)).status == 4
        assert second(place, proof).returncode == 4


def test_a_break_behind_what_the_leaves_reach_is_told_too(place: Path):  # noqa: F811
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
