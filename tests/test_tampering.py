"""Whatever is done to a sealed ledger or a pack, both verifiers tell it with its place; of a clean one they are silent.

A failure names its seed: `python -m tests.tampering --only KIND SEED`. With PRAKERJA_EXAMPLES there are more of them;
the page docs/tampering.md is made of 10,000 of each.
"""

from __future__ import annotations

import os

import pytest

from tests.tampering.__main__ import FEW, KINDS, one_history

HISTORIES = range(100_000, 100_000 + int(os.environ.get("PRAKERJA_EXAMPLES", "160")) // FEW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", HISTORIES)
def test_every_edit_is_told_with_its_place_by_both_verifiers_and_nothing_before(kind, number):
    _, missed = one_history(kind, number)
    assert missed == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_edit_is_made(kind, tmp_path):
    """Else the table would tell of fewer than it says."""
    made = {KINDS[kind].tampered(seed // FEW, seed, tmp_path).what for seed in range(100)}
    assert made == KINDS[kind].EDITS.keys()
