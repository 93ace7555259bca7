"""Fuzz one target: `python -m tests.fuzz TARGET --runs N` or `--seconds S`. A crash prints its input."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["prakerja_ledger.evidence", "prakerja_ledger.interfaces"]):
    from tests.fuzz.every import TARGETS


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("target", choices=list(TARGETS))
    arguments.add_argument("--runs", type=int, default=-1)
    arguments.add_argument("--seconds", type=int, default=0)
    arguments.add_argument("--seed", type=int, default=0, help="0: another one each time, printed")
    given = arguments.parse_args()
    target = TARGETS[given.target]()
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(target.seeds):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
            target.check(seed)
        longest = 2 * max(map(len, target.seeds)) + 64
        options = [f"-runs={given.runs}", f"-max_total_time={given.seconds}", f"-seed={given.seed}"]
        limits = ["-timeout=10", "-rss_limit_mb=1500", f"-max_len={longest}"]
        place = [f"-artifact_prefix={Path.cwd()}/build/fuzz-{given.target}-"]
        Path("build").mkdir(exist_ok=True)
        atheris.Setup([sys.argv[0], *options, *limits, *place, folder], target.check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
