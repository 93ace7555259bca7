"""Options that the vault's commands share, and how a vault is opened from them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.interfaces.cli.words import N_

if TYPE_CHECKING:
    from prakerja_ledger.vault.journal import Warrant
    from prakerja_ledger.vault.vault import Vault

_PARTICIPANT: Final = re.compile(r"p-[0-9a-f]{32}", re.ASCII).fullmatch
FIELD_WORDS: Final = {
    "nik": N_("identity number"),
    "name": N_("name"),
    "phone": N_("telephone"),
    "account": N_("account"),
    "retain-until": N_("retention"),
}
"""What the vault keeps, in words."""


NOT_CLEARED: Final = N_(
    "It is done, but the files could not be cleared of what was deleted: another process reads them, or "
    "the tables are another role's. The next command on this vault that can clears them."
)


class ParticipantType(click.ParamType[str]):
    """A participant id of a vault. What is none is not repeated: it may be somebody's number."""

    name = "PARTICIPANT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if _PARTICIPANT(str(value)) is None:
            self.fail(
                Phrase(
                    "that is no participant id of a vault: p- and 32 digits or letters a to f. To find one "
                    "by a value, use vault find, which reads from standard input."
                ),
                param,
                ctx,
            )
        return str(value)


class At:
    """Where the vault and its keys are, and who asks what for."""

    def __init__(
        self, url: str, folder: str | None, by: str | None = None, purpose: str | None = None
    ) -> None:
        self.url: str = url
        self.folder: str | None = folder
        self._by, self._purpose = by, purpose

    @property
    def keys_folder(self) -> Path:
        """Raises UsageError where none is named."""
        if self.folder is None:
            raise click.UsageError(
                Phrase("this needs the vault's keys. Name their folder: --keys FOLDER.")
            )
        return Path(self.folder)

    def warrant(self) -> Warrant:
        """Who acts, and what for. Raises UsageError where it is not said."""
        from prakerja_ledger.vault.journal import Warrant  # noqa: PLC0415  # heavy

        if not self._by or not self._purpose:
            raise click.UsageError(
                Phrase("say who does it and what for: --by PERSON --purpose TEXT.")
            )
        return Warrant(by=self._by, purpose=self._purpose)

    def opened(self, *, keyless: bool = False) -> Vault:
        """The vault, with the keys of the folder unless it is to be opened without."""
        from prakerja_ledger.vault.keys import NO_KEYS, keys_in  # noqa: PLC0415  # heavy
        from prakerja_ledger.vault.vault import Vault  # noqa: PLC0415

        return Vault.open(self.url, NO_KEYS if keyless else keys_in(self.keys_folder))


def _check_installed() -> None:
    try:
        import_module("prakerja_ledger.vault.crypto")
    except ModuleNotFoundError as missing:
        package = str(missing.name).partition(".")[0]
        raise click.UsageError(
            Phrase("{package} is not installed. Install prakerja-ledger[vault].", package=package)
        ) from None


def vault_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--vault` and `--keys`, as one argument `at`."""

    @click.option(
        "--keys",
        "folder",
        type=click.Path(),
        metavar="FOLDER",
        envvar="PRAKERJA_LEDGER_VAULT_KEYS",
        help="The folder of its keys. Default: PRAKERJA_LEDGER_VAULT_KEYS.",
    )
    @click.option(
        "--vault",
        "url",
        required=True,
        metavar="URL",
        envvar="PRAKERJA_LEDGER_VAULT",
        help="sqlite:///vault.db or postgresql://host/database. Default: PRAKERJA_LEDGER_VAULT.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, url: str, folder: str | None, **options: Any) -> Any:
        _check_installed()
        asked = At(url, folder, options.pop("by", None), options.pop("purpose", None))
        return command(*args, at=asked, **options)

    return wrapped


def warrant_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--by` and `--purpose`; to stand under `vault_options`, which takes them."""
    command = click.option(
        "--purpose",
        required=True,
        metavar="TEXT",
        help="What for: a ticket, a letter. Kept in the journal for ever, so it names nobody.",
    )(command)
    return click.option(
        "--by",
        required=True,
        metavar="PERSON",
        envvar="PRAKERJA_LEDGER_BY",
        help="Who does it. Default: PRAKERJA_LEDGER_BY.",
    )(command)
