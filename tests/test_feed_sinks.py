"""The example sinks of the feed: over HTTP to a receiver that fails in every way, and to a topic in a file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from prakerja_ledger import Ledger
from prakerja_ledger.ledger.feed import FedEvent
from prakerja_ledger.testing.clock import TestClock
from tests.ledger_support import MAY_20, enrolment
from tests.postgres_support import made, shared_database  # noqa: F401  # a fixture
from tests.projection_support import life
from tests.servers import wait_until

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

from feed_sinks.cursor import Cursor, CursorTaken, OtherLedger
from feed_sinks.receiver import Handler, Inbox, Receiver
from feed_sinks.running import to_topic, to_webhook
from feed_sinks.signing import BadSignature, check, key_of, signed
from feed_sinks.topic import FileTopic, NotDelivered
from feed_sinks.webhook import NotNow, Patience, RefusedForGood, Webhook, message_id

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT_ONCE = Patience(attempts=4, first_pause=0.0, longest_pause=0.0, jitter=0.0, timeout=20)
Answer = Callable[[str, Callable[[], tuple[int, str]]], tuple[int, str] | None]
"""What a receiver does with an event, by its id, and with the taking of it; None: no reply."""


class Faulty(Receiver):
    """A receiver that does as a test says, and counts what came."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(inbox, 0, FaultyHandler)
        self.came: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Answer = lambda id, take: take()

    @property
    def stored(self) -> list[str]:
        return [json.loads(line)["id"] for line in self.inbox.lines()]


class FaultyHandler(Handler):
    server: Faulty

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        id = json.loads(body)["id"]
        self.server.came.append(id)
        self.server.headers.append(headers)
        answer = self.server.answer(id, lambda: self.server.inbox.take(headers, body))
        if answer is None:
            self.close_connection = True
        else:
            self._answer(*answer)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Faulty]:
    inbox = Inbox(f"{tmp_path}/inbox.db", SECRET)
    with Faulty(inbox) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
    inbox.close()


@pytest.fixture(params=["sqlite", "three shards"])
def url(request: Any, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return made(request.getfixturevalue("shared_database"), shards=3)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url, clock=TestClock(MAY_20)) as opened:
        yield opened


def lived(ledger: Ledger, *names: str) -> None:
    for name in names:
        ledger.execute_all(life(name))


@pytest.fixture
def cursor_file(tmp_path: Path) -> str:
    return f"{tmp_path}/sent.db"


def delivered(ledger: Ledger, cursor_file: str, receiver: Faulty) -> None:
    with Cursor(cursor_file, ledger) as cursor, Webhook(receiver.url, SECRET, AT_ONCE) as webhook:
        to_webhook(ledger, cursor, webhook.send)


def of_each(lines: list[bytes]) -> dict[str, list[str]]:
    """The ids of every subject's events, in order."""
    found = defaultdict(list)
    for line in lines:
        event = json.loads(line)
        found[event["subject"]].append(event["id"])
    return dict(found)


def everything_arrived(ledger: Ledger, arrived: list[bytes]) -> None:
    """Every event as it was recorded, once, those of a subject in order."""
    recorded = list(ledger.lines())
    assert Counter(arrived) == Counter(recorded)
    assert of_each(arrived) == of_each(recorded)


def ids(ledger: Ledger) -> list[str]:
    return [json.loads(event.line)["id"] for event in ledger.feed("").events]


# --- the webhook --------------------------------------------------------------------------------------


def test_events_come_in_order_and_without_gaps(ledger: Ledger, cursor_file: str, receiver: Faulty):
    for n in range(3):
        lived(ledger, f"P-{n}", f"Q-{n}")
        delivered(ledger, cursor_file, receiver)

    everything_arrived(ledger, receiver.inbox.lines())
    assert len(receiver.came) == 42
    assert {one["content-type"] for one in receiver.headers} == {"application/cloudevents+json"}


def test_more_than_a_page_goes_on_where_the_page_ended(
    ledger: Ledger, cursor_file: str, receiver: Faulty
):
    ledger.record_all([enrolment(f"P-{n}") for n in range(230)])
    delivered(ledger, cursor_file, receiver)

    everything_arrived(ledger, receiver.inbox.lines())
    assert len(receiver.came) == 230


def test_an_answer_of_500_is_asked_again_before_anything_else_is_sent(
    ledger: Ledger, cursor_file: str, receiver: Faulty
):
    lived(ledger, "P-1")
    all_ids, failing = ids(ledger), [500, 503]
    receiver.answer = lambda id, take: (
        (failing.pop(0), "not now") if id == all_ids[2] and failing else take()
    )
    delivered(ledger, cursor_file, receiver)

    assert receiver.came == [*all_ids[:2], *[all_ids[2]] * 3, *all_ids[3:]]
    assert receiver.stored == all_ids


@pytest.mark.parametrize("status", [408, 425, 429])
def test_what_means_later_is_asked_again(
    ledger: Ledger, cursor_file: str, receiver: Faulty, status: int
):
    ledger.record(enrolment("P-1"))
    answers = [status]
    receiver.answer = lambda id, take: (answers.pop(), "later") if answers else take()
    delivered(ledger, cursor_file, receiver)

    assert len(receiver.came) == 2


def test_a_lost_reply_is_delivered_twice_and_stored_once(
    ledger: Ledger, cursor_file: str, receiver: Faulty
):
    lived(ledger, "P-1")
    all_ids, lost = ids(ledger), []

    def lose_one(id: str, take: Callable[[], tuple[int, str]]) -> tuple[int, str] | None:
        answer = take()
        if id == all_ids[3] and not lost:
            lost.append(answer)
            return None
        return answer

    receiver.answer = lose_one
    delivered(ledger, cursor_file, receiver)

    assert lost == [(201, "stored")]
    assert receiver.came == [*all_ids[:4], *all_ids[3:]]
    assert receiver.stored == all_ids


@pytest.mark.parametrize("status", [301, 400, 401, 403, 409, 410, 422])
def test_an_event_refused_for_good_stops_the_sink_and_is_not_skipped(
    ledger: Ledger, cursor_file: str, receiver: Faulty, status: int
):
    lived(ledger, "P-1")
    all_ids = ids(ledger)
    receiver.answer = lambda id, take: (status, "never") if id == all_ids[3] else take()
    for _ in range(2):
        with pytest.raises(RefusedForGood, match=f"position [0-9]+: {status} never. Nothing after it"):
            delivered(ledger, cursor_file, receiver)

    assert receiver.came == [*all_ids[:4], all_ids[3]]
    receiver.answer = lambda id, take: take()
    delivered(ledger, cursor_file, receiver)
    assert receiver.stored == all_ids


def test_a_receiver_that_is_away_is_tried_so_often_and_then_left_for_another_run(
    ledger: Ledger, cursor_file: str, receiver: Faulty
):
    lived(ledger, "P-1")
    receiver.answer = lambda id, take: (500, "away")
    with pytest.raises(NotNow, match="500 away"):
        delivered(ledger, cursor_file, receiver)

    assert receiver.came == ids(ledger)[:1] * 4
    receiver.answer = lambda id, take: take()
    delivered(ledger, cursor_file, receiver)
    assert receiver.stored == ids(ledger)


def test_a_receiver_that_says_when_is_asked_then(monkeypatch: pytest.MonkeyPatch):
    """Retry-After of a server that is busy, and no longer than five minutes."""
    from feed_sinks.webhook import _pause, _retry_after

    def asked(value: str) -> Any:
        answer = httpx.Response(503, headers={"retry-after": value})
        pause = _pause(NotNow("busy", _retry_after(answer)))
        return pause if pause is True else pause.total_seconds()

    assert [asked(v) for v in ("7", "0", "99999999999", "-1", "soon")] == [7, 0, 300, True, True]
    assert _pause(RefusedForGood()) is False


# --- crashes ------------------------------------------------------------------------------------------


@contextmanager
def sink(url: str, cursor_file: str, receiver: Faulty, *more: str) -> Iterator[subprocess.Popen[str]]:
    """The sink as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "feed_sinks", "webhook", url, "--to", receiver.url,
         "--cursor", cursor_file, *more],
        cwd=EXAMPLES, env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def environment() -> dict[str, str]:
    path = [str(EXAMPLES.parent), str(EXAMPLES), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "FEED_SECRET": SECRET, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def test_killed_before_it_heard_the_answer_it_goes_on_without_loss(
    url: str, ledger: Ledger, cursor_file: str, receiver: Faulty
):
    lived(ledger, "P-1", "P-2")
    all_ids = ids(ledger)
    stored, go_on = threading.Event(), threading.Event()

    def hold_one(id: str, take: Callable[[], tuple[int, str]]) -> tuple[int, str] | None:
        answer = take()
        if id == all_ids[5] and not stored.is_set():
            stored.set()
            go_on.wait(60)
            return None
        return answer

    receiver.answer = hold_one
    with sink(url, cursor_file, receiver) as process:
        assert stored.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    go_on.set()
    with sink(url, cursor_file, receiver, "--once") as process:
        assert (process.wait(60), process.stderr.read()) == (0, "")

    assert receiver.came == [*all_ids[:6], *all_ids[5:]]
    assert receiver.stored == all_ids


DIES = """
import os, signal, sys
from feed_sinks import cursor
from feed_sinks.__main__ import main

note, method, left = getattr(cursor.Cursor, sys.argv[1]), sys.argv[1], [int(sys.argv[2])]

def die(self, *given):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    note(self, *given)

setattr(cursor.Cursor, method, die)
sys.argv[1:3] = []
sys.exit(main())
"""


@pytest.mark.parametrize(("method", "at", "again"), [("received", 4, 1), ("move", 1, 0)])
def test_killed_between_the_answer_and_its_cursor_it_sends_that_one_again(
    url: str, ledger: Ledger, cursor_file: str, receiver: Faulty, method: str, at: int, again: int
):
    lived(ledger, "P-1")
    done = subprocess.run(
        [sys.executable, "-c", DIES, method, str(at), "webhook", url, "--to", receiver.url,
         "--cursor", cursor_file, "--once"],
        cwd=EXAMPLES, env=environment(), timeout=120,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    delivered(ledger, cursor_file, receiver)

    assert len(receiver.came) == 7 + again
    assert receiver.stored == ids(ledger)


def test_a_sink_that_is_asked_to_end_ends_and_another_goes_on_beside_a_writer(
    url: str, ledger: Ledger, cursor_file: str, receiver: Faulty
):
    lived(ledger, "P-0")
    for n in range(3):
        with sink(url, cursor_file, receiver) as process:
            lived(ledger, *(f"P-{n}-{m}" for m in range(5)))
            head = ledger.head()
            wait_until(lambda: len(receiver.came) >= 7 + 35 * n + 20, f"{head} were not sent")
            process.send_signal(signal.SIGTERM)
            assert (process.wait(60), process.stderr.read()) == (0, "")
    delivered(ledger, cursor_file, receiver)

    everything_arrived(ledger, receiver.inbox.lines())
    assert len(receiver.came) == 7 + 3 * 35, "ended in order, nothing is sent twice"


def test_a_sink_whose_event_is_refused_says_so_and_ends_with_3(
    url: str, ledger: Ledger, cursor_file: str, receiver: Faulty
):
    ledger.record(enrolment("P-1"))
    receiver.answer = lambda id, take: (422, "not like this")
    with sink(url, cursor_file, receiver) as process:
        assert process.wait(60) == 3
        assert "422 not like this. Nothing after it is sent until" in process.stderr.read()


# --- the cursor ---------------------------------------------------------------------------------------


def test_the_cursor_of_another_ledger_is_refused(
    ledger: Ledger, cursor_file: str, receiver: Faulty, tmp_path: Path
):
    """Also one made anew under the same URL, whose positions are the same numbers."""
    lived(ledger, "P-1")
    delivered(ledger, cursor_file, receiver)
    with Ledger.open(f"memory://{tmp_path}", clock=TestClock(MAY_20)) as other:
        lived(other, "P-2", "P-3", "P-4")
        with pytest.raises(OtherLedger, match="at position [0-9]+; in this one it is not. Give each"):
            delivered(other, cursor_file, receiver)

    assert receiver.stored == ids(ledger)


def test_two_sinks_on_one_cursor_are_one_too_many(
    ledger: Ledger, cursor_file: str, receiver: Faulty
):
    ledger.record(enrolment("P-1"))
    with (
        Cursor(cursor_file, ledger),
        pytest.raises(CursorTaken, match="One sink a file"),
        Cursor(cursor_file, ledger),
    ):
        pass
    delivered(ledger, cursor_file, receiver)
    assert receiver.stored == ids(ledger)


# --- signatures ---------------------------------------------------------------------------------------


def test_a_signature_is_that_of_the_specifications_own_example():
    headers = signed(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_2"}, {"webhook-timestamp": "1001"}, {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é"},
    ],
    ids=str,
)  # fmt: skip
def test_a_message_that_was_changed_is_not_the_senders(changes: dict[str, str]):
    key = key_of(SECRET)
    headers = signed(key, "msg_1", 1000, b"body")
    check(key, headers, 1000, b"body")
    check(key, {**headers, "webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}, 1000, b"body")
    with pytest.raises(BadSignature):
        check(key, {**headers, **changes}, 1000, b"body")
    with pytest.raises(BadSignature):
        check(key, headers, 1000, b"body.")
    for now in (699, 1301):
        with pytest.raises(BadSignature, match="more than 300 seconds"):
            check(key, headers, now, b"body")


def test_a_receiver_with_another_secret_is_sent_nothing_more(
    ledger: Ledger, cursor_file: str, tmp_path: Path, receiver: Faulty
):
    lived(ledger, "P-1")
    receiver.inbox = Inbox(f"{tmp_path}/other.db", f"whsec_{'A' * 32}")
    with pytest.raises(RefusedForGood, match="401 no signature of this key"):
        delivered(ledger, cursor_file, receiver)
    assert (len(receiver.came), receiver.stored) == (1, [])
    receiver.inbox.close()


def test_the_id_of_a_message_is_that_of_the_event_and_fit_for_a_header():
    one, same, other = (
        json.dumps({"source": source, "id": id, "more": more}).encode()
        for source, id, more in (("//é.\n", "1", 1), ("//é.\n", "1", 2), ("//é.", "\n1", 1))
    )
    assert message_id(one) == message_id(same) != message_id(other)
    assert message_id(one).removeprefix("msg_").isalnum()


def test_the_receiver_takes_no_other_content_and_no_other_event_under_a_known_identity(
    tmp_path: Path,
):
    inbox = Inbox(f"{tmp_path}/inbox.db", SECRET)

    def taken(body: bytes, content_type: str = "application/cloudevents+json") -> int:
        import time

        headers = signed(key_of(SECRET), "msg_1", int(time.time()), body)
        return inbox.take({**headers, "content-type": content_type}, body)[0]

    event = b'{"source":"//a","id":"1"}'
    assert [taken(event), taken(event), taken(event + b" ")] == [201, 200, 409]
    assert [taken(event, "application/json"), taken(b"x"), taken(b"[]")] == [415, 400, 400]
    inbox.close()


# --- the topic ----------------------------------------------------------------------------------------


@pytest.fixture
def topic(tmp_path: Path) -> Iterator[FileTopic]:
    opened = FileTopic(f"{tmp_path}/topic.db")
    yield opened
    opened.close()


def test_a_topic_has_every_event_and_a_participants_in_one_partition_in_order(
    ledger: Ledger, cursor_file: str, topic: FileTopic
):
    for n in range(3):
        lived(ledger, *(f"P-{n}-{m}" for m in range(4)))
        with Cursor(cursor_file, ledger) as cursor:
            to_topic(ledger, cursor, topic, page=5)
    messages = topic.messages()

    everything_arrived(ledger, [value for _, _, value, _ in messages])
    assert all(key.decode() == json.loads(value)["subject"] for _, key, value, _ in messages)
    assert len({partition for partition, *_ in messages}) > 1
    assert len({(partition, key) for partition, key, *_ in messages}) == 12
    assert [headers for *_, headers in messages] == [
        {"content-type": "application/cloudevents+json; charset=UTF-8"}
    ] * len(messages)


class Losing(FileTopic):
    """Stores what it was given and says that it did not, or the other way round."""

    fails = True
    stores = True

    def flush(self) -> None:
        if self.stores or not self.fails:
            super().flush()
        self._waiting.clear()
        if self.fails:
            raise NotDelivered("no answer")


@pytest.mark.parametrize("stores", [True, False])
def test_a_page_that_a_topic_did_not_confirm_is_sent_again(
    ledger: Ledger, cursor_file: str, tmp_path: Path, stores: bool
):
    lived(ledger, "P-1")
    topic = Losing(f"{tmp_path}/topic.db")
    topic.stores = stores
    with Cursor(cursor_file, ledger) as cursor:
        with pytest.raises(NotDelivered):
            to_topic(ledger, cursor, topic)
        assert cursor.value == ""
        topic.fails = False
        to_topic(ledger, cursor, topic)
    values = [value for _, _, value, _ in topic.messages()]

    assert Counter(values) == Counter(list(ledger.lines()) * (1 + stores))
    everything_arrived(ledger, list(dict.fromkeys(values)))
    topic.close()


def test_the_cursor_of_a_topic_is_of_one_ledger_too(
    ledger: Ledger, cursor_file: str, topic: FileTopic, tmp_path: Path
):
    lived(ledger, "P-1")
    with Cursor(cursor_file, ledger) as cursor:
        to_topic(ledger, cursor, topic)
    with (
        Ledger.open(f"memory://{tmp_path}/topic") as other,
        pytest.raises(OtherLedger),
        Cursor(cursor_file, other),
    ):
        pass


def test_without_its_driver_kafka_is_not_asked_for():
    """Whoever sends webhooks need not have it installed."""
    code = "import sys, feed_sinks.__main__; sys.exit('confluent_kafka' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment()).returncode == 0


# --- as the README has it -----------------------------------------------------------------------------


def test_sink_and_receiver_run_as_programs(url: str, ledger: Ledger, cursor_file: str, tmp_path: Path):
    lived(ledger, "P-1")
    with subprocess.Popen(
        [sys.executable, "-m", "feed_sinks.receiver", "--store", f"{tmp_path}/in.db", "--port", "0"],
        env=environment(), stdout=subprocess.PIPE, text=True,
    ) as receiving:  # fmt: skip
        to = receiving.stdout.readline().split()[-1]
        run = [sys.executable, "-m", "feed_sinks"]
        for _ in range(2):
            done = subprocess.run(
                [*run, "webhook", url, "--to", to, "--cursor", cursor_file, "--once"],
                env=environment(), capture_output=True, text=True,
            )  # fmt: skip
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        receiving.kill()
    inbox = Inbox(f"{tmp_path}/in.db", SECRET)
    everything_arrived(ledger, inbox.lines())
    inbox.close()
    done = subprocess.run(
        [*run, "topic", url, "--file", f"{tmp_path}/t.db", "--cursor", f"{cursor_file}-2", "--once"],
        env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    topic = FileTopic(f"{tmp_path}/t.db")
    everything_arrived(ledger, [value for _, _, value, _ in topic.messages()])
    topic.close()


def test_what_is_fed_is_what_is_sent(ledger: Ledger, cursor_file: str):
    """The sink takes any sender: here one that keeps what it is given."""
    lived(ledger, "P-1")
    sent: list[FedEvent] = []
    with Cursor(cursor_file, ledger) as cursor:
        to_webhook(ledger, cursor, sent.append)
    assert tuple(sent) == ledger.feed("").events
