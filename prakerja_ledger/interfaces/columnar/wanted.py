"""Which lines of a history are wanted, by their numbers."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class Wanted(NamedTuple):
    """Lines behind a number, up to and including another; of these only some, or all."""

    behind: int = 0
    upto: int | None = None
    only: Collection[int] | None = None
