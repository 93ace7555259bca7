"""One history in one view, read by set operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from prakerja_ledger.bulk.rules import filled, query_for, read, tables_for
from prakerja_ledger.bulk.tables import LATE_AFTER, SURVEYS_BEGIN, bits, tables
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.time import Instant, in_utc
from prakerja_ledger.reading.statement import AMOUNTS
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class NotForBulk(Exception):
    """The history holds something that only the Python law reads; the reason is the text."""


PIECES: Final = 4096
"""How many rows of text are taken at a time."""
_POINTING: Final = (
    "REPORT_LAG",
    "PROGRAMME_HOLD",
    "ACCOUNT_NOT_ON_RECORD",
    "ACCOUNT_NOT_VERIFIED",
    "ACCOUNT_REJECTED",
)
"""Section 4.2: causes that add events to the evidence of a line; REVOKED does too."""
_FIRST_CAUSES: Final = (
    "LEFT JOIN causes c ON c.bit = first_cause(l.causes) "
    "LEFT JOIN reasons r ON r.reason = l.first_reason "
)
_EACH_ONCE: Final = "count(*) FILTER (place = 0)"
"""Every participant has one training line."""
_SEVERAL: Final = "count(DISTINCT enrolled)"
_GROUPINGS: Final = {
    "wave": ("wave", _EACH_ONCE),
    "scheme": ("scheme", _EACH_ONCE),
    "standing": ("CASE WHEN revocation IS NULL THEN 'active' ELSE 'revoked' END", _EACH_ONCE),
    "line": ("line", "count(*)"),
    "status": ("status", _SEVERAL),
    "cause": ("c.cause", _SEVERAL),
    "owner": ("coalesce(r.owner, c.owner)", _SEVERAL),
}
"""What totals are grouped by, and how the participants of a group are counted."""


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
        self._made = self._named = False
        self._tables: set[str] = set()
        self.withheld: list[tuple[str, date]] = []
        """Participants whose statement is an error, and the day that the calendar lacks."""
        self.undecided: list[tuple[str, date]] = []
        """Participants of whom a report cannot be judged, and the day that the calendar lacks."""
        self._prepare()

    # -- answers --

    def make(self, name: str) -> None:
        """Make the tables that a rule rests on, those not made yet."""
        for table in tables_for(name):
            if table not in self._tables:
                self._tables.add(table)
                query = filled(query_for(table), self._parts(), named=self._named)
                self._run(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}")

    def query(self, name: str, select: str | None = None) -> str:
        """A query over a rule, with the tables it rests on made."""
        self.make(name)
        return filled(query_for(name, select or f"FROM {name}"), self._parts(), named=self._named)

    def lines(self) -> None:
        """Work out every line; a participant for whom the calendar is too short is withheld."""
        if self._made:
            return
        self._made = True
        self._run("CREATE OR REPLACE TEMP TABLE line_rows AS " + self.query("lines"))
        self.withheld = self._run(
            "SELECT subject, arg_min(needed, place) FROM line_rows WHERE needed IS NOT NULL "
            "GROUP BY subject ORDER BY subject"
        ).fetchall()
        if self.withheld:
            self._run(
                "DELETE FROM line_rows WHERE subject IN "
                "(SELECT subject FROM line_rows WHERE needed IS NOT NULL)"
            )

    def statements(self) -> Iterator[bytes]:
        """Every statement as JSON with its LF, in pieces of any length."""
        if not self._named:
            self._named, self._made = True, False
            self._tables.clear()
        self.lines()
        end = b"]}\n"
        begun = False
        for piece in self._pieces(self.query("statement_pieces")):
            yield piece if begun else piece[len(end) :]
            begun = True
        if begun:
            yield end

    def _pieces(self, query: str) -> Iterator[bytes]:
        """The texts of a query's one column, many at a time."""
        found = self._run(query)
        while rows := found.fetchmany(PIECES):
            yield "".join([text for (text,) in rows]).encode()

    def findings(self) -> Iterator[bytes]:
        """Every finding as JSON with its LF, in pieces of any length."""
        self.undecided = self._run(
            self.query("undecided", "SELECT subject, needed FROM undecided ORDER BY subject, stamp")
        ).fetchall()
        yield from self._pieces(self.query("findings"))

    def totals(self, by: str) -> list[tuple[Any, ...]]:
        """Sums by group: the key, participants, lines, entitlement, and each amount."""
        key, participants = _GROUPINGS[by]
        sums = ", ".join(f"CAST(sum({name}) AS HUGEINT)" for name in ("amount", *AMOUNTS))
        select = (
            f"SELECT {key} AS key, {participants}, count(*), {sums}, count(needed) "
            "FROM {lines} l "
            + (_FIRST_CAUSES if by in {"cause", "owner"} else "")
            + "GROUP BY key ORDER BY key NULLS LAST"
        )
        found = self._run(self.query("lines", select.replace("{lines}", "lines"))).fetchall()
        if any(row[-1] for row in found):  # the calendar is too short for somebody
            self.lines()
            found = self._run(select.replace("{lines}", "line_rows")).fetchall()
        return [row[:-1] for row in found]

    def unpaid(self) -> list[tuple[Any, ...]]:
        """One row a line with money unpaid, the longest overdue first."""
        self.lines()
        return self._run(
            "SELECT subject, wave, line, unpaid, status, CAST(due_on AS VARCHAR), overdue_working_days, "
            "cause, coalesce(r.owner, c.owner) FROM line_rows l "
            f"{_FIRST_CAUSES} WHERE unpaid > 0 ORDER BY overdue_working_days DESC, due_on, subject, line"
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

    def _voids(self) -> None:
        """Section 4: what an event-voided known at K takes out, whatever the void's own time."""
        self._run(
            "CREATE OR REPLACE TEMP TABLE voids AS SELECT subject, voided_source AS source, "
            f"voided_id AS id, position AS voided_at, {self._knows} AS is_known "
            "FROM events WHERE kind = 'event-voided'"
        )
        self._run(
            "CREATE OR REPLACE TEMP TABLE voided "
            "(position BIGINT, voided_at BIGINT, is_known BOOLEAN)"
        )
        if self._count("voids"):
            self._run(
                "INSERT INTO voided SELECT e.position, v.voided_at, v.is_known "
                "FROM events e JOIN voids v USING (subject, source, id)"
            )

    def _count(self, table: str) -> int:
        found = self._run(f"SELECT count(*) FROM {table}").fetchone()
        assert found is not None, "a count is a row"
        count: int = found[0]
        return count

    def _order(self) -> None:
        """The order of events, where it is not that of recording; columns of the relation may say it."""
        names = self._run("SELECT column_name FROM (DESCRIBE events)").fetchall()
        self._is_ordered = {("n",), ("happened_on",), ("known_on",)} <= set(names)
        if self._is_ordered:
            self._run("CREATE OR REPLACE TEMP TABLE ranks (position BIGINT, n BIGINT)")
        else:
            self._run(read("order"))

    def _relations(self) -> None:
        """`recorded`: all events with their stamps; `known` those known at K; `seen` those in view."""
        ranks, voided = self._count("ranks") > 0, self._count("voided WHERE is_known") > 0
        day = _day(self.view.as_of)
        if self._is_ordered:
            n, stamp = "e.n", f"stamped_on(e.n, happened_on, known_on > {day})"
            seen = [f"happened_on <= {day}"]
        else:
            n = "coalesce(k.n, e.position)" if ranks else "e.position"
            stamp = f"stamped({n}, time, coalesce(recordedtime, time) >= {self._bound})"
            seen = [f"time < {self._bound}"]
        known = [self._knows] if self.view.known_at is not None else []
        known += ["v.position IS NULL"] if voided else []
        self._run(
            f"CREATE OR REPLACE TEMP VIEW recorded AS SELECT "
            f"{'e.*' if self._is_ordered else f'e.*, {n} AS n'}, "
            f"coalesce(recordedtime, time) AS known_at, {stamp} AS stamp, named(source, id) AS name, "
            f"{' AND '.join(known) or 'true'} AS is_known, {' AND '.join([*seen, *known])} AS is_seen "
            "FROM events e"
            + (" LEFT JOIN ranks k USING (position)" if ranks else "")
            + (" LEFT JOIN (FROM voided WHERE is_known) v USING (position)" if voided else "")
        )
        self._run("CREATE OR REPLACE TEMP VIEW known AS SELECT * FROM recorded WHERE is_known")
        self._run("CREATE OR REPLACE TEMP VIEW seen AS SELECT * FROM recorded WHERE is_seen")

    @property
    def _bound(self) -> str:
        """The first instant, in UTC, that is dated after D in WIB."""
        return f"(TIMESTAMP '{self.view.as_of.isoformat()} 17:00:00')"

    def _returned_all(self) -> None:
        """Section 2: a return that names no amount takes what was left when it was recorded."""
        parts = {"n": "coalesce(k.n, position)", "ranks": "LEFT JOIN ranks k USING (position)", "own_n": ""}
        if self._is_ordered:
            parts = {"n": "n", "ranks": "", "own_n": ", n"}
        self._run(filled(read("returned_all"), parts))

    def _hold(self) -> None:
        self._run("""
            CREATE OR REPLACE TEMP TABLE holds AS
            SELECT min(n) AS n FROM seen WHERE kind = 'payments-held' AND n > coalesce(
                (SELECT max(n) FROM seen WHERE kind = 'payments-resumed'), -1)
        """)
        self._run("SET VARIABLE hold = (SELECT n FROM holds)")
        self._run("CREATE OR REPLACE TEMP MACRO hold() AS getvariable('hold')")

    def _parts(self) -> Mapping[str, str]:
        """What of the rules depends on the programme's data."""
        schemes = self.programme.schemes.values()
        cut_offs = sorted({one.account_linked_by for one in schemes if one.account_linked_by})
        surveys = range(1, max((one.survey.count for one in schemes), default=0) + 1)
        return {
            **_cut_off_parts(cut_offs),
            **_survey_parts(surveys),
            "surveys_begin": str(SURVEYS_BEGIN),
            "late_after": str(LATE_AFTER),
            "pointing_causes": str(sum(bits()[cause] for cause in _POINTING)),
        }


def _cut_off_parts(cut_offs: Iterable[date]) -> Mapping[str, str]:
    """Section 4.1: "account linked by" is judged at the end of that date, for each that a scheme has."""
    at, stood, own = ["true AS is_token"], ["true AS has_token"], []
    for i, on in enumerate(cut_offs):
        for kind in ("linked", "unlinked"):
            at.append(
                f"max(CASE WHEN kind = 'account-{kind}' AND time < day_ends({_day(on)}) "
                f"THEN stamp END) AS {kind}_{i}"
            )
        stood.append(
            f"arg_max(coalesce(unlinked_{i} < linked_{i}, true), linked_{i}) AS stood_linked_{i}"
        )
        own.append(f"WHEN {_day(on)} THEN coalesce(k.stood_linked_{i}, false)")
    return {
        "linked_at_cut_offs": ",\n    ".join(at),
        "stood_linked": ", ".join(stood),
        "stood_linked_at_own_cut_off": f"CASE c.account_linked_by {' '.join(own)} END"
        if own
        else "NULL",
    }


def _survey_parts(surveys: Sequence[int]) -> Mapping[str, str]:
    """Section 4.1, survey/n: one column for the first submission of each survey that a scheme has."""

    def by_instalment(part: Callable[[int], str]) -> str:
        cases = " ".join(f"WHEN {n} THEN {part(n)}" for n in surveys)
        return f"CASE instalment {cases} END" if cases else "NULL"

    missing = " ".join(f"WHEN survey_{n} IS NULL THEN {n}" for n in surveys)
    return {
        "submissions": ", ".join(
            ["true AS has_submission"]
            + [f"min(CASE WHEN survey = {n} THEN stamp END) AS survey_{n}" for n in surveys]
        ),
        "counting_submissions": ", ".join(
            ["true AS has_submissions"]
            + [
                "CASE WHEN c.surveys_by IS NULL OR "
                f"day_of(s.survey_{n}) <= c.surveys_by THEN s.survey_{n} END AS survey_{n}"
                for n in surveys
            ]
        ),
        "submission_names": ", ".join(
            ["count(*) AS submissions"]
            + [f"any_value(CASE WHEN survey = {n} THEN name END) AS survey_name_{n}" for n in surveys]
        ),
        "own_submission_names": ", ".join(
            [
                "s.submissions = " + " + ".join(
                    ["0", *(f"CAST(s.survey_{n} IS NOT NULL AS INTEGER)" for n in surveys)]
                ) + " AS are_plain_submissions"
            ]
            + [f"s.survey_name_{n}" for n in surveys]
        ),
        "survey_names": by_instalment(
            lambda n: "concat_ws(',', settled_name, "
            + ", ".join(
                f"CASE WHEN survey_{m} IS NOT NULL THEN survey_name_{m} END" for m in range(1, n + 1)
            )
            + ")"
        ),
        "is_plain_survey": by_instalment(_in_turn),
        "first_survey_missing": f"CASE {missing} ELSE {len(surveys) + 1} END" if surveys else "1",
        "last_submission": by_instalment(
            lambda n: "greatest(" + ", ".join(f"day_of(survey_{m})" for m in range(1, n + 1)) + ")"
        ),
        "late_submission": by_instalment(
            lambda n: " OR ".join(f"is_late(survey_{m})" for m in range(1, n + 1))
        ),
        "own_submission": by_instalment(lambda n: f"survey_{n}"),
        "surveys_until": by_instalment(
            lambda n: "[" + ", ".join(f"survey_{m}" for m in range(1, n + 1)) + "]"
        ),
    }


def _in_turn(n: int) -> str:
    """Whether the first settlement on post-training/1, surveys 1 to n and the line's own transfers follow
    one another, as far as they are there."""
    stamps = ["first_settled", *(f"survey_{m}" for m in range(1, n + 1)), "begun"]
    steps = [
        f"coalesce({later} > greatest({', '.join(['0', *stamps[:i]])}), true)"
        for i, later in enumerate(stamps)
        if i
    ]
    plain = "coalesce(are_plain_submissions, true)"
    settled = "(first_settled IS NULL OR is_settled_plainly)"
    return f"{plain} AND {settled} AND " + " AND ".join(steps)


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
