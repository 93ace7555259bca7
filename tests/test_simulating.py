"""Simulated histories: legal, the same for the same seed, and as the programme was in what is published of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from datetime import date
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from prakerja_ledger.domain.facts import FACTS
from prakerja_ledger.domain.holidays import INDONESIA
from prakerja_ledger.domain.time import months_after
from prakerja_ledger.simulating import days, parameters, waves
from prakerja_ledger.simulating.drawing import ONE, Draws
from prakerja_ledger.simulating.offers import COURSES, PACKAGES
from prakerja_ledger.simulating.people import CHUNK, population
from prakerja_ledger.simulating.sources import SOURCES
from prakerja_ledger.simulating.writing import Simulation, write_lines, write_parquet
from tests import calibration
from tests.cli_support import run

CITED = re.compile(r"\[(\w+)\]")


def lines(
    participants: int | None = None, scale: str | None = None, seed: int = 1, *, by_time: bool = False
) -> list[bytes]:
    people = population(participants, None if scale is None else Fraction(scale))
    out = BytesIO()
    wanted = people.size if participants is None else participants
    count = write_lines(Simulation(people, wanted, seed), out, lambda _: None, by_time=by_time)
    found = out.getvalue().splitlines()
    assert len(found) == count
    return found


def answer(*words: str | Path) -> dict[str, object] | list[dict[str, object]]:
    done = run(*map(str, words))
    assert done.status == 0, done.err
    return [json.loads(line) for line in done.lines]


@pytest.fixture(scope="module")
def programme(tmp_path_factory) -> Path:
    """The whole programme in 4,000 people."""
    path = tmp_path_factory.mktemp("programme") / "history.jsonl"
    assert run("simulate", "--participants", "4000", "--seed", "5", "--output", str(path)).status == 0
    return path


@pytest.fixture(scope="module")
def first_waves(tmp_path_factory) -> Path:
    """Waves 1 to 3, at 1/100 of their size: those of the packages and the hold."""
    path = tmp_path_factory.mktemp("first") / "history.jsonl"
    words = ("--scale", "0.01", "--participants", "6809", "--output", str(path))
    assert run("simulate", *words).status == 0
    return path


# --- legal, whole, repeatable -----------------------------------------------------------------------


def test_a_simulated_history_has_no_line_that_is_not_recorded(programme):
    (counts,) = answer("check", programme, "--json")
    assert counts["quarantined"] == counts["duplicates"] == 0
    assert counts["recorded"] == len(programme.read_bytes().splitlines()) > 70_000


def test_by_time_too(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"\n".join(lines(2_000, by_time=True)) + b"\n")
    (counts,) = answer("check", path, "--json")
    assert counts["quarantined"] == counts["duplicates"] == 0


def test_by_time_has_the_same_lines_in_the_order_of_recording():
    mixed = lines(1_500, by_time=True)
    assert sorted(mixed) == sorted(lines(1_500))
    known = [event.get("recordedtime", event["time"]) for event in map(json.loads, mixed)]
    assert known == sorted(known)


def test_the_same_seed_gives_the_same_bytes_on_every_machine():
    """The digest was made once; another one means other histories for every seed, or a machine that rounds."""
    digest = hashlib.sha256(b"\n".join(lines(300, seed=11))).hexdigest()
    assert digest == "55a19cb564ed9a454579b3d478763e13d10548cc0fb1839a4b3a46036dc4001e"
    assert lines(300, seed=12) != lines(300, seed=11)


def test_the_first_participants_are_the_same_however_many_follow():
    few = lines(CHUNK + 10, "0.001")
    many = lines(None, "0.001")
    assert few == many[: len(few)]


def test_the_whole_programme_in_few_people_keeps_every_quota():
    assert population(None, Fraction(1)).size == waves.APPOINTED == 19_867_589
    assert population(1_000, None).size == 1_000
    bounds = population(None, Fraction(1, 100)).bounds
    assert bounds[2] == 6_809
    assert bounds[10] == 59_877


def test_parquet_holds_the_same_events_in_the_columns_agreed_on(tmp_path):
    people = population(800, None)
    for by_time in (False, True):
        path = tmp_path / f"{by_time}.parquet"
        write_parquet(Simulation(people, 800, 1), path, lambda _: None, by_time=by_time)
        table = pq.read_table(path)
        assert table.schema.metadata[b"prakerja_ledger.history"] == b"1"
        rows = table.to_pylist()
        assert rows == sorted(rows, key=lambda row: (row["subject"], row["position"]))
        rows.sort(key=lambda row: row["position"])
        assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
        assert [_as_event(row) for row in rows] == [json.loads(x) for x in lines(800, by_time=by_time)]


def _as_event(row: dict) -> dict:
    kind = FACTS[f"prakerja.{row['kind']}.v1"]
    data = {}
    for name in kind.__match_args__ or (a.name for a in kind.__attrs_attrs__):
        value = row[f"voided_{name}" if row["kind"] == "event-voided" and name in ("source", "id") else name]
        if value is not None:
            data[name] = value.isoformat() if isinstance(value, date) else value
    assert row["line"] is None
    stamps = {
        name: row[name].astimezone(calibration._WIB).isoformat()
        for name in ("time", "recordedtime")
        if row[name] is not None
    }
    event = {"specversion": "1.0", "type": f"prakerja.{row['kind']}.v1", "data": data, **stamps}
    return event | {name: row[name] for name in ("id", "source", "subject")}


def test_lines_are_canonical(programme):
    """They are what the ledger itself would write of the event."""
    from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
    from prakerja_ledger.evidence.wire import read_event, write_event

    for number, line in enumerate(programme.read_bytes().splitlines()[::7], 1):
        assert write_event(read_event(line, number, KARTU_PRAKERJA)) == line


# --- calibrated -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def books(tmp_path_factory) -> calibration.Books:
    path = tmp_path_factory.mktemp("hundredth") / "history.parquet"
    calibration.simulated(path)
    return calibration.Books.read(path)


@pytest.mark.slow
@pytest.mark.xdist_group("simulated-hundredth")
def test_what_was_published_comes_out_within_its_tolerance(books):
    """At 1 %, counted up: the tolerance of each stands beside it in tests/calibration.py."""
    off = {}
    for target in calibration.targets():
        found = target.figure(books)
        if abs(found / target.published - 1) > target.tolerance:
            off[target.what] = (target.published, found)
    assert off == {}


@pytest.mark.slow
@pytest.mark.xdist_group("simulated-hundredth")
def test_the_page_shows_these_figures(books):
    assert calibration.table(books) in calibration.PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.xdist_group("simulated-hundredth")
def test_every_kind_of_fact_occurs(books):
    kinds = set(books.table["kind"].unique().to_pylist())
    assert kinds == {kind.kind for kind in FACTS.values()}


def test_the_ledger_itself_counts_the_same(programme):
    """The sums of the table are those of the statements, not of a reading of their own."""
    statements = answer("statement", programme, "--as-of", "2025-12-31", "--json")
    revoked = [one for one in statements if one["standing"] == "revoked" and one["totals"]["paid"] == 0]
    cohort = [one for one in statements if one["scheme"] == "semi-bansos-2020"]
    gone = [one for one in revoked if one["scheme"] == "semi-bansos-2020"]
    assert {one["totals"]["forfeited"] for one in gone} == {3_550_000}
    assert len(gone) / len(cohort) == pytest.approx(0.0684, abs=0.004)
    cash = [sum(line["paid"] for line in one["lines"][1:]) for one in cohort]
    paid = [amount for amount in cash if amount]
    assert len(paid) / len(cohort) == pytest.approx(0.888, abs=0.005)
    assert sum(paid) / len(paid) == pytest.approx(2_510_831, rel=0.01)


# --- what it is to show -----------------------------------------------------------------------------


def findings(path: Path, as_of: str) -> Counter[str]:
    return Counter(one["code"] for one in answer("findings", path, "--as-of", as_of, "--json"))


def test_the_findings_of_the_letter_occur_in_proportion(first_waves):
    codes = findings(first_waves, "2021-03-31")
    assert codes["PACKAGE_BUNDLES_COURSES"] == len(PACKAGES)
    events = [json.loads(line) for line in first_waves.read_bytes().splitlines()]
    bought = [
        e for e in events
        if e["type"] == "prakerja.training-purchased.v1" and "package" in e["data"]
        and e["data"]["method"] == "prakerja"
    ]  # fmt: skip
    # a package has 3.9 further courses, each finished by 60 %, mostly after the first money
    assert 0.7 < codes["CASH_BEFORE_PACKAGE_DONE"] / len(bought) < 1
    rated = Counter(e["subject"] for e in events if e["type"] == "prakerja.course-completed.v1")
    done = sum(rated[e["subject"]] for e in bought)
    assert codes["COURSE_UNRATED"] == pytest.approx(done, rel=0.01)
    alone = sum(course.price == 0 for course in COURSES)
    assert 0.4 * alone < codes["COURSE_NOT_EVALUABLE"] <= alone
    assert codes["REPORTED_LATE"] > 1_000
    assert codes["PACKAGE_SOLD_AFTER_STOP"] <= 2


def test_payments_are_held_in_june_2020(first_waves):
    causes = {one["cause"]: one for one in answer("totals", first_waves, "--by", "cause", "--as-of", "2020-06-20", "--json")}
    assert causes["PROGRAMME_HOLD"]["unpaid"] > 500_000_000
    settled = [
        json.loads(line)["time"][:10]
        for line in first_waves.read_bytes().splitlines()
        if b"disbursement-settled" in line
    ]
    assert not [on for on in settled if "2020-06-09" <= on <= "2020-06-25"]
    assert [on for on in settled if on == "2020-06-08"]
    assert [on for on in settled if on == "2020-06-30"]


def test_years_end_with_forfeits(programme):
    causes = {one["cause"] for one in answer("totals", programme, "--by", "cause", "--as-of", "2021-12-31", "--json")}
    assert {"FIRST_COURSE_CUT_OFF", "SURVEY_CUT_OFF", "TRAINING_CUT_OFF", "REVOKED"} <= causes
    settled = Counter(
        json.loads(line)["time"][:10]
        for line in programme.read_bytes().splitlines()
        if b"disbursement-settled" in line
    )
    assert not [on for on in settled if "2020-12-15" <= on <= "2021-01-04"]
    assert settled["2021-01-05"]


def test_where_people_live_is_beside_the_history(tmp_path):
    table = tmp_path / "regencies.csv"
    words = ("simulate", "--participants", "9000", "--output", str(tmp_path / "h.jsonl"))
    assert run(*words, "--regencies", str(table)).status == 0
    rows = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["participant", "regency_id", "regency", "province_code"]
    assert [row[0] for row in rows[1:]] == [f"P-{n:09}" for n in range(1, 9_001)]
    west_java = sum(row[3] == "32" for row in rows[1:]) / 9_000
    from prakerja_ledger.simulating.regencies import REGENCIES

    share = sum(sum(r.recipients) for r in REGENCIES if r.province == 32) / waves.APPOINTED
    assert west_java == pytest.approx(share, rel=0.05)


# --- parameters -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", parameters.PARAMETERS)
def test_every_parameter_has_a_source(name):
    one = parameters.PARAMETERS[name]
    assert one.meaning
    assert one.source
    cited = CITED.findall(one.source)
    assert set(cited) <= SOURCES.keys()
    if one.basis is not parameters.Basis.ASSUMED:
        assert cited or re.search(r"\d\.\d|the same|and", one.source), "what is not assumed is cited"


def test_every_wave_has_a_source():
    for wave in waves.WAVES:
        assert set(CITED.findall(wave.recipients_source)) <= SOURCES.keys()
        assert CITED.findall(wave.recipients_source)
        assert CITED.findall(wave.revoked_source)


def test_a_source_that_nobody_cites_is_not_listed():
    texts = [one.source for one in parameters.PARAMETERS.values()]
    texts += [text for wave in waves.WAVES for text in (wave.recipients_source, wave.revoked_source)]
    assert {name for text in texts for name in CITED.findall(text)} == SOURCES.keys()


# --- its arithmetic ---------------------------------------------------------------------------------


def test_working_days_in_bulk_are_those_of_the_calendar():
    numbers = np.arange(0, 2_500, 7)
    for count in (1, 3, 10):
        found = days.working_days_after(numbers, count)
        for number, later in zip(numbers.tolist(), found.tolist(), strict=True):
            on = date.fromordinal(days.FIRST.toordinal() + number)
            assert days.number_of(INDONESIA.after(on, count)) == later


def test_months_in_bulk_are_those_of_the_law():
    for months in (0, 1, 3):
        found = days.months_later(np.arange(700), months).tolist()
        for number, later in enumerate(found):
            assert later == days.number_of(months_after(date.fromordinal(days.FIRST.toordinal() + number), months))


def test_draws_spread_evenly_within_a_group_hit_a_share_exactly():
    groups = np.repeat(np.array([3, 7], dtype=np.int64), [1_000, 500])
    drawn = Draws(1, 0).evenly(groups)
    assert (drawn[:1_000] < ONE // 4).sum() == pytest.approx(250, abs=1)
    assert (drawn[1_000:] < ONE // 4).sum() == pytest.approx(125, abs=1)
    assert ((drawn >= 0) & (drawn < ONE)).all()


# --- the command ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--output", "x"), "how large"),
        (("--scale", "0", "--output", "x"), "no scale"),
        (("--scale", "a/0", "--output", "x"), "no scale"),
        (("--participants", "5", "--scale", "0.0000001", "--output", "x"), "2 are appointed"),
        (("--participants", "5", "--format", "parquet", "--output", "-"), "needs a file"),
        (("--participants", "5", "--output", "/no/such/folder/x"), "no folder"),
    ],
)
def test_what_cannot_be_written_is_refused(words, said):
    done = run("simulate", *words)
    assert done.status == 2
    assert said in done.err


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    import sys

    for name in list(sys.modules):
        if name.startswith("prakerja_ledger.simulating"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)
    done = run("simulate", "--participants", "5", "--output", "x")
    assert done.status == 2
    assert "prakerja-ledger[simulate]" in done.err


def test_standard_output_gets_the_lines_and_standard_error_the_counts():
    done = run("simulate", "--participants", "30", "--output", "-")
    assert done.out.splitlines() == lines(30, seed=0)
    assert done.err == f"30 participants · {len(done.out.splitlines())} events\n"


@pytest.mark.parametrize("name", ["h.jsonl", "h.jsonl.gz", "h.jsonl.zst"])
def test_a_compressed_history_is_one_by_its_name(tmp_path, name):
    path = tmp_path / name
    assert run("simulate", "--participants", "50", "--output", str(path)).status == 0
    (counts,) = answer("check", path, "--json")
    assert counts["recorded"] == len(lines(50, seed=0))
    assert counts["quarantined"] == 0


def test_parquet_is_a_history_with_checksums_that_every_command_takes(tmp_path):
    words = ("--participants", "300", "--seed", "3")
    for name in ("history.parquet", "history.jsonl"):
        assert run("simulate", *words, "--output", tmp_path / name).status == 0
    asked = ("statement", "--json", "--as-of", "2024-01-01")
    of_columns, of_lines = (
        run(asked[0], tmp_path / name, *asked[1:]) for name in ("history.parquet", "history.jsonl")
    )
    assert of_columns.out == of_lines.out
    assert of_columns.status == 0
    damaged = bytearray((tmp_path / "history.parquet").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "history.parquet").write_bytes(damaged)
    answer_of_damaged = run("check", tmp_path / "history.parquet")
    assert answer_of_damaged.status != 0
    assert "Traceback" not in answer_of_damaged.err
