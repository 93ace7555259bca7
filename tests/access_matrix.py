"""Who may do what to a ledger: what is promised of every role and every deed, and the tables that docs show.

    python -m tests.access_matrix        write the two tables into docs/howto/postgresql.md

`test_access_matrix` does every deed as every role and compares; `docs/howto/postgresql.md` has the same
cells, which that test compares too.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from attrs import frozen

from prakerja_ledger.stores.postgres_roles import ROLES

PAGE: Final = Path(__file__).parents[1] / "docs" / "howto" / "postgresql.md"
PASSES: Final = "**passes**"
RIGHT: Final = "–"
TRIGGER: Final = "trigger"
ABSENT: Final = ""

OWNER, SUPERUSER, HOLDER = "owner", "superuser", "SQLite file"
ROLE_NAMES: Final = tuple(role.name for role in ROLES)
COLUMNS: Final = (*ROLE_NAMES, OWNER, SUPERUSER, HOLDER)
_READERS: Final = ("reader", "writer", "auditor")

ROW: Final = (
    "(originator_id, originator_version, topic, state, notification_id, shard, number, source, id) "
    "VALUES ('participant/X', 1, 'prakerja.enrolled.v1', 'x', {n}, 0, {n}, 'x', 'x')"
)
CALL: Final = (
    "('{{participant/P-1}}', '{{2}}', '{{{topic}}}', ARRAY[convert_to('{line}', 'UTF8')], "
    "'{{3}}', '{{0}}', '{{3}}', '{{//x}}', '{{x}}')"
)


@frozen(kw_only=True)
class Deed:
    """Something that somebody does, and whom it succeeds for."""

    name: str
    passes: tuple[str, ...] = ()
    """Columns for which it succeeds."""
    triggers: tuple[str, ...] = ()
    """Columns that hold the right, and meet a trigger."""
    sql: tuple[str, ...] = ()
    """The statements on PostgreSQL, the last of which counts; none: it is not done there."""
    sqlite: tuple[str, ...] = ()

    def promised(self, column: str) -> str:
        """The cell."""
        if not (self.sqlite if column == HOLDER else self.sql):
            return ABSENT
        if column in self.passes:
            return PASSES
        return TRIGGER if column in self.triggers else RIGHT


_POWERFUL: Final = (OWNER, SUPERUSER)
DEEDS: Final = (
    Deed(
        name="read every participant's events",
        sql=("SELECT 1 / count(*) FROM stored_events",),
        sqlite=("SELECT count(*) FROM stored_events",),
        passes=(*_READERS, *_POWERFUL, HOLDER),
    ),
    Deed(
        name="list them by calling",
        sql=("SELECT count(*) FROM lines(0)",),
        passes=("caller", *_POWERFUL),
    ),
    Deed(
        name="read events of the waves granted",
        sql=("SELECT count(*) FROM events_by_wave",),
        passes=("wave_reader", *_POWERFUL),
    ),
    Deed(
        name="read who may do what",
        sql=("SELECT count(*) FROM who_may",),
        passes=("auditor", *_POWERFUL),
    ),
    Deed(
        name="insert the next event",
        sql=(f"INSERT INTO stored_events {ROW.format(n=3)}",),
        sqlite=("INSERT INTO stored_events VALUES (3, 'participant/X', 1, 't', x'00')",),
        passes=("writer", *_POWERFUL, HOLDER),
    ),
    Deed(
        name="append an event by calling",
        sql=("SELECT append" + CALL.format(topic="t", line="x"),),
        passes=("writer", "caller", *_POWERFUL),
    ),
    Deed(
        name="append the outcome of a transfer by calling",
        sql=(
            "SELECT append_outcomes"
            + CALL.format(
                topic="prakerja.disbursement-settled.v1",
                line='{"type":"prakerja.disbursement-settled.v1","source":"//x","id":"x","subject":"P-1"}',
            ),
        ),
        passes=("settler", *_POWERFUL),
    ),
    Deed(
        name="append another event by that call",
        sql=("SELECT append_outcomes" + CALL.format(topic="t", line="x"),),
    ),
    Deed(
        name="insert one that leaves out a position",
        sql=(f"INSERT INTO stored_events {ROW.format(n=9)}",),
        triggers=("writer", *_POWERFUL),
    ),
    Deed(
        name="`UPDATE`",
        sql=("UPDATE stored_events SET state = 'x'",),
        sqlite=("UPDATE stored_events SET state = x'00'",),
        triggers=(*_POWERFUL, HOLDER),
    ),
    Deed(
        name="`DELETE`",
        sql=("DELETE FROM stored_events",),
        sqlite=("DELETE FROM stored_events",),
        triggers=(*_POWERFUL, HOLDER),
    ),
    Deed(name="`TRUNCATE`", sql=("TRUNCATE stored_events",), triggers=_POWERFUL),
    Deed(
        name="`INSERT … ON CONFLICT DO UPDATE`",
        sql=(
            "INSERT INTO stored_events SELECT * FROM stored_events "
            "ON CONFLICT (notification_id) DO UPDATE SET state = 'x'",
        ),
        sqlite=(
            "INSERT INTO stored_events SELECT * FROM stored_events WHERE true "
            "ON CONFLICT (rowid) DO UPDATE SET state = x'00'",
        ),
        triggers=(*_POWERFUL, HOLDER),
    ),
    Deed(
        name="`INSERT OR REPLACE`",
        sqlite=("INSERT OR REPLACE INTO stored_events VALUES (2, 'participant/X', 1, 't', x'00')",),
        triggers=(HOLDER,),
    ),
    Deed(
        name="the same by the parent table",
        sql=("DELETE FROM events_by_wave",),
        triggers=_POWERFUL,
    ),
    Deed(
        name="move a head",
        sql=("UPDATE heads SET number = 1",),
        passes=_POWERFUL,
    ),
    Deed(
        name="give a role other waves",
        sql=("SELECT grant_waves(current_user::regrole, 1)",),
        passes=_POWERFUL,
    ),
    Deed(
        name="become the owner",
        sql=("SET ROLE matrix_as_owner",),
        passes=_POWERFUL,
    ),
    Deed(
        name="`LOCK TABLE … IN EXCLUSIVE MODE`",
        sql=("LOCK TABLE stored_events IN EXCLUSIVE MODE",),
        passes=_POWERFUL,
    ),
    Deed(
        name="disable a trigger, then `UPDATE`",
        sql=(
            "ALTER TABLE stored_events DISABLE TRIGGER stored_events_only_grow",
            "UPDATE stored_events SET state = 'x'",
        ),
        passes=_POWERFUL,
    ),
    Deed(
        name="drop a trigger, then `DELETE`",
        sql=(
            "DROP TRIGGER stored_events_only_grow ON stored_events",
            "DELETE FROM stored_events",
        ),
        sqlite=("DROP TRIGGER stored_events_delete", "DELETE FROM stored_events"),
        passes=(*_POWERFUL, HOLDER),
    ),
    Deed(
        name="`DELETE` as a replica",
        sql=("SET session_replication_role = replica", "DELETE FROM stored_events"),
        passes=(SUPERUSER,),
    ),
    Deed(
        name="`DELETE` of triggers from `sqlite_master`",
        sqlite=("PRAGMA writable_schema = ON", "DELETE FROM sqlite_master WHERE type = 'trigger'"),
        passes=(HOLDER,),
    ),
)  # fmt: skip


def _table(rows: list[list[str]]) -> str:
    rows.insert(1, ["---"] * len(rows[0]))
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def roles_table() -> str:
    """The roles, as the code has them."""
    return _table([
        ["role", "reads", "records", "for"],
        *([f"`prakerja_ledger_{r.name}`", r.reads, r.records, r.purpose] for r in ROLES),
    ])  # fmt: skip


def deeds_table() -> str:
    """The matrix: promised and tested."""
    return _table([
        ["", *(name.replace("_", " ") for name in COLUMNS)],
        *([deed.name, *map(deed.promised, COLUMNS)] for deed in DEEDS),
    ])  # fmt: skip


TABLES: Final = {"roles": roles_table, "matrix": deeds_table}


def written(page: str) -> str:
    """The page with its tables as they are made here."""
    for name, make in TABLES.items():
        between = re.compile(f"(<!-- {name}: [^>]* -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page, times = between.subn(lambda m: m[1] + "\n" + make() + "\n" + m[2], page)
        assert times == 1, f"the page has a place for {name}"
    return page


if __name__ == "__main__":
    sys.exit(not PAGE.write_text(written(PAGE.read_text())))
