"""What happened to a chunk of participants, kind by kind, in columns; put in order at the end."""

from __future__ import annotations

from typing import Final

import numpy as np
from attrs import define, field, frozen

from prakerja_ledger.simulating.drawing import Flags, Ints

KNOWN_BITS: Final = 28
"""Seconds of eight years."""
SLOT_BITS: Final = 8
ABSENT: Final = -1
"""In a column of numbers: the field is left out."""


@frozen(eq=False)
class Words:
    """A column of words: for each row the place of its word in a vocabulary of that name."""

    vocabulary: str
    places: Ints


@frozen(eq=False)
class Serial:
    """A column of numbered names: the prefix, a number of so many digits, and a part if given."""

    prefix: str
    numbers: Ints
    digits: int
    parts: Ints | None = None
    """One digit each."""


@frozen(eq=False)
class IdOf:
    """A column of ids of other events, by their rows."""

    rows: Ints


Column = Ints | Flags | Words | Serial | IdOf


@frozen(eq=False)
class Block:
    """Events of one kind."""

    kind: str
    who: Ints
    """The participant's place in the chunk."""
    slot: int
    """Orders what is recorded in the same second: what is referred to has the lower slot."""
    at: Ints
    known: Ints
    source: Ints
    data: dict[str, Column]


@define(eq=False)
class Log:
    """Collects blocks of events; a row is numbered by the order of adding."""

    blocks: list[Block] = field(factory=list)
    rows: int = 0

    def add(
        self,
        kind: str,
        mask: Flags,
        slot: int,
        at: Ints,
        known: Ints,
        by: Ints | int,
        /,
        **data: Column,
    ) -> Ints:
        """Add the events of those whom the mask picks. Gives their rows.

        Every column is as long as the mask; none is cut where everybody is picked.
        """
        who = np.flatnonzero(mask)
        rows = np.arange(self.rows, self.rows + len(who), dtype=np.int64)
        if not len(who):
            return rows
        sources = np.full(len(who), by) if isinstance(by, int) else by[who]
        picked = {name: _picked(column, who) for name, column in data.items()}
        self.blocks.append(Block(kind, who, slot, at[who], known[who], sources, picked))
        self.rows += len(who)
        return rows


def _picked(column: Column, who: Ints) -> Column:
    if isinstance(column, Words):
        return Words(column.vocabulary, column.places[who])
    if isinstance(column, Serial):
        parts = None if column.parts is None else column.parts[who]
        return Serial(column.prefix, column.numbers[who], column.digits, parts)
    if isinstance(column, IdOf):
        return column  # made for the picked alone
    return column[who]


@frozen(eq=False)
class Ordered:
    """The events of a chunk in the order of recording, participant by participant."""

    blocks: list[Block]
    order: Ints
    """For each place in that order the row that stands there."""
    who: Ints
    number: Ints
    """Which event of its participant, from 1."""
    at: Ints
    known: Ints
    source: Ints
    """The last three and `who`, in that order."""


def in_order(log: Log) -> Ordered:
    """Put the events in order: by participant, then by when the programme learned of them."""
    who = np.concatenate([block.who for block in log.blocks])
    at = np.concatenate([block.at for block in log.blocks])
    known = np.concatenate([block.known for block in log.blocks])
    source = np.concatenate([block.source for block in log.blocks])
    slots = np.repeat(
        np.array([block.slot for block in log.blocks], dtype=np.int64),
        [len(block.who) for block in log.blocks],
    )
    assert (at <= known).all(), "the programme learned of something before it happened"
    key = (who << (KNOWN_BITS + SLOT_BITS)) | (known << SLOT_BITS) | slots
    order = np.argsort(key, kind="stable")
    who = who[order]
    starts = np.flatnonzero(np.diff(who, prepend=-1))
    first = np.repeat(starts, np.diff(starts, append=len(who)))
    number = np.arange(len(who), dtype=np.int64) - first + 1
    return Ordered(log.blocks, order, who, number, at[order], known[order], source[order])
