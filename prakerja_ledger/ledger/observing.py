"""What happens in a ledger, for those who run it: log lines, and spans and counters where they collect them.

Kinds, outcomes, counts and durations; never a participant, an identity or a word of the data. Spans and
counters go to OpenTelemetry where the host collects, and cost next to nothing where not.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any, Final, TypeVar

from prakerja_ledger.domain.errors import Conflict, OutcomeUnknown, PrakerjaLedgerError, Refused
from prakerja_ledger.ledger.steps import Step

T = TypeVar("T")
_log: Final = logging.getLogger("prakerja_ledger")
_log.addHandler(logging.NullHandler())  # quiet, until the host says where log lines go
_NAME: Final = "prakerja_ledger"


def observed(
    steps: Sequence[Step], store: str, write: Callable[[], list[T]], *, asks: bool
) -> list[T]:
    """Run a write, and tell whoever listens how it ended."""
    meters = _meters()
    name = "execute" if asks else "record"
    began = time.perf_counter()
    with _NO_SPAN if meters is None else _span(meters, name) as span:
        outcome = "recorded"
        try:
            receipts = write()
        except PrakerjaLedgerError as error:
            outcome = _failure(error)
            _tell(meters, span, steps, (store, name, outcome), began)
            raise
        if meters is not None or _log.isEnabledFor(logging.DEBUG):
            _tell(meters, span, steps, (store, name, _outcome(receipts)), began)
    return receipts


def _outcome(receipts: Sequence[Any]) -> str:
    return "duplicate" if all(one.duplicate for one in receipts) else "recorded"


def _failure(error: PrakerjaLedgerError) -> str:
    if isinstance(error, Refused):
        return f"refused {error.code}"
    if isinstance(error, Conflict):
        return "conflict"
    return "unknown" if isinstance(error, OutcomeUnknown) else "failed"


def _tell(
    meters: _Meters | None,
    span: Any,
    steps: Sequence[Step],
    about: tuple[str, str, str],
    began: float,
) -> None:
    """A log line, a span's attributes, and the counters: of one call, however it ended."""
    store, name, outcome = about
    seconds = time.perf_counter() - began
    kinds = Counter(step.kind for step in steps)
    shown = ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))
    level = logging.WARNING if outcome in {"unknown", "failed"} else logging.DEBUG
    _log.log(level, "%s on %s: %s (%s) in %.1f ms", name, store, outcome, shown, seconds * 1000)
    if meters is None:
        return
    first, _, code = outcome.partition(" ")
    said = {f"{_NAME}.store": store, f"{_NAME}.verb": name, f"{_NAME}.outcome": first}
    span.set_attributes({**said, f"{_NAME}.events": len(steps), f"{_NAME}.kinds": shown})
    if code:
        span.set_attribute(f"{_NAME}.refusal", code)
    meters.duration.record(seconds, said)
    for kind, count in kinds.items():
        meters.events.add(count, {**said, f"{_NAME}.kind": kind})


class _Meters:
    """OpenTelemetry's instruments, made once."""

    def __init__(self, trace: Any, metrics: Any) -> None:
        self._trace, self._metrics = trace, metrics
        self.tracer = trace.get_tracer(_NAME)
        meter = metrics.get_meter(_NAME)
        self.events = meter.create_counter(
            f"{_NAME}.events",
            unit="{event}",
            description="Events that calls were about, by outcome",
        )
        self.duration = meter.create_histogram(
            f"{_NAME}.duration", unit="s", description="How long a call took, its waiting included"
        )

    def are_heard(self) -> bool:
        """Whether the host has said where spans or measures go; its API alone drops them, at a price."""
        given = self._trace.get_tracer_provider(), self._metrics.get_meter_provider()
        return any("Proxy" not in type(provider).__name__ for provider in given)


def _meters() -> _Meters | None:
    """The instruments, where somebody collects."""
    made = _made()
    return made if made is not None and made.are_heard() else None


@cache
def _made() -> _Meters | None:
    """The instruments, where OpenTelemetry's API is installed."""
    try:
        from opentelemetry import metrics, trace  # noqa: PLC0415  # only where the host has it
    except ImportError:
        return None
    return _Meters(trace, metrics)


_NO_SPAN: Final = nullcontext()


def _span(meters: _Meters, name: str) -> Any:
    """A span that says nothing of an error's text: it may quote what came in."""
    return meters.tracer.start_as_current_span(
        f"{_NAME}.{name}", record_exception=False, set_status_on_exception=False
    )
