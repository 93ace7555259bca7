"""The vault: who is who, shown only to those who say why, and forgotten when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from itertools import islice
from types import TracebackType
from typing import Final, Self

from attrs import define

from prakerja_ledger.domain.errors import (
    KeyRefused,
    LedgerFault,
    Restricted,
)
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.asking import system_clock
from prakerja_ledger.ledger.steps import Clock, now_by
from prakerja_ledger.vault import crypto, forgetting, registering, rotating, showing
from prakerja_ledger.vault.crypto import Algorithm
from prakerja_ledger.vault.forgetting import Past
from prakerja_ledger.vault.journal import Entry, Head, Kind, Stored, Warrant, followed
from prakerja_ledger.vault.keys import NO_KEYS, Keys
from prakerja_ledger.vault.person import Person, PersonalField
from prakerja_ledger.vault.registering import Registered
from prakerja_ledger.vault.rows import Settings
from prakerja_ledger.vault.sealing import Sealing
from prakerja_ledger.vault.secret import Secret
from prakerja_ledger.vault.showing import Held, Shown
from prakerja_ledger.vault.store import Store, store_module
from prakerja_ledger.vault.turn import Turn

_TOGETHER: Final = 100
"""Participants of one transaction where many are written."""


@define(eq=False)
class Vault:
    """People apart from the history. Use as a context, or close it."""

    store: Store
    keys: Keys
    vault: str
    clock: Clock = system_clock

    @classmethod
    def create(
        cls,
        url: str,
        keys: Keys,
        warrant: Warrant,
        *,
        algorithm: Algorithm = Algorithm.AES_256_GCM_SIV,
        clock: Clock = system_clock,
    ) -> Self:
        """Make a vault with the one wrapping key and the one look-up key that are given."""
        if len(keys.wrapping) != 1 or len(keys.look_up) != 1:
            raise KeyRefused(
                key=Phrase("of a new vault"),
                problem=Phrase("one wrapping key and one look-up key are needed."),
            )
        settings = Settings(
            vault=crypto.random_id("v-"),
            algorithm=algorithm,
            wrapping_key=next(iter(keys.wrapping)),
            look_up_key=next(iter(keys.look_up)),
        )
        store_module(url).create(url, settings)
        made = cls.open(url, keys, clock=clock)
        made.begin(warrant)
        return made

    def begin(self, warrant: Warrant) -> None:
        """Note in the journal that there is a vault; whoever makes one does it once."""
        with self._turn(warrant) as turn:
            if turn.rows.head(self.vault).number == 0:
                turn.note(
                    Kind.CREATED, keys=(turn.settings.wrapping_key, turn.settings.look_up_key)
                )

    @classmethod
    def open(cls, url: str, keys: Keys = NO_KEYS, *, clock: Clock = system_clock) -> Self:
        """The vault behind a URL. Which keys are needed depends on what is asked of it."""
        store = store_module(url).open(url)
        with store.reading() as rows:
            settings = rows.settings()
        opened = cls(store, keys, settings.vault, clock)
        if settings.scrub_due:  # whoever forgot somebody was stopped before the files were cleared
            with suppress(LedgerFault):  # whoever may only read cannot; the next who may does
                opened.scrub()
        return opened

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _turn(self, warrant: Warrant) -> Iterator[Turn]:
        sealing = Sealing(source=self.store.url, vault=self.vault, keys=self.keys)
        with self.store.writing() as rows:
            yield Turn(
                rows=rows,
                settings=rows.settings(),
                sealing=sealing,
                warrant=warrant,
                at=now_by(self.clock),
            )

    # people

    def register(self, person: Person, warrant: Warrant) -> Registered:
        """Add a person, or bring up to date what is held. Needs both keys. Raises Restricted."""
        with self._turn(warrant) as turn:
            return registering.register(turn, person)

    def register_all(
        self, people: Iterable[Person], warrant: Warrant
    ) -> Iterator[Registered | Restricted]:
        """The same for many, some in each transaction; whoever is restricted stays as they are."""
        given = iter(people)
        while page := list(islice(given, _TOGETHER)):
            with self._turn(warrant) as turn:
                done = [registering.register_unless_restricted(turn, person) for person in page]
            yield from done

    def held(self, participant: str) -> Held:
        """Which fields are held of somebody, and how they stand. Needs no key, and shows no value."""
        with self.store.reading() as rows:
            return showing.held(rows, participant)

    def reveal(
        self, participant: str, fields: Sequence[PersonalField], warrant: Warrant
    ) -> list[Shown]:
        """Values in clear. Who looks, at what and why is on record before anything is opened."""
        with self._turn(warrant) as turn:
            looked = showing.look(turn, participant, fields)
        return looked.opened()

    def find(
        self, field: PersonalField, value: Secret[str], warrant: Warrant
    ) -> list[tuple[str, str]]:
        """Participants with that value, each with its item. Needs the look-up key; is on record.

        The value is spelt as `person` spells it. Raises Restricted where all that are found are.
        """
        with self._turn(warrant) as turn:
            every = turn.found(field, value)
            for participant, _ in every:
                turn.note(Kind.FOUND, participant, (field,))
            if not every:
                turn.note(Kind.FOUND, None, (field,))
            free, restricted = registering.unrestricted(turn, every)
        if restricted is not None and not free:
            raise restricted  # it names somebody, and so the search is on record before
        return free

    # rights

    def restrict(self, participant: str, warrant: Warrant) -> bool:
        """Stop all processing of somebody's data; False where it is stopped already."""
        return self._marked(participant, warrant, Kind.RESTRICTED)

    def lift(self, participant: str, warrant: Warrant) -> bool:
        """End a restriction; False where there is none."""
        return self._marked(participant, warrant, Kind.LIFTED)

    def _marked(self, participant: str, warrant: Warrant, kind: Kind) -> bool:
        with self._turn(warrant) as turn:
            known = turn.known(participant)
            if (known.restricted_at is not None) == (kind is Kind.RESTRICTED):
                return False
            turn.rows.mark(participant, restricted_at=turn.at if kind is Kind.RESTRICTED else None)
            turn.note(kind, participant)
            return True

    def forget(self, participants: Iterable[str], warrant: Warrant) -> bool:
        """Make people's data unreadable: all of them or none. Raises NotInVault or Restricted.

        Somebody forgotten before stays so. False where another process's look at the files keeps them
        from being cleared now; whoever opens the vault next clears them.
        """
        with self._turn(warrant) as turn:
            for participant in participants:
                forgetting.forget_on_request(turn, participant)
        return self.scrub()

    def past_retention(self, on: date) -> Past:
        """Whom `expire` would forget on that day."""
        with self.store.reading() as rows:
            return forgetting.past_retention(rows, on)

    def expire(self, on: date, warrant: Warrant) -> Past:
        """Forget those whose last day was before that one; those restricted stay."""
        past = self.past_retention(on)
        for page in _pages(past.forgotten):
            with self._turn(warrant) as turn:
                for participant in page:
                    forgetting.forget_if_past(turn, participant, on)
        self.scrub()
        return past

    def scrub(self) -> bool:
        """Clear the files of what was deleted, if something was; False where it cannot be done now."""
        with self.store.reading() as rows:
            wanted = rows.settings().scrub_due
        if not wanted:
            return True
        if not self.store.scrub():
            return False
        with self.store.writing() as rows:
            rows.scrubbed(wanted)
        return True

    # keys

    def rotate_wrapping(self, new: str, warrant: Warrant) -> str | None:
        """Wrap every participant's key by another key, and go on with one that was begun.

        Returns the id of the key that is needed no more; None where nothing was to be done.
        """
        return self._rotated(
            new, warrant, rotating.begin_wrapping, rotating.wrap_page, rotating.end_wrapping
        )

    def rotate_look_up(self, new: str, warrant: Warrant) -> str | None:
        """Make every token with another key; needs the wrapping key too. Returns as the other does."""
        return self._rotated(
            new, warrant, rotating.begin_look_up, rotating.look_up_page, rotating.end_look_up
        )

    def _rotated(
        self,
        new: str,
        warrant: Warrant,
        begin: Callable[[Turn, str], None],
        page: Callable[[Turn, str], str | None],
        end: Callable[[Turn], str | None],
    ) -> str | None:
        with self._turn(warrant) as turn:
            begin(turn, new)
        at: str | None = ""
        while at is not None:
            with self._turn(warrant) as turn:
                at = page(turn, at)
        with self._turn(warrant) as turn:
            old = end(turn)
        self.scrub()
        return old

    def settings(self) -> Settings:
        """Which keys and which algorithm are in use."""
        with self.store.reading() as rows:
            return rows.settings()

    # journal

    def journal(self, kept: Head | None = None) -> Iterator[tuple[Entry, Head]]:
        """Every entry with the head after it, the chain checked on the way. Raises VaultDamaged.

        `kept` is a head that was noted down before: a journal that does not lead through it was made anew.
        """
        return followed(self.vault, self._stored(), self.store.url, kept)

    def _stored(self) -> Iterator[Stored]:
        number = 0
        while True:
            with self.store.reading() as rows:
                page = rows.journal_after(number)
            if not page:
                return
            yield from page
            number = page[-1][0]


def _pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _TOGETHER] for at in range(0, len(ids), _TOGETHER))
