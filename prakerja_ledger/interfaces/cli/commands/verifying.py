"""`verify` and `prove`: a history held against its checkpoints, and proofs out of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from prakerja_ledger.domain.errors import InvalidEvidence, NotInView
from prakerja_ledger.evidence.breaks import Break, BreakCode
from prakerja_ledger.evidence.checkpoint import Checkpoint, Trusted, opened
from prakerja_ledger.evidence.note import Note, Verifier, encoded
from prakerja_ledger.evidence.proof import (
    FIRST_BYTES,
    LONGEST_PROOF,
    ConsistencyProof,
    EventsProof,
    ProvedEvent,
    checked_proof,
    consistency_proof_file,
    events_proof,
)
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.commands.history import status_of
from prakerja_ledger.interfaces.cli.commands.sealing import (
    bytes_of,
    check_free,
    leaves_beside,
    leaves_file,
    verifiers_of,
)
from prakerja_ledger.interfaces.cli.options import json_option, language_option, words_of
from prakerja_ledger.interfaces.cli.sealed_words import break_sentence, position_of, seen
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.interfaces.json_output import compact
from prakerja_ledger.interfaces.logs import FileLogs, LedgerLogs, Logs, open_logs
from prakerja_ledger.interfaces.proving import (
    Asked,
    consistency_proved,
    events_proved,
    quickly_proved,
)
from prakerja_ledger.interfaces.verifying import Given, Report, verified
from prakerja_ledger.interfaces.whole_file import aside


@click.command("verify", short_help="Find out whether a history is what it was sealed as.")
@click.argument("source", metavar="SOURCE|PROOF")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="FILE",
    help="What it was sealed as; several may be given. FILE.leaves, if it is there, tells where a "
    "history differs. Of a proof: the checkpoint that it has to be of.",
)
@click.option(
    "--verifier",
    "verifiers",
    multiple=True,
    required=True,
    metavar="KEY",
    help="Verifier keys that you trust, of the ledger and of witnesses, or files that hold one.",
)
@json_option
@language_option
def verify_command(
    source: str,
    checkpoints: tuple[str, ...],
    verifiers: tuple[str, ...],
    as_json: bool,
    lang: str | None,
) -> Status:
    """Find out whether a history is what it was sealed as.

    Everything is derived again from the events. Each break is told with its position; exit status 4. Events
    recorded after the checkpoint are no break, and it does not speak of them.

    A proof (of prove) is checked with nothing but the keys, wherever it is read.

    \b
    Example: prakerja-ledger verify sqlite:///ledger.db --checkpoint 2020-07.checkpoint --verifier KEY
    """
    words, trusted_keys = words_of(lang), verifiers_of(verifiers)
    is_proof = _is_proof(source)
    if not (is_proof or checkpoints):
        raise click.UsageError("say --checkpoint FILE: what was it sealed as?")
    try:
        if is_proof:
            return _verify_proof(source, checkpoints, trusted_keys, words, as_json=as_json)
        return _verify(source, checkpoints, trusted_keys, words, as_json=as_json)
    except InvalidEvidence as error:
        output.complain(f"prakerja-ledger: {words.error(error)}")
        return Status.NOT_AS_SEALED


def _verify(
    source: str,
    checkpoints: Sequence[str],
    trusted_keys: Sequence[Verifier],
    words: Words,
    *,
    as_json: bool,
) -> Status:
    found: list[Break] = []
    given = [_given(name, trusted_keys, found) for name in checkpoints]
    with output.progress(words(N_("events"))) as tick, open_logs(source, tick=tick) as logs:
        report = verified(logs, given)
        tallies = [logs.tally] if isinstance(logs, FileLogs) else []
    report.breaks = sorted([*found, *report.breaks])
    if as_json:
        _print_json(given, report)
    else:
        _print(words, given, report)
    return Status.NOT_AS_SEALED if report.breaks else status_of(tallies)


def _is_proof(source: str) -> bool:
    with suppress(OSError, ValueError), Path(source).open("rb") as file:
        return file.read(len(FIRST_BYTES)) == FIRST_BYTES
    return False


def _given(name: str, verifiers: Sequence[Verifier], found: list[Break]) -> Given:
    trusted = opened(bytes_of(name), verifiers)
    path, leaves = leaves_beside(Path(name)), None
    try:
        file = leaves_file(Path(name), trusted.checkpoint)
        if file is None:
            return Given(name, trusted, None)
        leaves = file.leaves()
    except InvalidEvidence:
        pass
    if leaves is None:
        found.append(Break(code=BreakCode.LEAVES, first=0, last=0, detail=str(path)))
    return Given(name, trusted, leaves)


def _print(words: Words, given: Sequence[Given], report: Report) -> None:
    for one, held in zip(given, report.holds, strict=True):
        checkpoint = one.checkpoint
        said = (
            N_("{name}: {origin}, {count} events: it is what was sealed.")
            if held
            else N_("{name}: {origin}, {count} events: it is NOT what was sealed.")
        )
        click.echo(
            words(
                said, name=one.name, origin=checkpoint.origin, count=words.number(checkpoint.size)
            )
        )
        for witness in one.trusted.witnesses:
            click.echo(f"  {seen(words, witness)}")
    if report.after:
        click.echo(
            words(
                N_("{count} events were recorded after; the checkpoint does not speak of them."),
                count=words.number(report.after),
            )
        )
    if not report.breaks:
        return
    click.echo()
    sharded = len(given[0].checkpoint.logs) > 1
    output.table(
        [
            *([words(N_("shard"))] if sharded else []),
            words(N_("position")),
            words(N_("found at")),
            words(N_("break")),
            words(N_("what")),
        ],
        [
            [
                *([str(one.shard)] if sharded else []),
                position_of(words, one),
                words.number(one.place) if one.place else "",
                one.code.value,
                break_sentence(words, one),
            ]
            for one in report.breaks
        ],
        right=(0, 1, 2) if sharded else (0, 1),
    )


def _print_json(given: Sequence[Given], report: Report) -> None:
    for one, held in zip(given, report.holds, strict=True):
        click.echo(compact({**_told(one.trusted), "checkpoint": one.name, "holds": held}))
    click.echo(compact({"recorded": report.recorded, "after": report.after}))
    for broken in report.breaks:
        click.echo(
            compact(
                {
                    "break": broken.code.value,
                    "shard": broken.shard,
                    "first": broken.first,
                    "last": broken.last,
                    "place": broken.place or None,
                    "detail": broken.detail or None,
                }
            )
        )


def _told(trusted: Trusted) -> dict[str, Any]:
    checkpoint = trusted.checkpoint
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": encoded(checkpoint.root),
        "witnesses": [{"name": one.witness, "at": one.at} for one in trusted.witnesses],
    }


def _verify_proof(
    source: str,
    checkpoints: Sequence[str],
    verifiers: Sequence[Verifier],
    words: Words,
    *,
    as_json: bool,
) -> Status:
    proof = checked_proof(bytes_of(source, LONGEST_PROOF), verifiers)
    shown_ones = [proof.trusted] if isinstance(proof, EventsProof) else [proof.earlier, proof.later]
    texts = [one.note.text for one in shown_ones]
    for name in checkpoints:
        if opened(bytes_of(name), verifiers).note.text not in texts:
            raise InvalidEvidence(kind="proof", problem=f"it is of another checkpoint than {name}.")
    if as_json:
        for one in shown_ones:
            click.echo(compact(_told(one)))
        for event in getattr(proof, "events", ()):
            told = {"shard": event.shard, "position": event.position}
            click.echo(compact({**told, "event": json.loads(event.line)}))
        return Status.DONE
    _print_proof(words, proof)
    return Status.DONE


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
@click.argument("source")
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
@language_option
def prove_command(
    source: str,
    checkpoint: str,
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
        raise click.UsageError("say --event, --participant or --earlier: one of them.")
    words, path = words_of(lang), Path(target)
    check_free(path)
    note = Note.read(bytes_of(checkpoint))
    with output.progress(words(N_("events"))) as tick, open_logs(source, tick=tick) as logs:
        if earlier is not None:
            before = Note.read(bytes_of(earlier))
            paths = consistency_proved(logs, _checkpoint(before), _checkpoint(note))
            made = consistency_proof_file(before, note, paths)
            said = _consistent(words, _checkpoint(before), _checkpoint(note))
        else:
            found = _found(logs, Path(checkpoint), _checkpoint(note), Asked(events, participant))
            if not found:
                raise NotInView(
                    participant=participant or ", ".join(events), as_of=_checkpoint(note).size
                )
            made = events_proof(note, found)
            said = words(N_("Proved: {count} events."), count=words.number(len(found)))
    with aside(path) as whole:
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
