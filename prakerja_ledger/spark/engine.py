"""The answers, with the face of `bulk.engine.Bulk`: statements, unpaid lines, totals and findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from attrs import evolve

from prakerja_ledger.bulk.engine import EVENTS_A_PART, Row
from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase, from_json
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.evidence.arrow import SCHEMA as ROWS
from prakerja_ledger.reading.view import View
from prakerja_ledger.spark import rows as table_rows
from prakerja_ledger.spark import task
from prakerja_ledger.spark.across import of_packages, shared
from prakerja_ledger.spark.job import SCHEMA, Job, Message
from prakerja_ledger.spark.law import Judged, Law
from prakerja_ledger.spark.layout import files_of, groups_of, parts_of
from prakerja_ledger.spark.session import session_for

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

UNARRANGED: Final = Phrase(
    "its rows do not stand by participant, so every task would read all of it. Lay it out once with "
    "prakerja_ledger.spark.arranging.arrange."
)
EVENTS_A_TASK: Final = EVENTS_A_PART // 4
"""An executor holds the rows of a part twice, as Arrow and as a table of DuckDB."""
_SORTED_BY: Final = ("dated", "subject", "code", "detail", "place")


class Spark:
    """A Parquet history on a cluster, read in one view of one programme.

    `source` is a path, a URI, or several, that every executor can open. Rows are judged by the law
    that is handed over, unless they are vouched for: all recorded, as an export of a ledger is.
    Raises UnreadableSource.
    """

    def __init__(
        self,
        source: str | Sequence[str],
        law: Law,
        programme: Programme,
        view: View,
        *,
        session: SparkSession | None = None,
        master: str = "local[*]",
        is_vouched: bool = False,
        by_python: bool = False,
        events_a_part: int = EVENTS_A_TASK,
        threads: int = 1,
        memory_limit: str = "1GB",
    ) -> None:
        files = files_of(source)
        with law.explained(files.source):
            groups = groups_of(files, law.check)
        self._rows = sum(group.rows for group in groups)
        try:
            parts = parts_of(groups, events_a_part)
        except ValueError:
            raise UnreadableSource(source=files.source, problem=UNARRANGED) from None
        self._session = session if session is not None else session_for(master)
        self._job = Job(
            files=files,
            parts=tuple(parts),
            law=law,
            programme=programme,
            view=view,
            apart=b"",
            aside=frozenset(),
            is_vouched=is_vouched,
            by_python=by_python,
            threads=threads,
            memory_limit=memory_limit,
        )
        self._together = self._judge_together()
        self.withheld: list[tuple[str, date]] = []
        """Participants whose statement is an error, and the day that the calendar lacks."""
        self.undecided: list[tuple[str, date]] = []
        """Participants of whom a report cannot be judged, and the day that the calendar lacks."""
        self.recorded: int = 0
        """How many rows are on record; known once an answer has begun."""
        self.duplicates: int = 0
        """How many said what was on record already; likewise."""
        self.refused: dict[str, int] = {}
        """How many rows were refused, by quarantine code; likewise."""

    # -- those who are judged together --

    def _judge_together(self) -> Judged:
        """Find whom nobody is judged without, and judge them here: packages are few."""
        tables = self._tables(task.look)
        subjects = {name for table in tables for name in _subjects(table)}
        if not self._job.is_vouched and (sharing := self._sharing() - subjects):
            tables += self._tables(partial(task.together, subjects=sharing))
        apart = pa.concat_tables([ROWS.empty_table(), *(one.cast(ROWS) for one in tables)])
        with self._explained():
            judged = self._job.law.judge(apart, ROWS.empty_table(), keep=True)
        self._job = evolve(self._job, apart=table_rows.packed(apart), aside=frozenset(judged.aside))
        self._apart = len(apart)
        return judged

    def _explained(self) -> AbstractContextManager[None]:
        return self._job.law.explained(self._job.files.source)

    def _tables(self, work: Callable[..., Any]) -> list[Any]:
        found = self._messages(self._performed(work).toLocalIterator())
        return [table_rows.unpacked(one.body) for one in found]

    def _sharing(self) -> frozenset[str]:
        """Subjects of which two have an identity in common, or its hash."""
        from pyspark.sql import functions  # noqa: PLC0415  # an extra

        several = (
            self._performed(task.identities)
            .filter("what = 'identity'")  # what could not be read is said when it is asked for
            .groupBy("place")
            .agg(functions.collect_set("subject").alias("subjects"))
            .filter("size(subjects) > 1")
            .select(functions.explode("subjects").alias("subject"))
            .distinct()
        )
        return frozenset(row.subject for row in several.collect())

    # -- tasks --

    def _performed(self, work: Callable[..., Any]) -> DataFrame:
        """The messages of every part, the first part's first: one task a part."""
        count, job = len(self._job.parts), self._job
        numbers = self._session.range(0, count, 1, count)
        return numbers.mapInArrow(lambda given: work(given, job=job), SCHEMA)

    @contextmanager
    def _asked(self, question: str, by: str = "") -> Iterator[DataFrame]:
        """The messages of an answer, worked out by all executors at once and kept on their disks.

        Without that they would be worked out part by part, as they are given out in order.
        """
        from pyspark import StorageLevel  # noqa: PLC0415  # an extra

        self.withheld, self.undecided = [], []
        self.recorded, self.duplicates, self.refused = 0, 0, {}
        self._count_together()
        kept = self._performed(partial(task.perform, question=(question, by)))
        kept = kept.persist(StorageLevel.DISK_ONLY)
        try:
            tallies = kept.filter("what = 'tally' OR what = 'unreadable'").collect()
            self._tally(self._messages(tallies))
            yield kept
        finally:
            kept.unpersist()

    def _messages(self, rows: Iterable[Any]) -> Iterator[Message]:
        """Rows of Spark as messages; what a task could not read is raised here."""
        for row in rows:
            one = Message(*row)
            if one.what == "unreadable":
                raise UnreadableSource(source=self._job.files.source, problem=from_json(one.said))
            yield one

    # -- what became of the rows --

    @property
    def quarantined(self) -> int:
        """How many rows were refused; known once an answer has begun."""
        return sum(self.refused.values())

    def _count_together(self) -> None:
        judged = self._together
        self.duplicates += len(judged.duplicates)
        for code in judged.refused.values():
            self.refused[code] = self.refused.get(code, 0) + 1
        self.recorded += self._apart - len(judged.aside)

    def _tally(self, tallies: Iterable[Message]) -> None:
        """Add up what tasks say. Raises UnreadableSource where not every row was read once."""
        read = 0
        for one in tallies:
            rows, recorded, duplicates, refused = one.said
            read += rows
            self.recorded += recorded
            self.duplicates += duplicates
            for code, count in refused.items():
                self.refused[code] = self.refused.get(code, 0) + count
        if read != self._rows:
            raise UnreadableSource(
                source=self._job.files.source,
                problem=Phrase(
                    "{read} of its {rows} rows were found: its footers say other things. Fetch the file again.",
                    read=read,
                    rows=self._rows,
                ),
            )

    def _remember(self, one: Message) -> None:
        """Who has no statement, and of whom a report cannot be judged."""
        found = (one.subject, date.fromisoformat(one.dated))
        if one.what == "withheld":
            self.withheld.append(found)
        elif one.what == "undecided":
            self.undecided.append(found)

    # -- answers --

    def statements(self) -> Iterator[bytes]:
        """Every statement as JSON with its LF, in pieces of any length; those withheld are left out."""
        codec = pa.Codec("zstd")
        with self._asked("statements") as kept:
            rows = kept.filter("what <> 'tally'").toLocalIterator(prefetchPartitions=True)
            for one in self._messages(rows):
                if one.what == "text":
                    yield codec.decompress(one.body, one.place, asbytes=True)
                else:
                    self._remember(one)

    def _rows_of(self, question: str, what: str, by: str = "") -> Iterator[list[Any]]:
        with self._asked(question, by) as kept:
            rows = kept.filter("what <> 'tally'").toLocalIterator(prefetchPartitions=True)
            for one in self._messages(rows):
                if one.what == what:
                    yield one.said
                else:
                    self._remember(one)

    def totals(self, by: str) -> list[Row]:
        """Sums by group, as `totals` prints them: the key, participants, lines, entitlement, amounts."""
        groups: dict[Any, list[int]] = {}
        for key, *numbers in self._rows_of("totals", "total", by):
            so_far = groups.setdefault(key, [0] * len(numbers))
            groups[key] = [a + b for a, b in zip(so_far, numbers, strict=True)]
        in_order = sorted(groups.items(), key=lambda group: (group[0] is None, group[0]))
        return [(key, *numbers) for key, numbers in in_order]

    def unpaid(self) -> list[Row]:
        """One row a line with money unpaid, as `unpaid` prints them, the longest overdue first."""
        found = [tuple(row) for row in self._rows_of("unpaid", "unpaid")]
        return sorted(found, key=_longest_overdue_first)

    def findings(self) -> Iterator[bytes]:
        """Every finding as JSON with its LF, in pieces of any length."""
        from pyspark.sql import Window, functions  # noqa: PLC0415  # an extra

        job = self._job
        with self._asked("findings") as kept:
            others = kept.filter("what = 'evaluated'").select("subject").distinct()
            evaluated = {row.subject for row in others.collect()}
            for one in self._messages(kept.filter("what = 'undecided'").toLocalIterator()):
                self._remember(one)
            users = functions.count("*").over(Window.partitionBy("code", "detail"))
            uses = kept.filter("what = 'use'").withColumn("users", users).filter("users > 1")
            several = uses.drop("users").mapInArrow(lambda given: shared(given, job=job), SCHEMA)
            ours = list(of_packages(job, self._together, evaluated))
            found = kept.filter("what = 'finding'").unionAll(several)
            found = found.unionAll(self._session.createDataFrame(ours, SCHEMA))
            for row in found.orderBy(*_SORTED_BY).select("body").toLocalIterator():
                yield bytes(row.body)


def _subjects(table: Any) -> list[str]:
    found: list[str] = table.column("subject").cast(pa.string()).unique().to_pylist()
    return found


def _longest_overdue_first(row: Row) -> tuple[Any, ...]:
    participant, _, line, _, _, due_on, overdue, *_ = row
    return (-overdue, due_on, participant, line)
