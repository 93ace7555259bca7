"""The examples run, and say what the history holds."""

from __future__ import annotations

import runpy
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_every_example_runs_as_a_script(name: str) -> None:
    """No example needs more than the package and its own data."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_the_reader_was_not_paid_for_the_hold_first_and_for_want_of_an_account_after() -> None:
    """The answer changes with the day, and the missing account is behind both."""
    example = runpy.run_path(str(EXAMPLES / "readers_case.py"))
    causes = {
        as_of: [b.cause.value for b in example["readers_statement"](as_of).lines[1].causes]
        for as_of in (date(2020, 6, 21), date(2020, 7, 2))
    }
    assert causes == {
        date(2020, 6, 21): ["PROGRAMME_HOLD", "ACCOUNT_NOT_ON_RECORD"],
        date(2020, 7, 2): ["ACCOUNT_NOT_ON_RECORD"],
    }


def test_the_letters_four_findings_can_be_made_the_day_before_it() -> None:
    """All four could be seen from facts; the sale after the stop appears only later."""
    example = runpy.run_path(str(EXAMPLES / "drivers_package.py"))
    codes = {
        as_of: {finding.code.value for finding in example["package_findings"](as_of)}
        for as_of in (date(2020, 6, 29), date(2020, 7, 3))
    }
    letter = {
        "PACKAGE_BUNDLES_COURSES",
        "CASH_BEFORE_PACKAGE_DONE",
        "COURSE_UNRATED",
        "COURSE_NOT_EVALUABLE",
    }
    assert codes == {
        date(2020, 6, 29): letter,
        date(2020, 7, 3): letter | {"PACKAGE_SOLD_AFTER_STOP"},
    }


def test_on_21_june_nothing_was_known_to_be_owed_and_yet_it_was() -> None:
    """The same day on two clocks: not earned as known then, overdue as known now."""
    example = runpy.run_path(str(EXAMPLES / "late_report.py"))
    then, now = example["first_incentive"]("2020-06-21T23:59:59.999999"), example["first_incentive"](None)
    assert (then.owed, then.status.value) == (0, "not-earned")
    assert (now.owed, now.status.value) == (600_000, "overdue")
    assert [b.cause.value for b in now.causes] == ["REPORT_LAG", "PROGRAMME_HOLD"]
