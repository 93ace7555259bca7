"""The SQL of a projection's tables, alike on SQLite and PostgreSQL.

Two sets of tables, `projected_…` and, while a rebuild runs, `next_…`; the views are over the first.
Dates are ISO days, amounts whole rupiah.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from prakerja_ledger.projecting.tables import Slot
from prakerja_ledger.reading.statement import AMOUNTS
from prakerja_ledger.reading.totals import GROUPINGS

PREFIX: Final = {Slot.LIVE: "projected", Slot.NEXT: "next"}
TABLES: Final = ("participants", "lines", "totals", "findings", "uses")


@frozen(kw_only=True)
class Dialect:
    """Where the two databases differ."""

    mark: str
    """Stands for a parameter."""
    text: str
    """The type of texts that are compared by code point."""
    day: str
    """The type of days."""
    chosen: str
    """Whether what `{}` names is one of those chosen."""
    closing: str
    """What a CREATE TABLE ends with."""

    def is_chosen(self, column: str) -> str:
        """Whether a column is one of those chosen."""
        return self.chosen.format(column)


STATE: Final = """\
CREATE TABLE IF NOT EXISTS projection (
    slot {text} PRIMARY KEY, -- live: what is read; next: what a rebuild makes beside it
    generation bigint NOT NULL,
    ledger {text} NOT NULL,
    law {text} NOT NULL,
    day {day} NOT NULL, -- every row stands as of this day
    shards integer NOT NULL,
    built_to {text} -- while it is built: up to this participant
);
CREATE TABLE IF NOT EXISTS working_days (
    day {day} PRIMARY KEY,
    number integer NOT NULL -- working days from the calendar's first day up to this one
);
"""

_LINES: Final = """\
CREATE TABLE {p}_participants (
    participant {text} PRIMARY KEY,
    wave bigint, scheme {text}, standing {text}, -- null: no statement yet, or a problem
    turns_on {day}, -- the day from which the rows may read differently though nothing is recorded
    problem {text}, -- why there are no lines: the list of holidays is too short
    unjudged {text} -- why a finding cannot be judged, in the same way
){closing};
CREATE TABLE {p}_lines (
    participant {text} NOT NULL,
    line {text} NOT NULL,
    place integer NOT NULL, -- the line's place in the statement
    wave bigint NOT NULL, scheme {text} NOT NULL, standing {text} NOT NULL,
    amount bigint NOT NULL,
    status {text} NOT NULL,
    {amounts},
    earned_on {day}, due_on {day},
    cause {text}, owner {text}, -- the first cause, and who must act on it
    may_pay {text} NOT NULL, -- yes, no, or unknown: an attempt has no outcome yet
    causes {text} NOT NULL, -- all of them, a JSON array
    evidence {text} NOT NULL, -- source and id of the facts behind it, a JSON array
    PRIMARY KEY (participant, line)
){closing};
CREATE TABLE {p}_totals (
    grouping_by {text} NOT NULL, -- wave, scheme, standing, line, status, cause or owner
    key {text} NOT NULL, -- '' where a line has no cause
    participants bigint NOT NULL, lines bigint NOT NULL, entitlement bigint NOT NULL,
    {amounts},
    PRIMARY KEY (grouping_by, key)
){closing};
CREATE TABLE {p}_findings (
    subject {text} NOT NULL, -- a participant, a package or a course, as the code has it
    date {day} NOT NULL,
    code {text} NOT NULL,
    detail {text} NOT NULL, -- a JSON object
    alike integer NOT NULL, -- numbers those that differ in their evidence alone
    amount bigint, -- whole rupiah at stake, or null
    evidence {text} NOT NULL, -- source and id of the facts behind it, a JSON array
    origin {text} NOT NULL -- what it is made anew with: the projection's own matter
);
CREATE TABLE {p}_uses ( -- what concerns the findings of others: the projection's own matter
    kind {text} NOT NULL, -- account, certificate, evaluated, bought or offered
    key {text} NOT NULL, -- which account, certificate, course or package
    who {text} NOT NULL, -- the participant; where a course is offered: the package
    part {text} NOT NULL, -- the course that a certificate is of, else ''
    PRIMARY KEY (kind, key, who, part)
){closing};
"""

_INDEXES: Final = """\
CREATE INDEX {p}_{g}_unpaid ON {p}_lines (due_on, participant, line) WHERE unpaid > 0;
CREATE INDEX {p}_{g}_payable ON {p}_lines (due_on, participant, line)
    WHERE unpaid > 0 AND may_pay = 'yes';
CREATE INDEX {p}_{g}_undecided ON {p}_participants (participant) WHERE problem IS NOT NULL;
CREATE INDEX {p}_{g}_turns ON {p}_participants (turns_on);
CREATE INDEX {p}_{g}_unjudged ON {p}_participants (participant) WHERE unjudged IS NOT NULL;
CREATE INDEX {p}_{g}_findings ON {p}_findings (date, subject, code);
CREATE INDEX {p}_{g}_codes ON {p}_findings (code, date, subject);
CREATE INDEX {p}_{g}_subjects ON {p}_findings (subject, date);
CREATE INDEX {p}_{g}_origins ON {p}_findings (origin);
CREATE INDEX {p}_{g}_users ON {p}_uses (who);
"""

_VIEWS: Final = """\
CREATE VIEW projected_unpaid AS
SELECT l.participant, l.wave, l.line, l.unpaid, l.status, l.due_on,
    CASE WHEN l.overdue > 0 THEN t.number - d.number ELSE 0 END AS overdue_working_days,
    l.cause, l.owner, l.may_pay, l.causes, l.evidence, l.scheme, l.standing
FROM projection AS p
JOIN working_days AS t ON t.day = p.day
JOIN projected_lines AS l ON l.unpaid > 0
JOIN working_days AS d ON d.day = l.due_on
WHERE p.slot = 'live';
CREATE VIEW projected_balances AS
SELECT participant, wave, scheme, standing, sum(amount) AS entitlement, {sums}
FROM projected_lines GROUP BY participant, wave, scheme, standing;
"""
VIEWS: Final = ("projected_unpaid", "projected_balances")


def _filled(text: str, slot: Slot, dialect: Dialect, generation: int = 0) -> str:
    return text.format(
        p=PREFIX[slot],
        g=f"g{generation}",
        text=dialect.text,
        day=dialect.day,
        closing=dialect.closing,
        amounts=", ".join(f"{name} bigint NOT NULL" for name in AMOUNTS),
        sums=", ".join(f"sum({name}) AS {name}" for name in AMOUNTS),
    )


def state_script(dialect: Dialect) -> str:
    """What every projection has."""
    return _filled(STATE, Slot.LIVE, dialect)


def slot_script(slot: Slot, dialect: Dialect, generation: int) -> str:
    """A set of empty tables, and the views where it is the one that is read."""
    views = _filled(_VIEWS, slot, dialect) if slot is Slot.LIVE else ""
    return (
        _filled(_LINES, slot, dialect) + _filled(_INDEXES, slot, dialect, generation=generation)
    ) + views


def drop_script(slot: Slot) -> str:
    """The tables of a slot are gone."""
    return "".join(f"DROP TABLE IF EXISTS {PREFIX[slot]}_{name};\n" for name in TABLES)


def swap_script(dialect: Dialect) -> str:
    """The tables that were built beside take the place of the others."""
    old, new = PREFIX[Slot.LIVE], PREFIX[Slot.NEXT]
    return "".join(
        [
            *(f"DROP VIEW IF EXISTS {view};\n" for view in VIEWS),
            drop_script(Slot.LIVE),
            *(f"ALTER TABLE {new}_{name} RENAME TO {old}_{name};\n" for name in TABLES),
            _filled(_VIEWS, Slot.LIVE, dialect),
        ]
    )


def insertion(table: str, columns: tuple[str, ...], dialect: Dialect) -> str:
    """An INSERT of one row."""
    marks = ", ".join([dialect.mark] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"


def totals_moves(slot: Slot, dialect: Dialect, sign: str, *, whole: bool) -> list[str]:
    """Adds, or takes away, what some participants' lines come to; of all participants where whole.

    A second reading of `reading.totals` on purpose: a test holds them equal.
    """
    p = PREFIX[slot]
    names = ("participants", "lines", "entitlement", *AMOUNTS)
    sums = ", ".join(f"{sign}sum({name})" for name in ("amount", *AMOUNTS))
    adds = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in names)
    where = "true" if whole else dialect.is_chosen("participant")
    return [
        f"INSERT INTO {p}_totals AS t (grouping_by, key, {', '.join(names)}) "
        f"SELECT '{by}', coalesce(CAST({by} AS text), ''), {sign}count(DISTINCT participant), "
        f"{sign}count(*), {sums} FROM {p}_lines WHERE {where} GROUP BY {by} "
        f"ON CONFLICT (grouping_by, key) DO UPDATE SET {adds}"
        for by in GROUPINGS
    ]
