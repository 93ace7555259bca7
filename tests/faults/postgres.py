"""Faults on PostgreSQL: between the service and its server, at the server, and of the service itself.

A process has one server (and one PgBouncer, where it is asked for), each run a database of its own.
The seed chooses the ledger too: one shard or three, with functions or without.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import psycopg
from attrs import frozen

from prakerja_ledger.stores.postgres_schema import apply
from tests import servers
from tests.faults import kill, pool, postgres_power, proxy
from tests.faults.injection import injecting
from tests.faults.instrument import Faulty, Worker, worker
from tests.faults.proxy import Plan, Proxy

FORMS: Final[Mapping[str, Mapping[str, str]]] = {
    "network": proxy.COMMITS | proxy.BEGINNINGS,
    "pooler": {
        "cut before it, stored": "a proxy before PgBouncer swallows the answer to a commit, and cuts",
        "cut behind it, stored": "a proxy behind PgBouncer swallows the answer to a commit, and cuts",
        "cut behind it, not stored": "a proxy behind PgBouncer cuts before it sends the commit on",
        "killed": "kill -9 of PgBouncer at a random moment, and another start",
    },
    "kill": {
        "before it is sent": "the service is killed as it sends a commit, which goes no further",
        "before it is acknowledged": "the service is killed when the server has committed",
        "at any moment": "the service is killed at a random moment",
    },
    "backend": proxy.ENDINGS | {"as it asks the disk": "kill -9 of it as it syncs the log"},
    "server": {
        "at any moment": "kill -9 of all its processes at a random moment, and another start",
    },
    "fsync error": {
        "of the log": "the sync of the log fails with all written: the server panics and recovers",
    },
    "disk full": {
        "of the log": "a write to the log finds no room: the server panics and recovers",
        "of the tables": "a table or an index that grows finds no room",
    },
    "power cut": postgres_power.FORMS,
    "pool": {
        "lock held": pool.FORMS["lock held"],
        "too few connections": pool.FORMS["too few connections"],
        "server full": "its connections end, and others have taken all that the server allows, for a while",
    },
}
PATIENCE_SECONDS: Final = 90
OPTIONS: Final = "answer_timeout=1&pool_timeout=1"


class SmallServer(servers.PostgresServer):
    """As an operator would run it, but for few connections and little log."""

    def settings(self) -> str:
        return f"{super().settings()}\nmax_connections = 40\nmax_wal_size = 64MB\n"


class Site:
    """The servers of this process, in memory where nothing else is said."""

    def __init__(self, inside: Path | None) -> None:
        self._stack = contextlib.ExitStack()
        self.server = self._stack.enter_context(SmallServer(inside))
        atexit.register(self._stack.close)

    @cached_property
    def pooler(self) -> servers.PgBouncer:
        return self._stack.enter_context(servers.PgBouncer(self.server))

    @cached_property
    def behind(self) -> Proxy:
        """Between another PgBouncer and the server."""
        return self._stack.enter_context(Proxy(self.server.port))

    @cached_property
    def pooler_before_proxy(self) -> servers.PgBouncer:
        return self._stack.enter_context(servers.PgBouncer(self.behind))

    def mended(self) -> None:
        """Start what is down, and wait until it answers."""
        if not self.server.running:
            self.server.restart()
        servers.wait_until(self._answers, "the server does not answer")

    def _answers(self) -> bool:
        try:
            self.server.psql("SELECT 1")
        except psycopg.Error:
            return False
        return True


@cache
def site() -> Site:
    """Started when it is first asked for."""
    return Site(servers.memory())


@frozen(kw_only=True)
class OnServer(Faulty):
    """A run in a database of its own."""

    name: str
    shards: int
    functions: str

    @property
    def server(self) -> servers.PostgresServer:
        return site().server

    @property
    def url(self) -> str:
        return self.through(self.server.port)

    def through(self, port: int) -> str:
        """The ledger's URL by way of another port."""
        chosen = f"shards={self.shards}&functions={self.functions}"
        return f"{self.server.url(self.name, port=port)}?{OPTIONS}&{chosen}"

    @property
    def patience(self) -> float:
        return PATIENCE_SECONDS

    @property
    def clients(self) -> int:
        return random.Random(f"clients {self.seed}").randint(1, 3)

    @property
    def chosen(self) -> dict[str, Any]:
        copy_from = random.Random(f"copy {self.seed}").choice((0, 0, 2))
        return {"pause": 0.1, "copy_from": copy_from}

    def rng(self) -> random.Random:
        return random.Random(f"{self.instrument} {self.seed}")

    def mended(self) -> None:
        site().mended()


@contextlib.contextmanager
def database(*, seed: int, **given: Any) -> Iterator[OnServer]:
    """A new ledger, of a kind that the seed chooses; gone after the run."""
    rng = random.Random(f"ledger {seed}")
    site().mended()
    name = site().server.new_database()
    shards, functions = rng.choice((1, 3)), rng.choice(("yes", "yes", "yes", "no"))
    faulty = OnServer(seed=seed, name=name, shards=shards, functions=functions, **given)
    try:
        apply(faulty.url)
        yield faulty
    finally:
        try:
            site().mended()
            site().server.drop_database(name)
        except Exception:
            site.cache_clear()  # a server that does not come up again must not fail later runs
            raise


# --- between them -----------------------------------------------------------------------------------


def _plan(form: str, rng: random.Random) -> Plan:
    """Silence takes a second each time: it comes more seldom."""
    silent = "answer" in form
    return Plan(
        form=form,
        first=rng.randint(1, 10),
        every=rng.randint(8, 16) if silent else rng.randint(2, 8),
        late=rng.uniform(0, 1.2) if silent else rng.choice((0, rng.uniform(0, 0.002))),
    )


def _network(faulty: OnServer) -> bool:
    plan = _plan(faulty.form, faulty.rng())
    with Proxy(faulty.server.port, plan) as between:
        worker(faulty, url=faulty.through(between.port)).wait()
    return plan.struck > 0


def _pooler(faulty: OnServer) -> bool:
    rng = faulty.rng()
    if faulty.form == "killed":
        return _pooler_killed(faulty, rng)
    place, _, form = faulty.form.partition(", ")
    plan = _plan(form, rng)
    if place == "cut before it":
        with Proxy(site().pooler.port, plan) as between:
            worker(faulty, url=faulty.through(between.port)).wait()
    else:
        port = site().pooler_before_proxy.port
        site().behind.plan = plan
        worker(faulty, url=faulty.through(port)).wait()
        site().behind.plan = Plan()
    return plan.struck > 0


def _pooler_killed(faulty: OnServer, rng: random.Random) -> bool:
    bouncer = site().pooler
    process = worker(faulty, url=faulty.through(bouncer.port))
    _down_for_a_while(bouncer, process, faulty, rng)
    return True


def _down_for_a_while(
    server: servers.Server, process: Worker, faulty: Faulty, rng: random.Random
) -> None:
    """Killed and started again while the service works."""
    kill.wait_for_a_moment(process, faulty, rng)
    server.kill()
    time.sleep(rng.uniform(0, 0.2))
    server.restart()
    process.wait()


# --- the service, a backend, the server ---------------------------------------------------------------

_KILLED_AT: Final = {"before it is sent": "not stored", "before it is acknowledged": "stored"}


def _kill(faulty: OnServer) -> bool:
    rng = faulty.rng()
    if faulty.form == "at any moment":
        kill.kill(worker(faulty), faulty, rng)
        return True
    plan = Plan(form=_KILLED_AT[faulty.form], first=rng.randint(1, 20))
    with Proxy(faulty.server.port, plan) as between:
        process = worker(faulty, url=faulty.through(between.port))
        plan.at_strike = lambda _: process.kill()
        process.wait()
    return plan.struck > 0


def _backend(faulty: OnServer) -> bool:
    rng = faulty.rng()
    if faulty.form == "as it asks the disk":
        with _attached(faulty, f"fdatasync:signal=KILL:when={rng.randint(2, 12)}"):
            worker(faulty).wait()
        return True
    plan = _plan(faulty.form, rng)
    # What pg_terminate_backend does, without its way to the server.
    plan.at_strike = lambda backend: backend and os.kill(backend, signal.SIGTERM)
    with Proxy(faulty.server.port, plan) as between:
        worker(faulty, url=faulty.through(between.port)).wait()
    return plan.struck > 0


def _server(faulty: OnServer) -> bool:
    _down_for_a_while(faulty.server, worker(faulty), faulty, faulty.rng())
    return True


# --- the server's disk ----------------------------------------------------------------------------


def _disk(faulty: OnServer) -> None:
    rng = faulty.rng()
    once = f"when={rng.randint(4, 14)}"  # counted for each process that it starts
    injected = {
        ("fsync error", "of the log"): f"fdatasync:error=EIO:{once}",
        ("disk full", "of the log"): f"pwrite64:error=ENOSPC:{once}",
        ("disk full", "of the tables"): f"pwrite64:error=ENOSPC:when=1+{rng.randint(2, 4)}",
    }[faulty.instrument, faulty.form]
    files = _tables(faulty) if faulty.form == "of the tables" else _log(faulty)
    with _attached(faulty, injected, *files):
        worker(faulty).wait()


def _log(faulty: OnServer) -> list[Path]:
    """The segment that is being written, and those after it."""
    rows = faulty.server.psql(
        "SELECT pg_walfile_name(pg_current_wal_lsn() + n * (16 << 20)) "
        "FROM generate_series(0, 3) AS n"
    )
    return [faulty.server.folder / "data" / "pg_wal" / name for (name,) in rows]


def _tables(faulty: OnServer) -> list[Path]:
    """The events and their indexes."""
    rows = faulty.server.psql(
        "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relname LIKE 'stored_events%%' "
        "AND relkind IN ('r', 'i')",
        dbname=faulty.name,
    )
    return [faulty.server.folder / "data" / path for (path,) in rows]


@contextlib.contextmanager
def _attached(faulty: OnServer, injected: str, *files: Path) -> Iterator[None]:
    """A fault in the system calls of every process that the server starts from now on."""
    command = injecting(injected, faulty.folder / "strace.txt", running=True)
    named = [part for file in files for part in ("-P", str(file))]
    postmaster = faulty.server.pid
    with (faulty.folder / "strace-said.txt").open("ab") as said:
        process = subprocess.Popen(
            [*command, *named, "-p", str(postmaster)], stdout=said, stderr=said
        )
    try:
        servers.wait_until(
            lambda: process.poll() is not None or _tracer_of(postmaster) == process.pid,
            "strace is not attached",
        )
        assert process.poll() is None, (faulty.folder / "strace-said.txt").read_text()
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _tracer_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "TracerPid":
            return int(value)
    return 0


def _power(faulty: OnServer) -> bool:
    return postgres_power.run(faulty)


# --- too little of something ----------------------------------------------------------------------


def _pool(faulty: OnServer) -> bool | None:
    if faulty.form == "too few connections":
        worker(faulty, clients=8, calls=8, connections=2).wait()
        return None
    hold = {"lock held": _hold_heads, "server full": _hold_connections}[faulty.form]
    process = worker(faulty, lock_timeout=pool.LOCK_TIMEOUT)
    holder = threading.Thread(target=hold, args=(faulty, process))
    holder.start()
    try:
        process.wait()
    finally:
        holder.join()
    return None


def _lasts(process: Worker, seconds: float) -> bool:
    """Whether the service still works after so long."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is None


def _hold_heads(faulty: OnServer, process: Worker) -> None:
    """The heads are taken and kept again and again, now briefly and now for too long."""
    rng = faulty.rng()
    with servers.connect(faulty.server.url(faulty.name)) as other:
        while _lasts(process, rng.uniform(0, 0.06)):
            with other.transaction():
                other.execute("SELECT FROM prakerja_ledger.heads FOR UPDATE")
                _lasts(process, pool.LOCK_TIMEOUT * rng.choice((0.2, 2, 4)))


def _hold_connections(faulty: OnServer, process: Worker) -> None:
    """As many as there are, for a while; those of the service end first."""
    rng = faulty.rng()
    while _lasts(process, rng.uniform(0.02, 0.2)):
        with contextlib.ExitStack() as held:
            first = held.enter_context(servers.connect(faulty.server.url()))
            for ended in (False, True):
                with contextlib.suppress(psycopg.OperationalError):
                    while True:
                        held.enter_context(servers.connect(faulty.server.url()))
                if not ended:
                    first.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                        (faulty.name,),
                    )
            _lasts(process, rng.uniform(0, 2))


RUN: Final[Mapping[str, Callable[[OnServer], bool | None]]] = {
    "network": _network,
    "pooler": _pooler,
    "kill": _kill,
    "backend": _backend,
    "server": _server,
    "fsync error": _disk,
    "disk full": _disk,
    "power cut": _power,
    "pool": _pool,
}
assert RUN.keys() == FORMS.keys()
