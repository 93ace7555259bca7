"""For whom anything may have moved between two views: whoever is left out has no difference to be walked.

Without an event of their own between the views, only the calendar moves a participant's lines, and only
one way (not earned, unpaid, overdue, forfeited): if both ends are alike, so is all between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prakerja_ledger.bulk.engine import Bulk, Tick, no_tick
from prakerja_ledger.bulk.parts import day_literal
from prakerja_ledger.bulk.setting import micros
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from prakerja_ledger.bulk.connection import Interruptible


def movers(
    connection: DuckDBPyConnection | Interruptible,
    programme: Programme,
    first: View,
    second: View,
    tick: Tick = no_tick,
) -> list[str]:
    """Participants, by id, of whom something may have moved; those withheld in either view too."""
    names: set[str] = set()
    for view, table in ((first, "before"), (second, "after")):
        bulk = Bulk(connection, programme, view, tick=tick)
        bulk.digest(table)
        names |= {name for name, _ in bulk.withheld}
    found = connection.execute(
        "SELECT subject FROM before FULL JOIN after USING (subject) "
        "WHERE before.digest IS DISTINCT FROM after.digest "
        f"UNION SELECT subject FROM events WHERE {_lies_between(first, second)}"
    ).fetchall()
    return sorted(names.union(name for (name,) in found))


def _lies_between(first: View, second: View) -> str:
    """Of an event: it is dated between the two days, or was learned between the two moments."""
    early, late = sorted((first.as_of, second.as_of))
    days = [
        f"micros(time) >= day_begins({day_literal(day)}) + 86400000000" for day in (early, late)
    ]
    dated = f"({days[0]} AND NOT {days[1]})"
    if first.known_at == second.known_at:
        return dated
    moments = [at for at in (first.known_at, second.known_at) if at is not None]
    learned = (
        f"micros(coalesce(recordedtime, time)) >= {micros(min(moments))}"  # cut: a little more
    )
    return f"({dated} OR {learned})"
