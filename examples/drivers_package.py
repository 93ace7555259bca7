"""The package for app-based drivers, before and after letter S-148/Dir-Eks/06/2020.

The programme office stopped package sales because it could not evaluate single courses. These are
the letter's four findings, from recorded facts, as of the day before it, the day of it and later.

Run: python examples/drivers_package.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from prakerja_ledger import View, open_history
from prakerja_ledger.reading.finding import Code, Finding

DOCUMENTED = Path(__file__).parent / "data" / "documented.jsonl"
LETTER = {
    Code.PACKAGE_BUNDLES_COURSES: "1. packages mix several courses",
    Code.CASH_BEFORE_PACKAGE_DONE: "2. cash was paid before every course of the package was done",
    Code.COURSE_UNRATED: "3. courses are not rated in every dimension",
    Code.COURSE_NOT_EVALUABLE: "4. a course inside a package cannot be evaluated",
    Code.PACKAGE_SOLD_AFTER_STOP: "   (the stop itself: a package sold after it)",
}


def package_findings(as_of: date) -> Sequence[Finding]:
    """The letter's findings as of a day."""
    with open_history(str(DOCUMENTED)) as history:
        findings, _ = history.evaluation(View(as_of=as_of)).findings()
        return [finding for finding in findings if finding.code in LETTER]


def main() -> None:
    """Print the evaluation that the programme office could not make then."""
    for as_of in (date(2020, 6, 29), date(2020, 6, 30), date(2020, 7, 3)):
        found = package_findings(as_of)
        print(f"As of {as_of}:")
        for code, title in LETTER.items():
            of_this = [finding for finding in found if finding.code is code]
            print(f"  {title}: {len(of_this)}")
            for finding in of_this:
                print(f"       {finding.on} {finding.subject} {finding.detail}")


if __name__ == "__main__":
    main()
