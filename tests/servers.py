"""A private PostgreSQL and a private PgBouncer for the tests: real ones, each in a folder of its own.

A server has a keeper: a small process that starts it, and that stops it and removes the folder as
soon as it is told to or whoever asked for it is gone. Tests are interrupted, time out and are
killed; cleaning up only in the test process would leave a cluster behind each time.
"""

from __future__ import annotations

import os
import pwd
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

INSTALL = "scripts/install_servers.sh"
PATIENCE = 60.0
"""Seconds a server may take to answer: recovery after a crash on a busy machine included."""

# The server is the keeper's own child, so the keeper cannot miss it or mistake another for it. An
# end of file is the death of the owner, whatever the cause; the kernel needs no cooperation for it.
# What is under way then is finished first: initdb leaves a megabyte in /dev/shm when it is killed.
KEEPER = """
folder=$1 goodbye=$2
trap '' PIPE # answering an owner who is gone must not end the keeper too
while read -r order; do eval "$order"; done
# Said until it is heard: a server that has only just begun does not listen to signals yet.
tries=0
while [ -n "$server" ] && kill -s "$goodbye" "$server" && kill -s CONT "$server"; do
    tries=$((tries + 1))
    [ "$tries" -lt 500 ] || goodbye=KILL
    sleep 0.02
done
# A server that was killed leaves its one System V segment, and no folder to find it by.
set -- $(sed -n 7p "$folder/data/postmaster.pid")
[ -z "$2" ] || ipcrm -m "$2"
# Repeated: where a test has killed the postmaster alone, the others may be writing their last.
for attempt in 1 2 3 4 5 6 7 8 9; do
    rm -rf "$folder" && break
    sleep 0.1
done
"""


class MissingProgram(Exception):
    """A program of the servers is not installed; the text says how to get it."""


class ServerFailed(Exception):
    """A server did not come up; the text ends with its log."""


def program(name: str) -> str:
    """The path of a program; /usr/sbin is searched too, which few users' PATH has."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise MissingProgram(f"{name} is not installed: run {INSTALL}")
    return found


def postgres_programs() -> Path:
    """The folder of the newest PostgreSQL, 15 or later, in Debian's place or in PATH."""
    folders = {path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")}
    with suppress(MissingProgram):
        folders.add(Path(program("initdb")).parent)
    found = [(_version(folder), folder) for folder in folders if (folder / "postgres").exists()]
    newest = max(found, default=(0, Path()))
    if newest[0] < 15:
        raise MissingProgram(f"PostgreSQL 15 or later is not installed: run {INSTALL}")
    return newest[1]


def _version(folder: Path) -> int:
    told = subprocess.run([folder / "initdb", "--version"], capture_output=True, text=True)
    number = re.search(r"\d+", told.stdout)
    return int(number.group()) if number else 0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, below those the kernel hands to clients.

    A client that retries while the server is down could otherwise be given the server's own port to
    call from. TCP then connects it to itself, and the server finds its port taken.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as candidate, suppress(OSError):
            candidate.bind(("127.0.0.1", port))
            return port


def memory() -> Path | None:
    """Linux's folder in memory where there is room for databases in it, as a container may not have."""
    folder = Path("/dev/shm")
    roomy = folder.is_dir() and shutil.disk_usage(folder).free >= 4 << 30
    return folder if roomy else None


def unprivileged_user() -> pwd.struct_passwd | None:
    """Whom the servers run as, for both refuse to run as root; None is "as we are"."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def as_user(death: str, *command: str | Path) -> str:
    """A line for the shell: the command, under a user that the servers accept, into the log.

    The kernel sends it the signal `death` when the keeper dies, who else would have sent it.
    """
    user = unprivileged_user()
    whom = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
    line = [program("setpriv"), *whom, "--pdeathsig", death, "--", *map(str, command)]
    return f'{shlex.join(line)} </dev/null >>"$folder/log" 2>&1'


def state_of(pid: int) -> str:
    """The state letter of a process as Linux names it; "" once it is gone, or dead and not yet reaped."""
    try:
        letter = _stat(pid)[0]
    except OSError:
        return ""
    return "" if letter in "ZX" else letter


def children_of(pid: int) -> list[int]:
    found = []
    for other in (int(path.name) for path in Path("/proc").glob("[0-9]*")):
        with suppress(OSError):
            if int(_stat(other)[1]) == pid:
                found.append(other)
    return found


def _stat(pid: int) -> list[str]:
    """The fields after the process's name, which may hold spaces and brackets itself."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def wait_until(true: Any, problem: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{problem} after {seconds:g} seconds")
        time.sleep(0.005)


def connect(url: str) -> Any:
    """A connection where each statement stands for itself, in a database that may be an admin console."""
    import psycopg  # here: tests that need no server run without it

    return psycopg.connect(url, autocommit=True, connect_timeout=10, prepare_threshold=None)


class Server:
    """What the two have in common: a folder, a port, a keeper, and the ways to end."""

    name: ClassVar[str]
    goodbye: ClassVar[str]
    """The signal on which the server leaves at once, waits for no client, and clears up."""

    folder: Path
    pid = 0

    def __init__(self, inside: Path | None = None) -> None:
        self.port = free_port()
        self.inside = inside
        self._keeper: subprocess.Popen[str] | None = None

    def command(self) -> list[str | Path]:
        """What runs the server in the foreground, in the folder."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Fill the folder with what the command needs."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether clients are served."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, at another port where somebody has taken this one since it was free."""
        for _ in range(2):
            try:
                return self._start()
            except ServerFailed as error:
                if "Address already in use" not in str(error):
                    raise
                self.port = free_port()
        return self._start()

    def _start(self) -> None:
        """Make the folder, start the server in it, and return when it answers."""
        self.folder = Path(tempfile.mkdtemp(prefix=f"prakerja-{self.name}-", dir=self.inside))
        # The keeper comes first: from here on nothing can be left behind.
        self._keeper = self._keep()
        try:
            if user := unprivileged_user():
                os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.prepare()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server, its processes and its folder. A second stop does nothing."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            # Said, and not only hung up: a process that a test has forked may hold the pipe open.
            keeper.communicate("break\n", timeout=PATIENCE)

    def kill(self) -> None:
        """SIGKILL to every process of the server at once, as in a crash; the folder stays."""
        # Halted first. A postmaster that sees one backend die would restart the others; and one
        # that dies first leaves backends that finish what they were at.
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(lambda: state_of(self.pid) in ("T", "t", ""), f"{self.name} has not halted")
        everyone = [self.pid, *children_of(self.pid)]
        for pid in everyone:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(state_of, everyone)), f"{self.name} has not died")

    def restart(self) -> None:
        """Start again after `kill`, in the same folder and at the same port."""
        assert not self.running, "restart is for a server that was killed"
        self._launch()

    @property
    def running(self) -> bool:
        return bool(self.pid and state_of(self.pid))

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def url(self, dbname: str = "postgres", user: str = "postgres", port: int | None = None) -> str:
        """The address for clients; another port is for a test's own proxy in between."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{dbname}"

    def psql(self, sql: str, *parameters: Any, dbname: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of one statement, on a connection of its own; [] where it returns none."""
        with connect(self.url(dbname)) as connection:
            cursor = connection.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def _keep(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", str(self.folder), self.goodbye],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd="/",
            # PGDATA, PGPORT and the like are about another server.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            # Ctrl-C is for the tests; a server that gets it too is gone before they have finished.
            start_new_session=True,
        )

    def _order(self, line: str) -> int:
        """The number with which the keeper answers a line of shell."""
        assert self._keeper is not None, "the server was not started, or is stopped"
        print(line, file=self._keeper.stdin, flush=True)
        return int(self._keeper.stdout.readline())

    def _launch(self) -> None:
        command = as_user(self.goodbye, *self.command())
        self.pid = self._order(f"{command} & server=$!; echo $server")
        wait_until(lambda: not self.running or self.answers(), f"{self.name} does not answer")
        if not self.running:
            raise ServerFailed(f"{self.name} did not start:\n{self.log}")


class PostgresServer(Server):
    """A cluster as a careful operator would run it: what is committed has reached the disk.

    Nothing is set about durability, so PostgreSQL's own defaults hold: `fsync`,
    `synchronous_commit` and `full_page_writes` are on. A test of what a crash leaves proves nothing
    on a server that was told to be careless. `inside` is where the folder is made: a file system
    that a test wants to misbehave; the default is the system's place for temporary files.
    """

    name = "postgres"
    goodbye = "QUIT"

    def __init__(self, inside: Path | None = None) -> None:
        super().__init__(inside)
        self.programs = postgres_programs()
        self._databases = 0

    def command(self) -> list[str | Path]:
        return [self.programs / "postgres", "-D", self.folder / "data"]

    def prepare(self) -> None:
        data = self.folder / "data"
        # Unsynced, which saves a third of the start: an empty cluster is lost only when the machine
        # goes down, and the test with it.
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        command = as_user("TERM", self.programs / "initdb", "-D", data, *options)
        if self._order(f"{command}; echo $?") != 0:
            raise ServerFailed(f"initdb failed:\n{self.log}")
        # In the file: the command line would overrule a test's ALTER SYSTEM.
        with (data / "postgresql.conf").open("a") as conf:
            conf.write(self.settings())

    def settings(self) -> str:
        return f"""
listen_addresses = '127.0.0.1'
port = {self.port}
unix_socket_directories = ''
max_connections = 100
# in the folder, and gone with it: a server that is killed leaves what it had in /dev/shm
dynamic_shared_memory_type = mmap
log_line_prefix = '%m [%p] %q%u@%d '
"""

    def answers(self) -> bool:
        # By the server's own word: whoever answers at the port may be another server.
        path = self.folder / "data" / "postmaster.pid"
        told: list[str] = []
        with suppress(FileNotFoundError):  # not there yet, or just gone
            told = path.read_text().splitlines()
        return told[:1] == [str(self.pid)] and told[7:] == ["ready   "]

    def new_database(self) -> str:
        """The name of a new and empty database."""
        self._databases += 1
        name = f"test_{self._databases}"
        # Through the log, page by page: a copy of the files would cost two checkpoints.
        self.psql(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY wal_log")
        return name

    def drop_database(self, name: str) -> None:
        """Drop it under whoever is still connected."""
        self.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class PgBouncer(Server):
    """A PgBouncer before one server, for every role and database that the server has."""

    name = "pgbouncer"
    goodbye = "TERM"

    def __init__(self, server: PostgresServer, pool_mode: str = "transaction") -> None:
        super().__init__()
        self.server = server
        self.pool_mode = pool_mode
        self.program = program("pgbouncer")

    def command(self) -> list[str | Path]:
        return [self.program, self.folder / "pgbouncer.ini"]

    def prepare(self) -> None:
        written = {"users": '"postgres" ""\n', "pgbouncer.ini": self.settings()}
        for name, text in written.items():
            path = self.folder / name
            path.write_text(text)
            path.chmod(0o644)  # whatever root's umask: it is another user who reads them

    def settings(self) -> str:
        return f"""
[databases]
* = host=127.0.0.1 port={self.server.port} auth_user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.folder}/users
admin_users = postgres
pool_mode = {self.pool_mode}
default_pool_size = 20
max_client_conn = 200
ignore_startup_parameters = extra_float_digits,options
; after a server's crash: the default lets clients wait for 15 seconds
server_login_retry = 0.2
"""

    def answers(self) -> bool:
        return f"[{self.pid}] LOG process up" in self.log


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One cluster for the session, or for each worker of it."""
    # In memory if it may be: a database is 300 files, which take a busy disk 150 to 250 ms a test
    # and memory 25. All is asked of the kernel as before, and a process that is killed leaves the
    # same behind. What differs is a machine without power, and no test goes as far as that.
    with _or_fail(PostgresServer, memory()) as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    """A PgBouncer in transaction mode before that cluster."""
    with _or_fail(PgBouncer, postgres_server) as bouncer:
        yield bouncer


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty database that is this test's own."""
    # A test that has killed the server and then failed must not fail all that come after it.
    if not postgres_server.running:
        postgres_server.restart()
    name = postgres_server.new_database()
    yield postgres_server.url(name)
    if postgres_server.running:
        postgres_server.drop_database(name)


@pytest.fixture
def pgbouncer_url(database_url: str, pgbouncer: PgBouncer) -> str:
    """The same database, reached through PgBouncer."""
    return pgbouncer.url(database_url.rpartition("/")[2])


def _or_fail(kind: type[Server], *arguments: Any) -> Any:
    """A server not yet started. Without its program the test fails: a skip would look like a pass."""
    try:
        return kind(*arguments)
    except MissingProgram as missing:
        pytest.fail(str(missing), pytrace=False)
