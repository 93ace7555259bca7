"""Whole histories answered by set operations: when, from which source, within how much memory.

The fold is the law, and reads any source. The engines here give the same bytes of a whole history in
a fraction of the time; where they cannot, they say so and the law answers.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import define

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase, text_of
from prakerja_ledger.domain.register import Outcome
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.interfaces.asked import Asked, Engine
from prakerja_ledger.interfaces.columnar.sniffing import is_columnar, parts_of, reader, writer
from prakerja_ledger.interfaces.source import (
    Tally,
    Tick,
    checked,
    is_ledger,
    no_tick,
    recorded_lines,
    without_collection,
)
from prakerja_ledger.interfaces.whole_file import own_folder, undisturbed
from prakerja_ledger.ledger.urls import check_source, without_password
from prakerja_ledger.reading.totals import total_rows
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from prakerja_ledger.bulk.engine import Bulk
    from prakerja_ledger.interfaces.columnar.judging import AsideByNumber
    from prakerja_ledger.interfaces.columnar.reading import ColumnarHistory
    from prakerja_ledger.interfaces.columnar.setwise import SetwiseHistory
    from prakerja_ledger.interfaces.together.history import Together
    from prakerja_ledger.spark.engine import Spark

LARGE: Final = 200_000
"""Rows of a Parquet history from which set operations answer by themselves."""
_LONGEST_REASON: Final = 200
_SPARK: Final = Phrase("It needs Java 17 or later, and: pip install 'prakerja-ledger[spark]'.")
_EXTRA: Final = Phrase("it needs the package duckdb: pip install 'prakerja-ledger[bulk]'.")


class Answers(Protocol):
    """What is said of a whole history in one view."""

    @property
    def withheld(self) -> list[tuple[str, date]]:
        """Participants whose statement is an error, and the day that the calendar lacks."""

    @property
    def undecided(self) -> list[tuple[str, date]]:
        """Participants of whom a finding cannot be judged, and the day that the calendar lacks."""

    def statements(self) -> Iterator[bytes]:
        """Every statement as JSON with its LF, in pieces of any length."""

    def totals(self, by: str) -> list[tuple[Any, ...]]:
        """Rows as `totals` prints them."""

    def unpaid(self) -> list[tuple[Any, ...]]:
        """Rows as `unpaid` prints them."""

    def findings(self) -> Iterator[bytes]:
        """Every finding as JSON with its LF, in pieces of any length."""


class ByShares:
    """The law's answers, of several processes that read shares of a Parquet history."""

    def __init__(self, together: Together) -> None:
        self._together = together

    @property
    def quarantined(self) -> int:
        """Rows that were not recorded, of the last answer that came to its end."""
        return 0 if self._together.tally is None else self._together.tally.quarantined

    @property
    def withheld(self) -> list[tuple[str, date]]:
        return self._together.withheld

    @property
    def undecided(self) -> list[tuple[str, date]]:
        return self._together.undecided

    def statements(self) -> Iterator[bytes]:
        """Every statement as JSON with its LF, in pieces of any length."""
        return self._together.statements()

    def totals(self, by: str) -> list[tuple[Any, ...]]:
        """Rows as `totals` prints them."""
        return total_rows(self._together.totals(by))

    def unpaid(self) -> list[tuple[Any, ...]]:
        """Rows as `unpaid` prints them."""
        return self._together.unpaid()

    def findings(self) -> Iterator[bytes]:
        """Every finding as JSON with its LF, in pieces of any length."""
        return self._together.findings()


def on_cluster(source: str, programme: Programme, view: View, asked: Asked) -> Spark:
    """A Parquet history that executors of Spark read: a path or a URI that all of them can open.

    Raises UnreadableSource.
    """
    try:
        from pyspark.errors import PySparkException  # noqa: PLC0415  # an extra

        from prakerja_ledger.interfaces.columnar.law import RowsLaw  # noqa: PLC0415
        from prakerja_ledger.spark.engine import Spark  # noqa: PLC0415
    except ModuleNotFoundError:
        raise UnreadableSource(source=source, problem=_SPARK) from None
    try:
        return Spark(
            source,
            RowsLaw(programme),
            programme,
            view,
            master=asked.master,
            memory_limit=asked.memory_limit,
            is_vouched=_is_vouched(source, programme),
        )
    except PySparkException as error:
        said = _reason(error)
        raise UnreadableSource(
            source=source,
            problem=Phrase(
                "Spark does not run on {master}: {said}. {needs}",
                master=asked.master,
                said=said,
                needs=_SPARK,
            ),
        ) from None


def _reason(error: Exception) -> str:
    """What was said, on one line and not too long of it."""
    said = text_of(error)
    return said if isinstance(said, Phrase) else " ".join(said.split())[:_LONGEST_REASON]


def _is_vouched(source: str, programme: Programme) -> bool:
    """Whether one file's note says that this programme judged it; files elsewhere are not looked into."""
    if "://" in source or not is_columnar(source):
        return False
    with reader(source)(source, programme) as history:
        return history.is_judged


@contextmanager
def open_shares(
    source: str, programme: Programme, view: View, asked: Asked, tick: Tick = no_tick
) -> Iterator[ByShares | None]:
    """A Parquet history that several processes read by the law; None where that cannot be."""
    if is_ledger(source) or not is_columnar(source):
        yield None
        return
    reader(source)  # raises where the extra is missing
    from prakerja_ledger.interfaces.together.history import together  # noqa: PLC0415  # Arrow

    with together(source, programme, view, asked.processes, tick) as found:
        yield None if found is None else ByShares(found)


class OtherEngine(Exception):
    """This engine cannot answer of this source; says why. The law can."""


@define(eq=False)
class Whole:
    """A whole history, read by an engine."""

    name: str
    tally: Tally | None
    answers: Callable[[View], Bulk]
    movers: Callable[[View, View], list[str]]
    """Participants, by id, of whom anything may have moved between two views."""


def wants_engine(source: str, asked: Asked) -> bool:
    """Whether set operations are to answer: asked for, or the source is large and DuckDB is there."""
    if asked.engine is not Engine.AUTO:
        return asked.engine is Engine.DUCKDB
    if is_ledger(source) or not is_columnar(source):
        return False  # reading and judging line by line is most of the work there
    if importlib.util.find_spec("duckdb") is None or importlib.util.find_spec("pyarrow") is None:
        return False
    from pyarrow import ArrowException, parquet  # noqa: PLC0415  # an extra

    try:
        rows: int = sum(parquet.read_metadata(path).num_rows for path in parts_of(source))
    except (ArrowException, OSError, ValueError):
        return False  # the reader says what is wrong with it
    return rows >= LARGE


@contextmanager
def open_whole(
    source: str, programme: Programme, asked: Asked, tick: Tick = no_tick
) -> Iterator[Whole]:
    """A source as set operations read it: a context manager.

    What is no Parquet history is written out as one first, to a temporary folder. Raises
    UnreadableSource; OtherEngine where only the law can answer.
    """
    check_source(source)
    with ExitStack() as stack:
        folder = stack.enter_context(own_folder())
        tally: Tally | None = None
        path = source
        if not is_columnar(source):
            tally = Tally()
            path = _as_columnar(source, programme, tally, folder, tick)
        found = stack.enter_context(_opened(path, programme, asked, folder, tick))
        if not found.believe():
            found.judge()
        found.recorded()
        if tally is None:
            tally = _tally(found)
        yield _whole(source, found, None if is_ledger(source) else tally, tick)


def _whole(source: str, found: SetwiseHistory, tally: Tally | None, tick: Tick) -> Whole:
    from prakerja_ledger.bulk.engine import Bulk  # noqa: PLC0415  # DuckDB, an extra
    from prakerja_ledger.bulk.moving import movers  # noqa: PLC0415

    connection, programme = found.connection, found.history.programme
    return Whole(
        without_password(source),
        tally,
        answers=lambda view: Bulk(connection, programme, view, tick=tick),
        movers=lambda first, second: movers(connection, programme, first, second, tick),
    )


def checked_whole(
    path: str, programme: Programme, tally: Tally, asked: Asked, tick: Tick = no_tick
) -> Iterator[tuple[str, int, Outcome]]:
    """`source.checked` by set operations, of one Parquet history; nobody is believed.

    Every row is judged when this returns. Raises OtherEngine where only the law can.
    """
    with (
        reader(path)(path, programme) as history,
        own_folder() as folder,
        _set_out(history, asked, folder, tick) as found,
    ):
        found.judge()
        tally.recorded = found.count
        return _turned_away(path, programme, tally, found.aside)


def checked_in_shares(
    paths: Sequence[str],
    programme: Programme,
    tallies: dict[str, Tally],
    asked: Asked,
    tick: Tick = no_tick,
) -> Iterator[tuple[str, int, Outcome]]:
    """`source.checked`, by several processes where one Parquet history can be shared out to them."""
    if len(paths) == 1 and is_columnar(paths[0]):
        reader(paths[0])  # raises where the extra is missing
        from prakerja_ledger.interfaces.together.history import together  # noqa: PLC0415  # Arrow

        with together(paths[0], programme, None, asked.processes, tick) as found:
            if found is not None:
                for number, outcome in found.outcomes():
                    yield paths[0], number, outcome
                assert found.tally is not None, "it has come to its end"
                tallies[paths[0]] = found.tally
                return
    yield from checked(paths, programme, tallies, tick)


def _turned_away(
    path: str, programme: Programme, tally: Tally, aside: AsideByNumber
) -> Iterator[tuple[str, int, Outcome]]:
    with closing(aside), reader(path)(path, programme) as history:
        for number, outcome, _ in history.as_lines(aside):
            tally.count(number, outcome)
            yield path, number, outcome


def _tally(found: SetwiseHistory) -> Tally:
    tally = Tally(recorded=found.count)
    for number, outcome, money in found.aside:
        tally.count(number, outcome, money=money)
    return tally


def _as_columnar(source: str, programme: Programme, tally: Tally, folder: Path, tick: Tick) -> str:
    """The recorded lines of a source as a Parquet history in the folder."""
    path = folder / "history.parquet"
    lines = recorded_lines(source, programme, tally)
    with without_collection():
        writer(source)(enumerate(lines, 1), path, programme, tick, judged=True)
    return os.fspath(path)


@contextmanager
def _opened(
    path: str, programme: Programme, asked: Asked, folder: Path, tick: Tick
) -> Iterator[SetwiseHistory]:
    with (
        reader(path)(path, programme) as history,
        _set_out(history, asked, folder, tick) as found,
    ):
        yield found


@contextmanager
def _set_out(
    history: ColumnarHistory, asked: Asked, folder: Path, tick: Tick
) -> Iterator[SetwiseHistory]:
    """A Parquet history in a connection of its own; what the database says, in the house's words."""
    try:
        with undisturbed():
            import duckdb  # noqa: PLC0415  # an extra
    except ModuleNotFoundError:
        raise UnreadableSource(source=history.name, problem=_EXTRA) from None
    from prakerja_ledger.bulk.connection import Interruptible  # noqa: PLC0415  # DuckDB, an extra
    from prakerja_ledger.bulk.setting import NotForBulk  # noqa: PLC0415
    from prakerja_ledger.interfaces.columnar.setwise import SetwiseHistory  # noqa: PLC0415

    config: dict[str, Any] = {
        "memory_limit": asked.memory_limit,
        "temp_directory": os.fspath(folder / "spill"),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    try:
        with closing(Interruptible(duckdb.connect(config=config))) as connection:
            yield SetwiseHistory(history, connection, folder, tick)
    except duckdb.OutOfMemoryException:
        raise UnreadableSource(
            source=history.name,
            problem=Phrase(
                "it does not fit into a --memory-limit of {limit}. Give it more, or room on the disk of "
                "the temporary folder (TMPDIR).",
                limit=asked.memory_limit,
            ),
        ) from None
    except (duckdb.InterruptException, RuntimeError) as error:
        if "interrupt" not in str(error).lower():
            raise
        raise KeyboardInterrupt from None  # a signal that reached DuckDB while rows were fetched
    except (NotForBulk, duckdb.Error) as error:
        raise OtherEngine(_reason(error)) from error
