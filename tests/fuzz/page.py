"""Fuzz every target for minutes, SQLsmith's roles for one, and write the page: `make fuzz`."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.every import TARGETS

HEAD = """\
# What fuzzing found

<!-- Written by python -m tests.fuzz.page. -->

{day}, atheris {atheris}, {minutes} minutes a parser, two at a time. Each input is a mutation of something that is accepted. Nothing but \
the one typed error may be raised, nothing may take ten seconds or 1.5 GB, and what is accepted has to say what the seeds say: \
no mutation is believed.

| parser | what is handed in | inputs tried | a second | branches reached | inputs kept | found |
| --- | --- | --- | --- | --- | --- | --- |
"""
SQL = """
SQLsmith, {seconds} seconds for each role of a PostgreSQL ledger, every statement sent on its own and committed. Events, heads, grants, guards, \
policies, functions and roles are compared before and after.

| role | statements | how they ended |
| --- | --- | --- |
"""
MENDED = """
Found by it so far, and mended, each with a test or a seed of its own:

- a private key with white space inside it was taken for a key;
- a manifest with a number beyond 53 bits was a wrong input, and not a pack that is not as signed;
- a verifier key with a name longer than a file's may be was taken by neither verifier;
- the second verifier took a note whose other lines are no signatures, and of a line a trailing comma, a number beyond any \
double, half of a surrogate pair, and an object of any depth, all of which the first refuses.
"""
_END = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+) ft: \d+ corp: (\d+)/\S+.*?exec/s: (\d+)")
_ROLE = re.compile(r"^(\w+): (\d+) statements: (.*)$", re.MULTILINE)


class Found(NamedTuple):
    row: str
    failed: bool


def fuzzed(name: str, seconds: int) -> Found:
    """A row of the table. What a crash prints goes on to whoever watches."""
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    end = _END.search(done.stderr)
    print(f"{name}: {'fine' if done.returncode == 0 else 'FAILED'}", file=sys.stderr, flush=True)
    if done.returncode or end is None:
        print((done.stdout + done.stderr)[-5_000:], file=sys.stderr, flush=True)
        return Found(f"| {name} | | | | | | **failed** |\n", True)
    runs, covered, kept, rate = map(int, end.groups())
    what = (TARGETS[name].__doc__ or "").strip().rstrip(".")
    return Found(f"| {name} | {what} | {runs:,} | {rate:,} | {covered:,} | {kept:,} | nothing |\n", False)


def roles(seconds: int) -> list[Found]:
    """SQLsmith's rows."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "tests/test_sqlsmith.py", "-p", "no:randomly"]
    given = {**os.environ, "PRAKERJA_FUZZ_SECONDS": str(seconds)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=given)
    if done.returncode:
        print(done.stdout[-5_000:], file=sys.stderr, flush=True)
        return [Found("| | | **failed** |\n", True)]
    return [
        Found(f"| {role} | {int(count):,} | {ended} |\n", False)
        for role, count, ended in _ROLE.findall(done.stdout)
    ]


def _replace(page: Path, rows: Sequence[Found]) -> bool:
    """Put new rows where the page has those of the same names; whether one failed."""
    text = page.read_text(encoding="utf-8")
    for one in rows:
        start = one.row[: one.row.index(" |", 2) + 2]
        assert text.count(f"\n{start}") == 1, f"the page has no row {start}"
        text = re.sub(rf"(?m)^{re.escape(start)}.*\n", lambda _, row=one.row: row, text)
    page.write_text(text, encoding="utf-8")
    return any(one.failed for one in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", nargs="+", choices=[*TARGETS], help="Keep the page's other rows.")
    asked = parser.parse_args()
    names = [name for name in TARGETS if not asked.only or name in asked.only]
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(partial(fuzzed, seconds=round(asked.minutes * 60)), names))
    if asked.only:
        sys.exit(_replace(asked.output, rows))
    head = HEAD.format(
        day=datetime.now(UTC).date().isoformat(), atheris=importlib.metadata.version("atheris"), minutes=f"{asked.minutes:g}"
    )
    seconds = min(60, round(asked.minutes * 60))
    sql = roles(seconds)
    text = "".join([head, *(one.row for one in rows), SQL.format(seconds=seconds), *(one.row for one in sql), MENDED])
    if asked.output:
        asked.output.write_text(text, encoding="utf-8")
    print(text)
    sys.exit(any(one.failed for one in [*rows, *sql]))


if __name__ == "__main__":
    main()
