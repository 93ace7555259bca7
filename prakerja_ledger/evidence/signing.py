"""Ed25519 (RFC 8032), through `cryptography`: the one place that imports it.

Keys and signatures are bytes: a seed of 32, a public key of 32, a signature of 64. Anything of another
length, and any signature that `cryptography` (OpenSSL) refuses, is no valid signature; nothing here
raises because of what a stranger wrote.
"""

from __future__ import annotations

from typing import Any, Final

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase

SEED_BYTES: Final = 32
PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415  # an extra
    except ModuleNotFoundError:
        raise UnreadableSource(
            source=Phrase("Ed25519 keys and signatures"),
            problem=Phrase(
                "they need the package cryptography: pip install 'prakerja-ledger[seal]'."
            ),
        ) from None
    return ed25519


def new_seed() -> bytes:
    """The seed of a new private key."""
    seed: bytes = _ed25519().Ed25519PrivateKey.generate().private_bytes_raw()
    return seed


def public_of(seed: bytes) -> bytes:
    """The public key of a seed."""
    public: bytes = (
        _ed25519().Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    )
    return public


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature of a message."""
    signature: bytes = _ed25519().Ed25519PrivateKey.from_private_bytes(seed).sign(message)
    return signature


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is that key's of the message."""
    ed25519 = _ed25519()
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # an extra

    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
