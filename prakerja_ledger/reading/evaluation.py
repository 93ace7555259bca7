"""An evaluation: one source in one view. Statements, findings and differences are asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from attrs import frozen

from prakerja_ledger.domain.errors import CalendarTooShort, NotInView, NotKnownInView
from prakerja_ledger.domain.fields import check_text
from prakerja_ledger.domain.register import Packages, Participants
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant, ProgrammeStream
from prakerja_ledger.domain.time import in_wib
from prakerja_ledger.reading.case import look_at_packages
from prakerja_ledger.reading.dossier import ProgrammeInView, look_at_programme, open_dossier
from prakerja_ledger.reading.finding import Finding
from prakerja_ledger.reading.statement import Statement, statement, statement_of
from prakerja_ledger.reading.view import View, is_in_view, look


@frozen(kw_only=True, eq=False, slots=False)
class Evaluation:
    """Everything recorded in a source, seen as of a day, as known at a moment."""

    participants: Participants
    packages: Packages
    programme_stream: ProgrammeStream
    view: View
    programme: Programme

    @cached_property
    def around(self) -> ProgrammeInView:
        """The programme's own facts in view, looked at once."""
        return look_at_programme(self.programme_stream, self.view)

    def participant(self, name: str) -> Participant:
        """A participant who is in view. Raises NotInView, and InvalidField for what is no name."""
        check_text("participant", name)
        found = self.participants.get(name)
        if found is None or not is_in_view(found, self.view):
            known = self.view.known_at
            if known is None:
                raise NotInView(participant=name, as_of=self.view.as_of)
            raise NotKnownInView(participant=name, as_of=self.view.as_of, known_at=in_wib(known))
        return found

    def in_view(self) -> Iterator[Participant]:
        """Every participant in view, by id in the order of code points."""
        return (one for one in self.participants if is_in_view(one, self.view))

    def statement(self, participant: Participant | str) -> Statement:
        """A participant's statement. Raises NotInView and CalendarTooShort."""
        if isinstance(participant, Participant):
            found = participant
        else:
            found = self.participant(participant)
        made = statement(found, self.view, self.programme, self.around)
        assert made is not None, "in view, so there is a statement"
        return made

    def findings(self) -> tuple[list[Finding], list[tuple[str, CalendarTooShort]]]:
        """Every finding, sorted; and the participants whom the calendar is too short to judge."""
        from prakerja_ledger.reading.findings import Findings  # noqa: PLC0415  # statements need no checks

        packages = look_at_packages(self.packages, self.view)
        gathered = Findings(self.view, self.programme, self.around, packages)
        for participant in self.participants:
            seen = look(participant, self.view)
            if seen is not None:
                dossier = open_dossier(seen, self.view, self.programme)
                gathered.take(
                    dossier, statement_of(dossier, self.programme, self.around, undated=True)
                )
        return gathered.all(), gathered.undecided
