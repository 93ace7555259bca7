"""Recorded events as the relation that the bulk engine reads, and both laws' answers side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pyarrow as pa

from prakerja_ledger.bulk.engine import Bulk
from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.register import Recorded
from prakerja_ledger.domain.register import Register
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.time import Instant, day
from prakerja_ledger.reading import totals as sums
from prakerja_ledger.reading.view import View
from tests.support import Read

MICRO = 1_000_000


def at_microseconds(at: Instant) -> Instant:
    """An instant cut at microseconds: what the columns hold."""
    text, _, digits = at.partition(".")
    digits = digits[:6].rstrip("0")
    return Instant(f"{text}.{digits}" if digits else text)


def _micros(at: Instant) -> int:
    text, _, digits = at.partition(".")
    on, _, clock = text.partition("T")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    days = day(on).toordinal() - 719_163
    whole = days * 86_400 + (hours - 7) * 3_600 + minutes * 60 + seconds
    return whole * MICRO + int(digits.ljust(6, "0"))


def rounded(read: Read) -> Read:
    """The recorded events once more, their instants cut at microseconds."""
    found = Read(read.programme, Register(read.programme))
    for number, event in read.events.items():
        cut = event._replace(
            occurred_at=at_microseconds(event.occurred_at),
            recorded_at=at_microseconds(event.recorded_at),
        )
        outcome = found.register.record(cut)
        assert isinstance(outcome, Recorded), outcome
        found.outcomes[number], found.events[number] = outcome, cut
    return found


_TYPES = {
    "wave": pa.int64(), "price": pa.int64(), "amount": pa.int64(), "score": pa.int64(),
    "instructor": pa.int64(), "facilities": pa.int64(), "programme": pa.int64(),
    "survey": pa.int64(), "instalment": pa.int64(), "reviewed": pa.bool_(),
    "effective": pa.date32(), "platforms": pa.list_(pa.string()),
    "courses": pa.list_(pa.struct([("course", pa.string()), ("institution", pa.string())])),
}  # fmt: skip


def _names() -> dict[str, pa.DataType]:
    names = {name for kind in f.FACTS.values() for name in f.FIELD_NAMES[kind]}
    names = (names - {"source", "id"}) | {"voided_source", "voided_id"}
    return {name: _TYPES.get(name, pa.string()) for name in sorted(names)}


def _row(event: Event) -> dict[str, Any]:
    data = f.data_of(event.fact)
    if isinstance(event.fact, f.EventVoided):
        data["voided_source"], data["voided_id"] = data.pop("source"), data.pop("id")
    if isinstance(event.fact, f.PackageSalesStopped):
        data["effective"] = event.fact.effective
    known = None if event.recorded_at == event.occurred_at else _micros(event.recorded_at)
    return {
        "position": event.position, "source": event.source, "id": event.id,
        "kind": event.fact.kind, "subject": event.subject,
        "time": _micros(event.occurred_at), "recordedtime": known, **data,
    }  # fmt: skip


def as_table(events: Iterable[Event]) -> pa.Table:
    """Recorded events in the columns agreed, sorted by subject and position."""
    rows = sorted((_row(e) for e in events), key=lambda r: (r["subject"].encode(), r["position"]))
    stamp = pa.timestamp("us")
    first = {
        "position": pa.int64(), "source": pa.string(), "id": pa.string(), "kind": pa.string(),
        "subject": pa.string(), "time": pa.int64(), "recordedtime": pa.int64(),
    }  # fmt: skip
    schema = pa.schema({**first, **_names(), "line": pa.string()})
    table = pa.Table.from_pylist(rows, schema=schema)
    for name in ("time", "recordedtime"):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, table.column(name).cast(stamp))
    return table


def connect(events: Iterable[Event]) -> duckdb.DuckDBPyConnection:
    """A connection with the relation `events`."""
    connection = duckdb.connect(config={"threads": 2})
    table = as_table(events)
    connection.register("arrow_events", table)
    connection.execute("CREATE TABLE events AS FROM arrow_events")
    return connection


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def python_totals(read: Read, view: View, by: str) -> list[tuple[Any, ...]]:
    made, _ = read.statements(view)
    return [
        (key, one.participants, one.lines, one.entitlement, *one.amounts.values())
        for key, one in sums.totals(made, by).items()
    ]


def python_unpaid(read: Read, view: View) -> list[tuple[Any, ...]]:
    made, _ = read.statements(view)
    found = sums.longest_overdue_first(one for s in made for one in sums.unpaid_lines(s))
    return [
        (
            one.statement.participant, one.statement.wave, one.line.line, one.line.unpaid,
            one.line.status.value, one.line.due_on.isoformat(), one.line.overdue_working_days,
            one.line.cause.value, one.line.owner.value,
        )
        for one in found
    ]  # fmt: skip


def differences(
    read: Read, views: Iterable[View], *, events_a_part: int | None = None
) -> Iterator[str]:
    """One sentence for each answer in which the two laws differ."""
    connection = connect(read.events.values())
    for view in views:
        bulk = Bulk(connection, read.programme, view, events_a_part=events_a_part)
        asked = f" as of {view.as_of}, known at {view.known_at}"
        ours = b"".join(bulk.statements())
        yield from _differ("statement" + asked, read.statements_json(view), ours)
        errors = read.statements(view)[1]
        withheld = [name for name, _ in bulk.withheld]
        if errors != withheld:
            yield f"withheld{asked}: {errors} {withheld}"
        ours = b"".join(bulk.findings())
        yield from _differ("findings" + asked, read.findings_json(view), ours)
        undecided = [(who, error.fields["needed"]) for who, error in read.evaluation(view).findings()[1]]
        if undecided != bulk.undecided:
            yield f"undecided{asked}: {undecided} {bulk.undecided}"
        for by in sums.GROUPINGS:
            law, ours_ = python_totals(read, view, by), bulk.totals(by)
            if law != ours_:
                yield f"totals by {by}{asked}: {law} {ours_}"
        law, ours_ = python_unpaid(read, view), bulk.unpaid()
        if law != ours_:
            yield f"unpaid{asked}: {law} {ours_}"
    connection.close()


def _differ(what: str, law: bytes, ours: bytes) -> Iterator[str]:
    if law != ours:
        pairs = zip(law.split(b"\n"), ours.split(b"\n"), strict=False)
        mine, its = next(((a, b) for a, b in pairs if a != b), (law, ours))
        at = next((i for i, (a, b) in enumerate(zip(mine, its, strict=False)) if a != b), 0)
        cut = slice(max(0, at - 300), at + 200)
        yield (
            f"{what}: the law says …{mine[cut].decode(errors='replace')}…,\n"
            f"  the engine …{its[cut].decode(errors='replace')}…"
        )
