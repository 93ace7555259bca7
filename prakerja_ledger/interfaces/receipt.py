"""A participant's receipt: these facts, this owed, this paid, in this log at this checkpoint.

Canonical JSON, format `prakerja-receipt-1`:

    {"as_of": …, "format": "prakerja-receipt-1", "known_at": …, "participant": …, "proof": …, "statement": …}

`proof` proves every event that the statement rests on: the participant's own, the offers of packages that they
bought, and those of the programme (it is what `prove` writes). `statement` is the object that
`statement --json` prints; it is believed only where it follows from those events. That the events are all
there are of the participant no receipt can prove: whoever holds it compares it with what they remember.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from attrs import frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import (
    InvalidEvidence,
    NotCanonical,
    PrakerjaLedgerError,
    Refusal,
)
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT
from prakerja_ledger.domain.fields import shown
from prakerja_ledger.domain.phrases import Phrase, phrase_of
from prakerja_ledger.domain.register import Recorded, Register
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.domain.time import Instant, day, in_utc, instant
from prakerja_ledger.evidence.canonical import canonical_json, told
from prakerja_ledger.evidence.checkpoint import Checkpoint
from prakerja_ledger.evidence.json_line import NotJson, load_object
from prakerja_ledger.evidence.note import Note, Verifier
from prakerja_ledger.evidence.proof import (
    LONGEST_PROOF,
    EventsProof,
    ProvedEvent,
    checked_proof,
    events_proof,
)
from prakerja_ledger.evidence.wire import read_event
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.interfaces.logs import Logs
from prakerja_ledger.interfaces.proving import Wanted, events_proved
from prakerja_ledger.interfaces.source import History
from prakerja_ledger.ledger.journal import stream_name
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.view import View

FORMAT: Final = "prakerja-receipt-1"
FIRST_BYTES: Final = b'{"as_of":'
"""How every receipt begins, and no history and no proof."""
_FIELDS: Final = {"as_of", "format", "known_at", "participant", "proof", "statement"}


@frozen
class Receipt:
    """What a receipt says, and all that it was worked out of."""

    participant: Participant
    view: View
    programme: Programme
    statement: Statement
    proof: EventsProof | None
    """Checked; None of one that was just made."""
    note: Note
    """The signed checkpoint."""
    data: bytes

    @property
    def checkpoint(self) -> Checkpoint:
        """What the events are proved to be in."""
        return Checkpoint.read(self.note.text)


def make_receipt(
    source: Logs, history: History, participant: str, view: View, note: Note
) -> Receipt:
    """The receipt of a participant, of a source that was sealed.

    Raises NotInView, CalendarTooShort, NotAsSealed where the source does not begin with what the
    checkpoint says, and InvalidEvidence where the statement rests on events that it does not speak of.
    """
    evaluation = history.evaluation(view)
    record = evaluation.participant(participant)
    proved = events_proved(source, Checkpoint.read(note.text), _wanted(record))
    proof = events_proof(note, proved)
    found, statement = _worked_out(proved, participant, view, history.programme)
    if statement_json(statement) != statement_json(evaluation.statement(record)):
        raise InvalidEvidence(
            kind=Phrase("checkpoint"),
            problem=Phrase(
                "of {participant} more was recorded after it, on which the statement of that day rests. "
                "Seal the history anew, or ask for what was known then (--known-at).",
                participant=shown(participant),
            ),
        )
    data = canonical_json(
        {
            "as_of": view.as_of.isoformat(),
            "format": FORMAT,
            "known_at": None if view.known_at is None else in_utc(view.known_at),
            "participant": participant,
            "proof": json.loads(proof),
            "statement": json.loads(statement_json(statement)),
        }
    )
    return Receipt(found, view, history.programme, statement, None, note, data + b"\n")


def _wanted(participant: Participant) -> Wanted:
    """The streams that the statement rests on."""
    bought = {
        event.fact.package
        for event in participant.events
        if isinstance(event.fact, f.TrainingPurchased) and event.fact.package
    }
    streams = {
        stream_name(f.PARTICIPANT, participant.id),
        stream_name(f.PROGRAMME, PROGRAMME_SUBJECT),
        *(stream_name(f.PACKAGE, one) for one in bought),
    }
    return lambda stream, _: stream in streams


def checked_receipt(data: bytes, verifiers: Sequence[Verifier], programme: Programme) -> Receipt:
    """What a receipt shows. Raises InvalidEvidence unless it shows it, whatever the bytes are."""
    given = _object(data)
    proof = checked_proof(canonical_json(given["proof"]) + b"\n", verifiers)
    if not isinstance(proof, EventsProof):
        raise _no_receipt(Phrase("its proof is of no events."))
    view, name = _view(given), given["participant"]
    if not isinstance(name, str):
        raise _no_receipt(Phrase("its participant is no text."))
    try:
        participant, statement = _worked_out(proof.events, name, view, programme)
    except InvalidEvidence:
        raise
    except PrakerjaLedgerError as error:
        raise _no_receipt(
            Phrase("no statement follows from its events: {error}", error=phrase_of(error))
        ) from None
    if json.loads(statement_json(statement)) != given["statement"]:
        raise _no_receipt(Phrase("its statement does not follow from its events."))
    return Receipt(participant, view, programme, statement, proof, proof.trusted.note, data)


def _object(data: bytes) -> dict[str, Any]:
    """Canonical JSON only: of one receipt there is one file."""
    try:
        given = load_object(data, longest=LONGEST_PROOF)
        if canonical_json(given) + b"\n" != data:
            raise _no_receipt(Phrase("it is not spelt in canonical JSON."))
    except (NotJson, NotCanonical) as error:
        raise _no_receipt(phrase_of(error)) from None
    if given.keys() != _FIELDS or given["format"] != FORMAT or not isinstance(given["proof"], dict):
        raise _no_receipt(Phrase("it is not of format {format}.", format=FORMAT))
    return given


def _view(given: dict[str, Any]) -> View:
    try:
        as_of: date = day(given["as_of"])
        known_at: Instant | None = None if given["known_at"] is None else instant(given["known_at"])
    except (PrakerjaLedgerError, TypeError, ValueError, AttributeError):
        raise _no_receipt(Phrase("its days are no days.")) from None
    return View(as_of=as_of, known_at=known_at)


def _worked_out(
    proved: Sequence[ProvedEvent], participant: str, view: View, programme: Programme
) -> tuple[Participant, Statement]:
    """The statement that follows from some events, and the record that they are."""
    register = Register(programme)
    for place, one in enumerate(_in_order(proved, participant), 1):
        event = read_event(one.line, place, programme)
        outcome = event if isinstance(event, Refusal) else register.record(event)
        if not isinstance(outcome, Recorded):
            raise _no_receipt(
                Phrase(
                    "the event at position {position} does not follow from the others.",
                    position=one.position,
                )
            )
    evaluation = Evaluation(
        participants=register.participants,
        packages=register.packages,
        programme_stream=register.programme_stream,
        view=view,
        programme=programme,
    )
    found = evaluation.participant(participant)
    return found, evaluation.statement(found)


def _in_order(proved: Sequence[ProvedEvent], participant: str) -> list[ProvedEvent]:
    """The order of recording. Logs of several shards have none in common: what others refer to goes first."""
    if len({one.shard for one in proved}) == 1:
        return sorted(proved, key=lambda one: one.position)
    own = {one: told(one.line).subject == participant for one in proved}
    return sorted(proved, key=lambda one: (own[one], one.shard, one.position))


def _no_receipt(problem: Phrase) -> InvalidEvidence:
    return InvalidEvidence(kind=Phrase("receipt"), problem=problem)
