"""Sealed ledgers changed at random by whoever holds the file, and what both verifiers say of it."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from prakerja_ledger.domain.errors import NotCanonical
from prakerja_ledger.evidence import second_verifier
from prakerja_ledger.evidence.breaks import Break, BreakCode
from prakerja_ledger.evidence.canonical import event_stem
from prakerja_ledger.evidence.checkpoint import opened, sealed
from prakerja_ledger.evidence.leaves import LeavesFile, write_leaves
from prakerja_ledger.evidence.note import Signer
from prakerja_ledger.interfaces.growing import grown
from prakerja_ledger.interfaces.logs import open_logs
from prakerja_ledger.interfaces.verifying import Given, verified
from prakerja_ledger.ledger.importing import Importer
from prakerja_ledger.ledger.ledger import Ledger
from tests import worlds

SIGNER = Signer.new("ledger.example")
KEYS = [SIGNER.verifier]


class Base(NamedTuple):
    """A sealed ledger, and the same without its triggers; a checkpoint of half of it, and of the whole."""

    file: Path
    size: int
    half: int
    notes: tuple[Path, Path]


def seal(url: str, note: Path) -> int:
    with open_logs(url) as logs, grown(logs, 1, keep=True) as made:
        checkpoint = made.checkpoint("ledger.example")
        note.write_bytes(bytes(sealed(checkpoint, SIGNER)))
        with note.with_name(f"{note.name}.leaves").open("wb") as file:
            write_leaves(file, made.logs, made.asides)
    return checkpoint.size


def imported(url: str, lines: list[bytes]) -> None:
    with Ledger.open(url) as ledger:
        for _ in Importer(ledger).outcomes(enumerate(lines, 1)):
            pass


@lru_cache(maxsize=2)
def base(seed: int, folder: Path) -> Base:
    lines = worlds.history(700_000 + seed, participants=4, events=70)
    file = folder / f"base-{seed}.db"
    notes = (folder / f"half-{seed}", folder / f"whole-{seed}")
    sizes = []
    for note, some in zip(notes, (lines[: len(lines) // 2], lines), strict=True):
        imported(f"sqlite:///{file}", list(some))
        sizes.append(seal(f"sqlite:///{file}", note))
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        bare = file.with_suffix(".bare")
        connection.execute("VACUUM INTO ?", (str(bare),))
    return Base(bare, sizes[1], sizes[0], notes)


# --- what whoever holds the file may do: each gives the positions of which one has to be told ---------

Edit = Callable[[sqlite3.Connection, random.Random, Base], set[int]]


def line_at(ledger: sqlite3.Connection, at: int) -> bytes:
    return ledger.execute("SELECT state FROM stored_events WHERE rowid = ?", (at,)).fetchone()[0]


def write(ledger: sqlite3.Connection, at: int, line: bytes) -> None:
    ledger.execute("UPDATE stored_events SET state = ? WHERE rowid = ?", (line, at))


def a_bit(ledger, dice, base):
    at = dice.randint(1, base.size)
    line = bytearray(line_at(ledger, at))
    before = bytes(line)
    line[dice.randrange(len(line))] ^= 1 << dice.randrange(8)
    write(ledger, at, bytes(line))
    try:
        if event_stem(bytes(line)) == event_stem(before):
            return set()  # another spelling of the same event: nothing was changed
    except NotCanonical:
        pass
    return {at}


def a_field(ledger, dice, base):
    at = dice.randint(1, base.size)
    event = json.loads(line_at(ledger, at))
    part = event["data"] if dice.random() < 0.7 and event["data"] else event
    name = dice.choice(sorted(part))
    value: Any = part[name]
    part[name] = value + 1 if type(value) is int else not value if type(value) is bool else f"{value}0"
    write(ledger, at, json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return {at}


def shift(ledger, behind: int, by: int) -> None:
    ledger.execute("UPDATE stored_events SET rowid = -rowid WHERE rowid > ?", (behind,))
    ledger.execute("UPDATE stored_events SET rowid = ? - rowid WHERE rowid < 0", (by,))


def a_swap(ledger, dice, base):
    one, other = sorted(dice.sample(range(1, base.size + 1), 2))
    lines = line_at(ledger, one), line_at(ledger, other)
    if dice.random() < 0.5:
        write(ledger, one, lines[1])
        write(ledger, other, lines[0])
    else:
        for at, to in ((one, -1), (other, one), (-1, other)):
            ledger.execute("UPDATE stored_events SET rowid = ? WHERE rowid = ?", (to, at))
    return {one, other}


def a_drop(ledger, dice, base):
    at = dice.randint(1, base.size)
    ledger.execute("DELETE FROM stored_events WHERE rowid = ?", (at,))
    if dice.random() < 0.5:
        shift(ledger, at, -1)
    return {at}


def put_in(ledger, at: int, line: bytes, like: int) -> None:
    shift(ledger, at - 1, 1)
    source = like + (like >= at)
    ledger.execute(
        "INSERT INTO stored_events SELECT ?, originator_id, originator_version + 1000, topic, ? "
        "FROM stored_events WHERE rowid = ?",
        (at, line, source),
    )


def an_insert(ledger, dice, base):
    at, like = dice.randint(1, base.size), dice.randint(1, base.size)
    event = json.loads(line_at(ledger, like))
    event["id"] += "-more"
    put_in(ledger, at, json.dumps(event, ensure_ascii=False).encode(), like)
    return {at}


def a_duplicate(ledger, dice, base):
    at, like = dice.randint(1, base.size), dice.randint(1, base.size)
    put_in(ledger, at, line_at(ledger, like), like)
    return {at, like}


def a_cut(ledger, dice, base):
    at = dice.choice([one for one in range(1, base.size + 1) if one != base.half + 1])
    ledger.execute("DELETE FROM stored_events WHERE rowid >= ?", (at,))
    return {at}


def a_roll_back(ledger, dice, base):
    ledger.execute("DELETE FROM stored_events WHERE rowid > ?", (base.half,))
    ledger.execute("DELETE FROM identities WHERE position > ?", (base.half,))
    return {base.half + 1}


def a_fork(ledger, dice, base):
    first = dice.randint(1, base.size)
    for at in range(first, base.size + 1):
        event = json.loads(line_at(ledger, at))
        event["id"] += "-other"
        write(ledger, at, json.dumps(event, ensure_ascii=False).encode())
    return {first}


def a_column(ledger, dice, base):
    at = dice.randint(1, base.size)
    column, value = dice.choice([("topic", "'x'"), ("originator_id", "'participant/x'")])
    ledger.execute(
        f"UPDATE stored_events SET {column} = {value}, originator_version = 1000 + rowid "
        "WHERE rowid = ?", (at,),
    )  # fmt: skip
    return {at}


def below(ledger, dice, base):
    """A copy of an event where only its stream shows it."""
    like, at = dice.randint(1, base.size), dice.choice([0, -1, -(2**62)])
    event = json.loads(line_at(ledger, like))
    event["id"] += "-more"
    ledger.execute(
        "INSERT INTO stored_events SELECT ?, originator_id, originator_version + 1000, topic, ? "
        "FROM stored_events WHERE rowid = ?",
        (at, json.dumps(event, ensure_ascii=False).encode(), like),
    )
    return {at, -at}


def a_view(ledger, dice, base):
    """The table renamed, and in its place a view that leaves out one event."""
    at = dice.randint(1, base.size)
    ledger.execute("ALTER TABLE stored_events RENAME TO kept")
    ledger.execute(
        "CREATE VIEW stored_events AS SELECT rowid AS rowid, originator_id, originator_version, topic, state "
        f"FROM kept WHERE rowid <> {at}"
    )
    return {at}


PAGE = 4_096


def some_bytes(file: Path, dice: random.Random, base: Base) -> set[int]:
    """Bytes of the file itself, behind its first page, without which it is no database at all."""
    data = bytearray(file.read_bytes())
    before = as_shown(file, base.size)
    count = dice.choice([1, 1, 16, 512])
    at = dice.randrange(PAGE, len(data) - count)
    data[at : at + count] = dice.randbytes(count)
    file.write_bytes(data)
    after = as_shown(file, base.size)
    return {position for position in before if before[position] != after[position]}


def as_shown(file: Path, size: int) -> dict[int, Any]:
    """Each event as whoever asks for it is shown it: its row, and whether it is found by its identity."""
    found: dict[int, Any] = {}
    with closing(sqlite3.connect(file)) as ledger:
        for at in range(1, size + 1):
            with suppress(sqlite3.DatabaseError, ValueError, TypeError, KeyError, NotCanonical):
                found[at] = None
                asked = "SELECT originator_id, originator_version, topic, state FROM stored_events WHERE rowid = ?"
                row = ledger.execute(asked, (at,)).fetchone()
                event = json.loads(row[3])
                row = (*row[:3], event_stem(row[3]))
                asked = "SELECT position FROM identities WHERE source = ? AND id = ?"
                found[at] = (row, ledger.execute(asked, (event["source"], event["id"])).fetchone())
    return found


BYTES = "bytes of the file"
EDITS: dict[str, Edit | None] = {
    "a bit": a_bit,
    "a field": a_field,
    "a swap": a_swap,
    "a drop": a_drop,
    "an insert": an_insert,
    "a duplicate": a_duplicate,
    "a cut tail": a_cut,
    "a roll-back": a_roll_back,
    "a fork": a_fork,
    "a column": a_column,
    "below the first": below,
    "a view": a_view,
    BYTES: None,  # not by way of SQLite
}


class Outcome(NamedTuple):
    what: str
    expected: set[int]
    """Empty where the edit changed nothing but the spelling."""
    first: list[Break]
    second: list[str]
    damaged: bool = False
    """Whether the file contradicts itself by now."""

    @property
    def changed(self) -> bool:
        """Whether anything but the spelling was."""
        return bool(self.expected) or self.damaged

    @property
    def told(self) -> tuple[bool, bool]:
        """Whether each verifier told it with its position; of what changed nothing, that it kept silent."""
        if not self.changed:
            return not self.first, not self.second
        if self.damaged:
            return any(one.code is BreakCode.DAMAGED for one in self.first), self.second[0].startswith("the file: ")
        one = any(
            broken.first <= at <= broken.last or broken.place == at
            for broken in self.first
            for at in self.expected
        )
        numbers = {int(number) for said in self.second for number in re.findall(r"\d+", said)}
        return one, bool(numbers & self.expected)


def both(file: Path, base: Base) -> tuple[list[Break], list[str]]:
    """What both verifiers say of a ledger."""
    given = []
    for note in base.notes:
        trusted = opened(note.read_bytes(), KEYS)
        leaves = LeavesFile(note.with_name(f"{note.name}.leaves").read_bytes(), trusted.checkpoint)
        given.append(Given(str(note), trusted, leaves.leaves()))
    with open_logs(f"sqlite:///{file}") as logs:
        first = verified(logs, given).breaks
    whole = base.notes[1]
    checkpoint = second_verifier.Checkpoint(whole.read_bytes(), [str(key) for key in KEYS])
    leaves = second_verifier.leaves_of(whole.with_name(f"{whole.name}.leaves"), checkpoint)
    return first, second_verifier.verify_history(file, checkpoint, leaves)


def clean(number: int, folder: Path) -> bool:
    """Whether neither verifier finds anything in a ledger that nobody touched."""
    known = base(number, folder)
    return both(known.file, known) == ([], [])


def tampered(number: int, seed: int, folder: Path) -> Outcome:
    """One edit of one history, and what was said of it."""
    known = base(number, folder)
    dice = random.Random(seed)
    what = dice.choice(sorted(EDITS))
    file = folder / f"now-{seed}.db"
    shutil.copy(known.file, file)
    edit = EDITS[what]
    if edit is None:
        expected = some_bytes(file, dice, known)
    else:
        with closing(sqlite3.connect(file)) as ledger:
            expected = edit(ledger, dice, known)
            ledger.commit()
    outcome = Outcome(what, expected, *both(file, known), bool(second_verifier.damage(file)))
    for left in folder.glob(f"now-{seed}.db*"):
        left.unlink()
    return outcome
