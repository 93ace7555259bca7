"""`diff`: what moved between two views, each rupiah put to the event or the days that moved it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from prakerja_ledger.domain.errors import InvalidDate, InvalidTimestamp
from prakerja_ledger.domain.phrases import phrase_of
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.domain.time import day, in_utc, known_at
from prakerja_ledger.interfaces.asked import Asked
from prakerja_ledger.interfaces.cli import explain, output
from prakerja_ledger.interfaces.cli.commands.reader import Reader, reading, view_line, walks
from prakerja_ledger.interfaces.cli.commands.whole import answered
from prakerja_ledger.interfaces.cli.options import (
    engine_options,
    holidays_option,
    json_option,
    language_option,
    source_argument,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.interfaces.json_output import compact, known_at_json
from prakerja_ledger.reading.diff import MEASURES, Amounts, Difference, Part
from prakerja_ledger.reading.view import View


class ViewType(click.ParamType[View]):
    """`D` or `D@K`: as of a day, as known at a moment."""

    name = "D[@K]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> View:
        on, at, moment = value.partition("@")
        try:
            return View(as_of=day(on), known_at=known_at(moment) if at else None)
        except (InvalidDate, InvalidTimestamp) as error:
            self.fail(phrase_of(error), param, ctx)


@click.command("diff", short_help="What moved between two views, and what moved it.")
@source_argument
@click.argument("participants", nargs=-1, metavar="[PARTICIPANT]...")
@click.option("--from", "first", type=ViewType(), required=True, help="The first view.")
@click.option("--to", "second", type=ViewType(), required=True, help="The second view.")
@json_option
@engine_options
@holidays_option
@language_option
def diff_command(
    source: str,
    participants: tuple[str, ...],
    first: View,
    second: View,
    as_json: bool,
    asked: Asked,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """What moved between two views, and what moved it.

    Each rupiah is put to the event that moved it, or to the calendar where only time passed; the
    parts add up to the whole. A view is a day, with @ and a moment of knowledge behind it if wanted.

    \b
    Example: prakerja-ledger diff history.jsonl --from 2020-06-21@2020-06-21 --to 2020-07-02
    """
    words = words_of(lang)

    def show(differences: Iterable[tuple[Participant, Difference]]) -> None:
        moved = (one for one in differences if one[1].parts)
        if as_json:
            output.write_lines(compact(_difference_json(one, first, second)) for _, one in moved)
        else:
            _show(words, moved, first, second)

    def by_law(reader: Reader) -> None:
        names = sorted(set(participants)) or None
        for name in names or ():
            if reader.history.participants.get(name) is None:
                reader.evaluation.participant(name)  # raises: nothing at all is recorded of them
        show(walks(reader, reader.history, first, second, names))

    if participants:
        with reading(source, second, holidays, words, participants) as reader:
            by_law(reader)
            return reader.status
    return answered(
        source,
        second,
        holidays,
        words,
        asked,
        by_engine=lambda whole: show(whole.differences(first)),
        by_law=by_law,
    )


def _difference_json(one: Difference, first: View, second: View) -> dict[str, Any]:
    return {
        "participant": one.participant,
        "from": _view_json(first),
        "to": _view_json(second),
        "moved": _moved_json(one.moved()),
        "parts": [_part_json(part) for part in one.parts],
    }


def _view_json(view: View) -> dict[str, Any]:
    return {"as_of": view.as_of.isoformat(), "known_at": known_at_json(view)}


def _part_json(part: Part) -> dict[str, Any]:
    moved = {"moved": _moved_json(part.moved)}
    if part.event is None:
        return {
            "by": "calendar",
            "since": part.since.isoformat(),
            "until": part.until.isoformat(),
            **moved,
        }
    event = part.event
    return {
        "by": "event",
        "source": event.source,
        "id": event.id,
        "type": event.fact.kind,
        "time": in_utc(event.occurred_at),
        **moved,
    }


def _moved_json(moved: dict[str, Amounts]) -> list[dict[str, Any]]:
    """Lines with what moved on them; a measure that did not move is left out."""
    return [
        {
            "line": line,
            **{name: amount for name, amount in zip(MEASURES, amounts, strict=True) if amount},
        }
        for line, amounts in moved.items()
    ]


_SHOWN = {
    "owed": N_("owed"),
    "paid": N_("paid"),
    "unpaid": N_("unpaid"),
    "overdue": N_("overdue"),
    "forfeited": N_("forfeited"),
}


def _show(
    words: Words, moved: Iterable[tuple[Participant, Difference]], first: View, second: View
) -> None:
    click.echo(words(N_("From: {view}"), view=view_line(words, first)))
    click.echo(words(N_("To: {view}"), view=view_line(words, second)))
    moved_at_all = False
    for participant, one in moved:
        moved_at_all = True
        click.echo()
        output.heading(words(N_("Participant {participant}"), participant=one.participant))
        output.table(
            [words(N_("what moved it")), *(words(name) for name in _SHOWN.values())],
            [
                *(_row(words, participant, part) for part in one.parts),
                [words(N_("together")), *_sums(words, one.moved())],
            ],
            right=range(1, len(_SHOWN) + 1),
            prose=(0,),
        )
    if not moved_at_all:
        click.echo(words(N_("Nothing moved.")))


def _row(words: Words, participant: Participant, part: Part) -> list[str]:
    if part.event is None:
        what = words(
            N_("time passed, {since} to {until}"),
            since=words.day(part.since),
            until=words.day(part.until),
        )
    else:
        what = (
            f"{words.day(part.event.occurred_on)}: "
            f"{explain.what_happened(words, part.event, participant)} "
            f"({shown(part.event.source)} {shown(part.event.id)})"
        )
    return [what, *_sums(words, part.moved)]


def _sums(words: Words, moved: dict[str, Amounts]) -> list[str]:
    """What moved over all lines, a cell a measure; empty where nothing did."""
    cells = []
    for name in _SHOWN:
        index = MEASURES.index(name)
        amount = sum(amounts[index] for amounts in moved.values())
        cells.append(f"{'+' if amount > 0 else ''}{words.money(amount)}" if amount else "")
    return cells
