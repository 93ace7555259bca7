"""Payments: instalments month by month, surveys, transfers that fail and come back, holds and year ends."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
from attrs import define

from prakerja_ledger.domain.schemes import POST_TRAINING, SURVEY, line_of
from prakerja_ledger.simulating import parameters as p
from prakerja_ledger.simulating.accounts import CHANGED, REASON_PLACES, later_token, relink
from prakerja_ledger.simulating.days import (
    DAY,
    day_of,
    midnight,
    months_later,
    number_of,
    within,
    working_days_after,
)
from prakerja_ledger.simulating.drawing import Flags, Ints, threshold
from prakerja_ledger.simulating.log import ABSENT, IdOf, Serial, Words
from prakerja_ledger.simulating.offers import BANKS, FIRST_PARTNER, OFFICE, PROVIDERS
from prakerja_ledger.simulating.people import NEVER, SCHEMES, People, by_scheme

INCENTIVES: Final = 160
SURVEYS: Final = 100
STEP: Final = 20
"""Slots: those of the n-th instalment start at one of the two, and n-1 steps."""
MISTAKEN: Final = 240
_AMOUNT: Final = {
    POST_TRAINING: by_scheme({s.id: s.post_training.each for s in SCHEMES}),
    SURVEY: by_scheme({s.id: s.survey.each for s in SCHEMES}),
}
_COUNT: Final = {
    POST_TRAINING: by_scheme({s.id: s.post_training.count for s in SCHEMES}),
    SURVEY: by_scheme({s.id: s.survey.count for s in SCHEMES}),
}
_MOST: Final = {component: int(counts.max()) for component, counts in _COUNT.items()}
COMPONENTS: Final = (POST_TRAINING, SURVEY)
ATTEMPTS: Final = 3
"""The first, one retry, and one instructed by mistake."""
DISBURSEMENTS: Final = tuple(
    f"{line_of(component, n)}-{attempt + 1}"
    for component in COMPONENTS
    for n in range(1, max(_MOST.values()) + 1)
    for attempt in range(ATTEMPTS)
)
_FAILURE_PLACES: Final = np.array([REASON_PLACES[name] for name in p.FAILURE_REASONS.value])
_BANK_PLACES: Final = [PROVIDERS.index(name) for name in BANKS]
_EVE_OF_YEAR_END: Final = number_of(date(2020, 12, 8))
"""The working day from which 1 to 3 working days lead to BROUGHT_FORWARD_TO (the 9th is none)."""
_EVE_OF_NEW_YEAR: Final = number_of(p.YEAR_END.value[1])
_EVE_OF_LAST_RUN: Final = number_of(p.LAST_RUN.value) - 1
assert SCHEMES[0].account_linked_by is not None, "2020 has a last linking date"
assert number_of(SCHEMES[0].account_linked_by) == _EVE_OF_LAST_RUN, "the last run is its morrow"


@define(eq=False)
class Transfer:
    """One instalment of each, to be sent on a day."""

    component: str
    instalment: int
    mask: Flags
    instruct_on: Ints
    settle_on: Ints
    attempt: int = 0

    @property
    def slot(self) -> int:
        """The slot of its instruction."""
        base = INCENTIVES if self.component == POST_TRAINING else SURVEYS
        return base + (self.instalment - 1) * STEP + 6 * self.attempt + 1

    def name(self, count: int) -> Words:
        """The id of the disbursement."""
        place = COMPONENTS.index(self.component) * max(_MOST.values()) + self.instalment - 1
        return Words("disbursement", np.full(count, place * ATTEMPTS + self.attempt))


def pay(people: People) -> None:
    """Pay the incentives, then the surveys."""
    stopped_at = np.where(people.paid_all_the_same, NEVER, people.revoked_at)
    can = people.earns & (people.ready_at < NEVER)
    _incentives(people, can, stopped_at)
    _surveys(people, can, stopped_at)


def _incentives(people: People, can: Flags, stopped_at: Ints) -> None:
    draws, count = people.draws, people.count
    base = np.maximum(day_of(people.first_known), day_of(np.where(can, people.ready_at, 0)))
    people.paid_on = np.full(count, NEVER)
    before, arrived = base, np.zeros(count, dtype=np.int64)
    for n in range(1, _MOST[POST_TRAINING] + 1):
        due = months_later(people.earned_on, n - 1)
        low, high = p.SCHEDULING_WORKING_DAYS.value
        if n == 1:
            wish = working_days_after(base, low + draws.below(high - low + 1, count))
        else:
            wish = working_days_after(due, draws.below(2, count))
            wish = np.maximum(wish, before + p.LATER_INCENTIVES_DAYS.value)
            wish = working_days_after(wish, 0)
        mask = can & (n <= _COUNT[POST_TRAINING][people.scheme])
        known_by_then = arrived if n > 1 else base
        one = _scheduled(people, POST_TRAINING, n, mask, wish, known_by_then)
        one.mask &= one.instruct_on * DAY < stopped_at
        arrived, can = _send(people, one), can & one.mask
        can &= arrived < NEVER
        before = one.instruct_on
        if n == 1:
            people.paid_on = arrived
            _twice_by_mistake(people, one)
        if n == 2:
            _change_accounts(people, can, arrived)


def _scheduled(
    people: People, component: str, instalment: int, mask: Flags, wish: Ints, ready_on: Ints
) -> Transfer:
    """The days on which a payment wished for a day is instructed and settled.

    Nothing settles in the hold; 2020's money stops for the year end, earlier or later by what was
    ready before it; and what of it is left goes out with the last run.
    """
    draws, count = people.draws, people.count
    low, high = p.TRANSFER_WORKING_DAYS.value
    took = low + draws.below(high - low + 1, count)
    changing = (wish * DAY >= people.changed_at) & (wish <= day_of(people.changed_ready_at))
    wish = np.where(changing, day_of(np.where(changing, people.changed_ready_at, 0)) + 1, wish)
    instruct = working_days_after(wish, 0)
    settle = working_days_after(instruct, took)
    first, last = p.HOLD.value
    held = (settle >= number_of(first)) & (instruct <= number_of(last))
    least, most = p.AFTER_HOLD_WORKING_DAYS.value
    after = working_days_after(
        np.full(count, number_of(last) + 1), least + draws.below(most - least + 1, count)
    )
    instruct = np.where(held, after, instruct)
    settle = np.where(held, working_days_after(instruct, took), settle)
    gap = people.in_2020 & within(settle, *p.YEAR_END.value)
    forward = gap & (settle <= number_of(date(2020, 12, 31))) & (ready_on < _EVE_OF_YEAR_END)
    eve = np.where(forward, _EVE_OF_YEAR_END, _EVE_OF_NEW_YEAR)
    instruct = np.where(gap, eve, instruct)
    settle = np.where(gap, working_days_after(eve, 1 + draws.below(3, count)), settle)
    too_late = people.in_2020 & (settle > number_of(p.LAST_RUN.value))
    mask = mask & ~(too_late & (ready_on >= _EVE_OF_LAST_RUN))
    instruct = np.where(too_late, _EVE_OF_LAST_RUN, instruct)
    settle = np.where(too_late, number_of(p.LAST_RUN.value), settle)
    return Transfer(component, instalment, mask, instruct, settle)


def _send(people: People, one: Transfer) -> Ints:
    """Instruct and settle; a few fail, come back or stay without an outcome, and are sent again.

    Gives the day on which the money arrived for good, or NEVER.
    """
    draws, count = people.draws, people.count
    settled_at = _instruct(people, one)
    partner = FIRST_PARTNER + _partner(people, one)
    fate = draws.some(count)
    failed = one.mask & (fate < threshold(p.FAILURES.value))
    lost = one.mask & ~failed & (fate >= (1 << 32) - threshold(p.LOST_OUTCOME.value))
    settled = one.mask & ~failed & ~lost
    known = settled_at + draws.lag(p.PARTNER_REPORT_LAG.value, count)
    name = one.name(count)
    _settle(people, one, settled, settled_at, known)
    reason = Words("reason", _FAILURE_PLACES[draws.pick(p.FAILURE_REASONS.value, count)])
    people.log.add(
        "disbursement-failed", failed, one.slot + 1, settled_at, known, partner,
        disbursement=name, reason=reason,
    )  # fmt: skip
    returned = settled & draws.chance(p.RETURNED.value, count)
    back_at = known + DAY + draws.below(3 * DAY, count)
    back_known = back_at + draws.lag(p.PARTNER_REPORT_LAG.value, count)
    people.log.add(
        "disbursement-returned", returned, one.slot + 3, back_at, back_known, partner,
        disbursement=name, amount=np.full(count, ABSENT), reason=reason,
    )  # fmt: skip
    arrived = np.where(settled & ~returned, one.settle_on, NEVER)
    taken_back = failed & draws.chance(p.FAILED_AND_SETTLED.value, count)
    after_all = known + DAY + draws.below(10 * DAY, count)
    _settle(people, one, taken_back, after_all, after_all + 3_600, later=1)
    arrived = np.where(taken_back, day_of(after_all), arrived)
    if one.attempt:
        return arrived
    undone_on = np.where(returned, day_of(back_known), day_of(known))
    again = (failed | returned) & draws.chance(p.RETRIED.value, count)
    retry = _retry(people, one, again, undone_on)
    retry.mask &= ~(taken_back & (day_of(after_all) < retry.instruct_on))
    arrived_later = _send(people, retry) if retry.mask.any() else np.full(count, NEVER)
    return np.minimum(arrived, arrived_later)


def _retry(people: People, one: Transfer, again: Flags, undone_on: Ints) -> Transfer:
    low, high = p.RETRY_WORKING_DAYS.value
    wait = low + people.draws.below(high - low + 1, people.count)
    wish = working_days_after(np.where(again, undone_on, 0), wait)
    retry = _scheduled(people, one.component, one.instalment, again, wish, undone_on)
    retry.mask &= retry.instruct_on > undone_on
    retry.attempt = 1
    return retry


def _instruct(people: People, one: Transfer) -> Ints:
    """Record the instruction; gives the time at which it settles."""
    draws, count = people.draws, people.count
    at = one.instruct_on * DAY + 8 * 3_600 + draws.below(4 * 3_600, count)
    _record_instruction(people, one, one.mask, one.slot, at)
    return one.settle_on * DAY + 12 * 3_600 + draws.below(5 * 3_600, count)


def _record_instruction(people: People, one: Transfer, mask: Flags, slot: int, at: Ints) -> Ints:
    count = people.count
    changed = day_of(at) > day_of(people.changed_ready_at)
    return people.log.add(
        "disbursement-instructed", mask, slot, at, at, OFFICE,
        disbursement=one.name(count),
        component=Words("component", np.full(count, COMPONENTS.index(one.component))),
        instalment=np.full(count, one.instalment),
        amount=_AMOUNT[one.component][people.scheme],
        provider=Words("provider", np.where(changed, people.changed_provider, people.provider)),
        account=later_token(people, people.generation + changed),
    )  # fmt: skip


def _partner(people: People, one: Transfer) -> Ints:
    """The place of the partner of a transfer; its account is that of the day of instruction."""
    changed = one.instruct_on > day_of(people.changed_ready_at)
    found: Ints = np.where(changed, people.changed_provider, people.provider)
    return found


def _settle(
    people: People, one: Transfer, mask: Flags, at: Ints, known: Ints, *, later: int = 0
) -> None:
    """Record a settlement; banks say how much, wallets do not."""
    count = people.count
    partner = _partner(people, one)
    bank = np.isin(partner, _BANK_PLACES)
    reference = Serial("R", people.draws.below(10**9, count), 9, np.full(count, later))
    people.log.add(
        "disbursement-settled", mask, one.slot + 1 + later, at, known,
        FIRST_PARTNER + partner,
        disbursement=one.name(count),
        amount=np.where(bank, _AMOUNT[one.component][people.scheme], ABSENT),
        reference=reference,
    )  # fmt: skip


def _twice_by_mistake(people: People, one: Transfer) -> None:
    """The same instalment instructed once more, and that instruction voided the next day."""
    draws, count = people.draws, people.count
    mask = one.mask & draws.chance(p.INSTRUCTED_BY_MISTAKE.value, count)
    at = one.instruct_on * DAY + 13 * 3_600 + draws.below(3_600, count)
    again = Transfer(one.component, one.instalment, mask, one.instruct_on, one.settle_on, 2)
    rows = _record_instruction(people, again, mask, MISTAKEN, at)
    zero = np.zeros(count, dtype=np.int64)
    people.log.add(
        "event-voided", mask, MISTAKEN + 1, at + DAY, at + DAY, OFFICE,
        source=Words("source", zero), id=IdOf(rows), reason=Words("void", zero),
        authority=Words("authority", zero),
    )  # fmt: skip


def _change_accounts(people: People, can: Flags, arrived: Ints) -> None:
    """Some link another account of their own accord, some days after the second payment."""
    draws, count = people.draws, people.count
    at = np.where(can, arrived, 0) * DAY + DAY + draws.below(5 * DAY, count)
    mask = can & (day_of(at) >= number_of(p.RELINKING_FROM.value))
    mask &= draws.chance(p.CHANGED_ACCOUNT.value, count)
    provider, ready = relink(people, mask, at, CHANGED, people.generation)
    people.changed_provider = np.where(mask, provider, people.provider)
    people.changed_at = np.where(mask, at, NEVER)
    people.changed_ready_at = np.where(mask, ready, NEVER)


# --- surveys --------------------------------------------------------------------------------------

_CLOSED: Final = np.array(
    [NEVER if s.surveys_by is None else midnight(s.surveys_by) + DAY - 1 for s in SCHEMES]
)
"""The last second in which a survey can be sent in."""


def _surveys(people: People, can: Flags, stopped_at: Ints) -> None:
    draws, count = people.draws, people.count
    paid = can | (people.paid_on < NEVER)
    paid_at = np.where(paid, people.paid_on, 0) * DAY + DAY - 3_600
    asked = paid & (people.paid_on < NEVER)
    share = by_scheme({name: threshold(one) for name, one in p.SURVEYS_ANSWERED.value.items()})
    closed = _CLOSED[people.scheme]
    rush = midnight(p.SURVEY_RUSH_FROM.value)
    before, out_of_order = paid_at, np.zeros(count, dtype=np.bool_)
    for n in range(1, _MOST[SURVEY] + 1):
        asked = asked & (n <= _COUNT[SURVEY][people.scheme])
        answers = asked & (draws.evenly(people.wave * 2 + asked) < share[people.scheme])
        at = paid_at + n * p.SURVEY_OPENS_DAYS.value * DAY
        at = np.maximum(at + draws.lag(p.SURVEY_ANSWER_LAG.value, count), before + 3_600)
        hurried = draws.between(np.maximum(before + 3_600, rush), closed)
        at = np.where((at > closed) & people.in_2020, hurried, at)
        late = asked & (closed < NEVER) & draws.chance(p.SURVEY_TOO_LATE.value, count)
        late &= ~answers | (at > closed)
        after = np.where(late, closed + 1 + draws.below(14 * DAY, count), 0)
        at = np.where(late, np.maximum(after, before + 3_600), at)
        sent = late | (answers & (at <= closed))
        skipped = sent & asked & (n == 1) & ~late & draws.chance(p.SURVEY_SKIPPED.value, count)
        people.log.add(
            "survey-submitted", sent & ~skipped, SURVEYS + (n - 1) * STEP, at, at, OFFICE,
            survey=np.full(count, n),
        )  # fmt: skip
        out_of_order |= skipped
        _pay_survey(people, n, sent & ~late & ~out_of_order, at, stopped_at)
        # whoever does not answer one is not asked the next, but for the few who skip the first
        asked, before = sent & ~late, at


def _pay_survey(people: People, n: int, mask: Flags, at: Ints, stopped_at: Ints) -> None:
    low, high = p.SURVEY_PAYMENT_WORKING_DAYS.value
    wait = low + people.draws.below(high - low + 1, people.count)
    on = day_of(np.where(mask, at, 0))
    wish = working_days_after(on, wait)
    one = _scheduled(people, SURVEY, n, mask, wish, on)
    one.mask &= (one.instruct_on > on) & (one.instruct_on * DAY < stopped_at)
    _send(people, one)
