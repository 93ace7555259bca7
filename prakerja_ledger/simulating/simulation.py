"""A simulated history, chunk by chunk: the same for the same seed and scale, however much is taken."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from prakerja_ledger.simulating.accounts import link
from prakerja_ledger.simulating.complaints import complain
from prakerja_ledger.simulating.log import Ordered, in_order
from prakerja_ledger.simulating.payments import pay
from prakerja_ledger.simulating.people import CHUNK, Population, appointed
from prakerja_ledger.simulating.training import learn


@frozen(eq=False)
class Chunk:
    """What happened to some thousand participants."""

    first: int
    """The number of the first of them, from 1."""
    wanted: int
    """How many of them belong to the history; the others only make the chunk whole."""
    events: Ordered


def chunks(population: Population, participants: int, seed: int) -> Iterator[Chunk]:
    """The lives of the first so many participants."""
    for number, whole, wanted in population.chunks(participants):
        people = appointed(seed, population, number, whole)
        link(people)
        learn(people)
        pay(people)
        complain(people)
        yield Chunk(number * CHUNK + 1, wanted, in_order(people.log))
