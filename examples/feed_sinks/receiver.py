"""A receiver to try the webhook sink with, and to take from: verifies, stores once, then answers.

FEED_SECRET=whsec_… python -m feed_sinks.receiver --store inbox.db --port 8800
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from .signing import BadSignature, check, key_of

_LARGEST: Final = 1_100_000
"""Bytes of a body: an event has at most 1,048,576."""


class Inbox:
    """What was received: each event once, in the order of the first time."""

    def __init__(self, path: str, secret: str) -> None:
        self._key = key_of(secret)
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS inbox (number integer PRIMARY KEY AUTOINCREMENT, "
            "source text, id text, line blob, UNIQUE (source, id))"
        )

    def take(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Status and text of the answer. What is answered with 2xx is stored, and on the disk."""
        try:
            check(self._key, headers, int(time.time()), body)
        except BadSignature as error:
            return 401, str(error)
        if headers.get("content-type", "").partition(";")[0] != "application/cloudevents+json":
            return 415, "only application/cloudevents+json"
        try:
            event = json.loads(body)
            source, id = event["source"], event["id"]
        except (ValueError, TypeError, KeyError):
            return 400, "no event"
        return self._stored(source, id, body)

    def _stored(self, source: str, id: str, line: bytes) -> tuple[int, str]:
        with self._lock:
            done = self._file.execute(
                "INSERT OR IGNORE INTO inbox (source, id, line) VALUES (?, ?, ?)",
                (source, id, line),
            )
            if done.rowcount:
                return 201, "stored"
            ((known,),) = self._file.execute(
                "SELECT line FROM inbox WHERE source = ? AND id = ?", (source, id)
            ).fetchall()
        return (200, "known") if known == line else (409, "another event has this identity")

    def lines(self) -> list[bytes]:
        """Every event, in the order of its first coming."""
        with self._lock:
            return [
                line for (line,) in self._file.execute("SELECT line FROM inbox ORDER BY number")
            ]

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Receiver
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms between its head and its body

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self.close_connection = True
            self._answer(413, "a body of known length, at most that of an event")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(*self.server.inbox.take(headers, self.rfile.read(int(length))))

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """No line a request."""


class Receiver(ThreadingHTTPServer):
    """An inbox behind a port of this machine."""

    daemon_threads = True

    def __init__(
        self, inbox: Inbox, port: int = 0, handler: type[BaseHTTPRequestHandler] = Handler
    ) -> None:
        self.inbox = inbox
        super().__init__(("127.0.0.1", port), handler)

    @property
    def url(self) -> str:
        """Where events are to be sent."""
        return f"http://127.0.0.1:{self.server_port}/"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", required=True, metavar="FILE")
    parser.add_argument("--port", type=int, default=8800)
    asked = parser.parse_args()
    with Receiver(Inbox(asked.store, os.environ["FEED_SECRET"]), asked.port) as server:
        print(f"listening on {server.url}", flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
