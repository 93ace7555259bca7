"""`simulate`: a history like the programme's own, for tests, training and measurements."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.interfaces.cli import output
from prakerja_ledger.interfaces.cli.options import language_option, words_of
from prakerja_ledger.interfaces.cli.status import Status
from prakerja_ledger.interfaces.cli.words import N_
from prakerja_ledger.interfaces.history_file import STANDARD_INPUT
from prakerja_ledger.interfaces.source import Tick
from prakerja_ledger.interfaces.whole_file import aside, compressed

if TYPE_CHECKING:
    from prakerja_ledger.simulating.writing import Simulation

LINES: Final = "jsonl"
PARQUET: Final = "parquet"
_LARGEST_SCALE: Final = 50
"""Far above it, participants need more than the nine digits of their names."""


class ScaleType(click.ParamType[Fraction]):
    """A scale, exactly as written: 1, 0.01, 1/100."""

    name = "X"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        try:
            scale = Fraction(value)
        except (ValueError, ZeroDivisionError):
            scale = Fraction(0)
        if not 0 < scale <= _LARGEST_SCALE:
            self.fail(
                Phrase(
                    "{value} is no scale; write a number above 0 and up to {largest}, such as 0.01",
                    value=repr(value),
                    largest=str(_LARGEST_SCALE),
                ),
                param,
                ctx,
            )
        return scale


@click.command("simulate", short_help="Write a history like the programme's own, of any size.")
@click.option(
    "--participants", type=click.IntRange(1, 10**9 - 1), metavar="N", help="How many to write."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="S",
    help="The same seed gives the same bytes, on any machine.",
)
@click.option("--output", "target", required=True, metavar="FILE", help="- is standard output.")
@click.option(
    "--scale",
    type=ScaleType(),
    help="Multiplies every wave's quota; 1 is the real programme, 19,867,589 participants.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice((LINES, PARQUET)),
    help="Default: by the name of FILE; .parquet, or lines (.jsonl, .jsonl.gz, .jsonl.zst).",
)
@click.option(
    "--order",
    type=click.Choice(("participant", "time")),
    default="participant",
    show_default=True,
    help="The order of recording: one participant after another, or as the programme learned of things. "
    "By time takes temporary disk space, as much as the lines.",
)
@click.option(
    "--regencies",
    type=click.Path(),
    metavar="FILE",
    help="Also write where each participant lives, as CSV: no fact of a history says it.",
)
@language_option
def simulate_command(
    participants: int | None,
    seed: int,
    target: str,
    scale: Fraction | None,
    format_: str | None,
    order: str,
    regencies: str | None,
    lang: str | None,
) -> Status:
    """Write a history like the programme's own, of any size.

    Its people never were; its waves, quotas, dates, platforms, payments, failures, revocations, hold and
    year ends follow the published numbers. The page on simulated histories says which are
    published, which derived and which assumed.

    --participants alone: the whole programme in so many people, every wave in proportion. --scale
    alone: all people at that scale. Both: the first so many appointed at that scale; they are the
    same however many are written.

    \b
    Example: prakerja-ledger simulate --participants 20000 --seed 7 --output history.jsonl
    """
    words = words_of(lang)
    if participants is None and scale is None:
        raise click.UsageError(Phrase("say how large: --participants, --scale or both."))
    simulation = _simulation(participants, scale, seed)
    parquet = format_ == PARQUET or (format_ is None and target.endswith(".parquet"))
    if parquet and target == STANDARD_INPUT:
        raise click.UsageError(
            Phrase("Parquet needs a file: its footer is written last. Name one.")
        )
    _check_folders([target, regencies])
    with output.progress(words(N_("events"))) as tick:
        events = _write(simulation, target, tick, parquet=parquet, by_time=order == "time")
    if regencies is not None:
        _write_regencies(simulation, Path(regencies))
    output.complain(
        words(
            N_("{participants} participants · {events} events"),
            participants=words.number(simulation.participants),
            events=words.number(events),
        )
    )
    return Status.DONE


def _simulation(participants: int | None, scale: Fraction | None, seed: int) -> Simulation:
    try:
        from prakerja_ledger.simulating.people import population  # noqa: PLC0415  # numpy, an extra
        from prakerja_ledger.simulating.writing import Simulation  # noqa: PLC0415  # pyarrow too
    except ModuleNotFoundError as missing:
        raise UnreadableSource(
            source=Phrase("the simulator"),
            problem=Phrase(
                "{package} is not installed. Install prakerja-ledger[simulate].",
                package=str(missing.name),
            ),
        ) from missing
    people = population(participants, scale)
    wanted = people.size if participants is None else participants
    if not 0 < wanted <= people.size:
        raise click.UsageError(
            Phrase(
                "at that scale {count:,} are appointed. Ask for fewer --participants, or a larger --scale.",
                count=people.size,
            )
        )
    return Simulation(people, wanted, seed)


def _check_folders(targets: list[str | None]) -> None:
    for target in targets:
        if target is None or target == STANDARD_INPUT:
            continue
        path = Path(target)
        if path.is_dir() or not path.parent.is_dir():
            problem = (
                Phrase("it is a folder. Name a file in one that is.")
                if path.is_dir()
                else Phrase(
                    "there is no folder {folder}. Name a file in one that is.",
                    folder=str(path.parent),
                )
            )
            raise UnreadableSource(source=target, problem=problem)


def _write(simulation: Simulation, target: str, tick: Tick, *, parquet: bool, by_time: bool) -> int:
    from prakerja_ledger.interfaces.columnar.writing import seal  # noqa: PLC0415  # Arrow, an extra
    from prakerja_ledger.simulating.writing import write_lines, write_parquet  # noqa: PLC0415

    if target == STANDARD_INPUT:
        count = write_lines(simulation, sys.stdout.buffer, tick, by_time=by_time)
        sys.stdout.buffer.flush()
        return count
    path = Path(target)
    if parquet:
        with aside(path) as made:
            count = write_parquet(simulation, made, tick, by_time=by_time)
            seal(made, judged_by=KARTU_PRAKERJA)
            return count
    return _whole(path, lambda file: write_lines(simulation, file, tick, by_time=by_time))


def _whole(target: Path, write: Callable[[IO[bytes]], int]) -> int:
    with aside(target) as path, path.open("wb") as file, compressed(file, target) as whole:
        return write(whole)


def _write_regencies(simulation: Simulation, target: Path) -> None:
    from prakerja_ledger.simulating.residence import write_residence  # noqa: PLC0415

    with aside(target) as path, path.open("wb") as file:
        write_residence(simulation.population, simulation.participants, simulation.seed, file)
