"""Receipts: what somebody is owed and was paid, proved to be of a sealed history, showing nobody else."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from prakerja_ledger.evidence.note import Signer
from tests import worlds
from tests.cli_support import Answer, run
from tests.ledger_support import as_bytes, enrolment
from tests.postgres_support import made, shared_database  # noqa: F401  # a fixture
from tests.test_commands import DOCUMENTED

VIEW = ("--as-of", "2020-12-31")
BLNS = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "‮desrever", "P & Q"]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "seal.key"
    assert run("keygen", "--name", "ledger.example/2020", "--output", path).status == 0
    return path


def verifier(key: Path) -> str:
    return str(Signer.read(key.read_text()).verifier)


def sealed(source: str | Path, key: Path, folder: Path) -> Path:
    path = folder / "checkpoint"
    assert run("seal", source, "--key", key, "--output", path).status in (0, 3)
    return path


def receipt(source: str | Path, participant: str, checkpoint: Path, page: Path, *more: str) -> Answer:
    return run(
        "receipt", source, participant, "--checkpoint", checkpoint, "--output", page, *VIEW, *more
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world") / "history.jsonl"
    path.write_bytes(b"".join(one + b"\n" for one in worlds.history(5, participants=6, events=260)))
    return path


def people(source: Path) -> dict[str, Any]:
    said = run("statement", source, "--json", *VIEW).text.splitlines()
    return {one["participant"]: one for one in map(json.loads, said)}


@pytest.mark.parametrize("kind", ["file", "sqlite", "postgresql", "three shards"])
def test_everybodys_receipt_says_what_their_statement_says_and_verifies(
    world: Path, key: Path, tmp_path: Path, kind: str, request: Any
):
    source: str | Path = world
    if kind != "file":
        source = f"sqlite:///{tmp_path}/ledger.db"
        if kind != "sqlite":
            shards = {"shards": 3} if kind == "three shards" else {}
            source = made(request.getfixturevalue("shared_database"), **shards)
        assert run("import", world, "--ledger", source).status in (0, 3)
    checkpoint = sealed(source, key, tmp_path)
    for number, (name, statement) in enumerate(people(world).items()):
        page = tmp_path / f"{number}.html"
        assert receipt(source, name, checkpoint, page).status == 0
        assert json.loads(page.with_suffix(".json").read_bytes())["statement"] == statement
        answer = run("verify", page.with_suffix(".json"), "--verifier", verifier(key), "--json")
        assert (answer.status, answer.err) == (0, "")
        assert json.loads(answer.text.splitlines()[1]) == statement


@pytest.fixture(scope="module")
def one(world: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The receipt of somebody who was paid."""
    folder = tmp_path_factory.mktemp("one")
    name = next(name for name, said in people(world).items() if said["totals"]["paid"])
    page = folder / "receipt.html"
    assert receipt(world, name, sealed(world, key, folder), page).status == 0
    return page


def test_it_shows_nobody_else(world: Path, one: Path):
    """Neither the page nor the receipt holds an event of another participant."""
    own = json.loads(one.with_suffix(".json").read_bytes())["participant"]
    others = people(world).keys() - {own}
    for path in (one, one.with_suffix(".json")):
        proved = _receipt_in(path.read_text(), path)["proof"]["events"]
        subjects = {json.loads(event["line"])["subject"] for event in proved}
        assert own in subjects
        assert not subjects & others


def _receipt_in(text: str, path: Path) -> Any:
    if path.suffix == ".json":
        return json.loads(text)
    found = re.search(r'href="data:application/json;base64,([^"]+)"', text)
    assert found is not None
    return json.loads(base64.b64decode(html.unescape(found[1])))


def test_the_page_carries_the_receipt(one: Path):
    assert _receipt_in(one.read_text(), one) == json.loads(one.with_suffix(".json").read_bytes())


def test_a_checkpoint_that_somebody_else_signed_is_refused_where_keys_are_given(key: Path, tmp_path: Path):
    other, page, proof = tmp_path / "other.key", tmp_path / "page.html", tmp_path / "proof"
    run("keygen", "--name", "ledger.example/2020", "--output", other)
    note = sealed(DOCUMENTED, other, tmp_path)
    for target, asked in (
        (page, ("receipt", DOCUMENTED, "A-READER", "--output", page, "--as-of", "2020-07-02")),
        (proof, ("prove", DOCUMENTED, "--participant", "A-READER", "--output", proof)),
    ):
        refused = run(*asked, "--checkpoint", note, "--verifier", verifier(key))
        assert (refused.status, refused.out) == (2, b"")
        assert "none of the keys that are trusted signed it" in refused.err
        assert not target.exists()
        assert run(*asked, "--checkpoint", note, "--verifier", verifier(key), "--verifier", verifier(other)).status == 0


def test_the_page_says_what_comes_next_and_who_must_act(key: Path, tmp_path: Path):
    page = tmp_path / "page.html"
    note = sealed(DOCUMENTED, key, tmp_path)
    asked = ("A-READER", "--checkpoint", note, "--output", page, "--as-of", "2020-07-02")
    assert run("receipt", DOCUMENTED, *asked).status == 0
    cells = [html.unescape(one) for one in re.findall(r"<td[^>]*>(.*?)</td>", page.read_text())]
    at = cells.index("post-training/1, post-training/2 and post-training/3")

    assert cells[at + 1 : at + 4] == [
        "no bank account or e-wallet is linked on record",
        "the participant",
        "Link an account; if one was linked, ask for its linking to be reported.",
    ]
    at = cells.index("post-training/1")
    assert cells[at : at + 7] == [
        "post-training/1", "Rp600.000", "Rp600.000", "Rp0", "Rp600.000", "Wed 13 May 2020", "overdue"
    ]  # fmt: skip


def test_nothing_comes_next_where_all_is_paid_or_lost(key: Path, tmp_path: Path):
    page = tmp_path / "page.html"
    note = sealed(DOCUMENTED, key, tmp_path)
    asked = ("A-READER", "--checkpoint", note, "--output", page, "--as-of", "2023-01-01")
    assert run("receipt", DOCUMENTED, *asked).status == 0
    statuses = {line["status"] for line in json.loads(page.with_suffix(".json").read_bytes())["statement"]["lines"]}

    assert ("What comes next" in page.read_text()) == bool(statuses - {"paid", "forfeited"})


def test_the_page_fetches_nothing_and_runs_nothing(one: Path):
    text = one.read_text()
    assert "default-src 'none'" in text
    assert not re.search(r"<(script|img|iframe|link|object|embed)\b", text)
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)


@pytest.mark.parametrize("name", BLNS)
def test_hostile_names_are_text_on_the_page(key: Path, tmp_path: Path, name: str):
    source = tmp_path / "history.jsonl"
    source.write_bytes(as_bytes(enrolment(name, id=name, source=f"//{name}")) + b"\n")
    page = tmp_path / "page.html"
    assert receipt(source, name, sealed(source, key, tmp_path), page).status == 0
    text = page.read_text()
    assert "<script" not in text
    assert "<img" not in text


@pytest.mark.parametrize("language", ["en", "id"])
def test_it_speaks_both_languages(world: Path, key: Path, tmp_path: Path, language: str):
    name = next(iter(people(world)))
    page = tmp_path / "page.html"
    receipt(world, name, sealed(world, key, tmp_path), page, "--lang", language)
    assert f'<html lang="{language}">' in page.read_text()
    assert {"en": "Receipt of", "id": "Bukti catatan"}[language] in page.read_text()


# --- what is not believed -------------------------------------------------------------------------------


def changed(one: Path, folder: Path, old: str, new: str) -> Path:
    text = one.with_suffix(".json").read_text()
    assert old in text
    (folder / "changed.json").write_text(text.replace(old, new, 1))
    return folder / "changed.json"


def test_an_amount_that_does_not_follow_is_refused(one: Path, key: Path, tmp_path: Path):
    paid = json.loads(one.with_suffix(".json").read_bytes())["statement"]["totals"]["paid"]
    path = changed(one, tmp_path, f'"paid":{paid}', f'"paid":{paid + 50_000}')
    answer = run("verify", path, "--verifier", verifier(key))
    assert answer.status == 4
    assert "does not follow" in answer.err


def test_an_event_that_is_left_out_is_missed_where_the_amounts_rest_on_it(
    one: Path, key: Path, tmp_path: Path
):
    said = json.loads(one.with_suffix(".json").read_bytes())
    settled = [n for n, e in enumerate(said["proof"]["events"]) if "disbursement-settled" in e["line"]]
    del said["proof"]["events"][settled[0]]
    path = tmp_path / "less.json"
    path.write_text(json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n")
    assert run("verify", path, "--verifier", verifier(key)).status == 4


def test_another_key_is_not_believed(one: Path, tmp_path: Path):
    other = tmp_path / "other.key"
    run("keygen", "--name", "ledger.example/2020", "--output", other)
    assert run("verify", one.with_suffix(".json"), "--verifier", verifier(other)).status == 4


def test_a_source_that_is_not_as_sealed_gives_no_receipt(world: Path, key: Path, tmp_path: Path):
    checkpoint = sealed(world, key, tmp_path)
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"".join(world.read_bytes().splitlines(keepends=True)[3:]))
    name = next(iter(people(other)))
    answer = receipt(other, name, checkpoint, tmp_path / "page.html")
    assert answer.status == 4
    assert not (tmp_path / "page.html").exists()


def test_a_checkpoint_from_before_gives_no_receipt_of_a_later_day(world: Path, key: Path, tmp_path: Path):
    """It would say amounts that no longer hold."""
    lines = world.read_bytes().splitlines(keepends=True)
    early = tmp_path / "early.jsonl"
    early.write_bytes(b"".join(lines[: len(lines) // 2]))
    checkpoint = sealed(early, key, tmp_path)
    before, after = people(early), people(world)
    changed = next(name for name, said in before.items() if said != after[name])
    answer = receipt(world, changed, checkpoint, tmp_path / "page.html")
    assert answer.status == 2
    assert "more was recorded after it" in answer.err
    assert not (tmp_path / "page.html").exists()


def test_whoever_is_not_in_view_gets_none(world: Path, key: Path, tmp_path: Path):
    answer = receipt(world, "nobody", sealed(world, key, tmp_path), tmp_path / "page.html")
    assert answer.status == 2
    assert not list(tmp_path.glob("*.html"))
