"""Whether a source is what it was sealed as: everything is derived again, and every break is told.

The source is read once and its roots compared with those of the checkpoints, each at its own size. Only
where one differs is it read again, against the leaves of that checkpoint, to say where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from attrs import define, field, frozen

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.breaks import Break, BreakCode
from prakerja_ledger.evidence.canonical import at_position
from prakerja_ledger.evidence.checkpoint import Checkpoint, Trusted
from prakerja_ledger.evidence.comparing import Comparison
from prakerja_ledger.evidence.leaves import GrowingLog
from prakerja_ledger.evidence.merkle import EMPTY_ROOT, hashes_in
from prakerja_ledger.interfaces.logs import Logs, examined

_UNREADABLE: Final = b"\0 nothing that was ever sealed"
"""Stands for what is no event: canonical bytes begin with a brace."""


@frozen
class Given:
    """A checkpoint to hold a source against."""

    name: str
    """Its file."""
    trusted: Trusted
    leaves: Sequence[Any] | None
    """The hashes of its leaves, log by log, those aside last; None where they are not at hand."""

    @property
    def checkpoint(self) -> Checkpoint:
        """What was signed."""
        return self.trusted.checkpoint


@define(eq=False)
class Report:
    """What was found."""

    recorded: int
    """Events in the source."""
    holds: list[bool]
    """Of each checkpoint, in the order given: whether the source is, or begins with, what it says."""
    after: int
    """Events beyond the last checkpoint, of which it does not speak."""
    breaks: list[Break] = field(factory=list)
    """In the order of shards and positions."""


def verified(source: Logs, given: Sequence[Given]) -> Report:
    """Hold a source against checkpoints. Raises InvalidEvidence for checkpoints of another ledger."""
    shards = _shards(source, given)
    coarse: list[Break] = []
    with examined(source) as damage:
        logs = _derived(source, given, shards, coarse)
        damaged = damage()
    holds = [_holds(one.checkpoint, logs) for one in given]
    sizes = [log.size for log in logs]
    newest = max(given, key=lambda one: one.checkpoint.size)
    report = Report(
        recorded=sum(sizes),
        holds=holds,
        after=max(0, sum(sizes) - newest.checkpoint.size),
    )
    failing = [one for one, held in zip(given, holds, strict=True) if not held]
    fitting = [one for one, held in zip(given, holds, strict=True) if held]
    located = _located(source, shards, failing, fitting, sizes) if failing else _Located([])
    found = _with_coarse(located.breaks, coarse)
    found += _contradictions(given, fitting)
    if located.asides_known:
        found += _asides(source, newest, {one.place for one in found} | located.sealed_asides)
    if damaged:
        found.append(Break(code=BreakCode.DAMAGED, first=0, last=0, detail=damaged))
    if not found and not all(
        holds
    ):  # nothing can be placed: the checkpoint itself, or what stood there for a moment
        found = [
            Break(
                code=BreakCode.DIFFERENT,
                first=1,
                last=newest.checkpoint.size,
                detail=str(sum(sizes)),
            )
        ]
    report.breaks = sorted(set(found))
    return report


def _with_coarse(found: list[Break], coarse: Sequence[Break]) -> list[Break]:
    """What the leaves told, and what was seen without them, each break once."""
    unreadable = {one.place: one for one in coarse if one.code is BreakCode.UNREADABLE}
    kept = [one for one in found if one.place not in unreadable]
    gaps = [one for one in coarse if one.code is BreakCode.GAP]
    misfiled = [one for one in coarse if one.code is BreakCode.MISFILED]
    misfiled = [one for one in misfiled if one.place not in {broken.place for broken in kept}]
    placed = any(one.code is not BreakCode.DIFFERENT for one in kept)
    return [*kept, *unreadable.values(), *misfiled, *([] if placed else gaps)]


def _shards(source: Logs, given: Sequence[Given]) -> int:
    counts = {len(one.checkpoint.logs) for one in given}
    if source.shards is not None:
        counts.add(source.shards)
    origins = {one.checkpoint.origin for one in given}
    if len(counts) > 1 or len(origins) > 1:
        raise InvalidEvidence(
            kind=Phrase("set of checkpoints"),
            problem=Phrase("they are of several logs, or the ledger has another number of shards."),
        )
    return counts.pop()


def _derived(
    source: Logs, given: Sequence[Given], shards: int, found: list[Break]
) -> list[GrowingLog]:
    """The logs of the source with their roots at the sizes of the checkpoints."""
    logs = [GrowingLog(one.checkpoint.logs[shard].size for one in given) for shard in range(shards)]
    for place, _, event in source.events():
        if event is None:
            log = logs[source.shard_of_unreadable(place, shards)]
            log.append(_UNREADABLE)
            found.append(_at(BreakCode.UNREADABLE, logs.index(log), log.size, place))
            continue
        shard = source.shard(place, event, shards) if shards > 1 else 0
        log = logs[shard]
        position = log.size + 1
        log.append(at_position(event.stem, position))
        if place != position and source.claims and not found:
            found.append(_at(BreakCode.GAP, shard, position, place))
    for place, wrong in getattr(source, "misfiled", ()):
        position, shard = (place, 0) if source.claims else (0, place % shards)
        found.append(
            Break(code=BreakCode.MISFILED, shard=shard, first=position, last=position, place=place,
                  detail=wrong)
        )  # fmt: skip
    return logs


def _at(code: BreakCode, shard: int, position: int, place: int) -> Break:
    return Break(code=code, shard=shard, first=position, last=position, place=place)


def _holds(checkpoint: Checkpoint, logs: Sequence[GrowingLog]) -> bool:
    return all(
        log.size >= head.size and _root_at(log, head.size) == head.root
        for head, log in zip(checkpoint.logs, logs, strict=True)
    )


def _root_at(log: GrowingLog, size: int) -> bytes | None:
    log.head()
    return log.roots.get(size) if size else EMPTY_ROOT


@frozen
class _Located:
    """Where a source differs from a checkpoint."""

    breaks: list[Break]
    sealed_asides: frozenset[int] = frozenset()
    """Lines that were sealed as recorded, and are not only because of something before them."""
    asides_known: bool = True
    """Whether the lines aside can be told from those."""


def _located(
    source: Logs,
    shards: int,
    failing: Sequence[Given],
    fitting: Sequence[Given],
    sizes: Sequence[int],
) -> _Located:
    """Where the source differs from the newest checkpoint that it does not fit, as well as can be told."""
    with_leaves = [one for one in failing if one.leaves is not None]
    if not with_leaves:
        return _Located(
            list(_somewhere(max(failing, key=_size), fitting, sizes)), asides_known=False
        )
    chosen = max(with_leaves, key=_size)
    assert chosen.leaves is not None, "it was chosen for them"
    known = Counter(_aside_leaves(chosen))
    as_they_were = {one.number for one in source.asides if known[one.leaf] > 0}
    aside = {one.number for one in source.asides}
    comparisons = [Comparison(chosen.leaves[shard], shard) for shard in range(shards)]
    sealed_asides = set()
    for place, _, event in source.lines():
        if place in as_they_were:
            continue
        if event is None:
            comparisons[source.shard_of_unreadable(place, shards)].skip(place)
            continue
        shard = source.shard(place, event, shards) if shards > 1 else 0
        is_known = comparisons[shard].see(place, event.stem, place if source.claims else None)
        if is_known and place in aside:
            sealed_asides.add(place)
    found = [one for comparison in comparisons for one in comparison.breaks()]
    found = list(_rolled_back(found, fitting, sizes))
    newest = max(failing, key=_size)
    if newest.leaves is None:  # behind what could be compared there may be more
        found += _somewhere(newest, [*fitting, chosen], sizes)
    return _Located(found, frozenset(sealed_asides))


def _size(given: Given) -> int:
    return given.checkpoint.size


def _rolled_back(
    found: list[Break], fitting: Sequence[Given], sizes: Sequence[int]
) -> Iterator[Break]:
    """The same breaks; a cut exactly at an earlier checkpoint is a roll-back to it."""
    back = next((one for one in fitting if [h.size for h in one.checkpoint.logs] == sizes), None)
    for one in found:
        if one.code is BreakCode.CUT and back is not None:
            yield Break(
                code=BreakCode.ROLLED_BACK, shard=one.shard, first=one.first, last=one.last,
                detail=back.name,
            )  # fmt: skip
        else:
            yield one


def _somewhere(failing: Given, fitting: Sequence[Given], sizes: Sequence[int]) -> Iterator[Break]:
    """Without leaves: between the last checkpoint that fits and the one that does not."""
    for shard, head in enumerate(failing.checkpoint.logs):
        good = max((one.checkpoint.logs[shard].size for one in fitting), default=0)
        if good < head.size:
            yield Break(
                code=BreakCode.DIFFERENT, shard=shard, first=good + 1, last=head.size,
                detail=str(sizes[shard]),
            )  # fmt: skip


def _contradictions(given: Sequence[Given], fitting: Sequence[Given]) -> Iterator[Break]:
    """Checkpoints that cannot both be of one history: then the signer has told two stories."""
    for index, one in enumerate(given):
        for other in given[:index]:
            older, newer = sorted((one, other), key=_size)
            for shard, (low, high) in enumerate(
                zip(older.checkpoint.logs, newer.checkpoint.logs, strict=True)
            ):
                same = low.size == high.size
                fits = newer in fitting and older not in fitting
                if (same and low.root != high.root) or (not same and fits):
                    yield Break(
                        code=BreakCode.CONTRADICTION, shard=shard, first=1, last=low.size,
                        detail=f"{older.name} {newer.name}",
                    )  # fmt: skip


def _aside_leaves(given: Given) -> list[bytes]:
    if given.leaves is None or given.checkpoint.asides is None:
        return []
    return hashes_in(given.leaves[-1])


def _asides(source: Logs, newest: Given, told_of: AbstractSet[int]) -> Iterator[Break]:
    """Lines of a file beside the recorded ones that were not there when it was sealed."""
    if source.shards is not None:
        return
    sealed = newest.checkpoint.asides
    log = GrowingLog()
    log.append_hashes([one.leaf for one in source.asides])
    now = log.head()
    if (now.size, now.root) == ((sealed.size, sealed.root) if sealed else (0, EMPTY_ROOT)):
        return
    if sealed and newest.leaves is None:
        yield _at(BreakCode.ASIDE, 0, 0, 0)
        return
    left = Counter(_aside_leaves(newest))
    for one in source.asides:
        if left[one.leaf]:
            left[one.leaf] -= 1
        elif one.number not in told_of:
            yield _at(BreakCode.ASIDE, 0, 0, one.number)
    if left.total():
        yield _at(BreakCode.ASIDE, 0, 0, 0)
