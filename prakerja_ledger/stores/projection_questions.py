"""What is asked of a projection's tables, whatever the database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from prakerja_ledger.projecting.rows import FINDING_COLUMNS, LINE_COLUMNS, PARTICIPANT_COLUMNS, Row
from prakerja_ledger.projecting.tables import Slot, State
from prakerja_ledger.reading.pages import FindingPlace, Place, Wanted, WantedFindings
from prakerja_ledger.reading.permission import May
from prakerja_ledger.reading.statement import AMOUNTS
from prakerja_ledger.stores.projection_sql import PREFIX, Dialect

_UNPAID: Final = (
    "participant",
    "wave",
    "line",
    "unpaid",
    "status",
    "due_on",
    "overdue",
    "cause",
    "owner",
    "may_pay",
)
_FINDING: Final = tuple(name for name in FINDING_COLUMNS if name != "origin")
_DAYS: Final = frozenset({"due_on", "earned_on", "turns_on", "date"})


class SQLQuestions(ABC):
    """One look: the questions. A database says how it runs a query, and how it keeps names."""

    dialect: Dialect

    @abstractmethod
    def state(self, slot: Slot) -> State | None:
        """What a slot holds; None where nothing was begun there."""

    @abstractmethod
    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """What a query finds."""

    def kept(self, name: str) -> str:
        """A participant's name as the database keeps it."""
        return name

    def given(self, kept: str) -> str:
        """The name that was kept."""
        return kept

    def _dated(self, columns: tuple[str, ...], rows: Iterable[Row]) -> list[Row]:
        """Rows whose names are as they were given, and whose days are dates."""
        days = [n for n, name in enumerate(columns) if name in _DAYS]
        found = []
        for row in rows:
            values = [self.given(row[0]), *row[1:]]
            for n in days:
                if isinstance(values[n], str):
                    values[n] = date.fromisoformat(values[n])
            found.append(tuple(values))
        return found

    def unpaid_participants(self, slot: Slot) -> list[str]:
        """Those with money unpaid."""
        found = self.rows(f"SELECT DISTINCT participant FROM {PREFIX[slot]}_lines WHERE unpaid > 0")
        return [self.given(name) for (name,) in found]

    def turning(self, slot: Slot, by: date) -> list[str]:
        """Those whose statement may read differently from a day up to this one."""
        mark = self.dialect.mark
        found = self.rows(
            f"SELECT participant FROM {PREFIX[slot]}_participants WHERE turns_on <= {mark} "
            "ORDER BY participant",
            (by.isoformat(),),
        )
        return [self.given(name) for (name,) in found]

    def unpaid_rows(
        self, wanted: Wanted, after: Place | None, due_by: date | None, limit: int
    ) -> list[Row]:
        """Unpaid lines after a place, the earliest due date first."""
        mark, where = self.dialect.mark, ["unpaid > 0"]
        parameters: list[Any] = []
        for name, value in (
            ("cause", wanted.cause),
            ("owner", wanted.owner),
            ("wave", wanted.wave),
        ):
            if value is not None:
                where.append(f"{name} = {mark}")
                parameters.append(value)
        if wanted.may_pay is not None:  # spelled out: a partial index serves no parameter
            where.append(f"may_pay = '{May(wanted.may_pay)}'")
        if due_by is not None:
            where.append(f"due_on <= {mark}")
            parameters.append(due_by.isoformat())
        if after is not None:
            due_on, participant, line = after
            # The first condition is what an index is entered by; the second is the place itself.
            where.append(
                f"due_on >= {mark} AND (due_on, participant, line) > ({mark}, {mark}, {mark})"
            )
            parameters += [due_on.isoformat(), due_on.isoformat(), self.kept(participant), line]
        found = self.rows(
            f"SELECT {', '.join(_UNPAID)} FROM projected_lines WHERE {' AND '.join(where)} "
            f"ORDER BY due_on, participant, line LIMIT {limit}",
            parameters,
        )
        return self._dated(_UNPAID, found)

    def finding_rows(
        self, wanted: WantedFindings, after: FindingPlace | None, limit: int
    ) -> list[Row]:
        """Findings after a place, in their order."""
        mark, where = self.dialect.mark, ["true"]
        parameters: list[Any] = []
        if wanted.code is not None:
            where.append(f"code = {mark}")
            parameters.append(wanted.code)
        if wanted.subject is not None:
            where.append(f"subject = {mark}")
            parameters.append(self.kept(wanted.subject))
        if after is not None:
            on, subject, code, detail, alike = after
            marks = ", ".join([mark] * len(after))
            where.append(f"date >= {mark} AND (date, subject, code, detail, alike) > ({marks})")
            place = (on.isoformat(), self.kept(subject), code, detail, alike)
            parameters += [on.isoformat(), *place]
        found = self.rows(
            f"SELECT {', '.join(_FINDING)} FROM projected_findings WHERE {' AND '.join(where)} "
            f"ORDER BY date, subject, code, detail, alike LIMIT {limit}",
            parameters,
        )
        return self._dated(_FINDING, found)

    def undecided(self) -> list[str]:
        """Those who cannot be judged, and have no lines."""
        return self._with("problem")

    def unjudged(self) -> list[str]:
        """Those of whom some finding cannot be judged."""
        return self._with("unjudged")

    def _with(self, what: str) -> list[str]:
        found = self.rows(
            f"SELECT participant FROM projected_participants WHERE {what} IS NOT NULL "
            "ORDER BY participant"
        )
        return [self.given(name) for (name,) in found]

    def total_rows(self, by: str) -> list[Row]:
        """Sums by a grouping."""
        return self.rows(
            f"SELECT key, participants, lines, entitlement, {', '.join(AMOUNTS)} "
            f"FROM projected_totals WHERE grouping_by = {self.dialect.mark}",
            (by,),
        )

    def participant_rows(self, participant: str) -> tuple[State | None, Row | None, Sequence[Row]]:
        """How far the tables are, a participant's row, and those of the lines in their order."""
        state, about, lines = self._several(
            f"SELECT {', '.join(PARTICIPANT_COLUMNS)} FROM projected_participants "
            f"WHERE participant = {self.dialect.mark}",
            f"SELECT {', '.join(LINE_COLUMNS)} FROM projected_lines "
            f"WHERE participant = {self.dialect.mark} ORDER BY place",
            (self.kept(participant),),
        )
        first = next(iter(self._dated(PARTICIPANT_COLUMNS, about)), None)
        return state, first, self._dated(LINE_COLUMNS, lines)

    def _several(
        self, one: str, other: str, parameters: Sequence[Any]
    ) -> tuple[State | None, Sequence[Row], Sequence[Row]]:
        """How far the tables are, and two queries with the same parameters."""
        state = self.state(Slot.LIVE)
        if state is None:
            return None, (), ()
        return state, self.rows(one, parameters), self.rows(other, parameters)
