"""The feed: what is recorded, in order and without gaps, from where one stopped.

A cursor says how far each shard was read. What is recorded later lies beyond it in its shard, whatever
another shard did meanwhile: nothing is missed, and nothing comes twice. Of two shards the order within a
page is that of positions; from page to page only the order within each shard is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event as Signal
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.fields import wrong
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import Journal
from prakerja_ledger.reading.pages import check_limit

START: Final = ""
"""The cursor of who has read nothing."""


@frozen
class FedEvent:
    """A recorded event: its position, and the CloudEvents object as it was recorded."""

    position: int
    line: bytes
    """One JSON object: the body of a structured CloudEvents message (application/cloudevents+json)."""


@frozen(kw_only=True)
class FeedPage:
    """Some events, and where to go on."""

    events: tuple[FedEvent, ...]
    cursor: str
    """Keep it in one transaction with what you made of the events."""
    more: bool
    """Whether more is recorded already."""


def read_feed(journal: Journal, cursor: str, limit: int) -> FeedPage:
    """The next events after a cursor. Raises InvalidField for what is no cursor of this ledger."""
    check_limit(limit)
    with journal.reading() as reading:
        head = reading.clocks()
        after = _clocks_of(cursor, len(head))
        if any(at > top for at, top in zip(after, head, strict=True)):
            raise wrong(
                "cursor",
                cursor,
                Phrase("one of this ledger, which has come to {head}", head=_text(head)),
            )
        share = max(1, limit // len(head))
        upto = tuple(min(at + share, top) for at, top in zip(after, head, strict=True))
        events = tuple(FedEvent(one.position, one.line) for one in reading.between(after, upto))
    return FeedPage(events=events, cursor=_text(upto), more=upto != head)


def follow_feed(
    journal: Journal, cursor: str, until: Signal, *, idle: float, limit: int
) -> Iterator[FeedPage]:
    """Pages that hold events, as they come, until the signal is set."""
    while not until.is_set():
        page = read_feed(journal, cursor, limit)
        cursor = page.cursor
        if page.events:
            yield page
        elif not page.more:
            journal.pause(until, idle)


def _clocks_of(cursor: object, shards: int) -> tuple[int, ...]:
    if cursor == START:
        return (0,) * shards
    parts = cursor.split(".") if isinstance(cursor, str) else []
    if len(parts) != shards or not all(part.isascii() and part.isdecimal() for part in parts):
        raise wrong(
            "cursor",
            cursor,
            Phrase("the cursor of a page: {shards} numbers with . between them", shards=shards),
        )
    return tuple(map(int, parts))


def _text(clocks: tuple[int, ...]) -> str:
    return ".".join(map(str, clocks))
