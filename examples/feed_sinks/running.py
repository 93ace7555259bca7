"""From the feed to a sink, page by page, and the cursor after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event as Signal
from typing import Final

from prakerja_ledger import Ledger
from prakerja_ledger.ledger.feed import FedEvent, FeedPage

from . import topic as topics
from .cursor import Cursor
from .topic import Topic

PAGE: Final = 100
"""Events asked for at once; to a topic, those that one flush waits for."""


def to_webhook(
    ledger: Ledger, cursor: Cursor, send: Callable[[FedEvent], None], until: Signal | None = None
) -> None:
    """Send on what is recorded, one by one; without a signal what is recorded by now.

    Ends with what `send` raises: the event that could not be sent is the next one, nothing is skipped.
    """
    for page in _pages(ledger, cursor, until):
        for event in cursor.new_of(page.events):
            if until is not None and until.is_set():
                return
            send(event)
            cursor.received(event)
        cursor.move(page.cursor)


def to_topic(
    ledger: Ledger, cursor: Cursor, topic: Topic, until: Signal | None = None, page: int = PAGE
) -> None:
    """The same to a topic, a page a flush. Raises NotDelivered; that page is then sent again whole."""
    for read in _pages(ledger, cursor, until, page):
        for event in read.events:
            topics.send(topic, event)
        topic.flush()
        cursor.move(read.cursor, read.events[-1])


def _pages(
    ledger: Ledger, cursor: Cursor, until: Signal | None, limit: int = PAGE
) -> Iterator[FeedPage]:
    """Pages that hold events; each is asked for when the one before it was moved past."""
    if until is not None:
        yield from ledger.follow(cursor.value, until, limit=limit)
        return
    while True:
        page = ledger.feed(cursor.value, limit=limit)
        if page.events:
            yield page
        if not page.more:
            return
