"""Which events differ from those that were sealed: every single change is told, with its place."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.evidence.breaks import BreakCode
from prakerja_ledger.evidence.canonical import at_position
from prakerja_ledger.evidence.comparing import Comparison
from prakerja_ledger.evidence.merkle import leaf_hash


def stems(numbers) -> list[bytes]:
    return [b'{"event":%d,"position":' % number for number in numbers]


def sealed(count: int) -> bytes:
    """The leaves of events 1 to `count`, each at its own position."""
    whole = [at_position(stem, at) for at, stem in enumerate(stems(range(1, count + 1)), 1)]
    return b"".join(map(leaf_hash, whole))


def told(count: int, now: list[int], claims: list[int] | None = None) -> list[tuple]:
    """The breaks where the events that stand there now are these (above `count`: strangers)."""
    comparison = Comparison(sealed(count))
    for place, stem in enumerate(stems(now)):
        if claims is None:
            comparison.see(place + 1, stem)
        else:
            comparison.see(claims[place], stem, claims[place])
    return sorted((one.code.name, one.first, one.last, one.place) for one in comparison.breaks())


whole = list(range(1, 101))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (whole, []),
        (whole + [901, 902], []),
        (whole[:49] + [950] + whole[50:], [("EDITED", 50, 50, 50)]),
        ([901] + whole[1:], [("EDITED", 1, 1, 1)]),
        (whole[:-1] + [999], [("EDITED", 100, 100, 100)]),
        (whole[:49] + whole[50:], [("DROPPED", 50, 50, 0)]),
        (whole[1:], [("DROPPED", 1, 1, 0)]),
        (whole[:20] + whole[70:], [("DROPPED", 21, 70, 0)]),
        (whole[:49] + [950] + whole[49:], [("INSERTED", 50, 50, 50)]),
        ([950] + whole, [("INSERTED", 1, 1, 1)]),
        (whole[:50] + [7] + whole[50:], [("REPEATED", 7, 7, 51)]),
        (whole + [7], [("REPEATED", 7, 7, 101)]),
        (whole[:49] + [51, 50] + whole[51:], [("MOVED", 51, 51, 50)]),
        (whole[:9] + [90] + whole[10:89] + [10] + whole[90:],
         [("MOVED", 10, 10, 90), ("MOVED", 90, 90, 10)]),
        (whole[:80], [("CUT", 81, 100, 0)]),
        ([], [("CUT", 1, 100, 0)]),
        (whole[:80] + list(range(980, 1010)), [("FORKED", 81, 100, 81)]),
        (list(range(900, 1010)), [("FORKED", 1, 100, 1)]),
        (whole[:10] + [900] + whole[11:30] + whole[31:60] + [901] + whole[60:],
         [("DROPPED", 31, 31, 0), ("EDITED", 11, 11, 11), ("INSERTED", 61, 61, 60)]),
    ],
)  # fmt: skip
def test_what_was_done_is_told_and_nothing_else(now, expected):
    assert told(100, now) == expected


@pytest.mark.parametrize(
    ("now", "claims", "expected"),
    [
        (whole[:49] + whole[50:], whole[:49] + whole[50:], [("DROPPED", 50, 50, 0)]),
        (whole[:49] + whole[50:], whole[:99], [("DROPPED", 50, 50, 0)]),
        (whole[:49] + [51, 50] + whole[51:], whole, [("MOVED", 51, 51, 50)]),
        (whole[:48] + [949] + whole[50:], whole[:48] + whole[49:], [("DROPPED", 49, 49, 0), ("EDITED", 50, 50, 50)]),
    ],
)  # fmt: skip
def test_positions_that_a_store_claims_help_to_tell_it(now, claims, expected):
    assert told(100, now, claims) == expected


def test_a_gap_longer_than_is_looked_for_nearby_is_still_found():
    now = list(range(1, 1_001)) + list(range(3_001, 5_001))

    assert told(5_000, now) == [("DROPPED", 1_001, 3_000, 0)]


@given(st.data())
def test_a_history_that_is_not_the_sealed_one_is_never_passed(data):
    """Whatever was done to it, and however often."""
    count = data.draw(st.integers(1, 40))
    now = list(range(1, count + 1))
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = dice.randrange(len(now) + 1)
        dice.choice(
            [
                lambda at=at: now.insert(at, dice.randint(1, 99)),
                lambda at=at: now.__delitem__(slice(at, at + dice.randint(1, 3))),
                lambda at=at: now.__setitem__(slice(at, at + 1), [dice.randint(900, 999)]),
                lambda: dice.shuffle(now),
            ]
        )()
    as_sealed = now[:count] == list(range(1, count + 1)) and not set(now[count:]) & set(
        range(1, count + 1)
    )

    assert (told(count, now) == []) == as_sealed


@given(st.integers(2, 60), st.data())
def test_a_single_change_is_told_once_with_its_position(count, data):
    at = data.draw(st.integers(1, count))
    code = data.draw(st.sampled_from(["EDITED", "DROPPED", "INSERTED"]))
    now = list(range(1, count + 1))
    now[at - 1 : at] = {"EDITED": [999], "DROPPED": [], "INSERTED": [999, at]}[code]
    if (code, at) == ("DROPPED", count):
        code = "CUT"

    ((name, first, last, _),) = told(count, now)

    assert (name, first, last) == (code, at, at)
    assert BreakCode(name)
