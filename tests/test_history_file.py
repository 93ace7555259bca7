"""History files as they come: plain, compressed, cut short, hostile, or not there at all."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.interfaces.history_file import OverlongLine, lines_of
from tests.cli_support import PROGRAM, Answer, environment, run, run_process
from tests.ledger_support import as_bytes, enrolment, padded_to

LIMIT = 1_048_576


def plain(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def enrolments(count: int) -> list[bytes]:
    return [as_bytes(enrolment(f"P-{n}")) for n in range(count)]


def written(folder: Path, content: bytes, name: str = "history.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def counts(path: Path) -> tuple[int, int, int, list[list[object]]]:
    answer = run("check", path, "--json")
    found = json.loads(answer.out)
    assert answer.status == (3 if found["quarantined"] else 0)
    return found["recorded"], found["duplicates"], found["quarantined"], found["lines"]


def assert_clear_error(answer: Answer, path: object, *words: str) -> None:
    """Status 2, one sentence on standard error that names the file and what to do, no results."""
    assert answer.status == 2, (answer.status, answer.err)
    assert answer.out == b""
    assert str(path) in answer.err
    assert "Traceback" not in answer.err
    assert "internal fault" not in answer.err
    assert answer.err.count("\n") == 1
    for word in words:
        assert word in answer.err, answer.err


GZ, ZST, PLAIN = "history.jsonl.gz", "history.jsonl.zst", "history.jsonl"


def compressed(name: str, content: bytes) -> bytes:
    if name == GZ:
        return gzip.compress(content)
    return zstandard.compress(content) if name == ZST else content


# --- the same lines, however they are kept -----------------------------------------------------------


@pytest.mark.parametrize("name", [PLAIN, GZ, ZST])
def test_a_compressed_history_holds_the_lines_of_the_plain_one(tmp_path: Path, name: str):
    path = written(tmp_path, compressed(name, plain(enrolments(300))), name)

    assert list(lines_of(str(path))) == enrolments(300)


def test_a_gzip_file_of_several_members_is_read_to_its_end(tmp_path: Path):
    lines = enrolments(300)
    content = plain(lines)
    members = [content[:10_000], b"", content[10_000:10_001], content[10_001:]]
    path = written(tmp_path, b"".join(map(gzip.compress, members)), GZ)

    assert list(lines_of(str(path))) == lines


def test_a_zstandard_file_of_several_frames_is_read_to_its_end(tmp_path: Path):
    lines = enrolments(300)
    content = plain(lines)
    frames = [content[:10_000], b"", content[10_000:10_001], content[10_001:]]
    path = written(tmp_path, b"".join(map(zstandard.compress, frames)), ZST)

    assert list(lines_of(str(path))) == lines


def test_many_small_zstandard_frames_are_read(tmp_path: Path):
    lines = enrolments(2_000)
    path = written(tmp_path, b"".join(zstandard.compress(one + b"\n") for one in lines), ZST)

    assert list(lines_of(str(path))) == lines


def test_a_skippable_zstandard_frame_is_skipped(tmp_path: Path):
    """The format allows them anywhere; pzstd writes them."""
    skippable = (0x184D2A50).to_bytes(4, "little") + (3_000).to_bytes(4, "little") + b"x" * 3_000
    content = skippable + zstandard.compress(plain(enrolments(3))) + skippable
    path = written(tmp_path, content, ZST)

    assert list(lines_of(str(path))) == enrolments(3)


def test_a_zstandard_stream_that_does_not_say_its_size_is_read(tmp_path: Path):
    compressor = zstandard.ZstdCompressor(
        write_content_size=False, write_checksum=True
    ).compressobj()
    content = compressor.compress(plain(enrolments(50))) + compressor.flush()
    path = written(tmp_path, content, ZST)

    assert list(lines_of(str(path))) == enrolments(50)


@pytest.mark.parametrize("name", [PLAIN, GZ, ZST])
def test_the_last_line_may_lack_its_line_feed(tmp_path: Path, name: str):
    path = written(tmp_path, compressed(name, plain(enrolments(3))[:-1]), name)

    assert counts(path) == (3, 0, 0, [])


@pytest.mark.parametrize("name", [PLAIN, GZ, ZST])
def test_an_empty_history_is_a_history_of_nothing(tmp_path: Path, name: str):
    path = written(tmp_path, compressed(name, b""), name)

    assert counts(path) == (0, 0, 0, [])


def test_a_carriage_return_before_the_line_feed_is_white_space(tmp_path: Path):
    path = written(tmp_path, b"".join(line + b"\r\n" for line in enrolments(3)))

    assert counts(path) == (3, 0, 0, [])


def test_lines_of_blanks_are_skipped_and_counted_as_line_numbers(tmp_path: Path):
    blanks = [b"", b" ", b"\t", b"\r", b" \t\r", b" " * (LIMIT + 7), b"\r" * 3_000_000]
    path = written(tmp_path, plain([*blanks, b"{", *blanks, b"[]"]))

    assert counts(path) == (0, 0, 2, [[8, "NOT_JSON"], [16, "NOT_JSON"]])


@pytest.mark.parametrize("bad", [b"\x0b", b"\x0c", b"\xc2\xa0", b"\xe2\x80\xa8", b"\x00"])
def test_other_white_space_is_no_blank_line(tmp_path: Path, bad: bytes):
    path = written(tmp_path, plain([bad]))

    assert counts(path) == (0, 0, 1, [[1, "NOT_JSON"]])


def test_only_a_line_feed_ends_a_line(tmp_path: Path):
    """Not U+2028, U+0085, a form feed or a lone carriage return."""
    lines = [as_bytes(enrolment(f"a{sign}b")) for sign in "\u2028\u2029\u0085"]
    path = written(tmp_path, plain([*lines, b"\r".join(enrolments(2))]))

    assert counts(path) == (3, 0, 1, [[4, "NOT_JSON"]])


def test_a_byte_order_mark_costs_the_first_line_only(tmp_path: Path):
    path = written(tmp_path, b"\xef\xbb\xbf" + plain(enrolments(3)))

    assert counts(path) == (2, 0, 1, [[1, "NOT_JSON"]])


def test_a_utf_16_file_is_no_history_and_no_crash(tmp_path: Path):
    path = written(tmp_path, plain(enrolments(2)).decode().encode("utf-16"))
    recorded, _, quarantined, _ = counts(path)

    assert (recorded, quarantined) == (0, 3)


def test_one_bad_line_never_hides_another(tmp_path: Path):
    lines = enrolments(5)
    lines[1:1] = [b"{", b"\xff" * 5, b"x" * (LIMIT + 1), b"[" * 3_000]
    path = written(tmp_path, plain(lines))

    assert counts(path) == (5, 0, 4, [[n, "NOT_JSON"] for n in (2, 3, 4, 5)])


def test_standard_input_is_a_history_too():
    answer = run_process("check", "-", "--json", stdin=plain(enrolments(3)))

    assert (answer.status, json.loads(answer.out)["recorded"]) == (0, 3)


# --- long lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_the_longest_line_is_judged_alike_by_check_and_by_import(tmp_path: Path, ending: bytes):
    line = padded_to(LIMIT - len(ending.strip(b"\n")), enrolment())
    path = written(tmp_path, line + ending)
    imported = run("import", path, "--ledger", f"sqlite:///{tmp_path}/ledger.db")

    assert counts(path) == (1, 0, 0, [])
    assert (imported.status, imported.text) == (0, "1 recorded · 0 duplicates · 0 quarantined\n")


@pytest.mark.parametrize("spoil", [b" ", b"\r", b"\t\r"])
def test_a_line_made_too_long_by_blanks_is_judged_alike_by_check_and_by_import(
    tmp_path: Path, spoil: bytes
):
    path = written(tmp_path, padded_to(LIMIT, enrolment()) + spoil + b"\n")
    imported = run("import", path, "--ledger", f"sqlite:///{tmp_path}/ledger.db")
    recorded, _, quarantined, _ = counts(path)

    assert imported.text == f"{recorded} recorded · 0 duplicates · {quarantined} quarantined\n"


@pytest.mark.parametrize("length", [LIMIT, LIMIT + 1, LIMIT + (1 << 18), 10_000_000])
@pytest.mark.parametrize("name", [PLAIN, GZ, ZST])
def test_a_long_line_is_quarantined_whole(tmp_path: Path, length: int, name: str):
    long = b'{"x1":"' + bytes(65 + n % 26 for n in range(1_000)) * (length // 1_000 + 1)
    lines = [*enrolments(1), long[:length], *enrolments(2)[1:]]
    path = written(tmp_path, compressed(name, plain(lines)), name)
    kept = tmp_path / "kept.jsonl"
    answer = run("import", path, "--ledger", f"sqlite:///{tmp_path}/l.db", "--quarantine", kept)

    assert (answer.status, answer.text) == (3, "2 recorded · 0 duplicates · 1 quarantined\n")
    assert kept.read_bytes() == long[:length] + b"\n"


@pytest.mark.parametrize("length", range(LIMIT - 2, LIMIT + 3))
@pytest.mark.parametrize("before", [0, 1, (1 << 18) - 1, 1 << 18])
def test_lines_of_every_length_around_the_limit_are_split_alike(
    tmp_path: Path, length: int, before: int
):
    """Where a block of the file ends must not matter."""
    lines = [b"a" * before, b"b" * length, b"c"]
    path = written(tmp_path, plain(lines))
    found = [
        b"".join(line.pieces()) if isinstance(line, OverlongLine) else line
        for line in lines_of(str(path))
    ]

    assert found == lines


def limited(megabytes: int, *arguments: object, files: int = 1_000) -> Answer:
    """A command that may use so much address space, so many open files, and no more."""
    limits = f"ulimit -v {megabytes << 10} && ulimit -n {files}"
    done = subprocess.run(
        ["bash", "-c", f'{limits} && exec "$0" "$@"', PROGRAM, *map(str, arguments)],
        capture_output=True,
        timeout=60,
        env=environment(),
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr.decode())


def bomb(path: Path, *pieces: tuple[bytes, int]) -> Path:
    """A Zstandard file in which each piece is repeated so often; tiny, whatever comes out of it."""
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as writer:
        for piece, times in pieces:
            at_once = max(1, 100_000 // len(piece))
            for _ in range(times // at_once):
                writer.write(piece * at_once)
            writer.write(piece * (times % at_once))
    return path


def test_two_hundred_megabytes_in_one_line_do_not_fill_the_memory(tmp_path: Path):
    (one,) = enrolments(1)
    path = bomb(
        tmp_path / ZST, (b" ", 200_000_000), (b"\n", 1), (b"0", 200_000_000), (b"\n" + one, 1)
    )
    answer = limited(400, "check", path, "--json")

    assert path.stat().st_size < 100_000
    assert (answer.err, answer.status) == ("", 3)
    assert json.loads(answer.out) == {
        "recorded": 1, "duplicates": 0, "quarantined": 1, "lines": [[2, "NOT_JSON"]],
    }  # fmt: skip


def test_a_gzip_bomb_does_not_fill_the_memory(tmp_path: Path):
    path = tmp_path / GZ
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(200):
            file.write(b"0" * 1_000_000)
    answer = limited(400, "check", path, "--json")

    assert (answer.err, answer.status) == ("", 3)
    assert json.loads(answer.out)["lines"] == [[1, "NOT_JSON"]]


def test_an_import_of_many_long_lines_does_not_fill_the_memory(tmp_path: Path):
    """400 MB of good events in a small file: a batch must be bounded in bytes too."""
    path = tmp_path / ZST
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as writer:
        for n in range(400):
            writer.write(padded_to(1_000_000, enrolment(f"P-{n}")) + b"\n")
    answer = limited(400, "import", path, "--ledger", f"sqlite:///{tmp_path}/ledger.db")

    assert (answer.err, answer.status) == ("", 0)
    assert answer.text == "400 recorded · 0 duplicates · 0 quarantined\n"


def test_an_import_of_many_over_long_lines_runs_out_of_nothing(tmp_path: Path):
    """Neither of memory nor of open files."""
    path = tmp_path / PLAIN
    with path.open("wb") as file:
        for _ in range(130):
            file.write(b"0" * 1_400_000 + b"\n")
    kept = tmp_path / "kept"
    url = f"sqlite:///{tmp_path}/ledger.db"
    answer = limited(600, "import", path, "--ledger", url, "--quarantine", kept, files=100)

    assert answer.status == 3, answer.err
    assert kept.stat().st_size == 130 * 1_400_001


# --- files that cannot be read ---------------------------------------------------------------------

READING = [
    ("check",),
    ("statement", "--json"),
    ("export",),
    ("audit",),
]


@pytest.mark.parametrize("command", READING, ids=lambda command: command[0])
def test_a_missing_file_is_named(tmp_path: Path, command: tuple[str, ...]):
    path = tmp_path / "nothing.jsonl"
    assert_clear_error(run(command[0], path, *command[1:]), path, "there is no such file", "Check")


@pytest.mark.parametrize("name", ["nothing.jsonl", "nothing.jsonl.gz", "nothing.jsonl.zst"])
def test_a_missing_file_is_named_by_import_and_leaves_no_ledger(tmp_path: Path, name: str):
    path = tmp_path / name
    answer = run("import", path, "--ledger", f"sqlite:///{tmp_path}/ledger.db")
    assert_clear_error(answer, path, "there is no such file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["folder", "folder.gz", "folder.zst"])
def test_a_folder_is_no_history(tmp_path: Path, name: str):
    path = tmp_path / name
    path.mkdir()
    assert_clear_error(run("check", path), path, "it is a folder", "Name a history file")


@pytest.mark.parametrize("command", ["check", "audit", "import"])
def test_a_ledger_named_like_a_file_is_told_how_to_be_named(tmp_path: Path, command: str):
    """Every page of it would be a line in quarantine."""
    file, history = tmp_path / "ledger.db", tmp_path / "history.jsonl"
    history.write_bytes(as_bytes(enrolment("P-1")) + b"\n")
    assert run("import", history, "--ledger", f"sqlite:///{file}").status == 0
    into = ("--ledger", f"sqlite:///{tmp_path}/other.db") if command == "import" else ()
    answer = run(command, file, *into)

    assert (answer.status, answer.out) == (2, b"")
    assert f"A ledger is named by its URL: sqlite:///{file}." in answer.err


def test_a_file_below_a_file_is_no_history(tmp_path: Path):
    path = written(tmp_path, b"") / "below.jsonl"
    assert_clear_error(run("check", path), path)


@contextmanager
def as_somebody_without_rights() -> Iterator[None]:
    """Root reads everything; for a moment, be nobody."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission_is_named(tmp_path: Path):
    path = written(tmp_path, b"")
    run("check", path)  # everything that has to be imported is, while it can be
    run("check", path / "missing")
    path.chmod(0)

    with as_somebody_without_rights():
        answer = run("check", path)

    assert_clear_error(answer, path, "no permission")


def test_an_empty_name_is_no_source():
    answer = run("statement", "")

    assert answer.status == 2
    assert "Traceback" not in answer.err
    assert "internal" not in answer.err


@pytest.mark.parametrize("name", [GZ, ZST])
@pytest.mark.parametrize("seen", [0.0, 0.001, 0.02, 0.1, 0.35, 0.5, 0.8, 0.95, 0.99, 1.0])
def test_compressed_data_that_are_cut_short_are_said_to_be(tmp_path: Path, name: str, seen: float):
    """Never taken for a shorter history. From one byte of the file to all but one."""
    whole = compressed(name, os.urandom(3_000).hex().encode() + b"\n" + plain(enrolments(500)))
    size = min(max(1, int(len(whole) * seen)), len(whole) - 1)
    path = written(tmp_path, whole[:size], name)

    answer = run("check", path, "--json")

    assert_clear_error(answer, path, "damaged or cut short", "Fetch the file again")


@pytest.mark.parametrize("cut", range(1, 16))
def test_the_end_of_a_gzip_file_is_needed_to_the_last_byte(tmp_path: Path, cut: int):
    path = written(tmp_path, gzip.compress(plain(enrolments(3)))[:-cut], GZ)

    assert_clear_error(run("check", path), path, "cut short")


@pytest.mark.parametrize("cut", range(1, 16))
def test_the_end_of_a_zstandard_file_is_needed_to_the_last_byte(tmp_path: Path, cut: int):
    path = written(tmp_path, zstandard.compress(plain(enrolments(3)))[:-cut], ZST)

    assert_clear_error(run("check", path), path, "cut short")


def test_a_second_frame_that_is_cut_short_is_said_to_be(tmp_path: Path):
    frame = zstandard.compress(plain(enrolments(3)))
    path = written(tmp_path, frame + frame[:-5], ZST)

    assert_clear_error(run("check", path), path, "cut short")


@pytest.mark.parametrize("name", [GZ, ZST])
@pytest.mark.parametrize(
    "content",
    [b"no such format", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x00" * 100, plain(enrolments(2))],
)
def test_what_is_not_compressed_as_its_name_says_is_no_history(
    tmp_path: Path, name: str, content: bytes
):
    path = written(tmp_path, content, name)

    assert_clear_error(run("check", path), path)


@pytest.mark.parametrize("name", [GZ, ZST])
def test_rubbish_behind_the_compressed_data_is_not_passed_over(tmp_path: Path, name: str):
    path = written(tmp_path, compressed(name, plain(enrolments(2))) + b"rubbish", name)

    assert_clear_error(run("check", path), path)


@pytest.mark.parametrize("name", [GZ, ZST])
def test_damaged_compressed_data_are_said_to_be(tmp_path: Path, name: str):
    whole = bytearray(compressed(name, plain(enrolments(500))))
    for at in range(len(whole) // 2, len(whole) // 2 + 40):
        whole[at] ^= 0xFF
    path = written(tmp_path, bytes(whole), name)
    answer = run("check", path, "--json")

    # Zstandard has no checksum unless asked for: damage may come out as lines, but never in silence.
    assert answer.status in (2, 3)
    assert "Traceback" not in answer.err


def test_a_plain_file_that_ends_inside_a_line_loses_that_line_only(tmp_path: Path):
    path = written(tmp_path, plain(enrolments(3))[:-20])

    assert counts(path) == (2, 0, 1, [[3, "NOT_JSON"]])


def test_an_import_that_meets_the_cut_keeps_what_came_before(tmp_path: Path):
    """The error says so, and the whole file fetched again does the rest."""
    whole = gzip.compress(plain(enrolments(20_000)))
    path, url = written(tmp_path, whole[:-200], GZ), f"sqlite:///{tmp_path}/ledger.db"

    assert_clear_error(run("import", path, "--ledger", url), path, "stays recorded")
    path.write_bytes(whole)
    again = run("import", path, "--ledger", url)

    assert again.status == 0
    assert run("export", url).out == plain(enrolments(20_000))


def test_reading_a_broken_file_leaves_no_temporary_file_beside_it(tmp_path: Path):
    whole = gzip.compress(plain([*enrolments(100), b"{"] * 300))
    path = written(tmp_path, whole[:-5], GZ)
    run("import", path, "--ledger", f"sqlite:///{tmp_path}/ledger.db")
    left = {file.name for file in tmp_path.iterdir()}

    assert left <= {GZ, "ledger.db", "history.quarantined.jsonl"} | {
        "history.quarantined.jsonl.reasons.jsonl"
    }


def test_lines_of_raises_the_packages_own_error(tmp_path: Path):
    with pytest.raises(UnreadableSource, match="there is no such file"):
        list(lines_of(str(tmp_path / "nothing")))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_file_read_half_way_is_closed(tmp_path: Path):
    path = written(tmp_path, plain(enrolments(3)))
    reader = lines_of(str(path))
    next(reader)
    reader.close()  # type: ignore[attr-defined]

    assert str(path) not in {os.readlink(f"/proc/self/fd/{n}") for n in _open_files()}


def _open_files() -> list[str]:
    return [n for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")]
