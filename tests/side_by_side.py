"""One world, read by the package and by the oracle: where the two differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests import oracle, worlds
from tests.support import read, view


def size_of(seed: int) -> dict[str, int | float]:
    """How large and how broken the world of a seed is: most are small, a few have many voices."""
    participants = (5, 5, 3, 9)[seed % 4]
    return {"participants": participants, "events": (180, 120, 100, 200)[seed % 4]}


def differences(seed: int, holidays: Path | None = None) -> Iterator[str]:
    """One sentence for each answer in which the two readings differ; none where they agree."""
    lines = worlds.history(seed, **size_of(seed))
    ours, theirs = read(lines), oracle.read(lines)
    yield from _differ("check", "", ours.check_json(), oracle.check_json(theirs))
    for as_of, known_at in worlds.views(seed, lines):
        asked = f" --as-of {as_of}" + (f" --known-at {known_at}" if known_at else "")
        seen = view(as_of, known_at)
        yield from _differ(
            "statement", asked, ours.statements_json(seen),
            oracle.statements(theirs, as_of, known_at, holidays=holidays),
        )  # fmt: skip
        yield from _differ(
            "statement (too short a calendar)", asked,
            "\n".join(ours.statements(seen)[1]).encode(),
            "\n".join(
                oracle.calendar_errors(theirs, as_of, known_at, holidays=holidays)
            ).encode(),
        )  # fmt: skip
        yield from _differ(
            "findings", asked, ours.findings_json(seen),
            oracle.findings(theirs, as_of, known_at, holidays=holidays),
        )  # fmt: skip


def _differ(what: str, asked: str, ours: bytes, theirs: bytes) -> Iterator[str]:
    if ours != theirs:
        pairs = zip(ours.split(b"\n"), theirs.split(b"\n"), strict=False)
        mine, its = next(((a, b) for a, b in pairs if a != b), (ours, theirs))
        at = next((i for i, (a, b) in enumerate(zip(mine, its, strict=False)) if a != b), 0)
        cut = slice(max(0, at - 200), at + 200)
        yield (
            f"{what}{asked}: the package says …{mine[cut].decode(errors='replace')}…, "
            f"the oracle …{its[cut].decode(errors='replace')}…"
        )
