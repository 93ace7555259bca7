"""The ledger awaited: the same answers, and a loop that goes on meanwhile."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from prakerja_ledger import AsyncLedger, Ledger
from prakerja_ledger.domain.errors import LedgerFault, Refused
from prakerja_ledger.ledger.asking import Asking
from prakerja_ledger.ledger.ledger import Receipt
from tests.ledger_support import MAY_20, enrolment, instruct, ordinary_life, purchase
from tests.postgres_support import made, shared_database  # noqa: F401  # a fixture

NOT_AWAITED = {"using", "registrar", "open", "close", "lines", "streams", "follow"}
"""Connections of a caller's, the ledger's own, and what iterates: `follow` is an iterator of its own."""


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: Any, tmp_path: Any) -> str:
    if request.param == "postgresql":
        return made(request.getfixturevalue("shared_database"))
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/ledger.db"


def awaited(url: str, do: Callable[[AsyncLedger], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with await AsyncLedger.open(url, clock=lambda: MAY_20, **options) as ledger:
            return await do(ledger)

    return asyncio.run(run())


def test_every_question_and_every_verb_can_be_awaited_with_the_same_parameters():
    for name in {n for c in (Ledger, Asking) for n in vars(c) if n[0] != "_"} - NOT_AWAITED:
        theirs = getattr(Ledger, name)
        if not callable(theirs):
            continue
        ours = getattr(AsyncLedger, name)
        assert inspect.iscoroutinefunction(ours), name
        assert str(inspect.signature(ours)) == str(inspect.signature(theirs)), name


def test_a_life_is_recorded_refused_and_answered_as_by_the_ledger(url: str):
    async def live(ledger: AsyncLedger) -> None:
        receipts = await ledger.execute_all(ordinary_life())
        assert [one.duplicate for one in receipts] == [False] * 7
        paid = await ledger.execute(instruct())
        assert await ledger.execute(instruct()) == Receipt(paid.position, duplicate=True)
        with pytest.raises(Refused):
            await ledger.execute(instruct("again"))
        same = ledger.ledger
        day = date(2020, 5, 20)
        assert (await ledger.unpaid()).lines == same.unpaid().lines
        assert (await ledger.totals("wave")).groups.keys() == same.totals("wave").groups.keys()
        assert (await ledger.statement("P-1", as_of=day)).total("paid") == 400_000
        assert (await ledger.timeline("P-1")).events == same.timeline("P-1").events
        permission = await ledger.may_pay("P-1", "post-training/1")
        assert permission.answer == same.may_pay("P-1", "post-training/1").answer
        assert await ledger.resolve("//test", "pay-1") == Receipt(paid.position, duplicate=True)
        assert (await ledger.find("//test", "pay-1"), await ledger.head()) == (8, 8)
        assert await ledger.feed() == same.feed()

    awaited(url, live)


def test_the_loop_goes_on_while_a_writer_waits_for_its_turn(tmp_path: Any):
    url = f"sqlite:///{tmp_path}/ledger.db"

    async def wait(ledger: AsyncLedger) -> None:
        with ledger.ledger.journal.writing():
            recording = asyncio.ensure_future(ledger.record(enrolment("P-1")))
            for _ in range(20):
                await asyncio.sleep(0.005)
                assert not recording.done()
        assert await recording == Receipt(1)

    awaited(url, wait)


def test_many_at_once_are_each_recorded_once(url: str):
    async def record(ledger: AsyncLedger) -> None:
        receipts = await asyncio.gather(
            *(ledger.record(enrolment(f"P-{n % 40}")) for n in range(120))
        )
        assert sum(not one.duplicate for one in receipts) == 40
        assert await ledger.head() == 40

    awaited(url, record)


def test_what_was_cancelled_is_asked_about(tmp_path: Any):
    url = f"sqlite:///{tmp_path}/ledger.db"

    async def cancel(ledger: AsyncLedger) -> None:
        with ledger.ledger.journal.writing():
            recording = asyncio.ensure_future(ledger.record(enrolment("P-1")))
            await asyncio.sleep(0.05)
            recording.cancel()
            with pytest.raises(asyncio.CancelledError):
                await recording
        found = await ledger.resolve("//pmo", "enrolled P-1")
        again = await ledger.record(enrolment("P-1"))
        assert again == Receipt(1, duplicate=True)
        assert found in (None, again)
        assert await ledger.head() == 1

    awaited(url, cancel)


def test_the_feed_is_followed_while_others_write(url: str):
    async def follow(ledger: AsyncLedger) -> None:
        seen: list[bytes] = []

        async def write() -> None:
            for n in range(10):
                await ledger.record(enrolment(f"P-{n}"))
                await asyncio.sleep(0)

        writing = asyncio.ensure_future(write())
        async for page in ledger.follow(idle=0.005, limit=3):
            seen += [one.line for one in page.events]
            if len(seen) == 10:
                break
        await writing
        assert seen == list(ledger.ledger.lines())

    awaited(url, follow)


def test_what_is_closed_says_so(url: str):
    async def run() -> None:
        ledger = await AsyncLedger.open(url)
        await ledger.record(enrolment("P-1"))
        await ledger.close()
        with pytest.raises((LedgerFault, RuntimeError)):
            await ledger.record(purchase("P-1"))

    asyncio.run(run())
