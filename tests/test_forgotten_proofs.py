"""Forgetting somebody leaves every seal, proof, receipt and pack of the history as good as it was."""

from __future__ import annotations

from pathlib import Path

from prakerja_ledger.evidence.note import Signer
from tests.cli_support import run
from tests.ledger_support import as_bytes, enrolment, purchase
from tests.test_vault_cli import ANI, BUDI, MARKS, Run, added, vault  # noqa: F401  # a fixture
from tests.vault_support import holding

VIEW = ("--as-of", "2020-12-31")


def test_all_that_was_proved_before_is_proved_after(vault: Run, tmp_path: Path):  # noqa: F811
    ani, budi = added(vault, ANI, BUDI)
    ledger, key, checkpoint = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "seal.key", tmp_path / "note"
    history = tmp_path / "history.jsonl"
    history.write_bytes(
        b"".join(
            as_bytes(one) + b"\n"
            for person in (ani, budi)
            for one in (enrolment(person, id=f"e {person}"), purchase(person, id=f"b {person}"))
        )
    )
    made = [
        run("import", history, "--ledger", ledger),
        run("keygen", "--name", "ledger.example", "--output", key),
        run("seal", ledger, "--key", key, "--output", checkpoint),
        run("prove", ledger, "--participant", ani, "--checkpoint", checkpoint, "--output", tmp_path / "proof"),
        run("receipt", ledger, ani, "--checkpoint", checkpoint, "--output", tmp_path / "ani.html", *VIEW),
        run("pack", ledger, "--key", key, "--output", tmp_path / "pack.zip", *VIEW),
    ]
    assert [one.status for one in made] == [0] * len(made)
    said = run("statement", ledger, "--json", *VIEW).out
    pack = (tmp_path / "pack.zip").read_bytes()

    assert vault("forget", ani).status == 0

    keys = ("--verifier", str(Signer.read(key.read_text()).verifier))
    checked = [
        run("verify", ledger, "--checkpoint", checkpoint, *keys),
        run("verify", tmp_path / "proof", *keys),
        run("verify", tmp_path / "ani.json", *keys),
        run("verify", tmp_path / "pack.zip", *keys),
        run("pack", ledger, "--key", key, "--output", tmp_path / "after.zip", *VIEW),
    ]
    assert [one.status for one in checked] == [0] * len(checked)
    assert (tmp_path / "after.zip").read_bytes() == pack
    assert run("statement", ledger, "--json", *VIEW).out == said
    written = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file() and path != key]
    assert holding(MARKS, b"".join(written)) == []
