"""A history in one view, set out for the rules: what is recorded, known and seen, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from prakerja_ledger.bulk.parts import day_literal, parts
from prakerja_ledger.bulk.rules import filled, read, steps
from prakerja_ledger.bulk.tables import tables
from prakerja_ledger.domain.facts import FACTS
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.time import Instant, in_utc
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Run = Callable[..., "DuckDBPyConnection"]

MOST_AT_ONCE: Final = 14
"""A stamp has room for so many events of one participant at one microsecond."""
COMMON_KINDS: Final = (
    "package-offered",
    "package-withdrawn",
    "package-sales-stopped",
    "payments-held",
    "payments-resumed",
)
"""Events of packages and the programme: every participant's rules may look at them."""
_IN_COMMON: Final = f"kind IN {COMMON_KINDS}"  # a tuple of words is written as SQL writes it
ORDERED_KINDS: Final = (
    "enrolment-corrected",
    "participation-revoked",
    "participation-reinstated",
    "account-linked",
    "account-verified",
    "account-rejected",
    "account-unlinked",
    "course-completed",
    "disbursement-failed",
    "disbursement-returned",
)
_ORDERED: Final = (
    f"kind IN {ORDERED_KINDS} OR (kind = 'disbursement-instructed' AND who IN (SELECT who FROM facts "
    "WHERE kind IN ('disbursement-failed', 'disbursement-returned')))"
)
"""Where amounts and causes rest on which of two events of one instant came first, it is two of these."""


class NotForBulk(Exception):
    """The history holds something that only the Python law reads; the text says what."""


class Setting:
    """The relation `events` of a connection, in one view of one programme.

    Leaves behind `common` (events of packages and the programme), the macros of the rules and the tables
    that they join; and of a `part` of the participants `recorded`, `seen` and `told`, their events.
    """

    def __init__(self, run: Run, programme: Programme, view: View) -> None:
        self._run = run
        self._programme = programme
        self._view = view
        self._parts = parts(programme)
        for table in tables(programme):
            self._table(*table)
        self._words()
        self._refuse()
        self._voids()
        self._common()

    def part(self, low: str | None, high: str | None, asked: str = "") -> None:
        """Set out the participants from one id up to another; None: without end. `asked`: as in `filled`."""
        among = [f"NOT {_IN_COMMON}"]
        for name, sign, bound in (("low", ">=", low), ("high", "<", high)):
            if bound is not None:
                self._run(f"SET VARIABLE {name} = ?", [bound])
                among.append(f"subject {sign} getvariable('{name}')")
        self._run(
            f"CREATE OR REPLACE TEMP VIEW told AS SELECT * FROM events WHERE {' AND '.join(among)}"
        )
        self._step("facts", asked)
        self._step("tied", asked)
        if self._count("tied"):
            self._number_ties()
        self._run(read("returned_all"))
        self._run(filled(read("recorded"), {}, asked=asked))

    def _step(self, name: str, asked: str = "") -> None:
        voided = self._count("voided WHERE is_known") > 0
        parts = {
            **self._parts,
            **self._conditions(voided=voided),
            "{kinds}": f"ENUM{tuple(fact.kind for fact in FACTS.values())}",
            "{voided}": "LEFT JOIN (FROM voided WHERE is_known) v USING (position)"
            if voided
            else "",
            "{ordered}": "true" if asked else _ORDERED,
        }
        query = filled(steps("facts")[name], parts, asked=asked)
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def _number_ties(self) -> None:
        """Tell events of one instant apart."""
        self._step("ties")
        if self._first("SELECT max(tie) FROM ties") >= MOST_AT_ONCE:
            raise NotForBulk(
                Phrase("more of its events happened at one instant than are told apart")
            )
        self._run(
            "UPDATE facts SET stamp = stamp + 2 * tie FROM ties "
            "WHERE facts.position = ties.position AND tie > 0"
        )

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
            raise NotForBulk(Phrase("some of its events are kept as lines"))
        if self._first(
            "SELECT count(*) <> count(DISTINCT who(subject)) FROM events WHERE kind = 'enrolled'"
        ):
            raise NotForBulk(Phrase("two of its participants have one number"))

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
        text = "null" if known_at is None else f'"{in_utc(known_at)}"'
        self._run(f"SET VARIABLE known_at_text = '{text}'")
        for macro, body in (
            ("as_of()", day_literal(self._view.as_of)),
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
        return f"micros(coalesce(recordedtime, time)) <= {micros(known_at)}"

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

    def _conditions(self, *, voided: bool) -> dict[str, str]:
        """Of an event `e`: is it known at K, in view, and recorded after D?"""
        ends = f"day_begins({day_literal(self._view.as_of)}) + 86400000000"
        known = [self._knows] if self._view.known_at is not None else []
        known += ["v.position IS NULL"] if voided else []
        return {
            "{is_known}": " AND ".join(known) or "true",
            "{is_seen}": " AND ".join([f"micros(time) < {ends}", *known]),
            "{is_late}": f"coalesce(micros(recordedtime) >= {ends}, false)",
        }

    def _common(self) -> None:
        """The events of packages and the programme, each with its place `n` in the order of events."""
        is_seen = self._conditions(voided=True)["{is_seen}"]
        # they are few, and wide: looked for by their subjects alone, hardly a row of the others is read
        self._run(
            "CREATE OR REPLACE TEMP TABLE of_common AS FROM events WHERE subject IN "
            f"(SELECT DISTINCT subject FROM events WHERE {_IN_COMMON})"
        )
        self._run(
            "CREATE OR REPLACE TEMP TABLE common AS SELECT e.*, "
            f"coalesce(recordedtime, time) AS known_at, {is_seen} AS is_seen, "
            "row_number() OVER (ORDER BY time, known_at, position) AS n "
            f"FROM (FROM of_common WHERE {_IN_COMMON}) e "
            "LEFT JOIN (FROM voided WHERE is_known) v USING (position)"
        )
        # Section 4.2, PROGRAMME_HOLD: the hold by which payments stand held
        self._run(
            "SET VARIABLE hold = (SELECT arg_min(position, n) FROM common WHERE is_seen "
            "AND kind = 'payments-held' AND n > coalesce((SELECT max(n) FROM common "
            "WHERE is_seen AND kind = 'payments-resumed'), -1))"
        )
        self._run("CREATE OR REPLACE TEMP MACRO hold() AS getvariable('hold')")


def micros(at: Instant) -> int:
    """An instant in microseconds since year 1 began in WIB, cut: no event of columns stands between two."""
    text, _, fraction = at.partition(".")
    on, _, clock = text.partition("T")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    whole = (
        (date.fromisoformat(on).toordinal() - 1) * 86_400 + hours * 3_600 + minutes * 60 + seconds
    )
    return whole * 1_000_000 + int(fraction[:6].ljust(6, "0"))


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
