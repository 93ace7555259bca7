"""System calls that fail: strace answers them with an error in the kernel's place."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from tests.faults.instrument import OFTEN, Faulty, MissingTool, worker

FORMS = {
    "disk full": {
        "refused": "a write to the log or the file finds no room",
        "in page cache": "no room is found when all is written; killed at once",
    },
    "fsync error": {
        "not stored": "the sync fails and the service goes on",
        "in page cache": "the sync fails with all written; killed at once",
        "resolved": "the sync fails; the service asks what became of it, and is killed",
        "write error": "a write fails, not for want of room",
        "read error": "a read fails",
    },
}
_INJECTED = {
    ("disk full", "refused"): ("pwrite64", "ENOSPC", ""),
    ("disk full", "in page cache"): ("fdatasync", "ENOSPC", "unknown"),
    ("fsync error", "not stored"): ("fdatasync", "EIO", ""),
    ("fsync error", "in page cache"): ("fdatasync", "EIO", "unknown"),
    ("fsync error", "resolved"): ("fdatasync", "EIO", "resolved"),
    ("fsync error", "write error"): ("pwrite64", "EIO", ""),
    ("fsync error", "read error"): ("pread64", "EIO", ""),
}
"""The system calls, their error, and when the service is killed."""


def run(faulty: Faulty) -> None:
    """One life of the service, in which every so many calls of a kind fail."""
    rng = random.Random(f"injection {faulty.seed}")
    call, error, die = _INJECTED[faulty.instrument, faulty.form]
    most = OFTEN[call]
    when = f"{rng.randint(1, most)}+{rng.randint(2, most // 4)}"
    worker(faulty, *strace(faulty, f"{call}:error={error}:when={when}"), die=die).wait()


def strace(faulty: Faulty, injected: str) -> list[str]:
    """The command that runs another with a fault injected into its use of the ledger's files."""
    files = [part for end in ("", "-wal", "-shm") for part in ("-P", f"{faulty.database}{end}")]
    return [*injecting(injected, faulty.folder / "strace.txt"), *files]


def injecting(injected: str, trace: Path, *, running: bool = False) -> list[str]:
    """The command that runs another with a fault injected, wherever it strikes.

    Or that attaches to one that is `running` already.
    """
    program = shutil.which("strace")
    if program is None:
        raise MissingTool("strace is not installed: run scripts/install_servers.sh")
    call, what = injected.split(":", 1)
    # Quick, by stopping at these calls only; but then strace 6.1 sends no signals.
    quick = [] if running or "signal=" in what else ["--seccomp-bpf"]
    given = ["-o", str(trace), "-e", f"trace={call}", "-e", f"inject={injected}"]
    return [program, "-f", "-qq", *quick, *given]
