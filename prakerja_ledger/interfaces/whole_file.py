"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO


@contextmanager
def aside(target: Path, *, is_new: bool = False) -> Iterator[Path]:
    """A file beside the target, which takes its place once it is whole; else it goes.

    `is_new`: never the place of a file that is there by then; raises FileExistsError.
    """
    with tempfile.NamedTemporaryFile(
        dir=target.parent, prefix=f".{target.name}.", delete=False
    ) as made:
        path = Path(made.name)
    try:
        yield path
        with path.open("rb") as file:
            os.fsync(file.fileno())
        if is_new:
            _put_in_place(path, target)
        else:
            path.replace(target)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _put_in_place(path: Path, target: Path) -> None:
    """Give a file its name, unless something else has it: looking before would leave a moment between."""
    try:
        target.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:  # no links on this file system: the name is taken first, and then the place
        with target.open("xb"):
            pass
        path.replace(target)
    path.unlink(missing_ok=True)


def compressed(file: IO[bytes], target: Path) -> AbstractContextManager[IO[bytes]]:
    """The file, compressed as the target's name says."""
    if target.suffix == ".gz":
        import gzip  # noqa: PLC0415  # only for files that need it

        return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)  # type: ignore[return-value]
    if target.suffix == ".zst":
        import zstandard  # noqa: PLC0415  # only for files that need it

        return zstandard.ZstdCompressor().stream_writer(file, closefd=False)
    return nullcontext(file)
