"""What the service is told by its surroundings, and nothing else."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from prakerja_ledger.ledger.asking import system_clock


class Bank(Protocol):
    """The payment partner. It is given an instruction once or more often, and pays once."""

    def pay(self, disbursement: str, amount: int) -> str:
        """Take an instruction; returns the bank's reference. Raises TimeoutError where it says nothing."""


class LaterBank:
    """Takes nothing now: instructions wait in the ledger for the bank's own batch."""

    def pay(self, disbursement: str, amount: int) -> str:  # noqa: ARG002  # the port's
        return ""


@dataclass(frozen=True)
class Settings:
    """`ledger` and `rows` are URLs; `may_call` is the host's own check of a bearer token."""

    ledger: str
    rows: str
    may_call: Callable[[str], bool]
    bank: Bank = LaterBank()
    clock: Callable[[], datetime] = system_clock

    @classmethod
    def from_environment(cls) -> Settings:
        """PAYMENTS_LEDGER, PAYMENTS_ROWS and PAYMENTS_TOKEN.

        The token stands in for the host's own check (a gateway's, or of signed tokens): this example
        brings no login of its own.
        """
        token = os.environ["PAYMENTS_TOKEN"].encode()
        return cls(
            ledger=os.environ["PAYMENTS_LEDGER"],
            rows=os.environ["PAYMENTS_ROWS"],
            may_call=lambda given: hmac.compare_digest(given.encode(), token),
        )
