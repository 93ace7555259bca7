"""`prove`: some events of a sealed history and nothing else of it; and what is checked with keys alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import click

from prakerja_ledger.domain.errors import InvalidEvidence, NotProved
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.evidence.canonical import told
from prakerja_ledger.evidence.checkpoint import Checkpoint, Trusted
from prakerja_ledger.evidence.note import Note, Verifier, encoded
from prakerja_ledger.evidence.proof import (
    LONGEST_PROOF,
    ConsistencyProof,
    EventsProof,
    ProvedEvent,
    checked_proof,
    consistency_proof_file,
    events_proof,
)
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.commands.sealing import (
    bytes_of,
    check_free,
    leaves_file,
    note_in,
    opened_in,
    verifiers_option,
)
from prakerja_ledger.interfaces.cli.options import language_option, source_argument, words_of
from prakerja_ledger.interfaces.cli.sealed_words import seen
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.interfaces.json_output import compact, statement_json
from prakerja_ledger.interfaces.logs import LedgerLogs, Logs, open_logs
from prakerja_ledger.interfaces.proving import (
    Asked,
    consistency_proved,
    events_proved,
    quickly_proved,
)
from prakerja_ledger.interfaces.receipt import checked_receipt
from prakerja_ledger.interfaces.whole_file import aside
from prakerja_ledger.ledger.urls import without_password


class Question(NamedTuple):
    """What is to be held against what."""

    source: str
    checkpoints: Sequence[str]
    keys: Sequence[Verifier]
    programme: Programme
    words: Words
    as_json: bool


def told_of(trusted: Trusted) -> dict[str, Any]:
    """A checkpoint and its witnesses, for a program."""
    checkpoint = trusted.checkpoint
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": encoded(checkpoint.root),
        "witnesses": [{"name": one.witness, "at": one.at} for one in trusted.witnesses],
    }


def verify_proof(asked: Question) -> Status:
    """Check a proof, and say what it proves. Raises InvalidEvidence."""
    proof = checked_proof(bytes_of(asked.source, LONGEST_PROOF), asked.keys)
    those = [proof.trusted] if isinstance(proof, EventsProof) else [proof.earlier, proof.later]
    _check_of(asked, "proof", those)
    if not asked.as_json:
        _print_proof(asked.words, proof)
        return Status.DONE
    for one in those:
        click.echo(compact(told_of(one)))
    _print_events(getattr(proof, "events", ()))
    return Status.DONE


def verify_receipt(asked: Question) -> Status:
    """Check a receipt, and say what follows from what it proves. Raises InvalidEvidence."""
    receipt = checked_receipt(bytes_of(asked.source, LONGEST_PROOF), asked.keys, asked.programme)
    assert receipt.proof is not None, "it was checked"
    _check_of(asked, "receipt", [receipt.proof.trusted])
    if asked.as_json:
        click.echo(compact(told_of(receipt.proof.trusted)))
        click.echo(statement_json(receipt.statement))
        _print_events(receipt.proof.events)
        return Status.DONE
    _print_proof(asked.words, receipt.proof)
    total = receipt.statement.total
    click.echo(
        asked.words(
            N_("From these follows, as of {day}: {participant} is owed {owed}, was paid {paid}."),
            day=asked.words.day(receipt.view.as_of),
            participant=shown(receipt.statement.participant),
            owed=asked.words.money(total("owed")),
            paid=asked.words.money(total("paid")),
        )
    )
    return Status.DONE


def _check_of(asked: Question, kind: str, those: Sequence[Trusted]) -> None:
    """Refuse what is of another checkpoint than those that were named."""
    texts = [one.note.text for one in those]
    for name in asked.checkpoints:
        if opened_in(name, asked.keys).note.text not in texts:
            raise InvalidEvidence(
                kind=kind, problem=Phrase("it is of another checkpoint than {name}.", name=name)
            )


def _print_events(events: Iterable[ProvedEvent]) -> None:
    for event in events:
        place = {"shard": event.shard, "position": event.position}
        click.echo(compact({**place, "event": json.loads(event.line)}))


def _print_proof(words: Words, proof: EventsProof | ConsistencyProof) -> None:
    if isinstance(proof, ConsistencyProof):
        click.echo(_consistent(words, proof.earlier.checkpoint, proof.later.checkpoint))
        return
    checkpoint = proof.trusted.checkpoint
    click.echo(
        words(
            N_("{origin}, {count} events: these are among them, where they stand here."),
            origin=checkpoint.origin,
            count=words.number(checkpoint.size),
        )
    )
    for witness in proof.trusted.witnesses:
        click.echo(f"  {seen(words, witness)}")
    for event in proof.events:
        click.echo(f"{event.position} {shown(event.line.decode())}")


@click.command("prove", short_help="Prove some events of a sealed history.")
@source_argument
@click.option(
    "--checkpoint", required=True, metavar="FILE", help="Of which history they are to be proved."
)
@click.option(
    "--event", "events", multiple=True, metavar="SOURCE/ID", help="An event by its source and id."
)
@click.option("--participant", metavar="P", help="All events of a participant.")
@click.option(
    "--earlier", metavar="FILE", help="No events, but that this checkpoint is its beginning."
)
@click.option(
    "--output", "target", required=True, type=click.Path(), metavar="FILE", help="The proof."
)
@verifiers_option
@language_option
def prove_command(
    source: str,
    checkpoint: str,
    verifiers: tuple[str, ...],
    events: tuple[str, ...],
    participant: str | None,
    earlier: str | None,
    target: str,
    lang: str | None,
) -> Status:
    """Prove some events of a sealed history, and nothing else of it.

    Whoever gets the proof checks it with verify and the ledger's verifier key, offline, and learns nothing of
    other participants. That these are all events of a participant is not proved by it.

    \b
    Example: prakerja-ledger prove sqlite:///ledger.db --participant P-17 --checkpoint C --output P-17.proof
    """
    if (bool(events) + (participant is not None) + (earlier is not None)) != 1:
        raise click.UsageError(Phrase("say --event, --participant or --earlier: one of them."))
    words, path = words_of(lang), Path(target)
    check_free(path)
    note = note_in(checkpoint, verifiers)
    with output.progress(words(N_("events"))) as tick, open_logs(source, tick=tick) as logs:
        if earlier is not None:
            before = note_in(earlier, verifiers)
            paths = consistency_proved(logs, _checkpoint(before), _checkpoint(note))
            made = consistency_proof_file(before, note, paths)
            said = _consistent(words, _checkpoint(before), _checkpoint(note))
        else:
            found = _found(logs, Path(checkpoint), _checkpoint(note), Asked(events, participant))
            _check_found(source, found, Asked(events, participant), _checkpoint(note))
            made = events_proof(note, found)
            said = words(N_("Proved: {count} events."), count=words.number(len(found)))
    with aside(path, is_new=True) as whole:
        whole.write_bytes(made)
    click.echo(said)
    return Status.DONE


def _consistent(words: Words, old: Checkpoint, new: Checkpoint) -> str:
    return words(
        N_("{origin}: the history of {old} events is the beginning of that of {new}."),
        origin=new.origin,
        old=words.number(old.size),
        new=words.number(new.size),
    )


def _check_found(
    source: str, found: Sequence[ProvedEvent], asked: Asked, checkpoint: Checkpoint
) -> None:
    """Nothing that was asked for is left out without a word. Raises NotProved."""
    proved = {f"{event.source}/{event.id}" for event in (told(one.line) for one in found)}
    missing = [name for name in asked.names if name not in proved]
    if asked.participant is not None and not found:
        missing = [asked.participant]
    if missing:
        raise NotProved(
            source=without_password(source),
            missing=", ".join(map(shown, missing)),
            size=checkpoint.size,
        )


def _checkpoint(note: Note) -> Checkpoint:
    return Checkpoint.read(note.text)


def _found(logs: Logs, path: Path, checkpoint: Checkpoint, asked: Asked) -> list[ProvedEvent]:
    """The events with their proofs: out of the file of leaves where that will do, else out of the source."""
    if isinstance(logs, LedgerLogs) and logs.claims:
        with suppress(InvalidEvidence):
            file = leaves_file(path, checkpoint)
            if file is not None:
                return quickly_proved(logs, checkpoint, file, asked)
    return events_proved(logs, checkpoint, asked.wants)
