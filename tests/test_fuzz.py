"""Parsers of what strangers hand in: no crash, no hang, no mutation believed. Longer: `make fuzz`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.fuzz.every import TARGETS

RUNS = int(os.environ.get("PRAKERJA_FUZZ_RUNS", "4000"))


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_its_own_is_believed_and_nothing_else_is_raised(name: str):
    """The seed of the run is printed by the fuzzer; a crash leaves its input under build/."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, "--runs", str(RUNS), "--seconds", "60"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3_000:]
    assert "Done" in done.stderr
