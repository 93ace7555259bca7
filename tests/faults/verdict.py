"""The verdict on a run: its notes beside the ledger that is left, opened again."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

from prakerja_ledger.domain.errors import PrakerjaLedgerError
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, line_of
from prakerja_ledger.ledger.ledger import Ledger
from tests.faults.asking import Call, Identity, Step
from tests.faults.notes import Note
from tests.faults.work import fingerprint, shards_of
from tests.support import read

NO, MAYBE, YES = "no", "maybe", "yes"


@frozen
class Problem:
    """A promise that was broken: its column in the table, and what happened."""

    kind: str
    """`lost`, `doubled`, `gap`, `double payment`, `wrong resolve`, or `other`."""
    what: str


@define(eq=False)
class Verdict:
    """What a run came to."""

    acknowledged: int = 0
    """Events, of both lives of the service."""
    resolved_stored: int = 0
    """Calls whose outcome their caller had to ask for, and that turned out to be stored."""
    resolved_not_stored: int = 0
    faults: int = 0
    """Calls that were answered "nothing was recorded"."""
    struck: bool = False
    """Whether a caller met the fault at all."""
    problems: list[Problem] = field(factory=list)

    def wrong(self, kind: str, what: str) -> None:
        self.problems.append(Problem(kind, what))

    def count(self, kind: str) -> int:
        return sum(problem.kind == kind for problem in self.problems)


@frozen
class Log:
    """What the ledger holds."""

    shards: int
    places: list[int]
    """The positions, in the order of reading."""
    lines: list[bytes]
    told: list[dict[str, Any]]
    positions: dict[Identity, int]
    at: dict[int, dict[str, Any]]
    """What is told at a position."""

    @classmethod
    def of(cls, ledger: Ledger) -> Log:
        with ledger.journal.reading() as reading:
            stored = list(reading.lines())
        places, lines = [one.position for one in stored], [one.line for one in stored]
        told = [json.loads(line) for line in lines]
        positions = {(one["source"], one["id"]): n for n, one in zip(places, told, strict=True)}
        return cls(shards_of(ledger), places, lines, told, positions, dict(zip(places, told)))

    def holds(self, step: Step) -> bool:
        """Whether what is stored under the step's identity is what was asked for."""
        return step.is_told_by(self.at[self.positions[step.identity]])

    def shard(self, position: int) -> int:
        return position % self.shards

    def by_shard(self) -> dict[int, list[tuple[int, bytes]]]:
        """The (position, line) of each event, by shard."""
        found: dict[int, list[tuple[int, bytes]]] = {}
        for position, line in zip(self.places, self.lines, strict=True):
            found.setdefault(self.shard(position), []).append((position, line))
        return found


def judge(url: str, notes: list[Note]) -> Verdict:
    """Every promise, looked at one after the other."""
    verdict = Verdict()
    with Ledger.open(url, create=False) as ledger:
        log = Log.of(ledger)
        _positions(ledger, log, verdict)
        _claims(notes, log, verdict)
        _order(notes, log, verdict)
        _followed(notes, log, verdict)
        _payments(log, verdict)
        _replay(log, verdict)
        _again(ledger, notes, log, verdict)
    if url.startswith("sqlite:///"):
        _integrity(Path(url.removeprefix("sqlite:///")), verdict)
    escapes(notes, verdict)
    return verdict


def escapes(notes: list[Note], verdict: Verdict) -> None:
    """Every error that reaches a caller is one of the package's."""
    for note in notes:
        verdict.struck |= note.get("outcome") in {"unknown", "fault"}
        verdict.struck |= note["what"] in {"unresolved", "unread", "gave up"}
        if note["what"] == "escaped":
            verdict.wrong("other", f"an error that is not one of the package's:\n{note['problem']}")


# --- the log by itself ------------------------------------------------------------------------------


def _positions(ledger: Ledger, log: Log, verdict: Verdict) -> None:
    """1 to n, each once, each identity found where its line is; with several shards, each of them."""
    if log.shards > 1:
        _numbers(ledger, log, verdict)
    elif log.places != list(range(1, ledger.head() + 1)):
        verdict.wrong("gap", f"the positions are {log.places}, the head is {ledger.head()}")
    if len(log.positions) != len(log.lines):
        identities = [(one["source"], one["id"]) for one in log.told]
        twice = [one for one, count in Counter(identities).items() if count > 1]
        verdict.wrong("doubled", f"stored more than once: {twice}")
    for identity, position in log.positions.items():
        found = ledger.find(*identity)
        if found != position:
            verdict.wrong("other", f"{identity} is at {position}, and is found at {found}")


NUMBERS = """
SELECT shard, number, notification_id FROM prakerja_ledger.stored_events ORDER BY shard, number
"""
HEADS = "SELECT shard, number FROM prakerja_ledger.heads ORDER BY shard"


def _numbers(ledger: Ledger, log: Log, verdict: Verdict) -> None:
    """Each shard counts its events from 1 to where its head stands, and its positions rise."""
    with ledger.journal.reading() as reading:
        rows = reading._cursor().execute(NUMBERS).fetchall()
        heads = dict(reading._cursor().execute(HEADS).fetchall())
    for shard, head in heads.items():
        numbers = [number for s, number, _ in rows if s == shard]
        places = [place for s, _, place in rows if s == shard]
        if numbers != list(range(1, head + 1)):
            verdict.wrong("gap", f"shard {shard} counts {numbers}, its head is {head}")
        if places != sorted(set(places)) or {log.shard(place) for place in places} - {shard}:
            verdict.wrong("gap", f"shard {shard} has the positions {places}")
    if len(heads) != log.shards or ledger.head() != max(log.places, default=0):
        verdict.wrong("gap", f"heads {heads} of {log.shards}, the head is {ledger.head()}")


def _replay(log: Log, verdict: Verdict) -> None:
    """The history as anybody would read it: no line that the rules of a history refuse."""
    judged = read(log.lines)
    for number, refusal in judged.refusals.items():
        verdict.wrong("other", f"line {number} is no legal event: {refusal.code}: {refusal}")


def _payments(log: Log, verdict: Verdict) -> None:
    """At each prefix of the log: one attempt on a line at most, and never more than its amount.

    A reading of its own, which knows nothing of statements.
    """
    schemes: dict[str, str] = {}
    attempts: dict[tuple[str, str], tuple[str, int]] = {}
    stands: dict[tuple[str, str], str] = {}
    for position, one in enumerate(log.told, 1):
        kind, who, data = one["type"].split(".")[1], one["subject"], one["data"]
        if kind == "enrolled":
            schemes[who] = data["scheme"]
        if kind == "disbursement-instructed":
            line = line_of(data["component"], data["instalment"])
            attempts[who, data["disbursement"]] = line, data["amount"]
            stands[who, data["disbursement"]] = "in flight"
        elif kind.startswith("disbursement-"):
            key, now = (who, data["disbursement"]), kind.removeprefix("disbursement-")
            if now == "settled" and stands[key] != "in flight":
                verdict.wrong("double payment", f"{key} settled at {position}, was {stands[key]}")
            stands[key] = now
        else:
            continue
        for problem in _overpaid(who, schemes[who], attempts, stands) if attempts else ():
            verdict.wrong("double payment", f"at {position}: {problem}")


_COSTS: Final = {"in flight", "settled"}


def _overpaid(
    who: str,
    scheme: str,
    attempts: dict[tuple[str, str], tuple[str, int]],
    stands: dict[tuple[str, str], str],
) -> Iterator[str]:
    """Lines of a participant with two transfers under way, or more paid than they are worth."""
    under_way: Counter[str] = Counter()
    paid: Counter[str] = Counter()
    for key, (line, amount) in attempts.items():
        if key[0] == who and stands[key] in _COSTS:
            paid[line] += amount
            under_way[line] += stands[key] == "in flight"
    cash_lines = KARTU_PRAKERJA.scheme(scheme).cash_lines
    for line, amount in paid.items():
        if under_way[line] > 1 or amount > cash_lines[line][2]:
            yield f"{who} {line}: {under_way[line]} transfers under way, {amount} paid or on its way"


def _integrity(path: Path, verdict: Verdict) -> None:
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("PRAGMA integrity_check").fetchall()
    if found != [("ok",)]:
        verdict.wrong("other", f"integrity check: {found}")


# --- the notes beside the log ---------------------------------------------------------------------------


@define(eq=False)
class Known:
    """What a caller knows of one identity after all it was told."""

    step: Step
    stored: str = NO
    position: int | None = None
    because: str = "never sent"
    told_by: str = ""
    """`acknowledged` or `resolved`, where the last word on it was one of these."""


def _claims(notes: list[Note], log: Log, verdict: Verdict) -> None:
    """What callers were told beside what is stored."""
    known: dict[Identity, Known] = {}
    under_way: dict[str, Call] = {}
    for note in notes:
        key = note.get("key")
        if note["what"] == "began":
            call = under_way[key] = Call.from_json(note["call"])
            for step in call.steps:
                one = known.setdefault(step.identity, Known(step))
                if one.stored == NO:
                    one.step = step
        elif note["what"] == "ended":
            _ended(note, under_way, known, log, verdict)
        elif note["what"] == "resolved":
            _resolved(note, under_way.pop(key), known, verdict)
    for call in under_way.values():
        for step in call.steps:
            _in_doubt(known[step.identity], "the caller died, or was never told")
    for identity, one in known.items():
        _claim(identity, one, log, verdict)
    for identity in log.positions.keys() - known.keys():
        verdict.wrong("doubled", f"{identity} is stored, and nobody sent it")


def _ended(
    note: Note,
    under_way: dict[str, Call],
    known: dict[Identity, Known],
    log: Log,
    verdict: Verdict,
) -> None:
    outcome, call = note["outcome"], under_way[note["key"]]
    if outcome != "unknown":
        del under_way[note["key"]]  # an unknown one waits for its resolution
    if outcome == "acknowledged":
        _acknowledged(note, call, known, log, verdict)
    elif outcome == "unknown":
        for step in call.steps:
            _in_doubt(known[step.identity], "the caller was told that it is unknown")
    elif outcome == "fault":
        verdict.faults += 1
    stored = {known[step.identity].stored for step in call.steps}
    if outcome == "refused" and stored == {YES} and note["code"] != "INVALID_TIMESTAMP":
        verdict.wrong("other", f"{call.steps[0].identity}, though stored: {note['problem']}")
    if outcome == "conflict" and stored == {NO}:
        verdict.wrong("other", f"{call.steps[0].identity}, never stored: {note['problem']}")


def _acknowledged(
    note: Note, call: Call, known: dict[Identity, Known], log: Log, verdict: Verdict
) -> None:
    fresh = [position for position, duplicate in note["receipts"] if not duplicate]
    clocks = [position // log.shards for position in fresh]
    if fresh and clocks != list(range(clocks[0], clocks[0] + len(fresh))):
        verdict.wrong("other", f"one transaction, and its positions are {fresh}")
    verdict.acknowledged += len(fresh)
    for step, (position, duplicate) in zip(call.steps, note["receipts"], strict=True):
        one = known[step.identity]
        if duplicate and one.stored == NO:
            kind = "wrong resolve" if one.told_by == "resolved" else "other"
            verdict.wrong(kind, f"{step.identity}: {one.because}, and is called a duplicate")
        if not duplicate and one.stored == YES:
            kind = "wrong resolve" if one.told_by == "resolved" else "doubled"
            verdict.wrong(kind, f"{step.identity}: {one.because}, and new at {position}")
        one.stored, one.position, one.told_by = YES, position, "acknowledged"
        one.because = f"acknowledged at {position}"
        if step.identity in log.positions and not log.holds(step):
            verdict.wrong("lost", f"{step.identity} is stored with another content")


def _in_doubt(one: Known, because: str) -> None:
    if one.stored == NO:
        one.stored, one.because = MAYBE, because


def _resolved(note: Note, call: Call, known: dict[Identity, Known], verdict: Verdict) -> None:
    """All or none: the answer for one identity of a call is that for all that were in doubt."""
    position = note["position"]
    verdict.resolved_stored += position is not None
    verdict.resolved_not_stored += position is None
    for step in call.steps:
        one = known[step.identity]
        if position is None and one.stored == YES and one.told_by == "acknowledged":
            if step.identity == tuple(note["identity"]):
                verdict.wrong(
                    "wrong resolve", f"{step.identity} was acknowledged, resolved to none"
                )
            continue
        if one.stored == YES:
            continue
        one.stored, one.told_by = (NO if position is None else YES), "resolved"
        one.because = f"resolved with the answer {position} to {note['identity']}"
        if step.identity == tuple(note["identity"]):
            one.position = position


def _claim(identity: Identity, one: Known, log: Log, verdict: Verdict) -> None:
    """The last thing that was known of an identity, and what is stored."""
    stored = log.positions.get(identity)
    kind = "wrong resolve" if one.told_by == "resolved" else "lost"
    if one.stored == YES and stored is None:
        verdict.wrong(kind, f"{identity} is not stored: {one.because}")
    elif one.stored == YES and one.position not in {None, stored}:
        verdict.wrong(kind, f"{identity} is at {stored}: {one.because}")
    elif one.stored == NO and stored is not None:
        kind = "wrong resolve" if one.told_by == "resolved" else "doubled"
        verdict.wrong(kind, f"{identity} is stored at {stored}: {one.because}, or refused")


def _order(notes: list[Note], log: Log, verdict: Verdict) -> None:
    """What was acknowledged before something began stands before it; so a client's own order too.

    Within each shard: between them no order of real time is promised.
    """
    began = {note["key"]: note["at"] for note in notes if note["what"] == "began"}
    ended = [note for note in notes if note.get("outcome") == "acknowledged"]
    after = sorted(
        (began[note["key"]], position)
        for note in ended
        for position, duplicate in note["receipts"]
        if not duplicate
    )
    before = sorted((note["at"], position) for note in ended for position, _ in note["receipts"])
    highest, passed = dict.fromkeys(range(log.shards), 0), 0
    for moment, position in after:
        while passed < len(before) and before[passed][0] < moment:
            shard = log.shard(before[passed][1])
            highest[shard] = max(highest[shard], before[passed][1])
            passed += 1
        over = highest[log.shard(position)]
        if position < over:
            verdict.wrong("other", f"{position} began after {over} was acknowledged")


def _followed(notes: list[Note], log: Log, verdict: Verdict) -> None:
    """What a tailing reader saw, across its own reconnects: a beginning of the log, by shard."""
    saw: dict[int, list[tuple[int, str]]] = {}
    for note in notes:
        for shard, number, print_ in note["lines"] if note["what"] == "seen" else ():
            saw.setdefault(shard, []).append((number, print_))
    stored = log.by_shard()
    for shard, seen in saw.items():
        lines = stored.get(shard, [])
        beginning = [(n, fingerprint(line)) for n, (_, line) in enumerate(lines[: len(seen)], 1)]
        if seen != beginning:
            places = [n for n, (one, other) in enumerate(zip(seen, beginning)) if one != other]
            at = places[0] if places else len(beginning)
            verdict.wrong(
                "gap", f"a reader saw {seen[at : at + 3]} after {at}; {len(lines)} stored"
            )


def _again(ledger: Ledger, notes: list[Note], log: Log, verdict: Verdict) -> None:
    """Everything that is stored is sent once more, under its identities: nothing new comes of it."""
    head = ledger.head()
    for call in _stored_calls(notes, log):
        try:
            receipts = call.send(ledger)
        except PrakerjaLedgerError as error:
            verdict.wrong("other", f"{call.steps[-1].identity}, sent again: {error}")
            continue
        for step, receipt in zip(call.steps, receipts, strict=True):
            if not (receipt.duplicate and receipt.position == log.positions[step.identity]):
                verdict.wrong("doubled", f"{step.identity}, sent again: {receipt}")
    if ledger.head() != head:
        verdict.wrong("doubled", f"the head was {head}, and is {ledger.head()} after a second run")


def _stored_calls(notes: list[Note], log: Log) -> Iterable[Call]:
    for note in notes:
        if note["what"] == "began":
            call = Call.from_json(note["call"])
            if all(one.identity in log.positions and log.holds(one) for one in call.steps):
                yield call
