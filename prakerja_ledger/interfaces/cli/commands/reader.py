"""What the reading commands share: a source read for one view, in front of a person."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import define, field

from prakerja_ledger.domain.errors import CalendarTooShort, NotInView
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.options import (
    programme_with,
)
from prakerja_ledger.interfaces.cli.process import do_without
from prakerja_ledger.interfaces.cli.status import Status, worst
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.interfaces.source import History, Tally, open_history
from prakerja_ledger.reading import statement as law
from prakerja_ledger.reading.evaluation import Evaluation
from prakerja_ledger.reading.finding import Finding
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from prakerja_ledger.reading.books import Books
    from prakerja_ledger.reading.diff import Difference


def complain_of_quarantine(words: Words, source: str, count: int) -> None:
    """Say that lines have no effect, where some have none."""
    if count:
        output.complain(
            words(
                N_(
                    "{source}: {count} lines were quarantined and have no effect; "
                    "prakerja-ledger check says which and why."
                ),
                source=source,
                count=words.number(count),
            )
        )


@define(eq=False, kw_only=True)
class Speaker:
    """A source in one view, in front of a person: what cannot be answered is said, and the rest goes on."""

    name: str
    tally: Tally | None
    programme: Programme
    view: View
    words: Words
    status: Status = field(init=False, default=Status.DONE)

    def __attrs_post_init__(self) -> None:
        """Begin with what is known of the source."""
        if self.tally is not None:
            self.complain_of_quarantine(self.tally.quarantined)

    def complain_of_quarantine(self, count: int) -> None:
        """Quarantined lines have no effect; nobody should learn that from a wrong sum."""
        if count:
            self.worsen(Status.QUARANTINED)
            complain_of_quarantine(self.words, self.name, count)

    def worsen(self, status: Status) -> None:
        """End with this status, unless a worse one is due."""
        self.status = worst(self.status, status)

    def complain_of_calendar(self, participant: str, error: CalendarTooShort) -> None:
        """One participant's answer is withheld; the others stand."""
        self.worsen(Status.FAULT)
        output.complain(f"prakerja-ledger: {shown(participant)}: {self.words.error(error)}")


@define(eq=False, kw_only=True)
class Reader(Speaker):
    """A source read by the law."""

    history: History
    evaluation: Evaluation

    def __attrs_post_init__(self) -> None:
        """Whoever is shown a part is told so."""
        super().__attrs_post_init__()
        complain_of_waves(self.words, self.name, self.history.waves)

    def statements(self, names: Iterable[str] = ()) -> Iterator[law.Statement]:
        """Every statement, by participant id; or those of the participants named."""
        wanted = sorted(set(names))
        for participant in self._named(wanted) if wanted else self.evaluation.in_view():
            try:
                yield self.evaluation.statement(participant)
            except CalendarTooShort as error:
                self.complain_of_calendar(participant.id, error)

    def books(self) -> Iterator[Books]:
        """Every participant's books, by participant id."""
        from prakerja_ledger.reading.books import books  # noqa: PLC0415  # for one command

        evaluation = self.evaluation
        for participant in evaluation.in_view():
            try:
                made = books(participant, self.view, self.programme, evaluation.around)
            except CalendarTooShort as error:
                self.complain_of_calendar(participant.id, error)
                continue
            assert made is not None, "in view, so there are books"
            yield made

    def _named(self, names: Iterable[str]) -> Iterator[Participant]:
        for name in names:
            try:
                yield self.evaluation.participant(name)
            except NotInView as error:
                self.worsen(Status.WRONG_USAGE)
                output.complain(f"prakerja-ledger: {self.words.error(error)}")

    def findings(self) -> list[Finding]:
        """Every finding of the view, sorted."""
        found, undecided = self.evaluation.findings()
        for participant, error in undecided:
            self.complain_of_calendar(participant, error)
        return found


def complain_of_waves(words: Words, source: str, waves: tuple[int, ...] | None) -> None:
    """Say that others than these are left out; a part must not be taken for the whole."""
    if waves is not None:
        output.complain(
            words(
                N_("{source}: you see the participants of these waves alone: {waves}."),
                source=source,
                waves=", ".join(map(str, waves)) or "–",
            )
        )


def walks(
    speaker: Speaker, history: History, first: View, second: View, names: Iterable[str] | None
) -> Iterator[tuple[Participant, Difference]]:
    """What moved between two views, of everybody or of those named; nothing of whom nothing is recorded."""
    from prakerja_ledger.reading.diff import difference  # noqa: PLC0415  # for one command

    found = history.participants if names is None else map(history.participants.get, names)
    for participant in found:
        if participant is None:
            continue
        try:
            yield (
                participant,
                difference(participant, history.programme_stream, speaker.programme, first, second),
            )
        except CalendarTooShort as error:
            speaker.complain_of_calendar(participant.id, error)


@contextmanager
def reading(
    source: str, view: View, holidays: str | None, words: Words, only: Sequence[str] = ()
) -> Iterator[Reader]:
    """A source, read for one view; `only` names the participants that will be asked for, if not all."""
    if only:
        do_without("numpy", "pandas")
    programme = programme_with(holidays)
    with output.progress(words(N_("lines"))) as tick:
        opened = open_history(source, programme, tick, only=only)
        with opened as history:
            yield Reader(
                name=history.name,
                tally=history.tally,
                programme=programme,
                view=view,
                words=words,
                history=history,
                evaluation=history.evaluation(view),
            )


def view_line(words: Words, view: View) -> str:
    """Which day and which knowledge an answer speaks of."""
    as_of = words(N_("As of {day}"), day=words.day(view.as_of))
    if view.known_at is None:
        return as_of
    return words(
        N_("{as_of}, as known at {moment} WIB"), as_of=as_of, moment=words.moment(view.known_at)
    )


def statement_title(words: Words, statement: law.Statement) -> str:
    """Whose statement it is."""
    return words(
        N_("Participant {participant} · wave {wave} · {scheme} · {standing}"),
        participant=statement.participant,
        wave=statement.wave,
        scheme=statement.scheme,
        standing=words(explain.STANDINGS[statement.standing]),
    )


def write_csv(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """CSV with a heading line, LF line ends, UTF-8; a null is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    sys.stdout.buffer.write(text.getvalue().encode())
    sys.stdout.buffer.flush()
