"""`check` and `import`: histories judged and recorded."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prakerja_ledger.domain.errors import Refusal, UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.interfaces.asked import Engine
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.commands.whole import complain_of_engine
from prakerja_ledger.interfaces.cli.options import (
    engine_options,
    histories_argument,
    json_option,
    language_option,
    programme_with,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words, shown
from prakerja_ledger.interfaces.columnar.sniffing import is_columnar
from prakerja_ledger.interfaces.engines import (
    OtherEngine,
    checked_in_shares,
    checked_whole,
    wants_engine,
)
from prakerja_ledger.interfaces.quarantine import QuarantineFile, reasons_beside
from prakerja_ledger.interfaces.source import (
    Tally,
    check_readable,
    is_ledger,
    without_collection,
)
from prakerja_ledger.ledger.urls import without_password

if TYPE_CHECKING:
    from prakerja_ledger.domain.register import Outcome
    from prakerja_ledger.domain.schemes import Programme
    from prakerja_ledger.interfaces.asked import Asked
    from prakerja_ledger.interfaces.importing import FileImport
    from prakerja_ledger.interfaces.source import Tick


@click.command("check", short_help="Read and judge histories without recording.")
@histories_argument
@json_option
@engine_options
@language_option
def check_command(
    histories: tuple[str, ...], as_json: bool, asked: Asked, lang: str | None
) -> Status:
    """Read and judge histories without recording.

    Prints how many lines would be recorded, are duplicates, or are quarantined, and for every
    quarantined line its file, number, code and what to do. Several files are judged one after
    another, as one history.

    \b
    Example: prakerja-ledger check history.jsonl.gz
    """
    words = words_of(lang)
    programme = programme_with(None)
    _refuse_ledgers(histories)
    with output.progress(words(N_("lines"))) as tick, without_collection():
        tallies, found = _checked(histories, programme, asked, words, tick)
        for file, number, outcome in found:
            if isinstance(outcome, Refusal) and not as_json:
                click.echo(_quarantined(words, file, number, outcome))
    if as_json:
        click.echo(_tallies_json(tallies))
    else:
        click.echo(_counts(words, list(tallies.values())))
    return status_of(list(tallies.values()))


def _checked(
    histories: tuple[str, ...], programme: Programme, asked: Asked, words: Words, tick: Tick
) -> tuple[dict[str, Tally], Iterator[tuple[str, int, Outcome]]]:
    """Tallies that fill as the lines that are not recorded are gone through."""
    tallies = {path: Tally() for path in histories}
    if asked.engine is Engine.SPARK:
        raise click.UsageError(Phrase("--engine spark does not answer this. Choose another one."))
    if len(histories) == 1 and is_columnar(histories[0]) and wants_engine(histories[0], asked):
        try:
            (tally,) = tallies.values()
            return tallies, checked_whole(histories[0], programme, tally, asked, tick)
        except OtherEngine as error:
            complain_of_engine(words, histories[0], error)
    return tallies, checked_in_shares(histories, programme, tallies, asked, tick)


def _refuse_ledgers(histories: tuple[str, ...]) -> None:
    for path in histories:
        if is_ledger(path):
            raise UnreadableSource(
                source=without_password(path),
                problem=Phrase("it is a ledger, where everything is judged already. Name files."),
            )


def _quarantined(words: Words, file: str, number: int, refusal: Refusal) -> str:
    return f"{shown(file)}:{number}: {refusal.code}: {words.refusal(refusal)}"


def _counts(words: Words, tallies: list[Tally]) -> str:
    """The three counts; grouped for a person, plain digits for a script that reads the pipe."""
    number = words.number if sys.stdout.isatty() else str
    return words(
        N_("{recorded} recorded · {duplicates} duplicates · {quarantined} quarantined"),
        recorded=number(sum(tally.recorded for tally in tallies)),
        duplicates=number(sum(tally.duplicates for tally in tallies)),
        quarantined=number(sum(tally.quarantined for tally in tallies)),
    )


def _tallies_json(tallies: dict[str, Tally]) -> str:
    """The counts as JSON; for several files the same again for each, beneath `files`."""
    lines = [[number, code] for tally in tallies.values() for number, code in tally.quarantine()]
    answer: dict[str, object] = {
        "recorded": sum(tally.recorded for tally in tallies.values()),
        "duplicates": sum(tally.duplicates for tally in tallies.values()),
        "quarantined": len(lines),
        "lines": lines,
    }
    if len(tallies) > 1:
        answer["files"] = [
            {
                "file": file,
                "recorded": tally.recorded,
                "duplicates": tally.duplicates,
                "quarantined": tally.quarantined,
                "lines": [[number, code] for number, code in tally.quarantine()],
            }
            for file, tally in tallies.items()
        ]
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def status_of(tallies: list[Tally]) -> Status:
    """How a command ends that read these."""
    quarantined = any(tally.quarantined for tally in tallies)
    return Status.QUARANTINED if quarantined else Status.DONE


@click.command("import", short_help="Record a history into a ledger.")
@histories_argument
@click.option(
    "--ledger",
    "url",
    required=True,
    metavar="URL",
    help="sqlite:///path.db or postgresql://host/database",
)
@click.option(
    "--quarantine",
    type=click.Path(),
    metavar="FILE",
    help="Where quarantined lines go, whole. Default: beside each history, named after it.",
)
@language_option
def import_command(
    histories: tuple[str, ...], url: str, quarantine: str | None, lang: str | None
) -> Status:
    """Record a history into a ledger.

    Prints the three counts. Quarantined lines go, whole, to a file beside the history, with a
    second file that says for each which line it was and what to do. Interrupted at any moment,
    what was recorded stays; running it again records nothing twice and does the rest, from where it
    stopped.

    \b
    Example: prakerja-ledger import history.jsonl --ledger sqlite:///ledger.db
    """
    from prakerja_ledger.interfaces.importing import FileImport  # noqa: PLC0415  # heavy
    from prakerja_ledger.ledger.importing import Importer  # noqa: PLC0415
    from prakerja_ledger.ledger.ledger import Ledger  # noqa: PLC0415

    words = words_of(lang)
    _refuse_ledgers(histories)
    for path in histories:
        check_readable(path)
    targets = {path: Path(quarantine) if quarantine else _beside(path) for path in histories}
    check_targets(targets.values(), [*map(Path, histories), *files_of(url)])
    kept = {target: QuarantineFile(target) for target in targets.values()}
    tallies: list[Tally] = []
    try:
        with Ledger.open(url) as ledger, output.progress(words(N_("lines"))) as tick:
            importer = Importer(ledger)
            files = [FileImport(importer, path, tick) for path in targets]
            for file, target in zip(files, targets.values(), strict=True):
                _import_one(file, kept[target], words)
                tallies.append(file.tally)
            for one in kept.values():
                _finish(one, words)
            for file in files:
                file.ended()
    finally:
        for one in kept.values():
            one.discard()
    click.echo(_counts(words, tallies))
    return status_of(tallies)


def _beside(path: str) -> Path:
    """`history.jsonl` → `history.jsonl.quarantined.jsonl`: one for each history, in its folder."""
    name = Path("standard-input" if path == "-" else path)
    return name.with_name(f"{name.name}.quarantined.jsonl")


def files_of(url: str) -> list[Path]:
    """The files of a ledger that lies in one."""
    if not url.startswith("sqlite:"):
        return []
    from prakerja_ledger.stores.sqlite_file import path_of  # noqa: PLC0415  # heavy; only for ledgers

    path = path_of(url)
    return [path, Path(f"{path}-wal"), Path(f"{path}-shm")]


def check_targets(targets: Iterable[Path], taken: Iterable[Path]) -> None:
    """Files about to be written must not be among those that are read, and need a folder."""
    places = {path.resolve() for path in taken}
    for target in targets:
        for path in (target, reasons_beside(target)):
            if path.resolve() in places or path.is_dir():
                raise UnreadableSource(
                    source=str(path),
                    problem=Phrase(
                        "it is in use by this very command, or a folder, and would be overwritten. Name another "
                        "file."
                    ),
                )
        if not target.parent.is_dir():
            raise UnreadableSource(
                source=str(target),
                problem=Phrase(
                    "there is no folder {folder}. Make it first.", folder=str(target.parent)
                ),
            )


def _import_one(file: FileImport, kept: QuarantineFile, words: Words) -> None:
    with without_collection():
        for number, line, outcome in file.outcomes():
            if isinstance(outcome, Refusal):
                overlong = file.overlong.pop(number, None)
                whole = iter((line,)) if overlong is None else overlong.pieces()
                kept.add(file.path, number, outcome, whole, words)


def _finish(kept: QuarantineFile, words: Words) -> None:
    kept.finish()
    if kept.count:
        output.complain(
            words(
                N_(
                    "{count} quarantined lines are kept in {file}; {reasons} says why, line by line."
                ),
                count=words.number(kept.count),
                file=kept.path,
                reasons=kept.reasons_path,
            )
        )
