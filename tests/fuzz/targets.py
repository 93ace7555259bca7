"""What is fuzzed, and what must hold whatever the bytes are.

Each target has seeds that are accepted, and a check that is given any bytes. Nothing but the one typed
error may be raised; and what is accepted must say just what a seed says: no mutation is ever believed.
(Signatures of keys that nobody trusts are passed over, as C2SP has it, and may be anything.)
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.errors import InvalidEvidence, NotCanonical
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.evidence.canonical import canonical_json, event_bytes, told
from prakerja_ledger.evidence.checkpoint import Checkpoint, Head, cosigned, opened, sealed
from prakerja_ledger.evidence.json_line import NotJson, load_object
from prakerja_ledger.evidence.leaves import LeavesFile, write_leaves
from prakerja_ledger.evidence.note import Note, SignatureKind, Signer, Verifier
from prakerja_ledger.evidence.proof import (
    EventsProof,
    ProvedEvent,
    checked_proof,
    consistency_proof_file,
    events_proof,
)
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.interfaces.growing import grown
from prakerja_ledger.interfaces.logs import open_logs
from prakerja_ledger.interfaces.pack import manifest as pack
from prakerja_ledger.interfaces.pack.archive import Archive
from prakerja_ledger.interfaces.pack.making import make_pack
from prakerja_ledger.interfaces.pack.opened import listed
from prakerja_ledger.interfaces.proving import consistency_proved, events_proved
from prakerja_ledger.interfaces.receipt import checked_receipt, make_receipt
from prakerja_ledger.interfaces.source import open_history
from prakerja_ledger.reading.view import View
from tests.ledger_support import as_bytes, enrolment

Check = Callable[[bytes], None]


@frozen
class Target:
    """A parser."""

    seeds: Sequence[bytes]
    check: Check


# the same keys each time, so that an input that was found can be tried again
LOG: Final = Signer._of("ledger.example/2020", SignatureKind.ED25519, bytes(range(32)))
WITNESS: Final = Signer._of("witness.example", SignatureKind.COSIGNATURE, bytes(range(32, 64)))
SEEN_AT: Final = 1_600_000_000
KEYS: Final = (LOG.verifier, WITNESS.verifier)
LINES: Final = tuple(as_bytes(enrolment(f"P-{n}", id=f"e-{n}")) for n in range(7))
VIEW: Final = View(as_of=date(2020, 12, 31))


def _history(folder: Path, count: int = len(LINES)) -> str:
    path = folder / f"history-{count}.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in LINES[:count]))
    return str(path)


def _sealed(source: str) -> Note:
    with open_logs(source) as logs, grown(logs, 1, keep=False) as found:
        note = sealed(found.checkpoint(LOG.verifier.name), LOG)
    return cosigned(note, WITNESS, SEEN_AT)


def note() -> Target:
    """A signed note and its signatures."""
    sharded = Checkpoint(LOG.verifier.name, (Head(3, b"a" * 32), Head(4, b"b" * 32)))
    with tempfile.TemporaryDirectory() as folder:
        good = [_sealed(_history(Path(folder))), sealed(sharded, LOG)]
    texts = {one.text for one in good}

    def check(data: bytes) -> None:
        with suppress(InvalidEvidence):
            assert bytes(Note.read(data)) == data, "a note has one spelling"
        with suppress(InvalidEvidence):
            trusted = opened(data, KEYS)
            assert trusted.note.text in texts, "a text that nobody signed"
            assert all(one.at == SEEN_AT for one in trusted.witnesses), "a time nobody signed"

    return Target([bytes(one) for one in good], check)


def checkpoint() -> Target:
    """The text of a checkpoint."""
    seeds = [
        Checkpoint("a", (Head(0, b"0" * 32),)),
        Checkpoint("log", (Head(3, b"a" * 32), Head(4, b"b" * 32)), None, ("more", "lines")),
    ]

    def check(data: bytes) -> None:
        with suppress(InvalidEvidence, UnicodeDecodeError):
            text = data.decode()
            assert Checkpoint.read(text).text == text, "a checkpoint has one spelling"

    return Target([one.text.encode() for one in seeds], check)


def key() -> Target:
    """Keys in text."""

    def check(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        with suppress(InvalidEvidence):
            assert str(Verifier.read(text)) == text, "a key has one spelling"
        with suppress(InvalidEvidence):
            assert Signer.read(text).secret().strip() == text.strip()

    return Target([str(LOG.verifier).encode(), str(WITNESS.verifier).encode(), LOG.secret().encode()], check)


def proof() -> Target:
    """Proofs of events, and that one checkpoint follows another."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        early, late = _sealed(_history(folder, 3)), _sealed(_history(folder))
        old, new = (Checkpoint.read(one.text) for one in (early, late))
        with open_logs(_history(folder)) as logs:
            proved = events_proved(logs, new, lambda _, event: event.subject in ("P-1", "P-6"))
            seeds = [
                events_proof(late, proved),
                consistency_proof_file(early, late, consistency_proved(logs, old, new)),
            ]

    events = set(map(_believed, proved))

    def check(data: bytes) -> None:
        with suppress(InvalidEvidence):
            found = checked_proof(data, KEYS)
            if isinstance(found, EventsProof):
                assert found.trusted.note.text == late.text, "a text that nobody signed"
                assert set(map(_believed, found.events)) <= events, "an event that nobody sealed"
            else:
                texts = (found.earlier.note.text, found.later.note.text)
                assert texts in {(early.text, late.text), *((one.text,) * 2 for one in (early, late))}

    return Target(seeds, check)


def _believed(event: ProvedEvent) -> tuple[int, bytes]:
    """What is believed of an event: its shard, and its canonical bytes with its place in them."""
    return event.shard, event_bytes(event.line, event.position)


def receipt() -> Target:
    """A participant's receipt."""
    with tempfile.TemporaryDirectory() as name:
        source = _history(Path(name))
        with open_logs(source) as logs, open_history(source) as history:
            seed = make_receipt(logs, history, "P-3", VIEW, _sealed(source)).data
    made = checked_receipt(seed, KEYS, KARTU_PRAKERJA)
    assert made.proof is not None
    said = statement_json(made.statement)
    events = set(map(_believed, made.proof.events))

    def check(data: bytes) -> None:
        with suppress(InvalidEvidence):
            found = checked_receipt(data, KEYS, KARTU_PRAKERJA)
            assert found.proof is not None
            assert found.note.text == made.note.text, "a text that nobody signed"
            assert set(map(_believed, found.proof.events)) <= events, "an event that nobody sealed"
            # of another day the same events may say something else, and it is worked out from them
            assert found.view != made.view or statement_json(found.statement) == said

    return Target([seed], check)


def archive() -> Target:
    """A pack, as far as anything of it is believed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pack(_history(folder), folder / "pack.zip", KARTU_PRAKERJA, VIEW, LOG)
        seed = (folder / "pack.zip").read_bytes()

    def check(data: bytes) -> None:
        with suppress(InvalidEvidence):
            found = Archive.over(io.BytesIO(data))
            manifest = listed(found)
            text = found.read(pack.MANIFEST, pack.LONGEST)
            pack.check_signed(manifest, text, found.read(pack.SIGNED, pack.LONGEST), KEYS)
            fine = all(found.measure(file) == one for file, one in manifest.files.items())
            assert not fine or data == seed, "a pack that nobody signed"

    return Target([seed], check)


def manifest() -> Target:
    """The manifest of a pack."""
    seed = archive().seeds[0]
    data = Archive.over(io.BytesIO(seed)).read(pack.MANIFEST, pack.LONGEST)

    def check(data: bytes) -> None:
        with suppress(InvalidEvidence):
            assert pack.Manifest.read(data).to_bytes() == data, "a manifest has one spelling"

    return Target([data], check)


def leaves() -> Target:
    """A file of leaves."""
    with tempfile.TemporaryDirectory() as folder:
        source = _history(Path(folder))
        good = Checkpoint.read(_sealed(source).text)
        with open_logs(source) as logs, grown(logs, 1, keep=True) as found:
            made = io.BytesIO()
            write_leaves(made, found.logs, found.asides)
            seed = made.getvalue()

    def check(data: bytes) -> None:
        with suppress(InvalidEvidence):
            found = LeavesFile(data, good).leaves()
            assert found is None or data == seed, "leaves of another history"

    return Target([seed], check)


def event() -> Target:
    """The canonical bytes of a line."""

    def check(data: bytes) -> None:
        with suppress(NotCanonical):
            told(data)
            made = event_bytes(data, 7)
            with suppress(NotJson):
                inner = load_object(made)
                assert canonical_json(inner) == made, "canonical bytes are canonical JSON"

    return Target([*LINES[:2], b'{"x1":[1.5,{"a":null}],"specversion":"1.0"}'], check)
