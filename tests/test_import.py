"""Importing: whole, twice, in halves, by two at once, and killed in the middle."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prakerja_ledger.ledger.ledger import Ledger
from tests import worlds
from tests.cli_support import PROGRAM, Answer, big_histories, environment, run
from tests.ledger_support import as_bytes, enrolment, purchase

SEEDS = range(40, 46)


def written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def counts(answer: Answer) -> tuple[int, int, int]:
    """Recorded, duplicates, quarantined, as an import or a check prints them last."""
    words = answer.lines[-1].replace(",", "").split()
    assert words[1::3] == ["recorded", "duplicates", "quarantined"], answer
    return int(words[0]), int(words[3]), int(words[6])


def imported(history: Path, url: str, *more: object) -> tuple[int, int, int]:
    answer = run("import", history, "--ledger", url, *more)
    found = counts(answer)
    assert answer.status == (3 if found[2] else 0), answer.err
    return found


def exported(url: str) -> bytes:
    answer = run("export", url)
    assert answer.status == 0, answer.err
    return answer.out


def quarantine_of(history: Path) -> tuple[Path, Path]:
    """The two files beside a history that an import made, named after it: lines and reasons."""
    beside = [
        file
        for file in history.parent.iterdir()
        if "quarantined" in file.name and file.name.startswith(history.name.split(".")[0])
    ]
    reasons = [file for file in beside if "reasons" in file.name]
    lines = [file for file in beside if "reasons" not in file.name]
    assert len(lines) == len(reasons) == 1, beside
    return lines[0], reasons[0]


def non_blank(lines: list[bytes]) -> list[tuple[int, bytes]]:
    return [(n, line) for n, line in enumerate(lines, 1) if line.strip(b" \t\r")]


# --- there and back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_export_then_import_gives_an_equal_ledger_and_equal_bytes(tmp_path: Path, seed: int):
    history = written(tmp_path / "history.jsonl", worlds.history(seed, events=400, broken=0.1))
    one, other = url_of(tmp_path / "one.db"), url_of(tmp_path / "other.db")
    imported(history, one)
    out = tmp_path / "out.jsonl"
    out.write_bytes(exported(one))
    recorded, duplicates, quarantined = imported(out, other)

    assert (duplicates, quarantined) == (0, 0)
    assert recorded == out.read_bytes().count(b"\n")
    assert exported(other) == out.read_bytes()
    with Ledger.open(one) as first, Ledger.open(other) as second:
        assert list(first.lines()) == list(second.lines())


@pytest.mark.parametrize("seed", SEEDS)
def test_export_holds_every_recorded_line_as_it_came(tmp_path: Path, seed: int):
    lines = worlds.history(seed, events=400)
    history = written(tmp_path / "history.jsonl", lines)
    url = url_of(tmp_path / "ledger.db")
    recorded, _, _ = imported(history, url)
    kept = exported(url).splitlines()
    waiting = iter(line.strip(b" \t\r") for line in lines)

    assert len(kept) == recorded
    assert all(line in waiting for line in kept), "another order, or other bytes"


@pytest.mark.parametrize("seed", SEEDS)
def test_exporting_a_file_gives_what_exporting_its_ledger_gives(tmp_path: Path, seed: int):
    history = written(tmp_path / "history.jsonl", worlds.history(seed, events=300))
    url = url_of(tmp_path / "ledger.db")
    imported(history, url)

    assert run("export", history).out == exported(url)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_import_counts_what_check_counts(tmp_path: Path, seed: int):
    history = written(tmp_path / "history.jsonl", worlds.history(seed, events=300, broken=0.2))

    assert counts(run("check", history)) == imported(history, url_of(tmp_path / "ledger.db"))


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_an_export_is_compressed_as_its_name_says(tmp_path: Path, ending: str):
    history = written(tmp_path / "history.jsonl", worlds.history(1, broken=0))
    out = tmp_path / f"out.jsonl{ending}"
    first = run("export", history, "--output", out)

    assert (first.out, first.err) == (b"", "") or first.status == 3
    assert run("export", out).out == run("export", history).out


def test_the_same_export_gives_the_same_bytes_compressed(tmp_path: Path):
    """No time of day, no name: compressed exports can be compared."""
    history = written(tmp_path / "history.jsonl", [as_bytes(enrolment())])
    outs = [tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz"]
    for out in outs:
        run("export", history, "--output", out)

    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert gzip.decompress(outs[0].read_bytes()) == history.read_bytes()


# --- twice, and in parts --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_importing_twice_records_nothing_twice(tmp_path: Path, seed: int):
    lines = worlds.history(seed, events=300, broken=0)
    history = written(tmp_path / "history.jsonl", lines)
    url = url_of(tmp_path / "ledger.db")
    recorded, duplicates, quarantined = imported(history, url)
    before = exported(url)
    again = imported(history, url)

    assert exported(url)[: len(before)] == before, "what was recorded changed"
    assert again[1] >= recorded + duplicates
    assert sum(again) == recorded + duplicates + quarantined == len(non_blank(lines))


def test_a_history_without_broken_lines_imported_twice_is_all_duplicates(tmp_path: Path):
    history = tmp_path / "history.jsonl"
    events = big_histories().write(history, 40)
    url = url_of(tmp_path / "ledger.db")

    assert imported(history, url) == (events, 0, 0)
    assert imported(history, url) == (0, events, 0)
    assert exported(url) == history.read_bytes()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_history_in_two_halves_is_the_history(tmp_path: Path, seed: int):
    lines = worlds.history(seed, events=300)
    half = len(lines) // 2
    whole = written(tmp_path / "whole.jsonl", lines)
    halves = [
        written(tmp_path / "first.jsonl", lines[:half]),
        written(tmp_path / "second.jsonl", lines[half:]),
    ]
    at_once, in_parts = url_of(tmp_path / "at-once.db"), url_of(tmp_path / "in-parts.db")
    together = imported(whole, at_once)
    parts = [imported(part, in_parts) for part in halves]

    assert tuple(map(sum, zip(*parts, strict=True))) == together
    assert exported(in_parts) == exported(at_once)


def test_two_histories_named_at_once_are_one_after_the_other(tmp_path: Path):
    lines = worlds.history(7, events=300)
    first = written(tmp_path / "first.jsonl", lines[:150])
    second = written(tmp_path / "second.jsonl", lines[150:])
    whole = written(tmp_path / "whole.jsonl", lines)
    url = url_of(tmp_path / "ledger.db")
    answer = run("import", first, second, "--ledger", url)

    assert counts(answer) == counts(run("check", whole)) == counts(run("check", first, second))
    assert exported(url) == run("export", whole).out


# --- quarantine -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_quarantined_lines_are_kept_whole_with_their_reasons_beside(tmp_path: Path, seed: int):
    lines = worlds.history(seed, events=400, broken=0.3)
    lines = [line for line in lines if b"\n" not in line]
    history = written(tmp_path / "history.jsonl", lines)
    kept, why = tmp_path / "kept", tmp_path / "kept.reasons.jsonl"
    _, _, quarantined = imported(history, url_of(tmp_path / "l.db"), "--quarantine", kept)
    reasons = [json.loads(line) for line in why.read_bytes().splitlines()]
    found = json.loads(run("check", history, "--json").out)["lines"]

    assert len(reasons) == quarantined > 20
    assert [[one["line"], one["code"]] for one in reasons] == found
    assert {one["file"] for one in reasons} == {str(history)}
    assert all(one["message"].endswith(".") for one in reasons)
    assert kept.read_bytes() == b"".join(lines[n - 1] + b"\n" for n, _ in found)


def test_quarantined_lines_go_beside_the_history_and_are_named_after_it(tmp_path: Path):
    (tmp_path / "in").mkdir()
    history = written(tmp_path / "in" / "may.jsonl", [b"{", as_bytes(enrolment())])
    answer = run("import", history, "--ledger", url_of(tmp_path / "ledger.db"))
    lines, reasons = quarantine_of(history)

    assert answer.status == 3
    assert str(lines) in answer.err
    assert str(reasons) in answer.err
    assert lines.read_bytes() == b"{\n"


def test_nothing_quarantined_leaves_no_file(tmp_path: Path):
    (tmp_path / "in").mkdir()
    history = written(tmp_path / "in" / "may.jsonl", [as_bytes(enrolment())])
    imported(history, url_of(tmp_path / "ledger.db"))

    assert list(history.parent.iterdir()) == [history]


def test_a_quarantined_line_is_recorded_once_what_it_refers_to_is_there(tmp_path: Path):
    history = written(
        tmp_path / "history.jsonl", [as_bytes(purchase()), as_bytes(enrolment()), b"{"]
    )
    url = url_of(tmp_path / "ledger.db")

    assert imported(history, url) == (1, 0, 2)
    assert imported(history, url) == (1, 1, 1)
    assert imported(history, url) == (0, 2, 1)
    assert exported(url) == as_bytes(enrolment()) + b"\n" + as_bytes(purchase()) + b"\n"


def test_the_file_of_quarantined_lines_is_a_history_to_import(tmp_path: Path):
    history = written(tmp_path / "history.jsonl", [as_bytes(purchase()), as_bytes(enrolment())])
    url = url_of(tmp_path / "ledger.db")
    imported(history, url)
    kept, _ = quarantine_of(history)

    assert imported(kept, url, "--quarantine", tmp_path / "again") == (1, 0, 0)


def test_a_line_no_longer_quarantined_leaves_the_file(tmp_path: Path):
    history = written(tmp_path / "history.jsonl", [as_bytes(purchase()), as_bytes(enrolment())])
    url = url_of(tmp_path / "ledger.db")
    imported(history, url)
    kept, reasons = quarantine_of(history)
    imported(history, url)

    assert [file.read_bytes() for file in (kept, reasons) if file.exists()] in ([], [b"", b""])


def test_histories_named_at_once_keep_all_their_quarantined_lines(tmp_path: Path):
    """Also where one is the other's name without its compression."""
    plain = written(tmp_path / "may.jsonl", [b"{plain", as_bytes(enrolment())])
    packed = tmp_path / "may.jsonl.gz"
    packed.write_bytes(gzip.compress(b"{packed\n"))
    answer = run("import", plain, packed, "--ledger", url_of(tmp_path / "ledger.db"))
    kept = b"".join(
        file.read_bytes() for file in sorted(tmp_path.iterdir()) if "quarantined" in file.name
    )

    assert counts(answer) == (1, 0, 2)
    assert b"{plain\n" in kept
    assert b"{packed\n" in kept


@pytest.mark.parametrize("second", ["missing", "cut short"])
def test_a_history_that_was_imported_keeps_its_quarantined_lines_whatever_comes_after(
    tmp_path: Path, second: str
):
    """Either nothing of it is recorded, or its quarantined lines are kept as well."""
    first = written(tmp_path / "first.jsonl", [b"{", as_bytes(enrolment())])
    other = tmp_path / "other.jsonl.gz"
    if second == "cut short":
        other.write_bytes(gzip.compress(as_bytes(enrolment("P-2")))[:-3])
    url = url_of(tmp_path / "ledger.db")
    answer = run("import", first, other, "--ledger", url)
    kept = [file for file in tmp_path.iterdir() if file.name.startswith("first.jsonl.")]

    assert answer.status == 2
    assert kept or run("export", url).out == b""


def assert_refused(answer: Answer, folder: Path, before: dict[str, bytes]) -> None:
    assert answer.status == 2, answer
    assert "Traceback" not in answer.err
    assert answer.err.count("\n") == 1
    after = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    assert {name: after.get(name) for name in before} == before


@pytest.mark.parametrize(
    "arguments",
    [
        "import may.jsonl --ledger sqlite:///l.db --quarantine may.jsonl",
        "import may.jsonl --ledger sqlite:///l.db --quarantine ./may.jsonl",
        "import may.jsonl --ledger sqlite:///l.db --quarantine link.jsonl",
        "import link.jsonl --ledger sqlite:///l.db --quarantine may.jsonl",
        "import may.jsonl june.jsonl --ledger sqlite:///l.db --quarantine june.jsonl",
        "import q.reasons.jsonl --ledger sqlite:///l.db --quarantine q",
        "import may.jsonl --ledger sqlite:///l.db --quarantine l.db",
        "import may.jsonl --ledger sqlite:///l.db --quarantine ./l.db",
        "import may.jsonl --ledger sqlite:///l.db --quarantine link.db",
        "import may.jsonl --ledger sqlite:///l.db --quarantine l.db-wal",
        "import may.jsonl --ledger sqlite:///l.db --quarantine folder",
        "import may.jsonl --ledger sqlite:///l.db --quarantine nowhere/q",
        "import may.jsonl --ledger sqlite:///nowhere/l.db",
        "export may.jsonl --output may.jsonl",
        "export may.jsonl --output link.jsonl",
        "export sqlite:///l.db --output l.db",
        "export sqlite:///l.db --output link.db",
        "export sqlite:///l.db --output folder",
        "export sqlite:///l.db --output nowhere/out.jsonl",
    ],
)
def test_nothing_a_command_reads_is_ever_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str
):
    """Wrong usage, found before anything is recorded."""
    monkeypatch.chdir(tmp_path)
    for name in ("may.jsonl", "june.jsonl", "q.reasons.jsonl"):
        written(tmp_path / name, [as_bytes(enrolment(name)), b"{"])
    first = written(tmp_path / "first.jsonl", [as_bytes(enrolment())])
    imported(first, "sqlite:///l.db")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.jsonl").symlink_to("may.jsonl")
    (tmp_path / "link.db").symlink_to("l.db")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}

    answer = run(*arguments.split())

    assert_refused(answer, tmp_path, before)
    assert exported("sqlite:///l.db") == as_bytes(enrolment()) + b"\n"


def test_a_history_that_is_anothers_quarantine_file_is_not_overwritten(tmp_path: Path):
    may = written(tmp_path / "may.jsonl", [b"{", as_bytes(enrolment())])
    imported(may, url_of(tmp_path / "first.db"))
    kept, _ = quarantine_of(may)
    good = as_bytes(enrolment("P-2"))
    kept.write_bytes(good + b"\n")

    answer = run("import", may, kept, "--ledger", url_of(tmp_path / "second.db"))

    assert (answer.status, kept.read_bytes()) == (2, good + b"\n")


def test_a_history_whose_name_is_no_text_is_imported(tmp_path: Path):
    history = Path(os.fsdecode(os.fsencode(tmp_path) + b"/may\xff.jsonl"))
    written(history, [b"{", as_bytes(enrolment())])
    answer = run("import", history, "--ledger", url_of(tmp_path / "ledger.db"))

    assert (answer.status, counts(answer)) == (3, (1, 0, 1))


# --- two at once ----------------------------------------------------------------------------------------


def started(history: Path, url: str) -> subprocess.Popen[bytes]:
    quarantine = history.with_suffix(".kept")
    return subprocess.Popen(
        [PROGRAM, "import", str(history), "--ledger", url, "--quarantine", str(quarantine)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def test_two_processes_importing_two_halves_at_once_lose_nothing(tmp_path: Path):
    """By participant, so that neither refers to what the other may not have recorded yet."""
    whole = tmp_path / "whole.jsonl"
    events = big_histories().write(whole, 1_500, order="participant")
    lines = whole.read_bytes().splitlines()
    common = [line for line in lines if b'"P-' not in line]
    own = [line for line in lines if b'"P-' in line]
    middle = next(n for n in range(len(own) // 2, len(own)) if b"prakerja.enrolled.v1" in own[n])
    url = url_of(tmp_path / "ledger.db")
    imported(written(tmp_path / "common.jsonl", common), url)
    halves = [
        written(tmp_path / "a.jsonl", own[:middle]),
        written(tmp_path / "b.jsonl", own[middle:]),
    ]
    running = [started(half, url) for half in halves]
    ended = [process.communicate(timeout=60) for process in running]
    kept = exported(url).splitlines()

    assert [process.returncode for process in running] == [0, 0], ended
    assert len(kept) == events
    assert sorted(kept) == sorted(lines)
    for half in halves:
        mine = set(half.read_bytes().splitlines())
        assert [line for line in kept if line in mine] == half.read_bytes().splitlines()


def test_two_processes_importing_the_same_history_at_once_record_it_once(tmp_path: Path):
    history = tmp_path / "history.jsonl"
    events = big_histories().write(history, 1_000)
    url = url_of(tmp_path / "ledger.db")
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(history.read_bytes())
    running = [started(file, url) for file in (history, copy)]
    ended = [process.communicate(timeout=60) for process in running]

    assert [process.returncode for process in running] == [0, 0], ended
    found = [out.decode().replace(",", "").split() for out, _ in ended]
    assert sum(int(words[0]) for words in found) == events
    assert exported(url) == history.read_bytes()


# --- killed in the middle -------------------------------------------------------------------------------

ROUNDS, KILLS_A_ROUND = 4, 5
SMALL_BATCHES = (
    "from prakerja_ledger.ledger import importing; importing.BATCH = 500\n"
    "from prakerja_ledger.interfaces.cli.main import main; main()"
)
"""The program with many transactions, so that kills meet one more often."""


def head_of(path: Path) -> int:
    """The highest position that somebody else sees; 0 before there is a ledger."""
    if not path.exists():
        return 0
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute("SELECT max(rowid) FROM stored_events").fetchone()[0] or 0
        finally:
            connection.close()
    except sqlite3.OperationalError:  # no tables yet
        return 0


@pytest.fixture(scope="module")
def thirty_thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = tmp_path_factory.mktemp("killed") / "history.jsonl"
    assert big_histories().write(history, 2_100) > 28_000
    return history


def killed(history: Path, path: Path, after: float) -> tuple[int, bool]:
    """Import and kill -9 so long after the ledger appeared: the head seen last, and whether it ran."""
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL_BATCHES, "import", str(history), "--ledger", url_of(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    before = head_of(path)
    while process.poll() is None and head_of(path) == before:
        time.sleep(0.005)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=after)
    acknowledged, running = head_of(path), process.poll() is None
    process.kill()
    process.communicate(timeout=60)
    return acknowledged, running


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_import_killed_at_random_moments_loses_nothing_acknowledged(
    tmp_path: Path, thirty_thousand: Path, seed: int
):
    """kill -9, five times a ledger; each run goes on where the one before was stopped."""
    rng = random.Random(seed)
    path = tmp_path / "ledger.db"
    lines = thirty_thousand.read_bytes().splitlines(keepends=True)
    for kill in range(KILLS_A_ROUND):
        after = rng.uniform(0, 0.12)
        acknowledged, running = killed(thirty_thousand, path, after)
        left = head_of(path)
        print(f"seed {seed}, kill {kill}: {after:.3f} s after it began to record, {running=}, "
              f"head seen {acknowledged}, left {left}")  # fmt: skip
        answer = run("export", url_of(path))

        assert answer.status == 0, answer.err
        assert answer.out.count(b"\n") == left >= acknowledged, "an acknowledged event is lost"
        assert answer.out == b"".join(lines[:left]), "not a beginning of the history"

    recorded, duplicates, quarantined = imported(thirty_thousand, url_of(path))
    assert (recorded, duplicates, quarantined) == (len(lines), 0, 0), "not as if never stopped"
    assert exported(url_of(path)) == thirty_thousand.read_bytes()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
