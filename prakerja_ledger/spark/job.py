"""What every task is told, and what it sends back."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

import pyarrow as pa
from attrs import frozen

from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.reading.view import View
from prakerja_ledger.spark.law import Law
from prakerja_ledger.spark.layout import Files, Part


@frozen(kw_only=True, eq=False)
class Job:
    """One answer over one source in one view. Pickled and sent to every executor."""

    files: Files
    parts: tuple[Part, ...]
    law: Law
    programme: Programme
    view: View
    apart: bytes
    """The rows of subjects that are judged together, packed: those of every part."""
    aside: frozenset[int]
    """Which of them were not recorded."""
    is_vouched: bool
    """Every row is on record already: nothing is judged once more."""
    by_python: bool
    """The Python law answers, also where the one in SQL could."""
    threads: int
    memory_limit: str


class Message(NamedTuple):
    """One row that a task sends: what it is, what it is sorted by, and what it says."""

    what: str
    dated: str = ""
    subject: str = ""
    code: str = ""
    detail: str = ""
    place: int = 0
    body: bytes = b""

    @property
    def said(self) -> Any:
        """The body, where it is JSON."""
        return json.loads(self.body)


SCHEMA: Final = (
    "what string, dated string, subject string, code string, detail string, place long, body binary"
)
"""Messages as Spark has them."""
_ARROW: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("what", "dated", "subject", "code", "detail")),
        ("place", pa.int64()),
        ("body", pa.binary()),
    ]
)


def saying(value: Any) -> bytes:
    """A body of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def batch(messages: list[Message]) -> Any:
    """Messages as one Arrow batch."""
    columns = zip(*messages, strict=True) if messages else [[] for _ in _ARROW]
    arrays = [pa.array(column, one.type) for column, one in zip(columns, _ARROW, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_ARROW)


def messages(found: Any) -> list[Message]:
    """The messages of an Arrow batch."""
    columns = [found.column(name).to_pylist() for name in _ARROW.names]
    return [Message(*row) for row in zip(*columns, strict=True)]
