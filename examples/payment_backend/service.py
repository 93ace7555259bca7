"""The service: what it holds open, and the payout run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from math import nan
from threading import Event, Thread

from prakerja_ledger import Ledger, LedgerFault, May, Projection, Refused, commands
from prakerja_ledger.reading.pages import UnpaidLine

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

        The projection says where to look; the ledger decides, inside its own transaction, what is paid.
        """
        done: Counter[str] = Counter()
        self.projection.wait()  # what this run instructed before must be in the rows
        for one in self._lines(May.UNKNOWN):
            command = _instruction(run, one)
            if self.ledger.find(command.source, command.id) is not None:
                self._tell_bank(command)
                done["again"] += 1
        for one in self._lines(May.YES):
            if done["instructed"] >= most:
                break
            done[self._pay(_instruction(run, one))] += 1
        for answer, lines in done.items():
            self._metrics.payout(answer, lines)
        return done

    def _lines(self, may_pay: May) -> Iterator[UnpaidLine]:
        """Unpaid lines of which the rows say so, the longest overdue first."""
        after = None
        while True:
            page = self.projection.unpaid(may_pay=may_pay, limit=1_000, after=after)
            yield from page.lines
            after = page.next
            if after is None:
                return

    def _pay(self, command: commands.Instruct) -> str:
        try:
            receipt = self.ledger.execute(command)
        except Refused:  # it was paid or held meanwhile: the rows are a little late
            return "refused"
        self._tell_bank(command)
        return "again" if receipt.duplicate else "instructed"

    def _tell_bank(self, command: commands.Instruct) -> None:
        """Give the bank what this command instructed, though it may know.

        The first time it may not have heard: the ledger's answer was lost, or this service died in
        between. What the bank knows it passes over.
        """
        for one in self.ledger.timeline(command.subject).events:
            if one.identity == (command.source, command.id):
                fact = one.fact
                # Its webhook will tell; until then the line is in flight, and the same run tells again.
                with suppress(OSError):
                    self.settings.bank.pay(f"{command.subject} {fact.disbursement}", fact.amount)


def _instruction(run: str, one: UnpaidLine) -> commands.Instruct:
    """The same for the same run, so that it is recorded once however often it is tried."""
    return commands.Instruct(
        source=OURS,
        id=f"{run} {one.participant} {one.line}",
        subject=one.participant,
        line=one.line,
    )
