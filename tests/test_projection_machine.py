"""Any order of writes, days, runs, rebuilds and faults leaves rows that are the law's statements.

Two hosts have a ledger and its projection open. Whatever is recorded through either, and however
steps, runs and rebuilds of both cut into one another: rows that took everything in are what the law
says of their day, and what they said at an instant is what the history later says was known then.

PRAKERJA_EXAMPLES asks for more examples than a suite has the time for, a tenth of them on PostgreSQL.
A store takes part by a subclass that says where a new ledger and its rows are.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from prakerja_ledger import InvalidInput, Ledger, Projection, Refused
from prakerja_ledger.deciding import commands as c
from prakerja_ledger.domain.errors import CalendarTooShort, NotInView
from prakerja_ledger.domain.time import instant_of
from prakerja_ledger.interfaces.json_output import statement_json
from prakerja_ledger.projecting import projector, writer
from prakerja_ledger.projecting.projector import Projector
from prakerja_ledger.projecting.tables import Slot, State, Tables
from prakerja_ledger.reading.statement import AMOUNTS
from prakerja_ledger.reading.totals import GROUPINGS
from tests.ledger_support import Boom
from tests.postgres_support import made, schema_of, shared_database, without_options  # noqa: F401
from tests.projection_support import all_rows, law_of, projected
from tests.servers import connect
from tests.test_state_machine import (
    COMMANDS,
    COURSES_OF_A_TRANSFER,
    ORDINARY_LIFE,
    Data,
    Kind,
    cash_lines,
    instructions,
    kind,
    observed_instructions,
    of_participants,
    of_the_programme,
    outcomes,
    wib,
)

EXAMPLES = int(os.environ.get("PRAKERJA_EXAMPLES", "0"))

# --- what may be recorded -------------------------------------------------------------------------

WHO = ("P-1", "P-2", "programme")
"""A participant may have the programme's own name: name spaces are separate."""
SCHEMES = [(2, "semi-bansos-2020"), (30, "semi-bansos-2022"), (50, "normal-2023"), (70, "normal-2024")]
STARTS = [
    datetime(2020, 5, 20, 2, tzinfo=UTC),  # half a year before the cut-offs of the first scheme
    datetime(2020, 12, 14, 2, tzinfo=UTC),  # and the day before
    datetime(2022, 1, 31, 2, tzinfo=UTC),  # a month that has more days than the next
    datetime(2027, 11, 20, 2, tzinfo=UTC),  # the list of holidays ends with that year
]
LAPSES = [
    *[timedelta(days=n) for n in (1, 1, 2, 7, 15, 31, 31, 100)],
    timedelta(minutes=1), timedelta(hours=15), timedelta(hours=-15), *[timedelta(days=-2)] * 3,
]  # fmt: skip
OFF = [timedelta(0), timedelta(0), timedelta(days=1), timedelta(days=-2)]
"""How far the second host's clock is from the first's."""
MEDDLES = [
    "step", "build", "run", "rebuild", "rebuild rebuild", "pay", "hold", "enrol", "pay run", "hold run",
    "enrol run", "enrol rebuild", "enrol step",
]  # fmt: skip
"""What the other host does in between."""
MOST_LOOKS = 400
"""What no call needs: whoever looks more often goes round and round."""

schemes = st.sampled_from(SCHEMES)
who = st.sampled_from(["P-1", "P-1", *WHO])
either = st.integers(0, 1)
ago = st.sampled_from([timedelta(days=n) for n in (0, 0, 0, 3, 40, -1, -20)])
"""Facts come late, and some are dated ahead."""
accounts = st.sampled_from(["A-1", "A-2"])
packages = st.sampled_from(["K-1", "K-2"])
more_of_participants = st.one_of(
    kind("account-rejected", account=accounts, reason=st.sampled_from(["not-kyc", "technical"])),
    kind("complaint-filed", complaint=st.sampled_from(["X-1", "X-2"])),
    kind("complaint-resolved", complaint=st.sampled_from(["X-1", "X-2"]), outcome=st.just("paid")),
    kind(
        "training-purchased",
        purchase=st.sampled_from(["U-2", "U-3"]),
        platform=st.just("sisnaker"),
        price=st.just(300_000),
        method=st.just("prakerja"),
        courses=st.just([{"course": "C-2", "institution": "LP-1"}]),
        package=packages,
    ),
    schemes.map(
        lambda one: (
            "enrolment-corrected",
            {"wave": one[0], "scheme": one[1], "reason": "typo", "authority": "PMO"},
        )
    ),
)  # fmt: skip
of_packages = st.one_of(
    kind(
        "package-offered",
        platform=st.just("sisnaker"),
        price=st.just(300_000),
        courses=st.just([{"course": "C-2", "institution": "LP-1"}]),
    ),
    kind("package-withdrawn"),
)
stops = kind(
    "package-sales-stopped",
    notice=st.just("N-1"),
    effective=st.just("2020-06-30"),
    platforms=st.just(["sisnaker"]),
)
MORE_COMMANDS = {
    **COMMANDS,
    "account-rejected": c.RejectAccount,
    "complaint-filed": c.FileComplaint,
    "complaint-resolved": c.ResolveComplaint,
    "enrolment-corrected": c.CorrectEnrolment,
    "package-offered": c.OfferPackage,
    "package-withdrawn": c.WithdrawPackage,
    "package-sales-stopped": c.StopPackageSales,
}

# --- two hosts ------------------------------------------------------------------------------------


class Meddled:
    """A projection's tables between whose looks and changes somebody else gets a word in.

    `meddle` is called once, before the change `after` changes from now; with `torn` that change is
    undone when its rows are written, as where a process is killed.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.url = tables.url
        self.looks = 0
        self.calm()

    def calm(self) -> None:
        self.looks, self._after, self._torn = 0, -1, False
        self._meddle: Callable[[], object] = lambda: None

    def expect(self, after: int, meddle: Callable[[], object], *, torn: bool = False) -> None:
        self._after, self._meddle, self._torn = after, meddle, torn

    def make(self) -> None:
        self._tables.make()

    def look(self) -> Any:
        self.looks += 1
        assert self.looks < MOST_LOOKS, "it goes round and round"
        return self._tables.look()

    @contextmanager
    def change(self, expected: State | None) -> Iterator[Any]:
        self._after -= 1
        now = self._after == -1
        if now:
            self._meddle()
        with self._tables.change(expected) as change:
            yield change
            if now and self._torn:
                raise Boom

    def close(self) -> None:
        self._tables.close()


class Host:
    """A ledger and its projection, open under a clock."""

    def __init__(self, urls: tuple[str, str], clock: Callable[[], datetime]) -> None:
        self.ledger = Ledger.open(urls[0], clock=clock)
        self.projection = Projection.open(self.ledger, urls[1])
        self.tables = Meddled(self.projection.tables)
        self.projection.tables = self.tables

    def step(self, slot: Slot) -> int | None:
        return Projector(self.ledger, self.tables).step(slot)

    @property
    def state(self) -> State | None:
        """What is read: none before it is built."""
        state = self.projection.lag().state
        return state if state is not None and state.built_to is None else None

    def close(self) -> None:
        self.projection.close()
        self.ledger.close()


@dataclass
class Snapshot:
    """What rows said once, of a day, when everything recorded by an instant was in them."""

    known_at: datetime
    day: date
    statements: dict[str, Data]
    undecided: dict[str, str]


class ProjectionMachine(RuleBasedStateMachine):
    """Two hosts, and a log of what their rows said."""

    def new_urls(self) -> tuple[str, str]:
        """Where a ledger may be made that nobody has used, and where its rows."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        # Small, so that a few participants are several transactions' worth.
        self.small = patch.multiple(projector, MOST_A_BATCH=6, NEAR=2)
        self.smaller = patch.object(writer, "A_CHUNK", 2)
        self.small.start()
        self.smaller.start()
        self.now = STARTS[0]
        self.off = timedelta(0)
        self.used = 0
        self.cursor = ""
        self.recorded: list[tuple[str, str, str]] = []
        """Subject, source and id of every event."""
        self.attempts: list[tuple[str, str]] = []
        """Participant and disbursement of every instruction."""
        self.latest = datetime.min.replace(tzinfo=UTC)
        """The latest time of recording."""
        self.snapshots: list[Snapshot] = []
        self.read: State | None = None
        """How far the rows were when they were read last."""
        self.urls = self.new_urls()
        self.hosts = [self.open(0), self.open(1)]

    def open(self, via: int) -> Host:
        return Host(self.urls, lambda: self.now + (self.off if via else timedelta(0)))

    def teardown(self) -> None:
        try:
            for snapshot in self.snapshots:
                self.was_known_then(snapshot)
        finally:
            for host in self.hosts:
                host.close()
            self.smaller.stop()
            self.small.stop()

    # --- writes

    @initialize(
        start=st.sampled_from(STARTS),
        off=st.sampled_from(OFF),
        scheme=schemes,
        begins=st.sampled_from([None, *Slot]),
    )
    def lives(
        self, start: datetime, off: timedelta, scheme: tuple[int, str], begins: Slot | None
    ) -> None:
        self.now, self.off = start, off
        self.live(0, "P-1", scheme)
        if begins is not None:
            self.hosts[0].step(begins)

    @rule(via=either, who=who, scheme=schemes)
    def live(self, via: int, who: str, scheme: tuple[int, str]) -> None:
        """A verified account, and one course done and rated; a second time what of it may be twice.

        Told as facts: past its cut-offs a scheme allows no command to buy.
        """
        (name, _), *rest = ORDINARY_LIFE
        wave, of = scheme
        for one in ((name, {"wave": wave, "scheme": of}), *rest):
            self.told(via, who, one, timedelta(0))

    def command(self, subject: str, one: Kind) -> c.Command:
        self.used += 1
        name, data = one
        return MORE_COMMANDS[name](source="//a", id=str(self.used), subject=subject, **data)

    def told(self, via: int, subject: str, one: Kind, ago: timedelta, **attributes: Any) -> None:
        """Record a fact, if it can be."""
        self.used += 1
        name, data = one
        given: Data = {
            "specversion": "1.0",
            "id": str(self.used),
            "source": "//b",
            "type": f"prakerja.{name}.v1",
            "subject": subject,
            "time": (self.now - ago).isoformat(),
            **attributes,
            "data": data,
        }
        with suppress(Refused):
            self.hosts[via].ledger.record(given)
        self.read_on()

    def asked(self, via: int, subject: str, one: Kind) -> None:
        """Execute a command, if it can be."""
        with suppress(Refused, InvalidInput, CalendarTooShort):
            self.hosts[via].ledger.execute(self.command(subject, one))
        self.read_on()

    def read_on(self) -> None:
        """Learn what was recorded. A fact that says that it was known by then changes what was."""
        while True:
            page = self.hosts[0].ledger.feed(self.cursor)
            self.cursor = page.cursor
            for event in page.events:
                given = json.loads(event.line)
                recorded_at = datetime.fromisoformat(given["recordedtime"])
                self.recorded.append((given["subject"], given["source"], given["id"]))
                if given["type"] == "prakerja.disbursement-instructed.v1":
                    self.attempts.append((given["subject"], given["data"]["disbursement"]))
                self.latest = max(self.latest, recorded_at)
                self.snapshots = [one for one in self.snapshots if one.known_at < recorded_at]
            if not page.more:
                break
        self.now += timedelta(seconds=1)

    @rule(via=either, who=who, one=of_participants | more_of_participants | instructions)
    def execute(self, via: int, who: str, one: Kind) -> None:
        self.asked(via, who, one)

    @rule(
        via=either,
        who=who,
        one=of_participants | more_of_participants | observed_instructions,
        ago=ago,
        known=st.sampled_from([None] * 5 + [0, 2]),
    )
    def report(self, via: int, who: str, one: Kind, ago: timedelta, known: int | None) -> None:
        """Now, or as a fact that was known so many days after it happened, long before it came here."""
        if known is None:
            self.told(via, who, one, ago)
        else:
            at = max(self.now - ago, self.now - timedelta(days=40 - known))
            self.told(via, who, one, timedelta(days=40), recordedtime=at.isoformat())

    @rule(via=either, who=who, line=cash_lines, course=st.sampled_from(COURSES_OF_A_TRANSFER))
    def pay(self, via: int, who: str, line: str, course: tuple[str, ...]) -> None:
        """A transfer and what becomes of it, in one call."""
        name = {"disbursement": f"D {self.used}"}
        kinds: list[Kind] = [("disbursement-instructed", {"line": line, **name})]
        for outcome in course:
            word = "reference" if outcome == "settled" else "reason"
            kinds.append((f"disbursement-{outcome}", {**name, word: "technical"}))
        with suppress(Refused, InvalidInput, CalendarTooShort):
            self.hosts[via].ledger.execute_all([self.command(who, one) for one in kinds])
        self.read_on()

    @precondition(lambda self: self.attempts)
    @rule(via=either, data=st.data(), one=outcomes, ago=ago)
    def outcome(self, via: int, data: Any, one: Kind, ago: timedelta) -> None:
        who, name = data.draw(st.sampled_from(self.attempts))
        self.told(via, who, (one[0], {**one[1], "disbursement": name}), ago)

    @rule(via=either, one=of_the_programme | stops, ago=ago)
    def hold_or_resume(self, via: int, one: Kind, ago: timedelta) -> None:
        self.told(via, "programme", one, ago)

    @rule(via=either, package=packages, one=of_packages)
    def offer_or_withdraw(self, via: int, package: str, one: Kind) -> None:
        self.asked(via, package, one)

    @rule(via=either, data=st.data(), ago=ago)
    def void(self, via: int, data: Any, ago: timedelta) -> None:
        subject, source, id = data.draw(st.sampled_from(self.recorded[-12:]))
        fields = {"source": source, "id": id, "reason": "error", "authority": "PMO"}
        self.told(via, subject, ("event-voided", fields), ago)

    # --- time and processes

    @rule(lapse=st.sampled_from(LAPSES))
    def let_time_pass(self, lapse: timedelta) -> None:
        """Or take it back."""
        self.now += lapse

    @precondition(lambda self: self.hosts[0].state)
    @rule(via=either, data=st.data(), early=st.integers(0, 1))
    def wait_for_a_turn(self, via: int, data: Any, early: int) -> None:
        """Until the day on which somebody's rows are to be worked out again, and the day before it."""
        with self.hosts[0].tables.look() as look:
            found = look.rows("SELECT CAST(turns_on AS text) FROM projected_participants ORDER BY 1")
        turns = [date.fromisoformat(on) for (on,) in found if on is not None]
        ahead = [on - self.state.day for on in turns if on > self.state.day]
        lapse = data.draw(st.sampled_from([*ahead, timedelta(days=40)]))
        self.now = max(self.now, self.now + lapse - (wib(self.now) - self.state.day))
        for at in (self.now - timedelta(days=early), self.now):
            self.now = at
            self.run(via)

    @rule(via=either, days=st.integers(1, 4))
    def live_from_day_to_day(self, via: int, days: int) -> None:
        for _ in range(days):
            self.now += timedelta(days=1)
            self.run(via)

    @rule(via=either)
    def close_and_reopen(self, via: int) -> None:
        self.hosts[via].close()
        self.hosts[via] = self.open(via)

    # --- the projection

    @rule(via=either, slot=st.sampled_from(Slot))
    def step(self, via: int, slot: Slot) -> None:
        """One transaction's worth; of a rebuild too, which another rule may go on with."""
        self.hosts[via].step(slot)

    @rule(via=either)
    def run(self, via: int) -> None:
        self.hosts[via].projection.run()
        self.has_everything(via)
        self.keep(1 - via)

    @rule(via=either)
    def rebuild(self, via: int) -> None:
        """Of rows that have everything a rebuild makes the same."""
        self.hosts[via].projection.run()
        kept = all_rows(self.hosts[via].projection)
        day = self.state.day
        self.hosts[via].projection.rebuild()
        self.has_everything(via)
        if self.state.day == day:
            assert all_rows(self.hosts[1 - via].projection) == kept

    @rule(via=either)
    def rebuild_at_once(self, via: int) -> None:
        """Whatever the rows are like, and if there are none."""
        self.hosts[via].projection.rebuild()
        self.has_everything(via)

    @rule(via=either, after=st.integers(0, 3), rebuilds=st.booleans())
    def be_killed(self, via: int, after: int, rebuilds: bool) -> None:
        host = self.hosts[via]
        host.tables.expect(after, lambda: None, torn=True)
        with suppress(Boom):
            host.projection.rebuild() if rebuilds else host.projection.run()

    @rule(via=either, after=st.integers(0, 3), meddles=st.sampled_from(MEDDLES))
    def be_disturbed(self, via: int, after: int, meddles: str) -> None:
        """Between what was read and what is written of it, the other does something too."""
        self.disturbed(via, self.hosts[via].projection.run, after, meddles)

    @rule(via=either, after=st.integers(0, 4), meddles=st.sampled_from(MEDDLES))
    def be_disturbed_rebuilding(self, via: int, after: int, meddles: str) -> None:
        self.disturbed(via, self.hosts[via].projection.rebuild, after, meddles)

    def disturbed(self, via: int, what: Callable[[], object], after: int, meddles: str) -> None:
        ours, theirs = self.hosts[via], self.hosts[1 - via]
        held: Kind = ("payments-held", {"reason": "audit"})

        def meddle() -> None:
            for word in meddles.split():
                match word:
                    case "step":
                        theirs.step(Slot.LIVE)
                    case "build":
                        theirs.step(Slot.NEXT)
                    case "run":
                        theirs.projection.run()
                    case "rebuild":
                        theirs.projection.rebuild()
                    case "pay":
                        self.pay(1 - via, "P-1", "post-training/1", ("settled",))
                    case "enrol":
                        self.live(1 - via, "P-2", SCHEMES[1])
                    case "hold":
                        self.asked(1 - via, "programme", held)

        ours.tables.expect(after, meddle)
        what()
        self.never_goes_back()
        ours.tables.calm()
        ours.projection.run()
        self.has_everything(via)

    # --- questions

    @property
    def state(self) -> State:
        state = self.hosts[0].state
        assert state is not None, "it was built"
        return state

    def has_everything(self, via: int) -> None:
        """After a run nothing is behind, and both hosts read what the law says of the rows' day."""
        lag = self.hosts[via].projection.lag()
        assert (lag.is_current, lag.behind) == (True, 0)
        self.is_the_law(via)
        self.is_the_law(1 - via)

    def is_the_law(self, via: int) -> Data:
        host = self.hosts[via]
        law = law_of(host.ledger, self.state.day)
        assert projected(host.projection, law) == law
        return law

    def keep(self, via: int) -> None:
        """Remember what the rows say, under the last instant by which they knew everything."""
        law = self.is_the_law(via)
        self.snapshots.append(
            Snapshot(self.latest, self.state.day, law["statements"], law["undecided"])
        )

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def look_back(self, data: Any) -> None:
        self.was_known_then(data.draw(st.sampled_from(self.snapshots)))

    def was_known_then(self, snapshot: Snapshot) -> None:
        """The history says today of that instant what the rows said at it, also of whom was unknown."""
        known_at, statements, undecided = instant_of(snapshot.known_at), {}, {}
        ledger = self.hosts[0].ledger
        for name in WHO:
            try:
                made = ledger.statement(name, as_of=snapshot.day, known_at=known_at)
            except NotInView:
                continue
            except CalendarTooShort as error:
                undecided[name] = str(error)
            else:
                statements[name] = {**json.loads(statement_json(made)), "known_at": None}
        assert (statements, undecided) == (snapshot.statements, snapshot.undecided)

    @invariant()
    def totals_are_the_sums_of_the_lines(self) -> None:
        """At every moment, however far the rows are behind."""
        host = self.hosts[0]
        for one in self.hosts:
            one.tables.calm()
        if host.state is None:
            return
        sums = ", ".join(f"sum({name})" for name in ("amount", *AMOUNTS))
        with host.tables.look() as look:
            for by in GROUPINGS:
                summed = look.rows(
                    f"SELECT coalesce(CAST({by} AS text), ''), count(DISTINCT participant), count(*), "
                    f"{sums} FROM projected_lines GROUP BY {by}"
                )
                kept = look.rows(
                    f"SELECT key, participants, lines, entitlement, {', '.join(AMOUNTS)} "
                    "FROM projected_totals WHERE grouping_by = '" + by + "'"
                )
                assert sorted(map(tuple, kept)) == sorted(map(tuple, summed)), by

    @invariant()
    def never_goes_back(self) -> None:
        """What is read now is not behind what was read before, neither in facts nor in days."""
        state = self.hosts[0].state
        if self.read is not None:
            assert state is not None
            assert state.day >= self.read.day
            assert all(now >= then for now, then in zip(state.clocks, self.read.clocks, strict=True))
        self.read = state

    @invariant()
    def who_is_not_behind_reads_the_law(self) -> None:
        """Rows that took everything in are right, though their day be another than today."""
        host = self.hosts[1]
        if host.state is not None and not host.projection.lag().behind:
            self.is_the_law(1)


class SQLiteMachine(ProjectionMachine):
    """Rows in a file of their own."""

    def new_urls(self) -> tuple[str, str]:
        self.folder = tempfile.TemporaryDirectory()
        return f"sqlite:///{self.folder.name}/ledger.db", f"sqlite:///{self.folder.name}/rows.db"

    def teardown(self) -> None:
        with self.folder:
            super().teardown()


class OneFileMachine(SQLiteMachine):
    """Rows beside the facts, in the ledger's own file."""

    def new_urls(self) -> tuple[str, str]:
        ledger, _ = super().new_urls()
        return ledger, ledger


def of(examples: int, asked: int = EXAMPLES) -> settings:
    return settings(
        max_examples=asked or examples,
        stateful_step_count=30,
        suppress_health_check=list(HealthCheck),
    )


TestSQLite = SQLiteMachine.TestCase
TestSQLite.settings = of(35)
TestOneFile = OneFileMachine.TestCase
TestOneFile.settings = of(15)


def test_postgresql(shared_database: str) -> None:  # noqa: F811
    class PostgresMachine(ProjectionMachine):
        """Three shards, and the rows in a schema beside them."""

        def new_urls(self) -> tuple[str, str]:
            url = made(shared_database, shards=3)
            with connect(without_options(url)) as connection:
                connection.execute(f"CREATE SCHEMA {schema_of(url)}_projection")
            return url, url

    run_state_machine_as_test(PostgresMachine, settings=of(5, EXAMPLES // 10))
