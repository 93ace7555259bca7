"""Where participants live: beside the history, never in it.

No fact has a field for it, and none should: facts cannot be taken back, and where a person lives is
personal. A programme keeps such data apart, by participant id; so does the simulator.
"""

from __future__ import annotations

from typing import IO, Final

import numpy as np

from prakerja_ledger.simulating.columns import SUBJECT_PREFIX, digits
from prakerja_ledger.simulating.drawing import Draws, picked
from prakerja_ledger.simulating.people import CHUNK, Population, scheme_of
from prakerja_ledger.simulating.regencies import REGENCIES

_HEADING: Final = b"participant,regency_id,regency,province_code\n"
_STREAM: Final = 1
"""Draws of their own: writing the places changes no history."""


def write_residence(population: Population, participants: int, seed: int, file: IO[bytes]) -> None:
    """Write CSV: each participant with a regency or city, as often as that year's letters say."""
    weights = [
        tuple(one.recipients[place] for one in REGENCIES)
        for place in range(len(REGENCIES[0].recipients))
    ]
    ends = [f",{one.id},{one.name},{one.province}\n".encode() for one in REGENCIES]
    file.write(_HEADING)
    for chunk, whole, wanted in population.chunks(participants):
        numbers = np.arange(chunk * CHUNK, chunk * CHUNK + whole, dtype=np.int64)
        years = scheme_of(population, numbers)
        drawn = Draws(seed, chunk, _STREAM).evenly(years)
        lines = []
        names = digits(numbers + 1)
        for year in np.unique(years).tolist():
            (rows,) = np.nonzero(years == year)
            homes = picked(drawn[rows], weights[year]).tolist()
            lines += [
                SUBJECT_PREFIX + names[row].tobytes() + ends[home]
                for row, home in zip(rows.tolist(), homes, strict=True)
                if row < wanted
            ]
        file.write(b"".join(lines))
