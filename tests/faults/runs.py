"""One run: a life under a fault, a life that goes on after it, and the verdict."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from tests.faults import clock, injection, kill, pool, postgres, power_cut, verdict
from tests.faults.instrument import CALLS, Faulty, Hung, worker
from tests.faults.notes import notes_of


def _clock(faulty: Faulty) -> None:
    worker(faulty, clock=faulty.form).wait()


@frozen
class Instrument:
    """How a fault is made, in which forms."""

    forms: Mapping[str, str]
    run: Callable[[Any], bool | None]
    """May say that the fault has struck, where no caller noticed."""


SQLITE: Final[Mapping[str, Instrument]] = {
    "kill": Instrument(kill.FORMS, kill.run),
    **{name: Instrument(forms, injection.run) for name, forms in injection.FORMS.items()},
    "power cut": Instrument(power_cut.FORMS, power_cut.run),
    "clock": Instrument(clock.FORMS, _clock),
    "pool": Instrument(pool.FORMS, pool.run),
}
POSTGRESQL: Final[Mapping[str, Instrument]] = {
    **{name: Instrument(forms, postgres.RUN[name]) for name, forms in postgres.FORMS.items()},
    "clock": Instrument(clock.FORMS, _clock),
}
STORES: Final = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


@frozen
class Fault:
    """What can go wrong: an instrument in one of its forms, on a store."""

    store: str
    instrument: str
    form: str

    def command(self, seed: int, calls: int = CALLS) -> str:
        """The line that repeats a run."""
        short = "" if calls == CALLS else f" --calls {calls}"
        return (
            f"python -m tests.faults --store {self.store} --only '{self.instrument}: {self.form}' "
            f"--seed {seed} --runs 1{short}"
        )


def faults(store: str) -> Iterator[Fault]:
    """Every fault of a store, in the order of the table."""
    for name, instrument in STORES[store].items():
        for form in instrument.forms:
            yield Fault(store, name, form)


def _faulty(
    fault: Fault, seed: int, calls: int, folder: Path
) -> AbstractContextManager[Faulty]:
    """The run's own place: a folder, and on a server a database."""
    given = {"seed": seed, "calls": calls, "folder": folder}
    given |= {"instrument": fault.instrument, "form": fault.form}
    on_server = fault.store == "postgresql"
    return postgres.database(**given) if on_server else nullcontext(Faulty(**given))


def run(fault: Fault, seed: int, calls: int = CALLS) -> verdict.Verdict:
    """One run, from its seed."""
    with (
        tempfile.TemporaryDirectory(prefix="prakerja-faults-") as name,
        _faulty(fault, seed, calls, Path(name)) as faulty,
    ):
        try:
            struck = _lived(fault, faulty)
        except Hung as hung:
            return _hung(faulty, hung)
        found = verdict.judge(faulty.url, list(notes_of(faulty.notes)))
        found.struck |= struck
        said = (faulty.folder / "said.txt").read_text(errors="replace")
        if said:
            found.wrong("other", f"the service said:\n{said}")
        return found


def _lived(fault: Fault, faulty: Faulty) -> bool:
    """Two lives of the service; whether the first was struck, as far as it is known here."""
    struck = bool(STORES[fault.store][fault.instrument].run(faulty))
    ended = any(note["what"] == "finished" for note in notes_of(faulty.notes))
    faulty.mended()
    worker(faulty, life=2, calls=6).wait()
    return struck or not ended or fault.instrument == "clock"


def _hung(faulty: Faulty, hung: Hung) -> verdict.Verdict:
    found = verdict.Verdict(struck=True)
    verdict.escapes(list(notes_of(faulty.notes)), found)
    found.wrong("other", f"the service hung:\n{hung}")
    return found


def attempt(fault: Fault, seed: int, calls: int = CALLS) -> verdict.Verdict:
    """A run; one that ends with an error of its own is a broken promise too, and stops no other."""
    try:
        return run(fault, seed, calls)
    except Exception:
        found = verdict.Verdict()
        found.wrong("other", traceback.format_exc())
        return found
