"""Hypothesis strategies for facts and events: any value that the constructors take.

Made from the registry of facts: a field of a new name has no strategy until one is written here,
and a kind of fact added there is drawn at once. Users may import these.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain import vocabulary
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT, Event
from prakerja_ledger.domain.facts import FACTS, Course, Fact
from prakerja_ledger.domain.fields import LARGEST_INTEGER
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.domain.time import Instant, instant

texts: st.SearchStrategy[str] = st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200
)
"""Texts that a field of a fact takes."""
rupiah: st.SearchStrategy[int] = st.integers(1, LARGEST_INTEGER)
"""Whole rupiah from 1."""
days: st.SearchStrategy[date] = st.dates()
courses: st.SearchStrategy[tuple[Course, ...]] = st.lists(
    st.builds(Course, course=texts, institution=texts),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one.course,
).map(tuple)

WORDS: dict[str, Sequence[str]] = {
    "platform": vocabulary.PLATFORMS,
    "method": vocabulary.METHODS,
    "provider": vocabulary.PROVIDERS,
    "component": vocabulary.COMPONENTS,
    "outcome": vocabulary.COMPLAINT_OUTCOMES,
    "scheme": tuple(KARTU_PRAKERJA.schemes),
}
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(
        (
            "account", "purchase", "course", "certificate", "disbursement", "reference",
            "complaint", "channel", "source", "id", "authority", "notice", "package", "reason",
        ),
        texts,
    ),
    **{name: st.sampled_from(words) for name, words in WORDS.items()},
    "wave": rupiah,
    "price": st.integers(0, LARGEST_INTEGER),
    "amount": rupiah,
    "courses": courses,
    "score": st.integers(0, 100),
    "survey": rupiah,
    "instalment": rupiah,
    "instructor": st.integers(1, 5),
    "facilities": st.integers(1, 5),
    "programme": st.integers(1, 5),
    "reviewed": st.booleans(),
    "effective": days,
    "platforms": st.lists(st.sampled_from(vocabulary.PLATFORMS), min_size=1, unique=True).map(tuple),
}  # fmt: skip
REASON_CODES: tuple[type[Fact], ...] = (
    f.AccountRejected,
    f.DisbursementFailed,
    f.DisbursementReturned,
)
"""Kinds whose reason is a code of the payment partner, not free text."""


def _field(kind: type[Fact], name: str) -> st.SearchStrategy[Any]:
    if name == "reason" and kind in REASON_CODES:
        return st.sampled_from(tuple(vocabulary.REASONS))
    if name == "reason" and kind is f.ParticipationRevoked:
        return st.sampled_from(vocabulary.REVOCATION_REASONS)
    return BY_NAME[name]


def facts_of(kind: type[Fact]) -> st.SearchStrategy[Fact]:
    """Any fact of one kind, optional fields there or not."""
    fields = list(f.fields_of(kind))
    needed = {a.name: _field(kind, a.name) for a in fields if a.default is not None}
    optional = {a.name: _field(kind, a.name) for a in fields if a.default is None}
    if kind is f.CourseRated:
        needed["programme"] = optional.pop("programme")  # at least one dimension
    return st.fixed_dictionaries(needed, optional=optional).map(lambda data: kind(**data))


facts: st.SearchStrategy[Fact] = st.one_of([facts_of(kind) for kind in FACTS.values()])
"""Any fact of any kind."""


@st.composite
def timestamps(draw: st.DrawFn) -> str:
    """An RFC 3339 timestamp that the format takes: any offset, any precision."""
    low, high = datetime(2, 1, 1), datetime(9998, 12, 31)  # noqa: DTZ001  # the offset is drawn
    at = draw(st.datetimes(low, high))
    digits = draw(st.text("0123456789", max_size=30))
    minutes = draw(st.integers(-23 * 60 - 59, 23 * 60 + 59))
    sign, size = "-" if minutes < 0 else "+", abs(minutes)
    offset = draw(st.sampled_from(("Z", "z", f"{sign}{size // 60:02}:{size % 60:02}")))
    letter = draw(st.sampled_from("Tt"))
    clock = at.replace(microsecond=0).isoformat().replace("T", letter)
    return clock + (f".{digits}" if digits else "") + offset


instants: st.SearchStrategy[Instant] = timestamps().map(instant)
"""Any instant that the format takes."""


@st.composite
def events(draw: st.DrawFn, kind: type[Fact] | None = None) -> Event:
    """Any event: any identity, subject and clocks, the second never before the first."""
    fact = draw(facts if kind is None else facts_of(kind))
    clocks = sorted((draw(instants), draw(instants)))
    occurred_at, recorded_at = draw(st.sampled_from((clocks, [clocks[0]] * 2)))
    of_programme = fact.stream == f.PROGRAMME
    return Event(
        source=draw(texts),
        id=draw(texts),
        subject=PROGRAMME_SUBJECT if of_programme else draw(texts),
        fact=fact,
        occurred_at=Instant(occurred_at),
        recorded_at=Instant(recorded_at),
        position=draw(st.integers(1, LARGEST_INTEGER)),
    )


@st.composite
def working_spans(draw: st.DrawFn) -> tuple[date, date]:
    """Two days that the list of holidays covers, in order."""
    start = draw(st.dates(date(2020, 1, 1), date(2027, 12, 31)))
    end = start + timedelta(days=draw(st.integers(0, (date(2027, 12, 31) - start).days)))
    return start, end
