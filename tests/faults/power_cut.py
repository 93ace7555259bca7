"""A power cut: a file system in memory that has on its platter only what was synced.

`python -m tests.faults.power_cut MOUNT PLATTER ...` mounts it. At a chosen sync the power goes: the
caller is killed, what is on the platter is left in a folder, and the file system is gone. Names are
durable with the first sync of their file or folder, removals with that of the folder.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.faults.instrument import OFTEN, ROOT, Faulty, MissingTool, worker

FORMS = {
    "forgotten": "the power goes at a write or a sync: nothing since the last sync is left",
    "stored": "the power goes when the sync is done, before the caller learns of it",
    "torn": "the power goes then too: some sectors are left, others not, in no order",
    "failed sync": "a sync fails and its data are lost though they can be read; then the power goes",
}
SECTOR = 512


@define(eq=False)
class File:
    """What its readers see, what is on the platter, and what lies between."""

    seen: bytearray = field(factory=bytearray)
    platter: bytearray = field(factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(factory=list)
    """Writes (offset, data) and truncations (length, None) that were not synced."""

    def change(self, at: int, data: bytes | None) -> None:
        _apply(self.seen, at, data)
        self.pending.append((at, data))

    def sync(self) -> None:
        for at, data in self.pending:
            _apply(self.platter, at, data)
        self.pending.clear()

    def tear(self, rng: random.Random) -> None:
        """Some of what was pending reaches the platter, sector by sector."""
        for at, data in self.pending:
            if data is None:
                if rng.random() < 0.5:
                    _apply(self.platter, at, None)
                continue
            for start in range(0, len(data), SECTOR):
                if rng.random() < 0.5:
                    _apply(self.platter, at + start, data[start : start + SECTOR])


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    """Write at an offset, or without data cut or fill up to that length."""
    if data is None:
        del content[at:]
    content.extend(bytes(max(0, at - len(content))))
    if data is not None:
        content[at : at + len(data)] = data


@define(eq=False)
class Disk:
    """One folder of files; the operations that SQLite uses."""

    platter: Path
    form: str
    cut_at: int
    """The power goes at the operation of this number; in the form `stored`, with this sync."""
    fail_at: int
    """The sync of this number fails."""
    rng: random.Random
    names: dict[str, File] = field(factory=dict)
    kept: dict[str, File] = field(factory=dict)
    """Names as the platter has them."""
    operations: int = 0
    syncs: int = 0
    service: int = 0
    """Who asked last; the kernel writes back in nobody's name, and to kill nobody is to kill oneself."""

    def operation(self, caller: int) -> None:
        """A write, a removal or a sync begins; or it is the last thing that happens."""
        self.service = caller or self.service
        self.operations += 1
        if self.operations == self.cut_at and self.form != "stored":
            self.end()

    def sync(self, path: str, caller: int) -> None:
        """A sync, done or failed."""
        self.operation(caller)
        self.syncs += 1
        file = self.names[path]
        if self.syncs == self.fail_at:
            file.pending.clear()
            raise OSError(errno.EIO, "sync failed")
        file.sync()
        self.kept[path] = file
        if self.syncs == self.cut_at and self.form == "stored":
            self.end()

    def end(self) -> None:
        """The power goes: for the service, and for this process."""
        if self.service:
            os.kill(self.service, signal.SIGKILL)
        self.cut()
        os._exit(0)

    def sync_names(self) -> None:
        self.kept = dict(self.names)

    def cut(self) -> None:
        """Leave the platter to whoever looks at it when the power is back."""
        if self.form == "torn":
            for path in self.names.keys() | self.kept.keys():
                if self.rng.random() < 0.5:
                    _move(path, self.names, self.kept)
            for file in {id(file): file for file in self.kept.values()}.values():
                file.tear(self.rng)
        for path, file in self.kept.items():
            (self.platter / path.lstrip("/")).write_bytes(file.platter)


def _move(path: str, names: dict[str, File], kept: dict[str, File]) -> None:
    """A name made, replaced or removed becomes durable."""
    if path in names:
        kept[path] = names[path]
    else:
        del kept[path]


def operations(disk: Disk) -> Any:
    """The disk as mfusepy asks for it."""
    import mfusepy  # here: its import loads libfuse, which only this process needs

    def caller() -> int:
        return mfusepy.fuse_get_context()[2]

    class Operations(mfusepy.Operations):
        use_ns = True

        def _file(self, path: str) -> File:
            if path not in disk.names:
                raise mfusepy.FuseOSError(errno.ENOENT)
            return disk.names[path]

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            owner = {"st_uid": os.getuid(), "st_gid": os.getgid()}
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, **owner}
            size = len(self._file(path).seen)
            return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": size, **owner}

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", *(name.lstrip("/") for name in disk.names)]

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            disk.names[path] = File()
            return 0

        def open(self, path: str, flags: int) -> int:
            self._file(path)
            return 0

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return bytes(self._file(path).seen[offset : offset + size])

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            disk.operation(caller())
            self._file(path).change(offset, bytes(data))
            return len(data)

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            self._file(path).change(length, None)
            return 0

        def unlink(self, path: str) -> int:
            disk.operation(caller())
            self._file(path)
            del disk.names[path]
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            disk.sync(path, caller())
            return 0

        def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
            disk.sync_names()
            return 0

        def chmod(self, path: str, mode: int) -> int:
            return 0

        def chown(self, path: str, uid: int, gid: int) -> int:
            return 0

        def statfs(self, path: str) -> dict[str, int]:
            return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 1 << 20, "f_bavail": 1 << 20}

    return Operations()


def mount() -> None:
    """Serve the file system until the power goes, or its end is asked for: then it goes at rest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mountpoint")
    parser.add_argument("platter", type=Path)
    parser.add_argument("--form", required=True)
    for name in ("seed", "cut-at", "fail-at"):
        parser.add_argument(f"--{name}", type=int, required=True)
    asked = parser.parse_args()
    rng = random.Random(f"torn {asked.seed}")
    disk = Disk(asked.platter, asked.form, asked.cut_at, asked.fail_at, rng)
    from mfusepy import FUSE

    with contextlib.suppress(RuntimeError):  # what it raises where its end is asked for by a signal
        FUSE(
            operations(disk), asked.mountpoint, foreground=True, nothreads=True, kernel_cache=True,
            fsname="powercut",
        )  # fmt: skip
    disk.cut()


# --- the instrument ---------------------------------------------------------------------------------


def run(faulty: Faulty) -> None:
    """One life of the service on that disk, and the ledger as the power cut left it."""
    rng = random.Random(f"power {faulty.seed}")
    syncs, writes = (OFTEN[call] * faulty.clients for call in ("fdatasync", "pwrite64"))
    fail_at = rng.randint(1, syncs) if faulty.form == "failed sync" else 0
    cut_at = rng.randint(1, syncs if faulty.form == "stored" else syncs + writes)
    with mounted(faulty, cut_at, fail_at) as place:
        worker(faulty, url=f"sqlite:///{place}/{faulty.database.name}").wait()


@contextlib.contextmanager
def mounted(faulty: Faulty, cut_at: int, fail_at: int) -> Iterator[Path]:
    """The folder to write in; after it, the run's own folder holds what is on the platter."""
    if shutil.which("fusermount3") is None or not Path("/dev/fuse").exists():
        raise MissingTool("FUSE 3 is not installed: run scripts/install_servers.sh")
    place = faulty.folder / "mount"
    place.mkdir()
    options = [f"--form={faulty.form}", f"--seed={faulty.seed}"]
    options += [f"--cut-at={cut_at}", f"--fail-at={fail_at}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.power_cut", place, faulty.folder, *options], cwd=ROOT
    )
    try:
        wait_until_mounted(place, process)
        yield place
    finally:
        process.terminate()
        process.wait(timeout=20)
        subprocess.run(["fusermount3", "-uzq", place], check=False)


def wait_until_mounted(place: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(4000):
        if os.path.ismount(place):
            return
        assert process.poll() is None, "the file system ended before it was mounted"
        time.sleep(0.005)
    raise TimeoutError(f"{place} was not mounted")


if __name__ == "__main__":
    mount()
