"""A source's logs, hashed to be sealed; behind an earlier seal only what came since, where that will do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.errors import LedgerFault, NotAsSealed, NotCanonical
from prakerja_ledger.evidence.canonical import at_position, run_of_bytes
from prakerja_ledger.evidence.checkpoint import Checkpoint, Head
from prakerja_ledger.evidence.leaves import GrowingLog, LeavesFile, kept_logs
from prakerja_ledger.evidence.merkle import EMPTY_ROOT
from prakerja_ledger.interfaces.logs import LedgerLogs, Logs

_NOTHING: Final = Head(0, EMPTY_ROOT)


@frozen
class Grown:
    """All logs of a source, hashed."""

    logs: Sequence[GrowingLog]
    asides: GrowingLog

    def checkpoint(self, origin: str) -> Checkpoint:
        """What is to be signed."""
        aside = self.asides.head()
        return Checkpoint(
            origin, tuple(log.head() for log in self.logs), aside if aside.size else None
        )


@frozen
class Earlier:
    """What was sealed before of the same history."""

    checkpoint: Checkpoint
    leaves: LeavesFile | None


@contextmanager
def grown(
    source: Logs, shards: int, *, keep: bool, after: Earlier | None = None
) -> Iterator[Grown]:
    """The logs of a source that is to be sealed; `keep`: with the hashes of their leaves.

    It is sealed as what goes on `after` an earlier checkpoint: of a ledger of one shard whose leaves are at
    hand only what came since is read. Raises LedgerFault where it is no history that can be sealed,
    NotAsSealed where it does not go on after the earlier one.
    """
    heads = after.checkpoint.logs if after else (_NOTHING,) * shards
    if len(heads) != shards:
        raise NotAsSealed(source=source.name, problem="the checkpoint is of another ledger.")
    stops = [(head.size,) for head in heads]
    with kept_logs([*stops, ()], keep=keep) as (*logs, asides):
        if isinstance(source, LedgerLogs) and source.claims:
            if after and after.leaves and source.looking.head() >= after.checkpoint.size:
                for hashes in after.leaves.hashes(0):
                    logs[0].append_hashes(hashes)
            _grow_at_once(source, logs[0])
        else:
            _grow(source, logs)
        for log, head in zip(logs, heads, strict=True):
            if log.head().size < head.size or (head.size and log.roots[head.size] != head.root):
                raise NotAsSealed(
                    source=source.name,
                    problem="it, or the file of leaves, does not begin with what the earlier "
                    "checkpoint says. Nothing was sealed; verify tells where it differs.",
                )
        asides.append_hashes([one.leaf for one in source.asides])
        yield Grown(logs, asides)


def _grow_at_once(source: LedgerLogs, log: GrowingLog) -> None:
    """A ledger of one shard, many events at a time."""
    for run in source.runs(log.size):
        try:
            data = run_of_bytes([one.line for one in run], log.size + 1)
        except NotCanonical as error:
            raise _unsealable(source, f"near position {run[0].position}, {error}") from error
        if run[-1].position != log.size + len(run):
            raise _unsealable(source, f"positions behind {log.size} leave one out.")
        log.extend(data)


def _grow(source: Logs, logs: Sequence[GrowingLog]) -> None:
    """Any other source, event by event."""
    for place, _, event in source.events():
        if event is None:
            raise _unsealable(source, f"what stands at {place} is no event.")
        log = logs[source.shard(place, event, len(logs)) if len(logs) > 1 else 0]
        log.append(at_position(event.stem, log.size + 1))
    for place, wrong in getattr(source, "misfiled", ()):
        raise _unsealable(source, f"position {place} is filed under a wrong {wrong}.")


def _unsealable(source: Logs, problem: str) -> LedgerFault:
    return LedgerFault(
        source=source.name, problem=f"{problem} Nothing was sealed; look into it first."
    )
