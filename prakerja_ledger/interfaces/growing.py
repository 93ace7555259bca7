"""A source's logs, hashed to be sealed; behind an earlier seal only what came since, where that will do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.errors import LedgerFault, NotAsSealed, NotCanonical
from prakerja_ledger.domain.phrases import Phrase, phrase_of
from prakerja_ledger.evidence.canonical import Told, at_position, run_of_leaves
from prakerja_ledger.evidence.checkpoint import Checkpoint, Head
from prakerja_ledger.evidence.leaves import BATCH, GrowingLog, LeavesFile, kept_logs
from prakerja_ledger.evidence.merkle import EMPTY_ROOT, HASH_BYTES, hashes_in
from prakerja_ledger.interfaces.logs import LedgerLogs, Logs
from prakerja_ledger.interfaces.source import without_collection
from prakerja_ledger.ledger.journal import Looking
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.processes import Helpers

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
    source: Logs,
    shards: int,
    *,
    keep: bool,
    after: Earlier | None = None,
    processes: int = 1,
) -> Iterator[Grown]:
    """The logs of a source that is to be sealed; `keep`: with the hashes of their leaves.

    It is sealed as what goes on `after` an earlier checkpoint: of a ledger of one shard whose leaves are at
    hand only what came since is read. Raises LedgerFault where it is no history that can be sealed,
    NotAsSealed where it does not go on after the earlier one.
    """
    heads = after.checkpoint.logs if after else (_NOTHING,) * shards
    if len(heads) != shards:
        raise NotAsSealed(
            source=source.name, problem=Phrase("the checkpoint is of another ledger.")
        )
    stops = [(head.size,) for head in heads]
    with kept_logs([*stops, ()], keep=keep) as (*logs, asides):
        if isinstance(source, LedgerLogs) and source.claims:
            if after and after.leaves and source.looking.head() >= after.checkpoint.size:
                for hashes in after.leaves.hashes(0):
                    logs[0].append_hashes(hashes)
            _grow_at_once(source, logs[0], processes)
        else:
            _grow(source, logs)
        for log, head in zip(logs, heads, strict=True):
            if log.head().size < head.size or (head.size and log.roots[head.size] != head.root):
                raise NotAsSealed(
                    source=source.name,
                    problem=Phrase(
                        "it, or the file of leaves, does not begin with what the earlier checkpoint says. "
                        "Nothing was sealed; verify tells where it differs."
                    ),
                )
        asides.append_hashes([one.leaf for one in source.asides])
        yield Grown(logs, asides)


def _grow_at_once(source: LedgerLogs, log: GrowingLog, processes: int) -> None:
    """A ledger of one shard, many events at a time, and by several processes where it is long."""
    _check_first(source)
    head = source.looking.head()
    starts = range(log.size, head, _SPAN)
    spans = ((at, min(at + _SPAN, head)) for at in starts)  # a forged last position may be anything
    own = partial(_hashed, source.looking, source.name)
    others = processes - 1
    if not others or len(starts) < _FEW_SPANS or source.url.startswith("memory:"):
        _append(source, log, map(own, spans))
        return
    with Helpers(
        others, _hasher, (source.url,), source=source.name, advice=Phrase("Nothing was sealed.")
    ) as helpers:
        _append(source, log, _shared_out(spans, own, helpers.ask, 4 * others))


def _check_first(source: LedgerLogs) -> None:
    """Raise LedgerFault for what stands below the first position: readers of its stream are shown it."""
    filed = source.looking.filed()
    place = next((row[0] for row in filed), 1) if filed is not None else 1
    if place < 1:
        raise _unsealable(
            source.name,
            Phrase("an event stands at {place}, below the first position.", place=place),
        )


def _shared_out(
    spans: Iterable[_Span],
    own: Callable[[_Span], bytes],
    ask: Callable[[_Span], Future[bytes]],
    most_asked: int,
) -> Iterator[bytes]:
    """The hashes of each span in turn. Whoever asks hashes too, as long as the others have enough to do."""
    waiting: deque[Future[bytes]] = deque()
    for span in spans:
        if sum(not one.done() for one in waiting) < most_asked:
            waiting.append(ask(span))
        else:
            done: Future[bytes] = Future()
            done.set_result(own(span))
            waiting.append(done)
        while waiting and waiting[0].done():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_SPAN: Final = 4 * BATCH
_FEW_SPANS: Final = 20
"""Below that a process is not worth its start."""
_RUN: Final = 128
_Span = tuple[int, int]


def _append(source: LedgerLogs, log: GrowingLog, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        for start in range(0, len(piece), BATCH * HASH_BYTES):
            log.append_hashes(hashes_in(piece[start : start + BATCH * HASH_BYTES]))
        source.tick(log.size)


def _hasher(url: str) -> Callable[[_Span], bytes]:
    """What a process hashes with."""
    ledger = Ledger.open(url, read_only=True)

    def hashed(span: _Span) -> bytes:
        with without_collection(), ledger.journal.reading() as looking:
            return _hashed(looking, ledger.journal.url, span)

    return hashed


def _hashed(looking: Looking, name: str, span: _Span) -> bytes:
    """The hashes of the leaves behind a position, up to another. Raises LedgerFault."""
    lines = looking.bare((span[0],), (span[1],))
    if len(lines) != span[1] - span[0]:
        raise _unsealable(
            name,
            Phrase(
                "of positions {first} to {last} some are missing.", first=span[0] + 1, last=span[1]
            ),
        )
    if {*map(type, lines)} - {bytes}:  # SQLite's columns take any value
        place = next(at for at, one in enumerate(lines, span[0] + 1) if type(one) is not bytes)
        raise _unsealable(name, Phrase("what stands at {place} is no event.", place=place))
    hashes: list[bytes] = []
    for start in range(0, len(lines), _RUN):
        run = lines[start : start + _RUN]
        at = span[0] + start
        try:
            hashes += run_of_leaves(run, at + 1)
        except NotCanonical as error:
            raise _unsealable(
                name, Phrase("behind position {at}, {error}", at=at, error=phrase_of(error))
            ) from error
    return b"".join(hashes)


def _grow(source: Logs, logs: Sequence[GrowingLog]) -> None:
    """Any other source, event by event."""
    for place, _, event in sound_events(source):
        log = logs[source.shard(place, event, len(logs)) if len(logs) > 1 else 0]
        log.append(at_position(event.stem, log.size + 1))


def sound_events(source: Logs) -> Iterator[tuple[int, bytes, Told]]:
    """What is recorded, with its place. Raises LedgerFault where that is no event, or filed as another."""
    for place, line, event in source.events():
        if event is None:
            raise _unsealable(
                source.name, Phrase("what stands at {place} is no event.", place=place)
            )
        yield place, line, event
    for place, wrong in getattr(source, "misfiled", ()):
        raise _unsealable(
            source.name,
            Phrase("position {place} is filed under a wrong {wrong}.", place=place, wrong=wrong),
        )


def _unsealable(name: str, problem: Phrase) -> LedgerFault:
    return LedgerFault(
        source=name,
        problem=Phrase("{problem} Nothing was sealed; look into it first.", problem=problem),
    )
