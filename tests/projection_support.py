"""What tests of projections share: worlds that grow while days pass, and the law to hold them to."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from attrs import evolve

from prakerja_ledger.deciding.commands import Command
from prakerja_ledger.domain.errors import CalendarTooShort, LedgerFault, NotInView
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.ledger.importing import Importer
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.projecting.projection import Projection
from prakerja_ledger.reading import totals as sums
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.pages import Wanted, WantedFindings, findings_of, unpaid_of
from prakerja_ledger.reading.view import View
from tests import worlds
from tests.ledger_support import ordinary_life


class Days:
    """A clock that a test moves by days."""

    def __init__(self, day: str) -> None:
        self.now = datetime.fromisoformat(f"{day}T10:00:00+07:00").astimezone(UTC)

    def __call__(self) -> datetime:
        return self.now

    @property
    def day(self) -> date:
        return (self.now + timedelta(hours=7)).date()

    def go_to(self, day: str) -> None:
        self.__init__(day)  # type: ignore[misc]


def life(subject: str) -> list[Command]:
    """An ordinary life, its identities those of one participant."""
    return [evolve(one, id=f"{one.id} {subject}") for one in ordinary_life(subject)]


def recorded(ledger: Ledger, lines: list[bytes]) -> None:
    """Record what of some lines can be."""
    for _ in Importer(ledger).outcomes(enumerate(lines, 1)):
        pass


def growing(seed: int, pieces: int = 6) -> Iterator[tuple[list[bytes], str]]:
    """The lines of a world piece by piece, and a day after each; days never go back."""
    rng = random.Random(f"growing {seed}")
    lines = [line for line in worlds.history(seed) if line.strip()]
    days = sorted({day for day, _ in worlds.views(seed, lines)})
    for n in range(pieces):
        start, end = n * len(lines) // pieces, (n + 1) * len(lines) // pieces
        yield lines[start:end], days[min(n * len(days) // pieces, len(days) - 1)]
    last = date.fromisoformat(days[-1])
    for _ in range(2):
        last += timedelta(days=rng.choice((0, 1, 7, 30)))
        yield [], last.isoformat()


def law_of(ledger: Ledger, day: date) -> dict[str, Any]:
    """Statements, totals and unpaid lines as the law gives them, of everybody it can judge."""
    with ledger.journal.reading() as reading:
        streams = ledger.streams(reading)
        evaluation = Evaluation(
            participants=streams.participants,
            packages=streams.packages,
            programme_stream=streams.programme_stream(),
            view=View(as_of=day),
            programme=ledger.programme,
        )
        statements, undecided = [], {}
        found, unjudged = evaluation.findings()
        for one in evaluation.in_view():
            try:
                statements.append(evaluation.statement(one))
            except CalendarTooShort as error:
                undecided[one.id] = str(error)
        return {
            "everybody": [one.id for one in streams.participants],
            "statements": {s.participant: json.loads(statement_json(s)) for s in statements},
            "undecided": undecided,
            "totals": {
                by: {k: _plain(t) for k, t in sums.totals(statements, by).items()}
                for by in sums.GROUPINGS
            },
            "unpaid": list(unpaid_of(statements, Wanted(), None)),
            "findings": list(findings_of(found, WantedFindings(), None)),
            "unjudged": sorted({who for who, _ in unjudged}),
        }


def _plain(total: sums.Total) -> tuple[int, ...]:
    return total.participants, total.lines, total.entitlement, *total.amounts.values()


def projected(projection: Projection, law: dict[str, Any]) -> dict[str, Any]:
    """The same, asked of the projection."""
    statements, undecided = {}, {}
    for name in law["everybody"]:
        try:
            statements[name] = projection.statement(name)
        except NotInView:
            continue
        except LedgerFault as error:
            undecided[name] = error.fields["problem"]
    unpaid, after = [], None
    while True:
        page = projection.unpaid(limit=3, after=after)
        unpaid += page.lines
        after = page.next
        if after is None:
            break
    findings, at = [], None
    while True:
        listed = projection.findings(limit=3, after=at)
        findings += listed.findings
        at = listed.next
        if at is None:
            break
    return {
        "everybody": law["everybody"],
        "statements": statements,
        "undecided": undecided,
        "totals": {
            by: {k: _plain(t) for k, t in projection.totals(by).groups.items()}
            for by in sums.GROUPINGS
        },
        "unpaid": unpaid,
        "findings": findings,
        "unjudged": list(listed.undecided),
    }


ALL_ROWS = (
    "SELECT * FROM projected_participants ORDER BY participant",
    "SELECT * FROM projected_lines ORDER BY participant, line",
    "SELECT * FROM projected_totals ORDER BY grouping_by, key",
    "SELECT * FROM projected_findings ORDER BY date, subject, code, detail, alike",
    "SELECT * FROM projected_uses ORDER BY kind, key, who, part",
)


def all_rows(projection: Projection) -> list[Any]:
    """Every row of the tables that are read."""
    with projection.tables.look() as look:
        return [look.rows(query) for query in ALL_ROWS]
