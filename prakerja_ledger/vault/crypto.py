"""The primitives of the vault, as thin as they can be over `cryptography`, and closed where they can fail.

One size of everything: keys of 256 bits, nonces of 96 random bits made here and never taken from a
caller, tags whole. What is not of that size is refused before a primitive sees it: a library that
takes a truncated tag or a nonce of eight bits does what it was asked, and that is the trouble.

Only this module of the vault knows `cryptography`.
"""

from __future__ import annotations

import hashlib
import os
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from prakerja_ledger.vault.secret import Secret

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
TOKEN_BYTES: Final = 32
_LONGEST_DERIVED: Final = 255 * TOKEN_BYTES

Key = Secret[bytes]


class Algorithm(StrEnum):
    """What a value was sealed with; stored beside it, so that it can be opened when another is in use."""

    AES_256_GCM_SIV = "aes-256-gcm-siv"
    """A nonce used twice tells only that two values are equal (RFC 8452). Needs OpenSSL 3.2."""
    AES_256_GCM = "aes-256-gcm"
    """Where OpenSSL is older, or only approved modes may be used. A nonce used twice breaks the key."""


class Unopened(Exception):
    """What was sealed cannot be opened with this key, in this place. Which of the two is not told."""


class Unavailable(Exception):
    """This installation's OpenSSL lacks the algorithm."""


def new_key() -> Key:
    """A key from the operating system's randomness."""
    return Secret(os.urandom(KEY_BYTES))


def random_id(prefix: str) -> str:
    """An id of 128 random bits in hexadecimal: nothing about whom it stands for can be read off it."""
    return f"{prefix}{os.urandom(16).hex()}"


def seal(algorithm: Algorithm, key: Key, plain: Secret[bytes], bound: bytes) -> bytes:
    """Encrypt; `bound` must be given again to open it. Returns nonce, ciphertext and tag in a row."""
    return seal_with(algorithm, key, os.urandom(NONCE_BYTES), plain, bound)


def seal_with(
    algorithm: Algorithm, key: Key, nonce: bytes, plain: Secret[bytes], bound: bytes
) -> bytes:
    """The same with a nonce that is given: for published test vectors."""
    _check(nonce, NONCE_BYTES, "nonce")
    return nonce + _cipher(algorithm, key).encrypt(nonce, plain.exposed(), bound)


def open_sealed(algorithm: Algorithm, key: Key, sealed: bytes, bound: bytes) -> Secret[bytes]:
    """Decrypt what `seal` gave. Raises Unopened if key, bytes or what it was bound to differ."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise Unopened
    try:
        plain = _cipher(algorithm, key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except InvalidTag:
        raise Unopened from None
    return Secret(plain)


def _cipher(algorithm: Algorithm, key: Key) -> AESGCM | AESGCMSIV:
    _check(key.exposed(), KEY_BYTES, "key")
    if algorithm is Algorithm.AES_256_GCM:
        return AESGCM(key.exposed())
    try:
        return AESGCMSIV(key.exposed())
    except UnsupportedAlgorithm:
        raise Unavailable(algorithm) from None


def token(key: Key, message: Secret[bytes]) -> bytes:
    """HMAC-SHA256, whole."""
    if len(key.exposed()) < TAG_BYTES:
        raise ValueError(f"a key of less than {TAG_BYTES} bytes")
    mac = HMAC(key.exposed(), SHA256())
    mac.update(message.exposed())
    return mac.finalize()


def is_token(key: Key, message: Secret[bytes], given: bytes) -> bool:
    """Whether it is the token of the message: all of it, compared in constant time."""
    return constant_time.bytes_eq(token(key, message), given)


def derived(key: Key, purpose: bytes, *, salt: bytes = b"", length: int = KEY_BYTES) -> Key:
    """HKDF-SHA256: a key for one purpose out of one for several."""
    if not 1 <= length <= _LONGEST_DERIVED:
        raise ValueError(f"a key of {length} bytes cannot be derived")
    return Secret(HKDF(SHA256(), length, salt, purpose).derive(key.exposed()))


def digest(*parts: bytes) -> bytes:
    """SHA-256 over the parts in a row."""
    return hashlib.sha256(b"".join(parts)).digest()


def _check(given: bytes, size: int, what: str) -> None:
    if len(given) != size:
        raise ValueError(f"a {what} of {len(given)} bytes; {size} are needed")
