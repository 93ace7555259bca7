"""The Python law over rows as Arrow tables: what an engine that works part by part is handed.

An executor of a cluster has the rows of some participants, and those that nobody is judged without.
It reads and judges them exactly as one machine does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from typing import Any

from attrs import frozen

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.register import ParticipantsInMemory
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.interfaces import json_output
from prakerja_ledger.interfaces.columnar.files import BATCH, explained
from prakerja_ledger.interfaces.columnar.judging import AsideByNumber, Judge, Row
from prakerja_ledger.interfaces.columnar.reading import filled, stretches
from prakerja_ledger.interfaces.columnar.rows import Rows, decode
from prakerja_ledger.interfaces.columnar.schema import check_schema
from prakerja_ledger.reading.finding import Finding
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.spark.law import Judged


@frozen
class RowsLaw:
    """The law of a programme; implements `spark.law.Law`."""

    programme: Programme

    def check(self, schema: Any) -> None:
        """Raise NoHistory for the columns of another table."""
        check_schema(schema)

    def explained(self, source: str) -> AbstractContextManager[None]:
        """Whatever reading a file of this name raises, raised as UnreadableSource."""
        return explained(source)

    def judge(self, apart: Any, part: Any, *, keep: bool) -> Judged:
        """Judge the rows of `apart` together, then those of `part`, one subject after another."""
        judge = Judge(self.programme, ParticipantsInMemory() if keep else None)
        blank: set[int] = set()
        with closing(judge.aside):
            together = self._batches(apart.sort_by("position"), blank)
            judge.judge_apart(
                row for rows in together for row in filled(rows, 0, len(rows.numbers))
            )
            for run in _runs(self._batches(part, blank)):
                judge.judge_alone(run, None)
            refused, duplicates = _aside(judge.aside)
        return Judged(
            refused=refused,
            duplicates=duplicates,
            blank=blank,
            participants=judge.apart.participants,
            packages=judge.apart.packages,
            programme_stream=judge.apart.programme_stream,
        )

    def _batches(self, table: Any, blank: set[int]) -> Iterator[Rows]:
        """Rows decoded some at a time; the positions of blank lines are set aside."""
        for start in range(0, len(table), BATCH):
            rows = decode(table.slice(start, BATCH), self.programme)
            blank.update(
                number
                for number, outcome in zip(rows.numbers, rows.outcomes, strict=True)
                if outcome is None
            )
            yield rows

    def statement_json(self, statement: Statement, /) -> str:
        """One line of `statement --json`, without LF."""
        return json_output.statement_json(statement)

    def finding_json(self, finding: Finding, /) -> str:
        """One line of `findings --json`, without LF."""
        return json_output.finding_json(finding)


def _runs(batches: Iterator[Rows]) -> Iterator[list[Row]]:
    """The rows of one subject after another."""
    subject, run = None, list[Row]()
    for rows in batches:
        for start, end in stretches(rows.subjects):
            if rows.subjects[start] != subject:
                if run:
                    yield run
                subject, run = rows.subjects[start], []
            run += filled(rows, start, end)
    if run:
        yield run


def _aside(found: AsideByNumber) -> tuple[dict[int, str], set[int]]:
    refused: dict[int, str] = {}
    duplicates: set[int] = set()
    for one in found:
        if isinstance(one.outcome, Refusal):
            refused[one.number] = one.outcome.code
        else:
            duplicates.add(one.number)
    return refused, duplicates
