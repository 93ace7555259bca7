"""A Parquet history judged by set operations, and its recorded events as a relation.

Most participants can be vouched for by set operations (`bulk.doubts`): all their rows are recorded.
Packages, the programme, whoever shares an identity, and whoever is doubted are judged by the law, as
in `judging`. So every row ends as it would have ended line by line, and few are looked at in Python.

A file whose writer judged it (its note says so, by the same programme) is believed where statements are
asked for; `check` believes nobody.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from attrs import define, field

from prakerja_ledger.bulk.doubts import among, find_doubtful, shared_identities
from prakerja_ledger.bulk.setting import NotForBulk
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT, Event
from prakerja_ledger.domain.fields import LARGEST_INTEGER
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.arrow import SCHEMA
from prakerja_ledger.evidence.columns import COLUMNS, DATA, ENVELOPE, LINE
from prakerja_ledger.interfaces.columnar.files import explained
from prakerja_ledger.interfaces.columnar.judging import AsideByNumber, Judge, Row
from prakerja_ledger.interfaces.columnar.note import check_pieces
from prakerja_ledger.interfaces.columnar.ordering import plain
from prakerja_ledger.interfaces.columnar.reading import ColumnarHistory
from prakerja_ledger.interfaces.columnar.rows import APART, decode
from prakerja_ledger.interfaces.columnar.subjects import filled, first_subject, runs
from prakerja_ledger.interfaces.columnar.values import to_microsecond

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from prakerja_ledger.bulk.connection import Interruptible

Tick = Callable[[int], None]
_AT_ONCE: Final = 1 << 14
_NOT_NULL: Final = tuple(one.name for one in ENVELOPE if not one.nullable)
_UNSURE: Final = r"\.[0-9]{7}|\\"
"""A line that may say an instant finer than its columns can: seven digits behind a point, or an escape."""


@define(eq=False)
class SetwiseHistory:
    """A Parquet history in a DuckDB connection. `judge` or `believe` it first, then `recorded` makes `events`.

    `folder` is a temporary one, for names without meaning to DuckDB. Raises what `explained` explains.
    """

    history: ColumnarHistory
    connection: Interruptible
    folder: Path
    tick: Tick
    aside: AsideByNumber = field(init=False, factory=AsideByNumber)
    count: int = field(init=False, default=0)
    """How many events are recorded."""

    def __attrs_post_init__(self) -> None:
        """Look at all bytes, and at the envelope of all rows."""
        with explained(self.history.name):
            for part in self.history.parts:
                if part.note is not None:
                    check_pieces(part.file, part.note)
            self._view()
            self._check_envelope()

    # --- the rows as they came --------------------------------------------------------------------

    def _view(self) -> None:
        """`history`: every row, its instants as timestamps in UTC, sorted by subject and position."""
        names = []
        for number, part in enumerate(sorted(self.history.parts, key=first_subject)):
            link = self.folder / f"part-{number:05}.parquet"  # a path may hold what a pattern means
            link.symlink_to(part.path.resolve())
            names.append(os.fspath(link))
        listed = among(names).strip("()")  # our own names: none has a bracket
        files = f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false)"
        given = {row[0] for row in self._run(f"DESCRIBE FROM {files}").fetchall()}
        columns = ", ".join(_column(one.name, given) for one in COLUMNS)
        self._run(f"CREATE OR REPLACE TEMP VIEW history AS SELECT {columns} FROM {files}")
        if not self._is_sorted():
            self._run("CREATE TEMP TABLE sorted AS FROM history ORDER BY subject, position")
            self._run("CREATE OR REPLACE TEMP VIEW history AS FROM sorted")

    def _is_sorted(self) -> bool:
        if len(self.history.parts) == 1 and self.history.parts[0].note is not None:
            return True  # as we write it
        return not self._one(
            "SELECT count(*) FROM (SELECT subject, position, lag(subject) OVER () AS before, "
            "lag(position) OVER () AS position_before FROM history) "
            "WHERE subject < before OR (subject = before AND position <= position_before)"
        )

    def _check_envelope(self) -> None:
        nulls = " OR ".join(f"{name} IS NULL" for name in _NOT_NULL)
        bad, low, high = self._row(
            f"SELECT count(*) FILTER ({nulls}), coalesce(min(position), 1), coalesce(max(position), 1) "
            "FROM history"
        )
        if bad or low < 1 or high > LARGEST_INTEGER:
            raise NotForBulk(Phrase("its envelope is not as it must be"))  # and the law says where

    def _run(self, query: str, values: Any = None) -> DuckDBPyConnection:
        return self.connection.execute(query, values)

    def _row(self, query: str) -> tuple[Any, ...]:
        found: list[tuple[Any, ...]] = self._run(query).fetchall()
        return found[0]

    def _one(self, query: str) -> Any:
        return self._row(query)[0]

    def _tables(self, where: str, order: str) -> Iterator[Any]:
        """Some of the rows, some at a time."""
        query = f"FROM history WHERE {where} ORDER BY {order}"
        for batch in self.connection.sql(query).to_arrow_reader(_AT_ONCE):
            yield plain(pa.Table.from_batches([batch]), SCHEMA)

    def _each(self, where: str) -> Iterator[Row]:
        """Some of the rows that are no blank lines, in the order of recording."""
        for table in self._tables(where, "position"):
            rows = decode(table, self.history.programme)
            yield from filled(rows, 0, len(rows.numbers))

    # --- judging ----------------------------------------------------------------------------------

    def believe(self) -> bool:
        """Whether every row is recorded, as the writer of the file says who judged it."""
        if not self.history.is_judged:
            return False
        self.count = self.history.size
        self._run("CREATE OR REPLACE TEMP TABLE turned_away (position BIGINT)")
        return True

    def judge(self) -> None:
        """Judge every row."""
        with explained(self.history.name):
            self._judge()

    def _judge(self) -> None:
        if self._one("SELECT count(*) - count(DISTINCT position) FROM history"):
            raise NotForBulk(Phrase("a position stands there twice"))
        self._run(
            "CREATE OR REPLACE TEMP TABLE apart AS SELECT DISTINCT subject FROM history "
            f"WHERE kind IN {among(APART)} OR subject = '{PROGRAMME_SUBJECT}'"
        )
        self._run("CREATE OR REPLACE TEMP VIEW given AS FROM history WHERE kind <> ''")
        for subject in shared_identities(self._run):
            self._run("INSERT INTO apart VALUES (?)", [subject])
        judge = Judge(self.history.programme, None)
        self.aside = judge.aside
        judge.judge_apart(self._each("subject IN (FROM apart)"))
        self._run(
            "CREATE OR REPLACE TEMP VIEW given AS FROM history WHERE subject NOT IN (FROM apart)"
        )
        offers = ((package.id, package.events[0].position) for package in judge.apart.packages)
        find_doubtful(self._run, self.history.programme, offers, lambda: self.tick(0))
        self._judge_doubtful(judge)
        vouched = self._one("SELECT count(*) FROM given WHERE subject NOT IN (FROM doubtful)")
        self.count = judge.recorded + vouched
        self._turn_away()

    def _judge_doubtful(self, judge: Judge) -> None:
        where = "subject IN (FROM doubtful) AND subject NOT IN (FROM apart)"
        tables = self._tables(where, "subject, position")
        for subject, run in runs(tables, self.history.programme):
            judge.judge_alone(subject, run, None)

    def _turn_away(self) -> None:
        """Keep the positions of rows that were not recorded."""
        numbers = pa.array((one.number for one in self.aside), pa.int64())
        self.connection.register("numbers", pa.table({"position": numbers}))
        self._run("CREATE OR REPLACE TEMP TABLE turned_away AS FROM numbers")
        self.connection.unregister("numbers")

    # --- what is recorded -------------------------------------------------------------------------

    def recorded(self) -> None:
        """Leave the relation `events`, as `bulk` reads it. Raises NotForBulk for what no column can say."""
        columns = ", ".join(one.name for one in (*ENVELOPE, *DATA))
        where = "kind <> ''"
        if self._one("SELECT count(*) FROM turned_away"):
            where += " AND position NOT IN (FROM turned_away)"
        self._refuse_finer(where)
        self._run(
            f"CREATE OR REPLACE TEMP VIEW events AS SELECT {columns}, NULL::VARCHAR AS {LINE.name} "
            f"FROM history WHERE {where}"
        )

    def _refuse_finer(self, where: str) -> None:
        """Raise NotForBulk for an instant that its column does not hold whole: the order may rest on it."""
        unsure = f"regexp_matches({LINE.name}, '{_UNSURE}')"
        for row in self._each(f"{where} AND {LINE.name} IS NOT NULL AND {unsure}"):
            event = row.event
            assert isinstance(event, Event), "it is recorded"
            for at in (event.occurred_at, event.recorded_at):
                if at != to_microsecond(at):
                    raise NotForBulk(
                        Phrase(
                            "line {number} holds an instant finer than a microsecond",
                            number=row.number,
                        )
                    )


def _column(name: str, given: set[str]) -> str:
    if name not in given:
        return f"NULL::BLOB AS {name}"
    return (
        f"make_timestamp(epoch_us({name})) AS {name}" if name in ("time", "recordedtime") else name
    )
