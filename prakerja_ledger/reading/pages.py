"""Answers a service shows: unpaid lines page by page, and totals, with the day that they speak of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any, Final

from attrs import field, frozen

from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.fields import check_text, one_of, or_absent, wrong
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Line
from prakerja_ledger.domain.vocabulary import Owner
from prakerja_ledger.reading.causes import Cause
from prakerja_ledger.reading.finding import Code, Finding, detail_text
from prakerja_ledger.reading.permission import May, may_pay
from prakerja_ledger.reading.statement import Statement, Status
from prakerja_ledger.reading.totals import (
    GROUPINGS,
    Key,
    Total,
    Unpaid,
    longest_overdue_first,
    sorted_groups,
    unpaid_lines,
)

Place = tuple[date, str, Line]
"""Where a page ended: due date, participant, line. What comes after it is on the next."""
FindingPlace = tuple[date, str, Code, str, int]
"""Where a page of findings ended: date, subject, code, detail, and the place among those alike."""
MOST_A_PAGE: Final = 10_000


@frozen(kw_only=True)
class UnpaidLine:
    """A line with money unpaid, and who must act. Ordered as `unpaid` prints them."""

    participant: str
    wave: int
    line: Line
    unpaid: int
    """Whole rupiah."""
    status: Status
    due_on: date
    overdue_working_days: int
    """Working days after the due date, up to the day of the answer; 0 where it is not overdue."""
    cause: Cause | None
    """The first cause."""
    owner: Owner | None
    """Who must act on it."""
    may_pay: May
    """Whether it may be paid, by this statement; `Ledger.may_pay` looks at what is dated later too."""

    @property
    def place(self) -> Place:
        """Where it stands among all: the longest overdue first means the earliest due date first."""
        return self.due_on, self.participant, self.line


def _is_choice(kind: type[Cause | Owner | Code | May]) -> Callable[[Any, Any, Any], None]:
    def check(_: Any, attribute: Any, value: Any) -> None:
        if value is not None and value not in set(kind):
            raise wrong(attribute.name, value, one_of(one.value for one in kind))

    return check


def _is_count(_: Any, attribute: Any, value: Any) -> None:
    if value is not None and (type(value) is not int or value < 0):
        raise wrong(attribute.name, value, Phrase("a whole number from 0"))


def _is_subject(_: Any, attribute: Any, value: Any) -> None:
    check_text(attribute.name, value)


@frozen(kw_only=True)
class Wanted:
    """Which unpaid lines: all that meet every condition given. Raises InvalidField."""

    cause: str | None = field(default=None, validator=_is_choice(Cause))
    """The first cause."""
    owner: str | None = field(default=None, validator=_is_choice(Owner))
    may_pay: str | None = field(default=None, validator=_is_choice(May))
    wave: int | None = field(default=None, validator=_is_count)
    min_overdue: int | None = field(default=None, validator=_is_count)
    """At least so many working days overdue."""

    def admits(self, one: UnpaidLine) -> bool:
        """Whether a line meets them."""
        return (
            (self.cause is None or one.cause == self.cause)
            and (self.owner is None or one.owner == self.owner)
            and (self.may_pay is None or one.may_pay == self.may_pay)
            and (self.wave is None or one.wave == self.wave)
            and (self.min_overdue is None or one.overdue_working_days >= self.min_overdue)
        )


@frozen(kw_only=True)
class Answer:
    """What an answer speaks of."""

    as_of: date
    """The day that it speaks of."""
    position: int
    """Every fact up to there is in it; of several shards the lowest."""
    undecided: tuple[str, ...]
    """Participants who are not in it: the list of holidays is too short to judge them."""


@frozen(kw_only=True)
class UnpaidPage(Answer):
    """Some unpaid lines, the longest overdue first."""

    lines: tuple[UnpaidLine, ...]
    next: Place | None
    """To be given as `after` for the page that follows; None at the end."""


@frozen(kw_only=True)
class ListedFinding:
    """A finding as a page has it. Ordered as `findings` prints them."""

    code: Code
    subject: str
    on: date
    amount: int | None
    """Whole rupiah at stake, or None."""
    detail: Mapping[str, Any]
    evidence: tuple[tuple[str, str], ...]
    """Source and id of each fact behind it."""
    place: FindingPlace


@frozen(kw_only=True)
class FindingsPage(Answer):
    """Some findings, the earliest first. `undecided` are those of whom one cannot be judged."""

    findings: tuple[ListedFinding, ...]
    next: FindingPlace | None
    """To be given as `after` for the page that follows; None at the end."""


@frozen(kw_only=True)
class LinePermission(Answer):
    """Whether a line may be paid, by a statement of the day that the answer speaks of."""

    line: Line
    answer: May
    causes: tuple[Cause, ...]
    """Why it is not paid; of an answer of no, what stands against paying is among them."""


@frozen(kw_only=True)
class Totals(Answer):
    """Sums of the lines by one grouping; a group without a key (no cause, no owner) comes last."""

    by: str
    """What the lines are grouped by."""
    groups: Mapping[Key, Total]
    """The sums of each group: by the number of the wave, or by the word of what they are grouped by."""


@frozen(kw_only=True)
class Timeline:
    """What is recorded of one participant."""

    position: int
    """The ledger's highest when it was read."""
    events: tuple[Event, ...]
    """In the order of recording."""
    voids: Mapping[int, Event]
    """The event-voided by the position of the event that it voids."""


def check_grouping(by: object) -> str:
    """What totals can be grouped by. Raises InvalidField."""
    if not isinstance(by, str) or by not in GROUPINGS:
        raise wrong("by", by, one_of(GROUPINGS))
    return by


def check_limit(limit: object) -> int:
    """How many lines a page may have. Raises InvalidField."""
    if type(limit) is not int or not 1 <= limit <= MOST_A_PAGE:
        raise wrong("limit", limit, Phrase("a whole number from 1 to {most}", most=MOST_A_PAGE))
    return limit


def unpaid_line(one: Unpaid) -> UnpaidLine:
    """A line of a statement as a page has it."""
    line = one.line
    assert line.due_on is not None, "unpaid, so it is earned and has a due date"
    return UnpaidLine(
        participant=one.statement.participant,
        wave=one.statement.wave,
        line=line.line,
        unpaid=line.unpaid,
        status=line.status,
        due_on=line.due_on,
        overdue_working_days=line.overdue_working_days,
        cause=line.cause,
        owner=line.owner,
        may_pay=may_pay(line).answer,
    )


def page_of(lines: Iterable[UnpaidLine], limit: int, about: Answer) -> UnpaidPage:
    """The first lines of those that follow; one more than asked for tells that there are more."""
    taken: list[UnpaidLine] = []
    place: Place | None = None
    for one in lines:
        if len(taken) == limit:
            place = taken[-1].place
            break
        taken.append(one)
    return UnpaidPage(
        as_of=about.as_of,
        position=about.position,
        undecided=about.undecided,
        lines=tuple(taken),
        next=place,
    )


@frozen(kw_only=True)
class WantedFindings:
    """Which findings: all that meet every condition given. Raises InvalidField."""

    code: str | None = field(default=None, validator=_is_choice(Code))
    subject: str | None = field(default=None, validator=or_absent(_is_subject))

    def admits(self, one: Finding) -> bool:
        """Whether a finding meets them."""
        return (self.code is None or one.code == self.code) and (
            self.subject is None or one.subject == self.subject
        )


def listed(findings: Iterable[Finding]) -> Iterator[ListedFinding]:
    """Findings in their order as a page has them."""
    before: tuple[Any, ...] | None = None
    alike = 0
    for one in findings:
        like = one.on, one.subject, one.code, detail_text(one)
        alike = alike + 1 if like == before else 0
        before = like
        yield ListedFinding(
            code=one.code,
            subject=one.subject,
            on=one.on,
            amount=one.amount,
            detail=one.detail,
            evidence=tuple(event.identity for event in one.evidence),
            place=(*like, alike),
        )


def findings_page(findings: Iterable[ListedFinding], limit: int, about: Answer) -> FindingsPage:
    """The first of the findings that follow."""
    taken = list(islice(findings, limit + 1))
    return FindingsPage(
        as_of=about.as_of,
        position=about.position,
        undecided=about.undecided,
        findings=tuple(taken[:limit]),
        next=taken[limit - 1].place if len(taken) > limit else None,
    )


def totals_of(by: str, groups: Mapping[Key, Total], about: Answer) -> Totals:
    """Totals with what they speak of."""
    return Totals(
        as_of=about.as_of,
        position=about.position,
        undecided=about.undecided,
        by=by,
        groups=sorted_groups(groups),
    )


def unpaid_of(
    statements: Iterable[Statement], wanted: Wanted, after: Place | None
) -> Iterable[UnpaidLine]:
    """The unpaid lines of statements that meet the conditions, in their order, after a place."""
    found = longest_overdue_first(one for made in statements for one in unpaid_lines(made))
    lines = (unpaid_line(one) for one in found)
    return (one for one in lines if wanted.admits(one) and (after is None or one.place > after))


def findings_of(
    findings: Iterable[Finding], wanted: WantedFindings, after: FindingPlace | None
) -> Iterator[ListedFinding]:
    """The findings, given in their order, that meet the conditions, after a place."""
    chosen = listed(one for one in findings if wanted.admits(one))
    return (one for one in chosen if after is None or one.place > after)
