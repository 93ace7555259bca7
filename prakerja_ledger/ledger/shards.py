"""Shards: logs that grow side by side, and the one total order that they make together.

A ledger has one shard unless it was made with more. A participant's stream lies in the shard that
its name hashes to; packages and the programme, which decide across participants, lie in shard 0 and
are written while every shard stands still. Each shard counts its events without gaps (`number`) and
has a clock that moves on with each of them, and past every event that a writer could have seen.

A position is `clock * shards + shard`: unique, rising within a shard, and larger than that of
anything recorded before in the same shard or, for all, of a package or the programme. So the order
of positions is an order in which everything could have been recorded one after another; with one
shard it is the numbers 1, 2, 3 themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from prakerja_ledger.ledger.journal import PARTICIPANT_PREFIX

COMMON_SHARD: Final = 0
"""Where packages and the programme are recorded."""
MOST_SHARDS: Final = 1_024


def is_common(stream: str) -> bool:
    """Whether a stream decides across participants."""
    return not stream.startswith(PARTICIPANT_PREFIX)


def shard_of(stream: str, shards: int) -> int:
    """The shard of a stream: the first eight bytes of its name's SHA-256, modulo their number."""
    if shards == 1 or is_common(stream):
        return COMMON_SHARD
    return int.from_bytes(sha256(stream.encode()).digest()[:8]) % shards


def shards_of(streams: Iterable[str], shards: int) -> list[int]:
    """The shards to be held by who appends to these: all, where one decides across participants."""
    names = list(streams)
    if any(is_common(name) for name in names):
        return list(range(shards))
    return sorted({shard_of(name, shards) for name in names})


def shard_at(position: int, shards: int) -> int:
    """The shard that holds a position."""
    return position % shards if shards > 1 else 0


def clock_at(position: int, shards: int) -> int:
    """The clock of a position."""
    return position // shards


def position_at(clock: int, shard: int, shards: int) -> int:
    """The position of a shard's event at a clock."""
    return clock * shards + shard
