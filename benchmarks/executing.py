"""Commands, one after another and from eight processes, beside stock `eventsourcing`, UmaDB and bare SQL."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.commands import LIFE, in_turns, july_2, life
from benchmarks.measure import Row, interleaved
from benchmarks.peers import (
    PEERS,
    Participants,
    make_bare_postgres,
    make_bare_sqlite,
    make_stock,
    save_many,
    stock_environment,
    umadb_server,
)
from prakerja_ledger import Ledger
from prakerja_ledger.interfaces import source
from prakerja_ledger.ledger.importing import Importer
from prakerja_ledger.stores import postgres_schema
from tests.servers import PostgresServer, free_port

Target = tuple[str, str]
"""Which peer, and where its store is."""


def sqlite_targets(folder: Path, held: ExitStack) -> dict[str, Target]:
    """Every peer on this disk."""
    make_bare_sqlite(str(folder / "bare.db"))
    make_stock(str(folder / "stock.db"))
    return {
        "bare sqlite3 FULL": ("bare sqlite3", str(folder / "bare.db")),
        "Ledger.execute": ("ours", f"sqlite:///{folder}/ours.db"),
        "stock eventsourcing": ("stock eventsourcing", str(folder / "stock.db")),
        "UmaDB": ("UmaDB", umadb_server(folder, free_port(), held)),
    }


def postgres_targets(server: PostgresServer, shards: tuple[int, ...]) -> dict[str, Target]:
    """Every peer on one server, each in a database of its own."""
    bare, stock = (server.url(server.new_database()) for _ in range(2))
    make_bare_postgres(bare)
    make_stock(stock)
    targets = {"bare psycopg": ("bare psycopg", bare)}
    for count in shards:
        url = f"{server.url(server.new_database())}?shards={count}"
        postgres_schema.apply(url)
        targets[f"Ledger.execute, {count} shard{'s' * (count > 1)}"] = ("ours", url)
    return {**targets, "stock eventsourcing": ("stock eventsourcing", stock)}


def one_client(targets: Mapping[str, Target], lives: int, runs: int, *, a_call: int = 1) -> list[Row]:
    """One client: so many lives a run, one command a call or a whole life."""
    with ExitStack() as held:
        others = a_call * 10_000_000  # lives of another measurement on the same stores
        starts = {name: others for name in targets}
        subjects: dict[str, Callable[[], int]] = {}
        for name, (peer, where) in targets.items():
            do = PEERS[peer](where, held)
            for n in range(3):  # warm
                for command in life(others + 9_000_000 + n):
                    do([command])

            def run(name: str = name, do: Any = do) -> int:
                first = starts[name] = starts[name] + lives
                if a_call == 1:
                    for command in in_turns(first, lives):
                        do([command])
                else:
                    for n in range(first, first + lives):
                        do(life(n))
                return lives * LIFE

            subjects[name] = run
        return interleaved(subjects, runs)


def _client(peer: str, where: str, first: int, lives: int, barrier: Any) -> None:
    with ExitStack() as held:
        do = PEERS[peer](where, held)
        commands = list(in_turns(first, lives))
        for command in life(first + 5_000_000):
            do([command])
        barrier.wait()
        for command in commands:
            do([command])
        barrier.wait()


def many_clients(targets: Mapping[str, Target], lives: int, runs: int, clients: int = 8) -> list[Row]:
    """Several processes at once, each with lives of its own; from the first command to the last."""
    spawn = multiprocessing.get_context("spawn")
    rows = {name: Row(name, 0, []) for name in targets}
    for run in range(runs):
        for name, (peer, where) in targets.items():
            barrier = spawn.Barrier(clients + 1)
            processes = [
                spawn.Process(
                    target=_client,
                    args=(peer, where, (run * clients + n) * lives + 1_000_000, lives, barrier),
                )
                for n in range(clients)
            ]
            for process in processes:
                process.start()
            barrier.wait(60)
            began = time.perf_counter()
            barrier.wait(600)
            rows[name].seconds.append(time.perf_counter() - began)
            rows[name].count = clients * lives * LIFE
            for process in processes:
                process.join()
    return list(rows.values())


def processor(lives: int, runs: int) -> list[tuple[str, list[float]]]:
    """Microseconds of this process's own time for a command, with nothing written anywhere."""
    kinds: dict[str, list[float]] = {}
    for run in range(runs):
        with Ledger.open("memory://", clock=july_2) as ledger:
            spent: dict[str, tuple[float, int]] = {}
            for command in [*in_turns(run * lives, lives)]:
                began = time.process_time_ns()
                ledger.execute(command)
                took = time.process_time_ns() - began
                for kind in ("all", type(command).__name__):
                    total, count = spent.get(kind, (0.0, 0))
                    spent[kind] = total + took, count + 1
        for kind, (total, count) in spent.items():
            kinds.setdefault(kind, []).append(total / count / 1000)
    return list(kinds.items())


def bulk(server: PostgresServer, path: Path, runs: int) -> list[Row]:
    """A history into an empty ledger, beside bare COPY and stock saves of a thousand aggregates."""
    lines = path.read_bytes().splitlines()
    return interleaved(
        {
            "bare COPY, one transaction": lambda: _bare_copy(server, lines),
            "import": lambda: _our_import(server, path),
            "stock eventsourcing, 100 aggregates a save": lambda: _stock_save(server, lines),
        },
        runs,
    )


def _bare_copy(server: PostgresServer, lines: list[bytes]) -> int:
    import psycopg

    url = server.url(server.new_database())
    make_bare_postgres(url)
    versions: dict[str, int] = {}
    with psycopg.connect(url) as database, database.cursor() as cursor:
        columns = "participant, seq, type, at, data"
        with cursor.copy(f"COPY bare ({columns}) FROM STDIN") as copying:
            for line in lines:
                given = json.loads(line)
                who = given["subject"]
                versions[who] = seq = versions.get(who, 0) + 1
                data = json.dumps(given["data"])
                copying.write_row((who, seq, given["type"], given["time"], data))
    return len(lines)


def _our_import(server: PostgresServer, path: Path) -> int:
    url = server.url(server.new_database())
    postgres_schema.apply(url)
    with Ledger.open(url) as ledger, source.without_collection():
        return sum(1 for _ in Importer(ledger).outcomes(source.numbered(str(path))))


def _stock_save(server: PostgresServer, lines: list[bytes]) -> int:
    with ExitStack() as held:
        app = Participants(env=stock_environment(server.url(server.new_database())))
        held.callback(app.close)
        save_many(app, lines, 100)
    return len(lines)
