"""The answers of a pack, by set operations where these are quicker and can, else by the law."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from attrs import define, field

from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.interfaces.asked import Asked
from prakerja_ledger.interfaces.engines import OtherEngine, open_whole, wants_engine
from prakerja_ledger.interfaces.json_output import finding_json, statement_json
from prakerja_ledger.interfaces.source import Tick, no_tick, open_history
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.view import View

Take = Callable[[Iterator[bytes]], None]
_AT_ONCE: Final = 256


@define(eq=False)
class Answering:
    """Statements and findings of a history in one view, as `--json` prints them."""

    source: Path
    programme: Programme
    view: View
    asked: Asked = Asked()
    tick: Tick = no_tick
    withheld: set[str] = field(init=False, factory=set)
    """Participants for whom the list of holidays is too short."""

    def give(self, statements: Take, findings: Take) -> None:
        """Hand over both, in pieces of any length; a taker may be given its answer once more, from the start."""
        if not (
            wants_engine(str(self.source), self.asked) and self._by_engine(statements, findings)
        ):
            self._by_law(statements, findings)

    def _by_engine(self, statements: Take, findings: Take) -> bool:
        """By set operations; False where they cannot answer."""
        try:
            with open_whole(str(self.source), self.programme, self.asked, self.tick) as whole:
                answers = whole.answers(self.view)
                statements(answers.statements())
                findings(answers.findings())
                self._withhold([*answers.withheld, *answers.undecided])
        except OtherEngine:
            return False
        return True

    def _by_law(self, statements: Take, findings: Take) -> None:
        with open_history(str(self.source), self.programme, self.tick) as history:
            evaluation = history.evaluation(self.view)
            statements(_pieces(self._statements(evaluation)))
            found, undecided = evaluation.findings()
            findings(_pieces(map(finding_json, found)))
            self._withhold(undecided)

    def _statements(self, evaluation: Evaluation) -> Iterator[str]:
        for participant in evaluation.in_view():
            try:
                yield statement_json(evaluation.statement(participant))
            except CalendarTooShort:
                self.withheld.add(participant.id)

    def _withhold(self, people: Iterable[tuple[str, object]]) -> None:
        self.withheld.update(name for name, _ in people)


def _pieces(lines: Iterable[str]) -> Iterator[bytes]:
    batch: list[str] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _AT_ONCE:
            yield ("\n".join(batch) + "\n").encode()
            batch.clear()
    if batch:
        yield ("\n".join(batch) + "\n").encode()
