"""Signatures of webhooks as Standard Webhooks has them: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

_PREFIX: Final = "whsec_"
TOLERANCE_SECONDS: Final = 300
"""How far the sender's time may be from the receiver's: an old message cannot be sent again later."""


class BadSignature(Exception):
    """The message is not the sender's, or not of now."""


def key_of(secret: str) -> bytes:
    """The key behind a secret such as `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`."""
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    if len(key) < 24:  # the specification's least
        raise ValueError("the secret must be base64 of 24 bytes or more, with whsec_ before it")
    return key


def signed(key: bytes, message: str, now: int, body: bytes) -> dict[str, str]:
    """The headers of a message. `message` is its id, the same however often it is sent."""
    return {
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{_signature(key, message, str(now), body)}",
    }


def check(key: bytes, headers: Mapping[str, str], now: int, body: bytes) -> None:
    """Raises BadSignature. Of several signatures (two keys while one is replaced) one must be ours."""
    message, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    expected = _signature(key, message, sent_at, body)
    given = headers.get("webhook-signature", "").split(" ")
    if not any(
        hmac.compare_digest(one.encode(), f"v1,{expected}".encode()) for one in given
    ):  # before anything else is believed
        raise BadSignature("no signature of this key over this body")
    if abs(now - int(sent_at)) > TOLERANCE_SECONDS:
        raise BadSignature(f"signed at {sent_at}, more than {TOLERANCE_SECONDS} seconds from now")


def _signature(key: bytes, message: str, sent_at: str, body: bytes) -> str:
    content = b".".join((message.encode(), sent_at.encode(), body))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
