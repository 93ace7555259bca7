"""Whole histories by set operations: the same bytes as the law, from any source, within bounds."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from functools import partial
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prakerja_ledger.bulk.engine import Bulk
from prakerja_ledger.bulk.setting import NotForBulk
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.interfaces import engines
from prakerja_ledger.interfaces.columnar.writing import seal, write_columnar
from tests.cli_support import CASES, PROGRAM, Answer, environment, needs_cases, run, run_process
from tests.ledger_support import as_bytes, enrolment, purchase
from tests.test_columnar import (
    BROKEN_ROWS,
    Change,
    as_it_is,
    as_large_and_by_dictionary,
    by_position,
    columnar,
    in_any_order,
    rewritten,
    table_of,
    with_value,
    without_metadata,
    world,
    written,
)

AS_OF = "2021-06-01"
GROUPINGS = ("wave", "owner")  # test_bulk asks for all
QUESTIONS: list[tuple[str, ...]] = [
    ("check",),
    ("check", "--json"),
    ("statement", "--json", "--as-of", AS_OF),
    ("statement", "--json", "--as-of", AS_OF, "--known-at", "2021-01-01"),
    ("statement", "--as-of", AS_OF),
    ("unpaid", "--csv", "--as-of", AS_OF),
    ("unpaid", "--json", "--as-of", "2020-12-31", "--owner", "participant"),
    ("unpaid", "--as-of", "2020-12-31", "--min-overdue", "1"),
    *(("totals", "--by", by, "--json", "--as-of", AS_OF) for by in GROUPINGS),
    ("totals", "--by", "cause", "--as-of", AS_OF),
    ("findings", "--json", "--as-of", AS_OF),
    ("findings", "--csv", "--as-of", AS_OF, "--known-at", "2020-09-01"),
    ("findings", "--as-of", AS_OF, "--code", "REPORTED_LATE"),
    ("audit", "--as-of", AS_OF),
    ("diff", "--json", "--from", "2020-07-01", "--to", AS_OF),
]


def ask(engine: str, source: Any, question: tuple[str, ...]) -> Answer:
    command, *options = question
    return run(command, source, *options, PRAKERJA_LEDGER_ENGINE=engine)


def assert_same_answers(source: Any, questions: list[tuple[str, ...]] = QUESTIONS) -> None:
    """Every command, byte for byte, by both engines; set operations never hand over."""
    for question in questions:
        law, sets = (ask(engine, source, question) for engine in ("python", "duckdb"))
        assert sets.err == law.err, question
        assert sets.out == law.out, question
        assert sets.status == law.status, question


def to_microseconds(lines: list[bytes]) -> list[bytes]:
    """The lines with no instant finer than a column holds."""
    return [re.sub(rb"(\.\d{6})\d+", rb"\1", line) for line in lines]


# --- the same bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(400, 403))
def test_set_operations_answer_as_the_law_does(tmp_path: Path, seed: int):
    """Lines that are refused, doubled, blank or no JSON at all stand among the others."""
    assert_same_answers(columnar(tmp_path, to_microseconds(world(seed))))


@pytest.mark.parametrize(
    "change", [by_position, in_any_order, without_metadata, as_large_and_by_dictionary]
)
def test_so_they_do_of_a_file_that_another_tool_wrote(tmp_path: Path, change: Change):
    lines = [line for line in to_microseconds(world(410)) if line.isascii() and line.strip()]
    path = columnar(tmp_path, lines)

    assert_same_answers(rewritten(path, change(pq.read_table(path)), row_group_size=97))


def test_so_they_do_of_a_folder_of_part_files(tmp_path: Path):
    table = pq.read_table(columnar(tmp_path, to_microseconds(world(411))))
    folder = tmp_path / "it's [a] folder*"  # names that mean something to a database
    folder.mkdir()
    for number, start in enumerate(range(0, table.num_rows, 90)):
        pq.write_table(table.slice(start, 90), folder / f"part-{9 - number:05}.parquet")

    assert_same_answers(folder)


@pytest.mark.parametrize(("kind", "column", "value", "code"), BROKEN_ROWS)
def test_a_row_that_breaks_the_format_is_quarantined_by_either(
    tmp_path: Path, kind: str, column: str, value: Any, code: str
):
    lines = [as_bytes(enrolment("P-0", id="z")), as_bytes(enrolment("P-1")), as_bytes(purchase("P-1"))]
    table = table_of(lines, tmp_path)
    broken = {"kind": kind, "subject": {"enrolled": "P-0", "training-purchased": "P-1"}[kind]}
    place = table.select(["kind", "subject"]).to_pylist().index(broken)
    path = rewritten(tmp_path / "x", with_value(column, value, place)(table))

    assert [c for _, c in json.loads(ask("duckdb", path, ("check", "--json")).out)["lines"]] == [code]
    assert_same_answers(path, QUESTIONS[:1])


@needs_cases
@pytest.mark.parametrize(
    "path",
    sorted(path for path in CASES.rglob("*.jsonl") if path.name.count(".") == 1),
    ids=lambda path: path.stem,
)
def test_a_source_of_lines_is_written_out_as_columns_first(tmp_path: Path, path: Path):
    lines = to_microseconds(path.read_bytes().splitlines())

    assert_same_answers(written(tmp_path / path.name, lines), QUESTIONS[3:8:2])


def test_a_ledger_is_too(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    assert run("import", written(tmp_path / "h", to_microseconds(world(412))), "--ledger", url).out

    assert_same_answers(url, QUESTIONS[2:])


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was simulated: 20,000 events and more, judged by whoever wrote them."""
    path = tmp_path_factory.mktemp("cohort") / "cohort.parquet"
    answer = run("simulate", "--participants", 1_500, "--seed", 5, "--output", path)
    assert answer.status == 0, answer.err
    return path


def test_they_answer_alike_of_a_simulated_cohort(cohort: Path):
    assert_same_answers(cohort)


# --- who is believed ------------------------------------------------------------------------------------


def doubled(path: Path, *, judged: bool) -> Path:
    """A second enrolment, in a file whose note says, or does not say, that all was recorded."""
    lines = [as_bytes(enrolment("P-1")), as_bytes(enrolment("P-1", id="second"))]
    write_columnar(enumerate(lines, 1), path, KARTU_PRAKERJA, judged=judged)
    return path


@pytest.mark.parametrize("judged", [False, True])
def test_a_check_believes_no_note(tmp_path: Path, judged: bool):
    answer = ask("duckdb", doubled(tmp_path / "h.parquet", judged=judged), ("check", "--json"))

    assert json.loads(answer.out)["lines"] == [[2, "ALREADY_ENROLLED"]]


def test_an_export_says_that_it_is_judged_and_one_of_every_line_does_not(tmp_path: Path):
    source = doubled(tmp_path / "h.parquet", judged=False)
    judged, raw = tmp_path / "judged.parquet", tmp_path / "raw.parquet"
    assert run("export", source, "--output", judged).status == 3
    assert run("export", source, "--every-line", "--output", raw).status == 0

    assert ask("duckdb", judged, ("totals", "--by", "wave")).status == 0
    assert ask("duckdb", raw, ("totals", "--by", "wave")).status == 3


def test_a_note_of_another_programme_is_not_believed(tmp_path: Path):
    from attrs import evolve

    path = doubled(tmp_path / "h.parquet", judged=False)
    known = KARTU_PRAKERJA.schemes
    seal(path, judged_by=evolve(KARTU_PRAKERJA, schemes=dict(list(known.items())[:2])))

    assert ask("duckdb", path, ("totals", "--by", "wave")).status == 3


# --- who answers --------------------------------------------------------------------------------------


def finer_than_a_microsecond(tmp_path: Path) -> Path:
    line = as_bytes(enrolment("P-1")).replace(b"T10:00:00+", b"T10:00:00.1234567+")
    assert b".1234567" in line, line
    return columnar(tmp_path, [line])


def test_instants_that_no_column_holds_are_left_to_the_law(tmp_path: Path):
    path = finer_than_a_microsecond(tmp_path)
    law, sets = (ask(e, path, ("statement", "--json")) for e in ("python", "duckdb"))

    assert (sets.out, sets.status) == (law.out, law.status)
    assert "read line by line" in sets.err
    assert "finer than a microsecond" in sets.err


def test_where_set_operations_give_up_half_way_the_law_goes_on_at_the_same_byte(
    cohort: Path, monkeypatch: pytest.MonkeyPatch
):
    question = ("statement", "--json", "--as-of", AS_OF)
    law = ask("python", cohort, question)
    whole = Bulk.statements

    def giving_up(bulk: Bulk) -> Iterator[bytes]:
        yield next(iter(whole(bulk)))[:1_000]
        raise NotForBulk("a number is too large")

    monkeypatch.setattr(Bulk, "statements", giving_up)
    sets = ask("duckdb", cohort, question)

    assert "a number is too large" in sets.err
    assert (sets.out, sets.status) == (law.out, law.status)


def test_a_large_parquet_history_is_answered_by_set_operations_unasked(
    cohort: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    opened = engines.open_whole
    monkeypatch.setattr(
        "prakerja_ledger.interfaces.cli.commands.whole.open_whole",
        lambda source, *rest: asked.append(source) or opened(source, *rest),
    )
    run("totals", cohort, "--by", "wave")
    assert not asked

    monkeypatch.setattr(engines, "LARGE", 1_000)
    run("totals", cohort, "--by", "wave")
    assert asked == [str(cohort)]


def test_the_extra_that_is_missing_is_named(cohort: Path, monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "duckdb", None)
    answer = ask("duckdb", cohort, ("totals", "--by", "wave"))

    assert answer.status == 2
    assert "prakerja-ledger[bulk]" in answer.err


# --- bounds -------------------------------------------------------------------------------------------


def test_too_little_memory_is_said_to_be(cohort: Path):
    answer = run(
        "statement", cohort, "--json", "--engine", "duckdb", "--memory-limit", "2MB", "--as-of", AS_OF
    )

    assert answer.status == 2
    assert "--memory-limit of 2MB" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("size", ["much", "4", "0GB", "-1GB", "4 GB;"])
def test_a_memory_limit_is_a_number_with_a_unit(cohort: Path, size: str):
    answer = run("totals", cohort, "--by", "wave", "--memory-limit", size)

    assert answer.status == 2
    assert "4GB" in answer.err


@pytest.mark.parametrize("question", [("check",), ("statement", "--json", "--as-of", AS_OF)])
def test_what_is_cancelled_leaves_nothing_behind(tmp_path: Path, cohort: Path, question: tuple[str, ...]):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    big = tmp_path / "big.parquet"
    assert run("simulate", "--participants", 20_000, "--output", big).status == 0
    command, *options = question
    process = subprocess.Popen(
        [PROGRAM, command, big, *options, "--engine", "duckdb"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(TMPDIR=str(temporary)),
        # whoever runs the suite in the background may ignore the signal, and that would be inherited
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: any(temporary.iterdir()))  # the work has begun
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)

    assert (process.returncode, err.split()) == (1, [b"prakerja-ledger:", b"interrupted"]), err.decode()
    assert not list(temporary.iterdir())


def wait_for(sign: Any) -> None:
    until = time.monotonic() + 30
    while not sign():
        assert time.monotonic() < until, "no sign in 30 seconds"
        time.sleep(0.01)


def test_a_reader_that_goes_away_ends_the_answer_quietly(cohort: Path, tmp_path: Path):
    script = f"$P statement {cohort} --json --engine duckdb | head -n 1 | wc -l"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        env=environment(P=PROGRAM, TMPDIR=str(tmp_path)),
        timeout=60,
        check=False,
    )

    assert (done.stdout.strip(), done.stderr) == (b"1", b"")
    assert not list(tmp_path.iterdir())


# --- disorder -----------------------------------------------------------------------------------------

FIRST = int(os.environ.get("PRAKERJA_SEED", "0"))
COUNT = int(os.environ.get("PRAKERJA_WORLDS", "8"))


def disordered(table: pa.Table, seed: int) -> pa.Table:
    """A cohort in which a few rows say something else, moved, or stand there twice."""
    rng = random.Random(seed)
    columns = {name: table[name].to_pylist() for name in table.schema.names}
    names = [name for name in columns if name not in {"line", "line_bytes", "position"}]
    for _ in range(25):
        name = rng.choice(names)
        one, other = (rng.randrange(table.num_rows) for _ in range(2))
        near = max(0, min(table.num_rows - 1, one + rng.randint(-6, 6)))
        match rng.randrange(5):
            case 0:  # a value of another row
                columns[name][one] = columns[name][other]
            case 1:  # of a row nearby, likely the same participant's
                columns[name][one] = columns[name][near]
            case 2:  # two rows change places in the order of recording
                positions = columns["position"]
                positions[one], positions[near] = positions[near], positions[one]
            case 3:  # the same event once more
                for every in names:
                    columns[every][one] = columns[every][near]
            case 4:  # gone, or never to be
                columns[name][one] = None if table.schema.field(name).nullable else columns[name][near]
    made = pa.table([pa.array(columns[f.name], f.type) for f in table.schema], schema=table.schema)
    return made.sort_by([("subject", "ascending"), ("position", "ascending")])


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_whatever_stands_in_the_rows_is_judged_alike(tmp_path: Path, cohort: Path, seed: int):
    table = pq.read_table(cohort)
    start = random.Random(seed).randrange(table.num_rows - 3_000)
    path = rewritten(tmp_path / "h.parquet", disordered(table.slice(start, 3_000), seed))
    law, sets = (ask(engine, path, ("check",)) for engine in ("python", "duckdb"))

    assert (sets.err, sets.status) == (law.err, law.status), f"seed {seed}"
    assert sets.out == law.out, f"seed {seed}"
    assert b" 0 quarantined" not in law.out
    assert_same_answers(path, [("statement", "--json", "--as-of", AS_OF)])
