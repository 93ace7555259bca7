"""Proofs: some events of a sealed history, or that one checkpoint follows another, for whoever has nothing else.

A proof is a file of canonical JSON. That of events, format `prakerja-proof-1`:

    {"checkpoint": NOTE, "events": [{"line": …, "path": [HASH, …], "position": …, "shard": …}, …],
     "format": "prakerja-proof-1"}

`checkpoint` is the signed note as text, `line` the event's line, `path` the hashes in base64 that lead from
its leaf to the root of its log; `shard` is there where there are several. That of consistency, format
`prakerja-consistency-1`, has `checkpoint` and `earlier`, and `paths` with the hashes of each log.

That events are in a history is proved; that these are all there are of somebody is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from prakerja_ledger.domain.errors import InvalidEvidence, NotCanonical
from prakerja_ledger.domain.phrases import Phrase, phrase_of
from prakerja_ledger.evidence.canonical import canonical_json, event_bytes
from prakerja_ledger.evidence.checkpoint import Trusted, opened
from prakerja_ledger.evidence.json_line import NotJson, load_object
from prakerja_ledger.evidence.merkle import (
    EMPTY_ROOT,
    check_consistency,
    check_inclusion,
    leaf_hash,
)
from prakerja_ledger.evidence.note import Note, Verifier, decoded, encoded

EVENTS_FORMAT: Final = "prakerja-proof-1"
CONSISTENCY_FORMAT: Final = "prakerja-consistency-1"
LONGEST_PROOF: Final = 1 << 23
"""Bytes: enough for five thousand events. Before its signature is checked it has to be read."""
FIRST_BYTES: Final = b'{"checkpoint":'
"""How every proof begins, and no history."""


@frozen
class ProvedEvent:
    """An event, where it stands, and the way from it to the root."""

    shard: int
    position: int
    line: bytes
    path: tuple[bytes, ...]


@frozen
class EventsProof:
    """Some events of a checkpoint's history."""

    trusted: Trusted
    events: tuple[ProvedEvent, ...]


@frozen
class ConsistencyProof:
    """That one checkpoint's history is the beginning of another's."""

    earlier: Trusted
    later: Trusted


def events_proof(note: Note, events: Iterable[ProvedEvent]) -> bytes:
    """The file that proves these events."""
    shards = "\nshard " in note.text
    told = [
        {
            "line": one.line.decode(),
            "path": [encoded(step) for step in one.path],
            "position": one.position,
            **({"shard": one.shard} if shards else {}),
        }
        for one in sorted(events, key=lambda one: (one.shard, one.position))
    ]
    return _file({"checkpoint": _text(note), "events": told, "format": EVENTS_FORMAT})


def consistency_proof_file(earlier: Note, later: Note, paths: Sequence[Sequence[bytes]]) -> bytes:
    """The file that proves that one checkpoint follows the other."""
    told = [[encoded(step) for step in path] for path in paths]
    given = {"checkpoint": _text(later), "earlier": _text(earlier), "paths": told}
    return _file({**given, "format": CONSISTENCY_FORMAT})


def _text(note: Note) -> str:
    return bytes(note).decode()


def _file(given: Mapping[str, Any]) -> bytes:
    return canonical_json(dict(given)) + b"\n"


def checked_proof(data: bytes, verifiers: Sequence[Verifier]) -> EventsProof | ConsistencyProof:
    """What a file proves. Raises InvalidEvidence unless it proves it, whatever the bytes are."""
    given = _object(data)
    form = given.get("format")
    if form == EVENTS_FORMAT and given.keys() == {"checkpoint", "events", "format"}:
        return _checked_events(given, verifiers)
    if form == CONSISTENCY_FORMAT and given.keys() == {"checkpoint", "earlier", "format", "paths"}:
        return _checked_consistency(given, verifiers)
    raise _no_proof(
        Phrase(
            "its format is neither {events} nor {consistency}.",
            events=EVENTS_FORMAT,
            consistency=CONSISTENCY_FORMAT,
        )
    )


def _object(data: bytes) -> dict[str, Any]:
    """Canonical JSON only: of one proof there is one file."""
    if len(data) > LONGEST_PROOF:
        raise _no_proof(Phrase("it is longer than {longest} bytes.", longest=LONGEST_PROOF))
    try:
        given = load_object(data, longest=LONGEST_PROOF)
        if canonical_json(given) + b"\n" != data:
            raise _no_proof(Phrase("it is not spelt in canonical JSON."))
    except (NotJson, NotCanonical) as error:
        raise _no_proof(phrase_of(error)) from None
    return given


def _checked_events(given: Mapping[str, Any], verifiers: Sequence[Verifier]) -> EventsProof:
    trusted = _trusted(given["checkpoint"], verifiers)
    logs = trusted.checkpoint.logs
    events = tuple(_event(one, len(logs)) for one in _list(given["events"]))
    if not events:
        raise _no_proof(Phrase("there is no event in it."))
    places = [(one.shard, one.position) for one in events]
    if places != sorted(set(places)):
        raise _no_proof(Phrase("its events are not each once, in the order of their positions."))
    for one in events:
        log = logs[one.shard]
        try:
            leaf = leaf_hash(event_bytes(one.line, one.position))
        except NotCanonical as error:
            raise _no_proof(phrase_of(error)) from None
        check_inclusion(one.position - 1, log.size, leaf, log.root, one.path)
    return EventsProof(trusted, events)


def _event(given: Any, shards: int) -> ProvedEvent:
    names = {"line", "path", "position"} | ({"shard"} if shards > 1 else set())
    if not isinstance(given, dict) or given.keys() != names:
        raise _no_proof(
            Phrase("an event has other fields than {names}.", names=", ".join(sorted(names)))
        )
    shard, position, line = given.get("shard", 0), given["position"], given["line"]
    if type(shard) is not int or type(position) is not int or not isinstance(line, str):
        raise _no_proof(Phrase("shard and position are numbers, and a line is text."))
    if not (0 <= shard < shards and position >= 1):
        raise _no_proof(
            Phrase(
                "there is no position {position} of shard {shard}.", position=position, shard=shard
            )
        )
    return ProvedEvent(shard, position, line.encode(), _path(given["path"]))


def _checked_consistency(
    given: Mapping[str, Any], verifiers: Sequence[Verifier]
) -> ConsistencyProof:
    earlier = _trusted(given["earlier"], verifiers)
    later = _trusted(given["checkpoint"], verifiers)
    paths = [_path(one) for one in _list(given["paths"])]
    old, new = earlier.checkpoint, later.checkpoint
    if old.origin != new.origin or not len(old.logs) == len(new.logs) == len(paths):
        raise _no_proof(Phrase("its checkpoints are of different logs."))
    for low, high, path in zip(old.logs, new.logs, paths, strict=True):
        if low.size == 0 and low.root == EMPTY_ROOT and not path:
            continue
        check_consistency(low.size, high.size, low.root, high.root, path)
    return ConsistencyProof(earlier, later)


def _trusted(text: Any, verifiers: Sequence[Verifier]) -> Trusted:
    if not isinstance(text, str):
        raise _no_proof(Phrase("a checkpoint is text."))
    return opened(text.encode(), verifiers)


def _path(given: Any) -> tuple[bytes, ...]:
    if not all(isinstance(one, str) for one in _list(given)):
        raise _no_proof(Phrase("a hash is text."))
    return tuple(decoded(one, Phrase("proof")) for one in given)


def _list(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise _no_proof(Phrase("a list is missing."))
    return given


def _no_proof(problem: Phrase) -> InvalidEvidence:
    return InvalidEvidence(kind=Phrase("proof"), problem=problem)
