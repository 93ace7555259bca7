"""Keys, signed notes, checkpoints and cosignatures: as C2SP says, and whatever a stranger writes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import InvalidEvidence
from prakerja_ledger.evidence import signing
from prakerja_ledger.evidence.checkpoint import (
    Checkpoint,
    Head,
    Witnessed,
    cosigned,
    opened,
    sealed,
)
from prakerja_ledger.evidence.merkle import EMPTY_ROOT, leaf_hash, leaf_hashes, root_of
from prakerja_ledger.evidence.note import (
    LONGEST_NOTE,
    Note,
    Signature,
    SignatureKind,
    Signer,
    Verifier,
)
from tests.ledger_support import VECTORS

ED25519 = VECTORS / "wycheproof" / "ed25519_test.json"
needs_wycheproof = pytest.mark.skipif(
    not ED25519.is_file(), reason=f"{ED25519} is missing: nothing was compared with Wycheproof"
)

# The examples in the text of C2SP's specifications.
GO_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEALER = Signer._of("ledger.example", SignatureKind.ED25519, bytes(32))
WITNESS = Signer._of("witness.example/w1", SignatureKind.COSIGNATURE, bytes([1] * 32))
ONE = Checkpoint("ledger.example", (Head(1, leaf_hash(b"x")),))
NOW = 1_679_315_147


def bytes_of(checkpoint: Checkpoint = ONE) -> bytes:
    return bytes(sealed(checkpoint, SEALER))


# --- what others wrote ------------------------------------------------------------------------------


@needs_wycheproof
def test_every_ed25519_case_of_wycheproof_is_judged_as_it_says():
    given = json.loads(ED25519.read_bytes())
    cases = [
        (bytes.fromhex(group["publicKey"]["pk"]), one)
        for group in given["testGroups"]
        for one in group["tests"]
    ]
    judged = {
        one["tcId"]: signing.is_signed(
            public, bytes.fromhex(one["sig"]), bytes.fromhex(one["msg"])
        )
        for public, one in cases
    }

    assert len(judged) == 151
    assert judged == {one["tcId"]: one["result"] == "valid" for _, one in cases}


def test_a_note_that_another_program_signed_is_signed_here_too():
    """The example of Go's package note."""
    note = Note.read(GO_NOTE.encode())

    ((verifier, _),) = note.signed_by([Verifier.read(GO_KEY)])

    assert (verifier.name, str(verifier), bytes(note)) == ("PeterNeumann", GO_KEY, GO_NOTE.encode())


# --- keys -------------------------------------------------------------------------------------------


def test_a_new_key_signs_and_is_read_back():
    signer = Signer.new("ledger.example")
    again = Signer.read(signer.secret())

    assert (again, Verifier.read(str(signer.verifier))) == (signer, signer.verifier)
    assert opened(bytes(sealed(ONE, again)), [signer.verifier]).checkpoint == ONE


@pytest.mark.parametrize("spaced", ["PRIVATE+KEY+ {}", "PRIVATE+KEY+\t{}", "PRIVATE+KEY+{} +"])
def test_a_private_key_has_one_spelling_but_for_what_surrounds_it(spaced):
    signer = Signer.new("ledger.example")
    rest = signer.secret().strip().removeprefix("PRIVATE+KEY+")

    assert Signer.read(f"\n{signer.secret()}\r\n").secret() == signer.secret()
    with pytest.raises(InvalidEvidence):
        Signer.read(spaced.format(rest))


def test_who_signed_is_said_where_nobody_trusted_did():
    note = Note("text\n", (Signer.new("other.example").signature("text\n"),))

    with pytest.raises(InvalidEvidence, match=r"Signed, so it says, by: 'other\.example'\."):
        note.signed_by([Signer.new("ledger.example").verifier])


def test_a_private_key_is_not_shown():
    signer = Signer.new("ledger.example")
    secret = signer.secret().strip().split("+", 4)[4]
    broken = signer.secret().replace(signer.verifier.key_id.hex(), "00000000")

    with pytest.raises(InvalidEvidence) as caught:
        Signer.read(broken)

    assert secret not in repr(signer) + str(caught.value) + repr(caught.value.fields)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\tb", "a\x00b"])
def test_a_name_that_would_blur_a_note_is_refused(name):
    with pytest.raises(InvalidEvidence):
        Signer.new(name)


@pytest.mark.parametrize(
    "text",
    [
        "", "+", "++", "a", "a+b+c", GO_KEY[:-1], GO_KEY + "=", GO_KEY.replace("c7", "C7"),
        GO_KEY.replace("c74f20a3", "00000000"), GO_KEY.replace("+AR", "+Ah"), GO_KEY + "\n",
        GO_KEY.replace("Peter", "P "), "PeterNeumann+c74f20a3+" + "A" * 1_000_000, "\ud800+00+AA==",
    ],
)  # fmt: skip
def test_what_is_no_verifier_key_is_refused(text):
    with pytest.raises(InvalidEvidence):
        Verifier.read(text)


def test_without_the_extra_it_is_said_which_one_is_missing():
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from prakerja_ledger.evidence.note import Signer\n"
        "from prakerja_ledger.domain.errors import UnreadableSource\n"
        "try: Signer.new('ledger.example')\n"
        "except UnreadableSource as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert "pip install 'prakerja-ledger[seal]'" in said


# --- notes ------------------------------------------------------------------------------------------


HOSTILE = {
    "nothing": b"",
    "no signature": b"text\n",
    "no empty line": GO_NOTE.replace("\n\n", "\n").encode(),
    "a CR": GO_NOTE.replace("\n", "\r\n").encode(),
    "a NUL": GO_NOTE.replace("If", "I\0f").encode(),
    "not UTF-8": GO_NOTE.replace("If", "\u00ff").encode("latin-1", "replace"),
    "half a surrogate": GO_NOTE.replace("If", "\ud800").encode("utf-8", "surrogatepass"),
    "a last line without its end": GO_NOTE[:-1].encode(),
    "an empty line at the end": GO_NOTE.encode() + b"\n",
    "a hyphen for the dash": GO_NOTE.replace("\u2014", "-").encode(),
    "two spaces": GO_NOTE.replace("Neumann ", "Neumann  ").encode(),
    "a name with a space": GO_NOTE.replace("PeterNeumann", "Peter Neumann").encode(),
    "a name with a plus": GO_NOTE.replace("PeterNeumann", "Peter+Neumann").encode(),
    "no name": GO_NOTE.replace("PeterNeumann ", "").encode(),
    "bad base64": GO_NOTE.replace("x08go", "x08g*").encode(),
    "base64 with a bit to spare": GO_NOTE.replace("nAM=", "nAN=").encode(),
    "base64 without its end": GO_NOTE.replace("nAM=", "nAM").encode(),
    "a signature of four bytes": b"text\n\n\xe2\x80\x94 name AAAAAA==\n",
    "one signature twice": (GO_NOTE + GO_NOTE.rpartition("\n\n")[2]).encode(),
    "a hundred signatures": GO_NOTE.encode()
    + b"".join(b"\xe2\x80\x94 n%d AAAAAAAA\n" % n for n in range(100)),
    "a long line": b"x" * (LONGEST_NOTE + 1) + GO_NOTE.encode(),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_note_is_refused(data):
    with pytest.raises(InvalidEvidence):
        Note.read(data)


def mangled(data: st.DataObject, whole: bytes) -> bytes:
    """Bytes with some of them changed, dropped, doubled or put in."""
    given = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(given)))
        given[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    return bytes(given)


@settings(max_examples=500)
@given(st.data())
def test_a_note_that_was_changed_anywhere_is_never_trusted_as_another(data):
    """It is refused, or it says the same: another witness's line may come and go."""
    whole = bytes(cosigned(Note.read(bytes_of()), WITNESS, NOW))
    keys = [SEALER.verifier, WITNESS.verifier]
    try:
        trusted = opened(mangled(data, whole), keys)
    except InvalidEvidence:
        return
    assert (trusted.checkpoint, {one.at for one in trusted.witnesses} - {NOW}) == (ONE, set())


@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"a\n\n\xe2\x80\x94 a AAAAAAAA\n")
def test_any_bytes_are_a_note_that_writes_itself_again_or_are_refused(given_bytes):
    try:
        note = Note.read(given_bytes)
    except InvalidEvidence:
        return
    assert bytes(note) == given_bytes


def test_signatures_of_strangers_are_passed_over():
    stranger = Signer.new("ledger.example")
    note = sealed(ONE, SEALER).also_signed(stranger.signature(ONE.text))

    assert opened(bytes(note), [SEALER.verifier]).checkpoint == ONE


def test_a_note_that_no_trusted_key_signed_is_refused():
    with pytest.raises(InvalidEvidence, match="none of the keys"):
        opened(bytes_of(), [Signer.new("ledger.example").verifier])


def test_one_signature_of_a_trusted_key_that_does_not_hold_spoils_the_note():
    witness_line = Signature("witness.example/w1", WITNESS.verifier.key_id, bytes(72))
    note = sealed(ONE, SEALER).also_signed(witness_line)

    with pytest.raises(InvalidEvidence, match="does not fit"):
        opened(bytes(note), [SEALER.verifier, WITNESS.verifier])


# --- checkpoints ------------------------------------------------------------------------------------


def test_a_checkpoint_is_three_lines():
    assert ONE.text == f"ledger.example\n1\n{base64.b64encode(leaf_hash(b'x')).decode()}\n"


def test_the_example_of_tlog_checkpoint_is_one():
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    read = Checkpoint.read(text)

    assert (read.origin, read.size, read.text) == ("example.com/behind-the-sofa", 20852163, text)


heads = st.builds(Head, st.integers(0, 2**40), st.binary(min_size=32, max_size=32))


@given(
    st.lists(heads, min_size=1, max_size=9),
    st.none() | heads,
    st.lists(st.just("further"), max_size=2),
)
def test_a_checkpoint_is_read_as_it_is_written(logs, asides, others):
    checkpoint = Checkpoint("ledger.example", tuple(logs), asides, tuple(others))

    assert Checkpoint.read(checkpoint.text) == checkpoint


def test_the_root_of_several_shards_is_that_of_a_tree_over_their_lines():
    checkpoint = Checkpoint("ledger.example", (Head(2, leaf_hash(b"a")), Head(0, EMPTY_ROOT)))
    lines = checkpoint.text.encode().split(b"\n")[3:5]

    assert lines[1].startswith(b"shard 1 0 ")
    assert (checkpoint.size, checkpoint.root) == (2, root_of(leaf_hashes(lines)))


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "a\n1\n", f"a\n1\n{ROOT}", f"\n1\n{ROOT}\n", f"a\n01\n{ROOT}\n", f"a\n-1\n{ROOT}\n",
        f"a\n1.0\n{ROOT}\n", f"a\n\u0661\n{ROOT}\n", f"a\n9007199254740992\n{ROOT}\n", "a\n1\nAAAA\n",
        f"a\n1\n{ROOT}=\n", f"a\n1\n{ROOT}\n\nmore\n", f"a\n1\n{ROOT}\nshard 0 1 {ROOT}\n",
        f"a\n2\n{ROOT}\nshard 0 1 {ROOT}\nshard 1 1 {ROOT}\n", f"a\n1\n{ROOT}\nshard 1 1 {ROOT}\n",
        f"a\n{'9' * 5000}\n{ROOT}\n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(InvalidEvidence):
        Checkpoint.read(text)


def test_a_key_signs_for_its_own_log_only():
    """A key that is trusted for one ledger must not vouch for another."""
    other = Checkpoint("other.example", ONE.logs)
    note = Note(other.text, (SEALER.signature(other.text),))

    with pytest.raises(InvalidEvidence, match="no key that is trusted signs for"):
        opened(bytes(note), [SEALER.verifier])


# --- witnesses --------------------------------------------------------------------------------------


def test_a_cosignature_is_of_the_time_and_the_text():
    note = cosigned(sealed(ONE, SEALER), WITNESS, NOW)
    line = note.signatures[1]
    signed = f"cosignature/v1\ntime {NOW}\n{ONE.text}".encode()

    assert line.raw[:8] == NOW.to_bytes(8)
    assert signing.is_signed(WITNESS.verifier.public, line.raw[8:], signed)


def test_a_witness_is_told_with_its_time():
    note = cosigned(cosigned(sealed(ONE, SEALER), WITNESS, 7), WITNESS, NOW)

    trusted = opened(bytes(note), [SEALER.verifier, WITNESS.verifier])

    assert trusted.witnesses == (Witnessed("witness.example/w1", NOW),)


def test_a_witness_alone_makes_no_checkpoint():
    note = cosigned(sealed(ONE, SEALER), WITNESS, NOW)

    with pytest.raises(InvalidEvidence, match="no key that is trusted signs for"):
        opened(bytes(note), [WITNESS.verifier])


def test_a_cosignature_with_another_time_is_refused():
    note = cosigned(sealed(ONE, SEALER), WITNESS, NOW)
    moved = (NOW - 1).to_bytes(8) + note.signatures[1].raw[8:]
    forged = note.also_signed(Signature(WITNESS.verifier.name, WITNESS.verifier.key_id, moved))

    with pytest.raises(InvalidEvidence, match="does not fit"):
        opened(bytes(forged), [SEALER.verifier, WITNESS.verifier])
