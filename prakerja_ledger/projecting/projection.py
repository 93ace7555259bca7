"""A projection as its users have it: brought up to date, waited for, and asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, timedelta
from threading import Event as Signal
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

from attrs import define

from prakerja_ledger.domain.errors import LedgerFault, NoSuchLine, NotInView, UnreadableSource
from prakerja_ledger.domain.fields import check_text
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Line
from prakerja_ledger.domain.vocabulary import Owner
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.ledger.shards import clock_at, position_at, shard_at
from prakerja_ledger.ledger.urls import check_url, imported, without_password
from prakerja_ledger.projecting.projector import Lag, Projector
from prakerja_ledger.projecting.rows import LINE_COLUMNS, Row
from prakerja_ledger.projecting.tables import Clocks, Look, Overtaken, Slot, State, Tables
from prakerja_ledger.projecting.writer import Watcher, nobody
from prakerja_ledger.reading.causes import Cause
from prakerja_ledger.reading.finding import Code
from prakerja_ledger.reading.pages import (
    Answer,
    FindingPlace,
    FindingsPage,
    LinePermission,
    ListedFinding,
    Place,
    Totals,
    UnpaidLine,
    UnpaidPage,
    Wanted,
    WantedFindings,
    check_grouping,
    check_limit,
    findings_page,
    page_of,
    totals_of,
)
from prakerja_ledger.reading.permission import May
from prakerja_ledger.reading.statement import AMOUNTS, Status
from prakerja_ledger.reading.totals import Key, Total

T = TypeVar("T")
_MOST_LOOKS: Final = 10
_POLL_SECONDS: Final = 0.02
_IDLE_SECONDS: Final = 0.02
_BREATH_SECONDS: Final = 0.005
"""Between two steps. A SQLite file has one writer, and those who wait for it ask every 100 ms: a follower
that has facts to take in at any moment would keep a rebuild from it for ever."""


STORES: Final = {
    "postgres": "prakerja_ledger.stores.projection_postgres",
    "postgresql": "prakerja_ledger.stores.projection_postgres",
    "sqlite": "prakerja_ledger.stores.projection_sqlite",
}
"""URL scheme to the module that keeps tables there. Named, not imported, as the ledger's own are."""


class _Opener(Protocol):
    def open_tables(self, url: str) -> Tables:
        """The tables of a projection behind a URL."""


@define(eq=False)
class Projection:
    """Owed, paid, unpaid and why, kept as rows; every row is a line of `Ledger.statement`.

    Open it with `Projection.open`. One process brings it up to date (`run` or `follow`), any may ask.
    """

    ledger: Ledger
    tables: Tables

    @classmethod
    def open(cls, ledger: Ledger, into: str) -> Self:
        """The projection of a ledger in a database: `sqlite:///rows.db` or `postgresql://host/database`.

        On PostgreSQL its tables stand in the schema that is named like the ledger's with
        `_projection` put to it, and are made by the first `Projection.rebuild`. Raises UnreadableSource.
        """
        check_url(into)
        scheme = into.partition(":")[0]
        if scheme not in STORES:
            raise UnreadableSource(
                source=without_password(into),
                problem=Phrase(
                    "no tables can be kept there. Name sqlite:///path.db or postgresql://host/database."
                ),
            )
        store: _Opener = imported(STORES[scheme], scheme)
        return cls(ledger, store.open_tables(into))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the tables' database; the ledger stays open."""
        self.tables.close()

    # --- keeping it current

    def run(self, watcher: Watcher = nobody, *, processes: int = 1) -> int:
        """Build it where it is missing, let it age, take in what is recorded by now.

        Returns how many participants were written. Stopped at any moment, it goes on where it was; two at
        once do no harm. `watcher` is told of progress now and then: so many participants were written
        since it was last called; `processes` as those of `Projection.rebuild`, for what is not built yet.
        Raises LedgerFault for tables of another ledger, and where another
        release made the rows: then rebuild.
        """
        return Projector(self.ledger, self.tables, watcher, processes).run()

    def rebuild(self, watcher: Watcher = nobody, *, processes: int = 1) -> int:
        """Make all rows anew beside those that are read, take in what is recorded meanwhile, and swap.

        Returns how many participants were written. Goes on where an interrupted one stopped. With
        several `processes` those make the rows, and this one reads and writes beside them.
        """
        return Projector(self.ledger, self.tables, watcher, processes).rebuild()

    def follow(self, until: Signal, idle: float = _IDLE_SECONDS) -> None:
        """Keep it current until the signal, a `threading.Event`, is set.

        Asks the ledger again after `idle` seconds, where nothing was to do. Raises as `Projection.run` does.
        """
        projector = Projector(self.ledger, self.tables)
        while not until.is_set():
            if projector.step(Slot.LIVE) is None:
                self.ledger.journal.pause(until, idle)
            else:
                until.wait(_BREATH_SECONDS)

    def lag(self) -> Lag:
        """How far it is behind."""
        return Projector(self.ledger, self.tables).lag()

    def wait(self, what: Receipt | int | None = None, timeout: float = 10.0) -> None:
        """Wait until a position, or that of a Receipt, is taken in: so one reads what one wrote.

        Without either: until all is that is recorded now, by whomever. Asks every 20 ms. Raises
        LedgerFault once `timeout` seconds have passed.
        """
        position = what.position if isinstance(what, Receipt) else what
        if position is None:
            with self.ledger.journal.reading() as reading:
                wanted = reading.clocks()
        until = time.monotonic() + timeout
        while not (self._has_all(wanted) if position is None else self._has(position)):
            if time.monotonic() > until:
                awaited = (
                    Phrase("what is recorded")
                    if position is None
                    else Phrase("position {position}", position=position)
                )
                raise LedgerFault(
                    source=self.tables.url,
                    problem=Phrase(
                        "{awaited} was not taken in within {seconds} seconds. Is the projection being run?",
                        awaited=awaited,
                        seconds=f"{timeout:g}",
                    ),
                )
            time.sleep(_POLL_SECONDS)

    def _has_all(self, clocks: Clocks) -> bool:
        state = self._asked(lambda look: look.state(Slot.LIVE))
        if state is None or state.built_to is not None:
            return False
        return all(at >= wanted for at, wanted in zip(state.clocks, clocks, strict=True))

    def _has(self, position: int) -> bool:
        state = self._asked(lambda look: look.state(Slot.LIVE))
        if state is None or state.built_to is not None:
            return False
        shards = len(state.clocks)
        return state.clocks[shard_at(position, shards)] >= clock_at(position, shards)

    # --- asking it

    def _asked(self, ask: Callable[[Look], T]) -> T:
        """An answer of one look; asked again where the tables were swapped in the middle of it."""
        for _ in range(_MOST_LOOKS):
            with suppress(Overtaken), self.tables.look() as look:
                return ask(look)
        raise LedgerFault(
            source=self.tables.url,
            problem=Phrase("the tables are swapped again and again. Ask later."),
        )

    def _live(self, look: Look) -> State:
        return self._built(look.state(Slot.LIVE))

    def _built(self, state: State | None) -> State:
        if state is None or state.built_to is not None:
            raise LedgerFault(
                source=self.tables.url,
                problem=Phrase(
                    "the projection is not built yet. Run `projection run`, or Projection.run()."
                ),
            )
        return state

    def unpaid(
        self,
        *,
        cause: str | None = None,
        owner: str | None = None,
        may_pay: str | None = None,
        wave: int | None = None,
        min_overdue: int | None = None,
        after: Place | None = None,
        limit: int = 100,
    ) -> UnpaidPage:
        """Unpaid lines as of the projection's day, the longest overdue first, page by page.

        Conditions, `after` and `limit` as those of `Ledger.unpaid`, and the same lines. Raises InvalidField,
        and LedgerFault where the projection is not built yet.
        """
        wanted = Wanted(
            cause=cause, owner=owner, may_pay=may_pay, wave=wave, min_overdue=min_overdue
        )
        check_limit(limit)

        def ask(look: Look) -> UnpaidPage:
            state = self._live(look)
            due_by = None if not min_overdue else self._due_by(state.day, min_overdue)
            rows = look.unpaid_rows(wanted, after, due_by, limit + 1)
            lines = (self._unpaid_line(row, state.day) for row in rows)
            return page_of(lines, limit, _about(state, look.undecided()))

        return self._asked(ask)

    def _due_by(self, day: date, overdue: int) -> date:
        """The latest due date from which so many working days have passed."""
        calendar = self.ledger.programme.calendar
        due_on = day
        while due_on >= calendar.first and calendar.between(due_on, day) < overdue:
            due_on -= timedelta(days=1)
        return due_on if due_on >= calendar.first else date.min  # longer than anybody can be

    def _unpaid_line(self, row: Row, day: date) -> UnpaidLine:
        participant, wave, line, unpaid, status, due_on, overdue, cause, owner, may_pay = row
        days = self.ledger.programme.calendar.between(due_on, day) if overdue else 0
        return UnpaidLine(
            participant=participant,
            wave=wave,
            line=line,
            unpaid=unpaid,
            status=Status(status),
            due_on=due_on,
            overdue_working_days=days,
            cause=None if cause is None else Cause(cause),
            owner=None if owner is None else Owner(owner),
            may_pay=May(may_pay),
        )

    def findings(
        self,
        *,
        code: str | None = None,
        subject: str | None = None,
        after: FindingPlace | None = None,
        limit: int = 100,
    ) -> FindingsPage:
        """Facts that break a rule, the earliest first, page by page: `after` is the last page's `next`.

        `subject` is a participant, a package or a course, as the code has it. Raises InvalidField.
        """
        wanted = WantedFindings(code=code, subject=subject)
        check_limit(limit)

        def ask(look: Look) -> FindingsPage:
            state = self._live(look)
            rows = look.finding_rows(wanted, after, limit + 1)
            about = _about(state, look.unjudged())
            return findings_page((_listed(row) for row in rows), limit, about)

        return self._asked(ask)

    def totals(self, by: str) -> Totals:
        """Sums of the lines as of the projection's day, in whole rupiah.

        Grouped `by` wave, scheme, standing, line, status, cause or owner, as `Ledger.totals`. Raises
        InvalidField, and LedgerFault where the projection is not built yet.
        """
        check_grouping(by)
        return self._asked(lambda look: self._totals(look, by))

    def _totals(self, look: Look, by: str) -> Totals:
        state = self._live(look)
        groups: dict[Key, Total] = {}
        for key, participants, lines, entitlement, *amounts in look.total_rows(by):
            given: Key = int(key) if by == "wave" else key or None
            groups[given] = Total(
                participants, lines, entitlement, dict(zip(AMOUNTS, amounts, strict=True))
            )
        return totals_of(by, groups, _about(state, look.undecided()))

    def may_pay(self, participant: str, line: Line) -> LinePermission:
        """Whether a line may be paid, as of the projection's day and position.

        For lists and screens. What pays asks `Ledger.may_pay`, or simply executes the instruction: that
        decides on everything recorded by then. Raises as `Projection.statement`, and NoSuchLine where
        the statement has no such line.
        """
        check_text("participant", participant)

        def ask(look: Look) -> LinePermission:
            state, _, rows = self._rows_of(look, participant)
            read = {row[1]: dict(zip(LINE_COLUMNS, row, strict=True)) for row in rows}
            if line not in read:
                raise NoSuchLine(participant=participant, line=line, lines=", ".join(read))
            return LinePermission(
                as_of=state.day,
                position=_position(state),
                undecided=(),
                line=line,
                answer=May(read[line]["may_pay"]),
                causes=tuple(map(Cause, json.loads(read[line]["causes"]))),
            )

        return self._asked(ask)

    def statement(self, participant: str) -> dict[str, Any]:
        """A participant's statement as `statement --json` prints it, as of the projection's day.

        Amounts are whole rupiah, days are ISO dates. Raises NotInView, and LedgerFault where the list of
        holidays is too short to judge them, or the projection is not built yet.
        """
        check_text("participant", participant)
        return self._asked(lambda look: self._statement(look, participant))

    def _statement(self, look: Look, participant: str) -> dict[str, Any]:
        state, about, lines = self._rows_of(look, participant)
        made = [self._statement_line(row, state.day) for row in lines]
        return {
            "participant": participant,
            "wave": about[1],
            "scheme": about[2],
            "standing": about[3],
            "as_of": state.day.isoformat(),
            "known_at": None,
            "totals": {
                "entitlement": sum(line["amount"] for line in made),
                **{name: sum(line[name] for line in made) for name in AMOUNTS},
            },
            "lines": made,
        }

    def _rows_of(self, look: Look, participant: str) -> tuple[State, Row, Sequence[Row]]:
        """A participant's row and those of the lines, where there is a statement."""
        found, about, lines = look.participant_rows(participant)
        state = self._built(found)
        if about is None or about[1] is None:
            if about is not None and about[5] is not None:
                raise LedgerFault(source=self.tables.url, problem=about[5])
            raise NotInView(participant=participant, as_of=state.day)
        return state, about, lines

    def _statement_line(self, row: Row, day: date) -> dict[str, Any]:
        read = dict(zip(LINE_COLUMNS, row, strict=True))
        due_on = read["due_on"]
        between: Callable[[date, date], int] = self.ledger.programme.calendar.between
        return {
            "line": read["line"],
            "amount": read["amount"],
            "status": read["status"],
            **{name: read[name] for name in AMOUNTS},
            "earned_on": read["earned_on"] and read["earned_on"].isoformat(),
            "due_on": due_on and due_on.isoformat(),
            "overdue_working_days": between(due_on, day) if read["overdue"] else 0,
            "cause": read["cause"],
            "owner": read["owner"],
            "causes": json.loads(read["causes"]),
            "evidence": json.loads(read["evidence"]),
        }


def _listed(row: Row) -> ListedFinding:
    subject, on, code, detail, alike, amount, evidence = row
    return ListedFinding(
        code=Code(code),
        subject=subject,
        on=on,
        amount=amount,
        detail=json.loads(detail),
        evidence=tuple((one["source"], one["id"]) for one in json.loads(evidence)),
        place=(on, subject, Code(code), detail, alike),
    )


def _about(state: State, undecided: Sequence[str]) -> Answer:
    """What an answer speaks of."""
    return Answer(as_of=state.day, position=_position(state), undecided=tuple(undecided))


def _position(state: State) -> int:
    """Up to where every fact is in it."""
    shards = len(state.clocks)
    return min(position_at(clock, shard, shards) for shard, clock in enumerate(state.clocks))
