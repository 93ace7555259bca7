"""Errors as RFC 9457 problems: one place where the ledger's families become HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from prakerja_ledger import (
    Conflict,
    InvalidInput,
    LedgerFault,
    NotInView,
    OutcomeUnknown,
    PrakerjaLedgerError,
    Refused,
)
from prakerja_ledger.domain.errors import CalendarTooShort


class Problem(BaseModel):
    """What went wrong, for a program (`code`) and for a person (`detail`)."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str


RETRY_SECONDS = "1"
FAMILIES: list[tuple[type[PrakerjaLedgerError], int, str]] = [
    (CalendarTooShort, 422, "Nobody can tell: the list of holidays is too short"),
    (NotInView, 404, "Not on record"),
    (OutcomeUnknown, 503, "Nobody knows yet: send the same again"),
    (Conflict, 409, "The identity has other content"),
    (Refused, 422, "Refused"),
    (InvalidInput, 422, "Cannot be read"),
    (LedgerFault, 503, "The ledger does not answer: send the same again"),
]


def problem(status: int, title: str, code: str, detail: str) -> JSONResponse:
    """A response of type application/problem+json."""
    headers = {"Retry-After": RETRY_SECONDS} if status == 503 else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = Problem(title=title, status=status, code=code, detail=detail)
    return JSONResponse(
        body.model_dump(), status, headers=headers, media_type="application/problem+json"
    )


def install(application: FastAPI) -> None:
    """Answer every error as a problem."""

    @application.exception_handler(PrakerjaLedgerError)
    def of_the_ledger(_: Request, error: PrakerjaLedgerError) -> JSONResponse:
        for family, status, title in FAMILIES:
            if isinstance(error, family):
                return problem(status, title, error.code, str(error))
        return problem(500, "A fault of ours", error.code, str(error))

    @application.exception_handler(RequestValidationError)
    def of_the_request(_: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        return problem(422, "Cannot be read", "INVALID_REQUEST", told)

    @application.exception_handler(HTTPException)
    def of_http(_: Request, error: HTTPException) -> JSONResponse:
        answer = problem(
            error.status_code, str(error.detail), f"HTTP_{error.status_code}", str(error.detail)
        )
        answer.headers.update(error.headers or {})
        return answer


ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}, "description": title}
    for status, title in (
        (400, "No HTTP that can be read"),
        (401, "No bearer token that the host accepts"),
        (404, "Not on record"),
        (409, "The identity has other content"),
        (422, "Refused, or it cannot be read"),
        (503, "The outcome is unknown, or the ledger does not answer: send the same again"),
    )
}
"""For the OpenAPI description: what every path may answer besides."""
