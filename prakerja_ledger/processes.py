"""Processes that help: each is given once what its answers rest on, and then asked.

Started as programs of their own and not by `multiprocessing`, which would import the host's main module
in each of them, whatever that does.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from subprocess import PIPE, Popen
from threading import local
from types import TracebackType
from typing import IO, Any, Final, Generic, Self, TypeVar

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.phrases import Phrase

Given = TypeVar("Given")
Answer = TypeVar("Answer")


class Helpers(Generic[Given, Answer]):
    """Some processes that answer. A context manager; leaving it ends them, whatever they are at.

    Each calls `begin` with `rests_on`, once, for what it answers with. All that goes to and fro is
    pickled, and so `begin` is a function of a module.
    """

    def __init__(
        self,
        processes: int,
        begin: Callable[..., Callable[[Given], Answer]],
        rests_on: tuple[Any, ...],
        *,
        source: str,
        advice: Phrase,
    ) -> None:
        self._begins: bytes = pickle.dumps((begin, rests_on), pickle.HIGHEST_PROTOCOL)
        self._source = source
        self._advice = advice
        self._threads = ThreadPoolExecutor(processes, "prakerja-ledger-helpers")
        self._own = local()
        self._ended = False
        self.processes: list[Popen[bytes]] = []

    def _process(self) -> Popen[bytes]:
        """One thread, one process: it waits for the answers."""
        if not hasattr(self._own, "process"):
            process = Popen(  # noqa: S603  # this interpreter, and a program of our own
                [sys.executable, "-c", _PROGRAM],
                stdin=PIPE,
                stdout=PIPE,
                process_group=0,  # an interrupt at the terminal is for whoever asks
            )
            self.processes.append(process)
            if self._ended:
                process.kill()
            assert process.stdin is not None, "a pipe"
            pickle.dump(sys.path, process.stdin)
            process.stdin.write(self._begins)
            self._own.process = process
        found: Popen[bytes] = self._own.process
        return found

    def ask(self, given: Given) -> Future[Answer]:
        """Have it answered. The result raises what went wrong, LedgerFault where a process died."""
        return self._threads.submit(self._asked, given)

    def _asked(self, given: Given) -> Answer:
        try:
            process = self._process()
            assert process.stdin is not None, "a pipe"
            assert process.stdout is not None, "a pipe"
            pickle.dump(given, process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            answer: Answer | Exception = _read(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise LedgerFault(
                source=self._source,
                problem=Phrase(
                    "one of them has died, perhaps for want of memory. {advice}",
                    advice=self._advice,
                ),
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
        self._ended = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self.processes:
            process.kill()
        self._threads.shutdown()
        for process in self.processes:
            process.communicate()


_PROGRAM: Final = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from prakerja_ledger.processes import help
help()
"""


def _read(stream: IO[bytes]) -> Any:
    return pickle.load(stream)  # noqa: S301  # written by the other end of a pipe between the two of us


def help() -> None:  # what a helper does; nobody is in a console here
    """What a process does: answer for as long as it is asked, and end with whoever asks."""
    given, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not spoil an answer
    begin, rests_on = _read(given)
    answer: Callable[[Any], Any] | None = None
    while True:
        try:
            asked = _read(given)
        except EOFError:
            return
        said: Any
        try:
            answer = answer or begin(*rests_on)
            said = answer(asked)
        except Exception as error:  # noqa: BLE001  # raised where the answer is waited for
            said = error
        try:
            pickle.dump(said, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
        except BrokenPipeError:
            os._exit(0)  # whoever asked has gone, and so nobody is left to tell
