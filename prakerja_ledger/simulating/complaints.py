"""Complaints: of those paid late most of all, and how they are answered."""

from __future__ import annotations

from typing import Final

import numpy as np

from prakerja_ledger.simulating import parameters as p
from prakerja_ledger.simulating.days import DAY, day_of
from prakerja_ledger.simulating.drawing import threshold
from prakerja_ledger.simulating.log import Words
from prakerja_ledger.simulating.offers import OFFICE
from prakerja_ledger.simulating.people import NEVER, People

FILED: Final = 94
ANSWERED: Final = 95
OUTCOMES: Final = ("paid", *p.UNPAID_OUTCOMES.value)
CHANNELS: Final = tuple(p.CHANNELS.value)


def complain(people: People) -> None:
    """Ask where the first incentive is, and get an answer."""
    draws, count = people.draws, people.count
    late = people.paid_on > people.earned_on + p.LATE_AFTER_DAYS.value
    share = np.where(
        late,
        threshold(p.COMPLAINTS_OF_THE_LATE.value),
        threshold(p.COMPLAINTS_OF_OTHERS.value),
    )
    filing = people.finishes & (draws.some(count) < share)
    at = people.earned_on * DAY + draws.lag(p.COMPLAINT_LAG.value, count)
    name = Words("complaint", np.zeros(count, dtype=np.int64))
    people.log.add(
        "complaint-filed", filing, FILED, at, at, OFFICE,
        complaint=name,
        component=Words("component", np.zeros(count, dtype=np.int64)),
        instalment=np.ones(count, dtype=np.int64),
        channel=Words("channel", draws.pick(p.CHANNELS.value, count)),
    )  # fmt: skip
    answered = filing & draws.chance(p.RESOLVED.value, count)
    answered_at = at + draws.lag(p.RESOLUTION_LAG.value, count)
    paid_by_then = (people.paid_on < NEVER) & (people.paid_on < day_of(answered_at))
    outcome = np.where(paid_by_then, 0, 1 + draws.pick(p.UNPAID_OUTCOMES.value, count))
    people.log.add(
        "complaint-resolved", answered, ANSWERED, answered_at, answered_at, OFFICE,
        complaint=name, outcome=Words("outcome", outcome),
    )  # fmt: skip
