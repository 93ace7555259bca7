"""Files written whole or not at all."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import IO


@contextmanager
def aside(target: Path, *, is_new: bool = False) -> Iterator[Path]:
    """A file beside the target, which takes its place once it is whole; else it goes.

    `is_new`: never the place of a file that is there by then; raises FileExistsError.
    """
    path: Path | None = None
    try:
        with undisturbed():
            number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            path = Path(name)
            os.close(number)
        yield path
        with path.open("rb") as file:
            os.fsync(file.fileno())
        if is_new:
            _put_in_place(path, target)
        else:
            path.replace(target)
    except BaseException:
        if path is not None:
            path.unlink(missing_ok=True)
        raise


def _put_in_place(path: Path, target: Path) -> None:
    """Give a file its name, unless something else has it: looking before would leave a moment between."""
    try:
        target.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:  # no links on this file system: the name is taken first, and then the place
        with undisturbed():
            with target.open("xb"):
                pass
            try:
                path.replace(target)
            except OSError:
                target.unlink()
                raise
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


@contextmanager
def own_folder(beside: Path | None = None) -> Iterator[Path]:
    """A folder that goes at the end, beside a file that is to be made, or wherever such folders are."""
    prefix = f".{beside.name}." if beside else "prakerja-ledger-"
    with undisturbed():
        made = tempfile.TemporaryDirectory(
            prefix=prefix, dir=beside and beside.parent, ignore_cleanup_errors=True
        )
    with made as name:
        yield Path(name)


@contextmanager
def undisturbed() -> Iterator[None]:
    """What a signal may not cut in two: it is delivered afterwards.

    A folder that nobody knows of yet would stay; and importing DuckDB was seen to abort the process.
    """
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    handled = {one: handler for one, handler in before.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    for one in handled:
        signal.signal(one, lambda *given: came.append(given))
    try:
        yield
    finally:
        for one, handler in handled.items():
            signal.signal(one, handler)
        for number, frame in came[:1]:
            handled[signal.Signals(number)](number, frame)
