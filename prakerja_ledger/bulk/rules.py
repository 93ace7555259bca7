"""The rules as they stand in the files beside this one: each a name and a query.

A rule names those before it. Most are inlined as common table expressions; one marked `table` is kept
as a table, because several rules read it or because it is wide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

_HEADING: Final = re.compile(r"^-- (rule|table|step): (\w+)\n", re.MULTILINE)
_WORD: Final = re.compile(r"\b[a-z_]+\b")
_COMMENT: Final = re.compile(r"--.*")
FILES: Final = ("lines", "statements", "findings")


class Rule(NamedTuple):
    """One rule."""

    name: str
    text: str
    is_table: bool
    needs: tuple[str, ...]
    """The rules that it names, in their order."""


@cache
def read(name: str) -> str:
    """The text of one file of SQL."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def steps(name: str) -> Mapping[str, str]:
    """The queries of one file whose order is its own, by name."""
    _, *parts = _HEADING.split(read(name))
    return dict(zip(parts[1::3], (text.strip() for text in parts[2::3]), strict=True))


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule, in order."""
    found: dict[str, Rule] = {}
    for file in FILES:
        _, *parts = _HEADING.split(read(file))
        for kind, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            words = set(_WORD.findall(_COMMENT.sub("", text)))
            needs = tuple(other for other in found if other in words)
            found[name] = Rule(name, text.strip(), kind == "table", needs)
    return found


def tables_for(name: str) -> list[str]:
    """The tables that a rule rests on, in the order in which they are made."""
    wanted: set[str] = set()

    def visit(one: str) -> None:
        for other in rules()[one].needs:
            if other not in wanted:
                wanted.add(other)
                visit(other)

    visit(name)
    return [one for one, rule in rules().items() if one in wanted and rule.is_table]


def query_for(name: str, select: str | None = None) -> str:
    """A rule as one query over the tables; or a query `select` over it."""
    inlined: set[str] = set()

    def visit(one: str) -> None:
        for other in rules()[one].needs:
            if other not in inlined and not rules()[other].is_table:
                inlined.add(other)
                visit(other)

    visit(name)
    if select is not None and not rules()[name].is_table:
        inlined.add(name)
    text = rules()[name].text if select is None else select
    return _with((rule for one, rule in rules().items() if one in inlined), text)


def _with(inlined: Iterator[Rule], text: str) -> str:
    named = ",\n".join(f"{rule.name} AS (\n{rule.text}\n)" for rule in inlined)
    return f"WITH\n{named}\n{text}" if named else text


def filled(text: str, parts: Mapping[str, str], *, asked: str = "") -> str:
    """A rule with the parts that depend on the programme's data in their places, each by what stands there.

    `asked` are words that switch lines on: `--named` what names events, `--judged` what findings need.
    """
    for word in asked.split():
        text = text.replace(f"--{word} ", "")
    for name, part in parts.items():
        text = text.replace(name, part)
    return text
