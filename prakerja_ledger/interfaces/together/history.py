"""A Parquet history whose questions are answered by several processes, share by share.

The answers are those of the one process that reads it all: every participant is judged and folded by the
same functions, and what comes of several is put together here. Participants are forgotten as soon as
they are answered for, so that memory holds a few shares' answers and no history.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from operator import itemgetter
from typing import Any, Final

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.register import Outcome
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.interfaces.columnar.files import explained
from prakerja_ledger.interfaces.columnar.judging import AsideByNumber
from prakerja_ledger.interfaces.columnar.reading import ColumnarHistory
from prakerja_ledger.interfaces.columnar.rows import BadRows
from prakerja_ledger.interfaces.columnar.shares import Share
from prakerja_ledger.interfaces.columnar.subjects import Tick, no_tick
from prakerja_ledger.interfaces.json_output import finding_json
from prakerja_ledger.interfaces.source import Tally
from prakerja_ledger.interfaces.together.questions import (
    FINDINGS,
    STATEMENTS,
    TOTALS,
    UNPAID,
    Question,
    SharedFindings,
    Withheld,
)
from prakerja_ledger.interfaces.together.reading import (
    Asking,
    ShareAnswer,
    answerer,
    begin,
    law_of,
)
from prakerja_ledger.interfaces.together.uses import Uses
from prakerja_ledger.processes import Helpers
from prakerja_ledger.reading import totals as sums
from prakerja_ledger.reading.across import across
from prakerja_ledger.reading.finding import order_of_findings
from prakerja_ledger.reading.view import View

ALONE_UP_TO: Final = 500_000
"""Rows that one process reads before several have begun."""


class Together:
    """An open history and how many processes read it. `together` makes one.

    Each question reads the whole history once. `withheld` and `undecided` are those of the last answer,
    `tally` what became of the rows; all three stand when an answer has been taken to its end. Answers
    raise UnreadableSource, and LedgerFault where a process died.
    """

    def __init__(
        self,
        history: ColumnarHistory,
        shares: list[Share],
        view: View | None,
        processes: int,
        tick: Tick,
    ) -> None:
        self._history = history
        self._shares = shares
        self._view = view
        self._processes = min(processes, len(shares))
        self._tick = tick
        assert history.sharing is not None, "shares come of a file that says who shares identities"
        with explained(history.name):
            self._judge, self._apart, _ = history.begun(history.sharing, None)
        self._tally = Tally()
        self.tally: Tally | None = None
        self.withheld: Withheld = []
        """Participants without a statement, and the day that the calendar lacks."""
        self.undecided: Withheld = []
        """Participants of whom a report cannot be judged, and the day that the calendar lacks."""

    # -- shares --

    def _answers(self, *questions: Question) -> Iterator[ShareAnswer]:
        """The answers of all shares, in the order of participants; counted when they are all there."""
        with closing(AsideByNumber()) as aside:
            yield from self._counted(questions, aside)
            for number, outcome, money in aside:
                self._tally.count(number, outcome, money=money)
            self.tally = self._tally

    def _counted(
        self, questions: tuple[Question, ...], aside: AsideByNumber
    ) -> Iterator[ShareAnswer]:
        """The same, with the rows that are not recorded put aside."""
        self._tally = Tally(recorded=self._judge.recorded)
        self.withheld = []
        rows = 0
        for one in self._judge.aside:
            aside.add(one)
        for answer in self._each_share(Asking(self._history.programme, self._view, questions)):
            outcomes = answer.outcomes
            rows += outcomes.rows
            self._tally.recorded += outcomes.recorded
            for one in outcomes.aside:
                aside.add(one)
            self.withheld += answer.withheld
            self._tick(rows)
            yield answer
        self._check(rows)

    def _check(self, rows: int) -> None:
        """Raise UnreadableSource unless every row was in a share: the file says which hold which."""
        with explained(self._history.name):
            if rows != self._history.size:
                raise BadRows(Phrase("its row groups do not hold the subjects that it says"))

    def _each_share(self, asking: Asking) -> Iterator[ShareAnswer]:
        if self._processes < 2:
            yield from map(answerer(self._history, self._judge, self._apart, asking), self._shares)
            return
        with Helpers[Share, ShareAnswer](
            self._processes,
            begin,
            (self._history.name, self._apart, asking),
            source="the processes that read the history",
            advice=Phrase("Read it again with fewer of them."),
        ) as helpers:
            yield from _in_order(helpers.ask, self._shares, 2 * self._processes)

    # -- answers --

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Judge everything; then the rows that are not recorded: number and what became of each."""
        with closing(AsideByNumber()) as aside:
            for _ in self._counted((), aside):
                pass
            self.tally = self._tally
            for number, outcome, money in self._history.as_lines(aside):
                self.tally.count(number, outcome, money=money)
                yield number, outcome

    def statements(self) -> Iterator[bytes]:
        """Every statement as JSON with its LF, in pieces; those withheld are left out."""
        for answer in self._answers(Question(STATEMENTS)):
            (piece,) = answer.answers
            yield piece

    def totals(self, by: str) -> dict[sums.Key, sums.Total]:
        """Sums by group, as `reading.totals` gives them."""
        return sums.together(
            part for answer in self._answers(Question(TOTALS, (by,))) for part in answer.answers
        )

    def unpaid(self) -> list[sums.Row]:
        """One row a line with money unpaid, as `unpaid` prints them, the longest overdue first."""
        rows = [
            row
            for answer in self._answers(Question(UNPAID))
            for part in answer.answers
            for row in part
        ]
        rows.sort(key=itemgetter(0))
        return [row for _, row in rows]

    def findings(self) -> Iterator[bytes]:
        """Every finding as JSON with its LF, in their order, in pieces."""
        self.undecided = []
        found: list[tuple[Any, str]] = []
        evaluated: set[str] = set()
        with Uses() as uses:
            for answer in self._answers(Question(FINDINGS)):
                share: SharedFindings
                (share,) = answer.answers
                found += share.own
                evaluated |= share.evaluated
                self.undecided += share.undecided
                uses.add(share.uses)
            found += self._across(uses, evaluated)
        found.sort(key=itemgetter(0))
        for start in range(0, len(found), _PIECE):
            yield "".join([text + "\n" for _, text in found[start : start + _PIECE]]).encode()

    def _across(self, uses: Uses, evaluated: set[str]) -> Iterator[tuple[Any, str]]:
        asking = Asking(self._history.programme, self._view, ())
        law = law_of(asking, self._judge)
        assert law is not None, "findings are those of a view"
        for one in across(uses.of_several(), law.packages, evaluated):
            yield order_of_findings(one), finding_json(one)


_PIECE: Final = 4096


def _in_order(
    ask: Callable[[Share], Future[ShareAnswer]], shares: list[Share], most: int
) -> Iterator[ShareAnswer]:
    """Answers in the order of shares; so many are asked for and not yet taken."""
    waiting: deque[Future[ShareAnswer]] = deque()
    for share in shares:
        if len(waiting) >= most:
            yield waiting.popleft().result()
        waiting.append(ask(share))
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def together(
    name: str,
    programme: Programme,
    view: View | None,
    processes: int | None = None,
    tick: Tick = no_tick,
) -> Iterator[Together | None]:
    """A Parquet history read by so many processes; None where shares of it cannot stand alone.

    Without a number: one for each core.

    That takes one file that this package wrote (its note says which participants share an identity).
    Fewer processes will do where there are few rows. Raises UnreadableSource.
    """
    with ExitStack() as held:
        history = held.enter_context(ColumnarHistory(name, programme))
        shares = history.shares()
        if shares is None:
            yield None
            return
        few = history.size <= ALONE_UP_TO
        several = processes or len(os.sched_getaffinity(0))
        yield Together(history, shares, view, 1 if few else several, tick)
