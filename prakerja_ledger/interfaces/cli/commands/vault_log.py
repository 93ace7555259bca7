"""`vault access-log`: who saw whose which field, when and what for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import click

from prakerja_ledger.domain.errors import VaultDamaged
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.time import in_utc
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.options import (
    DayType,
    json_option,
    language_option,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.vault_options import (
    FIELD_WORDS,
    At,
    ParticipantType,
    vault_options,
)
from prakerja_ledger.interfaces.cli.words import N_, Words, shown

if TYPE_CHECKING:
    from prakerja_ledger.vault.journal import Entry, Head
    from prakerja_ledger.vault.vault import Vault


KINDS: Final = {
    "created": N_("made the vault"),
    "registered": N_("added"),
    "changed": N_("changed"),
    "found": N_("looked for"),
    "revealed": N_("saw"),
    "restricted": N_("restricted"),
    "lifted": N_("lifted the restriction"),
    "forgotten": N_("made unreadable"),
    "expired": N_("made unreadable: retention over"),
    "rotated": N_("exchanged a key"),
}
_SEEING: Final = ("revealed", "found")


@click.command("access-log", short_help="Who saw whose which field, when and what for.")
@click.argument("participant", required=False, type=ParticipantType())
@vault_options
@click.option("--since", type=DayType(), help="Only from that day on (WIB).")
@click.option("--who", metavar="PERSON", help="Only what that person did.")
@click.option(
    "--summary",
    is_flag=True,
    help="One row for each participant whose data was seen or looked for: which fields, since when, how "
    "often, by whom. What a breach notice needs.",
)
@click.option("--head", metavar="HEAD", help="A head noted down before, that must still be in it.")
@json_option
@language_option
def access_log_command(
    participant: str | None,
    at: At,
    since: date | None,
    who: str | None,
    summary: bool,
    head: str | None,
    as_json: bool,
    lang: str | None,
) -> Status:
    """Who saw whose which field, when and what for; and who was added, restricted and forgotten.

    The whole journal is checked first; exit status 4 where an entry was changed, dropped or put in. Note
    down the head it ends with: with --head a later look shows whether the end was cut off or made anew.

    \b
    Example: prakerja-ledger vault access-log --since 2026-01-01 --summary
    """
    words = words_of(lang)
    try:
        with at.opened(keyless=True) as vault:
            found, last = _chosen(vault, _head(head), participant, since, who)
    except VaultDamaged as damaged:
        output.complain(f"prakerja-ledger: {words.error(damaged)}")
        return Status.NOT_AS_SEALED
    if summary:
        _summary(words, found, as_json=as_json)
    elif as_json:
        for entry in found:
            click.echo(json.dumps(_told(entry), ensure_ascii=False, separators=(",", ":")))
    else:
        _show(words, found)
    output.complain(words(N_("The journal is whole. Its head: {head}"), head=last))
    return Status.DONE


def _head(text: str | None) -> Head | None:
    from prakerja_ledger.vault.journal import Head  # noqa: PLC0415  # heavy

    if text is None:
        return None
    number, _, hashed = text.partition(":")
    if not (number.isascii() and number.isdecimal() and len(hashed) == 64):
        raise click.UsageError(
            Phrase("that is no head: write it as access-log printed it, NUMBER:HASH.")
        )
    try:
        return Head(int(number), bytes.fromhex(hashed))
    except ValueError:
        raise click.UsageError(
            Phrase("that is no head: its hash is 64 digits and a to f.")
        ) from None


def _chosen(
    vault: Vault, kept: Head | None, participant: str | None, since: date | None, who: str | None
) -> tuple[list[Entry], Head | str]:
    """The entries asked for, and the head; nothing is answered before all of it is checked."""
    found: list[Entry] = []
    last: Head | str = "0"
    begins = "" if since is None else since.isoformat()
    for entry, head in vault.journal(kept):
        last = head
        if (
            (participant is None or entry.participant == participant)
            and entry.at >= begins
            and (who is None or entry.by == who)
        ):
            found.append(entry)
    return found, last


def _told(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": in_utc(entry.at),
        "kind": entry.kind,
        "participant": entry.participant,
        "fields": list(entry.fields),
        "keys": list(entry.keys),
        "by": entry.by,
        "purpose": entry.purpose,
    }


def _show(words: Words, entries: Iterable[Entry]) -> None:
    output.table(
        [words(text) for text in (N_("when"), N_("who"), N_("did what"), N_("whose"))]
        + [words(text) for text in (N_("fields"), N_("what for"))],
        [
            [
                words.moment(entry.at),
                shown(entry.by),
                words(KINDS[entry.kind]),
                entry.participant or ", ".join(entry.keys),
                _fields(words, entry.fields),
                shown(entry.purpose),
            ]
            for entry in entries
        ],
    )


def _fields(words: Words, fields: Iterable[str]) -> str:
    return ", ".join(words(FIELD_WORDS.get(field, "")) or shown(field) for field in fields)


def _seen(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """The entries of each participant whose data was seen or looked for, by participant."""
    seen: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind in _SEEING and entry.participant is not None:
            seen.setdefault(entry.participant, []).append(entry)
    return iter(sorted(seen.items()))


def _summary(words: Words, entries: Iterable[Entry], *, as_json: bool) -> None:
    rows = []
    for participant, own in _seen(entries):
        fields = sorted({field for entry in own for field in entry.fields})
        people = sorted({entry.by for entry in own})
        if as_json:
            told = {
                "participant": participant,
                "fields": fields,
                "first_at": in_utc(own[0].at),
                "last_at": in_utc(own[-1].at),
                "times": len(own),
                "by": people,
            }
            click.echo(json.dumps(told, ensure_ascii=False, separators=(",", ":")))
        else:
            first, last = words.moment(own[0].at), words.moment(own[-1].at)
            who = shown(", ".join(people))
            rows.append([participant, _fields(words, fields), first, last, str(len(own)), who])
    if not as_json:
        headings = (N_("whose"), N_("fields"), N_("first"), N_("last"), N_("times"), N_("who"))
        output.table([words(text) for text in headings], rows, right=[4])
