"""The page on faults: `python -m tests.faults.page --sqlite FILE --postgresql FILE --stock FILE --output PAGE`.

The files are what `python -m tests.faults` and `python -m tests.faults.stock` wrote.
"""

from __future__ import annotations

import argparse
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests import servers

PAGE = """\
# Faults

What was broken on purpose, and what was left. Measured {day} by `make soak`, which measures again and
rewrites this page: {versions}.

## A run

A payment service (one to eight clients on one ledger, threads of one process) enrols participants, tells
their lives, and instructs, settles, fails, returns and retries transfers, now by `execute`, now by
`record`, alone or several together. Every client writes down what it is about to ask and what came of it,
in a file that no fault reaches. A second connection reads on from the last position it saw. Meanwhile one
instrument strikes, at a moment that the seed chooses. What is unknown is resolved, what failed is sent
again under the same identity, or not. Then the service is started once more without faults: it resolves
what its first life left open, and works on. On PostgreSQL the seed also chooses one shard or three,
functions or none, and rows by COPY.

Then the notes are laid beside the ledger, opened anew:

- **lost**: acknowledged, and not stored at its position with its content;
- **doubled**: stored twice, or stored though nobody sent it or its caller was told that it was refused;
- **gaps**: a position or number is missing, or the reader that followed missed, repeated or reordered one;
- **double payments**: at some prefix of the log a line has two transfers under way, or more than its amount;
- **wrong resolves**: `resolve` answered one thing, and the ledger holds the other;
- **other**: an error that is not one of the package's, a hang, an order other than that of acknowledgement,
  a line that the rules of a history refuse, a failed integrity check of SQLite's, or a second sending of everything
  that adds anything.

*Struck* counts the runs in which the fault was met. *Unknown* counts calls whose caller was told that the
outcome is not known, or died before it was told; *stored* and *not stored* are what they then turned
out to be. *Refused by the store* counts calls answered with "nothing was recorded".

## How it is broken

| instrument | how |
| --- | --- |
| kill | `kill -9` of the service: by strace at a system call, by the proxy at a commit, or at any moment |
| network | a proxy that reads PostgreSQL's protocol and strikes at the message that commits, or that begins a turn |
| pooler | the same proxy before or behind PgBouncer in transaction mode; `kill -9` of PgBouncer |
| backend, server | SIGTERM or `kill -9` of the writer's process; `kill -9` of all of the server at once, then its recovery |
| disk full, fsync error | strace answers system calls with ENOSPC or EIO, in SQLite's process or the server's |
| power cut | a file system in memory (FUSE) that keeps on its platter what was synced; all else is gone, or torn by sectors. On PostgreSQL the log lies there |
| clock | the ledger's clock jumps by hours to years, or stands beside midnight in Jakarta |
| pool | too few connections; a lock, or every connection of the server, in other hands |

## SQLite

{sqlite}
## PostgreSQL

{postgresql}
## Stock `eventsourcing` beside it

The same questions put to the library's own recorders as they come, and to a ledger; both answers from one
run, each on the same server, pooler and disk.

{stock}
Not all of these are faults of the library: its database functions are off unless they are asked for, how
a transaction begins may be decided by who opens it, and the identities of events are left to the
application.

## What is not tried

- **A PostgreSQL data directory wholly on the disk that loses power.** Acknowledged facts rest on the log, so
  the log lies there, and its tables on a disk that forgets nothing. That PostgreSQL repairs torn tables
  from its log is its own promise, tested by its own suite.
- **A file system for PostgreSQL that is really full.** strace answers as one would, at the log and at the
  tables; how an operator makes room is another matter.
- **Reordered blocks of a device** (dm-log-writes), **delayed packets** (netem): not in the kernels that this
  is run on. The proxy delays and drops whole messages.
- **A failover to a standby.** One server, its disk and its recovery are tested; that a standby has what was
  acknowledged needs `synchronous_standby_names`, which `doctor` asks for.
- **A disk that lies about a sync and is never caught**: no software above it can tell.

## Again

```sh
python -m tests.faults --store sqlite --runs 1000 --seed 1
python -m tests.faults --store postgresql --only 'network: no answer, late' --runs 20
python -m tests.faults.stock
```

A broken promise is printed with the line that repeats its run: same seed, same choices, same moment of the
fault; what the threads do to each other may differ, so say `--runs 20` where it does not come at once.
`tests/test_faults.py` makes every one of these runs once, shorter and with a new seed, each time the tests are
run. Root is needed to attach strace to a server of another user and to mount.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("sqlite", "postgresql", "stock", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    asked = parser.parse_args()
    tables = {name: getattr(asked, name).read_text() for name in ("sqlite", "postgresql", "stock")}
    day = datetime.now(UTC).date()
    asked.output.write_text(PAGE.format(day=day, versions=_versions(), **tables))


def _versions() -> str:
    told = subprocess.run(
        [servers.postgres_programs() / "postgres", "--version"], capture_output=True, text=True
    )
    number = re.search(r"[\d.]+", told.stdout)
    return (
        f"Linux, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"PostgreSQL {number.group() if number else '?'}, eventsourcing {version('eventsourcing')}"
    )


if __name__ == "__main__":
    main()
