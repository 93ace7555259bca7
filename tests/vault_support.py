"""What tests of the vault share: made-up people, and marks to look for in every byte.

Serials are 0000, which no real NIK has, and birth dates are spread so that each is another.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import frozen
from hypothesis import strategies as st

from prakerja_ledger.vault.journal import Warrant
from prakerja_ledger.vault.keys import Keys, Use, keys_in, make_key
from prakerja_ledger.vault.person import Person, PersonalField, account
from prakerja_ledger.vault.secret import Secret
from prakerja_ledger.vault.vault import Vault


@frozen
class Marked:
    """Somebody whose every value is easy to find in a heap of bytes."""

    number: int

    @property
    def born(self) -> date:
        return date(1970, 1, 1) + timedelta(days=self.number)

    @property
    def nik(self) -> str:
        return f"357801{self.born:%d%m%y}0000"

    @property
    def name(self) -> str:
        return f"Budi Zxqvarname {self.number:04} Sítí"

    @property
    def phone(self) -> str:
        return f"+6281287{self.number:06}"

    @property
    def account(self) -> str:
        return f"77613{self.number:07}"

    def person(self, **changes: Any) -> Person:
        given: dict[str, Any] = {
            "nik": Secret(self.nik),
            "name": Secret(self.name),
            "phone": Secret(self.phone),
            "accounts": (account("bca", Secret(self.account)),),
        }
        return Person(**{**given, **changes})

    def record(self) -> dict[str, str]:
        """As a line of JSON has it."""
        return {
            "nik": self.nik,
            "name": self.name,
            "phone": self.phone,
            "provider": "bca",
            "account": self.account,
        }

    def marks(self) -> list[bytes]:
        """What must be nowhere: whole values, and what is left of them when they are cut or escaped."""
        texts = [self.nik, self.name, self.phone, self.phone[3:], self.account]
        texts += [f"0{self.phone[3:]}", self.name.encode("unicode_escape").decode()]
        spelt = [encoding for text in texts for encoding in (text.encode(), text.encode("utf-16-le"))]
        return [*spelt, b"Zxqvarname", *(text.encode().hex().encode() for text in texts)]


def holding(marks: Iterable[bytes], data: bytes) -> list[bytes]:
    """Those marks that are in the bytes."""
    return [mark for mark in marks if mark in data]


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def told_of(error: BaseException) -> bytes:
    """All that may be shown of an error: its chain, suppressed or not, and the variables of its frames.

    But not the tests' own frames: those know the marks, which are what they look for.
    """
    shown: list[str] = []
    at: BaseException | None = error
    while at is not None:
        shown += [repr(at), str(at), repr(at.args), repr(vars(at)), repr(getattr(at, "fields", None))]
        frames = traceback.walk_tb(at.__traceback__)
        for frame, _ in frames:
            if "tests" not in Path(frame.f_code.co_filename).parts:
                shown += map(shown_as_far_as_it_is_made, frame.f_locals.values())
        at = at.__cause__ or at.__context__
    return "\n".join(shown).encode("utf-8", "backslashreplace")


def shown_as_far_as_it_is_made(value: object) -> str:
    """A variable's repr; an object whose making was refused has none."""
    try:
        return repr(value)
    except AttributeError:
        return ""


DAYS = st.dates(date(1925, 1, 1), date(2015, 12, 31))


@st.composite
def niks(draw: st.DrawFn) -> tuple[str, date, bool]:
    """A well-formed NIK with the birth date and whether it is a woman's."""
    born, woman = draw(DAYS), draw(st.booleans())
    place = "".join(f"{draw(st.integers(low, 99)):02}" for low in (11, 1, 1))
    day = born.day + 40 * woman
    return f"{place}{day:02}{born:%m%y}{draw(st.integers(0, 9999)):04}", born, woman


# --- vaults ---------------------------------------------------------------------------------------

WARRANT = Warrant(by="siti", purpose="ticket PR-7")
NOON = datetime(2020, 7, 2, 12, tzinfo=UTC)


def new_keys(folder: Path) -> Keys:
    make_key(folder, Use.WRAPPING)
    make_key(folder, Use.LOOK_UP)
    return keys_in(folder)


def entries(vault: Vault) -> list[tuple[str, str | None, tuple[str, ...]]]:
    """What the journal says, after its first entry."""
    return [(e.kind.value, e.participant, e.fields) for e, _ in vault.journal()][1:]


def values(vault: Vault, participant: str) -> dict[str, str]:
    """All that is held of somebody, in clear."""
    shown = vault.reveal(participant, tuple(PersonalField), WARRANT)
    return {one.field.value: one.value.exposed() for one in shown}


REGISTER = """
import sys
from pathlib import Path
from prakerja_ledger.vault.keys import keys_in
from prakerja_ledger.vault.vault import Vault
from tests.vault_support import WARRANT, Marked
url, folder, last = sys.argv[1:]
with Vault.open(url, keys_in(Path(folder))) as vault:
    for number in range(int(last)):
        print(vault.register(Marked(number).person(), WARRANT).participant, flush=True)
"""
"""A program that registers the first so many people."""


def registering(url: str, folder: Path, last: int) -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-c", REGISTER, url, str(folder), str(last)]
    return subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    )
