"""Breaks: how a history differs from what it was sealed as, each with its place."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class BreakCode(StrEnum):
    """What kind of break it is."""

    EDITED = "EDITED"
    """Where an event was sealed there stands another."""
    DROPPED = "DROPPED"
    """Events that were sealed are missing, and others follow them."""
    CUT = "CUT"
    """The last events that were sealed are missing."""
    ROLLED_BACK = "ROLLED_BACK"
    """It is the history of an earlier checkpoint, and all that was sealed since is missing."""
    FORKED = "FORKED"
    """From here to the end all events are others than those that were sealed."""
    INSERTED = "INSERTED"
    """Between events that were sealed there stands one that was not."""
    REPEATED = "REPEATED"
    """An event that was sealed stands there once more."""
    MOVED = "MOVED"
    """Events that were sealed stand in another place."""
    ASIDE = "ASIDE"
    """A line beside the recorded ones is another than when the file was sealed."""
    UNREADABLE = "UNREADABLE"
    """What stands there cannot be read as an event."""
    MISFILED = "MISFILED"
    """The store keeps an event under another stream, number, type or identity than its own."""
    DAMAGED = "DAMAGED"
    """The file contradicts itself: what is found by its index, its statistics or a view is not what it holds."""
    GAP = "GAP"
    """A ledger's positions leave one out."""
    DIFFERENT = "DIFFERENT"
    """Somewhere between these positions it differs; without the leaves nobody can say where."""
    CONTRADICTION = "CONTRADICTION"
    """Two checkpoints that were signed for one log exclude each other."""
    LEAVES = "LEAVES"
    """The file of leaves is not that of the checkpoint."""
    FILE = "FILE"
    """A file of a pack is not the one that was signed for."""
    ANSWER = "ANSWER"
    """An answer in a pack is not the one that follows from its history."""


@frozen(kw_only=True, order=True)
class Break:
    """One break. Positions are those of the log, from 1; `first` to `last` are what is spoken of."""

    shard: int = 0
    first: int
    last: int
    code: BreakCode
    place: int = 0
    """Where it was found: the line of a file, the position in a ledger; 0 where it is missing."""
    detail: str = ""
    """What there is to say beside that, for a program: a name, a column."""
