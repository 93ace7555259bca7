"""Change the rules of the statement one operator at a time; print the changes that no test notices.

Works on a copy of the project. The survivors that were looked at, with the verdict on each, are
listed in docs/mutation.md.

Run: make mutation
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
RULES = (
    "prakerja_ledger/reading/statement.py",
    "prakerja_ledger/reading/earning.py",
    "prakerja_ledger/reading/obstacles.py",
)
TESTS = "tests/test_statement.py tests/test_causes.py tests/test_cases.py tests/test_against_oracle.py"
CONFIG = """\
[cosmic-ray]
module-path = [{rules}]
timeout = 60.0
excluded-modules = []
test-command = "env PRAKERJA_WORLDS=25 {python} -m pytest -x -q -p no:cacheprovider {tests}"

[cosmic-ray.distributor]
name = "local"
"""


def main() -> int:
    """Run the mutations. The exit status says whether they ran, not what survived."""
    binaries = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "project"
        ignored = shutil.ignore_patterns(".venv", ".git", "build", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignored)
        if (ROOT.parent / "shared").is_dir():
            (Path(name) / "shared").symlink_to((ROOT.parent / "shared").resolve())
        rules = ", ".join(f'"{path}"' for path in RULES)
        config = CONFIG.format(rules=rules, python=sys.executable, tests=TESTS)
        (copy / "mutation.toml").write_text(config)
        session = str(copy / "session.sqlite")
        for command in (
            ["cosmic-ray", "init", "mutation.toml", session],
            ["cosmic-ray", "exec", "mutation.toml", session],
            ["cr-report", "--surviving-only", "--show-diff", session],
        ):
            subprocess.run([str(binaries / command[0]), *command[1:]], cwd=copy, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
