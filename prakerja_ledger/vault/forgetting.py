"""Making a person's data unreadable, on request or because its retention is over."""

from __future__ import annotations

from datetime import date

from attrs import frozen

from prakerja_ledger.vault.journal import Kind
from prakerja_ledger.vault.rows import Participant, Rows
from prakerja_ledger.vault.turn import Turn


@frozen(kw_only=True)
class Past:
    """Those whose retention is over."""

    forgotten: tuple[str, ...]
    """Or to be forgotten, where it was only asked."""
    kept: tuple[str, ...]
    """Restricted ones: they stay until the restriction is lifted."""


def forget_on_request(turn: Turn, participant: str) -> None:
    """Forget somebody; nothing is done twice. Raises NotInVault or Restricted.

    What is restricted is not erased either: who disputes something may need it as evidence.
    """
    found = turn.rows.participant(participant)
    if found is None or found.forgotten_at is None:
        turn.processed(participant)
        _forget(turn, participant, Kind.FORGOTTEN)


def forget_if_past(turn: Turn, participant: str, on: date) -> None:
    """Forget somebody unless they were restricted, forgotten or prolonged since the list was made."""
    found = turn.rows.participant(participant)
    if found is not None and _is_past(found, on) and found.restricted_at is None:
        _forget(turn, participant, Kind.EXPIRED)


def past_retention(rows: Rows, on: date) -> Past:
    """Whose last day was before that one."""
    found = rows.past_retention(on)
    return Past(
        forgotten=tuple(one.participant for one in found if one.restricted_at is None),
        kept=tuple(one.participant for one in found if one.restricted_at is not None),
    )


def _is_past(found: Participant, on: date) -> bool:
    return found.forgotten_at is None and found.retain_until is not None and found.retain_until < on


def _forget(turn: Turn, participant: str, kind: Kind) -> None:
    """Key, values, tokens and the entry that says so go in one transaction: there is no moment between.

    What the transaction leaves in the files is ciphertext without its key, and is cleared after it; that
    it is due is written in the same transaction.
    """
    turn.rows.erase(participant)
    turn.rows.mark(participant, forgotten_at=turn.at, retain_until=None)
    turn.rows.want_scrub()
    turn.note(kind, participant)
