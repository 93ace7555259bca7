"""Whether a pack is what was signed, and says what follows from its history.

Nothing is believed, and nothing unpacked or decompressed, before the manifest's signature holds and the
file is the one that it lists.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

from attrs import define

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.evidence.breaks import Break, BreakCode
from prakerja_ledger.evidence.checkpoint import opened
from prakerja_ledger.evidence.leaves import LeavesFile
from prakerja_ledger.evidence.note import LONGEST_NOTE, Verifier
from prakerja_ledger.interfaces.logs import open_logs
from prakerja_ledger.interfaces.pack import manifest as made_of
from prakerja_ledger.interfaces.pack.answers import Answering
from prakerja_ledger.interfaces.pack.archive import BLOCK, Archive, refused
from prakerja_ledger.interfaces.pack.opened import listed
from prakerja_ledger.interfaces.pack.schemes_file import schemes_file
from prakerja_ledger.interfaces.source import Tick, lines_with_numbers, no_tick
from prakerja_ledger.interfaces.verifying import Given, Report, verified


@define(eq=False)
class PackReport:
    """What was found of a pack."""

    manifest: made_of.Manifest
    given: list[Given]
    """The pack's own checkpoint, then the others that its history was held against; none where the
    history in it is not the file that was signed for."""
    found: Report
    """Of the history, and the breaks of files and answers with those of it."""


def _wrong(code: BreakCode, name: str) -> Break:
    return Break(code=code, first=0, last=0, detail=name)


def verified_pack(
    path: Path,
    verifiers: Sequence[Verifier],
    others: Sequence[Given],
    programme: Programme,
    tick: Tick = no_tick,
) -> PackReport:
    """Hold a pack against its signatures, its own answers, and checkpoints that were kept elsewhere.

    Raises InvalidEvidence where it is no pack, or no key that is trusted has signed it.
    """
    with Archive.opened(path) as archive, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = listed(archive)
        data = archive.read(made_of.MANIFEST, made_of.LONGEST)
        made_of.check_signed(manifest, data, archive.read(made_of.SIGNED, LONGEST_NOTE), verifiers)
        fine, wrong = _taken_out(archive, manifest, folder)
        if not {made_of.CHECKPOINT, made_of.HISTORY} <= fine:
            return PackReport(manifest, [], Report(0, [], 0, sorted(wrong)))
        own = _own_checkpoint(folder, verifiers, manifest, fine, wrong)
        given = [own, *others]
        with open_logs(os.fspath(folder / made_of.HISTORY), programme, tick) as logs:
            report = verified(logs, given)
            if logs.asides:  # a pack is of what was recorded
                wrong.append(_wrong(BreakCode.ANSWER, made_of.HISTORY))
        if report.recorded != manifest.events:
            wrong.append(_wrong(BreakCode.ANSWER, made_of.MANIFEST))
        wrong += _not_following(folder, manifest, programme, fine, tick)
        report.breaks = sorted([*report.breaks, *wrong])
        return PackReport(manifest, given, report)


def _taken_out(
    archive: Archive, manifest: made_of.Manifest, folder: Path
) -> tuple[set[str], list[Break]]:
    """Take out the files that are those of the manifest: their names, and what is wrong with others."""
    fine, wrong = set(), []
    for name, one in manifest.files.items():
        with (folder / name).open("xb") as file:
            found = archive.measure(name, file)
        if found == one:
            fine.add(name)
        else:
            (folder / name).unlink()
            wrong.append(_wrong(BreakCode.FILE, name))
    return fine, wrong


def _own_checkpoint(
    folder: Path,
    verifiers: Sequence[Verifier],
    manifest: made_of.Manifest,
    fine: set[str],
    wrong: list[Break],
) -> Given:
    trusted = opened((folder / made_of.CHECKPOINT).read_bytes(), verifiers)
    if trusted.checkpoint.origin != manifest.log:
        raise refused(Phrase("its checkpoint is that of another log."))
    leaves = None
    if made_of.LEAVES in fine:
        with suppress(InvalidEvidence):
            data = (folder / made_of.LEAVES).read_bytes()
            leaves = LeavesFile(data, trusted.checkpoint).leaves()
        if leaves is None:
            wrong.append(_wrong(BreakCode.LEAVES, made_of.LEAVES))
    return Given(made_of.CHECKPOINT, trusted, leaves)


def _not_following(
    folder: Path, manifest: made_of.Manifest, programme: Programme, fine: set[str], tick: Tick
) -> Iterator[Break]:
    """What in the pack does not follow from its history, all worked out again."""
    history = folder / made_of.HISTORY
    answering = Answering(history, programme, manifest.view, tick=tick)
    digests: dict[str, str] = {}
    answering.give(_digesting(digests, made_of.STATEMENTS), _digesting(digests, made_of.FINDINGS))
    follows: dict[str, Callable[[Path], bool]] = {
        made_of.COLUMNS: lambda path: _is_same_history(path, history, programme),
        made_of.SCHEMES: lambda path: path.read_bytes() == schemes_file(programme),
        made_of.STATEMENTS: lambda path: _unpacked_digest(path) == digests[made_of.STATEMENTS],
        made_of.FINDINGS: lambda path: _unpacked_digest(path) == digests[made_of.FINDINGS],
    }
    for name, holds in follows.items():
        if name in fine and not holds(folder / name):
            yield _wrong(BreakCode.ANSWER, name)
    if tuple(sorted(answering.withheld)) != manifest.withheld:
        yield _wrong(BreakCode.ANSWER, made_of.MANIFEST)


def _is_same_history(columns: Path, history: Path, programme: Programme) -> bool:
    """Whether the columns hold the same lines, and say nothing else beside them."""
    name = os.fspath(columns)
    both = zip_longest(lines_with_numbers(name), lines_with_numbers(os.fspath(history)))
    if not all(one == other for one, other in both):
        return False
    from prakerja_ledger.interfaces.columnar.honesty import dishonesty  # noqa: PLC0415  # Arrow, an extra

    return not dishonesty(name, programme, is_clean=True)


def _digesting(found: dict[str, str], name: str) -> Callable[[Iterator[bytes]], None]:
    def take(pieces: Iterator[bytes]) -> None:
        digest = sha256()
        for piece in pieces:
            digest.update(piece)
        found[name] = digest.hexdigest()

    return take


def _unpacked_digest(path: Path) -> str:
    digest = sha256()
    with gzip.open(path) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
