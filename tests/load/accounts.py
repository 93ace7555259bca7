"""The accounts after a load: what clients were told, against what is on record.

The ledger is read directly, all of it. A check returns all it found: an empty list of problems means
that no fact was lost, none doubled, none made up, and no money instructed twice.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from prakerja_ledger import Evaluation, Ledger, Projection, View
from prakerja_ledger.reading.finding import Code
from tests.load.callers import AN_OUTCOME_LATER, TODAY, content_of
from tests.projection_support import law_of, projected

OURS = "//payments.example"
"""The source of what the service itself decides."""
DAY = date.fromisoformat(TODAY[:10])
EXPECTED = {Code.REPORTED_LATE, Code.FIRST_PURCHASE_LATE}
"""Callers report in July what happened in spring, and whose life the end cut short has bought nothing."""

Identity = tuple[str, str]


@dataclass(frozen=True)
class Recorded:
    position: int
    event: dict[str, Any]


@dataclass
class Accounts:
    """Problems, and how many ended in which way."""

    problems: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    events: int = 0
    participants: int = 0
    paid: int = 0
    longest: float = 0.0
    """Seconds from first asking to the end, where it had to be asked again."""
    first_again: float | None = None
    """When the first of those ended well."""


def accounts(entries: list[dict[str, Any]], ledger: str, rows: str, instructions: Path) -> Accounts:
    """Compare everything. The service may still run: it keeps the rows current."""
    made = Accounts()
    with Ledger.open(ledger, clock=lambda: datetime.fromisoformat(TODAY)) as opened:
        recorded = _recorded(opened, made)
        _ends(entries, made)
        made.problems += _told_and_recorded(entries, recorded)
        made.problems += _recorded_and_sent(entries, recorded)
        made.problems += _instructions(entries, recorded, instructions)
        made.problems += _money(opened, recorded, made)
        made.problems += _rows(opened, rows)
    return made


def _recorded(ledger: Ledger, made: Accounts) -> dict[Identity, Recorded]:
    found: dict[Identity, Recorded] = {}
    cursor, more, last = "", True, 0
    while more:
        page = ledger.feed(cursor)
        for fed in page.events:
            event = json.loads(fed.line)
            identity = event["source"], event["id"]
            if identity in found:
                made.problems.append(f"{identity} is on record twice")
            if fed.position != last + 1:
                made.problems.append(f"position {fed.position} follows {last}")
            found[identity], last = Recorded(fed.position, event), fed.position
        cursor, more = page.cursor, page.more
    made.events = len(found)
    return found


def end_of(entry: dict[str, Any]) -> str:
    """How a request ended, in the words of the table."""
    status = entry["answers"][-1][0]
    if status in AN_OUTCOME_LATER:
        return "open"
    if entry["key"] is None:
        return "answered"
    return {201: "recorded", 200: "recorded before", 409: "conflict", 422: "refused"}.get(status, str(status))


def _ends(entries: list[dict[str, Any]], made: Accounts) -> None:
    for entry in entries:
        end, earlier = end_of(entry), entry["answers"][:-1]
        made.ends[end] += 1
        if not earlier:
            continue
        unknown = any(status == 0 or code == "OUTCOME_UNKNOWN" for status, code in earlier)
        made.ends[f"{'unknown' if unknown else 'not taken'}, then {end}"] += 1
        made.longest = max(made.longest, entry["ended"] - entry["began"])
        if end != "open":
            made.first_again = min(made.first_again or entry["ended"], entry["ended"])


def _told_and_recorded(entries: list[dict[str, Any]], recorded: dict[Identity, Recorded]) -> Iterator[str]:
    """Each entry ended as it may, and the ledger says the same as the last answer."""
    firsts: Counter[Identity] = Counter()
    for entry in entries:
        (status, _), asked_again = entry["answers"][-1], len(entry["answers"]) > 1
        what = f"{entry['path']} {entry['key'] or ''}: {entry['answers']}"
        # Whoever had no answer may be told that it was recorded then.
        ends = {*entry["ends"], *([200] if asked_again and 201 in entry["ends"] else [])}
        if status not in ends:
            yield f"{what}, not {sorted(ends)}"
        if entry["key"] is None:
            continue
        identity = entry["source"], entry["key"]
        there = recorded.get(identity)
        firsts[identity] += status == 201
        if status in (200, 201):
            if there is None:
                yield f"{what}, and it is not on record"
            elif (there.position, content_of(there.event)) != (entry["position"], entry["content"]):
                yield f"{what}, and at {there.position} other content is on record"
        elif status == 422 and there is not None:
            yield f"{what}, and it is on record at {there.position}"
        elif status == 409 and (there is None or content_of(there.event) == entry["content"]):
            yield f"{what}, and nothing else is on record"
    yield from (f"{identity} was new {n} times" for identity, n in firsts.items() if n > 1)


def _recorded_and_sent(entries: list[dict[str, Any]], recorded: dict[Identity, Recorded]) -> Iterator[str]:
    """Nothing is on record that nobody sent, but for the service's own instructions."""
    sent = {(one["source"], one["key"], one["content"]) for one in entries if one["key"]}
    for (source, id), one in recorded.items():
        if source != OURS:
            if (source, id, content_of(one.event)) not in sent:
                yield f"nobody sent {source} {id} at {one.position}"
        elif one.event["type"] != "prakerja.disbursement-instructed.v1":
            yield f"the service decided a {one.event['type']} at {one.position}"


def _instructions(
    entries: list[dict[str, Any]], recorded: dict[Identity, Recorded], instructions: Path
) -> Iterator[str]:
    """Each instruction is of a run that was asked for, and the bank was told of it, and of no other."""
    runs = {one["path"].rpartition("/")[2]: one for one in entries if one["name"] == "POST /payouts"}
    ours = [(id, one.event) for (source, id), one in recorded.items() if source == OURS]
    by_run = Counter(id.partition(" ")[0] for id, _ in ours)
    for run, count in by_run.items():
        if run not in runs:
            yield f"nobody asked for payout run {run}"
        # A run that had to be asked for again tells of its last time only.
        elif len(runs[run]["answers"]) == 1 and runs[run]["instructed"] != count:
            yield f"run {run} told of {runs[run]['instructed']} instructions and made {count}"
    on_record = {f"{e['subject']} {e['data']['disbursement']}": e["data"]["amount"] for _, e in ours}
    if len(on_record) != len(ours):
        yield "a disbursement was instructed twice"
    told = [json.loads(one) for one in instructions.read_bytes().splitlines()] if instructions.exists() else []
    at_the_bank = {(one["disbursement"], one["amount"]) for one in told}
    yield from (f"the bank was not told of {one}" for one in sorted(on_record.items() - at_the_bank))
    yield from (f"the bank was told of {one}, which nobody recorded" for one in sorted(at_the_bank - on_record.items()))


def _money(ledger: Ledger, recorded: dict[Identity, Recorded], made: Accounts) -> Iterator[str]:
    """By the law itself: no rule is broken, and no line has more money on it than its amount."""
    with ledger.journal.reading() as reading:
        streams = ledger.streams(reading)
        evaluation = Evaluation(
            participants=streams.participants,
            packages=streams.packages,
            programme_stream=streams.programme_stream(),
            view=View(as_of=DAY),
            programme=ledger.programme,
        )
        found, undecided = evaluation.findings()
        broken = [one for one in found if one.code not in EXPECTED]
        yield from (f"{one.code} {one.subject} {one.detail}" for one in broken)
        yield from (f"{who} cannot be judged" for who, _ in undecided)
        for statement in map(evaluation.statement, evaluation.in_view()):
            made.participants += 1
            for line in statement.lines:
                made.paid += line.paid
                if line.paid + line.in_flight > line.amount:
                    yield f"{statement.participant} {line.line}: {line.paid} + {line.in_flight} of {line.amount}"
    purchases = sum(
        one.event["data"]["price"] for one in recorded.values() if one.event["type"] == "prakerja.training-purchased.v1"
    )
    moved = sum(_settled(recorded))
    if made.paid != purchases + moved:
        yield f"statements say {made.paid} paid, the facts {purchases} + {moved}"


def _settled(recorded: dict[Identity, Recorded]) -> Iterator[int]:
    amounts = {
        (one.event["subject"], one.event["data"]["disbursement"]): one.event["data"]["amount"]
        for (source, _), one in recorded.items()
        if source == OURS
    }
    for one in recorded.values():
        if one.event["type"] == "prakerja.disbursement-settled.v1":
            yield amounts[one.event["subject"], one.event["data"]["disbursement"]]


def _rows(ledger: Ledger, rows: str, patience: float = 60.0) -> Iterator[str]:
    """The service brings the rows up to the ledger by itself, and each is then a line of a statement."""
    with Projection.open(ledger, rows) as projection:
        until = time.monotonic() + patience
        while not projection.lag().is_current:
            if time.monotonic() > until:
                yield f"the rows are {projection.lag().behind} events behind after {patience:g} seconds"
                return
            time.sleep(0.05)
        law = law_of(ledger, DAY)
        ours = projected(projection, law)
        yield from (f"the rows' {part} are not the law's" for part in law if ours[part] != law[part])
