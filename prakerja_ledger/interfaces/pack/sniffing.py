"""Whether a SOURCE is a pack: told by how it begins, never by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MAGIC: Final = b"PK\x03\x04"


def is_pack(source: str) -> bool:
    """Whether a path leads to a zip file. Only plain files are looked into, as in `columnar.sniffing`."""
    path = Path(source)
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False  # the reader of lines says what is wrong with it
