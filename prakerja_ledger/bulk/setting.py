"""A history in one view, set out for the rules: what is recorded, known and seen, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from prakerja_ledger.bulk.parts import day_literal
from prakerja_ledger.bulk.rules import filled, read
from prakerja_ledger.bulk.tables import bits, tables
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.time import Instant, in_utc
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Run = Callable[..., "DuckDBPyConnection"]

LAST_POSITION: Final = (1 << 40) - 1
"""A stamp has room for so many."""
COMMON_KINDS: Final = (
    "package-offered",
    "package-withdrawn",
    "package-sales-stopped",
    "payments-held",
    "payments-resumed",
)
"""Events of packages and the programme: every participant's rules may look at them."""
_IN_COMMON: Final = f"kind IN {COMMON_KINDS}"  # a tuple of words is written as SQL writes it


class NotForBulk(Exception):
    """The history holds something that only the Python law reads; the text says what."""


class Setting:
    """The relation `events` of a connection, in one view of one programme.

    Leaves behind `recorded` (events of participants, restricted to a part of them by `part`), `common`
    (events of packages and the programme), the macros of the rules and the tables that they join.
    """

    def __init__(self, run: Run, programme: Programme, view: View) -> None:
        self._run = run
        self._programme = programme
        self._view = view
        self._refuse()
        for table in tables(programme):
            self._table(*table)
        self._words()
        self._voids()
        self._order()
        self._returned_all()
        self._recorded("whole")
        self._run(f"CREATE OR REPLACE TEMP TABLE common AS SELECT * FROM whole WHERE {_IN_COMMON}")
        self._hold()

    def part(self, low: str | None, high: str | None) -> None:
        """Restrict `recorded` to the participants from one id up to another; None: without end."""
        among = [f"NOT {_IN_COMMON}"]
        for name, sign, bound in (("low", ">=", low), ("high", "<", high)):
            if bound is not None:
                among.append(f"subject {sign} getvariable('{name}')")
        self._recorded("recorded", " AND ".join(among))
        self._run("CREATE OR REPLACE TEMP VIEW seen AS SELECT * FROM recorded WHERE is_seen")

    def _first(self, query: str) -> Any:
        """The one value of a query's one row."""
        found = self._run(query).fetchone()
        assert found is not None, "a query for one value has a row"
        return found[0]

    def _count(self, table: str) -> int:
        found: int = self._first(f"SELECT count(*) FROM {table}")
        return found

    def _refuse(self) -> None:
        if self._count("events WHERE line IS NOT NULL"):
            raise NotForBulk("some of its events are kept as lines")
        if (self._first("SELECT max(position) FROM events") or 0) > LAST_POSITION:
            raise NotForBulk("its positions are too high")

    def _table(self, name: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
        if rows:
            row = f"({', '.join('?' * len(rows[0]))})"
            marks = ", ".join([row] * len(rows))
            self._run(f"INSERT INTO {name} VALUES {marks}", [v for one in rows for v in one])

    def _words(self) -> None:
        """The macros of the rules, and the working days."""
        calendar = self._programme.calendar
        known_at = self._view.known_at
        self._run(f"SET VARIABLE as_of = {day_literal(self._view.as_of)}")
        text = "null" if known_at is None else f'"{in_utc(known_at)}"'
        self._run(f"SET VARIABLE known_at_text = '{text}'")
        cases = " ".join(f"WHEN '{name}' THEN {bit}" for name, bit in bits().items())
        for macro, body in (
            ("because(name)", f"CASE name {cases} END"),
            ("calendar_first()", day_literal(calendar.first)),
            ("calendar_last()", day_literal(calendar.last)),
            ("escaped(text)", _escaped()),
        ):
            self._run(f"CREATE OR REPLACE TEMP MACRO {macro} AS {body}")
        self._run(read("macros"))
        self._run(read("calendar"))

    @property
    def _knows(self) -> str:
        """Section 4: what is known at K."""
        known_at = self._view.known_at
        if known_at is None:
            return "true"
        return f"coalesce(recordedtime, time) <= {_timestamp(known_at)}"

    def _voids(self) -> None:
        """Section 4: what an event-voided known at K takes out, whatever the void's own time."""
        self._run(
            "CREATE OR REPLACE TEMP TABLE voids AS SELECT subject, voided_source AS source, "
            f"voided_id AS id, position AS voided_at, {self._knows} AS is_known "
            "FROM events WHERE kind = 'event-voided'"
        )
        self._table("voided", "position BIGINT, voided_at BIGINT, is_known BOOLEAN", [])
        if self._count("voids"):
            self._run(
                "INSERT INTO voided SELECT e.position, v.voided_at, v.is_known "
                "FROM events e JOIN voids v USING (subject, source, id)"
            )

    def _order(self) -> None:
        """The order of events, where it is not that of recording; columns of the relation may say it."""
        names = self._run("SELECT column_name FROM (DESCRIBE events)").fetchall()
        self._has_order = {("n",), ("happened_on",), ("known_on",)} <= set(names)
        if self._has_order:
            self._table("ranks", "position BIGINT, n BIGINT", [])
        else:
            self._run(read("order"))

    def _returned_all(self) -> None:
        """Section 2: what returns took that name no amount."""
        own = {"n": "n", "ranks": "", "own_n": ", n"}
        ranked = {"n": "coalesce(k.n, position)", "ranks": "LEFT JOIN ranks k USING (position)"}
        parts = own if self._has_order else {**ranked, "own_n": ""}
        self._run(filled(read("returned_all"), parts))

    def _recorded(self, name: str, among: str = "true") -> None:
        """Events with their stamps and names; which of them are known at K, and which are in view."""
        ranks, voided = self._count("ranks") > 0, self._count("voided WHERE is_known") > 0
        day = day_literal(self._view.as_of)
        if self._has_order:
            n, columns = "e.n", "e.*"
            stamp = f"stamped_on(e.n, happened_on, known_on > {day})"
            shown = f"happened_on <= {day}"
        else:
            n = "coalesce(k.n, e.position)" if ranks else "e.position"
            columns = f"e.*, {n} AS n"
            stamp = f"stamped({n}, time, coalesce(recordedtime, time) >= day_ends({day}))"
            shown = f"time < day_ends({day})"
        known = [self._knows] if self._view.known_at is not None else []
        known += ["v.position IS NULL"] if voided else []
        self._run(
            f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {columns}, {stamp} AS stamp, "
            "coalesce(recordedtime, time) AS known_at, named(source, id) AS name, "
            f"{' AND '.join(known) or 'true'} AS is_known, "
            f"{' AND '.join([shown, *known])} AS is_seen FROM events e"
            + (" LEFT JOIN ranks k USING (position)" if ranks else "")
            + (" LEFT JOIN (FROM voided WHERE is_known) v USING (position)" if voided else "")
            + f" WHERE {among}"
        )

    def _hold(self) -> None:
        """Section 4.2, PROGRAMME_HOLD: the hold by which payments stand held."""
        self._run(
            "SET VARIABLE hold = (SELECT min(n) FROM common WHERE is_seen "
            "AND kind = 'payments-held' AND n > coalesce((SELECT max(n) FROM common "
            "WHERE is_seen AND kind = 'payments-resumed'), -1))"
        )
        self._run("CREATE OR REPLACE TEMP MACRO hold() AS getvariable('hold')")


def _timestamp(at: Instant) -> str:
    """An instant in UTC, cut at microseconds: no event of columns stands between two of them."""
    text, _, fraction = in_utc(at).rstrip("Z").partition(".")
    on, _, clock = text.partition("T")
    year_zero = on.startswith("0000-")  # the year before year 1, as DuckDB writes it
    moment = f"{'0001' + on[4:] if year_zero else on}{' (BC)' if year_zero else ''}"
    return f"TIMESTAMP '{moment} {clock}.{fraction[:6] or '0'}'"


def _escaped() -> str:
    """JSON's escapes as Python's json writes them: short where there is a short one, else lower case."""
    short = {
        "\\": "\\\\",
        '"': '\\"',
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\f": "\\f",
        "\b": "\\b",
    }
    others = [chr(n) for n in range(0x20) if chr(n) not in short]
    text = "text"
    for sign in (*short, *others):  # the backslash first
        written = short.get(sign, f"\\u{ord(sign):04x}")
        text = f"replace({text}, chr({ord(sign)}), '{written}')"
    return text
