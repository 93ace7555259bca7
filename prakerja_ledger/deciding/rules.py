"""The decision on a command: the fact to record, or a typed refusal with what stands against it.

"Legal when" (what the history allows) is the register's; here is what the programme's rules forbid.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final

from attrs import frozen

from prakerja_ledger.deciding.commands import (
    FACT_OF,
    Command,
    Instruct,
    PurchaseTraining,
    asked_for,
)
from prakerja_ledger.deciding.payment import in_spite_of_the_clock
from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import NotInView, Refusal
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.facts import Fact, data_of
from prakerja_ledger.domain.schemes import Line, Programme
from prakerja_ledger.domain.streams import Participant, ProgrammeStream, Stream
from prakerja_ledger.domain.time import Instant, instant, instant_of
from prakerja_ledger.reading.causes import Cause
from prakerja_ledger.reading.dossier import (
    Dossier,
    ProgrammeInView,
    look_at_programme,
    open_dossier,
)
from prakerja_ledger.reading.permission import May, Permission, may_pay
from prakerja_ledger.reading.statement import StatementLine, Status, cash_line, training_line
from prakerja_ledger.reading.view import View, look


@frozen(kw_only=True, eq=False)
class Situation:
    """What a decision looks at: the participant's record and dossier of today, all recorded."""

    participant: Participant
    dossier: Dossier
    around: ProgrammeInView
    programme: Programme
    recorded: Dossier
    """The dossier of everything recorded. The same as `dossier`, unless something is dated later."""
    hold: Event | None
    """The hold that stands by everything recorded, whatever its date."""

    def line(self, name: Line) -> StatementLine | None:
        """A cash line of the statement of today."""
        return cash_line(self.dossier, self.programme, self.around, name)

    def attempts(self, name: Line) -> int:
        """Disbursements ever instructed on a line, voided or not."""
        return sum(one.line == name for one in self.participant.disbursements.values())


def decide(command: Command, situation: Situation) -> Fact | Refusal:
    """The fact that the command becomes, or why the programme's rules forbid it now."""
    rule = _RULES.get(type(command))
    return command.fact() if rule is None else rule(command, situation)


def refused(code: str, template: str, **fields: Any) -> Refusal:
    """The programme's rules forbid it."""
    return Refusal(code=code, template=template, fields=fields)


def _purchase(command: PurchaseTraining, situation: Situation) -> Fact | Refusal:
    if command.method != "prakerja":
        return command.fact()
    if situation.dossier.revocation or situation.recorded.revocation:
        return _revoked()
    stop = _stop(command, situation)
    if stop is not None:
        return refused(
            "PACKAGE_SALES_STOPPED",
            "the sale of packages on {platform} is stopped by {notice} from {effective}. "
            "Sell the courses singly.",
            platform=command.platform,
            notice=stop.notice,
            effective=stop.effective,
        )
    left = min(
        training_line(looked_at).not_yet_earned
        for looked_at in {id(d): d for d in (situation.dossier, situation.recorded)}.values()
    )
    if command.price > left:
        return refused(
            "BALANCE_NOT_ENOUGH",
            "the price is {price} and {left} of the training balance is left. Choose a cheaper "
            "course, or another means of payment.",
            price=command.price,
            left=left,
        )
    return command.fact()


def _stop(command: PurchaseTraining, situation: Situation) -> f.PackageSalesStopped | None:
    """The stop that is in effect for the purchase."""
    event = situation.around.stop_of(command.platform)
    if command.package is None or event is None:
        return None
    stop = event.fact
    assert isinstance(stop, f.PackageSalesStopped), "only stops are kept there"
    return stop if stop.effective <= situation.dossier.view.as_of else None


def _revoked() -> Refusal:
    return refused(
        "REVOKED", "the participation stands revoked. If that is wrong, reinstate it first."
    )


def _instruct(command: Instruct, situation: Situation) -> Fact | Refusal:
    line = _line(command, situation)
    if isinstance(line, Refusal):
        return line
    refusal = _not_payable(line, situation) or _other_account(command, situation)
    if refusal is not None:
        return refusal
    left = min(line.unpaid, line.amount - _paid_on_record(line, situation))
    amount = left if command.amount is None else command.amount
    if amount > left:
        return refused(
            "MORE_THAN_UNPAID",
            "{amount} is asked for and {left} of {line} is unpaid. Ask for no more than that.",
            amount=amount,
            left=left,
            line=line.line,
        )
    return _instruction(command, situation, amount)


def _line(command: Instruct, situation: Situation) -> StatementLine | Refusal:
    line = situation.line(command.line)
    if line is not None:
        return line
    return refused(
        "NO_SUCH_LINE",
        "{line} is no line that cash is paid on. Lines: {lines}.",
        line=command.line,
        lines=", ".join(situation.dossier.scheme.cash_lines),
    )


_STATUS_CODES: Final = {
    Status.PAID: "LINE_PAID",
    Status.FORFEITED: "LINE_FORFEITED",
    Status.SCHEDULED: "LINE_NOT_EARNED",
    Status.NOT_EARNED: "LINE_NOT_EARNED",
}
_WHY_NOT: Final = {
    Status.PAID: "{line} is paid already. Nothing further is to be paid on it.",
    Status.FORFEITED: "{line} is forfeited. Its causes say why.",
    Status.SCHEDULED: "{line} is not earned yet. Wait until it is.",
    Status.NOT_EARNED: "{line} is not earned. Its causes say what is missing.",
}
_OBSTACLE_CODES: Final = {
    Cause.PROGRAMME_HOLD: "PAYMENTS_HELD",
    Cause.ACCOUNT_NOT_ON_RECORD: "ACCOUNT_NOT_ON_RECORD",
    Cause.ACCOUNT_NOT_VERIFIED: "ACCOUNT_NOT_VERIFIED",
    Cause.ACCOUNT_REJECTED: "ACCOUNT_REJECTED",
}
_OBSTACLES: Final = {
    Cause.PROGRAMME_HOLD: "all payments are held. Wait until they resume.",
    Cause.ACCOUNT_NOT_ON_RECORD: "no account is linked. Link one first.",
    Cause.ACCOUNT_NOT_VERIFIED: "the linked account is not verified. Verify it first.",
    Cause.ACCOUNT_REJECTED: ("the linked account was rejected. Link another, or have it verified."),
}


def permission_now(line: StatementLine, situation: Situation) -> Permission:
    """Whether a line may be paid now, with everything recorded in mind, whatever its date."""
    return in_spite_of_the_clock(may_pay(line), situation.recorded, situation.hold)


def _not_payable(line: StatementLine, situation: Situation) -> Refusal | None:
    permission = permission_now(line, situation)
    if permission.answer is May.YES:
        return None
    if permission.answer is May.UNKNOWN:
        return _in_flight(line)
    status = line.status
    if status in _WHY_NOT:
        return refused(_STATUS_CODES[status], _WHY_NOT[status], line=line.line)
    if not permission.causes:
        return refused(_STATUS_CODES[Status.PAID], _WHY_NOT[Status.PAID], line=line.line)
    cause = permission.causes[0].cause
    if cause is Cause.REVOKED:
        return _revoked()
    return refused(_OBSTACLE_CODES[cause], _OBSTACLES[cause], line=line.line)


def _in_flight(line: StatementLine) -> Refusal:
    return refused(
        "LINE_IN_FLIGHT",
        "a transfer on {line} has no outcome yet. Ask the payment partner, record the outcome, and "
        "then instruct what is left.",
        line=line.line,
    )


def _paid_on_record(line: StatementLine, situation: Situation) -> int:
    """What stays paid of a line by everything recorded."""
    transfers = situation.recorded.lines.get(line.line)
    return 0 if transfers is None else transfers.paid


def _linked(situation: Situation) -> f.AccountLinked:
    """The account to be paid to; asked for only once the line may be paid.

    By everything recorded: one that was linked by a clock ahead of ours is linked all the same.
    """
    link = situation.recorded.link
    assert link is not None, "a line that may be paid has a verified account"
    assert isinstance(link.fact, f.AccountLinked), "only linkings are kept there"
    return link.fact


def _other_account(command: Instruct, situation: Situation) -> Refusal | None:
    linked = _linked(situation)
    asked = (command.provider or linked.provider, command.account or linked.account)
    if asked != (linked.provider, linked.account):
        return refused(
            "OTHER_ACCOUNT",
            "account {account} at {provider} is not the linked one. Leave both out to pay to that.",
            account=asked[1],
            provider=asked[0],
        )
    return None


def _instruction(command: Instruct, situation: Situation, amount: int) -> Fact:
    linked = _linked(situation)
    component, _, instalment = command.line.partition("/")
    attempt = situation.attempts(command.line) + 1
    return f.DisbursementInstructed(
        disbursement=command.disbursement or f"{command.line}/{attempt}",
        component=component,
        instalment=int(instalment),
        amount=amount,
        provider=linked.provider,
        account=linked.account,
    )


_RULES: Final[dict[type[Command], Callable[[Any, Situation], Fact | Refusal]]] = {
    PurchaseTraining: _purchase,
    Instruct: _instruct,
}
NEEDS_A_SITUATION: Final = frozenset(_RULES)
"""Commands that are decided on the participant's statement; the others on the history alone."""


def situation(
    participant: Participant, stream: ProgrammeStream, programme: Programme, today: date
) -> Situation:
    """How things stand today, as far as anything is recorded. Raises NotInView."""
    view = View(as_of=today)
    around = look_at_programme(stream, view)
    seen = look(participant, view)
    if seen is None:
        raise NotInView(participant=participant.id, as_of=today)
    dossier = recorded = open_dossier(seen, view, programme)
    if not _all_by(participant, view):
        all_seen = look(participant, _EVERYTHING)
        assert all_seen is not None, "more is in this view than in the other"
        recorded = open_dossier(all_seen, _EVERYTHING, programme)
    return Situation(
        participant=participant,
        dossier=dossier,
        around=around,
        programme=programme,
        recorded=recorded,
        hold=around.hold if _all_by(stream, view) else look_at_programme(stream, _EVERYTHING).hold,
    )


def _all_by(stream: Stream, view: View) -> bool:
    """Whether nothing on the stream is dated after the view's day."""
    bound = view.bound
    return all(event.occurred_at < bound for event in stream.events)


_EVERYTHING: Final = View(as_of=date.max - timedelta(days=1))
"""Whatever its date: for what must not be forgotten while the clock stands too early."""


def is_answer(command: Command, event: Event) -> bool:
    """Whether a recorded event is what this command became.

    What the command left to the ledger (the time, the amount, the account, the disbursement id) may
    be anything; what it says itself must be so.
    """
    if type(event.fact) is not FACT_OF[type(command)]:
        return False
    if command.time is not None and _instant(command.time) != event.occurred_at:
        return False
    recorded = data_of(event.fact)
    asked = asked_for(command)
    line = asked.pop("line", None)
    if line is not None and line != f"{recorded['component']}/{recorded['instalment']}":
        return False
    if isinstance(command, Instruct):
        return all(recorded.get(name) == value for name, value in asked.items())
    return data_of(command.fact()) == recorded


def _instant(moment: str | datetime) -> Instant:
    return instant(moment) if isinstance(moment, str) else instant_of(moment)
