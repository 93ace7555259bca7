"""Commands as people run them: in this process (quick), as a process, and on a terminal."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from prakerja_ledger.interfaces.cli.main import main

SHARED = Path(__file__).resolve().parents[2] / "shared"
CASES = SHARED / "cases"
PROGRAM = str(Path(sys.executable).parent / "prakerja-ledger")
READING = ("LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "NO_COLOR", "COLUMNS", "TERM")
"""What the environment may say about output; a test starts without them."""

needs_cases = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"{CASES} is missing: nothing was compared with the shared cases"
)


@frozen
class Answer:
    """How a command ended: status, standard output as bytes, standard error as text."""

    status: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines of the output; only LF ends one."""
        text = self.out.decode()
        return text.removesuffix("\n").split("\n") if text else []

    @property
    def text(self) -> str:
        return self.out.decode()


def environment(**changes: str) -> dict[str, str]:
    """The environment of a command: this one's, neutral as to language and terminal."""
    kept = {name: value for name, value in os.environ.items() if name not in READING}
    return {**kept, "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8", **changes}


@contextmanager
def surroundings(
    arguments: tuple[Any, ...], variables: Mapping[str, str], **streams: Any
) -> Iterator[None]:
    """Arguments, environment and standard streams of a command, for its time."""
    before = dict(os.environ), sys.argv, {name: getattr(sys, name) for name in streams}
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["prakerja-ledger", *map(str, arguments)]
    for name, stream in streams.items():
        setattr(sys, name, stream)
    try:
        yield
    finally:
        variables_before, sys.argv, streams_before = before
        os.environ.clear()
        os.environ.update(variables_before)
        for name, stream in streams_before.items():
            setattr(sys, name, stream)


def ended() -> int:
    """Run the program in this process; its exit status."""
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def run(*arguments: Any, stdin: bytes = b"", **variables: str) -> Answer:
    """A command in this process, its output going nowhere near a terminal."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    with surroundings(arguments, environment(**variables), stdin=given, stdout=out, stderr=err):
        status = ended()
        out.flush()
        err.flush()
    return Answer(status, out.buffer.getvalue(), err.buffer.getvalue().decode())  # type: ignore[attr-defined]


def run_process(
    *arguments: Any, stdin: bytes = b"", timeout: float = 60, **variables: str
) -> Answer:
    """A command as a process of its own, with pipes."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=timeout,
        env=environment(**variables),
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr.decode("utf-8", "backslashreplace"))


def run_shell(script: str, cwd: Path, **variables: str) -> Answer:
    """A line of bash; `$P` is the program."""
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        timeout=60,
        cwd=cwd,
        env=environment(P=PROGRAM, **variables),
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr.decode("utf-8", "backslashreplace"))


@contextmanager
def terminal(columns: int) -> Iterator[tuple[Any, list[bytes]]]:
    """A terminal of that width to write to, and all it was sent (complete after the context)."""
    import fcntl
    import struct
    import termios

    reader, writer = os.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    sent: list[bytes] = []

    def drain() -> None:
        while True:
            try:
                piece = os.read(reader, 65_536)
            except OSError:  # the last writer has gone
                return
            if not piece:
                return
            sent.append(piece)

    thread = threading.Thread(target=drain)
    thread.start()
    screen = open(writer, "w", encoding="utf-8", buffering=1, newline="")
    try:
        yield screen, sent
    finally:
        screen.close()
        thread.join(timeout=10)
        os.close(reader)


def run_on_terminal(*arguments: Any, columns: int = 80, **variables: str) -> Answer:
    """A command in this process, whose output and errors are a terminal."""
    variables = {"TERM": "xterm-256color", **variables}
    with terminal(columns) as (screen, sent):
        with surroundings(
            arguments, environment(**variables), stdout=screen, stderr=screen, stdin=io.StringIO()
        ):
            status = ended()
            screen.flush()
    return Answer(status, b"".join(sent), "")


ESCAPE = b"\x1b"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def obeyed(text: str) -> set[str]:
    """Characters that a terminal obeys rather than shows, beside styles and line ends."""
    plain = _STYLE.sub("", text).replace("\r\n", "\n")
    return {
        character
        for character in set(plain) - {"\n"}
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS
    }


def catalogue_missing() -> bool:
    """Whether the Indonesian catalogue was not compiled in this checkout."""
    from prakerja_ledger.interfaces.cli import words

    return not list((words._LOCALES / "id").rglob("*.mo"))


needs_catalogue = pytest.mark.skipif(
    catalogue_missing(),
    reason="the Indonesian catalogue (interfaces/locale/id/…/prakerja_ledger.mo) is not compiled",
)


def big_histories() -> Any:
    """The writer of large histories in benchmarks/, which is no package."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "histories.py"
    specification = importlib.util.spec_from_file_location("histories", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
