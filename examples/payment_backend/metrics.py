"""What the service counts, in one registry of its own: two services in a process do not share a number."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from prakerja_ledger import (
    Conflict,
    LedgerFault,
    OutcomeUnknown,
    PrakerjaLedgerError,
    Receipt,
)

OUTCOMES = ("recorded", "duplicate", "refused", "conflict", "unknown", "unavailable")
ANSWERS = ("instructed", "again", "refused")


class Metrics:
    """Reports by how they ended, lines of payout runs by the answer, and how far the rows are behind."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._events = Counter(
            "payments_events",
            "Events reported, by how they ended",
            ["outcome"],
            registry=self.registry,
        )
        self._payouts = Counter(
            "payments_payouts",
            "Lines of payout runs, by the answer",
            ["answer"],
            registry=self.registry,
        )
        self._behind = Gauge(
            "payments_projection_behind_events",
            "Events not yet in the rows",
            registry=self.registry,
        )
        # All there from the start: a rate over a series that begins with its first error misses it.
        for outcome in OUTCOMES:
            self._events.labels(outcome)
        for answer in ANSWERS:
            self._payouts.labels(answer)

    def watch(self, behind: Callable[[], float]) -> None:
        """Ask this for the lag, each time somebody looks."""
        self._behind.set_function(behind)

    def report(self, record: Callable[[], Receipt]) -> Receipt:
        """Record, and count how that ended."""
        try:
            receipt = record()
        except PrakerjaLedgerError as error:
            self._events.labels(_outcome(error)).inc()
            raise
        self._events.labels("duplicate" if receipt.duplicate else "recorded").inc()
        return receipt

    def payout(self, answer: str, lines: int) -> None:
        """Count lines of a payout run."""
        self._payouts.labels(answer).inc(lines)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self.registry)


def _outcome(error: PrakerjaLedgerError) -> str:
    if isinstance(error, OutcomeUnknown):
        return "unknown"
    if isinstance(error, LedgerFault):
        return "unavailable"
    return "conflict" if isinstance(error, Conflict) else "refused"
