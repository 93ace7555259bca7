"""The example of a payment backend, over HTTP on a real server, on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from prakerja_ledger import Ledger, May, Projection, commands
from prakerja_ledger.testing.bank import BankThatLies, Lie
from prakerja_ledger.testing.clock import TestClock
from tests.ledger_support import MAY_20
from tests.postgres_support import made, schema_of, shared_database, without_options  # noqa: F401
from tests.projection_support import life
from tests.servers import PostgresServer, connect, free_port, memory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from payment_backend.app import application
from payment_backend.metrics import ANSWERS, OUTCOMES, Metrics
from payment_backend.service import Service
from payment_backend.settings import Settings

TOKEN = "of-the-host"


class Running:
    """The service on a port of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.port = free_port()
        config = uvicorn.Config(
            application(settings), port=self.port, log_level="error", timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Running:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the service did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str = TOKEN) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=20)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: Any, tmp_path: Path) -> Settings:
    ledger, rows = f"sqlite:///{tmp_path}/ledger.db", f"sqlite:///{tmp_path}/rows.db"
    if request.param == "postgresql":
        ledger = rows = made(request.getfixturevalue("shared_database"))
        with connect(without_options(ledger)) as connection:
            connection.execute(f"CREATE SCHEMA {schema_of(ledger)}_projection")
    return Settings(
        ledger=ledger,
        rows=rows,
        may_call=lambda given: given == TOKEN,
        bank=BankThatLies(lies=[Lie.HONEST, Lie.LOST_REPLY]),
        clock=TestClock(MAY_20),
    )


@pytest.fixture
def service(settings: Settings) -> Iterator[Running]:
    with Running(settings) as running:
        yield running


@pytest.fixture
def http(service: Running) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def lived(settings: Settings, *names: str) -> None:
    with Ledger.open(settings.ledger, clock=settings.clock) as ledger:
        for name in names:
            ledger.execute_all(life(name))


def completed(course: str = "C-1") -> dict[str, Any]:
    return {
        "type": "prakerja.course-completed.v1",
        "subject": "P-1",
        "time": "2020-05-19T10:00:00+07:00",
        "data": {"course": course},
    }


def current(http: httpx.Client) -> None:
    for _ in range(500):
        if http.get("/ready").json() == {"status": "current"}:
            return
        time.sleep(0.01)
    raise TimeoutError("the rows are behind")


def enrolled(who: str = "P-1") -> dict[str, Any]:
    data = {"wave": 2, "scheme": "semi-bansos-2020"}
    return {**completed(), "type": "prakerja.enrolled.v1", "subject": who, "data": data}


def test_a_report_is_recorded_once_however_often_it_comes(http: httpx.Client):
    given = {"url": "/webhooks/office", "json": enrolled(), "headers": {"Idempotency-Key": "e-1"}}
    first, again = http.post(**given), http.post(**given)
    other = http.post(**{**given, "json": enrolled("P-2")})

    assert (first.status_code, first.json()) == (201, {"position": 1, "duplicate": False})
    assert (again.status_code, again.json()) == (200, {"position": 1, "duplicate": True})
    assert (other.status_code, other.json()["code"]) == (409, "CONFLICTING_DUPLICATE")
    assert other.headers["content-type"] == "application/problem+json"


def test_a_report_sent_by_many_at_once_is_recorded_once(service: Running):
    def send(n: int) -> int:
        with service.client() as client:
            key = {"Idempotency-Key": f"e-{n % 5}"}
            return client.post("/webhooks/office", json=enrolled(f"P-{n % 5}"), headers=key).status_code

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(send, range(40)))
    assert answers == [200] * 35 + [201] * 5


@pytest.mark.parametrize(
    ("changes", "headers", "code"),
    [
        ({"subject": "nobody"}, {}, "NOT_ENROLLED"),
        ({"type": "prakerja.unheard-of.v1"}, {}, "UNKNOWN_TYPE"),
        ({"data": {"course": 7}}, {}, "INVALID_DATA"),
        ({"time": "2020-05-19T10:00:00"}, {}, "HTTP_422"),
        ({"more": 1}, {}, "INVALID_REQUEST"),
        ({}, {"Idempotency-Key": ""}, "INVALID_REQUEST"),
    ],
)
def test_what_cannot_be_recorded_says_why(
    http: httpx.Client, changes: dict[str, Any], headers: dict[str, str], code: str
):
    http.post("/webhooks/office", json=enrolled(), headers={"Idempotency-Key": "e-1"})
    answer = http.post(
        "/webhooks/skill", json={**completed(), **changes}, headers={"Idempotency-Key": "c-1", **headers}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_without_the_hosts_token_nothing_is_told(service: Running):
    with service.client("another") as client:
        for path in ("/participants/P-1/statement", "/unpaid", "/totals/wave"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (401, "HTTP_401")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.post("/payouts/1").status_code == 401
        assert client.get("/health").status_code == 200


def test_a_payout_run_pays_what_may_be_paid_and_nothing_twice(http: httpx.Client, settings: Settings):
    lived(settings, *(f"P-{n}" for n in range(7)))
    current(http)
    first = http.post("/payouts/may-20").json()
    current(http)
    again = http.post("/payouts/may-20").json()
    another = http.post("/payouts/may-20-b").json()

    assert first == {"instructed": 7, "again": 0, "refused": 0}
    assert again == {"instructed": 0, "again": 7, "refused": 0}
    assert another == {"instructed": 0, "again": 0, "refused": 0}
    assert settings.bank.paid == 7 * 600_000
    assert settings.bank.moved.keys() == {f"P-{n} post-training/1/1" for n in range(7)}


class BankThatWasAway(BankThatLies):
    """Cannot be reached at first, as it is for a service that dies just before it calls."""

    away = 3

    def pay(self, disbursement: str, amount: int) -> str:
        self.away -= 1
        if self.away >= 0:
            raise ConnectionRefusedError(disbursement)
        return super().pay(disbursement, amount)


def test_the_same_run_again_tells_the_bank_what_it_was_not_told(settings: Settings):
    """What is instructed is in flight; without this it would stay so, and nobody would ever be paid."""
    settings = replace(settings, bank=BankThatWasAway(lies=[Lie.HONEST]))
    lived(settings, *(f"P-{n}" for n in range(5)))
    with Running(settings) as service, service.client() as http:
        current(http)
        first = http.post("/payouts/may-20").json()
        assert (first["instructed"], settings.bank.paid) == (5, 2 * 600_000)
        current(http)
        another = http.post("/payouts/may-20-b").json()
        assert (another["instructed"], settings.bank.paid) == (0, 2 * 600_000)
        again = http.post("/payouts/may-20").json()

    assert (again["instructed"], again["again"]) == (0, 5)
    assert settings.bank.moved == {f"P-{n} post-training/1/1": 600_000 for n in range(5)}


def test_a_run_again_misses_nothing_while_rows_that_were_late_catch_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """A line that is payable in the rows when the run looks for what is in flight, and in flight when it
    looks for what is payable."""
    settings = replace(settings, bank=BankThatWasAway(lies=[Lie.HONEST]))
    lived(settings, "P-1")
    service = Service(settings, Metrics())
    service.projection.rebuild()
    lines, wait = service._lines, Projection.wait

    def late(may_pay: May) -> Any:
        if may_pay is May.YES:
            service.projection.run()
        return lines(may_pay)

    def waited(projection: Projection) -> None:
        projection.run()  # as the service's own thread does
        wait(projection)

    monkeypatch.setattr(service, "_lines", late)
    monkeypatch.setattr(Projection, "wait", waited)
    assert service.pay_out("may-20", 10) == {"instructed": 1}
    settings.bank.away = 0
    assert service.pay_out("may-20", 10) == {"again": 1}
    assert settings.bank.paid == 600_000
    service.projection.close()
    service.ledger.close()


def test_two_payout_runs_at_once_pay_once(service: Running, settings: Settings):
    lived(settings, *(f"P-{n}" for n in range(12)))
    with service.client() as client:
        current(client)

    def pay(n: int) -> int:
        with service.client() as client:
            return client.post(f"/payouts/run-{n}").json()["instructed"]

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(pay, range(4))) == 12
    assert settings.bank.paid == 12 * 600_000


def test_the_banks_webhook_settles_and_the_statement_says_why(http: httpx.Client, settings: Settings):
    lived(settings, "P-1", "P-2")
    current(http)
    http.post("/payouts/may-20")
    for report in settings.bank.answers():
        who, _, disbursement = report.fact.disbursement.partition(" ")
        body = {
            "type": "prakerja.disbursement-settled.v1",
            "subject": who,
            "time": settings.clock().isoformat(),
            "data": {"disbursement": disbursement, "reference": report.fact.reference},
        }
        answer = http.post("/webhooks/bank", json=body, headers={"Idempotency-Key": report.id.replace(" ", "_")})
        assert answer.status_code == 201, answer.text
    current(http)
    statement = http.get("/participants/P-1/statement").json()

    assert statement["totals"]["paid"] == 400_000 + 600_000
    assert [line["cause"] for line in statement["lines"][1:4]] == [None, "MONTH_NOT_REACHED", "MONTH_NOT_REACHED"]
    assert http.get("/participants/P-9/statement").status_code == 404
    assert http.get("/unpaid").json()["lines"] == []
    paid = {one["key"]: one["amounts"]["paid"] for one in http.get("/totals/line").json()["groups"]}
    assert paid["post-training/1"] == 1_200_000


def test_unpaid_lines_come_page_by_page(http: httpx.Client, settings: Settings):
    lived(settings, *(f"P-{n}" for n in range(5)))
    current(http)
    seen, after = [], None
    while True:
        page = http.get("/unpaid", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += [one["participant"] for one in page["lines"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [f"P-{n}" for n in range(5)]
    assert http.get("/unpaid", params={"after": "nonsense"}).status_code == 404
    assert http.get("/findings", params={"after": "nonsense"}).status_code == 404
    assert http.get("/unpaid", params={"owner": "participant"}).json()["lines"] == []


def test_findings_come_page_by_page(http: httpx.Client, settings: Settings):
    with Ledger.open(settings.ledger, clock=settings.clock) as ledger:
        for n in range(5):
            ledger.execute(commands.Enrol(source="//o", id=f"e-{n}", subject=f"P-{n}", wave=70, scheme="semi-bansos-2020"))
    current(http)
    seen, after = [], None
    while True:
        page = http.get("/findings", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += [(one["subject"], one["code"], one["evidence"]) for one in page["findings"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [(f"P-{n}", "WAVE_OUTSIDE_SCHEME", [["//o", f"e-{n}"]]) for n in range(5)]
    assert len(http.get("/findings", params={"subject": "P-3"}).json()["findings"]) == 1


def test_the_metrics_count_how_reports_ended_and_what_payout_runs_answered(http: httpx.Client, settings: Settings):
    of_nobody = {**completed(), "subject": "nobody"}
    for key, body in (("1", enrolled()), ("1", enrolled()), ("1", enrolled("P-2")), ("2", of_nobody)):
        http.post("/webhooks/office", json=body, headers={"Idempotency-Key": key})
    lived(settings, "P-3", "P-4")
    current(http)
    http.post("/payouts/may-20")
    http.post("/payouts/may-20")
    lines = dict(line.rsplit(" ", 1) for line in http.get("/metrics").text.splitlines() if line[0] != "#")

    events = {name: float(lines[f'payments_events_total{{outcome="{name}"}}']) for name in OUTCOMES}
    answers = {name: float(lines[f'payments_payouts_total{{answer="{name}"}}']) for name in ANSWERS}
    assert events == dict.fromkeys(OUTCOMES, 0) | dict.fromkeys(("recorded", "duplicate", "conflict", "refused"), 1)
    assert answers == {"instructed": 2, "again": 2, "refused": 0}
    assert float(lines["payments_projection_behind_events"]) >= 0


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[httpx.Client]:
    """A service whose database went away."""
    with PostgresServer(memory()) as server:
        url = made(server.url(server.new_database()), pool_timeout=1)
        settings = Settings(ledger=url, rows=f"sqlite:///{tmp_path}/rows.db", may_call=lambda given: given == TOKEN)
        with Running(settings) as service, service.client() as client:
            current(client)
            server.kill()
            yield client


def test_without_its_database_it_lives_and_is_not_ready_and_says_so(gone: httpx.Client):
    ready = gone.get("/ready")
    report = gone.post("/webhooks/office", json=enrolled(), headers={"Idempotency-Key": "e-1"})

    assert gone.get("/health").json() == {"status": "up"}
    for answer in (ready, report):
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("LEDGER_FAULT", "1")
    metrics = gone.get("/metrics").text
    assert "payments_projection_behind_events NaN" in metrics
    assert 'payments_events_total{outcome="unavailable"} 1.0' in metrics


def test_what_it_says_of_itself_holds(service: Running, settings: Settings, tmp_path: Path):
    """schemathesis asks what the OpenAPI description allows, and more.

    Not asked: that every well-formed report is accepted. What the history forbids no schema can know.
    And /health, /ready and /metrics need no token.
    """
    lived(settings, "P-1", "P-2")
    with service.client() as client:
        current(client)
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis", "run", f"{service.url}/openapi.json",
            "--header", f"Authorization: Bearer {TOKEN}", "--max-examples", "25", "--no-color",
            "--exclude-checks", "ignored_auth,positive_data_acceptance", "--phases", "examples,coverage,fuzzing",
        ],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
