"""A journal that `hledger` and `ledger` read: the books as plain text, its totals asserted at the end.

Ids are the world's, and a journal is read by its punctuation: `;` begins a comment, two spaces end an
account, `|` a payee, `,` and `:` a tag's value and name, `[2020-01-01]` is a date. So every character that
is not a letter, a digit, one of `-._/` or a single space between such is written `%XX`, byte by byte, as
in a URL: whoever has the text can tell what it stood for, and marks that turn a line round are seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from attrs import define, field

from prakerja_ledger.domain.facts import Fact
from prakerja_ledger.domain.schemes import TRAINING, Line
from prakerja_ledger.domain.time import in_utc
from prakerja_ledger.reading.books import (
    CASH,
    OVERPAID,
    OWED,
    Account,
    Books,
    Entry,
    expense,
    in_flight,
    liability,
    overpaid,
    unmatched,
)
from prakerja_ledger.reading.statement import Statement, StatementLine
from prakerja_ledger.reading.totals import GROUPINGS
from prakerja_ledger.reading.view import View

COMMODITY: Final = "IDR"
FACT_TAGS: Final = ("purchase", "disbursement", "provider", "reference", "reason")
"""Fields of a fact that say which money it was."""
TAGS: Final = ("source", "id", "known", *FACT_TAGS, *GROUPINGS)
_PLAIN: Final = frozenset("-._/")
_UNSEEN: Final = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters by their category that show as nothing."""


@lru_cache(maxsize=65_536)
def spelt(text: str) -> str:
    """The text as a journal may hold it; `urllib.parse.unquote` gives it back."""
    if text.isascii() and text.isalnum():
        return text
    pieces = []
    before = (
        " "  # a space at the start, at the end or after another is no single space between words
    )
    for place, character in enumerate(text):
        inside = before != " " and place + 1 < len(text)
        seen = character.isalnum() and character not in _UNSEEN
        if seen or character in _PLAIN or (character == " " and inside):
            pieces.append(character)
        else:
            pieces.extend(f"%{byte:02X}" for byte in character.encode())
        before = character
    return "".join(pieces)


def journal(everyone: Iterable[Books], view: View) -> Iterator[bytes]:
    """The lines of a journal, participant after participant; what the statements say closes it."""
    yield from _head(view)
    writing = _Writing(view)
    for books in everyone:
        yield from writing.participant(books)
    yield from writing.close()


def _head(view: View) -> Iterator[bytes]:
    known = "all that is recorded" if view.known_at is None else in_utc(view.known_at)
    yield f"; prakerja-ledger export --format hledger, as of {view.as_of}, known at: {known}".encode()
    yield b"; whole rupiah; dates in WIB (UTC+7); %XX in an id is a byte of UTF-8, as in a URL"
    yield b""
    yield f"commodity {COMMODITY}".encode()
    for tag in TAGS:
        yield f"tag {tag}".encode()
    yield f"account {CASH}".encode()


@define(eq=False)
class _Writing:
    view: View
    _lines: set[Line] = field(init=False, factory=set)
    """Those whose accounts are declared: before their first use, as `ledger --pedantic` wants it."""
    _law: Counter[Account] = field(init=False, factory=Counter)
    """What each account must hold in the end, by the statements."""

    def participant(self, books: Books) -> Iterator[bytes]:
        statement = books.statement
        for line in statement.lines:
            for account, amount in _balances(line).items():
                self._law[account] += amount
            if line.line not in self._lines:
                yield from self._declare(line)
        who = spelt(statement.participant)
        for entry in books.entries:
            yield b""
            yield f"{entry.on} * {who} | {entry.what}".encode()
            for name, value in _tags(entry, statement):
                yield f"    ; {name}: {value}".encode()
            for account, amount in entry.postings:
                yield f"    {account}  {amount} {COMMODITY}".encode()

    def _declare(self, line: StatementLine) -> Iterator[bytes]:
        self._lines.add(line.line)
        yield b""
        for account in (*_balances(line), unmatched(line.line)):
            yield f"account {account}".encode()

    def close(self) -> Iterator[bytes]:
        """One entry that moves nothing and asserts the statements' sums."""
        if self._law:
            yield b""
            yield f"{self.view.as_of} * the sums of the statements".encode()
            for account, amount in self._law.items():
                yield f"    {account}  0 {COMMODITY} = {amount} {COMMODITY}".encode()


def _balances(line: StatementLine) -> dict[Account, int]:
    """What a statement's line puts on each account."""
    name: Line = line.line
    held = {
        expense(name): line.owed,
        liability(name, OWED): -line.owed,
        liability(name, "paid"): line.paid,
        liability(name, OVERPAID): -line.overpaid,
        overpaid(name): line.overpaid,
    }
    return held if name == TRAINING else {**held, in_flight(name): line.in_flight}


def _tags(entry: Entry, statement: Statement) -> Iterator[tuple[str, str]]:
    """Which event it was, and by which groups the line's money is summed."""
    event = entry.event
    if event is not None:
        yield "source", spelt(event.source)
        yield "id", spelt(event.id)
        if event.recorded_on != entry.on:
            yield "known", str(event.recorded_on)
        yield from _of_fact(event.fact)
    for name, key_of in GROUPINGS.items():
        key = key_of(statement, entry.line)
        if key is not None:
            yield name, str(key)


def _of_fact(fact: Fact) -> Iterator[tuple[str, Any]]:
    for name in FACT_TAGS:
        value = getattr(fact, name, None)
        if value is not None:
            yield name, spelt(value)
