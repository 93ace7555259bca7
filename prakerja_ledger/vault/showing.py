"""Showing what is held of somebody: behind a mask to anybody, in clear once it is on record."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from prakerja_ledger.domain.errors import NotInVault
from prakerja_ledger.vault.crypto import Key
from prakerja_ledger.vault.journal import Kind
from prakerja_ledger.vault.person import PersonalField
from prakerja_ledger.vault.rows import Participant, Rows, SealedValue
from prakerja_ledger.vault.sealing import Sealing
from prakerja_ledger.vault.secret import Secret
from prakerja_ledger.vault.turn import Turn


@frozen(kw_only=True)
class Held:
    """What is held of somebody, without any of it."""

    participant: Participant
    fields: tuple[tuple[PersonalField, str], ...]
    """Each field, with the token of an account."""


@frozen(kw_only=True)
class Shown:
    """A value in clear, still behind a mask."""

    field: PersonalField
    item: str
    value: Secret[str]


@frozen(kw_only=True)
class Looked:
    """What somebody looked at, still sealed: it may be opened when the transaction that says so is done."""

    participant: str
    key: Key
    values: Sequence[SealedValue]
    sealing: Sealing

    def opened(self) -> list[Shown]:
        """The values in clear. Raises VaultDamaged."""
        return [
            Shown(
                field=PersonalField(one.field),
                item=one.item,
                value=self.sealing.opened(self.participant, self.key, one),
            )
            for one in self.values
        ]


def held(rows: Rows, participant: str) -> Held:
    """Which fields are held of somebody. Raises NotInVault."""
    found = rows.participant(participant)
    if found is None:
        raise NotInVault
    fields = tuple((PersonalField(one.field), one.item) for one in rows.values_of(participant))
    return Held(participant=found, fields=fields)


def look(turn: Turn, participant: str, fields: Sequence[PersonalField]) -> Looked:
    """Note who looks at what; the key is opened first, so that who has none leaves no entry."""
    turn.processed(participant)
    key = turn.key_of(participant)
    values = [one for one in turn.rows.values_of(participant) if one.field in fields]
    turn.note(Kind.REVEALED, participant, tuple(dict.fromkeys(one.field for one in values)))
    return Looked(participant=participant, key=key, values=values, sealing=turn.sealing)
