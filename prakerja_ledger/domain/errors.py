"""The errors of the whole package: one root, few families, each with a stable code.

An error carries its fields first; its text says what, where, why and what to do now. Texts are
gettext message ids with named fields, so that an interface can say them in another language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import field, frozen

from prakerja_ledger.domain.phrases import Phrase


class PrakerjaLedgerError(Exception):
    """The root: every error that this package raises on purpose."""

    code: str = "ERROR"
    """What programs go by; it does not change."""
    template: ClassVar[str] = "{problem}"
    """The text with its fields in braces; the message id of its translation."""

    def __init__(self, **fields: Any) -> None:
        self.fields: Mapping[str, Any] = fields
        """What the text is made of, by name."""
        super().__init__(Phrase(self.template, **fields))

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), dict(self.fields))


def _remake(kind: type[PrakerjaLedgerError], fields: dict[str, Any]) -> PrakerjaLedgerError:
    """Pickle calls a class with positional arguments; ours take names only."""
    return kind(**fields)


class InvalidInput(PrakerjaLedgerError):
    """What came in cannot be read as what it should be. Nothing was written."""

    code = "INVALID_INPUT"


class InvalidField(InvalidInput):
    """A field of a fact or a command, or something else that was handed over, breaks its rule."""

    code = "INVALID_FIELD"
    template = "field {field} is {found}; expected {expected}. Correct it and send the event again."


class InvalidTimestamp(InvalidInput):
    """A text is not an RFC 3339 timestamp that the format takes."""

    code = "INVALID_TIMESTAMP"
    template = (
        "{found} is not an RFC 3339 timestamp with offset, such as 2020-05-19T10:00:00+07:00, "
        "of the years 0001 to 9999 (also in WIB). Write it so."
    )


class InvalidDate(InvalidInput):
    """A text is not a calendar date."""

    code = "INVALID_DATE"
    template = "{found} is not a date. Write it as YYYY-MM-DD, such as 2020-07-02."


class CalendarTooShort(PrakerjaLedgerError):
    """A working day is asked for that the list of holidays does not reach.

    The statement is withheld rather than guessed: a due date that ignores a holiday is wrong.
    """

    code = "CALENDAR_TOO_SHORT"
    template = (
        "the list of working-day holidays covers {first} to {last}, and {needed} lies outside. "
        "Extend it: write a CSV file with the columns date,name that lists the holidays of the "
        "missing years, and name it with --holidays FILE."
    )


class HolidaysWithGap(InvalidInput):
    """A list of holidays skips a year."""

    code = "HOLIDAYS_WITH_GAP"
    template = (
        "the holidays skip the year {missing}: a year without any listed holiday cannot be told "
        "from one that is not listed. Add the holidays of every year in between."
    )


class UnknownScheme(InvalidInput):
    """A scheme id that the programme does not know."""

    code = "UNKNOWN_SCHEME"
    template = "scheme {scheme} is not registered. Known schemes: {known}."


class NotInView(InvalidInput):
    """A participant has no statement on that day, as known at that moment."""

    code = "NOT_IN_VIEW"
    template = (
        "participant {participant} is not in view: no enrolment dated by {as_of} is on record. "
        "Check the id, or ask for a later day (--as-of)."
    )


class NotKnownInView(NotInView):
    """As NotInView, where only what was known by a moment is asked for."""

    template = (
        "participant {participant} is not in view: no enrolment dated by {as_of} was known by "
        "{known_at}. Check the id, or ask for a later day (--as-of) or moment (--known-at)."
    )


class NoSuchLine(InvalidInput):
    """A statement has no line of that name."""

    code = "NO_SUCH_LINE"
    template = "participant {participant} has no line {line}. Lines: {lines}."


class Refused(PrakerjaLedgerError):
    """The ledger will not record this: the format, the history, or a rule of the programme forbids it.

    `code` is the quarantine code that an import would have given the line, or that of the rule which
    forbids a command. Nothing was written.
    """

    template = "{refusal}"

    def __init__(self, *, refusal: Refusal) -> None:
        super().__init__(refusal=refusal)
        self.code: str = refusal.code  # each refusal has its own


class Conflict(PrakerjaLedgerError):
    """The identity is taken by another content. Nothing was written; nothing was changed.

    `given` and `recorded` are fingerprints of the two contents: no data of either is shown.
    """

    code = "CONFLICTING_DUPLICATE"
    template = (
        "{source} {id} is already recorded at position {position} with other content (recorded "
        "{recorded}, given {given}). An identity is used once for ever: send the new fact under a new "
        "id, or correct the old one by an event-voided."
    )


class OutcomeUnknown(PrakerjaLedgerError):
    """The commit failed in a way that does not tell whether it was stored.

    Not a refusal and not a success: ask `Ledger.resolve`, or send the same again under the same
    identity, which is always safe.
    """

    code = "OUTCOME_UNKNOWN"
    template = (
        "whether {source} {id} was recorded is not known: {problem} Ask Ledger.resolve with the same "
        "identity, or send the same again under it; a second identity could record it twice."
    )


class UnreadableSource(InvalidInput):
    """A history or a ledger cannot be opened or read."""

    code = "UNREADABLE_SOURCE"
    template = "cannot read {source}: {problem}"


class NotCanonical(InvalidInput):
    """A value has no canonical bytes: a number that JSON readers round, or no JSON value at all."""

    code = "NOT_CANONICAL"
    template = "there are no canonical bytes for this: {problem} Compare it with the source that it came from."


class InvalidEvidence(InvalidInput):
    """A key, a signed note, a checkpoint, a file of leaves or a proof is not what it should be."""

    code = "INVALID_EVIDENCE"
    template = "the {kind} is not valid: {problem} Ask whoever gave it to you for another copy."


class NotProved(InvalidInput):
    """What is to be proved is not among the events that the checkpoint speaks of."""

    code = "NOT_PROVED"
    template = (
        "{source}: {missing} is not among the first {size} events, of which the checkpoint speaks. Look "
        "up how it is spelt (SOURCE/ID, or a participant's id), or seal the history anew."
    )


class UnwritableTarget(InvalidInput):
    """A file that was to be written is not written."""

    code = "UNWRITABLE_TARGET"
    template = "{target} is not written: {problem}"


class NotAsSealed(PrakerjaLedgerError):
    """A history is not what it was sealed as: nothing is proved of it."""

    code = "NOT_AS_SEALED"
    template = "{source} is not as it was sealed: {problem}"


class LedgerFault(PrakerjaLedgerError):
    """The store does not behave as the ledger needs it to."""

    code = "LEDGER_FAULT"
    template = "{source}: {problem}"


class TurnLost(LedgerFault):
    """The store undid a transaction in favour of another one. Nothing of it was recorded."""

    code = "TURN_LOST"


class UnusableConnection(InvalidInput):
    """A caller's connection cannot carry the ledger's facts in its transaction."""

    code = "UNUSABLE_CONNECTION"
    template = "this connection cannot be used with {source}: {problem}"


class CommitInDoubt(LedgerFault):
    """The store failed while it was making a transaction durable."""

    code = "COMMIT_IN_DOUBT"


class InvalidPerson(InvalidInput):
    """A value about a person breaks its form. Nothing was written.

    The text never repeats the value, nor does any field of the error: it may be personal.
    """

    code = "INVALID_PERSON"
    template = (
        "{field} is not {expected}. Correct it; what was given is not repeated here, since it may be "
        "personal."
    )


class KeyRefused(InvalidInput):
    """A key of the vault cannot be used, or is the wrong one."""

    code = "KEY_REFUSED"
    template = "the key {key} cannot be used: {problem}"


class NotInVault(InvalidInput):
    """The vault never held a person under this participant id."""

    code = "NOT_IN_VAULT"
    template = (
        "the vault holds nobody under the participant id that was given. Check it: an id is p- and 32 "
        "digits or letters a to f, and was printed when the person was added."
    )


class Forgotten(NotInVault):
    """The person's data was made unreadable."""

    code = "FORGOTTEN"
    template = (
        "the data of participant {participant} was made unreadable on {on}, and nothing brings it "
        "back. Amounts and dates stand in the ledger under the id."
    )


class Restricted(PrakerjaLedgerError):
    """Processing of the person's data is restricted. Nothing was shown, and nothing was changed."""

    code = "RESTRICTED"
    template = (
        "the data of participant {participant} is restricted since {on}; nothing was shown or "
        "changed. When the restriction has ended, lift it (vault lift), and ask again."
    )


class VaultDamaged(LedgerFault):
    """What the vault holds is not what it wrote: a value, a key or its journal was changed."""

    code = "VAULT_DAMAGED"


@frozen(kw_only=True)
class Refusal:
    """Why an event cannot be recorded: a quarantine code of the contract and a sentence.

    A value, not an exception: judging a history returns these, line by line.
    """

    code: str
    template: str
    fields: Mapping[str, Any] = field(factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.fields)
