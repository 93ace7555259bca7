"""A pack made of a source: the history as it stands at one moment, sealed, with its answers in one view."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

from attrs import define, field

from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.evidence.checkpoint import sealed
from prakerja_ledger.evidence.leaves import write_leaves
from prakerja_ledger.evidence.note import Signer
from prakerja_ledger.interfaces.columnar.sniffing import writer
from prakerja_ledger.interfaces.growing import grown, sound_events
from prakerja_ledger.interfaces.logs import open_logs
from prakerja_ledger.interfaces.pack import manifest as made_of
from prakerja_ledger.interfaces.pack.answers import Answering
from prakerja_ledger.interfaces.pack.archive import Measured, Packing
from prakerja_ledger.interfaces.pack.readme import readmes
from prakerja_ledger.interfaces.pack.schemes_file import schemes_file
from prakerja_ledger.interfaces.source import Tick, no_tick, numbered, without_collection
from prakerja_ledger.interfaces.whole_file import aside, compressed, own_folder
from prakerja_ledger.reading.view import View

_DISTRIBUTION: Final = "prakerja-ledger"


@define(eq=False, kw_only=True)
class Packer:
    """Makes the files of a pack in a folder, and then the pack."""

    source: str
    programme: Programme
    view: View
    signer: Signer
    folder: Path
    tick: Tick = no_tick
    events: int = field(init=False, default=0)
    quarantined: int = field(init=False, default=0)
    """Lines of the source that are not recorded, and so not in the pack."""
    withheld: set[str] = field(init=False, factory=set)
    """Participants for whom the list of holidays is too short."""
    _shards: int = field(init=False, default=1)

    def make(self, target: Path) -> None:
        """Make all, and put the pack in its place; what stops half-way leaves nothing behind."""
        self._take_history()
        self._seal()
        self._answer()
        self._path(made_of.SCHEMES).write_bytes(schemes_file(self.programme))
        verifier = files("prakerja_ledger.evidence") / "second_verifier.py"
        self._path(made_of.VERIFIER).write_bytes(verifier.read_bytes())
        release = version(_DISTRIBUTION)
        for name, text in readmes(
            self.signer.verifier, self.view, self.events, self.quarantined, release
        ).items():
            self._path(name).write_text(text, encoding="utf-8")
        with aside(target, is_new=True) as path, path.open("wb") as file:
            packing = Packing(file)
            listed = {name: self._packed(packing, name) for name in made_of.FILES}
            manifest = made_of.Manifest(
                log=self.signer.verifier.name,
                release=release,
                as_of=self.view.as_of,
                known_at=self.view.known_at,
                events=self.events,
                quarantined=self.quarantined,
                withheld=tuple(sorted(self.withheld)),
                files=listed,
            ).to_bytes()
            self._path(made_of.MANIFEST).write_bytes(manifest)
            self._path(made_of.SIGNED).write_bytes(made_of.signed(manifest, self.signer))
            self._packed(packing, made_of.MANIFEST)
            self._packed(packing, made_of.SIGNED)
            packing.close()

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _packed(self, packing: Packing, name: str) -> Measured:
        """Put a file into the pack; it takes no room twice."""
        found = packing.add(name, self._path(name))
        self._path(name).unlink()
        return found

    def _write(self, name: str, pieces: Iterable[bytes]) -> None:
        path = self._path(name)
        with path.open("wb") as file, compressed(file, path) as out:
            for piece in pieces:
                out.write(piece)

    def _take_history(self) -> None:
        """The recorded lines at one moment; all else is made of these."""
        with open_logs(self.source, self.programme, self.tick) as logs:
            self._shards = logs.shards or 1
            self._write(made_of.HISTORY, (line + b"\n" for _, line, _ in sound_events(logs)))
            self.quarantined = sum(bool(one.code) for one in logs.asides)
        with without_collection():
            columns = self._path(made_of.COLUMNS)
            writer(self.source)(self._lines(), columns, self.programme, self.tick, judged=True)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for number, line in numbered(os.fspath(self._path(made_of.HISTORY))):
            assert isinstance(line, bytes), "no recorded line is longer than a line may be"
            self.events = number
            yield number, line

    def _seal(self) -> None:
        history, origin = os.fspath(self._path(made_of.HISTORY)), self.signer.verifier.name
        with (
            open_logs(history, self.programme, self.tick) as logs,
            grown(logs, self._shards, keep=True) as found,
        ):
            note = sealed(found.checkpoint(origin), self.signer)
            self._path(made_of.CHECKPOINT).write_bytes(bytes(note))
            with self._path(made_of.LEAVES).open("wb") as file:
                write_leaves(file, found.logs, found.asides)

    def _answer(self) -> None:
        columns = self._path(made_of.COLUMNS)
        answering = Answering(columns, self.programme, self.view, tick=self.tick)
        answering.give(
            lambda pieces: self._write(made_of.STATEMENTS, pieces),
            lambda pieces: self._write(made_of.FINDINGS, pieces),
        )
        self.withheld = answering.withheld


def make_pack(
    source: str,
    target: Path,
    programme: Programme,
    view: View,
    signer: Signer,
    *,
    tick: Tick = no_tick,
) -> Packer:
    """Write the pack of a source, never over another file. Raises UnreadableSource, LedgerFault and OSError."""
    # beside the target: it needs about as much room, and what is there is the caller's own
    with own_folder(target) as folder:
        packer = Packer(
            source=source,
            programme=programme,
            view=view,
            signer=signer,
            folder=folder,
            tick=tick,
        )
        packer.make(target)
        return packer
