"""Whether a SOURCE is a Parquet history: told by what is in it, never by its name."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase

if TYPE_CHECKING:
    from collections.abc import Callable

    from prakerja_ledger.interfaces.columnar import reading

MAGICS: Final = (b"PAR1", b"PARE")
"""How a Parquet file begins; the second one where its footer is encrypted."""
_LENGTH: Final = len(MAGICS[0])
PART: Final = "*.parquet"


def parts_of(path: str) -> list[Path]:
    """The files that a path names: itself, or the part files of a folder, by name."""
    place = Path(path)
    if not place.is_dir():
        return [place]
    return sorted(part for part in place.glob(PART) if part.is_file() and part.name[0] not in "._")


def is_columnar(path: str) -> bool:
    """Whether a path leads to a Parquet file, or to a folder with part files.

    Only plain files are looked into: the first bytes of a pipe could not be given back.
    """
    place = Path(path)
    try:
        if place.is_dir():
            return bool(parts_of(path))
        if not place.is_file():
            return False
        with place.open("rb") as file:
            return file.read(_LENGTH) in MAGICS
    except (OSError, ValueError):
        return False  # the reader of lines says what is wrong with it


def reader(path: str) -> type[reading.ColumnarHistory]:
    """What reads a Parquet history. Raises UnreadableSource where the extra is not installed."""
    _need(path)
    from prakerja_ledger.interfaces.columnar.reading import ColumnarHistory  # noqa: PLC0415

    return ColumnarHistory


def writer(path: str) -> Callable[..., None]:
    """What writes one: `writing.write_columnar`. Raises UnreadableSource as above."""
    _need(path)
    from prakerja_ledger.interfaces.columnar.writing import write_columnar  # noqa: PLC0415

    return write_columnar


def _need(path: str) -> None:
    try:
        importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise UnreadableSource(
            source=path,
            problem=Phrase(
                "Parquet needs the package pyarrow: pip install 'prakerja-ledger[parquet]'."
            ),
        ) from None
