"""SQLite ledgers are their owner's alone, and reading one leaves no trace: no byte, no time, no file beside it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.stores import sqlite_doctor
from prakerja_ledger.stores.health import Verdict
from tests import worlds
from tests.cli_support import PROGRAM, environment, run
from tests.ledger_support import enrolment, subjects
from tests.servers import program
from tests.test_commands import MACHINE, PEOPLE, written

NOBODY = 65534
VIEW = ["--as-of", "2024-12-31"]
READING = [
    *(("statement", "URL", *options, *VIEW) for options in [("--json",), ()]),
    *((name, "URL", *options, *VIEW) for name, *options in [*MACHINE, *PEOPLE] if name != "statement"),
    ("trace", "URL", "WHO", *VIEW),
    ("audit", "URL", *VIEW),
    ("diff", "URL", "--from", "2020-06-01", "--to", "2024-12-31", "--json"),
    ("export", "URL"),
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "ledger.db"
    given = written(tmp_path_factory.mktemp("given") / "given.jsonl", worlds.history(41, participants=5, events=150))
    run("import", given, "--ledger", f"sqlite:///{path}", "--quarantine", given.with_suffix(".aside"))
    return path


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="prakerja-read-only-") as name:
        yield Path(name)


def seen(folder: Path) -> dict[str, Any]:
    """All that could have changed: every file's bytes, times and mode, and the folder's."""
    found = {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in folder.iterdir()
    }
    return {**found, ".": folder.stat().st_mtime_ns}


@contextmanager
def closed_to_us(folder: Path) -> Iterator[None]:
    """The folder and its files are somebody else's, for reading only."""
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    try:
        yield
    finally:
        folder.chmod(0o755)


def without_power(*arguments: Any) -> subprocess.CompletedProcess[bytes]:
    """A command by whom the permissions of files bind: root without its capabilities, or who we are."""
    drop = [program("setpriv"), "--bounding-set=-all", "--inh-caps=-all", "--"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*drop, PROGRAM, *map(str, arguments)], capture_output=True, timeout=120, check=False,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
    )  # fmt: skip


def filled_in(command: tuple[str, ...], url: str, who: str) -> list[str]:
    return [{"URL": url, "WHO": who}.get(word, word) for word in command]


def somebody(url: str) -> str:
    with Ledger.open(url, read_only=True) as ledger, ledger.journal.reading() as reading:
        return next(iter(ledger.streams(reading).participants)).id


# --- nothing is left behind -------------------------------------------------------------------------------


def test_who_may_not_write_is_held_to_that_by_these_tests(folder: Path):
    (folder / "x").write_text("x")
    with closed_to_us(folder):
        drop = [program("setpriv"), "--bounding-set=-all", "--inh-caps=-all", "--"] if os.geteuid() == 0 else []
        for attempt in ("open('x', 'a')", "open('y', 'w')"):
            done = subprocess.run([*drop, sys.executable, "-c", attempt], cwd=folder, capture_output=True)
            assert b"PermissionError" in done.stderr


def test_every_reading_command_works_where_file_and_folder_may_only_be_read(made: Path, folder: Path):
    """One process a command, without any right to write there; the answers are those that its owner gets."""
    url = f"sqlite:///{shutil.copy(made, folder / 'ledger.db')}"
    who = somebody(url)
    with closed_to_us(folder):
        before = seen(folder)
        for command in READING:
            answer = without_power(*filled_in(command, url, who))
            expected = run(*filled_in(command, f"sqlite:///{made}", who))
            assert (answer.returncode, answer.stderr.decode()) == (expected.status, expected.err), command
            assert answer.stdout.replace(url.encode(), b"IT") == expected.out.replace(
                f"sqlite:///{made}".encode(), b"IT"
            ), command
        assert seen(folder) == before


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_reading_command_of_the_owner_leaves_no_trace_either(made: Path, command: tuple[str, ...]):
    url = f"sqlite:///{made}"
    who = somebody(url)
    before = seen(made.parent)
    run(*filled_in(command, url, who))
    assert seen(made.parent) == before


def test_a_projection_reads_a_ledger_that_may_only_be_read(made: Path, folder: Path, tmp_path: Path):
    url = f"sqlite:///{shutil.copy(made, folder / 'ledger.db')}"
    with closed_to_us(folder):
        before = seen(folder)
        rows = Path(tempfile.mkdtemp())
        try:
            answer = without_power("projection", "run", url, "--into", f"sqlite:///{rows}/rows.db", "--once")
            assert (answer.returncode, answer.stderr) == (0, b"")
        finally:
            shutil.rmtree(rows)
        assert seen(folder) == before


def test_doctor_examines_what_it_may_not_write(made: Path, folder: Path):
    url = f"sqlite:///{shutil.copy(made, folder / 'ledger.db')}"
    with closed_to_us(folder):
        before = seen(folder)
        answer = without_power("doctor", "--json", url)
        assert seen(folder) == before
    unsafe = [line for line in answer.stdout.splitlines() if b'"unsafe"' in line]
    assert (answer.returncode, len(unsafe), b"cannot record" in unsafe[0]) == (1, 1, True)


def test_the_feed_is_read_without_a_trace(made: Path):
    before = seen(made.parent)
    with Ledger.open(f"sqlite:///{made}", read_only=True) as ledger:
        assert len(ledger.feed().events) == ledger.head()
    assert seen(made.parent) == before


# --- while somebody writes --------------------------------------------------------------------------------


def test_what_a_living_writer_recorded_is_read_from_its_log(folder: Path):
    """The log holds it alone until it is folded into the file; others may read both, and write neither."""
    path = folder / "ledger.db"
    path.touch(0o644)
    path.chmod(0o644)
    with Ledger.open(f"sqlite:///{path}") as writer:
        writer.record_all([enrolment(f"P-{n}") for n in range(5)])
        assert Path(f"{path}-wal").stat().st_size > 0
        folder.chmod(0o555)
        for path_ in folder.iterdir():
            if os.geteuid() == 0:
                os.chown(path_, NOBODY, NOBODY)
        before = seen(folder)
        answer = without_power("export", f"sqlite:///{path}")
        assert (answer.returncode, answer.stderr, answer.stdout.count(b"\n")) == (0, b"", 5)
        assert {n: v for n, v in seen(folder).items() if n != "ledger.db-shm"} == {
            n: v for n, v in before.items() if n != "ledger.db-shm"
        }
        folder.chmod(0o755)
        writer.record(enrolment("P-5"))
        with Ledger.open(f"sqlite:///{path}", read_only=True) as reader:
            assert reader.head() == 6


def test_a_reader_opened_before_the_writer_sees_what_is_recorded_since(tmp_path: Path):
    """Each look is taken anew: nothing of a file that was at rest is remembered."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-1"))
    with Ledger.open(url, read_only=True) as reader:
        assert reader.head() == 1
        with Ledger.open(url) as writer:
            writer.record(enrolment("P-2"))
            assert reader.head() == 2
        assert reader.head() == 2


def test_a_look_goes_on_while_a_writer_begins(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-1"))
    with Ledger.open(url, read_only=True) as reader, Ledger.open(url) as writer:
        with reader.journal.reading() as look:
            writer.record(enrolment("P-2"))
            assert look.head() == 1


def test_a_look_that_may_have_been_torn_says_so(tmp_path: Path):
    """A writer that ends folds its log into the file under the reader."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-1"))
    with Ledger.open(url, read_only=True) as reader:
        with pytest.raises(LedgerFault, match="may be torn. Ask again"), reader.journal.reading() as look:
            with Ledger.open(url) as writer:
                writer.record(enrolment("P-2"))
            look.head()
        assert reader.head() == 2


def test_what_a_dead_writer_left_in_its_log_is_read(folder: Path, tmp_path: Path):
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as writer:
        writer.record(enrolment("P-1"))
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"ledger.db{suffix}", folder / f"ledger.db{suffix}")
    with Ledger.open(f"sqlite:///{folder}/ledger.db", read_only=True) as reader:
        assert subjects(reader.lines()) == {"P-1"}


def test_a_log_that_cannot_be_read_is_no_empty_ledger(folder: Path, tmp_path: Path):
    """Left by a dead writer in a folder that may not be written: an error, and never a part of the history."""
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as writer:
        writer.record(enrolment("P-1"))
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"ledger.db{suffix}", folder / f"ledger.db{suffix}")
    with closed_to_us(folder):
        answer = without_power("export", f"sqlite:///{folder}/ledger.db")
    assert (answer.returncode, answer.stdout) == (2, b"")
    assert b"log" in answer.stderr


# --- opened to be read ------------------------------------------------------------------------------------


def test_what_is_opened_to_be_read_records_nothing(made: Path):
    with Ledger.open(f"sqlite:///{made}", read_only=True) as ledger:
        for write in (
            lambda: ledger.record(enrolment("P-99")),
            lambda: ledger.resolve("//x", "y"),
            lambda: ledger.using(sqlite3.connect(":memory:")),
        ):
            with pytest.raises(LedgerFault, match="opened to be read"):
                write()


def test_a_ledger_in_memory_can_be_opened_to_be_read():
    with Ledger.open("memory://read-only") as ledger, Ledger.open("memory://read-only", read_only=True) as reader:
        ledger.record(enrolment("P-1"))
        assert reader.head() == 1
        with pytest.raises(LedgerFault, match="opened to be read"):
            reader.record(enrolment("P-2"))


def test_opening_to_be_read_makes_nothing(tmp_path: Path):
    (tmp_path / "empty.db").touch()
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE t (x)")
    for name, problem in {"none.db": "no such", "empty.db": "no such", "other.db": "something else"}.items():
        before = seen(tmp_path)
        with pytest.raises(UnreadableSource, match=problem):
            Ledger.open(f"sqlite:///{tmp_path}/{name}", read_only=True)
        assert seen(tmp_path) == before


def test_a_closed_reader_says_so(made: Path):
    ledger = Ledger.open(f"sqlite:///{made}", read_only=True)
    ledger.close()
    with pytest.raises(LedgerFault, match="closed"):
        ledger.head()


# --- modes of files ---------------------------------------------------------------------------------------


def test_files_are_made_for_their_owner_alone(tmp_path: Path):
    before = os.umask(0)
    try:
        with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
            ledger.record(enrolment("P-1"))
            run("projection", "run", f"sqlite:///{tmp_path}/ledger.db", "--once")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert {"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.rows.db"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_the_mode_that_somebody_gave_a_file_stays(tmp_path: Path):
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db"):
        (tmp_path / "ledger.db").chmod(0o640)
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        ledger.record(enrolment("P-1"))
    assert stat.S_IMODE((tmp_path / "ledger.db").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(0o600, Verdict.SAFE), (0o640, Verdict.NOTE), (0o604, Verdict.NOTE), (0o660, Verdict.NOTE), (0o602, Verdict.UNSAFE)],
    ids=lambda it: f"{it:o}" if isinstance(it, int) else it.name,
)
def test_doctor_warns_of_files_that_others_get_at(tmp_path: Path, mode: int, verdict: Verdict):
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db"):
        pass
    (tmp_path / "ledger.db").chmod(mode)
    checks = sqlite_doctor.examine(f"sqlite:///{tmp_path}/ledger.db")
    assert next(c.verdict for c in checks if c.subject == "permissions of ledger.db") is verdict
