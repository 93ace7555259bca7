"""People in a file: lines of JSON, or CSV with a heading. Nothing of a line is ever repeated in an error.

Functions that hold a line in clear do not raise: a traceback can show the variables of its frames.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import IO, Final

from attrs import frozen

from prakerja_ledger.domain.errors import InvalidPerson, UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.vocabulary import PROVIDERS
from prakerja_ledger.interfaces.cli.words import of_system
from prakerja_ledger.vault import person as spelling
from prakerja_ledger.vault.nik import Sex
from prakerja_ledger.vault.person import Person, PersonalField
from prakerja_ledger.vault.secret import Secret

KNOWN: Final = (
    "nik",
    "name",
    "phone",
    "provider",
    "account",
    "birth_date",
    "sex",
    "retain_until",
)
Fields = dict[str, Secret[str]]
_LONGEST_LINE: Final = 100_000


@frozen
class Record:
    """A line of the file: what it holds by name, or None where it cannot be read."""

    number: int
    fields: Fields | None


@contextmanager
def opened(path: str) -> Iterator[Iterable[bytes]]:
    """The lines of a file, or of standard input for `-`."""
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file: IO[bytes] = Path(path).open("rb")  # noqa: SIM115  # closed below
    except OSError as error:
        raise UnreadableSource(
            source=path, problem=Phrase("{error}.", error=of_system(error))
        ) from None
    with file:
        yield file


def records(lines: Iterable[bytes]) -> Iterator[Record]:
    """Every line that is not blank. JSON where the first of them begins with {, else CSV."""
    read: Callable[[Secret[bytes]], Fields | None] | None = None
    for number, line in enumerate(map(Secret, lines), 1):
        if not line.exposed().strip():
            continue
        if read is not None:
            yield Record(number, read(line))
        elif line.exposed().lstrip(b"\xef\xbb\xbf \t").startswith(b"{"):
            read = _from_json
            yield Record(number, read(line))
        else:
            names = _heading(line)
            if names is None:  # its text is not repeated: where a heading is missing it is a person
                expected = Phrase("a line of names, each once, of {names}", names=", ".join(KNOWN))
                raise InvalidPerson(field=Phrase("the heading of the CSV"), expected=expected)
            read = partial(_row, names)


def _from_json(line: Secret[bytes]) -> Fields | None:
    if len(line.exposed()) > _LONGEST_LINE:
        return None
    try:
        told = json.loads(line.exposed().decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    given = {name: value for name, value in told.items() if value is not None}
    if not all(name in KNOWN and isinstance(value, str) for name, value in given.items()):
        return None
    return {name: Secret(value) for name, value in given.items()}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object] | None:
    """An object; None for one that names a field twice."""
    told = dict(pairs)
    return told if len(told) == len(pairs) else None


def _heading(line: Secret[bytes]) -> tuple[str, ...] | None:
    names = _cells(line)
    if names is None or not all(name in KNOWN for name in names) or len(set(names)) < len(names):
        return None
    return tuple(names)


def _row(names: tuple[str, ...], line: Secret[bytes]) -> Fields | None:
    cells = _cells(line)
    if cells is None or len(cells) != len(names):
        return None
    return {name: Secret(cell) for name, cell in zip(names, cells, strict=True) if cell}


def _cells(line: Secret[bytes]) -> list[str] | None:
    """The cells of one line; a cell with a line's end in it is none of ours."""
    if len(line.exposed()) > _LONGEST_LINE:
        return None
    try:
        rows = list(csv.reader([line.exposed().decode("utf-8-sig").rstrip("\r\n")], strict=True))
    except (ValueError, csv.Error):
        return None
    return [cell.strip() for cell in rows[0]] if len(rows) == 1 else None


def person_of(record: Record) -> Person:
    """The person of a line. Raises InvalidPerson."""
    fields = _readable(record)
    for needed in ("nik", "name"):
        if needed not in fields:
            raise InvalidPerson(field=needed, expected=Phrase("there, and every person has one"))
    return Person(
        nik=fields["nik"],
        name=fields["name"],
        phone=fields.get("phone"),
        accounts=_accounts(fields),
        retain_until=_day(fields, "retain_until"),
        born=_day(fields, "birth_date"),
        sex=_sex(fields),
    )


def sought(record: Record) -> tuple[PersonalField, Secret[str]]:
    """The one value of a line, by which somebody is looked for. Raises InvalidPerson."""
    fields = _readable(record)
    if fields.keys() == {"nik"}:
        return PersonalField.NIK, spelling.nik(fields["nik"])
    if fields.keys() == {"phone"}:
        return PersonalField.PHONE, spelling.phone(fields["phone"])
    if fields.keys() == {"provider", "account"}:
        return PersonalField.ACCOUNT, _accounts(fields)[0]
    raise InvalidPerson(
        field=Phrase("the line"),
        expected=Phrase("one of nik, phone, or provider and account, and nothing else"),
    )


def _readable(record: Record) -> Fields:
    if record.fields is None:
        raise InvalidPerson(
            field=Phrase("the line"),
            expected=Phrase(
                "an object of JSON, or a row of CSV, of {names}", names=", ".join(KNOWN)
            ),
        )
    return record.fields


def _accounts(fields: Fields) -> tuple[Secret[str], ...]:
    if ("provider" in fields) != ("account" in fields):
        raise InvalidPerson(field="account", expected=Phrase("there together with its provider"))
    if "account" not in fields:
        return ()
    provider = next((one for one in PROVIDERS if Secret(one) == fields["provider"]), "")
    return (spelling.account(provider, fields["account"]),)


def _day(fields: Fields, name: str) -> date | None:
    if name not in fields:
        return None
    found = _real_day(fields[name])
    if found is None:
        raise InvalidPerson(field=name, expected=Phrase("a date, YYYY-MM-DD"))
    return found


def _real_day(text: Secret[str]) -> date | None:
    try:
        found = date.fromisoformat(text.exposed())
    except ValueError:
        return None
    return found if found.isoformat() == text.exposed() else None


def _sex(fields: Fields) -> Sex | None:
    if "sex" not in fields:
        return None
    for sex in Sex:
        if fields["sex"] == Secret(sex.value):
            return sex
    raise InvalidPerson(field="sex", expected=Phrase("female or male"))
