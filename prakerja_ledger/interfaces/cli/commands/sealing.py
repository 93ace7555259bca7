"""`keygen`, `seal` and `cosign`: keys, and the signatures they make."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import click

from prakerja_ledger.domain.errors import InvalidEvidence, UnreadableSource, UnwritableTarget
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.evidence.checkpoint import (
    Checkpoint,
    Trusted,
    cosigned,
    opened,
    sealed,
)
from prakerja_ledger.evidence.leaves import LeavesFile, write_leaves
from prakerja_ledger.evidence.note import (
    LONGEST_NOTE,
    Note,
    SignatureKind,
    Signer,
    Verifier,
    encoded,
)
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.commands.history import status_of
from prakerja_ledger.interfaces.cli.commands.reader import complain_of_quarantine
from prakerja_ledger.interfaces.cli.options import (
    errors_language_option,
    language_option,
    source_argument,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, of_system
from prakerja_ledger.interfaces.growing import Earlier, grown
from prakerja_ledger.interfaces.logs import FileLogs, open_logs
from prakerja_ledger.interfaces.pack.sniffing import is_pack
from prakerja_ledger.interfaces.whole_file import aside

_MOST_PROCESSES: Final = 8


def leaves_beside(checkpoint: Path) -> Path:
    """The file of leaves of a checkpoint."""
    return checkpoint.with_name(f"{checkpoint.name}.leaves")


def leaves_file(checkpoint: Path, said: Checkpoint) -> LeavesFile | None:
    """The file of leaves of a checkpoint, where there is one. Raises InvalidEvidence for another file."""
    path = leaves_beside(checkpoint)
    if not path.is_file():
        return None
    if not path.stat().st_size:
        return LeavesFile(b"", said)
    with path.open("rb") as file:  # in memory as it is asked for: it may be as large as the history
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return LeavesFile(memoryview(whole), said)


def bytes_of(path: str, longest: int = LONGEST_NOTE) -> bytes:
    """What a small file holds. Raises UnreadableSource."""
    try:
        with Path(path).open("rb") as file:
            return file.read(longest + 1)
    except OSError as error:
        raise UnreadableSource(
            source=path, problem=Phrase("{error}.", error=of_system(error))
        ) from None


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Say of what is not valid in which file it stands."""
    try:
        yield
    except InvalidEvidence as error:
        problem = error.fields["problem"]
        if is_pack(path):
            problem = Phrase(
                "it is a pack. The checkpoint is a file in it: python -m zipfile -e PACK.zip FOLDER."
            )
        raise InvalidEvidence(
            kind=Phrase("{kind} {path}", kind=error.fields["kind"], path=str(path)), problem=problem
        ) from None


verifiers_option: Final = click.option(
    "--verifier",
    "verifiers",
    multiple=True,
    metavar="KEY",
    help="Verifier keys: a checkpoint that none of them signed is refused. Without one whoever gets what "
    "is made of it finds out.",
)


def note_in(path: str, keys: Iterable[str] = ()) -> Note:
    """The signed note in a file; checked only where keys are given. Raises InvalidEvidence, which names it."""
    if keys:
        return opened_in(path, verifiers_of(keys)).note
    with naming(path):
        return Note.read(bytes_of(path))


def opened_in(path: str, verifiers: Iterable[Verifier]) -> Trusted:
    """The checkpoint in a file. Raises InvalidEvidence, which names it."""
    with naming(path):
        return opened(bytes_of(path), verifiers)


def key_in(path: str) -> Signer:
    """The private key in a file, which nobody but its owner may read. Raises UnreadableSource."""
    with naming(path):
        try:
            signer = Signer.read(bytes_of(path).decode("ascii"))
        except UnicodeDecodeError:
            raise InvalidEvidence(
                kind=Phrase("private key"), problem=Phrase("it is not plain text.")
            ) from None
    if os.name == "posix" and Path(path).stat().st_mode & 0o077:
        raise UnreadableSource(
            source=path,
            problem=Phrase("others may read it, and it is a private key. First: chmod 600."),
        )
    return signer


def verifiers_of(texts: Iterable[str]) -> list[Verifier]:
    """Verifier keys, given as such or as the names of files that hold one."""
    return [_verifier(text) for text in texts]


def _verifier(text: str) -> Verifier:
    if "+" in text and not _is_file(text):
        return Verifier.read(text)
    with naming(text):
        return Verifier.read(bytes_of(text).decode("utf-8", "replace").strip())


def _is_file(text: str) -> bool:
    with suppress(OSError):  # too long for a name: a key may have any
        return Path(text).is_file()
    return False


def check_free(*targets: Path) -> None:
    """Nothing is written over: keys and checkpoints are there to stay."""
    for target in targets:
        if not target.name or target.is_dir():
            raise UnwritableTarget(
                target=str(target), problem=Phrase("it names no file. Name one.")
            )
        if target.exists() or target.is_symlink():
            raise UnwritableTarget(
                target=str(target),
                problem=Phrase(
                    "it is there already, and is never written over. Name another file."
                ),
            )
        if not target.parent.is_dir():
            raise UnwritableTarget(
                target=str(target),
                problem=Phrase(
                    "there is no folder {folder}. Make it first.", folder=str(target.parent)
                ),
            )


@click.command("keygen", short_help="Make a key that seals a history.")
@click.option("--name", required=True, help="Of the ledger or the witness, like an address.")
@click.option(
    "--output", "target", required=True, type=click.Path(), metavar="FILE", help="The private key."
)
@click.option("--witness", is_flag=True, help="A key that cosigns the checkpoints of others.")
@errors_language_option
def keygen_command(name: str, target: str, witness: bool) -> Status:
    """Make a key that seals a history.

    The private key goes to FILE, which only its owner can read; a file that is there is left as it is. The
    verifier key is printed: give it to whoever is to check what you sign, by a way that they trust.

    \b
    Example: prakerja-ledger keygen --name ledger.example/2020 --output seal.key
    """
    signer = Signer.new(name, SignatureKind.COSIGNATURE if witness else SignatureKind.ED25519)
    path = Path(target)
    check_free(path)
    with aside(path, is_new=True) as whole:  # made so that only its owner can read it
        whole.write_text(signer.secret(), encoding="utf-8")
    click.echo(str(signer.verifier))
    return Status.DONE


@click.command("seal", short_help="Sign what a history is now.")
@source_argument
@click.option("--key", required=True, metavar="FILE", help="The private key, of keygen.")
@click.option(
    "--output", "target", required=True, type=click.Path(), metavar="CHECKPOINT", help="The note."
)
@click.option(
    "--leaves/--no-leaves",
    default=True,
    help="Keep the hash of each event in CHECKPOINT.leaves, so that verify can say where a history "
    "differs (32 bytes an event). Default: --leaves.",
)
@click.option(
    "--after",
    "earlier",
    type=click.Path(),
    metavar="CHECKPOINT",
    help="The last one: the new one is then sure to follow it, and of a ledger of one shard only what came "
    "since is read (with its .leaves).",
)
@language_option
def seal_command(
    source: str, key: str, target: str, leaves: bool, earlier: str | None, lang: str | None
) -> Status:
    """Sign what a history is now.

    The checkpoint is a signed note of a few lines: the ledger's name, the number of events, and what stands
    for all of them. Keep it where whoever runs the ledger cannot change it: events cut off at the end, or a
    whole history told anew, are shown by a copy outside and by nothing else.

    \b
    Example: prakerja-ledger seal sqlite:///ledger.db --key seal.key --output 2020-07.checkpoint
    """
    signer, path, words = key_in(key), Path(target), words_of(lang)
    if signer.verifier.kind is not SignatureKind.ED25519:
        raise click.UsageError(Phrase("a witness's key seals nothing. Make one without --witness."))
    check_free(path)
    beside = leaves_beside(path)
    if leaves:
        check_free(beside)
    with (
        output.progress(words(N_("events"))) as tick,
        open_logs(source, tick=tick) as logs,
        grown(
            logs,
            logs.shards or 1,
            keep=leaves,
            after=_earlier(earlier, signer),
            processes=min(_MOST_PROCESSES, os.cpu_count() or 1),
        ) as made,
    ):
        checkpoint = made.checkpoint(signer.verifier.name)
        tally = logs.tally if isinstance(logs, FileLogs) else None
        with aside(path, is_new=True) as note, ExitStack() as both:
            note.write_bytes(bytes(sealed(checkpoint, signer)))
            if leaves:
                whole = both.enter_context(aside(beside, is_new=True))
                with whole.open("wb") as file:
                    write_leaves(file, made.logs, made.asides)
    click.echo(
        words(
            N_("Sealed: {count} events, root {root}."),
            count=words.number(checkpoint.size),
            root=encoded(checkpoint.root),
        )
    )
    if tally is None:
        return Status.DONE
    complain_of_quarantine(words, source, tally.quarantined)
    return status_of([tally])


def _earlier(path: str | None, signer: Signer) -> Earlier | None:
    if path is None:
        return None
    checkpoint = opened_in(path, [signer.verifier]).checkpoint
    return Earlier(checkpoint, leaves_file(Path(path), checkpoint))


@click.command("cosign", short_help="Sign as a witness that a checkpoint was seen.")
@click.argument("checkpoint")
@click.option("--key", required=True, metavar="FILE", help="The witness's key (keygen --witness).")
@click.option(
    "--verifier", required=True, metavar="KEY", help="The ledger's verifier key, or its file."
)
@click.option(
    "--output",
    "target",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="The note, cosigned.",
)
@errors_language_option
def cosign_command(checkpoint: str, key: str, verifier: str, target: str) -> Status:
    """Sign as a witness that a checkpoint was seen, and when.

    Before you sign, have it proved that it follows the last one that you signed (prove --earlier, verify):
    what a witness says is that it saw one history grow.

    \b
    Example: prakerja-ledger cosign 2020-07.checkpoint --key witness.key --verifier KEY --output cosigned
    """
    witness = key_in(key)
    if witness.verifier.kind is not SignatureKind.COSIGNATURE:
        raise click.UsageError(Phrase("a witness signs with a key of its own: keygen --witness."))
    data = bytes_of(checkpoint)
    opened(data, verifiers_of([verifier]))
    path = Path(target)
    check_free(path)
    with aside(path, is_new=True) as whole:
        whole.write_bytes(bytes(cosigned(Note.read(data), witness, int(time.time()))))
    return Status.DONE
