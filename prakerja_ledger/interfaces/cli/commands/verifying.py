"""`verify`: whether a history, or what was made of one, is what was signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import click

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.breaks import Break, BreakCode
from prakerja_ledger.evidence.note import Verifier
from prakerja_ledger.evidence.proof import FIRST_BYTES as PROOF_BYTES
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.commands.history import status_of
from prakerja_ledger.interfaces.cli.commands.proving import (
    Question,
    told_of,
    verify_proof,
    verify_receipt,
)
from prakerja_ledger.interfaces.cli.commands.reader import complain_of_quarantine
from prakerja_ledger.interfaces.cli.commands.sealing import (
    leaves_beside,
    leaves_file,
    opened_in,
    verifiers_of,
)
from prakerja_ledger.interfaces.cli.options import (
    holidays_option,
    json_option,
    language_option,
    programme_with,
    words_of,
)
from prakerja_ledger.interfaces.cli.sealed_words import break_sentence, position_of, seen
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.interfaces.json_output import compact
from prakerja_ledger.interfaces.logs import FileLogs, open_logs
from prakerja_ledger.interfaces.pack.manifest import Manifest
from prakerja_ledger.interfaces.pack.sniffing import is_pack
from prakerja_ledger.interfaces.pack.verifying import verified_pack
from prakerja_ledger.interfaces.receipt import FIRST_BYTES as RECEIPT_BYTES
from prakerja_ledger.interfaces.source import check_readable, is_ledger
from prakerja_ledger.interfaces.verifying import Given, Report, verified


@click.command("verify", short_help="Find out whether a history is what it was sealed as.")
@click.argument("source", metavar="SOURCE|PACK|PROOF|RECEIPT")
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
@holidays_option
@language_option
def verify_command(
    source: str,
    checkpoints: tuple[str, ...],
    verifiers: tuple[str, ...],
    as_json: bool,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Find out whether a history is what it was sealed as.

    Everything is derived again from the events. Each break is told with its position; exit status 4. Events
    recorded after the checkpoint are no break, and it does not speak of them.

    Of a pack everything is checked that it holds: every file, the history, and statements and findings,
    which are worked out anew. A proof (of prove) and a receipt are checked with nothing but the keys,
    wherever they are read.

    \b
    Example: prakerja-ledger verify sqlite:///ledger.db --checkpoint 2020-07.checkpoint --verifier KEY
    """
    words, trusted_keys = words_of(lang), verifiers_of(verifiers)
    kind = next((one for one in _KINDS if one.tells(source)), None)
    if kind is None and not is_ledger(source) and not Path(source).is_fifo():
        check_readable(source)
    if kind is None and not checkpoints:
        raise click.UsageError(Phrase("say --checkpoint FILE: what was it sealed as?"))
    verify = _verify if kind is None else kind.verify
    asked = Question(source, checkpoints, trusted_keys, programme_with(holidays), words, as_json)
    try:
        return verify(asked)
    except InvalidEvidence as error:
        output.complain(f"prakerja-ledger: {words.error(error)}")
        return Status.NOT_AS_SEALED


def _verify(asked: Question) -> Status:
    found: list[Break] = []
    given = [_given(name, asked.keys, found) for name in asked.checkpoints]
    with (
        output.progress(asked.words(N_("events"))) as tick,
        open_logs(asked.source, asked.programme, tick) as logs,
    ):
        report = verified(logs, given)
        tallies = [logs.tally] if isinstance(logs, FileLogs) else []
    report.breaks = sorted([*found, *report.breaks])
    _tell(asked, given, report)
    for tally in tallies:
        complain_of_quarantine(asked.words, asked.source, tally.quarantined)
    return Status.NOT_AS_SEALED if report.breaks else status_of(tallies)


def _verify_pack(asked: Question) -> Status:
    found: list[Break] = []
    others = [_given(name, asked.keys, found) for name in asked.checkpoints]
    with output.progress(asked.words(N_("events"))) as tick:
        pack = verified_pack(Path(asked.source), asked.keys, others, asked.programme, tick)
    pack.found.breaks = sorted([*found, *pack.found.breaks])
    _tell(asked, pack.given, pack.found)
    if not (asked.as_json or pack.found.breaks):
        _print_pack(asked.words, pack.manifest)
    return Status.NOT_AS_SEALED if pack.found.breaks else Status.DONE


def _print_pack(words: Words, manifest: Manifest) -> None:
    """What a pack's answers are, and what is not among them."""
    view = manifest.view
    known = (
        ""
        if view.known_at is None
        else words(N_(", as known at {moment} WIB"), moment=words.moment(view.known_at))
    )
    click.echo(
        words(
            N_(
                "Every file is as it was signed, and the answers as of {day}{known} follow from the history."
            ),
            day=words.day(view.as_of),
            known=known,
        )
    )
    if manifest.withheld:
        click.echo(
            words(
                N_("Withheld, as the list of holidays is too short: {people}."),
                people=", ".join(map(shown, manifest.withheld)),
            )
        )
    if manifest.quarantined:
        click.echo(
            words(
                N_("{count} lines of its source were quarantined: they are not in the pack."),
                count=words.number(manifest.quarantined),
            )
        )


def _tell(asked: Question, given: Sequence[Given], report: Report) -> None:
    if asked.as_json:
        _print_json(given, report)
    else:
        _print(asked.words, given, report)


def _begins(first: bytes) -> Callable[[str], bool]:
    """Whether a file begins with these bytes."""

    def begins(source: str) -> bool:
        with suppress(OSError, ValueError):
            if Path(source).is_file():  # the first bytes of a pipe could not be given back
                with Path(source).open("rb") as file:
                    return file.read(len(first)) == first
        return False

    return begins


def _given(name: str, verifiers: Sequence[Verifier], found: list[Break]) -> Given:
    trusted = opened_in(name, verifiers)
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
    if given:
        click.echo()
    sharded = any(len(one.checkpoint.logs) > 1 for one in given)
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
        click.echo(compact({**told_of(one.trusted), "checkpoint": one.name, "holds": held}))
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


class _Kind(NamedTuple):
    """Something that is no plain history."""

    tells: Callable[[str], bool]
    verify: Callable[[Question], Status]


_KINDS: Final = (
    _Kind(_begins(PROOF_BYTES), verify_proof),
    _Kind(_begins(RECEIPT_BYTES), verify_receipt),
    _Kind(is_pack, _verify_pack),
)
