"""The columns of a Parquet history as Arrow types, and whether a file has just these."""

from __future__ import annotations

from typing import Any, Final

from pyarrow import types

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.arrow import TYPES
from prakerja_ledger.evidence.columns import (
    BY_NAME,
    LINE_BYTES,
    VERSION,
    VERSION_KEY,
    Column,
    Kind,
)

_UTC: Final = frozenset({"UTC", "utc", "Etc/UTC", "+00:00", "Z"})
_SHOWN: Final = 5


class NoHistory(ValueError):
    """A Parquet file has other columns than a history; says which."""


def check_schema(schema: Any) -> None:
    """Raise NoHistory for other columns, other types, or another version."""
    version = (schema.metadata or {}).get(VERSION_KEY.encode())
    if version is not None and version != VERSION.encode():
        raise NoHistory(
            Phrase(
                "it says {key} = {found}, and this program reads {known}",
                key=VERSION_KEY,
                found=repr(version[:20].decode("utf-8", "replace")),
                known=VERSION,
            )
        )
    names = list(schema.names)
    missing = [name for name in BY_NAME if name not in names and name != LINE_BYTES.name]
    if missing:
        raise NoHistory(Phrase("column {names} missing", names=_listed(missing)))
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise NoHistory(Phrase("column {names} unknown", names=_listed(unknown)))
    if len(set(names)) != len(names):
        raise NoHistory(Phrase("a column stands there twice"))
    wrong = [one.name for one in map(BY_NAME.get, names) if one and not _fits(schema, one)]
    if wrong:
        name = wrong[0]
        raise NoHistory(
            Phrase(
                "column {name} is {found}, expected {expected}",
                name=name,
                found=str(schema.field(name).type),
                expected=str(TYPES[BY_NAME[name].kind]),
            )
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:_SHOWN])
    if len(names) <= _SHOWN:
        return shown
    return Phrase("{names} and {count} more", names=shown, count=len(names) - _SHOWN)


def _fits(schema: Any, column: Column) -> bool:
    return _is(schema.field(column.name).type, column.kind)


def _is(given: Any, kind: Kind) -> bool:
    """Whether a type says the same; texts may be large or by dictionary, as other writers have them."""
    if types.is_dictionary(given):
        given = given.value_type
    if kind is Kind.TEXT:
        return bool(types.is_string(given) or types.is_large_string(given))
    if kind is Kind.BYTES:
        return bool(types.is_binary(given) or types.is_large_binary(given))
    if kind is Kind.INSTANT:
        return bool(types.is_timestamp(given) and given.unit == "us" and given.tz in _UTC)
    if kind in (Kind.TEXTS, Kind.COURSES):
        return _is_list(given, kind)
    return bool(given == TYPES[kind])


def _is_list(given: Any, kind: Kind) -> bool:
    if not (types.is_list(given) or types.is_large_list(given)):
        return False
    item = given.value_type
    if kind is Kind.TEXTS:
        return _is(item, Kind.TEXT)
    return (
        types.is_struct(item)
        and sorted(item.field(n).name for n in range(item.num_fields)) == ["course", "institution"]
        and all(_is(item.field(n).type, Kind.TEXT) for n in range(item.num_fields))
    )
