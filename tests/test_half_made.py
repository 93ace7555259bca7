"""What stops half-way, by a full disk or by an order to end, leaves nothing that looks whole."""

from __future__ import annotations

import resource
import subprocess
import time
from pathlib import Path

import pytest

from prakerja_ledger.evidence.note import Signer
from prakerja_ledger.interfaces.whole_file import aside
from tests.cli_support import PROGRAM, environment, run
from tests.test_commands import DOCUMENTED

VIEW = ("--as-of", "2020-12-31")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "seal.key"
    assert run("keygen", "--name", "ledger.example/2020", "--output", path).status == 0
    return path


def started(*words: object, room: int | None = None) -> subprocess.Popen[str]:
    """A command as a process, which can write files of so many bytes and no more."""

    def limited() -> None:
        if room is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    asked = [PROGRAM, *map(str, words)]
    return subprocess.Popen(
        asked, text=True, env=environment(), stdout=-1, stderr=-1, preexec_fn=limited
    )


def left(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def test_a_key_is_whole_or_not_there(tmp_path: Path):
    process = started("keygen", "--name", "a.example", "--output", tmp_path / "key", room=20)
    said, complained = process.communicate()

    assert (process.returncode, said) == (1, "")
    assert "File too large" in complained
    assert left(tmp_path) == set()
    assert run("keygen", "--name", "a.example", "--output", tmp_path / "key").status == 0
    assert Signer.read((tmp_path / "key").read_text()).verifier.name == "a.example"


def test_a_checkpoint_does_not_come_without_its_leaves_nor_they_without_it(tmp_path: Path, key: Path):
    asked = ("seal", DOCUMENTED, "--key", key, "--output", tmp_path / "checkpoint")
    process = started(*asked, room=1_000)  # the note has room, the leaves have none
    process.communicate()

    assert process.returncode == 1
    assert left(tmp_path) == {"seal.key"}
    assert run(*asked).status == 0


def test_a_receipt_and_its_page_come_both_or_not_at_all(tmp_path: Path, key: Path):
    note, page = tmp_path / "checkpoint", tmp_path / "page.html"
    assert run("seal", DOCUMENTED, "--key", key, "--output", note, "--no-leaves").status == 0
    before = left(tmp_path)
    asked = ("receipt", DOCUMENTED, "A-READER", "--checkpoint", note, "--output", page, *VIEW)
    made = run(*asked)
    assert made.status == 0, made.err
    sizes = [page.stat().st_size, page.with_suffix(".json").stat().st_size]
    page.unlink()
    page.with_suffix(".json").unlink()
    process = started(*asked, room=sum(sizes) // 2)  # the smaller has room, the larger has none
    process.communicate()

    assert process.returncode == 1
    assert left(tmp_path) == before


def test_a_pack_that_is_told_to_end_clears_up(tmp_path: Path, key: Path):
    process = started("pack", DOCUMENTED, "--key", key, "--output", tmp_path / "pack.zip", *VIEW)
    until = time.monotonic() + 60
    while not any(one.is_dir() for one in tmp_path.iterdir()) and time.monotonic() < until:
        time.sleep(0.005)
    assert any(one.is_dir() for one in tmp_path.iterdir()), process.communicate()
    process.terminate()
    _, complained = process.communicate(timeout=60)

    assert (process.returncode, complained.strip()) == (1, "prakerja-ledger: interrupted")
    assert left(tmp_path) == {"seal.key"}


def test_where_there_are_no_links_what_cannot_be_put_in_its_place_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The name is taken first, by an empty file: an empty checkpoint would look like one."""

    def refused(*_: object) -> None:
        raise OSError("no such operation here")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    with aside(tmp_path / "whole", is_new=True) as made:
        made.write_bytes(b"ours")
    assert (tmp_path / "whole").read_bytes() == b"ours"
    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(OSError, match="no such operation"), aside(tmp_path / "new", is_new=True) as made:
        made.write_bytes(b"ours")
    assert left(tmp_path) == {"whole"}
