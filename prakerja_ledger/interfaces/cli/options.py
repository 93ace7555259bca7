"""Options that commands share, and how their values are read."""

from __future__ import annotations

import csv
import functools
import os
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from prakerja_ledger.domain.calendar import WorkingCalendar
from prakerja_ledger.domain.errors import (
    HolidaysWithGap,
    InvalidDate,
    InvalidTimestamp,
    UnreadableSource,
)
from prakerja_ledger.domain.phrases import Phrase, phrase_of, text_of
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Programme
from prakerja_ledger.domain.time import WIB, Instant, day, known_at
from prakerja_ledger.interfaces.asked import MEMORY_LIMIT, Asked, Engine
from prakerja_ledger.interfaces.cli.words import LANGUAGES, Words, words_for
from prakerja_ledger.interfaces.pack.sniffing import is_pack
from prakerja_ledger.reading.view import View

F = TypeVar("F", bound=Callable[..., Any])


class DayType(click.ParamType[date]):
    """A calendar date."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return day(value)
        except InvalidDate as error:
            self.fail(phrase_of(error), param, ctx)


class MomentType(click.ParamType[Instant]):
    """An instant, or a date that means its end in WIB."""

    name = "TIME|DATE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Instant:
        try:
            return known_at(value)
        except (InvalidTimestamp, InvalidDate) as error:
            self.fail(phrase_of(error), param, ctx)


def today() -> date:
    """Today in WIB. The command line is where a clock may be looked at."""
    from datetime import UTC  # noqa: PLC0415  # beside its only use

    return (datetime.now(UTC) + WIB).date()


def _opened(
    ctx: click.Context,
    param: click.Parameter,
    value: Any,
) -> Any:
    """Of a pack the history in it, until the command ends; any other source as it is."""
    if isinstance(value, tuple):
        return tuple(_opened(ctx, param, one) for one in value)
    if not is_pack(value):
        return value
    from prakerja_ledger.interfaces.pack.opened import history_of  # noqa: PLC0415  # hardly ever asked for

    path = ctx.with_resource(history_of(value))
    ctx.meta[f"{_NAME}{path}"] = value
    return path


_NAME: Final = "prakerja_ledger.source."


def name_of(source: str) -> str:
    """A source by the name that somebody gave it: of the history in a pack, that of the pack."""
    name: str = click.get_current_context().meta.get(f"{_NAME}{source}", source)
    return name


def source_argument(command: F) -> F:
    """SOURCE: a history, a pack or a ledger."""
    return click.argument("source", callback=_opened)(command)


def histories_argument(command: F) -> F:
    """One history or more, or packs."""
    return click.argument(
        "histories", nargs=-1, required=True, metavar="HISTORY...", callback=_opened
    )(command)


def view_options(command: F) -> F:
    """`--as-of` and `--known-at`."""
    command = click.option(
        "--known-at",
        type=MomentType(),
        help="Only what the programme had learned by then (a date: its end in WIB). "
        "Default: everything recorded.",
    )(command)
    return click.option(
        "--as-of", type=DayType(), help="Only what happened by the end of that day. Default: today."
    )(command)


class SizeType(click.ParamType[str]):
    """An amount of memory, as DuckDB reads it."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        found = _SIZE.fullmatch(text)
        if found is None or not float(found["number"]):
            self.fail(
                Phrase(
                    "{value} is no size. Write a number and a unit, such as 4GB.", value=str(value)
                ),
                param,
                ctx,
            )
        return text


_SIZE: Final = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?) ?[KMGT]i?B")


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--engine` and what belongs to each, as one argument `asked`."""

    @click.option(
        "--engine",
        type=click.Choice([one.value for one in Engine]),
        default=Engine.AUTO.value,
        envvar="PRAKERJA_LEDGER_ENGINE",
        help="What answers of a whole history: the law itself (python), or the same bytes by set "
        "operations, here (duckdb) or on a cluster (spark). Default: auto, which takes duckdb for a "
        "large Parquet history.",
    )
    @click.option(
        "--master",
        default="local[*]",
        metavar="URL",
        envvar="PRAKERJA_LEDGER_SPARK_MASTER",
        help="The master of the cluster, for --engine spark. Default: this machine.",
    )
    @click.option(
        "--memory-limit",
        type=SizeType(),
        default=MEMORY_LIMIT,
        show_default=True,
        help="What DuckDB may hold in memory; the rest goes to the temporary folder.",
    )
    @click.option(
        "--processes",
        type=click.IntRange(1, 64),
        default=lambda: os.cpu_count() or 1,
        show_default="one a core",
        help="How many processes the law takes for a large Parquet history.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: Any, engine: str, memory_limit: str, processes: int, master: str, **options: Any
    ) -> Any:
        asked = Asked(Engine(engine), memory_limit, processes, master)
        return command(*args, asked=asked, **options)

    return wrapped


def language_option(command: F) -> F:
    """`--lang`."""
    return click.option(
        "--lang",
        type=click.Choice(LANGUAGES),
        help="Language of the output. Default: your locale's.",
    )(command)


def errors_language_option(command: F) -> F:
    """`--lang` of a command that says nothing but what went wrong, which `main` does."""
    return click.option(
        "--lang",
        type=click.Choice(LANGUAGES),
        expose_value=False,
        help="Language of what it says. Default: your locale's.",
    )(command)


def holidays_option(command: F) -> F:
    """`--holidays`."""
    return click.option(
        "--holidays",
        type=click.Path(),
        metavar="FILE",
        help="CSV (date,name) of further working-day holidays, of whole years.",
    )(command)


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="JSON, one object a line.")(command)


def csv_option(command: F) -> F:
    """`--csv`."""
    return click.option("--csv", "as_csv", is_flag=True, help="CSV with a heading line.")(command)


def view_of(as_of: date | None, known: Instant | None) -> View:
    """The view that the options ask for."""
    return View(as_of=as_of or today(), known_at=known)


def programme_with(holidays: str | None) -> Programme:
    """The programme, its calendar extended where a file says so."""
    if holidays is None:
        return KARTU_PRAKERJA
    from attrs import evolve  # noqa: PLC0415  # beside its only use

    return evolve(KARTU_PRAKERJA, calendar=_extended(KARTU_PRAKERJA.calendar, holidays))


def _extended(calendar: WorkingCalendar, path: str) -> WorkingCalendar:
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = [row[0].strip() for row in csv.reader(file) if row and row[0].strip()]
        return calendar.extended(day(text) for text in rows if text.lower() != "date")
    except (OSError, UnicodeDecodeError, csv.Error, InvalidDate, HolidaysWithGap) as error:
        raise UnreadableSource(source=path, problem=text_of(error)) from None


def words_of(lang: str | None) -> Words:
    """The words of the language asked for."""
    return words_for(lang)


def exclusive(as_json: bool, as_csv: bool) -> None:  # two flags, one rule
    """JSON and CSV are two answers; one is asked for."""
    if as_json and as_csv:
        raise click.UsageError(Phrase("--json and --csv exclude each other. Choose one."))
