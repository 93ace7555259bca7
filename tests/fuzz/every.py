"""All targets by their names, each made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from tests.fuzz import targets, twice
from tests.fuzz.targets import Target

TARGETS: Final[dict[str, Callable[[], Target]]] = {
    one.__name__: cache(one)
    for one in (
        targets.note,
        targets.checkpoint,
        targets.key,
        targets.proof,
        targets.receipt,
        targets.archive,
        targets.manifest,
        targets.leaves,
        targets.event,
        twice.note_twice,
        twice.checkpoint_twice,
        twice.key_twice,
        twice.proof_twice,
        twice.event_twice,
    )
}
