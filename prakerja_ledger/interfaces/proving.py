"""Proofs out of a source.

It is read whole and held against the checkpoint, and only then is anything proved. Out of a ledger with a file
of leaves beside the checkpoint single events are proved without that: what was made is checked instead.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field, frozen

from prakerja_ledger.domain.errors import InvalidEvidence, NotAsSealed
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.canonical import Told, at_position, event_bytes
from prakerja_ledger.evidence.checkpoint import Checkpoint
from prakerja_ledger.evidence.leaves import GrowingLog, LeavesFile, kept_logs
from prakerja_ledger.evidence.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    Tree,
    check_inclusion,
    hashes_in,
    inclusion_proof,
    leaf_hash,
    part_proof,
    part_proof_ranges,
    perfect_parts,
)
from prakerja_ledger.evidence.proof import ProvedEvent
from prakerja_ledger.interfaces.logs import LedgerLogs, Logs
from prakerja_ledger.ledger.journal import PARTICIPANT_PREFIX

Wanted = Callable[[str, Told], bool]
"""Whether an event is to be proved; asked with the name of its stream."""
_Part = tuple[int, int]


@frozen
class Asked:
    """Which events are to be proved."""

    names: Sequence[str]
    """Each `SOURCE/ID`; either may have a slash in it."""
    participant: str | None = None
    """All of this participant, instead."""

    def wants(self, stream: str, event: Told) -> bool:
        """Whether an event is one of them."""
        if self.participant is None:
            return f"{event.source}/{event.id}" in self.names
        return stream == PARTICIPANT_PREFIX + self.participant

    def found(self, source: LedgerLogs) -> dict[int, bytes]:
        """The same out of a ledger, by its indexes: position and line."""
        looking = source.looking
        if self.participant is not None:
            lines = looking.stream(PARTICIPANT_PREFIX + self.participant)
            return {one.position: one.line for one in lines}
        places = {
            looking.find(name[:at], name[at + 1 :])
            for name in self.names
            for at, letter in enumerate(name)
            if letter == "/"
        } - {None}
        return {
            one.position: one.line
            for at in sorted(place for place in places if place is not None)
            for one in looking.between((at - 1,), (at,))
        }


def quickly_proved(
    source: LedgerLogs, checkpoint: Checkpoint, leaves: LeavesFile, asked: Asked
) -> list[ProvedEvent]:
    """The same as `events_proved` of a ledger of one shard, without reading the other events.

    Raises InvalidEvidence where the leaves do not lead from these events to the checkpoint's root: then
    either of them was changed, and `events_proved` finds out.
    """
    (head,) = checkpoint.logs
    proved = []
    for position, line in sorted(asked.found(source).items()):
        if position > head.size:
            continue
        if position < 1 or type(line) is not bytes:  # SQLite takes any number and any value
            raise InvalidEvidence(
                kind=Phrase("proof"), problem=Phrase("its hashes lead to another root.")
            )
        path = inclusion_proof(leaves.nodes(0), position - 1, head.size)
        leaf = leaf_hash(event_bytes(line, position))
        check_inclusion(position - 1, head.size, leaf, head.root, path)
        proved.append(ProvedEvent(0, position, line, tuple(path)))
    return proved


@define
class _Chosen:
    shard: int
    position: int
    line: bytes


def events_proved(source: Logs, checkpoint: Checkpoint, wanted: Wanted) -> list[ProvedEvent]:
    """The wanted events that the checkpoint covers, each with its way to the root.

    Raises NotAsSealed where the source does not begin with what was sealed.
    """
    found: list[ProvedEvent] = []
    with _read(source, [checkpoint], wanted) as (logs, chosen):
        for shard, (log, head) in enumerate(zip(logs, checkpoint.logs, strict=True)):
            here = [one for one in chosen if one.shard == shard and one.position <= head.size]
            parts = [(one.position - 1, one.position) for one in here]
            paths = _proofs(log, head.size, parts)
            found += (
                ProvedEvent(shard, one.position, one.line, tuple(path))
                for one, path in zip(here, paths, strict=True)
            )
    return found


def consistency_proved(
    source: Logs, earlier: Checkpoint, later: Checkpoint
) -> list[Sequence[bytes]]:
    """That the earlier checkpoint is the beginning of the later one, log by log.

    Raises NotAsSealed where the source does not begin with what was sealed, then and later.
    """
    if earlier.origin != later.origin:
        raise NotAsSealed(
            source=source.name, problem=Phrase("the checkpoints are of different ledgers.")
        )
    paths: list[Sequence[bytes]] = []
    with _read(source, [later, earlier], lambda *_: False) as (logs, _):
        for log, low, high in zip(logs, earlier.logs, later.logs, strict=True):
            if low.size > high.size:
                raise NotAsSealed(
                    source=source.name, problem=Phrase("the earlier checkpoint has more events.")
                )
            paths += _proofs(log, high.size, [(0, low.size)]) if low.size else [()]
    return paths


@contextmanager
def _read(
    source: Logs, checkpoints: Sequence[Checkpoint], wanted: Wanted
) -> Iterator[tuple[list[GrowingLog], list[_Chosen]]]:
    """The logs with the hashes of their leaves, and the wanted events."""
    counts = {len(one.logs) for one in checkpoints} | {source.shards} - {None}
    if len(counts) > 1:
        raise NotAsSealed(
            source=source.name, problem=Phrase("the checkpoint is of another ledger.")
        )
    shards = len(checkpoints[0].logs)
    sizes = [[one.logs[at].size for one in checkpoints] for at in range(shards)]
    with kept_logs(sizes) as logs:
        chosen = []
        for place, line, event in source.events():
            if event is None:
                raise NotAsSealed(
                    source=source.name,
                    problem=Phrase("what stands at {place} is no event.", place=place),
                )
            shard = source.shard(place, event, shards) if shards > 1 else 0
            position = logs[shard].size + 1
            logs[shard].append(at_position(event.stem, position))
            if wanted(source.stream(place, event), event):
                chosen.append(_Chosen(shard, position, line))
        for one in checkpoints:
            _check_roots(source, logs, one)
        yield logs, chosen


def _check_roots(source: Logs, logs: Sequence[GrowingLog], checkpoint: Checkpoint) -> None:
    for log, head in zip(logs, checkpoint.logs, strict=True):
        log.head()
        if head.root != (log.roots.get(head.size) if head.size else EMPTY_ROOT):
            raise NotAsSealed(
                source=source.name,
                problem=Phrase(
                    "it does not begin with what the checkpoint says. verify tells where it differs."
                ),
            )


@define
class _Picked:
    """The nodes that are asked for, out of all that a tree has."""

    indexes: dict[int, list[int]]
    nodes: dict[tuple[int, int], bytes] = field(factory=dict)

    def __call__(self, level: int, first: int, hashes: Sequence[bytes]) -> None:
        """The tree's own report."""
        asked = self.indexes.get(level, ())
        at = bisect_left(asked, first)
        while at < len(asked) and asked[at] < first + len(hashes):
            self.nodes[level, asked[at]] = hashes[asked[at] - first]
            at += 1


def _proofs(log: GrowingLog, size: int, parts: Sequence[_Part]) -> list[list[bytes]]:
    """The proof of each part, out of one pass over the leaves."""
    asked: dict[int, set[int]] = {}
    for start, end in parts:
        for low, high in part_proof_ranges(start, end, size):
            for level, index in perfect_parts(low, high):
                asked.setdefault(level, set()).add(index)
    picked = _Picked({level: sorted(indexes) for level, indexes in asked.items()})
    tree = Tree()
    for hashes in _batches(log.hashes(), size):
        tree.extend(hashes, picked)
    return [
        part_proof(lambda level, index: picked.nodes[level, index], start, end, size)
        for start, end in parts
    ]


def _batches(pieces: Iterable[bytes], size: int) -> Iterable[list[bytes]]:
    """The first so many hashes."""
    left = size * HASH_BYTES
    for piece in pieces:
        block = piece[:left]
        left -= len(block)
        yield hashes_in(block)
