"""Which participants each task has, and in which row groups of which files their rows stand.

A history's files are sorted by participant, and their footers say from whom to whom each row group
goes. So a part of the participants is found without reading a row: nothing is shuffled, and each task
reads its own row groups (those on its two edges are read by its neighbour too).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Final, NamedTuple

import pyarrow as pa
from pyarrow import fs
from pyarrow import parquet as pq

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase

_AT_ONCE: Final = 16
"""Footers fetched at a time: on object storage each takes a round trip or two."""
_MOST_READS: Final = 2
"""How often a row may be read, on average, before the files count as not sorted by participant."""

_MOST_ROWS: Final = 4
"""How many times the rows that a part should have it may come to, before likewise."""


class Group(NamedTuple):
    """A row group: its file, its number there, its rows, and its first and last subject."""

    path: str
    number: int
    rows: int
    first: str
    last: str


class Part(NamedTuple):
    """Participants from one id up to another (None: without end), and where their rows stand."""

    low: str | None
    high: str | None
    groups: tuple[tuple[str, int], ...]


class Files(NamedTuple):
    """The files of a source. Where they stand is named as pyarrow names it, without a scheme."""

    source: str
    filesystem: Any
    paths: tuple[str, ...]


def files_of(source: str | Sequence[str]) -> Files:
    """The Parquet files of paths, folders or URIs. Raises UnreadableSource."""
    named = [source] if isinstance(source, str) else list(source)
    shown = ", ".join(named)
    try:
        places = [_place(one) for one in named]
        filesystem = places[0][0]
        if any(other != filesystem for other, _ in places):
            raise UnreadableSource(
                source=shown,
                problem=Phrase("its files stand in different stores. Name files of one store."),
            )
        paths = tuple(path for _, place in places for path in _parts(filesystem, place))
    except (OSError, pa.ArrowException) as error:
        raise UnreadableSource(
            source=shown, problem=Phrase("{error}. Check the path.", error=str(error))
        ) from None
    if not paths:
        raise UnreadableSource(
            source=shown, problem=Phrase("it holds no Parquet file. Check the path.")
        )
    return Files(shown, filesystem, paths)


def _place(name: str) -> tuple[Any, str]:
    """A store and a path in it; Hadoop's name of S3 is Spark's too."""
    if "://" not in name:
        return fs.LocalFileSystem(), name
    found: tuple[Any, str] = fs.FileSystem.from_uri(name.replace("s3a://", "s3://", 1))
    return found


def _parts(filesystem: Any, path: str) -> Iterable[str]:
    """A file, or the part files of a folder, by name."""
    if filesystem.get_file_info(path).type is not fs.FileType.Directory:
        return [path]
    return sorted(
        one.path
        for one in filesystem.get_file_info(fs.FileSelector(path))
        if one.is_file and one.base_name.endswith(".parquet") and one.base_name[0] not in "._"
    )


def groups_of(files: Files, check: Callable[[Any], None]) -> list[Group]:
    """Every row group that has rows, from the footers. Raises what `check` does, and Arrow's errors."""

    def read(path: str) -> list[Group]:
        with files.filesystem.open_input_file(path) as file:
            metadata = pq.read_metadata(file)
        check(metadata.schema.to_arrow_schema())
        return list(_groups(path, metadata))

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return [group for found in threads.map(read, files.paths) for group in found]


def _groups(path: str, metadata: Any) -> Iterable[Group]:
    columns = metadata.schema
    subject = next(n for n in range(len(columns)) if columns.column(n).path == "subject")
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if group.num_rows:
            spans = group.column(subject).statistics
            known = spans is not None and spans.has_min_max
            first, last = (spans.min, spans.max) if known else ("", "\U0010ffff" * 200)
            yield Group(path, number, group.num_rows, first, last)


def parts_of(groups: Iterable[Group], events_a_part: int) -> list[Part]:
    """Cut the participants into parts of about so many events, by id.

    Raises ValueError where the files are not sorted by participant: each part would read them all.
    """
    in_order = sorted(groups, key=lambda group: (group.first, group.last))
    bounds = _bounds(in_order, events_a_part)
    found = [
        Part(low, high, tuple((g.path, g.number) for g in in_order if _reaches(g, low, high)))
        for low, high in pairwise(bounds)
    ]
    if sum(len(part.groups) for part in found) > _MOST_READS * (len(in_order) + len(found)):
        raise ValueError("the rows do not stand by participant")
    return found


def _bounds(in_order: Sequence[Group], events_a_part: int) -> list[str | None]:
    """Where parts begin and end. Raises ValueError where one would hold far more than it should."""
    bounds: list[str | None] = [None]
    first, rows = "", 0
    most = _MOST_ROWS * max([events_a_part, *(group.rows for group in in_order)])
    for group in in_order:
        if rows == 0:
            first = group.first
        elif rows >= events_a_part and group.first > first:
            bounds.append(group.first)
            first, rows = group.first, 0
        rows += group.rows
        if rows > most:
            raise ValueError("the rows do not stand by participant")
    return [*bounds, None]


def _reaches(group: Group, low: str | None, high: str | None) -> bool:
    return (low is None or group.last >= low) and (high is None or group.first < high)
