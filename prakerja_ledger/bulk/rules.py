"""The rules as they stand in the files beside this one: each a name and a query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

_HEADING: Final = re.compile(r"^-- rule: (\w+)\n", re.MULTILINE)


@cache
def read(name: str) -> str:
    """The text of one file of SQL."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def rules(name: str) -> Mapping[str, str]:
    """The rules of a file, in its order: a rule names only those before it."""
    _, *parts = _HEADING.split(read(name))
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))


def filled(text: str, parts: Mapping[str, str]) -> str:
    """A rule with the parts that depend on the programme's data in their places."""
    for name, part in parts.items():
        text = text.replace("{" + name + "}", part)
    return text
