"""Stock `eventsourcing` as somebody would use it for balances: an aggregate a participant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event


class Balance(Aggregate):
    """Rupiah instructed and settled of one participant."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.instructed = 0
        self.settled = 0

    @staticmethod
    def create_id(subject: str) -> UUID:
        return uuid5(NAMESPACE_URL, subject)

    @event("Recorded")
    def record(self, kind: str, at: datetime, data: dict[str, Any]) -> None:
        if kind == "prakerja.disbursement-instructed.v1":
            self.instructed += data["amount"]
        elif kind == "prakerja.disbursement-settled.v1":
            self.settled += data.get("amount", 0)


class Balances(Application):
    """The stock application, its mapper and transcoder as they come."""


def folded(app: Balances, page: int = 1_000) -> Iterator[tuple[str, str, int | None]]:
    """Kind, participant and amount of every event, from the notification log."""
    start = 1
    while notifications := app.recorder.select_notifications(start, page):
        for one in notifications:
            known = app.mapper.to_domain_event(one)
            if hasattr(known, "kind"):
                yield known.kind, str(known.originator_id), known.data.get("amount")
        start = notifications[-1].id + 1
