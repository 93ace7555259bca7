"""A second verifier of sealed histories, in one file: it needs Python 3.11 and `cryptography`, no more.

    python second_verifier.py HISTORY --checkpoint FILE --verifier KEY
    python second_verifier.py PACK.zip --verifier KEY
    python second_verifier.py PROOF --verifier KEY
    python second_verifier.py RECEIPT.json --verifier KEY

HISTORY is an export (.jsonl, .jsonl.gz) or the file of a SQLite ledger; CHECKPOINT.leaves beside the
checkpoint tells where it differs. Exit status: 0 as sealed, 4 not as sealed, 2 cannot be read or told.

It is written from the description of the formats and shares no line with the first verifier, so that one
fault does not blind both. It judges nothing by the programme's law: every line of a file counts as recorded,
but for those that the checkpoint itself names as lines aside. Nor does it work out what a pack's statements
say: it sees that they are what was signed.
"""

# ruff: noqa: T201  # a program for itself: it prints, and its errors are texts

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import sqlite3
import struct
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import chain, takewhile
from pathlib import Path
from typing import IO, Any, Final, NoReturn

TABLE: Final = ("data", "id", "recordedtime", "source", "specversion", "subject", "time", "type")
NAMED: Final = ("source", "id", "type", "subject")
PACKAGES: Final = ("prakerja.package-offered.v1", "prakerja.package-withdrawn.v1")
PROGRAMME: Final = (
    "prakerja.package-sales-stopped.v1",
    "prakerja.payments-held.v1",
    "prakerja.payments-resumed.v1",
)
VOID: Final = "prakerja.event-voided.v1"
TABLES: Final = {
    "stored_events": "( rowid INTEGER PRIMARY KEY, -- the position; the name is the one that eventsourcing "
    "reads originator_id TEXT NOT NULL, originator_version INTEGER NOT NULL, topic TEXT NOT NULL, "
    "state BLOB NOT NULL, UNIQUE (originator_id, originator_version) )",
    "identities": "( source TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, "
    "PRIMARY KEY (source, id) ) WITHOUT ROWID",
}
"""What a ledger's tables were made by, however it is spaced: of any other, readers may see what it likes."""
NEAR: Final = 1000
LONGEST_NOTE: Final = 1 << 20


class Untrue(Exception):
    """Something is not what it claims to be."""


class NoKey(Exception):
    """What was given as a verifier key is none."""


ERRORS: Final = (
    Untrue,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    RecursionError,
    struct.error,
)
"""What is raised where something is not of the form that it should be."""


def sha(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, of leaf hashes: an odd one at the end of a level goes up as it is."""
    if not hashes:
        return sha(b"")
    while len(hashes) > 1:
        pairs = [sha(b"\1" + hashes[i] + hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(hashes) & ~1 :]
    return hashes[0]


def root_by_path(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.3.2: the root that an inclusion proof leads to."""
    if not 0 <= index < size:
        raise Untrue("a proof is of a position beyond the checkpoint")
    node, last, value = index, size - 1, leaf
    for other in path:
        if last == 0:
            raise Untrue("a proof is too long")
        if node & 1 or node == last:
            value = sha(b"\1" + other + value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = sha(b"\1" + value + other)
        node, last = node >> 1, last >> 1
    if last:
        raise Untrue("a proof is too short")
    return value


def roots_by_path(old: int, new: int, old_root: bytes, path: list[bytes]) -> tuple[bytes, bytes]:
    """RFC 9162, section 2.1.4.2: the two roots that a consistency proof leads to."""
    if old in (new, 0):
        if path:
            raise Untrue("a proof is too long")
        return old_root, old_root
    path = ([old_root] if old & (old - 1) == 0 else []) + path
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if not path:
        raise Untrue("a proof is too short")
    before = after = path[0]
    for other in path[1:]:
        if last == 0:
            raise Untrue("a proof is too long")
        if node & 1 or node == last:
            before, after = sha(b"\1" + other + before), sha(b"\1" + other + after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = sha(b"\1" + after + other)
        node, last = node >> 1, last >> 1
    if last:
        raise Untrue("a proof is too short")
    return before, after


def members(text: str) -> Iterator[tuple[str, Any, str]]:
    """The members of a JSON object: name, value, and the value's own text."""
    at = 0
    read = json.JSONDecoder(
        object_pairs_hook=once, parse_constant=refuse, parse_int=integer, parse_float=double
    )

    def blanks(at: int) -> int:
        while text[at : at + 1] in (" ", "\t", "\r", "\n") and at < len(text):
            at += 1
        return at

    at = blanks(at)
    if text[at : at + 1] != "{":
        raise Untrue("a line is not a JSON object")
    at = blanks(at + 1)
    while text[at : at + 1] != "}":
        name, at = read.raw_decode(text, at)
        at = blanks(at)
        if text[at : at + 1] != ":" or not isinstance(name, str):
            raise Untrue("a line is not a JSON object")
        start = blanks(at + 1)
        value, end = read.raw_decode(text, start)
        yield name, value, text[start:end]
        at = blanks(end)
        behind = text[at : at + 1]
        if behind == ",":
            at = blanks(at + 1)
        if (behind == ",") == (text[at : at + 1] == "}"):
            raise Untrue("a line is not a JSON object")
    if blanks(at + 1) != len(text):
        raise Untrue("a line goes on behind its object")


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without a name that stands in it twice."""
    if len(dict(pairs)) != len(pairs):
        raise Untrue("a name stands twice in one object")
    return dict(pairs)


def refuse(name: str) -> NoReturn:
    """NaN and the like are no JSON."""
    raise Untrue(f"{name} is no JSON number")


def double(digits: str) -> float:
    """A number, if a double holds it."""
    if len(digits) > 1_000_000 or float(digits) in (float("inf"), float("-inf")):
        raise Untrue("a number is too large for a double")
    return float(digits)


def integer(digits: str) -> int:
    """An integer, if a double holds one as large."""
    double(digits)
    return int(digits)


def check_depth(value: Any, left: int) -> None:
    """At most 64 levels: readers differ in how deep they go."""
    if isinstance(value, (dict, list)):
        if not left:
            raise Untrue("a line nests deeper than 64 levels")
        for one in value.values() if isinstance(value, dict) else value:
            check_depth(one, left - 1)


def canonical(value: Any) -> str:
    """RFC 8785 of a value whose numbers are integers."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical(n)}:{canonical(value[n])}" for n in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= 1 << 53):
        raise Untrue("a number in a line is no integer of 53 bits")
    return json.dumps(value, ensure_ascii=False)


class Event:
    """A line as an event: its canonical bytes at any position."""

    def __init__(self, line: bytes) -> None:
        if len(line) > 1 << 20:
            raise Untrue("a line is longer than a line may be")
        found = list(members(line.decode()))
        self.given: dict[str, Any] = once([(name, value) for name, value, _ in found])
        if line.count(b"{") + line.count(b"[") > 64:
            check_depth(self.given, 64)
        if b"\\u" in line:
            json.dumps(self.given, ensure_ascii=False).encode()  # no half of a surrogate pair
        event = {name: value for name, value in self.given.items() if name in TABLE}
        kept = {name: text for name, _, text in found if name not in TABLE}
        parts = {"event": event, "format": "prakerja-event-1", **({"kept": kept} if kept else {})}
        if not all(isinstance(self.given.get(name), str) for name in NAMED):
            raise Untrue("a line has no source, id, type and subject that are texts")
        self.stem: bytes = canonical(parts)[:-1].encode() + b',"position":'

    def leaf(self, position: int) -> bytes:
        """Its leaf's hash there."""
        return sha(b"\0" + self.stem + str(position).encode() + b"}")

    def stream(self, homes: dict[tuple[Any, Any], str]) -> str:
        """Its stream in a ledger; a void stands in that of what it voids, which was recorded before."""
        given = self.given
        kind, subject, own = given["type"], given["subject"], (given["source"], given["id"])
        data = given.get("data")
        if kind in PACKAGES:
            homes[own] = f"package/{subject}"
        elif kind in PROGRAMME:
            homes[own] = "programme"
        elif kind == VOID and isinstance(data, dict):
            return homes.get(
                (str(data.get("source")), str(data.get("id"))), f"participant/{subject}"
            )
        return homes.get(own, f"participant/{subject}")

    def misfiled(self, topic: str, is_home: bool, found: tuple[int] | None, position: int) -> str:
        """Which column of a ledger is not what the line says; none of a file."""
        wrong = {
            "type": topic != self.given.get("type"),
            "stream": not is_home,
            "identity": found != (position,),
        }
        return " ".join(name for name in wrong if wrong[name])


def decoded(text: str) -> bytes:
    """Base64, spelt in the one way."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise Untrue("base64 is not spelt as it should be")
    return raw


def number(text: str) -> int:
    """A number of events, spelt in the one way."""
    if not re.fullmatch("0|[1-9][0-9]{0,15}", text) or int(text) >= 1 << 53:
        raise Untrue(f"{text} is no number of events")
    return int(text)


def head_of(text: str) -> tuple[int, bytes]:
    """The size and the root of a log."""
    size, root = text.split(" ")
    if len(decoded(root)) != 32:
        raise Untrue("a root has 32 bytes")
    return number(size), decoded(root)


class Checkpoint:
    """A signed checkpoint: C2SP signed-note, tlog-checkpoint, tlog-cosignature."""

    def __init__(self, note: bytes, keys: list[str]) -> None:
        whole = note.decode()
        body, blank, below = whole.rpartition("\n\n")
        odd = any(c < " " and c != "\n" for c in whole) or len(note) > LONGEST_NOTE
        if not blank or not below.endswith("\n") or odd:
            raise Untrue("the checkpoint is no signed note")
        self.text: str = body + "\n"
        check_signed(body.split("\n")[0], self.text, below[:-1].split("\n"), keys)
        origin, size, root, *lines = body.split("\n")
        if not all((origin, *lines)):
            raise Untrue("the checkpoint has an empty line")
        whole_head = head_of(f"{size} {root}")
        shards = list(takewhile(lambda line: line.startswith("shard "), lines))
        del lines[: len(shards)]
        logs = [head_of(line.split(" ", 2)[2]) for line in shards]
        if logs:
            numbers = [line.split(" ")[1] for line in shards]
            of_shards = root_of([sha(b"\0" + line.encode()) for line in shards])
            told = numbers == [str(n) for n in range(len(shards))] and len(shards) > 1
            if not told or (sum(size for size, _ in logs), of_shards) != whole_head:
                raise Untrue("the checkpoint's root is not that of its shards")
        aside = (0, sha(b""))
        if lines and lines[0].startswith("asides "):
            aside = head_of(lines.pop(0).removeprefix("asides "))
        self.origin: str = origin
        self.size: int = whole_head[0]
        self.root: bytes = whole_head[1]
        self.logs: list[tuple[int, bytes]] = logs or [whole_head]
        self.asides: int = aside[0]
        self.asides_root: bytes = aside[1]
        if any(line.startswith(("shard ", "asides ")) for line in lines):
            raise Untrue("the checkpoint's lines are in no order")


def signatures_of(lines: list[str]) -> list[tuple[str, str, bytes]]:
    """The signatures of a note: each signer's name, the key's id, what it signed with."""
    found = []
    for line in lines:
        dash, name, text = line.split(" ")
        raw = decoded(text)
        if dash != "\u2014" or not is_name(name) or len(raw) <= 4:
            raise Untrue("a line of the note is no signature")
        found.append((name, raw[:4].hex(), raw[4:]))
    if len({one[:2] for one in found}) != len(found) or len(found) > 64:
        raise Untrue("a key signs the note twice, or there are too many")
    return found


def is_name(name: str) -> bool:
    """Whether a key may be called so."""
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)


def check_signed(name: str, text: str, lines: list[str], keys: list[str]) -> None:
    """Every signature of a key that is trusted fits the text, and the log's own, of this name, is among them."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # the only other package
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    signatures, own = signatures_of(lines), False
    for key in keys:
        signer, key_id, rest = key.split("+", 2)
        kind, public = decoded(rest)[0], decoded(rest)[1:]
        for raw in [raw for *named, raw in signatures if named == [signer, key_id]]:
            said, signed = raw, text
            if kind == 4:
                (at,) = struct.unpack(">Q", raw[:8])
                said, signed = raw[8:], f"cosignature/v1\ntime {at}\n{text}"
                if at >= 1 << 63:
                    raise Untrue(f"the time of {signer} is none")
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(said, signed.encode())
            except InvalidSignature:
                raise Untrue(f"the signature of {signer} does not fit") from None
            own = own or (kind == 1 and signer == name)
    if not own:
        raise Untrue(f"no key that is trusted signs for {name}")


def key_of(text: str) -> str:
    """A verifier key: itself, or the file that holds it."""
    key = text
    with suppress(OSError):  # too long for a name: a key may have any
        if Path(text).is_file():
            key = Path(text).read_text().strip()
    parts = key.split("+", 2)
    try:
        raw = decoded(parts[2])
        fits = sha(parts[0].encode() + b"\n" + raw)[:4].hex() == parts[1]
        if len(raw) != 33 or raw[0] not in (1, 4) or not fits or not is_name(parts[0]):
            raise NoKey(text)
    except (Untrue, ValueError, IndexError):
        raise NoKey(text) from None
    return key


def shard_of(event: Event, shards: int, common: set[tuple[Any, Any]]) -> int:
    """The shard of an event: packages and the programme lie in the first, participants by their name."""
    given = event.given
    kind, data = given.get("type"), given.get("data")
    voided = (data.get("source"), data.get("id")) if isinstance(data, dict) else (None, None)
    if kind in PACKAGES or kind in PROGRAMME or (kind == VOID and voided in common):
        common.add((given.get("source"), given.get("id")))
        return 0
    return int.from_bytes(sha(f"participant/{given.get('subject')}".encode())[:8]) % shards


Line = tuple[int, bytes, str]
"""The place of a line, its bytes, and which columns of a ledger are not what it says."""


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of an export, or of a SQLite ledger."""
    if is_ledger(path):
        with read_only(path) as ledger:
            streams: Counter[str] = Counter()
            homes: dict[tuple[Any, Any], str] = {}
            for place, topic, stream, number, line in rows_of(ledger, path.stat().st_size):
                streams[stream] += 1
                if type(line) is not bytes:  # SQLite's columns take any value
                    yield place, b"", ""
                    continue
                try:
                    event = Event(line)
                except (Untrue, ValueError, RecursionError):
                    yield place, line, ""
                    continue
                named = (event.given.get("source"), event.given.get("id"))
                home = stream == event.stream(homes)
                wrong = event.misfiled(topic, home, position_of(ledger, named), place)
                yield place, line, wrong or ("number" if number != streams[stream] else "")
        return
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip(b" \t\r\n"):
                yield number, line.rstrip(b"\n"), ""


def rows_of(ledger: sqlite3.Connection, size: int) -> Iterator[tuple[int, str, str, int, bytes]]:
    """The rows of a ledger; an empty line where the file is damaged, and what follows behind that."""
    columns = "SELECT rowid, topic, originator_id, originator_version, state FROM stored_events "
    at: float = float("-inf")  # a stream also shows rows that somebody put below the first place
    last, left = last_of(ledger), size // 128  # no file holds more rows than it has room for
    while left:
        with suppress(sqlite3.DatabaseError):
            for row in ledger.execute(columns + "WHERE rowid > ? ORDER BY rowid", (at,)):
                if row[0] <= at:
                    break
                at = row[0]
                yield row
            else:
                return
        place, left = int(max(at, 0)) + 1, left - 1
        if place > last:
            return
        at = place
        try:
            yield from ledger.execute(columns + "WHERE rowid = ?", (place,)).fetchall()
        except sqlite3.DatabaseError:
            yield place, "", "", 0, b""


def last_of(ledger: sqlite3.Connection) -> int:
    """The highest position that a ledger tells of, sound or damaged."""
    for asked in (
        "SELECT max(rowid) FROM stored_events",
        "SELECT max(position) FROM identities",
    ):
        with suppress(sqlite3.DatabaseError):
            last = ledger.execute(asked).fetchone()[0]
            return last if type(last) is int else 0
    return 0


def position_of(ledger: sqlite3.Connection, named: tuple[Any, Any]) -> tuple[int] | None:
    """The position of an event by its source and id, if it is found by them."""
    asked = "SELECT position FROM identities WHERE source = ? AND id = ?"
    try:
        found: tuple[int] | None = ledger.execute(asked, named).fetchone()
    except sqlite3.DatabaseError:
        return None
    return found


def read_only(path: Path) -> closing[sqlite3.Connection]:
    """A SQLite database that is only looked at."""
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))


def damage(path: Path) -> list[str]:
    """Where a SQLite file contradicts itself: whoever reads by its index is shown something else."""
    if not is_ledger(path):
        return []
    with read_only(path) as ledger:
        try:
            found = [row[0] for row in ledger.execute("PRAGMA integrity_check")]
            made = ledger.execute("SELECT type, lower(name), sql FROM sqlite_master").fetchall()
        except sqlite3.DatabaseError as error:
            found, made = [str(error)], []
    wrong = [] if found == ["ok"] else [f"the file: {one}" for one in found]
    for name, columns in TABLES.items() if made else ():
        texts = [
            " ".join(str(text).split()) for kind, at, text in made if (kind, at) == ("table", name)
        ]
        others = [1 for kind, at, _ in made if kind == "view" and at == name]
        if others or texts != [f"CREATE TABLE {name} {columns}"]:
            wrong.append(f"the file: {name} is another table than a ledger's")
    return wrong


def is_ledger(path: Path) -> bool:
    """Whether a file is a SQLite database."""
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


class Log:
    """One log of a history, held against the hashes of its sealed leaves where they are at hand."""

    def __init__(self, name: str, size: int, leaves: list[bytes] | None) -> None:
        self.name: str = name
        self.size: int = size
        self.leaves: list[bytes] | None = leaves
        self.next: int = 1
        self.highest: int = 0
        self.tries: int = 200 * NEAR
        self.hashes: list[bytes] = []
        self.found: dict[int, int] = {}
        self.breaks: list[str] = []

    def see(self, place: int, event: Event | None) -> bool:
        """The next event; False where it was sealed at no position that is tried."""
        if self.leaves is None:
            if len(self.hashes) < self.size:
                self.hashes.append(event.leaf(len(self.hashes) + 1) if event else b"")
            return event is not None
        position = None if event is None else self.sealed_at(event)
        if position is None:
            return False
        if position in self.found:
            self.breaks.append(f"{self.name}place {place}: position {position} once more")
        elif position < self.highest and position + 1 != self.next:
            self.breaks.append(f"{self.name}place {place}: position {position} out of its order")
        self.found[position] = place
        self.highest = max(self.highest, position)
        self.next = position + 1
        return True

    def expects(self, event: Event | None) -> bool:
        """Whether this event was sealed right behind the last one."""
        at, leaves = self.next, self.leaves or []
        return event is not None and at <= self.size and event.leaf(at) == leaves[at - 1]

    def sealed_at(self, event: Event) -> int | None:
        """The position that an event was sealed at, if it is near or, failing that, anywhere."""
        leaves = self.leaves or []
        if self.expects(event):
            return self.next
        near = (self.next + step // 2 * (-1 if step & 1 else 1) for step in range(2, 2 * NEAR))
        for position in chain(near, range(1, self.size + 1)):
            if self.tries <= 0:  # a whole history told anew: it is known to be another by now
                return None
            self.tries -= 1
            if 1 <= position <= self.size and event.leaf(position) == leaves[position - 1]:
                return position
        return None

    def stranger(self, place: int, event: Event | None) -> None:
        """A line that was not sealed; behind the last that was, a history may grow, by events."""
        if event is None or len(self.found) < self.size:
            self.breaks.append(f"{self.name}place {place}: not sealed")
            self.next += 1

    def ended(self, root: bytes) -> list[str]:
        """All that is wrong with it."""
        if self.leaves is None:
            if len(self.hashes) == self.size and root_of(self.hashes) == root:
                return self.breaks
            return [
                *self.breaks,
                f"{self.name}positions 1 to {self.size}: not as sealed ({len(self.hashes)} there)",
            ]
        missing = [at for at in range(1, self.size + 1) if at not in self.found]
        return self.breaks + [f"{self.name}position {at}: missing" for at in missing]


def leaves_of(path: Path, checkpoint: Checkpoint) -> list[list[bytes]] | None:
    """The leaves of each log, those aside last; None where there is no file, or another one's."""
    if not path.is_file():
        return None
    data = path.read_bytes().removeprefix(b"prakerja-leaves-1\n")
    every = [data[at : at + 32] for at in range(0, len(data), 32)]
    parts, at = [], 0
    for size in [*(size for size, _ in checkpoint.logs), checkpoint.asides]:
        parts.append(every[at : at + size])
        at += size
    roots = [root for _, root in checkpoint.logs]
    nodes = sum(size >> level for size, _ in checkpoint.logs for level in range(8, 54))
    if at + nodes != len(every) or [root_of(part) for part in parts[:-1]] != roots:
        return None
    as_signed = not checkpoint.asides or root_of(parts[-1]) == checkpoint.asides_root
    return parts if as_signed else None


def verify_history(
    path: Path, checkpoint: Checkpoint, leaves: list[list[bytes]] | None
) -> list[str]:
    """All that is wrong with a history."""
    several = len(checkpoint.logs) > 1
    damaged = damage(path)
    logs = [
        Log(f"shard {n} " if several else "", size, leaves[n] if leaves else None)
        for n, (size, _) in enumerate(checkpoint.logs)
    ]
    aside = Counter(leaves[-1] if leaves else ())
    common: set[tuple[Any, Any]] = set()
    wrong = damaged
    for place, line, misfiled in lines_of(path):
        event = None
        if misfiled:
            wrong.append(f"place {place}: filed under a wrong {misfiled}")
        try:
            event = Event(line.strip(b" \t\r"))
            log = logs[shard_of(event, len(logs), common) if several else 0]
        except (Untrue, ValueError, RecursionError):
            log = logs[0]
        raw = sha(b"\0" + line)
        if aside[raw] > 0 and not log.expects(event):
            aside[raw] -= 1
        elif not log.see(place, event):
            log.stranger(place, event)
    ended = zip(logs, checkpoint.logs, strict=True)
    wrong += [one for log, (_, root) in ended for one in log.ended(root)]
    if is_ledger(path) and not several:
        moved = ((at, place) for at, place in logs[0].found.items() if at != place)
        wrong += [f"place {place}: position {at}" for at, place in moved]
    if is_ledger(path) and not several and not damaged:
        with read_only(path) as ledger:
            asked = "SELECT (SELECT count(*) FROM identities), (SELECT count(*) FROM stored_events)"
            identities, events = ledger.execute(asked).fetchone()
        wrong += [f"{identities} identities of {events} events"] * (identities > events)
    if not (is_ledger(path) or checkpoint.asides or checkpoint.asides_root == sha(b"")):
        wrong.append("the lines aside: not as sealed")
    return wrong + ["a line aside: missing"] * aside.total()


def verify_proof(data: bytes, keys: list[str]) -> str:
    """What a proof proves. Raises Untrue unless it does."""
    given = json.loads(data, object_pairs_hook=once)
    if (canonical(given) + "\n").encode() != data:
        raise Untrue("the proof is not spelt in canonical JSON")
    checkpoint = Checkpoint(given["checkpoint"].encode(), keys)
    if given["format"] == "prakerja-consistency-1":
        if set(given) != {"checkpoint", "earlier", "format", "paths"}:
            raise Untrue("something stands in the proof that does not belong there")
        earlier = Checkpoint(given["earlier"].encode(), keys)
        for (old, old_root), (new, new_root), path in zip(
            earlier.logs, checkpoint.logs, given["paths"], strict=True
        ):
            roots = roots_by_path(old, new, old_root, [decoded(one) for one in path])
            if old > new or earlier.origin != checkpoint.origin:
                raise Untrue("the checkpoints are in the wrong order, or of two logs")
            if (roots != (old_root, new_root)) if old else (old_root != sha(b"")):
                raise Untrue("the proof leads to another root")
        return f"{earlier.size} events are the beginning of {checkpoint.size}"
    if given["format"] != "prakerja-proof-1" or not given["events"]:
        raise Untrue("the proof is of another format")
    several = len(checkpoint.logs) > 1
    members_of = {"line", "path", "position", *(["shard"] if several else [])}
    if set(given) != {"checkpoint", "events", "format"} or any(
        set(one) != members_of for one in given["events"]
    ):
        raise Untrue("something stands in the proof that does not belong there")
    places = [(one.get("shard", 0), one["position"]) for one in given["events"]]
    if places != sorted(set(places)):
        raise Untrue("the events of the proof are not each once, in the order of their positions")
    for one in given["events"]:
        shard = one.get("shard", 0)
        if type(shard) is not int or not 0 <= shard < len(checkpoint.logs):
            raise Untrue("an event is of a shard that there is not")
        size, root = checkpoint.logs[shard]
        leaf = Event(one["line"].encode()).leaf(one["position"])
        path = [decoded(step) for step in one["path"]]
        if root_by_path(one["position"] - 1, size, leaf, path) != root:
            raise Untrue("the proof leads to another root")
    said = f"{checkpoint.origin}, {checkpoint.size} events: these are among them"
    return "\n".join([said, *(f"{one['position']} {one['line']}" for one in given["events"])])


def verify_receipt(data: bytes, keys: list[str]) -> str:
    """What a receipt proves; that its amounts follow is for the first verifier."""
    given = json.loads(data, object_pairs_hook=once)
    if (canonical(given) + "\n").encode() != data:
        raise Untrue("the receipt is not spelt in canonical JSON")
    proved = verify_proof((canonical(given["proof"]) + "\n").encode(), keys)
    return f"{proved}\nthe amounts are not checked here: prakerja-ledger verify works them out"


LOCAL: Final = struct.Struct("<4s5H3L2H2H2Q")
LISTED: Final = struct.Struct("<4s6H3L5H2L2H3Q")
PACKED: Final = (
    "README.md",
    "BACA-SAYA.md",
    "verify.py",
    "checkpoint",
    "leaves",
    "history.jsonl.gz",
    "history.parquet",
    "statements.jsonl.gz",
    "findings.jsonl.gz",
    "schemes.json",
)
"""What a pack holds, in this order; then manifest.json and manifest.note."""


def local(name: str, size: int, crc: int) -> bytes:
    """The header of a file in a pack: of zip's many ways to write it, the one."""
    made = LOCAL.pack(
        b"PK\3\4", 45, 0, 0, 0, 33, crc, 2**32 - 1, 2**32 - 1, len(name), 20, 1, 16, size, size
    )
    return made[:30] + name.encode() + made[30:]


def listed(name: str, size: int, crc: int, offset: int) -> bytes:
    """The line of a file in the list at the end."""
    full = (45, 0, 0, 0, 33, crc, 2**32 - 1, 2**32 - 1, len(name), 28, 0, 0, 0)
    rest = (0o100644 << 16, 2**32 - 1, 1, 24, size, size, offset)
    made = LISTED.pack(b"PK\1\2", 45 | 3 << 8, *full, *rest)
    return made[:46] + name.encode() + made[46:]


def unpack(pack: Path, folder: Path) -> dict[str, tuple[int, str]]:
    """Take the files of a pack out: their sizes and SHA-256. Raises Untrue for any other zip file."""
    found: dict[str, tuple[int, str]] = {}
    lines, offset = b"", 0
    with pack.open("rb") as file:
        for name in (*PACKED, "manifest.json", "manifest.note"):
            start = file.read(len(local(name, 0, 0)))
            crc, size = start[14:18], start[-8:]
            given = int.from_bytes(crc, "little"), int.from_bytes(size, "little")
            if start != local(name, given[1], given[0]):
                raise Untrue(f"the pack has not {name} at byte {offset}")
            found[name] = given[1], copied(file, folder / name, *given)
            lines += listed(name, given[1], given[0], offset)
            offset = file.tell()
        count, end = len(found), offset + len(lines)
        sizes = (count, count, len(lines), offset)
        closing = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45 | 3 << 8, 45, 0, 0, *sizes)
        closing += struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
        closing += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(lines), 2**32 - 1, 0)
        if file.read(len(lines + closing) + 1) != lines + closing:
            raise Untrue(f"from byte {offset} on it is not what a pack is")
    return found


def copied(file: IO[bytes], target: Path, crc: int, size: int) -> str:
    """Copy a file out of a pack: its SHA-256."""
    digest, found = hashlib.sha256(), 0
    with target.open("xb") as out:
        while size:
            block = file.read(min(size, 1 << 20))
            if not block:
                raise Untrue(f"{target.name} is cut off")
            digest.update(block)
            found, size = zlib.crc32(block, found), size - len(block)
            out.write(block)
    if found != crc:
        raise Untrue(f"{target.name} is damaged")
    return digest.hexdigest()


def verify_pack(pack: Path, keys: list[str], kept: Checkpoint | None) -> tuple[str, list[str]]:
    """What a pack is, and all that is wrong with it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = unpack(pack, folder)
        data = (folder / "manifest.json").read_bytes()
        manifest = json.loads(data, object_pairs_hook=once)
        if canonical(manifest).encode() != data or manifest["format"] != "prakerja-pack-1":
            raise Untrue("the manifest is not written as manifests are")
        digest = base64.b64encode(sha(data)).decode()
        log = manifest["log"]
        check_note(
            (folder / "manifest.note").read_bytes(), f"prakerja-pack-1\n{log}\n{digest}\n", keys
        )
        told = {one["name"]: (one["size"], one["sha256"]) for one in manifest["files"]}
        if tuple(told) != PACKED:
            raise Untrue("the manifest does not list the files of a pack")
        wrong = [
            f"{one}: not the file that was signed" for one in PACKED if told[one] != found[one]
        ]
        if any(one.startswith(("checkpoint:", "history.jsonl.gz:")) for one in wrong):
            return log, wrong
        checkpoint = Checkpoint((folder / "checkpoint").read_bytes(), keys)
        if checkpoint.origin != log or checkpoint.size != manifest["events"]:
            wrong.append("manifest.json: speaks of another history")
        leaves = leaves_of(folder / "leaves", checkpoint)
        if leaves is None:
            wrong.append("leaves: not those of the checkpoint")
        history = folder / "history.jsonl.gz"
        wrong += verify_history(history, checkpoint, leaves)
        if kept is not None:
            wrong += verify_history(history, kept, None) if kept.origin == log else ["another log"]
        return f"{log}: {checkpoint.size} events, as sealed, in a pack as it was signed", wrong


def check_note(note: bytes, text: str, keys: list[str]) -> None:
    """The note is of this text, and signed by the log alone, whose name stands on its second line."""
    body, _, below = note.decode().partition("\n\n")
    lines = below[:-1].split("\n")
    if f"{body}\n" != text or len(lines) != 1 or not below.endswith("\n"):
        raise Untrue("the manifest's note is of another manifest")
    check_signed(text.split("\n")[1], text, lines, keys)


def main() -> int:
    """Check what the command line names; the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--verifier", action="append", required=True)
    asked = parser.parse_args()
    try:
        keys = [key_of(text) for text in asked.verifier]
        with asked.source.open("rb") as file:
            start = file.read(14)
        if start == b'{"checkpoint":':
            print(verify_proof(asked.source.read_bytes(), keys))
            return 0
        if start.startswith(b'{"as_of":'):
            print(verify_receipt(asked.source.read_bytes(), keys))
            return 0
        is_pack = start.startswith(b"PK\3\4")
        if asked.checkpoint is None and not is_pack:
            parser.error("say --checkpoint FILE")
        kept = asked.checkpoint and Checkpoint(asked.checkpoint.read_bytes(), keys)
        if is_pack:
            said, wrong = verify_pack(asked.source, keys, kept)
            print("\n".join(wrong) if wrong else said)
            return 4 if wrong else 0
    except ERRORS as error:
        print(f"not as sealed: {error}")
        return 4
    except NoKey as error:
        print(f"{error} is no verifier key, nor a file that holds one", file=sys.stderr)
        return 2
    except (OSError, EOFError, zlib.error) as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2
    try:
        beside = asked.checkpoint.with_name(asked.checkpoint.name + ".leaves")
        leaves = leaves_of(beside, kept)
        if leaves is None and kept.asides and not beside.exists():
            told = f"{kept.asides} lines are not among the events, and which they are only {beside} tells"
            print(f"cannot tell: {told} (prakerja-ledger verify works it out)", file=sys.stderr)
            return 2
        wrong = verify_history(asked.source, kept, leaves)
        wrong += [f"{beside}: not the leaves of the checkpoint"] * (
            leaves is None and beside.exists()
        )
    except (OSError, EOFError, zlib.error, sqlite3.Error) as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2
    except ERRORS as error:
        print(f"not as sealed: {error}")
        return 4
    print("\n".join(wrong) if wrong else f"{kept.origin}: {kept.size} events, as sealed")
    return 4 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
