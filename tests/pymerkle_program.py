"""Trees by `pymerkle`, a program of its own: its licence (GPL) is not that of this package.

    python tests/pymerkle_program.py LARGEST < roots

Writes a line for each size from 1: the root, and the digest of all inclusion paths. The roots on standard
input (of sizes 0 to LARGEST, one a line, as this package has them) are put to its own consistency proofs:
the last line says how many of these led from one of those roots to another.
"""

from __future__ import annotations

import random
import sys
from hashlib import sha256

from pymerkle import InmemoryTree, verify_consistency

largest = int(sys.argv[1])
given = [bytes.fromhex(line) for line in sys.stdin.read().split()]
dice = random.Random(1)
tree = InmemoryTree(algorithm="sha256")
consistent = 0
for size in range(1, largest + 1):
    tree.append_entry(b"leaf %d" % (size - 1))
    every = range(size) if size <= 64 else [0, size - 1, *dice.sample(range(size), 6)]
    paths = sha256()
    for index in every:
        for one in tree.prove_inclusion(index + 1, size).path:
            paths.update(one)
    print(size, tree.get_state(size).hex(), ",".join(map(str, every)), paths.hexdigest())
    for old in {1, size, dice.randint(1, size), dice.randint(1, size)}:
        proof = tree.prove_consistency(old, size)
        verify_consistency(given[old], given[size], proof)
        consistent += 1
print(consistent)
