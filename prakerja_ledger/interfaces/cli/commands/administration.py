"""`schema` and `doctor`: making a ledger, and finding out whether one is safe."""

from __future__ import annotations

import json

import click

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.options import json_option, language_option, words_of
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, shown


@click.command("schema", short_help="Print or run the SQL that makes a ledger.")
@click.option("--sql", "printed", metavar="URL", help="Print the tables, functions and roles.")
@click.option("--apply", "applied", metavar="URL", help="Make the tables and functions there.")
@language_option
def schema_command(printed: str | None, applied: str | None, lang: str | None) -> Status:
    """Print or run the SQL that makes a ledger.

    On PostgreSQL nothing is ever made unasked: read what --sql prints and have it run by whoever
    may, or let --apply make tables and functions (roles it leaves to you). SQLite ledgers are made
    when they are first recorded into; --apply makes an empty one.

    \b
    Options in the URL: ?schema=NAME (default prakerja_ledger), ?shards=N (default 1),
    ?functions=no for engines without functions and triggers.

    \b
    Example: prakerja-ledger schema --sql 'postgresql://db/ledger?shards=8'
    """
    if (printed is None) == (applied is None):
        raise click.UsageError(Phrase("say --sql URL or --apply URL: one of them."))
    from prakerja_ledger.stores.administration import administration_of  # noqa: PLC0415  # heavy

    if printed is not None:
        click.echo(administration_of(printed).script(printed), nl=False)
        return Status.DONE
    assert applied is not None, "one of the two was given"
    made = administration_of(applied).apply(applied)
    said = N_("The ledger is made.") if made else N_("The ledger is there already; nothing to do.")
    click.echo(words_of(lang)(said))
    return Status.DONE


@click.command("doctor", short_help="Examine a ledger: what is unsafe, and how to mend it.")
@click.argument("url")
@json_option
def doctor_command(url: str, as_json: bool) -> Status:
    """Examine a ledger: what is unsafe, and how to mend it.

    Reads back settings, durability, rights, versions, what stands between (a pooler, the network)
    and whether positions are without gaps. Exit status 1 where something is unsafe. It changes
    nothing.

    \b
    Example: prakerja-ledger doctor sqlite:///ledger.db
    """
    from prakerja_ledger.stores.administration import administration_of  # noqa: PLC0415  # heavy
    from prakerja_ledger.stores.health import Verdict  # noqa: PLC0415

    checks = administration_of(url).examine(url)
    if as_json:
        for check in checks:
            told = {
                "subject": check.subject,
                "found": check.found,
                "verdict": check.verdict,
                "mend": check.mend,
            }
            click.echo(json.dumps(told, ensure_ascii=False, separators=(",", ":")))
    else:
        rows = [
            [check.verdict.upper() if check.verdict is Verdict.UNSAFE else check.verdict.value]
            + [shown(text) for text in (check.subject, check.found, check.mend)]
            for check in checks
        ]
        output.table(["", "what", "found", "what to do"], rows)
    unsafe = any(check.verdict is Verdict.UNSAFE for check in checks)
    return Status.FAULT if unsafe else Status.DONE
