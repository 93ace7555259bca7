"""The commands: the same answers from file and ledger, exit statuses, and what people see."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pexpect
import pytest

from prakerja_ledger.interfaces.cli.words import shown
from prakerja_ledger.reading.totals import GROUPINGS
from tests import worlds
from tests.cli_support import (
    CASES,
    ESCAPE,
    PROGRAM,
    Answer,
    environment,
    needs_cases,
    needs_catalogue,
    obeyed,
    run,
    run_on_terminal,
    run_process,
    run_shell,
)
from tests.ledger_support import VECTORS, as_bytes, enrolment, envelope, purchase

DOCUMENTED, MIXED = CASES / "documented.jsonl", CASES / "mixed.jsonl"
COMMANDS = (
    "check", "import", "export", "statement", "unpaid", "totals", "trace", "findings", "diff",
    "audit", "completion",
)  # fmt: skip


def written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


# --- file and ledger -------------------------------------------------------------------------------

SEEDS = range(200, 225)
MACHINE = [
    ("statement", "--json"),
    ("unpaid", "--json"),
    ("unpaid", "--csv"),
    ("findings", "--json"),
    ("findings", "--csv"),
    *(("totals", "--by", by, "--json") for by in GROUPINGS),
    ("totals", "--by", "cause", "--csv"),
]
PEOPLE = [
    ("statement",),
    ("statement", "--lang", "id"),
    ("unpaid",),
    ("findings",),
    ("totals", "--by", "owner"),
    ("totals", "--by", "status", "--lang", "id"),
]


class World:
    """A random history as a file and as a ledger."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.lines = worlds.history(seed, participants=6, events=220)
        self.views = worlds.views(seed, self.lines)
        self.file = written(folder / f"{seed}.jsonl", self.lines)
        self.url = f"sqlite:///{folder}/{seed}.db"
        kept = folder / f"{seed}.kept"
        answer = run("import", self.file, "--ledger", self.url, "--quarantine", kept)
        assert answer.status in (0, 3), answer.err
        self.quarantined = answer.status == 3

    def view(self, index: int) -> list[str]:
        as_of, known_at = self.views[index % len(self.views)]
        return ["--as-of", as_of, *(["--known-at", known_at] if known_at else [])]

    def both(self, command: str, *options: str) -> tuple[Answer, Answer]:
        """The command on the file and on the ledger, as far as they may differ: made alike."""
        on_file = run(command, self.file, *options)
        on_ledger = run(command, self.url, *options)
        return on_file, on_ledger


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(request.param, tmp_path_factory.mktemp("world"))


def assert_same(world: World, on_file: Answer, on_ledger: Answer) -> None:
    assert on_file.out == on_ledger.out
    complaints = [
        line for line in on_file.err.splitlines() if not line.startswith(f"{world.file}: ")
    ]
    assert complaints == on_ledger.err.splitlines()
    expected = on_ledger.status
    if world.quarantined and expected == 0:
        expected = 3
    assert on_file.status == expected


@pytest.mark.parametrize("command", MACHINE, ids=" ".join)
def test_a_file_and_its_ledger_give_the_same_bytes(world: World, command: tuple[str, ...]):
    for index in (MACHINE.index(command), -1):
        answers = world.both(*command, *world.view(index))
        assert_same(world, *answers)


@pytest.mark.parametrize("command", PEOPLE, ids=" ".join)
def test_a_file_and_its_ledger_tell_people_the_same(world: World, command: tuple[str, ...]):
    answers = world.both(*command, *world.view(PEOPLE.index(command)))

    assert_same(world, *answers)


def test_a_file_and_its_ledger_differ_by_the_same_rupiah(world: World):
    (first, _), (second, known_at) = world.views[0], world.views[-1]
    options = ["--from", min(first, second), "--to", max(first, second)]
    for more in (["--json"], []):
        assert_same(world, *world.both("diff", *options, *more))


def test_a_file_and_its_ledger_trace_alike(world: World):
    view = world.view(-1)
    people = [
        json.loads(line)["participant"]
        for line in run("statement", world.url, "--json", *view).lines
    ]
    for participant in people:
        on_file = run("trace", world.file, *view, "--", participant)
        on_ledger = run("trace", world.url, *view, "--", participant)
        assert_same(world, on_file, on_ledger)


def test_a_file_and_its_ledger_export_alike(world: World):
    assert_same(world, *world.both("export"))


def test_an_audit_of_a_ledger_is_that_of_its_export(world: World):
    """A file is also told how its lines ended; a ledger holds recorded ones only."""
    out = world.file.with_suffix(".out")
    out.write_bytes(run("export", world.url).out)
    on_file, on_ledger = (
        run("audit", out, *world.view(-1)),
        run("audit", world.url, *world.view(-1)),
    )
    told = [line for line in on_file.lines if " duplicates, " not in line]

    assert told[1:] == on_ledger.lines[1:]
    assert (on_file.status, on_file.err) == (on_ledger.status, on_ledger.err)


def test_totals_by_every_group_equal_the_sum_of_the_statements(world: World):
    view = world.view(-1)
    statements = [
        json.loads(line)["totals"] for line in run("statement", world.file, "--json", *view).lines
    ]
    for by in GROUPINGS:
        groups = [
            json.loads(line)
            for line in run("totals", world.file, "--by", by, "--json", *view).lines
        ]
        for name in ("entitlement", "owed", "paid", "unpaid", "overdue", "forfeited"):
            assert sum(group[name] for group in groups) == sum(one[name] for one in statements)


def test_unpaid_as_csv_says_what_unpaid_as_json_says(world: World):
    view = world.view(-1)
    rows = list(
        csv.DictReader(io.StringIO(run("unpaid", world.file, "--csv", *view).text, newline=""))
    )
    objects = [json.loads(line) for line in run("unpaid", world.file, "--json", *view).lines]

    assert rows == [
        {name: "" if value is None else str(value) for name, value in one.items()}
        for one in objects
    ]


def test_filters_of_unpaid_choose_rows_and_change_none(world: World):
    view = world.view(-1)
    every = run("unpaid", world.file, "--json", *view).lines
    objects = [json.loads(line) for line in every]
    for name, option in (("cause", "--cause"), ("owner", "--owner"), ("wave", "--wave")):
        for value in {one[name] for one in objects}:
            wanted = [line for line, one in zip(every, objects, strict=True) if one[name] == value]
            assert run("unpaid", world.file, "--json", option, value, *view).lines == wanted
    late = [
        line for line, one in zip(every, objects, strict=True) if one["overdue_working_days"] >= 10
    ]
    assert run("unpaid", world.file, "--json", "--min-overdue", "10", *view).lines == late


# --- the shared cases ------------------------------------------------------------------------------


@needs_cases
def test_check_of_the_mixed_case_is_as_shared():
    answer = run("check", MIXED, "--json")

    assert answer.out == (CASES / "mixed.check.json").read_bytes()
    assert answer.status == 3


@needs_cases
def test_check_of_the_documented_case_quarantines_nothing():
    answer = run("check", DOCUMENTED, "--json")

    assert (json.loads(answer.out)["quarantined"], answer.status) == (0, 0)


@needs_cases
@pytest.mark.parametrize("file", sorted(CASES.glob("*.*.jsonl")), ids=lambda file: file.name)
def test_a_process_answers_the_shared_cases_byte_for_byte(file: Path):
    name, as_of, *known, what, _ = file.name.split(".")
    options = ["--known-at", known[0].removeprefix("known-")] if known else []
    answer = run_process(what, CASES / f"{name}.jsonl", "--json", "--as-of", as_of, *options)

    assert answer.out == file.read_bytes()


@needs_cases
@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("history", [DOCUMENTED, MIXED], ids=["documented", "mixed"])
@pytest.mark.parametrize("as_of", ["2020-06-21", "2020-12-31", "2021-04-15"])
def test_trace_names_every_cause_and_every_evidence(history: Path, as_of: str, language: str):
    statements = run("statement", history, "--json", "--as-of", as_of).lines
    assert statements
    for statement in map(json.loads, statements):
        answer = run(
            "trace", history, "--as-of", as_of, "--lang", language, "--", statement["participant"]
        )
        assert answer.status in (0, 3)
        for line in statement["lines"]:
            assert line["line"] in answer.text
            for cause in line["causes"]:
                assert cause in answer.text
            for one in line["evidence"]:
                assert f"{shown(one['source'])} {shown(one['id'])}" in answer.text


@needs_cases
def test_trace_of_one_line_shows_that_line_only():
    answer = run("trace", DOCUMENTED, "A-READER", "--line", "survey/1", "--as-of", "2020-07-02")

    assert "survey/1 ·" in answer.text
    assert "post-training/2 ·" not in answer.text


# --- exit statuses ----------------------------------------------------------------------------------


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return written(
        tmp_path / "clean.jsonl", [as_bytes(enrolment("P-1")), as_bytes(purchase("P-1"))]
    )


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    return written(tmp_path / "dirty.jsonl", [as_bytes(enrolment("P-1")), b"{"])


FILE_READERS = [
    ("check", "{}"),
    ("check", "{}", "--json"),
    ("import", "{}", "--ledger", "sqlite:///l.db"),
    ("export", "{}"),
    ("statement", "{}"),
    ("statement", "{}", "--json"),
    ("statement", "{}", "P-1"),
    ("unpaid", "{}"),
    ("trace", "{}", "P-1"),
    ("findings", "{}"),
    ("totals", "{}", "--by", "wave"),
    ("diff", "{}", "--from", "2020-06-01", "--to", "2020-07-01"),
    ("audit", "{}"),
]


@pytest.mark.parametrize("command", FILE_READERS, ids=" ".join)
def test_a_command_that_is_done_ends_with_0(
    clean: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
):
    monkeypatch.chdir(clean.parent)
    answer = run(*(word.format(clean) for word in command))

    assert (answer.status, answer.err) == (0, "")


@pytest.mark.parametrize("command", FILE_READERS, ids=" ".join)
def test_every_command_that_reads_a_file_with_quarantined_lines_ends_with_3(
    dirty: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
):
    monkeypatch.chdir(dirty.parent)
    answer = run(*(word.format(dirty) for word in command))

    assert answer.status == 3
    assert answer.out, "the answer stands all the same"


def test_a_ledger_filled_from_such_a_file_reads_with_0(dirty: Path):
    url = f"sqlite:///{dirty.parent}/l.db"
    run("import", dirty, "--ledger", url)

    assert run("statement", url).status == 0


SOURCE_READERS = [command for command in FILE_READERS if command[0] not in ("check", "import")]


@pytest.mark.parametrize(
    "source", ["nothing.jsonl", "sqlite:///nothing.db", "postgres://x", "x://"]
)
@pytest.mark.parametrize("command", SOURCE_READERS, ids=" ".join)
def test_a_source_that_cannot_be_read_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], source: str
):
    monkeypatch.chdir(tmp_path)
    answer = run(*(word.format(source) for word in command))

    assert (answer.status, answer.out) == (2, b"")
    assert source in answer.err
    assert list(tmp_path.iterdir()) == [], "reading left something behind"


@pytest.mark.parametrize("command", [("statement",), ("statement", "--json"), ("trace",)])
def test_a_participant_who_is_not_in_view_ends_with_2(clean: Path, command: tuple[str, ...]):
    answer = run(command[0], clean, "NOBODY", *command[1:])

    assert (answer.status, answer.out) == (2, b"")
    assert "NOBODY" in answer.err
    assert "Check the id" in answer.err


def test_a_participant_of_diff_who_is_not_on_record_ends_with_2(clean: Path):
    answer = run("diff", clean, "NOBODY", "--from", "2020-06-01", "--to", "2020-07-01")

    assert (answer.status, "NOBODY" in answer.err) == (2, True)


def test_a_participant_enrolled_later_is_not_in_view_yet(clean: Path):
    for option in (
        ["--as-of", "2020-05-18"],
        ["--known-at", "2020-05-18", "--as-of", "2020-07-02"],
    ):
        answer = run("trace", clean, "P-1", *option)
        assert (answer.status, answer.out) == (2, b"")


def test_the_statements_of_the_others_stand_where_one_is_not_in_view(clean: Path):
    answer = run("statement", clean, "NOBODY", "P-1", "--json")

    assert answer.status == 2
    assert [json.loads(line)["participant"] for line in answer.lines] == ["P-1"]


def test_a_wrong_question_weighs_more_than_quarantined_lines(dirty: Path):
    assert run("trace", dirty, "NOBODY").status == 2


# events of a life that is due in a year whose holidays are not listed
LATE = "2027-12-29T10:00:00+07:00"


def late_life(subject: str) -> list[dict[str, Any]]:
    course = {"course": "C-1"}
    facts = [
        ("enrolled", {"wave": 70, "scheme": "normal-2024"}),
        ("training-purchased", purchase()["data"]),
        ("course-completed", course),
        ("certificate-issued", course | {"certificate": f"SA-{subject}"}),
        ("course-rated", course | {"instructor": 5, "reviewed": True}),
    ]
    return [
        envelope(kind, subject, f"{kind} {subject}", data) | {"time": LATE} for kind, data in facts
    ]


@pytest.fixture
def late(tmp_path: Path) -> Path:
    events = [enrolment("P-1"), *late_life("P-LATE"), enrolment("P-9")]
    return written(tmp_path / "late.jsonl", [as_bytes(one) for one in events])


@pytest.mark.parametrize("as_of", ["2027-12-31", "2028-02-01"])
def test_a_due_date_beyond_the_list_of_holidays_withholds_that_statement_only(
    late: Path, as_of: str
):
    answer = run("statement", late, "--json", "--as-of", as_of)

    assert answer.status == 1
    assert [json.loads(line)["participant"] for line in answer.lines] == ["P-1", "P-9"]
    assert answer.err.count("\n") == 1
    for word in ("P-LATE", "2027", "2028", "--holidays", "date,name"):
        assert word in answer.err


@pytest.mark.parametrize(
    "command",
    [("unpaid",), ("totals", "--by", "wave"), ("audit",), ("trace", "P-LATE"), ("findings",)],
    ids=" ".join,
)
def test_every_command_says_which_statement_the_calendar_withholds(
    late: Path, command: tuple[str, ...]
):
    answer = run(command[0], late, *command[1:], "--as-of", "2028-02-01")

    if command[0] != "findings":
        assert answer.status == 1
        assert "P-LATE" in answer.err
    assert "Traceback" not in answer.err
    assert "internal fault" not in answer.err


def test_a_list_of_holidays_extends_the_calendar(late: Path, tmp_path: Path):
    holidays = tmp_path / "holidays.csv"
    holidays.write_text("date,name\n2028-01-01,Tahun Baru\n2028-12-25,Natal\n")
    answer = run(
        "statement", late, "P-LATE", "--json", "--as-of", "2028-02-01", "--holidays", holidays
    )

    assert (answer.status, answer.err) == (0, "")
    (first,) = [one for one in json.loads(answer.out)["lines"] if one["line"] == "post-training/1"]
    assert first["due_on"] == "2028-01-05"


@pytest.mark.parametrize(
    "content",
    ["date,name\nnonsense,x\n", "date,name\n2030-01-01,x\n", b"\xff\xfe", None],
)
def test_a_list_of_holidays_that_is_none_ends_with_2(late: Path, tmp_path: Path, content: Any):
    holidays = tmp_path / "holidays.csv"
    if content is not None:
        holidays.write_bytes(content if isinstance(content, bytes) else content.encode())
    answer = run("statement", late, "--holidays", holidays)

    assert (answer.status, answer.out) == (2, b"")
    assert str(holidays) in answer.err


def test_a_ledger_whose_lock_is_not_given_up_ends_with_1(
    clean: Path, monkeypatch: pytest.MonkeyPatch
):
    import sqlite3

    from prakerja_ledger.stores import sqlite_recorder as store

    url = f"sqlite:///{clean.parent}/l.db"
    run("import", clean, "--ledger", url)
    monkeypatch.setattr(store, "LOCK_TIMEOUT_SECONDS", 0.1)
    holder = sqlite3.connect(clean.parent / "l.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answer = run("import", clean, "--ledger", url)
    holder.close()

    assert (answer.status, answer.out) == (1, b"")
    assert "another process has held the ledger too long" in answer.err
    assert "Traceback" not in answer.err


# --- wrong usage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "found", "expected"),
    [
        ("statement {} --as-of 2020-13-01", "2020-13-01", "YYYY-MM-DD"),
        ("statement {} --as-of 2021-02-29", "2021-02-29", "YYYY-MM-DD"),
        ("statement {} --as-of 1-1-2020", "1-1-2020", "YYYY-MM-DD"),
        ("statement {} --as-of today", "today", "YYYY-MM-DD"),
        ("statement {} --known-at 2020-01-01T00:00:00", "2020-01-01T00:00:00", "offset"),
        ("statement {} --known-at now", "now", "RFC 3339"),
        ("statement {} --lang fr", "fr", "'id', 'en'"),
        ("unpaid {} --cause LAZY", "LAZY", "NOT_INSTRUCTED"),
        ("unpaid {} --owner nobody", "nobody", "payment-partner"),
        ("unpaid {} --wave 0", "0", ">=1"),
        ("unpaid {} --wave two", "two", "integer"),
        ("unpaid {} --min-overdue -1", "-1", ">=0"),
        ("unpaid {} --json --csv", "--json and --csv", "Choose one"),
        ("findings {} --code FOO", "FOO", "PAID_TWICE"),
        ("totals {} --by age", "age", "wave"),
        ("totals {}", "--by", "owner"),
        ("diff {} --from 2020 --to 2020-07-02", "2020", "YYYY-MM-DD"),
        ("diff {} --from 2020-07-02@x --to 2020-07-02", "x", "RFC 3339"),
        ("diff {} --from 2020-07-02", "--to", "Missing option"),
        ("trace {}", "PARTICIPANT", "Missing argument"),
        ("trace {} P-1 --line nope", "nope", "post-training/1"),
        ("statement", "SOURCE", "Missing argument"),
        ("statement {} --jsn", "--jsn", "--json"),
        ("stetement {}", "stetement", "--help"),
        ("import {}", "--ledger", "Missing option"),
        ("import --ledger sqlite:///l.db", "HISTORY", "Missing argument"),
        ("import {} --ledger l.db", "l.db", "sqlite://"),
        ("import sqlite:///l.db --ledger sqlite:///m.db", "sqlite:///l.db", "Name files"),
        ("check sqlite:///l.db", "sqlite:///l.db", "Name files"),
        ("completion tcsh", "tcsh", "'bash', 'zsh', 'fish'"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_what_was_found_and_what_was_expected(
    clean: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, found: str, expected: str
):
    monkeypatch.chdir(clean.parent)
    answer = run(*(word.format(clean) for word in arguments.split()))

    assert (answer.status, answer.out) == (2, b"")
    assert found in answer.err
    assert expected in answer.err
    assert "Traceback" not in answer.err
    assert list(clean.parent.iterdir()) == [clean], "wrong usage left something behind"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example(command: str):
    answer = run(command, "--help")

    assert (answer.status, answer.err) == (0, "")
    assert f"prakerja-ledger {command}" in answer.text.partition("\n")[2]
    assert "-h, --help" in answer.text


def test_help_lists_every_command():
    answer = run("--help")

    assert answer.status == 0
    assert all(re.search(rf"^  {command} ", answer.text, re.MULTILINE) for command in COMMANDS)


@needs_cases
@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("import", "completion")])
def test_the_examples_of_the_help_run(command: str, tmp_path: Path):
    """As written, on a history and a ledger of these names."""
    shutil.copy(DOCUMENTED, tmp_path / "history.jsonl")
    shutil.copy(DOCUMENTED, tmp_path / "history.jsonl.gz")
    import gzip

    (tmp_path / "history.jsonl.gz").write_bytes(gzip.compress(DOCUMENTED.read_bytes()))
    run(
        "import",
        DOCUMENTED,
        "--ledger",
        f"sqlite:///{tmp_path}/ledger.db",
        "--quarantine",
        tmp_path / "q",
    )
    examples = re.findall(
        r"(prakerja-ledger " + command + r" \S.*)", run(command, "--help").text.partition("\n")[2]
    )
    assert examples
    for example in examples:
        answer = run_shell(example.replace("prakerja-ledger", "$P", 1), tmp_path)
        assert answer.status == 0, (example, answer.err)


def test_no_command_at_all_shows_the_help():
    answer = run_process()

    assert "Usage: prakerja-ledger" in answer.text + answer.err
    assert answer.status in (0, 2)


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert version("prakerja-ledger") in run("--version").text


# --- completion --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_of_a_shell_names_the_program(shell: str):
    answer = run("completion", shell)

    assert answer.status == 0
    assert "prakerja-ledger" in answer.text
    assert "_PRAKERJA_LEDGER_COMPLETE" in answer.text


def test_the_completion_script_of_bash_is_bash():
    script = run("completion", "bash").out
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


def test_commands_and_options_complete():
    def completed(words: str, at: int) -> str:
        return run_process(
            _PRAKERJA_LEDGER_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(at)
        ).text

    assert "statement" in completed("prakerja-ledger sta", 1)
    assert "--known-at" in completed("prakerja-ledger unpaid x --kn", 3)


# --- streams and environments -----------------------------------------------------------------------


SHOWN = [
    ("statement", "{}", "--as-of", "2020-07-02"),
    ("trace", "{}", "A-READER", "--as-of", "2020-07-02"),
    ("audit", "{}", "--as-of", "2020-12-31"),
    ("findings", "{}", "--as-of", "2020-12-31"),
    ("unpaid", "{}", "--as-of", "2020-07-02"),
    ("totals", "{}", "--by", "cause", "--as-of", "2020-07-02"),
    ("diff", "{}", "--from", "2020-06-21@2020-06-21", "--to", "2020-07-02"),
    ("check", "{}"),
    ("--help",),
]


def on(source: Path, command: tuple[str, ...]) -> list[str]:
    return [word.format(source) for word in command]


@needs_cases
@pytest.mark.parametrize("command", SHOWN, ids=lambda command: command[0])
def test_nothing_in_a_pipe_is_an_escape_sequence(command: tuple[str, ...]):
    answer = run(*on(DOCUMENTED, command), TERM="xterm-256color", FORCE_COLOR="")

    assert ESCAPE not in answer.out
    assert "\x1b" not in answer.err


@needs_cases
def test_a_terminal_gets_colours():
    assert ESCAPE in run_on_terminal(*on(DOCUMENTED, SHOWN[0])).out


@needs_cases
@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
@pytest.mark.parametrize("command", SHOWN, ids=lambda command: command[0])
def test_a_terminal_that_wants_no_colour_gets_no_escape_sequence(
    command: tuple[str, ...], variables: dict[str, str]
):
    answer = run_on_terminal(*on(DOCUMENTED, command), **variables)

    assert answer.status == 0
    assert ESCAPE not in answer.out


@needs_cases
@pytest.mark.parametrize("columns", [20, 40, 80, 200])
@pytest.mark.parametrize("command", SHOWN, ids=lambda command: command[0])
def test_no_terminal_is_too_narrow(command: tuple[str, ...], columns: int):
    answer = run_on_terminal(*on(DOCUMENTED, command), columns=columns, COLUMNS=str(columns))

    assert answer.status == 0
    assert answer.out


@needs_cases
@pytest.mark.parametrize("columns", [40, 60, 80])
def test_money_is_shown_whole_on_a_narrow_terminal(columns: int):
    """Cut short or folded it would be another sum."""
    answer = run_on_terminal(
        *on(DOCUMENTED, SHOWN[0]), columns=columns, COLUMNS=str(columns), NO_COLOR="1"
    )

    assert "Rp3.550.000" in answer.text
    assert "…" not in answer.text


@needs_cases
def test_a_real_terminal_of_forty_columns():
    child = pexpect.spawn(
        PROGRAM, ["trace", str(DOCUMENTED), "A-READER", "--as-of", "2020-07-02"],
        env=environment(TERM="xterm", COLUMNS="40"), dimensions=(25, 40), encoding="utf-8",
    )  # fmt: skip
    child.expect(pexpect.EOF, timeout=30)
    child.close()

    assert child.exitstatus == 0
    assert "A-READER" in child.before
    assert obeyed(child.before) == set()


@needs_cases
@pytest.mark.parametrize("command", SHOWN[:-1], ids=lambda command: command[0])
def test_standard_output_that_closes_early_ends_quietly(command: tuple[str, ...]):
    words = " ".join(f"'{word}'" for word in on(DOCUMENTED, command))
    answer = run_shell(f"set -o pipefail; $P {words} | head -1", CASES)

    assert (answer.err, answer.status) == ("", 0)


@needs_cases
@pytest.mark.parametrize(
    "what", ["export", "statement --json --as-of 2020-07-02", "findings --csv"]
)
def test_machine_output_that_closes_early_ends_quietly(tmp_path: Path, what: str):
    """Also where the rest is more than a pipe holds."""
    lines = [as_bytes(enrolment(f"P-{n}")) for n in range(3_000)]
    written(tmp_path / "h.jsonl", lines)
    command, _, options = what.partition(" ")
    answer = run_shell(f"set -o pipefail; $P {command} h.jsonl {options} | head -c 10", tmp_path)

    assert (answer.err, answer.status) == ("", 0)


@needs_cases
@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_from_the_start_are_no_traceback(closing: str):
    answer = run_shell(f"$P statement documented.jsonl --as-of 2020-07-02 {closing}", CASES)

    assert "Traceback" not in answer.err
    assert answer.status == 0


@needs_cases
@pytest.mark.parametrize("closing", [">&-", "2>&-"])
def test_wrong_usage_with_closed_streams_still_ends_with_2(closing: str):
    answer = run_shell(f"$P statement documented.jsonl NOBODY {closing}", CASES)

    assert answer.status == 2
    assert "Traceback" not in answer.err


def test_a_full_output_is_an_error_and_no_traceback(clean: Path):
    answer = run_shell("$P statement clean.jsonl --json > /dev/full", clean.parent)

    assert answer.status == 1
    assert "Traceback" not in answer.err
    assert "No space left" in answer.err


@needs_cases
@pytest.mark.parametrize(
    ("encoding", "command"),
    [("ascii", command) for command in SHOWN]
    + [(encoding, SHOWN[1]) for encoding in ("latin-1", "ascii:strict", "cp1252", "utf-16")],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_an_output_that_is_not_utf_8_crashes_nothing(command: tuple[str, ...], encoding: str):
    language = ["--lang", "id"] if command[0] != "--help" else []
    answer = run_process(*on(DOCUMENTED, command), *language, PYTHONIOENCODING=encoding)

    assert answer.status == 0
    assert "Traceback" not in answer.err


def test_json_is_utf_8_whatever_the_output_is_said_to_be(tmp_path: Path):
    history = written(tmp_path / "é.jsonl", [as_bytes(enrolment("é𝓐"))])
    other = written(tmp_path / "other.jsonl", [b"{"])
    statement = run_process("statement", history, "--json", PYTHONIOENCODING="ascii")
    check = run_process("check", history, other, "--json", PYTHONIOENCODING="ascii")

    assert json.loads(statement.out)["participant"] == "é𝓐"
    assert json.loads(check.out)["files"][0]["file"] == str(history)


@needs_cases
def test_an_interrupt_ends_quietly(tmp_path: Path):
    process = subprocess.Popen(
        [PROGRAM, "check", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=environment(),
        # A shell's background job, which the tests may be, ignores it and passes that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(as_bytes(enrolment()) + b"\n{\n")
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)

    assert b"Traceback" not in errors
    assert process.returncode not in (0, 3)


# --- languages ---------------------------------------------------------------------------------------

ENGLISH, INDONESIAN = "overdue", "terlambat"


def language_of(answer: Answer) -> str:
    return "en" if "As of " in answer.text else "id"


@needs_cases
@needs_catalogue
@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LC_ALL": "", "LANG": "id_ID.UTF-8"}, "id"),
        ({"LC_ALL": "id_ID.UTF-8"}, "id"),
        ({"LC_ALL": "", "LANG": "id"}, "id"),
        ({"LC_ALL": "", "LANG": "en_GB.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "C.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "fr_FR.UTF-8"}, "en"),
        ({"LC_ALL": ""}, "en"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "id_ID.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "id_ID.UTF-8", "LANG": "en_US.UTF-8"}, "id"),
        ({"LC_ALL": "", "LANGUAGE": "id:en", "LANG": "en_US.UTF-8"}, "id"),
    ],
    ids=str,
)
def test_the_language_is_that_of_the_locale(variables: dict[str, str], language: str):
    answer = run("statement", DOCUMENTED, "--as-of", "2020-07-02", **variables)

    assert language_of(answer) == language


@needs_cases
@needs_catalogue
@pytest.mark.parametrize(("asked", "locale"), [("en", "id_ID.UTF-8"), ("id", "en_US.UTF-8")])
@pytest.mark.parametrize("spelling", ["--lang {}", "--lang={}"])
def test_lang_overrides_the_locale(asked: str, locale: str, spelling: str):
    options = spelling.format(asked).split()
    answer = run("statement", DOCUMENTED, "--as-of", "2020-07-02", *options, LC_ALL=locale)

    assert language_of(answer) == asked


@needs_catalogue
@pytest.mark.parametrize("options", [["--lang", "id"], ["--lang=id"]], ids=" ".join)
def test_errors_speak_the_language_asked_for(clean: Path, options: list[str]):
    answer = run("trace", clean, "NOBODY", *options)

    assert answer.status == 2
    assert "Check the id" not in answer.err
    assert "NOBODY" in answer.err


@needs_cases
@needs_catalogue
@pytest.mark.parametrize("command", SHOWN[:-1], ids=lambda command: command[0])
def test_indonesian_output_leaves_no_english_sentence(command: tuple[str, ...]):
    answer = run(*on(DOCUMENTED, command), "--lang", "id")

    for english in (
        "As of",
        "unpaid",
        "overdue",
        "Who must act",
        "the participant",
        "working days",
    ):
        assert english not in answer.text


@needs_cases
def test_machine_output_has_no_language():
    for command in (("statement", "--json"), ("unpaid", "--csv"), ("findings", "--json")):
        one = run(command[0], DOCUMENTED, command[1], "--as-of", "2020-12-31", LC_ALL="id_ID.UTF-8")
        other = run(command[0], DOCUMENTED, command[1], "--as-of", "2020-12-31", LC_ALL="C")
        assert one.out == other.out


@needs_cases
def test_money_is_written_as_in_indonesia_in_every_language():
    for language in ("id", "en"):
        answer = run("statement", DOCUMENTED, "--as-of", "2020-07-02", "--lang", language)
        assert "Rp3.550.000" in answer.text


# --- hostile strings on a terminal ------------------------------------------------------------------

NAUGHTY_FILE = VECTORS / "blns" / "blns.json"
EXTRA = [
    "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x90q\x9c", "a\rb", "a\nb", "\x08\x08\x08", "\x07",
    "\u202eRp000.001", "\u2066x\u2069", "\u2028", "\x7f", "\x00", "[bold red]x[/]", ":smile:",
    "{participant}", "%s", "\u200e", "link=\x1b]8;;http://x\x1b\\x\x1b]8;;\x1b\\",
]  # fmt: skip
NAUGHTY = sorted(
    {
        text
        for text in [
            *(json.loads(NAUGHTY_FILE.read_bytes()) if NAUGHTY_FILE.exists() else []),
            *EXTRA,
        ]
        if 1 <= len(text) <= 200
    }
)


def naughty_lines(text: str) -> list[bytes]:
    """A hostile string as the id of a participant, and as everything that such a one names."""
    lines = [
        as_bytes(envelope(kind, text, text, data) | {"source": f"{kind} {text}"[:200]})
        for kind, data in (
            ("enrolled", {"wave": 99, "scheme": "semi-bansos-2020"}),
            ("account-linked", {"provider": "ovo", "account": text}),
            ("account-rejected", {"account": text, "reason": "unknown"}),
            ("training-purchased",
             purchase(purchase=text, courses=[{"course": text, "institution": text}])["data"]),
            ("certificate-issued", {"course": text, "certificate": text}),
            ("disbursement-instructed",
             {"disbursement": text, "component": "survey", "instalment": 1, "amount": 50_000,
              "provider": "ovo", "account": text}),
            ("disbursement-settled", {"disbursement": text, "reference": text}),
            ("participation-revoked", {"reason": "other"}),
            ("participation-reinstated", {"reason": text}),
            ("complaint-filed", {"complaint": text}),
        )
    ]  # fmt: skip
    wrong = envelope("course-completed", text, text, {"course": text}) | {"type": text}
    again = envelope("enrolled", text, f"again {text}"[:200], {"wave": 1, "scheme": text})
    return [*lines, as_bytes(wrong), as_bytes(again)]


@pytest.fixture(scope="module")
def naughty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of a fifth of them and all of our own: tables of all would take a minute."""
    chosen = [text for n, text in enumerate(NAUGHTY) if text in EXTRA or n % 5 == 0]
    lines = [line for text in chosen for line in naughty_lines(text)]
    return written(tmp_path_factory.mktemp("naughty") / "history.jsonl", lines)


@pytest.mark.parametrize(
    "command",
    [
        ("statement", "{}", "--as-of", "2020-07-02"),
        ("findings", "{}", "--as-of", "2021-07-02"),
        ("unpaid", "{}", "--as-of", "2021-07-02"),
        ("audit", "{}", "--as-of", "2021-07-02"),
        ("diff", "{}", "--from", "2020-05-01", "--to", "2021-07-02"),
        ("check", "{}"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("language", ["en", "id"])
def test_no_hostile_string_is_obeyed_by_the_terminal(
    naughty: Path, command: tuple[str, ...], language: str
):
    answer = run_on_terminal(*on(naughty, command), "--lang", language, columns=120)

    assert answer.status == 3
    assert obeyed(answer.text) == set()


@pytest.mark.parametrize("text", NAUGHTY, ids=ascii)
def test_no_hostile_participant_is_obeyed_by_the_terminal(tmp_path: Path, text: str):
    history = written(tmp_path / "history.jsonl", naughty_lines(text))
    answer = run_on_terminal("trace", history, "--as-of", "2020-07-02", "--", text, columns=100)

    assert answer.status == 3, answer.text
    assert obeyed(answer.text) == set()


@pytest.mark.parametrize("text", [text for text in EXTRA if "\0" not in text], ids=ascii)
def test_no_hostile_argument_is_obeyed_by_the_terminal(clean: Path, text: str):
    for arguments in (
        ("trace", clean, "--", text),
        ("trace", clean, "P-1", "--line", text),
        ("statement", clean, "--", text),
        ("statement", clean.parent / text),
        ("statement", clean, "--as-of", text),
        ("statement", f"sqlite:///{text}"),
        ("unpaid", clean, "--cause", text),
        (text,),
        ("check", "--" + text),
    ):
        answer = run_on_terminal(*arguments)
        assert answer.status == 2, (arguments, answer.text)
        assert obeyed(answer.text) == set(), arguments
