"""Change the statement rules one operator at a time, and see which changes no test notices.

Runs cosmic-ray over the rules of statements with the quick, pointed tests, and writes what
survived, with the changed line, to docs/mutation.md. A survivor is looked at by a person: the file
keeps the verdict written beside each under its number and line.

Run: make mutation
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
RULES = "prakerja_ledger/reading/statement.py"
TESTS = (
    "tests/test_statement.py tests/test_causes.py tests/test_cases.py tests/test_laws.py "
    "tests/test_against_oracle.py"
)
CONFIG = """\
[cosmic-ray]
module-path = "{rules}"
timeout = 120.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:randomly -p no:cacheprovider {tests}"

[cosmic-ray.distributor]
name = "local"
"""


def main() -> int:
    """Run the mutations; print a line for each survivor. 0 where all ran."""
    with tempfile.TemporaryDirectory() as name:
        config, session = Path(name) / "mutation.toml", Path(name) / "session.sqlite"
        config.write_text(CONFIG.format(rules=RULES, python=sys.executable, tests=TESTS))
        for step in (["init"], ["exec"]):
            command = [sys.executable, "-m", "cosmic_ray.cli", *step, str(config), str(session)]
            subprocess.run(command, cwd=ROOT, check=True)
        report = ["cr-report", "--surviving-only", "--show-diff", str(session)]
        done = subprocess.run(
            [str(Path(sys.executable).parent / report[0]), *report[1:]],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    print(done.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
