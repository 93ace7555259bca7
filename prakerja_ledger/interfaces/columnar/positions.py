"""Positions of a Parquet history: each stands there once, and within a subject they rise."""

from __future__ import annotations

from collections.abc import Iterable
from operator import ge
from typing import Final

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.interfaces.columnar.rows import BadRows

_SPARSE: Final = 1 << 22


class Unsorted(Exception):
    """The rows do not stand by subject."""


class Positions:
    """Positions met so far: raises BadRows for one that is met again."""

    def __init__(self, size: int) -> None:
        self._most = 4 * size + _SPARSE
        self._dense = bytearray()
        self._sparse: set[int] = set()

    def add(self, numbers: list[int]) -> None:
        """Meet some more."""
        top = max(numbers, default=0)
        if len(self._dense) <= top <= self._most:
            self._dense.extend(bytes(min(self._most, 2 * top) + 1 - len(self._dense)))
        dense, sparse = self._dense, self._sparse
        for number in numbers:
            if number < len(dense):
                if dense[number]:
                    raise _twice(number)
                dense[number] = 1
            elif number in sparse:
                raise _twice(number)
            else:
                sparse.add(number)


def _twice(number: int) -> BadRows:
    return BadRows(Phrase("position {number} stands there twice", number=number))


def check_rising(numbers: Iterable[int], last: int) -> int:
    """Positions in order, after those up to `last`. Raises BadRows where one stands there twice."""
    for number in numbers:
        if number <= last:
            raise _twice(number)
        last = number
    return last


def rising(numbers: list[int], last: int) -> int:
    """The last of some positions of one subject. Raises Unsorted where they do not rise."""
    if numbers[0] <= last or any(map(ge, numbers, numbers[1:])):
        raise Unsorted
    return numbers[-1]
