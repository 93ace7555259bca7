"""The HTTP side. `uvicorn payment_backend.app:application --factory` serves it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Path, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field

from prakerja_ledger import May
from prakerja_ledger.domain.vocabulary import Owner
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.ledger.steps import today_by
from prakerja_ledger.reading.causes import Cause
from prakerja_ledger.reading.finding import Code
from prakerja_ledger.reading.statement import AMOUNTS

from .metrics import Metrics
from .problems import ANSWERS, install
from .service import Service
from .settings import Settings

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Report(BaseModel):
    """What a platform or a bank reports: a fact of history format 1, without its identity."""

    model_config = ConfigDict(extra="forbid")
    type: Annotated[str, Field(examples=["prakerja.course-completed.v1"])]
    subject: Name
    time: datetime
    data: dict[str, Any]


class Receipt(BaseModel):
    """Where it is recorded."""

    position: int
    duplicate: bool


class PayoutRun(BaseModel):
    """How many lines a payout run instructed, had instructed before, and may not pay after all."""

    instructed: int = 0
    again: int = 0
    refused: int = 0


class Unpaid(BaseModel):
    participant: str
    wave: int
    line: str
    unpaid: int
    status: str
    due_on: date
    overdue_working_days: int
    cause: str | None
    owner: str | None
    may_pay: May


class UnpaidPage(BaseModel):
    as_of: date
    position: int
    undecided: list[str]
    lines: list[Unpaid]
    next: str | None = Field(description="To be given as `after`")


class Finding(BaseModel):
    code: str
    subject: str
    on: date
    amount: int | None
    detail: dict[str, Any]
    evidence: list[tuple[str, str]] = Field(description="Source and id of each fact")


class FindingsPage(BaseModel):
    as_of: date
    position: int
    undecided: list[str]
    findings: list[Finding]
    next: str | None = Field(description="To be given as `after`")


class Total(BaseModel):
    key: str | int | None
    participants: int
    lines: int
    entitlement: int
    amounts: dict[str, int]


class Totals(BaseModel):
    as_of: date
    position: int
    undecided: list[str]
    groups: list[Total]


class Health(BaseModel):
    status: Literal["up"]


class Ready(BaseModel):
    """The ledger answers; rows that are behind are late, not wrong."""

    status: Literal["current", "behind"]


class Line(BaseModel):
    model_config = ConfigDict(extra="allow")
    line: str
    status: str
    unpaid: int
    cause: str | None
    owner: str | None


class Statement(BaseModel):
    """As `prakerja-ledger statement --json` prints it."""

    model_config = ConfigDict(extra="allow")
    participant: str
    as_of: date
    totals: dict[str, int]
    lines: list[Line]


def application(settings: Settings | None = None) -> FastAPI:
    """The whole service, made from the environment where nothing else is given."""
    metrics = Metrics()
    service = Service(settings or Settings.from_environment(), metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    made = FastAPI(title="Payments on prakerja-ledger", version="1", lifespan=lifespan)
    install(made)
    made.include_router(_open(service, metrics))
    made.include_router(_guarded(service, metrics))
    return made


def _open(service: Service, metrics: Metrics) -> APIRouter:
    """What the host's own machinery asks, without a token."""
    router = APIRouter()

    @router.get("/health")
    async def health() -> Health:
        """The process lives. The database is not asked: to restart this would not bring it back."""
        return Health(status="up")

    @router.get("/ready", responses={503: ANSWERS[503]})
    async def ready() -> Ready:
        """The ledger answers. Not in the threads of the other paths, which may all be waiting for it."""
        current = await asyncio.to_thread(lambda: service.is_current)
        return Ready(status="current" if current else "behind")

    @router.get("/metrics", response_class=Response)
    def show_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router


def _guarded(service: Service, metrics: Metrics) -> APIRouter:
    bearer = HTTPBearer(auto_error=False)

    def caller(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        """The host's own check; this service knows no users."""
        if given is None or not service.settings.may_call(given.credentials):
            raise HTTPException(401, "A bearer token is needed")

    router = APIRouter(dependencies=[Depends(caller)], responses=ANSWERS)

    @router.post(
        "/webhooks/{source}",
        status_code=201,
        responses={200: {"model": Receipt, "description": "Again"}},
    )
    def webhook(
        source: Annotated[str, Path(pattern=r"^[a-z0-9.-]{1,80}$")],
        report: Report,
        idempotency_key: Annotated[str, Header(min_length=1, max_length=200, pattern=r"^[!-~]+$")],
        response: Response,
    ) -> Receipt:
        """Record what a platform or a bank reports. The same key and body again is the same event."""
        if report.time.utcoffset() is None:
            raise HTTPException(422, "time needs an offset, such as +07:00")
        event = {
            "specversion": "1.0",
            "source": f"//{source}",
            "id": idempotency_key,
            "type": report.type,
            "subject": report.subject,
            "time": report.time.isoformat(),
            "data": report.data,
        }
        receipt = metrics.report(lambda: service.ledger.record(event))
        response.status_code = 200 if receipt.duplicate else 201
        return Receipt(position=receipt.position, duplicate=receipt.duplicate)

    @router.post("/payouts/{run}")
    def payout(
        run: Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,80}$")],
        most: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    ) -> PayoutRun:
        """Instruct what may be paid today; the same run again pays nothing twice."""
        return PayoutRun(**service.pay_out(run, most))

    @router.get("/participants/{participant}/statement", response_model=Statement)
    def statement(
        participant: Annotated[str, Path(min_length=1, max_length=200)], as_of: date | None = None
    ) -> Response:
        """Owed, paid and unpaid line by line, with cause, owner and the facts behind it."""
        made = service.ledger.statement(participant, as_of=as_of or _today(service))
        return Response(statement_json(made), media_type="application/json")

    @router.get("/unpaid")
    def unpaid(
        cause: Cause | None = None,
        owner: Owner | None = None,
        may_pay: May | None = None,
        wave: Annotated[int | None, Query(ge=1, le=2**53 - 1)] = None,
        min_overdue: Annotated[int | None, Query(ge=0, le=10_000)] = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> UnpaidPage:
        """Unpaid lines, the longest overdue first."""
        page = service.projection.unpaid(
            cause=cause,
            owner=owner,
            may_pay=may_pay,
            wave=wave,
            min_overdue=min_overdue,
            after=_place(after, str, str),
            limit=limit,
        )
        return UnpaidPage(
            as_of=page.as_of,
            position=page.position,
            undecided=list(page.undecided),
            lines=[
                Unpaid(**{name: getattr(one, name) for name in Unpaid.model_fields})
                for one in page.lines
            ],
            next=None if page.next is None else _cursor(page.next),
        )

    @router.get("/findings")
    def findings(
        code: Code | None = None,
        subject: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> FindingsPage:
        """Facts that break a rule, the earliest first."""
        page = service.projection.findings(
            code=code, subject=subject, after=_place(after, str, str, str, int), limit=limit
        )
        return FindingsPage(
            as_of=page.as_of,
            position=page.position,
            undecided=list(page.undecided),
            findings=[
                Finding(**{name: getattr(one, name) for name in Finding.model_fields})
                for one in page.findings
            ],
            next=None if page.next is None else _cursor(page.next),
        )

    @router.get("/totals/{by}")
    def totals(
        by: Literal["wave", "scheme", "standing", "line", "status", "cause", "owner"],
    ) -> Totals:
        """Sums of the lines."""
        found = service.projection.totals(by)
        return Totals(
            as_of=found.as_of,
            position=found.position,
            undecided=list(found.undecided),
            groups=[
                Total(
                    key=key,
                    participants=group.participants,
                    lines=group.lines,
                    entitlement=group.entitlement,
                    amounts={name: group.amounts[name] for name in AMOUNTS},
                )
                for key, group in found.groups.items()
            ],
        )

    return router


def _today(service: Service) -> date:
    return today_by(service.settings.clock)


def _cursor(place: tuple[Any, ...]) -> str:
    on, *rest = place
    return base64.urlsafe_b64encode(json.dumps([on.isoformat(), *rest]).encode()).decode()


def _place(cursor: str | None, *kinds: type) -> Any:
    """What `_cursor` was given: a day, then values of these kinds."""
    if cursor is None:
        return None
    try:
        on, *rest = json.loads(base64.urlsafe_b64decode(cursor))
        if [type(value) for value in rest] == [*kinds]:
            return date.fromisoformat(on), *rest
    except (ValueError, TypeError):
        pass
    raise HTTPException(404, "There is no such page: after is the next of an earlier one")
