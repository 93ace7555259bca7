"""`vault`: people apart from the history. Values come from files, are masked, and are shown on record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from prakerja_ledger.domain.errors import InvalidPerson, PrakerjaLedgerError, Restricted
from prakerja_ledger.domain.time import in_utc
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.commands.vault_keeping import init_command, rotate_command
from prakerja_ledger.interfaces.cli.commands.vault_log import access_log_command
from prakerja_ledger.interfaces.cli.commands.vault_rights import (
    expire_command,
    forget_command,
    lift_command,
    restrict_command,
)
from prakerja_ledger.interfaces.cli.options import json_option, language_option, words_of
from prakerja_ledger.interfaces.cli.status import Status, worst
from prakerja_ledger.interfaces.cli.vault_options import (
    FIELD_WORDS,
    At,
    ParticipantType,
    vault_options,
    warrant_options,
)
from prakerja_ledger.interfaces.cli.words import N_, Words, shown

if TYPE_CHECKING:
    from prakerja_ledger.interfaces.cli.vault_records import Record
    from prakerja_ledger.vault.journal import Warrant
    from prakerja_ledger.vault.person import Person
    from prakerja_ledger.vault.registering import Registered
    from prakerja_ledger.vault.showing import Held
    from prakerja_ledger.vault.vault import Vault

_FIELDS: Final = ("nik", "name", "phone", "account")
_AT_ONCE: Final = 1_000
"""Lines of a file that are read before any of them is written."""

DOUBTS: Final = {
    "unknown-province": N_("the NIK begins with no known province"),
    "birth-date-differs": N_("the NIK says another birth date than was stated"),
    "sex-differs": N_("the NIK says another sex than was stated"),
    "serial-zero": N_("the NIK ends with 0000, which no real one does"),
}


@click.group("vault", short_help="People's data apart from the history: add, show, forget.")
def vault_command() -> None:
    """People's data apart from the history.

    Identity number, name, telephone and account numbers of participants, encrypted in a database of its
    own. The history knows participants and accounts by random ids. Values are masked; whoever has them
    shown says who they are and what for, and that is on record first.
    """


for _command in (
    init_command,
    forget_command,
    restrict_command,
    lift_command,
    expire_command,
    rotate_command,
    access_log_command,
):
    vault_command.add_command(_command)


@vault_command.command("add", short_help="Add people from a file.")
@click.argument("file")
@vault_options
@warrant_options
@json_option
@language_option
def add_command(file: str, at: At, as_json: bool, lang: str | None) -> Status:
    """Add people from a file, or from standard input (-), and print the ids for the history.

    Lines of JSON, or CSV with a heading, of: nik, name, phone, provider, account, retain_until (the
    last day on which it may be kept), and birth_date and sex, which are compared with the NIK and not
    kept. The same person again is the same participant: what is new about them is written.

    \b
    Example: prakerja-ledger vault add people.csv --by siti --purpose 'intake of wave 12'
    """
    from prakerja_ledger.interfaces.cli.vault_records import opened, records  # noqa: PLC0415  # heavy

    words, warrant, status = words_of(lang), at.warrant(), Status.DONE
    with at.opened() as vault, opened(file) as lines:
        for number, result in _added(vault, records(lines), warrant):
            if isinstance(result, PrakerjaLedgerError):
                status = Status.QUARANTINED
                said = words.error(result)
                output.complain(words(N_("line {number}: {said}"), number=number, said=said))
            elif as_json:
                click.echo(json.dumps(_told(number, result), separators=(",", ":")))
            else:
                _say(words, number, result)
    return status


def _added(
    vault: Vault, records: Iterator[Record], warrant: Warrant
) -> Iterator[tuple[int, Registered | PrakerjaLedgerError]]:
    """What became of each line, in their order; a bad line stops no other."""
    while page := list(islice(records, _AT_ONCE)):
        read = [(record.number, _person_or_refusal(record)) for record in page]
        people = [one for _, one in read if not isinstance(one, InvalidPerson)]
        done = vault.register_all(people, warrant)
        for number, one in read:
            yield number, one if isinstance(one, InvalidPerson) else next(done)


def _person_or_refusal(record: Record) -> Person | InvalidPerson:
    from prakerja_ledger.interfaces.cli.vault_records import person_of  # noqa: PLC0415  # heavy

    try:
        return person_of(record)
    except InvalidPerson as refused:
        return refused


def _told(number: int, added: Registered) -> dict[str, Any]:
    return {
        "line": number,
        "participant": added.participant,
        "accounts": list(added.accounts),
        "new": added.is_new,
        "written": list(added.changed),
        "doubts": list(added.doubts),
    }


def _say(words: Words, number: int, added: Registered) -> None:
    done = N_("added") if added.is_new else N_("changed") if added.changed else N_("known already")
    click.echo(f"{added.participant}  {'  '.join((*added.accounts, words(done)))}")
    for doubt in added.doubts:
        said = words(DOUBTS[doubt])
        output.complain(words(N_("line {number}: look again: {said}"), number=number, said=said))


@vault_command.command("show", short_help="What is held of a participant; masked unless --reveal.")
@click.argument("participant", type=ParticipantType())
@vault_options
@click.option("--reveal", is_flag=True, help="In clear. Needs --keys, --by and --purpose.")
@click.option(
    "--field", "fields", multiple=True, type=click.Choice(_FIELDS), help="Only these. Default: all."
)
@click.option("--by", metavar="PERSON", envvar="PRAKERJA_LEDGER_BY", help="Who looks.")
@click.option("--purpose", metavar="TEXT", help="What for. Names nobody: it is kept for ever.")
@json_option
@language_option
def show_command(
    participant: str,
    at: At,
    reveal: bool,
    fields: tuple[str, ...],
    as_json: bool,
    lang: str | None,
) -> Status:
    """What is held of a participant.

    Masked, it needs no key. With --reveal an entry in the journal says who sees which fields and what
    for, before they are shown. The data of a restricted participant is not shown.

    \b
    Example: prakerja-ledger vault show p-5f0e… --field phone --reveal --by siti --purpose 'complaint 71'
    """
    wanted = fields or _FIELDS
    warrant = at.warrant() if reveal else None
    with at.opened(keyless=not reveal) as vault:
        held = vault.held(participant)
        clear = _revealed(vault, participant, wanted, warrant) if warrant else {}
    rows = [(field.value, item) for field, item in held.fields if field in wanted]
    if as_json:
        told = [
            {"field": field, "item": item or None, "value": clear.get((field, item))}
            for field, item in rows
        ]
        click.echo(
            json.dumps({**_state(held), "fields": told}, ensure_ascii=False, separators=(",", ":"))
        )
        return Status.DONE
    _show(words_of(lang), held, [(*row, clear.get(row)) for row in rows])
    return Status.DONE


def _revealed(
    vault: Vault, participant: str, fields: Iterable[str], warrant: Warrant
) -> dict[tuple[str, str], str]:
    from prakerja_ledger.vault.person import PersonalField  # noqa: PLC0415  # heavy

    shown_now = vault.reveal(participant, [PersonalField(one) for one in fields], warrant)
    return {(one.field.value, one.item): one.value.exposed() for one in shown_now}


def _state(held: Held) -> dict[str, Any]:
    known = held.participant
    return {
        "participant": known.participant,
        "registered_at": in_utc(known.registered_at),
        "retain_until": None if known.retain_until is None else known.retain_until.isoformat(),
        "restricted_at": known.restricted_at and in_utc(known.restricted_at),
        "forgotten_at": known.forgotten_at and in_utc(known.forgotten_at),
    }


def _show(words: Words, held: Held, rows: list[tuple[str, str, str | None]]) -> None:
    from prakerja_ledger.vault.secret import MASK  # noqa: PLC0415  # heavy

    known = held.participant
    for since, said in (
        (known.forgotten_at, N_("Made unreadable: {at}. Nothing is held.")),
        (known.restricted_at, N_("Restricted since {at}: not to be processed.")),
    ):
        if since is not None:
            click.echo(words(said, at=words.moment(since)))
    if rows:
        output.table(
            [words(N_("field")), words(N_("value")), words(N_("token"))],
            [
                [words(FIELD_WORDS[field]), MASK if value is None else shown(value), item]
                for field, item, value in rows
            ],
        )


@vault_command.command("find", short_help="Who has a NIK, a telephone or an account number.")
@vault_options
@warrant_options
@json_option
@language_option
def find_command(at: At, as_json: bool, lang: str | None) -> Status:
    """Who has a NIK, a telephone or an account number. Reads from standard input, never from arguments.

    Lines of JSON or CSV with a heading, each one of: nik; phone; provider and account. Prints the
    participant ids. Needs the look-up key alone; each search is on record, found or not.

    \b
    Example: prakerja-ledger vault find --by siti --purpose 'complaint 71' < asked.jsonl
    """
    from prakerja_ledger.interfaces.cli.vault_records import opened, records, sought  # noqa: PLC0415

    words, warrant, status = words_of(lang), at.warrant(), Status.DONE
    with at.opened() as vault, opened("-") as lines:
        for record in records(lines):
            try:
                found = vault.find(*sought(record), warrant)
            except (InvalidPerson, Restricted) as refused:
                status = worst(
                    status,
                    Status.FAULT if isinstance(refused, Restricted) else Status.QUARANTINED,
                )
                said = words.error(refused)
                output.complain(words(N_("line {number}: {said}"), number=record.number, said=said))
                continue
            if as_json:
                told = [{"participant": id, "item": item or None} for id, item in found]
                click.echo(
                    json.dumps({"line": record.number, "found": told}, separators=(",", ":"))
                )
            else:
                click.echo(" ".join(id for id, _ in found) or words(N_("nobody")))
    return status
