"""Merkle trees of RFC 6962 and RFC 9162: hashes, roots, proofs, and the check of proofs.

A tree is built from batches of leaf hashes, level by level: a loop over a batch costs a third of a call
for each leaf. What it keeps of the past is the roots of its perfect subtrees, one a level at most.

A proof is made of nodes, each the hash of a perfect subtree, asked for by level and index: `Nodes`. All
proofs are one kind of proof: that a part of a tree, the leaves from `start` to before `end`, has one root
and the whole has the other. Of an inclusion the part is one leaf; of a consistency it is the tree that
was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from struct import unpack
from typing import Any, Final, Protocol

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.domain.phrases import Phrase

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of no leaves."""
LEAF_PREFIX: Final = b"\0"
"""What stands before a leaf's bytes when it is hashed, so that no node passes for a leaf."""
_LARGEST_SIZE: Final = 2**63 - 1

Nodes = Callable[[int, int], bytes]
"""The root of the perfect subtree of 2^level leaves that is the index-th of its size."""


def hashes_in(block: Any) -> list[bytes]:
    """The hashes that stand one behind another in some bytes."""
    return list(unpack("32s" * (len(block) // HASH_BYTES), block))


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(LEAF_PREFIX + data).digest()


def leaf_hashes(data: Iterable[bytes]) -> list[bytes]:
    """The hashes of leaves."""
    return [sha256(LEAF_PREFIX + one).digest() for one in data]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees as one."""
    return sha256(b"\1" + left + right).digest()


def node_hashes(below: Sequence[bytes]) -> list[bytes]:
    """The hashes of a level, of an even number of those below it."""
    pairs = iter(below)
    return [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]


class Keep(Protocol):
    """Told of every node of a perfect subtree, once."""

    def __call__(self, level: int, first: int, hashes: Sequence[bytes]) -> None:
        """Nodes of a level that follow one another; `first` is the index of the first."""


class Tree:
    """A tree that grows: its size, and the roots of the perfect subtrees that it is made of."""

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """An empty tree, or one that goes on: `peaks` from the largest subtree to the smallest."""
        self.size: int = size
        levels = [level for level in range(size.bit_length()) if size >> level & 1]
        self._peaks: dict[int, bytes] = dict(zip(reversed(levels), peaks, strict=True))

    def extend(self, hashes: Sequence[bytes], keep: Keep | None = None) -> None:
        """Add leaves by their hashes. Many at a time are quicker: a thousand is many."""
        first, level, row = self.size, 0, list(hashes)
        self.size += len(row)
        while row:
            if keep is not None:
                keep(level, first, row)
            if first & 1:
                row.insert(0, self._peaks.pop(level))
                first -= 1
            if len(row) & 1:
                self._peaks[level] = row.pop()
            row = node_hashes(row)
            first >>= 1
            level += 1

    @property
    def peaks(self) -> list[bytes]:
        """The roots of the perfect subtrees, from the largest to the smallest."""
        return [self._peaks[level] for level in sorted(self._peaks, reverse=True)]

    def root(self) -> bytes:
        """The root of all leaves so far."""
        return _folded(self.peaks)


def _folded(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root of these leaves, by their hashes."""
    tree = Tree()
    tree.extend(hashes)
    return tree.root()


def perfect_parts(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The perfect subtrees that a part of a tree is made of, as (level, index), the largest first."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def range_root(nodes: Nodes, start: int, end: int) -> bytes:
    """The root of the leaves from `start` to before `end`, where these are a part of a tree."""
    return _folded([nodes(level, index) for level, index in perfect_parts(start, end)])


class _Step:
    """How two subtrees were put together on the way up."""

    RIGHT: Final = 0
    """The proof's hash is to the right: what was there before does not know it."""
    LEFT: Final = 1
    """To the left of both the part and the tree, and not in the part."""
    SHARED: Final = 2
    """To the left, and in the part."""


def _way_down(start: int, end: int, size: int) -> tuple[list[tuple[int, int, int]], int]:
    """From the root to the part: each subtree left aside (step, start, end), and where the part begins.

    Where a subtree of the part is left aside too, what is arrived at is the rest of it.
    """
    steps: list[tuple[int, int, int]] = []
    base = 0
    while (start, end) != (base, base + size):
        half = 1 << ((size - 1).bit_length() - 1)
        middle = base + half
        if end <= middle:
            steps.append((_Step.RIGHT, middle, base + size))
            size = half
            continue
        if start >= middle:
            steps.append((_Step.LEFT, base, middle))
        else:
            steps.append((_Step.SHARED, base, middle))
            start = middle
        base, size = middle, size - half
    return steps, base


def is_part(start: int, end: int, size: int) -> bool:
    """Whether these leaves have a root of their own in a tree of that size."""
    if not 0 <= start < end <= size <= _LARGEST_SIZE:
        return False
    return start & ((1 << (end - start - 1).bit_length()) - 1) == 0


def part_proof(nodes: Nodes, start: int, end: int, size: int) -> list[bytes]:
    """The proof that the leaves from `start` to before `end` are a part of the tree of that size."""
    assert is_part(start, end, size), "these leaves have no root of their own"
    return [range_root(nodes, *asked) for asked in part_proof_ranges(start, end, size)]


def part_proof_ranges(start: int, end: int, size: int) -> list[tuple[int, int]]:
    """Of which leaves the hashes of that proof are roots."""
    steps, rest = _way_down(start, end, size)
    own = [(rest, end)] if rest != start else []
    return own + [(low, high) for _, low, high in reversed(steps)]


def check_part(
    start: int, end: int, size: int, part: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise InvalidEvidence unless the proof shows that the part has its root and the whole has its own.

    A part without leaves is one of every tree, needs no proof, and tells nothing of the tree.
    """
    if 0 <= start == end <= size:
        if part != EMPTY_ROOT or proof:
            raise _refused(Phrase("no leaves have one root, and that needs no proof."))
        return
    if not is_part(start, end, size):
        raise _refused(
            Phrase(
                "leaves {start} to {end} of {size} have no root of their own.",
                start=start,
                end=end,
                size=size,
            )
        )
    if any(len(one) != HASH_BYTES for one in proof):
        raise _refused(Phrase("a hash has {size} bytes.", size=HASH_BYTES))
    steps, rest = _way_down(start, end, size)
    given = list(proof)
    seed = part
    if rest != start and given:
        seed = given.pop(0)
    if len(given) != len(steps):
        raise _refused(
            Phrase(
                "it has {count} hashes, another number than this place in a tree needs.",
                count=len(proof),
            )
        )
    before = whole = seed
    for (step, _, _), other in zip(reversed(steps), given, strict=True):
        whole = node_hash(whole, other) if step == _Step.RIGHT else node_hash(other, whole)
        if step == _Step.SHARED:
            before = node_hash(other, before)
    if before != part or whole != root:
        raise _refused(Phrase("its hashes lead to another root."))


def _refused(problem: Phrase) -> InvalidEvidence:
    return InvalidEvidence(kind=Phrase("proof"), problem=problem)


def inclusion_proof(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """The proof that a leaf stands at that index (from 0) in a tree of that size."""
    return part_proof(nodes, index, index + 1, size)


def check_inclusion(
    index: int, size: int, leaf: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise InvalidEvidence unless the proof shows a leaf's hash at that index of the tree."""
    if len(leaf) != HASH_BYTES:
        raise _refused(Phrase("a hash has {size} bytes.", size=HASH_BYTES))
    check_part(index, index + 1, size, leaf, root, proof)


def consistency_proof(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """The proof that a tree is the beginning of a larger one. Nothing needs proof of the empty tree."""
    return part_proof(nodes, 0, old, new) if old else []


def check_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise InvalidEvidence unless the proof shows that a tree is the beginning of the other.

    That the empty tree is the beginning of every other tells nothing of that other, and is refused.
    """
    if old == 0 < new:
        raise _refused(
            Phrase("the empty tree is the beginning of every other, which proves nothing.")
        )
    if old_root != new_root and old == new:
        raise _refused(Phrase("two trees of one size have different roots."))
    check_part(0, old, new, old_root, new_root, proof)


def check_subtree_inclusion(
    index: int, start: int, end: int, leaf: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise InvalidEvidence unless a leaf stands at that index in the subtree of these leaves."""
    if not is_part(start, end, end) or not start <= index < end:
        raise _refused(
            Phrase(
                "leaves {start} to {end} are no subtree that holds leaf {index}.",
                start=start,
                end=end,
                index=index,
            )
        )
    check_inclusion(index - start, end - start, leaf, root, proof)
