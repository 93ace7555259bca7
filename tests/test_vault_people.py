"""People before they are in the vault: the form of a NIK, one spelling of each value, and keys in files."""

from __future__ import annotations

import base64
import json
import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import InvalidPerson, KeyRefused
from prakerja_ledger.vault import crypto, person
from prakerja_ledger.vault.keys import FileKey, ManagedKey, Use, destroy_key, keys_in, make_key
from prakerja_ledger.vault.nik import PROVINCES, Doubt, Sex, doubts, read_nik
from prakerja_ledger.vault.person import Person
from prakerja_ledger.vault.secret import MASK, Secret
from tests.vault_support import Marked, holding, niks, told_of

MARKED = Marked(4_321)


# --- the form of a NIK ----------------------------------------------------------------------------


@given(niks())
def test_a_well_formed_nik_says_birth_date_and_sex_and_agrees_with_them(made):
    nik, born, woman = made
    sex = Sex.FEMALE if woman else Sex.MALE
    parts = read_nik(Secret(nik))
    assert (parts.day, parts.month, parts.year_of_century) == (born.day, born.month, born.year % 100)
    assert parts.sex is sex
    assert {Doubt.BIRTH_DATE_DIFFERS, Doubt.SEX_DIFFERS}.isdisjoint(doubts(parts, born, sex))


@given(niks(), st.integers(1, 10_000))
def test_another_birth_date_or_sex_than_stated_is_a_doubt_and_no_error(made, days):
    nik, born, woman = made
    parts = read_nik(Secret(nik))
    other = born + timedelta(days=days)
    assert Doubt.BIRTH_DATE_DIFFERS in doubts(parts, other, None)
    assert Doubt.SEX_DIFFERS in doubts(parts, None, Sex.MALE if woman else Sex.FEMALE)


@pytest.mark.parametrize(
    ("nik", "why"),
    [
        ("", "16 digits"),
        ("357801410790000", "16 digits"),
        ("35780141079000012", "16 digits"),
        ("35780141079O0001", "16 digits"),
        ("٣٥٧٨٠١٤١٠٧٩٠٠٠٠١", "16 digits"),
        ("0978014107900001", "the code of a province"),
        ("3500014107900001", "the code of a province"),
        ("3578004107900001", "the code of a province"),
        ("3578010007900001", "a real birth date"),
        ("3578013207900001", "a real birth date"),
        ("3578014007900001", "a real birth date"),
        ("3578017207900001", "a real birth date"),
        ("3578013102900001", "a real birth date"),
        ("3578012902990001", "a real birth date"),
        ("3578010113900001", "a real birth date"),
    ],
)
def test_what_cannot_be_a_nik_is_refused_without_being_repeated(nik, why):
    with pytest.raises(InvalidPerson, match=why) as refused:
        person.nik(Secret(nik))
    assert nik == "" or holding([nik.encode()], told_of(refused.value)) == []


def test_the_29th_of_february_counts_in_either_century():
    """00 is 1900, which had none, or 2000, which had."""
    assert read_nik(Secret("3578012902000001")).day == 29


def test_every_province_of_the_programmes_own_tables_is_known(shared):
    rows = json.loads((shared / "data" / "recipients-by-regency.json").read_bytes())
    assert {int(row["PROVINCE_CODE"]) for row in rows} <= PROVINCES


def test_an_unknown_province_and_a_serial_of_zero_are_doubts():
    """Provinces are made and renumbered; and a number for tests is no offence."""
    found = doubts(read_nik(Secret("9978014107900000")), None, None)
    assert found == [Doubt.UNKNOWN_PROVINCE, Doubt.SERIAL_ZERO]


# --- one spelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phone", ["081287004321", "+6281287004321", "6281287004321", "0812-8700-4321", "(0812) 8700.4321"]
)
def test_a_telephone_number_has_one_spelling(phone):
    assert person.phone(Secret(phone)).exposed() == "+6281287004321"


@pytest.mark.parametrize("phone", ["", "0", "08x", "++62812", "1" * 20, "0812\x008700"])
def test_what_is_no_telephone_number_is_refused(phone):
    with pytest.raises(InvalidPerson):
        person.phone(Secret(phone))


def test_an_account_is_its_provider_and_number_and_a_wallet_is_a_telephone_number():
    assert person.account("bca", Secret("77 61-3")).exposed() == "bca:77613"
    assert person.account("gopay", Secret("0812-8700-4321")).exposed() == "gopay:+6281287004321"
    for provider, number in (("bank", "77613"), ("bca", "1"), ("bca", "7761'3")):
        with pytest.raises(InvalidPerson):
            person.account(provider, Secret(number))


def test_hostile_strings_are_names_or_refused_and_never_repeated(shared):
    """Whoever is called so is called so; what has no letters or breaks the line is refused."""
    strings = json.loads((shared / "vectors" / "blns" / "blns.json").read_bytes())
    kept = 0
    for text in strings:
        for spell in (person.nik, person.phone, person.name):
            try:
                spelt = spell(Secret(text))
            except InvalidPerson as refused:
                assert len(text) < 5 or text.encode() not in told_of(refused)
            else:
                assert "\n" not in spelt.exposed()
                kept += spell is person.name
    assert 400 < kept < len(strings)


def test_a_person_shows_nothing_of_itself():
    born = MARKED.person(born=MARKED.born, sex=Sex.MALE)
    assert holding(MARKED.marks(), repr(born).encode()) == []
    assert "1981" not in repr(born)
    assert MASK in repr(born)


@pytest.mark.parametrize(
    "wrong",
    [{"nik": f"{MARKED.nik}7"}, {"name": f"{MARKED.name}\x00"}, {"phone": f"{MARKED.phone}xy"}],
)
def test_a_refused_person_leaves_no_value_in_the_traceback(wrong):
    given = {name: Secret(value) for name, value in wrong.items()}
    with pytest.raises(InvalidPerson) as refused:
        MARKED.person(**given)
    assert holding(MARKED.marks(), told_of(refused.value)) == []


# --- keys -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_a_key_is_made_for_its_owner_alone_and_read_back(folder):
    key = make_key(folder, Use.WRAPPING)
    (path,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    assert keys_in(folder).wrapping == {key.id: key}
    assert keys_in(folder).look_up == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o660])
def test_a_key_that_others_can_get_at_is_refused(folder, mode):
    make_key(folder, Use.LOOK_UP)
    (path,) = folder.iterdir()
    path.chmod(mode)
    with pytest.raises(KeyRefused, match=f"its mode is {mode:04o}"):
        keys_in(folder)


def test_a_folder_that_others_can_write_to_is_refused_also_for_a_new_key(folder):
    make_key(folder, Use.LOOK_UP)
    folder.chmod(0o755)
    for attempt in (lambda: keys_in(folder), lambda: make_key(folder, Use.WRAPPING)):
        with pytest.raises(KeyRefused, match="others can get at it"):
            attempt()


def test_a_link_to_a_key_is_refused(folder, tmp_path):
    make_key(folder, Use.LOOK_UP)
    (path,) = folder.iterdir()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyRefused, match="it is a link"):
        keys_in(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_user_is_refused(folder):
    make_key(folder, Use.LOOK_UP)
    (path,) = folder.iterdir()
    os.chown(path, 12_345, -1)
    with pytest.raises(KeyRefused, match="another user owns it"):
        keys_in(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"prakerja-vault-key": 2},
        {"use": "look-up"},
        {"use": "x"},
        {"secret": base64.b64encode(b"short").decode()},
        {"secret": "?"},
        {"secret": None},
        {"algorithm": "rot13"},
        {"id": "wrapping-" + "0" * 32},
    ],
)
def test_a_changed_key_file_is_refused_and_its_secret_not_told(folder, change):
    key = make_key(folder, Use.WRAPPING)
    (path,) = folder.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(KeyRefused, match="no key file of version 1") as refused:
        keys_in(folder)
    secret = base64.b64encode(key.secret.exposed())
    assert holding([secret, repr(key.secret.exposed()).encode()], told_of(refused.value)) == []


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"{", b"[" * 100_000])
def test_what_is_no_key_file_is_refused(folder, text):
    make_key(folder, Use.WRAPPING)
    (path,) = folder.iterdir()
    path.write_bytes(text)
    with pytest.raises(KeyRefused, match="no key file of version 1"):
        keys_in(folder)


def test_a_missing_folder_and_a_missing_key_are_refused(folder):
    with pytest.raises(KeyRefused, match="there is no such folder"):
        keys_in(folder)
    make_key(folder, Use.WRAPPING)
    with pytest.raises(KeyRefused, match="it is not at hand"):
        keys_in(folder).wrapping_key("wrapping-x")
    with pytest.raises(KeyRefused, match="it is not at hand"):
        keys_in(folder).look_up_key("look-up-x")


def test_a_destroyed_key_is_overwritten_before_its_file_goes(folder):
    key = make_key(folder, Use.WRAPPING)
    (path,) = folder.iterdir()
    os.link(path, folder / "held-open")
    destroy_key(folder, key.id)
    assert not path.exists()
    assert b"secret" not in (folder / "held-open").read_bytes()


def keys() -> list[FileKey | ManagedKey]:
    file = FileKey(id="wrapping-1", secret=crypto.new_key())
    vault = crypto.new_key()
    siv = crypto.Algorithm.AES_256_GCM_SIV
    managed = ManagedKey(
        id="kms-1",
        seal=lambda key, bound: crypto.seal(siv, vault, Secret(key), bound),
        open=lambda wrapped, bound: crypto.open_sealed(siv, vault, wrapped, bound).exposed(),
    )
    return [file, managed]


@pytest.mark.parametrize("key", keys(), ids=lambda key: key.id)
def test_a_wrapping_key_opens_what_it_sealed_and_only_for_whom_it_did(key):
    data_key = crypto.new_key()
    wrapped = key.wrap(data_key, b"one")
    assert key.unwrap(wrapped, key.algorithm, b"one") == data_key
    with pytest.raises(crypto.Unopened):
        key.unwrap(wrapped, key.algorithm, b"another")


def test_tokens_of_two_purposes_have_nothing_in_common():
    key = FileKey(id="look-up-1", secret=crypto.new_key())
    value = Secret(MARKED.nik.encode())
    assert key.token(b"nik", value) == key.token(b"nik", value)
    assert key.token(b"nik", value) != key.token(b"phone", value)
