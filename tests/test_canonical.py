"""Canonical bytes: RFC 8785 as others test it, and one spelling of every recorded event."""

from __future__ import annotations

import json
import math
import struct

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import NotCanonical, Refusal
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.evidence import canonical
from prakerja_ledger.evidence.merkle import leaf_hash
from prakerja_ledger.evidence.canonical import canonical_json, event_bytes, event_stem
from prakerja_ledger.evidence.wire import read_event, write_event
from prakerja_ledger.testing import strategies
from tests import worlds
from tests.ledger_support import VECTORS, as_bytes, enrolment

PAIRS = sorted((VECTORS / "jcs" / "testdata" / "input").glob("*.json"))

needs_pairs = pytest.mark.skipif(
    not PAIRS, reason=f"{VECTORS}/jcs is missing: nothing was compared with RFC 8785's own pairs"
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-(2**53) + 1, 2**53 - 1)
values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


# --- RFC 8785 -------------------------------------------------------------------------------------


@needs_pairs
def test_all_pairs_are_there():
    assert len(PAIRS) == 6


@needs_pairs
@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_the_pairs_of_rfc_8785_come_out_as_published(path):
    published = path.parent.parent / "output" / path.name
    given_value = json.loads(path.read_bytes())

    assert canonical_json(given_value, fractions=True) == published.read_bytes()


@given(values)
def test_what_another_canonicaliser_writes_is_written_here(value):
    """`rfc8785` is by other authors."""
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0]))
def test_doubles_are_written_as_another_canonicaliser_does(value):
    if math.isfinite(value):
        assert canonical_json(value, fractions=True) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, b"0"), (-0.0, b"0"), (1e21, b"1e+21"), (1e20, b"100000000000000000000"),
        (1e-6, b"0.000001"), (1e-7, b"1e-7"), (123.456, b"123.456"), (-5e-324, b"-5e-324"),
        (1.5e300, b"1.5e+300"), (295147905179352830000.0, b"295147905179352830000"),
    ],
)  # fmt: skip
def test_doubles_at_the_edges_of_each_notation(value, written):
    assert canonical_json(value, fractions=True) == written


@pytest.mark.parametrize(
    "value",
    [1.5, 1.0, {"amount": 600_000.0}, [0.1], 2**53, -(2**53), math.nan, "\ud800", {"\udfff": 1},
     {1: "x"}, b"bytes", (1, 2), {"a": object()}],
)  # fmt: skip
def test_what_is_hashed_holds_no_fraction_and_nothing_that_readers_round(value):
    with pytest.raises(NotCanonical):
        canonical_json(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_refused_among_doubles_too(value):
    with pytest.raises(NotCanonical):
        canonical_json(value, fractions=True)


def test_a_value_deeper_than_python_can_follow_is_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(NotCanonical):
        canonical_json(deep)


# --- events ---------------------------------------------------------------------------------------


def test_the_canonical_bytes_of_an_event_are_these():
    line = as_bytes(enrolment("P-ö", traceparent="00-ab", x1=[1.50, 9007199254740993]))
    line = line.replace(b"1.5,", b"1.50 ,")

    assert event_bytes(line, 17).decode() == (
        '{"event":{"data":{"scheme":"semi-bansos-2020","wave":2},"id":"enrolled P-ö","source":"//pmo",'
        '"specversion":"1.0","subject":"P-ö","time":"2020-05-19T10:00:00+07:00",'
        '"type":"prakerja.enrolled.v1"},"format":"prakerja-event-1",'
        '"kept":{"traceparent":"\\"00-ab\\"","x1":"[1.50 ,9007199254740993]"},"position":17}'
    )


def spelt_otherwise(line: bytes) -> bytes:
    """The same JSON value with other white space, escapes and order."""
    value = json.loads(line)
    return json.dumps(dict(reversed(value.items())), indent=1, ensure_ascii=True).encode()


@given(strategies.events())
def test_how_an_event_is_spelt_does_not_count(event):
    line = write_event(event)

    assert event_stem(line) == event_stem(spelt_otherwise(line).replace(b"\n", b" "))


@given(strategies.events())
def test_the_quick_way_and_the_strict_one_write_the_same(event):
    line = write_event(event)

    assert event_stem(line) == canonical._slowly_told(line).stem


@given(strategies.events(), st.integers(1, 2**53 - 1))
def test_canonical_bytes_are_canonical_json_themselves(event, position):
    written = event_bytes(write_event(event), position)

    assert canonical_json(json.loads(written)) == written


def recorded_lines(seed: int) -> list[bytes]:
    lines = [line.strip(b" \t\r") for line in worlds.history(seed, participants=5, events=150)]
    return [
        line for line in lines if not isinstance(read_event(line, 0, KARTU_PRAKERJA), Refusal)
    ]


@pytest.mark.parametrize("seed", range(610_000, 610_020))
def test_every_event_has_canonical_bytes_and_equal_bytes_are_equal_events(seed):
    """Kept attributes may hold any JSON value, fractions and large integers too."""
    by_bytes = {}
    for line in recorded_lines(seed):
        value = json.loads(line, parse_float=str, parse_int=lambda digits: f"int {digits}")
        assert by_bytes.setdefault(event_bytes(line, 1), value) == value


@pytest.mark.parametrize("seed", range(610_000, 610_010))
def test_many_at_once_are_the_same_as_one_by_one(seed):
    lines = recorded_lines(seed)
    ours = [line for line in lines if len(canonical._encode(json.loads(line))) == len(line)]

    for some in (lines, ours, lines[:1], []):
        assert canonical.run_of_leaves(some, 7) == [
            leaf_hash(event_bytes(line, at)) for at, line in enumerate(some, 7)
        ]


@pytest.mark.parametrize("seed", range(610_000, 610_005))
def test_worlds_go_both_ways(seed):
    """Else the laws above would be told of one of them only."""
    lines = recorded_lines(seed)
    quick = [line for line in lines if len(canonical._encode(json.loads(line))) == len(line)]

    assert 0 < len(quick) < len(lines)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[]", b"\xff{}", b'{"id":"a","id":"b"}',
        as_bytes(enrolment()).replace(b'"wave": 2', b'"wave": 2.0').replace(b'"wave":2', b'"wave":2.0'),
        as_bytes(enrolment()).replace(b'"wave": 2', b'"wave": 2, "wave": 3').replace(b'"wave":2', b'"wave":2,"wave":3'),
        as_bytes(enrolment()).replace(b'"wave":2', b'"wave":9007199254740993'),
        as_bytes(enrolment()).replace(b'"//pmo"', b'"\\ud800"'),
    ],
)  # fmt: skip
def test_what_can_be_read_two_ways_has_no_canonical_bytes(line):
    with pytest.raises(NotCanonical):
        event_bytes(line, 1)
