"""What every test may use, and how a failure says how to repeat it."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import psycopg_pool.base
import pytest
from hypothesis import settings

from tests.servers import database_url, pgbouncer, pgbouncer_url, postgres_server  # noqa: F401

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""The contract's cases and vectors, beside the checkout."""

# Examples are new on every run: a law that holds on yesterday's examples only is no law. The blob
# that a failure prints (`@reproduce_failure`) repeats it.
settings.register_profile("ci", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("ci")

# A pool's threads take random numbers whenever they connect, also while Hypothesis draws an example; it
# watches the common generator, and would call the example flaky. They get one of their own.
psycopg_pool.base.random = Random().random  # type: ignore[attr-defined]


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"true", "1"}


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder; where it is missing, a failure in CI and elsewhere a skip that says so."""
    if not SHARED.is_dir():
        problem = f"{SHARED} is missing: nothing was compared with the contract's own cases"
        if in_ci():
            pytest.fail(problem)
        pytest.skip(problem)
    return SHARED
