"""The payment service that runs under faults: `python -m tests.faults.work --url URL --notes FILE`.

Clients (threads on one ledger) tell the lives of a few participants and pay their lines, each
noting what it is about to ask, and what came of it. What they know beside their notes they ask the
ledger. All is chosen by the seed, but for what the threads do to each other.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
from attrs import define, evolve, field, frozen

from prakerja_ledger.reading.permission import May
from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import (
    CommitInDoubt,
    Conflict,
    LedgerFault,
    OutcomeUnknown,
    PrakerjaLedgerError,
    UnreadableSource,
)
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.reading.statement import Status
from tests.faults import limits
from tests.faults.asking import Call, Step
from tests.faults.clock import START, Clock
from tests.faults.notes import Note, Notes, notes_of

AS_OF = date(2021, 12, 31)
"""A day after all that happens here: a client sees what is recorded, whatever its clock says."""
TRIES = 8
"""How often a client asks again while the ledger cannot be reached."""


@frozen(kw_only=True)
class Job:
    """What one life of the service is to do."""

    url: str
    notes: Path
    seed: int
    life: int = 1
    """A service that was killed is started again, and goes on with what it had noted."""
    clients: int = 2
    calls: int = 25
    """So many by each client."""
    clock: str = ""
    die: str = ""
    """`unknown`: killed as soon as an outcome is; `resolved`: as soon as it was resolved."""
    lock_timeout: float = 2.0
    connections: int = 0
    """Where not 0: no more of them for reading."""
    pause: float = 0.02
    """Seconds between two tries while the disk or the server fails."""
    copy_from: int = 0
    """Where not 0: so many events together are given to PostgreSQL by COPY."""

    @property
    def on_a_server(self) -> bool:
        return self.url.startswith("postgresql:")


@define(eq=False)
class Service:
    """One ledger that its clients share, opened again when it fails."""

    job: Job
    notes: Notes
    clock: Clock
    ledger: Ledger = field(init=False)
    _old: list[Ledger] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self.ledger = self._opened()

    def _opened(self) -> Ledger:
        ledger = opened(self.job.url, self.clock, self.job.pause)
        if self.job.connections:
            limits.shrink(ledger, self.job.connections)
        return ledger

    def reopen(self, failed: Ledger) -> None:
        """Put a ledger opened afresh in the place of one that failed.

        One on a server has to get up again by itself.
        """
        if self.job.on_a_server:
            time.sleep(self.job.pause)
            return
        with self._lock:
            if self.ledger is failed:
                with contextlib.suppress(LedgerFault, UnreadableSource):
                    self.ledger = self._opened()
                    self._old.append(failed)

    def close(self) -> None:
        for ledger in (*self._old, self.ledger):
            ledger.close()


def opened(url: str, clock: Any, pause: float) -> Ledger:
    """A ledger, made where there is none; tries again while the disk or the server fails."""
    for left in reversed(range(TRIES)):
        try:
            return Ledger.open(url, clock=clock)
        except (LedgerFault, UnreadableSource):
            if not left:
                raise
            time.sleep(pause)
    raise AssertionError


# --- what a client does next ----------------------------------------------------------------------


def life_of(who: str) -> list[Step]:
    """What happens to every participant before anything is paid; the same identities for ever."""
    course = {"course": "C-1", "institution": "LP-1"}
    bought = {"purchase": "B-1", "platform": "sisnaker", "price": 400_000, "courses": [course]}
    happened: list[tuple[str, str, dict[str, Any]]] = [
        ("Enrol", "04-20", {"wave": 1, "scheme": "semi-bansos-2020"}),
        ("LinkAccount", "04-21", {"provider": "ovo", "account": f"A {who}"}),
        ("VerifyAccount", "04-22", {"account": f"A {who}"}),
        ("PurchaseTraining", "04-23", bought),
        ("CompleteCourse", "05-02", {"course": "C-1"}),
        ("IssueCertificate", "05-03", {"course": "C-1", "certificate": f"SA {who}"}),
        ("RateCourse", "05-04", {"course": "C-1", "programme": 5, "reviewed": True}),
    ]
    return [
        Step(
            do=do, source="//life", id=f"{do} {who}", subject=who, fields=fields,
            time=f"2020-{on}T12:00:00+07:00",
        )
        for do, on, fields in happened
    ]  # fmt: skip


LINES = ("post-training/1", "survey/1", "post-training/2", "post-training/3")


@define(eq=False)
class Client:
    """One caller of the ledger, with its own source."""

    service: Service
    number: int
    rng: random.Random
    life: list[Step]
    """What it has still to tell of its participants."""
    participants: list[str]
    told: list[Call] = field(factory=list)
    """What was acknowledged to it."""
    made: int = 0
    attempts: int = 0

    def work(self, calls: int) -> None:
        for _ in range(calls):
            self.service.clock.advance(timedelta(hours=self.rng.randint(0, 96)))
            call = self._next()
            if call is not None:
                self.ask(call)
        while self.life:
            self.ask(self._of_a_life())

    def _next(self) -> Call | None:
        roll = self.rng.random()
        if self.life and roll < 0.7:
            return self._of_a_life()
        if self.told and roll < 0.76:
            return self._again()
        who = self.rng.choice(self.participants)
        try:
            return self._payment(who)
        except LedgerFault as error:
            self.service.notes.write("unread", problem=str(error))
            if self.service.job.on_a_server:
                time.sleep(self.service.job.pause)
        except PrakerjaLedgerError:
            pass  # not in view, or no calendar: it is asked on a later day
        return None

    def _of_a_life(self) -> Call:
        count = self.rng.choice((1, 1, 2, 7))
        steps, self.life = self.life[:count], self.life[count:]
        if count > 1:
            return Call(how=self.rng.choice(("execute_all", "record_all")), steps=steps)
        return Call(how=self.rng.choice(("execute", "observe")), steps=steps)

    def _again(self) -> Call:
        """Something acknowledged is sent once more: alone, for somebody else, or behind a new one."""
        call = self.rng.choice(self.told)
        roll = self.rng.random()
        if roll < 0.4:
            return call
        if roll < 0.6:
            return call.changed()
        steps = [self._complaint(self.rng.choice(self.participants)), *call.steps]
        return Call(how="execute_all", steps=steps)

    def _step(self, do: str, who: str, **fields: Any) -> Step:
        self.made += 1
        id = f"{self.service.job.life}.{self.made}"
        return Step(do=do, source=f"//client/{self.number}", id=id, subject=who, fields=fields)

    def _complaint(self, who: str) -> Step:
        name = f"K {self.number} {self.service.job.life} {self.made}"
        return self._step("FileComplaint", who, complaint=name)

    def _payment(self, who: str) -> Call | None:
        """One move towards a line being paid, by what the ledger says of it."""
        line = self.rng.choice((LINES[0], *LINES))
        ledger, roll = self.service.ledger, self.rng.random()
        permission = ledger.may_pay(who, line, AS_OF if roll < 0.5 else None)
        if permission.answer is May.YES or roll < (0.4 if self.service.job.clock else 0.1):
            amount = {"amount": 100_000} if self.rng.random() < 0.2 else {}
            named = {"disbursement": f"D {who} {self.number} {self.service.job.life} {self.made}"}
            fields = {"line": line, **amount, **(named if self.rng.random() < 0.5 else {})}
            return Call(how="execute", steps=[self._step("Instruct", who, **fields)])
        moves = Disbursements.of(ledger, who, line)
        if permission.answer is May.UNKNOWN and moves.open:
            return self._outcome(who, line, moves.open[-1])
        if permission.line.status is Status.PAID and moves.settled and roll < 0.5:
            name = moves.settled[-1]
            returned = self._step("Return", who, disbursement=name, reason="account-closed")
            return Call(how="execute", steps=[returned])
        if line.startswith("survey"):
            survey = int(line[-1])
            return Call(how="execute", steps=[self._step("SubmitSurvey", who, survey=survey)])
        return Call(how="execute", steps=[self._complaint(who)])

    def _outcome(self, who: str, line: str, name: str) -> Call:
        """What came of a transfer; some are paid again in the same breath.

        The bank has one answer for each: a second client that asks is told the same.
        """
        bank = random.Random(f"bank {self.service.job.seed} {who} {name}")
        roll = self.rng.random()
        if bank.random() < 0.55:
            settled = self._step("Settle", who, disbursement=name, reference=f"R {who} {name}")
            if roll < 0.4:
                time = self.service.clock.now.isoformat()
                return Call(how="observe", steps=[evolve(settled, time=time)])
            return Call(how="execute", steps=[settled])
        failed = self._step("Fail", who, disbursement=name, reason="technical")
        if roll < 0.5:
            return Call(how="execute", steps=[failed])
        return Call(how="execute_all", steps=[failed, self._step("Instruct", who, line=line)])

    # --- asking, and what came of it

    def ask(self, call: Call) -> None:
        """Send a call until its outcome is known or it is given up."""
        for _ in range(TRIES):
            if not self._asked(call):
                return
            time.sleep(self.rng.uniform(0, 0.01))

    def _asked(self, call: Call) -> bool:
        """Send it once; whether it is to be sent again, under the same identities."""
        self.attempts += 1
        key = f"{self.service.job.life}/{self.number}/{self.attempts}"
        ledger, notes = self.service.ledger, self.service.notes
        notes.write(
            "began", key=key, client=self.number, now=self.service.clock.now.isoformat(),
            call=call.as_json(),
        )  # fmt: skip
        try:
            receipts = call.send(ledger)
        except OutcomeUnknown as error:
            doubt = (error.fields["source"], error.fields["id"])
            notes.write("ended", key=key, outcome="unknown", doubt=doubt, problem=str(error))
            self._die("unknown")
            return self.resolve(key, call, doubt)
        except CommitInDoubt:
            raise
        except LedgerFault as error:
            notes.write("ended", key=key, outcome="fault", problem=str(error))
            self.service.reopen(ledger)
            return self.rng.random() < 0.7
        except PrakerjaLedgerError as error:
            outcome = "conflict" if isinstance(error, Conflict) else "refused"
            notes.write("ended", key=key, outcome=outcome, code=error.code, problem=str(error))
            return False
        positions = [(one.position, one.duplicate) for one in receipts]
        notes.write("ended", key=key, outcome="acknowledged", receipts=positions)
        self.told.append(call)
        return False

    def resolve(self, key: str, call: Call, doubt: tuple[str, str]) -> bool:
        """Ask what became of it until there is an answer; whether it is to be sent again."""
        for _ in range(TRIES):
            ledger = self.service.ledger
            try:
                receipt = ledger.resolve(*doubt)
            except CommitInDoubt:
                raise
            except (LedgerFault, OutcomeUnknown) as error:
                self.service.notes.write("unresolved", key=key, problem=str(error))
                self.service.reopen(ledger)
                time.sleep(self.service.job.pause)
                continue
            position = None if receipt is None else receipt.position
            self.service.notes.write("resolved", key=key, identity=doubt, position=position)
            self._die("resolved")
            if position is None:
                return self.rng.random() < 0.6
            self.told.append(call)
            return False
        return True

    def _die(self, when: str) -> None:
        if self.service.job.die == when:
            os.kill(os.getpid(), signal.SIGKILL)


@frozen
class Disbursements:
    """The transfers on a line, as far as the ledger has them, by where they stand."""

    open: list[str]
    settled: list[str]

    @classmethod
    def of(cls, ledger: Ledger, who: str, line: str) -> Disbursements:
        stands: dict[str, str] = {}
        after = {
            f.DisbursementInstructed: "open",
            f.DisbursementSettled: "settled",
            f.DisbursementFailed: "failed",
            f.DisbursementReturned: "returned",
        }
        evidence = ledger.statement(who, as_of=AS_OF).line(line).evidence
        for event in sorted(evidence, key=lambda one: one.position):
            if type(event.fact) in after:
                stands[event.fact.disbursement] = after[type(event.fact)]
        return cls(
            [name for name, where in stands.items() if where == "open"],
            [name for name, where in stands.items() if where == "settled"],
        )


# --- a reader that follows --------------------------------------------------------------------------


@define(eq=False)
class Follower:
    """Reads on from the last event it saw, by a connection of its own, and notes what it sees.

    In one shard by position; in several by (shard, number), which is what each shard counts.
    """

    job: Job
    notes: Notes
    seen: dict[int, int] = field(factory=dict)
    """The number of the last one, by shard."""
    _ledger: Ledger | None = None
    _done: threading.Event = field(factory=threading.Event)

    def follow(self) -> None:
        """Until told to stop; then once more, for what came last."""
        last = False
        while not last:
            last = self._done.wait(0.02 if self.job.on_a_server else 0.004)
            with contextlib.suppress(LedgerFault, UnreadableSource):
                self._look()
        if self._ledger is not None:
            self._ledger.close()

    def stop(self) -> None:
        self._done.set()

    def _look(self) -> None:
        if self._ledger is None:
            self._ledger = Ledger.open(self.job.url, create=False)
        ledger = self._ledger
        try:
            new = list(self._new(ledger))
        except LedgerFault:
            self._ledger = None
            ledger.close()
            raise
        if new:
            self.notes.write("seen", lines=new)
            self.seen.update({shard: number for shard, number, _ in new})

    def _new(self, ledger: Ledger) -> Iterator[tuple[int, int, str]]:
        with ledger.journal.reading() as reading:
            shards = shards_of(ledger)
            if shards == 1:
                for stored in reading.lines(self.seen.get(0, 0)):
                    yield 0, stored.position, fingerprint(stored.line)
                return
            for shard in range(shards):
                after = self.seen.get(shard, 0)
                for number, line in reading._cursor().execute(TAIL, (shard, after)):
                    yield shard, number, fingerprint(line)


TAIL = """
SELECT number, state FROM prakerja_ledger.stored_events WHERE shard = %s AND number > %s
ORDER BY number
"""


def shards_of(ledger: Ledger) -> int:
    """Over how many shards a ledger's events lie."""
    rights = getattr(ledger.journal, "rights", None)
    return 1 if rights is None else rights.shards


def fingerprint(line: bytes) -> str:
    """Short for a line's content."""
    return sha256(line).hexdigest()[:16]


# --- one life of the service ------------------------------------------------------------------------


def run(job: Job) -> None:
    """Go on where the notes end, work, and note that all came to its end."""
    earlier = list(notes_of(job.notes))
    notes = Notes(job.notes)
    clock = Clock(job.clock, job.seed, _last_moment(earlier))
    follower = Follower(job, notes, seen=_last_seen(earlier))
    following = threading.Thread(target=_noting_escapes, args=(notes, follower.follow))
    try:
        service = Service(job, notes, clock)
        following.start()
        _clients_work(service, earlier)
        service.close()
    except UnreadableSource as error:
        notes.write("gave up", problem=str(error))
    except BaseException:
        notes.write("escaped", problem=traceback.format_exc())
        raise
    finally:
        follower.stop()
        if following.ident is not None:
            following.join()
        notes.write("finished", life=job.life)
        notes.close()


def _clients_work(service: Service, earlier: list[Note]) -> None:
    job = service.job
    participants = [f"P-{n}" for n in range(job.clients)]
    clients = [
        Client(
            service,
            number,
            random.Random(f"client {job.seed} {job.life} {number}"),
            life_of(who),
            participants,
        )
        for number, who in enumerate(participants)
    ]
    first = clients[0]
    for key, call, doubt in unsettled(earlier):
        if first.resolve(key, call, doubt):
            first.ask(call)
    threads = [
        threading.Thread(target=_noting_escapes, args=(service.notes, client.work, job.calls))
        for client in clients
    ]
    done = threading.Event()
    slow = [
        threading.Thread(target=_noting_escapes, args=(service.notes, _read_slowly, service, done))
        for _ in range(job.connections)
    ]
    for thread in (*slow, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    for thread in slow:
        thread.join()


def _read_slowly(service: Service, done: threading.Event) -> None:
    """Somebody who keeps a connection for a while each time, such as an export."""
    while not done.wait(0.02):
        with contextlib.suppress(LedgerFault), service.ledger.journal.reading() as reading:
            for _ in zip(range(5), reading.lines(), strict=False):
                done.wait(0.01)


def _noting_escapes(notes: Notes, work: Any, *arguments: Any) -> None:
    """Whatever is not one of the package's answers is noted as having escaped."""
    try:
        work(*arguments)
    except BaseException:
        notes.write("escaped", problem=traceback.format_exc())


def unsettled(earlier: list[Note]) -> list[tuple[str, Call, tuple[str, str]]]:
    """Calls of an earlier life whose outcome it never learned, with the identity to ask for."""
    open_calls: dict[str, tuple[Call, tuple[str, str]]] = {}
    for note in earlier:
        key = note.get("key")
        if note["what"] == "began":
            call = Call.from_json(note["call"])
            open_calls[key] = (call, call.steps[0].identity)
        elif note["what"] == "ended" and note["outcome"] == "unknown":
            open_calls[key] = (open_calls[key][0], tuple(note["doubt"]))
        elif note["what"] in {"ended", "resolved"}:
            del open_calls[key]
    return [(key, call, doubt) for key, (call, doubt) in open_calls.items()]


def _last_moment(earlier: list[Note]) -> datetime:
    moments = [datetime.fromisoformat(note["now"]) for note in earlier if "now" in note]
    return max(moments, default=START)


def _last_seen(earlier: list[Note]) -> dict[int, int]:
    """By shard; later notes count."""
    seen = (line for note in earlier if note["what"] == "seen" for line in note["lines"])
    return {shard: number for shard, number, _ in seen}


def arguments(job: Job) -> list[str]:
    """The command line of a job."""
    options = [f"--{name}={value}" for name, value in attrs.asdict(job).items()]
    return [sys.executable, "-X", "faulthandler", "-m", "tests.faults.work", *options]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for one in attrs.fields(Job):
        needed = one.default is attrs.NOTHING
        kind = {"Path": Path, "int": int, "float": float}.get(str(one.type), str)
        parser.add_argument(f"--{one.name}", type=kind, required=needed, default=one.default)
    job = Job(**vars(parser.parse_args()))
    limits.wait_no_longer_than(job.lock_timeout)
    if job.copy_from:
        limits.copy_from(job.copy_from)
    sys.setswitchinterval(1e-4)  # threads meet in more places than they would by themselves
    run(job)


if __name__ == "__main__":
    main()
