"""What is in a pack: each file with its length and SHA-256, signed by the key that sealed the history.

`manifest.json` is canonical JSON (RFC 8785). `manifest.note` is a C2SP signed note of its SHA-256 under the
name of the log: so every byte of the pack is signed for, the answers too, which no tree of events covers.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import sha256
from typing import Any, Final, Self

from attrs import frozen

from prakerja_ledger.domain.errors import InvalidEvidence, InvalidInput
from prakerja_ledger.domain.phrases import Phrase, text_of
from prakerja_ledger.domain.time import Instant, day, in_utc, instant
from prakerja_ledger.evidence.canonical import canonical_json
from prakerja_ledger.evidence.json_line import NotJson, load_object
from prakerja_ledger.evidence.note import Note, SignatureKind, Signer, Verifier
from prakerja_ledger.interfaces.pack.archive import Measured, refused
from prakerja_ledger.reading.view import View

FORMAT: Final = "prakerja-pack-1"
MANIFEST: Final = "manifest.json"
SIGNED: Final = "manifest.note"
CHECKPOINT: Final = "checkpoint"
LEAVES: Final = "leaves"
HISTORY: Final = "history.jsonl.gz"
COLUMNS: Final = "history.parquet"
STATEMENTS: Final = "statements.jsonl.gz"
FINDINGS: Final = "findings.jsonl.gz"
SCHEMES: Final = "schemes.json"
VERIFIER: Final = "verify.py"
README: Final = "README.md"
BACA: Final = "BACA-SAYA.md"
FILES: Final = (
    README,
    BACA,
    VERIFIER,
    CHECKPOINT,
    LEAVES,
    HISTORY,
    COLUMNS,
    STATEMENTS,
    FINDINGS,
    SCHEMES,
)
"""What a manifest lists, in the order in which it stands in the pack; the manifest and its note follow."""
ALL: Final = (*FILES, MANIFEST, SIGNED)
LONGEST: Final = 1 << 20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@frozen(kw_only=True)
class Manifest:
    """What a pack says of itself."""

    log: str
    """The name of the log: its origin."""
    release: str
    """Of prakerja-ledger, which worked out the answers."""
    as_of: date
    known_at: Instant | None
    events: int
    quarantined: int
    """Lines of the source that were not recorded, and so are not in the pack."""
    withheld: tuple[str, ...]
    """Participants whose statement, or some finding of whom, the list of holidays is too short for."""
    files: Mapping[str, Measured]

    @property
    def view(self) -> View:
        """The view that the answers were given in."""
        return View(as_of=self.as_of, known_at=self.known_at)

    def to_bytes(self) -> bytes:
        """The file."""
        files = [
            {"name": name, "sha256": one.sha256, "size": one.size}
            for name, one in self.files.items()
        ]
        return canonical_json(
            {
                "as_of": self.as_of.isoformat(),
                "events": self.events,
                "files": files,
                "format": FORMAT,
                "known_at": None if self.known_at is None else in_utc(self.known_at),
                "log": self.log,
                "quarantined": self.quarantined,
                "release": self.release,
                "withheld": list(self.withheld),
            }
        )

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Raises InvalidEvidence."""
        try:
            said = load_object(data)
            read = cls._of(said)
            written = read.to_bytes()
        except InvalidEvidence:
            raise
        except (NotJson, InvalidInput, KeyError, TypeError, ValueError, AttributeError) as error:
            problem = Phrase("its manifest cannot be read ({error}).", error=text_of(error))
            raise refused(problem) from None
        if written != data:
            raise refused(Phrase("its manifest is not written as manifests are."))
        return read

    @classmethod
    def _of(cls, said: Mapping[str, Any]) -> Self:
        if said["format"] != FORMAT:
            raise refused(
                Phrase(
                    "its format is {found}, and this release reads {format}.",
                    found=repr(said["format"]),
                    format=FORMAT,
                )
            )
        names = [one["name"] for one in said["files"]]
        if names != list(FILES):
            raise refused(Phrase("its manifest does not list the files of a pack."))
        return cls(
            log=_text(said["log"]),
            release=_text(said["release"]),
            as_of=day(said["as_of"]),
            known_at=None if said["known_at"] is None else instant(said["known_at"]),
            events=_count(said["events"]),
            quarantined=_count(said["quarantined"]),
            withheld=tuple(map(_text, said["withheld"])),
            files={one["name"]: _measured(one) for one in said["files"]},
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is no number")
    return value


def _measured(said: Mapping[str, Any]) -> Measured:
    digest = _text(said["sha256"])
    if not _SHA256.fullmatch(digest):
        raise ValueError(f"{digest!r} is no SHA-256")
    return Measured(_count(said["size"]), digest)


def _signed_text(log: str, manifest: bytes) -> str:
    return f"{FORMAT}\n{log}\n{b64encode(sha256(manifest).digest()).decode()}\n"


def signed(manifest: bytes, signer: Signer) -> bytes:
    """The note of a manifest, signed by the log's own key."""
    text = _signed_text(signer.verifier.name, manifest)
    return bytes(Note(text, (signer.signature(text),)))


def check_signed(
    manifest: Manifest, data: bytes, note: bytes, verifiers: Iterable[Verifier]
) -> None:
    """Raise InvalidEvidence unless a key of the log that is trusted has signed the manifest."""
    given = Note.read(note)
    signers = given.signed_by(verifiers)
    own = {one.name for one, _ in signers if one.kind is SignatureKind.ED25519}
    if manifest.log not in own:
        raise refused(
            Phrase("no key that is trusted signs its manifest for {log}.", log=repr(manifest.log))
        )
    if len(given.signatures) > 1:
        raise refused(Phrase("its note has more signatures than that of the log."))
    if given.text != _signed_text(manifest.log, data):
        raise refused(Phrase("its note was signed for another manifest."))
