"""The one layout of a pack's file: whatever else a zip file can be is refused before it is unpacked."""

from __future__ import annotations

import io
import random
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.interfaces.pack.archive import MOST_FILES, Archive, Packing

CONTENT = {"README.md": b"read me\n" * 40, "history.jsonl.gz": bytes(range(256)), "empty": b""}


def packed(folder: Path, content: dict[str, bytes]) -> Path:
    path = folder / "pack.zip"
    with path.open("wb") as file:
        packing = Packing(file)
        for name, data in content.items():
            (folder / "one").write_bytes(data)
            packing.add(name, folder / "one")
        packing.close()
    return path


def read_whole(path: Path) -> dict[str, bytes]:
    with Archive.opened(path) as archive:
        return {name: b"".join(archive.blocks(name)) for name in archive.files}


def refusal_of(folder: Path, data: bytes) -> str:
    path = folder / "other.zip"
    path.write_bytes(data)
    with pytest.raises(InvalidEvidence) as caught:
        read_whole(path)
    return str(caught.value)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,30}", fullmatch=True),
        st.binary(max_size=300),
        min_size=1,
        max_size=6,
    )
)
def test_what_was_put_in_comes_out(tmp_path_factory: pytest.TempPathFactory, content: dict[str, bytes]):
    assert read_whole(packed(tmp_path_factory.mktemp("pack"), content)) == content


def test_any_tool_opens_it(tmp_path: Path):
    path = packed(tmp_path, CONTENT)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == CONTENT
    if shutil.which("unzip"):
        assert subprocess.run(["unzip", "-tq", path], check=False).returncode == 0


def test_the_same_files_give_the_same_bytes(tmp_path: Path):
    assert packed(tmp_path, CONTENT).read_bytes() == packed(tmp_path, CONTENT).read_bytes()


def test_every_bit_that_is_turned_is_seen(tmp_path: Path):
    """In what stands before a file, in the file, and in the list at the end."""
    data = packed(tmp_path, CONTENT).read_bytes()
    seen = 0
    for bit in range(len(data) * 8):
        turned = bytearray(data)
        turned[bit // 8] ^= 1 << bit % 8
        path = tmp_path / "turned.zip"
        path.write_bytes(turned)
        try:
            seen += read_whole(path).keys() != CONTENT.keys()  # a name: the manifest lists another
        except InvalidEvidence:
            seen += 1
    assert seen == len(data) * 8


@pytest.mark.parametrize("seed", range(20))
def test_what_is_cut_off_swapped_or_added_is_seen(tmp_path: Path, seed: int):
    rng = random.Random(seed)
    data = packed(tmp_path, CONTENT).read_bytes()
    at, length = rng.randrange(len(data)), rng.randrange(1, 40)
    refusal_of(tmp_path, data[:at])
    refusal_of(tmp_path, data + data[at : at + length])
    refusal_of(tmp_path, data[:at] + data[at : at + length] + data[at:])


def zipped(change: Callable[[zipfile.ZipFile], None]) -> bytes:
    """A zip file of other makings."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        change(archive)
    return made.getvalue()


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("README.md")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("README.md", b"\0" * 50_000_000, zipfile.ZIP_DEFLATED)


def encrypted(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("README.md")
    archive.writestr(info, b"x")
    archive.filelist[0].flag_bits |= 1


def commented(archive: zipfile.ZipFile) -> None:
    archive.writestr("README.md", b"x")
    archive.comment = b"hello"


@pytest.mark.parametrize(
    "change",
    [
        link,
        bomb,
        encrypted,
        commented,
        lambda archive: archive.writestr("../README.md", b"x"),
        lambda archive: archive.writestr("/README.md", b"x"),
        lambda archive: archive.writestr("C:\\README.md", b"x"),
        lambda archive: archive.writestr("folder/", b""),
        lambda archive: archive.writestr("README.md", b"plain, by another tool"),
        lambda _: None,
    ],
    ids=["link", "bomb", "encrypted", "comment", "up", "root", "drive", "folder", "other tool", "empty"],
)
def test_another_zip_file_is_refused(tmp_path: Path, change: Callable[[zipfile.ZipFile], None]):
    assert "pack" in refusal_of(tmp_path, zipped(change))


def test_a_name_that_stands_twice_is_refused(tmp_path: Path):
    path = tmp_path / "pack.zip"
    (tmp_path / "one").write_bytes(b"x")
    with path.open("wb") as file:
        packing = Packing(file)
        packing.add("README.md", tmp_path / "one")
        packing.add("README.md", tmp_path / "one")
        packing.close()
    assert "twice" in refusal_of(tmp_path, path.read_bytes())


def test_files_without_number_are_refused(tmp_path: Path):
    path = packed(tmp_path, {f"file-{n}": b"" for n in range(MOST_FILES + 1)})
    assert f"more than {MOST_FILES}" in refusal_of(tmp_path, path.read_bytes())


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18, b"PAR1" * 99])
def test_what_is_no_zip_file_is_refused(tmp_path: Path, data: bytes):
    refusal_of(tmp_path, data)
