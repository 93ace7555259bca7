"""How values of one vault are sealed: each bound to its vault, participant, field and item.

Bound, so that a row copied to another participant or another column opens nothing.
"""

from __future__ import annotations

import json
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.errors import KeyRefused, VaultDamaged
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.vault import crypto
from prakerja_ledger.vault.crypto import Algorithm, Key
from prakerja_ledger.vault.keys import Keys
from prakerja_ledger.vault.person import PersonalField
from prakerja_ledger.vault.rows import SealedValue, WrappedKey
from prakerja_ledger.vault.secret import Secret

_VALUE: Final = "prakerja-vault-value-1"
_KEY: Final = "prakerja-vault-key-1"
_TOKEN: Final = "prakerja-vault-token-1"  # noqa: S105  # a label
"""What the bound bytes begin with: their format and its version."""


def _bound(*parts: str) -> bytes:
    """Texts as bytes that no other texts have: an array of JSON."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()


@frozen(kw_only=True)
class Sealing:
    """Seals and opens for one vault, with the keys at hand."""

    source: str
    """The vault's URL, for messages."""
    vault: str
    keys: Keys

    def wrapped(self, participant: str, key: Key, key_id: str) -> WrappedKey:
        """A participant's key, sealed by a wrapping key."""
        wrapping = self.keys.wrapping_key(key_id)
        sealed = wrapping.wrap(key, _bound(_KEY, self.vault, participant, key_id))
        return WrappedKey(participant, key_id, wrapping.algorithm, sealed)

    def key_of(self, wrapped: WrappedKey) -> Key:
        """The participant's key. Raises KeyRefused or VaultDamaged."""
        wrapping = self.keys.wrapping_key(wrapped.key_id)
        bound = _bound(_KEY, self.vault, wrapped.participant, wrapped.key_id)
        try:
            return wrapping.unwrap(bytes(wrapped.wrapped), wrapped.algorithm, bound)
        except (crypto.Unopened, ValueError):
            raise self._damaged(
                Phrase("the key of {participant} does not open", participant=wrapped.participant),
                wrapped.key_id,
            ) from None
        except crypto.Unavailable as missing:
            raise _unavailable(wrapped.key_id, missing) from None

    def sealed(
        self,
        participant: str,
        key: Key,
        field: PersonalField,
        item: str,
        value: Secret[str],
        by: str,
    ) -> SealedValue:
        """A value under its participant's key, by an algorithm."""
        bound = _bound(_VALUE, self.vault, participant, field, item, by)
        plain = Secret(value.exposed().encode())
        try:
            return SealedValue(field, item, by, crypto.seal(Algorithm(by), key, plain, bound))
        except crypto.Unavailable as missing:
            raise _unavailable(by, missing) from None

    def opened(self, participant: str, key: Key, value: SealedValue) -> Secret[str]:
        """The value in clear. Raises VaultDamaged where it is another's, or was changed."""
        by = value.algorithm
        bound = _bound(_VALUE, self.vault, participant, value.field, value.item, by)
        try:
            plain = crypto.open_sealed(Algorithm(by), key, bytes(value.sealed), bound)
        except (crypto.Unopened, ValueError):
            raise self._damaged(
                Phrase(
                    "{field} of {participant} does not open",
                    field=str(value.field),
                    participant=participant,
                ),
                by,
            ) from None
        except crypto.Unavailable as missing:
            raise _unavailable(by, missing) from None
        return Secret(plain.exposed().decode())

    def token(self, field: PersonalField, value: Secret[str], key_id: str) -> bytes:
        """What a value is looked up by; each field has a key of its own."""
        key = self.keys.look_up_key(key_id)
        return key.token(_bound(_TOKEN, self.vault, field), Secret(value.exposed().encode()))

    def _damaged(self, what: Phrase, key: str) -> VaultDamaged:
        return VaultDamaged(
            source=self.source,
            problem=Phrase(
                "{what} with {key}: it was changed, or belongs elsewhere. Restore it from a copy.",
                what=what,
                key=key,
            ),
        )


def _unavailable(key: str, missing: crypto.Unavailable) -> KeyRefused:
    return KeyRefused(
        key=key,
        problem=Phrase(
            "OpenSSL of this machine has no {algorithm}. Use OpenSSL 3.2 or later, or make the vault "
            "with --algorithm aes-256-gcm.",
            algorithm=str(missing),
        ),
    )
