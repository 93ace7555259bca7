"""The vault's primitives against vectors of others, and secrets that show themselves to nobody.

Of Project Wycheproof's files, those of the primitives that the vault wraps: AES-GCM-SIV, AES-GCM,
HMAC-SHA256 and HKDF-SHA256. Not wrapped, and so not run here: ChaCha20-Poly1305 (one mode is the
default and one its substitute; a third would be nobody's), Ed25519 (the vault signs nothing), and AES
key wrap (keys are sealed by the same modes as values, bound to whom they belong: the old key wrap of
RFC 5649 has no place for that).
"""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.vault import crypto
from prakerja_ledger.vault.crypto import Algorithm, Unopened
from prakerja_ledger.vault.secret import MASK, Secret


def cases(shared: Path, name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each case of a file with its group."""
    told = json.loads((shared / "vectors" / "wycheproof" / f"{name}_test.json").read_bytes())
    found = [(group, case) for group in told["testGroups"] for case in group["tests"]]
    assert len(found) == told["numberOfTests"]
    return iter(found)


def key_of(case: dict[str, Any], name: str = "key") -> crypto.Key:
    return Secret(bytes.fromhex(case[name]))


def sealed_in(algorithm: Algorithm, case: dict[str, Any]) -> bool:
    """Whether our wrappers make and open the case's ciphertext; not even a whole key is needed to fail."""
    key, nonce, bound = key_of(case), bytes.fromhex(case["iv"]), bytes.fromhex(case["aad"])
    plain = Secret(bytes.fromhex(case["msg"]))
    sealed = nonce + bytes.fromhex(case["ct"] + case["tag"])
    try:
        made = crypto.seal_with(algorithm, key, nonce, plain, bound)
        opened = crypto.open_sealed(algorithm, key, sealed, bound)
    except (Unopened, ValueError):
        return False
    return made == sealed and opened == plain


@pytest.mark.parametrize(
    ("name", "algorithm", "expected"),
    [
        (
            "aes_gcm_siv",
            Algorithm.AES_256_GCM_SIV,
            {"opened": 69, "refused as invalid": 34, "refused for its size": 99},
        ),
        (
            "aes_gcm",
            Algorithm.AES_256_GCM,
            {"opened": 39, "refused as invalid": 27, "refused for its size": 250},
        ),
    ],
)
def test_every_case_of_the_ciphers_is_opened_or_refused_as_it_should_be(
    shared, name, algorithm, expected
):
    """Valid ones of our one size are opened; invalid ones and other sizes of key and nonce are not."""
    outcomes: Counter[str] = Counter()
    for group, case in cases(shared, name):
        ours = (group["keySize"], group["ivSize"], group["tagSize"]) == (256, 96, 128)
        valid = case["result"] == "valid"
        assert sealed_in(algorithm, case) == (ours and valid), case["tcId"]
        kind = ("opened" if valid else "refused as invalid") if ours else "refused for its size"
        outcomes[kind] += 1
    assert outcomes == expected


def test_every_case_of_hmac_is_made_and_a_truncated_tag_is_never_enough(shared):
    outcomes: Counter[str] = Counter()
    for group, case in cases(shared, "hmac_sha256"):
        tag, message = bytes.fromhex(case["tag"]), Secret(bytes.fromhex(case["msg"]))
        made = crypto.token(key_of(case), message)
        whole, valid = group["tagSize"] == 256, case["result"] == "valid"
        assert (made[: len(tag)] == tag) == valid, case["tcId"]
        assert crypto.is_token(key_of(case), message, tag) == (whole and valid), case["tcId"]
        outcomes["whole" if whole else "truncated"] += 1
    assert outcomes == {"whole": 87, "truncated": 87}


def test_every_case_of_hkdf_is_derived_or_refused(shared):
    outcomes: Counter[str] = Counter()
    for _, case in cases(shared, "hkdf_sha256"):
        try:
            made = crypto.derived(
                key_of(case, "ikm"),
                bytes.fromhex(case["info"]),
                salt=bytes.fromhex(case["salt"]),
                length=case["size"],
            )
        except ValueError:
            assert case["result"] == "invalid", case["tcId"]
        else:
            assert (made.exposed().hex() == case["okm"]) == (case["result"] == "valid")
        outcomes[case["result"]] += 1
    assert outcomes == {"valid": 83, "invalid": 3}


ALGORITHMS = st.sampled_from(Algorithm)


@given(ALGORITHMS, st.binary(), st.binary())
def test_what_is_sealed_opens_with_the_same_key_in_the_same_place(algorithm, plain, bound):
    key = crypto.new_key()
    sealed = crypto.seal(algorithm, key, Secret(plain), bound)
    assert crypto.open_sealed(algorithm, key, sealed, bound).exposed() == plain


@given(ALGORITHMS, st.binary(min_size=1), st.data())
def test_a_changed_bit_opens_nothing(algorithm, plain, data):
    key = crypto.new_key()
    sealed = bytearray(crypto.seal(algorithm, key, Secret(plain), b"here"))
    place = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[place // 8] ^= 1 << place % 8
    with pytest.raises(Unopened):
        crypto.open_sealed(algorithm, key, bytes(sealed), b"here")


@given(ALGORITHMS, st.data())
def test_a_cut_tail_opens_nothing(algorithm, data):
    key = crypto.new_key()
    sealed = crypto.seal(algorithm, key, Secret(b"somebody"), b"here")
    with pytest.raises(Unopened):
        crypto.open_sealed(
            algorithm, key, sealed[: data.draw(st.integers(0, len(sealed) - 1))], b"here"
        )


@pytest.mark.parametrize("algorithm", Algorithm)
def test_another_place_another_key_or_another_algorithm_opens_nothing(algorithm):
    key = crypto.new_key()
    sealed = crypto.seal(algorithm, key, Secret(b"somebody"), b"here")
    (other,) = set(Algorithm) - {algorithm}
    for wrong in [
        (algorithm, key, sealed, b"there"),
        (algorithm, crypto.new_key(), sealed, b"here"),
        (other, key, sealed, b"here"),
    ]:
        with pytest.raises(Unopened):
            crypto.open_sealed(*wrong)


def test_the_same_value_is_sealed_to_other_bytes_each_time():
    key = crypto.new_key()
    made = {crypto.seal(Algorithm.AES_256_GCM_SIV, key, Secret(b"x"), b"") for _ in range(64)}
    assert len(made) == 64


# --- secrets --------------------------------------------------------------------------------------

MARK = "3578014107900000"


def everything_said_of(secret: Secret[Any]) -> Iterator[str]:
    """What programs print of objects, on purpose or not."""
    yield from (repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s %r" % (secret, secret))
    yield repr([{"nik": secret}, (secret,)])
    yield logging.LogRecord("x", 20, "x.py", 1, "%s", (secret,), None).getMessage()
    try:
        secret + secret
    except TypeError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        yield "".join(told.format())


@pytest.mark.parametrize("value", [MARK, MARK.encode()])
def test_nothing_that_prints_objects_prints_a_secret(value):
    secret = Secret(value)
    for said in everything_said_of(secret):
        assert MASK in said
        assert MARK not in said


def test_a_secret_is_neither_pickled_nor_copied_nor_hashed():
    secret = Secret(MARK)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, hash):
        with pytest.raises(TypeError):
            attempt(secret)


def test_secrets_are_equal_by_value_and_by_nothing_else():
    assert Secret(MARK) == Secret(MARK)
    assert Secret(MARK) != Secret(MARK[:-1])
    assert Secret(MARK) != MARK
