"""A case: one participant in front of the checks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Protocol

from attrs import define

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.schemes import Line, Programme
from prakerja_ledger.domain.streams import Package
from prakerja_ledger.reading.dossier import (
    Dossier,
    ProgrammeInView,
)
from prakerja_ledger.reading.finding import Code, Finding
from prakerja_ledger.reading.statement import Statement, StatementLine
from prakerja_ledger.reading.view import View, each_once, events_in_view


@define(eq=False)
class PackageInView:
    """A package whose offer is in view."""

    id: str
    offer: Event
    fact: f.PackageOffered


def look_at_packages(packages: Iterable[Package], view: View) -> dict[str, PackageInView]:
    """The offers in view, by package; the first where a hidden void leaves two."""
    found: dict[str, PackageInView] = {}
    for package in packages:
        for event in events_in_view(package, view):
            if isinstance(event.fact, f.PackageOffered):
                found[package.id] = PackageInView(package.id, event, event.fact)
                break
    return found


class Packages(Protocol):
    """Packages whose offer is in view, however they are come by."""

    def get(self, id: str, /) -> PackageInView | None:
        """The package of that id; None where no offer of it is in view."""


@define(eq=False)
class Case:
    """One participant in front of the checks."""

    d: Dossier
    statement: Statement
    programme: Programme
    around: ProgrammeInView
    packages: Packages
    undecided: list[tuple[str, CalendarTooShort]]
    """Where a check notes that the list of holidays is too short to judge a participant."""

    def line(self, line: Line) -> StatementLine:
        """The statement's line that money was put on: it exists whenever a disbursement names it."""
        return self.statement.line(line)

    def finding(
        self,
        code: Code,
        dated_by: Event,
        *,
        detail: dict[str, Any] | None = None,
        amount: int | None = None,
        evidence: Iterable[Event | None] = (),
        on: date | None = None,
    ) -> Finding:
        """A finding of this participant; the fact that dates it is always evidence."""
        events = (dated_by, *(event for event in evidence if event is not None))
        return Finding(
            code=code,
            subject=self.d.participant.id,
            on=on or dated_by.occurred_on,
            amount=amount,
            detail=detail or {},
            evidence=each_once(events),
        )
