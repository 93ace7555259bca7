"""The journal: `hledger` and `ledger` accept it, and find by themselves what the law says."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.interfaces.hledger import journal, spelt
from prakerja_ledger.reading.books import books
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.totals import GROUPINGS, Key
from prakerja_ledger.reading.view import View
from tests import worlds
from tests.cli_support import run
from tests.servers import program
from tests.support import (
    Read,
    Told,
    as_lines,
    bought,
    earned,
    enrolled,
    failed,
    instructed,
    paid,
    payable,
    read,
    recorded,
    refunded,
    returned,
    revoked,
    settled,
    surveyed,
    view,
    voided,
)

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTED = ROOT / "examples" / "data" / "documented.jsonl"
SUMS = {
    "owed": (-1, "^Liabilities:Prakerja:.*:owed$"),
    "paid": (1, "^Liabilities:Prakerja:.*:paid$"),
    "unpaid": (-1, "^Liabilities:Prakerja:"),
    "overpaid": (1, "^Assets:Prakerja:overpaid:"),
    "in_flight": (1, "^Assets:Prakerja:in-flight:"),
}
"""Amounts of the statement as sums of accounts, as docs/howto/hledger.md tells an auditor."""


def asked(tool: str, path: Path, *words: str) -> str:
    """What a tool prints; it must find nothing wrong."""
    command = [program(tool), "-f", str(path), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={"LC_ALL": "C.UTF-8"}
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{command}: {done.stderr[:2_000]}"
    return done.stdout


def written(folder: Path, found: Read, seen: View) -> Path:
    """The journal of what was read, in one view."""
    evaluation = found.evaluation(seen)
    named = {one.participant for one in found.statements(seen)[0]}
    everyone = (
        books(participant, seen, found.programme, evaluation.around)
        for participant in evaluation.in_view()
        if participant.id in named
    )
    path = folder / "books.journal"
    path.write_bytes(b"\n".join([*journal(everyone, seen), b""]))
    return path


def rupiah(text: str) -> int:
    return int(text.removesuffix(" IDR"))


def by_hledger(path: Path, pattern: str, *more: str) -> dict[str, int]:
    """Balances of the accounts, by account or as asked, those that are zero left out."""
    told = asked("hledger", path, "balance", pattern, "--flat", "--no-total", "-O", "csv", *more)
    rows = list(csv.reader(io.StringIO(told)))[1:]
    return {account: rupiah(amount) for account, amount in rows if amount != "0"}


def by_ledger(path: Path, pattern: str) -> dict[str, int]:
    form = "%(account)\t%(quantity(scrub(display_amount)))\n"
    told = asked("ledger", path, "balance", pattern, "--flat", "--no-total", "--balance-format", form)
    return {row[0]: int(row[1]) for row in csv.reader(io.StringIO(told), delimiter="\t")}


def by_law(statements: Iterable[Statement], amount: str, by: str) -> dict[str, int]:
    """The same sums by the law, groups without money left out; hledger calls no group by no name."""
    sums: Counter[Key] = Counter()
    for statement in statements:
        for line in statement.lines:
            sums[GROUPINGS[by](statement, line)] += getattr(line, amount)
    return {"" if key is None else str(key): found for key, found in sums.items() if found}


def assert_agrees(path: Path, found: Read, seen: View, groups: Iterable[str] = ("line",)) -> None:
    asked("hledger", path, "check", "-s")
    statements = found.statements(seen)[0]
    for amount, (sign, pattern) in SUMS.items():
        for by in groups:
            sums = by_hledger(path, pattern, "--pivot", by)
            law = by_law(statements, amount, by)
            assert {key: sign * held for key, held in sums.items()} == law, (amount, by)


def told(history: Told, tmp_path: Path, as_of: str = "2020-12-31") -> tuple[Path, str]:
    """The journal of a history, which must agree with the law, and its text."""
    found, seen = recorded(history), view(as_of)
    path = written(tmp_path, found, seen)
    assert_agrees(path, found, seen)
    return path, path.read_text()


LIFE = enrolled() + payable() + earned()


def test_what_is_owed_is_owed_from_the_day_it_was_earned(tmp_path: Path):
    path, text = told(LIFE, tmp_path, "2020-05-04")
    assert by_hledger(path, "Liabilities") == {
        "Liabilities:Prakerja:post-training:1:owed": -600_000,
        "Liabilities:Prakerja:training:owed": -400_000,
        "Liabilities:Prakerja:training:paid": 400_000,
    }
    assert "2020-05-04 * P-1 | owed" in text


def test_an_instruction_is_in_flight_until_its_outcome(tmp_path: Path):
    path, _ = told(LIFE + instructed(), tmp_path, "2020-05-07")
    assert by_hledger(path, "Assets") == {
        "Assets:Prakerja:cash": -1_000_000,
        "Assets:Prakerja:in-flight:post-training:1": 600_000,
    }


def test_a_settlement_without_an_amount_is_of_the_instructed_one(tmp_path: Path):
    path, _ = told(LIFE + instructed(amount=599_999) + settled(), tmp_path, "2020-05-09")
    assert by_hledger(path, "post-training:1:paid") == {
        "Liabilities:Prakerja:post-training:1:paid": 599_999
    }


def test_a_return_without_an_amount_is_of_all_that_was_left_when_it_was_recorded(tmp_path: Path):
    history = LIFE + instructed() + settled() + returned(amount=100_000, id="r1", on="2020-05-10")
    path, text = told(history + returned(id="r2"), tmp_path, "2020-05-12")
    assert by_hledger(path, "post-training:1:paid|cash", "not:desc:purchased") == {}
    assert text.count("    Assets:Prakerja:cash  500000 IDR") == 1


def test_a_failure_and_a_return_are_seen_with_their_reasons(tmp_path: Path):
    history = LIFE + instructed() + failed(reason="wallet-limit")
    history += instructed("D-2", "2020-05-11") + settled("D-2", "2020-05-12", reference="R-2")
    path, _ = told(history + returned("D-2", "2020-05-13", reason="account-closed"), tmp_path)
    seen = [asked("hledger", path, "register", "cash", f"tag:reason={reason}")
            for reason in ("wallet-limit", "account-closed")]  # fmt: skip
    assert ["600000 IDR" in one for one in seen] == [True, True]


def test_a_second_transfer_is_money_to_be_asked_back(tmp_path: Path):
    history = LIFE + paid() + settled("D-1", "2020-05-20", reference="R-9", id="twice")
    path, _ = told(history, tmp_path, "2020-05-21")
    assert by_hledger(path, "Assets:Prakerja:overpaid") == {
        "Assets:Prakerja:overpaid:post-training:1": 600_000
    }
    assert by_hledger(path, "Liabilities:Prakerja:post-training:1", "--depth", "3") == {}


def test_an_overpayment_of_one_does_not_hide_what_is_unpaid_to_another(tmp_path: Path):
    twice = settled("D-1", "2020-05-20", reference="R-9", id="twice")
    other = enrolled(who="P-2") + payable("P-2", "A-2") + earned("P-2")
    path, _ = told(LIFE + paid() + twice + other, tmp_path, "2020-05-21")
    assert by_hledger(path, "Liabilities", "--depth", "2") == {"Liabilities:Prakerja": -600_000}


def test_a_settlement_that_never_was_leaves_its_return_unmatched(tmp_path: Path):
    """What came back did come back, and `paid` never falls below zero."""
    history = LIFE + instructed() + settled() + returned() + voided("settled D-1", on="2020-05-12")
    path, _ = told(history, tmp_path)
    assert by_hledger(path, "unmatched") == {"Equity:Prakerja:unmatched:post-training:1": -600_000}


def test_training_beyond_the_balance_is_overpaid_and_a_refund_mends_it(tmp_path: Path):
    history = enrolled() + bought(price=900_000) + bought("C-2", purchase="B-2", price=300_000)
    path, _ = told(history, tmp_path, "2020-04-25")
    assert by_hledger(path, "training") == {
        "Assets:Prakerja:overpaid:training": 200_000,
        "Expenses:Prakerja:training": 1_000_000,
        "Liabilities:Prakerja:training:overpaid": -200_000,
        "Liabilities:Prakerja:training:owed": -1_000_000,
        "Liabilities:Prakerja:training:paid": 1_200_000,
    }
    path, _ = told(history + refunded(300_000, purchase="B-2"), tmp_path)
    assert by_hledger(path, "Expenses|Assets") == {
        "Assets:Prakerja:cash": -900_000,
        "Expenses:Prakerja:training": 900_000,
    }


def test_a_course_paid_with_the_participants_own_money_is_in_no_book(tmp_path: Path):
    history = enrolled() + bought(method="e-money") + refunded(100_000)
    path, _ = told(history, tmp_path)
    assert asked("hledger", path, "balance", "--no-total") == ""


def test_a_refund_dated_before_its_purchase_is_booked(tmp_path: Path):
    path, _ = told(enrolled() + bought() + refunded(150_000, "2020-04-23"), tmp_path)
    assert by_hledger(path, "cash") == {"Assets:Prakerja:cash": -250_000}


def test_what_was_owed_and_is_forfeited_is_owed_no_more(tmp_path: Path):
    path, _ = told(LIFE + revoked("2020-05-06"), tmp_path)
    assert by_hledger(path, "post-training") == {}


def test_every_grouping_of_totals_is_a_pivot(tmp_path: Path):
    found, seen = read(DOCUMENTED.read_bytes().splitlines()), view("2020-12-31")
    assert_agrees(written(tmp_path, found, seen), found, seen, GROUPINGS)


@pytest.mark.parametrize("as_of", ["2020-04-01", "2020-06-21", "2020-07-02", "2021-04-15"])
def test_the_documented_people_agree_by_both_tools(tmp_path: Path, as_of: str):
    target = tmp_path / "books.journal"
    answer = run("export", DOCUMENTED, "--as-of", as_of, "--output", target)
    assert (answer.status, answer.err) == (0, "")
    found, seen = read(DOCUMENTED.read_bytes().splitlines()), view(as_of)
    assert_agrees(target, found, seen)
    asked("ledger", target, "--pedantic", "balance")
    assert by_ledger(target, "Prakerja") == by_hledger(target, "Prakerja")


@pytest.mark.parametrize("seed", range(12))
def test_random_worlds_agree(tmp_path: Path, seed: int):
    lines = worlds.history(seed, events=240)
    found = read(lines)
    for as_of, known_at in worlds.views(seed, lines):
        seen = view(as_of, known_at)
        path = written(tmp_path, found, seen)
        assert_agrees(path, found, seen)
        if not re.search(rb"^(0|1[0-3])", path.read_bytes(), re.MULTILINE):  # ledger begins in 1400
            assert by_ledger(path, "Prakerja") == by_hledger(path, "Prakerja")


def test_a_simulated_cohort_agrees(tmp_path: Path):
    history, target = tmp_path / "history.parquet", tmp_path / "books.journal"
    assert run("simulate", "--participants", "1500", "--output", history).status == 0
    words = ("export", history, "--as-of", "2020-12-31", "--output", target)
    assert run(*words).status == 0
    asked("hledger", target, "check", "-s")
    asked("ledger", target, "--pedantic", "balance")
    for by in ("line", "cause", "wave"):
        said = run("totals", history, "--by", by, "--as-of", "2020-12-31", "--json").lines
        for amount, (sign, pattern) in SUMS.items():
            law = {str(row[by] or ""): row[amount] for row in map(json.loads, said) if row[amount]}
            sums = by_hledger(target, pattern, "--pivot", by)
            assert {key: sign * held for key, held in sums.items()} == law, (amount, by)
        assert law or amount != "paid"


def test_a_sum_that_is_wrong_is_noticed(tmp_path: Path):
    """The statements' sums stand in the journal as assertions, which both tools check."""
    path, text = told(LIFE + paid(), tmp_path)
    path.write_text(text.replace("600000 IDR\n", "600001 IDR\n", 1))
    for tool in ("hledger", "ledger"):
        with pytest.raises(AssertionError, match=r"(?i)balance"):
            asked(tool, path, "balance")


HOSTILE = (
    "a;b", "a  b", " a", "a ", "a | b", "a,b: c", "date:2020-01-01", "[2020-01-01]", "(x)", "!", "*",
    "=1+1", "%41", "a\nb", "a\r\nb", "\t", "\u202eevil", "\u2028", "\xa0", "\u3164", "é", "e\u0301", "東京",
    "account x", "; x: y", "''", '"', "\\", "{1}", "@ 2 USD", "~ monthly", "P 2020-01-01", "\x00", "\x7f",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_comes_back_from_hledger_as_it_was(tmp_path: Path, name: str):
    history = enrolled(who=name) + bought(who=name, id=name, purchase=name)
    path, _ = told(history, tmp_path)
    (entry, _closing) = json.loads(asked("hledger", path, "print", "-O", "json"))
    who, _, what = entry["tdescription"].partition(" | ")
    tags = dict(entry["ttags"])
    assert (unquote(who), what) == (name, "training-purchased")
    assert (unquote(tags["id"]), unquote(tags["purchase"])) == (name, name)
    assert asked("ledger", path, "payees").splitlines()[0] == f"{spelt(name)} | training-purchased"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_name_is_spelt_so_that_it_can_be_read_back(name: str):
    assert unquote(spelt(name)) == name


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_name_has_no_punctuation_of_the_journal(name: str):
    assert re.fullmatch(r"(?:[-._/\w%]| (?! ))+", spelt(name))
    assert spelt(name).strip() == spelt(name)


def test_what_is_known_later_is_dated_by_when_it_happened(tmp_path: Path):
    history = LIFE + instructed() + settled(known="2020-06-01")
    _, text = told(history, tmp_path)
    assert "2020-05-08 * P-1 | disbursement-settled\n    ; source: //test\n    ; id: settled D-1\n    ; known: 2020-06-01" in text


def test_a_ledger_and_its_history_give_the_same_journal(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    run("import", DOCUMENTED, "--ledger", url)
    words = ("--format", "hledger", "--as-of", "2021-04-15", "--known-at", "2020-12-31")
    answers = [run("export", source, *words) for source in (DOCUMENTED, url)]
    assert answers[0].out == answers[1].out
    assert b"known at: 2020-12-31T16:59:59.999999Z" in answers[0].out


def test_a_journal_needs_no_participant(tmp_path: Path):
    path = written(tmp_path, recorded([]), view("2020-12-31"))
    asked("hledger", path, "check", "-s")


def test_a_participant_whose_statement_is_withheld_is_withheld_from_the_books(tmp_path: Path):
    early = {"wave": 70, "scheme": "normal-2024"}
    history = tmp_path / "late.jsonl"
    told_ = enrolled("2027-12-01", **early) + bought(on="2027-12-02") + [
        event | {"time": event["time"].replace("2020-05", "2027-12")} for event in earned()[1:]
    ]  # fmt: skip
    told_[2] |= {"time": "2027-12-28T10:00:00+07:00"}
    told_[3] |= {"time": "2027-12-29T10:00:00+07:00"}
    told_[4] |= {"time": "2027-12-30T10:00:00+07:00"}
    history.write_bytes(b"\n".join(as_lines(told_)))
    answer = run("export", history, "--format", "hledger", "--as-of", "2027-12-31")
    assert answer.status == 1
    assert "list of working-day holidays" in answer.err
    assert b"P-1" not in answer.out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--as-of", "2020-07-02"), "--as-of and --known-at are for --format hledger"),
        (("--format", "hledger", "--every-line"), "--every-line is for histories"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(words: tuple[str, ...], problem: str):
    answer = run("export", DOCUMENTED, *words)
    assert answer.status == 2
    assert problem in answer.err


def test_quarantined_lines_are_told_and_have_no_entry(tmp_path: Path):
    history = tmp_path / "broken.jsonl"
    history.write_bytes(b"\n".join([*as_lines(enrolled() + bought()), b"{"]))
    answer = run("export", history, "--format", "hledger", "--as-of", "2020-12-31")
    assert answer.status == 3
    assert "1 lines were quarantined" in answer.err


def test_surveys_have_accounts_of_their_own(tmp_path: Path):
    history = LIFE + paid() + surveyed()
    path, _ = told(history, tmp_path, "2020-05-25")
    assert by_hledger(path, "survey") == {
        "Expenses:Prakerja:survey:1": 50_000,
        "Liabilities:Prakerja:survey:1:owed": -50_000,
    }
