"""Proofs that a stranger wrote: they prove what they say, or they are refused; nothing else happens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import InvalidEvidence, NotCanonical
from prakerja_ledger.evidence.canonical import canonical_json, event_bytes
from prakerja_ledger.evidence.checkpoint import Checkpoint, Head, sealed
from prakerja_ledger.evidence.merkle import Tree, inclusion_proof, leaf_hashes, part_proof
from prakerja_ledger.evidence.note import Signer
from prakerja_ledger.evidence.proof import (
    LONGEST_PROOF,
    ProvedEvent,
    checked_proof,
    consistency_proof_file,
    events_proof,
)
from tests.ledger_support import as_bytes, enrolment

SIGNER = Signer.new("ledger.example")
KEYS = [SIGNER.verifier]
LINES = [as_bytes(enrolment(f"P-{n}")).replace(b": ", b":") for n in range(11)]
LEAVES = leaf_hashes(event_bytes(line, at) for at, line in enumerate(LINES, 1))


def nodes(level: int, index: int) -> bytes:
    tree = Tree()
    tree.extend(LEAVES[index << level : (index + 1) << level])
    return tree.root()


def note(size: int):
    tree = Tree()
    tree.extend(LEAVES[:size])
    return sealed(Checkpoint("ledger.example", (Head(size, tree.root()),)), SIGNER)


def proved(*positions: int) -> bytes:
    return events_proof(
        note(11),
        [ProvedEvent(0, at, LINES[at - 1], tuple(inclusion_proof(nodes, at - 1, 11))) for at in positions],
    )


def followed(old: int) -> bytes:
    return consistency_proof_file(note(old), note(11), [part_proof(nodes, 0, old, 11)])


WHOLE = [proved(1), proved(3, 11), followed(1), followed(6), followed(11)]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@pytest.mark.parametrize("whole", WHOLE)
def test_a_whole_proof_is_taken(whole):
    checked_proof(whole, KEYS)


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from places(one, (*path, name))


@settings(max_examples=600)
@given(st.data())
def test_a_proof_with_anything_in_the_place_of_anything_proves_nothing_else(data):
    """It is refused, or it is the same proof, or one of fewer events."""
    whole = data.draw(st.sampled_from(WHOLE))
    value = json.loads(whole)
    *way, last = data.draw(st.sampled_from([path for path in places(value) if path]))
    inside = value
    for name in way:
        inside = inside[name]
    if data.draw(st.booleans()):
        del inside[last]
    else:
        inside[last] = data.draw(anything)
    try:
        written = canonical_json(value, fractions=True) + b"\n"
    except NotCanonical:  # no JSON at all: nothing a file could hold
        return
    try:
        found = checked_proof(written, KEYS)
    except InvalidEvidence:
        return
    before = checked_proof(whole, KEYS)
    assert type(found) is type(before)
    assert set(getattr(found, "events", ())) <= set(getattr(before, "events", ()))


@given(st.binary() | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_refused(given_bytes):
    with pytest.raises(InvalidEvidence):
        checked_proof(given_bytes, KEYS)


@pytest.mark.parametrize(
    "whole",
    [b"[" * 100_000, b'{"checkpoint":' * 100, b"x" * (LONGEST_PROOF + 1), WHOLE[0][:-1], b" " + WHOLE[0]],
)
def test_deep_long_and_respelt_proofs_are_refused(whole):
    with pytest.raises(InvalidEvidence):
        checked_proof(whole, KEYS)
