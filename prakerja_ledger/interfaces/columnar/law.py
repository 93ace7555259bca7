"""The Python law over rows as Arrow tables: what an engine that works part by part is handed.

An executor of a cluster has the rows of some participants, and those that nobody is judged without.
It reads and judges them exactly as one machine does.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from typing import Any

from attrs import frozen

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.register import ParticipantsInMemory
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.interfaces import json_output
from prakerja_ledger.interfaces.columnar.files import BATCH, explained
from prakerja_ledger.interfaces.columnar.judging import AsideByNumber, Judge
from prakerja_ledger.interfaces.columnar.rows import decode
from prakerja_ledger.interfaces.columnar.schema import check_schema
from prakerja_ledger.interfaces.columnar.subjects import filled, runs
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
        with closing(judge.aside):
            together = decode(apart.sort_by("position"), self.programme)
            judge.judge_apart(filled(together, 0, len(together.numbers)))
            slices = (part.slice(start, BATCH) for start in range(0, len(part), BATCH))
            for subject, run in runs(slices, self.programme):
                judge.judge_alone(subject, run, None)
            refused, duplicates = _aside(judge.aside)
        lines = zip(together.numbers, together.outcomes, strict=True)
        blank = {
            number for number, outcome in lines if outcome is None
        }  # of nobody, so not in `part`
        return Judged(
            refused=refused,
            duplicates=duplicates,
            blank=blank,
            participants=judge.apart.participants,
            packages=judge.apart.packages,
            programme_stream=judge.apart.programme_stream,
        )

    def statement_json(self, statement: Statement, /) -> str:
        """One line of `statement --json`, without LF."""
        return json_output.statement_json(statement)

    def finding_json(self, finding: Finding, /) -> str:
        """One line of `findings --json`, without LF."""
        return json_output.finding_json(finding)


def _aside(found: AsideByNumber) -> tuple[dict[int, str], set[int]]:
    refused: dict[int, str] = {}
    duplicates: set[int] = set()
    for one in found:
        if isinstance(one.outcome, Refusal):
            refused[one.number] = one.outcome.code
        else:
            duplicates.add(one.number)
    return refused, duplicates
