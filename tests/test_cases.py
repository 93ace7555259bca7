"""The contract's cases with their answers, byte for byte."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import SHARED
from tests.support import Read, read, view

ANSWERS = sorted(path.name for path in SHARED.glob("cases/*.*.*") if path.suffix != ".md")
NAME = re.compile(
    r"(?P<history>\w+)(?:\.(?P<as_of>[\d-]{10}))?(?:\.known-(?P<known_at>[\d-]{10}))?"
    r"\.(?P<what>check|statement|findings)\.jsonl?"
)


@cache
def history(path: Path) -> Read:
    return read(path.read_bytes().split(b"\n"))


def test_every_file_of_the_cases_is_a_history_or_an_answer_compared_here(shared):
    """A case that arrives under an unknown name is not passed over."""
    files = {path.name for path in (shared / "cases").iterdir()} - {"README.md"}
    histories = {f"{NAME.fullmatch(name)['history']}.jsonl" for name in ANSWERS}
    assert files == histories | set(ANSWERS)
    assert len(ANSWERS) >= 9


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_answer_is_the_same_byte_for_byte(shared, answer):
    asked = NAME.fullmatch(answer)
    found = history(shared / "cases" / f"{asked['history']}.jsonl")
    if asked["what"] == "check":
        made = found.check_json()
    else:
        seen = view(asked["as_of"], asked["known_at"])
        make = found.statements_json if asked["what"] == "statement" else found.findings_json
        made = make(seen)
    assert made == (shared / "cases" / answer).read_bytes()


def test_the_documented_history_is_recorded_whole(shared):
    _, duplicates, quarantined = history(shared / "cases" / "documented.jsonl").counts
    assert (duplicates, quarantined) == (0, 0)
