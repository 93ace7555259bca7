"""One run: a life under a fault, a life that goes on after it, and the verdict."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from tests.faults import clock, injection, kill, pool, power_cut, verdict
from tests.faults.instrument import Faulty, Hung, worker
from tests.faults.notes import notes_of


def _clock(faulty: Faulty) -> None:
    worker(faulty, clock=faulty.form).wait()


@frozen
class Instrument:
    """How a fault is made, in which forms."""

    forms: Mapping[str, str]
    run: Callable[[Faulty], None]


SQLITE: Final[Mapping[str, Instrument]] = {
    "kill": Instrument(kill.FORMS, kill.run),
    **{name: Instrument(forms, injection.run) for name, forms in injection.FORMS.items()},
    "power cut": Instrument(power_cut.FORMS, power_cut.run),
    "clock": Instrument(clock.FORMS, _clock),
    "pool": Instrument(pool.FORMS, pool.run),
}
STORES: Final = {"sqlite": SQLITE}


@frozen
class Fault:
    """What can go wrong: an instrument in one of its forms, on a store."""

    store: str
    instrument: str
    form: str

    def command(self, seed: int) -> str:
        """The line that repeats a run."""
        return (
            f"python -m tests.faults --store {self.store} --only '{self.instrument}: {self.form}' "
            f"--seed {seed} --runs 1"
        )


def faults(store: str) -> Iterator[Fault]:
    """Every fault of a store, in the order of the table."""
    for name, instrument in STORES[store].items():
        for form in instrument.forms:
            yield Fault(store, name, form)


def run(fault: Fault, seed: int) -> verdict.Verdict:
    """One run, from its seed."""
    with tempfile.TemporaryDirectory(prefix="prakerja-faults-") as name:
        faulty = Faulty(instrument=fault.instrument, form=fault.form, seed=seed, folder=Path(name))
        try:
            ended = _lived(fault, faulty)
        except Hung as hung:
            return _hung(faulty, hung)
        found = verdict.judge(faulty.url, list(notes_of(faulty.notes)))
        found.struck |= faulty.instrument == "clock" or not ended
        said = (faulty.folder / "said.txt").read_text(errors="replace")
        if said:
            found.wrong("other", f"the service said:\n{said}")
        return found


def _lived(fault: Fault, faulty: Faulty) -> bool:
    """Two lives of the service; whether the first came to its end."""
    STORES[fault.store][fault.instrument].run(faulty)
    ended = any(note["what"] == "finished" for note in notes_of(faulty.notes))
    worker(faulty, life=2, calls=6).wait()
    return ended


def _hung(faulty: Faulty, hung: Hung) -> verdict.Verdict:
    found = verdict.Verdict(struck=True)
    verdict.escapes(list(notes_of(faulty.notes)), found)
    found.wrong("other", f"the service hung:\n{hung}")
    return found


def attempt(fault: Fault, seed: int) -> verdict.Verdict:
    """A run; one that ends with an error of its own is a broken promise too, and stops no other."""
    try:
        return run(fault, seed)
    except Exception:
        found = verdict.Verdict()
        found.wrong("other", traceback.format_exc())
        return found
