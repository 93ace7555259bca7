"""What those who run a ledger see of it: kinds, outcomes and durations, and nothing of anybody."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from prakerja_ledger import Conflict, Ledger, LedgerFault, Refused
from prakerja_ledger.ledger import observing
from tests.ledger_support import MAY_20, enrolment, instruct, ordinary_life, purchase

MARKED = "NIK3171234567890001"


class Collected:
    """What a host's SDK would send."""

    def __init__(self) -> None:
        self.spans, self.metrics = InMemorySpanExporter(), InMemoryMetricReader()
        traces = TracerProvider()
        traces.add_span_processor(SimpleSpanProcessor(self.spans))
        meters = MeterProvider([self.metrics])

        class Trace:
            get_tracer = staticmethod(traces.get_tracer)

        class Metrics:
            get_meter = staticmethod(meters.get_meter)

        self.meters = observing._Meters(Trace, Metrics)

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        return [(one.name, dict(one.attributes or {})) for one in self.spans.get_finished_spans()]

    def counted(self) -> dict[tuple[str, str], int]:
        data = self.metrics.get_metrics_data()
        found: dict[tuple[str, str], int] = {}
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            if metric.name == "prakerja_ledger.events":
                for point in metric.data.data_points:
                    kind = str(point.attributes["prakerja_ledger.kind"])
                    found[kind, str(point.attributes["prakerja_ledger.outcome"])] = point.value
        return found


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Collected:
    found = Collected()
    monkeypatch.setattr(observing, "_meters", lambda: found.meters)
    return found


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open("memory://", clock=lambda: MAY_20) as opened:
        yield opened


def test_each_call_is_a_span_with_its_outcome(ledger: Ledger, collected: Collected):
    ledger.execute_all(ordinary_life())
    ledger.execute(instruct())
    ledger.execute(instruct())
    with pytest.raises(Refused):
        ledger.execute(instruct("again"))
    ledger.record(enrolment("P-2"))
    with pytest.raises(Conflict):
        ledger.record(enrolment("P-2") | {"data": {"wave": 3, "scheme": "semi-bansos-2020"}})
    told = collected.told()

    assert [name.rpartition(".")[2] for name, _ in told] == ["execute"] * 4 + ["record"] * 2
    assert [about["prakerja_ledger.outcome"] for _, about in told] == [
        "recorded", "recorded", "duplicate", "refused", "recorded", "conflict",
    ]  # fmt: skip
    assert told[3][1]["prakerja_ledger.refusal"] == "LINE_IN_FLIGHT"
    assert told[0][1]["prakerja_ledger.events"] == 7
    assert collected.counted()["Instruct", "recorded"] == 1
    assert collected.counted()["enrolled", "conflict"] == 1


def test_nothing_of_anybody_is_told(
    ledger: Ledger, collected: Collected, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, "prakerja_ledger")
    ledger.record(enrolment(MARKED, f"id-{MARKED}"))
    ledger.record(purchase(MARKED, f"bought {MARKED}", purchase=MARKED))
    for broken in (enrolment(MARKED, "again"), purchase(MARKED, f"bought {MARKED}", price=1)):
        with pytest.raises((Refused, Conflict)):
            ledger.record(broken)
    everything = [
        caplog.text,
        repr(collected.told()),
        "".join(one.to_json() for one in collected.spans.get_finished_spans()),
        collected.metrics.get_metrics_data().to_json(),
    ]
    assert all(text and MARKED not in text for text in everything)
    assert "record on memory: refused ALREADY_ENROLLED (1 × enrolled)" in caplog.text


def test_a_fault_is_a_warning_without_any_host_asking(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(observing, "_meters", lambda: None)
    ledger.record(enrolment("P-1"))
    assert caplog.records == []
    ledger.close()
    with pytest.raises(LedgerFault):
        ledger.record(enrolment("P-2"))
    assert [(one.levelname, one.name) for one in caplog.records] == [("WARNING", "prakerja_ledger")]


def test_without_the_api_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    observing._made.cache_clear()
    try:
        assert observing._meters() is None
    finally:
        observing._made.cache_clear()


def test_the_api_alone_is_not_asked_as_nobody_collects():
    assert observing._made() is not None
    assert observing._meters() is None


def test_a_host_that_says_where_spans_go_is_heard_at_once():
    done = subprocess.run([sys.executable, "-c", HOST], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("prakerja_ledger.record\n", "")


HOST = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prakerja_ledger import Ledger
from tests.ledger_support import enrolment

with Ledger.open("memory://") as ledger:
    ledger.record(enrolment("P-1"))
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    ledger.record(enrolment("P-2"))
print(*(one.name for one in spans.get_finished_spans()))
"""
