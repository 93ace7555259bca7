"""Which events differ from those that were sealed: one log against the hashes of its sealed leaves.

A leaf's hash holds the event's position. Where one event is missing, all behind it hash to something
else, and yet only one break is to be told. So an event that does not fit where it stands is tried at
other positions: first nearby, then, as more and more do not fit, everywhere. What was found once says how
far all that follows is shifted. The tries have a bound; beyond it a history that shares nothing with what
was sealed is told as a fork, which it is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from hashlib import sha256
from itertools import groupby
from typing import Any, Final

from attrs import define, frozen

from prakerja_ledger.evidence.breaks import Break, BreakCode
from prakerja_ledger.evidence.merkle import HASH_BYTES

_NEAR: Final = 512
"""How far around its place an event is looked for."""
_EVERYWHERE_AFTER: Final = frozenset({8, 64, 512, 4_096, 32_768})
"""After so many events in a row that fit nowhere near, one is looked for everywhere."""
_MOST_TRIES: Final = 30_000_000
_MOST_WAITING: Final = 100_000
_MOST_STRANGERS: Final = 100_000
"""Strangers told one by one."""


@frozen
class _Seen:
    """An event that stands somewhere."""

    ordinal: int
    place: int
    guess: int
    """Where it would have been sealed."""
    is_event: bool = True


@define
class _Run:
    """Events that stand one after another, as they were sealed one after another."""

    ordinal: int
    sealed: int
    place: int
    length: int = 1

    @property
    def last(self) -> int:
        return self.sealed + self.length - 1


class Comparison:
    """One log against its sealed leaves, event by event in the order of recording."""

    def __init__(self, sealed: Any, shard: int = 0) -> None:
        """`sealed`: the leaves' hashes one behind another, in anything that can be sliced."""
        self._sealed = sealed
        self._shard = shard
        self._size = len(sealed) // HASH_BYTES
        self._matched = bytearray(self._size)
        self._offset = 0
        self._ordinal = 0
        self._runs: list[_Run] = []
        self._repeated: list[tuple[int, int]] = []
        self._strangers: list[_Seen] = []
        self._waiting: list[tuple[_Seen, Any]] = []
        """The last strangers in a row, to be tried again once it is known how far all is shifted."""
        self._tries = _MOST_TRIES

    def see(self, place: int, stem: bytes, claimed: int | None = None) -> bool:
        """The next event: where it stands, its bytes as far as the position, and the position it says.

        Gives whether it was sealed, as far as is known by now.
        """
        self._ordinal += 1
        guess = (claimed or self._ordinal) + self._offset
        seen = _Seen(self._ordinal, place, guess)
        begun = sha256(b"\0" + stem)
        at = guess if self._fits(begun, guess) else self._found(begun, guess)
        if at is None:
            self._waiting.append((seen, begun))
            if len(self._waiting) >= _MOST_WAITING:
                self._give_up()
            return False
        if at != guess and not self._matched[at - 1]:
            self._offset += at - guess
            self._try_again(at - guess)
        self._give_up()
        self._take(seen, at)
        return True

    def skip(self, place: int) -> None:
        """The next event cannot be read: what stands there was certainly not sealed so."""
        self._give_up()
        self._ordinal += 1
        seen = _Seen(self._ordinal, place, self._ordinal + self._offset, is_event=False)
        self._strangers.append(seen)

    def _fits(self, begun: Any, position: int) -> bool:
        if not 1 <= position <= self._size:
            return False
        whole = begun.copy()
        whole.update(b"%d}" % position)
        at = (position - 1) * HASH_BYTES
        return bool(whole.digest() == self._sealed[at : at + HASH_BYTES])

    def _found(self, begun: Any, guess: int) -> int | None:
        """The position at which it was sealed, if it is found."""
        everywhere = len(self._waiting) in _EVERYWHERE_AFTER
        near = self._size if everywhere else _NEAR if len(self._waiting) < _NEAR else 1
        for distance in range(1, near + 1):
            if self._tries <= 0:
                return None
            self._tries -= 1
            for position in (guess + distance, guess - distance):
                if self._fits(begun, position):
                    return position
        return None

    def _try_again(self, shift: int) -> None:
        """The strangers before an event that was found far away were perhaps shifted as far."""
        waiting, self._waiting = self._waiting, []
        for seen, begun in waiting:
            if self._fits(begun, seen.guess + shift):
                self._give_up()
                self._take(seen, seen.guess + shift)
            else:
                self._waiting.append((seen, begun))

    def _give_up(self) -> None:
        room = max(0, _MOST_STRANGERS - len(self._strangers))
        self._strangers += (seen for seen, _ in self._waiting[:room])
        self._waiting.clear()

    def _take(self, seen: _Seen, at: int) -> None:
        if self._matched[at - 1]:
            self._repeated.append((seen.place, at))
            return
        self._matched[at - 1] = 1
        last = self._runs[-1] if self._runs else None
        if last and (last.ordinal + last.length, last.last + 1) == (seen.ordinal, at):
            last.length += 1
        else:
            self._runs.append(_Run(seen.ordinal, at, seen.place))

    def breaks(self) -> Iterator[Break]:
        """What differs. Events beyond the last that was sealed are none: a history grows."""
        self._give_up()
        for place, at in self._repeated:
            yield self._break(BreakCode.REPEATED, at, at, place)
        kept = _in_order(self._runs)
        inside = set(map(id, kept))
        for run in self._runs:
            if id(run) not in inside:
                yield self._break(BreakCode.MOVED, run.sealed, run.last, run.place)
        before = _Run(0, 0, 0)
        for run in kept:
            yield from self._between(before, run)
            before = run
        yield from self._behind(before)

    def _between(self, before: _Run, behind: _Run) -> Iterator[Break]:
        """What differs between two events that stand where they were sealed, seen from each other."""
        missing = self._missing(before.last + 1, behind.sealed)
        strangers = self._strangers_between(before.ordinal + before.length - 1, behind.ordinal)
        pairs, missing, strangers = _paired(missing, strangers)
        for at, stranger in pairs:
            yield self._break(BreakCode.EDITED, at, at, stranger.place)
        for first, last in _ranges(missing):
            yield self._break(BreakCode.DROPPED, first, last)
        for stranger in strangers:
            place = min(max(stranger.guess, before.last + 1), behind.sealed)
            yield self._break(BreakCode.INSERTED, place, place, stranger.place)

    def _behind(self, before: _Run) -> Iterator[Break]:
        """What differs behind the last event that stands where it was sealed."""
        missing = self._missing(before.last + 1, self._size + 1)
        strangers = self._strangers_between(before.ordinal + before.length - 1, self._ordinal + 1)
        if not missing:
            return
        if strangers and len(missing) == 1:
            yield self._break(BreakCode.EDITED, missing[0], missing[0], strangers[0].place)
        elif not any(
            one.is_event for one in strangers
        ):  # a copy that was cut off within a line, above all
            yield self._break(BreakCode.CUT, missing[0], missing[-1])
        else:
            yield self._break(BreakCode.FORKED, missing[0], missing[-1], strangers[0].place)

    def _missing(self, first: int, end: int) -> list[int]:
        """The sealed positions from `first` to before `end` that were found nowhere."""
        found, at = [], self._matched.find(0, first - 1, end - 1)
        while at >= 0:
            found.append(at + 1)
            at = self._matched.find(0, at + 1, end - 1)
        return found

    def _strangers_between(self, after: int, before: int) -> list[_Seen]:
        first = bisect_left(self._strangers, after + 1, key=lambda one: one.ordinal)
        last = bisect_left(self._strangers, before, key=lambda one: one.ordinal)
        return self._strangers[first:last]

    def _break(self, code: BreakCode, first: int, last: int, place: int = 0) -> Break:
        return Break(code=code, shard=self._shard, first=first, last=last, place=place)


def _paired(
    missing: list[int], strangers: list[_Seen]
) -> tuple[list[tuple[int, _Seen]], list[int], list[_Seen]]:
    """Strangers that stand where an event is missing: by their places first, then in order."""
    places = set(missing)
    exact = {one.guess: one for one in strangers if one.guess in places}
    missing = [at for at in missing if at not in exact]
    taken = set(map(id, exact.values()))
    strangers = [one for one in strangers if id(one) not in taken]
    several = min(len(missing), len(strangers))
    pairs = [*exact.items(), *zip(missing, strangers, strict=False)]
    return sorted(pairs, key=lambda pair: pair[0]), missing[several:], strangers[several:]


def _ranges(positions: list[int]) -> Iterator[tuple[int, int]]:
    """Positions that follow one another, as first and last."""
    for _, group in groupby(enumerate(positions), key=lambda pair: pair[1] - pair[0]):
        run = [at for _, at in group]
        yield run[0], run[-1]


def _in_order(runs: list[_Run]) -> list[_Run]:
    """The runs that stand in the order in which they were sealed, as many events as possible.

    The heaviest rising subsequence. What is left of them was moved.
    """
    tops: list[int] = []
    """Ends of rising sequences, rising; no later one is lighter."""
    weights: list[int] = []
    chosen: list[int] = []
    before: list[int] = []
    for index, run in enumerate(runs):
        at = bisect_left(tops, run.sealed)
        weight = run.length + (weights[at - 1] if at else 0)
        before.append(chosen[at - 1] if at else -1)
        end = bisect_right(weights, weight, at)
        tops[at:end] = [run.last]
        weights[at:end] = [weight]
        chosen[at:end] = [index]
    kept: list[_Run] = []
    index = chosen[-1] if chosen else -1
    while index >= 0:
        kept.append(runs[index])
        index = before[index]
    return kept[::-1]
