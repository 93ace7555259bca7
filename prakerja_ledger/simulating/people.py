"""Who is appointed: the waves at a scale, cut into chunks, and what lies ahead of each participant."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate
from typing import Final

import numpy as np
from attrs import define, field, frozen

from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Scheme
from prakerja_ledger.simulating import parameters as p
from prakerja_ledger.simulating.days import DAY, day_of, number_of
from prakerja_ledger.simulating.drawing import Draws, Flags, Ints, threshold
from prakerja_ledger.simulating.log import Log, Words
from prakerja_ledger.simulating.offers import OFFICE
from prakerja_ledger.simulating.waves import APPOINTED, WAVES

CHUNK: Final = 5_000
"""Participants that are simulated together; part of what a seed means."""
NEVER: Final = 1 << 40
"""A time, or a day, that does not come."""

SCHEMES: Final[tuple[Scheme, ...]] = tuple(KARTU_PRAKERJA.schemes.values())
_SCHEME_PLACE: Final = {scheme.id: place for place, scheme in enumerate(SCHEMES)}
_APPOINTED_ON: Final = np.array([number_of(w.appointed_on) for w in WAVES], dtype=np.int64)
_REVOKED_ON: Final = np.array([number_of(w.revoked_on) for w in WAVES], dtype=np.int64)
_REVOKED: Final = np.array([threshold(w.revoked) for w in WAVES], dtype=np.int64)
_SCHEME: Final = np.array([_SCHEME_PLACE[w.scheme] for w in WAVES], dtype=np.int64)


def _idle(scheme: str) -> Fraction:
    """Those of a year who neither buy nor are revoked, beside the revocations of all its waves."""
    waves = [wave for wave in WAVES if wave.scheme == scheme]
    revoked = sum(wave.recipients * wave.revoked for wave in waves)
    return max(
        Fraction(0),
        1 - p.BOUGHT.value[scheme] - Fraction(revoked, sum(wave.recipients for wave in waves)),
    )


_IDLE: Final = np.array([threshold(_idle(w.scheme)) for w in WAVES], dtype=np.int64)


def by_scheme(values: dict[str, int]) -> Ints:
    """A number for each scheme, in their order."""
    return np.array([values[scheme.id] for scheme in SCHEMES], dtype=np.int64)


@frozen
class Population:
    """The programme with every quota multiplied by a scale."""

    scale: Fraction

    @property
    def bounds(self) -> list[int]:
        """The number of participants up to and including each wave."""
        whole = accumulate(wave.recipients for wave in WAVES)
        return [int(count * self.scale + Fraction(1, 2)) for count in whole]

    @property
    def size(self) -> int:
        """All participants."""
        return self.bounds[-1]

    def chunks(self, participants: int) -> Iterator[tuple[int, int, int]]:
        """Chunks that hold the first so many: number, participants in it, of these wanted.

        A chunk is always simulated whole, so that the first participants of a long history are
        those of a short one.
        """
        size = self.size
        for number, first in enumerate(range(0, min(participants, size), CHUNK)):
            whole = min(CHUNK, size - first)
            yield number, whole, min(whole, participants - first)


def population(participants: int | None, scale: Fraction | None) -> Population:
    """At a scale; or, without one, the whole programme in so many participants."""
    if scale is None:
        assert participants is not None, "one of the two says how large"
        scale = Fraction(participants, APPOINTED)
    return Population(scale)


@define(eq=False, slots=False)
class People:
    """A chunk of participants: what was drawn for each of them so far. One place each, all arrays."""

    draws: Draws
    log: Log
    number: Ints
    """From 1; the participant's id is made of it."""
    wave: Ints
    """By place: wave 1 is 0."""
    scheme: Ints = field(init=False)
    in_2020: Flags = field(init=False)
    enrolled_at: Ints = field(init=False)
    buys: Flags = field(init=False)
    buys_late: Flags = field(init=False)
    finishes: Flags = field(init=False)
    revoked_at: Ints = field(init=False)
    """For ever, or until a later reinstatement; NEVER for the others."""
    paid_all_the_same: Flags = field(init=False)

    # accounts
    provider: Ints = field(init=False)
    token: Ints = field(init=False)
    """The number in the first account's token: the participant's own, or another's."""
    generation: Ints = field(init=False)
    """Which account of the participant is to be paid to, from 1."""
    ready_at: Ints = field(init=False)
    """When the programme learned that it can be paid to."""
    changed_at: Ints = field(init=False)
    """When another account was linked of one's own accord, and when that one was ready."""
    changed_ready_at: Ints = field(init=False)
    changed_provider: Ints = field(init=False)

    # training
    first_done: tuple[Ints, Ints, Ints] = field(init=False)
    """Completion, certificate and rating of the first course."""
    first_known: Ints = field(init=False)
    """When the programme had learned of all three."""
    earns: Flags = field(init=False)
    """Whether all three are there, with a review."""
    earned_on: Ints = field(init=False)
    paid_on: Ints = field(init=False)
    """The day on which the first incentive arrived."""

    @property
    def count(self) -> int:
        """Participants in the chunk."""
        return len(self.number)

    @property
    def everybody(self) -> Flags:
        """A mask that picks all."""
        return np.ones(self.count, dtype=np.bool_)

    def office_hours(self, days: Ints) -> Ints:
        """A time in office hours on each day."""
        first, last = p.OFFICE_HOURS.value
        return days * DAY + first * 3_600 + self.draws.below((last - first) * 3_600, len(days))


def appointed(seed: int, population: Population, chunk: int, count: int) -> People:
    """The participants of a chunk, enrolled, with the outlines of what they will do."""
    first = chunk * CHUNK
    places = np.arange(first, first + count, dtype=np.int64)
    wave = np.searchsorted(np.array(population.bounds), places, side="right").astype(np.int64)
    people = People(draws=Draws(seed, chunk), log=Log(), number=places + 1, wave=wave)
    people.scheme = _SCHEME[wave]
    people.in_2020 = people.scheme == 0
    people.enrolled_at = people.office_hours(_APPOINTED_ON[wave])
    _enrol(people)
    _outline(people)
    return people


def scheme_of(population: Population, places: Ints) -> Ints:
    """The scheme of participants, by place; they are numbered in the order of the waves."""
    found: Ints = _SCHEME[np.searchsorted(np.array(population.bounds), places, side="right")]
    return found


def _enrol(people: People) -> None:
    draws, count = people.draws, people.count
    wrong = draws.chance(p.WRONG_WAVE.value, count)
    mended = wrong & draws.chance(p.WRONG_WAVE_MENDED.value, count)
    mended_at = people.office_hours(day_of(people.enrolled_at) + 1 + draws.below(14, count))
    scheme = Words("scheme", people.scheme)
    number = people.wave + 1
    # a wave of another scheme: 50 further on, or back
    other = np.where(number > 50, number - 50, number + 50)
    people.log.add(
        "enrolled", people.everybody, 0, people.enrolled_at, people.enrolled_at, OFFICE,
        wave=np.where(wrong, other, number), scheme=scheme,
    )  # fmt: skip
    people.log.add(
        "enrolment-corrected", mended, 1, mended_at, mended_at, OFFICE,
        wave=number, scheme=scheme,
        reason=Words("correction", np.zeros(count, dtype=np.int64)),
        authority=Words("authority", np.zeros(count, dtype=np.int64)),
    )  # fmt: skip


def _outline(people: People) -> None:
    """Who buys, who finishes, who is revoked for want of a purchase."""
    draws, count, wave = people.draws, people.count, people.wave
    fate = draws.evenly(wave)
    revoked = fate < _REVOKED[wave]
    people.buys = fate >= _REVOKED[wave] + _IDLE[wave]
    people.buys_late = people.buys & draws.chance(p.LATE_BUYERS.value, count)
    finished = by_scheme({name: threshold(share) for name, share in p.FINISHED.value.items()})
    # spread evenly among the buyers, who are the ones to finish
    people.finishes = people.buys & (draws.evenly(wave * 2 + people.buys) < finished[people.scheme])
    people.revoked_at = np.full(count, NEVER)
    when = people.office_hours(_REVOKED_ON[wave])
    _revoke(people, revoked, when, "no-first-purchase")
    error = people.buys & draws.chance(p.REINSTATED.value, count)
    people.log.add(
        "participation-revoked", error, 92, when, when, OFFICE,
        reason=Words("revocation", np.zeros(count, dtype=np.int64)),
    )  # fmt: skip
    back = people.office_hours(day_of(when) + 1 + draws.whole(p.REINSTATED_LAG.value, count))
    people.log.add(
        "participation-reinstated", error, 93, back, back, OFFICE,
        reason=Words("reinstatement", np.zeros(count, dtype=np.int64)),
    )  # fmt: skip
    left = people.buys & ~error
    for share, reason in ((p.INELIGIBLE, "ineligible"), (p.FRAUD, "fraud")):
        guilty = left & (people.revoked_at == NEVER) & draws.chance(share.value, count)
        after = day_of(people.enrolled_at) + draws.whole(p.REVOKED_LATER_LAG.value, count)
        _revoke(people, guilty, people.office_hours(after), reason)
    people.paid_all_the_same = draws.chance(p.PAID_ALL_THE_SAME.value, count)


def _revoke(people: People, mask: Flags, at: Ints, reason: str) -> None:
    places = np.full(people.count, REVOCATIONS.index(reason))
    people.log.add(
        "participation-revoked", mask, 92, at, at, OFFICE, reason=Words("revocation", places)
    )
    people.revoked_at = np.where(mask, at, people.revoked_at)


REVOCATIONS: Final = ("no-first-purchase", "ineligible", "fraud")
