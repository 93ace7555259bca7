"""Several processes that make rows, while this one reads and writes."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from subprocess import PIPE, Popen
from threading import local
from types import TracebackType
from typing import IO, Any, Final, Self

from attrs import define

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.ledger.journal import (
    PACKAGE_PREFIX,
    PROGRAMME_STREAM,
    Looking,
    StoredLine,
)
from prakerja_ledger.ledger.mapper import LedgerMapper
from prakerja_ledger.ledger.streams import JournalStreams
from prakerja_ledger.projecting.maker import Found, Maker
from prakerja_ledger.projecting.rows import OwnRows
from prakerja_ledger.reading.view import View


@define(eq=False)
class CommonLines:
    """What participants' rows rest on besides: the lines of the programme and of the packages."""

    lines: Mapping[str, list[StoredLine]]

    @classmethod
    def of(cls, reading: Looking) -> Self:
        """Those of a ledger, as it is now."""
        programme = {PROGRAMME_STREAM: list(reading.stream(PROGRAMME_STREAM))}
        return cls({**programme, **dict(reading.streams(PACKAGE_PREFIX))})

    def stream(self, name: str, known: int = 0) -> Sequence[StoredLine]:
        """The lines of a stream after the first `known` ones."""
        return self.lines.get(name, [])[known:]

    def streams(self, prefix: str) -> Iterator[tuple[str, list[StoredLine]]]:
        """Every stream of a prefix, by name in the order of code points, with its lines."""
        return (one for one in sorted(self.lines.items()) if one[0].startswith(prefix))


class Makers:
    """Processes that make rows. What those rest on is given once, as it was when they began.

    Started as programs of their own and not by `multiprocessing`, which would import the host's main
    module in each of them, whatever that does.
    """

    def __init__(
        self, processes: int, common: CommonLines, programme: Programme, day: date
    ) -> None:
        self._begins: bytes = pickle.dumps((common, programme, day), pickle.HIGHEST_PROTOCOL)
        self._threads = ThreadPoolExecutor(processes, "prakerja-ledger-makers", self._start)
        self._own = local()
        self._processes: list[Popen[bytes]] = []

    def _start(self) -> None:
        """One thread, one process: it waits for the rows."""
        self._own.process = Popen(  # noqa: S603  # this interpreter, and a program of our own
            [sys.executable, "-c", _PROGRAM], stdin=PIPE, stdout=PIPE
        )
        self._processes.append(self._own.process)

    def rows(self, found: Sequence[Found]) -> Future[list[OwnRows]]:
        """Have the rows of participants made. Its result raises LedgerFault where a process died."""
        return self._threads.submit(self._made, found)

    def _made(self, found: Sequence[Found]) -> list[OwnRows]:
        process: Popen[bytes] = self._own.process
        assert process.stdin is not None, "a pipe"
        assert process.stdout is not None, "a pipe"
        try:
            if not hasattr(self._own, "begun"):
                pickle.dump(sys.path, process.stdin)
                process.stdin.write(self._begins)
                self._own.begun = True
            pickle.dump(found, process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            answer: list[OwnRows] | Exception = _read(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise LedgerFault(
                source="the processes that make rows",
                problem="one of them has died, perhaps for want of memory. What is written stays; go on "
                "with fewer processes.",
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.kill()
        self._threads.shutdown()
        for process in self._processes:
            process.communicate()


_PROGRAM: Final = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from prakerja_ledger.projecting.makers import work
work()
"""


def _read(stream: IO[bytes]) -> Any:
    return pickle.load(stream)  # noqa: S301  # written by the other end of a pipe between the two of us


def work() -> None:
    """What a process does: make rows for as long as it is given participants."""
    given, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not spoil an answer
    common, programme, day = _read(given)
    maker = Maker(JournalStreams(common, LedgerMapper()), programme, View(as_of=day))
    while True:
        try:
            found = _read(given)
        except EOFError:
            return
        answer: list[OwnRows] | Exception
        try:
            answer = maker.rows(found)
        except Exception as error:  # noqa: BLE001  # raised where the rows are waited for
            answer = error
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
