"""The roles of a PostgreSQL ledger, as data: the script, `doctor`, the documentation and the tests read it.

A role holds SELECT or INSERT on tables, or may call functions; nothing that changes or removes a row. It
cannot log in: who runs the cluster makes the logins, and grants them a role.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from prakerja_ledger.domain.facts import FACTS, type_of

OUTCOMES: Final = tuple(
    type_of(kind)
    for kind in ("disbursement-settled", "disbursement-failed", "disbursement-returned")
)
"""The types of events that a settler may append: what became of a transfer that somebody instructed."""
assert set(OUTCOMES) <= FACTS.keys(), "an outcome that is no event type"

_NAMED: Final = (
    "take(integer[])",
    "find(text[], text[])",
    "open_turn(integer[], text[], text[], text[], bigint[])",
    "streams(text[], bigint[])",
    "write_off()",
)
"""A turn, and what it looks up by name."""
_APPENDING: Final = (
    "append_next(integer, bigint, text[], bigint[], text, bigint, text, bytea, text, text)",
    "append(text[], bigint[], text[], bytea[], bigint[], integer[], bigint[], text[], text[])",
)
APPENDING_OUTCOMES: Final = tuple(
    one.replace("append_next(", "append_next_outcome(").replace("append(", "append_outcomes(")
    for one in _APPENDING
)
"""The same, for `OUTCOMES` alone."""
_ABOUT: Final = ("about()", "highest()", "clocks()")
_READING: Final = (
    "streams_between(text, text)",
    "lines(bigint)",
    "touched(bigint, bigint, bigint[], bigint[])",
    "between_clocks(bigint, bigint, bigint[], bigint[])",
)
_RECORDED: Final = ("ledger", "heads", "stored_events")


@frozen(kw_only=True)
class Role:
    """What whoever was granted it may do. Its name in the cluster is the schema's and this one."""

    name: str
    purpose: str
    """For whom, as the documentation says it."""
    reads: str
    records: str
    selects: tuple[str, ...] = ()
    """Tables; rows of other waves are not in those of a `wave_reader`."""
    inserts: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    """Functions, which run with the owner's rights and check what they are given."""
    tables_alone: bool = False
    """Whether an engine without functions and triggers can have it."""

    def in_schema(self, schema: str) -> str:
        """Its name in the cluster."""
        return f"{schema}_{self.name}"


ROLES: Final = (
    Role(
        name="reader",
        purpose="reports and services that read",
        reads="everything",
        records="nothing",
        selects=_RECORDED,
        tables_alone=True,
    ),
    Role(
        name="writer",
        purpose="the services of the programme; COPY for imports",
        reads="everything",
        records="every fact",
        selects=_RECORDED,
        inserts=("stored_events",),
        calls=_NAMED + _APPENDING,
        tables_alone=True,
    ),
    Role(
        name="caller",
        purpose="services that are trusted less: no right on any table",
        reads="everything",
        records="every fact",
        calls=_NAMED + _APPENDING + _ABOUT + _READING,
    ),
    Role(
        name="settler",
        purpose="payment partners: settled, failed and returned transfers alone",
        reads="what is recorded of a participant that it names",
        records="outcomes of transfers",
        calls=_NAMED + APPENDING_OUTCOMES + _ABOUT,
    ),
    Role(
        name="wave_reader",
        purpose="offices that answer for some waves",
        reads="participants of the waves granted to it; packages and the programme",
        records="nothing",
        selects=("ledger", "heads", "events_by_wave", "participant_waves", "wave_grants"),
        calls=("granted_waves()",),
    ),
    Role(
        name="auditor",
        purpose="auditors",
        reads="everything, and who may do what",
        records="nothing",
        selects=(*_RECORDED, "participant_waves", "wave_grants", "who_may"),
        calls=("wave_of(text)", "said(bytea)", "instant(text)"),
    ),
    Role(
        name="key_keeper",
        purpose="who keeps the identity vault, and no history",
        reads="nothing",
        records="nothing",
    ),
)
assert not {table for role in ROLES for table in role.inserts} - {"stored_events"}, (
    "somebody inserts what no trigger guards"
)


def roles_of(*, functions: bool) -> tuple[Role, ...]:
    """The roles that an engine can have."""
    return tuple(role for role in ROLES if functions or role.tables_alone)


def creations(schema: str, roles: tuple[Role, ...]) -> str:
    """What makes the roles."""
    return "".join(f"CREATE ROLE {role.in_schema(schema)} NOLOGIN;\n" for role in roles)


def grants(schema: str, roles: tuple[Role, ...], *, functions: bool) -> str:
    """What gives them their rights."""
    statements = []
    for role in roles:
        who = role.in_schema(schema)
        if role.selects or role.calls:
            statements.append(f"GRANT USAGE ON SCHEMA {schema} TO {who};")
        for right, tables in (("SELECT", role.selects), ("INSERT", role.inserts)):
            if tables:
                named = ", ".join(f"{schema}.{table}" for table in tables)
                statements.append(f"GRANT {right} ON {named} TO {who};")
        if role.calls and functions:
            named = ",\n    ".join(f"{schema}.{call}" for call in role.calls)
            statements.append(f"GRANT EXECUTE ON FUNCTION {named} TO {who};")
    return "\n".join(statements) + "\n"
