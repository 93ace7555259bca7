"""Signed notes (C2SP signed-note v1) and the keys that sign them.

A note is text that ends in a line feed, an empty line, and a line for each signature: an em dash, a
space, the name of the key, a space, and in base64 the key's id and the signature. Two kinds of signature
are known: Ed25519 of the text (1), and a witness's timestamped cosignature (C2SP tlog-cosignature, 4).

The text of a note says nothing until `Note.signed_by` has found a signature of a key that is trusted.
Whatever bytes come in, they are read or refused with InvalidEvidence.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from enum import IntEnum
from hashlib import sha256
from typing import Final, Self

from attrs import field, frozen

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.domain.fields import shown
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence import signing

LONGEST_NOTE: Final = 1 << 20
"""Bytes; a checkpoint of the largest number of shards has a tenth of that."""
MOST_SIGNATURES: Final = 64
_PRIVATE: Final = "PRIVATE+KEY+"
_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_LONGEST_NAMES: Final = 200
_LARGEST_TIME: Final = 2**63 - 1
_DASH: Final = "\u2014 "


class SignatureKind(IntEnum):
    """What a key's signature is made of; the numbers are those of C2SP."""

    ED25519 = 1
    """Of the text."""
    COSIGNATURE = 4
    """Of a checkpoint and the time at which a witness saw it."""


def decoded(text: str, kind: str) -> bytes:
    """The bytes of base64, of which each has one spelling only. Raises InvalidEvidence."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or encoded(raw) != text:
        raise InvalidEvidence(kind=kind, problem=Phrase("{text} is not base64.", text=shown(text)))
    return raw


def encoded(raw: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(raw).decode()


def check_key_name(name: str) -> str:
    """The name, if a key may have it. Raises InvalidEvidence."""
    if not name or "+" in name or any(one.isspace() or one < " " for one in name):
        raise InvalidEvidence(
            kind=Phrase("name of a key"),
            problem=Phrase(
                "{name} is empty, or has a space, a plus sign or a control character in it. Write it "
                "like an address: ledger.example/2020.",
                name=shown(name),
            ),
        )
    return name


@frozen
class Verifier:
    """A public key, with the name that it signs under."""

    name: str
    kind: SignatureKind
    public: bytes
    key_id: bytes = field(init=False)
    """Four bytes that tell a key from others of its name."""

    def __attrs_post_init__(self) -> None:
        """The id follows from the rest."""
        told = b"%b\n%c%b" % (self.name.encode(), self.kind, self.public)
        object.__setattr__(self, "key_id", sha256(told).digest()[:_ID_BYTES])

    @classmethod
    def read(cls, text: str) -> Self:
        """The verifier key `NAME+ID+KEY`. Raises InvalidEvidence."""
        kind, public, name, given_id = _key_of(text, Phrase("verifier key"))
        if len(public) != signing.PUBLIC_BYTES:
            raise _no_key(
                Phrase("verifier key"),
                Phrase("its key has {size} bytes, expected 32.", size=len(public)),
            )
        read = cls(name, kind, public)
        if read.key_id.hex() != given_id:
            raise _no_key(
                Phrase("verifier key"),
                Phrase("its id is {id}, but that of its key is another.", id=given_id),
            )
        return read

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encoded(bytes([self.kind]) + self.public)}"


@frozen
class Signer:
    """A private key, with the name that it signs under."""

    verifier: Verifier
    _seed: bytes = field(repr=False)

    @classmethod
    def new(cls, name: str, kind: SignatureKind = SignatureKind.ED25519) -> Self:
        """A new key. Raises InvalidEvidence for what is no name of a key."""
        return cls._of(check_key_name(name), kind, signing.new_seed())

    @classmethod
    def _of(cls, name: str, kind: SignatureKind, seed: bytes) -> Self:
        return cls(Verifier(name, kind, signing.public_of(seed)), seed)

    @classmethod
    def read(cls, text: str) -> Self:
        """The private key that `secret` wrote. Raises InvalidEvidence, which shows nothing of it."""
        text = text.strip()
        if not text.startswith(_PRIVATE):
            raise _no_key(
                Phrase("private key"), Phrase("it does not begin with {begins}.", begins=_PRIVATE)
            )
        kind, seed, name, given_id = _key_of(text.removeprefix(_PRIVATE), Phrase("private key"))
        if len(seed) != signing.SEED_BYTES:
            raise _no_key(
                Phrase("private key"),
                Phrase("its key has {size} bytes, expected 32.", size=len(seed)),
            )
        read = cls._of(name, kind, seed)
        if read.verifier.key_id.hex() != given_id:
            raise _no_key(Phrase("private key"), Phrase("its id is not that of its key."))
        return read

    def secret(self) -> str:
        """The key as it is kept in a file."""
        key = encoded(bytes([self.verifier.kind]) + self._seed)
        return f"{_PRIVATE}{self.verifier.name}+{self.verifier.key_id.hex()}+{key}\n"

    def signature(self, text: str, *, at: int | None = None) -> Signature:
        """The signature of a text; `at`, in seconds since 1970, is what a witness's key needs."""
        timed = self.verifier.kind is SignatureKind.COSIGNATURE
        assert timed == (at is not None), "a witness says when, and nobody else does"
        if at is None:
            raw = signing.sign(self._seed, text.encode())
        else:
            raw = at.to_bytes(_TIME_BYTES) + signing.sign(self._seed, _cosigned(text, at))
        return Signature(self.verifier.name, self.verifier.key_id, raw)


def _key_of(text: str, kind: Phrase) -> tuple[SignatureKind, bytes, str, str]:
    """The parts of a key in text. Nothing of them is shown: what looks like one may be a secret."""
    name, _, rest = text.partition("+")
    key_id, _, key = rest.partition("+")
    try:
        check_key_name(name)
        raw = decoded(key, kind)
        return SignatureKind(raw[0]), raw[1:], name, key_id
    except (InvalidEvidence, ValueError):
        raise _no_key(
            kind, Phrase("it is not of the form NAME+ID+KEY, with an Ed25519 key in base64.")
        ) from None


def _no_key(kind: Phrase, problem: Phrase) -> InvalidEvidence:
    return InvalidEvidence(kind=kind, problem=problem)


def _cosigned(text: str, at: int) -> bytes:
    """What a witness signs."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


@frozen
class Signature:
    """A signature line. What it says of its key is a claim until it is checked."""

    name: str
    key_id: bytes
    raw: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encoded(self.key_id + self.raw)}\n"

    def is_of(self, verifier: Verifier) -> bool:
        """Whether it claims to be that key's."""
        return (self.name, self.key_id) == (verifier.name, verifier.key_id)

    @property
    def at(self) -> int:
        """When a witness says to have seen it, in seconds since 1970."""
        return int.from_bytes(self.raw[:_TIME_BYTES])

    def holds(self, verifier: Verifier, text: str) -> bool:
        """Whether it is that key's signature of the text."""
        if verifier.kind is SignatureKind.ED25519:
            return signing.is_signed(verifier.public, self.raw, text.encode())
        return self.at <= _LARGEST_TIME and signing.is_signed(
            verifier.public, self.raw[_TIME_BYTES:], _cosigned(text, self.at)
        )


@frozen
class Note:
    """A text and the signatures below it, none of them checked yet."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def read(cls, data: bytes) -> Self:
        """The note that these bytes are. Raises InvalidEvidence, and nothing else, whatever they are."""
        text, lines = _parts(data)
        signatures = tuple(map(_signature, lines))
        if len({(one.name, one.key_id) for one in signatures}) != len(signatures):
            raise _no_note(Phrase("a key signs it twice."))
        return cls(text, signatures)

    def __bytes__(self) -> bytes:
        return (self.text + "\n" + "".join(map(str, self.signatures))).encode()

    def also_signed(self, signature: Signature) -> Note:
        """The note with one signature more; it takes the place of an earlier one of that key."""
        others = [
            one
            for one in self.signatures
            if (one.name, one.key_id) != (signature.name, signature.key_id)
        ]
        return Note(self.text, (*others, signature))

    def signed_by(self, verifiers: Iterable[Verifier]) -> list[tuple[Verifier, Signature]]:
        """The signatures of these keys, checked; other keys' are passed over.

        Raises InvalidEvidence where one of them does not hold, or there is none.
        """
        found = []
        for verifier in dict.fromkeys(verifiers):
            for one in self.signatures:
                if one.is_of(verifier):
                    if not one.holds(verifier, self.text):
                        raise _no_note(
                            Phrase(
                                "the signature of {name} does not fit its text.", name=verifier.name
                            )
                        )
                    found.append((verifier, one))
        if not found:
            names = ", ".join(shown(name) for name in sorted({one.name for one in self.signatures}))
            raise _no_note(
                Phrase(
                    "none of the keys that are trusted signed it. Signed, so it says, by: {names}.",
                    names=names if len(names) < _LONGEST_NAMES else f"{names[:_LONGEST_NAMES]}...",
                )
            )
        return found


def _parts(data: bytes) -> tuple[str, Sequence[str]]:
    """The text and the signature lines."""
    if len(data) > LONGEST_NOTE:
        raise _no_note(Phrase("it is longer than {longest} bytes.", longest=LONGEST_NOTE))
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise _no_note(Phrase("it is not UTF-8.")) from None
    if any(one < " " and one != "\n" for one in whole):
        raise _no_note(Phrase("there are control characters in it; its lines end in LF alone."))
    text, blank, below = whole.rpartition("\n\n")
    if not blank or not text or not below.endswith("\n"):
        raise _no_note(Phrase("it is not a text, an empty line, and lines of signatures."))
    lines = below[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise _no_note(Phrase("it has more than {most} signatures.", most=MOST_SIGNATURES))
    return f"{text}\n", lines


def _signature(line: str) -> Signature:
    name, _, rest = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        raise _no_note(Phrase("{line} is no line of a signature.", line=shown(line)))
    check_key_name(name)
    raw = decoded(rest, Phrase("signed note"))
    if len(raw) <= _ID_BYTES:
        raise _no_note(Phrase("the signature of {name} is too short.", name=name))
    return Signature(name, raw[:_ID_BYTES], raw[_ID_BYTES:])


def _no_note(problem: Phrase) -> InvalidEvidence:
    return InvalidEvidence(kind=Phrase("signed note"), problem=problem)
