"""The example service under load: how many requests a second, how long they take, and whether all is accounted for."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.accounts import Accounts, accounts
from tests.load.running import ROOT, ServiceProcess, on_postgres, on_sqlite, restart
from tests.servers import PostgresServer

USERS = 16
"""Twelve platforms, two payout offices, a bank, a clerk: each asks as soon as it is answered."""
AWAY = 5.0
"""Seconds for which PostgreSQL stays down."""
INTRO = """\
`examples/payment_backend`, one uvicorn process over loopback, for {seconds:.0f} seconds each: {users} clients
of [locust](https://locust.io) without a pause between an answer and the next request, on the same two cores.
They report whole lives (a tenth of the reports twice, some with other content under the same key, some that
have to be refused), run payouts, report the bank's answers, and read statements, unpaid lines and totals."""


@dataclass
class Loaded:
    """One load: locust's figures by path, and the accounts."""

    name: str
    seconds: float
    accounts: Accounts
    stats: list[dict[str, Any]]
    seed: int
    back: float | None
    """When PostgreSQL answered again, if it was away."""


def load(
    name: str, seconds: float, service: ServiceProcess, folder: Path, middle: Callable[[], float] | None = None
) -> Loaded:
    """Let locust load the service, do something in the middle, and account for everything."""
    seed = random.randrange(2**32)
    journal = folder / "journal.jsonl"
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks" / "locustfile.py")]
    # The stop timeout lets each user finish what it has asked, however often it has to ask again.
    options = f"--headless --users {USERS} --spawn-rate {USERS} --run-time {seconds:.0f}s --stop-timeout 90"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "LOAD_SEED": str(seed),
        "LOAD_JOURNAL": str(journal),
        "LOAD_BANK": str(service.instructions),
    }
    with (folder / "locust.log").open("wb") as log, (folder / "stats.json").open("wb") as stats:
        locust = subprocess.Popen(
            [*command, "--host", service.url, *options.split(), "--exit-code-on-error", "0", "--json"],
            cwd=folder,
            env=environment,
            stdout=stats,
            stderr=log,
        )
        back = None
        try:
            if middle is not None:
                time.sleep(seconds / 2)
                back = middle()
            status = locust.wait(timeout=seconds + 180)
        finally:
            locust.kill()
    assert status == 0, (folder / "locust.log").read_text()
    entries = [json.loads(line) for line in journal.read_bytes().splitlines()]
    found = accounts(entries, service.ledger, service.rows, service.instructions)
    if not service.running or "Traceback" in service.log:
        found.problems.append(f"the service failed: {service.log[-2_000:]}")
    return Loaded(name, seconds, found, json.loads((folder / "stats.json").read_bytes()), seed, back)


def on_both(seconds: float) -> list[Loaded]:
    """On SQLite, on PostgreSQL, and on one that is stopped at once in the middle and comes back."""
    loads = []
    with ExitStack() as held:
        folders = (Path(held.enter_context(tempfile.TemporaryDirectory())) for _ in range(3))
        folder = next(folders)
        with ServiceProcess(folder, *on_sqlite(folder)) as service:
            loads.append(load("SQLite", seconds, service, folder))
        server = held.enter_context(PostgresServer())
        folder = next(folders)
        with ServiceProcess(folder, *on_postgres(server)) as service:
            loads.append(load("PostgreSQL", seconds, service, folder))

        def middle() -> float:
            restart(server, AWAY)
            return time.monotonic()

        folder = next(folders)
        with ServiceProcess(folder, *on_postgres(server)) as service:
            loads.append(load("PostgreSQL, restarted", seconds, service, folder, middle))
    return loads


def percentile(times: dict[str, int], share: float) -> float:
    """Milliseconds within which that share was answered."""
    wanted, seen = share * sum(times.values()), 0
    for milliseconds, count in sorted((float(t), n) for t, n in times.items()):
        seen += count
        if seen >= wanted:
            return milliseconds
    return 0.0


def paths_of(one: Loaded) -> list[str]:
    """The rows of one load: each path, and all of them."""
    rows, total = [], Counter[str]()
    errors = requests = 0
    for stat in sorted(one.stats, key=lambda it: it["name"]):
        rows.append(_row(one, stat["name"], stat["num_requests"], stat["num_failures"], stat["response_times"]))
        total.update(stat["response_times"])
        requests, errors = requests + stat["num_requests"], errors + stat["num_failures"]
    return [*rows, _row(one, "all", requests, errors, total)]


def _row(one: Loaded, name: str, requests: int, errors: int, times: dict[str, int]) -> str:
    shares = " | ".join(f"{percentile(times, share):,.0f}" for share in (0.5, 0.95, 0.99))
    return f"| {one.name} | {name} | {requests:,} | {requests / one.seconds:,.0f} | {errors:,} | {shares} |"


ENDS = ("recorded", "recorded before", "conflict", "refused", "answered", "open")
TROUBLED = ("not taken", "unknown")


def section(loads: list[Loaded]) -> str:
    """The page's section."""
    text = ["## The service under load", "", INTRO.format(seconds=loads[0].seconds, users=USERS).replace("\n", " "), ""]
    text += ["| on | path | requests | a second | errors | p50 ms | p95 ms | p99 ms |"]
    text += ["| --- | --- | --: | --: | --: | --: | --: | --: |"]
    for one in loads:
        text += paths_of(one)
    text += ["", *_accounted(loads)]
    for one in loads:
        if one.back is not None:
            text += ["", *_restarted(one)]
    return "\n".join([*text, "", ""])


def _accounted(loads: list[Loaded]) -> list[str]:
    text = [
        "How the requests ended, and what the ledger, read directly afterwards, says to it: every answer stands at "
        "the position that was told, nothing is on record that nobody sent, the bank was told of each instruction, "
        "no rule is broken and no line has more money on it than its amount, and every row is the law's.",
        "",
        "| on | recorded | again | conflict | refused | answered | open | events | participants | paid, rupiah | problems |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for one in loads:
        made = one.accounts
        ends = " | ".join(f"{made.ends[end]:,}" for end in ENDS)
        text.append(
            f"| {one.name} | {ends} | {made.events:,} | {made.participants:,} | {made.paid:,} | {len(made.problems)} |"
        )
    return text


def _restarted(one: Loaded) -> list[str]:
    made = one.accounts
    first = made.first_again - one.back if made.first_again is not None and one.back is not None else 0.0
    text = [
        f"Restarted: stopped at once (as `pg_ctl stop -m immediate`) under load, {AWAY:.0f} seconds away, started "
        "again; the service is left alone. Errors are 503 and connections that broke. Whoever met one sent the same "
        f"again, and had an end {made.longest:.1f} seconds after asking first at the latest, the first of them "
        f"{max(first, 0):.1f} seconds after PostgreSQL was back.",
        "",
        "| what was told first | ended as | requests |",
        "| --- | --- | --: |",
    ]
    for told in TROUBLED:
        for end in ENDS:
            if made.ends[f"{told}, then {end}"]:
                text.append(f"| {told} | {end} | {made.ends[f'{told}, then {end}']:,} |")
    return text


def measured(seconds: float) -> str:
    """The section; where something is not accounted for, there is none."""
    loads = on_both(seconds)
    for one in loads:
        told = "\n".join(one.accounts.problems[:50])
        assert not one.accounts.problems, f"{one.name}, seed {one.seed}:\n{told}"
        assert not one.accounts.ends["open"], f"{one.name}, seed {one.seed}: requests without an end"
    return section(loads)
