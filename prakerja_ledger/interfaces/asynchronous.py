"""The ledger for those who run an event loop: the same methods, awaited, on threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from prakerja_ledger.deciding.commands import Command
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Line, Programme
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.ledger.asking import system_clock
from prakerja_ledger.ledger.cloudevent import Recordable
from prakerja_ledger.ledger.feed import START, FeedPage
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.ledger.steps import Clock
from prakerja_ledger.reading.pages import (
    FindingPlace,
    FindingsPage,
    Place,
    Timeline,
    Totals,
    UnpaidPage,
)
from prakerja_ledger.reading.permission import Permission
from prakerja_ledger.reading.statement import Statement

T = TypeVar("T")
_THREADS: Final = 8


class AsyncLedger:
    """A ledger whose methods are awaited; none of them blocks the loop.

    Each call runs in a thread of the ledger's own, so many at once as `threads`. Cancelling a call that
    has begun does not stop it: what it writes is written, and nobody is told. Treat it as
    OutcomeUnknown: `resolve` the identity, or send the same again. `using` is not offered: the
    connections that it joins are not asynchronous ones.
    """

    def __init__(self, ledger: Ledger, *, threads: int = _THREADS) -> None:
        self.ledger = ledger
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="prakerja-ledger")

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        programme: Programme = KARTU_PRAKERJA,
        clock: Clock = system_clock,
        create: bool = True,
        read_only: bool = False,
        four_eyes: bool = False,
        threads: int = _THREADS,
    ) -> Self:
        """As `Ledger.open`; at most `threads` calls are under way at once, the others wait."""
        opening = partial(
            Ledger.open,
            url,
            programme=programme,
            clock=clock,
            create=create,
            read_only=read_only,
            four_eyes=four_eyes,
        )
        return cls(await asyncio.to_thread(opening), threads=threads)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for what is under way, then let go of files and connections.

        A call made afterwards is a RuntimeError.
        """
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self.ledger.close)

    async def _call(self, do: Callable[..., T], *given: Any, **named: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(do, *given, **named))

    async def record(self, event: Recordable) -> Receipt:
        """As `Ledger.record`."""
        return await self._call(self.ledger.record, event)

    observe = record

    async def record_all(self, events: Iterable[Recordable]) -> list[Receipt]:
        """As `Ledger.record_all`."""
        return await self._call(self.ledger.record_all, events)

    async def execute(self, command: Command) -> Receipt:
        """As `Ledger.execute`."""
        return await self._call(self.ledger.execute, command)

    async def execute_all(self, commands: Iterable[Command]) -> list[Receipt]:
        """As `Ledger.execute_all`."""
        return await self._call(self.ledger.execute_all, commands)

    async def resolve(self, source: str, id: str) -> Receipt | None:
        """As `Ledger.resolve`."""
        return await self._call(self.ledger.resolve, source, id)

    async def may_pay(self, participant: str, line: Line, as_of: date | None = None) -> Permission:
        """As `Ledger.may_pay`."""
        return await self._call(self.ledger.may_pay, participant, line, as_of)

    async def statement(
        self, participant: str, *, as_of: date, known_at: Instant | None = None
    ) -> Statement:
        """As `Ledger.statement`."""
        return await self._call(self.ledger.statement, participant, as_of=as_of, known_at=known_at)

    async def unpaid(
        self,
        *,
        as_of: date | None = None,
        cause: str | None = None,
        owner: str | None = None,
        may_pay: str | None = None,
        wave: int | None = None,
        min_overdue: int | None = None,
        after: Place | None = None,
        limit: int = 100,
    ) -> UnpaidPage:
        """As `Ledger.unpaid`."""
        return await self._call(
            self.ledger.unpaid,
            as_of=as_of,
            cause=cause,
            owner=owner,
            may_pay=may_pay,
            wave=wave,
            min_overdue=min_overdue,
            after=after,
            limit=limit,
        )

    async def findings(
        self,
        *,
        as_of: date | None = None,
        code: str | None = None,
        subject: str | None = None,
        after: FindingPlace | None = None,
        limit: int = 100,
    ) -> FindingsPage:
        """As `Ledger.findings`."""
        return await self._call(
            self.ledger.findings,
            as_of=as_of,
            code=code,
            subject=subject,
            after=after,
            limit=limit,
        )

    async def totals(self, by: str, *, as_of: date | None = None) -> Totals:
        """As `Ledger.totals`."""
        return await self._call(self.ledger.totals, by, as_of=as_of)

    async def timeline(self, participant: str) -> Timeline:
        """As `Ledger.timeline`."""
        return await self._call(self.ledger.timeline, participant)

    async def find(self, source: str, id: str) -> int | None:
        """As `Ledger.find`."""
        return await self._call(self.ledger.find, source, id)

    async def head(self) -> int:
        """As `Ledger.head`."""
        return await self._call(self.ledger.head)

    async def feed(self, cursor: str = START, *, limit: int = 1_000) -> FeedPage:
        """As `Ledger.feed`."""
        return await self._call(self.ledger.feed, cursor, limit=limit)

    async def follow(
        self, cursor: str = START, *, idle: float = 0.1, limit: int = 1_000
    ) -> AsyncIterator[FeedPage]:
        """As `Ledger.follow`, until the task that iterates is cancelled."""
        while True:
            page = await self.feed(cursor, limit=limit)
            cursor = page.cursor
            if page.events:
                yield page
            elif not page.more:
                await asyncio.sleep(idle)
