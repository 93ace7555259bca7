"""The books: one participant's money as double entry (docs/decisions/0014-hledger.md).

No amount is worked out here. The law's own fold is watched event by event, and what it says before
and after each of them is what the event moved; what is owed is the statement's. So the entries of a
line add up to the statement's line, which whoever reads the books can check without this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from attrs import define, field, frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.schemes import TRAINING, Line, Programme
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.reading.dossier import (
    READERS,
    Dossier,
    ProgrammeInView,
    attach,
)
from prakerja_ledger.reading.statement import (
    Statement,
    StatementLine,
    statement_of,
    training_owed,
)
from prakerja_ledger.reading.view import View, look

Account = str
"""Names from the general to the particular, with colons between."""

CASH: Final[Account] = "Assets:Prakerja:cash"
"""The programme's money; what left it is negative."""
OWED: Final = "owed"
OVERPAID: Final = "overpaid"


def liability(line: Line, part: str) -> Account:
    """What the programme owes on a line, by part: `owed`, `paid` and `overpaid` add up to unpaid."""
    return f"Liabilities:Prakerja:{_path(line)}:{part}"


def expense(line: Line) -> Account:
    """What a line has cost the programme: what is owed on it, paid or not."""
    return f"Expenses:Prakerja:{_path(line)}"


def in_flight(line: Line) -> Account:
    """Instructed, no outcome known."""
    return f"Assets:Prakerja:in-flight:{_path(line)}"


def overpaid(line: Line) -> Account:
    """Paid beyond what is owed: to be asked back."""
    return f"Assets:Prakerja:overpaid:{_path(line)}"


def unmatched(line: Line) -> Account:
    """Money that came back where, in this view, none is known to have gone out."""
    return f"Equity:Prakerja:unmatched:{_path(line)}"


def _path(line: Line) -> Account:
    return line.replace("/", ":")


Posting = tuple[Account, int]
"""An account and whole rupiah: what comes in is positive, what goes out negative."""


@frozen(kw_only=True, eq=False)
class Entry:
    """A transaction. Its postings add up to nothing."""

    on: date
    """The WIB date of the event, on which it was earned, or D for what holds as of D only."""
    what: str
    """The kind of the event; `owed` and `overpaid` are the statement's word and no event's."""
    line: StatementLine
    """The line that the money is on, as of D."""
    event: Event | None
    postings: tuple[Posting, ...]


@frozen(kw_only=True, eq=False)
class Books:
    """A participant's entries in one view, by date, and the statement that they add up to."""

    statement: Statement
    entries: tuple[Entry, ...]


def books(
    participant: Participant, view: View, programme: Programme, around: ProgrammeInView
) -> Books | None:
    """The books of a participant; None where the enrolment is not in view.

    Raises CalendarTooShort as the statement does.
    """
    seen = look(participant, view)
    if seen is None:
        return None
    fold = _Fold(Dossier(seen, participant, programme.scheme(seen.scheme), view))
    fold.all(seen.events)
    made = statement_of(fold.dossier, programme, around)
    entries = [
        Entry(
            on=event.occurred_on,
            what=event.fact.kind,
            line=made.line(line),
            event=event,
            postings=p,
        )
        for event, line, p in fold.moves
    ]
    for line in made.lines:
        entries += _of_the_statement(line, view)
    return Books(statement=made, entries=tuple(sorted(entries, key=lambda entry: entry.on)))


def _of_the_statement(line: StatementLine, view: View) -> Iterator[Entry]:
    """What follows from the facts as of D, and from none of them alone."""
    if line.owed and line.line != TRAINING:  # training is owed as it is spent, purchase by purchase
        assert line.earned_on is not None, "owed, so it was earned on a day"
        yield _by_statement(line, line.earned_on, OWED, expense(line.line), line.owed)
    if line.overpaid:
        yield _by_statement(line, view.as_of, OVERPAID, overpaid(line.line), line.overpaid)


def _by_statement(line: StatementLine, on: date, part: str, to: Account, amount: int) -> Entry:
    postings = ((to, amount), (liability(line.line, part), -amount))
    return Entry(on=on, what=part, line=line, event=None, postings=postings)


@define(eq=False)
class _Fold:
    """The law's fold of one participant, watched."""

    dossier: Dossier
    moves: list[tuple[Event, Line, tuple[Posting, ...]]] = field(init=False, factory=list)
    _spent: int = field(init=False, default=0)

    def all(self, events: Iterable[Event]) -> None:
        for event in events:
            fact = event.fact
            if isinstance(fact, (f.TrainingPurchased, f.PurchaseRefunded)):
                self._training(event, fact.purchase)
            elif isinstance(
                fact,
                (
                    f.DisbursementInstructed,
                    f.DisbursementSettled,
                    f.DisbursementFailed,
                    f.DisbursementReturned,
                ),
            ):
                self._transfer(event, fact.disbursement)
            else:
                self._read(event)
        for refund in self.dossier.loose_refunds:
            self._late_purchase(refund)

    def _read(self, event: Event) -> None:
        read = READERS.get(type(event.fact))
        if read is not None:
            read(self.dossier, event, event.fact)

    def _transfer(self, event: Event, disbursement: str) -> None:
        line = self.dossier.participant.line_of(disbursement)
        left, coming = self._standing(line, disbursement)
        self._read(event)
        left_now, coming_now = self._standing(line, disbursement)
        came = self._came_in(event)
        self._add(event, line, left_now - left, coming_now - coming, came)

    def _standing(self, line: Line, disbursement: str) -> tuple[int, int]:
        transfers = self.dossier.lines.get(line)
        found = None if transfers is None else transfers.by_id.get(disbursement)
        return (0, 0) if found is None else (found.left, found.in_flight)

    def _came_in(self, event: Event) -> int:
        """Rupiah that a bank moved: a settlement sends them out, a return brings them back."""
        fact, participant = event.fact, self.dossier.participant
        if isinstance(fact, f.DisbursementSettled):
            return -participant.settled_amount(fact)
        if isinstance(fact, f.DisbursementReturned):
            return participant.returned_amount(event, fact)
        return 0

    def _training(self, event: Event, purchase: str) -> None:
        before = self._spent_on(purchase)
        self._read(event)
        bought = self.dossier.purchases.get(purchase)
        if bought is not None and bought.from_balance:
            self._spend(event, self._spent_on(purchase) - before)

    def _late_purchase(self, refund: Event) -> None:
        """A refund dated before its purchase; without one in view nobody can say whose money it was."""
        purchase: str = refund.fact.purchase  # type: ignore[attr-defined]
        before = self._spent_on(purchase)
        attach(self.dossier, refund)
        bought = self.dossier.purchases.get(purchase)
        if bought is not None and bought.from_balance:
            self._spend(refund, self._spent_on(purchase) - before)

    def _spent_on(self, purchase: str) -> int:
        bought = self.dossier.purchases.get(purchase)
        return 0 if bought is None else bought.spent

    def _spend(self, event: Event, spent: int) -> None:
        fact, scheme = event.fact, self.dossier.scheme
        owed = training_owed(scheme, self._spent + spent) - training_owed(scheme, self._spent)
        self._spent += spent
        came = fact.amount if isinstance(fact, f.PurchaseRefunded) else -fact.price  # type: ignore[attr-defined]
        more = ((expense(TRAINING), owed), (liability(TRAINING, OWED), -owed)) if owed else ()
        self._add(event, TRAINING, spent, 0, came, more)

    def _add(
        self,
        event: Event,
        line: Line,
        paid: int,
        coming: int,
        came: int,
        more: tuple[Posting, ...] = (),
    ) -> None:
        """One movement: paid and in flight as the law has it, cash as the bank has it.

        Where the two differ, money came back that the view did not see going out.
        """
        postings = [(liability(line, "paid"), paid), (CASH, came - coming)]
        if coming:
            postings.append((in_flight(line), coming))
        if came + paid:
            postings.append((unmatched(line), -came - paid))
        whole = [(account, amount) for account, amount in postings if amount]
        self.moves.append((event, line, (*(whole or postings), *more)))
