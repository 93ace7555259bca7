"""How a store files its lines: under stream, version, type and identity, all of which follow from them.

Nothing reads an event from these columns, but everything finds it by them: a line moved to another
stream, or out of reach of its identity, is as good as changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Final

from prakerja_ledger.domain.events import PROGRAMME_SUBJECT
from prakerja_ledger.domain.facts import (
    ANY_STREAM,
    FACTS,
    PACKAGE,
    PARTICIPANT,
    EventVoided,
    type_of,
)
from prakerja_ledger.evidence.canonical import Told
from prakerja_ledger.ledger.journal import (
    PACKAGE_PREFIX,
    PARTICIPANT_PREFIX,
    PROGRAMME_STREAM,
    Filed,
)

_PREFIXES: Final = {
    type_of(kind.kind): {
        PARTICIPANT: (PARTICIPANT_PREFIX,),
        PACKAGE: (PACKAGE_PREFIX,),
        ANY_STREAM: (PARTICIPANT_PREFIX, PACKAGE_PREFIX),
    }.get(kind.stream, ())
    for kind in FACTS.values()
}

_VOID: Final = type_of(EventVoided.kind)

_USUAL: Final = {type: prefixes[0] for type, prefixes in _PREFIXES.items() if len(prefixes) == 1}


def streams_of(event: Told) -> tuple[str, ...]:
    """The stream that an event belongs to; a void belongs to that of what it voids, one of several."""
    prefixes = _PREFIXES.get(event.type)
    if prefixes is None:
        return ()
    if event.subject == PROGRAMME_SUBJECT and len(prefixes) != 1:
        return (PROGRAMME_STREAM, *(prefix + event.subject for prefix in prefixes))
    return tuple([prefix + event.subject for prefix in prefixes])


class Filing:
    """Checks what a store says of its lines against the lines, one after another."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._identities = 0
        """A sum over all identities, which does not depend on their order."""
        self._count = 0
        self._apart: dict[tuple[str, str], str] = {}
        """The streams of the events that are no participant's, by their identities: they are few."""

    def wrong(self, filed: Filed, event: Told) -> str | None:
        """Which of its columns is not what the line says; None where all are."""
        position, stream, version, topic, _, identity = filed
        self._count += 1
        self._identities += hash((event.source, event.id, position))
        expected = self._versions.get(stream, 0) + 1
        self._versions[stream] = version
        usual = _USUAL.get(event.type)
        own = self._own(filed, event) if usual is None else usual + event.subject
        if stream != own:
            return "stream"
        if usual != PARTICIPANT_PREFIX and event.type != _VOID:
            self._apart[event.source, event.id] = stream
        if topic != event.type:
            return "type"
        if version != expected:
            return "version"
        if identity is not None and identity != (event.source, event.id):
            return "identity"
        return None

    def _own(self, filed: Filed, event: Told) -> str:
        """The one stream of an event: that of what it voids, if it does, which was recorded before."""
        if event.type == _VOID:
            return self._apart.get(_voided(filed[4]), PARTICIPANT_PREFIX + event.subject)
        return next(iter(streams_of(event)), "")

    def finds(self, kept: Iterable[tuple[str, str, int]]) -> bool:
        """Whether these are the identities of all events, each with its position, and no other."""
        total, count = 0, 0
        for source, id, position in kept:
            total += hash((source, id, position))
            count += 1
        return (total, count) == (self._identities, self._count)


def _voided(line: bytes) -> tuple[str, str]:
    """The identity that a void names."""
    data = json.loads(line).get("data")
    named = data if isinstance(data, dict) else {}
    return str(named.get("source")), str(named.get("id"))


def lost(
    events: Iterable[tuple[int, Told]], finds: Callable[[str, str, int], bool]
) -> Iterable[int]:
    """The positions of the events that are not found by their identity."""
    return (position for position, event in events if not finds(event.source, event.id, position))
