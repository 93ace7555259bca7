"""What a line speaks of, whatever else is wrong with it."""

from __future__ import annotations

from typing import Final

MONEY_WORDS: Final = (b"disbursement-", b"training-purchased", b"purchase-refunded")
"""Marks of lines that speak of money."""


def speaks_of_money(line: bytes) -> bool:
    """Whether a line, or its first bytes, has one of the marks."""
    return any(word in line for word in MONEY_WORDS)
