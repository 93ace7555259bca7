"""What an examination of a store finds: one thing looked at, what it is, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from attrs import frozen


class Verdict(StrEnum):
    """What a check says."""

    SAFE = "safe"
    NOTE = "note"
    """Worth knowing; nothing is lost or doubled by it."""
    UNSAFE = "unsafe"
    """A fact could be lost, changed, or recorded twice."""


@frozen(kw_only=True)
class Check:
    """One thing that was looked at."""

    subject: str
    """What: a setting, a right, a table."""
    found: str
    verdict: Verdict
    mend: str = ""
    """What is the matter and how to mend it; empty where it is safe."""


def safe(subject: str, found: object) -> Check:
    """As it should be."""
    return Check(subject=subject, found=str(found), verdict=Verdict.SAFE)


def note(subject: str, found: object, mend: str) -> Check:
    """Worth knowing."""
    return Check(subject=subject, found=str(found), verdict=Verdict.NOTE, mend=mend)


def unsafe(subject: str, found: object, mend: str) -> Check:
    """A fact could be lost, changed, or recorded twice."""
    return Check(subject=subject, found=str(found), verdict=Verdict.UNSAFE, mend=mend)


def judged(
    good: bool, subject: str, found: object, mend: str
) -> Check:  # a predicate and its words
    """Safe where it is good, else unsafe."""
    return safe(subject, found) if good else unsafe(subject, found, mend)


class Administration(Protocol):
    """What a store offers to who runs it, beside opening it: module-level functions."""

    def script(self, url: str) -> str:
        """The SQL that makes a ledger there; nothing is connected to."""

    def apply(self, url: str) -> bool:
        """Make the ledger; False where it is there already."""

    def examine(self, url: str) -> list[Check]:
        """Look at the ledger and at what it stands on. Raises UnreadableSource."""
