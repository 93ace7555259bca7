"""One history in one view, read by set operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from prakerja_ledger.bulk.rules import filled, read, rules
from prakerja_ledger.bulk.tables import SURVEYS_BEGIN, bits, tables
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.time import Instant, in_utc
from prakerja_ledger.reading.statement import AMOUNTS
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class NotForBulk(Exception):
    """The history holds something that only the Python law reads; the reason is the text."""


_GROUPINGS: Final = {
    "wave": "wave",
    "scheme": "scheme",
    "standing": "standing",
    "line": "line",
    "status": "status",
    "cause": "c.cause",
    "owner": "coalesce(r.owner, c.owner)",
}
_OPEN: Final = "TIMESTAMP 'infinity'"


def _utc(at: Instant) -> str:
    """An instant as a TIMESTAMP in UTC, cut at microseconds: no event is known between two of them."""
    text, _, fraction = in_utc(at).rstrip("Z").partition(".")
    on, _, clock = text.partition("T")
    if on == "0000-12-31":
        on = "0001-12-31 (BC)"
        return f"TIMESTAMP '0001-12-31 (BC) {clock}.{fraction[:6] or 0}'"
    return f"TIMESTAMP '{on} {clock}.{fraction[:6] or 0}'"


def _day(on: date) -> str:
    return f"DATE '{on.isoformat()}'"


class Bulk:
    """A relation `events` in a connection, read in one view of one programme."""

    def __init__(self, connection: DuckDBPyConnection, programme: Programme, view: View) -> None:
        self._run = connection.execute
        self.connection = connection
        self.programme = programme
        self.view = view
        self._made = False
        self.withheld: list[tuple[str, date]] = []
        """Participants whose statement is an error, and the day that the calendar lacks."""
        self._prepare()

    # -- answers --

    def lines(self) -> None:
        """Work out every line; a participant for whom the calendar is too short is withheld."""
        if self._made:
            return
        self._made = True
        self._run("CREATE OR REPLACE TEMP TABLE line_rows AS FROM lines")
        self.withheld = self._run(
            "SELECT subject, arg_min(needed, place) FROM line_rows WHERE needed IS NOT NULL "
            "GROUP BY subject ORDER BY subject"
        ).fetchall()
        if self.withheld:
            self._run(
                "DELETE FROM line_rows WHERE subject IN "
                "(SELECT subject FROM line_rows WHERE needed IS NOT NULL)"
            )

    def statements(self) -> Iterator[str]:
        """Every statement as JSON, without LF."""
        self.lines()
        for name, query in rules("statements").items():
            self._run(f"CREATE OR REPLACE TEMP VIEW {name} AS {query}")
        for (text,) in self._run("FROM statements").fetchall():
            yield text

    def totals(self, by: str) -> list[tuple[Any, ...]]:
        """Sums by group: the key, participants, lines, entitlement, and each amount."""
        self.lines()
        key = _GROUPINGS[by]
        sums = ", ".join(f"CAST(sum({name}) AS HUGEINT)" for name in ("amount", *AMOUNTS))
        return self._run(
            f"SELECT {key} AS key, count(DISTINCT subject), count(*), {sums} FROM line_rows "
            "LEFT JOIN causes c ON c.bit = (line_rows.causes & -line_rows.causes) "
            "LEFT JOIN reasons r ON r.reason = first_reason "
            "GROUP BY key ORDER BY key NULLS LAST"
        ).fetchall()

    def unpaid(self) -> list[tuple[Any, ...]]:
        """One row a line with money unpaid, the longest overdue first."""
        self.lines()
        return self._run(
            "SELECT subject, wave, line, unpaid, status, CAST(due_on AS VARCHAR), overdue_working_days, "
            "cause, coalesce(r.owner, c.owner) FROM line_rows "
            "LEFT JOIN causes c ON c.bit = (line_rows.causes & -line_rows.causes) "
            "LEFT JOIN reasons r ON r.reason = first_reason "
            "WHERE unpaid > 0 ORDER BY overdue_working_days DESC, due_on, subject, line"
        ).fetchall()

    # -- preparation --

    def _prepare(self) -> None:
        self._refuse()
        for name, columns, rows in tables(self.programme):
            self._table(name, columns, rows)
        self._macros()
        self._voids()
        self._order()
        self._relations()
        self._returned_all()
        self._hold()
        for name, query in rules("lines").items():
            self._run(f"CREATE OR REPLACE TEMP VIEW {name} AS {filled(query, self._parts())}")

    def _refuse(self) -> None:
        found = self._run("SELECT count(*) FROM events WHERE line IS NOT NULL").fetchone()
        if found != (0,):
            raise NotForBulk("some events are kept as lines")

    def _table(self, name: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            many = ", ".join([f"({marks})"] * len(rows))
            self._run(f"INSERT INTO {name} VALUES {many}", [v for row in rows for v in row])

    def _macros(self) -> None:
        calendar = self.programme.calendar
        self._run(f"SET VARIABLE as_of = {_day(self.view.as_of)}")
        known_at = self.view.known_at
        text = "null" if known_at is None else f'"{in_utc(known_at)}"'
        self._run(f"SET VARIABLE known_at_text = '{text}'")
        cases = " ".join(f"WHEN '{name}' THEN {bit}" for name, bit in bits().items())
        self._run(f"CREATE OR REPLACE TEMP MACRO because(name) AS CASE name {cases} END")
        self._run(f"CREATE OR REPLACE TEMP MACRO calendar_first() AS {_day(calendar.first)}")
        self._run(f"CREATE OR REPLACE TEMP MACRO calendar_last() AS {_day(calendar.last)}")
        self._run(f"CREATE OR REPLACE TEMP MACRO escaped(text) AS {_escaped()}")
        self._run(read("macros"))
        self._run(read("calendar"))

    @property
    def _knows(self) -> str:
        """Section 4: what is known at K."""
        known_at = self.view.known_at
        if known_at is None:
            return "true"
        return f"coalesce(recordedtime, time) <= {_utc(known_at)}"

    @property
    def _shows(self) -> str:
        """Section 4: what is dated by D."""
        return f"time < day_ends({_day(self.view.as_of)})"

    def _voids(self) -> None:
        """Section 4: what an event-voided known at K takes out, whatever the void's own time."""
        self._run(
            "CREATE OR REPLACE TEMP TABLE voids AS "
            "SELECT subject, voided_source AS source, voided_id AS id FROM events "
            f"WHERE kind = 'event-voided' AND {self._knows}"
        )
        self._run(
            "CREATE OR REPLACE TEMP TABLE voided AS "
            "SELECT position FROM events SEMI JOIN voids USING (subject, source, id)"
        )

    def _order(self) -> None:
        """The order of events: (time, recordedtime, position)."""
        self._run("""
            CREATE OR REPLACE TEMP TABLE ranks AS
            WITH placed AS (
                SELECT position,
                    row_number() OVER (PARTITION BY subject
                        ORDER BY time, coalesce(recordedtime, time), position) AS rank,
                    array_agg(position) OVER (PARTITION BY subject ORDER BY position
                        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS positions
                FROM events)
            SELECT position, positions[rank] AS n FROM placed
        """)

    def _relations(self) -> None:
        self._run(f"""
            CREATE OR REPLACE TEMP VIEW recorded AS
            SELECT e.*, coalesce(e.recordedtime, e.time) AS known_at,
                coalesce(k.n, e.position) AS n,
                {self._knows} AND v.position IS NULL AS is_known,
                {self._shows} AND is_known AS is_seen
            FROM events e LEFT JOIN ranks k USING (position)
            LEFT JOIN voided v USING (position)
        """)
        self._run("CREATE OR REPLACE TEMP VIEW known AS SELECT * FROM recorded WHERE is_known")
        self._run("CREATE OR REPLACE TEMP VIEW seen AS SELECT * FROM recorded WHERE is_seen")

    def _returned_all(self) -> None:
        """Section 2: a return that names no amount takes what was left when it was recorded."""
        self._run(read("returned_all"))

    def _hold(self) -> None:
        self._run("""
            CREATE OR REPLACE TEMP TABLE holds AS
            SELECT * FROM seen WHERE kind = 'payments-held' AND n > coalesce(
                (SELECT max(n) FROM seen WHERE kind = 'payments-resumed'), -1)
            ORDER BY n LIMIT 1
        """)
        self._run("SET VARIABLE hold = (SELECT n FROM holds)")
        self._run("CREATE OR REPLACE TEMP MACRO hold() AS getvariable('hold')")

    def _parts(self) -> Mapping[str, str]:
        """What of the rules depends on the programme's data."""
        schemes = self.programme.schemes.values()
        cut_offs = sorted({one.account_linked_by for one in schemes if one.account_linked_by})
        surveys = max((one.survey.count for one in schemes), default=0)
        by_day = "kind = '{}' AND on_day <= {}"
        linked = [
            f"max(n) FILTER ({by_day.format('account-linked', _day(on))}) AS linked_{i}, "
            f"max(n) FILTER ({by_day.format('account-unlinked', _day(on))}) AS unlinked_{i}"
            for i, on in enumerate(cut_offs)
        ]
        standing = [
            f"arg_max(coalesce(unlinked_{i} < linked_{i}, true), linked_{i}) AS stood_linked_{i}"
            for i in range(len(cut_offs))
        ]
        own = " ".join(
            f"WHEN {_day(on)} THEN coalesce(a.stood_linked_{i}, false)"
            for i, on in enumerate(cut_offs)
        )
        numbers = ", ".join(
            "any_value({'n': n, 'on_day': wib_date(time), 'late': late}) "
            f"FILTER (survey = {n})"
            for n in range(1, surveys + 1)
        )
        missing = " ".join(f"WHEN submitted[{n}] IS NULL THEN {n}" for n in range(1, surveys + 1))
        return {
            "linked_at_cut_offs": ", ".join(linked) or "NULL AS nothing",
            "standing_at_cut_offs": ", ".join(standing) or "NULL AS nothing",
            "standing_at_own_cut_off": f"CASE rule.account_linked_by {own} END" if own else "NULL",
            "surveys_by_number": f"[{numbers}] AS submitted",
            "first_survey_missing": f"CASE {missing} ELSE {surveys + 1} END" if missing else "1",
            "surveys_begin": str(SURVEYS_BEGIN),
        }


def _escaped() -> str:
    """JSON's escapes as Python's json writes them: short where there is a short one, else lower case."""
    short = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b"}
    order = ["\\", *(sign for sign in short if sign != "\\")]
    order += [chr(n) for n in range(0x20) if chr(n) not in short]
    text = "text"
    for sign in order:
        written = short.get(sign, f"\\u{ord(sign):04x}")
        text = f"replace({text}, chr({ord(sign)}), '{written}')"
    return text
