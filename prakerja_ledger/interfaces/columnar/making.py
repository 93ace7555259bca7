"""Facts of one kind made many at once, from columns of their fields.

A constructor asks each field of each fact whether its value will do. Columns hold few different values,
so here each field's own converter and validator, the very ones of the constructor, are asked once for
each of them, and what they let pass is put where the constructor would put it; a kind that looks at
several fields together does so at last. Where any of them objects, every fact goes through its
constructor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, repeat
from typing import Any, Final

from attrs import NOTHING, Attribute

from prakerja_ledger.domain.errors import InvalidField
from prakerja_ledger.domain.facts import Fact, fields_of
from prakerja_ledger.interfaces.columnar.values import as_fields_take

_SOME: Final = 256
"""Facts that tell whether those of a kind repeat: else it is no use to look for the distinct ones."""
_BROKEN: Final = (InvalidField, TypeError)


def facts(kind: type[Fact], columns: Mapping[str, Any], count: int) -> Iterable[Fact | None]:
    """So many facts of a kind, in the order of the rows; None for one that its constructor refuses."""
    present = {name: one for name, one in columns.items() if one.null_count < len(one)}
    values = {name: as_fields_take(one) for name, one in present.items()}
    try:
        if _repeat(values):
            return _shared(kind, values, count)
        return _put_together(kind, values, count)
    except _BROKEN:  # or a list of what is no course, which has no hash
        return [_fact(kind, tuple(values), row) for row in _rows(values, count)]


def _rows(values: Mapping[str, list[Any]], count: int) -> Iterator[tuple[Any, ...]]:
    return zip(*values.values(), strict=True) if values else repeat((), count)


def _repeat(values: Mapping[str, list[Any]]) -> bool:
    """Whether most of these facts say what another one says."""
    some = list(islice(zip(*values.values(), strict=True), _SOME))
    return 2 * len(set(some)) <= len(some) or len(some) < 2


def _shared(kind: type[Fact], values: Mapping[str, list[Any]], count: int) -> Iterable[Fact | None]:
    """Facts that say the same as one: facts do not change."""
    rows, names = list(_rows(values, count)), tuple(values)
    made = {row: _fact(kind, names, row) for row in set(rows)}
    return map(made.__getitem__, rows)


def _put_together(kind: type[Fact], values: Mapping[str, list[Any]], count: int) -> list[Fact]:
    """Facts made field by field. Raises InvalidField or TypeError where a value will not do."""
    made: list[Fact] = list(map(object.__new__, repeat(kind, count)))
    for attribute in fields_of(kind):
        put = kind.__dict__[attribute.name].__set__
        deque(map(put, made, _accepted(attribute, values.get(attribute.name))), maxlen=0)
    look_at_all = getattr(kind, "__attrs_post_init__", None)
    if look_at_all is not None:
        deque(map(look_at_all, made), maxlen=0)
    return made


def _accepted(attribute: Attribute[Any], values: list[Any] | None) -> Iterable[Any]:
    """The values of a field as the constructor keeps them. Raises as the constructor does."""
    if values is None:
        if attribute.default is NOTHING:
            raise TypeError(attribute.name)
        return repeat(_kept(attribute, attribute.default))
    kept = {value: _kept(attribute, value) for value in set(values)}
    return values if attribute.converter is None else map(kept.__getitem__, values)


def _kept(attribute: Attribute[Any], value: Any) -> Any:
    convert: Any = attribute.converter  # ours are plain functions
    if convert is not None:
        value = convert(value)
    if attribute.validator is not None:
        attribute.validator(None, attribute, value)
    return value


def _fact(kind: type[Fact], names: tuple[str, ...], row: tuple[Any, ...]) -> Fact | None:
    try:
        return kind(**dict(zip(names, row, strict=True)))
    except _BROKEN:
        return None  # the slow way says why
