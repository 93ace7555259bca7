"""What both verifiers are fuzzed with at once: bytes that one of them believes and the other does not are a fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prakerja_ledger.domain.errors import InvalidEvidence, NotCanonical
from prakerja_ledger.evidence import second_verifier as second
from prakerja_ledger.evidence.canonical import event_bytes
from prakerja_ledger.evidence.checkpoint import Checkpoint, Head, opened
from prakerja_ledger.evidence.merkle import leaf_hash
from prakerja_ledger.evidence.note import Note, Verifier
from prakerja_ledger.evidence.proof import checked_proof
from tests.fuzz import targets
from tests.fuzz.targets import KEYS, Target

TEXTS = [str(key) for key in KEYS]


def answer(ask: Callable[[], Any], refusals: type[Exception] | tuple[type[Exception], ...]) -> Any:
    """What is believed; None where it is refused."""
    try:
        return ask()
    except refusals:
        return None


def note_twice() -> Target:
    """A signed checkpoint, by both verifiers."""

    def first(data: bytes) -> Any:
        found = opened(data, KEYS)
        heads = [(log.size, log.root) for log in found.checkpoint.logs]
        return found.note.text, found.checkpoint.origin, found.checkpoint.size, found.checkpoint.root, heads

    def other(data: bytes) -> Any:
        found = second.Checkpoint(data, TEXTS)
        return found.text, found.origin, found.size, found.root, found.logs

    def check(data: bytes) -> None:
        one = answer(lambda: first(data), InvalidEvidence)
        assert one == answer(lambda: other(data), second.ERRORS), "the verifiers disagree"

    return Target(targets.note().seeds, check)


def checkpoint_twice() -> Target:
    """What a log signs as its checkpoint, whatever it is, by both."""
    signer = targets.LOG

    def first(data: bytes) -> Any:
        found = opened(data, KEYS).checkpoint
        return found.origin, found.size, found.root, [(log.size, log.root) for log in found.logs], found.asides

    def other(data: bytes) -> Any:
        found = second.Checkpoint(data, TEXTS)
        asides = Head(found.asides, found.asides_root) if "\nasides " in found.text else None
        return found.origin, found.size, found.root, found.logs, asides

    def check(data: bytes) -> None:
        try:
            text = f"{signer.verifier.name}\n{data.decode()}"
        except UnicodeDecodeError:
            return
        made = bytes(Note(text, (signer.signature(text),)))
        one = answer(lambda: first(made), InvalidEvidence)
        assert one == answer(lambda: other(made), second.ERRORS), "the verifiers disagree"

    logs = (Head(3, b"a" * 32), Head(4, b"b" * 32))
    seeds = [
        Checkpoint(signer.verifier.name, logs, Head(2, b"c" * 32), ("more",)),
        Checkpoint(signer.verifier.name, logs[:1]),
        Checkpoint(signer.verifier.name, logs[:1], Head(2, b"c" * 32)),
    ]
    return Target([one.text.partition("\n")[2].encode() for one in seeds], check)


def key_twice() -> Target:
    """A verifier key, by both."""

    def check(data: bytes) -> None:
        text = data.decode("utf-8", "replace").strip()
        if "\0" in text or "/" in text.split("+")[0] or "\n" in text:  # it would be the name of a file, or none
            return
        one = answer(lambda: str(Verifier.read(text)), InvalidEvidence)
        assert one == answer(lambda: second.key_of(text), (second.NoKey, OSError)), "the verifiers disagree"

    return Target([key.encode() for key in TEXTS], check)


def proof_twice() -> Target:
    """A proof, by both verifiers."""

    def check(data: bytes) -> None:
        one = answer(lambda: bool(checked_proof(data, KEYS)), InvalidEvidence)
        assert one == answer(lambda: bool(second.verify_proof(data, TEXTS)), second.ERRORS), "the verifiers disagree"

    return Target(targets.proof().seeds, check)


def event_twice() -> Target:
    """The leaf of a line, by both verifiers."""

    def check(data: bytes) -> None:
        if b"\n" in data:
            return
        one = answer(lambda: leaf_hash(event_bytes(data, 7)), NotCanonical)
        other = answer(lambda: second.Event(data.strip(b" \t\r")).leaf(7), second.ERRORS)
        assert one == other, "the verifiers disagree"

    named = b'"source":"s","id":"i","type":"t","subject":"p"'
    odd = b'{%b,"x1":{"b":"\\u00e9","a":[1e2,-0,12345678901234567890]},"data":{"n":[1,true,null,{}]}}' % named
    return Target([*targets.LINES[:2], odd], check)
