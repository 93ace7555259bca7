"""The SQL of a PostgreSQL ledger: its tables, the functions that guard them, and every statement.

Plain SQL wherever it can be: one row a shard that is locked `FOR UPDATE`, unique keys, no sequence,
no advisory lock, no LISTEN. Where the engine has functions and triggers, they add what a role cannot
get around: tables only grow, and no event enters that does not follow the last one of its shard.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

SCHEMA_VERSION: Final = 1
EVENTS: Final = "stored_events"
EVENTS_BY_WAVE: Final = "events_by_wave"
"""What a role limited to some waves reads instead: the same rows, as far as it may see them."""
Row = tuple[Any, ...]

_TABLES: Final = """\
CREATE SCHEMA IF NOT EXISTS {s};

CREATE TABLE {s}.ledger (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), -- this table has one row
    schema_version integer NOT NULL,
    shards integer NOT NULL CHECK (shards BETWEEN 1 AND 1024),
    ledger_id uuid NOT NULL DEFAULT gen_random_uuid()
);

-- One row a shard: locked by whoever writes there. number counts the shard's events, clock is that
-- of the last one that a writer there could have seen, fence how often what was under way was written
-- off (the same in all).
CREATE TABLE {s}.heads (
    shard integer PRIMARY KEY,
    number bigint NOT NULL DEFAULT 0,
    clock bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

CREATE TABLE {s}.stored_events (
    originator_id text COLLATE "C" NOT NULL, -- the stream
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL, -- the event's line, as it came
    notification_id bigint NOT NULL, -- the position: clock * shards + shard
    shard integer NOT NULL,
    number bigint NOT NULL,
    source text COLLATE "C",
    id text COLLATE "C",
    PRIMARY KEY (originator_id, originator_version)
) WITH (fillfactor = 100);

CREATE UNIQUE INDEX stored_events_position ON {s}.stored_events (notification_id);
CREATE UNIQUE INDEX stored_events_identity ON {s}.stored_events (source, id);
"""

_SHARD_INDEX: Final = """\
CREATE UNIQUE INDEX stored_events_shard_number ON {s}.stored_events (shard, number);
"""

_ROWS: Final = """\
INSERT INTO {s}.ledger (schema_version, shards) VALUES ({version}, {shards});
INSERT INTO {s}.heads (shard) SELECT generate_series(0, {shards} - 1);
"""

_GUARDS: Final = """\
-- Tables that only grow.
CREATE FUNCTION {s}.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER stored_events_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON {s}.stored_events
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.refuse_change();
CREATE TRIGGER ledger_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {s}.ledger
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.refuse_change();
CREATE TRIGGER heads_stay BEFORE DELETE OR TRUNCATE ON {s}.heads
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.refuse_change();

-- Events follow the last one of their shard, whoever writes them, and the head goes with them.
CREATE FUNCTION {s}.follow() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    moved integer;
    written integer;
BEGIN
    -- append_next has moved the head itself, as nobody else can: nothing is beyond it. (By hand nothing
    -- gets in there either: those numbers are taken.)
    IF NOT EXISTS (SELECT FROM recorded AS r WHERE NOT EXISTS (SELECT FROM {s}.heads AS h
            WHERE h.shard = r.shard AND r.number BETWEEN 1 AND h.number
                AND r.notification_id / {shards} <= h.clock AND {one_placed})) THEN
        RETURN NULL;
    END IF;{before}
    -- One event is the ordinary case, and needs no grouping.
    IF (SELECT count(*) FROM recorded) = 1 THEN
        UPDATE {s}.heads AS h SET number = r.number, clock = r.notification_id / {shards}
        FROM recorded AS r
        WHERE h.shard = r.shard AND r.number = h.number + 1
            AND r.notification_id / {shards} > h.clock AND {one_placed};
        GET DIAGNOSTICS moved = ROW_COUNT;
        written = 1;
    ELSE
        WITH written AS (
            SELECT shard, min(number) AS first, max(number) AS last, count(DISTINCT number) AS numbers,
                count(*) AS events, min(notification_id / {shards}) AS earliest,
                max(notification_id / {shards}) AS latest, bool_and({placed}) AS placed
            FROM {recorded} GROUP BY shard
        ), moved AS (
            UPDATE {s}.heads AS h SET number = w.last, clock = w.latest
            FROM written AS w
            WHERE h.shard = w.shard AND w.first = h.number + 1 AND w.last = h.number + w.events
                AND w.numbers = w.events AND w.earliest > h.clock AND w.placed
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM written) INTO moved, written;
    END IF;
    IF moved <> written THEN
        RAISE EXCEPTION 'events do not follow the last one of their shard'
            USING ERRCODE = 'serialization_failure';
    END IF;{after}
    RETURN NULL;
END $$;
CREATE TRIGGER stored_events_follow AFTER INSERT ON {s}.stored_events
    REFERENCING NEW TABLE AS recorded FOR EACH STATEMENT EXECUTE FUNCTION {s}.follow();
"""

_PLACED: Final = "notification_id = number"
"""One shard: its positions are its numbers."""
_ONE_PLACED: Final = "r.notification_id = r.number"
_ONE_PLACED_AMONG_SHARDS: Final = (
    "r.notification_id % {shards} = r.shard "
    "AND (r.shard = 0 OR r.originator_id LIKE 'participant/%')"
)
_PLACED_AMONG_SHARDS: Final = (
    "rising AND notification_id % {shards} = shard "
    "AND (shard = 0 OR originator_id LIKE 'participant/%')"
)
_RISING: Final = """\
(
            SELECT *, notification_id > lag(notification_id, 1, -1::bigint)
                OVER (PARTITION BY shard ORDER BY number) AS rising
            FROM recorded
        ) AS recorded"""
# What decides across participants is later than all that came before it, in every shard, and earlier
# than all that comes after.
_COMMON_BEFORE: Final = """
    IF EXISTS (SELECT FROM recorded WHERE originator_id NOT LIKE 'participant/%'
        AND notification_id / {shards} <= (SELECT max(clock) FROM {s}.heads)) THEN
        RAISE EXCEPTION 'events do not follow the last one of every shard'
            USING ERRCODE = 'serialization_failure';
    END IF;"""
_COMMON_AFTER: Final = """
    UPDATE {s}.heads AS h SET clock = c.latest
    FROM (SELECT max(notification_id / {shards}) AS latest FROM recorded
        WHERE originator_id NOT LIKE 'participant/%') AS c
    WHERE h.clock < c.latest;"""

_FUNCTIONS: Final = """\
-- A turn: the heads of its shards, then what the writer said it would need, then what it adds. In
-- plpgsql, whose sessions keep their plans: a pooler leaves no other way to prepare a statement. One
-- key at a time, because a join that was planned while the table was small would read all of it for
-- as long as the session lives.
CREATE FUNCTION {s}.take(taken integer[]) RETURNS SETOF {s}.heads
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    {durable_body}
    RETURN QUERY {take_body};
END $$;
CREATE FUNCTION {s}.find(sources text[], ids text[])
    RETURNS TABLE (source text, id text, notification_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    FOR n IN 1 .. cardinality(sources) LOOP
        RETURN QUERY SELECT e.source, e.id, e.notification_id FROM {s}.stored_events AS e
            WHERE e.source = sources[n] AND e.id = ids[n];
    END LOOP;
END $$;
CREATE FUNCTION {s}.streams(names text[], known bigint[])
    RETURNS TABLE (originator_id text, notification_id bigint, topic text, state bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    FOR n IN 1 .. cardinality(names) LOOP
        RETURN QUERY SELECT e.originator_id, e.notification_id, e.topic, e.state
            FROM {s}.stored_events AS e
            WHERE e.originator_id = names[n] AND e.originator_version > known[n]
            ORDER BY e.originator_version;
    END LOOP;
END $$;
-- The first message of a turn, all in one: heads (kind 0), identities (1), streams (2).
CREATE FUNCTION {s}.open_turn(taken integer[], sources text[], ids text[], names text[],
    known bigint[]) RETURNS TABLE (kind integer, name text, id text, place bigint, number bigint,
    clock bigint, fence bigint, topic text, state bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    {durable_body}
    RETURN QUERY SELECT 0, NULL::text, NULL::text, t.shard::bigint, t.number, t.clock, t.fence,
        NULL::text, NULL::bytea FROM ({take_body}) AS t;
    FOR n IN 1 .. cardinality(sources) LOOP
        RETURN QUERY SELECT 1, e.source, e.id, e.notification_id, NULL::bigint, NULL::bigint,
            NULL::bigint, NULL::text, NULL::bytea FROM {s}.stored_events AS e
            WHERE e.source = sources[n] AND e.id = ids[n];
    END LOOP;
    FOR n IN 1 .. cardinality(names) LOOP
        RETURN QUERY SELECT 2, e.originator_id, NULL::text, e.notification_id, NULL::bigint,
            NULL::bigint, NULL::bigint, e.topic, e.state FROM {s}.stored_events AS e
            WHERE e.originator_id = names[n] AND e.originator_version > known[n]
            ORDER BY e.originator_version;
    END LOOP;
END $$;
CREATE FUNCTION {s}.append(names text[], versions bigint[], topics text[], states bytea[],
    positions bigint[], shards integer[], numbers bigint[], sources text[], ids text[])
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    {append_body};
END $$;
-- A whole turn in one message, for a writer who has judged a participant's event already: appended where
-- nothing was written off since, every other stream that was looked at has as many events as it saw, and
-- neither the version nor the identity is taken; else nothing, and NULL.
CREATE FUNCTION {s}.append_next(home integer, fenced bigint, looked text[], expected bigint[],
    stream text, version bigint, topic text, state bytea, source text, id text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET lock_timeout = '{lock_seconds}s' AS $$
DECLARE
    head {s}.heads;
BEGIN
    {durable_body}
    UPDATE {s}.heads AS h SET number = h.number + 1, clock = h.clock + 1 WHERE h.shard = home
        RETURNING h.* INTO head;
    IF head.fence = fenced AND stream LIKE 'participant/%' THEN
        -- By a statement of its own, which sees what was committed while the head was waited for. A
        -- longer stream and a taken identity are conflicts of keys.
        INSERT INTO {s}.stored_events (originator_id, originator_version, topic, state,
                notification_id, shard, number, source, id)
            SELECT stream, version, append_next.topic, append_next.state, head.clock * {shards} + home,
                home, head.number, append_next.source, append_next.id
            WHERE cardinality(looked) = 0
                OR NOT EXISTS (SELECT FROM unnest(looked, expected) AS l (name, known)
                    WHERE l.known IS DISTINCT FROM (SELECT coalesce(max(e.originator_version), 0)
                        FROM {s}.stored_events AS e WHERE e.originator_id = l.name))
            ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN head.clock * {shards} + home;
        END IF;
    END IF;
    UPDATE {s}.heads AS h SET number = h.number - 1, clock = h.clock - 1 WHERE h.shard = home;
    RETURN NULL;
END $$;

-- What is still under way to append_next comes too late from now on. Under all heads.
CREATE FUNCTION {s}.write_off() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE {s}.heads SET fence = fence + 1
$$;

-- The rest of what a role needs that has no right on any table.
CREATE FUNCTION {s}.about() RETURNS SETOF {s}.ledger
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT * FROM {s}.ledger
$$;
CREATE FUNCTION {s}.highest() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    {highest_body}
$$;
CREATE FUNCTION {s}.streams_between(low text, high text)
    RETURNS TABLE (originator_id text, notification_id bigint, topic text, state bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    {streams_body}
$$;
CREATE FUNCTION {s}.lines(after bigint)
    RETURNS TABLE (notification_id bigint, topic text, state bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    {lines_body}
$$;
CREATE FUNCTION {s}.clocks() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    {clocks_body}
$$;
CREATE FUNCTION {s}.touched(low bigint, high bigint, after bigint[], upto bigint[])
    RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    {touched_body}
$$;
CREATE FUNCTION {s}.between_clocks(low bigint, high bigint, after bigint[], upto bigint[])
    RETURNS TABLE (notification_id bigint, topic text, state bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    {between_body}
$$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {s} FROM PUBLIC;
"""

_BETWEEN: Final = (
    "WHERE e.notification_id > {1} AND e.notification_id <= {2} "
    "AND e.notification_id > ({3})[e.shard + 1] AND e.notification_id <= ({4})[e.shard + 1]"
)
_BODIES: Final = {
    "take_body": (
        "SELECT h.shard, h.number, h.clock, h.fence FROM {s}.heads AS h WHERE h.shard = ANY({1}) "
        "ORDER BY h.shard FOR UPDATE"
    ),
    "durable_body": (
        "IF current_setting('synchronous_commit') IN ('off', 'local') THEN\n"
        "        SET LOCAL synchronous_commit = 'on'; -- what is acknowledged is on disk\n"
        "    END IF;"
    ),
    "highest_body": "SELECT max(notification_id) FROM {events}",
    "find_body": (
        "SELECT e.source, e.id, e.notification_id FROM unnest({1}, {2}) AS i (source, id) "
        "JOIN {events} AS e ON e.source = i.source AND e.id = i.id"
    ),
    "stream_body": (
        "SELECT e.originator_id, e.notification_id, e.topic, e.state "
        "FROM unnest({1}, {2}) AS n (name, known) JOIN {events} AS e "
        "ON e.originator_id = n.name AND e.originator_version > n.known "
        "ORDER BY e.originator_id, e.originator_version"
    ),
    "streams_body": (
        "SELECT originator_id, notification_id, topic, state FROM {events} "
        "WHERE originator_id >= {1} AND originator_id < {2} "
        "ORDER BY originator_id, originator_version"
    ),
    "lines_body": (
        "SELECT notification_id, topic, state FROM {events} "
        "WHERE notification_id > {1} ORDER BY notification_id"
    ),
    "clocks_body": "SELECT h.clock FROM {s}.heads AS h ORDER BY h.shard",
    "touched_body": f"SELECT DISTINCT e.originator_id FROM {{events}} AS e {_BETWEEN}",
    "between_body": (
        f"SELECT e.notification_id, e.topic, e.state FROM {{events}} AS e {_BETWEEN} "
        "ORDER BY e.notification_id"
    ),
    "append_body": (
        "INSERT INTO {s}.stored_events (originator_id, originator_version, topic, state, "
        "notification_id, shard, number, source, id) "
        "SELECT * FROM unnest({1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9})"
    ),
}

COLUMNS: Final = (
    "originator_id",
    "originator_version",
    "topic",
    "state",
    "notification_id",
    "shard",
    "number",
    "source",
    "id",
)
COLUMN_TYPES: Final = (
    "text",
    "int8",
    "text",
    "bytea",
    "int8",
    "int4",
    "int8",
    "text",
    "text",
)


def _body(name: str, schema: str, *parameters: str, events: str = EVENTS) -> str:
    return _BODIES[name].format("", *parameters, s=schema, events=f"{schema}.{events}")


def create_script(schema: str, shards: int, *, functions: bool = True) -> str:
    """What makes the tables of a new ledger (schema version 1), without roles."""
    parts = [_TABLES.format(s=schema)]
    if shards > 1:
        parts.append(_SHARD_INDEX.format(s=schema))
    parts.append(_ROWS.format(s=schema, version=SCHEMA_VERSION, shards=shards))
    if functions:
        parts.append(_guards(schema, shards))
        parts.append(_functions(schema, shards))
    return "\n".join(parts)


def _guards(schema: str, shards: int) -> str:
    if shards == 1:
        among = {
            "recorded": "recorded",
            "placed": _PLACED,
            "one_placed": _ONE_PLACED,
            "before": "",
            "after": "",
        }
    else:
        parts = {
            "recorded": _RISING,
            "placed": _PLACED_AMONG_SHARDS,
            "one_placed": _ONE_PLACED_AMONG_SHARDS,
            "before": _COMMON_BEFORE,
            "after": _COMMON_AFTER,
        }
        among = {name: part.format(s=schema, shards=shards) for name, part in parts.items()}
    return _GUARDS.format(s=schema, shards=shards, **among)


def _functions(schema: str, shards: int) -> str:
    numbered = [f"${n}" for n in range(1, len(COLUMNS) + 1)]
    bodies = {name: _body(name, schema, *numbered) for name in _BODIES}
    return _FUNCTIONS.format(s=schema, shards=shards, lock_seconds=_LOCK_SECONDS, **bodies)


@frozen(kw_only=True)
class ReadStatements:
    """How a role reads; each gives the same columns, whichever way."""

    about: str
    highest: str
    find: str
    stream: str
    streams: str
    lines: str
    filed: str
    """Of a role that may select."""
    clocks: str
    """How far each shard has come."""
    touched: str
    between: str
    waves: str = ""
    """Which waves were granted, to a role that is limited to some."""


@frozen(kw_only=True)
class WriteStatements:
    """How a role writes: texts of statements that are sent together, in one message."""

    begin: str
    durable: str
    """What a transaction begins with besides that somebody else began; empty where `take` sees to it."""
    open: str | None
    """Begins a turn with all that the writer said it would need, where the engine has functions."""
    next: str | None
    """A whole turn in one statement (see `Conditional`), where the engine has functions."""
    write_off: str | None
    """Makes whole turns that are still under way come too late."""
    take: str
    find: str
    stream: str
    append: str
    advance: str | None
    """Moves a head by hand, where no trigger does."""
    copies: bool
    """Whether the role may COPY into the table."""


_BOUNDS: Final = "%s::bigint, %s::bigint, %s::bigint[], %s::bigint[]"
"""The lowest and the highest position asked for, and each shard's own two."""


def reads_of(schema: str, *, by_call: bool, events: str = EVENTS) -> ReadStatements:
    """Statements of a role that may select from a table of events, or only call."""
    if by_call:
        return ReadStatements(
            about=f"SELECT schema_version, shards, ledger_id FROM {schema}.about()",
            highest=f"SELECT {schema}.highest()",
            find=f"SELECT * FROM {schema}.find(%s::text[], %s::text[])",
            stream=f"SELECT * FROM {schema}.streams(%s::text[], %s::bigint[])",
            streams=f"SELECT * FROM {schema}.streams_between(%s::text, %s::text)",
            lines=f"SELECT * FROM {schema}.lines(%s::bigint)",
            filed="",
            clocks=f"SELECT * FROM {schema}.clocks()",
            touched=f"SELECT * FROM {schema}.touched({_BOUNDS})",
            between=f"SELECT * FROM {schema}.between_clocks({_BOUNDS})",
        )

    def body(name: str, *parameters: str) -> str:
        return _body(name, schema, *parameters, events=events)

    return ReadStatements(
        about=f"SELECT schema_version, shards, ledger_id FROM {schema}.ledger",
        highest=body("highest_body"),
        find=body("find_body", "%s::text[]", "%s::text[]"),
        stream=body("stream_body", "%s::text[]", "%s::bigint[]"),
        streams=body("streams_body", "%s::text", "%s::text"),
        lines=body("lines_body", "%s::bigint"),
        filed=(
            "SELECT notification_id, originator_id, originator_version, topic, state, source, id "
            f"FROM {schema}.stored_events ORDER BY notification_id"
        )
        if events == EVENTS
        else "",
        clocks=body("clocks_body"),
        touched=body("touched_body", *_BOUNDS.split(", ")),
        between=body("between_body", *_BOUNDS.split(", ")),
        waves=f"SELECT {schema}.granted_waves()",
    )


_ARRAYS: Final = tuple(f"%s::{name}[]" for name in COLUMN_TYPES)
_LOCK_SECONDS: Final = 30
_IDLE_SECONDS: Final = 20
"""A writer that went silent in its turn is cut off before the next one stops waiting for it."""
_BEGIN: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; "
    f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'; "
    f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'; "
)
"""Each statement after the lock sees what was committed before the lock was given; settings are of
this transaction alone."""


_DURABLE: Final = "SET LOCAL synchronous_commit = 'on'; "


def writes_of(
    schema: str, *, by_call: bool, guarded: bool, outcomes: bool = False
) -> WriteStatements:
    """Statements of a role that may insert, or only call; guarded: functions and triggers are there.

    `outcomes`: it may append nothing else (role settler).
    """
    if guarded:
        return WriteStatements(
            begin=_BEGIN,
            durable="",
            open=(
                f"SELECT * FROM {schema}.open_turn("
                "%s::integer[], %s::text[], %s::text[], %s::text[], %s::bigint[])"
            ),
            next=(
                f"SELECT {schema}.append_next{'_outcome' if outcomes else ''}(%s::integer, %s::bigint, %s::text[], %s::bigint[], "
                "%s::text, %s::bigint, %s::text, %s::bytea, %s::text, %s::text)"
            ),
            write_off=f"SELECT {schema}.write_off()",
            take=f"SELECT * FROM {schema}.take(%s::integer[])",
            find=f"SELECT * FROM {schema}.find(%s::text[], %s::text[])",
            stream=f"SELECT * FROM {schema}.streams(%s::text[], %s::bigint[])",
            append=f"SELECT {schema}.append{'_outcomes' if outcomes else ''}({', '.join(_ARRAYS)})",
            advance=None,
            copies=not by_call,
        )
    return WriteStatements(
        begin=_BEGIN + _DURABLE,
        durable=_DURABLE,
        open=None,
        next=None,
        write_off=None,
        take=_body("take_body", schema, "%s::integer[]"),
        find=_body("find_body", schema, "%s::text[]", "%s::text[]"),
        stream=_body("stream_body", schema, "%s::text[]", "%s::bigint[]"),
        append=_body("append_body", schema, *_ARRAYS),
        advance=(
            f"UPDATE {schema}.heads AS h SET number = a.number, clock = a.clock "
            "FROM unnest(%s::integer[], %s::bigint[], %s::bigint[]) AS a (shard, number, clock) "
            "WHERE h.shard = a.shard"
        ),
        copies=True,
    )
