"""One write transaction of the vault: what is done in it and the entry that says so are one."""

from __future__ import annotations

from attrs import frozen

from prakerja_ledger.domain.errors import Forgotten, NotInVault, Restricted, VaultDamaged
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.time import Instant, date_of
from prakerja_ledger.vault.crypto import Key
from prakerja_ledger.vault.journal import Entry, Kind, Warrant
from prakerja_ledger.vault.person import PersonalField
from prakerja_ledger.vault.rows import Participant, Rows, Settings
from prakerja_ledger.vault.sealing import Sealing
from prakerja_ledger.vault.secret import Secret


@frozen(kw_only=True)
class Turn:
    """The tables, the settings as they are now, who acts, and when."""

    rows: Rows
    settings: Settings
    sealing: Sealing
    warrant: Warrant
    at: Instant

    def note(
        self,
        kind: Kind,
        participant: str | None = None,
        fields: tuple[str, ...] = (),
        keys: tuple[str, ...] = (),
    ) -> None:
        """Add an entry to the journal."""
        head = self.rows.head(self.settings.vault)
        body = Entry(
            number=head.number + 1,
            at=self.at,
            kind=kind,
            participant=participant,
            fields=fields,
            keys=keys,
            by=self.warrant.by,
            purpose=self.warrant.purpose,
        ).body()
        self.rows.append(head.then(body), body)

    def known(self, participant: str) -> Participant:
        """Somebody whose data is here. Raises NotInVault or Forgotten."""
        found = self.rows.participant(participant)
        if found is None:
            raise NotInVault
        if found.forgotten_at is not None:
            raise Forgotten(participant=participant, on=date_of(found.forgotten_at))
        return found

    def processed(self, participant: str) -> Participant:
        """Somebody whose data may be processed. Raises Restricted too: every reader asks here."""
        found = self.known(participant)
        if found.restricted_at is not None:
            raise Restricted(participant=participant, on=date_of(found.restricted_at))
        return found

    def key_of(self, participant: str) -> Key:
        """The participant's data key. Raises KeyRefused or VaultDamaged."""
        wrapped = self.rows.key_of(participant)
        if wrapped is None:
            raise VaultDamaged(
                source=self.sealing.source,
                problem=Phrase(
                    "the key of {participant} is gone, and nobody forgot them. Restore it from a copy.",
                    participant=participant,
                ),
            )
        return self.sealing.key_of(wrapped)

    def found(self, field: PersonalField, value: Secret[str]) -> list[tuple[str, str]]:
        """Participants with that value, each with its item.

        By the look-up key, and the one before it while keys are being exchanged.
        """
        both = (self.settings.look_up_key, self.settings.look_up_key_before)
        found: dict[tuple[str, str], None] = {}
        for key_id in both:
            if key_id is not None:
                token = self.sealing.token(field, value, key_id)
                found.update(dict.fromkeys(self.rows.found(key_id, field, token)))
        return sorted(found)

    def put_token(
        self, participant: str, field: PersonalField, item: str, value: Secret[str]
    ) -> None:
        """Let a participant be found by a value."""
        key_id = self.settings.look_up_key
        token = self.sealing.token(field, value, key_id)
        self.rows.put_token(key_id, field, token, participant, item)
