"""Packs changed at random, with and without the key, and what both verifiers say of it."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from attrs import evolve

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.evidence import second_verifier
from prakerja_ledger.evidence.checkpoint import opened
from prakerja_ledger.evidence.note import Signer
from prakerja_ledger.interfaces.pack import manifest as files
from prakerja_ledger.interfaces.pack.archive import Archive, Packing
from prakerja_ledger.interfaces.pack.making import make_pack
from prakerja_ledger.interfaces.pack.verifying import verified_pack
from prakerja_ledger.interfaces.verifying import Given
from prakerja_ledger.reading.view import View
from tests import worlds

SIGNER: Final = Signer.new("ledger.example")
VIEW: Final = View(as_of=date(2020, 12, 31))
OUTSIDE: Final = "outside"
"""What is expected of a break that only the checkpoint that was kept elsewhere shows."""


class Base(NamedTuple):
    """A pack, one of half its history, and one of another history; all signed by one key."""

    whole: bytes
    half: bytes
    other: bytes


def _packed(lines: list[bytes], folder: Path) -> bytes:
    source = folder / "history.jsonl"
    source.write_bytes(b"".join(line + b"\n" for line in lines))
    make_pack(str(source), folder / "made.zip", KARTU_PRAKERJA, VIEW, SIGNER)
    made = (folder / "made.zip").read_bytes()
    (folder / "made.zip").unlink()
    return made


@lru_cache(maxsize=2)
def base(seed: int, folder: Path) -> Base:
    lines, others = (worlds.history(800_000 + 2 * seed + n, participants=4, events=60) for n in (0, 1))
    return Base(*(_packed(list(one), folder) for one in (lines, lines[: len(lines) // 2], others)))


def content(pack: bytes, folder: Path) -> dict[str, bytes]:
    (folder / "whole.zip").write_bytes(pack)
    with Archive.opened(folder / "whole.zip") as archive:
        return {name: b"".join(archive.blocks(name)) for name in archive.files}


def file_at(pack: bytes, offset: int, folder: Path) -> str:
    """The file whose header or bytes an offset lies in; of what follows them all, the word for a place."""
    (folder / "whole.zip").write_bytes(pack)
    with Archive.opened(folder / "whole.zip") as archive:
        return next((name for name, one in archive.files.items() if offset < one.end), "byte")


def repacked(found: dict[str, bytes], folder: Path, *, signed: bool) -> bytes:
    """Files packed again, by whoever has the key or by somebody else."""
    path = folder / "repacked.zip"
    with path.open("wb") as file:
        packing = Packing(file)

        def add(name: str) -> files.Measured:
            (folder / "one").write_bytes(found[name])
            return packing.add(name, folder / "one")

        listed = {name: add(name) for name in files.FILES}
        if signed:
            manifest = evolve(files.Manifest.read(found[files.MANIFEST]), files=listed).to_bytes()
            found[files.MANIFEST], found[files.SIGNED] = manifest, files.signed(manifest, SIGNER)
        add(files.MANIFEST)
        add(files.SIGNED)
        packing.close()
    return path.read_bytes()


# --- each gives the changed pack, and what one has to be told: a file, a position, or that it is another --

Edit = Callable[[Base, random.Random, Path], tuple[bytes, str]]


def a_bit(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    data, at = bytearray(base.whole), dice.randrange(len(base.whole))
    data[at] ^= 1 << dice.randrange(8)
    return bytes(data), file_at(base.whole, at, folder)


def a_swap(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    """Two stretches of bytes change places."""
    while True:
        length = dice.randint(1, 60)
        one, other = sorted(dice.sample(range(0, len(base.whole) - length, length), 2))
        parts = base.whole[one : one + length], base.whole[other : other + length]
        if parts[0] != parts[1]:
            break
    data = bytearray(base.whole)
    data[one : one + length], data[other : other + length] = parts[1], parts[0]
    changed = (one, one + length - 1, other, other + length - 1)
    return bytes(data), " ".join({file_at(base.whole, at, folder) for at in changed})


def a_drop(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    at, length = dice.randrange(len(base.whole) - 1), dice.randint(1, 60)
    data = base.whole[:at] + base.whole[at + length :]
    return data, _first_told(base.whole, data, folder)


def an_insert(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    at = dice.randrange(len(base.whole) + 1)
    data = base.whole[:at] + dice.randbytes(dice.randint(1, 60)) + base.whole[at:]
    return data, _first_told(base.whole, data, folder)


def a_duplicate(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    at, length = dice.randrange(len(base.whole)), dice.randint(1, 60)
    data = base.whole[:at] + base.whole[at : at + length] + base.whole[at:]
    return data, _first_told(base.whole, data, folder)


def a_cut_tail(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    at = dice.randrange(len(base.whole))
    return base.whole[:at], file_at(base.whole, at, folder)


def _first_told(before: bytes, after: bytes, folder: Path) -> str:
    at = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    return file_at(before, min(at, len(before) - 1), folder)


def a_file(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    """One file exchanged for that of another pack, by somebody without the key."""
    found, others = content(base.whole, folder), content(base.other, folder)
    name = dice.choice([one for one in files.FILES if found[one] != others[one]])
    return repacked({**found, name: others[name]}, folder, signed=False), name


def an_event(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    """An event edited, dropped or put in by whoever has the key, who signs the files anew."""
    found = content(base.whole, folder)
    lines = gzip.decompress(found[files.HISTORY]).splitlines(keepends=True)
    at, how = dice.randrange(len(lines)), dice.choice(("edit", "drop", "insert"))
    event = json.loads(lines[at])
    event["id"] += "-other"
    changed = json.dumps(event, ensure_ascii=False).encode() + b"\n"
    lines[at : at + 1] = {"edit": [changed], "drop": [], "insert": [changed, lines[at]]}[how]
    found[files.HISTORY] = gzip.compress(b"".join(lines), mtime=0)
    return repacked(found, folder, signed=True), str(at + 1)


def a_roll_back(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    """An older pack, as it was."""
    del dice, folder
    return base.half, OUTSIDE


def a_fork(base: Base, dice: random.Random, folder: Path) -> tuple[bytes, str]:
    """Another history, packed and signed by the same key."""
    del dice, folder
    return base.other, OUTSIDE


EDITS: Final[dict[str, Edit]] = {
    "a bit": a_bit,
    "a swap": a_swap,
    "a drop": a_drop,
    "an insert": an_insert,
    "a duplicate": a_duplicate,
    "a cut tail": a_cut_tail,
    "a file, without the key": a_file,
    "an event, with the key": an_event,
    "a roll-back": a_roll_back,
    "a fork": a_fork,
}


class Outcome(NamedTuple):
    what: str
    expected: str
    first: str
    second: str

    changed = True

    @property
    def told(self) -> tuple[bool, bool]:
        """Whether each verifier told it, with its place."""
        one, two = (_tells(said, self.expected) for said in (self.first, self.second))
        return one, two


def _tells(said: str, expected: str) -> bool:
    if expected == OUTSIDE:
        return bool(said)
    if expected.isdigit():
        return expected in re.findall(r"\d+", said)
    return "byte" in said or any(name in said for name in expected.split())


def both(pack: bytes, kept: bytes, folder: Path) -> tuple[str, str]:
    """What both verifiers say is wrong, held against the checkpoint of the pack that was kept."""
    path = folder / "pack.zip"
    path.write_bytes(pack)
    outside = folder / "kept"
    outside.write_bytes(content(kept, folder)[files.CHECKPOINT])
    trusted = opened(outside.read_bytes(), [SIGNER.verifier])
    try:
        found = verified_pack(path, [SIGNER.verifier], [Given("kept", trusted, None)], KARTU_PRAKERJA)
        first = "\n".join(
            f"{one.code} {one.first} {one.last} {one.place} {one.detail}" for one in found.found.breaks
        )
    except InvalidEvidence as error:
        first = str(error)
    keys = [str(SIGNER.verifier)]
    try:
        checkpoint = second_verifier.Checkpoint(outside.read_bytes(), keys)
        _, wrong = second_verifier.verify_pack(path, keys, checkpoint)
        second = "\n".join(wrong)
    except second_verifier.ERRORS as error:
        second = str(error) or type(error).__name__
    return first, second


def clean(number: int, folder: Path) -> bool:
    """Whether neither verifier finds anything in a pack as it was made."""
    known = base(number, folder)
    return both(known.whole, known.whole, folder) == ("", "")


def tampered(number: int, seed: int, folder: Path) -> Outcome:
    """One edit of one pack, and what was said of it."""
    known = base(number, folder)
    dice = random.Random(seed)
    what = dice.choice(sorted(EDITS))
    pack, expected = EDITS[what](known, dice, folder)
    return Outcome(what, expected, *both(pack, known.whole, folder))
