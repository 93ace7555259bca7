"""Adding a person: the same one twice is one participant, and the same account of two people one token."""

from __future__ import annotations

from datetime import date

from attrs import frozen

from prakerja_ledger.domain.errors import Restricted
from prakerja_ledger.domain.time import date_of
from prakerja_ledger.vault import crypto
from prakerja_ledger.vault.crypto import Key
from prakerja_ledger.vault.journal import Kind
from prakerja_ledger.vault.nik import Doubt
from prakerja_ledger.vault.person import LOOKED_UP, Person, PersonalField
from prakerja_ledger.vault.secret import Secret
from prakerja_ledger.vault.turn import Turn


@frozen(kw_only=True)
class Registered:
    """How a person was added. Holds no value, so that it may be printed and logged."""

    participant: str
    accounts: tuple[str, ...]
    """The token of each account, in the order in which they were given."""
    is_new: bool
    changed: tuple[str, ...]
    """Fields written now: all of them for a new person, none where everything was known."""
    doubts: tuple[Doubt, ...]


def register(turn: Turn, person: Person) -> Registered:
    """Add a person, or bring up to date what is held of one. Raises Restricted."""
    found = turn.found(PersonalField.NIK, person.nik)
    if not found:
        return _added(turn, person)
    ((participant, _), *_) = found
    return _brought_up_to_date(turn, participant, person)


def register_unless_restricted(turn: Turn, person: Person) -> Registered | Restricted:
    """The same, with the refusal as a value: it comes before anything is written but who was found."""
    try:
        return register(turn, person)
    except Restricted as refused:
        turn.note(Kind.FOUND, refused.fields["participant"], (PersonalField.NIK,))
        return refused


def _added(turn: Turn, person: Person) -> Registered:
    participant, key = crypto.random_id("p-"), crypto.new_key()
    turn.rows.add(participant, turn.at, person.retain_until)
    turn.rows.put_key(turn.sealing.wrapped(participant, key, turn.settings.wrapping_key))
    for field, value in person.single().items():
        _put(turn, participant, key, field, "", value)
    tokens = tuple(_account(turn, participant, key, account) for account in person.accounts)
    fields = (*person.single(), *([PersonalField.ACCOUNT] if tokens else []))
    turn.note(Kind.REGISTERED, participant, fields)
    return Registered(
        participant=participant,
        accounts=tokens,
        is_new=True,
        changed=fields,
        doubts=tuple(person.doubts()),
    )


def _brought_up_to_date(turn: Turn, participant: str, person: Person) -> Registered:
    known = turn.processed(participant)
    key = turn.key_of(participant)
    held = {
        (value.field, value.item): turn.sealing.opened(participant, key, value)
        for value in turn.rows.values_of(participant)
    }
    changed: list[str] = []
    for field, value in person.single().items():
        if held.get((field, "")) != value:
            turn.rows.drop_tokens(participant, field)
            _put(turn, participant, key, field, "", value)
            changed.append(field)
    accounts = {item: value for (field, item), value in held.items() if item}
    tokens = []
    for account in person.accounts:
        same = [item for item, value in accounts.items() if value == account]
        tokens.append(same[0] if same else _account(turn, participant, key, account))
        if not same:
            accounts[tokens[-1]] = account
            changed.append(PersonalField.ACCOUNT)
    changed += _retained(turn, participant, known.retain_until, person.retain_until)
    written = tuple(dict.fromkeys(changed))
    # whoever learns whose a number is has looked for it
    turn.note(
        *(
            (Kind.CHANGED, participant, written)
            if written
            else (Kind.FOUND, participant, (PersonalField.NIK,))
        )
    )
    return Registered(
        participant=participant,
        accounts=tuple(tokens),
        is_new=False,
        changed=written,
        doubts=tuple(person.doubts()),
    )


def _retained(turn: Turn, participant: str, before: date | None, now: date | None) -> list[str]:
    """A stated last day takes the place of the one before; one that is not stated changes nothing."""
    if now is None or now == before:
        return []
    turn.rows.mark(participant, retain_until=now.isoformat())
    return ["retain-until"]


def _account(turn: Turn, participant: str, key: Key, account: Secret[str]) -> str:
    """The account's token: the one that somebody else has for it, since who shares one must be found."""
    known = turn.found(PersonalField.ACCOUNT, account)
    token = known[0][1] if known else crypto.random_id("a-")
    if (participant, token) not in known:
        _put(turn, participant, key, PersonalField.ACCOUNT, token, account)
    return token


def _put(
    turn: Turn, participant: str, key: Key, field: PersonalField, item: str, value: Secret[str]
) -> None:
    sealed = turn.sealing.sealed(participant, key, field, item, value, turn.settings.algorithm)
    turn.rows.put_value(participant, sealed)
    if field in LOOKED_UP:
        turn.put_token(participant, field, item, value)


def unrestricted(
    turn: Turn, found: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], Restricted | None]:
    """Those of them whose data may be processed, and the refusal of one whose may not."""
    restricted = None
    free = []
    for participant, item in found:
        known = turn.known(participant)
        if known.restricted_at is None:
            free.append((participant, item))
        else:
            restricted = Restricted(participant=participant, on=date_of(known.restricted_at))
    return free, restricted
