"""Sentences of ours and pieces of them, as values that can be said in another language.

An error quotes: its text is a frame, and what it quotes (`problem`, `expected`, `kind`) is a sentence
too. As plain text that would stay English in the middle of an Indonesian frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self


class Phrase(str):
    """A text of ours, which remembers what it was made of.

    It is its English text, and compares, prints and hashes as that: whoever wants no other language
    need not know. `template` is the message id of its translation. What comes from elsewhere (a driver's
    message, a name, a number) is a field, and stays as it is; a field may be a phrase again.
    """

    __slots__ = ("fields", "template")

    template: str
    fields: Mapping[str, Any]

    def __new__(cls, template: str, /, **fields: Any) -> Self:
        made = super().__new__(cls, template.format(**fields))
        made.template = template
        made.fields = fields
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.template, dict(self.fields))


def _remade(kind: type[Phrase], template: str, fields: dict[str, Any]) -> Phrase:
    """Pickle calls a class with positional arguments; fields have names."""
    return kind(template, **fields)


class Templated(Protocol):
    """An error that knows what its text was made of."""

    @property
    def template(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...


def phrase_of(error: Templated) -> Phrase:
    """What an error of ours says, to be quoted by another."""
    template = error.template
    return Phrase(template, **error.fields)


def text_of(error: BaseException) -> str:
    """What any error says: a phrase where it was made of one, else its own text."""
    if len(error.args) == 1 and isinstance(error.args[0], Phrase):
        return error.args[0]
    return str(error)


_TEMPLATE, _FIELDS = "phrase", "fields"


def as_json(value: Any) -> Any:
    """A field of an error as JSON keeps it, which knows texts only."""
    if isinstance(value, Phrase):
        fields = {name: as_json(one) for name, one in value.fields.items()}
        return {_TEMPLATE: value.template, _FIELDS: fields}
    return value


def from_json(kept: Any) -> Any:
    """The field again."""
    if isinstance(kept, dict) and kept.keys() == {_TEMPLATE, _FIELDS}:
        template = kept[_TEMPLATE]
        return Phrase(template, **{name: from_json(one) for name, one in kept[_FIELDS].items()})
    return kept
