"""Whatever is done to a sealed ledger, both verifiers tell it with its position; of a clean one they are silent.

A failure names its seed: `python -m tests.tampering --only SEED`. With PRAKERJA_EXAMPLES there are more of them;
the page docs/tampering.md is made of 10,000.
"""

from __future__ import annotations

import os

import pytest

from tests.tampering import EDITS, FEW, base, both, tampered

EDITED = range(1_000_000, 1_000_000 + int(os.environ.get("PRAKERJA_EXAMPLES", "160")))
FEW_EDITS = 20


@pytest.mark.parametrize("begin", range(EDITED.start, EDITED.stop, FEW_EDITS))
def test_every_edit_is_told_with_its_position_by_both_verifiers(begin, tmp_path):
    outcomes = {seed: tampered(seed, tmp_path) for seed in range(begin, begin + FEW_EDITS)}

    assert {seed: one for seed, one in outcomes.items() if one.told != (True, True)} == {}


@pytest.mark.parametrize("seed", range(EDITED.start // FEW, EDITED.stop // FEW))
def test_a_ledger_that_nobody_touched_is_called_broken_by_neither(seed, tmp_path):
    known = base(seed, tmp_path)

    assert both(known.file, known) == ([], [])


def test_every_kind_of_edit_is_made(tmp_path):
    """Else the table would tell of fewer than it says."""
    assert {tampered(seed, tmp_path).what for seed in range(60)} == EDITS.keys()
