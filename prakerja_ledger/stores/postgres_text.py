"""Values as PostgreSQL's texts: what it cannot keep as it is, and arrays in one literal."""

from __future__ import annotations

from collections.abc import Iterable


def storable(text: str) -> str:
    """The text as PostgreSQL can keep it: it has no character 0. The order of texts stays."""
    if "\0" in text or "\1" in text:
        return text.replace("\1", "\1\2").replace("\0", "\1\1")
    return text


def original(text: str) -> str:
    """The text that `storable` was given."""
    if "\1" in text:
        return text.replace("\1\1", "\0").replace("\1\2", "\1")
    return text


def texts(values: Iterable[str | None]) -> str:
    """An array of texts as PostgreSQL writes it.

    A driver makes a literal of each element and joins them; for a command of a few values that took
    longer than the server needs to record it.
    """
    return "{" + ",".join("NULL" if v is None else _quoted(v) for v in values) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def numbers(values: Iterable[int]) -> str:
    """An array of integers as PostgreSQL writes it."""
    return "{" + ",".join(map(str, values)) + "}"


def binaries(values: Iterable[bytes]) -> str:
    """An array of byte strings as PostgreSQL writes it."""
    return "{" + ",".join('"\\\\x' + v.hex() + '"' for v in values) + "}"
