"""One part's answers by the law in SQL: embedded DuckDB over the part's rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from prakerja_ledger.bulk.engine import Bulk
from prakerja_ledger.reading.across import Kind
from prakerja_ledger.spark.by_python import use_message
from prakerja_ledger.spark.job import Job, Message, saying

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EVENTS: Final = (
    "CREATE TABLE events AS SELECT * REPLACE (CAST(time AT TIME ZONE 'UTC' AS TIMESTAMP) AS time, "
    "CAST(recordedtime AT TIME ZONE 'UTC' AS TIMESTAMP) AS recordedtime) FROM given_rows"
)
_WIB: Final = "rtrim(rtrim(strftime({} + INTERVAL 7 HOUR, '%Y-%m-%dT%H:%M:%S.%f'), '0'), '.')"
"""An instant as the domain writes it."""
_ENDLESS: Final = 1 << 60
"""More events than a part has: it is worked on in one piece."""
_MANY: Final = 8192


def connected(connection: DuckDBPyConnection, rows: Any) -> None:
    """Give a connection the relation `events`."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("given_rows", rows)
    connection.execute(_EVENTS)
    connection.unregister("given_rows")


class BySql(Bulk):
    """The part whose rows are the relation `events`, for one answer. Raises NotForBulk.

    An answer is gathered before it is given out: what raises half-way has said nothing yet.
    """

    def __init__(self, connection: DuckDBPyConnection, job: Job) -> None:
        super().__init__(connection, job.programme, job.view, events_a_part=_ENDLESS)

    def answer(self, question: str, by: str) -> Iterator[bytes | Message]:
        """The messages of one answer; texts of statements stand between them as they are."""
        if question == "statements":
            yield from self.statements()
        elif question == "totals":
            for row in self.totals(by):
                yield Message("total", body=saying(row))
        elif question == "unpaid":
            for row in self.unpaid():
                yield Message("unpaid", body=saying(row))
        else:
            yield from self._findings()
        for who, needed in self.withheld:
            yield Message("withheld", needed.isoformat(), who)
        for who, needed in self.undecided:
            yield Message("undecided", needed.isoformat(), who)

    def _findings(self) -> Iterator[Message]:
        """As `Bulk.findings`, but for those that come of several: of these, what this part puts in."""
        for _ in self._each_part("judged"):
            select = "SELECT subject, needed FROM undecided ORDER BY subject, stamp"
            self.undecided.extend(self._rows(self._query("undecided", select)))
            select = (
                "SELECT 'finding', CAST(dated AS VARCHAR), subject, code, detail, "
                "row_number() OVER (ORDER BY dated, subject, code, detail, places), encode(text) "
                "FROM own_findings"
            )
            for row in self._many(self._query("own_findings", select)):
                yield Message(*row)
            yield from self._uses()
            for (course,) in self._many(self._query("evaluated", "SELECT course FROM evaluated")):
                yield Message("evaluated", subject=course)

    def _uses(self) -> Iterator[Message]:
        for rule, kind, key, course in (
            ("account_users", Kind.ACCOUNT, "[u.provider, u.account]", "''"),
            ("certificate_pairs", Kind.CERTIFICATE, "[u.certificate]", "u.course"),
        ):
            occurred, known = _WIB.format("t.time"), _WIB.format("coalesce(t.recordedtime, t.time)")
            select = (
                f"SELECT {key}, p.subject, t.position, [{course}, t.source, t.id, {occurred}, {known}] "
                f"FROM {rule} u JOIN participants p USING (who) JOIN told t ON t.position = u.position"
            )
            for thing, who, position, said in self._many(self._query(rule, select)):
                yield use_message(kind, thing, who, position, said)

    def _many(self, query: str) -> Iterator[tuple[Any, ...]]:
        found = self._run(query)
        while rows := found.fetchmany(_MANY):
            yield from rows
