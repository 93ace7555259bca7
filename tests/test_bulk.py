"""The law a second time, in SQL: the same bytes as the Python fold, whatever was recorded."""

from __future__ import annotations

import os

import pytest

from tests import worlds
from tests.bulk_support import differences, rounded
from tests.cli_support import CASES, needs_cases
from tests.side_by_side import size_of
from tests.support import read, view

FIRST = int(os.environ.get("PRAKERJA_SEED", "0"))
COUNT = int(os.environ.get("PRAKERJA_WORLDS", "10"))
DAYS = ("2020-05-20", "2020-07-02", "2020-12-31", "2021-04-01", "2024-08-31")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_both_laws_say_the_same_of_a_random_world(seed: int):
    lines = worlds.history(seed, **size_of(seed))
    views = [view(day, known) for day, known in worlds.views(seed, lines)]
    assert not list(differences(rounded(read(lines)), views)), f"seed {seed}"


@needs_cases
@pytest.mark.parametrize(
    "path",
    sorted(path for path in CASES.rglob("*.jsonl") if path.name.count(".") == 1),  # the others are answers
    ids=lambda path: path.stem,
)
def test_both_laws_say_the_same_of_a_documented_case(path):
    recorded = rounded(read(path.read_bytes().splitlines()))
    assert not list(differences(recorded, [view(day) for day in DAYS]))
