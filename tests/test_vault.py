"""The vault: the same contract on SQLite and PostgreSQL, and laws that hold whatever is done to it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from prakerja_ledger.domain.errors import (
    Forgotten,
    InvalidPerson,
    KeyRefused,
    LedgerFault,
    NotInVault,
    Restricted,
    UnreadableSource,
    VaultDamaged,
)
from prakerja_ledger.vault import rotating
from prakerja_ledger.vault.crypto import Algorithm
from prakerja_ledger.domain.time import instant_of
from prakerja_ledger.vault.journal import Entry, Head, Kind, Warrant, beginning, followed, read_body
from prakerja_ledger.vault.keys import Keys, Use, destroy_key, keys_in, make_key
from prakerja_ledger.vault.person import PersonalField, account
from prakerja_ledger.vault.rows import Rows
from prakerja_ledger.vault.secret import Secret
from prakerja_ledger.vault.vault import Vault
from tests.postgres_support import shared_database, with_options, without_options  # noqa: F401
from tests.servers import connect
from tests.vault_support import (
    NOON,
    WARRANT,
    Marked,
    entries,
    holding,
    new_keys,
    registering,
    told_of,
    values,
)

NIK, NAME, PHONE, ACCOUNT = PersonalField
ANI, BUDI, CITRA = Marked(1), Marked(2), Marked(3)
TABLES = ("settings", "participants", "wrapped_keys", "sealed_values", "tokens", "journal")


class VaultContract:
    """What every vault keeps, wherever it lies."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    def rows(self, url: str, statement: str) -> list[Any]:
        """Run a statement as whoever administers the database could."""
        raise NotImplementedError

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "keys"

    @pytest.fixture
    def vault(self, url: str, folder: Path) -> Iterator[Vault]:
        with Vault.create(url, new_keys(folder), WARRANT, clock=lambda: NOON) as made:
            yield made

    # people

    def test_the_same_person_twice_is_one_participant(self, vault):
        first = vault.register(ANI.person(), WARRANT)
        again = vault.register(ANI.person(), WARRANT)
        assert (first.is_new, again.is_new) == (True, False)
        assert (again.participant, again.accounts) == (first.participant, first.accounts)
        assert first.changed == ("nik", "name", "phone", "account")
        assert again.changed == ()
        assert entries(vault) == [
            ("registered", first.participant, first.changed),
            ("found", first.participant, ("nik",)),  # whoever adds somebody known is told who it is
        ]

    def test_another_spelling_is_no_change(self, vault):
        vault.register(ANI.person(), WARRANT)
        spelt = f"0{ANI.phone[3:7]}-{ANI.phone[7:]}"
        again = vault.register(ANI.person(phone=Secret(spelt), name=Secret(f" {ANI.name} ")), WARRANT)
        assert again.changed == ()

    def test_a_new_number_takes_the_place_of_the_old_one(self, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        changed = vault.register(ANI.person(phone=Secret(BUDI.phone)), WARRANT)
        assert (changed.participant, changed.changed) == (ani, ("phone",))
        assert vault.find(PHONE, Secret(ANI.phone), WARRANT) == []
        assert vault.find(PHONE, Secret(BUDI.phone), WARRANT) == [(ani, "")]
        assert values(vault, ani)["phone"] == BUDI.phone

    def test_another_account_is_one_more_and_keeps_the_first(self, vault):
        first = vault.register(ANI.person(), WARRANT)
        more = vault.register(ANI.person(accounts=(account("bni", Secret("987654")),)), WARRANT)
        assert more.changed == ("account",)
        held = [item for field, item in vault.held(first.participant).fields if field == ACCOUNT]
        assert sorted(held) == sorted([*first.accounts, *more.accounts])

    def test_who_shares_an_account_shares_its_token(self, vault):
        """So that the finding SHARED_ACCOUNT still finds it, in a history without account numbers."""
        shared = (account("bca", Secret(ANI.account)),)
        ani = vault.register(ANI.person(), WARRANT)
        budi = vault.register(BUDI.person(accounts=shared), WARRANT)
        assert ani.participant != budi.participant
        assert ani.accounts == budi.accounts
        vault.forget([ani.participant], WARRANT)
        assert vault.find(ACCOUNT, shared[0], WARRANT) == [(budi.participant, *budi.accounts)]
        assert values(vault, budi.participant)["account"] == shared[0].exposed()

    def test_a_person_is_found_by_each_value_that_identifies(self, vault):
        ani = vault.register(ANI.person(), WARRANT)
        vault.register(BUDI.person(), WARRANT)
        (token,) = ani.accounts
        assert vault.find(NIK, Secret(ANI.nik), WARRANT) == [(ani.participant, "")]
        assert vault.find(PHONE, Secret(ANI.phone), WARRANT) == [(ani.participant, "")]
        assert vault.find(ACCOUNT, ANI.person().accounts[0], WARRANT) == [(ani.participant, token)]
        assert vault.find(NIK, Secret(CITRA.nik), WARRANT) == []

    def test_ids_are_random_and_say_nothing(self, vault):
        made = [vault.register(Marked(n).person(), WARRANT) for n in range(20)]
        ids = {id for one in made for id in (one.participant, *one.accounts)}
        assert len(ids) == 40
        assert all(len(id) == 34 and id[:2] in ("p-", "a-") for id in ids)

    def test_what_is_held_is_told_without_a_key_and_without_a_value(self, url, vault):
        ani = vault.register(ANI.person(), WARRANT)
        with Vault.open(url) as keyless:
            held = keyless.held(ani.participant)
            assert [field for field, _ in held.fields] == [ACCOUNT, NAME, NIK, PHONE]
            assert holding(ANI.marks(), repr(held).encode()) == []
            with pytest.raises(NotInVault):
                keyless.held("p-unknown")

    # looking

    def test_who_looked_at_what_is_on_record_before_it_is_shown(self, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        shown = vault.reveal(ani, (NIK, PHONE), WARRANT)
        assert [(one.field, one.value.exposed()) for one in shown] == [
            (NIK, ANI.nik),
            (PHONE, ANI.phone),
        ]
        assert entries(vault)[-1] == ("revealed", ani, ("nik", "phone"))
        entry, _ = list(vault.journal())[-1]
        assert (entry.by, entry.purpose, entry.at) == ("siti", "ticket PR-7", "2020-07-02T19:00:00")

    def test_a_value_that_fails_to_open_is_on_record_as_looked_at(self, url, vault):
        """The entry is committed first: what is shown is logged, and not all that is logged was shown."""
        ani = vault.register(ANI.person(), WARRANT).participant
        budi = vault.register(BUDI.person(), WARRANT).participant
        self.rows(
            url,
            "UPDATE sealed_values SET sealed = (SELECT sealed FROM sealed_values AS o WHERE "
            f"o.participant = '{budi}' AND o.field = 'nik') WHERE participant = '{ani}' AND field = 'nik'",
        )
        with pytest.raises(VaultDamaged, match=f"nik of {ani} does not open") as damaged:
            vault.reveal(ani, (NIK,), WARRANT)
        assert entries(vault)[-1] == ("revealed", ani, ("nik",))
        assert holding([*ANI.marks(), *BUDI.marks()], told_of(damaged.value)) == []

    @pytest.mark.parametrize("changed", ["participant", "field"])
    def test_a_value_opens_in_its_own_place_only(self, url, vault, changed):
        ani = vault.register(ANI.person(), WARRANT).participant
        budi = vault.register(BUDI.person(), WARRANT).participant
        self.rows(url, f"DELETE FROM sealed_values WHERE participant = '{ani}' AND field = 'name'")
        if changed == "field":
            self.rows(
                url,
                f"UPDATE sealed_values SET field = 'name' WHERE participant = '{ani}' AND field = 'nik'",
            )
        else:
            self.rows(
                url,
                f"UPDATE sealed_values SET participant = '{ani}' WHERE participant = '{budi}' AND "
                "field = 'name'",
            )
        with pytest.raises(VaultDamaged):
            vault.reveal(ani, (NAME,), WARRANT)

    def test_rows_of_another_vault_open_nothing_and_are_not_found(self, url, vault):
        """Also where both have the same keys: an id of the vault is part of what everything is bound to."""
        ani = vault.register(ANI.person(), WARRANT).participant
        with vault.store.reading() as rows:
            key, held = rows.key_of(ani), rows.values_of(ani)
        tokens = self.rows(url, "SELECT token FROM tokens")
        other_url = self.another(url)
        with Vault.create(other_url, vault.keys, WARRANT) as other:
            with other.store.writing() as rows:
                rows.add(ani, "2020-07-02T19:00:00", None)
                rows.put_key(key)
                for value in held:
                    rows.put_value(ani, value)
            with pytest.raises(VaultDamaged, match=f"the key of {ani} does not open"):
                other.reveal(ani, (NAME,), WARRANT)
            other.register(ANI.person(), WARRANT)
        assert set(self.rows(other_url, "SELECT token FROM tokens")).isdisjoint(tokens)

    def another(self, url: str) -> str:
        """The URL of another vault."""
        raise NotImplementedError

    @pytest.mark.parametrize("algorithm", [*map(str, Algorithm), "rot13", ""])
    @pytest.mark.parametrize("table", ["sealed_values", "wrapped_keys"])
    def test_another_algorithm_than_it_was_sealed_with_opens_nothing(
        self, url, vault, table, algorithm
    ):
        ani = vault.register(ANI.person(), WARRANT).participant
        self.rows(url, f"UPDATE {table} SET algorithm = '{algorithm}'")
        if algorithm == Algorithm.AES_256_GCM_SIV:
            assert values(vault, ani)["nik"] == ANI.nik
        else:
            with pytest.raises(VaultDamaged, match="does not open"):
                vault.reveal(ani, (NIK,), WARRANT)

    def test_several_threads_add_the_same_people_once(self, vault):
        people = [Marked(number).person() for number in range(8)] * 4
        with ThreadPoolExecutor(8) as threads:
            added = list(threads.map(lambda one: vault.register(one, WARRANT), people))
        assert len({one.participant for one in added}) == sum(one.is_new for one in added) == 8

    def test_a_key_opens_for_its_own_participant_only(self, url, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        budi = vault.register(BUDI.person(), WARRANT).participant
        self.rows(
            url,
            "UPDATE wrapped_keys SET wrapped = (SELECT wrapped FROM wrapped_keys AS o WHERE "
            f"o.participant = '{budi}') WHERE participant = '{ani}'",
        )
        with pytest.raises(VaultDamaged, match=f"the key of {ani} does not open"):
            vault.reveal(ani, (NAME,), WARRANT)

    @pytest.mark.parametrize(
        "words",
        [
            {"by": ""},
            {"purpose": " "},
            {"purpose": "x" * 201},
            {"purpose": "line\nfeed"},
            {"purpose": f"because of {ANI.nik}"},
            {"by": ANI.phone},
        ],
    )
    def test_a_warrant_names_nobody_and_is_not_empty(self, words):
        """It stays when the person is forgotten."""
        with pytest.raises(InvalidPerson) as refused:
            Warrant(**{"by": "siti", "purpose": "x", **words})
        assert holding(ANI.marks(), repr((refused.value, refused.value.fields)).encode()) == []

    # rights

    def test_a_restriction_is_honoured_by_every_reader_and_lifted_again(self, vault):
        ani = vault.register(ANI.person(retain_until=date(2020, 1, 1)), WARRANT).participant
        assert vault.restrict(ani, WARRANT)
        assert not vault.restrict(ani, WARRANT)
        for attempt in (
            lambda: vault.reveal(ani, (NIK,), WARRANT),
            lambda: vault.find(NIK, Secret(ANI.nik), WARRANT),
            lambda: vault.register(ANI.person(), WARRANT),
            lambda: vault.forget([ani], WARRANT),
        ):
            with pytest.raises(Restricted) as restricted:
                attempt()
            assert holding(ANI.marks(), told_of(restricted.value)) == []
        assert vault.expire(date(2021, 1, 1), WARRANT).kept == (ani,)
        assert vault.held(ani).participant.restricted_at == "2020-07-02T19:00:00"
        assert vault.lift(ani, WARRANT)
        assert not vault.lift(ani, WARRANT)
        assert values(vault, ani)["nik"] == ANI.nik
        kinds = [kind for kind, *_ in entries(vault)]
        assert kinds == ["registered", "restricted", "found", "lifted", "revealed"]

    def test_a_shared_number_finds_only_whom_it_may(self, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        budi = vault.register(BUDI.person(phone=Secret(ANI.phone)), WARRANT).participant
        vault.restrict(ani, WARRANT)
        assert vault.find(PHONE, Secret(ANI.phone), WARRANT) == [(budi, "")]

    def test_a_forgotten_person_is_nobody_and_may_come_again_as_another(self, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        assert vault.forget([ani], WARRANT)
        assert vault.find(NIK, Secret(ANI.nik), WARRANT) == []
        for attempt in (
            lambda: vault.reveal(ani, (NIK,), WARRANT),
            lambda: vault.restrict(ani, WARRANT),
            lambda: vault.lift(ani, WARRANT),
        ):
            with pytest.raises(Forgotten, match="made unreadable on 2020-07-02"):
                attempt()
        assert vault.held(ani).fields == ()
        assert vault.held(ani).participant.forgotten_at == "2020-07-02T19:00:00"
        again = vault.register(ANI.person(), WARRANT)
        assert again.is_new
        assert again.participant != ani

    def test_forgetting_leaves_nothing_of_somebody_but_that_they_were_there(self, url, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        budi = vault.register(BUDI.person(), WARRANT).participant
        vault.forget([ani], WARRANT)
        for table in ("wrapped_keys", "sealed_values", "tokens"):
            left = self.rows(url, f"SELECT DISTINCT participant FROM {table}")
            assert left == [(budi,)], table

    def test_forgetting_again_changes_nothing(self, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        vault.forget([ani], WARRANT)
        before = entries(vault)
        vault.forget([ani], WARRANT)
        assert entries(vault) == before

    def test_several_are_forgotten_all_or_none(self, vault):
        ani, budi = (vault.register(one.person(), WARRANT).participant for one in (ANI, BUDI))
        with pytest.raises(NotInVault):
            vault.forget([ani, "p-unknown", budi], WARRANT)
        assert values(vault, ani)["nik"] == ANI.nik
        vault.forget([ani, budi], WARRANT)
        assert [kind for kind, *_ in entries(vault)][-2:] == ["forgotten", "forgotten"]

    def test_those_past_their_retention_are_forgotten_and_no_others(self, vault):
        last = date(2025, 12, 31)
        past, still, none, held = (
            vault.register(Marked(n).person(retain_until=until), WARRANT).participant
            for n, until in enumerate([last, date(2026, 1, 1), None, last])
        )
        vault.restrict(held, WARRANT)
        assert vault.past_retention(last).forgotten == ()
        on = date(2026, 1, 1)
        assert vault.past_retention(on) == vault.expire(on, WARRANT)
        assert vault.held(past).participant.forgotten_at is not None
        for one in (still, none, held):
            assert vault.held(one).participant.forgotten_at is None
        assert [entry for entry in entries(vault) if entry[0] == "expired"] == [("expired", past, ())]
        assert vault.expire(on, WARRANT).forgotten == ()

    def test_a_longer_retention_is_said_by_adding_the_person_again(self, vault):
        ani = vault.register(ANI.person(retain_until=date(2025, 1, 1)), WARRANT).participant
        again = vault.register(ANI.person(retain_until=date(2030, 1, 1)), WARRANT)
        assert again.changed == ("retain-until",)
        assert vault.register(ANI.person(), WARRANT).changed == ()
        assert vault.past_retention(date(2026, 1, 1)).forgotten == ()
        assert vault.past_retention(date(2030, 1, 2)).forgotten == (ani,)

    # keys

    def test_without_the_keys_nothing_is_done_and_nothing_is_on_record(self, url, vault, tmp_path):
        ani = vault.register(ANI.person(), WARRANT).participant
        before = entries(vault)
        for keys in (Keys(), new_keys(tmp_path / "others")):
            with Vault.open(url, keys) as other:
                for attempt in (
                    lambda: other.reveal(ani, (NIK,), WARRANT),  # noqa: B023
                    lambda: other.find(NIK, Secret(ANI.nik), WARRANT),  # noqa: B023
                    lambda: other.register(BUDI.person(), WARRANT),  # noqa: B023
                ):
                    with pytest.raises(KeyRefused, match="it is not at hand") as refused:
                        attempt()
                    told = told_of(refused.value)
                    assert holding([*ANI.marks(), *BUDI.marks()], told) == []
        assert entries(vault) == before

    def test_who_has_the_look_up_key_alone_finds_and_does_not_see(self, url, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        with Vault.open(url, Keys(look_up=vault.keys.look_up)) as desk:
            assert desk.find(NIK, Secret(ANI.nik), WARRANT) == [(ani, "")]
            with pytest.raises(KeyRefused):
                desk.reveal(ani, (NIK,), WARRANT)

    def test_after_a_rotation_the_old_wrapping_key_is_of_no_use(self, url, vault, folder):
        people = [vault.register(Marked(n).person(), WARRANT).participant for n in range(5)]
        (old,) = vault.keys.wrapping
        new = make_key(folder, Use.WRAPPING).id
        with Vault.open(url, keys_in(folder)) as rotating_vault:
            assert rotating_vault.rotate_wrapping(new, WARRANT) == old
            assert rotating_vault.rotate_wrapping(new, WARRANT) is None
        destroy_key(folder, old)
        with Vault.open(url, keys_in(folder)) as after:
            assert [values(after, one)["nik"] for one in people] == [Marked(n).nik for n in range(5)]
            entry = [e for e, _ in after.journal() if e.kind == "rotated"]
        assert [e.keys for e in entry] == [(old, new)]
        used = self.rows(url, "SELECT DISTINCT key_id FROM wrapped_keys")
        assert used == [(new,)]

    def test_after_a_rotation_people_are_found_by_the_new_look_up_key_alone(self, url, vault, folder):
        ani = vault.register(ANI.person(), WARRANT)
        (old,) = vault.keys.look_up
        new = make_key(folder, Use.LOOK_UP).id
        with Vault.open(url, keys_in(folder)) as rotating_vault:
            assert rotating_vault.rotate_look_up(new, WARRANT) == old
        destroy_key(folder, old)
        with Vault.open(url, keys_in(folder)) as after:
            assert after.find(NIK, Secret(ANI.nik), WARRANT) == [(ani.participant, "")]
            assert after.find(ACCOUNT, ANI.person().accounts[0], WARRANT)[0][1] == ani.accounts[0]
            assert after.register(ANI.person(), WARRANT).changed == ()
        assert self.rows(url, "SELECT DISTINCT key_id FROM tokens") == [(new,)]

    @pytest.mark.parametrize("use", list(Use))
    def test_a_rotation_that_was_stopped_goes_on_and_nobody_is_lost_meanwhile(
        self, url, vault, folder, monkeypatch, use
    ):
        monkeypatch.setattr("prakerja_ledger.vault.rows.PAGE", 2)
        ids = [vault.register(Marked(n).person(), WARRANT).participant for n in range(6)]
        new, other = make_key(folder, use).id, make_key(folder, use).id
        name = "wrap_page" if use is Use.WRAPPING else "look_up_page"
        whole, pages = getattr(rotating, name), []

        def one_page(turn, after):
            if pages:
                raise KeyboardInterrupt
            pages.append(after)
            return whole(turn, after)

        with Vault.open(url, keys_in(folder)) as halfway:
            rotate = halfway.rotate_wrapping if use is Use.WRAPPING else halfway.rotate_look_up
            with monkeypatch.context() as patched:
                patched.setattr(rotating, name, one_page)
                with pytest.raises(KeyboardInterrupt):
                    rotate(new, WARRANT)
            for n, id in enumerate(ids):
                assert halfway.find(NIK, Secret(Marked(n).nik), WARRANT) == [(id, "")]
                assert halfway.register(Marked(n).person(), WARRANT).changed == ()
            ids.append(halfway.register(Marked(6).person(), WARRANT).participant)
            with pytest.raises(KeyRefused, match="being exchanged"):
                (halfway.rotate_wrapping if use is Use.WRAPPING else halfway.rotate_look_up)(
                    other, WARRANT
                )
            old = rotate(new, WARRANT)
        destroy_key(folder, old)
        with Vault.open(url, keys_in(folder)) as after:
            for n, id in enumerate(ids):
                assert after.find(NIK, Secret(Marked(n).nik), WARRANT) == [(id, "")]
                assert values(after, id)["nik"] == Marked(n).nik

    def test_a_value_is_opened_by_the_algorithm_that_sealed_it(self, url, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        self.rows(url, f"UPDATE settings SET algorithm = '{Algorithm.AES_256_GCM}'")
        budi = vault.register(BUDI.person(), WARRANT).participant
        used = self.rows(url, "SELECT DISTINCT algorithm FROM sealed_values ORDER BY algorithm")
        assert used == [("aes-256-gcm",), ("aes-256-gcm-siv",)]
        assert values(vault, ani)["nik"] == ANI.nik
        assert values(vault, budi)["nik"] == BUDI.nik

    # journal

    def test_the_journal_can_only_be_added_to(self, url, vault):
        for statement in (
            "UPDATE journal SET body = ''",
            "DELETE FROM journal",
            "DELETE FROM journal WHERE number = 1",
        ):
            with pytest.raises(Exception, match="append-only"):
                self.rows(url, statement)
        assert len(list(vault.journal())) == 1

    @pytest.mark.parametrize(
        ("statement", "place"),
        [
            ("UPDATE journal SET body = replace(body, 'siti', 'sari') WHERE number = 3", 3),
            ("DELETE FROM journal WHERE number = 2", 2),
            ("UPDATE journal SET hash = (SELECT hash FROM journal WHERE number = 1) WHERE number = 2", 2),
            ("UPDATE journal SET number = 9 WHERE number = 4", 4),
            ("UPDATE journal SET body = body || ' ' WHERE number = 1", 1),
        ],
    )
    def test_a_change_to_the_journal_is_reported_with_its_place(self, url, vault, statement, place):
        for number in range(3):
            vault.register(Marked(number).person(), WARRANT)
        self.unlock_journal(url)
        self.rows(url, statement)
        with pytest.raises(VaultDamaged, match=f"the journal breaks at entry {place}:"):
            list(vault.journal())

    def test_a_cut_tail_and_a_journal_made_anew_are_seen_by_who_kept_a_head(self, url, vault):
        vault.register(ANI.person(), WARRANT)
        _, kept = list(vault.journal())[-1]
        vault.register(BUDI.person(), WARRANT)
        assert len(list(vault.journal(kept))) == 3
        self.unlock_journal(url)
        self.rows(url, "DELETE FROM journal WHERE number > 1")
        assert len(list(vault.journal())) == 1
        with pytest.raises(VaultDamaged, match="cut or made anew"):
            list(vault.journal(kept))
        with pytest.raises(VaultDamaged, match="cut or made anew"):
            list(vault.journal(Head(1, kept.hash)))

    def unlock_journal(self, url: str) -> None:
        """As the owner of the tables could."""
        raise NotImplementedError

    # places

    def test_a_vault_is_made_once_and_opened_where_it_is(self, url, vault, folder):
        ani = vault.register(ANI.person(), WARRANT).participant
        with pytest.raises(UnreadableSource, match="there is a vault already"):
            Vault.create(url, keys_in(folder), WARRANT)
        assert values(vault, ani)["nik"] == ANI.nik

    def test_a_vault_needs_one_key_of_each_use_to_be_made(self, url):
        with pytest.raises(KeyRefused, match="one wrapping key and one look-up key"):
            Vault.create(url, Keys(), WARRANT)

    def test_two_processes_that_add_the_same_people_agree_on_them(self, url, vault, folder):
        both = [registering(url, folder, 30) for _ in range(2)]
        first, second = (process.communicate(timeout=120)[0].split() for process in both)
        assert [process.returncode for process in both] == [0, 0]
        assert len(set(first)) == 30
        assert first == second
        assert len(list(vault.journal())) == 61  # made, and each added once and once found

    def test_nothing_in_the_tables_is_in_clear(self, url, vault):
        for number in range(3):
            vault.register(Marked(number).person(), WARRANT)
        rows = repr([self.rows(url, f"SELECT * FROM {table}") for table in TABLES]).encode()
        assert holding([mark for n in range(3) for mark in Marked(n).marks()], rows) == []


class TestSQLiteVault(VaultContract):
    """In a file."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/vault.db"

    def rows(self, url: str, statement: str) -> list[Any]:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
            return database.execute(statement).fetchall()

    def another(self, url: str) -> str:
        return url.replace("vault.db", "other.db")

    def unlock_journal(self, url: str) -> None:
        for verb in ("insert", "update", "delete"):
            self.rows(url, f"DROP TRIGGER journal_{verb}")

    def test_the_file_is_its_owners_alone(self, url, vault, tmp_path):
        vault.register(ANI.person(), WARRANT)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("vault.db*")}
        assert modes == {"vault.db": 0o600, "vault.db-wal": 0o600, "vault.db-shm": 0o600}
        (tmp_path / "vault.db").chmod(0o640)
        with pytest.raises(UnreadableSource, match="its mode is 0640"):
            Vault.open(url)

    def test_what_is_no_vault_is_left_as_it_is(self, tmp_path):
        other = tmp_path / "other.db"
        with closing(sqlite3.connect(other)) as database:
            database.execute("CREATE TABLE t (x)")
        other.chmod(0o600)
        before = other.read_bytes()
        with pytest.raises(UnreadableSource, match="it is no vault of format 1"):
            Vault.open(f"sqlite:///{other}")
        (tmp_path / "text.db").write_text("no database at all, and long enough to be looked at" * 9)
        (tmp_path / "text.db").chmod(0o600)
        with pytest.raises(UnreadableSource):
            Vault.open(f"sqlite:///{tmp_path}/text.db")
        with pytest.raises(UnreadableSource, match="there is no vault"):
            Vault.open(f"sqlite:///{tmp_path}/none.db")
        assert other.read_bytes() == before

    def test_replace_does_not_change_the_journal_either(self, url, vault):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            self.rows(url, "INSERT OR REPLACE INTO journal VALUES (1, '', x'00')")


class TestPostgresVault(VaultContract):
    """In a schema."""

    @pytest.fixture
    def url(self, shared_database: str) -> str:
        self.names = getattr(VaultContract, "names", 0) + 1
        VaultContract.names = self.names
        return with_options(shared_database, schema=f"vault_{self.names}")

    def rows(self, url: str, statement: str) -> list[Any]:
        schema = url.rpartition("schema=")[2]
        with connect(without_options(url)) as connection:
            connection.execute(f"SET search_path = {schema}")
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description is not None else []

    def another(self, url: str) -> str:
        return f"{url}_other"

    def unlock_journal(self, url: str) -> None:
        self.rows(url, "ALTER TABLE journal DISABLE TRIGGER append_only")

    def test_a_vault_that_is_not_there_is_said_so(self, shared_database):
        with pytest.raises(UnreadableSource, match="there is no vault"):
            Vault.open(with_options(shared_database, schema="vault_none"))

    def test_a_connection_that_died_is_made_anew(self, url, vault):
        ani = vault.register(ANI.person(), WARRANT).participant
        self.rows(
            url,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database()",
        )
        assert values(vault, ani)["nik"] == ANI.nik

    def test_a_server_that_goes_before_the_commit_shows_nothing_and_records_nothing(
        self, url, vault, monkeypatch
    ):
        ani = vault.register(ANI.person(), WARRANT).participant
        append = Rows.append

        def and_gone(rows, head, body):
            append(rows, head, body)
            rows._run("SELECT pg_terminate_backend(pg_backend_pid())", ())

        with monkeypatch.context() as patched:
            patched.setattr(Rows, "append", and_gone)
            with pytest.raises(LedgerFault, match="do it again, which is safe"):
                vault.reveal(ani, (NIK,), WARRANT)
            with pytest.raises(LedgerFault, match="do it again, which is safe"):
                vault.forget([ani], WARRANT)
        assert [kind for kind, *_ in entries(vault)] == ["registered"]
        assert values(vault, ani)["nik"] == ANI.nik

    def test_a_role_that_may_use_the_tables_forgets_and_the_owner_clears(self, url, vault):
        """VACUUM passes over the tables of another; that is not taken for done."""
        ani = vault.register(ANI.person(), WARRANT).participant
        schema = url.rpartition("schema=")[2]
        self.rows(
            url,
            f"CREATE ROLE {schema}_desk LOGIN; GRANT USAGE ON SCHEMA {schema} TO {schema}_desk; "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {schema}_desk",
        )
        with Vault.open(url.replace("postgres@", f"{schema}_desk@"), vault.keys) as desk:
            assert not desk.forget([ani], WARRANT)
            assert desk.settings().scrub_due == 1
        with Vault.open(url) as owner:
            assert owner.settings().scrub_due == 0
            assert owner.held(ani).fields == ()

    def test_who_may_only_read_looks_at_the_log_though_something_is_to_be_cleared(self, url, vault):
        schema = url.rpartition("schema=")[2]
        self.rows(url, "UPDATE settings SET scrub_due = 1")
        self.rows(
            url,
            f"CREATE ROLE {schema}_auditor LOGIN; GRANT USAGE ON SCHEMA {schema} TO {schema}_auditor; "
            f"GRANT SELECT ON settings, journal TO {schema}_auditor",
        )
        with Vault.open(url.replace("postgres@", f"{schema}_auditor@")) as auditor:
            assert len(list(auditor.journal())) == 1
            with pytest.raises(LedgerFault, match="permission denied"):
                auditor.held("p-1")

    def test_a_table_that_is_gone_is_a_fault_without_data(self, url, vault):
        self.rows(url, "DROP TABLE tokens")
        with pytest.raises(LedgerFault) as fault:
            vault.register(ANI.person(), WARRANT)
        assert holding(ANI.marks(), told_of(fault.value)) == []


def test_a_url_of_something_else_is_refused():
    for url in ("memory://x", "vault.db", "http://x"):
        with pytest.raises(UnreadableSource, match="it is no database"):
            Vault.open(url)


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{", "null", "[" * 100_000, '{"number": 1}', "\x00"]
    + [
        Entry(number=1, at="2020-07-02T19:00:00", kind=Kind.FOUND, by="siti", purpose="x").body().replace(*change)
        for change in [
            ("2020-07-02T", "yesterday"), ("found", "lost"), ('"fields":[]', '"fields":7'),
            ('"by":"siti"', '"by":7'), ('"participant":null', '"participant":7'), ('"version":1', '"version":2'),
            (":1,", ":1.0,"), ("{", '{"more":1,'),
        ]
    ],
)  # fmt: skip
def test_what_is_no_entry_is_not_read_as_one(body):
    """Also where whoever wrote it made the chain anew over it."""
    head = beginning("v-1").then(body)
    with pytest.raises(VaultDamaged, match="the journal breaks at entry 1"):
        list(followed("v-1", [(1, body, head.hash)], "x"))


ENTRIES = st.builds(
    Entry,
    number=st.integers(1, 2**53 - 1),
    at=st.datetimes().map(lambda at: instant_of(at.replace(tzinfo=UTC) if at.year > 1 else NOON)),
    kind=st.sampled_from(Kind),
    participant=st.none() | st.text(),
    fields=st.lists(st.text()).map(tuple),
    keys=st.lists(st.text()).map(tuple),
    by=st.text(),
    purpose=st.text(),
)


@given(ENTRIES)
def test_an_entry_is_what_was_read_of_its_text(entry):
    assert read_body(entry.body()) == entry


# --- laws -----------------------------------------------------------------------------------------


class AnyUse(RuleBasedStateMachine):
    """Whatever is done, in any order: the vault says what a plain dictionary of people would."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name) / "keys"
        url = f"sqlite:///{self.place.name}/vault.db"
        self.vault = Vault.create(url, new_keys(self.folder), WARRANT, clock=lambda: NOON)
        self.phones: dict[str, dict[int, int]] = {}
        """Participant → whose NIK, with whose telephone number."""
        self.restricted: set[str] = set()
        self.forgotten: set[str] = set()
        self.done = 1

    def who(self, nik: int) -> str | None:
        return next((id for id, held in self.phones.items() if nik in held), None)

    @rule(nik=st.integers(0, 4), phone=st.integers(0, 4))
    def add(self, nik, phone):
        person = Marked(nik).person(phone=Secret(Marked(phone).phone))
        id = self.who(nik)
        if id in self.restricted:
            with pytest.raises(Restricted):
                self.vault.register(person, WARRANT)
            return
        added = self.vault.register(person, WARRANT)
        assert added.is_new == (id is None)
        assert id in (None, added.participant)
        self.done += 1  # changed, or looked for
        self.phones[added.participant] = {nik: phone}

    @precondition(lambda self: self.phones)
    @rule(data=st.data())
    def forget(self, data):
        id = data.draw(st.sampled_from(list(self.phones)))
        if id in self.restricted:
            with pytest.raises(Restricted):
                self.vault.forget([id], WARRANT)
            return
        self.vault.forget([id], WARRANT)
        self.done += 1
        del self.phones[id]
        self.forgotten.add(id)

    @precondition(lambda self: self.phones)
    @rule(data=st.data(), restrict=st.booleans())
    def restrict_or_lift(self, data, restrict):
        id = data.draw(st.sampled_from(list(self.phones)))
        changes = (self.vault.restrict if restrict else self.vault.lift)(id, WARRANT)
        assert changes == ((id in self.restricted) != restrict)
        self.done += changes
        (self.restricted.add if restrict else self.restricted.discard)(id)

    @rule(use=st.sampled_from(Use))
    def rotate(self, use):
        make_key(self.folder, use)
        self.vault.keys = keys_in(self.folder)
        current = self.vault.settings()
        wrapping = use is Use.WRAPPING
        old = current.wrapping_key if wrapping else current.look_up_key
        known = self.vault.keys.wrapping if wrapping else self.vault.keys.look_up
        (new,) = set(known) - {old}
        rotate = self.vault.rotate_wrapping if wrapping else self.vault.rotate_look_up
        assert rotate(new, WARRANT) == old
        destroy_key(self.folder, old)
        self.vault.keys = keys_in(self.folder)
        self.done += 1

    @invariant()
    def everybody_is_found_by_what_they_have(self):
        for number in range(5):
            by_nik = {id for id, held in self.phones.items() if number in held}
            by_phone = {id for id, held in self.phones.items() if number in held.values()}
            assert self.found(NIK, Marked(number).nik, by_nik) == by_nik - self.restricted
            assert self.found(PHONE, Marked(number).phone, by_phone) == by_phone - self.restricted

    def found(self, field: PersonalField, value: str, every: set[str]) -> set[str]:
        self.done += max(1, len(every))  # also who is restricted: the refusal names them
        try:
            return {id for id, _ in self.vault.find(field, Secret(value), WARRANT)}
        except Restricted:
            return set()

    @invariant()
    def the_journal_says_all_that_was_done(self):
        assert len(list(self.vault.journal())) == self.done

    def teardown(self) -> None:
        self.vault.close()
        self.place.cleanup()


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
