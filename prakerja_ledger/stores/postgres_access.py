"""The SQL that keeps roles to what they may: rows by wave, and kinds of events by function.

A participant's wave is what the recorded events say (the latest enrolment correction that is not voided,
else the enrolment), so `participant_waves` is no second truth: the database itself works it out again in
the transaction that records such an event, nobody may write there, no reading looks at it but the policies,
and `doctor` holds it against the events.

The policies stand on `events_by_wave`, of which `stored_events` is the only child: PostgreSQL has no COPY
FROM on a table with row level security, and imports need it. A query of the parent is checked by the
parent's rights and policies alone. Not FORCE: the owner reads `stored_events` itself, so that it would hide
nothing, and would end the owner's dumps.
"""

from __future__ import annotations

from typing import Final

from prakerja_ledger.domain.facts import Enrolled, EnrolmentCorrected, EventVoided, type_of
from prakerja_ledger.stores.postgres_roles import OUTCOMES, creations, grants, roles_of

ENROLLED: Final = type_of(Enrolled.kind)
CORRECTED: Final = type_of(EnrolmentCorrected.kind)
VOIDED: Final = type_of(EventVoided.kind)

_READ_LINES: Final = r"""-- A recorded line as JSON, its texts as this database keeps them; NULL where it is none.
CREATE FUNCTION {s}.said(line bytea) RETURNS json
    LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$
DECLARE
    told text := convert_from(line, 'UTF8');
BEGIN
    IF strpos(told, '\u000') > 0 THEN -- U+0000 is kept as U+0001 U+0001, and U+0001 as U+0001 U+0002
        told := regexp_replace(told, '(?<!\\)((?:\\\\)*)\\u0001', '\1\\u0001\\u0002', 'g');
        told := regexp_replace(told, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\u0001\\u0001', 'g');
    END IF;
    RETURN told::json;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
-- An RFC 3339 timestamp as exact seconds: a timestamptz would cut fractions off, and not take every offset.
CREATE FUNCTION {s}.instant(told text) RETURNS numeric
    LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT extract(epoch FROM substr(told, 1, 10)::date + substr(told, 12, 8)::time)
        + coalesce(('0' || substring(told FROM '\.[0-9]+'))::numeric, 0)
        - CASE WHEN upper(right(told, 1)) = 'Z' THEN 0 ELSE (left(right(told, 6), 1) || '60')::integer
            * (substr(right(told, 6), 2, 2)::integer * 60 + right(told, 2)::integer) END
$$;
"""

_WAVES: Final = """\
-- The wave that holds, as a statement of all that is recorded has it: the latest correction that is not
-- voided, by when it happened, was learned of and was recorded; else the enrolment.
CREATE FUNCTION {s}.wave_of(stream text) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = '' AS $$
BEGIN
    RETURN (WITH events AS (
        SELECT e.topic, e.source, e.id, e.notification_id, {s}.said(e.state) AS said
        FROM {s}.stored_events AS e
        WHERE e.originator_id = stream AND e.topic IN ('{enrolled}', '{corrected}', '{voided}')
    )
    SELECT (e.said #>> '{{data,wave}}')::bigint FROM events AS e
    WHERE e.topic <> '{voided}' AND NOT EXISTS (SELECT FROM events AS v WHERE v.topic = '{voided}'
        AND v.said #>> '{{data,source}}' = e.source AND v.said #>> '{{data,id}}' = e.id)
    ORDER BY e.topic = '{corrected}' DESC, {s}.instant(e.said ->> 'time') DESC,
        {s}.instant(coalesce(e.said ->> 'recordedtime', e.said ->> 'time')) DESC, e.notification_id DESC
    LIMIT 1);
END $$;

CREATE TABLE {s}.participant_waves (
    originator_id text COLLATE "C" PRIMARY KEY,
    wave bigint -- NULL: nobody may see it by its wave
);
CREATE INDEX participant_waves_wave ON {s}.participant_waves (wave);
CREATE FUNCTION {s}.keep_wave() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    held bigint;
BEGIN
    BEGIN
        IF NEW.originator_version = 1 THEN -- the enrolment: no other event of the stream speaks of a wave yet
            held := ({s}.said(NEW.state) #>> '{{data,wave}}')::bigint;
        ELSE
            held := {s}.wave_of(NEW.originator_id);
        END IF;
    EXCEPTION WHEN data_exception THEN
        held := NULL; -- no ledger wrote that; what it holds is for others to find
    END;
    INSERT INTO {s}.participant_waves AS w VALUES (NEW.originator_id, held)
        ON CONFLICT (originator_id) DO UPDATE SET wave = excluded.wave
        WHERE w.wave IS DISTINCT FROM excluded.wave;
    RETURN NULL;
END $$;
CREATE TRIGGER stored_events_keep_wave AFTER INSERT ON {s}.stored_events FOR EACH ROW
    WHEN (NEW.topic IN ('{enrolled}', '{corrected}', '{voided}')
        AND NEW.originator_id LIKE 'participant/%')
    EXECUTE FUNCTION {s}.keep_wave();
INSERT INTO {s}.participant_waves SELECT DISTINCT e.originator_id, {s}.wave_of(e.originator_id)
    FROM {s}.stored_events AS e WHERE e.originator_id LIKE 'participant/%';

-- Which waves a role may read: its last row holds, an empty one takes them all back.
CREATE TABLE {s}.wave_grants (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    granted_at timestamptz NOT NULL DEFAULT now(),
    granted_by text NOT NULL DEFAULT session_user,
    role regrole NOT NULL,
    role_name text NOT NULL, -- as it was called then
    waves bigint[] NOT NULL
);
CREATE TRIGGER wave_grants_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON {s}.wave_grants
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.refuse_change();
-- For the owner: SELECT {s}.grant_waves('office_3', 1, 2); without waves: take them back.
CREATE FUNCTION {s}.grant_waves(role regrole, VARIADIC waves bigint[] DEFAULT '{{}}') RETURNS void
    LANGUAGE sql SET search_path = '' AS $$
    INSERT INTO {s}.wave_grants (role, role_name, waves) VALUES (role, role::text, waves)
$$;
CREATE FUNCTION {s}.granted_waves() RETURNS bigint[]
    LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT coalesce(array_agg(DISTINCT wave), '{{}}') FROM (
        SELECT DISTINCT ON (g.role) g.waves FROM {s}.wave_grants AS g
        WHERE pg_has_role(current_user, g.role, 'USAGE') ORDER BY g.role, g.number DESC
    ) AS latest, unnest(latest.waves) AS wave
$$;
"""

_POLICIES: Final = """\
CREATE TABLE {s}.events_by_wave (LIKE {s}.stored_events);
CREATE TRIGGER events_by_wave_stay_empty BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE
    ON {s}.events_by_wave FOR EACH STATEMENT EXECUTE FUNCTION {s}.refuse_change();
ALTER TABLE {s}.stored_events INHERIT {s}.events_by_wave;

ALTER TABLE {s}.events_by_wave ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_wave ON {s}.events_by_wave FOR SELECT TO {wave_reader}
    USING (originator_id NOT LIKE 'participant/%' OR EXISTS (SELECT FROM {s}.participant_waves AS w
        WHERE w.originator_id = events_by_wave.originator_id));
ALTER TABLE {s}.participant_waves ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_wave ON {s}.participant_waves FOR SELECT TO {wave_reader}
    USING (wave = ANY ((SELECT {s}.granted_waves())::bigint[]));
CREATE POLICY everything ON {s}.participant_waves FOR SELECT TO {auditor} USING (true);
ALTER TABLE {s}.wave_grants ENABLE ROW LEVEL SECURITY;
CREATE POLICY their_own ON {s}.wave_grants FOR SELECT TO {wave_reader}
    USING (pg_has_role(current_user, role, 'USAGE'));
CREATE POLICY everything ON {s}.wave_grants FOR SELECT TO {auditor} USING (true);
"""

_OUTCOMES: Final = """\
-- What a settler may append: outcomes of transfers, whose line says the same as its row.
CREATE FUNCTION {s}.check_outcome(stream text, topic text, state bytea, source text, id text)
    RETURNS void LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    said json := {s}.said(state);
BEGIN
    IF (topic IN ({outcomes}) AND said ->> 'type' = topic AND said ->> 'source' = source
            AND said ->> 'id' = id AND stream = 'participant/' || (said ->> 'subject')) IS NOT TRUE THEN
        RAISE EXCEPTION 'a settler records outcomes of transfers alone, and this is none: %', topic
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;
CREATE FUNCTION {s}.append_outcomes(names text[], versions bigint[], topics text[], states bytea[],
    positions bigint[], shards integer[], numbers bigint[], sources text[], ids text[])
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM {s}.check_outcome(o.name, o.topic, o.state, o.source, o.id)
        FROM unnest(names, topics, states, sources, ids) AS o (name, topic, state, source, id);
    PERFORM {s}.append(names, versions, topics, states, positions, shards, numbers, sources, ids);
END $$;
CREATE FUNCTION {s}.append_next_outcome(home integer, fenced bigint, looked text[], expected bigint[],
    stream text, version bigint, topic text, state bytea, source text, id text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM {s}.check_outcome(stream, topic, state, source, id);
    RETURN {s}.append_next(home, fenced, looked, expected, stream, version, topic, state, source, id);
END $$;
"""

_WHO_MAY: Final = """\
-- Who may do what, as the cluster has it now: by a role of this ledger, as its owner, or as a superuser.
CREATE VIEW {s}.who_may AS
WITH RECURSIVE given (who, role) AS (
    SELECT r.oid, r.rolname::text FROM pg_roles AS r WHERE r.rolname IN ({names})
    UNION SELECT c.relowner, 'owner' FROM pg_class AS c WHERE c.oid = '{s}.stored_events'::regclass
    UNION SELECT r.oid, 'superuser' FROM pg_roles AS r WHERE r.rolsuper
    UNION SELECT m.member, g.role FROM given AS g JOIN pg_auth_members AS m ON m.roleid = g.who
        WHERE g.role <> 'superuser'
)
SELECT r.rolname::text AS who, r.rolcanlogin AS may_log_in, g.role,
    (SELECT w.waves FROM {s}.wave_grants AS w WHERE w.role = r.oid ORDER BY w.number DESC LIMIT 1) AS waves
FROM given AS g JOIN pg_roles AS r ON r.oid = g.who;
"""

_CLOSING: Final = "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {s} FROM PUBLIC;\n"

_HEADING: Final = """\
-- Roles to be granted to those who log in. They hold no right that changes or removes what is recorded.
-- They belong to the whole cluster; where they exist already, leave out their CREATE ROLE.
"""


def role_script(schema: str, *, functions: bool = True) -> str:
    """What makes the roles of a ledger, and holds each to what it may."""
    roles = roles_of(functions=functions)
    parts = [_HEADING + creations(schema, roles)]
    if functions:
        parts.append(_access(schema))
    parts.append(grants(schema, roles, functions=functions))
    if not functions:  # where no trigger moves them
        parts.append(f"GRANT UPDATE (number, clock) ON {schema}.heads TO {schema}_writer;\n")
    return "\n".join(parts)


def _access(schema: str) -> str:
    parts = (_READ_LINES, _WAVES, _POLICIES, _OUTCOMES, _WHO_MAY, _CLOSING)
    named = {role.name: role.in_schema(schema) for role in roles_of(functions=True)}
    return "\n".join(parts).format(
        s=schema,
        enrolled=ENROLLED,
        corrected=CORRECTED,
        voided=VOIDED,
        outcomes=", ".join(f"'{one}'" for one in OUTCOMES),
        names=", ".join(f"'{name}'" for name in named.values()),
        wave_reader=named["wave_reader"],
        auditor=named["auditor"],
    )
