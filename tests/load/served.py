"""The service as it is put under load: `uvicorn tests.load.served:application --factory`."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from payment_backend.app import application as service
from payment_backend.settings import Settings

from tests.load.callers import TODAY, TOKEN


class BankOnPaper:
    """Writes down what it is told, each time anew. One call in fifty ends without a reply."""

    def __init__(self, path: Path) -> None:
        self._told = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._calls = 0

    def pay(self, disbursement: str, amount: int) -> str:
        """Take an instruction."""
        line = json.dumps({"disbursement": disbursement, "amount": amount})
        os.write(self._told, f"{line}\n".encode())
        self._calls += 1
        if self._calls % 50 == 0:
            raise TimeoutError(f"no answer about {disbursement}")
        return f"REF-{disbursement}"


def application() -> Any:
    """From the environment, with a clock that stands still: what is due does not depend on the run."""
    return service(
        Settings(
            ledger=os.environ["LOAD_LEDGER"],
            rows=os.environ["LOAD_ROWS"],
            may_call=lambda given: given == TOKEN,
            bank=BankOnPaper(Path(os.environ["LOAD_BANK"])),
            clock=lambda: datetime.fromisoformat(TODAY),
        )
    )
