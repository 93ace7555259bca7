"""The vault's keys, which lie apart from its data: in files that one user can read, or with a KMS.

Two kinds. A *wrapping key* seals the data keys, one of which each participant has; without it nothing is
shown. A *look-up key* turns a NIK, a telephone or an account number into a token that can be compared;
without it nobody is found. A plain hash would do for neither: there are about 4 × 10^10 possible NIKs,
which is minutes of trying. Who may only find people is given a folder with the look-up key alone.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import field, frozen

from prakerja_ledger.domain.errors import KeyRefused
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.vault import crypto
from prakerja_ledger.vault.crypto import Algorithm, Key
from prakerja_ledger.vault.secret import Secret

VERSION: Final = 1
_SUFFIX: Final = ".key"
_ID: Final = re.compile(r"(wrapping|look-up)-[0-9a-f]{32}", re.ASCII).fullmatch


class Use(StrEnum):
    """What a key is for; a file says it, and no key serves two uses."""

    WRAPPING = "wrapping"
    LOOK_UP = "look-up"


class WrappingKey(Protocol):
    """Seals data keys. `bound` is what a sealed key belongs to, and must be given again to open it."""

    @property
    def id(self) -> str:
        """What is stored beside each data key that it sealed."""

    @property
    def algorithm(self) -> str:
        """How it seals; stored likewise."""

    def wrap(self, key: Key, bound: bytes) -> bytes:
        """A data key, sealed."""

    def unwrap(self, wrapped: bytes, algorithm: str, bound: bytes) -> Key:
        """The data key. Raises crypto.Unopened."""


@frozen(kw_only=True)
class FileKey:
    """A key out of a file: to wrap with, or to look up with."""

    id: str
    secret: Key
    algorithm: Algorithm = Algorithm.AES_256_GCM_SIV

    def wrap(self, key: Key, bound: bytes) -> bytes:
        """A data key, sealed."""
        return crypto.seal(self.algorithm, self.secret, key, bound)

    def unwrap(self, wrapped: bytes, algorithm: str, bound: bytes) -> Key:
        """The data key. Raises crypto.Unopened."""
        return crypto.open_sealed(Algorithm(algorithm), self.secret, wrapped, bound)

    def token(self, purpose: bytes, message: Secret[bytes]) -> bytes:
        """What a value is looked up by. Each purpose has a key of its own: tokens of two tell nothing."""
        return crypto.token(crypto.derived(self.secret, purpose), message)


@frozen(kw_only=True)
class ManagedKey:
    """A wrapping key that never leaves a key management service: two callables that ask it.

    Both get the bytes of a data key (bare or wrapped) and what it is bound to, which most services take
    as their encryption context or associated data. Whatever they raise goes on to the caller.
    """

    id: str
    seal: Callable[[bytes, bytes], bytes] = field(repr=False)
    open: Callable[[bytes, bytes], bytes] = field(repr=False)
    algorithm: str = "managed"

    def wrap(self, key: Key, bound: bytes) -> bytes:
        """A data key, sealed by the service."""
        return self.seal(key.exposed(), bound)

    def unwrap(self, wrapped: bytes, algorithm: str, bound: bytes) -> Key:  # noqa: ARG002  # its own
        """The data key, as the service opens it."""
        return Secret(self.open(wrapped, bound))


@frozen(kw_only=True)
class Keys:
    """The keys at hand, by id. Which of them are in use the vault itself says."""

    wrapping: Mapping[str, WrappingKey] = field(factory=dict, repr=False)
    look_up: Mapping[str, FileKey] = field(factory=dict, repr=False)

    def wrapping_key(self, id: str) -> WrappingKey:
        """Raises KeyRefused where it is not at hand."""
        return self.wrapping.get(id) or _missing(id)

    def look_up_key(self, id: str) -> FileKey:
        """Raises KeyRefused where it is not at hand."""
        return self.look_up.get(id) or _missing(id)


NO_KEYS: Final = Keys()


def _missing(id: str) -> Any:
    raise KeyRefused(
        key=id,
        problem=Phrase("it is not at hand. Name the folder that holds it with --keys FOLDER."),
    )


def make_key(folder: Path, use: Use, algorithm: Algorithm = Algorithm.AES_256_GCM_SIV) -> FileKey:
    """Make a key and its file, which only its owner can read. Raises KeyRefused for an open folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(folder)
    key = FileKey(id=crypto.random_id(f"{use}-"), secret=crypto.new_key(), algorithm=algorithm)
    _write_new(folder / f"{key.id}{_SUFFIX}", _text_of(key, use))
    _make_durable(folder)
    return key


def _text_of(key: FileKey, use: Use) -> Secret[bytes]:
    told = {
        "prakerja-vault-key": VERSION,
        "id": key.id,
        "use": use,
        "algorithm": key.algorithm,
        "secret": base64.b64encode(key.secret.exposed()).decode(),
    }
    return Secret(json.dumps(told, indent=1).encode() + b"\n")


def _write_new(path: Path, text: Secret[bytes]) -> None:
    """The mode is set as the file is made: there is no moment in which others could open it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.exposed())
        file.flush()
        os.fsync(descriptor)


def _make_durable(folder: Path) -> None:
    """A key whose name the disk forgets at a power cut would take what it sealed with it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keys_in(folder: Path) -> Keys:
    """Every key of a folder. Raises KeyRefused for one that others can read, or that is no key."""
    if not folder.is_dir():
        raise KeyRefused(key=str(folder), problem=Phrase("there is no such folder. Name another."))
    _check_private(folder)
    found: dict[Use, dict[str, FileKey]] = {Use.WRAPPING: {}, Use.LOOK_UP: {}}
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        use, key = _read(path)
        found[use][key.id] = key
    return Keys(wrapping=found[Use.WRAPPING], look_up=found[Use.LOOK_UP])


def _check_private(path: Path) -> None:
    """Raise KeyRefused for what others than its owner may read or replace, or somebody else owns."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise KeyRefused(key=str(path), problem=Phrase("it is a link. Name the place itself."))
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise KeyRefused(
            key=str(path),
            problem=Phrase(
                "its mode is {mode}, so others can get at it. Make a new key if they may have, and run "
                "chmod go= on it.",
                mode=f"{mode:04o}",
            ),
        )
    if status.st_uid != os.geteuid():
        raise KeyRefused(key=str(path), problem=Phrase("another user owns it. Own it yourself."))


def _read(path: Path) -> tuple[Use, FileKey]:
    _check_private(path)
    found = _parsed(Secret(path.read_bytes()))
    if found is None or path.name != f"{found[1].id}{_SUFFIX}":
        raise KeyRefused(
            key=str(path),
            problem=Phrase(
                "it is no key file of version {version} under its own name. Bring back the one that "
                "vault init or vault rotate wrote.",
                version=VERSION,
            ),
        )
    return found


def _parsed(text: Secret[bytes]) -> tuple[Use, FileKey] | None:
    """What a key file says; None for anything else. Never raises: its variables hold the key."""
    try:
        told = json.loads(text.exposed())
        use, secret = Use(told["use"]), base64.b64decode(told["secret"], validate=True)
        key = FileKey(
            id=str(told["id"]), secret=Secret(secret), algorithm=Algorithm(told["algorithm"])
        )
        version = told["prakerja-vault-key"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    named = _ID(key.id)
    if version != VERSION or len(secret) != crypto.KEY_BYTES or named is None or named[1] != use:
        return None
    return use, key


def destroy_key(folder: Path, id: str) -> None:
    """Overwrite and remove a key's file. Copies of it elsewhere are not known here."""
    path = folder / f"{id}{_SUFFIX}"
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    _make_durable(folder)
