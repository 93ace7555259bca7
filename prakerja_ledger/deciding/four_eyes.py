"""Four eyes: what takes back or changes the record is asked for by one person and approved by another.

Switched on by a ledger, for its commands. What is recorded or imported is a fact of elsewhere, which
nobody here may approve or refuse.
"""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

from prakerja_ledger.deciding.commands import Command, Overseen
from prakerja_ledger.domain.errors import Refusal

MAKER: Final = "xmaker"
CHECKER: Final = "xchecker"
"""Extension attributes of CloudEvents: who asked and who approved is kept, and is no part of what happened."""


def oversight(command: Command) -> dict[str, str]:
    """The attributes that the command's event carries."""
    if not isinstance(command, Overseen):
        return {}
    named = {MAKER: command.maker, CHECKER: command.checker}
    return {name: who for name, who in named.items() if who is not None}


def four_eyes(command: Command) -> Refusal | None:
    """What stands against a command where two people have to stand behind it."""
    if not isinstance(command, Overseen):
        return None
    maker, checker = _person(command.maker), _person(command.checker)
    if not (maker and checker):
        return Refusal(
            code="NOT_CHECKED",
            template="it takes a maker and a checker, and the {missing} is not named. Have another person "
            "approve it, and name both.",
            fields={"missing": "checker" if maker else "maker"},
        )
    if maker == checker:
        return Refusal(
            code="CHECKED_BY_ITS_MAKER",
            template="{checker} is maker and checker in one. Have another person approve it.",
            fields={"checker": command.checker},
        )
    return None


def _person(name: str | None) -> str:
    """The name as it is compared: capitals and blanks around it make nobody another person."""
    return "" if name is None else normalize("NFKC", name).strip().casefold()
