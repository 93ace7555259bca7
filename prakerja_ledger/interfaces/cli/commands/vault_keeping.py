"""`vault init` and `vault rotate`: a vault and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.options import (
    language_option,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.vault_options import (
    NOT_CLEARED,
    At,
    vault_options,
    warrant_options,
)
from prakerja_ledger.interfaces.cli.words import N_

if TYPE_CHECKING:
    from prakerja_ledger.vault.vault import Vault


@click.command("init", short_help="Make a vault and its keys.")
@vault_options
@warrant_options
@click.option(
    "--algorithm",
    type=click.Choice(["aes-256-gcm-siv", "aes-256-gcm"]),
    default="aes-256-gcm-siv",
    show_default=True,
    help="What values are sealed with. The second for OpenSSL before 3.2.",
)
@language_option
def init_command(at: At, algorithm: str, lang: str | None) -> Status:
    """Make a vault and its keys, in a folder that only you can read.

    Keep a copy of the folder apart from the database and its backups: without the wrapping key nothing can
    be shown ever again, and with it and a copy of the database everything can.

    \b
    Example: prakerja-ledger vault init --vault sqlite:///vault.db --keys keys --by siti --purpose 'start'
    """
    from prakerja_ledger.vault.crypto import Algorithm  # noqa: PLC0415  # heavy
    from prakerja_ledger.vault.keys import Use, keys_in, make_key  # noqa: PLC0415
    from prakerja_ledger.vault.vault import Vault  # noqa: PLC0415

    words, warrant, folder = words_of(lang), at.warrant(), at.keys_folder
    sealed_by = Algorithm(algorithm)
    if folder.is_dir() and any(folder.iterdir()):
        output.complain(
            words(
                N_(
                    "{folder} has keys already, and they become this vault's too. Where they are another vault's, "
                    "to destroy one (rotate --destroy-old) makes the other unreadable."
                ),
                folder=str(folder),
            )
        )
    else:
        for use in Use:
            make_key(folder, use, sealed_by)
    with Vault.create(at.url, keys_in(folder), warrant, algorithm=sealed_by) as vault:
        used = vault.settings()
    click.echo(
        words(
            N_("The vault is made. Its keys: {wrapping}, {look_up}."),
            wrapping=used.wrapping_key,
            look_up=used.look_up_key,
        )
    )
    return Status.DONE


@click.command("rotate", short_help="Exchange a key of the vault for a new one.")
@vault_options
@warrant_options
@click.option(
    "--look-up", "look_up", is_flag=True, help="The look-up key. Default: the wrapping key."
)
@click.option(
    "--destroy-old", is_flag=True, help="Destroy the file of the old key when it is done."
)
@language_option
def rotate_command(
    at: At, look_up: bool, destroy_old: bool, lang: str | None
) -> Status:  # two flags, two questions
    """Exchange a key of the vault for a new one; go on with an exchange that was stopped.

    Once the old wrapping key is destroyed, with every copy of it, backups of the vault from before
    are unreadable: also what they hold of people who were forgotten since.

    \b
    Example: prakerja-ledger vault rotate --destroy-old --by siti --purpose 'yearly exchange'
    """
    from prakerja_ledger.vault.keys import destroy_key  # noqa: PLC0415  # heavy

    words, warrant = words_of(lang), at.warrant()
    with at.opened() as vault:
        new = _new_key(vault, at, look_up=look_up)
    with at.opened() as vault:  # with the new key at hand
        rotate = vault.rotate_look_up if look_up else vault.rotate_wrapping
        old = rotate(new, warrant)
        cleared = vault.scrub()
    assert old is not None, "the new key was not in use before"
    click.echo(words(N_("{old} is exchanged for {new}."), old=old, new=new))
    if destroy_old:
        destroy_key(at.keys_folder, old)
        click.echo(words(N_("{old} is destroyed here. Destroy its copies too."), old=old))
    if not cleared:
        output.complain(words(NOT_CLEARED))
    return Status.DONE if cleared else Status.FAULT


def _new_key(vault: Vault, at: At, *, look_up: bool) -> str:
    """The key of an exchange that was stopped, or one that is made now."""
    from prakerja_ledger.vault.crypto import Algorithm  # noqa: PLC0415  # heavy
    from prakerja_ledger.vault.keys import Use, make_key  # noqa: PLC0415

    used = vault.settings()
    before = used.look_up_key_before if look_up else used.wrapping_key_before
    if before is not None:
        return used.look_up_key if look_up else used.wrapping_key
    use = Use.LOOK_UP if look_up else Use.WRAPPING
    return make_key(at.keys_folder, use, Algorithm(used.algorithm)).id
