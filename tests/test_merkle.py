"""Merkle trees: as RFC 6962 says, as others' vectors say, and as another implementation makes them."""

from __future__ import annotations

import base64
import importlib.util
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.evidence import merkle as m
from tests.ledger_support import VECTORS

FOLDER = VECTORS / "merkle" / "testdata"
CASES = sorted(FOLDER.rglob("*.json"))
LARGEST = 1_000

needs_cases = pytest.mark.skipif(
    not CASES, reason=f"{FOLDER} is missing: nothing was compared with transparency-dev's cases"
)
needs_pymerkle = pytest.mark.skipif(
    importlib.util.find_spec("pymerkle") is None,
    reason="pymerkle is not installed: no tree was compared with another implementation's",
)


def leaves(count: int) -> list[bytes]:
    return m.leaf_hashes(b"leaf %d" % number for number in range(count))


class Kept(dict):
    """Every node of a tree, as `Tree.extend` tells them, each once."""

    def __call__(self, level, first, hashes):
        for number, one in enumerate(hashes, first):
            assert (level, number) not in self
            self[level, number] = one

    def nodes(self, level: int, index: int) -> bytes:
        return self[level, index]


def kept(count: int) -> Kept:
    nodes = Kept()
    m.Tree().extend(leaves(count), nodes)
    return nodes


def by_definition(hashes: list[bytes]) -> bytes:
    """The root as RFC 6962 section 2.1 defines it."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << ((len(hashes) - 1).bit_length() - 1)
    both = by_definition(hashes[:half]) + by_definition(hashes[half:])
    return sha256(b"\1" + both).digest()


# --- what others wrote ------------------------------------------------------------------------------


@needs_cases
def test_all_cases_are_there():
    assert len(CASES) == 518


def accepted(kind: str, case: dict) -> bool:
    def decoded(text):
        return base64.b64decode(text or "")

    proof = [decoded(one) for one in case["proof"] or []]
    try:
        if kind == "inclusion":
            leaf, root = decoded(case["leafHash"]), decoded(case["root"])
            m.check_inclusion(case["leafIdx"], case["treeSize"], leaf, root, proof)
        elif kind == "consistency":
            roots = decoded(case["root1"]), decoded(case["root2"])
            m.check_consistency(case["size1"], case["size2"], *roots, proof)
        elif kind == "subtreeinclusion":
            place = case["leafIdx"], case["start"], case["end"]
            leaf, root = decoded(case["leafHash"]), decoded(case["root"])
            m.check_subtree_inclusion(*place, leaf, root, proof)
        else:
            assert kind == "subtreeconsistency"
            place = case["start"], case["end"], case["size"]
            m.check_part(*place, decoded(case["root1"]), decoded(case["root2"]), proof)
    except InvalidEvidence:
        return False
    return True


@needs_cases
@pytest.mark.parametrize("path", CASES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_case_of_transparency_dev_is_taken_or_refused_as_it_says(path):
    case = json.loads(path.read_text())

    assert accepted(path.relative_to(FOLDER).parts[0], case) is not case["wantErr"]


def test_the_tree_of_rfc_6962s_reference_implementation():
    data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
            "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
    root = m.root_of(m.leaf_hashes(map(bytes.fromhex, data)))

    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@needs_pymerkle
def test_roots_and_proofs_are_those_of_another_implementation():
    """For trees of 0 to 1,000 leaves. Its consistency proofs have another shape: they are made and
    checked over there, between the roots that are made here."""
    nodes = kept(LARGEST)
    roots = [m.range_root(nodes.nodes, 0, size) for size in range(LARGEST + 1)]
    program = Path(__file__).with_name("pymerkle_program.py")

    told = subprocess.run(
        [sys.executable, program, str(LARGEST)],
        input="\n".join(root.hex() for root in roots),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout.splitlines()

    assert len(told) == LARGEST + 1
    assert int(told.pop()) > 2 * LARGEST
    for line in told:
        size, root, indexes, paths = line.split()
        ours = sha256()
        for index in map(int, indexes.split(",")):
            ours.update(nodes[0, index])
            ours.update(b"".join(m.inclusion_proof(nodes.nodes, index, int(size))))
        assert (root, paths) == (roots[int(size)].hex(), ours.hexdigest()), size


# --- laws -------------------------------------------------------------------------------------------


sizes = st.integers(1, 130)


@given(st.integers(0, 130))
def test_the_root_is_the_one_of_the_definition(size):
    assert m.root_of(leaves(size)) == by_definition(leaves(size))


@given(st.lists(st.integers(0, 40)))
def test_how_a_tree_was_filled_does_not_count(batches):
    """Also where it is put down between two batches and taken up again by its peaks."""
    hashes = leaves(sum(batches))
    tree, at = m.Tree(), 0
    nodes = Kept()
    for count in batches:
        tree = m.Tree(tree.size, tree.peaks)
        tree.extend(hashes[at : at + count], nodes)
        at += count

    assert (tree.size, tree.root()) == (len(hashes), by_definition(hashes))
    assert nodes == kept(len(hashes))


@given(st.data(), sizes)
def test_a_leaf_is_proved_at_its_index_and_at_no_other(data, size):
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size))
    hashes = leaves(size)
    proof = m.inclusion_proof(kept(size).nodes, index, size)

    m.check_inclusion(index, size, hashes[index], m.root_of(hashes), proof)
    assume(other != index)
    with pytest.raises(InvalidEvidence):
        m.check_inclusion(other, size, hashes[index], m.root_of(hashes), proof)


@given(st.data(), sizes)
def test_a_tree_is_proved_to_be_the_beginning_of_a_larger_one_and_of_no_other(data, new):
    old = data.draw(st.integers(1, new))
    hashes = leaves(new)
    proof = m.consistency_proof(kept(new).nodes, old, new)
    before, after = m.root_of(hashes[:old]), m.root_of(hashes)
    changed = data.draw(st.integers(0, old - 1))
    hashes[changed] = m.leaf_hash(b"another")

    m.check_consistency(old, new, before, after, proof)
    with pytest.raises(InvalidEvidence):
        m.check_consistency(old, new, m.root_of(hashes[:old]), after, proof)


@given(st.data(), sizes)
def test_a_part_is_proved_to_be_one(data, size):
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    assume(m.is_part(start, end, size))
    hashes = leaves(size)
    proof = m.part_proof(kept(size).nodes, start, end, size)

    m.check_part(start, end, size, by_definition(hashes[start:end]), m.root_of(hashes), proof)


@given(st.data(), sizes)
def test_a_proof_with_one_bit_changed_is_refused(data, size):
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    proof = m.inclusion_proof(kept(size).nodes, index, size)
    assume(proof)
    place, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(proof[place]) ^ (1 << bit)).to_bytes(m.HASH_BYTES)

    with pytest.raises(InvalidEvidence):
        m.check_inclusion(
            index, size, hashes[index], m.root_of(hashes),
            [*proof[:place], flipped, *proof[place + 1 :]],
        )  # fmt: skip
