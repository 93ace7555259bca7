"""Accounts: linked, confirmed or rejected, mended, changed, and some that two people share."""

from __future__ import annotations

from typing import Final

import numpy as np

from prakerja_ledger.simulating import parameters as p
from prakerja_ledger.simulating.days import DAY, day_of, midnight, number_of
from prakerja_ledger.simulating.drawing import Flags, Ints, threshold
from prakerja_ledger.simulating.log import Serial, Words
from prakerja_ledger.simulating.offers import BANKS, FIRST_PARTNER, OFFICE, PROVIDERS
from prakerja_ledger.simulating.people import NEVER, People

LINKED: Final = 10
WORD: Final = 12
UNLINKED: Final = 14
LINKED_AGAIN: Final = 16
WORD_AGAIN: Final = 18
CHANGED: Final = 20
"""Slots."""
_WAVES_REJECTED_MOST: Final = 3


def _since(names: list[str]) -> Ints:
    return np.array([number_of(p.PROVIDERS_SINCE.value[name]) for name in names], dtype=np.int64)


_IN_TIME_ORDER: Final = sorted(PROVIDERS, key=lambda name: p.PROVIDERS_SINCE.value[name])
_WALLETS: Final = [name for name in _IN_TIME_ORDER if name not in BANKS]
_BANKS: Final = [name for name in _IN_TIME_ORDER if name in BANKS]
_WALLETS_SINCE: Final = _since(_WALLETS)
_BANKS_SINCE: Final = _since(_BANKS)
_WALLET_PLACES: Final = np.array([PROVIDERS.index(name) for name in _WALLETS], dtype=np.int64)
_BANK_PLACES: Final = np.array([PROVIDERS.index(name) for name in _BANKS], dtype=np.int64)


def providers(people: People, at: Ints, *, evenly: bool) -> Ints:
    """A partner for each, of those there are by then."""
    draws, count = people.draws, people.count
    chosen = draws.evenly(people.wave) if evenly else draws.some(count)
    wallet = chosen < threshold(p.WALLETS.value)
    days = day_of(at)
    wallets = np.searchsorted(_WALLETS_SINCE, days, side="right")
    banks = np.searchsorted(_BANKS_SINCE, days, side="right")
    one_wallet = _WALLET_PLACES[draws.below(wallets.astype(np.int64), count)]
    one_bank = _BANK_PLACES[draws.below(banks.astype(np.int64), count)]
    found: Ints = np.where(wallet, one_wallet, one_bank)
    return found


def tokens(numbers: Ints, generation: Ints) -> Serial:
    """The opaque tokens of accounts."""
    return Serial("A-", numbers, 9, generation)


def later_token(people: People, generation: Ints) -> Serial:
    """The token of whichever account it is: only the first may be another's."""
    return tokens(np.where(generation == 1, people.token, people.number), generation)


def link(people: People) -> None:
    """Link and confirm accounts."""
    draws, count = people.draws, people.count
    never = np.where(
        people.buys,
        draws.chance(p.NEVER_LINKED.value, count),
        draws.chance(p.NEVER_LINKED_BY_IDLE.value, count),
    )
    linked = ~never
    at = people.enrolled_at + draws.lag(p.LINK_LAG.value, count)
    people.provider = providers(people, at, evenly=True)
    people.token = people.number.copy()
    _share(people, linked)
    people.generation = np.ones(count, dtype=np.int64)
    first = tokens(people.token, people.generation)
    people.log.add(
        "account-linked", linked, LINKED, at, at, OFFICE,
        provider=Words("provider", people.provider), account=first,
    )  # fmt: skip
    word_at, known = _first_word(people, at)
    partner = FIRST_PARTNER + people.provider
    share = np.where(
        people.wave < _WAVES_REJECTED_MOST,
        threshold(p.REJECTED_WAVES_1_TO_3.value),
        threshold(p.REJECTED.value),
    )
    rejected = linked & (draws.evenly(people.wave) < share)
    answered = linked & ~draws.chance(p.NEVER_ANSWERED.value, count)
    verified = answered & ~rejected
    people.log.add("account-verified", verified, WORD, word_at, known, partner, account=first)
    people.log.add(
        "account-rejected", rejected, WORD, word_at, known, partner,
        account=first, reason=_reasons(people),
    )  # fmt: skip
    people.ready_at = np.where(verified, known, NEVER)
    _mend(people, rejected, known, first)
    people.changed_at = np.full(count, NEVER)
    people.changed_ready_at = np.full(count, NEVER)


def _share(people: People, linked: Flags) -> None:
    """A few name the account of the participant before them."""
    sharing = linked & people.draws.chance(p.SHARED_ACCOUNT.value, people.count)
    sharing[0] = False
    sharing[1:] &= linked[:-1]
    with_other = np.flatnonzero(sharing)
    people.token[with_other] = people.number[with_other - 1]
    people.provider[with_other] = people.provider[with_other - 1]


def _reasons(people: People) -> Words:
    names = tuple(p.REJECTION_REASONS.value)
    places = np.array([REASON_PLACES[name] for name in names], dtype=np.int64)
    return Words("reason", places[people.draws.pick(p.REJECTION_REASONS.value, people.count)])


def _first_word(people: People, linked_at: Ints) -> tuple[Ints, Ints]:
    """When the partner says its first word, and when the programme hears it."""
    draws, count = people.draws, people.count
    at = linked_at + draws.lag(p.VALIDATION_LAG.value, count)
    backlog_ends = p.VALIDATION_BACKLOG_UNTIL.value
    run = (
        midnight(p.VALIDATION_BACKLOG_FROM.value)
        + draws.lag(p.VALIDATION_BACKLOG_LAG.value, count)
        + DAY // 3
    )
    at = np.where(linked_at < midnight(backlog_ends), np.maximum(at, run), at)
    return at, at + draws.lag(p.PARTNER_REPORT_LAG.value, count)


def _mend(people: People, rejected: Flags, heard: Ints, first: Serial) -> None:
    """The same account is confirmed after all; or, once that is possible, another is linked."""
    draws, count = people.draws, people.count
    mended = rejected & draws.chance(p.REJECTION_MENDED.value, count)
    at = heard + draws.lag(p.MENDING_LAG.value, count)
    may_relink = day_of(at) >= number_of(p.RELINKING_FROM.value)
    another = mended & may_relink & (draws.below(2, count) == 0)
    same = mended & ~another
    partner = FIRST_PARTNER + people.provider
    known = at + draws.lag(p.PARTNER_REPORT_LAG.value, count)
    people.log.add("account-verified", same, WORD_AGAIN, at, known, partner, account=first)
    people.ready_at = np.where(same, known, people.ready_at)
    provider, ready = relink(people, another, at, UNLINKED, people.generation)
    people.provider = np.where(another, provider, people.provider)
    people.changed_provider = people.provider
    people.ready_at = np.where(another, ready, people.ready_at)
    people.generation = np.where(another, 2, people.generation)


def relink(people: People, mask: Flags, at: Ints, slot: int, generation: Ints) -> tuple[Ints, Ints]:
    """Disconnect the account and link another; gives its provider, and when it is known to be good."""
    draws, count = people.draws, people.count
    people.log.add(
        "account-unlinked", mask, slot, at, at, OFFICE, account=later_token(people, generation)
    )
    linked_at = at + 60 + draws.below(1_200, count)
    new = providers(people, linked_at, evenly=False)
    account = tokens(people.number, generation + 1)
    people.log.add(
        "account-linked", mask, slot + 1, linked_at, linked_at, OFFICE,
        provider=Words("provider", new), account=account,
    )  # fmt: skip
    word_at = linked_at + draws.lag(p.VALIDATION_LAG.value, count)
    known = word_at + draws.lag(p.PARTNER_REPORT_LAG.value, count)
    people.log.add(
        "account-verified", mask, slot + 2, word_at, known, FIRST_PARTNER + new, account=account
    )
    return new, known


REASONS: Final = (*p.FAILURE_REASONS.value, "nik-mismatch", "name-mismatch")
"""Reason codes that are used."""
REASON_PLACES: Final = {name: place for place, name in enumerate(REASONS)}
assert REASON_PLACES.keys() >= p.REJECTION_REASONS.value.keys(), "a reason without a place"
