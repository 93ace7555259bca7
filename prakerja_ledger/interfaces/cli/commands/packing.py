"""`pack` and `receipt`: a sealed history for an auditor, and one participant's part of it for themselves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.evidence.checkpoint import Checkpoint
from prakerja_ledger.evidence.note import SignatureKind
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.commands.sealing import (
    check_free,
    key_in,
    note_in,
    verifiers_option,
)
from prakerja_ledger.interfaces.cli.options import (
    holidays_option,
    language_option,
    programme_with,
    source_argument,
    view_of,
    view_options,
    words_of,
)
from prakerja_ledger.interfaces.cli.receipt_page import receipt_page
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, shown
from prakerja_ledger.interfaces.logs import open_logs
from prakerja_ledger.interfaces.pack.making import make_pack
from prakerja_ledger.interfaces.receipt import make_receipt
from prakerja_ledger.interfaces.source import open_history
from prakerja_ledger.interfaces.whole_file import aside


@click.command("pack", short_help="Make an auditor's pack: a sealed history with its answers.")
@source_argument
@click.option("--key", required=True, metavar="FILE", help="The private key, of keygen.")
@click.option(
    "--output", "target", required=True, type=click.Path(), metavar="PACK.zip", help="The pack."
)
@view_options
@holidays_option
@language_option
def pack_command(
    source: str,
    key: str,
    target: str,
    as_of: date | None,
    known_at: Instant | None,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Make an auditor's pack: a sealed history with its answers.

    In one zip file: the history in lines and in columns, statements and findings as of a day, the numbers
    they were worked out with, a signed checkpoint, SHA-256 of every file, a verifier that needs nothing of this
    package, and how to use all that. The same input gives the same bytes. The history is whole: it holds
    what happened after that day, too.

    Whoever gets it checks it with verify, and gives it to any reading command as its source.

    \b
    Example: prakerja-ledger pack sqlite:///ledger.db --as-of 2020-12-31 --key seal.key --output 2020.zip
    """
    words, path, signer = words_of(lang), Path(target), key_in(key)
    if signer.verifier.kind is not SignatureKind.ED25519:
        raise click.UsageError(Phrase("a witness's key seals nothing. Make one without --witness."))
    check_free(path)
    with output.progress(words(N_("events"))) as tick:
        made = make_pack(
            source, path, programme_with(holidays), view_of(as_of, known_at), signer, tick=tick
        )
    click.echo(words(N_("Packed: {count} events."), count=words.number(made.events)))
    for participant in sorted(made.withheld):
        output.complain(
            words(
                N_("{participant}: something is withheld, as the list of holidays is too short."),
                participant=shown(participant),
            )
        )
    if made.quarantined:
        output.complain(
            words(
                N_("{count} quarantined lines are not in the pack; check says which and why."),
                count=words.number(made.quarantined),
            )
        )
    if made.withheld:
        return Status.FAULT
    return Status.QUARANTINED if made.quarantined else Status.DONE


@click.command("receipt", short_help="One participant's facts and amounts, proved, on one page.")
@source_argument
@click.argument("participant")
@click.option(
    "--checkpoint",
    required=True,
    metavar="FILE",
    help="Of seal: what the facts are proved to be in.",
)
@click.option(
    "--output",
    "target",
    required=True,
    type=click.Path(),
    metavar="FILE.html",
    help="The page; the receipt itself goes beside it, as FILE.json.",
)
@verifiers_option
@view_options
@holidays_option
@language_option
def receipt_command(
    source: str,
    participant: str,
    checkpoint: str,
    verifiers: tuple[str, ...],
    target: str,
    as_of: date | None,
    known_at: Instant | None,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """One participant's facts and amounts, proved, on one page.

    The page says what was recorded of the participant, what they are owed and were paid, and that these
    facts are in the sealed history; it shows nothing of anybody else. verify checks the receipt offline and
    works the amounts out anew.

    \b
    Example: prakerja-ledger receipt sqlite:///ledger.db P-17 --checkpoint 2020-07.checkpoint \\
             --as-of 2020-07-31 --output P-17.html
    """
    words, page = words_of(lang), Path(target)
    check_free(page)
    data = page.with_suffix(".json")
    if page == data:
        raise click.UsageError(Phrase("--output names the page: FILE.html."))
    check_free(data)
    note = note_in(checkpoint, verifiers)
    view, programme = view_of(as_of, known_at), programme_with(holidays)
    with (
        output.progress(words(N_("events"))) as tick,
        open_history(source, programme, only=[participant]) as history,
        open_logs(source, programme, tick) as logs,
    ):
        made = make_receipt(logs, history, participant, view, note)
    with aside(data, is_new=True) as receipt, aside(page, is_new=True) as whole:
        receipt.write_bytes(made.data)
        whole.write_text(receipt_page(words, made, data.name), encoding="utf-8")
    total = made.statement.total
    click.echo(
        words(
            N_("{participant}: owed {owed}, paid {paid}, in a history of {count} events."),
            participant=shown(participant),
            owed=words.money(total("owed")),
            paid=words.money(total("paid")),
            count=words.number(Checkpoint.read(note.text).size),
        )
    )
    return Status.DONE
