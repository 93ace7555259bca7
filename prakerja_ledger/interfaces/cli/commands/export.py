"""`export`: a source as a history again, in lines or columns, or as a journal of its money."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.commands.history import check_targets, files_of, status_of
from prakerja_ledger.interfaces.cli.commands.reader import complain_of_waves, reading
from prakerja_ledger.interfaces.cli.options import (
    holidays_option,
    language_option,
    programme_with,
    source_argument,
    view_of,
    view_options,
    words_of,
)
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_, Words
from prakerja_ledger.interfaces.columnar.sniffing import writer as parquet_writer
from prakerja_ledger.interfaces.history_file import Line
from prakerja_ledger.interfaces.source import (
    Tally,
    is_ledger,
    lines_with_numbers,
    recorded_lines,
    without_collection,
)
from prakerja_ledger.interfaces.whole_file import aside, compressed
from prakerja_ledger.ledger.urls import without_password
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from prakerja_ledger.domain.schemes import Programme


@click.command("export", short_help="Write a source as a history, or as a journal of its money.")
@source_argument
@click.option(
    "--output", "target", type=click.Path(), metavar="FILE", help="Default: standard output."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet", "hledger"]),
    help="Lines of JSON, a Parquet file of the same, or a journal for hledger and ledger. Default: as "
    "FILE is named (.parquet, .journal), else jsonl.",
)
@click.option(
    "--every-line",
    is_flag=True,
    help="Write every line as it stands, also what would be quarantined or counted as a duplicate; "
    "nothing is judged.",
)
@view_options
@holidays_option
@language_option
def export_command(
    source: str,
    target: str | None,
    form: str | None,
    every_line: bool,
    as_of: date | None,
    known_at: Instant | None,
    holidays: str | None,
    lang: str | None,
) -> Status:
    """Write a source as history format 1, in recording order, every event as it came.

    A Parquet file holds the same lines in columns, sorted by participant, and is itself a source. It
    needs --output.

    A journal is no history: it says in double entry what was owed, instructed, paid and returned as of
    a day (--as-of, --known-at), event by event, and asserts the sums of the statements.

    \b
    Examples: prakerja-ledger export sqlite:///ledger.db --output history.jsonl
              prakerja-ledger export history.jsonl --every-line --output history.parquet
              prakerja-ledger export history.jsonl --as-of 2020-12-31 --output books.journal
    """
    form = form or _form_of(target)
    if form == "hledger":
        if every_line:
            raise click.UsageError(
                Phrase("--every-line is for histories; a journal holds what was recorded.")
            )
        view = view_of(as_of, known_at)
        return _export_journal(source, target, view, holidays, words_of(lang))
    if as_of is not None or known_at is not None:
        raise click.UsageError(Phrase("--as-of and --known-at are for --format hledger."))
    tally = Tally()
    programme = programme_with(holidays)
    if form == "parquet":
        if target is None:
            raise click.UsageError(Phrase("--format parquet needs --output FILE."))
        _write_parquet(source, Path(target), programme, tally, every_line=every_line)
    else:
        lines = _lines_to_export(source, programme, tally, every_line=every_line)
        _write_out(lines, source, target)
    complain_of_waves(words_of(lang), without_password(source), tally.waves)
    return status_of([tally])


def _form_of(target: str | None) -> str:
    """What a file is by its name."""
    suffixes = {".parquet": "parquet", ".journal": "hledger"}
    return suffixes.get(Path(target or "").suffix, "jsonl")


def _export_journal(
    source: str, target: str | None, view: View, holidays: str | None, words: Words
) -> Status:
    from prakerja_ledger.interfaces.hledger import journal  # noqa: PLC0415  # only for journals

    with reading(source, view, holidays, words) as reader:
        _write_out(journal(reader.books(), view), source, target)
        return reader.status


def _write_out(lines: Iterator[bytes], source: str, target: str | None) -> None:
    if target is None:
        _write(lines, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        _write_file(lines, source, Path(target))


def _lines_to_export(
    source: str, programme: Programme, tally: Tally, *, every_line: bool
) -> Iterator[bytes]:
    if not every_line or is_ledger(source):  # a ledger holds recorded lines only
        return recorded_lines(source, programme, tally)
    return (piece for _, line in lines_with_numbers(source) for piece in (_whole(line),))


def _write_parquet(
    source: str, target: Path, programme: Programme, tally: Tally, *, every_line: bool
) -> None:
    write = parquet_writer(str(target))
    check_targets([target], [Path(source), *files_of(source)])
    if target.resolve().parent == Path(source).resolve():
        raise UnreadableSource(
            source=str(target),
            problem=Phrase(
                "it would become a part of the very folder that is read. Name another folder."
            ),
        )
    lines: Iterable[tuple[int, Line]]
    judged = is_ledger(source) or not every_line
    if judged:
        lines = enumerate(recorded_lines(source, programme, tally), 1)
    else:
        lines = lines_with_numbers(source)
    with output.progress(words_of(None)(N_("lines"))) as tick, without_collection():
        write(lines, target, programme, tick, judged=judged)


def _whole(line: Line) -> bytes:
    return line if isinstance(line, bytes) else b"".join(line.pieces())


def _write(lines: Iterator[bytes], file: IO[bytes]) -> None:
    for line in lines:
        file.write(line)
        file.write(b"\n")


def _write_file(lines: Iterator[bytes], source: str, target: Path) -> None:
    """Written aside and renamed: an export that stops half-way leaves no half history behind."""
    check_targets([target], [Path(source), *files_of(source)])
    with aside(target) as path, path.open("wb") as file, compressed(file, target) as whole:
        _write(lines, whole)
