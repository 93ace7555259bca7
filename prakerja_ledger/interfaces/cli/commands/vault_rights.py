"""`vault forget`, `restrict`, `lift` and `expire`: what people may ask for, and what time does."""

from __future__ import annotations

from datetime import date

import click

from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.options import (
    DayType,
    language_option,
    today,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.vault_options import (
    NOT_CLEARED,
    At,
    ParticipantType,
    vault_options,
    warrant_options,
)
from prakerja_ledger.interfaces.cli.words import N_


@click.command("forget", short_help="Make people's data unreadable, for good.")
@click.argument("participants", nargs=-1, required=True, type=ParticipantType())
@vault_options
@warrant_options
@language_option
def forget_command(participants: tuple[str, ...], at: At, lang: str | None) -> Status:
    """Make people's data unreadable, for good: all of those named, or none.

    Destroys their keys, values and look-up tokens, clears the files of them, and says so in the journal
    without the data. Amounts and dates in the history stay. Copies made before (backups) stay readable
    for whoever has the wrapping key of then: see vault rotate.

    \b
    Example: prakerja-ledger vault forget p-5f0e… --by siti --purpose 'letter of 2 July'
    """
    words = words_of(lang)
    with at.opened(keyless=True) as vault:
        cleared = vault.forget(participants, at.warrant())
    count = words.number(len(set(participants)))
    click.echo(words(N_("Made unreadable: {count}."), count=count))
    if not cleared:
        output.complain(words(NOT_CLEARED))
    return Status.DONE if cleared else Status.FAULT


@click.command("restrict", short_help="Stop all processing of a participant's data.")
@click.argument("participant", type=ParticipantType())
@vault_options
@warrant_options
@language_option
def restrict_command(participant: str, at: At, lang: str | None) -> Status:
    """Stop all processing of a participant's data: it is not shown, found, changed, or forgotten.

    \b
    Example: prakerja-ledger vault restrict p-5f0e… --by siti --purpose 'letter of 2 July'
    """
    with at.opened(keyless=True) as vault:
        changed = vault.restrict(participant, at.warrant())
    click.echo(words_of(lang)(N_("Restricted.") if changed else N_("It is restricted already.")))
    return Status.DONE


@click.command("lift", short_help="End a restriction.")
@click.argument("participant", type=ParticipantType())
@vault_options
@warrant_options
@language_option
def lift_command(participant: str, at: At, lang: str | None) -> Status:
    """End a restriction.

    \b
    Example: prakerja-ledger vault lift p-5f0e… --by siti --purpose 'dispute settled'
    """
    with at.opened(keyless=True) as vault:
        changed = vault.lift(participant, at.warrant())
    click.echo(words_of(lang)(N_("Lifted.") if changed else N_("It is not restricted.")))
    return Status.DONE


@click.command("expire", short_help="Forget those whose retention is over.")
@vault_options
@warrant_options
@click.option("--on", type=DayType(), help="As of that day. Default: today.")
@click.option("--dry-run", is_flag=True, help="Only say who it would be.")
@language_option
def expire_command(at: At, on: date | None, dry_run: bool, lang: str | None) -> Status:
    """Forget those whose last day (retain_until) is over; print their ids.

    Who is restricted stays, and is named. Who has no last day never expires.

    \b
    Example: prakerja-ledger vault expire --dry-run --by siti --purpose 'yearly review'
    """
    words, warrant = words_of(lang), at.warrant()
    with at.opened(keyless=True) as vault:
        past = vault.past_retention(on or today())
        if not dry_run:
            past = vault.expire(on or today(), warrant)
        cleared = dry_run or vault.scrub()
    for participant in past.forgotten:
        click.echo(participant)
    said = N_("Would be made unreadable: {count}.") if dry_run else N_("Made unreadable: {count}.")
    output.complain(words(said, count=words.number(len(past.forgotten))))
    if past.kept:
        kept = ", ".join(past.kept)
        output.complain(
            words(N_("Past their last day, but restricted and kept: {kept}."), kept=kept)
        )
    if not cleared:
        output.complain(words(NOT_CLEARED))
    return Status.DONE if cleared else Status.FAULT
