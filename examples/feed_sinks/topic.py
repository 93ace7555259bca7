"""The topic sink: events to a log of partitions, such as Kafka's, keyed by their subject."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final, Protocol

from attrs import define, field

from prakerja_ledger.ledger.feed import FedEvent

HEADERS: Final[Mapping[str, bytes]] = {
    "content-type": b"application/cloudevents+json; charset=UTF-8"
}
"""CloudEvents' structured mode: the value is the whole event."""


class NotDelivered(Exception):
    """The topic did not take everything; what it took it will be given again."""


class Topic(Protocol):
    """Messages of one key keep their order."""

    def send(self, key: bytes, value: bytes, headers: Mapping[str, bytes]) -> None:
        """Give a message; it may be on its way when this returns."""

    def flush(self) -> None:
        """Returns once every message given has been stored. Raises NotDelivered."""


def send(topic: Topic, event: FedEvent) -> None:
    """Keyed by subject: the events of a participant come in one partition, and so in order."""
    subject: str = json.loads(event.line)["subject"]
    topic.send(subject.encode(), event.line, HEADERS)


@define
class KafkaTopic:
    """A topic of Kafka's, by confluent-kafka. Not tested against a broker: this is a pattern to start from.

    An idempotent producer: a retry of its own makes no second message and keeps the order. Where a
    message is lost all the same, it stops rather than leave a gap, and the page is sent again by a
    new process: at least once, so that consumers drop what they have by source and id.
    """

    topic: str
    servers: str
    settings: Mapping[str, Any] = field(factory=dict)
    patience: float = 120.0
    """Seconds until what was sent must have been stored."""
    _producer: Any = field(init=False)
    _failed: list[str] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        """Connects; the driver is imported only here."""
        from confluent_kafka import Producer  # noqa: PLC0415  # no other sink needs it

        self._producer = Producer(
            {
                "bootstrap.servers": self.servers,
                "enable.idempotence": True,
                "enable.gapless.guarantee": True,
                "acks": "all",
                **self.settings,
            }
        )

    def send(self, key: bytes, value: bytes, headers: Mapping[str, bytes]) -> None:
        """Give a message; waits where too many are on their way."""
        while True:
            try:
                self._producer.produce(
                    self.topic,
                    value=value,
                    key=key,
                    headers=list(headers.items()),
                    on_delivery=self._told,
                )
            except BufferError:
                self._producer.poll(0.5)
            else:
                self._producer.poll(0)
                return

    def flush(self) -> None:
        """Returns once every message has been stored. Raises NotDelivered."""
        left = self._producer.flush(self.patience)
        if left or self._failed:
            raise NotDelivered(
                f"{left} without an answer, {len(self._failed)} failed: {self._failed[:3]}"
            )

    def _told(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failed.append(str(error))


class FileTopic:
    """A topic in a SQLite file, for tests and for one machine: partitions, and offsets in each."""

    def __init__(self, path: str, partitions: int = 4) -> None:
        self._partitions = partitions
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS messages (partition integer, offset integer, "
            "key blob, value blob, headers text, PRIMARY KEY (partition, offset))"
        )
        self._waiting: list[tuple[int, bytes, bytes, str]] = []

    def send(self, key: bytes, value: bytes, headers: Mapping[str, bytes]) -> None:
        """Keep a message for the next flush."""
        partition = int.from_bytes(hashlib.sha256(key).digest()[:8]) % self._partitions
        told = json.dumps({name: one.decode() for name, one in headers.items()})
        self._waiting.append((partition, key, value, told))

    def flush(self) -> None:
        """Store what was given, all of it or nothing."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            for partition, key, value, headers in self._waiting:
                self._file.execute(
                    "INSERT INTO messages SELECT ?, coalesce(max(offset) + 1, 0), ?, ?, ? "
                    "FROM messages WHERE partition = ?",
                    (partition, key, value, headers, partition),
                )
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")
        self._waiting.clear()

    def messages(self) -> list[tuple[int, bytes, bytes, dict[str, str]]]:
        """Partition, key, value and headers of every message, partition by partition in order."""
        found = self._file.execute(
            "SELECT partition, key, value, headers FROM messages ORDER BY partition, offset"
        )
        return [(at, key, value, json.loads(headers)) for at, key, value, headers in found]

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
