"""The answers: statements, unpaid lines, totals and findings of a whole history in one view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from prakerja_ledger.bulk.parts import parts
from prakerja_ledger.bulk.rules import filled, query_for, tables_for
from prakerja_ledger.bulk.setting import NotForBulk, Setting
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.reading.statement import AMOUNTS
from prakerja_ledger.reading.view import View

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from prakerja_ledger.bulk.connection import Interruptible

Row = tuple[Any, ...]
Tick = Callable[[int], None]
"""Called with the number of events read so far, now and then."""

EVENTS_A_PART: Final = 5_000_000
"""How many events are worked on at once at the most: what the rules hold in memory is held of so many."""
BYTES_AN_EVENT: Final = 600
"""Memory that an event of a part takes, with all that is worked out of it. Less is spilled, and slower."""
PIECES: Final = 65_536
"""How many rows of text are taken at a time."""

_SAME_NUMBER: Final = Phrase("two disbursements of one participant have one number")
"""What rule `instructed_and_settled` says of two ids of which the same number was made."""
_FIRST_CAUSES: Final = (
    "LEFT JOIN causes c ON c.bit = first_cause(l.causes) "
    "LEFT JOIN reasons r ON r.reason = l.first_reason "
)
_EACH_ONCE: Final = "count(*) FILTER (place = 0)"
"""Every participant has one training line."""
_SEVERAL: Final = "count(DISTINCT who)"
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


@contextmanager
def _for_the_law() -> Iterator[None]:
    """Say of a fault that it is the history's: a number too large, or two ids of which one was made."""
    import duckdb  # noqa: PLC0415  # an extra; whoever comes here has it

    try:
        yield
    except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        raise NotForBulk(Phrase("it holds a number too large")) from error
    except duckdb.InvalidInputException as error:
        if _SAME_NUMBER not in str(error):
            raise
        raise NotForBulk(_SAME_NUMBER) from error


def no_tick(_: int) -> None:
    """Tell nobody."""


class Bulk:
    """A relation `events` in a connection, read in one view of one programme.

    The relation holds recorded events as `columns` says. Raises NotForBulk where the Python law has to
    read it.
    """

    def __init__(
        self,
        connection: DuckDBPyConnection | Interruptible,
        programme: Programme,
        view: View,
        *,
        tick: Tick = no_tick,
        events_a_part: int | None = None,
    ) -> None:
        self._connection = connection
        self._tick = tick
        self._parts = parts(programme)
        self._asked = ""
        self._tables: set[str] = set()
        self.withheld: list[tuple[str, date]] = []
        """Participants whose statement is an error, and the day that the calendar lacks."""
        self.undecided: list[tuple[str, date]] = []
        """Participants of whom a report cannot be judged, and the day that the calendar lacks."""
        self._setting = Setting(self._run, programme, view)
        self._events_a_part = events_a_part or self._fitting()
        self._bounds = self._find_bounds()

    def _run(self, query: str, values: list[Any] | None = None) -> DuckDBPyConnection:
        """Run a query; what the set operations cannot hold is for the Python law, which has no bounds."""
        with _for_the_law():
            return self._connection.execute(query, values)

    # -- parts of the participants --

    def _fitting(self) -> int:
        """How many events the connection's memory limit lets be worked on at once."""
        (limit,) = self._rows("SELECT parse_formatted_bytes(current_setting('memory_limit'))")[0]
        return min(EVENTS_A_PART, int(limit) // BYTES_AN_EVENT)

    def _find_bounds(self) -> list[str | None]:
        """The ids at which the parts begin and end; None: no participant lies beyond."""
        events_a_part = self._events_a_part
        (count,) = self._rows("SELECT count(*) FROM events")[0]
        if count <= events_a_part + events_a_part // 2:
            return [None, None]
        found = self._rows(
            "SELECT DISTINCT subject FROM (SELECT subject, row_number() OVER () AS row FROM events) "
            f"WHERE row % {events_a_part} = 0 ORDER BY subject"
        )
        return [None, *(subject for (subject,) in found), None]

    def _rows(self, query: str) -> list[Row]:
        found: list[Row] = self._run(query).fetchall()
        return found

    def _each_part(self, asked: str = "") -> Iterator[None]:
        """Set out one part of the participants after another, by id; `asked`: lines of rules switched on.

        Where there is one part only, what an earlier answer worked out of it is used again.
        """
        is_whole = len(self._bounds) == 2
        if not is_whole or asked != self._asked:
            self._tables.clear()
        self._asked = asked
        for number, (low, high) in enumerate(zip(self._bounds, self._bounds[1:], strict=False)):
            if not (is_whole and self._tables):
                self._setting.part(low, high, asked)
                self._tables.clear()
            yield
            self._tick((number + 1) * self._events_a_part)

    # -- rules --

    def _make(self, name: str) -> None:
        """Make the tables that a rule rests on, those not made yet."""
        for table in tables_for(name):
            if table not in self._tables:
                self._tables.add(table)
                query = filled(query_for(table), self._parts, asked=self._asked)
                self._run(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}")

    def _query(self, name: str, select: str | None = None) -> str:
        """A query over a rule, with the tables it rests on made."""
        self._make(name)
        select = select or f"FROM {name}"
        return filled(query_for(name, select), self._parts, asked=self._asked)

    def _add(self, name: str, table: str) -> None:
        """Add what a rule finds to a table that outlives the part."""
        begun = self._rows(f"SELECT count(*) FROM duckdb_tables() WHERE table_name = '{table}'")
        how = f"INSERT INTO {table} BY NAME" if begun[0][0] else f"CREATE TEMP TABLE {table} AS"
        self._run(f"{how} {self._query(name)}")

    def _forget(self, *names: str) -> None:
        for name in names:
            self._run(f"DROP TABLE IF EXISTS {name}")

    def _lines(self) -> None:
        """Work out every line; a participant for whom the calendar is too short is withheld."""
        if "line_rows" not in self._tables:
            self._run("CREATE OR REPLACE TEMP TABLE line_rows AS " + self._query("lines"))
            self._tables.add("line_rows")
            self._run(
                "CREATE OR REPLACE TEMP TABLE short AS SELECT who, arg_min(needed, place) AS needed "
                "FROM line_rows WHERE needed IS NOT NULL GROUP BY who"
            )
            self._run("DELETE FROM line_rows WHERE who IN (SELECT who FROM short)")
        self.withheld += self._rows(
            "SELECT subject, needed FROM short JOIN participants USING (who) ORDER BY subject"
        )

    # -- answers --

    def statements(self) -> Iterator[bytes]:
        """Every statement as JSON with its LF, in pieces of any length; those withheld are left out."""
        self.withheld = []
        end, begun = b"]}\n", False
        for _ in self._each_part("named"):
            self._lines()
            for piece in self._pieces(self._query("statement_pieces")):
                yield piece if begun else piece[len(end) :]
                begun = True
        if begun:
            yield end

    def _pieces(self, query: str) -> Iterator[bytes]:
        """The texts of a query's one column, one after another: the very bytes that the columns hold."""
        with _for_the_law():
            batches = self._connection.sql(query).to_arrow_reader(PIECES)
        for batch in batches:
            texts = batch.column(0)
            first, last = texts.offset, texts.offset + len(texts)
            _, offsets, data = texts.buffers()
            if data is not None:
                ends = memoryview(offsets).cast("i" if str(texts.type) == "string" else "q")
                yield data[ends[first] : ends[last]].to_pybytes()

    def totals(self, by: str) -> list[Row]:
        """Sums by group, as `totals` prints them: the key, participants, lines, entitlement, amounts."""
        self.withheld = []
        key, participants = _GROUPINGS[by]
        sums = ", ".join(f"CAST(sum({name}) AS HUGEINT)" for name in ("amount", *AMOUNTS))
        select = (
            f"SELECT {key} AS key, {participants}, count(*), {sums}, count(needed) FROM {{}} l "
            f"{_FIRST_CAUSES if by in {'cause', 'owner'} else ''}GROUP BY key"
        )
        groups: dict[Any, list[int]] = {}
        for _ in self._each_part():
            found = self._rows(self._query("lines", select.format("lines")))
            if any(row[-1] for row in found):  # the calendar is too short for somebody
                self._lines()
                found = self._rows(select.format("line_rows"))
            for name, *numbers, _needed in found:
                so_far = groups.setdefault(name, [0] * len(numbers))
                groups[name] = [a + b for a, b in zip(so_far, numbers, strict=True)]
        in_order = sorted(groups.items(), key=lambda group: (group[0] is None, group[0]))
        return [(name, *numbers) for name, numbers in in_order]

    def unpaid_by_cause(self) -> list[Row]:
        """Of lines with money unpaid, by first cause and owner: how many, unpaid, overdue."""
        self.withheld = []
        select = (
            "SELECT c.cause, coalesce(r.owner, c.owner) AS owner, count(*), "
            "CAST(sum(unpaid) AS HUGEINT), CAST(sum(overdue) AS HUGEINT) "
            f"FROM line_rows l {_FIRST_CAUSES}WHERE unpaid > 0 GROUP BY ALL"
        )
        sums: dict[tuple[str, str], list[int]] = {}
        for _ in self._each_part():
            self._lines()
            for cause, owner, *numbers in self._rows(select):
                so_far = sums.setdefault((cause, owner), [0, 0, 0])
                sums[cause, owner] = [a + b for a, b in zip(so_far, numbers, strict=True)]
        return [(*key, *numbers) for key, numbers in sorted(sums.items())]

    def digest(self, table: str) -> None:
        """Leave a table of participants, each with a digest of all amounts of all their lines.

        Where the digests of two views differ, money moved between them.
        """
        self.withheld = []
        measures = ", ".join(("place", "amount", *AMOUNTS))
        self._run(f"CREATE OR REPLACE TEMP TABLE {table} (subject VARCHAR, digest UBIGINT)")
        for _ in self._each_part():
            self._lines()
            self._run(
                f"INSERT INTO {table} SELECT subject, bit_xor(hash({measures})) FROM line_rows "
                "JOIN participants USING (who) GROUP BY subject"
            )

    def unpaid(self, most: int | None = None) -> list[Row]:
        """One row a line with money unpaid, as `unpaid` prints them, the longest overdue first.

        `most`: no more than so many of them.
        """
        self.withheld = []
        self._forget("unpaid_rows")
        for _ in self._each_part():
            self._lines()
            self._add("unpaid", "unpaid_rows")
        return self._rows(
            "SELECT * REPLACE (CAST(due_on AS VARCHAR) AS due_on) FROM unpaid_rows "
            "ORDER BY overdue_working_days DESC, due_on, participant, line"
            + ("" if most is None else f" LIMIT {most}")
        )

    def findings(self) -> Iterator[bytes]:
        """Every finding as JSON with its LF, in pieces of any length."""
        self.undecided = []
        gathered = ("finding_rows", "account_uses", "certificate_uses", "evaluated_courses")
        self._forget(*gathered)
        for _ in self._each_part("judged"):
            select = "SELECT subject, needed FROM undecided ORDER BY subject, stamp"
            self.undecided += self._rows(self._query("undecided", select))
            for rule, table in zip(
                ("own_findings", "account_users", "certificate_pairs", "evaluated"),
                gathered,
                strict=True,
            ):
                self._add(rule, table)
        self._tables.discard("found_shared")
        self._add("shared_findings", "finding_rows")
        yield from self._pieces(
            "SELECT text FROM finding_rows ORDER BY dated, subject, code, detail, places"
        )
        self._forget(*gathered)
