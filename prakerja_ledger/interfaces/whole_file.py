"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO


@contextmanager
def aside(target: Path) -> Iterator[Path]:
    """A file beside the target, which takes its place once it is whole; else it goes."""
    with tempfile.NamedTemporaryFile(
        dir=target.parent, prefix=f".{target.name}.", delete=False
    ) as made:
        path = Path(made.name)
    try:
        yield path
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(target)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def compressed(file: IO[bytes], target: Path) -> AbstractContextManager[IO[bytes]]:
    """The file, compressed as the target's name says."""
    if target.suffix == ".gz":
        import gzip  # noqa: PLC0415  # only for files that need it

        return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)  # type: ignore[return-value]
    if target.suffix == ".zst":
        import zstandard  # noqa: PLC0415  # only for files that need it

        return zstandard.ZstdCompressor().stream_writer(file, closefd=False)
    return nullcontext(file)
