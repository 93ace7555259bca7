"""Exit statuses (contract, section 7)."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a command ended."""

    DONE = 0
    FAULT = 1
    WRONG_USAGE = 2
    QUARANTINED = 3
    NOT_AS_SEALED = 4


def worst(*statuses: Status) -> Status:
    """Of several, the one to end with: a wrong question first, then a fault, then quarantine."""
    for status in (Status.WRONG_USAGE, Status.FAULT, Status.QUARANTINED):
        if status in statuses:
            return status
    return Status.DONE
