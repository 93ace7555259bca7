"""The service: what it holds open, and the payout run."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from math import nan
from threading import Event, Thread

from prakerja_ledger import Ledger, LedgerFault, May, Projection, Refused, commands
from prakerja_ledger.domain.schemes import Line

from .metrics import Metrics
from .settings import Settings

OURS = "//payments.example"
"""The source of what this service decides."""


class Service:
    """A ledger, its projection, and a thread that keeps the projection current."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self._metrics = metrics
        metrics.watch(self._behind)
        self.ledger = Ledger.open(settings.ledger, clock=settings.clock)
        self.projection = Projection.open(self.ledger, settings.rows)
        self._ends = Event()
        self._following = Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._following.start()

    def stop(self) -> None:
        self._ends.set()
        self._following.join(timeout=10)
        self.projection.close()
        self.ledger.close()

    def _follow(self) -> None:
        """Survives a database that is away for a while: rows are late then, never wrong."""
        while not self._ends.is_set():
            with suppress(Exception):
                self.projection.follow(self._ends)
            self._ends.wait(0.5)

    @property
    def is_current(self) -> bool:
        return self._following.is_alive() and self.projection.lag().is_current

    def _behind(self) -> float:
        """Not a number where the ledger does not answer: 0 would say that all is well."""
        try:
            return self.projection.lag().behind
        except LedgerFault:
            return nan

    def pay_out(self, run: str, most: int) -> Counter[str]:
        """Instruct what may be paid now, and give it to the bank; the same run again pays nothing twice.

        The projection says where to look; the ledger says, inside its own transaction, what may be paid.
        """
        done: Counter[str] = Counter()
        after = None
        while done["instructed"] < most:
            page = self.projection.unpaid(limit=100, after=after)
            for one in page.lines:
                if done["instructed"] >= most:
                    break
                answer = self._pay(run, one.participant, one.line)
                self._metrics.payout(answer)
                done[answer] += 1
            after = page.next
            if after is None:
                break
        return done

    def _pay(self, run: str, participant: str, line: Line) -> str:
        permission = self.ledger.may_pay(participant, line)
        command = commands.Instruct(
            source=OURS, id=f"{run} {participant} {line}", subject=participant, line=line
        )
        if permission.answer is May.UNKNOWN:
            # In flight. If this run began it, the bank may not have heard: the answer of the ledger
            # was lost, or this service died in between. What the bank knows it passes over.
            self._tell_bank(command)
        if permission.answer is not May.YES:
            return str(permission.answer.value)
        try:
            self.ledger.execute(command)
        except Refused:  # somebody else was quicker, or payments were held meanwhile
            return "refused"
        self._tell_bank(command)
        return "instructed"

    def _tell_bank(self, command: commands.Instruct) -> None:
        """Give the bank what this command instructed, if it did."""
        for one in self.ledger.timeline(command.subject).events:
            if one.identity == (command.source, command.id):
                fact = one.fact
                # Its webhook will tell; until then the line is in flight, and the same run tells again.
                with suppress(OSError):
                    self.settings.bank.pay(f"{command.subject} {fact.disbursement}", fact.amount)
