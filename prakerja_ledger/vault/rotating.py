"""Exchanging keys: a page of participants at a time, going on where it was stopped.

Whoever holds an old copy of the tables and the old wrapping key can open what was in that copy, also of
people who were forgotten since. So a forgotten person is out of reach of backups only when the keys were
exchanged after it and the old one is destroyed.
"""

from __future__ import annotations

from prakerja_ledger.domain.errors import KeyRefused
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.vault.journal import Kind
from prakerja_ledger.vault.person import LOOKED_UP, PersonalField
from prakerja_ledger.vault.rows import WrappedKey
from prakerja_ledger.vault.turn import Turn


def begin_wrapping(turn: Turn, new: str) -> None:
    """From here on new participants' keys are wrapped by the new key."""
    turn.sealing.keys.wrapping_key(new)
    _check(turn.settings.wrapping_key, turn.settings.wrapping_key_before, new)
    if turn.settings.wrapping_key != new:
        turn.rows.set(wrapping_key=new, wrapping_key_before=turn.settings.wrapping_key)


def begin_look_up(turn: Turn, new: str) -> None:
    """From here on new tokens are made with the new key, and both are asked."""
    turn.sealing.keys.look_up_key(new)
    _check(turn.settings.look_up_key, turn.settings.look_up_key_before, new)
    if turn.settings.look_up_key != new:
        turn.rows.set(look_up_key=new, look_up_key_before=turn.settings.look_up_key)


def _check(current: str, before: str | None, new: str) -> None:
    if before is not None and new != current:
        raise KeyRefused(
            key=new,
            problem=Phrase(
                "keys are being exchanged for {current} already. End that first.", current=current
            ),
        )


def wrap_page(turn: Turn, after: str) -> str | None:
    """Wrap the next page of keys anew; returns the last participant of it, None at the end."""
    page = turn.rows.keys_after(after)
    for wrapped in page:
        if wrapped.key_id != turn.settings.wrapping_key:
            key = turn.sealing.key_of(wrapped)
            new = turn.sealing.wrapped(wrapped.participant, key, turn.settings.wrapping_key)
            turn.rows.put_key(new)
    return page[-1].participant if page else None


def look_up_page(turn: Turn, after: str) -> str | None:
    """Make the next page of tokens anew; returns as `wrap_page` does."""
    page = turn.rows.keys_after(after)
    for wrapped in page:
        _look_up(turn, wrapped)
    return page[-1].participant if page else None


def _look_up(turn: Turn, wrapped: WrappedKey) -> None:
    """A token cannot be turned into another: the value it stands for is opened."""
    participant, key = wrapped.participant, turn.sealing.key_of(wrapped)
    turn.rows.drop_tokens(participant)
    for value in turn.rows.values_of(participant):
        if value.field in LOOKED_UP:
            opened = turn.sealing.opened(participant, key, value)
            turn.put_token(participant, PersonalField(value.field), value.item, opened)


def end_wrapping(turn: Turn) -> str | None:
    """Say that it is done; returns the key that is needed no more."""
    old, new = turn.settings.wrapping_key_before, turn.settings.wrapping_key
    if old is not None:
        turn.rows.set(wrapping_key_before=None)
        turn.rows.want_scrub()
        turn.note(Kind.ROTATED, keys=(old, new))
    return old


def end_look_up(turn: Turn) -> str | None:
    """Likewise."""
    old, new = turn.settings.look_up_key_before, turn.settings.look_up_key
    if old is not None:
        turn.rows.set(look_up_key_before=None)
        turn.rows.want_scrub()
        turn.note(Kind.ROTATED, keys=(old, new))
    return old
