"""A power cut under PostgreSQL: its log lies on the disk of `power_cut`, and the machine goes with it.

What was acknowledged rests on the log alone: tables are written after it, and recovery repairs them
from it. So the tables stay on another disk here, where all that was written is left; the server is
killed in the same moment. `python -m tests.faults.postgres_power MOUNT PLATTER ...` mounts the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from tests import servers
from tests.faults import power_cut
from tests.faults.instrument import OFTEN, ROOT, worker
from tests.faults.power_cut import Disk, File

if TYPE_CHECKING:
    from tests.faults.postgres import OnServer

FORMS = power_cut.FORMS
ARM = ".armed"
"""A look at this name begins the count of operations: the server's start is not what is tested."""


@define(eq=False)
class LogDisk(Disk):
    """A disk that begins with files on it, and has folders. A name that changes does so durably."""

    armed: bool = False
    folders: set[str] = field(factory=set)

    def load(self, source: Path) -> None:
        for path in source.rglob("*"):
            name = f"/{path.relative_to(source)}"
            if path.is_dir():
                self.folders.add(name)
            else:
                content = path.read_bytes()
                self.names[name] = self.kept[name] = File(bytearray(content), bytearray(content))

    def operation(self, caller: int) -> None:
        if self.armed:
            super().operation(caller)

    def sync(self, path: str, caller: int) -> None:
        if self.armed:
            super().sync(path, caller)
        else:
            self.names[path].sync()
            self.kept[path] = self.names[path]

    def rename(self, old: str, new: str) -> None:
        for names in (self.names, self.kept):
            if old in names:
                names[new] = names.pop(old)

    def cut(self) -> None:
        for folder in self.folders:
            (self.platter / folder.lstrip("/")).mkdir(exist_ok=True)
        super().cut()


def operations(disk: LogDisk) -> Any:
    """The disk as mfusepy asks for it."""
    base = type(power_cut.operations(disk))

    class Operations(base):
        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            if path == f"/{ARM}":
                disk.armed = True
            if path in disk.folders:
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
            return super().getattr(path, fh)

        def readdir(self, path: str, fh: int) -> list[str]:
            inside = path.rstrip("/") + "/"
            found = (name.removeprefix(inside) for name in {*disk.names, *disk.folders}
                     if name.startswith(inside))  # fmt: skip
            return [".", "..", *(name for name in found if "/" not in name)]

        def mkdir(self, path: str, mode: int) -> int:
            disk.folders.add(path)
            return 0

        def rename(self, old: str, new: str) -> int:
            disk.rename(old, new)
            return 0

        def link(self, target: str, source: str) -> int:
            if target in disk.names:
                raise OSError(errno.EEXIST, "there is such a file")
            disk.names[target] = disk.names[source]
            if source in disk.kept:
                disk.kept[target] = disk.kept[source]
            return 0

    return Operations()


def mount() -> None:
    """Serve the file system until the power goes, or its end is asked for: then it goes at rest."""
    place, platter, source, form, seed, cut_at, fail_at = sys.argv[1:]
    disk = LogDisk(
        Path(platter), form, int(cut_at), int(fail_at), random.Random(f"torn {seed}")
    )
    disk.load(Path(source))
    from mfusepy import FUSE

    with contextlib.suppress(RuntimeError):  # what it raises where its end is asked for by a signal
        FUSE(
            operations(disk), place, foreground=True, nothreads=True, kernel_cache=True,
            allow_other=os.geteuid() == 0, fsname="powercut",
        )  # fmt: skip
    disk.cut()


# --- the instrument ---------------------------------------------------------------------------------


def run(faulty: OnServer) -> bool:
    """One life of the service with the log on that disk, and the server as the cut left it."""
    rng = faulty.rng()
    syncs = OFTEN["fdatasync"] * faulty.clients
    fail_at = rng.randint(1, syncs) if faulty.form == "failed sync" else 0
    cut_at = rng.randint(1, syncs if faulty.form == "stored" else 2 * syncs)
    with _log_elsewhere(faulty, cut_at, fail_at) as disk:
        process = worker(faulty)
        while process.poll() is None and disk.poll() is None:
            time.sleep(0.001)
    process.wait()
    return True


@contextlib.contextmanager
def _log_elsewhere(
    faulty: OnServer, cut_at: int, fail_at: int
) -> Iterator[subprocess.Popen[bytes]]:
    """The log is moved to the disk, and what the power left of it back into the server's folder."""
    server, log = faulty.server, faulty.server.folder / "data" / "pg_wal"
    place, platter, before = (faulty.folder / name for name in ("mount", "platter", "before"))
    faulty.folder.chmod(0o711)  # the server is another user
    place.mkdir()
    platter.mkdir()
    server.psql("CHECKPOINT")
    server.kill()
    shutil.move(log, before)
    asked = [place, platter, before, faulty.form, faulty.seed, cut_at, fail_at]
    disk = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.postgres_power", *map(str, asked)], cwd=ROOT
    )
    try:
        power_cut.wait_until_mounted(place, disk)
        log.symlink_to(place)
        server.restart()
        assert not (place / ARM).exists()
        yield disk
    finally:
        disk.terminate()
        disk.wait(timeout=20)
        if server.running:
            server.kill()
        subprocess.run(["fusermount3", "-uzq", place], check=False)
        _put_back(log, platter)
        server.restart()


def _put_back(log: Path, platter: Path) -> None:
    log.unlink(missing_ok=True)
    shutil.copytree(platter, log)
    if user := servers.unprivileged_user():
        for path in (log, *log.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
    for path in log.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


if __name__ == "__main__":
    mount()
