"""The file of leaves: the hashes that a checkpoint's root was made of, so that a break can be placed.

A root says that a history is another; only the leaves say where. The file stands beside the checkpoint
and needs no signature: it is believed only where the roots that follow from it are the signed ones.

After the line `prakerja-leaves-1` stand the hashes of the leaves, 32 bytes each: shard by shard in the
order of positions, then those of the lines aside. Behind them stand, again shard by shard, the roots of the
perfect subtrees of 256 leaves, of 512 and so on, in their order: one more byte for four events, and an
inclusion is proved without reading the others. Nobody need believe them: a proof that was made of them is
checked as any proof is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.checkpoint import Checkpoint, Head
from prakerja_ledger.evidence.merkle import HASH_BYTES, Nodes, Tree, hashes_in, leaf_hashes, root_of

FIRST_LINE: Final = b"prakerja-leaves-1\n"
BATCH: Final = 1_024
_IN_MEMORY: Final = 1 << 22
_BLOCK: Final = 1 << 20
_LOWEST: Final = 8
"""The level of the smallest subtrees whose roots are kept beside the leaves."""


class GrowingLog:
    """A log's tree as its leaves come, batch by batch, with its roots at sizes that are asked for."""

    def __init__(self, stops: Iterable[int] = (), *, keep: bool = False) -> None:
        """`stops`: the sizes at which to remember the root. `keep`: keep the leaves' hashes too."""
        self._tree = Tree()
        self._batch: list[bytes] = []
        self._stops = sorted(set(stops), reverse=True)
        self._kept: IO[bytes] | None = None
        if keep:
            self._kept = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # until `close`
        self._levels: dict[int, bytearray] = {}
        self.size: int = 0
        self.roots: dict[int, bytes] = {}
        """Size to root, of the sizes asked for that were reached."""

    def append(self, data: bytes) -> None:
        """The next leaf."""
        self._batch.append(data)
        self.size += 1
        if len(self._batch) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        hashes = leaf_hashes(self._batch)
        self._batch.clear()
        self._grow(hashes)

    def append_hashes(self, hashes: Sequence[bytes]) -> None:
        """The next leaves, by their hashes."""
        self._flush()
        self.size += len(hashes)
        self._grow(list(hashes))

    def _grow(self, hashes: list[bytes]) -> None:
        if self._kept is not None:
            self._kept.write(b"".join(hashes))
        while self._stops and self._stops[-1] <= self._tree.size + len(hashes):
            stop = self._stops.pop()
            before = stop - self._tree.size
            self._tree.extend(hashes[:before], self._keep)
            self.roots[stop] = self._tree.root()
            del hashes[:before]
        self._tree.extend(hashes, self._keep)

    def _keep(self, level: int, first: int, hashes: Sequence[bytes]) -> None:
        if level >= _LOWEST and self._kept is not None:
            kept = self._levels.setdefault(level, bytearray())
            assert len(kept) == first * HASH_BYTES, "a tree tells of each node once, in order"
            kept += b"".join(hashes)

    def nodes(self) -> bytes:
        """The roots of its larger perfect subtrees, the lowest level first."""
        self._flush()
        return b"".join(self._levels[level] for level in sorted(self._levels))

    def head(self) -> Head:
        """What it is by now."""
        self._flush()
        return Head(self.size, self._tree.root())

    def hashes(self) -> Iterator[bytes]:
        """The leaves' hashes, many in a piece."""
        assert self._kept is not None, "they were not to be kept"
        self._flush()
        self._kept.seek(0)
        while piece := self._kept.read(_BLOCK):
            yield piece

    def close(self) -> None:
        """Let go of what is kept."""
        if self._kept is not None:
            self._kept.close()


@contextmanager
def kept_logs(stops: Iterable[Iterable[int]], *, keep: bool = True) -> Iterator[list[GrowingLog]]:
    """A log for each of these sizes to stop at; what they keep on disk goes at the end."""
    logs = [GrowingLog(one, keep=keep) for one in stops]
    try:
        yield logs
    finally:
        for log in logs:
            log.close()


def head_of(leaves: Any) -> Head:
    """The head of a log, of the hashes of its leaves one behind another."""
    tree = Tree()
    step = BATCH * HASH_BYTES
    for start in range(0, len(leaves), step):
        tree.extend(hashes_in(leaves[start : start + step]))
    return Head(tree.size, tree.root())


def write_leaves(file: IO[bytes], logs: Sequence[GrowingLog], asides: GrowingLog) -> None:
    """The file of leaves of these logs."""
    file.write(FIRST_LINE)
    for log in (*logs, asides):
        file.writelines(log.hashes())
    for log in logs:
        file.write(log.nodes())


def _levels_of(size: int) -> Iterator[tuple[int, int]]:
    """The levels kept beside so many leaves, and the number of nodes in each."""
    level = _LOWEST
    while size >> level:
        yield level, size >> level
        level += 1


class LeavesFile:
    """A file of leaves; nothing of it is believed yet."""

    def __init__(self, data: Any, checkpoint: Checkpoint) -> None:
        """`data` is anything that can be sliced. Raises InvalidEvidence for a file of another form."""
        self._data = data
        self._heads = [*checkpoint.logs, *([checkpoint.asides] if checkpoint.asides else [])]
        self._starts: list[int] = []
        self._levels: list[dict[int, int]] = []
        at = len(FIRST_LINE)
        for head in self._heads:
            self._starts.append(at)
            at += HASH_BYTES * head.size
        for head in checkpoint.logs:
            starts = {}
            for level, count in _levels_of(head.size):
                starts[level] = at
                at += HASH_BYTES * count
            self._levels.append(starts)
        if bytes(data[: len(FIRST_LINE)]) != FIRST_LINE or len(data) != at:
            raise InvalidEvidence(
                kind=Phrase("file of leaves"), problem=Phrase("it is not as long as it should be.")
            )

    def leaves(self) -> Sequence[Any] | None:
        """The leaves of each log, those aside last; None where they are not those of the checkpoint."""
        parts = [
            self._data[at : at + HASH_BYTES * head.size]
            for at, head in zip(self._starts, self._heads, strict=True)
        ]
        return parts if [head_of(part) for part in parts] == self._heads else None

    def hashes(self, shard: int) -> Iterator[list[bytes]]:
        """The hashes of a log's leaves, a number at a time."""
        at = self._starts[shard]
        end = at + HASH_BYTES * self._heads[shard].size
        for start in range(at, end, BATCH * HASH_BYTES):
            yield hashes_in(self._data[start : min(end, start + BATCH * HASH_BYTES)])

    def nodes(self, shard: int) -> Nodes:
        """The nodes of a log, as the file has them."""
        leaves, levels = self._starts[shard], self._levels[shard]

        def node(level: int, index: int) -> bytes:
            if level in levels:
                at = levels[level] + HASH_BYTES * index
                return bytes(self._data[at : at + HASH_BYTES])
            start = leaves + HASH_BYTES * (index << level)
            return root_of(hashes_in(self._data[start : start + (HASH_BYTES << level)]))

        return node
