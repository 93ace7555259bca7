"""The package and the oracle, two readings of one contract, agree on random worlds.

`PRAKERJA_SEED=n PRAKERJA_WORLDS=m pytest tests/test_against_oracle.py` compares other worlds.
"""

from __future__ import annotations

import os

import pytest

from tests.side_by_side import differences

FIRST = int(os.environ.get("PRAKERJA_SEED", "0"))
COUNT = int(os.environ.get("PRAKERJA_WORLDS", "150"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_both_readings_of_a_world_agree_byte_for_byte(shared, seed):
    """Counts and codes, statements, calendar errors and findings, in every view of the world."""
    holidays = shared / "data" / "working-day-holidays.csv"
    found = list(differences(seed, holidays))
    repeat = f"PRAKERJA_SEED={seed} PRAKERJA_WORLDS=1 pytest tests/test_against_oracle.py"
    assert not found, "\n".join([*found, f"To repeat: {repeat}"])
