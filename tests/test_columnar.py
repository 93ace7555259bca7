"""Parquet histories: the same lines in columns, there and back, judged alike, and hostile ones."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import compute as pc

from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.facts import FACTS, fields_of
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.evidence.columns import BY_NAME, COLUMNS, FIELDS, Kind
from prakerja_ledger.evidence.wire import canonical_line, read_event, write_event
from prakerja_ledger.interfaces.columnar import judging, ordering, positions, reading, writing
from prakerja_ledger.interfaces.columnar.note import read_note
from prakerja_ledger.interfaces.columnar.ordering import Sorter
from prakerja_ledger.evidence.arrow import SCHEMA
from prakerja_ledger.interfaces.columnar.writing import write_columnar
from prakerja_ledger.interfaces.history_file import lines_of
from tests import worlds
from tests.cli_support import (
    CASES,
    PROGRAM,
    Answer,
    big_histories,
    environment,
    needs_cases,
    run,
    run_process,
)
from tests.ledger_support import as_bytes, enrolment, purchase
from tests.postgres_support import made, shared_database  # noqa: F401  # a fixture

Change = Callable[[pa.Table], pa.Table]
AS_OF = "2021-06-01"


def written(path: Path, lines: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def columnar(folder: Path, lines: list[bytes], name: str = "history.parquet") -> Path:
    """Lines as a Parquet history, whatever is on them."""
    path = folder / name
    write_columnar(enumerate(lines, 1), path, KARTU_PRAKERJA)
    return path


def table_of(lines: list[bytes], folder: Path) -> pa.Table:
    return pq.read_table(columnar(folder, lines, "table.parquet"))


def rewritten(path: Path, table: pa.Table, **options: Any) -> Path:
    """The same rows as another tool would write them: without the note."""
    pq.write_table(table, path, **options)
    return path


def every_line(path: Path) -> bytes:
    answer = run("export", path, "--every-line")
    assert (answer.status, answer.err) == (0, "")
    return answer.out


def world(seed: int, events: int = 300) -> list[bytes]:
    return worlds.history(seed, events=events, broken=0.1)


def assert_clear_error(answer: Answer, path: Path, *words: str) -> None:
    """Status 2, one sentence on standard error that names the file, and no results."""
    assert answer.status == 2, (answer.status, answer.out[:200], answer.err)
    assert answer.out == b""
    assert str(path) in answer.err
    assert "Traceback" not in answer.err
    assert "internal fault" not in answer.err
    assert answer.err.count("\n") == 1
    for word in words:
        assert word in answer.err, answer.err


# --- the columns ------------------------------------------------------------------------------------


def test_every_field_of_every_fact_has_a_column_of_its_kind():
    for kind in FACTS.values():
        assert [field for field, _ in FIELDS[kind]] == [one.name for one in fields_of(kind)]
        assert all(BY_NAME[column].nullable for _, column in FIELDS[kind])


def test_only_fields_that_the_envelope_has_too_are_renamed():
    renamed = {(f, c) for pairs in FIELDS.values() for f, c in pairs if f != c}

    assert renamed == {("source", "voided_source"), ("id", "voided_id")}


def test_the_schema_is_the_one_that_others_read():
    kinds = {
        Kind.INTEGER: pa.int64(),
        Kind.TEXT: pa.string(),
        Kind.FLAG: pa.bool_(),
        Kind.INSTANT: pa.timestamp("us", "UTC"),
        Kind.DAY: pa.date32(),
        Kind.TEXTS: pa.list_(pa.string()),
        Kind.COURSES: pa.list_(pa.struct({"course": pa.string(), "institution": pa.string()})),
        Kind.BYTES: pa.binary(),
    }

    assert [(f.name, f.type, f.nullable) for f in SCHEMA] == [
        (one.name, kinds[one.kind], one.nullable) for one in COLUMNS
    ]
    assert SCHEMA.names[:7] == [
        *("position", "source", "id", "kind", "subject", "time", "recordedtime")
    ]
    assert SCHEMA.metadata == {b"prakerja_ledger.history": b"1"}


# --- the canonical line -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("character", "spelt"),
    [
        *((chr(n), f"\\u{n:04x}") for n in range(32) if chr(n) not in "\b\f\n\r\t"),
        *zip("\b\f\n\r\t", (r"\b", r"\f", r"\n", r"\r", r"\t"), strict=True),
        ('"', r"\""),
        ("\\", r"\\"),
        *((one, one) for one in "/<>&'\x7f\x80é\u2028\u2029\ue000\ufeff\uffff𝓐"),
    ],
)
def test_the_canonical_line_spells_each_character_as_is_written_down(character: str, spelt: str):
    """A library that spelt otherwise would give a history other bytes without a word."""
    line = canonical_line("s", character, "t", "x", "y", None, {"a": character, "b": 7})

    assert (
        line
        == (
            f'{{"specversion":"1.0","id":"{spelt}","source":"s","type":"t","subject":"x","time":"y",'
            f'"data":{{"a":"{spelt}","b":7}}}}'
        ).encode()
    )


@needs_cases
def test_the_canonical_line_of_an_event_reads_back_as_the_event():
    for line in lines_of(str(CASES / "documented.jsonl")):
        assert isinstance(line, bytes)
        event = read_event(line, 1, KARTU_PRAKERJA)
        assert isinstance(event, Event)
        assert read_event(write_event(event), 1, KARTU_PRAKERJA) == event


# --- there and back -----------------------------------------------------------------------------------


@needs_cases
@pytest.mark.parametrize("name", ["documented.jsonl", "mixed.jsonl"])
def test_the_shared_cases_come_back_byte_for_byte(tmp_path: Path, name: str):
    target = tmp_path / "history.parquet"
    run("export", CASES / name, "--every-line", "--output", target)

    assert every_line(target) == (CASES / name).read_bytes()
    assert run("check", target, "--json").out == run("check", CASES / name, "--json").out


@pytest.mark.parametrize("seed", range(200))
def test_a_history_comes_back_byte_for_byte(tmp_path: Path, seed: int):
    """Broken lines, blank lines and every spelling of a good one."""
    lines = world(seed)

    assert every_line(columnar(tmp_path, lines)) == b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize("seed", range(0, 200, 20))
def test_rows_come_back_row_for_row(tmp_path: Path, seed: int):
    first = columnar(tmp_path, world(seed), "first.parquet")
    second = tmp_path / "second.parquet"
    run("export", first, "--every-line", "--output", second)

    assert pq.read_table(second).equals(pq.read_table(first))
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("seed", range(5))
def test_an_export_as_parquet_holds_what_the_export_as_lines_holds(tmp_path: Path, seed: int):
    history = written(tmp_path / "history.jsonl", world(seed))
    target = tmp_path / "out.parquet"
    answer = run("export", history, "--format", "parquet", "--output", target)

    assert answer.status == run("export", history).status
    assert run("export", target).out == run("export", history).out
    assert run("check", target, "--json").status == 0
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_ledger_is_exported_as_parquet_too(tmp_path: Path):
    history = written(tmp_path / "history.jsonl", world(3))
    url = f"sqlite:///{tmp_path}/ledger.db"
    run("import", history, "--ledger", url)
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"

    assert run("export", url, "--output", one).status == 0
    assert run("export", url, "--every-line", "--output", other).status == 0
    assert run("export", one).out == run("export", url).out
    assert one.read_bytes() == other.read_bytes()


def test_lines_that_no_column_holds_are_kept_themselves(tmp_path: Path):
    lines = [
        b"", b"\r", b" \t", b"{", b"\xff\xfe{}", b"\x00", as_bytes(enrolment()) + b"\r", b"[]",
        b"\xef\xbb\xbf" + as_bytes(enrolment()), "l\u2028".encode(), b"x" * 2_000_000,
    ]  # fmt: skip
    path = columnar(tmp_path, lines)

    assert every_line(path) == b"".join(line + b"\n" for line in lines)
    assert (
        run("check", path, "--json").out
        == run("check", written(tmp_path / "h.jsonl", lines), "--json").out
    )


@pytest.mark.parametrize(
    ("time", "recordedtime"),
    [
        ("0001-01-01T00:00:00+07:00", None),
        ("0001-01-01T00:00:00.000001+07:00", "9999-12-31T23:59:59.999999+07:00"),
        ("1969-12-31T23:59:59.5+07:00", "1970-01-01T06:59:59.999999+07:00"),
        ("2020-05-19T10:00:00+07:00", "2020-05-19T10:00:00+07:00"),
        ("2020-02-29T10:00:00.1+07:00", None),
    ],
)
def test_the_clocks_of_a_canonical_line_fit_the_columns(
    tmp_path: Path, time: str, recordedtime: str | None
):
    data = {"wave": 1, "scheme": "semi-bansos-2020"}
    line = canonical_line("s", "1", "prakerja.enrolled.v1", "P-1", time, recordedtime, data)
    path = columnar(tmp_path, [line])

    assert every_line(path) == line + b"\n"
    assert pq.read_table(path)["line"].to_pylist() == [None]


def test_a_fraction_finer_than_a_microsecond_keeps_its_line_and_its_order(tmp_path: Path):
    lines = [
        as_bytes(enrolment(time="2020-05-01T10:00:00.0000001+07:00")),
        as_bytes(enrolment("P-2", time="2020-05-01T10:00:00.9999999+07:00")),
    ]
    path = columnar(tmp_path, lines)
    table = pq.read_table(path)

    assert every_line(path) == lines[0] + b"\n" + lines[1] + b"\n"
    assert [line is None for line in table["line"].to_pylist()] == [False, False]
    assert table["time"].cast(pa.int64()).to_pylist() == [
        int(datetime(2020, 5, 1, 3, tzinfo=UTC).timestamp()) * 1_000_000,
        int(datetime(2020, 5, 1, 3, tzinfo=UTC).timestamp()) * 1_000_000 + 999_999,
    ]


def test_a_big_legal_history_keeps_hardly_a_line(tmp_path: Path):
    history = tmp_path / "history.jsonl"
    events = big_histories().write(history, 300)
    path = columnar(tmp_path, history.read_bytes().splitlines())
    table = pq.read_table(path)

    assert table.num_rows == events
    assert table["line"].null_count > 0.95 * events
    assert path.stat().st_size * 10 < history.stat().st_size


def test_a_line_too_long_for_a_row_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "_LONGEST", 3_000_000)
    history = written(tmp_path / "h.jsonl", [b"{}", b"x" * 2_900_000, b" " * 4_000_000])
    target = tmp_path / "h.parquet"

    assert run("export", history, "--every-line", "--output", target).status == 0
    assert every_line(target) == b"{}\n" + b"x" * 2_900_000 + b"\n\n"

    written(history, [b"{}", b"x" * 4_000_000])
    answer = run("export", history, "--every-line", "--output", target)
    assert answer.status == 2
    assert "line 2" in answer.err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["h.jsonl", "h.parquet"]


# --- written so that others find their way ------------------------------------------------------------


def test_rows_are_sorted_and_the_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "GROUP_ROWS", 700)
    history = tmp_path / "history.jsonl"
    big_histories().write(history, 300)
    path = columnar(tmp_path, history.read_bytes().splitlines())
    metadata = pq.read_metadata(path)
    keys = pq.read_table(path, columns=["subject", "position"]).to_pylist()

    assert metadata.num_row_groups > 5
    assert keys == sorted(keys, key=lambda row: (row["subject"].encode(), row["position"]))
    for group in range(metadata.num_row_groups):
        names = [metadata.schema.column(n.column_index).path for n in
                 metadata.row_group(group).sorting_columns]  # fmt: skip
        assert names == ["subject", "position"]
        column = metadata.row_group(group).column(SCHEMA.get_field_index("subject"))
        assert column.compression == "ZSTD"
        assert column.statistics.has_min_max


def test_a_history_longer_than_memory_should_hold_is_sorted_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    history = tmp_path / "history.jsonl"
    big_histories().write(history, 300)
    lines = history.read_bytes().splitlines()
    at_once = columnar(tmp_path, lines, "at-once.parquet")
    monkeypatch.setattr(writing, "_AT_ONCE", 100)
    monkeypatch.setattr(ordering, "PIECE", 16)
    monkeypatch.setattr(ordering, "WINDOW", 5)
    monkeypatch.setattr(Sorter.__init__, "__defaults__", (250,))
    in_runs = columnar(tmp_path, lines, "in-runs.parquet")

    assert pq.read_table(in_runs).equals(pq.read_table(at_once))
    assert every_line(in_runs) == history.read_bytes()


def test_the_same_history_gives_the_same_bytes(tmp_path: Path):
    lines = world(4)

    assert (
        columnar(tmp_path, lines, "a").read_bytes() == columnar(tmp_path, lines, "b").read_bytes()
    )


# --- as a source --------------------------------------------------------------------------------------

QUESTIONS: list[tuple[str, ...]] = [
    ("check",),
    ("check", "--json"),
    ("statement", "--as-of", AS_OF),
    ("statement", "--json", "--as-of", AS_OF, "--known-at", "2021-01-01"),
    ("unpaid", "--csv", "--as-of", AS_OF),
    ("totals", "--by", "cause", "--as-of", AS_OF),
    ("findings", "--json", "--as-of", AS_OF),
    ("diff", "--json", "--from", "2020-07-01", "--to", AS_OF),
    ("audit", "--as-of", AS_OF),
    ("export",),
]


def assert_same_answers(lines: Path, columns: Path) -> None:
    """Every command, byte for byte, but for the name of the file."""
    for command, *options in QUESTIONS:
        one = run(command, lines, *options)
        other = run(command, columns, *options)
        assert other.status == one.status, (command, other.err)
        assert other.out.replace(b"C/", b"L/") == one.out, command
        assert other.err.replace("C/", "L/") == one.err, command


def pair(tmp_path: Path, lines: list[bytes], change: Change | None = None) -> tuple[Path, Path]:
    """A history as lines and as columns, under names of one length (tables are aligned to them)."""
    one = written(tmp_path / "L" / "history", lines)
    (tmp_path / "C").mkdir(exist_ok=True)
    other = columnar(tmp_path / "C", lines, "history")
    if change is not None:
        rewritten(other, change(pq.read_table(other)), row_group_size=97)
    return one, other


def as_it_is(table: pa.Table) -> pa.Table:
    return table


def by_position(table: pa.Table) -> pa.Table:
    return table.sort_by("position")


def in_any_order(table: pa.Table) -> pa.Table:
    order = list(range(table.num_rows))
    random.Random(7).shuffle(order)
    return table.take(pa.array(order))


def without_metadata(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata(None).drop_columns(["line_bytes"])


def as_large_and_by_dictionary(table: pa.Table) -> pa.Table:
    for name in ("subject", "course", "kind"):
        column = table[name].cast(pa.large_string())
        table = table.set_column(table.schema.names.index(name), name, column)
    index = table.schema.names.index("provider")
    return table.set_column(index, "provider", table["provider"].dictionary_encode())


@pytest.mark.parametrize("seed", range(300, 320))
def test_a_parquet_history_answers_as_its_lines_do(tmp_path: Path, seed: int):
    assert_same_answers(*pair(tmp_path, world(seed)))


@pytest.mark.parametrize(
    "change",
    [as_it_is, by_position, in_any_order, without_metadata, as_large_and_by_dictionary],
)
@pytest.mark.parametrize("seed", range(320, 324))
def test_so_does_one_that_another_tool_wrote_anew(tmp_path: Path, seed: int, change: Change):
    lines = [line for line in world(seed) if change is not without_metadata or _is_text(line)]

    assert_same_answers(*pair(tmp_path, lines, change))


def _is_text(line: bytes) -> bool:
    try:
        return bool(line.decode().strip(" \t\r"))
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("order", [as_it_is, in_any_order])
@pytest.mark.parametrize("seed", range(330, 334))
def test_so_does_a_folder_of_part_files(tmp_path: Path, seed: int, order: Change):
    one, other = pair(tmp_path, world(seed))
    table = order(pq.read_table(other))
    other.unlink()
    other.mkdir()
    for number, start in enumerate(range(0, table.num_rows, 90)):
        pq.write_table(table.slice(start, 90), other / f"part-{9 - number:05}.parquet")
    (other / "_SUCCESS").touch()
    (other / ".part.parquet.crc").write_bytes(b"crc")
    (other / "_metadata.parquet").write_bytes(b"not a part")

    assert_same_answers(one, other)


@pytest.mark.parametrize("seed", range(340, 344))
def test_so_does_one_whose_participants_spill(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
):
    one, other = pair(tmp_path, world(seed), as_it_is)
    monkeypatch.setattr(judging.AsideByNumber.__init__, "__defaults__", (3,))
    monkeypatch.setattr(reading, "_AT_ONCE", 7)
    monkeypatch.setattr("prakerja_ledger.interfaces.columnar.files.BATCH", 11)
    monkeypatch.setattr(positions, "_SPARSE", -10_000)

    assert_same_answers(one, other)


def answers_about(source: Path, names: list[str]) -> list[bytes]:
    return [
        run(*command).out
        for name in names
        for command in (
            ("statement", source, name, "--json", "--as-of", AS_OF),
            ("trace", source, name, "--as-of", AS_OF),
            ("diff", source, name, "--from", "2020-07-01", "--to", AS_OF),
        )
    ]


@pytest.mark.parametrize("change", [None, as_it_is, in_any_order])
@pytest.mark.parametrize("seed", range(350, 358))
def test_one_participant_is_the_same_without_reading_the_rest(
    tmp_path: Path, seed: int, change: Change | None
):
    """Also where an identity is shared, a package is named, a subject is more than one thing."""
    one, other = pair(tmp_path, world(seed), change)
    names = [json.loads(line)["participant"] for line in run("statement", one, "--json").lines]

    assert answers_about(other, [*names, "nobody"]) == answers_about(one, [*names, "nobody"])


def test_one_participant_is_found_by_the_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writing, "GROUP_ROWS", 200)
    history = tmp_path / "history.jsonl"
    big_histories().write(history, 300)
    path = columnar(tmp_path, history.read_bytes().splitlines())
    read: list[int] = []
    plain = reading.Part.read

    def counted(part: Any, group: int, columns: Any = None) -> Iterator[Any]:
        read.append(group)
        return plain(part, group, columns)

    monkeypatch.setattr(reading.Part, "read", counted)
    answer = run("statement", path, "P-00000150", "--json", "--as-of", AS_OF)

    assert answer.out == run("statement", history, "P-00000150", "--json", "--as-of", AS_OF).out
    assert len(read) <= 4 < pq.read_metadata(path).num_row_groups // 2


def test_an_identity_that_two_participants_share_belongs_to_whoever_was_recorded_first(
    tmp_path: Path,
):
    """In the order of recording, not of participants: the second one alone would look recorded."""
    lines = [
        as_bytes(enrolment("P-9", id="same")),
        as_bytes(enrolment("P-1", id="same")),
        as_bytes(enrolment("P-2", id="other")),
    ]
    one, other = pair(tmp_path, lines)
    with other.open("rb") as file:
        note = read_note(file)

    assert note is not None
    assert note.sharing == {"P-1", "P-9"}
    assert run("statement", other, "P-1").status == 2
    assert run("statement", other, "P-9").status == 3
    assert_same_answers(one, other)
    assert_same_answers(*pair(tmp_path, lines, as_it_is))
    assert run("statement", other, "P-1").status == 2


def test_a_package_counts_from_its_offer_on_only(tmp_path: Path):
    offer = {
        **json.loads(as_bytes(enrolment("PKT", id="offer"))),
        "type": "prakerja.package-offered.v1",
        "data": {
            "platform": "tokopedia",
            "price": 7,
            "courses": [{"course": "C", "institution": "I"}],
        },
    }
    bought = [json.loads(as_bytes(purchase())) for _ in range(2)]
    for number, one in enumerate(bought):
        one["id"], one["data"]["purchase"] = f"b{number}", f"{number}"
        one["data"]["package"] = "PKT"
    enrolled = enrolment(bought[0]["subject"], id="enrolled")
    lines = [as_bytes(enrolled), *map(as_bytes, (bought[0], offer, bought[1]))]
    one, other = pair(tmp_path, lines)

    assert json.loads(run("check", other, "--json").out)["lines"] == [[2, "UNKNOWN_REFERENCE"]]
    assert_same_answers(one, other)


def test_several_histories_of_either_form_are_judged_as_one(tmp_path: Path):
    lines = world(8)
    first, second = lines[:150], lines[150:]
    a = written(tmp_path / "L" / "a", first)
    b = written(tmp_path / "L" / "b", second)
    (tmp_path / "C").mkdir()
    c, d = columnar(tmp_path / "C", first, "a"), columnar(tmp_path / "C", second, "b")

    for mixed in ((a, d), (c, b), (c, d)):
        for options in ((), ("--json",)):
            one, other = run("check", a, b, *options), run("check", *mixed, *options)
            assert other.out.replace(b"/C/", b"/L/") == one.out


def test_a_parquet_history_is_told_by_its_content(tmp_path: Path):
    """Not by its name, which may even promise something else."""
    for name in ("history.jsonl", "history", "history.jsonl.gz", "history.zst"):
        path = columnar(tmp_path, [as_bytes(enrolment())], name)
        assert run("check", path).text == "1 recorded · 0 duplicates · 0 quarantined\n"


def test_a_parquet_history_in_a_pipe_is_refused(tmp_path: Path):
    path = columnar(tmp_path, [as_bytes(enrolment())])
    answer = run_process("check", "-", stdin=path.read_bytes())

    assert_clear_error(answer, Path("-"), "as a stream")


def test_the_extra_that_is_missing_is_named(tmp_path: Path):
    path = columnar(tmp_path, [as_bytes(enrolment())])
    lines = written(tmp_path / "h.jsonl", [as_bytes(enrolment())])
    blocked = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from prakerja_ledger.interfaces.cli.main import main\n"
        "main()"
    )
    for arguments in (("check", path), ("export", lines, "--output", tmp_path / "n.parquet")):
        answer = subprocess.run(
            [Path(PROGRAM).parent / "python", "-c", blocked, *map(str, arguments)],
            capture_output=True, check=False, env=environment(),
        )  # fmt: skip
        assert answer.returncode == 2
        assert b"pip install 'prakerja-ledger[parquet]'" in answer.stderr
    assert not (tmp_path / "n.parquet").exists()


def test_parquet_needs_a_file_to_be_written_to(tmp_path: Path):
    answer = run("export", written(tmp_path / "h", []), "--format", "parquet")

    assert (answer.status, answer.out) == (2, b"")
    assert "--output" in answer.err


def test_an_empty_history_is_a_parquet_history_of_nothing(tmp_path: Path):
    assert_same_answers(*pair(tmp_path, []))
    assert_same_answers(*pair(tmp_path, [], as_it_is))


# --- import -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [None, in_any_order])
@pytest.mark.parametrize("seed", range(360, 364))
def test_a_parquet_history_is_imported_as_its_lines_are(
    tmp_path: Path, seed: int, change: Change | None
):
    one, other = pair(tmp_path, world(seed), change)
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "other")]
    answers = [
        run("import", path, "--ledger", url, "--quarantine", tmp_path / f"{path.parent.name}.q")
        for path, url in zip((one, other), urls, strict=True)
    ]

    assert answers[0].out == answers[1].out
    assert answers[0].status == answers[1].status
    assert run("export", urls[1]).out == run("export", urls[0]).out
    assert (tmp_path / "C.q").read_bytes() == (tmp_path / "L.q").read_bytes()
    again = run("import", other, "--ledger", urls[1])
    assert again.out == run("import", one, "--ledger", urls[0]).out


@pytest.mark.parametrize("shards", [1, 3])
def test_it_goes_into_postgresql_as_its_lines_do(
    tmp_path: Path,
    shared_database: str,  # noqa: F811  # the fixture
    shards: int,
):
    one, other = pair(tmp_path, world(365))
    urls = [made(shared_database, shards=shards) for _ in range(2)]
    answers = [run("import", p, "--ledger", u) for p, u in zip((one, other), urls, strict=True)]

    assert answers[0].out == answers[1].out
    assert run("export", urls[1]).out == run("export", urls[0]).out
    target = tmp_path / "back.parquet"
    run("export", urls[1], "--output", target)
    assert run("export", target).out == run("export", urls[0]).out
    again = run("import", other, "--ledger", urls[1])
    assert again.out == run("import", one, "--ledger", urls[0]).out


@pytest.mark.slow
def test_an_import_killed_in_the_middle_loses_and_doubles_nothing(tmp_path: Path):
    history = tmp_path / "history.jsonl"
    events = big_histories().write(history, 3_000)
    path = columnar(tmp_path, history.read_bytes().splitlines())
    database = tmp_path / "ledger.db"
    url = f"sqlite:///{database}"
    sizes = []
    for kilobytes in (300, 3_000, 9_000):
        killed = subprocess.Popen(
            [PROGRAM, "import", str(path), "--ledger", url],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
        )  # fmt: skip
        _wait_until(
            lambda size=kilobytes: killed.poll() is not None or _size(database) > size << 10
        )
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        kept = run("export", url).out
        assert history.read_bytes().startswith(kept), "what is there is no beginning of the history"
        sizes.append(len(kept))
    assert sizes == sorted(sizes)
    assert 0 < max(sizes) < history.stat().st_size, "it was never stopped in the middle"

    answer = run("import", path, "--ledger", url)
    assert answer.text == f"{events} recorded · 0 duplicates · 0 quarantined\n"
    assert run("export", url).out == history.read_bytes()


def _size(database: Path) -> int:
    return sum(
        file.stat().st_size for file in database.parent.glob(f"{database.name}*") if file.exists()
    )


def _wait_until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done() and time.monotonic() < end:
        time.sleep(0.005)


# --- rows that break the format -----------------------------------------------------------------------


def with_value(name: str, value: Any, row: int = 0) -> Change:
    def change(table: pa.Table) -> pa.Table:
        index = table.schema.names.index(name)
        values = table.column(index).to_pylist()
        values[row] = value
        return table.set_column(
            index, table.schema.field(index), pa.array(values, table.schema.field(index).type)
        )

    return change


BROKEN_ROWS: list[tuple[str, str, Any, str]] = [
    ("enrolled", "wave", 0, "INVALID_DATA"),
    ("enrolled", "wave", 2**53, "INVALID_DATA"),
    ("enrolled", "wave", None, "INVALID_DATA"),
    ("enrolled", "scheme", "no-such-scheme", "INVALID_DATA"),
    ("enrolled", "amount", 5, "INVALID_DATA"),
    ("enrolled", "source", "", "NOT_CLOUDEVENT"),
    ("enrolled", "id", "x" * 201, "NOT_CLOUDEVENT"),
    ("enrolled", "subject", "é" * 201, "NOT_CLOUDEVENT"),
    ("enrolled", "kind", "enroled", "UNKNOWN_TYPE"),
    ("enrolled", "kind", "", "UNKNOWN_TYPE"),
    ("enrolled", "kind", "payments-held", "INVALID_DATA"),
    ("enrolled", "recordedtime", datetime(2019, 1, 1, tzinfo=UTC), "INVALID_DATA"),
    ("enrolled", "platforms", [], "INVALID_DATA"),
    ("enrolled", "voided_id", "e", "INVALID_DATA"),
    ("training-purchased", "price", -5, "INVALID_DATA"),
    ("training-purchased", "method", "cash", "INVALID_DATA"),
    ("training-purchased", "courses", [], "INVALID_DATA"),
    ("training-purchased", "courses", [None], "INVALID_DATA"),
    ("training-purchased", "courses", [{"course": None, "institution": "I"}], "INVALID_DATA"),
    ("training-purchased", "courses", [{"course": "C", "institution": "I"}] * 2, "INVALID_DATA"),
    ("training-purchased", "courses",
     [{"course": f"C{n:0199}", "institution": "I" * 200} for n in range(3_000)], "NOT_JSON"),
    # few items, but a character can take four bytes, and a control character six
    ("training-purchased", "courses",
     [{"course": f"{n:04}" + "\U00010300" * 196, "institution": "\U00010300" * 200} for n in range(700)],
     "NOT_JSON"),
    ("training-purchased", "courses",
     [{"course": f"{n:04}" + "\x01" * 196, "institution": "\x01" * 200} for n in range(440)], "NOT_JSON"),
    ("training-purchased", "purchase", "", "INVALID_DATA"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "column", "value", "code"), BROKEN_ROWS)
@pytest.mark.parametrize("sort", [as_it_is, in_any_order])
def test_a_row_that_breaks_the_format_is_quarantined_as_its_line_is(
    tmp_path: Path, kind: str, column: str, value: Any, code: str, sort: Change
):
    """With the same code, and the same sentence; the rows around it stand."""
    lines = [
        as_bytes(enrolment("P-0", id="z")),
        as_bytes(enrolment("P-1")),
        as_bytes(purchase("P-1")),
    ]
    broken = {"enrolled": "P-0", "training-purchased": "P-1"}[kind]
    table = table_of(lines, tmp_path)
    rows = table.select(["kind", "subject"]).to_pylist()
    place = rows.index({"kind": kind, "subject": broken})
    path = rewritten(tmp_path / "x", sort(with_value(column, value, place)(table)))
    out = written(tmp_path / "L" / "x", every_line(path).split(b"\n")[:-1])
    found = json.loads(run("check", path, "--json").out)

    assert [one for _, one in found["lines"]] == [code]
    assert found["recorded"] == 2
    assert run("check", out).out.replace(b"/L/", b"/") == run("check", path).out
    assert run("statement", path, "--json").out == run("statement", out, "--json").out


@pytest.mark.parametrize(
    "time", [-(2**63), -62_135_596_800_000_001 - 7 * 3_600_000_000, 2**62, 2**63 - 1]
)
def test_a_time_that_the_format_cannot_write_is_quarantined(tmp_path: Path, time: int):
    table = table_of([as_bytes(enrolment())], tmp_path)
    for name in ("time", "recordedtime"):
        index = table.schema.names.index(name)
        column = pa.array([time], pa.int64()).cast(pa.timestamp("us", "UTC"))
        path = rewritten(tmp_path / "x", table.set_column(index, table.schema.field(name), column))
        assert json.loads(run("check", path, "--json").out)["lines"] == [[1, "INVALID_DATA"]]


def test_a_row_is_read_from_its_line_alone_and_its_columns_must_agree(tmp_path: Path):
    spaced = as_bytes(enrolment()).replace(b":", b": ", 1)
    table = table_of([spaced], tmp_path)
    assert table["line"].null_count == 0
    for name, value in [
        ("source", "//other"), ("id", "other"), ("subject", "P-2"), ("kind", "survey-submitted"),
        ("wave", 7), ("survey", 1), ("time", datetime(2020, 1, 1, tzinfo=UTC)),
        ("recordedtime", datetime(2030, 1, 1, tzinfo=UTC)),
    ]:  # fmt: skip
        path = rewritten(tmp_path / "x", with_value(name, value)(table))
        assert_clear_error(run("check", path), path, "do not say what its line says")


# --- files that are no history ------------------------------------------------------------------------


def cast(name: str, kind: pa.DataType) -> Change:
    def change(table: pa.Table) -> pa.Table:
        index = table.schema.names.index(name)
        return table.set_column(index, name, table[name].cast(kind))

    return change


def without(name: str) -> Change:
    return lambda table: table.drop_columns([name])


def replaced(name: str, values: list[Any], kind: pa.DataType) -> Change:
    def change(table: pa.Table) -> pa.Table:
        times = table.num_rows // len(values) + 1
        column = pa.array((values * times)[: table.num_rows], kind)
        return table.set_column(table.schema.names.index(name), name, column)

    return change


DEEP = pa.list_(pa.list_(pa.struct({"course": pa.map_(pa.string(), pa.list_(pa.int8()))})))
FOREIGN: dict[str, tuple[Change, str]] = {
    "another table": (lambda _: pa.table({"a": [1]}), "column 'position'"),
    "no columns": (lambda _: pa.table({}), "missing"),
    "a column missing": (without("amount"), "column 'amount' missing"),
    "no line": (without("line"), "column 'line' missing"),
    "one too many": (lambda t: t.append_column("note", t["kind"]), "column 'note' unknown"),
    "one twice": (lambda t: t.append_column("kind", t["kind"]), "twice"),
    "float money": (cast("amount", pa.float64()), "column amount is double"),
    "decimal money": (cast("price", pa.decimal128(30, 2)), "column price is decimal"),
    "text money": (cast("amount", pa.string()), "column amount is string"),
    "small numbers": (cast("position", pa.int32()), "column position is int32"),
    "unsigned numbers": (cast("position", pa.uint64()), "column position is uint64"),
    "no time zone": (cast("time", pa.timestamp("us")), "column time is timestamp[us]"),
    "another time zone": (cast("time", pa.timestamp("us", "Asia/Jakarta")), "column time is"),
    "milliseconds": (cast("time", pa.timestamp("ms", "UTC")), "column time is timestamp[ms"),
    "nested nonsense": (replaced("courses", [None], DEEP), "column courses is list"),
    "courses of one field": (
        replaced("courses", [None], pa.list_(pa.struct({"course": pa.string()}))),
        "column courses is list",
    ),
    "another version": (
        lambda t: t.replace_schema_metadata({"prakerja_ledger.history": "2"}),
        "prakerja_ledger.history = '2'",
    ),
    "a null position": (with_value("position", None), "column position holds a null"),
    "a null subject": (with_value("subject", None), "column subject holds a null"),
    "a null kind": (with_value("kind", None, 1), "column kind holds a null"),
    "a null time": (with_value("time", None), "column time holds a null"),
    "position 0": (with_value("position", 0), "a position is 0"),
    "a negative position": (with_value("position", -1), "a position is -1"),
    "a position beyond all": (with_value("position", 2**53), "a position is"),
    "a position twice": (replaced("position", [3], pa.int64()), "position 3 stands there twice"),
    "a position twice apart": (with_value("position", 2, 3), "position 2 stands there twice"),
    "a line and bytes": (
        lambda t: replaced("line_bytes", [b"{}"], pa.binary())(
            replaced("line", ["{}"], pa.string())(t)
        ),
        "both a line and line_bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("sort", [as_it_is, in_any_order])
def test_a_foreign_parquet_file_is_said_to_be_no_history(tmp_path: Path, name: str, sort: Change):
    change, words = FOREIGN[name]
    table = table_of([as_bytes(enrolment(f"P-{n}")) for n in range(4)], tmp_path)
    schema = table.schema
    table = change(
        pa.table(table.columns, schema=pa.schema([f.with_nullable(True) for f in schema]))
    )
    path = rewritten(tmp_path / "x.parquet", sort(table) if table.num_rows == 4 else table)

    for command in (("check", path), ("statement", path), ("export", path)):
        assert_clear_error(run(*command), path, words)
    answer = run("import", path, "--ledger", f"sqlite:///{tmp_path}/ledger.db")
    assert_clear_error(answer, path, words)


def test_text_that_is_not_utf_8_is_said_to_be(tmp_path: Path):
    table = table_of([as_bytes(enrolment())], tmp_path)
    for name in ("source", "id", "subject", "kind", "scheme", "reason", "line"):
        column = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
        index = table.schema.names.index(name)
        path = rewritten(tmp_path / "x", table.set_column(index, table.schema.field(name), column))
        assert_clear_error(run("check", path), path)
        assert_clear_error(run("export", path, "--every-line"), path)


def test_a_date_that_no_calendar_has_is_said_to_be(tmp_path: Path):
    table = table_of([as_bytes(enrolment())], tmp_path)
    index = table.schema.names.index("effective")
    column = pa.array([2**31 - 1], pa.int32()).cast(pa.date32())
    path = rewritten(tmp_path / "x", table.set_column(index, table.schema.field(index), column))

    assert run("check", path).status in (2, 3)


def test_a_folder_without_part_files_is_no_history(tmp_path: Path):
    (tmp_path / "notes.txt").touch()

    assert_clear_error(run("check", tmp_path), tmp_path, "it is a folder")


def test_one_bad_part_file_is_named(tmp_path: Path):
    columnar(tmp_path, [as_bytes(enrolment())], "a.parquet")
    bad = tmp_path / "b.parquet"
    bad.write_bytes(b"PAR1")

    assert_clear_error(run("check", tmp_path), bad)


def test_an_export_may_not_go_into_the_folder_that_it_reads(tmp_path: Path):
    columnar(tmp_path, [as_bytes(enrolment())], "a.parquet")
    answer = run("export", tmp_path, "--output", tmp_path / "b.parquet")

    assert answer.status == 2
    assert not (tmp_path / "b.parquet").exists()


def test_an_encrypted_footer_is_named(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(b"PARE" + b"\x00" * 100 + b"\x10\x00\x00\x00PARE")

    assert_clear_error(run("check", path), path, "encrypted")


# --- damaged files ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    history = folder / "history.jsonl"
    big_histories().write(history, 120)
    before, writing.GROUP_ROWS = writing.GROUP_ROWS, 500  # type: ignore[misc]
    try:
        return columnar(folder, history.read_bytes().splitlines()).read_bytes()
    finally:
        writing.GROUP_ROWS = before  # type: ignore[misc]


def questions(path: Path) -> list[Answer]:
    return [
        run("check", path, "--json"),
        run("statement", path, "P-00000007", "--json", "--as-of", AS_OF),
        run("export", path),
    ]


def without_note(whole: bytes, folder: Path) -> bytes:
    path = folder / "plain"
    path.write_bytes(whole)
    return rewritten(path, pq.read_table(path), write_page_checksum=True).read_bytes()


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize("part", range(24))
def test_a_truncated_file_is_said_to_be(tmp_path: Path, whole: bytes, part: int, noted: bool):
    """In every region: magic, row groups, index, note, footer, its length."""
    content = whole if noted else without_note(whole, tmp_path)
    near_the_end = [1, 2, 4, 5, 8, 9, 12, 16, 100, 1_000, 4_000, 10_000]
    sizes = [4, 5, 11, 12, 50] + [len(content) * n // 8 for n in range(1, 8)]
    size = sizes[part] if part < len(sizes) else len(content) - near_the_end[part - len(sizes)]
    path = tmp_path / "cut"
    path.write_bytes(content[:size])

    for answer in questions(path):
        assert_clear_error(answer, path, "damaged or cut short", "Fetch the file again")


@pytest.mark.parametrize("seed", range(200))
def test_a_flipped_bit_is_an_error_or_changes_no_answer(tmp_path: Path, whole: bytes, seed: int):
    """Anywhere in a file of ours: never a traceback, and never another number."""
    rng = random.Random(seed)
    content = bytearray(whole)
    tail = seed % 2 and 12_000
    content[rng.randrange(len(content) - tail if tail else 4, len(content))] ^= 1 << rng.randrange(
        8
    )
    path, good = tmp_path / "bad", tmp_path / "good"
    path.write_bytes(content)
    good.write_bytes(whole)

    for answer, right in zip(questions(path), questions(good), strict=True):
        if answer.status == right.status:
            assert answer.out == right.out
        else:
            assert_clear_error(answer, path)


@pytest.mark.parametrize("seed", range(100))
def test_a_flipped_bit_in_a_file_of_another_tool_is_no_crash(
    tmp_path: Path, whole: bytes, seed: int
):
    rng = random.Random(seed)
    content = bytearray(without_note(whole, tmp_path))
    content[rng.randrange(4, len(content))] ^= 1 << rng.randrange(8)
    path = tmp_path / "bad"
    path.write_bytes(content)

    for answer in questions(path):
        assert answer.status in (0, 2, 3)
        assert "Traceback" not in answer.err
        assert "internal fault" not in answer.err


def test_a_note_is_left_behind_by_whoever_writes_the_file_anew(tmp_path: Path):
    """Kept metadata could speak of rows that are gone; the note cannot."""
    path = columnar(tmp_path, [as_bytes(enrolment(f"P-{n}")) for n in range(9)])
    table = pq.read_table(path)
    rewritten(path, table.filter(pc.greater(table["position"], 3)))
    with path.open("rb") as file:
        assert read_note(file) is None

    assert run("check", path).text == "6 recorded · 0 duplicates · 0 quarantined\n"


# --- hostile sizes ------------------------------------------------------------------------------------


def limited(megabytes: int, *arguments: object) -> Answer:
    done = subprocess.run(
        ["bash", "-c", f'ulimit -v {megabytes << 10} && exec "$0" "$@"', PROGRAM, *map(str, arguments)],
        capture_output=True, timeout=120, env=environment(), check=False,
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr.decode())


@pytest.mark.parametrize(
    "column", ["id", "source", pytest.param("scheme", marks=pytest.mark.slow), "line"]
)
def test_a_dictionary_that_unpacks_without_end_does_not_fill_the_memory(
    tmp_path: Path, column: str
):
    """A few thousand rows share one text of a megabyte: 3 GB when written out, in a small file."""
    count = 3_000
    table = table_of([as_bytes(enrolment())], tmp_path).take(pa.array([0] * count))
    table = replaced("position", list(range(1, count + 1)), pa.int64())(table)
    index = table.schema.names.index(column)
    long = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["x" * 1_000_000])
    path = rewritten(tmp_path / "x", table.set_column(index, column, long), compression="zstd")
    assert path.stat().st_size < 1_000_000

    answer = limited(2_000, "check", path, "--json")

    assert answer.status in (2, 3), answer.err[-300:]
    assert "Traceback" not in answer.err
    if answer.status == 3:
        assert json.loads(answer.out)["quarantined"] == count


# --- others read it -----------------------------------------------------------------------------------


def test_a_page_of_it_says_the_right_sum_to_another_reader(tmp_path: Path):
    history = tmp_path / "history.jsonl"
    big_histories().write(history, 200)
    path = columnar(tmp_path, history.read_bytes().splitlines())
    wanted = sum(
        event["data"]["price"]
        for event in map(msgspec.json.decode, history.read_bytes().splitlines())
        if event["type"] == "prakerja.training-purchased.v1"
    )
    table = pq.read_table(path, filters=[("kind", "=", "training-purchased")])

    assert pc.sum(table["price"]).as_py() == wanted


def test_a_folder_of_nothing_else_is_left_behind(tmp_path: Path):
    """An export that is stopped leaves neither half a file nor a temporary one."""
    history = written(tmp_path / "h.jsonl", world(1))
    target = tmp_path / "out.parquet"
    target.write_bytes(b"as before")
    with pytest.raises(RuntimeError), target.open("rb"):
        write_columnar(_stopping(history), target, KARTU_PRAKERJA)

    assert target.read_bytes() == b"as before"
    assert sorted(os.listdir(tmp_path)) == ["h.jsonl", "out.parquet"]


def _stopping(history: Path) -> Iterator[Any]:
    yield from enumerate(lines_of(str(history)), 1)
    raise RuntimeError


def test_the_copy_of_a_file_is_the_file(tmp_path: Path):
    path = columnar(tmp_path, [as_bytes(enrolment())])
    copy = Path(shutil.copy(path, tmp_path / "copy"))

    assert run("check", copy).text == run("check", path).text
