"""A bank that lies: late, twice, without a reply, and failed before it settled after all.

It stands where a payment partner stands: `pay` takes an instruction, `answers` gives what its webhook
would report so far. It keeps what really happened, so that a test can ask whether money moved twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from attrs import define, field, frozen

from prakerja_ledger.domain import facts


class Lie(StrEnum):
    """How the bank treats one instruction."""

    HONEST = "honest"
    """Settled, and said so once."""
    REFUSED = "refused"
    """Failed, and said so once."""
    LATE = "late"
    """Settled at once, and said so only when it is asked for the third time."""
    TWICE = "twice"
    """Settled once, and said so twice, under two ids with one reference."""
    LOST_REPLY = "lost reply"
    """Settled, but the call ended in a timeout, as if nothing had happened."""
    FAILED_THEN_SETTLED = "failed then settled"
    """Reported as failed, and settled after all, which is reported too."""


class NoReply(TimeoutError):
    """The bank did not answer; the money may have moved."""


@frozen(kw_only=True)
class Reported:
    """What a webhook of the bank's says: its id, and the fact."""

    id: str
    fact: facts.DisbursementSettled | facts.DisbursementFailed


_ASKED_BEFORE_LATE: Final = 3


@define(eq=False)
class _Taken:
    """An instruction, and what will be reported of it and when."""

    amount: int
    reports: list[tuple[int, Reported]]
    """With how often the bank has to be asked before it says so."""


@define(eq=False)
class BankThatLies:
    """A payment partner whose lies come from a seed, or as they are named.

    `BankThatLies(seed=7)` chooses; `BankThatLies(lies=[Lie.TWICE, Lie.LATE])` takes them in turn.
    """

    seed: int = 0
    """The same lies on each run."""
    lies: Sequence[Lie] | None = None
    """Taken in turn, one an instruction, from the first again at the end."""
    moved: dict[str, int] = field(init=False, factory=dict)
    """Rupiah that really went out, by disbursement id."""
    _taken: dict[str, _Taken] = field(init=False, factory=dict)
    _asked: int = field(init=False, default=0)
    _rng: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        """By the seed, where no lies are named."""
        self._rng = random.Random(self.seed)  # noqa: S311  # to be repeated, not to be secret

    def _next_lie(self) -> Lie:
        if self.lies is None:
            return self._rng.choice(tuple(Lie))
        return self.lies[len(self._taken) % len(self.lies)]

    def pay(self, disbursement: str, amount: int) -> str:
        """Take an instruction of so many whole rupiah; returns the bank's reference.

        The same disbursement again changes nothing. Raises NoReply, where it may have been taken.
        """
        reference = f"REF-{disbursement}"
        if disbursement in self._taken:
            return reference
        lie = self._next_lie()
        settled = facts.DisbursementSettled(disbursement=disbursement, reference=reference)
        failed = facts.DisbursementFailed(disbursement=disbursement, reason="technical")

        def said(
            number: int, fact: facts.DisbursementSettled | facts.DisbursementFailed
        ) -> Reported:
            return Reported(id=f"{reference}/{number}", fact=fact)

        reports = {
            Lie.HONEST: [(0, said(1, settled))],
            Lie.REFUSED: [(0, said(1, failed))],
            Lie.LATE: [(_ASKED_BEFORE_LATE, said(1, settled))],
            Lie.TWICE: [(0, said(1, settled)), (1, said(2, settled))],
            Lie.LOST_REPLY: [(0, said(1, settled))],
            Lie.FAILED_THEN_SETTLED: [(0, said(1, failed)), (1, said(2, settled))],
        }[lie]
        self._taken[disbursement] = _Taken(
            amount, [(self._asked + later, report) for later, report in reports]
        )
        if lie is not Lie.REFUSED:
            self.moved[disbursement] = amount
        if lie is Lie.LOST_REPLY:
            raise NoReply(f"no answer about {disbursement}")
        return reference

    def answers(self) -> Iterator[Reported]:
        """What the webhook reports by now, everything again each time: delivered at least once."""
        self._asked += 1
        for taken in self._taken.values():
            for at, report in taken.reports:
                if self._asked > at:
                    yield report

    @property
    def paid(self) -> int:
        """Whole rupiah that went out."""
        return sum(self.moved.values())
