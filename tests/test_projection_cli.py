"""`projection run`, `status` and `rebuild` as people run them."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.interfaces.cli.commands.projection import beside
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.projecting.projection import Projection
from tests.cli_support import PROGRAM, environment, run
from tests.ledger_support import enrolment
from tests.postgres_support import made, shared_database  # noqa: F401  # a fixture
from tests.projection_support import Days, life
from tests.servers import wait_until


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: Any, tmp_path: Path) -> str:
    """A ledger of three participants."""
    made_url = (
        f"sqlite:///{tmp_path}/ledger.db"
        if request.param == "sqlite"
        else made(request.getfixturevalue("shared_database"))
    )
    with Ledger.open(made_url, clock=Days("2020-05-20")) as ledger:
        for n in range(3):
            ledger.execute_all(life(f"P-{n}"))
    return made_url


def status(url: str) -> dict[str, Any]:
    return json.loads(run("projection", "status", url, "--json").out)


def test_nothing_is_built_until_somebody_asks(url: str):
    assert run("projection", "status", url).text == "Nothing is built yet. Run projection rebuild.\n"
    told = status(url)
    assert (told["built"], told["generation"], told["behind"], told["current"]) == (False, 0, 21, False)


def test_rebuild_then_run_then_rebuild_again(url: str):
    done = run("projection", "rebuild", url)
    assert (done.status, done.lines[0]) == (0, "Participants written: 3.")
    assert done.text.count("21") == 2, "taken in, and recorded"
    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-9"))
    assert status(url)["behind"] == 1
    assert run("projection", "run", url, "--once").lines[0] == "Participants written: 1."
    assert run("projection", "rebuild", url).lines[0] == "Participants written: 4."
    told = status(url)
    assert (told["built"], told["behind"], told["current"], told["positions"]) == (True, 0, True, [22])
    assert told["generation"] == 3
    assert told["as_of"] == told["today"] >= date(2026, 1, 1).isoformat()


def test_the_rows_can_be_read_by_who_knows_where_they_are(url: str):
    run("projection", "rebuild", url)
    with Ledger.open(url) as ledger, Projection.open(ledger, beside(url)) as projection:
        assert projection.totals("line").groups["training"].participants == 3


def test_in_indonesian(url: str):
    assert "Peserta" in run("projection", "rebuild", url, "--lang", "id").text


def test_the_rows_may_be_put_elsewhere(url: str, tmp_path: Path):
    into = f"sqlite:///{tmp_path}/elsewhere.db"
    assert run("projection", "run", url, "--into", into, "--once").status == 0
    assert (tmp_path / "elsewhere.db").exists()
    assert json.loads(run("projection", "status", url, "--into", into, "--json").out)["current"]


def test_it_follows_until_it_is_told_to_stop(url: str):
    run("projection", "rebuild", url)
    with subprocess.Popen(
        [PROGRAM, "projection", "run", url], stdout=subprocess.PIPE, env=environment()
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"Participants written: 0.\n"
        with Ledger.open(url) as ledger:
            ledger.record(enrolment("P-9"))
        wait_until(lambda: status(url)["current"], "it is taken in")
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    assert running.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "sqlite:///{missing}.db", "--once"), "missing"),
        (("rebuild", "{ledger}", "--into", "mysql://host/db"), "no tables can be kept there"),
        (("rebuild", "{ledger}", "--into", "sqlite:///{missing}/rows.db"), "Make it first"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], says: str, tmp_path: Path):
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    Ledger.open(ledger).close()
    given = [one.format(missing=tmp_path / "missing", ledger=ledger) for one in arguments]
    answer = run("projection", *given)
    assert answer.status != 0
    assert says in answer.err
    assert "Traceback" not in answer.err


def test_of_a_ledger_in_memory_nobody_can_guess_where_the_rows_are():
    with pytest.raises(UnreadableSource, match="--into URL"):
        beside("memory://here")


def test_on_postgresql_a_run_makes_no_schema_unasked(shared_database: str):  # noqa: F811
    answer = run("projection", "run", made(shared_database), "--once")
    assert answer.status != 0
    assert "projection rebuild" in answer.err
