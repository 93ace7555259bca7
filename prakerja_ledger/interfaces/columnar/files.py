"""The files of a Parquet history: opened, found to be what they say, and read group by group."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
from attrs import define, field
from pyarrow import parquet as pq

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase, text_of
from prakerja_ledger.evidence.columns import BY_NAME, Kind
from prakerja_ledger.interfaces.columnar.note import Damaged, Note, check_pieces, read_note
from prakerja_ledger.interfaces.columnar.rows import BadRows
from prakerja_ledger.interfaces.columnar.schema import NoHistory, check_schema

BATCH: Final = 1 << 14
"""Rows decoded at once."""
_UNIQUE: Final = frozenset({"id", "certificate", "reference", "account", "line", "voided_id"})
"""Texts that hardly repeat; the others are read as dictionaries, each text of a batch made once."""
_TEXTS: Final = tuple(one.name for one in BY_NAME.values() if one.kind is Kind.TEXT)
_LONGEST_PROBLEM: Final = 200

Span = tuple[Any, Any] | None
"""The least and the greatest value of a column in a row group, if the file says so."""


@contextmanager
def explained(source: str) -> Iterator[None]:
    """Whatever a Parquet library or a hostile file comes up with, as UnreadableSource."""
    try:
        yield
    except NoHistory as error:
        raise UnreadableSource(
            source=source,
            problem=Phrase(
                "it is a Parquet file, but no history: {what}. See the history format, columnar.",
                what=text_of(error),
            ),
        ) from None
    except BadRows as error:
        raise UnreadableSource(
            source=source,
            problem=Phrase(
                "its rows are no history: {error}. Have it written anew.", error=text_of(error)
            ),
        ) from None
    except FileNotFoundError:
        raise UnreadableSource(
            source=source, problem=Phrase("there is no such file. Check the path.")
        ) from None
    except (
        *(Damaged, pa.ArrowException, OSError, EOFError, zlib.error, MemoryError),
        *(ArithmeticError, ValueError, KeyError, IndexError),
    ) as error:
        said = text_of(error)
        if not isinstance(said, Phrase):
            said = " ".join(said.split())[:_LONGEST_PROBLEM] or type(error).__name__
        raise UnreadableSource(
            source=source,
            problem=(
                Phrase(
                    "the Parquet data is damaged or cut short ({said}). Fetch the file again; what was "
                    "imported before stays recorded.",
                    said=said,
                )
            ),
        ) from None


@define(eq=False)
class Part:
    """One Parquet file of a history."""

    path: Path
    file: IO[bytes]
    note: Note | None
    parquet: Any = field(repr=False)
    _checked: set[int] = field(factory=set)

    @classmethod
    def open(cls, path: Path) -> Part:
        """Open a file and look at its footer. Raises what `explained` explains."""
        file = path.open("rb")
        try:
            note = read_note(file)
            metadata = pq.read_metadata(file)
            check_schema(metadata.schema.to_arrow_schema())
            by_dictionary = [
                name for name in _TEXTS if name not in _UNIQUE or _repeats(metadata, name)
            ]
            parquet = pq.ParquetFile(  # by name: its threads seek, and so do we
                os.fspath(path),
                metadata=metadata,
                read_dictionary=by_dictionary,
                page_checksum_verification=note is None,
            )
        except BaseException:
            file.close()
            raise
        return cls(path, file, note, parquet)

    @property
    def groups(self) -> int:
        """How many row groups it has."""
        return int(self.parquet.metadata.num_row_groups)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(self.parquet.metadata.num_rows)

    def spans(self, column: str) -> list[Span]:
        """The least and greatest value of a column, row group by row group."""
        index = self._index(column)
        found: list[Span] = []
        for number in range(self.groups):
            statistics = self.parquet.metadata.row_group(number).column(index).statistics
            has = statistics is not None and statistics.has_min_max
            found.append((statistics.min, statistics.max) if has else None)
        return found

    def _index(self, column: str) -> int:
        row = self.parquet.metadata.schema
        return next(n for n in range(len(row)) if row.column(n).path == column)

    def read(self, group: int, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The rows of a group, some at a time, once its bytes are known to be those written."""
        self._check(group)
        yield from (
            pa.Table.from_batches([batch])
            for batch in self.parquet.iter_batches(
                batch_size=BATCH, row_groups=[group], columns=columns
            )
        )

    def _check(self, group: int) -> None:
        if self.note is None or group in self._checked:
            return
        chunks = self.parquet.metadata.row_group(group)
        spans = [_bytes_of(chunks.column(n)) for n in range(chunks.num_columns)]
        start, end = min(span[0] for span in spans), max(span[1] for span in spans)
        check_pieces(self.file, self.note, start, end)
        self._checked.add(group)

    def close(self) -> None:
        """Close the file."""
        self.parquet.close()
        self.file.close()


def _repeats(metadata: Any, column: str) -> bool:
    """Whether a column is written as a dictionary: read plainly, a few bytes could fill the memory."""
    index = next(n for n in range(len(metadata.schema)) if metadata.schema.column(n).path == column)
    return any(
        metadata.row_group(n).column(index).has_dictionary_page
        for n in range(metadata.num_row_groups)
    )


def _bytes_of(chunk: Any) -> tuple[int, int]:
    """Where a column chunk begins and ends in its file."""
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset is not None:
        start = min(start, chunk.dictionary_page_offset)
    return start, start + chunk.total_compressed_size


def group_ends(metadata: Any) -> list[int]:
    """Where each row group of a file ends."""
    found = []
    for number in range(metadata.num_row_groups):
        chunks = metadata.row_group(number)
        found.append(max(_bytes_of(chunks.column(n))[1] for n in range(chunks.num_columns)))
    return found


def open_parts(paths: Iterable[Path]) -> list[Part]:
    """Open all of them, or none."""
    found: list[Part] = []
    try:
        for path in paths:
            with explained(os.fspath(path)):
                found.append(Part.open(path))
    except BaseException:
        for part in found:
            part.close()
        raise
    return found
