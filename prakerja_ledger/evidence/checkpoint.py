"""Checkpoints: what a history was at one moment, in a few lines that can be signed (C2SP tlog-checkpoint).

The origin (the log's name), the number of events, and the root of their Merkle tree in base64, a line
each. A ledger of one shard is one log, and its checkpoint has just these: any tool for such logs reads it.

A ledger of several shards is as many logs. Its checkpoint has a line more for each,

    shard NUMBER SIZE ROOT

and its root is that of the tree that has those lines for leaves; its size is the events of all. So the
root speaks for every shard, and a proof in one shard needs nothing but the checkpoint. What such a
checkpoint is not is one append-only tree: that it follows an earlier one is shown shard by shard.

A history file may hold lines beside those that are recorded: duplicates, and lines in quarantine. Where
it does, one line more speaks for them, and the leaves of that tree are these lines as they came:

    asides SIZE ROOT
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Self

from attrs import frozen

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.domain.fields import LARGEST_INTEGER, shown
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.merkle import HASH_BYTES, leaf_hashes, root_of
from prakerja_ledger.evidence.note import Note, SignatureKind, Signer, Verifier, decoded, encoded

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_SHARD: Final = "shard "
_ASIDES: Final = "asides "
_LINES: Final = 3


@frozen
class Head:
    """What one log is: the number of its leaves, and the root of their tree."""

    size: int
    root: bytes


@frozen
class Checkpoint:
    """What a history is, for all who can check it."""

    origin: str
    logs: tuple[Head, ...]
    """One for each shard."""
    asides: Head | None = None
    """The lines of a file that are not recorded; None where there are none."""
    others: tuple[str, ...] = ()
    """Further lines of another's checkpoint, which say nothing here."""

    @property
    def size(self) -> int:
        """The number of events."""
        return sum(one.size for one in self.logs)

    @property
    def root(self) -> bytes:
        """What stands for all of them."""
        if len(self.logs) == 1:
            return self.logs[0].root
        return root_of(leaf_hashes(line.encode() for line in _shard_lines(self.logs)))

    @property
    def text(self) -> str:
        """What is signed."""
        shards = _shard_lines(self.logs) if len(self.logs) > 1 else []
        asides = [_ASIDES + _head_text(self.asides)] if self.asides else []
        lines = [self.origin, str(self.size), encoded(self.root), *shards, *asides, *self.others]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def read(cls, text: str) -> Self:
        """The checkpoint that a note's text is. Raises InvalidEvidence."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < _LINES or not all(lines) or not text.endswith("\n"):
            raise _no_checkpoint(Phrase("it has not an origin, a size and a root, a line each."))
        size = _number(lines[1])
        root = _root(lines[2])
        logs = _logs(lines[_LINES:])
        others = lines[_LINES + len(logs) :]
        asides = None
        if others and others[0].startswith(_ASIDES):
            asides = _head_of(others.pop(0).removeprefix(_ASIDES))
        if any(one.startswith((_SHARD, _ASIDES)) for one in others):
            raise _no_checkpoint(
                Phrase("its lines of shards are not 0, 1, 2 and so on, two or more.")
            )
        read = cls(lines[0], logs or (Head(size, root),), asides, tuple(others))
        if (read.size, read.root) != (size, root):
            raise _no_checkpoint(Phrase("its size and its root are not those of its shards."))
        return read


def _shard_lines(logs: Sequence[Head]) -> list[str]:
    """The line of each shard."""
    return [f"{_SHARD}{number} {_head_text(one)}" for number, one in enumerate(logs)]


def _head_text(head: Head) -> str:
    return f"{head.size} {encoded(head.root)}"


def _head_of(text: str) -> Head:
    size, _, root = text.partition(" ")
    return Head(_number(size), _root(root))


def _logs(lines: Iterable[str]) -> tuple[Head, ...]:
    """The shards that lines speak of, as far as they do; none where there is only one log."""
    logs: list[Head] = []
    for line in lines:
        start = f"{_SHARD}{len(logs)} "
        if not line.startswith(start):
            break
        logs.append(_head_of(line.removeprefix(start)))
    return tuple(logs) if len(logs) > 1 else ()


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > LARGEST_INTEGER:
        raise _no_checkpoint(Phrase("{text} is no number of events.", text=shown(text)))
    return int(text)


def _root(text: str) -> bytes:
    root = decoded(text, Phrase("checkpoint"))
    if len(root) != HASH_BYTES:
        raise _no_checkpoint(
            Phrase(
                "a root has {size} bytes, and {text} has {found}.",
                size=HASH_BYTES,
                text=shown(text),
                found=len(root),
            )
        )
    return root


def _no_checkpoint(problem: Phrase) -> InvalidEvidence:
    return InvalidEvidence(kind=Phrase("checkpoint"), problem=problem)


@frozen
class Witnessed:
    """That a witness has seen a checkpoint, and when (seconds since 1970)."""

    witness: str
    at: int


@frozen
class Trusted:
    """A checkpoint whose signature was checked."""

    checkpoint: Checkpoint
    note: Note
    witnesses: tuple[Witnessed, ...]
    """The witnesses among the keys that are trusted."""


def sealed(checkpoint: Checkpoint, signer: Signer) -> Note:
    """The checkpoint signed by the log's own key, whose name is its origin."""
    assert signer.verifier.name == checkpoint.origin, "a log signs under its own name"
    return Note(checkpoint.text, (signer.signature(checkpoint.text),))


def cosigned(note: Note, witness: Signer, at: int) -> Note:
    """The note with a witness's signature; one that it had of that witness is replaced."""
    Checkpoint.read(note.text)
    return note.also_signed(witness.signature(note.text, at=at))


def opened(data: bytes, verifiers: Iterable[Verifier]) -> Trusted:
    """The checkpoint in a note that its log has signed, with a key that is trusted.

    Raises InvalidEvidence where it is none, where a signature of a trusted key does not hold, and where
    the log's own is missing: a witness alone does not make a checkpoint.
    """
    note = Note.read(data)
    signatures = note.signed_by(verifiers)
    checkpoint = Checkpoint.read(note.text)
    if (checkpoint.origin, SignatureKind.ED25519) not in {(v.name, v.kind) for v, _ in signatures}:
        raise _no_checkpoint(
            Phrase("no key that is trusted signs for {origin}.", origin=shown(checkpoint.origin))
        )
    witnesses = tuple(
        Witnessed(verifier.name, one.at)
        for verifier, one in signatures
        if verifier.kind is SignatureKind.COSIGNATURE
    )
    return Trusted(checkpoint, note, witnesses)
