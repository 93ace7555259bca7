"""Chance, the same on every machine: integers only, from a stream of random bits.

NumPy promises that a bit generator's raw stream never changes; it promises that neither of its
methods for floats and choices, nor do two processors round alike. So a draw here is a whole number
below 2**32 cut from the raw stream, and everything made of it (a share, a lag, a choice) is integer
arithmetic on tables that were worked out exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import lcm
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prakerja_ledger.simulating.parameters import Curve

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

ONE: Final = 1 << 32
"""Draws are evenly distributed over 0 … ONE - 1."""
_TABLE_BITS: Final = 12
_SECONDS_A_DAY: Final = 86_400


class Draws:
    """Draws for one chunk of participants; what is drawn of another chunk changes nothing here."""

    def __init__(self, seed: int, chunk: int, stream: int = 0) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, chunk, stream]))

    def some(self, count: int) -> Ints:
        """So many draws."""
        raw: NDArray[np.uint64] = self._bits.random_raw(count)
        return (raw >> np.uint64(32)).astype(np.int64)

    def evenly(self, groups: Ints) -> Ints:
        """A draw for each, spread evenly within each group (of neighbours): shares come out exactly.

        A group of n has one draw in each n-th of the range. Chance decides who has which, so every
        participant's draw is as random as any; only the sum of a group does not wander.
        """
        count = len(groups)
        raw: NDArray[np.uint64] = self._bits.random_raw(count)
        order = np.argsort(raw, kind="stable")
        order = order[np.argsort(groups[order], kind="stable")]
        starts, sizes = _runs(groups[order])
        rank = np.arange(count, dtype=np.int64) - np.repeat(starts, sizes)
        size = np.repeat(sizes, sizes)
        out = np.empty(count, dtype=np.int64)
        out[order] = ((rank << 32) + self.some(count)) // size
        return out

    def chance(self, share: Fraction, count: int) -> Flags:
        """Which of so many it happens to."""
        flags: Flags = self.some(count) < threshold(share)
        return flags

    def below(self, bound: int | Ints, count: int) -> Ints:
        """Whole numbers from 0 to just below a bound (of at most 2**31)."""
        return (self.some(count) * bound) >> 32

    def between(self, low: Ints, high: Ints) -> Ints:
        """Whole numbers from low to just below high; low where there is nothing between."""
        return low + self.below(np.maximum(high - low, 1), len(low))

    def lag(self, curve: Curve, count: int) -> Ints:
        """Seconds of lag by a curve of days."""
        draws = self.some(count)
        found: Ints = _seconds(curve)[draws >> (32 - _TABLE_BITS)] + (draws & 0x3FF)
        return found

    def whole(self, curve: Curve, count: int) -> Ints:
        """Whole days of lag by a curve of days."""
        found: Ints = _days(curve)[self.some(count) >> (32 - _TABLE_BITS)]
        return found

    def pick(self, weights: Mapping[str, int], count: int) -> Ints:
        """Which of several, by its place, each as often as its weight says."""
        return picked(self.some(count), tuple(weights.values()))


def picked(draws: Ints, weights: tuple[int, ...]) -> Ints:
    """The place of a draw among weights."""
    return np.searchsorted(_bounds(weights), draws, side="right").astype(np.int64)


def threshold(share: Fraction) -> int:
    """The bound below which draws are a share of all."""
    return share.numerator * ONE // share.denominator


def _runs(sorted_groups: Ints) -> tuple[Ints, Ints]:
    """Where each run of equal values starts, and its length."""
    starts = np.flatnonzero(np.diff(sorted_groups, prepend=-1))
    return starts, np.diff(starts, append=len(sorted_groups))


@lru_cache(maxsize=256)
def _bounds(weights: tuple[int, ...]) -> Ints:
    whole, run, bounds = sum(weights), 0, []
    for weight in weights[:-1]:
        run += weight
        bounds.append(run * ONE // whole)
    return np.array(bounds, dtype=np.int64)


@lru_cache(maxsize=256)
def _seconds(curve: Curve) -> Ints:
    return np.array(_heights(curve, _SECONDS_A_DAY), dtype=np.int64)


@lru_cache(maxsize=256)
def _days(curve: Curve) -> Ints:
    """Rounded: twice the height and one, halved."""
    return (np.array(_heights(curve, 2), dtype=np.int64) + 1) // 2


def _heights(curve: Curve, unit: int) -> list[int]:
    """The height of a curve at each step of its table, in so many units a day, rounded down."""
    heights: list[int] = []
    knots = [(Fraction(share), Fraction(str(days)) * unit) for share, days in curve]
    for (x0, y0), (x1, y1) in pairwise(knots):
        slope = (y1 - y0) / (x1 - x0) / (2 << _TABLE_BITS)
        start = y0 - (y1 - y0) / (x1 - x0) * x0
        # a step stands for its middle: 2 n + 1 of twice the number of steps
        last = int((x1 * (2 << _TABLE_BITS) - 1) / 2) + 1
        whole = lcm(slope.denominator, start.denominator)
        rise, base = int(slope * whole), int(start * whole)
        heights += [(base + rise * (2 * n + 1)) // whole for n in range(len(heights), last)]
    assert len(heights) == 1 << _TABLE_BITS, "the curve reaches from 0 to 1"
    return heights
