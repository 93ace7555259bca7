"""Eight writers at the same few participants; and each check of theirs finds what it is there for."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger import Receipt
from prakerja_ledger.stores import postgres_schema
from tests import workloads as w
from tests.workloads import BankCheck, Job, Look, Note

WRITERS = 8
SECONDS = 4.0
KILLS = 2


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger on each store that processes share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    database = str(request.getfixturevalue("database_url"))
    assert postgres_schema.apply(database)
    return database


def test_what_writers_are_told_is_what_the_log_holds(url: str) -> None:
    seed = random.SystemRandom().randrange(1 << 32)

    report = w.run(url, writers=WRITERS, seconds=SECONDS, seed=seed, kills=KILLS)

    again = f"python -m tests.workloads --url URL --seed {seed} --seconds {SECONDS} --kills {KILLS}"
    assert not report.problems, "\n".join([again, *report.problems[:20]])
    outcomes = report.counts["outcomes"]
    assert outcomes["done"], f"too slow to say anything ({again})"
    assert outcomes.keys() - {"done", "unknown"}, f"nothing was refused ({again}): {outcomes}"


# --- the set check --------------------------------------------------------------------------------

LINK = Job("//w", "1", "account-linked", "P-1", {"provider": "ovo", "account": "A-1"})
OTHER = Job("//w", "1", "account-linked", "P-1", {"provider": "ovo", "account": "A-9"})


def entry(job: Job = LINK, time: str = "2022-03-01T09:00:00+07:00") -> dict[str, Any]:
    data = dict(job.data)
    if line := data.pop("line", None):
        component, _, number = line.partition("/")
        data |= {"component": component, "instalment": int(number)}
    return {**job.event(), "time": time, "data": data}


def note(*receipts: Receipt, job: Job = LINK, outcome: str = "done", began: float = 1) -> Note:
    jobs = [job] * max(1, len(receipts))
    return Note("w", jobs, began, outcome, list(receipts), began + 1)


def found(log: dict[int, dict[str, Any]], *notes: Note) -> list[str]:
    return list(w.check_set(log, notes))


@pytest.mark.parametrize(
    ("log", "notes"),
    [
        ({1: entry()}, [note(Receipt(1))]),
        ({1: entry()}, [note(Receipt(1)), note(Receipt(1, duplicate=True))]),
        ({1: entry()}, [note(outcome="unknown")]),
        ({}, [note(outcome="unknown")]),
        ({}, [note(outcome="ILLEGAL_MOVE")]),
        ({1: entry()}, [note(outcome="ILLEGAL_MOVE"), note(Receipt(1))]),
        ({1: entry()}, [note(Receipt(1)), note(job=OTHER, outcome="CONFLICTING_DUPLICATE")]),
    ],
)
def test_a_log_as_it_was_told_is_in_order(log, notes):
    assert found(log, *notes) == []


@pytest.mark.parametrize(
    ("log", "notes"),
    [
        pytest.param({}, [note(Receipt(1))], id="lost"),
        pytest.param({1: entry(OTHER)}, [note(Receipt(1))], id="other content"),
        pytest.param({2: entry()}, [note(Receipt(1))], id="elsewhere"),
        pytest.param({1: entry(), 2: entry()}, [note(Receipt(1))], id="twice"),
        pytest.param({1: entry(), 2: entry()}, [note(outcome="unknown")], id="unknown and twice"),
        pytest.param({1: entry()}, [note(outcome="ILLEGAL_MOVE")], id="refused, but there"),
        pytest.param({1: entry()}, [], id="nobody asked for it"),
        pytest.param({1: entry()}, [note(Receipt(1)), note(Receipt(1))], id="two firsts"),
        pytest.param({1: entry()}, [note(Receipt(1, duplicate=True))], id="no first"),
        pytest.param({}, [note(outcome="crashed: KeyError()")], id="an error of Python's own"),
    ],
)
def test_the_set_check_finds(log, notes):
    assert found(log, *notes)


# --- the append check -----------------------------------------------------------------------------


def at(position: int, writer: str, began: float, ended: float, subject: str = "P-1") -> Note:
    job = Job("//w", str(position), "account-linked", subject, {})
    return Note(writer, [job], began, "done", [Receipt(position)], ended)


def test_calls_at_the_same_time_may_come_in_either_order():
    assert list(w.check_append([at(2, "a", 1, 5), at(1, "b", 2, 3)])) == []


@pytest.mark.parametrize("second", ["a", "b"])
def test_the_append_check_finds_what_overtook(second):
    """By the same writer or another: what had ended before a call began stands before it."""
    assert list(w.check_append([at(2, "a", 1, 2), at(1, second, 3, 4)]))


def test_the_append_check_finds_a_call_in_pieces():
    assert list(w.check_append([note(Receipt(1), Receipt(3))]))


# --- the bank check -------------------------------------------------------------------------------


def job(kind: str, **data: Any) -> dict[str, Any]:
    subject = "programme" if kind.startswith(("payments", "package")) else "P-1"
    return entry(
        Job("//w", "n", kind, subject, data), data.pop("time", "2022-03-01T09:00:00+07:00")
    )


VERIFIED = [job("account-linked", account="A-1"), job("account-verified", account="A-1")]


def instructed(
    name: str, line: str = "survey/1", amount: int = 50_000, account: str = "A-1"
) -> Any:
    return job(
        "disbursement-instructed", disbursement=name, line=line, amount=amount, account=account
    )


def settled(name: str, **more: Any) -> Any:
    return job("disbursement-settled", disbursement=name, reference=f"R {name}", **more)


def ended(kind: str, name: str) -> Any:
    return job(f"disbursement-{kind}", disbursement=name, reason="technical")


def bought(price: int, time: str = "2022-03-05T09:00:00+07:00", name: str = "U1") -> Any:
    return job("training-purchased", purchase=name, platform="sekolahmu", price=price, package="PK", time=time)  # fmt: skip


STOPPED = job("package-sales-stopped", platforms=["sekolahmu"], effective="2022-03-05")
REVOKED = job("participation-revoked", reason="fraud")
HELD = job("payments-held", reason="evaluation")


@pytest.mark.parametrize(
    "log",
    [
        [*VERIFIED, instructed("1"), ended("failed", "1"), instructed("2"), settled("2")],
        [*VERIFIED, instructed("1"), settled("1"), ended("returned", "1"), instructed("2")],
        [*VERIFIED, instructed("1", amount=20_000), settled("1"), instructed("2", amount=30_000)],
        [*VERIFIED, instructed("1"), instructed("2", line="survey/2")],
        [*VERIFIED, HELD, job("payments-resumed"), instructed("1")],
        [*VERIFIED, REVOKED, job("participation-reinstated", reason="appeal"), instructed("1")],
        [STOPPED, bought(1, "2022-03-04T16:59:59Z")],
        [bought(900_000), job("purchase-refunded", purchase="U1", amount=900_000), bought(200_000)],
    ],
)
def test_a_log_that_pays_once_is_in_order(log):
    assert list(BankCheck().problems(log)) == []


@pytest.mark.parametrize(
    ("problem", "log"),
    [
        ("live attempts", [*VERIFIED, instructed("1"), instructed("2")]),
        ("overpaid", [*VERIFIED, instructed("1"), settled("1"), instructed("2", amount=1)]),
        ("used twice", [*VERIFIED, instructed("1"), settled("1"), instructed("1")]),
        ("settled twice", [*VERIFIED, instructed("1", amount=1), settled("1"), settled("1")]),
        ("50001 is paid", [*VERIFIED, instructed("1"), settled("1", amount=50_001)]),
        ("returned", [*VERIFIED, instructed("1"), settled("1"), job("disbursement-returned", disbursement="1", amount=50_001)]),
        ("held", [*VERIFIED, HELD, instructed("1")]),
        ("revoked", [*VERIFIED, REVOKED, instructed("1")]),
        ("revoked", [REVOKED, bought(1)]),
        ("not verified", [VERIFIED[0], instructed("1")]),
        ("not the linked", [*VERIFIED, instructed("1", account="A-2")]),
        ("not verified", [*VERIFIED, job("account-linked", account="A-1"), instructed("1")]),
        ("not the linked", [*VERIFIED, job("account-unlinked", account="A-1"), instructed("1")]),
        ("stopped", [STOPPED, bought(1, "2022-03-04T17:00:00Z")]),
        ("balance", [bought(900_000), bought(100_001, name="U2")]),
        ("refunded", [bought(1), job("purchase-refunded", purchase="U1", amount=2)]),
    ],
)  # fmt: skip
def test_the_bank_check_finds(problem, log):
    (told,) = BankCheck().problems(log)
    assert problem in told


# --- the tail check -------------------------------------------------------------------------------

LINES = [b"one", b"two", b"three"]
LOG = list(enumerate(LINES, 1))
SEEN = [(number, w.hash_of(line)) for number, line in LOG]


def test_looks_that_go_on_where_the_last_one_ended_are_in_order():
    looks = [Look(0, 0, []), Look(2, 0, SEEN[:2]), Look(2, 1, SEEN[1:2]), Look(3, 1, SEEN[1:])]
    assert list(w.check_tail(LOG, looks)) == []


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([Look(3, 0, [SEEN[0], SEEN[2]])], id="a gap"),
        pytest.param([Look(3, 0, [SEEN[0], *SEEN])], id="a repeat"),
        pytest.param([Look(2, 0, SEEN[:2])], id="not to the end"),
        pytest.param([Look(3, 0, SEEN), Look(2, 0, SEEN[:2])], id="backwards"),
        pytest.param([Look(1, 0, SEEN[:1]), Look(3, 2, SEEN[2:])], id="one left out"),
        pytest.param([Look(1, 0, [(1, "x")]), Look(3, 0, SEEN)], id="changed"),
    ],
)
def test_the_tail_check_finds(looks):
    assert list(w.check_tail(LOG, looks))


def test_the_tail_check_finds_a_gap_in_the_log_itself():
    log = [(1, b"one"), (3, b"three")]
    seen = [(number, w.hash_of(line)) for number, line in log]
    assert list(w.check_tail(log, [Look(3, 0, seen)]))


# --- notes ----------------------------------------------------------------------------------------


def test_the_notes_of_a_writer_that_was_killed_end_with_a_call_of_unknown_outcome(tmp_path):
    book = w.Notebook(tmp_path, "writer-0")
    book.write("began", 1.0, [vars(LINK)])
    book.write("ended", 2.0, "done", [(7, False)])
    book.write("began", 3.0, [vars(OTHER)])

    first, second = w.read_notes(tmp_path)

    assert first == Note("writer-0", [LINK], 1.0, "done", [Receipt(7)], 2.0)
    assert (second.jobs, second.outcome, second.ended) == ([OTHER], "unknown", float("inf"))


def test_a_run_says_what_it_did(tmp_path, capsys):
    status = w.main(["--url", f"sqlite:///{tmp_path}/l.db", "--writers", "1", "--seconds", "0.2",
                     "--seed", "5", "--kills", "0"])  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert (status, told["seed"]) == (0, 5)
    assert told["calls"] > 0


def test_a_ledger_that_holds_something_is_left_alone(url):
    w.set_up(url)
    with pytest.raises(SystemExit, match="not empty"):
        w.set_up(url)
