"""One part's answers by the Python law: where a row is kept as a line, or a number is too large for SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.reading import totals as sums
from prakerja_ledger.reading.across import Kind, evaluated_courses, uses_of
from prakerja_ledger.reading.case import Case, look_at_packages
from prakerja_ledger.reading.dossier import Dossier, look_at_programme, open_dossier
from prakerja_ledger.reading.finding import in_order_of_findings
from prakerja_ledger.reading.findings import own_findings
from prakerja_ledger.reading.statement import Statement, statement, statement_of
from prakerja_ledger.reading.view import look
from prakerja_ledger.spark.job import Job, Message, saying
from prakerja_ledger.spark.law import Judged
from prakerja_ledger.spark.layout import Part


@frozen(eq=False)
class ByPython:
    """The participants of one part, judged; the same face as `BySql`."""

    job: Job
    part: Part
    judged: Judged

    def _participants(self) -> Iterator[Participant]:
        """Those of the part: subjects judged together may belong to another."""
        low, high = self.part.low, self.part.high
        for one in self.judged.participants:
            if (low is None or one.id >= low) and (high is None or one.id < high):
                yield one

    def _made(self, withheld: list[Message]) -> Iterator[Statement]:
        around = look_at_programme(self.judged.programme_stream, self.job.view)
        for one in self._participants():
            try:
                made = statement(one, self.job.view, self.job.programme, around)
            except CalendarTooShort as error:
                needed = error.fields["needed"]
                withheld.append(Message("withheld", needed.isoformat(), one.id))
                continue
            if made is not None:
                yield made

    def statements(self) -> Iterator[bytes | Message]:
        """Statements with their LF, and who has none."""
        withheld: list[Message] = []
        for one in self._made(withheld):
            yield self.job.law.statement_json(one).encode() + b"\n"
        yield from withheld

    def totals(self, by: str) -> Iterator[Message]:
        """The sums of each group."""
        withheld: list[Message] = []
        for row in sums.total_rows(sums.totals(self._made(withheld), by)):
            yield Message("total", body=saying(row))
        yield from withheld

    def unpaid(self) -> Iterator[Message]:
        """One a line with money unpaid."""
        withheld: list[Message] = []
        for made in self._made(withheld):
            for one in sums.unpaid_lines(made):
                yield Message("unpaid", body=saying(sums.unpaid_row(one)))
        yield from withheld

    def findings(self) -> Iterator[Message]:
        """What each participant shows alone, and what each puts into findings that come of several."""
        view, programme, judged = self.job.view, self.job.programme, self.judged
        around = look_at_programme(judged.programme_stream, view)
        packages = look_at_packages(judged.packages, view)
        undecided: list[tuple[str, CalendarTooShort]] = []
        found, evaluated = [], set[str]()
        for participant in self._participants():
            if (seen := look(participant, view)) is None:
                continue
            dossier = open_dossier(seen, view, programme)
            undated = statement_of(dossier, programme, around, undated=True)
            case = Case(dossier, undated, programme, around, packages, undecided)
            found += [one for one in own_findings(case) if one.on <= view.as_of]
            evaluated |= evaluated_courses(dossier)
            yield from _uses(dossier)
        for place, one in enumerate(in_order_of_findings(found)):
            yield finding_message(self.job, one, place)
        for course in sorted(evaluated):
            yield Message("evaluated", subject=course)
        for who, error in undecided:
            yield Message("undecided", error.fields["needed"].isoformat(), who)


def finding_message(job: Job, one: Any, place: int = 0) -> Message:
    """A finding, with what it is sorted by; `place` is its place among those of its participant."""
    detail = saying(one.detail).decode()
    text = job.law.finding_json(one).encode() + b"\n"
    return Message("finding", one.on.isoformat(), one.subject, one.code.value, detail, place, text)


def _uses(dossier: Dossier) -> Iterator[Message]:
    for (thing, (who, course)), event in uses_of(dossier).items():
        said = [course, event.source, event.id, event.occurred_at, event.recorded_at]
        yield use_message(thing.kind, list(thing.key), who, event.position, said)


def use_message(kind: Kind, key: list[str], who: str, position: int, said: list[str]) -> Message:
    """That a participant uses an account or a certificate, and the first fact that says so."""
    return Message("use", "", who, kind.value, saying(key).decode(), position, saying(said))
