"""Calls on a ledger as plain values: they are noted before they are sent, and sent again later."""

from __future__ import annotations

from datetime import date
from typing import Any

from attrs import asdict, evolve, field, frozen

from prakerja_ledger.deciding import commands
from prakerja_ledger.deciding.commands import FACT_OF, Command, asked_for
from prakerja_ledger.domain.facts import Course, type_of
from prakerja_ledger.ledger.cloudevent import CloudEvent
from prakerja_ledger.ledger.ledger import Ledger, Receipt

Identity = tuple[str, str]
"""(source, id)."""


@frozen(kw_only=True)
class Step:
    """One event that is asked for: the name of its command, its identity and its fields."""

    do: str
    source: str
    id: str
    subject: str
    fields: dict[str, Any] = field(factory=dict)
    time: str | None = None

    @property
    def identity(self) -> Identity:
        return self.source, self.id

    def command(self) -> Command:
        """The command to execute."""
        given = dict(self.fields)
        if "courses" in given:
            given["courses"] = [Course(**course) for course in given["courses"]]
        if "effective" in given:
            given["effective"] = date.fromisoformat(given["effective"])
        kind = getattr(commands, self.do)
        return kind(source=self.source, id=self.id, subject=self.subject, time=self.time, **given)

    def event(self) -> CloudEvent:
        """The same as a fact that somebody reports."""
        assert self.time is not None, "what is reported has happened at some time"
        return CloudEvent(
            source=self.source,
            id=self.id,
            subject=self.subject,
            time=self.time,
            fact=self.command().fact(),
        )

    def is_told_by(self, line: dict[str, Any]) -> bool:
        """Whether a recorded line holds what was asked for; what was left open may be anything."""
        command = self.command()
        asked = {name: _plain(value) for name, value in asked_for(command).items()}
        if "line" in asked:
            asked["component"], _, instalment = asked.pop("line").partition("/")
            asked["instalment"] = int(instalment)
        given = {name: line["data"].get(name) for name in asked}
        kind = type_of(FACT_OF[type(command)].kind)
        return (line["type"], line["subject"], given) == (kind, self.subject, asked)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [asdict(one) if isinstance(one, Course) else one for one in value]
    return value.isoformat() if isinstance(value, date) else value


@frozen(kw_only=True)
class Call:
    """Steps that are recorded together: all or none."""

    how: str
    """The ledger's method."""
    steps: list[Step]

    def send(self, ledger: Ledger) -> list[Receipt]:
        """Call the ledger; one receipt for each step."""
        reports = self.how in {"observe", "record_all"}
        given = [step.event() if reports else step.command() for step in self.steps]
        method = getattr(ledger, self.how)
        return method(given) if self.how.endswith("_all") else [method(given[0])]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Call:
        return cls(how=given["how"], steps=[Step(**step) for step in given["steps"]])

    def changed(self) -> Call:
        """The same identities for somebody else: what an identity must never hold."""
        return evolve(self, steps=[evolve(step, subject="P-OTHER") for step in self.steps])
