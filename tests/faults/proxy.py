"""A proxy for PostgreSQL's protocol that breaks connections at chosen messages.

It strikes by what it reads, not by time: at a message that commits, or at the one that begins a
writer's turn. What the server does and what its client learns of it come apart at these two alone.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from attrs import define, field, frozen

COMMITS = {
    "not stored": "the connection is cut before the server is sent the commit",
    "stored": "the server has committed; its answer is swallowed and the connection cut",
    "half": "half of the commit's message is sent on, then the connection is cut",
    "no answer, not stored": "the commit is kept back; the connection stays open and silent",
    "no answer, stored": "the commit is sent on and never answered; the connection stays open",
    "no answer, late": "kept back until its sender has given up and hung up; then sent on after all",
}
BEGINNINGS = {
    "turn not begun": "the connection is cut before the server is asked for the writer's turn or a look",
    "turn begun": "the server has given the turn or look; its answer is swallowed and the connection cut",
    "turn never answered": "a turn or look is asked for and given; the connection stays open and silent",
}
ENDINGS = {
    "before its commit": "the backend is told to end, and is sent the commit afterwards",
    "during its commit": "the backend is sent the commit, and told to end at the same moment",
}
FORMS: Final = COMMITS | BEGINNINGS | ENDINGS

_ENCRYPTION = {80877103, 80877104}
"""What stands in the place of the protocol's version where a client asks for TLS or GSS first."""


@frozen
class Message:
    """One message of the protocol: its letter (none in the first of a connection) and its bytes."""

    kind: bytes
    raw: bytes

    @property
    def body(self) -> bytes:
        return self.raw[5:] if self.kind else self.raw[4:]

    @property
    def sql(self) -> bytes:
        """The statements of a Query, or of a Parse, whose first text is the statement's name."""
        if self.kind == b"Q":
            return self.body.rstrip(b"\0").strip()
        return self.body.split(b"\0")[1].strip() if self.kind == b"P" else b""

    @property
    def is_whole_turn(self) -> bool:
        """A turn in one statement, which commits without saying so."""
        return b".append_next(" in self.sql

    @property
    def commits(self) -> bool:
        """Alone, as the end of several statements, or in the statement that is a whole turn."""
        last = self.sql.rpartition(b";")[2] if self.kind == b"Q" else self.sql
        return last.strip().upper() == b"COMMIT" or self.is_whole_turn


def _exactly(source: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = source.recv(length)
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _message(source: socket.socket) -> Message:
    kind = _exactly(source, 1)
    head = _exactly(source, 4)
    return Message(kind, kind + head + _exactly(source, struct.unpack("!i", head)[0] - 4))


def _first(source: socket.socket) -> Message:
    head = _exactly(source, 4)
    return Message(b"", head + _exactly(source, struct.unpack("!i", head)[0] - 4))


@define(eq=False)
class Plan:
    """What is done at which messages; one plan for all connections of a proxy."""

    form: str = ""
    """One of FORMS; "" lets everything pass."""
    first: int = 1
    every: int = 0
    """Where not 0: struck again after each so many."""
    late: float = 0.0
    """Seconds that a commit travels on after its sender has hung up, or a signal after the commit."""
    at_strike: Callable[[int], None] = lambda _: None
    """Called as the connection is struck, with the process id of its backend."""
    met: int = 0
    struck: int = 0
    begins: tuple[bytes, ...] = (
        b"BEGIN ISOLATION LEVEL READ COMMITTED",
        b"SELECT * FROM prakerja_ledger.streams(",
    )
    """How a message begins that begins something: a writer's turn, or the look ahead of one."""
    _lock: threading.Lock = field(factory=threading.Lock)

    def strikes(self, message: Message) -> bool:
        """Whether this message is one that the plan waits for, and one that is chosen."""
        begins = message.sql.startswith(self.begins)
        if not (begins if self.form in BEGINNINGS else message.commits):
            return False
        with self._lock:
            self.met += 1
            over = self.met - self.first
            chosen = over == 0 or (over > 0 and self.every > 0 and over % self.every == 0)
            self.struck += chosen
            return chosen


@define(eq=False)
class _Conversation:
    """A client's connection and the one to the server, each read by a thread of its own."""

    client: socket.socket
    server: socket.socket
    plan: Plan
    kept: list[bytes] | None = None
    """Answers kept back since a strike, until it is known what they are."""
    mute: bool = False
    whole: bool = False
    """Whether what was struck is a whole turn in one statement."""
    backend: int = 0
    answered: threading.Event = field(factory=threading.Event)

    def forward(self) -> None:
        """From the client to the server, until one of them is gone."""
        with contextlib.suppress(OSError, EOFError):
            self._begin()
            while True:
                message = _message(self.client)
                if self.plan.form and self.plan.strikes(message):
                    self._strike(message)
                else:
                    self.server.sendall(message.raw)
        self.cut()

    def _begin(self) -> None:
        """Until the client has said who it is; what it asks for first is refused: encryption."""
        while True:
            message = _first(self.client)
            (code,) = struct.unpack("!i", message.body[:4])
            if code not in _ENCRYPTION:
                self.server.sendall(message.raw)
                return
            self.client.sendall(b"N")

    def answer(self) -> None:
        """From the server to the client."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                message = _message(self.server)
                if message.kind == b"K":
                    (self.backend,) = struct.unpack("!i", message.body[:4])
                if self.kept is None:
                    self.client.sendall(message.raw)
                    continue
                self.kept.append(message.raw)
                if self._is_awaited(message):
                    self.answered.set()
                    if not self.mute:
                        self.plan.at_strike(self.backend)
                        break
                elif message.kind == b"Z" and not self.mute:
                    # It was an error that the server answered with: nothing to swallow.
                    self.client.sendall(b"".join(self.kept))
                    self.kept = None
        self.answered.set()
        if not self.mute:
            self.cut()

    def _is_awaited(self, message: Message) -> bool:
        if self.plan.form == "turn begun":
            return message.kind == b"Z"
        ends = b"SELECT 1\0" if self.whole else b"COMMIT\0"
        return message.kind == b"C" and message.body == ends

    def _strike(self, message: Message) -> None:
        self.whole = message.is_whole_turn
        match self.plan.form:
            case "not stored" | "turn not begun":
                self.plan.at_strike(self.backend)
                raise EOFError
            case "before its commit":
                self.plan.at_strike(self.backend)
                self.server.sendall(message.raw)
            case "during its commit":
                self.server.sendall(message.raw)
                time.sleep(self.plan.late)
                self.plan.at_strike(self.backend)
            case "half":
                self.server.sendall(message.raw[: len(message.raw) // 2])
                raise EOFError
            case "stored" | "turn begun":
                self.kept = []
                self.server.sendall(message.raw)
            case "no answer, not stored":
                self._wait_for_goodbye()
                raise EOFError
            case "no answer, stored" | "turn never answered":
                self.mute, self.kept = True, []
                self.server.sendall(message.raw)
                self._wait_for_goodbye()
                raise EOFError
            case "no answer, late":
                self.mute, self.kept = True, []
                self._wait_for_goodbye()
                time.sleep(self.plan.late)
                self.server.sendall(message.raw)
                self.answered.wait(20)
                raise EOFError

    def _wait_for_goodbye(self) -> None:
        """Until the client hangs up; what it says before is heard by nobody."""
        with contextlib.suppress(OSError):
            while self.client.recv(4096):
                pass

    def cut(self) -> None:
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class Proxy:
    """Listens at a port of its own before the one of a server or a pooler."""

    def __init__(self, target: int, plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[_Conversation] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Listen no longer, and cut what is open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._open:
                one.cut()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation = _Conversation(client, server, self.plan)
            with self._lock:
                self._open.append(conversation)
            for work in (conversation.forward, conversation.answer):
                threading.Thread(target=work, daemon=True).start()
