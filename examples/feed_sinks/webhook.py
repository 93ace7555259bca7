"""The webhook sink: each recorded event as a structured CloudEvent over HTTP, in order."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import httpx
import stamina
from attrs import field, frozen

from prakerja_ledger.ledger.feed import FedEvent

from .signing import key_of, signed

CONTENT_TYPE: Final = "application/cloudevents+json"
_ASK_AGAIN: Final = frozenset({408, 425, 429})
"""The client errors that mean later, not no."""
_LONGEST_PAUSE: Final = timedelta(minutes=5)


class NotNow(Exception):
    """The receiver did not answer, or asks to be asked again; it may have the event all the same."""

    def __init__(self, problem: str, pause: timedelta | None = None) -> None:
        super().__init__(problem)
        self.pause = pause


class RefusedForGood(Exception):
    """The receiver will not take this event however often it is sent. Nothing after it is sent."""


@frozen(kw_only=True)
class Patience:
    """How often an event is tried, and how long is waited between."""

    attempts: int = 10
    first_pause: float = 0.5
    longest_pause: float = 60.0
    jitter: float = 1.0
    timeout: float = field(default=10.0)
    """Seconds for one answer."""


class Webhook:
    """Sends events to one address. Use it as a context manager."""

    def __init__(self, url: str, secret: str, patience: Patience | None = None) -> None:
        self._url = url
        self._key = key_of(secret)
        self._patience = patience or Patience()
        self._http = httpx.Client(timeout=self._patience.timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def send(self, event: FedEvent) -> None:
        """Returns once the receiver has said that it has the event.

        Raises RefusedForGood, and NotNow where it did not say so in all the attempts.
        """
        patience = self._patience
        for attempt in stamina.retry_context(
            on=_pause,
            attempts=patience.attempts,
            timeout=None,
            wait_initial=patience.first_pause,
            wait_max=patience.longest_pause,
            wait_jitter=patience.jitter,
        ):
            with attempt:
                self._post(event)

    def _post(self, event: FedEvent) -> None:
        # Signed anew each time: the receiver turns away what was signed long ago.
        headers = signed(self._key, message_id(event.line), int(time.time()), event.line)
        headers["content-type"] = CONTENT_TYPE
        try:
            answer = self._http.post(self._url, content=event.line, headers=headers)
        except httpx.TransportError as error:
            raise NotNow(f"position {event.position}: {error!r}") from error
        if answer.is_success:
            return
        said = f"position {event.position}: {answer.status_code} {answer.text[:500]}"
        if answer.is_server_error or answer.status_code in _ASK_AGAIN:
            raise NotNow(said, _retry_after(answer))
        # Redirects too: what is signed for one address is not carried to another.
        raise RefusedForGood(f"{said}. Nothing after it is sent until the receiver takes it.")


def message_id(line: bytes) -> str:
    """The same for the same event: a hash, as its source and id may hold what no header may."""
    event = json.loads(line)
    identity = json.dumps([event["source"], event["id"]]).encode()
    return f"msg_{hashlib.sha256(identity).hexdigest()[:40]}"


def _retry_after(answer: httpx.Response) -> timedelta | None:
    """What the receiver asks for, in seconds; a date there is not read."""
    asked = answer.headers.get("retry-after", "")
    if not (asked.isascii() and asked.isdecimal()):
        return None
    return min(timedelta(seconds=min(int(asked), 86_400)), _LONGEST_PAUSE)


def _pause(error: Exception) -> bool | timedelta:
    """Whether to try again, or after how long."""
    if not isinstance(error, NotNow):
        return False
    return True if error.pause is None else error.pause
