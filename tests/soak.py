"""Many worlds side by side: `python -m tests.soak N [--seed FIRST]` compares N of them.

Prints a running count, every difference with the line that repeats it, and ends with status 1
where there was one.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from tests.side_by_side import differences


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="FIRST")
    asked = parser.parse_args()
    started, bad = time.monotonic(), 0
    for done, seed in enumerate(range(asked.seed, asked.seed + asked.count), 1):
        try:
            found = list(differences(seed))
        except Exception:
            found = [traceback.format_exc()]
        if found:
            bad += 1
            print(f"\nPRAKERJA_SEED={seed} PRAKERJA_WORLDS=1 pytest tests/test_against_oracle.py")
            print("\n".join(found))
        if not done % 25 or done == asked.count:
            rate = done / (time.monotonic() - started)
            print(f"\r{done} worlds, {bad} differ, {rate:.1f} a second", end="", file=sys.stderr)
    print(file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
