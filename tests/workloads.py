"""Many writers on few participants, and what has to hold of the log they leave.

Writer processes send mixed commands and facts into one ledger, on purpose at the same participants,
and keep notes: what they asked, when they began, what they were told and when. A reader follows the
log meanwhile, and writers are killed in the middle of a call. The position is the order in which
everything happened, so each check is one pass over the log beside the notes:

- set: what was acknowledged is there once, as asked; what was refused is not; unknown is 0 or 1;
- append: a writer's order is the log's, and what ended before another call began stands before it;
- bank: nothing is paid twice, too much, to an account not verified, while held or revoked;
- tail: the reader saw 1 to n, each look going on where the last one ended.

The checks know history format 1 and nothing of the package. `python -m tests.workloads --url URL`
runs them on an empty ledger.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from prakerja_ledger import Ledger, LedgerFault, PrakerjaLedgerError, Receipt, facts
from prakerja_ledger.deciding import commands as c
from prakerja_ledger.domain.errors import OutcomeUnknown

Data = dict[str, Any]
Event = dict[str, Any]
"""A line of the log as JSON."""
Identity = tuple[str, str]

START = datetime(2022, 3, 1, 2, 0, tzinfo=UTC)
DAYS = 120
"""How far the ledger's clock goes in one run: months come due and sales stop while it is under way."""
PARTICIPANTS = ("P-1", "P-2", "P-3", "P-4")
PLATFORMS = ("bukalapak", "maubelajarapa", "pijar-mahir", "pintaria", "sekolahmu", "tokopedia")
AMOUNTS = {
    **{f"post-training/{n}": 600_000 for n in (1, 2, 3, 4)},
    **{f"survey/{n}": 50_000 for n in (1, 2, 3)},
}
BALANCE = 1_000_000
PACKAGE_PRICE = 100_000
FIRST_PURCHASE = "first"
"""Never refunded: the instalments are earned by its course."""

COMMANDS: dict[str, type[c.Command]] = {
    "account-linked": c.LinkAccount,
    "account-verified": c.VerifyAccount,
    "account-unlinked": c.UnlinkAccount,
    "training-purchased": c.PurchaseTraining,
    "purchase-refunded": c.RefundPurchase,
    "disbursement-instructed": c.Instruct,
    "disbursement-settled": c.Settle,
    "disbursement-failed": c.Fail,
    "disbursement-returned": c.Return,
    "participation-revoked": c.Revoke,
    "participation-reinstated": c.Reinstate,
    "package-sales-stopped": c.StopPackageSales,
    "payments-held": c.HoldPayments,
    "payments-resumed": c.ResumePayments,
}


@dataclass(frozen=True)
class Job:
    """One event somebody asks for. A job that is observed has a time; one that is executed has none."""

    source: str
    id: str
    kind: str
    subject: str
    data: Data
    time: str | None = None

    @property
    def identity(self) -> Identity:
        return self.source, self.id

    def command(self) -> c.Command:
        fields = dict(self.data)
        if self.kind == "package-sales-stopped":
            fields["effective"] = date.fromisoformat(fields["effective"])
        return COMMANDS[self.kind](source=self.source, id=self.id, subject=self.subject, **fields)

    def event(self) -> Event:
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": f"prakerja.{self.kind}.v1",
            "subject": self.subject,
            "time": self.time,
            "data": self.data,
        }


@dataclass(frozen=True)
class Clock:
    """The ledger's clock: fast, and one for all processes but for `off`, its error in seconds."""

    began: float
    seconds: float
    off: float = 0

    def __call__(self) -> datetime:
        passed = (time.monotonic() - self.began) / self.seconds
        return START + timedelta(days=DAYS * passed, seconds=self.off)


# --- notes ----------------------------------------------------------------------------------------


@dataclass
class Note:
    """One call of one writer: what it asked, and what it was told."""

    writer: str
    jobs: list[Job]
    began: float
    outcome: str = "unknown"
    """`done`, a code, `unknown`, or `crashed: …` for an error that no caller should see."""
    receipts: list[Receipt] = field(default_factory=list)
    ended: float = float("inf")


class Notebook:
    """A writer's notes in a file, each on disk's way before the next step: the writer may be killed."""

    def __init__(self, folder: Path, writer: str) -> None:
        self._file = os.open(folder / f"{writer}.notes", os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def write(self, *what: Any) -> None:
        os.write(self._file, json.dumps(what).encode() + b"\n")


def read_notes(folder: Path) -> list[Note]:
    """Every call that began, with its end where it had one."""
    notes = []
    for path in sorted(folder.glob("*.notes")):
        for line in path.read_bytes().splitlines():
            match json.loads(line):
                case ["began", at, jobs]:
                    notes.append(Note(path.stem, [Job(**job) for job in jobs], at))
                case ["ended", at, outcome, receipts]:
                    note = notes[-1]
                    note.ended, note.outcome = at, outcome
                    note.receipts = [Receipt(*one) for one in receipts]
    return notes


# --- the writers ----------------------------------------------------------------------------------


class Bank:
    """What becomes of a transfer is decided once, whoever reports it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def fails(self, participant: str, disbursement: str) -> bool:
        return self._drawn(participant, disbursement) < 50

    def returns(self, participant: str, disbursement: str) -> bool:
        return 50 <= self._drawn(participant, disbursement) < 250

    def _drawn(self, *transfer: str) -> int:
        return sha256(repr((self._seed, transfer)).encode()).digest()[0]


@dataclass
class Glimpse:
    """What a writer has just seen of a participant. Others change it while the writer acts on it."""

    linked: str | None = None
    verified: bool = False
    revoked: bool = False
    open: dict[str, str] = field(default_factory=dict)
    """Lines of the disbursements without an outcome."""
    settled: dict[str, str] = field(default_factory=dict)
    bought: dict[str, int] = field(default_factory=dict)

    def see(self, kind: str, data: Data) -> None:
        match kind:
            case "account-linked":
                self.linked, self.verified = data["account"], False
            case "account-verified":
                self.verified = True
            case "account-unlinked":
                self.linked, self.verified = None, False
            case "participation-revoked" | "participation-reinstated":
                self.revoked = kind == "participation-revoked"
            case "disbursement-instructed":
                self.open[data["disbursement"]] = f"{data['component']}/{data['instalment']}"
            case "disbursement-settled":
                self.settled[data["disbursement"]] = self.open.pop(data["disbursement"], "")
            case "disbursement-failed":
                self.open.pop(data["disbursement"], None)
            case "disbursement-returned":
                self.settled.pop(data["disbursement"], None)
            case "training-purchased":
                if data["purchase"] != FIRST_PURCHASE:
                    self.bought[data["purchase"]] = data["price"]
            case "purchase-refunded":
                self.bought.pop(data["purchase"], None)


LATELY = 80
"""How many of a participant's last events a writer looks at."""


class Writer:
    """Sends what it thinks of next, and now and then what it or another sent before."""

    def __init__(
        self, name: str, seed: int, began: float, ledger: Ledger, notebook: Notebook
    ) -> None:
        self.name = name
        self.seed = seed
        self.rng = random.Random(f"{seed} {name}")
        self.bank = Bank(seed)
        self.began = began
        self.ledger = ledger
        self.notebook = notebook
        self.earlier: list[list[Job]] = []
        self.done: list[list[Job]] = []
        self.count = 0

    def run(self, until: float) -> None:
        while time.monotonic() < until:
            self.send(self.next_call())

    def send(self, jobs: list[Job]) -> None:
        self.earlier.append(jobs)
        self.notebook.write("began", time.monotonic(), [vars(job) for job in jobs])
        try:
            receipts = self.asked(jobs)
        except OutcomeUnknown:
            return self.ended("unknown")
        except LedgerFault as error:
            return self.ended(f"fault: {error}")
        except PrakerjaLedgerError as error:
            return self.ended(error.code)
        except Exception as error:  # whatever it is, it is a finding
            return self.ended(f"crashed: {error!r}")
        self.done.append(jobs)
        return self.ended("done", receipts)

    def ended(self, outcome: str, receipts: Sequence[Receipt] = ()) -> None:
        told = [(one.position, one.duplicate) for one in receipts]
        self.notebook.write("ended", time.monotonic(), outcome, told)

    def asked(self, jobs: list[Job]) -> list[Receipt]:
        if jobs[0].time is not None:
            return self.ledger.record_all(job.event() for job in jobs)
        if len(jobs) == 1:
            return [self.ledger.execute(jobs[0].command())]
        return self.ledger.execute_all(job.command() for job in jobs)

    # --- what to send

    def next_call(self) -> list[Job]:
        drawn = self.rng.random()
        if self.earlier and drawn < 0.05:
            return self.rng.choice(self.earlier[-200:])
        if self.done and drawn < 0.07:
            return [self.contradicting(self.rng.choice(self.done)[0])]
        if drawn < 0.15:
            return [self.everybodys_job()]
        if drawn < 0.17:
            return [self.of_the_programme()]
        who = self.rng.choice(PARTICIPANTS)
        seen = self.glimpse(who)
        acts: dict[Callable[[str, Glimpse], list[Job]], int] = {
            self.instruct: 30,
            self.outcome: 30,
            self.give_back: 20,
            self.account: 3 if seen.verified else 40,
            self.standing: 40 if seen.revoked else 1,
            self.buy: 6,
            self.refund: 6,
            self.several: 10,
        }
        (act,) = self.rng.choices(list(acts), list(acts.values()))
        return act(who, seen) or self.instruct(who, seen)

    def glimpse(self, who: str) -> Glimpse:
        with self.ledger.journal.reading() as reading:
            lately = reading.stream(f"participant/{who}")[-LATELY:]
        seen = Glimpse()
        for stored in lately:
            event = json.loads(stored.line)
            seen.see(kind_of(event), event["data"])
        return seen

    def job(self, kind: str, subject: str, /, **data: Any) -> Job:
        self.count += 1
        return Job(f"//{self.name}", str(self.count), kind, subject, data)

    def observed(self, job: Job) -> Job:
        """The same as something that happened elsewhere, now and then."""
        if self.rng.random() < 0.5:
            return job
        now = self.ledger.clock().isoformat()
        return Job(f"//seen-by-{self.name}", job.id, job.kind, job.subject, job.data, now)

    def instruct(self, who: str, _: Glimpse, line: str = "") -> list[Job]:
        line = line or self.rng.choice(list(AMOUNTS))
        if self.rng.random() < 0.6:
            return [self.job("disbursement-instructed", who, line=line)]
        amount = self.rng.choice((10_000, 20_000, 50_000, 600_000))
        return [self.job("disbursement-instructed", who, line=line, amount=amount)]

    def outcome(self, who: str, seen: Glimpse) -> list[Job]:
        if not seen.open:
            return []
        name = self.rng.choice(list(seen.open))
        if self.bank.fails(who, name):
            failed = self.job("disbursement-failed", who, disbursement=name, reason="technical")
            return [self.observed(failed)]
        reference = f"R {who} {name}"
        settled = self.job("disbursement-settled", who, disbursement=name, reference=reference)
        return [self.observed(settled)]

    def give_back(self, who: str, seen: Glimpse) -> list[Job]:
        names = [name for name in seen.settled if self.bank.returns(who, name)]
        if not names:
            return []
        data = {"disbursement": self.rng.choice(names), "reason": "account-closed"}
        return [self.observed(self.job("disbursement-returned", who, **data))]

    def account(self, who: str, seen: Glimpse) -> list[Job]:
        if seen.linked is None or (seen.verified and self.rng.random() < 0.5):
            account = self.rng.choice(("A-1", "A-2"))
            return [self.job("account-linked", who, provider="ovo", account=account)]
        kind = "account-unlinked" if seen.verified else "account-verified"
        return [self.job(kind, who, account=seen.linked)]

    def standing(self, who: str, seen: Glimpse) -> list[Job]:
        if seen.revoked:
            return [self.job("participation-reinstated", who, reason="appeal")]
        return [self.job("participation-revoked", who, reason="fraud")]

    def buy(self, who: str, _: Glimpse) -> list[Job]:
        platform = self.rng.choice(PLATFORMS)
        sale = {"platform": platform, "price": PACKAGE_PRICE, "method": "prakerja"}
        package = {"package": f"PK {platform}"} if self.rng.random() < 0.7 else {}
        courses = {"courses": courses_of(platform), **package}
        name = f"{self.name} {self.count}"
        return [self.job("training-purchased", who, purchase=name, **sale, **courses)]

    def refund(self, who: str, seen: Glimpse) -> list[Job]:
        if not seen.bought:
            return []
        name = self.rng.choice(list(seen.bought))
        return [self.job("purchase-refunded", who, purchase=name, amount=seen.bought[name])]

    def several(self, who: str, seen: Glimpse) -> list[Job]:
        """All or none: the next attempt with the outcome of the last, a changed account, two lines."""
        drawn = self.rng.random()
        outcome = self.outcome(who, seen)
        if outcome and outcome[0].time is None:
            return [*outcome, *self.instruct(who, seen, seen.open[outcome[0].data["disbursement"]])]
        if seen.revoked:
            return [*self.standing(who, seen), *self.instruct(who, seen)]
        if drawn < 0.5 or seen.linked is None:
            first, second = self.rng.sample(list(AMOUNTS), 2)
            return [*self.instruct(who, seen, first), *self.instruct(who, seen, second)]
        return [
            self.job("account-unlinked", who, account=seen.linked),
            self.job("account-linked", who, provider="dana", account="A-3"),
            self.job("account-verified", who, account="A-3"),
        ]

    def of_the_programme(self) -> Job:
        with self.ledger.journal.reading() as reading:
            stream = reading.stream("programme")
        kinds = [kind_of(json.loads(stored.line)) for stored in stream]
        moves = [kind for kind in kinds if kind.startswith("payments-")]
        if moves[-1:] == ["payments-held"]:
            return self.job("payments-resumed", "programme")
        if self.rng.random() < 0.8:
            return self.job("payments-held", "programme", reason="evaluation")
        today = self.ledger.clock().date()
        return self.job(
            "package-sales-stopped",
            "programme",
            notice=f"S-{self.count}",
            effective=(today + timedelta(days=self.rng.randint(-2, 40))).isoformat(),
            platforms=[self.rng.choice(PLATFORMS)],
        )

    def everybodys_job(self) -> Job:
        """A payment that every writer is told to make at about the same time, under one identity."""
        number = int((time.monotonic() - self.began) * 10)
        rng = random.Random(f"{self.seed} {number}")
        line = rng.choice(list(AMOUNTS))
        who = rng.choice(PARTICIPANTS)
        return Job("//queue", str(number), "disbursement-instructed", who, {"line": line})

    def contradicting(self, job: Job) -> Job:
        """Something else under an identity that is taken."""
        return Job(*job.identity, "account-linked", PARTICIPANTS[0], {"provider": "bni", "account": "X"})  # fmt: skip


def kind_of(event: Event) -> str:
    return str(event["type"]).split(".")[1]


def courses_of(platform: str) -> list[Data]:
    return [{"course": f"PC {platform}", "institution": "LP-1"}]


def write(url: str, name: str, seed: int, folder: Path, run: Run) -> None:
    """A writer process."""
    clock = run.started()
    clock = replace(clock, off=random.Random(f"{seed} {name}").uniform(-run.skew, run.skew))
    with Ledger.open(url, clock=clock, create=False) as ledger:
        writer = Writer(name, seed, clock.began, ledger, Notebook(folder, name))
        writer.run(clock.began + clock.seconds)


# --- the reader -----------------------------------------------------------------------------------


class Look(NamedTuple):
    """One look at the log: its head, and the lines beyond a position, by position."""

    head: int
    after: int
    seen: list[tuple[int, str]]
    """Positions, each with a hash of its line."""


SEEN_AGAIN = 5
"""Lines that each look reads once more."""
RECONNECT = 10
"""Looks on one connection."""


def follow(url: str, folder: Path, run: Run) -> None:
    """The reader process: looks until it is told to stop, and once more then."""
    looks: list[Look] = []
    run.started()
    last = False
    while not last:
        with Ledger.open(url, create=False) as ledger:
            for _ in range(RECONNECT):
                last = run.over.is_set()
                looks.append(look(ledger, looks[-1].head if looks else 0))
                if last:
                    break
                time.sleep(0.03)
    (folder / "tail.looks").write_text(json.dumps(looks))


def look(ledger: Ledger, head: int) -> Look:
    after = max(0, head - SEEN_AGAIN)
    with ledger.journal.reading() as reading:
        lines = [(stored.position, hash_of(stored.line)) for stored in reading.lines(after)]
        return Look(reading.head(), after, lines)


def hash_of(line: bytes) -> str:
    return sha256(line).hexdigest()[:16]


# --- the checks -----------------------------------------------------------------------------------

Log = Sequence[tuple[int, bytes]]
"""The final log: positions and lines, in order."""
Problems = Iterator[str]


def check_set(events: Mapping[int, Event], notes: Sequence[Note]) -> Problems:
    """Acknowledged: there once, at its position, as asked. Refused: not there. Unknown: 0 or 1."""
    stands: dict[Identity, list[int]] = defaultdict(list)
    for at, event in events.items():
        stands[event["source"], event["id"]].append(at)
    told: dict[Identity, list[Receipt | str]] = defaultdict(list)
    for note in notes:
        if note.outcome.startswith("crashed"):
            yield f"set: {note.writer} saw an error that is none of ours: {note.outcome}"
        for number, job in enumerate(note.jobs):
            receipt = note.receipts[number] if note.outcome == "done" else None
            told[job.identity].append(receipt or note.outcome)
            if receipt and not is_answer(job, events.get(receipt.position)):
                yield f"set: {job} was acknowledged at {receipt.position}, which holds another"
    for identity in stands.keys() | told.keys():
        if problem := _misplaced(stands[identity], told[identity]):
            yield f"set: {identity} stands at {stands[identity]}: {problem}; told {told[identity]}"


def _misplaced(stands: list[int], told: list[Receipt | str]) -> str | None:
    """What is wrong with where an identity stands, after all that its writers were told of it."""
    receipts = [one for one in told if isinstance(one, Receipt)]
    fresh = sum(not one.duplicate for one in receipts)
    if len(stands) > 1 or fresh > 1:
        return "recorded twice"
    if any([one.position] != stands for one in receipts):
        return "acknowledged elsewhere"
    if stands and not fresh and "unknown" not in told:
        return "recorded, and nobody was told so"
    return None


def is_answer(job: Job, event: Event | None) -> bool:
    """Whether the log's event says what the job asked for."""
    if event is None or (kind_of(event), event["subject"]) != (job.kind, job.subject):
        return False
    asked, data = dict(job.data), event["data"]
    if job.kind != "disbursement-instructed":
        return bool(asked == data)
    if asked.pop("line") != line_of(data):
        return False
    return all(data[name] == value for name, value in asked.items())


def line_of(data: Data) -> str:
    return f"{data['component']}/{data['instalment']}"


def check_append(notes: Sequence[Note]) -> Problems:
    """What one writer was told comes in its order; what ended before another began, before it."""
    placed = [
        (receipt.position, note, job)
        for note in notes
        for receipt, job in zip(note.receipts, note.jobs, strict=note.outcome == "done")
        if not receipt.duplicate
    ]
    placed.sort(key=lambda one: one[0])
    latest = -1.0
    last: dict[tuple[str, str], float] = {}
    for at, note, job in placed:
        if note.ended < latest:
            yield f"append: {job.identity} at {at} had ended before an event ahead of it began"
        latest = max(latest, note.began)
        if note.began < last.get((note.writer, job.subject), 0):
            yield f"append: {job.identity} at {at} overtook its own writer's earlier event"
        last[note.writer, job.subject] = note.began
    for note in notes:
        fresh = [one.position for one in note.receipts if not one.duplicate]
        if fresh and fresh != list(range(fresh[0], fresh[0] + len(fresh))):
            yield f"append: one call of {note.writer} was recorded in pieces, at {fresh}"


def check_tail(log: Log, looks: Sequence[Look]) -> Problems:
    """1 to n without gap or repeat; each look extends the one before."""
    seen: dict[int, str] = {}
    head = 0
    for number, one in enumerate(looks):
        if [at for at, _ in one.seen] != list(range(one.after + 1, one.head + 1)):
            yield f"tail: look {number} from {one.after} to {one.head} has gaps or repeats"
        if one.head < head or one.after > head:
            yield f"tail: look {number} does not go on at {head}: {one.after} to {one.head}"
        head = one.head
        for at, hashed in one.seen:
            if seen.setdefault(at, hashed) != hashed:
                yield f"tail: position {at} changed between two looks"
    final = {at: hash_of(line) for at, line in log}
    if seen != final:
        yield f"tail: saw {len(seen)} lines of {len(final)}, or others"
    if [at for at, _ in log] != list(range(1, len(log) + 1)):
        yield "tail: the positions of the log are not 1 to n"


@dataclass
class Transfer:
    """A disbursement by the bank check's own reckoning."""

    line: str
    amount: int
    settled: int = 0
    returned: int = 0
    settlements: int = 0


@dataclass
class Books:
    """What the bank check keeps of one participant."""

    linked: str | None = None
    verified: bool = False
    revoked: bool = False
    transfers: dict[str, Transfer] = field(default_factory=dict)
    live: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Disbursements without an outcome, by line."""
    paid: Counter[str] = field(default_factory=Counter)
    prices: dict[str, int] = field(default_factory=dict)
    spent: int = 0


class BankCheck:
    """Replays the log event by event; after each one, no more is paid than is due."""

    def __init__(self) -> None:
        self.books: dict[str, Books] = defaultdict(Books)
        self.held = False
        self.stops: dict[str, str] = {}
        """The first day of each stop, by platform."""

    def problems(self, log: Iterable[Event]) -> Problems:
        for event in log:
            take = getattr(self, kind_of(event).replace("-", "_"), None)
            if take is None:
                continue
            if found := take(self.books[event["subject"]], event["data"], event):
                yield f"bank: {event['source']} {event['id']} of {event['subject']}: {found}"

    def account_linked(self, books: Books, data: Data, _: Event) -> None:
        books.linked, books.verified = data["account"], False

    def account_verified(self, books: Books, _: Data, __: Event) -> None:
        books.verified = True

    def account_unlinked(self, books: Books, _: Data, __: Event) -> None:
        books.linked, books.verified = None, False

    def participation_revoked(self, books: Books, _: Data, __: Event) -> None:
        books.revoked = True

    def participation_reinstated(self, books: Books, _: Data, __: Event) -> None:
        books.revoked = False

    def payments_held(self, _: Books, __: Data, ___: Event) -> None:
        self.held = True

    def payments_resumed(self, _: Books, __: Data, ___: Event) -> None:
        self.held = False

    def package_sales_stopped(self, _: Books, data: Data, __: Event) -> None:
        for platform in data["platforms"]:
            first = self.stops.get(platform, data["effective"])
            self.stops[platform] = min(first, data["effective"])

    def training_purchased(self, books: Books, data: Data, event: Event) -> str | None:
        books.prices[data["purchase"]] = data["price"]
        books.spent += data["price"]
        if books.spent > BALANCE:
            return f"{books.spent} of the training balance is spent"
        first = self.stops.get(data["platform"], "9999")
        if "package" in data and wib_day(event) >= first:
            return f"a package of {data['platform']} is sold, which stopped on {first}"
        return "bought while revoked" if books.revoked else None

    def purchase_refunded(self, books: Books, data: Data, _: Event) -> str | None:
        books.spent -= data["amount"]
        books.prices[data["purchase"]] -= data["amount"]
        return "more refunded than paid" if books.prices[data["purchase"]] < 0 else None

    def disbursement_instructed(self, books: Books, data: Data, _: Event) -> str | None:
        line, name = line_of(data), data["disbursement"]
        again = name in books.transfers
        books.transfers[name] = Transfer(line, data["amount"])
        books.live[line].append(name)
        obstacles = {
            "the disbursement id is used twice": again,
            f"{line} has the live attempts {books.live[line]}": len(books.live[line]) > 1,
            f"{line} would be overpaid": books.paid[line] + data["amount"] > AMOUNTS[line],
            "payments stand held": self.held,
            "the participant stands revoked": books.revoked,
            f"{data.get('account')} is not the linked account": data.get("account") != books.linked,
            "the account is not verified": not books.verified,
        }
        return ", ".join(words for words, there in obstacles.items() if there) or None

    def disbursement_settled(self, books: Books, data: Data, _: Event) -> str | None:
        transfer = books.transfers[data["disbursement"]]
        amount = data.get("amount", transfer.amount)
        self.ends(books, data)
        transfer.settled += amount
        transfer.settlements += 1
        books.paid[transfer.line] += amount
        if transfer.settlements > 1:
            return "a transfer is settled twice"
        if books.paid[transfer.line] > AMOUNTS[transfer.line]:
            return f"{books.paid[transfer.line]} is paid on {transfer.line}"
        return None

    def disbursement_failed(self, books: Books, data: Data, _: Event) -> None:
        self.ends(books, data)

    def disbursement_returned(self, books: Books, data: Data, _: Event) -> str | None:
        transfer = books.transfers[data["disbursement"]]
        amount = data.get("amount", transfer.settled - transfer.returned)
        transfer.returned += amount
        books.paid[transfer.line] -= amount
        return "more returned than settled" if transfer.returned > transfer.settled else None

    def ends(self, books: Books, data: Data) -> None:
        name = data["disbursement"]
        live = books.live[books.transfers[name].line]
        if name in live:
            live.remove(name)


def wib_day(event: Event) -> str:
    at = datetime.fromisoformat(event["time"]) + timedelta(hours=7)
    return at.astimezone(UTC).date().isoformat()


def check(log: Log, notes: Sequence[Note], looks: Sequence[Look]) -> list[str]:
    """Everything that does not hold."""
    events = {at: json.loads(line) for at, line in log}
    return [
        *check_set({at: one for at, one in events.items() if one["source"] != SETUP}, notes),
        *check_append(notes),
        *BankCheck().problems(events.values()),
        *check_tail(log, looks),
    ]


# --- a run ----------------------------------------------------------------------------------------

SPAWN = multiprocessing.get_context("spawn")
SETUP = "//setup"
PATIENCE = 120.0
"""Seconds that a process may take to start, or to finish its last call."""


class Run:
    """What the processes of one run share: they begin together, and the reader ends last."""

    def __init__(self, seconds: float, skew: float) -> None:
        self.seconds = seconds
        self.skew = skew
        self.ready = SPAWN.Semaphore(0)
        self.go = SPAWN.Event()
        self.over = SPAWN.Event()
        self.began = SPAWN.Value("d", 0.0)

    def started(self) -> Clock:
        """Wait for the others."""
        self.ready.release()
        self.go.wait(PATIENCE)
        return Clock(self.began.value, self.seconds)

    def start(self, processes: int) -> None:
        for _ in range(processes):
            if not self.ready.acquire(timeout=PATIENCE):
                raise TimeoutError("a process of the workload did not start")
        self.began.value = time.monotonic()
        self.go.set()


@dataclass
class Report:
    """What a run did, and what of it does not hold."""

    seed: int
    counts: dict[str, Any]
    problems: list[str]


def run(
    url: str, *, writers: int, seconds: float, seed: int, kills: int = 0, skew: float = 0
) -> Report:
    """One run on an empty ledger."""
    set_up(url)
    folder = Path(tempfile.mkdtemp(prefix="prakerja-workload-"))
    try:
        work(url, writers, Run(seconds, skew), seed, kills, folder)
        notes = read_notes(folder)
        looks = [Look(*one) for one in json.loads((folder / "tail.looks").read_text())]
    finally:
        shutil.rmtree(folder)
    with Ledger.open(url, create=False) as ledger, ledger.journal.reading() as reading:
        log = [(stored.position, stored.line) for stored in reading.lines()]
    return Report(seed, counted(log, notes, looks, seconds), check(log, notes, looks))


def set_up(url: str) -> None:
    """Participants whose first instalment is earned, and a package on each platform."""
    with Ledger.open(url, clock=lambda: START) as ledger:
        if ledger.head():
            raise SystemExit(f"{url} is not empty: the workload fills a ledger of its own")
        for who in PARTICIPANTS:
            ledger.execute_all(ordinary_life(who))
        ledger.execute_all(
            c.OfferPackage(
                source=SETUP,
                id=platform,
                subject=f"PK {platform}",
                platform=platform,
                price=PACKAGE_PRICE,
                courses=[facts.Course(**one) for one in courses_of(platform)],
            )
            for platform in PLATFORMS
        )


def ordinary_life(who: str) -> list[c.Command]:
    own = {"course": "C-1"}
    steps: list[tuple[type[c.Command], Data]] = [
        (c.Enrol, {"wave": 30, "scheme": "semi-bansos-2022"}),
        (c.LinkAccount, {"provider": "ovo", "account": "A-1"}),
        (c.VerifyAccount, {"account": "A-1"}),
        (c.PurchaseTraining, {"purchase": FIRST_PURCHASE, "platform": "sisnaker", "price": 200_000,
                              "courses": [{**own, "institution": "LP-1"}]}),
        (c.CompleteCourse, own),
        (c.IssueCertificate, {**own, "certificate": f"S {who}"}),
        (c.RateCourse, {**own, "programme": 5, "reviewed": True}),
        *((c.SubmitSurvey, {"survey": n}) for n in (1, 2, 3)),
    ]  # fmt: skip
    return [
        kind(source=SETUP, id=f"{who} {n}", subject=who, **fields)
        for n, (kind, fields) in enumerate(steps)
    ]


def work(url: str, writers: int, shared: Run, seed: int, kills: int, folder: Path) -> None:
    """Start everybody, kill some, and wait for the rest."""

    def process(target: Callable[..., None], *arguments: Any) -> Any:
        started = SPAWN.Process(target=target, args=(url, *arguments, shared), daemon=True)
        started.start()
        return started

    def writer(name: str) -> Any:
        return process(write, name, seed, folder)

    reader = process(follow, folder)
    writing = [writer(f"writer-{n}") for n in range(writers)]
    everybody = [reader, *writing]
    try:
        shared.start(writers + 1)
        rng = random.Random(f"{seed} kills")
        # One that has only begun may be inside what the processes share; a lock would stay locked.
        for n, victim in enumerate(rng.sample(range(writers), kills)):
            time.sleep(shared.seconds / (kills + 1))
            writing[victim].kill()
            writing[victim].join()
            writing[victim] = writer(f"writer-{writers + n}")
            everybody.append(writing[victim])
        for one in writing:
            finished(one, shared.seconds)
        shared.over.set()
        finished(reader, 0)
    finally:
        for one in everybody:
            one.kill()
            one.join()


def finished(process: Any, seconds: float) -> None:
    process.join(seconds + PATIENCE)
    if process.exitcode != 0:
        raise RuntimeError(f"{process.name} ended with {process.exitcode}")


def counted(
    log: Log, notes: Sequence[Note], looks: Sequence[Look], seconds: float
) -> dict[str, Any]:
    receipts = [one for note in notes for one in note.receipts]
    outcomes = Counter(note.outcome.partition(":")[0] for note in notes)
    kinds = Counter(kind_of(json.loads(line)) for _, line in log)
    waits = [note.ended - note.began for note in notes if note.receipts]
    return {
        "events": len(log),
        "events a second": round(len(log) / seconds),
        "calls": len(notes),
        "duplicates": sum(one.duplicate for one in receipts),
        "calls of several": sum(len(note.jobs) > 1 for note in notes),
        "slowest call in seconds": round(max(waits, default=0), 2),
        "looks": len(looks),
        "outcomes": dict(outcomes.most_common()),
        "kinds": dict(kinds.most_common()),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.workloads", description=__doc__)
    parser.add_argument("--url", required=True, help="an empty ledger")
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--kills", type=int, default=4, help="writers killed on the way")
    parser.add_argument(
        "--skew", type=float, default=0, help="seconds by which a writer's clock may be wrong"
    )
    asked = parser.parse_args(arguments)
    report = run(**vars(asked))
    print(json.dumps({"seed": report.seed, **report.counts}, indent=2))
    for problem in report.problems:
        print(problem, file=sys.stderr)
    print(f"{len(report.problems)} problems, seed {report.seed}", file=sys.stderr)
    return 1 if report.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
