"""locust's users: the callers of `tests.load`, as many of each as the load wants.

locust and not wrk: what is sent depends on what was answered, and the same is sent again until its end
is known. wrk is quicker and could only repeat itself; here the service is slower than its client.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, constant, task

from tests.load.callers import AN_OUTCOME_LATER, TOKEN, Answer, Ask, Caller, Driver, bank, clerk, payout_office, platform

NUMBERS = itertools.count()
RNG = random.Random(int(os.environ["LOAD_SEED"]))
JOURNAL = Path(os.environ["LOAD_JOURNAL"]).open("w")  # greenlets of one thread write whole lines


class Calling(FastHttpUser):
    """A user that lets a caller say what to ask; one task is one thing asked, to its end."""

    abstract = True
    wait_time = constant(0)
    connection_timeout = network_timeout = 30.0

    def caller(self, name: str, rng: random.Random) -> Caller:
        raise NotImplementedError

    def on_start(self) -> None:
        caller = self.caller(f"U{next(NUMBERS)}", random.Random(RNG.random()))
        self.driver = Driver(caller, self.send, self.write, gevent.sleep, time.monotonic)

    @task
    def one(self) -> None:
        self.driver.step()

    def write(self, entry: dict[str, Any]) -> None:
        JOURNAL.write(json.dumps(entry) + "\n")
        JOURNAL.flush()

    def send(self, ask: Ask) -> Answer:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        if ask.key:
            headers["Idempotency-Key"] = ask.key
        query = "&".join(f"{name}={value}" for name, value in ask.query.items())
        given: dict[str, Any] = {} if ask.body is None else {"json": ask.body}
        path = f"{ask.path}?{query}" if query else ask.path
        with self.client.request(
            ask.method, path, name=ask.name, headers=headers, catch_response=True, **given
        ) as response:
            # An error is what tells nothing: a refusal is an answer, and the accounts say if it is the right one.
            status = response.status_code
            if status in AN_OUTCOME_LATER or status >= 500:
                response.failure(str(status))
            else:
                response.success()
            return Answer(status, response.json() if status else None)


class Platforms(Calling):
    weight = 12

    def caller(self, name: str, rng: random.Random) -> Caller:
        return platform(name, rng)


class Banks(Calling):
    fixed_count = 1

    def caller(self, name: str, rng: random.Random) -> Caller:
        return bank(Path(os.environ["LOAD_BANK"]), rng)


class PayoutOffices(Calling):
    fixed_count = 2

    def caller(self, name: str, rng: random.Random) -> Caller:
        return payout_office(name)


class Clerks(Calling):
    fixed_count = 1

    def caller(self, name: str, rng: random.Random) -> Caller:
        return clerk(rng)
