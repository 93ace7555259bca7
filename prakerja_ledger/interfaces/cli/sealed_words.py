"""Sentences about seals: what breaks them, and what a witness saw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from prakerja_ledger.domain.time import instant_of
from prakerja_ledger.evidence.breaks import Break, BreakCode
from prakerja_ledger.evidence.checkpoint import Witnessed
from prakerja_ledger.interfaces.cli.words import N_, Words

BREAKS: Final[Mapping[BreakCode, str]] = {
    BreakCode.EDITED: N_("another event stands where one was sealed"),
    BreakCode.DROPPED: N_("sealed events are missing, and others follow them"),
    BreakCode.CUT: N_("the last sealed events are missing: the end was cut off"),
    BreakCode.ROLLED_BACK: N_(
        "it was rolled back to {detail}: all that was sealed since is missing"
    ),
    BreakCode.FORKED: N_("from here on nothing is as it was sealed: another history was told"),
    BreakCode.INSERTED: N_("an event was put in that was not sealed"),
    BreakCode.REPEATED: N_("a sealed event stands here once more"),
    BreakCode.MOVED: N_("sealed events stand in another place"),
    BreakCode.ASIDE: N_(
        "a line beside the recorded ones is not as it was when the file was sealed"
    ),
    BreakCode.UNREADABLE: N_("what stands here is no event"),
    BreakCode.MISFILED: N_("the ledger keeps this event under a wrong {detail}"),
    BreakCode.DAMAGED: N_(
        "the file contradicts itself, and readers are shown something else: {detail}"
    ),
    BreakCode.GAP: N_("the ledger's positions are not without gaps"),
    BreakCode.DIFFERENT: N_(
        "somewhere in here it differs ({detail} events are there); to be told where, put the file of "
        "leaves beside the checkpoint"
    ),
    BreakCode.CONTRADICTION: N_(
        "two checkpoints exclude each other ({detail}): whoever holds the key signed two histories"
    ),
    BreakCode.LEAVES: N_(
        "the file of leaves {detail} is not that of its checkpoint, and is not used"
    ),
    BreakCode.FILE: N_("{detail} is not the file that was signed for"),
    BreakCode.ANSWER: N_("{detail} does not say what follows from the history"),
}
assert BREAKS.keys() == set(BreakCode), "a kind of break has no sentence"


def break_sentence(words: Words, one: Break) -> str:
    """What a break is."""
    return words(BREAKS[one.code], detail=one.detail)


def position_of(words: Words, one: Break) -> str:
    """Of which positions a break speaks."""
    if not one.last:
        return ""
    if one.first == one.last:
        return words.number(one.first)
    return f"{words.number(one.first)}–{words.number(one.last)}"


def seen(words: Words, one: Witnessed) -> str:
    """Which witness saw a checkpoint, and when."""
    try:
        when = words.moment(instant_of(datetime.fromtimestamp(one.at, UTC)))
    except (OverflowError, ValueError, OSError):
        when = str(one.at)
    return words(N_("{witness} saw it on {when} WIB"), witness=one.witness, when=when)
