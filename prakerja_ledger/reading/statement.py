"""The statement of one participant: owed, paid, unpaid, line by line, and why (contract, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.calendar import WorkingCalendar
from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.schemes import (
    POST_TRAINING,
    SURVEY,
    TRAINING,
    Line,
    Programme,
    Scheme,
)
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.domain.time import days_after
from prakerja_ledger.domain.vocabulary import Owner
from prakerja_ledger.reading.causes import BECAUSE, Because, Cause
from prakerja_ledger.reading.dossier import (
    Dossier,
    ProgrammeInView,
    Transfers,
    open_dossier,
)
from prakerja_ledger.reading.earning import (
    Earning,
    first_incentive_earning,
    first_settlement,
    later_incentive_earning,
    survey_earning,
)
from prakerja_ledger.reading.obstacles import account_causes, transfer_causes
from prakerja_ledger.reading.view import View, each_once, followed_by, look


class Status(StrEnum):
    """Where a line stands; of those that apply, the first."""

    PAID = "paid"
    FORFEITED = "forfeited"
    IN_FLIGHT = "in-flight"
    SCHEDULED = "scheduled"
    NOT_EARNED = "not-earned"
    OPEN = "open"
    DUE = "due"
    OVERDUE = "overdue"


class Standing(StrEnum):
    """Whether the participation stands."""

    ACTIVE = "active"
    REVOKED = "revoked"


AMOUNTS: Final = (
    "owed",
    "paid",
    "unpaid",
    "overdue",
    "in_flight",
    "overpaid",
    "not_yet_earned",
    "forfeited",
)
"""The amounts of a line, whole rupiah each, in the order in which they are printed."""


Pieces = tuple[Sequence[Event], Sequence[Event], Sequence[Event]]
"""The evidence of a line in pieces: how it is earned, how it was paid, what its causes point at."""


@frozen(kw_only=True, eq=False)
class StatementLine:
    """One line. Amounts are whole rupiah.

    Every rupiah of the amount is in one place: amount = within + unpaid + forfeited + not_yet_earned,
    where within = paid - overpaid; and owed = within + unpaid.
    """

    line: Line
    """`training`, `post-training/1` …, `survey/1` …"""
    amount: int
    """What the scheme gives on it; 0 for a line that the scheme lacks and a disbursement names."""
    status: Status
    owed: int
    """Earned, and not forfeited beyond what was paid."""
    paid: int
    """Settled and not returned, also where it was not due; of `training` what was spent."""
    unpaid: int
    """Owed and not paid."""
    overdue: int
    """`unpaid`, where the day it was due has passed."""
    in_flight: int
    """Instructed, no outcome known: not paid, and not to be paid again meanwhile."""
    overpaid: int
    """Paid beyond the amount, or on a line that is not earned."""
    not_yet_earned: int
    """A condition is open; of `training` what can still be spent."""
    forfeited: int
    """Lost by revocation or a cut-off."""
    earned: bool
    """Whether it is earned as of D; while revoked, only by the day of the revocation."""
    earned_on: date | None
    """The WIB date on which its last condition was met, or will be; None where one is open."""
    due_on: date | None
    """The last day to pay it in time; None without `earned_on`, or beyond the list of holidays."""
    overdue_working_days: int
    """Working days after the due date, up to and including D; 0 where nothing is overdue."""
    causes: tuple[Because, ...]
    """Why it is not paid: all that apply, the one to act on first."""
    _evidence: Pieces
    """Put together when somebody asks: sums never do. Of a dossier that is folded to its end."""

    @property
    def evidence(self) -> tuple[Event, ...]:
        """What a reader follows to check the line, in the order of events."""
        earning, payments, pointed_at = self._evidence
        found = followed_by(each_once(earning), payments)
        return each_once((*found, *pointed_at)) if pointed_at else found

    @property
    def cause(self) -> Cause | None:
        """The first cause."""
        return self.causes[0].cause if self.causes else None

    @property
    def owner(self) -> Owner | None:
        """Who must act on the first cause."""
        return self.causes[0].owner if self.causes else None


@frozen(kw_only=True, eq=False)
class Statement:
    """A participant's lines as of a day, as known at a moment."""

    participant: str
    wave: int
    """Of the enrolment that holds in this view, as the scheme is."""
    scheme: str
    standing: Standing
    view: View
    """The day and the moment that it speaks of."""
    lines: tuple[StatementLine, ...]
    """The training balance, then the post-training instalments, then the surveys."""

    def line(self, name: Line) -> StatementLine:
        """The line of that name. Raises KeyError."""
        for line in self.lines:
            if line.line == name:
                return line
        raise KeyError(name)

    def total(self, amount: str) -> int:
        """The sum of one of AMOUNTS, or of `amount` (the entitlement), over the lines."""
        return sum(getattr(line, amount) for line in self.lines)


def statement(
    participant: Participant, view: View, programme: Programme, around: ProgrammeInView
) -> Statement | None:
    """The statement; None where the enrolment is not in view.

    Raises CalendarTooShort where an earned line's due date lies beyond the list of holidays.
    """
    seen = look(participant, view)
    if seen is None:
        return None
    return statement_of(open_dossier(seen, view, programme), programme, around)


def statement_of(
    dossier: Dossier, programme: Programme, around: ProgrammeInView, *, undated: bool = False
) -> Statement:
    """The statement of a dossier that is open already.

    `undated` leaves a due date None where the calendar ends instead of raising CalendarTooShort:
    findings rest on earned dates alone, and must not vanish with a due date.
    """
    return Statement(
        participant=dossier.participant.id,
        wave=dossier.seen.wave,
        scheme=dossier.scheme.id,
        standing=Standing.ACTIVE if dossier.revocation is None else Standing.REVOKED,
        view=dossier.view,
        lines=(
            training_line(dossier),
            *_CashLines(dossier, programme, around, undated=undated).all(),
        ),
    )


def cash_line(
    dossier: Dossier, programme: Programme, around: ProgrammeInView, line: Line
) -> StatementLine | None:
    """One cash line of the statement, worked out alone; None where the statement has none such.

    Raises CalendarTooShort where its due date lies beyond the list of holidays.
    """
    return _CashLines(dossier, programme, around, undated=False).one(line)


def training_owed(scheme: Scheme, spent: int) -> int:
    """What of the money spent on courses the balance covers."""
    return min(spent, scheme.training_balance)


def training_line(d: Dossier) -> StatementLine:
    """The training balance: what of it was spent, and what of the rest can still be."""
    amount = d.scheme.training_balance
    spent = sum([bought.spent for bought in d.counting])
    owed = training_owed(d.scheme, spent)
    cut_off = d.scheme.training_used_by
    causes = []
    if d.revocation is not None:
        causes.append(BECAUSE[Cause.REVOKED])
    if cut_off is not None and d.view.as_of > cut_off:
        causes.append(BECAUSE[Cause.TRAINING_CUT_OFF])
    rest = amount - owed
    forfeited = rest if causes else 0
    if forfeited:
        status = Status.FORFEITED
    else:
        causes = []
        status = Status.OPEN if rest else Status.PAID
    evidence = [event for bought in d.counting for event in (bought.event, *bought.refunds)]
    if causes and d.revocation is not None:
        evidence.append(d.revocation)
    return StatementLine(
        line=TRAINING,
        amount=amount,
        status=status,
        owed=owed,
        paid=spent,
        unpaid=0,
        overdue=0,
        in_flight=0,
        overpaid=spent - owed,
        not_yet_earned=rest - forfeited,
        forfeited=forfeited,
        earned=False,
        earned_on=None,
        due_on=None,
        overdue_working_days=0,
        causes=tuple(causes),
        evidence=(evidence, (), ()),
    )


_NO_TRANSFERS: Final = Transfers()
_PAID: Final = Status.PAID


class _CashLines:
    """The cash lines of one dossier; what several lines share is worked out once."""

    def __init__(
        self, dossier: Dossier, programme: Programme, around: ProgrammeInView, *, undated: bool
    ) -> None:
        self.d = dossier
        self.undated = undated
        self.scheme: Scheme = dossier.scheme
        self.calendar: WorkingCalendar = programme.calendar
        self.hold = around.hold
        self.as_of = dossier.view.as_of
        self.revoked_on = None if dossier.revocation is None else dossier.revocation.occurred_on
        self.first = first_incentive_earning(dossier)
        self.first_is_earned = self._is_earned(self.first.on)
        self.first_settlement = first_settlement(dossier)
        self.common_forfeits = self._common_forfeits()
        self._account_causes: tuple[list[Because], list[Event]] | None = None

    def all(self) -> list[StatementLine]:
        """The lines of the scheme, and those it lacks that a disbursement names, in their place."""
        lines = self.scheme.cash_lines
        if self.d.lines.keys() <= lines.keys():
            return [self._line(line, part, n, each) for line, (part, n, each) in lines.items()]
        places = {line: (component, n) for line, (component, n, _) in lines.items()}
        for line in self.d.lines:
            component, _, n = line.partition("/")
            places.setdefault(line, (component, int(n)))
        in_place = sorted(places.items(), key=lambda item: (item[1][0] == SURVEY, item[1][1]))
        return [
            self._line(line, component, n, lines[line][2] if line in lines else 0)
            for line, (component, n) in in_place
        ]

    def one(self, line: Line) -> StatementLine | None:
        """The line of that name, where the scheme or a disbursement has one."""
        found = self.scheme.cash_lines.get(line)
        if found is not None:
            return self._line(line, *found)
        if line not in self.d.lines:
            return None
        component, _, n = line.partition("/")
        return self._line(line, component, int(n), 0)

    def _line(self, line: Line, component: str, n: int, amount: int) -> StatementLine:
        transfers = self.d.lines.get(line, _NO_TRANSFERS)
        earning = self._earning(component, n)
        lacking = line not in self.scheme.cash_lines
        earned_on = None if lacking else earning.on
        earned = self._is_earned(earned_on)
        due_on = self._due_on(component, earned_on, earned=earned)
        paid = in_flight = 0
        if transfers is not _NO_TRANSFERS:
            paid, in_flight = transfers.paid, transfers.in_flight
        within = min(paid, amount) if earned else 0
        forfeits = [] if within == amount else self._forfeits(component, n)
        kept_back = amount - within
        unpaid = kept_back if earned and not forfeits else 0
        is_overdue = bool(unpaid) and due_on is not None and self.as_of > due_on
        status = self._status(paid >= amount, forfeits, in_flight, earned, is_overdue, n, component)
        causes: tuple[Because, ...] = ()
        pointed_at: Sequence[Event] = ()
        if status is not _PAID:
            causes, pointed_at = self._causes(
                status, forfeits, transfers, earning, earned, due_on, in_flight
            )
        return StatementLine(
            line=line,
            amount=amount,
            status=status,
            owed=(within if forfeits else amount) if earned else 0,
            paid=paid,
            unpaid=unpaid,
            overdue=unpaid if is_overdue else 0,
            in_flight=in_flight,
            overpaid=paid - within,
            not_yet_earned=0 if earned or forfeits else amount,
            forfeited=kept_back if forfeits else 0,
            earned=earned,
            earned_on=earned_on,
            due_on=due_on,
            overdue_working_days=self._overdue_days(due_on) if is_overdue else 0,
            causes=causes,
            evidence=(earning.shown, transfers.events, pointed_at),
        )

    def _is_earned(self, earned_on: date | None) -> bool:
        """Earned by D; while revoked, only what was earned by the day of the revocation."""
        if earned_on is None or earned_on > self.as_of:
            return False
        return self.revoked_on is None or earned_on <= self.revoked_on

    def _earning(self, component: str, n: int) -> Earning:
        if component == SURVEY:
            return survey_earning(
                self.d, n, self.first, self.first_settlement, first_is_earned=self.first_is_earned
            )
        if n == 1:
            return self.first
        return later_incentive_earning(self.first, n, first_is_earned=self.first_is_earned)

    def _due_on(self, component: str, earned_on: date | None, *, earned: bool) -> date | None:
        if earned_on is None:
            return None
        if component == SURVEY:
            return days_after(earned_on, self.scheme.survey_payment_days)
        try:
            return self.calendar.after(earned_on, self.scheme.payment_window_working_days)
        except CalendarTooShort:
            if earned and not self.undated:
                raise
            return None

    def _overdue_days(self, due_on: date | None) -> int:
        """Working days after the due date, up to and including D."""
        if due_on is None:
            return 0
        try:
            return self.calendar.between(due_on, self.as_of)
        except CalendarTooShort:
            if not self.undated:
                raise
            return 0

    def _common_forfeits(self) -> tuple[list[Because], list[Because]]:
        """Forfeits that every cash line shares: before and after the place of the survey's own."""
        before, after = [], []
        if self.d.revocation is not None:
            before.append(BECAUSE[Cause.REVOKED])
        cut_off = self.scheme.first_course_by
        if cut_off is not None and self.as_of > cut_off and self.d.first_course is None:
            before.append(BECAUSE[Cause.FIRST_COURSE_CUT_OFF])
        cut_off = self.scheme.account_linked_by
        if cut_off is not None and self.as_of > cut_off and not self.d.linked_at_end_of(cut_off):
            after.append(BECAUSE[Cause.LINK_CUT_OFF])
        return before, after

    def _forfeits(self, component: str, n: int) -> list[Because]:
        before, after = self.common_forfeits
        own: list[Because] = []
        if component == SURVEY:
            cut_off = self.scheme.surveys_by
            if cut_off is not None and self.as_of > cut_off and self.d.first_survey_missing <= n:
                own.append(BECAUSE[Cause.SURVEY_CUT_OFF])
        return [*before, *own, *after] if before or own or after else own

    def _status(
        self,
        covered: bool,  # six facts about one line; names at the only call
        forfeits: Sequence[Because],
        in_flight: int,
        earned: bool,
        is_overdue: bool,
        n: int,
        component: str,
    ) -> Status:
        if covered:
            return Status.PAID
        if forfeits:
            return Status.FORFEITED
        if in_flight:
            return Status.IN_FLIGHT
        if not earned:
            coming = component == POST_TRAINING and n > 1 and self.first_is_earned
            return Status.SCHEDULED if coming else Status.NOT_EARNED
        return Status.OVERDUE if is_overdue else Status.DUE

    def _causes(
        self,
        status: Status,
        forfeits: Sequence[Because],
        transfers: Transfers,
        earning: Earning,
        earned: bool,
        due_on: date | None,
        in_flight: int,
    ) -> tuple[tuple[Because, ...], Sequence[Event]]:
        """The causes of the row of a status other than paid, and the events that they point at."""
        awaiting = (BECAUSE[Cause.AWAITING_OUTCOME],) if in_flight else ()
        if status is Status.FORFEITED:
            revocation = self.d.revocation
            return (*forfeits, *awaiting), () if revocation is None else (revocation,)
        if not earned:
            return (*awaiting, *earning.missing), ()
        causes = list(awaiting)
        pointed_at: list[Event] = []
        self._explain_lag(transfers, earning, causes, pointed_at)
        if self.hold is not None:
            causes.append(BECAUSE[Cause.PROGRAMME_HOLD])
            pointed_at.append(self.hold)
        account_causes, account_events = self._account()
        causes += account_causes
        pointed_at += account_events
        causes += transfer_causes(transfers)
        if due_on is not None and self.as_of <= due_on:
            causes.append(BECAUSE[Cause.PAYMENT_WINDOW_OPEN])
        return tuple(causes) or (BECAUSE[Cause.NOT_INSTRUCTED],), pointed_at

    def _explain_lag(
        self,
        transfers: Transfers,
        earning: Earning,
        causes: list[Because],
        pointed_at: list[Event],
    ) -> None:
        if transfers.latest is not None:
            return
        bound = self.d.view.bound
        late = [event for event in earning.rests_on if event.recorded_at > bound]
        if late:
            causes.append(BECAUSE[Cause.REPORT_LAG])
            pointed_at += late

    def _account(self) -> tuple[list[Because], list[Event]]:
        if self._account_causes is None:
            self._account_causes = account_causes(self.d)
        return self._account_causes
