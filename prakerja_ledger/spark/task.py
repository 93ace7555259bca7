"""What a task does on an executor: reads its part of the participants, judges it, answers, sends messages."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import pyarrow as pa
from pyarrow import compute as pc

from prakerja_ledger.bulk.setting import NotForBulk
from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import as_json
from prakerja_ledger.spark import rows as table_rows
from prakerja_ledger.spark.by_python import ByPython
from prakerja_ledger.spark.by_sql import BySql, connected
from prakerja_ledger.spark.job import Job, Message, batch, saying
from prakerja_ledger.spark.law import Judged
from prakerja_ledger.spark.layout import Part

_PIECE: Final = 1 << 22
"""Bytes of statements packed at a time."""
_SENT: Final = 4096
"""Messages of a batch."""
_LOOKED_AT: Final = ("source", "id", "kind", "subject")

Question = tuple[str, str]
"""What is asked, and what totals are grouped by."""
Work = Callable[[Job, Part], Iterator[Message]]


def perform(given: Iterable[Any], *, job: Job, question: Question) -> Iterator[Any]:
    """The answer of each part."""
    pa.set_cpu_count(job.threads)
    yield from _each(given, job, lambda job, part: _answer(question, job, part))


def look(given: Iterable[Any], *, job: Job) -> Iterator[Any]:
    """Of each part, the rows of subjects that are judged together: packages, the programme, nobody."""
    yield from _each(given, job, _apart)


def identities(given: Iterable[Any], *, job: Job) -> Iterator[Any]:
    """Hashes of each subject's identities, each once."""
    yield from _each(given, job, _identities)


def _each(given: Iterable[Any], job: Job, work: Work) -> Iterator[Any]:
    """The messages of the parts whose numbers are given, in batches."""
    for numbers in given:
        for number in numbers.column(0).to_pylist():
            yield from _sent(_said(job, job.parts[number], work))


def _sent(messages: Iterable[Message]) -> Iterator[Any]:
    waiting: list[Message] = []
    for one in messages:
        waiting.append(one)
        if len(waiting) >= _SENT or len(one.body) > _PIECE // 8:
            yield batch(waiting)
            waiting = []
    if waiting:
        yield batch(waiting)


def _said(job: Job, part: Part, work: Work) -> Iterator[Message]:
    """What cannot be read is said, not raised: an executor's trace explains nothing to a user."""
    try:
        yield from work(job, part)
    except UnreadableSource as error:
        yield Message("unreadable", body=saying(as_json(error.fields["problem"])))


def _rows(job: Job, part: Part, columns: tuple[str, ...] | None = None) -> Any:
    with job.law.explained(job.files.source):
        return table_rows.rows_of(job.files, part, columns)


def _apart(job: Job, part: Part) -> Iterator[Message]:
    kinds = _rows(job, part, ("kind", "subject"))
    found = table_rows.apart_in(kinds)
    subjects = pc.unique(kinds.column("subject").cast(pa.string()))
    if pc.any(pc.is_in(subjects, value_set=pa.array(sorted(found)))).as_py():
        table = _rows(job, part)
        yield Message("apart", body=table_rows.packed(table_rows.of_subjects(table, found)))


def together(given: Iterable[Any], *, job: Job, subjects: frozenset[str]) -> Iterator[Any]:
    """The rows of some subjects, wherever they stand."""

    def work(job: Job, part: Part) -> Iterator[Message]:
        table = table_rows.of_subjects(_rows(job, part), subjects)
        if len(table):
            yield Message("apart", body=table_rows.packed(table))

    yield from _each(given, job, work)


def _identities(job: Job, part: Part) -> Iterator[Message]:
    import duckdb  # noqa: PLC0415  # an extra; whoever comes here has it

    table = _rows(job, part, _LOOKED_AT)
    with duckdb.connect(config={"threads": job.threads}) as connection:
        connection.register("given_rows", table)
        found = connection.execute(
            "SELECT DISTINCT CAST(hash(source, id) >> 1 AS BIGINT), subject FROM given_rows"
        )
        while rows := found.fetchmany(_SENT):
            yield from (Message("identity", subject=subject, place=name) for name, subject in rows)


def _answer(question: Question, job: Job, part: Part) -> Iterator[Message]:
    """The answer of one part, by SQL where that can, after what became of its rows."""
    apart = table_rows.unpacked(job.apart)
    judged = None
    with job.law.explained(job.files.source):
        table = table_rows.rows_of(job.files, part)
        own = table_rows.own_rows(table, apart)
        if not job.is_vouched:
            judged = job.law.judge(apart, own, keep=job.by_python)
    yield from _tally(own, table, judged)
    yield from _by_either(question, job, part, own, apart, judged)


def _tally(own: Any, table: Any, judged: Judged | None) -> Iterator[Message]:
    """How many rows were read, and what became of those that are judged here."""
    refused: dict[str, int] = {}
    duplicates = 0
    if judged is not None and judged.aside:
        positions = set(own.column("position").to_pylist())
        for position, code in judged.refused.items():
            if position in positions:
                refused[code] = refused.get(code, 0) + 1
        duplicates = len(judged.duplicates & positions)
    recorded = len(own) - duplicates - sum(refused.values())
    yield Message("tally", body=saying([len(table), recorded, duplicates, refused]))


def _by_either(
    question: Question, job: Job, part: Part, own: Any, apart: Any, judged: Judged | None
) -> Iterator[Message]:
    aside = job.aside | (judged.aside if judged is not None else frozenset())
    events = pa.concat_tables(
        [
            table_rows.without_positions(own, aside),
            table_rows.in_order(
                table_rows.for_part(table_rows.without_positions(apart, aside), part)
            ),
        ]
    )
    has_lines = any(events.column(name).null_count < len(events) for name in ("line", "line_bytes"))
    if not job.by_python and not has_lines:
        try:
            yield from _by_sql(question, job, events)
        except NotForBulk:
            pass
        else:
            return
    if judged is None or not job.by_python:  # judged without keeping anybody
        with job.law.explained(job.files.source):
            judged = job.law.judge(apart, own, keep=True)
    yield from _packed(_of_python(question, ByPython(job, part, judged)))


def _of_python(question: Question, found: ByPython) -> Iterator[bytes | Message]:
    what, by = question
    if what == "totals":
        return found.totals(by)
    answers = {"statements": found.statements, "unpaid": found.unpaid, "findings": found.findings}
    return answers[what]()


def _by_sql(question: Question, job: Job, events: Any) -> list[Message]:
    """All of the answer or nothing: SQL may find only half-way that it cannot read a number."""
    import duckdb  # noqa: PLC0415  # an extra; whoever comes here has it

    # In Spark's own folder, which goes with the executor, also when a task is killed.
    local = os.environ.get("SPARK_LOCAL_DIRS", "").partition(",")[0] or None
    with tempfile.TemporaryDirectory(prefix="prakerja-spark-", dir=local) as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": job.threads,
            "memory_limit": job.memory_limit,
            "temp_directory": folder,
        }
        with duckdb.connect(config=config) as connection:
            connected(connection, events)
            return list(_packed(BySql(connection, job).answer(*question)))


def _packed(answer: Iterator[bytes | Message]) -> Iterator[Message]:
    """Texts of statements packed into messages, in order; messages as they are."""
    codec = pa.Codec("zstd", compression_level=1)
    waiting: list[bytes] = []
    size = 0

    def pack() -> Message:
        text = b"".join(waiting)
        return Message("text", place=len(text), body=codec.compress(text, asbytes=True))

    for one in answer:
        if isinstance(one, Message):
            yield one
            continue
        waiting.append(one)
        size += len(one)
        if size >= _PIECE:
            yield pack()
            waiting, size = [], 0
    if waiting:
        yield pack()
