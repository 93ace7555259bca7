"""A pack as a SOURCE: its history is taken out to a temporary folder, and read as any other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.interfaces.pack import manifest as made_of
from prakerja_ledger.interfaces.pack.archive import Archive, refused


def listed(archive: Archive) -> made_of.Manifest:
    """The manifest of an archive that has just the files of a pack. Raises InvalidEvidence."""
    if tuple(archive.files) != made_of.ALL:
        missing = [name for name in made_of.ALL if name not in archive.files]
        more = [name for name in archive.files if name not in made_of.ALL]
        said = [
            *(Phrase("{name} is missing", name=name) for name in missing),
            *(Phrase("{name} is no file of one", name=name) for name in more),
        ] or [Phrase("its files stand in another order")]
        what = reduce(lambda one, other: Phrase("{one}, {other}", one=one, other=other), said)
        raise refused(Phrase("{what}.", what=what))
    return made_of.Manifest.read(archive.read(made_of.MANIFEST, made_of.LONGEST))


def unpack(archive: Archive, manifest: made_of.Manifest, name: str, folder: Path) -> Path:
    """Take out one file, which must be the one that the manifest lists."""
    path = folder / name
    with path.open("xb") as file:
        found = archive.measure(name, file)
    if found != manifest.files[name]:
        path.unlink()
        raise refused(Phrase("{name} is not the file that its manifest lists.", name=name))
    return path


@contextmanager
def history_of(pack: str) -> Iterator[str]:
    """The path of the history in a pack, for as long as the context lasts.

    What the manifest says of it is checked, and not who signed that: `verify` does. Raises
    InvalidEvidence.
    """
    with (
        tempfile.TemporaryDirectory(prefix="prakerja-pack-") as folder,
        Archive.opened(Path(pack)) as archive,
    ):
        # the lines, which have nothing beside them that a reader could be misled by; engines make columns of them
        yield os.fspath(unpack(archive, listed(archive), made_of.HISTORY, Path(folder)))
